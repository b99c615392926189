/* The control plane of the library: the monitor, leases, slabs. Slow paths only; every call may take as long as one
 * request to the monitor (bounded by SD_CONTROL_TIMEOUT_MS; after a timeout the monitor is left alone for a while).
 *
 * Async-signal-safe: signals are blocked while the control lock is held; memory comes from mmap, never from malloc.
 * Fork-safe: the lock is held over fork; the child begins detached, keeps the slabs that it inherited, and attaches
 * anew, with the parent's id and secret, when it first needs the monitor.
 */
#ifndef SD_CONTROL_H
#define SD_CONTROL_H

#include "core/state.h"

#define SD_CONTROL_TIMEOUT_MS 1000

/* Once, single-threaded, before anything else here: reads the environment (not in a set-uid program). Asks nobody. */
SD_API void sd_control_init(void);

/* A lease as this process knows it. Entries are never freed while a connection uses them. */
struct sd_grant {
    struct sd_slab *slab; /* mapped, checked: magic, version */
    uint64_t lease_id;
    uint64_t listener_id;
    uint32_t next_slot; /* client: where to look for a free slot first */
    struct sd_grant *next;
};

/* Where a client wants to go. */
struct sd_destination {
    struct sd_address at; /* AF_UNIX: no name, but device and inode of a file; or, of an abstract name, a hash */
    uint16_t name_bytes;
    uint8_t name[108]; /* abstract, without its NUL */
};

/* Client: a lease for this destination whose slab accepts offers, or NULL with the reason. `fd` is the socket that will
 * connect (it proves the network namespace). `full`: a lease that had no free slot, ask for a further one; or NULL.
 * Remembers refusals until the status page's listener generation moves. The decision is the lease_client machine's. */
SD_API struct sd_grant *sd_lease_for(int fd, const struct sd_destination *destination, struct sd_grant *full,
                                     enum sd_reason *reason);

/* Client: an offer made on this lease was not taken up: back off (lease_client, UNANSWERED_OFFER). */
SD_API void sd_lease_unanswered(struct sd_grant *lease);

/* Server: register a listening socket; stores s->listener_id. On failure the socket is an ordinary one. */
SD_API void sd_register_listener(struct sd_socket *s, int fd);
SD_API void sd_unregister_listener(struct sd_socket *s);

/* Server: the slabs of a listener known to this process; `refresh` asks the monitor for new ones if the status page's
 * lease generation moved since the last look. First of a list linked by next, or NULL. */
SD_API struct sd_grant *sd_leases_of(struct sd_socket *listener, int listen_fd, bool refresh);

/* Is this address one of this host's (loopback, or found by asking the kernel)? Cached for a short while. */
SD_API bool sd_address_is_local(const struct sd_address *address);

/* lease.c: by the monitor's policy the peer of a connection may be in another network namespace. */
SD_API bool sd_asks_elsewhere(void);
/* The same, for who is about to connect: attaches. */
SD_API bool sd_may_be_elsewhere(void);

/* Now and then, from slow paths (an accept, before a sleep): notices that the monitor is gone or back, attaches a forked
 * child that serves, gives unused memory back. At most once a second it does more than read the clock. */
SD_API void sd_control_look(void);

/* Bytes of a ring of this connection that we cannot put on TCP ourselves. */
struct sd_carry {
    uint32_t direction; /* 0: client to server */
    uint64_t begin, end, base;
};

/* There is a monitor, as far as can be known without asking it. */
SD_API bool sd_monitor_serves(void);

/* Gives them to the monitor, which sends them to `to` before anything else, when there is room, and then closes its
 * descriptor of it; or, with a second connection `with` (else -1), passes on between the two what either brings. The ring
 * is not needed any more when this returns. False: there is no monitor, or it does not. */
SD_API bool sd_carry(const struct sd_socket *s, const struct sd_carry *what, int to, int with);

/* A connection that the monitor keeps for the other processes of the family, under a number of the family's choice: gives
 * it; fetches it (-1: there is none, or no monitor), close-on-exec; says that nobody needs it any more. */
SD_API bool sd_keep(uint64_t number, int fd);
SD_API int sd_kept(uint64_t number);
SD_API void sd_let_go(uint64_t number);

/* The monitor's number for this process, 0 if not attached. */
SD_API uint64_t sd_process_id(void);

/* Fork (called from life.c with all other locks free). */
SD_API void sd_control_fork_prepare(void);
SD_API void sd_control_fork_parent(void);
SD_API void sd_control_fork_child(void);

/* Hidden descriptors: moves fd to a high number, close-on-exec, marks it hidden, returns the new number; or closes it and
 * returns -errno. */
SD_API long sd_hide(int fd);
SD_API long sd_hide_copy(int fd); /* a hidden duplicate; fd stays as it is. -EMFILE: there is no high number */
SD_API void sd_close_hidden(int fd);

/* A hidden descriptor was moved to another number (the program wants its place): adopt it if it was ours. */
SD_API void sd_control_renumbered(int old_fd, int new_fd);

/* Memory for what lives as long as the process: zeroed, never freed; NULL if there is none. Signal-safe. */
SD_API void *sd_alloc(size_t size);

/* A lock for slow paths: blocks signals of this thread while held. */
struct sd_lock {
    _Atomic uint32_t held;
};
SD_API void sd_lock_take(struct sd_lock *lock, uint64_t *saved_mask);
SD_API void sd_lock_drop(struct sd_lock *lock, const uint64_t *saved_mask);

#endif

/* What the files of the control plane share:
 *
 *     memory.c     memory, locks, hidden descriptors          packet.c    one request and its reply
 *     local.c      which addresses are ours                   attach.c    the connection to the monitor
 *     slab.c       mapping slabs, and giving them back        lease.c     client: what is known of destinations
 *     carry.c      bytes that the monitor sends for us        listener.c  server: what the monitor knows of listeners
 *     keep.c       connections that it keeps for our family
 */
#ifndef SD_CONTROL_IMPL_H
#define SD_CONTROL_IMPL_H

#include "core/control.h"
#include "core/sys.h"

/* packet.c --- */

struct sd_request {
    uint32_t type;    /* SD_MSG_* */
    const void *body; /* NULL: none */
    size_t body_bytes;
    int fds[2]; /* go along; -1: none */
};

struct sd_reply {
    uint32_t status; /* SD_STATUS_*; unless it is OK, body and fd are empty */
    uint32_t reason; /* SD_REASON_*, checked */
    int fd;          /* the caller's to close; -1: none */
    union {
        struct sd_msg_welcome welcome;
        struct sd_msg_listener listener;
        struct sd_msg_lease lease;
    } body;
};

/* Sends one request on a connection and waits for its reply, for at most SD_CONTROL_TIMEOUT_MS.
 * Returns 0; -ETIMEDOUT; -EPROTO (what came is not the reply); -EPIPE or -ECONNRESET; or an errno of our own side: no
 * descriptor free for the one that came (-EMFILE), the one to pass is closed (-EBADF), no memory. */
SD_API long sd_exchange(int connection, uint32_t seq, const struct sd_request *request, struct sd_reply *reply);

/* slab.c --- */

enum sd_slab_role { SD_SLAB_CLIENT = 1, SD_SLAB_SERVER = 2 };

/* Both close fd in any case and believe nothing: memory that could shrink, of another size, and a status page with another
 * magic or version is -EPROTO. Else 0 or the errno of the mapping. With the control lock.
 * A slab whose head is not what the monitor wrote is SD_SLAB_SPOILT: both sides of a lease can write there, so it says
 * nothing about the monitor.
 * A status page that is mapped already is replaced at its address, so that pointers to it stay good. */
#define SD_SLAB_SPOILT (-ESTALE)
SD_API long sd_map_status(int fd, struct sd_status **status);
SD_API long sd_learn_lease(int fd, const struct sd_msg_lease *lease, enum sd_slab_role role, struct sd_grant **learnt);

SD_API bool sd_lease_revoked(const struct sd_grant *lease);

/* Another lease of the same listener, for clients, with a slot that looks free; or NULL. */
SD_API struct sd_grant *sd_lease_with_room(const struct sd_grant *full);

/* Whether an address lies in a slab, or where one was. */
SD_API bool sd_is_place_of_slab(const void *address);

/* Gives back the memory of revoked slabs that nothing of ours uses any more. Cheap if there are none. */
SD_API void sd_sweep_slabs(void);

/* attach.c --- */

/* The control lock: guards everything here but memory.c and local.c. */
SD_API void sd_control_enter(uint64_t *mask);
SD_API void sd_control_leave(const uint64_t *mask);

/* With the lock: is there a monitor? Attaches if need be, unless it is too early to try again. */
SD_API bool sd_attached(void);
SD_API enum sd_reason sd_not_attached_reason(void);

/* Counts the attachments, to see that there was another one since. */
SD_API uint32_t sd_attachments(void);

/* With the lock: asks the monitor, attaching if need be. False: no answer could be had. A request that failed for want
 * of descriptors or memory counts as denied with REASON_NO_MEMORY. */
SD_API bool sd_ask(const struct sd_request *request, struct sd_reply *reply);

/* With the lock: the monitor sent what it must not send; drop it. */
SD_API void sd_distrust_monitor(void);

/* listener.c, with the lock --- */

SD_API void sd_listeners_renew(void);                    /* the process is attached (again): register all anew */
SD_API bool sd_listeners_any(void);                      /* is there one that the monitor should know? */
SD_API void sd_listeners_unlink(struct sd_grant *lease); /* its slab is given back */

/* local.c --- */

SD_API void sd_local_fork_prepare(void);
SD_API void sd_local_fork_done(void);

#endif

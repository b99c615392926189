/* What the library remembers: files, sockets, threads, and where they live.
 *
 * Region    shared by a family (a process and its forks): socket objects and thread slots. A socket object is what the
 *           kernel calls an open file description: dup and fork give further references to one object.
 * Files     private to the process, indexed by descriptor: which object a descriptor refers to.
 * Slabs     mapped per process; pointers to them stay valid in forked children, which inherit the mapping.
 *
 * Who may touch what: ring cursors (sd_tx, sd_rx) only the holder of that direction's token; `mode` only the holder of
 * both tokens; the record's counters anybody, relaxed.
 */
#ifndef SD_STATE_H
#define SD_STATE_H

#include "core/base.h"
#include "generated/layout.h"
#include "generated/machines.h"
#ifdef SD_RECORD
#include "generated/record.h"
#endif

/* How a socket object moves its bytes now. RING and OFFERED use the rings; the others do not. */
enum sd_mode {
    SD_MODE_KERNEL = 0, /* the libc call does it: unconnected, listening, plain TCP */
    SD_MODE_RING,       /* accepted, both sides use the rings */
    SD_MODE_OFFERED,    /* client: rings in use, not accepted yet */
    SD_MODE_PENDING,    /* server: the client's offer is not found yet */
    SD_MODE_ELSEWHERE,  /* another connection stands in for it, and each process has to fetch it: follow.h */
};

/* One direction's right to act: a token_owner machine in one word; see token.c. */
struct sd_token {
    union {
        _Atomic uint64_t word;
        _Atomic uint16_t part[4]; /* the highest names who may enter by plain loads and stores */
    };
};

/* Of each end the first line is all that most calls need. */
struct sd_tx {
    struct sd_token token;
    struct sd_ring_tx m; /* m.free: bytes of room as far as known */
    uint64_t tail;       /* published as direction.p.tail */
    uint64_t base;
    struct sd_direction *dir;
    uint8_t *front; /* SD_FRONT_BYTES: see ring.h */
    uint8_t *rest;  /* SD_RING_BYTES, of which the first SD_FRONT_BYTES are not used */
    uint64_t head_seen;
    struct sd_mover mover;
    uint64_t resend_from; /* mover RESENDING: bytes from here to tail still have to go over the companion */
    uint64_t held_ns;     /* mover HELD: since when; 0 not yet */
};

struct sd_rx {
    struct sd_token token;
    struct sd_ring_rx m; /* m.avail: bytes known to be there */
    uint64_t head;       /* published as direction.c.head */
    uint64_t base;
    uint64_t tail_seen;
    struct sd_direction *dir;
    uint8_t *front;
    uint8_t *rest;
    struct sd_leaver leaver;
};

struct sd_grant;

struct sd_socket {
    struct sd_socket_record rec; /* first: what the monitor reads */
    /* one line for what every call and every look at readiness asks */
    _Alignas(64) _Atomic uint32_t mode; /* enum sd_mode */
    _Atomic uint32_t nonblock;          /* O_NONBLOCK of the open file description */
    _Atomic uint32_t shared;            /* ever inherited over fork: another process may hold references */
    _Atomic uint32_t gone;              /* companion was seen at end of file (1) or reset (2) */
    _Atomic uint32_t error;             /* pending errno, reported once (SO_ERROR) */
    _Atomic uint32_t slow_send;         /* an error pends, the next send is the last, the offer is open: no fast path */
    _Atomic uint32_t pins;              /* threads inside a slow path; the object is not reused before they left */
    _Atomic uint16_t strays;            /* bytes on the companion that nobody announced */
    _Atomic uint16_t receiving;         /* the state of rx.m, for who looks without the token: AWAY and MOVED count */
    _Atomic uint32_t shut;              /* local shutdown: bit 0 read, bit 1 write */
    _Atomic uint32_t low_mark;          /* SO_RCVLOWAT; 0 and 1 mean one byte */
    struct sd_teardown teardown;
    struct sd_side *peer_side;   /* of the slab */
    _Atomic uint8_t *peer_ready; /* the peer side's ready byte for this connection */
    struct sd_slab *slab;
    _Atomic bool last_send;          /* the peer is closed: Linux takes one more send, then breaks */
    _Atomic bool refused_send;       /* or it shut both directions and lives on: that send's bytes it must not read */
    _Atomic uint32_t send_buffer;    /* SO_SNDBUF as the kernel has it, if the program set it; else 0 */
    _Atomic uint32_t receive_buffer; /* SO_RCVBUF */
    _Atomic uint32_t stays; /* enum sd_reason: an option keeps it, and what it accepts, in the kernel; 0 none */
    int32_t family;
    uint32_t offer;               /* the offer word as it was made or taken: generation and OFFERED */
    bool peer_dead;               /* died without closing: we give the slot back for both */
    uint64_t deadline_ns;         /* pending: when to give up; offered: when to look at the backlog; 0 not started */
    _Atomic uint64_t unqueued_ns; /* offered: for how long the connection was seen out of the server's backlog */
    _Atomic uint64_t checked_ns;  /* when the companion was last looked at */
    _Atomic uint64_t answered;    /* our tail when a reader last polled with success: transfer.c */
    uint64_t listener_id;         /* listening: at the monitor */
    uint64_t leases_seen;         /* listening/pending: status page lease generation of the last look */
    _Atomic int32_t deferral;     /* listening: TCP_DEFER_ACCEPT as the program set it; see listener.c */
    struct sd_listener listener;
    struct sd_client client;
    struct sd_server server;
    struct sd_joiner joiner;
    _Atomic uint32_t joining; /* somebody is feeding `joiner` */
    _Atomic bool came_back;   /* it has rings again */
    _Atomic bool by_sender;   /* AF_UNIX: who sent a byte must put it on the companion, for it shows who that is */
    _Atomic uint8_t unnamed;  /* AF_UNIX: SD_UNNAMED_*, see unix.h */
    struct sd_slot *slot;
    struct sd_grant *grant;          /* client: the lease that the offer was made on */
    struct sd_socket *accepted_from; /* pending: the listening object, pinned */
    uint64_t left_at;       /* moved: where the program had read the ring to when we left it; UINT64_MAX: all */
    struct sd_socket *heir; /* elsewhere: the object of what stands in; we hold a reference to it */
    _Alignas(64) struct sd_tx tx;
    _Alignas(64) struct sd_rx rx;
};

_Static_assert(sizeof(struct sd_socket) <= SD_SOCKET_BYTES_MAX, "the monitor reads objects of this size");
#ifndef SD_RECORD /* its machines have one more field */
_Static_assert(offsetof(struct sd_tx, rest) == 64, "what most sends need lies in one line");
_Static_assert(offsetof(struct sd_rx, rest) == 64, "what most receives need lies in one line");
_Static_assert(offsetof(struct sd_socket, slab) == 256 + 64, "what is looked at together lies in one line");
#endif

#define SD_INSIDE 2 /* a call that may block, and the same again in a signal handler */

#define SD_BUSY 4 /* both directions of a socket, and the same again in a signal handler */

#define SD_TOKEN_NOBODYS 1 /* in busy[0] of who has no slot */

/* What a thread waits for in the queue of a token that it names in `busy`. */
enum sd_queued {
    SD_QUEUED_NOT = 0,
    SD_QUEUED_SOON, /* it is about to enter a queue, or is there and its ticket is not written yet */
    SD_QUEUED,      /* with `ticket` */
};

/* A thread that uses sockets. `busy` names the tokens it is using right now; the fast path uses [0] alone. */
struct sd_thread {
    _Alignas(64) _Atomic(struct sd_token *) busy[SD_BUSY];
    _Atomic uint64_t who; /* which thread, see sd_thread_who; 0: the slot is free */
    uint32_t id;          /* slot + 1 */
    int32_t bell_fd;
    uint32_t bell_name;
    uintptr_t frame; /* stack pointer of who wrote busy[0] */
    _Alignas(64) _Atomic uint32_t ticket;
    _Atomic uint32_t queued; /* enum sd_queued */
    uint32_t guarded;        /* tokens that signals are blocked for */
    uint64_t mask;           /* as it was before the first of them */
    uint16_t spins;          /* adapted; see wait.c */
    uint16_t spin_probe;
    bool spin_failed;
    _Atomic(struct sd_socket *) inside[SD_INSIDE]; /* objects of calls that may block: blocked.c */
    uintptr_t inside_frame[SD_INSIDE];             /* where on the stack they are */
};

enum sd_file_kind {
    SD_FILE_NONE = 0,
    SD_FILE_SOCKET,
    SD_FILE_EPOLL,
    SD_FILE_HIDDEN, /* ours; the program believes that it is not open */
};

struct sd_epoll;
struct sd_watch;

/* One descriptor of this process. */
struct sd_file {
    _Atomic uint16_t kind;
    _Atomic bool left;                /* exec is under way: our reference is given back already */
    _Atomic bool resets;              /* exec is under way: the kernel resets the connection as it closes it */
    uint32_t counted;                 /* while this process forks: index + 1 of the object counted for the child */
    _Atomic(struct sd_socket *) sock; /* kind SOCKET */
    _Atomic(struct sd_epoll *) epoll; /* kind EPOLL */
    struct sd_watch *watches;         /* epoll sets that watch this descriptor; guarded by the epoll lock */
};

#define SD_RINGERS 2 /* see bell.c */

struct sd_globals {
    struct sd_file *files;
    uint32_t file_count;
    _Atomic uint32_t file_high; /* descriptors at or above this are not in use by us */
    _Atomic uint32_t sock_high; /* nor do those at or above this refer to a socket: hidden ones lie far above */
    struct sd_region *region;
    struct sd_socket *sockets;
    struct sd_thread *threads;
    _Atomic uint64_t *thread_used; /* bit per slot: ever used. Others are not looked at: that would take memory */
    int32_t region_fd;
    _Atomic int32_t ringer_fd[SD_RINGERS]; /* unbound datagram sockets that ring doorbells; -1 not made yet */
    uint32_t pid;
    _Atomic uint32_t pid_space; /* the namespace in which it counts; 0 not asked yet */
    uint32_t cpus;              /* processors this process may run on */
    bool no_membarrier;         /* membarrier(GLOBAL_EXPEDITED) is missing here */
    bool heavy_fence;           /* some process that we share a slab with lacks it: publish with a full fence */
    _Atomic bool unusual;       /* heavy_fence or cancels: the common path is not for this process */
    _Atomic bool cancels;       /* a thread was cancelled: every -EINTR goes out, where the shim may act on it */
    _Atomic uint32_t
        connects;             /* calls of connect: listeners here may have become readable, before the caller goes on */
    bool disabled;            /* SDCORE_DISABLE, or set-up failed: pass everything */
    struct sd_status *status; /* the monitor's page, NULL if not attached */
};

extern struct sd_globals sd_g;

/* The socket object behind a descriptor, or NULL: one bounds check and two loads. */
static inline struct sd_socket *sd_socket_of(int fd)
{
    if (sd_unlikely((uint32_t)fd >= sd_g.file_count))
        return NULL;
    return atomic_load_explicit(&sd_g.files[fd].sock, memory_order_acquire);
}

static inline bool sd_mode_uses_ring(uint32_t mode)
{
    return mode == SD_MODE_RING || mode == SD_MODE_OFFERED;
}

#endif

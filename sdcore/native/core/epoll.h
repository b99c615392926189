/* Epoll sets that hold sockets of ours.
 *
 * Theory. The program's epoll descriptor stays a real kernel epoll. Descriptors that are not ours are registered there
 * verbatim and reported by the kernel. For each socket object of ours in a set there is a `watch`:
 *
 *     mode KERNEL    registered verbatim too (events and data of the program); the kernel reports it. The watch only
 *                    remembers, for the day when the socket goes over to the rings.
 *     other modes    the companion is registered edge-triggered with the address of the watch as data, so that the
 *                    kernel tells of its end; what the program sees comes from shared memory.
 *
 * News in shared memory: the peer sets the ready byte of the connection (after its tail), and rings the doorbell of the
 * sets that announced their sleep (`asleep` bit of their place in the slab). A set keeps a `group` for each (slab,
 * side) with a map from slot to watch; a scan compares eight ready bytes at a time with the slots that it watches and
 * takes each hit by an atomic exchange, before it looks at the connection. What may be ready is on the `active` list, and
 * what has come since the last scan on the `arriving` list, from where the end of a scan puts it there in the order of its
 * arrival (epoll_order.c); walking the active list gives level, edge and one-shot behaviour. The doorbell is registered in
 * the kernel set, level triggered, with the address of the set as data.
 *
 * One byte serves all sets that watch a connection. A watch that is not alone (the socket is in several sets, or was
 * inherited over fork) may lose a byte to another set: such a watch is `direct`, it is compared with its stamp (the
 * positions seen last) before each sleep and now and then.
 *
 * A watch that has just asked for its ready byte may miss news for a moment: the peer's store of tail may still wait in
 * its processor while its load of `armed` has been answered. Such a watch is `fresh`: it is looked at in every scan until
 * a fence has passed, which is the one before the next sleep, or one of our own when there are many.
 *
 * Sleepers and bells. The first to be woken takes the bell from the others that sleep on the set. Who leaves while
 * others sleep therefore announces anew, looks once more, and passes the bell on if something is left. A set that is
 * itself in another set, or in poll, is treated as if somebody always slept on it: then the kernel's readiness of its
 * descriptor is right, and whoever looks at it needs to know nothing of us.
 *
 * Locks. `registry` guards the tables of watches and sets; each set has a lock for its lists; registry before set,
 * never two sets. Neither is held in a blocking call. Signals are not blocked (that would cost two system calls per
 * wait): a handler that interrupts the holder is answered EINTR, 0 or ENOMEM, and what it closes is tidied up by the
 * holder. A handler that leaves by longjmp from the midst of epoll_ctl or epoll_wait (not while they sleep) leaves a
 * lock taken.
 *
 * Like a registration in Linux, a watch is keyed by open file and descriptor and outlives the descriptor while this
 * process holds a duplicate. Unlike there, a duplicate that only another process holds does not keep it.
 */
#ifndef SD_EPOLL_H
#define SD_EPOLL_H

#include "core/wait.h"

/* Hooks for the life of descriptors and sockets. All are async-signal-safe; none needs a lock of the caller, and none
 * may be called in a child of vfork. */
SD_API void sd_epoll_forget(struct sd_socket *s, int fd); /* fd refers to s no more; s is still there */
SD_API void sd_epoll_closed(int epfd);                    /* before an epoll descriptor (kind EPOLL) closes */
SD_API void sd_epoll_dup(int old_epfd, int new_epfd);     /* after dup of an epoll descriptor */
SD_API void sd_epoll_renumbered(int old_fd, int new_fd);  /* a hidden descriptor moved: adopt it if it is a bell */
SD_API void sd_epoll_mode_changed(struct sd_socket *s); /* after the mode, or what moves over the companion, changed */
SD_API void sd_epoll_news(struct sd_socket *s);         /* readiness changed by our own doing: shutdown, error, gone */
/* This process's descriptors of s refer to the heir now: its watches, too. */
SD_API void sd_epoll_inherit(struct sd_socket *s, struct sd_socket *heir);
SD_API void sd_epoll_fork_prepare(void);       /* outermost of the locks taken over fork */
SD_API void sd_epoll_fork_parent(bool forked); /* false: fork failed */
SD_API void sd_epoll_fork_child(void);

/* --- below: for the files epoll_*.c and poll.c alone --- */

/* Part of a circular list; alone, or not in one, it points at itself. */
struct sd_link {
    struct sd_link *next, *prev;
};

struct sd_group;

/* A socket of ours in a set. Free if set is NULL; addresses are stable, see sd_watch_from. */
struct sd_watch {
    /* one line for what a look at a ready socket asks */
    _Alignas(64) struct sd_link active; /* of set->active or set->arriving: may be ready */
    _Atomic(struct sd_epoll *) set;
    struct sd_socket *sock;
    uint64_t data;   /* the program's */
    uint32_t events; /* the program's */
    int32_t fd;
    bool on_ring;           /* registered by companion; readiness comes from shared memory */
    bool in_kernel;         /* registered in the kernel at all */
    bool bare;              /* on the rings without a ready byte: no bell or no place could be had */
    bool room_wanted;       /* the companion is registered with EPOLLOUT too */
    bool disarmed;          /* one-shot, reported */
    bool orphan;            /* its descriptor is closed, a duplicate lives on: see sd_watch_fd */
    bool parked;            /* taken out of the set by the program, kept for when it comes again; always disarmed too */
    bool forced;            /* news that no stamp shows */
    uint64_t arrived;       /* when its place among the ready ones begins; 0: when its peer had news */
    struct sd_link direct;  /* of set->direct */
    struct sd_link member;  /* of set->watches; a free watch: of the free list */
    struct sd_link fresh;   /* of set->fresh: no fence since it asked for its ready byte */
    struct sd_link timed;   /* of set->timed: its companion is looked at when it is due, or soon */
    struct sd_watch *kin;   /* next watch of the same socket object; guarded by the registry */
    struct sd_watch *twin;  /* next watch of the same slot in the group */
    struct sd_group *group; /* where its ready byte is expected; NULL if it has none */
    uint64_t due_ns;        /* offered or pending: when to look at the companion */
    uint64_t seen_tail, seen_head, seen_state; /* stamp */
    uint32_t round;                            /* of attend_timed that looked at it */
    uint32_t fresh_since;                      /* set->fences then */
    uint16_t slot;
    bool translated; /* not on the rings: registered with its address as data all the same; see epoll_told.c */
    bool quiet;      /* translated, and nothing new has come of it yet: */
    uint64_t told_received, told_sent; /* what the companion may have carried without anything being new */
};

#define SD_SEEN_PEER_ENDED 1u /* in seen_state; the others are epoll_watch.c's */

/* The connections of one side of a slab that a set watches. */
struct sd_group {
    struct sd_group *next;
    struct sd_slab *slab;
    uint32_t side;
    int32_t place;
    uint32_t members;
    uint32_t words;                       /* bit w: slots 8w to 8w + 7 have a watch */
    _Alignas(8) uint8_t wanted[SD_SLOTS]; /* 0xff where there is a watch */
    struct sd_watch *mine[SD_SLOTS];
};

/* What a scan has found: w and its twins. */
struct sd_find {
    union {
        const _Atomic uint64_t *note; /* where it stands when it arrived */
        uint64_t at;                  /* and what that says */
    };
    struct sd_watch *w;
    struct sd_find *next;
};

#define SD_FINDS_FEW 16

struct sd_epoll {
    _Atomic uint32_t held; /* the lock */
    int32_t epfd;          /* one of its descriptors */
    uint32_t refs;         /* descriptors of this process; guarded by the registry */
    struct sd_link sets;   /* of the registry's list */
    struct sd_link watches, active, arriving, direct, timed, fresh;
    uint32_t found_count, found_most;
    struct sd_find *found; /* of a scan, before they are settled; `few`, or memory for more */
    uint32_t fences;       /* announced sleeps */
    uint32_t fenced;       /* of these, how many a fence has followed: a fresh watch older than one is fresh no more */
    uint32_t fresh_count;
    struct sd_group *groups, *spare_groups;
    struct sd_bell bell;      /* fd -1: none yet */
    uint32_t guests;          /* threads inside without the lock; keep it from being reused */
    uint32_t sleepers;        /* of these, the ones that sleep or are about to */
    _Atomic uint32_t on_ring; /* watches that are; written with the lock held */
    uint32_t bare;            /* of these, bare ones: sleep in short steps */
    uint32_t round;
    uint32_t calls;
    uint32_t connects;  /* of this process, when it was last the kernel's turn */
    uint64_t far_ns;    /* when to look at all */
    uint64_t kernel_ns; /* when it was last the kernel's turn */
    _Atomic bool eager; /* the kernel had something when it was last asked, or has not been asked since we slept */
    bool plain;         /* the kernel set may hold what is not ours */
    bool holds_sets;    /* one of these is a set */
    bool nested;        /* in another set or in poll */
    bool poked;         /* nested, and we rang its bell */
    bool stale;         /* inherited over fork, places in slabs are not claimed yet */
    bool closed;
    bool left;                /* other programs or processes have it, too: they do not know our watches */
    bool turned;              /* a watch went over to the kernel's set: ask it again */
    struct sd_socket *behind; /* one that is elsewhere: follow it when no lock is held */
    struct sd_find few[SD_FINDS_FEW];
};

#define sd_container(link, type, part) ((type *)((char *)(link) - offsetof(type, part)))

static inline void sd_link_init(struct sd_link *link)
{
    link->next = link->prev = link;
}

static inline bool sd_link_alone(const struct sd_link *link)
{
    return link->next == link;
}

/* Put `link` before `head`: at the end of the list that begins at head. */
static inline void sd_link_add(struct sd_link *head, struct sd_link *link)
{
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

static inline void sd_link_remove(struct sd_link *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    sd_link_init(link);
}

/* epoll_set.c: locks, sets, the arena of watches. */
SD_API bool sd_epoll_busy(void); /* this thread holds a lock: we are in a signal handler, or called back */
SD_API void sd_registry_take(void);
SD_API void sd_registry_drop(void);
SD_API void sd_set_take(struct sd_epoll *set);
SD_API void sd_set_drop(struct sd_epoll *set);
SD_API struct sd_epoll *sd_set_enter(int epfd);             /* the set, locked; NULL if it is not known */
SD_API void sd_set_leave(struct sd_epoll *set, bool guest); /* unlocks; guest: gives a place as guest back */
SD_API struct sd_epoll *sd_set_make(int epfd, bool plain); /* registry held; NULL: no memory. Finds it if it is there */
SD_API struct sd_watch *sd_watch_new(struct sd_epoll *set, struct sd_socket *s, int fd); /* registry and set held */
SD_API void sd_watch_free(struct sd_watch *w);       /* registry and set held; off the ring before */
SD_API void sd_kin_make_direct(struct sd_socket *s); /* registry held, no set */
SD_API struct sd_watch *sd_watch_find(const struct sd_epoll *set, struct sd_socket *s, int fd); /* registry held */
SD_API bool sd_watch_is_alone(const struct sd_watch *w); /* registry held: no other watch of the same socket */
SD_API struct sd_watch *sd_watch_from(uint64_t data);    /* the watch that kernel data names, or NULL: the program's */
SD_API int sd_watch_fd(const struct sd_watch *w);        /* a descriptor of its socket; -1 if none is left */
SD_API void sd_each_set(void (*act)(struct sd_epoll *set, void *arg),
                        void *arg); /* with the registry and the set held */
SD_API void sd_epoll_untidy(void);  /* asks that whoever drops the last lock bring watches and descriptors in line */

/* epoll_watch.c: what a set knows of its watches; set held throughout. */
SD_API void sd_watch_sync(struct sd_watch *w);       /* follow the socket's mode */
SD_API void sd_watch_to_kernel(struct sd_watch *w);  /* off the rings; the kernel reports it */
SD_API void sd_watch_leave_ring(struct sd_watch *w); /* it closes: out of group and lists, the kernel is not told */
SD_API void sd_watch_activate(struct sd_watch *w, bool forced);
SD_API void sd_watch_asked(struct sd_watch *w); /* the program asks for events: of those that hold it is told anew */
SD_API void sd_watch_look_soon(struct sd_watch *w); /* at its companion, when the set is not held */
SD_API void sd_watch_make_direct(struct sd_watch *w);
SD_API long sd_watch_register(struct sd_watch *w, uint32_t events, uint64_t data); /* in the kernel, anew or changed */
SD_API uint32_t sd_watch_ready(struct sd_watch *w); /* its events that hold and were not reported; takes the news */
SD_API void sd_set_revive(struct sd_epoll *set);    /* a child's first use */
SD_API void sd_set_scan(struct sd_epoll *set, bool thorough);
SD_API void sd_set_fenced(struct sd_epoll *set, uint32_t fences); /* after a fence: a scan drops what was fresh then */
SD_API bool sd_set_any_ready(struct sd_epoll *set);               /* looks at what may be, takes nothing */
SD_API void sd_set_announce(struct sd_epoll *set); /* sets asleep bits; then drop the lock, sd_fence_sleeper, scan */
SD_API void sd_set_retract(struct sd_epoll *set);
SD_API void sd_set_poke(struct sd_epoll *set); /* wake a sleeper, if there is one */

/* epoll_order.c; set held */
SD_API void sd_set_settle(struct sd_epoll *set);        /* what was found becomes active, in the order of arrival */
SD_API void sd_set_find_arriving(struct sd_epoll *set); /* all that arrive are found */
SD_API void sd_set_expect_finds(struct sd_epoll *set);  /* a watch more may be found */

static inline void sd_set_found(struct sd_epoll *set, struct sd_watch *w, const _Atomic uint64_t *note)
{
    if (sd_unlikely(set->found_count == set->found_most))
        sd_set_settle(set);
    struct sd_find *f = &set->found[set->found_count++];
    f->note = note;
    f->w = w;
}

SD_API bool sd_watch_told_ring(const struct sd_watch *w); /* all that the rings show was told, room included */

/* epoll_told.c; set held */
SD_API bool sd_told_all(struct sd_watch *w); /* goes over to the kernel, which shall not tell anew what was told */
SD_API bool sd_told_is_new(struct sd_watch *w, uint32_t events); /* what the kernel reports of a translated watch */

/* Announces for those who sleep, looks once more, and wakes one of them if something is ready. Lets the lock go
 * meanwhile: the caller must hold the registry or be a guest. */
SD_API void sd_set_pass_on(struct sd_epoll *set);

/* epoll_wait.c; set held, and the registry or a place as guest */
SD_API void sd_set_attend_timed(struct sd_epoll *set); /* looks at offered and pending sockets, each once */
SD_API bool sd_set_look_far(struct sd_epoll *set);     /* it was time to look at all, and it did */
SD_API uint64_t sd_set_due(const struct sd_epoll *set, uint64_t least_ns,
                           uint64_t now_ns); /* when again, or least_ns */

/* epoll_nested.c; no lock held */
SD_API void sd_epoll_polled(int epfd); /* is about to be polled, or was put into another set */
SD_API void sd_nested_settle(void);    /* before the kernel is asked about sets */
SD_API uint64_t sd_nested_due(void);   /* until when one may sleep on sets; UINT64_MAX: for ever */

#define SD_COMPANION_EVENTS (EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLET)

/* The further names of POLLIN and POLLOUT. AF_UNIX has one more. */
static inline uint32_t sd_widen(const struct sd_socket *s, uint32_t ready)
{
    ready |= (ready & POLLIN ? (uint32_t)EPOLLRDNORM : 0) | (ready & POLLOUT ? (uint32_t)EPOLLWRNORM : 0);
    return (ready & POLLOUT) && s->family == AF_UNIX ? ready | EPOLLWRBAND : ready;
}

#endif

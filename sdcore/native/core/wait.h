/* Readiness and waiting: what poll, epoll and every blocking call are made of.
 *
 * A call that waits for one connection naps first: a few milliseconds by futex on the attention line itself (ARM_NAP), one
 * system call at each side. Only then comes the deep sleep below, which watches the companion too.
 *
 * A thread that finds nothing ready looks again for a while (spinning, then yielding: the waiter machine), then
 * announces its sleep, passes the asymmetric fence, looks once more, and blocks in the kernel on its doorbell, on the
 * companions of the sockets it waits for, and on whatever kernel descriptors the program named.
 *
 *     sleeper                                   peer
 *     announce (armed, sleepers / asleep)       publish tail (or head)
 *     sd_fence_sleeper()                        compiler fence
 *     look at tail (or head)                    look at armed
 *
 * Either the sleeper sees the new tail or the peer sees the announcement.
 */
#ifndef SD_WAIT_H
#define SD_WAIT_H

#include "core/api.h"
#include "core/sys.h"

/* Events of poll(2) that hold now, of POLLIN POLLOUT POLLPRI POLLERR POLLHUP POLLRDHUP, for a socket in mode RING,
 * OFFERED or PENDING; POLLOUT maybe only if it is wanted, for that needs a line that the peer writes at each receive. Reads shared memory without a token; makes no system call. A pending socket is looked up in the
 * listener's slabs first; it may change its mode to KERNEL: test the mode afterwards. */
SD_API uint32_t sd_readiness_of(struct sd_socket *s, uint32_t wanted);

static inline uint32_t sd_readiness(struct sd_socket *s)
{
    return sd_readiness_of(s, POLLIN | POLLOUT);
}

/* Looks at the companion (one or two system calls) and acts: peer gone, offer expired or refused, pending resolved.
 * May change the mode. Returns the earliest time (sd_now_ns scale) at which it wants to be called again, or
 * UINT64_MAX: offers and pending sockets have a deadline. */
SD_API uint64_t sd_look_at_companion(struct sd_socket *s, int fd);

/* True when the companion should be in the kernel's set while we sleep: with POLLIN | POLLRDHUP. False once it is known
 * to be at its end (it would be ready for ever). */
SD_API bool sd_companion_wanted(const struct sd_socket *s);

/* A doorbell: a datagram socket of ours, hidden, non-blocking. */
struct sd_bell {
    int fd;
    uint32_t name;
};
SD_API long sd_bell_open(struct sd_bell *bell);
SD_API void sd_bell_close(struct sd_bell *bell);
SD_API void sd_bell_drain(const struct sd_bell *bell);
SD_API void sd_bell_ring(uint32_t name);
SD_API struct sd_bell *sd_thread_bell(void); /* this thread's own; NULL if none can be had (then poll in 1 ms steps) */

/* Nobody sleeps longer on a connection without a look: a ring may not reach him. */
SD_API uint64_t sd_sleeper_look_ns(void);

/* Announce and retract the sleep of a thread on one connection, for events (POLLIN, POLLOUT; others are free).
 * sd_arm returns false if all sleeper places are taken: sleep no longer than 1 ms then. */
SD_API bool sd_arm(struct sd_socket *s, uint32_t events, uint32_t bell_name);
SD_API void sd_disarm(struct sd_socket *s, uint32_t events, uint32_t bell_name);

/* The sleeper's side of the asymmetric fence. */
SD_API void sd_fence_sleeper(void);

SD_API bool sd_handlers_restart(void);   /* would Linux start a waiting call again that a signal interrupted? */
SD_API bool sd_handlers_end_first(void); /* has every handler its own signal blocked while it runs? */

/* Sleeps once until one of `events` may hold on this one connection: 0 look again, -EAGAIN the deadline passed (UINT64_MAX:
 * none), -EINTR a signal that interrupts. Arms, looks once more, blocks, disarms. */
SD_API long sd_sleep_on(struct sd_socket *s, int fd, uint32_t events, uint64_t deadline_ns);

/* The peer has news for us or may now have room: called after every publish, inline part in ring.h. */
SD_API void sd_attend(struct sd_socket *s, struct sd_attention *attention, uint32_t armed, bool data);

/* For epoll: which sockets have news.
 * sd_watch_slab claims a doorbell place of our side in the slab (same place for the same name), sets the connection's
 * watch bits for both directions and ARM_WATCHED for data; returns the place or -EMFILE. sd_unwatch clears the
 * connection's bit; sd_leave_slab gives the place back.
 * Room is told of once, and only after sd_watch_room: peers would otherwise wake us for every byte they take. True: armed
 * just now, look for room once more. */
SD_API int sd_watch_slab(struct sd_socket *s, uint32_t bell_name);
SD_API bool sd_watch_room(struct sd_socket *s);
SD_API void sd_unwatch(struct sd_socket *s, int place);
SD_API void sd_leave_slab(struct sd_slab *slab, uint32_t side, int place);
static inline struct sd_side *sd_own_side(struct sd_slab *slab, uint32_t side)
{
    return &slab->side[side]; /* .ready[slot] says of news: cleared by an atomic swap, then look; .asleep: our bits */
}

/* After a ready byte was set, for the sets of one side: those that watch and sleep, a bit for each place. */
static inline uint64_t sd_watchers_asleep(struct sd_side *side, struct sd_attention *attention)
{
    if (sd_unlikely(sd_g.heavy_fence))
        atomic_thread_fence(memory_order_seq_cst);
    else
        sd_compiler_fence(); /* pairs with the membarrier of a set that goes to sleep */
    return sd_load(&side->asleep) & sd_load(&attention->watch);
}

/* There is news on a connection, for the peer's sets that watch it. Those that sleep, as above. `told_at` is the time of the
 * first news that is not taken yet: see epoll_order.c. Whether that is this one is seen without a fence, so a byte that is
 * taken just now may look set: then this news counts as old, and the byte is set all the same. */
static inline uint64_t sd_mark_ready(struct sd_side *side, struct sd_attention *attention, _Atomic uint8_t *ready,
                                     _Atomic uint64_t *told_at)
{
    if (!(sd_load(ready) & SD_READY_NEWS))
        sd_store(told_at, sd_ticks());
    sd_store_release(ready, SD_READY_NEWS); /* pairs with the swap in the epoll scan */
    return sd_watchers_asleep(side, attention);
}

/* The looking phase of one wait, from the waiter machine. */
struct sd_patience {
    struct sd_waiter m;
};
SD_API void sd_patience_start(struct sd_patience *p);
/* Called after a look that found nothing. True: look again. False: announced phase: arm, fence, look, block. */
SD_API bool sd_patience_more(struct sd_patience *p);
/* After arming and a last look in vain: true. After waking: sd_patience_woken, then look again. */
SD_API void sd_patience_woken(struct sd_patience *p);

/* Keep an object from being reused while a slow path works on it without a descriptor's reference. */
SD_API void sd_pin(struct sd_socket *s);
SD_API void sd_unpin(struct sd_socket *s);

#endif

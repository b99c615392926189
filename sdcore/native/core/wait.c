/* Sleeping and being woken: announcements, patience. Theory: wait.h. Doorbells: bell.c. */
#include "core/wait.h"

#include <limits.h>
#include <linux/futex.h>
#include <string.h>

#include "core/blocked.h"
#include "core/buffers.h"
#include "core/control.h"
#include "core/move.h"
#include "core/peer.h"
#include "core/ring.h"
#include "core/thread.h"

#define SPINS             200 /* looks before the first yield, some 4 us: a peer on another core answers within */
#define SPIN_PROBE        512 /* a thread whose spinning never helps (the peer shares its core) tries again so often */
#define YIELDS            80  /* yields before sleeping, while nobody else wants the core: some 50 us */
#define NAP_NS            7300000u /* whoever naps does not watch the companion, which alone tells of a peer's death */
#define YIELDS_CONTENDED  6        /* yields that gave the core to others before we sleep */
#define CALIBRATION_NS    1000000u
#define YIELD_LONG_NS     2000u    /* a yield that took longer let somebody else run */
#define YIELD_LOST_NS     1000000u /* longer still: not to our peer, who answers and waits; who sleeps is run sooner */
#define YIELD_LOST_PAUSE  32 /* times what a lost one took is how long we do without, at most: 3 % are lost then */
#define YIELD_PAUSE_US    1000000u /* and not longer: we may have been stopped */
#define PENDING_NAP_NS    200000u  /* an offer that comes rings no bell */
#define CLAIM_TRIES       128
#define UNPLACED_SLEEP_NS 1000000u /* no place to announce ourselves: look again so soon */

/* --- announcing a sleep on one connection --- */

static bool claim_sleeper(struct sd_attention *attention, uint32_t name)
{
    for (uint32_t i = 0; i < SD_SLEEPERS; i++) {
        uint32_t free = 0;
        if (atomic_compare_exchange_strong(&attention->sleepers[i], &free, name)) {
            atomic_fetch_or(&attention->armed, SD_ARM_SLEEPER);
            return true;
        }
    }
    return false;
}

static void release_sleeper(struct sd_attention *attention, uint32_t name)
{
    for (uint32_t i = 0; i < SD_SLEEPERS; i++) {
        uint32_t mine = name;
        if (atomic_compare_exchange_strong(&attention->sleepers[i], &mine, 0))
            return;
    }
}

bool sd_arm(struct sd_socket *s, uint32_t events, uint32_t bell_name)
{
    bool armed = true;
    if (!s->slot)
        return true; /* pending: nothing in shared memory yet; the companion and the deadline wake us */
    if (events & (POLLIN | POLLRDHUP))
        armed = claim_sleeper(&s->rx.dir->data_wait, bell_name);
    if (events & POLLOUT)
        armed = claim_sleeper(&s->tx.dir->room_wait, bell_name) && armed;
    return armed;
}

void sd_disarm(struct sd_socket *s, uint32_t events, uint32_t bell_name)
{
    if (!s->slot)
        return;
    if (events & (POLLIN | POLLRDHUP))
        release_sleeper(&s->rx.dir->data_wait, bell_name);
    if (events & POLLOUT)
        release_sleeper(&s->tx.dir->room_wait, bell_name);
}

void sd_fence_sleeper(void)
{
    if (sd_g.no_membarrier)
        atomic_thread_fence(memory_order_seq_cst); /* the peer fences too: the slab says heavy_fence */
    else
        sd_sys_membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED); /* pairs with the compiler fence in sd_notify */
}

/* --- sleeping on one connection --- */

#define SIGNALS 64
/* Raised by an instruction, not by somebody else: no call waits meanwhile. */
#define FAULTS (1ull << SIGSEGV | 1ull << SIGBUS | 1ull << SIGFPE | 1ull << SIGILL | 1ull << SIGTRAP | 1ull << SIGSYS)

/* Whether of these flags every handler of the program has just `wanted`. */
static bool all_handlers_have(unsigned long flags, unsigned long wanted)
{
    struct {
        void *handler;
        unsigned long flags;
        void *restorer;
        uint64_t mask;
    } action;
    for (int sig = 1; sig <= SIGNALS; sig++)
        if (!(FAULTS >> (sig % 64) & 1) && sd_syscall(SYS_rt_sigaction, sig, NULL, &action, 8, 0, 0) == 0 &&
            (uintptr_t)action.handler > 1 && (action.flags & flags) != wanted)
            return false;
    return true;
}

/* A signal arrived: would Linux restart a call that waits here? poll does not say which signal it was, so only if every
 * handler of the program was installed with SA_RESTART. */
bool sd_handlers_restart(void)
{
    return all_handlers_have(SA_RESTART, SA_RESTART);
}

bool sd_handlers_end_first(void)
{
    return all_handlers_have(SA_NODEFER, 0);
}

/* Until when to sleep: the call's deadline or the offer's, whichever is first. False if it has passed. */
static bool sleep_time(uint64_t until, bool placed, struct timespec *t)
{
    uint64_t now = sd_now_ns();
    if (!placed)
        until = sd_min_u64(until, now + UNPLACED_SLEEP_NS);
    uint64_t left = until > now ? until - now : 0;
    t->tv_sec = (time_t)(left / 1000000000u);
    t->tv_nsec = (long)(left % 1000000000u);
    return left > 0;
}

enum { TIME = 0, BELL = 1, COMPANION = 2 };

/* Which of them ended it, or -errno. */
static long block(struct sd_socket *s, int fd, uint32_t events, const struct sd_bell *bell, uint64_t until, bool placed)
{
    struct pollfd fds[2] = {{.fd = bell ? bell->fd : -1, .events = POLLIN},
                            {.fd = sd_companion_wanted(s) ? fd : -1, .events = sd_move_interest(s, events)}};
    struct timespec t;
    bool ever = until == UINT64_MAX && placed;
    if (!ever && !sleep_time(until, placed, &t))
        return 0;
    long r = sd_sys_ppoll(fds, 2, ever ? NULL : &t, NULL);
    if (r > 0 && fds[0].revents)
        sd_bell_drain(bell);
    return r <= 0 ? r : fds[1].revents ? COMPANION : BELL;
}

/* An interrupted sleep: does the call go on? */
static long interrupted(uint64_t deadline_ns)
{
    return deadline_ns == UINT64_MAX && !sd_load(&sd_g.cancels) && sd_handlers_restart() ? 0 : -EINTR;
}

static long in_time(uint64_t deadline_ns)
{
    return deadline_ns != UINT64_MAX && sd_now_ns() >= deadline_ns ? -EAGAIN : 0;
}

/* Sleeps for a short time on the word that the peer looks at after each publish. A fraction of what a sleep on a doorbell
 * costs at both ends. 0: look again; -ETIMEDOUT: nobody came, or this socket cannot: sleep as deep as it takes. */
static long nap(struct sd_socket *s, uint32_t events, uint64_t deadline_ns)
{
    if (sd_load(&s->mode) != SD_MODE_RING || sd_move_uses_companion(s) || sd_move_resends(s))
        return -ETIMEDOUT;
    _Atomic uint32_t *armed = events & POLLIN ? &s->rx.dir->data_wait.armed : &s->tx.dir->room_wait.armed;
    struct timespec t = {.tv_nsec = NAP_NS};
    if (deadline_ns != UINT64_MAX && !sleep_time(sd_min_u64(deadline_ns, sd_now_ns() + NAP_NS), true, &t))
        return 0;
    uint32_t word = atomic_fetch_or(armed, SD_ARM_NAP) | SD_ARM_NAP;
    sd_fence_sleeper();
    if ((sd_readiness_of(s, events) & (events | POLLERR | POLLHUP)) || sd_load(&s->mode) != SD_MODE_RING)
        return 0;
    long r = sd_syscall(SYS_futex, armed, FUTEX_WAIT, word, &t, NULL, 0);
    return r == -EINTR || r == -ETIMEDOUT ? r : 0;
}

static long sleep_deep(struct sd_socket *s, int fd, uint32_t events, uint64_t deadline_ns);

long sd_sleep_on(struct sd_socket *s, int fd, uint32_t events, uint64_t deadline_ns)
{
    sd_control_look();
    long r = nap(s, events, deadline_ns);
    if (r == -EINTR)
        return interrupted(deadline_ns);
    if (r == 0 || in_time(deadline_ns) < 0)
        return in_time(deadline_ns);
    return sleep_deep(s, fd, events, deadline_ns);
}

uint64_t sd_sleeper_look_ns(void)
{
    return sd_unlikely(sd_asks_elsewhere()) ? SD_ELSEWHERE_LOOK_NS : SD_SLEEPER_LOOK_NS;
}

static bool nothing_came(struct sd_socket *s, uint32_t events)
{
    return !(sd_readiness_of(s, events) & (events | POLLERR | POLLHUP)) && sd_load(&s->mode) != SD_MODE_KERNEL;
}

/* A sleeper on a ring that only its two ends use looks each SD_SLEEPER_LOOK_NS and sleeps on: but for a ring that did not reach
 * it, nothing can have come. */
static long sleep_deep(struct sd_socket *s, int fd, uint32_t events, uint64_t deadline_ns)
{
    struct sd_bell *bell = sd_thread_bell();
    struct sd_slot *slot = s->slot; /* a pending socket gets one while we sleep: disarm what we armed */
    bool placed = bell && slot && sd_arm(s, events, bell->name);
    sd_fence_sleeper();
    uint64_t look_ns = sd_look_at_companion(s, fd = sd_call_fd(s, fd));
    if (sd_load(&s->mode) == SD_MODE_PENDING)
        look_ns = sd_now_ns() + PENDING_NAP_NS;
    bool on_ring = placed && look_ns == UINT64_MAX && !sd_slab_shared(s->slab);
    long r = 0;
    while (nothing_came(s, events)) {
        if (slot)
            look_ns = sd_min_u64(look_ns, sd_now_ns() + sd_sleeper_look_ns());
        r = block(s, fd, events, bell, sd_min_u64(deadline_ns, look_ns), placed);
        if (r != TIME || !on_ring || in_time(deadline_ns) < 0) /* who rang took our announcement away */
            break;
        look_ns = UINT64_MAX;
        fd = sd_call_fd(s, fd);
    }
    if (bell && slot && s->slot == slot)
        sd_disarm(s, events, bell->name);
    if (r == -EINTR)
        return interrupted(deadline_ns);
    if (r == COMPANION)
        sd_look_at_companion(s, sd_call_fd(s, fd));
    return in_time(deadline_ns);
}

/* --- waking the peer --- */

static void ring_bells(struct sd_side *side, uint64_t wake)
{
    while (sd_unlikely(wake)) {
        unsigned place = (unsigned)__builtin_ctzll(wake);
        uint64_t bit = 1ull << place;
        wake &= ~bit;
        if (atomic_fetch_and(&side->asleep, ~bit) & bit)
            sd_bell_ring(sd_load(&side->doorbell[place]));
    }
}

/* The peer's sets that watch a connection: there is news. */
static void tell_watchers(struct sd_socket *s, struct sd_attention *attention)
{
    ring_bells(s->peer_side, sd_mark_ready(s->peer_side, attention, s->peer_ready, &s->tx.dir->p.told_at));
}

/* The sets of one side that watch a connection shall look, though nothing came: that is no arrival. */
static void make_watchers_look(struct sd_side *side, struct sd_attention *attention, _Atomic uint8_t *ready)
{
    atomic_fetch_or(ready, SD_READY_LOOK); /* pairs with the swap in the epoll scan */
    ring_bells(side, sd_watchers_asleep(side, attention));
}

static void ring_sleepers(struct sd_attention *attention)
{
    /* before the exchange: a later sleeper sets it anew */
    if (atomic_fetch_and(&attention->armed, ~(uint32_t)(SD_ARM_SLEEPER | SD_ARM_NAP)) & SD_ARM_NAP)
        sd_syscall(SYS_futex, &attention->armed, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    for (uint32_t i = 0; i < SD_SLEEPERS; i++) {
        if (!sd_load(&attention->sleepers[i]))
            continue;
        uint32_t name = atomic_exchange(&attention->sleepers[i], 0);
        if (name)
            sd_bell_ring(name);
    }
}

void sd_wake_own_sleepers(struct sd_socket *s)
{
    ring_sleepers(&s->rx.dir->data_wait);
    ring_sleepers(&s->tx.dir->room_wait);
}

void sd_wake_own_watchers(struct sd_socket *s)
{
    struct sd_side *own = sd_own_side(s->slab, s->rec.side);
    make_watchers_look(own, &s->rx.dir->data_wait, &own->ready[s->rec.slot]);
}

void sd_wake_all(struct sd_socket *s)
{
    atomic_thread_fence(memory_order_seq_cst); /* what they shall see is visible before we look for announcements */
    struct sd_attention *lines[4] = {&s->rx.dir->data_wait, &s->tx.dir->room_wait, &s->tx.dir->data_wait,
                                     &s->rx.dir->room_wait};
    for (int i = 0; i < 4; i++)
        if (sd_load(&lines[i]->armed) & SD_ARM_SLEEPER)
            ring_sleepers(lines[i]);
    sd_wake_own_watchers(s);
    make_watchers_look(s->peer_side, &s->tx.dir->data_wait, s->peer_ready);
}

/* Waking a producer for every few bytes of room would cost a switch each: wait until it may write. */
static bool room_is_worth_telling(const struct sd_socket *s)
{
    uint64_t window = sd_load(&s->rx.dir->p.window);
    window = window && window < SD_RING_BYTES ? window : SD_RING_BYTES;
    return s->rx.tail_seen - s->rx.head <= sd_writable_up_to(window);
}

void sd_attend(struct sd_socket *s, struct sd_attention *attention, uint32_t armed, bool data)
{
    if (data || room_is_worth_telling(s)) {
        if ((armed & SD_ARM_WATCHED) && attention == &s->rx.dir->room_wait)
            atomic_fetch_and(&attention->armed, ~(uint32_t)SD_ARM_WATCHED); /* once; first, for who arms anew */
        if (armed & SD_ARM_WATCHED)
            tell_watchers(s, attention);
        if (armed & (SD_ARM_SLEEPER | SD_ARM_NAP))
            ring_sleepers(attention);
    }
    if (sd_unlikely(armed & (SD_ARM_POKE | SD_ARM_ASKS)))
        sd_peer_calls(s, attention, armed);
}

/* --- epoll's part of the slab --- */

static int find_place(struct sd_side *side, uint32_t bell_name)
{
    uint64_t claimed = atomic_load(&side->claimed);
    for (uint32_t place = 0; place < SD_DOORBELLS; place++)
        if ((claimed & (1ull << place)) && sd_load(&side->doorbell[place]) == bell_name)
            return (int)place;
    return -1;
}

/* A peer that keeps changing the word gains nothing by it. */
static int claim_place(struct sd_side *side, uint32_t bell_name)
{
    uint64_t claimed = atomic_load(&side->claimed);
    for (int tries = 0; ~claimed && tries < CLAIM_TRIES; tries++) {
        int place = __builtin_ctzll(~claimed);
        if (atomic_compare_exchange_strong(&side->claimed, &claimed, claimed | (1ull << place))) {
            sd_store_release(&side->doorbell[place], bell_name);
            return place;
        }
    }
    return -EMFILE;
}

int sd_watch_slab(struct sd_socket *s, uint32_t bell_name)
{
    struct sd_side *side = sd_own_side(s->slab, s->rec.side);
    int place = find_place(side, bell_name);
    if (place < 0)
        place = claim_place(side, bell_name);
    if (place < 0)
        return place;
    atomic_fetch_or(&s->rx.dir->data_wait.watch, 1ull << place);
    atomic_fetch_or(&s->rx.dir->data_wait.armed, SD_ARM_WATCHED);
    atomic_fetch_or(&s->tx.dir->room_wait.watch, 1ull << place); /* armed when room is wanted: sd_watch_room */
    return place;
}

bool sd_watch_room(struct sd_socket *s)
{
    struct sd_attention *line = &s->tx.dir->room_wait;
    if (!sd_load(&line->watch) || (sd_load(&line->armed) & SD_ARM_WATCHED))
        return false;
    atomic_fetch_or(&line->armed, SD_ARM_WATCHED);
    sd_fence_sleeper(); /* pairs with the fence in sd_notify: the peer sees this, or we see its head */
    return true;
}

/* Another set began to watch while we believed that the last one had left, and we took its mark away. What the peer did
 * meanwhile rang no bell: look for it. */
static void rewatch(struct sd_socket *s, struct sd_attention *line)
{
    atomic_fetch_or(&line->armed, SD_ARM_WATCHED);
    sd_fence_sleeper(); /* pairs with the fence in sd_notify: the peer sees the mark, or the sets see its tail */
    struct sd_side *own = sd_own_side(s->slab, s->rec.side);
    make_watchers_look(own, line, &own->ready[s->rec.slot]);
}

void sd_unwatch(struct sd_socket *s, int place)
{
    struct sd_attention *lines[2] = {&s->rx.dir->data_wait, &s->tx.dir->room_wait};
    for (int i = 0; i < 2; i++) {
        if (atomic_fetch_and(&lines[i]->watch, ~(1ull << place)) & ~(1ull << place))
            continue;
        atomic_fetch_and(&lines[i]->armed, ~(uint32_t)SD_ARM_WATCHED);
        if (sd_unlikely(sd_load(&lines[i]->watch)))
            rewatch(s, lines[i]);
    }
}

void sd_leave_slab(struct sd_slab *slab, uint32_t side, int place)
{
    struct sd_side *own = sd_own_side(slab, side);
    sd_store(&own->doorbell[place], 0);
    atomic_fetch_and(&own->asleep, ~(1ull << place));
    atomic_fetch_and(&own->claimed, ~(1ull << place));
}

/* --- patience --- */

/* Spin only where spinning has helped of late: it is lost time when the peer needs our core to answer. */
static uint32_t adapted_spins(struct sd_thread *self)
{
    if (!self || sd_g.cpus < 2)
        return 0;
    self->spins = self->spin_failed ? self->spins / 2 : SPINS;
    self->spin_failed = false;
    if (self->spins == 0 && ++self->spin_probe % SPIN_PROBE)
        self->spin_failed = true; /* stays at nought */
    else if (self->spins == 0)
        return SPINS;
    return self->spins;
}

/* A yield gives the core away for a whole slice where others have work of their own. Who sleeps instead is run as soon as
 * he is woken: then do that, and try a yield again after a time that makes the lost one small. */
static __thread struct {
    uint64_t ends;  /* in ticks; 0: no pause */
    uint32_t times; /* what the last lost one took */
} lost __attribute__((tls_model("initial-exec")));

static uint32_t adapted_yields(void)
{
    if (sd_likely(!lost.ends))
        return YIELDS;
    if ((int64_t)(sd_ticks() - lost.ends) < 0)
        return 0;
    lost.ends = 0;
    return YIELDS;
}

/* Who loses one now and then, among others that wait as we do, is served best by trying again soon; who loses each, beside
 * programs with work of their own, by trying seldom. */
static void yield_was_lost(uint64_t cost, uint64_t ticks_of_us)
{
    lost.times = lost.times ? (uint32_t)sd_min_u64(2u * lost.times, YIELD_LOST_PAUSE) : 1;
    lost.ends = (sd_ticks() + sd_min_u64(cost * lost.times, YIELD_PAUSE_US * ticks_of_us)) | 1;
}

void sd_patience_start(struct sd_patience *p)
{
    sd_waiter_start(&p->m);
    p->m.spins_left = adapted_spins(sd_thread_attach());
    p->m.yields_left = adapted_yields();
}

/* Ticks of a microsecond, measured once over at least a millisecond; 0 until then. */
static uint64_t ticks_per_us(void)
{
    static _Atomic uint64_t known, first_ticks, first_ns;
    uint64_t rate = sd_load(&known);
    if (sd_likely(rate))
        return rate;
    uint64_t now_ns = sd_now_ns(), now = sd_ticks(), begun_ns = sd_load(&first_ns);
    if (!begun_ns) {
        sd_store(&first_ticks, now);
        sd_store(&first_ns, now_ns);
    } else if (now_ns - begun_ns > CALIBRATION_NS) {
        sd_store(&known, (now - sd_load(&first_ticks)) * 1000 / (now_ns - begun_ns) + 1);
    }
    return 0;
}

static void yield_once(struct sd_patience *p)
{
    uint64_t rate = ticks_per_us(), before = sd_ticks();
    sd_sys_yield();
    if (!rate)
        return;
    uint64_t cost = sd_ticks() - before;
    uint64_t scaled = cost * 1000; /* to compare with ns times ticks of a us: a division takes longer than the rest */
    if (sd_likely(scaled <= YIELD_LONG_NS * rate)) {
        lost.times /= 2;
        return;
    }
    uint64_t most = YIELDS_CONTENDED;
    if (scaled > YIELD_LOST_NS * rate) {
        most = 0;
        yield_was_lost(cost, rate);
    }
    sd_waiter_step(&p->m, SD_WAITER_EV_CONTENDED, sd_min_u64(p->m.yields_left, most));
}

bool sd_patience_more(struct sd_patience *p)
{
    uint32_t effects = sd_waiter_step(&p->m, SD_WAITER_EV_EMPTY, 0);
    switch (effects & 0xff) {
    case SD_WAITER_DO_PAUSE: sd_cpu_pause(); return true;
    case SD_WAITER_DO_YIELD:
        if (sd_has_slot())
            sd_self->spin_failed = true;
        yield_once(p);
        return true;
    default: /* ANNOUNCE, FENCE, LOOK: the caller knows what it waits for */
        if (sd_has_slot())
            sd_self->spin_failed = true;
        return false;
    }
}

void sd_patience_woken(struct sd_patience *p)
{
    sd_waiter_step(&p->m, SD_WAITER_EV_EMPTY, 0);
    sd_waiter_step(&p->m, SD_WAITER_EV_WOKEN, 0);
}

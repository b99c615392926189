/* epoll_wait: ready bytes and the kernel's set in turns, then patience, then sleep. Theory: epoll.h.
 *
 * While there is news in shared memory the kernel is asked only now and then, so that its descriptors get their share
 * and companions are not forgotten: first, when it was not asked for some time or some calls; after our own sockets, in
 * what room is left, as long as it has something each time, and once after every sleep. So a program whose sockets are
 * busy makes no system call here, and one that is told of a few events now and then is told of all kinds at once.
 * After a connect of this process it is the kernel's turn, too: a program that serves itself has its listener reported
 * before, or together with, the connection that waits there.
 */
#include "core/epoll.h"

#include <limits.h>

#include "core/follow.h"
#include "core/move.h"

#include "core/control.h"
#include "core/peer.h"

enum {
    CALLS_PER_KERNEL_LOOK = 32,
    CALLS_PER_CLOCK = 4,
    PLAIN_DUE_NS = 100000,       /* what kernel descriptors wait at most while sockets of ours keep us busy */
    COMPANION_DUE_NS = 20000000, /* a companion tells only of the end */
    PATIENCE_NS = 150000,        /* many sockets make a look slow: the waiter machine counts looks, not time */
    PROBE_NS = 15000,            /* in patience: between looks at the kernel */
    LOOKS_PER_CLOCK = 8,
    BARE_NAP_NS = 1000000,
    PENDING_NAP_NS = 200000, /* an offer that comes rings no bell */
};

/* One call of epoll_wait. */
struct wait {
    struct sd_epoll *set;
    struct epoll_event *events;
    const sigset_t *mask;
    uint64_t deadline_ns; /* UINT64_MAX: none */
    int epfd;
    int max;
    bool rang; /* we took the bell from other sleepers */
};

/* --- the active list; set held --- */

static bool take_one(struct sd_watch *w, struct epoll_event *event)
{
    sd_link_remove(&w->active);
    uint32_t ready = sd_watch_ready(w);
    if (!ready)
        return false;
    event->events = ready;
    event->data.u64 = w->data;
    if (w->events & EPOLLONESHOT)
        w->disarmed = true;
    else if (!(w->events & EPOLLET))
        sd_link_add(&sd_load(&w->set)->active, &w->active); /* ready until the program made it otherwise */
    return true;
}

/* Each watch once at most; what is level-triggered goes to the end, so that a small `max` starves nobody. */
static int take_ready(struct sd_epoll *set, struct epoll_event *events, int max)
{
    int n = 0;
    struct sd_link *last = set->active.prev;
    struct sd_link *at = set->active.next;
    while (at != &set->active && n < max) {
        struct sd_watch *w = sd_container(at, struct sd_watch, active);
        bool end = at == last;
        n += take_one(w, &events[n]);
        if (end)
            break;
        at = set->active.next;
    }
    return n;
}

static int look_ring(struct wait *wait, int n, bool thorough)
{
    struct sd_epoll *set = wait->set;
    sd_set_take(set);
    sd_set_scan(set, thorough);
    int got = take_ready(set, wait->events + n, wait->max - n);
    struct sd_socket *behind = set->behind;
    set->behind = NULL;
    sd_set_drop(set);
    if (sd_unlikely(behind))
        sd_follow_if_elsewhere(behind);
    return n + got;
}

/* --- companions --- */

/* Looks at the companion of w without the lock. False if w is not what it was any more. Set held before and after. */
static bool look_at(struct sd_epoll *set, struct sd_watch *w, uint64_t now_ns)
{
    struct sd_socket *s = w->sock;
    int key = w->fd, fd = sd_watch_fd(w);
    uint32_t mode = sd_load(&s->mode);
    uint64_t due_ns = w->due_ns;
    sd_pin(s);
    sd_set_drop(set);
    if (mode == SD_MODE_PENDING)
        sd_readiness(s); /* looks for the offer */
    if (now_ns >= due_ns)
        due_ns = sd_look_at_companion(s, fd);
    sd_set_take(set);
    bool same = sd_load(&w->set) == set && w->sock == s && w->fd == key && w->on_ring;
    if (same) {
        w->due_ns = due_ns;
        if (sd_load(&s->mode) != mode)
            sd_watch_sync(w);
    }
    sd_unpin(s);
    return same;
}

static void companion_event(struct sd_epoll *set, struct sd_watch *w)
{
    sd_set_take(set);
    if (sd_load(&w->set) == set && w->on_ring && look_at(set, w, UINT64_MAX) && w->on_ring)
        sd_watch_activate(w, sd_move_uses_companion(w->sock)); /* what the end tells, the stamp knows */
    sd_set_drop(set);
}

void sd_set_attend_timed(struct sd_epoll *set)
{
    uint32_t round = ++set->round;
    uint64_t now_ns = sd_link_alone(&set->timed) ? 0 : sd_now_ns();
    while (!sd_link_alone(&set->timed)) {
        struct sd_watch *w = sd_container(set->timed.next, struct sd_watch, timed);
        if (w->round == round)
            break;
        w->round = round;
        sd_link_remove(&w->timed);
        sd_link_add(&set->timed, &w->timed);
        if (look_at(set, w, now_ns) && sd_load(&w->sock->mode) == SD_MODE_RING)
            sd_link_remove(&w->timed); /* it was there for a death only */
    }
}

/* Whoever shares a connection with us, or with the peer, may have died before it told us what it did; and a ring may not
 * have reached us: look at all. */
static void look_far(struct sd_epoll *set)
{
    for (struct sd_link *at = set->watches.next; at != &set->watches; at = at->next) {
        struct sd_watch *w = sd_container(at, struct sd_watch, member);
        if (!w->group)
            continue;
        sd_watch_activate(w, false);
        if (sd_unlikely(sd_slab_shared(w->group->slab) && sd_peer_died_inside(w->sock)))
            sd_watch_look_soon(w);
    }
}

bool sd_set_look_far(struct sd_epoll *set)
{
    if (!set->groups)
        return false;
    uint64_t now_ns = sd_now_ns();
    if (now_ns < set->far_ns)
        return false;
    set->far_ns = now_ns + sd_sleeper_look_ns();
    look_far(set);
    return true;
}

/* --- the kernel's set --- */

/* Rounds a time that the kernel cannot take in nanoseconds up to milliseconds. */
static long kernel_wait(const struct wait *wait, int n, int64_t timeout_ns, const sigset_t *mask)
{
    static _Atomic bool coarse; /* no epoll_pwait2 here */
    struct epoll_event *events = wait->events + n;
    int max = wait->max - n;
    if (timeout_ns > 0 && !sd_load(&coarse)) {
        struct timespec t = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
        long r = sd_syscall(SYS_epoll_pwait2, wait->epfd, events, max, &t, mask, 8);
        if (r != -ENOSYS && r != -EPERM)
            return r;
        sd_store(&coarse, true);
    }
    int64_t ms = timeout_ns <= 0 ? timeout_ns : (timeout_ns + 999999) / 1000000;
    return sd_sys_epoll_pwait(wait->epfd, events, max, ms < 0 ? -1 : ms > INT_MAX ? INT_MAX : (int)ms, mask);
}

static void take_bell(struct wait *wait)
{
    sd_set_take(wait->set);
    struct sd_bell bell = wait->set->bell;
    wait->set->poked = false;
    sd_set_drop(wait->set);
    wait->rang = true;
    if (bell.fd >= 0)
        sd_bell_drain(&bell);
}

/* An event that names a watch: the program's is put to *kept, if there is anything new in it; else the companion's. */
static int watch_event(struct sd_epoll *set, struct sd_watch *w, uint32_t events, struct epoll_event *kept)
{
    sd_set_take(set);
    bool programs = sd_load(&w->set) == set && !w->on_ring && w->translated;
    bool told = programs && sd_told_is_new(w, events);
    if (told)
        *kept = (struct epoll_event){.events = events, .data.u64 = w->data};
    sd_set_drop(set);
    if (!programs)
        companion_event(set, w);
    return told;
}

/* Keeps what is the program's of n events at `events`, acts on the rest. */
static int sort_out(struct wait *wait, struct epoll_event *events, int n)
{
    int kept = 0;
    for (int i = 0; i < n; i++) {
        struct sd_watch *w;
        if (events[i].data.u64 == (uintptr_t)wait->set) {
            take_bell(wait);
        } else if ((w = sd_watch_from(events[i].data.u64))) {
            kept += watch_event(wait->set, w, events[i].events, &events[kept]);
        } else {
            events[kept++] = events[i];
        }
    }
    return kept;
}

/* Events from the kernel after the n that are there; -errno only if n is 0. */
static int look_kernel(struct wait *wait, int n, int64_t timeout_ns, const sigset_t *mask)
{
    if (n == wait->max)
        return n;
    long r = kernel_wait(wait, n, timeout_ns, mask);
    if (r < 0)
        return n ? n : (int)r;
    int kept = sort_out(wait, wait->events + n, (int)r);
    sd_store(&wait->set->eager,
             kept && n + kept < wait->max); /* if they fill it, sockets of ours shall have their turn */
    return n + kept;
}

/* A watch went over to the kernel's set, which was asked before. */
static bool has_turned(struct sd_epoll *set)
{
    sd_set_take(set);
    bool turned = set->turned;
    set->turned = false;
    sd_set_drop(set);
    return turned;
}

/* Everything once, without waiting. The kernel goes first: it is asked less often. */
static int look_all(struct wait *wait)
{
    sd_set_take(wait->set);
    sd_set_look_far(wait->set);
    sd_set_attend_timed(wait->set);
    sd_set_drop(wait->set);
    if (sd_unlikely(wait->set->holds_sets))
        sd_nested_settle();
    int n = look_kernel(wait, 0, 0, NULL);
    if (n >= 0)
        n = look_ring(wait, n, true);
    return sd_unlikely(n == 0 && has_turned(wait->set)) ? look_kernel(wait, 0, 0, NULL) : n;
}

/* --- waiting --- */

static int look_patiently(struct wait *wait)
{
    struct sd_patience patience;
    uint64_t start_ns = sd_now_ns(), probed_ns = start_ns;
    uint32_t looks = 0;
    sd_patience_start(&patience);
    while (sd_patience_more(&patience)) {
        int n = look_ring(wait, 0, false);
        if (n)
            return n;
        if (++looks % LOOKS_PER_CLOCK)
            continue;
        uint64_t now_ns = sd_now_ns();
        if (now_ns >= wait->deadline_ns || now_ns - start_ns > PATIENCE_NS)
            return 0;
        if (now_ns - probed_ns < PROBE_NS)
            continue;
        probed_ns = now_ns;
        n = look_all(wait);
        if (n)
            return n;
    }
    return 0;
}

uint64_t sd_set_due(const struct sd_epoll *set, uint64_t least_ns, uint64_t now_ns)
{
    if (set->bare)
        least_ns = sd_min_u64(least_ns, now_ns + BARE_NAP_NS);
    if (set->groups)
        least_ns = sd_min_u64(least_ns, set->far_ns);
    for (struct sd_link *at = set->timed.next; at != &set->timed; at = at->next) {
        struct sd_watch *w = sd_container(at, struct sd_watch, timed);
        uint64_t due_ns = sd_load(&w->sock->mode) == SD_MODE_PENDING ? now_ns + PENDING_NAP_NS : w->due_ns;
        least_ns = sd_min_u64(least_ns, due_ns);
    }
    return least_ns;
}

static int64_t time_left(uint64_t until_ns, uint64_t now_ns)
{
    if (until_ns == UINT64_MAX)
        return -1;
    return until_ns <= now_ns ? 0 : (int64_t)(until_ns - now_ns);
}

/* Announces; returns how long to sleep, in nanoseconds, -1 for ever. */
static int64_t fall_asleep(struct wait *wait, uint32_t *fences)
{
    struct sd_epoll *set = wait->set;
    sd_control_look();
    uint64_t now_ns = sd_now_ns();
    sd_set_take(set);
    set->sleepers++;
    *fences = ++set->fences;
    bool on_ring = set->on_ring;
    sd_set_announce(set);
    uint64_t until_ns = sd_set_due(set, wait->deadline_ns, now_ns);
    bool holds_sets = set->holds_sets;
    sd_set_drop(set);
    if (sd_unlikely(holds_sets))
        until_ns = sd_min_u64(until_ns, sd_nested_due());
    if (on_ring)
        sd_fence_sleeper(); /* pairs with the compiler fence between publishing and reading asleep */
    return time_left(until_ns, now_ns);
}

static void awake(struct sd_epoll *set)
{
    sd_set_take(set);
    if (set->sleepers)
        set->sleepers--;
    if (!set->sleepers && !set->nested)
        sd_set_retract(set);
    sd_set_drop(set);
}

static int sleep_once(struct wait *wait)
{
    uint32_t fences;
    int64_t left_ns = fall_asleep(wait, &fences);
    sd_set_take(wait->set);
    sd_set_fenced(wait->set, fences);
    sd_set_drop(wait->set);
    int n = look_ring(wait, 0, true);
    if (n > 0) { /* looking again would report them twice */
        awake(wait->set);
        return n;
    }
    n = look_kernel(wait, 0, left_ns, wait->mask);
    sd_store(&wait->set->eager, wait->set->plain);
    awake(wait->set);
    if (n >= 0)
        return look_ring(wait, n, true);
    if (n != -EINTR)
        return n;
    int found = look_ring(wait, 0, true);
    return found ? found : n;
}

static bool set_closed(struct sd_epoll *set)
{
    sd_set_take(set);
    bool closed = set->closed;
    sd_set_drop(set);
    return closed;
}

/* A look at the kernel costs more than many at shared memory: with sockets of ours in the set it comes after patience,
 * which asks the kernel only now and then. */
static int wait_long(struct wait *wait)
{
    for (bool slept = false;; slept = true) { /* a sleep that brought nothing was for a look */
        int n = wait->set->on_ring && wait->deadline_ns && !slept ? look_patiently(wait) : 0;
        if (n)
            return n;
        n = look_all(wait);
        if (n || (wait->deadline_ns != UINT64_MAX && sd_now_ns() >= wait->deadline_ns))
            return n;
        n = sleep_once(wait);
        if (n)
            return n;
        if (set_closed(wait->set))
            return -EBADF;
    }
}

/* --- the call --- */

/* Is it the kernel's turn to be asked first? Set held. */
static bool kernel_due(struct sd_epoll *set)
{
    uint32_t calls = ++set->calls, connects = sd_load(&sd_g.connects);
    bool connected = set->plain && connects != set->connects;
    set->connects = connects;
    if (connected)
        return true;
    if (calls % CALLS_PER_CLOCK)
        return false;
    uint64_t now_ns = sd_now_ns();
    bool counted = set->plain && calls % CALLS_PER_KERNEL_LOOK == 0;
    if (!counted && now_ns - set->kernel_ns < (set->plain ? PLAIN_DUE_NS : COMPANION_DUE_NS))
        return false;
    set->kernel_ns = now_ns;
    return true;
}

/* Leaves the set; what is left goes to those who sleep. Set held. */
static void finish(struct wait *wait, bool guest)
{
    struct sd_epoll *set = wait->set;
    if (sd_unlikely(set->nested || (set->sleepers && wait->rang))) {
        set->guests += !guest;
        guest = true;
        sd_set_pass_on(set);
    } else if (sd_unlikely(set->sleepers) && sd_set_any_ready(set)) {
        sd_set_poke(set);
    }
    sd_set_leave(set, guest);
}

/* Nothing is known to be ready. `due`: shared memory was not looked at, the kernel goes first. */
static int wait_after(struct wait *wait, bool due, int64_t timeout_ns)
{
    if (timeout_ns >= 0)
        wait->deadline_ns = timeout_ns == 0 ? 0 : sd_now_ns() + (uint64_t)timeout_ns;
    int n = due ? look_all(wait) : 0;
    return n ? n : wait_long(wait);
}

/* Set held; not after. */
static int wait_in(struct wait *wait, int64_t timeout_ns)
{
    struct sd_epoll *set = wait->set;
    if (sd_unlikely(set->stale))
        sd_set_revive(set);
    bool due = set->on_ring && kernel_due(set);
    int n = 0;
    if (sd_likely(set->on_ring && !due)) {
        sd_set_scan(set, false);
        n = take_ready(set, wait->events, wait->max);
        if (sd_likely(n && !sd_load(&set->eager))) {
            finish(wait, false);
            return n;
        }
    }
    set->guests++;
    sd_set_drop(set);
    n = n ? look_kernel(wait, n, 0, NULL) : wait_after(wait, due, timeout_ns);
    sd_set_take(set);
    finish(wait, true);
    return n;
}

/* The first wait on a descriptor that we know nothing of. 0: it is a set now. */
static long meet(int epfd, struct epoll_event *events, int max)
{
    long r = sd_hidden(epfd) ? -EBADF : sd_sys_epoll_pwait(epfd, events, max, 0, NULL);
    if (r)
        return r;
    sd_registry_take();
    struct sd_epoll *set = sd_set_make(epfd, true);
    sd_registry_drop();
    return set ? 0 : SD_PASS;
}

long sd_epoll_wait(int epfd, struct epoll_event *events, int max, int64_t timeout_ns, const sigset_t *mask)
{
    struct wait wait = {.events = events, .mask = mask, .deadline_ns = UINT64_MAX, .epfd = epfd, .max = max};
    if (sd_g.disabled || (uint32_t)epfd >= sd_g.file_count)
        return SD_PASS;
    if (max <= 0 || (size_t)max > INT_MAX / sizeof *events)
        return -EINVAL;
    if (sd_unlikely(sd_epoll_busy())) /* in a signal handler that interrupted our work on a set */
        return timeout_ns == 0 ? 0 : -EINTR;
    while (!(wait.set = sd_set_enter(epfd))) {
        long r = meet(epfd, events, max);
        if (r)
            return r;
    }
    return wait_in(&wait, timeout_ns);
}

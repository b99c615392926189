/* poll: readiness of sockets of ours from shared memory, of all others from the kernel.
 *
 * A look asks both. A wait looks for a while, then arms every socket of ours with the bell of this thread, passes the
 * fence, looks once more, and sleeps in the kernel's ppoll on: the kernel descriptors, the companions, the bell. The
 * list is split anew at every look, because a socket may change its mode at any time.
 *
 * A signal mask is in force whenever the kernel is asked, so a signal that it admits ends the wait as in Linux: the
 * kernel is asked once before a call with a mask returns 0. No allocation: signal handlers may poll.
 */
#include "core/poll.h"

#include "core/epoll.h"
#include "core/follow.h"
#include "core/move.h"
#include "core/peer.h"

enum {
    LOCAL_FDS = 64, /* up to here the lists are on the stack */
    PROBE_NS = 15000,
    PATIENCE_NS = 150000,
    BARE_NAP_NS = 1000000,   /* no bell, or no place for it */
    PENDING_NAP_NS = 200000, /* an offer that comes rings no bell */
};

/* The events of these that arming can announce. */
#define ARM_EVENTS (POLLIN | POLLOUT | POLLRDHUP)

static const struct timespec at_once;

void *sd_poll_map(size_t size)
{
    void *memory = sd_sys_mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return sd_is_error(memory) ? NULL : memory;
}

void sd_poll_unmap(void *memory, size_t size)
{
    sd_sys_munmap(memory, size);
}

/* The socket behind fd if it is on the rings, or may soon be. */
static struct sd_socket *ours(int fd)
{
    struct sd_socket *s = sd_socket_here(fd);
    return s && sd_load_acquire(&s->mode) != SD_MODE_KERNEL ? s : NULL;
}

bool sd_poll_concerns(struct sd_poll *poll)
{
    bool any = false;
    for (nfds_t i = 0; i < poll->n; i++) {
        int fd = poll->want[i].fd;
        if ((uint32_t)fd >= sd_g.file_count)
            continue;
        any = any || ours(fd) || sd_hidden(fd);
        if (sd_unlikely(sd_load(&sd_g.files[fd].epoll))) {
            sd_epoll_polled(fd);
            poll->sets = true;
        }
    }
    return any || (poll->sets && sd_nested_due() != UINT64_MAX);
}

/* --- looking --- */

static uint32_t counts(const struct sd_poll *poll, nfds_t i)
{
    uint32_t always = poll->exact ? POLLNVAL : POLLERR | POLLHUP | POLLNVAL;
    return (uint16_t)poll->want[i].events | always;
}

/* Sockets of ours, and descriptors that must not seem open. Leaves the others in poll->kernel. */
static long look_ring(struct sd_poll *poll)
{
    long ready = 0;
    poll->plain = 0;
    for (nfds_t i = 0; i < poll->n; i++) {
        struct pollfd *want = &poll->want[i];
        struct sd_socket *s = ours(want->fd);
        uint32_t events = s ? sd_widen(s, sd_readiness(s)) : 0;
        bool kernel = !s || sd_load(&s->mode) == SD_MODE_KERNEL; /* readiness may settle a pending socket */
        if (sd_unlikely(!s && sd_hidden(want->fd))) {
            events = POLLNVAL;
            kernel = false;
        }
        want->revents = kernel ? 0 : (short)(events & counts(poll, i));
        ready += want->revents != 0;
        poll->kernel[i].fd = kernel ? want->fd : -1; /* revents stays: see mute */
        poll->kernel[i].events = want->events;
        poll->plain += kernel && want->fd >= 0;
    }
    return ready;
}

/* Takes over what the kernel said of its descriptors. */
static long take_kernel(struct sd_poll *poll)
{
    long ready = 0;
    for (nfds_t i = 0; i < poll->n; i++) {
        if (poll->kernel[i].fd < 0 || poll->slept[i])
            continue;
        poll->want[i].revents = (short)(poll->kernel[i].revents & counts(poll, i));
        ready += poll->want[i].revents != 0;
    }
    return ready;
}

/* A server may refuse what it never accepted: only the companion tells, and nobody looks there if others are ready. */
static void look_at_offers(struct sd_poll *poll)
{
    for (nfds_t i = 0; i < poll->n; i++) {
        struct sd_socket *s = ours(poll->want[i].fd);
        if (sd_unlikely(s && sd_load(&s->mode) == SD_MODE_OFFERED))
            sd_look_at_companion(s, poll->want[i].fd);
    }
}

static long look_all(struct sd_poll *poll)
{
    look_at_offers(poll);
    long ready = look_ring(poll);
    if (!poll->plain)
        return ready;
    if (sd_unlikely(poll->sets))
        sd_nested_settle();
    long r = sd_sys_ppoll(poll->kernel, poll->n, &at_once, ready ? NULL : poll->mask);
    if (r < 0)
        return ready ? ready : r;
    return ready + take_kernel(poll);
}

static long look_patiently(struct sd_poll *poll)
{
    struct sd_patience patience;
    uint64_t start_ns = sd_now_ns(), probed_ns = start_ns;
    sd_patience_start(&patience);
    while (sd_patience_more(&patience)) {
        long ready = look_ring(poll);
        uint64_t now_ns = sd_now_ns();
        if (ready || (poll->plain && now_ns - probed_ns >= PROBE_NS)) {
            probed_ns = now_ns;
            ready = look_all(poll);
        }
        if (ready || now_ns >= poll->deadline_ns || now_ns - start_ns > PATIENCE_NS)
            return ready;
    }
    return 0;
}

/* --- sleeping --- */

static void nap(struct sd_poll *poll, uint64_t until_ns)
{
    poll->nap_ns = sd_min_u64(poll->nap_ns, until_ns);
}

static void arm_one(struct sd_poll *poll, nfds_t i, struct sd_socket *s, const struct sd_bell *bell)
{
    int fd = poll->want[i].fd;
    sd_pin(s);
    poll->slept[i] = s;
    uint32_t mode = sd_load(&s->mode);
    if (mode != SD_MODE_RING || sd_move_uses_companion(s))
        nap(poll, sd_look_at_companion(s, fd));
    if (mode == SD_MODE_PENDING)
        nap(poll, sd_now_ns() + PENDING_NAP_NS);
    if (!bell || !sd_arm(s, (uint16_t)poll->want[i].events & ARM_EVENTS, bell->name))
        nap(poll, sd_now_ns() + BARE_NAP_NS);
    if (s->slot && sd_slab_shared(s->slab))
        sd_peer_bury(s);
    if (s->slot)
        nap(poll, sd_now_ns() + sd_sleeper_look_ns());
    bool wanted = sd_companion_wanted(s);
    short events = sd_move_interest(s, (uint16_t)poll->want[i].events);
    poll->kernel[i] = (struct pollfd){.fd = wanted ? fd : -1, .events = events};
}

/* A kernel descriptor whose events, as of the last time the kernel was asked, do not count (select, POLLHUP) would end
 * every sleep at once. */
static void mute(struct pollfd *kernel)
{
    if (kernel->revents)
        kernel->fd = -1;
}

static void arm_all(struct sd_poll *poll, const struct sd_bell *bell)
{
    poll->nap_ns = sd_unlikely(poll->sets) ? sd_min_u64(poll->deadline_ns, sd_nested_due()) : poll->deadline_ns;
    for (nfds_t i = 0; i < poll->n; i++) {
        struct sd_socket *s = ours(poll->want[i].fd);
        if (s)
            arm_one(poll, i, s, bell);
        else
            mute(&poll->kernel[i]);
    }
    poll->kernel[poll->n] = (struct pollfd){.fd = bell ? bell->fd : -1, .events = POLLIN};
    sd_fence_sleeper();
}

static void disarm_all(struct sd_poll *poll, const struct sd_bell *bell, bool woken)
{
    for (nfds_t i = 0; i < poll->n; i++) {
        struct sd_socket *s = poll->slept[i];
        if (!s)
            continue;
        if (bell)
            sd_disarm(s, (uint16_t)poll->want[i].events & ARM_EVENTS, bell->name);
        if (woken && poll->kernel[i].fd >= 0 && poll->kernel[i].revents)
            sd_look_at_companion(s, poll->want[i].fd);
        poll->slept[i] = NULL;
        sd_unpin(s);
    }
    if (bell && woken && poll->kernel[poll->n].revents)
        sd_bell_drain(bell);
}

static bool ring_ready(const struct sd_poll *poll)
{
    for (nfds_t i = 0; i < poll->n; i++) {
        struct sd_socket *s = poll->slept[i];
        if (s && ((sd_widen(s, sd_readiness(s)) & counts(poll, i)) || sd_load(&s->mode) == SD_MODE_KERNEL))
            return true;
    }
    return false;
}

static long block(struct sd_poll *poll)
{
    if (poll->nap_ns == UINT64_MAX)
        return sd_sys_ppoll(poll->kernel, poll->n + 1, NULL, poll->mask);
    uint64_t now_ns = sd_now_ns();
    uint64_t left_ns = poll->nap_ns > now_ns ? poll->nap_ns - now_ns : 0;
    struct timespec t = {.tv_sec = (time_t)(left_ns / 1000000000u), .tv_nsec = (long)(left_ns % 1000000000u)};
    return sd_sys_ppoll(poll->kernel, poll->n + 1, &t, poll->mask);
}

/* One sleep; what is ready is seen by the look that follows. 0 or -errno. */
static long sleep_once(struct sd_poll *poll)
{
    const struct sd_bell *bell = sd_thread_bell();
    arm_all(poll, bell);
    long r = ring_ready(poll) ? 0 : block(poll);
    disarm_all(poll, bell, r > 0);
    return r < 0 ? r : 0;
}

/* --- the whole --- */

static bool time_is_over(const struct sd_poll *poll)
{
    return !poll->waits || (poll->deadline_ns != UINT64_MAX && sd_now_ns() >= poll->deadline_ns);
}

/* Ready, but not for what tells of the peer's end: a connection that may be written to is so for ever. */
static bool ready_for_room_alone(const struct pollfd *want)
{
    return want->revents && (want->events & (POLLIN | POLLRDHUP)) && !(want->revents & ~(POLLOUT | POLLWRNORM));
}

/* Whoever polls without sleeping must still learn that a peer died. */
static bool look_at_companions(struct sd_poll *poll, bool all)
{
    bool looked = false;
    for (nfds_t i = 0; i < poll->n; i++) {
        int fd = poll->want[i].fd;
        struct sd_socket *s = all || ready_for_room_alone(&poll->want[i]) ? ours(fd) : NULL;
        if (!s)
            continue;
        sd_pin(s);
        if (sd_socket_of(fd) == s) /* else closed meanwhile */
            looked |= sd_look_now_and_then(s, fd);
        sd_unpin(s);
    }
    return looked;
}

/* Nothing is ready and the time is over: a signal that the mask admits still counts. */
static long end_in_vain(struct sd_poll *poll)
{
    long ready = look_at_companions(poll, true) ? look_all(poll) : 0;
    if (ready)
        return ready;
    if (!poll->mask || poll->plain)
        return 0; /* no mask, or the look asked the kernel under it */
    return sd_sys_ppoll(NULL, 0, &at_once, poll->mask);
}

static long run(struct sd_poll *poll)
{
    for (bool slept = false;; slept = true) {
        long ready = look_all(poll);
        if (ready)
            return look_at_companions(poll, false) ? look_all(poll) : ready;
        if (time_is_over(poll))
            return end_in_vain(poll);
        ready = slept ? 0 : look_patiently(poll); /* a sleep that brought nothing was for a look */
        if (ready)
            return ready;
        long r = sleep_once(poll);
        if (r < 0) {
            ready = look_all(poll);
            return ready ? ready : r;
        }
    }
}

static long run_mapped(struct sd_poll *poll)
{
    size_t size = (poll->n + 1) * sizeof *poll->kernel + poll->n * sizeof *poll->slept;
    char *memory = sd_poll_map(size);
    if (!memory)
        return -ENOMEM;
    poll->slept = (struct sd_socket **)(void *)memory;
    poll->kernel = (struct pollfd *)(void *)(memory + poll->n * sizeof *poll->slept);
    long r = run(poll);
    sd_poll_unmap(memory, size);
    return r;
}

long sd_poll_run(struct sd_poll *poll)
{
    if (poll->n > LOCAL_FDS)
        return run_mapped(poll);
    struct pollfd kernel[LOCAL_FDS + 1];
    struct sd_socket *slept[LOCAL_FDS];
    for (nfds_t i = 0; i < poll->n; i++) {
        kernel[i].revents = 0;
        slept[i] = NULL;
    }
    poll->kernel = kernel;
    poll->slept = slept;
    return run(poll);
}

long sd_poll_deadline(struct sd_poll *poll, const struct timespec *timeout)
{
    poll->deadline_ns = UINT64_MAX;
    poll->waits = true;
    if (!timeout)
        return 0;
    if (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= 1000000000)
        return -EINVAL;
    poll->waits = timeout->tv_sec || timeout->tv_nsec;
    if (poll->waits && timeout->tv_sec < INT32_MAX) /* more is for ever */
        poll->deadline_ns = sd_now_ns() + (uint64_t)timeout->tv_sec * 1000000000u + (uint64_t)timeout->tv_nsec;
    return 0;
}

long sd_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
    struct sd_poll poll = {.want = fds, .n = n, .mask = mask};
    if (sd_g.disabled || n > sd_g.file_count || !sd_poll_concerns(&poll))
        return SD_PASS;
    long r = sd_poll_deadline(&poll, timeout);
    return r < 0 ? r : sd_poll_run(&poll);
}

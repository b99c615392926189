/* Forwarding what was not read. Theory: forward.h. */
#include "core/forward.h"

#include "core/address.h"
#include "core/api.h"
#include "core/blocked.h"
#include "core/control.h"
#include "core/follow.h"
#include "core/peer.h"
#include "core/ring.h"
#include "core/sys.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

void sd_forward_hint(struct sd_socket *s, uint32_t fd)
{
    sd_store(&s->tx.dir->p.pid, sd_g.pid);
    sd_store(&s->tx.dir->p.fd, fd);
}

/* --- the other end --- */

/* 0 if the kernel is too old to say. */
static uint64_t namespace_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof cookie;
    return sd_sys_getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) < 0 ? 0 : cookie;
}

static bool is_other_end(int fd, int ours)
{
    struct sd_address local, peer, our_local, our_peer;
    return sd_address_ends(ours, &our_local, &our_peer) && sd_address_ends(fd, &local, &peer) &&
           sd_address_same(&local, &our_peer) && sd_address_same(&peer, &our_local) &&
           namespace_of(fd) == namespace_of(ours);
}

/* Keeps the duplicate only if it is what we want. */
static long checked(long fd, int ours)
{
    if (fd < 0 || is_other_end((int)fd, ours))
        return fd;
    sd_sys_close((int)fd);
    return -ENOENT;
}

static char *put_number(char *at, uint32_t number)
{
    char digits[10];
    size_t n = 0;
    do
        digits[n++] = (char)('0' + number % 10);
    while (number /= 10);
    while (n)
        *at++ = digits[--n];
    return at;
}

/* Looked at before it is taken: to close a duplicate of a file would drop our locks on that file. */
static bool is_socket_of(uint32_t pid, uint32_t fd)
{
    char path[48], target[8];
    char *at = path;
    memcpy(at, "/proc/", 6);
    at = put_number(at + 6, pid);
    memcpy(at, "/fd/", 4);
    *put_number(at + 4, fd) = 0;
    long n = sd_syscall(SYS_readlinkat, AT_FDCWD, path, target, sizeof target, 0, 0);
    return n == (long)sizeof target && !memcmp(target, "socket:[", sizeof target);
}

static long borrow_from(uint32_t pid, uint32_t fd, int ours)
{
    if (!is_socket_of(pid, fd))
        return -ENOENT;
    long process = sd_syscall(SYS_pidfd_open, pid, 0, 0, 0, 0, 0);
    if (process < 0)
        return process;
    long got = sd_syscall(SYS_pidfd_getfd, process, fd, 0, 0, 0, 0);
    sd_sys_close((int)process);
    return checked(got, ours);
}

/* A duplicate of the peer's end, or -errno. A process that holds both ends, or inherited them, needs to ask nobody. */
static long borrow(struct sd_socket *s, int ours)
{
    uint32_t pid = sd_load(&s->rx.dir->p.pid), fd = sd_load(&s->rx.dir->p.fd);
    if (is_other_end((int)fd, ours))
        return checked(sd_sys_fcntl((int)fd, F_DUPFD_CLOEXEC, 0), ours);
    return pid == sd_g.pid ? -ENOENT : borrow_from(pid, fd, ours);
}

/* --- a stand-in for an end that is closed --- */

struct leaving {
    struct sd_socket *s;
    int fd;
    int reader; /* what stands in, or -1 */
    void (*ask)(struct sd_socket *s);
    bool settled;   /* nothing that we know of is left in the ring */
    uint32_t event; /* to be fed next, or NO_EVENT */
    uint64_t arg;
};

#define NO_EVENT UINT32_MAX

static bool make_unix_pair(int ends[2])
{
    return sd_syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends, 0, 0) >= 0;
}

/* A connection to ourselves: ends[0] to write, ends[1] to read. Nobody else can have come in between. */
static bool make_pair(int family, int ends[2])
{
    if (family == AF_UNIX)
        return make_unix_pair(ends);
    union sd_sockaddr at = {.v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t len = family == AF_INET6 ? sizeof at.v6 : sizeof at.v4;
    if (family == AF_INET6)
        at.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    long listener = sd_sys_socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    long writer = sd_sys_socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), reader = -1;
    if (listener >= 0 && writer >= 0 && sd_sys_bind((int)listener, &at, len) >= 0 &&
        sd_syscall(SYS_listen, listener, 1, 0, 0, 0, 0) >= 0 && sd_sys_getsockname((int)listener, &at, &len) >= 0 &&
        sd_sys_connect((int)writer, &at, len) >= 0)
        reader = checked(sd_sys_accept4((int)listener, NULL, NULL, SOCK_CLOEXEC), (int)writer);
    if (listener >= 0)
        sd_sys_close((int)listener);
    if (writer >= 0 && reader < 0)
        sd_sys_close((int)writer);
    ends[0] = (int)writer;
    ends[1] = (int)reader;
    return reader >= 0;
}

/* --- the bytes --- */

/* True if the ring is empty; false if the kernel takes no more, or the peer's tail is impossible. */
static bool put_through(struct sd_rx *rx, int end)
{
    while (sd_ring_new_bytes(rx) >= 0) {
        uint64_t offset = (rx->head - rx->base) & SD_RING_MASK;
        size_t n = sd_min_u64(rx->tail_seen - rx->head, sd_ring_piece(offset));
        if (!n)
            return true;
        const uint8_t *from = sd_ring_at(rx->front, rx->rest, offset);
        long sent = sd_sys_sendto(end, from, n, MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0);
        if (sent > 0)
            sd_ring_release(rx, (size_t)sent);
        else if (sent != -EINTR)
            return false;
    }
    return false;
}

#define DRAIN_BYTES   16384
#define DRAIN_NS      100000000u /* the peer is closed: what it sent comes as fast as it is read */
#define DRAIN_LOOK_NS 1000000u

/* Moves what the kernel's queue of `fd` holds to `end`, up to the end of the stream, or to a reset; false if not all could
 * be. A byte is taken from the one only when the other has it. */
static bool drain(int fd, int end, uint64_t patience_ns, bool *reset)
{
    uint8_t block[DRAIN_BYTES];
    uint64_t deadline = sd_now_ns() + patience_ns;
    for (;;) {
        long there = sd_sys_recvfrom(fd, block, sizeof block, MSG_PEEK | MSG_DONTWAIT, NULL, NULL);
        *reset |= there == -ECONNRESET;
        if (there == 0 || there == -ECONNRESET || there == -EPIPE)
            return true;
        long sent = there > 0 ? sd_sys_sendto(end, block, (size_t)there, MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0) : there;
        if (sent > 0)
            sd_sys_recvfrom(fd, block, (size_t)sent, MSG_DONTWAIT, NULL, NULL);
        else if ((sent != -EAGAIN && sent != -EINTR) || sd_now_ns() >= deadline)
            return false;
        else
            sd_sys_ppoll(NULL, 0, &(struct timespec){.tv_nsec = DRAIN_LOOK_NS}, NULL);
    }
    return false;
}

static bool is_empty(const struct sd_rx *rx)
{
    return sd_load_acquire(&rx->dir->p.tail) == rx->head;
}

/* A reset that the program has not been told of, and the companion's kernel does not know: the peer was killed. */
static bool owes_reset(struct sd_socket *s, int fd)
{
    return sd_load(&s->error) == ECONNRESET && !sd_companion_knows(s, fd);
}

/* A reset would take what the other end has no room for yet: then it is told as the end. A Unix connection is reset by what
 * its closed end has not read. */
static void close_as(const struct sd_socket *s, const int ends[2], bool reset)
{
    int under_way = 0, end = ends[0];
    struct linger nought = {.l_onoff = 1};
    if (s->family == AF_UNIX && reset)
        sd_sys_sendto(ends[1], "", 1, MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0);
    else if (reset && sd_sys_ioctl(end, SIOCOUTQ, &under_way) >= 0 && !under_way)
        sd_sys_setsockopt(end, SOL_SOCKET, SO_LINGER, &nought, sizeof nought);
    sd_sys_close(end);
}

/* The descriptors read from `reader` now; who shares them does not yet. */
static void stands_in(struct leaving *l, int reader)
{
    sd_show_instead(l->s, reader);
    l->reader = reader;
}

static bool stand_in(struct leaving *l, bool ring_first)
{
    struct sd_socket *s = l->s;
    int ends[2], fd = l->fd;
    bool reset = sd_load(&s->error) == ECONNRESET;
    if (is_empty(&s->rx) && !owes_reset(s, fd))
        return true;
    if (fd < 0 || !make_pair(s->family, ends))
        return false;
    bool done = ring_first ? put_through(&s->rx, ends[0]) && drain(fd, ends[0], DRAIN_NS, &reset)
                           : drain(fd, ends[0], DRAIN_NS, &reset) && put_through(&s->rx, ends[0]);
    close_as(s, ends, reset);
    if (done)
        stands_in(l, ends[1]);
    else
        sd_sys_close(ends[1]);
    return done;
}

/* Bytes of ours lie in the ring, and the peer's next ones in the kernel's queue already: the monitor stands between. */
static bool relay(struct leaving *l)
{
    struct sd_socket *s = l->s;
    struct sd_rx *rx = &s->rx;
    int ends[2], fd = l->fd;
    bool reset = false;
    if (fd < 0 || !sd_monitor_serves() || sd_ring_new_bytes(rx) < 0 || !make_pair(s->family, ends))
        return false;
    if (put_through(rx, ends[0])) /* what is there now is there at once for who reads next */
        drain(fd, ends[0], 0, &reset);
    struct sd_carry what = {!s->rec.side, rx->head, rx->tail_seen, rx->base};
    bool done = reset || sd_carry(s, &what, ends[0], fd);
    if (done) {
        sd_ring_release(rx, (size_t)(rx->tail_seen - rx->head));
        stands_in(l, ends[1]);
    }
    close_as(s, ends, reset);
    if (!done)
        sd_sys_close(ends[1]);
    return done;
}

/* --- driver of `leaver` --- */

#define RESIGN_TRIES 8 /* a peer that keeps changing the word gains nothing by it */

static void announce(struct leaving *l)
{
    struct sd_rx *rx = &l->s->rx;
    uint32_t before =
        atomic_fetch_or(&rx->dir->c.flags, SD_RX_FORWARDING); /* acquire: tail is final if SEEN_* stands */
    l->arg = sd_load_acquire(&rx->dir->p.tail) - rx->head;
    bool seen = before & (SD_RX_SEEN_MOVED | SD_RX_SEEN_CLOSED);
    l->event = seen && (before & SD_RX_AWAY) ? SD_LEAVER_EV_TAKEN_BACK
               : before & SD_RX_SEEN_CLOSED  ? SD_LEAVER_EV_AFTER_CLOSE
               : before & SD_RX_SEEN_MOVED   ? SD_LEAVER_EV_AFTER_MOVE
                                             : SD_LEAVER_EV_FIRST;
}

/* It said so, or the kernel closed for it when it died. */
static bool peer_closed(uint32_t flags, int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLRDHUP};
    struct timespec now = {0};
    return (flags & SD_TX_CLOSED) || (sd_sys_ppoll(&p, 1, &now, NULL) == 1 && (p.revents & POLLRDHUP));
}

static void put_borrowed(struct leaving *l, int end)
{
    struct sd_rx *rx = &l->s->rx;
    l->settled = put_through(rx, end);
    uint32_t flags = sd_load_acquire(&rx->dir->p.flags);
    if (l->settled && (flags & SD_TX_FIN) && is_empty(rx))
        sd_sys_shutdown(end, SHUT_WR);
    sd_sys_close(end);
}

static void put(struct leaving *l)
{
    struct sd_rx *rx = &l->s->rx;
    uint32_t flags = sd_load_acquire(&rx->dir->p.flags);
    l->event = SD_LEAVER_EV_PUT_DONE;
    l->settled = is_empty(rx) && !owes_reset(l->s, l->fd) &&
                 (!(flags & SD_TX_FIN) || (flags & SD_TX_CLOSED)); /* the kernel tells of that end itself */
    if (l->settled)
        return;
    long end = l->fd < 0 || sd_load(&l->s->by_sender) ? -EBADF : borrow(l->s, l->fd);
    if (end >= 0)
        put_borrowed(l, (int)end);
    else if (l->fd >= 0 && peer_closed(flags, l->fd))
        l->event = SD_LEAVER_EV_NO_PEER;
}

static uint32_t resigned(uint32_t flags)
{
    return (flags | SD_RX_ABANDONED) & ~(uint32_t)SD_RX_FORWARDING;
}

static void settle(struct leaving *l)
{
    atomic_fetch_or(&l->s->rx.dir->c.flags, SD_RX_ABANDONED);
    atomic_fetch_and(&l->s->rx.dir->c.flags, ~(uint32_t)SD_RX_FORWARDING);
}

/* Pairs with the changes of the same word in move.c: head is published before ABANDONED can be seen. */
static void resign(struct leaving *l, uint32_t minds)
{
    _Atomic uint32_t *flags = &l->s->rx.dir->c.flags;
    uint32_t seen = atomic_load(flags);
    l->event = SD_LEAVER_EV_RESIGNED;
    for (int i = 0; i < RESIGN_TRIES && !(seen & minds); i++)
        if (atomic_compare_exchange_strong(flags, &seen, resigned(seen)))
            return;
    if (!(seen & minds))
        settle(l);
    else
        l->event = seen & minds & SD_RX_SEEN_CLOSED ? SD_LEAVER_EV_CLOSED_MEANWHILE : SD_LEAVER_EV_MOVED_MEANWHILE;
}

static void replaced(struct leaving *l, bool settled)
{
    l->settled = settled;
    l->event = SD_LEAVER_EV_STANDS_IN;
    l->arg = l->reader >= 0 ? sd_other_references(l->s) : 0;
}

static void perform(struct leaving *l, uint32_t effect)
{
    switch (effect) {
    case SD_LEAVER_DO_ANNOUNCE: announce(l); break;
    case SD_LEAVER_DO_ASK: l->ask(l->s); break;
    case SD_LEAVER_DO_PUT: put(l); break;
    case SD_LEAVER_DO_RESIGN: resign(l, SD_RX_SEEN_MOVED | SD_RX_SEEN_CLOSED); break;
    case SD_LEAVER_DO_RESIGN_LAST: resign(l, SD_RX_SEEN_CLOSED); break;
    case SD_LEAVER_DO_STAND_IN_QUEUE: replaced(l, stand_in(l, false)); break;
    case SD_LEAVER_DO_STAND_IN_RING: replaced(l, stand_in(l, true)); break;
    case SD_LEAVER_DO_RELAY: replaced(l, relay(l)); break;
    case SD_LEAVER_DO_KEEP: sd_keep_for_others(l->s, l->reader); break;
    default: assert(effect == SD_LEAVER_DO_SETTLE); settle(l);
    }
}

bool sd_forward_and_leave(struct sd_socket *s, int fd, void (*ask)(struct sd_socket *s))
{
    struct leaving l = {.s = s, .fd = fd, .ask = ask, .reader = -1, .settled = true, .event = SD_LEAVER_EV_LEAVE};
    while (l.event != NO_EVENT) {
        uint32_t todo = sd_leaver_step(&s->rx.leaver, l.event, l.arg);
        l.event = NO_EVENT;
        for (; todo && todo != SD_NO_ROW; todo >>= 8)
            perform(&l, todo & 0xff);
    }
    if (l.reader >= 0)
        sd_sys_close(l.reader);
    return l.settled;
}

/* Forwarding what was not read. Theory: forward.h. */
#include "core/forward.h"

#include "core/address.h"
#include "core/api.h"
#include "core/ring.h"
#include "core/sys.h"

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

/* A connection to ourselves: ends[0] to write, ends[1] to read. Nobody else can have come in between. */
static bool make_pair(int family, int ends[2])
{
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

/* Every descriptor of this process for s becomes one for what `reader` reads from. */
static void replace(struct sd_socket *s, int reader)
{
    for (int fd = sd_next_open(0); fd >= 0; fd = sd_next_open(fd + 1)) {
        long flags = sd_socket_of(fd) == s ? sd_sys_fcntl(fd, F_GETFD, 0) : -EBADF;
        if (flags >= 0)
            sd_syscall(SYS_dup3, reader, fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0, 0, 0, 0);
    }
    if (sd_load(&s->nonblock))
        sd_sys_fcntl(reader, F_SETFL, O_RDWR | O_NONBLOCK);
}

static bool put_through(struct sd_rx *rx, int end);

static bool stand_in(struct sd_socket *s)
{
    int ends[2];
    if (!make_pair(s->family, ends))
        return false;
    bool done = put_through(&s->rx, ends[0]);
    sd_sys_close(ends[0]);
    if (done)
        replace(s, ends[1]);
    sd_sys_close(ends[1]);
    return done;
}

/* --- the bytes --- */

/* True if the ring is empty; false if the kernel takes no more, or the peer's tail is impossible. */
static bool put_through(struct sd_rx *rx, int end)
{
    while (sd_ring_new_bytes(rx) >= 0) {
        uint64_t offset = (rx->head - rx->base) & SD_RING_MASK;
        size_t n = sd_min_u64(rx->tail_seen - rx->head, SD_RING_BYTES - offset);
        if (!n)
            return true;
        long sent = sd_sys_sendto(end, rx->data + offset, n, MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0);
        if (sent > 0)
            sd_ring_release(rx, (size_t)sent);
        else if (sent != -EINTR)
            return false;
    }
    return false;
}

static bool nothing_overtaken(const struct sd_direction *dir, int fd)
{
    char byte;
    return !(atomic_load(&((struct sd_direction *)dir)->p.flags) & SD_TX_MOVED) ||
           sd_sys_recvfrom(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT, NULL, NULL) == -EAGAIN;
}

/* It said so, or the kernel closed for it when it died. */
static bool peer_closed(uint32_t flags, int fd)
{
    char byte;
    return (flags & SD_TX_CLOSED) ||
           (!(flags & SD_TX_FIN) && sd_sys_recvfrom(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT, NULL, NULL) == 0);
}

static bool forward(struct sd_socket *s, int fd)
{
    struct sd_rx *rx = &s->rx;
    uint32_t flags = sd_load_acquire(&rx->dir->p.flags);
    bool empty = sd_load_acquire(&rx->dir->p.tail) == rx->head;
    if (empty && (!(flags & SD_TX_FIN) || (flags & SD_TX_CLOSED)))
        return true; /* and the kernel tells of the end by itself */
    long end = fd < 0 ? -EBADF : borrow(s, fd);
    if (end < 0)
        return !(flags & SD_TX_MOVED) && peer_closed(flags, fd) && stand_in(s);
    bool done = put_through(rx, (int)end);
    flags = sd_load_acquire(&rx->dir->p.flags);
    if (done && (flags & SD_TX_FIN) && sd_load_acquire(&rx->dir->p.tail) == rx->head)
        sd_sys_shutdown((int)end, SHUT_WR);
    sd_sys_close((int)end);
    return done;
}

#define LEAVE_TRIES 8 /* a peer that keeps changing the word gains nothing by it */

/* False if the peer leaves its last bytes to us. */
static bool leave(_Atomic uint32_t *flags)
{
    uint32_t seen = atomic_load(flags);
    for (int i = 0; i < LEAVE_TRIES && !(seen & SD_RX_HELD); i++)
        if (atomic_compare_exchange_strong(flags, &seen, (seen | SD_RX_ABANDONED) & ~(uint32_t)SD_RX_FORWARDING))
            return true;
    return false;
}

bool sd_forward_and_leave(struct sd_socket *s, int fd, void (*ask)(struct sd_socket *s))
{
    _Atomic uint32_t *flags = &s->rx.dir->c.flags;
    atomic_fetch_or(flags, SD_RX_FORWARDING); /* pairs with the load in take_back_abandoned */
    bool safe = nothing_overtaken(s->rx.dir, fd);
    ask(s);
    bool done = safe && forward(s, fd);
    if (leave(flags))
        return done;
    done = safe && forward(s, fd);
    atomic_fetch_or(flags, SD_RX_ABANDONED);
    atomic_fetch_and(flags, ~(uint32_t)SD_RX_FORWARDING);
    return done && forward(s, fd); /* an end that the peer said meanwhile: no byte is left */
}

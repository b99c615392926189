/* Outside of the rings, on the way in. Theory: away.h. */
#include "core/away.h"

#include "core/api.h"
#include "core/cursor.h"
#include "core/peer.h"
#include "core/ring.h"
#include "core/sys.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#define LOOK_PARTS   64 /* of a buffer in more pieces a receive fills the first */
#define ARRIVE_TRIES 8  /* a peer that keeps changing the word gains nothing by it */

bool sd_is_awaited(const struct sd_socket *s)
{
    uint32_t flags = sd_load(&s->tx.dir->c.flags);
    return s->tx.mover.state == SD_MOVER_OUT &&
           (flags & (SD_RX_AWAY | SD_RX_FORWARDING | SD_RX_ABANDONED | SD_RX_CLOSED)) == SD_RX_AWAY;
}

uint64_t sd_under_way(int fd)
{
    int bytes = 0;
    return fd >= 0 && sd_sys_ioctl(fd, SIOCOUTQ, &bytes) >= 0 ? (uint64_t)bytes : UINT64_MAX;
}

/* FIONREAD counts up to the mark of an urgent byte, though it be read already; poll sees what lies behind, but not below
 * the low mark. */
static bool holds_bytes(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLRDHUP};
    struct timespec now = {0};
    int there = 0;
    if (fd < 0 || sd_sys_ioctl(fd, FIONREAD, &there) < 0)
        return false;
    return there > 0 || (sd_sys_ppoll(&p, 1, &now, NULL) == 1 && (p.revents & POLLIN) && !(p.revents & POLLERR));
}

/* What the companion holds, without waiting: bytes, or 0. Its error is left there. */
static long take_companion(int fd, struct cursor *c, int flags)
{
    struct iovec parts[LOOK_PARTS];
    struct msghdr msg = {.msg_iov = parts, .msg_iovlen = sd_min_u64(c->count, LOOK_PARTS)};
    if (!holds_bytes(fd))
        return 0;
    memcpy(parts, c->iov, msg.msg_iovlen * sizeof *parts);
    parts[0].iov_base = cursor_at(c);
    parts[0].iov_len -= c->offset;
    long r = sd_sys_recvmsg(fd, &msg, (flags & ~MSG_WAITALL) | MSG_DONTWAIT);
    if (r <= 0)
        return 0;
    if (!(flags & MSG_PEEK))
        sd_count_kernel(fd, 0, r);
    cursor_skip(c, (size_t)r);
    return r;
}

static bool companion_at_end(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLRDHUP};
    struct timespec now = {0};
    return fd < 0 || (sd_sys_ppoll(&p, 1, &now, NULL) == 1 && (p.revents & (POLLRDHUP | POLLERR | POLLHUP)));
}

/* What the ring holds for us: bytes, and one more for an end behind them of which the companion does not tell. */
static uint64_t in_ring(struct sd_rx *rx)
{
    uint32_t flags = sd_load_acquire(&rx->dir->p.flags); /* before tail: a flag means that tail is final */
    bool ends = (flags & (SD_TX_FIN | SD_TX_CLOSED)) == SD_TX_FIN;
    return sd_load_acquire(&rx->dir->p.tail) - rx->head + ends; /* pairs with sd_ring_publish: TCP was empty before */
}

/* Pairs with the producer's changes of the same word in move.c: what it saw there decides. */
static uint32_t arrive(struct sd_rx *rx)
{
    _Atomic uint32_t *flags = &rx->dir->c.flags;
    uint32_t seen = atomic_load(flags);
    for (int i = 0; i < ARRIVE_TRIES && !(seen & (SD_RX_SEEN_MOVED | SD_RX_SEEN_CLOSED)); i++)
        if (atomic_compare_exchange_strong(flags, &seen, seen & ~(uint32_t)SD_RX_AWAY))
            return sd_ring_rx_step(&rx->m, SD_RING_RX_EV_ARRIVED, 0);
    return sd_ring_rx_step(&rx->m, SD_RING_RX_EV_MOVED, 0);
}

static uint32_t quiet(struct sd_rx *rx, bool moved, uint64_t seen)
{
    uint32_t event = moved && !seen ? SD_RING_RX_EV_MOVED : SD_RING_RX_EV_QUIET;
    uint32_t effect = sd_ring_rx_step(&rx->m, event, seen);
    return effect == SD_RING_RX_DO_ARRIVE ? arrive(rx) : effect;
}

long sd_away_take(struct sd_socket *s, struct cursor *to, int flags, uint32_t *effect)
{
    struct sd_rx *rx = &s->rx;
    int fd = sd_fd_of(s);
    bool moved = sd_load_acquire(&rx->dir->p.flags) & SD_TX_MOVED; /* before tail: then tail is final */
    uint64_t seen = in_ring(rx);
    long r = take_companion(fd, to, flags);
    if (r == 0 && companion_at_end(fd)) { /* the peer does nothing more here; what it did since our look counts */
        r = take_companion(fd, to, flags);
        seen = in_ring(rx);
        moved = true;
    }
    if (r == 0)
        *effect = quiet(rx, moved, seen);
    return r;
}

uint32_t sd_away_readiness(struct sd_socket *s, uint32_t ring, uint32_t tcp)
{
    uint32_t events = (ring & (POLLOUT | POLLERR)) | (tcp & ~(uint32_t)POLLOUT);
    uint64_t unread = sd_load_acquire(&s->rx.dir->p.tail) - sd_own_head(s);
    return events | (unread ? POLLIN : 0);
}

void sd_away_begin(struct sd_socket *s)
{
    sd_ring_tx_step(&s->tx.m, SD_RING_TX_EV_BEGIN_OUT, 0);
    sd_mover_step(&s->tx.mover, SD_MOVER_EV_BEGIN_OUT, 0);
    sd_ring_rx_step(&s->rx.m, SD_RING_RX_EV_BEGIN_AWAY, 0);
    sd_show_receiving(s);
    atomic_fetch_or(&s->rx.dir->c.flags, SD_RX_AWAY);
}

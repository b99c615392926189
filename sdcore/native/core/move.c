/* Moving a live connection to its companion. Theory: move.h. */
#include "core/move.h"

#include "core/peer.h"
#include "core/ring.h"
#include "core/sys.h"
#include "core/thread.h"
#include "core/wait.h"

static bool tx_moved(const struct sd_socket *s)
{
    return s->tx.left;
}

static bool rx_moved(const struct sd_socket *s)
{
    return s->rx.m.state == SD_RING_RX_MOVED;
}

static bool asked(struct sd_socket *s)
{
    return !s->tx.left && (sd_load(&s->tx.dir->data_wait.armed) & SD_ARM_MOVE);
}

bool sd_move_uses_companion(struct sd_socket *s)
{
    return tx_moved(s) || rx_moved(s) || asked(s) || (sd_load_acquire(&s->rx.dir->p.flags) & SD_TX_MOVED);
}

/* --- our direction --- */

/* A direction that was shut in the ring ends on the companion too, after its last byte. */
static void end_companion(const struct sd_socket *s, int fd)
{
    if (s->tx.left && s->tx.m.state == SD_RING_TX_SHUT && fd >= 0)
        sd_sys_shutdown(fd, SHUT_WR);
}

bool sd_move_flush(struct sd_socket *s, int fd)
{
    struct sd_tx *tx = &s->tx;
    while (tx->resending && tx->resend_from != tx->tail) {
        uint64_t offset = (tx->resend_from - tx->base) & SD_RING_MASK;
        size_t n = sd_min_u64(tx->tail - tx->resend_from, SD_RING_BYTES - offset);
        long sent = sd_sys_sendto(fd, tx->data + offset, n, MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0);
        if (sent == -EINTR)
            continue;
        if (sent == -EAGAIN)
            return false;
        if (sent < 0)
            break; /* the connection is dead; the kernel tells the program */
        tx->resend_from += (uint64_t)sent;
        atomic_fetch_add(&s->rec.kernel_sent_bytes, (uint64_t)sent);
    }
    if (tx->resending)
        end_companion(s, fd);
    tx->resending = false;
    return true;
}

/* What the consumer left unread is ours to send again. A head that is impossible resends nothing. */
static void take_back_abandoned(struct sd_socket *s)
{
    struct sd_tx *tx = &s->tx;
    if (!(sd_load_acquire(&tx->dir->c.flags) & SD_RX_ABANDONED)) /* pairs with the release in abandon */
        return;
    uint64_t head = sd_load(&tx->dir->c.head);
    if (tx->tail - head > SD_RING_BYTES)
        head = tx->tail;
    tx->resend_from = head;
    tx->resending = true;
}

/* With both tokens. Publishes MOVED if the machine says so. */
static void move_tx(struct sd_socket *s)
{
    if (sd_ring_tx_step(&s->tx.m, SD_RING_TX_EV_MOVE, 0) == SD_RING_TX_DO_PUBLISH_MOVED)
        atomic_fetch_or_explicit(&s->tx.dir->p.flags, SD_TX_MOVED, memory_order_release);
    s->tx.left = true;
    if (!s->tx.resending)
        end_companion(s, sd_fd_of(s));
}

void sd_move_asked(struct sd_socket *s, int fd)
{
    sd_offer_accepted(s); /* who asks has taken up our offer, though we may not have looked yet */
    if (!sd_both_enter(s))
        return;
    if (sd_load(&s->mode) == SD_MODE_RING && !tx_moved(s)) {
        take_back_abandoned(s);
        move_tx(s);
        sd_notify(s, &s->tx.dir->data_wait, true);
        if (fd >= 0)
            sd_move_flush(s, fd);
        sd_store(&s->rec.reason, SD_REASON_MOVED_PEER);
    }
    sd_both_leave(s);
    sd_move_finish(s);
}

/* --- both --- */

static bool over(const struct sd_socket *s)
{
    bool received = rx_moved(s) || s->rx.m.state == SD_RING_RX_ENDED || s->rx.m.state == SD_RING_RX_BROKEN;
    return tx_moved(s) && received && !s->tx.resending;
}

static void become_kernel(struct sd_socket *s)
{
    sd_store(&s->rec.ring_sent_bytes, s->tx.tail);
    sd_store(&s->rec.ring_received_bytes, s->rx.head);
    sd_store(&s->rec.transport, SD_TRANSPORT_TCP);
    sd_store_release(&s->mode, SD_MODE_KERNEL);
    sd_release_slot(s, false);
}

void sd_move_finish(struct sd_socket *s)
{
    if (!sd_both_enter(s))
        return;
    bool finished = sd_load(&s->mode) == SD_MODE_RING && over(s);
    if (finished)
        become_kernel(s);
    sd_both_leave(s);
    if (finished)
        sd_mode_announce(s);
}

/* We read no more from the ring: the peer shall send the rest again. With both tokens. */
static void abandon(struct sd_socket *s)
{
    atomic_fetch_or_explicit(&s->rx.dir->c.flags, SD_RX_ABANDONED, memory_order_release);
}

static void ask_peer(struct sd_socket *s)
{
    atomic_fetch_or(&s->rx.dir->data_wait.armed, SD_ARM_MOVE);
    sd_fence_sleeper(); /* pairs with the compiler fence in sd_notify: its next publish sees the request */
}

static void move_ring(struct sd_socket *s, enum sd_reason reason, bool leave)
{
    if (leave)
        abandon(s);
    ask_peer(s);
    move_tx(s);
    sd_store(&s->rec.reason, reason);
    atomic_fetch_add(&sd_g.region->reason[reason], 1);
    sd_notify(s, &s->tx.dir->data_wait, true);
    sd_notify(s, &s->rx.dir->room_wait, true);
    if (leave)
        become_kernel(s);
}

long sd_move_to_kernel(int fd, enum sd_reason reason, bool leave)
{
    struct sd_socket *s = sd_socket_of(fd);
    if (!s)
        return SD_PASS;
    if (sd_load(&s->mode) == SD_MODE_PENDING)
        sd_pending_expire(s, SD_SERVER_EV_EXPIRED, reason);
    if (sd_load(&s->mode) == SD_MODE_OFFERED)
        sd_offer_withdraw(s, fd, SD_CLIENT_EV_EXPIRED, reason);
    if (sd_load(&s->mode) != SD_MODE_RING)
        return 0;
    if (!sd_both_enter(s))
        return -EAGAIN;
    if (sd_load(&s->mode) == SD_MODE_RING)
        move_ring(s, reason, leave);
    sd_both_leave(s);
    sd_mode_announce(s);
    return 0;
}

/* What it accepts inherits the kernel socket's options, so it inherits this. */
void sd_stay_in_kernel(int fd, enum sd_reason reason)
{
    struct sd_socket *s = sd_socket_of(fd);
    uint32_t state = s ? sd_load(&s->rec.state) : SD_SOCK_CLOSED;
    if (state == SD_SOCK_NEW || state == SD_SOCK_LISTENING)
        sd_store(&s->stays, reason);
}

/* An exec'd program reads and writes the companion: it may not have the library, or read by stdio. */
void sd_before_exec(void)
{
    uint32_t high = sd_load(&sd_g.file_high);
    for (uint32_t fd = 0; fd < high; fd++) {
        struct sd_socket *s = sd_socket_of((int)fd);
        if (!s || sd_load(&s->mode) == SD_MODE_KERNEL)
            continue;
        long flags = sd_sys_fcntl((int)fd, F_GETFD, 0);
        if (flags >= 0 && !(flags & FD_CLOEXEC))
            sd_move_to_kernel((int)fd, SD_REASON_MOVED_EXEC, true);
    }
}

/* --- readiness while moving --- */

static uint32_t companion_events(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP | POLLPRI};
    struct timespec now = {0};
    return sd_sys_ppoll(&p, 1, &now, NULL) == 1 ? (uint32_t)(uint16_t)p.revents : 0;
}

uint32_t sd_move_readiness(struct sd_socket *s, uint32_t ring)
{
    if (sd_likely(!sd_move_uses_companion(s)))
        return ring;
    int fd = sd_fd_of(s);
    if (asked(s))
        sd_move_asked(s, fd);
    uint32_t tcp = fd >= 0 ? companion_events(fd) : 0;
    uint32_t events = ring;
    bool unread = sd_load_acquire(&s->rx.dir->p.tail) != sd_own_head(s);
    if (rx_moved(s) || (!unread && (sd_load_acquire(&s->rx.dir->p.flags) & SD_TX_MOVED)))
        events = (events & POLLOUT) | (tcp & ~(uint32_t)POLLOUT);
    if (tx_moved(s)) {
        bool flushed = !s->tx.resending;
        events = (events & ~(uint32_t)POLLOUT) | (flushed ? tcp & POLLOUT : 0);
    }
    return events;
}

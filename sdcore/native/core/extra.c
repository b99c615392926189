/* What else a program asks of a connection: shutdown, FIONREAD, SIOCOUTQ, SO_ERROR, and counting. */
#include "core/api.h"
#include "core/away.h"
#include "core/buffers.h"
#include "core/epoll.h"
#include "core/follow.h"
#include "core/move.h"
#include "core/peer.h"
#include "core/ring.h"
#include "core/sys.h"
#include "core/thread.h"

#include <sys/ioctl.h>

/* --- shutdown --- */

static void shut_read(struct sd_socket *s)
{
    sd_ring_rx_step(&s->rx.m, SD_RING_RX_EV_SHUT, 0);
    sd_teardown_feed(s, SD_TEARDOWN_EV_SHUT_RD, 0);
}

static void shut_write(struct sd_socket *s)
{
    if (sd_ring_tx_step(&s->tx.m, SD_RING_TX_EV_SHUTDOWN, 0) == SD_RING_TX_DO_PUBLISH_FIN)
        sd_teardown_feed(s, SD_TEARDOWN_EV_SHUT_WR, 0);
}

/* Both sides said their last word, or it was reset: Linux has no peer for it any more. Another process's shutdown is seen by
 * the flags alone, a killed peer, who left no flags, by the machine alone. */
static bool is_over(struct sd_socket *s)
{
    if (s->family == AF_UNIX || !sd_mode_uses_ring(sd_load(&s->mode)))
        return false; /* a Unix connection keeps its peer */
    uint32_t theirs = sd_load_acquire(&s->rx.dir->p.flags);
    bool both = (sd_load(&s->tx.dir->p.flags) & SD_TX_FIN) && (theirs & (SD_TX_FIN | SD_TX_CLOSED));
    uint32_t state = SD_STATE_OF(&s->teardown);
    return both || (theirs & SD_TX_RESET) || state == SD_TEARDOWN_RESET || state == SD_TEARDOWN_BOTH_SHUT;
}

long sd_shutdown(int fd, int how)
{
    struct sd_socket *s = sd_socket_here(fd);
    if (s)
        sd_look_at_companion(s, fd); /* a peer that is gone: the call must fail */
    if (s && sd_load(&s->mode) == SD_MODE_PENDING)
        sd_pending_expire(s, SD_SERVER_EV_EXPIRED, SD_REASON_CLOSED_EARLY);
    if (!s || !sd_mode_uses_ring(sd_load(&s->mode)))
        return SD_PASS;
    if (how < SHUT_RD || how > SHUT_RDWR)
        return -EINVAL;
    if (how != SHUT_WR &&
        sd_load(&s->mode) == SD_MODE_OFFERED) /* nothing will be read: what becomes of it the kernel knows */
        sd_offer_withdraw(s, fd, SD_CLIENT_EV_LEAVE, SD_REASON_CLOSED_EARLY);
    if (is_over(s))
        return -ENOTCONN;
    sd_move_attend(s, fd);
    if (!sd_mode_uses_ring(sd_load(&s->mode)))
        return SD_PASS;
    if (!sd_both_enter(s))
        return -EAGAIN;
    bool companion_too = sd_move_outside(s);
    long r = 0;
    atomic_fetch_or(&s->shut, (uint32_t)(how + 1));
    if (how != SHUT_WR)
        shut_read(s);
    if (how != SHUT_RD) {
        shut_write(s);
        r = sd_move_end(s, fd);
    }
    sd_both_leave(s);
    if (how != SHUT_RD) /* of the other direction the peer hears nothing */
        sd_notify(s, &s->tx.dir->data_wait, true);
    sd_epoll_news(s);
    sd_wake_own_sleepers(s);
    return companion_too ? sd_move_shutdown(s, fd, how, r) : 0;
}

/* --- questions --- */

bool sd_is_over(int fd)
{
    struct sd_socket *s = sd_socket_of(fd);
    if (s)
        sd_look_at_companion(s, fd); /* whoever asks this makes a system call anyway */
    return s && is_over(s);
}

long sd_unread_bytes(int fd)
{
    struct sd_socket *s = sd_socket_here(fd);
    if (s && sd_load(&s->mode) == SD_MODE_PENDING)
        sd_look_at_companion(s, fd);
    if (!s || !sd_mode_uses_ring(sd_load(&s->mode)))
        return SD_PASS;
    sd_move_attend(s, fd);
    bool moved = (sd_load_acquire(&s->rx.dir->p.flags) & SD_TX_MOVED) || /* before tail: then tail is final */
                 sd_move_has_strays(s) || sd_is_away(s);
    long unread = (long)sd_min_u64(sd_load_acquire(&s->rx.dir->p.tail) - sd_own_head(s), SD_RING_BYTES);
    if (!sd_mode_uses_ring(sd_load(&s->mode)) || (!unread && moved))
        return SD_PASS;
    int behind = 0;
    if (moved)
        sd_sys_ioctl(fd, FIONREAD, &behind);
    return unread + behind;
}

long sd_unsent_bytes(int fd)
{
    struct sd_socket *s = sd_socket_here(fd);
    if (!s || !sd_mode_uses_ring(sd_load(&s->mode)) || sd_move_outside(s))
        return SD_PASS;
    uint64_t unread = sd_min_u64(sd_own_tail(s) - sd_load_acquire(&s->tx.dir->c.head), SD_RING_BYTES);
    uint64_t theirs =
        s->family == AF_UNIX ? 0 : sd_peer_buffer(s); /* what TCP would have brought there has been sent */
    return unread > theirs ? (long)(unread - theirs) : 0;
}

long sd_take_error(int fd)
{
    struct sd_socket *s = sd_socket_here(fd);
    if (!s || !sd_mode_uses_ring(sd_load(&s->mode)))
        return SD_PASS;
    sd_look_now_and_then(s, fd);
    sd_readiness(s); /* a reset that nobody has looked at yet */
    if (!sd_mode_uses_ring(sd_load(&s->mode)))
        return SD_PASS;
    return sd_move_uses_companion(s) ? SD_PASS : sd_tell_error(s);
}

void sd_count_kernel(int fd, long sent, long received)
{
    struct sd_socket *s = sd_socket_of(fd);
    if (!s)
        return;
    if (sent > 0)
        atomic_fetch_add_explicit(&s->rec.kernel_sent_bytes, (uint64_t)sent, memory_order_relaxed);
    if (received > 0)
        atomic_fetch_add_explicit(&s->rec.kernel_received_bytes, (uint64_t)received, memory_order_relaxed);
}

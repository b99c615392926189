/* Buffers as programs size them, and windows. Theory: buffers.h. */
#include "core/buffers.h"

#include "core/epoll.h"
#include "core/peer.h"
#include "core/ring.h"
#include "core/sys.h"
#include "core/thread.h"
#include "core/wait.h"

static uint32_t kernel_value(int fd, int name)
{
    int value = 0;
    socklen_t len = sizeof value;
    sd_sys_getsockopt(fd, SOL_SOCKET, name, &value, &len);
    return value > 0 ? (uint32_t)value : 0;
}

void sd_buffers_inherit(struct sd_socket *s, const struct sd_socket *listener)
{
    sd_store(&s->send_buffer, sd_load(&((struct sd_socket *)listener)->send_buffer));
    sd_store(&s->receive_buffer, sd_load(&((struct sd_socket *)listener)->receive_buffer));
    sd_store(&s->low_mark, sd_load(&((struct sd_socket *)listener)->low_mark));
}

/* --- the low mark --- */

void sd_mark_keep(struct sd_socket *s)
{
    if (sd_likely(sd_load(&s->low_mark) <= 1))
        return;
    s->rx.tail_seen -= s->rx.m.avail;
    sd_ring_rx_step(&s->rx.m, SD_RING_RX_EV_UNSEE, 0);
    assert(s->rx.m.avail == 0);
}

/* A mark beyond what a producer puts there before it waits would never be reached. */
uint64_t sd_readable_from_mark(const struct sd_socket *s)
{
    uint64_t window = sd_load(&s->rx.dir->p.window);
    window = window && window < SD_RING_BYTES ? window : SD_RING_BYTES;
    return sd_min_u64(sd_load(&((struct sd_socket *)s)->low_mark), sd_writable_up_to(window));
}

static void mark_set(struct sd_socket *s)
{
    if (!sd_mode_uses_ring(sd_load(&s->mode)) || !sd_token_enter(&s->rx.token))
        return; /* in a handler that interrupted a receive: that receive still goes by the old mark */
    bool on_ring = sd_mode_uses_ring(sd_load(&s->mode));
    if (on_ring) {
        sd_mark_keep(s);
        sd_wake_own_sleepers(s);
    }
    sd_token_leave(&s->rx.token);
    if (on_ring)
        sd_epoll_news(s);
}

/* --- windows --- */

static void show(struct sd_socket *s)
{
    sd_store(&s->rx.dir->c.buffer, sd_load(&s->receive_buffer));
}

void sd_buffers_attach(struct sd_socket *s)
{
    show(s);
    sd_mark_keep(s);
}

uint64_t sd_peer_buffer(const struct sd_socket *s)
{
    uint32_t theirs = sd_load(&s->tx.dir->c.buffer);
    return theirs ? theirs : SD_RECEIVE_BUFFER_BYTES;
}

#define OFFER_BYTES_MIN 16384u /* TCP over loopback takes as much with the smallest buffers that one may choose */

uint64_t sd_offer_window(const struct sd_socket *s)
{
    uint64_t ours = sd_load(&((struct sd_socket *)s)->send_buffer);
    if (!ours)
        return SD_RING_BYTES;
    uint64_t taken = ours - ours / 8;
    return sd_min_u64(taken > OFFER_BYTES_MIN ? taken : OFFER_BYTES_MIN, SD_RING_BYTES);
}

/* What the peer wrote makes the window larger or smaller, and no more than the ring. */
static uint64_t wanted_window(const struct sd_socket *s)
{
    uint32_t ours = sd_load(&((struct sd_socket *)s)->send_buffer);
    if (s->rec.side == 0 && sd_load(&((struct sd_socket *)s)->mode) != SD_MODE_RING)
        return sd_offer_window(s);
    uint64_t theirs =
        s->family == AF_UNIX ? 0 : sd_peer_buffer(s); /* there what is sent is the sender's until it is read */
    return ours ? sd_min_u64(ours + theirs, SD_RING_BYTES) : SD_RING_BYTES;
}

bool sd_window_follow(struct sd_socket *s)
{
    uint64_t window = wanted_window(s);
    if (sd_likely(window == s->tx.m.window))
        return false;
    uint32_t effect = sd_ring_tx_step(&s->tx.m, SD_RING_TX_EV_WINDOW, window);
    sd_store(&s->tx.dir->p.window, (uint32_t)window);
    return effect == SD_RING_TX_DO_RETRY;
}

static void follow_own(struct sd_socket *s)
{
    if (!sd_mode_uses_ring(sd_load(&s->mode)) || !sd_token_enter(&s->tx.token))
        return; /* in a handler that interrupted a send: the next look for room follows */
    bool on_ring = sd_mode_uses_ring(sd_load(&s->mode));
    if (on_ring) {
        sd_window_follow(s);
        sd_wake_own_sleepers(s);
    }
    sd_token_leave(&s->tx.token);
    if (on_ring)
        sd_epoll_news(s);
}

/* The producer shall look, whether it waits for room or believes that it has some. */
static void show_peer(struct sd_socket *s)
{
    if (!sd_mode_uses_ring(sd_load(&s->mode)) || !sd_token_enter(&s->rx.token))
        return;
    if (sd_mode_uses_ring(sd_load(&s->mode))) {
        struct sd_attention *waits = &s->rx.dir->room_wait;
        show(s);
        atomic_fetch_or(&s->rx.dir->data_wait.armed, SD_ARM_POKE);
        sd_fence_sleeper(); /* pairs with the fence of a producer that goes to sleep, and with sd_notify */
        sd_attend(s, waits, sd_load(&waits->armed) & (SD_ARM_WATCHED | SD_ARM_SLEEPER | SD_ARM_NAP), true);
    }
    sd_token_leave(&s->rx.token);
}

void sd_option_set(int fd, int name)
{
    struct sd_socket *s = sd_socket_of(fd);
    if (!s)
        return;
    switch (name) {
    case SO_SNDBUF:
        sd_store(&s->send_buffer, kernel_value(fd, SO_SNDBUF));
        follow_own(s);
        break;
    case SO_RCVBUF:
        sd_store(&s->receive_buffer, kernel_value(fd, SO_RCVBUF));
        show_peer(s);
        break;
    case SO_RCVLOWAT:
        sd_store(&s->low_mark, kernel_value(fd, SO_RCVLOWAT));
        mark_set(s);
        break;
    default: break;
    }
}

/* What the other side did. Theory: peer.h. */
#include "core/peer.h"
#include "core/record.h"

#include "core/backlog.h"
#include "core/blocked.h"
#include "core/buffers.h"
#include "core/epoll.h"
#include "core/forward.h"
#include "core/move.h"
#include "core/ring.h"
#include "core/sys.h"
#include "core/thread.h"
#include "core/unix.h"
#include "core/wait.h"

#define PENDING_LOOK_NS 200000u  /* an offer that comes rings no bell */
#define LOOK_AGAIN_NS   5000000u /* who polls without sleeping notices a dead peer so fast */
#define WARM_SLOTS      8        /* of each lease: their rings keep their pages when they are free */
#define RESET_ANSWER_NS 5000000u /* over loopback it is there when send returns, on a machine that is not busy */
#define KEPT_BYTES      65536u   /* of each other ring */

bool sd_both_enter(struct sd_socket *s)
{
    if (!sd_token_enter(&s->tx.token))
        return false;
    if (sd_token_enter_second(&s->rx.token))
        return true;
    sd_token_leave(&s->tx.token);
    return false;
}

void sd_both_leave(struct sd_socket *s)
{
    sd_token_leave(&s->rx.token);
    sd_token_leave(&s->tx.token);
}

/* A holder that was killed in the middle has counted bytes that it did not put or take: count anew from the positions, and
 * show the peer the position that it may have reached and not shown. */
static void recount_tx(struct sd_socket *s)
{
    struct sd_tx *tx = &s->tx;
    sd_store_release(&tx->dir->p.tail, tx->tail); /* pairs with sd_ring_new_bytes */
    uint64_t used = tx->tail - tx->head_seen;
    tx->m.free = tx->m.window > used ? tx->m.window - used : 0;
    tx->m.owed = used > tx->m.window ? (uint32_t)(used - tx->m.window) : 0;
    if (tx->m.free && tx->m.state == SD_RING_TX_STARVED)
        tx->m.state = SD_RING_TX_OPEN;
    SD_RECORD_REPAIRED(ring_tx, &tx->m);
    if (tx->mover.left) {
        tx->mover.left = tx->tail - tx->resend_from;
        SD_RECORD_REPAIRED(mover, &tx->mover);
    }
}

static void recount_rx(struct sd_socket *s)
{
    struct sd_rx *rx = &s->rx;
    sd_store_release(&rx->dir->c.head, rx->head); /* pairs with sd_ring_new_room */
    rx->m.avail = rx->tail_seen - rx->head;
    if (rx->m.avail && rx->m.state == SD_RING_RX_DRY)
        rx->m.state = SD_RING_RX_OPEN;
    SD_RECORD_REPAIRED(ring_rx, &rx->m);
}

void sd_token_taken_over(struct sd_token *token)
{
    uintptr_t at = (uintptr_t)token - (uintptr_t)sd_g.sockets;
    if (at >= SD_SOCKETS * sizeof(struct sd_socket))
        return;
    struct sd_socket *s = &sd_g.sockets[at / sizeof(struct sd_socket)];
    if (!sd_mode_uses_ring(sd_load(&s->mode)))
        return;
    if (token == &s->tx.token)
        recount_tx(s);
    else
        recount_rx(s);
}

int sd_fd_of(const struct sd_socket *s)
{
    uint32_t guess = sd_load(&((struct sd_socket *)s)->rec.fd);
    if (guess < sd_g.file_count && sd_load(&sd_g.files[guess].sock) == s)
        return (int)guess;
    uint32_t high = sd_load(&sd_g.sock_high);
    for (uint32_t fd = 0; fd < high; fd++)
        if (sd_load(&sd_g.files[fd].sock) == s)
            return (int)fd;
    return sd_kept_of(s);
}

void sd_mode_announce(struct sd_socket *s)
{
    sd_epoll_mode_changed(s);
}

/* --- ends that several processes share --- */

/* The slot and the mark come from different threads: either this one sees the slot, or sd_attach_slot the mark. */
static void show_shared(struct sd_socket *s)
{
    struct sd_slab *slab = s->slab;
    if (slab && sd_load(&s->shared))
        atomic_store(&sd_own_side(slab, s->rec.side)->shared, 1);
}

/* Who sleeps already has not seen it, and shall look: pairs with the loads in sd_slab_shared, which follow the
 * announcement; all four are sequentially consistent. */
void sd_peer_shared(struct sd_socket *s)
{
    if (sd_load(&s->shared))
        return;
    atomic_store(&s->shared, 1);
    atomic_thread_fence(memory_order_seq_cst); /* pairs with the fence in sd_attach_slot */
    show_shared(s);
    if (sd_mode_uses_ring(sd_load_acquire(&s->mode)))
        sd_wake_all(s);
}

bool sd_slab_shared(struct sd_slab *slab)
{
    return atomic_load(&slab->side[0].shared) | atomic_load(&slab->side[1].shared);
}

static void bury(struct sd_token *token)
{
    if (sd_token_abandoned(token) && sd_token_enter(token))
        sd_token_leave(token);
}

bool sd_peer_died_inside(struct sd_socket *s)
{
    return sd_load(&s->shared) && sd_mode_uses_ring(sd_load(&s->mode)) &&
           (sd_token_abandoned(&s->rx.token) || sd_token_abandoned(&s->tx.token));
}

void sd_peer_bury(struct sd_socket *s)
{
    if (sd_likely(!sd_peer_died_inside(s)))
        return;
    bury(&s->rx.token);
    bury(&s->tx.token);
}

/* --- the slot --- */

void sd_attach_slot(struct sd_socket *s, struct sd_slab *slab, uint32_t slot, uint32_t side)
{
    size_t out = 2 * slot + side, in = 2 * slot + !side;
    uint8_t *rings = (uint8_t *)slab + SD_SLAB_RINGS_OFFSET;
    s->slab = slab;
    s->slot = &slab->slot[slot];
    s->rec.side = side;
    s->rec.slot = slot;
    struct sd_tx *tx = &s->tx;
    struct sd_rx *rx = &s->rx;
    tx->dir = &s->slot->dir[side];
    rx->dir = &s->slot->dir[!side];
    tx->front = slab->front + out * SD_FRONT_BYTES;
    rx->front = slab->front + in * SD_FRONT_BYTES;
    tx->rest = rings + out * SD_RING_BYTES;
    rx->rest = rings + in * SD_RING_BYTES;
    s->peer_side = &slab->side[!side];
    s->peer_ready = &s->peer_side->ready[slot];
    tx->tail = tx->base = tx->head_seen = tx->resend_from = 0;
    tx->held_ns = 0;
    rx->head = rx->base = rx->tail_seen = 0;
    sd_forward_hint(s, sd_load(&s->rec.fd));
    sd_ring_tx_start(&tx->m);
    sd_ring_rx_start(&rx->m);
    sd_buffers_attach(s);
    sd_mover_start(&tx->mover);
    sd_leaver_start(&rx->leaver);
    sd_teardown_start(&s->teardown);
    sd_record_bind(s);
    if (s->family == AF_UNIX)
        sd_teardown_step(&s->teardown, SD_TEARDOWN_EV_UNIX, 0);
    sd_store(&s->gone, 0);
    sd_store(&s->strays, 0);
    sd_store(&s->receiving, SD_RING_RX_OPEN);
    sd_store(&s->error, 0);
    sd_store(&s->shut, 0);
    atomic_thread_fence(memory_order_seq_cst); /* pairs with the fence in sd_peer_shared */
    show_shared(s);
}

/* The rings of a slot that is free: what a stream filled goes back, except in the first slots, which stay warm. */
static void give_rings_back(struct sd_socket *s)
{
    if (s->rec.slot < WARM_SLOTS)
        return;
    const struct sd_tx *tx = &s->tx;
    const struct sd_rx *rx = &s->rx;
    if (tx->tail > KEPT_BYTES)
        sd_sys_madvise(tx->rest + KEPT_BYTES, SD_RING_BYTES - KEPT_BYTES, MADV_REMOVE);
    if (rx->head > KEPT_BYTES)
        sd_sys_madvise(rx->rest + KEPT_BYTES, SD_RING_BYTES - KEPT_BYTES, MADV_REMOVE);
}

void sd_release_slot(struct sd_socket *s, bool for_peer_too)
{
    struct sd_slot *slot = s->slot;
    uint32_t word = sd_load(&slot->offer);
    uint32_t add = for_peer_too ? 2 : 1;
    if (atomic_fetch_add(&slot->done, add) + add >= 2) {
        uint32_t generation = word / SD_OFFER_STATES + 1;
        give_rings_back(s);
        sd_store(&slot->done, 0);
        sd_store_release(&slot->offer, generation * SD_OFFER_STATES + SD_OFFER_FREE);
    }
}

/* --- readiness --- */

static bool peer_finished(uint32_t flags, uint32_t gone)
{
    return gone || (flags & (SD_TX_FIN | SD_TX_CLOSED | SD_TX_RESET));
}

/* What is shut of a Unix connection, as its kernel keeps it: bit 0 reading, bit 1 writing, by whichever end. */
static uint32_t shut_at_either(struct sd_socket *s, bool finished)
{
    uint32_t theirs = sd_load_acquire(&s->rx.dir->p.flags);
    bool closed = (theirs & (SD_TX_CLOSED | SD_TX_RESET)) || sd_load(&s->gone);
    bool deaf = closed || (sd_load_acquire(&s->tx.dir->c.flags) & SD_RX_DEAF);
    return sd_load(&s->shut) | (finished ? 1u : 0u) | (deaf ? 2u : 0u);
}

static uint32_t unix_readiness(struct sd_socket *s, bool finished)
{
    uint32_t shut = shut_at_either(s, finished);
    bool data = sd_load_acquire(&s->rx.dir->p.tail) - sd_own_head(s) >= sd_readable_from(s);
    uint64_t used = sd_own_tail(s) - sd_load_acquire(&s->tx.dir->c.head);
    uint32_t events = data || (shut & 1) ? POLLIN : 0;
    if (shut & 1)
        events |= POLLRDHUP;
    if (used <= sd_writable_up_to(sd_window(s)) || (shut & 2))
        events |= POLLOUT;
    if (shut == 3)
        events |= POLLHUP;
    return events | (sd_load(&s->error) ? POLLERR : 0);
}

static uint32_t ring_readiness(struct sd_socket *s)
{
    struct sd_direction *in = s->rx.dir;
    struct sd_direction *out = s->tx.dir;
    uint32_t flags = sd_load_acquire(&in->p.flags); /* before tail: a flag means that tail is final */
    uint32_t gone = sd_load(&s->gone);
    uint32_t shut = sd_load(&s->shut);
    uint32_t events = 0;
    bool finished = peer_finished(flags, gone) || SD_STATE_OF(&s->teardown) == SD_TEARDOWN_RESET;
    if (s->family == AF_UNIX)
        return unix_readiness(s, finished);
    if (sd_load_acquire(&in->p.tail) - sd_own_head(s) >= sd_readable_from(s) || finished || (shut & 1))
        events |= POLLIN;
    if (finished || (shut & 1))
        events |= POLLRDHUP;
    uint64_t used = sd_own_tail(s) - sd_load_acquire(&out->c.head);
    if (used <= sd_writable_up_to(sd_window(s)) || (shut & 2) || gone || SD_STATE_OF(&s->teardown) == SD_TEARDOWN_RESET)
        events |= POLLOUT;
    if (((finished || (shut & 1)) && (shut & 2)) || SD_STATE_OF(&s->teardown) == SD_TEARDOWN_RESET)
        events |= POLLHUP;
    if (sd_load(&s->error))
        events |= POLLERR;
    return events;
}

/* By the peer's word, or by its kernel's where it did not close, or because it broke the protocol, whatever it says. */
static bool was_reset(struct sd_socket *s, uint32_t flags)
{
    bool believed = (flags & SD_TX_CLOSED) && sd_load(&s->rec.reason) != SD_REASON_VIOLATION;
    return (flags & SD_TX_RESET) || (sd_load(&s->gone) == SD_GONE_RESET && !believed);
}

/* The peer reset the connection and the teardown machine does not know yet. */
static bool reset_unsettled(struct sd_socket *s)
{
    return was_reset(s, sd_load_acquire(&s->rx.dir->p.flags)) && SD_STATE_OF(&s->teardown) != SD_TEARDOWN_RESET &&
           SD_STATE_OF(&s->teardown) != SD_TEARDOWN_CLOSED;
}

/* Nothing has ended, broken or moved. */
static bool undisturbed(struct sd_socket *s)
{
    uint32_t flags = sd_load_acquire(&s->rx.dir->p.flags); /* before tail: a flag means that tail is final */
    return !(flags | sd_load(&s->gone) | sd_load(&s->shut) | sd_load(&s->error)) &&
           SD_STATE_OF(&s->teardown) != SD_TEARDOWN_RESET && !sd_move_uses_companion(s);
}

/* What ring_readiness answers then, of what is wanted: the peer's head lies in a line that nothing else needs. */
static uint32_t plain_readiness(struct sd_socket *s, uint32_t wanted)
{
    uint64_t unread = sd_load_acquire(&s->rx.dir->p.tail) - sd_own_head(s);
    uint32_t events = unread >= sd_readable_from(s) ? POLLIN : 0u;
    if (!(wanted & POLLOUT))
        return events;
    uint64_t used = sd_own_tail(s) - sd_load_acquire(&s->tx.dir->c.head);
    bool room = used <= sd_writable_up_to(sd_window(s)) || (sd_load(&s->tx.dir->c.flags) & SD_RX_DEAF);
    return events | (room ? POLLOUT : 0u);
}

uint32_t sd_readiness_of(struct sd_socket *s, uint32_t wanted)
{
    uint32_t mode = sd_load_acquire(&s->mode);
    if (sd_likely(mode == SD_MODE_RING && undisturbed(s)))
        return plain_readiness(s, wanted);
    if (mode == SD_MODE_PENDING) {
        sd_pending_look(s);
        mode = sd_load_acquire(&s->mode);
    }
    if (!sd_mode_uses_ring(mode))
        return 0;
    if (sd_unlikely(reset_unsettled(s)))
        sd_peer_settle(s);
    uint32_t events = ring_readiness(s);
    if (mode == SD_MODE_OFFERED && !(events & POLLOUT) && sd_offer_accepted(s))
        events = ring_readiness(s);
    return sd_move_readiness(s, events);
}

/* --- the companion --- */

bool sd_companion_wanted(const struct sd_socket *s)
{
    return !sd_load(&((struct sd_socket *)s)->gone) || sd_move_outside(s); /* what we send may still go there */
}

static long peek_at(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLRDHUP};
    struct timespec now = {0};
    char byte;
    if (sd_sys_ppoll(&p, 1, &now, NULL) != 1)
        return -EAGAIN;
    if (p.revents & POLLERR)
        return -ECONNRESET; /* a read would take the error that the program has yet to see */
    return sd_sys_recvfrom(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT, NULL, NULL);
}

/* What the companion shows: bytes (> 0), end of file (0), nothing (-EAGAIN), or how it broke. Another thread may have closed
 * the descriptor just before: what another file shows there counts for nothing. */
static long peek(const struct sd_socket *s, int fd)
{
    long seen = peek_at(fd);
    return sd_call_fd(s, fd) == fd ? seen : -EAGAIN;
}

static void break_send(struct sd_socket *s, int error)
{
    sd_ring_tx_step(&s->tx.m, SD_RING_TX_EV_BREAK, 0);
    sd_store(&s->error, (uint32_t)error);
    sd_store(&s->slow_send, 1);
}

/* A Unix connection has no error for it. */
static void shut_send(struct sd_socket *s)
{
    sd_ring_tx_step(&s->tx.m, SD_RING_TX_EV_BREAK, 0);
    sd_store(&s->slow_send, 1);
}

static uint32_t take_companion_error(int fd)
{
    uint32_t error = 0;
    socklen_t len = sizeof error;
    sd_sys_getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
    return error;
}

bool sd_companion_knows(const struct sd_socket *s, int fd)
{
    struct pollfd p = {.fd = fd};
    struct timespec now = {0};
    int tells = s->family == AF_UNIX ? POLLERR : POLLERR | POLLHUP; /* there HUP is any end */
    return fd >= 0 && sd_sys_ppoll(&p, 1, &now, NULL) == 1 && (p.revents & tells);
}

/* The other end is closed, so nobody reads the byte. An end that has not said so is left in peace. */
static void break_companion(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLRDHUP};
    struct timespec now = {0}, answer = {.tv_nsec = RESET_ANSWER_NS};
    if (fd < 0 || sd_sys_ppoll(&p, 1, &now, NULL) != 1 || (p.revents & (POLLERR | POLLHUP)))
        return;
    sd_sys_sendto(fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0);
    p.events = 0;
    sd_sys_ppoll(&p, 1, &answer, NULL);
}

static void publish_deaf(struct sd_direction *in)
{
    atomic_fetch_or_explicit(&in->c.flags, SD_RX_DEAF, memory_order_release); /* pairs with settle's load */
    atomic_fetch_or(&in->data_wait.armed, SD_ARM_POKE); /* the peer's next send finds that it is refused */
}

static void wake_senders(struct sd_socket *s)
{
    struct sd_attention *waits = &s->rx.dir->room_wait;
    sd_attend(s, waits, sd_load(&waits->armed) & (SD_ARM_WATCHED | SD_ARM_SLEEPER | SD_ARM_NAP), true);
}

static void perform(struct sd_socket *s, uint32_t effect)
{
    switch (effect) {
    case SD_TEARDOWN_DO_SHUT_SEND: shut_send(s); break;
    case SD_TEARDOWN_DO_WAKE_SENDERS: wake_senders(s); break;
    case SD_TEARDOWN_DO_RAISE_RESET: break_send(s, ECONNRESET); break;
    case SD_TEARDOWN_DO_BREAK_SEND: break_send(s, EPIPE); break;
    case SD_TEARDOWN_DO_BREAK_COMPANION: break_companion(sd_fd_of(s)); break;
    case SD_TEARDOWN_DO_FORGET_ERROR: take_companion_error(sd_fd_of(s)); break;
    case SD_TEARDOWN_DO_PUBLISH_FIN:
        atomic_fetch_or_explicit(&s->tx.dir->p.flags, SD_TX_FIN, memory_order_release); /* pairs with settle's load */
        break;
    case SD_TEARDOWN_DO_PUBLISH_DEAF: publish_deaf(s->rx.dir); break;
    case SD_TEARDOWN_DO_RESET_PEER:
        atomic_fetch_or_explicit(&s->tx.dir->p.flags, SD_TX_RESET, memory_order_release); /* pairs with settle's load */
        atomic_fetch_or(&s->rx.dir->data_wait.armed, SD_ARM_POKE); /* its next send, in vain as it is, tells of it */
        break;
    case SD_TEARDOWN_DO_REFUSED_SEND:
    case SD_TEARDOWN_DO_LAST_SEND:
        sd_store(&s->refused_send, effect == SD_TEARDOWN_DO_REFUSED_SEND);
        sd_store(&s->last_send, true);
        sd_store(&s->slow_send, 1);
        break;
    default: /* DELIVER_EOF: readers find the flags themselves */ break;
    }
}

void sd_teardown_feed(struct sd_socket *s, uint32_t event, uint64_t arg)
{
    uint32_t effects = sd_teardown_step(&s->teardown, event, arg);
    if (effects == SD_NO_ROW)
        return;
    for (; effects; effects >>= 8)
        perform(s, effects & 0xff);
}

/* The peer's end as events of the teardown machine. With both tokens. */
static void settle(struct sd_socket *s)
{
    uint32_t flags = sd_load_acquire(&s->rx.dir->p.flags);
    uint64_t unread = s->tx.tail - sd_load(&s->tx.dir->c.head);
    if (flags & SD_TX_FIN) /* it came before all else */
        sd_teardown_feed(s, SD_TEARDOWN_EV_PEER_FIN, 0);
    if (was_reset(s, flags))
        sd_teardown_feed(s, SD_TEARDOWN_EV_PEER_RESET, 0);
    else if (flags & SD_TX_CLOSED)
        sd_teardown_feed(s, SD_TEARDOWN_EV_PEER_CLOSED, 0);
    else if (sd_load(&s->gone)) {
        s->peer_dead = true;
        sd_teardown_feed(s, SD_TEARDOWN_EV_PEER_GONE, unread);
    } else if (sd_load_acquire(&s->tx.dir->c.flags) & SD_RX_DEAF)
        sd_teardown_feed(s, SD_TEARDOWN_EV_PEER_DEAF, 0);
}

void sd_peer_settle(struct sd_socket *s)
{
    if (!sd_both_enter(s))
        return;
    if (sd_mode_uses_ring(sd_load(&s->mode)))
        settle(s);
    sd_both_leave(s);
    sd_epoll_news(s);
}

static void note_gone(struct sd_socket *s, uint32_t how)
{
    sd_store(&s->gone, how);
    sd_peer_settle(s);
}

static uint64_t look_ring(struct sd_socket *s, int fd)
{
    sd_store(&s->checked_ns, sd_now_ns());
    sd_peer_bury(s);
    if (sd_move_uses_companion(s))
        return sd_move_look(s, fd);
    if (sd_load(&s->gone))
        return UINT64_MAX;
    long seen = peek(s, fd);
    if (seen > 0)
        sd_move_surprised(s);
    else if (seen != -EAGAIN && seen != -EINTR)
        note_gone(s, seen == 0 ? SD_GONE_EOF : SD_GONE_RESET);
    return UINT64_MAX;
}

/* Time counts only once the connection has left the server's backlog. Of threads that look at once, each may count it. */
static bool patience_is_over(struct sd_socket *s)
{
    bool queued = s->family == AF_UNIX ? sd_unix_in_backlog(sd_fd_of(s)) : sd_in_backlog(&s->rec.peer, &s->rec.local);
    uint64_t waited_ns = queued ? 0 : sd_load(&s->unqueued_ns) + SD_OFFER_LOOK_NS;
    sd_store(&s->unqueued_ns, waited_ns);
    s->deadline_ns = sd_now_ns() + SD_OFFER_LOOK_NS;
    return waited_ns >= SD_OFFER_TIMEOUT_NS;
}

static uint64_t look_offered(struct sd_socket *s, int fd)
{
    if (sd_offer_accepted(s))
        return look_ring(s, fd);
    long seen = peek(s, fd);
    if (seen != -EAGAIN && seen != -EINTR)
        sd_offer_withdraw(s, fd, SD_CLIENT_EV_COMPANION_DATA, SD_REASON_PEER_PLAIN);
    else if (sd_now_ns() < s->deadline_ns || !patience_is_over(s))
        return s->deadline_ns;
    else
        sd_offer_withdraw(s, fd, SD_CLIENT_EV_EXPIRED, SD_REASON_OFFER_TIMEOUT);
    if (sd_load(&s->mode) != SD_MODE_OFFERED)
        return UINT64_MAX;
    sd_store(&s->unqueued_ns, 0); /* patience begins anew */
    return s->deadline_ns;
}

static uint64_t look_pending(struct sd_socket *s, int fd)
{
    sd_pending_look(s);
    if (sd_load(&s->mode) != SD_MODE_PENDING)
        return UINT64_MAX;
    long seen = peek(s, fd);
    if (seen == 0 || (seen < 0 && seen != -EAGAIN && seen != -EINTR))
        sd_pending_expire(s, SD_SERVER_EV_COMPANION_EOF, SD_REASON_CLOSED_EARLY);
    else if (seen > 0)
        sd_pending_expire(s, SD_SERVER_EV_COMPANION_DATA, SD_REASON_PEER_PLAIN);
    else if (sd_now_ns() >= s->deadline_ns || sd_pending_in_vain(s))
        sd_pending_expire(s, SD_SERVER_EV_EXPIRED, SD_REASON_OFFER_TIMEOUT);
    else
        return sd_min_u64(s->deadline_ns, sd_now_ns() + PENDING_LOOK_NS);
    return UINT64_MAX;
}

uint64_t sd_look_at_companion(struct sd_socket *s, int fd)
{
    switch (sd_load_acquire(&s->mode)) {
    case SD_MODE_RING: return look_ring(s, fd);
    case SD_MODE_OFFERED: return look_offered(s, fd);
    case SD_MODE_PENDING: return look_pending(s, fd);
    default: return UINT64_MAX;
    }
}

bool sd_look_now_and_then(struct sd_socket *s, int fd)
{
    uint64_t now = sd_now_ns();
    if (now - sd_load(&s->checked_ns) < LOOK_AGAIN_NS && sd_load(&s->mode) == SD_MODE_RING)
        return false;
    sd_store(&s->checked_ns, now);
    sd_look_at_companion(s, fd);
    return true;
}

long sd_tell_error(struct sd_socket *s)
{
    long error = (long)atomic_exchange(&s->error, 0);
    if (error)
        take_companion_error(sd_fd_of(s));
    return error;
}

void sd_peer_to_kernel(struct sd_socket *s)
{
    sd_teardown_feed(s, SD_TEARDOWN_EV_TO_KERNEL, sd_load(&s->error) != 0);
}

/* The peer closed before this byte was sent: Linux lets the first send succeed, then the answer is a reset. */
void sd_peer_had_closed(struct sd_socket *s)
{
    if (!sd_both_enter(s))
        return;
    bool broken = s->tx.m.state == SD_RING_TX_BROKEN;
    settle(s);
    bool ended = s->tx.m.state == SD_RING_TX_SHUT || broken; /* it was our FIN, or nothing: that provokes no reset */
    if (!ended && (sd_load(&s->last_send) || (sd_load_acquire(&s->tx.dir->c.flags) & SD_RX_CLOSED)))
        sd_teardown_feed(s, SD_TEARDOWN_EV_PEER_RESET, 0);
    sd_both_leave(s);
    if (sd_load(&s->refused_send))
        sd_notify(s, &s->tx.dir->data_wait, true); /* its end is reset, too */
    sd_epoll_news(s);
}

/* After POKE: look at the companion and the flags, and settle. */
static void look_after_poke(struct sd_socket *s)
{
    atomic_fetch_and(&s->tx.dir->data_wait.armed, ~(uint32_t)SD_ARM_POKE);
    int fd = sd_fd_of(s);
    if (fd >= 0)
        sd_look_at_companion(s, fd);
    sd_peer_settle(s);
}

void sd_look_before_sending(struct sd_socket *s)
{
    uint32_t mode = sd_load(&s->mode);
    if (sd_mode_uses_ring(mode) && (sd_load(&s->tx.dir->data_wait.armed) & SD_ARM_POKE))
        look_after_poke(s);
    if (mode == SD_MODE_OFFERED && !sd_offer_accepted(s))
        sd_look_at_companion(s, sd_fd_of(s)); /* refused without being accepted: then the kernel says so */
}

void sd_peer_calls(struct sd_socket *s, struct sd_attention *attention, uint32_t armed)
{
    atomic_fetch_and(&attention->armed, ~(uint32_t)SD_ARM_POKE); /* MOVE and DRAIN stay: requests until we have moved */
    int fd = sd_fd_of(s);
    if ((armed & SD_ARM_ASKS) && attention == &s->tx.dir->data_wait)
        sd_move_asked(s, fd);
    if (!(armed & SD_ARM_POKE))
        return;
    if (fd >= 0)
        sd_look_at_companion(s, fd);
    if (sd_mode_uses_ring(sd_load(&s->mode)) && attention == &s->tx.dir->data_wait)
        sd_peer_had_closed(s);
}

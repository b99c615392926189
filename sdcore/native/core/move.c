/* Moving a live connection to its companion. Theory: move.h. */
#include "core/move.h"

#include "core/control.h"
#include "core/api.h"
#include "core/away.h"
#include "core/follow.h"
#include "core/forward.h"
#include "core/peer.h"
#include "core/ring.h"
#include "core/sys.h"
#include "core/thread.h"
#include "core/wait.h"

#include <sys/ioctl.h>
#include <unistd.h>

#define ANSWER_YIELDS  20 /* how long we wait for a peer that is awake to send again what we leave unread, */
#define ANSWER_NAPS    5  /* and for one that must be woken first */
#define ANSWER_NAP_NS  1000000u
#define HELD_LOOK_NS   1000000u  /* nobody rings when the peer has put its bytes on the companion */
#define FORWARDING_NS  50000000u /* forwarding a whole ring takes a millisecond */
#define RESEND_LOOK_NS 20000000u /* the companion tells of room; only in case that it does not */

static uint32_t mover_state(const struct sd_socket *s)
{
    return SD_STATE_OF(&s->tx.mover); /* also without a token */
}

bool sd_move_left(const struct sd_socket *s)
{
    return sd_move_outside(s) && mover_state(s) != SD_MOVER_OUT;
}

bool sd_move_resends(const struct sd_socket *s)
{
    switch (mover_state(s)) {
    case SD_MOVER_LOOKING:
    case SD_MOVER_HELD:
    case SD_MOVER_RESENDING: return true;
    default: return false;
    }
}

/* Bytes wait, but not for room. */
static bool held(const struct sd_socket *s)
{
    return mover_state(s) == SD_MOVER_HELD;
}

/* With the receive token. */
static bool rx_moved(const struct sd_socket *s)
{
    return s->rx.m.state == SD_RING_RX_MOVED;
}

static uint32_t peer_flags(struct sd_socket *s)
{
    return sd_load_acquire(&s->rx.dir->p.flags);
}

static bool peer_moved(struct sd_socket *s)
{
    return peer_flags(s) & SD_TX_MOVED;
}

/* A peer that moves asks us to, and so does an administrator; a peer that moved without is taken at its word. */
static bool asked(struct sd_socket *s)
{
    return !sd_move_left(s) && ((sd_load(&s->tx.dir->data_wait.armed) & SD_ARM_ASKS) || peer_moved(s));
}

static bool drained(struct sd_socket *s)
{
    return sd_load(&s->slab->revoked) == SD_REVOKED_DRAINED;
}

/* With both tokens. */
static void note_why_asked(struct sd_socket *s)
{
    if (!drained(s)) {
        sd_store(&s->rec.reason, SD_REASON_MOVED_PEER);
        return;
    }
    sd_store(&s->rec.reason, SD_REASON_DRAINED);
    atomic_fetch_add(&sd_g.region->reason[SD_REASON_DRAINED], 1);
}

void sd_move_if_drained(struct sd_socket *s)
{
    if (drained(s)) /* after the swap of the offer: see move.h */
        atomic_fetch_or(&s->tx.dir->data_wait.armed, SD_ARM_DRAIN);
}

bool sd_move_uses_companion(struct sd_socket *s)
{
    /* what the receiving machine knows of it comes after the peer's flag, and is not ours to read without a token */
    uint32_t asks = sd_load(&s->tx.dir->data_wait.armed) & SD_ARM_ASKS;
    return sd_move_outside(s) | (asks != 0) | peer_moved(s) | sd_move_has_strays(s) | sd_is_away(s);
}

bool sd_move_received(struct sd_socket *s)
{
    bool moved = peer_moved(s); /* before tail: then tail is final */
    return sd_load(&s->receiving) == SD_RING_RX_MOVED ||
           (moved && sd_load_acquire(&s->rx.dir->p.tail) == sd_own_head(s));
}

#define PEEK_PARTS 64 /* of a buffer in more pieces a look shows the first */

long sd_move_peek_behind(struct sd_socket *s, int fd, uint64_t seen, const struct sd_place *to, int flags)
{
    struct iovec parts[PEEK_PARTS];
    struct msghdr msg = {.msg_iov = parts, .msg_iovlen = sd_min_u64(to->count, PEEK_PARTS)};
    bool moved = peer_moved(s); /* before tail: then tail is final */
    if (!moved || sd_load(&s->mode) != SD_MODE_RING || sd_load_acquire(&s->rx.dir->p.tail) - sd_own_head(s) != seen)
        return 0;
    memcpy(parts, to->iov, msg.msg_iovlen * sizeof *parts);
    parts[0].iov_base = (uint8_t *)parts[0].iov_base + to->offset;
    parts[0].iov_len -= to->offset;
    long r = sd_sys_recvmsg(fd, &msg, (flags & ~MSG_WAITALL) | MSG_DONTWAIT);
    return r > 0 ? r : 0;
}

static uint32_t companion_events(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP | POLLPRI};
    struct timespec now = {0};
    return fd >= 0 && sd_sys_ppoll(&p, 1, &now, NULL) == 1 ? (uint32_t)(uint16_t)p.revents : 0;
}

#define ENDING_FLAGS \
    (SD_TX_FIN | SD_TX_MOVED | SD_TX_CLOSED | SD_TX_RESET) /* a peer may set others, which mean nothing */
#define ENDED_EVENTS ((uint32_t)(POLLRDHUP | POLLERR | POLLHUP))

/* --- our direction: driver of `mover` --- */

#define NO_EVENT UINT32_MAX

/* What came of an effect. */
struct outcome {
    uint32_t event; /* to be fed next, or NO_EVENT */
    uint64_t arg;
    long result; /* for the caller */
};

/* Does the consumer still put bytes on the companion? One that is gone will never say that it is done. */
static bool forwards(struct sd_socket *s, int fd)
{
    if (sd_load(&s->gone))
        return false;
    if (!s->tx.held_ns)
        s->tx.held_ns = sd_now_ns();
    bool late = sd_now_ns() - s->tx.held_ns > FORWARDING_NS;
    uint32_t end = late ? ENDED_EVENTS : POLLERR | POLLHUP; /* it may have ended its own direction before */
    return !(companion_events(fd) & end);
}

/* What stood beside the consumer's head as an event. A head that is impossible leaves nothing. */
static void looked(struct sd_tx *tx, uint32_t flags, struct outcome *o)
{
    bool unread = flags & (SD_RX_ABANDONED | SD_RX_AWAY);
    uint64_t head = unread ? sd_load(&tx->dir->c.head) : tx->tail; /* final before ABANDONED is seen */
    o->arg = tx->tail - head > SD_RING_BYTES ? 0 : tx->tail - head;
    tx->resend_from = tx->tail - o->arg;
    o->event = flags & SD_RX_FORWARDING ? SD_MOVER_EV_FORWARDS : SD_MOVER_EV_LEFT;
}

static void looked_moving(struct sd_socket *s, int fd, uint32_t flags, struct outcome *o)
{
    looked(&s->tx, flags, o);
    if (o->event == SD_MOVER_EV_FORWARDS && !forwards(s, fd))
        o->event = SD_MOVER_EV_LATE;
}

/* Offers what is left to TCP, as far as it lies in one piece. Without a descriptor in this process: later. */
static void resend(struct sd_socket *s, int fd, struct outcome *o)
{
    struct sd_tx *tx = &s->tx;
    uint64_t offset = (tx->resend_from - tx->base) & SD_RING_MASK;
    size_t n = sd_min_u64(tx->tail - tx->resend_from, sd_ring_piece(offset));
    const uint8_t *from = sd_ring_at(tx->front, tx->rest, offset);
    long sent = -EAGAIN;
    if (fd >= 0)
        do
            sent = sd_sys_sendto(fd, from, n, MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0);
        while (sent == -EINTR);
    o->event = sent > 0 ? SD_MOVER_EV_SENT : sent == -EAGAIN ? SD_MOVER_EV_FULL : SD_MOVER_EV_BREAK;
    if (sent <= 0)
        return;
    o->arg = (uint64_t)sent;
    tx->resend_from += (uint64_t)sent;
    atomic_fetch_add(&s->rec.kernel_sent_bytes, (uint64_t)sent);
}

static void enter(struct sd_tx *tx, struct outcome *o)
{
    sd_ring_tx_step(&tx->m, SD_RING_TX_EV_JOIN, 0);
    o->result = SD_ENTERED;
}

/* The monitor outlives us and waits for a late reader; without one we wait, but not for long. */
static void hand_over(struct sd_socket *s, int fd)
{
    const struct sd_tx *tx = &s->tx;
    struct sd_carry what = {s->rec.side, tx->resend_from, tx->tail, tx->base};
    if (sd_carry(s, &what, fd, -1))
        return;
    uint64_t deadline = sd_now_ns() + SD_MOVE_LINGER_NS;
    struct outcome o = {.event = SD_MOVER_EV_FULL};
    while (tx->resend_from != tx->tail && o.event != SD_MOVER_EV_BREAK && sd_now_ns() < deadline) {
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        sd_sys_ppoll(&p, 1, &(struct timespec){.tv_nsec = HELD_LOOK_NS}, NULL);
        resend(s, fd, &o);
    }
}

static void publish_moved(struct sd_tx *tx)
{
    if (sd_ring_tx_step(&tx->m, SD_RING_TX_EV_MOVE, 0) == SD_RING_TX_DO_PUBLISH_MOVED)
        atomic_fetch_or(&tx->dir->p.flags, SD_TX_MOVED); /* before SEEN_MOVED: who sees that finds tail final */
}

static void perform(struct sd_socket *s, int fd, uint32_t effect, struct outcome *o)
{
    struct sd_tx *tx = &s->tx;
    switch (effect) {
    case SD_MOVER_DO_ENTER: enter(tx, o); break;
    case SD_MOVER_DO_PUBLISH_MOVED: publish_moved(tx); break;
    case SD_MOVER_DO_PUBLISH_FIN: atomic_fetch_or(&tx->dir->p.flags, SD_TX_FIN); break;
    case SD_MOVER_DO_LOOK_MOVED: looked_moving(s, fd, atomic_fetch_or(&tx->dir->c.flags, SD_RX_SEEN_MOVED), o); break;
    case SD_MOVER_DO_LOOK_AGAIN: looked_moving(s, fd, atomic_load(&tx->dir->c.flags), o); break;
    case SD_MOVER_DO_LOOK_CLOSED: looked(tx, atomic_fetch_or(&tx->dir->c.flags, SD_RX_SEEN_CLOSED), o); break;
    case SD_MOVER_DO_MARK_CLOSED: atomic_fetch_or(&tx->dir->c.flags, SD_RX_SEEN_CLOSED); break;
    case SD_MOVER_DO_RESEND: resend(s, fd, o); break;
    case SD_MOVER_DO_END_COMPANION: o->result = fd >= 0 ? sd_sys_shutdown(fd, SHUT_WR) : 0; break;
    case SD_MOVER_DO_PASS: o->result = SD_PASS; break;
    case SD_MOVER_DO_BROKEN_PIPE: o->result = -EPIPE; break;
    case SD_MOVER_DO_HAND_OVER: hand_over(s, fd); break;
    default: assert(effect == SD_MOVER_DO_WAIT);
    }
}

/* With the send token; to move, and to end, with both. */
static long feed(struct sd_socket *s, int fd, uint32_t event, uint64_t arg)
{
    struct outcome o = {.event = event, .arg = arg};
    while (o.event != NO_EVENT) {
        uint32_t todo = sd_mover_step(&s->tx.mover, o.event, o.arg);
        o.event = NO_EVENT;
        for (; todo && todo != SD_NO_ROW; todo >>= 8)
            perform(s, fd, todo & 0xff, &o);
    }
    return o.result;
}

/* Sends again as much as TCP takes now; true when nothing is left. With the send token. */
static bool flush(struct sd_socket *s, int fd)
{
    if (sd_move_resends(s))
        feed(s, fd, SD_MOVER_EV_TRY, 0);
    return !sd_move_resends(s);
}

long sd_move_turn(struct sd_socket *s, size_t n)
{
    if (sd_unlikely(sd_move_resends(s)))
        flush(s, sd_fd_of(s));
    if (n && sd_is_awaited(s) && feed(s, -1, SD_MOVER_EV_JOIN, sd_under_way(sd_fd_of(s))) == SD_ENTERED)
        return SD_ENTERED;
    return feed(s, -1, SD_MOVER_EV_SEND, 0);
}

long sd_move_end(struct sd_socket *s, int fd)
{
    return feed(s, fd, SD_MOVER_EV_SHUTDOWN, 0);
}

void sd_move_closed(struct sd_socket *s, int fd)
{
    feed(s, fd, SD_MOVER_EV_CLOSE, 0);
}

bool sd_move_withdrawn(struct sd_socket *s, int fd)
{
    sd_ring_tx_step(&s->tx.m, SD_RING_TX_EV_MOVE, 0);
    s->tx.resend_from = 0;
    feed(s, fd, SD_MOVER_EV_WITHDRAW, s->tx.tail);
    if (!sd_move_resends(s))
        return true;
    /* nobody is there to say so for the other direction, or to give the slot back */
    atomic_fetch_or(&s->rx.dir->p.flags, SD_TX_MOVED);
    s->peer_dead = true;
    return false;
}

/* Wakes who waits there; what the peer asks of us meanwhile is looked at when no token is held. */
static void wake_peer(struct sd_socket *s, struct sd_attention *attention)
{
    sd_attend(s, attention, sd_load(&attention->armed) & (SD_ARM_WATCHED | SD_ARM_SLEEPER | SD_ARM_NAP), true);
}

/* Both sides look again: what they wait for, and where, may have changed. */
static void tell_everybody(struct sd_socket *s)
{
    atomic_thread_fence(memory_order_seq_cst); /* our flags are out before we look who sleeps: as in sd_notify */
    wake_peer(s, &s->tx.dir->data_wait);
    wake_peer(s, &s->rx.dir->room_wait);
    sd_wake_own_sleepers(s);
}

void sd_move_asked(struct sd_socket *s, int fd)
{
    sd_offer_accepted(s); /* who asks has taken up our offer, though we may not have looked yet */
    if (!sd_both_enter(s))
        return;
    bool moves = sd_load(&s->mode) == SD_MODE_RING && !sd_move_left(s);
    if (moves) {
        feed(s, fd, SD_MOVER_EV_MOVE, 0);
        tell_everybody(s);
        note_why_asked(s);
    }
    sd_both_leave(s);
    if (moves)
        sd_mode_announce(s);
    sd_move_finish(s);
}

void sd_move_attend(struct sd_socket *s, int fd)
{
    if (sd_mode_uses_ring(sd_load_acquire(&s->mode)) && sd_unlikely(asked(s)))
        sd_move_asked(s, fd);
}

/* --- both --- */

/* A stream that ended in the ring counts as moved when it has ended on the companion too: until then the kernel would
 * wait for bytes. */
static bool receiving_over(struct sd_socket *s)
{
    bool ended = s->rx.m.state == SD_RING_RX_ENDED || s->rx.m.state == SD_RING_RX_BROKEN;
    return rx_moved(s) || (ended && (companion_events(sd_fd_of(s)) & ENDED_EVENTS));
}

/* The kernel, which saw an orderly end, would never tell of it. */
static bool untold_reset(struct sd_socket *s)
{
    return sd_load(&s->error) == ECONNRESET && !sd_companion_knows(s, sd_fd_of(s));
}

/* The ring is read empty, and no more comes there: what a read would find, which one that waits by poll may never make.
 * With both tokens. */
static void notice_received(struct sd_socket *s)
{
    struct sd_rx *rx = &s->rx;
    uint32_t flags = peer_flags(s); /* before tail: then tail is final */
    bool over = (flags & SD_TX_MOVED) && !(flags & SD_TX_RESET) && sd_load_acquire(&rx->dir->p.tail) == rx->head;
    uint32_t effect = over ? sd_ring_rx_step(&rx->m, SD_RING_RX_EV_RECV, 1) : 0;
    if (effect == SD_RING_RX_DO_LOOK || effect == SD_RING_RX_DO_LOOK_BOTH)
        sd_ring_rx_step(&rx->m, SD_RING_RX_EV_MOVED, 0);
    sd_show_receiving(s);
}

/* With both tokens. The slot is given back by leave_slot, after that. */
static void become_kernel(struct sd_socket *s)
{
    int fd = sd_fd_of(s);
    if ((sd_load(&s->shut) & 1) && fd >= 0)
        sd_sys_shutdown(fd, SHUT_RD);
    if ((sd_load(&s->shut) & 2) && fd >= 0 && mover_state(s) == SD_MOVER_OVER)
        sd_sys_shutdown(fd, SHUT_WR); /* a connection that stands in has not heard of it */
    sd_peer_to_kernel(s);
    sd_store(&s->rec.ring_sent_bytes, s->tx.tail);
    sd_store(&s->rec.ring_received_bytes, s->rx.head);
    sd_store(&s->rec.transport, SD_TRANSPORT_TCP);
    if (s->heir)
        sd_heir_begins(s);
    sd_store_release(&s->mode, s->heir ? SD_MODE_ELSEWHERE : SD_MODE_KERNEL);
    sd_wake_own_sleepers(s);
    if (sd_load(&s->shared))
        sd_wake_own_watchers(s);
    sd_pin(s);
}

/* After become_kernel, without tokens. First the sets take their marks off the slot: once it is given back it may be
 * another connection's, which would lose its own. */
static void leave_slot(struct sd_socket *s)
{
    sd_mode_announce(s);
    sd_release_slot(s, s->peer_dead);
    sd_unpin(s);
}

void sd_move_finish(struct sd_socket *s)
{
    if (!sd_move_left(s) || sd_move_resends(s) || !sd_both_enter(s))
        return;
    bool moves = sd_load(&s->mode) == SD_MODE_RING && sd_move_left(s) && !sd_move_resends(s);
    if (moves)
        notice_received(s);
    bool finished = moves && receiving_over(s) && !untold_reset(s);
    if (finished) {
        s->left_at = UINT64_MAX;
        become_kernel(s);
    }
    sd_both_leave(s);
    if (finished)
        leave_slot(s);
}

static bool flush_in_turn(struct sd_socket *s, int fd)
{
    if (!sd_token_enter(&s->tx.token))
        return false;
    bool done = !sd_mode_uses_ring(sd_load(&s->mode)) || flush(s, fd);
    sd_token_leave(&s->tx.token);
    return done;
}

/* Who only waits would never come to that. Elsewhere than in a drained slab the slot may be another connection's at once,
 * and whoever looks for epoll has not taken its marks off yet. */
static void finish_drained(struct sd_socket *s)
{
    if (sd_mode_uses_ring(sd_load(&s->mode)) && drained(s) && sd_move_received(s))
        sd_move_finish(s);
}

void sd_move_pressed(struct sd_socket *s, int fd)
{
    if (!sd_mode_uses_ring(sd_load_acquire(&s->mode)) || !(sd_load(&s->tx.dir->data_wait.armed) & SD_ARM_DRAIN))
        return;
    sd_move_attend(s, fd);
    if (sd_move_left(s)) {
        flush_in_turn(s, fd);
        finish_drained(s);
    }
}

/* --- leaving --- */

/* Waits until all is sent that the peer left to us; without tokens. */
static void push_out(struct sd_socket *s, int fd)
{
    uint64_t deadline = sd_now_ns() + SD_MOVE_LINGER_NS;
    while (!flush_in_turn(s, fd) && sd_now_ns() < deadline) {
        struct pollfd p = {.fd = held(s) ? -1 : fd, .events = POLLOUT};
        struct timespec nap = {.tv_nsec = HELD_LOOK_NS};
        sd_sys_ppoll(&p, 1, &nap, NULL);
    }
}

long sd_move_before_read(struct sd_socket *s, int fd, uint64_t deadline_ns)
{
    while (!flush_in_turn(s, fd)) {
        struct pollfd p = {.fd = fd, .events = (short)(POLLIN | POLLRDHUP | (held(s) ? 0 : POLLOUT))};
        struct timespec nap = {.tv_nsec = held(s) ? HELD_LOOK_NS : RESEND_LOOK_NS};
        long r = sd_sys_ppoll(&p, 1, &nap, NULL);
        if (r < 0)
            return r;
        if (r > 0 && (p.revents & ~POLLOUT))
            return 0;
        if (sd_now_ns() >= deadline_ns)
            return -EAGAIN;
    }
    return 0;
}

void sd_move_close(struct sd_socket *s, int fd)
{
    sd_move_attend(s, fd);
    if (sd_mode_uses_ring(sd_load(&s->mode)) && sd_move_resends(s))
        push_out(s, fd);
}

/* With AF_UNIX it must not send before it has looked: if nobody has the other end any more, that send fails. */
static void ask_peer(struct sd_socket *s)
{
    uint32_t look = s->family == AF_UNIX ? SD_ARM_POKE : 0;
    atomic_fetch_or(&s->rx.dir->data_wait.armed, SD_ARM_MOVE | look);
    sd_fence_sleeper(); /* pairs with the compiler fence in sd_notify: its next publish sees the request */
}

/* Bytes that we could not put on the companion come from the peer: where it answers at once, whoever reads next shall
 * find them there. A peer that is busy elsewhere sends them later. The slot is ours no more: it may only be looked at. */
static void await_answer(const struct sd_slot *slot, uint32_t side, uint32_t word)
{
    struct timespec nap = {.tv_nsec = ANSWER_NAP_NS};
    const struct sd_producer *p = &slot->dir[!side].p;
    for (int i = 0; i < ANSWER_YIELDS + ANSWER_NAPS; i++) {
        if ((sd_load((_Atomic uint32_t *)&p->flags) & SD_TX_MOVED) || sd_load((_Atomic uint32_t *)&slot->offer) != word)
            return;
        if (i < ANSWER_YIELDS)
            sd_sys_yield();
        else
            sd_sys_ppoll(NULL, 0, &nap, NULL);
    }
}

/* With both tokens. False: the peer has to send again what we left. */
static bool move_ring(struct sd_socket *s, int fd, enum sd_reason reason, bool leave)
{
    bool settled = true;
    s->left_at = peer_moved(s) ? UINT64_MAX : s->rx.head;
    if (leave)
        settled = sd_forward_and_leave(s, fd, ask_peer);
    else
        ask_peer(s);
    feed(s, fd, SD_MOVER_EV_MOVE, 0);
    sd_store(&s->rec.reason, reason);
    atomic_fetch_add(&sd_g.region->reason[reason], 1);
    tell_everybody(s);
    if (leave)
        become_kernel(s);
    return settled;
}

long sd_move_to_kernel(int fd, enum sd_reason reason, bool leave)
{
    struct sd_socket *s = sd_socket_here(fd);
    if (!s)
        return SD_PASS;
    sd_join_no_more(s, reason);
    if (sd_load(&s->mode) == SD_MODE_PENDING)
        sd_pending_expire(s, SD_SERVER_EV_EXPIRED, reason);
    if (sd_load(&s->mode) == SD_MODE_OFFERED)
        sd_offer_withdraw(s, fd, SD_CLIENT_EV_LEAVE, reason);
    if (sd_load(&s->mode) != SD_MODE_RING)
        return 0;
    if (leave)
        sd_look_at_companion(s, fd); /* a peer that was killed: what we know of it goes over, too */
    sd_move_close(s, fd);            /* nothing of ours may stay behind */
    if (!sd_both_enter(s))
        return -EAGAIN;
    const struct sd_slot *slot = s->slot;
    uint32_t word = slot ? sd_load((_Atomic uint32_t *)&slot->offer) : 0;
    bool settled = true;
    bool moves = sd_load(&s->mode) == SD_MODE_RING && (leave || !sd_move_left(s));
    if (moves)
        settled = move_ring(s, fd, reason, leave);
    sd_both_leave(s);
    if (moves && leave)
        leave_slot(s);
    else
        sd_mode_announce(s);
    if (!settled)
        await_answer(slot, s->rec.side, word);
    sd_follow_if_elsewhere(s);
    return 0;
}

void sd_move_if_came_back(struct sd_socket *s, int fd)
{
    if (sd_unlikely(sd_load(&s->came_back)) && sd_load(&s->rec.refs) == 1)
        sd_move_to_kernel(fd, SD_REASON_CAME_BACK, true);
}

/* What it accepts inherits the kernel socket's options, so it inherits this. */
void sd_stay_in_kernel(int fd, enum sd_reason reason)
{
    struct sd_socket *s = sd_socket_of(fd);
    uint32_t state = s ? sd_load(&s->rec.state) : SD_SOCK_CLOSED;
    if (state == SD_SOCK_NEW || state == SD_SOCK_LISTENING)
        sd_store(&s->stays, reason);
}

long sd_move_shutdown(struct sd_socket *s, int fd, int how, long ended)
{
    flush_in_turn(s, fd); /* who puts bytes there may have been done before it could see our end */
    long r = how == SHUT_WR ? 0 : sd_sys_shutdown(fd, SHUT_RD);
    sd_move_finish(s);
    return how == SHUT_RD ? r : ended;
}

/* --- the peer --- */

void sd_move_surprised(struct sd_socket *s)
{
    if (!peer_moved(s)) /* looked at after the bytes: then they are none that it sent after moving */
        sd_store(&s->strays, 1);
}

bool sd_move_has_strays(const struct sd_socket *s)
{
    return sd_load(&((struct sd_socket *)s)->strays);
}

size_t sd_move_strays(struct sd_socket *s, int fd)
{
    int there = 0;
    sd_sys_ioctl(fd, FIONREAD, &there);
    if (there <= 0)
        sd_store(&s->strays, 0);
    return there <= 0 || peer_moved(s) ? 0 : (size_t)there;
}

bool sd_move_leftover(struct sd_socket *s)
{
    char byte;
    int fd = sd_fd_of(s);
    return fd >= 0 && sd_sys_recvfrom(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT, NULL, NULL) > 0;
}

/* A peer that ends on the companion without having moved is gone: flags in the ring say how, or it died. */
static void notice_end(struct sd_socket *s, uint32_t events)
{
    bool goes_on = sd_move_outside(s) && (peer_flags(s) & (SD_TX_MOVED | SD_TX_FIN)); /* the kernel tells the rest */
    if (!(events & ENDED_EVENTS) || goes_on || sd_load(&s->gone))
        return;
    sd_store(&s->gone, events & POLLERR ? SD_GONE_RESET : SD_GONE_EOF);
    sd_peer_settle(s);
}

uint64_t sd_move_look(struct sd_socket *s, int fd)
{
    sd_move_attend(s, fd);
    if (sd_move_resends(s))
        flush_in_turn(s, fd);
    if (!sd_move_received(s))
        notice_end(s, companion_events(fd));
    sd_move_finish(s);
    if (sd_load(&s->mode) != SD_MODE_RING || !sd_move_resends(s))
        return UINT64_MAX;
    return sd_now_ns() + (held(s) ? HELD_LOOK_NS : RESEND_LOOK_NS);
}

/* --- readiness while moving --- */

/* Reading that our own program shut: the companion hears of it when both directions are over. */
static uint32_t own_end(struct sd_socket *s)
{
    return sd_load(&s->shut) & 1 ? POLLIN | POLLRDHUP : 0;
}

uint32_t sd_move_readiness(struct sd_socket *s, uint32_t ring)
{
    if (sd_likely(!sd_move_uses_companion(s)))
        return ring;
    int fd = sd_fd_of(s);
    sd_move_attend(s, fd);
    if (sd_move_resends(s))
        flush_in_turn(s, fd);
    finish_drained(s);
    uint32_t tcp = companion_events(fd);
    if (sd_load(&s->mode) == SD_MODE_KERNEL)
        return tcp;
    uint32_t events = ring;
    if (sd_is_away(s))
        events = sd_away_readiness(s, ring, tcp) | own_end(s);
    else if ((tcp & ENDED_EVENTS) && !sd_move_received(s) && !sd_load(&s->gone)) {
        notice_end(s, tcp); /* or who waits would be sent to look, and find nothing, for ever */
        events |= sd_load(&s->gone) ? POLLIN | POLLRDHUP : 0;
    }
    if (sd_move_received(s))
        events = (events & POLLOUT) | (tcp & ~(uint32_t)POLLOUT) | own_end(s);
    else if (!sd_is_away(s))
        events |= tcp & (POLLPRI | POLLRDHUP); /* these tell of what is behind the bytes in the ring */
    if (sd_move_has_strays(s))
        events |= tcp & POLLIN;
    if (sd_move_outside(s)) {
        uint32_t room = sd_move_resends(s) ? 0 : POLLOUT;
        events = (events & ~(uint32_t)POLLOUT) | (tcp & (room | POLLERR | POLLHUP));
    }
    return events;
}

short sd_move_interest(struct sd_socket *s, uint32_t events)
{
    if (sd_likely(!sd_mode_uses_ring(sd_load(&s->mode)) || !sd_move_uses_companion(s)))
        return POLLIN | POLLRDHUP;
    uint32_t wanted = sd_load(&s->gone) ? 0 : POLLRDHUP; /* the peer may die before it moves */
    if (sd_move_received(s) || sd_is_away(s))
        wanted = events & (POLLIN | POLLPRI | POLLRDHUP);
    else if (peer_flags(s) & ENDING_FLAGS)
        wanted = events & (POLLPRI | POLLRDHUP);
    if (sd_move_outside(s))
        wanted |= sd_move_resends(s) ? (uint32_t)POLLOUT : events & POLLOUT;
    if (held(s))
        wanted &= ~(uint32_t)POLLOUT;
    return (short)wanted;
}

/* --- exec --- */

static bool inherited(int fd)
{
    long flags = sd_sys_fcntl(fd, F_GETFD, 0);
    return flags >= 0 && !(flags & FD_CLOEXEC);
}

/* An exec'd program reads and writes the companion: it may not have the library, or read by stdio. */
void sd_before_exec(void)
{
    uint32_t high = sd_load(&sd_g.file_high);
    for (uint32_t fd = 0; fd < high; fd++) {
        struct sd_socket *s = sd_socket_of((int)fd);
        if (!s)
            continue;
        if (inherited((int)fd))
            sd_move_to_kernel((int)fd, SD_REASON_MOVED_EXEC, true);
        else if (sd_load(&s->mode) != SD_MODE_KERNEL)
            sd_move_close(s, (int)fd);
    }
    for (uint32_t fd = 0; fd < high; fd++)
        if (sd_load(&sd_g.files[fd].kind) == SD_FILE_EPOLL && inherited((int)fd))
            sd_epoll_left((int)fd);
}

static const char *number_in(const char *text, uint32_t *number)
{
    while (*text && (*text < '0' || *text > '9'))
        text++;
    if (!*text)
        return NULL;
    for (*number = 0; *text >= '0' && *text <= '9'; text++)
        *number = *number > UINT32_MAX / 10 - 1 ? UINT32_MAX : *number * 10 + (uint32_t)(*text - '0');
    return text;
}

/* A shell uses no descriptor that it is not told. To move every connection of a server each time it runs a command would
 * cost too much; a number that means something else costs one connection its speed. */
void sd_before_shell(const char *command)
{
    uint32_t fd;
    while ((command = number_in(command, &fd)))
        if (fd > STDERR_FILENO && fd < sd_g.file_count && sd_socket_of((int)fd) && inherited((int)fd))
            sd_move_to_kernel((int)fd, SD_REASON_MOVED_EXEC, true);
}

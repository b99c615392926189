/* Sending and receiving: the life of a byte, the long way; what most calls are is in plain.c.
 *
 * send: token held? (one compare), room? (one compare), copy, publish, peer asleep? (one load), return. recv mirrors it.
 * Everything else leaves by one branch: the machines of ring.py say what, the slow functions below do it.
 */
#include <limits.h>
#include <sys/ioctl.h>

#include "core/api.h"
#include "core/away.h"
#include "core/behind.h"
#include "core/blocked.h"
#include "core/buffers.h"
#include "core/cursor.h"
#include "core/follow.h"
#include "core/move.h"
#include "core/peer.h"
#include "core/ring.h"
#include "core/sys.h"
#include "core/thread.h"
#include "core/transfer.h"
#include "core/wait.h"

#define NO_PLACE_NAP_NS 1000000
#define PEEK_NAP_NS     1000000

/* The object of a descriptor, held for this call; NULL if there is none or it is plain, and then *r says what to answer:
 * SD_PASS, or -EBADF if it was closed just now. For then the kernel's file may be open yet, and a call would wait there for
 * what nobody sends: the connection ends with this close. */
static struct sd_socket *entered(struct sd_call *call, int fd, long *r)
{
    struct sd_socket *s = sd_socket_here(fd);
    *r = SD_PASS;
    if (!s || sd_load_acquire(&s->mode) == SD_MODE_KERNEL)
        return NULL;
    *r = -EBADF;
    return sd_call_enter(call, fd, s);
}

/* --- sending, with the send token --- */

static void put(struct sd_tx *tx, struct cursor *c, size_t n)
{
    for (uint64_t at = tx->tail; n;) {
        size_t run = cursor_run(c, n);
        sd_ring_put(tx, at, cursor_at(c), run);
        cursor_skip(c, run);
        at += run;
        n -= run;
    }
}

/* The peer wrote what cannot be: as if it had reset the connection. The machines follow when no token is held:
 * settle_violation. */
static void violated(struct sd_socket *s)
{
    sd_store(&s->gone, SD_GONE_RESET);
    sd_store(&s->rec.reason, SD_REASON_VIOLATION);
    atomic_fetch_add(&sd_g.region->reason[SD_REASON_VIOLATION], 1);
    sd_store(&s->error, ECONNRESET);
    sd_store(&s->slow_send, 1);
}

static void settle_violation(struct sd_socket *s)
{
    if (sd_unlikely(sd_load(&s->gone) == SD_GONE_RESET) && SD_STATE_OF(&s->teardown) != SD_TEARDOWN_RESET &&
        SD_STATE_OF(&s->teardown) != SD_TEARDOWN_CLOSED)
        sd_peer_settle(s);
}

static long take_error(struct sd_socket *s)
{
    return sd_load(&s->error) ? -sd_tell_error(s) : 0;
}

/* A Unix connection keeps its error for who reads. */
static long sending_error(struct sd_socket *s)
{
    return s->family == AF_UNIX && sd_load(&s->error) ? -EPIPE : take_error(s);
}

/* More room may be there, or the offer may have been accepted: true if the machine says to try again. */
static bool look_for_room(struct sd_socket *s)
{
    if (sd_load(&s->mode) == SD_MODE_OFFERED && sd_offer_accepted(s) && s->tx.m.free)
        return true;
    long room = sd_ring_new_room(&s->tx);
    if (room == 0 && sd_watch_room(s))
        room = sd_ring_new_room(&s->tx); /* once: a peer that takes our mark away again and again must not hold us */
    if (sd_unlikely(room < 0)) {
        violated(s);
        return false;
    }
    bool more = sd_ring_tx_step(&s->tx.m, SD_RING_TX_EV_CREDIT, (uint64_t)room) == SD_RING_TX_DO_RETRY;
    return sd_window_follow(s) || more;
}

static void rewind_if_empty(struct sd_tx *tx)
{
    long room = sd_ring_new_room(tx);
    if (room > 0)
        sd_ring_tx_step(&tx->m, SD_RING_TX_EV_CREDIT, (uint64_t)room);
    if (room >= 0 && tx->head_seen == tx->tail)
        sd_ring_rewind(tx);
}

/* A peer that refuses bytes does not read them: the reset that answers them follows at once. */
static void publish(struct sd_socket *s, size_t n)
{
    if (sd_likely(!sd_load(&s->refused_send)))
        sd_ring_publish(&s->tx, n);
}

static void put_and_publish(struct sd_socket *s, struct cursor *c, size_t n)
{
    while (n) {
        size_t piece = sd_piece(n);
        put(&s->tx, c, piece);
        publish(s, piece);
        n -= piece;
    }
}

/* Puts what fits. Bytes put, 0 for no room, -EPIPE or the pending error, or SD_PASS: the companion takes it. */
static long put_some(struct sd_socket *s, struct cursor *c)
{
    struct sd_tx *tx = &s->tx;
    if (sd_ring_may_rewind(tx))
        rewind_if_empty(tx);
    for (;;) {
        size_t n = sd_min_u64(c->left, tx->m.free);
        switch (sd_ring_tx_step(&tx->m, SD_RING_TX_EV_SEND, c->left)) {
        case SD_RING_TX_DO_PUT_ALL:
        case SD_RING_TX_DO_PUT_FREE: put_and_publish(s, c, n); return (long)n;
        case SD_RING_TX_DO_LOOK:
            if (!look_for_room(s))
                return 0;
            break;
        case SD_RING_TX_DO_SEND_COMPANION: {
            long r = sd_move_turn(s, c->left);
            if (r != SD_ENTERED)
                return r;
            break;
        }
        default: { /* BROKEN_PIPE */ long error = sending_error(s); return error ? error : -EPIPE;
        }
        }
    }
}

long sd_tx_room(struct sd_socket *s, uint8_t **to)
{
    struct sd_tx *tx = &s->tx;
    struct cursor one = {.left = 0};
    if (!sd_mode_uses_ring(sd_load(&s->mode)))
        return SD_PASS;
    long r =
        sd_load(&s->error) ? sending_error(s) : put_some(s, &one); /* nought bytes: asks whether we may send at all */
    if (r < 0)
        return r;
    while (!tx->m.free || sd_move_outside(s)) /* moved, but bytes have to be sent again first */
        if (sd_ring_tx_step(&tx->m, SD_RING_TX_EV_SEND, 1) != SD_RING_TX_DO_LOOK || !look_for_room(s))
            return -EAGAIN;
    uint64_t offset = (tx->tail - tx->base) & SD_RING_MASK;
    *to = sd_ring_at(tx->front, tx->rest, offset);
    return (long)sd_min_u64(tx->m.free, sd_ring_piece(offset));
}

void sd_tx_commit(struct sd_socket *s, size_t n)
{
    if (sd_ring_tx_step(&s->tx.m, SD_RING_TX_EV_SEND, n) == SD_RING_TX_DO_PUT_ALL)
        publish(s, n);
}

/* The token cannot be had: by a signal handler that interrupted the very operation, which would wait for itself; or because
 * the family has no place for one more thread until another one ends. */
static long no_token(void)
{
    if (sd_has_slot())
        return -EDEADLK; /* the loops make it EAGAIN, also for who blocks */
    sd_sys_ppoll(NULL, 0, &(struct timespec){.tv_nsec = NO_PLACE_NAP_NS}, NULL);
    return -EAGAIN;
}

/* The last send takes all that fits: the rest would not be asked for. */
static long put_last(struct sd_socket *s, struct cursor *c, long done)
{
    long r = done;
    while (r > 0 && c->left)
        if ((r = put_some(s, c)) > 0)
            done += r;
    return done;
}

/* One attempt, taking and leaving the token. */
static long send_once(struct sd_socket *s, struct cursor *c)
{
    sd_look_before_sending(s);
    if (!sd_token_enter(&s->tx.token))
        return no_token();
    if (!sd_mode_uses_ring(sd_load(&s->mode))) {
        sd_token_leave(&s->tx.token);
        sd_follow_if_elsewhere(s);
        return SD_PASS;
    }
    size_t wanted = c->left;
    sd_window_follow(s);
    long r = sd_load(&s->error) ? sending_error(s) : put_some(s, c);
    if (sd_unlikely(sd_load(&s->last_send)))
        r = put_last(s, c, r);
    sd_token_leave(&s->tx.token);
    settle_violation(s);
    if (r > 0)
        sd_notify(s, &s->tx.dir->data_wait, true);
    if (r > 0 && sd_load(&s->last_send))
        sd_peer_had_closed(s);
    return r == 0 && wanted ? -EAGAIN : r;
}

/* --- waiting --- */

/* The common answer, at once. */
static bool data_came(struct sd_socket *s)
{
    return sd_load(&s->mode) == SD_MODE_RING && sd_load(&s->rx.dir->p.tail) - sd_own_head(s) >= sd_readable_from(s);
}

static bool worth_trying(struct sd_socket *s, uint32_t events)
{
    if ((events & POLLIN) && sd_likely(data_came(s)))
        return true;
    return (sd_readiness_of(s, events) & (events | POLLERR | POLLHUP)) || sd_load_acquire(&s->mode) == SD_MODE_KERNEL;
}

/* Nothing is there and the call does not block: a program that only polls must still learn that its peer died, and now. True
 * if the companion was looked at: then there may be something to say, and trying once more is worth while. */
static bool look_now_and_then(struct sd_socket *s, int fd)
{
    sd_move_attend(s, fd);
    return sd_look_now_and_then(s, fd);
}

/* SO_RCVTIMEO or SO_SNDTIMEO as a deadline; UINT64_MAX for none. */
static uint64_t deadline_of(int fd, int option)
{
    struct timeval timeout = {0};
    socklen_t len = sizeof timeout;
    sd_sys_getsockopt(fd, SOL_SOCKET, option, &timeout, &len);
    if ((!timeout.tv_sec && !timeout.tv_usec) || timeout.tv_sec > INT32_MAX)
        return UINT64_MAX;
    return sd_now_ns() + (uint64_t)timeout.tv_sec * 1000000000u + (uint64_t)timeout.tv_usec * 1000u;
}

#define UNTIL_A_SIGNAL (UINT64_MAX - 1) /* a deadline that never comes; only a call without one is started again */

#define GATHER_PAUSES 8 /* some 350 ns */

/* Bytes came while we polled for them. If we have sent nothing since the last time, the peer does not wait for an answer but
 * sends on: a reader as fast as the sender would take each message alone, and the line with the sender's tail would go back
 * and forth for each. So let some more come. */
static void gather(struct sd_socket *s)
{
    uint64_t tail = sd_own_tail(s);
    bool answers = tail != sd_load(&s->answered);
    sd_store(&s->answered, tail);
    for (int i = 0; i < GATHER_PAUSES && !answers; i++)
        sd_cpu_pause();
}

/* Wait until trying again is worth while: 0, -EAGAIN after the option's timeout, or -EINTR. The deadline is the call's: the
 * first wait sets it. `begun`: the call has something to tell, and any signal makes it tell. */
static long wait_until(struct sd_socket *s, int fd, uint32_t events, int option, bool begun, uint64_t *deadline)
{
    struct sd_patience patience;
    bool look = sd_load(&s->mode) == SD_MODE_PENDING; /* else the caller has just looked */
    sd_patience_start(&patience);
    for (;; look = true) {
        if (look && worth_trying(s, events)) {
            if (patience.m.state == SD_WAITER_SPINNING && (events & POLLIN))
                gather(s);
            return 0;
        }
        if (sd_patience_more(&patience))
            continue;
        if (!*deadline)
            *deadline = deadline_of(fd, option);
        long r = sd_sleep_on(s, fd, events, begun ? sd_min_u64(*deadline, UNTIL_A_SIGNAL) : *deadline);
        fd = sd_call_fd(s, fd);
        if (r < 0)
            return r;
        sd_patience_woken(&patience);
    }
}

/* --- send --- */

/* The rest of a blocking send after the connection moved to TCP in the middle of it. An error is met again by the next
 * call. */
static long send_rest_by_kernel(struct sd_socket *s, int fd, struct cursor *c, int flags)
{
    long done = 0;
    fd = sd_call_hold(s, fd); /* the program may close its number, and open another file there */
    while (c->left) {
        size_t run = cursor_run(c, c->left);
        long r = run ? sd_sys_sendto(fd, cursor_at(c), run, flags | MSG_NOSIGNAL, NULL, 0) : 0;
        if (r < 0)
            break;
        sd_count_kernel(fd, r, 0);
        cursor_skip(c, (size_t)r);
        done += r;
    }
    return done;
}

static bool blocks(const struct sd_socket *s, int flags)
{
    return !(flags & MSG_DONTWAIT) && !sd_load(&((struct sd_socket *)s)->nonblock);
}

long sd_wait_for_room(struct sd_socket *s, int fd)
{
    if (blocks(s, 0))
        return wait_until(s, fd, POLLOUT, SO_SNDTIMEO, false, &(uint64_t){0});
    look_now_and_then(s, fd);
    return -EAGAIN;
}

long sd_await_turn(int fd, int flags)
{
    struct sd_call call;
    long r;
    struct sd_socket *s = entered(&call, fd, &r);
    if (!s)
        return r == SD_PASS ? 0 : r;
    sd_look_at_companion(s, fd);
    for (r = 0; r == 0 && sd_mode_uses_ring(sd_load(&s->mode)) && sd_move_resends(s);)
        r = blocks(s, flags) ? wait_until(s, fd, POLLOUT, SO_SNDTIMEO, false, &(uint64_t){0}) : -EAGAIN;
    sd_call_leave(&call);
    return r;
}

/* A blocking send that waited here in vain until the connection moved has what is left of its time. */
static long begin_in_kernel(struct sd_socket *s, int fd, uint64_t deadline)
{
    long r = sd_call_wait(s, fd, POLLOUT, deadline);
    return r < 0 ? r : SD_PASS;
}

/* AF_UNIX tells its error to who waited for room, too. */
static long failed_send(struct sd_socket *s, long r, bool waited)
{
    if (r == -EPIPE && waited)
        r = take_error(s) ?: -EPIPE;
    return r == -EDEADLK ? -EAGAIN : r;
}

static long send_loop(struct sd_socket *s, int fd, struct cursor *c, int flags)
{
    long done = 0;
    uint64_t deadline = 0;
    bool looked = false, waited = false;
    if (c->left == 0)
        sd_look_at_companion(s, fd); /* who sends nothing asks how the connection is */
    for (;; fd = sd_call_fd(s, fd)) {
        long r = sd_load(&s->mode) == SD_MODE_PENDING ? -EAGAIN : send_once(s, c);
        if (r == SD_PASS)
            return done ? done + send_rest_by_kernel(s, fd, c, flags) : begin_in_kernel(s, fd, deadline);
        if (r > 0 || r == -EAGAIN) {
            done += r > 0 ? r : 0;
            if (c->left == 0)
                return done;
            if (r > 0)
                continue; /* until it says that there is no room: a set that watches us is told of room only then */
        } else {
            return done ? done : failed_send(s, r, waited);
        }
        if (!blocks(s, flags)) {
            if (done || looked || !look_now_and_then(s, fd))
                return done ? done : -EAGAIN;
            looked = true;
            continue;
        }
        r = wait_until(s, fd, POLLOUT, SO_SNDTIMEO, done > 0, &deadline);
        waited = true;
        if (r < 0)
            return done ? done : r;
    }
}

/* The kernel does the rest, and it is done here: the descriptor was closed while the call waited, and its number may be
 * another file's by now. */
static bool closed_meanwhile(const struct sd_socket *s, int fd, long r)
{
    const struct sd_socket *now = r == SD_PASS ? sd_load_acquire(&sd_g.files[fd].sock) : s;
    return sd_unlikely(now != s) && (!now || now != s->heir);
}

long sd_sendv(int fd, const struct iovec *iov, size_t count, int flags)
{
    struct cursor c;
    struct sd_call call;
    long r;
    if (!cursor_start(&c, iov, count))
        return sd_socket_of(fd) ? -EINVAL : SD_PASS;
    struct sd_socket *s = entered(&call, fd, &r);
    if (!s)
        return r;
    r = send_loop(s, fd, &c, flags);
    if (r == SD_PASS)
        sd_move_finish(s); /* who only sends looks nowhere else */
    if (closed_meanwhile(s, fd, r))
        r = sd_call_send(s, fd, iov, count, flags);
    sd_call_leave(&call);
    return r;
}

long sd_send_slow(int fd, const void *buf, size_t n, int flags)
{
    struct iovec iov = {.iov_base = (void *)buf, .iov_len = n};
    return sd_sendv(fd, &iov, 1, flags);
}

/* --- receiving, with the receive token --- */

static void get(struct sd_rx *rx, struct cursor *c, size_t n, bool discard)
{
    for (uint64_t at = rx->head; n;) {
        size_t run = cursor_run(c, n);
        if (!discard)
            sd_ring_get(rx, at, cursor_at(c), run);
        cursor_skip(c, run);
        at += run;
        n -= run;
    }
}

/* No byte is there: what the producer's flags and the companion say, as an event of the machine. */
static uint32_t end_event(struct sd_socket *s, uint32_t flags)
{
    if (flags & SD_TX_MOVED) /* the kernel tells of a reset behind what it has, too */
        return SD_RING_RX_EV_MOVED;
    bool both = s->family == AF_UNIX || !(flags & SD_TX_FIN); /* or what follows its end breaks our direction only */
    if ((flags & SD_TX_RESET) && both)
        return SD_RING_RX_EV_BREAK;
    if (flags & (SD_TX_FIN | SD_TX_CLOSED))
        return SD_RING_RX_EV_FIN;
    if (sd_load(&s->gone) && sd_move_leftover(s))
        return SD_RING_RX_EV_MOVED;
    if (SD_STATE_OF(&s->teardown) == SD_TEARDOWN_RESET && !(sd_load(&s->gone) && sd_load(&s->last_send)))
        return SD_RING_RX_EV_BREAK; /* not if it was gone before: what we sent afterwards broke our direction only */
    return sd_load(&s->gone) ? SD_RING_RX_EV_FIN : SD_RING_RX_EV_DATA;
}

/* Look at the producer's tail and flags; the machine's answer. */
static uint32_t look_for_data(struct sd_socket *s)
{
    uint32_t flags = sd_load_acquire(&s->rx.dir->p.flags); /* before tail: a flag means that tail is final */
    bool over =
        flags || sd_load(&s->gone) || SD_STATE_OF(&s->teardown) == SD_TEARDOWN_RESET; /* a reset is not taken back */
    long bytes = sd_ring_new_bytes(&s->rx);
    if (sd_unlikely(bytes < 0)) {
        violated(s);
        return sd_ring_rx_step(&s->rx.m, SD_RING_RX_EV_BREAK, 0);
    }
    uint32_t event = bytes || !over ? SD_RING_RX_EV_DATA : end_event(s, flags);
    return sd_ring_rx_step(&s->rx.m, event, (uint64_t)bytes);
}

static long peek_some(struct sd_socket *s, struct cursor *c, int flags)
{
    size_t n = sd_min_u64(c->left, s->rx.m.avail);
    get(&s->rx, c, n, flags & MSG_TRUNC);
    return (long)n;
}

static long take(struct sd_socket *s, struct cursor *c, size_t n, int flags)
{
    get(&s->rx, c, n, flags & MSG_TRUNC);
    sd_ring_release(&s->rx, n);
    return (long)n;
}

/* The reset is told once, by whichever call comes first, SO_ERROR too; after it there is only the end. With the machines
 * settled and no token held. */
static long reset_error(struct sd_socket *s)
{
    sd_peer_settle(s);
    return take_error(s);
}

static bool unix_reset_untold(struct sd_socket *s)
{
    bool unsettled =
        SD_STATE_OF(&s->teardown) != SD_TEARDOWN_RESET && (sd_load_acquire(&s->rx.dir->p.flags) & SD_TX_RESET);
    return s->family == AF_UNIX && (unsettled || sd_load(&s->error) == ECONNRESET);
}

/* A Unix connection tells of a reset behind an end that it gave, too. */
static long end_of_stream(struct sd_socket *s)
{
    if (sd_unlikely(unix_reset_untold(s)))
        return -ECONNRESET;
    return s->rx.m.state == SD_RING_RX_BROKEN && sd_load(&s->error) == ECONNRESET ? take_error(s) : 0;
}

/* Takes what is there. Bytes, 0 for end of stream, -EAGAIN for none yet, an error, or SD_PASS: from the companion. */
static long take_some(struct sd_socket *s, struct cursor *c, int flags)
{
    struct sd_rx *rx = &s->rx;
    if (rx->m.avail && rx->m.avail < c->left)
        sd_ring_top_up(&s->rx);
    for (;;) {
        size_t n = sd_min_u64(c->left, rx->m.avail);
        if ((flags & MSG_PEEK) && n)
            return peek_some(s, c, flags);
        uint32_t effect = sd_ring_rx_step(&rx->m, SD_RING_RX_EV_RECV, c->left);
        if (effect == SD_RING_RX_DO_LOOK)
            effect = look_for_data(s);
        else if (sd_unlikely(effect == SD_RING_RX_DO_LOOK_BOTH)) {
            long r = sd_away_take(s, c, flags, &effect);
            if (r > 0)
                return r;
        }
        switch (effect) {
        case SD_RING_RX_DO_TAKE_ALL:
        case SD_RING_RX_DO_TAKE_AVAIL: return take(s, c, n, flags);
        case SD_RING_RX_DO_RETRY: break;
        case SD_RING_RX_DO_WAIT_DATA: return sd_load(&s->error) == ECONNRESET ? take_error(s) : -EAGAIN;
        case SD_RING_RX_DO_RECV_COMPANION: return SD_PASS;
        case SD_RING_RX_DO_RAISE_RESET: return -ECONNRESET;
        default: /* END_OF_STREAM */ return end_of_stream(s);
        }
    }
}

static long recv_once(struct sd_socket *s, struct cursor *c, int flags)
{
    if (!sd_token_enter(&s->rx.token))
        return no_token();
    if (!sd_mode_uses_ring(sd_load(&s->mode))) {
        sd_token_leave(&s->rx.token);
        sd_follow_if_elsewhere(s);
        return SD_PASS;
    }
    long r = take_some(s, c, flags);
    sd_show_receiving(s);
    sd_mark_keep(s);
    sd_token_leave(&s->rx.token);
    if (r > 0)
        sd_notify(s, &s->rx.dir->room_wait, false);
    if (r == SD_PASS) {
        sd_move_attend(s, sd_fd_of(s));
        sd_move_finish(s);
    }
    settle_violation(s);
    return r == -ECONNRESET ? reset_error(s) : r;
}

static bool wants_all(const struct cursor *c, int flags)
{
    return (flags & MSG_WAITALL) && !(flags & MSG_PEEK) && c->left;
}

/* SO_RCVLOWAT: a call that waits gives no fewer bytes, if it asks for as many. */
static bool below_mark(const struct sd_socket *s, const struct cursor *c, long done)
{
    return c->left && (uint64_t)done < sd_readable_from(s);
}

/* A look that found less than the low mark: 0 when there may be more. Once there are as many, or the stream is at its end,
 * the look is what it is. */
static long await_mark(struct sd_socket *s, int fd, const struct cursor *at, long seen, uint64_t *deadline)
{
    if (!below_mark(s, at, seen) || !sd_mode_uses_ring(sd_load(&s->mode)) || (sd_readiness_of(s, POLLIN) & POLLIN))
        return -EAGAIN;
    return wait_until(s, fd, POLLIN, SO_RCVTIMEO, false, deadline);
}

/* MSG_PEEK with MSG_WAITALL: until more than the `seen` bytes lie there, or some were taken by another thread (0), or no more
 * will come (-EAGAIN), or -EINTR. A tail that is impossible brings no more: the look is what it is, and who reads learns it.
 * What makes a socket readable does not help here, and it is rare: look in short steps. */
static long await_more(struct sd_socket *s, int fd, uint64_t seen, uint64_t deadline)
{
    uint64_t head = sd_own_head(s);
    while (sd_mode_uses_ring(sd_load_acquire(&s->mode))) {
        bool last = sd_load_acquire(&s->rx.dir->p.flags) || sd_load(&s->gone) || (sd_load(&s->shut) & 1);
        uint64_t there = sd_load_acquire(&s->rx.dir->p.tail) - head;
        if (sd_own_head(s) != head || (there > seen && there <= SD_RING_BYTES))
            return 0;
        if (last || there > SD_RING_BYTES || seen >= SD_RING_BYTES || sd_now_ns() >= deadline)
            return -EAGAIN;
        sd_look_at_companion(s, fd);
        if (sd_sys_ppoll(NULL, 0, &(struct timespec){.tv_nsec = PEEK_NAP_NS}, NULL) < 0)
            return -EINTR;
    }
    return 0;
}

static bool peeks_for_all(int flags)
{
    return (flags & (MSG_PEEK | MSG_WAITALL)) == (MSG_PEEK | MSG_WAITALL);
}

/* The kernel waits for bytes from now on, and nobody looks any more for what the peer asked of us. */
static long pass_to_kernel(struct sd_socket *s, int fd, int flags, uint64_t deadline)
{
    sd_move_attend(s, fd);
    bool waits = sd_move_resends(s) && blocks(s, flags);
    long r = waits ? sd_move_before_read(s, fd, deadline ? deadline : deadline_of(fd, SO_RCVTIMEO)) : 0;
    if (r == 0)
        r = sd_call_wait(s, fd, POLLIN, deadline);
    return r < 0 ? r : SD_PASS;
}

/* A wait for the low mark ended before it: Linux gives what is there all the same. */
static long ended_below_mark(struct sd_socket *s, struct cursor *c, int flags, long done, long r)
{
    long more = sd_load(&s->low_mark) > 1 && sd_load(&s->mode) != SD_MODE_PENDING ? recv_once(s, c, flags) : 0;
    done += more > 0 ? more : 0;
    return done ? done : r;
}

/* Whether a receive that found nothing is worth another attempt at once: who does not block, or has shut this end himself,
 * must still hear that the peer is gone. */
static bool look_once(struct sd_socket *s, int fd, long r, int flags, bool *looked)
{
    bool shut = r == 0 && (sd_load(&s->shut) & 1);
    if (*looked || !(shut || (r == -EAGAIN && !blocks(s, flags))))
        return false;
    *looked = true;
    return look_now_and_then(s, fd);
}

/* The deadline is 0 if the call has not slept yet. */
static long recv_loop(struct sd_socket *s, int fd, struct cursor *c, int flags, uint64_t deadline)
{
    long done = 0;
    bool looked = false;
    for (;;) {
        struct cursor at = *c;  /* a look begins anew each time */
        fd = sd_call_fd(s, fd); /* the caller may have waited, too */
        long r = sd_load(&s->mode) == SD_MODE_PENDING ? -EAGAIN : recv_once(s, &at, flags);
        if (sd_unlikely(r == -EAGAIN && sd_move_has_strays(s)))
            r = sd_recv_strays(s, fd, &at, flags);
        if (r == SD_PASS && done)
            return done + sd_recv_rest_by_kernel(s, fd, c, flags);
        if (r == SD_PASS)
            return pass_to_kernel(s, fd, flags, deadline);
        if (r > 0 && at.left && peeks_for_all(flags) && blocks(s, flags) && !sd_is_away(s)) {
            deadline = deadline ? deadline : deadline_of(fd, SO_RCVTIMEO);
            if (await_more(s, fd, (uint64_t)r, deadline) == 0)
                continue;
        }
        if (r > 0 && (flags & MSG_PEEK) && blocks(s, flags) && await_mark(s, fd, &at, r, &deadline) == 0)
            continue;
        if (!done && look_once(s, fd, r, flags, &looked))
            continue;
        *c = at;
        if (r > 0)
            done += r;
        bool more = wants_all(c, flags) || (below_mark(s, c, done) && blocks(s, flags));
        if (r > 0 && (!more || (flags & MSG_PEEK))) /* a look that begins anew counts nothing twice */
            return done + sd_recv_behind(s, fd, c, flags, r);
        if (r == 0 || (r < 0 && r != -EAGAIN))
            return done ? done : r == -EDEADLK ? -EAGAIN : r;
        if (r < 0 && !blocks(s, flags))
            return done ? done : -EAGAIN;
        if (r < 0 && (r = wait_until(s, fd, POLLIN, SO_RCVTIMEO, done > 0, &deadline)) < 0)
            return ended_below_mark(s, c, flags, done, r);
    }
}

/* A receive of no bytes waits for one and leaves it there. Linux waits once for nothing, and takes any end of it. */
static long await_byte(struct sd_socket *s, int fd, int flags)
{
    char byte;
    struct iovec one = {.iov_base = &byte, .iov_len = 1};
    struct cursor c;
    cursor_start(&c, &one, 1);
    long r = recv_loop(s, fd, &c, (flags & ~(MSG_TRUNC | MSG_WAITALL)) | MSG_PEEK, 0);
    bool waited = blocks(s, flags) && (r == -EAGAIN || r == -EINTR);
    return r > 0 || waited ? 0 : r;
}

static long recv_entered(struct sd_socket *s, int fd, const struct iovec *iov, size_t count, int flags,
                         uint64_t deadline)
{
    struct cursor c;
    if (s->family == AF_UNIX)
        flags &= ~MSG_TRUNC; /* means nothing to its streams */
    cursor_start(&c, iov, count);
    long r = c.left ? recv_loop(s, fd, &c, flags, deadline) : await_byte(s, fd, flags);
    return closed_meanwhile(s, fd, r) ? sd_call_recv(s, fd, iov, count, flags) : r;
}

long sd_recvv(int fd, const struct iovec *iov, size_t count, int flags, int *msg_flags)
{
    struct cursor c;
    struct sd_call call;
    long r;
    if (!cursor_start(&c, iov, count))
        return sd_socket_of(fd) ? -EINVAL : SD_PASS;
    struct sd_socket *s = entered(&call, fd, &r);
    if (!s)
        return r;
    if (msg_flags)
        *msg_flags = 0;
    r = recv_entered(s, fd, iov, count, flags, 0);
    sd_call_leave(&call);
    return r;
}

/* The caller has just looked, and there is nothing, nor anything to say about the connection. What most waits end with is
 * taken as if the call began then. Bytes, -errno, or 0: there is more to it. */
static long wait_and_take(struct sd_socket *s, int fd, const struct iovec *iov, uint64_t *deadline, bool *behind)
{
    long r = wait_until(s, fd, POLLIN, SO_RCVTIMEO, false, deadline);
    return r < 0 ? r : sd_recv_awaited(fd, s, iov->iov_base, iov->iov_len, behind);
}

long sd_recv_slow(int fd, void *buf, size_t n, int flags, bool empty)
{
    const struct iovec iov = {.iov_base = buf, .iov_len = n};
    struct sd_call call;
    uint64_t deadline = 0;
    bool behind = false;
    long r;
    struct sd_socket *s = entered(&call, fd, &r);
    if (!s)
        return sd_socket_of(fd) ? r : -EBADF; /* it was there when the call began */
    bool waits = empty && blocks(s, flags) && sd_load(&s->low_mark) <= 1 && !sd_move_has_strays(s);
    r = waits ? wait_and_take(s, fd, &iov, &deadline, &behind) : 0;
    if (r == 0)
        r = recv_entered(s, fd, &iov, 1, flags, deadline);
    if (behind) {
        struct iovec rest = {.iov_base = (uint8_t *)buf + r, .iov_len = n - (size_t)r};
        r += sd_recv_behind_one(s, sd_call_fd(s, fd), &rest, flags);
    }
    sd_call_leave(&call);
    return r;
}

long sd_recv_behind_plain(int fd, struct sd_socket *s, void *buf, size_t n, int flags)
{
    struct iovec iov = {.iov_base = buf, .iov_len = n};
    struct sd_call call;
    /* also one that moved while we told the peer of the room; but no other that got the number meanwhile */
    if (sd_socket_here(fd) != s || !sd_call_enter(&call, fd, s))
        return 0;
    long r = sd_recv_behind_one(s, fd, &iov, flags);
    sd_call_leave(&call);
    return r;
}

long sd_wait_for_more(int fd, int flags)
{
    struct sd_call call;
    long r;
    struct sd_socket *s = sd_socket_of(fd);
    if (!s || !blocks(s, flags))
        return 0;
    s = entered(&call, fd, &r);
    if (s) {
        r = wait_until(s, fd, POLLIN, SO_RCVTIMEO, true, &(uint64_t){0});
        r = r == 0 && sd_load(&s->mode) == SD_MODE_KERNEL ? SD_PASS : r;
        sd_call_leave(&call);
    }
    if (r == SD_PASS && deadline_of(fd, SO_RCVTIMEO) == UINT64_MAX)
        r = sd_sys_ppoll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, NULL, NULL);
    return r == -EINTR ? r : 0;
}

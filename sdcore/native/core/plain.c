/* send and recv for who has not been served at once (plain.h): longer messages, tokens that others use too, no bytes yet.
 * Whatever else may be is tried again by the long way in transfer.c, which knows all of it.
 */
#include "core/plain.h"

#include "core/api.h"
#include "core/transfer.h"
#include "core/wait.h"

/* With a token: does the descriptor still mean this object, and do rings move its bytes? It may have been closed, and the
 * object be another one's, before we had the token; who closes now waits for us. */
static inline bool is_still(int fd, struct sd_socket *s)
{
    return sd_load(&sd_g.files[fd].sock) == s && sd_mode_uses_ring(sd_load_acquire(&s->mode));
}

/* Leaves a token; `self` if it was entered by sd_token_enter_fast. */
static inline void leave_as_entered(struct sd_thread *self, struct sd_token *token)
{
    if (self)
        sd_token_leave_fast(self);
    else
        sd_token_leave(token);
}

/* We hold the object by a pin: as soon as the token is left another thread may close the socket, and the object may become
 * another one. */
static __attribute__((noinline, cold)) void leave_and_attend(struct sd_socket *s, struct sd_thread *self,
                                                             struct sd_attention *attention, bool data)
{
    uint32_t armed = sd_load(&attention->armed);
    sd_pin(s);
    leave_as_entered(self, data ? &s->tx.token : &s->rx.token);
    if (armed)
        sd_attend(s, attention, armed, data);
    sd_unpin(s);
}

/* With the send token: are sets that are awake all who wait? They need no more than the ready byte. */
static inline bool only_marks_ready(struct sd_socket *s, struct sd_attention *attention, bool data)
{
    return data && sd_load(&attention->armed) == SD_ARM_WATCHED &&
           !sd_mark_ready(s->peer_side, attention, s->peer_ready, &s->tx.dir->p.told_at);
}

/* The end of a transfer, with its token: does the peer wait, and leave. */
static inline void leave_and_notify(struct sd_socket *s, struct sd_thread *self, struct sd_attention *attention,
                                    bool data)
{
    if (sd_unlikely(sd_g.heavy_fence))
        atomic_thread_fence(memory_order_seq_cst);
    else
        sd_compiler_fence(); /* pairs with the membarrier in sd_fence_sleeper */
    if (sd_unlikely(sd_load(&attention->armed)) && !only_marks_ready(s, attention, data))
        leave_and_attend(s, self, attention, data);
    else
        leave_as_entered(self, data ? &s->tx.token : &s->rx.token);
}

ssize_t sd_sent_and_attend(struct sd_socket *s, struct sd_thread *self, size_t n)
{
    struct sd_attention *attention = &s->tx.dir->data_wait;
    if (only_marks_ready(s, attention, true))
        sd_token_leave_fast(self);
    else
        leave_and_attend(s, self, attention, true);
    return (ssize_t)n;
}

ssize_t sd_received_and_attend(struct sd_socket *s, struct sd_thread *self, size_t n)
{
    leave_and_attend(s, self, &s->rx.dir->room_wait, false);
    return (ssize_t)n;
}

/* --- sending --- */

/* With the send token: all n bytes, if there is nothing to it but to put them. */
static inline bool put_plain(int fd, struct sd_socket *s, const void *buf, size_t n)
{
    struct sd_tx *tx = &s->tx;
    if (sd_unlikely(sd_ring_may_rewind(tx) || !sd_may_send_at_once(fd, s, n)))
        return false;
    for (const uint8_t *from = buf; n;) {
        size_t piece = sd_piece(n);
        sd_ring_put(tx, tx->tail, from, piece);
        sd_ring_publish(tx, piece);
        from += piece;
        n -= piece;
    }
    return true;
}

static __attribute__((noinline)) long send_otherwise(int fd, struct sd_socket *s, const void *buf, size_t n, int flags)
{
    return sd_load_acquire(&s->mode) == SD_MODE_KERNEL ? SD_PASS : sd_send_slow(fd, buf, n, flags);
}

/* Others use the token, too: it is entered by a swap, or in turn. */
static __attribute__((noinline)) long send_in_turn(int fd, struct sd_socket *s, const void *buf, size_t n, int flags)
{
    if (!sd_mode_uses_ring(sd_load_acquire(&s->mode)) || !sd_token_enter_in_turn(&s->tx.token))
        return send_otherwise(fd, s, buf, n, flags);
    if (!put_plain(fd, s, buf, n)) {
        sd_token_leave(&s->tx.token);
        return sd_send_slow(fd, buf, n, flags);
    }
    leave_and_notify(s, NULL, &s->tx.dir->data_wait, true);
    return (long)n;
}

long sd_send(int fd, const void *buf, size_t n, int flags)
{
    struct sd_socket *s = sd_socket_of(fd);
    if (sd_unlikely(!s))
        return SD_PASS;
    struct sd_thread *self = sd_token_enter_fast(&s->tx.token);
    if (sd_unlikely(!self))
        return send_in_turn(fd, s, buf, n, flags);
    if (sd_unlikely(!put_plain(fd, s, buf, n))) {
        sd_token_leave_fast(self);
        return send_otherwise(fd, s, buf, n, flags);
    }
    leave_and_notify(s, self, &s->tx.dir->data_wait, true);
    return (long)n;
}

/* --- receiving --- */

#define SLOW_FLAGS (MSG_PEEK | MSG_TRUNC | MSG_WAITALL)

/* With the receive token, after a look that found nothing new: is that all there is to say? */
static bool is_quiet(struct sd_socket *s)
{
    return s->rx.m.state == SD_RING_RX_OPEN && !sd_load(&s->rx.dir->p.flags) && !sd_load(&s->gone) &&
           !sd_load(&s->error) && !sd_load(&s->shut) && sd_load(&s->mode) == SD_MODE_RING;
}

/* With the receive token: bytes that are there, or 0. `empty`: there is nothing, nor anything to say. */
static inline size_t get_plain(int fd, struct sd_socket *s, void *buf, size_t n, bool *empty)
{
    struct sd_rx *rx = &s->rx;
    /* the mode changes only under both tokens: look again now that we hold one */
    if (sd_unlikely(!is_still(fd, s)))
        return 0;
    bool nothing = rx->m.state == SD_RING_RX_OPEN && rx->m.avail < n && sd_ring_top_up(rx) == 0;
    uint64_t avail = rx->m.avail;
    if (sd_unlikely(!avail)) {
        *empty = nothing && is_quiet(s);
        return 0;
    }
    size_t taken = sd_min_u64(avail, n);
    sd_ring_rx_step(&rx->m, SD_RING_RX_EV_RECV, n);
    sd_ring_get(rx, rx->head, buf, taken);
    sd_ring_release(rx, taken);
    return taken;
}

/* With the receive token, after bytes were taken: leaves. True if more may lie behind what the ring gave. */
static inline bool leave_taken(struct sd_socket *s, struct sd_thread *self, bool less)
{
    struct sd_rx *rx = &s->rx;
    bool behind = sd_unlikely(less) && sd_unlikely(sd_load(&rx->dir->p.flags) & SD_TX_MOVED);
    leave_and_notify(s, self, &rx->dir->room_wait, false);
    return behind;
}

static __attribute__((noinline)) long recv_otherwise(int fd, struct sd_socket *s, void *buf, size_t n, int flags,
                                                     bool empty)
{
    return sd_load_acquire(&s->mode) == SD_MODE_KERNEL ? SD_PASS : sd_recv_slow(fd, buf, n, flags, empty);
}

static __attribute__((noinline)) long recv_in_turn(int fd, struct sd_socket *s, void *buf, size_t n, int flags)
{
    bool empty = false;
    if (!sd_mode_uses_ring(sd_load_acquire(&s->mode)) || !sd_token_enter_in_turn(&s->rx.token))
        return recv_otherwise(fd, s, buf, n, flags, false);
    size_t taken = get_plain(fd, s, buf, n, &empty);
    if (!taken) {
        sd_token_leave(&s->rx.token);
        return sd_recv_slow(fd, buf, n, flags, empty);
    }
    if (leave_taken(s, NULL, taken < n))
        return (long)taken + sd_recv_behind_plain(fd, s, (uint8_t *)buf + taken, n - taken, flags);
    return (long)taken;
}

long sd_recv_awaited(int fd, struct sd_socket *s, void *buf, size_t n, bool *behind)
{
    bool empty;
    struct sd_thread *self = sd_token_enter_fast(&s->rx.token);
    if (sd_unlikely(!self))
        return 0;
    size_t taken = get_plain(fd, s, buf, n, &empty);
    if (sd_likely(taken))
        *behind = leave_taken(s, self, taken < n);
    else
        sd_token_leave_fast(self);
    return (long)taken;
}

long sd_recv(int fd, void *buf, size_t n, int flags)
{
    struct sd_socket *s = sd_socket_of(fd);
    if (sd_unlikely(!s))
        return SD_PASS;
    if (sd_unlikely((flags & SLOW_FLAGS) || n == 0))
        return recv_otherwise(fd, s, buf, n, flags, false);
    struct sd_thread *self = sd_token_enter_fast(&s->rx.token);
    if (sd_unlikely(!self))
        return recv_in_turn(fd, s, buf, n, flags);
    bool empty = false;
    size_t taken = get_plain(fd, s, buf, n, &empty);
    if (sd_unlikely(!taken)) {
        sd_token_leave_fast(self);
        return recv_otherwise(fd, s, buf, n, flags, empty);
    }
    if (leave_taken(s, self, taken < n))
        return (long)taken + sd_recv_behind_plain(fd, s, (uint8_t *)buf + taken, n - taken, flags);
    return (long)taken;
}

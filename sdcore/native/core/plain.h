/* The common path of send and recv, for the entry points of the library: what most calls are, and no more.
 *
 * token held? (one compare), is it still the socket, room or bytes? (one compare each), copy, publish, does the peer wait?
 * (one load), leave (one store). Nothing here makes a system call, or swaps a word, unless somebody waits.
 *
 * Whatever else may be is not begun: it is left to `otherwise`, with the words of the call, as the last thing done. So
 * the common path needs no stack, and nothing is saved for what seldom comes. Messages above SD_COPY_SHORT, and callers
 * without an entry point of their own, go by sd_send and sd_recv (plain.c).
 */
#ifndef SD_PLAIN_H
#define SD_PLAIN_H

#include <sys/socket.h>

#include "core/ring.h"
#include "core/thread.h"

#define SD_AT_ONCE static inline __attribute__((always_inline))

typedef ssize_t sd_send_call(int fd, const void *buf, size_t n, int flags);
typedef ssize_t sd_recv_call(int fd, void *buf, size_t n, int flags);

/* plain.c: the end of a transfer for which the peer waits, with the token of `self`. Both return n. */
SD_API ssize_t sd_sent_and_attend(struct sd_socket *s, struct sd_thread *self, size_t n);
SD_API ssize_t sd_received_and_attend(struct sd_socket *s, struct sd_thread *self, size_t n);

/* With a token: does the descriptor still mean this object, and do rings move its bytes? It may have been closed, and the
 * object be another one's, before we had the token; who closes now waits for us. */
static inline bool sd_is_in_ring(int fd, struct sd_socket *s)
{
    return sd_load(&sd_g.files[fd].sock) == s && sd_load_acquire(&s->mode) == SD_MODE_RING;
}

/* With the send token: where n bytes go that need nothing but a place; NULL if there is more to it. */
static inline uint8_t *sd_place_at_once(const struct sd_tx *tx, size_t n)
{
    uint64_t offset = (tx->tail - tx->base) & SD_RING_MASK;
    if (n - 1 >= SD_COPY_SHORT)
        return NULL;
    _Static_assert(SD_REWIND_FROM + SD_COPY_SHORT <= SD_FRONT_BYTES, "a short message lies in the front");
    if (offset < SD_REWIND_FROM)
        return tx->front + offset;
    return offset >= SD_REWIND_TO && n <= SD_RING_BYTES - offset ? tx->rest + offset : NULL;
}

/* With the send token: may n bytes go out, and are they accounted for? */
static inline bool sd_may_send_at_once(int fd, struct sd_socket *s, size_t n)
{
    struct sd_tx *tx = &s->tx;
    /* the mode changes only under both tokens: look again now that we hold one */
    return sd_is_in_ring(fd, s) && !sd_load(&s->slow_send) && !(sd_load(&tx->dir->data_wait.armed) & SD_ARM_POKE) &&
           tx->m.free >= n && sd_ring_tx_step(&tx->m, SD_RING_TX_EV_SEND, n) == SD_RING_TX_DO_PUT_ALL;
}

SD_AT_ONCE ssize_t sd_send_at_once(int fd, struct sd_socket *s, const void *buf, size_t n, int flags,
                                   sd_send_call *otherwise)
{
    struct sd_tx *tx = &s->tx;
    struct sd_thread *self;
    if (sd_unlikely((flags & ~(MSG_NOSIGNAL | MSG_DONTWAIT)) || sd_load(&sd_g.unusual) ||
                    !(self = sd_token_enter_fast(&tx->token))))
        return otherwise(fd, buf, n, flags);
    uint8_t *place = sd_place_at_once(tx, n);
    if (sd_unlikely(!place || !sd_may_send_at_once(fd, s, n))) {
        sd_token_leave_fast(self);
        return otherwise(fd, buf, n, flags);
    }
    sd_copy_short(place, buf, n);
    sd_ring_publish(tx, n);
    sd_compiler_fence(); /* pairs with the membarrier in sd_fence_sleeper */
    if (sd_unlikely(sd_load(&tx->dir->data_wait.armed)))
        return sd_sent_and_attend(s, self, n);
    sd_token_leave_fast(self);
    return (ssize_t)n;
}

/* With the receive token: how many bytes may be taken for one of n, if that is all there is to it; else 0. */
static inline size_t sd_there_at_once(int fd, struct sd_socket *s, size_t n)
{
    struct sd_rx *rx = &s->rx;
    if (sd_unlikely(!sd_is_in_ring(fd, s) || rx->m.state != SD_RING_RX_OPEN))
        return 0;
    if (rx->m.avail < n)
        sd_ring_top_up(rx);
    if (rx->m.avail >= n)
        return n;
    return sd_load(&rx->dir->p.flags) ? 0 : rx->m.avail; /* what lies behind the last byte belongs to it */
}

SD_AT_ONCE ssize_t sd_recv_at_once(int fd, struct sd_socket *s, void *buf, size_t n, int flags, sd_recv_call *otherwise)
{
    struct sd_rx *rx = &s->rx;
    struct sd_thread *self;
    if (sd_unlikely((flags & ~MSG_DONTWAIT) || sd_load(&sd_g.unusual) || !(self = sd_token_enter_fast(&rx->token))))
        return otherwise(fd, buf, n, flags);
    size_t taken = sd_there_at_once(fd, s, n);
    uint64_t offset = (rx->head - rx->base) & SD_RING_MASK;
    if (sd_unlikely(!sd_is_short(offset, taken))) {
        sd_token_leave_fast(self);
        return otherwise(fd, buf, n, flags);
    }
    sd_ring_rx_step(&rx->m, SD_RING_RX_EV_RECV, n);
    sd_copy_short(buf, sd_ring_at(rx->front, rx->rest, offset), taken);
    sd_ring_release(rx, taken);
    sd_compiler_fence(); /* pairs with the membarrier in sd_fence_sleeper */
    if (sd_unlikely(sd_load(&rx->dir->room_wait.armed)))
        return sd_received_and_attend(s, self, taken);
    sd_token_leave_fast(self);
    return (ssize_t)taken;
}

#endif

/* Moving bytes through a ring: copy, publish, look. The ring machines decide, this file copies.
 *
 * Byte p of the stream lies at offset (p - base) & (SD_RING_BYTES - 1). The first SD_FRONT_BYTES of a ring, its front, lie
 * elsewhere than the rest, densely with the fronts of all connections of the slab: rings are 2 MiB apart, so that the first
 * pages of a thousand of them would share few places of the TLB, and each would need a page of page table for itself.
 * Only the holder of the direction's token calls these.
 * What the peer wrote is read once, checked, and used from the copy: a head beyond tail, or a tail beyond head plus the
 * ring, breaks the connection (-EPROTO inside, ECONNRESET for the program).
 */
#ifndef SD_RING_H
#define SD_RING_H

#include <string.h>
#include <sys/uio.h>

#include "core/state.h"
#include "core/thread.h"
#include "core/wait.h"

#define SD_RING_MASK ((uint64_t)SD_RING_BYTES - 1)
/* An empty ring starts at its first byte again if it got so far, and no farther: small messages stay in its front, and in
 * lines that are in the cache. Streams of large messages must walk on: lines that only ever move between the caches of
 * two cores carry 3 GB/s, lines that went out to the shared cache 39 (measured, 2 cores of an AMD EPYC). */
#define SD_REWIND_FROM 1024
#define SD_REWIND_TO   32768

#define SD_COPY_SHORT 256 /* below, memcpy uses no string move */

/* A message of more than two pieces is published piece by piece: who polls on another core copies the first ones out while
 * we copy the others in. Who sleeps is woken once, by the whole. */
#define SD_PIECE_BYTES 32768

static inline size_t sd_piece(size_t n)
{
    return n > 2 * SD_PIECE_BYTES ? SD_PIECE_BYTES : n;
}

/* More than a few bytes, none, or past the end of the front or of the ring. */
SD_API void sd_ring_put_long(const struct sd_tx *tx, uint64_t offset, const uint8_t *from, size_t n);
SD_API void sd_ring_get_long(const struct sd_rx *rx, uint64_t offset, uint8_t *to, size_t n);

/* How many bytes from an offset on lie in one piece. */
static inline uint64_t sd_ring_piece(uint64_t offset)
{
    return (offset < SD_FRONT_BYTES ? SD_FRONT_BYTES : SD_RING_BYTES) - offset;
}

/* Where the byte at an offset lies. */
static inline uint8_t *sd_ring_at(uint8_t *front, uint8_t *rest, uint64_t offset)
{
    return (offset < SD_FRONT_BYTES ? front : rest) + offset;
}

static inline bool sd_is_short(uint64_t offset, size_t n)
{
    return sd_likely(n - 1 < SD_COPY_SHORT - 1 && n <= sd_ring_piece(offset));
}

/* The commonest lengths without a call. */
static inline void sd_copy_short(uint8_t *to, const uint8_t *from, size_t n)
{
    uint64_t first, last;
    if (n - sizeof first > sizeof last) {
        memcpy(to, from, n);
        return;
    }
    memcpy(&first, from, sizeof first);
    memcpy(&last, from + n - sizeof last, sizeof last);
    memcpy(to, &first, sizeof first);
    memcpy(to + n - sizeof last, &last, sizeof last);
}

/* Copies n bytes into the ring at position tail. */
static inline void sd_ring_put(struct sd_tx *tx, uint64_t position, const uint8_t *from, size_t n)
{
    uint64_t offset = (position - tx->base) & SD_RING_MASK;
    if (sd_is_short(offset, n))
        sd_copy_short(sd_ring_at(tx->front, tx->rest, offset), from, n);
    else
        sd_ring_put_long(tx, offset, from, n);
}

static inline void sd_ring_get(const struct sd_rx *rx, uint64_t position, uint8_t *to, size_t n)
{
    uint64_t offset = (position - rx->base) & SD_RING_MASK;
    if (sd_is_short(offset, n))
        sd_copy_short(to, sd_ring_at(rx->front, rx->rest, offset), n);
    else
        sd_ring_get_long(rx, offset, to, n);
}

/* Our own positions, for who looks without the token. What stands in shared memory may have been changed by the peer. */
static inline uint64_t sd_own_tail(const struct sd_socket *s)
{
    return __atomic_load_n(&s->tx.tail, __ATOMIC_RELAXED);
}

static inline uint64_t sd_own_head(const struct sd_socket *s)
{
    return __atomic_load_n(&s->rx.head, __ATOMIC_RELAXED);
}

/* Make n more bytes visible to the consumer. */
static inline void sd_ring_publish(struct sd_tx *tx, size_t n)
{
    uint64_t tail = tx->tail + n;
    __atomic_store_n(&tx->tail, tail, __ATOMIC_RELAXED);
    sd_store_release(&tx->dir->p.tail, tail); /* pairs with the acquire load of tail in sd_ring_new_bytes */
}

/* Give the room of n bytes back to the producer. */
static inline void sd_ring_release(struct sd_rx *rx, size_t n)
{
    uint64_t head = rx->head + n;
    __atomic_store_n(&rx->head, head, __ATOMIC_RELAXED);
    sd_store_release(&rx->dir->c.head, head); /* pairs with the acquire load of head in sd_ring_new_room */
}

/* Room that the consumer's head newly shows, in bytes; -EPROTO if head is impossible. */
static inline long sd_ring_new_room(struct sd_tx *tx)
{
    uint64_t head = sd_load_acquire(&tx->dir->c.head); /* pairs with sd_ring_release: the bytes were copied out */
    uint64_t room = head - tx->head_seen;
    if (sd_unlikely(room > tx->tail - tx->head_seen))
        return -EPROTO;
    tx->head_seen = head;
    return (long)room;
}

/* Bytes that the producer's tail newly shows; -EPROTO if tail is impossible: beyond the ring, or behind what it was. */
static inline long sd_ring_new_bytes(struct sd_rx *rx)
{
    uint64_t tail = sd_load_acquire(&rx->dir->p.tail); /* pairs with sd_ring_publish: bytes and base are there */
    uint64_t bytes = tail - rx->tail_seen;
    if (sd_unlikely(bytes > SD_RING_BYTES - (rx->tail_seen - rx->head)))
        return -EPROTO;
    if (bytes)
        rx->base = sd_load(&rx->dir->p.base);
    rx->tail_seen = tail;
    return (long)bytes;
}

/* More may have been published since: a program that asks for all that is there shall get it. What is new, or -EPROTO. */
static inline long sd_ring_top_up(struct sd_rx *rx)
{
    long bytes = sd_ring_new_bytes(rx);
    if (bytes > 0)
        sd_ring_rx_step(&rx->m, SD_RING_RX_EV_DATA, (uint64_t)bytes);
    return bytes;
}

/* The consumer has read all: put the next bytes at the start of the ring again, in warm cache lines and pages. */
static inline bool sd_ring_may_rewind(const struct sd_tx *tx)
{
    uint64_t offset = (tx->tail - tx->base) & SD_RING_MASK;
    return offset >= SD_REWIND_FROM && offset < SD_REWIND_TO;
}

static inline void sd_ring_rewind(struct sd_tx *tx)
{
    assert(tx->head_seen == tx->tail);
    tx->base = tx->tail;
    sd_store(&tx->dir->p.base, tx->base); /* published by the next store of tail */
}

/* After a publish or a release: does the peer wait for it? */
static inline void sd_notify(struct sd_socket *s, struct sd_attention *attention, bool data)
{
    if (sd_unlikely(sd_g.heavy_fence))
        atomic_thread_fence(memory_order_seq_cst);
    else
        sd_compiler_fence(); /* pairs with the membarrier in sd_fence_sleeper */
    uint32_t armed = sd_load(&attention->armed);
    if (sd_unlikely(armed))
        sd_attend(s, attention, armed, data);
}

#endif

/* A connection that came back: both directions begin on the companion, as if they had moved, and go into the rings one by
 * one. The machines are `mover` (OUT) and `ring_rx` (AWAY); the theory is in transport.py.
 *
 *     the producer                                    the consumer
 *     all that it sent by TCP is acknowledged         reads tail
 *     puts its bytes into the ring                    finds the companion empty
 *     moves or closes: sets SEEN_*, sees AWAY?        takes AWAY from beside its head, unless SEEN_* stands there
 *
 * What is acknowledged lies in the kernel of the consumer: so a tail that was seen before the companion was found empty
 * shows bytes that come behind all of TCP's.
 */
#ifndef SD_AWAY_H
#define SD_AWAY_H

#include "core/move.h"

struct cursor;

/* With the receive token, after steps that may have led out of the ring, or into it. */
static inline void sd_show_receiving(struct sd_socket *s)
{
    sd_store(&s->receiving, (uint16_t)s->rx.m.state);
}

/* The other direction still comes by the companion: what is there comes before what is in the ring. */
static inline bool sd_is_away(const struct sd_socket *s)
{
    return sd_load(&((struct sd_socket *)s)->receiving) == SD_RING_RX_AWAY;
}

/* Our direction is outside, and the consumer looks into the ring. With the send token. */
SD_API bool sd_is_awaited(const struct sd_socket *s);

/* Bytes that TCP took from us and did not bring to the other kernel yet. */
SD_API uint64_t sd_under_way(int fd);

/* The driver of LOOK_BOTH and ARRIVE; with the receive token. Bytes, or 0 and the effect that follows. */
SD_API long sd_away_take(struct sd_socket *s, struct cursor *to, int flags, uint32_t *effect);

/* poll(2) events while away; `ring` and `tcp` say what the ring and the companion alone would answer. */
SD_API uint32_t sd_away_readiness(struct sd_socket *s, uint32_t ring, uint32_t tcp);

/* Both directions begin outside of the rings of a slot that was just attached; with both tokens. */
SD_API void sd_away_begin(struct sd_socket *s);

#endif

/* What a program says of its buffers, SO_SNDBUF, SO_RCVBUF and SO_RCVLOWAT, where the buffer is a ring.
 *
 * Window     Linux keeps what the receiver's buffer does not hold in the sender's; a writer may be ahead of its reader by both
 *            together. A ring is one place, and much larger than what a program asks for that wants little to be under way.
 *            So a producer uses no more of it than its own send buffer and the consumer's receive buffer would hold: the
 *            window of its machine (ring.py). The sizes are the kernel's own, which getsockopt tells. Where the program chose
 *            no send buffer Linux lets it grow to megabytes: then the window is the whole ring.
 *            Before accept nobody knows the consumer's buffer, and the bytes may yet have to go over TCP, which must then take
 *            them all at once if the program closes: the window is what its send buffer alone would hold.
 * News       A consumer publishes its size beside head, where a producer that looks for room finds it, and pokes a producer
 *            that still has room. A producer publishes its window, so that the consumer knows what room is worth telling of.
 * Low mark   A socket is readable from so many bytes on. The fast path knows nothing of it: such a receiver forgets after
 *            each call what it knows and has not taken (UNSEE), so that every call begins on the slow path.
 */
#ifndef SD_BUFFERS_H
#define SD_BUFFERS_H

#include "core/state.h"

/* After setsockopt(SOL_SOCKET, name) succeeded in the kernel. */
SD_API void sd_option_set(int fd, int name);

/* A socket that was accepted has its listener's sizes. */
SD_API void sd_buffers_inherit(struct sd_socket *s, const struct sd_socket *listener);

/* A slot was attached: show the other side our receive buffer, and keep the low mark. */
SD_API void sd_buffers_attach(struct sd_socket *s);

/* With the send token: bring the machine's window in line with both buffers. True: there is room now. */
SD_API bool sd_window_follow(struct sd_socket *s);

/* With the receive token, after a call that looked: with a low mark, the next one begins on the slow path again. */
SD_API void sd_mark_keep(struct sd_socket *s);

/* How many unread bytes make the socket readable. */
SD_API uint64_t sd_readable_from_mark(const struct sd_socket *s);
static inline uint64_t sd_readable_from(const struct sd_socket *s)
{
    return sd_likely(sd_load(&((struct sd_socket *)s)->low_mark) <= 1) ? 1 : sd_readable_from_mark(s);
}

/* Bytes that the peer's buffer holds of those that we sent; what is beyond them waits on our side (SIOCOUTQ). */
SD_API uint64_t sd_peer_buffer(const struct sd_socket *s);

/* How many bytes may be under way for the socket to be writable: room for a quarter of the window, as Linux waits for a part
 * of its buffer. */
static inline uint64_t sd_writable_up_to(uint64_t window)
{
    return window - window / 4;
}

/* The window of an offer that nobody has accepted yet: what TCP would take, since it may come to that. */
SD_API uint64_t sd_offer_window(const struct sd_socket *s);

static inline uint64_t sd_window(const struct sd_socket *s)
{
    return __atomic_load_n(&s->tx.m.window, __ATOMIC_RELAXED);
}

#endif

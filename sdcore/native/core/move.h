/* A live connection goes over to its companion. Each direction moves by itself: the producer sets TX_MOVED beside its
 * final tail and goes on with TCP; the consumer reads the ring empty, then TCP. A consumer that cannot read its ring any
 * more puts what it has not read on the companion itself if it can (forward.h), and sets RX_ABANDONED beside its final
 * head; the producer sends the bytes from there again over TCP when it moves.
 *
 * Who wants to move asks the peer by ARM_MOVE. The peer follows in its next call on this connection, or when woken from
 * one that waits: every call that may find nothing looks for the request. An administrator asks both sides by ARM_DRAIN,
 * which the monitor sets: each then moves as if the other had asked.
 *
 *     mode RING    a direction may be on TCP (mover not RINGS; ring_rx MOVED), or bytes may wait to be sent again: nothing
 *                  overtakes them, neither the program's next bytes nor the end of the stream
 *     mode KERNEL  both directions are over
 *
 * While one direction has moved, a sleeper hears from the companion only what it cannot hear from the ring, so that
 * nothing that stays true wakes it again and again: sd_move_interest.
 */
#ifndef SD_MOVE_H
#define SD_MOVE_H

#include <sys/uio.h>

#include "core/state.h"

/* Some direction of this connection uses the companion, or is about to: bytes on it are no surprise. */
SD_API bool sd_move_uses_companion(struct sd_socket *s);

#define SD_ARM_ASKS (SD_ARM_MOVE | SD_ARM_DRAIN)

/* The peer, or an administrator, asked that our direction move: do it. Takes both tokens. */
SD_API void sd_move_asked(struct sd_socket *s, int fd);

/* Before a call that ends or waits: do what the peer asked for, if it asked. Costs a load. */
SD_API void sd_move_attend(struct sd_socket *s, int fd);

/* The server has taken up an offer. If the slab was drained meanwhile, the monitor may have looked at the slot before the
 * client claimed it, or marked it before the client cleared it: then we ask ourselves. Either the monitor finds the slot
 * in use, or we, who come after the claim, find the slab drained. */
SD_API void sd_move_if_drained(struct sd_socket *s);

/* Somebody waits for this connection and has nothing to look for: only for what an administrator asked. */
SD_API void sd_move_pressed(struct sd_socket *s, int fd);

/* A look at the companion while something moves: sends again, notices that the peer is gone, finishes. Returns when to
 * look again, as sd_look_at_companion does. */
SD_API uint64_t sd_move_look(struct sd_socket *s, int fd);

/* Bytes on the companion though the peer has not moved: somebody who does not know of the ring wrote them, such as a
 * child that inherited the descriptor. Where they belong nobody knows; they are read when the ring is empty. */
SD_API void sd_move_surprised(struct sd_socket *s);

/* Such bytes may be there; how many of them may be read now. What the peer sends after it moved is not counted. */
SD_API bool sd_move_has_strays(const struct sd_socket *s);
SD_API size_t sd_move_strays(struct sd_socket *s, int fd);

/* The peer is gone without having moved: is there something on the companion all the same? */
SD_API bool sd_move_leftover(struct sd_socket *s);

/* poll(2) events of a connection that is partly moved; ring says what the rings alone would answer. Answers ring when
 * nothing moves. Makes a system call only while something moves. */
SD_API uint32_t sd_move_readiness(struct sd_socket *s, uint32_t ring);

/* poll(2) events to hear of the companion while a thread sleeps that waits for `events`. */
SD_API short sd_move_interest(struct sd_socket *s, uint32_t events);

/* Before a read that may wait in the kernel: what is ours to send again goes out first, or both ends would wait for each
 * other. 0: read now, something may be there. -EINTR. -EAGAIN: nothing came until deadline_ns. */
SD_API long sd_move_before_read(struct sd_socket *s, int fd, uint64_t deadline_ns);

/* An offer was taken back, with both tokens: nobody reads the rings. What we put there goes out over the companion first;
 * true if TCP took all of it. If not, the stream goes on as one that has moved and sends again. */
SD_API bool sd_move_withdrawn(struct sd_socket *s, int fd);

/* Our direction is outside of the ring, and has n bytes to send; with the send token. SD_PASS: the companion takes them. 0:
 * bytes wait to be sent again first. -EPIPE. SD_ENTERED: they go into the ring from now on; not if n is 0. */
#define SD_ENTERED 1
SD_API long sd_move_turn(struct sd_socket *s, size_t n);

/* Bytes wait to be sent again: the companion's room matters whatever the program waits for. */
SD_API bool sd_move_resends(const struct sd_socket *s);

/* The ring is read empty and the rest of the stream comes over the companion. */
SD_API bool sd_move_received(struct sd_socket *s);

/* A place in the program's buffers: `offset` bytes into iov[0]. */
struct sd_place {
    const struct iovec *iov;
    size_t count;
    size_t offset;
};

/* A look (MSG_PEEK) saw `seen` bytes in the ring: if that is all there is in it, and the rest of the stream comes over the
 * companion, looks at what is there, too. Bytes seen, 0 for none. */
SD_API long sd_move_peek_behind(struct sd_socket *s, int fd, uint64_t seen, const struct sd_place *to, int flags);

/* Our direction sends by the companion: it has left the ring, or came back and has not entered it yet. */
static inline bool sd_move_outside(const struct sd_socket *s)
{
    return __atomic_load_n(&s->tx.mover.state, __ATOMIC_RELAXED) != SD_MOVER_RINGS; /* also without a token */
}

/* Our direction has left the ring. */
SD_API bool sd_move_left(const struct sd_socket *s);

/* No byte will follow; with both tokens. 0, or -errno of the companion's shutdown. */
SD_API long sd_move_end(struct sd_socket *s, int fd);

/* The rest of a shutdown() after our direction has moved; `ended` is what sd_move_end said. 0 or -errno. */
SD_API long sd_move_shutdown(struct sd_socket *s, int fd, int how, long ended);

/* TX_CLOSED stands beside tail, the last descriptor fd is still open, and we hold both tokens: see that what the peer left
 * is sent, by us or by the monitor. The slot may be given back afterwards. */
SD_API void sd_move_closed(struct sd_socket *s, int fd);

/* Before another program takes the descriptor over: what the peer abandoned is sent again. A fresh companion takes a whole
 * ring at once (Linux gives a loopback connection 4 MB), and forwarding takes as long as a copy; so the wait is short, for
 * a peer that never lets it end shall not keep a server from others. */
#define SD_MOVE_LINGER_NS 5000000u
SD_API void sd_move_close(struct sd_socket *s, int fd);

/* Before a descriptor closes: if it is the last of an end that came back, others may hold that whom nobody sees (join.c), and
 * the kernel is to say whether it ends. */
SD_API void sd_move_if_came_back(struct sd_socket *s, int fd);

/* Both directions are over: the mode becomes KERNEL. */
SD_API void sd_move_finish(struct sd_socket *s);

#endif

/* A live connection goes over to its companion. Each direction moves by itself: the producer sets TX_MOVED beside its
 * final tail and goes on with TCP; the consumer reads the ring empty, then TCP. A consumer that cannot read its ring any
 * more sets RX_ABANDONED beside its final head; the producer sends the bytes from there again over TCP.
 *
 * While only one direction has moved, or bytes wait to be sent again, the mode stays RING; then it becomes KERNEL.
 */
#ifndef SD_MOVE_H
#define SD_MOVE_H

#include "core/state.h"

/* Some direction of this connection uses the companion, or is about to: bytes on it are no surprise. */
SD_API bool sd_move_uses_companion(struct sd_socket *s);

/* The peer asked that our direction move. */
SD_API void sd_move_asked(struct sd_socket *s, int fd);

/* poll(2) events of a connection that is partly moved; ring says what the rings alone would answer. Answers ring when
 * nothing moves. Makes a system call only while something moves. */
SD_API uint32_t sd_move_readiness(struct sd_socket *s, uint32_t ring);

/* Send again what the consumer abandoned, as much as TCP takes now; true when nothing is left. With the send token. */
SD_API bool sd_move_flush(struct sd_socket *s, int fd);

/* Both directions are over: the mode becomes KERNEL. */
SD_API void sd_move_finish(struct sd_socket *s);

#endif

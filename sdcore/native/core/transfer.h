/* Sending without a buffer of the program: where the next bytes lie in the ring. For sendfile. */
#ifndef SD_TRANSFER_H
#define SD_TRANSFER_H

#include "core/state.h"

/* With the send token: how many bytes fit in one piece, and where. 0 < result; -EAGAIN for no room; -EPIPE or the
 * pending error; SD_PASS when the companion takes it. */
SD_API long sd_tx_room(struct sd_socket *s, uint8_t **to);

/* With the send token: n bytes were put there. */
SD_API void sd_tx_commit(struct sd_socket *s, size_t n);

/* Waits as a send would: 0 try again; -EAGAIN if the descriptor does not block or its timeout is over; -EINTR. */
SD_API long sd_wait_for_room(struct sd_socket *s, int fd);

#endif

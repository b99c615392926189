/* The long way of send and recv, for plain.c; and sending without a buffer of the program, for sendfile. */
#ifndef SD_TRANSFER_H
#define SD_TRANSFER_H

#include "core/state.h"

/* As sd_send and sd_recv, whatever the socket is. `empty`: the caller has just looked, and there is nothing, nor anything
 * to say about the connection. */
SD_API long sd_send_slow(int fd, const void *buf, size_t n, int flags);
SD_API long sd_recv_slow(int fd, void *buf, size_t n, int flags, bool empty);

/* Inside a call, after a wait: what sd_recv takes at once, or 0: there is more to it. `behind`: something may lie behind the
 * last byte that the ring gave. */
SD_API long sd_recv_awaited(int fd, struct sd_socket *s, void *buf, size_t n, bool *behind);

/* What lies behind the last byte that the ring will give, without waiting; 0 if there is nothing. */
SD_API long sd_recv_behind_plain(int fd, struct sd_socket *s, void *buf, size_t n, int flags);

/* With the send token: how many bytes fit in one piece, and where. 0 < result; -EAGAIN for no room; -EPIPE or the
 * pending error; SD_PASS when the companion takes it. */
SD_API long sd_tx_room(struct sd_socket *s, uint8_t **to);

/* With the send token: n bytes were put there. */
SD_API void sd_tx_commit(struct sd_socket *s, size_t n);

/* Waits as a send would: 0 try again; -EAGAIN if the descriptor does not block or its timeout is over; -EINTR. */
SD_API long sd_wait_for_room(struct sd_socket *s, int fd);

#endif

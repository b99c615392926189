/* What comes by the companion in a receive that began with the rings: bytes that nobody announced, and what lies behind the
 * last byte of a ring whose producer has moved. A receive that also asks for control data (SD_RINGS_ALONE) takes of neither:
 * what is there may have descriptors with it, which only the program's own call can take.
 */
#ifndef SD_BEHIND_H
#define SD_BEHIND_H

#include "core/cursor.h"
#include "core/state.h"

/* The rest of what the program wants after the connection moved in the middle of it. Bytes, 0 for none. */
SD_API long sd_recv_rest_by_kernel(struct sd_socket *s, int fd, struct cursor *c, int flags);

/* Bytes that nobody announced; -EAGAIN if there are none, or SD_PASS: the program's own call takes them. */
SD_API long sd_recv_strays(struct sd_socket *s, int fd, struct cursor *c, int flags);

/* What came out of the ring, `seen` bytes, may be the first part only of what Linux would have given: the rest of it. */
SD_API long sd_recv_behind(struct sd_socket *s, int fd, struct cursor *c, int flags, long seen);
SD_API long sd_recv_behind_one(struct sd_socket *s, int fd, const struct iovec *rest, int flags);

#endif

/* Transfers as the entry points need them: the core's, with Linux's rules around them (io.c). They answer bytes, a
 * negated errno, or SD_PASS.
 */
#ifndef SD_SHIM_TRANSFER_H
#define SD_SHIM_TRANSFER_H

#include "shim/shim.h"

/* UIO_MAXIOV: the longest vector of one call. */
#define IOV_COUNT_MAX 1024

SD_API long sd_received(int fd, void *buf, size_t n, int flags);
SD_API long sd_sent(int fd, const void *buf, size_t n, int flags);
SD_API long sd_received_vector(int fd, const struct iovec *iov, size_t count, int flags, int *msg_flags);
SD_API long sd_sent_vector(int fd, const struct iovec *iov, size_t count, int flags);

/* Bytes of a vector, at most SD_BYTES_MAX; -EINVAL if an element has more than SSIZE_MAX. */
SD_API long sd_vector_bytes(const struct iovec *iov, size_t count);

/* Who sent what came by a ring: nobody with a name, except the listener's end of AF_UNIX. */
SD_API void sd_show_sender(int fd, long received, struct sockaddr *addr, socklen_t *len);

/* A destination is an error there. */
SD_API bool sd_is_connected_unix(int fd);

/* One message on a socket of ours, as recvmsg and sendmsg transfer it. */
SD_API long sd_received_message(int fd, struct msghdr *msg, int flags);
SD_API long sd_sent_message(int fd, const struct msghdr *msg, int flags);

#endif

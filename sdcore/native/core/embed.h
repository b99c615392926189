/* The core for programs that are not preloaded: the same functions with plain argument types, for the cffi module.
 * All return a value >= 0 or a negated errno; a call that is not ours is done by the kernel. */
#ifndef SD_EMBED_H
#define SD_EMBED_H

#include "core/api.h"

SD_API void sd_embed_start(void);
SD_API void sd_embed_opened(int fd, int domain, int type);
SD_API long sd_embed_connect(int fd, const void *address, size_t bytes);
SD_API void sd_embed_listening(int fd);
SD_API void sd_embed_accepted(int listen_fd, int fd, int nonblock);
SD_API long sd_embed_send(int fd, const void *data, size_t bytes, int flags);
SD_API long sd_embed_recv(int fd, void *data, size_t bytes, int flags);
SD_API long sd_embed_shutdown(int fd, int how);
SD_API long sd_embed_poll(int fd, int events, long timeout_ms); /* revents */
SD_API void sd_embed_closing(int fd);
SD_API void sd_embed_set_nonblock(int fd, int on);
SD_API int sd_embed_accelerated(int fd);
SD_API long sd_embed_epoll_ctl(int epfd, int op, int fd, uint32_t events);
SD_API long sd_embed_epoll_wait(int epfd, int32_t *fds, uint32_t *events, int max, long timeout_ms);

#endif

/* What every file of entry points begins with. It comes first: libc's headers must not rename what we define.
 *
 * The pattern of every entry point:
 *
 *     static SD_APART ssize_t name_ours(int fd, ...)
 *     {
 *         long r = what the core says;                bytes, -errno, or SD_PASS
 *         if (r == SD_PASS)
 *             return sd_counted_in(fd, libc.name(fd, ...));
 *         return sd_return(r);                        the only place that sets errno
 *     }
 *
 *     SD_EXPORT ssize_t name(int fd, ...)             not ours: one bounds check and two loads, then libc
 *     {
 *         return sd_likely(!sd_socket_of(fd)) ? libc.name(fd, ...) : name_ours(fd, ...);
 *     }
 *
 * An exported name never calls another exported name, and the core calls none: the library does not re-enter itself. The
 * one exception is syscall(), which hands over to the entry point of the call's name.
 */
#ifndef SD_SHIM_H
#define SD_SHIM_H

#undef _FILE_OFFSET_BITS
#undef _TIME_BITS
#undef _FORTIFY_SOURCE
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <aio.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/api.h"
#include "core/base.h"
#include "core/state.h"

static_assert(sizeof(long) == 8 && sizeof(off_t) == sizeof(off64_t), "one form of each call, not two");

#define SD_EXPORT __attribute__((visibility("default")))

/* Out of line: what only sockets of ours need must not cost the others a stack frame. */
#define SD_APART __attribute__((noinline))

/* The same function under a second name of libc's. */
#define SD_ALIAS(name, alias_name) \
    extern __typeof__(name) alias_name __attribute__((alias(#name), visibility("default"), copy(name)))

/* The most that one call transfers, as in the kernel: INT_MAX rounded down to a page. */
#define SD_BYTES_MAX 0x7ffff000UL

static inline size_t sd_clip(size_t n)
{
    return sd_likely(n <= SD_BYTES_MAX) ? n : SD_BYTES_MAX;
}

/* What kind of descriptor this is to us: enum sd_file_kind. */
static inline uint32_t sd_kind_of(int fd)
{
    if (sd_unlikely((uint32_t)fd >= sd_g.file_count))
        return SD_FILE_NONE;
    return sd_load(&sd_g.files[fd].kind);
}

/* Result of a libc call on a socket of ours that is kernel TCP: its bytes are counted, and it is returned. */
static inline ssize_t sd_counted_in(int fd, ssize_t n)
{
    if (n > 0) {
        sd_count_kernel(fd, 0, n);
        sd_join_look(fd);
    }
    return n;
}

static inline ssize_t sd_counted_out(int fd, ssize_t n)
{
    if (n > 0) {
        sd_count_kernel(fd, n, 0);
        sd_join_look(fd);
    }
    return n;
}

/* From here on the kernel serves this descriptor. 0 if it is so, or was so already; else a negated errno. */
SD_API long sd_leave_to_kernel(int fd, enum sd_reason reason, bool abandon);

/* The same, and for a socket that is not connected yet: it, and what it accepts, never leaves the kernel. */
SD_API long sd_stay_with_kernel(int fd, enum sd_reason reason);

/* passing.c: what a message carries away moves to the kernel first. 0 or a negated errno. */
SD_API long sd_before_passing(const struct msghdr *msg);

/* passing.c: a message came; what it brought is met. */
SD_API void sd_after_passing(const struct msghdr *msg);

/* process.c: called once by the constructor. */
SD_API void sd_watch_process(void);

/* stdio.c: what streams over sockets of ours still hold goes out. */
SD_API void sd_flush_streams(void);

/* io.c and messages.c: what several entry points share. */
SD_API ssize_t sd_do_read(int fd, void *buf, size_t n);
SD_API ssize_t sd_do_recv(int fd, void *buf, size_t n, int flags);
SD_API ssize_t sd_do_recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *addr, socklen_t *len);
SD_API int sd_do_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
SD_API int sd_do_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask);
SD_API ssize_t sd_do_write(int fd, const void *buf, size_t n);
SD_API int sd_do_close(int fd);
SD_API int sd_do_dup2(int old_fd, int new_fd);
SD_API pid_t sd_do_fork(void);
SD_API void sd_do_exit(int status) __attribute__((noreturn));

#endif

/* The forms that a program compiled with _FORTIFY_SOURCE calls. `size` is what the compiler knows of the buffer: a call
 * that may overrun goes to libc, which ends the program with its own message. Others are the plain call.
 */
#include "shim/libc.h"
#include "shim/shim.h"

/* Not declared in any header that a program includes without fortification. */
SD_EXPORT ssize_t __read_chk(int fd, void *buf, size_t n, size_t size);
SD_EXPORT ssize_t __recv_chk(int fd, void *buf, size_t n, size_t size, int flags);
SD_EXPORT ssize_t __recvfrom_chk(int fd, void *buf, size_t n, size_t size, int flags, struct sockaddr *addr,
                                 socklen_t *len);
SD_EXPORT int __poll_chk(struct pollfd *fds, nfds_t n, int timeout_ms, size_t size);
SD_EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask,
                          size_t size);

SD_EXPORT ssize_t __read_chk(int fd, void *buf, size_t n, size_t size)
{
    return sd_likely(n <= size) ? sd_do_read(fd, buf, n) : libc.__read_chk(fd, buf, n, size);
}

SD_EXPORT ssize_t __recv_chk(int fd, void *buf, size_t n, size_t size, int flags)
{
    return sd_likely(n <= size) ? sd_do_recv(fd, buf, n, flags) : libc.__recv_chk(fd, buf, n, size, flags);
}

SD_EXPORT ssize_t __recvfrom_chk(int fd, void *buf, size_t n, size_t size, int flags, struct sockaddr *addr,
                                 socklen_t *len)
{
    return sd_likely(n <= size) ? sd_do_recvfrom(fd, buf, n, flags, addr, len)
                                : libc.__recvfrom_chk(fd, buf, n, size, flags, addr, len);
}

SD_EXPORT int __poll_chk(struct pollfd *fds, nfds_t n, int timeout_ms, size_t size)
{
    return sd_likely(n <= size / sizeof *fds) ? sd_do_poll(fds, n, timeout_ms)
                                              : libc.__poll_chk(fds, n, timeout_ms, size);
}

SD_EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask,
                          size_t size)
{
    return sd_likely(n <= size / sizeof *fds) ? sd_do_ppoll(fds, n, timeout, mask)
                                              : libc.__ppoll_chk(fds, n, timeout, mask, size);
}

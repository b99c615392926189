/* Bytes: read, write, send, recv and their vectors.
 *
 * sd_received and sd_sent add to the core what Linux does around a transfer: out-of-band data and the error queue belong
 * to the kernel, one call moves at most SD_BYTES_MAX, and a call that a signal interrupted may start again.
 */
#include "shim/errno.h"
#include "shim/libc.h"
#include "shim/transfer.h"

#include "core/unix.h"

#include "core/plain.h" /* after shim.h, which says how the system's headers are read */

/* What the kernel alone has: an urgent byte, since a peer moves before it sends one, and the error queue, which AF_UNIX does
 * not know. Who asks for it in vain stays where he is: only here is it known how the connection ended. */
static bool is_kernels(int fd, int flags)
{
    return (flags & (MSG_OOB | MSG_ERRQUEUE)) && ((flags & MSG_OOB) || sd_family_of(fd) != AF_UNIX);
}

long sd_received(int fd, void *buf, size_t n, int flags)
{
    sd_cancel_point();
    if (sd_unlikely(is_kernels(fd, flags)))
        return SD_PASS;
    for (;;) {
        long r = sd_recv(fd, buf, sd_clip(n), flags);
        if (sd_likely(r != -EINTR) || !sd_restarts(fd, SO_RCVTIMEO))
            return r;
    }
}

/* Before the connection moves: what the kernel's does not know, because it happened in the rings. */
static long send_urgent(int fd, size_t n, int flags)
{
    if (n == 0 && sd_family_of(fd) == AF_UNIX)
        return SD_PASS; /* an error of its own */
    long r = sd_send(fd, "", 0, flags & ~MSG_OOB);
    if (r >= 0 || r == SD_PASS)
        r = sd_leave_to_kernel(fd, SD_REASON_MOVED_OOB, false);
    return r < 0 ? r : SD_PASS;
}

long sd_sent(int fd, const void *buf, size_t n, int flags)
{
    sd_cancel_point();
    if (sd_unlikely(flags & MSG_OOB))
        return send_urgent(fd, n, flags);
    for (;;) {
        long r = sd_send(fd, buf, sd_clip(n), flags);
        if (sd_likely(r != -EINTR) || !sd_restarts(fd, SO_SNDTIMEO))
            return r;
    }
}

long sd_vector_bytes(const struct iovec *iov, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        if ((ssize_t)iov[i].iov_len < 0)
            return -EINVAL;
        total = sd_clip(total + sd_clip(iov[i].iov_len));
    }
    return (long)total;
}

long sd_received_vector(int fd, const struct iovec *iov, size_t count, int flags, int *msg_flags)
{
    sd_cancel_point();
    if (sd_unlikely(is_kernels(fd, flags)))
        return SD_PASS;
    for (;;) {
        long r = sd_recvv(fd, iov, count, flags, msg_flags);
        if (sd_likely(r != -EINTR) || !sd_restarts(fd, SO_RCVTIMEO))
            return r;
    }
}

long sd_sent_vector(int fd, const struct iovec *iov, size_t count, int flags)
{
    sd_cancel_point();
    if (sd_unlikely(flags & MSG_OOB))
        return send_urgent(fd, (size_t)sd_vector_bytes(iov, count), flags);
    for (;;) {
        long r = sd_sendv(fd, iov, count, flags);
        if (sd_likely(r != -EINTR) || !sd_restarts(fd, SO_SNDTIMEO))
            return r;
    }
}

/* Each call is three functions: the entry point, which is all that others' descriptors ever see and needs no stack; the
 * common path of ours; and the rest of ours. */

/* read of no bytes is 0 at once, whatever the socket's state; recv of no bytes is not. */
static SD_APART ssize_t read_otherwise(int fd, void *buf, size_t n, int flags)
{
    if (sd_unlikely(n == 0))
        return 0;
    long r = sd_received(fd, buf, n, flags);
    return sd_unlikely(r == SD_PASS) ? sd_counted_in(fd, libc.read(fd, buf, n)) : sd_return(r);
}

static SD_APART ssize_t read_ours(int fd, void *buf, size_t n, struct sd_socket *s)
{
    return sd_recv_at_once(fd, s, buf, n, 0, read_otherwise);
}

ssize_t sd_do_read(int fd, void *buf, size_t n)
{
    struct sd_socket *s = sd_socket_of(fd);
    return sd_likely(!s) ? libc.read(fd, buf, n) : read_ours(fd, buf, n, s);
}

SD_EXPORT ssize_t read(int fd, void *buf, size_t n)
{
    return sd_do_read(fd, buf, n);
}
SD_ALIAS(read, __read);

static SD_APART ssize_t write_otherwise(int fd, const void *buf, size_t n, int flags)
{
    long r = sd_sent(fd, buf, n, flags);
    return sd_unlikely(r == SD_PASS) ? sd_counted_out(fd, libc.write(fd, buf, n)) : sd_return_sent(r, flags);
}

static SD_APART ssize_t write_ours(int fd, const void *buf, size_t n, struct sd_socket *s)
{
    return sd_send_at_once(fd, s, buf, n, 0, write_otherwise);
}

ssize_t sd_do_write(int fd, const void *buf, size_t n)
{
    struct sd_socket *s = sd_socket_of(fd);
    return sd_likely(!s) ? libc.write(fd, buf, n) : write_ours(fd, buf, n, s);
}

SD_EXPORT ssize_t write(int fd, const void *buf, size_t n)
{
    return sd_do_write(fd, buf, n);
}
SD_ALIAS(write, __write);

static SD_APART ssize_t recv_otherwise(int fd, void *buf, size_t n, int flags)
{
    long r = sd_received(fd, buf, n, flags);
    return sd_unlikely(r == SD_PASS) ? sd_counted_in(fd, libc.recv(fd, buf, n, flags)) : sd_return(r);
}

static SD_APART ssize_t recv_ours(int fd, void *buf, size_t n, int flags, struct sd_socket *s)
{
    return sd_recv_at_once(fd, s, buf, n, flags, recv_otherwise);
}

ssize_t sd_do_recv(int fd, void *buf, size_t n, int flags)
{
    struct sd_socket *s = sd_socket_of(fd);
    return sd_likely(!s) ? libc.recv(fd, buf, n, flags) : recv_ours(fd, buf, n, flags, s);
}

SD_EXPORT ssize_t recv(int fd, void *buf, size_t n, int flags)
{
    return sd_do_recv(fd, buf, n, flags);
}
SD_ALIAS(recv, __recv);

static SD_APART ssize_t send_otherwise(int fd, const void *buf, size_t n, int flags)
{
    long r = sd_sent(fd, buf, n, flags);
    return sd_unlikely(r == SD_PASS) ? sd_counted_out(fd, libc.send(fd, buf, n, flags)) : sd_return_sent(r, flags);
}

static SD_APART ssize_t send_ours(int fd, const void *buf, size_t n, int flags, struct sd_socket *s)
{
    return sd_send_at_once(fd, s, buf, n, flags, send_otherwise);
}

SD_EXPORT ssize_t send(int fd, const void *buf, size_t n, int flags)
{
    struct sd_socket *s = sd_socket_of(fd);
    return sd_likely(!s) ? libc.send(fd, buf, n, flags) : send_ours(fd, buf, n, flags, s);
}
SD_ALIAS(send, __send);

void sd_show_sender(int fd, long received, struct sockaddr *addr, socklen_t *len)
{
    bool came = received > 0 || (received == 0 && sd_unread_bytes(fd) > 0); /* it asked for nothing */
    bool named = came && sd_family_of(fd) == AF_UNIX && !sd_is_unnamed(fd, SD_UNNAMED_PEER);
    if (!named || sd_sys_getpeername(fd, addr, len) < 0)
        *len = 0;
}

static SD_APART ssize_t recvfrom_ours(int fd, void *buf, size_t n, int flags, struct sockaddr *addr, socklen_t *len)
{
    long r = sd_received(fd, buf, n, flags);
    if (sd_likely(r != SD_PASS)) {
        if (r >= 0 && addr && len)
            sd_show_sender(fd, r, addr, len);
        return sd_return(r);
    }
    ssize_t received = sd_counted_in(fd, libc.recvfrom(fd, buf, n, flags, addr, len));
    if (received >= 0 && addr && len && sd_is_unnamed(fd, SD_UNNAMED_PEER))
        *len = 0;
    return received;
}

ssize_t sd_do_recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *addr, socklen_t *len)
{
    return sd_likely(!sd_socket_of(fd)) ? libc.recvfrom(fd, buf, n, flags, addr, len)
                                        : recvfrom_ours(fd, buf, n, flags, addr, len);
}

SD_EXPORT ssize_t recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *addr, socklen_t *len)
{
    return sd_do_recvfrom(fd, buf, n, flags, addr, len);
}

bool sd_is_connected_unix(int fd)
{
    return sd_family_of(fd) == AF_UNIX && sd_uses_rings(fd);
}

/* Linux ignores the destination on a connected stream of TCP. */
static SD_APART ssize_t sendto_ours(int fd, const void *buf, size_t n, int flags, const struct sockaddr *addr,
                                    socklen_t len)
{
    if (sd_unlikely(addr && len && sd_is_connected_unix(fd)))
        return sd_return(-EISCONN);
    long r = sd_sent(fd, buf, n, flags);
    return sd_unlikely(r == SD_PASS) ? sd_counted_out(fd, libc.sendto(fd, buf, n, flags, addr, len))
                                     : sd_return_sent(r, flags);
}

SD_EXPORT ssize_t sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *addr, socklen_t len)
{
    return sd_likely(!sd_socket_of(fd)) ? libc.sendto(fd, buf, n, flags, addr, len)
                                        : sendto_ours(fd, buf, n, flags, addr, len);
}

/* What readv and writev check before they look at the descriptor's kind: bytes, or -EINVAL. */
static long checked_vector(const struct iovec *iov, int count)
{
    return count < 0 || count > IOV_COUNT_MAX ? -EINVAL : sd_vector_bytes(iov, (size_t)count);
}

static long read_vector(int fd, const struct iovec *iov, int count, int flags)
{
    long bytes = checked_vector(iov, count);
    return bytes <= 0 ? bytes : sd_received_vector(fd, iov, (size_t)count, flags, NULL);
}

static long write_vector(int fd, const struct iovec *iov, int count, int flags)
{
    long bytes = checked_vector(iov, count);
    return bytes <= 0 ? bytes : sd_sent_vector(fd, iov, (size_t)count, flags);
}

static SD_APART ssize_t readv_ours(int fd, const struct iovec *iov, int count)
{
    long r = read_vector(fd, iov, count, 0);
    return r == SD_PASS ? sd_counted_in(fd, libc.readv(fd, iov, count)) : sd_return(r);
}

SD_EXPORT ssize_t readv(int fd, const struct iovec *iov, int count)
{
    return sd_likely(!sd_socket_of(fd)) ? libc.readv(fd, iov, count) : readv_ours(fd, iov, count);
}

static SD_APART ssize_t writev_ours(int fd, const struct iovec *iov, int count)
{
    long r = write_vector(fd, iov, count, 0);
    return r == SD_PASS ? sd_counted_out(fd, libc.writev(fd, iov, count)) : sd_return_sent(r, 0);
}

SD_EXPORT ssize_t writev(int fd, const struct iovec *iov, int count)
{
    return sd_likely(!sd_socket_of(fd)) ? libc.writev(fd, iov, count) : writev_ours(fd, iov, count);
}

/* A socket has no position: -1 means "as readv", any other is ESPIPE and left to the kernel to say. Of the RWF_ flags
 * only RWF_NOWAIT means something here; the kernel judges the others, on its own socket. */
static bool plain_position(off_t at, int flags)
{
    return at == -1 && !(flags & ~(RWF_NOWAIT | RWF_HIPRI));
}

static int message_flags(int flags)
{
    return flags & RWF_NOWAIT ? MSG_DONTWAIT : 0;
}

SD_EXPORT ssize_t preadv2(int fd, const struct iovec *iov, int count, off_t at, int flags)
{
    if (!sd_socket_of(fd) || !plain_position(at, flags))
        return libc.preadv2(fd, iov, count, at, flags);
    long r = read_vector(fd, iov, count, message_flags(flags));
    return r == SD_PASS ? sd_counted_in(fd, libc.preadv2(fd, iov, count, at, flags)) : sd_return(r);
}
SD_ALIAS(preadv2, preadv64v2);

SD_EXPORT ssize_t pwritev2(int fd, const struct iovec *iov, int count, off_t at, int flags)
{
    if (!sd_socket_of(fd) || !plain_position(at, flags))
        return libc.pwritev2(fd, iov, count, at, flags);
    long r = write_vector(fd, iov, count, message_flags(flags));
    return r == SD_PASS ? sd_counted_out(fd, libc.pwritev2(fd, iov, count, at, flags)) : sd_return_sent(r, 0);
}
SD_ALIAS(pwritev2, pwritev64v2);

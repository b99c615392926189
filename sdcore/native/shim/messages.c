/* Messages: sendmsg, recvmsg and the forms for several at a time.
 *
 * A stream of TCP gives no address and no control data, one of AF_UNIX both. What a program asks for by sending control
 * data (time stamps, record types, descriptors, credentials) only the kernel can do, so the connection moves there, and
 * who receives with a place for control data takes what lies in the rings alone, or what the kernel has alone. Of
 * descriptors that sendmsg carries away see passing.c.
 */
#include "shim/errno.h"
#include "shim/libc.h"
#include "shim/transfer.h"

#include "core/sys.h"
#include "core/unix.h"

#define MESSAGES_MAX 1024

static long checked_message(const struct msghdr *msg)
{
    return msg->msg_iovlen > IOV_COUNT_MAX ? -EMSGSIZE : sd_vector_bytes(msg->msg_iov, msg->msg_iovlen);
}

/* Before the connection moves: what the kernel's does not know, because it happened in the rings. */
static long send_control(int fd, const struct msghdr *msg, int flags)
{
    long r = sd_before_passing(msg);
    if (r >= 0)
        r = sd_send(fd, "", 0, flags);
    if (r >= 0 || r == SD_PASS)
        r = sd_leave_to_kernel(fd, SD_REASON_MOVED_OPTION, false);
    if (r >= 0)
        r = sd_await_turn(fd, flags);
    return r < 0 ? r : SD_PASS;
}

long sd_sent_message(int fd, const struct msghdr *msg, int flags)
{
    long r = checked_message(msg);
    if (r < 0)
        return r;
    if (sd_unlikely(msg->msg_name && msg->msg_namelen && sd_is_connected_unix(fd)))
        return -EISCONN;
    if (sd_unlikely(msg->msg_control && msg->msg_controllen > 0))
        return send_control(fd, msg, flags);
    return sd_sent_vector(fd, msg->msg_iov, msg->msg_iovlen, flags);
}

long sd_received_message(int fd, struct msghdr *msg, int flags)
{
    long bytes = checked_message(msg);
    if (bytes < 0)
        return bytes;
    int msg_flags = 0;
    if (msg->msg_control && msg->msg_controllen > 0 && sd_family_of(fd) == AF_UNIX)
        flags |= SD_RINGS_ALONE;
    long r = bytes == 0 ? sd_received(fd, NULL, 0, flags & ~(MSG_CMSG_CLOEXEC | SD_RINGS_ALONE))
                        : sd_received_vector(fd, msg->msg_iov, msg->msg_iovlen, flags & ~MSG_CMSG_CLOEXEC, &msg_flags);
    if (r >= 0) {
        if (msg->msg_name)
            sd_show_sender(fd, r, msg->msg_name, &msg->msg_namelen);
        msg->msg_controllen = 0;
        msg->msg_flags = msg_flags | (flags & MSG_CMSG_CLOEXEC);
    }
    return r;
}

static ssize_t send_other(int fd, const struct msghdr *msg, int flags)
{
    if (msg && msg->msg_controllen > 0) {
        long r = sd_before_passing(msg);
        if (r < 0)
            return sd_return(r);
    }
    return libc.sendmsg(fd, msg, flags);
}

static SD_APART ssize_t sendmsg_ours(int fd, const struct msghdr *msg, int flags)
{
    long r = sd_sent_message(fd, msg, flags);
    return r == SD_PASS ? sd_counted_out(fd, libc.sendmsg(fd, msg, flags)) : sd_return_sent(r, flags);
}

SD_EXPORT ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
    return sd_likely(!sd_socket_of(fd)) ? send_other(fd, msg, flags) : sendmsg_ours(fd, msg, flags);
}

/* After a receive that the kernel did: of the sender the program sees what it would without us. */
static ssize_t by_kernel(int fd, struct msghdr *msg, ssize_t n)
{
    if (n >= 0 && msg->msg_name && sd_is_unnamed(fd, SD_UNNAMED_PEER))
        msg->msg_namelen = 0;
    if (n >= 0 && msg->msg_controllen > 0)
        sd_after_passing(msg);
    return n;
}

static SD_APART ssize_t recvmsg_ours(int fd, struct msghdr *msg, int flags)
{
    long r = sd_received_message(fd, msg, flags);
    return r == SD_PASS ? sd_counted_in(fd, by_kernel(fd, msg, libc.recvmsg(fd, msg, flags))) : sd_return(r);
}

static ssize_t recvmsg_other(int fd, struct msghdr *msg, int flags)
{
    ssize_t n = libc.recvmsg(fd, msg, flags);
    if (n >= 0 && msg->msg_controllen > 0)
        sd_after_passing(msg);
    return n;
}

SD_EXPORT ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
    return sd_likely(!sd_socket_of(fd)) ? recvmsg_other(fd, msg, flags) : recvmsg_ours(fd, msg, flags);
}

/* One message of several: as the calls above, but with the result as the core gives it. */
static long send_one(int fd, const struct msghdr *msg, int flags)
{
    long r = sd_sent_message(fd, msg, flags);
    if (r != SD_PASS)
        return r;
    r = sd_sys_sendmsg(fd, msg, flags | MSG_NOSIGNAL);
    return r > 0 ? sd_counted_out(fd, r) : r;
}

static long receive_one(int fd, struct msghdr *msg, int flags)
{
    long r = sd_received_message(fd, msg, flags);
    if (r != SD_PASS)
        return r;
    r = by_kernel(fd, msg, sd_sys_recvmsg(fd, msg, flags));
    return r > 0 ? sd_counted_in(fd, r) : r;
}

/* An error after the first message is not reported: the messages that went are, and the next call meets it again. Only a
 * broken pipe makes itself heard at once. A message that was cut short ends the call. */
static long send_several(int fd, struct mmsghdr *vec, unsigned int n, int flags)
{
    unsigned int sent = 0;
    for (; sent < n && sent < MESSAGES_MAX; sent++) {
        long r = send_one(fd, &vec[sent].msg_hdr, flags);
        if (r == -EPIPE && sent > 0)
            sd_raise_broken(flags);
        if (r < 0)
            return sent > 0 ? (long)sent : r;
        vec[sent].msg_len = (unsigned int)r;
        if (r < sd_vector_bytes(vec[sent].msg_hdr.msg_iov, vec[sent].msg_hdr.msg_iovlen))
            return (long)sent + 1;
    }
    return (long)sent;
}

static int send_others(int fd, struct mmsghdr *vec, unsigned int n, int flags)
{
    for (unsigned int i = 0; vec && i < n && i < MESSAGES_MAX; i++) {
        if (vec[i].msg_hdr.msg_controllen > 0) {
            long r = sd_before_passing(&vec[i].msg_hdr);
            if (r < 0)
                return (int)sd_return(r);
        }
    }
    return libc.sendmmsg(fd, vec, n, flags);
}

SD_EXPORT int sendmmsg(int fd, struct mmsghdr *vec, unsigned int n, int flags)
{
    if (sd_likely(!sd_socket_of(fd)))
        return send_others(fd, vec, n, flags);
    return (int)sd_return_sent(send_several(fd, vec, n, flags), flags);
}
SD_ALIAS(sendmmsg, __sendmmsg);

static uint64_t limit_of(const struct timespec *timeout)
{
    return sd_now_ns() + (uint64_t)timeout->tv_sec * 1000000000u + (uint64_t)timeout->tv_nsec;
}

/* What is left of the time is written back, as Linux does. */
static bool time_is_over(uint64_t limit_ns, struct timespec *timeout)
{
    uint64_t now = sd_now_ns();
    uint64_t left = limit_ns > now ? limit_ns - now : 0;
    timeout->tv_sec = (time_t)(left / 1000000000u);
    timeout->tv_nsec = (long)(left % 1000000000u);
    return left == 0;
}

static bool is_timeout(const struct timespec *t)
{
    return t->tv_sec >= 0 && t->tv_nsec >= 0 && t->tv_nsec < 1000000000;
}

/* The pending error, which this call tells before all else, even when data or the end of the stream are there. */
static long pending_error(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;
    long r = sd_take_error(fd);
    if (r == SD_PASS)
        r = sd_sys_getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? 0 : error;
    return r > 0 ? -r : 0;
}

/* The time limit is looked at after each message only, and errors after the first are met again by the next call: both
 * as in Linux. */
static long receive_several(int fd, struct mmsghdr *vec, unsigned int n, int flags, struct timespec *timeout)
{
    if (timeout && !is_timeout(timeout))
        return -EINVAL;
    long error = pending_error(fd);
    if (error)
        return error;
    uint64_t limit_ns = timeout ? limit_of(timeout) : 0;
    int each = flags & ~MSG_WAITFORONE;
    unsigned int received = 0;
    while (received < n && received < MESSAGES_MAX) {
        if (received > 0 && sd_wait_for_more(fd, each) == -EINTR)
            break;
        long r = receive_one(fd, &vec[received].msg_hdr, each);
        if (r < 0)
            return received > 0 ? (long)received : r;
        vec[received++].msg_len = (unsigned int)r;
        if (flags & MSG_WAITFORONE)
            each |= MSG_DONTWAIT;
        if (timeout && time_is_over(limit_ns, timeout))
            break;
    }
    return (long)received;
}

static int recvmmsg_other(int fd, struct mmsghdr *vec, unsigned int n, int flags, struct timespec *timeout)
{
    int received = libc.recvmmsg(fd, vec, n, flags, timeout);
    for (int i = 0; i < received; i++)
        if (vec[i].msg_hdr.msg_controllen > 0)
            sd_after_passing(&vec[i].msg_hdr);
    return received;
}

SD_EXPORT int recvmmsg(int fd, struct mmsghdr *vec, unsigned int n, int flags, struct timespec *timeout)
{
    if (sd_likely(!sd_socket_of(fd)))
        return recvmmsg_other(fd, vec, n, flags, timeout);
    return (int)sd_return(receive_several(fd, vec, n, flags, timeout));
}

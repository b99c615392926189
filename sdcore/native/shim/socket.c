/* Sockets and connections: socket, listen, accept, connect, shutdown, options.
 *
 * The kernel's socket is the companion of ours, so bind and most options need no entry point. Options that only a kernel
 * connection can honour move the socket there first. Of a Unix connection the program must not see the name that we gave
 * the client's end.
 */
#include "shim/errno.h"
#include "shim/libc.h"

#include "core/buffers.h"

#include <linux/errqueue.h>
#include <netinet/tcp.h>

#include "core/sys.h"
#include "core/unix.h"

/* Newer than some C libraries' headers. */
#define TCP_OPTION_REPAIR           19
#define TCP_OPTION_ULP              31
#define TCP_OPTION_MD5SIG_EXT       32
#define TCP_OPTION_ZEROCOPY_RECEIVE 35
#define TCP_OPTION_INQ              36
#define SO_OPTION_ZEROCOPY          60
#define SO_OPTION_PASSPIDFD         76
#define SO_OPTION_TIMESTAMP_NEW     63
#define SO_OPTION_TIMESTAMPNS_NEW   64
#define SO_OPTION_TIMESTAMPING_NEW  65

static bool is_stream(int domain, int type, int protocol)
{
    int own = domain == AF_UNIX ? PF_UNIX : IPPROTO_TCP;
    return (domain == AF_INET || domain == AF_INET6 || domain == AF_UNIX) &&
           (type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) == SOCK_STREAM && (protocol == 0 || protocol == own);
}

SD_EXPORT int socket(int domain, int type, int protocol)
{
    int fd = libc.socket(domain, type, protocol);
    if (fd >= 0 && is_stream(domain, type, protocol))
        sd_opened_socket(fd, domain, type);
    return fd;
}

static bool is_listener(int fd)
{
    return sd_socket_of(fd) || sd_adopt_listener(fd);
}

SD_EXPORT int listen(int fd, int backlog)
{
    int r = libc.listen(fd, backlog);
    if (r == 0 && is_listener(fd))
        sd_listening(fd);
    return r;
}

static int taken_in(int fd, int accepted, int flags)
{
    if (accepted >= 0 && is_listener(fd))
        sd_accepted(fd, accepted, flags);
    return accepted;
}

/* Where the kernel may write a client's name before we know whether the program may see it. */
static bool needs_own_place(int fd, const struct sockaddr *addr, const socklen_t *len)
{
    return addr && len && sd_family_of(fd) == AF_UNIX && (int)*len >= 0;
}

static int accept_unix(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    struct sockaddr_un from;
    socklen_t size = sizeof from;
    int accepted = taken_in(fd, libc.accept4(fd, (struct sockaddr *)&from, &size, flags), flags);
    if (accepted >= 0)
        sd_show_name(accepted, SD_UNNAMED_PEER, &from, size, addr, len);
    return accepted;
}

SD_EXPORT int accept(int fd, struct sockaddr *addr, socklen_t *len)
{
    if (sd_unlikely(needs_own_place(fd, addr, len)))
        return accept_unix(fd, addr, len, 0);
    return taken_in(fd, libc.accept(fd, addr, len), 0);
}

SD_EXPORT int accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    if (sd_unlikely(needs_own_place(fd, addr, len)))
        return accept_unix(fd, addr, len, flags);
    return taken_in(fd, libc.accept4(fd, addr, len, flags), flags);
}

/* An address without family ends the connection, in the kernel and on the peer's side as a reset. */
static bool dissolves(const struct sockaddr *addr, socklen_t len)
{
    return addr && len >= sizeof addr->sa_family && addr->sa_family == AF_UNSPEC;
}

SD_EXPORT int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    if (!sd_socket_of(fd))
        return libc.connect(fd, addr, len);
    sd_cancel_point();
    long r = dissolves(addr, len) ? sd_leave_to_kernel(fd, SD_REASON_MOVED_OPTION, true) : 0;
    if (r == 0)
        r = dissolves(addr, len) ? SD_PASS : sd_connect(fd, addr, len);
    return r == SD_PASS ? libc.connect(fd, addr, len) : (int)sd_return(r);
}

SD_EXPORT int shutdown(int fd, int how)
{
    if (!sd_socket_of(fd))
        return libc.shutdown(fd, how);
    long r = sd_shutdown(fd, how);
    return r == SD_PASS ? libc.shutdown(fd, how) : (int)sd_return(r);
}

/* As the kernel stores an int. */
static long store_int(int number, void *value, socklen_t *len)
{
    if (*len > sizeof number)
        *len = sizeof number;
    __builtin_memcpy(value, &number, *len);
    return 0;
}

static long take_error(int fd, void *value, socklen_t *len)
{
    long error = sd_take_error(fd);
    return error < 0 ? error : store_int((int)error, value, len);
}

/* What the kernel no longer knows: sd_accept_at_once. */
static int deferral_of(int fd)
{
    struct sd_socket *s = sd_socket_of(fd);
    return s ? sd_load(&s->deferral) : 0;
}

typedef int name_call(int fd, struct sockaddr *addr, socklen_t *len);

static int get_name(int fd, uint8_t which, name_call *call, struct sockaddr *addr, socklen_t *len)
{
    struct sockaddr_un name;
    socklen_t size = sizeof name;
    if (sd_likely(!sd_is_unnamed(fd, which)) || !needs_own_place(fd, addr, len))
        return call(fd, addr, len);
    int r = call(fd, (struct sockaddr *)&name, &size);
    if (r == 0)
        sd_show_name(fd, which, &name, size, addr, len);
    return r;
}

SD_EXPORT int getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
    return sd_is_over(fd) ? (int)sd_return(-ENOTCONN) : get_name(fd, SD_UNNAMED_PEER, libc.getpeername, addr, len);
}

SD_EXPORT int getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
    return get_name(fd, SD_UNNAMED_OWN, libc.getsockname, addr, len);
}

SD_EXPORT int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    long r = SD_PASS;
    if (sd_socket_of(fd)) {
        bool usable = value && len && (int)*len >= 0;
        if (level == SOL_SOCKET && name == SO_ERROR && usable)
            r = take_error(fd, value, len);
        else if (level == IPPROTO_TCP && name == TCP_DEFER_ACCEPT && usable && deferral_of(fd))
            r = store_int(deferral_of(fd), value, len);
        else if (level == IPPROTO_TCP && name == TCP_INFO && usable)
            r = sd_tcp_info(fd, value, len);
        else if (level == IPPROTO_TCP && name == TCP_OPTION_ZEROCOPY_RECEIVE)
            r = sd_leave_to_kernel(fd, SD_REASON_MOVED_OPTION, true) ?: SD_PASS;
    }
    return r == SD_PASS ? libc.getsockopt(fd, level, name, value, len) : (int)sd_return(r);
}

/* Options of AF_UNIX that add to each message, or say where to look. What shows who sent a byte takes only those that the
 * sender itself puts there. */
static bool only_unix_can(int fd, int level, int name, const void *value, socklen_t len)
{
    int on = 1;
    if (sd_family_of(fd) != AF_UNIX || level != SOL_SOCKET)
        return false;
    if (value && len >= sizeof on)
        __builtin_memcpy(&on, value, sizeof on);
    switch (name) {
    case SO_PASSCRED:
    case SO_PASSSEC:
    case SO_OPTION_PASSPIDFD: return on != 0;
    case SO_PEEK_OFF: return on >= 0;
    case SO_RCVLOWAT: return on > 1; /* which binds receives there, and neither looks nor polls */
    default: return false;
    }
}

/* Options that change what the kernel does with each byte or adds to each message. */
static bool only_kernel_can(int level, int name)
{
    if (level == IPPROTO_TCP)
        return name == TCP_OPTION_REPAIR || name == TCP_OPTION_ULP || name == TCP_OPTION_MD5SIG_EXT ||
               name == TCP_OPTION_INQ || name == TCP_MD5SIG;
    if (level != SOL_SOCKET)
        return false;
    switch (name) {
    case SO_TIMESTAMP:
    case SO_TIMESTAMPNS:
    case SO_TIMESTAMPING:
    case SO_OPTION_TIMESTAMP_NEW:
    case SO_OPTION_TIMESTAMPNS_NEW:
    case SO_OPTION_TIMESTAMPING_NEW:
    case SO_OPTION_ZEROCOPY:
    case SO_ATTACH_FILTER:
    case SO_ATTACH_BPF: return true;
    default: return false;
    }
}

/* An option that says how much may be under way. */
static void option_set(int fd, int name)
{
    switch (name) {
    case SO_SNDBUF:
    case SO_SNDBUFFORCE: sd_option_set(fd, SO_SNDBUF); break;
    case SO_RCVBUF:
    case SO_RCVBUFFORCE: sd_option_set(fd, SO_RCVBUF); break;
    case SO_RCVLOWAT: sd_option_set(fd, SO_RCVLOWAT); break;
    default: break;
    }
}

/* At a listener that clients reach through a slab the kernel's socket never has TCP_DEFER_ACCEPT, not even for a moment. A
 * socket made for it tells what the option would be, as the kernel rounds it. */
static long defer(struct sd_socket *s, const void *value, socklen_t len)
{
    int deferral = 0;
    socklen_t size = sizeof deferral;
    int probe = libc.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe < 0)
        return SD_PASS;
    long r = sd_sys_setsockopt(probe, IPPROTO_TCP, TCP_DEFER_ACCEPT, value, len);
    if (r >= 0)
        r = sd_sys_getsockopt(probe, IPPROTO_TCP, TCP_DEFER_ACCEPT, &deferral, &size);
    sd_sys_close(probe);
    if (r >= 0)
        sd_store(&s->deferral, deferral);
    return r;
}

/* First the option: what the sender puts on the companion because we leave the rings shows it already. */
static int set_for_unix(int fd, int name, const void *value, socklen_t len)
{
    int r = libc.setsockopt(fd, SOL_SOCKET, name, value, len);
    if (r < 0)
        return r;
    if (name != SO_PEEK_OFF && name != SO_RCVLOWAT)
        sd_take_from_sender(fd);
    long moved = sd_stay_with_kernel(fd, SD_REASON_MOVED_OPTION);
    return moved < 0 ? (int)sd_return(moved) : r;
}

SD_EXPORT int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    if (only_unix_can(fd, level, name, value, len))
        return set_for_unix(fd, name, value, len);
    if (sd_socket_of(fd) && only_kernel_can(level, name)) {
        long r = sd_stay_with_kernel(fd, SD_REASON_MOVED_OPTION);
        if (r < 0)
            return (int)sd_return(r);
    }
    struct sd_socket *s = sd_socket_of(fd);
    if (s && s->listener_id && level == IPPROTO_TCP && name == TCP_DEFER_ACCEPT) {
        long r = defer(s, value, len);
        if (r != SD_PASS)
            return (int)sd_return(r);
    }
    int r = libc.setsockopt(fd, level, name, value, len);
    if (r == 0 && s && level == SOL_SOCKET)
        option_set(fd, name);
    return r;
}

/* Descriptors: close and its ranges, dup, fcntl, ioctl.
 *
 * Our own descriptors (doorbells, the monitor's connection) are hidden: a program that closes or duplicates numbers it
 * never opened is told that they are not open, and a number that it asks for by dup2 is vacated first.
 * In a child of vfork the tables are the parent's and the descriptors are not: only the libc call happens, except that a
 * duplicate there means that an exec'd program is to have the connection, so it moves to the kernel.
 */
#include "shim/errno.h"
#include "shim/libc.h"

#include <linux/close_range.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/single_threaded.h>

#include "core/sys.h"

#define STDIO_FDS 3 /* 0, 1, 2: libc reads and writes them by itself */

static bool is_hidden(int fd)
{
    return sd_unlikely(sd_kind_of(fd) == SD_FILE_HIDDEN);
}

/* --- close --- */

static int close_known(int fd)
{
    if (is_hidden(fd))
        return (int)sd_return(-EBADF);
    if (!sd_in_vfork_child())
        sd_closing(fd);
    return libc.close(fd);
}

int sd_do_close(int fd)
{
    return sd_likely(sd_kind_of(fd) == SD_FILE_NONE) ? libc.close(fd) : close_known(fd);
}

SD_EXPORT int close(int fd)
{
    return sd_do_close(fd);
}
SD_ALIAS(close, __close);

/* Is the program's view of its descriptors ours too? A thread that takes a copy of the table for itself leaves it. */
static bool tables_follow(int flags)
{
    return !sd_in_vfork_child() && (!(flags & CLOSE_RANGE_UNSHARE) || __libc_single_threaded);
}

static void forget_range(unsigned int first, unsigned int last)
{
    if (first > INT32_MAX)
        return;
    for (int fd = sd_next_open((int)first); fd >= 0 && (unsigned int)fd <= last; fd = sd_next_open(fd + 1))
        sd_closing(fd);
}

/* Kernels before 5.9 have no close_range: one by one. */
static void close_each(unsigned int first, unsigned int last)
{
    struct rlimit limit = {0};
    getrlimit(RLIMIT_NOFILE, &limit);
    for (unsigned int fd = first; fd <= last && fd < limit.rlim_cur; fd++)
        sd_sys_close((int)fd);
}

/* The kernel's close_range on the pieces between hidden descriptors. */
static long close_around_hidden(unsigned int first, unsigned int last, int flags)
{
    long r = 0;
    for (;;) {
        int hidden = first <= INT32_MAX ? sd_next_hidden((int)first) : -1;
        bool split = hidden >= 0 && (unsigned int)hidden <= last;
        if (!split)
            return r < 0 ? r : sd_syscall(SYS_close_range, first, last, flags, 0, 0, 0);
        if ((unsigned int)hidden > first)
            r = sd_syscall(SYS_close_range, first, hidden - 1, flags, 0, 0, 0);
        if (r < 0 || (unsigned int)hidden == last)
            return r;
        flags &= ~CLOSE_RANGE_UNSHARE;
        first = (unsigned int)hidden + 1;
    }
}

SD_EXPORT int close_range(unsigned int first, unsigned int last, int flags)
{
    if (first > last || (flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)))
        return (int)sd_return(-EINVAL);
    if (!(flags & CLOSE_RANGE_CLOEXEC) && tables_follow(flags))
        forget_range(first, last);
    return (int)sd_return(close_around_hidden(first, last, flags));
}

SD_EXPORT void closefrom(int first)
{
    unsigned int from = first < 0 ? 0 : (unsigned int)first;
    if (tables_follow(0))
        forget_range(from, UINT32_MAX);
    if (close_around_hidden(from, UINT32_MAX, 0) < 0)
        close_each(from, UINT32_MAX);
}

/* --- dup --- */

/* After new_fd became a duplicate of old_fd. */
static int duplicated(int old_fd, int new_fd)
{
    if (new_fd < 0 || sd_likely(sd_kind_of(old_fd) == SD_FILE_NONE))
        return new_fd;
    if (sd_in_vfork_child()) {
        sd_leave_to_kernel(old_fd, SD_REASON_MOVED_EXEC, true);
        return new_fd;
    }
    sd_opened_dup(old_fd, new_fd);
    if (new_fd < STDIO_FDS)
        sd_leave_to_kernel(new_fd, SD_REASON_MOVED_STDIO, true);
    return new_fd;
}

SD_EXPORT int dup(int fd)
{
    return is_hidden(fd) ? (int)sd_return(-EBADF) : duplicated(fd, libc.dup(fd));
}

/* Before new_fd becomes a duplicate of old_fd. 0, or a negated errno if it cannot. */
static long make_way(int old_fd, int new_fd)
{
    if (is_hidden(old_fd))
        return -EBADF;
    bool replaces = sd_kind_of(new_fd) != SD_FILE_NONE && old_fd != new_fd && sd_sys_fcntl(old_fd, F_GETFD, 0) >= 0;
    if (sd_likely(!replaces) || sd_in_vfork_child())
        return 0;
    if (is_hidden(new_fd))
        return sd_rehide(new_fd);
    sd_closing(new_fd);
    return 0;
}

int sd_do_dup2(int old_fd, int new_fd)
{
    long way = make_way(old_fd, new_fd);
    if (way < 0)
        return (int)sd_return(way);
    int r = libc.dup2(old_fd, new_fd);
    return old_fd == new_fd ? r : duplicated(old_fd, r);
}

SD_EXPORT int dup2(int old_fd, int new_fd)
{
    return sd_do_dup2(old_fd, new_fd);
}
SD_ALIAS(dup2, __dup2);

SD_EXPORT int dup3(int old_fd, int new_fd, int flags)
{
    long way = flags & ~O_CLOEXEC ? 0 : make_way(old_fd, new_fd);
    return way < 0 ? (int)sd_return(way) : duplicated(old_fd, libc.dup3(old_fd, new_fd, flags));
}

/* --- fcntl and ioctl --- */

/* A process that wants SIGIO needs a kernel that sees the bytes come. */
static int set_flags(int fd, void *arg)
{
    long flags = (long)arg;
    if ((flags & O_ASYNC) && sd_socket_of(fd)) {
        long r = sd_stay_with_kernel(fd, SD_REASON_MOVED_SIGNAL);
        if (r < 0)
            return (int)sd_return(r);
    }
    int r = libc.fcntl(fd, F_SETFL, arg);
    if (r == 0 && sd_socket_of(fd))
        sd_set_nonblock(fd, flags & O_NONBLOCK);
    return r;
}

static int control(int fd, int cmd, void *arg)
{
    switch (cmd) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC: return duplicated(fd, libc.fcntl(fd, cmd, arg));
    case F_SETFL: return set_flags(fd, arg);
    default: return libc.fcntl(fd, cmd, arg);
    }
}

SD_EXPORT int fcntl(int fd, int cmd, ...)
{
    va_list args;
    va_start(args, cmd);
    void *arg = va_arg(args, void *);
    va_end(args);
    if (sd_likely(sd_kind_of(fd) == SD_FILE_NONE))
        return libc.fcntl(fd, cmd, arg);
    return is_hidden(fd) ? (int)sd_return(-EBADF) : control(fd, cmd, arg);
}
SD_ALIAS(fcntl, fcntl64);
SD_ALIAS(fcntl, __fcntl);

/* A count that the core knows: stored in *count. */
static long counted(long bytes, int *count)
{
    if (bytes >= 0)
        *count = bytes > INT32_MAX ? INT32_MAX : (int)bytes;
    return bytes < 0 ? bytes : 0;
}

static int set_nonblock(int fd, int *on)
{
    int r = libc.ioctl(fd, FIONBIO, on);
    if (r == 0)
        sd_set_nonblock(fd, *on != 0);
    return r;
}

static int io_control(int fd, unsigned long request, void *arg)
{
    long r = SD_PASS;
    switch (request) {
    case FIONBIO: return set_nonblock(fd, arg);
    case FIONREAD: r = counted(sd_unread_bytes(fd), arg); break;
    case SIOCOUTQNSD: /* what was sent has arrived, so the same; AF_UNIX does not know it */
        if (sd_family_of(fd) == AF_UNIX)
            break;
        __attribute__((fallthrough));
    case SIOCOUTQ: r = counted(sd_unsent_bytes(fd), arg); break;
    case FIOASYNC: r = sd_stay_with_kernel(fd, SD_REASON_MOVED_SIGNAL) ?: SD_PASS; break;
    default: break;
    }
    return r == SD_PASS ? libc.ioctl(fd, request, arg) : (int)sd_return(r);
}

SD_EXPORT int ioctl(int fd, unsigned long request, ...)
{
    va_list args;
    va_start(args, request);
    void *arg = va_arg(args, void *);
    va_end(args);
    if (sd_likely(!sd_socket_of(fd)))
        return libc.ioctl(fd, request, arg);
    return io_control(fd, request, arg);
}

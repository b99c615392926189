/* Readiness by epoll. The program's set is a real kernel set; the core adds what it knows of our sockets in it.
 *
 * epoll_create and epoll_create1 need no entry point: a set becomes known to us when something is put into it. The core
 * must hear of every descriptor, also those that are not ours: it may be a set that is put into a set.
 */
#include "shim/errno.h"
#include "shim/libc.h"

#define NS_PER_MS 1000000
#define NS_PER_S  1000000000
#define FOR_EVER  (-1)

SD_EXPORT int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
    long r = sd_epoll_ctl(epfd, op, fd, event);
    return r == SD_PASS ? libc.epoll_ctl(epfd, op, fd, event) : (int)sd_return(r);
}

static int64_t ns_of_ms(int timeout_ms)
{
    return timeout_ms < 0 ? FOR_EVER : (int64_t)timeout_ms * NS_PER_MS;
}

SD_EXPORT int epoll_wait(int epfd, struct epoll_event *events, int max, int timeout_ms)
{
    sd_cancel_point();
    long r = sd_waited(sd_epoll_wait(epfd, events, max, ns_of_ms(timeout_ms), NULL));
    return r == SD_PASS ? libc.epoll_wait(epfd, events, max, timeout_ms) : (int)sd_return(r);
}

SD_EXPORT int epoll_pwait(int epfd, struct epoll_event *events, int max, int timeout_ms, const sigset_t *mask)
{
    sd_cancel_point();
    long r = sd_waited(sd_epoll_wait(epfd, events, max, ns_of_ms(timeout_ms), mask));
    return r == SD_PASS ? libc.epoll_pwait(epfd, events, max, timeout_ms, mask) : (int)sd_return(r);
}

/* Longer than 292 years is for ever. */
static int64_t ns_of(const struct timespec *timeout)
{
    if (!timeout || timeout->tv_sec > INT64_MAX / NS_PER_S - 1)
        return FOR_EVER;
    return (int64_t)timeout->tv_sec * NS_PER_S + timeout->tv_nsec;
}

static bool is_time(const struct timespec *t)
{
    return !t || (t->tv_sec >= 0 && t->tv_nsec >= 0 && t->tv_nsec < NS_PER_S);
}

SD_EXPORT int epoll_pwait2(int epfd, struct epoll_event *events, int max, const struct timespec *timeout,
                           const sigset_t *mask)
{
    sd_cancel_point();
    long r = is_time(timeout) ? sd_waited(sd_epoll_wait(epfd, events, max, ns_of(timeout), mask)) : -EINVAL;
    return r == SD_PASS ? libc.epoll_pwait2(epfd, events, max, timeout, mask) : (int)sd_return(r);
}

/* Readiness by poll and select. Times go to the core as struct timespec; what is left of them comes back where Linux
 * writes it back: in select's timeval only.
 */
#include "shim/errno.h"
#include "shim/libc.h"

#include "core/sys.h"

#define MS_PER_S  1000
#define US_PER_S  1000000
#define NS_PER_US 1000
#define NS_PER_MS 1000000
#define NS_PER_S  1000000000

int sd_do_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
    struct timespec timeout = {timeout_ms / MS_PER_S, (long)(timeout_ms % MS_PER_S) * NS_PER_MS};
    sd_cancel_point();
    long r = sd_waited(sd_ppoll(fds, n, timeout_ms < 0 ? NULL : &timeout, NULL));
    return r == SD_PASS ? libc.poll(fds, n, timeout_ms) : (int)sd_return(r);
}

SD_EXPORT int poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
    return sd_do_poll(fds, n, timeout_ms);
}
SD_ALIAS(poll, __poll);

static bool is_time(const struct timespec *t)
{
    return !t || (t->tv_sec >= 0 && t->tv_nsec >= 0 && t->tv_nsec < NS_PER_S);
}

int sd_do_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
    sd_cancel_point();
    long r = is_time(timeout) ? sd_waited(sd_ppoll(fds, n, timeout, mask)) : -EINVAL;
    return r == SD_PASS ? libc.ppoll(fds, n, timeout, mask) : (int)sd_return(r);
}

SD_EXPORT int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
    return sd_do_ppoll(fds, n, timeout, mask);
}

static void write_back_left(struct timeval *timeout, uint64_t limit_ns)
{
    uint64_t now = sd_now_ns();
    uint64_t left_us = limit_ns > now ? (limit_ns - now) / NS_PER_US : 0;
    timeout->tv_sec = (time_t)(left_us / US_PER_S);
    timeout->tv_usec = (suseconds_t)(left_us % US_PER_S);
}

static int select_until(int n, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
    int64_t us = (int64_t)timeout->tv_sec * US_PER_S + timeout->tv_usec;
    struct timespec wait = {us / US_PER_S, (us % US_PER_S) * NS_PER_US};
    uint64_t limit_ns = us ? sd_now_ns() + (uint64_t)us * NS_PER_US : 0;
    long r = sd_waited(sd_pselect(n, in, out, except, &wait, NULL));
    if (r == SD_PASS)
        return libc.select(n, in, out, except, timeout);
    write_back_left(timeout, limit_ns);
    return (int)sd_return(r);
}

SD_EXPORT int select(int n, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
    if (timeout && (timeout->tv_sec < 0 || timeout->tv_usec < 0))
        return (int)sd_return(-EINVAL);
    sd_cancel_point();
    if (timeout)
        return select_until(n, in, out, except, timeout);
    long r = sd_waited(sd_pselect(n, in, out, except, NULL, NULL));
    return r == SD_PASS ? libc.select(n, in, out, except, NULL) : (int)sd_return(r);
}
SD_ALIAS(select, __select);

SD_EXPORT int pselect(int n, fd_set *in, fd_set *out, fd_set *except, const struct timespec *timeout,
                      const sigset_t *mask)
{
    sd_cancel_point();
    long r = is_time(timeout) ? sd_waited(sd_pselect(n, in, out, except, timeout, mask)) : -EINVAL;
    return r == SD_PASS ? libc.pselect(n, in, out, except, timeout, mask) : (int)sd_return(r);
}

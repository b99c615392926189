/* What signals have to do with results: SIGPIPE after a send on a broken connection, and calls started again.
 *
 * Cancel     libc cancels a waiting thread by a signal only while that thread is in a system call of libc's. Ours is told by
 *            the same signal, sent once more: its sleep ends with -EINTR, and on the way out it is cancelled, with nothing
 *            taken. The signal's handler is libc's and does nothing else. A thread that is cancelled in the moment between
 *            its last look and its sleep wakes with the next byte.
 * Restart    The kernel starts a socket call again after a handler that was set with SA_RESTART, unless the socket has a
 *            time limit. The core does the same where it sleeps; here it is done for calls that came out to be cancelled
 *            and were not. A program with handlers of both sorts has to expect EINTR anyway.
 */
#include "shim/errno.h"
#include "shim/libc.h"

#include <time.h>

#include "core/sys.h"
#include "core/wait.h"

void sd_raise_broken(int flags)
{
    if (!(flags & MSG_NOSIGNAL))
        sd_sys_tgkill((int)sd_sys_getpid(), (int)sd_sys_gettid(), SIGPIPE);
}

long sd_return_broken(long r, int flags)
{
    if (r == -EPIPE)
        sd_raise_broken(flags);
    return sd_return(r);
}

static bool has_time_limit(int fd, int option)
{
    struct timeval limit = {0};
    socklen_t len = sizeof limit;
    if (sd_sys_getsockopt(fd, SOL_SOCKET, option, &limit, &len) < 0)
        return true;
    return limit.tv_sec != 0 || limit.tv_usec != 0;
}

bool sd_restarts(int fd, int option)
{
    pthread_testcancel();
    if (option != 0 && has_time_limit(fd, option))
        return false;
    return sd_handlers_restart();
}

/* --- cancellation --- */

#define SIGNAL_CANCEL 32 /* libc's own */

/* The kernel's number of a thread: a thread's CPU clock is named by it, inverted, above three bits. */
static int number_of(pthread_t thread)
{
    clockid_t clock;
    return pthread_getcpuclockid(thread, &clock) == 0 ? ~(int)(clock >> 3) : 0;
}

/* Without a handler the signal would end the process. */
static bool cancel_is_handled(void)
{
    uintptr_t action[8] = {0}; /* the kernel's struct sigaction; the handler comes first */
    long r = sd_syscall(SYS_rt_sigaction, SIGNAL_CANCEL, NULL, action, sizeof(uint64_t), 0, 0);
    return r == 0 && action[0] != (uintptr_t)SIG_DFL && action[0] != (uintptr_t)SIG_IGN;
}

SD_EXPORT int pthread_cancel(pthread_t thread)
{
    atomic_store(&sd_g.cancels, true);
    atomic_store(&sd_g.unusual, true);
    int number = number_of(thread);
    int r = libc.pthread_cancel(thread);
    if (r == 0 && number > 0 && !pthread_equal(thread, pthread_self()) && cancel_is_handled())
        sd_sys_tgkill((int)sd_sys_getpid(), number, SIGNAL_CANCEL);
    return r;
}

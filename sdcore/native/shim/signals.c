/* What signals have to do with results: SIGPIPE after a send on a broken connection, and calls started again.
 *
 * Restart    The kernel starts a socket call again after a handler that was set with SA_RESTART, unless the socket has a
 *            time limit; the core, which sleeps in ppoll, always answers -EINTR, and only when nothing was transferred.
 *            Which handler ran cannot be known. The call is started again if every handler of the process asks for it;
 *            a program with handlers of both sorts has to expect EINTR anyway.
 */
#include "shim/errno.h"

#include <pthread.h>

#include "core/sys.h"

/* The head of the kernel's struct sigaction, on every architecture that has sa_restorer behind the flags. */
struct kernel_sigaction {
    uintptr_t handler;
    unsigned long flags;
    unsigned long rest[4];
};

#define SIGNALS 64

long sd_return_broken(long r, int flags)
{
    if (r == -EPIPE && !(flags & MSG_NOSIGNAL))
        sd_sys_tgkill((int)sd_sys_getpid(), (int)sd_sys_gettid(), SIGPIPE);
    return sd_return(r);
}

static bool interrupts(int number)
{
    struct kernel_sigaction action = {0};
    if (sd_syscall(SYS_rt_sigaction, number, NULL, &action, sizeof(uint64_t), 0, 0) < 0)
        return false;
    bool handled = action.handler != (uintptr_t)SIG_DFL && action.handler != (uintptr_t)SIG_IGN;
    return handled && !(action.flags & SA_RESTART);
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
    for (int number = 1; number <= SIGNALS; number++) {
        if (interrupts(number))
            return false;
    }
    return true;
}

/* syscall(): the same calls by their numbers, each handed to the entry point of its name (routes.def); the rest go to the
 * kernel.
 *
 * io_uring reads and writes descriptors without any call that we could see: it is answered as a kernel without it would,
 * and programs fall back to epoll. Forks made by number run no handlers of libc's; ours are run here. A thread, or a child
 * on a stack or with memory of its own making (clone with an address), passes. Calls that change the user concern this
 * thread alone, where libc's of the same name change all threads: so these are not handed over.
 */
#include "shim/errno.h"
#include "shim/libc.h"

#include <linux/sched.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>

#include "core/sys.h"

/* Newer than some C libraries' headers. */
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

#define NUMBERS 512 /* all that are routed lie below */

/* pselect6 takes its signal set and the size of it behind one pointer. */
struct sized_mask {
    const sigset_t *mask;
    size_t size;
};

static const sigset_t *mask_of(const struct sized_mask *sized)
{
    return sized ? sized->mask : NULL;
}

static long pass(long number, const long *a)
{
    return libc.syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* A fork with the same stack and a copy of memory, made without libc. */
static long fork_by_number(long number, const long *a)
{
    sd_fork_prepare();
    long pid = sd_syscall(number, a[0], a[1], a[2], a[3], a[4], 0);
    if (pid == 0)
        sd_fork_child();
    else
        sd_fork_parent();
    if (pid < 0)
        sd_fork_failed();
    return sd_return(pid);
}

static long clone_if_fork(long number, const long *a, uint64_t flags, bool own_stack)
{
    bool forks = !own_stack && !(flags & (CLONE_VM | CLONE_THREAD | CLONE_FILES));
    long r = forks ? fork_by_number(number, a) : pass(number, a);
    if (r == 0 && forks && (flags & CLONE_NEWNET))
        sd_bells_elsewhere();
    return r;
}

static long clone_by_number(const long *a)
{
    return clone_if_fork(SYS_clone, a, (uint64_t)a[0], a[1] != 0);
}

/* What is too short, or lies at no address, the kernel shall judge. */
static long clone3_by_number(const long *a)
{
    const struct clone_args *how = (const struct clone_args *)a[0];
    if (!how || (size_t)a[1] < offsetof(struct clone_args, tls))
        return pass(SYS_clone3, a);
    return clone_if_fork(SYS_clone3, a, how->flags, how->stack != 0);
}

static long lose_access_by_number(long number, const long *a)
{
    sd_before_losing_access();
    return pass(number, a);
}

static long exit_by_number(int status)
{
    sd_do_exit(status);
}

static long io_uring_by_number(const long *a)
{
    return sd_g.disabled ? pass(SYS_io_uring_setup, a) : sd_return(-ENOSYS);
}

#define INT(i)  ((int)a[i])
#define UINT(i) ((unsigned int)a[i])
#define PTR(i)  ((void *)a[i])

#define R(name, call)                    \
    static long by_##name(const long *a) \
    {                                    \
        return call;                     \
    }
#include "shim/routes.def"
#undef R

static long (*const ROUTES[NUMBERS])(const long *a) = {
#define R(name, call) [SYS_##name] = by_##name,
#include "shim/routes.def"
#undef R
};

SD_EXPORT long syscall(long number, ...)
{
    long a[6];
    va_list args;
    va_start(args, number);
    for (size_t i = 0; i < SD_ARRAY_LENGTH(a); i++)
        a[i] = va_arg(args, long);
    va_end(args);
    if (number >= 0 && number < NUMBERS && ROUTES[number])
        return ROUTES[number](a);
    return pass(number, a);
}

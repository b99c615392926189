/* The life of a process: start, fork, exit.
 *
 * Start      The constructor fills the table of originals and starts the core. Entry points called before that pass.
 * Fork       Handlers registered with pthread_atfork do the work for every fork that libc makes, fork() and forkpty()
 *            alike; the wrapper of fork() adds what handlers cannot see, that no child came. _Fork() runs no handlers, so
 *            its wrapper calls them. vfork() is left alone: its child lives on the parent's stack, and its calls are
 *            recognised one by one (fd.c, exec.c). daemon() is done here with our own calls, as libc would with its own.
 * Exit       on_exit is registered before any of the program's handlers and is bound to no library, so it runs last of
 *            all, behind destructors. What streams over sockets still hold is flushed before connections are closed.
 */
#include "shim/errno.h"
#include "shim/libc.h"

#include <pthread.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#ifndef SD_VERSION
#error "the build defines SD_VERSION"
#endif

/* Version of this library, as "1.2.3". */
SD_EXPORT const char *sd_version(void);

SD_EXPORT const char *sd_version(void)
{
    return SD_VERSION;
}

/* --- start and exit --- */

static void exit_process(void)
{
    if (!sd_in_vfork_child())
        sd_exit();
}

static void at_exit(int status, void *nothing)
{
    (void)status;
    (void)nothing;
    sd_flush_streams();
    exit_process();
}

static __attribute__((constructor)) void start(void)
{
    int saved = errno;
    sd_libc_fill();
    sd_init();
    sd_met_inherited();
    pthread_atfork(sd_fork_prepare, sd_fork_parent, sd_fork_child);
    on_exit(at_exit, NULL);
    at_quick_exit(exit_process);
    sd_restore_errno(saved);
}

void sd_do_exit(int status)
{
    exit_process();
    libc._exit(status);
    __builtin_unreachable();
}

SD_EXPORT void _exit(int status)
{
    sd_do_exit(status);
}

SD_EXPORT void _Exit(int status)
{
    sd_do_exit(status);
}

/* --- fork --- */

pid_t sd_do_fork(void)
{
    pid_t pid = libc.fork();
    if (pid < 0)
        sd_fork_failed();
    return pid;
}

SD_EXPORT pid_t fork(void)
{
    return sd_do_fork();
}
SD_ALIAS(fork, __fork);
SD_ALIAS(fork, __libc_fork);

SD_EXPORT pid_t _Fork(void)
{
    sd_fork_prepare();
    pid_t pid = libc._Fork();
    if (pid == 0)
        sd_fork_child();
    else
        sd_fork_parent();
    if (pid < 0)
        sd_fork_failed();
    return pid;
}

/* --- daemon --- */

static bool is_null_device(int fd)
{
    struct stat about;
    return fstat(fd, &about) == 0 && S_ISCHR(about.st_mode) && about.st_rdev == makedev(1, 3);
}

/* Standard input, output and error become /dev/null. */
static int leave_terminal(void)
{
    int fd = open("/dev/null", O_RDWR);
    if (fd < 0)
        return -1;
    if (!is_null_device(fd)) {
        sd_do_close(fd);
        return (int)sd_return(-ENODEV);
    }
    for (int std = STDIN_FILENO; std <= STDERR_FILENO; std++)
        sd_do_dup2(fd, std);
    return fd > STDERR_FILENO ? sd_do_close(fd) : 0;
}

SD_EXPORT int daemon(int nochdir, int noclose)
{
    pid_t pid = sd_do_fork();
    if (pid != 0) {
        if (pid > 0)
            sd_do_exit(0);
        return -1;
    }
    if (setsid() < 0 || (!nochdir && chdir("/") < 0))
        return -1;
    return noclose ? 0 : leave_terminal();
}

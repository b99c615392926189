/* exec: what the next program inherits goes to the kernel first, because that program may not have the library, and may
 * read its standard input without it if it has. A failed exec leaves the connections where they are then: on TCP.
 *
 * posix_spawn counts as exec; a connection named in its file actions moves when it is named, close-on-exec or not.
 * popen and system start a shell by libc's own means; of what it inherits, the descriptors move whose number the command
 * names, for a shell uses no other.
 */
#include "shim/errno.h"
#include "shim/libc.h"

#include "core/space.h"

static void leave(void)
{
    sd_before_exec();
    sd_leave_by_exec();
    sd_space_before_exec();
}

/* exec returns only if it failed. */
static int failed(int r)
{
    sd_space_exec_failed();
    sd_exec_failed();
    return r;
}

SD_EXPORT int execve(const char *path, char *const argv[], char *const envp[])
{
    leave();
    return failed(libc.execve(path, argv, envp));
}

SD_EXPORT int execv(const char *path, char *const argv[])
{
    leave();
    return failed(libc.execv(path, argv));
}

SD_EXPORT int execvp(const char *file, char *const argv[])
{
    leave();
    return failed(libc.execvp(file, argv));
}

SD_EXPORT int execvpe(const char *file, char *const argv[], char *const envp[])
{
    leave();
    return failed(libc.execvpe(file, argv, envp));
}

SD_EXPORT int fexecve(int fd, char *const argv[], char *const envp[])
{
    leave();
    return failed(libc.fexecve(fd, argv, envp));
}

SD_EXPORT int execveat(int dir, const char *path, char *const argv[], char *const envp[], int flags)
{
    leave();
    return failed(libc.execveat(dir, path, argv, envp, flags));
}

/* --- forms with a list of arguments: an array on the stack, since a child of vfork may not allocate --- */

static size_t list_length(va_list list)
{
    size_t n = 1;
    while (va_arg(list, char *))
        n++;
    return n;
}

/* Copies the first argument and the rest of the list with its NULL. */
static void copy_list(char **argv, const char *first, va_list list)
{
    *argv++ = (char *)first;
    while ((*argv++ = va_arg(list, char *)))
        ;
}

#define ARGUMENTS_OF(argv, first, list)        \
    va_list counted_list;                      \
    va_start(list, first);                     \
    va_copy(counted_list, list);               \
    char *argv[list_length(counted_list) + 1]; \
    va_end(counted_list);                      \
    copy_list(argv, first, list)

SD_EXPORT int execl(const char *path, const char *arg, ...)
{
    va_list list;
    ARGUMENTS_OF(argv, arg, list);
    va_end(list);
    leave();
    return failed(libc.execv(path, argv));
}

SD_EXPORT int execlp(const char *file, const char *arg, ...)
{
    va_list list;
    ARGUMENTS_OF(argv, arg, list);
    va_end(list);
    leave();
    return failed(libc.execvp(file, argv));
}

SD_EXPORT int execle(const char *path, const char *arg, ...)
{
    va_list list;
    ARGUMENTS_OF(argv, arg, list);
    char *const *envp = va_arg(list, char *const *);
    va_end(list);
    leave();
    return failed(libc.execve(path, argv, envp));
}

/* --- posix_spawn; these answer an errno --- */

SD_EXPORT int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *acts,
                          const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
    sd_before_exec();
    return libc.posix_spawn(pid, path, acts, attr, argv, envp);
}

SD_EXPORT int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *acts,
                           const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
    sd_before_exec();
    return libc.posix_spawnp(pid, file, acts, attr, argv, envp);
}

SD_EXPORT int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *acts, int fd, int new_fd)
{
    long r = sd_leave_to_kernel(fd, SD_REASON_MOVED_EXEC, true);
    return r < 0 ? (int)-r : libc.posix_spawn_file_actions_adddup2(acts, fd, new_fd);
}

/* --- shells --- */

SD_EXPORT int system(const char *command)
{
    if (command)
        sd_before_shell(command);
    return libc.system(command);
}

SD_EXPORT FILE *popen(const char *command, const char *mode)
{
    sd_before_shell(command);
    return libc.popen(command, mode);
}

/* Limits and locks of memory: they are about the program's, not about ours. See core/space.c and core/locked.c.
 *
 * The runtime of a sanitizer asks for limits before it can watch anybody, and before libc's names may be looked up. So these
 * entries are not watched, and make the system call themselves.
 */
#include "shim/errno.h"
#include "shim/libc.h"

#include "core/space.h"
#include "core/sys.h"

#define UNWATCHED __attribute__((no_sanitize("address", "thread", "undefined")))

_Static_assert(sizeof(struct rlimit) == sizeof(struct rlimit64), "one form serves both names");

/* Before the library is set up, and without it, limits are the kernel's. */
UNWATCHED static bool is_ours(pid_t pid, __rlimit_resource_t resource)
{
    return resource == RLIMIT_AS && (pid == 0 || pid == (pid_t)sd_g.pid) && sd_g.file_count > 0 && !sd_in_vfork_child();
}

UNWATCHED static int limit(pid_t pid, __rlimit_resource_t resource, const struct rlimit *fresh, struct rlimit *old)
{
    long r = is_ours(pid, resource) ? sd_space_limit(fresh, old)
                                    : sd_syscall(SYS_prlimit64, pid, resource, fresh, old, 0, 0);
    return r < 0 ? (int)sd_return(r) : 0;
}

UNWATCHED SD_EXPORT int setrlimit(__rlimit_resource_t resource, const struct rlimit *fresh)
{
    return limit(0, resource, fresh, NULL);
}

UNWATCHED SD_EXPORT int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *fresh)
{
    return limit(0, resource, (const struct rlimit *)fresh, NULL);
}

UNWATCHED SD_EXPORT int getrlimit(__rlimit_resource_t resource, struct rlimit *old)
{
    return limit(0, resource, NULL, old);
}

UNWATCHED SD_EXPORT int getrlimit64(__rlimit_resource_t resource, struct rlimit64 *old)
{
    return limit(0, resource, NULL, (struct rlimit *)old);
}

UNWATCHED SD_EXPORT int prlimit(pid_t pid, __rlimit_resource_t resource, const struct rlimit *fresh, struct rlimit *old)
{
    return limit(pid, resource, fresh, old);
}

UNWATCHED SD_EXPORT int prlimit64(pid_t pid, __rlimit_resource_t resource, const struct rlimit64 *fresh,
                                  struct rlimit64 *old)
{
    return limit(pid, resource, (const struct rlimit *)fresh, (struct rlimit *)old);
}

SD_EXPORT int mlockall(int flags)
{
    return sd_g.disabled ? libc.mlockall(flags) : (int)sd_return(sd_lock_all(flags));
}

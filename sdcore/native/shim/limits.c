/* Limits and locks of memory: they are about the program's, not about ours. See core/space.c and core/locked.c. */
#include "shim/errno.h"
#include "shim/libc.h"

#include "core/space.h"

_Static_assert(sizeof(struct rlimit) == sizeof(struct rlimit64), "one form serves both names");

static bool is_ours(pid_t pid, __rlimit_resource_t resource)
{
    return resource == RLIMIT_AS && (pid == 0 || pid == (pid_t)sd_g.pid) && !sd_g.disabled && !sd_in_vfork_child();
}

static int set_limit(__rlimit_resource_t resource, const struct rlimit *limit)
{
    return is_ours(0, resource) ? (int)sd_return(sd_space_limit(limit, NULL)) : libc.setrlimit(resource, limit);
}

static int get_limit(__rlimit_resource_t resource, struct rlimit *limit)
{
    return is_ours(0, resource) ? (int)sd_return(sd_space_limit(NULL, limit)) : libc.getrlimit(resource, limit);
}

static int swap_limit(pid_t pid, __rlimit_resource_t resource, const struct rlimit *fresh, struct rlimit *old)
{
    return is_ours(pid, resource) ? (int)sd_return(sd_space_limit(fresh, old))
                                  : libc.prlimit(pid, resource, fresh, old);
}

SD_EXPORT int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
    return set_limit(resource, limit);
}

SD_EXPORT int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *limit)
{
    return set_limit(resource, (const struct rlimit *)limit);
}

SD_EXPORT int getrlimit(__rlimit_resource_t resource, struct rlimit *limit)
{
    return get_limit(resource, limit);
}

SD_EXPORT int getrlimit64(__rlimit_resource_t resource, struct rlimit64 *limit)
{
    return get_limit(resource, (struct rlimit *)limit);
}

SD_EXPORT int prlimit(pid_t pid, __rlimit_resource_t resource, const struct rlimit *fresh, struct rlimit *old)
{
    return swap_limit(pid, resource, fresh, old);
}

SD_EXPORT int prlimit64(pid_t pid, __rlimit_resource_t resource, const struct rlimit64 *fresh, struct rlimit64 *old)
{
    return swap_limit(pid, resource, (const struct rlimit *)fresh, (struct rlimit *)old);
}

SD_EXPORT int mlockall(int flags)
{
    return sd_g.disabled ? libc.mlockall(flags) : (int)sd_return(sd_lock_all(flags));
}

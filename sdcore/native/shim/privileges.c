/* Calls by which a process gives up access: it attaches to the monitor before. See core/privileges.c. */
#include "shim/errno.h"
#include "shim/libc.h"

#include <grp.h>
#include <sched.h>

static void before(void)
{
    int saved = errno;
    sd_before_losing_access();
    sd_restore_errno(saved);
}

/* It may be in another network namespace now. */
static int after(int result)
{
    int saved = errno;
    if (result == 0)
        sd_bells_elsewhere();
    sd_restore_errno(saved);
    return result;
}

SD_EXPORT int setuid(uid_t uid)
{
    before();
    return libc.setuid(uid);
}

SD_EXPORT int seteuid(uid_t uid)
{
    before();
    return libc.seteuid(uid);
}

SD_EXPORT int setreuid(uid_t real, uid_t effective)
{
    before();
    return libc.setreuid(real, effective);
}

SD_EXPORT int setresuid(uid_t real, uid_t effective, uid_t saved)
{
    before();
    return libc.setresuid(real, effective, saved);
}

SD_EXPORT int chroot(const char *path)
{
    before();
    return libc.chroot(path);
}

SD_EXPORT int unshare(int flags)
{
    before();
    return after(libc.unshare(flags));
}

SD_EXPORT int setns(int fd, int type)
{
    before();
    return after(libc.setns(fd, type));
}

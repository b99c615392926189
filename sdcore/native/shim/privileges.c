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
    return libc.unshare(flags);
}

SD_EXPORT int setns(int fd, int type)
{
    before();
    return libc.setns(fd, type);
}

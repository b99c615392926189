/* Where the originals are found; the only file that looks names up.
 *
 * Every pointer of `libc` begins as a stub, so no caller has to ask whether the table is filled. A stub fills the whole
 * table and calls on. Names that exist are found without allocating memory (glibc 2.34 and later), so an allocator
 * that calls read() or syscall() while it sets itself up does not come back to itself through dlsym.
 */
#include "shim/errno.h"
#include "shim/libc.h"

#include <dlfcn.h>

#include "core/sys.h"

/* dlsym reports a missing name through dlerror: taken back, lest the program sees it. */
static void *find(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found)
        (void)dlerror();
    return found;
}

#define X(ret, name, params, args)          \
    static ret first_##name params          \
    {                                       \
        sd_libc_fill();                     \
        if (libc.name == first_##name)      \
            return (ret)sd_return(-ENOSYS); \
        return libc.name args;              \
    }
#define V(ret, name, params)
#include "shim/calls.def"
#undef X
#undef V

static int first_fcntl(int fd, int cmd, ...)
{
    va_list args;
    va_start(args, cmd);
    void *arg = va_arg(args, void *);
    va_end(args);
    sd_libc_fill();
    return libc.fcntl == first_fcntl ? (int)sd_return(-ENOSYS) : libc.fcntl(fd, cmd, arg);
}

static int first_ioctl(int fd, unsigned long request, ...)
{
    va_list args;
    va_start(args, request);
    void *arg = va_arg(args, void *);
    va_end(args);
    sd_libc_fill();
    return libc.ioctl == first_ioctl ? (int)sd_return(-ENOSYS) : libc.ioctl(fd, request, arg);
}

/* Allocators make system calls this way very early: done without the table. */
static long first_syscall(long number, ...)
{
    long a[6];
    va_list args;
    va_start(args, number);
    for (size_t i = 0; i < SD_ARRAY_LENGTH(a); i++)
        a[i] = va_arg(args, long);
    va_end(args);
    return sd_return(sd_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]));
}

struct sd_libc libc = {
#define X(ret, name, params, args) .name = first_##name,
#define V(ret, name, params)       .name = first_##name,
#include "shim/calls.def"
#undef X
#undef V
};

/* Plain relaxed stores: all fillers store the same pointers, and a caller that still sees a stub is served as well. */
void sd_libc_fill(void)
{
    int saved = errno;
    void *found;
#define X(ret, name, params, args) V(ret, name, params)
#define V(ret, name, params)   \
    if ((found = find(#name))) \
        __atomic_store_n(&libc.name, (__typeof__(libc.name))found, __ATOMIC_RELAXED);
#include "shim/calls.def"
#undef X
#undef V
    sd_restore_errno(saved);
}

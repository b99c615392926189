/* mlockall: the program's memory is locked, ours is not.
 *
 * Theory. To lock a mapping is to fill it, and a slab is a gigabyte of which little is used. So the kernel is asked to lock
 * what is there as it comes into use (MCL_ONFAULT), then each mapping that is not ours is locked by itself, which fills it,
 * and ours are let go. Mappings that come later are made in a way that is not filled (space.c). Against a limit of locked
 * memory that binds (RLIMIT_MEMLOCK without CAP_IPC_LOCK) ours count nevertheless: then the call fails as in a program with
 * more memory. Without /proc what is there is locked as it comes into use.
 */
#include <string.h>
#include <sys/mman.h>

#include "core/api.h"
#include "core/control_impl.h"
#include "core/space.h"
#include "core/state.h"
#include "core/sys.h"

static const char MAPS[] = "/proc/self/maps";
static const char OURS[] = "/memfd:sdcore-";

enum { LINE_BYTES = 512 };

struct lines {
    int fd;
    size_t length;
    char text[LINE_BYTES];
};

/* Adds what the file has next; false at its end. */
static bool read_on(struct lines *l)
{
    long n = sd_syscall(SYS_read, l->fd, l->text + l->length, sizeof l->text - 1 - l->length, 0, 0, 0);
    l->length += n > 0 ? (size_t)n : 0;
    l->text[l->length] = 0;
    return n > 0;
}

/* The next line in `line`, cut off where it is long; false if there is none. */
static bool next_line(struct lines *l, char line[LINE_BYTES])
{
    char *end;
    while (!(end = memchr(l->text, '\n', l->length)) && l->length < sizeof l->text - 1)
        if (!read_on(l))
            return false;
    size_t size = end ? (size_t)(end - l->text) : l->length;
    memcpy(line, l->text, size);
    line[size] = 0;
    while (!end) { /* the rest of a long line */
        l->length = 0;
        if (!read_on(l))
            return true;
        end = memchr(l->text, '\n', l->length);
    }
    size_t used = (size_t)(end + 1 - l->text);
    memmove(l->text, end + 1, l->length - used);
    l->length -= used;
    return true;
}

static uintptr_t hexadecimal(const char **text)
{
    uintptr_t n = 0;
    for (;; (*text)++) {
        char c = **text;
        if (c >= '0' && c <= '9')
            n = n * 16 + (uintptr_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            n = n * 16 + (uintptr_t)(c - 'a' + 10);
        else
            return n;
    }
}

/* A line begins "from-to "; a mapping that cannot be filled, such as a guard page, stays as it is. */
static void lock_line(const char *line)
{
    uintptr_t from = hexadecimal(&line);
    line += *line == '-';
    uintptr_t to = hexadecimal(&line);
    if (strstr(line, OURS) || sd_is_place_of_slab((const void *)from))
        sd_syscall(SYS_munlock, from, to - from, 0, 0, 0, 0);
    else
        sd_syscall(SYS_mlock, from, to - from, 0, 0, 0, 0);
}

static void lock_each(void)
{
    struct lines l = {.fd = (int)sd_syscall(SYS_openat, AT_FDCWD, MAPS, O_RDONLY | O_CLOEXEC, 0, 0, 0)};
    char line[LINE_BYTES];
    if (l.fd < 0)
        return;
    while (next_line(&l, line))
        lock_line(line);
    sd_sys_close(l.fd);
}

static long lock(int flags)
{
    return sd_syscall(SYS_mlockall, flags, 0, 0, 0, 0, 0);
}

long sd_lock_all(int flags)
{
    const int known = MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT;
    if ((flags & ~known) || !(flags & MCL_CURRENT) || (flags & MCL_ONFAULT) || !sd_g.region || sd_in_vfork_child())
        return lock(flags);
    uint64_t mask;
    sd_control_enter(&mask); /* no slab comes meanwhile */
    long n = lock(MCL_CURRENT | MCL_ONFAULT);
    if (n == 0)
        lock_each();
    sd_control_leave(&mask);
    return n == 0 && (flags & MCL_FUTURE) ? lock(MCL_FUTURE) : n;
}

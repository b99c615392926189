/* Address space: what the library maps does not count against the limit of the program.
 *
 * Theory. A slab takes a gigabyte of addresses, though little memory, and that is more than many a program allows itself
 * (RLIMIT_AS: vsftpd 200 MB, jobs under ulimit -v). The kernel counts all mappings alike. So its limit is kept above the
 * program's by what of it was lent to the library: whoever sets a limit sets his own and reads it again, and each mapping
 * of ours raises it first. The hard limit, which only CAP_SYS_RESOURCE raises again, is therefore lowered to what
 * SPARE_BYTES more of ours would need. Where a limit cannot be raised, no slab is mapped, and connections are kernel TCP: what
 * else the library maps, some fifty megabytes, counts there, or nobody could be told why. A program executed starts with the soft limit as this one had set it, and with the hard one of the kernel.
 *
 * mlockall(MCL_FUTURE) would have the kernel fill each new mapping. It does not fill what nobody may touch: so ours are made
 * without access, unlocked, and opened.
 *
 * Not exact where two threads set the limit and map a slab in the same microseconds: then it is off by a slab.
 */
#include "core/space.h"

#include <sys/mman.h>

#include "core/state.h"
#include "core/sys.h"

static const uint64_t SPARE_BYTES = (uint64_t)16 * SD_SLAB_BYTES;

static _Atomic uint64_t mapped_bytes;
static _Atomic uint64_t lent_soft, lent_hard; /* the kernel's limits are above the program's by so much */

static bool bounded(uint64_t limit)
{
    return limit != RLIM_INFINITY;
}

static uint64_t plus(uint64_t limit, uint64_t bytes)
{
    return !bounded(limit) || limit >= RLIM_INFINITY - bytes ? RLIM_INFINITY : limit + bytes;
}

static uint64_t less(uint64_t limit, uint64_t bytes)
{
    return !bounded(limit) ? limit : limit > bytes ? limit - bytes : 0;
}

static long get(struct rlimit *limit)
{
    return sd_syscall(SYS_prlimit64, 0, RLIMIT_AS, NULL, limit, 0, 0);
}

static long set(const struct rlimit *limit)
{
    return sd_syscall(SYS_prlimit64, 0, RLIMIT_AS, limit, NULL, 0, 0);
}

/* Raises the kernel's soft limit, and the hard one if it must and may. */
static bool lend(uint64_t bytes)
{
    struct rlimit now;
    if (get(&now) < 0 || !bounded(now.rlim_cur))
        return true; /* without a limit nothing has to be lent */
    struct rlimit raised = {.rlim_cur = plus(now.rlim_cur, bytes)};
    raised.rlim_max = raised.rlim_cur > now.rlim_max ? raised.rlim_cur : now.rlim_max;
    if (set(&raised) < 0)
        return false;
    atomic_fetch_add(&lent_soft, bytes);
    atomic_fetch_add(&lent_hard, bounded(now.rlim_max) ? raised.rlim_max - now.rlim_max : 0);
    return true;
}

bool sd_space_take(uint64_t bytes)
{
    if (!lend(bytes))
        return false;
    atomic_fetch_add(&mapped_bytes, bytes);
    return true;
}

void sd_space_note(uint64_t bytes)
{
    (void)lend(bytes); /* else it counts */
    atomic_fetch_add(&mapped_bytes, bytes);
}

void sd_space_give(uint64_t bytes)
{
    struct rlimit now;
    atomic_fetch_sub(&mapped_bytes, bytes);
    if (get(&now) < 0 || atomic_load(&lent_soft) < bytes)
        return;
    atomic_fetch_sub(&lent_soft, bytes);
    now.rlim_cur = less(now.rlim_cur, bytes);
    set(&now); /* a hard limit once lowered does not come back: it stays */
}

void *sd_space_map(void *at, size_t size, int prot, int flags, int fd)
{
    void *p = sd_sys_mmap(at, size, PROT_NONE, flags, fd, 0);
    if (sd_is_error(p))
        return p;
    sd_syscall(SYS_munlock, p, size, 0, 0, 0, 0);
    long n = sd_syscall(SYS_mprotect, p, size, prot, 0, 0, 0);
    if (n < 0) {
        sd_sys_munmap(p, size);
        return (void *)(intptr_t)n;
    }
    return p;
}

static void show(struct rlimit *limit)
{
    limit->rlim_cur = less(limit->rlim_cur, atomic_load(&lent_soft));
    limit->rlim_max = less(limit->rlim_max, atomic_load(&lent_hard));
}

/* What the kernel is told: as much above the wish as we have mapped, the hard one with something to spare, but no more than
 * may be. */
static struct rlimit lifted(const struct rlimit *wish, const struct rlimit *now)
{
    struct rlimit seen = *now, result;
    uint64_t bytes = atomic_load(&mapped_bytes);
    show(&seen);
    result.rlim_max = plus(wish->rlim_max, bytes + SPARE_BYTES);
    if (wish->rlim_max <= seen.rlim_max && result.rlim_max > now->rlim_max)
        result.rlim_max = now->rlim_max;
    result.rlim_cur = sd_min_u64(plus(wish->rlim_cur, bytes), result.rlim_max);
    return result;
}

static long change(const struct rlimit *wish, const struct rlimit *now)
{
    if (wish->rlim_cur > wish->rlim_max)
        return -EINVAL;
    struct rlimit told = lifted(wish, now);
    long n = set(&told);
    if (n < 0)
        return n;
    atomic_store(&lent_soft, bounded(told.rlim_cur) ? told.rlim_cur - wish->rlim_cur : 0);
    atomic_store(&lent_hard, bounded(told.rlim_max) ? told.rlim_max - wish->rlim_max : 0);
    return 0;
}

long sd_space_limit(const struct rlimit *fresh, struct rlimit *old)
{
    struct rlimit now, wish = fresh ? *fresh : (struct rlimit){0};
    long n = get(&now);
    struct rlimit seen = now;
    show(&seen);
    if (n == 0 && fresh)
        n = change(&wish, &now);
    if (n == 0 && old)
        *old = seen;
    return n;
}

void sd_space_before_exec(void)
{
    struct rlimit now;
    if (!atomic_load(&lent_soft) || get(&now) < 0)
        return;
    now.rlim_cur = less(now.rlim_cur, atomic_load(&lent_soft));
    set(&now);
}

void sd_space_exec_failed(void)
{
    struct rlimit now;
    if (!atomic_load(&lent_soft) || get(&now) < 0)
        return;
    now.rlim_cur = sd_min_u64(plus(now.rlim_cur, atomic_load(&lent_soft)), now.rlim_max);
    set(&now);
}

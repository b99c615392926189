/* Memory, locks and descriptors that the library keeps for itself, made so that a signal handler or a fork at any moment
 * finds them in order.
 *
 * Memory   Chunks from mmap, handed out by one atomic addition and never taken back. No lock: a thread that is
 *          interrupted, or that another thread's fork leaves behind in the child, holds nothing up.
 * Lock     A futex word: 0 free, 1 held, 2 held and somebody waits. All signals of the holder are blocked.
 * Hiding   Our own descriptors live near the top of what the program could have, so that the numbers which it gets
 *          stay what they would be without us.
 */
#include <linux/futex.h>
#include <sys/resource.h>

#include "core/control.h"
#include "core/sys.h"

enum {
    CHUNK_BYTES = 256 * 1024,
    ALIGN_BYTES = 64,
    /* The kernel's table of descriptors is as long as the highest one, and fork copies it: 85 us at 20000, 57 at 4096,
     * 40 with none. */
    HIDE_BELOW = 4096,
    HIDE_STEP = 64,
};

/* Head of a chunk; what is handed out follows. */
struct chunk {
    _Alignas(ALIGN_BYTES) _Atomic size_t used;
};

static _Atomic(struct chunk *) current;

static void *map_zeroed(size_t size)
{
    void *memory = sd_sys_mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return sd_is_error(memory) ? NULL : memory;
}

static void *take_from(struct chunk *chunk, size_t size)
{
    size_t start = atomic_fetch_add_explicit(&chunk->used, size, memory_order_relaxed);
    return start + size <= CHUNK_BYTES ? (char *)chunk + start : NULL;
}

/* A fresh chunk instead of `full`; if another thread was faster, the other's. */
static struct chunk *renew(struct chunk *full)
{
    struct chunk *fresh = map_zeroed(CHUNK_BYTES);
    if (!fresh)
        return NULL;
    sd_store(&fresh->used, sizeof(struct chunk));
    if (atomic_compare_exchange_strong(&current, &full, fresh))
        return fresh;
    sd_sys_munmap(fresh, CHUNK_BYTES);
    return full;
}

void *sd_alloc(size_t size)
{
    assert(size > 0);
    if (size > CHUNK_BYTES / 4)
        return map_zeroed(size);
    size = (size + ALIGN_BYTES - 1) & ~(size_t)(ALIGN_BYTES - 1);
    struct chunk *chunk = sd_load_acquire(&current); /* pairs with the exchange in renew */
    for (;;) {
        void *memory = chunk ? take_from(chunk, size) : NULL;
        if (memory)
            return memory;
        chunk = renew(chunk);
        if (!chunk)
            return NULL;
    }
}

static void futex(_Atomic uint32_t *word, int op, uint32_t value)
{
    sd_syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

void sd_lock_take(struct sd_lock *lock, uint64_t *saved_mask)
{
    const uint64_t every = UINT64_MAX;
    sd_sys_sigprocmask(SIG_SETMASK, &every, saved_mask);
    uint32_t held = 0;
    if (atomic_compare_exchange_strong_explicit(&lock->held, &held, 1, memory_order_acquire, memory_order_relaxed))
        return;
    while (atomic_exchange_explicit(&lock->held, 2, memory_order_acquire) != 0)
        futex(&lock->held, FUTEX_WAIT, 2);
}

void sd_lock_drop(struct sd_lock *lock, const uint64_t *saved_mask)
{
    uint32_t held = atomic_exchange_explicit(&lock->held, 0, memory_order_release); /* pairs with sd_lock_take */
    assert(held != 0);
    if (held == 2)
        futex(&lock->held, FUTEX_WAKE, 1);
    sd_sys_sigprocmask(SIG_SETMASK, saved_mask, NULL);
}

/* One above the highest number at which we hide a descriptor. */
static long hide_below(void)
{
    struct rlimit limit = {.rlim_cur = HIDE_BELOW};
    sd_syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit, 0, 0);
    return (long)sd_min_u64(sd_min_u64(limit.rlim_cur, sd_g.file_count), HIDE_BELOW);
}

/* The lowest free number of the highest block that has one; -errno if the upper half is full. */
static long duplicate_high(int fd)
{
    long below = hide_below(), got = -EMFILE;
    for (long start = below - HIDE_STEP; start >= below / 2; start -= HIDE_STEP) {
        got = sd_sys_fcntl(fd, F_DUPFD_CLOEXEC, start);
        if (got != -EMFILE)
            break;
    }
    if (got >= (long)sd_g.file_count) {
        sd_sys_close((int)got);
        return -EMFILE;
    }
    return got;
}

static void mark_hidden(int fd)
{
    uint32_t high = sd_load(&sd_g.file_high);
    while (high <= (uint32_t)fd && !atomic_compare_exchange_weak(&sd_g.file_high, &high, (uint32_t)fd + 1))
        continue;
    sd_store_release(&sd_g.files[fd].kind, SD_FILE_HIDDEN);
}

long sd_hide(int fd)
{
    assert(fd >= 0);
    long high = duplicate_high(fd);
    if (high >= 0) {
        mark_hidden((int)high);
        sd_sys_close(fd);
        return high;
    }
    if ((uint32_t)fd >= sd_g.file_count) {
        sd_sys_close(fd);
        return -EMFILE;
    }
    sd_sys_fcntl(fd, F_SETFD, FD_CLOEXEC);
    mark_hidden(fd);
    return fd;
}

long sd_hide_copy(int fd)
{
    long high = duplicate_high(fd);
    if (high >= 0)
        mark_hidden((int)high);
    return high;
}

void sd_close_hidden(int fd)
{
    assert(fd >= 0 && (uint32_t)fd < sd_g.file_count);
    sd_store_release(&sd_g.files[fd].kind, SD_FILE_NONE);
    sd_sys_close(fd);
}

/* Words that every file of the core uses: atomics, cache lines, likely branches, results.
 *
 * Results: functions of the core return a value >= 0 or a negated errno; they never set errno. SD_PASS means "this is
 * not ours, or not any more: do the libc call on the descriptor"; only the entry points in shim/ see it.
 */
#ifndef SD_BASE_H
#define SD_BASE_H

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SD_PASS (-4096L) /* below every -errno */

#define sd_likely(x)       __builtin_expect(!!(x), 1)
#define sd_unlikely(x)     __builtin_expect(!!(x), 0)
#define SD_API             __attribute__((visibility("hidden")))
#define SD_ARRAY_LENGTH(a) (sizeof(a) / sizeof((a)[0]))

#define sd_load(p)             atomic_load_explicit((p), memory_order_relaxed)
#define sd_load_acquire(p)     atomic_load_explicit((p), memory_order_acquire)
#define sd_store(p, v)         atomic_store_explicit((p), (v), memory_order_relaxed)
#define sd_store_release(p, v) atomic_store_explicit((p), (v), memory_order_release)

/* Keeps the compiler from moving memory accesses across; the processor's part is done by membarrier on the other side. */
#define sd_compiler_fence() atomic_signal_fence(memory_order_seq_cst)

static inline void sd_cpu_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static inline uint64_t sd_min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

#endif

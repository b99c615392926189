/* Mappings of ours in the program's memory, which its limits and locks are not about; see space.c and locked.c. All are
 * async-signal-safe. */
#ifndef SD_SPACE_H
#define SD_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include "core/base.h"

SD_API bool sd_space_take(uint64_t bytes); /* before a mapping of ours; false: it must not be made */
SD_API void sd_space_note(uint64_t bytes); /* before one that is made in any case */
SD_API void sd_space_give(uint64_t bytes); /* it was not made, or is gone */

/* As prlimit(0, RLIMIT_AS, fresh, old), in the program's terms. Either may be NULL. Returns 0 or -errno. Not for a child of
 * vfork: its limit is its own, what is remembered here its parent's. */
SD_API long sd_space_limit(const struct rlimit *fresh, struct rlimit *old);

/* As mmap, but what comes is not locked and so not filled, whatever mlockall said. Returns an address or an error. */
SD_API void *sd_space_map(void *at, size_t size, int prot, int flags, int fd);

/* As mlockall, of the program's memory. Returns 0 or -errno. */
SD_API long sd_lock_all(int flags);

SD_API void sd_space_before_exec(void); /* the next program gets the limit as this one set it */
SD_API void sd_space_exec_failed(void);

#endif

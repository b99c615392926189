/* Waiting for a list of descriptors, some ours and some the kernel's: what poll and select have in common. */
#ifndef SD_POLL_H
#define SD_POLL_H

#include "core/wait.h"

/* One call. `want`, `exact`, `mask` and the times are the caller's; the rest is filled in by sd_poll_run. */
struct sd_poll {
    struct pollfd *want; /* fd and events; revents is the answer */
    nfds_t n;
    bool exact;               /* select: POLLERR and POLLHUP count only if asked for */
    bool waits;               /* false: look once */
    uint64_t deadline_ns;     /* UINT64_MAX: none */
    const sigset_t *mask;     /* in force while the kernel is asked, or NULL */
    struct pollfd *kernel;    /* same index as want; what the kernel is asked; [n] is the bell */
    struct sd_socket **slept; /* same index: pinned for a sleep, or NULL */
    nfds_t plain;             /* descriptors that are not ours, as of the last look */
    bool sets;                /* there may be sets of ours among them */
    uint64_t nap_ns;          /* latest end of the next sleep */
};

/* True if something of ours that needs more than the kernel is in the list. Tells sets of ours that they are polled. */
SD_API bool sd_poll_concerns(struct sd_poll *poll);

/* The deadline of a timeout that may be NULL; -EINVAL if it is not a time. */
SD_API long sd_poll_deadline(struct sd_poll *poll, const struct timespec *timeout);

/* The number of entries with revents, 0 at the deadline, -EINTR, -ENOMEM. Blocks. */
SD_API long sd_poll_run(struct sd_poll *poll);

/* Memory that lives for one call and is large: mmap, so that signal handlers may poll. NULL if there is none. */
SD_API void *sd_poll_map(size_t size);
SD_API void sd_poll_unmap(void *memory, size_t size);

#endif

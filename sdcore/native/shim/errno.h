/* How a result reaches the program: the only place that sets errno.
 *
 * The core answers a value >= 0 or a negated errno; a program expects -1 and errno. errno is left alone unless it is
 * the result. Two things happen on the way out: SIGPIPE after EPIPE, and the repetition of a call that a signal
 * interrupted, both as Linux does them for sockets (signals.c).
 */
#ifndef SD_SHIM_ERRNO_H
#define SD_SHIM_ERRNO_H

#include "shim/shim.h"

static inline long sd_return(long r)
{
    if (sd_likely(r >= 0))
        return r;
    errno = (int)-r;
    return -1;
}

/* Puts back what a call of our own may have changed. */
static inline void sd_restore_errno(int saved)
{
    errno = saved;
}

/* signals.c: raises SIGPIPE in this thread if flags do not forbid it. */
SD_API void sd_raise_broken(int flags);

/* signals.c: raises SIGPIPE in this thread if r is -EPIPE and flags do not forbid it. Then as sd_return. */
SD_API long sd_return_broken(long r, int flags);

static inline long sd_return_sent(long r, int flags)
{
    return sd_likely(r >= 0) ? r : sd_return_broken(r, flags);
}

/* Waiting calls are points where a thread may be cancelled. */
static inline void sd_cancel_point(void)
{
    if (sd_unlikely(sd_load(&sd_g.cancels)))
        pthread_testcancel();
}

/* The result of a wait that is not started again: it may have ended because this thread is cancelled. */
static inline long sd_waited(long r)
{
    if (sd_unlikely(r == -EINTR))
        pthread_testcancel();
    return r;
}

/* signals.c: a call on fd answered -EINTR: would Linux start it again? `option` is SO_RCVTIMEO or SO_SNDTIMEO; 0 if the
 * call has no time limit. A point where a thread may be cancelled, as the call itself is. */
SD_API bool sd_restarts(int fd, int option);

#endif

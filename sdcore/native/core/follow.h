/* An end that several processes share, and that one of them replaced: the others follow.
 *
 * Who leaves the rings may have to give its descriptors a connection that stands in for the old one (forward.h). It can do
 * so in its own process alone. The processes that share the object over fork show the old connection still, which is at its
 * end, or is read by the monitor. So the leaver gives what stands in to the monitor, under the number of the object, and
 * the object becomes ELSEWHERE; its `heir` is an object of kernel TCP that means what stands in. A process that finds an
 * object ELSEWHERE fetches what stands in, puts it in the place of its descriptors, and lets them refer to the heir, as
 * `follower` says (sdcore/protocol/transport.py). The last reference to the old object tells the monitor to let go.
 *
 * A child of vfork shows what stands in by its own descriptors, and leaves the table, which is its parent's, alone.
 */
#ifndef SD_FOLLOW_H
#define SD_FOLLOW_H

#include "core/state.h"

/* If s is ELSEWHERE: this process's descriptors show what stands in when it returns, and refer to the heir. Without locks
 * or tokens; asks the monitor. */
SD_API void sd_follow(struct sd_socket *s);

static inline void sd_follow_if_elsewhere(struct sd_socket *s)
{
    if (sd_unlikely(sd_load_acquire(&s->mode) == SD_MODE_ELSEWHERE))
        sd_follow(s);
}

/* The object behind a descriptor that is about to be used; NULL if there is none. */
static inline struct sd_socket *sd_socket_here(int fd)
{
    struct sd_socket *s = sd_socket_of(fd);
    if (sd_likely(!s || sd_load_acquire(&s->mode) != SD_MODE_ELSEWHERE))
        return s;
    sd_follow(s);
    return sd_socket_of(fd);
}

/* Every descriptor of this process for s becomes one for what `reader` reads from. */
SD_API void sd_show_instead(struct sd_socket *s, int reader);

/* References to s that are none of this process's descriptors. */
SD_API uint32_t sd_other_references(struct sd_socket *s);

/* With both tokens: `reader` stands in for s, and others share it. False: there is no monitor, or no object for an heir. */
SD_API bool sd_keep_for_others(struct sd_socket *s, int reader);

/* With both tokens, before s becomes ELSEWHERE: what is told of the connection is told of its heir from now on. */
SD_API void sd_heir_begins(struct sd_socket *s);

#endif

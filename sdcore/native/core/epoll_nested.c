/* Sets that are in another set or in poll. Theory: epoll.h.
 *
 * Whoever waits for such a set asks the kernel about its descriptor, and the kernel knows what we know by the bell, which
 * rings as if somebody always slept on the set. Two things it does not know. The bell rings on until the set itself is
 * waited for, also when the program has dealt with the cause meanwhile. And offers that are not accepted yet have a time
 * at which somebody must look. So who is about to ask the kernel about sets settles them first, and sleeps no longer
 * than they can wait.
 */
#include "core/epoll.h"

/* Who rings takes our announcement away first. Set held. */
static bool bell_may_ring(const struct sd_epoll *set)
{
    bool rang = set->poked;
    for (struct sd_group *group = set->groups; group && !rang; group = group->next)
        rang = !(sd_load(&sd_own_side(group->slab, group->side)->asleep) & 1ull << group->place);
    return rang && set->bell.fd >= 0;
}

/* Set held, and the registry or a place as guest. */
static void settle(struct sd_epoll *set)
{
    if (!set->nested || set->stale)
        return;
    bool far = sd_set_look_far(set);
    sd_set_attend_timed(set);
    if (far)
        sd_set_pass_on(set);
    if (!bell_may_ring(set))
        return;
    sd_set_scan(set, true);
    if (sd_set_any_ready(set))
        return;
    set->poked = false;
    sd_bell_drain(&set->bell);
    sd_set_pass_on(set);
}

void sd_epoll_polled(int epfd)
{
    if (sd_epoll_busy())
        return;
    struct sd_epoll *set = sd_set_enter(epfd);
    if (!set)
        return;
    bool known = set->nested;
    set->nested = true;
    set->guests++;
    if (!known)
        sd_set_pass_on(set);
    settle(set);
    sd_set_leave(set, true);
}

static void settle_each(struct sd_epoll *set, void *unused)
{
    (void)unused;
    settle(set);
}

void sd_nested_settle(void)
{
    if (!sd_epoll_busy())
        sd_each_set(settle_each, NULL);
}

static void earliest(struct sd_epoll *set, void *due_ns)
{
    if (set->nested)
        *(uint64_t *)due_ns = sd_set_due(set, *(uint64_t *)due_ns, sd_now_ns());
}

uint64_t sd_nested_due(void)
{
    uint64_t due_ns = UINT64_MAX;
    if (!sd_epoll_busy())
        sd_each_set(earliest, &due_ns);
    return due_ns;
}

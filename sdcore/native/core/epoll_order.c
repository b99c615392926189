/* In which order the finds of one scan are told: in that of their arrival, as Linux does, and not in that of their slots.
 *
 * A client that sends on one connection, then on another, counts on a server that takes them so. Who sets a ready byte that
 * is clear notes the processor's counter beside his tail, in a line that we need anyway. It runs alike on all processors,
 * so the notes of all threads, processes and slabs compare, and nothing has to be counted in common. Where it does not, or
 * a peer lies, what one scan finds is told in another order, and nothing else: what was on the active list before keeps
 * its place there.
 *
 * Who has no note of its own was found without a ready byte: its peer acted before it saw that we watch. So it is older
 * than those that have one, and an old note, or none, says so. What was ready when the program asked for it begins there,
 * whatever its peer noted.
 *
 * A scan lists its finds, and touches no watch meanwhile: of a thousand connections each look would be a miss. The notes
 * are read when there are two finds at least, and mostly come in a few runs that are in order: these are merged.
 */
#include "core/control.h"
#include "core/epoll.h"

#define PARTS 32 /* part[k] is made of 2^k runs */

/* Two chains, each in order, become one. Of equals that of `a` comes first. */
static struct sd_find *merged(struct sd_find *a, struct sd_find *b)
{
    struct sd_find *first, **end = &first;
    while (a && b) {
        struct sd_find **least = b->at < a->at ? &b : &a;
        *end = *least;
        end = &(*least)->next;
        *least = *end;
    }
    *end = a ? a : b;
    return first;
}

/* Makes a chain of the finds from the first on that are in order; where the next one begins. */
static struct sd_find *cut_run(struct sd_find *first, const struct sd_find *end)
{
    struct sd_find *last = first;
    while (last + 1 != end && last->at <= last[1].at) {
        last->next = last + 1;
        last++;
    }
    last->next = NULL;
    return last + 1;
}

static void read_notes(struct sd_find *found, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        found[i].at = sd_load((_Atomic uint64_t *)found[i].note);
}

/* The finds as one chain, in order. */
static struct sd_find *sorted(struct sd_find *found, uint32_t n)
{
    struct sd_find *part[PARTS] = {NULL}, *all = NULL;
    read_notes(found, n);
    for (struct sd_find *run = found, *next; run != found + n; run = next) {
        next = cut_run(run, found + n);
        unsigned k = 0;
        for (; part[k]; k++) {
            run = merged(part[k], run);
            part[k] = NULL;
        }
        part[k] = run;
    }
    for (unsigned k = 0; k < PARTS; k++)
        all = merged(part[k], all);
    return all;
}

/* w and its twins; who is on the active list keeps his place there. */
static inline void make_active(struct sd_epoll *set, struct sd_watch *w)
{
    for (; w; w = w->twin) {
        __builtin_prefetch(&w->sock->mode);
        __builtin_prefetch(&w->sock->rx);
        __builtin_prefetch(&w->sock->tx.mover);
        w->arrived = 0;
        if (sd_link_alone(&w->active))
            sd_link_add(&set->active, &w->active);
    }
}

void sd_set_settle(struct sd_epoll *set)
{
    uint32_t n = set->found_count;
    set->found_count = 0;
    if (sd_likely(n == 1))
        make_active(set, set->found->w);
    else
        for (struct sd_find *f = sorted(set->found, n); f; f = f->next)
            make_active(set, f->w);
}

static const _Atomic uint64_t *note_of(const struct sd_watch *w)
{
    const struct sd_socket *s = w->sock;
    bool noted = !w->arrived && sd_mode_uses_ring(sd_load_acquire((_Atomic uint32_t *)&s->mode));
    return noted ? &s->rx.dir->p.told_at : (const _Atomic uint64_t *)&w->arrived;
}

void sd_set_find_arriving(struct sd_epoll *set)
{
    while (!sd_link_alone(&set->arriving)) {
        struct sd_watch *w = sd_container(set->arriving.next, struct sd_watch, active);
        sd_link_remove(&w->active);
        sd_set_found(set, w, note_of(w));
    }
}

/* A watch is found twice at most, by its byte and otherwise. Without the memory finds are settled in parts. */
void sd_set_expect_finds(struct sd_epoll *set)
{
    uint32_t most = set->found_most;
    assert(set->found_count == 0);
    if (2 * sd_load(&set->on_ring) <= most)
        return;
    struct sd_find *more = sd_alloc(2 * most * sizeof *more);
    if (!more)
        return;
    set->found = more;
    set->found_most = 2 * most;
}

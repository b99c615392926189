/* Watches: how a socket's mode decides where its events come from, the ready bytes, and what counts as news. Theory:
 * epoll.h. The set's lock is held throughout.
 */
#include "core/epoll.h"

#include <string.h>

#include "core/buffers.h"
#include "core/control.h"
#include "core/move.h"
#include "core/ring.h"
#include "core/peer.h"

#define FRESH_MOST 32

/* --- the kernel's registration --- */

long sd_watch_register(struct sd_watch *w, uint32_t events, uint64_t data)
{
    int epfd = sd_load(&w->set)->epfd;
    struct epoll_event event = {.events = events, .data.u64 = data};
    int fd = sd_watch_fd(w);
    long r = sd_sys_epoll_ctl(epfd, w->in_kernel ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    if (w->in_kernel && (r == -EINVAL || r == -ENOENT)) { /* an exclusive registration cannot be changed */
        sd_sys_epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL);
        r = sd_sys_epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event);
    }
    if (r >= 0)
        w->in_kernel = true;
    return r;
}

/* While bytes move over the companion, its room matters too. */
static void want_room(struct sd_watch *w)
{
    if (!w->room_wanted && sd_watch_register(w, SD_COMPANION_EVENTS | EPOLLOUT, (uintptr_t)w) >= 0)
        w->room_wanted = true;
}

static bool bell_ready(struct sd_epoll *set)
{
    if (sd_likely(set->bell.fd >= 0))
        return true;
    if (sd_bell_open(&set->bell) < 0)
        return false;
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uintptr_t)set};
    if (sd_sys_epoll_ctl(set->epfd, EPOLL_CTL_ADD, set->bell.fd, &event) >= 0)
        return true;
    sd_bell_close(&set->bell);
    return false;
}

/* --- groups --- */

static struct sd_group *group_memory(struct sd_epoll *set)
{
    struct sd_group *group = set->spare_groups;
    if (!group)
        return sd_alloc(sizeof *group);
    set->spare_groups = group->next;
    memset((void *)group, 0, sizeof *group);
    return group;
}

static struct sd_group *group_of(struct sd_epoll *set, struct sd_slab *slab, uint32_t side, int place)
{
    for (struct sd_group *group = set->groups; group; group = group->next)
        if (group->slab == slab && group->side == side)
            return group;
    struct sd_group *group = group_memory(set);
    if (!group)
        return NULL;
    group->slab = slab;
    group->side = side;
    group->place = place;
    group->next = set->groups;
    set->groups = group;
    return group;
}

static void group_drop(struct sd_epoll *set, struct sd_group *group)
{
    struct sd_group **at = &set->groups;
    while (*at != group)
        at = &(*at)->next;
    *at = group->next;
    sd_leave_slab(group->slab, group->side, group->place);
    group->next = set->spare_groups;
    set->spare_groups = group;
}

/* Without a ready byte there is only looking, and sleeping in short steps. */
static void become_bare(struct sd_epoll *set, struct sd_watch *w)
{
    assert(!w->bare);
    w->bare = true;
    set->bare++;
    sd_watch_make_direct(w);
    if (set->sleepers || set->nested)
        want_room(w); /* EPOLLOUT holds: this wakes them, without a bell */
}

static void become_fresh(struct sd_epoll *set, struct sd_watch *w)
{
    w->fresh_since = set->fences;
    if (!sd_link_alone(&w->fresh))
        return; /* a child revives a set in which it was fresh already */
    sd_link_add(&set->fresh, &w->fresh);
    set->fresh_count++;
}

static void fresh_no_more(struct sd_epoll *set, struct sd_watch *w)
{
    set->fresh_count -= !sd_link_alone(&w->fresh);
    sd_link_remove(&w->fresh);
}

void sd_set_fenced(struct sd_epoll *set, uint32_t fences)
{
    if (set->fenced < fences)
        set->fenced = fences;
}

static void look_at_fresh(struct sd_epoll *set)
{
    struct sd_link *next;
    for (struct sd_link *at = set->fresh.next; at != &set->fresh; at = next) {
        struct sd_watch *w = sd_container(at, struct sd_watch, fresh);
        next = at->next;
        sd_watch_activate(w, false);
        if (w->fresh_since < set->fenced)
            fresh_no_more(set, w);
    }
}

static void join_group(struct sd_epoll *set, struct sd_watch *w)
{
    struct sd_socket *s = w->sock;
    int place = bell_ready(set) ? sd_watch_slab(s, set->bell.name) : -EMFILE;
    struct sd_group *group = place < 0 ? NULL : group_of(set, s->slab, s->rec.side, place);
    if (!group) {
        become_bare(set, w);
        return;
    }
    uint32_t slot = s->rec.slot;
    assert(slot < SD_SLOTS);
    w->group = group;
    w->slot = (uint16_t)slot;
    w->twin = group->mine[slot];
    group->mine[slot] = w;
    group->wanted[slot] = 0xff;
    group->words |= 1u << (slot / 8);
    group->members++;
    become_fresh(set, w);
    if (sd_load(&s->shared))
        sd_watch_make_direct(w);
}

static void unmap_slot(struct sd_group *group, uint32_t slot)
{
    uint64_t word;
    group->wanted[slot] = 0;
    memcpy(&word, &group->wanted[slot & ~7u], sizeof word);
    if (!word)
        group->words &= ~(1u << (slot / 8));
}

/* Moved by another process of the family, its slot may be another connection's already, whose marks are none of ours. */
static bool keeps_slot(const struct sd_socket *s)
{
    return s->slot && sd_load(&s->slot->offer) / SD_OFFER_STATES == s->offer / SD_OFFER_STATES;
}

static void leave_group(struct sd_epoll *set, struct sd_watch *w)
{
    struct sd_group *group = w->group;
    struct sd_watch **at = &group->mine[w->slot];
    while (*at != w)
        at = &(*at)->twin;
    *at = w->twin;
    w->twin = NULL;
    w->group = NULL;
    if (!group->mine[w->slot]) {
        unmap_slot(group, w->slot);
        if (keeps_slot(w->sock))
            sd_unwatch(w->sock, group->place);
    }
    if (--group->members == 0)
        group_drop(set, group);
}

/* --- following the mode --- */

void sd_watch_activate(struct sd_watch *w, bool forced)
{
    w->forced |= forced;
    if (sd_link_alone(&w->active))
        sd_link_add(&sd_load(&w->set)->arriving, &w->active);
}

void sd_watch_make_direct(struct sd_watch *w)
{
    if (sd_link_alone(&w->direct))
        sd_link_add(&sd_load(&w->set)->direct, &w->direct);
}

void sd_watch_leave_ring(struct sd_watch *w)
{
    struct sd_epoll *set = sd_load(&w->set);
    if (w->group)
        leave_group(set, w);
    sd_link_remove(&w->active);
    sd_link_remove(&w->direct);
    sd_link_remove(&w->timed);
    fresh_no_more(set, w);
    set->on_ring -= w->on_ring;
    set->bare -= w->bare;
    w->on_ring = w->bare = false;
}

/* The kernel reports events, with the program's data unless what it reports has to be compared. */
static void hand_over(struct sd_watch *w)
{
    w->quiet = sd_told_all(w);
    w->translated = w->quiet;
    sd_watch_leave_ring(w);
    sd_watch_register(w, w->events, w->quiet ? (uintptr_t)w : w->data);
}

void sd_watch_to_kernel(struct sd_watch *w)
{
    struct sd_epoll *set = sd_load(&w->set);
    set->plain = true;
    if (!w->disarmed) {
        hand_over(w);
        return;
    }
    sd_watch_leave_ring(w);
    sd_sys_epoll_ctl(set->epfd, EPOLL_CTL_DEL, sd_watch_fd(w),
                     NULL); /* the kernel knows no registration that is quite silent */
    w->in_kernel = false;
}

void sd_watch_look_soon(struct sd_watch *w)
{
    w->due_ns = 0;
    if (sd_link_alone(&w->timed))
        sd_link_add(&sd_load(&w->set)->timed, &w->timed);
}

static void follow_timed(struct sd_epoll *set, struct sd_watch *w, uint32_t mode)
{
    bool timed = mode == SD_MODE_OFFERED || mode == SD_MODE_PENDING;
    if (!timed) {
        sd_link_remove(&w->timed);
    } else if (sd_link_alone(&w->timed)) {
        w->due_ns = 0;
        sd_link_add(&set->timed, &w->timed);
    }
}

/* An accepted offer is news only to who could send no more before: an edge that nothing caused would be noticed. The peer
 * has taken nothing before that, so all that was ever sent is what lay there. */
static bool offer_was_full(const struct sd_watch *w)
{
    const struct sd_direction *out = w->sock->tx.dir;
    return out && sd_load(&((struct sd_direction *)out)->p.tail) > sd_writable_up_to(sd_offer_window(w->sock));
}

void sd_watch_sync(struct sd_watch *w)
{
    struct sd_epoll *set = sd_load(&w->set);
    uint32_t mode = sd_load_acquire(&w->sock->mode);
    if (mode == SD_MODE_KERNEL && w->on_ring)
        sd_watch_to_kernel(w);
    if (mode == SD_MODE_KERNEL || mode == SD_MODE_ELSEWHERE) /* sd_epoll_inherit sees to the latter */
        return;
    bool fresh = !w->on_ring || (!w->group && !w->bare) || offer_was_full(w);
    if (!w->on_ring) {
        w->on_ring = true;
        w->room_wanted = false;
        set->on_ring++;
        sd_set_expect_finds(set);
        sd_watch_register(w, SD_COMPANION_EVENTS, (uintptr_t)w);
    }
    if (sd_mode_uses_ring(mode) && !w->group && !w->bare && !set->stale)
        join_group(set, w);
    follow_timed(set, w, mode);
    if (fresh)
        sd_watch_asked(w);
    else
        sd_watch_activate(w, false);
}

void sd_set_revive(struct sd_epoll *set)
{
    set->stale = false;
    for (struct sd_link *at = set->watches.next; at != &set->watches; at = at->next) {
        struct sd_watch *w = sd_container(at, struct sd_watch, member);
        if (w->on_ring)
            sd_watch_sync(w);
    }
}

/* --- news --- */

struct stamp {
    uint64_t tail, head, state, sent;
};

/* What a stamp says of the state, each a bit of its own: an end is often learnt twice, from the ring and from the
 * companion, and is one edge all the same. That the peer moved is none. A Unix connection hangs up when the peer closes,
 * whatever it shut before. */
enum { BROKEN = 2, PEER_MOVED = 4, OWN_SHUT = 8, HUNG_UP = 32 };

static bool hung_up(struct sd_socket *s, uint32_t theirs)
{
    return (theirs & (SD_TX_CLOSED | SD_TX_RESET)) || sd_load(&s->gone) || (sd_load(&s->tx.dir->c.flags) & SD_RX_DEAF);
}

static uint64_t state_of(struct sd_socket *s)
{
    uint32_t theirs = sd_load_acquire(&s->rx.dir->p.flags);
    uint32_t gone = sd_load(&s->gone);
    bool broken = (theirs & SD_TX_RESET) || gone == SD_GONE_RESET || sd_load(&s->error);
    bool ended = (theirs & (SD_TX_FIN | SD_TX_CLOSED | SD_TX_RESET)) || gone;
    return (ended ? SD_SEEN_PEER_ENDED : 0u) | (broken ? BROKEN : 0u) | (theirs & SD_TX_MOVED ? PEER_MOVED : 0u) |
           sd_load(&s->shut) * OWN_SHUT | (sd_unlikely(s->family == AF_UNIX) && hung_up(s, theirs) ? HUNG_UP : 0u);
}

static struct stamp stamp_of(struct sd_socket *s)
{
    struct stamp now = {.state = state_of(s)};
    now.tail = sd_load_acquire(&s->rx.dir->p.tail);
    now.head = sd_load_acquire(&s->tx.dir->c.head);
    now.sent = sd_own_tail(s);
    return now;
}

static bool stamp_read(struct sd_socket *s, struct stamp *now)
{
    if (!sd_mode_uses_ring(sd_load_acquire(&s->mode)))
        return false;
    *now = stamp_of(s);
    return true;
}

#define ABOUT_DATA (EPOLLIN | EPOLLRDNORM | EPOLLRDHUP)
#define ABOUT_ROOM (EPOLLOUT | EPOLLWRNORM)

static bool was_full(const struct sd_watch *w, const struct stamp *now)
{
    return now->sent - w->seen_head >= sd_writable_up_to(sd_window(w->sock));
}

/* Before the program asked: bytes, room or an end were there. It is for a place in an order alone, and takes nothing. */
static bool held_before(const struct sd_watch *w)
{
    struct sd_socket *s = w->sock;
    if (!sd_mode_uses_ring(sd_load_acquire(&s->mode)))
        return false;
    if (state_of(s) & ~(uint64_t)PEER_MOVED)
        return true;
    if ((w->events & ABOUT_DATA) && sd_load(&s->rx.dir->p.tail) != sd_own_head(s))
        return true;
    return (w->events & ABOUT_ROOM) && sd_own_tail(s) - sd_load(&s->tx.dir->c.head) < sd_writable_up_to(sd_window(s));
}

void sd_watch_asked(struct sd_watch *w)
{
    if (sd_link_alone(&w->active)) /* who waits already keeps his place */
        w->arrived = held_before(w) ? sd_ticks() : 0;
    sd_watch_activate(w, true);
}

/* As in Linux, data is no edge for who waits for room, and the other way round; a change of state is one for all. Room
 * is news only if there was none: every position of head since the last stamp was at least seen_head, so the ring was
 * never full if `sent` is not far beyond it. Once the peer has moved, room may be TCP's. */
static bool stamp_is_news(const struct sd_watch *w, const struct stamp *now)
{
    uint64_t change = now->state & ~w->seen_state;
    if ((change & ~(uint64_t)PEER_MOVED) || (now->tail != w->seen_tail && (w->events & ABOUT_DATA)))
        return true;
    bool elsewhere = now->head != w->seen_head || (change & PEER_MOVED);
    return (w->events & ABOUT_ROOM) && elsewhere && was_full(w, now);
}

/* The peer moved, and what it asks of us has not been looked at. */
static bool move_unseen(const struct sd_watch *w, const struct stamp *now)
{
    return now->state & ~w->seen_state & PEER_MOVED;
}

bool sd_watch_told_ring(const struct sd_watch *w)
{
    if (!keeps_slot(w->sock))
        return false;
    struct stamp now = stamp_of(w->sock);
    return !stamp_is_news(w, &now) && !was_full(w, &now);
}

/* Another process of the family moved the connection to the kernel: here nobody has been told. */
static bool left_behind(const struct sd_watch *w)
{
    uint32_t mode = sd_load_acquire(&w->sock->mode);
    return w->on_ring && (mode == SD_MODE_KERNEL || mode == SD_MODE_ELSEWHERE);
}

/* The kernel reports it from now on; of what stands in for it, when who waits has followed. */
static void catch_up(struct sd_epoll *set, struct sd_watch *w)
{
    if (sd_load(&w->sock->mode) == SD_MODE_ELSEWHERE)
        set->behind = w->sock;
    else
        sd_watch_sync(w);
    set->turned = true;
}

static bool has_news(const struct sd_watch *w)
{
    struct stamp now;
    return w->forced || left_behind(w) ||
           (stamp_read(w->sock, &now) && (stamp_is_news(w, &now) || move_unseen(w, &now)));
}

static bool take_news(struct sd_watch *w)
{
    struct stamp now;
    bool news = w->forced;
    w->forced = false;
    if (!stamp_read(w->sock, &now))
        return news;
    news = news || stamp_is_news(w, &now);
    if (move_unseen(w, &now))
        sd_watch_look_soon(w); /* we move, too */
    w->seen_tail = now.tail;
    w->seen_head = now.head;
    w->seen_state = now.state;
    return news;
}

/* It is not writable, and that matters: hear of room, by the ring or by the companion. */
static uint32_t await_room(struct sd_watch *w, uint32_t ready)
{
    struct sd_socket *s = w->sock;
    if (!sd_mode_uses_ring(sd_load(&s->mode)))
        return ready;
    if (sd_move_uses_companion(s))
        want_room(w);
    return sd_watch_room(s) ? sd_readiness(s) : ready;
}

static uint32_t events_that_hold(struct sd_watch *w)
{
    if (w->disarmed)
        sd_move_pressed(w->sock, sd_watch_fd(w));
    if (w->disarmed || sd_load_acquire(&w->sock->mode) == SD_MODE_PENDING)
        return 0;
    uint32_t ready = sd_readiness_of(w->sock, w->events);
    if ((w->events & POLLOUT) && sd_unlikely(!(ready & POLLOUT)))
        ready = await_room(w, ready);
    else if (sd_unlikely(sd_move_outside(w->sock) && sd_mode_uses_ring(sd_load(&w->sock->mode)) &&
                         sd_move_resends(w->sock)))
        want_room(w); /* nobody else would send again what the peer left to us */
    return sd_widen(w->sock, ready) & (w->events | EPOLLERR | EPOLLHUP);
}

uint32_t sd_watch_ready(struct sd_watch *w)
{
    if (sd_unlikely(left_behind(w))) {
        catch_up(sd_load(&w->set), w);
        return 0;
    }
    bool edge = w->events & EPOLLET;
    if (edge || !sd_link_alone(&w->direct)) {
        bool news = take_news(w); /* before the look: what comes in between is news again */
        if (edge && !news) {
            sd_move_pressed(w->sock, sd_watch_fd(w));
            return 0;
        }
    }
    return events_that_hold(w);
}

static bool any_ready_of(const struct sd_link *list)
{
    for (struct sd_link *at = list->next; at != list; at = at->next) {
        struct sd_watch *w = sd_container(at, struct sd_watch, active);
        if (left_behind(w) || ((!(w->events & EPOLLET) || has_news(w)) && events_that_hold(w)))
            return true;
    }
    return false;
}

bool sd_set_any_ready(struct sd_epoll *set)
{
    return any_ready_of(&set->active) || any_ready_of(&set->arriving);
}

/* --- scanning --- */

typedef uint64_t __attribute__((may_alias)) word_of_bytes;

/* What a look at the connection of a slot will need comes while we go through the others. */
static void find_slot(struct sd_epoll *set, const struct sd_group *group, uint32_t slot)
{
    const struct sd_direction *dir = group->slab->slot[slot].dir;
    struct sd_watch *w = group->mine[slot];
    __builtin_prefetch(w);
    __builtin_prefetch(&dir[0].p);
    __builtin_prefetch(&dir[1].p);
    assert(w);
    sd_set_found(set, w, &dir[!group->side].p.told_at);
}

static uint32_t next_byte(uint64_t *marks)
{
    uint32_t byte = (uint32_t)__builtin_ctzll(*marks) / 8;
    *marks &= ~(0xffull << (byte * 8));
    return byte;
}

/* Eight slots, some of which have news that we want. */
static void take_bytes(struct sd_epoll *set, const struct sd_group *group, word_of_bytes *ready, uint32_t first,
                       uint64_t marks)
{
    /* acquire: pairs with the release store of the peer, which follows its tail; the look comes after */
    __atomic_fetch_and(ready, ~marks, __ATOMIC_ACQ_REL);
    while (marks)
        find_slot(set, group, first + next_byte(&marks));
}

static void scan_group(struct sd_epoll *set, const struct sd_group *group)
{
    struct sd_side *side = sd_own_side(group->slab, group->side);
    for (uint32_t words = group->words; words; words &= words - 1) {
        uint32_t first = (uint32_t)__builtin_ctz(words) * 8;
        word_of_bytes *ready = (word_of_bytes *)(void *)&side->ready[first];
        uint64_t marks = __atomic_load_n(ready, __ATOMIC_RELAXED) & *(const word_of_bytes *)&group->wanted[first];
        if (sd_unlikely(marks))
            take_bytes(set, group, ready, first, marks);
    }
}

static void look_at_direct(struct sd_epoll *set)
{
    for (struct sd_link *at = set->direct.next; at != &set->direct; at = at->next) {
        struct sd_watch *w = sd_container(at, struct sd_watch, direct);
        if (has_news(w))
            sd_watch_activate(w, false);
    }
}

void sd_set_scan(struct sd_epoll *set, bool thorough)
{
    if (sd_unlikely(set->fresh_count > FRESH_MOST)) {
        sd_fence_sleeper();
        sd_set_fenced(set, ++set->fences);
    }
    if (sd_unlikely(set->fresh_count))
        look_at_fresh(set);
    if (thorough || set->bare)
        look_at_direct(set);
    if (sd_unlikely(!sd_link_alone(&set->arriving)))
        sd_set_find_arriving(set);
    for (struct sd_group *group = set->groups; group; group = group->next)
        scan_group(set, group);
    if (set->found_count)
        sd_set_settle(set);
}

/* --- announcing sleep --- */

void sd_set_announce(struct sd_epoll *set)
{
    for (struct sd_group *group = set->groups; group; group = group->next) {
        _Atomic uint64_t *asleep = &sd_own_side(group->slab, group->side)->asleep;
        uint64_t bit = 1ull << group->place;
        if (!(sd_load(asleep) & bit))
            atomic_fetch_or(asleep, bit);
    }
}

void sd_set_retract(struct sd_epoll *set)
{
    for (struct sd_group *group = set->groups; group; group = group->next) {
        _Atomic uint64_t *asleep = &sd_own_side(group->slab, group->side)->asleep;
        uint64_t bit = 1ull << group->place;
        if (sd_load(asleep) & bit)
            atomic_fetch_and(asleep, ~bit);
    }
}

void sd_set_poke(struct sd_epoll *set)
{
    if ((!set->sleepers && !set->nested) || set->bell.fd < 0)
        return;
    set->poked = set->nested;
    sd_bell_ring(set->bell.name);
}

void sd_set_pass_on(struct sd_epoll *set)
{
    if (set->stale)
        sd_set_revive(set);
    if (!set->on_ring)
        return;
    sd_set_announce(set);
    sd_set_drop(set);
    sd_fence_sleeper();
    sd_set_take(set);
    sd_set_scan(set, true);
    bool timed = set->sleepers && !sd_link_alone(&set->timed); /* they must see how long they may sleep now */
    if (timed || sd_set_any_ready(set))
        sd_set_poke(set);
}

/* Epoll sets and watches: their memory, their locks, their life over close, dup and fork. Theory: epoll.h. */
#include "core/epoll.h"

#include <string.h>

#include "core/control.h"
#include "core/peer.h"

enum {
    WATCHES_MOST = 1 << 18,
    WATCHES_LEAST = 1 << 10,
    SPINS_BEFORE_YIELD = 100,
    YIELDS_BEFORE_NAP = 1000,
    NAP_NS = 50000, /* the holder may have a lower priority than we: yielding does not let it run */
};

static struct {
    _Atomic uint32_t held;
    struct sd_link sets; /* in use */
    struct sd_link spare_sets;
    struct sd_link spare_watches;
    _Atomic(struct sd_watch *) arena; /* address space for `room` watches, committed as it is used */
    _Atomic size_t used;
    size_t room;
    _Atomic(_Atomic(struct sd_watch *) *) kin; /* by index of the socket object: its first watch */
} registry = {
    .sets = {&registry.sets, &registry.sets},
    .spare_sets = {&registry.spare_sets, &registry.spare_sets},
    .spare_watches = {&registry.spare_watches, &registry.spare_watches},
};

/* Locks that this thread holds. Volatile: a signal handler reads it. */
static __thread volatile uint32_t depth __attribute__((tls_model("initial-exec")));
static _Atomic uint32_t untidy;

/* --- locks --- */

static void lock_take(_Atomic uint32_t *held)
{
    depth = depth + 1; /* first: a handler that comes in between must not wait for us */
    sd_compiler_fence();
    uint32_t spins = 0;
    while (atomic_exchange_explicit(held, 1, memory_order_acquire)) {
        if (++spins < SPINS_BEFORE_YIELD)
            sd_cpu_pause();
        else if (spins < SPINS_BEFORE_YIELD + YIELDS_BEFORE_NAP)
            sd_sys_yield();
        else
            sd_sys_ppoll(NULL, 0, &(struct timespec){.tv_nsec = NAP_NS}, NULL);
    }
}

static void lock_drop(_Atomic uint32_t *held)
{
    assert(sd_load(held) == 1);
    sd_store_release(held, 0); /* pairs with the exchange in lock_take */
    sd_compiler_fence();
    depth = depth - 1;
}

static void tidy(void);

static void lock_drop_and_tidy(_Atomic uint32_t *held)
{
    lock_drop(held);
    if (sd_unlikely(sd_load(&untidy)) && depth == 0)
        tidy();
}

bool sd_epoll_busy(void)
{
    return depth != 0;
}

void sd_registry_take(void)
{
    assert(depth == 0);
    lock_take(&registry.held);
}

void sd_registry_drop(void)
{
    lock_drop_and_tidy(&registry.held);
}

void sd_set_take(struct sd_epoll *set)
{
    lock_take(&set->held);
}

void sd_set_drop(struct sd_epoll *set)
{
    lock_drop_and_tidy(&set->held);
}

void sd_epoll_untidy(void)
{
    sd_store(&untidy, 1);
}

/* --- watches --- */

static _Atomic(struct sd_watch *) *kin_of(struct sd_socket *s)
{
    _Atomic(struct sd_watch *) *kin = sd_load_acquire(&registry.kin);
    size_t index = (size_t)(s - sd_g.sockets);
    assert(index < SD_SOCKETS);
    return kin ? &kin[index] : NULL;
}

static bool watched(struct sd_socket *s)
{
    _Atomic(struct sd_watch *) *kin = kin_of(s);
    return kin && sd_load_acquire(kin);
}

static bool arena_make(void)
{
    if (!sd_load(&registry.kin))
        sd_store_release(&registry.kin, sd_alloc(SD_SOCKETS * sizeof *registry.kin));
    for (size_t room = WATCHES_MOST; room >= WATCHES_LEAST && !registry.room; room /= 2) {
        void *memory = sd_sys_mmap(NULL, room * sizeof(struct sd_watch), PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (sd_is_error(memory))
            continue;
        sd_store_release(&registry.arena, memory);
        registry.room = room;
    }
    return registry.room && sd_load(&registry.kin);
}

static struct sd_watch *watch_memory(void)
{
    struct sd_link *spare = registry.spare_watches.next;
    if (spare != &registry.spare_watches) {
        sd_link_remove(spare);
        return sd_container(spare, struct sd_watch, member);
    }
    size_t used = sd_load(&registry.used);
    if (used == registry.room && (used || !arena_make()))
        return NULL;
    sd_store_release(&registry.used, used + 1);
    return sd_load(&registry.arena) + used;
}

static void join_kin(struct sd_watch *w)
{
    _Atomic(struct sd_watch *) *kin = kin_of(w->sock);
    w->kin = sd_load(kin);
    sd_store_release(kin, w);
}

struct sd_watch *sd_watch_new(struct sd_epoll *set, struct sd_socket *s, int fd)
{
    struct sd_watch *w = watch_memory();
    if (!w)
        return NULL;
    assert(!sd_load(&w->set));
    memset((void *)w, 0, sizeof *w);
    w->sock = s;
    w->fd = fd;
    sd_link_init(&w->active);
    sd_link_init(&w->direct);
    sd_link_init(&w->fresh);
    sd_link_init(&w->timed);
    sd_link_add(&set->watches, &w->member);
    join_kin(w);
    sd_store_release(&w->set, set);
    return w;
}

static void leave_kin(struct sd_watch *w)
{
    _Atomic(struct sd_watch *) *head = kin_of(w->sock);
    struct sd_watch *at = sd_load(head);
    if (at == w) {
        sd_store_release(head, w->kin);
        return;
    }
    while (at->kin != w)
        at = at->kin;
    at->kin = w->kin;
}

void sd_watch_free(struct sd_watch *w)
{
    assert(!w->on_ring && sd_link_alone(&w->active));
    if (w->translated) /* whoever else has the file open is reported on, and we shall not be asked */
        sd_watch_register(w, w->events, w->data);
    leave_kin(w);
    sd_link_remove(&w->member);
    sd_store_release(&w->set, NULL);
    sd_link_add(&registry.spare_watches, &w->member);
}

struct sd_watch *sd_watch_find(const struct sd_epoll *set, struct sd_socket *s, int fd)
{
    _Atomic(struct sd_watch *) *kin = kin_of(s);
    for (struct sd_watch *w = kin ? sd_load(kin) : NULL; w; w = w->kin)
        if (sd_load(&w->set) == set && w->fd == fd)
            return w;
    return NULL;
}

bool sd_watch_is_alone(const struct sd_watch *w)
{
    return sd_load(kin_of(w->sock)) == w && !w->kin;
}

struct sd_watch *sd_watch_from(uint64_t data)
{
    uintptr_t offset = (uintptr_t)data - (uintptr_t)sd_load_acquire(&registry.arena);
    if (offset >= sd_load_acquire(&registry.used) * sizeof(struct sd_watch) || offset % sizeof(struct sd_watch))
        return NULL;
    return (struct sd_watch *)(uintptr_t)data;
}

int sd_watch_fd(const struct sd_watch *w)
{
    return sd_unlikely(w->orphan) ? sd_fd_of(w->sock) : w->fd;
}

void sd_kin_make_direct(struct sd_socket *s)
{
    _Atomic(struct sd_watch *) *kin = kin_of(s);
    for (struct sd_watch *w = kin ? sd_load(kin) : NULL; w; w = w->kin) {
        struct sd_epoll *set = sd_load(&w->set);
        sd_set_take(set);
        sd_watch_make_direct(w);
        sd_set_drop(set);
    }
}

/* --- sets --- */

static void set_clear(struct sd_epoll *set)
{
    struct sd_group *spare = set->spare_groups;
    struct sd_find *found = set->found;
    uint32_t found_most = set->found_most;
    size_t after_lock = offsetof(struct sd_epoll, epfd);
    memset((char *)set + after_lock, 0, sizeof *set - after_lock);
    set->spare_groups = spare;
    set->found = found ? found : set->few;
    set->found_most = found ? found_most : SD_FINDS_FEW;
    set->bell.fd = -1;
    sd_link_init(&set->watches);
    sd_link_init(&set->active);
    sd_link_init(&set->arriving);
    sd_link_init(&set->direct);
    sd_link_init(&set->fresh);
    sd_link_init(&set->timed);
}

static struct sd_epoll *set_memory(void)
{
    struct sd_link *spare = registry.spare_sets.next;
    if (spare == &registry.spare_sets)
        return sd_alloc(sizeof(struct sd_epoll));
    sd_link_remove(spare);
    return sd_container(spare, struct sd_epoll, sets);
}

static void note_file(int fd, struct sd_epoll *set)
{
    uint32_t high = sd_load(&sd_g.file_high);
    while (high <= (uint32_t)fd && !atomic_compare_exchange_weak(&sd_g.file_high, &high, (uint32_t)fd + 1))
        continue;
    sd_store(&sd_g.files[fd].kind, SD_FILE_EPOLL);
    sd_store_release(&sd_g.files[fd].epoll, set); /* pairs with sd_set_enter */
}

struct sd_epoll *sd_set_make(int epfd, bool plain)
{
    if ((uint32_t)epfd >= sd_g.file_count)
        return NULL;
    struct sd_epoll *set = sd_load(&sd_g.files[epfd].epoll);
    if (set)
        return set;
    set = set_memory();
    if (!set)
        return NULL;
    sd_set_take(set); /* somebody with an old pointer may look at it */
    set_clear(set);
    set->epfd = epfd;
    set->refs = 1;
    set->plain = plain;
    sd_link_add(&registry.sets, &set->sets);
    note_file(epfd, set);
    sd_set_drop(set);
    return set;
}

struct sd_epoll *sd_set_enter(int epfd)
{
    if ((uint32_t)epfd >= sd_g.file_count)
        return NULL;
    for (;;) {
        struct sd_epoll *set = sd_load_acquire(&sd_g.files[epfd].epoll);
        if (!set)
            return NULL;
        sd_set_take(set);
        if (sd_likely(sd_load(&sd_g.files[epfd].epoll) == set))
            return set;
        sd_set_drop(set);
    }
}

static void set_recycle(struct sd_epoll *set)
{
    sd_link_remove(&set->sets);
    sd_link_add(&registry.spare_sets, &set->sets);
}

void sd_set_leave(struct sd_epoll *set, bool guest)
{
    if (guest && set->guests)
        set->guests--;
    bool last = guest && set->closed && !set->guests;
    sd_set_drop(set);
    if (sd_likely(!last))
        return;
    sd_registry_take();
    set_recycle(set);
    sd_registry_drop();
}

/* Registry and set held. */
static void set_empty(struct sd_epoll *set)
{
    while (!sd_link_alone(&set->watches)) {
        struct sd_watch *w = sd_container(set->watches.next, struct sd_watch, member);
        sd_watch_leave_ring(w);
        sd_watch_free(w);
    }
    sd_bell_close(&set->bell);
}

static int other_descriptor(const struct sd_epoll *set)
{
    uint32_t high = sd_load(&sd_g.file_high);
    for (uint32_t fd = 0; fd < high; fd++)
        if (sd_load(&sd_g.files[fd].epoll) == set)
            return (int)fd;
    return -1;
}

static void close_locked(int epfd)
{
    struct sd_epoll *set = sd_load(&sd_g.files[epfd].epoll);
    if (!set)
        return;
    sd_set_take(set);
    sd_store(&sd_g.files[epfd].epoll, NULL);
    sd_store(&sd_g.files[epfd].kind, SD_FILE_NONE);
    bool last = --set->refs == 0;
    if (last)
        set_empty(set);
    else if (set->epfd == epfd)
        set->epfd = other_descriptor(set);
    set->closed = last;
    bool reusable = last && !set->guests;
    sd_set_drop(set);
    if (reusable)
        set_recycle(set);
}

/* A handler that closes an epoll descriptor in the middle of our work on some set leaves the set as it is, without a
 * descriptor: its watches go when their sockets close. */
void sd_epoll_closed(int epfd)
{
    if ((uint32_t)epfd >= sd_g.file_count || !sd_load(&sd_g.files[epfd].epoll))
        return;
    if (sd_epoll_busy()) {
        sd_store(&sd_g.files[epfd].epoll, NULL);
        sd_store(&sd_g.files[epfd].kind, SD_FILE_NONE);
        return;
    }
    sd_registry_take();
    close_locked(epfd);
    sd_registry_drop();
}

void sd_epoll_dup(int old_epfd, int new_epfd)
{
    if ((uint32_t)old_epfd >= sd_g.file_count || !sd_load(&sd_g.files[old_epfd].epoll) || sd_epoll_busy())
        return;
    sd_registry_take();
    struct sd_epoll *set = sd_load(&sd_g.files[old_epfd].epoll);
    if (set && (uint32_t)new_epfd < sd_g.file_count) {
        set->refs++;
        note_file(new_epfd, set);
    }
    sd_registry_drop();
}

void sd_each_set(void (*act)(struct sd_epoll *set, void *arg), void *arg)
{
    sd_registry_take();
    for (struct sd_link *at = registry.sets.next; at != &registry.sets; at = at->next) {
        struct sd_epoll *set = sd_container(at, struct sd_epoll, sets);
        sd_set_take(set);
        act(set, arg);
        sd_set_drop(set);
    }
    sd_registry_drop();
}

static void renumber(struct sd_epoll *set, void *fds)
{
    if (set->bell.fd == ((int *)fds)[0])
        set->bell.fd = ((int *)fds)[1];
}

void sd_epoll_renumbered(int old_fd, int new_fd)
{
    if (!sd_epoll_busy())
        sd_each_set(renumber, (int[]){old_fd, new_fd});
}

/* --- sockets that close or change --- */

static void end_watch(struct sd_watch *w)
{
    sd_watch_leave_ring(w);
    sd_watch_free(w);
}

/* With a duplicate left the watches of fd live on; without one all end, those of descriptors closed earlier too. */
static void forget_locked(struct sd_socket *s, int fd)
{
    bool lives_on = sd_load(&s->rec.refs) > 1 && sd_fd_of(s) >= 0;
    struct sd_watch *next;
    for (struct sd_watch *w = sd_load(kin_of(s)); w; w = next) {
        next = w->kin;
        struct sd_epoll *set = sd_load(&w->set);
        sd_set_take(set);
        if (!lives_on)
            end_watch(w);
        else if (w->fd == fd)
            w->orphan = true;
        sd_set_drop(set);
    }
}

void sd_epoll_forget(struct sd_socket *s, int fd)
{
    if (!watched(s))
        return;
    if (sd_epoll_busy()) {
        sd_epoll_untidy();
        return;
    }
    sd_registry_take();
    forget_locked(s, fd);
    sd_registry_drop();
}

static void each_kin(struct sd_socket *s, void (*act)(struct sd_watch *w))
{
    if (!watched(s))
        return;
    if (sd_epoll_busy()) {
        sd_epoll_untidy();
        return;
    }
    sd_registry_take();
    for (struct sd_watch *w = sd_load(kin_of(s)); w; w = w->kin) {
        struct sd_epoll *set = sd_load(&w->set);
        sd_set_take(set);
        act(w);
        sd_set_poke(set);
        sd_set_drop(set);
    }
    sd_registry_drop();
}

static void act_on_news(struct sd_watch *w)
{
    if (w->on_ring)
        sd_watch_activate(w, false); /* the stamp tells whether it is news */
}

void sd_epoll_mode_changed(struct sd_socket *s)
{
    each_kin(s, sd_watch_sync);
}

void sd_epoll_news(struct sd_socket *s)
{
    each_kin(s, act_on_news);
}

/* Registry and set held. */
static void inherit_watch(struct sd_watch *w, struct sd_socket *heir)
{
    sd_watch_leave_ring(w);
    leave_kin(w);
    w->sock = heir;
    join_kin(w);
    sd_watch_to_kernel(w);
}

void sd_epoll_inherit(struct sd_socket *s, struct sd_socket *heir)
{
    struct sd_watch *w;
    if (!watched(s))
        return;
    if (sd_epoll_busy()) {
        sd_epoll_untidy();
        return;
    }
    sd_registry_take();
    while ((w = sd_load(kin_of(s)))) {
        struct sd_epoll *set = sd_load(&w->set);
        sd_set_take(set);
        inherit_watch(w, heir);
        sd_set_drop(set);
    }
    sd_registry_drop();
}

static void tidy_set(struct sd_epoll *set)
{
    struct sd_link *next;
    for (struct sd_link *at = set->watches.next; at != &set->watches; at = next) {
        next = at->next;
        struct sd_watch *w = sd_container(at, struct sd_watch, member);
        struct sd_socket *now = sd_socket_of(sd_watch_fd(w));
        if (now && now == w->sock->heir) {
            inherit_watch(w, now);
            continue;
        }
        if (now != w->sock) {
            end_watch(w);
            continue;
        }
        sd_watch_sync(w);
        act_on_news(w);
    }
    sd_set_poke(set);
}

/* What a handler could not do because we held a lock. */
static void tidy(void)
{
    while (atomic_exchange(&untidy, 0)) {
        lock_take(&registry.held);
        for (struct sd_link *at = registry.sets.next; at != &registry.sets; at = at->next) {
            struct sd_epoll *set = sd_container(at, struct sd_epoll, sets);
            lock_take(&set->held);
            tidy_set(set);
            lock_drop(&set->held);
        }
        lock_drop(&registry.held);
    }
}

/* --- fork --- */

static bool fork_holds; /* prepare took the locks; guarded by them */

void sd_epoll_fork_prepare(void)
{
    if (sd_epoll_busy())
        return; /* fork in a handler that interrupted us: the child must not count on its inherited sets */
    lock_take(&registry.held);
    for (struct sd_link *at = registry.sets.next; at != &registry.sets; at = at->next)
        lock_take(&sd_container(at, struct sd_epoll, sets)->held);
    fork_holds = true;
}

/* From now on another process may take the ready bytes of these sockets. */
static void share_watches(struct sd_epoll *set)
{
    set->left = true;
    for (struct sd_link *at = set->watches.next; at != &set->watches; at = at->next)
        sd_watch_make_direct(sd_container(at, struct sd_watch, member));
}

void sd_epoll_fork_parent(bool forked)
{
    if (!fork_holds)
        return;
    fork_holds = false;
    for (struct sd_link *at = registry.sets.next; at != &registry.sets; at = at->next) {
        struct sd_epoll *set = sd_container(at, struct sd_epoll, sets);
        if (forked)
            share_watches(set);
        lock_drop(&set->held);
    }
    lock_drop_and_tidy(&registry.held);
}

/* The places in the slabs, and the bell, are the parent's. */
static void disown(struct sd_epoll *set)
{
    for (struct sd_link *at = set->watches.next; at != &set->watches; at = at->next) {
        struct sd_watch *w = sd_container(at, struct sd_watch, member);
        w->group = NULL;
        w->twin = NULL;
        w->bare = false;
        sd_link_remove(&w->fresh);
    }
    while (set->groups) {
        struct sd_group *group = set->groups;
        set->groups = group->next;
        group->next = set->spare_groups;
        set->spare_groups = group;
    }
    sd_bell_close(&set->bell);
    set->guests = set->sleepers = set->bare = set->fresh_count = 0;
    set->stale = true;
}

void sd_epoll_fork_child(void)
{
    fork_holds = false;
    depth = 0;
    for (struct sd_link *at = registry.sets.next; at != &registry.sets; at = at->next) {
        struct sd_epoll *set = sd_container(at, struct sd_epoll, sets);
        share_watches(set);
        disown(set);
        sd_store(&set->held, 0);
    }
    sd_store(&registry.held, 0);
}

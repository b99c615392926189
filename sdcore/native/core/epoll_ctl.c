/* epoll_ctl: what is registered where. Theory: epoll.h. The kernel decides about errors wherever it is asked at all. */
#include "core/epoll.h"
#include "core/follow.h"

#define EXCLUSIVE_MAY_HAVE (EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)

/* --- descriptors that are not ours --- */

/* Is epfd an epoll descriptor? Only then does the kernel look for fd in it. fd is not in it: it is new in a new set, or
 * holds epfd itself, which would be a loop. */
static bool is_epoll(int epfd, int fd)
{
    return sd_sys_epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL) == -ENOENT;
}

static void added_plain(int epfd, int fd)
{
    bool epoll = is_epoll(fd, epfd);
    sd_registry_take();
    struct sd_epoll *outer = sd_set_make(epfd, true);
    if (outer) {
        sd_set_take(outer);
        outer->plain = true;
        outer->holds_sets |= epoll;
        sd_set_drop(outer);
    }
    if (epoll)
        sd_set_make(fd, true);
    sd_registry_drop();
    if (epoll)
        sd_epoll_polled(fd);
}

static long ctl_plain(int epfd, int op, int fd, struct epoll_event *event)
{
    long r = sd_sys_epoll_ctl(epfd, op, fd, event);
    if (r == 0 && op == EPOLL_CTL_ADD && !sd_epoll_busy())
        added_plain(epfd, fd);
    return r;
}

/* --- sockets of ours; registry and set held --- */

/* Programs that take a connection out and put it in again for every request would pay two system calls each time: what
 * is taken out stays registered by its companion, silent, until the descriptor closes or the socket leaves the rings.
 */
static void park(struct sd_watch *w)
{
    w->parked = w->disarmed = true;
    w->events = 0;
    sd_link_remove(&w->active);
}

static long unpark(struct sd_watch *w, const struct epoll_event *event)
{
    if (!w->on_ring) {
        long r = sd_watch_register(w, event->events, event->data.u64);
        if (r < 0)
            return r;
        w->translated = w->quiet = false;
    }
    w->parked = w->disarmed = false;
    w->events = event->events;
    w->data = event->data.u64;
    if (w->on_ring)
        sd_watch_asked(w);
    return 0;
}

static long add(struct sd_epoll *set, struct sd_socket *s, int fd, const struct epoll_event *event)
{
    struct sd_watch *known = sd_watch_find(set, s, fd);
    if (known && !known->parked)
        return -EEXIST;
    if ((event->events & EPOLLEXCLUSIVE) && (event->events & ~(uint32_t)EXCLUSIVE_MAY_HAVE))
        return -EINVAL;
    if (known)
        return unpark(known, event);
    struct sd_watch *w = sd_watch_new(set, s, fd);
    if (!w)
        return -ENOSPC;
    w->events = event->events;
    w->data = event->data.u64;
    bool ring = sd_load_acquire(&s->mode) != SD_MODE_KERNEL;
    long r = ring ? sd_watch_register(w, SD_COMPANION_EVENTS, (uintptr_t)w) : sd_watch_register(w, w->events, w->data);
    if (r < 0) {
        sd_watch_free(w);
        return r;
    }
    set->plain |= !ring;
    if (ring)
        sd_watch_sync(w);
    return 0;
}

static long modify(struct sd_watch *w, const struct epoll_event *event)
{
    if ((event->events | w->events) & EPOLLEXCLUSIVE)
        return -EINVAL;
    if (!w->on_ring) {
        long r = sd_watch_register(w, event->events, event->data.u64);
        if (r < 0)
            return r;
        w->translated = w->quiet = false;
    }
    w->events = event->events;
    w->data = event->data.u64;
    w->disarmed = false;
    if (w->on_ring)
        sd_watch_asked(w);
    return 0;
}

static long drop(struct sd_epoll *set, struct sd_watch *w)
{
    if (w->on_ring && w->group) {
        park(w);
        return 0;
    }
    long r = w->in_kernel ? sd_sys_epoll_ctl(set->epfd, EPOLL_CTL_DEL, w->fd, NULL) : 0;
    w->translated = false;
    sd_watch_leave_ring(w);
    sd_watch_free(w);
    return r;
}

static long ctl_locked(struct sd_epoll *set, int op, struct sd_socket *s, int fd, const struct epoll_event *event)
{
    if (op == EPOLL_CTL_ADD)
        return add(set, s, fd, event);
    struct sd_watch *w = sd_watch_find(set, s, fd);
    if (!w)
        return sd_sys_epoll_ctl(set->epfd, op, fd, (struct epoll_event *)event);
    if (w->parked)
        return -ENOENT;
    return op == EPOLL_CTL_DEL ? drop(set, w) : modify(w, event);
}

static struct sd_epoll *set_for(int epfd, int op, int fd, long *error)
{
    struct sd_epoll *set = sd_load(&sd_g.files[epfd].epoll);
    if (set)
        return set;
    if (op == EPOLL_CTL_ADD && is_epoll(epfd, fd)) {
        set = sd_set_make(epfd, false);
        *error = -ENOMEM;
        return set;
    }
    *error = SD_PASS; /* the kernel knows what is wrong */
    return NULL;
}

/* What a new or changed watch asks for beyond its own set. Registry held. */
static void follow_up(struct sd_epoll *set, struct sd_socket *s, bool alone)
{
    if (!alone)
        sd_kin_make_direct(s);
    sd_set_take(set);
    if (set->on_ring && (set->sleepers || set->nested))
        sd_set_pass_on(set);
    sd_set_drop(set);
}

static long ctl_ours(int epfd, int op, struct sd_socket *s, int fd, const struct epoll_event *event)
{
    long r = 0;
    sd_registry_take();
    struct sd_epoll *set = set_for(epfd, op, fd, &r);
    if (!set) {
        sd_registry_drop();
        return r;
    }
    sd_set_take(set);
    r = ctl_locked(set, op, s, fd, event);
    struct sd_watch *w = r == 0 && op != EPOLL_CTL_DEL ? sd_watch_find(set, s, fd) : NULL;
    bool bare = w && w->bare;
    bool alone = !w || sd_watch_is_alone(w);
    sd_set_drop(set);
    if (w)
        follow_up(set, s, alone);
    sd_registry_drop();
    if (bare && op == EPOLL_CTL_ADD)
        sd_move_to_kernel(fd, SD_REASON_DOORBELLS, false);
    return r;
}

long sd_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
    if (sd_g.disabled || (uint32_t)epfd >= sd_g.file_count)
        return SD_PASS;
    if (sd_hidden(fd) || sd_hidden(epfd))
        return -EBADF;
    struct sd_socket *s = sd_socket_here(fd);
    bool known_op = op == EPOLL_CTL_ADD || op == EPOLL_CTL_MOD || op == EPOLL_CTL_DEL;
    if (!s || !known_op || (op != EPOLL_CTL_DEL && !event))
        return ctl_plain(epfd, op, fd, event);
    if (sd_epoll_busy())
        return -ENOMEM; /* in a signal handler that interrupted our work on a set */
    return ctl_ours(epfd, op, s, fd, event);
}

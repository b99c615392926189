/* What comes by the companion in a receive that began with the rings. Theory: behind.h. */
#include "core/behind.h"

#include <sys/ioctl.h>

#include "core/api.h"
#include "core/blocked.h"
#include "core/move.h"
#include "core/peer.h"
#include "core/sys.h"

static bool urgent_waits(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLPRI};
    return sd_sys_ppoll(&p, 1, &(struct timespec){0}, NULL) == 1 && (p.revents & POLLPRI);
}

/* A receive would find no byte, and take the error, or pass over the urgent byte: both belong to the next call. AF_UNIX counts
 * the urgent byte among those that are there. */
static bool adds_nothing(const struct sd_socket *s, int fd, int flags)
{
    struct pollfd p = {.fd = fd, .events = POLLPRI};
    int there = 0;
    sd_sys_ioctl(fd, FIONREAD, &there);
    if (there > 0)
        return s->family == AF_UNIX && urgent_waits(fd);
    return (flags & MSG_DONTWAIT) || sd_sys_ppoll(&p, 1, &(struct timespec){0}, NULL) == 1;
}

long sd_recv_rest_by_kernel(struct sd_socket *s, int fd, struct cursor *c, int flags)
{
    long done = 0;
    if (flags & SD_RINGS_ALONE)
        return 0;
    fd = sd_call_hold(s, fd);
    while (c->left) {
        size_t run = cursor_run(c, c->left);
        if (run && adds_nothing(s, fd, flags))
            break;
        long r = run ? sd_sys_recvfrom(fd, cursor_at(c), run, flags, NULL, NULL) : 0;
        if (r > 0) {
            sd_count_kernel(fd, 0, r);
            done += r;
        }
        if (r >= 0)
            cursor_skip(c, (size_t)r);
        if (r < (long)run)
            break;
    }
    return done;
}

long sd_recv_strays(struct sd_socket *s, int fd, struct cursor *c, int flags)
{
    size_t n = sd_min_u64(cursor_run(c, c->left), sd_move_strays(s, fd));
    if (n && (flags & SD_RINGS_ALONE))
        return SD_PASS;
    long r = n ? sd_sys_recvfrom(fd, cursor_at(c), n, flags | MSG_DONTWAIT, NULL, NULL) : -EAGAIN;
    if (r <= 0)
        return -EAGAIN;
    sd_count_kernel(fd, 0, r);
    cursor_skip(c, (size_t)r);
    if (!(flags & MSG_PEEK))
        sd_move_strays(s, fd);
    return r;
}

long sd_recv_behind(struct sd_socket *s, int fd, struct cursor *c, int flags, long seen)
{
    if (c->left)
        sd_offer_accepted(s); /* or we know nothing of a move */
    if (flags & SD_RINGS_ALONE)
        return 0;
    if (c->left && (flags & MSG_PEEK))
        return sd_move_peek_behind(s, fd, (uint64_t)seen, &(struct sd_place){c->iov, c->count, c->offset}, flags);
    uint32_t mode = sd_load_acquire(&s->mode);
    bool unmoved = mode == SD_MODE_RING && !sd_move_received(s);
    if (!c->left || unmoved || (mode != SD_MODE_RING && mode != SD_MODE_KERNEL))
        return 0;
    return sd_recv_rest_by_kernel(s, fd, c, flags | MSG_DONTWAIT);
}

long sd_recv_behind_one(struct sd_socket *s, int fd, const struct iovec *rest, int flags)
{
    struct cursor c;
    return cursor_start(&c, rest, 1) ? sd_recv_behind(s, fd, &c, flags, 0) : 0;
}

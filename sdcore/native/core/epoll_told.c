/* Edges over a move: what a watch has told in shared memory the kernel shall not tell again.
 *
 * To hand a watch over to the kernel's set makes the kernel look, and report what holds, told or not. So an edge-triggered
 * watch whose news are all told is handed over with its own address as data, as one on the rings is, and what the kernel
 * reports of it is compared with what the connection had carried: it is new if more bytes have come, if the program has
 * sent since (then room may have been missed, and come back), or if it is an error, the end of both directions or urgent.
 * The first that is new ends the comparison. Bytes that lay unread in the ring and were told come once more over the
 * companion; how many is known if this end left the rings by itself. Where anything else has gone over the companion, or
 * another process may take our events, the kernel reports as it does. So it does with a set that others have, too: they
 * must find the program's data.
 */
#include <linux/tcp.h>
#include <netinet/in.h>

#include "core/api.h"
#include "core/buffers.h"
#include "core/epoll.h"
#include "core/move.h"
#include "core/ring.h"

#define ALWAYS_NEW (EPOLLERR | EPOLLHUP | EPOLLPRI)

struct carried {
    uint64_t received, sent;
};

static bool read_carried(int fd, struct carried *by)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    if (sd_sys_getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
        return false;
    by->received = info.tcpi_bytes_received;
    by->sent = info.tcpi_bytes_sent + info.tcpi_notsent_bytes;
    return true;
}

/* What the kernel could tell is what the rings have told, or what we can tell from it. */
static bool comparable(struct sd_watch *w)
{
    const struct sd_socket *s = w->sock;
    bool edge = (w->events & EPOLLET) && !(w->events & (EPOLLONESHOT | EPOLLEXCLUSIVE));
    bool alone = !sd_load((_Atomic uint32_t *)&s->shared) && !sd_move_has_strays(s);
    bool unused = !sd_load((_Atomic uint64_t *)&s->rec.kernel_sent_bytes) &&
                  !sd_load((_Atomic uint64_t *)&s->rec.kernel_received_bytes);
    return edge && alone && unused && !sd_load(&w->set)->left && !w->forced && !w->room_wanted && !w->disarmed;
}

bool sd_told_all(struct sd_watch *w)
{
    struct carried by;
    struct sd_socket *s = w->sock;
    if (!comparable(w) || !sd_watch_told_ring(w) || !read_carried(sd_watch_fd(w), &by))
        return false;
    uint64_t resent = s->left_at < w->seen_tail ? w->seen_tail - s->left_at : 0;
    w->told_received = resent + (w->seen_state & SD_SEEN_PEER_ENDED ? 1 : 0); /* the end counts as a byte */
    w->told_sent = by.sent;
    return by.received <= w->told_received;
}

bool sd_told_is_new(struct sd_watch *w, uint32_t events)
{
    struct carried by;
    if (w->quiet && !(events & ALWAYS_NEW) && read_carried(sd_watch_fd(w), &by) && by.received <= w->told_received &&
        by.sent == w->told_sent)
        return false;
    w->quiet = false;
    return true;
}

void sd_epoll_left(int epfd)
{
    if ((uint32_t)epfd >= sd_g.file_count || !sd_load(&sd_g.files[epfd].epoll) || sd_epoll_busy())
        return;
    sd_registry_take();
    struct sd_epoll *set = sd_load(&sd_g.files[epfd].epoll);
    if (set) {
        sd_set_take(set);
        set->left = true;
        for (struct sd_link *at = set->watches.next; at != &set->watches; at = at->next) {
            struct sd_watch *w = sd_container(at, struct sd_watch, member);
            if (w->translated)
                sd_watch_register(w, w->events, w->data);
            w->translated = w->quiet = false;
        }
        sd_set_drop(set);
    }
    sd_registry_drop();
}

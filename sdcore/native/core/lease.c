/* Destinations: what the library remembers of the addresses that a program connects to. Driver of `lease_client`.
 *
 * A table of sets: a destination stands in one of WAYS places of its set, and the one longest unused makes room for a
 * new one. Forgetting costs one question to the monitor, which answers with the same lease.
 *
 * A destination belongs to a network namespace: the same address is another host elsewhere. The kernel names the
 * namespace of the socket that will connect.
 */
#include <string.h>

#include "core/control_impl.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

enum { SETS = 128, WAYS = 8, BACKOFF_FIRST_MS = 200, BACKOFF_MS_MAX = 30000 };

struct destination {
    struct sd_destination to; /* port 0: the place is empty */
    uint64_t netns;
    struct sd_lease_client m;
    struct sd_grant *lease;
    uint64_t lease_id;   /* the place may hold another lease by now */
    uint64_t generation; /* of listeners, when the monitor was asked */
    uint32_t attachment; /* with which monitor */
    enum sd_reason reason;
    uint64_t backoff_until_ns;
    uint32_t backoff_ms;
    uint64_t used; /* tick of the last use */
};

static struct destination table[SETS][WAYS];
static uint64_t tick;

/* --- the table --- */

static uint64_t netns_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);
    return sd_sys_getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) < 0 ? 0 : cookie;
}

static uint32_t set_of(const struct sd_destination *to, uint64_t netns)
{
    uint64_t half[2];
    memcpy(half, to->at.ip, sizeof(half));
    uint64_t hash = (half[0] ^ half[1] ^ netns ^ to->at.port) * 0x9E3779B97F4A7C15ULL;
    return (uint32_t)(hash >> 57) % SETS;
}

static bool is_unix(const struct sd_destination *to)
{
    return to->at.family == AF_UNIX;
}

static bool matches(const struct destination *d, const struct sd_destination *to, uint64_t netns)
{
    return d->to.at.port == to->at.port && memcmp(d->to.at.ip, to->at.ip, sizeof(to->at.ip)) == 0 &&
           is_unix(&d->to) == is_unix(to) && d->netns == netns && d->to.name_bytes == to->name_bytes &&
           memcmp(d->to.name, to->name, to->name_bytes) == 0;
}

static void restart(struct destination *d, const struct sd_destination *to, uint64_t netns)
{
    memset(d, 0, sizeof(*d));
    d->to = *to;
    d->netns = netns;
    sd_lease_client_start(&d->m);
}

static struct destination *find(const struct sd_destination *to, uint64_t netns)
{
    struct destination *set = table[set_of(to, netns)], *oldest = set;
    for (struct destination *d = set; d < set + WAYS; d++) {
        if (matches(d, to, netns)) {
            d->used = ++tick;
            return d;
        }
        if (d->used < oldest->used)
            oldest = d;
    }
    restart(oldest, to, netns);
    oldest->used = ++tick;
    return oldest;
}

/* --- the machine --- */

/* One call of sd_lease_for. */
struct look {
    struct destination *d;
    int fd;
    struct sd_grant *full;
    struct sd_grant *found; /* USE_SLAB */
};

bool sd_asks_elsewhere(void)
{
    return sd_g.status && sd_load(&sd_g.status->elsewhere);
}

bool sd_may_be_elsewhere(void)
{
    uint64_t mask;
    sd_control_enter(&mask);
    bool attached = sd_attached();
    sd_control_leave(&mask);
    return attached && sd_asks_elsewhere();
}

static uint64_t listener_generation(void)
{
    return sd_g.status ? sd_load_acquire(&sd_g.status->listeners) : 0;
}

static uint32_t deny(struct destination *d, enum sd_reason reason)
{
    d->reason = reason ? reason : SD_REASON_NO_MONITOR;
    return SD_LEASE_CLIENT_EV_DENY;
}

static uint32_t take_answer(struct destination *d, struct sd_reply *reply)
{
    if (reply->status != SD_STATUS_OK)
        return deny(d, reply->reason);
    struct sd_grant *lease;
    long n = sd_learn_lease(reply->fd, &reply->body.lease, SD_SLAB_CLIENT, &lease);
    if (n == -EPROTO) {
        sd_distrust_monitor();
        d->reason = SD_REASON_NO_MONITOR;
        return SD_LEASE_CLIENT_EV_NO_ANSWER;
    }
    if (n < 0)
        return deny(d, n == SD_SLAB_SPOILT ? SD_REASON_VIOLATION : SD_REASON_NO_MEMORY);
    d->lease = lease;
    d->lease_id = lease->lease_id;
    return SD_LEASE_CLIENT_EV_GRANT;
}

/* The generation is read before the question: a listener that comes after it moves it again. */
static uint32_t ask(const struct look *l)
{
    struct destination *d = l->d;
    struct sd_msg_destination body = {.port = d->to.at.port,
                                      .family = d->to.at.family,
                                      .name_bytes = d->to.name_bytes,
                                      .full_lease = l->full ? l->full->lease_id : 0};
    memcpy(body.ip, d->to.at.ip, sizeof(body.ip));
    memcpy(body.name, d->to.name, sizeof(body.name));
    struct sd_request request = {SD_MSG_LEASE, &body, sizeof(body), {l->fd, -1}};
    struct sd_reply reply;
    if (sd_attached()) {
        d->generation = listener_generation();
        d->attachment = sd_attachments();
        if (sd_ask(&request, &reply))
            return take_answer(d, &reply);
    }
    d->reason = sd_not_attached_reason();
    return SD_LEASE_CLIENT_EV_NO_ANSWER;
}

/* Longer each time; short again after it went well for longer than the last wait was. */
static void start_backoff(struct destination *d)
{
    uint64_t now_ns = sd_now_ns(), wait_ns = d->backoff_ms * 1000000ULL;
    bool again = d->backoff_ms && now_ns < d->backoff_until_ns + wait_ns;
    d->backoff_ms = again ? (uint32_t)sd_min_u64(d->backoff_ms * 2ULL, BACKOFF_MS_MAX) : BACKOFF_FIRST_MS;
    d->backoff_until_ns = now_ns + d->backoff_ms * 1000000ULL;
    d->reason = SD_REASON_OFFER_TIMEOUT;
}

static void feed(struct look *l, uint32_t event)
{
    uint32_t todo = sd_lease_client_step(&l->d->m, event, 0);
    assert(todo != SD_NO_ROW);
    for (; todo; todo >>= 8)
        switch (todo & 0xff) {
        case SD_LEASE_CLIENT_DO_ASK: feed(l, ask(l)); break;
        case SD_LEASE_CLIENT_DO_USE_SLAB: l->found = l->d->lease; break;
        case SD_LEASE_CLIENT_DO_DROP_SLAB: l->d->lease = NULL; break;
        case SD_LEASE_CLIENT_DO_START_BACKOFF: start_backoff(l->d); break;
        default: assert((todo & 0xff) == SD_LEASE_CLIENT_DO_USE_KERNEL); /* the caller's, when nothing was found */
        }
}

/* What may have become of the destination since the last look. */
static void look_before_use(struct look *l)
{
    struct destination *d = l->d;
    if (d->lease && (d->lease->lease_id != d->lease_id || sd_lease_revoked(d->lease)))
        feed(l, SD_LEASE_CLIENT_EV_REVOKED_SEEN);
    if (d->generation != listener_generation() || d->attachment != sd_attachments())
        feed(l, SD_LEASE_CLIENT_EV_GENERATION_MOVED);
    if (sd_now_ns() >= d->backoff_until_ns)
        feed(l, SD_LEASE_CLIENT_EV_BACKOFF_OVER);
}

/* With a full slab: another one that has room again, or the question for one more. */
static uint32_t connect_event(struct look *l)
{
    struct destination *d = l->d;
    if (l->full != d->lease)
        l->full = NULL; /* it was revoked, or another thread found a further one */
    if (!l->full)
        return SD_LEASE_CLIENT_EV_CONNECT;
    struct sd_grant *other = sd_lease_with_room(l->full);
    if (!other)
        return SD_LEASE_CLIENT_EV_FULL;
    d->lease = other;
    d->lease_id = other->lease_id;
    return SD_LEASE_CLIENT_EV_CONNECT;
}

struct sd_grant *sd_lease_for(int fd, const struct sd_destination *destination, struct sd_grant *full,
                              enum sd_reason *reason)
{
    assert(fd >= 0 && reason);
    *reason = SD_REASON_NOT_LOCAL;
    if (!destination->at.port)
        return NULL;
    sd_control_look();
    uint64_t mask;
    sd_control_enter(&mask);
    struct look l = {.d = find(destination, netns_of(fd)), .fd = fd, .full = full};
    look_before_use(&l);
    feed(&l, connect_event(&l));
    *reason = l.found ? SD_REASON_ACCELERATED : l.d->reason;
    sd_control_leave(&mask);
    return l.found;
}

void sd_lease_unanswered(struct sd_grant *lease)
{
    uint64_t mask;
    sd_control_enter(&mask);
    for (struct destination *d = table[0]; d < table[SETS]; d++)
        if (d->lease == lease)
            feed(&(struct look){.d = d, .fd = -1}, SD_LEASE_CLIENT_EV_UNANSWERED_OFFER);
    sd_control_leave(&mask);
}

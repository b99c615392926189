/* The client's side of setting up: lease, hint, the kernel's handshake, the offer, and taking it back.
 *
 * The `client` machine decides; this file performs. An offer is a slot filled in by us and a word in it that both sides
 * swap: OFFERED to ACCEPTED by the server, OFFERED to WITHDRAWN by us. Whoever swaps first decides, and both know.
 */
#include <netinet/tcp.h>

#include "core/address.h"
#include "core/blocked.h"
#include "core/buffers.h"
#include "core/control.h"
#include "core/epoll.h"
#include "core/move.h"
#include "core/peer.h"
#include "core/record.h"
#include "core/ring.h"
#include "core/sys.h"
#include "core/thread.h"
#include "core/wait.h"

#define PORT_TRIES 4 /* a server marks its port, and takes the mark back, once */

/* --- slots --- */

static uint32_t offer_state(uint32_t word)
{
    return word % SD_OFFER_STATES;
}

static uint32_t offer_word(uint32_t word, uint32_t state)
{
    return word - word % SD_OFFER_STATES + state;
}

static void clear_slot(struct sd_slab *slab, uint32_t slot)
{
    struct sd_slot *p = &slab->slot[slot];
    memset((void *)p->dir, 0, sizeof p->dir);
    sd_store(&p->done, 0);
    sd_store(&slab->side[0].ready[slot], 0);
    sd_store(&slab->side[1].ready[slot], 0);
}

/* Claims a free slot of the lease; -1 if there is none. */
static int claim_slot(struct sd_grant *lease)
{
    for (uint32_t i = 0; i < SD_SLOTS; i++) {
        uint32_t slot = (lease->next_slot + i) % SD_SLOTS;
        _Atomic uint32_t *offer = &lease->slab->slot[slot].offer;
        uint32_t word = sd_load(offer);
        if (offer_state(word) != SD_OFFER_FREE)
            continue;
        if (!atomic_compare_exchange_strong(offer, &word, offer_word(word, SD_OFFER_CLAIMED)))
            continue;
        lease->next_slot = slot;
        clear_slot(lease->slab, slot);
        return (int)slot;
    }
    return -1;
}

static void unclaim_slot(struct sd_slab *slab, uint32_t slot)
{
    _Atomic uint32_t *offer = &slab->slot[slot].offer;
    sd_store_release(offer, offer_word(sd_load(offer), SD_OFFER_FREE) + SD_OFFER_STATES);
}

static struct sd_grant *lease_with_slot(int fd, const struct sd_destination *to, int *slot, enum sd_reason *reason)
{
    struct sd_grant *lease = sd_lease_for(fd, to, NULL, reason);
    if (!lease || (*slot = claim_slot(lease)) >= 0)
        return lease;
    lease = sd_lease_for(fd, to, lease, reason);
    if (!lease)
        *reason = SD_REASON_NO_SLOT;
    else if ((*slot = claim_slot(lease)) < 0) {
        *reason = SD_REASON_NO_SLOT;
        lease = NULL;
    }
    return lease;
}

/* --- the hint: a TTL that the server finds in the saved SYN; or, of AF_UNIX, the name --- */

struct hint {
    int level, name, old;
};

static bool hint_set(int fd, const struct sd_address *to, struct hint *hint)
{
    bool v4 = to->family == AF_INET || sd_address_is_mapped(to);
    hint->level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
    hint->name = v4 ? IP_TTL : IPV6_UNICAST_HOPS;
    socklen_t len = sizeof hint->old;
    int ttl = SD_HINT_TTL;
    return sd_sys_getsockopt(fd, hint->level, hint->name, &hint->old, &len) >= 0 &&
           sd_sys_setsockopt(fd, hint->level, hint->name, &ttl, sizeof ttl) >= 0;
}

static bool give_hint(struct sd_socket *s, int fd, const struct sd_address *to, struct hint *hint)
{
    return to->family == AF_UNIX ? sd_unix_choose_name(s, fd) : hint_set(fd, to, hint);
}

static void hint_clear(int fd, const struct hint *hint)
{
    sd_sys_setsockopt(fd, hint->level, hint->name, &hint->old, sizeof hint->old);
}

/* --- connecting --- */

static bool kernel_open(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    struct timespec now = {0};
    return sd_sys_ppoll(&p, 1, &now, NULL) == 1 && p.revents == POLLOUT;
}

static void use_kernel(struct sd_socket *s, enum sd_reason reason)
{
    sd_store(&s->rec.transport, SD_TRANSPORT_TCP);
    sd_store(&s->rec.reason, reason);
    atomic_fetch_add(&sd_g.region->reason[reason], 1);
}

/* Enter the offer in the table by our local port; what stands there decides. */
static uint32_t enter_port(struct sd_slab *slab, uint16_t port, uint32_t slot)
{
    uint16_t seen = SD_PORT_EMPTY;
    for (int tries = 0; tries < PORT_TRIES && (seen == SD_PORT_EMPTY || seen == SD_PORT_PENDING); tries++) {
        bool awaited = seen == SD_PORT_PENDING;
        if (atomic_compare_exchange_strong(&slab->port[port], &seen, (uint16_t)(slot + 1)))
            return awaited ? SD_CLIENT_EV_AWAITED : SD_CLIENT_EV_KERNEL_OPEN;
    }
    if (seen != SD_PORT_DECLINED)
        return SD_CLIENT_EV_PORT_TAKEN;
    atomic_compare_exchange_strong(&slab->port[port], &seen, SD_PORT_EMPTY);
    return SD_CLIENT_EV_PORT_DECLINED;
}

/* The slot is filled in and can be found. Returns the event that says how it went. */
static uint32_t make_offer(struct sd_socket *s, int fd, struct sd_grant *lease, uint32_t slot)
{
    struct sd_slot *p = &lease->slab->slot[slot];
    struct sd_address local, peer;
    if (!sd_address_ends(fd, &local, &peer))
        return SD_CLIENT_EV_PORT_TAKEN; /* the connection is gone already */
    s->rec.local = local;
    s->rec.peer = peer;
    p->local = local;
    p->peer = peer;
    s->rec.lease_id = lease->lease_id;
    sd_attach_slot(s, lease->slab, slot, 0);
    sd_record_bind_offer(s);
    s->grant = lease;
    sd_window_follow(s);
    sd_store(&s->unqueued_ns, 0);
    s->deadline_ns = sd_now_ns() + SD_OFFER_LOOK_NS;
    uint32_t word = offer_word(sd_load(&p->offer), SD_OFFER_OFFERED);
    s->offer = word;
    sd_store_release(&p->offer, word);
    return enter_port(lease->slab, local.port, slot);
}

static enum sd_reason reason_of(uint32_t event)
{
    if (event == SD_CLIENT_EV_KERNEL_SLOW)
        return SD_REASON_SLOW_CONNECT;
    return event == SD_CLIENT_EV_PORT_TAKEN ? SD_REASON_PORT_CLASH : SD_REASON_OFFER_TIMEOUT;
}

/* The kernel's handshake is done, or is too slow for us: offer, or stay with the kernel. */
static void settle_offer(struct sd_socket *s, int fd, struct sd_grant *lease, uint32_t slot, uint32_t event)
{
    sd_store(&s->rec.state, SD_SOCK_ESTABLISHED);
    if (sd_client_step(&s->client, event, 0) == SD_CLIENT_DO_MAKE_OFFER) {
        event = make_offer(s, fd, lease, slot);
        if (event == SD_CLIENT_EV_AWAITED)
            sd_client_step(&s->client, event, 0);
        if (event == SD_CLIENT_EV_AWAITED || event == SD_CLIENT_EV_KERNEL_OPEN) {
            sd_store(&s->rec.transport, SD_TRANSPORT_SHM);
            sd_store(&s->rec.reason, SD_REASON_ACCELERATED);
            sd_store(&s->slow_send,
                     1); /* each send looks at the companion: the server may refuse what it never accepted */
            sd_store_release(&s->mode, SD_MODE_OFFERED);
            sd_mode_announce(s);
            return;
        }
        sd_client_step(&s->client, event, 0);
    }
    unclaim_slot(lease->slab, slot);
    s->slot = NULL;
    use_kernel(s, reason_of(event));
}

static long connect_leased(struct sd_socket *s, int fd, const struct sockaddr *addr, socklen_t len,
                           const struct sd_address *to, struct sd_grant *lease, uint32_t slot)
{
    struct hint hint;
    sd_client_step(&s->client, SD_CLIENT_EV_CONNECT_LEASED, 0);
    bool hinted = give_hint(s, fd, to, &hint);
    long r = sd_sys_connect(fd, addr, len);
    if (hinted && to->family != AF_UNIX)
        hint_clear(sd_call_fd(s, fd), &hint);
    if (r < 0 && r != -EINPROGRESS) {
        sd_client_step(&s->client, SD_CLIENT_EV_KERNEL_FAILED, 0);
        unclaim_slot(lease->slab, slot);
        return r;
    }
    bool ours = sd_socket_of(fd) == s; /* or closed while we waited: who connects is gone */
    bool open = hinted && ours && (r == 0 || kernel_open(fd));
    settle_offer(s, fd, lease, slot, open ? SD_CLIENT_EV_KERNEL_OPEN : SD_CLIENT_EV_KERNEL_SLOW);
    return r;
}

static long connect_plain(struct sd_socket *s, int fd, const struct sockaddr *addr, socklen_t len,
                          enum sd_reason reason)
{
    sd_client_step(&s->client, SD_CLIENT_EV_CONNECT_PLAIN, 0);
    long r = sd_sys_connect(fd, addr, len);
    if (r < 0 && r != -EINPROGRESS) {
        sd_client_step(&s->client, SD_CLIENT_EV_KERNEL_FAILED, 0);
        return r;
    }
    struct sd_address unused;
    sd_client_step(&s->client, SD_CLIENT_EV_KERNEL_OPEN, 0);
    sd_address_ends(fd, &s->rec.local, r == 0 ? &s->rec.peer : &unused);
    sd_store(&s->rec.state, SD_SOCK_ESTABLISHED);
    use_kernel(s, reason);
    return r;
}

/* Why an Internet address is not worth a question. */
static enum sd_reason far_away(const struct sd_address *to)
{
    return sd_address_is_local(to) || sd_may_be_elsewhere() ? SD_REASON_ACCELERATED : SD_REASON_PEER_REMOTE;
}

static enum sd_reason name_objection(const struct sd_socket *s, int fd)
{
    return sd_unix_is_named(s, fd) ? SD_REASON_NAMED : SD_REASON_ACCELERATED;
}

/* A lease that leads there, and a slot of it; NULL and why there is none. */
static struct sd_grant *way_there(struct sd_socket *s, int fd, const struct sockaddr *addr, socklen_t len,
                                  const struct sd_address *to, int *slot, enum sd_reason *reason)
{
    struct sd_destination there = {.at = *to};
    bool local = to->family == AF_UNIX;
    *reason = local ? name_objection(s, fd) : far_away(to);
    if (*reason != SD_REASON_ACCELERATED)
        return NULL;
    *reason = SD_REASON_PEER_PLAIN;
    if (local && !sd_unix_destination(&there, addr, len))
        return NULL;
    return lease_with_slot(fd, &there, slot, reason);
}

static long connect_entered(struct sd_socket *s, int fd, const struct sockaddr *addr, socklen_t len,
                            const struct sd_address *to)
{
    sd_client_start(&s->client);
    s->rec.peer = *to;
    if (sd_load(&s->stays))
        return connect_plain(s, fd, addr, len, (enum sd_reason)sd_load(&s->stays));
    enum sd_reason reason;
    int slot = -1;
    struct sd_grant *lease = way_there(s, fd, addr, len, to, &slot, &reason);
    if (!lease)
        return connect_plain(s, fd, addr, len, reason);
    return connect_leased(s, fd, addr, len, to, lease, (uint32_t)slot);
}

long sd_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    struct sd_socket *s = sd_socket_of(fd);
    struct sd_address to;
    struct sd_call call;
    if (!s || sd_load(&s->mode) != SD_MODE_KERNEL || sd_load(&s->rec.state) != SD_SOCK_NEW)
        return SD_PASS;
    sd_store(&sd_g.connects, sd_load(&sd_g.connects) + 1); /* whether two threads count one or two matters not */
    if (!addr || !sd_address_from(&to, addr, len) || to.family != s->family || !sd_call_enter(&call, fd, s))
        return SD_PASS;
    long r = connect_entered(s, fd, addr, len, &to);
    sd_call_leave(&call);
    return r;
}

/* --- the offer afterwards --- */

/* With the send token or both: the server has swapped the word. */
static void become_ring(struct sd_socket *s)
{
    if (sd_load(&s->mode) != SD_MODE_OFFERED)
        return;
    sd_client_step(&s->client, SD_CLIENT_EV_ACCEPTED, 0);
    sd_store(&s->slow_send, sd_load(&s->error) || sd_load(&s->last_send));
    sd_store_release(&s->mode, SD_MODE_RING);
    sd_window_follow(s);
}

/* Without a token: another thread may withdraw the offer and leave the slot meanwhile. */
static bool word_accepted(const struct sd_socket *s)
{
    struct sd_slot *slot = __atomic_load_n(&s->slot, __ATOMIC_RELAXED);
    return slot && sd_load_acquire(&slot->offer) == offer_word(s->offer, SD_OFFER_ACCEPTED);
}

bool sd_offer_accepted(struct sd_socket *s)
{
    if (sd_load(&s->mode) == SD_MODE_RING)
        return true;
    if (sd_load(&s->mode) != SD_MODE_OFFERED || !word_accepted(s))
        return false;
    if (!sd_token_enter(&s->tx.token))
        return true;
    become_ring(s);
    sd_token_leave(&s->tx.token);
    return true;
}

static bool swap_offer(struct sd_socket *s)
{
    uint32_t word = s->offer;
    return atomic_compare_exchange_strong(&s->slot->offer, &word, offer_word(word, SD_OFFER_WITHDRAWN));
}

static void leave_port(struct sd_socket *s)
{
    uint16_t ours = (uint16_t)(s->rec.slot + 1);
    atomic_compare_exchange_strong(&s->slab->port[s->rec.local.port], &ours, SD_PORT_EMPTY);
}

/* The server's kernel refused the connection. Sending would take the error that the program has yet to see. */
static bool is_refused(int fd)
{
    struct pollfd companion = {.fd = fd};
    struct timespec now = {0};
    return sd_sys_ppoll(&companion, 1, &now, NULL) == 1 && (companion.revents & POLLERR);
}

/* The offer is ours again. What the ring holds goes out over the companion; while TCP does not take all of it (its buffers
 * may be small, and nobody need read yet) the connection keeps the slot, as one that moves. */
static void become_kernel(struct sd_socket *s, int fd, enum sd_reason reason)
{
    leave_port(s);
    use_kernel(s, reason);
    if (!is_refused(fd) && !sd_move_withdrawn(s, fd)) {
        sd_store_release(&s->mode, SD_MODE_RING);
        return;
    }
    sd_store_release(&s->mode, SD_MODE_KERNEL);
    unclaim_slot(s->slab, s->rec.slot);
    __atomic_store_n(&s->slot, NULL, __ATOMIC_RELAXED); /* word_accepted */
}

void sd_offer_withdraw(struct sd_socket *s, int fd, enum sd_client_event why, enum sd_reason reason)
{
    if (!sd_both_enter(s))
        return;
    bool withdrawn = false;
    if (sd_load(&s->mode) == SD_MODE_OFFERED && sd_client_step(&s->client, why, 0) == SD_CLIENT_DO_TRY_WITHDRAW) {
        withdrawn = swap_offer(s);
        sd_client_step(&s->client, withdrawn ? SD_CLIENT_EV_SWAP_WON : SD_CLIENT_EV_SWAP_LOST, 0);
        if (withdrawn)
            become_kernel(s, fd, reason);
        else
            become_ring(s);
    }
    sd_both_leave(s);
    if (withdrawn)
        sd_mode_announce(s);
    if (withdrawn && why == SD_CLIENT_EV_EXPIRED && reason == SD_REASON_OFFER_TIMEOUT)
        sd_lease_unanswered(s->grant); /* perhaps nobody under the library accepts there: do not make others wait */
}

/* The server's side of setting up: is this connection an offer, and where is it?
 *
 * The `server` machine decides; this file performs. A hinted connection is PENDING until its offer is found in one of
 * the listener's slabs, under the client's port. What stands in a slab was written by a client: the slot number is
 * checked, the addresses are compared with those that the kernel names, and the word is swapped whole, generation and
 * all, so that an offer cannot change under our hands.
 */
#include <netinet/tcp.h>

#include "core/address.h"
#include "core/buffers.h"
#include "core/control.h"
#include "core/move.h"
#include "core/peer.h"
#include "core/record.h"
#include "core/ring.h"
#include "core/sys.h"
#include "core/thread.h"
#include "core/wait.h"

#define BRIEF_NS        50000u
#define LOOKS_PER_YIELD 16

static void use_kernel(struct sd_socket *s, enum sd_reason reason)
{
    sd_store(&s->rec.transport, SD_TRANSPORT_TCP);
    sd_store(&s->rec.reason, reason);
    atomic_fetch_add(&sd_g.region->reason[reason], 1);
}

void sd_listening(int fd)
{
    struct sd_socket *s = sd_socket_of(fd);
    if (!s || sd_load(&s->rec.state) == SD_SOCK_LISTENING)
        return;
    union sd_sockaddr u;
    socklen_t len = sizeof u;
    if (sd_sys_getsockname(fd, &u, &len) >= 0)
        sd_address_from(&s->rec.local, &u.any, len);
    sd_store(&s->rec.state, SD_SOCK_LISTENING);
    sd_listener_start(&s->listener);
    int on = 1;
    sd_sys_setsockopt(fd, IPPROTO_TCP, TCP_SAVE_SYN, &on, sizeof on); /* which a Unix socket refuses */
    sd_register_listener(s, fd);
}

/* Was the SYN sent with the hint? The kernel gives the saved headers once. */
static bool syn_hinted(int fd)
{
    uint8_t header[256];
    socklen_t len = sizeof header;
    if (sd_sys_getsockopt(fd, IPPROTO_TCP, TCP_SAVED_SYN, header, &len) < 0 || len < 40)
        return false;
    return (header[0] >> 4) == 4 ? header[8] == SD_HINT_TTL : header[7] == SD_HINT_TTL;
}

/* A name that the kernel chose at the client is the library's there; the program shall see none, as without us. */
static bool hinted(struct sd_socket *s, int fd)
{
    if (s->family != AF_UNIX)
        return syn_hinted(fd);
    bool chosen = sd_unix_is_chosen(&s->rec.peer);
    sd_store(&s->unnamed, chosen ? SD_UNNAMED_PEER : 0);
    return chosen;
}

/* --- finding the offer --- */

struct found {
    struct sd_grant *lease;
    uint32_t slot;
    uint32_t word;
};

static bool is_offer_for(const struct sd_socket *s, struct sd_grant *lease, uint32_t slot, struct found *found)
{
    struct sd_slot *p = &lease->slab->slot[slot];
    uint32_t word = sd_load_acquire(&p->offer); /* pairs with the release in make_offer: the addresses are there */
    if (word % SD_OFFER_STATES != SD_OFFER_OFFERED || !sd_address_same(&p->local, &s->rec.peer) ||
        !sd_address_same(&p->peer, &s->rec.local))
        return false;
    *found = (struct found){lease, slot, word};
    return true;
}

static bool find_offer(const struct sd_socket *s, struct sd_grant *leases, struct found *found)
{
    for (struct sd_grant *lease = leases; lease; lease = lease->next) {
        uint16_t entry = sd_load_acquire(&lease->slab->port[s->rec.peer.port]);
        if (entry == SD_PORT_EMPTY || entry > SD_SLOTS)
            continue;
        if (is_offer_for(s, lease, entry - 1u, found))
            return true;
    }
    return false;
}

/* Swap OFFERED to ACCEPTED; the `server` machine is in TAKING. */
static bool take(struct sd_socket *s, const struct found *found)
{
    uint32_t word = found->word;
    uint32_t accepted = word - SD_OFFER_OFFERED + SD_OFFER_ACCEPTED;
    struct sd_slab *slab = found->lease->slab;
    s->rec.lease_id = found->lease->lease_id; /* before the swap: a slab is kept for its offers, or for who names it */
    if (!atomic_compare_exchange_strong(&slab->slot[found->slot].offer, &word, accepted)) {
        s->rec.lease_id = 0;
        return false;
    }
    uint16_t entry = (uint16_t)(found->slot + 1);
    atomic_compare_exchange_strong(&slab->port[s->rec.peer.port], &entry, SD_PORT_EMPTY);
    sd_attach_slot(s, slab, found->slot, 1);
    sd_record_bind_offer(s);
    s->offer = word;
    sd_move_if_drained(s);
    return true;
}

/* The client may sleep because it may not send more before the offer is accepted. */
static void tell_client(struct sd_socket *s)
{
    struct sd_attention *waits = &s->rx.dir->room_wait;
    uint32_t armed = sd_load(&waits->armed);
    if (armed)
        sd_attend(s, waits, armed, true);
}

/* --- the port's entry --- */

static void swap_entries(struct sd_socket *s, uint16_t from, uint16_t to)
{
    struct sd_grant *lease = s->accepted_from ? sd_leases_of(s->accepted_from, -1, false) : NULL;
    for (; lease; lease = lease->next) {
        _Atomic uint16_t *entry = &lease->slab->port[s->rec.peer.port];
        uint16_t seen = from;
        if (sd_load(entry) == from)
            atomic_compare_exchange_strong(entry, &seen, to);
    }
}

/* Feeds an event that may change the entry. Taking and declining are done by who feeds. */
static uint32_t feed(struct sd_socket *s, uint32_t event)
{
    uint32_t effects = sd_server_step(&s->server, event, 0);
    for (uint32_t todo = effects; todo && todo != SD_NO_ROW; todo >>= 8)
        switch (todo & 0xff) {
        case SD_SERVER_DO_MARK:
            swap_entries(s, SD_PORT_EMPTY, SD_PORT_PENDING);
            swap_entries(s, SD_PORT_DECLINED, SD_PORT_PENDING); /* it would decline this one */
            break;
        case SD_SERVER_DO_UNMARK: swap_entries(s, SD_PORT_PENDING, SD_PORT_EMPTY); break;
        default: break;
        }
    return effects;
}

/* One look; with both tokens or before anybody else knows the socket. True: settled, by ring or kernel. */
static bool look_once(struct sd_socket *s)
{
    struct found found;
    struct sd_grant *leases = s->accepted_from ? sd_leases_of(s->accepted_from, -1, false) : NULL;
    if (!find_offer(s, leases, &found)) {
        feed(s, SD_SERVER_EV_ABSENT);
        return false;
    }
    feed(s, SD_SERVER_EV_FOUND);
    bool won = take(s, &found);
    feed(s, won ? SD_SERVER_EV_SWAP_WON : SD_SERVER_EV_SWAP_LOST);
    if (won) {
        sd_store(&s->rec.transport, SD_TRANSPORT_SHM);
        sd_store(&s->rec.reason, SD_REASON_ACCELERATED);
        sd_store_release(&s->mode, SD_MODE_RING);
    } else {
        use_kernel(s, SD_REASON_OFFER_TIMEOUT);
        sd_store_release(&s->mode, SD_MODE_KERNEL);
    }
    return true;
}

static void drop_listener(struct sd_socket *s)
{
    if (s->accepted_from)
        sd_unpin(s->accepted_from);
    s->accepted_from = NULL;
}

static void settled(struct sd_socket *s)
{
    if (sd_load(&s->mode) == SD_MODE_RING)
        tell_client(s);
    sd_mode_announce(s);
}

void sd_pending_look(struct sd_socket *s)
{
    if (!sd_both_enter(s))
        return;
    bool done = sd_load(&s->mode) == SD_MODE_PENDING && look_once(s);
    if (done)
        drop_listener(s);
    sd_both_leave(s);
    if (done)
        settled(s);
}

/* Mark our client's port declined wherever it might still make its offer; false if it just did. */
static bool decline(struct sd_socket *s)
{
    swap_entries(s, SD_PORT_PENDING, SD_PORT_DECLINED);
    swap_entries(s, SD_PORT_EMPTY, SD_PORT_DECLINED);
    return !find_offer(s, sd_leases_of(s->accepted_from, -1, false), &(struct found){0});
}

void sd_pending_expire(struct sd_socket *s, enum sd_server_event why, enum sd_reason reason)
{
    if (!sd_both_enter(s))
        return;
    bool done = sd_load(&s->mode) == SD_MODE_PENDING;
    if (done) {
        uint32_t effects = feed(s, why);
        bool declined = true;
        if (effects == SD_SERVER_DO_DECLARE_DECLINED) {
            declined = !s->accepted_from || decline(s);
            feed(s, declined ? SD_SERVER_EV_DECLINE_WON : SD_SERVER_EV_DECLINE_LOST);
        }
        if (declined) {
            use_kernel(s, reason);
            sd_store_release(&s->mode, SD_MODE_KERNEL);
        } else {
            done = look_once(s);
        }
        if (done)
            drop_listener(s);
    }
    sd_both_leave(s);
    if (done)
        settled(s);
}

/* Whoever connects claims a slot before his SYN leaves, and it is his offer or free again before he does anything else. So
 * while the offer may still come, some slot is claimed, or holds it and is about to be entered. The kernel brought the SYN
 * here, so these loads see the claim. */
static bool may_come(const struct sd_socket *s, struct sd_grant *lease)
{
    struct found found;
    for (uint32_t slot = 0; slot < SD_SLOTS; slot++)
        if (sd_load(&lease->slab->slot[slot].offer) % SD_OFFER_STATES == SD_OFFER_CLAIMED ||
            is_offer_for(s, lease, slot, &found))
            return true;
    return false;
}

bool sd_pending_in_vain(struct sd_socket *s)
{
    if (!sd_both_enter(s))
        return false;
    bool vain = sd_load(&s->mode) == SD_MODE_PENDING && s->accepted_from;
    struct sd_grant *lease = vain ? sd_leases_of(s->accepted_from, -1, false) : NULL;
    for (; vain && lease; lease = lease->next)
        vain = !may_come(s, lease);
    sd_both_leave(s);
    return vain;
}

/* --- accepting --- */

void sd_pending_closed(struct sd_socket *s)
{
    if (sd_load(&s->mode) == SD_MODE_PENDING)
        feed(s, SD_SERVER_EV_CLOSE);
    drop_listener(s);
}

/* The client is on its way out of connect() and makes its offer at once, unless it has no processor: wait that long, so
 * that a server which turns to other things next does not leave the offer unseen. */
static bool look_briefly(struct sd_socket *s)
{
    uint64_t until_ns = sd_now_ns() + BRIEF_NS;
    for (uint32_t look = 1; !look_once(s); look++) {
        if (look % LOOKS_PER_YIELD)
            sd_cpu_pause();
        else if (sd_now_ns() < until_ns)
            sd_sys_yield();
        else
            return false;
    }
    return true;
}

static void accept_hinted(struct sd_socket *s, struct sd_socket *listener, int listen_fd)
{
    sd_leases_of(listener, listen_fd, true);
    sd_server_step(&s->server, SD_SERVER_EV_ACCEPT_HINTED, 0);
    s->accepted_from = listener;
    sd_pin(listener);
    s->deadline_ns = sd_now_ns() + SD_OFFER_TIMEOUT_NS;
    if (look_briefly(s)) {
        drop_listener(s);
        settled(s);
        return;
    }
    sd_store_release(&s->mode, SD_MODE_PENDING);
}

void sd_accepted(int listen_fd, int fd, int flags)
{
    struct sd_socket *listener = sd_socket_of(listen_fd);
    if (!listener)
        return;
    sd_control_look(); /* a monitor that is back must learn of the listener, or no client will ever send a hint */
    struct sd_socket *s = sd_new_socket(fd, listener->family);
    if (!s)
        return;
    sd_store(&s->nonblock, (flags & SOCK_NONBLOCK) != 0);
    sd_store(&s->rec.state, SD_SOCK_ESTABLISHED);
    sd_buffers_inherit(s, listener);
    s->rec.side = 1;
    sd_address_ends(fd, &s->rec.local, &s->rec.peer);
    sd_server_start(&s->server);
    if (listener->listener_id && hinted(s, fd)) {
        accept_hinted(s, listener, listen_fd);
    } else {
        sd_server_step(&s->server, SD_SERVER_EV_ACCEPT_PLAIN, 0);
        use_kernel(s, listener->listener_id ? SD_REASON_PEER_PLAIN : SD_REASON_NO_MONITOR);
    }
    sd_show_socket(fd, s);
    if (sd_load(&listener->stays))
        sd_move_to_kernel(fd, (enum sd_reason)sd_load(&listener->stays), true);
}

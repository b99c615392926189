/* Offers that are not taken up, or late. */
#include <string.h>
#include <unistd.h>

#include "cases.h"
#include "core/control.h"
#include "core/ring.h"

static uint8_t block[SD_RING_BYTES], got[SD_RING_BYTES];
static struct sd_grant lease; /* what a listener of these tests has */

struct sd_grant *__wrap_sd_leases_of(struct sd_socket *listener, int listen_fd, bool refresh);

struct sd_grant *__wrap_sd_leases_of(struct sd_socket *listener, int listen_fd, bool refresh)
{
    (void)listener, (void)listen_fd, (void)refresh;
    return &lease;
}

/* The client has offered its slot, the server does not know of it. */
static struct pair offered(void)
{
    struct pair pair = make_pair();
    struct sd_socket *c = sd_socket_of(pair.client);
    sd_attach_slot(c, c->slab, c->rec.slot, 0);
    sd_client_start(&c->client);
    sd_client_step(&c->client, SD_CLIENT_EV_CONNECT_LEASED, 0);
    sd_client_step(&c->client, SD_CLIENT_EV_KERNEL_OPEN, 0);
    c->offer = 8 * SD_OFFER_STATES + SD_OFFER_OFFERED;
    c->deadline_ns = sd_now_ns() + 1000ull * MS;
    sd_store(&c->slot->offer, c->offer);
    sd_store_release(&c->mode, SD_MODE_OFFERED);
    use_kernel(pair.server);
    return pair;
}

static long receive_all(int fd, size_t n)
{
    long sum = 0;
    while ((size_t)sum < n) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (sd_sys_ppoll(&p, 1, &(struct timespec){.tv_sec = 3}, NULL) != 1)
            break;
        sum += sd_sys_recvfrom(fd, got + sum, n - (size_t)sum, 0, NULL, NULL);
    }
    return sum;
}

static void receive_later(int fd)
{
    CHECK_EQUAL(receive_all(fd, SD_RING_BYTES), SD_RING_BYTES);
    check_stream(got, 0, SD_RING_BYTES);
}

/* TCP takes no more; as with small buffers, which only a listener could give its connections. Returns what it took. */
static size_t fill_tcp(int fd)
{
    size_t sum = 0;
    for (int full = 0; full < 20;) { /* the buffers grow for a while */
        long r = sd_sys_sendto(fd, got, sizeof got, MSG_DONTWAIT, NULL, 0);
        sum += r > 0 ? (size_t)r : 0;
        full = r > 0 ? 0 : full + 1;
        if (r <= 0)
            nap(2ull * MS);
    }
    return sum;
}

static size_t before_offer;

static void skip_and_receive(int fd)
{
    for (size_t left = before_offer; left;) {
        long r = sd_sys_recvfrom(fd, got, sd_min_u64(left, sizeof got), 0, NULL, NULL);
        if (r == -EAGAIN)
            nap(MS);
        left -= r > 0 ? (size_t)r : 0;
    }
    receive_later(fd);
}

/* A poll gives the offer up; it must not wait for a server that does not read. */
static void what_is_withdrawn_need_not_fit_into_tcp(void)
{
    struct pair pair = offered();
    struct sd_socket *c = sd_socket_of(pair.client);
    struct sd_slot *slot = c->slot;
    struct later l;
    before_offer = fill_tcp(pair.client);
    fill_stream(block, 0, sizeof block);
    CHECK_EQUAL(sd_send(pair.client, block, sizeof block, 0), sizeof block);
    uint64_t before_ns = sd_now_ns();
    sd_offer_withdraw(c, pair.client, SD_CLIENT_EV_LEAVE, SD_REASON_MOVED_OPTION);
    CHECK(sd_now_ns() - before_ns < 1000ull * MS);
    char byte;
    CHECK_EQUAL(sd_recv(pair.client, &byte, 1, 0), SD_PASS); /* the answer, too, comes over the companion */
    later(&l, 0, skip_and_receive, pair.server);
    while (sd_load(&c->mode) == SD_MODE_RING) {
        sd_look_at_companion(c, pair.client);
        nap(MS);
    }
    join(&l);
    CHECK_EQUAL(sd_load(&c->rec.transport), SD_TRANSPORT_TCP);
    CHECK_EQUAL(sd_load(&slot->offer) % SD_OFFER_STATES, SD_OFFER_FREE);
    CHECK_EQUAL(sd_load(&slot->done), 0);
}

static void what_is_withdrawn_goes_first(void)
{
    struct pair pair = offered();
    struct sd_socket *c = sd_socket_of(pair.client);
    put(pair.client, "abc");
    CHECK_EQUAL(sd_shutdown(pair.client, SHUT_WR), 0);
    sd_offer_withdraw(c, pair.client, SD_CLIENT_EV_LEAVE, SD_REASON_MOVED_OPTION);
    CHECK_EQUAL(sd_load(&c->mode), SD_MODE_KERNEL);
    CHECK_EQUAL(receive_all(pair.server, 3), 3);
    CHECK_EQUAL(sd_sys_recvfrom(pair.server, got, 1, 0, NULL, NULL), 0);
}

/* --- the server waits for the offer --- */

static struct sd_slab *offers;

static void enter_offer(int slot)
{
    sd_store_release(&offers->port[1000], (uint16_t)(slot + 1));
}

static void a_server_that_sends_a_file_first_waits_for_the_offer(void)
{
    struct pair pair = offered();
    struct sd_socket *c = sd_socket_of(pair.client), *s = sd_socket_of(pair.server);
    struct later l;
    int file = (int)sd_sys_memfd_create("file", 0);
    CHECK_EQUAL(sd_sys_write(file, "abcdef", 6), 6);
    offers = lease.slab = c->slab;
    c->slot->local.port = s->rec.peer.port = 1000;
    memset(&s->rec.local, 0, sizeof s->rec.local);
    sd_server_start(&s->server);
    sd_server_step(&s->server, SD_SERVER_EV_ACCEPT_HINTED, 0);
    s->accepted_from = c; /* any object */
    sd_pin(c);
    s->deadline_ns = sd_now_ns() + 3000ull * MS;
    sd_store_release(&s->mode, SD_MODE_PENDING);
    blocking(pair.server, true);
    later(&l, 100ull * MS, enter_offer, (int)c->rec.slot);
    CHECK_EQUAL(sd_sendfile(pair.server, file, &(off_t){0}, 6), 6);
    join(&l);
    CHECK_EQUAL(sd_load(&s->mode), SD_MODE_RING);
    CHECK_EQUAL(sd_recv(pair.client, got, 6, 0), 6);
}

static struct sd_socket *pending(int fd, struct sd_socket *listener)
{
    struct sd_socket *s = sd_socket_of(fd);
    s->rec.peer.port = 1000;
    memset(&s->rec.local, 0, sizeof s->rec.local);
    sd_server_start(&s->server);
    sd_server_step(&s->server, SD_SERVER_EV_ACCEPT_HINTED, 0);
    s->accepted_from = listener;
    sd_pin(listener);
    s->deadline_ns = sd_now_ns() + 3000ull * MS;
    sd_store_release(&s->mode, SD_MODE_PENDING);
    return s;
}

static uint16_t entry(void)
{
    return sd_load(&offers->port[1000]);
}

/* However a server ends that has said that it looks for an offer, it takes that back: the next connection of this port is
 * another one. */
static void a_mark_ends_with_who_looks(void)
{
    struct pair pair = offered();
    struct sd_socket *c = sd_socket_of(pair.client);
    offers = lease.slab = c->slab;
    struct sd_socket *s = pending(pair.server, c);
    sd_pending_look(s);
    CHECK_EQUAL(entry(), SD_PORT_PENDING);
    sd_pending_expire(s, SD_SERVER_EV_EXPIRED, SD_REASON_OFFER_TIMEOUT);
    CHECK_EQUAL(entry(), SD_PORT_DECLINED);
    s = pending(pair.server, c);
    sd_pending_look(s);
    CHECK_EQUAL(entry(), SD_PORT_PENDING); /* what is left of the one before does not decline this one */
    sd_closing(pair.server);
    CHECK_EQUAL(entry(), SD_PORT_EMPTY);
}

static void an_offer_may_come_while_a_slot_is_claimed_or_holds_it(void)
{
    struct pair pair = offered();
    struct sd_socket *c = sd_socket_of(pair.client);
    offers = lease.slab = c->slab;
    struct sd_socket *s = pending(pair.server, c);
    CHECK(sd_pending_in_vain(s)); /* the slot that is offered has other addresses */
    sd_store(&offers->slot[SD_SLOTS - 1].offer, SD_OFFER_CLAIMED);
    CHECK(!sd_pending_in_vain(s));
    sd_store(&offers->slot[SD_SLOTS - 1].offer, SD_OFFER_FREE);
    CHECK(sd_pending_in_vain(s));
    c->slot->local.port = 1000; /* but is not entered yet */
    CHECK(!sd_pending_in_vain(s));
}

/* The server has accepted, looks into this slab, and is busy with other things now. */
static void an_offer_that_is_looked_for_waits_long(void)
{
    struct pair pair = offered();
    struct sd_socket *c = sd_socket_of(pair.client);
    sd_client_step(&c->client, SD_CLIENT_EV_AWAITED, 0);
    put(pair.client, "abc");
    for (int second = 0; second < 3; second++) {
        sd_store(&c->unqueued_ns, SD_OFFER_TIMEOUT_NS);
        c->deadline_ns = 0;
        CHECK(sd_look_at_companion(c, pair.client) != UINT64_MAX);
        CHECK_EQUAL(sd_load(&c->mode), SD_MODE_OFFERED);
        CHECK_EQUAL(sd_load(&c->unqueued_ns), 0);
    }
    sd_store(&c->slot->offer, c->offer - SD_OFFER_OFFERED + SD_OFFER_ACCEPTED);
    sd_look_at_companion(c, pair.client);
    CHECK_EQUAL(sd_load(&c->mode), SD_MODE_RING);
}

static void close_fd(int fd)
{
    sd_sys_close(fd);
}

/* The peer was killed with all read; a file that is larger than the ring follows. */
static void a_file_for_nobody_ends(void)
{
    struct pair pair = make_pair();
    struct later l;
    int file = (int)sd_sys_memfd_create("file", 0);
    CHECK_EQUAL(sd_sys_ftruncate(file, 2 * SD_RING_BYTES), 0);
    later(&l, 0, close_fd, pair.server); /* nothing is said in the ring */
    join(&l);
    sd_look_at_companion(sd_socket_of(pair.client), pair.client);
    blocking(pair.client, true);
    off_t offset = 0;
    long r = sd_sendfile(pair.client, file, &offset, 2 * SD_RING_BYTES);
    CHECK(r == -EPIPE || r == -ECONNRESET || (r > 0 && r < SD_RING_BYTES));
}

const struct test offer_tests[] = {
    {"what_is_withdrawn_need_not_fit_into_tcp", what_is_withdrawn_need_not_fit_into_tcp},
    {"what_is_withdrawn_goes_first", what_is_withdrawn_goes_first},
    {"a_server_that_sends_a_file_first_waits_for_the_offer", a_server_that_sends_a_file_first_waits_for_the_offer},
    {"a_mark_ends_with_who_looks", a_mark_ends_with_who_looks},
    {"an_offer_may_come_while_a_slot_is_claimed_or_holds_it", an_offer_may_come_while_a_slot_is_claimed_or_holds_it},
    {"an_offer_that_is_looked_for_waits_long", an_offer_that_is_looked_for_waits_long},
    {"a_file_for_nobody_ends", a_file_for_nobody_ends},
    {0},
};

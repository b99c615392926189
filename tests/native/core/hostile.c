/* A peer that writes garbage into shared memory costs itself the connection, nobody else anything. */
#include <string.h>

#include "cases.h"

/* Memory right behind a ring that nobody may read as its bytes: the next ring, filled with a mark. */
static void a_tail_that_goes_back_and_forth_gives_no_bytes(void)
{
    static uint8_t got[8 * SD_RING_BYTES];
    struct pair pair = make_pair();
    struct sd_socket *s = sd_socket_of(pair.server);
    struct sd_direction *in = s->rx.dir;
    sd_store(&in->p.tail, SD_RING_BYTES);
    CHECK_EQUAL(sd_recv(pair.server, got, 1, 0), 1);
    for (int i = 0; i < 7; i++) { /* each time half a ring more than there is */
        sd_store(&in->p.tail, SD_RING_BYTES / 2);
        sd_recv(pair.server, got, SD_RING_BYTES, MSG_PEEK);
        sd_store(&in->p.tail, SD_RING_BYTES);
        sd_recv(pair.server, got, 1, 0);
    }
    long sum = 0, r;
    while ((r = sd_recv(pair.server, got, sizeof got, 0)) > 0)
        sum += r;
    CHECK(sum <= SD_RING_BYTES);
}

static void raise_own_head(int fd)
{
    struct sd_socket *s = sd_socket_of(fd);
    sd_store(&s->rx.dir->c.head, 12345); /* our own word, but it lies where the peer can write */
}

static void put_after_a_while(int fd)
{
    nap(400ull * MS);
    put_x(fd);
}

/* Nothing is there to read; a head that the peer forged must not make us believe that there is. */
static void a_forged_head_does_not_keep_a_reader_busy(void)
{
    struct pair pair = make_pair();
    struct later l;
    char byte;
    blocking(pair.server, true);
    raise_own_head(pair.server);
    CHECK_EQUAL(sd_readiness(sd_socket_of(pair.server)) & POLLIN, 0);
    later(&l, 0, put_after_a_while, pair.client);
    long before = processor_ms();
    CHECK_EQUAL(sd_recv(pair.server, &byte, 1, 0), 1);
    CHECK(processor_ms() - before < 200);
    join(&l);
}

static void a_forged_tail_does_not_keep_a_writer_busy(void)
{
    struct pair pair = make_pair();
    struct sd_socket *s = sd_socket_of(pair.client);
    fill(pair.client);
    sd_store(&s->tx.dir->p.tail, 0);
    CHECK_EQUAL(sd_readiness(s) & POLLOUT, 0);
}

/* --- one thing said, and taken back or contradicted --- */

static void end_of_stream_after_a_while(int fd)
{
    nap(400ull * MS);
    sd_store(&sd_socket_of(fd)->rx.dir->p.flags, SD_TX_FIN);
}

static long processor_ms_of(void (*act)(int fd), int fd)
{
    long before = processor_ms();
    act(fd);
    return processor_ms() - before;
}

static void peek_at_all(int fd)
{
    char bytes[100];
    sd_recv(fd, bytes, sizeof bytes, MSG_PEEK | MSG_WAITALL);
}

/* Bytes that were there, and are taken back: a look for more finds neither them nor others. */
static void a_tail_that_goes_back_does_not_keep_a_look_busy(void)
{
    struct pair pair = make_pair();
    struct sd_socket *s = sd_socket_of(pair.server);
    struct later l;
    char byte;
    blocking(pair.server, true);
    put(pair.client, "abcdef");
    CHECK_EQUAL(sd_recv(pair.server, &byte, 1, MSG_PEEK), 1);
    sd_store(&s->rx.dir->p.tail, 3);
    later(&l, 0, end_of_stream_after_a_while, pair.server);
    CHECK(processor_ms_of(peek_at_all, pair.server) < 200);
    join(&l);
}

static void receive_one(int fd)
{
    char byte;
    sd_recv(fd, &byte, 1, 0);
}

/* A reset is a reset, also when the peer takes the flag away and the program has heard of it by another call. */
static void a_reset_that_is_taken_back_does_not_keep_a_reader_busy(void)
{
    struct pair pair = make_pair();
    struct sd_socket *s = sd_socket_of(pair.server);
    struct later l;
    blocking(pair.server, true);
    sd_store(&s->rx.dir->p.flags, SD_TX_RESET);
    CHECK(sd_readiness(s) & POLLERR);
    sd_store(&s->rx.dir->p.flags, 0);
    CHECK_EQUAL(sd_take_error(pair.server), ECONNRESET);
    later(&l, 0, end_of_stream_after_a_while, pair.server);
    CHECK(processor_ms_of(receive_one, pair.server) < 200);
    join(&l);
}

/* A peer that says it has closed, and breaks the protocol: each look must not be news again. */
static void a_breach_after_a_close_is_settled_once(void)
{
    struct pair pair = make_pair();
    struct sd_socket *s = sd_socket_of(pair.server);
    char byte;
    sd_store(&s->rx.dir->p.tail, ~0ull);
    sd_store(&s->rx.dir->p.flags, SD_TX_CLOSED);
    CHECK(sd_recv(pair.server, &byte, 1, 0) <= 0);
    CHECK_EQUAL(s->teardown.state, SD_TEARDOWN_RESET);
}

/* A flag that means nothing does not hide that the peer has died. */
static void close_after_a_while(int fd)
{
    nap(200ull * MS);
    sd_sys_close(fd);
}

static void an_unknown_flag_does_not_hide_the_end(void)
{
    struct pair pair = make_pair();
    struct sd_socket *s = sd_socket_of(pair.server);
    struct later l;
    char byte;
    blocking(pair.server, true);
    atomic_fetch_or(&s->tx.dir->data_wait.armed, SD_ARM_MOVE);
    CHECK(sd_readiness(s) & POLLOUT); /* our direction moves */
    sd_store(&s->rx.dir->p.flags, 0x80);
    later(&l, 0, close_after_a_while, pair.client);
    CHECK(sd_recv(pair.server, &byte, 1, 0) <= 0);
    join(&l);
}

/* --- garbage --- */

struct attack {
    _Atomic bool over;
    struct sd_slot *slot;
    struct sd_slab *slab;
};

static void hit(struct attack *a)
{
    static const uint64_t bad[] = {0,          1,          2,    4, 8, 0x100, SD_RING_BYTES, SD_RING_BYTES + 1,
                                   1ull << 32, 1ull << 63, ~0ull};
    uint64_t value = random_below(2) ? bad[random_below(SD_ARRAY_LENGTH(bad))] : random_below(UINT32_MAX);
    struct sd_direction *d = &a->slot->dir[random_below(2)];
    struct sd_attention *wait = random_below(2) ? &d->data_wait : &d->room_wait;
    switch (random_below(11)) {
    case 0: sd_store(&d->p.tail, value); break;
    case 1: sd_store(&d->p.tail, sd_load(&d->p.tail) + value % 65536); break;
    case 2: sd_store(&d->p.base, value); break;
    case 3: sd_store(&d->p.flags, (uint32_t)value & ~(uint32_t)random_below(16)); break;
    case 4: sd_store(&d->c.head, value); break;
    case 5: sd_store(&d->c.flags, (uint32_t)value); break;
    case 6: sd_store(&wait->armed, (uint32_t)value); break;
    case 7: sd_store(&wait->watch, value); break;
    case 8: sd_store(&wait->sleepers[random_below(SD_SLEEPERS)], (uint32_t)value); break;
    case 9: sd_store(&a->slot->done, (uint32_t)value); break;
    default: sd_store(&a->slot->offer, (uint32_t)value); break;
    }
}

static void *attacker(void *argument)
{
    struct attack *a = argument;
    while (!sd_load(&a->over)) {
        hit(a);
        if (random_below(64) == 0)
            nap(20000);
    }
    return NULL;
}

static void use_somehow(int fd)
{
    static uint8_t block[65536];
    size_t n = random_below(sizeof block);
    switch (random_below(7)) {
    case 0: sd_send(fd, block, n, MSG_NOSIGNAL); break;
    case 1: sd_recv(fd, block, n, 0); break;
    case 2: sd_recv(fd, block, n, MSG_PEEK); break;
    case 3:
        sd_ppoll(&(struct pollfd){.fd = fd, .events = POLLIN | POLLOUT}, 1, &(struct timespec){.tv_nsec = MS}, NULL);
        break;
    case 4: sd_unread_bytes(fd); break;
    case 5: sd_unsent_bytes(fd); break;
    default: sd_take_error(fd); break;
    }
}

static void one_attack(unsigned round)
{
    struct pair pair = make_pair();
    struct sd_socket *s = sd_socket_of(pair.server);
    struct attack a = {.slot = s->slot, .slab = s->slab};
    pthread_t thread;
    int epfd = make_set();
    add(epfd, pair.server, EPOLLIN | EPOLLOUT | (round % 2 ? EPOLLET : 0));
    CHECK_EQUAL(pthread_create(&thread, NULL, attacker, &a), 0);
    for (int i = 0; i < 200; i++) {
        use_somehow(pair.server);
        if (i % 16 == 0)
            wait_for(epfd, 8, 0);
    }
    close_end(pair.server);
    sd_store(&a.over, true);
    pthread_join(thread, NULL);
    close_end(pair.client);
    close_end(epfd);
}

/* The neighbour in the same slab is another connection of the same two parties. */
static void garbage_costs_one_connection_only(void)
{
    struct pair neighbour = make_pair();
    uint64_t until_ns = sd_now_ns() + 2500ull * MS;
    for (unsigned round = 0; sd_now_ns() < until_ns && round < 200; round++) {
        one_attack(round);
        put(neighbour.client, "a");
        CHECK_EQUAL(take(neighbour.server), 1);
    }
}

const struct test hostile_tests[] = {
    {"a_tail_that_goes_back_and_forth_gives_no_bytes", a_tail_that_goes_back_and_forth_gives_no_bytes},
    {"a_forged_head_does_not_keep_a_reader_busy", a_forged_head_does_not_keep_a_reader_busy},
    {"a_forged_tail_does_not_keep_a_writer_busy", a_forged_tail_does_not_keep_a_writer_busy},
    {"a_tail_that_goes_back_does_not_keep_a_look_busy", a_tail_that_goes_back_does_not_keep_a_look_busy},
    {"a_reset_that_is_taken_back_does_not_keep_a_reader_busy", a_reset_that_is_taken_back_does_not_keep_a_reader_busy},
    {"a_breach_after_a_close_is_settled_once", a_breach_after_a_close_is_settled_once},
    {"an_unknown_flag_does_not_hide_the_end", an_unknown_flag_does_not_hide_the_end},
    {"garbage_costs_one_connection_only", garbage_costs_one_connection_only},
    {0},
};

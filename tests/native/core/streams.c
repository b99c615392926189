/* Every byte arrives once and in order, whatever the sizes and the pieces. */
#include <string.h>

#include "cases.h"

enum { PIECE = 200000, PARTS = 5 };

static uint8_t from[PIECE], to[PIECE];

/* n bytes of memory in PARTS pieces, some of them empty. */
static size_t cut(struct iovec *iov, uint8_t *memory, size_t n)
{
    for (size_t i = 0; i < PARTS; i++) {
        size_t some = i == PARTS - 1 ? n : random_below(3) ? random_below((uint32_t)n + 1) : 0;
        iov[i] = (struct iovec){memory, some};
        memory += some;
        n -= some;
    }
    return PARTS;
}

static size_t some_size(void)
{
    return 1 + random_below(random_below(4) ? 300 : PIECE - 1);
}

static uint64_t send_some(int fd, uint64_t sent)
{
    struct iovec iov[PARTS];
    size_t n = some_size();
    fill_stream(from, sent, n);
    long r = sd_sendv(fd, iov, cut(iov, from, n), 0);
    CHECK(r == -EAGAIN || (r > 0 && (size_t)r <= n));
    return r > 0 ? (uint64_t)r : 0;
}

static uint64_t receive_some(int fd, uint64_t received, uint64_t sent)
{
    struct iovec iov[PARTS];
    size_t n = some_size();
    int flags = random_below(8) ? 0 : random_below(2) ? MSG_PEEK : MSG_TRUNC;
    long r = sd_recvv(fd, iov, cut(iov, to, n), flags, NULL);
    if (r == -EAGAIN)
        CHECK_EQUAL(received, sent);
    else
        CHECK_EQUAL(r, sd_min_u64(n, sent - received));
    if (r > 0 && !(flags & MSG_TRUNC))
        check_stream(to, received, (size_t)r);
    return r > 0 && !(flags & MSG_PEEK) ? (uint64_t)r : 0;
}

/* What a kernel's receive buffer would not have held. */
static uint64_t beyond_the_peers_buffer(uint64_t unread)
{
    return unread > SD_RECEIVE_BUFFER_BYTES ? unread - SD_RECEIVE_BUFFER_BYTES : 0;
}

static void bytes_arrive_once_and_in_order(void)
{
    struct pair pair = make_pair();
    uint64_t sent = 0, received = 0;
    for (int i = 0; i < 3000; i++) {
        if (random_below(2))
            sent += send_some(pair.client, sent);
        else
            received += receive_some(pair.server, received, sent);
        CHECK_EQUAL(sd_unread_bytes(pair.server), sent - received);
        CHECK_EQUAL(sd_unsent_bytes(pair.client), beyond_the_peers_buffer(sent - received));
        CHECK_EQUAL((sd_readiness(sd_socket_of(pair.server)) & POLLIN) != 0, sent != received);
    }
    CHECK(sent > 2 * SD_RING_BYTES);
}

struct flow {
    int fd;
    uint64_t bytes;
};

static void *send_flow(void *argument)
{
    struct flow *f = argument;
    static __thread uint8_t piece[PIECE];
    for (uint64_t at = 0; at < f->bytes;) {
        size_t n = sd_min_u64(some_size(), f->bytes - at);
        fill_stream(piece, at, n);
        CHECK_EQUAL(sd_send(f->fd, piece, n, 0), n); /* blocking: all of it */
        at += n;
    }
    return NULL;
}

static void *receive_flow(void *argument)
{
    struct flow *f = argument;
    static __thread uint8_t piece[PIECE];
    for (uint64_t at = 0; at < f->bytes;) {
        size_t n = sd_min_u64(some_size(), f->bytes - at);
        long r = sd_recv(f->fd, piece, n, random_below(4) ? 0 : MSG_WAITALL);
        CHECK(r > 0);
        check_stream(piece, at, (size_t)r);
        at += (uint64_t)r;
    }
    return NULL;
}

static void flows_block_and_wake_in_both_directions(void)
{
    struct pair pair = make_pair();
    pthread_t thread[4];
    struct flow flow[2] = {{pair.client, 8000000}, {pair.server, 8000000}};
    blocking(pair.client, true);
    blocking(pair.server, true);
    for (int i = 0; i < 2; i++) {
        CHECK_EQUAL(pthread_create(&thread[i], NULL, send_flow, &flow[i]), 0);
        CHECK_EQUAL(pthread_create(&thread[2 + i], NULL, receive_flow, &flow[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        CHECK_EQUAL(pthread_join(thread[i], NULL), 0);
}

/* Positions are 64 bit and never wrap at 32. */
static void positions_go_beyond_32_bits(void)
{
    struct pair pair = make_pair();
    struct sd_socket *c = sd_socket_of(pair.client), *s = sd_socket_of(pair.server);
    uint64_t at = (1ull << 32) - 1000;
    c->tx.tail = c->tx.head_seen = s->rx.head = s->rx.tail_seen = at;
    sd_store(&c->tx.dir->p.tail, at);
    sd_store(&s->rx.dir->c.head, at);
    fill_stream(from, 0, PIECE);
    send_all(pair.client, from, PIECE);
    CHECK_EQUAL(sd_unread_bytes(pair.server), PIECE);
    CHECK_EQUAL(sd_recv(pair.server, to, PIECE, 0), PIECE);
    check_stream(to, 0, PIECE);
    CHECK_EQUAL(sd_recv(pair.server, to, PIECE, 0), -EAGAIN);
}

static void nothing_is_asked_and_nothing_happens(void)
{
    struct pair pair = make_pair();
    CHECK_EQUAL(sd_send(pair.client, NULL, 0, 0), 0);
    CHECK_EQUAL(sd_sendv(pair.client, NULL, 0, 0), 0);
    CHECK_EQUAL(sd_recv(pair.server, NULL, 0, 0), -EAGAIN); /* as Linux answers */
    CHECK_EQUAL(sd_recvv(pair.server, NULL, 0, 0, NULL), -EAGAIN);
    fill(pair.client);
    CHECK_EQUAL(sd_send(pair.client, NULL, 0, 0), 0);
    struct iovec huge[2] = {{from, SIZE_MAX / 2}, {from, SIZE_MAX / 2}};
    CHECK_EQUAL(sd_sendv(pair.client, huge, 2, 0), -EINVAL);
}

/* As on Linux, MSG_TRUNC copies nothing, so there need be no memory. */
static void a_truncating_look_copies_nothing(void)
{
    struct pair pair = make_pair();
    put(pair.client, "abc");
    CHECK_EQUAL(sd_recv(pair.server, NULL, 100, MSG_PEEK | MSG_TRUNC), 3);
    CHECK_EQUAL(sd_recv(pair.server, NULL, 2, MSG_TRUNC), 2);
    CHECK_EQUAL(sd_recv(pair.server, to, 100, 0), 1);
    CHECK_EQUAL(to[0], 'c');
}

static void three_more(int fd)
{
    put(fd, "def");
}

static void a_look_waits_for_all_of_it(void)
{
    struct pair pair = make_pair();
    struct later l;
    blocking(pair.server, true);
    put(pair.client, "abc");
    later(&l, 100ull * MS, three_more, pair.client);
    CHECK_EQUAL(sd_recv(pair.server, to, 6, MSG_PEEK | MSG_WAITALL), 6);
    join(&l);
    CHECK(memcmp(to, "abcdef", 6) == 0);
    CHECK_EQUAL(sd_recv(pair.server, to, 9, 0), 6);
}

static void drip(int fd)
{
    for (int i = 0; i < 20; i++) {
        put(fd, "x");
        nap(50ull * MS);
    }
}

/* SO_RCVTIMEO limits the call, not each wait in it. */
static void a_time_limit_is_for_the_whole_call(void)
{
    struct pair pair = make_pair();
    struct later l;
    struct timeval limit = {.tv_usec = 200000};
    sd_sys_setsockopt(pair.server, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    blocking(pair.server, true);
    later(&l, 0, drip, pair.client);
    uint64_t before_ns = sd_now_ns();
    long r = sd_recv(pair.server, to, 20, MSG_WAITALL);
    CHECK(r > 0 && r < 20);
    CHECK(sd_now_ns() - before_ns < 600ull * MS);
    join(&l);
}

static void a_time_limit_beyond_all_time_is_none(void)
{
    struct pair pair = make_pair();
    struct later l;
    struct timeval limit = {.tv_sec = 18446744073}; /* in nanoseconds, just beyond 64 bits */
    sd_sys_setsockopt(pair.server, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    blocking(pair.server, true);
    later(&l, 300ull * MS, put_x, pair.client);
    CHECK_EQUAL(sd_recv(pair.server, to, 20, 0), 1);
    join(&l);
}

/* Room is known from the peer's head, in a line that the peer writes at each receive: who polls for bytes leaves it. */
static void who_asks_for_bytes_is_told_nothing_of_room(void)
{
    struct pair pair = make_pair();
    struct sd_socket *s = sd_socket_of(pair.client);
    CHECK_EQUAL(sd_readiness(s), POLLOUT);
    CHECK_EQUAL(sd_readiness_of(s, POLLIN), 0);
    CHECK_EQUAL(sd_send(pair.server, "a", 1, 0), 1);
    CHECK_EQUAL(sd_readiness_of(s, POLLIN), POLLIN);
}

const struct test stream_tests[] = {
    {"bytes_arrive_once_and_in_order", bytes_arrive_once_and_in_order},
    {"who_asks_for_bytes_is_told_nothing_of_room", who_asks_for_bytes_is_told_nothing_of_room},
    {"flows_block_and_wake_in_both_directions", flows_block_and_wake_in_both_directions},
    {"positions_go_beyond_32_bits", positions_go_beyond_32_bits},
    {"nothing_is_asked_and_nothing_happens", nothing_is_asked_and_nothing_happens},
    {"a_truncating_look_copies_nothing", a_truncating_look_copies_nothing},
    {"a_look_waits_for_all_of_it", a_look_waits_for_all_of_it},
    {"a_time_limit_is_for_the_whole_call", a_time_limit_is_for_the_whole_call},
    {"a_time_limit_beyond_all_time_is_none", a_time_limit_beyond_all_time_is_none},
    {0},
};

/* A connection that goes over to its companion loses no byte and no end, whatever happens on the way. */
#include <string.h>
#include <unistd.h>

#include "cases.h"
#include "core/move.h"

enum { MANY = SD_RING_BYTES };

static uint8_t block[MANY], got[MANY];

/* An end whose process begins another program: it reads and writes by the kernel alone. */
static void leave(int fd)
{
    CHECK_EQUAL(sd_move_to_kernel(fd, SD_REASON_MOVED_EXEC, true), 0);
}

static void small_buffers(struct pair pair)
{
    int bytes = 40000;
    CHECK_EQUAL(sd_sys_setsockopt(pair.client, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes), 0);
    CHECK_EQUAL(sd_sys_setsockopt(pair.server, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes), 0);
}

/* What an exec'd program does: by the kernel, until the end of the stream. */
static long read_all_by_kernel(int fd)
{
    long sum = 0;
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (sd_sys_ppoll(&p, 1, &(struct timespec){.tv_sec = 2}, NULL) != 1)
            return sum;
        long r = sd_sys_recvfrom(fd, got, sizeof got, 0, NULL, NULL);
        if (r <= 0)
            return sum;
        check_stream(got, (uint64_t)sum, (size_t)r);
        sum += r;
    }
}

static _Atomic long arrived;

static void read_all_later(int fd)
{
    sd_store(&arrived, read_all_by_kernel(fd));
}

static void answer_by_kernel(int fd)
{
    uint8_t request[8];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    CHECK_EQUAL(sd_sys_ppoll(&p, 1, &(struct timespec){.tv_sec = 5}, NULL), 1);
    CHECK_EQUAL(sd_sys_recvfrom(fd, request, sizeof request, 0, NULL, NULL), 7);
    CHECK_EQUAL(sd_sys_sendto(fd, "answer", 6, 0, NULL, 0), 6);
}

/* The request lies in the ring when the server becomes another program; only then does the client read. */
static void a_reader_first_sends_again_what_was_abandoned(void)
{
    struct pair pair = make_pair();
    struct later l;
    blocking(pair.client, true);
    put(pair.client, "request");
    leave(pair.server);
    later(&l, 0, answer_by_kernel, pair.server);
    CHECK_EQUAL(receive(pair.client, got, sizeof got, 0), 6);
    join(&l);
}

static void answer_after_all(int fd)
{
    long sum = 0;
    while (sum < MANY / 2) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (sd_sys_ppoll(&p, 1, &(struct timespec){.tv_sec = 5}, NULL) != 1)
            break;
        sum += sd_sys_recvfrom(fd, block, sizeof block, 0, NULL, NULL);
    }
    CHECK_EQUAL(sum, MANY / 2);
    CHECK_EQUAL(sd_sys_sendto(fd, "answer", 6, 0, NULL, 0), 6);
}

/* More than TCP takes at once: a reader that blocks in the kernel would never send the rest. */
static void a_reader_goes_on_sending_again(void)
{
    struct pair pair = make_pair();
    struct later l;
    small_buffers(pair);
    fill_stream(block, 0, MANY / 2);
    send_all(pair.client, block, MANY / 2);
    blocking(pair.client, true);
    leave(pair.server);
    later(&l, 0, answer_after_all, pair.server);
    CHECK_EQUAL(receive(pair.client, got, 6, 0), 6);
    join(&l);
}

/* The client has bytes to send again, and TCP takes only some of them now. */
static struct pair half_sent_again(void)
{
    struct pair pair = make_pair();
    small_buffers(pair);
    fill_stream(block, 0, MANY / 2);
    send_all(pair.client, block, MANY / 2);
    leave(pair.server);
    sd_readiness(sd_socket_of(pair.client));
    CHECK(sd_move_resends(sd_socket_of(pair.client)));
    return pair;
}

static void shutdown_waits_for_what_is_sent_again(void)
{
    struct pair pair = half_sent_again();
    struct later l;
    long r = sd_shutdown(pair.client, SHUT_WR);
    if (r == SD_PASS)
        r = sd_sys_shutdown(pair.client, SHUT_WR);
    CHECK_EQUAL(r, 0);
    later(&l, 0, read_all_later, pair.server);
    while (sd_move_resends(sd_socket_of(pair.client))) {
        sd_look_at_companion(sd_socket_of(pair.client), pair.client);
        nap(MS);
    }
    join(&l);
    CHECK_EQUAL(sd_load(&arrived), MANY / 2);
}

/* As long as TCP takes it at once: a close does not wait for who reads slowly. */
static void close_first_sends_again(void)
{
    struct pair pair = make_pair();
    fill_stream(block, 0, MANY / 2);
    send_all(pair.client, block, MANY / 2);
    leave(pair.server);
    close_end(pair.client);
    CHECK_EQUAL(read_all_by_kernel(pair.server), MANY / 2);
}

static void close_does_not_wait_for_ever(void)
{
    struct pair pair = half_sent_again();
    uint64_t before_ns = sd_now_ns();
    close_end(pair.client); /* nobody reads */
    CHECK(sd_now_ns() - before_ns < 3000ull * MS);
}

static void sendfile_waits_for_what_is_sent_again(void)
{
    struct pair pair = half_sent_again();
    int file = (int)sd_sys_memfd_create("file", 0);
    fill_stream(got, MANY / 2, 10000);
    CHECK_EQUAL(sd_sys_write(file, got, 10000), 10000);
    off_t offset = 0;
    CHECK_EQUAL(sd_sendfile(pair.client, file, &offset, 10000), -EAGAIN);
    CHECK_EQUAL(offset, 0);
}

/* The server's program asked for something that only the kernel can do; the client has not looked yet. */
static void half_moved_a_reader_sleeps(void)
{
    struct pair pair = make_pair();
    struct later l;
    uint8_t byte;
    CHECK_EQUAL(sd_move_to_kernel(pair.server, SD_REASON_MOVED_OPTION, false), 0);
    blocking(pair.server, true);
    later(&l, 500ull * MS, put_x, pair.client);
    long before = processor_ms();
    CHECK_EQUAL(receive(pair.server, &byte, 1, 0), 1);
    CHECK(processor_ms() - before < 250);
    join(&l);
}

static void half_moved_a_reader_learns_of_death(void)
{
    struct pair pair = make_pair();
    uint8_t byte;
    CHECK_EQUAL(sd_move_to_kernel(pair.server, SD_REASON_MOVED_OPTION, false), 0);
    blocking(pair.server, true);
    sd_sys_close(pair.client); /* as if it were killed: nothing is said in the ring */
    CHECK(receive(pair.server, &byte, 1, 0) <= 0);
}

/* The peer's end came by the ring; the connection then moves; the end is still the end. */
static void an_end_that_was_read_stays_the_end(void)
{
    struct pair pair = make_pair();
    uint8_t byte;
    CHECK_EQUAL(sd_shutdown(pair.client, SHUT_WR), 0);
    CHECK_EQUAL(receive(pair.server, &byte, 1, 0), 0);
    CHECK_EQUAL(sd_move_to_kernel(pair.server, SD_REASON_MOVED_OPTION, false), 0);
    CHECK_EQUAL(receive(pair.server, &byte, 1, 0), 0);
    sd_move_finish(sd_socket_of(pair.server));
    CHECK_EQUAL(receive(pair.server, &byte, 1, 0), 0);
}

const struct test move_tests[] = {
    {"a_reader_first_sends_again_what_was_abandoned", a_reader_first_sends_again_what_was_abandoned},
    {"a_reader_goes_on_sending_again", a_reader_goes_on_sending_again},
    {"shutdown_waits_for_what_is_sent_again", shutdown_waits_for_what_is_sent_again},
    {"close_first_sends_again", close_first_sends_again},
    {"close_does_not_wait_for_ever", close_does_not_wait_for_ever},
    {"sendfile_waits_for_what_is_sent_again", sendfile_waits_for_what_is_sent_again},
    {"half_moved_a_reader_sleeps", half_moved_a_reader_sleeps},
    {"half_moved_a_reader_learns_of_death", half_moved_a_reader_learns_of_death},
    {"an_end_that_was_read_stays_the_end", an_end_that_was_read_stays_the_end},
    {0},
};

/* poll and select over sockets of ours and descriptors of the kernel. */
#include <string.h>
#include <unistd.h>

#include "cases.h"
#include "pair.h"

static long poll_ms(struct pollfd *list, nfds_t n, int ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * MS};
    return sd_ppoll(list, n, ms < 0 ? NULL : &t, NULL);
}

static void poll_mixes_ours_and_the_kernels(void)
{
    struct pair pair = make_pair();
    int pipes[2];
    CHECK_EQUAL(pipe(pipes), 0);
    struct pollfd list[] = {
        {.fd = pair.server, .events = POLLIN},
        {.fd = pipes[0], .events = POLLIN},
        {.fd = -1, .events = POLLIN, .revents = POLLIN},
        {.fd = pair.client, .events = POLLIN | POLLOUT | POLLWRNORM},
        {.fd = 999, .events = POLLIN},
    };
    CHECK_EQUAL(poll_ms(list, 4, 0), 1);
    CHECK_EQUAL(list[0].revents, 0);
    CHECK_EQUAL(list[2].revents, 0);
    CHECK_EQUAL(list[3].revents, POLLOUT | POLLWRNORM);
    put(pair.client, "a");
    CHECK_EQUAL(write(pipes[1], "a", 1), 1);
    CHECK_EQUAL(poll_ms(list, 5, -1), 4);
    CHECK_EQUAL(list[0].revents, POLLIN);
    CHECK_EQUAL(list[1].revents, POLLIN);
    CHECK_EQUAL(list[4].revents, POLLNVAL);
    CHECK_EQUAL(poll_ms(&list[1], 1, 0), SD_PASS);
}

static void poll_sleeps_no_longer_than_asked(void)
{
    struct pair pair = make_pair();
    struct pollfd list = {.fd = pair.server, .events = POLLIN};
    for (int ms = 1; ms <= 50; ms *= 7) {
        uint64_t before = sd_now_ns();
        CHECK_EQUAL(poll_ms(&list, 1, ms), 0);
        CHECK(sd_now_ns() - before >= (uint64_t)ms * MS);
    }
    struct timespec bad = {.tv_nsec = 1000000000};
    CHECK_EQUAL(sd_ppoll(&list, 1, &bad, NULL), -EINVAL);
}

static void write_byte(int fd)
{
    CHECK_EQUAL(write(fd, "a", 1), 1);
}

static void whatever_comes_wakes_poll(void)
{
    struct pair pair = make_pair();
    int pipes[2];
    CHECK_EQUAL(pipe(pipes), 0);
    struct pollfd list[] = {{.fd = pair.server, .events = POLLIN | POLLRDHUP}, {.fd = pipes[0], .events = POLLIN}};
    struct {
        void (*act)(int fd);
        int fd, index;
    } cases[] = {
        {put_x, pair.client, 0}, {write_byte, pipes[1], 1}, {put_x, pair.client, 0}, {close_end, pair.client, 0}};
    for (size_t i = 0; i < SD_ARRAY_LENGTH(cases); i++) {
        struct later actor;
        later(&actor, 3 * MS, cases[i].act, cases[i].fd);
        CHECK_EQUAL(poll_soon(list, 2), 1);
        CHECK(list[cases[i].index].revents & POLLIN);
        join(&actor);
        char byte;
        if (cases[i].index)
            CHECK_EQUAL(read(pipes[0], &byte, 1), 1);
        else
            take(pair.server);
    }
    CHECK(list[0].revents & POLLRDHUP);
}

static struct pair hooked;

static void put_hooked(void)
{
    put_x(hooked.client);
}

static void what_comes_while_poll_arms_is_seen(void)
{
    void (**const moments[])(void) = {&before_arm, &before_fence};
    hooked = make_pair();
    struct pollfd list = {.fd = hooked.server, .events = POLLIN};
    for (size_t m = 0; m < SD_ARRAY_LENGTH(moments); m++) {
        *moments[m] = put_hooked;
        CHECK_EQUAL(poll_soon(&list, 1), 1);
        CHECK(!*moments[m]);
        take(hooked.server);
    }
}

static void *poll_common(void *unused)
{
    struct pollfd list = {.fd = hooked.server, .events = POLLIN};
    CHECK_EQUAL(poll_soon(&list, 1), 1);
    return unused;
}

static void more_threads_may_poll_a_socket_than_it_has_places(void)
{
    enum { THREADS = 3 * SD_SLEEPERS };
    pthread_t threads[THREADS];
    hooked = make_pair();
    for (int i = 0; i < THREADS; i++)
        CHECK_EQUAL(pthread_create(&threads[i], NULL, poll_common, NULL), 0);
    nap(20 * MS);
    put_hooked();
    for (int i = 0; i < THREADS; i++)
        CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
}

static void drain(int fd)
{
    take(fd);
}

static void room_wakes_poll(void)
{
    struct pair pair = make_pair();
    struct pollfd list = {.fd = pair.client, .events = POLLOUT};
    struct later reader;
    fill(pair.client);
    CHECK_EQUAL(poll_ms(&list, 1, 0), 0);
    later(&reader, 3 * MS, drain, pair.server);
    CHECK_EQUAL(poll_soon(&list, 1), 1);
    join(&reader);
}

static void poll_wakes_again_and_again(void)
{
    struct pair pair = make_pair();
    struct pollfd list = {.fd = pair.server, .events = POLLIN};
    struct later writer;
    for (int i = 0; i < 20; i++) {
        later(&writer, (uint64_t)i % 4 * MS / 2, put_x, pair.client);
        CHECK_EQUAL(poll_soon(&list, 1), 1);
        CHECK_EQUAL(take(pair.server), 1);
        join(&writer);
    }
}

static void long_lists_are_no_different(void)
{
    enum { N = 300 };
    static struct pollfd list[N];
    struct pair pairs[N / 2];
    for (int i = 0; i < N / 2; i++) {
        pairs[i] = make_pair();
        list[2 * i] = (struct pollfd){.fd = pairs[i].server, .events = POLLIN};
        list[2 * i + 1] = (struct pollfd){.fd = pairs[i].client, .events = POLLIN};
    }
    CHECK_EQUAL(poll_ms(list, N, 5), 0);
    struct later writer;
    later(&writer, 3 * MS, put_x, pairs[77].client);
    CHECK_EQUAL(poll_soon(list, N), 1);
    CHECK_EQUAL(list[154].revents, POLLIN);
    join(&writer);
}

static void on_signal(int sig)
{
    (void)sig;
}

static void a_signal_that_the_mask_admits_ends_poll(void)
{
    struct pair pair = make_pair();
    struct sigaction action = {.sa_handler = on_signal};
    int pipes[2];
    CHECK_EQUAL(pipe(pipes), 0);
    struct pollfd list[] = {{.fd = pair.server, .events = POLLIN}, {.fd = pipes[0], .events = POLLIN}};
    sigset_t blocked, none;
    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    CHECK_EQUAL(sigaction(SIGUSR1, &action, NULL), 0);
    pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    for (nfds_t n = 1; n <= 2; n++) {
        for (int seconds = 0; seconds < 2; seconds++) {
            raise(SIGUSR1);
            CHECK_EQUAL(sd_ppoll(list, n, &(struct timespec){.tv_sec = seconds}, &none), -EINTR);
        }
    }
    raise(SIGUSR1);
    CHECK_EQUAL(poll_ms(list, 1, 5), 0);
    put(pair.client, "a");
    CHECK_EQUAL(sd_ppoll(list, 1, NULL, &none), 1);
}

static void select_answers_by_sets(void)
{
    struct pair pair = make_pair();
    int pipes[2];
    CHECK_EQUAL(pipe(pipes), 0);
    fd_set in, out, except;
    struct timespec limit = {.tv_nsec = 20 * MS};
    FD_ZERO(&in);
    FD_SET(pair.server, &in);
    FD_SET(pipes[0], &in);
    CHECK_EQUAL(sd_pselect(FD_SETSIZE, &in, NULL, NULL, &limit, NULL), 0);
    CHECK(!FD_ISSET(pair.server, &in) && !FD_ISSET(pipes[0], &in));
    put(pair.client, "a");
    FD_SET(pair.server, &in);
    FD_SET(pipes[0], &in);
    FD_ZERO(&out);
    FD_ZERO(&except);
    FD_SET(pair.server, &out);
    FD_SET(pair.server, &except);
    FD_SET(pair.client, &in);
    CHECK_EQUAL(sd_pselect(FD_SETSIZE, &in, &out, &except, NULL, NULL), 2);
    CHECK(FD_ISSET(pair.server, &in) && FD_ISSET(pair.server, &out));
    CHECK(!FD_ISSET(pair.client, &in) && !FD_ISSET(pipes[0], &in) && !FD_ISSET(pair.server, &except));
    FD_SET(pair.server, &in);
    FD_SET(999, &in);
    CHECK_EQUAL(sd_pselect(1000, &in, NULL, NULL, NULL, NULL), -EBADF);
    FD_ZERO(&in);
    FD_SET(pipes[0], &in);
    CHECK_EQUAL(sd_pselect(FD_SETSIZE, &in, NULL, NULL, &limit, NULL), SD_PASS);
}

static void select_does_not_end_for_events_that_do_not_count(void)
{
    struct pair pair = make_pair();
    int pipes[2];
    CHECK_EQUAL(pipe(pipes), 0);
    close(pipes[1]);
    fd_set in, except;
    FD_ZERO(&in);
    FD_ZERO(&except);
    FD_SET(pair.server, &in);
    FD_SET(pipes[0], &except); /* POLLHUP holds */
    struct timespec limit = {.tv_nsec = 30 * MS}, before, after;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    CHECK_EQUAL(sd_pselect(FD_SETSIZE, &in, NULL, &except, &limit, NULL), 0);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    long used = (after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec;
    CHECK(used < 15 * MS);
}

static void select_takes_sets_beyond_the_usual_size(void)
{
    enum { HIGH = 3000 };
    struct pair pair = make_pair();
    unsigned long in[(HIGH + 64) / 64] = {0};
    int fd = (int)sd_sys_fcntl(pair.server, F_DUPFD, HIGH);
    CHECK_EQUAL(fd, HIGH);
    sd_opened_dup(pair.server, fd);
    in[HIGH / 64] = 1ul << (HIGH % 64);
    put(pair.client, "a");
    CHECK_EQUAL(sd_pselect(HIGH + 1, (fd_set *)in, NULL, NULL, NULL, NULL), 1);
    CHECK_EQUAL(in[HIGH / 64], 1l << (HIGH % 64));
}

const struct test poll_tests[] = {
    {"poll_mixes_ours_and_the_kernels", poll_mixes_ours_and_the_kernels},
    {"poll_sleeps_no_longer_than_asked", poll_sleeps_no_longer_than_asked},
    {"whatever_comes_wakes_poll", whatever_comes_wakes_poll},
    {"what_comes_while_poll_arms_is_seen", what_comes_while_poll_arms_is_seen},
    {"more_threads_may_poll_a_socket_than_it_has_places", more_threads_may_poll_a_socket_than_it_has_places},
    {"room_wakes_poll", room_wakes_poll},
    {"poll_wakes_again_and_again", poll_wakes_again_and_again},
    {"long_lists_are_no_different", long_lists_are_no_different},
    {"a_signal_that_the_mask_admits_ends_poll", a_signal_that_the_mask_admits_ends_poll},
    {"select_answers_by_sets", select_answers_by_sets},
    {"select_does_not_end_for_events_that_do_not_count", select_does_not_end_for_events_that_do_not_count},
    {"select_takes_sets_beyond_the_usual_size", select_takes_sets_beyond_the_usual_size},
    {0},
};

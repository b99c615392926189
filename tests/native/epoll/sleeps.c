/* Sleeping on a set, and being woken: no wake-up is lost, no sleep is longer than asked for. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"
#include "pair.h"

#define SOON (2000 * (int64_t)MS) /* a loaded machine may be slow; a lost wake-up is for ever */

static void a_timeout_ends_the_wait(void)
{
    struct pair pair = make_pair();
    int epfd = make_set();
    add(epfd, pair.server, EPOLLIN);
    for (int ms = 1; ms <= 50; ms *= 7) {
        uint64_t before = sd_now_ns();
        CHECK_EQUAL(wait_for(epfd, 8, ms * MS).n, 0);
        CHECK(sd_now_ns() - before >= (uint64_t)ms * MS);
    }
}

static void data_wakes_a_sleeper(void)
{
    struct pair pair = make_pair();
    int epfd = make_set();
    add(epfd, pair.server, EPOLLIN);
    for (int i = 0; i < 30; i++) {
        struct later writer;
        later(&writer, (uint64_t)i % 6 * MS / 2, put_x, pair.client);
        struct got got = wait_soon(epfd);
        CHECK_EQUAL(events_of(&got, pair.server), EPOLLIN);
        CHECK_EQUAL(take(pair.server), 1);
        join(&writer);
    }
}

static struct pair hooked[2];

static void put_hooked(void)
{
    put_x(hooked[0].client);
    put_x(hooked[1].client);
}

static void what_comes_while_a_set_falls_asleep_is_seen(void)
{
    void (**const moments[])(void) = {&before_announce, &before_fence};
    int epfd = make_set();
    for (int i = 0; i < 2; i++) {
        hooked[i] = make_pair();
        add(epfd, hooked[i].server, EPOLLIN);
    }
    for (size_t m = 0; m < SD_ARRAY_LENGTH(moments); m++) {
        *moments[m] = put_hooked;
        CHECK_EQUAL(wait_soon(epfd).n, 2);
        CHECK(!*moments[m]);
        take(hooked[0].server);
        take(hooked[1].server);
    }
}

static void drain(int fd)
{
    take(fd);
}

static void room_wakes_a_sleeper(void)
{
    struct pair pair = make_pair();
    int epfd = make_set();
    add(epfd, pair.client, EPOLLOUT);
    for (int i = 0; i < 10; i++) {
        struct later reader;
        fill(pair.client);
        CHECK_EQUAL(wait_for(epfd, 8, 0).n, 0);
        later(&reader, (uint64_t)i % 3 * MS, drain, pair.server);
        CHECK_EQUAL(wait_soon(epfd).n, 1);
        join(&reader);
    }
}

static void shut(int fd)
{
    sd_shutdown(fd, SHUT_WR);
}

static void drain_hooked(void)
{
    CHECK(take(hooked[0].server) > 0);
}

static void room_that_comes_while_it_is_asked_for_is_seen(void)
{
    static const char block[SD_RING_BYTES - 4096];
    int epfd = make_set();
    hooked[0] = make_pair();
    add(epfd, hooked[0].client, EPOLLOUT);
    CHECK_EQUAL(sd_send(hooked[0].client, block, sizeof block, 0), sizeof block); /* not full: nobody asked yet */
    before_room = drain_hooked;
    CHECK_EQUAL(wait_soon(epfd).n, 1);
    CHECK(!before_room);
}

static void an_end_wakes_a_sleeper(void)
{
    void (*const ends[])(int) = {shut, close_end};
    for (size_t i = 0; i < SD_ARRAY_LENGTH(ends); i++) {
        struct pair pair = make_pair();
        struct later later_end;
        int epfd = make_set();
        add(epfd, pair.server, EPOLLIN | EPOLLRDHUP);
        later(&later_end, 3 * MS, ends[i], pair.client);
        struct got got = wait_soon(epfd);
        CHECK_EQUAL(events_of(&got, pair.server) & (EPOLLIN | EPOLLRDHUP), EPOLLIN | EPOLLRDHUP);
        join(&later_end);
    }
}

static void close_companion(int fd)
{
    sd_sys_close(fd);
}

static void a_death_wakes_a_sleeper(void)
{
    struct pair pair = make_pair();
    struct later death;
    int epfd = make_set();
    add(epfd, pair.server, EPOLLIN | EPOLLRDHUP);
    later(&death, 3 * MS, close_companion, pair.client);
    struct got got = wait_soon(epfd);
    CHECK(events_of(&got, pair.server) & EPOLLRDHUP);
    join(&death);
}

static void kernel_descriptors_wake_a_sleeper(void)
{
    struct pair pair = make_pair();
    int epfd = make_set(), listener = make_kernel_pair().client, pipes[2];
    CHECK_EQUAL(pipe(pipes), 0);
    add(epfd, pair.server, EPOLLIN);
    add(epfd, pipes[0], EPOLLIN);
    add(epfd, listener, EPOLLIN);
    struct later writer;
    later(&writer, 3 * MS, (void (*)(int))close_companion, pipes[1]);
    struct got got = wait_soon(epfd);
    CHECK_EQUAL(events_of(&got, pipes[0]), EPOLLHUP);
    join(&writer);
}

static void add_to_common(int fd);
static int common;

static void add_to_common(int fd)
{
    add(common, fd, EPOLLIN);
}

static void a_socket_added_meanwhile_wakes_a_sleeper(void)
{
    for (int first = 0; first < 2; first++) {
        struct pair old = make_pair(), new = make_pair();
        struct later adder;
        common = make_set();
        if (first)
            add(common, old.server, EPOLLIN);
        put(new.client, "a");
        later(&adder, 3 * MS, add_to_common, new.server);
        struct got got = wait_soon(common);
        CHECK_EQUAL(events_of(&got, new.server), EPOLLIN);
        join(&adder);
    }
}

static struct pair common_pair;

static void add_then_put(int fd)
{
    add(common, fd, EPOLLIN);
    nap(2 * MS);
    put(common_pair.client, "a");
}

static void a_socket_added_meanwhile_is_slept_on(void)
{
    struct later adder;
    common = make_set();
    common_pair = make_pair();
    later(&adder, 3 * MS, add_then_put, common_pair.server);
    struct got got = wait_soon(common);
    CHECK_EQUAL(events_of(&got, common_pair.server), EPOLLIN);
    join(&adder);
}

/* --- many threads on one set --- */

enum { THREADS = 4, PAIRS = 8, MESSAGES = 300 };
static struct pair many[PAIRS];
static _Atomic long taken;
static _Atomic bool over;

static void *work(void *events)
{
    while (!over) {
        struct epoll_event event;
        long n = sd_epoll_wait(common, &event, 1, 200 * MS, NULL);
        CHECK(n >= 0);
        if (n == 0)
            continue;
        taken += take(event.data.fd);
        if ((uintptr_t)events & EPOLLONESHOT)
            CHECK_EQUAL(ctl(common, EPOLL_CTL_MOD, event.data.fd, (uint32_t)(uintptr_t)events), 0);
    }
    return NULL;
}

static void await_taken(long wanted)
{
    uint64_t limit = sd_now_ns() + 20000ull * MS;
    while (taken != wanted) {
        CHECK(sd_now_ns() < limit);
        nap(MS / 10);
    }
}

static void many_threads_share_a_set(uint32_t events)
{
    pthread_t threads[THREADS];
    unsigned seed = 1;
    common = make_set();
    for (int i = 0; i < PAIRS; i++) {
        many[i] = make_pair();
        add(common, many[i].server, events);
    }
    for (int i = 0; i < THREADS; i++)
        CHECK_EQUAL(pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)events), 0);
    for (int i = 0; i < MESSAGES; i++) {
        put(many[rand_r(&seed) % PAIRS].client, "x");
        if (i % 10 == 0) {
            await_taken(i + 1); /* all may fall asleep: the next message must wake one */
            nap((uint64_t)rand_r(&seed) % (MS / 2));
        }
    }
    await_taken(MESSAGES);
    over = true;
    put(many[0].client, "x");
    for (int i = 0; i < THREADS; i++)
        CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
}

static void one_shot_threads_lose_nothing(void)
{
    many_threads_share_a_set(EPOLLIN | EPOLLONESHOT);
}

static void edge_threads_lose_nothing(void)
{
    many_threads_share_a_set(EPOLLIN | EPOLLET);
}

static void after_a_sleep_all_kinds_are_told_at_once(void)
{
    struct pair pair = make_pair();
    struct later writer;
    int epfd = make_set(), pipes[2];
    CHECK_EQUAL(pipe(pipes), 0);
    add(epfd, pair.server, EPOLLIN);
    add(epfd, pipes[0], EPOLLIN);
    later(&writer, 200 * MS, put_x, pair.client); /* we sleep by then, however busy the machine */
    CHECK_EQUAL(wait_soon(epfd).n, 1);
    join(&writer);
    CHECK_EQUAL(write(pipes[1], "a", 1), 1);
    for (int i = 0; i < 100; i++)
        CHECK_EQUAL(wait_for(epfd, 8, -1).n, 2);
}

/* --- chance --- */

static void *produce(void *argument)
{
    struct pair *mine = argument;
    unsigned seed = (unsigned)(uintptr_t)argument;
    for (int i = 0; i < MESSAGES; i++) {
        put(mine[rand_r(&seed) % 2].client, "x");
        if (rand_r(&seed) % 3 == 0)
            nap((uint64_t)rand_r(&seed) % (MS / 4));
    }
    return NULL;
}

static void two_producers_at_any_time_lose_nothing(void)
{
    pthread_t threads[2];
    int epfd = make_set();
    for (int i = 0; i < 4; i++) {
        many[i] = make_pair();
        add(epfd, many[i].server, i % 2 ? EPOLLIN : EPOLLIN | EPOLLET);
    }
    for (int i = 0; i < 2; i++)
        CHECK_EQUAL(pthread_create(&threads[i], NULL, produce, &many[2 * i]), 0);
    for (long sum = 0; sum < 2 * MESSAGES;) {
        struct got got = wait_for(epfd, 2, SOON);
        CHECK(got.n > 0);
        for (long i = 0; i < got.n; i++)
            sum += take(got.events[i].data.fd);
    }
    for (int i = 0; i < 2; i++)
        CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
}

/* --- signals --- */

static void on_signal(int sig)
{
    (void)sig;
}

static void handle(int sig)
{
    struct sigaction action = {.sa_handler = on_signal};
    CHECK_EQUAL(sigaction(sig, &action, NULL), 0);
}

static pthread_t main_thread;

static void kick(int sig)
{
    pthread_kill(main_thread, sig);
}

static void a_signal_ends_the_sleep(void)
{
    struct pair pair = make_pair();
    struct later kicker;
    int epfd = make_set();
    handle(SIGUSR1);
    add(epfd, pair.server, EPOLLIN);
    main_thread = pthread_self();
    later(&kicker, 200 * MS, kick, SIGUSR1);
    CHECK_EQUAL(wait_soon(epfd).n, -EINTR);
    join(&kicker);
}

static void the_mask_holds_while_it_sleeps(void)
{
    struct pair pair = make_pair();
    sigset_t blocked, none;
    struct epoll_event event;
    int epfd = make_set();
    handle(SIGUSR1);
    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    add(epfd, pair.server, EPOLLIN);
    raise(SIGUSR1);
    CHECK_EQUAL(sd_epoll_wait(epfd, &event, 1, SOON, &none), -EINTR);
    raise(SIGUSR1);
    CHECK_EQUAL(sd_epoll_wait(epfd, &event, 1, 5 * MS, NULL), 0);
}

/* --- sets in sets --- */

static void an_inner_set_is_ready_when_its_socket_is(void)
{
    struct pair pair = make_pair();
    int outer = make_set(), inner = make_set();
    add(outer, inner, EPOLLIN);
    add(inner, pair.server, EPOLLIN);
    CHECK_EQUAL(wait_for(outer, 8, 0).n, 0);
    for (int i = 0; i < 10; i++) {
        struct later writer;
        later(&writer, (uint64_t)i % 3 * MS, put_x, pair.client);
        CHECK_EQUAL(wait_soon(outer).n, 1);
        for (int look = 0; look < 100; look++) { /* now and then it asks the kernel, and takes the bell */
            CHECK_EQUAL(wait_for(inner, 8, 0).n, 1);
            CHECK_EQUAL(wait_for(outer, 8, 0).n, 1); /* level: it was not read yet */
        }
        CHECK_EQUAL(take(pair.server), 1);
        CHECK_EQUAL(wait_for(inner, 8, 0).n, 0);
        CHECK_EQUAL(wait_for(outer, 8, 0).n, 0);
        join(&writer);
    }
}

/* As the shim does it: the kernel is asked if it alone can tell. */
static long polled(struct pollfd *list, const struct timespec *limit)
{
    long r = sd_ppoll(list, 1, limit, NULL);
    return r == SD_PASS ? sd_sys_ppoll(list, 1, limit, NULL) : r;
}

static void an_inner_set_whose_data_is_read_is_ready_no_more(void)
{
    struct pair pair = make_pair();
    int outer = make_set(), inner = make_set();
    struct timespec at_once = {0};
    add(outer, inner, EPOLLIN);
    add(inner, pair.server, EPOLLIN);
    struct pollfd list = {.fd = inner, .events = POLLIN};
    for (int i = 0; i < 3; i++) {
        put(pair.client, "a");
        CHECK_EQUAL(wait_soon(outer).n, 1);
        CHECK_EQUAL(take(pair.server), 1);
        CHECK_EQUAL(wait_for(outer, 8, 0).n, 0);
        put(pair.client, "a");
        CHECK_EQUAL(polled(&list, &at_once), 1);
        CHECK_EQUAL(take(pair.server), 1);
        CHECK_EQUAL(polled(&list, &at_once), 0);
    }
}

static void a_polled_set_is_ready_when_its_socket_is(void)
{
    struct pair pair = make_pair();
    int epfd = make_set();
    struct timespec limit = {.tv_sec = 2};
    struct later writer;
    add(epfd, pair.server, EPOLLIN);
    struct pollfd list = {.fd = epfd, .events = POLLIN};
    later(&writer, 3 * MS, put_x, pair.client);
    CHECK_EQUAL(polled(&list, &limit), 1);
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 1);
    CHECK_EQUAL(sd_sys_ppoll(&list, 1, &limit, NULL), 1);
    CHECK_EQUAL(take(pair.server), 1);
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 0);
    CHECK_EQUAL(sd_sys_ppoll(&list, 1, &(struct timespec){0}, NULL), 0);
    join(&writer);
}

const struct test sleep_tests[] = {
    {"a_timeout_ends_the_wait", a_timeout_ends_the_wait},
    {"data_wakes_a_sleeper", data_wakes_a_sleeper},
    {"what_comes_while_a_set_falls_asleep_is_seen", what_comes_while_a_set_falls_asleep_is_seen},
    {"room_wakes_a_sleeper", room_wakes_a_sleeper},
    {"room_that_comes_while_it_is_asked_for_is_seen", room_that_comes_while_it_is_asked_for_is_seen},
    {"an_end_wakes_a_sleeper", an_end_wakes_a_sleeper},
    {"a_death_wakes_a_sleeper", a_death_wakes_a_sleeper},
    {"kernel_descriptors_wake_a_sleeper", kernel_descriptors_wake_a_sleeper},
    {"a_socket_added_meanwhile_wakes_a_sleeper", a_socket_added_meanwhile_wakes_a_sleeper},
    {"a_socket_added_meanwhile_is_slept_on", a_socket_added_meanwhile_is_slept_on},
    {"one_shot_threads_lose_nothing", one_shot_threads_lose_nothing},
    {"edge_threads_lose_nothing", edge_threads_lose_nothing},
    {"two_producers_at_any_time_lose_nothing", two_producers_at_any_time_lose_nothing},
    {"after_a_sleep_all_kinds_are_told_at_once", after_a_sleep_all_kinds_are_told_at_once},
    {"a_signal_ends_the_sleep", a_signal_ends_the_sleep},
    {"the_mask_holds_while_it_sleeps", the_mask_holds_while_it_sleeps},
    {"an_inner_set_is_ready_when_its_socket_is", an_inner_set_is_ready_when_its_socket_is},
    {"an_inner_set_whose_data_is_read_is_ready_no_more", an_inner_set_whose_data_is_read_is_ready_no_more},
    {"a_polled_set_is_ready_when_its_socket_is", a_polled_set_is_ready_when_its_socket_is},
    {0},
};

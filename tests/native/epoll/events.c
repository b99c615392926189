/* Which events epoll_wait reports, without any sleeping. */
#include <unistd.h>

#include "cases.h"
#include "pair.h"

static void errors_are_the_kernels(void)
{
    struct pair pair = make_pair();
    int epfd = make_set(), pipes[2];
    CHECK_EQUAL(pipe(pipes), 0);
    CHECK_EQUAL(ctl(epfd, EPOLL_CTL_MOD, pair.server, EPOLLIN), -ENOENT);
    CHECK_EQUAL(ctl(epfd, EPOLL_CTL_DEL, pair.server, 0), -ENOENT);
    add(epfd, pair.server, EPOLLIN);
    CHECK_EQUAL(ctl(epfd, EPOLL_CTL_ADD, pair.server, EPOLLIN), -EEXIST);
    CHECK_EQUAL(ctl(epfd, EPOLL_CTL_ADD, epfd, EPOLLIN), -EINVAL);
    CHECK_EQUAL(ctl(epfd, 77, pair.server, EPOLLIN), -EINVAL);
    CHECK_EQUAL(ctl(epfd, EPOLL_CTL_ADD, 999, EPOLLIN), -EBADF);
    CHECK_EQUAL(ctl(999, EPOLL_CTL_ADD, pair.server, EPOLLIN), -EBADF);
    CHECK_EQUAL(ctl(pipes[0], EPOLL_CTL_ADD, pair.server, EPOLLIN), -EINVAL);
    CHECK_EQUAL(ctl(pair.client, EPOLL_CTL_ADD, pair.server, EPOLLIN), -EINVAL);
    CHECK_EQUAL(ctl(epfd, EPOLL_CTL_ADD, open("/etc/passwd", O_RDONLY), EPOLLIN), -EPERM);
    CHECK_EQUAL(ctl(epfd, EPOLL_CTL_ADD, pair.client, EPOLLEXCLUSIVE | EPOLLONESHOT), -EINVAL);
    CHECK_EQUAL(ctl(epfd, EPOLL_CTL_ADD, pair.client, EPOLLEXCLUSIVE | EPOLLIN), 0);
    CHECK_EQUAL(ctl(epfd, EPOLL_CTL_MOD, pair.client, EPOLLIN), -EINVAL);
    CHECK_EQUAL(wait_for(epfd, 0, 0).n, -EINVAL);
    CHECK_EQUAL(wait_for(epfd, -1, 0).n, -EINVAL);
    CHECK_EQUAL(sd_epoll_wait(999, &(struct epoll_event){0}, 1, 0, NULL), -EBADF);
    CHECK_EQUAL(sd_epoll_wait(pair.server, &(struct epoll_event){0}, 1, 0, NULL), -EINVAL);
}

static void level_is_reported_until_it_is_gone(void)
{
    struct pair pair = make_pair();
    int epfd = make_set();
    add(epfd, pair.server, EPOLLIN);
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 0);
    put(pair.client, "abc");
    for (int i = 0; i < 100; i++) {
        struct got got = wait_for(epfd, 8, 0);
        CHECK_EQUAL(got.n, 1);
        CHECK_EQUAL(events_of(&got, pair.server), EPOLLIN);
    }
    CHECK_EQUAL(take(pair.server), 3);
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 0);
    put(pair.client, "d");
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 1);
}

static void what_is_taken_out_is_silent_and_can_be_put_in_again(void)
{
    struct pair pair = make_pair();
    int epfd = make_set();
    add(epfd, pair.server, EPOLLIN);
    put(pair.client, "a");
    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(ctl(epfd, EPOLL_CTL_DEL, pair.server, 0), 0);
        CHECK_EQUAL(wait_for(epfd, 8, 0).n, 0);
        CHECK_EQUAL(ctl(epfd, EPOLL_CTL_DEL, pair.server, 0), -ENOENT);
        CHECK_EQUAL(ctl(epfd, EPOLL_CTL_MOD, pair.server, EPOLLIN), -ENOENT);
        add(epfd, pair.server, EPOLLIN);
        CHECK_EQUAL(ctl(epfd, EPOLL_CTL_ADD, pair.server, EPOLLIN), -EEXIST);
        CHECK_EQUAL(wait_for(epfd, 8, 0).n, 1);
    }
    CHECK_EQUAL(ctl(epfd, EPOLL_CTL_DEL, pair.server, 0), 0);
    use_kernel(pair.client);
    use_kernel(pair.server);
    put(pair.client, "a");
    CHECK_EQUAL(wait_for(epfd, 8, 5 * MS).n, 0);
    CHECK_EQUAL(ctl(epfd, EPOLL_CTL_MOD, pair.server, EPOLLIN), -ENOENT);
    add(epfd, pair.server, EPOLLIN);
    CHECK_EQUAL(wait_for(epfd, 8, 5 * MS).n, 1);
    CHECK_EQUAL(ctl(epfd, EPOLL_CTL_DEL, pair.server, 0), 0);
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 0);
}

static void all_names_of_an_event_are_reported(void)
{
    struct pair pair = make_pair();
    int epfd = make_set();
    add(epfd, pair.server, EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM | EPOLLRDHUP | EPOLLPRI);
    put(pair.client, "a");
    struct got got = wait_for(epfd, 8, 0);
    CHECK_EQUAL(events_of(&got, pair.server), EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM);
}

static void edge_is_reported_once_per_news(void)
{
    struct pair pair = make_pair();
    int epfd = make_set();
    add(epfd, pair.server, EPOLLIN | EPOLLET);
    put(pair.client, "a");
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 1);
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 0);
    put(pair.client, "b");
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 1);
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 0);
    CHECK_EQUAL(take(pair.server), 2);
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 0);
    CHECK_EQUAL(ctl(epfd, EPOLL_CTL_MOD, pair.server, EPOLLOUT | EPOLLET), 0);
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 1);
}

static void room_is_no_edge_unless_there_was_none(void)
{
    struct pair pair = make_pair();
    int epfd = make_set();
    add(epfd, pair.client, EPOLLIN | EPOLLOUT | EPOLLET);
    struct got got = wait_for(epfd, 8, 0);
    CHECK_EQUAL(events_of(&got, pair.client), EPOLLOUT);
    for (int i = 0; i < 20; i++) {
        put(pair.client, "request");
        CHECK_EQUAL(take(pair.server), 7);
        CHECK_EQUAL(wait_for(epfd, 8, 0).n, 0);
    }
    fill(pair.client);
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 0);
    CHECK(take(pair.server) > 0);
    got = wait_for(epfd, 8, 0);
    CHECK_EQUAL(events_of(&got, pair.client), EPOLLOUT);
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 0);
}

static void data_and_room_are_different_edges(void)
{
    struct pair pair = make_pair();
    int epfd = make_set();
    add(epfd, pair.client, EPOLLIN | EPOLLET);
    put(pair.server, "a");
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 1);
    fill(pair.client);
    CHECK(take(pair.server) > 0);
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 0);
    CHECK_EQUAL(ctl(epfd, EPOLL_CTL_MOD, pair.client, EPOLLOUT | EPOLLET), 0);
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 1);
    put(pair.server, "b");
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 0);
}

static void reading_is_no_edge_in_two_sets_either(void)
{
    struct pair pair = make_pair();
    int sets[2] = {make_set(), make_set()};
    for (int i = 0; i < 2; i++) {
        add(sets[i], pair.client, EPOLLIN | EPOLLOUT | EPOLLET);
        CHECK_EQUAL(wait_for(sets[i], 8, 0).n, 1);
    }
    put(pair.client, "request");
    CHECK_EQUAL(take(pair.server), 7);
    for (int i = 0; i < 2; i++)
        CHECK_EQUAL(wait_for(sets[i], 8, 2 * MS).n, 0);
}

static void a_short_send_is_followed_by_an_edge(void)
{
    static const char block[2 * SD_RING_BYTES];
    struct pair pair = make_pair();
    int epfd = make_set();
    add(epfd, pair.client, EPOLLOUT | EPOLLET);
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 1);
    CHECK_EQUAL(sd_send(pair.client, block, sizeof block, 0), SD_RING_BYTES);
    CHECK_EQUAL(take(pair.server), SD_RING_BYTES);
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 1);
}

static void room_is_told_of_only_when_it_is_wanted(void)
{
    struct pair pair = make_pair();
    _Atomic uint32_t *armed = &sd_socket_of(pair.client)->tx.dir->room_wait.armed;
    int epfd = make_set();
    add(epfd, pair.client, EPOLLIN | EPOLLOUT);
    put(pair.client, "request");
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 1);
    CHECK_EQUAL(sd_load(armed), 0);
    fill(pair.client);
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 0);
    CHECK_EQUAL(sd_load(armed), SD_ARM_WATCHED);
    CHECK(take(pair.server) > 0);
    CHECK_EQUAL(sd_load(armed), 0);
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 1);
}

static void one_shot_is_silent_until_armed_anew(void)
{
    struct pair pair = make_pair();
    int epfd = make_set();
    add(epfd, pair.server, EPOLLIN | EPOLLONESHOT);
    put(pair.client, "a");
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 1);
    put(pair.client, "b");
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 0);
    CHECK_EQUAL(ctl(epfd, EPOLL_CTL_MOD, pair.server, EPOLLIN | EPOLLONESHOT), 0);
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 1);
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 0);
}

static void modify_changes_events_and_data(void)
{
    struct pair pair = make_pair();
    int epfd = make_set();
    add(epfd, pair.server, EPOLLOUT);
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 1);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = UINT64_MAX};
    CHECK_EQUAL(sd_epoll_ctl(epfd, EPOLL_CTL_MOD, pair.server, &event), 0);
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 0);
    put(pair.client, "a");
    struct got got = wait_for(epfd, 8, 0);
    CHECK_EQUAL(got.n, 1);
    CHECK(got.events[0].data.u64 == UINT64_MAX);
    CHECK_EQUAL(ctl(epfd, EPOLL_CTL_DEL, pair.server, 0), 0);
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 0);
    add(epfd, pair.server, EPOLLIN);
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 1);
}

static void a_small_buffer_starves_nobody(void)
{
    enum { PAIRS = 40 };
    struct pair pairs[PAIRS];
    int epfd = make_set(), seen[PAIRS] = {0};
    for (int i = 0; i < PAIRS; i++) {
        pairs[i] = make_pair();
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
        CHECK_EQUAL(sd_epoll_ctl(epfd, EPOLL_CTL_ADD, pairs[i].server, &event), 0);
        put(pairs[i].client, "a");
    }
    for (int i = 0; i < 10 * PAIRS; i++) {
        struct got got = wait_for(epfd, 1, 0);
        CHECK_EQUAL(got.n, 1);
        seen[got.events[0].data.u32]++;
    }
    for (int i = 0; i < PAIRS; i++)
        CHECK(seen[i] >= 8 && seen[i] <= 12);
}

static void many_connections_in_many_slabs_are_told_apart(void)
{
    enum { PAIRS = 300 };
    static struct pair pairs[PAIRS];
    int epfd = make_set();
    for (int i = 0; i < PAIRS; i++) {
        pairs[i] = make_pair();
        add(epfd, pairs[i].server, EPOLLIN);
    }
    CHECK_EQUAL(wait_for(epfd, 64, 0).n, 0);
    for (int i = 0; i < PAIRS; i += 7) {
        put(pairs[i].client, "a");
        struct got got = wait_for(epfd, 64, 0);
        CHECK_EQUAL(got.n, 1);
        CHECK_EQUAL(events_of(&got, pairs[i].server), EPOLLIN);
        take(pairs[i].server);
    }
}

static void kernel_descriptors_get_their_share(void)
{
    struct pair pair = make_pair();
    int epfd = make_set(), pipes[2], seen_pipe = 0, seen_ring = 0;
    CHECK_EQUAL(pipe(pipes), 0);
    add(epfd, pair.server, EPOLLIN);
    add(epfd, pipes[0], EPOLLIN);
    put(pair.client, "a");
    CHECK_EQUAL(write(pipes[1], "a", 1), 1);
    for (int i = 0; i < 1000; i++) {
        struct got got = wait_for(epfd, 1, i < 500 ? 0 : -1);
        CHECK_EQUAL(got.n, 1);
        seen_pipe += events_of(&got, pipes[0]) != 0;
        seen_ring += events_of(&got, pair.server) != 0;
    }
    CHECK(seen_pipe >= 20 && seen_ring >= 20);
}

static void end_of_stream_is_reported(void)
{
    struct pair pair = make_pair();
    int epfd = make_set();
    add(epfd, pair.server, EPOLLIN | EPOLLRDHUP | EPOLLET);
    CHECK_EQUAL(sd_shutdown(pair.client, SHUT_WR), 0);
    struct got got = wait_for(epfd, 8, 0);
    CHECK_EQUAL(events_of(&got, pair.server), EPOLLIN | EPOLLRDHUP);
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 0);
    close_end(pair.client);
    CHECK_EQUAL(wait_for(epfd, 8, 5 * MS).n, 0); /* the companion tells the same once more */
    CHECK_EQUAL(sd_shutdown(pair.server, SHUT_WR), 0);
    got = wait_for(epfd, 8, 0);
    CHECK(events_of(&got, pair.server) & EPOLLHUP);
}

static void a_reset_is_one_edge(void)
{
    struct pair pair = make_pair();
    int epfd = make_set();
    add(epfd, pair.server, EPOLLIN | EPOLLET);
    struct linger at_once = {.l_onoff = 1};
    CHECK_EQUAL(setsockopt(pair.client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    close_end(pair.client);
    struct got got = wait_soon(epfd);
    CHECK_EQUAL(events_of(&got, pair.server), EPOLLIN | EPOLLERR | EPOLLHUP);
    CHECK_EQUAL(wait_for(epfd, 8, 5 * MS).n, 0);
    CHECK_EQUAL(sd_take_error(pair.server), ECONNRESET);
    CHECK_EQUAL(wait_for(epfd, 8, 5 * MS).n, 0);
}

static void a_socket_in_two_sets_is_news_to_both(void)
{
    struct pair pair = make_pair();
    int sets[2] = {make_set(), make_set()};
    add(sets[0], pair.server, EPOLLIN | EPOLLET);
    add(sets[1], pair.server, EPOLLIN | EPOLLET);
    for (int round = 0; round < 10; round++) {
        put(pair.client, "a");
        CHECK_EQUAL(wait_for(sets[round % 2], 8, 0).n, 1);
        CHECK_EQUAL(wait_for(sets[(round + 1) % 2], 8, 5 * MS).n, 1);
        CHECK_EQUAL(wait_for(sets[0], 8, 0).n, 0);
        CHECK_EQUAL(wait_for(sets[1], 8, 0).n, 0);
    }
}

static void duplicates_are_reported_each(void)
{
    struct pair pair = make_pair();
    int epfd = make_set();
    int copy = dup(pair.server);
    sd_opened_dup(pair.server, copy);
    add(epfd, pair.server, EPOLLIN);
    add(epfd, copy, EPOLLIN);
    put(pair.client, "a");
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 2);
    close_end(pair.server);
    struct got got = wait_for(epfd, 8, 0);
    CHECK_EQUAL(got.n, 2); /* what the closed one was registered for lives as long as the connection */
    CHECK_EQUAL(events_of(&got, copy), EPOLLIN);
    CHECK_EQUAL(ctl(epfd, EPOLL_CTL_DEL, pair.server, 0), -EBADF);
    take(copy);
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 0);
    put(pair.client, "a");
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 2);
    close_end(copy);
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 0);
}

static void only_the_kernel_is_asked_when_nothing_is_ours(void)
{
    int epfd = make_set(), pipes[2];
    CHECK_EQUAL(pipe(pipes), 0);
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 0);
    add(epfd, pipes[0], EPOLLIN);
    CHECK_EQUAL(wait_for(epfd, 8, 1 * MS).n, 0);
    CHECK_EQUAL(write(pipes[1], "a", 1), 1);
    CHECK_EQUAL(wait_for(epfd, 8, -1).n, 1);
}

const struct test event_tests[] = {
    {"errors_are_the_kernels", errors_are_the_kernels},
    {"level_is_reported_until_it_is_gone", level_is_reported_until_it_is_gone},
    {"what_is_taken_out_is_silent_and_can_be_put_in_again", what_is_taken_out_is_silent_and_can_be_put_in_again},
    {"all_names_of_an_event_are_reported", all_names_of_an_event_are_reported},
    {"edge_is_reported_once_per_news", edge_is_reported_once_per_news},
    {"room_is_no_edge_unless_there_was_none", room_is_no_edge_unless_there_was_none},
    {"data_and_room_are_different_edges", data_and_room_are_different_edges},
    {"reading_is_no_edge_in_two_sets_either", reading_is_no_edge_in_two_sets_either},
    {"a_short_send_is_followed_by_an_edge", a_short_send_is_followed_by_an_edge},
    {"room_is_told_of_only_when_it_is_wanted", room_is_told_of_only_when_it_is_wanted},
    {"one_shot_is_silent_until_armed_anew", one_shot_is_silent_until_armed_anew},
    {"modify_changes_events_and_data", modify_changes_events_and_data},
    {"a_small_buffer_starves_nobody", a_small_buffer_starves_nobody},
    {"many_connections_in_many_slabs_are_told_apart", many_connections_in_many_slabs_are_told_apart},
    {"kernel_descriptors_get_their_share", kernel_descriptors_get_their_share},
    {"end_of_stream_is_reported", end_of_stream_is_reported},
    {"a_reset_is_one_edge", a_reset_is_one_edge},
    {"a_socket_in_two_sets_is_news_to_both", a_socket_in_two_sets_is_news_to_both},
    {"duplicates_are_reported_each", duplicates_are_reported_each},
    {"only_the_kernel_is_asked_when_nothing_is_ours", only_the_kernel_is_asked_when_nothing_is_ours},
    {0},
};

/* Sets and watches over close, mode changes, fork, and want of descriptors. */
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"
#include "pair.h"

static void a_closed_socket_is_forgotten(void)
{
    int epfd = make_set();
    for (int i = 0; i < 600; i++) { /* more than a slab has slots or places */
        struct pair pair = make_pair();
        add(epfd, pair.server, EPOLLIN);
        put(pair.client, "a");
        CHECK_EQUAL(wait_for(epfd, 8, 0).n, 1);
        close_end(pair.server);
        CHECK_EQUAL(wait_for(epfd, 8, 0).n, 0);
        close_end(pair.client);
    }
}

static void a_closed_set_gives_all_back(void)
{
    struct pair pair = make_pair();
    struct sd_socket *s = sd_socket_of(pair.server);
    struct sd_side *side = sd_own_side(s->slab, 1);
    for (int i = 0; i < 200; i++) { /* more than places in a slab */
        int epfd = make_set();
        add(epfd, pair.server, EPOLLIN);
        CHECK(sd_load(&side->claimed) != 0);
        close_end(epfd);
        CHECK_EQUAL(sd_load(&side->claimed), 0);
        CHECK_EQUAL(sd_load(&s->rx.dir->data_wait.watch), 0);
        CHECK_EQUAL(sd_load(&s->rx.dir->data_wait.armed), 0);
    }
    CHECK(dup(0) < 64); /* neither are descriptors lost */
}

static void a_duplicate_of_a_set_is_the_set(void)
{
    struct pair pair = make_pair();
    int epfd = make_set();
    add(epfd, pair.server, EPOLLIN);
    int copy = dup(epfd);
    sd_opened_dup(epfd, copy);
    put(pair.client, "a");
    CHECK_EQUAL(wait_for(copy, 8, 0).n, 1);
    close_end(epfd);
    CHECK_EQUAL(wait_for(copy, 8, 0).n, 1);
    add(copy, pair.client, EPOLLOUT);
    CHECK_EQUAL(wait_for(copy, 8, 0).n, 2);
}

static void events_follow_the_mode(void)
{
    struct pair pair = make_kernel_pair();
    int epfd = make_set();
    add(epfd, pair.server, EPOLLIN);
    put(pair.client, "a");
    CHECK_EQUAL(wait_soon(epfd).n, 1);
    CHECK_EQUAL(take(pair.server), 1);
    use_rings(pair);
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 0);
    put(pair.client, "a");
    struct got got = wait_for(epfd, 8, 0);
    CHECK_EQUAL(events_of(&got, pair.server), EPOLLIN);
    CHECK_EQUAL(take(pair.server), 1);
    use_kernel(pair.client);
    use_kernel(pair.server);
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 0);
    put(pair.client, "a");
    got = wait_soon(epfd);
    CHECK_EQUAL(events_of(&got, pair.server), EPOLLIN);
    CHECK_EQUAL(ctl(epfd, EPOLL_CTL_MOD, pair.server, EPOLLOUT), 0);
    got = wait_for(epfd, 8, 0);
    CHECK_EQUAL(events_of(&got, pair.server), EPOLLOUT);
}

static void a_disarmed_one_shot_stays_silent_in_the_kernel(void)
{
    struct pair pair = make_pair();
    int epfd = make_set();
    add(epfd, pair.server, EPOLLIN | EPOLLONESHOT);
    put(pair.client, "a");
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 1);
    CHECK_EQUAL(take(pair.server), 1);
    use_kernel(pair.client);
    use_kernel(pair.server);
    put(pair.client, "a");
    CHECK_EQUAL(wait_for(epfd, 8, 20 * MS).n, 0);
    CHECK_EQUAL(ctl(epfd, EPOLL_CTL_MOD, pair.server, EPOLLIN | EPOLLONESHOT), 0);
    CHECK_EQUAL(wait_soon(epfd).n, 1);
    CHECK_EQUAL(wait_for(epfd, 8, 0).n, 0);
    CHECK_EQUAL(ctl(epfd, EPOLL_CTL_DEL, pair.server, 0), 0);
}

static void use_rings_later(int fd);
static struct pair moving;

static void use_rings_later(int fd)
{
    (void)fd;
    use_rings(moving);
    nap(2 * MS);
    put(moving.client, "a");
}

static void a_mode_change_reaches_a_sleeper(void)
{
    struct later change;
    int epfd = make_set();
    moving = make_kernel_pair();
    add(epfd, moving.server, EPOLLIN);
    later(&change, 3 * MS, use_rings_later, 0);
    struct got got = wait_soon(epfd);
    CHECK_EQUAL(events_of(&got, moving.server), EPOLLIN);
    join(&change);
}

/* A socket whose offer does not come: bytes on the companion, or time, make it an ordinary one. */
static void become_pending(int fd, uint64_t left_ns)
{
    struct sd_socket *s = sd_socket_of(fd);
    sd_server_start(&s->server);
    sd_server_step(&s->server, SD_SERVER_EV_ACCEPT_HINTED, 0);
    sd_server_step(&s->server, SD_SERVER_EV_ABSENT, 0);
    s->deadline_ns = sd_now_ns() + left_ns;
    sd_store_release(&s->mode, SD_MODE_PENDING);
    sd_mode_announce(s);
}

static void an_offer_that_does_not_come_leaves_the_kernel(void)
{
    for (int early = 0; early < 2; early++) {
        struct pair pair = make_kernel_pair();
        struct later writer;
        int epfd = make_set();
        become_pending(pair.server, early ? 5000ull * MS : 5 * MS);
        add(epfd, pair.server, EPOLLIN);
        CHECK_EQUAL(wait_for(epfd, 8, 0).n, 0);
        later(&writer, early ? MS : 20 * MS, put_x, pair.client);
        struct got got = wait_soon(epfd);
        CHECK_EQUAL(events_of(&got, pair.server), EPOLLIN);
        CHECK_EQUAL(sd_load(&sd_socket_of(pair.server)->mode), SD_MODE_KERNEL);
        CHECK_EQUAL(take(pair.server), 1);
        join(&writer);
    }
}

static void an_expired_offer_does_not_delay_the_others(void)
{
    struct pair pair = make_kernel_pair(), other = make_pair();
    struct later writer;
    int epfd = make_set();
    become_pending(pair.server, 30 * MS);
    add(epfd, pair.server, EPOLLIN | EPOLLOUT);
    add(epfd, other.server, EPOLLIN);
    later(&writer, MS, put_x, other.client);
    struct got got = wait_soon(epfd);
    CHECK_EQUAL(events_of(&got, other.server), EPOLLIN);
    CHECK_EQUAL(take(other.server), 1);
    got = wait_soon(epfd);
    CHECK_EQUAL(events_of(&got, pair.server), EPOLLOUT);
    join(&writer);
}

static int child_status(pid_t child)
{
    int status = -1;
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    return status;
}

static int hidden_descriptors(void)
{
    int n = 0;
    for (int fd = sd_next_hidden(0); fd >= 0; fd = sd_next_hidden(fd + 1))
        n++;
    return n;
}

static pid_t fork_us(void)
{
    sd_fork_prepare();
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        sd_fork_child();
    else
        sd_fork_parent();
    return child;
}

static void a_child_uses_an_inherited_set(void)
{
    struct pair pair = make_pair();
    int epfd = make_set();
    add(epfd, pair.server, EPOLLIN);
    CHECK_EQUAL(hidden_descriptors(), 2); /* the region and the bell of the set */
    pid_t child = fork_us();
    if (child == 0) {
        CHECK_EQUAL(hidden_descriptors(), 1);
        struct got got = wait_soon(epfd);
        CHECK_EQUAL(events_of(&got, pair.server), EPOLLIN);
        CHECK_EQUAL(take(pair.server), 1);
        CHECK_EQUAL(wait_for(epfd, 8, 0).n, 0);
        _exit(0);
    }
    nap(20 * MS);
    put(pair.client, "a");
    CHECK_EQUAL(child_status(child), 0);
}

static void what_a_child_closes_stays_with_the_parent(void)
{
    struct pair pair = make_pair();
    int epfd = make_set();
    add(epfd, pair.server, EPOLLIN);
    pid_t child = fork_us();
    if (child == 0) {
        close_end(pair.server);
        close_end(pair.client);
        close_end(epfd);
        _exit(0);
    }
    CHECK_EQUAL(child_status(child), 0);
    struct later writer;
    later(&writer, 3 * MS, put_x, pair.client);
    CHECK_EQUAL(wait_soon(epfd).n, 1);
    join(&writer);
}

static void parent_and_child_both_hear(void)
{
    struct pair pair = make_pair();
    int epfd = make_set();
    add(epfd, pair.server, EPOLLIN);
    pid_t child = fork_us();
    int own = make_set();
    add(own, pair.server, EPOLLIN);
    if (child) {
        nap(20 * MS);
        put(pair.client, "a");
    }
    CHECK_EQUAL(wait_soon(own).n, 1); /* level, and nobody reads */
    if (child == 0)
        _exit(0);
    CHECK_EQUAL(child_status(child), 0);
}

static void without_a_bell_it_still_works(void)
{
    struct pair pairs[2] = {make_pair(), make_pair()};
    int epfd = make_set(), outer = make_set();
    add(outer, pairs[1].client, EPOLLIN);
    sd_thread_bell();
    struct rlimit limit;
    CHECK_EQUAL(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = (rlim_t)outer + 1;
    CHECK_EQUAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
    add(epfd, pairs[0].server, EPOLLIN);
    struct later writer;
    later(&writer, 3 * MS, put_x, pairs[0].client);
    struct got got = wait_soon(epfd);
    CHECK_EQUAL(events_of(&got, pairs[0].server), EPOLLIN);
    join(&writer);
}

const struct test life_tests[] = {
    {"a_closed_socket_is_forgotten", a_closed_socket_is_forgotten},
    {"a_closed_set_gives_all_back", a_closed_set_gives_all_back},
    {"a_duplicate_of_a_set_is_the_set", a_duplicate_of_a_set_is_the_set},
    {"events_follow_the_mode", events_follow_the_mode},
    {"a_disarmed_one_shot_stays_silent_in_the_kernel", a_disarmed_one_shot_stays_silent_in_the_kernel},
    {"a_mode_change_reaches_a_sleeper", a_mode_change_reaches_a_sleeper},
    {"an_offer_that_does_not_come_leaves_the_kernel", an_offer_that_does_not_come_leaves_the_kernel},
    {"an_expired_offer_does_not_delay_the_others", an_expired_offer_does_not_delay_the_others},
    {"a_child_uses_an_inherited_set", a_child_uses_an_inherited_set},
    {"what_a_child_closes_stays_with_the_parent", what_a_child_closes_stays_with_the_parent},
    {"parent_and_child_both_hear", parent_and_child_both_hear},
    {"without_a_bell_it_still_works", without_a_bell_it_still_works},
    {0},
};

/* Doorbells: who sleeps is reached, whatever else lies unread, and from whichever network namespace. */
#include <fcntl.h>
#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cases.h"
#include "core/api.h"

enum { DEAF = 40, RINGS = 20 }; /* the kernel takes some 280 datagrams of one socket */

static struct sd_bell open_bell(void)
{
    struct sd_bell bell;
    CHECK_EQUAL(sd_bell_open(&bell), 0);
    return bell;
}

static bool rings(const struct sd_bell *bell)
{
    struct pollfd p = {.fd = bell->fd, .events = POLLIN};
    return sd_sys_ppoll(&p, 1, &(struct timespec){0}, NULL) == 1;
}

static bool is_reached(struct sd_bell bell)
{
    CHECK(!rings(&bell));
    sd_bell_ring(bell.name);
    bool reached = rings(&bell);
    sd_bell_close(&bell);
    return reached;
}

static void have_descriptors(void)
{
    sd_sys_close((int)sd_sys_socket(AF_INET, SOCK_STREAM, 0));
}

/* They are stopped, or an enemy's. */
static void a_bell_is_reached_though_others_do_not_answer_theirs(void)
{
    have_descriptors();
    for (int i = 0; i < DEAF; i++) {
        struct sd_bell deaf = open_bell();
        for (int times = 0; times < RINGS; times++)
            sd_bell_ring(deaf.name);
    }
    CHECK(is_reached(open_bell()));
}

/* The kernel takes nothing more from this socket, whoever should read it. */
static bool is_silenced(int fd)
{
    int unread = -1, room = -1;
    socklen_t len = sizeof room;
    CHECK_EQUAL(sd_sys_ioctl(fd, SIOCOUTQ, &unread), 0);
    CHECK_EQUAL(sd_sys_getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, &len), 0);
    return unread > room - 4096;
}

/* Who lets his bells overflow costs others one socket, not one for each ring from then on. */
static void what_others_do_not_read_is_left_behind_once(void)
{
    have_descriptors();
    CHECK(is_reached(open_bell()));
    int fd = sd_load(&sd_g.ringer_fd[0]);
    a_bell_is_reached_though_others_do_not_answer_theirs();
    CHECK_EQUAL(sd_load(&sd_g.ringer_fd[0]), fd);
    CHECK(sd_sys_fcntl(fd, F_GETFD, 0) & FD_CLOEXEC);
    CHECK(!is_silenced(fd));
}

static void a_bell_without_a_hiding_place_leaves_no_descriptor_behind(void)
{
    uint32_t count = sd_g.file_count;
    struct sd_bell bell;
    have_descriptors();
    long lowest = sd_sys_fcntl(0, F_DUPFD, 0);
    sd_sys_close((int)lowest);
    sd_g.file_count = 0;
    CHECK(sd_bell_open(&bell) < 0);
    sd_bell_ring(1);
    sd_g.file_count = count;
    CHECK_EQUAL(sd_sys_fcntl(0, F_DUPFD, 0), lowest);
}

static void go_elsewhere(void)
{
    CHECK(unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0);
    sd_bells_elsewhere();
}

static void a_process_that_goes_elsewhere_reaches_the_bells_of_both_places(void)
{
    have_descriptors();
    CHECK(is_reached(open_bell()));
    struct sd_bell left_behind = open_bell();
    go_elsewhere();
    CHECK(is_reached(open_bell()));
    go_elsewhere();
    CHECK(is_reached(open_bell()));
    CHECK(is_reached(left_behind));
}

/* Nothing goes to whoever has the number of a socket that is gone. */
static void going_elsewhere_keeps_the_numbers(void)
{
    int before[SD_RINGERS];
    have_descriptors();
    go_elsewhere();
    sd_bell_ring(1); /* nobody's: both are tried */
    for (int i = 0; i < SD_RINGERS; i++)
        CHECK((before[i] = sd_load(&sd_g.ringer_fd[i])) >= 0);
    go_elsewhere();
    for (int i = 0; i < SD_RINGERS; i++) {
        CHECK_EQUAL(sd_load(&sd_g.ringer_fd[i]), before[i]);
        CHECK_EQUAL(sd_load(&sd_g.files[before[i]].kind), SD_FILE_HIDDEN);
        CHECK(sd_sys_fcntl(before[i], F_GETFD, 0) & FD_CLOEXEC);
    }
}

static void *receive_one(void *end)
{
    char byte;
    CHECK_EQUAL(sd_recv(*(int *)end, &byte, 1, 0), 1);
    return NULL;
}

static void a_sleeper_without_a_place_takes_the_next_that_is_free(void)
{
    struct pair pair = make_pair();
    _Atomic uint32_t *place = sd_socket_of(pair.server)->rx.dir->data_wait.sleepers;
    pthread_t sleeper;
    blocking(pair.server, true);
    for (uint32_t i = 0; i < SD_SLEEPERS; i++)
        sd_store(&place[i], 1); /* nobody's bell */
    CHECK_EQUAL(pthread_create(&sleeper, NULL, receive_one, &pair.server), 0);
    usleep(100000);
    sd_store(&place[0], 0);
    for (int tries = 0; tries < 5000 && !sd_load(&place[0]); tries++)
        usleep(1000);
    CHECK(sd_load(&place[0]));
    put(pair.client, "x");
    CHECK_EQUAL(pthread_join(sleeper, NULL), 0);
}

const struct test bell_tests[] = {
    {"a_bell_is_reached_though_others_do_not_answer_theirs", a_bell_is_reached_though_others_do_not_answer_theirs},
    {"what_others_do_not_read_is_left_behind_once", what_others_do_not_read_is_left_behind_once},
    {"a_bell_without_a_hiding_place_leaves_no_descriptor_behind",
     a_bell_without_a_hiding_place_leaves_no_descriptor_behind},
    {"a_process_that_goes_elsewhere_reaches_the_bells_of_both_places",
     a_process_that_goes_elsewhere_reaches_the_bells_of_both_places},
    {"going_elsewhere_keeps_the_numbers", going_elsewhere_keeps_the_numbers},
    {"a_sleeper_without_a_place_takes_the_next_that_is_free", a_sleeper_without_a_place_takes_the_next_that_is_free},
    {0},
};

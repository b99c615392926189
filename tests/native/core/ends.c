/* Objects and slots end while others still use them. */
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "cases.h"
#include "core/ring.h"
#include "core/thread.h"

/* Runs once in the moment after a call has left its token and before it tells the peer: see __wrap_sd_attend. */
static void (*_Atomic before_attend)(void);

void __real_sd_attend(struct sd_socket *s, struct sd_attention *attention, uint32_t armed, bool data);
void __wrap_sd_attend(struct sd_socket *s, struct sd_attention *attention, uint32_t armed, bool data);

void __wrap_sd_attend(struct sd_socket *s, struct sd_attention *attention, uint32_t armed, bool data)
{
    void (*act)(void) = sd_load(&before_attend) ? atomic_exchange(&before_attend, NULL) : NULL;
    if (act)
        act();
    __real_sd_attend(s, attention, armed, data);
}

/* What stood in a slot when it was given back: see __wrap_sd_release_slot. */
static struct sd_slot *watch_release;
static bool released;
static uint64_t marked_then;

void __real_sd_release_slot(struct sd_socket *s, bool for_peer_too);
void __wrap_sd_release_slot(struct sd_socket *s, bool for_peer_too);

void __wrap_sd_release_slot(struct sd_socket *s, bool for_peer_too)
{
    if (s->slot == watch_release) {
        released = true;
        marked_then = sd_load(&s->rx.dir->data_wait.watch) | sd_load(&s->tx.dir->room_wait.watch);
    }
    __real_sd_release_slot(s, for_peer_too);
}

static struct pair closing;
static _Atomic bool enough;

static void *close_and_open(void *unused)
{
    (void)unused;
    close_end(closing.client);
    make_kernel_pair(); /* takes the first free objects */
    make_kernel_pair();
    return NULL;
}

static void close_elsewhere(void)
{
    pthread_t thread;
    CHECK_EQUAL(pthread_create(&thread, NULL, close_and_open, NULL), 0);
    CHECK_EQUAL(pthread_join(thread, NULL), 0);
}

/* A thread has sent; before it can wake the peer, another got the answer, closes, and opens a new socket. */
static void a_close_behind_a_send_disturbs_nothing(void)
{
    closing = make_pair();
    int epfd = make_set();
    add(epfd, closing.server, EPOLLIN);
    sd_store(&before_attend, close_elsewhere);
    CHECK_EQUAL(sd_send(closing.client, "a", 1, 0), 1);
    CHECK_EQUAL(wait_soon(epfd).n, 1);
}

static void a_close_behind_a_receive_disturbs_nothing(void)
{
    char byte;
    struct pair pair = make_pair();
    closing = (struct pair){.client = pair.server, .server = pair.client};
    sd_arm(sd_socket_of(pair.client), POLLOUT, 1);
    put(pair.client, "a");
    sd_store(&before_attend, close_elsewhere);
    CHECK_EQUAL(sd_recv(pair.server, &byte, 1, 0), 1);
}

/* --- looks without a token --- */

static void *look_on(void *argument)
{
    const int *fd = argument;
    while (!sd_load(&enough))
        sd_readiness(sd_socket_of(*fd));
    return NULL;
}

/* The thread sanitizer says whether what ends is told to who looks by words that both may use. */
static void a_thread_may_look_while_another_sees_the_end(void)
{
    char byte;
    struct pair pair = make_pair();
    pthread_t looks;
    sd_store(&enough, false);
    CHECK_EQUAL(pthread_create(&looks, NULL, look_on, &pair.server), 0);
    put(pair.client, "a");
    close_end(pair.client);
    CHECK_EQUAL(sd_recv(pair.server, &byte, 1, 0), 1);
    CHECK_EQUAL(sd_recv(pair.server, &byte, 1, 0), 0);
    CHECK_EQUAL(sd_send(pair.server, "b", 1, MSG_NOSIGNAL), 1);
    CHECK_EQUAL(sd_send(pair.server, "b", 1, MSG_NOSIGNAL), -EPIPE);
    sd_store(&enough, true);
    CHECK_EQUAL(pthread_join(looks, NULL), 0);
}

/* --- marks in the slot --- */

static void two_watch(struct pair pair, int first, int second)
{
    add(first, pair.server, EPOLLIN);
    add(second, pair.server, EPOLLIN);
    CHECK_EQUAL(ctl(first, EPOLL_CTL_DEL, pair.server, 0), 0);
    put(pair.client, "a");
    CHECK_EQUAL(wait_soon(second).n, 1);
    CHECK_EQUAL(take(pair.server), 1);
    CHECK_EQUAL(ctl(second, EPOLL_CTL_DEL, pair.server, 0), 0);
}

static void the_set_that_stays_hears_on(void)
{
    struct pair pair = make_pair();
    int first = make_set(), second = make_set();
    for (int i = 0; i < 20; i++)
        two_watch(pair, first, second);
}

/* One thread takes its mark off again and again, each time when told: `go` counts rounds, `gone` those that are done. */
static _Atomic uint32_t go, gone;

enum { ROUNDS = 20000 };

static void *leave_when_told(void *argument)
{
    struct sd_socket *s = argument;
    for (uint32_t round = 1; round <= ROUNDS && !sd_load(&enough); round++) {
        int place = sd_watch_slab(s, 0x1234567);
        CHECK(place >= 0);
        sd_store_release(&gone, 2 * round - 1);
        while (sd_load_acquire(&go) < 2 * round - 1)
            sd_cpu_pause();
        sd_unwatch(s, place);
        sd_store_release(&gone, 2 * round);
        while (sd_load_acquire(&go) < 2 * round)
            sched_yield();
    }
    return NULL;
}

/* Marks of two sets, one of which comes just when the other leaves. */
static void a_set_that_comes_keeps_its_mark(void)
{
    struct pair pair = make_pair();
    struct sd_socket *s = sd_socket_of(pair.server);
    pthread_t thread;
    CHECK_EQUAL(pthread_create(&thread, NULL, leave_when_told, s), 0);
    uint64_t until_ns = sd_now_ns() + 1500ull * MS;
    for (uint32_t round = 1; round <= ROUNDS && !sd_load(&enough); round++) {
        while (sd_load_acquire(&gone) < 2 * round - 1)
            sched_yield();
        sd_store_release(&go, 2 * round - 1);
        for (uint32_t i = random_below(40); i; i--)
            sd_cpu_pause();
        int place = sd_watch_slab(s, 0x7654321);
        while (sd_load_acquire(&gone) < 2 * round)
            sched_yield();
        CHECK(sd_load(&s->rx.dir->data_wait.armed) & SD_ARM_WATCHED);
        sd_unwatch(s, place);
        sd_leave_slab(s->slab, 1, place);
        sd_store(&enough, sd_now_ns() > until_ns);
        sd_store_release(&go, 2 * round);
    }
    CHECK_EQUAL(pthread_join(thread, NULL), 0);
}

/* The slot of a connection that moved is used again only when nobody of ours marks it any more. */
static void a_slot_is_given_back_without_marks(void)
{
    struct pair pair = make_pair();
    struct sd_socket *s = sd_socket_of(pair.server);
    struct sd_slot *slot = s->slot;
    int epfd = make_set();
    add(epfd, pair.server, EPOLLIN);
    sd_store(&slot->done, 1); /* the client is done already */
    watch_release = slot;
    CHECK_EQUAL(sd_move_to_kernel(pair.server, SD_REASON_MOVED_EXEC, true), 0);
    CHECK(released && !marked_then);
}

const struct test end_tests[] = {
    {"a_thread_may_look_while_another_sees_the_end", a_thread_may_look_while_another_sees_the_end},
    {"a_close_behind_a_send_disturbs_nothing", a_close_behind_a_send_disturbs_nothing},
    {"a_close_behind_a_receive_disturbs_nothing", a_close_behind_a_receive_disturbs_nothing},
    {"the_set_that_stays_hears_on", the_set_that_stays_hears_on},
    {"a_set_that_comes_keeps_its_mark", a_set_that_comes_keeps_its_mark},
    {"a_slot_is_given_back_without_marks", a_slot_is_given_back_without_marks},
    {0},
};

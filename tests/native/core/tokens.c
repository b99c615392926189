/* Tokens: never two inside, nobody starves, a dead holder is no obstacle, a handler does not wait for what it interrupted. */
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"
#include "core/thread.h"

enum { THREADS = 5, TURNS = 4000 };

static struct sd_token token;
static _Atomic int inside;
static _Atomic long turns[THREADS];
static _Atomic bool over;

static void once(void)
{
    CHECK(sd_token_enter(&token));
    CHECK_EQUAL(atomic_fetch_add(&inside, 1), 0);
    atomic_fetch_sub(&inside, 1);
    sd_token_leave(&token);
}

static void *take_turns(void *argument)
{
    _Atomic long *mine = argument;
    while (sd_load(mine) < TURNS && !sd_load(&over)) {
        once();
        atomic_fetch_add(mine, 1);
    }
    return NULL;
}

static void have_threads(void)
{
    int fd = (int)sd_sys_socket(AF_INET, SOCK_STREAM, 0);
    sd_opened_socket(fd, AF_INET, SOCK_STREAM); /* makes the region */
    sd_token_reset(&token);
}

static void never_two_are_inside_and_nobody_starves(void)
{
    pthread_t thread[THREADS];
    have_threads();
    for (int i = 0; i < THREADS; i++)
        CHECK_EQUAL(pthread_create(&thread[i], NULL, take_turns, &turns[i]), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQUAL(pthread_join(thread[i], NULL), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQUAL(sd_load(&turns[i]), TURNS);
}

static void *one_turn(void *unused)
{
    (void)unused;
    once();
    return NULL;
}

/* A thread that ends keeps its tokens; the next in its slot or elsewhere gets them. */
static void threads_that_end_leave_their_tokens(void)
{
    have_threads();
    for (int i = 0; i < 300; i++) {
        pthread_t thread;
        CHECK_EQUAL(pthread_create(&thread, NULL, one_turn, NULL), 0);
        if (i % 2)
            once();
        CHECK_EQUAL(pthread_join(thread, NULL), 0);
        once();
        if (i % 50 == 0)
            sd_token_reset(&token);
    }
}

/* --- death --- */

static struct sd_token *shared_token(void)
{
    have_threads();
    return &sd_socket_of(sd_next_open(0))->tx.token; /* in the region, shared with children */
}

/* A child enters, tells, and is killed inside. */
static void die_inside(struct sd_token *t, bool wait_for_it)
{
    int pipes[2];
    char byte;
    CHECK_EQUAL(pipe(pipes), 0);
    sd_fork_prepare();
    pid_t child = fork();
    if (child == 0) {
        sd_fork_child();
        if (!sd_token_enter(t) || write(pipes[1], "", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    sd_fork_parent();
    CHECK_EQUAL(read(pipes[0], &byte, 1), 1);
    kill(child, SIGKILL);
    if (wait_for_it)
        waitpid(child, NULL, 0);
    close(pipes[0]);
    close(pipes[1]);
}

static void a_killed_holder_is_followed(void)
{
    struct sd_token *t = shared_token();
    for (int i = 0; i < 12; i++) { /* biased at first, then locked */
        die_inside(t, true);
        CHECK(sd_token_enter(t));
        sd_token_leave(t);
    }
    CHECK_EQUAL(sd_load(&t->word) >> SD_TOKEN_STATE_SHIFT, SD_TOKEN_OWNER_SHARED);
}

/* Make all other slots look taken, so that the next thread gets the slot of the dead one. */
static void fill_other_slots(const struct sd_thread *but)
{
    for (uint32_t i = 0; i < SD_THREADS; i++) {
        struct sd_thread *slot = &sd_g.threads[i];
        if (slot != but && slot != sd_self) {
            sd_store(&slot->who, sd_thread_who(sd_g.pid, (uint32_t)sd_sys_gettid()));
        }
    }
}

static _Atomic(struct sd_token *) wanted;

static void *enter_wanted(void *unused)
{
    (void)unused;
    struct sd_token *t = sd_load(&wanted);
    CHECK(sd_token_enter(t));
    sd_token_leave(t);
    return NULL;
}

static struct sd_thread *owner_of(struct sd_token *t)
{
    uint32_t id = (uint32_t)(sd_load(&t->word) >> SD_TOKEN_OWNER_SHIFT) & (SD_THREADS * 2 - 1);
    CHECK(id != 0);
    return &sd_g.threads[id - 1];
}

static void a_slot_used_again_holds_nothing_of_the_dead(void)
{
    struct sd_token *t = shared_token();
    pthread_t thread;
    for (int i = 0; i < 8; i++) {
        die_inside(t, true);
        if (i < 7) {
            CHECK(sd_token_enter(t));
            sd_token_leave(t);
        }
    }
    fill_other_slots(owner_of(t));
    sd_store(&wanted, t);
    CHECK_EQUAL(pthread_create(&thread, NULL, enter_wanted, NULL), 0);
    CHECK_EQUAL(pthread_join(thread, NULL), 0);
    CHECK(sd_token_enter(t));
    sd_token_leave(t);
}

static uint32_t waiters_of(struct sd_token *t)
{
    return (uint32_t)(sd_load(&t->word) >> SD_TOKEN_WAITERS_SHIFT) & ((1u << 14) - 1);
}

static void until_waiters(struct sd_token *t, uint32_t number)
{
    while (waiters_of(t) != number)
        sd_sys_yield();
}

static pid_t queueing_child(struct sd_token *t)
{
    sd_fork_prepare();
    pid_t child = fork();
    if (child == 0) {
        sd_fork_child();
        sd_token_enter(t);
        _exit(0);
    }
    sd_fork_parent();
    return child;
}

static void kill_child(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* In each mode: two dead ones stand before a living one, and one behind. */
static void waiters_that_died_are_passed_over(void)
{
    struct sd_token *t = shared_token();
    pthread_t thread;
    for (int i = 0; i < 8; i++) {
        pid_t child[3];
        CHECK(sd_token_enter(t));
        for (uint32_t k = 0; k < 2; k++) {
            child[k] = queueing_child(t);
            until_waiters(t, k + 1);
        }
        sd_store(&wanted, t);
        CHECK_EQUAL(pthread_create(&thread, NULL, enter_wanted, NULL), 0);
        until_waiters(t, 3);
        child[2] = queueing_child(t);
        until_waiters(t, 4);
        for (int k = 0; k < 3; k++)
            kill_child(child[k]);
        sd_token_leave(t);
        CHECK_EQUAL(pthread_join(thread, NULL), 0);
        CHECK(sd_token_enter(t));
        sd_token_leave(t);
        CHECK_EQUAL(waiters_of(t), 0);
    }
    CHECK_EQUAL(sd_load(&t->word) >> SD_TOKEN_STATE_SHIFT, SD_TOKEN_OWNER_SHARED);
}

/* --- first come, first served --- */

enum { QUEUE = 6 };
static int order[QUEUE];
static _Atomic int served;

static void *note_order(void *number)
{
    struct sd_token *t = sd_load(&wanted);
    CHECK(sd_token_enter(t));
    order[atomic_fetch_add(&served, 1)] = *(const int *)number;
    sd_token_leave(t);
    return NULL;
}

static void serve_a_queue(struct sd_token *t)
{
    pthread_t thread[QUEUE];
    int number[QUEUE];
    sd_store(&served, 0);
    CHECK(sd_token_enter(t));
    for (int i = 0; i < QUEUE; i++) {
        number[i] = i;
        CHECK_EQUAL(pthread_create(&thread[i], NULL, note_order, &number[i]), 0);
        until_waiters(t, (uint32_t)i + 1);
    }
    sd_token_leave(t);
    CHECK(sd_token_enter(t)); /* who had it stands in line, too */
    CHECK_EQUAL(sd_load(&served), QUEUE);
    sd_token_leave(t);
    for (int i = 0; i < QUEUE; i++) {
        CHECK_EQUAL(pthread_join(thread[i], NULL), 0);
        CHECK_EQUAL(order[i], i);
    }
}

static void first_come_first_served_in_either_mode(void)
{
    have_threads();
    sd_store(&wanted, &token);
    for (int i = 0; i < 20; i++) {
        if (i == 10)
            sd_token_reset(&token);
        serve_a_queue(&token);
    }
}

/* A socket object becomes another one while threads queue for it: nobody waits for ever. */
static void a_token_made_anew_forgets_no_waiter(void)
{
    pthread_t thread;
    have_threads();
    sd_store(&wanted, &token);
    CHECK(sd_token_enter(&token));
    CHECK_EQUAL(pthread_create(&thread, NULL, enter_wanted, NULL), 0);
    until_waiters(&token, 1);
    sd_token_reset(&token); /* from now on it is nobody's, also ours no more */
    CHECK_EQUAL(pthread_join(thread, NULL), 0);
    sd_token_leave(&token);
}

/* A child in a PID namespace of its own has numbers that mean nothing here: it must not be taken for dead. */
static void a_thread_of_another_pid_namespace_is_not_taken_for_dead(void)
{
    have_threads();
    struct sd_thread *slot = &sd_g.threads[sd_self->id % SD_THREADS];
    uint64_t nobody = sd_thread_who(4194303, 4194303);
    sd_store(&slot->who, nobody ^ UINT64_C(1) << 63);
    CHECK(sd_thread_lives(slot));
    sd_store(&slot->who, nobody);
    CHECK(!sd_thread_lives(slot));
}

static uint64_t space_of_child(bool asks)
{
    int pipes[2];
    uint64_t space = 0;
    CHECK_EQUAL(pipe(pipes), 0);
    sd_fork_prepare();
    pid_t child = fork();
    if (child == 0) {
        struct stat about;
        sd_fork_child();
        CHECK_EQUAL(sd_load(&sd_g.pid_space) == 0, asks);
        space = sd_thread_who(0, 0);
        CHECK(stat("/proc/thread-self/ns/pid", &about) == 0 || stat("/proc/self/ns/pid", &about) == 0);
        CHECK_EQUAL((uint32_t)(space >> 44), (uint32_t)about.st_ino & 0xfffff);
        CHECK_EQUAL(write(pipes[1], &space, sizeof space), (ssize_t)sizeof space);
        _exit(0);
    }
    sd_fork_parent();
    CHECK_EQUAL(read(pipes[0], &space, sizeof space), (ssize_t)sizeof space);
    waitpid(child, NULL, 0);
    return space;
}

/* To ask takes longer than all else that a child's first message needs. */
static void a_child_asks_for_its_pid_namespace_only_if_it_may_be_another(void)
{
    have_threads();
    uint64_t ours = sd_thread_who(0, 0);
    CHECK_EQUAL(space_of_child(false), ours);
    CHECK(unshare(CLONE_NEWPID) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWPID) == 0);
    CHECK(space_of_child(true) != ours);
}

/* Killed between counting the bytes and moving head: the next reader finds all of them. */
static void a_reader_that_died_leaves_every_byte(void)
{
    struct pair pair = make_pair();
    struct sd_socket *s = sd_socket_of(pair.server);
    char text[8];
    int pipes[2];
    put(pair.client, "abcdef");
    CHECK_EQUAL(pipe(pipes), 0);
    sd_fork_prepare();
    pid_t child = fork();
    if (child == 0) {
        sd_fork_child();
        CHECK(sd_token_enter(&s->rx.token));
        s->rx.tail_seen = 6;
        s->rx.m.avail = 2; /* 4 bytes are being copied */
        CHECK_EQUAL(write(pipes[1], "", 1), 1);
        for (;;)
            pause();
    }
    sd_fork_parent();
    CHECK_EQUAL(read(pipes[0], text, 1), 1);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    CHECK_EQUAL(sd_recv(pair.server, text, 8, 0), 6);
    CHECK(memcmp(text, "abcdef", 6) == 0);
}

/* --- handlers --- */

static int handler_fd;
static _Atomic long handler_result;

static void send_in_handler(int sig)
{
    (void)sig;
    sd_store(&handler_result, sd_send(handler_fd, "h", 1, 0));
}

/* A handler that interrupts a send of its own thread cannot wait for it. */
static void a_handler_inside_a_send_returns(void)
{
    struct pair pair = make_pair();
    struct sd_socket *s = sd_socket_of(pair.client);
    blocking(pair.client, true);
    handler_fd = pair.client;
    signal(SIGUSR1, send_in_handler);
    put(pair.client, "a");
    CHECK(sd_token_enter(&s->tx.token)); /* inside the send */
    raise(SIGUSR1);
    sd_token_leave(&s->tx.token);
    CHECK_EQUAL(sd_load(&handler_result), -EAGAIN);
    raise(SIGUSR1);
    CHECK_EQUAL(sd_load(&handler_result), 1);
}

static sigjmp_buf back;
static _Atomic int handled;

static void jump_back(int sig)
{
    (void)sig;
    atomic_fetch_add(&handled, 1);
    siglongjmp(back, 1);
}

/* As deep as any call that comes after it. */
static __attribute__((noinline)) void interrupted_inside(struct sd_token *t)
{
    char room[16384];
    memset(room, 0, sizeof room);
    __asm__ volatile("" : : "r"(room) : "memory");
    CHECK(sd_token_enter(t));
    raise(SIGUSR1);
}

/* A handler leaves what it interrupted by longjmp: the next call from there finds the token and gets it. */
static void a_token_left_by_longjmp_is_found(void)
{
    struct pair pair = make_pair();
    struct sd_socket *s = sd_socket_of(pair.client);
    signal(SIGUSR1, jump_back);
    for (volatile int i = 0; i < 6; i++) {
        if (sigsetjmp(back, 1) == 0)
            interrupted_inside(&s->tx.token);
        CHECK_EQUAL(sd_send(pair.client, "a", 1, 0), 1);
    }
    CHECK_EQUAL(sd_load(&sd_self->busy[0]), NULL);
    CHECK_EQUAL(sd_load(&handled), 6);
}

enum { LONG = 3 * SD_RING_BYTES, JUMPS = 5, JUMP_US = 20000 };

/* As deep as any call that comes after it. */
static __attribute__((noinline)) void send_until_a_jump(int fd, const uint8_t *bytes)
{
    char room[16384];
    const struct itimerval soon = {.it_value = {.tv_usec = JUMP_US}};
    memset(room, 0, sizeof room);
    __asm__ volatile("" : : "r"(room) : "memory");
    CHECK_EQUAL(setitimer(ITIMER_REAL, &soon, NULL), 0);
    sd_send(fd, bytes, LONG, 0);
    CHECK(!"all of it found room");
}

/* What it has sent is the beginning of what it was to send, in the ring and nowhere else; and nothing is held for it. */
static void a_long_send_left_by_longjmp_has_sent_its_beginning(void)
{
    static uint8_t bytes[LONG];
    struct pair pair = make_pair();
    struct sd_socket *s = sd_socket_of(pair.client);
    blocking(pair.client, true);
    signal(SIGALRM, jump_back);
    for (volatile int i = 0; i < JUMPS; i++) {
        uint64_t begin = s->tx.tail;
        fill_stream(bytes, begin, LONG);
        if (sigsetjmp(back, 1) == 0)
            send_until_a_jump(pair.client, bytes);
        uint64_t sent = s->tx.tail - begin;
        CHECK(sent > 0 && sent <= SD_RING_BYTES);
        CHECK_EQUAL(receive(pair.server, bytes, LONG, 0), sent);
        check_stream(bytes, begin, sent);
    }
    CHECK_EQUAL(sd_load(&handled), JUMPS);
    fill_stream(bytes, s->tx.tail, 1);
    CHECK_EQUAL(sd_sendv(pair.client, &(struct iovec){bytes, 1}, 1, 0), 1);
    CHECK_EQUAL(receive(pair.server, bytes, LONG, 0), 1);
    CHECK_EQUAL(sd_load(&sd_self->busy[0]), NULL);
    CHECK_EQUAL(sd_load(&s->pins), 0);
}

static void *jump_out_of_the_queue(void *unused)
{
    (void)unused;
    struct sd_token *t = sd_load(&wanted);
    if (sigsetjmp(back, 1) == 0) {
        CHECK(sd_token_enter(t));
        sd_token_leave(t);
        CHECK(!"the signal is delivered when the token is left");
    }
    return NULL;
}

/* A signal that comes in the queue is handled when the token is left, so no ticket is left behind. */
static void a_handler_cannot_leave_the_queue(void)
{
    pthread_t thread;
    have_threads();
    signal(SIGUSR1, jump_back);
    sd_store(&wanted, &token);
    for (int i = 0; i < 8; i++) {
        CHECK(sd_token_enter(&token));
        CHECK_EQUAL(pthread_create(&thread, NULL, jump_out_of_the_queue, NULL), 0);
        until_waiters(&token, 1);
        CHECK_EQUAL(pthread_kill(thread, SIGUSR1), 0);
        sd_token_leave(&token);
        CHECK_EQUAL(pthread_join(thread, NULL), 0);
        CHECK_EQUAL(sd_load(&handled), i + 1);
        CHECK(sd_token_enter(&token));
        sd_token_leave(&token);
    }
}

const struct test token_tests[] = {
    {"never_two_are_inside_and_nobody_starves", never_two_are_inside_and_nobody_starves},
    {"threads_that_end_leave_their_tokens", threads_that_end_leave_their_tokens},
    {"a_killed_holder_is_followed", a_killed_holder_is_followed},
    {"a_slot_used_again_holds_nothing_of_the_dead", a_slot_used_again_holds_nothing_of_the_dead},
    {"waiters_that_died_are_passed_over", waiters_that_died_are_passed_over},
    {"first_come_first_served_in_either_mode", first_come_first_served_in_either_mode},
    {"a_token_made_anew_forgets_no_waiter", a_token_made_anew_forgets_no_waiter},
    {"a_thread_of_another_pid_namespace_is_not_taken_for_dead",
     a_thread_of_another_pid_namespace_is_not_taken_for_dead},
    {"a_child_asks_for_its_pid_namespace_only_if_it_may_be_another",
     a_child_asks_for_its_pid_namespace_only_if_it_may_be_another},
    {"a_reader_that_died_leaves_every_byte", a_reader_that_died_leaves_every_byte},
    {"a_handler_inside_a_send_returns", a_handler_inside_a_send_returns},
    {"a_token_left_by_longjmp_is_found", a_token_left_by_longjmp_is_found},
    {"a_long_send_left_by_longjmp_has_sent_its_beginning", a_long_send_left_by_longjmp_has_sent_its_beginning},
    {"a_handler_cannot_leave_the_queue", a_handler_cannot_leave_the_queue},
    {0},
};

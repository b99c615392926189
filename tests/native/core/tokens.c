/* Tokens: never two inside, nobody starves, a dead holder is no obstacle, a handler does not wait for what it interrupted. */
#include <signal.h>
#include <string.h>
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
    CHECK_EQUAL(sd_load(&t->owner), SD_TOKEN_LOCKED);
}

/* Make all other slots look taken, so that the next thread gets the slot of the dead one. */
static void fill_other_slots(const struct sd_thread *but)
{
    for (uint32_t i = 0; i < SD_THREADS; i++) {
        struct sd_thread *slot = &sd_g.threads[i];
        if (slot != but && slot != sd_self) {
            sd_store(&slot->pid, sd_g.pid);
            sd_store(&slot->tid, (uint32_t)sd_sys_gettid());
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
    struct sd_thread *dead = NULL;
    for (uint32_t i = 0; i < SD_THREADS; i++) /* the one that holds the lock */
        if (sd_load(&t->lock) == i + 1)
            dead = &sd_g.threads[i];
    CHECK(dead);
    fill_other_slots(dead);
    sd_store(&wanted, t);
    CHECK_EQUAL(pthread_create(&thread, NULL, enter_wanted, NULL), 0);
    CHECK_EQUAL(pthread_join(thread, NULL), 0);
    CHECK(sd_token_enter(t));
    sd_token_leave(t);
}

/* Marks of thread.c: a token that is claimed, a thread on its way to it. */
#define CLAIMED 0x80000000u

static struct sd_token *wished(struct sd_token *t)
{
    return (struct sd_token *)((uintptr_t)t | 2);
}

static void a_claimer_that_died_is_followed(void)
{
    struct sd_token *t = shared_token();
    sd_fork_prepare();
    pid_t child = fork();
    if (child == 0) {
        sd_fork_child();
        sd_store(&sd_thread_attach()->busy[0], wished(t));
        sd_store(&t->owner, sd_self->id | CLAIMED);
        _exit(0);
    }
    sd_fork_parent();
    waitpid(child, NULL, 0);
    fill_other_slots(&sd_g.threads[(sd_load(&t->owner) & ~CLAIMED) - 1]);
    pthread_t thread;
    sd_store(&wanted, t);
    CHECK_EQUAL(pthread_create(&thread, NULL, enter_wanted, NULL), 0);
    CHECK_EQUAL(pthread_join(thread, NULL), 0);
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

/* The same while it waits for its turn at the lock, or is about to own the token. */
static void a_handler_of_a_waiting_thread_returns(void)
{
    struct pair pair = make_pair();
    struct sd_socket *s = sd_socket_of(pair.client);
    blocking(pair.client, true);
    handler_fd = pair.client;
    signal(SIGUSR1, send_in_handler);
    put(pair.client, "a");
    uint32_t owner = sd_load(&s->tx.token.owner);
    sd_store(&sd_self->busy[0], wished(&s->tx.token));
    sd_store(&s->tx.token.owner, owner | CLAIMED);
    raise(SIGUSR1);
    CHECK_EQUAL(sd_load(&handler_result), -EAGAIN);
    sd_store(&s->tx.token.owner, owner);
    sd_store(&sd_self->busy[0], NULL);
}

const struct test token_tests[] = {
    {"never_two_are_inside_and_nobody_starves", never_two_are_inside_and_nobody_starves},
    {"threads_that_end_leave_their_tokens", threads_that_end_leave_their_tokens},
    {"a_killed_holder_is_followed", a_killed_holder_is_followed},
    {"a_slot_used_again_holds_nothing_of_the_dead", a_slot_used_again_holds_nothing_of_the_dead},
    {"a_claimer_that_died_is_followed", a_claimer_that_died_is_followed},
    {"a_reader_that_died_leaves_every_byte", a_reader_that_died_leaves_every_byte},
    {"a_handler_inside_a_send_returns", a_handler_inside_a_send_returns},
    {"a_handler_of_a_waiting_thread_returns", a_handler_of_a_waiting_thread_returns},
    {0},
};

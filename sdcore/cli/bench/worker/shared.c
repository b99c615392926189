/*
 * One connection, several users: threads or a parent and its child in turn, a connection that its acceptor hands on, and
 * a round trip that shares its core with busy loops.
 *
 * In turn: a word in memory says whose turn it is; who waits for his yields, on every transport alike. On one core these
 * yields are part of what is measured: the bare ring, whose users need no token but the turn, shows how much.
 * First use: the server accepts, waits until the bytes are there, and times one receive and one send: its own, those of a
 * thread that it makes for it, or of a child. What making them takes is not in it.
 */
#define _GNU_SOURCE
#include "worker.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BUSY_LOOPS = 2, ARRIVED_US = 200 };

struct common {
    _Atomic uint64_t turn;      /* operations done; even: the first user's turn */
    _Atomic uint64_t sample_ns; /* first use */
    uint64_t last;
    int fd;
    struct pipe_end *bare; /* instead of the descriptor */
    size_t size;
};

static struct common *must_share(void)
{
    void *p = mmap(NULL, sizeof(struct common), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        fail("mmap");
    return p;
}

static void ask(struct common *c, char *buf)
{
    if (c->bare) {
        bare_ask(c->bare, buf, c->size);
        return;
    }
    send_whole(c->fd, buf, c->size);
    recv_whole(c->fd, buf, c->size);
}

/* This user's operations until `last` are done by both. */
static void take_turns(struct common *c, uint64_t parity, uint64_t last, char *buf)
{
    uint64_t turn;

    while ((turn = atomic_load(&c->turn)) < last) {
        if (turn % 2 != parity) {
            sched_yield();
            continue;
        }
        ask(c, buf);
        atomic_store(&c->turn, turn + 1);
    }
}

static void *second_user(void *common)
{
    struct common *c = common;

    take_turns(c, 1, c->last, must_alloc(c->size));
    return NULL;
}

/* The server's count of echoes is that of roundtrip, the second pass without times. */
static void first_user(struct common *c, const struct options *o, struct result *r)
{
    char *buf = must_alloc(o->size);

    take_turns(c, 0, o->warmup, buf);
    ready(o);
    begin(r, o->count);
    take_turns(c, 0, o->warmup + o->count, buf);
    end(r);
    take_turns(c, 0, c->last, buf);
}

static struct common *connected(const struct options *o)
{
    struct common *c = must_share();

    if (o->transport == BARE)
        c->bare = bare_connect(o);
    else
        c->fd = net_connect(o);
    c->size = o->size;
    c->last = o->warmup + 2 * o->count;
    return c;
}

void threads_client(const struct options *o, struct result *r)
{
    struct common *c = connected(o);
    pthread_t second;

    if (pthread_create(&second, NULL, second_user, c) != 0)
        fail("pthread_create");
    first_user(c, o, r);
    pthread_join(second, NULL);
}

static pid_t must_fork(void)
{
    pid_t pid = fork();

    if (pid < 0)
        fail("fork");
    if (pid == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    return pid;
}

void family_client(const struct options *o, struct result *r)
{
    struct common *c = connected(o);
    pid_t second = must_fork();

    if (second == 0) {
        second_user(c);
        _exit(0);
    }
    first_user(c, o, r);
    waitpid(second, NULL, 0);
}

/* Before the connection is made: they do not share it. */
void beside_client(const struct options *o, struct result *r)
{
    pid_t busy[BUSY_LOOPS];

    for (int i = 0; i < BUSY_LOOPS; i++)
        if ((busy[i] = must_fork()) == 0)
            for (volatile uint64_t n = 0;; n++)
                ;
    roundtrip_client(o, r);
    for (int i = 0; i < BUSY_LOOPS; i++) {
        kill(busy[i], SIGKILL);
        waitpid(busy[i], NULL, 0);
    }
}

/* --- first use --- */

static void *use(void *common)
{
    struct common *c = common;
    char c1 = 0;
    uint64_t before = now_ns();

    recv_whole(c->fd, &c1, 1);
    send_whole(c->fd, &c1, 1);
    atomic_store(&c->sample_ns, now_ns() - before);
    return NULL;
}

static void use_by_owner(struct common *c)
{
    use(c);
}

static void use_by_thread(struct common *c)
{
    pthread_t other;

    if (pthread_create(&other, NULL, use, c) != 0)
        fail("pthread_create");
    pthread_join(other, NULL);
}

static void use_by_child(struct common *c)
{
    pid_t child = must_fork();

    if (child == 0) {
        use(c);
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

static void serve(int listener, const struct options *o, struct common *c, void (*by)(struct common *))
{
    c->fd = net_accept(listener, o);
    usleep(ARRIVED_US);
    by(c);
    close(c->fd);
}

static void first_server(const struct options *o, struct result *r, void (*by)(struct common *))
{
    uint64_t *samples = must_alloc(o->count * sizeof *samples);
    struct common *c = must_share();
    int listener = net_listen(o);

    for (uint64_t i = 0; i < o->warmup; i++)
        serve(listener, o, c, by);
    begin(r, o->count);
    for (uint64_t i = 0; i < o->count; i++) {
        serve(listener, o, c, by);
        samples[i] = atomic_load(&c->sample_ns);
    }
    end(r);
    call_percentiles(r, samples, o->count);
}

void first_owner_server(const struct options *o, struct result *r)
{
    first_server(o, r, use_by_owner);
}

void first_thread_server(const struct options *o, struct result *r)
{
    first_server(o, r, use_by_thread);
}

void first_child_server(const struct options *o, struct result *r)
{
    first_server(o, r, use_by_child);
}

/* A family of processes that share connections, is killed at random, and grows again.
 *
 *     tree listen|connect PORT FILE KILLS SEED
 *
 * Two families run, one at each end of CONNECTIONS connections. In each, WRITERS processes send records on all connections
 * and READERS receive them, each on one connection. The root of a family kills one of them after another, and lets a
 * random survivor fork the next, so the tree becomes deep and its middle dies. What was sent and received is noted in FILE,
 * which both families map:
 *
 *     every record that arrives is whole, comes once, and in the order of its writer
 *     a record whose send returned arrives, but for one that a killed reader had in its hands
 *     nobody waits for ever: something arrives on every connection, however many were killed
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 2, WRITERS = 6, READERS = 4, WORKERS = WRITERS + READERS, RECORDS = 1 << 26 };
enum { SENT = 1, RECEIVED = 16, PATIENCE_MS = 10000 };

struct record {
    uint64_t number; /* 0: the last one for this reader */
    uint32_t writer; /* counts workers of both families, never used again */
    uint32_t pattern[13];
};
_Static_assert(sizeof(struct record) == 64, "divides the ring, so a record is never cut");

struct family {
    _Atomic int32_t pid[WORKERS];
    _Atomic int32_t fork_slot[WORKERS]; /* this worker is asked to fork the worker of that slot; -1 not asked */
    _Atomic uint64_t arrived[CONNECTIONS];
    _Atomic uint32_t killed_readers;
    _Atomic bool done; /* no more kills */
    _Atomic bool writers_left;
    _Atomic bool readers_left;
};

struct book {
    struct family family[2];
    _Atomic uint64_t next_number;
    _Atomic uint32_t next_writer;
    _Atomic bool stop;
    _Atomic uint8_t record[RECORDS];
};

static struct book *book;
static struct family *own;
static int connection[CONNECTIONS];

static _Noreturn void fail(const char *what, long value)
{
    printf("%s: %ld, errno %d\n", what, value, errno);
    fflush(stdout);
    kill(0, SIGTERM); /* the whole family */
    _exit(1);
}

static void nap_us(long us)
{
    nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

static uint32_t pattern(uint64_t number, uint32_t i)
{
    return (uint32_t)((number + i) * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

static void send_record(int at, uint64_t number, uint32_t writer)
{
    struct record r = {.number = number, .writer = writer};
    for (uint32_t i = 0; i < 13; i++)
        r.pattern[i] = pattern(number, i);
    long n = send(connection[at], &r, sizeof r, 0);
    if (n != sizeof r)
        fail("send", n);
}

/* --- workers --- */

static void work(int slot);

static void fork_if_asked(int slot)
{
    int32_t asked = atomic_exchange(&own->fork_slot[slot], -1);
    if (asked < 0)
        return;
    pid_t child = fork();
    if (child < 0)
        fail("fork", child);
    if (child == 0) {
        atomic_store(&own->pid[asked], getpid());
        work(asked);
    }
}

static void write_records(int slot)
{
    uint32_t writer = atomic_fetch_add(&book->next_writer, 1);
    unsigned seed = writer * 2654435761u;
    while (!atomic_load(&book->stop)) {
        uint64_t number = atomic_fetch_add(&book->next_number, 1) + 1;
        if (number >= RECORDS)
            return;
        send_record(rand_r(&seed) % CONNECTIONS, number, writer);
        atomic_fetch_or(&book->record[number], SENT);
        fork_if_asked(slot);
        if (rand_r(&seed) % 256 == 0)
            nap_us(rand_r(&seed) % 500);
    }
}

static void check(const struct record *r, const uint64_t *last, uint32_t writers)
{
    if (r->number >= RECORDS || r->writer >= writers || r->writer >= 1 << 16)
        fail("no such record", (long)r->number);
    for (uint32_t i = 0; i < 13; i++)
        if (r->pattern[i] != pattern(r->number, i))
            fail("a wrong byte in record", (long)r->number);
    if (r->number <= last[r->writer])
        fail("out of order", (long)r->number);
}

static void read_records(int slot)
{
    static uint64_t last[CONNECTIONS][1 << 16];
    int at = slot % CONNECTIONS;
    struct record r;
    for (;;) {
        long n = recv(connection[at], &r, sizeof r, 0);
        if (n != sizeof r)
            fail("recv", n);
        if (r.number == 0)
            return;
        check(&r, last[at], atomic_load(&book->next_writer));
        last[at][r.writer] = r.number;
        if (atomic_fetch_add(&book->record[r.number], RECEIVED) >= RECEIVED)
            fail("came twice", (long)r.number);
        atomic_fetch_add(&own->arrived[at], 1);
        fork_if_asked(slot);
    }
}

static void work(int slot)
{
    if (slot < WRITERS)
        write_records(slot);
    else
        read_records(slot);
    atomic_store(&own->pid[slot], 0);
    _exit(0);
}

/* --- the root --- */

static bool gone(int32_t pid)
{
    return pid == 0 || (kill(pid, 0) < 0 && errno == ESRCH);
}

/* Let a random worker fork the worker of a slot; the root itself, if that one dies before it does, or sleeps too long. */
static void grow(int slot, unsigned *seed)
{
    int parent = rand_r(seed) % WORKERS;
    int32_t dead = atomic_load(&own->pid[slot]);
    if (parent != slot && !gone(atomic_load(&own->pid[parent]))) {
        atomic_store(&own->fork_slot[parent], slot);
        for (int i = 0; i < 100 && atomic_load(&own->pid[slot]) == dead; i++)
            nap_us(200);
        int32_t asked = slot;
        if (!atomic_compare_exchange_strong(&own->fork_slot[parent], &asked, -1)) {
            for (int i = 0; i < 5000 && atomic_load(&own->pid[slot]) == dead && !gone(atomic_load(&own->pid[parent]));
                 i++)
                nap_us(1000);
            if (atomic_load(&own->pid[slot]) != dead)
                return;
        }
    }
    pid_t child = fork();
    if (child == 0) {
        atomic_store(&own->pid[slot], getpid());
        work(slot);
    }
    atomic_store(&own->pid[slot], child);
}

static void kill_one(unsigned *seed)
{
    int slot = rand_r(seed) % WORKERS;
    int32_t pid = atomic_load(&own->pid[slot]);
    nap_us(rand_r(seed) % 3000);
    atomic_fetch_add(&own->killed_readers, slot >= WRITERS);
    kill(pid, SIGKILL);
    for (int i = 0; !gone(pid); i++) {
        if (i > PATIENCE_MS)
            fail("does not die", pid);
        nap_us(1000);
    }
    atomic_store(&own->fork_slot[slot], -1);
    grow(slot, seed);
}

/* Something arrives on every connection: nobody has taken a token along. */
static void demand_progress(void)
{
    for (int c = 0; c < CONNECTIONS; c++) {
        uint64_t before = atomic_load(&own->arrived[c]);
        for (int i = 0; atomic_load(&own->arrived[c]) == before; i++) {
            if (i > PATIENCE_MS)
                fail("nothing arrives on connection", c);
            nap_us(1000);
        }
    }
}

static void wait_for(_Atomic bool *what, const char *name)
{
    for (int i = 0; !atomic_load(what); i++) {
        if (i > 60 * PATIENCE_MS)
            fail(name, 0);
        nap_us(1000);
    }
}

static void wait_for_workers(int from, int to, const char *name)
{
    for (int slot = from; slot < to; slot++)
        for (int i = 0; !gone(atomic_load(&own->pid[slot])); i++) {
            if (i > PATIENCE_MS)
                fail(name, slot);
            nap_us(1000);
        }
}

static void finish(struct family *other)
{
    atomic_store(&own->done, true);
    wait_for(&other->done, "the other family does not finish");
    atomic_store(&book->stop, true);
    wait_for_workers(0, WRITERS, "a writer does not stop");
    for (int i = 0; i < CONNECTIONS * (READERS / CONNECTIONS); i++)
        send_record(i % CONNECTIONS, 0, 0);
    atomic_store(&own->writers_left, true);
    wait_for(&other->writers_left, "the other family's writers do not stop");
    wait_for_workers(WRITERS, WORKERS, "a reader does not stop");
    atomic_store(&own->readers_left, true);
    wait_for(&other->readers_left, "the other family's readers do not stop");
}

static void count_losses(void)
{
    uint64_t sent = 0, lost = 0, most = 0;
    for (int f = 0; f < 2; f++)
        most += atomic_load(&book->family[f].killed_readers);
    for (uint64_t i = 1; i <= atomic_load(&book->next_number) && i < RECORDS; i++) {
        uint8_t seen = atomic_load(&book->record[i]);
        sent += seen & SENT;
        lost += seen == SENT;
    }
    printf("sent %lu, lost in the hands of %lu killed readers %lu\n", sent, most, lost);
    if (lost > most)
        fail("lost", (long)lost);
}

/* --- set-up --- */

static void listen_for_all(struct sockaddr_in *address)
{
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)address, sizeof *address) < 0 || listen(listener, 8) < 0)
        fail("listen", 0);
    for (int i = 0; i < CONNECTIONS; i++)
        if ((connection[i] = accept(listener, NULL, NULL)) < 0)
            fail("accept", i);
    close(listener);
}

static void connect_all(struct sockaddr_in *address)
{
    for (int i = 0; i < CONNECTIONS; i++) {
        connection[i] = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(connection[i], (struct sockaddr *)address, sizeof *address) < 0)
            fail("connect", i);
    }
}

static void map_book(const char *path)
{
    int fd = open(path, O_RDWR);
    if (fd < 0 || ftruncate(fd, sizeof *book) < 0)
        fail("open", fd);
    book = mmap(NULL, sizeof *book, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (book == MAP_FAILED)
        fail("mmap", 0);
    close(fd);
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    bool listens = strcmp(argv[1], "listen") == 0;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    unsigned seed = (unsigned)atoi(argv[5]) * 2 + listens;
    map_book(argv[3]);
    own = &book->family[listens];
    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (listens)
        listen_for_all(&address);
    else
        connect_all(&address);
    for (int slot = 0; slot < WORKERS; slot++) {
        atomic_store(&own->fork_slot[slot], -1);
        pid_t child = fork();
        if (child == 0)
            work(slot);
        atomic_store(&own->pid[slot], child);
    }
    for (int i = 0; i < atoi(argv[4]); i++) {
        kill_one(&seed);
        if (i % 20 == 19)
            demand_progress();
    }
    finish(&book->family[!listens]);
    if (listens)
        count_losses();
    return 0;
}

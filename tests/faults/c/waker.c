/* A process that shares a connection is killed in the middle of waking the other end's sleeper; the sleeper must not notice.
 *
 *     waker sleep PORT FILE HOW WHAT
 *     waker wake PORT FILE WHERE WHAT
 *
 * `sleep` listens, accepts one connection, and waits on it: WHAT is data or room, HOW is block, poll, epoll or edge.
 * `wake` holds the other end, and lets one child after another do what wakes the sleeper: send a byte, or take all that is
 * there. The child is traced, and killed:
 *
 *     WHERE ring      as it is about to ring: the sleeper's announcement is taken, the bell has not rung
 *     WHERE N         after every N-th instruction of the call, a child for each, until one lives through it
 *
 * Then `wake` makes such a call of its own, which returns, and demands that the sleeper goes on. What the sleeper got or
 * gave is noted in FILE, which both map.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 4000, ASLEEP_MS = 25, RINGS = 5, FEW = 2048, TAKE = 4 << 20, BLOCK = 512 };
enum { OWN = 'o', CHILDS = 'c' };

static _Atomic uint64_t *progress; /* own bytes that came, or bytes that went */
static int connection;
static bool room;
static uint8_t *memory;

static _Noreturn void fail(const char *what, long value)
{
    printf("%s: %ld, errno %d\n", what, value, errno);
    exit(1);
}

static void nap_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static void map_file(const char *path)
{
    int fd = open(path, O_RDWR);
    if (fd < 0 || ftruncate(fd, sizeof *progress) < 0)
        fail("open", fd);
    progress = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    memory = malloc(TAKE);
    if (progress == MAP_FAILED || !memory)
        fail("memory", 0);
    memset(memory, 0, TAKE);
}

/* A small window: an instruction for every few bytes of it is one more place to be killed at. */
static void hold_few_bytes(int fd)
{
    int bytes = FEW;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes) < 0)
        fail("setsockopt", fd);
}

static struct sockaddr_in address_of(const char *port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* --- who sleeps --- */

static int watching(const char *how)
{
    int set = epoll_create1(0);
    struct epoll_event event = {.events = room ? EPOLLOUT : EPOLLIN};
    if (strcmp(how, "edge") == 0)
        event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    if (set < 0 || epoll_ctl(set, EPOLL_CTL_ADD, connection, &event) < 0)
        fail("epoll", set);
    return set;
}

static void await(const char *how, int set)
{
    struct pollfd p = {.fd = connection, .events = room ? POLLOUT : POLLIN};
    struct epoll_event event;
    if (strcmp(how, "poll") == 0)
        poll(&p, 1, -1);
    else if (strcmp(how, "block") != 0)
        epoll_wait(set, &event, 1, -1);
}

/* All that can be moved now; for ever, if the calls block. False at the end of the stream. */
static bool move_bytes(int flags)
{
    for (;;) {
        long n = room ? send(connection, memory, BLOCK, flags | MSG_NOSIGNAL) : recv(connection, memory, BLOCK, flags);
        if (n <= 0)
            return n < 0 && errno == EAGAIN;
        uint64_t own = 0;
        for (long i = 0; i < n; i++)
            own += room || memory[i] == OWN;
        atomic_fetch_add(progress, own);
    }
}

static int sleeper(const char *port, const char *how)
{
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = address_of(port);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 8) < 0)
        fail("listen", 0);
    connection = accept(listener, NULL, NULL);
    if (connection < 0)
        fail("accept", connection);
    hold_few_bytes(connection);
    close(listener);
    int set = watching(how);
    int flags = strcmp(how, "block") == 0 ? 0 : MSG_DONTWAIT;
    do
        await(how, set);
    while (move_bytes(flags));
    return 0;
}

/* --- who wakes it --- */

static void act(uint8_t mark)
{
    long n = room ? recv(connection, memory, TAKE, 0) : send(connection, &mark, 1, 0);
    if (n <= 0)
        fail(room ? "recv" : "send", n);
}

static _Noreturn void child(void)
{
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    act(CHILDS); /* the first call of a process does much besides */
    raise(SIGSTOP);
    act(CHILDS);
    raise(SIGSTOP);
    _exit(0);
}

static bool rings(pid_t pid)
{
    struct __ptrace_syscall_info info;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) < 0)
        fail("ptrace", 0);
    return info.op == PTRACE_SYSCALL_INFO_ENTRY && (info.entry.nr == SYS_sendto || info.entry.nr == SYS_futex);
}

/* Let the child go on to its next stop. False if that is behind the call. */
static bool step(pid_t pid, int request)
{
    int status;
    if (ptrace(request, pid, NULL, NULL) < 0 || waitpid(pid, &status, 0) != pid)
        fail("step", pid);
    if (!WIFSTOPPED(status))
        fail("the child ended", status);
    return WSTOPSIG(status) != SIGSTOP;
}

/* The sleeper has nothing to do, and sleeps deeply. */
static void let_it_sleep(void)
{
    uint64_t before;
    do {
        before = atomic_load(progress);
        nap_ms(ASLEEP_MS);
    } while (atomic_load(progress) != before);
}

/* Lets a child go on to where it is to be killed; false if it comes to the end of its call. */
static bool goes_to(pid_t pid, long at)
{
    bool inside = true;
    if (at == 0)
        do
            inside = step(pid, PTRACE_SYSCALL);
        while (inside && !rings(pid));
    for (long i = 0; inside && i < at; i++)
        inside = step(pid, PTRACE_SINGLESTEP);
    return inside;
}

static bool killed(long at)
{
    int status;
    pid_t pid = fork();
    if (pid == 0)
        child();
    if (pid < 0 || waitpid(pid, &status, 0) != pid || ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD) < 0)
        fail("fork", pid);
    let_it_sleep();
    bool inside = goes_to(pid, at);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return inside;
}

static void demand_progress(uint64_t before, long at)
{
    for (int i = 0; atomic_load(progress) == before; i++) {
        if (i > PATIENCE_MS)
            fail("the sleeper sleeps on after a kill at", at);
        nap_ms(1);
    }
}

static bool round_of(long at)
{
    bool done = killed(at);
    uint64_t before = atomic_load(progress);
    act(OWN);
    demand_progress(before, at);
    return done;
}

static int waker(const char *port, const char *where)
{
    struct sockaddr_in address = address_of(port);
    connection = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(connection, (struct sockaddr *)&address, sizeof address) < 0)
        fail("connect", 0);
    hold_few_bytes(connection);
    alarm(100);
    long stride = atol(where), kills = 0;
    if (!stride) {
        for (; kills < RINGS; kills++)
            if (!round_of(0))
                fail("no child was about to ring", kills);
    } else {
        for (long at = stride; round_of(at); at += stride)
            kills++;
    }
    printf("killed %ld\n", kills);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    room = strcmp(argv[5], "room") == 0;
    map_file(argv[3]);
    return strcmp(argv[1], "sleep") == 0 ? sleeper(argv[2], argv[4]) : waker(argv[2], argv[4]);
}

/* How a thread waits that gets nothing: which system calls it makes, in each wait.
 *
 * Usage: waits N DELAY_MS. A child makes a connection to itself and waits N times in recv, a millisecond each; it is
 * traced, and each of its yields takes DELAY_MS longer than it would, as on a core that others want. For each wait one
 * line: when it began and when its last yield did, both in ns, then yields, futexes, polls.
 */
#include "facts.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

static int connected(void)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof name;
    int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    char byte = 'x';
    must(bind(listener, (struct sockaddr *)&name, n) == 0 && listen(listener, 1) == 0, "listen");
    must(getsockname(listener, (struct sockaddr *)&name, &n) == 0, "getsockname");
    must(connect(client, (struct sockaddr *)&name, n) == 0, "connect");
    int server = accept(listener, NULL, NULL);
    must(send(client, &byte, 1, 0) == 1 && recv(server, &byte, 1, 0) == 1, "a byte");
    return server;
}

/* Each wait begins with a call that nothing else makes. */
static void wait_often(int n)
{
    struct timeval ms = {.tv_usec = 1000};
    char byte;
    int fd = connected();
    must(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &ms, sizeof ms) == 0, "SO_RCVTIMEO");
    for (int i = 0; i < n; i++) {
        syscall(SYS_getppid);
        must(recv(fd, &byte, 1, 0) < 0, "recv");
    }
    syscall(SYS_getppid);
    exit(0);
}

static long entered(pid_t pid)
{
    struct __ptrace_syscall_info info;
    must(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) > 0, "ptrace");
    return info.op == PTRACE_SYSCALL_INFO_ENTRY ? (long)info.entry.nr : -1;
}

static long long now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void delay(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

int main(int argc, char **argv)
{
    must(argc == 3, "usage");
    pid_t pid = fork();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        wait_often(atoi(argv[1]));
    }
    long long began_ns = 0, yielded_ns = 0;
    int status, waits = 0, yields = 0, futexes = 0, polls = 0;
    must(waitpid(pid, &status, 0) == pid, "waitpid");
    must(ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) == 0, "ptrace");
    while (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) == 0 && waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
        long call = entered(pid);
        futexes += call == SYS_futex;
        polls += call == SYS_ppoll;
        if (call == SYS_sched_yield) {
            yields++;
            yielded_ns = now_ns();
            delay(atoi(argv[2]));
        } else if (call == SYS_getppid) {
            if (waits++)
                printf("%lld %lld %d %d %d\n", began_ns, yielded_ns, yields, futexes, polls);
            began_ns = now_ns();
            yields = futexes = polls = 0;
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

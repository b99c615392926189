/* Compiled with fortification: the checked forms work like the plain ones, and still end a program that overruns. */
#include <poll.h>
#include <signal.h>

#include "facts.h"

static void overrun(const char *what, int which, int fd)
{
    pid_t pid = fork();
    int status = 0;
    if (pid == 0) {
        char small[4];
        struct pollfd one[1];
        volatile size_t n = 8;
        must(freopen("/dev/null", "w", stderr) != NULL, "freopen");
        must(which == 0   ? read(fd, small, n)
             : which == 1 ? recv(fd, small, n, 0)
             : which == 2 ? recvfrom(fd, small, n, 0, NULL, NULL)
                          : poll(one, n, 0),
             what);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    say(what, WIFSIGNALED(status) ? WTERMSIG(status) : -2);
}

int main(void)
{
    int t[2];
    char buf[8];
    volatile size_t n = 4;
    tcp_pair(t);
    struct pollfd p[2] = {{.fd = t[1], .events = POLLIN}, {.fd = t[0], .events = POLLIN}};
    SAY(send(t[0], "abcdefghijkl", 12, 0));
    wait_for(t[1], 12);
    SAY(poll(p, n - 2, -1));
    SAY(ppoll(p, n - 2, NULL, NULL));
    SAY(read(t[1], buf, n));
    SAY(recv(t[1], buf, n, 0));
    SAY(recvfrom(t[1], buf, n, 0, NULL, NULL));
    say_bytes("last", buf, 4);
    SAY(dprintf(t[0], "%s", "checked"));
    SAY(recv(t[1], buf, 7 + 0 * n, MSG_WAITALL));
    close(t[0]), close(t[1]);
    tcp_pair(t);
    overrun("read", 0, t[1]);
    overrun("recv", 1, t[1]);
    overrun("recvfrom", 2, t[1]);
    overrun("poll", 3, t[1]);
    return 0;
}

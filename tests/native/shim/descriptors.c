/* close, dup, their ranges, readiness calls, and descriptors passed to another process. */
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/time.h>
#include <time.h>

#include "facts.h"

static char buf[64];

static void copies(void)
{
    int t[2];
    tcp_pair(t);
    int a = dup(t[0]), b = fcntl(t[0], F_DUPFD_CLOEXEC, 40), c = dup3(t[0], 50, O_CLOEXEC);
    SAY(b);
    SAY(c);
    SAY(fcntl(b, F_GETFD));
    SAY(dup2(t[0], t[0]) == t[0]);
    SAY(dup3(t[0], t[0], 0));
    SAY(dup3(t[0], 51, 12345));
    SAY(dup2(-1, t[0]));
    SAY(dup2(t[0], -1));
    SAY(dup(-1));
    SAY(close(t[0]));
    SAY(write(a, "a", 1));
    SAY(write(b, "b", 1));
    SAY(write(c, "c", 1));
    wait_for(t[1], 3);
    SAY(read(t[1], buf, sizeof buf));
    SAY(dup2(b, c) == c);
    SAY(close_range(40, 60, 0));
    SAY(write(b, "b", 1));
    SAY(recv(t[1], buf, 1, MSG_DONTWAIT));
    SAY(close_range(5, 4, 0));
    SAY(close_range(3, 4, 64));
    SAY(close_range((unsigned)a, (unsigned)a, CLOSE_RANGE_CLOEXEC));
    SAY(fcntl(a, F_GETFD));
    SAY(close(a));
    SAY(read(t[1], buf, 1));
    closefrom(3);
    SAY(close(t[1]));
    SAY(socket(AF_INET, SOCK_STREAM, 0));
    closefrom(3);
}

static void readiness(void)
{
    int t[2];
    tcp_pair(t);
    struct pollfd p[3] = {
        {.fd = t[1], .events = POLLIN | POLLOUT}, {.fd = -1, .events = POLLIN, .revents = 9}, {.fd = 999}};
    struct timespec none = {0}, bad = {0, -5};
    struct timeval wait = {0, 20000}, wrong = {-1, 0};
    fd_set in;
    SAY(poll(p, 3, 0));
    printf("%x %x %x\n", p[0].revents, p[1].revents, p[2].revents);
    SAY(write(t[0], "x", 1));
    wait_for(t[1], 1);
    SAY(ppoll(p, 1, &none, NULL));
    SAY(p[0].revents);
    SAY(ppoll(p, 1, &bad, NULL));
    FD_ZERO(&in);
    FD_SET(t[1], &in);
    SAY(select(t[1] + 1, &in, NULL, NULL, NULL));
    SAY(FD_ISSET(t[1], &in) != 0);
    SAY(read(t[1], buf, sizeof buf));
    SAY(select(t[1] + 1, &in, NULL, NULL, &wait));
    SAY(wait.tv_sec * 1000000 + wait.tv_usec);
    SAY(select(1, NULL, NULL, NULL, &wrong));
    SAY(pselect(0, NULL, NULL, NULL, &bad, NULL));
    SAY(poll(NULL, 0, 1));
    close(t[0]), close(t[1]);
}

static void sets(void)
{
    int t[2], set = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 77}, got[4];
    struct timespec none = {0};
    tcp_pair(t);
    SAY(epoll_ctl(set, EPOLL_CTL_ADD, t[1], &event));
    SAY(epoll_ctl(set, EPOLL_CTL_ADD, t[1], &event));
    SAY(epoll_ctl(set, EPOLL_CTL_DEL, t[0], &event));
    SAY(epoll_ctl(set, EPOLL_CTL_ADD, set, &event));
    SAY(epoll_ctl(t[1], EPOLL_CTL_ADD, t[0], &event));
    SAY(epoll_wait(set, got, 4, 0));
    SAY(write(t[0], "x", 1));
    SAY(epoll_wait(set, got, 4, -1));
    SAY(got[0].data.u64);
    SAY(epoll_pwait(set, got, 4, 10, NULL));
    SAY(epoll_pwait2(set, got, 4, &none, NULL));
    SAY(epoll_wait(set, got, 0, 0));
    SAY(epoll_wait(t[0], got, 4, 0));
    close(t[0]), close(t[1]), close(set);
}

static void pass(int through, int fd)
{
    char control[CMSG_SPACE(sizeof fd)] = {0};
    struct iovec v = {"fd", 2};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    SAY(sendmsg(through, &m, 0));
}

static int receive(int through)
{
    char control[CMSG_SPACE(sizeof(int))];
    struct iovec v = {buf, sizeof buf};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    int fd = -1;
    SAY(recvmsg(through, &m, 0));
    if (CMSG_FIRSTHDR(&m))
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
    return fd;
}

static void passing(void)
{
    int t[2], u[2];
    tcp_pair(t);
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, u) == 0, "socketpair");
    SAY(write(t[1], "unread", 6));
    wait_for(t[0], 6);
    pass(u[0], t[0]);
    int fd = receive(u[1]);
    SAY(close(t[0]));
    SAY(poll(&(struct pollfd){.fd = t[1], .events = POLLIN}, 1, 0)); /* the peer looks, and sends the unread again */
    SAY(read(fd, buf, sizeof buf));
    say_bytes("passed", buf, 6);
    SAY(write(fd, "over", 4));
    SAY(recv(t[1], buf, 4, MSG_WAITALL));
    close(fd), close(t[1]), close(u[0]), close(u[1]);
}

int main(void)
{
    copies();
    readiness();
    sets();
    passing();
    return 0;
}

/* The same calls by their numbers. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "facts.h"

static char buf[64];

static void bytes(const int *t)
{
    struct iovec v = {"vector", 6}, w = {buf, sizeof buf};
    struct msghdr out = {.msg_iov = &v, .msg_iovlen = 1}, in = {.msg_iov = &w, .msg_iovlen = 1};
    SAY(syscall(SYS_write, t[0], "by number", 9));
    SAY(syscall(SYS_read, t[1], buf, sizeof buf));
    say_bytes("read", buf, 9);
    SAY(syscall(SYS_writev, t[0], &v, 1));
    SAY(syscall(SYS_readv, t[1], &w, 1));
    SAY(syscall(SYS_sendto, t[0], "to", 2, 0, NULL, 0));
    SAY(syscall(SYS_recvfrom, t[1], buf, sizeof buf, 0, NULL, NULL));
    SAY(syscall(SYS_sendmsg, t[0], &out, 0));
    SAY(syscall(SYS_recvmsg, t[1], &in, 0));
    SAY(syscall(SYS_recvfrom, t[1], buf, 1, MSG_DONTWAIT, NULL, NULL));
    SAY(syscall(SYS_pwritev2, t[0], &v, 1, -1L, -1L, 0));
    SAY(syscall(SYS_preadv2, t[1], &w, 1, -1L, -1L, 0));
    SAY(syscall(SYS_pread64, t[1], buf, 1, 0));
}

static void readiness(const int *t)
{
    struct pollfd p = {.fd = t[1], .events = POLLIN};
    struct timespec none = {0};
    struct epoll_event event = {.events = EPOLLOUT, .data.u64 = 5}, got[2];
    struct {
        const sigset_t *mask;
        size_t size;
    } sized = {NULL, 8};
    fd_set out;
    int set = (int)syscall(SYS_epoll_create1, 0);
    SAY(syscall(SYS_ppoll, &p, 1, &none, NULL, 8));
    FD_ZERO(&out);
    FD_SET(t[1], &out);
    SAY(syscall(SYS_pselect6, t[1] + 1, NULL, &out, NULL, &none, &sized));
    SAY(syscall(SYS_pselect6, t[1] + 1, NULL, &out, NULL, &none, NULL));
    SAY(syscall(SYS_epoll_ctl, set, EPOLL_CTL_ADD, t[1], &event));
    SAY(syscall(SYS_epoll_pwait, set, got, 2, 0, NULL, 8));
    SAY(got[0].data.u64);
    SAY(syscall(SYS_close, set));
}

static void sockets(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int on = 1;
    int listener = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
    SAY(syscall(SYS_bind, listener, &at, len));
    SAY(syscall(SYS_listen, listener, 3));
    SAY(syscall(SYS_getsockname, listener, &at, &len));
    int client = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
    SAY(syscall(SYS_connect, client, &at, len));
    int server = (int)syscall(SYS_accept4, listener, NULL, NULL, SOCK_NONBLOCK);
    SAY(syscall(SYS_read, server, buf, 1));
    SAY(syscall(SYS_setsockopt, client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
    SAY(syscall(SYS_shutdown, client, SHUT_WR));
    SAY(syscall(SYS_fcntl, server, F_SETFL, O_RDWR));
    SAY(syscall(SYS_read, server, buf, 1));
    SAY(syscall(SYS_ioctl, server, FIONREAD, &on));
    int copy = (int)syscall(SYS_dup, client);
    SAY(syscall(SYS_dup3, client, 70, 0));
    SAY(syscall(SYS_close_range, 70, 70, 0));
    SAY(syscall(SYS_close, copy));
    SAY(syscall(SYS_close, client));
    SAY(syscall(SYS_close, client));
    SAY(syscall(SYS_close, server));
    SAY(syscall(SYS_close, listener));
}

int main(void)
{
    int t[2];
    tcp_pair(t);
    bytes(t);
    readiness(t);
    sockets();
    SAY(syscall(SYS_getpid) == getpid());
    SAY(syscall(100000));
    SAY(syscall(-1));
    return 0;
}

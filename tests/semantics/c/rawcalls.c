/* The same calls through syscall(), and the fortified and 64-bit names of libc. */
#include "harness.h"

#include <sys/sendfile.h>

extern ssize_t __read_chk(int, void *, size_t, size_t);
extern ssize_t __recv_chk(int, void *, size_t, size_t, int);
extern ssize_t __recvfrom_chk(int, void *, size_t, size_t, int, struct sockaddr *, socklen_t *);
extern int __poll_chk(struct pollfd *, nfds_t, int, size_t);
extern int __ppoll_chk(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *, size_t);
extern int fcntl64(int, int, ...);

SCENARIO(syscall_moves_bytes, MIXED)
{
    int fd = pair();
    char bytes[32] = "";
    struct iovec part = {"ghi", 3}, into = {bytes, 2};
    struct msghdr out = {.msg_iov = &part, .msg_iovlen = 1}, in = {.msg_iov = &into, .msg_iovlen = 1};
    struct mmsghdr many_out = {.msg_hdr = out}, many_in = {.msg_hdr = in};

    SHOW(syscall(SYS_write, fd, "abc", 3));
    SHOW(syscall(SYS_sendto, fd, "def", 3, 0, NULL, 0));
    SHOW(syscall(SYS_writev, fd, &part, 1));
    SHOW(syscall(SYS_sendmsg, fd, &out, 0));
    SHOW(syscall(SYS_sendmmsg, fd, &many_out, 1, 0));
    SHOW(send(fd, "!", 1, 0)); /* through libc in between: order must hold */
    SHOW(syscall(SYS_write, fd, "end", 3));
    peer(OP_QUEUED, 19);
    SHOW_PEER(peer(OP_RECV_ONCE, 64));
    peer_text("0123456789abcdefgh");
    await_queued(fd, 18);
    SHOW(syscall(SYS_read, fd, bytes, 2));
    SHOW(syscall(SYS_recvfrom, fd, bytes + 2, 2, 0, NULL, NULL));
    SHOW(recv(fd, bytes + 4, 2, 0));
    SHOW(syscall(SYS_readv, fd, &into, 1));
    SHOW(syscall(SYS_recvmsg, fd, &in, 0));
    SHOW(syscall(SYS_recvmmsg, fd, &many_in, 1, 0, NULL));
    SHOW(syscall(SYS_read, fd, bytes + 6, 20));
    show_text("bytes", bytes);
    SHOW(syscall(SYS_recvfrom, fd, bytes, 2, MSG_DONTWAIT, NULL, NULL));
}

SCENARIO(syscall_polls, MIXED)
{
    struct pollfd entry = {pair(), POLLIN, 0};
    struct epoll_event event = {.events = EPOLLIN};
    int set = (int)syscall(SYS_epoll_create1, 0);
    struct timespec limit = {1, 0};

    SHOW(syscall(SYS_epoll_ctl, set, EPOLL_CTL_ADD, entry.fd, &event));
    peer_text("abc");
    await_queued(entry.fd, 3);
    SHOW(syscall(SYS_poll, &entry, 1, 1000));
    SHOW(syscall(SYS_ppoll, &entry, 1, &limit, NULL, 8));
    SHOW(syscall(SYS_epoll_wait, set, &event, 1, 1000));
    SHOW(syscall(SYS_epoll_pwait, set, &event, 1, 1000, NULL, 8));
    fd_set in;
    FD_ZERO(&in);
    FD_SET(entry.fd, &in);
    SHOW(syscall(SYS_select, entry.fd + 1, &in, NULL, NULL, NULL));
    SHOW(recv(entry.fd, (char[8]){0}, 8, 0));
    SHOW(syscall(SYS_poll, &entry, 1, 0));
}

SCENARIO(syscall_makes_and_ends_connections, ANY | ONCE)
{
    struct sockaddr_storage address, name;
    int at = listen_at(AF_INET, "127.0.0.1", &address), value = 0;
    socklen_t size = sizeof name;
    int client = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);

    SHOW(syscall(SYS_connect, client, &address, address_size(&address)));
    int server = (int)syscall(SYS_accept4, at, &name, &size, SOCK_CLOEXEC);
    SHOW(server >= 0);
    SHOW(size);
    SHOW(syscall(SYS_write, client, "ping", 4));
    SHOW(recv(server, (char[8]){0}, 8, 0));
    SHOW(syscall(SYS_ioctl, server, FIONREAD, &value));
    SHOW(syscall(SYS_fcntl, server, F_SETFL, O_NONBLOCK));
    SHOW(recv(server, (char[8]){0}, 8, 0));
    int copy = (int)syscall(SYS_dup, server);
    SHOW(syscall(SYS_dup3, server, 333, 0));
    SHOW(syscall(SYS_close, server));
    SHOW(syscall(SYS_write, 333, "pong", 4));
    SHOW(recv(client, (char[8]){0}, 8, 0));
    SHOW(syscall(SYS_close, copy));
    SHOW(syscall(SYS_shutdown, 333, SHUT_WR));
    SHOW(recv(client, (char[8]){0}, 8, 0));
    SHOW(syscall(SYS_close, 333));
    SHOW(syscall(SYS_close_range, 600, 700, 0));
    SHOW(syscall(SYS_getpid) == getpid());
    SHOW(syscall(SYS_write, server, "x", 1));
}

SCENARIO(syscall_close_ends_the_connection, ANY)
{
    int fd = pair();

    SHOW(send(fd, "bye", 3, 0));
    SHOW(syscall(SYS_close, fd)); /* as libuv does */
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    int next = pair_index(1);
    SHOW(next == fd);
    SHOW(send(next, "new", 3, 0));
    SHOW_PEER(order_run((struct order){.op = OP_RECV_ONCE, .index = 1, .arg = 10}));
}

SCENARIO(fortified_names, RING)
{
    struct pollfd entry = {pair(), POLLIN, 0};
    int fd = entry.fd;
    char bytes[32] = "";
    struct timespec limit = {1, 0};

    peer_text("0123456789");
    await_queued(fd, 10);
    SHOW(__poll_chk(&entry, 1, 1000, sizeof entry));
    SHOW(__ppoll_chk(&entry, 1, &limit, NULL, sizeof entry));
    SHOW(__read_chk(fd, bytes, 2, 32));
    SHOW(__recv_chk(fd, bytes + 2, 3, 30, 0));
    SHOW(__recvfrom_chk(fd, bytes + 5, 5, 27, 0, NULL, NULL));
    show_text("bytes", bytes);
    SHOW(__recv_chk(fd, bytes, 3, 32, MSG_DONTWAIT));
    SHOW(send(fd, "x", 1, 0));
}

SCENARIO(fortified_check_still_kills, ANY)
{
    int fd = pair(), status;

    fflush(stdout);
    pid_t child = (pid_t)MUST(fork());
    if (!child) {
        char bytes[4];
        volatile size_t large = 8;
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(null, 2);
        __recv_chk(fd, bytes, large, sizeof bytes, MSG_DONTWAIT);
        _exit(0);
    }
    waitpid(child, &status, 0);
    SHOW(WIFSIGNALED(status) ? WTERMSIG(status) : -1);
}

SCENARIO(names_with_64, RING)
{
    int fd = pair();
    char path[] = "/tmp/semantics-XXXXXX";
    int file = (int)MUST(mkstemp64(path));
    off64_t offset = 2;

    unlink(path);
    MUST(write(file, "0123456789", 10));
    SHOW(sendfile64(fd, file, &offset, 5));
    SHOW(offset);
    SHOW(fcntl64(fd, F_GETFL));
    SHOW(fcntl64(fd, F_SETFL, O_RDWR | O_NONBLOCK));
    SHOW(fcntl64(fd, F_DUPFD_CLOEXEC, 222));
    SHOW(recv(fd, (char[1]){0}, 1, 0));
    SHOW(pread64(fd, (char[1]){0}, 1, 0));
    SHOW(lseek64(fd, 0, SEEK_CUR));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
}

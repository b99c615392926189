/* What only connections of AF_UNIX have: names, descriptors and credentials on the way, ends that are seen at once. Run
 * over AF_UNIX alone. */
#include "harness.h"

union box {
    struct cmsghdr head;
    char space[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int))];
};

static long send_with(int fd, const char *text, int type, const void *data, size_t size)
{
    union box box = {0};
    struct iovec part = {(char *)text, strlen(text)};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &box, .msg_controllen = CMSG_SPACE(size)};

    box.head = (struct cmsghdr){CMSG_LEN(size), SOL_SOCKET, type};
    memcpy(CMSG_DATA(&box.head), data, size);
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static long send_descriptor(int fd, const char *text, int passed)
{
    return send_with(fd, text, SCM_RIGHTS, &passed, sizeof passed);
}

/* A receive of `count` bytes with a place for control data: what came is shown. Descriptors stay open in *passed. */
static void show_message(int fd, size_t count, int flags, int *passed)
{
    char bytes[64] = {0};
    union box box = {0};
    struct iovec part = {bytes, count};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &box, .msg_controllen = sizeof box};
    long result = recvmsg(fd, &message, flags);

    show("recvmsg", result);
    show_bytes("bytes", bytes, result > 0 ? (size_t)result : 0);
    show("flags", message.msg_flags);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); result >= 0 && c; c = CMSG_NXTHDR(&message, c)) {
        struct ucred from;
        show_text("with", c->cmsg_type == SCM_RIGHTS ? "a descriptor" : "credentials");
        if (c->cmsg_type == SCM_RIGHTS)
            memcpy(passed, CMSG_DATA(c), sizeof *passed);
        else {
            memcpy(&from, CMSG_DATA(c), sizeof from);
            show_bool("from this user", from.uid == getuid() && from.pid > 0);
        }
    }
}

static bool is_pipe(int fd)
{
    struct stat status;
    return fd >= 0 && fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
}

static void show_end(const char *text, int fd)
{
    struct pollfd entry = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP};
    show_poll(text, &entry, 2000);
}

/* ---- names ---- */

SCENARIO(unix_names, RING)
{
    int fd = pair();
    struct sockaddr_un own = {0}, other = {0};
    socklen_t size = sizeof own;

    peer_text("x");
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    SHOW(getsockname(fd, (struct sockaddr *)&own, &size));
    show("own name", size);
    SHOW(own.sun_family == AF_UNIX);
    size = sizeof other;
    SHOW(getpeername(fd, (struct sockaddr *)&other, &size));
    show("other name", size);
    size = 1;
    SHOW(getpeername(fd, (struct sockaddr *)&other, &size));
    show("size of a name without room", size);
    SHOW(getsockname(fd, (struct sockaddr *)&other, NULL));
}

SCENARIO(unix_senders_name, RING)
{
    int fd = pair();
    struct sockaddr_un from = {0};
    socklen_t size = sizeof from;

    peer_text("abc");
    SHOW(recvfrom(fd, (char[8]){0}, 2, 0, (struct sockaddr *)&from, &size));
    show("size", size);
    struct iovec part = {(char[8]){0}, 8};
    struct msghdr message = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1};
    SHOW(recvmsg(fd, &message, 0));
    show("size", message.msg_namelen);
    peer(OP_CLOSE, 0);
    message.msg_namelen = sizeof from;
    SHOW(recvmsg(fd, &message, 0));
    show("size at the end", message.msg_namelen);
}

SCENARIO(unix_accepts_who_has_no_name, RING | ONCE)
{
    struct sockaddr_storage address;
    struct sockaddr_un from = {.sun_path = "untouched"};
    socklen_t size = sizeof from;
    int at = listen_at(AF_UNIX, "", &address), fd = (int)MUST(socket(AF_UNIX, SOCK_STREAM, 0));

    MUST(connect(fd, (struct sockaddr *)&address, address_size(&address)));
    int taken = (int)MUST(accept(at, (struct sockaddr *)&from, &size));
    show("size", size);
    SHOW(from.sun_family == AF_UNIX);
    SHOW(send(fd, "abc", 3, 0));
    SHOW(recv(taken, (char[8]){0}, 8, 0));
}

SCENARIO(unix_client_with_a_name, ANY | ONCE)
{
    struct sockaddr_storage address;
    struct sockaddr_un own = {.sun_family = AF_UNIX, .sun_path = "\0scenario"}, from = {0};
    socklen_t size = sizeof from;
    int at = listen_at(AF_UNIX, "", &address), fd = (int)MUST(socket(AF_UNIX, SOCK_STREAM, 0));

    MUST(bind(fd, (struct sockaddr *)&own, sizeof(sa_family_t) + 9));
    SHOW(connect(fd, (struct sockaddr *)&address, address_size(&address)));
    int taken = (int)MUST(accept(at, (struct sockaddr *)&from, &size));
    show("size", size);
    show_bytes("name", from.sun_path, size - sizeof(sa_family_t));
    SHOW(send(fd, "abc", 3, 0));
    SHOW(recv(taken, (char[8]){0}, 8, 0));
}

static int listen_at_path(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = (int)MUST(socket(AF_UNIX, SOCK_STREAM, 0));

    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    MUST(bind(fd, (struct sockaddr *)&at, sizeof at));
    MUST(listen(fd, 5));
    return fd;
}

static int connect_to_path(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = (int)MUST(socket(AF_UNIX, SOCK_STREAM, 0));

    snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
    SHOW(connect(fd, (struct sockaddr *)&to, sizeof to));
    return fd;
}

SCENARIO(unix_by_another_path, RING | ONCE)
{
    char directory[] = "/tmp/semantics-XXXXXX", path[64], other[64];
    struct sockaddr_un name = {0};
    socklen_t size = sizeof name;

    if (!mkdtemp(directory))
        broken("mkdtemp");
    snprintf(path, sizeof path, "%s/a", directory);
    snprintf(other, sizeof other, "%s/b", directory);
    int at = listen_at_path(path);
    MUST(rename(path, other));
    MUST(chdir(directory));
    int gone = connect_to_path(path), fd = connect_to_path("b");
    int taken = (int)MUST(accept(at, NULL, NULL));
    SHOW(send(fd, "abc", 3, 0));
    SHOW(recv(taken, (char[8]){0}, 8, 0));
    SHOW(getpeername(fd, (struct sockaddr *)&name, &size));
    show_bool("the name that was bound", !strcmp(name.sun_path, path));
    close(gone);
    MUST(unlink(other));
    MUST(rmdir(directory));
}

SCENARIO(unix_destination_of_a_connection, RING)
{
    int fd = pair();
    struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "/nowhere"};
    struct iovec part = {"abc", 3};
    struct msghdr message = {.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &part, .msg_iovlen = 1};

    SHOW(sendto(fd, "abc", 3, 0, (struct sockaddr *)&to, sizeof to));
    SHOW(sendmsg(fd, &message, 0));
    SHOW(sendto(fd, "abc", 3, 0, NULL, 0));
    SHOW(connect(fd, (struct sockaddr *)&to, sizeof to));
    SHOW_PEER(peer(OP_RECV_ONCE, 16));
}

/* ---- connecting ---- */

SCENARIO(unix_backlog_is_full, MIXED | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_UNIX, "", &address), fd[3];

    MUST(listen(at, 0));
    for (int i = 0; i < 3; i++)
        fd[i] = (int)MUST(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    SHOW(connect(fd[0], (struct sockaddr *)&address, address_size(&address)));
    SHOW(connect(fd[1], (struct sockaddr *)&address, address_size(&address)));
    int taken = (int)MUST(accept(at, NULL, NULL));
    SHOW(connect(fd[1], (struct sockaddr *)&address, address_size(&address)));
    int other = (int)MUST(accept(at, NULL, NULL));
    SHOW(send(fd[0], "abc", 3, 0));
    SHOW(recv(taken, (char[8]){0}, 8, 0));
    SHOW(send(fd[1], "abcd", 4, 0));
    SHOW(recv(other, (char[8]){0}, 8, 0));
    close(at);
    SHOW(connect(fd[2], (struct sockaddr *)&address, address_size(&address)));
}

SCENARIO(unix_listener_closes_with_a_client_waiting, ANY | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_UNIX, "", &address), fd = (int)MUST(socket(AF_UNIX, SOCK_STREAM, 0));

    SHOW(connect(fd, (struct sockaddr *)&address, address_size(&address)));
    SHOW(send(fd, "abc", 3, MSG_NOSIGNAL));
    close(at);
    show_end("refused", fd);
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    SHOW(send(fd, "abc", 3, MSG_NOSIGNAL));
}

SCENARIO(unix_options, RING)
{
    int fd = pair(), value = -1;
    socklen_t size = sizeof value;
    struct ucred who = {0};
    static const int ASKED[] = {SO_DOMAIN, SO_TYPE, SO_PROTOCOL, SO_ACCEPTCONN, SO_ERROR, SO_PASSCRED};

    for (size_t i = 0; i < sizeof ASKED / sizeof *ASKED; i++) {
        SHOW(getsockopt(fd, SOL_SOCKET, ASKED[i], &value, &size));
        show("value", value);
    }
    size = sizeof who;
    SHOW(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size));
    show_bool("the peer is of this user", who.uid == getuid() && who.pid > 0);
    SHOW(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)));
    SHOW(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &value, &size));
    SHOW(ioctl(fd, SIOCATMARK, &value));
    SHOW_PEER(peer(OP_SEND, 5));
    SHOW(recv(fd, (char[8]){0}, 8, 0));
}

/* ---- descriptors and credentials ---- */

SCENARIO(unix_descriptor_between_bytes, MIXED | ONCE)
{
    int ends[2], pipe_ends[2], passed = -1;

    own_pair(ends);
    MUST(pipe(pipe_ends));
    SHOW(send(ends[0], "abc", 3, 0));
    SHOW(send_descriptor(ends[0], "d", pipe_ends[1]));
    SHOW(send(ends[0], "efg", 3, 0));
    show_message(ends[1], 3, 0, &passed);
    show_message(ends[1], 1, 0, &passed);
    show_bool("it is the pipe", is_pipe(passed));
    show_message(ends[1], 3, 0, &passed);
    SHOW(write(passed, "through", 7));
    SHOW(read(pipe_ends[0], (char[16]){0}, 16));
}

SCENARIO(unix_descriptor_in_both_directions, MIXED | ONCE)
{
    int ends[2], pipe_ends[2], passed = -1, back = -1;

    own_pair(ends);
    MUST(pipe(pipe_ends));
    SHOW(send(ends[1], "first", 5, 0));
    SHOW(send_descriptor(ends[0], "there", pipe_ends[0]));
    show_message(ends[1], 5, 0, &passed);
    SHOW(send_descriptor(ends[1], "back", passed));
    SHOW(recv(ends[0], (char[8]){0}, 5, 0));
    show_message(ends[0], 4, 0, &back);
    show_bool("it is the pipe", is_pipe(back));
}

SCENARIO(unix_descriptor_from_a_client_not_accepted, ANY | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_UNIX, "", &address), fd = (int)MUST(socket(AF_UNIX, SOCK_STREAM, 0)), passed = -1;

    MUST(connect(fd, (struct sockaddr *)&address, address_size(&address)));
    SHOW(send(fd, "abc", 3, 0));
    SHOW(send_descriptor(fd, "d", at));
    SHOW(send(fd, "ef", 2, 0));
    int taken = (int)MUST(accept(at, NULL, NULL));
    show_message(taken, 3, 0, &passed);
    show_message(taken, 1, MSG_CMSG_CLOEXEC, &passed);
    show_bool("closes on exec", passed >= 0 && fcntl(passed, F_GETFD) == FD_CLOEXEC);
    show_message(taken, 2, 0, &passed);
}

SCENARIO(unix_descriptor_that_nobody_takes, MIXED | ONCE)
{
    int ends[2], pipe_ends[2];

    own_pair(ends);
    MUST(pipe(pipe_ends));
    SHOW(send(ends[0], "ab", 2, 0));
    SHOW(send_descriptor(ends[0], "cd", pipe_ends[1]));
    close(pipe_ends[1]);
    SHOW(recv(ends[1], (char[8]){0}, 2, 0));
    SHOW(recv(ends[1], (char[8]){0}, 8, 0));
    SHOW(read(pipe_ends[0], (char[8]){0}, 8)); /* the end: nobody has the other one */
}

SCENARIO(unix_descriptor_wakes_a_receiver, MIXED)
{
    int fd = pair(), passed = -1;

    peer_text("plain");
    show_message(fd, 5, 0, &passed);
    order_start((struct order){.op = OP_PASS, .text = "comes", .delay_ms = 60});
    show_message(fd, 5, 0, &passed);
    order_finish();
    show_bool("it is a pipe", is_pipe(passed));
    SHOW(send(fd, "thanks", 6, 0));
    SHOW_PEER(peer(OP_RECV_ONCE, 16));
}

SCENARIO(unix_descriptor_seen_by_poll_and_epoll, MIXED)
{
    int fd = pair(), set = epoll_create1(0), passed = -1;
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};

    peer_text("plain");
    show_message(fd, 5, 0, &passed);
    MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
    SHOW(epoll_wait(set, &event, 1, 0));
    order_start((struct order){.op = OP_PASS, .text = "comes", .delay_ms = 40});
    SHOW(epoll_wait(set, &event, 1, 2000));
    order_finish();
    show_message(fd, 5, MSG_DONTWAIT, &passed);
    show_bool("it is a pipe", is_pipe(passed));
    show_message(fd, 5, MSG_DONTWAIT, &passed);
}

SCENARIO(unix_looks_at_a_descriptor, MIXED | ONCE)
{
    int ends[2], pipe_ends[2], passed = -1;

    own_pair(ends);
    MUST(pipe(pipe_ends));
    SHOW(send(ends[0], "ab", 2, 0));
    SHOW(recv(ends[1], (char[8]){0}, 2, 0));
    SHOW(send_descriptor(ends[0], "cd", pipe_ends[1]));
    show_message(ends[1], 2, MSG_PEEK, &passed);
    show_bool("it is the pipe", is_pipe(passed));
    show_message(ends[1], 2, 0, &passed);
}

SCENARIO(unix_descriptor_of_the_connection_itself, MIXED | ONCE)
{
    int ends[2], passed = -1;

    own_pair(ends);
    SHOW(send(ends[0], "ab", 2, 0));
    SHOW(send_descriptor(ends[0], "c", ends[1]));
    show_message(ends[1], 2, 0, &passed);
    show_message(ends[1], 1, 0, &passed);
    SHOW(send(ends[0], "def", 3, 0));
    SHOW(recv(passed, (char[8]){0}, 8, 0));
}

SCENARIO(unix_credentials, ANY)
{
    int fd = pair(), passed = -1;

    SHOW(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &(int){1}, sizeof(int)));
    peer_text("who");
    show_message(fd, 8, 0, &passed);
    SHOW(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &(int){0}, sizeof(int)));
    peer_text("next");
    show_message(fd, 8, 0, &passed);
}

SCENARIO(unix_credentials_that_were_sent, MIXED | ONCE)
{
    int ends[2], passed = -1;
    struct ucred own = {getpid(), getuid(), getgid()};

    own_pair(ends);
    SHOW(send(ends[0], "ab", 2, 0));
    SHOW(recv(ends[1], (char[8]){0}, 8, 0));
    SHOW(setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &(int){1}, sizeof(int)));
    SHOW(send_with(ends[0], "me", SCM_CREDENTIALS, &own, sizeof own));
    show_message(ends[1], 8, 0, &passed);
}

SCENARIO(unix_credentials_of_bytes_before_accept, ANY | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_UNIX, "", &address), fd = (int)MUST(socket(AF_UNIX, SOCK_STREAM, 0)), passed = -1;

    MUST(connect(fd, (struct sockaddr *)&address, address_size(&address)));
    SHOW(send(fd, "abc", 3, 0));
    int taken = (int)MUST(accept(at, NULL, NULL));
    SHOW(setsockopt(taken, SOL_SOCKET, SO_PASSCRED, &(int){1}, sizeof(int)));
    SHOW(send(fd, "def", 3, 0));
    show_message(taken, 3, 0, &passed);
    show_message(taken, 3, 0, &passed);
}

SCENARIO(unix_nothing_with_the_bytes, RING)
{
    int fd = pair(), passed = -1;

    peer_text("abc");
    show_message(fd, 8, 0, &passed);
    show_message(fd, 8, MSG_DONTWAIT, &passed);
    peer(OP_CLOSE, 0);
    show_message(fd, 8, 0, &passed);
}

SCENARIO(unix_urgent_byte, MIXED | ONCE)
{
    int ends[2], mark = -1;
    char bytes[8];

    own_pair(ends);
    SHOW(send(ends[0], "abc", 3, 0));
    SHOW(recv(ends[1], bytes, 3, 0));
    SHOW(send(ends[0], "u", 1, MSG_OOB));
    SHOW(recv(ends[1], bytes, 1, MSG_OOB));
    show_bytes("urgent", bytes, 1);
    SHOW(ioctl(ends[1], SIOCATMARK, &mark));
    SHOW(send(ends[0], "def", 3, 0));
    SHOW(recv(ends[1], bytes, 8, 0));
}

/* ---- ends ---- */

SCENARIO(unix_peer_shuts_its_reading, RING)
{
    int fd = pair();

    SHOW(send(fd, "before", 6, 0));
    SHOW_PEER(peer(OP_SHUTDOWN, SHUT_RD));
    show_end("shut", fd);
    SHOW(send(fd, "after", 5, MSG_NOSIGNAL));
    SHOW(send(fd, "", 0, MSG_NOSIGNAL));
    SHOW_PEER(peer(OP_RECV_ONCE, 16));
    SHOW_PEER(peer(OP_RECV_ONCE, 16));
    peer_text("still");
    SHOW(recv(fd, (char[8]){0}, 8, 0));
}

SCENARIO(unix_peer_shuts_its_reading_under_a_sender, RING)
{
    int fd = pair();

    fill_until_full(fd, 0);
    peer_start(OP_SHUTDOWN, SHUT_RD, 60);
    SHOW(send(fd, "x", 1, MSG_NOSIGNAL));
    order_finish();
}

SCENARIO(unix_shuts_its_own_reading, RING)
{
    int fd = pair();

    peer_text("before");
    SHOW(shutdown(fd, SHUT_RD));
    show_end("shut", fd);
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    SHOW_PEER(peer(OP_SEND, 3));
    SHOW(send(fd, "still", 5, 0));
    SHOW_PEER(peer(OP_RECV_ONCE, 16));
    SHOW(shutdown(fd, SHUT_WR));
    show_end("both shut", fd);
    SHOW_PEER(peer(OP_RECV_ONCE, 16));
    SHOW(shutdown(fd, SHUT_RDWR));
}

SCENARIO(unix_peer_closes, RING)
{
    int fd = pair();
    struct sockaddr_un name;
    socklen_t size = sizeof name;

    peer_text("last");
    peer(OP_CLOSE, 0);
    show_end("closed", fd);
    SHOW(send(fd, "x", 1, MSG_NOSIGNAL));
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    show_end("read", fd);
    SHOW(getpeername(fd, (struct sockaddr *)&name, &size));
    SHOW(shutdown(fd, SHUT_WR));
    SHOW(shutdown(fd, SHUT_RDWR));
}

SCENARIO(unix_peer_closes_with_bytes_unread, RING)
{
    int fd = pair();

    SHOW(send(fd, "unread", 6, 0));
    peer_text("last");
    peer(OP_CLOSE, 0);
    show_end("closed", fd);
    SHOW(send(fd, "x", 1, MSG_NOSIGNAL));
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    SHOW(send(fd, "x", 1, MSG_NOSIGNAL));
    show_end("read", fd);
}

SCENARIO(unix_peer_closes_unread_after_its_end, RING)
{
    int fd = pair();

    SHOW(send(fd, "unread", 6, 0));
    peer(OP_SHUTDOWN, SHUT_WR);
    show_end("ended", fd);
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    peer(OP_CLOSE, 0);
    show_end("closed", fd);
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    SHOW(recv(fd, (char[8]){0}, 8, 0));
}

SCENARIO(unix_reset_told_by_the_option, RING)
{
    int fd = pair(), value = -1;
    socklen_t size = sizeof value;

    SHOW(send(fd, "unread", 6, 0));
    peer(OP_CLOSE, 0);
    SHOW((getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &size), value));
    SHOW((getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &size), value));
    SHOW(recv(fd, (char[8]){0}, 8, 0));
}

SCENARIO(unix_edges_of_an_end_in_two_steps, RING)
{
    int fd = pair(), set = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET};

    MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
    peer_text("x");
    SHOW(epoll_wait(set, &event, 1, 2000));
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    peer(OP_SHUTDOWN, SHUT_WR);
    show_events("ended", epoll_wait(set, &event, 1, 2000), event.events);
    peer(OP_CLOSE, 0);
    show_events("closed", epoll_wait(set, &event, 1, 2000), event.events);
    show_events("told", epoll_wait(set, &event, 1, 30), event.events);
}

SCENARIO(unix_lingering_means_nothing, RING)
{
    int fd = pair();
    struct linger at_once = {1, 0};

    SHOW(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
    SHOW(send(fd, "last", 4, 0));
    close(fd);
    SHOW_PEER(peer(OP_RECV_ONCE, 16));
    SHOW_PEER(peer(OP_RECV_ONCE, 16));
}

SCENARIO(unix_flags_that_mean_nothing, RING)
{
    int fd = pair();
    char bytes[8] = {0};

    peer_text("abcdef");
    SHOW(recv(fd, bytes, 3, MSG_TRUNC));
    show_bytes("bytes", bytes, 3);
    SHOW(recv(fd, bytes, 8, MSG_PEEK | MSG_TRUNC));
    SHOW(recv(fd, bytes, 8, 0));
}

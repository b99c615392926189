/* What socket(7), tcp(7), accept(2), connect(2), epoll(7), signal(7) and proc(5) promise and no other file asks. */
#include "harness.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

/* ---- ends and beginnings ---- */

SCENARIO(both_close_at_once, ANY)
{
    int fd = pair();

    SHOW(send(fd, "ours", 4, 0));
    peer_text("theirs");
    await_queued(fd, 6);
    peer_start(OP_RECV_ONCE, 10, 0);
    SHOW_PEER(order_finish());
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    peer_start(OP_CLOSE, 0, 0);
    SHOW(close(fd));
    SHOW_PEER(order_finish());
}

SCENARIO(both_shut_down_at_once, RING)
{
    int fd = pair();

    SHOW(send(fd, "ours", 4, 0));
    peer_start(OP_SHUTDOWN, SHUT_WR, 0);
    SHOW(shutdown(fd, SHUT_WR));
    SHOW_PEER(order_finish());
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    SHOW(send(fd, "x", 1, MSG_NOSIGNAL));
    SHOW(shutdown(fd, SHUT_RDWR));
}

SCENARIO(connect_again_after_a_refusal, RING | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address), fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
    struct sockaddr *to = (struct sockaddr *)&address;

    close(at);
    sleep_ms(20);
    SHOW(connect(fd, to, address_size(&address)));
    at = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
    MUST(setsockopt(at, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)));
    MUST(bind(at, to, address_size(&address)));
    MUST(listen(at, 5));
    SHOW(connect(fd, to, address_size(&address)));
    int other = (int)MUST(accept(at, NULL, NULL));
    SHOW(send(fd, "abc", 3, 0));
    SHOW(recv(other, (char[8]){0}, 8, 0));
    SHOW(send(other, "defg", 4, 0));
    SHOW(recv(fd, (char[8]){0}, 8, 0));
}

SCENARIO(connect_to_oneself, ANY | ONCE)
{
    struct sockaddr_storage address = loopback(AF_INET, "127.0.0.1", 0);
    socklen_t size = sizeof address;
    int fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));

    MUST(bind(fd, (struct sockaddr *)&address, address_size(&address)));
    MUST(getsockname(fd, (struct sockaddr *)&address, &size));
    SHOW(connect(fd, (struct sockaddr *)&address, address_size(&address)));
    SHOW(send(fd, "echo", 4, 0));
    show_poll("state", &(struct pollfd){fd, POLLIN | POLLOUT, 0}, 1000);
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    SHOW(shutdown(fd, SHUT_WR));
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    SHOW(close(fd));
}

SCENARIO(accept_without_a_descriptor_left, MIXED | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address), ends[2];
    struct rlimit before, low;

    own_pair(ends);
    int client = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
    MUST(connect(client, (struct sockaddr *)&address, address_size(&address)));
    MUST(getrlimit(RLIMIT_NOFILE, &before));
    low = before;
    int next = (int)MUST(dup(0));
    close(next);
    low.rlim_cur = (rlim_t)next;
    MUST(setrlimit(RLIMIT_NOFILE, &low));
    SHOW(accept(at, NULL, NULL));
    SHOW(socket(AF_INET, SOCK_STREAM, 0));
    SHOW(dup(ends[0]));
    show_poll("still waits", &(struct pollfd){at, POLLIN, 0}, 0);
    SHOW(send(ends[0], "abc", 3, 0)); /* connections go on */
    SHOW(recv(ends[1], (char[8]){0}, 8, 0));
    MUST(setrlimit(RLIMIT_NOFILE, &before));
    int server = (int)MUST(accept(at, NULL, NULL));
    SHOW_BOOL(server == next);
    SHOW(send(client, "abc", 3, 0));
    SHOW(recv(server, (char[8]){0}, 8, 0));
}

/* ---- epoll ---- */

SCENARIO(epoll_rdhup_alone, RING)
{
    int fd = pair(), set = (int)MUST(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET};

    MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
    peer_text("abc");
    await_queued(fd, 3);
    SHOW(epoll_wait(set, &event, 1, 30)); /* bytes are no news to it */
    SHOW_PEER(peer(OP_SHUTDOWN, SHUT_WR));
    int ready = epoll_wait(set, &event, 1, 2000);
    show_events("the end", ready, event.events);
    SHOW(epoll_wait(set, &event, 1, 30));
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    SHOW(recv(fd, (char[8]){0}, 8, 0));
}

/* What the child takes the parent is not told, and the other way round: it is one connection. */
SCENARIO(epoll_set_shared_with_a_child, MIXED)
{
    int fd = pair(), set = (int)MUST(epoll_create1(0)), status;
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = 7};

    MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
    fflush(stdout);
    pid_t child = (pid_t)MUST(fork());
    if (!child) {
        int ready = epoll_wait(set, &event, 1, 5000);
        _exit(ready == 1 && event.data.u32 == 7 && recv(fd, (char[8]){0}, 8, 0) == 3 ? 0 : 1);
    }
    peer_text("abc");
    MUST(waitpid(child, &status, 0));
    SHOW(status);
    SHOW(epoll_wait(set, &event, 1, 30));
    peer_text("def");
    int ready = epoll_wait(set, &event, 1, 2000);
    show_events("in the parent", ready, event.events);
    SHOW(event.data.u32);
    SHOW(recv(fd, (char[8]){0}, 8, 0));
}

SCENARIO(epoll_set_changed_by_a_child, ANY)
{
    int fd = pair(), set = (int)MUST(epoll_create1(0)), status;
    struct epoll_event event = {.events = EPOLLIN};

    MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
    fflush(stdout);
    pid_t child = (pid_t)MUST(fork());
    if (!child) {
        event.events = EPOLLOUT;
        _exit(epoll_ctl(set, EPOLL_CTL_MOD, fd, &event) == 0 ? 0 : 1);
    }
    MUST(waitpid(child, &status, 0));
    SHOW(status);
    int ready = epoll_wait(set, &event, 1, 1000);
    show_events("changed by the child", ready, event.events);
}

SCENARIO(epoll_set_in_a_set_in_a_set, RING)
{
    int fd = pair(), set[3];
    struct epoll_event event = {.events = EPOLLIN};

    for (int i = 0; i < 3; i++) {
        set[i] = (int)MUST(epoll_create1(0));
        event.data.u32 = (uint32_t)i;
        MUST(epoll_ctl(set[i], EPOLL_CTL_ADD, i ? set[i - 1] : fd, &event));
    }
    SHOW(epoll_wait(set[2], &event, 1, 20));
    SHOW(epoll_ctl(set[0], EPOLL_CTL_ADD, set[2], &event)); /* no circles */
    peer_text_later("abc", 60);
    SHOW(epoll_wait(set[2], &event, 1, 3000));
    order_finish();
    SHOW(event.data.u32);
    for (int i = 2; i >= 0; i--)
        SHOW(epoll_wait(set[i], &event, 1, 0));
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    SHOW(epoll_wait(set[2], &event, 1, 20));
}

SCENARIO(signalfd_beside_a_socket, RING)
{
    int fd = pair(), set = (int)MUST(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN};
    struct signalfd_siginfo about;
    sigset_t mask;

    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &mask, NULL);
    int signals = (int)MUST(signalfd(-1, &mask, SFD_CLOEXEC));
    event.data.u32 = 1;
    MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
    event.data.u32 = 2;
    MUST(epoll_ctl(set, EPOLL_CTL_ADD, signals, &event));
    SHOW(epoll_wait(set, &event, 1, 20));
    pthread_kill(pthread_self(), SIGUSR1);
    SHOW(epoll_wait(set, &event, 1, 2000));
    SHOW(event.data.u32);
    SHOW(read(signals, &about, sizeof about));
    SHOW(about.ssi_signo);
    peer_text("abc");
    SHOW(epoll_wait(set, &event, 1, 2000));
    SHOW(event.data.u32);
    struct pollfd both[2] = {{fd, POLLIN, 0}, {signals, POLLIN, 0}};
    SHOW(poll(both, 2, 0));
    SHOW(recv(fd, (char[8]){0}, 8, 0));
}

/* ---- threads that are cancelled ---- */

static void *accept_for_ever(void *argument)
{
    return (void *)(long)accept(*(int *)argument, NULL, NULL);
}

static void *poll_for_ever(void *argument)
{
    return (void *)(long)poll(&(struct pollfd){*(int *)argument, POLLIN, 0}, 1, -1);
}

static void *wait_for_ever(void *argument)
{
    int set = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};

    epoll_ctl(set, EPOLL_CTL_ADD, *(int *)argument, &event);
    return (void *)(long)epoll_wait(set, &event, 1, -1);
}

static void *send_for_ever(void *argument)
{
    static char bytes[100000];

    while (send(*(int *)argument, bytes, sizeof bytes, 0) > 0)
        continue;
    return NULL;
}

static void show_cancelled(void *(*run)(void *), int *fd)
{
    pthread_t thread = thread_start(run, fd);

    sleep_ms(150);
    SHOW(pthread_cancel(thread));
    SHOW_BOOL(thread_join(thread) == PTHREAD_CANCELED);
}

SCENARIO(cancel_in_accept, RING | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address);

    show_cancelled(accept_for_ever, &at);
    SHOW_PEER(order_run((struct order){.op = OP_CONNECT, .address = address}));
    int fd = (int)MUST(accept(at, NULL, NULL));
    peer_text("abc");
    SHOW(recv(fd, (char[8]){0}, 8, 0));
}

SCENARIO(cancel_in_poll_and_epoll_wait, RING)
{
    int fd = pair();

    show_cancelled(poll_for_ever, &fd);
    show_cancelled(wait_for_ever, &fd);
    peer_text("abc");
    SHOW(recv(fd, (char[8]){0}, 8, 0));
}

SCENARIO(cancel_in_send, RING)
{
    int fd = pair();

    show_cancelled(send_for_ever, &fd);
    SHOW(shutdown(fd, SHUT_WR));
    SHOW_BOOL(peer(OP_RECV_ALL, 0).result > 100000);
}

/* ---- signals: which calls start again ---- */

static void nothing(int number)
{
    (void)number;
}

static void catch_with(int flags)
{
    struct sigaction action = {.sa_handler = nothing, .sa_flags = flags};

    sigaction(SIGALRM, &action, NULL);
}

static void alarm_after(long milliseconds)
{
    struct itimerval timer = {.it_value.tv_usec = milliseconds * 1000};

    setitimer(ITIMER_REAL, &timer, NULL);
}

enum call { CALL_READ, CALL_READV, CALL_RECVMSG, CALL_RECVFROM };

static long receive_by(enum call call, int fd)
{
    char bytes[8];
    struct iovec part = {bytes, sizeof bytes};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    switch (call) {
    case CALL_READ: return read(fd, bytes, sizeof bytes);
    case CALL_READV: return readv(fd, &part, 1);
    case CALL_RECVMSG: return recvmsg(fd, &message, 0);
    case CALL_RECVFROM: return recvfrom(fd, bytes, sizeof bytes, 0, NULL, NULL);
    }
    return -2;
}

SCENARIO(every_receiving_call_starts_again, RING)
{
    int fd = pair();

    for (int restart = 0; restart < 2; restart++)
        for (enum call call = CALL_READ; call <= CALL_RECVFROM; call++) {
            catch_with(restart ? SA_RESTART : 0);
            alarm_after(60);
            if (restart)
                peer_text_later("abc", 200);
            SHOW(receive_by(call, fd));
            if (restart)
                order_finish();
        }
}

SCENARIO(a_time_limit_forbids_to_start_again, RING)
{
    int fd = pair();
    struct timeval limit = {2, 0};

    MUST(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
    catch_with(SA_RESTART);
    alarm_after(60);
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    limit.tv_sec = 0;
    MUST(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
    alarm_after(60);
    peer_text_later("abc", 200);
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    order_finish();
}

SCENARIO(sendfile_interrupted, RING)
{
    int fd = pair(), file = open("/proc/self/exe", O_RDONLY);
    long sent = 1;

    fill_until_full(fd, 0);
    catch_with(0);
    alarm_after(300);
    for (int i = 0; sent > 0 && i < 50; i++)
        sent = sendfile(fd, file, &(off_t){0}, 1000000);
    show("sendfile", sent);
}

SCENARIO(epoll_wait_is_never_started_again, RING)
{
    int fd = pair(), set = (int)MUST(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN};

    MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
    catch_with(SA_RESTART);
    alarm_after(60);
    SHOW(epoll_wait(set, &event, 1, 3000));
    alarm_after(60);
    SHOW(epoll_wait(set, &event, 1, -1));
    peer_text("abc");
    SHOW(epoll_wait(set, &event, 1, 2000));
}

/* ---- /proc/self/fd ---- */

static int open_sockets(void)
{
    DIR *directory = opendir("/proc/self/fd");
    struct dirent *entry;
    char target[64];
    int count = 0;

    while ((entry = readdir(directory))) {
        ssize_t size = readlinkat(dirfd(directory), entry->d_name, target, sizeof target - 1);
        int fd = atoi(entry->d_name);
        count += size > 7 && !strncmp(target, "socket:", 7) && fd < 64; /* those of others lie far above */
    }
    closedir(directory);
    return count;
}

SCENARIO(proc_shows_every_socket, RING | ONCE)
{
    int before = open_sockets(), ends[2];
    char path[32];

    own_pair(ends);
    SHOW(open_sockets() - before);
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
    SHOW(open(path, O_RDWR)); /* a socket cannot be opened */
    SHOW(send(ends[0], "abc", 3, 0));
    SHOW(recv(ends[1], (char[8]){0}, 8, 0));
    close(ends[0]);
    SHOW(open_sockets() - before);
    close(ends[1]);
    SHOW(open_sockets() - before);
}

/* ---- fcntl ---- */

SCENARIO(fcntl_duplicates_from_a_number_on, RING)
{
    int fd = pair();
    int copy = fcntl(fd, F_DUPFD, 50), closes = fcntl(fd, F_DUPFD_CLOEXEC, 50);

    SHOW(copy);
    SHOW(closes);
    SHOW(fcntl(copy, F_GETFD));
    SHOW(fcntl(closes, F_GETFD));
    SHOW(close(fd));
    SHOW(send(copy, "abc", 3, 0));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    peer_text("defg");
    SHOW(recv(closes, (char[8]){0}, 8, 0));
    SHOW(fcntl(fd, F_DUPFD, 0));
    SHOW(fcntl(copy, F_DUPFD, -1));
    SHOW(close(copy));
    SHOW(close(closes));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
}

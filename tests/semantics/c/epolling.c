/* epoll: level, edge, one-shot, exclusive, and the errors of epoll_ctl. */
#include "harness.h"

static int epoll_of(int fd, uint32_t events)
{
    int set = (int)MUST(epoll_create1(EPOLL_CLOEXEC));
    struct epoll_event event = {.events = events, .data.u64 = 0x123456789abcdef0};

    MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
    return set;
}

static int control(int set, int operation, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u64 = (uint64_t)fd};

    return epoll_ctl(set, operation, fd, &event);
}

static void show_wait(const char *text, int set, int timeout_ms)
{
    struct epoll_event event = {0};

    errno = 0;
    int count = epoll_wait(set, &event, 1, timeout_ms);
    show_events(text, count, event.events);
}

SCENARIO(epoll_level, RING)
{
    int fd = pair(), set = epoll_of(fd, EPOLLIN | EPOLLRDHUP);
    struct epoll_event event;

    show_wait("nothing", set, 20);
    peer_text("abc");
    show_wait("data", set, 2000);
    show_wait("still data", set, 0);
    SHOW(recv(fd, (char[2]){0}, 2, 0));
    SHOW(epoll_wait(set, &event, 1, 0));
    SHOW_BOOL(event.data.u64 == 0x123456789abcdef0);
    SHOW(recv(fd, (char[2]){0}, 2, 0));
    show_wait("drained", set, 0);
    peer_text_later("late", 60);
    show_wait("late data", set, 5000);
    order_finish();
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    SHOW(control(set, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLOUT));
    show_wait("room", set, 0);
    show_wait("still room", set, 0);
    peer(OP_SHUTDOWN, SHUT_WR);
    sleep_ms(10);
    show_wait("half closed", set, 0);
    SHOW(control(set, EPOLL_CTL_MOD, fd, EPOLLRDHUP));
    show_wait("half closed", set, 0);
    SHOW(control(set, EPOLL_CTL_MOD, fd, 0));
    show_wait("asked for nothing", set, 0);
}

SCENARIO(epoll_level_reports_room_again, RING)
{
    int fd = pair(), set = epoll_of(fd, EPOLLOUT);

    show_wait("room", set, 0);
    long filled = fill_until_full(fd, 0);
    show_wait("full", set, 30);
    peer_start(OP_RECV, filled, 50);
    show_wait("room again", set, 5000);
    SHOW_BOOL(order_finish().result == filled);
}

SCENARIO(epoll_edge_new_data_while_unread, RING)
{
    int fd = pair(), set = epoll_of(fd, EPOLLIN | EPOLLET);

    show_wait("nothing", set, 0);
    peer_text("abc");
    show_wait("data", set, 2000);
    show_wait("no new data", set, 30);
    peer_text("def");
    show_wait("new data, old unread", set, 2000);
    show_wait("no new data", set, 30);
    SHOW(recv(fd, (char[2]){0}, 2, 0));
    show_wait("a partial read is no edge", set, 30);
    peer_text_later("ghi", 50);
    show_wait("new data", set, 5000);
    order_finish();
    SHOW(recv(fd, (char[16]){0}, 16, 0));
    show_wait("drained", set, 30);
}

SCENARIO(epoll_edge_after_eagain, RING)
{
    int fd = pair(), set = epoll_of(fd, EPOLLIN | EPOLLET);

    set_nonblocking(fd, true);
    for (int round = 0; round < 5; round++) {
        peer_text_later("round", round == 2 ? 40 : 0);
        show_wait("data", set, 5000);
        order_finish();
        SHOW(recv(fd, (char[16]){0}, 16, 0));
        SHOW(recv(fd, (char[16]){0}, 16, 0));
        show_wait("drained", set, 0);
    }
}

SCENARIO(epoll_edge_reader_stops_short, RING)
{
    int fd = pair(), set = epoll_of(fd, EPOLLIN | EPOLLET);

    peer_text("0123456789");
    show_wait("data", set, 2000);
    SHOW(recv(fd, (char[4]){0}, 4, 0)); /* stops before EAGAIN */
    peer_text("more");
    show_wait("more data", set, 2000);
    await_queued(fd, 10);
    SHOW(recv(fd, (char[64]){0}, 64, 0));
    peer_text("again");
    show_wait("after an exact drain", set, 2000);
}

SCENARIO(epoll_edge_out_after_drain, RING)
{
    int fd = pair(), set = epoll_of(fd, EPOLLOUT | EPOLLET);

    show_wait("room when added", set, 0);
    show_wait("once", set, 30);
    long filled = fill_until_full(fd, 0);
    show_wait("full", set, 30);
    peer_start(OP_RECV, filled, 50);
    show_wait("edge when drained", set, 5000);
    SHOW_BOOL(order_finish().result == filled);
    show_wait("then none", set, 50);
}

SCENARIO(epoll_edge_both_directions, RING)
{
    int fd = pair(), set = epoll_of(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);

    show_wait("room when added", set, 0);
    show_wait("once", set, 30);
    peer_text("abc");
    show_wait("data tells room too", set, 2000);
    show_wait("once", set, 30);
    SHOW(send(fd, "x", 1, 0));
    show_wait("our send is no edge", set, 30);
    peer(OP_SHUTDOWN, SHUT_WR);
    show_wait("half closed", set, 2000);
    show_wait("once", set, 30);
    SHOW(recv(fd, (char[16]){0}, 16, 0));
    SHOW(recv(fd, (char[16]){0}, 16, 0));
    show_wait("end-of-file read", set, 30);
}

SCENARIO(epoll_edge_end_of_file_and_reset, ANY)
{
    int fd = pair(), set = epoll_of(fd, EPOLLIN | EPOLLRDHUP | EPOLLET);

    peer_start(OP_CLOSE, 0, 30);
    show_wait("closed", set, 5000);
    order_finish();
    show_wait("once", set, 30);
    close(fd);
    fd = pair();
    SHOW(control(set, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET));
    peer_start(OP_RESET, 0, 30);
    show_wait("reset", set, 5000);
    order_finish();
    show_wait("once", set, 30);
}

SCENARIO(epoll_edge_modify_tells_again, RING)
{
    int fd = pair(), set = epoll_of(fd, EPOLLIN | EPOLLET);

    peer_text("abc");
    show_wait("data", set, 2000);
    show_wait("once", set, 20);
    SHOW(control(set, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLET));
    show_wait("again after MOD", set, 0);
    show_wait("once", set, 20);
    SHOW(control(set, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLOUT | EPOLLET));
    show_wait("both after MOD", set, 0);
    SHOW(control(set, EPOLL_CTL_DEL, fd, 0));
    SHOW(control(set, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET));
    show_wait("again after DEL and ADD", set, 0);
    SHOW(control(set, EPOLL_CTL_MOD, fd, EPOLLIN));
    show_wait("level now", set, 0);
    show_wait("level now", set, 0);
}

SCENARIO(epoll_data_before_add, RING)
{
    int fd = pair();

    peer_text("abc");
    await_queued(fd, 3);
    show_wait("level", epoll_of(fd, EPOLLIN), 0);
    int set = epoll_of(fd, EPOLLIN | EPOLLET);
    show_wait("edge", set, 0);
    show_wait("edge, once", set, 0);
    set = epoll_of(fd, EPOLLIN | EPOLLONESHOT);
    show_wait("one-shot", set, 0);
    show_wait("one-shot, once", set, 0);
}

SCENARIO(epoll_oneshot, RING)
{
    int fd = pair(), set = epoll_of(fd, EPOLLIN | EPOLLONESHOT);

    peer_text("abc");
    show_wait("data", set, 2000);
    show_wait("disarmed", set, 20);
    peer_text("def");
    show_wait("new data, disarmed", set, 30);
    SHOW(control(set, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT));
    show_wait("armed again", set, 0);
    peer(OP_CLOSE, 0);
    sleep_ms(10);
    show_wait("disarmed even for the end", set, 20);
    SHOW(control(set, EPOLL_CTL_ADD, fd, EPOLLIN));
    SHOW(control(set, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT | EPOLLET));
    show_wait("armed again", set, 0);
    show_wait("disarmed", set, 0);
}

SCENARIO(epoll_exclusive, RING)
{
    int fd = pair(), set = epoll_of(fd, EPOLLIN | EPOLLEXCLUSIVE);

    peer_text("abc");
    show_wait("data", set, 2000);
    show_wait("level", set, 0);
    SHOW(control(set, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLEXCLUSIVE));
    SHOW(control(set, EPOLL_CTL_MOD, fd, EPOLLIN));
    SHOW(control(set, EPOLL_CTL_DEL, fd, 0));
    SHOW(control(set, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT));
    SHOW(control(set, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLEXCLUSIVE | EPOLLRDHUP));
    SHOW(control(set, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLEXCLUSIVE | EPOLLET));
    show_wait("edge and exclusive", set, 0);
    show_wait("once", set, 0);
}

SCENARIO(epoll_control_errors, ANY)
{
    int fd = pair(), set = epoll_of(fd, EPOLLIN), closed = (int)MUST(dup(fd)), ends[2];
    struct epoll_event event = {.events = EPOLLIN};
    FILE *file = tmpfile();

    MUST(pipe(ends));
    close(closed);
    SHOW(control(set, EPOLL_CTL_ADD, fd, EPOLLIN));
    SHOW(control(set, EPOLL_CTL_MOD, ends[0], EPOLLIN));
    SHOW(control(set, EPOLL_CTL_DEL, ends[0], EPOLLIN));
    SHOW(control(set, EPOLL_CTL_ADD, closed, EPOLLIN));
    SHOW(control(set, EPOLL_CTL_ADD, set, EPOLLIN));
    SHOW(control(set, EPOLL_CTL_ADD, fileno(file), EPOLLIN));
    SHOW(control(fd, EPOLL_CTL_ADD, ends[0], EPOLLIN));
    SHOW(control(closed, EPOLL_CTL_ADD, fd, EPOLLIN));
    SHOW(control(set, 99, fd, EPOLLIN));
    SHOW(epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL));
    SHOW(control(set, EPOLL_CTL_DEL, fd, 0));
    SHOW(control(set, EPOLL_CTL_MOD, fd, EPOLLIN));
    SHOW(epoll_wait(set, &event, 0, 0));
    volatile int minus = -1; /* hidden from the compiler, which knows better */
    SHOW(epoll_wait(set, &event, minus, 0));
    SHOW(epoll_wait(fd, &event, 1, 0));
    SHOW(epoll_wait(closed, &event, 1, 0));
    SHOW(epoll_create1(-1));
    SHOW(epoll_create(0));
    SHOW(fcntl(set, F_GETFD));
}

SCENARIO(epoll_before_connect, RING | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address);
    int fd = (int)MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    int set = epoll_of(fd, EPOLLIN | EPOLLOUT | EPOLLET);

    show_wait("unconnected", set, 0);
    show_wait("once", set, 0);
    SHOW(connect(fd, (struct sockaddr *)&address, address_size(&address)));
    show_wait("connected", set, 2000);
    int other = (int)MUST(accept(at, NULL, NULL));
    MUST(send(other, "hello", 5, 0));
    show_wait("data", set, 2000);
    SHOW(recv(fd, (char[16]){0}, 16, 0));
    SHOW(recv(fd, (char[16]){0}, 16, 0));
    show_wait("drained", set, 20);
    MUST(send(other, "again", 5, 0));
    show_wait("data", set, 2000);
    MUST(send(fd, "back", 4, 0));
    SHOW(recv(other, (char[16]){0}, 16, 0));
}

SCENARIO(epoll_level_before_connect, RING | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address);
    int fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
    int set = epoll_of(fd, EPOLLIN);

    show_wait("unconnected", set, 0);
    MUST(connect(fd, (struct sockaddr *)&address, address_size(&address)));
    int other = (int)MUST(accept(at, NULL, NULL));
    show_wait("nothing", set, 0);
    MUST(send(other, "hello", 5, 0));
    show_wait("data", set, 2000);
    show_wait("data", set, 0);
    SHOW(recv(fd, (char[16]){0}, 16, 0));
    show_wait("drained", set, 0);
}

SCENARIO(epoll_connect_refused, ANY | ONCE)
{
    struct sockaddr_storage address;
    int fd = (int)MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));

    close(listen_at(AF_INET, "127.0.0.1", &address));
    SHOW(connect(fd, (struct sockaddr *)&address, address_size(&address)));
    int set = epoll_of(fd, EPOLLOUT | EPOLLET);
    show_wait("refused", set, 2000);
}

SCENARIO(epoll_listener, ANY | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address), level = epoll_of(at, EPOLLIN);
    int edge = epoll_of(at, EPOLLIN | EPOLLET);

    set_nonblocking(at, true);
    show_wait("nobody, level", level, 0);
    show_wait("nobody, edge", edge, 0);
    order_start((struct order){.op = OP_CONNECT, .address = address, .delay_ms = 30});
    show_wait("first, edge", edge, 5000);
    order_finish();
    show_wait("first, level", level, 0);
    show_wait("once, edge", edge, 20);
    MUST(order_run((struct order){.op = OP_CONNECT, .index = 1, .address = address}).result);
    show_wait("second, edge", edge, 2000);
    SHOW(accept(at, NULL, NULL) >= 0);
    show_wait("one left, level", level, 0);
    show_wait("one left, edge", edge, 20);
    SHOW(accept(at, NULL, NULL) >= 0);
    SHOW(accept(at, NULL, NULL));
    show_wait("none left, level", level, 0);
}

SCENARIO(epoll_ends_are_always_told, ANY)
{
    int fd = pair(), set = epoll_of(fd, 0);

    peer_start(OP_RESET, 0, 30);
    show_wait("reset", set, 5000);
    order_finish();
    close(fd);
    show_wait("closed descriptors leave", set, 0);
    fd = pair();
    SHOW(control(set, EPOLL_CTL_ADD, fd, 0));
    SHOW(shutdown(fd, SHUT_WR));
    show_wait("our half", set, 20);
    peer_start(OP_SHUTDOWN, SHUT_WR, 30);
    show_wait("both halves", set, 5000);
    order_finish();
}

SCENARIO(epoll_few_events_many_ready, RING)
{
    int fd[4], set = (int)MUST(epoll_create1(0)), seen[4] = {0};
    struct epoll_event events[8];

    for (int i = 0; i < 4; i++) {
        fd[i] = pair_index(i);
        events[0] = (struct epoll_event){.events = EPOLLIN, .data.u32 = (uint32_t)i};
        MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd[i], &events[0]));
        MUST(order_run((struct order){.op = OP_TEXT, .index = i, .text = "x"}).result);
        await_queued(fd[i], 1);
    }
    for (int round = 0; round < 2; round++) { /* turn and turn about: two rounds of two reach all four */
        int count = epoll_wait(set, events, 2, 2000);
        SHOW(count);
        for (int i = 0; i < count; i++)
            seen[events[i].data.u32]++;
    }
    printf("seen %d %d %d %d\n", seen[0], seen[1], seen[2], seen[3]);
    SHOW(epoll_wait(set, events, 8, 0));
}

SCENARIO(epoll_close_takes_it_out, RING)
{
    int fd = pair(), set = epoll_of(fd, EPOLLIN), other = pair_index(1);

    peer_text("abc");
    show_wait("data", set, 2000);
    SHOW(close(fd));
    show_wait("closed", set, 20);
    SHOW(dup2(other, fd) == fd);
    show_wait("number used again", set, 20);
    SHOW(control(set, EPOLL_CTL_MOD, fd, EPOLLIN));
    SHOW(control(set, EPOLL_CTL_ADD, fd, EPOLLIN));
    MUST(order_run((struct order){.op = OP_TEXT, .index = 1, .text = "new"}).result);
    show_wait("data of the new one", set, 2000);
}

SCENARIO(epoll_follows_the_open_description, ANY)
{
    int fd = pair(), set = epoll_of(fd, EPOLLIN), copy = (int)MUST(dup(fd));

    SHOW(close(fd)); /* the description lives on, and so does the registration */
    peer_text("abc");
    show_wait("data", set, 2000);
    SHOW(recv(copy, (char[8]){0}, 8, 0));
    show_wait("drained", set, 20);
    SHOW(control(set, EPOLL_CTL_DEL, fd, 0));
    SHOW(close(copy));
    show_wait("gone", set, 20);
}

SCENARIO(epoll_of_both_duplicates, RING)
{
    int fd = pair(), copy = (int)MUST(dup(fd)), set = epoll_of(fd, EPOLLIN);
    struct epoll_event events[4];

    SHOW(control(set, EPOLL_CTL_ADD, copy, EPOLLIN));
    peer_text("abc");
    await_queued(fd, 3);
    SHOW(epoll_wait(set, events, 4, 2000));
    SHOW(recv(copy, (char[8]){0}, 8, 0));
    SHOW(epoll_wait(set, events, 4, 0));
    SHOW(control(set, EPOLL_CTL_DEL, fd, 0));
    peer_text("def");
    await_queued(fd, 3);
    SHOW(epoll_wait(set, events, 4, 2000));
    SHOW_BOOL(events[0].data.u64 == (uint64_t)copy);
}

SCENARIO(epoll_in_epoll_and_poll, RING)
{
    int fd = pair(), inner = epoll_of(fd, EPOLLIN), outer = epoll_of(inner, EPOLLIN);
    struct pollfd entry = {inner, POLLIN, 0};

    show_wait("nothing", outer, 20);
    show_poll("nothing", &entry, 20);
    peer_text_later("abc", 50);
    show_wait("data", outer, 5000);
    order_finish();
    show_poll("data", &entry, 0);
    fd_set in;
    FD_ZERO(&in);
    FD_SET(inner, &in);
    SHOW(select(inner + 1, &in, NULL, NULL, &(struct timeval){0, 0}));
    show_wait("inner", inner, 0);
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    show_wait("drained", outer, 0);
    show_poll("drained", &entry, 0);
    peer_text_later("abc", 50);
    show_poll("data", &entry, 5000);
    order_finish();
}

SCENARIO(epoll_two_sets_one_socket, RING)
{
    int fd = pair(), first = epoll_of(fd, EPOLLIN), second = epoll_of(fd, EPOLLIN | EPOLLET);

    peer_text("abc");
    show_wait("first", first, 2000);
    show_wait("second", second, 2000);
    show_wait("first", first, 0);
    show_wait("second", second, 20);
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    show_wait("first", first, 0);
    peer_text("abc");
    show_wait("second", second, 2000);
    show_wait("first", first, 2000);
    SHOW(close(first));
    peer_text("abc");
    show_wait("second", second, 2000);
}

SCENARIO(epoll_mixed_kinds, RING)
{
    int fd = pair(), set = epoll_of(fd, EPOLLIN), ends[2], event = eventfd(0, 0);
    int timer = timerfd_create(CLOCK_MONOTONIC, 0), datagram = socket(AF_INET, SOCK_DGRAM, 0);
    struct itimerspec when = {.it_value = {0, 40000000}};
    struct epoll_event events[8];
    uint64_t one = 1;

    MUST(pipe(ends));
    MUST(control(set, EPOLL_CTL_ADD, ends[0], EPOLLIN));
    MUST(control(set, EPOLL_CTL_ADD, event, EPOLLIN | EPOLLET));
    MUST(control(set, EPOLL_CTL_ADD, timer, EPOLLIN));
    MUST(control(set, EPOLL_CTL_ADD, datagram, EPOLLIN));
    SHOW(epoll_wait(set, events, 8, 0));
    MUST(timerfd_settime(timer, 0, &when, NULL));
    SHOW(epoll_wait(set, events, 8, 5000));
    SHOW_BOOL(events[0].data.u64 == (uint64_t)timer);
    SHOW(read(timer, &one, 8));
    peer_text_later("socket", 40);
    SHOW(epoll_wait(set, events, 8, 5000));
    SHOW_BOOL(events[0].data.u64 == 0x123456789abcdef0);
    order_finish();
    MUST(write(ends[1], "p", 1));
    one = 1;
    MUST(write(event, &one, 8));
    SHOW(epoll_wait(set, events, 8, 2000)); /* socket, pipe and eventfd */
    SHOW(epoll_wait(set, events, 8, 0));    /* the eventfd is edge triggered */
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    SHOW(epoll_wait(set, events, 8, 0));
    SHOW(epoll_wait(set, events, 1, 0));
    close(ends[1]);
    SHOW(read(ends[0], (char[4]){0}, 4));
    SHOW(epoll_wait(set, events, 8, 0));
    SHOW(events[0].events);
}

static volatile sig_atomic_t signals;

static void count_signal(int signal_number)
{
    (void)signal_number;
    signals++;
}

SCENARIO(epoll_pwait_unmasks_a_signal, RING)
{
    struct sigaction action = {.sa_handler = count_signal};
    int fd = pair(), set = epoll_of(fd, EPOLLIN);
    struct epoll_event event;
    sigset_t blocked, open;

    sigaction(SIGUSR1, &action, NULL);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &blocked, &open);
    sigdelset(&open, SIGUSR1);
    pthread_kill(pthread_self(), SIGUSR1);
    SHOW(epoll_pwait(set, &event, 1, 20, NULL));
    SHOW(signals);
    SHOW(epoll_pwait(set, &event, 1, 5000, &open));
    SHOW(signals);
    peer_text("x");
    SHOW(epoll_pwait(set, &event, 1, 5000, &open));
    SHOW(epoll_pwait2(set, &event, 1, &(struct timespec){5, 0}, NULL));
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    SHOW(epoll_pwait2(set, &event, 1, &(struct timespec){0, 20000000}, NULL));
}

SCENARIO(epoll_timeouts, RING)
{
    int fd = pair(), set = epoll_of(fd, EPOLLIN);
    double before = now_ms();

    show_wait("wait", set, 60);
    double took = now_ms() - before;
    SHOW_BOOL(took >= 59 && took < 1000);
    peer_text_later("x", 60);
    show_wait("for ever", set, -1);
    order_finish();
    show_wait("ready at once", set, -1);
}

struct waiting {
    int set;
    int count;
    uint32_t events;
    double woke;
};

static void *wait_for_one(void *argument)
{
    struct waiting *job = argument;
    struct epoll_event event = {0};

    job->count = epoll_wait(job->set, &event, 1, 3000);
    job->events = event.events;
    job->woke = now_ms();
    return NULL;
}

SCENARIO(epoll_add_and_modify_wake_a_waiter, RING)
{
    int fd = pair(), set = (int)MUST(epoll_create1(0));
    struct waiting job = {.set = set};
    pthread_t waiter;

    peer_text("abc");
    await_queued(fd, 3);
    waiter = thread_start(wait_for_one, &job);
    sleep_ms(50);
    SHOW(control(set, EPOLL_CTL_ADD, fd, EPOLLIN));
    thread_join(waiter);
    show_events("added", job.count, job.events);
    SHOW(control(set, EPOLL_CTL_MOD, fd, 0));
    waiter = thread_start(wait_for_one, &job);
    sleep_ms(50);
    SHOW(control(set, EPOLL_CTL_MOD, fd, EPOLLOUT));
    thread_join(waiter);
    show_events("modified", job.count, job.events);
    SHOW(control(set, EPOLL_CTL_DEL, fd, 0));
    waiter = thread_start(wait_for_one, &job);
    sleep_ms(30);
    SHOW(control(set, EPOLL_CTL_ADD, fd, EPOLLPRI)); /* nothing to tell yet */
    sleep_ms(30);
    SHOW(control(set, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLET));
    thread_join(waiter);
    show_events("modified", job.count, job.events);
}

SCENARIO(epoll_edge_wakes_one_of_two_threads, RING)
{
    int fd = pair(), set = epoll_of(fd, EPOLLIN | EPOLLET);
    struct waiting job[2] = {{.set = set}, {.set = set}};
    pthread_t waiter[2];

    for (int i = 0; i < 2; i++)
        waiter[i] = thread_start(wait_for_one, &job[i]);
    sleep_ms(50);
    peer_text("abc");
    sleep_ms(100);
    peer_text("def"); /* a second edge for the second thread */
    for (int i = 0; i < 2; i++)
        thread_join(waiter[i]);
    SHOW(job[0].count + job[1].count);
    double apart = job[0].woke - job[1].woke;
    SHOW_BOOL(apart > 50 || apart < -50);
}

SCENARIO(epoll_server_of_many, MIXED)
{
    static int fd[100];
    int set = (int)MUST(epoll_create1(0)), answered = 0;
    struct epoll_event events[16];
    char bytes[16];

    for (int i = 0; i < 100; i++) {
        fd[i] = pair_index(i);
        set_nonblocking(fd[i], true);
        MUST(control(set, EPOLL_CTL_ADD, fd[i], EPOLLIN | EPOLLET));
    }
    for (int i = 0; i < 100; i++)
        MUST(order_run((struct order){.op = OP_TEXT, .index = i, .text = "ping"}).result);
    for (int count; answered < 100 && (count = epoll_wait(set, events, 16, 2000)) > 0;)
        for (int i = 0; i < count; i++) {
            int ready = (int)events[i].data.u64;
            while (recv(ready, bytes, sizeof bytes, 0) > 0)
                answered += send(ready, "pong", 4, 0) == 4;
        }
    SHOW(answered);
    int good = 0;
    for (int i = 0; i < 100; i++)
        good += order_run((struct order){.op = OP_RECV_ONCE, .index = i, .arg = 9}).result == 4;
    SHOW(good);
}

SCENARIO(epoll_set_closed_and_made_again, RING)
{
    int fd = pair();

    for (int round = 0; round < 100; round++) {
        int set = epoll_of(fd, EPOLLIN | (round % 2 ? EPOLLET : 0));
        struct epoll_event event;
        peer_text("x");
        if (epoll_wait(set, &event, 1, 2000) != 1 || recv(fd, (char[4]){0}, 4, 0) != 1)
            printf("round %d lost its event\n", round);
        close(set);
    }
}

/* Whoever serves itself learns of the listener no later than of the connection that waits there. */
SCENARIO(epoll_reports_a_listener_with_the_connection_that_waits_there, ANY | ONCE)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof name;
    int listener = (int)MUST(socket(AF_INET, SOCK_STREAM, 0)), set = epoll_of(listener, EPOLLIN);
    struct epoll_event events[8];

    MUST(bind(listener, (struct sockaddr *)&name, len));
    MUST(listen(listener, 8));
    MUST(getsockname(listener, (struct sockaddr *)&name, &len));
    for (int i = 0; i < 5; i++) {
        int client = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
        MUST(connect(client, (struct sockaddr *)&name, len));
        SHOW(control(set, EPOLL_CTL_ADD, client, EPOLLOUT));
        SHOW(epoll_wait(set, events, 8, 1000));
        int accepted = (int)MUST(accept(listener, NULL, NULL));
        SHOW(send(client, "abc", 3, 0));
        SHOW(recv(accepted, (char[8]){0}, 8, 0));
        SHOW(control(set, EPOLL_CTL_ADD, accepted, EPOLLOUT));
        SHOW(epoll_wait(set, events, 8, 1000));
    }
}

/* poll, ppoll, select, pselect over sockets, pipes, timers and files mixed. */
#include "harness.h"

static volatile sig_atomic_t alarms;

static void count_alarm(int signal_number)
{
    (void)signal_number;
    alarms++;
}

SCENARIO(poll_level, RING)
{
    struct pollfd entry = {pair(), POLLIN | POLLOUT | POLLRDHUP, 0};

    show_poll("fresh", &entry, 0);
    entry.events = POLLIN;
    show_poll("nothing to read", &entry, 0);
    peer_text("abc");
    show_poll("data", &entry, 2000);
    show_poll("still data", &entry, 0);
    SHOW(recv(entry.fd, (char[2]){0}, 2, 0));
    show_poll("one byte left", &entry, 0);
    SHOW(recv(entry.fd, (char[2]){0}, 2, 0));
    show_poll("drained", &entry, 0);
    entry.events = POLLIN | POLLRDNORM | POLLRDBAND | POLLWRNORM | POLLWRBAND;
    peer_text("x");
    await_queued(entry.fd, 1);
    SHOW((poll(&entry, 1, 0), entry.revents));
    entry.events = 0;
    show_poll("asked for nothing", &entry, 0);
    peer(OP_SHUTDOWN, SHUT_WR);
    sleep_ms(10);
    show_poll("half closed, asked for nothing", &entry, 0);
    entry.events = POLLIN;
    show_poll("half closed, asked for IN", &entry, 0);
    entry.events = POLLRDHUP;
    show_poll("half closed, asked for RDHUP", &entry, 0);
    entry.events = POLLIN | POLLOUT | POLLRDHUP;
    SHOW(shutdown(entry.fd, SHUT_WR));
    sleep_ms(10);
    show_poll("both closed", &entry, 0);
    entry.events = 0;
    show_poll("both closed, asked for nothing", &entry, 0);
}

SCENARIO(poll_wakes_for_data, RING)
{
    struct pollfd entry = {pair(), POLLIN, 0};

    peer_text_later("abc", 60);
    show_poll("data", &entry, 5000);
    order_finish();
    SHOW(recv(entry.fd, (char[8]){0}, 8, 0));
    peer_text_later("abc", 60);
    show_poll("data", &entry, -1);
    order_finish();
}

SCENARIO(poll_wakes_for_end_of_file, ANY)
{
    struct pollfd entry = {pair(), POLLIN, 0};

    peer_start(OP_CLOSE, 0, 60);
    show_poll("closed", &entry, 5000);
    order_finish();
    SHOW(recv(entry.fd, (char[8]){0}, 8, 0));
}

SCENARIO(poll_wakes_for_half_close, ANY)
{
    struct pollfd entry = {pair(), POLLRDHUP, 0};

    peer_start(OP_SHUTDOWN, SHUT_WR, 60);
    show_poll("half closed", &entry, 5000);
    order_finish();
}

SCENARIO(poll_wakes_for_reset, ANY)
{
    struct pollfd entry = {pair(), 0, 0};

    peer_start(OP_RESET, 0, 60);
    show_poll("reset", &entry, 5000);
    order_finish();
}

SCENARIO(poll_wakes_for_room, RING)
{
    struct pollfd entry = {pair(), POLLOUT, 0};

    show_poll("room", &entry, 0);
    long filled = fill_until_full(entry.fd, 0);
    show_poll("full", &entry, 50);
    peer_start(OP_RECV, filled, 60);
    show_poll("room again", &entry, 5000);
    SHOW_BOOL(order_finish().result == filled);
}

SCENARIO(poll_wakes_for_a_connection, ANY | ONCE)
{
    struct sockaddr_storage address;
    struct pollfd entry = {listen_at(AF_INET, "127.0.0.1", &address), POLLIN | POLLOUT, 0};

    show_poll("nobody", &entry, 30);
    order_start((struct order){.op = OP_CONNECT, .address = address, .delay_ms = 60});
    show_poll("somebody", &entry, 5000);
    order_finish();
    show_poll("still there", &entry, 0);
    SHOW(accept(entry.fd, NULL, NULL) >= 0);
    show_poll("accepted", &entry, 0);
}

SCENARIO(poll_timeouts, ANY)
{
    struct pollfd entries[2] = {{pair(), POLLIN, 0}, {-1, POLLIN, 99}};
    double before = now_ms();

    SHOW(poll(entries, 2, 60));
    double took = now_ms() - before;
    SHOW_BOOL(took >= 59 && took < 1000);
    SHOW(entries[1].revents);
    SHOW(poll(NULL, 0, 10));
    SHOW(poll(entries, 2, 0));
    SHOW(ppoll(entries, 2, &(struct timespec){0, 20000000}, NULL));
    SHOW(ppoll(entries, 2, &(struct timespec){0, -1}, NULL));
    SHOW(ppoll(entries, 2, &(struct timespec){0, 1000000000}, NULL));
}

SCENARIO(poll_odd_entries, ANY)
{
    int fd = pair(), closed = (int)MUST(dup(fd));
    struct pollfd entries[5] = {
        {fd, POLLIN, 0}, {-1, POLLIN, 7}, {fd, POLLOUT, 0}, {closed, POLLIN, 0}, {STDOUT_FILENO, 0, 0}};

    close(closed);
    peer_text("x");
    await_queued(fd, 1);
    SHOW(poll(entries, 5, 0));
    for (int i = 0; i < 5; i++)
        show_events("entry", 1, (uint32_t)entries[i].revents);
}

struct mixture {
    int socket, pipe[2], event, timer, datagram, file;
    struct pollfd entries[6];
};

static void mix(struct mixture *m)
{
    char path[] = "/tmp/semantics-XXXXXX";

    m->socket = pair();
    MUST(pipe(m->pipe));
    m->event = (int)MUST(eventfd(0, 0));
    m->timer = (int)MUST(timerfd_create(CLOCK_MONOTONIC, 0));
    m->datagram = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0));
    m->file = (int)MUST(mkstemp(path));
    unlink(path);
    int descriptors[6] = {m->socket, m->pipe[0], m->event, m->timer, m->datagram, m->file};
    for (int i = 0; i < 6; i++)
        m->entries[i] = (struct pollfd){descriptors[i], POLLIN, 0};
}

static void show_mixture(struct mixture *m, int count, int timeout)
{
    SHOW(poll(m->entries, (nfds_t)count, timeout));
    for (int i = 0; i < count; i++)
        if (m->entries[i].revents)
            printf("  entry %d: %d\n", i, m->entries[i].revents);
}

static void set_timer(int timer, long milliseconds)
{
    struct itimerspec when = {.it_value = {milliseconds / 1000, milliseconds % 1000 * 1000000}};

    MUST(timerfd_settime(timer, 0, &when, NULL));
}

SCENARIO(poll_mixed_kinds, RING)
{
    struct mixture m;
    uint64_t one = 1;

    mix(&m);
    show_mixture(&m, 5, 20);
    peer_text_later("from the socket", 50);
    show_mixture(&m, 5, 5000);
    order_finish();
    SHOW(recv(m.socket, (char[64]){0}, 64, 0));
    set_timer(m.timer, 50);
    show_mixture(&m, 5, 5000);
    SHOW(read(m.timer, &one, 8));
    MUST(write(m.pipe[1], "p", 1));
    one = 1;
    MUST(write(m.event, &one, 8));
    show_mixture(&m, 5, 5000);
    peer_text("socket too");
    await_queued(m.socket, 10);
    show_mixture(&m, 5, 5000);
    SHOW(read(m.pipe[0], (char[4]){0}, 4));
    SHOW(read(m.event, &one, 8));
    show_mixture(&m, 6, 0); /* a regular file is always ready */
    close(m.pipe[1]);
    show_mixture(&m, 5, 0);
}

static void *write_later(void *fd)
{
    sleep_ms(60);
    MUST(write(*(int *)fd, "12345678", 8));
    return NULL;
}

SCENARIO(poll_wakes_for_a_pipe_beside_a_socket, ANY)
{
    struct mixture m;

    mix(&m);
    pthread_t writer = thread_start(write_later, &m.pipe[1]);
    show_mixture(&m, 5, 5000);
    thread_join(writer);
    SHOW(read(m.pipe[0], (char[16]){0}, 16));
    writer = thread_start(write_later, &m.event);
    show_mixture(&m, 5, 5000);
    thread_join(writer);
}

SCENARIO(poll_many_sockets, RING)
{
    static struct pollfd entries[150];

    for (int i = 0; i < 150; i++)
        entries[i] = (struct pollfd){pair_index(i), POLLIN, 0};
    SHOW(poll(entries, 150, 20));
    for (int i = 10; i < 150; i += 50)
        MUST(order_run((struct order){.op = OP_TEXT, .index = i, .text = "here"}).result);
    for (int i = 10; i < 150; i += 50)
        await_queued(entries[i].fd, 4);
    SHOW(poll(entries, 150, 2000));
    for (int i = 0; i < 150; i++)
        if (entries[i].revents)
            printf("  socket %d: %d\n", i, entries[i].revents);
    order_start((struct order){.op = OP_TEXT, .index = 149, .text = "late", .delay_ms = 50});
    for (int i = 10; i < 150; i += 50)
        MUST(recv(entries[i].fd, (char[4]){0}, 4, 0));
    SHOW(poll(entries, 150, 5000));
    SHOW(entries[149].revents);
    order_finish();
}

static void show_select(int count, fd_set *in, fd_set *out, fd_set *odd, int fd)
{
    printf("select = %d%s%s%s\n", count, in && FD_ISSET(fd, in) ? " read" : "",
           out && FD_ISSET(fd, out) ? " write" : "", odd && FD_ISSET(fd, odd) ? " except" : "");
}

static void select_one(int fd, long timeout_ms, bool writing)
{
    fd_set in, out, odd;
    struct timeval limit = {timeout_ms / 1000, timeout_ms % 1000 * 1000};

    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_ZERO(&odd);
    FD_SET(fd, &in);
    FD_SET(fd, &odd);
    if (writing)
        FD_SET(fd, &out);
    show_select(select(fd + 1, &in, &out, &odd, &limit), &in, &out, &odd, fd);
}

SCENARIO(select_level, RING)
{
    int fd = pair();

    select_one(fd, 0, true);
    select_one(fd, 20, false);
    peer_text("abc");
    select_one(fd, 2000, false);
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    peer_text_later("abc", 50);
    select_one(fd, 5000, false);
    order_finish();
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    long filled = fill_until_full(fd, 0);
    select_one(fd, 0, true);
    peer_start(OP_RECV, filled, 0);
    SHOW_BOOL(order_finish().result == filled);
    select_one(fd, 0, true);
    peer(OP_SHUTDOWN, SHUT_WR);
    select_one(fd, 2000, true);
}

SCENARIO(select_after_reset, ANY)
{
    int fd = pair();

    peer(OP_RESET, 0);
    sleep_ms(10);
    select_one(fd, 2000, true);
}

SCENARIO(select_mixed_kinds_and_time_left, RING)
{
    struct mixture m;
    struct timeval limit = {5, 0};
    fd_set in;

    mix(&m);
    FD_ZERO(&in);
    FD_SET(m.socket, &in);
    FD_SET(m.pipe[0], &in);
    FD_SET(m.timer, &in);
    peer_text_later("x", 60);
    SHOW(select(m.file + 1, &in, NULL, NULL, &limit));
    order_finish();
    SHOW(FD_ISSET(m.socket, &in) != 0);
    SHOW(FD_ISSET(m.pipe[0], &in) != 0);
    SHOW_BOOL(limit.tv_sec == 4); /* Linux tells the time left */
    FD_SET(m.pipe[0], &in);
    FD_SET(m.timer, &in);
    MUST(write(m.pipe[1], "p", 1));
    SHOW(select(m.file + 1, &in, NULL, NULL, NULL));
    limit = (struct timeval){0, 20000};
    SHOW(recv(m.socket, (char[4]){0}, 4, 0));
    FD_ZERO(&in);
    FD_SET(m.socket, &in);
    SHOW(select(m.file + 1, &in, NULL, NULL, &limit));
    SHOW(limit.tv_sec + limit.tv_usec);
    SHOW(FD_ISSET(m.socket, &in) != 0);
}

SCENARIO(select_odd_arguments, ANY)
{
    int fd = pair(), closed = (int)MUST(dup(fd));
    struct timeval limit = {0, 0};
    fd_set in;

    FD_ZERO(&in);
    FD_SET(closed, &in);
    close(closed);
    SHOW(select(closed + 1, &in, NULL, NULL, &limit));
    SHOW(select(-1, NULL, NULL, NULL, &limit));
    SHOW(select(0, NULL, NULL, NULL, &limit));
    limit.tv_usec = -1;
    SHOW(select(0, NULL, NULL, NULL, &limit));
    FD_ZERO(&in);
    FD_SET(fd, &in);
    peer_text("x");
    await_queued(fd, 1);
    SHOW(select(fd, &in, NULL, NULL, &(struct timeval){0, 0})); /* nfds leaves it out */
}

SCENARIO(pselect_and_ppoll_unmask_a_signal, RING)
{
    struct sigaction action = {.sa_handler = count_alarm};
    struct pollfd entry = {pair(), POLLIN, 0};
    struct timespec limit = {5, 0};
    sigset_t blocked, open;
    fd_set in;

    sigaction(SIGUSR1, &action, NULL);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &blocked, &open);
    sigdelset(&open, SIGUSR1);
    FD_ZERO(&in);
    FD_SET(entry.fd, &in);
    pthread_kill(pthread_self(), SIGUSR1);
    SHOW(alarms);
    SHOW(pselect(entry.fd + 1, &in, NULL, NULL, &limit, &open));
    SHOW(alarms);
    SHOW(limit.tv_sec);
    pthread_kill(pthread_self(), SIGUSR1);
    SHOW(ppoll(&entry, 1, &limit, &open));
    SHOW(alarms);
    pthread_sigmask(SIG_SETMASK, NULL, &open);
    SHOW(sigismember(&open, SIGUSR1));
    peer_text("x");
    await_queued(entry.fd, 1);
    SHOW(ppoll(&entry, 1, &limit, NULL));
    FD_SET(entry.fd, &in);
    SHOW(pselect(entry.fd + 1, &in, NULL, NULL, NULL, NULL));
}

/* An administrator drains the program (sdcore drain) in the middle of its connections' lives: they move to kernel TCP,
 * whatever both ends do at that moment, and nothing is to be seen of it. On the kernel nobody is drained.
 */
#include "harness.h"

#define DRAIN_MESSAGE 13
#define SECONDS_MAX   5

struct packet {
    uint32_t type, seq, status, reason;
    uint64_t pid;
};

/* The monitor that this program uses; -1 without the library. */
static int monitor(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *directory = getenv("SDCORE_RUNTIME_DIR");

    if (!directory)
        return -1;
    int fd = (int)MUST(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    snprintf(address.sun_path, sizeof address.sun_path, "%s/monitor.sock", directory);
    MUST(connect(fd, (struct sockaddr *)&address, sizeof address));
    return fd;
}

/* Asks for it, and for how far it is: true when nothing of this program is left in shared memory. */
static bool ask_drain(int fd)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } box;
    struct packet packet = {.type = DRAIN_MESSAGE, .pid = (uint64_t)getpid()};
    struct iovec part = {&packet, sizeof packet};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &box, .msg_controllen = sizeof box};
    char text[65536] = "";
    int document;

    MUST(send(fd, &packet, sizeof packet, 0));
    MUST(recvmsg(fd, &message, MSG_CMSG_CLOEXEC));
    if (packet.status || !CMSG_FIRSTHDR(&message))
        broken("the monitor does not drain");
    memcpy(&document, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof document);
    MUST(pread(document, text, sizeof text - 1, 0));
    close(document);
    return strstr(text, "\"left\": []");
}

static void drain(void)
{
    int fd = monitor();

    if (fd >= 0) {
        ask_drain(fd);
        close(fd);
    }
}

/* Waits until everything has moved. */
static bool drained(void)
{
    int fd = monitor();
    double limit = now_ms() + SECONDS_MAX * 1000;

    if (fd < 0)
        return true;
    bool done = ask_drain(fd);
    for (; !done && now_ms() < limit; done = ask_drain(fd))
        sleep_ms(2);
    close(fd);
    return done;
}

static void show_talk(int fd, const char *word)
{
    char bytes[64] = "";

    SHOW(send(fd, word, strlen(word), 0));
    SHOW_PEER(peer(OP_RECV_ONCE, 64));
    peer_text(word);
    SHOW(recv(fd, bytes, sizeof bytes, 0));
    show_text("bytes", bytes);
}

/* What every connection must still be able to do. */
static void show_rest(int fd)
{
    show_talk(fd, "after");
    show_talk(fd, "again"); /* what was read from the ring is behind both: they look, and see that it is over */
    SHOW_BOOL(drained());
    show_talk(fd, "moved");
    peer_text("last");
    SHOW_PEER(peer(OP_CLOSE, 0));
    await_queued(fd, 4);
    SHOW(recv(fd, (char[16]){0}, 16, 0));
    SHOW(recv(fd, (char[16]){0}, 16, 0));
}

/* ---- at rest ---- */

SCENARIO(drained_at_rest, MIXED)
{
    int fd = pair();

    show_talk(fd, "before");
    drain();
    show_rest(fd);
}

SCENARIO(drained_again_and_again, MIXED)
{
    int fd = pair();

    show_talk(fd, "before");
    for (int i = 0; i < 5; i++) {
        drain();
        show_talk(fd, "between");
    }
    show_rest(fd);
}

SCENARIO(drained_with_bytes_unread, MIXED)
{
    int fd = pair(), damaged = 0;

    SHOW_PEER(peer(OP_SEND, 400000));
    drain();
    SHOW_PEER(peer(OP_SEND, 100000));
    SHOW(recv_all(fd, 0, 500000, &damaged));
    SHOW(damaged);
    show_rest(fd);
}

SCENARIO(drained_with_bytes_unread_at_both_ends, MIXED)
{
    int fd = pair(), damaged = 0;

    SHOW_PEER(peer(OP_SEND, 300000));
    SHOW(send_all(fd, 0, 200000));
    drain();
    SHOW(recv_all(fd, 0, 300000, &damaged));
    SHOW_PEER(peer(OP_RECV, 200000));
    SHOW(damaged);
    show_rest(fd);
}

SCENARIO(drained_when_half_closed_by_us, MIXED)
{
    int fd = pair();

    SHOW(send(fd, "all", 3, 0));
    SHOW(shutdown(fd, SHUT_WR));
    drain();
    SHOW_PEER(peer(OP_RECV_ONCE, 16));
    SHOW_PEER(peer(OP_RECV_ONCE, 16));
    peer_text("answer");
    SHOW(recv(fd, (char[16]){0}, 16, 0));
    SHOW_PEER(peer(OP_CLOSE, 0));
    SHOW(recv(fd, (char[16]){0}, 16, 0));
}

SCENARIO(drained_when_half_closed_by_the_peer, MIXED)
{
    int fd = pair();

    peer_text("all");
    SHOW_PEER(peer(OP_SHUTDOWN, SHUT_WR));
    drain();
    await_queued(fd, 3);
    SHOW(recv(fd, (char[16]){0}, 16, 0));
    SHOW(recv(fd, (char[16]){0}, 16, 0));
    SHOW(send(fd, "answer", 6, 0));
    SHOW_PEER(peer(OP_RECV_ONCE, 16));
    SHOW(close(fd));
    SHOW_PEER(peer(OP_RECV_ONCE, 16));
}

SCENARIO(drained_with_the_last_bytes_of_a_closed_peer, MIXED)
{
    int fd = pair(), damaged = 0;

    SHOW_PEER(peer(OP_SEND, 400000));
    SHOW_PEER(peer(OP_CLOSE, 0));
    drain();
    SHOW(recv_all(fd, 0, 500000, &damaged));
    SHOW(damaged);
}

SCENARIO(drained_peer_dies, MIXED | OTHER)
{
    int fd = pair();

    show_talk(fd, "before");
    drain();
    SHOW(send(fd, "more", 4, 0));
    SHOW_PEER(peer(OP_RECV_ONCE, 16));
    order_start((struct order){.op = OP_DIE});
    sleep_ms(50);
    SHOW(recv(fd, (char[16]){0}, 16, 0));
}

/* ---- while somebody waits ---- */

static void *late_drain(void *unused)
{
    (void)unused;
    sleep_ms(60); /* longer than a nap: who waits sleeps on his doorbell by then */
    drain();
    return NULL;
}

SCENARIO(drained_while_a_reader_waits, MIXED)
{
    int fd = pair();
    char bytes[16] = "";

    show_talk(fd, "before");
    pthread_t thread = thread_start(late_drain, NULL);
    peer_text_later("late", 150);
    SHOW(recv(fd, bytes, 16, 0));
    show_text("bytes", bytes);
    SHOW_PEER(order_finish());
    thread_join(thread);
    show_rest(fd);
}

SCENARIO(drained_while_a_reader_naps, MIXED)
{
    int fd = pair();

    for (int i = 0; i < 20; i++) {
        peer_text_later("late", 3);
        if (i == 10)
            drain();
        SHOW(recv(fd, (char[16]){0}, 16, 0));
        SHOW_PEER(order_finish());
    }
    show_rest(fd);
}

SCENARIO(drained_while_the_peer_waits, MIXED)
{
    int fd = pair();

    show_talk(fd, "before");
    peer_start(OP_RECV_ONCE, 16, 0);
    sleep_ms(60);
    drain();
    sleep_ms(60);
    SHOW(send(fd, "late", 4, 0));
    SHOW_PEER(order_finish());
    show_rest(fd);
}

/* Nobody calls anything but those who wait already: they are woken, and it is done. */
SCENARIO(drained_while_both_wait, MIXED)
{
    int fd = pair();
    struct pollfd poll_fd = {fd, POLLIN, 0};

    show_talk(fd, "before");
    peer_start(OP_RECV_ONCE, 16, 0);
    pthread_t thread = thread_start(late_drain, NULL);
    show_poll("nothing", &poll_fd, 300);
    thread_join(thread);
    SHOW_BOOL(drained());
    SHOW(send(fd, "late", 4, 0));
    SHOW_PEER(order_finish());
    show_rest(fd);
}

SCENARIO(drained_while_a_writer_waits, MIXED)
{
    int fd = pair();

    pthread_t thread = thread_start(late_drain, NULL);
    peer_start(OP_RECV, 20000000, 200);
    SHOW(send_all(fd, 0, 20000000));
    SHOW_PEER(order_finish());
    thread_join(thread);
    show_rest(fd);
}

SCENARIO(drained_while_the_peer_writes, MIXED)
{
    int fd = pair(), damaged = 0;

    pthread_t thread = thread_start(late_drain, NULL);
    peer_start(OP_SEND, 20000000, 0);
    sleep_ms(150);
    SHOW(recv_all(fd, 0, 20000000, &damaged));
    SHOW(damaged);
    SHOW_PEER(order_finish());
    thread_join(thread);
    show_rest(fd);
}

SCENARIO(drained_while_poll_waits, MIXED)
{
    int fd = pair();
    struct pollfd poll_fd = {fd, POLLIN, 0};

    show_talk(fd, "before");
    pthread_t thread = thread_start(late_drain, NULL);
    peer_text_later("late", 150);
    show_poll("poll", &poll_fd, 2000);
    SHOW(recv(fd, (char[16]){0}, 16, 0));
    SHOW_PEER(order_finish());
    thread_join(thread);
    show_rest(fd);
}

static void under_epoll(uint32_t how)
{
    int fd = pair(), set = (int)MUST(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | how, .data.fd = fd};

    MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
    peer_text("before");
    show_events("before", epoll_wait(set, &event, 1, 2000), event.events);
    SHOW(recv(fd, (char[16]){0}, 16, 0));
    pthread_t thread = thread_start(late_drain, NULL);
    peer_text_later("late", 150);
    show_events("late", epoll_wait(set, &event, 1, 2000), event.events);
    SHOW(recv(fd, (char[16]){0}, 16, 0));
    SHOW_PEER(order_finish());
    thread_join(thread);
    peer_text("after");
    show_events("after", epoll_wait(set, &event, 1, 2000), event.events);
    SHOW(recv(fd, (char[16]){0}, 16, 0));
    SHOW_BOOL(drained());
    peer_text_later("moved", 30);
    show_events("moved", epoll_wait(set, &event, 1, 2000), event.events);
    SHOW(recv(fd, (char[16]){0}, 16, 0));
    SHOW_PEER(order_finish());
    peer_start(OP_SHUTDOWN, SHUT_WR, 30);
    show_events("end", epoll_wait(set, &event, 1, 2000), event.events);
    SHOW_PEER(order_finish());
}

SCENARIO(drained_while_epoll_waits, MIXED)
{
    under_epoll(0);
}

SCENARIO(drained_while_epoll_waits_for_an_edge, MIXED)
{
    under_epoll(EPOLLET);
}

static void *wait_in_epoll(void *set)
{
    struct epoll_event event;

    return (void *)(long)epoll_wait(*(int *)set, &event, 1, 300);
}

/* Nobody calls, and epoll has nothing to tell of it. */
static void all_wait_in_epoll(uint32_t how)
{
    int fd = pair(), set = (int)MUST(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | how};

    show_talk(fd, "before");
    MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
    peer_start(OP_RECV_ONCE, 16, 0);
    pthread_t thread = thread_start(wait_in_epoll, &set);
    sleep_ms(60);
    SHOW_BOOL(drained());
    SHOW((long)thread_join(thread));
    SHOW(send(fd, "late", 4, 0));
    SHOW_PEER(order_finish());
    show_rest(fd);
}

SCENARIO(drained_while_all_wait_in_epoll, MIXED)
{
    all_wait_in_epoll(0);
}

SCENARIO(drained_while_all_wait_in_epoll_for_an_edge, MIXED)
{
    all_wait_in_epoll(EPOLLET);
}

SCENARIO(drained_while_all_wait_in_epoll_once, MIXED)
{
    all_wait_in_epoll(EPOLLONESHOT);
}

SCENARIO(drained_while_a_nonblocking_reader_spins, MIXED)
{
    int fd = pair();
    char bytes[16] = "";
    long got;

    show_talk(fd, "before");
    set_nonblocking(fd, true);
    pthread_t thread = thread_start(late_drain, NULL);
    peer_text_later("late", 150);
    while ((got = recv(fd, bytes, 16, 0)) < 0 && errno == EAGAIN)
        ;
    SHOW(got);
    show_text("bytes", bytes);
    SHOW_PEER(order_finish());
    thread_join(thread);
    set_nonblocking(fd, false);
    show_rest(fd);
}

/* ---- in full flow ---- */

static void *drain_at(void *after_ms)
{
    sleep_ms(*(int *)after_ms);
    drain();
    return NULL;
}

SCENARIO(drained_in_the_middle_of_both_streams, MIXED)
{
    int fd = pair(), damaged = 0, after_ms = 5;
    long result[2];

    pthread_t thread = thread_start(drain_at, &after_ms);
    peer_start(OP_DUPLEX, 30000000, 0);
    duplex(fd, 30000000, result, &damaged);
    SHOW(result[0]);
    SHOW(result[1]);
    SHOW(damaged);
    SHOW_PEER(order_finish());
    thread_join(thread);
    show_rest(fd);
}

SCENARIO(drained_under_an_echo, MIXED)
{
    int fd = pair(), damaged = 0;
    char bytes[1000];

    peer_start(OP_ECHO, 0, 0);
    for (int i = 0; i < 2000; i++) {
        if (i == 1000)
            drain();
        fill_pattern((unsigned char *)bytes, sizeof bytes, (uint64_t)i);
        MUST(send(fd, bytes, sizeof bytes, 0));
        MUST(recv(fd, bytes, sizeof bytes, MSG_WAITALL));
        damaged += pattern_damage((unsigned char *)bytes, sizeof bytes, (uint64_t)i);
    }
    SHOW(damaged);
    SHOW_BOOL(drained());
    SHOW(shutdown(fd, SHUT_WR));
    SHOW_PEER(order_finish());
}

SCENARIO(drained_with_many_connections, MIXED)
{
    struct order order = {.op = OP_TEXT, .text = "word"};
    int fds[50], damaged = 0, set = (int)MUST(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN};

    for (order.index = 0; order.index < 50; order.index++) {
        fds[order.index] = pair_index(order.index);
        MUST(order_run(order).result);
    }
    drain();
    for (order.index = 0; order.index < 50; order.index++) {
        char bytes[8];
        MUST(order_run(order).result);
        MUST(recv(fds[order.index], bytes, 8, MSG_WAITALL));
        damaged += memcmp(bytes, "wordword", 8) != 0;
        MUST(epoll_ctl(set, EPOLL_CTL_ADD, fds[order.index], &event));
        for (int i = 0; i < 2; i++) {
            MUST(send(fds[order.index], "back", 4, 0));
            MUST(order_run((struct order){.op = OP_RECV_ONCE, .index = order.index, .arg = 16}).result);
        }
    }
    SHOW(damaged);
    SHOW(epoll_wait(set, &event, 1, 50));
    SHOW_BOOL(drained());
}

/* ---- forked ---- */

/* The child reads what the parent's peer sends; both hold the connection. */
SCENARIO(drained_with_a_forked_reader, MIXED)
{
    int fd = pair(), damaged = 0;

    show_talk(fd, "before");
    fflush(stdout);
    pid_t child = (pid_t)MUST(fork());
    if (!child) {
        long got = recv_all(fd, 0, 5000000, &damaged);
        _exit(got == 5000000 && !damaged ? 0 : 1);
    }
    peer_start(OP_SEND, 5000000, 30);
    sleep_ms(10);
    drain();
    SHOW_PEER(order_finish());
    int status;
    MUST(waitpid(child, &status, 0));
    SHOW(status);
    show_rest(fd);
}

SCENARIO(drained_by_its_child, MIXED)
{
    int fd = pair();

    show_talk(fd, "before");
    fflush(stdout);
    pid_t child = (pid_t)MUST(fork());
    if (!child) {
        sleep_ms(30);
        drain();
        _exit(send(fd, "child", 5, 0) == 5 ? 0 : 1);
    }
    int status;
    MUST(waitpid(child, &status, 0));
    SHOW(status);
    SHOW_PEER(peer(OP_RECV_ONCE, 16));
    show_rest(fd);
}

/* ---- new connections ---- */

SCENARIO(connections_after_a_drain, ANY)
{
    int fd = pair();

    show_talk(fd, "first");
    drain();
    show_talk(fd, "first");
    close(fd);
    SHOW_PEER(peer(OP_CLOSE, 0));
    fd = pair();
    show_talk(fd, "second");
    SHOW_BOOL(drained());
}

SCENARIO(drained_before_it_is_accepted, ANY | ONCE)
{
    struct sockaddr_storage address;
    int listener = listen_at(AF_INET, "127.0.0.1", &address);
    int client = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
    char bytes[16] = "";

    MUST(connect(client, (struct sockaddr *)&address, address_size(&address)));
    SHOW(send(client, "early ", 6, 0));
    drain();
    SHOW(send(client, "late", 4, 0));
    int server = (int)MUST(accept(listener, NULL, NULL));
    SHOW(recv(server, bytes, 10, MSG_WAITALL));
    show_text("bytes", bytes);
    SHOW(send(server, "answer", 6, 0));
    SHOW(recv(client, bytes, 16, 0));
    SHOW(send(client, "again", 5, 0));
    SHOW(recv(server, bytes, 16, 0));
    SHOW(send(server, "moved", 5, 0));
    SHOW(recv(client, bytes, 16, 0));
    SHOW_BOOL(drained());
}

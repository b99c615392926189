/* EINTR with and without SA_RESTART, SO_RCVTIMEO and SO_SNDTIMEO, handlers that use the socket themselves. */
#include "harness.h"

#include <setjmp.h>

static volatile sig_atomic_t signals;
static int handler_fd = -1;
static sigjmp_buf escape;

static void count_signal(int signal_number)
{
    (void)signal_number;
    signals++;
}

static void write_in_handler(int signal_number)
{
    (void)signal_number;
    signals++;
    if (send(handler_fd, "!", 1, 0) != 1)
        abort();
}

static void jump_out(int signal_number)
{
    (void)signal_number;
    siglongjmp(escape, 1);
}

/* One SIGALRM to this process after so many milliseconds (the puppet's thread blocks signals). */
static void alarm_after(void (*handler)(int), int flags, long milliseconds)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    struct itimerval when = {.it_value = {0, milliseconds * 1000}};

    signals = 0;
    MUST(sigaction(SIGALRM, &action, NULL));
    MUST(setitimer(ITIMER_REAL, &when, NULL));
}

static void set_timeout(int fd, int option, long milliseconds)
{
    struct timeval limit = {milliseconds / 1000, milliseconds % 1000 * 1000};

    MUST(setsockopt(fd, SOL_SOCKET, option, &limit, sizeof limit));
}

SCENARIO(recv_interrupted, RING)
{
    int fd = pair();
    char bytes[8];
    struct iovec part = {bytes, 8};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    alarm_after(count_signal, 0, 50);
    SHOW(recv(fd, bytes, 8, 0));
    SHOW(signals);
    alarm_after(count_signal, 0, 50);
    SHOW(read(fd, bytes, 8));
    alarm_after(count_signal, 0, 50);
    SHOW(readv(fd, &part, 1));
    alarm_after(count_signal, 0, 50);
    SHOW(recvmsg(fd, &message, 0));
    alarm_after(count_signal, 0, 50);
    SHOW(recv(fd, bytes, 8, MSG_PEEK));
    peer_text("abc");
    SHOW(recv(fd, bytes, 8, 0));
}

SCENARIO(recv_restarted, RING)
{
    int fd = pair();

    alarm_after(count_signal, SA_RESTART, 40);
    peer_text_later("abc", 120);
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    SHOW(signals);
    order_finish();
    alarm_after(count_signal, SA_RESTART, 40);
    peer_text_later("abc", 120);
    SHOW(read(fd, (char[8]){0}, 8));
    SHOW(signals);
    order_finish();
}

SCENARIO(recv_waitall_interrupted_keeps_its_bytes, RING)
{
    int fd = pair();

    peer_text("abc");
    await_queued(fd, 3);
    alarm_after(count_signal, 0, 50);
    SHOW(recv(fd, (char[8]){0}, 8, MSG_WAITALL));
    SHOW(signals);
    peer_text("defghijk");
    SHOW(recv(fd, (char[8]){0}, 8, MSG_WAITALL));
}

SCENARIO(recv_with_ignored_signal_goes_on, RING)
{
    int fd = pair();

    signal(SIGALRM, SIG_IGN);
    setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {0, 40000}}, NULL);
    peer_text_later("abc", 100);
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    order_finish();
}

/* Bytes go as long as the kernel's receiver makes room by tidying its queue. */
static long send_until_interrupted(int fd, long *filled)
{
    struct itimerval often = {{0, 60000}, {0, 60000}}, never = {0};
    long sent;

    setitimer(ITIMER_REAL, &often, NULL);
    while ((sent = send(fd, "x", 1, 0)) == 1)
        (*filled)++;
    int error = errno;
    setitimer(ITIMER_REAL, &never, NULL);
    errno = error;
    return sent;
}

SCENARIO(send_interrupted, RING)
{
    static char bytes[8000000];
    int fd = pair();
    long filled = fill_until_full(fd, 0);

    alarm_after(count_signal, 0, 60);
    SHOW(send_until_interrupted(fd, &filled));
    SHOW_BOOL(signals > 0);
    peer_start(OP_RECV, filled, 0);
    SHOW_BOOL(order_finish().result == filled);
    alarm_after(count_signal, 0, 100);
    long sent = send(fd, bytes, sizeof bytes, 0); /* some went: no error, a short count */
    SHOW_BOOL(sent > 0 && sent < (long)sizeof bytes);
    SHOW(signals);
}

SCENARIO(send_restarted, RING)
{
    int fd = pair();
    long filled = fill_until_full(fd, 0);

    alarm_after(count_signal, SA_RESTART, 50);
    peer_start(OP_RECV, filled, 150);
    SHOW(send(fd, "restarted", 9, 0)); /* on the kernel it fits at once if its receiver has just tidied its queue */
    SHOW_BOOL(order_finish().result == filled);
    SHOW(signals);
    SHOW_PEER(peer(OP_RECV_ONCE, 20));
}

SCENARIO(accept_interrupted_and_restarted, ANY | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address);

    alarm_after(count_signal, 0, 40);
    SHOW(accept(at, NULL, NULL));
    SHOW(signals);
    alarm_after(count_signal, SA_RESTART, 40);
    order_start((struct order){.op = OP_CONNECT, .address = address, .delay_ms = 120});
    SHOW(accept(at, NULL, NULL) >= 0);
    SHOW(signals);
    order_finish();
}

SCENARIO(poll_and_select_are_never_restarted, RING)
{
    struct pollfd entry = {pair(), POLLIN, 0};
    int set = (int)MUST(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN};
    fd_set in;

    MUST(epoll_ctl(set, EPOLL_CTL_ADD, entry.fd, &event));
    alarm_after(count_signal, SA_RESTART, 40);
    SHOW(poll(&entry, 1, 3000));
    alarm_after(count_signal, SA_RESTART, 40);
    SHOW(poll(&entry, 1, -1));
    alarm_after(count_signal, SA_RESTART, 40);
    SHOW(ppoll(&entry, 1, NULL, NULL));
    FD_ZERO(&in);
    FD_SET(entry.fd, &in);
    alarm_after(count_signal, SA_RESTART, 40);
    SHOW(select(entry.fd + 1, &in, NULL, NULL, NULL));
    SHOW(FD_ISSET(entry.fd, &in) != 0);
    alarm_after(count_signal, SA_RESTART, 40);
    SHOW(epoll_wait(set, &event, 1, 3000));
    alarm_after(count_signal, 0, 40);
    SHOW(epoll_wait(set, &event, 1, -1));
    SHOW(signals);
    peer_text("abc");
    SHOW(epoll_wait(set, &event, 1, 2000));
    SHOW(poll(&entry, 1, 2000));
}

SCENARIO(receive_timeout, RING)
{
    int fd = pair();

    set_timeout(fd, SO_RCVTIMEO, 80);
    double before = now_ms();
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    double took = now_ms() - before;
    SHOW_BOOL(took > 70 && took < 1000);
    SHOW(read(fd, (char[8]){0}, 8));
    peer_text("abc");
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    peer_text("def");
    SHOW(recv(fd, (char[8]){0}, 8, MSG_WAITALL)); /* the time runs out: what there is */
    alarm_after(count_signal, SA_RESTART, 20);
    set_timeout(fd, SO_RCVTIMEO, 2000);
    SHOW(recv(fd, (char[8]){0}, 8, 0)); /* with a timeout, never restarted */
    SHOW(signals);
    set_timeout(fd, SO_RCVTIMEO, 0);
    peer_text_later("xyz", 100);
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    order_finish();
}

SCENARIO(send_timeout, RING)
{
    static char bytes[100000];
    int fd = pair();

    fill_until_full(fd, 0);
    set_timeout(fd, SO_SNDTIMEO, 80);
    double before = now_ms();
    long sent = 0;
    for (int i = 0; i < 20 && sent >= 0; i++) /* a short count first, where some still fits */
        sent = send(fd, bytes, sizeof bytes, 0);
    show("send", sent);
    double took = now_ms() - before;
    SHOW_BOOL(took > 70 && took < 3000);
}

SCENARIO(accept_timeout, ANY | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address);

    set_timeout(at, SO_RCVTIMEO, 60);
    SHOW(accept(at, NULL, NULL));
    MUST(order_run((struct order){.op = OP_CONNECT, .address = address}).result);
    SHOW(accept(at, NULL, NULL) >= 0);
}

SCENARIO(handler_sends_while_recv_blocks, RING)
{
    handler_fd = pair();

    alarm_after(write_in_handler, SA_RESTART, 40);
    peer_start(OP_RECV_ONCE, 10, 0);
    SHOW_PEER(order_finish());
    alarm_after(write_in_handler, SA_RESTART, 40);
    peer_text_later("abc", 100);
    SHOW(recv(handler_fd, (char[8]){0}, 8, 0));
    SHOW(signals);
    order_finish();
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
}

SCENARIO(handler_interrupts_a_stream_of_sends, RING)
{
    handler_fd = pair();
    struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
    struct itimerval often = {{0, 2000}, {0, 2000}};
    int damaged = 0;

    MUST(sigaction(SIGALRM, &action, NULL));
    MUST(setitimer(ITIMER_REAL, &often, NULL));
    peer_start(OP_DUPLEX, 20000000, 0);
    long result[2];
    duplex(handler_fd, 20000000, result, &damaged);
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    SHOW_BOOL(result[0] == 20000000 && result[1] == 20000000);
    SHOW(damaged);
    SHOW_PEER(order_finish());
}

SCENARIO(handler_jumps_out_of_recv, RING)
{
    int fd = pair();

    if (!sigsetjmp(escape, 1)) {
        alarm_after(jump_out, 0, 50);
        SHOW(recv(fd, (char[8]){0}, 8, 0));
    }
    peer_text("abc");
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    if (!sigsetjmp(escape, 1)) {
        struct pollfd entry = {fd, POLLIN, 0};
        alarm_after(jump_out, 0, 50);
        SHOW(poll(&entry, 1, -1));
    }
    SHOW(send(fd, "fine", 4, 0));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    peer_text("def");
    SHOW(recv(fd, (char[8]){0}, 8, 0));
}

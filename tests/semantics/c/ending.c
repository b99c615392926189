/* How connections end: shutdown, close, reset, death, and what each call says afterwards. */
#include "harness.h"

static volatile sig_atomic_t pipe_signals;

static void count_pipe(int signal_number)
{
    (void)signal_number;
    pipe_signals++;
}

static int so_error(int fd)
{
    int value = -1;
    socklen_t size = sizeof value;

    MUST(getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &size));
    return value;
}

static void show_state(int fd)
{
    struct pollfd entry = {fd, POLLIN | POLLOUT | POLLRDHUP, 0};

    show_poll("  state", &entry, 0);
}

/* Wait for the peer's news without reading it. */
static void await_news(int fd, short events)
{
    struct pollfd entry = {fd, events, 0};

    if (poll(&entry, 1, 2000) != 1)
        printf("no news within two seconds\n");
}

SCENARIO(half_close_by_us, RING)
{
    int fd = pair();
    char bytes[16] = "";

    SHOW(send(fd, "request", 7, 0));
    SHOW(shutdown(fd, SHUT_WR));
    show_state(fd);
    SHOW_PEER(peer(OP_RECV_ONCE, 20));
    SHOW_PEER(peer(OP_RECV_ONCE, 20));
    SHOW(send(fd, "x", 1, MSG_NOSIGNAL));
    peer_text("reply");
    SHOW(recv(fd, bytes, 16, 0));
    show_text("bytes", bytes);
    SHOW_PEER(peer(OP_CLOSE, 0));
    await_news(fd, POLLIN);
    show_state(fd);
    SHOW(recv(fd, bytes, 16, 0));
    SHOW(recv(fd, bytes, 16, 0));
}

SCENARIO(half_close_by_the_peer, RING)
{
    int fd = pair();
    char bytes[16];

    peer_text("request");
    SHOW_PEER(peer(OP_SHUTDOWN, SHUT_WR));
    await_news(fd, POLLRDHUP);
    show_state(fd);
    SHOW(recv(fd, bytes, 16, 0));
    SHOW(recv(fd, bytes, 16, 0));
    SHOW(recv(fd, bytes, 16, MSG_DONTWAIT));
    show_state(fd);
    SHOW(send(fd, "reply", 5, 0));
    SHOW_PEER(peer(OP_RECV_ONCE, 20));
    SHOW(send(fd, "and more", 8, 0));
    SHOW_PEER(peer(OP_RECV_ONCE, 20));
    SHOW(close(fd));
    SHOW_PEER(peer(OP_RECV_ONCE, 20));
}

SCENARIO(half_close_large_reply, RING)
{
    int fd = pair(), damaged = 0;

    SHOW(shutdown(fd, SHUT_WR));
    SHOW_PEER(peer(OP_RECV_ONCE, 1));
    peer_start(OP_SEND, 2000000, 0);
    SHOW(recv_all(fd, 0, 2000000, &damaged));
    SHOW(damaged);
    SHOW_PEER(order_finish());
}

SCENARIO(shutdown_read, ANY)
{
    int fd = pair();
    char bytes[16];

    peer_text("before");
    await_queued(fd, 6);
    SHOW(shutdown(fd, SHUT_RD));
    show_state(fd);
    SHOW(recv(fd, bytes, 16, 0));
    SHOW(recv(fd, bytes, 16, 0));
    SHOW(send(fd, "we still send", 13, 0));
    SHOW_PEER(peer(OP_RECV_ONCE, 20));
    peer_text("after");
    sleep_ms(20);
    SHOW(recv(fd, bytes, 16, 0));
    SHOW(recv(fd, bytes, 16, 0));
}

SCENARIO(shutdown_both, RING)
{
    int fd = pair();
    char bytes[16];

    SHOW(send(fd, "last", 4, 0));
    SHOW(shutdown(fd, SHUT_RDWR));
    show_state(fd);
    SHOW(recv(fd, bytes, 16, 0));
    SHOW(send(fd, "x", 1, MSG_NOSIGNAL));
    SHOW_PEER(peer(OP_RECV_ONCE, 20));
    SHOW_PEER(peer(OP_RECV_ONCE, 20));
    SHOW(shutdown(fd, SHUT_RDWR));
}

SCENARIO(shutdown_again, ANY)
{
    int fd = pair();

    SHOW(shutdown(fd, 3));
    SHOW(shutdown(fd, -1));
    SHOW(shutdown(fd, SHUT_WR));
    SHOW(shutdown(fd, SHUT_WR));
    SHOW(shutdown(fd, SHUT_RD));
    SHOW(shutdown(fd, SHUT_RD));
    SHOW(shutdown(fd, SHUT_RDWR));
    SHOW_PEER(peer(OP_RECV_ONCE, 1));
    SHOW_PEER(peer(OP_SHUTDOWN, SHUT_WR));
    sleep_ms(20);
    show_state(fd);
    SHOW(shutdown(fd, SHUT_WR));
    SHOW(shutdown(STDOUT_FILENO, SHUT_WR));
    SHOW(shutdown(-1, SHUT_WR));
}

SCENARIO(both_directions_shut_down, ANY)
{
    int fd = pair();

    SHOW(shutdown(fd, SHUT_WR));
    show_state(fd);
    SHOW_PEER(peer(OP_SHUTDOWN, SHUT_WR));
    await_news(fd, POLLRDHUP);
    sleep_ms(5);
    show_state(fd);
    SHOW(recv(fd, (char[1]){0}, 1, 0));
    SHOW(so_error(fd));
    struct sockaddr_storage name;
    socklen_t size = sizeof name;
    SHOW(getpeername(fd, (struct sockaddr *)&name, &size));
}

/* ---- an end that has shut both directions and lives on refuses what comes ---- */

SCENARIO(send_to_a_peer_that_shut_both_ways, RING)
{
    int fd = pair();

    SHOW(send(fd, "before", 6, 0));
    SHOW_PEER(peer(OP_RECV_ONCE, 20));
    SHOW_PEER(peer(OP_SHUTDOWN, SHUT_RDWR));
    SHOW_BOOL(await_events(fd, POLLRDHUP));
    show_state(fd);
    SHOW(send(fd, "x", 1, MSG_NOSIGNAL));
    sleep_ms(30);
    show_state(fd);
    SHOW(send(fd, "x", 1, MSG_NOSIGNAL));
    SHOW(recv(fd, (char[4]){0}, 4, 0));
    SHOW_PEER(peer(OP_RECV_ONCE, 20));
    SHOW_PEER(peer(OP_RECV_ONCE, 20));
}

SCENARIO(sendfile_to_a_peer_that_shut_both_ways, ANY)
{
    int fd = pair(), file = open("/proc/self/exe", O_RDONLY);

    SHOW_PEER(peer(OP_SHUTDOWN, SHUT_RDWR));
    SHOW_BOOL(await_events(fd, POLLRDHUP));
    SHOW(sendfile(fd, file, NULL, 100));
    sleep_ms(30);
    SHOW_PEER(peer(OP_RECV_ONCE, 20));
    SHOW_PEER(peer(OP_RECV_ONCE, 20));
    SHOW(send(fd, "x", 1, MSG_NOSIGNAL));
}

static void show_refusal(int fd)
{
    char bytes[16];

    peer_text("late");
    SHOW_BOOL(await_events(fd, POLLERR));
    show_state(fd);
    SHOW(recv(fd, bytes, 16, 0));
    SHOW(recv(fd, bytes, 16, 0));
    SHOW(recv(fd, bytes, 16, 0));
    SHOW(shutdown(fd, SHUT_RDWR));
    SHOW(order_run((struct order){.op = OP_TEXT, .text = "again"}).error);
    SHOW_PEER(peer(OP_RECV_ONCE, 20));
}

SCENARIO(bytes_after_we_shut_both_ways_reset, ANY)
{
    int fd = pair();

    SHOW(shutdown(fd, SHUT_RDWR));
    show_refusal(fd);
}

SCENARIO(bytes_from_before_we_shut_both_ways_are_read, RING)
{
    int fd = pair();

    peer_text("early");
    await_queued(fd, 5);
    SHOW(shutdown(fd, SHUT_WR));
    SHOW(shutdown(fd, SHUT_RD));
    show_refusal(fd);
}

SCENARIO(reading_shut_first_refuses_as_well, ANY)
{
    int fd = pair();

    SHOW(shutdown(fd, SHUT_RD));
    SHOW(shutdown(fd, SHUT_WR));
    show_refusal(fd);
}

SCENARIO(end_of_a_peer_is_no_byte_to_refuse, ANY)
{
    int fd = pair();

    SHOW(shutdown(fd, SHUT_RDWR));
    SHOW_PEER(peer(OP_SHUTDOWN, SHUT_WR));
    sleep_ms(30);
    show_state(fd);
    SHOW(recv(fd, (char[4]){0}, 4, 0));
    SHOW_PEER(peer(OP_RECV_ONCE, 20));
    SHOW_PEER(peer(OP_CLOSE, 0));
    SHOW(recv(fd, (char[4]){0}, 4, 0));
}

SCENARIO(peer_that_shut_both_ways_closes, ANY)
{
    int fd = pair();

    SHOW_PEER(peer(OP_SHUTDOWN, SHUT_RDWR));
    SHOW_BOOL(await_events(fd, POLLRDHUP));
    SHOW_PEER(peer(OP_CLOSE, 0));
    sleep_ms(30);
    SHOW(send(fd, "x", 1, MSG_NOSIGNAL));
    sleep_ms(30);
    SHOW(send(fd, "x", 1, MSG_NOSIGNAL));
    show_state(fd);
}

SCENARIO(peer_closes, ANY)
{
    int fd = pair();

    peer_text("rest");
    SHOW_PEER(peer(OP_CLOSE, 0));
    await_news(fd, POLLRDHUP);
    show_state(fd);
    SHOW(recv(fd, (char[2]){0}, 2, 0));
    SHOW(recv(fd, (char[9]){0}, 9, 0));
    SHOW(recv(fd, (char[9]){0}, 9, 0));
    show_state(fd);
    SHOW(so_error(fd));
}

SCENARIO(write_after_peer_closed, ANY)
{
    int fd = pair();
    struct sigaction action = {.sa_handler = count_pipe};

    sigaction(SIGPIPE, &action, NULL);
    SHOW_PEER(peer(OP_CLOSE, 0));
    await_news(fd, POLLRDHUP);
    SHOW(send(fd, "into the void", 13, 0));
    sleep_ms(20);
    show_state(fd);
    SHOW(write(fd, "again", 5));
    SHOW(pipe_signals);
    SHOW(write(fd, "again", 5));
    SHOW(pipe_signals);
    SHOW(recv(fd, (char[1]){0}, 1, 0));
    SHOW(so_error(fd));
    show_state(fd);
}

SCENARIO(write_after_peer_closed_then_read, ANY)
{
    int fd = pair();

    peer_text("kept");
    SHOW_PEER(peer(OP_CLOSE, 0));
    await_news(fd, POLLRDHUP);
    SHOW(send(fd, "into the void", 13, MSG_NOSIGNAL));
    sleep_ms(20);
    SHOW(recv(fd, (char[9]){0}, 9, 0));
    SHOW(recv(fd, (char[9]){0}, 9, 0));
    SHOW(send(fd, "x", 1, MSG_NOSIGNAL));
}

/* What made a connection fast before its peer closed must not make it deaf to that afterwards. */
SCENARIO(one_more_send_to_a_peer_that_closed, RING)
{
    int fd = pair();
    char byte;

    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < 3; i++)
        SHOW(send(fd, "a", 1, 0));
    peer(OP_QUEUED, 3);
    SHOW_PEER(peer(OP_RECV_ONCE, 3));
    SHOW_PEER(peer(OP_CLOSE, 0));
    SHOW(recv(fd, &byte, 1, 0));
    SHOW(send(fd, "b", 1, 0));
    sleep_ms(50);
    SHOW(send(fd, "c", 1, 0));
    SHOW(send(fd, "d", 1, 0));
}

SCENARIO(every_call_raises_sigpipe, RING)
{
    int fd = pair();
    struct sigaction action = {.sa_handler = count_pipe};
    struct iovec part = {"x", 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    struct mmsghdr many = {.msg_hdr = message};
    FILE *file = tmpfile();

    fputs("file", file), fflush(file), rewind(file);
    sigaction(SIGPIPE, &action, NULL);
    SHOW(send(fd, "used", 4, 0));
    SHOW(shutdown(fd, SHUT_WR));
    SHOW(write(fd, "x", 1));
    SHOW(pipe_signals);
    SHOW(writev(fd, &part, 1));
    SHOW(pipe_signals);
    SHOW(send(fd, "x", 1, 0));
    SHOW(pipe_signals);
    SHOW(sendto(fd, "x", 1, 0, NULL, 0));
    SHOW(pipe_signals);
    SHOW(sendmsg(fd, &message, 0));
    SHOW(pipe_signals);
    SHOW(sendmmsg(fd, &many, 1, 0));
    SHOW(pipe_signals);
    SHOW(sendfile(fd, fileno(file), &(off_t){0}, 4));
    SHOW(pipe_signals);
    SHOW(send(fd, "x", 1, MSG_NOSIGNAL));
    SHOW(sendmsg(fd, &message, MSG_NOSIGNAL));
    SHOW(send(fd, "", 0, 0));
    SHOW(pipe_signals);
}

SCENARIO(sigpipe_kills_by_default, ANY)
{
    int fd = pair(), status;

    SHOW(shutdown(fd, SHUT_WR));
    fflush(stdout);
    pid_t child = (pid_t)MUST(fork());
    if (!child) {
        signal(SIGPIPE, SIG_DFL);
        write(fd, "x", 1) < 0 ? _exit(1) : _exit(2);
    }
    waitpid(child, &status, 0);
    SHOW(WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status));
}

SCENARIO(peer_closes_with_bytes_unread, ANY)
{
    int fd = pair();

    SHOW(send(fd, "never read", 10, 0));
    peer(OP_QUEUED, 10);
    SHOW_PEER(peer(OP_CLOSE, 0));
    await_news(fd, POLLRDHUP);
    sleep_ms(5);
    show_state(fd);
    SHOW(recv(fd, (char[1]){0}, 1, 0));
    show_state(fd);
    SHOW(recv(fd, (char[1]){0}, 1, 0));
    SHOW(send(fd, "x", 1, MSG_NOSIGNAL));
    SHOW(so_error(fd));
}

SCENARIO(reset_is_told_to_the_sender, ANY)
{
    int fd = pair();

    SHOW(send(fd, "never read", 10, 0));
    peer(OP_QUEUED, 10);
    SHOW_PEER(peer(OP_CLOSE, 0));
    await_news(fd, POLLRDHUP);
    sleep_ms(5);
    SHOW(send(fd, "x", 1, MSG_NOSIGNAL));
    SHOW(send(fd, "x", 1, MSG_NOSIGNAL));
    SHOW(recv(fd, (char[1]){0}, 1, 0));
}

SCENARIO(reset_is_told_by_so_error, ANY)
{
    int fd = pair();

    SHOW_PEER(peer(OP_RESET, 0));
    await_news(fd, POLLRDHUP);
    show_state(fd);
    SHOW(so_error(fd) == ECONNRESET);
    SHOW(so_error(fd));
    show_state(fd);
    SHOW(recv(fd, (char[1]){0}, 1, 0));
}

SCENARIO(reset_after_data, ANY)
{
    int fd = pair();

    peer_text("before the reset");
    await_queued(fd, 16);
    SHOW_PEER(peer(OP_RESET, 0));
    sleep_ms(20);
    show_state(fd);
    SHOW(recv(fd, (char[64]){0}, 64, 0));
    SHOW(recv(fd, (char[64]){0}, 64, 0));
    SHOW(recv(fd, (char[64]){0}, 64, 0));
}

SCENARIO(we_close_with_bytes_unread, ANY)
{
    int fd = pair();

    peer_text("not read by us");
    await_queued(fd, 14);
    SHOW(close(fd));
    sleep_ms(5);
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
}

SCENARIO(we_reset_by_linger, ANY)
{
    int fd = pair();
    struct linger linger = {1, 0};

    SHOW(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
    SHOW(close(fd));
    sleep_ms(5);
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    struct order order = {.op = OP_TEXT, .text = "x"};
    SHOW_PEER(order_run(order));
}

SCENARIO(linger_waits_for_the_reader, ANY)
{
    int fd = pair();
    struct linger linger = {1, 5};

    SHOW(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
    peer_start(OP_RECV, 100000, 0);
    SHOW(send_all(fd, 0, 100000));
    SHOW(close(fd));
    SHOW_PEER(order_finish());
    SHOW_PEER(peer(OP_RECV_ONCE, 1));
}

static void set_linger(int fd, int seconds)
{
    struct linger linger = {1, seconds};

    MUST(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
}

/* Closes with more under way than the peer's kernel takes; it begins to read after `delay_ms`. */
static double closed_within(int fd, int delay_ms)
{
    long put = fill_until_full(fd, 0);

    peer_start(OP_RECV, put, delay_ms);
    double start = now_ms();
    SHOW(close(fd));
    double took = now_ms() - start;
    SHOW_BOOL(order_finish().result == put);
    SHOW_PEER(peer(OP_RECV_ONCE, 1));
    return took;
}

SCENARIO(linger_waits_until_the_peer_has_all, RING)
{
    int fd = pair();

    set_linger(fd, 10);
    double took = closed_within(fd, 500);
    SHOW_BOOL(took > 400 && took < 5000);
}

SCENARIO(linger_of_a_nonblocking_descriptor_waits_too, RING)
{
    int fd = pair();

    set_linger(fd, 10);
    set_nonblocking(fd, true);
    double took = closed_within(fd, 500);
    SHOW_BOOL(took > 400 && took < 5000);
}

SCENARIO(linger_ends_after_its_time, RING)
{
    int fd = pair();

    set_linger(fd, 1);
    double took = closed_within(fd, 2500);
    SHOW_BOOL(took > 900 && took < 2300);
}

SCENARIO(linger_ends_when_the_peer_resets, RING)
{
    int fd = pair();

    set_linger(fd, 10);
    fill_until_full(fd, 0);
    peer_start(OP_CLOSE, 0, 500); /* with bytes unread */
    double start = now_ms();
    SHOW(close(fd));
    SHOW_BOOL(now_ms() - start > 400 && now_ms() - start < 5000);
    SHOW_PEER(order_finish());
}

SCENARIO(linger_waits_for_no_reader_of_a_little, ANY)
{
    int fd = pair();

    set_linger(fd, 10);
    SHOW(send_all(fd, 0, 1000));
    double start = now_ms();
    SHOW(close(fd));
    SHOW_BOOL(now_ms() - start < 5000);
    SHOW_PEER(peer(OP_RECV, 1000));
}

SCENARIO(linger_of_nought_resets_with_bytes_unread, ANY)
{
    int fd = pair();

    peer_text("unread");
    await_queued(fd, 6);
    set_linger(fd, 0);
    SHOW(send(fd, "abc", 3, 0));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    SHOW(close(fd));
    sleep_ms(20);
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
}

SCENARIO(linger_read_back, ANY)
{
    int fd = pair();
    struct linger linger = {0};
    socklen_t size = sizeof linger;

    set_linger(fd, 7);
    SHOW(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size));
    SHOW(linger.l_onoff * 100 + linger.l_linger);
    linger.l_onoff = 0;
    SHOW(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
    SHOW(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size));
    SHOW(linger.l_onoff);
    SHOW(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, 4));
}

SCENARIO(close_loses_nothing_that_was_sent, RING)
{
    int fd = pair();

    SHOW(send_all(fd, 0, 200000));
    SHOW(close(fd));
    SHOW_PEER(peer(OP_RECV_ALL, 0));
    SHOW_PEER(peer(OP_RECV_ONCE, 1));
}

SCENARIO(close_while_the_peer_reads_slowly, RING)
{
    int fd = pair();

    peer_start(OP_RECV_SLOW, 900000, 0);
    SHOW(send_all(fd, 0, 900000));
    SHOW(close(fd));
    SHOW_PEER(order_finish());
    SHOW_PEER(peer(OP_RECV_ONCE, 1));
}

SCENARIO(close_at_once, ANY)
{
    int ends = 0;

    for (int i = 0; i < 20; i++) {
        int fd = pair();
        ends += close(fd) == 0 && peer(OP_RECV_ONCE, 1).result == 0 && peer(OP_CLOSE, 0).result == 0;
    }
    SHOW(ends);
}

SCENARIO(blocked_recv_ends_by_reset, ANY)
{
    int fd = pair();

    peer_start(OP_RESET, 0, 60);
    SHOW(recv(fd, (char[1]){0}, 1, 0));
    SHOW(recv(fd, (char[1]){0}, 1, 0));
    SHOW_PEER(order_finish());
}

SCENARIO(blocked_recv_ends_by_close, ANY)
{
    int fd = pair();

    peer_start(OP_CLOSE, 0, 60);
    SHOW(recv(fd, (char[1]){0}, 1, 0));
    SHOW(recv(fd, (char[1]){0}, 1, 0));
    SHOW_PEER(order_finish());
}

SCENARIO(blocked_recv_ends_by_half_close, ANY)
{
    int fd = pair();

    peer_start(OP_SHUTDOWN, SHUT_WR, 60);
    SHOW(recv(fd, (char[1]){0}, 1, 0));
    SHOW_PEER(order_finish());
    SHOW(send(fd, "x", 1, 0));
    SHOW_PEER(peer(OP_RECV_ONCE, 1));
}

/* The rest of a blocked send: an error, or fewer bytes and the error with the next call. */
static void show_broken_send(int fd)
{
    static char bytes[1000000];
    ssize_t sent = 0;

    fill_until_full(fd, 0);
    for (int calls = 0; sent >= 0 && calls < 3; calls++)
        sent = send(fd, bytes, sizeof bytes, MSG_NOSIGNAL);
    show("blocked send", sent);
    show("next send", send(fd, bytes, sizeof bytes, MSG_NOSIGNAL));
}

SCENARIO(blocked_send_ends_by_close, RING)
{
    int fd = pair();

    peer_start(OP_CLOSE, 0, 400);
    show_broken_send(fd);
    SHOW_PEER(order_finish());
}

SCENARIO(blocked_send_ends_by_reset, RING)
{
    int fd = pair();

    peer_start(OP_RESET, 0, 400);
    show_broken_send(fd);
    SHOW_PEER(order_finish());
}

SCENARIO(blocked_send_ends_by_death, RING | OTHER)
{
    int fd = pair();

    peer_start(OP_DIE, 0, 400);
    show_broken_send(fd);
}

SCENARIO(peer_dies_quietly, ANY | OTHER)
{
    int fd = pair();

    peer_text("last words");
    peer_start(OP_DIE, 0, 50);
    SHOW(recv(fd, (char[64]){0}, 64, 0));
    SHOW(recv(fd, (char[64]){0}, 64, 0));
    show_state(fd);
    SHOW(recv(fd, (char[64]){0}, 64, 0));
    SHOW(send(fd, "x", 1, MSG_NOSIGNAL));
}

SCENARIO(peer_dies_with_bytes_unread, ANY | OTHER)
{
    int fd = pair();

    peer_text("last words");
    SHOW(send(fd, "never read", 10, 0));
    peer(OP_QUEUED, 10);
    peer_start(OP_DIE, 0, 50);
    SHOW(recv(fd, (char[64]){0}, 64, 0));
    SHOW(recv(fd, (char[64]){0}, 64, 0));
    show_state(fd);
    SHOW(recv(fd, (char[64]){0}, 64, 0));
    SHOW(send(fd, "x", 1, MSG_NOSIGNAL));
}

SCENARIO(peer_dies_before_accept, ANY | OTHER)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address);

    SHOW(order_run((struct order){.op = OP_CONNECT, .address = address}).result);
    peer_text("hello");
    peer_start(OP_DIE, 0, 0);
    sleep_ms(100);
    int fd = (int)MUST(accept(at, NULL, NULL));
    SHOW(recv(fd, (char[64]){0}, 64, 0));
    SHOW(recv(fd, (char[64]){0}, 64, 0));
}

SCENARIO(names_after_the_end, ANY)
{
    int fd = pair();
    struct sockaddr_storage name;
    socklen_t size = sizeof name;

    SHOW_PEER(peer(OP_CLOSE, 0));
    await_news(fd, POLLRDHUP);
    SHOW(getpeername(fd, (struct sockaddr *)&name, &size));
    SHOW(getsockname(fd, (struct sockaddr *)&name, &size));
    SHOW(shutdown(fd, SHUT_RDWR));
    sleep_ms(20);
    SHOW(getpeername(fd, (struct sockaddr *)&name, &size));
}

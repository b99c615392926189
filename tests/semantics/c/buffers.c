/* SO_SNDBUF, SO_RCVBUF, SO_RCVLOWAT: how much may be under way, and from when on there is something to read. Exact figures
 * are Linux's own affair: what counts is whether a writer is stopped where the program wanted it.
 */
#include "harness.h"

#include <linux/sockios.h>

#define SMALL 16384

static void set_size(int fd, int option, int value)
{
    MUST(setsockopt(fd, SOL_SOCKET, option, &value, sizeof value));
}

/* Takes at least so much, and at most so much. */
static void show_taken(const char *text, long taken, long least, long most)
{
    if (taken < least || taken > most)
        printf("%ld bytes were taken\n", taken);
    show_bool(text, taken >= least && taken <= most);
}

static void read_all_and_compare(int fd, long count)
{
    int damaged = 0;

    SHOW_BOOL(recv_all(fd, 0, count, &damaged) == count);
    SHOW(damaged);
}

SCENARIO(small_send_buffer_stops_the_writer, RING)
{
    int fd = pair();
    struct pollfd entry = {fd, POLLOUT, 0};

    set_size(fd, SO_SNDBUF, SMALL);
    long taken = fill_until_full(fd, 0);
    show_taken("taken", taken, SMALL, 1500000);
    show_poll("full", &entry, 0);
    SHOW_BOOL(peer(OP_RECV, taken).result == taken);
    show_poll("read", &entry, 5000);
    SHOW(send(fd, "x", 1, MSG_DONTWAIT));
    SHOW_BOOL(peer(OP_RECV_ONCE, 1).result == 1);
}

SCENARIO(both_buffers_small, RING | ONCE)
{
    int ends[2];

    own_pair(ends);
    set_size(ends[0], SO_SNDBUF, SMALL);
    set_size(ends[1], SO_RCVBUF, SMALL);
    long taken = fill_until_full(ends[0], 0);
    show_taken("taken", taken, SMALL, 200000);
    read_all_and_compare(ends[1], taken);
    SHOW_BOOL(await_events(ends[0], POLLOUT));
    SHOW(send(ends[0], "abc", 3, MSG_DONTWAIT));
    SHOW(recv(ends[1], (char[8]){0}, 8, 0));
}

SCENARIO(small_receive_buffer_is_inherited_from_the_listener, RING | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address), fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));

    set_size(at, SO_RCVBUF, SMALL);
    set_size(fd, SO_SNDBUF, SMALL);
    MUST(connect(fd, (struct sockaddr *)&address, address_size(&address)));
    int other = (int)MUST(accept(at, NULL, NULL));
    long taken = fill_until_full(fd, 0);
    show_taken("taken", taken, SMALL, 120000);
    read_all_and_compare(other, taken);
    SHOW_BOOL(await_events(fd, POLLOUT));
}

SCENARIO(small_send_buffer_is_inherited_from_the_listener, RING | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address), fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));

    set_size(at, SO_SNDBUF, SMALL);
    MUST(connect(fd, (struct sockaddr *)&address, address_size(&address)));
    int other = (int)MUST(accept(at, NULL, NULL));
    long taken = fill_until_full(other, 0);
    show_taken("taken", taken, SMALL, 1500000);
    read_all_and_compare(fd, taken);
}

/* A connection that waits in the backlog. */
static int connect_to(int *listener, int send_buffer)
{
    struct sockaddr_storage address;
    int fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));

    *listener = listen_at(AF_INET, "127.0.0.1", &address);
    if (send_buffer)
        set_size(fd, SO_SNDBUF, send_buffer);
    MUST(connect(fd, (struct sockaddr *)&address, address_size(&address)));
    return fd;
}

SCENARIO(much_may_be_sent_before_accept, RING | ONCE)
{
    int at, fd = connect_to(&at, 0);
    long taken = fill_until_full(fd, 0);

    show_taken("taken", taken, 1000000, 5000000);
    show_poll("full", &(struct pollfd){fd, POLLOUT, 0}, 0);
    int other = (int)MUST(accept(at, NULL, NULL));
    read_all_and_compare(other, taken);
    SHOW_BOOL(await_events(fd, POLLOUT));
}

SCENARIO(little_may_be_sent_before_accept_with_a_small_buffer, RING | ONCE)
{
    int at, fd = connect_to(&at, SMALL);
    long taken = fill_until_full(fd, 0);

    show_taken("taken", taken, SMALL, 1500000);
    int other = (int)MUST(accept(at, NULL, NULL));
    read_all_and_compare(other, taken);
    SHOW_BOOL(await_events(fd, POLLOUT));
}

static void show_what_arrives_after_close(int send_buffer)
{
    int at, fd = connect_to(&at, send_buffer);
    long taken = fill_until_full(fd, 0);

    MUST(close(fd));
    int other = (int)MUST(accept(at, NULL, NULL));
    read_all_and_compare(other, taken);
    SHOW(recv(other, (char[8]){0}, 8, 0));
}

SCENARIO(much_sent_and_closed_before_accept_arrives, ANY | ONCE)
{
    show_what_arrives_after_close(0);
}

SCENARIO(what_a_small_buffer_took_arrives_though_closed_before_accept, ANY | ONCE)
{
    show_what_arrives_after_close(SMALL);
}

SCENARIO(send_buffer_made_small_while_full, RING | ONCE)
{
    int ends[2], damaged = 0;

    own_pair(ends);
    long taken = fill_until_full(ends[0], 0);
    SHOW_BOOL(taken > 1500000);
    set_size(ends[0], SO_SNDBUF, SMALL);
    SHOW_BOOL(recv_all(ends[1], 0, 300000, &damaged) == 300000);
    sleep_ms(20);
    show_poll("more lies there than may", &(struct pollfd){ends[0], POLLOUT, 0}, 0);
    SHOW_BOOL(recv_all(ends[1], 300000, taken - 300000, &damaged) == taken - 300000);
    SHOW(damaged);
    SHOW_BOOL(await_events(ends[0], POLLOUT));
    show_taken("taken", fill_until_full(ends[0], 0), SMALL, 3000000);
}

SCENARIO(send_buffer_made_large_while_full, RING | ONCE)
{
    int ends[2];

    own_pair(ends);
    set_size(ends[0], SO_SNDBUF, SMALL);
    set_size(ends[1], SO_RCVBUF, SMALL);
    long taken = fill_until_full(ends[0], 0);
    set_size(ends[0], SO_SNDBUF, 1000000);
    SHOW_BOOL(await_events(ends[0], POLLOUT));
    long more = fill_until_full(ends[0], (uint64_t)taken);
    show_taken("more", more, 300000, 5000000);
    read_all_and_compare(ends[1], taken + more);
}

static void *send_many(void *argument)
{
    return (void *)send_all(*(int *)argument, 0, 1000000);
}

SCENARIO(blocked_writer_with_small_buffers_goes_on, RING | ONCE)
{
    int ends[2], damaged = 0;

    own_pair(ends);
    set_size(ends[0], SO_SNDBUF, 4096);
    set_size(ends[1], SO_RCVBUF, SMALL);
    pthread_t thread = thread_start(send_many, &ends[0]);
    sleep_ms(30);
    int there = 0;
    SHOW_BOOL(ioctl(ends[1], FIONREAD, &there) == 0 && there > 0 && there < 200000);
    SHOW(recv_all(ends[1], 0, 1000000, &damaged));
    SHOW(damaged);
    SHOW_BOOL(thread_join(thread) == (void *)1000000);
}

SCENARIO(epoll_edge_of_room_with_small_buffers, RING | ONCE)
{
    int ends[2], set = (int)MUST(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLOUT | EPOLLET};

    own_pair(ends);
    set_size(ends[0], SO_SNDBUF, SMALL);
    set_size(ends[1], SO_RCVBUF, SMALL);
    SHOW(epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event));
    SHOW(epoll_wait(set, &event, 1, 1000));
    long taken = fill_until_full(ends[0], 0);
    while (epoll_wait(set, &event, 1, 0) > 0)
        ; /* filling it took edges, or not */
    read_all_and_compare(ends[1], taken);
    SHOW(epoll_wait(set, &event, 1, 2000));
    SHOW(epoll_wait(set, &event, 1, 20));
}

SCENARIO(bytes_that_the_peer_could_take_are_not_unsent, RING)
{
    int fd = pair(), value = -1;

    peer_text("both ends know each other");
    SHOW(recv(fd, (char[64]){0}, 64, 0));
    SHOW(send(fd, "abc", 3, 0));
    sleep_ms(20);
    SHOW((ioctl(fd, SIOCOUTQ, &value), value)); /* the peer has not read them, but has them */
    SHOW(send(fd, (char[10000]){0}, 10000, 0));
    sleep_ms(20);
    SHOW((ioctl(fd, SIOCOUTQ, &value), value));
    fill_until_full(fd, 0);
    SHOW_BOOL(ioctl(fd, SIOCOUTQ, &value) == 0 && value > 100000);
}

/* ---- the low-water mark ---- */

static _Atomic bool receives; /* the thread makes its call now */

static void *receive_sixteen(void *argument)
{
    char bytes[16];

    receives = true;
    return (void *)recv(*(int *)argument, bytes, sizeof bytes, 0);
}

SCENARIO(blocked_recv_waits_for_the_mark, RING)
{
    int fd = pair();

    set_size(fd, SO_RCVLOWAT, 10);
    receives = false;
    pthread_t thread = thread_start(receive_sixteen, &fd);
    while (!receives)
        sleep_ms(1);
    sleep_ms(60); /* it waits before the first byte comes: a call that has taken some waits for as many again */
    peer_text("abc");
    sleep_ms(30);
    peer_text("defg");
    sleep_ms(30);
    SHOW(pthread_tryjoin_np(thread, NULL) == EBUSY);
    peer_text("hijkl");
    SHOW((long)thread_join(thread));
}

SCENARIO(recv_of_less_than_the_mark_waits_for_what_it_asks, RING)
{
    int fd = pair();
    char bytes[16];

    set_size(fd, SO_RCVLOWAT, 10);
    peer_text("abc");
    await_queued(fd, 3);
    SHOW(recv(fd, bytes, 3, 0));
    peer_text("defg");
    await_queued(fd, 4);
    SHOW(recv(fd, bytes, 16, MSG_DONTWAIT));
    SHOW(recv(fd, bytes, 16, MSG_DONTWAIT));
}

SCENARIO(end_and_timeout_come_before_the_mark, RING)
{
    int fd = pair();
    char bytes[16];
    struct timeval limit = {0, 50000};

    set_size(fd, SO_RCVLOWAT, 10);
    peer_text("abc");
    MUST(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
    SHOW(recv(fd, bytes, 16, 0));
    SHOW(recv(fd, bytes, 16, 0));
    peer_text("def");
    peer(OP_SHUTDOWN, SHUT_WR);
    show_poll("the end", &(struct pollfd){fd, POLLIN | POLLRDHUP, 0}, 2000);
    SHOW(recv(fd, bytes, 16, 0));
    SHOW(recv(fd, bytes, 16, 0));
}

SCENARIO(timeout_gives_what_came_while_it_waited_for_the_mark, RING)
{
    int fd = pair();
    char bytes[16];
    struct timeval limit = {0, 600000};

    set_size(fd, SO_RCVLOWAT, 10);
    MUST(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
    peer_text_later("abcde", 50);
    SHOW(recv(fd, bytes, 2, 0));
    order_finish();
    SHOW(recv(fd, bytes, 16, 0));
}

SCENARIO(look_waits_for_the_mark, RING)
{
    int fd = pair();
    char bytes[16];

    set_size(fd, SO_RCVLOWAT, 5);
    peer_text("abc");
    SHOW(recv(fd, bytes, 16, MSG_PEEK | MSG_DONTWAIT));
    peer_text_later("defg", 50);
    SHOW(recv(fd, bytes, 16, MSG_PEEK));
    order_finish();
    SHOW(recv(fd, bytes, 16, 0));
}

SCENARIO(mark_set_while_bytes_are_known, RING)
{
    int fd = pair();
    struct pollfd entry = {fd, POLLIN, 0};
    char bytes[16];

    peer_text("abcdef");
    SHOW(recv(fd, bytes, 2, 0));
    show_poll("no mark", &entry, 0);
    set_size(fd, SO_RCVLOWAT, 5);
    show_poll("below the mark", &entry, 0);
    peer_text("gh");
    show_poll("at the mark", &entry, 2000);
    set_size(fd, SO_RCVLOWAT, 100);
    show_poll("below the mark", &entry, 0);
    set_size(fd, SO_RCVLOWAT, 1);
    show_poll("no mark", &entry, 2000);
    SHOW(recv(fd, bytes, 16, 0));
    peer_text("again");
    SHOW(recv(fd, bytes, 16, 0));
}

SCENARIO(epoll_knows_the_mark, RING)
{
    int fd = pair(), set = (int)MUST(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    char bytes[16];

    set_size(fd, SO_RCVLOWAT, 5);
    SHOW(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
    peer_text("abc");
    SHOW(epoll_wait(set, &event, 1, 40));
    peer_text("def");
    SHOW(epoll_wait(set, &event, 1, 2000));
    SHOW(epoll_wait(set, &event, 1, 20));
    SHOW(recv(fd, bytes, 16, 0));
    peer_text("gh");
    SHOW(epoll_wait(set, &event, 1, 40));
    peer(OP_SHUTDOWN, SHUT_WR);
    SHOW(epoll_wait(set, &event, 1, 2000));
    SHOW(recv(fd, bytes, 16, 0));
}

SCENARIO(mark_is_inherited_from_the_listener, RING | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address), fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));

    set_size(at, SO_RCVLOWAT, 5);
    MUST(connect(fd, (struct sockaddr *)&address, address_size(&address)));
    int other = (int)MUST(accept(at, NULL, NULL));
    struct pollfd entry = {other, POLLIN, 0};
    SHOW(send(fd, "abc", 3, 0));
    show_poll("below the mark", &entry, 40);
    SHOW(send(fd, "def", 3, 0));
    show_poll("at the mark", &entry, 2000);
    SHOW(recv(other, (char[16]){0}, 16, 0));
}

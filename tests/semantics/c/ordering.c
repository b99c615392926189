/* epoll: in which order one wait tells of several connections. Linux tells in the order of arrival; what is told and
 * stays ready goes to the end. */
#include "harness.h"

#define CONNECTIONS 6

/* Connections in the order of their making, each in the set with its number. */
static int join(int set, int number, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u32 = (uint32_t)number};

    return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
}

static int ask_again(int set, int number, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u32 = (uint32_t)number};

    return epoll_ctl(set, EPOLL_CTL_MOD, fd, &event);
}

static int set_of_pairs(int fds[CONNECTIONS], uint32_t events)
{
    int set = (int)MUST(epoll_create1(EPOLL_CLOEXEC));

    for (int i = 0; i < CONNECTIONS; i++) {
        fds[i] = pair_index(i);
        MUST(join(set, i, fds[i], events));
    }
    return set;
}

/* The puppet's sockets `order` ("2051"), one byte each. */
static void peers_send(const char *order)
{
    for (; *order; order++)
        order_run((struct order){.op = OP_SEND, .index = *order - '0', .arg = 1});
}

/* Prints the numbers that one wait tells, in its order; `read`: and takes a byte of each. */
static void show_told(const char *text, int set, int most, const int *read)
{
    struct epoll_event events[CONNECTIONS + 1];
    char told[CONNECTIONS + 2] = "";
    int count = epoll_wait(set, events, most, 1000);

    for (int i = 0; i < count; i++) {
        told[i] = (char)('0' + events[i].data.u32);
        if (read)
            MUST(recv(read[events[i].data.u32], (char[1]){0}, 1, 0));
    }
    show_text(text, told);
}

SCENARIO(epoll_tells_in_the_order_of_arrival, RING)
{
    int fds[CONNECTIONS], set = set_of_pairs(fds, EPOLLIN);

    peers_send("520314");
    show_told("all, just added", set, CONNECTIONS, fds);
    SHOW(epoll_wait(set, &(struct epoll_event){0}, 1, 20));
    peers_send("315");
    show_told("some, after a sleep", set, CONNECTIONS, fds);
    peers_send("054321");
    show_told("two", set, 2, fds);
    show_told("two more", set, 2, fds);
    show_told("the rest", set, CONNECTIONS, fds);
}

SCENARIO(epoll_tells_edges_in_the_order_of_arrival, RING)
{
    int fds[CONNECTIONS], set = set_of_pairs(fds, EPOLLIN | EPOLLET);

    SHOW(epoll_wait(set, &(struct epoll_event){0}, 1, 20));
    peers_send("4210");
    peers_send("24");
    show_told("the second byte counts not", set, CONNECTIONS, NULL);
    peers_send("1053");
    show_told("two", set, 2, NULL);
    peers_send("24");
    show_told("who waited, then who came", set, CONNECTIONS, NULL);
}

/* To be asked for events changes a place only if there are any. */
SCENARIO(epoll_asked_anew_tells_in_the_order_of_arrival, RING)
{
    int fds[CONNECTIONS], set = set_of_pairs(fds, EPOLLIN | EPOLLONESHOT);

    peers_send("31");
    show_told("once", set, CONNECTIONS, fds);
    peers_send("3");
    for (int i = 0; i < CONNECTIONS; i++)
        MUST(ask_again(set, i, fds[i], EPOLLIN | EPOLLONESHOT));
    peers_send("541");
    show_told("who was ready when asked for, then the others", set, CONNECTIONS, fds);
    peers_send("541");
    for (int i = CONNECTIONS - 1; i >= 0; i--)
        MUST(ask_again(set, i, fds[i], EPOLLIN));
    peers_send("02");
    show_told("in the order of asking, then the others", set, CONNECTIONS, fds);
}

/* That bytes were there when it was added gives a connection no place for the next ones. */
SCENARIO(epoll_added_with_bytes_tells_the_next_in_the_order_of_arrival, RING)
{
    int fds[CONNECTIONS], set = (int)MUST(epoll_create1(EPOLL_CLOEXEC));

    for (int i = 0; i < CONNECTIONS; i++) {
        fds[i] = pair_index(i);
        peers_send((char[]){(char)('0' + i), 0});
        await_queued(fds[i], 1);
        MUST(join(set, i, fds[i], EPOLLIN));
    }
    show_told("in the order of adding", set, CONNECTIONS, fds);
    SHOW(epoll_wait(set, &(struct epoll_event){0}, 1, 0));
    peers_send("520314");
    show_told("all", set, CONNECTIONS, fds);
}

SCENARIO(epoll_told_and_still_ready_goes_to_the_end, RING)
{
    int fds[CONNECTIONS], set = set_of_pairs(fds, EPOLLIN);

    SHOW(epoll_wait(set, &(struct epoll_event){0}, 1, 20));
    peers_send("4120");
    show_told("two", set, 2, NULL);
    peers_send("53");
    show_told("the others, the told ones, the new ones", set, CONNECTIONS, fds);
    peers_send("3102");
    show_told("they kept their places", set, CONNECTIONS, fds);
}

SCENARIO(epoll_tells_of_room_in_the_order_of_its_coming, RING)
{
    int fds[CONNECTIONS], set = set_of_pairs(fds, EPOLLOUT);
    long filled[CONNECTIONS];

    for (int i = 0; i < CONNECTIONS; i++)
        filled[i] = fill_until_full(fds[i], 0);
    SHOW(epoll_wait(set, &(struct epoll_event){0}, 1, 20));
    for (const char *order = "3501"; *order; order++)
        order_run((struct order){.op = OP_RECV, .index = *order - '0', .arg = filled[*order - '0']});
    show_told("room", set, CONNECTIONS, NULL);
}

SCENARIO(epoll_tells_of_ends_in_the_order_of_their_coming, RING)
{
    int fds[CONNECTIONS], set = set_of_pairs(fds, EPOLLIN);

    SHOW(epoll_wait(set, &(struct epoll_event){0}, 1, 20));
    peers_send("5");
    order_run((struct order){.op = OP_SHUTDOWN, .index = 3, .arg = SHUT_WR});
    peers_send("1");
    order_run((struct order){.op = OP_SHUTDOWN, .index = 0, .arg = SHUT_WR});
    peers_send("2");
    show_told("bytes and ends", set, CONNECTIONS, NULL);
}

/* Another process has the connections, too, from now on. */
SCENARIO(epoll_tells_inherited_ones_in_the_order_of_arrival, RING)
{
    int fds[CONNECTIONS], set = set_of_pairs(fds, EPOLLIN);
    pid_t child = (pid_t)MUST(fork());

    if (child == 0) {
        pause();
        _exit(0);
    }
    for (int round = 0; round < 3; round++) {
        peers_send(round == 1 ? "042135" : "420513");
        show_told("all", set, CONNECTIONS, fds);
        SHOW(epoll_wait(set, &(struct epoll_event){0}, 1, 20));
    }
    MUST(kill(child, SIGKILL));
    MUST(waitpid(child, NULL, 0));
}

/* A client that connects, and sends a byte whenever it is told to. */
static void client(const struct sockaddr_storage *address, int orders)
{
    char byte;
    int fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));

    MUST(connect(fd, (const struct sockaddr *)address, address_size(address)));
    while (read(orders, &byte, 1) == 1)
        MUST(send(fd, &byte, 1, 0));
    _exit(0);
}

/* The other end of a pipe on which the client gets its orders. */
static int client_start(const struct sockaddr_storage *address)
{
    int ends[2];

    MUST(pipe2(ends, O_CLOEXEC));
    if (MUST(fork()) == 0) {
        MUST(close(ends[1]));
        client(address, ends[0]);
    }
    MUST(close(ends[0]));
    return ends[1];
}

/* Clients that know nothing of each other. */
SCENARIO(epoll_tells_several_clients_in_the_order_of_arrival, RING | ONCE)
{
    struct sockaddr_storage address;
    int listener = listen_at(AF_INET, "127.0.0.1", &address), set = (int)MUST(epoll_create1(EPOLL_CLOEXEC));
    int orders[CONNECTIONS], fds[CONNECTIONS];

    for (int i = 0; i < CONNECTIONS; i++) {
        orders[i] = client_start(&address);
        fds[i] = (int)MUST(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
        MUST(join(set, i, fds[i], EPOLLIN));
    }
    for (int round = 0; round < 3; round++) {
        for (const char *order = round == 1 ? "305124" : "541203"; *order; order++) {
            MUST(write(orders[*order - '0'], "x", 1));
            await_queued(fds[*order - '0'], 1);
        }
        show_told("all", set, CONNECTIONS, fds);
        SHOW(epoll_wait(set, &(struct epoll_event){0}, 1, 20));
    }
    for (int i = 0; i < CONNECTIONS; i++)
        MUST(close(orders[i]));
    while (wait(NULL) > 0)
        ;
}

/* A small `most` starves nobody, neither those in shared memory nor a descriptor of the kernel. */
SCENARIO(epoll_one_at_a_time_tells_all, RING)
{
    int fds[CONNECTIONS], set = set_of_pairs(fds, EPOLLIN), ends[2];
    unsigned told[CONNECTIONS + 1] = {0};
    struct epoll_event event;

    MUST(pipe(ends));
    MUST(join(set, CONNECTIONS, ends[0], EPOLLIN));
    MUST(write(ends[1], "x", 1));
    peers_send("012345");
    for (int i = 0; i < 400; i++) {
        MUST(epoll_wait(set, &event, 1, 1000));
        told[event.data.u32]++;
    }
    for (int i = 0; i <= CONNECTIONS; i++)
        SHOW_BOOL(told[i] >= 5);
    MUST(close(ends[0]));
    MUST(close(ends[1]));
}

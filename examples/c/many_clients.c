/*
 * Many connections to epoll_server from one thread: on each, a message goes out as soon as the last one came back.
 *
 *     cc -O2 many_clients.c -lsd -o many_clients
 */
#include "net.h"

#include <sys/epoll.h>

enum { EVENTS = 256, SIZE = 8, MOST = 900 };

static int usage(const char *name)
{
    fprintf(stderr,
            "usage: %s HOST PORT [CLIENTS [SECONDS]]   (default 100 clients of at most %d, 5 seconds)\n"
            "example: %s 127.0.0.1 7000 500\n",
            name, MOST, name);
    return 2;
}

static void open_one(int set, const char *host, long port)
{
    static const char message[SIZE] = "message";
    int fd = connect_to(host, port);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) != 0)
        fail("epoll_ctl");
    send_whole(fd, message, SIZE);
}

static void receive(int fd)
{
    char message[SIZE];

    if (!recv_whole(fd, message, SIZE)) {
        fprintf(stderr, "the server is gone\n");
        exit(1);
    }
}

/* One round of whatever is ready; each gets its next message if `again`. Returns how many came. */
static int round_of(int set, int again)
{
    static const char message[SIZE] = "message";
    struct epoll_event events[EVENTS];
    int n = epoll_wait(set, events, EVENTS, -1);

    if (n < 0)
        fail("epoll_wait");
    for (int i = 0; i < n; i++) {
        receive(events[i].data.fd);
        if (again)
            send_whole(events[i].data.fd, message, SIZE);
    }
    return n;
}

int main(int argc, char **argv)
{
    long port = argument(argc, argv, 2, 0, 65535);
    long clients = argument(argc, argv, 3, 100, MOST);
    long limit = argument(argc, argv, 4, 5, 3600);
    int set = epoll_create1(EPOLL_CLOEXEC);
    struct meter meter;

    if (argc < 3 || argc > 5 || clients == 0)
        return usage(argv[0]);
    if (set < 0)
        fail("epoll_create1");
    for (long i = 0; i < clients; i++)
        open_one(set, argv[1], port);
    meter = meter_start("messages");
    while (meter_add(&meter, round_of(set, 1)) < (double)limit)
        continue;
    for (long left = clients; left > 0;) /* what is still under way; a socket closed over it would be reset */
        left -= round_of(set, 0);
    meter_end(&meter);
    return 0;
}

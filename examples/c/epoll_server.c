/*
 * Echoes to many clients from one thread with one epoll set, and prints how many messages come in a second.
 *
 *     cc -O2 epoll_server.c -lsd -o epoll_server
 */
#include "net.h"

#include <sys/epoll.h>

enum { EVENTS = 256, PART = 4096 };

static void watch(int set, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) != 0)
        fail("epoll_ctl");
}

/* Echoes what has come; 0 if the client has ended. A client of this example reads before it sends again. */
static int echo(int fd)
{
    char buf[PART];
    ssize_t n = recv(fd, buf, sizeof buf, 0);

    if (n < 0)
        fail("recv");
    if (n == 0) {
        close(fd);
        return 0;
    }
    send_whole(fd, buf, (size_t)n);
    return 1;
}

/* Serves until nobody is left who came. */
static void serve(int set, int listener)
{
    struct epoll_event events[EVENTS];
    struct meter meter = meter_start("messages");
    long open = 0, come = 0;

    while (come == 0 || open > 0) {
        int n = epoll_wait(set, events, EVENTS, -1), echoed = 0;
        if (n < 0)
            fail("epoll_wait");
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener) {
                watch(set, accept_from(listener));
                come++;
                open++;
            } else if (echo(events[i].data.fd)) {
                echoed++;
            } else {
                open--;
            }
        }
        meter_add(&meter, echoed);
    }
    printf("%ld clients; ", come);
    meter_end(&meter);
}

int main(int argc, char **argv)
{
    long port = argument(argc, argv, 1, 7000, 65535);
    int set = epoll_create1(EPOLL_CLOEXEC), listener;

    if (argc > 2) {
        fprintf(stderr, "usage: %s [PORT]   (default 7000); ends when its last client has\nexample: %s 7000\n", argv[0],
                argv[0]);
        return 2;
    }
    if (set < 0)
        fail("epoll_create1");
    listener = listen_on(port);
    watch(set, listener);
    serve(set, listener);
    return 0;
}

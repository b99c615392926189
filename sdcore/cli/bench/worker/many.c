/*
 * Many connections under one epoll server. The client keeps one message outstanding on every connection: it sends the
 * next as soon as the echo of the last has come. Both sides are one thread with one level-triggered epoll set.
 */
#include "worker.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS = 512 };

static void watch(int set, int fd)
{
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &e) != 0)
        fail("epoll_ctl");
}

static int wait_events(int set, struct epoll_event *events)
{
    int n = epoll_wait(set, events, EVENTS, -1);

    if (n < 0)
        fail("epoll_wait");
    return n;
}

static void echo(int fd, char *buf, size_t size)
{
    recv_whole(fd, buf, size);
    send_whole(fd, buf, size);
}

/* Serves until every message of both passes has been echoed. Times the pass that the client times, from its own view. */
void many_server(const struct options *o, struct result *r)
{
    struct epoll_event events[EVENTS];
    char *buf = must_alloc(o->size);
    int set = epoll_create1(0), listener;
    uint64_t left = o->warmup + o->count;

    want_descriptors(o->connections);
    listener = net_listen(o);
    watch(set, listener);
    begin(r, left);
    while (left > 0) {
        int n = wait_events(set, events);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener) {
                watch(set, net_accept(listener, o));
            } else {
                echo(events[i].data.fd, buf, o->size);
                left--;
            }
        }
    }
    end(r);
}

struct load {
    int set;
    char *buf;
    size_t size;
    uint64_t unsent, echoed;
};

/* Collects echoes until `goal` have come in all, a few more if one epoll_wait brings them; answers each by the next. */
static void collect(struct load *l, uint64_t goal)
{
    struct epoll_event events[EVENTS];

    while (l->echoed < goal) {
        int n = wait_events(l->set, events);
        for (int i = 0; i < n; i++) {
            recv_whole(events[i].data.fd, l->buf, l->size);
            l->echoed++;
            if (l->unsent > 0) {
                send_whole(events[i].data.fd, l->buf, l->size);
                l->unsent--;
            }
        }
    }
}

/* The load stays the same from the warm-up to the last message of each connection. */
void many_client(const struct options *o, struct result *r)
{
    struct load l = {.set = epoll_create1(0), .buf = must_alloc(o->size), .size = o->size};
    uint64_t all = o->warmup + o->count;

    want_descriptors(o->connections);
    for (unsigned i = 0; i < o->connections; i++) {
        int fd = net_connect(o);
        watch(l.set, fd);
        send_whole(fd, l.buf, l.size);
    }
    l.unsent = all - o->connections;
    collect(&l, o->warmup);
    begin(r, all - l.echoed);
    collect(&l, all);
    end(r);
}

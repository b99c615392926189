/* A thread that waits in a call on a socket is cancelled there; one that forbids it goes on waiting. */
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "facts.h"

static int t[2];
static char buf[8];
static long received;

static void *receives(void *nothing)
{
    recv(t[0], buf, sizeof buf, 0);
    return nothing;
}

static void *polls(void *nothing)
{
    struct pollfd p = {.fd = t[0], .events = POLLIN};
    poll(&p, 1, -1);
    return nothing;
}

static void *selects(void *nothing)
{
    fd_set in;
    FD_ZERO(&in);
    FD_SET(t[0], &in);
    select(t[0] + 1, &in, NULL, NULL, NULL);
    return nothing;
}

static void *waits(void *nothing)
{
    struct epoll_event event = {.events = EPOLLIN};
    int set = epoll_create1(0);
    epoll_ctl(set, EPOLL_CTL_ADD, t[0], &event);
    epoll_wait(set, &event, 1, -1);
    return nothing;
}

static void *forbids(void *nothing)
{
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    received = recv(t[0], buf, 1, 0);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    recv(t[0], buf, 1, 0);
    return nothing;
}

static void *is_late(void *nothing)
{
    usleep(40000);
    return receives(nothing);
}

static void cancel(const char *what, void *(*run)(void *), int sends)
{
    pthread_t thread;
    void *result = NULL;
    must(pthread_create(&thread, NULL, run, NULL) == 0, "pthread_create");
    usleep(20000);
    say(what, pthread_cancel(thread));
    usleep(20000);
    if (sends)
        SAY(send(t[1], "x", 1, 0));
    pthread_join(thread, &result);
    say(what, result == PTHREAD_CANCELED);
}

int main(void)
{
    tcp_pair(t);
    SAY(send(t[1], "x", 1, 0));
    SAY(recv(t[0], buf, 1, 0));
    cancel("in recv", receives, 0);
    cancel("in poll", polls, 0);
    cancel("in select", selects, 0);
    cancel("in epoll_wait", waits, 0);
    cancel("where it is forbidden", forbids, 1);
    SAY(received);
    cancel("before the call", is_late, 0);
    SAY(send(t[1], "whole", 5, 0));
    SAY(recv(t[0], buf, 5, MSG_WAITALL));
    return 0;
}

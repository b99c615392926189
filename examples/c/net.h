/*
 * What every example needs of sockets: plain POSIX calls that end the program with a line if they fail. There is nothing
 * of sdcore in it. Linked with -lsd, the calls are answered by the library; without, by the kernel.
 */
#ifndef EXAMPLES_NET_H
#define EXAMPLES_NET_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static inline void fail(const char *what)
{
    perror(what);
    exit(1);
}

static inline double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The argument at `at`, or `otherwise` if there is none; ends the program if it is not a number from 0 to `most`. */
static inline long argument(int argc, char **argv, int at, long otherwise, long most)
{
    char *rest;
    long n;

    if (at >= argc)
        return otherwise;
    n = strtol(argv[at], &rest, 10);
    if (*rest || rest == argv[at] || n < 0 || n > most) {
        fprintf(stderr, "%s: %s is not a number from 0 to %ld\n", argv[0], argv[at], most);
        exit(2);
    }
    return n;
}

static inline struct sockaddr_in name_of(const char *host, long port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    if (inet_pton(AF_INET, host, &name.sin_addr) != 1) {
        fprintf(stderr, "%s is not an IPv4 address\n", host);
        exit(2);
    }
    return name;
}

/* Listens on loopback and says where; port 0 lets the kernel choose. */
static inline int listen_on(long port)
{
    struct sockaddr_in name = name_of("127.0.0.1", port);
    socklen_t n = sizeof name;
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
        fail("socket");
    if (bind(fd, (struct sockaddr *)&name, sizeof name) != 0 || listen(fd, 1024) != 0)
        fail("listen");
    if (getsockname(fd, (struct sockaddr *)&name, &n) != 0)
        fail("getsockname");
    printf("listening on 127.0.0.1 port %u\n", ntohs(name.sin_port));
    fflush(stdout);
    return fd;
}

static inline void no_delay(int fd)
{
    int on = 1;

    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
        fail("TCP_NODELAY");
}

static inline int accept_from(int listener)
{
    int fd = accept(listener, NULL, NULL);

    if (fd < 0)
        fail("accept");
    no_delay(fd);
    return fd;
}

static inline int connect_to(const char *host, long port)
{
    struct sockaddr_in name = name_of(host, port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0)
        fail("socket");
    if (connect(fd, (struct sockaddr *)&name, sizeof name) != 0)
        fail("connect");
    no_delay(fd);
    return fd;
}

static inline void send_whole(int fd, const char *buf, size_t n)
{
    while (n > 0) {
        ssize_t done = send(fd, buf, n, MSG_NOSIGNAL);
        if (done < 0)
            fail("send");
        buf += done;
        n -= (size_t)done;
    }
}

/* 1 if all `n` bytes came, 0 if the peer ended before the first. */
static inline int recv_whole(int fd, char *buf, size_t n)
{
    size_t have = 0;

    while (have < n) {
        ssize_t done = recv(fd, buf + have, n - have, 0);
        if (done < 0)
            fail("recv");
        if (done == 0 && have == 0)
            return 0;
        if (done == 0) {
            fprintf(stderr, "recv: the peer ended within a message\n");
            exit(1);
        }
        have += (size_t)done;
    }
    return 1;
}

/* Counts something and prints the rate, once a second and at the end. */
struct meter {
    const char *what;
    double start, last;
    long all, since_last;
};

static inline struct meter meter_start(const char *what)
{
    double now = seconds();

    return (struct meter){.what = what, .start = now, .last = now};
}

static inline void meter_line(const char *when, long count, double time, const char *what)
{
    printf("%s%.0f %s/s\n", when, time > 0 ? (double)count / time : 0.0, what);
    fflush(stdout);
}

/* Returns the time since the start, in seconds. Looks at the clock, so call it once for many things counted. */
static inline double meter_add(struct meter *m, long count)
{
    double now = seconds();

    m->all += count;
    m->since_last += count;
    if (now - m->last >= 1.0) {
        meter_line("", m->since_last, now - m->last, m->what);
        m->since_last = 0;
        m->last = now;
    }
    return now - m->start;
}

static inline void meter_end(const struct meter *m)
{
    printf("%ld %s; ", m->all, m->what);
    meter_line("mean ", m->all, seconds() - m->start, m->what);
}

#endif

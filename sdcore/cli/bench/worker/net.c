/*
 * Sockets that fail loudly. TCP sockets set TCP_NODELAY, as programs that care for latency do; nothing else is tuned,
 * so buffers and congestion control are the host's own.
 */
#include "worker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

union name {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_un un;
};

static socklen_t unix_name(const char *path, union name *name)
{
    if (strlen(path) >= sizeof name->un.sun_path) {
        errno = ENAMETOOLONG;
        fail(path);
    }
    name->un.sun_family = AF_UNIX;
    strcpy(name->un.sun_path, path);
    return sizeof name->un;
}

static socklen_t inet_name(const char *address, union name *name)
{
    char host[INET_ADDRSTRLEN];
    const char *colon = strrchr(address, ':');
    size_t n = colon ? (size_t)(colon - address) : sizeof host;

    errno = EINVAL;
    if (n >= sizeof host)
        fail(address);
    memcpy(host, address, n);
    host[n] = 0;
    name->in.sin_family = AF_INET;
    name->in.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    if (inet_pton(AF_INET, host, &name->in.sin_addr) != 1)
        fail(address);
    return sizeof name->in;
}

static socklen_t parse(const struct options *o, union name *name)
{
    memset(name, 0, sizeof *name);
    return o->transport == UNIX ? unix_name(o->address, name) : inet_name(o->address, name);
}

static int make(const struct options *o)
{
    int fd = socket(o->transport == UNIX ? AF_UNIX : AF_INET, SOCK_STREAM, 0);

    if (fd < 0)
        fail("socket");
    return fd;
}

static void no_delay(int fd, const struct options *o)
{
    int one = 1;

    if (o->transport == TCP && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0)
        fail("TCP_NODELAY");
}

/* Listens and tells the caller where; the kernel chooses the port if none is given. */
int net_listen(const struct options *o)
{
    union name name;
    socklen_t n = parse(o, &name);
    int fd = make(o);
    char host[INET_ADDRSTRLEN];

    if (bind(fd, &name.any, n) != 0)
        fail("bind");
    if (listen(fd, BACKLOG) != 0)
        fail("listen");
    if (o->transport == UNIX) {
        tell("listening %s", o->address);
        return fd;
    }
    n = sizeof name;
    if (getsockname(fd, &name.any, &n) != 0)
        fail("getsockname");
    inet_ntop(AF_INET, &name.in.sin_addr, host, sizeof host);
    tell("listening %s:%u", host, ntohs(name.in.sin_port));
    return fd;
}

int net_accept(int listener, const struct options *o)
{
    int fd = accept(listener, NULL, NULL);

    if (fd < 0)
        fail("accept");
    no_delay(fd, o);
    return fd;
}

int net_connect(const struct options *o)
{
    union name name;
    socklen_t n = parse(o, &name);
    int fd = make(o);

    if (connect(fd, &name.any, n) != 0)
        fail("connect");
    no_delay(fd, o);
    return fd;
}

void send_whole(int fd, const void *buf, size_t n)
{
    const char *p = buf;

    while (n > 0) {
        ssize_t done = send(fd, p, n, MSG_NOSIGNAL);
        if (done < 0)
            fail("send");
        p += done;
        n -= (size_t)done;
    }
}

void recv_whole(int fd, void *buf, size_t n)
{
    char *p = buf;

    while (n > 0) {
        ssize_t done = recv(fd, p, n, 0);
        if (done == 0)
            errno = ECONNRESET;
        if (done <= 0)
            fail("recv");
        p += done;
        n -= (size_t)done;
    }
}

/* One byte there and one back; `first` sends first. */
void exchange_byte(int fd, bool first)
{
    char c = 'x';

    if (first)
        send_whole(fd, &c, 1);
    recv_whole(fd, &c, 1);
    if (!first)
        send_whole(fd, &c, 1);
}

void want_descriptors(unsigned n)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        fail("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (limit.rlim_max < n + 64) {
        errno = EMFILE;
        fail("--connections");
    }
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        fail("setrlimit");
}

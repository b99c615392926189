/* Both ends of accelerated connections in one thread, as often as asked: what calls cost that are ours.
 *
 * Usage: ours transfer|shared|echo|connect N. One transfer is a send and a receive of 8 bytes; shared the same, after other
 * threads have used both ends in turn; an echo goes there and back, each after epoll_wait; a connect makes a connection,
 * proves that it carries a byte, and closes it at both ends.
 */
#include "facts.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { SIZE = 8 };

struct pair {
    int client, server;
};

static int listening(struct sockaddr_in *name)
{
    socklen_t n = sizeof *name;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    *name = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    must(bind(fd, (struct sockaddr *)name, n) == 0 && listen(fd, 16) == 0, "listen");
    must(getsockname(fd, (struct sockaddr *)name, &n) == 0, "getsockname");
    return fd;
}

static void pass(int from, int to, size_t n)
{
    char bytes[SIZE];
    must(send(from, "01234567", n, 0) == (ssize_t)n && recv(to, bytes, n, 0) == (ssize_t)n, "transfer");
}

static struct pair connected(int listener, const struct sockaddr_in *name)
{
    struct pair p = {.client = socket(AF_INET, SOCK_STREAM, 0)};
    must(connect(p.client, (const struct sockaddr *)name, sizeof *name) == 0, "connect");
    p.server = accept(listener, NULL, NULL);
    must(p.server >= 0, "accept");
    pass(p.client, p.server, 1);
    return p;
}

static void ended(struct pair p)
{
    close(p.client);
    close(p.server);
}

static void *pass_once(void *pair)
{
    pass(((struct pair *)pair)->client, ((struct pair *)pair)->server, SIZE);
    return NULL;
}

/* From the fourth time that a token changes hands it is shared for good. */
static void share(struct pair p)
{
    for (int i = 0; i < 4; i++) {
        pthread_t thread;
        must(pthread_create(&thread, NULL, pass_once, &p) == 0 && pthread_join(thread, NULL) == 0, "thread");
        pass_once(&p);
    }
}

static void await(int set, int fd)
{
    struct epoll_event e;
    must(epoll_wait(set, &e, 1, -1) == 1 && e.data.fd == fd, "epoll_wait");
}

static int watching(int fd)
{
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
    int set = epoll_create1(0);
    must(epoll_ctl(set, EPOLL_CTL_ADD, fd, &e) == 0, "epoll_ctl");
    return set;
}

static void echo(struct pair p, long n)
{
    int sets[] = {watching(p.client), watching(p.server)};
    while (n-- > 0) {
        must(send(p.client, "01234567", SIZE, 0) == SIZE, "send");
        await(sets[1], p.server);
        char bytes[SIZE];
        must(recv(p.server, bytes, SIZE, 0) == SIZE && send(p.server, bytes, SIZE, 0) == SIZE, "echo");
        await(sets[0], p.client);
        must(recv(p.client, bytes, SIZE, 0) == SIZE, "answer");
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in name;
    must(argc == 3, "arguments");
    int listener = listening(&name);
    long n = atol(argv[2]);
    if (strcmp(argv[1], "connect") == 0) {
        while (n-- > 0)
            ended(connected(listener, &name));
        return 0;
    }
    struct pair p = connected(listener, &name);
    if (strcmp(argv[1], "shared") == 0)
        share(p);
    if (strcmp(argv[1], "echo") == 0)
        echo(p, n);
    else
        while (n-- > 0)
            pass(p.client, p.server, SIZE);
    ended(p);
    return 0;
}

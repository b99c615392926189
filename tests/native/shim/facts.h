/* Programs here print what calls answer, one line each; run with and without the library, the lines must be the same. */
#ifndef FACTS_H
#define FACTS_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* The result, and errno if it is -1. */
static inline long say(const char *what, long result)
{
    int error = errno;
    if (result == -1)
        printf("%s: -1 %s\n", what, strerrorname_np(error));
    else
        printf("%s: %ld\n", what, result);
    fflush(stdout);
    errno = 0;
    return result;
}

#define SAY(call) say(#call, (long)(call))

static inline void say_bytes(const char *what, const char *bytes, long n)
{
    printf("%s: \"%.*s\"\n", what, n > 0 ? (int)n : 0, bytes);
    fflush(stdout);
}

static inline void must(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        exit(99);
    }
}

/* A connected pair over loopback: fds[0] called connect, fds[1] came from accept. */
static inline void tcp_pair(int fds[2])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    must(listener >= 0, "socket");
    must(bind(listener, (struct sockaddr *)&at, sizeof at) == 0, "bind");
    must(listen(listener, 8) == 0, "listen");
    must(getsockname(listener, (struct sockaddr *)&at, &len) == 0, "getsockname");
    fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    must(connect(fds[0], (struct sockaddr *)&at, sizeof at) == 0, "connect");
    fds[1] = accept(listener, NULL, NULL);
    must(fds[1] >= 0, "accept");
    must(close(listener) == 0, "close");
    int on = 1;
    setsockopt(fds[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fds[1], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    errno = 0;
}

/* Wait, in the kernel's time, until n bytes can be read. */
static inline void wait_for(int fd, long n)
{
    char buf[65536];
    for (int i = 0; i < 2000; i++) {
        if (recv(fd, buf, sizeof buf, MSG_PEEK | MSG_DONTWAIT) >= n)
            break;
        usleep(1000);
    }
    errno = 0;
}

#endif

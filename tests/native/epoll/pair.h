/* Connections for tests of waiting: both ends are sockets of ours in one process, joined by a slab that the test made
 * and by a real TCP connection as companion. No monitor, no entry points: the tests call the core.
 */
#ifndef PAIR_H
#define PAIR_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/api.h"
#include "core/epoll.h"
#include "core/peer.h"

#define CHECK(condition)                                                            \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                                \
        }                                                                           \
    } while (0)

#define CHECK_EQUAL(got, wanted)                                                                     \
    do {                                                                                             \
        long got_ = (long)(got), wanted_ = (long)(wanted);                                           \
        if (got_ != wanted_) {                                                                       \
            fprintf(stderr, "%s:%d: %s is %ld, not %ld\n", __FILE__, __LINE__, #got, got_, wanted_); \
            exit(1);                                                                                 \
        }                                                                                            \
    } while (0)

enum { MS = 1000000 };

/* Side 0 of the slab is `client`, side 1 `server`; both are non-blocking descriptors in mode RING. */
struct pair {
    int client, server;
};

void start(void); /* first of all */
struct pair make_pair(void);
struct pair make_kernel_pair(void); /* the same before the rings: mode KERNEL */
void use_rings(struct pair pair);   /* both ends of a kernel pair go over to a slot */
void use_kernel(int fd);            /* this end goes back, as if the other had never been ours; call for both */
void close_end(int fd);

void put(int fd, const char *text);
void fill(int fd); /* sends until there is no room */
long take(int fd); /* receives all there is; its length */

int make_set(void);
long ctl(int epfd, int op, int fd, uint32_t events); /* the descriptor is the data */
void add(int epfd, int fd, uint32_t events);

struct got {
    long n;
    struct epoll_event events[64];
};
struct got wait_for(int epfd, int max, int64_t timeout_ns);
struct got wait_soon(int epfd); /* waits for what must come; a wake-up that is lost shows as a wait of seconds */
long poll_soon(struct pollfd *list, nfds_t n);
uint32_t events_of(const struct got *got, int fd); /* 0 if fd was not reported */

/* Runs act(fd) in another thread after a while; join waits for it. */
struct later {
    pthread_t thread;
    void (*act)(int fd);
    int fd;
    uint64_t after_ns;
};
void later(struct later *later, uint64_t after_ns, void (*act)(int fd), int fd);
void join(struct later *later);

/* The moments that matter: run once before a set announces its sleep, before poll arms a socket, before a set asks for
 * room, before the fence that follows each of these. NULL again after use. */
extern void (*before_announce)(void), (*before_arm)(void), (*before_room)(void), (*before_fence)(void);

void put_x(int fd); /* put(fd, "x") */
void nap(uint64_t ns);

#endif

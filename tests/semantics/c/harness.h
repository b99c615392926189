/* What a scenario is made of.
 *
 * A scenario is one sequential program. It holds one end of a TCP connection (or several) and tells a *puppet* what to
 * do at the other end. The same text runs in several ways, chosen by the command line:
 *
 *     end    accepted: the scenario listens and accepts, the puppet connects;  connected: the other way round;
 *            with -unix behind it what `pair` and `own_pair` make are connections of AF_UNIX
 *     where  own: the puppet is a thread of this process;  other: it is another process
 *
 * Everything a scenario learns it prints, one line each. pytest runs it on the kernel and under the library and
 * compares the lines. So a scenario may print only what Linux defines: never a port, a time, or the size of a partial
 * write.
 *
 * The flags of SCENARIO are read by the pytest only:
 *     RING    every byte of the connection must have gone by shared memory
 *     MIXED   some bytes must have gone by shared memory
 *     ANY     nothing is asked (no bytes, or the connection has to move to kernel TCP)
 *     OTHER   run only with the puppet in another process
 *     ONCE    run only as the accepted end (both ends are made by hand)
 */
#ifndef SEMANTICS_HARNESS_H
#define SEMANTICS_HARNESS_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SCENARIO(name, flags)                                      \
    static void name(void);                                        \
    __attribute__((constructor)) static void register_##name(void) \
    {                                                              \
        scenario_register(#name, name);                            \
    }                                                              \
    static void name(void)

void scenario_register(const char *name, void (*run)(void));

/* ---- printing ---- */

/* Print "text = result", with the name of errno after a -1. */
void show(const char *text, long result);
#define SHOW(expression) (errno = 0, show(#expression, (long)(expression)))

/* Print "text = yes" or "text = no": for what has no exact value. */
void show_bool(const char *text, bool value);
#define SHOW_BOOL(expression) show_bool(#expression, (expression))

/* Print a result with the names of poll or epoll bits (they are the same numbers on Linux). */
void show_events(const char *text, int result, uint32_t events);
void show_poll(const char *text, struct pollfd *entry, int timeout_ms); /* poll of one descriptor, and print */
void show_text(const char *text, const char *value);
void show_bytes(const char *text, const void *bytes, size_t count);

/* End the program with a message: the scenario could not be set up. */
_Noreturn void broken(const char *text);
#define MUST(expression) must(#expression, (long)(expression))
long must(const char *text, long result);

/* ---- the puppet ---- */

enum op {
    OP_LISTEN,    /* listen at the order's address; the answer has the address with its port */
    OP_ACCEPT,    /* accept into socket `index` */
    OP_CONNECT,   /* connect socket `index` to the address */
    OP_BIND,      /* make socket `index` and bind it to the address; the next OP_CONNECT uses it */
    OP_SEND,      /* send `arg` bytes of the pattern, all of them */
    OP_TEXT,      /* send the text */
    OP_OOB,       /* send the text, its last byte urgent */
    OP_RECV,      /* receive exactly `arg` bytes; checks the pattern; result: bytes received */
    OP_RECV_ONCE, /* one recv of up to `arg` bytes; the answer has the text */
    OP_RECV_ALL,  /* receive until end-of-file; checks the pattern; result: bytes received */
    OP_RECV_SLOW, /* like OP_RECV in pieces of 10000 bytes with a millisecond between them */
    OP_ECHO,      /* send back what comes until end-of-file, then shut down; result: bytes */
    OP_DUPLEX,    /* send and receive `arg` bytes of the pattern at the same time, odd sizes */
    OP_LOOK,      /* look whether anything can be read: an offer that came after accept is taken up */
    OP_QUEUED,    /* wait until `arg` bytes can be read, read nothing */
    OP_SHUTDOWN,  /* shutdown(arg) */
    OP_CLOSE,
    OP_RESET,  /* SO_LINGER 0 and close */
    OP_DIE,    /* kill -9 of the puppet; no answer */
    OP_NAMES,  /* the answer has getsockname and getpeername as text */
    OP_TAKE,   /* the order carries a descriptor: it becomes socket `index` */
    OP_SLEEP,  /* nothing, after the delay */
    OP_MOVE,   /* set SO_ZEROCOPY: under the library the connection moves to kernel TCP by itself */
    OP_PASS,   /* send the text and with it a descriptor of a pipe */
    OP_SNDBUF, /* make the send buffer of socket `index` `arg` bytes */
};

struct order {
    int op;
    int index;
    int delay_ms;
    long arg;
    struct sockaddr_storage address;
    char text[256];
};

struct answer {
    long result;
    int error;   /* errno if result is -1 */
    int damaged; /* bytes that differ from the pattern */
    struct sockaddr_storage address;
    char text[256];
};

#define PUPPET_SOCKETS 400

void puppet_serve(int control);

void order_start(struct order order);
struct answer order_finish(void);
struct answer order_run(struct order order);

/* Shorthands for socket 0. `peer` waits for the answer; `peer_start` lets the puppet act after `delay_ms`. */
struct answer peer(enum op op, long arg);
void peer_start(enum op op, long arg, int delay_ms);
void peer_text(const char *text);
void peer_text_later(const char *text, int delay_ms);
void show_peer(const char *text, struct answer answer);
#define SHOW_PEER(call) show_peer(#call, call)
void peer_take(int descriptor, int index);

/* ---- connections ---- */

extern bool we_accept; /* the `end` of the command line */
extern bool over_unix;
extern bool puppet_is_thread;
extern const char *program_path;

struct sockaddr_storage loopback(int family, const char *ip, int port);
socklen_t address_size(const struct sockaddr_storage *address);
int address_port(const struct sockaddr_storage *address);

/* A TCP socket that listens at `ip`, or one of AF_UNIX with a name that the kernel chose; with the address it got. */
int listen_at(int family, const char *ip, struct sockaddr_storage *bound);

/* Our end of a new connection with the puppet's socket `index`, over 127.0.0.1 or the given address. */
int pair(void);
int pair_index(int index);
int pair_at(int index, int family, const char *ip);
int last_listener(void); /* the listener of the last `pair` as accepted end */

/* Both ends in this thread: for what needs no puppet. */
void own_pair(int ends[2]);

/* ---- small tools ---- */

void fill_pattern(unsigned char *bytes, size_t count, uint64_t position);
int pattern_damage(const unsigned char *bytes, size_t count, uint64_t position);
long send_all(int fd, uint64_t position, long count); /* blocking; the pattern from position */
long recv_all(int fd, uint64_t position, long count, int *damaged);
long fill_until_full(int fd, uint64_t position); /* until not even a byte is taken at once, but EAGAIN; bytes taken */
void duplex(int fd, long count, long result[2], int *damaged);
void await_queued(int fd, int count);  /* until FIONREAD says count; at most two seconds */
bool await_events(int fd, int events); /* poll for up to two seconds */
void set_nonblocking(int fd, bool on);
void sleep_ms(long milliseconds);
double now_ms(void);
pthread_t thread_start(void *(*run)(void *), void *argument);
void *thread_join(pthread_t thread);

#endif

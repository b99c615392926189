/*
 * sd-bench-worker: one end of a measurement of `sdcore bench`.
 *
 * A measurement is two processes of this program, a server and a client, which know the same sizes and counts. The
 * same binary, so the same calls, serves kernel TCP, Unix sockets and sdcore (TCP with libsd.so preloaded); it knows
 * nothing of sdcore. Every socket is blocking. "bare" is the limit: a ring in shared memory without any socket.
 *
 * Talk with the caller, over stdin and stdout, one line each:
 *   server  "listening ADDRESS" once clients may come
 *   client  "base" and "open" (memory), "ready" (with --wait); each is answered by one line on stdin
 *   both    one JSON object with the result, then they keep their sockets open until stdin ends
 * Exit codes: 0 measured, 1 a call failed (named on stderr), 2 wrong usage.
 */
#ifndef SD_BENCH_WORKER_H
#define SD_BENCH_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum transport { TCP, UNIX, BARE };

struct options {
    bool server;
    const char *measure;
    enum transport transport;
    const char *address;  /* HOST:PORT, a path, or (bare, client) a file to map */
    size_t size;          /* bytes of a message */
    uint64_t count;       /* operations that are timed */
    uint64_t warmup;      /* operations before them */
    unsigned connections; /* many, memory */
    unsigned idle_ms;     /* idle */
    int core;             /* -1: where the scheduler likes */
    bool yield;           /* bare: sched_yield between looks, for two processes on one core */
    bool wait;            /* client: after the warm-up say "ready" and wait for a line */
};

/* What one side reports; zero fields are left out. Times are nanoseconds of CLOCK_MONOTONIC. */
struct result {
    uint64_t count;
    uint64_t start_ns, end_ns;
    uint64_t call_p50_ns, call_p99_ns; /* operations timed one by one, in a second pass */
    uint64_t cpu_ns;                   /* user and system time of the process over the same stretch */
};

/* measure.c: clock, result, talk with the caller, failure */
uint64_t now_ns(void);
uint64_t cpu_ns(void);
void begin(struct result *r, uint64_t count);
void end(struct result *r);
void call_percentiles(struct result *r, uint64_t *samples, size_t n);
void report(const struct result *r);
void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
void await_line(void);
void await_end(void);
void ready(const struct options *o);
void fail(const char *what) __attribute__((noreturn));
void *must_alloc(size_t bytes);

/* net.c: sockets that fail loudly */
int net_listen(const struct options *o);
int net_accept(int listener, const struct options *o);
int net_connect(const struct options *o);
void send_whole(int fd, const void *buf, size_t n);
void recv_whole(int fd, void *buf, size_t n);
void exchange_byte(int fd, bool first);
void want_descriptors(unsigned n);

/* One function for each measurement and side. */
void roundtrip_server(const struct options *o, struct result *r);
void roundtrip_client(const struct options *o, struct result *r);
void stream_server(const struct options *o, struct result *r);
void stream_client(const struct options *o, struct result *r);
void connect_server(const struct options *o, struct result *r);
void connect_client(const struct options *o, struct result *r);
void many_server(const struct options *o, struct result *r);
void many_client(const struct options *o, struct result *r);
void memory_server(const struct options *o, struct result *r);
void memory_client(const struct options *o, struct result *r);
void idle_server(const struct options *o, struct result *r);
void idle_client(const struct options *o, struct result *r);
void threads_client(const struct options *o, struct result *r);
void family_client(const struct options *o, struct result *r);
void beside_client(const struct options *o, struct result *r);
void first_owner_server(const struct options *o, struct result *r);
void first_thread_server(const struct options *o, struct result *r);
void first_child_server(const struct options *o, struct result *r);
/* bare.c: the client's ends, in memory that its children share, for who has the turn; and a message there and back. */
struct pipe_end;
struct pipe_end *bare_connect(const struct options *o);
void bare_ask(struct pipe_end *e, char *buf, size_t size);

void bare_roundtrip_server(const struct options *o, struct result *r);
void bare_roundtrip_client(const struct options *o, struct result *r);
void bare_stream_server(const struct options *o, struct result *r);
void bare_stream_client(const struct options *o, struct result *r);

#endif

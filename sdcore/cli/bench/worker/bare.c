/*
 * The limit: two processes and two byte rings in shared memory, without sockets, descriptors, threads or sleep.
 * What sdcore adds to this is the price of being a socket.
 *
 * The server makes a memfd and names it by /proc; the client maps it. One producer and one consumer for each ring;
 * positions count bytes and never wrap. Each side keeps a copy of the other's position and looks again only when
 * the copy says full or empty. A message goes through in parts where it does not fit. The ring is larger than a core's
 * private caches: a stream of large messages then meets in the shared cache, which is two to three times faster than
 * fetching every line out of the other core's private one.
 */
#define _GNU_SOURCE
#include "worker.h"

#include <fcntl.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { RING = 2 * 1024 * 1024, LINE = 64 };

struct ring {
    alignas(LINE) _Atomic uint64_t tail; /* written by the producer only */
    alignas(LINE) _Atomic uint64_t head; /* written by the consumer only */
    alignas(4096) char data[RING];
};

struct pipe_end {
    struct ring *out, *in;
    uint64_t tail, head;           /* own positions */
    uint64_t seen_head, seen_tail; /* the other's, as last looked at */
    bool yield;
};

static void relax(const struct pipe_end *e)
{
    if (e->yield)
        sched_yield();
#if defined(__x86_64__)
    else
        __builtin_ia32_pause();
#endif
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t room(struct pipe_end *e)
{
    while (e->tail - e->seen_head == RING) {
        /* pairs with take's release: the bytes have been copied out */
        e->seen_head = atomic_load_explicit(&e->out->head, memory_order_acquire);
        if (e->tail - e->seen_head == RING)
            relax(e);
    }
    return RING - (e->tail - e->seen_head);
}

static size_t filled(struct pipe_end *e)
{
    while (e->seen_tail == e->head) {
        /* pairs with put's release: the bytes have been written */
        e->seen_tail = atomic_load_explicit(&e->in->tail, memory_order_acquire);
        if (e->seen_tail == e->head)
            relax(e);
    }
    return e->seen_tail - e->head;
}

static void put(struct pipe_end *e, const char *buf, size_t n)
{
    while (n > 0) {
        size_t at = e->tail % RING;
        size_t part = least(least(n, room(e)), RING - at);
        memcpy(e->out->data + at, buf, part);
        e->tail += part;
        atomic_store_explicit(&e->out->tail, e->tail, memory_order_release);
        buf += part;
        n -= part;
    }
}

static void take(struct pipe_end *e, char *buf, size_t n)
{
    while (n > 0) {
        size_t at = e->head % RING;
        size_t part = least(least(n, filled(e)), RING - at);
        memcpy(buf, e->in->data + at, part);
        e->head += part;
        atomic_store_explicit(&e->in->head, e->head, memory_order_release);
        buf += part;
        n -= part;
    }
}

static struct ring *map(int fd)
{
    void *p = mmap(NULL, 2 * sizeof(struct ring), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);

    if (p == MAP_FAILED)
        fail("mmap");
    return p;
}

static struct pipe_end open_server(const struct options *o)
{
    int fd = memfd_create("sd-bench", MFD_CLOEXEC);
    struct ring *rings;

    if (fd < 0 || ftruncate(fd, 2 * sizeof(struct ring)) != 0)
        fail("memfd");
    rings = map(fd);
    tell("listening /proc/%d/fd/%d", (int)getpid(), fd);
    return (struct pipe_end){.in = &rings[0], .out = &rings[1], .yield = o->yield};
}

static struct pipe_end open_client(const struct options *o)
{
    int fd = open(o->address, O_RDWR | O_CLOEXEC);
    struct ring *rings;

    if (fd < 0)
        fail(o->address);
    rings = map(fd);
    return (struct pipe_end){.out = &rings[0], .in = &rings[1], .yield = o->yield};
}

static void bounce(struct pipe_end *e, char *buf, size_t size, uint64_t n)
{
    while (n-- > 0) {
        take(e, buf, size);
        put(e, buf, size);
    }
}

static void ask(struct pipe_end *e, char *buf, size_t size, uint64_t n)
{
    while (n-- > 0) {
        put(e, buf, size);
        take(e, buf, size);
    }
}

struct pipe_end *bare_connect(const struct options *o)
{
    struct pipe_end *e = mmap(NULL, sizeof *e, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (e == MAP_FAILED)
        fail("mmap");
    *e = open_client(o);
    return e;
}

void bare_ask(struct pipe_end *e, char *buf, size_t size)
{
    ask(e, buf, size, 1);
}

void bare_roundtrip_server(const struct options *o, struct result *r)
{
    struct pipe_end e = open_server(o);
    char *buf = must_alloc(o->size);

    bounce(&e, buf, o->size, o->warmup);
    begin(r, o->count);
    bounce(&e, buf, o->size, o->count);
    end(r);
    bounce(&e, buf, o->size, o->count);
}

void bare_roundtrip_client(const struct options *o, struct result *r)
{
    struct pipe_end e = open_client(o);
    char *buf = must_alloc(o->size);
    uint64_t *samples = must_alloc(o->count * sizeof *samples);

    ask(&e, buf, o->size, o->warmup);
    begin(r, o->count);
    ask(&e, buf, o->size, o->count);
    end(r);
    for (uint64_t i = 0, before = now_ns(); i < o->count; i++) {
        ask(&e, buf, o->size, 1);
        samples[i] = now_ns() - before;
        before += samples[i];
    }
    call_percentiles(r, samples, o->count);
}

static void drain(struct pipe_end *e, char *buf, size_t size, uint64_t n)
{
    while (n-- > 0)
        take(e, buf, size);
    put(e, buf, 1);
}

static void pour(struct pipe_end *e, char *buf, size_t size, uint64_t n)
{
    while (n-- > 0)
        put(e, buf, size);
    take(e, buf, 1);
}

void bare_stream_server(const struct options *o, struct result *r)
{
    struct pipe_end e = open_server(o);
    char *buf = must_alloc(o->size);

    drain(&e, buf, o->size, o->warmup);
    begin(r, o->count);
    drain(&e, buf, o->size, o->count);
    end(r);
}

void bare_stream_client(const struct options *o, struct result *r)
{
    struct pipe_end e = open_client(o);
    char *buf = must_alloc(o->size);

    pour(&e, buf, o->size, o->warmup);
    begin(r, o->count);
    pour(&e, buf, o->size, o->count);
    end(r);
}

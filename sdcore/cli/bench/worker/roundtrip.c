/* Round trip: the client sends a message and waits for the whole of it to come back. */
#include "worker.h"

#include <stdlib.h>
#include <unistd.h>

static void bounce(int fd, char *buf, size_t size, uint64_t n)
{
    while (n-- > 0) {
        recv_whole(fd, buf, size);
        send_whole(fd, buf, size);
    }
}

static void ask(int fd, char *buf, size_t size, uint64_t n)
{
    while (n-- > 0) {
        send_whole(fd, buf, size);
        recv_whole(fd, buf, size);
    }
}

/* Each round trip by itself. Costs one look at the clock each, so the mean comes from the pass without. */
static void ask_timed(int fd, char *buf, size_t size, uint64_t n, struct result *r)
{
    uint64_t *samples = must_alloc(n * sizeof *samples);
    uint64_t before = now_ns();

    for (uint64_t i = 0; i < n; i++) {
        ask(fd, buf, size, 1);
        uint64_t after = now_ns();
        samples[i] = after - before;
        before = after;
    }
    call_percentiles(r, samples, n);
    free(samples);
}

void roundtrip_server(const struct options *o, struct result *r)
{
    int listener = net_listen(o);
    int fd = net_accept(listener, o);
    char *buf = must_alloc(o->size);

    bounce(fd, buf, o->size, o->warmup);
    begin(r, o->count);
    bounce(fd, buf, o->size, o->count);
    end(r);
    bounce(fd, buf, o->size, o->count);
}

void roundtrip_client(const struct options *o, struct result *r)
{
    int fd = net_connect(o);
    char *buf = must_alloc(o->size);

    ask(fd, buf, o->size, o->warmup);
    ready(o);
    begin(r, o->count);
    ask(fd, buf, o->size, o->count);
    end(r);
    ask_timed(fd, buf, o->size, o->count, r);
}

/*
 * One way: the client sends messages one call each, the server receives them one call each (more where a message comes
 * in parts). The clock stops when the server has confirmed the last with one byte, so nothing counts that is still on
 * its way; the same byte separates the warm-up from what is timed.
 */
#include "worker.h"

static void drain(int fd, char *buf, size_t size, uint64_t n)
{
    while (n-- > 0)
        recv_whole(fd, buf, size);
    send_whole(fd, buf, 1);
}

static void pour(int fd, const char *buf, size_t size, uint64_t n)
{
    char confirmed;

    while (n-- > 0)
        send_whole(fd, buf, size);
    recv_whole(fd, &confirmed, 1);
}

void stream_server(const struct options *o, struct result *r)
{
    int fd = net_accept(net_listen(o), o);
    char *buf = must_alloc(o->size);

    drain(fd, buf, o->size, o->warmup);
    begin(r, o->count);
    drain(fd, buf, o->size, o->count);
    end(r);
}

void stream_client(const struct options *o, struct result *r)
{
    int fd = net_connect(o);
    char *buf = must_alloc(o->size);

    pour(fd, buf, o->size, o->warmup);
    ready(o);
    begin(r, o->count);
    pour(fd, buf, o->size, o->count);
    end(r);
}

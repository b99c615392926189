/*
 * Connection rate: connect, one byte there and back, close, one after the other. The byte makes sure that both sides
 * have the connection before it ends; it also pays for a transport that sets itself up lazily.
 */
#include "worker.h"

#include <unistd.h>

static void serve(int listener, const struct options *o, uint64_t n)
{
    while (n-- > 0) {
        int fd = net_accept(listener, o);
        exchange_byte(fd, false);
        close(fd);
    }
}

static void visit(const struct options *o, uint64_t n)
{
    while (n-- > 0) {
        int fd = net_connect(o);
        exchange_byte(fd, true);
        close(fd);
    }
}

void connect_server(const struct options *o, struct result *r)
{
    int listener = net_listen(o);

    serve(listener, o, o->warmup);
    begin(r, o->count);
    serve(listener, o, o->count);
    end(r);
}

void connect_client(const struct options *o, struct result *r)
{
    visit(o, o->warmup);
    ready(o);
    begin(r, o->count);
    visit(o, o->count);
    end(r);
}

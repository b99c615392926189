/*
 * What connections cost while nothing happens on them.
 *
 * memory: the caller looks at the host's memory when the client says "base" (one connection, so that what a process
 *         needs once is paid) and again at "open" (that many more, each used once).
 * idle:   both sides wait in a socket call, the server in recv and the client in poll, and count their CPU time.
 */
#include "worker.h"

#include <errno.h>
#include <poll.h>

void memory_server(const struct options *o, struct result *r)
{
    int listener;

    want_descriptors(o->connections);
    listener = net_listen(o);
    begin(r, o->connections);
    for (unsigned i = 0; i < o->connections + 1; i++)
        exchange_byte(net_accept(listener, o), false);
    end(r);
}

void memory_client(const struct options *o, struct result *r)
{
    want_descriptors(o->connections);
    exchange_byte(net_connect(o), true);
    tell("base");
    await_line();
    begin(r, o->connections);
    for (unsigned i = 0; i < o->connections; i++)
        exchange_byte(net_connect(o), true);
    end(r);
    tell("open");
    await_line();
}

void idle_server(const struct options *o, struct result *r)
{
    int fd = net_accept(net_listen(o), o);
    char c;

    for (uint64_t i = 0; i < o->warmup; i++)
        exchange_byte(fd, false);
    begin(r, 1);
    recv_whole(fd, &c, 1);
    end(r);
}

void idle_client(const struct options *o, struct result *r)
{
    struct pollfd p = {.fd = net_connect(o), .events = POLLIN};
    char c = 'x';

    for (uint64_t i = 0; i < o->warmup; i++)
        exchange_byte(p.fd, true);
    begin(r, 1);
    if (poll(&p, 1, (int)o->idle_ms) != 0) {
        errno = EPROTO;
        fail("poll: the server was to be silent");
    }
    end(r);
    send_whole(p.fd, &c, 1);
}

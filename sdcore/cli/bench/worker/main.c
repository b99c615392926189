/* Options and the table of measurements; see worker.h for what the program is. */
#define _GNU_SOURCE
#include "worker.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void side(const struct options *o, struct result *r);

static const struct measurement {
    const char *name;
    side *server, *client;
    side *bare_server, *bare_client;
} MEASUREMENTS[] = {
    {"roundtrip", roundtrip_server, roundtrip_client, bare_roundtrip_server, bare_roundtrip_client},
    {"stream", stream_server, stream_client, bare_stream_server, bare_stream_client},
    {"connect", connect_server, connect_client, NULL, NULL},
    {"many", many_server, many_client, NULL, NULL},
    {"memory", memory_server, memory_client, NULL, NULL},
    {"idle", idle_server, idle_client, NULL, NULL},
    {"threads", roundtrip_server, threads_client, bare_roundtrip_server, threads_client},
    {"family", roundtrip_server, family_client, bare_roundtrip_server, family_client},
    {"beside", roundtrip_server, beside_client, NULL, NULL},
    {"first-owner", first_owner_server, connect_client, NULL, NULL},
    {"first-thread", first_thread_server, connect_client, NULL, NULL},
    {"first-child", first_child_server, connect_client, NULL, NULL},
};

static const char USAGE[] =
    "usage: sd-bench-worker server|client MEASURE [options]\n"
    "  MEASURE            roundtrip, stream, connect, many, memory, idle, threads, family, beside,\n"
    "                     first-owner, first-thread or first-child\n"
    "  --transport NAME   tcp (default), unix, bare (roundtrip, stream, threads, family)\n"
    "  --address A        HOST:PORT (tcp; port 0 lets the kernel choose), or a path\n"
    "  --size BYTES       of a message (default 8)\n"
    "  --count N          timed operations (default 1000)\n"
    "  --warmup N         operations before them (default 100)\n"
    "  --connections N    for many and memory (default 100)\n"
    "  --idle-ms N        for idle (default 1000)\n"
    "  --core N           run on this core\n"
    "  --yield            bare: yield between looks (both processes on one core)\n"
    "  --wait             client: print \"ready\" after the warm-up and wait for a line\n"
    "example: sd-bench-worker server roundtrip --address 127.0.0.1:7777\n";

static void usage(const char *fault)
{
    fprintf(stderr, "sd-bench-worker: %s\n%s", fault, USAGE);
    exit(2);
}

static uint64_t number(const char *text)
{
    char *rest;
    unsigned long long n;

    errno = 0;
    n = strtoull(text, &rest, 10);
    if (errno || *rest || rest == text || *text == '-')
        usage(text);
    return n;
}

static enum transport transport_of(const char *name)
{
    static const char *const names[] = {[TCP] = "tcp", [UNIX] = "unix", [BARE] = "bare"};

    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum transport)i;
    usage("--transport is tcp, unix or bare");
    return TCP;
}

static const struct option LONG[] = {
    {"transport", required_argument, NULL, 't'},
    {"address", required_argument, NULL, 'a'},
    {"size", required_argument, NULL, 's'},
    {"count", required_argument, NULL, 'n'},
    {"warmup", required_argument, NULL, 'w'},
    {"connections", required_argument, NULL, 'c'},
    {"idle-ms", required_argument, NULL, 'i'},
    {"core", required_argument, NULL, 'p'},
    {"yield", no_argument, NULL, 'y'},
    {"wait", no_argument, NULL, 'r'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static void set(struct options *o, int which)
{
    switch (which) {
    case 't': o->transport = transport_of(optarg); break;
    case 'a': o->address = optarg; break;
    case 's': o->size = number(optarg); break;
    case 'n': o->count = number(optarg); break;
    case 'w': o->warmup = number(optarg); break;
    case 'c': o->connections = (unsigned)number(optarg); break;
    case 'i': o->idle_ms = (unsigned)number(optarg); break;
    case 'p': o->core = (int)number(optarg); break;
    case 'y': o->yield = true; break;
    case 'r': o->wait = true; break;
    case 'h': fputs(USAGE, stdout); exit(0);
    default: usage("unknown option");
    }
}

static struct options parse(int argc, char **argv)
{
    struct options o = {.address = "127.0.0.1:0",
                        .size = 8,
                        .count = 1000,
                        .warmup = 100,
                        .connections = 100,
                        .idle_ms = 1000,
                        .core = -1};
    int which;

    while ((which = getopt_long(argc, argv, "h", LONG, NULL)) != -1)
        set(&o, which);
    if (argc - optind != 2)
        usage("needs a side and a measurement");
    o.server = strcmp(argv[optind], "server") == 0;
    if (!o.server && strcmp(argv[optind], "client") != 0)
        usage("the side is server or client");
    o.measure = argv[optind + 1];
    if (o.size == 0 || o.connections == 0)
        usage("--size and --connections are at least 1");
    if (strcmp(o.measure, "many") == 0 && o.warmup + o.count < o.connections)
        usage("many needs at least one message for each connection");
    return o;
}

static side *find(const struct options *o)
{
    side *found = NULL;

    for (size_t i = 0; i < sizeof MEASUREMENTS / sizeof *MEASUREMENTS; i++) {
        const struct measurement *m = &MEASUREMENTS[i];
        if (strcmp(m->name, o->measure) != 0)
            continue;
        if (o->transport == BARE)
            found = o->server ? m->bare_server : m->bare_client;
        else
            found = o->server ? m->server : m->client;
    }
    if (!found)
        usage("no such measurement for this transport");
    return found;
}

static void pin(int core)
{
    cpu_set_t cpus;

    if (core < 0)
        return;
    CPU_ZERO(&cpus);
    CPU_SET((size_t)core, &cpus);
    if (sched_setaffinity(0, sizeof cpus, &cpus) != 0)
        fail("--core");
}

int main(int argc, char **argv)
{
    struct options o = parse(argc, argv);
    side *run = find(&o);
    struct result r = {0};

    pin(o.core);
    run(&o, &r);
    report(&r);
    await_end();
    return 0;
}

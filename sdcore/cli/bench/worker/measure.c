/* Clock, result and the talk with the caller; see worker.h for the lines that are exchanged. */
#include "worker.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

/* All threads of the process: a helper thread of a library would show here. */
uint64_t cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

void begin(struct result *r, uint64_t count)
{
    r->count = count;
    r->cpu_ns = cpu_ns();
    r->start_ns = now_ns();
}

void end(struct result *r)
{
    r->end_ns = now_ns();
    r->cpu_ns = cpu_ns() - r->cpu_ns;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Sorts `samples`. Nearest rank, as the report does it over runs. */
void call_percentiles(struct result *r, uint64_t *samples, size_t n)
{
    if (n == 0)
        return;
    qsort(samples, n, sizeof *samples, by_value);
    r->call_p50_ns = samples[(n - 1) / 2];
    r->call_p99_ns = samples[(n * 99 + 99) / 100 - 1];
}

void report(const struct result *r)
{
    tell("{\"count\": %llu, \"start_ns\": %llu, \"end_ns\": %llu, \"call_p50_ns\": %llu, \"call_p99_ns\": %llu, "
         "\"cpu_ns\": %llu}",
         (unsigned long long)r->count, (unsigned long long)r->start_ns, (unsigned long long)r->end_ns,
         (unsigned long long)r->call_p50_ns, (unsigned long long)r->call_p99_ns, (unsigned long long)r->cpu_ns);
}

void tell(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    if (fflush(stdout) != 0)
        fail("stdout");
}

/* A plain read: no buffering, so that await_end sees what follows. */
void await_line(void)
{
    char c = 0;

    while (c != '\n') {
        ssize_t got = read(STDIN_FILENO, &c, 1);
        if (got == 0)
            exit(1); /* the caller is gone */
        if (got < 0 && errno != EINTR)
            fail("stdin");
    }
}

void await_end(void)
{
    char buf[64];
    ssize_t got;

    while ((got = read(STDIN_FILENO, buf, sizeof buf)) != 0)
        if (got < 0 && errno != EINTR)
            fail("stdin");
}

void ready(const struct options *o)
{
    if (!o->wait)
        return;
    tell("ready");
    await_line();
}

void fail(const char *what)
{
    fprintf(stderr, "sd-bench-worker: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* Touched, so that the first page fault is not part of a measurement. */
void *must_alloc(size_t bytes)
{
    void *p = malloc(bytes ? bytes : 1);

    if (!p)
        fail("malloc");
    memset(p, 'x', bytes);
    return p;
}

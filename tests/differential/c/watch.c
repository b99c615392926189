/* What actors do: waiting for several descriptors. */
#include "stage.h"

/* --- poll and select --- */

static struct timespec span(int timeout_ms)
{
    return (struct timespec){timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
}

static void add_to_set(fd_set *set, int fd, int events, int wanted, int *limit)
{
    if (fd < 0 || !(events & wanted))
        return;
    FD_SET(fd, set);
    *limit = fd >= *limit ? fd + 1 : *limit;
}

/* The answer in the words of poll: which of the wanted sets has the descriptor. */
static int events_in(fd_set sets[3], int fd)
{
    if (fd < 0)
        return 0;
    return (FD_ISSET(fd, &sets[0]) ? POLLIN : 0) | (FD_ISSET(fd, &sets[1]) ? POLLOUT : 0) |
           (FD_ISSET(fd, &sets[2]) ? POLLPRI : 0);
}

static long do_select(const struct part *part, const struct pollfd *entries)
{
    struct timeval timeout = {part->args[4] / 1000, part->args[4] % 1000 * 1000};
    fd_set sets[3];
    int limit = 0;

    for (int set = 0; set < 3; set++)
        FD_ZERO(&sets[set]);
    for (int i = 0; i < 2; i++) {
        add_to_set(&sets[0], entries[i].fd, entries[i].events, POLLIN, &limit);
        add_to_set(&sets[1], entries[i].fd, entries[i].events, POLLOUT, &limit);
        add_to_set(&sets[2], entries[i].fd, entries[i].events, POLLPRI, &limit);
    }
    int count = select(limit, &sets[0], &sets[1], &sets[2], part->args[4] < 0 ? NULL : &timeout);
    for (int i = 0; i < 2 && count >= 0; i++)
        part->result->extra[i] = events_in(sets, entries[i].fd);
    return count;
}

long do_poll(const struct part *part)
{
    struct pollfd entries[2] = {{fd_of(part, 0), (short)part->args[1], 0}, {fd_of(part, 2), (short)part->args[3], 0}};
    int timeout_ms = part->args[4], count;
    struct timespec timeout = span(timeout_ms);

    if (part->args[5] == BY_SELECT)
        return do_select(part, entries);
    if (part->args[5] == BY_PPOLL)
        count = ppoll(entries, 2, timeout_ms < 0 ? NULL : &timeout, NULL);
    else
        count = poll(entries, 2, timeout_ms);
    for (int i = 0; i < 2 && count >= 0; i++)
        part->result->extra[i] = entries[i].revents;
    return count;
}

/* --- epoll --- */

long do_epoll_ctl(const struct part *part)
{
    struct epoll_event event = {.events = (uint32_t)part->args[3], .data.u64 = (uint64_t)part->args[2]};

    return epoll_ctl(fd_of(part, 0), part->args[1], fd_of(part, 2), &event);
}

static int wait_by(const struct part *part, struct epoll_event *events, int timeout_ms)
{
    int fd = fd_of(part, 0), most = part->args[1];
    struct timespec timeout = span(timeout_ms);

    switch (part->args[3]) {
    case BY_EPOLL_PWAIT2: return epoll_pwait2(fd, events, most, timeout_ms < 0 ? NULL : &timeout, NULL);
    case BY_EPOLL_PWAIT: return epoll_pwait(fd, events, most, timeout_ms, NULL);
    default: return epoll_wait(fd, events, most, timeout_ms);
    }
}

static int by_data(const void *a, const void *b)
{
    const struct epoll_event *left = a, *right = b;

    return (left->data.u64 > right->data.u64) - (left->data.u64 < right->data.u64);
}

/* Adds events to those that are there, each descriptor once. */
static int merge(struct epoll_event *all, int count, const struct epoll_event *more, int more_count)
{
    for (int i = 0; i < more_count; i++) {
        int at = 0;
        while (at < count && all[at].data.u64 != more[i].data.u64)
            at++;
        if (at < count)
            all[at].events |= more[i].events;
        else if (count < EXTRA_WORDS)
            all[count++] = more[i];
    }
    return count;
}

/* Two calls, the second a moment after one that had something: a call need not tell of every descriptor at once, and the
 * library asks the kernel for the others only so often while its own have news. */
long do_epoll_wait(const struct part *part)
{
    struct epoll_event events[EXTRA_WORDS], more[EXTRA_WORDS];
    struct timespec moment = {0, 300000};
    int count = wait_by(part, events, part->args[2]);

    if (count > 0) {
        nanosleep(&moment, NULL);
        count = merge(events, count, more, wait_by(part, more, 0));
        qsort(events, (size_t)count, sizeof *events, by_data);
    }
    for (int i = 0; i < count; i++)
        part->result->extra[i] = (int32_t)(events[i].data.u64 << 16 | events[i].events);
    return count;
}

/* Patterns, whole transfers, waiting. See harness.h. */
#include "harness.h"

void fill_pattern(unsigned char *bytes, size_t count, uint64_t position)
{
    for (size_t i = 0; i < count; i++, position++)
        bytes[i] = (unsigned char)(position ^ (position >> 8) ^ (position >> 16) * 7);
}

int pattern_damage(const unsigned char *bytes, size_t count, uint64_t position)
{
    int damage = 0;

    for (size_t i = 0; i < count; i++, position++)
        damage += bytes[i] != (unsigned char)(position ^ (position >> 8) ^ (position >> 16) * 7);
    return damage;
}

/* Sizes that repeat late and fit nowhere: 1 to 199 999. */
static size_t odd_size(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return 1 + (*state >> 8) % 199999;
}

static long transfer(bool sending, int fd, uint64_t position, long count, int *damaged)
{
    static __thread unsigned char buffer[200000];
    uint32_t state = sending ? 1 : 2;
    long done = 0;

    while (done < count) {
        size_t want = odd_size(&state);
        if ((long)want > count - done)
            want = (size_t)(count - done);
        if (sending)
            fill_pattern(buffer, want, position + (uint64_t)done);
        ssize_t moved = sending ? send(fd, buffer, want, MSG_NOSIGNAL) : recv(fd, buffer, want, 0);
        if (moved <= 0)
            return done ? done : moved;
        if (!sending)
            *damaged += pattern_damage(buffer, (size_t)moved, position + (uint64_t)done);
        done += moved;
    }
    return done;
}

long send_all(int fd, uint64_t position, long count)
{
    return transfer(true, fd, position, count, NULL);
}

long recv_all(int fd, uint64_t position, long count, int *damaged)
{
    return transfer(false, fd, position, count, damaged);
}

/* One send of the pattern that shall not wait; 0 if it is refused. */
static long send_if_room(int fd, uint64_t position, size_t count)
{
    unsigned char buffer[5000];

    fill_pattern(buffer, count, position);
    ssize_t sent = send(fd, buffer, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        broken("send_if_room");
    return sent < 0 ? 0 : sent;
}

/* Kernel buffers grow late: full means still full after a while, for one byte too, also where poll says so. */
static long send_one_after_a_while(int fd, uint64_t position)
{
    for (int tries = 0; tries < 3 || poll(&(struct pollfd){fd, POLLOUT, 0}, 1, 0); tries++) {
        sleep_ms(20);
        if (send_if_room(fd, position, 1))
            return 1;
    }
    return 0;
}

long fill_until_full(int fd, uint64_t position)
{
    long done = 0, sent;

    do {
        sent = send_if_room(fd, position + (uint64_t)done, 5000);
        if (!sent)
            sent = send_one_after_a_while(fd, position + (uint64_t)done);
        done += sent;
    } while (sent);
    return done;
}

struct sending {
    int fd;
    long count;
    long result;
};

static void *duplex_send(void *argument)
{
    struct sending *job = argument;

    job->result = send_all(job->fd, 0, job->count);
    return NULL;
}

void duplex(int fd, long count, long result[2], int *damaged)
{
    struct sending job = {fd, count, 0};
    pthread_t thread = thread_start(duplex_send, &job);

    result[1] = recv_all(fd, 0, count, damaged);
    thread_join(thread);
    result[0] = job.result;
}

void await_queued(int fd, int count)
{
    double until = now_ms() + 2000;
    int queued = 0;

    do {
        if (ioctl(fd, FIONREAD, &queued))
            broken("FIONREAD");
        if (queued >= count)
            return;
        sleep_ms(1);
    } while (now_ms() < until);
    printf("only %d of %d bytes came within two seconds\n", queued, count);
}

bool await_events(int fd, int events)
{
    return poll(&(struct pollfd){fd, (short)events, 0}, 1, 2000) == 1;
}

void set_nonblocking(int fd, bool on)
{
    int flags = (int)MUST(fcntl(fd, F_GETFL));

    MUST(fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK));
}

void sleep_ms(long milliseconds)
{
    struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000};

    while (nanosleep(&left, &left) && errno == EINTR)
        ;
}

double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

pthread_t thread_start(void *(*run)(void *), void *argument)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, run, argument))
        broken("pthread_create");
    return thread;
}

void *thread_join(pthread_t thread)
{
    void *result;
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    if (pthread_timedjoin_np(thread, &result, &until))
        broken("a thread did not end");
    return result;
}

/* What several tests need. Contract: cases.h. */
#include <string.h>
#include <unistd.h>

#include "cases.h"

void blocking(int fd, bool on)
{
    CHECK_EQUAL(sd_sys_fcntl(fd, F_SETFL, on ? O_RDWR : O_RDWR | O_NONBLOCK), 0);
    sd_set_nonblock(fd, !on);
}

void send_all(int fd, const uint8_t *from, size_t n)
{
    while (n) {
        long r = sd_send(fd, from, n, MSG_NOSIGNAL);
        if (r == SD_PASS)
            r = sd_sys_sendto(fd, from, n, MSG_NOSIGNAL, NULL, 0);
        CHECK(r > 0);
        from += r;
        n -= (size_t)r;
    }
}

long receive(int fd, uint8_t *to, size_t n, int flags)
{
    long r = sd_recv(fd, to, n, flags);
    return r == SD_PASS ? sd_sys_recvfrom(fd, to, n, flags, NULL, NULL) : r;
}

uint8_t byte_at(uint64_t position)
{
    return (uint8_t)((position * 0x9E3779B97F4A7C15u) >> 56);
}

void fill_stream(uint8_t *to, uint64_t position, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = byte_at(position + i);
}

void check_stream(const uint8_t *from, uint64_t position, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (from[i] != byte_at(position + i)) {
            fprintf(stderr, "byte %lu is not what was sent there\n", (unsigned long)(position + i));
            exit(1);
        }
}

uint32_t random_below(uint32_t n)
{
    static __thread uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32) % n;
}

long processor_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1000 + t.tv_nsec / MS;
}

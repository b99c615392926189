/* The core for programs that are not preloaded. Contract: embed.h. */
#include "core/embed.h"

#include "core/address.h"
#include "core/epoll.h"
#include "core/peer.h"
#include "core/sys.h"

#define EPOLL_BATCH 256

void sd_embed_start(void)
{
    if (!sd_g.pid)
        sd_init();
}

void sd_embed_opened(int fd, int domain, int type)
{
    sd_opened_socket(fd, domain, type);
}

long sd_embed_connect(int fd, const void *address, size_t bytes)
{
    long r = sd_connect(fd, address, (socklen_t)bytes);
    return r == SD_PASS ? sd_sys_connect(fd, address, (socklen_t)bytes) : r;
}

void sd_embed_listening(int fd)
{
    sd_listening(fd);
}

void sd_embed_accepted(int listen_fd, int fd, int nonblock)
{
    sd_accepted(listen_fd, fd, nonblock ? SOCK_NONBLOCK : 0);
}

long sd_embed_send(int fd, const void *data, size_t bytes, int flags)
{
    long r = sd_send(fd, data, bytes, flags);
    if (r != SD_PASS)
        return r;
    r = sd_sys_sendto(fd, data, bytes, flags, NULL, 0);
    sd_count_kernel(fd, r, 0);
    return r;
}

long sd_embed_recv(int fd, void *data, size_t bytes, int flags)
{
    long r = sd_recv(fd, data, bytes, flags);
    if (r != SD_PASS)
        return r;
    r = sd_sys_recvfrom(fd, data, bytes, flags, NULL, NULL);
    sd_count_kernel(fd, 0, r);
    return r;
}

long sd_embed_shutdown(int fd, int how)
{
    long r = sd_shutdown(fd, how);
    return r == SD_PASS ? sd_sys_shutdown(fd, how) : r;
}

static struct timespec from_ms(long ms)
{
    return (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
}

long sd_embed_poll(int fd, int events, long timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = (short)events};
    struct timespec t = from_ms(timeout_ms);
    const struct timespec *timeout = timeout_ms < 0 ? NULL : &t;
    long r = sd_ppoll(&p, 1, timeout, NULL);
    if (r == SD_PASS)
        r = sd_sys_ppoll(&p, 1, timeout, NULL);
    return r < 0 ? r : p.revents;
}

void sd_embed_closing(int fd)
{
    sd_closing(fd);
}

void sd_embed_set_nonblock(int fd, int on)
{
    sd_set_nonblock(fd, on != 0);
}

int sd_embed_accelerated(int fd)
{
    struct sd_socket *s = sd_socket_of(fd);
    return s && sd_mode_uses_ring(sd_load(&s->mode));
}

long sd_embed_epoll_ctl(int epfd, int op, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data = {.fd = fd}};
    long r = sd_epoll_ctl(epfd, op, fd, &event);
    return r == SD_PASS ? sd_sys_epoll_ctl(epfd, op, fd, &event) : r;
}

long sd_embed_epoll_wait(int epfd, int32_t *fds, uint32_t *events, int max, long timeout_ms)
{
    struct epoll_event batch[EPOLL_BATCH];
    max = max < EPOLL_BATCH ? max : EPOLL_BATCH;
    long r = sd_epoll_wait(epfd, batch, max, timeout_ms < 0 ? -1 : timeout_ms * 1000000, NULL);
    if (r == SD_PASS)
        r = sd_sys_epoll_pwait(epfd, batch, max, (int)timeout_ms, NULL);
    for (long i = 0; i < r; i++) {
        fds[i] = batch[i].data.fd;
        events[i] = batch[i].events;
    }
    return r;
}

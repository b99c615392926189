/* Doorbells: datagram sockets with an abstract name, on which a thread or an epoll set sleeps, and how they are rung.
 *
 * A name means something in the network namespace alone in which its socket was made, and a socket reaches the names of its
 * own. A process may go to another namespace while connections from before live on: so it has two sockets to ring with,
 * the first that it made, and one for where it is now. A bell that neither reaches is a dead sleeper's, or in a third
 * namespace, or a sandbox forbids it; its sleeper looks by itself each SD_SLEEPER_LOOK_NS.
 *
 * The kernel says EAGAIN where the bell's queue is full: then it rings already. But also where too much of what this
 * socket ever sent lies unread, whoever should read it: some 280 bytes to sleepers that are stopped, or to an enemy's bells,
 * would silence it for everybody. So then a fresh socket rings; and if that one was heard, the other is left behind with
 * what it sent, and the fresh one has its number.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/un.h>

#include "core/api.h"
#include "core/control.h"
#include "core/thread.h"
#include "core/wait.h"

#define DRAIN_MOST 64

#define BELL_PREFIX     "sdcore-"
#define BELL_NAME_BYTES (1 + sizeof(BELL_PREFIX) - 1 + 8)

static socklen_t bell_address(uint32_t name, struct sockaddr_un *address)
{
    static const char digit[] = "0123456789abcdef";
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path + 1, BELL_PREFIX, sizeof BELL_PREFIX - 1);
    for (int i = 0; i < 8; i++)
        address->sun_path[sizeof BELL_PREFIX + (size_t)i] = digit[(name >> (28 - 4 * i)) & 15];
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + BELL_NAME_BYTES);
}

static long bell_bind(int fd, uint32_t *name)
{
    struct sockaddr_un address;
    for (int tries = 0; tries < 8; tries++) {
        if (sd_sys_getrandom(name, sizeof *name) != sizeof *name || *name == 0)
            *name = (uint32_t)sd_now_ns() | 1;
        long r = sd_sys_bind(fd, &address, bell_address(*name, &address));
        if (r != -EADDRINUSE)
            return r;
    }
    return -EADDRINUSE;
}

long sd_bell_open(struct sd_bell *bell)
{
    long fd = sd_sys_socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fd;
    fd = sd_hide((int)fd);
    if (fd < 0)
        return fd;
    bell->fd = (int)fd;
    long r = bell_bind(bell->fd, &bell->name);
    if (r < 0)
        sd_bell_close(bell);
    return r;
}

void sd_bell_close(struct sd_bell *bell)
{
    if (bell->fd < 0)
        return;
    sd_store(&sd_g.files[bell->fd].kind, SD_FILE_NONE);
    sd_sys_close(bell->fd);
    bell->fd = -1;
}

/* Anybody on the host may ring: who rings as fast as we drain shall not keep us. The kernel tells of the rest again. */
void sd_bell_drain(const struct sd_bell *bell)
{
    char byte[8];
    for (int i = 0; i < DRAIN_MOST && sd_sys_recvfrom(bell->fd, byte, sizeof byte, MSG_DONTWAIT, NULL, NULL) >= 0; i++)
        ;
}

/* --- ringing --- */

static long open_ringer(void)
{
    return sd_sys_socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* The first that this process made, or the one for where it is now; -1 if it cannot be had. */
static int ringer(int which)
{
    int fd = atomic_load(&sd_g.ringer_fd[which]);
    if (fd >= 0)
        return fd;
    long made = open_ringer();
    if (made < 0 || (made = sd_hide((int)made)) < 0)
        return -1;
    int none = -1;
    if (atomic_compare_exchange_strong(&sd_g.ringer_fd[which], &none, (int)made))
        return (int)made;
    struct sd_bell surplus = {.fd = (int)made};
    sd_bell_close(&surplus);
    return none;
}

static bool is_crowded(long r)
{
    return r == -EAGAIN || r == -ENOBUFS || r == -ENOMEM;
}

/* The number stays: another thread may be about to ring by it. */
static void replace_ringer(int which, int fresh)
{
    int fd = atomic_load(&sd_g.ringer_fd[which]);
    if (fd >= 0)
        sd_syscall(SYS_dup3, fresh, fd, O_CLOEXEC, 0, 0, 0);
}

static void ring_by_fresh(int which, const struct sockaddr_un *address, socklen_t len)
{
    long fd = open_ringer();
    if (fd < 0)
        return;
    if (sd_sys_sendto((int)fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL, address, len) >= 0)
        replace_ringer(which, (int)fd);
    sd_sys_close((int)fd);
}

void sd_bell_ring(uint32_t name)
{
    struct sockaddr_un address;
    socklen_t len = bell_address(name, &address);
    long r = -ECONNREFUSED;
    int which = 0;
    for (; which < SD_RINGERS && r < 0 && !is_crowded(r); which++) {
        int fd = ringer(which);
        r = fd < 0 ? -EAGAIN : sd_sys_sendto(fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL, &address, len);
    }
    if (sd_unlikely(is_crowded(r)))
        ring_by_fresh(which - 1, &address, len);
}

void sd_bells_elsewhere(void)
{
    long made = atomic_load(&sd_g.ringer_fd[SD_RINGERS - 1]) < 0 ? -1 : open_ringer();
    if (made < 0)
        return;
    replace_ringer(SD_RINGERS - 1, (int)made);
    sd_sys_close((int)made);
}

struct sd_bell *sd_thread_bell(void)
{
    static __thread struct sd_bell bell __attribute__((tls_model("initial-exec")));
    struct sd_thread *self = sd_thread_attach();
    if (!self)
        return NULL;
    if (self->bell_fd < 0) {
        if (sd_bell_open(&bell) < 0)
            return NULL;
        self->bell_fd = bell.fd;
        self->bell_name = bell.name;
    }
    bell.fd = self->bell_fd;
    bell.name = self->bell_name;
    return &bell;
}

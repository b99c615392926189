/* What actors do: the calls on sockets. Each takes its arguments by position, as calls.py lists them.
 *
 * The bytes sent by a step depend on its number only, so that a reader's digest shows whose bytes it got, in which order.
 */
#include "stage.h"

static _Thread_local uint8_t *bytes; /* made once for each thread, never freed: stages live for one program */

static uint8_t *room(void)
{
    if (!bytes)
        bytes = mmap(NULL, BYTES_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return bytes;
}

int fd_of(const struct part *part, int argument)
{
    int slot = part->args[argument];

    return slot < 0 ? -1 : part->fd[slot];
}

/* The slot named by an argument now means this descriptor. */
static long named(const struct part *part, int argument, int fd)
{
    if (fd >= 0)
        part->fd[part->args[argument]] = fd;
    return fd;
}

static void pattern(uint8_t *to, size_t count, int number, uint64_t position)
{
    for (size_t i = 0; i < count; i++, position++)
        to[i] = (uint8_t)((unsigned)number * 37u + position * 7u + (position >> 8));
}

static uint64_t digest(uint64_t seed, const uint8_t *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        seed = (seed ^ from[i]) * 1099511628211u;
    return seed;
}

static void received(struct result *result, const uint8_t *from, long count)
{
    if (count <= 0)
        return;
    if (!result->digest)
        memcpy(result->first, from, (size_t)count < sizeof result->first ? (size_t)count : sizeof result->first);
    result->digest = digest(result->digest, from, (size_t)count);
}

/* --- making and ending --- */

/* Without Nagle's delay: when a byte comes would be a matter of the peer's delayed acknowledgements. Accepted sockets
 * inherit it. */
static long do_socket(const struct part *part)
{
    int on = 1;
    int fd = socket(part->args[1], SOCK_STREAM | part->args[2], 0);

    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return named(part, 0, fd);
}

#define DIGITS 5 /* of a name of AF_UNIX that the kernel chose, behind a NUL: the number stands for the port */

static socklen_t unix_address_of(const struct place *place, struct sockaddr_un *address)
{
    if (!place->port)
        return sizeof(sa_family_t);
    snprintf(address->sun_path + 1, DIGITS + 1, "%05x", (unsigned)place->port & 0xfffff);
    return sizeof(sa_family_t) + 1 + DIGITS;
}

static socklen_t address_of(const struct place *place, struct sockaddr_storage *address)
{
    memset(address, 0, sizeof *address);
    address->ss_family = (sa_family_t)place->family;
    if (place->family == AF_UNIX)
        return unix_address_of(place, (struct sockaddr_un *)address);
    if (place->family == AF_INET6) {
        ((struct sockaddr_in6 *)address)->sin6_port = htons((uint16_t)place->port);
        ((struct sockaddr_in6 *)address)->sin6_addr = in6addr_loopback;
        return sizeof(struct sockaddr_in6);
    }
    ((struct sockaddr_in *)address)->sin_port = htons((uint16_t)place->port);
    ((struct sockaddr_in *)address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return sizeof(struct sockaddr_in);
}

static int port_of(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_UNIX)
        return (int)strtol(((const struct sockaddr_un *)address)->sun_path + 1, NULL, 16);
    return ntohs(address->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)address)->sin6_port
                                                : ((const struct sockaddr_in *)address)->sin_port);
}

static long do_bind(const struct part *part)
{
    struct place *place = &shared->places[part->args[1]];
    int fd = fd_of(part, 0), family = AF_INET;
    struct sockaddr_storage address;
    socklen_t size = sizeof family;

    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size))
        return -1;
    if (place->family != family)
        *place = (struct place){family, 0}; /* bound again to a known port: that port must be asked for */
    size = address_of(place, &address);
    if (bind(fd, (struct sockaddr *)&address, size))
        return -1;
    size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size))
        return -1;
    place->port = port_of(&address);
    return 0;
}

static long do_connect(const struct part *part)
{
    struct sockaddr_storage address;
    socklen_t size = address_of(&shared->places[part->args[1]], &address);

    return connect(fd_of(part, 0), (struct sockaddr *)&address, size);
}

static long do_dup(const struct part *part)
{
    int fd = fd_of(part, 0);

    switch (part->args[2]) {
    case BY_CLOEXEC: return named(part, 1, fcntl(fd, F_DUPFD_CLOEXEC, 0));
    case BY_DUPFD: return named(part, 1, fcntl(fd, F_DUPFD, 20));
    default: return named(part, 1, dup(fd));
    }
}

static long do_dup2(const struct part *part)
{
    int from = fd_of(part, 0), to = fd_of(part, 1);

    return part->args[2] == BY_DUP3 ? dup3(from, to, O_CLOEXEC) : dup2(from, to);
}

/* --- bytes --- */

#define PARTS       3
#define PATIENCE_MS 5000

/* The buffer in three parts, of which the second may be empty. */
static void split(struct iovec *parts, uint8_t *from, size_t count)
{
    size_t first = count / 3, last = count - first;

    parts[0] = (struct iovec){from, first};
    parts[1] = (struct iovec){from + first, 0};
    parts[2] = (struct iovec){from + first, last};
}

static long send_by(int sender, int fd, uint8_t *from, size_t count, int flags)
{
    struct iovec parts[PARTS];
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = PARTS};
    struct mmsghdr two[2] = {{.msg_hdr = {.msg_iov = parts, .msg_iovlen = 2}},
                             {.msg_hdr = {.msg_iov = parts + 2, .msg_iovlen = 1}}};

    split(parts, from, count);
    switch (sender) {
    case BY_WRITE: return write(fd, from, count);
    case BY_WRITEV: return writev(fd, parts, PARTS);
    case BY_SENDTO: return sendto(fd, from, count, flags, NULL, 0);
    case BY_SENDMSG: return sendmsg(fd, &message, flags);
    case BY_SENDMMSG: return sendmmsg(fd, two, 2, (unsigned)flags);
    default: return send(fd, from, count, flags);
    }
}

static long do_send(const struct part *part)
{
    size_t count = (size_t)part->args[1];

    pattern(room(), count, part->number, 0);
    return send_by(part->args[3], fd_of(part, 0), room(), count, part->args[2]);
}

static long do_more(const struct part *part)
{
    size_t count = (size_t)part->args[1];

    pattern(room(), count + 1, part->number, 0);
    long held = send(fd_of(part, 0), room(), count, MSG_MORE);
    long pushed = held < 0 ? -1 : send(fd_of(part, 0), room() + held, 1, 0);
    return pushed < 0 ? -1 : held + pushed;
}

static long recv_message(const struct part *part, int fd, struct iovec *parts, int flags)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(64)];
    } box;
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = PARTS, .msg_control = &box, .msg_controllen = sizeof box};
    long count = recvmsg(fd, &message, flags);

    if (count >= 0) {
        part->result->extra[0] = message.msg_flags;
        part->result->extra[1] = (int32_t)message.msg_controllen;
        part->result->extra[2] = (int32_t)message.msg_namelen;
    }
    return count;
}

static long recv_messages(const struct part *part, int fd, struct iovec *parts, int flags)
{
    struct mmsghdr two[2] = {{.msg_hdr = {.msg_iov = parts, .msg_iovlen = 2}},
                             {.msg_hdr = {.msg_iov = parts + 2, .msg_iovlen = 1}}};
    int count = recvmmsg(fd, two, 2, (unsigned)flags, NULL);

    for (int i = 0; i < count; i++)
        part->result->extra[i] = (int32_t)two[i].msg_len;
    return count < 0 ? -1 : (long)two[0].msg_len + (count > 1 ? (long)two[1].msg_len : 0);
}

static long recv_by(const struct part *part, int fd, uint8_t *to, size_t count)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    struct iovec parts[PARTS];
    int flags = part->args[2];
    long got;

    split(parts, to, count);
    switch (part->args[3]) {
    case BY_READ: return read(fd, to, count);
    case BY_READV: return readv(fd, parts, PARTS);
    case BY_RECVMSG: return recv_message(part, fd, parts, flags);
    case BY_RECVMMSG: return recv_messages(part, fd, parts, flags);
    case BY_RECVFROM:
        got = recvfrom(fd, to, count, flags, (struct sockaddr *)&address, &size);
        part->result->extra[0] = got < 0 ? 0 : (int32_t)size;
        return got;
    default: return recv(fd, to, count, flags);
    }
}

static long do_recv(const struct part *part)
{
    size_t count = (size_t)part->args[1];

    memset(room(), 0, count);
    long got = recv_by(part, fd_of(part, 0), room(), count);
    received(part->result, room(), got > (long)count ? (long)count : got);
    return got;
}

/* A call of several that would not wait, or did not wait long enough: whether to make it again. */
static bool again(int fd, short events)
{
    struct pollfd entry = {fd, events, 0};

    return errno == EAGAIN && poll(&entry, 1, PATIENCE_MS) == 1;
}

static long do_sendall(const struct part *part)
{
    long done = 0, count = part->args[1];

    while (done < count) {
        long piece = count - done < part->args[2] ? count - done : part->args[2];
        pattern(room(), (size_t)piece, part->number, (uint64_t)done);
        long sent = send(fd_of(part, 0), room(), (size_t)piece, MSG_NOSIGNAL);
        if (sent < 0 && again(fd_of(part, 0), POLLOUT))
            continue;
        if (sent < 0) {
            part->result->extra[0] = (int32_t)done;
            return -1;
        }
        done += sent;
    }
    return done;
}

static long take(const struct part *part, long count, long piece)
{
    long done = 0;

    while (done < count) {
        long got = recv(fd_of(part, 0), room(), (size_t)(count - done < piece ? count - done : piece), 0);
        if (got < 0 && again(fd_of(part, 0), POLLIN))
            continue;
        if (got < 0) {
            part->result->extra[0] = (int32_t)done;
            return -1;
        }
        if (got == 0)
            break;
        received(part->result, room(), got);
        done += got;
    }
    return done;
}

static long do_fill(const struct part *part)
{
    long *filled = (long *)&shared->filled[part->args[1]], got;

    *filled = 0;
    do {
        pattern(room(), 50000, part->number, (uint64_t)*filled);
        got = send(fd_of(part, 0), room(), 50000, MSG_DONTWAIT | MSG_NOSIGNAL);
        *filled += got > 0 ? got : 0;
    } while (got > 0);
    return got;
}

/* Whether all that `fill` had put in has come: not how many bytes those were, nor their digest. */
static long do_drain(const struct part *part)
{
    long filled = (long)shared->filled[part->args[1]];
    long got = take(part, filled, 70000);

    part->result->digest = 0;
    part->result->extra[0] = 0;
    memset(part->result->first, 0, sizeof part->result->first);
    return got < 0 ? -1 : got == filled;
}

static long do_sendfile(const struct part *part)
{
    off_t start = part->number;

    return sendfile(fd_of(part, 0), file_fd, &start, (size_t)part->args[1]);
}

#define SPLICE_MOST 16384

static long splice_into(const struct part *part, const int ends[2])
{
    static __thread uint8_t bytes[SPLICE_MOST];
    size_t size = (size_t)part->args[1] < SPLICE_MOST ? (size_t)part->args[1] : SPLICE_MOST;

    pattern(bytes, size, part->number, 0);
    if (write(ends[1], bytes, size) < 0)
        return -1;
    return splice(ends[0], NULL, fd_of(part, 0), NULL, size, 0);
}

/* How many come at once is a matter of the pages that they lie in: all that were asked for, or until nothing comes. */
static long splice_out(const struct part *part, const int ends[2])
{
    static __thread uint8_t bytes[SPLICE_MOST];
    long done = 0, got = 1;

    while (done < part->args[1] && got > 0) {
        got = splice(fd_of(part, 0), NULL, ends[1], NULL, (size_t)(part->args[1] - done), SPLICE_F_NONBLOCK);
        if (got > 0)
            received(part->result, bytes, read(ends[0], bytes, sizeof bytes));
        done += got > 0 ? got : 0;
    }
    return done || got == 0 ? done : got;
}

static long do_splice(const struct part *part)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC))
        return -1;
    long r = part->args[2] == BY_INTO ? splice_into(part, ends) : splice_out(part, ends);
    int error = errno;
    close(ends[0]);
    close(ends[1]);
    errno = error;
    return r;
}

/* --- settings and questions --- */

static long do_async(const struct part *part)
{
    int fd = fd_of(part, 0), flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETOWN, getpid()))
        return -1;
    return fcntl(fd, F_SETFL, part->args[1] ? flags | O_ASYNC : flags & ~O_ASYNC);
}

static long do_nonblock(const struct part *part)
{
    int on = part->args[1], fd = fd_of(part, 0);

    if (part->args[2] == BY_IOCTL)
        return ioctl(fd, FIONBIO, &on);
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 ? -1 : fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

static long do_getfl(const struct part *part)
{
    int flags = fcntl(fd_of(part, 0), F_GETFL);

    if (flags >= 0)
        part->result->extra[0] = fcntl(fd_of(part, 0), F_GETFD);
    return flags;
}

static long do_setopt(const struct part *part)
{
    int fd = fd_of(part, 0), level = OPTIONS[part->args[1]].level, name = OPTIONS[part->args[1]].name;
    int value = part->args[2];
    struct linger linger = {value >= 0, value >= 0 ? value : 0};
    struct timeval time = {value / 1000, value % 1000 * 1000};

    switch (OPTIONS[part->args[1]].passed) {
    case PASSED_LINGER: return setsockopt(fd, level, name, &linger, sizeof linger);
    case PASSED_TIME: return setsockopt(fd, level, name, &time, sizeof time);
    default: return setsockopt(fd, level, name, &value, sizeof value);
    }
}

static long do_getopt(const struct part *part)
{
    int fd = fd_of(part, 0), level = OPTIONS[part->args[1]].level, name = OPTIONS[part->args[1]].name;
    union {
        int whole;
        struct linger linger;
        struct timeval time;
        uint8_t state;
    } value = {0};
    socklen_t size = sizeof value;

    if (OPTIONS[part->args[1]].passed == PASSED_STATE)
        size = 1;
    if (getsockopt(fd, level, name, &value, &size))
        return -1;
    part->result->extra[0] = (int32_t)size;
    switch (OPTIONS[part->args[1]].passed) {
    case PASSED_LINGER: return value.linger.l_onoff ? value.linger.l_linger : -1;
    case PASSED_TIME: return value.time.tv_sec * 1000 + value.time.tv_usec / 1000;
    case PASSED_STATE: return value.state;
    default: return value.whole;
    }
}

static long do_queued(const struct part *part)
{
    static const unsigned long QUESTIONS[] = {FIONREAD, SIOCOUTQ, SIOCATMARK};
    int count = -1;

    return ioctl(fd_of(part, 0), QUESTIONS[part->args[1]], &count) ? -1 : count;
}

static long do_getname(const struct part *part)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    int fd = fd_of(part, 0);
    int r = part->args[1] == BY_PEER ? getpeername(fd, (struct sockaddr *)&address, &size)
                                     : getsockname(fd, (struct sockaddr *)&address, &size);

    if (r)
        return -1;
    part->result->extra[0] = address.ss_family;
    part->result->extra[1] = (int32_t)size;
    part->result->extra[2] = port_of(&address);
    return 0;
}

/* --- descriptors on their way --- */

union box {
    struct cmsghdr head;
    char space[CMSG_SPACE(sizeof(int))];
};

static long do_post(const struct part *part)
{
    union box box = {0};
    char letter = 'd';
    struct iovec one = {&letter, 1};
    struct msghdr message = {.msg_iov = &one, .msg_iovlen = 1, .msg_control = &box, .msg_controllen = sizeof box};
    int fd = fd_of(part, 0);

    *CMSG_FIRSTHDR(&message) = (struct cmsghdr){CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &fd, sizeof fd);
    return sendmsg(post_fd[0], &message, MSG_DONTWAIT);
}

static long do_fetch(const struct part *part)
{
    union box box = {0};
    char letter = 0;
    struct iovec one = {&letter, 1};
    struct msghdr message = {.msg_iov = &one, .msg_iovlen = 1, .msg_control = &box, .msg_controllen = sizeof box};
    int fd = -1;

    if (recvmsg(post_fd[1], &message, MSG_DONTWAIT) < 0)
        return -1;
    if (CMSG_FIRSTHDR(&message))
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    return named(part, 0, fd);
}

long perform(const struct part *part, int call)
{
    const int32_t *args = part->args;

    switch ((enum call)call) {
    case CALL_SOCKET: return do_socket(part);
    case CALL_BIND: return do_bind(part);
    case CALL_LISTEN: return listen(fd_of(part, 0), args[1]);
    case CALL_CONNECT: return do_connect(part);
    case CALL_ACCEPT: return named(part, 1, accept4(fd_of(part, 0), NULL, NULL, args[2]));
    case CALL_SEND: return do_send(part);
    case CALL_MORE: return do_more(part);
    case CALL_RECV: return do_recv(part);
    case CALL_SENDALL: return do_sendall(part);
    case CALL_RECVALL: return take(part, args[1], args[2]);
    case CALL_FILL: return do_fill(part);
    case CALL_DRAIN: return do_drain(part);
    case CALL_SENDFILE: return do_sendfile(part);
    case CALL_SPLICE: return do_splice(part);
    case CALL_SHUTDOWN: return shutdown(fd_of(part, 0), args[1]);
    case CALL_CLOSE: return close(fd_of(part, 0));
    case CALL_DUP: return do_dup(part);
    case CALL_DUP2: return do_dup2(part);
    case CALL_NONBLOCK: return do_nonblock(part);
    case CALL_ASYNC: return do_async(part);
    case CALL_GETFL: return do_getfl(part);
    case CALL_SETOPT: return do_setopt(part);
    case CALL_GETOPT: return do_getopt(part);
    case CALL_QUEUED: return do_queued(part);
    case CALL_GETNAME: return do_getname(part);
    case CALL_POLL: return do_poll(part);
    case CALL_EPOLL: return named(part, 0, epoll_create1(0));
    case CALL_EPCTL: return do_epoll_ctl(part);
    case CALL_EPWAIT: return do_epoll_wait(part);
    case CALL_POST: return do_post(part);
    case CALL_FETCH: return do_fetch(part);
    case CALL_FORK: return do_fork(part->me, args);
    case CALL_THREAD: return do_thread(part->me, args);
    case CALL_EXEC: return do_exec(part->me, args);
    case CALL_SPAWN: return do_spawn();
    case CALL_EXIT: _exit(args[0]);
    case CALL_KILL:
    case CALL_SIGNAL:
    case CALL_JOIN:
    case CALL_SLEEP:
    case CALL_UNLOAD: break; /* the conductor's */
    }
    errno = ENOSYS;
    return -1;
}

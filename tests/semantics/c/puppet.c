/* The other end of a scenario's connections: does what it is told, one order after the other. See harness.h. */
#include "harness.h"

struct puppet {
    int listener;
    int fd[PUPPET_SOCKETS];
    uint64_t sent[PUPPET_SOCKETS]; /* position in the pattern */
    uint64_t received[PUPPET_SOCKETS];
};

static long put_names(int fd, char *text, size_t size)
{
    struct sockaddr_storage name[2];
    socklen_t length[2] = {sizeof name[0], sizeof name[1]};
    char ip[2][INET6_ADDRSTRLEN];

    if (getsockname(fd, (struct sockaddr *)&name[0], &length[0]) ||
        getpeername(fd, (struct sockaddr *)&name[1], &length[1]))
        return -1;
    for (int i = 0; i < 2; i++) {
        const void *raw = name[i].ss_family == AF_INET ? (void *)&((struct sockaddr_in *)&name[i])->sin_addr
                                                       : (void *)&((struct sockaddr_in6 *)&name[i])->sin6_addr;
        inet_ntop(name[i].ss_family, raw, ip[i], sizeof ip[i]);
    }
    snprintf(text, size, "%s %d %s %d", ip[0], address_port(&name[0]), ip[1], address_port(&name[1]));
    return 0;
}

static long do_listen(struct puppet *p, struct sockaddr_storage *address)
{
    socklen_t size = sizeof *address;

    if (p->listener >= 0)
        close(p->listener);
    p->listener = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(p->listener, (struct sockaddr *)address, address_size(address)) || listen(p->listener, 512))
        return -1;
    return getsockname(p->listener, (struct sockaddr *)address, &size);
}

static long do_connect(struct puppet *p, int index, struct sockaddr_storage *address)
{
    if (p->fd[index] < 0)
        p->fd[index] = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connect(p->fd[index], (struct sockaddr *)address, address_size(address));
}

static long do_bind(struct puppet *p, int index, struct sockaddr_storage *address)
{
    p->fd[index] = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return bind(p->fd[index], (struct sockaddr *)address, address_size(address));
}

static long do_recv_slow(int fd, uint64_t *position, long count, int *damaged)
{
    long done = 0;

    while (done < count) {
        long part = recv_all(fd, *position + (uint64_t)done, count - done < 10000 ? count - done : 10000, damaged);
        if (part <= 0)
            break;
        done += part;
        sleep_ms(1);
    }
    *position += (uint64_t)done;
    return done;
}

static long do_recv_all(int fd, uint64_t *position, int *damaged)
{
    unsigned char buffer[65536];
    long done = 0;

    for (;;) {
        ssize_t count = recv(fd, buffer, sizeof buffer, 0);
        if (count <= 0)
            return count ? count : done;
        *damaged += pattern_damage(buffer, (size_t)count, *position);
        *position += (uint64_t)count;
        done += count;
    }
}

static long do_echo(int fd)
{
    char buffer[65536];
    long done = 0;
    ssize_t count;

    while ((count = recv(fd, buffer, sizeof buffer, 0)) > 0) {
        if (send_all(fd, 0, 0) || send(fd, buffer, (size_t)count, MSG_NOSIGNAL) != count)
            return -1;
        done += count;
    }
    return shutdown(fd, SHUT_WR) ? -1 : done;
}

static long do_duplex(int fd, long count, int *damaged)
{
    long result[2];

    duplex(fd, count, result, damaged);
    return result[0] == count ? result[1] : -1;
}

static long do_close(struct puppet *p, int index, bool reset)
{
    struct linger linger = {1, 0};
    int fd = p->fd[index];

    p->fd[index] = -1;
    p->sent[index] = p->received[index] = 0;
    if (reset && setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger))
        return -1;
    return close(fd);
}

static long do_text(int fd, const char *text, int flags)
{
    size_t size = strlen(text);

    return send(fd, text, size, flags | MSG_NOSIGNAL);
}

static long do_pass(int fd, const char *text)
{
    int pipe_ends[2];
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } box = {0};
    struct iovec part = {(char *)text, strlen(text)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &box, .msg_controllen = sizeof box};

    if (pipe(pipe_ends))
        return -1;
    box.head = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(&box.head), &pipe_ends[0], sizeof(int));
    ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    return sent;
}

static long do_recv_once(int fd, long count, char *text)
{
    ssize_t got = recv(fd, text, (size_t)(count < 255 ? count : 255), 0);

    text[got > 0 ? got : 0] = 0;
    return got;
}

static long perform(struct puppet *p, struct order *o, struct answer *a)
{
    int fd = p->fd[o->index];
    long count;

    switch ((enum op)o->op) {
    case OP_LISTEN: return do_listen(p, &o->address);
    case OP_ACCEPT: return (p->fd[o->index] = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC)) < 0 ? -1 : 0;
    case OP_CONNECT: return do_connect(p, o->index, &o->address);
    case OP_BIND: return do_bind(p, o->index, &o->address);
    case OP_SEND:
        count = send_all(fd, p->sent[o->index], o->arg);
        p->sent[o->index] += (uint64_t)(count > 0 ? count : 0);
        return count;
    case OP_TEXT: return do_text(fd, o->text, 0);
    case OP_OOB: return do_text(fd, o->text, MSG_OOB);
    case OP_RECV:
        count = recv_all(fd, p->received[o->index], o->arg, &a->damaged);
        p->received[o->index] += (uint64_t)(count > 0 ? count : 0);
        return count;
    case OP_RECV_ONCE: return do_recv_once(fd, o->arg, a->text);
    case OP_RECV_ALL: return do_recv_all(fd, &p->received[o->index], &a->damaged);
    case OP_RECV_SLOW: return do_recv_slow(fd, &p->received[o->index], o->arg, &a->damaged);
    case OP_ECHO: return do_echo(fd);
    case OP_DUPLEX: return do_duplex(fd, o->arg, &a->damaged);
    case OP_LOOK: return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) < 0 ? -1 : 0;
    case OP_QUEUED: await_queued(fd, (int)o->arg); return 0;
    case OP_SHUTDOWN: return shutdown(fd, (int)o->arg);
    case OP_CLOSE: return do_close(p, o->index, false);
    case OP_RESET: return do_close(p, o->index, true);
    case OP_DIE: return kill(getpid(), SIGKILL);
    case OP_NAMES: return put_names(fd, a->text, sizeof a->text);
    case OP_PASS: return do_pass(fd, o->text);
    case OP_SNDBUF: return setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){(int)o->arg}, sizeof(int));
    case OP_MOVE: return setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &(int){1}, sizeof(int));
    case OP_TAKE:
    case OP_SLEEP: return 0;
    }
    return -1;
}

/* One order, and the descriptor that came with it (-1 if none). */
static bool next_order(int control, struct order *order, int *descriptor)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } box;
    struct iovec part = {order, sizeof *order};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &box, .msg_controllen = sizeof box};

    if (recvmsg(control, &message, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof *order)
        return false;
    *descriptor = -1;
    if (CMSG_FIRSTHDR(&message))
        memcpy(descriptor, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof *descriptor);
    return true;
}

void puppet_serve(int control)
{
    static struct puppet puppet;
    struct order order;
    int descriptor;

    puppet.listener = -1;
    memset(puppet.fd, -1, sizeof puppet.fd);
    while (next_order(control, &order, &descriptor)) {
        struct answer answer = {0};
        if (descriptor >= 0)
            puppet.fd[order.index] = descriptor;
        sleep_ms(order.delay_ms);
        errno = 0;
        answer.result = perform(&puppet, &order, &answer);
        answer.error = errno;
        answer.address = order.address;
        if (send(control, &answer, sizeof answer, MSG_NOSIGNAL) != (ssize_t)sizeof answer)
            return;
    }
}

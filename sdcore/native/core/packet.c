/* One request to the monitor and its reply.
 *
 * The connection is non-blocking; waiting is ppoll with what is left of the time. One request is under way at a time
 * (the control lock), and a connection on which one was given up is dropped, so the next packet is the reply or an
 * error. Descriptors that come with anything else are closed.
 */
#include <string.h>

#include "core/control_impl.h"

enum { DESCRIPTORS_MAX = 4, REPLY_BYTES_MAX = 128 };

/* A received packet. */
struct packet {
    _Alignas(8) uint8_t bytes[REPLY_BYTES_MAX];
    size_t size;
    int fds[DESCRIPTORS_MAX];
    int fd_count;
    int flags; /* MSG_CTRUNC; a packet that was cut off is longer than any reply anyway */
};

union rights {
    struct cmsghdr align;
    char room[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
};

static void close_all(struct packet *p)
{
    for (int i = 0; i < p->fd_count; i++)
        sd_sys_close(p->fds[i]);
    p->fd_count = 0;
}

/* Waits until `events`; 0, -ETIMEDOUT, or -errno. */
static long wait_for(int connection, short events, uint64_t deadline_ns)
{
    for (;;) {
        uint64_t now_ns = sd_now_ns();
        if (now_ns >= deadline_ns)
            return -ETIMEDOUT;
        uint64_t left_ns = deadline_ns - now_ns;
        struct timespec left = {(time_t)(left_ns / 1000000000), (long)(left_ns % 1000000000)};
        struct pollfd p = {.fd = connection, .events = events};
        long n = sd_sys_ppoll(&p, 1, &left, NULL);
        if (n > 0)
            return 0;
        if (n < 0 && n != -EINTR)
            return n;
    }
}

static void attach_descriptors(struct msghdr *msg, union rights *rights, const int *fds, size_t count)
{
    memset(rights, 0, sizeof(*rights));
    msg->msg_control = rights;
    msg->msg_controllen = CMSG_SPACE(count * sizeof(int));
    struct cmsghdr *c = CMSG_FIRSTHDR(msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(c), fds, count * sizeof(int));
}

static long send_request(int connection, uint32_t seq, const struct sd_request *request, uint64_t deadline_ns)
{
    struct sd_msg_header head = {.type = request->type, .seq = seq};
    struct iovec parts[2] = {{&head, sizeof(head)}, {(void *)(uintptr_t)request->body, request->body_bytes}};
    struct msghdr msg = {.msg_iov = parts, .msg_iovlen = request->body ? 2 : 1};
    union rights rights;
    if (request->fds[0] >= 0)
        attach_descriptors(&msg, &rights, request->fds, request->fds[1] >= 0 ? 2 : 1);
    for (;;) {
        long n = sd_sys_sendmsg(connection, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0)
            return 0;
        if (n == -EAGAIN)
            n = wait_for(connection, POLLOUT, deadline_ns);
        if (n < 0 && n != -EINTR)
            return n;
    }
}

static void collect_descriptors(struct msghdr *msg, struct packet *p)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count && p->fd_count < DESCRIPTORS_MAX; i++)
            memcpy(&p->fds[p->fd_count++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
    }
}

/* The next packet; 0 or -errno. */
static long receive(int connection, struct packet *p, uint64_t deadline_ns)
{
    for (;;) {
        struct iovec part = {p->bytes, sizeof(p->bytes)};
        union rights rights;
        struct msghdr msg = {
            .msg_iov = &part, .msg_iovlen = 1, .msg_control = &rights, .msg_controllen = sizeof(rights)};
        p->fd_count = 0;
        long n = sd_sys_recvmsg(connection, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n >= 0) {
            p->size = (size_t)n;
            p->flags = msg.msg_flags;
            collect_descriptors(&msg, p);
            return 0;
        }
        if (n == -EAGAIN)
            n = wait_for(connection, POLLIN, deadline_ns);
        if (n < 0 && n != -EINTR)
            return n;
    }
}

/* What an affirmative reply of each type must bring. */
static bool shape_fits(uint32_t type, size_t body_bytes, int fd_count)
{
    switch (type) {
    case SD_MSG_HELLO: return body_bytes == sizeof(struct sd_msg_welcome) && fd_count == 1;
    case SD_MSG_LISTEN: return body_bytes == sizeof(struct sd_msg_listener) && fd_count == 0;
    case SD_MSG_LEASE: return body_bytes == sizeof(struct sd_msg_lease) && fd_count == 1;
    case SD_MSG_JOIN:      /* without a descriptor: not yet */
    case SD_MSG_LEASES_OF: /* without a descriptor it says that there are no more; lease.c compares */
        return body_bytes == sizeof(struct sd_msg_lease) && fd_count <= 1;
    case SD_MSG_KEPT: return body_bytes == 0 && fd_count == 1;
    default: return body_bytes == 0 && fd_count == 0;
    }
}

/* Checks everything that a reply says about itself. */
static long parse(const struct packet *p, uint32_t type, uint32_t seq, struct sd_reply *reply)
{
    struct sd_msg_header head;
    if (p->size == 0)
        return -EPIPE;
    if (p->size < sizeof(head))
        return -EPROTO;
    memcpy(&head, p->bytes, sizeof(head));
    if (head.type != type || head.seq != seq || head.status > SD_STATUS_BAD || head.reason >= SD_REASONS)
        return -EPROTO;
    if (p->flags & MSG_CTRUNC) /* the kernel had no descriptor to give us, or there were more than any reply has */
        return p->fd_count == 0 ? -EMFILE : -EPROTO;
    size_t body_bytes = p->size - sizeof(head);
    bool ok = head.status == SD_STATUS_OK;
    if (ok ? !shape_fits(type, body_bytes, p->fd_count) : body_bytes != 0 || p->fd_count != 0)
        return -EPROTO;
    reply->status = head.status;
    reply->reason = head.reason;
    reply->fd = p->fd_count ? p->fds[0] : -1;
    memcpy(&reply->body, p->bytes + sizeof(head), body_bytes);
    return 0;
}

long sd_exchange(int connection, uint32_t seq, const struct sd_request *request, struct sd_reply *reply)
{
    uint64_t deadline_ns = sd_now_ns() + SD_CONTROL_TIMEOUT_MS * 1000000ULL;
    *reply = (struct sd_reply){.fd = -1};
    struct packet p;
    long n = send_request(connection, seq, request, deadline_ns);
    if (n == 0)
        n = receive(connection, &p, deadline_ns);
    if (n < 0)
        return n;
    n = parse(&p, request->type, seq, reply);
    if (n < 0)
        close_all(&p);
    return n;
}

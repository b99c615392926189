/* Is a connection still in the backlog of its server? Theory: backlog.h. */
#include "core/backlog.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <string.h>

#include "core/address.h"
#include "core/sys.h"

#define ANSWER_MS 100 /* the kernel answers within the call that asks */

struct question {
    struct nlmsghdr head;
    struct inet_diag_req_v2 what;
};

union answer {
    struct nlmsghdr head;
    struct {
        struct nlmsghdr head;
        struct inet_diag_msg about;
    } socket;
    uint8_t bytes[1024];
};

static void put_ip(__be32 *to, const struct sd_address *from, bool v4)
{
    memcpy(to, v4 ? from->ip + 12 : from->ip, v4 ? 4 : 16);
}

static struct question question_for(const struct sd_address *server, const struct sd_address *client)
{
    bool v4 = sd_address_is_mapped(server);
    struct question q = {
        .head = {.nlmsg_len = sizeof q, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
        .what = {.sdiag_family = v4 ? AF_INET : AF_INET6, .sdiag_protocol = IPPROTO_TCP, .idiag_states = ~0u},
    };
    q.what.id.idiag_sport = htons(server->port);
    q.what.id.idiag_dport = htons(client->port);
    put_ip(q.what.id.idiag_src, server, v4);
    put_ip(q.what.id.idiag_dst, client, v4);
    q.what.id.idiag_cookie[0] = q.what.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    return q;
}

static bool ask(int fd, const struct question *q, union answer *a)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    struct timespec limit = {.tv_nsec = ANSWER_MS * 1000000};
    if (sd_sys_sendto(fd, q, sizeof *q, MSG_DONTWAIT, NULL, 0) != sizeof *q || sd_sys_ppoll(&p, 1, &limit, NULL) != 1)
        return false;
    long n = sd_sys_recvfrom(fd, a, sizeof *a, MSG_DONTWAIT, NULL, NULL);
    return n >= (long)sizeof a->socket && a->head.nlmsg_type == SOCK_DIAG_BY_FAMILY;
}

bool sd_in_backlog(const struct sd_address *server, const struct sd_address *client)
{
    long fd = sd_sys_socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (fd < 0)
        return false;
    union answer a;
    const struct question q = question_for(server, client);
    bool in = ask((int)fd, &q, &a) && a.socket.about.idiag_inode == 0;
    sd_sys_close((int)fd);
    return in;
}

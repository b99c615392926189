/* Is an address one of this host's? The routing table of the calling thread's network namespace knows: a route of type
 * "local" is how the kernel itself decides. It covers every interface, secondary addresses and whole local prefixes.
 *
 * Where netlink sockets are forbidden (a service's sandbox), the source address that the kernel would choose is asked
 * instead: it equals the destination only on the host that owns it. That misses secondary addresses, which costs speed
 * and nothing else. A wrong "no" is always harmless, and so is an answer that is one second old.
 */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>

#include "core/control.h"
#include "core/sys.h"

enum { CACHE_ENTRIES = 16, V4_OFFSET = 12, V4_BYTES = 4, V6_BYTES = 16, PORT_DISCARD = 9 };

static const uint64_t CACHE_NS = 1000000000;
static const uint8_t MAPPED_PREFIX[V4_OFFSET] = {[10] = 0xff, [11] = 0xff};
static const uint8_t ANY_V6[V6_BYTES];
static const uint8_t LOOPBACK_V6[V6_BYTES] = {[15] = 1};

static struct {
    uint8_t ip[V6_BYTES];
    bool local;
    uint64_t until_ns; /* 0: empty */
} cache[CACHE_ENTRIES];
static uint32_t cache_next;
static struct sd_lock cache_lock;
static uint64_t fork_mask;

static bool is_v4(const uint8_t *ip)
{
    return memcmp(ip, MAPPED_PREFIX, sizeof(MAPPED_PREFIX)) == 0;
}

/* Loopback, or the address that means "this host": to connect to it is to connect to loopback. */
static bool is_loopback(const uint8_t *ip)
{
    if (is_v4(ip))
        return ip[V4_OFFSET] == 127 || memcmp(ip + V4_OFFSET, ANY_V6, V4_BYTES) == 0;
    return memcmp(ip, LOOPBACK_V6, V6_BYTES) == 0 || memcmp(ip, ANY_V6, V6_BYTES) == 0;
}

struct route_request {
    struct nlmsghdr head;
    struct rtmsg route;
    struct rtattr attr;
    uint8_t ip[V6_BYTES];
};

static void fill_request(struct route_request *q, const uint8_t *ip)
{
    bool v4 = is_v4(ip);
    uint8_t bytes = v4 ? V4_BYTES : V6_BYTES;
    *q = (struct route_request){
        .head = {.nlmsg_type = RTM_GETROUTE, .nlmsg_flags = NLM_F_REQUEST, .nlmsg_seq = 1},
        .route = {.rtm_family = v4 ? AF_INET : AF_INET6, .rtm_dst_len = (uint8_t)(bytes * 8)},
        .attr = {.rta_type = RTA_DST, .rta_len = (uint16_t)RTA_LENGTH(bytes)},
    };
    memcpy(q->ip, v4 ? ip + V4_OFFSET : ip, bytes);
    q->head.nlmsg_len = (uint32_t)(offsetof(struct route_request, ip) + bytes);
}

/* 1 local, 0 not, -errno if netlink cannot be asked. The kernel answers before send returns. */
static long ask_route(const uint8_t *ip)
{
    long fd = sd_sys_socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0)
        return fd;
    struct route_request q;
    fill_request(&q, ip);
    struct {
        struct nlmsghdr head;
        struct rtmsg route;
        char attrs[512];
    } answer;
    long n = sd_sys_sendto((int)fd, &q, q.head.nlmsg_len, 0, NULL, 0);
    if (n >= 0)
        n = sd_sys_recvfrom((int)fd, &answer, sizeof(answer), MSG_DONTWAIT, NULL, NULL);
    sd_sys_close((int)fd);
    if (n < 0)
        return n;
    return n >= (long)offsetof(__typeof__(answer), attrs) && answer.head.nlmsg_type == RTM_NEWROUTE &&
           answer.route.rtm_type == RTN_LOCAL;
}

/* 1 if the kernel would send from this very address, else 0. No packet leaves: it is a datagram socket. */
static long ask_source(const uint8_t *ip)
{
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(PORT_DISCARD)}, from;
    socklen_t len = sizeof(from);
    memcpy(&to.sin6_addr, ip, V6_BYTES);
    struct sockaddr_in to4 = {.sin_family = AF_INET, .sin_port = htons(PORT_DISCARD)};
    memcpy(&to4.sin_addr, ip + V4_OFFSET, V4_BYTES);
    bool v4 = is_v4(ip);
    long fd = sd_sys_socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    long n = v4 ? sd_sys_connect((int)fd, &to4, sizeof(to4)) : sd_sys_connect((int)fd, &to, sizeof(to));
    if (n == 0)
        n = sd_sys_getsockname((int)fd, &from, &len);
    sd_sys_close((int)fd);
    if (n < 0)
        return 0;
    if (v4)
        return memcmp(&((struct sockaddr_in *)&from)->sin_addr, &to4.sin_addr, V4_BYTES) == 0;
    return memcmp(&from.sin6_addr, &to.sin6_addr, V6_BYTES) == 0;
}

static bool ask_kernel(const uint8_t *ip)
{
    long answer = ask_route(ip);
    return answer < 0 ? ask_source(ip) == 1 : answer == 1;
}

static bool ask_cached(const uint8_t *ip)
{
    uint64_t now_ns = sd_now_ns();
    for (uint32_t i = 0; i < CACHE_ENTRIES; i++)
        if (cache[i].until_ns > now_ns && memcmp(cache[i].ip, ip, V6_BYTES) == 0)
            return cache[i].local;
    bool local = ask_kernel(ip);
    uint32_t place = cache_next++ % CACHE_ENTRIES;
    memcpy(cache[place].ip, ip, V6_BYTES);
    cache[place].local = local;
    cache[place].until_ns = now_ns + CACHE_NS;
    return local;
}

bool sd_address_is_local(const struct sd_address *address)
{
    if (is_loopback(address->ip))
        return true;
    uint64_t mask;
    sd_lock_take(&cache_lock, &mask);
    bool local = ask_cached(address->ip);
    sd_lock_drop(&cache_lock, &mask);
    return local;
}

/* Held over fork, so that no descriptor of a question leaks into the child and the lock is free there. */
void sd_local_fork_prepare(void)
{
    sd_lock_take(&cache_lock, &fork_mask);
}

void sd_local_fork_done(void)
{
    sd_lock_drop(&cache_lock, &fork_mask);
}

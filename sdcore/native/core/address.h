/* Addresses: from the kernel's forms to `struct sd_address` (IPv4 as v4-mapped, so that one comparison serves both). What
 * stands for a Unix socket there says unix.h. */
#ifndef SD_ADDRESS_H
#define SD_ADDRESS_H

#include <netinet/in.h>
#include <string.h>

#include "core/state.h"
#include "core/sys.h"
#include "core/unix.h"

union sd_sockaddr {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un un;
    struct sockaddr_storage storage;
};

static inline bool sd_address_from(struct sd_address *to, const struct sockaddr *from, socklen_t len)
{
    const union sd_sockaddr *u = (const union sd_sockaddr *)from;
    memset(to, 0, sizeof *to);
    if (len >= sizeof(struct sockaddr_in) && u->any.sa_family == AF_INET) {
        to->ip[10] = to->ip[11] = 0xff;
        memcpy(&to->ip[12], &u->v4.sin_addr, 4);
        to->port = ntohs(u->v4.sin_port);
        to->family = AF_INET;
        return true;
    }
    if (len >= sizeof(struct sockaddr_in6) - 4 && u->any.sa_family == AF_INET6) {
        memcpy(to->ip, &u->v6.sin6_addr, 16);
        to->port = ntohs(u->v6.sin6_port);
        to->family = AF_INET6;
        return true;
    }
    if (len >= sizeof u->any.sa_family && u->any.sa_family == AF_UNIX)
        return sd_unix_address(to, &u->un, len);
    return false;
}

static inline bool sd_address_is_mapped(const struct sd_address *a)
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(a->ip, prefix, sizeof prefix) == 0;
}

static inline bool sd_address_same(const struct sd_address *a, const struct sd_address *b)
{
    return a->port == b->port && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

/* The kernel's idea of both ends of a descriptor; false if it has none. */
static inline bool sd_address_ends(int fd, struct sd_address *local, struct sd_address *peer)
{
    union sd_sockaddr u;
    socklen_t len = sizeof u;
    if (sd_sys_getsockname(fd, &u, &len) < 0 || !sd_address_from(local, &u.any, len))
        return false;
    len = sizeof u;
    return sd_sys_getpeername(fd, &u, &len) >= 0 && sd_address_from(peer, &u.any, len);
}

#endif

/* Names of Unix sockets. Theory: unix.h. */
#include "core/unix.h"

#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include "core/api.h"
#include "core/sys.h"

#define SHOWN_BYTES  16u                                    /* of a name, in a struct sd_address */
#define FAMILY_BYTES offsetof(struct sockaddr_un, sun_path) /* the length of an address without a name */
#define DIGITS       5u                                     /* of a name that the kernel chose, behind its NUL */
#define UNIX_PORT    1u                                     /* a destination with port 0 would be none */
#define ANSWER_NS    100000000u                             /* the kernel answers within the call that asks */
#define ANSWER_WORDS 128u

_Static_assert(SHOWN_BYTES == sizeof(((struct sd_address *)0)->ip), "what is shown of a name fills the address");
_Static_assert(sizeof(((struct sockaddr_un *)0)->sun_path) == sizeof(((struct sd_destination *)0)->name),
               "a destination holds every name");

/* Bytes of a name, without the NUL that the kernel puts behind a path. */
static size_t name_bytes(const struct sockaddr_un *from, socklen_t len)
{
    size_t n = len > FAMILY_BYTES ? sd_min_u64(len - FAMILY_BYTES, sizeof from->sun_path) : 0;
    return n && from->sun_path[0] ? strnlen(from->sun_path, n) : n;
}

static uint32_t digit_of(uint8_t letter)
{
    if (letter >= '0' && letter <= '9')
        return letter - (uint32_t)'0';
    return letter >= 'a' && letter <= 'f' ? letter - (uint32_t)'a' + 10 : UINT32_MAX;
}

bool sd_unix_is_chosen(const struct sd_address *name)
{
    if (name->family != AF_UNIX || name->ip[0] || name->ip[DIGITS + 1])
        return false;
    for (uint32_t i = 1; i <= DIGITS; i++)
        if (digit_of(name->ip[i]) == UINT32_MAX)
            return false;
    return true;
}

/* The first of the five digits is left out: connections of a lease that differ in it alone clash. */
static uint16_t number_of(const struct sd_address *name)
{
    uint32_t number = 0;
    for (uint32_t i = 1; i <= DIGITS; i++)
        number = number * 16 + digit_of(name->ip[i]);
    return (uint16_t)number;
}

bool sd_unix_address(struct sd_address *to, const struct sockaddr_un *from, socklen_t len)
{
    size_t n = name_bytes(from, len), shown = sd_min_u64(n, SHOWN_BYTES);
    memset(to, 0, sizeof *to);
    to->family = AF_UNIX;
    memcpy(to->ip, from->sun_path + n - shown, shown);
    if (n > shown && !from->sun_path[0])
        to->ip[0] = 0; /* still no path */
    if (n == DIGITS + 1 && sd_unix_is_chosen(to))
        to->port = number_of(to);
    return len >= FAMILY_BYTES;
}

/* --- destinations --- */

static void fold(uint8_t *to, const uint8_t *name, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i % SHOWN_BYTES] = (uint8_t)(to[i % SHOWN_BYTES] * 31 + name[i]);
}

static bool file_of(struct sd_destination *to, const struct sockaddr_un *addr, size_t n)
{
    char path[sizeof addr->sun_path + 1] = {0};
    struct stat file;
    memcpy(path, addr->sun_path, n);
    if (sd_syscall(SYS_newfstatat, AT_FDCWD, path, &file, 0, 0, 0) < 0 || !S_ISSOCK(file.st_mode))
        return false;
    uint64_t key[2] = {file.st_dev, file.st_ino};
    memcpy(to->at.ip, key, sizeof key);
    return true;
}

bool sd_unix_destination(struct sd_destination *to, const struct sockaddr *addr, socklen_t len)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)addr;
    size_t n = name_bytes(un, len);
    memset(to, 0, sizeof *to);
    to->at.family = AF_UNIX;
    to->at.port = UNIX_PORT;
    if (!n)
        return false;
    if (un->sun_path[0])
        return file_of(to, un, n);
    to->name_bytes = (uint16_t)(n - 1);
    memcpy(to->name, un->sun_path + 1, n - 1);
    fold(to->at.ip, to->name, n - 1);
    return n > 1;
}

/* --- the client's name --- */

bool sd_unix_is_named(const struct sd_socket *s, int fd)
{
    struct sockaddr_un own;
    socklen_t len = sizeof own;
    if (sd_load(&((struct sd_socket *)s)->unnamed) & SD_UNNAMED_OWN)
        return false;
    return sd_sys_getsockname(fd, &own, &len) < 0 || len > FAMILY_BYTES;
}

bool sd_unix_choose_name(struct sd_socket *s, int fd)
{
    struct sockaddr_un none = {.sun_family = AF_UNIX};
    if (sd_load(&s->unnamed) & SD_UNNAMED_OWN)
        return true; /* it connects again */
    if (sd_sys_bind(fd, &none, FAMILY_BYTES) < 0)
        return false;
    atomic_fetch_or(&s->unnamed, SD_UNNAMED_OWN);
    return true;
}

void sd_take_from_sender(int fd)
{
    struct sd_socket *s = sd_socket_of(fd);
    if (s)
        sd_store(&s->by_sender, true);
}

bool sd_is_unnamed(int fd, uint8_t which)
{
    struct sd_socket *s = sd_socket_of(fd);
    return s && sd_load(&s->unnamed) & which;
}

/* As the kernel writes an address: as much as there is place for, and how long it is. */
void sd_show_name(int fd, uint8_t which, const struct sockaddr_un *name, socklen_t size, struct sockaddr *addr,
                  socklen_t *len)
{
    if (sd_is_unnamed(fd, which))
        size = FAMILY_BYTES;
    memcpy(addr, name, sd_min_u64(*len, size));
    *len = size;
}

/* --- the backlog --- */

struct question {
    struct nlmsghdr head;
    struct unix_diag_req what;
};

union answer {
    struct nlmsghdr head;
    struct {
        struct nlmsghdr head;
        struct unix_diag_msg about;
        struct nlattr first; /* we asked for one thing */
        uint32_t peer;
    } socket;
    uint32_t words[ANSWER_WORDS];
};

static bool ask(int fd, uint64_t inode, union answer *a)
{
    const struct question q = {
        .head = {.nlmsg_len = sizeof q, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
        .what = {.sdiag_family = AF_UNIX,
                 .udiag_states = ~0u,
                 .udiag_ino = (uint32_t)inode,
                 .udiag_show = UDIAG_SHOW_PEER,
                 .udiag_cookie = {~0u, ~0u}},
    };
    struct pollfd p = {.fd = fd, .events = POLLIN};
    struct timespec limit = {.tv_nsec = ANSWER_NS};
    if (sd_sys_sendto(fd, &q, sizeof q, MSG_DONTWAIT, NULL, 0) != sizeof q || sd_sys_ppoll(&p, 1, &limit, NULL) != 1)
        return false;
    long n = sd_sys_recvfrom(fd, a, sizeof *a, MSG_DONTWAIT, NULL, NULL);
    return n >= (long)sizeof a->socket && a->head.nlmsg_type == SOCK_DIAG_BY_FAMILY &&
           a->socket.first.nla_type == UNIX_DIAG_PEER;
}

/* The server's end has no inode before accept() gives it one. */
bool sd_unix_in_backlog(int fd)
{
    struct stat own;
    if (fd < 0 || sd_syscall(SYS_fstat, fd, &own, 0, 0, 0, 0) < 0)
        return false;
    long asks = sd_sys_socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (asks < 0)
        return false;
    union answer a;
    bool in = ask((int)asks, own.st_ino, &a) && a.socket.peer == 0;
    sd_sys_close((int)asks);
    return in;
}

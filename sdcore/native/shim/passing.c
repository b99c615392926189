/* Connections that leave our hands: given to the kernel alone, or to a process that may not have the library.
 *
 * The receiver of a descriptor reads and writes the companion, so the connection moves there before the message goes:
 * nobody reads the ring any more, and what was left in it moves too. Of what is received, connections may get rings again.
 */
#include "shim/errno.h"
#include "shim/shim.h"

long sd_leave_to_kernel(int fd, enum sd_reason reason, bool abandon)
{
    if (!sd_socket_of(fd)) {
        if (abandon)
            sd_epoll_left(fd);
        return 0;
    }
    long r = sd_move_to_kernel(fd, reason, abandon);
    return r == SD_PASS ? 0 : r;
}

long sd_stay_with_kernel(int fd, enum sd_reason reason)
{
    sd_stay_in_kernel(fd, reason);
    return sd_leave_to_kernel(fd, reason, true);
}

/* Bytes of data in one control message that also lie in the buffer: the program wrote both lengths. */
static size_t data_bytes(const struct msghdr *msg, const struct cmsghdr *c)
{
    size_t in_buffer = (size_t)((const uint8_t *)msg->msg_control + msg->msg_controllen - (const uint8_t *)c);
    size_t whole = sd_min_u64(c->cmsg_len, in_buffer);
    return whole > CMSG_LEN(0) ? whole - CMSG_LEN(0) : 0;
}

/* Calls `each` for every descriptor in the message, until it answers an error. */
static long for_each_passed(const struct msghdr *msg, long (*each)(int fd))
{
    struct msghdr walked = *msg;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&walked); c; c = CMSG_NXTHDR(&walked, c)) {
        bool rights = c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS;
        size_t count = rights ? data_bytes(msg, c) / sizeof(int) : 0;
        for (size_t i = 0; i < count; i++) {
            int fd;
            __builtin_memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            long r = each(fd);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

static long before_passing_one(int fd)
{
    return sd_leave_to_kernel(fd, SD_REASON_MOVED_PASSED, true);
}

static long after_passing_one(int fd)
{
    sd_met(fd);
    return 0;
}

long sd_before_passing(const struct msghdr *msg)
{
    return for_each_passed(msg, before_passing_one);
}

void sd_after_passing(const struct msghdr *msg)
{
    for_each_passed(msg, after_passing_one);
}

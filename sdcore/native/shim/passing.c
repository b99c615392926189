/* Connections that leave our hands: given to the kernel alone, or to a process that may not have the library.
 *
 * The receiver of a descriptor reads and writes the companion, so the connection moves there before the message goes:
 * nobody reads the ring any more, and what was left in it moves too. Received descriptors are plain ones.
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

static long before_passing_one(const struct msghdr *msg, struct cmsghdr *c)
{
    size_t count = data_bytes(msg, c) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
        int fd;
        __builtin_memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
        long r = sd_leave_to_kernel(fd, SD_REASON_MOVED_PASSED, true);
        if (r < 0)
            return r;
    }
    return 0;
}

long sd_before_passing(const struct msghdr *msg)
{
    struct msghdr walked = *msg;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&walked); c; c = CMSG_NXTHDR(&walked, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        long r = before_passing_one(msg, c);
        if (r < 0)
            return r;
    }
    return 0;
}

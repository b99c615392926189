/* A walk over the program's buffers. */
#ifndef SD_CURSOR_H
#define SD_CURSOR_H

#include <limits.h>
#include <sys/uio.h>

#include "core/base.h"

struct cursor {
    const struct iovec *iov;
    size_t count;
    size_t offset; /* into iov[0] */
    size_t left;   /* bytes in all */
};

/* Empty buffers are passed over at once: a call that is handed the first buffers alone finds room there. */
static inline void cursor_skip(struct cursor *c, size_t n)
{
    c->left -= n;
    c->offset += n;
    while (c->count && c->offset >= c->iov->iov_len) {
        c->offset -= c->iov->iov_len;
        c->iov++;
        c->count--;
    }
}

static inline bool cursor_start(struct cursor *c, const struct iovec *iov, size_t count)
{
    *c = (struct cursor){.iov = iov, .count = count};
    for (size_t i = 0; i < count; i++) {
        if (iov[i].iov_len > (size_t)SSIZE_MAX - c->left)
            return false;
        c->left += iov[i].iov_len;
    }
    cursor_skip(c, 0);
    return true;
}

static inline uint8_t *cursor_at(const struct cursor *c)
{
    return (uint8_t *)c->iov->iov_base + c->offset;
}

static inline size_t cursor_run(const struct cursor *c, size_t n)
{
    return sd_min_u64(n, c->iov->iov_len - c->offset);
}

#endif

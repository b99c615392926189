/* sendfile: the file is read straight into the ring, no copy of ours in between. */
#include "core/api.h"
#include "core/blocked.h"
#include "core/follow.h"
#include "core/peer.h"
#include "core/ring.h"
#include "core/sys.h"
#include "core/thread.h"
#include "core/transfer.h"

#define PIECE_BYTES 262144u /* read at once, so that the peer can begin */

struct source {
    int fd;
    off_t *offset; /* NULL: the file's own position moves */
};

static long read_piece(const struct source *source, uint8_t *to, size_t n)
{
    if (!source->offset)
        return sd_sys_read(source->fd, to, n);
    long got = sd_syscall(SYS_pread64, source->fd, to, n, *source->offset, 0, 0);
    if (got > 0)
        *source->offset += got;
    return got;
}

/* With the send token: reads into the ring, which may lie in several places, up to a piece. */
static long put_piece(struct sd_socket *s, const struct source *source, size_t n)
{
    uint8_t *to;
    size_t done = 0;
    n = sd_min_u64(n, PIECE_BYTES);
    while (done < n) {
        long r = sd_tx_room(s, &to);
        if (r > 0)
            r = read_piece(source, to, sd_min_u64((uint64_t)r, n - done));
        if (r <= 0)
            return done ? (long)done : r;
        sd_tx_commit(s, (size_t)r);
        done += (size_t)r;
    }
    return (long)done;
}

/* One piece. Bytes, 0 at the end of the file, -EAGAIN for no room, SD_PASS when the connection is kernel TCP now. */
static long send_piece(struct sd_socket *s, const struct source *source, size_t n)
{
    sd_look_before_sending(s);
    if (!sd_token_enter(&s->tx.token))
        return -EDEADLK; /* a signal handler inside the call that it interrupted */
    long r = put_piece(s, source, n);
    sd_token_leave(&s->tx.token);
    if (r > 0)
        sd_notify(s, &s->tx.dir->data_wait, true);
    if (r > 0 && sd_load(&s->last_send))
        sd_peer_had_closed(s); /* or it would fill the ring for nobody, and wait for room */
    return r;
}

/* The rest goes the kernel's own way, or has nothing to add to what was sent. The program may close its number meanwhile,
 * and open another file there. */
static long by_kernel(struct sd_socket *s, int out_fd, const struct source *source, size_t n)
{
    out_fd = sd_call_hold(s, out_fd);
    long r = sd_syscall(SYS_sendfile, out_fd, source->fd, source->offset, n, 0, 0);
    if (r > 0)
        sd_count_kernel(out_fd, r, 0);
    return r;
}

static long send_all(struct sd_socket *s, int at, const struct source *source, size_t n)
{
    int out_fd = at;
    size_t done = 0;
    long r = 0;
    for (; done < n; out_fd = sd_call_fd(s, out_fd)) {
        r = sd_load(&s->mode) == SD_MODE_PENDING ? -EAGAIN : send_piece(s, source, n - done);
        if (r == SD_PASS && !done && sd_socket_of(at) == s)
            return SD_PASS;
        if (r == SD_PASS)
            r = by_kernel(s, out_fd, source, n - done);
        else if (r == -EAGAIN && (r = sd_wait_for_room(s, out_fd)) == 0)
            continue;
        if (r <= 0)
            break;
        done += (size_t)r;
    }
    return done ? (long)done : r == -EDEADLK ? -EAGAIN : r;
}

long sd_sendfile(int out_fd, int in_fd, off_t *offset, size_t n)
{
    struct sd_socket *s = sd_socket_here(out_fd);
    if (!s || sd_load_acquire(&s->mode) == SD_MODE_KERNEL)
        return SD_PASS;
    const struct source source = {in_fd, offset};
    struct sd_call call;
    if (!sd_call_enter(&call, out_fd, s))
        return SD_PASS;
    long r = send_all(s, out_fd, &source, n);
    sd_call_leave(&call);
    return r;
}

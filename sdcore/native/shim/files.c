/* Transfers in which the kernel has a hand: sendfile, splice, asynchronous I/O.
 *
 * sendfile into a socket of ours is the core's. splice out of one gives the pipe pages of ours. splice into one and aio
 * work on the companion, so the connection moves there first; where the kernel will read, what is unread
 * in the ring goes there. A job of lio_listio counts as one that reads. tee, vmsplice, copy_file_range fail on sockets of
 * any kind and need no entry point.
 */
#include "shim/errno.h"
#include "shim/libc.h"
#include "shim/transfer.h"

#include "core/sys.h"

/* A source without positions (socket, pipe, terminal) is one that sendfile refuses: the kernel says so, and moves nothing.
 * The core must not read it, for it might wait there. */
static bool has_positions(int fd)
{
    return sd_syscall(SYS_lseek, fd, 0, SEEK_CUR, 0, 0, 0) != -ESPIPE;
}

static long sent_file(int out_fd, int in_fd, off_t *offset, size_t n)
{
    if (!has_positions(in_fd))
        return SD_PASS;
    for (;;) {
        long r = sd_sendfile(out_fd, in_fd, offset, sd_clip(n));
        if (sd_likely(r != -EINTR) || !sd_restarts(out_fd, SO_SNDTIMEO))
            return r;
    }
}

static SD_APART ssize_t sendfile_ours(int out_fd, int in_fd, off_t *offset, size_t n)
{
    long r = sent_file(out_fd, in_fd, offset, n);
    return r == SD_PASS ? sd_counted_out(out_fd, libc.sendfile(out_fd, in_fd, offset, n)) : sd_return_sent(r, 0);
}

SD_EXPORT ssize_t sendfile(int out_fd, int in_fd, off_t *offset, size_t n)
{
    return sd_likely(!sd_socket_of(out_fd)) ? libc.sendfile(out_fd, in_fd, offset, n)
                                            : sendfile_ours(out_fd, in_fd, offset, n);
}
SD_ALIAS(sendfile, sendfile64);

/* --- splice --- */

/* At most `n` bytes that are there, as pages that the pipe may keep: it holds references to them when they are unmapped.
 * The bytes leave the ring when the pipe has taken them. */
static long splice_pages(int fd, int pipe_fd, uint8_t *pages, size_t n, unsigned int flags)
{
    /* SPLICE_F_NONBLOCK is about the pipe alone: splice(2); but not for AF_UNIX */
    bool waits = !(flags & SPLICE_F_NONBLOCK) || sd_family_of(fd) != AF_UNIX;
    long there = sd_received(fd, pages, n, waits ? MSG_PEEK : MSG_PEEK | MSG_DONTWAIT);
    if (there <= 0)
        return there;
    struct iovec v = {pages, (size_t)there};
    long taken = sd_syscall(SYS_vmsplice, pipe_fd, &v, 1, flags & SPLICE_F_NONBLOCK, 0, 0);
    if (taken > 0)
        sd_received(fd, NULL, (size_t)taken, MSG_TRUNC | MSG_DONTWAIT);
    return taken;
}

/* SD_PASS: the kernel does it, or says what is wrong. */
static long splice_from_ours(int fd, const off64_t *at, int pipe_fd, size_t n, unsigned int flags)
{
    long capacity = sd_sys_fcntl(pipe_fd, F_GETPIPE_SZ, 0);
    if (capacity <= 0 || at || n == 0)
        return SD_PASS;
    n = sd_min_u64(n, (uint64_t)capacity);
    void *pages = sd_sys_mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (sd_is_error(pages))
        return (long)pages;
    long r = splice_pages(fd, pipe_fd, pages, n, flags);
    sd_sys_munmap(pages, n);
    return r;
}

static ssize_t splice_by_kernel(int in_fd, off64_t *in_at, int out_fd, off64_t *out_at, size_t n, unsigned int flags)
{
    ssize_t r = libc.splice(in_fd, in_at, out_fd, out_at, n, flags);
    if (sd_socket_of(in_fd))
        sd_counted_in(in_fd, r);
    if (sd_socket_of(out_fd))
        sd_counted_out(out_fd, r);
    return r;
}

SD_EXPORT ssize_t splice(int in_fd, off64_t *in_at, int out_fd, off64_t *out_at, size_t n, unsigned int flags)
{
    long r = sd_socket_of(in_fd) ? splice_from_ours(in_fd, in_at, out_fd, n, flags) : SD_PASS;
    if (r != SD_PASS)
        return sd_return(r);
    r = sd_leave_to_kernel(out_fd, SD_REASON_MOVED_SPLICE, false);
    if (r == 0 && sd_socket_of(out_fd))
        r = sd_send(out_fd, NULL, 0, MSG_DONTWAIT); /* what only we know of its end */
    if (r == -EPIPE || r == -ECONNRESET)
        return sd_return_sent(r, 0);
    return r < 0 && r != SD_PASS && r != -EAGAIN ? sd_return(r)
                                                 : splice_by_kernel(in_fd, in_at, out_fd, out_at, n, flags);
}

/* --- asynchronous I/O --- */

/* The forms for large files have the same structures where off_t has 64 bits. */

static int start_read(struct aiocb *job)
{
    long r = sd_leave_to_kernel(job->aio_fildes, SD_REASON_MOVED_OPTION, true);
    return r < 0 ? (int)sd_return(r) : libc.aio_read(job);
}

SD_EXPORT int aio_read(struct aiocb *job)
{
    return start_read(job);
}

SD_EXPORT int aio_read64(struct aiocb64 *job)
{
    return start_read((struct aiocb *)job);
}

static int start_write(struct aiocb *job)
{
    long r = sd_leave_to_kernel(job->aio_fildes, SD_REASON_MOVED_OPTION, false);
    return r < 0 ? (int)sd_return(r) : libc.aio_write(job);
}

SD_EXPORT int aio_write(struct aiocb *job)
{
    return start_write(job);
}

SD_EXPORT int aio_write64(struct aiocb64 *job)
{
    return start_write((struct aiocb *)job);
}

static int start_list(int mode, struct aiocb *const jobs[], int n, struct sigevent *event)
{
    for (int i = 0; i < n; i++) {
        long r = jobs[i] ? sd_leave_to_kernel(jobs[i]->aio_fildes, SD_REASON_MOVED_OPTION, true) : 0;
        if (r < 0)
            return (int)sd_return(r);
    }
    return libc.lio_listio(mode, jobs, n, event);
}

SD_EXPORT int lio_listio(int mode, struct aiocb *const jobs[], int n, struct sigevent *event)
{
    return start_list(mode, jobs, n, event);
}

SD_EXPORT int lio_listio64(int mode, struct aiocb64 *const jobs[], int n, struct sigevent *event)
{
    return start_list(mode, (struct aiocb *const *)jobs, n, event);
}

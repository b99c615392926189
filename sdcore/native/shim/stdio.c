/* Streams over sockets.
 *
 * libc's streams read and write descriptors by calls of their own that nobody can interpose. A stream made by fdopen on
 * a socket of ours is therefore one whose functions are ours (fopencookie). Its number is entered in the stream, so
 * that fileno answers it: fopencookie streams are what libc itself treats as files, with -2 in that place.
 * dprintf writes by itself too. Streams that exist already are 0, 1 and 2: see fd.c.
 */
#include "shim/errno.h"
#include "shim/libc.h"

#include <stdio_ext.h>

#include "core/control.h"
#include "core/sys.h"

#define LINE_BYTES 512 /* a dprintf up to this long needs no memory */

/* A stream of ours; it is the cookie too. Once made it stays in the list, and serves another stream later: so a walk needs
 * no lock. */
struct stream {
    _Atomic(FILE *) file; /* NULL: free */
    struct stream *next;
    int fd;
};

#define BEING_MADE ((FILE *)1)

static _Atomic(struct stream *) streams;

static struct stream *stream_claim(void)
{
    for (struct stream *s = sd_load_acquire(&streams); s; s = s->next) {
        FILE *none = NULL;
        if (!sd_load(&s->file) && atomic_compare_exchange_strong(&s->file, &none, BEING_MADE))
            return s;
    }
    struct stream *s = sd_alloc(sizeof *s);
    if (!s)
        return NULL;
    sd_store(&s->file, BEING_MADE);
    s->next = sd_load(&streams);
    while (!atomic_compare_exchange_weak(&streams, &s->next, s))
        ;
    return s;
}

/* Not fflush(NULL): that would wait for a thread which reads from another stream, and keeps it locked as long. */
void sd_flush_streams(void)
{
    for (struct stream *s = sd_load_acquire(&streams); s; s = s->next) {
        FILE *file = sd_load_acquire(&s->file); /* pairs with the release in fdopen */
        if (!file || file == BEING_MADE || ftrylockfile(file) != 0)
            continue;
        if (__fpending(file) > 0)
            fflush_unlocked(file);
        funlockfile(file);
    }
}

static int fd_of(void *cookie)
{
    return ((struct stream *)cookie)->fd;
}

static ssize_t stream_read(void *cookie, char *buf, size_t n)
{
    return sd_do_read(fd_of(cookie), buf, n);
}

/* All of it, or an error: a stream takes less as an error without a reason. */
static ssize_t write_all(int fd, const char *buf, size_t n)
{
    size_t done = 0;
    while (done < n) {
        ssize_t r = sd_do_write(fd, buf + done, n - done);
        if (r < 0)
            return done > 0 ? (ssize_t)done : r;
        done += (size_t)r;
    }
    return (ssize_t)done;
}

/* fopencookie's rule: 0 is failure, never -1. */
static ssize_t stream_write(void *cookie, const char *buf, size_t n)
{
    ssize_t r = write_all(fd_of(cookie), buf, n);
    return r < 0 ? 0 : r;
}

static int stream_seek(void *cookie, off64_t *position, int whence)
{
    (void)cookie;
    (void)position;
    (void)whence;
    return (int)sd_return(-ESPIPE);
}

static int stream_close(void *cookie)
{
    struct stream *s = cookie;
    int fd = s->fd;
    sd_store_release(&s->file, NULL);
    return sd_do_close(fd);
}

SD_EXPORT FILE *fdopen(int fd, const char *mode)
{
    static const cookie_io_functions_t functions = {stream_read, stream_write, stream_seek, stream_close};
    if (!sd_socket_of(fd))
        return libc.fdopen(fd, mode);
    struct stream *s = stream_claim();
    if (!s) {
        sd_return(-ENOMEM);
        return NULL;
    }
    s->fd = fd;
    FILE *file = fopencookie(s, mode, functions);
    if (file)
        file->_fileno = fd;
    sd_store_release(&s->file, file);
    return file;
}
SD_ALIAS(fdopen, _IO_fdopen);

/* --- streams that libc closes by itself: 0, 1 and 2 where they are sockets --- */

static int known_fd(FILE *stream)
{
    int saved = errno;
    int fd = stream ? fileno(stream) : -1;
    sd_restore_errno(saved);
    return sd_kind_of(fd) == SD_FILE_SOCKET ? fd : -1;
}

SD_EXPORT int fclose(FILE *stream)
{
    int fd = known_fd(stream);
    int r = libc.fclose(stream);
    if (fd >= 0 && sd_socket_of(fd) && sd_sys_fcntl(fd, F_GETFD, 0) == -EBADF)
        sd_closing(fd);
    return r;
}
SD_ALIAS(fclose, _IO_fclose);

SD_EXPORT FILE *freopen(const char *path, const char *mode, FILE *stream)
{
    int fd = known_fd(stream);
    if (fd >= 0) {
        fflush(stream);
        sd_closing(fd);
    }
    return libc.freopen(path, mode, stream);
}
SD_ALIAS(freopen, freopen64);

/* --- dprintf --- */

static int print_to_socket(int fd, const char *format, va_list args)
{
    char line[LINE_BYTES];
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(line, sizeof line, format, args);
    char *text = line;
    if (n >= LINE_BYTES)
        n = vasprintf(&text, format, again);
    va_end(again);
    if (n < 0)
        return -1;
    ssize_t r = write_all(fd, text, (size_t)n);
    if (text != line)
        free(text);
    return r == n ? n : -1;
}

SD_EXPORT int vdprintf(int fd, const char *format, va_list args)
{
    return sd_socket_of(fd) ? print_to_socket(fd, format, args) : libc.vdprintf(fd, format, args);
}

SD_EXPORT int dprintf(int fd, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = sd_socket_of(fd) ? print_to_socket(fd, format, args) : libc.vdprintf(fd, format, args);
    va_end(args);
    return n;
}

/* Declared only where fortification is on. */
SD_EXPORT int __vdprintf_chk(int fd, int flag, const char *format, va_list args);
SD_EXPORT int __dprintf_chk(int fd, int flag, const char *format, ...);

SD_EXPORT int __vdprintf_chk(int fd, int flag, const char *format, va_list args)
{
    return sd_socket_of(fd) ? print_to_socket(fd, format, args) : libc.__vdprintf_chk(fd, flag, format, args);
}

SD_EXPORT int __dprintf_chk(int fd, int flag, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = sd_socket_of(fd) ? print_to_socket(fd, format, args) : libc.__vdprintf_chk(fd, flag, format, args);
    va_end(args);
    return n;
}

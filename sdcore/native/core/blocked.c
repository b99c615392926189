/* Calls that are inside a connection while another thread closes its descriptor. Theory: blocked.h. */
#include "core/blocked.h"

#include "core/api.h"
#include "core/control.h"
#include "core/peer.h"
#include "core/sys.h"
#include "core/thread.h"
#include "core/wait.h"

static struct {
    struct sd_lock lock; /* a duplicate is made and entered in the table, or a child inherits none */
    uint64_t fork_mask;
    _Atomic uint32_t count; /* hidden duplicates that hold a reference */
    _Atomic bool over;
} kept;

/* --- who is inside --- */

#define UNPINNED 1u /* in the lowest bit of inside_frame: a handler may leave between the name and the pin */

static uintptr_t frame_of(const struct sd_thread *self, int place)
{
    return self->inside_frame[place] & ~(uintptr_t)UNPINNED;
}

static bool on_signal_stack(void)
{
    stack_t other = {0};
    return sd_syscall(SYS_sigaltstack, NULL, &other, 0, 0, 0, 0) < 0 || (other.ss_flags & SS_ONSTACK);
}

/* What a handler left by longjmp, or this thread in an outer call's stead, is forgotten: it lies deeper than we. Its pin goes
 * too, or the object would never be another one's. `own`: the call of this frame, whose pin is its own affair. On a signal
 * stack nobody can tell which is deeper: there a pin may stay. */
static void forget_deeper(struct sd_thread *self, uintptr_t frame, bool own)
{
    for (int i = 0; i < SD_INSIDE; i++) {
        struct sd_socket *s = sd_load(&self->inside[i]);
        if (!s || frame_of(self, i) > frame)
            continue;
        bool pinned = !(self->inside_frame[i] & UNPINNED) && !(own && frame_of(self, i) == frame);
        sd_store(&self->inside[i], NULL);
        if (pinned && !on_signal_stack())
            atomic_fetch_sub(&s->pins, 1);
    }
}

/* Where it stands in this thread's slot, or -1. */
static int name_call(struct sd_call *call)
{
    struct sd_thread *self = sd_thread_attach();
    if (!self)
        return -1;
    forget_deeper(self, (uintptr_t)call, false);
    for (int i = 0; i < SD_INSIDE; i++) {
        if (sd_load(&self->inside[i]))
            continue;
        self->inside_frame[i] = (uintptr_t)call | UNPINNED;
        sd_compiler_fence(); /* a handler that sees the name sees the frame */
        sd_store(&self->inside[i], call->sock);
        return i;
    }
    return -1;
}

static bool names(struct sd_thread *thread, const struct sd_socket *s)
{
    for (int i = 0; i < SD_INSIDE; i++)
        if (sd_load(&thread->inside[i]) == s)
            return true;
    return false;
}

/* Is a thread of this process inside, other than `but`? */
static bool is_inside(const struct sd_socket *s, const struct sd_thread *but)
{
    for (struct sd_thread *t = sd_thread_next(NULL); t; t = sd_thread_next(t))
        if (t != but && names(t, s) && sd_thread_is_ours(t) && sd_thread_lives(t))
            return true;
    return false;
}

/* --- the duplicates --- */

static struct sd_socket *kept_at(int fd)
{
    return sd_load(&sd_g.files[fd].sock);
}

int sd_next_kept(int from)
{
    if (sd_likely(!atomic_load(&kept.count)))
        return -1;
    int fd = sd_next_hidden(from);
    while (fd >= 0 && !kept_at(fd))
        fd = sd_next_hidden(fd + 1);
    return fd;
}

int sd_kept_of(const struct sd_socket *s)
{
    int fd = sd_next_kept(0);
    while (fd >= 0 && kept_at(fd) != s)
        fd = sd_next_kept(fd + 1);
    return fd;
}

int sd_next_reference(int from)
{
    int open = sd_next_open(from), copy = sd_next_kept(from);
    return copy < 0 || (open >= 0 && open < copy) ? open : copy;
}

/* A hidden duplicate in the table, for a reference that the caller has. `means`: what the table says of fd; -EAGAIN if it
 * no longer does. Else -errno: there is no descriptor to be had. */
static long duplicate(struct sd_socket *s, int fd, const struct sd_socket *means)
{
    uint64_t mask;
    sd_lock_take(&kept.lock, &mask);
    long copy = sd_hide_copy(fd);
    if (copy >= 0 && sd_load_acquire(&sd_g.files[fd].sock) != means) {
        sd_close_hidden((int)copy);
        copy = -EAGAIN;
    }
    if (copy >= 0) {
        atomic_fetch_add(&kept.count, 1);
        sd_store_release(&sd_g.files[copy].sock, s); /* pairs with the acquire load in sd_socket_of */
    }
    sd_lock_drop(&kept.lock, &mask);
    return copy;
}

static void end_duplicate(struct sd_socket *s, int fd)
{
    if (!atomic_compare_exchange_strong(&sd_g.files[fd].sock, &s, NULL))
        return; /* somebody else does */
    sd_drop_reference(s, fd);
    sd_close_hidden(fd);
    atomic_fetch_sub(&kept.count, 1);
}

/* Ends what is kept for calls on this object, if none is inside but perhaps `but`'s. */
static void end_if_left(struct sd_socket *s, const struct sd_thread *but)
{
    if (sd_kept_of(s) < 0 || is_inside(s, but))
        return;
    for (int fd = sd_next_kept(0); fd >= 0; fd = sd_next_kept(fd + 1))
        if (kept_at(fd) == s)
            end_duplicate(s, fd);
}

/* A call of this very thread that a handler interrupted is none that goes on: it starts again, and finds it closed. */
bool sd_keep_for_calls(struct sd_socket *s, int fd)
{
    /* after the exchange that took it out of the table; pairs with the pin in sd_call_enter */
    if (sd_likely(!atomic_load(&s->pins)) || sd_load(&kept.over) || !is_inside(s, sd_self))
        return false;
    if (duplicate(s, fd, NULL) < 0)
        return false;
    sd_rename_end(s, fd);
    end_if_left(s, sd_self); /* who was inside may have left before there was anything to end */
    return true;
}

void sd_keep_no_more(void)
{
    sd_store(&kept.over, true);
}

bool sd_keeps_no_more(void)
{
    return sd_load(&kept.over);
}

void sd_kept_renumbered(int old_fd, int new_fd)
{
    struct sd_socket *s = atomic_exchange(&sd_g.files[old_fd].sock, NULL);
    if (s)
        sd_store_release(&sd_g.files[new_fd].sock, s);
}

/* --- the call --- */

struct sd_socket *sd_call_enter(struct sd_call *call, int fd, struct sd_socket *sock)
{
    call->sock = sock;
    int place = name_call(call);
    atomic_fetch_add(&sock->pins, 1); /* before the look at the table; pairs with sd_keep_for_calls */
    if (place >= 0)
        sd_self->inside_frame[place] = (uintptr_t)call;
    if (atomic_load(&sd_g.files[fd].sock) == sock)
        return sock;
    sd_call_leave(call); /* closed meanwhile: the object may be another one's already */
    return NULL;
}

void sd_call_leave(struct sd_call *call)
{
    struct sd_socket *s = call->sock;
    if (sd_has_slot())
        forget_deeper(sd_self, (uintptr_t)call, true);
    atomic_fetch_sub(&s->pins, 1); /* after the name is gone: of two that leave at once the second sees so */
    if (sd_unlikely(atomic_load(&kept.count))) /* pairs with its rise in duplicate, before the closer's last look */
        end_if_left(s, NULL);
}

int sd_call_fd(const struct sd_socket *s, int fd)
{
    return sd_likely(fd >= 0 && sd_load_acquire(&sd_g.files[fd].sock) == s) ? fd : sd_fd_of(s);
}

/* A duplicate of our own is the right one if the descriptor still meant the object after it was made: who closes takes it
 * out of the table before the kernel gives the number to another file. */
static long duplicate_for_call(struct sd_socket *s, int fd)
{
    if (!sd_take_reference(s, fd))
        return -EAGAIN;
    long copy = duplicate(s, fd, s);
    if (copy < 0)
        sd_drop_reference(s, fd);
    return copy;
}

int sd_call_hold(struct sd_socket *s, int fd)
{
    for (;;) {
        int from = sd_call_fd(s, fd);
        if (from < 0 || sd_hidden(from))
            return from; /* nobody ends what is kept before we leave */
        long copy = duplicate_for_call(s, from);
        if (copy != -EAGAIN)
            return copy < 0 ? from : (int)copy;
    }
}

long sd_call_wait(struct sd_socket *s, int fd, short events, uint64_t deadline_ns)
{
    if (!deadline_ns || deadline_ns == UINT64_MAX)
        return 0;
    struct pollfd p = {.fd = sd_call_hold(s, fd), .events = events};
    uint64_t now_ns = sd_now_ns(), left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    struct timespec t = {.tv_sec = (time_t)(left_ns / 1000000000u), .tv_nsec = (long)(left_ns % 1000000000u)};
    long r = sd_sys_ppoll(&p, 1, &t, NULL);
    return r < 0 ? r : r == 0 ? -EAGAIN : 0;
}

long sd_call_send(struct sd_socket *s, int fd, const struct iovec *iov, size_t count, int flags)
{
    const struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = count};
    fd = sd_call_hold(s, fd);
    long r = fd < 0 ? -EBADF : sd_sys_sendmsg(fd, &msg, flags | MSG_NOSIGNAL);
    sd_count_kernel(fd, r, 0);
    return r;
}

long sd_call_recv(struct sd_socket *s, int fd, const struct iovec *iov, size_t count, int flags)
{
    struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = count};
    fd = sd_call_hold(s, fd);
    long r = fd < 0 ? -EBADF : sd_sys_recvmsg(fd, &msg, flags);
    sd_count_kernel(fd, 0, r);
    return r;
}

/* --- fork --- */

void sd_kept_fork_prepare(void)
{
    sd_lock_take(&kept.lock, &kept.fork_mask);
}

void sd_kept_fork_parent(void)
{
    sd_lock_drop(&kept.lock, &kept.fork_mask);
}

/* The references are the parent's: count_inherited leaves hidden ones out. */
void sd_kept_fork_child(void)
{
    for (int fd = sd_next_kept(0); fd >= 0; fd = sd_next_kept(fd + 1)) {
        sd_store(&sd_g.files[fd].sock, NULL);
        sd_close_hidden(fd);
    }
    atomic_store(&kept.count, 0);
    sd_lock_drop(&kept.lock, &kept.fork_mask);
}

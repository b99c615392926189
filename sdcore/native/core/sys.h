/* System calls without libc: no errno, no cancellation, no interposition. They return a value >= 0 or a negated errno.
 *
 * The core uses these and nothing of libc that could enter an interposed function again.
 */
#ifndef SD_SYS_H
#define SD_SYS_H

#include <fcntl.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include "core/base.h"

#if defined(__x86_64__)
static inline long sd_syscall6(long n, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long ret;
    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return ret;
}
#elif defined(__aarch64__)
static inline long sd_syscall6(long n, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = n;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}
#else
#error "sdcore knows x86-64 and aarch64"
#endif

#define sd_syscall(n, a, b, c, d, e, f) \
    sd_syscall6((n), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

static inline long sd_sys_close(int fd)
{
    return sd_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
}
static inline long sd_sys_getpid(void)
{
    return sd_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);
}
static inline long sd_sys_gettid(void)
{
    return sd_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0);
}
static inline long sd_sys_kill(int pid, int sig)
{
    return sd_syscall(SYS_kill, pid, sig, 0, 0, 0, 0);
}
static inline long sd_sys_tgkill(int pid, int tid, int sig)
{
    return sd_syscall(SYS_tgkill, pid, tid, sig, 0, 0, 0);
}
static inline long sd_sys_yield(void)
{
    return sd_syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
}
static inline long sd_sys_fcntl(int fd, int cmd, long arg)
{
    return sd_syscall(SYS_fcntl, fd, cmd, arg, 0, 0, 0);
}
static inline long sd_sys_membarrier(int cmd)
{
    return sd_syscall(SYS_membarrier, cmd, 0, 0, 0, 0, 0);
}
static inline long sd_sys_read(int fd, void *buf, size_t n)
{
    return sd_syscall(SYS_read, fd, buf, n, 0, 0, 0);
}
static inline long sd_sys_write(int fd, const void *buf, size_t n)
{
    return sd_syscall(SYS_write, fd, buf, n, 0, 0, 0);
}

static inline long sd_sys_memfd_create(const char *name, unsigned flags)
{
    return sd_syscall(SYS_memfd_create, name, flags, 0, 0, 0, 0);
}

static inline long sd_sys_ftruncate(int fd, off_t size)
{
    return sd_syscall(SYS_ftruncate, fd, size, 0, 0, 0, 0);
}

/* Returns the mapping, or a negated errno as a pointer: test with sd_is_error. */
static inline void *sd_sys_mmap(void *addr, size_t size, int prot, int flags, int fd, off_t offset)
{
    return (void *)sd_syscall(SYS_mmap, addr, size, prot, flags, fd, offset);
}

static inline bool sd_is_error(const void *p)
{
    return (uintptr_t)p >= (uintptr_t)-4095L;
}

static inline long sd_sys_munmap(void *addr, size_t size)
{
    return sd_syscall(SYS_munmap, addr, size, 0, 0, 0, 0);
}

static inline long sd_sys_madvise(void *addr, size_t size, int advice)
{
    return sd_syscall(SYS_madvise, addr, size, advice, 0, 0, 0);
}

static inline long sd_sys_socket(int domain, int type, int protocol)
{
    return sd_syscall(SYS_socket, domain, type, protocol, 0, 0, 0);
}

static inline long sd_sys_bind(int fd, const void *addr, socklen_t len)
{
    return sd_syscall(SYS_bind, fd, addr, len, 0, 0, 0);
}

static inline long sd_sys_connect(int fd, const void *addr, socklen_t len)
{
    return sd_syscall(SYS_connect, fd, addr, len, 0, 0, 0);
}

static inline long sd_sys_accept4(int fd, void *addr, socklen_t *len, int flags)
{
    return sd_syscall(SYS_accept4, fd, addr, len, flags, 0, 0);
}

static inline long sd_sys_getsockname(int fd, void *addr, socklen_t *len)
{
    return sd_syscall(SYS_getsockname, fd, addr, len, 0, 0, 0);
}

static inline long sd_sys_getpeername(int fd, void *addr, socklen_t *len)
{
    return sd_syscall(SYS_getpeername, fd, addr, len, 0, 0, 0);
}

static inline long sd_sys_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    return sd_syscall(SYS_getsockopt, fd, level, name, value, len, 0);
}

static inline long sd_sys_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    return sd_syscall(SYS_setsockopt, fd, level, name, value, len, 0);
}

static inline long sd_sys_shutdown(int fd, int how)
{
    return sd_syscall(SYS_shutdown, fd, how, 0, 0, 0, 0);
}

static inline long sd_sys_sendto(int fd, const void *buf, size_t n, int flags, const void *addr, socklen_t len)
{
    return sd_syscall(SYS_sendto, fd, buf, n, flags, addr, len);
}

static inline long sd_sys_recvfrom(int fd, void *buf, size_t n, int flags, void *addr, socklen_t *len)
{
    return sd_syscall(SYS_recvfrom, fd, buf, n, flags, addr, len);
}

static inline long sd_sys_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    return sd_syscall(SYS_sendmsg, fd, msg, flags, 0, 0, 0);
}

static inline long sd_sys_recvmsg(int fd, struct msghdr *msg, int flags)
{
    return sd_syscall(SYS_recvmsg, fd, msg, flags, 0, 0, 0);
}

/* timeout may be NULL (for ever); it is not written back to the caller's copy. */
static inline long sd_sys_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
    struct timespec copy = {0};
    if (timeout)
        copy = *timeout;
    return sd_syscall(SYS_ppoll, fds, n, timeout ? &copy : NULL, mask, 8, 0);
}

static inline long sd_sys_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
    return sd_syscall(SYS_epoll_ctl, epfd, op, fd, event, 0, 0);
}

static inline long sd_sys_epoll_pwait(int epfd, struct epoll_event *events, int max, int timeout_ms,
                                      const sigset_t *mask)
{
    return sd_syscall(SYS_epoll_pwait, epfd, events, max, timeout_ms, mask, 8);
}

static inline long sd_sys_ioctl(int fd, unsigned long request, void *arg)
{
    return sd_syscall(SYS_ioctl, fd, request, arg, 0, 0, 0);
}

static inline long sd_sys_sigprocmask(int how, const uint64_t *set, uint64_t *old)
{
    return sd_syscall(SYS_rt_sigprocmask, how, set, old, 8, 0, 0);
}

static inline long sd_sys_getrandom(void *buf, size_t n)
{
    return sd_syscall(SYS_getrandom, buf, n, 0, 0, 0, 0);
}

/* Monotonic time in nanoseconds; through the vDSO, no system call. */
static inline uint64_t sd_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The processor's own counter, the same on all: reading the clock touches three pages more, and after a switch each is a
 * miss. */
static inline uint64_t sd_ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    uint64_t t;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(t));
    return t;
#endif
}

#endif

/* What the entry points (shim/) and the cffi module call. Every function takes descriptors and returns a value >= 0, a
 * negated errno, or SD_PASS: "not ours: call libc". None sets errno. Blocking calls block as the libc call of that name
 * would, and return -EINTR when a signal handler ran.
 */
#ifndef SD_API_H
#define SD_API_H

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>

#include "core/base.h"
#include "core/state.h"

/* life.c: set-up and life of descriptors. `sd_opened_*` are told after libc made the descriptor. */
SD_API void sd_init(void);                                  /* once, from the constructor */
SD_API void sd_exit(void);                                  /* at exit: closes what is open as close would */
SD_API void sd_opened_socket(int fd, int domain, int type); /* after socket() */
SD_API struct sd_socket *sd_new_socket(int fd, int family); /* a fresh object, not yet in the table; or NULL */
SD_API void sd_show_socket(int fd, struct sd_socket *s);    /* enter it in the table */
SD_API void sd_opened_dup(int old_fd, int new_fd);          /* after dup, F_DUPFD; new_fd was free before */
SD_API void sd_closing(int fd);                             /* before close(fd) or before dup2 onto fd */
SD_API bool sd_hidden(int fd);                              /* one of our own: answer EBADF, leave it open */
SD_API long sd_rehide(int fd);                /* a hidden one gives up its number, to be replaced: 0 or -errno */
SD_API int sd_next_hidden(int from);          /* lowest hidden descriptor >= from, or -1 */
SD_API int sd_next_open(int from);            /* lowest descriptor >= from known to us (not hidden), or -1 */
SD_API void sd_set_nonblock(int fd, bool on); /* after fcntl(F_SETFL), FIONBIO */
SD_API bool sd_in_vfork_child(void);          /* shares our memory, has descriptors of its own */
SD_API void sd_fork_prepare(void);
SD_API void sd_fork_parent(void);
SD_API void sd_fork_child(void);
SD_API void sd_fork_failed(void); /* undo what prepare counted */

/* unix.c: a name that the program is not to see, SD_UNNAMED_*; what the kernel says of it, as the program sees it. */
SD_API void sd_take_from_sender(int fd); /* what is unread when it leaves the rings comes from the peer alone */
SD_API bool sd_is_unnamed(int fd, uint8_t which);
SD_API void sd_show_name(int fd, uint8_t which, const struct sockaddr_un *name, socklen_t size, struct sockaddr *addr,
                         socklen_t *len);
SD_API int sd_family_of(int fd);   /* of a socket of ours; else 0 */
SD_API bool sd_uses_rings(int fd); /* is connected, and its bytes go by rings, or may soon */

/* connect.c, accept.c: connections. These do the kernel call themselves. */
SD_API long sd_connect(int fd, const struct sockaddr *addr, socklen_t len);
SD_API void sd_listening(int fd);                          /* after listen() succeeded */
SD_API bool sd_adopt_listener(int fd);                     /* not known yet: take a listening stream socket in */
SD_API void sd_accepted(int listen_fd, int fd, int flags); /* after accept4() gave fd */

/* transfer.c: bytes. flags are MSG_*. */
SD_API long sd_send(int fd, const void *buf, size_t n, int flags);
SD_API long sd_recv(int fd, void *buf, size_t n, int flags);
SD_API long sd_sendv(int fd, const struct iovec *iov, size_t count, int flags);
SD_API long sd_recvv(int fd, const struct iovec *iov, size_t count, int flags, int *msg_flags);
/* Among the flags of sd_recvv: what lies on the companion is not for it, because the program asks for control data, too. */
#define SD_RINGS_ALONE 0x10000000
/* Our direction has been moved: until what has to be sent again is out. 0 or -errno. */
SD_API long sd_await_turn(int fd, int flags);
/* Before a further receive of one call: waits for what there may be, if the call may. -EINTR: a signal came, any. */
SD_API long sd_wait_for_more(int fd, int flags);
SD_API long sd_sendfile(int out_fd, int in_fd, off_t *offset, size_t n);
SD_API long sd_shutdown(int fd, int how);
SD_API bool sd_is_over(int fd);                                /* both ends finished: getpeername says ENOTCONN */
SD_API long sd_unread_bytes(int fd);                           /* FIONREAD */
SD_API long sd_unsent_bytes(int fd);                           /* SIOCOUTQ */
SD_API long sd_tcp_info(int fd, void *value, socklen_t *len);  /* TCP_INFO; 0 or -errno */
SD_API long sd_take_error(int fd);                             /* SO_ERROR: pending errno (>= 0) and clears it */
SD_API void sd_count_kernel(int fd, long sent, long received); /* after a libc call on a tracked kernel socket */

/* join.c: connections that come from another program: one descriptor, or all that were inherited; and after each call that
 * the kernel did. */
SD_API void sd_met(int fd);
SD_API void sd_met_inherited(void);
SD_API void sd_join_look(int fd);
SD_API void sd_join_no_more(struct sd_socket *s, enum sd_reason reason); /* the kernel serves it for a reason of ours */

/* move.c: this connection goes on over kernel TCP, both directions, losing nothing. Afterwards calls give SD_PASS.
 * `abandon`: we cannot read the ring any more (exec, passed on): unread bytes are sent again by the peer. */
SD_API long sd_move_to_kernel(int fd, enum sd_reason reason, bool abandon);
SD_API void sd_stay_in_kernel(int fd, enum sd_reason reason); /* and if not connected yet: never leave it */
SD_API void sd_leave_by_exec(void); /* last before exec: gives back what this process refers to */
SD_API void sd_exec_failed(void);
SD_API void sd_epoll_left(int epfd); /* a set: before it is passed on or inherited by a program that may not know us */
SD_API void sd_before_exec(void);    /* moves what a child's program will inherit */
SD_API void sd_before_shell(const char *command); /* of these, only descriptors whose number the command names */

/* privileges.c: before the process drops to another user, root directory or namespace. */
SD_API void sd_before_losing_access(void);
/* bell.c: this thread may be in another network namespace now. */
SD_API void sd_bells_elsewhere(void);

/* poll.c */
SD_API long sd_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask);
SD_API long sd_pselect(int n, fd_set *in, fd_set *out, fd_set *except, const struct timespec *timeout,
                       const sigset_t *mask);

/* epoll.c */
SD_API long sd_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event);
SD_API long sd_epoll_wait(int epfd, struct epoll_event *events, int max, int64_t timeout_ns, const sigset_t *mask);

#endif

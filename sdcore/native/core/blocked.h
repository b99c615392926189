/* Calls that are inside a connection while another thread closes its descriptor.
 *
 * On Linux a call holds the open file: close() frees the number, and the connection ends when the last call has returned.
 * So here. A call that leaves the fast path enters: it names the socket object in its thread's slot, pins the object, and
 * looks whether the descriptor still means it. Who closes takes the descriptor out of the table, then looks at the pins
 * and at the threads of this process:
 *
 *     the call                                  who closes
 *     name the object, pin (atomic add)         take it out of the table (exchange)
 *     look at the table                         look at the pins, then at the names
 *
 * All four are sequentially consistent: the call sees that it is closed, or who closes sees the call. In that case the
 * closer makes a hidden duplicate of the companion, which inherits the descriptor's reference: the connection lives on, and
 * its peer hears nothing. Who leaves last of those inside ends it: after each leave, as after the making of the duplicate,
 * whoever finds nobody inside takes it out of the table and closes it.
 *
 * A call never keeps a descriptor's number over a sleep: sd_call_fd names one that means the connection now. Before a call
 * goes on in the kernel with bytes that belong to this connection alone, sd_call_hold gives it a number that nobody can
 * close meanwhile.
 *
 * The duplicates close on exec; a forked child closes them at once, for their callers are the parent's.
 */
#ifndef SD_BLOCKED_H
#define SD_BLOCKED_H

#include <sys/uio.h>

#include "core/state.h"

/* One call; its place on the stack tells it from those that a signal handler makes inside it. */
struct sd_call {
    struct sd_socket *sock;
};

/* Holds the object that the table has for fd, until sd_call_leave. NULL, and nothing is held, if it means that object no
 * more. */
SD_API struct sd_socket *sd_call_enter(struct sd_call *call, int fd, struct sd_socket *sock);
SD_API void sd_call_leave(struct sd_call *call);

/* From within a call: a descriptor that means the object now, `fd` if it still does; -1 if none does. */
SD_API int sd_call_fd(const struct sd_socket *s, int fd);

/* The same, and it stays so until the call is left. */
SD_API int sd_call_hold(struct sd_socket *s, int fd);

/* Before a call goes on in the kernel, which began to wait here and has time until the deadline alone: until something of
 * `events` is there. 0, -EAGAIN, or -EINTR. A deadline of 0 or UINT64_MAX means that the kernel may wait as it does. */
SD_API long sd_call_wait(struct sd_socket *s, int fd, short events, uint64_t deadline_ns);

/* The kernel's call on such a descriptor, where the program's number is another file's. Block as the kernel does; bytes or
 * -errno, and no SIGPIPE. */
SD_API long sd_call_send(struct sd_socket *s, int fd, const struct iovec *iov, size_t count, int flags);
SD_API long sd_call_recv(struct sd_socket *s, int fd, const struct iovec *iov, size_t count, int flags);

/* The descriptor has left the table: true if calls of this process are inside, which now hold its reference. */
SD_API bool sd_keep_for_calls(struct sd_socket *s, int fd);

/* A hidden duplicate that holds a reference: the lowest from `from` on, or -1. Costs a walk if there is any. */
SD_API int sd_next_kept(int from);
SD_API int sd_kept_of(const struct sd_socket *s);

/* From now on a close ends the connection, whoever is inside: the process exits. */
SD_API void sd_keep_no_more(void);
SD_API bool sd_keeps_no_more(void);

/* The same, and what sd_next_open finds: everything that may hold a reference. */
SD_API int sd_next_reference(int from);

/* life.c: references to an object. To take one fails if fd means it no more. */
SD_API bool sd_take_reference(struct sd_socket *s, int fd);
SD_API void sd_drop_reference(struct sd_socket *s, int fd);
SD_API void sd_rename_end(struct sd_socket *s, int fd); /* fd closes: the peer may know our end by its number */

SD_API void sd_kept_fork_prepare(void);
SD_API void sd_kept_fork_parent(void);
SD_API void sd_kept_fork_child(void);

/* rehide.c: the program wants the number of a hidden duplicate; `new_fd` is another one. */
SD_API void sd_kept_renumbered(int old_fd, int new_fd);

#endif

/* Sockets of AF_UNIX: what a listener is found by, and how both ends know a connection.
 *
 * The ends of an Internet connection are known by their addresses. The client's end of a Unix connection seldom has one.
 * So who is about to make an offer has the kernel choose a name (unix(7), "autobind": a NUL and five hexadecimal digits,
 * which nobody else in the network namespace has). The server's kernel tells it: this is the hint, and the key of the
 * offer. The program did not ask for a name, so it sees none, at either end, as without us. An end that the program has
 * named itself stays on the kernel's connection.
 *
 * A listener is found by the file that it is bound to, which the client's path leads to now (device and inode: a path may
 * lead elsewhere for others, or later), or by its abstract name.
 */
#ifndef SD_UNIX_H
#define SD_UNIX_H

#include <sys/socket.h>
#include <sys/un.h>

#include "core/control.h"

/* In `unnamed`. */
#define SD_UNNAMED_OWN  1 /* the name of our end is our affair */
#define SD_UNNAMED_PEER 2 /* that of the other end is the library's there */

/* A name as records and offers show it: its last bytes; false if it is none. */
SD_API bool sd_unix_address(struct sd_address *to, const struct sockaddr_un *from, socklen_t len);

/* What is to be asked for, to connect there; false if nothing can be there. */
SD_API bool sd_unix_destination(struct sd_destination *to, const struct sockaddr *addr, socklen_t len);

/* The program has given this end a name. */
SD_API bool sd_unix_is_named(const struct sd_socket *s, int fd);

/* Has the kernel choose a name for our end; false if there is none left. */
SD_API bool sd_unix_choose_name(struct sd_socket *s, int fd);

/* A name that a kernel chose. */
SD_API bool sd_unix_is_chosen(const struct sd_address *name);

/* Whether the connection is still in the backlog of its server; false also if the kernel cannot be asked. */
SD_API bool sd_unix_in_backlog(int fd);

#endif

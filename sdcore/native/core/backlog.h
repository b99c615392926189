/* Is a connection still in the backlog of its server, in the kernel?
 *
 * A client waits for its offer to be taken up. While no process has accepted the connection nobody could answer on kernel
 * TCP either, so waiting costs nothing, and to give up would make the connection slow for its whole life because the server
 * was busy for a second. Once somebody has accepted it and does not take the offer, it is somebody without the library.
 *
 * The kernel tells by sock_diag(7): the server's end has no inode before accept() gives it one.
 */
#ifndef SD_BACKLOG_H
#define SD_BACKLOG_H

#include "core/state.h"

/* True if the kernel says so; false if it says otherwise, or cannot be asked (no sock_diag, another network namespace).
 * Some system calls, which do not block. */
SD_API bool sd_in_backlog(const struct sd_address *server, const struct sd_address *client);

#endif

/* What a consumer that leaves the rings has not read, put where the next reader looks: into its kernel's receive queue.
 *
 * Only the other end of the companion can put bytes there, and the peer may be busy elsewhere for long. So we borrow that
 * end: the peer left its process and descriptor as a hint, and pidfd_getfd gives us a duplicate if the kernel lets us
 * (the same user, and no stricter rule of ptrace). What we get counts only if its addresses are ours the other way
 * round. Then we read the ring and write to the borrowed end, which looks to the peer as if we had read.
 *
 * Who sends what, and when somebody must wait, is decided by the order of changes of one word, the flags beside head, as
 * `leaver` and `mover` say (sdcore/protocol/transport.py). This file performs what `leaver` wants.
 *
 * A peer that has closed has no end to borrow. Then the descriptor gets a connection of its own to read from: over
 * loopback, the unread bytes in it and its other end closed. Only the names of its ends differ. The same where the peer
 * had moved by itself before, and what it sent since lies in the kernel's queue already: then the monitor holds the other
 * end, sends the ring's bytes, and passes on what comes behind them.
 */
#ifndef SD_FORWARD_H
#define SD_FORWARD_H

#include "core/state.h"

/* Our end of the companion, for the peer to borrow. After the descriptor came, or another took its place. */
SD_API void sd_forward_hint(struct sd_socket *s, uint32_t fd);

/* With the receive token; fd is ours. Asks the peer to move by `ask`, and sets RX_ABANDONED beside the final head. True
 * if nothing that we know of is left in the ring. */
SD_API bool sd_forward_and_leave(struct sd_socket *s, int fd, void (*ask)(struct sd_socket *s));

#endif

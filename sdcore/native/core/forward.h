/* What a consumer that leaves the rings has not read, put where the next reader looks: into its kernel's receive queue.
 *
 * Only the other end of the companion can put bytes there, and the peer may be busy elsewhere for long. So we borrow that
 * end: the peer left its process and descriptor as a hint, and pidfd_getfd gives us a duplicate if the kernel lets us
 * (the same user, and no stricter rule of ptrace). What we get counts only if its addresses are ours the other way
 * round. Then we read the ring and write to the borrowed end, which looks to the peer as if we had read.
 *
 * Nothing may overtake these bytes. The peer sends over the companion only after TX_MOVED; so we announce
 * RX_FORWARDING and look for TX_MOVED, and the peer sets TX_MOVED and looks for RX_FORWARDING: one of us sees the other.
 *
 * Nothing may be left behind either. We ask the peer to move before the last look, so what it publishes after that look
 * it knows to be late: it moves. If RX_FORWARDING still stands then, it adds RX_HELD and leaves these bytes to us; we
 * take RX_FORWARDING away only where RX_HELD is not set. One word decides which of us sends them.
 *
 * A peer that has closed has no end to borrow. Then the descriptor gets a connection of its own to read from: over
 * loopback, the unread bytes in it and its other end closed. Only the names of its ends differ.
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

/* What the other side did: the flags in the ring, the companion, offers taken up or not. Slow paths.
 *
 * The companion is the truth about life and death: it reads end-of-file exactly when the last reference to the other end
 * is gone. Flags in the ring say how it ended; without a flag the peer died.
 */
#ifndef SD_PEER_H
#define SD_PEER_H

#include "core/state.h"

#define SD_GONE_EOF   1
#define SD_GONE_RESET 2

/* A descriptor of this process that refers to the object, or -1. */
SD_API int sd_fd_of(const struct sd_socket *s);

/* The peer set POKE or MOVE in the attention line that we read after publishing. */
SD_API void sd_peer_calls(struct sd_socket *s, struct sd_attention *attention, uint32_t armed);

/* One event of the teardown machine, and what it asks for. With both tokens. A close is fed where it happens, in life.c. */
SD_API void sd_teardown_feed(struct sd_socket *s, uint32_t event, uint64_t arg);

/* Feed what is known about the peer's end to the teardown machine and act; takes both tokens. */
SD_API void sd_peer_settle(struct sd_socket *s);

/* For who polls without ever sleeping: looks at the companion, but seldom, since that is a system call. True if it did. */
SD_API bool sd_look_now_and_then(struct sd_socket *s, int fd);

/* Takes the pending error, 0 if there is none, and what the companion has of it: it is told once, moved or not. */
SD_API long sd_tell_error(struct sd_socket *s);

/* With both tokens, before the companion takes over: its kernel learns of a reset that only the rings know. */
SD_API void sd_peer_to_kernel(struct sd_socket *s);

/* The companion's kernel tells of a reset. */
SD_API bool sd_companion_knows(const struct sd_socket *s, int fd);

/* The slow paths of sending begin with this: has the peer closed, did the monitor see somebody die, was the offer refused? */
SD_API void sd_look_before_sending(struct sd_socket *s);

/* A send succeeded although the peer had closed: the next one fails. */
SD_API void sd_peer_had_closed(struct sd_socket *s);

/* connect.c: the server took up the offer (true), or it is still open. */
SD_API bool sd_offer_accepted(struct sd_socket *s);
/* connect.c: take the offer back; afterwards the mode is KERNEL, or RING if the server was faster. */
SD_API void sd_offer_withdraw(struct sd_socket *s, int fd, enum sd_client_event why, enum sd_reason reason);
/* accept.c: look for the offer of a pending socket once; afterwards the mode tells. */
SD_API void sd_pending_look(struct sd_socket *s);
/* accept.c: whether no client can make the offer any more: it took it back, or is gone. */
SD_API bool sd_pending_in_vain(struct sd_socket *s);
/* accept.c: it closes, pending or not; with both tokens. */
SD_API void sd_pending_closed(struct sd_socket *s);
/* accept.c: give up waiting for the offer. */
SD_API void sd_pending_expire(struct sd_socket *s, enum sd_server_event why, enum sd_reason reason);

/* wait.c: threads of ours that sleep on this connection shall look again (after shutdown). */
SD_API void sd_wake_own_sleepers(struct sd_socket *s);
/* wait.c: epoll sets of the family that watch it shall look again: it left the rings, which no peer tells them. */
SD_API void sd_wake_own_watchers(struct sd_socket *s);
/* wait.c: whoever sleeps on this connection, at both ends, shall look again and see how long he may sleep. */
SD_API void sd_wake_all(struct sd_socket *s);

/* Both tokens of a socket, send first. False: inside a signal handler that interrupted the very operation. */
SD_API bool sd_both_enter(struct sd_socket *s);
SD_API void sd_both_leave(struct sd_socket *s);

/* An end that several processes share: one of them may be killed in the middle of what it does for the others, or for the
 * peer, before it rings who waits for it. So a sleeper of either side looks again every SD_SLEEPER_LOOK_NS. */
SD_API void sd_peer_shared(struct sd_socket *s);      /* a fork shares this one from now on */
SD_API bool sd_slab_shared(struct sd_slab *slab);     /* is it so at one of both sides? Ask after announcing a sleep */
SD_API bool sd_peer_died_inside(struct sd_socket *s); /* one of ours died with a token, and left something half done */
SD_API void sd_peer_bury(struct sd_socket *s);        /* then makes it good; no token held */

/* life.c: a reference to the object less; with the last of them it ends, without a descriptor. No token is held. */
SD_API void sd_give_back(struct sd_socket *s);

/* Change the mode; only with both tokens. Tells the epoll sets (after the tokens are left: call sd_mode_announce). */
SD_API void sd_mode_announce(struct sd_socket *s);

/* The rings of a slot for one side; see connect.c and accept.c. The caller names the lease in the record before: what the
 * slab says of it is the peer's to change. */
SD_API void sd_attach_slot(struct sd_socket *s, struct sd_slab *slab, uint32_t slot, uint32_t side);
/* This side is done with the slot (and, if the peer is dead, the peer too). */
SD_API void sd_release_slot(struct sd_socket *s, bool for_peer_too);

#endif

/* What the files of the control plane share: packet.c (one request and its reply), control.c (the connection to the
 * monitor), slab.c (mapping what came), lease.c (what is known of listeners and leases), local.c.
 */
#ifndef SD_CONTROL_IMPL_H
#define SD_CONTROL_IMPL_H

#include "core/control.h"
#include "core/sys.h"

/* packet.c ----------------------------------------------------------------------------------------------------------*/

struct sd_request {
    uint32_t type;    /* SD_MSG_* */
    const void *body; /* NULL: none */
    size_t body_bytes;
    int fd; /* goes along; -1: none */
};

struct sd_reply {
    uint32_t status; /* SD_STATUS_*; unless it is OK, body and fd are empty */
    uint32_t reason; /* SD_REASON_*, checked */
    int fd;          /* the caller's to close; -1: none */
    union {
        struct sd_msg_welcome welcome;
        struct sd_msg_listener listener;
        struct sd_msg_lease lease;
    } body;
};

/* Sends one request on a connection and waits for its reply, for at most SD_CONTROL_TIMEOUT_MS.
 * Returns 0; -ETIMEDOUT; -EMFILE when the reply's descriptor found no room here; or what shows that the connection is
 * of no use any more: -EPROTO (the reply is not one), -EPIPE, -ECONNRESET. */
SD_API long sd_exchange(int connection, uint32_t seq, const struct sd_request *request, struct sd_reply *reply);

/* slab.c ------------------------------------------------------------------------------------------------------------*/

/* Both check that the memory can never shrink, map it, check magic and version, and close the descriptor in any case.
 * Return 0, -EPROTO for memory that is not what it should be, or the errno of the mapping.
 * A status page that is mapped already is replaced at its address, so that pointers to it stay good. */
SD_API long sd_map_status(int fd, struct sd_status **status);
SD_API long sd_map_slab(int fd, struct sd_slab **slab);

/* control.c ---------------------------------------------------------------------------------------------------------*/

/* The control lock: guards everything in control.c and lease.c. */
SD_API void sd_control_enter(uint64_t *mask);
SD_API void sd_control_leave(const uint64_t *mask);

/* With the lock: is there a monitor? Attaches if need be and if the monitor was not missing a moment ago. */
SD_API bool sd_attached(void);

/* With the lock: asks the monitor, attaching if need be. False: no answer could be had. */
SD_API bool sd_ask(const struct sd_request *request, struct sd_reply *reply);

/* With the lock: the monitor sent what it must not send; drop it. */
SD_API void sd_distrust_monitor(void);

/* lease.c: a monitor was found (again): what another one said is void, listening sockets are registered anew. Called
 * with the lock. */
SD_API void sd_leases_renew(void);

/* local.c -----------------------------------------------------------------------------------------------------------*/

SD_API void sd_local_fork_prepare(void);
SD_API void sd_local_fork_done(void);

#endif

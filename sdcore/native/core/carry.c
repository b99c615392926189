/* Bytes that the monitor sends in our place. Contract: control.h. */
#include "core/control_impl.h"

bool sd_carry(const struct sd_socket *s, const struct sd_carry *what, int to, int with)
{
    struct sd_msg_carry body = {
        .lease_id = s->rec.lease_id,
        .slot = s->rec.slot,
        .direction = what->direction,
        .begin = what->begin,
        .end = what->end,
        .base = what->base,
    };
    struct sd_request request = {SD_MSG_CARRY, &body, sizeof(body), {to, with}};
    struct sd_reply reply;
    uint64_t mask;
    sd_control_enter(&mask);
    bool taken = sd_ask(&request, &reply) && reply.status == SD_STATUS_OK;
    sd_control_leave(&mask);
    return taken;
}

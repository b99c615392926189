/* Connections that the monitor keeps for the processes of a family. Contract: control.h. */
#include "core/control_impl.h"

static bool ask(uint32_t type, uint64_t number, int fd, struct sd_reply *reply)
{
    struct sd_msg_kept body = {.number = number};
    struct sd_request request = {type, &body, sizeof(body), {fd, -1}};
    uint64_t mask;
    sd_control_enter(&mask);
    bool done = sd_ask(&request, reply) && reply->status == SD_STATUS_OK;
    sd_control_leave(&mask);
    return done;
}

bool sd_keep(uint64_t number, int fd)
{
    struct sd_reply reply;
    return ask(SD_MSG_KEEP, number, fd, &reply);
}

int sd_kept(uint64_t number)
{
    struct sd_reply reply;
    return ask(SD_MSG_KEPT, number, -1, &reply) ? reply.fd : -1;
}

void sd_let_go(uint64_t number)
{
    struct sd_reply reply;
    ask(SD_MSG_LET_GO, number, -1, &reply);
}

/* Connections that come from another program, and how they get rings again. The `joiner` machine decides; this file performs.
 *
 * An end comes by exec or in a message over a Unix socket, as a plain descriptor. It gets a socket object at once, so that
 * whoever inherits it later is counted. After some calls it is shown to the monitor; the other end, which the monitor
 * invites by a mark in its record, is shown too; and both get a slab that holds this one connection (away.h).
 *
 * The object changes from kernel TCP to rings at the end of a call, when nothing else can be inside: one descriptor refers
 * to it, the process has one thread, and no signal is blocked, as one is while its handler runs. So nobody sleeps in the
 * kernel for what will come by a ring. From that look on until all is changed every signal is blocked: a handler that ran
 * in between might close the descriptor, or fork a child that waits there.
 *
 * A program without the library may have stood between, and still hold the end: of it nobody knows. So an end that came
 * back is left before it closes, as if it were passed on; then the kernel ends the connection, or does not.
 */
#include "core/address.h"
#include "core/api.h"
#include "core/away.h"
#include "core/buffers.h"
#include "core/control_impl.h"
#include "core/peer.h"
#include "core/thread.h"
#include "core/wait.h"

#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef TCP_ULP
#define TCP_ULP 31
#endif

#define FIRST_SLOT    0
#define INHERITED_MAX 64u /* descriptors below are looked at when a program starts */
#define ULP_BYTES     16

/* --- ends that come from another program --- */

static int option_of(int fd, int level, int name)
{
    int value = 0;
    socklen_t len = sizeof value;
    return sd_sys_getsockopt(fd, level, name, &value, &len) < 0 ? -1 : value;
}

static bool is_established(int fd)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    return sd_sys_getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) >= 0 && info.tcpi_state == TCP_ESTABLISHED;
}

/* What the program before has set, or somebody who holds the end, too. */
static void learn_settings(struct sd_socket *s, int fd)
{
    long flags = sd_sys_fcntl(fd, F_GETFL, 0);
    sd_store(&s->nonblock, flags > 0 && (flags & O_NONBLOCK));
    sd_option_set(fd, SO_RCVLOWAT);
}

static void show(int fd, int family)
{
    struct sd_socket *s = sd_new_socket(fd, family);
    if (!s)
        return;
    sd_store(&s->rec.state, SD_SOCK_ESTABLISHED);
    sd_store(&s->rec.transport, SD_TRANSPORT_TCP);
    bool near = sd_address_ends(fd, &s->rec.local, &s->rec.peer) && sd_address_is_local(&s->rec.peer);
    enum sd_reason reason = near ? SD_REASON_HANDED_ON : SD_REASON_PEER_REMOTE;
    sd_store(&s->rec.reason, reason);
    atomic_fetch_add(&sd_g.region->reason[reason], 1);
    if (near)
        sd_joiner_step(&s->joiner, SD_JOINER_EV_MEET, 0);
    sd_show_socket(fd, s);
    learn_settings(s, fd);
}

void sd_met(int fd)
{
    if (fd <= STDERR_FILENO || (uint32_t)fd >= sd_g.file_count || sd_load(&sd_g.files[fd].kind) != SD_FILE_NONE)
        return;
    if (option_of(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP && is_established(fd))
        show(fd, option_of(fd, SOL_SOCKET, SO_DOMAIN));
}

void sd_met_inherited(void)
{
    for (uint32_t fd = STDERR_FILENO + 1; fd < INHERITED_MAX && fd < sd_g.file_count; fd++)
        sd_met((int)fd);
}

/* --- is nothing else inside? --- */

static bool has_one_thread(void)
{
    struct stat tasks;
    long r = sd_syscall(SYS_newfstatat, AT_FDCWD, "/proc/self/task", &tasks, 0, 0, 0);
    return r == 0 && tasks.st_nlink == 3; /* itself, its parent, and one task */
}

/* Inherited descriptors may be duplicates of each other, and of the standard ones we know nothing. */
static bool has_one_number(int fd)
{
    struct stat ours, other;
    if (sd_syscall(SYS_fstat, fd, &ours, 0, 0, 0, 0) < 0)
        return false;
    for (int i = 0; i < (int)INHERITED_MAX; i++)
        if (i != fd && sd_syscall(SYS_fstat, i, &other, 0, 0, 0, 0) == 0 && other.st_ino == ours.st_ino &&
            other.st_dev == ours.st_dev)
            return false;
    return true;
}

/* What only the kernel's connection has would be lost. */
static bool is_plain(int fd)
{
    char protocol[ULP_BYTES];
    socklen_t len = sizeof protocol;
    struct pollfd p = {.fd = fd, .events = POLLPRI | POLLRDHUP};
    struct timespec now = {0};
    bool layered = sd_sys_getsockopt(fd, IPPROTO_TCP, TCP_ULP, protocol, &len) >= 0 && len > 0;
    bool signals = sd_sys_fcntl(fd, F_GETFL, 0) & O_ASYNC;
    return !layered && !signals && sd_sys_ppoll(&p, 1, &now, NULL) == 0 && is_established(fd);
}

static bool came_by_others(const struct sd_socket *s)
{
    uint32_t reason = sd_load(&((struct sd_socket *)s)->rec.reason);
    return reason == SD_REASON_HANDED_ON || reason == SD_REASON_MOVED_PEER;
}

void sd_join_no_more(struct sd_socket *s, enum sd_reason reason)
{
    if (sd_load(&s->mode) == SD_MODE_KERNEL && came_by_others(s))
        sd_store(&s->rec.reason, reason);
}

/* With signals blocked; `mask` is what was blocked before. */
static bool is_alone(struct sd_socket *s, int fd, uint64_t mask)
{
    return fd > STDERR_FILENO && sd_socket_of(fd) == s && came_by_others(s) && sd_load(&s->rec.refs) == 1 &&
           !sd_load(&s->pins) && !sd_load(&s->stays) && !sd_in_vfork_child() && mask == 0 && has_one_thread() &&
           is_plain(fd) && has_one_number(fd) && sd_handlers_end_first();
}

/* --- the slab --- */

/* -1: this is not the connection that the slot is for. */
static int side_in(const struct sd_slot *slot, int fd)
{
    struct sd_address local, peer;
    if (!sd_address_ends(fd, &local, &peer))
        return -1;
    if (sd_address_same(&slot->local, &local) && sd_address_same(&slot->peer, &peer))
        return 0;
    return sd_address_same(&slot->local, &peer) && sd_address_same(&slot->peer, &local) ? 1 : -1;
}

/* What it moved by rings before is counted now: the record shows the rings that it has. */
static void count_earlier_rings(struct sd_socket *s)
{
    struct sd_totals *shm = &sd_g.region->total[SD_TRANSPORT_SHM];
    atomic_fetch_add(&shm->sent_bytes, atomic_exchange(&s->rec.ring_sent_bytes, 0));
    atomic_fetch_add(&shm->received_bytes, atomic_exchange(&s->rec.ring_received_bytes, 0));
}

/* Who asked first comes second, and counts as done until then: so the slot is free when the other one has left before. */
static bool is_there(struct sd_slot *slot, int side)
{
    uint32_t not_here = 1;
    return side == 1 || atomic_compare_exchange_strong(&slot->done, &not_here, 0);
}

static void attach(struct sd_socket *s, int fd, struct sd_grant *grant)
{
    struct sd_slot *slot = &grant->slab->slot[FIRST_SLOT];
    uint32_t word = sd_load_acquire(&slot->offer);
    int side = side_in(slot, fd);
    if (side < 0 || word % SD_OFFER_STATES != SD_OFFER_ACCEPTED || !sd_both_enter(s))
        return;
    if (!is_there(slot, side)) {
        sd_both_leave(s);
        return;
    }
    learn_settings(s, fd);
    count_earlier_rings(s);
    s->rec.lease_id = grant->lease_id;
    sd_store(&s->rec.fd, (uint32_t)fd);
    sd_attach_slot(s, grant->slab, FIRST_SLOT, (uint32_t)side);
    s->offer = word;
    sd_store(&s->last_send, false);
    sd_store(&s->refused_send, false);
    s->peer_dead = false;
    sd_store(&s->slow_send, 0);
    sd_store(&s->came_back, true);
    sd_away_begin(s);
    sd_store(&s->rec.transport, SD_TRANSPORT_SHM);
    sd_store(&s->rec.reason, SD_REASON_ACCELERATED);
    sd_store_release(&s->mode, SD_MODE_RING);
    sd_window_follow(s);
    sd_move_if_drained(s);
    sd_both_leave(s);
    sd_mode_announce(s);
}

/* --- driver of `joiner` --- */

static struct sd_grant *grant_of(struct sd_reply *reply)
{
    struct sd_grant *grant;
    if (reply->status != SD_STATUS_OK || reply->fd < 0)
        return NULL;
    long r = sd_learn_lease(reply->fd, &reply->body.lease, SD_SLAB_CLIENT, &grant);
    if (r == -EPROTO)
        sd_distrust_monitor();
    return r < 0 ? NULL : grant;
}

static struct sd_grant *ask(const struct sd_socket *s, int fd)
{
    struct sd_msg_join body = {.index = (uint64_t)(s - sd_g.sockets)};
    struct sd_request request = {SD_MSG_JOIN, &body, sizeof(body), {fd, -1}};
    struct sd_reply reply;
    uint64_t mask;
    sd_control_enter(&mask);
    struct sd_grant *grant = sd_ask(&request, &reply) ? grant_of(&reply) : NULL;
    sd_control_leave(&mask);
    return grant;
}

static void feed(struct sd_socket *s, int fd, uint32_t event)
{
    const uint64_t every = UINT64_MAX;
    uint64_t mask;
    if (sd_joiner_step(&s->joiner, event, 0) != SD_JOINER_DO_ASK)
        return;
    sd_store(&s->rec.invited, 0);
    sd_sys_sigprocmask(SIG_SETMASK, &every, &mask);
    struct sd_grant *grant = is_alone(s, fd, mask) ? ask(s, fd) : NULL;
    uint32_t next = grant ? SD_JOINER_EV_GRANTED : SD_JOINER_EV_REFUSED;
    if (sd_joiner_step(&s->joiner, next, 0) == SD_JOINER_DO_ATTACH)
        attach(s, fd, grant);
    sd_sys_sigprocmask(SIG_SETMASK, &mask, NULL);
}

void sd_join_look(int fd)
{
    struct sd_socket *s = sd_socket_of(fd);
    if (!s || sd_load(&s->mode) != SD_MODE_KERNEL)
        return;
    bool invited = sd_load(&s->rec.invited);
    if ((!invited && s->joiner.state != SD_JOINER_HOPING) || atomic_exchange(&s->joining, 1))
        return;
    feed(s, fd, invited ? SD_JOINER_EV_INVITED : SD_JOINER_EV_CALL);
    sd_store_release(&s->joining, 0);
}

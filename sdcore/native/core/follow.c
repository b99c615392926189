/* Following a connection that another process of the family replaced. Theory: follow.h. */
#include "core/follow.h"

#include "core/api.h"
#include "core/blocked.h"
#include "core/control.h"
#include "core/epoll.h"
#include "core/peer.h"
#include "core/sys.h"
#include "core/thread.h"

void sd_show_instead(struct sd_socket *s, int reader)
{
    for (int fd = sd_next_reference(0); fd >= 0; fd = sd_next_reference(fd + 1)) {
        long flags = sd_socket_of(fd) == s ? sd_sys_fcntl(fd, F_GETFD, 0) : -EBADF;
        if (flags >= 0)
            sd_syscall(SYS_dup3, reader, fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0, 0, 0, 0);
    }
    if (sd_load(&s->nonblock))
        sd_sys_fcntl(reader, F_SETFL, O_RDWR | O_NONBLOCK);
}

uint32_t sd_other_references(struct sd_socket *s)
{
    uint32_t own = 0, all = sd_load(&s->rec.refs);
    if (!sd_in_vfork_child()) /* there they are the parent's, whose descriptors are others */
        for (int fd = sd_next_reference(0); fd >= 0; fd = sd_next_reference(fd + 1))
            own += sd_socket_of(fd) == s;
    return all > own ? all - own : 0;
}

/* --- the leaver's part --- */

static uint64_t number_of(const struct sd_socket *s)
{
    return (uint64_t)(s - sd_g.sockets);
}

bool sd_keep_for_others(struct sd_socket *s, int reader)
{
    struct sd_socket *heir = sd_new_socket(reader, s->family);
    if (!heir)
        return false;
    if (!sd_keep(number_of(s), reader)) {
        sd_give_back(heir);
        return false;
    }
    s->heir = heir; /* our reference to it lives as long as s */
    return true;
}

void sd_heir_begins(struct sd_socket *s)
{
    struct sd_socket_record *old = &s->rec, *new = &s->heir->rec;
    sd_store(&new->state, sd_load(&old->state));
    sd_store(&new->transport, SD_TRANSPORT_TCP);
    sd_store(&new->reason, sd_load(&old->reason));
    sd_store(&new->kernel_sent_bytes, sd_load(&old->kernel_sent_bytes));
    sd_store(&new->kernel_received_bytes, sd_load(&old->kernel_received_bytes));
    sd_store(&new->ring_sent_bytes, sd_load(&old->ring_sent_bytes));
    sd_store(&new->ring_received_bytes, sd_load(&old->ring_received_bytes));
    new->side = old->side;
    new->local = old->local;
    new->peer = old->peer;
    sd_store(&s->heir->nonblock, sd_load(&s->nonblock));
    sd_store(&s->heir->shared, 1);
    sd_store(&old->state, SD_SOCK_CLOSED); /* counted once */
}

/* --- driver of `follower` --- */

#define NO_EVENT UINT32_MAX

struct following {
    struct sd_socket *s;
    int reader;
    uint32_t event;      /* to be fed next, or NO_EVENT */
    uint32_t references; /* to be given back when no token is held */
};

/* The program's descriptors refer to the heir. How many there were. What the library holds for a call that is under way
 * shows what stands in, and is the old object's until the call ends. */
static uint32_t refer_to_heir(struct sd_socket *s)
{
    uint32_t moved = 0;
    for (int fd = sd_next_open(0); fd >= 0; fd = sd_next_open(fd + 1)) {
        struct sd_socket *seen = s;
        if (sd_socket_of(fd) != s)
            continue;
        atomic_fetch_add(&s->heir->rec.refs, 1);
        if (atomic_compare_exchange_strong(&sd_g.files[fd].sock, &seen, s->heir)) {
            sd_store(&s->heir->rec.pid, sd_g.pid);
            sd_store(&s->heir->rec.fd, (uint32_t)fd);
            moved++;
        } else {
            atomic_fetch_sub(&s->heir->rec.refs, 1); /* never the last: s holds one */
        }
    }
    return moved;
}

static void fetch(struct following *f)
{
    f->reader = sd_kept(number_of(f->s));
    f->event = f->reader >= 0 ? SD_FOLLOWER_EV_GOT : SD_FOLLOWER_EV_REFUSED;
}

static void show(struct following *f)
{
    sd_show_instead(f->s, f->reader);
    sd_sys_close(f->reader);
    f->event = SD_FOLLOWER_EV_SHOWN;
}

static void perform(struct following *f, uint32_t effect)
{
    switch (effect) {
    case SD_FOLLOWER_DO_FETCH: fetch(f); break;
    case SD_FOLLOWER_DO_SHOW: show(f); break;
    default: assert(effect == SD_FOLLOWER_DO_GIVE_BACK); f->references = sd_in_vfork_child() ? 0 : refer_to_heir(f->s);
    }
}

static void run(struct following *f)
{
    struct sd_follower machine;
    sd_follower_start(&machine);
    while (f->event != NO_EVENT) {
        uint32_t todo = sd_follower_step(&machine, f->event, 0);
        f->event = NO_EVENT;
        for (; todo && todo != SD_NO_ROW; todo >>= 8)
            perform(f, todo & 0xff);
    }
}

/* The tokens keep other threads of this process, which would show the same, out meanwhile. */
void sd_follow(struct sd_socket *s)
{
    struct following f = {.s = s, .reader = -1, .event = SD_FOLLOWER_EV_CALL};
    sd_pin(s);
    if (sd_both_enter(s)) {
        if (sd_load(&s->mode) == SD_MODE_ELSEWHERE && sd_fd_of(s) >= 0)
            run(&f);
        sd_both_leave(s);
    }
    if (f.references)
        sd_epoll_inherit(s, s->heir);
    for (; f.references; f.references--)
        sd_give_back(s);
    sd_unpin(s);
}

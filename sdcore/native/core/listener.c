/* Listening sockets and the monitor: the driver of the `listener` machine, and the slabs of a listener's clients.
 *
 * Each process of a family tells the monitor by itself: it becomes a member, and may ask for the slabs. So the machine
 * stands here, in memory of the process, and not in the socket object that the family shares.
 *
 * An entry, once in the list, stays: sd_leases_of reads the list without the lock. Slabs are put in front, so a reader
 * sees a whole list at any time. The entry of a listener that is closed while connections from it still wait for their
 * offers keeps its object, which those hold by pins: they find its slabs as before. It starts anew with the object.
 *
 * TCP_DEFER_ACCEPT has the kernel keep a connection back until data come; those of our clients come through a ring, which
 * needs an accept first. So the kernel's is set to nought once clients may come through a slab, and the program's value
 * is kept to be told.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "core/api.h"
#include "core/control_impl.h"

struct entry {
    _Atomic(struct sd_socket *) sock; /* NULL: unused */
    struct sd_listener m;
    uint64_t listener_id;        /* at the monitor to which we are attached; 0: not known there */
    uint64_t last_lease;         /* the newest that this monitor told us of */
    _Atomic uint64_t seen;       /* lease generation of the status page at the last look */
    _Atomic uint32_t attachment; /* at which attachment that was */
    _Atomic(struct sd_grant *) leases;
    struct entry *next;
};

static _Atomic(struct entry *) entries;

static struct entry *find(const struct sd_socket *s)
{
    for (struct entry *e = sd_load_acquire(&entries); e; e = e->next)
        if (sd_load_acquire(&e->sock) == s)
            return e;
    return NULL;
}

static void restart(struct entry *e)
{
    sd_listener_start(&e->m);
    e->listener_id = e->last_lease = 0;
    sd_store(&e->attachment, 0);
    sd_store(&e->leases, NULL);
}

static struct entry *make(struct sd_socket *s)
{
    struct entry *e = find(NULL);
    if (!e) {
        e = sd_alloc(sizeof(*e));
        if (!e)
            return NULL;
        e->next = sd_load(&entries);
        sd_store_release(&entries, e); /* pairs with the acquire in find */
    }
    restart(e);
    sd_store_release(&e->sock, s);
    return e;
}

/* A descriptor of this process for the object, or -1. */
static int descriptor_of(const struct sd_socket *s)
{
    uint32_t high = sd_load(&sd_g.file_high);
    for (uint32_t fd = 0; fd < high && fd < sd_g.file_count; fd++)
        if (sd_load(&sd_g.files[fd].sock) == s)
            return (int)fd;
    return -1;
}

/* --- the machine --- */

static void accept_at_once(struct sd_socket *s, int fd)
{
    int deferral = 0, none = 0;
    socklen_t len = sizeof deferral;
    if (sd_sys_getsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &deferral, &len) < 0 || deferral == 0)
        return;
    sd_store(&s->deferral, deferral);
    sd_sys_setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &none, sizeof none);
}

/* Tells the monitor; returns the event that says how it went. */
static uint32_t register_at_monitor(struct entry *e, int fd)
{
    struct sd_socket *s = sd_load(&e->sock);
    struct sd_request request = {SD_MSG_LISTEN, NULL, 0, {fd, -1}};
    struct sd_reply reply = {0};
    if (fd < 0 || !sd_ask(&request, &reply) || reply.status != SD_STATUS_OK) {
        sd_store(&s->rec.reason, reply.reason ? reply.reason : sd_not_attached_reason());
        return SD_LISTENER_EV_REGISTER_FAILED;
    }
    e->listener_id = reply.body.listener.listener_id;
    e->last_lease = 0;
    s->listener_id = e->listener_id;
    sd_store(&s->rec.reason, SD_REASON_ACCELERATED);
    accept_at_once(s, fd);
    return SD_LISTENER_EV_REGISTERED_OK;
}

/* Best effort: a monitor that is gone has forgotten it anyway. */
static void unregister_at_monitor(const struct entry *e)
{
    struct sd_msg_listener body = {.listener_id = e->listener_id};
    struct sd_request request = {SD_MSG_UNLISTEN, &body, sizeof(body), {-1, -1}};
    struct sd_reply reply;
    if (e->listener_id && sd_process_id())
        sd_ask(&request, &reply);
}

static void save_syn(int fd)
{
    int on = 1;
    sd_sys_setsockopt(fd, IPPROTO_TCP, TCP_SAVE_SYN, &on, sizeof(on));
}

static void feed(struct entry *e, uint32_t event, int fd)
{
    uint32_t todo = sd_listener_step(&e->m, event, 0);
    assert(todo != SD_NO_ROW);
    for (; todo; todo >>= 8)
        switch (todo & 0xff) {
        case SD_LISTENER_DO_SAVE_SYN: save_syn(fd); break;
        case SD_LISTENER_DO_REGISTER: feed(e, register_at_monitor(e, fd), fd); break;
        default: assert((todo & 0xff) == SD_LISTENER_DO_UNREGISTER); unregister_at_monitor(e);
        }
}

void sd_register_listener(struct sd_socket *s, int fd)
{
    assert(s && fd >= 0);
    uint64_t mask;
    sd_control_enter(&mask);
    struct entry *e = find(s);
    if (!e)
        e = make(s);
    else if (!s->listener_id) /* a new socket in an object whose old one another process closed last */
        restart(e);
    if (e)
        feed(e, SD_LISTENER_EV_LISTEN, fd);
    sd_control_leave(&mask);
}

void sd_unregister_listener(struct sd_socket *s)
{
    uint64_t mask;
    sd_control_enter(&mask);
    struct entry *e = find(s);
    if (e) {
        feed(e, SD_LISTENER_EV_CLOSE, -1);
        if (!sd_load(&s->pins))
            sd_store_release(&e->sock, NULL);
    }
    sd_control_leave(&mask);
}

void sd_listeners_renew(void)
{
    for (struct entry *e = sd_load(&entries); e; e = e->next) {
        struct sd_socket *s = sd_load(&e->sock);
        if (!s || sd_load(&s->rec.state) != SD_SOCK_LISTENING)
            continue;
        e->listener_id = 0;
        feed(e, SD_LISTENER_EV_MONITOR_RETURNED, descriptor_of(s));
    }
}

bool sd_listeners_any(void)
{
    for (struct entry *e = sd_load(&entries); e; e = e->next)
        if (sd_load(&e->sock) && e->m.state != SD_LISTENER_CLOSED)
            return true;
    return false;
}

/* --- slabs of the clients --- */

static bool has(const struct entry *e, const struct sd_grant *lease)
{
    for (const struct sd_grant *l = sd_load(&e->leases); l; l = l->next)
        if (l == lease)
            return true;
    return false;
}

static void add(struct entry *e, struct sd_grant *lease)
{
    if (has(e, lease))
        return;
    lease->next = sd_load(&e->leases);
    sd_store_release(&e->leases, lease); /* pairs with the acquire in sd_leases_of */
}

/* Asks for the next slab. 1: there was one; 0: no more; negative: no answer. */
static int ask_next(struct entry *e, int fd)
{
    struct sd_msg_after body = {.lease_id = e->last_lease};
    struct sd_request request = {SD_MSG_LEASES_OF, &body, sizeof(body), {fd, -1}};
    struct sd_reply reply;
    if (!sd_ask(&request, &reply) || reply.status != SD_STATUS_OK)
        return -1;
    const struct sd_msg_lease *told = &reply.body.lease;
    if (told->lease_id == 0 && reply.fd < 0)
        return 0;
    struct sd_grant *lease;
    long n = -EPROTO;
    if (reply.fd >= 0 && told->lease_id > e->last_lease)
        n = sd_learn_lease(reply.fd, told, SD_SLAB_SERVER, &lease);
    else if (reply.fd >= 0)
        sd_sys_close(reply.fd);
    if (n == -EPROTO)
        sd_distrust_monitor();
    if (n < 0 && n != SD_SLAB_SPOILT)
        return -1;
    e->last_lease = told->lease_id;
    if (n == 0)
        add(e, lease);
    return 1;
}

static bool is_fresh(const struct entry *e)
{
    const struct sd_status *status = sd_g.status;
    return status && sd_load(&e->seen) == sd_load_acquire(&status->leases) &&
           sd_load(&e->attachment) == sd_attachments();
}

/* The generation is read before the question: what comes after it moves it again. */
static void refresh_leases(struct entry *e, int fd)
{
    if (!sd_attached() || is_fresh(e))
        return;
    sd_sweep_slabs(); /* where clients come, others have gone */
    uint64_t generation = sd_load_acquire(&sd_g.status->leases);
    uint32_t attachment = sd_attachments();
    int more;
    while ((more = ask_next(e, fd)) > 0)
        continue;
    if (more < 0)
        return;
    sd_store(&e->seen, generation);
    sd_store(&e->attachment, attachment);
}

struct sd_grant *sd_leases_of(struct sd_socket *listener, int listen_fd, bool refresh)
{
    if (refresh)
        sd_control_look();
    struct entry *e = find(listener);
    if (!e)
        return NULL;
    if (refresh && !is_fresh(e)) {
        uint64_t mask;
        sd_control_enter(&mask);
        refresh_leases(e, listen_fd);
        sd_control_leave(&mask);
    }
    return sd_load_acquire(&e->leases);
}

void sd_listeners_unlink(struct sd_grant *lease)
{
    for (struct entry *e = sd_load(&entries); e; e = e->next) {
        if (sd_load(&e->leases) == lease)
            sd_store_release(&e->leases, lease->next);
        for (struct sd_grant *l = sd_load(&e->leases); l; l = l->next)
            if (l->next == lease)
                l->next = lease->next;
    }
}

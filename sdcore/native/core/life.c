/* Set-up, and the life of descriptors: opened, duplicated, closed, inherited.
 *
 * A socket object counts the descriptors that refer to it over the whole family, as the kernel counts those of an open
 * file description. The last close ends the connection in the rings; the kernel's close of the companion follows.
 * A process that is killed leaves its count too high: then no flag is set, and the peer learns the end from the companion.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "core/api.h"
#include "core/blocked.h"
#include "core/buffers.h"
#include "core/control.h"
#include "core/epoll.h"
#include "core/forward.h"
#include "core/move.h"
#include "core/peer.h"
#include "core/record.h"
#include "core/ring.h"
#include "core/space.h"
#include "core/sys.h"
#include "core/thread.h"

#define FILES_LEAST    64u
#define FILES_MAX      1048576u
#define REGION_ALIGN   4096u
#define LINGER_LOOK_NS 2000000u

struct sd_globals sd_g = {.region_fd = -1, .ringer_fd = {-1, -1}};

/* --- set-up --- */

static size_t aligned(size_t n)
{
    return (n + REGION_ALIGN - 1) / REGION_ALIGN * REGION_ALIGN;
}

static void *reserve(size_t size)
{
    sd_space_note(size);
    void *p = sd_sys_mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (sd_is_error(p))
        sd_space_give(size);
    return sd_is_error(p) ? NULL : p;
}

static bool make_files(void)
{
    struct rlimit limit = {.rlim_max = FILES_MAX};
    sd_syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit, 0, 0);
    sd_g.file_count = (uint32_t)sd_min_u64(limit.rlim_max, FILES_MAX);
    sd_g.files = reserve(sd_g.file_count * sizeof *sd_g.files);
    if (!sd_g.files)
        sd_g.file_count = 0;
    return sd_g.files != NULL;
}

static void lay_out_region(struct sd_region *region, size_t sockets_at, size_t threads_at, size_t used_at)
{
    region->magic = SD_REGION_MAGIC;
    region->version = SD_LAYOUT_VERSION;
    region->socket_offset = (uint32_t)sockets_at;
    region->socket_stride = sizeof(struct sd_socket);
    sd_g.region = region;
    sd_g.sockets = (struct sd_socket *)((char *)region + sockets_at);
    sd_g.threads = (struct sd_thread *)((char *)region + threads_at);
    sd_g.thread_used = (_Atomic uint64_t *)((char *)region + used_at);
}

static uint64_t limit_of(int resource)
{
    struct rlimit limit = {.rlim_cur = RLIM_INFINITY};
    sd_syscall(SYS_prlimit64, 0, resource, NULL, &limit, 0, 0);
    return limit.rlim_cur;
}

static bool make_region(void)
{
    size_t sockets_at = aligned(sizeof(struct sd_region));
    size_t threads_at = sockets_at + aligned(SD_SOCKETS * sizeof(struct sd_socket));
    size_t used_at = threads_at + aligned(SD_THREADS * sizeof(struct sd_thread));
    size_t size = used_at + aligned(SD_THREADS / 8);
    if (limit_of(RLIMIT_FSIZE) < size)
        return false; /* to exceed it would raise SIGXFSZ in the program */
    if (limit_of(RLIMIT_NOFILE) < FILES_LEAST)
        return false; /* our few descriptors would be missed */
    sd_space_note(size);
    long fd = sd_sys_memfd_create("sdcore-region", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return false;
    if (sd_sys_ftruncate((int)fd, (off_t)size) < 0 ||
        sd_sys_fcntl((int)fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0 ||
        (fd = sd_hide((int)fd)) < 0)
        return false;
    void *p = sd_space_map(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, (int)fd);
    if (sd_is_error(p))
        return false;
    sd_sys_madvise(p, size, MADV_DONTDUMP);
    sd_g.region_fd = (int)fd;
    lay_out_region(p, sockets_at, threads_at, used_at);
    return true;
}

static uint32_t usable_cpus(void)
{
    uint64_t mask[16] = {0};
    long bytes = sd_syscall(SYS_sched_getaffinity, 0, sizeof mask, mask, 0, 0, 0);
    uint32_t cpus = 0;
    for (long i = 0; i < bytes / 8; i++)
        cpus += (uint32_t)__builtin_popcountll(mask[i]);
    return cpus ? cpus : 1;
}

static void register_membarrier(void)
{
    sd_g.no_membarrier = sd_sys_membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) < 0;
    sd_g.heavy_fence = sd_g.heavy_fence || sd_g.no_membarrier;
    sd_store(&sd_g.unusual, sd_load(&sd_g.unusual) || sd_g.heavy_fence);
}

void sd_init(void)
{
    sd_g.pid = (uint32_t)sd_sys_getpid();
    sd_g.cpus = usable_cpus();
    const char *disable = secure_getenv("SDCORE_DISABLE");
    sd_g.disabled = (disable && disable[0] && disable[0] != '0') || !make_files();
    if (sd_g.disabled) {
        sd_g.file_count = 0;
        return;
    }
    register_membarrier();
    sd_record_open();
    sd_control_init();
}

/* The region is made when the first socket needs it: programs without sockets pay nothing. */
static struct {
    struct sd_lock lock; /* held over fork, too: a child has the whole region, or none */
    uint64_t fork_mask;
} making;

static bool have_region(void)
{
    if (sd_g.region)
        return true;
    uint64_t mask;
    sd_lock_take(&making.lock, &mask);
    bool have = sd_g.region || make_region();
    sd_lock_drop(&making.lock, &mask);
    return have;
}

/* --- objects --- */

void sd_pin(struct sd_socket *s)
{
    atomic_fetch_add_explicit(&s->pins, 1, memory_order_acquire);
}

void sd_unpin(struct sd_socket *s)
{
    atomic_fetch_sub_explicit(&s->pins, 1, memory_order_release);
}

static void raise_high(_Atomic uint32_t *high, uint32_t value)
{
    uint32_t seen = atomic_load(high);
    while (seen < value && !atomic_compare_exchange_weak(high, &seen, value))
        ;
}

static struct sd_socket *claim_object(void)
{
    static _Atomic uint32_t next;
    uint32_t start = atomic_load(&next);
    for (uint32_t i = 0; i < SD_SOCKETS; i++) {
        uint32_t index = (start + i) % SD_SOCKETS;
        struct sd_socket *s = &sd_g.sockets[index];
        uint32_t free = 0;
        /* acquire: pairs with let_go; whoever pinned did so before it */
        if (sd_load_acquire(&s->rec.refs) || sd_load(&s->pins) ||
            !atomic_compare_exchange_strong(&s->rec.refs, &free, 1))
            continue;
        raise_high(&sd_g.region->socket_high, index + 1);
        return s;
    }
    return NULL;
}

static void let_go(struct sd_socket *s)
{
    sd_store_release(&s->rec.refs, 0);
}

static size_t clear_up_to(struct sd_socket *s, size_t from, size_t to)
{
    memset((char *)s + from, 0, to - from);
    return to;
}

/* Everything but what others may still touch of the object that was here before: its count, its pins, its tokens. */
static void clear_object(struct sd_socket *s)
{
    size_t at = offsetof(struct sd_socket_record, refs) + sizeof s->rec.refs;
    at = clear_up_to(s, at, offsetof(struct sd_socket, pins)) + sizeof s->pins;
    at = clear_up_to(s, at, offsetof(struct sd_socket, tx.token)) + sizeof s->tx.token;
    at = clear_up_to(s, at, offsetof(struct sd_socket, rx.token)) + sizeof s->rx.token;
    clear_up_to(s, at, sizeof *s);
}

struct sd_socket *sd_new_socket(int fd, int family)
{
    if ((uint32_t)fd >= sd_g.file_count || !have_region())
        return NULL;
    struct sd_socket *s = claim_object();
    if (!s)
        return NULL;
    clear_object(s);
    s->family = family;
    sd_store(&s->rec.pid, sd_g.pid);
    sd_store(&s->rec.fd, (uint32_t)fd);
    sd_store(&s->rec.reason, SD_REASON_NEW);
    sd_token_reset(&s->tx.token);
    sd_token_reset(&s->rx.token);
    sd_joiner_start(&s->joiner);
    return s;
}

void sd_show_socket(int fd, struct sd_socket *s)
{
    struct sd_file *file = &sd_g.files[fd];
    raise_high(&sd_g.file_high, (uint32_t)fd + 1);
    raise_high(&sd_g.sock_high, (uint32_t)fd + 1);
    sd_store(&file->kind, SD_FILE_SOCKET);
    sd_store_release(&file->sock, s); /* pairs with the acquire load in sd_socket_of */
}

void sd_opened_socket(int fd, int domain, int type)
{
    if (fd < 0 || (domain != AF_INET && domain != AF_INET6 && domain != AF_UNIX) || (type & 0xff) != SOCK_STREAM)
        return;
    struct sd_socket *s = sd_new_socket(fd, domain);
    if (!s)
        return;
    sd_store(&s->nonblock, (type & SOCK_NONBLOCK) != 0);
    sd_show_socket(fd, s);
}

void sd_opened_dup(int old_fd, int new_fd)
{
    struct sd_socket *s = sd_socket_of(old_fd);
    if (new_fd < 0 || (uint32_t)new_fd >= sd_g.file_count)
        return;
    if (s) {
        atomic_fetch_add(&s->rec.refs, 1);
        sd_show_socket(new_fd, s);
    } else if ((uint32_t)old_fd < sd_g.file_count && sd_load(&sd_g.files[old_fd].kind) == SD_FILE_EPOLL) {
        sd_epoll_dup(old_fd, new_fd);
    }
}

int sd_family_of(int fd)
{
    struct sd_socket *s = sd_socket_of(fd);
    return s ? s->family : 0;
}

bool sd_uses_rings(int fd)
{
    struct sd_socket *s = sd_socket_of(fd);
    return s && sd_load(&s->mode) != SD_MODE_KERNEL;
}

void sd_set_nonblock(int fd, bool on)
{
    struct sd_socket *s = sd_socket_of(fd);
    if (s)
        sd_store(&s->nonblock, on);
}

/* --- closing --- */

/* SO_LINGER: seconds, 0 for a reset; -1 if it is off. It means nothing to AF_UNIX. */
static int lingers(const struct sd_socket *s, int fd)
{
    struct linger linger = {0};
    socklen_t len = sizeof linger;
    bool on =
        s->family != AF_UNIX && sd_sys_getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len) >= 0 && linger.l_onoff;
    return on ? linger.l_linger : -1;
}

static bool is_taken(struct sd_socket *s)
{
    uint64_t unread = s->tx.tail - sd_load_acquire(&s->tx.dir->c.head);
    bool over = sd_load_acquire(&s->rx.dir->p.flags) & (SD_TX_CLOSED | SD_TX_RESET);
    return over || unread <= sd_peer_buffer(s) || unread > SD_RING_BYTES;
}

/* The close waits until TCP would have brought everything to the peer's kernel, who may not have read it yet. Nobody else
 * uses the rings: it is the last reference, and our tokens keep no one. */
static void linger_for(struct sd_socket *s, int fd, int seconds)
{
    uint64_t deadline_ns = sd_now_ns() + (uint64_t)seconds * 1000000000u;
    struct pollfd companion = {.fd = fd, .events = POLLRDHUP};
    struct timespec nap = {.tv_nsec = LINGER_LOOK_NS};
    while (!is_taken(s) && sd_now_ns() < deadline_ns)
        if (sd_sys_ppoll(&companion, 1, &nap, NULL) != 0)
            return; /* the peer is gone, or a signal came: Linux returns, too */
}

static uint32_t closing_flags(uint32_t effects)
{
    uint32_t flags = 0;
    for (; effects; effects >>= 8) {
        uint32_t effect = effects & 0xff;
        flags |= effect == SD_TEARDOWN_DO_PUBLISH_FIN      ? SD_TX_FIN
                 : effect == SD_TEARDOWN_DO_PUBLISH_CLOSED ? SD_TX_CLOSED
                 : effect == SD_TEARDOWN_DO_PUBLISH_RESET  ? SD_TX_RESET | SD_TX_CLOSED
                                                           : 0;
    }
    return flags;
}

/* The kernel resets the companion when it closes: for a peer that has moved there, or will. */
static void reset_companion(int fd)
{
    struct linger nought = {.l_onoff = 1};
    sd_sys_setsockopt(fd, SOL_SOCKET, SO_LINGER, &nought, sizeof nought);
}

/* The last reference goes: tell the peer through the ring; the companion's close follows in the kernel. */
static void close_ring(struct sd_socket *s, int fd)
{
    int linger = lingers(s, fd);
    bool reset = linger == 0;
    uint64_t unread = sd_load_acquire(&s->rx.dir->p.tail) - s->rx.head;
    if (unread && !reset)
        reset_companion(fd);
    uint32_t effects = sd_teardown_step(&s->teardown, SD_TEARDOWN_EV_CLOSE, unread + reset);
    uint32_t flags = effects == SD_NO_ROW ? SD_TX_CLOSED : closing_flags(effects);
    atomic_fetch_or_explicit(&s->tx.dir->p.flags, flags, memory_order_release);
    atomic_fetch_or_explicit(&s->rx.dir->c.flags, SD_RX_CLOSED, memory_order_release);
    atomic_fetch_or(&s->rx.dir->data_wait.armed, SD_ARM_POKE); /* the peer's next send finds that nobody reads */
    sd_notify(s, &s->tx.dir->data_wait, true);
    sd_attend(s, &s->rx.dir->room_wait, sd_load(&s->rx.dir->room_wait.armed) & ~(uint32_t)(SD_ARM_ASKS | SD_ARM_POKE),
              true);
    if (linger > 0 && !sd_keeps_no_more())
        linger_for(s, fd, linger);
    sd_move_closed(s, fd);
    sd_store(&s->rec.ring_sent_bytes, s->tx.tail);
    sd_store(&s->rec.ring_received_bytes, s->rx.head);
    sd_release_slot(s, s->peer_dead);
    s->slot = NULL;
}

static void add_to_totals(struct sd_socket *s)
{
    struct sd_region *region = sd_g.region;
    struct sd_totals *tcp = &region->total[SD_TRANSPORT_TCP];
    struct sd_totals *shm = &region->total[SD_TRANSPORT_SHM];
    if (sd_load(&s->rec.state) != SD_SOCK_ESTABLISHED)
        return;
    bool by_ring = sd_load(&s->rec.transport) == SD_TRANSPORT_SHM;
    atomic_fetch_add(&(by_ring ? shm : tcp)->connections, 1);
    atomic_fetch_add(&shm->sent_bytes, sd_load(&s->rec.ring_sent_bytes));
    atomic_fetch_add(&shm->received_bytes, sd_load(&s->rec.ring_received_bytes));
    atomic_fetch_add(&tcp->sent_bytes, sd_load(&s->rec.kernel_sent_bytes));
    atomic_fetch_add(&tcp->received_bytes, sd_load(&s->rec.kernel_received_bytes));
}

/* Every process that shared s has followed, or closed it. */
static void give_heir_up(const struct sd_socket *s, struct sd_socket *heir)
{
    sd_let_go((uint64_t)(s - sd_g.sockets));
    sd_give_back(heir);
}

static void close_object(struct sd_socket *s, int fd)
{
    if (sd_load(&s->mode) == SD_MODE_OFFERED)
        sd_offer_withdraw(s, fd, SD_CLIENT_EV_CLOSE, SD_REASON_CLOSED_EARLY);
    sd_move_attend(s, fd);
    if (sd_load(&s->rec.state) == SD_SOCK_LISTENING)
        sd_unregister_listener(s);
    bool both = sd_both_enter(s);
    sd_pending_closed(s);
    if (sd_mode_uses_ring(sd_load(&s->mode)))
        close_ring(s, fd);
    add_to_totals(s);
    struct sd_socket *heir = sd_load(&s->mode) == SD_MODE_ELSEWHERE ? s->heir : NULL;
    sd_store_release(&s->mode, SD_MODE_KERNEL);
    sd_store(&s->rec.state, SD_SOCK_CLOSED);
    if (both)
        sd_both_leave(s);
    if (heir)
        give_heir_up(s, heir);
    let_go(s);
}

/* True if others refer to the object, too. */
static bool drop_unless_last(struct sd_socket *s)
{
    uint32_t refs = sd_load(&s->rec.refs);
    while (refs > 1)
        if (atomic_compare_exchange_weak(&s->rec.refs, &refs, refs - 1))
            return true;
    return false;
}

void sd_give_back(struct sd_socket *s)
{
    if (!drop_unless_last(s))
        close_object(s, -1);
}

/* What the monitor counts for a connection that nobody will close: its other holders may have been killed. */
static void note_bytes(struct sd_socket *s)
{
    if (!sd_mode_uses_ring(sd_load(&s->mode)))
        return;
    sd_store(&s->rec.ring_sent_bytes, sd_own_tail(s));
    sd_store(&s->rec.ring_received_bytes, sd_own_head(s));
}

/* The peer borrows our end of the companion by its number: name another one when this one closes. */
void sd_rename_end(struct sd_socket *s, int fd)
{
    if (!sd_mode_uses_ring(sd_load(&s->mode)) || sd_load(&s->tx.dir->p.fd) != (uint32_t)fd)
        return;
    int other = sd_fd_of(s);
    if (other >= 0 && sd_load(&s->tx.dir->p.pid) == sd_g.pid)
        sd_forward_hint(s, (uint32_t)other);
}

void sd_drop_reference(struct sd_socket *s, int fd)
{
    note_bytes(s);
    if (sd_load(&s->rec.refs) > 1)
        sd_rename_end(s, fd);
    if (!drop_unless_last(s))
        close_object(s, fd);
}

void sd_closing(int fd)
{
    if ((uint32_t)fd >= sd_g.file_count)
        return;
    struct sd_file *file = &sd_g.files[fd];
    uint32_t kind = sd_load(&file->kind);
    if (kind == SD_FILE_EPOLL)
        sd_epoll_closed(fd);
    struct sd_socket *s = sd_load(&file->sock);
    if (!s)
        return;
    sd_move_if_came_back(s, fd);
    if (!atomic_compare_exchange_strong(&file->sock, &s, NULL))
        return; /* two threads close it at once: the other one does */
    sd_store(&file->kind, SD_FILE_NONE);
    sd_epoll_forget(s, fd);
    if (!atomic_exchange(&file->left, false) && !sd_keep_for_calls(s, fd))
        sd_drop_reference(s, fd);
}

bool sd_hidden(int fd)
{
    return (uint32_t)fd < sd_g.file_count && sd_load(&sd_g.files[fd].kind) == SD_FILE_HIDDEN;
}

static int next_of_kind(int from, bool hidden)
{
    for (uint32_t fd = from < 0 ? 0 : (uint32_t)from; fd < sd_load(&sd_g.file_high); fd++) {
        uint32_t kind = sd_load(&sd_g.files[fd].kind);
        if (hidden ? kind == SD_FILE_HIDDEN : kind == SD_FILE_SOCKET || kind == SD_FILE_EPOLL)
            return (int)fd;
    }
    return -1;
}

int sd_next_hidden(int from)
{
    return next_of_kind(from, true);
}

int sd_next_open(int from)
{
    return next_of_kind(from, false);
}

void sd_exit(void)
{
    if (sd_in_vfork_child())
        return;
    sd_keep_no_more();
    for (int fd = sd_next_reference(0); fd >= 0; fd = sd_next_reference(fd + 1))
        if (sd_socket_of(fd))
            sd_closing(fd);
    sd_record_end();
}

/* --- fork --- */

bool sd_in_vfork_child(void)
{
    return sd_g.pid && (uint32_t)sd_sys_getpid() != sd_g.pid;
}

/* Other threads open and close sockets while we fork, and the child gets the table as it is at some moment in between. So
 * what was counted for the child is noted in the table itself: the child sees in its copy what came and went since. */
static void forget_reference(struct sd_socket *s)
{
    sd_give_back(s); /* who closed it meanwhile left the end to us */
}

bool sd_take_reference(struct sd_socket *s, int fd)
{
    uint32_t refs = sd_load(&s->rec.refs);
    do
        if (!refs)
            return false; /* just closed */
    while (!atomic_compare_exchange_weak(&s->rec.refs, &refs, refs + 1));
    if (sd_socket_of(fd) == s)
        return true;
    forget_reference(s); /* closed just before, and the object may be another one's already */
    return false;
}

static void count_inherited(void)
{
    uint32_t high = sd_load(&sd_g.sock_high);
    for (uint32_t fd = 0; fd < high; fd++) {
        struct sd_socket *s = sd_socket_of((int)fd);
        bool counted = s && !sd_hidden((int)fd) && sd_take_reference(s, (int)fd);
        sd_g.files[fd].counted = counted ? (uint32_t)(s - sd_g.sockets) + 1 : 0;
        if (counted)
            sd_peer_shared(s);
    }
}

static struct sd_socket *take_counted(struct sd_file *file)
{
    struct sd_socket *s = file->counted ? &sd_g.sockets[file->counted - 1] : NULL;
    file->counted = 0;
    return s;
}

/* In the child: a socket that came after the count is the parent's alone; for one that went our reference goes, too. */
static void settle_inherited(void)
{
    uint32_t high = sd_load(&sd_g.sock_high);
    for (uint32_t fd = 0; fd < high; fd++) {
        struct sd_file *file = &sd_g.files[fd];
        struct sd_socket *counted = take_counted(file), *s = sd_load(&file->sock);
        if (sd_likely(s == counted))
            continue;
        if (s) {
            sd_store(&file->kind, SD_FILE_NONE);
            sd_store(&file->sock, NULL);
        }
        if (counted) {
            sd_epoll_forget(counted, (int)fd);
            forget_reference(counted);
        }
    }
}

/* The child's references are counted before it exists: the parent may close its own at once. */
void sd_fork_prepare(void)
{
    sd_epoll_fork_prepare();
    count_inherited(); /* before the next lock, which the end of a connection takes */
    sd_control_fork_prepare();
    sd_kept_fork_prepare();
    sd_lock_take(&making.lock, &making.fork_mask);
}

void sd_fork_parent(void)
{
    sd_lock_drop(&making.lock, &making.fork_mask);
    sd_kept_fork_parent();
    sd_control_fork_parent();
    sd_epoll_fork_parent(true);
}

void sd_fork_failed(void)
{
    uint32_t high = sd_load(&sd_g.sock_high);
    for (uint32_t fd = 0; fd < high; fd++) {
        struct sd_socket *counted = take_counted(&sd_g.files[fd]);
        if (counted)
            forget_reference(counted);
    }
}

/* What rings has no name, and serves the child as well: a socket of its own would take longer than all else that its first
 * message needs. */
static void forget_own_bell(void)
{
    struct sd_bell mine = {.fd = sd_has_slot() ? sd_self->bell_fd : -1};
    sd_self = &sd_nobody; /* the slot is the parent's */
    sd_bell_close(&mine);
}

/* The parent may have made a new PID namespace for us. There it has the number 0, and who is our parent after its death the
 * number 1; and a parent that called itself 1 has taken us along. */
static bool counts_as_parent(void)
{
    return sd_syscall(SYS_getppid, 0, 0, 0, 0, 0, 0) == (long)sd_g.pid;
}

void sd_fork_child(void)
{
    sd_lock_drop(&making.lock, &making.fork_mask);
    sd_kept_fork_child();
    if (!counts_as_parent())
        sd_store(&sd_g.pid_space, 0); /* to be asked for: a look into /proc takes 30 us in a new process */
    sd_g.pid = (uint32_t)sd_sys_getpid();
    sd_record_fork_child();
    forget_own_bell();
    if (!sd_g.disabled)
        register_membarrier();
    sd_control_fork_child();
    sd_epoll_fork_child();
    settle_inherited();
}

/* --- exec --- */

/* The kernel closes it, and knows nothing of what lies unread in the ring: a peer that has moved hears of it by TCP alone. */
static void reset_if_unread(struct sd_socket *s, int fd)
{
    bool closes = sd_sys_fcntl(fd, F_GETFD, 0) & FD_CLOEXEC;
    if (!closes || !sd_mode_uses_ring(sd_load(&s->mode)) || lingers(s, fd) >= 0)
        return;
    if (sd_load_acquire(&s->rx.dir->p.tail) == sd_own_head(s))
        return;
    reset_companion(fd);
    sd_store(&sd_g.files[fd].resets, true);
}

static void reset_no_more(int fd)
{
    struct linger off = {0};
    if (!atomic_exchange(&sd_g.files[fd].resets, false))
        return;
    sd_sys_setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof off);
}

/* The next program knows nothing of our references, and the kernel closes or keeps the companions by itself: to the rest
 * of the family it is as if this process had ended. A last reference stays: if exec fails, there is no way back from a
 * close. */
void sd_leave_by_exec(void)
{
    if (sd_in_vfork_child())
        return; /* it has no references of its own */
    for (int fd = sd_next_reference(0); fd >= 0; fd = sd_next_reference(fd + 1)) {
        struct sd_socket *s = sd_socket_of(fd);
        if (!s)
            continue;
        sd_move_if_came_back(s, fd);
        note_bytes(s);
        if (drop_unless_last(s)) {
            atomic_store(&sd_g.files[fd].left, true);
            continue;
        }
        bool closes = sd_sys_fcntl(fd, F_GETFD, 0) & FD_CLOEXEC;
        sd_store(&s->rec.pid, closes ? 0 : sd_g.pid); /* whose the last reference is then: monitor/joins.py */
        reset_if_unread(s, fd);
    }
    sd_record_end();
}

void sd_exec_failed(void)
{
    if (sd_in_vfork_child())
        return;
    for (int fd = sd_next_reference(0); fd >= 0; fd = sd_next_reference(fd + 1)) {
        struct sd_socket *s = sd_socket_of(fd);
        if (s && atomic_exchange(&sd_g.files[fd].left, false))
            atomic_fetch_add(&s->rec.refs, 1);
        if (s) {
            sd_store(&s->rec.pid, sd_g.pid);
            reset_no_more(fd);
        }
    }
}

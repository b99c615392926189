/* The connection to the monitor: the driver of the `attach` machine.
 *
 * No thread serves it. The library looks at it only when it has something to ask, or from sd_control_look. It is found
 * to be broken then, and the machine says when to try again.
 *
 * Where the monitor is: see sdcore/protocol/messages.py. Whoever answers there is believed only if the kernel says that
 * the process which listens runs as this user, or as root.
 *
 * The program may close any descriptor by a system call that we do not see, and open something of its own under the
 * number. So before each use the socket's cookie is compared: nothing of ours is ever sent into a socket of the program.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/un.h>

#include "core/control_impl.h"

enum {
    RETRY_FIRST_MS = 100,
    RETRY_DOUBLINGS_MAX = 4,
    RETRY_SILENT_MS = 10000, /* after a monitor that took a request and never answered */
    LOOK_MS = 1000,
};

static const char SYSTEM_DIRECTORY[] = "/run/sdcore";
static const char USER_DIRECTORY[] = "/run/user/";
static const char OTHER_DIRECTORY[] = "/tmp/sdcore-";

static struct {
    struct sd_lock lock;
    struct sd_attach m;
    int fd;          /* hidden; -1: none */
    uint64_t cookie; /* of that socket */
    uint32_t seq;
    uint64_t process_id;
    uint64_t parent_id; /* a forked child: the parent's number, and the secret that proves it */
    uint64_t secret;
    uint64_t child_secret; /* what our own children will show */
    enum sd_reason reason; /* why not attached */
    _Atomic uint32_t attachments;
    uint32_t failures; /* in a row */
    bool silent;       /* the last failure was a request without an answer */
    uint64_t retry_at_ns;
    _Atomic uint64_t look_at_ns;
    char chosen[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* SDCORE_RUNTIME_DIR; empty: by the rules */
    bool unusable;                                            /* it is set, and cannot be used */
    uint64_t fork_mask;
} control = {.fd = -1, .reason = SD_REASON_NO_MONITOR};

void sd_control_enter(uint64_t *mask)
{
    sd_lock_take(&control.lock, mask);
}

void sd_control_leave(const uint64_t *mask)
{
    sd_lock_drop(&control.lock, mask);
}

/* --- where the monitor is --- */

static bool append(char *path, size_t size, const char *text)
{
    size_t length = strlen(path), more = strlen(text);
    if (length + more + 1 > size)
        return false;
    memcpy(path + length, text, more + 1);
    return true;
}

static void append_number(char *path, size_t size, uint32_t number)
{
    char digits[11] = {0};
    char *at = digits + sizeof(digits) - 1;
    do
        *--at = (char)('0' + number % 10);
    while (number /= 10);
    append(path, size, at);
}

static bool exists(const char *path)
{
    return sd_syscall(SYS_faccessat, AT_FDCWD, path, 0, 0, 0, 0) == 0;
}

static uint32_t own_uid(void)
{
    return (uint32_t)sd_syscall(SYS_geteuid, 0, 0, 0, 0, 0, 0);
}

/* The directory of the user's own monitor. */
static void user_directory(char *path, size_t size)
{
    path[0] = 0;
    append(path, size, USER_DIRECTORY);
    append_number(path, size, own_uid());
    if (exists(path)) {
        append(path, size, "/sdcore");
        return;
    }
    path[0] = 0;
    append(path, size, OTHER_DIRECTORY);
    append_number(path, size, own_uid());
}

/* A set-uid program must not be told by its caller whom to trust. */
void sd_control_init(void)
{
    sd_attach_start(&control.m);
    const char *chosen = getauxval(AT_SECURE) ? NULL : getenv("SDCORE_RUNTIME_DIR");
    if (!chosen || !*chosen)
        return;
    control.unusable =
        *chosen != '/' || !append(control.chosen, sizeof(control.chosen) - sizeof("/monitor.sock"), chosen);
}

/* --- connecting --- */

static uint64_t cookie_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);
    return sd_sys_getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) < 0 ? 0 : cookie;
}

static bool is_trusted(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    return sd_sys_getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && len == sizeof(peer) &&
           (peer.uid == 0 || peer.uid == own_uid());
}

/* A connection to whom we trust at directory/monitor.sock, or -errno; never blocks. */
static long call(const char *directory)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (!append(to.sun_path, sizeof(to.sun_path), directory) ||
        !append(to.sun_path, sizeof(to.sun_path), "/monitor.sock"))
        return -ENAMETOOLONG;
    long fd = sd_sys_socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fd;
    long n = sd_sys_connect((int)fd, &to, sizeof(to));
    if (n == 0 && !is_trusted((int)fd))
        n = -EPERM;
    if (n == 0)
        return fd;
    sd_sys_close((int)fd);
    return n;
}

static long call_by_rules(void)
{
    if (control.unusable)
        return -EINVAL;
    if (control.chosen[0])
        return call(control.chosen);
    char directory[sizeof(control.chosen)];
    long fd = call(SYSTEM_DIRECTORY);
    if (fd >= 0 || fd == -EAGAIN) /* EAGAIN: it serves, and is busy */
        return fd;
    user_directory(directory, sizeof(directory));
    return call(directory);
}

static bool connect_monitor(void)
{
    control.reason = SD_REASON_NO_MONITOR;
    control.silent = false;
    long fd = call_by_rules();
    if (fd < 0)
        return false;
    long hidden = sd_hide((int)fd);
    if (hidden < 0)
        return false;
    control.fd = (int)hidden;
    control.cookie = cookie_of((int)hidden);
    return true;
}

/* The number is still our socket: the program has not put something of its own there. */
static bool still_ours(void)
{
    return control.fd >= 0 && control.cookie && cookie_of(control.fd) == control.cookie;
}

static void drop_control(void)
{
    if (still_ours())
        sd_close_hidden(control.fd);
    else if (control.fd >= 0)
        sd_store(&sd_g.files[control.fd].kind, SD_FILE_NONE);
    control.fd = -1;
    control.process_id = 0;
}

/* --- the machine --- */

static long exchange(const struct sd_request *request, struct sd_reply *reply)
{
    if (!still_ours())
        return -EPIPE;
    long n = sd_exchange(control.fd, ++control.seq, request, reply);
    control.silent = n == -ETIMEDOUT;
    return n;
}

static uint64_t random_secret(void)
{
    uint64_t secret = 0;
    sd_sys_getrandom(&secret, sizeof(secret));
    return secret;
}

/* Sends the hello; returns the event that says how it went. */
static uint32_t send_hello(void)
{
    control.child_secret = random_secret();
    struct sd_msg_hello hello = {
        .version = SD_LAYOUT_VERSION,
        .capabilities = sd_g.no_membarrier ? 0 : SD_HELLO_MEMBARRIER,
        .parent_id = control.parent_id,
        .secret = control.secret,
        .child_secret = control.child_secret,
    };
    struct sd_request request = {SD_MSG_HELLO, &hello, sizeof(hello), {sd_g.region_fd, -1}};
    struct sd_reply reply;
    if (exchange(&request, &reply) < 0)
        return SD_ATTACH_EV_CONNECTION_LOST;
    if (reply.status != SD_STATUS_OK) {
        control.reason = reply.reason ? reply.reason : SD_REASON_NO_MONITOR;
        return SD_ATTACH_EV_REFUSED;
    }
    if (sd_map_status(reply.fd, &sd_g.status) < 0)
        return SD_ATTACH_EV_CONNECTION_LOST;
    control.process_id = reply.body.welcome.process_id;
    control.failures = 0;
    sd_store(&control.attachments, control.attachments + 1);
    return SD_ATTACH_EV_WELCOME;
}

static void schedule_retry(void)
{
    uint32_t doublings = control.failures < RETRY_DOUBLINGS_MAX ? control.failures : RETRY_DOUBLINGS_MAX;
    uint64_t delay_ms = control.silent ? RETRY_SILENT_MS : (uint64_t)RETRY_FIRST_MS << doublings;
    control.failures++;
    control.retry_at_ns = sd_now_ns() + delay_ms * 1000000;
}

static void feed(uint32_t event);

/* False: the rest of the effects is left out. */
static bool perform(uint32_t effect)
{
    switch (effect) {
    case SD_ATTACH_DO_CONNECT_MONITOR:
        if (connect_monitor())
            return true;
        feed(SD_ATTACH_EV_NO_MONITOR);
        return false;
    case SD_ATTACH_DO_SEND_HELLO: feed(send_hello()); return true;
    case SD_ATTACH_DO_REGISTER_LISTENERS: sd_listeners_renew(); return true;
    case SD_ATTACH_DO_SCHEDULE_RETRY: schedule_retry(); return true;
    case SD_ATTACH_DO_DROP_CONTROL: drop_control(); return true;
    default:
        assert(effect == SD_ATTACH_DO_USE_KERNEL); /* what the caller does anyway when it learns the state */
        return true;
    }
}

static void feed(uint32_t event)
{
    uint32_t todo = sd_attach_step(&control.m, event, 0);
    assert(todo != SD_NO_ROW);
    while (todo && perform(todo & 0xff))
        todo >>= 8;
}

bool sd_attached(void)
{
    if (sd_now_ns() >= control.retry_at_ns)
        feed(SD_ATTACH_EV_RETRY_DUE);
    feed(SD_ATTACH_EV_NEED);
    return control.m.state == SD_ATTACH_ATTACHED;
}

enum sd_reason sd_not_attached_reason(void)
{
    return control.reason;
}

uint32_t sd_attachments(void)
{
    return sd_load(&control.attachments);
}

/* Errors that speak of us, not of the monitor: it got no request, or its answer found no room. */
static bool is_our_own(long error)
{
    return error == -EMFILE || error == -ENFILE || error == -EBADF || error == -ENOMEM || error == -ENOBUFS ||
           error == -ETOOMANYREFS;
}

bool sd_ask(const struct sd_request *request, struct sd_reply *reply)
{
    if (!sd_attached())
        return false;
    long n = exchange(request, reply);
    if (n == 0)
        return true;
    if (is_our_own(n)) {
        *reply = (struct sd_reply){.status = SD_STATUS_DENIED, .reason = SD_REASON_NO_MEMORY, .fd = -1};
        return true;
    }
    control.reason = SD_REASON_NO_MONITOR;
    feed(SD_ATTACH_EV_CONNECTION_LOST);
    return false;
}

void sd_distrust_monitor(void)
{
    if (control.m.state == SD_ATTACH_ATTACHED)
        feed(SD_ATTACH_EV_CONNECTION_LOST);
}

uint64_t sd_process_id(void)
{
    return control.process_id;
}

/* --- now and then --- */

static bool hung_up(void)
{
    struct pollfd p = {.fd = control.fd};
    struct timespec now = {0};
    return !still_ours() || sd_sys_ppoll(&p, 1, &now, NULL) != 0;
}

bool sd_monitor_serves(void)
{
    uint64_t mask;
    sd_control_enter(&mask);
    if (control.m.state == SD_ATTACH_ATTACHED && hung_up())
        feed(SD_ATTACH_EV_CONNECTION_LOST);
    bool serves = sd_attached();
    sd_control_leave(&mask);
    return serves;
}

static void look(void)
{
    if (control.m.state == SD_ATTACH_ATTACHED && hung_up())
        feed(SD_ATTACH_EV_CONNECTION_LOST);
    if (control.m.state != SD_ATTACH_ATTACHED && (control.m.state == SD_ATTACH_LOST || sd_listeners_any()))
        sd_attached();
    sd_sweep_slabs();
}

void sd_control_look(void)
{
    uint64_t now_ns = sd_now_ns(), at_ns = sd_load(&control.look_at_ns);
    if (now_ns < at_ns || !atomic_compare_exchange_strong(&control.look_at_ns, &at_ns, now_ns + LOOK_MS * 1000000ULL))
        return;
    uint64_t mask;
    sd_control_enter(&mask);
    look();
    sd_control_leave(&mask);
}

void sd_control_renumbered(int old_fd, int new_fd)
{
    uint64_t mask;
    sd_control_enter(&mask);
    if (control.fd == old_fd)
        control.fd = new_fd;
    sd_control_leave(&mask);
}

/* --- fork --- */

void sd_control_fork_prepare(void)
{
    sd_control_enter(&control.fork_mask);
    sd_local_fork_prepare();
}

static void fork_done(void)
{
    sd_local_fork_done();
    sd_control_leave(&control.fork_mask);
}

void sd_control_fork_parent(void)
{
    fork_done();
}

/* The connection speaks for the parent. What it registered for its children proves whose child this is. */
void sd_control_fork_child(void)
{
    if (control.process_id) {
        control.parent_id = control.process_id;
        control.secret = control.child_secret;
    }
    feed(SD_ATTACH_EV_FORK_CHILD);
    sd_store(&control.look_at_ns, 0);
    fork_done();
}

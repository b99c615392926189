/* The control plane alone, driven line by line: each command on standard input gets one line of answer.
 *
 *     lease IP PORT            lease ID LISTENER ADDRESS, or: none REASON
 *     further IP PORT ID       the same, when all slots of lease ID are taken
 *     unanswered ID            an offer on that lease was not taken up
 *     listen PORT              listener ID fd N port N; PORT 0: any
 *     leases N                 leases ID ID ..., asking the monitor if its generation moved (N: the listening fd)
 *     known N                  leases ID ID ..., without asking
 *     pend N                   done: a connection of this listener waits for its offer
 *     pending                  leases ID ID ..., of that listener, without asking
 *     unlisten N               done
 *     abandon N                done: closed here, and the last descriptor in another process of the family
 *     local IP                 yes, or no
 *     process                  process ID
 *     hide                     hidden N, and what happened to the old number
 *     holds N ID               socket object N uses lease ID from now on; ID 0: none
 *     sleep MS                 slept
 *     look                     looked
 *     listener N               listener ID: what stands in the socket object of descriptor N
 *     heavy                    yes, or no: a peer cannot be reached by membarrier
 *     overlay                  overlaid N: the control connection's number now is a socket of the program
 *     overlaid                 empty or written, open or closed: what became of that socket
 *     sandbox                  no netlink: such sockets cannot be made any more
 *     fork                     the child answers from now on, until `exit`; then the parent says: child STATUS
 *     fds                      fds N: open descriptors; maps N: mapped slabs
 *     exit                     ends
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/control.h"
#include "core/sys.h"

enum { FILES = 4096, SOCKET_OBJECTS = 64, LINE = 256, LEASES = 512 };

struct sd_globals sd_g;
static struct sd_grant *seen[LEASES];

static void *zeroed(size_t count, size_t size)
{
    void *memory = aligned_alloc(64, (count * size + 63) / 64 * 64);
    if (!memory)
        abort();
    return memset(memory, 0, count * size);
}

static void make_globals(void)
{
    sd_g.files = zeroed(FILES, sizeof(*sd_g.files));
    sd_g.file_count = FILES;
    sd_g.region = zeroed(1, sizeof(*sd_g.region));
    sd_g.sockets = zeroed(SOCKET_OBJECTS, sizeof(*sd_g.sockets));
    sd_g.region_fd = memfd_create("region", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (sd_g.region_fd < 0 || ftruncate(sd_g.region_fd, 4096) != 0)
        abort();
    struct sd_region head = {.magic = SD_REGION_MAGIC, .version = SD_LAYOUT_VERSION};
    if (pwrite(sd_g.region_fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head))
        abort();
    fcntl(sd_g.region_fd, F_ADD_SEALS, F_SEAL_SHRINK);
    sd_g.region_fd = (int)sd_hide(sd_g.region_fd);
    sd_g.ringer_fd[0] = sd_g.ringer_fd[1] = -1;
    sd_g.pid = (uint32_t)getpid();
}

static struct sd_address parse(const char *ip, int port)
{
    struct sd_address a = {.port = (uint16_t)port, .family = AF_INET};
    struct in_addr v4;
    if (inet_pton(AF_INET, ip, &v4) == 1) {
        a.ip[10] = a.ip[11] = 0xff;
        memcpy(a.ip + 12, &v4, 4);
        return a;
    }
    a.family = AF_INET6;
    if (inet_pton(AF_INET6, ip, a.ip) != 1)
        abort();
    return a;
}

static struct sd_grant *lease_of_id(uint64_t id)
{
    for (int i = 0; i < LEASES; i++)
        if (seen[i] && seen[i]->lease_id == id)
            return seen[i];
    abort();
}

static void remember(struct sd_grant *lease)
{
    for (int i = 0; i < LEASES; i++)
        if (!seen[i] || seen[i] == lease) {
            seen[i] = lease;
            return;
        }
    abort();
}

static void do_lease(const char *ip, int port, struct sd_grant *full)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sd_destination to = {.at = parse(ip, port)};
    enum sd_reason reason = SD_REASON_COUNT;
    struct sd_grant *lease = sd_lease_for(fd, &to, full, &reason);
    close(fd);
    if (!lease) {
        printf("none %s\n", reason < SD_REASON_COUNT ? sd_reason_name[reason] : "nothing");
        return;
    }
    remember(lease);
    printf("lease %llu %llu %p\n", (unsigned long long)lease->lease_id, (unsigned long long)lease->listener_id,
           (void *)lease->slab);
}

static void do_listen(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    if (bind(fd, (struct sockaddr *)&at, len) || listen(fd, 5) || getsockname(fd, (struct sockaddr *)&at, &len))
        abort();
    struct sd_socket *s = &sd_g.sockets[fd % SOCKET_OBJECTS];
    memset(s, 0, sizeof(*s));
    sd_listener_start(&s->listener);
    sd_store(&s->rec.refs, 1);
    sd_store(&s->rec.state, SD_SOCK_LISTENING);
    sd_store(&sd_g.files[fd].sock, s);
    sd_store(&sd_g.files[fd].kind, SD_FILE_SOCKET);
    if (sd_load(&sd_g.file_high) <= (uint32_t)fd)
        sd_store(&sd_g.file_high, (uint32_t)fd + 1);
    sd_register_listener(s, fd);
    printf("listener %llu fd %d port %d\n", (unsigned long long)s->listener_id, fd, ntohs(at.sin_port));
}

static struct sd_socket *pending_at;

static void do_leases(struct sd_socket *listener, int fd, bool refresh)
{
    printf("leases");
    for (struct sd_grant *l = sd_leases_of(listener, fd, refresh); l; l = l->next) {
        remember(l);
        printf(" %llu", (unsigned long long)l->lease_id);
    }
    printf("\n");
}

/* A connection of this listener waits for its offer, and holds the object. */
static void do_pend(int fd)
{
    pending_at = sd_socket_of(fd);
    atomic_fetch_add(&pending_at->pins, 1);
    printf("done\n");
}

static void do_unlisten(int fd)
{
    sd_unregister_listener(sd_socket_of(fd));
    sd_store(&sd_g.files[fd].sock, NULL);
    sd_store(&sd_g.files[fd].kind, SD_FILE_NONE);
    close(fd);
    printf("done\n");
}

static void do_abandon(int fd)
{
    sd_socket_of(fd)->listener_id = 0;
    sd_store(&sd_g.files[fd].sock, NULL);
    sd_store(&sd_g.files[fd].kind, SD_FILE_NONE);
    close(fd);
    printf("done\n");
}

static void do_hide(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    long high = sd_hide(fd);
    bool closed = fcntl(fd, F_GETFD) < 0;
    bool cloexec = fcntl((int)high, F_GETFD) & FD_CLOEXEC;
    bool marked = sd_load(&sd_g.files[high].kind) == SD_FILE_HIDDEN;
    printf("hidden %ld from %d%s%s%s\n", high, fd, closed ? " closed" : "", cloexec ? " cloexec" : "",
           marked ? " marked" : "");
    sd_close_hidden((int)high);
}

/* Socket objects from the end of the table; listening ones are taken by descriptor from its beginning. */
static void do_holds(int number, uint64_t id)
{
    struct sd_socket *s = &sd_g.sockets[SOCKET_OBJECTS - 1 - number];
    s->slab = id ? lease_of_id(id)->slab : NULL;
    s->rec.lease_id = id;
    sd_store(&s->rec.refs, id ? 1 : 0);
    sd_store(&sd_g.region->socket_high, SOCKET_OBJECTS);
    printf("done\n");
}

static int overlay_number, overlay_peer;

static bool is_control(int fd)
{
    int type = 0;
    socklen_t len = sizeof(type);
    return sd_load(&sd_g.files[fd].kind) == SD_FILE_HIDDEN && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
           type == SOCK_SEQPACKET;
}

static void do_overlay(void)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
        abort();
    for (int fd = 0; fd < FILES; fd++)
        if (is_control(fd))
            overlay_number = dup2(pair[0], fd);
    overlay_peer = pair[1];
    printf("overlaid %d\n", overlay_number);
}

static void do_overlaid(void)
{
    char byte;
    bool written = recv(overlay_peer, &byte, 1, MSG_DONTWAIT) >= 0;
    bool open = fcntl(overlay_number, F_GETFD) >= 0;
    printf("%s, %s\n", written ? "written" : "empty", open ? "open" : "closed");
}

static void do_fork(void)
{
    sd_control_fork_prepare();
    pid_t pid = fork();
    if (pid == 0) {
        sd_g.pid = (uint32_t)getpid();
        sd_control_fork_child();
        printf("forked\n");
        return;
    }
    sd_control_fork_parent();
    int status = -1;
    waitpid(pid, &status, 0);
    printf("child %d\n", status);
}

static void do_fds(void)
{
    int count = 0, maps = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir))
        count++;
    closedir(dir);
    char line[1024];
    FILE *f = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof(line), f))
        maps += strstr(line, "sdcore-slab") != NULL;
    fclose(f);
    printf("fds %d maps %d\n", count - 3, maps); /* without ".", ".." and the directory itself */
}

static void do_local(const char *ip)
{
    struct sd_address a = parse(ip, 1);
    printf("%s\n", sd_address_is_local(&a) ? "yes" : "no");
}

static void do_sandbox(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])), /* little end first */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = SD_ARRAY_LENGTH(code), .filter = code};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0))
        abort();
    printf("%s\n", socket(AF_NETLINK, SOCK_RAW, 0) < 0 ? "no netlink" : "netlink");
}

static void do_sleep(int ms)
{
    usleep((useconds_t)ms * 1000);
    printf("slept\n");
}

static void obey(const char *word, char *a, char *b, char *c)
{
    if (!strcmp(word, "lease"))
        do_lease(a, atoi(b), NULL);
    else if (!strcmp(word, "further"))
        do_lease(a, atoi(b), lease_of_id(strtoull(c, NULL, 10)));
    else if (!strcmp(word, "unanswered"))
        sd_lease_unanswered(lease_of_id(strtoull(a, NULL, 10))), printf("done\n");
    else if (!strcmp(word, "listen"))
        do_listen(atoi(a));
    else if (!strcmp(word, "leases") || !strcmp(word, "known"))
        do_leases(sd_socket_of(atoi(a)), atoi(a), *word == 'l');
    else if (!strcmp(word, "pend"))
        do_pend(atoi(a));
    else if (!strcmp(word, "pending"))
        do_leases(pending_at, -1, false);
    else if (!strcmp(word, "unlisten"))
        do_unlisten(atoi(a));
    else if (!strcmp(word, "abandon"))
        do_abandon(atoi(a));
    else if (!strcmp(word, "local"))
        do_local(a);
    else if (!strcmp(word, "process"))
        printf("process %llu\n", (unsigned long long)sd_process_id());
    else if (!strcmp(word, "hide"))
        do_hide();
    else if (!strcmp(word, "holds"))
        do_holds(atoi(a), strtoull(b, NULL, 10));
    else if (!strcmp(word, "sleep"))
        do_sleep(atoi(a));
    else if (!strcmp(word, "look"))
        sd_control_look(), printf("looked\n");
    else if (!strcmp(word, "fork"))
        do_fork();
    else if (!strcmp(word, "fds"))
        do_fds();
    else if (!strcmp(word, "listener"))
        printf("listener %llu\n", (unsigned long long)sd_socket_of(atoi(a))->listener_id);
    else if (!strcmp(word, "sandbox"))
        do_sandbox();
    else if (!strcmp(word, "heavy"))
        printf("%s\n", sd_g.heavy_fence && sd_load(&sd_g.unusual) ? "yes" : "no");
    else if (!strcmp(word, "overlay"))
        do_overlay();
    else if (!strcmp(word, "overlaid"))
        do_overlaid();
    else
        printf("what?\n");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    setvbuf(stdin, NULL, _IONBF, 0);
    make_globals();
    sd_control_init();
    char line[LINE], word[LINE], a[LINE], b[LINE], c[LINE];
    while (fgets(line, sizeof(line), stdin)) {
        word[0] = a[0] = b[0] = c[0] = 0;
        sscanf(line, "%255s %255s %255s %255s", word, a, b, c);
        if (!strcmp(word, "exit"))
            break;
        obey(word, a, b, c);
    }
    return 0;
}

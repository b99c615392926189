/* Connections for tests of waiting. Contract: pair.h. */
#include "pair.h"

#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

static struct sd_slab *slab;
static uint32_t next_slot;

void start(void)
{
    sd_init();
    CHECK(!sd_g.disabled);
}

/* One page of each ring is used; the rest costs address space only. */
static struct sd_slab *make_slab(void)
{
    void *memory = mmap(NULL, SD_SLAB_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(memory != MAP_FAILED);
    struct sd_slab *made = memory;
    made->magic = SD_SLAB_MAGIC;
    made->version = SD_LAYOUT_VERSION;
    return made;
}

static void track(int fd)
{
    CHECK_EQUAL(sd_sys_fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK), 0);
    sd_opened_socket(fd, AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
    CHECK(sd_socket_of(fd));
}

struct pair make_kernel_pair(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int listener = (int)sd_sys_socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQUAL(sd_sys_bind(listener, &address, len), 0);
    CHECK_EQUAL(listen(listener, 1), 0);
    CHECK_EQUAL(sd_sys_getsockname(listener, &address, &len), 0);
    struct pair pair = {.client = (int)sd_sys_socket(AF_INET, SOCK_STREAM, 0)};
    CHECK_EQUAL(sd_sys_connect(pair.client, &address, len), 0);
    pair.server = (int)sd_sys_accept4(listener, NULL, NULL, 0);
    CHECK(pair.server >= 0);
    sd_sys_close(listener);
    track(pair.client);
    track(pair.server);
    return pair;
}

static void attach(int fd, uint32_t slot, uint32_t side)
{
    struct sd_socket *s = sd_socket_of(fd);
    sd_attach_slot(s, slab, slot, side);
    sd_store(&s->rec.state, SD_SOCK_ESTABLISHED);
    sd_store_release(&s->mode, SD_MODE_RING);
    sd_mode_announce(s);
}

void use_rings(struct pair pair)
{
    if (!slab || next_slot == SD_SLOTS) {
        slab = make_slab();
        next_slot = 0;
    }
    attach(pair.client, next_slot, 0);
    attach(pair.server, next_slot, 1);
    next_slot++;
}

void use_kernel(int fd)
{
    struct sd_socket *s = sd_socket_of(fd);
    sd_store_release(&s->mode, SD_MODE_KERNEL);
    sd_mode_announce(s);
}

struct pair make_pair(void)
{
    struct pair pair = make_kernel_pair();
    use_rings(pair);
    return pair;
}

void close_end(int fd)
{
    sd_closing(fd);
    sd_sys_close(fd);
}

void put(int fd, const char *text)
{
    size_t n = strlen(text);
    long r = sd_send(fd, text, n, 0);
    CHECK_EQUAL(r == SD_PASS ? sd_sys_sendto(fd, text, n, 0, NULL, 0) : r, n);
}

void fill(int fd)
{
    static const char block[65536];
    while (sd_send(fd, block, sizeof block, 0) > 0)
        continue;
}

long take(int fd)
{
    char block[65536];
    long sum = 0, r;
    while ((r = sd_recv(fd, block, sizeof block, 0)) > 0)
        sum += r;
    if (r == SD_PASS)
        while ((r = sd_sys_recvfrom(fd, block, sizeof block, 0, NULL, NULL)) > 0)
            sum += r;
    return sum;
}

int make_set(void)
{
    int epfd = epoll_create1(EPOLL_CLOEXEC);
    CHECK(epfd >= 0);
    return epfd;
}

long ctl(int epfd, int op, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    long r = sd_epoll_ctl(epfd, op, fd, &event);
    return r == SD_PASS ? sd_sys_epoll_ctl(epfd, op, fd, &event) : r;
}

void add(int epfd, int fd, uint32_t events)
{
    CHECK_EQUAL(ctl(epfd, EPOLL_CTL_ADD, fd, events), 0);
}

struct got wait_for(int epfd, int max, int64_t timeout_ns)
{
    struct got got = {0};
    CHECK(max <= (int)SD_ARRAY_LENGTH(got.events));
    got.n = sd_epoll_wait(epfd, got.events, max, timeout_ns, NULL);
    CHECK(got.n != SD_PASS);
    for (long i = 0; i < got.n; i++)
        for (long j = 0; j < i; j++)
            CHECK(got.events[i].data.u64 != got.events[j].data.u64); /* none is reported twice by one wait */
    return got;
}

static void soon(uint64_t since_ns)
{
    CHECK(sd_now_ns() - since_ns < 3000ull * MS);
}

struct got wait_soon(int epfd)
{
    uint64_t since_ns = sd_now_ns();
    struct got got = wait_for(epfd, 8, 6000ll * MS);
    soon(since_ns);
    return got;
}

long poll_soon(struct pollfd *list, nfds_t n)
{
    uint64_t since_ns = sd_now_ns();
    long r = sd_ppoll(list, n, &(struct timespec){.tv_sec = 6}, NULL);
    soon(since_ns);
    return r;
}

uint32_t events_of(const struct got *got, int fd)
{
    for (long i = 0; i < got->n; i++)
        if (got->events[i].data.fd == fd)
            return got->events[i].events;
    return 0;
}

static void *run_later(void *argument)
{
    struct later *l = argument;
    nap(l->after_ns);
    l->act(l->fd);
    return NULL;
}

void later(struct later *l, uint64_t after_ns, void (*act)(int fd), int fd)
{
    l->act = act;
    l->fd = fd;
    l->after_ns = after_ns;
    CHECK_EQUAL(pthread_create(&l->thread, NULL, run_later, l), 0);
}

void join(struct later *l)
{
    CHECK_EQUAL(pthread_join(l->thread, NULL), 0);
}

void put_x(int fd)
{
    put(fd, "x");
}

void nap(uint64_t ns)
{
    struct timespec t = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
    nanosleep(&t, NULL);
}

void (*before_announce)(void), (*before_arm)(void), (*before_room)(void), (*before_fence)(void);

static void run_hook(void (**hook)(void))
{
    void (*act)(void) = *hook;
    if (!act)
        return;
    *hook = NULL;
    act();
}

/* The linker puts these in the place of the core's functions (--wrap). */
void __real_sd_set_announce(struct sd_epoll *set);
bool __real_sd_arm(struct sd_socket *s, uint32_t events, uint32_t bell_name);
bool __real_sd_watch_room(struct sd_socket *s);
void __real_sd_fence_sleeper(void);
void __wrap_sd_set_announce(struct sd_epoll *set);
bool __wrap_sd_arm(struct sd_socket *s, uint32_t events, uint32_t bell_name);
bool __wrap_sd_watch_room(struct sd_socket *s);
void __wrap_sd_fence_sleeper(void);

void __wrap_sd_set_announce(struct sd_epoll *set)
{
    run_hook(&before_announce);
    __real_sd_set_announce(set);
}

bool __wrap_sd_arm(struct sd_socket *s, uint32_t events, uint32_t bell_name)
{
    run_hook(&before_arm);
    return __real_sd_arm(s, events, bell_name);
}

bool __wrap_sd_watch_room(struct sd_socket *s)
{
    run_hook(&before_room);
    return __real_sd_watch_room(s);
}

void __wrap_sd_fence_sleeper(void)
{
    run_hook(&before_fence);
    __real_sd_fence_sleeper();
}

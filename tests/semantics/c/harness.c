/* The scenario's side: command line, printing, orders to the puppet, making connections. See harness.h. */
#include "harness.h"

#define SCENARIOS 600

static struct {
    const char *name;
    void (*run)(void);
} scenarios[SCENARIOS];
static int scenario_count;

bool we_accept;
bool over_unix;
bool puppet_is_thread;
const char *program_path;
static int control = -1;
static int listener = -1;

void scenario_register(const char *name, void (*run)(void))
{
    if (scenario_count == SCENARIOS)
        abort();
    scenarios[scenario_count].name = name;
    scenarios[scenario_count++].run = run;
}

/* ---- printing ---- */

void show(const char *text, long result)
{
    if (result == -1 && errno)
        printf("%s = -1 %s\n", text, strerrorname_np(errno));
    else
        printf("%s = %ld\n", text, result);
}

void show_bool(const char *text, bool value)
{
    printf("%s: %s\n", text, value ? "yes" : "no");
}

void show_text(const char *text, const char *value)
{
    printf("%s = \"%s\"\n", text, value);
}

void show_bytes(const char *text, const void *bytes, size_t count)
{
    const unsigned char *byte = bytes;

    printf("%s = ", text);
    for (size_t i = 0; i < count; i++)
        printf(byte[i] >= 32 && byte[i] < 127 ? "%c" : "\\%02x", byte[i]);
    printf("\n");
}

void show_events(const char *text, int result, uint32_t events)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = {
        {EPOLLIN, "IN"},   {EPOLLPRI, "PRI"},  {EPOLLOUT, "OUT"},     {EPOLLERR, "ERR"},
        {EPOLLHUP, "HUP"}, {POLLNVAL, "NVAL"}, {EPOLLRDHUP, "RDHUP"},
    };

    if (result < 0)
        show(text, result);
    else {
        printf("%s = %d", text, result);
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            if (result > 0 && (events & names[i].bit))
                printf(" %s", names[i].name);
        printf("\n");
    }
}

void show_poll(const char *text, struct pollfd *entry, int timeout_ms)
{
    errno = 0;
    int result = poll(entry, 1, timeout_ms);

    show_events(text, result, (uint32_t)entry->revents);
}

_Noreturn void broken(const char *text)
{
    printf("BROKEN: %s: %s\n", text, strerror(errno));
    fflush(stdout);
    _exit(3);
}

long must(const char *text, long result)
{
    if (result < 0)
        broken(text);
    return result;
}

/* ---- orders ---- */

void order_start(struct order order)
{
    if (send(control, &order, sizeof order, 0) != (ssize_t)sizeof order)
        broken("order");
}

struct answer order_finish(void)
{
    struct answer answer;

    if (recv(control, &answer, sizeof answer, 0) != (ssize_t)sizeof answer)
        broken("answer");
    return answer;
}

struct answer order_run(struct order order)
{
    order_start(order);
    return order_finish();
}

struct answer peer(enum op op, long arg)
{
    return order_run((struct order){.op = op, .arg = arg});
}

void peer_start(enum op op, long arg, int delay_ms)
{
    order_start((struct order){.op = op, .arg = arg, .delay_ms = delay_ms});
}

void peer_text_later(const char *text, int delay_ms)
{
    struct order order = {.op = OP_TEXT, .delay_ms = delay_ms};

    snprintf(order.text, sizeof order.text, "%s", text);
    order_start(order);
}

void peer_text(const char *text)
{
    peer_text_later(text, 0);
    if (order_finish().result < 0)
        broken("peer_text");
}

void show_peer(const char *text, struct answer answer)
{
    if (answer.result == -1)
        printf("%s = -1 %s\n", text, strerrorname_np(answer.error));
    else
        printf("%s = %ld \"%s\"%s\n", text, answer.result, answer.text, answer.damaged ? " DAMAGED" : "");
}

void peer_take(int descriptor, int index)
{
    struct order order = {.op = OP_TAKE, .index = index};
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } box = {0};
    struct iovec part = {&order, sizeof order};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &box, .msg_controllen = sizeof box};

    box.head = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(&box.head), &descriptor, sizeof descriptor);
    MUST(sendmsg(control, &message, 0));
    if (order_finish().result < 0)
        broken("peer_take");
}

/* ---- connections ---- */

struct sockaddr_storage loopback(int family, const char *ip, int port)
{
    struct sockaddr_storage address = {.ss_family = (sa_family_t)family};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;
    if (family == AF_UNIX)
        return address;
    void *target = family == AF_INET ? (void *)&v4->sin_addr : (void *)&v6->sin6_addr;

    if (inet_pton(family, ip, target) != 1)
        broken(ip);
    v4->sin_port = htons((uint16_t)port); /* the same place in both */
    return address;
}

socklen_t address_size(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_UNIX) /* a NUL and five digits, or nothing yet */
        return sizeof(sa_family_t) + (((const struct sockaddr_un *)address)->sun_path[1] ? 6 : 0);
    return address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

int address_port(const struct sockaddr_storage *address)
{
    return ntohs(((const struct sockaddr_in *)address)->sin_port);
}

int listen_at(int family, const char *ip, struct sockaddr_storage *bound)
{
    struct sockaddr_storage address = loopback(family, ip, 0);
    socklen_t size = sizeof *bound;
    int fd = (int)MUST(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));

    MUST(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)));
    MUST(bind(fd, (struct sockaddr *)&address, address_size(&address)));
    MUST(listen(fd, 512));
    MUST(getsockname(fd, (struct sockaddr *)bound, &size));
    return fd;
}

/* The kernel's accept may answer before the client has made its offer. Who accepted looks once the client is through, so
 * that what a scenario does first meets a connection that both ends have settled. */
static int pair_accepting(int index, int family, const char *ip)
{
    static struct sockaddr_storage address;
    static int family_now;
    static const char *ip_now;

    if (listener < 0 || family != family_now || strcmp(ip, ip_now)) {
        if (listener >= 0)
            close(listener);
        listener = listen_at(family, ip, &address);
        family_now = family;
        ip_now = ip;
    }
    order_start((struct order){.op = OP_CONNECT, .index = index, .address = address});
    int fd = (int)MUST(accept(listener, NULL, NULL));
    if (order_finish().result < 0)
        broken("puppet's connect");
    MUST(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0));
    return fd;
}

static int pair_connecting(int index, int family, const char *ip)
{
    struct answer at = order_run((struct order){.op = OP_LISTEN, .address = loopback(family, ip, 0)});
    int fd = (int)MUST(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));

    if (at.result < 0)
        broken("puppet's listen");
    order_start((struct order){.op = OP_ACCEPT, .index = index});
    MUST(connect(fd, (struct sockaddr *)&at.address, address_size(&at.address)));
    if (order_finish().result < 0)
        broken("puppet's accept");
    if (order_run((struct order){.op = OP_LOOK, .index = index}).result < 0)
        broken("puppet's look");
    return fd;
}

int pair_at(int index, int family, const char *ip)
{
    return we_accept ? pair_accepting(index, family, ip) : pair_connecting(index, family, ip);
}

int pair_index(int index)
{
    return over_unix ? pair_at(index, AF_UNIX, "") : pair_at(index, AF_INET, "127.0.0.1");
}

int pair(void)
{
    return pair_index(0);
}

int last_listener(void)
{
    return listener;
}

void own_pair(int ends[2])
{
    struct sockaddr_storage address;
    int at = over_unix ? listen_at(AF_UNIX, "", &address) : listen_at(AF_INET, "127.0.0.1", &address);

    ends[0] = (int)MUST(socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    MUST(connect(ends[0], (struct sockaddr *)&address, address_size(&address)));
    ends[1] = (int)MUST(accept4(at, NULL, NULL, SOCK_CLOEXEC));
    close(at);
}

/* ---- command line ---- */

static void *puppet_thread(void *argument)
{
    puppet_serve(*(int *)argument);
    return NULL;
}

static void start_puppet_thread(void)
{
    static int ends[2];
    sigset_t all, before;
    pthread_t thread;

    MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
    control = ends[0];
    sigfillset(&all); /* signals belong to the scenario's threads */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&thread, NULL, puppet_thread, &ends[1]))
        broken("pthread_create");
    pthread_detach(thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* What exec'd programs of the scenarios do: `tool echo FD` sends back what comes from a descriptor until end-of-file. */
static int tool(const char *name, int fd)
{
    char bytes[4096];
    ssize_t count;

    if (strcmp(name, "echo"))
        return 2;
    while ((count = recv(fd, bytes, sizeof bytes, 0)) > 0)
        if (send(fd, bytes, (size_t)count, 0) != count)
            return 1;
    return count < 0;
}

static int run_scenario(const char *name)
{
    for (int i = 0; i < scenario_count; i++)
        if (!strcmp(scenarios[i].name, name)) {
            scenarios[i].run();
            printf("end of %s\n", name);
            fflush(stdout);
            return 0;
        }
    fprintf(stderr, "no scenario %s\n", name);
    return 2;
}

int main(int argc, char **argv)
{
    program_path = "/proc/self/exe";
    if (argc == 3 && !strcmp(argv[1], "puppet")) {
        signal(SIGPIPE, SIG_IGN);
        puppet_serve(atoi(argv[2]));
        return 0;
    }
    if (argc == 4 && !strcmp(argv[1], "tool"))
        return tool(argv[2], atoi(argv[3]));
    if (argc != 4) {
        fprintf(stderr,
                "usage: semantics SCENARIO accepted|connected[-unix] CONTROL_FD   (-1: the puppet is a thread)\n");
        return 2;
    }
    we_accept = !strncmp(argv[2], "accepted", strlen("accepted"));
    over_unix = strstr(argv[2], "-unix") != NULL;
    control = atoi(argv[3]);
    puppet_is_thread = control < 0;
    if (puppet_is_thread)
        start_puppet_thread();
    else
        fcntl(control, F_SETFD, FD_CLOEXEC);
    return run_scenario(argv[1]);
}

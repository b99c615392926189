/* listen, connect, accept: results, errors, addresses. */
#include "harness.h"

static int tcp_socket(int flags)
{
    return (int)MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
}

static int so_error(int fd)
{
    int value = -1;
    socklen_t size = sizeof value;

    MUST(getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &size));
    return value;
}

/* An address of this host where nobody listens. */
static struct sockaddr_storage nobody(void)
{
    struct sockaddr_storage address;

    close(listen_at(AF_INET, "127.0.0.1", &address));
    return address;
}

static int connect_to(int fd, const struct sockaddr_storage *address)
{
    return connect(fd, (const struct sockaddr *)address, address_size(address));
}

SCENARIO(connect_refused, ANY | ONCE)
{
    struct sockaddr_storage address = nobody();
    struct pollfd poll_fd = {tcp_socket(0), POLLIN | POLLOUT | POLLRDHUP, 0};

    SHOW(connect_to(poll_fd.fd, &address));
    SHOW(so_error(poll_fd.fd));
    show_poll("poll", &poll_fd, 0);
    SHOW(connect_to(poll_fd.fd, &address));
    SHOW(send(poll_fd.fd, "x", 1, MSG_NOSIGNAL));
    SHOW(recv(poll_fd.fd, (char[1]){0}, 1, 0));
}

SCENARIO(connect_refused_nonblocking, ANY | ONCE)
{
    struct sockaddr_storage address = nobody();
    struct pollfd poll_fd = {tcp_socket(SOCK_NONBLOCK), POLLIN | POLLOUT | POLLRDHUP, 0};

    SHOW(connect_to(poll_fd.fd, &address));
    show_poll("poll", &poll_fd, 2000);
    SHOW(so_error(poll_fd.fd) == ECONNREFUSED);
    SHOW(so_error(poll_fd.fd));
}

SCENARIO(connect_refused_error_is_told_by_the_next_call, ANY | ONCE)
{
    struct sockaddr_storage address = nobody();
    int fd = tcp_socket(SOCK_NONBLOCK);

    SHOW(connect_to(fd, &address));
    await_events(fd, POLLOUT);
    SHOW(recv(fd, (char[1]){0}, 1, 0));
    SHOW(recv(fd, (char[1]){0}, 1, 0));
    SHOW(so_error(fd));
}

SCENARIO(connect_nonblocking, RING | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address), fd = tcp_socket(SOCK_NONBLOCK);
    struct pollfd poll_fd = {fd, POLLIN | POLLOUT, 0};

    SHOW(connect_to(fd, &address));
    show_poll("poll", &poll_fd, 2000);
    SHOW(so_error(fd));
    SHOW(connect_to(fd, &address));
    SHOW(connect_to(fd, &address));
    int other = (int)MUST(accept(at, NULL, NULL));
    SHOW(send(fd, "hello", 5, 0));
    await_queued(other, 5);
    SHOW(send(other, "hi", 2, 0));
    await_queued(fd, 2);
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    SHOW(recv(fd, (char[8]){0}, 8, 0));
}

SCENARIO(connect_twice, ANY)
{
    int fd = pair();
    struct sockaddr_storage address = nobody();

    SHOW(connect_to(fd, &address));
    if (we_accept) {
        SHOW(connect_to(last_listener(), &address));
        SHOW(listen(last_listener(), 10));
    }
    SHOW(listen(fd, 10));
    SHOW(accept(fd, NULL, NULL));
}

SCENARIO(unconnected_socket, ANY | ONCE)
{
    struct pollfd poll_fd = {tcp_socket(0), POLLIN | POLLOUT | POLLRDHUP, 0};
    struct sockaddr_storage name;
    socklen_t size = sizeof name;
    int fd = poll_fd.fd, value;

    signal(SIGPIPE, SIG_IGN);
    SHOW(send(fd, "x", 1, 0));
    SHOW(write(fd, "x", 1));
    SHOW(recv(fd, (char[1]){0}, 1, 0));
    SHOW(read(fd, (char[1]){0}, 1));
    SHOW(shutdown(fd, SHUT_WR));
    SHOW(getpeername(fd, (struct sockaddr *)&name, &size));
    SHOW(getsockname(fd, (struct sockaddr *)&name, &size));
    SHOW(address_port(&name));
    SHOW(accept(fd, NULL, NULL));
    SHOW(ioctl(fd, FIONREAD, &value));
    show_poll("poll", &poll_fd, 0);
    SHOW(so_error(fd));
}

SCENARIO(listener_is_no_stream, ANY | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address), value = -1;
    socklen_t size = sizeof value;
    struct pollfd poll_fd = {at, POLLIN | POLLOUT | POLLRDHUP, 0};

    signal(SIGPIPE, SIG_IGN);
    SHOW(send(at, "x", 1, 0));
    SHOW(recv(at, (char[1]){0}, 1, 0));
    SHOW(ioctl(at, FIONREAD, &value));
    SHOW(getpeername(at, (struct sockaddr *)&address, &size));
    size = sizeof value;
    SHOW(getsockopt(at, SOL_SOCKET, SO_ACCEPTCONN, &value, &size));
    SHOW(value);
    show_poll("poll", &poll_fd, 0);
    set_nonblocking(at, true);
    SHOW(accept(at, NULL, NULL));
    SHOW(listen(at, 5));
    SHOW(shutdown(at, SHUT_RD));
    SHOW(accept(at, NULL, NULL));
    show_poll("poll after shutdown", &poll_fd, 0);
}

static void show_accepted(const char *text, int fd)
{
    printf("%s: %s%s%s\n", text, fd < 0 ? "failed" : "open", fcntl(fd, F_GETFL) & O_NONBLOCK ? " nonblocking" : "",
           fcntl(fd, F_GETFD) & FD_CLOEXEC ? " cloexec" : "");
}

SCENARIO(accept_flags, ANY | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address);

    set_nonblocking(at, true); /* not inherited on Linux */
    for (int i = 0; i < 5; i++)
        MUST(connect_to(tcp_socket(0), &address));
    show_accepted("accept", accept(at, NULL, NULL));
    show_accepted("accept4 0", accept4(at, NULL, NULL, 0));
    show_accepted("accept4 nonblock", accept4(at, NULL, NULL, SOCK_NONBLOCK));
    show_accepted("accept4 cloexec", accept4(at, NULL, NULL, SOCK_CLOEXEC));
    show_accepted("accept4 both", accept4(at, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
    SHOW(accept4(at, NULL, NULL, 0x40000));
    SHOW(accept4(at, NULL, NULL, 0));
}

SCENARIO(accept_address, ANY | ONCE)
{
    struct sockaddr_storage address, peer_name, own_name;
    int at = listen_at(AF_INET, "127.0.0.1", &address), fd = tcp_socket(0), taken;
    socklen_t size = sizeof own_name, peer_size = sizeof peer_name;

    MUST(connect_to(fd, &address));
    MUST(getsockname(fd, (struct sockaddr *)&own_name, &size));
    taken = accept(at, (struct sockaddr *)&peer_name, &peer_size);
    SHOW(peer_size);
    SHOW(peer_name.ss_family);
    SHOW_BOOL(address_port(&peer_name) == address_port(&own_name));
    peer_size = 4; /* too small: cut, and the full size told */
    memset(&peer_name, 0xff, sizeof peer_name);
    SHOW(getpeername(taken, (struct sockaddr *)&peer_name, &peer_size));
    SHOW(peer_size);
    SHOW(((unsigned char *)&peer_name)[4]);
    size = 0;
    SHOW(getsockname(taken, (struct sockaddr *)&peer_name, &size));
    SHOW(size);
    MUST(connect_to(tcp_socket(0), &address));
    peer_size = 2;
    SHOW(accept(at, (struct sockaddr *)&peer_name, &peer_size) >= 0);
    SHOW(peer_size);
    SHOW(accept(-1, NULL, NULL));
    SHOW(accept(STDOUT_FILENO, NULL, NULL));
}

/* Our names mirror the puppet's; ports are compared, not printed. */
static void show_names(int fd, struct answer other)
{
    char own[INET6_ADDRSTRLEN], far[INET6_ADDRSTRLEN], their_own[64], their_far[64];
    int their_own_port, their_far_port;
    struct sockaddr_storage name[2];
    socklen_t size[2] = {sizeof name[0], sizeof name[1]};

    SHOW(getsockname(fd, (struct sockaddr *)&name[0], &size[0]));
    SHOW(getpeername(fd, (struct sockaddr *)&name[1], &size[1]));
    for (int i = 0; i < 2; i++)
        inet_ntop(name[i].ss_family,
                  name[i].ss_family == AF_INET ? (void *)&((struct sockaddr_in *)&name[i])->sin_addr
                                               : (void *)&((struct sockaddr_in6 *)&name[i])->sin6_addr,
                  i ? far : own, INET6_ADDRSTRLEN);
    printf("size %d %d, family %d, own %s, peer %s\n", size[0], size[1], name[0].ss_family, own, far);
    if (sscanf(other.text, "%63s %d %63s %d", their_own, &their_own_port, their_far, &their_far_port) != 4)
        broken("names");
    printf("the puppet says own %s, peer %s\n", their_own, their_far);
    SHOW_BOOL(their_own_port == address_port(&name[1]));
    SHOW_BOOL(their_far_port == address_port(&name[0]));
}

static void exchange_at(int family, const char *ip)
{
    int fd = pair_at(0, family, ip);

    show_names(fd, peer(OP_NAMES, 0));
    peer_text("from the puppet");
    char bytes[64];
    await_queued(fd, 15);
    SHOW(recv(fd, bytes, sizeof bytes, 0));
    SHOW(send(fd, "answer", 6, 0));
    SHOW_PEER(peer(OP_RECV_ONCE, 100));
    show_names(fd, peer(OP_NAMES, 0));
    close(fd);
}

SCENARIO(names_ipv4, RING)
{
    exchange_at(AF_INET, "127.0.0.1");
}

SCENARIO(names_other_loopback, RING)
{
    exchange_at(AF_INET, "127.1.2.3");
}

SCENARIO(names_ipv6, RING)
{
    exchange_at(AF_INET6, "::1");
}

SCENARIO(names_mapped, MIXED)
{
    exchange_at(AF_INET6, "::ffff:127.0.0.1");
}

/* The host's first other address of a family, or loopback where it has none. */
static void exchange_at_host(int family, const char *otherwise)
{
    char ip[64] = "", command[] = "hostname -I";
    FILE *list = popen(command, "r");
    char *chosen = NULL;

    while (list && fscanf(list, "%63s", ip) == 1)
        if (!!strchr(ip, ':') == (family == AF_INET6) && !chosen)
            chosen = strdup(ip);
    if (list)
        pclose(list);
    exchange_at(family, chosen ? chosen : otherwise);
}

SCENARIO(names_host_ipv4, RING)
{
    exchange_at_host(AF_INET, "127.0.0.1");
}

SCENARIO(names_host_ipv6, RING)
{
    exchange_at_host(AF_INET6, "::1");
}

SCENARIO(dual_stack_listener_takes_ipv4, MIXED | ONCE)
{
    struct sockaddr_storage any, name, v4;
    int at = listen_at(AF_INET6, "::", &any), client = tcp_socket(0), server;
    socklen_t size = sizeof name;
    char ip[INET6_ADDRSTRLEN];

    v4 = loopback(AF_INET, "127.0.0.1", address_port(&any));
    MUST(connect_to(client, &v4));
    server = accept(at, (struct sockaddr *)&name, &size);
    inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&name)->sin6_addr, ip, sizeof ip);
    show_text("accepted from", ip);
    MUST(getsockname(server, (struct sockaddr *)&name, &size));
    inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&name)->sin6_addr, ip, sizeof ip);
    show_text("accepted at", ip);
    SHOW(send(client, "four", 4, 0));
    SHOW(recv(server, (char[8]){0}, 8, 0));
    SHOW(send(server, "six", 3, 0));
    SHOW(recv(client, (char[8]){0}, 8, 0));
}

SCENARIO(any_address_listener, RING | ONCE)
{
    struct sockaddr_storage any, there;
    int at = listen_at(AF_INET, "0.0.0.0", &any), client = tcp_socket(0), server;
    socklen_t size = sizeof there;
    char ip[INET_ADDRSTRLEN];

    there = loopback(AF_INET, "127.9.9.9", address_port(&any));
    MUST(connect_to(client, &there));
    server = (int)MUST(accept(at, NULL, NULL));
    MUST(getsockname(server, (struct sockaddr *)&there, &size));
    show_text("accepted at", inet_ntop(AF_INET, &((struct sockaddr_in *)&there)->sin_addr, ip, sizeof ip));
    SHOW(send(client, "ping", 4, 0));
    SHOW(recv(server, (char[8]){0}, 8, 0));
    SHOW(send(server, "pong", 4, 0));
    SHOW(recv(client, (char[8]){0}, 8, 0));
}

SCENARIO(connect_to_the_any_address, MIXED | ONCE)
{
    struct sockaddr_storage any;
    int at = listen_at(AF_INET, "0.0.0.0", &any), client = tcp_socket(0), server;

    MUST(connect_to(client, &any)); /* 0.0.0.0 as a destination is this host */
    server = (int)MUST(accept(at, NULL, NULL));
    SHOW(send(client, "ping", 4, 0));
    SHOW(recv(server, (char[8]){0}, 8, 0));
}

SCENARIO(client_bound_to_a_port, RING | ONCE)
{
    struct sockaddr_storage address, own, seen;
    int at = listen_at(AF_INET, "127.0.0.1", &address), client = tcp_socket(0), server;
    socklen_t size = sizeof own, seen_size = sizeof seen;

    own = loopback(AF_INET, "127.0.0.5", 0);
    MUST(bind(client, (struct sockaddr *)&own, address_size(&own)));
    MUST(getsockname(client, (struct sockaddr *)&own, &size));
    MUST(connect_to(client, &address));
    server = (int)MUST(accept(at, (struct sockaddr *)&seen, &seen_size));
    SHOW_BOOL(address_port(&own) == address_port(&seen));
    SHOW(send(client, "ping", 4, 0));
    SHOW(recv(server, (char[8]){0}, 8, 0));
}

SCENARIO(address_in_use, ANY | ONCE)
{
    struct sockaddr_storage address;
    int fd = tcp_socket(0);

    listen_at(AF_INET, "127.0.0.1", &address);
    SHOW(bind(fd, (struct sockaddr *)&address, address_size(&address)));
    SHOW(bind(-1, (struct sockaddr *)&address, address_size(&address)));
    SHOW(listen(-1, 1));
}

SCENARIO(server_talks_first, RING | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address);
    char bytes[32] = "";

    order_start((struct order){.op = OP_CONNECT, .address = address});
    int fd = (int)MUST(accept(at, NULL, NULL));
    order_finish();
    SHOW(send(fd, "220 ready", 9, 0));
    SHOW_PEER(peer(OP_RECV_ONCE, 100));
    peer_text("HELO");
    SHOW(recv(fd, bytes, sizeof bytes, 0));
    show_text("bytes", bytes);
}

SCENARIO(accepted_after_client_sent_and_closed, ANY | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address), damaged = 0;

    SHOW(order_run((struct order){.op = OP_CONNECT, .address = address}).result);
    SHOW_PEER(peer(OP_SEND, 12345));
    SHOW_PEER(peer(OP_CLOSE, 0));
    sleep_ms(20);
    int fd = (int)MUST(accept(at, NULL, NULL));
    SHOW(recv_all(fd, 0, 12345, &damaged));
    SHOW(damaged);
    SHOW(recv(fd, (char[1]){0}, 1, 0));
}

SCENARIO(accepted_late_then_talks, ANY | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address), damaged = 0;

    SHOW(order_run((struct order){.op = OP_CONNECT, .address = address}).result);
    SHOW_PEER(peer(OP_SEND, 1000));
    sleep_ms(250); /* longer than an offer waits */
    int fd = (int)MUST(accept(at, NULL, NULL));
    SHOW(recv_all(fd, 0, 1000, &damaged));
    SHOW(send_all(fd, 0, 70000));
    SHOW_PEER(peer(OP_RECV, 70000));
    SHOW_PEER(peer(OP_SEND, 50000));
    SHOW(recv_all(fd, 1000, 50000, &damaged));
    SHOW(damaged);
}

SCENARIO(accepted_after_client_waits_for_answer, ANY | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address);

    SHOW(order_run((struct order){.op = OP_CONNECT, .address = address}).result);
    peer_text("question");
    peer_start(OP_RECV_ONCE, 100, 0);
    sleep_ms(250);
    int fd = (int)MUST(accept(at, NULL, NULL));
    SHOW(recv(fd, (char[100]){0}, 100, 0));
    SHOW(send(fd, "answer", 6, 0));
    SHOW_PEER(order_finish());
}

/* However long the server is busy: before accept nobody could answer by the kernel either. */
SCENARIO(accepted_after_client_waited_long, RING | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address);

    SHOW(order_run((struct order){.op = OP_CONNECT, .address = address}).result);
    peer_text("question");
    peer_start(OP_RECV_ONCE, 100, 0);
    sleep_ms(2600);
    int fd = (int)MUST(accept(at, NULL, NULL));
    SHOW(recv(fd, (char[100]){0}, 100, 0));
    SHOW(send(fd, "answer", 6, 0));
    SHOW_PEER(order_finish());
}

SCENARIO(accepted_after_client_wrote_a_megabyte, ANY | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address), damaged = 0;

    SHOW(order_run((struct order){.op = OP_CONNECT, .address = address}).result);
    peer_start(OP_SEND, 1 << 20, 0);
    sleep_ms(250);
    int fd = (int)MUST(accept(at, NULL, NULL));
    SHOW(recv_all(fd, 0, 1 << 20, &damaged));
    SHOW_PEER(order_finish());
    SHOW(damaged);
}

SCENARIO(accepted_at_once_after_a_burst, MIXED | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address), damaged = 0;

    SHOW(order_run((struct order){.op = OP_CONNECT, .address = address}).result);
    peer_start(OP_SEND, 1 << 20, 0);
    int fd = (int)MUST(accept(at, NULL, NULL));
    SHOW(recv_all(fd, 0, 1 << 20, &damaged));
    SHOW_PEER(order_finish());
    SHOW(damaged);
}

SCENARIO(listener_closed_with_a_client_waiting, ANY | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address);

    SHOW(order_run((struct order){.op = OP_CONNECT, .address = address}).result);
    SHOW(close(at));
    sleep_ms(20);
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    struct answer again = order_run((struct order){.op = OP_CONNECT, .index = 1, .address = address});
    SHOW_PEER(again);
}

SCENARIO(listener_closed_connection_lives, RING)
{
    int fd = pair();

    if (we_accept)
        SHOW(close(last_listener()));
    else
        SHOW(0);
    SHOW(send(fd, "still", 5, 0));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    peer_text("here");
    SHOW(recv(fd, (char[8]){0}, 8, 0));
}

SCENARIO(listener_at_the_same_port_again, MIXED | ONCE)
{
    struct sockaddr_storage address;
    int one = 1, at = listen_at(AF_INET, "127.0.0.1", &address);

    for (int round = 0; round < 3; round++) {
        SHOW(order_run((struct order){.op = OP_CONNECT, .index = round, .address = address}).result);
        int fd = (int)MUST(accept(at, NULL, NULL));
        SHOW(send(fd, "round", 5, 0));
        SHOW_PEER(order_run((struct order){.op = OP_RECV_ONCE, .index = round, .arg = 10}));
        close(at);
        SHOW_PEER(order_run((struct order){.op = OP_CONNECT, .index = 10 + round, .address = address}));
        at = tcp_socket(0);
        MUST(setsockopt(at, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one));
        MUST(bind(at, (struct sockaddr *)&address, address_size(&address)));
        MUST(listen(at, 5));
    }
}

SCENARIO(many_connections_at_once, MIXED)
{
    static int fd[300];
    int good = 0;
    char bytes[16];

    for (int i = 0; i < 300; i++)
        fd[i] = pair_index(i);
    for (int i = 0; i < 300; i++) {
        struct order order = {.op = OP_TEXT, .index = i};
        snprintf(order.text, sizeof order.text, "number %d", i);
        MUST(order_run(order).result);
    }
    for (int i = 299; i >= 0; i--) {
        char expected[16];
        int size = snprintf(expected, sizeof expected, "number %d", i);
        good += recv(fd[i], bytes, sizeof bytes, 0) == size && !memcmp(bytes, expected, (size_t)size);
    }
    SHOW(good);
    for (int i = 0; i < 300; i++)
        close(fd[i]);
    SHOW_PEER(order_run((struct order){.op = OP_RECV_ONCE, .index = 299, .arg = 1}));
}

SCENARIO(many_connections_one_after_the_other, MIXED)
{
    int good = 0;

    for (int i = 0; i < 600; i++) {
        int fd = pair();
        char bytes[8];
        peer_text("once");
        good += recv(fd, bytes, 4, MSG_WAITALL) == 4 && send(fd, "more", 4, 0) == 4;
        good += peer(OP_RECV_ONCE, 10).result == 4;
        close(fd);
        good += peer(OP_RECV_ONCE, 10).result == 0;
        peer(OP_CLOSE, 0);
    }
    SHOW(good);
}

SCENARIO(connect_dissolved_by_af_unspec, ANY)
{
    struct sockaddr nothing = {.sa_family = AF_UNSPEC};
    struct sockaddr_storage name;
    socklen_t size = sizeof name;
    int fd = pair();

    SHOW(connect(fd, &nothing, sizeof nothing));
    SHOW(getpeername(fd, (struct sockaddr *)&name, &size));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    SHOW(send(fd, "x", 1, MSG_NOSIGNAL));
}

SCENARIO(connect_bad_arguments, ANY | ONCE)
{
    struct sockaddr_storage address = loopback(AF_INET, "127.0.0.1", 1);
    int fd = tcp_socket(0);

    SHOW(connect(fd, (struct sockaddr *)&address, 3));
    SHOW(connect(-1, (struct sockaddr *)&address, sizeof address));
    SHOW(connect(STDOUT_FILENO, (struct sockaddr *)&address, sizeof address));
    address.ss_family = AF_UNIX;
    SHOW(connect(fd, (struct sockaddr *)&address, sizeof(struct sockaddr_in)));
}

SCENARIO(other_sockets_are_left_alone, ANY | ONCE)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    int datagram = (int)MUST(socket(AF_INET, SOCK_DGRAM, 0)), pipe_ends[2], unix_ends[2];
    char bytes[8] = "";

    address = loopback(AF_INET, "127.0.0.1", 0);
    MUST(bind(datagram, (struct sockaddr *)&address, address_size(&address)));
    MUST(getsockname(datagram, (struct sockaddr *)&address, &size));
    SHOW(connect_to(datagram, &address));
    SHOW(send(datagram, "self", 4, 0));
    SHOW(recv(datagram, bytes, sizeof bytes, 0));
    SHOW(pipe(pipe_ends));
    SHOW(write(pipe_ends[1], "pipe", 4));
    SHOW(read(pipe_ends[0], bytes, sizeof bytes));
    SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, unix_ends));
    SHOW(send(unix_ends[1], "unix", 4, 0));
    SHOW(recv(unix_ends[0], bytes, sizeof bytes, MSG_PEEK));
    SHOW(recv(unix_ends[0], bytes, sizeof bytes, 0));
}

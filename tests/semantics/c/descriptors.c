/* Descriptors: duplicates, close, flags, what fstat and the socket options say, stdio over a socket. */
#include "harness.h"

static void talk(const char *text, int fd)
{
    struct answer got;

    show_text("over", text);
    SHOW(send(fd, "hello", 5, 0));
    got = peer(OP_RECV_ONCE, 10);
    SHOW_PEER(got);
    peer_text("back");
    SHOW(recv(fd, (char[8]){0}, 8, 0));
}

SCENARIO(every_kind_of_duplicate, RING)
{
    int fd = pair(), target = fcntl(fd, F_DUPFD, 100);

    SHOW(target >= 100);
    talk("F_DUPFD", target);
    int copy = dup(fd);
    talk("dup", copy);
    SHOW(fcntl(copy, F_GETFD));
    SHOW(dup2(fd, 200));
    talk("dup2", 200);
    SHOW(dup2(fd, fd) == fd);
    SHOW(dup3(fd, 201, O_CLOEXEC));
    SHOW(fcntl(201, F_GETFD));
    SHOW(dup3(fd, fd, 0));
    SHOW(dup3(fd, 202, O_NONBLOCK));
    copy = fcntl(fd, F_DUPFD_CLOEXEC, 300);
    SHOW(copy >= 300);
    SHOW(fcntl(copy, F_GETFD));
    SHOW(close(fd));
    talk("F_DUPFD_CLOEXEC", copy);
    SHOW(dup2(fd, 400));
    SHOW(dup(-1));
    SHOW(dup2(copy, -1));
    SHOW(fcntl(copy, F_DUPFD, 1 << 30));
}

SCENARIO(the_last_close_ends_the_connection, RING)
{
    int fd = pair(), copy = (int)MUST(dup(fd));

    SHOW(send(fd, "one", 3, 0));
    SHOW(close(fd));
    SHOW(send(copy, "two", 3, 0));
    peer(OP_QUEUED, 6);
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    peer_start(OP_RECV_ONCE, 10, 0);
    sleep_ms(30);
    SHOW(close(copy));
    SHOW_PEER(order_finish());
}

SCENARIO(shutdown_ends_it_for_every_duplicate, RING)
{
    int fd = pair(), copy = (int)MUST(dup(fd));

    SHOW(send(fd, "x", 1, 0));
    SHOW(shutdown(copy, SHUT_WR));
    SHOW(send(fd, "x", 1, MSG_NOSIGNAL));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
}

SCENARIO(dup2_over_a_connection_closes_it, RING)
{
    int fd = pair(), ends[2];

    SHOW(send(fd, "first", 5, 0)); /* once it is read, the peer has taken up the offer, whatever comes then */
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    SHOW(send(fd, "last", 4, 0));
    MUST(pipe(ends));
    SHOW(dup2(ends[1], fd) == fd);
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    SHOW(write(fd, "pipe", 4));
    SHOW(read(ends[0], (char[8]){0}, 8));
    SHOW(send(fd, "x", 1, 0));
}

SCENARIO(dup2_of_one_connection_over_another, RING)
{
    int first = pair_index(0), second = pair_index(1);

    SHOW(dup2(first, second) == second);
    SHOW_PEER(order_run((struct order){.op = OP_RECV_ONCE, .index = 1, .arg = 1}));
    SHOW(send(second, "over the first", 14, 0));
    SHOW_PEER(peer(OP_RECV_ONCE, 20));
}

SCENARIO(nonblocking_is_shared_by_duplicates, RING)
{
    int fd = pair(), copy = (int)MUST(dup(fd));

    set_nonblocking(fd, true);
    SHOW_BOOL(fcntl(copy, F_GETFL) & O_NONBLOCK);
    SHOW(recv(copy, (char[1]){0}, 1, 0));
    set_nonblocking(copy, false);
    peer_text_later("x", 30);
    SHOW(recv(fd, (char[1]){0}, 1, 0));
    order_finish();
    SHOW(fcntl(fd, F_SETFD, FD_CLOEXEC));
    SHOW(fcntl(copy, F_GETFD));
    SHOW(fcntl(fd, F_GETFD));
}

/* Not with the puppet as a thread: what it opens and closes meanwhile has numbers too. */
SCENARIO(lowest_descriptor_first, ANY | OTHER)
{
    int fd = pair();
    int base = (int)MUST(dup(fd)), next[6];

    close(base);
    SHOW(socket(AF_INET, SOCK_STREAM, 0) - base);
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address);
    SHOW(at - base);
    for (int i = 0; i < 6; i += 2) {
        next[i] = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
        MUST(connect(next[i], (struct sockaddr *)&address, address_size(&address)));
        next[i + 1] = (int)MUST(accept(at, NULL, NULL));
        SHOW(next[i] - base);
        SHOW(next[i + 1] - base);
    }
    SHOW(send(next[0], "x", 1, 0));
    SHOW(recv(next[1], (char[1]){0}, 1, 0));
    SHOW(close(next[2]));
    SHOW(epoll_create1(0) - base);
    SHOW(open("/dev/null", O_RDONLY) - base);
}

/* Numbers from `low` on that the scenario does not own are the program's to close: daemons do it. */
SCENARIO(close_range_closes_connections, RING)
{
    int fd = pair(), next = pair_index(1);

    SHOW(dup2(fd, 500));
    SHOW(dup2(next, 501));
    SHOW(send(500, "bye", 3, 0));
    close(fd);
    close(next);
    SHOW(close_range(500, 501, 0));
    SHOW(send(500, "x", 1, 0));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    SHOW_PEER(order_run((struct order){.op = OP_RECV_ONCE, .index = 1, .arg = 1}));
    SHOW(close_range(10, 5, 0));
    SHOW(close_range(500, 600, 0x80));
}

SCENARIO(close_range_on_exec_only_marks, RING)
{
    int fd = pair();

    SHOW(dup2(fd, 500));
    SHOW(fcntl(500, F_GETFD));
    SHOW(close_range(500, 510, CLOSE_RANGE_CLOEXEC));
    SHOW(fcntl(500, F_GETFD));
    talk("marked", 500);
}

SCENARIO(closing_everything_above_does_no_harm, MIXED)
{
    int fd = pair();

    talk("before", fd);
    closefrom(fd + 1 > 50 ? fd + 1 : 50);
    for (int i = 100; i < 2000; i++)
        close(i);
    talk("after", fd);
    int next = pair_index(1);
    SHOW(send(next, "new", 3, 0));
    SHOW_PEER(order_run((struct order){.op = OP_RECV_ONCE, .index = 1, .arg = 10}));
}

SCENARIO(what_fstat_says, ANY)
{
    int fd = pair();
    struct stat about;
    char path[64], target[64] = "";

    SHOW(fstat(fd, &about));
    SHOW(S_ISSOCK(about.st_mode));
    SHOW(isatty(fd));
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    SHOW(readlink(path, target, 63) > 0);
    show_bool("a socket", !strncmp(target, "socket:[", 8));
    SHOW(fcntl(fd, F_GETFL));
    SHOW(fcntl(fd, F_SETFL, O_NONBLOCK | O_APPEND));
    SHOW(fcntl(fd, F_GETFL));
    SHOW(fcntl(fd, F_GETOWN));
    SHOW(fcntl(fd, 9999));
    SHOW(ioctl(fd, 0x1234567, &about));
}

static void show_option(const char *text, int fd, int level, int option)
{
    int value = -1;
    socklen_t size = sizeof value;

    errno = 0;
    int result = getsockopt(fd, level, option, &value, &size);
    printf("%s: %d %s, value %d, size %u\n", text, result, result ? strerrorname_np(errno) : "", value, size);
}

static void set_option(const char *text, int fd, int level, int option, int value)
{
    errno = 0;
    printf("set %s: ", text);
    show("result", setsockopt(fd, level, option, &value, sizeof value));
    show_option(text, fd, level, option);
}

#define OPTION(fd, level, option)            show_option(#option, fd, level, option)
#define SET_OPTION(fd, level, option, value) set_option(#option, fd, level, option, value)

SCENARIO(socket_options, RING)
{
    int fd = pair();

    OPTION(fd, SOL_SOCKET, SO_TYPE);
    OPTION(fd, SOL_SOCKET, SO_DOMAIN);
    OPTION(fd, SOL_SOCKET, SO_PROTOCOL);
    OPTION(fd, SOL_SOCKET, SO_ACCEPTCONN);
    OPTION(fd, SOL_SOCKET, SO_ERROR);
    OPTION(fd, SOL_SOCKET, SO_REUSEADDR);
    OPTION(fd, IPPROTO_TCP, TCP_NODELAY);
    OPTION(fd, IPPROTO_IP, IP_TTL);
    OPTION(fd, IPPROTO_IP, IP_TOS);
    SET_OPTION(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    SET_OPTION(fd, SOL_SOCKET, SO_RCVBUF, 100000);
    SET_OPTION(fd, SOL_SOCKET, SO_SNDBUF, 100000);
    SET_OPTION(fd, SOL_SOCKET, SO_PRIORITY, 3);
    SET_OPTION(fd, SOL_SOCKET, SO_OOBINLINE, 1);
    SET_OPTION(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    SET_OPTION(fd, IPPROTO_TCP, TCP_KEEPIDLE, 77);
    SET_OPTION(fd, IPPROTO_TCP, TCP_KEEPINTVL, 7);
    SET_OPTION(fd, IPPROTO_TCP, TCP_KEEPCNT, 5);
    SET_OPTION(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 5000);
    SET_OPTION(fd, IPPROTO_IP, IP_TTL, 100);
    SET_OPTION(fd, IPPROTO_IP, IP_TOS, 16);
    SET_OPTION(fd, SOL_SOCKET, 9999, 1);
    SET_OPTION(fd, 9999, 1, 1);
    SHOW(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, "x", 1));
    talk("after options", fd);
}

SCENARIO(socket_options_set_before_connect, ANY | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address), fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
    struct timeval limit = {3, 500000};
    struct linger linger = {1, 12};
    socklen_t size = sizeof limit;

    SET_OPTION(fd, IPPROTO_IP, IP_TTL, 77);
    SET_OPTION(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    SHOW(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
    SHOW(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
    SET_OPTION(at, SOL_SOCKET, SO_KEEPALIVE, 1);
    SET_OPTION(at, IPPROTO_TCP, TCP_NODELAY, 1);
    MUST(connect(fd, (struct sockaddr *)&address, address_size(&address)));
    int other = (int)MUST(accept(at, NULL, NULL)); /* inherits from the listener */
    OPTION(fd, IPPROTO_IP, IP_TTL);
    OPTION(fd, IPPROTO_TCP, TCP_NODELAY);
    OPTION(other, SOL_SOCKET, SO_KEEPALIVE);
    OPTION(other, IPPROTO_TCP, TCP_NODELAY);
    OPTION(other, IPPROTO_IP, IP_TTL);
    memset(&limit, 0, sizeof limit);
    SHOW(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, &size));
    SHOW(limit.tv_sec * 1000 + limit.tv_usec / 1000);
    size = sizeof linger;
    SHOW(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size));
    SHOW(linger.l_linger + 100 * linger.l_onoff);
    int default_ttl = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
    MUST(connect(default_ttl, (struct sockaddr *)&address, address_size(&address)));
    OPTION(default_ttl, IPPROTO_IP, IP_TTL);
    OPTION(at, IPPROTO_IP, IP_TTL);
}

SCENARIO(socket_options_of_ipv6, ANY)
{
    int fd = pair_at(0, AF_INET6, "::1");

    OPTION(fd, SOL_SOCKET, SO_DOMAIN);
    OPTION(fd, IPPROTO_IPV6, IPV6_V6ONLY);
    OPTION(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS);
    SET_OPTION(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 55);
    SET_OPTION(fd, IPPROTO_IPV6, IPV6_TCLASS, 8);
}

SCENARIO(tcp_info_tells_the_state, ANY)
{
    int fd = pair();
    struct tcp_info about = {0};
    socklen_t size = sizeof about;

    SHOW(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &about, &size));
    SHOW(about.tcpi_state);
    if (we_accept) {
        size = sizeof about;
        SHOW(getsockopt(last_listener(), IPPROTO_TCP, TCP_INFO, &about, &size));
        SHOW(about.tcpi_state);
    } else {
        SHOW(0);
        SHOW(10);
    }
}

SCENARIO(low_water_mark, RING)
{
    int fd = pair(), mark = 5;
    struct pollfd entry = {fd, POLLIN, 0};
    char bytes[16];

    SHOW(setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof mark));
    OPTION(fd, SOL_SOCKET, SO_RCVLOWAT);
    peer_text("abc");
    await_queued(fd, 3);
    show_poll("below the mark", &entry, 30);
    SHOW(recv(fd, bytes, 16, MSG_DONTWAIT));
    peer_text_later("defgh", 30);
    show_poll("at the mark", &entry, 5000);
    order_finish();
    peer_text("xx");
    peer_text_later("yyyyy", 50);
    await_queued(fd, 7);
    SHOW(recv(fd, bytes, 16, 0) >= 5);
    order_finish();
}

SCENARIO(stdio_over_a_socket, MIXED)
{
    int fd = pair();
    FILE *stream = fdopen(fd, "r+");
    char line[64] = "";

    SHOW(fileno(stream) == fd);
    peer_text("first line\nsecond line\n");
    show_bool("fgets", fgets(line, sizeof line, stream) != NULL);
    show_bytes("line", line, strlen(line));
    show_bool("fgets", fgets(line, sizeof line, stream) != NULL);
    show_bytes("line", line, strlen(line));
    SHOW(fprintf(stream, "answer %d\n", 42));
    SHOW(fflush(stream));
    SHOW_PEER(peer(OP_RECV_ONCE, 64));
    SHOW(fputs("buffered", stream) >= 0);
    SHOW(dprintf(fd, "direct"));
    SHOW_PEER(peer(OP_RECV_ONCE, 64));
    peer(OP_SHUTDOWN, SHUT_WR);
    SHOW(fclose(stream));
    SHOW_PEER(peer(OP_RECV_ONCE, 64));
    SHOW_PEER(peer(OP_RECV_ONCE, 64));
    SHOW(close(fd));
}

SCENARIO(stdio_of_two_streams, MIXED)
{
    int fd = pair();
    FILE *in = fdopen(fd, "r"), *out = fdopen((int)MUST(dup(fd)), "w");
    char *line = NULL;
    size_t size = 0;

    peer_text("GET / HTTP/1.0\r\n\r\n");
    SHOW(getline(&line, &size, in));
    SHOW(getline(&line, &size, in));
    SHOW(fprintf(out, "%s %d\r\n", "HTTP/1.0", 200));
    SHOW(fwrite("body", 1, 4, out));
    SHOW(fclose(out));
    peer(OP_QUEUED, 18);
    SHOW_PEER(peer(OP_RECV_ONCE, 64));
    peer(OP_CLOSE, 0);
    SHOW(getc(in));
    SHOW(feof(in));
    SHOW(fclose(in));
    free(line);
}

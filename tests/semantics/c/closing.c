/* A descriptor closes while another thread waits in it: the call holds the connection until it returns. */
#include "harness.h"

struct job {
    int fd;
    int other;
    long count;
    _Atomic bool calls; /* the thread makes its call now */
    long result;
    int error;
    char bytes[64];
};

static void show_job(const char *text, struct job *job)
{
    errno = job->error;
    show(text, job->result);
}

static void *receive_once(void *argument)
{
    struct job *job = argument;

    job->calls = true;
    job->result = recv(job->fd, job->bytes, sizeof job->bytes - 1, 0);
    job->error = errno;
    return NULL;
}

static void *send_once(void *argument)
{
    static unsigned char bytes[12000000];
    struct job *job = argument;

    fill_pattern(bytes, (size_t)job->count, 0);
    job->calls = true;
    job->result = send(job->fd, bytes, (size_t)job->count, MSG_NOSIGNAL);
    job->error = errno;
    return NULL;
}

static void *send_file_once(void *argument)
{
    struct job *job = argument;

    job->calls = true;
    job->result = sendfile(job->fd, job->other, NULL, (size_t)job->count);
    job->error = errno;
    return NULL;
}

static pthread_t start_and_wait(void *(*run)(void *), struct job *job)
{
    pthread_t thread = thread_start(run, job);

    while (!job->calls)
        sleep_ms(1);
    sleep_ms(100);
    return thread;
}

static pthread_t start_and_wait_briefly(void *(*run)(void *), struct job *job)
{
    pthread_t thread = thread_start(run, job);

    while (!job->calls)
        sleep_ms(1);
    sleep_ms(15);
    return thread;
}

/* What the other end sees now. */
static void show_other(int fd)
{
    struct pollfd entry = {fd, POLLIN | POLLRDHUP, 0};

    show_poll("the other end", &entry, 60);
}

SCENARIO(the_end_comes_when_the_blocked_recv_has_returned, RING | ONCE)
{
    int ends[2];

    own_pair(ends);
    struct job job = {.fd = ends[0]};
    pthread_t thread = start_and_wait(receive_once, &job);
    SHOW(close(ends[0]));
    show_other(ends[1]);
    SHOW(send(ends[1], "abc", 3, 0));
    thread_join(thread);
    show_job("recv", &job);
    show_text("bytes", job.bytes);
    show_other(ends[1]);
    SHOW(recv(ends[1], (char[8]){0}, 8, 0));
}

SCENARIO(blocked_recv_of_a_closed_descriptor_hears_the_end, ANY)
{
    struct job job = {.fd = pair()};
    pthread_t thread = start_and_wait(receive_once, &job);

    SHOW(close(job.fd));
    SHOW_PEER(peer(OP_CLOSE, 0));
    thread_join(thread);
    show_job("recv", &job);
}

SCENARIO(blocked_recv_of_a_closed_descriptor_hears_a_reset, ANY)
{
    struct job job = {.fd = pair()};
    pthread_t thread = start_and_wait(receive_once, &job);

    SHOW(close(job.fd));
    SHOW_PEER(peer(OP_RESET, 0));
    thread_join(thread);
    show_job("recv", &job);
}

SCENARIO(blocked_recv_of_a_closed_descriptor_has_its_timeout, ANY)
{
    struct job job = {.fd = pair()};
    struct timeval timeout = {.tv_usec = 300000};
    double start = now_ms();

    MUST(setsockopt(job.fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout));
    pthread_t thread = start_and_wait(receive_once, &job);
    SHOW(close(job.fd));
    thread_join(thread);
    show_job("recv", &job);
    SHOW_BOOL(now_ms() - start > 250);
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
}

/* dup2 and close_range close as close does; the number belongs to another file at once. */
static void show_recv_after(int (*take_away)(int fd))
{
    int ends[2];

    own_pair(ends);
    struct job job = {.fd = ends[0]};
    pthread_t thread = start_and_wait(receive_once, &job);
    SHOW(take_away(ends[0]));
    show_other(ends[1]);
    SHOW(send(ends[1], "abc", 3, 0));
    thread_join(thread);
    show_job("recv", &job);
    show_text("bytes", job.bytes);
    show_other(ends[1]);
}

static int replaced_by_another_connection(int fd)
{
    int others[2];

    own_pair(others);
    MUST(send(others[1], "wrong", 5, 0));
    return dup2(others[0], fd) == fd;
}

SCENARIO(dup2_over_a_blocked_recv, MIXED | ONCE)
{
    show_recv_after(replaced_by_another_connection);
}

static int closed_by_range(int fd)
{
    return close_range((unsigned)fd, (unsigned)fd, 0);
}

SCENARIO(close_range_over_a_blocked_recv, RING | ONCE)
{
    show_recv_after(closed_by_range);
}

static int closed_and_forked(int fd)
{
    MUST(close(fd));
    if (MUST(fork()) == 0) {
        sleep_ms(1500); /* has nothing of the connection */
        _exit(0);
    }
    return 0;
}

SCENARIO(fork_beside_a_blocked_recv_of_a_closed_descriptor, RING | ONCE)
{
    show_recv_after(closed_and_forked);
}

static int closed_beside_a_duplicate(int fd)
{
    return dup(fd) >= 0 && close(fd) == 0;
}

SCENARIO(blocked_recv_goes_on_beside_a_duplicate, RING | ONCE)
{
    show_recv_after(closed_beside_a_duplicate);
}

SCENARIO(two_blocked_in_a_closed_descriptor, RING | ONCE)
{
    int ends[2];

    own_pair(ends);
    struct job jobs[2] = {{.fd = ends[0]}, {.fd = ends[0]}};
    pthread_t first = start_and_wait(receive_once, &jobs[0]);
    pthread_t second = start_and_wait(receive_once, &jobs[1]);
    SHOW(close(ends[0]));
    SHOW(send(ends[1], "a", 1, 0));
    sleep_ms(60);
    show_other(ends[1]);
    SHOW(send(ends[1], "b", 1, 0));
    thread_join(first);
    thread_join(second);
    SHOW(jobs[0].result + jobs[1].result);
    show_other(ends[1]);
}

SCENARIO(close_under_a_blocked_send, RING)
{
    struct job job = {.fd = pair(), .count = 12000000};
    pthread_t thread = start_and_wait(send_once, &job);

    SHOW(close(job.fd));
    SHOW_PEER(peer(OP_RECV_ALL, 0));
    thread_join(thread);
    show_job("send", &job);
}

static int file_of(long count)
{
    FILE *file = tmpfile();
    static unsigned char bytes[12000000];

    fill_pattern(bytes, (size_t)count, 0);
    if (!file || fwrite(bytes, 1, (size_t)count, file) != (size_t)count || fflush(file))
        broken("tmpfile");
    rewind(file);
    return fileno(file);
}

SCENARIO(close_under_a_blocked_sendfile, RING)
{
    struct job job = {.fd = pair(), .other = file_of(12000000), .count = 12000000};
    pthread_t thread = start_and_wait(send_file_once, &job);

    SHOW(close(job.fd));
    SHOW_PEER(peer(OP_RECV_ALL, 0));
    thread_join(thread);
    show_job("sendfile", &job);
}

/* The connection moves to the kernel while a send waits in it whose number is another connection's by now. */
static void show_rest_goes_to_the_old(void *(*run)(void *), struct job *job)
{
    int others[2];
    char byte;

    own_pair(others);
    pthread_t thread = start_and_wait(run, job);
    SHOW_BOOL(dup2(others[0], job->fd) == job->fd);
    SHOW_PEER(peer(OP_MOVE, 0));
    SHOW_PEER(peer(OP_RECV_ALL, 0));
    thread_join(thread);
    show_job("sent", job);
    SHOW(recv(others[1], &byte, 1, MSG_DONTWAIT));
    SHOW(send(job->fd, "x", 1, 0));
    SHOW(recv(others[1], &byte, 1, 0));
}

SCENARIO(rest_of_a_blocked_send_goes_to_the_old_connection, ANY)
{
    struct job job = {.fd = pair(), .count = 12000000};

    show_rest_goes_to_the_old(send_once, &job);
}

SCENARIO(rest_of_a_blocked_sendfile_goes_to_the_old_connection, ANY)
{
    struct job job = {.fd = pair(), .other = file_of(12000000), .count = 12000000};

    show_rest_goes_to_the_old(send_file_once, &job);
}

SCENARIO(blocked_recv_of_a_closed_descriptor_follows_a_move, ANY)
{
    struct job job = {.fd = pair()};
    pthread_t thread = start_and_wait(receive_once, &job);
    int others[2];

    own_pair(others);
    SHOW_BOOL(dup2(others[0], job.fd) == job.fd);
    MUST(send(others[1], "wrong", 5, 0));
    SHOW_PEER(peer(OP_MOVE, 0));
    sleep_ms(60);
    peer_text("right");
    thread_join(thread);
    show_job("recv", &job);
    show_text("bytes", job.bytes);
    SHOW_PEER(peer(OP_RECV_ONCE, 1));
}

/* As a program does that holds the other end and has no library: by the kernel's own call. */
static long write_by_the_kernel(int fd, const char *text, size_t n)
{
#if defined(__x86_64__)
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"((long)SYS_write), "D"((long)fd), "S"(text), "d"(n)
                     : "rcx", "r11", "memory");
    return result;
#else
    register long result __asm__("x0") = fd;
    register const char *from __asm__("x1") = text;
    register size_t count __asm__("x2") = n;
    register long call __asm__("x8") = SYS_write;
    __asm__ volatile("svc 0" : "+r"(result) : "r"(from), "r"(count), "r"(call) : "memory");
    return result;
#endif
}

SCENARIO(blocked_recv_of_a_closed_descriptor_gets_what_came_by_the_kernel, ANY | ONCE)
{
    int ends[2], others[2];

    own_pair(ends);
    own_pair(others);
    struct job job = {.fd = ends[0]};
    MUST(send(ends[1], "first", 5, 0));
    SHOW(recv(ends[0], job.bytes, sizeof job.bytes - 1, 0));
    pthread_t thread = start_and_wait(receive_once, &job);
    SHOW_BOOL(dup2(others[0], job.fd) == job.fd);
    MUST(send(others[1], "wrong", 5, 0));
    write_by_the_kernel(others[1], "wrong", 5);
    SHOW(write_by_the_kernel(ends[1], "right", 5));
    thread_join(thread);
    show_job("recv", &job);
    show_text("bytes", job.bytes);
}

static void *accept_and_echo(void *argument)
{
    struct job *job = argument;

    job->calls = true;
    job->result = accept(job->fd, NULL, NULL) >= 0;
    job->error = errno;
    return NULL;
}

SCENARIO(close_under_a_blocked_accept, ANY | ONCE)
{
    struct sockaddr_storage address;
    struct job job = {.fd = listen_at(AF_INET, "127.0.0.1", &address)};
    pthread_t thread = start_and_wait(accept_and_echo, &job);

    SHOW(close(job.fd));
    SHOW_PEER(order_run((struct order){.op = OP_CONNECT, .address = address}));
    thread_join(thread);
    show_job("accept", &job);
    sleep_ms(20);
    SHOW_PEER(order_run((struct order){.op = OP_CONNECT, .index = 1, .address = address}));
}

static void *accept_and_answer(void *argument)
{
    struct job *job = argument;
    job->calls = true;
    int fd = accept(job->fd, NULL, NULL);

    job->count = recv(fd, job->bytes, sizeof job->bytes, 0);
    job->result = send(fd, "pong", 4, 0);
    job->error = errno;
    close(fd);
    return NULL;
}

SCENARIO(connection_accepted_from_a_closed_listener_works, ANY | ONCE)
{
    struct sockaddr_storage address;
    struct job job = {.fd = listen_at(AF_INET, "127.0.0.1", &address)};
    pthread_t thread = start_and_wait(accept_and_answer, &job);

    SHOW(close(job.fd));
    SHOW_PEER(order_run((struct order){.op = OP_CONNECT, .address = address}));
    peer_text("ping");
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    thread_join(thread);
    SHOW(job.count);
    show_job("send", &job);
}

static void *connect_blocked(void *argument)
{
    struct job *job = argument;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)job->other)};

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    job->calls = true;
    job->result = connect(job->fd, (struct sockaddr *)&to, sizeof to);
    job->error = errno;
    return NULL;
}

/* The queue of a listener with backlog nought is full after one: the next handshake waits until there is room. */
SCENARIO(close_under_a_blocked_connect, ANY | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address), filler = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
    struct job job = {.fd = (int)MUST(socket(AF_INET, SOCK_STREAM, 0)), .other = address_port(&address)};

    MUST(listen(at, 0));
    MUST(connect(filler, (struct sockaddr *)&address, address_size(&address)));
    pthread_t thread = start_and_wait(connect_blocked, &job);
    SHOW(close(job.fd));
    int taken = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
    SHOW_BOOL(taken == job.fd);
    SHOW_BOOL(accept(at, NULL, NULL) >= 0);
    int late = accept(at, NULL, NULL);
    thread_join(thread);
    show_job("connect", &job);
    SHOW(recv(late, (char[4]){0}, 4, 0));
    SHOW(connect(taken, (struct sockaddr *)&address, address_size(&address)));
    SHOW(send(taken, "abc", 3, 0));
    SHOW(recv(accept(at, NULL, NULL), (char[4]){0}, 4, 0));
}

/* The close comes at any moment of the call: the call has the bytes, or an end, and the other end always hears of it. */
static long closed_at_some_moment(int round)
{
    int ends[2];

    own_pair(ends);
    struct job job = {.fd = ends[0]};
    pthread_t thread = thread_start(receive_once, &job);
    struct timespec moment = {.tv_nsec = round * 37 % 400 * 1000};
    nanosleep(&moment, NULL);
    close(ends[0]);
    send(ends[1], "abc", 3, MSG_NOSIGNAL);
    long good = poll(&(struct pollfd){ends[1], POLLRDHUP, 0}, 1, 5000) == 1;
    close(ends[1]);
    thread_join(thread);
    return good + (job.result == 3 || job.result == 0 || (job.result == -1 && job.error == EBADF));
}

SCENARIO(close_at_any_moment_of_a_recv, ANY | ONCE)
{
    long good = 0;

    for (int round = 0; round < 300; round++)
        good += closed_at_some_moment(round);
    SHOW(good);
}

static void *open_and_close_meanwhile(void *argument)
{
    _Atomic bool *stop = argument;

    while (!*stop) {
        int ends[2];
        own_pair(ends);
        close(ends[0]);
        close(ends[1]);
    }
    return NULL;
}

SCENARIO(close_at_any_moment_beside_others_that_take_the_number, ANY | ONCE)
{
    static _Atomic bool stop;
    pthread_t other = thread_start(open_and_close_meanwhile, (void *)&stop);
    long good = 0;

    for (int round = 0; round < 200; round++) {
        int ends[2];
        own_pair(ends);
        struct job job = {.fd = ends[0]};
        pthread_t thread = start_and_wait_briefly(receive_once, &job);
        close(ends[0]);
        send(ends[1], "abc", 3, MSG_NOSIGNAL);
        thread_join(thread);
        good += job.result == 3;
        good += poll(&(struct pollfd){ends[1], POLLRDHUP, 0}, 1, 5000) == 1;
        close(ends[1]);
    }
    stop = true;
    thread_join(other);
    SHOW(good);
}

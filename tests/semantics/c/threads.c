/* Several threads on one socket. */
#include "harness.h"

struct job {
    int fd;
    int number;
    long result;
    int error;
    char bytes[64];
};

static void *receive_once(void *argument)
{
    struct job *job = argument;

    job->result = recv(job->fd, job->bytes, sizeof job->bytes - 1, 0);
    job->error = errno;
    return NULL;
}

static void show_job(const char *text, struct job *job)
{
    errno = job->error;
    show(text, job->result);
}

SCENARIO(one_thread_sends_one_receives, RING)
{
    int fd = pair(), damaged = 0;
    long result[2];

    peer_start(OP_DUPLEX, 10000000, 0);
    duplex(fd, 10000000, result, &damaged);
    SHOW(result[0]);
    SHOW(result[1]);
    SHOW(damaged);
    SHOW_PEER(order_finish());
}

#define MESSAGES 3000

static void *send_numbered(void *argument)
{
    struct job *job = argument;

    for (uint32_t i = 0; i < MESSAGES; i++) {
        uint32_t message[2] = {(uint32_t)job->number, i};
        job->result += send(job->fd, message, sizeof message, 0) == (ssize_t)sizeof message;
    }
    return NULL;
}

SCENARIO(two_threads_send, RING | ONCE)
{
    int ends[2], bad = 0;
    uint32_t next[2] = {0, 0}, message[2];
    struct job jobs[2];
    pthread_t threads[2];

    own_pair(ends);
    for (int i = 0; i < 2; i++) {
        jobs[i] = (struct job){.fd = ends[0], .number = i};
        threads[i] = thread_start(send_numbered, &jobs[i]);
    }
    for (int i = 0; i < 2 * MESSAGES; i++) {
        if (recv(ends[1], message, sizeof message, MSG_WAITALL) != (ssize_t)sizeof message)
            broken("recv");
        bad += message[0] > 1 || message[1] != next[message[0] & 1]++; /* each thread's own order holds */
    }
    for (int i = 0; i < 2; i++)
        thread_join(threads[i]);
    SHOW(bad);
    SHOW(jobs[0].result + jobs[1].result);
}

static void *receive_many(void *argument)
{
    struct job *job = argument;
    char bytes[1000];
    ssize_t count;

    while ((count = recv(job->fd, bytes, sizeof bytes, 0)) > 0)
        job->result += count;
    job->error = (int)count;
    return NULL;
}

SCENARIO(three_threads_receive, RING)
{
    int fd = pair();
    struct job jobs[3];
    pthread_t threads[3];

    for (int i = 0; i < 3; i++) {
        jobs[i] = (struct job){.fd = fd};
        threads[i] = thread_start(receive_many, &jobs[i]);
    }
    SHOW_PEER(peer(OP_SEND, 5000000));
    SHOW_PEER(peer(OP_SHUTDOWN, SHUT_WR));
    for (int i = 0; i < 3; i++)
        thread_join(threads[i]);
    SHOW(jobs[0].result + jobs[1].result + jobs[2].result);
    SHOW(jobs[0].error + jobs[1].error + jobs[2].error); /* end-of-file for every one */
}

SCENARIO(close_does_not_wake_a_blocked_recv, ANY)
{
    struct job job = {.fd = pair()};
    pthread_t thread = thread_start(receive_once, &job);

    sleep_ms(50);
    SHOW(close(job.fd));
    SHOW(send(job.fd, "x", 1, 0));
    sleep_ms(50);
    peer_text("abc"); /* the blocked call still has the description */
    thread_join(thread);
    show_job("recv", &job);
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
}

SCENARIO(shutdown_wakes_a_blocked_recv, RING)
{
    struct job job = {.fd = pair()};

    SHOW(send(job.fd, "first", 5, 0));
    pthread_t thread = thread_start(receive_once, &job);
    sleep_ms(50);
    SHOW(shutdown(job.fd, SHUT_RDWR));
    thread_join(thread);
    show_job("recv", &job);
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
}

SCENARIO(shutdown_read_wakes_a_blocked_recv, ANY)
{
    struct job job = {.fd = pair()};
    pthread_t thread = thread_start(receive_once, &job);

    sleep_ms(50);
    SHOW(shutdown(job.fd, SHUT_RD));
    thread_join(thread);
    show_job("recv", &job);
    SHOW(send(job.fd, "x", 1, 0));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
}

static void *send_blocked(void *argument)
{
    static char bytes[8000000];
    struct job *job = argument;

    do
        job->result = send(job->fd, bytes, sizeof bytes, MSG_NOSIGNAL);
    while (job->result > 0);
    job->error = errno;
    return NULL;
}

SCENARIO(shutdown_wakes_a_blocked_send, RING)
{
    struct job job = {.fd = pair()};

    fill_until_full(job.fd, 0);
    pthread_t thread = thread_start(send_blocked, &job);
    sleep_ms(80);
    SHOW(shutdown(job.fd, SHUT_WR));
    thread_join(thread);
    show_job("send", &job);
}

static void *accept_one(void *argument)
{
    struct job *job = argument;

    job->result = accept(job->fd, NULL, NULL);
    if (job->result >= 0 && recv((int)job->result, job->bytes, 8, 0) == 4)
        job->number = send((int)job->result, job->bytes, 4, 0) == 4;
    return NULL;
}

SCENARIO(four_threads_accept, RING | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address), served = 0;
    struct job jobs[4] = {0};
    pthread_t threads[4];

    for (int i = 0; i < 4; i++) {
        jobs[i].fd = at;
        threads[i] = thread_start(accept_one, &jobs[i]);
    }
    sleep_ms(20);
    for (int i = 0; i < 4; i++) {
        MUST(order_run((struct order){.op = OP_CONNECT, .index = i, .address = address}).result);
        MUST(order_run((struct order){.op = OP_TEXT, .index = i, .text = "ping"}).result);
        SHOW_PEER(order_run((struct order){.op = OP_RECV_ONCE, .index = i, .arg = 10}));
    }
    for (int i = 0; i < 4; i++) {
        thread_join(threads[i]);
        served += jobs[i].number;
    }
    SHOW(served);
}

static void *poll_blocked(void *argument)
{
    struct job *job = argument;
    struct pollfd entry = {job->fd, POLLIN, 0};

    job->result = poll(&entry, 1, 5000);
    job->number = entry.revents;
    return NULL;
}

SCENARIO(poll_in_one_thread_recv_in_another, RING)
{
    int fd = pair();
    struct job polling = {.fd = fd}, receiving = {.fd = fd};
    pthread_t first = thread_start(poll_blocked, &polling);

    sleep_ms(40);
    peer_text("abc");
    thread_join(first);
    SHOW(polling.result);
    SHOW(polling.number);
    pthread_t second = thread_start(receive_once, &receiving);
    thread_join(second);
    show_job("recv", &receiving);
    first = thread_start(poll_blocked, &polling);
    second = thread_start(receive_once, &receiving);
    sleep_ms(40);
    SHOW(shutdown(fd, SHUT_RDWR)); /* wakes both, whatever they wait in */
    thread_join(first);
    thread_join(second);
    show_job("recv", &receiving);
    SHOW(polling.number);
}

static void *receive_for_ever(void *argument)
{
    char byte;

    for (;;)
        if (recv(*(int *)argument, &byte, 1, 0) <= 0)
            return NULL;
}

SCENARIO(cancel_in_recv, RING)
{
    int fd = pair();
    pthread_t thread = thread_start(receive_for_ever, &fd);

    sleep_ms(50);
    SHOW(pthread_cancel(thread));
    SHOW_BOOL(thread_join(thread) == PTHREAD_CANCELED);
    peer_text("abc");
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    SHOW(send(fd, "x", 1, 0));
}

/* The first byte makes this thread the one that uses the connection without further ado. */
static void *receive_when_cancelled(void *argument)
{
    int *fd = argument;
    char byte;

    await_queued(*fd, 2);
    MUST(recv(*fd, &byte, 1, 0));
    pthread_cancel(pthread_self());
    recv(*fd, &byte, 1, 0);
    return NULL;
}

static void *send_when_cancelled(void *argument)
{
    int *fd = argument;

    MUST(send(*fd, "x", 1, 0));
    pthread_cancel(pthread_self());
    send(*fd, "y", 1, 0);
    return NULL;
}

/* A call is a cancellation point also where it has nothing to wait for: its byte stays where it is. */
SCENARIO(cancelled_before_a_call_that_need_not_wait, RING)
{
    int fd = pair();
    char byte = 0;

    peer_text("ab");
    pthread_t thread = thread_start(receive_when_cancelled, &fd);
    SHOW_BOOL(thread_join(thread) == PTHREAD_CANCELED);
    SHOW(recv(fd, &byte, 1, 0));
    SHOW(byte);
    thread = thread_start(send_when_cancelled, &fd);
    SHOW_BOOL(thread_join(thread) == PTHREAD_CANCELED);
    SHOW(send(fd, "z", 1, 0));
    SHOW_PEER(peer(OP_QUEUED, 2));
    SHOW_PEER(peer(OP_RECV_ONCE, 8));
}

static void *churn(void *argument)
{
    struct job *job = argument;
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address);

    for (int i = 0; i < 100; i++) {
        int client = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
        MUST(connect(client, (struct sockaddr *)&address, address_size(&address)));
        int server = (int)MUST(accept(at, NULL, NULL));
        char bytes[8];
        job->result += send(client, "ping", 4, 0) == 4 && recv(server, bytes, 8, 0) == 4;
        job->result += send(server, "pong", 4, 0) == 4 && recv(client, bytes, 8, 0) == 4;
        close(i % 2 ? client : server);
        job->result += recv(i % 2 ? server : client, bytes, 8, 0) == 0;
        close(i % 2 ? server : client);
    }
    close(at);
    return NULL;
}

SCENARIO(four_threads_open_and_close, RING | ONCE)
{
    struct job jobs[4] = {0};
    pthread_t threads[4];
    long good = 0;

    for (int i = 0; i < 4; i++)
        threads[i] = thread_start(churn, &jobs[i]);
    for (int i = 0; i < 4; i++) {
        thread_join(threads[i]);
        good += jobs[i].result;
    }
    SHOW(good);
}

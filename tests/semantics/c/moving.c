/* A connection moves to kernel TCP while it lives: what was in the ring, what comes after, how it ends, and who waits
 * for it meanwhile. Passing the descriptor to oneself moves it and leaves what is unread behind, splice moves it without.
 */
#include "harness.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

/* From here on nobody helps us to what the peer has sent: it must send it again itself. */
static void forbid_borrowing(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_getfd, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};

    MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

/* Send a descriptor to ourselves and close it; what comes back is another number for the same connection. */
static int passed(int fd)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } box = {.head = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    struct iovec part = {"d", 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &box, .msg_controllen = sizeof box};
    int channel[2], again;

    memcpy(CMSG_DATA(&box.head), &fd, sizeof fd);
    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, channel));
    MUST(sendmsg(channel[0], &message, 0));
    close(fd);
    part.iov_base = &(char){0};
    MUST(recvmsg(channel[1], &message, 0));
    memcpy(&again, CMSG_DATA(&box.head), sizeof again);
    close(channel[0]);
    close(channel[1]);
    return again;
}

static void show_all(int fd, long count)
{
    int damaged = 0;

    SHOW(recv_all(fd, 0, count, &damaged));
    SHOW(damaged);
}

/* Splices text into the connection: our direction moves, the peer is asked to. */
static void splice_text(int fd, const char *text)
{
    int ends[2];

    MUST(pipe(ends));
    MUST(write(ends[1], text, strlen(text)));
    MUST(splice(ends[0], NULL, fd, NULL, strlen(text), 0));
    close(ends[0]);
    close(ends[1]);
}

/* Processor time of this process for something that waits. */
#define SHOW_IDLE(waiting)                                                                                           \
    do {                                                                                                             \
        struct timespec before, after;                                                                               \
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);                                                            \
        SHOW(waiting);                                                                                               \
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);                                                             \
        show_bool("idle", (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 < 100); \
    } while (0)

/* ---- what is left unread ---- */

SCENARIO(unread_bytes_follow_at_once, ANY)
{
    int fd = pair();

    peer_text("unread");
    await_queued(fd, 6);
    fd = passed(fd);
    SHOW(recv(fd, (char[16]){0}, 16, 0)); /* the peer does nothing meanwhile */
    peer_text("later");
    SHOW(recv(fd, (char[16]){0}, 16, 0));
}

static void *move_late(void *unused)
{
    (void)unused;
    sleep_ms(1500);
    peer(OP_MOVE, 0);
    return NULL;
}

SCENARIO(timeout_lasts_over_a_move, ANY | OTHER)
{
    int fd = pair();
    char bytes[8];
    struct timeval limit = {2, 0};

    MUST(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
    pthread_t thread = thread_start(move_late, NULL);
    double start = now_ms();
    SHOW(recv(fd, bytes, sizeof bytes, 0));
    SHOW_BOOL(now_ms() - start > 1900);
    SHOW_BOOL(now_ms() - start < 3200);
    thread_join(thread);
}

SCENARIO(unread_bytes_and_the_end_follow_at_once, ANY)
{
    int fd = pair();

    SHOW_PEER(peer(OP_SEND, 400000));
    peer(OP_SHUTDOWN, SHUT_WR);
    sleep_ms(50);
    fd = passed(fd);
    show_all(fd, 500000);
    SHOW(send(fd, "answer", 6, 0));
    SHOW_PEER(peer(OP_RECV_ONCE, 16));
}

SCENARIO(unread_bytes_of_a_peer_that_has_closed, ANY)
{
    int fd = pair();

    SHOW_PEER(peer(OP_SEND, 400000));
    SHOW_PEER(peer(OP_CLOSE, 0));
    sleep_ms(20);
    fd = passed(fd);
    show_all(fd, 500000);
    SHOW(recv(fd, (char[16]){0}, 16, 0));
}

SCENARIO(unread_bytes_of_a_peer_that_was_killed, ANY | OTHER)
{
    int fd = pair();

    SHOW_PEER(peer(OP_SEND, 400000));
    order_start((struct order){.op = OP_DIE});
    sleep_ms(50);
    fd = passed(fd);
    show_all(fd, 500000);
}

SCENARIO(nonblocking_after_the_peer_has_closed, ANY)
{
    int fd = pair();

    set_nonblocking(fd, true);
    peer_text("last words");
    await_queued(fd, 10);
    SHOW_PEER(peer(OP_CLOSE, 0));
    sleep_ms(20);
    fd = passed(fd);
    SHOW_BOOL(fcntl(fd, F_GETFL) & O_NONBLOCK);
    SHOW(recv(fd, (char[16]){0}, 16, 0));
    SHOW(recv(fd, (char[16]){0}, 16, 0));
}

SCENARIO(unread_bytes_of_a_sender_that_goes_on, ANY)
{
    int fd = pair();

    peer_start(OP_SEND, 8000000, 0);
    sleep_ms(50);
    fd = passed(fd);
    show_all(fd, 8000000);
    SHOW_PEER(order_finish());
}

SCENARIO(unread_bytes_in_both_directions, ANY)
{
    int fd = pair(), damaged = 0;
    long result[2];

    peer_start(OP_DUPLEX, 5000000, 0);
    sleep_ms(20);
    fd = passed(fd);
    duplex(fd, 5000000, result, &damaged);
    SHOW(result[0]);
    SHOW(result[1]);
    SHOW(damaged);
    SHOW_PEER(order_finish());
}

/* Again and again the peer acts at the very moment when we leave, and does nothing more. */
static long bytes_until_the_end(enum op op, const char *late)
{
    struct order order = {.op = op, .arg = SHUT_WR};
    char bytes[64];
    long count = 0, got;

    for (order.index = 0; order.index < 60; order.index++) {
        int fd = pair_index(order.index);
        struct order early = {.op = OP_TEXT, .index = order.index, .text = "unread"};
        MUST(order_run(early).result);
        snprintf(order.text, sizeof order.text, "%s", late);
        order_start(order);
        fd = passed(fd);
        long wanted = 6 + (long)strlen(late);
        for (long left = wanted; left > 0 && (got = recv(fd, bytes, (size_t)left, 0)) > 0; left -= got)
            count += got;
        if (op == OP_SHUTDOWN)
            count += recv(fd, bytes, 1, 0) == 0;
        order_finish();
        close(fd);
        order_run((struct order){.op = OP_CLOSE, .index = order.index});
    }
    return count;
}

SCENARIO(bytes_sent_while_their_reader_leaves, ANY)
{
    SHOW(bytes_until_the_end(OP_TEXT, "late"));
}

SCENARIO(end_said_while_its_reader_leaves, ANY)
{
    SHOW(bytes_until_the_end(OP_SHUTDOWN, ""));
}

SCENARIO(sent_again_by_a_peer_that_waits, ANY | OTHER)
{
    int fd = pair();

    forbid_borrowing();
    peer_text("unread");
    await_queued(fd, 6);
    peer_start(OP_RECV_ONCE, 16, 0);
    sleep_ms(50);
    fd = passed(fd);
    SHOW(recv(fd, (char[16]){0}, 16, 0));
    SHOW(send(fd, "answer", 6, 0));
    SHOW_PEER(order_finish());
}

SCENARIO(sent_again_with_the_next_bytes, ANY | OTHER)
{
    int fd = pair();
    char bytes[16] = "";

    forbid_borrowing();
    peer_text("one");
    await_queued(fd, 3);
    fd = passed(fd);
    peer_text("two");
    SHOW(recv(fd, bytes, 6, MSG_WAITALL));
    show_text("bytes", bytes);
}

SCENARIO(sent_again_before_the_end, ANY | OTHER)
{
    int fd = pair();

    forbid_borrowing();
    SHOW_PEER(peer(OP_SEND, 400000));
    fd = passed(fd);
    peer(OP_SHUTDOWN, SHUT_WR);
    show_all(fd, 500000);
    SHOW(send(fd, "answer", 6, 0));
    SHOW_PEER(peer(OP_RECV_ONCE, 16));
}

SCENARIO(sent_again_after_the_end_was_said, ANY | OTHER)
{
    int fd = pair();

    forbid_borrowing();
    SHOW_PEER(peer(OP_SEND, 400000));
    peer(OP_SHUTDOWN, SHUT_WR);
    fd = passed(fd);
    SHOW(send(fd, "answer", 6, 0));
    SHOW_PEER(peer(OP_RECV_ONCE, 16));
    show_all(fd, 500000);
}

SCENARIO(sent_again_before_the_close, ANY | OTHER)
{
    int fd = pair();

    forbid_borrowing();
    SHOW_PEER(peer(OP_SEND, 400000));
    fd = passed(fd);
    peer(OP_CLOSE, 0);
    show_all(fd, 500000);
}

/* The peer closes before TCP could take what it has to send again. */
static void late_reader(bool borrowing)
{
    int fd = pair(), bytes = 20000;

    SHOW_PEER(peer(OP_SEND, 400000));
    SHOW_PEER(peer(OP_SNDBUF, bytes));
    MUST(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes));
    if (!borrowing)
        forbid_borrowing();
    fd = passed(fd);
    SHOW_PEER(peer(OP_CLOSE, 0));
    sleep_ms(100);
    show_all(fd, 500000);
}

SCENARIO(sent_again_after_the_close_for_a_late_reader, ANY | OTHER)
{
    late_reader(false);
}

SCENARIO(put_there_before_the_close_for_a_late_reader, ANY)
{
    late_reader(true);
}

/* ---- the peer has moved by itself, and what it sent since must not come first ---- */

static void overtaken(enum op last, long arg)
{
    int fd = pair();
    char bytes[16] = "";

    peer_text("one");
    await_queued(fd, 3);
    SHOW_PEER(peer(OP_MOVE, 0));
    peer_text("two");
    SHOW_PEER(peer(last, arg));
    sleep_ms(20);
    fd = passed(fd);
    SHOW(recv(fd, bytes, 6, MSG_WAITALL));
    show_text("bytes", bytes);
    if (last == OP_SLEEP) {
        SHOW(send(fd, "answer", 6, 0));
        SHOW_PEER(peer(OP_RECV_ONCE, 16));
        peer(OP_SHUTDOWN, SHUT_WR);
    }
    SHOW(recv(fd, bytes, 6, 0));
}

SCENARIO(unread_bytes_of_a_peer_that_has_moved, ANY | OTHER)
{
    overtaken(OP_SLEEP, 0);
}

SCENARIO(unread_bytes_of_a_peer_that_has_moved_and_ended, ANY | OTHER)
{
    overtaken(OP_SHUTDOWN, SHUT_WR);
}

SCENARIO(unread_bytes_of_a_peer_that_has_moved_and_closed, ANY | OTHER)
{
    overtaken(OP_CLOSE, 0);
}

SCENARIO(sent_again_by_a_sender_that_goes_on, ANY | OTHER)
{
    int fd = pair();

    forbid_borrowing();
    peer_start(OP_SEND, 8000000, 0);
    sleep_ms(50);
    fd = passed(fd);
    show_all(fd, 8000000);
    SHOW_PEER(order_finish());
}

/* ---- half way: our direction has moved, and the peer, who does nothing, still has bytes in the ring or none ---- */

SCENARIO(half_moved_connection_waits_idle, ANY)
{
    int fd = pair(), set = (int)MUST(epoll_create1(0));
    struct timeval limit = {0, 300000};
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP};
    struct pollfd poll_fd = {fd, POLLIN | POLLRDHUP, 0};

    splice_text(fd, "moves");
    MUST(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
    MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
    SHOW_IDLE(recv(fd, (char[8]){0}, 8, 0));
    SHOW_IDLE(poll(&poll_fd, 1, 300));
    SHOW_IDLE(epoll_wait(set, &event, 1, 300));
    peer_text("more");
    SHOW(recv(fd, (char[8]){0}, 8, 0));
}

SCENARIO(half_moved_connection_wakes_its_reader, ANY)
{
    int fd = pair();
    struct pollfd poll_fd = {fd, POLLIN, 0};
    char bytes[16] = "";

    peer_text("ring ");
    await_queued(fd, 5);
    splice_text(fd, "moves");
    peer_text("tcp");
    await_queued(fd, 8);
    SHOW(recv(fd, bytes, 16, 0));
    show_text("bytes", bytes);
    peer_text_later("again", 50);
    show_poll("poll", &poll_fd, 2000);
    SHOW(recv(fd, bytes, 16, 0));
    SHOW_PEER(order_finish());
    peer_start(OP_SHUTDOWN, SHUT_WR, 50);
    SHOW(recv(fd, bytes, 16, 0));
    SHOW_PEER(order_finish());
}

SCENARIO(half_moved_connection_under_epoll, ANY)
{
    int fd = pair(), set = (int)MUST(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP};

    MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
    peer_text("ring ");
    show_events("ready", epoll_wait(set, &event, 1, 2000), event.events);
    splice_text(fd, "moves");
    show_events("still", epoll_wait(set, &event, 1, 2000), event.events);
    SHOW(recv(fd, (char[16]){0}, 16, 0));
    SHOW_IDLE(epoll_wait(set, &event, 1, 200));
    peer_text_later("tcp", 50);
    show_events("ready", epoll_wait(set, &event, 1, 2000), event.events);
    SHOW(recv(fd, (char[16]){0}, 16, 0));
    SHOW_PEER(order_finish());
    peer_start(OP_SHUTDOWN, SHUT_WR, 50);
    show_events("end", epoll_wait(set, &event, 1, 2000), event.events);
    SHOW_PEER(order_finish());
    SHOW(recv(fd, (char[16]){0}, 16, 0));
}

SCENARIO(half_moved_connection_ends, ANY)
{
    int fd = pair();

    peer_text("ring");
    await_queued(fd, 4);
    splice_text(fd, "moves");
    SHOW(shutdown(fd, SHUT_WR));
    SHOW(send(fd, "x", 1, MSG_NOSIGNAL));
    SHOW_PEER(peer(OP_RECV_ONCE, 16));
    SHOW_PEER(peer(OP_RECV_ONCE, 16));
    peer_text("last");
    SHOW_PEER(peer(OP_CLOSE, 0));
    await_queued(fd, 8);
    SHOW(recv(fd, (char[16]){0}, 16, 0));
    SHOW(recv(fd, (char[16]){0}, 16, 0));
}

SCENARIO(half_moved_peer_dies, ANY | OTHER)
{
    int fd = pair();
    struct pollfd poll_fd = {fd, POLLIN | POLLRDHUP, 0};

    peer_text("ring");
    await_queued(fd, 4);
    splice_text(fd, "moves");
    sleep_ms(20);
    SHOW_PEER(peer(OP_RECV_ONCE, 16));
    order_start((struct order){.op = OP_DIE});
    sleep_ms(50);
    show_poll("poll", &poll_fd, 2000);
    SHOW(recv(fd, (char[16]){0}, 16, 0));
    SHOW(recv(fd, (char[16]){0}, 16, 0));
}

SCENARIO(urgent_byte_behind_bytes_in_the_ring, ANY)
{
    int fd = pair(), set = (int)MUST(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLPRI};
    struct order order = {.op = OP_OOB, .text = "!"};
    char byte;

    MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
    peer_text("ring");
    await_queued(fd, 4);
    MUST(order_run(order).result);
    show_events("urgent", epoll_wait(set, &event, 1, 2000), event.events);
    SHOW(recv(fd, &byte, 1, MSG_OOB));
    SHOW(recv(fd, (char[16]){0}, 16, 0));
}

/* ---- bytes from somebody who does not know of the ring ---- */

SCENARIO(child_writes_to_a_descriptor_that_its_command_does_not_name, ANY)
{
    int fd = pair();
    char number[16];

    SHOW(send(fd, "before ", 7, 0));
    MUST(fcntl(fd, F_SETFD, 0));
    snprintf(number, sizeof number, "%d", fd);
    MUST(setenv("WHERE", number, 1));
    SHOW(system("echo from the shell >&$WHERE"));
    SHOW(send(fd, "after", 5, 0));
    SHOW(peer(OP_RECV, 27).result); /* in which order is left open */
    peer_text("answer");
    SHOW(recv(fd, (char[16]){0}, 16, 0));
}

SCENARIO(popen_writes_to_the_connection, ANY)
{
    int fd = pair();
    char command[64];

    SHOW(send(fd, "before ", 7, 0));
    MUST(fcntl(fd, F_SETFD, 0));
    snprintf(command, sizeof command, "cat >&%d", fd);
    FILE *pipe_to = popen(command, "w");
    fputs("through cat ", pipe_to);
    SHOW(pclose(pipe_to));
    SHOW(send(fd, "after", 5, 0));
    peer(OP_QUEUED, 24);
    SHOW_PEER(peer(OP_RECV_ONCE, 64));
}

SCENARIO(system_leaves_other_connections_alone, RING)
{
    int fd = pair();

    SHOW(send(fd, "before ", 7, 0));
    MUST(fcntl(fd, F_SETFD, 0));
    SHOW(system("true"));
    SHOW(send(fd, "after", 5, 0));
    peer(OP_QUEUED, 12);
    SHOW_PEER(peer(OP_RECV_ONCE, 64));
}

/* ---- who counts as holding it ---- */

SCENARIO(end_is_told_after_a_child_execed, ANY)
{
    int fd = pair();

    SHOW(send(fd, "bytes", 5, 0));
    MUST(fcntl(fd, F_SETFD, FD_CLOEXEC));
    fflush(stdout);
    pid_t child = (pid_t)MUST(fork());
    if (!child) {
        execl("/bin/sleep", "sleep", "1", NULL);
        _exit(127);
    }
    sleep_ms(100);
    SHOW(close(fd));
    SHOW_PEER(peer(OP_RECV_ONCE, 16));
    SHOW_PEER(peer(OP_RECV_ONCE, 16)); /* while the child lives */
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

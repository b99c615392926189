/* fork, exec, vfork, posix_spawn, descriptors passed to other processes. */
#include "harness.h"

#include <spawn.h>

static int wait_for(pid_t child)
{
    int status;

    MUST(waitpid(child, &status, 0));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* fork for a child that must leave by _exit and prints nothing. */
static pid_t fork_quiet(void)
{
    fflush(stdout);
    return (pid_t)MUST(fork());
}

SCENARIO(child_uses_an_inherited_connection, MIXED)
{
    int fd = pair();
    char bytes[16] = "";

    SHOW(send(fd, "parent ", 7, 0));
    peer_text("for the child");
    await_queued(fd, 13);
    pid_t child = fork_quiet();
    if (!child)
        _exit(recv(fd, bytes, 16, 0) == 13 && send(fd, "child ", 6, 0) == 6 ? 7 : 1);
    SHOW(wait_for(child));
    SHOW(send(fd, "parent", 6, 0));
    peer(OP_QUEUED, 19);
    SHOW_PEER(peer(OP_RECV_ONCE, 64));
    peer_text("for the parent");
    SHOW(recv(fd, bytes, 16, 0));
}

SCENARIO(parent_and_child_take_turns, MIXED)
{
    int fd = pair(), turn[2], back[2];
    char byte, text[8];

    MUST(pipe(turn));
    MUST(pipe(back));
    SHOW(send(fd, "0", 1, 0));
    pid_t child = fork_quiet();
    if (!child) {
        for (int i = 0; i < 10; i++)
            if (read(turn[0], &byte, 1) != 1 || recv(fd, text, 6, MSG_WAITALL) != 6 || send(fd, text, 1, 0) != 1 ||
                write(back[1], &byte, 1) != 1)
                _exit(1);
        _exit(0);
    }
    for (int i = 0; i < 10; i++) {
        MUST(order_run((struct order){.op = OP_TEXT, .text = "letter"}).result);
        MUST(write(turn[1], "x", 1));
        MUST(read(back[0], &byte, 1));
        MUST(send(fd, "-", 1, 0));
    }
    SHOW(wait_for(child));
    peer(OP_QUEUED, 21);
    SHOW_PEER(peer(OP_RECV_ONCE, 64));
}

SCENARIO(parent_sends_while_child_receives, MIXED)
{
    int fd = pair(), damaged = 0;

    peer_start(OP_DUPLEX, 3000000, 0);
    pid_t child = fork_quiet();
    if (!child)
        _exit(recv_all(fd, 0, 3000000, &damaged) == 3000000 && !damaged ? 0 : 1);
    SHOW(send_all(fd, 0, 3000000));
    SHOW(wait_for(child));
    SHOW_PEER(order_finish());
}

SCENARIO(server_forks_for_each_connection, ANY | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address);

    for (int i = 0; i < 3; i++) {
        MUST(order_run((struct order){.op = OP_CONNECT, .index = i, .address = address}).result);
        int fd = (int)MUST(accept(at, NULL, NULL));
        pid_t child = fork_quiet();
        if (!child) {
            char bytes[16];
            close(at);
            ssize_t count = recv(fd, bytes, 16, 0);
            _exit(count == 4 && send(fd, bytes, 4, 0) == 4 ? i : 100);
        }
        close(fd);
        MUST(order_run((struct order){.op = OP_TEXT, .index = i, .text = "ping"}).result);
        SHOW_PEER(order_run((struct order){.op = OP_RECV_ONCE, .index = i, .arg = 10}));
        SHOW(wait_for(child));
        SHOW_PEER(order_run((struct order){.op = OP_RECV_ONCE, .index = i, .arg = 10})); /* the child has left */
    }
}

SCENARIO(prefork_server, ANY | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address);
    pid_t children[2];

    for (int i = 0; i < 2; i++)
        if (!(children[i] = fork_quiet()))
            for (int served = 0;;) {
                char bytes[16];
                int fd = accept(at, NULL, NULL);
                ssize_t count = recv(fd, bytes, 16, 0);
                if (count == 4 && !memcmp(bytes, "quit", 4))
                    _exit(served < 0);
                served += count == 4 && send(fd, bytes, 4, 0) == 4;
                close(fd);
            }
    close(at);
    for (int i = 0; i < 8; i++) {
        MUST(order_run((struct order){.op = OP_CONNECT, .index = i, .address = address}).result);
        struct order order = {.op = OP_TEXT, .index = i};
        strcpy(order.text, i < 6 ? "ping" : "quit");
        MUST(order_run(order).result);
        SHOW_PEER(order_run((struct order){.op = OP_RECV_ONCE, .index = i, .arg = 10}));
    }
    SHOW(wait_for(children[0]) + wait_for(children[1]));
    SHOW_PEER(order_run((struct order){.op = OP_CONNECT, .index = 9, .address = address}));
}

static _Atomic bool enough_forks;

/* Opens connections, talks over both ends, and closes them, as fast as it can; how many went wrong. */
static void *serve_itself(void *argument)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address);
    long bad = 0;

    while (!enough_forks) {
        int client = (int)MUST(socket(AF_INET, SOCK_STREAM, 0));
        MUST(connect(client, (struct sockaddr *)&address, address_size(&address)));
        int server = (int)MUST(accept(at, NULL, NULL));
        struct timeval limit = {.tv_sec = 2};
        char bytes[8];
        setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        for (int i = 0; i < 100 && !bad; i++) {
            bad += send(client, "ping", 4, MSG_NOSIGNAL) != 4 || recv(server, bytes, 8, 0) != 4;
            bad += send(server, "pong", 4, MSG_NOSIGNAL) != 4 || recv(client, bytes, 8, 0) != 4;
        }
        close(client);
        close(server);
    }
    close(at);
    *(long *)argument = bad;
    return NULL;
}

SCENARIO(fork_beside_a_thread_that_opens_and_closes, ANY | ONCE)
{
    long bad = 0;
    pthread_t thread = thread_start(serve_itself, &bad);

    sleep_ms(20);
    for (int i = 0; i < 60; i++) {
        pid_t child = (pid_t)MUST(fork());
        if (child == 0)
            _exit(0);
        MUST(waitpid(child, NULL, 0));
    }
    enough_forks = true;
    thread_join(thread);
    SHOW(bad);
}

SCENARIO(end_of_file_waits_for_the_child, MIXED)
{
    int fd = pair();

    SHOW(send(fd, "one", 3, 0));
    pid_t child = fork_quiet();
    if (!child) {
        sleep_ms(100);
        _exit(send(fd, "two", 3, 0) == 3 ? 0 : 1);
    }
    SHOW(close(fd));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    SHOW(wait_for(child));
}

SCENARIO(child_exits_connection_lives, MIXED)
{
    int fd = pair();

    SHOW(send(fd, "one", 3, 0));
    pid_t child = fork_quiet();
    if (!child)
        _exit(close(fd) ? 1 : 0);
    SHOW(wait_for(child));
    SHOW(send(fd, "two", 3, 0));
    peer(OP_QUEUED, 6);
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    child = fork_quiet();
    if (!child)
        pause();
    sleep_ms(10);
    SHOW(kill(child, SIGKILL));
    SHOW(wait_for(child));
    peer_text("still here");
    SHOW(recv(fd, (char[16]){0}, 16, 0));
    SHOW(send(fd, "yes", 3, 0));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
}

SCENARIO(shutdown_in_the_child_ends_it_for_both, ANY)
{
    int fd = pair();

    pid_t child = fork_quiet();
    if (!child)
        _exit(shutdown(fd, SHUT_WR) ? 1 : 0);
    SHOW(wait_for(child));
    SHOW(send(fd, "x", 1, MSG_NOSIGNAL));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
}

SCENARIO(exit_without_close_ends_it, ANY | ONCE)
{
    struct sockaddr_storage address;
    int at = listen_at(AF_INET, "127.0.0.1", &address);

    for (int i = 0; i < 2; i++) {
        pid_t child = fork_quiet();
        if (!child) {
            int fd = socket(AF_INET, SOCK_STREAM, 0);
            if (connect(fd, (struct sockaddr *)&address, address_size(&address)) || send(fd, "bye", 3, 0) != 3)
                _exit(1);
            i ? _exit(0) : exit(0);
        }
        int fd = (int)MUST(accept(at, NULL, NULL));
        SHOW(recv(fd, (char[16]){0}, 16, MSG_WAITALL));
        SHOW(recv(fd, (char[16]){0}, 16, 0));
        SHOW(wait_for(child));
        close(fd);
    }
}

SCENARIO(daemon_goes_on, MIXED)
{
    int fd = pair();
    char byte;

    SHOW(send(fd, "before ", 7, 0));
    pid_t child = fork_quiet();
    if (!child) {
        setsid();
        if (fork())
            _exit(0);
        sleep_ms(50);
        _exit(recv(fd, &byte, 1, 0) == 1 && send(fd, "daemon", 6, 0) == 6 ? 0 : 1);
    }
    SHOW(wait_for(child));
    close(fd);
    peer_text("x");
    sleep_ms(150);
    SHOW_PEER(peer(OP_RECV_ONCE, 64));
    SHOW_PEER(peer(OP_RECV_ONCE, 64));
}

/* ---- exec ---- */

/* Start a program with the connection as its standard input and output. */
static pid_t start_on(int fd, char *const arguments[], char *const environment[])
{
    pid_t child = fork_quiet();

    if (!child) {
        if (dup2(fd, 0) < 0 || dup2(fd, 1) < 0)
            _exit(126);
        close(fd);
        if (environment)
            execve(arguments[0], arguments, environment);
        else
            execv(arguments[0], arguments);
        _exit(127);
    }
    return child;
}

static void cat_answers(int fd, pid_t child)
{
    close(fd);
    peer_text("through cat");
    SHOW_PEER(peer(OP_RECV_ONCE, 64));
    SHOW_PEER(peer(OP_SEND, 300000));
    SHOW_PEER(peer(OP_RECV, 300000));
    SHOW_PEER(peer(OP_SHUTDOWN, SHUT_WR));
    SHOW_PEER(peer(OP_RECV_ONCE, 64));
    SHOW(wait_for(child));
}

SCENARIO(exec_cat_like_inetd, ANY)
{
    int fd = pair();

    cat_answers(fd, start_on(fd, (char *const[]){"/bin/cat", NULL}, NULL));
}

SCENARIO(exec_cat_without_environment, ANY)
{
    int fd = pair();

    cat_answers(fd, start_on(fd, (char *const[]){"/bin/cat", NULL}, (char *const[]){NULL}));
}

SCENARIO(exec_with_bytes_waiting, ANY)
{
    int fd = pair();

    SHOW(send(fd, "HTTP/1.0 200\n", 13, 0));
    peer_text("unread by the parent");
    await_queued(fd, 20);
    SHOW(recv(fd, (char[8]){0}, 7, 0));
    pid_t child = start_on(fd, (char *const[]){"/bin/cat", NULL}, NULL);
    close(fd);
    peer(OP_SHUTDOWN, SHUT_WR);
    SHOW(wait_for(child));
    peer(OP_QUEUED, 26);
    SHOW_PEER(peer(OP_RECV_ONCE, 64));
    SHOW_PEER(peer(OP_RECV_ONCE, 64));
}

SCENARIO(exec_of_a_program_that_uses_sockets, ANY)
{
    int fd = pair();
    char number[16];

    SHOW(send(fd, "before ", 7, 0));
    fcntl(fd, F_SETFD, 0);
    snprintf(number, sizeof number, "%d", fd);
    fflush(stdout);
    pid_t child = (pid_t)MUST(fork());
    if (!child) {
        execl(program_path, "semantics", "tool", "echo", number, NULL);
        _exit(127);
    }
    close(fd);
    peer_text("after");
    peer(OP_QUEUED, 12);
    SHOW_PEER(peer(OP_RECV_ONCE, 64));
    peer(OP_SHUTDOWN, SHUT_WR);
    SHOW(wait_for(child));
    SHOW_PEER(peer(OP_RECV_ONCE, 64));
}

SCENARIO(close_on_exec_lets_go, ANY)
{
    int fd = pair();

    SHOW(fcntl(fd, F_SETFD, FD_CLOEXEC));
    pid_t child = fork_quiet();
    if (!child) {
        execl("/bin/sleep", "sleep", "0.5", NULL);
        _exit(127);
    }
    sleep_ms(100);
    close(fd);
    double before = now_ms();
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    SHOW_BOOL(now_ms() - before < 250);
    SHOW(wait_for(child));
}

SCENARIO(failed_exec_does_no_harm, ANY)
{
    int fd = pair();

    SHOW(execl("/nonexistent", "nonexistent", NULL));
    SHOW(send(fd, "still", 5, 0));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    pid_t child = vfork();
    if (!child) {
        execl("/nonexistent", "nonexistent", NULL);
        _exit(9);
    }
    SHOW(wait_for(child));
    peer_text("here");
    SHOW(recv(fd, (char[8]){0}, 8, 0));
}

SCENARIO(vfork_child_has_its_own_descriptors, ANY)
{
    int fd = pair();

    SHOW(send(fd, "one", 3, 0));
    pid_t child = vfork();
    if (!child) {
        close(fd); /* the memory is the parent's, the descriptors are not */
        dup2(2, fd);
        close(fd);
        execl("/bin/true", "true", NULL);
        _exit(9);
    }
    SHOW(wait_for(child));
    SHOW(send(fd, "two", 3, 0));
    peer(OP_QUEUED, 6);
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    peer_text("back");
    SHOW(recv(fd, (char[8]){0}, 8, 0));
}

SCENARIO(posix_spawn_with_file_actions, ANY)
{
    int fd = pair();
    posix_spawn_file_actions_t actions;
    char *const arguments[] = {"cat", NULL};
    extern char **environ;
    pid_t child;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fd, 0);
    posix_spawn_file_actions_adddup2(&actions, fd, 1);
    SHOW(posix_spawn(&child, "/bin/cat", &actions, NULL, arguments, environ));
    cat_answers(fd, child);
}

SCENARIO(system_writes_to_the_connection, ANY)
{
    int fd = pair();
    char command[64];

    SHOW(send(fd, "before ", 7, 0));
    SHOW(fcntl(fd, F_SETFD, 0));
    snprintf(command, sizeof command, "echo from the shell >&%d", fd);
    SHOW(system(command));
    SHOW(send(fd, "after", 5, 0));
    peer(OP_QUEUED, 27);
    SHOW_PEER(peer(OP_RECV_ONCE, 64));
}

/* ---- SCM_RIGHTS ---- */

static int send_descriptor(int channel, int descriptor)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } box = {0};
    struct iovec part = {"d", 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &box, .msg_controllen = sizeof box};

    box.head = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(&box.head), &descriptor, sizeof descriptor);
    return sendmsg(channel, &message, 0) == 1 ? 0 : -1;
}

static int receive_descriptor(int channel)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } box = {0};
    char byte;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &box, .msg_controllen = sizeof box};
    int descriptor = -1;

    if (recvmsg(channel, &message, 0) == 1 && CMSG_FIRSTHDR(&message))
        memcpy(&descriptor, CMSG_DATA(&box.head), sizeof descriptor);
    return descriptor;
}

SCENARIO(descriptor_passed_to_oneself, ANY)
{
    int fd = pair(), channel[2];

    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, channel));
    SHOW(send(fd, "one", 3, 0));
    SHOW(send_descriptor(channel[0], fd));
    SHOW(close(fd));
    int again = receive_descriptor(channel[1]);
    SHOW(again >= 0);
    SHOW(send(again, "two", 3, 0));
    peer(OP_QUEUED, 6);
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    peer_text("back");
    SHOW(recv(again, (char[8]){0}, 8, 0));
    SHOW(close(again));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
}

SCENARIO(descriptor_passed_to_a_child, ANY)
{
    int channel[2];

    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, channel));
    pid_t child = fork_quiet(); /* before the connection exists */
    if (!child) {
        char bytes[16];
        int fd = receive_descriptor(channel[1]);
        ssize_t count = recv(fd, bytes, 16, 0);
        _exit(count == 8 && send(fd, "child", 5, 0) == 5 ? 0 : 1);
    }
    int fd = pair();
    SHOW(send(fd, "parent ", 7, 0));
    peer_text("question");
    await_queued(fd, 8);
    SHOW(send_descriptor(channel[0], fd));
    SHOW(wait_for(child));
    SHOW(send(fd, " parent", 7, 0));
    peer(OP_QUEUED, 19);
    SHOW_PEER(peer(OP_RECV_ONCE, 64));
}

SCENARIO(descriptor_passed_to_the_puppet, ANY | OTHER)
{
    int fd = pair();

    SHOW(send(fd, "one", 3, 0));
    peer_take(fd, 1); /* now the puppet has both ends */
    SHOW(close(fd));
    MUST(order_run((struct order){.op = OP_TEXT, .index = 1, .text = "two"}).result);
    peer(OP_QUEUED, 6);
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    peer_text("back");
    SHOW_PEER(order_run((struct order){.op = OP_RECV_ONCE, .index = 1, .arg = 10}));
    SHOW_PEER(order_run((struct order){.op = OP_CLOSE, .index = 1}));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
}

SCENARIO(listener_passed_to_a_child, ANY | ONCE)
{
    struct sockaddr_storage address;
    int channel[2];

    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, channel));
    pid_t child = fork_quiet();
    if (!child) {
        int at = receive_descriptor(channel[1]), fd = accept(at, NULL, NULL);
        char bytes[16];
        _exit(recv(fd, bytes, 16, 0) == 4 && send(fd, "pong", 4, 0) == 4 ? 0 : 1);
    }
    int at = listen_at(AF_INET, "127.0.0.1", &address);
    SHOW(send_descriptor(channel[0], at));
    close(at);
    MUST(order_run((struct order){.op = OP_CONNECT, .address = address}).result);
    peer_text("ping");
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    SHOW(wait_for(child));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
}

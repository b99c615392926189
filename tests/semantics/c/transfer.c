/* Every call that moves bytes, its flags and its odd arguments. */
#include "harness.h"

#include <linux/sockios.h>

SCENARIO(every_call_that_writes, RING)
{
    int fd = pair();
    struct iovec parts[2] = {{"ab", 2}, {"cde", 3}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    struct mmsghdr many[2] = {{.msg_hdr = message}, {.msg_hdr = message}};

    SHOW(write(fd, "1", 1));
    SHOW(writev(fd, parts, 2));
    SHOW(send(fd, "22", 2, 0));
    SHOW(sendto(fd, "333", 3, 0, NULL, 0));
    SHOW(sendmsg(fd, &message, 0));
    SHOW(sendmmsg(fd, many, 2, 0));
    SHOW(many[0].msg_len);
    SHOW(many[1].msg_len);
    SHOW(pwrite(fd, "x", 1, 0));
    SHOW(pwritev(fd, parts, 2, 0));
    SHOW(pwritev2(fd, parts, 2, -1, 0));
    SHOW(lseek(fd, 0, SEEK_SET));
    SHOW(ftruncate(fd, 0));
    SHOW(fsync(fd));
    peer(OP_QUEUED, 26);
    SHOW_PEER(peer(OP_RECV_ONCE, 100));
}

SCENARIO(every_call_that_reads, RING)
{
    int fd = pair();
    char a[4] = "", b[4] = "";
    struct iovec parts[2] = {{a, 2}, {b, 3}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    struct mmsghdr many[2] = {{.msg_hdr = message}, {.msg_hdr = message}};

    peer_text("0123456789abcdefghijklmnopqrstuvwxyz");
    await_queued(fd, 36);
    SHOW(read(fd, a, 1));
    SHOW(readv(fd, parts, 2));
    show_text("a", a), show_text("b", b);
    SHOW(recv(fd, a, 2, 0));
    SHOW(recvfrom(fd, a, 3, 0, NULL, NULL));
    show_text("a", a);
    SHOW(recvmsg(fd, &message, 0));
    SHOW(recvmmsg(fd, many, 2, 0, NULL));
    SHOW(many[0].msg_len + 10 * many[1].msg_len);
    show_text("a", a), show_text("b", b);
    SHOW(pread(fd, a, 1, 0));
    SHOW(preadv(fd, parts, 2, 0));
    SHOW(preadv2(fd, parts, 2, -1, 0));
    show_text("a", a), show_text("b", b);
}

SCENARIO(recvmmsg_takes_what_there_is, RING)
{
    int fd = pair();
    char bytes[4][8];
    struct iovec parts[4];
    struct mmsghdr many[4] = {0};
    struct timespec limit = {0, 50000000};

    for (int i = 0; i < 4; i++) {
        parts[i] = (struct iovec){bytes[i], 4};
        many[i].msg_hdr.msg_iov = &parts[i];
        many[i].msg_hdr.msg_iovlen = 1;
    }
    peer_text("0123456789");
    await_queued(fd, 10);
    SHOW(recvmmsg(fd, many, 4, MSG_DONTWAIT, NULL));
    SHOW(many[2].msg_len);
    peer_text("abc");
    SHOW(recvmmsg(fd, many, 4, MSG_WAITFORONE, NULL));
    SHOW(recvmmsg(fd, many, 4, MSG_DONTWAIT, NULL));
    peer_text("abcd");
    await_queued(fd, 4);
    SHOW(recvmmsg(fd, many, 1, 0, &limit));
    SHOW(recvmmsg(fd, many, 0, 0, NULL));
}

SCENARIO(address_arguments_of_a_stream, RING)
{
    int fd = pair();
    struct sockaddr_storage name = loopback(AF_INET, "127.0.0.9", 9);
    socklen_t size = sizeof name;
    char bytes[16], control[64];
    struct iovec part = {bytes, sizeof bytes};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_name = &name,
                             .msg_namelen = sizeof name,
                             .msg_control = control,
                             .msg_controllen = sizeof control,
                             .msg_flags = 0x7777};

    SHOW(sendto(fd, "abc", 3, 0, (struct sockaddr *)&name, address_size(&name)));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    peer_text("abcdef");
    await_queued(fd, 6);
    SHOW(recvfrom(fd, bytes, 3, 0, (struct sockaddr *)&name, &size));
    SHOW(size);
    SHOW(recvmsg(fd, &message, 0));
    SHOW(message.msg_namelen);
    SHOW(message.msg_controllen);
    SHOW(message.msg_flags);
}

SCENARIO(long_iovecs, RING)
{
    static struct iovec parts[1025];
    static unsigned char bytes[1025 * 3];
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 1025};
    int fd = pair(), damaged = 0;

    fill_pattern(bytes, sizeof bytes, 0);
    for (int i = 0; i < 1025; i++)
        parts[i] = (struct iovec){bytes + 3 * i, i % 5 ? 3 : 0};
    SHOW(writev(fd, parts, 1025));
    SHOW(sendmsg(fd, &message, 0));
    SHOW(readv(fd, parts, 1025));
    SHOW(recvmsg(fd, &message, 0));
    volatile int minus = -1; /* hidden from the compiler, which knows better */
    SHOW(writev(fd, parts, minus));
    SHOW(writev(fd, parts, 0));
    SHOW(readv(fd, parts, 0));
    for (int i = 0; i < 1024; i++)
        parts[i].iov_len = 3;
    SHOW(writev(fd, parts, 1024));
    SHOW_PEER(peer(OP_RECV, 3072));
    SHOW_PEER(peer(OP_SEND, 3072));
    await_queued(fd, 3072);
    memset(bytes, 0, sizeof bytes);
    SHOW(readv(fd, parts, 1024));
    damaged = pattern_damage(bytes, 3072, 0);
    SHOW(damaged);
}

SCENARIO(big_iovecs, RING)
{
    static unsigned char bytes[600000];
    struct iovec parts[4] = {{bytes, 199999}, {bytes + 199999, 1}, {bytes + 200000, 399990}, {bytes + 599990, 10}};
    int fd = pair();

    fill_pattern(bytes, sizeof bytes, 0);
    peer_start(OP_RECV, 600000, 0);
    long sent = writev(fd, parts, 4); /* blocking: all of it */
    SHOW(sent);
    SHOW_PEER(order_finish());
    peer_start(OP_SEND, 600000, 0);
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 4};
    memset(bytes, 0, sizeof bytes);
    SHOW(recvmsg(fd, &message, MSG_WAITALL));
    SHOW(pattern_damage(bytes, sizeof bytes, 0));
    SHOW_PEER(order_finish());
}

SCENARIO(zero_lengths, RING)
{
    int fd = pair();
    char bytes[4];
    struct msghdr empty = {0};

    set_nonblocking(fd, true);
    SHOW(send(fd, "", 0, 0));
    SHOW(write(fd, "", 0));
    SHOW(sendmsg(fd, &empty, 0));
    SHOW(read(fd, bytes, 0));
    SHOW(recv(fd, bytes, 0, 0));
    SHOW(recvmsg(fd, &empty, 0));
    SHOW(recv(fd, bytes, 1, 0));
    peer_text("data");
    await_queued(fd, 4);
    SHOW(read(fd, bytes, 0));
    SHOW(recv(fd, bytes, 0, 0));
    SHOW(recv(fd, bytes, 0, MSG_PEEK));
    SHOW(recv(fd, bytes, 4, 0));
    peer(OP_SHUTDOWN, SHUT_WR);
    await_events(fd, POLLIN);
    SHOW(read(fd, bytes, 0));
    SHOW(recv(fd, bytes, 0, 0));
}

SCENARIO(peek, RING)
{
    int fd = pair();
    char bytes[16] = "";
    struct iovec parts[2] = {{bytes, 2}, {bytes + 8, 2}};

    SHOW(recv(fd, bytes, 1, MSG_PEEK | MSG_DONTWAIT));
    peer_text("abc");
    await_queued(fd, 3);
    SHOW(recv(fd, bytes, 2, MSG_PEEK));
    SHOW(recv(fd, bytes, 10, MSG_PEEK));
    peer_text("def");
    await_queued(fd, 6);
    SHOW(recv(fd, bytes, 10, MSG_PEEK));
    show_text("peeked", bytes);
    SHOW(readv(fd, parts, 2));
    SHOW(recvmsg(fd, &(struct msghdr){.msg_iov = parts, .msg_iovlen = 2}, MSG_PEEK));
    SHOW(recv(fd, bytes, 10, 0));
    peer_text_later("wxyz", 50);
    SHOW(recv(fd, bytes, 4, MSG_PEEK | MSG_WAITALL));
    order_finish();
    SHOW(recv(fd, bytes, 4, 0));
    peer(OP_SHUTDOWN, SHUT_WR);
    SHOW(recv(fd, bytes, 4, MSG_PEEK));
    SHOW(recv(fd, bytes, 4, 0));
}

static void *three_parts(void *fd)
{
    for (int i = 0; i < 3; i++) {
        sleep_ms(30);
        MUST(send(*(int *)fd, "part", 4, 0));
    }
    return NULL;
}

SCENARIO(waitall, RING | ONCE)
{
    int ends[2];
    char bytes[32] = "";

    own_pair(ends);
    pthread_t sender = thread_start(three_parts, &ends[0]);
    SHOW(recv(ends[1], bytes, 12, MSG_WAITALL));
    thread_join(sender);
    show_text("bytes", bytes);
    MUST(send(ends[0], "abc", 3, 0));
    await_queued(ends[1], 3);
    SHOW(recv(ends[1], bytes, 10, MSG_WAITALL | MSG_DONTWAIT));
    SHOW(recv(ends[1], bytes, 10, MSG_WAITALL | MSG_DONTWAIT));
    MUST(send(ends[0], "xyz", 3, 0));
    shutdown(ends[0], SHUT_WR);
    SHOW(recv(ends[1], bytes, 10, MSG_WAITALL));
    SHOW(recv(ends[1], bytes, 10, MSG_WAITALL));
}

SCENARIO(waitall_over_more_than_the_buffers, RING)
{
    static unsigned char bytes[3000000];
    int fd = pair();

    peer_start(OP_SEND, sizeof bytes, 0);
    SHOW(recv(fd, bytes, sizeof bytes, MSG_WAITALL));
    SHOW(pattern_damage(bytes, sizeof bytes, 0));
    SHOW_PEER(order_finish());
}

SCENARIO(dontwait, RING)
{
    int fd = pair();
    char bytes[8];

    SHOW(recv(fd, bytes, 8, MSG_DONTWAIT));
    SHOW_BOOL(fcntl(fd, F_GETFL) & O_NONBLOCK);
    peer_text("abc");
    await_queued(fd, 3);
    SHOW(recv(fd, bytes, 8, MSG_DONTWAIT));
    long filled = fill_until_full(fd, 0); /* MSG_DONTWAIT, too */
    peer_start(OP_RECV, filled, 0);
    SHOW_BOOL(order_finish().result == filled);
}

SCENARIO(trunc_throws_away, RING)
{
    int fd = pair();
    char bytes[8] = "-------";

    peer_text("0123456789");
    await_queued(fd, 10);
    SHOW(recv(fd, bytes, 4, MSG_TRUNC));
    show_bytes("bytes", bytes, 7);
    SHOW(recv(fd, NULL, 3, MSG_TRUNC));
    SHOW(recv(fd, bytes, 2, MSG_TRUNC | MSG_PEEK));
    SHOW(recv(fd, bytes, 7, 0));
    show_bytes("bytes", bytes, 7);
}

SCENARIO(more_holds_no_byte_back_for_ever, RING)
{
    int fd = pair();

    SHOW(send(fd, "head", 4, MSG_MORE));
    SHOW(send(fd, "body", 4, MSG_MORE));
    SHOW(send(fd, "tail", 4, 0));
    peer(OP_QUEUED, 12);
    SHOW_PEER(peer(OP_RECV_ONCE, 100));
    SHOW(send(fd, "last", 4, MSG_MORE));
    SHOW_PEER(peer(OP_RECV_ONCE, 100));
    SHOW(send(fd, "with close", 10, MSG_MORE));
    SHOW(close(fd));
    SHOW_PEER(peer(OP_RECV_ONCE, 100));
    SHOW_PEER(peer(OP_RECV_ONCE, 100));
}

SCENARIO(cork, ANY)
{
    int fd = pair(), on = 1, off = 0;

    SHOW(setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on));
    SHOW(send(fd, "head", 4, 0));
    SHOW(send(fd, "body", 4, 0));
    SHOW(setsockopt(fd, IPPROTO_TCP, TCP_CORK, &off, sizeof off));
    peer(OP_QUEUED, 8);
    SHOW_PEER(peer(OP_RECV_ONCE, 100));
}

SCENARIO(error_queue_is_empty, RING)
{
    int fd = pair();
    char bytes[8];

    peer_text("abc");
    await_queued(fd, 3);
    SHOW(recv(fd, bytes, 8, MSG_ERRQUEUE | MSG_DONTWAIT));
    SHOW(recv(fd, bytes, 8, 0));
}

SCENARIO(out_of_band, ANY)
{
    int fd = pair();
    struct order order = {.op = OP_OOB, .text = "abc!"};
    struct pollfd poll_fd = {fd, POLLPRI, 0};
    char bytes[8] = "";

    peer_text("normal");
    MUST(order_run(order).result);
    show_poll("poll", &poll_fd, 2000);
    await_queued(fd, 9);
    SHOW(recv(fd, bytes, 1, MSG_OOB));
    show_text("urgent", bytes);
    SHOW(recv(fd, bytes, 1, MSG_OOB));
    SHOW(recv(fd, bytes, 6, MSG_WAITALL));
    show_text("normal", bytes);
    SHOW(recv(fd, bytes, 3, MSG_WAITALL));
    SHOW(send(fd, "u", 1, MSG_OOB));
    SHOW(send(fd, "after", 5, 0));
}

SCENARIO(queue_lengths, RING)
{
    int fd = pair(), value = -1;

    SHOW(ioctl(fd, FIONREAD, &value));
    SHOW(value);
    peer_text("12345");
    await_queued(fd, 5);
    SHOW((ioctl(fd, FIONREAD, &value), value));
    SHOW(recv(fd, (char[2]){0}, 2, 0));
    SHOW((ioctl(fd, FIONREAD, &value), value));
    SHOW((ioctl(fd, SIOCOUTQ, &value), value));
    SHOW(send(fd, "abc", 3, 0));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
    sleep_ms(50);
    SHOW((ioctl(fd, SIOCOUTQ, &value), value));
    peer(OP_SHUTDOWN, SHUT_WR);
    sleep_ms(20);
    SHOW((ioctl(fd, FIONREAD, &value), value)); /* 3 are still unread */
    SHOW(recv(fd, (char[8]){0}, 8, 0));
    SHOW((ioctl(fd, FIONREAD, &value), value));
}

SCENARIO(nonblocking_by_ioctl_and_fcntl, RING)
{
    int fd = pair(), on = 1, off = 0;
    char byte;

    SHOW(ioctl(fd, FIONBIO, &on));
    SHOW_BOOL(fcntl(fd, F_GETFL) & O_NONBLOCK);
    SHOW(recv(fd, &byte, 1, 0));
    SHOW(ioctl(fd, FIONBIO, &off));
    SHOW_BOOL(fcntl(fd, F_GETFL) & O_NONBLOCK);
    SHOW(fcntl(fd, F_SETFL, O_NONBLOCK));
    SHOW(fcntl(fd, F_GETFL));
    SHOW(read(fd, &byte, 1));
    SHOW(fcntl(fd, F_SETFL, 0));
    peer_text_later("x", 50);
    SHOW(read(fd, &byte, 1));
    order_finish();
}

static void two_way(long count)
{
    int fd = pair(), damaged = 0;
    long result[2];

    peer_start(OP_DUPLEX, count, 0);
    duplex(fd, count, result, &damaged);
    SHOW(result[0]);
    SHOW(result[1]);
    SHOW(damaged);
    SHOW_PEER(order_finish());
}

SCENARIO(hundred_megabytes_both_ways, RING)
{
    two_way(100000007);
}

SCENARIO(one_way_to_a_slow_reader, RING)
{
    int fd = pair();

    peer_start(OP_RECV_SLOW, 3000000, 0);
    SHOW(send_all(fd, 0, 3000000));
    SHOW_PEER(order_finish());
}

SCENARIO(echo_of_odd_sizes, RING)
{
    static unsigned char bytes[70000], back[70000];
    int fd = pair(), bad = 0;

    peer_start(OP_ECHO, 0, 0);
    for (size_t size = 1; size < sizeof bytes; size = size * 3 / 2 + 1) {
        fill_pattern(bytes, size, size);
        bad += send(fd, bytes, size, 0) != (ssize_t)size;
        bad += recv(fd, back, size, MSG_WAITALL) != (ssize_t)size || memcmp(bytes, back, size);
    }
    SHOW(bad);
    SHOW(shutdown(fd, SHUT_WR));
    SHOW(recv(fd, back, 1, 0));
    SHOW_PEER(order_finish());
}

SCENARIO(many_small_messages, RING)
{
    int fd = pair(), bad = 0;

    peer_start(OP_RECV, 100000, 0);
    for (int i = 0; i < 20000; i++) {
        unsigned char bytes[5];
        fill_pattern(bytes, 5, (uint64_t)i * 5);
        bad += send(fd, bytes, 5, 0) != 5;
    }
    SHOW(bad);
    SHOW_PEER(order_finish());
}

/* What the kernel would buffer: the library must take some hundred kilobytes too, and lose nothing. */
SCENARIO(nobody_reads_until_full, RING | ONCE)
{
    int ends[2], damaged = 0;

    own_pair(ends);
    long taken = fill_until_full(ends[0], 0);
    SHOW_BOOL(taken >= 256 * 1024);
    struct pollfd poll_fd = {ends[0], POLLOUT, 0};
    SHOW(poll(&poll_fd, 1, 0));
    SHOW_BOOL(recv_all(ends[1], 0, taken, &damaged) == taken);
    SHOW(damaged);
    show_poll("poll", &poll_fd, 2000);
    SHOW(recv(ends[1], (char[1]){0}, 1, MSG_DONTWAIT));
}

SCENARIO(a_quarter_megabyte_to_oneself, RING | ONCE)
{
    int ends[2], damaged = 0;

    own_pair(ends);
    SHOW(send_all(ends[0], 0, 256 * 1024)); /* blocking, one thread: the buffers must hold it */
    SHOW(recv_all(ends[1], 0, 256 * 1024, &damaged));
    SHOW(send_all(ends[1], 0, 256 * 1024));
    SHOW(recv_all(ends[0], 0, 256 * 1024, &damaged));
    SHOW(damaged);
}

SCENARIO(a_megabyte_to_oneself, ANY | ONCE)
{
    int ends[2], damaged = 0;

    own_pair(ends);
    SHOW(send_all(ends[0], 0, 1 << 20));
    SHOW(recv_all(ends[1], 0, 1 << 20, &damaged));
    SHOW(damaged);
}

SCENARIO(partial_write_when_nearly_full, RING)
{
    static unsigned char bytes[200000];
    int fd = pair(), damaged = 0;
    struct answer got;

    set_nonblocking(fd, true);
    long position = 0, sent = 0;
    for (;;) {
        fill_pattern(bytes, sizeof bytes, (uint64_t)position);
        sent = send(fd, bytes, sizeof bytes, 0);
        if (sent < 0 || position > 40000000)
            break;
        position += sent;
    }
    show("last", sent);
    got = peer(OP_RECV, position);
    SHOW_BOOL(got.result == position);
    SHOW(got.damaged + damaged);
}

static int numbered_file(long size)
{
    char path[] = "/tmp/semantics-XXXXXX";
    static unsigned char bytes[65536];
    int fd = (int)MUST(mkostemp(path, O_CLOEXEC));

    unlink(path);
    for (long done = 0; done < size;) {
        size_t part = size - done < (long)sizeof bytes ? (size_t)(size - done) : sizeof bytes;
        fill_pattern(bytes, part, (uint64_t)done);
        MUST(write(fd, bytes, part));
        done += (long)part;
    }
    MUST(lseek(fd, 0, SEEK_SET));
    return fd;
}

SCENARIO(sendfile_offsets, RING)
{
    int fd = pair(), file = numbered_file(1000), ends[2];
    off_t offset = 0;

    SHOW(sendfile(fd, file, &offset, 100));
    SHOW(offset);
    SHOW(lseek(file, 0, SEEK_CUR));
    SHOW(lseek(file, 100, SEEK_SET));
    SHOW(sendfile(fd, file, NULL, 50));
    SHOW(lseek(file, 0, SEEK_CUR));
    offset = 150;
    SHOW(sendfile(fd, file, &offset, 5000));
    SHOW(offset);
    SHOW(sendfile(fd, file, &offset, 10));
    SHOW(sendfile(fd, file, &offset, 0));
    offset = -1;
    SHOW(sendfile(fd, file, &offset, 10));
    SHOW_PEER(peer(OP_RECV, 1000));
    SHOW(pipe(ends));
    SHOW(sendfile(fd, -1, NULL, 10));
    SHOW(sendfile(-1, file, NULL, 10));
    SHOW(sendfile(file, file, NULL, 0));
    SHOW(send(fd, "end", 3, 0));
    SHOW_PEER(peer(OP_RECV_ONCE, 10));
}

SCENARIO(sendfile_large, RING)
{
    int fd = pair(), file = numbered_file(8000000);
    off_t offset = 0;

    peer_start(OP_RECV, 8000000, 0);
    SHOW(sendfile(fd, file, &offset, 20000000));
    SHOW(offset);
    SHOW_PEER(order_finish());
}

SCENARIO(sendfile_nonblocking, RING)
{
    int fd = pair(), file = numbered_file(8000000);
    off_t offset = 0;
    long sent, total = 0;

    set_nonblocking(fd, true);
    while ((sent = sendfile(fd, file, &offset, 8000000)) > 0)
        total += sent;
    show("full", sent);
    SHOW_BOOL(offset == total);
    peer_start(OP_RECV, 8000000, 0);
    while (total < 8000000) {
        if (!await_events(fd, POLLOUT))
            broken("no room came");
        sent = sendfile(fd, file, &offset, 8000000);
        total += sent > 0 ? sent : 0;
    }
    SHOW(total);
    SHOW_PEER(order_finish());
}

SCENARIO(splice_both_ways, ANY)
{
    int fd = pair(), ends[2];
    char bytes[16] = "";

    SHOW(pipe(ends));
    SHOW(send(fd, "before", 6, 0));
    SHOW(write(ends[1], "splice", 6));
    SHOW(splice(ends[0], NULL, fd, NULL, 6, 0));
    peer(OP_QUEUED, 12);
    SHOW_PEER(peer(OP_RECV_ONCE, 20));
    peer_text("answer");
    await_queued(fd, 6);
    SHOW(recv(fd, bytes, 2, 0));
    SHOW(splice(fd, NULL, ends[1], NULL, 10, 0));
    SHOW(read(ends[0], bytes, 10));
    show_text("bytes", bytes);
    peer_text("more");
    SHOW(recv(fd, bytes, 10, 0));
}

SCENARIO(calls_on_a_closed_descriptor, ANY)
{
    int fd = pair(), value = 0;
    char byte = 0;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    struct sockaddr_storage name;
    socklen_t size = sizeof name;

    SHOW(close(fd));
    SHOW(close(fd));
    SHOW(read(fd, &byte, 1));
    SHOW(write(fd, &byte, 1));
    SHOW(readv(fd, &part, 1));
    SHOW(writev(fd, &part, 1));
    SHOW(recv(fd, &byte, 1, 0));
    SHOW(send(fd, &byte, 1, 0));
    SHOW(recvmsg(fd, &message, 0));
    SHOW(sendmsg(fd, &message, 0));
    SHOW(shutdown(fd, SHUT_RDWR));
    SHOW(ioctl(fd, FIONREAD, &value));
    SHOW(fcntl(fd, F_GETFL));
    SHOW(dup(fd));
    SHOW(getsockname(fd, (struct sockaddr *)&name, &size));
    SHOW(getpeername(fd, (struct sockaddr *)&name, &size));
    SHOW(getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &size));
    SHOW(poll(&(struct pollfd){fd, POLLIN, 0}, 1, 0));
}

#define PIECE 101 /* divides no power of two: some piece lies across every end there is */

/* More than a buffer holds, in short pieces, and the reader always behind: each kind of end is crossed by a piece. */
SCENARIO(short_pieces_round_and_round, ANY | ONCE)
{
    int fd = pair(), damaged = 0;
    long count = 60000 * PIECE, sent = 0, received = 0;
    unsigned char bytes[PIECE];

    peer_start(OP_RECV_SLOW, count, 0);
    for (; sent < count; sent += PIECE) {
        fill_pattern(bytes, PIECE, (uint64_t)sent);
        MUST(send(fd, bytes, PIECE, 0));
    }
    SHOW_PEER(order_finish());
    peer_start(OP_SEND, count, 0);
    while (received < count) {
        long n = MUST(recv(fd, bytes, PIECE, 0));
        damaged += pattern_damage(bytes, (size_t)n, (uint64_t)received);
        received += n;
    }
    SHOW(received);
    SHOW(damaged);
    SHOW_PEER(order_finish());
}

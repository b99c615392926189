/* Every call that moves bytes, with results, errors and odd arguments. */
#include <limits.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <signal.h>
#include <time.h>
#include <fcntl.h>
#include <linux/sockios.h>

#include "facts.h"

static char buf[64];
static int pipes;

static void on_sigpipe(int number)
{
    (void)number;
    pipes++;
}

static void plain(const int *t)
{
    SAY(send(t[0], "hello", 5, 0));
    wait_for(t[1], 5);
    SAY(recv(t[1], buf, 2, MSG_PEEK));
    SAY(read(t[1], buf, sizeof buf));
    say_bytes("read", buf, 5);
    SAY(write(t[1], "back", 4));
    SAY(recv(t[0], buf, 4, MSG_WAITALL));
    SAY(recv(t[0], buf, 4, MSG_DONTWAIT));
    SAY(read(t[0], buf, 0));
    SAY(write(t[0], buf, 0));
    SAY(send(t[0], buf, 0, 0));
    SAY(recv(t[0], buf, 4, MSG_ERRQUEUE));
    SAY(send(t[0], "trunc", 5, MSG_MORE));
    SAY(send(t[0], "ated", 4, MSG_NOSIGNAL));
    wait_for(t[1], 9);
    SAY(recv(t[1], NULL, 5, MSG_TRUNC));
    SAY(recv(t[1], buf, 64, 0));
    say_bytes("after trunc", buf, 4);
}

static void addressed(const int *t)
{
    struct sockaddr_storage from;
    socklen_t len = sizeof from;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = 1};
    SAY(sendto(t[0], "to", 2, 0, (struct sockaddr *)&to, sizeof to));
    SAY(recvfrom(t[1], buf, sizeof buf, 0, (struct sockaddr *)&from, &len));
    SAY(len);
    SAY(sendto(t[0], "null", 4, 0, NULL, 0));
    SAY(recvfrom(t[1], buf, sizeof buf, 0, NULL, NULL));
}

static void vectors(const int *t)
{
    struct iovec v[3] = {{"ab", 2}, {NULL, 0}, {"cde", 3}};
    struct iovec w[2] = {{buf, 1}, {buf + 1, 20}};
    volatile int minus_one = -1, too_many = IOV_MAX + 1;
    struct iovec bad[1] = {{buf, (size_t)-1}};
    SAY(writev(t[0], v, 3));
    wait_for(t[1], 5);
    SAY(readv(t[1], w, 2));
    say_bytes("readv", buf, 5);
    SAY(writev(t[0], v, minus_one));
    SAY(writev(t[0], v, 0));
    SAY(readv(t[0], v, 0));
    SAY(readv(t[0], w, too_many));
    SAY(readv(t[0], bad, 1));
    SAY(writev(t[0], bad, 1));
    SAY(pwritev2(t[0], v, 3, -1, 0));
    wait_for(t[1], 5);
    SAY(preadv2(t[1], w, 2, -1, 0));
    SAY(preadv2(t[1], w, 2, 0, 0));
    SAY(pwritev2(t[1], w, 2, 7, 0));
    SAY(pread(t[1], buf, 1, 0));
    SAY(preadv2(t[1], w, 2, -1, RWF_NOWAIT));
}

static void messages(const int *t)
{
    struct sockaddr_storage name;
    char control[64];
    struct iovec v[2] = {{"mes", 3}, {"sage", 4}};
    struct iovec w[1] = {{buf, sizeof buf}};
    struct msghdr out = {.msg_iov = v, .msg_iovlen = 2};
    struct msghdr in = {.msg_iov = w,
                        .msg_iovlen = 1,
                        .msg_name = &name,
                        .msg_namelen = sizeof name,
                        .msg_control = control,
                        .msg_controllen = sizeof control,
                        .msg_flags = -1};
    SAY(sendmsg(t[0], &out, 0));
    wait_for(t[1], 7);
    SAY(recvmsg(t[1], &in, MSG_CMSG_CLOEXEC));
    printf("namelen %u controllen %zu flags %x\n", in.msg_namelen, in.msg_controllen, in.msg_flags);
    out.msg_iovlen = 1025;
    SAY(sendmsg(t[0], &out, 0));
    in.msg_iovlen = 1025;
    SAY(recvmsg(t[1], &in, MSG_DONTWAIT));
    out.msg_iovlen = 0;
    SAY(sendmsg(t[0], &out, 0));
}

static void several(const int *t)
{
    struct iovec v[2] = {{"one", 3}, {"second", 6}};
    struct iovec w[3] = {{buf, 4}, {buf + 4, 4}, {buf + 8, 4}};
    struct mmsghdr out[2] = {{.msg_hdr = {.msg_iov = &v[0], .msg_iovlen = 1}},
                             {.msg_hdr = {.msg_iov = &v[1], .msg_iovlen = 1}}};
    struct mmsghdr in[3] = {{.msg_hdr = {.msg_iov = &w[0], .msg_iovlen = 1}},
                            {.msg_hdr = {.msg_iov = &w[1], .msg_iovlen = 1}},
                            {.msg_hdr = {.msg_iov = &w[2], .msg_iovlen = 1}}};
    struct timespec bad = {0, -1}, soon = {0, 1};
    SAY(sendmmsg(t[0], out, 2, 0));
    printf("%u %u\n", out[0].msg_len, out[1].msg_len);
    wait_for(t[1], 9);
    SAY(recvmmsg(t[1], in, 3, MSG_WAITFORONE, NULL));
    printf("%u %u %u\n", in[0].msg_len, in[1].msg_len, in[2].msg_len);
    SAY(recvmmsg(t[1], in, 3, MSG_DONTWAIT, NULL));
    SAY(recvmmsg(t[1], in, 3, MSG_DONTWAIT, &bad));
    SAY(sendmmsg(t[0], out, 2, 0));
    wait_for(t[1], 9);
    SAY(recvmmsg(t[1], in, 3, 0, &soon));
    printf("left %ld %ld\n", (long)soon.tv_sec, soon.tv_nsec);
    SAY(recv(t[1], buf, sizeof buf, MSG_DONTWAIT));
    SAY(sendmmsg(t[0], out, 0, 0));
}

static void files(const int *t)
{
    int file = open("/proc/self/cmdline", O_RDONLY);
    char path[] = "/tmp/sd-bytes-XXXXXX";
    int disk = mkstemp(path);
    off_t at = 1;
    must(file >= 0 && disk >= 0 && unlink(path) == 0, "files");
    must(write(disk, "0123456789", 10) == 10, "write");
    SAY(sendfile(t[0], disk, &at, 4));
    SAY(at);
    wait_for(t[1], 4);
    SAY(read(t[1], buf, sizeof buf));
    say_bytes("sendfile", buf, 4);
    SAY(sendfile(t[0], t[1], NULL, 4));
    SAY(sendfile(t[0], -1, NULL, 4));
    close(file), close(disk);
}

/* What moves a connection to the kernel: on one of its own. */
static void by_the_kernel(void)
{
    int t[2], p[2];
    tcp_pair(t);
    must(pipe(p) == 0, "pipe");
    SAY(write(t[0], "splice", 6));
    wait_for(t[1], 6);
    SAY(splice(t[1], NULL, p[1], NULL, 6, 0));
    SAY(splice(p[0], NULL, t[1], NULL, 6, 0));
    wait_for(t[0], 6);
    SAY(read(t[0], buf, sizeof buf));
    SAY(tee(t[0], p[1], 1, 0));
    SAY(recv(t[0], buf, 4, MSG_OOB));
    SAY(send(t[0], "!", 1, MSG_OOB));
    SAY(write(t[0], "after", 5));
    SAY(recv(t[1], buf, 5, MSG_WAITALL));
    SAY(recv(t[1], buf, 4, MSG_OOB));
    close(t[0]), close(t[1]);
    tcp_pair(t);
    int n = 0;
    SAY(write(t[0], "in the ring", 11));
    SAY(write(p[1], "behind it", 9));
    SAY(splice(p[0], NULL, t[0], NULL, 9, 0));
    for (int i = 0; i < 2000 && n < 20; i++, usleep(1000))
        must(ioctl(t[1], FIONREAD, &n) == 0, "FIONREAD");
    SAY(n);
    SAY(recv(t[1], buf, 20, MSG_WAITALL));
    say_bytes("in order", buf, 20);
    close(t[0]), close(t[1]), close(p[0]), close(p[1]);
}

static void counts(const int *t)
{
    int n = -1, on = 1;
    SAY(write(t[0], "12345", 5));
    wait_for(t[1], 5);
    SAY(ioctl(t[1], FIONREAD, &n));
    SAY(n);
    SAY(ioctl(t[1], SIOCATMARK, &n));
    SAY(n);
    SAY(ioctl(t[1], FIONBIO, &on));
    SAY(fcntl(t[1], F_GETFL) & O_NONBLOCK ? 1 : 0);
    SAY(read(t[1], buf, sizeof buf));
    SAY(read(t[1], buf, sizeof buf));
    SAY(fcntl(t[1], F_SETFL, O_RDWR));
    SAY(ioctl(t[1], 0xdeadbeef, &n));
    SAY(fcntl(t[1], 9999));
}

static void broken(const int *t)
{
    struct iovec v[1] = {{"x", 1}};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 1};
    int error = -1;
    socklen_t len = sizeof error;
    signal(SIGPIPE, on_sigpipe);
    SAY(shutdown(t[0], SHUT_WR));
    SAY(read(t[1], buf, sizeof buf));
    SAY(write(t[0], "x", 1));
    SAY(send(t[0], "x", 1, 0));
    SAY(writev(t[0], v, 1));
    SAY(sendmsg(t[0], &m, 0));
    SAY(pipes);
    SAY(send(t[0], "x", 1, MSG_NOSIGNAL));
    SAY(sendmsg(t[0], &m, MSG_NOSIGNAL));
    SAY(pipes);
    SAY(getsockopt(t[0], SOL_SOCKET, SO_ERROR, &error, &len));
    SAY(error);
    SAY(shutdown(t[0], 17));
}

static void not_sockets(void)
{
    int fd = open("/dev/null", O_RDWR), fresh = socket(AF_INET, SOCK_STREAM, 0);
    SAY(send(fd, "x", 1, 0));
    SAY(recv(-1, buf, 1, 0));
    SAY(read(-1, buf, 1));
    SAY(write(1 << 30, buf, 1));
    SAY(read(fresh, buf, 1));
    SAY(send(fresh, buf, 1, MSG_NOSIGNAL));
    SAY(accept(fresh, NULL, NULL));
    SAY(listen(fd, 1));
    SAY(shutdown(fresh, SHUT_RD));
    SAY(close(fresh));
    SAY(close(fresh));
    close(fd);
}

int main(void)
{
    int t[2];
    tcp_pair(t);
    plain(t);
    addressed(t);
    vectors(t);
    messages(t);
    several(t);
    files(t);
    counts(t);
    broken(t);
    by_the_kernel();
    not_sockets();
    return 0;
}

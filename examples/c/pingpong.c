/*
 * A message goes to the server and comes back; prints how long that takes.
 *
 *     cc -O2 pingpong.c -lsd -o pingpong
 */
#include "net.h"

enum { LARGEST = 1 << 20, WARM_UP = 100 };

static char buf[LARGEST];

static int usage(const char *name)
{
    fprintf(stderr,
            "usage: %s server [PORT [SIZE]]\n"
            "       %s client HOST PORT [SIZE [COUNT]]   (default 8 bytes, 10000 times)\n"
            "example: %s client 127.0.0.1 7000\n",
            name, name, name);
    return 2;
}

static int server(int argc, char **argv)
{
    long port = argument(argc, argv, 2, 7000, 65535);
    long size = argument(argc, argv, 3, 8, LARGEST);
    int fd = accept_from(listen_on(port));

    while (recv_whole(fd, buf, (size_t)size))
        send_whole(fd, buf, (size_t)size);
    return 0;
}

static void ping(int fd, size_t size, long count)
{
    while (count-- > 0) {
        send_whole(fd, buf, size);
        if (!recv_whole(fd, buf, size)) {
            fprintf(stderr, "the server is gone\n");
            exit(1);
        }
    }
}

static int client(int argc, char **argv)
{
    long port = argument(argc, argv, 3, 0, 65535);
    long size = argument(argc, argv, 4, 8, LARGEST);
    long count = argument(argc, argv, 5, 10000, 100000000);
    int fd = connect_to(argv[2], port);
    double start;

    ping(fd, (size_t)size, WARM_UP);
    start = seconds();
    ping(fd, (size_t)size, count);
    printf("%ld round trips of %ld bytes; mean %.2f us\n", count, size, (seconds() - start) / (double)count * 1e6);
    close(fd);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc >= 2 && argc <= 4 && strcmp(argv[1], "server") == 0)
        return server(argc, argv);
    if (argc >= 4 && argc <= 6 && strcmp(argv[1], "client") == 0)
        return client(argc, argv);
    return usage(argv[0]);
}

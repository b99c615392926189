/*
 * Sends messages to rate_server for some seconds, one send each, and prints how many go out in a second.
 *
 *     cc -O2 rate_client.c -lsd -o rate_client
 */
#include "net.h"

enum { BATCH = 1024, LARGEST = 1 << 20 };

static int usage(const char *name)
{
    fprintf(stderr,
            "usage: %s HOST PORT [SIZE [SECONDS]]   (default 8 bytes, 5 seconds; SIZE as at the server)\n"
            "example: %s 127.0.0.1 7000 64\n",
            name, name);
    return 2;
}

int main(int argc, char **argv)
{
    static char buf[LARGEST];
    long port = argument(argc, argv, 2, 0, 65535);
    long size = argument(argc, argv, 3, 8, LARGEST);
    long limit = argument(argc, argv, 4, 5, 3600);
    struct meter meter;
    int fd;

    if (argc < 3 || argc > 5 || size == 0)
        return usage(argv[0]);
    fd = connect_to(argv[1], port);
    meter = meter_start("messages");
    do {
        for (int i = 0; i < BATCH; i++)
            send_whole(fd, buf, (size_t)size);
    } while (meter_add(&meter, BATCH) < (double)limit);
    meter_end(&meter);
    close(fd);
    return 0;
}

/*
 * Receives messages of one client, one recv each, and prints how many come in a second.
 *
 *     cc -O2 rate_server.c -lsd -o rate_server
 */
#include "net.h"

enum { BATCH = 1024, LARGEST = 1 << 20 };

int main(int argc, char **argv)
{
    static char buf[LARGEST];
    long port = argument(argc, argv, 1, 7000, 65535);
    long size = argument(argc, argv, 2, 8, LARGEST);
    long batch = 0;
    struct meter meter;
    int fd;

    if (argc > 3 || size == 0) {
        fprintf(stderr, "usage: %s [PORT [SIZE]]   (default 7000 8)\nexample: %s 7000 64\n", argv[0], argv[0]);
        return 2;
    }
    fd = accept_from(listen_on(port));
    meter = meter_start("messages");
    while (recv_whole(fd, buf, (size_t)size)) {
        if (++batch == BATCH) {
            meter_add(&meter, batch);
            batch = 0;
        }
    }
    meter_add(&meter, batch);
    meter_end(&meter);
    return 0;
}

/* Options that only the kernel can honour, set on a socket before it connects, on one that listens, and on a live
 * connection; each time the connection works on. */
#include <fcntl.h>
#include <signal.h>
#include <sys/time.h>

#include "facts.h"

static char buf[16];
static struct sockaddr_in at;

static int listening(int option, int value)
{
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (option)
        SAY(setsockopt(fd, SOL_SOCKET, option, &value, sizeof value));
    must(bind(fd, (struct sockaddr *)&at, len) == 0 && listen(fd, 1) == 0, "listen");
    must(getsockname(fd, (struct sockaddr *)&at, &len) == 0, "getsockname");
    return fd;
}

static int connecting(int option, int value)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (option)
        SAY(setsockopt(fd, SOL_SOCKET, option, &value, sizeof value));
    must(connect(fd, (struct sockaddr *)&at, sizeof at) == 0, "connect");
    return fd;
}

static void talk(int a, int b)
{
    SAY(send(a, "ping", 4, 0));
    SAY(recv(b, buf, 4, MSG_WAITALL));
    SAY(send(b, "pong", 4, 0));
    SAY(recv(a, buf, 4, MSG_WAITALL));
}

/* With a mark of 3 bytes, 2 are not enough to be read at once. */
static void low_water(int client_mark, int server_mark)
{
    struct timeval soon = {0, 50000};
    int listener = listening(server_mark ? SO_RCVLOWAT : 0, 3);
    int client = connecting(client_mark ? SO_RCVLOWAT : 0, 3);
    int server = accept(listener, NULL, NULL);
    int reader = server_mark ? server : client, writer = server_mark ? client : server;
    talk(client, server);
    SAY(setsockopt(reader, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon));
    SAY(send(writer, "ab", 2, 0));
    SAY(recv(reader, buf, sizeof buf, MSG_DONTWAIT));
    SAY(send(writer, "cd", 2, 0));
    wait_for(reader, 2);
    SAY(recv(reader, buf, sizeof buf, 0) > 0);
    close(client), close(server), close(listener);
}

static int signals;

static void on_sigio(int number)
{
    (void)number;
    signals++;
}

static void signal_driven(void)
{
    int t[2];
    tcp_pair(t);
    signal(SIGIO, on_sigio);
    SAY(send(t[1], "early", 5, 0));
    wait_for(t[0], 5);
    SAY(recv(t[0], buf, 5, 0));
    SAY(fcntl(t[0], F_SETOWN, getpid()));
    SAY(fcntl(t[0], F_SETFL, O_ASYNC | O_RDWR));
    SAY(send(t[1], "late", 4, 0));
    for (int i = 0; i < 200 && !signals; i++)
        usleep(1000);
    SAY(signals > 0);
    SAY(recv(t[0], buf, sizeof buf, 0));
    close(t[0]), close(t[1]);
}

static void live(void)
{
    int t[2], on = 1;
    tcp_pair(t);
    talk(t[0], t[1]);
    SAY(setsockopt(t[0], SOL_SOCKET, SO_TIMESTAMP, &on, sizeof on));
    talk(t[0], t[1]);
    talk(t[1], t[0]);
    close(t[0]), close(t[1]);
}

int main(void)
{
    low_water(1, 0);
    low_water(0, 1);
    signal_driven();
    live();
    return 0;
}

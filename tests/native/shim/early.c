/* A library whose constructor runs before that of libsd.so, and calls what it interposes. */
#include <fcntl.h>
#include <sys/syscall.h>

#include "facts.h"

static __attribute__((constructor)) void before_the_others(void)
{
    char buf[4];
    int t[2], set;
    SAY(syscall(SYS_getpid) == getpid());
    SAY(read(-1, buf, 1));
    tcp_pair(t);
    SAY(fcntl(t[0], F_GETFD));
    SAY(send(t[0], "x", 1, 0));
    SAY(recv(t[1], buf, sizeof buf, 0));
    SAY(set = dup(t[0]) >= 0);
    SAY(dprintf(t[0], "y"));
    SAY(recv(t[1], buf, sizeof buf, 0));
    SAY(close(t[0]));
    SAY(close(t[1]));
}

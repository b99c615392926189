/* A connection that was accepted goes to somebody else, who is the first to use it.
 *
 * Usage: handed thread|child|owner. Before and after that first receive and send stands a call that nothing else makes.
 */
#include "facts.h"

#include <pthread.h>
#include <sys/syscall.h>

static void *use(void *descriptor)
{
    int fd = *(int *)descriptor;
    char byte = 0;
    syscall(SYS_getpgrp);
    must(recv(fd, &byte, 1, 0) == 1 && send(fd, &byte, 1, 0) == 1, "first use");
    syscall(SYS_getpgrp);
    return NULL;
}

int main(int argc, char **argv)
{
    int fds[2];
    pthread_t thread;
    char byte = 'x';
    must(argc == 2, "usage");
    tcp_pair(fds);
    must(send(fds[0], &byte, 1, 0) == 1, "send");
    if (strcmp(argv[1], "thread") == 0) {
        must(pthread_create(&thread, NULL, use, &fds[1]) == 0 && pthread_join(thread, NULL) == 0, "thread");
    } else if (strcmp(argv[1], "child") == 0) {
        pid_t pid = fork();
        if (pid == 0) {
            use(&fds[1]);
            _exit(0);
        }
        must(waitpid(pid, NULL, 0) == pid, "child");
    } else {
        use(&fds[1]);
    }
    must(recv(fds[0], &byte, 1, 0) == 1, "recv");
    return 0;
}

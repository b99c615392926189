/* One thread makes the first socket of the process while another forks; the child makes a socket, too. The argument says
 * how long the forking thread waits, in turns of a loop. Status 0 if the child is done in time.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "facts.h"

static _Atomic int begun;

static void *make_socket(void *unused)
{
    (void)unused;
    begun = 1;
    close(socket(AF_INET, SOCK_STREAM, 0));
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    int status = 0;
    must(argc == 2, "usage");
    must(pthread_create(&thread, NULL, make_socket, NULL) == 0, "thread");
    while (!begun)
        ;
    for (volatile int i = 0; i < atoi(argv[1]); i++)
        ;
    pid_t pid = fork();
    if (pid == 0) {
        alarm(3);
        close(socket(AF_INET, SOCK_STREAM, 0));
        _exit(0);
    }
    must(waitpid(pid, &status, 0) == pid, "wait");
    pthread_join(thread, NULL);
    return status != 0;
}

/* The stage: processes and threads that make socket calls one at a time, as they are told.
 *
 * Python (stage.py) hands over a program: steps, each a call for an *actor*. The *conductor* (conductor.c) gives the steps
 * out one after the other through shared memory and waits until the call has returned or the actor is asleep in it; so
 * the order of calls is the program's, whatever the scheduler does. A call that sleeps is reported as blocked; after
 * every later step the conductor looks whether it has returned since. At the end all processes are gone.
 *
 *     Python --steps--> conductor --part (futex)--> actor: calls.c, watch.c     one program of this kind runs plainly,
 *     Python <-events-- conductor <--result------- actor                        the other one under the library
 *
 * The conductor and the actors share nothing else, and the stage's own descriptors lie above STAGE_FDS, so that the
 * numbers of the program's are those that Linux gives.
 */
#ifndef DIFFERENTIAL_STAGE_H
#define DIFFERENTIAL_STAGE_H

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "calls.h" /* printed from calls.py */

#define STAGE_FDS   200 /* where the stage keeps its own descriptors */
#define BYTES_MAX   (8u << 20)
#define EXTRA_WORDS 6

struct step {
    int32_t actor, call, loose, args[ARGUMENTS];
};

/* What a call gave. */
struct result {
    int64_t value;
    int32_t error;
    int32_t broken_pipes; /* SIGPIPEs that came meanwhile */
    uint64_t digest;      /* of the bytes received */
    uint8_t first[8];     /* the first of them */
    int32_t extra[EXTRA_WORDS];
};

enum kind {
    RETURNED,   /* the call returned at once */
    BLOCKED,    /* it sleeps */
    STARTED,    /* a loose step */
    BUSY,       /* the actor is in an earlier call: the step was left out */
    NOBODY,     /* there is no such actor (any more) */
    LATER,      /* a call that was blocked has returned: `step` is that call's */
    CUT,        /* the process ended while it was in the call */
    STILL,      /* the program is over and the call still sleeps */
    WENT_WRONG, /* the stage itself failed */
    END,
};

struct event {
    int32_t kind, step;
    struct result result;
};

enum state { IDLE, GO, DONE, QUIT };

/* One actor's mailbox. The conductor writes `step` and then GO; the actor `result` and then DONE. */
struct actor {
    _Atomic uint32_t state;
    _Atomic uint32_t present;
    _Atomic int32_t tid;
    int32_t process; /* index of the process */
    int32_t number;  /* the step's number in the program */
    struct step step;
    struct result result;
};

struct process {
    _Atomic int32_t pid;
    int32_t fd[SLOTS];
};

struct place {
    int32_t family, port;
};

struct shared {
    struct actor actors[ACTORS];
    struct process processes[ACTORS]; /* by the number of the actor that began them */
    struct place places[NAMES];
    int64_t filled[NAMES];
    bool interrupts; /* some step sends a signal that is not to restart calls */
};

extern struct shared *shared;
extern int shared_fd, post_fd[2], file_fd; /* above STAGE_FDS */
extern const char *stage_path;

/* --- actors.c --- */

void actor_begin(int me, int process); /* returns only if the part is over */
void actor_resume(int me);             /* the same, after exec */
long do_fork(int me, const int32_t *args);
long do_thread(int me, const int32_t *args);
long do_exec(int me, const int32_t *args);
long do_spawn(void);

/* --- calls.c, watch.c --- */

struct part { /* a step being done: whose descriptors, what it says, where the result goes */
    int me;
    int number;
    const int32_t *args;
    int32_t *fd;
    struct result *result;
};

long perform(const struct part *part, int call);
long do_poll(const struct part *part);
long do_epoll_ctl(const struct part *part);
long do_epoll_wait(const struct part *part);
int fd_of(const struct part *part, int argument);

long futex(_Atomic uint32_t *word, int op, uint32_t value, const struct timespec *timeout);

#endif

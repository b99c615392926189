/* The actors: wait for a part, play it, say so. And how actors come to be: forks, threads, exec. */
#include "stage.h"

static _Thread_local _Atomic int broken_pipes;
static char thread_names[ACTORS];

/* The futex that conductor and actors share over processes. */
long futex(_Atomic uint32_t *word, int op, uint32_t value, const struct timespec *timeout)
{
    return syscall(SYS_futex, word, op, value, timeout, NULL, 0);
}

static void on_pipe(int signal)
{
    (void)signal;
    broken_pipes++;
}

static void on_signal(int signal)
{
    (void)signal;
}

/* A handler that does not ask for SA_RESTART is there only in programs that use it: beside it, the library lets every
 * signal interrupt a waiting call, which is a known difference. */
static void catch_signals(bool interrupts)
{
    struct sigaction pipe = {.sa_handler = on_pipe, .sa_flags = SA_RESTART};
    struct sigaction restart = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct sigaction interrupt = {.sa_handler = on_signal};

    signal(SIGIO, SIG_IGN);
    sigaction(SIGPIPE, &pipe, NULL);
    sigaction(SIGUSR1, &restart, NULL);
    if (interrupts)
        sigaction(SIGUSR2, &interrupt, NULL);
}

static void play(int me)
{
    struct actor *self = &shared->actors[me];
    struct part part = {me, self->number, self->step.args, shared->processes[self->process].fd, &self->result};

    memset(&self->result, 0, sizeof self->result);
    broken_pipes = 0;
    errno = 0;
    long value = perform(&part, self->step.call);
    self->result.error = value < 0 ? errno : 0;
    self->result.value = value;
    self->result.broken_pipes = broken_pipes;
}

static void finish(struct actor *self)
{
    atomic_store(&self->state, DONE);
    futex(&self->state, FUTEX_WAKE, 1, NULL);
}

static void serve(int me)
{
    struct actor *self = &shared->actors[me];

    for (;;) {
        uint32_t state = atomic_load(&self->state);
        if (state == QUIT)
            return;
        if (state != GO) {
            futex(&self->state, FUTEX_WAIT, state, NULL);
            continue;
        }
        play(me);
        finish(self);
    }
}

static void appear(int me, int process)
{
    struct actor *self = &shared->actors[me];

    self->process = process;
    atomic_store(&self->tid, (int32_t)syscall(SYS_gettid));
    atomic_store(&self->present, 1);
    futex(&self->present, FUTEX_WAKE, 1, NULL);
}

void actor_begin(int me, int process)
{
    atomic_store(&shared->processes[process].pid, (int32_t)getpid());
    catch_signals(shared->interrupts);
    appear(me, process);
    serve(me);
}

void actor_resume(int me)
{
    struct actor *self = &shared->actors[me];

    catch_signals(shared->interrupts);
    atomic_store(&self->tid, (int32_t)syscall(SYS_gettid));
    memset(&self->result, 0, sizeof self->result);
    finish(self);
    serve(me);
}

static pid_t fork_by(int forker)
{
    switch (forker) {
    case BY__FORK: return _Fork();
    case BY_CLONE: return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    default: return fork();
    }
}

/* The child is a new process of the stage, with a copy of the names of the descriptors. */
long do_fork(int me, const int32_t *args)
{
    int child = args[0];

    memcpy(shared->processes[child].fd, shared->processes[shared->actors[me].process].fd,
           sizeof shared->processes[child].fd);
    pid_t pid = fork_by(args[1]);
    if (pid == 0) {
        actor_begin(child, child);
        _exit(0);
    }
    return pid < 0 ? -1 : 0;
}

static void *run_thread(void *name)
{
    int me = (int)((char *)name - thread_names);

    appear(me, shared->actors[me].process);
    serve(me);
    return NULL;
}

long do_thread(int me, const int32_t *args)
{
    pthread_attr_t attributes;
    pthread_t thread;

    shared->actors[args[0]].process = shared->actors[me].process;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int error = pthread_create(&thread, &attributes, run_thread, &thread_names[args[0]]);
    pthread_attr_destroy(&attributes);
    errno = error;
    return error ? -1 : 0;
}

long do_spawn(void)
{
    char *words[] = {"true", NULL};
    pid_t pid;
    int error = posix_spawnp(&pid, words[0], NULL, NULL, words, environ);

    errno = error;
    return error ? -1 : waitpid(pid, NULL, 0) == pid ? 0 : -1;
}

/* The same program again, as the same actor: with the same environment, or with none, so without the library. */
long do_exec(int me, const int32_t *args)
{
    char *empty[] = {NULL};
    char number[4][16];
    int32_t passed[4] = {shared_fd, me, post_fd[0], post_fd[1]};
    char *words[] = {(char *)stage_path, "resume", number[0], number[1], number[2], number[3], NULL};

    for (int i = 0; i < 4; i++)
        snprintf(number[i], sizeof number[i], "%d", passed[i]);
    return execve(stage_path, words, args[0] == BY_SCRUBBED ? empty : environ);
}

/* The conductor: gives out the steps of a program, sees which calls sleep, and reports what each gave. See stage.h.
 *
 * Asleep   A thread whose state is S and which the scheduler has not run for `settle`: then its call is blocked. Who
 *          polls before it sleeps, or waits for the monitor, runs now and then, and is waited for.
 * Gone     A process's descriptors are closed before its pidfd becomes readable: what a death does to its peers has
 *          happened before the next step.
 */
#include "stage.h"

#define KILL_REST_US 6000 /* who polls without sleeping learns of a peer's death some milliseconds after it */
#define LOOK_NS      100000L
#define CALL_NS      20000000000u /* a call that neither returns nor sleeps: the stage has gone wrong */
#define ACCEPT_NS    20000000u
#define SELDOM_NS    300000000u
#define END_NS       300000000u /* what a process may take to end by itself */

struct shared *shared;
int shared_fd, post_fd[2], file_fd;
const char *stage_path;

struct program {
    int32_t count, settle_us, pause_us;
    struct step steps[STEPS_MAX];
};

static struct program program;
static int pidfd[ACTORS];   /* by process; -1: none */
static int call_of[ACTORS]; /* number of the step that the actor is in; -1: none */
static bool loose[ACTORS];

enum outcome { HAS_RETURNED, IS_ASLEEP, HAS_ENDED, SPINS };

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void pause_us(int32_t microseconds)
{
    struct timespec span = {microseconds / 1000000, microseconds % 1000000 * 1000L};

    if (microseconds > 0)
        nanosleep(&span, NULL);
}

static _Noreturn void broken(const char *text)
{
    perror(text);
    exit(70);
}

static void read_all(void *to, size_t count)
{
    for (size_t done = 0; done < count;) {
        ssize_t got = read(STDIN_FILENO, (char *)to + done, count - done);
        if (got == 0)
            exit(0);
        if (got < 0 && errno != EINTR)
            broken("read");
        done += got > 0 ? (size_t)got : 0;
    }
}

static struct event events[STEPS_MAX * 3 + ACTORS * 2];
static size_t event_count;

static void report(enum kind kind, int number, const struct result *result)
{
    struct event *event = &events[event_count++];

    *event = (struct event){.kind = kind, .step = number};
    if (result)
        event->result = *result;
}

static void send_report(void)
{
    const char *from = (const char *)events;
    size_t left = event_count * sizeof *events;

    while (left) {
        ssize_t put = write(STDOUT_FILENO, from, left);
        if (put < 0 && errno != EINTR)
            broken("write");
        from += put > 0 ? put : 0;
        left -= put > 0 ? (size_t)put : 0;
    }
    event_count = 0;
}

/* --- what the kernel says of a thread --- */

static size_t read_about(const struct actor *actor, const char *what, char *text, size_t size)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/task/%d/%s", shared->processes[actor->process].pid, actor->tid, what);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t got = read(fd, text, size - 1);
    close(fd);
    text[got > 0 ? got : 0] = 0;
    return got > 0 ? (size_t)got : 0;
}

/* R, S, D and so on; Z where there is no such thread any more. */
static char thread_state(const struct actor *actor)
{
    char text[512];
    char *end = read_about(actor, "stat", text, sizeof text) ? strrchr(text, ')') : NULL;

    return end ? (char)(end[2] == 'X' ? 'Z' : end[2]) : 'Z';
}

/* How often the scheduler has run it. */
static uint64_t thread_runs(const struct actor *actor)
{
    char text[128];
    unsigned long long runs = 0;

    if (read_about(actor, "schedstat", text, sizeof text))
        sscanf(text, "%*s %*s %llu", &runs);
    return runs;
}

static bool is_present(const struct actor *actor)
{
    return atomic_load(&actor->present) && thread_state(actor) != 'Z';
}

static bool await_end(int process, uint64_t span_ns)
{
    struct pollfd entry = {pidfd[process], POLLIN, 0};

    return pidfd[process] < 0 || poll(&entry, 1, (int)(span_ns / 1000000)) > 0;
}

/* --- one call --- */

static bool has_returned(struct actor *actor)
{
    return atomic_load(&actor->state) == DONE;
}

/* How long a thread must lie still before its call counts as blocked. Calls that never block, or for which the library may
 * have to ask the monitor, are given time. */
static uint64_t settle_ns(const struct actor *actor)
{
    uint64_t usual = (uint64_t)program.settle_us * 1000;

    switch (actor->step.call) {
    case CALL_SEND:
    case CALL_RECV:
    case CALL_SENDALL:
    case CALL_RECVALL:
    case CALL_DRAIN:
    case CALL_SENDFILE:
    case CALL_POLL:
    case CALL_EPWAIT: return usual;
    case CALL_ACCEPT: return usual + ACCEPT_NS;
    default: return usual + SELDOM_NS;
    }
}

/* A thread that executes a program takes the number of its process, and for a moment has none. */
static bool changes_number(const struct actor *actor)
{
    return actor->step.call == CALL_EXEC && !await_end(actor->process, 0);
}

static enum outcome watch(struct actor *actor)
{
    struct timespec span = {0, LOOK_NS};
    uint64_t start = now_ns(), still_since = start, runs = 0;

    while (!has_returned(actor)) {
        futex(&actor->state, FUTEX_WAIT, GO, &span);
        if (has_returned(actor))
            break;
        char state = thread_state(actor);
        uint64_t now = now_ns(), runs_now = thread_runs(actor);
        if (state == 'Z' && !changes_number(actor))
            return has_returned(actor) ? HAS_RETURNED : HAS_ENDED;
        if (state != 'S' || runs_now != runs) {
            still_since = now;
            runs = runs_now;
        } else if (now - still_since > settle_ns(actor)) {
            return IS_ASLEEP;
        }
        if (now - start > CALL_NS)
            return SPINS;
    }
    return HAS_RETURNED;
}

static void give(int me, int number, const struct step *step)
{
    struct actor *actor = &shared->actors[me];

    actor->step = *step;
    actor->number = number;
    call_of[me] = number;
    loose[me] = step->loose;
    atomic_store(&actor->state, GO);
    futex(&actor->state, FUTEX_WAKE, 1, NULL);
}

static void take_back(int me)
{
    call_of[me] = -1;
    atomic_store(&shared->actors[me].state, IDLE);
}

/* An actor is gone, and what it was doing is cut short. */
static void forget(int me)
{
    atomic_store(&shared->actors[me].present, 0);
    if (call_of[me] >= 0)
        report(CUT, call_of[me], NULL);
    call_of[me] = -1;
}

static void bury(int process)
{
    for (int i = 0; i < ACTORS; i++)
        if (atomic_load(&shared->actors[i].present) && shared->actors[i].process == process)
            forget(i);
}

static void open_pidfd(int process)
{
    int fd = (int)syscall(SYS_pidfd_open, shared->processes[process].pid, 0);

    if (fd < 0)
        broken("pidfd_open");
    pidfd[process] = fcntl(fd, F_DUPFD_CLOEXEC, STAGE_FDS);
    close(fd);
}

static void await_present(int me)
{
    struct actor *actor = &shared->actors[me];
    struct timespec span = {5, 0};

    while (!atomic_load(&actor->present))
        if (futex(&actor->present, FUTEX_WAIT, 0, &span) && errno == ETIMEDOUT)
            broken("no new actor");
}

static void after_return(int me, const struct step *step)
{
    if ((step->call == CALL_FORK || step->call == CALL_THREAD) && shared->actors[me].result.value == 0) {
        await_present(step->args[0]);
        if (step->call == CALL_FORK)
            open_pidfd(step->args[0]);
    }
}

/* Reports what has become of a call, `kind` if it has returned. */
static void settle(int me, enum kind kind, bool first)
{
    struct actor *actor = &shared->actors[me];
    int number = call_of[me], process = actor->process;

    switch (watch(actor)) {
    case HAS_RETURNED:
        after_return(me, &program.steps[number]);
        report(kind, number, &actor->result);
        take_back(me);
        break;
    case IS_ASLEEP:
        if (first)
            report(BLOCKED, number, NULL);
        break;
    case HAS_ENDED:
        if (await_end(process, END_NS))
            bury(process);
        else
            forget(me); /* only the thread has: another one of the process did exec */
        break;
    case SPINS: report(WENT_WRONG, number, NULL); break;
    }
}

/* What earlier calls have come to by now; ordered by their steps. */
static void settle_others(int but)
{
    for (int number = 0; number < program.count; number++)
        for (int i = 0; i < ACTORS; i++)
            if (i != but && call_of[i] == number && !loose[i])
                settle(i, LATER, false);
}

/* --- the steps that the conductor does itself --- */

static void do_kill(int me, int number)
{
    int process = shared->actors[me].process;
    struct result done = {0};

    syscall(SYS_pidfd_send_signal, pidfd[process], SIGKILL, NULL, 0);
    if (!await_end(process, CALL_NS))
        broken("a killed process does not end");
    report(RETURNED, number, &done);
    bury(process);
    pause_us(program.settle_us > KILL_REST_US ? program.settle_us : KILL_REST_US); /* on a busy machine later */
}

static void do_signal(int me, int number, bool restart)
{
    struct actor *actor = &shared->actors[me];
    struct result done = {0};

    syscall(SYS_tgkill, shared->processes[actor->process].pid, actor->tid, restart ? SIGUSR1 : SIGUSR2);
    report(RETURNED, number, &done);
}

static void do_join(int me, int number)
{
    struct result done = {0};

    report(RETURNED, number, &done);
    if (call_of[me] < 0)
        return;
    bool was_loose = loose[me];
    loose[me] = false;
    settle(me, LATER, was_loose);
}

/* Under the library alone there is something to unload. */
static void do_unload(int me, int number)
{
    const char *command = getenv("STAGE_UNLOAD");
    struct result done = {0};
    char line[1024];

    if (command) {
        snprintf(line, sizeof line, command, shared->processes[shared->actors[me].process].pid);
        if (system(line) < 0)
            broken("system");
    }
    report(RETURNED, number, &done);
}

static void do_sleep(int number, int milliseconds)
{
    struct result done = {0};

    pause_us(milliseconds * 1000);
    report(RETURNED, number, &done);
}

static bool by_the_conductor(int me, int number, const struct step *step)
{
    switch (step->call) {
    case CALL_KILL: do_kill(me, number); return true;
    case CALL_SIGNAL: do_signal(me, number, step->args[0]); return true;
    case CALL_JOIN: do_join(me, number); return true;
    case CALL_SLEEP: do_sleep(number, step->args[0]); return true;
    case CALL_UNLOAD: do_unload(me, number); return true;
    default: return false;
    }
}

/* A name that is in use cannot be given again. */
static bool name_is_taken(const struct step *step)
{
    return (step->call == CALL_FORK || step->call == CALL_THREAD) &&
           (atomic_load(&shared->actors[step->args[0]].present) || shared->processes[step->args[0]].pid);
}

static void do_step(int number)
{
    const struct step *step = &program.steps[number];
    int me = step->actor;

    if (!is_present(&shared->actors[me]) || name_is_taken(step))
        report(NOBODY, number, NULL);
    else if (by_the_conductor(me, number, step))
        ;
    else if (call_of[me] >= 0)
        report(BUSY, number, NULL);
    else {
        give(me, number, step);
        if (step->loose)
            report(STARTED, number, NULL);
        else
            settle(me, RETURNED, true);
    }
    settle_others(step->call == CALL_JOIN || step->loose ? -1 : me);
    pause_us(program.pause_us);
}

/* --- one program --- */

static void begin_process(int process)
{
    pid_t pid = fork();

    if (pid < 0)
        broken("fork");
    if (pid == 0) {
        actor_begin(process, process);
        _exit(0);
    }
    await_present(process);
    open_pidfd(process);
}

static void open_post(void)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
        broken("socketpair");
    for (int i = 0; i < 2; i++) {
        post_fd[i] = fcntl(pair[i], F_DUPFD, STAGE_FDS);
        close(pair[i]);
    }
}

static void raise_curtain(void)
{
    memset(shared, 0, sizeof *shared);
    for (int i = 0; i < ACTORS; i++) {
        pidfd[i] = call_of[i] = -1;
        for (int slot = 0; slot < SLOTS; slot++)
            shared->processes[i].fd[slot] = -1;
    }
    for (int i = 0; i < program.count; i++)
        shared->interrupts |= program.steps[i].call == CALL_SIGNAL && !program.steps[i].args[0];
    open_post();
    for (int i = 0; i < FIRST_ACTORS; i++)
        begin_process(i);
}

static void dismiss(int me)
{
    struct actor *actor = &shared->actors[me];

    if (!atomic_load(&actor->present))
        return;
    if (call_of[me] >= 0) {
        if (!loose[me])
            report(STILL, call_of[me], NULL);
        syscall(SYS_pidfd_send_signal, pidfd[actor->process], SIGKILL, NULL, 0);
        return;
    }
    atomic_store(&actor->state, QUIT);
    futex(&actor->state, FUTEX_WAKE, 1, NULL);
}

static void drop_curtain(void)
{
    for (int number = 0; number <= program.count; number++) /* in the order of the steps; the idle ones last */
        for (int i = 0; i < ACTORS; i++)
            if (call_of[i] == number || (number == program.count && call_of[i] < 0))
                dismiss(i);
    for (int i = 0; i < ACTORS; i++) {
        if (pidfd[i] < 0)
            continue;
        if (!await_end(i, END_NS))
            syscall(SYS_pidfd_send_signal, pidfd[i], SIGKILL, NULL, 0);
        if (!await_end(i, CALL_NS))
            broken("a killed process does not end");
        close(pidfd[i]);
    }
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    close(post_fd[0]);
    close(post_fd[1]);
}

static void play_program(void)
{
    read_all(&program, offsetof(struct program, steps));
    if (program.count < 0 || program.count > STEPS_MAX)
        broken("program");
    read_all(program.steps, (size_t)program.count * sizeof *program.steps);
    raise_curtain();
    for (int number = 0; number < program.count; number++)
        do_step(number);
    drop_curtain();
    report(END, -1, NULL);
    send_report();
}

/* --- start --- */

static void make_file(void)
{
    enum { SIZE = 4 << 20 };
    int fd = memfd_create("stage-file", MFD_CLOEXEC);

    file_fd = fcntl(fd, F_DUPFD, STAGE_FDS);
    close(fd);
    if (file_fd < 0 || ftruncate(file_fd, SIZE))
        broken("memfd");
    for (int i = 0; i < SIZE / 4; i += 1024)
        if (pwrite(file_fd, &i, sizeof i, (off_t)i * 4) != sizeof i)
            broken("pwrite");
}

static void map_shared(void)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, shared_fd, 0);
    if (shared == MAP_FAILED)
        broken("mmap");
}

static void make_shared(void)
{
    int fd = memfd_create("stage", 0);

    shared_fd = fcntl(fd, F_DUPFD, STAGE_FDS);
    close(fd);
    if (shared_fd < 0 || ftruncate(shared_fd, sizeof *shared))
        broken("memfd");
    map_shared();
}

/* After exec: "resume", the number of the shared memory, of the actor, and of both ends of the post. */
static int resume(char **words)
{
    shared_fd = atoi(words[0]);
    post_fd[0] = atoi(words[2]);
    post_fd[1] = atoi(words[3]);
    file_fd = -1;
    map_shared();
    actor_resume(atoi(words[1]));
    _exit(0);
}

int main(int count, char **words)
{
    stage_path = words[0];
    if (count == 6 && !strcmp(words[1], "resume"))
        return resume(words + 2);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    make_shared();
    make_file();
    for (;;)
        play_program();
}

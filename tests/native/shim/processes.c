/* fork, vfork, exec in all forms, posix_spawn, daemon, and the ways to end: with a connection that must survive. */
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <spawn.h>
#include <sched.h>
#include <sys/syscall.h>

#include "facts.h"

extern char **environ;
static int t[2];
static char buf[64];

static void ended(const char *what, pid_t pid)
{
    int status = -1;
    must(waitpid(pid, &status, 0) == pid, what);
    say(what, WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status));
}

static void got(const char *what)
{
    long n = recv(t[1], buf, 5, MSG_WAITALL);
    say_bytes(what, buf, n);
}

/* What a child does: says its name over the connection. */
static void child(const char *word)
{
    _exit(write(t[0], word, 5) == 5 ? 5 : 6);
}

#ifdef SYS_clone3
enum { TURNS = 400000 };

/* A child made by number is a child: it does not take itself for this thread. */
static void both_send(struct clone_args *how)
{
    int seen[2] = {0};
    pid_t pid = (pid_t)syscall(SYS_clone3, how, sizeof *how);
    for (int i = 0; i < TURNS; i++)
        must(send(t[0], pid ? "p" : "c", 1, 0) == 1, "send");
    if (pid == 0)
        _exit(0);
    ended("clone3", pid);
    while (seen[0] + seen[1] < 2 * TURNS) {
        long n = recv(t[1], buf, sizeof buf, 0);
        must(n > 0, "recv");
        for (long i = 0; i < n; i++)
            seen[buf[i] == 'c']++;
    }
    SAY(seen[0]);
    SAY(seen[1]);
}
#endif

static void forks(void)
{
    pid_t pid = fork();
    if (pid == 0)
        child("fork ");
    ended("fork", pid);
    got("fork");
    pid = _Fork();
    if (pid == 0)
        child("_Fork");
    ended("_Fork", pid);
    got("_Fork");
    pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        child("clone");
    ended("clone", pid);
    got("clone");
#ifdef SYS_clone3
    struct clone_args how = {.exit_signal = SIGCHLD};
    pid = (pid_t)syscall(SYS_clone3, &how, sizeof how);
    if (pid == 0)
        child("three");
    ended("clone3", pid);
    got("clone3");
    both_send(&how);
#endif
}

/* The child that execs: sh writes to the connection by its number. */
static void execs(void)
{
    char script[64], *const env[] = {"WORD=given", NULL};
    snprintf(script, sizeof script, "printf %%s \"${WORD:-plain}\" >&%d", t[0]);
    char *const argv[] = {"sh", "-c", script, NULL};
    for (int form = 0; form < 8; form++) {
        pid_t pid = form == 7 ? vfork() : fork();
        if (pid == 0) {
            switch (form) {
            case 0: execl("/bin/sh", "sh", "-c", script, NULL); break;
            case 1: execle("/bin/sh", "sh", "-c", script, NULL, env); break;
            case 2: execlp("sh", "sh", "-c", script, NULL); break;
            case 3: execv("/bin/sh", argv); break;
            case 4: execve("/bin/sh", argv, env); break;
            case 5: execvp("sh", argv); break;
            case 6: execvpe("sh", argv, env); break;
            default: execve("/bin/sh", argv, env);
            }
            _exit(127);
        }
        ended("exec", pid);
        got("exec");
    }
}

static void exec_by_descriptor(void)
{
    char script[64];
    snprintf(script, sizeof script, "printf fexec >&%d", t[0]);
    char *const argv[] = {"sh", "-c", script, NULL};
    for (int form = 0; form < 2; form++) {
        pid_t pid = fork();
        if (pid == 0) {
            int sh = open("/bin/sh", O_RDONLY | O_CLOEXEC);
            if (form == 0)
                fexecve(sh, argv, environ);
            execveat(AT_FDCWD, "/bin/sh", argv, environ, 0);
            _exit(127);
        }
        ended("fexecve, execveat", pid);
        got("fexecve, execveat");
    }
}

/* A child of vfork closes what it likes; the parent's descriptors stay. */
static void vfork_closes(void)
{
    pid_t pid = vfork();
    if (pid == 0) {
        dup2(t[0], 60);
        close(t[0]);
        close_range(3, 70, 0);
        _exit(0);
    }
    ended("vfork", pid);
    SAY(write(t[0], "alive", 5));
    got("after vfork");
}

static void spawns(void)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    char *const argv[] = {"printf", "spawn", NULL};
    posix_spawn_file_actions_init(&actions);
    SAY(posix_spawn_file_actions_adddup2(&actions, t[0], 1));
    SAY(posix_spawnp(&pid, "printf", &actions, NULL, argv, environ));
    ended("spawn", pid);
    got("spawn");
    SAY(posix_spawn(&pid, "/no/such", NULL, NULL, argv, environ));
    posix_spawn_file_actions_destroy(&actions);
    SAY(system("exit 3") >> 8);
    FILE *p = popen("echo popen", "r");
    SAY(fgets(buf, sizeof buf, p) != NULL);
    SAY(pclose(p));
}

static void at_the_end(void)
{
    write(t[0], "atend", 5);
}

/* Each way to end flushes and sends what it should, and no more. */
static void ends(void)
{
    for (int form = 0; form < 4; form++) {
        int fds[2], n = 0;
        tcp_pair(fds);
        pid_t pid = fork();
        if (pid == 0) {
            t[0] = fds[0];
            FILE *f = fdopen(fds[0], "w");
            fputs("buffered", f);
            atexit(at_the_end);
            at_quick_exit(at_the_end);
            switch (form) {
            case 0: exit(0);
            case 1: _exit(0);
            case 2: quick_exit(0);
            default: syscall(SYS_exit_group, 0);
            }
        }
        close(fds[0]);
        ended("ends", pid);
        for (long r; (r = read(fds[1], buf + n, sizeof buf - (size_t)n)) > 0;)
            n += (int)r;
        say_bytes("its last words", buf, n);
        close(fds[1]);
    }
}

static void *read_for_ever(void *unused)
{
    (void)unused;
    getchar();
    return NULL;
}

/* A thread that reads from a stream holds its lock: exit does not wait for it. */
static void ends_while_a_thread_reads(void)
{
    int fds[2];
    must(pipe(fds) == 0, "pipe");
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t thread;
        dup2(fds[0], 0);
        must(pthread_create(&thread, NULL, read_for_ever, NULL) == 0, "thread");
        usleep(50000);
        alarm(3);
        exit(0);
    }
    ended("a thread reads", pid);
    close(fds[0]);
    close(fds[1]);
}

static void daemons(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        must(daemon(0, 0) == 0, "daemon");
        char here[8] = "";
        must(getcwd(here, sizeof here) && !strcmp(here, "/"), "chdir");
        must(getsid(0) == getpid(), "setsid");
        child("demon");
    }
    ended("daemon", pid);
    got("daemon");
}

int main(void)
{
    tcp_pair(t);
    forks();
    execs();
    exec_by_descriptor();
    vfork_closes();
    spawns();
    daemons();
    ends();
    ends_while_a_thread_reads();
    return 0;
}

/* Streams over sockets: fdopen and what is done with it, dprintf, sockets as standard input and output. */
#include <fcntl.h>
#include <stdarg.h>

#include "facts.h"

static int by_list(int fd, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vdprintf(fd, format, args);
    va_end(args);
    return n;
}

static void lines(void)
{
    int t[2];
    char line[64];
    tcp_pair(t);
    FILE *in = fdopen(t[1], "r"), *out = fdopen(t[0], "w");
    SAY(in != NULL && out != NULL);
    SAY(fileno(in) == t[1]);
    SAY(fileno_unlocked(out) == t[0]);
    SAY(fprintf(out, "line %d\nsecond\n", 1));
    SAY(fflush(out));
    SAY(fgets(line, sizeof line, in) != NULL);
    say_bytes("line", line, (long)strlen(line) - 1);
    SAY(getc(in));
    SAY(fseek(in, 0, SEEK_SET));
    SAY(ftell(out));
    SAY(fputs("unflushed", out) >= 0);
    SAY(fclose(out));
    SAY(fcntl(t[0], F_GETFD));
    SAY(fread(line, 1, 5, in));
    SAY(fread(line, 1, sizeof line, in));
    say_bytes("rest", line, 10);
    SAY(feof(in) != 0);
    SAY(fclose(in));
    SAY(close(t[1]));
}

static void both_ways(void)
{
    int t[2];
    char line[64];
    tcp_pair(t);
    FILE *f = fdopen(t[0], "r+");
    setvbuf(f, NULL, _IOLBF, 0);
    SAY(fputs("ask\n", f) >= 0);
    SAY(read(t[1], line, sizeof line));
    SAY(write(t[1], "answer\n", 7));
    SAY(fgets(line, sizeof line, f) != NULL);
    SAY(fputs("again\n", f) >= 0);
    SAY(read(t[1], line, sizeof line));
    say_bytes("again", line, 5);
    SAY(fdopen(t[1], "q") != NULL);
    SAY(dprintf(t[0], "%s %d", "number", 7));
    SAY(by_list(t[0], "%d", 89));
    wait_for(t[1], 10);
    SAY(read(t[1], line, sizeof line));
    say_bytes("dprintf", line, 10);
    SAY(dprintf(t[0], "%1000d", 5));
    wait_for(t[1], 1000);
    char large[2000];
    SAY(read(t[1], large, sizeof large));
    close(t[1]);
    fclose(f);
}

/* In a child: standard output becomes a socket, and printf reaches it. */
static void standard_output(void)
{
    int t[2];
    char line[64];
    tcp_pair(t);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(t[0], 1);
        printf("from the child\n");
        exit(freopen("/dev/null", "w", stdout) ? 0 : 1);
    }
    close(t[0]);
    SAY(read(t[1], line, sizeof line));
    say_bytes("child", line, 14);
    SAY(read(t[1], line, sizeof line));
    int status = 0;
    waitpid(pid, &status, 0);
    SAY(status);
    close(t[1]);
}

int main(void)
{
    lines();
    both_ways();
    standard_output();
    return 0;
}

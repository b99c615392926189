/* Reads nothing from a pipe's end, as often as asked: what a call costs that is not ours. */
#include "facts.h"

int main(int argc, char **argv)
{
    int p[2];
    char byte;
    must(argc == 2 && pipe(p) == 0, "arguments");
    for (long n = atol(argv[1]); n > 0; n--)
        must(read(p[0], &byte, 0) == 0, "read");
    return 0;
}

/* `core` prints the names of the tests; `core NAME` runs one: status 0 if it holds. */
#include <string.h>
#include <unistd.h>

#include "cases.h"

int main(int argc, char **argv)
{
    const struct test *tables[] = {stream_tests, token_tests, hostile_tests, move_tests,
                                   end_tests,    offer_tests, bell_tests};
    for (size_t t = 0; t < SD_ARRAY_LENGTH(tables); t++) {
        for (const struct test *test = tables[t]; test->name; test++) {
            if (argc < 2) {
                puts(test->name);
                continue;
            }
            if (strcmp(argv[1], test->name) != 0)
                continue;
            alarm(30);
            start();
            test->run();
            return 0;
        }
    }
    return argc < 2 ? 0 : 2;
}

/* The tables of tests; each ends with a NULL name. main.c lists them, or runs one. */
#ifndef CASES_H
#define CASES_H

struct test {
    const char *name;
    void (*run)(void);
};

extern const struct test event_tests[], sleep_tests[], life_tests[], poll_tests[];

#endif

/* The tables of tests; each ends with a NULL name. main.c lists them, or runs one. */
#ifndef CASES_H
#define CASES_H

#include "pair.h"

struct test {
    const char *name;
    void (*run)(void);
};

extern const struct test stream_tests[], token_tests[], hostile_tests[], move_tests[], end_tests[], offer_tests[],
    bell_tests[];

/* helpers.c */
void blocking(int fd, bool on);
void send_all(int fd, const uint8_t *from, size_t n);   /* by the ring or, once it has moved, by the companion */
long receive(int fd, uint8_t *to, size_t n, int flags); /* the same; 0 at the end */
uint8_t byte_at(uint64_t position);                     /* what the tests send at a position of a stream */
void fill_stream(uint8_t *to, uint64_t position, size_t n);
void check_stream(const uint8_t *from, uint64_t position, size_t n);
uint32_t random_below(uint32_t n); /* of this thread; the same in each run */
long processor_ms(void);           /* used by this process */

#endif

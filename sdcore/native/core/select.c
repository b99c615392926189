/* select: sets of descriptors, turned into a list for poll and back. The sets may be longer than FD_SETSIZE: programs
 * that know what they do allocate them.
 */
#include "core/poll.h"

#define SELECT_IN     (POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR)
#define SELECT_OUT    (POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR)
#define SELECT_EXCEPT POLLPRI

enum {
    WORD_BITS = 8 * sizeof(unsigned long),
    LOCAL_FDS = 64,
};

/* The sets as words; NULL where the program gave none. */
struct sets {
    unsigned long *in, *out, *except;
    int n;
};

static unsigned long word_of(const unsigned long *set, int w)
{
    return set ? set[w] : 0;
}

/* Bits at or above n do not count. */
static unsigned long asked_in(const struct sets *sets, int w)
{
    unsigned long any = word_of(sets->in, w) | word_of(sets->out, w) | word_of(sets->except, w);
    int left = sets->n - w * WORD_BITS;
    return left >= WORD_BITS ? any : any & ((1ul << left) - 1);
}

static int words(const struct sets *sets)
{
    return (sets->n + WORD_BITS - 1) / WORD_BITS;
}

static nfds_t count(const struct sets *sets)
{
    nfds_t n = 0;
    for (int w = 0; w < words(sets); w++)
        n += (nfds_t)__builtin_popcountl(asked_in(sets, w));
    return n;
}

static void fill(const struct sets *sets, struct pollfd *list)
{
    for (int w = 0; w < words(sets); w++) {
        for (unsigned long left = asked_in(sets, w); left; left &= left - 1) {
            unsigned long bit = left & -left;
            int events = (word_of(sets->in, w) & bit ? SELECT_IN : 0) | (word_of(sets->out, w) & bit ? SELECT_OUT : 0) |
                         (word_of(sets->except, w) & bit ? SELECT_EXCEPT : 0);
            *list++ = (struct pollfd){.fd = w * WORD_BITS + __builtin_ctzl(bit), .events = (short)events};
        }
    }
}

static bool any_closed(const struct pollfd *list, nfds_t n)
{
    for (nfds_t i = 0; i < n; i++)
        if (list[i].revents & POLLNVAL)
            return true;
    return false;
}

static void clear(const struct sets *sets)
{
    for (int w = 0; w < words(sets); w++) {
        if (sets->in)
            sets->in[w] = 0;
        if (sets->out)
            sets->out[w] = 0;
        if (sets->except)
            sets->except[w] = 0;
    }
}

static long set_bit(unsigned long *set, const struct pollfd *entry, int kind)
{
    if (!set || !(entry->events & entry->revents & kind))
        return 0;
    set[entry->fd / WORD_BITS] |= 1ul << (entry->fd % WORD_BITS);
    return 1;
}

/* Writes the answer into the sets; returns the number of bits. `asked` tells which sets named a descriptor. */
static long answer(const struct sets *sets, const struct pollfd *list, nfds_t n)
{
    long bits = 0;
    clear(sets);
    for (nfds_t i = 0; i < n; i++) {
        const struct pollfd *entry = &list[i];
        if (entry->events & POLLIN)
            bits += set_bit(sets->in, entry, SELECT_IN);
        if (entry->events & POLLOUT)
            bits += set_bit(sets->out, entry, SELECT_OUT);
        bits += set_bit(sets->except, entry, SELECT_EXCEPT);
    }
    return bits;
}

static long run(struct sd_poll *poll, const struct sets *sets, const struct timespec *timeout)
{
    fill(sets, poll->want);
    if (!sd_poll_concerns(poll))
        return SD_PASS;
    long r = sd_poll_deadline(poll, timeout);
    if (r == 0)
        r = sd_poll_run(poll);
    if (r < 0)
        return r;
    if (any_closed(poll->want, poll->n))
        return -EBADF;
    return answer(sets, poll->want, poll->n);
}

static long run_mapped(struct sd_poll *poll, const struct sets *sets, const struct timespec *timeout)
{
    size_t size = poll->n * sizeof *poll->want;
    poll->want = sd_poll_map(size);
    if (!poll->want)
        return -ENOMEM;
    long r = run(poll, sets, timeout);
    sd_poll_unmap(poll->want, size);
    return r;
}

long sd_pselect(int n, fd_set *in, fd_set *out, fd_set *except, const struct timespec *timeout, const sigset_t *mask)
{
    if (sd_g.disabled || n <= 0)
        return SD_PASS;
    /* The kernel cuts n at the size of the descriptor table; above ours no bit can be of a socket of ours. */
    struct sets sets = {
        .in = (unsigned long *)in, .out = (unsigned long *)out, .except = (unsigned long *)except, .n = n};
    if ((uint32_t)n > sd_g.file_count)
        sets.n = (int)sd_g.file_count;
    struct pollfd local[LOCAL_FDS];
    struct sd_poll poll = {.want = local, .n = count(&sets), .exact = true, .mask = mask};
    return poll.n > LOCAL_FDS ? run_mapped(&poll, &sets, timeout) : run(&poll, &sets, timeout);
}

/* Threads of the family: each has a slot in the region, and a number, which tokens name.
 *
 * A slot is free if nobody is in it, or its thread died without leaving. Whether a thread lives is asked of the kernel by
 * the numbers of its process and itself, which mean something in its own PID namespace only: a thread of another one is
 * taken to live, for a living thread declared dead would put two into one token.
 */
#include "core/thread.h"

#include <pthread.h>
#include <sys/stat.h>

#include "core/sys.h"
#include "core/wait.h"

#define PID_BITS 22 /* PID_MAX_LIMIT is 4 Mi */

struct sd_thread sd_nobody = {.busy = {(struct sd_token *)SD_TOKEN_NOBODYS}};
__thread struct sd_thread *sd_self __attribute__((tls_model("initial-exec"))) = &sd_nobody;

#define SPACE_UNKNOWN 1 /* no /proc here */

/* The PID namespace of this process, asked for once after each fork. */
static uint32_t own_space(void)
{
    uint32_t space = sd_load(&sd_g.pid_space);
    if (space)
        return space;
    struct stat about = {.st_ino = SPACE_UNKNOWN};
    bool known = sd_syscall(SYS_newfstatat, AT_FDCWD, "/proc/self/ns/pid", &about, 0, 0, 0) >= 0 && about.st_ino;
    space = known ? (uint32_t)about.st_ino : SPACE_UNKNOWN;
    sd_store(&sd_g.pid_space, space);
    return space;
}

/* PID namespace, process and thread in one word, for who finds the one must find the others. A PID has 22 bits; of the
 * namespace's inode number, which the kernel counts up, the lowest tell it apart. */
uint64_t sd_thread_who(uint32_t pid, uint32_t tid)
{
    return (uint64_t)own_space() << 2 * PID_BITS | (uint64_t)pid << PID_BITS | tid;
}

static bool lives(uint64_t who)
{
    const uint64_t pid_mask = (1u << PID_BITS) - 1;
    if (!who)
        return false;
    if (who >> 2 * PID_BITS != sd_thread_who(0, 0) >> 2 * PID_BITS)
        return true;
    return sd_sys_tgkill((int)(who >> PID_BITS & pid_mask), (int)(who & pid_mask), 0) != -ESRCH;
}

bool sd_thread_is_ours(struct sd_thread *thread)
{
    return sd_load(&thread->who) >> PID_BITS == sd_thread_who(sd_g.pid, 0) >> PID_BITS;
}

bool sd_thread_lives(struct sd_thread *thread)
{
    return lives(sd_load(&thread->who));
}

static pthread_key_t leaving;
static pthread_once_t leaving_once = PTHREAD_ONCE_INIT;

/* A thread ends: its bell and its slot are free again. */
static void detach(void *slot)
{
    struct sd_thread *thread = slot;
    if (thread != sd_self)
        return; /* forked meanwhile: the slot is the parent's */
    struct sd_bell bell = {.fd = thread->bell_fd};
    sd_bell_close(&bell);
    sd_self = &sd_nobody;
    sd_store_release(&thread->who, 0);
}

static void make_key(void)
{
    pthread_key_create(&leaving, detach);
}

static void note_used(uint32_t slot)
{
    _Atomic uint64_t *used = &sd_g.thread_used[slot / 64];
    uint64_t bit = UINT64_C(1) << slot % 64;
    if (!(sd_load(used) & bit))
        atomic_fetch_or(used, bit); /* before the slot is claimed: who looks for the dead must find it */
}

struct sd_thread *sd_thread_next(struct sd_thread *after)
{
    uint32_t slot = after ? (uint32_t)(after - sd_g.threads) + 1 : 0;
    while (slot < SD_THREADS) {
        uint64_t used = sd_load_acquire(&sd_g.thread_used[slot / 64]) >> slot % 64;
        if (used)
            return &sd_g.threads[slot + (uint32_t)__builtin_ctzll(used)];
        slot = (slot / 64 + 1) * 64;
    }
    return NULL;
}

static bool slot_claim(uint32_t slot, uint64_t who)
{
    struct sd_thread *thread = &sd_g.threads[slot];
    uint64_t old = sd_load(&thread->who);
    if (lives(old))
        return false;
    note_used(slot);
    if (!atomic_compare_exchange_strong(&thread->who, &old, who))
        return false;
    thread->id = slot + 1;
    sd_token_disown(thread);
    for (int i = 0; i < SD_INSIDE; i++)
        sd_store(&thread->inside[i], NULL);
    return true;
}

struct sd_thread *sd_thread_attach_first(void)
{
    if (!sd_g.threads)
        return NULL;
    uint32_t tid = (uint32_t)sd_sys_gettid();
    for (uint32_t i = 0; i < SD_THREADS; i++) {
        uint32_t slot = (i + tid) % SD_THREADS;
        if (!slot_claim(slot, sd_thread_who(sd_g.pid, tid)))
            continue;
        struct sd_thread *self = &sd_g.threads[slot];
        self->bell_fd = -1;
        self->bell_name = 0;
        sd_self = self;
        pthread_once(&leaving_once, make_key);
        pthread_setspecific(leaving, self);
        return self;
    }
    return NULL;
}

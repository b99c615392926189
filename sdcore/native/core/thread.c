/* Threads and tokens, the slow paths: attaching a thread, taking a token over, the locked mode. Theory: thread.h. */
#include "core/thread.h"

#include <pthread.h>
#include <string.h>

#include "core/sys.h"
#include "core/wait.h"

#define TAKEOVERS_BEFORE_LOCK  4 /* a token that moved so often is contended: a lock is cheaper than membarriers */
#define SPINS_BEFORE_YIELD     64
#define CLAIMED                0x80000000u /* in owner: this thread takes the token over, but may not be inside yet */
#define NOBODY                 CLAIMED     /* claimed by a thread that is dead */
#define YIELDS_BEFORE_LIVENESS 64          /* then ask whether the holder still lives */

__thread struct sd_thread *sd_self __attribute__((tls_model("initial-exec")));

static bool thread_lives(struct sd_thread *thread)
{
    if (!thread)
        return false;
    uint32_t pid = sd_load(&thread->pid);
    uint32_t tid = sd_load(&thread->tid);
    return tid != 0 && sd_sys_tgkill((int)pid, (int)tid, 0) != -ESRCH;
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
    sd_self = NULL;
    sd_store_release(&thread->tid, 0);
}

static void make_key(void)
{
    pthread_key_create(&leaving, detach);
}

static struct sd_token *unmarked(struct sd_token *token)
{
    return (struct sd_token *)((uintptr_t)token & ~(uintptr_t)3);
}

/* What a dead thread held or was about to hold, now that its number is ours: others shall see that it is dead, for we live,
 * and its number in a token means us from now on. */
static void disown(const struct sd_thread *slot, struct sd_token *token)
{
    uint32_t id = (uint32_t)(slot - sd_g.threads) + 1;
    uint32_t owner = id | CLAIMED, biased = id, lock = id;
    atomic_compare_exchange_strong(&token->owner, &owner, NOBODY);
    atomic_compare_exchange_strong(&token->owner, &biased, NOBODY);
    atomic_compare_exchange_strong(&token->lock, &lock, NOBODY);
}

/* A slot is free if nobody is in it, or its thread died without leaving. */
static bool slot_claim(struct sd_thread *slot, uint32_t tid)
{
    uint32_t old = sd_load(&slot->tid);
    if (old != 0 && thread_lives(slot))
        return false;
    if (!atomic_compare_exchange_strong(&slot->tid, &old, tid))
        return false;
    sd_store(&slot->pid, sd_g.pid);
    for (int b = 0; b < SD_BUSY; b++) {
        struct sd_token *token = unmarked(sd_load(&slot->busy[b]));
        if (token)
            disown(slot, token);
        sd_store_release(&slot->busy[b], NULL); /* after it is disowned: who waits for the dead one goes on now */
    }
    return true;
}

struct sd_thread *sd_thread_attach(void)
{
    if (sd_self)
        return sd_self;
    if (!sd_g.threads)
        return NULL;
    uint32_t tid = (uint32_t)sd_sys_gettid();
    for (uint32_t i = 0; i < SD_THREADS; i++) {
        struct sd_thread *slot = &sd_g.threads[(i + tid) % SD_THREADS];
        if (!slot_claim(slot, tid))
            continue;
        slot->id = (uint32_t)(slot - sd_g.threads) + 1;
        slot->bell_fd = -1;
        slot->bell_name = 0;
        sd_self = slot;
        pthread_once(&leaving_once, make_key);
        pthread_setspecific(leaving, slot);
        return slot;
    }
    return NULL;
}

/* Without membarrier nobody can be asked to give a token up: then it is a lock from the beginning. */
void sd_token_reset(struct sd_token *token)
{
    struct sd_thread *self = sd_thread_attach();
    sd_store(&token->takeovers, 0);
    sd_store(&token->lock, 0);
    sd_store_release(&token->owner, sd_g.no_membarrier ? SD_TOKEN_LOCKED : self ? self->id : 0);
}

static struct sd_thread *thread_by_id(uint32_t id)
{
    return id >= 1 && id <= SD_THREADS ? &sd_g.threads[id - 1] : NULL;
}

/* In locked mode `busy` carries this mark, so that the inline sd_token_leave goes the slow way. */
static struct sd_token *marked(struct sd_token *token)
{
    return (struct sd_token *)((uintptr_t)token | 1);
}

/* A thread on its way to a token carries this mark: it is not inside, but a signal handler of it must not wait for it. */
static struct sd_token *wished(struct sd_token *token)
{
    return (struct sd_token *)((uintptr_t)token | 2);
}

static bool concerns(struct sd_thread *self, struct sd_token *token)
{
    for (int i = 0; i < SD_BUSY; i++)
        if (unmarked(sd_load(&self->busy[i])) == token)
            return true;
    return false;
}

static bool uses(struct sd_thread *thread, struct sd_token *token)
{
    for (int i = 0; i < SD_BUSY; i++) {
        /* acquire: pairs with the release in sd_token_leave, so we see all that the old owner did */
        struct sd_token *used = sd_load_acquire(&thread->busy[i]);
        if (used == token || used == marked(token))
            return true;
    }
    return false;
}

/* Wait until `thread` no longer uses the token; false if it died. */
static bool wait_until_left(struct sd_thread *thread, struct sd_token *token)
{
    for (uint32_t round = 0; uses(thread, token); round++) {
        if (round < SPINS_BEFORE_YIELD)
            sd_cpu_pause();
        else
            sd_sys_yield();
        if (round % YIELDS_BEFORE_LIVENESS == YIELDS_BEFORE_LIVENESS - 1 && !thread_lives(thread))
            return false;
    }
    return true;
}

/* The previous owner died, perhaps while it waited for the one before it: wait for everybody. */
static void wait_until_nobody(struct sd_thread *self, struct sd_token *token)
{
    for (uint32_t i = 0; i < SD_THREADS; i++) {
        struct sd_thread *thread = &sd_g.threads[i];
        if (thread != self && sd_load(&thread->tid))
            wait_until_left(thread, token);
    }
}

/* The lock of a token in locked mode. A dead holder's lock is broken: then true. */
static bool lock_take(struct sd_token *token, uint32_t id)
{
    for (uint32_t round = 0;; round++) {
        uint32_t holder = 0;
        if (atomic_compare_exchange_weak_explicit(&token->lock, &holder, id, memory_order_acquire,
                                                  memory_order_relaxed))
            return false; /* pairs with the release in sd_token_leave_locked */
        if (round < SPINS_BEFORE_YIELD)
            sd_cpu_pause();
        else
            sd_sys_yield();
        if (holder && round % YIELDS_BEFORE_LIVENESS == YIELDS_BEFORE_LIVENESS - 1 &&
            !thread_lives(thread_by_id(holder)) && atomic_compare_exchange_strong(&token->lock, &holder, id))
            return true;
    }
}

/* Swap the owner from `old` to "claimed by us", wait until nobody is inside, then own the token and be inside. */
static bool claim(struct sd_thread *self, uint32_t old, struct sd_token *token, int i)
{
    if (!atomic_compare_exchange_strong(&token->owner, &old, self->id | CLAIMED))
        return false;
    struct sd_thread *previous = thread_by_id(old & ~CLAIMED);
    /* pairs with the compiler fence of sd_token_enter */
    sd_sys_membarrier(sd_g.no_membarrier ? MEMBARRIER_CMD_GLOBAL : MEMBARRIER_CMD_GLOBAL_EXPEDITED);
    if (previous && ((old & CLAIMED) || !wait_until_left(previous, token)))
        wait_until_nobody(self, token);
    sd_token_taken_over(token);
    bool often = atomic_fetch_add(&token->takeovers, 1) >= TAKEOVERS_BEFORE_LOCK;
    if (often)
        sd_store(&token->lock, self->id);
    sd_store(&self->busy[i], often ? marked(token) : token);
    sd_store_release(&token->owner, often ? SD_TOKEN_LOCKED : self->id);
    return true;
}

/* Another thread is about to own the token: let it have its turn. False if it died before. */
static bool await_claim(uint32_t owner, struct sd_token *token)
{
    for (uint32_t round = 0; sd_load_acquire(&token->owner) == owner; round++) {
        sd_sys_yield();
        if (round % YIELDS_BEFORE_LIVENESS == YIELDS_BEFORE_LIVENESS - 1 &&
            !thread_lives(thread_by_id(owner & ~CLAIMED)))
            return false;
    }
    return true;
}

/* The place in `busy` that holds this value; NULL: a free one. */
static int busy_place(struct sd_thread *self, struct sd_token *value)
{
    for (int i = 0; i < SD_BUSY; i++)
        if (sd_load(&self->busy[i]) == value)
            return i;
    return -1;
}

bool sd_token_enter_slow(struct sd_token *token)
{
    struct sd_thread *self = sd_thread_attach();
    if (!self)
        return false;
    int i = busy_place(self, NULL);
    if (i < 0 || concerns(self, token))
        return false; /* a signal handler inside the very operation that it interrupted, or too many handlers deep */
    sd_store(&self->busy[i], wished(token));
    for (;;) {
        uint32_t owner = sd_load_acquire(&token->owner);
        if (owner == SD_TOKEN_LOCKED) {
            bool broken = lock_take(token, self->id);
            sd_store(&self->busy[i], marked(token));
            if (broken)
                sd_token_taken_over(token);
            return true;
        }
        if (owner == self->id) {
            sd_store(&self->busy[i], token);
            sd_compiler_fence(); /* pairs with the membarrier in claim */
            if (sd_load_acquire(&token->owner) == owner)
                return true;
            sd_store_release(&self->busy[i], wished(token));
            continue;
        }
        if ((owner & CLAIMED) && await_claim(owner, token))
            continue;
        if (claim(self, owner, token, i))
            return true;
    }
}

void sd_token_leave_locked(struct sd_token *token)
{
    struct sd_thread *self = sd_self;
    bool locked = false;
    int i = busy_place(self, token);
    if (i < 0) {
        i = busy_place(self, marked(token));
        locked = true;
    }
    assert(i >= 0);
    sd_store_release(&self->busy[i], NULL);
    uint32_t id = self->id;
    if (locked)
        atomic_compare_exchange_strong_explicit(&token->lock, &id, 0, memory_order_release, memory_order_relaxed);
}

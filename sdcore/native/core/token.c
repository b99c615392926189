/* Tokens, the slow path: the driver of the token_owner machine. Theory: sdcore/protocol/token.py, and thread.h.
 *
 * A decision is a step of the machine on a copy of the token's word, published by one swap; if the word has changed
 * meanwhile the driver looks again. What stands in `busy` is written before the swap that makes it count:
 *
 *     token      inside, or trying: whoever sees it with the owner waits
 *     guarded    the same, with signals blocked
 *     wished     in the queue: not inside, but it concerns this thread
 *
 * Queue. A thread that queues keeps its ticket in its own slot, so the queue is the set of slots that name the token, and
 * a waiter that died is a ticket that no living thread has.
 *
 * Signals. A handler may leave by longjmp what it interrupted. From the queue on, until the token is left, signals are
 * blocked: a ticket that a living thread never uses would stop all behind it. Otherwise an abandoned token is found when
 * the thread enters again from the same frame or an outer one, and is then treated as if its owner had died inside.
 */
#include "core/thread.h"

#include <string.h>

#include "core/record.h"
#include "core/sys.h"

#define SPINS_BEFORE_YIELD     64
#define YIELDS_BEFORE_LIVENESS 64   /* then ask whether who we wait for still lives */
#define YIELDS_BEFORE_NAP      4096 /* with no progress at all: somebody is stopped, by a debugger or SIGSTOP */
#define NAP_NS                 1000000
#define STORE_NS               2000000 /* no store stays invisible for so long; where membarrier is forbidden to us */
#define LOST                   SD_NO_ROW

#define FIELD(word, shift, bits) ((word) >> (shift) & ((UINT64_C(1) << (bits)) - 1))

static struct sd_token_owner unpacked(uint64_t word)
{
    return (struct sd_token_owner){
        .state = (uint32_t)FIELD(word, SD_TOKEN_STATE_SHIFT, 2),
        .owner = (uint16_t)FIELD(word, SD_TOKEN_OWNER_SHIFT, 14),
        .takeovers = (uint8_t)FIELD(word, SD_TOKEN_TAKEOVERS_SHIFT, 2),
        .waiters = (uint16_t)FIELD(word, SD_TOKEN_WAITERS_SHIFT, 14),
        .holding = (uint32_t)word,
    };
}

_Static_assert(SD_THREADS < 1 << 14, "numbers of threads and of waiters have 14 bits");

static uint64_t packed(const struct sd_token_owner *m)
{
    assert(m->state < 4 && m->owner <= SD_THREADS && m->takeovers < 4 && m->waiters < 1 << 14);
    return (uint64_t)m->state << SD_TOKEN_STATE_SHIFT | (uint64_t)m->owner << SD_TOKEN_OWNER_SHIFT |
           (uint64_t)m->takeovers << SD_TOKEN_TAKEOVERS_SHIFT | (uint64_t)m->waiters << SD_TOKEN_WAITERS_SHIFT |
           m->holding;
}

/* A step that was taken from `word` on a copy, and its effects: LOST if the word is another one by now. A step that changes
 * nothing is not swapped: what it says holds while the word stands, and it was read after our own `busy` was written. */
static uint32_t publish(struct sd_token *token, uint64_t word, struct sd_token_owner m, uint32_t event, uint32_t arg,
                        uint32_t effects)
{
    const struct sd_token_owner was = unpacked(word);
    assert(effects != SD_NO_ROW);
    uint64_t next = packed(&m);
    if (next == word) {
        sd_record_token(token, &was, &m, event, arg, effects);
        return effects;
    }
    /* release: what this thread wrote to its slot, and what it saw of the owner, is before the new word for all who read
     * it by acquire; acquire: all that was done under the token before is before us */
    if (!atomic_compare_exchange_strong_explicit(&token->word, &word, next, memory_order_acq_rel, memory_order_relaxed))
        return LOST;
    sd_record_token(token, &was, &m, event, arg, effects);
    return effects;
}

/* One step from `word`. */
static uint32_t decide(struct sd_token *token, uint64_t word, uint32_t event, uint32_t arg)
{
    struct sd_token_owner m = unpacked(word);
    uint32_t effects = sd_token_owner_step(&m, event, arg);
    return publish(token, word, m, event, arg, effects);
}

static bool asks_for(uint32_t effects, uint32_t effect)
{
    for (; effects != LOST && effects; effects >>= 8)
        if ((effects & 0xff) == effect)
            return true;
    return false;
}

/* --- what stands in `busy` --- */

static struct sd_token *wished(struct sd_token *token)
{
    return (struct sd_token *)((uintptr_t)token | 1);
}

static struct sd_token *guarded(struct sd_token *token)
{
    return (struct sd_token *)((uintptr_t)token | 2);
}

static struct sd_token *unmarked(struct sd_token *token)
{
    return (struct sd_token *)((uintptr_t)token & ~(uintptr_t)3);
}

static bool concerns(struct sd_thread *thread, struct sd_token *token)
{
    for (int i = 0; i < SD_BUSY; i++)
        if (unmarked(sd_load(&thread->busy[i])) == token)
            return true;
    return false;
}

/* The place in `busy` that holds this value; NULL: a free one. */
static int busy_place(struct sd_thread *self, struct sd_token *value)
{
    for (int i = 0; i < SD_BUSY; i++)
        if (sd_load(&self->busy[i]) == value)
            return i;
    return -1;
}

static bool inside(struct sd_thread *thread, struct sd_token *token)
{
    for (int i = 0; i < SD_BUSY; i++) {
        /* acquire: pairs with the release in sd_token_leave, so we see all that the owner did */
        struct sd_token *busy = sd_load_acquire(&thread->busy[i]);
        if (busy == token || busy == guarded(token))
            return true;
    }
    return false;
}

/* --- the owner, as others see it --- */

enum seen { SEEN_OUTSIDE, SEEN_INSIDE, SEEN_DEAD };

/* A thread has one owner's number at a time, so what is seen of ourselves is that we are not inside: see concerns. */
static enum seen look(struct sd_token *token, uint64_t word, const struct sd_thread *self, bool ask_kernel)
{
    uint32_t id = unpacked(word).owner;
    if (id == self->id)
        return SEEN_OUTSIDE;
    if (id == 0 || id > SD_THREADS)
        return SEEN_DEAD;
    struct sd_thread *owner = &sd_g.threads[id - 1];
    if (!inside(owner, token))
        return SEEN_OUTSIDE;
    return ask_kernel && !sd_thread_lives(owner) ? SEEN_DEAD : SEEN_INSIDE;
}

bool sd_token_abandoned(struct sd_token *token)
{
    struct sd_thread *self = sd_thread_attach();
    return self && look(token, sd_load_acquire(&token->word), self, true) == SEEN_DEAD;
}

/* The asymmetric fence: what any thread of the family stored before this call is visible after it, and what it loads
 * after it sees what we stored before. Pairs with the compiler fence of sd_token_enter. */
static void fence(void)
{
    if (sd_sys_membarrier(sd_g.no_membarrier ? MEMBARRIER_CMD_GLOBAL : MEMBARRIER_CMD_GLOBAL_EXPEDITED) < 0)
        sd_sys_ppoll(NULL, 0, &(struct timespec){.tv_nsec = STORE_NS}, NULL);
}

/* --- the queue --- */

static bool claims(struct sd_thread *thread, struct sd_token *token, uint32_t ticket)
{
    if (!concerns(thread, token))
        return false;
    uint32_t queued = sd_load_acquire(&thread->queued); /* pairs with enqueue */
    return queued == SD_QUEUED_SOON || (queued == SD_QUEUED && sd_load(&thread->ticket) == ticket);
}

/* Who will act on this ticket? The word says that somebody has it, and he showed it, or that he was about to have one,
 * before the word said so. */
static bool abandoned(struct sd_token *token, uint32_t ticket)
{
    for (struct sd_thread *thread = sd_thread_next(NULL); thread; thread = sd_thread_next(thread))
        if (claims(thread, token, ticket) && sd_thread_lives(thread))
            return false;
    return true;
}

/* Before the swap that puts us into the queue. */
static void announce(struct sd_thread *self, struct sd_token *token, int place)
{
    sd_store(&self->queued, SD_QUEUED_SOON);
    sd_store_release(&self->busy[place], wished(token));
}

static void show_ticket(struct sd_thread *self, uint32_t ticket)
{
    sd_store(&self->ticket, ticket);
    sd_store_release(&self->queued, SD_QUEUED); /* pairs with claims */
}

/* We are the first: do what the machine says. True if we are inside. */
static bool take_turn(struct sd_thread *self, struct sd_token *token, int place, uint64_t word, bool ask_kernel)
{
    if (asks_for(decide(token, word, SD_TOKEN_OWNER_EV_MY_TURN, self->id), SD_TOKEN_OWNER_DO_FENCE)) {
        fence();
        decide(token, word, SD_TOKEN_OWNER_EV_FENCED, self->id);
        return false; /* look at the new word */
    }
    enum seen seen = look(token, word, self, ask_kernel);
    if (seen == SEEN_INSIDE)
        return false;
    sd_store(&self->busy[place], guarded(token));
    uint32_t event = seen == SEEN_DEAD ? SD_TOKEN_OWNER_EV_OWNER_DIED : SD_TOKEN_OWNER_EV_IDLE;
    uint32_t effects = decide(token, word, event, self->id);
    if (!asks_for(effects, SD_TOKEN_OWNER_DO_GRANT)) {
        sd_store_release(&self->busy[place], wished(token));
        return false;
    }
    if (asks_for(effects, SD_TOKEN_OWNER_DO_REPAIR))
        sd_token_taken_over(token);
    return true;
}

static void pause_or_yield(uint32_t round)
{
    if (round < SPINS_BEFORE_YIELD && sd_g.cpus > 1)
        sd_cpu_pause();
    else if (round < YIELDS_BEFORE_NAP)
        sd_sys_yield();
    else
        sd_sys_ppoll(NULL, 0, &(struct timespec){.tv_nsec = NAP_NS}, NULL);
}

/* In the queue with a ticket. True if we are inside; false if the queue knows nothing of us any more: the socket became
 * another one, or we were taken for dead. */
static bool await_turn(struct sd_thread *self, struct sd_token *token, int place, uint32_t ticket)
{
    uint64_t before = 0;
    for (uint32_t round = 0;; round++) {
        uint64_t word = sd_load_acquire(&token->word);
        const struct sd_token_owner m = unpacked(word);
        bool ask_kernel = round % YIELDS_BEFORE_LIVENESS == YIELDS_BEFORE_LIVENESS - 1;
        if ((uint32_t)(ticket - m.holding) >= m.waiters)
            return false;
        if (m.holding != (uint32_t)before)
            round = 0; /* it goes on */
        before = word;
        if (ticket == m.holding) {
            if (take_turn(self, token, place, word, ask_kernel))
                return true;
            if (sd_load_acquire(&token->word) != word)
                continue;
        } else if (ask_kernel && abandoned(token, m.holding)) {
            decide(token, word, SD_TOKEN_OWNER_EV_WAITER_DIED, self->id);
            continue;
        }
        pause_or_yield(round);
    }
}

static void block_signals(struct sd_thread *self)
{
    const uint64_t every = UINT64_MAX;
    uint64_t mask;
    sd_sys_sigprocmask(SIG_SETMASK, &every, &mask);
    if (self->guarded++ == 0)
        self->mask = mask;
}

static void unblock_signals(struct sd_thread *self)
{
    uint64_t mask = self->mask;
    if (--self->guarded == 0)
        sd_sys_sigprocmask(SIG_SETMASK, &mask, NULL);
}

/* Stand in line. True if we are inside, with signals blocked; false if we shall ask again. */
static bool queue_up(struct sd_thread *self, struct sd_token *token, int place, uint64_t word, uint32_t event)
{
    const struct sd_token_owner m = unpacked(word);
    bool entered = false;
    block_signals(self);
    announce(self, token, place);
    if (decide(token, word, event, self->id) != LOST) {
        show_ticket(self, m.holding + m.waiters);
        entered = await_turn(self, token, place, m.holding + m.waiters);
    }
    sd_store_release(&self->queued, SD_QUEUED_NOT);
    if (!entered)
        unblock_signals(self);
    return entered;
}

/* --- entering and leaving --- */

/* Ask once. True if we are inside; false if we shall ask again. */
static bool ask(struct sd_thread *self, struct sd_token *token, int place)
{
    sd_store_release(&self->busy[place], token);
    sd_compiler_fence(); /* pairs with the membarrier in fence */
    uint64_t word = sd_load_acquire(&token->word);
    uint32_t event =
        look(token, word, self, false) == SEEN_OUTSIDE ? SD_TOKEN_OWNER_EV_WANT_IDLE : SD_TOKEN_OWNER_EV_WANT;
    struct sd_token_owner m = unpacked(word);
    uint32_t effects = sd_token_owner_step(&m, event, self->id);
    if (asks_for(effects, SD_TOKEN_OWNER_DO_QUEUE))
        return queue_up(self, token, place, word, event);
    effects = publish(token, word, m, event, self->id, effects);
    if (asks_for(effects, SD_TOKEN_OWNER_DO_REPAIR))
        sd_token_taken_over(token);
    return asks_for(effects, SD_TOKEN_OWNER_DO_GRANT);
}

/* Is busy[0] left from a frame that is gone? The stack has been shorter since, or as short: who calls from the frame of a
 * handler calls from a longer one. On a signal stack nobody can tell. */
static bool left_by_longjmp(struct sd_thread *self, uintptr_t frame)
{
    stack_t other = {0};
    if (!sd_load(&self->busy[0]) || sd_syscall(SYS_sigaltstack, NULL, &other, 0, 0, 0, 0) < 0)
        return false;
    if (other.ss_flags & SS_ONSTACK)
        return false;
    bool was_on_other = self->frame - (uintptr_t)other.ss_sp < other.ss_size;
    return was_on_other || frame >= self->frame;
}

static bool enter_at(struct sd_thread *self, struct sd_token *token, int place)
{
    if (place < 0 || concerns(self, token))
        return false; /* a signal handler inside the very operation that it interrupted, or too many handlers deep */
    while (!ask(self, token, place))
        ;
    return true;
}

/* Inside of nothing, as most who enter are. Who has no slot is not free: see sd_nobody. */
static bool is_free(const struct sd_thread *self)
{
    for (int i = 0; i < SD_BUSY; i++)
        if (sd_load(&((struct sd_thread *)self)->busy[i]))
            return false;
    return true;
}

bool sd_token_enter_slow(struct sd_token *token, uintptr_t frame)
{
    if (sd_likely(is_free(sd_self))) {
        sd_self->frame = frame;
        while (!ask(sd_self, token, 0))
            ;
        return true;
    }
    struct sd_thread *self = sd_thread_attach();
    if (!self)
        return false;
    if (left_by_longjmp(self, frame)) {
        sd_token_disown(self);
        self->guarded = 0;
    }
    int place = busy_place(self, NULL);
    if (place == 0)
        self->frame = frame;
    return enter_at(self, token, place);
}

bool sd_token_enter_second(struct sd_token *token)
{
#ifdef SD_WITHOUT_TOKENS
    (void)token;
    return true;
#else
    return enter_at(sd_self, token, busy_place(sd_self, NULL));
#endif
}

void sd_token_leave_slow(struct sd_token *token)
{
    struct sd_thread *self = sd_self;
    int place = busy_place(self, token);
    bool blocked = place < 0;
    if (blocked)
        place = busy_place(self, guarded(token));
    assert(place >= 0);
    sd_store_release(&self->busy[place], NULL); /* pairs with the acquire load in inside */
    if (blocked)
        unblock_signals(self);
}

/* --- sockets and threads that begin --- */

/* It is nobody's until somebody acts: who accepts a connection seldom is who serves it, and a token that has an owner costs
 * the next one a fence. Without membarrier nobody can be asked to give it up: then nobody is biased from the beginning. */
void sd_token_reset(struct sd_token *token)
{
    uint64_t word = sd_load(&token->word);
    struct sd_token_owner was, made, m;
    do {
        was = made = unpacked(word);
        sd_token_owner_step(&made, SD_TOKEN_OWNER_EV_MADE, 0);
        m = made;
        if (sd_g.no_membarrier)
            sd_token_owner_step(&m, SD_TOKEN_OWNER_EV_UNFENCED, 0);
    } while (!atomic_compare_exchange_weak(&token->word, &word, packed(&m)));
    sd_record_token(token, &was, &made, SD_TOKEN_OWNER_EV_MADE, 0, 0);
    if (sd_g.no_membarrier)
        sd_record_token(token, &made, &m, SD_TOKEN_OWNER_EV_UNFENCED, 0, 0);
}

static void lose(struct sd_token *token, uint32_t id)
{
    while (decide(token, sd_load_acquire(&token->word), SD_TOKEN_OWNER_EV_OWNER_LOST, id) == LOST)
        ;
}

void sd_token_disown(struct sd_thread *slot)
{
    for (int i = 0; i < SD_BUSY; i++) {
        struct sd_token *token = sd_load(&slot->busy[i]);
        if (token && token != wished(token))
            lose(unmarked(token), slot->id);
        sd_store_release(&slot->busy[i], NULL); /* after it is lost: who waits for the dead one goes on now */
    }
    sd_store_release(&slot->queued, SD_QUEUED_NOT);
}

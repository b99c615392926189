/* Threads and tokens: who may act on one direction of a socket. The token_owner machine decides; token.c drives it.
 *
 * The owner of a token acts with plain stores: it writes the token's address into its own `busy` word, a compiler fence,
 * and reads the token's word, which must say "held by me". A thread that wants the token changes the word, passes
 * membarrier (so that the owner's `busy` is visible, or the owner sees that it has lost the token), and waits until the
 * owner's `busy` names something else. `busy` is the owner's own word, so a late owner never disturbs the next one.
 * Leaving is a plain store in every state. Works across fork: tokens and thread slots lie in the region.
 * A thread never sleeps with a token in use: it leaves, waits, enters again.
 */
#ifndef SD_THREAD_H
#define SD_THREAD_H

#include "core/state.h"

/* The token's word, from its lowest bit: holding 32, waiters 14, takeovers 2, owner 14, state 2. HELD is state 0, so a
 * shift gives the number of the thread that may enter, and in other states the number of none. */
#define SD_TOKEN_WAITERS_SHIFT   32
#define SD_TOKEN_TAKEOVERS_SHIFT 46
#define SD_TOKEN_OWNER_SHIFT     48
#define SD_TOKEN_STATE_SHIFT     62

_Static_assert(SD_TOKEN_OWNER_HELD == 0, "the fast path compares the word's upper half with a thread's number");

/* Who has no slot is this one, which is always busy: the fast path learns it by the look that it takes anyway. */
extern struct sd_thread sd_nobody;
extern __thread struct sd_thread *sd_self __attribute__((tls_model("initial-exec")));

static inline bool sd_has_slot(void)
{
    return sd_self != &sd_nobody;
}

SD_API struct sd_thread *sd_thread_attach_first(void);     /* gives this thread a slot; NULL if none is free */
SD_API uint64_t sd_thread_who(uint32_t pid, uint32_t tid); /* `who` of a thread of this PID namespace */
SD_API bool sd_thread_is_ours(struct sd_thread *thread);   /* is it one of this process? */
SD_API bool sd_thread_lives(struct sd_thread *thread);
SD_API struct sd_thread *
sd_thread_next(struct sd_thread *after); /* of those ever used; NULL: no more. From NULL: the first */

/* This thread's slot, given now if it has none; NULL if none is free. */
static inline struct sd_thread *sd_thread_attach(void)
{
    return sd_likely(sd_has_slot()) ? sd_self : sd_thread_attach_first();
}

SD_API bool sd_token_enter_slow(struct sd_token *token, uintptr_t frame); /* frame: stack pointer of who enters */
SD_API bool sd_token_enter_second(struct sd_token *token); /* by a thread that is inside of another one already */
SD_API void sd_token_leave_slow(struct sd_token *token);
SD_API bool sd_token_abandoned(struct sd_token *token);  /* who was inside died there, and nobody has taken it since */
SD_API void sd_token_taken_over(struct sd_token *token); /* peer.c: who was inside died there */
SD_API void sd_token_reset(struct sd_token *token);      /* of a fresh socket: nobody owns it */
/* What this slot was inside of was left in the middle: its thread died, or left it by longjmp. */
SD_API void sd_token_disown(struct sd_thread *slot);

/* Notes the stack pointer of the caller, as one store. */
static inline void sd_note_frame(uintptr_t *frame)
{
#if defined(__x86_64__)
    __asm__ volatile("mov %%rsp, %0" : "=m"(*frame));
#elif defined(__aarch64__)
    uintptr_t sp;
    __asm__ volatile("mov %0, sp" : "=r"(sp));
    *frame = sp;
#endif
}

typedef uintptr_t __attribute__((may_alias)) sd_own_word;

/* Enters by plain loads and stores, as the owner does; NULL if this thread is not the owner, or is inside of a token
 * already. Of the word the upper 16 bits alone are read, for one instruction less: both processors that we know are
 * little-endian and order accesses of different size to one place. `busy` is written by its own thread alone. */
static inline struct sd_thread *sd_token_enter_fast(struct sd_token *token)
{
#ifdef SD_WITHOUT_TOKENS /* a build to measure against: see the option `tokens` */
    (void)token;
    return &sd_nobody;
#else
    struct sd_thread *self = sd_self;
    if (sd_unlikely(*(sd_own_word *)(void *)&self->busy[0]))
        return NULL;
    sd_note_frame(&self->frame);
    sd_store(&self->busy[0], token);
    sd_compiler_fence(); /* pairs with the membarrier in token.c */
    /* acquire: pairs with the release of the swap that made us the owner */
    uint32_t holder = sd_load_acquire(&token->part[SD_TOKEN_OWNER_SHIFT / 16]);
    if (sd_likely(holder == self->id))
        return self;
    sd_store_release(&self->busy[0], NULL);
    return NULL;
#endif
}

/* Leaves what sd_token_enter_fast entered. */
static inline void sd_token_leave_fast(struct sd_thread *self)
{
#ifdef SD_WITHOUT_TOKENS
    (void)self;
#else
    sd_store_release(&self->busy[0], NULL); /* pairs with the acquire load of a thread that takes over */
#endif
}

/* As sd_token_enter, for who has seen that sd_token_enter_fast does not do. */
static inline bool sd_token_enter_in_turn(struct sd_token *token)
{
    uintptr_t frame;
    sd_note_frame(&frame);
    return sd_token_enter_slow(token, frame);
}

/* Enter: afterwards this thread alone acts. False if no thread slot can be had. */
static inline bool sd_token_enter(struct sd_token *token)
{
    return sd_likely(sd_token_enter_fast(token)) || sd_token_enter_in_turn(token);
}

static inline void sd_token_leave(struct sd_token *token)
{
#ifdef SD_WITHOUT_TOKENS
    (void)token;
#else
    struct sd_thread *self = sd_self;
    if (sd_likely(sd_load(&self->busy[0]) == token))
        sd_token_leave_fast(self);
    else
        sd_token_leave_slow(token);
#endif
}

#endif

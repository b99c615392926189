/* Threads and tokens: who may act on one direction of a socket.
 *
 * A token is biased ownership. Its owner acts with plain stores: it writes the token's address into its own `busy` word,
 * a compiler fence, and reads `owner`. A thread that wants the token swaps `owner`, passes membarrier (so that the old
 * owner's `busy` is visible, or the old owner sees that it has lost the token), and waits until the old owner's `busy`
 * names something else. `busy` is the owner's own word, so a late owner never disturbs the next one.
 * A token that changes hands often goes over to a lock for good (`owner` == SD_TOKEN_LOCKED): one exchange per use, no
 * membarrier. Works across fork: tokens and thread slots lie in the region.
 * A holder never sleeps with a token in use: it leaves, waits, enters again.
 */
#ifndef SD_THREAD_H
#define SD_THREAD_H

#include "core/state.h"

#define SD_TOKEN_LOCKED UINT32_MAX

extern __thread struct sd_thread *sd_self __attribute__((tls_model("initial-exec")));

SD_API struct sd_thread *sd_thread_attach(void); /* gives this thread a slot; NULL if none is free */
SD_API bool sd_token_enter_slow(struct sd_token *token);
SD_API void sd_token_leave_locked(struct sd_token *token);
SD_API void sd_token_taken_over(struct sd_token *token); /* peer.c: the holder before may have died in the middle */
SD_API void sd_token_reset(struct sd_token *token);      /* a fresh socket: the calling thread owns it */

/* Enter: afterwards this thread alone acts. False if no thread slot can be had. */
static inline bool sd_token_enter(struct sd_token *token)
{
    struct sd_thread *self = sd_self;
    if (sd_likely(self && !sd_load(&self->busy[0]))) {
        sd_store(&self->busy[0], token);
        sd_compiler_fence(); /* pairs with the membarrier of sd_token_enter_slow */
        if (sd_likely(sd_load_acquire(&token->owner) == self->id))
            return true;
        sd_store_release(&self->busy[0], NULL);
    }
    return sd_token_enter_slow(token);
}

static inline void sd_token_leave(struct sd_token *token)
{
    struct sd_thread *self = sd_self;
    if (sd_likely(sd_load(&self->busy[0]) == token)) {
        sd_store_release(&self->busy[0], NULL); /* pairs with the acquire load of a thread that takes over */
        return;
    }
    sd_token_leave_locked(token);
}

#endif

/* The log of a run, for the recording variant of the library (SD_RECORD). In the ordinary one each of these is nothing, and
 * machines.h means what it says: not one instruction more. */
#ifndef SD_CORE_RECORD_H
#define SD_CORE_RECORD_H

#include "core/state.h"

#ifdef SD_RECORD

SD_API void sd_record_open(void); /* from sd_init: the log that SDCORE_RECORD names, if it does */
SD_API void sd_record_fork_child(void);
SD_API void sd_record_end(void); /* this process leaves in order */
SD_API void sd_record_renumbered(int old_fd, int new_fd);
SD_API void sd_record_bind(const struct sd_socket *s);       /* its machines belong to the connection of its slot, */
SD_API void sd_record_bind_offer(const struct sd_socket *s); /* and so does the one that made the offer, or took it */
/* A step of a token that was published, or changes nothing. */
SD_API void sd_record_token(const struct sd_token *token, const struct sd_token_owner *was,
                            const struct sd_token_owner *is, uint32_t event, uint64_t arg, uint32_t effects);
#define SD_RECORD_REPAIRED(machine, m) sd_##machine##_set_recorded(m) /* a repair has set the machine's registers */

#else

static inline void sd_record_open(void)
{
}
static inline void sd_record_fork_child(void)
{
}
static inline void sd_record_end(void)
{
}
static inline void sd_record_renumbered(int old_fd, int new_fd)
{
    (void)old_fd, (void)new_fd;
}
static inline void sd_record_bind(const struct sd_socket *s)
{
    (void)s;
}
static inline void sd_record_bind_offer(const struct sd_socket *s)
{
    (void)s;
}
static inline void sd_record_token(const struct sd_token *token, const struct sd_token_owner *was,
                                   const struct sd_token_owner *is, uint32_t event, uint64_t arg, uint32_t effects)
{
    (void)token, (void)was, (void)is, (void)event, (void)arg, (void)effects;
}
#define SD_RECORD_REPAIRED(machine, m) ((void)(m))

#endif
#endif

/* The functions of libc that stand behind the shim's: libc.send(...) is the original send.
 *
 * Callable at any time, also before our constructor ran: each pointer begins as a stub that looks all of them up and
 * then calls the original. A function that this libc does not have answers ENOSYS.
 */
#ifndef SD_SHIM_LIBC_H
#define SD_SHIM_LIBC_H

#include "shim/shim.h"

#define X(ret, name, params, args) ret(*name) params;
#define V(ret, name, params)       ret(*name) params;
struct sd_libc {
#include "shim/calls.def"
};
#undef X
#undef V

extern struct sd_libc libc SD_API;

/* Looks all originals up. May run more than once and in several threads at a time: the results are the same. */
SD_API void sd_libc_fill(void);

#endif

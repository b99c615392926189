/* A process that is about to give up access (another user, another root directory, another network namespace) and serves
 * a listening socket attaches first: afterwards it could not reach its monitor any more. A server that forks workers
 * which then drop to another user, as nginx does, is known to the monitor by who it was.
 */
#include "core/api.h"
#include "core/control_impl.h"

void sd_before_losing_access(void)
{
    if (!sd_g.region || sd_in_vfork_child())
        return;
    uint64_t mask;
    sd_control_enter(&mask);
    if (sd_listeners_any())
        sd_attached();
    sd_control_leave(&mask);
}

/* A descriptor of ours makes way: the program asks for its number by dup2.
 *
 * The copy lives on at another number; every place that names the old one is told. The old descriptor stays open until
 * the program's dup2 replaces it, so that a thread which is about to use the old number still finds ours there.
 */
#include "core/api.h"
#include "core/blocked.h"
#include "core/control.h"
#include "core/epoll.h"
#include "core/record.h"
#include "core/sys.h"
#include "core/thread.h"

static long copy_hidden(int fd)
{
    long copy = sd_sys_fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return copy < 0 ? copy : sd_hide((int)copy);
}

static void renumber_bells(int old_fd, int new_fd)
{
    for (int which = 0; which < SD_RINGERS; which++) {
        int32_t out = old_fd;
        atomic_compare_exchange_strong(&sd_g.ringer_fd[which], &out, new_fd);
    }
    for (struct sd_thread *thread = sd_thread_next(NULL); thread; thread = sd_thread_next(thread))
        if (sd_thread_is_ours(thread) && thread->bell_fd == old_fd)
            thread->bell_fd = new_fd;
}

long sd_rehide(int fd)
{
    long moved = copy_hidden(fd);
    if (moved < 0)
        return moved;
    if (sd_g.region_fd == fd)
        sd_g.region_fd = (int32_t)moved;
    renumber_bells(fd, (int)moved);
    sd_control_renumbered(fd, (int)moved);
    sd_epoll_renumbered(fd, (int)moved);
    sd_record_renumbered(fd, (int)moved);
    sd_kept_renumbered(fd, (int)moved);
    sd_store_release(&sd_g.files[fd].kind, SD_FILE_NONE);
    return 0;
}

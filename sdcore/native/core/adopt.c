/* Listening sockets that come from elsewhere.
 *
 * A listening socket that nobody here called listen() for came by exec, by socket activation, or over a Unix socket. It is
 * adopted when the program first accepts at it, for only then is it clear who serves there: a shell or a manager may hold
 * it too. What came before that is plain TCP.
 */
#include <netinet/in.h>

#include "core/api.h"
#include "core/control_impl.h"

static int option_of(int fd, int name)
{
    int value = 0;
    socklen_t len = sizeof value;
    return sd_sys_getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 ? -1 : value;
}

/* The family, if the descriptor is a socket of TCP, or a stream of AF_UNIX; else 0. */
static int family_of_stream(int fd)
{
    int protocol = option_of(fd, SO_PROTOCOL), family = protocol < 0 ? 0 : option_of(fd, SO_DOMAIN);
    if (protocol == IPPROTO_TCP)
        return family;
    return family == AF_UNIX && option_of(fd, SO_TYPE) == SOCK_STREAM ? family : 0;
}

/* Two threads may accept at the same descriptor. */
static struct sd_socket *adopt_once(int fd, int family)
{
    uint64_t mask;
    sd_control_enter(&mask);
    struct sd_socket *s = sd_socket_of(fd);
    if (!s && (s = sd_new_socket(fd, family)))
        sd_show_socket(fd, s);
    sd_control_leave(&mask);
    return s;
}

bool sd_adopt_listener(int fd)
{
    if ((uint32_t)fd >= sd_g.file_count || sd_load(&sd_g.files[fd].kind) != SD_FILE_NONE)
        return false;
    int family = family_of_stream(fd);
    if (family <= 0 || !adopt_once(fd, family))
        return false;
    sd_listening(fd);
    return true;
}

/* TCP_INFO: what the kernel says of the companion, with what went by the rings put in.
 *
 * Times, windows and sizes of segments are the companion's own, as the handshake left them. Bytes that lie in the ring
 * within the peer's receive buffer count as sent, acknowledged and received: TCP would have carried them there. Segments
 * are counted as if every one but the last had been full.
 */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>

#include "core/api.h"
#include "core/buffers.h"
#include "core/peer.h"
#include "core/ring.h"
#include "core/sys.h"

/* The states of RFC 9293 by the kernel's numbers, as this end would have reached them. */
enum { ESTABLISHED = 1, FIN_WAIT1 = 4, FIN_WAIT2 = 5, CLOSE = 7, CLOSE_WAIT = 8 };

struct moved_bytes {
    uint64_t sent, unsent, received;
};

static uint8_t state_of(const struct sd_socket *s, uint64_t unsent)
{
    switch (SD_STATE_OF(&s->teardown)) {
    case SD_TEARDOWN_OPEN: return ESTABLISHED;
    case SD_TEARDOWN_LOCAL_SHUT: return unsent ? FIN_WAIT1 : FIN_WAIT2;
    case SD_TEARDOWN_PEER_SHUT:
    case SD_TEARDOWN_DEAF: return CLOSE_WAIT;
    default: return CLOSE;
    }
}

static struct moved_bytes bytes_of(struct sd_socket *s, int fd)
{
    struct moved_bytes by = {sd_load(&s->rec.ring_sent_bytes), 0, sd_load(&s->rec.ring_received_bytes)};
    if (!sd_mode_uses_ring(sd_load(&s->mode)))
        return by; /* as they were when it moved */
    long unsent = sd_unsent_bytes(fd);
    by.sent = sd_own_tail(s);
    by.unsent = unsent > 0 ? (uint64_t)unsent : 0;
    by.received = sd_own_head(s) + sd_min_u64(sd_load_acquire(&s->rx.dir->p.tail) - sd_own_head(s), SD_RING_BYTES);
    return by;
}

static uint32_t segments(uint64_t bytes, uint32_t size)
{
    return size ? (uint32_t)((bytes + size - 1) / size) : 0;
}

static void put_in(struct tcp_info *info, struct moved_bytes by)
{
    uint32_t out = segments(by.sent - by.unsent, info->tcpi_snd_mss), in = segments(by.received, info->tcpi_rcv_mss);
    info->tcpi_bytes_sent += by.sent - by.unsent;
    info->tcpi_bytes_acked += by.sent - by.unsent;
    info->tcpi_bytes_received += by.received;
    info->tcpi_notsent_bytes += (uint32_t)by.unsent;
    info->tcpi_data_segs_out += out;
    info->tcpi_data_segs_in += in;
    info->tcpi_segs_out += out + in; /* each has its acknowledgement */
    info->tcpi_segs_in += out + in;
    info->tcpi_delivered += out;
}

long sd_tcp_info(int fd, void *value, socklen_t *len)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    struct sd_socket *s = sd_socket_of(fd);
    if (!s || s->family == AF_UNIX || sd_load(&s->rec.state) != SD_SOCK_ESTABLISHED)
        return SD_PASS;
    sd_look_now_and_then(s, fd);
    bool rings = sd_mode_uses_ring(sd_load(&s->mode));
    if (rings && sd_load(&s->rx.dir->p.flags))
        sd_peer_settle(s);
    long r = sd_sys_getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size);
    if (r < 0)
        return r;
    struct moved_bytes by = bytes_of(s, fd);
    put_in(&info, by);
    if (rings && info.tcpi_state == ESTABLISHED)
        info.tcpi_state = state_of(s, by.unsent);
    *len = (socklen_t)sd_min_u64(*len, size);
    memcpy(value, &info, *len);
    return 0;
}

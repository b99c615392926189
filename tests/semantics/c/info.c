/* TCP_INFO and the lengths of queues. */
#include "harness.h"

#include <linux/sockios.h>

/* The C library's structure, and what newer kernels tell behind it. */
struct info {
    struct tcp_info old;
    uint64_t pacing_rate, max_pacing_rate;
    uint64_t bytes_acked, bytes_received;
    uint32_t segs_out, segs_in;
    uint32_t notsent_bytes, min_rtt, data_segs_in, data_segs_out;
};

static struct info info_of(int fd)
{
    struct info about = {0};
    socklen_t size = sizeof about;

    MUST(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &about, &size));
    return about;
}

static int queued(int fd, unsigned long request)
{
    int value = -1;

    return ioctl(fd, request, &value) ? -1 : value;
}

#define NOT_SENT_YET 0x894b /* SIOCOUTQNSD */

SCENARIO(tcp_info_counts_bytes, RING)
{
    int fd = pair();
    struct info before = info_of(fd);

    SHOW(send_all(fd, 0, 100000));
    SHOW_PEER(peer(OP_RECV, 100000));
    SHOW_PEER(peer(OP_SEND, 30000));
    await_queued(fd, 30000);
    sleep_ms(20);
    struct info after = info_of(fd);
    SHOW(after.bytes_acked - before.bytes_acked);
    SHOW(after.bytes_received - before.bytes_received);
    SHOW_BOOL(after.segs_out > before.segs_out && after.segs_in > before.segs_in);
    SHOW_BOOL(after.data_segs_out > 0 && after.data_segs_in > 0);
    SHOW_BOOL(after.old.tcpi_rtt > 0 && after.old.tcpi_rtt < 100000 && after.old.tcpi_snd_mss > 500 &&
              after.old.tcpi_snd_cwnd > 0);
    SHOW(after.notsent_bytes);
    SHOW(after.old.tcpi_unacked + after.old.tcpi_lost + after.old.tcpi_retransmits);
    SHOW(queued(fd, SIOCINQ));
    SHOW(queued(fd, SIOCOUTQ));
    SHOW(queued(fd, NOT_SENT_YET));
}

SCENARIO(tcp_info_counts_what_is_not_sent, RING)
{
    int fd = pair();
    struct info before = info_of(fd);
    long put = fill_until_full(fd, 0);

    sleep_ms(50);
    struct info about = info_of(fd);
    long acked = (long)(about.bytes_acked - before.bytes_acked);
    SHOW_BOOL(about.notsent_bytes > 100000);
    SHOW_BOOL(acked > 10000 && acked < put);
    SHOW_BOOL(acked + (long)about.notsent_bytes == put);
    SHOW_BOOL(queued(fd, SIOCOUTQ) == (int)about.notsent_bytes);
    SHOW_BOOL(queued(fd, NOT_SENT_YET) == (int)about.notsent_bytes);
    SHOW(peer(OP_RECV, put).result == put);
    sleep_ms(50);
    SHOW(queued(fd, SIOCOUTQ));
    SHOW(queued(fd, NOT_SENT_YET));
    SHOW(info_of(fd).notsent_bytes);
    SHOW(info_of(fd).bytes_acked - before.bytes_acked == (unsigned long)put);
}

SCENARIO(tcp_info_tells_each_state, ANY)
{
    int fd = pair_index(0);

    SHOW(info_of(fd).old.tcpi_state);
    SHOW(shutdown(fd, SHUT_WR));
    sleep_ms(30);
    SHOW(info_of(fd).old.tcpi_state);
    SHOW_PEER(peer(OP_SHUTDOWN, SHUT_WR));
    sleep_ms(30);
    SHOW(info_of(fd).old.tcpi_state);
    close(fd);
    fd = pair_index(1);
    SHOW_PEER(order_run((struct order){.op = OP_SHUTDOWN, .index = 1, .arg = SHUT_WR}));
    sleep_ms(30);
    SHOW(info_of(fd).old.tcpi_state);
    close(fd);
    fd = pair_index(2);
    SHOW_PEER(order_run((struct order){.op = OP_RESET, .index = 2}));
    sleep_ms(30);
    SHOW(info_of(fd).old.tcpi_state);
    socklen_t size = 1;
    char state = 0;
    SHOW(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &state, &size));
    SHOW(state * 100 + (long)size);
}

SCENARIO(tcp_info_of_half_closed_with_bytes_under_way, RING)
{
    int fd = pair();

    fill_until_full(fd, 0);
    SHOW(shutdown(fd, SHUT_WR));
    SHOW(info_of(fd).old.tcpi_state);
}

/* Generated from sdcore/protocol/layout.py and messages.py. Change that, then run: nox -s gen
 * What processes share: memory and packets.
 */
#ifndef SD_GENERATED_LAYOUT_H
#define SD_GENERATED_LAYOUT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define SD_LAYOUT_VERSION 7u /* Changes with every layout; processes of different versions use kernel TCP. */
#define SD_SLAB_MAGIC 1396986673u /* First word of a slab. */
#define SD_REGION_MAGIC 1396986417u /* First word of a region. */
#define SD_STATUS_MAGIC 1396985905u /* First word of a status page. */
#define SD_SLOTS 256u /* Connections in a slab. */
#define SD_RING_BYTES 2097152u /* Capacity of one direction; a power of two. */
#define SD_FRONT_BYTES 2112u /* The first bytes of a ring: they lie densely, those of all connections together. */
#define SD_RECEIVE_BUFFER_BYTES 131072u /* What a consumer holds if the program chose only the producer's buffer. */
#define SD_ELSEWHERE_LOOK_NS 5000000u /* The same where a ring may come from a namespace in which it is not heard. */
#define SD_SLEEPER_LOOK_NS 1000000000u /* Who sleeps on a connection looks again so often, unasked. */
#define SD_OFFER_TIMEOUT_NS 1000000000u /* How long a pending server waits, or an offer out of the backlog. */
#define SD_OFFER_PATIENCE 60u /* So many times as long an offer waits for a server that has said that it looks for it. */
#define SD_OFFER_LOOK_NS 250000000u /* How often a client looks whether its offer's connection is in the backlog. */
#define SD_HINT_TTL 243u /* TTL (hop limit) of the SYN of a client that will make an offer. */
#define SD_PORTS 65536u /* Entries of the slab's table from client port to slot. */
#define SD_DOORBELLS 64u /* Epoll sets of one side that may watch connections of one slab. */
#define SD_SLEEPERS 4u /* Threads that may block on one direction of one connection at a time. */
#define SD_SOCKETS 65536u /* Socket objects in a region. */
#define SD_SOCKET_BYTES_MAX 2048u /* Of a socket object, what the library keeps for itself included. */
#define SD_THREADS 8192u /* Threads of a family that may use sockets. */
#define SD_REASONS 32u /* Size of the table of reasons for not being accelerated. */
#define SD_OFFER_STATES 8u
#define SD_OFFER_FREE 0u
#define SD_OFFER_OFFERED 1u
#define SD_OFFER_ACCEPTED 2u
#define SD_OFFER_WITHDRAWN 3u
#define SD_OFFER_CLAIMED 4u /* The client has taken the slot and fills it in. */
#define SD_PORT_EMPTY 0u /* No offer; a slot s is entered as s + 1. */
#define SD_PORT_PENDING 65534u /* A server has accepted the connection, and looks here for its offer. */
#define SD_PORT_DECLINED 65535u /* The server gave up waiting; the client stays on TCP. */
#define SD_TX_FIN 1u /* No byte follows tail. */
#define SD_TX_RESET 2u /* The producer reset the connection. */
#define SD_TX_MOVED 4u /* Bytes after tail come over the companion. */
#define SD_TX_CLOSED 8u /* The producer's side is closed for both directions. */
#define SD_RX_CLOSED 1u /* The consumer will not read any more. */
#define SD_RX_ABANDONED 2u /* The consumer left at head; send the rest over the companion. */
#define SD_RX_FORWARDING 4u /* The consumer puts bytes of the ring on the companion: let nothing overtake them. */
#define SD_RX_SEEN_MOVED 8u /* Set by the producer after TX_MOVED: what stood here before says who sends what is unread. */
#define SD_RX_SEEN_CLOSED 16u /* Set by the producer after TX_CLOSED, for the same reason. */
#define SD_RX_DEAF 32u /* The consumer shut both directions and lives on: what comes resets the connection. */
#define SD_RX_AWAY 64u /* The consumer reads the companion, and looks here when that is empty. */
#define SD_ARM_WATCHED 1u
#define SD_ARM_SLEEPER 2u
#define SD_ARM_MOVE 4u
#define SD_ARM_NAP 8u /* Threads sleep on this very word, by futex. */
#define SD_ARM_POKE 256u /* Alone in its byte, so that the monitor sets it by a plain store of one byte. */
#define SD_ARM_DRAIN 65536u /* M: as ARM_MOVE, asked for by an administrator; alone in its byte, too. */
#define SD_READY_NEWS 1u /* Set by the peer, who tells when: told_at. Of who finds it set, older news waits. */
#define SD_READY_LOOK 2u /* Set by anybody: whoever watches shall look, though nothing may have come. */
#define SD_REVOKED_CLOSED 1u /* Make no new offers here. */
#define SD_REVOKED_DRAINED 2u /* Nor go on here: what is established moves to the companion. */
#define SD_MSG_HELLO 1u /* body HELLO, fd: region. Reply: WELCOME, fd: status page. */
#define SD_MSG_LISTEN 2u /* no body, fd: the listening socket. Reply: LISTENER. */
#define SD_MSG_UNLISTEN 3u /* body LISTENER. Reply: no body. */
#define SD_MSG_LEASE 4u /* body DESTINATION, fd: the socket that will connect. Reply: LEASE, fd: slab. */
#define SD_MSG_LEASES_OF 5u /* body AFTER, fd: the listening socket. Reply: LEASE (lease_id 0: no more), fd: slab. */
#define SD_MSG_STATUS 6u /* no body. Reply: no body, fd: memfd with JSON. */
#define SD_MSG_SOCKETS 7u /* no body. Reply: no body, fd: memfd with JSON. */
#define SD_MSG_STOP 8u /* no body. Reply: no body; then the monitor ends. */
#define SD_MSG_CARRY 9u /* body CARRY, fd: a TCP connection. Reply: no body. The bytes of the ring are sent there, then it is closed; with a second connection as fd, what either brings goes on to the other. */
#define SD_MSG_KEEP 10u /* body KEPT, fd: a TCP connection that stands in for another one. Reply: no body. */
#define SD_MSG_KEPT 11u /* body KEPT. Reply: no body, fd: what this family had kept under the number. */
#define SD_MSG_LET_GO 12u /* body KEPT. Reply: no body. Nobody of the family needs it any more. */
#define SD_MSG_DRAIN 13u /* body DRAIN. Reply: no body, fd: memfd with JSON. Asked again, it tells how far it is. */
#define SD_MSG_JOIN 14u /* body JOIN, fd: a TCP connection. Reply: LEASE (lease_id 0: wait for the mark), fd: slab. */
#define SD_STATUS_OK 0u
#define SD_STATUS_DENIED 1u /* reason says why, as a REASON_*. */
#define SD_STATUS_BAD 2u /* The request was malformed or its descriptor is not what it should be. */
#define SD_HELLO_MEMBARRIER 1u /* Capability bit: membarrier(GLOBAL_EXPEDITED) is registered. */
#define SD_SLAB_RINGS_OFFSET 1380352u /* First ring in a slab; ring d of slot s is number 2 * s + d. */
#define SD_SLAB_BYTES 1075122176u /* Size of a whole slab. */

enum sd_sock_state {
    SD_SOCK_NEW = 0,
    SD_SOCK_LISTENING = 1,
    SD_SOCK_CONNECTING = 2,
    SD_SOCK_ESTABLISHED = 3,
    SD_SOCK_CLOSING = 4,
    SD_SOCK_CLOSED = 5,
};
#define SD_SOCK_COUNT 6u
__attribute__((unused)) static const char *const sd_sock_state_name[6] = {
    "new",
    "listening",
    "connecting",
    "established",
    "closing",
    "closed",
};

enum sd_transport {
    SD_TRANSPORT_NONE = 0,
    SD_TRANSPORT_SHM = 1,
    SD_TRANSPORT_TCP = 2,
    SD_TRANSPORT_RDMA = 3,
};
#define SD_TRANSPORT_COUNT 4u
__attribute__((unused)) static const char *const sd_transport_name[4] = {
    "none",
    "shm",
    "tcp",
    "rdma",
};

enum sd_reason {
    SD_REASON_ACCELERATED = 0,
    SD_REASON_NEW = 1,
    SD_REASON_NO_MONITOR = 2,
    SD_REASON_PEER_PLAIN = 3,
    SD_REASON_PEER_REMOTE = 4,
    SD_REASON_NOT_LOCAL = 5,
    SD_REASON_POLICY = 6,
    SD_REASON_NO_SLOT = 7,
    SD_REASON_NO_MEMORY = 8,
    SD_REASON_SLOW_CONNECT = 9,
    SD_REASON_OFFER_TIMEOUT = 10,
    SD_REASON_PORT_CLASH = 11,
    SD_REASON_MOVED_OOB = 12,
    SD_REASON_MOVED_EXEC = 13,
    SD_REASON_MOVED_SPLICE = 14,
    SD_REASON_MOVED_PASSED = 15,
    SD_REASON_MOVED_PEER = 16,
    SD_REASON_VERSION = 17,
    SD_REASON_REVOKED = 18,
    SD_REASON_VIOLATION = 19,
    SD_REASON_NOT_TCP = 20,
    SD_REASON_DISABLED = 21,
    SD_REASON_DOORBELLS = 22,
    SD_REASON_CLOSED_EARLY = 23,
    SD_REASON_MAPPED_ADDRESS = 24,
    SD_REASON_MOVED_OPTION = 25,
    SD_REASON_MOVED_STDIO = 26,
    SD_REASON_MOVED_SIGNAL = 27,
    SD_REASON_DRAINED = 28,
    SD_REASON_HANDED_ON = 29,
    SD_REASON_CAME_BACK = 30,
    SD_REASON_NAMED = 31,
};
#define SD_REASON_COUNT 32u
__attribute__((unused)) static const char *const sd_reason_name[32] = {
    "accelerated",
    "new",
    "no_monitor",
    "peer_plain",
    "peer_remote",
    "not_local",
    "policy",
    "no_slot",
    "no_memory",
    "slow_connect",
    "offer_timeout",
    "port_clash",
    "moved_oob",
    "moved_exec",
    "moved_splice",
    "moved_passed",
    "moved_peer",
    "version",
    "revoked",
    "violation",
    "not_tcp",
    "disabled",
    "doorbells",
    "closed_early",
    "mapped_address",
    "moved_option",
    "moved_stdio",
    "moved_signal",
    "drained",
    "handed_on",
    "came_back",
    "named",
};

__attribute__((unused)) static const char *const sd_reason_text[32] = {
    "",
    "not connected yet",
    "no monitor could be reached",
    "the program at the other end does not use sdcore",
    "the other end is on another host",
    "the address is not one of this host",
    "another user or another network namespace, and no policy allows it",
    "every slot of the lease is in use and no further lease was granted",
    "shared memory could not be mapped",
    "the kernel's handshake did not complete at once",
    "the server did not take up the offer in time",
    "two connections of the lease share a client port",
    "out-of-band data was sent",
    "an exec'd program may not have the library",
    "splice was used on it",
    "the descriptor was passed to another process",
    "the peer moved to kernel TCP",
    "the other end speaks another version of the layout",
    "the lease was revoked",
    "the peer broke the protocol",
    "not a TCP socket",
    "acceleration is turned off by SDCORE_DISABLE",
    "too many epoll sets watch connections of one lease",
    "closed before the offer was accepted",
    "an IPv4-mapped address on an IPv6 socket",
    "something was asked for that only the kernel can do: an option, control data, asynchronous I/O",
    "it became standard input, output or error, which libc reads and writes by itself",
    "signal-driven input was asked for",
    "an administrator drained the program, or the one at the other end",
    "it was passed on or inherited, and the other end has not joined yet",
    "it was handed on, came back into shared memory, and left it again to close",
    "the client's end of a Unix connection has a name of its own",
};

/* A line, written by the producer of a direction. */
struct sd_producer {
    _Atomic uint64_t tail; /* P: bytes ever put; publishes the ring bytes, base and flags. */
    _Atomic uint64_t base; /* P: position that lies at ring offset 0; changes only while empty. */
    _Atomic uint32_t flags; /* P: TX_*; set after the last tail. */
    _Atomic uint32_t pid; /* P: a process that holds its end of the companion; a hint. */
    _Atomic uint32_t fd; /* P: the descriptor there; a hint, true only if the addresses fit. */
    _Atomic uint32_t window; /* P: bytes that it lets be under way; 0 stands for RING_BYTES. */
    _Atomic uint64_t told_at; /* P: its processor's counter when it last set a clear READY_NEWS. */
    uint8_t padding_7[24];
};
_Static_assert(sizeof(struct sd_producer) == 64, "size of producer");
_Static_assert(offsetof(struct sd_producer, tail) == 0, "producer.tail");
_Static_assert(offsetof(struct sd_producer, base) == 8, "producer.base");
_Static_assert(offsetof(struct sd_producer, flags) == 16, "producer.flags");
_Static_assert(offsetof(struct sd_producer, pid) == 20, "producer.pid");
_Static_assert(offsetof(struct sd_producer, fd) == 24, "producer.fd");
_Static_assert(offsetof(struct sd_producer, window) == 28, "producer.window");
_Static_assert(offsetof(struct sd_producer, told_at) == 32, "producer.told_at");

/* Half a line, written by the consumer of a direction. */
struct sd_consumer {
    _Atomic uint64_t head; /* C: bytes ever taken; gives their room back. */
    _Atomic uint32_t flags; /* C: RX_*. */
    _Atomic uint32_t buffer; /* C: its receive buffer, if the program chose one; else 0. */
    uint8_t padding_3[16];
};
_Static_assert(sizeof(struct sd_consumer) == 32, "size of consumer");
_Static_assert(offsetof(struct sd_consumer, head) == 0, "consumer.head");
_Static_assert(offsetof(struct sd_consumer, flags) == 8, "consumer.flags");
_Static_assert(offsetof(struct sd_consumer, buffer) == 12, "consumer.buffer");

/* Who waits; half a line, read by the peer after each publish, seldom written. */
struct sd_attention {
    _Atomic uint32_t armed; /* ARM_* bits; 0 is the common case. */
    _Atomic uint32_t sleepers[4]; /* Doorbell names of blocked threads; 0 is free. */
    uint8_t padding_2[4];
    _Atomic uint64_t watch; /* Bit b: doorbell slot b of this side watches this connection. */
};
_Static_assert(sizeof(struct sd_attention) == 32, "size of attention");
_Static_assert(offsetof(struct sd_attention, armed) == 0, "attention.armed");
_Static_assert(offsetof(struct sd_attention, sleepers) == 4, "attention.sleepers");
_Static_assert(offsetof(struct sd_attention, watch) == 24, "attention.watch");

/* One direction of a connection. */
struct sd_direction {
    struct sd_producer p;
    _Alignas(64) struct sd_attention data_wait; /* C: the consumer waits for data; read by the producer. */
    uint8_t padding_2[32];
    _Alignas(128) struct sd_consumer c;
    struct sd_attention room_wait; /* P: the producer waits for room; read by the consumer. */
    uint8_t padding_4[64];
};
_Static_assert(sizeof(struct sd_direction) == 256, "size of direction");
_Static_assert(offsetof(struct sd_direction, p) == 0, "direction.p");
_Static_assert(offsetof(struct sd_direction, data_wait) == 64, "direction.data_wait");
_Static_assert(offsetof(struct sd_direction, c) == 128, "direction.c");
_Static_assert(offsetof(struct sd_direction, room_wait) == 160, "direction.room_wait");

/* An Internet address and port as seen by the client, IPv4 as v4-mapped; or the name of a Unix socket. */
struct sd_address {
    uint8_t ip[16]; /* Network order. AF_UNIX: the last 16 bytes; an abstract name keeps its NUL. */
    uint16_t port; /* Host order. AF_UNIX: of a name that the kernel chose, the number's last 16 bits. */
    uint16_t family; /* AF_INET, AF_INET6 or AF_UNIX of the client's socket. */
    uint8_t padding_3[4];
};
_Static_assert(sizeof(struct sd_address) == 24, "size of address");
_Static_assert(offsetof(struct sd_address, ip) == 0, "address.ip");
_Static_assert(offsetof(struct sd_address, port) == 16, "address.port");
_Static_assert(offsetof(struct sd_address, family) == 18, "address.family");

/* One connection. */
struct sd_slot {
    _Atomic uint32_t offer; /* Generation and OFFER_*; the only word that both sides swap. */
    _Atomic uint32_t done; /* Sides that are done, or not there yet; at 2 the slot is free. */
    struct sd_address local; /* The client's end. */
    struct sd_address peer; /* The server's end. */
    uint8_t padding_4[72];
    _Alignas(128) struct sd_direction dir[2]; /* 0: client to server. 1: server to client. */
};
_Static_assert(sizeof(struct sd_slot) == 640, "size of slot");
_Static_assert(offsetof(struct sd_slot, offer) == 0, "slot.offer");
_Static_assert(offsetof(struct sd_slot, done) == 4, "slot.done");
_Static_assert(offsetof(struct sd_slot, local) == 8, "slot.local");
_Static_assert(offsetof(struct sd_slot, peer) == 32, "slot.peer");
_Static_assert(offsetof(struct sd_slot, dir) == 128, "slot.dir");

/* What one side of a slab announces to the other. */
struct sd_side {
    _Atomic uint64_t asleep; /* Bit b: the epoll set with doorbell slot b sleeps. */
    _Atomic uint64_t claimed; /* Bit b: doorbell slot b is in use. */
    _Atomic uint32_t shared; /* 1: it has forked, so several processes may share a connection. */
    uint8_t padding_3[44];
    _Alignas(64) _Atomic uint32_t doorbell[64]; /* Name of each doorbell slot. */
    _Alignas(64) _Atomic uint8_t ready[256]; /* READY_*: connection s has news for this side. */
    uint8_t padding_5[64];
};
_Static_assert(sizeof(struct sd_side) == 640, "size of side");
_Static_assert(offsetof(struct sd_side, asleep) == 0, "side.asleep");
_Static_assert(offsetof(struct sd_side, claimed) == 8, "side.claimed");
_Static_assert(offsetof(struct sd_side, shared) == 16, "side.shared");
_Static_assert(offsetof(struct sd_side, doorbell) == 64, "side.doorbell");
_Static_assert(offsetof(struct sd_side, ready) == 320, "side.ready");

/* Head of a slab; the rings follow at RINGS_OFFSET, two for each slot. */
struct sd_slab {
    uint32_t magic; /* M: SLAB_MAGIC. */
    uint32_t version; /* M: LAYOUT_VERSION. */
    uint64_t lease_id; /* M: */
    uint64_t listener_id; /* M: */
    uint32_t heavy_fence; /* M: 1 if a side cannot be reached by membarrier. */
    _Atomic uint32_t revoked; /* M: REVOKED_*; nonzero: make no new offers here. */
    uint8_t padding_6[32];
    _Alignas(64) struct sd_side side[2]; /* 0: client. 1: server. */
    uint8_t padding_7[2752];
    _Alignas(4096) _Atomic uint16_t port[65536]; /* Client port to slot + 1; see PORT_*. */
    _Alignas(4096) struct sd_slot slot[256];
    _Alignas(64) uint8_t front[1081344]; /* Of ring 2 * s + d, FRONT_BYTES each. */
};
_Static_assert(sizeof(struct sd_slab) == 1380352, "size of slab");
_Static_assert(offsetof(struct sd_slab, magic) == 0, "slab.magic");
_Static_assert(offsetof(struct sd_slab, version) == 4, "slab.version");
_Static_assert(offsetof(struct sd_slab, lease_id) == 8, "slab.lease_id");
_Static_assert(offsetof(struct sd_slab, listener_id) == 16, "slab.listener_id");
_Static_assert(offsetof(struct sd_slab, heavy_fence) == 24, "slab.heavy_fence");
_Static_assert(offsetof(struct sd_slab, revoked) == 28, "slab.revoked");
_Static_assert(offsetof(struct sd_slab, side) == 64, "slab.side");
_Static_assert(offsetof(struct sd_slab, port) == 4096, "slab.port");
_Static_assert(offsetof(struct sd_slab, slot) == 135168, "slab.slot");
_Static_assert(offsetof(struct sd_slab, front) == 299008, "slab.front");

/* The monitor's status page. */
struct sd_status {
    uint32_t magic; /* M: */
    uint32_t version; /* M: */
    _Atomic uint32_t alive; /* M: 1 while the monitor serves; 0 after an orderly stop. */
    uint8_t padding_3[4];
    _Atomic uint64_t listeners; /* M: generation, moves when a listener comes. */
    _Atomic uint64_t leases; /* M: generation, moves when a lease is granted. */
    _Atomic uint32_t elsewhere; /* M: 1 if listeners of other network namespaces may be asked for. */
    uint8_t padding_6[4060];
};
_Static_assert(sizeof(struct sd_status) == 4096, "size of status");
_Static_assert(offsetof(struct sd_status, magic) == 0, "status.magic");
_Static_assert(offsetof(struct sd_status, version) == 4, "status.version");
_Static_assert(offsetof(struct sd_status, alive) == 8, "status.alive");
_Static_assert(offsetof(struct sd_status, listeners) == 16, "status.listeners");
_Static_assert(offsetof(struct sd_status, leases) == 24, "status.leases");
_Static_assert(offsetof(struct sd_status, elsewhere) == 32, "status.elsewhere");

/* Sums over closed sockets of one transport. */
struct sd_totals {
    _Atomic uint64_t connections;
    _Atomic uint64_t sent_bytes;
    _Atomic uint64_t received_bytes;
    uint8_t padding_3[8];
};
_Static_assert(sizeof(struct sd_totals) == 32, "size of totals");
_Static_assert(offsetof(struct sd_totals, connections) == 0, "totals.connections");
_Static_assert(offsetof(struct sd_totals, sent_bytes) == 8, "totals.sent_bytes");
_Static_assert(offsetof(struct sd_totals, received_bytes) == 16, "totals.received_bytes");

/* What a socket object shows to `sdcore ss`; the head of the library's own structure. */
struct sd_socket_record {
    _Atomic uint32_t refs; /* Descriptors that refer to it, over the family; 0 is a free object. */
    _Atomic uint32_t pid; /* Process that used it last; 0: it became another program, and closed it. */
    _Atomic uint32_t fd; /* Descriptor there. */
    _Atomic uint32_t state; /* SOCK_STATE_*. */
    _Atomic uint32_t transport; /* TRANSPORT_*. */
    _Atomic uint32_t reason; /* REASON_*: why it is not accelerated; 0 if it is. */
    uint32_t side; /* 0 client, 1 server. */
    uint32_t slot; /* Slot in the slab. */
    uint64_t lease_id; /* Lease of the slab; 0 if none. */
    _Atomic uint64_t kernel_sent_bytes; /* Through kernel TCP. */
    _Atomic uint64_t kernel_received_bytes;
    _Atomic uint64_t ring_sent_bytes; /* Own tail, copied when it is cheap; exact after close. */
    _Atomic uint64_t ring_received_bytes;
    struct sd_address local;
    struct sd_address peer;
    _Atomic uint32_t invited; /* M: 1: the other end wants to join; ask for the slab, too. */
    uint8_t padding_16[132];
};
_Static_assert(sizeof(struct sd_socket_record) == 256, "size of socket_record");
_Static_assert(offsetof(struct sd_socket_record, refs) == 0, "socket_record.refs");
_Static_assert(offsetof(struct sd_socket_record, pid) == 4, "socket_record.pid");
_Static_assert(offsetof(struct sd_socket_record, fd) == 8, "socket_record.fd");
_Static_assert(offsetof(struct sd_socket_record, state) == 12, "socket_record.state");
_Static_assert(offsetof(struct sd_socket_record, transport) == 16, "socket_record.transport");
_Static_assert(offsetof(struct sd_socket_record, reason) == 20, "socket_record.reason");
_Static_assert(offsetof(struct sd_socket_record, side) == 24, "socket_record.side");
_Static_assert(offsetof(struct sd_socket_record, slot) == 28, "socket_record.slot");
_Static_assert(offsetof(struct sd_socket_record, lease_id) == 32, "socket_record.lease_id");
_Static_assert(offsetof(struct sd_socket_record, kernel_sent_bytes) == 40, "socket_record.kernel_sent_bytes");
_Static_assert(offsetof(struct sd_socket_record, kernel_received_bytes) == 48, "socket_record.kernel_received_bytes");
_Static_assert(offsetof(struct sd_socket_record, ring_sent_bytes) == 56, "socket_record.ring_sent_bytes");
_Static_assert(offsetof(struct sd_socket_record, ring_received_bytes) == 64, "socket_record.ring_received_bytes");
_Static_assert(offsetof(struct sd_socket_record, local) == 72, "socket_record.local");
_Static_assert(offsetof(struct sd_socket_record, peer) == 96, "socket_record.peer");
_Static_assert(offsetof(struct sd_socket_record, invited) == 120, "socket_record.invited");

/* Head of a region; socket objects and thread slots follow, the library knows where. */
struct sd_region {
    uint32_t magic; /* REGION_MAGIC. */
    uint32_t version; /* LAYOUT_VERSION. */
    uint32_t socket_offset; /* Byte offset of the first socket object in the region. */
    uint32_t socket_stride; /* Bytes from one socket object to the next. */
    _Atomic uint32_t socket_high; /* Objects with an index below this may be in use. */
    uint8_t padding_5[44];
    _Alignas(64) struct sd_totals total[4]; /* By TRANSPORT_*. */
    _Alignas(64) _Atomic uint64_t reason[32]; /* How often each REASON_* was the outcome. */
    uint8_t padding_7[3648];
};
_Static_assert(sizeof(struct sd_region) == 4096, "size of region");
_Static_assert(offsetof(struct sd_region, magic) == 0, "region.magic");
_Static_assert(offsetof(struct sd_region, version) == 4, "region.version");
_Static_assert(offsetof(struct sd_region, socket_offset) == 8, "region.socket_offset");
_Static_assert(offsetof(struct sd_region, socket_stride) == 12, "region.socket_stride");
_Static_assert(offsetof(struct sd_region, socket_high) == 16, "region.socket_high");
_Static_assert(offsetof(struct sd_region, total) == 64, "region.total");
_Static_assert(offsetof(struct sd_region, reason) == 192, "region.reason");

/* Begins every packet. */
struct sd_msg_header {
    uint32_t type; /* MSG_*; a reply repeats the request's. */
    uint32_t seq; /* Chosen by the sender of the request, repeated in the reply. */
    uint32_t status; /* STATUS_*; 0 in a request. */
    uint32_t reason; /* REASON_* of a denial. */
};
_Static_assert(sizeof(struct sd_msg_header) == 16, "size of msg_header");
_Static_assert(offsetof(struct sd_msg_header, type) == 0, "msg_header.type");
_Static_assert(offsetof(struct sd_msg_header, seq) == 4, "msg_header.seq");
_Static_assert(offsetof(struct sd_msg_header, status) == 8, "msg_header.status");
_Static_assert(offsetof(struct sd_msg_header, reason) == 12, "msg_header.reason");

/* A process attaches. */
struct sd_msg_hello {
    uint32_t version; /* LAYOUT_VERSION. */
    uint32_t capabilities; /* HELLO_* bits. */
    uint64_t parent_id; /* Process id of the parent at the monitor, 0 if none. */
    uint64_t secret; /* What the parent registered before it forked; proves parent_id. */
    uint64_t child_secret; /* Secret that children forked from now on will show. */
};
_Static_assert(sizeof(struct sd_msg_hello) == 32, "size of msg_hello");
_Static_assert(offsetof(struct sd_msg_hello, version) == 0, "msg_hello.version");
_Static_assert(offsetof(struct sd_msg_hello, capabilities) == 4, "msg_hello.capabilities");
_Static_assert(offsetof(struct sd_msg_hello, parent_id) == 8, "msg_hello.parent_id");
_Static_assert(offsetof(struct sd_msg_hello, secret) == 16, "msg_hello.secret");
_Static_assert(offsetof(struct sd_msg_hello, child_secret) == 24, "msg_hello.child_secret");

/* Attached. */
struct sd_msg_welcome {
    uint64_t process_id; /* The monitor's number for the process; never used twice. */
    uint8_t padding_1[8];
};
_Static_assert(sizeof(struct sd_msg_welcome) == 16, "size of msg_welcome");
_Static_assert(offsetof(struct sd_msg_welcome, process_id) == 0, "msg_welcome.process_id");

/* A listener. */
struct sd_msg_listener {
    uint64_t listener_id;
};
_Static_assert(sizeof(struct sd_msg_listener) == 8, "size of msg_listener");
_Static_assert(offsetof(struct sd_msg_listener, listener_id) == 0, "msg_listener.listener_id");

/* Where a client wants to go. */
struct sd_msg_destination {
    uint8_t ip[16]; /* Network order, IPv4 as v4-mapped. AF_UNIX: device and inode of the file. */
    uint16_t port; /* Host order. */
    uint16_t family; /* AF_UNIX, or anything else for an Internet address. */
    uint16_t name_bytes; /* AF_UNIX: length of an abstract name; 0 where a file is meant. */
    uint8_t padding_4[2];
    uint64_t full_lease; /* A lease whose slots are all taken, or 0. */
    uint8_t name[108]; /* AF_UNIX: the abstract name, without its NUL. */
    uint8_t padding_6[4];
};
_Static_assert(sizeof(struct sd_msg_destination) == 144, "size of msg_destination");
_Static_assert(offsetof(struct sd_msg_destination, ip) == 0, "msg_destination.ip");
_Static_assert(offsetof(struct sd_msg_destination, port) == 16, "msg_destination.port");
_Static_assert(offsetof(struct sd_msg_destination, family) == 18, "msg_destination.family");
_Static_assert(offsetof(struct sd_msg_destination, name_bytes) == 20, "msg_destination.name_bytes");
_Static_assert(offsetof(struct sd_msg_destination, full_lease) == 24, "msg_destination.full_lease");
_Static_assert(offsetof(struct sd_msg_destination, name) == 32, "msg_destination.name");

/* Which leases are known. */
struct sd_msg_after {
    uint64_t lease_id;
};
_Static_assert(sizeof(struct sd_msg_after) == 8, "size of msg_after");
_Static_assert(offsetof(struct sd_msg_after, lease_id) == 0, "msg_after.lease_id");

/* A lease. */
struct sd_msg_lease {
    uint64_t lease_id;
    uint64_t listener_id;
};
_Static_assert(sizeof(struct sd_msg_lease) == 16, "size of msg_lease");
_Static_assert(offsetof(struct sd_msg_lease, lease_id) == 0, "msg_lease.lease_id");
_Static_assert(offsetof(struct sd_msg_lease, listener_id) == 8, "msg_lease.listener_id");

/* Bytes of a ring that the sender of the request cannot put on TCP itself. */
struct sd_msg_carry {
    uint64_t lease_id; /* Lease of the slab; its sender must be a party to it. */
    uint32_t slot;
    uint32_t direction; /* 0: client to server. 1: server to client. */
    uint64_t begin; /* Position of the first byte. */
    uint64_t end; /* Position behind the last byte. */
    uint64_t base; /* Position that lies at ring offset 0. */
};
_Static_assert(sizeof(struct sd_msg_carry) == 40, "size of msg_carry");
_Static_assert(offsetof(struct sd_msg_carry, lease_id) == 0, "msg_carry.lease_id");
_Static_assert(offsetof(struct sd_msg_carry, slot) == 8, "msg_carry.slot");
_Static_assert(offsetof(struct sd_msg_carry, direction) == 12, "msg_carry.direction");
_Static_assert(offsetof(struct sd_msg_carry, begin) == 16, "msg_carry.begin");
_Static_assert(offsetof(struct sd_msg_carry, end) == 24, "msg_carry.end");
_Static_assert(offsetof(struct sd_msg_carry, base) == 32, "msg_carry.base");

/* What the monitor keeps for the processes of a family. */
struct sd_msg_kept {
    uint64_t number; /* Chosen by the family; what is kept again under a number replaces the first. */
};
_Static_assert(sizeof(struct sd_msg_kept) == 8, "size of msg_kept");
_Static_assert(offsetof(struct sd_msg_kept, number) == 0, "msg_kept.number");

/* Which programs are to use kernel TCP from now on. */
struct sd_msg_drain {
    uint64_t pid; /* A process of the program; 0: every program, also those that come later. */
};
_Static_assert(sizeof(struct sd_msg_drain) == 8, "size of msg_drain");
_Static_assert(offsetof(struct sd_msg_drain, pid) == 0, "msg_drain.pid");

/* An end of a connection that may get rings again. */
struct sd_msg_join {
    uint64_t index; /* Of its socket object in the region; there the mark is set. */
};
_Static_assert(sizeof(struct sd_msg_join) == 8, "size of msg_join");
_Static_assert(offsetof(struct sd_msg_join, index) == 0, "msg_join.index");

#endif

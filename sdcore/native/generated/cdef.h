/* Generated from sdcore/protocol. Change that, then run: nox -s gen
 * For cffi alone: not a C header.
 */
#define SD_LAYOUT_VERSION 7
#define SD_SLAB_MAGIC 1396986673
#define SD_REGION_MAGIC 1396986417
#define SD_STATUS_MAGIC 1396985905
#define SD_SLOTS 256
#define SD_RING_BYTES 2097152
#define SD_FRONT_BYTES 2112
#define SD_RECEIVE_BUFFER_BYTES 131072
#define SD_ELSEWHERE_LOOK_NS 5000000
#define SD_SLEEPER_LOOK_NS 1000000000
#define SD_OFFER_TIMEOUT_NS 1000000000
#define SD_OFFER_PATIENCE 60
#define SD_OFFER_LOOK_NS 250000000
#define SD_HINT_TTL 243
#define SD_PORTS 65536
#define SD_DOORBELLS 64
#define SD_SLEEPERS 4
#define SD_SOCKETS 65536
#define SD_SOCKET_BYTES_MAX 2048
#define SD_THREADS 8192
#define SD_REASONS 32
#define SD_OFFER_STATES 8
#define SD_OFFER_FREE 0
#define SD_OFFER_OFFERED 1
#define SD_OFFER_ACCEPTED 2
#define SD_OFFER_WITHDRAWN 3
#define SD_OFFER_CLAIMED 4
#define SD_PORT_EMPTY 0
#define SD_PORT_PENDING 65534
#define SD_PORT_DECLINED 65535
#define SD_TX_FIN 1
#define SD_TX_RESET 2
#define SD_TX_MOVED 4
#define SD_TX_CLOSED 8
#define SD_RX_CLOSED 1
#define SD_RX_ABANDONED 2
#define SD_RX_FORWARDING 4
#define SD_RX_SEEN_MOVED 8
#define SD_RX_SEEN_CLOSED 16
#define SD_RX_DEAF 32
#define SD_RX_AWAY 64
#define SD_ARM_WATCHED 1
#define SD_ARM_SLEEPER 2
#define SD_ARM_MOVE 4
#define SD_ARM_NAP 8
#define SD_ARM_POKE 256
#define SD_ARM_DRAIN 65536
#define SD_READY_NEWS 1
#define SD_READY_LOOK 2
#define SD_REVOKED_CLOSED 1
#define SD_REVOKED_DRAINED 2
#define SD_MSG_HELLO 1
#define SD_MSG_LISTEN 2
#define SD_MSG_UNLISTEN 3
#define SD_MSG_LEASE 4
#define SD_MSG_LEASES_OF 5
#define SD_MSG_STATUS 6
#define SD_MSG_SOCKETS 7
#define SD_MSG_STOP 8
#define SD_MSG_CARRY 9
#define SD_MSG_KEEP 10
#define SD_MSG_KEPT 11
#define SD_MSG_LET_GO 12
#define SD_MSG_DRAIN 13
#define SD_MSG_JOIN 14
#define SD_STATUS_OK 0
#define SD_STATUS_DENIED 1
#define SD_STATUS_BAD 2
#define SD_HELLO_MEMBARRIER 1
#define SD_SLAB_RINGS_OFFSET 1380352
#define SD_SLAB_BYTES 1075122176
#define SD_NO_ROW 0xFFFFFFFF
enum sd_sock_state {
    SD_SOCK_NEW = 0,
    SD_SOCK_LISTENING = 1,
    SD_SOCK_CONNECTING = 2,
    SD_SOCK_ESTABLISHED = 3,
    SD_SOCK_CLOSING = 4,
    SD_SOCK_CLOSED = 5,
};
enum sd_transport {
    SD_TRANSPORT_NONE = 0,
    SD_TRANSPORT_SHM = 1,
    SD_TRANSPORT_TCP = 2,
    SD_TRANSPORT_RDMA = 3,
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
struct sd_producer {
    uint64_t tail;
    uint64_t base;
    uint32_t flags;
    uint32_t pid;
    uint32_t fd;
    uint32_t window;
    uint64_t told_at;
    ...;
};
struct sd_consumer {
    uint64_t head;
    uint32_t flags;
    uint32_t buffer;
    ...;
};
struct sd_attention {
    uint32_t armed;
    uint64_t watch;
    ...;
};
struct sd_direction {
    struct sd_producer p;
    struct sd_attention data_wait;
    struct sd_consumer c;
    struct sd_attention room_wait;
    ...;
};
struct sd_address {
    uint8_t ip[16];
    uint16_t port;
    uint16_t family;
    ...;
};
struct sd_slot {
    uint32_t offer;
    uint32_t done;
    struct sd_address local;
    struct sd_address peer;
    struct sd_direction dir[2];
    ...;
};
struct sd_side {
    uint64_t asleep;
    uint64_t claimed;
    uint32_t shared;
    ...;
};
struct sd_slab {
    uint32_t magic;
    uint32_t version;
    uint64_t lease_id;
    uint64_t listener_id;
    uint32_t heavy_fence;
    uint32_t revoked;
    struct sd_side side[2];
    struct sd_slot slot[256];
    uint8_t front[1081344];
    ...;
};
struct sd_status {
    uint32_t magic;
    uint32_t version;
    uint32_t alive;
    uint64_t listeners;
    uint64_t leases;
    uint32_t elsewhere;
    ...;
};
struct sd_totals {
    uint64_t connections;
    uint64_t sent_bytes;
    uint64_t received_bytes;
    ...;
};
struct sd_socket_record {
    uint32_t refs;
    uint32_t pid;
    uint32_t fd;
    uint32_t state;
    uint32_t transport;
    uint32_t reason;
    uint32_t side;
    uint32_t slot;
    uint64_t lease_id;
    uint64_t kernel_sent_bytes;
    uint64_t kernel_received_bytes;
    uint64_t ring_sent_bytes;
    uint64_t ring_received_bytes;
    struct sd_address local;
    struct sd_address peer;
    uint32_t invited;
    ...;
};
struct sd_region {
    uint32_t magic;
    uint32_t version;
    uint32_t socket_offset;
    uint32_t socket_stride;
    uint32_t socket_high;
    struct sd_totals total[4];
    ...;
};
struct sd_msg_header {
    uint32_t type;
    uint32_t seq;
    uint32_t status;
    uint32_t reason;
    ...;
};
struct sd_msg_hello {
    uint32_t version;
    uint32_t capabilities;
    uint64_t parent_id;
    uint64_t secret;
    uint64_t child_secret;
    ...;
};
struct sd_msg_welcome {
    uint64_t process_id;
    ...;
};
struct sd_msg_listener {
    uint64_t listener_id;
    ...;
};
struct sd_msg_destination {
    uint8_t ip[16];
    uint16_t port;
    uint16_t family;
    uint16_t name_bytes;
    uint64_t full_lease;
    uint8_t name[108];
    ...;
};
struct sd_msg_after {
    uint64_t lease_id;
    ...;
};
struct sd_msg_lease {
    uint64_t lease_id;
    uint64_t listener_id;
    ...;
};
struct sd_msg_carry {
    uint64_t lease_id;
    uint32_t slot;
    uint32_t direction;
    uint64_t begin;
    uint64_t end;
    uint64_t base;
    ...;
};
struct sd_msg_kept {
    uint64_t number;
    ...;
};
struct sd_msg_drain {
    uint64_t pid;
    ...;
};
struct sd_msg_join {
    uint64_t index;
    ...;
};
enum sd_attach_state {
    SD_ATTACH_DETACHED = 0,
    SD_ATTACH_CALLING = 1,
    SD_ATTACH_ATTACHED = 2,
    SD_ATTACH_LOST = 3,
    SD_ATTACH_FORKED = 4,
};
enum sd_attach_event {
    SD_ATTACH_EV_NEED = 0,
    SD_ATTACH_EV_WELCOME = 1,
    SD_ATTACH_EV_REFUSED = 2,
    SD_ATTACH_EV_NO_MONITOR = 3,
    SD_ATTACH_EV_CONNECTION_LOST = 4,
    SD_ATTACH_EV_RETRY_DUE = 5,
    SD_ATTACH_EV_FORK_CHILD = 6,
};
enum sd_attach_effect {
    SD_ATTACH_DO_CONNECT_MONITOR = 1,
    SD_ATTACH_DO_SEND_HELLO = 2,
    SD_ATTACH_DO_USE_KERNEL = 3,
    SD_ATTACH_DO_SCHEDULE_RETRY = 4,
    SD_ATTACH_DO_REGISTER_LISTENERS = 5,
    SD_ATTACH_DO_DROP_CONTROL = 6,
};
struct sd_attach {
    uint32_t state;
};
void sd_attach_start(struct sd_attach *m);
uint32_t sd_attach_step(struct sd_attach *m, uint32_t event, uint64_t arg);
extern const char *const sd_attach_state_name[5];
extern const char *const sd_attach_event_name[7];
extern const char *const sd_attach_effect_name[7];
enum sd_attach_monitor_state {
    SD_ATTACH_MONITOR_NEW = 0,
    SD_ATTACH_MONITOR_ATTACHED = 1,
    SD_ATTACH_MONITOR_DRAINED = 2,
    SD_ATTACH_MONITOR_DEAD = 3,
};
enum sd_attach_monitor_event {
    SD_ATTACH_MONITOR_EV_PARENT_PROVEN = 0,
    SD_ATTACH_MONITOR_EV_HELLO_OK = 1,
    SD_ATTACH_MONITOR_EV_HELLO_BAD = 2,
    SD_ATTACH_MONITOR_EV_PIDFD_READY = 3,
    SD_ATTACH_MONITOR_EV_REPLACED = 4,
    SD_ATTACH_MONITOR_EV_HELLO_AGAIN = 5,
    SD_ATTACH_MONITOR_EV_CONNECTION_CLOSED = 6,
    SD_ATTACH_MONITOR_EV_DRAIN = 7,
    SD_ATTACH_MONITOR_EV_SHARES = 8,
};
enum sd_attach_monitor_effect {
    SD_ATTACH_MONITOR_DO_JOIN_FAMILY = 1,
    SD_ATTACH_MONITOR_DO_WATCH_PIDFD = 2,
    SD_ATTACH_MONITOR_DO_SEND_WELCOME = 3,
    SD_ATTACH_MONITOR_DO_REFUSE = 4,
    SD_ATTACH_MONITOR_DO_DENY_DRAINED = 5,
    SD_ATTACH_MONITOR_DO_DRAIN_ALL = 6,
    SD_ATTACH_MONITOR_DO_SWEEP = 7,
};
struct sd_attach_monitor {
    uint32_t state;
};
void sd_attach_monitor_start(struct sd_attach_monitor *m);
uint32_t sd_attach_monitor_step(struct sd_attach_monitor *m, uint32_t event, uint64_t arg);
extern const char *const sd_attach_monitor_state_name[4];
extern const char *const sd_attach_monitor_event_name[9];
extern const char *const sd_attach_monitor_effect_name[8];
enum sd_listener_state {
    SD_LISTENER_CLOSED = 0,
    SD_LISTENER_LISTENING = 1,
    SD_LISTENER_REGISTERED = 2,
    SD_LISTENER_UNREGISTERED = 3,
};
enum sd_listener_event {
    SD_LISTENER_EV_LISTEN = 0,
    SD_LISTENER_EV_REGISTERED_OK = 1,
    SD_LISTENER_EV_REGISTER_FAILED = 2,
    SD_LISTENER_EV_MONITOR_RETURNED = 3,
    SD_LISTENER_EV_ACCEPT = 4,
    SD_LISTENER_EV_CLOSE = 5,
};
enum sd_listener_effect {
    SD_LISTENER_DO_SAVE_SYN = 1,
    SD_LISTENER_DO_REGISTER = 2,
    SD_LISTENER_DO_UNREGISTER = 3,
    SD_LISTENER_DO_CHECK_HINT = 4,
};
struct sd_listener {
    uint32_t state;
};
void sd_listener_start(struct sd_listener *m);
uint32_t sd_listener_step(struct sd_listener *m, uint32_t event, uint64_t arg);
extern const char *const sd_listener_state_name[4];
extern const char *const sd_listener_event_name[6];
extern const char *const sd_listener_effect_name[5];
enum sd_listener_monitor_state {
    SD_LISTENER_MONITOR_ABSENT = 0,
    SD_LISTENER_MONITOR_ACTIVE = 1,
    SD_LISTENER_MONITOR_DRAINED = 2,
    SD_LISTENER_MONITOR_GONE = 3,
};
enum sd_listener_monitor_event {
    SD_LISTENER_MONITOR_EV_REGISTER = 0,
    SD_LISTENER_MONITOR_EV_JOIN = 1,
    SD_LISTENER_MONITOR_EV_LEAVE = 2,
    SD_LISTENER_MONITOR_EV_DRAIN = 3,
    SD_LISTENER_MONITOR_EV_CLEAN = 4,
    SD_LISTENER_MONITOR_EV_LEASES = 5,
};
enum sd_listener_monitor_effect {
    SD_LISTENER_MONITOR_DO_BUMP_LISTENERS = 1,
    SD_LISTENER_MONITOR_DO_REVOKE_LEASES = 2,
    SD_LISTENER_MONITOR_DO_DRAIN_LEASES = 3,
    SD_LISTENER_MONITOR_DO_DENY_DRAINED = 4,
    SD_LISTENER_MONITOR_DO_FORGET = 5,
};
struct sd_listener_monitor {
    uint32_t state;
};
void sd_listener_monitor_start(struct sd_listener_monitor *m);
uint32_t sd_listener_monitor_step(struct sd_listener_monitor *m, uint32_t event, uint64_t arg);
extern const char *const sd_listener_monitor_state_name[4];
extern const char *const sd_listener_monitor_event_name[6];
extern const char *const sd_listener_monitor_effect_name[6];
enum sd_lease_state {
    SD_LEASE_NONE = 0,
    SD_LEASE_GRANTED = 1,
    SD_LEASE_REVOKED = 2,
    SD_LEASE_DRAINED = 3,
    SD_LEASE_CLOSED = 4,
    SD_LEASE_DRAINING = 5,
    SD_LEASE_ENDED = 6,
};
enum sd_lease_event {
    SD_LEASE_EV_REQUEST_ALLOWED = 0,
    SD_LEASE_EV_REQUEST_DENIED = 1,
    SD_LEASE_EV_REQUEST_MORE = 2,
    SD_LEASE_EV_CLIENT_DIED = 3,
    SD_LEASE_EV_LISTENER_GONE = 4,
    SD_LEASE_EV_POLICY_CHANGED = 5,
    SD_LEASE_EV_DRAIN = 6,
    SD_LEASE_EV_SERVER_DIED = 7,
    SD_LEASE_EV_SLAB_FAILED = 8,
    SD_LEASE_EV_OFFERS_TAKEN = 9,
    SD_LEASE_EV_UNUSED = 10,
};
enum sd_lease_effect {
    SD_LEASE_DO_MAKE_SLAB = 1,
    SD_LEASE_DO_BUMP_LEASES = 2,
    SD_LEASE_DO_SEND_SLAB = 3,
    SD_LEASE_DO_DENY = 4,
    SD_LEASE_DO_MARK_REVOKED = 5,
    SD_LEASE_DO_MARK_DRAINED = 6,
    SD_LEASE_DO_PRESS = 7,
    SD_LEASE_DO_POKE = 8,
    SD_LEASE_DO_WATCH_OFFERS = 9,
    SD_LEASE_DO_WATCH_USE = 10,
    SD_LEASE_DO_FREE_SLAB = 11,
};
struct sd_lease {
    uint32_t state;
};
void sd_lease_start(struct sd_lease *m);
uint32_t sd_lease_step(struct sd_lease *m, uint32_t event, uint64_t arg);
extern const char *const sd_lease_state_name[7];
extern const char *const sd_lease_event_name[11];
extern const char *const sd_lease_effect_name[12];
enum sd_lease_client_state {
    SD_LEASE_CLIENT_UNKNOWN = 0,
    SD_LEASE_CLIENT_ASKING = 1,
    SD_LEASE_CLIENT_LEASED = 2,
    SD_LEASE_CLIENT_ASKING_MORE = 3,
    SD_LEASE_CLIENT_REFUSED = 4,
    SD_LEASE_CLIENT_LOST = 5,
};
enum sd_lease_client_event {
    SD_LEASE_CLIENT_EV_CONNECT = 0,
    SD_LEASE_CLIENT_EV_FULL = 1,
    SD_LEASE_CLIENT_EV_GRANT = 2,
    SD_LEASE_CLIENT_EV_DENY = 3,
    SD_LEASE_CLIENT_EV_NO_ANSWER = 4,
    SD_LEASE_CLIENT_EV_REVOKED_SEEN = 5,
    SD_LEASE_CLIENT_EV_GENERATION_MOVED = 6,
    SD_LEASE_CLIENT_EV_UNANSWERED_OFFER = 7,
    SD_LEASE_CLIENT_EV_BACKOFF_OVER = 8,
};
enum sd_lease_client_effect {
    SD_LEASE_CLIENT_DO_ASK = 1,
    SD_LEASE_CLIENT_DO_USE_SLAB = 2,
    SD_LEASE_CLIENT_DO_USE_KERNEL = 3,
    SD_LEASE_CLIENT_DO_DROP_SLAB = 4,
    SD_LEASE_CLIENT_DO_START_BACKOFF = 5,
};
struct sd_lease_client {
    uint32_t state;
};
void sd_lease_client_start(struct sd_lease_client *m);
uint32_t sd_lease_client_step(struct sd_lease_client *m, uint32_t event, uint64_t arg);
extern const char *const sd_lease_client_state_name[6];
extern const char *const sd_lease_client_event_name[9];
extern const char *const sd_lease_client_effect_name[6];
enum sd_client_state {
    SD_CLIENT_IDLE = 0,
    SD_CLIENT_CONNECTING = 1,
    SD_CLIENT_OFFERED = 2,
    SD_CLIENT_WITHDRAWING = 3,
    SD_CLIENT_ESTABLISHED = 4,
    SD_CLIENT_KERNEL = 5,
    SD_CLIENT_CLOSED = 6,
};
enum sd_client_event {
    SD_CLIENT_EV_CONNECT_LEASED = 0,
    SD_CLIENT_EV_CONNECT_PLAIN = 1,
    SD_CLIENT_EV_NO_SLOT = 2,
    SD_CLIENT_EV_KERNEL_OPEN = 3,
    SD_CLIENT_EV_KERNEL_SLOW = 4,
    SD_CLIENT_EV_KERNEL_FAILED = 5,
    SD_CLIENT_EV_PORT_TAKEN = 6,
    SD_CLIENT_EV_PORT_DECLINED = 7,
    SD_CLIENT_EV_AWAITED = 8,
    SD_CLIENT_EV_ACCEPTED = 9,
    SD_CLIENT_EV_EXPIRED = 10,
    SD_CLIENT_EV_LEAVE = 11,
    SD_CLIENT_EV_COMPANION_DATA = 12,
    SD_CLIENT_EV_SWAP_WON = 13,
    SD_CLIENT_EV_SWAP_LOST = 14,
    SD_CLIENT_EV_CLOSE = 15,
};
enum sd_client_effect {
    SD_CLIENT_DO_HINT = 1,
    SD_CLIENT_DO_CONNECT_KERNEL = 2,
    SD_CLIENT_DO_UNHINT = 3,
    SD_CLIENT_DO_MAKE_OFFER = 4,
    SD_CLIENT_DO_TRY_WITHDRAW = 5,
    SD_CLIENT_DO_RESEND_ON_COMPANION = 6,
    SD_CLIENT_DO_FREE_SLOT = 7,
    SD_CLIENT_DO_USE_KERNEL = 8,
    SD_CLIENT_DO_USE_RING = 9,
};
struct sd_client {
    uint32_t state;
    uint8_t awaited;
};
void sd_client_start(struct sd_client *m);
uint32_t sd_client_step(struct sd_client *m, uint32_t event, uint64_t arg);
extern const char *const sd_client_state_name[7];
extern const char *const sd_client_event_name[16];
extern const char *const sd_client_effect_name[10];
enum sd_server_state {
    SD_SERVER_IDLE = 0,
    SD_SERVER_ARRIVING = 1,
    SD_SERVER_PENDING = 2,
    SD_SERVER_TAKING = 3,
    SD_SERVER_ESTABLISHED = 4,
    SD_SERVER_DECLINING = 5,
    SD_SERVER_KERNEL = 6,
    SD_SERVER_CLOSED = 7,
};
enum sd_server_event {
    SD_SERVER_EV_ACCEPT_PLAIN = 0,
    SD_SERVER_EV_ACCEPT_HINTED = 1,
    SD_SERVER_EV_FOUND = 2,
    SD_SERVER_EV_ABSENT = 3,
    SD_SERVER_EV_SWAP_WON = 4,
    SD_SERVER_EV_SWAP_LOST = 5,
    SD_SERVER_EV_EXPIRED = 6,
    SD_SERVER_EV_COMPANION_DATA = 7,
    SD_SERVER_EV_COMPANION_EOF = 8,
    SD_SERVER_EV_DECLINE_WON = 9,
    SD_SERVER_EV_DECLINE_LOST = 10,
    SD_SERVER_EV_CLOSE = 11,
};
enum sd_server_effect {
    SD_SERVER_DO_LOOK_UP = 1,
    SD_SERVER_DO_MARK = 2,
    SD_SERVER_DO_UNMARK = 3,
    SD_SERVER_DO_TRY_TAKE = 4,
    SD_SERVER_DO_DECLARE_DECLINED = 5,
    SD_SERVER_DO_USE_KERNEL = 6,
    SD_SERVER_DO_USE_RING = 7,
};
struct sd_server {
    uint32_t state;
    uint8_t marked;
};
void sd_server_start(struct sd_server *m);
uint32_t sd_server_step(struct sd_server *m, uint32_t event, uint64_t arg);
extern const char *const sd_server_state_name[8];
extern const char *const sd_server_event_name[12];
extern const char *const sd_server_effect_name[8];
enum sd_ring_tx_state {
    SD_RING_TX_OPEN = 0,
    SD_RING_TX_STARVED = 1,
    SD_RING_TX_SHUT = 2,
    SD_RING_TX_OUT = 3,
    SD_RING_TX_MOVED = 4,
    SD_RING_TX_BROKEN = 5,
};
enum sd_ring_tx_event {
    SD_RING_TX_EV_SEND = 0,
    SD_RING_TX_EV_CREDIT = 1,
    SD_RING_TX_EV_WINDOW = 2,
    SD_RING_TX_EV_SHUTDOWN = 3,
    SD_RING_TX_EV_MOVE = 4,
    SD_RING_TX_EV_BREAK = 5,
    SD_RING_TX_EV_BEGIN_OUT = 6,
    SD_RING_TX_EV_JOIN = 7,
};
enum sd_ring_tx_effect {
    SD_RING_TX_DO_PUT_ALL = 1,
    SD_RING_TX_DO_PUT_FREE = 2,
    SD_RING_TX_DO_LOOK = 3,
    SD_RING_TX_DO_RETRY = 4,
    SD_RING_TX_DO_WAIT_ROOM = 5,
    SD_RING_TX_DO_PUBLISH_FIN = 6,
    SD_RING_TX_DO_PUBLISH_MOVED = 7,
    SD_RING_TX_DO_SEND_COMPANION = 8,
    SD_RING_TX_DO_BROKEN_PIPE = 9,
};
struct sd_ring_tx {
    uint64_t free;
    uint32_t state;
    uint32_t window;
    uint32_t owed;
};
void sd_ring_tx_start(struct sd_ring_tx *m);
uint32_t sd_ring_tx_step(struct sd_ring_tx *m, uint32_t event, uint64_t arg);
extern const char *const sd_ring_tx_state_name[6];
extern const char *const sd_ring_tx_event_name[8];
extern const char *const sd_ring_tx_effect_name[10];
enum sd_ring_rx_state {
    SD_RING_RX_OPEN = 0,
    SD_RING_RX_DRY = 1,
    SD_RING_RX_AWAY = 2,
    SD_RING_RX_ENDED = 3,
    SD_RING_RX_MOVED = 4,
    SD_RING_RX_BROKEN = 5,
};
enum sd_ring_rx_event {
    SD_RING_RX_EV_RECV = 0,
    SD_RING_RX_EV_DATA = 1,
    SD_RING_RX_EV_FIN = 2,
    SD_RING_RX_EV_MOVED = 3,
    SD_RING_RX_EV_BREAK = 4,
    SD_RING_RX_EV_SHUT = 5,
    SD_RING_RX_EV_BEGIN_AWAY = 6,
    SD_RING_RX_EV_QUIET = 7,
    SD_RING_RX_EV_ARRIVED = 8,
    SD_RING_RX_EV_UNSEE = 9,
};
enum sd_ring_rx_effect {
    SD_RING_RX_DO_TAKE_ALL = 1,
    SD_RING_RX_DO_TAKE_AVAIL = 2,
    SD_RING_RX_DO_LOOK = 3,
    SD_RING_RX_DO_RETRY = 4,
    SD_RING_RX_DO_WAIT_DATA = 5,
    SD_RING_RX_DO_END_OF_STREAM = 6,
    SD_RING_RX_DO_RECV_COMPANION = 7,
    SD_RING_RX_DO_RAISE_RESET = 8,
    SD_RING_RX_DO_LOOK_BOTH = 9,
    SD_RING_RX_DO_ARRIVE = 10,
};
struct sd_ring_rx {
    uint64_t avail;
    uint32_t state;
    uint8_t shut;
};
void sd_ring_rx_start(struct sd_ring_rx *m);
uint32_t sd_ring_rx_step(struct sd_ring_rx *m, uint32_t event, uint64_t arg);
extern const char *const sd_ring_rx_state_name[6];
extern const char *const sd_ring_rx_event_name[10];
extern const char *const sd_ring_rx_effect_name[11];
enum sd_waiter_state {
    SD_WAITER_SPINNING = 0,
    SD_WAITER_YIELDING = 1,
    SD_WAITER_ARMED = 2,
    SD_WAITER_ASLEEP = 3,
    SD_WAITER_DONE = 4,
};
enum sd_waiter_event {
    SD_WAITER_EV_EMPTY = 0,
    SD_WAITER_EV_READY = 1,
    SD_WAITER_EV_WOKEN = 2,
    SD_WAITER_EV_TIMEOUT = 3,
    SD_WAITER_EV_INTERRUPTED = 4,
    SD_WAITER_EV_CONTENDED = 5,
};
enum sd_waiter_effect {
    SD_WAITER_DO_PAUSE = 1,
    SD_WAITER_DO_YIELD = 2,
    SD_WAITER_DO_ANNOUNCE = 3,
    SD_WAITER_DO_FENCE = 4,
    SD_WAITER_DO_LOOK = 5,
    SD_WAITER_DO_BLOCK = 6,
    SD_WAITER_DO_RETRACT = 7,
};
struct sd_waiter {
    uint32_t state;
    uint32_t spins_left;
    uint32_t yields_left;
};
void sd_waiter_start(struct sd_waiter *m);
uint32_t sd_waiter_step(struct sd_waiter *m, uint32_t event, uint64_t arg);
extern const char *const sd_waiter_state_name[5];
extern const char *const sd_waiter_event_name[6];
extern const char *const sd_waiter_effect_name[8];
enum sd_token_owner_state {
    SD_TOKEN_OWNER_HELD = 0,
    SD_TOKEN_OWNER_REVOKING = 1,
    SD_TOKEN_OWNER_REVOKED = 2,
    SD_TOKEN_OWNER_SHARED = 3,
};
enum sd_token_owner_event {
    SD_TOKEN_OWNER_EV_MADE = 0,
    SD_TOKEN_OWNER_EV_UNFENCED = 1,
    SD_TOKEN_OWNER_EV_WANT = 2,
    SD_TOKEN_OWNER_EV_WANT_IDLE = 3,
    SD_TOKEN_OWNER_EV_MY_TURN = 4,
    SD_TOKEN_OWNER_EV_FENCED = 5,
    SD_TOKEN_OWNER_EV_IDLE = 6,
    SD_TOKEN_OWNER_EV_OWNER_DIED = 7,
    SD_TOKEN_OWNER_EV_WAITER_DIED = 8,
    SD_TOKEN_OWNER_EV_OWNER_LOST = 9,
};
enum sd_token_owner_effect {
    SD_TOKEN_OWNER_DO_GRANT = 1,
    SD_TOKEN_OWNER_DO_REPAIR = 2,
    SD_TOKEN_OWNER_DO_QUEUE = 3,
    SD_TOKEN_OWNER_DO_FENCE = 4,
    SD_TOKEN_OWNER_DO_LOOK = 5,
};
struct sd_token_owner {
    uint32_t state;
    uint32_t holding;
    uint16_t owner;
    uint16_t waiters;
    uint8_t takeovers;
};
void sd_token_owner_start(struct sd_token_owner *m);
uint32_t sd_token_owner_step(struct sd_token_owner *m, uint32_t event, uint64_t arg);
extern const char *const sd_token_owner_state_name[4];
extern const char *const sd_token_owner_event_name[10];
extern const char *const sd_token_owner_effect_name[6];
enum sd_teardown_state {
    SD_TEARDOWN_OPEN = 0,
    SD_TEARDOWN_LOCAL_SHUT = 1,
    SD_TEARDOWN_PEER_SHUT = 2,
    SD_TEARDOWN_DEAF = 3,
    SD_TEARDOWN_BOTH_SHUT = 4,
    SD_TEARDOWN_CLOSED = 5,
    SD_TEARDOWN_RESET = 6,
};
enum sd_teardown_event {
    SD_TEARDOWN_EV_UNIX = 0,
    SD_TEARDOWN_EV_SHUT_WR = 1,
    SD_TEARDOWN_EV_SHUT_RD = 2,
    SD_TEARDOWN_EV_CLOSE = 3,
    SD_TEARDOWN_EV_PEER_FIN = 4,
    SD_TEARDOWN_EV_PEER_CLOSED = 5,
    SD_TEARDOWN_EV_PEER_DEAF = 6,
    SD_TEARDOWN_EV_PEER_RESET = 7,
    SD_TEARDOWN_EV_PEER_GONE = 8,
    SD_TEARDOWN_EV_TO_KERNEL = 9,
};
enum sd_teardown_effect {
    SD_TEARDOWN_DO_PUBLISH_FIN = 1,
    SD_TEARDOWN_DO_PUBLISH_CLOSED = 2,
    SD_TEARDOWN_DO_PUBLISH_RESET = 3,
    SD_TEARDOWN_DO_PUBLISH_DEAF = 4,
    SD_TEARDOWN_DO_RESET_PEER = 5,
    SD_TEARDOWN_DO_WAKE_SENDERS = 6,
    SD_TEARDOWN_DO_DELIVER_EOF = 7,
    SD_TEARDOWN_DO_LAST_SEND = 8,
    SD_TEARDOWN_DO_REFUSED_SEND = 9,
    SD_TEARDOWN_DO_BREAK_SEND = 10,
    SD_TEARDOWN_DO_SHUT_SEND = 11,
    SD_TEARDOWN_DO_RAISE_RESET = 12,
    SD_TEARDOWN_DO_RELEASE_SLOT = 13,
    SD_TEARDOWN_DO_CLOSE_COMPANION = 14,
    SD_TEARDOWN_DO_BREAK_COMPANION = 15,
    SD_TEARDOWN_DO_FORGET_ERROR = 16,
};
struct sd_teardown {
    uint32_t state;
    uint8_t shut_read;
    uint8_t at_once;
};
void sd_teardown_start(struct sd_teardown *m);
uint32_t sd_teardown_step(struct sd_teardown *m, uint32_t event, uint64_t arg);
extern const char *const sd_teardown_state_name[7];
extern const char *const sd_teardown_event_name[10];
extern const char *const sd_teardown_effect_name[17];
enum sd_mover_state {
    SD_MOVER_RINGS = 0,
    SD_MOVER_OUT = 1,
    SD_MOVER_LOOKING = 2,
    SD_MOVER_HELD = 3,
    SD_MOVER_RESENDING = 4,
    SD_MOVER_OVER = 5,
    SD_MOVER_CLOSING = 6,
    SD_MOVER_LINGERING = 7,
    SD_MOVER_CLOSED = 8,
};
enum sd_mover_event {
    SD_MOVER_EV_BEGIN_OUT = 0,
    SD_MOVER_EV_JOIN = 1,
    SD_MOVER_EV_MOVE = 2,
    SD_MOVER_EV_WITHDRAW = 3,
    SD_MOVER_EV_FORWARDS = 4,
    SD_MOVER_EV_LEFT = 5,
    SD_MOVER_EV_LATE = 6,
    SD_MOVER_EV_TRY = 7,
    SD_MOVER_EV_SENT = 8,
    SD_MOVER_EV_FULL = 9,
    SD_MOVER_EV_BREAK = 10,
    SD_MOVER_EV_SEND = 11,
    SD_MOVER_EV_SHUTDOWN = 12,
    SD_MOVER_EV_CLOSE = 13,
};
enum sd_mover_effect {
    SD_MOVER_DO_ENTER = 1,
    SD_MOVER_DO_PUBLISH_MOVED = 2,
    SD_MOVER_DO_PUBLISH_FIN = 3,
    SD_MOVER_DO_LOOK_MOVED = 4,
    SD_MOVER_DO_LOOK_AGAIN = 5,
    SD_MOVER_DO_LOOK_CLOSED = 6,
    SD_MOVER_DO_MARK_CLOSED = 7,
    SD_MOVER_DO_RESEND = 8,
    SD_MOVER_DO_END_COMPANION = 9,
    SD_MOVER_DO_PASS = 10,
    SD_MOVER_DO_WAIT = 11,
    SD_MOVER_DO_BROKEN_PIPE = 12,
    SD_MOVER_DO_HAND_OVER = 13,
};
struct sd_mover {
    uint64_t left;
    uint32_t state;
    uint8_t fin;
};
void sd_mover_start(struct sd_mover *m);
uint32_t sd_mover_step(struct sd_mover *m, uint32_t event, uint64_t arg);
extern const char *const sd_mover_state_name[9];
extern const char *const sd_mover_event_name[14];
extern const char *const sd_mover_effect_name[14];
enum sd_leaver_state {
    SD_LEAVER_RINGS = 0,
    SD_LEAVER_ANNOUNCED = 1,
    SD_LEAVER_PUTTING = 2,
    SD_LEAVER_RESIGNING = 3,
    SD_LEAVER_PUTTING_LAST = 4,
    SD_LEAVER_RESIGNING_LAST = 5,
    SD_LEAVER_STANDING_IN = 6,
    SD_LEAVER_LEFT = 7,
};
enum sd_leaver_event {
    SD_LEAVER_EV_LEAVE = 0,
    SD_LEAVER_EV_FIRST = 1,
    SD_LEAVER_EV_AFTER_MOVE = 2,
    SD_LEAVER_EV_AFTER_CLOSE = 3,
    SD_LEAVER_EV_TAKEN_BACK = 4,
    SD_LEAVER_EV_PUT_DONE = 5,
    SD_LEAVER_EV_NO_PEER = 6,
    SD_LEAVER_EV_RESIGNED = 7,
    SD_LEAVER_EV_MOVED_MEANWHILE = 8,
    SD_LEAVER_EV_CLOSED_MEANWHILE = 9,
    SD_LEAVER_EV_STANDS_IN = 10,
};
enum sd_leaver_effect {
    SD_LEAVER_DO_ANNOUNCE = 1,
    SD_LEAVER_DO_ASK = 2,
    SD_LEAVER_DO_PUT = 3,
    SD_LEAVER_DO_RESIGN = 4,
    SD_LEAVER_DO_RESIGN_LAST = 5,
    SD_LEAVER_DO_SETTLE = 6,
    SD_LEAVER_DO_STAND_IN_QUEUE = 7,
    SD_LEAVER_DO_STAND_IN_RING = 8,
    SD_LEAVER_DO_RELAY = 9,
    SD_LEAVER_DO_KEEP = 10,
};
struct sd_leaver {
    uint32_t state;
};
void sd_leaver_start(struct sd_leaver *m);
uint32_t sd_leaver_step(struct sd_leaver *m, uint32_t event, uint64_t arg);
extern const char *const sd_leaver_state_name[8];
extern const char *const sd_leaver_event_name[11];
extern const char *const sd_leaver_effect_name[11];
enum sd_follower_state {
    SD_FOLLOWER_BEHIND = 0,
    SD_FOLLOWER_ASKING = 1,
    SD_FOLLOWER_SHOWING = 2,
    SD_FOLLOWER_FOLLOWED = 3,
};
enum sd_follower_event {
    SD_FOLLOWER_EV_CALL = 0,
    SD_FOLLOWER_EV_GOT = 1,
    SD_FOLLOWER_EV_REFUSED = 2,
    SD_FOLLOWER_EV_SHOWN = 3,
};
enum sd_follower_effect {
    SD_FOLLOWER_DO_FETCH = 1,
    SD_FOLLOWER_DO_SHOW = 2,
    SD_FOLLOWER_DO_GIVE_BACK = 3,
};
struct sd_follower {
    uint32_t state;
};
void sd_follower_start(struct sd_follower *m);
uint32_t sd_follower_step(struct sd_follower *m, uint32_t event, uint64_t arg);
extern const char *const sd_follower_state_name[4];
extern const char *const sd_follower_event_name[4];
extern const char *const sd_follower_effect_name[4];
enum sd_joiner_state {
    SD_JOINER_APART = 0,
    SD_JOINER_HOPING = 1,
    SD_JOINER_ASKING = 2,
    SD_JOINER_ANSWERING = 3,
};
enum sd_joiner_event {
    SD_JOINER_EV_MEET = 0,
    SD_JOINER_EV_CALL = 1,
    SD_JOINER_EV_INVITED = 2,
    SD_JOINER_EV_GRANTED = 3,
    SD_JOINER_EV_REFUSED = 4,
};
enum sd_joiner_effect {
    SD_JOINER_DO_ASK = 1,
    SD_JOINER_DO_ATTACH = 2,
};
struct sd_joiner {
    uint64_t calls;
    uint64_t patience;
    uint32_t state;
};
void sd_joiner_start(struct sd_joiner *m);
uint32_t sd_joiner_step(struct sd_joiner *m, uint32_t event, uint64_t arg);
extern const char *const sd_joiner_state_name[4];
extern const char *const sd_joiner_event_name[5];
extern const char *const sd_joiner_effect_name[3];
enum sd_join_state {
    SD_JOIN_NONE = 0,
    SD_JOIN_INVITED = 1,
    SD_JOIN_MET = 2,
    SD_JOIN_ENDED = 3,
};
enum sd_join_event {
    SD_JOIN_EV_ASKED = 0,
    SD_JOIN_EV_ANSWERED = 1,
    SD_JOIN_EV_DENIED = 2,
    SD_JOIN_EV_GONE = 3,
    SD_JOIN_EV_STALE = 4,
};
enum sd_join_effect {
    SD_JOIN_DO_INVITE = 1,
    SD_JOIN_DO_MEET = 2,
    SD_JOIN_DO_INVITE_FIRST = 3,
    SD_JOIN_DO_SEND_SLAB = 4,
    SD_JOIN_DO_DENY = 5,
    SD_JOIN_DO_FORGET = 6,
};
struct sd_join {
    uint32_t state;
};
void sd_join_start(struct sd_join *m);
uint32_t sd_join_step(struct sd_join *m, uint32_t event, uint64_t arg);
extern const char *const sd_join_state_name[4];
extern const char *const sd_join_event_name[5];
extern const char *const sd_join_effect_name[7];

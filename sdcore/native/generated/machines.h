/* Generated from the machines of sdcore/protocol. Change that, then run: nox -s gen
 * Every decision of the protocol.
 */
#ifndef SD_GENERATED_MACHINES_H
#define SD_GENERATED_MACHINES_H

#include <stdint.h>

#define SD_NO_ROW UINT32_MAX

#ifdef SD_RECORD /* which instance this is in the log of a run, and how many lines it has there: see record.h */
#define SD_RECORDED uint64_t instance; uint32_t steps;
#else
#define SD_RECORDED
#endif

/* Of some machines who may not take a step still looks at the state: it is read and written as one word. */
#define SD_STATE_OF(m) __atomic_load_n(&(m)->state, __ATOMIC_RELAXED)
#define SD_BECOME(m, next) __atomic_store_n(&(m)->state, (uint32_t)(next), __ATOMIC_RELAXED)

/* attach: A process and its monitor, seen from the process. */
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
__attribute__((unused)) static const char *const sd_attach_state_name[5] = {"DETACHED", "CALLING", "ATTACHED", "LOST", "FORKED"};
__attribute__((unused)) static const char *const sd_attach_event_name[7] = {"NEED", "WELCOME", "REFUSED", "NO_MONITOR", "CONNECTION_LOST", "RETRY_DUE", "FORK_CHILD"};
__attribute__((unused)) static const char *const sd_attach_effect_name[7] = {"", "CONNECT_MONITOR", "SEND_HELLO", "USE_KERNEL", "SCHEDULE_RETRY", "REGISTER_LISTENERS", "DROP_CONTROL"};
struct sd_attach {
    uint32_t state;
    SD_RECORDED
};

static inline void sd_attach_start(struct sd_attach *m)
{
    m->state = SD_ATTACH_DETACHED;
}

static inline uint32_t sd_attach_step(struct sd_attach *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event) {
    case SD_ATTACH_EV_NEED:
        switch (m->state) {
        case SD_ATTACH_DETACHED:
            m->state = SD_ATTACH_CALLING; return SD_ATTACH_DO_CONNECT_MONITOR | (uint32_t)SD_ATTACH_DO_SEND_HELLO << 8; /* DETACHED NEED CONNECT_MONITOR SEND_HELLO -> CALLING */
        case SD_ATTACH_CALLING:
            return SD_ATTACH_DO_USE_KERNEL; /* CALLING NEED USE_KERNEL -> CALLING */
        case SD_ATTACH_ATTACHED:
            return 0; /* ATTACHED NEED -> ATTACHED */
        case SD_ATTACH_LOST:
            return SD_ATTACH_DO_USE_KERNEL; /* LOST NEED USE_KERNEL -> LOST */
        case SD_ATTACH_FORKED:
            m->state = SD_ATTACH_CALLING; return SD_ATTACH_DO_CONNECT_MONITOR | (uint32_t)SD_ATTACH_DO_SEND_HELLO << 8; /* FORKED NEED CONNECT_MONITOR SEND_HELLO -> CALLING */
        }
        break;
    case SD_ATTACH_EV_WELCOME:
        switch (m->state) {
        case SD_ATTACH_CALLING:
            m->state = SD_ATTACH_ATTACHED; return SD_ATTACH_DO_REGISTER_LISTENERS; /* CALLING WELCOME REGISTER_LISTENERS -> ATTACHED */
        }
        break;
    case SD_ATTACH_EV_REFUSED:
        switch (m->state) {
        case SD_ATTACH_CALLING:
            m->state = SD_ATTACH_LOST; return SD_ATTACH_DO_DROP_CONTROL | (uint32_t)SD_ATTACH_DO_SCHEDULE_RETRY << 8 | (uint32_t)SD_ATTACH_DO_USE_KERNEL << 16; /* CALLING REFUSED DROP_CONTROL SCHEDULE_RETRY USE_KERNEL -> LOST */
        }
        break;
    case SD_ATTACH_EV_NO_MONITOR:
        switch (m->state) {
        case SD_ATTACH_CALLING:
            m->state = SD_ATTACH_LOST; return SD_ATTACH_DO_SCHEDULE_RETRY | (uint32_t)SD_ATTACH_DO_USE_KERNEL << 8; /* CALLING NO_MONITOR SCHEDULE_RETRY USE_KERNEL -> LOST */
        }
        break;
    case SD_ATTACH_EV_CONNECTION_LOST:
        switch (m->state) {
        case SD_ATTACH_CALLING:
            m->state = SD_ATTACH_LOST; return SD_ATTACH_DO_DROP_CONTROL | (uint32_t)SD_ATTACH_DO_SCHEDULE_RETRY << 8 | (uint32_t)SD_ATTACH_DO_USE_KERNEL << 16; /* CALLING CONNECTION_LOST DROP_CONTROL SCHEDULE_RETRY USE_KERNEL -> LOST */
        case SD_ATTACH_ATTACHED:
            m->state = SD_ATTACH_LOST; return SD_ATTACH_DO_DROP_CONTROL | (uint32_t)SD_ATTACH_DO_SCHEDULE_RETRY << 8 | (uint32_t)SD_ATTACH_DO_USE_KERNEL << 16; /* ATTACHED CONNECTION_LOST DROP_CONTROL SCHEDULE_RETRY USE_KERNEL -> LOST */
        case SD_ATTACH_LOST:
            return 0; /* LOST CONNECTION_LOST -> LOST */
        }
        break;
    case SD_ATTACH_EV_RETRY_DUE:
        switch (m->state) {
        case SD_ATTACH_DETACHED:
            return 0; /* DETACHED RETRY_DUE -> DETACHED */
        case SD_ATTACH_CALLING:
            return 0; /* CALLING RETRY_DUE -> CALLING */
        case SD_ATTACH_ATTACHED:
            return 0; /* ATTACHED RETRY_DUE -> ATTACHED */
        case SD_ATTACH_LOST:
            m->state = SD_ATTACH_CALLING; return SD_ATTACH_DO_CONNECT_MONITOR | (uint32_t)SD_ATTACH_DO_SEND_HELLO << 8; /* LOST RETRY_DUE CONNECT_MONITOR SEND_HELLO -> CALLING */
        case SD_ATTACH_FORKED:
            return 0; /* FORKED RETRY_DUE -> FORKED */
        }
        break;
    case SD_ATTACH_EV_FORK_CHILD:
        switch (m->state) {
        case SD_ATTACH_DETACHED:
            return 0; /* DETACHED FORK_CHILD -> DETACHED */
        case SD_ATTACH_CALLING:
            m->state = SD_ATTACH_FORKED; return SD_ATTACH_DO_DROP_CONTROL; /* CALLING FORK_CHILD DROP_CONTROL -> FORKED */
        case SD_ATTACH_ATTACHED:
            m->state = SD_ATTACH_FORKED; return SD_ATTACH_DO_DROP_CONTROL; /* ATTACHED FORK_CHILD DROP_CONTROL -> FORKED */
        case SD_ATTACH_LOST:
            return 0; /* LOST FORK_CHILD -> LOST */
        case SD_ATTACH_FORKED:
            return 0; /* FORKED FORK_CHILD -> FORKED */
        }
        break;
    }
    return SD_NO_ROW;
}

/* attach_monitor: A process and its monitor, seen from the monitor. */
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
__attribute__((unused)) static const char *const sd_attach_monitor_state_name[4] = {"NEW", "ATTACHED", "DRAINED", "DEAD"};
__attribute__((unused)) static const char *const sd_attach_monitor_event_name[9] = {"PARENT_PROVEN", "HELLO_OK", "HELLO_BAD", "PIDFD_READY", "REPLACED", "HELLO_AGAIN", "CONNECTION_CLOSED", "DRAIN", "SHARES"};
__attribute__((unused)) static const char *const sd_attach_monitor_effect_name[8] = {"", "JOIN_FAMILY", "WATCH_PIDFD", "SEND_WELCOME", "REFUSE", "DENY_DRAINED", "DRAIN_ALL", "SWEEP"};
struct sd_attach_monitor {
    uint32_t state;
    SD_RECORDED
};

static inline void sd_attach_monitor_start(struct sd_attach_monitor *m)
{
    m->state = SD_ATTACH_MONITOR_NEW;
}

static inline uint32_t sd_attach_monitor_step(struct sd_attach_monitor *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event) {
    case SD_ATTACH_MONITOR_EV_PARENT_PROVEN:
        switch (m->state) {
        case SD_ATTACH_MONITOR_NEW:
            return SD_ATTACH_MONITOR_DO_JOIN_FAMILY; /* NEW PARENT_PROVEN JOIN_FAMILY -> NEW */
        }
        break;
    case SD_ATTACH_MONITOR_EV_HELLO_OK:
        switch (m->state) {
        case SD_ATTACH_MONITOR_NEW:
            m->state = SD_ATTACH_MONITOR_ATTACHED; return SD_ATTACH_MONITOR_DO_WATCH_PIDFD | (uint32_t)SD_ATTACH_MONITOR_DO_SEND_WELCOME << 8; /* NEW HELLO_OK WATCH_PIDFD SEND_WELCOME -> ATTACHED */
        }
        break;
    case SD_ATTACH_MONITOR_EV_HELLO_BAD:
        switch (m->state) {
        case SD_ATTACH_MONITOR_NEW:
            m->state = SD_ATTACH_MONITOR_DEAD; return SD_ATTACH_MONITOR_DO_REFUSE; /* NEW HELLO_BAD REFUSE -> DEAD */
        }
        break;
    case SD_ATTACH_MONITOR_EV_PIDFD_READY:
        switch (m->state) {
        case SD_ATTACH_MONITOR_ATTACHED:
            m->state = SD_ATTACH_MONITOR_DEAD; return SD_ATTACH_MONITOR_DO_SWEEP; /* ATTACHED PIDFD_READY SWEEP -> DEAD */
        case SD_ATTACH_MONITOR_DRAINED:
            m->state = SD_ATTACH_MONITOR_DEAD; return SD_ATTACH_MONITOR_DO_SWEEP; /* DRAINED PIDFD_READY SWEEP -> DEAD */
        case SD_ATTACH_MONITOR_DEAD:
            return 0; /* DEAD PIDFD_READY -> DEAD */
        }
        break;
    case SD_ATTACH_MONITOR_EV_REPLACED:
        switch (m->state) {
        case SD_ATTACH_MONITOR_ATTACHED:
            m->state = SD_ATTACH_MONITOR_DEAD; return SD_ATTACH_MONITOR_DO_SWEEP; /* ATTACHED REPLACED SWEEP -> DEAD */
        case SD_ATTACH_MONITOR_DRAINED:
            m->state = SD_ATTACH_MONITOR_DEAD; return SD_ATTACH_MONITOR_DO_SWEEP; /* DRAINED REPLACED SWEEP -> DEAD */
        case SD_ATTACH_MONITOR_DEAD:
            return 0; /* DEAD REPLACED -> DEAD */
        }
        break;
    case SD_ATTACH_MONITOR_EV_HELLO_AGAIN:
        switch (m->state) {
        case SD_ATTACH_MONITOR_ATTACHED:
            return SD_ATTACH_MONITOR_DO_SEND_WELCOME; /* ATTACHED HELLO_AGAIN SEND_WELCOME -> ATTACHED */
        case SD_ATTACH_MONITOR_DRAINED:
            return SD_ATTACH_MONITOR_DO_SEND_WELCOME; /* DRAINED HELLO_AGAIN SEND_WELCOME -> DRAINED */
        }
        break;
    case SD_ATTACH_MONITOR_EV_CONNECTION_CLOSED:
        switch (m->state) {
        case SD_ATTACH_MONITOR_NEW:
            m->state = SD_ATTACH_MONITOR_DEAD; return 0; /* NEW CONNECTION_CLOSED -> DEAD */
        case SD_ATTACH_MONITOR_ATTACHED:
            return 0; /* ATTACHED CONNECTION_CLOSED -> ATTACHED */
        case SD_ATTACH_MONITOR_DRAINED:
            return 0; /* DRAINED CONNECTION_CLOSED -> DRAINED */
        case SD_ATTACH_MONITOR_DEAD:
            return 0; /* DEAD CONNECTION_CLOSED -> DEAD */
        }
        break;
    case SD_ATTACH_MONITOR_EV_DRAIN:
        switch (m->state) {
        case SD_ATTACH_MONITOR_ATTACHED:
            m->state = SD_ATTACH_MONITOR_DRAINED; return SD_ATTACH_MONITOR_DO_DRAIN_ALL; /* ATTACHED DRAIN DRAIN_ALL -> DRAINED */
        case SD_ATTACH_MONITOR_DRAINED:
            return 0; /* DRAINED DRAIN -> DRAINED */
        }
        break;
    case SD_ATTACH_MONITOR_EV_SHARES:
        switch (m->state) {
        case SD_ATTACH_MONITOR_ATTACHED:
            return 0; /* ATTACHED SHARES -> ATTACHED */
        case SD_ATTACH_MONITOR_DRAINED:
            return SD_ATTACH_MONITOR_DO_DENY_DRAINED; /* DRAINED SHARES DENY_DRAINED -> DRAINED */
        }
        break;
    }
    return SD_NO_ROW;
}

/* listener: A listening socket in the library. */
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
__attribute__((unused)) static const char *const sd_listener_state_name[4] = {"CLOSED", "LISTENING", "REGISTERED", "UNREGISTERED"};
__attribute__((unused)) static const char *const sd_listener_event_name[6] = {"LISTEN", "REGISTERED_OK", "REGISTER_FAILED", "MONITOR_RETURNED", "ACCEPT", "CLOSE"};
__attribute__((unused)) static const char *const sd_listener_effect_name[5] = {"", "SAVE_SYN", "REGISTER", "UNREGISTER", "CHECK_HINT"};
struct sd_listener {
    uint32_t state;
    SD_RECORDED
};

static inline void sd_listener_start(struct sd_listener *m)
{
    m->state = SD_LISTENER_CLOSED;
}

static inline uint32_t sd_listener_step(struct sd_listener *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event) {
    case SD_LISTENER_EV_LISTEN:
        switch (m->state) {
        case SD_LISTENER_CLOSED:
            m->state = SD_LISTENER_LISTENING; return SD_LISTENER_DO_SAVE_SYN | (uint32_t)SD_LISTENER_DO_REGISTER << 8; /* CLOSED LISTEN SAVE_SYN REGISTER -> LISTENING */
        case SD_LISTENER_LISTENING:
            return 0; /* LISTENING LISTEN -> LISTENING */
        case SD_LISTENER_REGISTERED:
            return 0; /* REGISTERED LISTEN -> REGISTERED */
        case SD_LISTENER_UNREGISTERED:
            m->state = SD_LISTENER_LISTENING; return SD_LISTENER_DO_REGISTER; /* UNREGISTERED LISTEN REGISTER -> LISTENING */
        }
        break;
    case SD_LISTENER_EV_REGISTERED_OK:
        switch (m->state) {
        case SD_LISTENER_LISTENING:
            m->state = SD_LISTENER_REGISTERED; return 0; /* LISTENING REGISTERED_OK -> REGISTERED */
        }
        break;
    case SD_LISTENER_EV_REGISTER_FAILED:
        switch (m->state) {
        case SD_LISTENER_LISTENING:
            m->state = SD_LISTENER_UNREGISTERED; return 0; /* LISTENING REGISTER_FAILED -> UNREGISTERED */
        }
        break;
    case SD_LISTENER_EV_MONITOR_RETURNED:
        switch (m->state) {
        case SD_LISTENER_CLOSED:
            return 0; /* CLOSED MONITOR_RETURNED -> CLOSED */
        case SD_LISTENER_LISTENING:
            return 0; /* LISTENING MONITOR_RETURNED -> LISTENING */
        case SD_LISTENER_REGISTERED:
            m->state = SD_LISTENER_LISTENING; return SD_LISTENER_DO_REGISTER; /* REGISTERED MONITOR_RETURNED REGISTER -> LISTENING */
        case SD_LISTENER_UNREGISTERED:
            m->state = SD_LISTENER_LISTENING; return SD_LISTENER_DO_REGISTER; /* UNREGISTERED MONITOR_RETURNED REGISTER -> LISTENING */
        }
        break;
    case SD_LISTENER_EV_ACCEPT:
        switch (m->state) {
        case SD_LISTENER_LISTENING:
            return SD_LISTENER_DO_CHECK_HINT; /* LISTENING ACCEPT CHECK_HINT -> LISTENING */
        case SD_LISTENER_REGISTERED:
            return SD_LISTENER_DO_CHECK_HINT; /* REGISTERED ACCEPT CHECK_HINT -> REGISTERED */
        case SD_LISTENER_UNREGISTERED:
            return SD_LISTENER_DO_CHECK_HINT; /* UNREGISTERED ACCEPT CHECK_HINT -> UNREGISTERED */
        }
        break;
    case SD_LISTENER_EV_CLOSE:
        switch (m->state) {
        case SD_LISTENER_CLOSED:
            return 0; /* CLOSED CLOSE -> CLOSED */
        case SD_LISTENER_LISTENING:
            m->state = SD_LISTENER_CLOSED; return SD_LISTENER_DO_UNREGISTER; /* LISTENING CLOSE UNREGISTER -> CLOSED */
        case SD_LISTENER_REGISTERED:
            m->state = SD_LISTENER_CLOSED; return SD_LISTENER_DO_UNREGISTER; /* REGISTERED CLOSE UNREGISTER -> CLOSED */
        case SD_LISTENER_UNREGISTERED:
            m->state = SD_LISTENER_CLOSED; return 0; /* UNREGISTERED CLOSE -> CLOSED */
        }
        break;
    }
    return SD_NO_ROW;
}

/* listener_monitor: A listening socket as the monitor knows it. */
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
__attribute__((unused)) static const char *const sd_listener_monitor_state_name[4] = {"ABSENT", "ACTIVE", "DRAINED", "GONE"};
__attribute__((unused)) static const char *const sd_listener_monitor_event_name[6] = {"REGISTER", "JOIN", "LEAVE", "DRAIN", "CLEAN", "LEASES"};
__attribute__((unused)) static const char *const sd_listener_monitor_effect_name[6] = {"", "BUMP_LISTENERS", "REVOKE_LEASES", "DRAIN_LEASES", "DENY_DRAINED", "FORGET"};
struct sd_listener_monitor {
    uint32_t state;
    SD_RECORDED
};

static inline void sd_listener_monitor_start(struct sd_listener_monitor *m)
{
    m->state = SD_LISTENER_MONITOR_ABSENT;
}

static inline uint32_t sd_listener_monitor_step(struct sd_listener_monitor *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event) {
    case SD_LISTENER_MONITOR_EV_REGISTER:
        switch (m->state) {
        case SD_LISTENER_MONITOR_ABSENT:
            m->state = SD_LISTENER_MONITOR_ACTIVE; return SD_LISTENER_MONITOR_DO_BUMP_LISTENERS; /* ABSENT REGISTER BUMP_LISTENERS -> ACTIVE */
        }
        break;
    case SD_LISTENER_MONITOR_EV_JOIN:
        switch (m->state) {
        case SD_LISTENER_MONITOR_ACTIVE:
            return 0; /* ACTIVE JOIN -> ACTIVE */
        case SD_LISTENER_MONITOR_DRAINED:
            return 0; /* DRAINED JOIN -> DRAINED */
        }
        break;
    case SD_LISTENER_MONITOR_EV_LEAVE:
        switch (m->state) {
        case SD_LISTENER_MONITOR_ACTIVE:
            if (arg > 0ULL) { return 0; } /* ACTIVE LEAVE [arg > 0] -> ACTIVE */
            m->state = SD_LISTENER_MONITOR_GONE; return SD_LISTENER_MONITOR_DO_REVOKE_LEASES | (uint32_t)SD_LISTENER_MONITOR_DO_FORGET << 8; /* ACTIVE LEAVE REVOKE_LEASES FORGET -> GONE */
        case SD_LISTENER_MONITOR_DRAINED:
            if (arg > 0ULL) { return 0; } /* DRAINED LEAVE [arg > 0] -> DRAINED */
            m->state = SD_LISTENER_MONITOR_GONE; return SD_LISTENER_MONITOR_DO_REVOKE_LEASES | (uint32_t)SD_LISTENER_MONITOR_DO_FORGET << 8; /* DRAINED LEAVE REVOKE_LEASES FORGET -> GONE */
        case SD_LISTENER_MONITOR_GONE:
            return 0; /* GONE LEAVE -> GONE */
        }
        break;
    case SD_LISTENER_MONITOR_EV_DRAIN:
        switch (m->state) {
        case SD_LISTENER_MONITOR_ACTIVE:
            m->state = SD_LISTENER_MONITOR_DRAINED; return SD_LISTENER_MONITOR_DO_DRAIN_LEASES; /* ACTIVE DRAIN DRAIN_LEASES -> DRAINED */
        case SD_LISTENER_MONITOR_DRAINED:
            return 0; /* DRAINED DRAIN -> DRAINED */
        }
        break;
    case SD_LISTENER_MONITOR_EV_CLEAN:
        switch (m->state) {
        case SD_LISTENER_MONITOR_ACTIVE:
            return 0; /* ACTIVE CLEAN -> ACTIVE */
        case SD_LISTENER_MONITOR_DRAINED:
            m->state = SD_LISTENER_MONITOR_ACTIVE; return SD_LISTENER_MONITOR_DO_BUMP_LISTENERS; /* DRAINED CLEAN BUMP_LISTENERS -> ACTIVE */
        }
        break;
    case SD_LISTENER_MONITOR_EV_LEASES:
        switch (m->state) {
        case SD_LISTENER_MONITOR_ACTIVE:
            return 0; /* ACTIVE LEASES -> ACTIVE */
        case SD_LISTENER_MONITOR_DRAINED:
            return SD_LISTENER_MONITOR_DO_DENY_DRAINED; /* DRAINED LEASES DENY_DRAINED -> DRAINED */
        }
        break;
    }
    return SD_NO_ROW;
}

/* lease: One client process and one listener, as the monitor sees them. */
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
__attribute__((unused)) static const char *const sd_lease_state_name[7] = {"NONE", "GRANTED", "REVOKED", "DRAINED", "CLOSED", "DRAINING", "ENDED"};
__attribute__((unused)) static const char *const sd_lease_event_name[11] = {"REQUEST_ALLOWED", "REQUEST_DENIED", "REQUEST_MORE", "CLIENT_DIED", "LISTENER_GONE", "POLICY_CHANGED", "DRAIN", "SERVER_DIED", "SLAB_FAILED", "OFFERS_TAKEN", "UNUSED"};
__attribute__((unused)) static const char *const sd_lease_effect_name[12] = {"", "MAKE_SLAB", "BUMP_LEASES", "SEND_SLAB", "DENY", "MARK_REVOKED", "MARK_DRAINED", "PRESS", "POKE", "WATCH_OFFERS", "WATCH_USE", "FREE_SLAB"};
struct sd_lease {
    uint32_t state;
    SD_RECORDED
};

static inline void sd_lease_start(struct sd_lease *m)
{
    m->state = SD_LEASE_NONE;
}

static inline uint32_t sd_lease_step(struct sd_lease *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event) {
    case SD_LEASE_EV_REQUEST_ALLOWED:
        switch (m->state) {
        case SD_LEASE_NONE:
            m->state = SD_LEASE_GRANTED; return SD_LEASE_DO_MAKE_SLAB | (uint32_t)SD_LEASE_DO_BUMP_LEASES << 8 | (uint32_t)SD_LEASE_DO_SEND_SLAB << 16; /* NONE REQUEST_ALLOWED MAKE_SLAB BUMP_LEASES SEND_SLAB -> GRANTED */
        case SD_LEASE_GRANTED:
            return SD_LEASE_DO_SEND_SLAB; /* GRANTED REQUEST_ALLOWED SEND_SLAB -> GRANTED */
        case SD_LEASE_REVOKED:
            m->state = SD_LEASE_GRANTED; return SD_LEASE_DO_MAKE_SLAB | (uint32_t)SD_LEASE_DO_BUMP_LEASES << 8 | (uint32_t)SD_LEASE_DO_SEND_SLAB << 16; /* REVOKED REQUEST_ALLOWED MAKE_SLAB BUMP_LEASES SEND_SLAB -> GRANTED */
        case SD_LEASE_DRAINED:
            m->state = SD_LEASE_GRANTED; return SD_LEASE_DO_MAKE_SLAB | (uint32_t)SD_LEASE_DO_BUMP_LEASES << 8 | (uint32_t)SD_LEASE_DO_SEND_SLAB << 16; /* DRAINED REQUEST_ALLOWED MAKE_SLAB BUMP_LEASES SEND_SLAB -> GRANTED */
        }
        break;
    case SD_LEASE_EV_REQUEST_DENIED:
        switch (m->state) {
        case SD_LEASE_NONE:
            return SD_LEASE_DO_DENY; /* NONE REQUEST_DENIED DENY -> NONE */
        case SD_LEASE_GRANTED:
            return SD_LEASE_DO_DENY; /* GRANTED REQUEST_DENIED DENY -> GRANTED */
        case SD_LEASE_REVOKED:
            return SD_LEASE_DO_DENY; /* REVOKED REQUEST_DENIED DENY -> REVOKED */
        case SD_LEASE_DRAINED:
            return SD_LEASE_DO_DENY; /* DRAINED REQUEST_DENIED DENY -> DRAINED */
        }
        break;
    case SD_LEASE_EV_REQUEST_MORE:
        switch (m->state) {
        case SD_LEASE_NONE:
            m->state = SD_LEASE_GRANTED; return SD_LEASE_DO_MAKE_SLAB | (uint32_t)SD_LEASE_DO_BUMP_LEASES << 8 | (uint32_t)SD_LEASE_DO_SEND_SLAB << 16; /* NONE REQUEST_MORE MAKE_SLAB BUMP_LEASES SEND_SLAB -> GRANTED */
        case SD_LEASE_GRANTED:
            return SD_LEASE_DO_MAKE_SLAB | (uint32_t)SD_LEASE_DO_BUMP_LEASES << 8 | (uint32_t)SD_LEASE_DO_SEND_SLAB << 16; /* GRANTED REQUEST_MORE MAKE_SLAB BUMP_LEASES SEND_SLAB -> GRANTED */
        case SD_LEASE_REVOKED:
            m->state = SD_LEASE_GRANTED; return SD_LEASE_DO_MAKE_SLAB | (uint32_t)SD_LEASE_DO_BUMP_LEASES << 8 | (uint32_t)SD_LEASE_DO_SEND_SLAB << 16; /* REVOKED REQUEST_MORE MAKE_SLAB BUMP_LEASES SEND_SLAB -> GRANTED */
        case SD_LEASE_DRAINED:
            m->state = SD_LEASE_GRANTED; return SD_LEASE_DO_MAKE_SLAB | (uint32_t)SD_LEASE_DO_BUMP_LEASES << 8 | (uint32_t)SD_LEASE_DO_SEND_SLAB << 16; /* DRAINED REQUEST_MORE MAKE_SLAB BUMP_LEASES SEND_SLAB -> GRANTED */
        }
        break;
    case SD_LEASE_EV_CLIENT_DIED:
        switch (m->state) {
        case SD_LEASE_NONE:
            m->state = SD_LEASE_ENDED; return 0; /* NONE CLIENT_DIED -> ENDED */
        case SD_LEASE_GRANTED:
            m->state = SD_LEASE_DRAINING; return SD_LEASE_DO_MARK_REVOKED | (uint32_t)SD_LEASE_DO_POKE << 8 | (uint32_t)SD_LEASE_DO_WATCH_OFFERS << 16; /* GRANTED CLIENT_DIED MARK_REVOKED POKE WATCH_OFFERS -> DRAINING */
        case SD_LEASE_REVOKED:
            m->state = SD_LEASE_DRAINING; return SD_LEASE_DO_POKE | (uint32_t)SD_LEASE_DO_WATCH_OFFERS << 8; /* REVOKED CLIENT_DIED POKE WATCH_OFFERS -> DRAINING */
        case SD_LEASE_DRAINED:
            m->state = SD_LEASE_DRAINING; return SD_LEASE_DO_POKE | (uint32_t)SD_LEASE_DO_WATCH_OFFERS << 8; /* DRAINED CLIENT_DIED POKE WATCH_OFFERS -> DRAINING */
        case SD_LEASE_CLOSED:
            m->state = SD_LEASE_ENDED; return SD_LEASE_DO_POKE | (uint32_t)SD_LEASE_DO_FREE_SLAB << 8; /* CLOSED CLIENT_DIED POKE FREE_SLAB -> ENDED */
        case SD_LEASE_DRAINING:
            return 0; /* DRAINING CLIENT_DIED -> DRAINING */
        case SD_LEASE_ENDED:
            return 0; /* ENDED CLIENT_DIED -> ENDED */
        }
        break;
    case SD_LEASE_EV_LISTENER_GONE:
        switch (m->state) {
        case SD_LEASE_NONE:
            return 0; /* NONE LISTENER_GONE -> NONE */
        case SD_LEASE_GRANTED:
            m->state = SD_LEASE_CLOSED; return SD_LEASE_DO_MARK_REVOKED | (uint32_t)SD_LEASE_DO_WATCH_USE << 8; /* GRANTED LISTENER_GONE MARK_REVOKED WATCH_USE -> CLOSED */
        case SD_LEASE_REVOKED:
            m->state = SD_LEASE_CLOSED; return SD_LEASE_DO_WATCH_USE; /* REVOKED LISTENER_GONE WATCH_USE -> CLOSED */
        case SD_LEASE_DRAINED:
            m->state = SD_LEASE_CLOSED; return 0; /* DRAINED LISTENER_GONE -> CLOSED */
        case SD_LEASE_CLOSED:
            return 0; /* CLOSED LISTENER_GONE -> CLOSED */
        case SD_LEASE_DRAINING:
            m->state = SD_LEASE_ENDED; return SD_LEASE_DO_FREE_SLAB; /* DRAINING LISTENER_GONE FREE_SLAB -> ENDED */
        case SD_LEASE_ENDED:
            return 0; /* ENDED LISTENER_GONE -> ENDED */
        }
        break;
    case SD_LEASE_EV_POLICY_CHANGED:
        switch (m->state) {
        case SD_LEASE_NONE:
            return 0; /* NONE POLICY_CHANGED -> NONE */
        case SD_LEASE_GRANTED:
            m->state = SD_LEASE_REVOKED; return SD_LEASE_DO_MARK_REVOKED; /* GRANTED POLICY_CHANGED MARK_REVOKED -> REVOKED */
        case SD_LEASE_REVOKED:
            return 0; /* REVOKED POLICY_CHANGED -> REVOKED */
        case SD_LEASE_DRAINED:
            return 0; /* DRAINED POLICY_CHANGED -> DRAINED */
        case SD_LEASE_CLOSED:
            return 0; /* CLOSED POLICY_CHANGED -> CLOSED */
        case SD_LEASE_DRAINING:
            return 0; /* DRAINING POLICY_CHANGED -> DRAINING */
        case SD_LEASE_ENDED:
            return 0; /* ENDED POLICY_CHANGED -> ENDED */
        }
        break;
    case SD_LEASE_EV_DRAIN:
        switch (m->state) {
        case SD_LEASE_NONE:
            return 0; /* NONE DRAIN -> NONE */
        case SD_LEASE_GRANTED:
            m->state = SD_LEASE_DRAINED; return SD_LEASE_DO_MARK_DRAINED | (uint32_t)SD_LEASE_DO_PRESS << 8; /* GRANTED DRAIN MARK_DRAINED PRESS -> DRAINED */
        case SD_LEASE_REVOKED:
            m->state = SD_LEASE_DRAINED; return SD_LEASE_DO_MARK_DRAINED | (uint32_t)SD_LEASE_DO_PRESS << 8; /* REVOKED DRAIN MARK_DRAINED PRESS -> DRAINED */
        case SD_LEASE_DRAINED:
            return 0; /* DRAINED DRAIN -> DRAINED */
        case SD_LEASE_CLOSED:
            return SD_LEASE_DO_MARK_DRAINED | (uint32_t)SD_LEASE_DO_PRESS << 8; /* CLOSED DRAIN MARK_DRAINED PRESS -> CLOSED */
        case SD_LEASE_DRAINING:
            return 0; /* DRAINING DRAIN -> DRAINING */
        case SD_LEASE_ENDED:
            return 0; /* ENDED DRAIN -> ENDED */
        }
        break;
    case SD_LEASE_EV_SERVER_DIED:
        switch (m->state) {
        case SD_LEASE_NONE:
            return 0; /* NONE SERVER_DIED -> NONE */
        case SD_LEASE_GRANTED:
            if (arg > 0ULL) { return SD_LEASE_DO_POKE; } /* GRANTED SERVER_DIED [arg > 0] POKE -> GRANTED */
            m->state = SD_LEASE_CLOSED; return SD_LEASE_DO_MARK_REVOKED | (uint32_t)SD_LEASE_DO_POKE << 8 | (uint32_t)SD_LEASE_DO_WATCH_USE << 16; /* GRANTED SERVER_DIED MARK_REVOKED POKE WATCH_USE -> CLOSED */
        case SD_LEASE_REVOKED:
            if (arg > 0ULL) { return SD_LEASE_DO_POKE; } /* REVOKED SERVER_DIED [arg > 0] POKE -> REVOKED */
            m->state = SD_LEASE_CLOSED; return SD_LEASE_DO_POKE | (uint32_t)SD_LEASE_DO_WATCH_USE << 8; /* REVOKED SERVER_DIED POKE WATCH_USE -> CLOSED */
        case SD_LEASE_DRAINED:
            if (arg > 0ULL) { return SD_LEASE_DO_POKE; } /* DRAINED SERVER_DIED [arg > 0] POKE -> DRAINED */
            m->state = SD_LEASE_CLOSED; return SD_LEASE_DO_POKE; /* DRAINED SERVER_DIED POKE -> CLOSED */
        case SD_LEASE_CLOSED:
            m->state = SD_LEASE_ENDED; return SD_LEASE_DO_POKE | (uint32_t)SD_LEASE_DO_FREE_SLAB << 8; /* CLOSED SERVER_DIED POKE FREE_SLAB -> ENDED */
        case SD_LEASE_DRAINING:
            if (arg > 0ULL) { return 0; } /* DRAINING SERVER_DIED [arg > 0] -> DRAINING */
            m->state = SD_LEASE_ENDED; return SD_LEASE_DO_FREE_SLAB; /* DRAINING SERVER_DIED FREE_SLAB -> ENDED */
        case SD_LEASE_ENDED:
            return 0; /* ENDED SERVER_DIED -> ENDED */
        }
        break;
    case SD_LEASE_EV_SLAB_FAILED:
        switch (m->state) {
        case SD_LEASE_GRANTED:
            if (arg > 0ULL) { return SD_LEASE_DO_DENY; } /* GRANTED SLAB_FAILED [arg > 0] DENY -> GRANTED */
            m->state = SD_LEASE_NONE; return SD_LEASE_DO_DENY; /* GRANTED SLAB_FAILED DENY -> NONE */
        case SD_LEASE_CLOSED:
            m->state = SD_LEASE_ENDED; return SD_LEASE_DO_DENY; /* CLOSED SLAB_FAILED DENY -> ENDED */
        }
        break;
    case SD_LEASE_EV_OFFERS_TAKEN:
        switch (m->state) {
        case SD_LEASE_DRAINING:
            m->state = SD_LEASE_ENDED; return SD_LEASE_DO_FREE_SLAB; /* DRAINING OFFERS_TAKEN FREE_SLAB -> ENDED */
        }
        break;
    case SD_LEASE_EV_UNUSED:
        switch (m->state) {
        case SD_LEASE_GRANTED:
            return 0; /* GRANTED UNUSED -> GRANTED */
        case SD_LEASE_REVOKED:
            return 0; /* REVOKED UNUSED -> REVOKED */
        case SD_LEASE_DRAINED:
            m->state = SD_LEASE_NONE; return SD_LEASE_DO_FREE_SLAB; /* DRAINED UNUSED FREE_SLAB -> NONE */
        case SD_LEASE_CLOSED:
            m->state = SD_LEASE_ENDED; return SD_LEASE_DO_FREE_SLAB; /* CLOSED UNUSED FREE_SLAB -> ENDED */
        }
        break;
    }
    return SD_NO_ROW;
}

/* lease_client: What the library remembers of one destination. */
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
__attribute__((unused)) static const char *const sd_lease_client_state_name[6] = {"UNKNOWN", "ASKING", "LEASED", "ASKING_MORE", "REFUSED", "LOST"};
__attribute__((unused)) static const char *const sd_lease_client_event_name[9] = {"CONNECT", "FULL", "GRANT", "DENY", "NO_ANSWER", "REVOKED_SEEN", "GENERATION_MOVED", "UNANSWERED_OFFER", "BACKOFF_OVER"};
__attribute__((unused)) static const char *const sd_lease_client_effect_name[6] = {"", "ASK", "USE_SLAB", "USE_KERNEL", "DROP_SLAB", "START_BACKOFF"};
struct sd_lease_client {
    uint32_t state;
    SD_RECORDED
};

static inline void sd_lease_client_start(struct sd_lease_client *m)
{
    m->state = SD_LEASE_CLIENT_UNKNOWN;
}

static inline uint32_t sd_lease_client_step(struct sd_lease_client *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event) {
    case SD_LEASE_CLIENT_EV_CONNECT:
        switch (m->state) {
        case SD_LEASE_CLIENT_UNKNOWN:
            m->state = SD_LEASE_CLIENT_ASKING; return SD_LEASE_CLIENT_DO_ASK; /* UNKNOWN CONNECT ASK -> ASKING */
        case SD_LEASE_CLIENT_ASKING:
            return SD_LEASE_CLIENT_DO_USE_KERNEL; /* ASKING CONNECT USE_KERNEL -> ASKING */
        case SD_LEASE_CLIENT_LEASED:
            return SD_LEASE_CLIENT_DO_USE_SLAB; /* LEASED CONNECT USE_SLAB -> LEASED */
        case SD_LEASE_CLIENT_ASKING_MORE:
            return SD_LEASE_CLIENT_DO_USE_KERNEL; /* ASKING_MORE CONNECT USE_KERNEL -> ASKING_MORE */
        case SD_LEASE_CLIENT_REFUSED:
            return SD_LEASE_CLIENT_DO_USE_KERNEL; /* REFUSED CONNECT USE_KERNEL -> REFUSED */
        case SD_LEASE_CLIENT_LOST:
            return SD_LEASE_CLIENT_DO_USE_KERNEL; /* LOST CONNECT USE_KERNEL -> LOST */
        }
        break;
    case SD_LEASE_CLIENT_EV_FULL:
        switch (m->state) {
        case SD_LEASE_CLIENT_LEASED:
            m->state = SD_LEASE_CLIENT_ASKING_MORE; return SD_LEASE_CLIENT_DO_ASK; /* LEASED FULL ASK -> ASKING_MORE */
        }
        break;
    case SD_LEASE_CLIENT_EV_GRANT:
        switch (m->state) {
        case SD_LEASE_CLIENT_ASKING:
            m->state = SD_LEASE_CLIENT_LEASED; return SD_LEASE_CLIENT_DO_USE_SLAB; /* ASKING GRANT USE_SLAB -> LEASED */
        case SD_LEASE_CLIENT_ASKING_MORE:
            m->state = SD_LEASE_CLIENT_LEASED; return SD_LEASE_CLIENT_DO_USE_SLAB; /* ASKING_MORE GRANT USE_SLAB -> LEASED */
        }
        break;
    case SD_LEASE_CLIENT_EV_DENY:
        switch (m->state) {
        case SD_LEASE_CLIENT_ASKING:
            m->state = SD_LEASE_CLIENT_REFUSED; return SD_LEASE_CLIENT_DO_USE_KERNEL; /* ASKING DENY USE_KERNEL -> REFUSED */
        case SD_LEASE_CLIENT_ASKING_MORE:
            m->state = SD_LEASE_CLIENT_LEASED; return SD_LEASE_CLIENT_DO_USE_KERNEL; /* ASKING_MORE DENY USE_KERNEL -> LEASED */
        }
        break;
    case SD_LEASE_CLIENT_EV_NO_ANSWER:
        switch (m->state) {
        case SD_LEASE_CLIENT_ASKING:
            m->state = SD_LEASE_CLIENT_UNKNOWN; return SD_LEASE_CLIENT_DO_USE_KERNEL; /* ASKING NO_ANSWER USE_KERNEL -> UNKNOWN */
        case SD_LEASE_CLIENT_ASKING_MORE:
            m->state = SD_LEASE_CLIENT_LEASED; return SD_LEASE_CLIENT_DO_USE_KERNEL; /* ASKING_MORE NO_ANSWER USE_KERNEL -> LEASED */
        }
        break;
    case SD_LEASE_CLIENT_EV_REVOKED_SEEN:
        switch (m->state) {
        case SD_LEASE_CLIENT_LEASED:
            m->state = SD_LEASE_CLIENT_UNKNOWN; return SD_LEASE_CLIENT_DO_DROP_SLAB; /* LEASED REVOKED_SEEN DROP_SLAB -> UNKNOWN */
        case SD_LEASE_CLIENT_LOST:
            m->state = SD_LEASE_CLIENT_UNKNOWN; return SD_LEASE_CLIENT_DO_DROP_SLAB; /* LOST REVOKED_SEEN DROP_SLAB -> UNKNOWN */
        }
        break;
    case SD_LEASE_CLIENT_EV_GENERATION_MOVED:
        switch (m->state) {
        case SD_LEASE_CLIENT_UNKNOWN:
            return 0; /* UNKNOWN GENERATION_MOVED -> UNKNOWN */
        case SD_LEASE_CLIENT_ASKING:
            return 0; /* ASKING GENERATION_MOVED -> ASKING */
        case SD_LEASE_CLIENT_LEASED:
            return 0; /* LEASED GENERATION_MOVED -> LEASED */
        case SD_LEASE_CLIENT_ASKING_MORE:
            return 0; /* ASKING_MORE GENERATION_MOVED -> ASKING_MORE */
        case SD_LEASE_CLIENT_REFUSED:
            m->state = SD_LEASE_CLIENT_UNKNOWN; return 0; /* REFUSED GENERATION_MOVED -> UNKNOWN */
        case SD_LEASE_CLIENT_LOST:
            return 0; /* LOST GENERATION_MOVED -> LOST */
        }
        break;
    case SD_LEASE_CLIENT_EV_UNANSWERED_OFFER:
        switch (m->state) {
        case SD_LEASE_CLIENT_UNKNOWN:
            return 0; /* UNKNOWN UNANSWERED_OFFER -> UNKNOWN */
        case SD_LEASE_CLIENT_ASKING:
            return 0; /* ASKING UNANSWERED_OFFER -> ASKING */
        case SD_LEASE_CLIENT_LEASED:
            m->state = SD_LEASE_CLIENT_LOST; return SD_LEASE_CLIENT_DO_START_BACKOFF; /* LEASED UNANSWERED_OFFER START_BACKOFF -> LOST */
        case SD_LEASE_CLIENT_ASKING_MORE:
            return 0; /* ASKING_MORE UNANSWERED_OFFER -> ASKING_MORE */
        case SD_LEASE_CLIENT_REFUSED:
            return 0; /* REFUSED UNANSWERED_OFFER -> REFUSED */
        case SD_LEASE_CLIENT_LOST:
            return 0; /* LOST UNANSWERED_OFFER -> LOST */
        }
        break;
    case SD_LEASE_CLIENT_EV_BACKOFF_OVER:
        switch (m->state) {
        case SD_LEASE_CLIENT_UNKNOWN:
            return 0; /* UNKNOWN BACKOFF_OVER -> UNKNOWN */
        case SD_LEASE_CLIENT_ASKING:
            return 0; /* ASKING BACKOFF_OVER -> ASKING */
        case SD_LEASE_CLIENT_LEASED:
            return 0; /* LEASED BACKOFF_OVER -> LEASED */
        case SD_LEASE_CLIENT_ASKING_MORE:
            return 0; /* ASKING_MORE BACKOFF_OVER -> ASKING_MORE */
        case SD_LEASE_CLIENT_REFUSED:
            return 0; /* REFUSED BACKOFF_OVER -> REFUSED */
        case SD_LEASE_CLIENT_LOST:
            m->state = SD_LEASE_CLIENT_LEASED; return 0; /* LOST BACKOFF_OVER -> LEASED */
        }
        break;
    }
    return SD_NO_ROW;
}

/* client: The connecting end: offers a slot, and takes the offer back if nobody takes it up. */
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
__attribute__((unused)) static const char *const sd_client_state_name[7] = {"IDLE", "CONNECTING", "OFFERED", "WITHDRAWING", "ESTABLISHED", "KERNEL", "CLOSED"};
__attribute__((unused)) static const char *const sd_client_event_name[16] = {"CONNECT_LEASED", "CONNECT_PLAIN", "NO_SLOT", "KERNEL_OPEN", "KERNEL_SLOW", "KERNEL_FAILED", "PORT_TAKEN", "PORT_DECLINED", "AWAITED", "ACCEPTED", "EXPIRED", "LEAVE", "COMPANION_DATA", "SWAP_WON", "SWAP_LOST", "CLOSE"};
__attribute__((unused)) static const char *const sd_client_effect_name[10] = {"", "HINT", "CONNECT_KERNEL", "UNHINT", "MAKE_OFFER", "TRY_WITHDRAW", "RESEND_ON_COMPANION", "FREE_SLOT", "USE_KERNEL", "USE_RING"};
struct sd_client {
    uint32_t state;
    uint8_t awaited;
    SD_RECORDED
};

static inline void sd_client_start(struct sd_client *m)
{
    m->state = SD_CLIENT_IDLE;
    m->awaited = 0u;
}

static inline uint32_t sd_client_step(struct sd_client *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event) {
    case SD_CLIENT_EV_CONNECT_LEASED:
        switch (m->state) {
        case SD_CLIENT_IDLE:
            m->state = SD_CLIENT_CONNECTING; return SD_CLIENT_DO_HINT | (uint32_t)SD_CLIENT_DO_CONNECT_KERNEL << 8 | (uint32_t)SD_CLIENT_DO_UNHINT << 16; /* IDLE CONNECT_LEASED HINT CONNECT_KERNEL UNHINT -> CONNECTING */
        case SD_CLIENT_KERNEL:
            return SD_CLIENT_DO_CONNECT_KERNEL; /* KERNEL CONNECT_LEASED CONNECT_KERNEL -> KERNEL */
        }
        break;
    case SD_CLIENT_EV_CONNECT_PLAIN:
        switch (m->state) {
        case SD_CLIENT_IDLE:
            m->state = SD_CLIENT_KERNEL; return SD_CLIENT_DO_USE_KERNEL | (uint32_t)SD_CLIENT_DO_CONNECT_KERNEL << 8; /* IDLE CONNECT_PLAIN USE_KERNEL CONNECT_KERNEL -> KERNEL */
        case SD_CLIENT_KERNEL:
            return SD_CLIENT_DO_CONNECT_KERNEL; /* KERNEL CONNECT_PLAIN CONNECT_KERNEL -> KERNEL */
        }
        break;
    case SD_CLIENT_EV_NO_SLOT:
        switch (m->state) {
        case SD_CLIENT_IDLE:
            m->state = SD_CLIENT_KERNEL; return SD_CLIENT_DO_USE_KERNEL | (uint32_t)SD_CLIENT_DO_CONNECT_KERNEL << 8; /* IDLE NO_SLOT USE_KERNEL CONNECT_KERNEL -> KERNEL */
        case SD_CLIENT_KERNEL:
            return SD_CLIENT_DO_CONNECT_KERNEL; /* KERNEL NO_SLOT CONNECT_KERNEL -> KERNEL */
        }
        break;
    case SD_CLIENT_EV_KERNEL_OPEN:
        switch (m->state) {
        case SD_CLIENT_CONNECTING:
            m->state = SD_CLIENT_OFFERED; return SD_CLIENT_DO_MAKE_OFFER; /* CONNECTING KERNEL_OPEN MAKE_OFFER -> OFFERED */
        case SD_CLIENT_KERNEL:
            return 0; /* KERNEL KERNEL_OPEN -> KERNEL */
        }
        break;
    case SD_CLIENT_EV_KERNEL_SLOW:
        switch (m->state) {
        case SD_CLIENT_CONNECTING:
            m->state = SD_CLIENT_KERNEL; return SD_CLIENT_DO_FREE_SLOT | (uint32_t)SD_CLIENT_DO_USE_KERNEL << 8; /* CONNECTING KERNEL_SLOW FREE_SLOT USE_KERNEL -> KERNEL */
        case SD_CLIENT_KERNEL:
            return 0; /* KERNEL KERNEL_SLOW -> KERNEL */
        }
        break;
    case SD_CLIENT_EV_KERNEL_FAILED:
        switch (m->state) {
        case SD_CLIENT_CONNECTING:
            m->state = SD_CLIENT_IDLE; return SD_CLIENT_DO_FREE_SLOT; /* CONNECTING KERNEL_FAILED FREE_SLOT -> IDLE */
        case SD_CLIENT_KERNEL:
            m->state = SD_CLIENT_IDLE; return 0; /* KERNEL KERNEL_FAILED -> IDLE */
        }
        break;
    case SD_CLIENT_EV_PORT_TAKEN:
        switch (m->state) {
        case SD_CLIENT_OFFERED:
            m->state = SD_CLIENT_KERNEL; return SD_CLIENT_DO_FREE_SLOT | (uint32_t)SD_CLIENT_DO_USE_KERNEL << 8; /* OFFERED PORT_TAKEN FREE_SLOT USE_KERNEL -> KERNEL */
        }
        break;
    case SD_CLIENT_EV_PORT_DECLINED:
        switch (m->state) {
        case SD_CLIENT_OFFERED:
            m->state = SD_CLIENT_KERNEL; return SD_CLIENT_DO_FREE_SLOT | (uint32_t)SD_CLIENT_DO_USE_KERNEL << 8; /* OFFERED PORT_DECLINED FREE_SLOT USE_KERNEL -> KERNEL */
        }
        break;
    case SD_CLIENT_EV_AWAITED:
        switch (m->state) {
        case SD_CLIENT_OFFERED:
            m->awaited = (uint8_t)(60ULL); return 0; /* OFFERED AWAITED awaited = 60; -> OFFERED */
        }
        break;
    case SD_CLIENT_EV_ACCEPTED:
        switch (m->state) {
        case SD_CLIENT_OFFERED:
            m->state = SD_CLIENT_ESTABLISHED; return SD_CLIENT_DO_USE_RING; /* OFFERED ACCEPTED USE_RING -> ESTABLISHED */
        case SD_CLIENT_ESTABLISHED:
            return 0; /* ESTABLISHED ACCEPTED -> ESTABLISHED */
        }
        break;
    case SD_CLIENT_EV_EXPIRED:
        switch (m->state) {
        case SD_CLIENT_OFFERED:
            if ((uint64_t)m->awaited > 0ULL) { m->awaited = (uint8_t)((uint64_t)m->awaited - 1ULL); return 0; } /* OFFERED EXPIRED [awaited > 0] awaited = awaited - 1; -> OFFERED */
            m->state = SD_CLIENT_WITHDRAWING; return SD_CLIENT_DO_TRY_WITHDRAW; /* OFFERED EXPIRED TRY_WITHDRAW -> WITHDRAWING */
        case SD_CLIENT_ESTABLISHED:
            return 0; /* ESTABLISHED EXPIRED -> ESTABLISHED */
        case SD_CLIENT_KERNEL:
            return 0; /* KERNEL EXPIRED -> KERNEL */
        }
        break;
    case SD_CLIENT_EV_LEAVE:
        switch (m->state) {
        case SD_CLIENT_OFFERED:
            m->state = SD_CLIENT_WITHDRAWING; return SD_CLIENT_DO_TRY_WITHDRAW; /* OFFERED LEAVE TRY_WITHDRAW -> WITHDRAWING */
        case SD_CLIENT_ESTABLISHED:
            return 0; /* ESTABLISHED LEAVE -> ESTABLISHED */
        case SD_CLIENT_KERNEL:
            return 0; /* KERNEL LEAVE -> KERNEL */
        }
        break;
    case SD_CLIENT_EV_COMPANION_DATA:
        switch (m->state) {
        case SD_CLIENT_OFFERED:
            m->state = SD_CLIENT_WITHDRAWING; return SD_CLIENT_DO_TRY_WITHDRAW; /* OFFERED COMPANION_DATA TRY_WITHDRAW -> WITHDRAWING */
        case SD_CLIENT_ESTABLISHED:
            return 0; /* ESTABLISHED COMPANION_DATA -> ESTABLISHED */
        case SD_CLIENT_KERNEL:
            return 0; /* KERNEL COMPANION_DATA -> KERNEL */
        }
        break;
    case SD_CLIENT_EV_SWAP_WON:
        switch (m->state) {
        case SD_CLIENT_WITHDRAWING:
            m->state = SD_CLIENT_KERNEL; return SD_CLIENT_DO_RESEND_ON_COMPANION | (uint32_t)SD_CLIENT_DO_FREE_SLOT << 8 | (uint32_t)SD_CLIENT_DO_USE_KERNEL << 16; /* WITHDRAWING SWAP_WON RESEND_ON_COMPANION FREE_SLOT USE_KERNEL -> KERNEL */
        }
        break;
    case SD_CLIENT_EV_SWAP_LOST:
        switch (m->state) {
        case SD_CLIENT_WITHDRAWING:
            m->state = SD_CLIENT_ESTABLISHED; return SD_CLIENT_DO_USE_RING; /* WITHDRAWING SWAP_LOST USE_RING -> ESTABLISHED */
        }
        break;
    case SD_CLIENT_EV_CLOSE:
        switch (m->state) {
        case SD_CLIENT_IDLE:
            m->state = SD_CLIENT_CLOSED; return 0; /* IDLE CLOSE -> CLOSED */
        case SD_CLIENT_CONNECTING:
            m->state = SD_CLIENT_CLOSED; return SD_CLIENT_DO_FREE_SLOT; /* CONNECTING CLOSE FREE_SLOT -> CLOSED */
        case SD_CLIENT_OFFERED:
            m->state = SD_CLIENT_WITHDRAWING; return SD_CLIENT_DO_TRY_WITHDRAW; /* OFFERED CLOSE TRY_WITHDRAW -> WITHDRAWING */
        case SD_CLIENT_ESTABLISHED:
            m->state = SD_CLIENT_CLOSED; return 0; /* ESTABLISHED CLOSE -> CLOSED */
        case SD_CLIENT_KERNEL:
            m->state = SD_CLIENT_CLOSED; return 0; /* KERNEL CLOSE -> CLOSED */
        case SD_CLIENT_CLOSED:
            return 0; /* CLOSED CLOSE -> CLOSED */
        }
        break;
    }
    return SD_NO_ROW;
}

/* server: The accepting end: takes the offer that belongs to a connection, or declines it. */
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
__attribute__((unused)) static const char *const sd_server_state_name[8] = {"IDLE", "ARRIVING", "PENDING", "TAKING", "ESTABLISHED", "DECLINING", "KERNEL", "CLOSED"};
__attribute__((unused)) static const char *const sd_server_event_name[12] = {"ACCEPT_PLAIN", "ACCEPT_HINTED", "FOUND", "ABSENT", "SWAP_WON", "SWAP_LOST", "EXPIRED", "COMPANION_DATA", "COMPANION_EOF", "DECLINE_WON", "DECLINE_LOST", "CLOSE"};
__attribute__((unused)) static const char *const sd_server_effect_name[8] = {"", "LOOK_UP", "MARK", "UNMARK", "TRY_TAKE", "DECLARE_DECLINED", "USE_KERNEL", "USE_RING"};
struct sd_server {
    uint32_t state;
    uint8_t marked;
    SD_RECORDED
};

static inline void sd_server_start(struct sd_server *m)
{
    m->state = SD_SERVER_IDLE;
    m->marked = 0u;
}

static inline uint32_t sd_server_step(struct sd_server *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event) {
    case SD_SERVER_EV_ACCEPT_PLAIN:
        switch (m->state) {
        case SD_SERVER_IDLE:
            m->state = SD_SERVER_KERNEL; return SD_SERVER_DO_USE_KERNEL; /* IDLE ACCEPT_PLAIN USE_KERNEL -> KERNEL */
        }
        break;
    case SD_SERVER_EV_ACCEPT_HINTED:
        switch (m->state) {
        case SD_SERVER_IDLE:
            m->state = SD_SERVER_ARRIVING; return SD_SERVER_DO_LOOK_UP; /* IDLE ACCEPT_HINTED LOOK_UP -> ARRIVING */
        }
        break;
    case SD_SERVER_EV_FOUND:
        switch (m->state) {
        case SD_SERVER_ARRIVING:
            m->state = SD_SERVER_TAKING; return SD_SERVER_DO_TRY_TAKE; /* ARRIVING FOUND TRY_TAKE -> TAKING */
        case SD_SERVER_PENDING:
            m->state = SD_SERVER_TAKING; return SD_SERVER_DO_TRY_TAKE; /* PENDING FOUND TRY_TAKE -> TAKING */
        }
        break;
    case SD_SERVER_EV_ABSENT:
        switch (m->state) {
        case SD_SERVER_ARRIVING:
            m->marked = (uint8_t)(1ULL); m->state = SD_SERVER_PENDING; return SD_SERVER_DO_MARK; /* ARRIVING ABSENT marked = 1; MARK -> PENDING */
        case SD_SERVER_PENDING:
            return 0; /* PENDING ABSENT -> PENDING */
        }
        break;
    case SD_SERVER_EV_SWAP_WON:
        switch (m->state) {
        case SD_SERVER_TAKING:
            if ((uint64_t)m->marked > 0ULL) { m->state = SD_SERVER_ESTABLISHED; return SD_SERVER_DO_UNMARK | (uint32_t)SD_SERVER_DO_USE_RING << 8; } /* TAKING SWAP_WON [marked > 0] UNMARK USE_RING -> ESTABLISHED */
            m->state = SD_SERVER_ESTABLISHED; return SD_SERVER_DO_USE_RING; /* TAKING SWAP_WON USE_RING -> ESTABLISHED */
        }
        break;
    case SD_SERVER_EV_SWAP_LOST:
        switch (m->state) {
        case SD_SERVER_TAKING:
            if ((uint64_t)m->marked > 0ULL) { m->state = SD_SERVER_KERNEL; return SD_SERVER_DO_UNMARK | (uint32_t)SD_SERVER_DO_USE_KERNEL << 8; } /* TAKING SWAP_LOST [marked > 0] UNMARK USE_KERNEL -> KERNEL */
            m->state = SD_SERVER_KERNEL; return SD_SERVER_DO_USE_KERNEL; /* TAKING SWAP_LOST USE_KERNEL -> KERNEL */
        }
        break;
    case SD_SERVER_EV_EXPIRED:
        switch (m->state) {
        case SD_SERVER_PENDING:
            m->state = SD_SERVER_DECLINING; return SD_SERVER_DO_DECLARE_DECLINED; /* PENDING EXPIRED DECLARE_DECLINED -> DECLINING */
        case SD_SERVER_ESTABLISHED:
            return 0; /* ESTABLISHED EXPIRED -> ESTABLISHED */
        case SD_SERVER_KERNEL:
            return 0; /* KERNEL EXPIRED -> KERNEL */
        }
        break;
    case SD_SERVER_EV_COMPANION_DATA:
        switch (m->state) {
        case SD_SERVER_PENDING:
            m->state = SD_SERVER_DECLINING; return SD_SERVER_DO_DECLARE_DECLINED; /* PENDING COMPANION_DATA DECLARE_DECLINED -> DECLINING */
        case SD_SERVER_ESTABLISHED:
            return 0; /* ESTABLISHED COMPANION_DATA -> ESTABLISHED */
        case SD_SERVER_KERNEL:
            return 0; /* KERNEL COMPANION_DATA -> KERNEL */
        }
        break;
    case SD_SERVER_EV_COMPANION_EOF:
        switch (m->state) {
        case SD_SERVER_PENDING:
            m->state = SD_SERVER_DECLINING; return SD_SERVER_DO_DECLARE_DECLINED; /* PENDING COMPANION_EOF DECLARE_DECLINED -> DECLINING */
        case SD_SERVER_ESTABLISHED:
            return 0; /* ESTABLISHED COMPANION_EOF -> ESTABLISHED */
        case SD_SERVER_KERNEL:
            return 0; /* KERNEL COMPANION_EOF -> KERNEL */
        }
        break;
    case SD_SERVER_EV_DECLINE_WON:
        switch (m->state) {
        case SD_SERVER_DECLINING:
            m->state = SD_SERVER_KERNEL; return SD_SERVER_DO_USE_KERNEL; /* DECLINING DECLINE_WON USE_KERNEL -> KERNEL */
        }
        break;
    case SD_SERVER_EV_DECLINE_LOST:
        switch (m->state) {
        case SD_SERVER_DECLINING:
            m->state = SD_SERVER_PENDING; return SD_SERVER_DO_LOOK_UP; /* DECLINING DECLINE_LOST LOOK_UP -> PENDING */
        }
        break;
    case SD_SERVER_EV_CLOSE:
        switch (m->state) {
        case SD_SERVER_IDLE:
            m->state = SD_SERVER_CLOSED; return 0; /* IDLE CLOSE -> CLOSED */
        case SD_SERVER_PENDING:
            m->state = SD_SERVER_CLOSED; return SD_SERVER_DO_UNMARK; /* PENDING CLOSE UNMARK -> CLOSED */
        case SD_SERVER_ESTABLISHED:
            m->state = SD_SERVER_CLOSED; return 0; /* ESTABLISHED CLOSE -> CLOSED */
        case SD_SERVER_KERNEL:
            m->state = SD_SERVER_CLOSED; return 0; /* KERNEL CLOSE -> CLOSED */
        case SD_SERVER_CLOSED:
            return 0; /* CLOSED CLOSE -> CLOSED */
        }
        break;
    }
    return SD_NO_ROW;
}

/* ring_tx: Producer of one direction: room decides whether bytes go out or the sender waits. */
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
__attribute__((unused)) static const char *const sd_ring_tx_state_name[6] = {"OPEN", "STARVED", "SHUT", "OUT", "MOVED", "BROKEN"};
__attribute__((unused)) static const char *const sd_ring_tx_event_name[8] = {"SEND", "CREDIT", "WINDOW", "SHUTDOWN", "MOVE", "BREAK", "BEGIN_OUT", "JOIN"};
__attribute__((unused)) static const char *const sd_ring_tx_effect_name[10] = {"", "PUT_ALL", "PUT_FREE", "LOOK", "RETRY", "WAIT_ROOM", "PUBLISH_FIN", "PUBLISH_MOVED", "SEND_COMPANION", "BROKEN_PIPE"};
struct sd_ring_tx {
    uint64_t free;
    uint32_t state;
    uint32_t window;
    uint32_t owed;
    SD_RECORDED
};

static inline void sd_ring_tx_start(struct sd_ring_tx *m)
{
    m->state = SD_RING_TX_OPEN;
    m->free = 2097152u;
    m->window = 2097152u;
    m->owed = 0u;
}

static inline uint32_t sd_ring_tx_step(struct sd_ring_tx *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event) {
    case SD_RING_TX_EV_SEND:
        switch (m->state) {
        case SD_RING_TX_OPEN:
            if (m->free >= arg) { m->free = m->free - arg; return SD_RING_TX_DO_PUT_ALL; } /* OPEN SEND [free >= arg] free = free - arg; PUT_ALL -> OPEN */
            if (m->free > 0ULL) { m->free = 0ULL; return SD_RING_TX_DO_PUT_FREE; } /* OPEN SEND [free > 0] free = 0; PUT_FREE -> OPEN */
            m->state = SD_RING_TX_STARVED; return SD_RING_TX_DO_LOOK; /* OPEN SEND LOOK -> STARVED */
        case SD_RING_TX_STARVED:
            return SD_RING_TX_DO_LOOK; /* STARVED SEND LOOK -> STARVED */
        case SD_RING_TX_SHUT:
            return SD_RING_TX_DO_BROKEN_PIPE; /* SHUT SEND BROKEN_PIPE -> SHUT */
        case SD_RING_TX_OUT:
            return SD_RING_TX_DO_SEND_COMPANION; /* OUT SEND SEND_COMPANION -> OUT */
        case SD_RING_TX_MOVED:
            return SD_RING_TX_DO_SEND_COMPANION; /* MOVED SEND SEND_COMPANION -> MOVED */
        case SD_RING_TX_BROKEN:
            return SD_RING_TX_DO_BROKEN_PIPE; /* BROKEN SEND BROKEN_PIPE -> BROKEN */
        }
        break;
    case SD_RING_TX_EV_CREDIT:
        switch (m->state) {
        case SD_RING_TX_OPEN:
            if (arg >= (uint64_t)m->owed) { m->free = (m->free + arg) - (uint64_t)m->owed; m->owed = (uint32_t)(0ULL); return 0; } /* OPEN CREDIT [arg >= owed] free = (free + arg) - owed; owed = 0; -> OPEN */
            m->owed = (uint32_t)((uint64_t)m->owed - arg); return 0; /* OPEN CREDIT owed = owed - arg; -> OPEN */
        case SD_RING_TX_STARVED:
            if (arg > (uint64_t)m->owed) { m->free = (m->free + arg) - (uint64_t)m->owed; m->owed = (uint32_t)(0ULL); m->state = SD_RING_TX_OPEN; return SD_RING_TX_DO_RETRY; } /* STARVED CREDIT [arg > owed] free = (free + arg) - owed; owed = 0; RETRY -> OPEN */
            m->owed = (uint32_t)((uint64_t)m->owed - arg); return SD_RING_TX_DO_WAIT_ROOM; /* STARVED CREDIT owed = owed - arg; WAIT_ROOM -> STARVED */
        case SD_RING_TX_SHUT:
            m->free = m->free + arg; return 0; /* SHUT CREDIT free = free + arg; -> SHUT */
        case SD_RING_TX_MOVED:
            m->free = m->free + arg; return 0; /* MOVED CREDIT free = free + arg; -> MOVED */
        case SD_RING_TX_BROKEN:
            return 0; /* BROKEN CREDIT -> BROKEN */
        }
        break;
    case SD_RING_TX_EV_WINDOW:
        switch (m->state) {
        case SD_RING_TX_OPEN: {
            if ((m->free + arg) >= ((uint64_t)m->window + (uint64_t)m->owed)) { m->free = ((m->free + arg) - (uint64_t)m->window) - (uint64_t)m->owed; m->owed = (uint32_t)(0ULL); m->window = (uint32_t)(arg); return 0; } /* OPEN WINDOW [(free + arg) >= (window + owed)] free = ((free + arg) - window) - owed; owed = 0; window = arg; -> OPEN */
            const uint64_t new_free = 0ULL; const uint64_t new_owed = (((uint64_t)m->window + (uint64_t)m->owed) - m->free) - arg; const uint64_t new_window = arg; m->free = new_free; m->owed = (uint32_t)(new_owed); m->window = (uint32_t)(new_window); return 0; /* OPEN WINDOW free = 0; owed = ((window + owed) - free) - arg; window = arg; -> OPEN */
        }
        case SD_RING_TX_STARVED: {
            if ((m->free + arg) > ((uint64_t)m->window + (uint64_t)m->owed)) { m->free = ((m->free + arg) - (uint64_t)m->window) - (uint64_t)m->owed; m->owed = (uint32_t)(0ULL); m->window = (uint32_t)(arg); m->state = SD_RING_TX_OPEN; return SD_RING_TX_DO_RETRY; } /* STARVED WINDOW [(free + arg) > (window + owed)] free = ((free + arg) - window) - owed; owed = 0; window = arg; RETRY -> OPEN */
            const uint64_t new_free = 0ULL; const uint64_t new_owed = (((uint64_t)m->window + (uint64_t)m->owed) - m->free) - arg; const uint64_t new_window = arg; m->free = new_free; m->owed = (uint32_t)(new_owed); m->window = (uint32_t)(new_window); return 0; /* STARVED WINDOW free = 0; owed = ((window + owed) - free) - arg; window = arg; -> STARVED */
        }
        case SD_RING_TX_SHUT:
            return 0; /* SHUT WINDOW -> SHUT */
        case SD_RING_TX_OUT: {
            if ((m->free + arg) >= ((uint64_t)m->window + (uint64_t)m->owed)) { m->free = ((m->free + arg) - (uint64_t)m->window) - (uint64_t)m->owed; m->owed = (uint32_t)(0ULL); m->window = (uint32_t)(arg); return 0; } /* OUT WINDOW [(free + arg) >= (window + owed)] free = ((free + arg) - window) - owed; owed = 0; window = arg; -> OUT */
            const uint64_t new_free = 0ULL; const uint64_t new_owed = (((uint64_t)m->window + (uint64_t)m->owed) - m->free) - arg; const uint64_t new_window = arg; m->free = new_free; m->owed = (uint32_t)(new_owed); m->window = (uint32_t)(new_window); return 0; /* OUT WINDOW free = 0; owed = ((window + owed) - free) - arg; window = arg; -> OUT */
        }
        case SD_RING_TX_MOVED:
            return 0; /* MOVED WINDOW -> MOVED */
        case SD_RING_TX_BROKEN:
            return 0; /* BROKEN WINDOW -> BROKEN */
        }
        break;
    case SD_RING_TX_EV_SHUTDOWN:
        switch (m->state) {
        case SD_RING_TX_OPEN:
            m->state = SD_RING_TX_SHUT; return SD_RING_TX_DO_PUBLISH_FIN; /* OPEN SHUTDOWN PUBLISH_FIN -> SHUT */
        case SD_RING_TX_STARVED:
            m->state = SD_RING_TX_SHUT; return SD_RING_TX_DO_PUBLISH_FIN; /* STARVED SHUTDOWN PUBLISH_FIN -> SHUT */
        case SD_RING_TX_SHUT:
            return 0; /* SHUT SHUTDOWN -> SHUT */
        case SD_RING_TX_OUT:
            return 0; /* OUT SHUTDOWN -> OUT */
        case SD_RING_TX_MOVED:
            return 0; /* MOVED SHUTDOWN -> MOVED */
        case SD_RING_TX_BROKEN:
            return 0; /* BROKEN SHUTDOWN -> BROKEN */
        }
        break;
    case SD_RING_TX_EV_MOVE:
        switch (m->state) {
        case SD_RING_TX_OPEN:
            m->state = SD_RING_TX_MOVED; return SD_RING_TX_DO_PUBLISH_MOVED; /* OPEN MOVE PUBLISH_MOVED -> MOVED */
        case SD_RING_TX_STARVED:
            m->state = SD_RING_TX_MOVED; return SD_RING_TX_DO_PUBLISH_MOVED; /* STARVED MOVE PUBLISH_MOVED -> MOVED */
        case SD_RING_TX_SHUT:
            return 0; /* SHUT MOVE -> SHUT */
        case SD_RING_TX_OUT:
            m->state = SD_RING_TX_MOVED; return SD_RING_TX_DO_PUBLISH_MOVED; /* OUT MOVE PUBLISH_MOVED -> MOVED */
        case SD_RING_TX_MOVED:
            return 0; /* MOVED MOVE -> MOVED */
        case SD_RING_TX_BROKEN:
            return 0; /* BROKEN MOVE -> BROKEN */
        }
        break;
    case SD_RING_TX_EV_BREAK:
        switch (m->state) {
        case SD_RING_TX_OPEN:
            m->state = SD_RING_TX_BROKEN; return 0; /* OPEN BREAK -> BROKEN */
        case SD_RING_TX_STARVED:
            m->state = SD_RING_TX_BROKEN; return 0; /* STARVED BREAK -> BROKEN */
        case SD_RING_TX_SHUT:
            m->state = SD_RING_TX_BROKEN; return 0; /* SHUT BREAK -> BROKEN */
        case SD_RING_TX_OUT:
            m->state = SD_RING_TX_BROKEN; return 0; /* OUT BREAK -> BROKEN */
        case SD_RING_TX_MOVED:
            m->state = SD_RING_TX_BROKEN; return 0; /* MOVED BREAK -> BROKEN */
        case SD_RING_TX_BROKEN:
            return 0; /* BROKEN BREAK -> BROKEN */
        }
        break;
    case SD_RING_TX_EV_BEGIN_OUT:
        switch (m->state) {
        case SD_RING_TX_OPEN:
            m->state = SD_RING_TX_OUT; return 0; /* OPEN BEGIN_OUT -> OUT */
        }
        break;
    case SD_RING_TX_EV_JOIN:
        switch (m->state) {
        case SD_RING_TX_OUT:
            m->state = SD_RING_TX_OPEN; return 0; /* OUT JOIN -> OPEN */
        }
        break;
    }
    return SD_NO_ROW;
}

/* ring_rx: Consumer of one direction: takes what is there, and says what an empty ring means. */
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
__attribute__((unused)) static const char *const sd_ring_rx_state_name[6] = {"OPEN", "DRY", "AWAY", "ENDED", "MOVED", "BROKEN"};
__attribute__((unused)) static const char *const sd_ring_rx_event_name[10] = {"RECV", "DATA", "FIN", "MOVED", "BREAK", "SHUT", "BEGIN_AWAY", "QUIET", "ARRIVED", "UNSEE"};
__attribute__((unused)) static const char *const sd_ring_rx_effect_name[11] = {"", "TAKE_ALL", "TAKE_AVAIL", "LOOK", "RETRY", "WAIT_DATA", "END_OF_STREAM", "RECV_COMPANION", "RAISE_RESET", "LOOK_BOTH", "ARRIVE"};
struct sd_ring_rx {
    uint64_t avail;
    uint32_t state;
    uint8_t shut;
    SD_RECORDED
};

static inline void sd_ring_rx_start(struct sd_ring_rx *m)
{
    m->state = SD_RING_RX_OPEN;
    m->avail = 0u;
    m->shut = 0u;
}

static inline uint32_t sd_ring_rx_step(struct sd_ring_rx *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event) {
    case SD_RING_RX_EV_RECV:
        switch (m->state) {
        case SD_RING_RX_OPEN:
            if (m->avail >= arg) { m->avail = m->avail - arg; return SD_RING_RX_DO_TAKE_ALL; } /* OPEN RECV [avail >= arg] avail = avail - arg; TAKE_ALL -> OPEN */
            if (m->avail > 0ULL) { m->avail = 0ULL; return SD_RING_RX_DO_TAKE_AVAIL; } /* OPEN RECV [avail > 0] avail = 0; TAKE_AVAIL -> OPEN */
            m->state = SD_RING_RX_DRY; return SD_RING_RX_DO_LOOK; /* OPEN RECV LOOK -> DRY */
        case SD_RING_RX_DRY:
            return SD_RING_RX_DO_LOOK; /* DRY RECV LOOK -> DRY */
        case SD_RING_RX_AWAY:
            return SD_RING_RX_DO_LOOK_BOTH; /* AWAY RECV LOOK_BOTH -> AWAY */
        case SD_RING_RX_ENDED:
            return SD_RING_RX_DO_END_OF_STREAM; /* ENDED RECV END_OF_STREAM -> ENDED */
        case SD_RING_RX_MOVED:
            return SD_RING_RX_DO_RECV_COMPANION; /* MOVED RECV RECV_COMPANION -> MOVED */
        case SD_RING_RX_BROKEN:
            return SD_RING_RX_DO_END_OF_STREAM; /* BROKEN RECV END_OF_STREAM -> BROKEN */
        }
        break;
    case SD_RING_RX_EV_DATA:
        switch (m->state) {
        case SD_RING_RX_OPEN:
            m->avail = m->avail + arg; return 0; /* OPEN DATA avail = avail + arg; -> OPEN */
        case SD_RING_RX_DRY:
            if (arg > 0ULL) { m->avail = m->avail + arg; m->state = SD_RING_RX_OPEN; return SD_RING_RX_DO_RETRY; } /* DRY DATA [arg > 0] avail = avail + arg; RETRY -> OPEN */
            if ((uint64_t)m->shut > 0ULL) { return SD_RING_RX_DO_END_OF_STREAM; } /* DRY DATA [shut > 0] END_OF_STREAM -> DRY */
            return SD_RING_RX_DO_WAIT_DATA; /* DRY DATA WAIT_DATA -> DRY */
        }
        break;
    case SD_RING_RX_EV_FIN:
        switch (m->state) {
        case SD_RING_RX_OPEN:
            return 0; /* OPEN FIN -> OPEN */
        case SD_RING_RX_DRY:
            m->state = SD_RING_RX_ENDED; return SD_RING_RX_DO_END_OF_STREAM; /* DRY FIN END_OF_STREAM -> ENDED */
        case SD_RING_RX_AWAY:
            return 0; /* AWAY FIN -> AWAY */
        case SD_RING_RX_ENDED:
            return 0; /* ENDED FIN -> ENDED */
        case SD_RING_RX_MOVED:
            return 0; /* MOVED FIN -> MOVED */
        case SD_RING_RX_BROKEN:
            return 0; /* BROKEN FIN -> BROKEN */
        }
        break;
    case SD_RING_RX_EV_MOVED:
        switch (m->state) {
        case SD_RING_RX_OPEN:
            return 0; /* OPEN MOVED -> OPEN */
        case SD_RING_RX_DRY:
            m->state = SD_RING_RX_MOVED; return SD_RING_RX_DO_RECV_COMPANION; /* DRY MOVED RECV_COMPANION -> MOVED */
        case SD_RING_RX_AWAY:
            m->state = SD_RING_RX_MOVED; return SD_RING_RX_DO_RECV_COMPANION; /* AWAY MOVED RECV_COMPANION -> MOVED */
        case SD_RING_RX_ENDED:
            return 0; /* ENDED MOVED -> ENDED */
        case SD_RING_RX_MOVED:
            return 0; /* MOVED MOVED -> MOVED */
        case SD_RING_RX_BROKEN:
            return 0; /* BROKEN MOVED -> BROKEN */
        }
        break;
    case SD_RING_RX_EV_BREAK:
        switch (m->state) {
        case SD_RING_RX_OPEN:
            return 0; /* OPEN BREAK -> OPEN */
        case SD_RING_RX_DRY:
            m->state = SD_RING_RX_BROKEN; return SD_RING_RX_DO_RAISE_RESET; /* DRY BREAK RAISE_RESET -> BROKEN */
        case SD_RING_RX_AWAY:
            return 0; /* AWAY BREAK -> AWAY */
        case SD_RING_RX_ENDED:
            return 0; /* ENDED BREAK -> ENDED */
        case SD_RING_RX_MOVED:
            return 0; /* MOVED BREAK -> MOVED */
        case SD_RING_RX_BROKEN:
            return 0; /* BROKEN BREAK -> BROKEN */
        }
        break;
    case SD_RING_RX_EV_SHUT:
        switch (m->state) {
        case SD_RING_RX_OPEN:
            m->shut = (uint8_t)(1ULL); return 0; /* OPEN SHUT shut = 1; -> OPEN */
        case SD_RING_RX_DRY:
            m->shut = (uint8_t)(1ULL); return 0; /* DRY SHUT shut = 1; -> DRY */
        case SD_RING_RX_AWAY:
            m->shut = (uint8_t)(1ULL); return 0; /* AWAY SHUT shut = 1; -> AWAY */
        case SD_RING_RX_ENDED:
            return 0; /* ENDED SHUT -> ENDED */
        case SD_RING_RX_MOVED:
            return 0; /* MOVED SHUT -> MOVED */
        case SD_RING_RX_BROKEN:
            return 0; /* BROKEN SHUT -> BROKEN */
        }
        break;
    case SD_RING_RX_EV_BEGIN_AWAY:
        switch (m->state) {
        case SD_RING_RX_OPEN:
            m->state = SD_RING_RX_AWAY; return 0; /* OPEN BEGIN_AWAY -> AWAY */
        }
        break;
    case SD_RING_RX_EV_QUIET:
        switch (m->state) {
        case SD_RING_RX_AWAY:
            if (arg > 0ULL) { return SD_RING_RX_DO_ARRIVE; } /* AWAY QUIET [arg > 0] ARRIVE -> AWAY */
            if ((uint64_t)m->shut > 0ULL) { return SD_RING_RX_DO_END_OF_STREAM; } /* AWAY QUIET [shut > 0] END_OF_STREAM -> AWAY */
            return SD_RING_RX_DO_WAIT_DATA; /* AWAY QUIET WAIT_DATA -> AWAY */
        }
        break;
    case SD_RING_RX_EV_ARRIVED:
        switch (m->state) {
        case SD_RING_RX_AWAY:
            m->state = SD_RING_RX_DRY; return SD_RING_RX_DO_RETRY; /* AWAY ARRIVED RETRY -> DRY */
        }
        break;
    case SD_RING_RX_EV_UNSEE:
        switch (m->state) {
        case SD_RING_RX_OPEN:
            m->avail = 0ULL; m->state = SD_RING_RX_DRY; return 0; /* OPEN UNSEE avail = 0; -> DRY */
        case SD_RING_RX_DRY:
            return 0; /* DRY UNSEE -> DRY */
        case SD_RING_RX_AWAY:
            return 0; /* AWAY UNSEE -> AWAY */
        case SD_RING_RX_ENDED:
            return 0; /* ENDED UNSEE -> ENDED */
        case SD_RING_RX_MOVED:
            return 0; /* MOVED UNSEE -> MOVED */
        case SD_RING_RX_BROKEN:
            return 0; /* BROKEN UNSEE -> BROKEN */
        }
        break;
    }
    return SD_NO_ROW;
}

/* waiter: One wait of one thread: polls, yields, announces its sleep, looks once more, sleeps. */
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
__attribute__((unused)) static const char *const sd_waiter_state_name[5] = {"SPINNING", "YIELDING", "ARMED", "ASLEEP", "DONE"};
__attribute__((unused)) static const char *const sd_waiter_event_name[6] = {"EMPTY", "READY", "WOKEN", "TIMEOUT", "INTERRUPTED", "CONTENDED"};
__attribute__((unused)) static const char *const sd_waiter_effect_name[8] = {"", "PAUSE", "YIELD", "ANNOUNCE", "FENCE", "LOOK", "BLOCK", "RETRACT"};
struct sd_waiter {
    uint32_t state;
    uint32_t spins_left;
    uint32_t yields_left;
    SD_RECORDED
};

static inline void sd_waiter_start(struct sd_waiter *m)
{
    m->state = SD_WAITER_SPINNING;
    m->spins_left = 0u;
    m->yields_left = 0u;
}

static inline uint32_t sd_waiter_step(struct sd_waiter *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event) {
    case SD_WAITER_EV_EMPTY:
        switch (m->state) {
        case SD_WAITER_SPINNING:
            if ((uint64_t)m->spins_left > 0ULL) { m->spins_left = (uint32_t)((uint64_t)m->spins_left - 1ULL); return SD_WAITER_DO_PAUSE; } /* SPINNING EMPTY [spins_left > 0] spins_left = spins_left - 1; PAUSE -> SPINNING */
            if ((uint64_t)m->yields_left > 0ULL) { m->yields_left = (uint32_t)((uint64_t)m->yields_left - 1ULL); m->state = SD_WAITER_YIELDING; return SD_WAITER_DO_YIELD; } /* SPINNING EMPTY [yields_left > 0] yields_left = yields_left - 1; YIELD -> YIELDING */
            m->state = SD_WAITER_ARMED; return SD_WAITER_DO_ANNOUNCE | (uint32_t)SD_WAITER_DO_FENCE << 8 | (uint32_t)SD_WAITER_DO_LOOK << 16; /* SPINNING EMPTY ANNOUNCE FENCE LOOK -> ARMED */
        case SD_WAITER_YIELDING:
            if ((uint64_t)m->yields_left > 0ULL) { m->yields_left = (uint32_t)((uint64_t)m->yields_left - 1ULL); return SD_WAITER_DO_YIELD; } /* YIELDING EMPTY [yields_left > 0] yields_left = yields_left - 1; YIELD -> YIELDING */
            m->state = SD_WAITER_ARMED; return SD_WAITER_DO_ANNOUNCE | (uint32_t)SD_WAITER_DO_FENCE << 8 | (uint32_t)SD_WAITER_DO_LOOK << 16; /* YIELDING EMPTY ANNOUNCE FENCE LOOK -> ARMED */
        case SD_WAITER_ARMED:
            m->state = SD_WAITER_ASLEEP; return SD_WAITER_DO_BLOCK; /* ARMED EMPTY BLOCK -> ASLEEP */
        }
        break;
    case SD_WAITER_EV_READY:
        switch (m->state) {
        case SD_WAITER_SPINNING:
            m->state = SD_WAITER_DONE; return 0; /* SPINNING READY -> DONE */
        case SD_WAITER_YIELDING:
            m->state = SD_WAITER_DONE; return 0; /* YIELDING READY -> DONE */
        case SD_WAITER_ARMED:
            m->state = SD_WAITER_DONE; return SD_WAITER_DO_RETRACT; /* ARMED READY RETRACT -> DONE */
        case SD_WAITER_ASLEEP:
            m->state = SD_WAITER_DONE; return SD_WAITER_DO_RETRACT; /* ASLEEP READY RETRACT -> DONE */
        }
        break;
    case SD_WAITER_EV_WOKEN:
        switch (m->state) {
        case SD_WAITER_ASLEEP:
            m->spins_left = (uint32_t)(0ULL); m->state = SD_WAITER_SPINNING; return SD_WAITER_DO_RETRACT | (uint32_t)SD_WAITER_DO_LOOK << 8; /* ASLEEP WOKEN spins_left = 0; RETRACT LOOK -> SPINNING */
        }
        break;
    case SD_WAITER_EV_TIMEOUT:
        switch (m->state) {
        case SD_WAITER_SPINNING:
            m->state = SD_WAITER_DONE; return 0; /* SPINNING TIMEOUT -> DONE */
        case SD_WAITER_YIELDING:
            m->state = SD_WAITER_DONE; return 0; /* YIELDING TIMEOUT -> DONE */
        case SD_WAITER_ARMED:
            m->state = SD_WAITER_DONE; return SD_WAITER_DO_RETRACT; /* ARMED TIMEOUT RETRACT -> DONE */
        case SD_WAITER_ASLEEP:
            m->state = SD_WAITER_DONE; return SD_WAITER_DO_RETRACT; /* ASLEEP TIMEOUT RETRACT -> DONE */
        }
        break;
    case SD_WAITER_EV_INTERRUPTED:
        switch (m->state) {
        case SD_WAITER_SPINNING:
            m->state = SD_WAITER_DONE; return 0; /* SPINNING INTERRUPTED -> DONE */
        case SD_WAITER_YIELDING:
            m->state = SD_WAITER_DONE; return 0; /* YIELDING INTERRUPTED -> DONE */
        case SD_WAITER_ARMED:
            m->state = SD_WAITER_DONE; return SD_WAITER_DO_RETRACT; /* ARMED INTERRUPTED RETRACT -> DONE */
        case SD_WAITER_ASLEEP:
            m->state = SD_WAITER_DONE; return SD_WAITER_DO_RETRACT; /* ASLEEP INTERRUPTED RETRACT -> DONE */
        }
        break;
    case SD_WAITER_EV_CONTENDED:
        switch (m->state) {
        case SD_WAITER_YIELDING:
            m->yields_left = (uint32_t)(arg); return 0; /* YIELDING CONTENDED yields_left = arg; -> YIELDING */
        }
        break;
    }
    return SD_NO_ROW;
}

/* token_owner: The right to act on one direction of a socket, between threads and processes. */
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
__attribute__((unused)) static const char *const sd_token_owner_state_name[4] = {"HELD", "REVOKING", "REVOKED", "SHARED"};
__attribute__((unused)) static const char *const sd_token_owner_event_name[10] = {"MADE", "UNFENCED", "WANT", "WANT_IDLE", "MY_TURN", "FENCED", "IDLE", "OWNER_DIED", "WAITER_DIED", "OWNER_LOST"};
__attribute__((unused)) static const char *const sd_token_owner_effect_name[6] = {"", "GRANT", "REPAIR", "QUEUE", "FENCE", "LOOK"};
struct sd_token_owner {
    uint32_t state;
    uint32_t holding;
    uint16_t owner;
    uint16_t waiters;
    uint8_t takeovers;
    SD_RECORDED
};

static inline void sd_token_owner_start(struct sd_token_owner *m)
{
    m->state = SD_TOKEN_OWNER_HELD;
    m->owner = 0u;
    m->takeovers = 0u;
    m->waiters = 0u;
    m->holding = 0u;
}

static inline uint32_t sd_token_owner_step(struct sd_token_owner *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event) {
    case SD_TOKEN_OWNER_EV_MADE:
        switch (m->state) {
        case SD_TOKEN_OWNER_HELD: {
            const uint64_t new_owner = arg; const uint64_t new_takeovers = 0ULL; const uint64_t new_waiters = 0ULL; const uint64_t new_holding = ((uint64_t)m->holding + (uint64_t)m->waiters) + 1ULL; m->owner = (uint16_t)(new_owner); m->takeovers = (uint8_t)(new_takeovers); m->waiters = (uint16_t)(new_waiters); m->holding = (uint32_t)(new_holding); return 0; /* HELD MADE owner = arg; takeovers = 0; waiters = 0; holding = (holding + waiters) + 1; -> HELD */
        }
        case SD_TOKEN_OWNER_REVOKING: {
            const uint64_t new_owner = arg; const uint64_t new_takeovers = 0ULL; const uint64_t new_waiters = 0ULL; const uint64_t new_holding = ((uint64_t)m->holding + (uint64_t)m->waiters) + 1ULL; m->owner = (uint16_t)(new_owner); m->takeovers = (uint8_t)(new_takeovers); m->waiters = (uint16_t)(new_waiters); m->holding = (uint32_t)(new_holding); m->state = SD_TOKEN_OWNER_HELD; return 0; /* REVOKING MADE owner = arg; takeovers = 0; waiters = 0; holding = (holding + waiters) + 1; -> HELD */
        }
        case SD_TOKEN_OWNER_REVOKED: {
            const uint64_t new_owner = arg; const uint64_t new_takeovers = 0ULL; const uint64_t new_waiters = 0ULL; const uint64_t new_holding = ((uint64_t)m->holding + (uint64_t)m->waiters) + 1ULL; m->owner = (uint16_t)(new_owner); m->takeovers = (uint8_t)(new_takeovers); m->waiters = (uint16_t)(new_waiters); m->holding = (uint32_t)(new_holding); m->state = SD_TOKEN_OWNER_HELD; return 0; /* REVOKED MADE owner = arg; takeovers = 0; waiters = 0; holding = (holding + waiters) + 1; -> HELD */
        }
        case SD_TOKEN_OWNER_SHARED: {
            const uint64_t new_owner = arg; const uint64_t new_takeovers = 0ULL; const uint64_t new_waiters = 0ULL; const uint64_t new_holding = ((uint64_t)m->holding + (uint64_t)m->waiters) + 1ULL; m->owner = (uint16_t)(new_owner); m->takeovers = (uint8_t)(new_takeovers); m->waiters = (uint16_t)(new_waiters); m->holding = (uint32_t)(new_holding); m->state = SD_TOKEN_OWNER_HELD; return 0; /* SHARED MADE owner = arg; takeovers = 0; waiters = 0; holding = (holding + waiters) + 1; -> HELD */
        }
        }
        break;
    case SD_TOKEN_OWNER_EV_UNFENCED:
        switch (m->state) {
        case SD_TOKEN_OWNER_HELD:
            m->state = SD_TOKEN_OWNER_SHARED; return 0; /* HELD UNFENCED -> SHARED */
        }
        break;
    case SD_TOKEN_OWNER_EV_WANT:
        switch (m->state) {
        case SD_TOKEN_OWNER_HELD:
            if (((uint64_t)m->owner == 0ULL) && ((uint64_t)m->takeovers == 0ULL)) { m->owner = (uint16_t)(arg); m->holding = (uint32_t)((uint64_t)m->holding + 1ULL); return SD_TOKEN_OWNER_DO_GRANT; } /* HELD WANT [owner == 0 && takeovers == 0] owner = arg; holding = holding + 1; GRANT -> HELD */
            if ((uint64_t)m->owner == 0ULL) { m->owner = (uint16_t)(arg); m->holding = (uint32_t)((uint64_t)m->holding + 1ULL); return SD_TOKEN_OWNER_DO_GRANT | (uint32_t)SD_TOKEN_OWNER_DO_REPAIR << 8; } /* HELD WANT [owner == 0] owner = arg; holding = holding + 1; GRANT REPAIR -> HELD */
            m->waiters = (uint16_t)((uint64_t)m->waiters + 1ULL); m->state = SD_TOKEN_OWNER_REVOKING; return SD_TOKEN_OWNER_DO_QUEUE; /* HELD WANT waiters = waiters + 1; QUEUE -> REVOKING */
        case SD_TOKEN_OWNER_REVOKING:
            m->waiters = (uint16_t)((uint64_t)m->waiters + 1ULL); return SD_TOKEN_OWNER_DO_QUEUE; /* REVOKING WANT waiters = waiters + 1; QUEUE -> REVOKING */
        case SD_TOKEN_OWNER_REVOKED:
            m->waiters = (uint16_t)((uint64_t)m->waiters + 1ULL); return SD_TOKEN_OWNER_DO_QUEUE; /* REVOKED WANT waiters = waiters + 1; QUEUE -> REVOKED */
        case SD_TOKEN_OWNER_SHARED:
            if ((((uint64_t)m->owner == 0ULL) && ((uint64_t)m->takeovers == 0ULL)) && ((uint64_t)m->waiters == 0ULL)) { m->owner = (uint16_t)(arg); m->holding = (uint32_t)((uint64_t)m->holding + 1ULL); return SD_TOKEN_OWNER_DO_GRANT; } /* SHARED WANT [(owner == 0 && takeovers == 0) && waiters == 0] owner = arg; holding = holding + 1; GRANT -> SHARED */
            if (((uint64_t)m->owner == 0ULL) && ((uint64_t)m->waiters == 0ULL)) { m->owner = (uint16_t)(arg); m->holding = (uint32_t)((uint64_t)m->holding + 1ULL); return SD_TOKEN_OWNER_DO_GRANT | (uint32_t)SD_TOKEN_OWNER_DO_REPAIR << 8; } /* SHARED WANT [owner == 0 && waiters == 0] owner = arg; holding = holding + 1; GRANT REPAIR -> SHARED */
            m->waiters = (uint16_t)((uint64_t)m->waiters + 1ULL); return SD_TOKEN_OWNER_DO_QUEUE; /* SHARED WANT waiters = waiters + 1; QUEUE -> SHARED */
        }
        break;
    case SD_TOKEN_OWNER_EV_WANT_IDLE:
        switch (m->state) {
        case SD_TOKEN_OWNER_HELD:
            if ((uint64_t)m->owner == arg) { return SD_TOKEN_OWNER_DO_GRANT; } /* HELD WANT_IDLE [owner == arg] GRANT -> HELD */
            m->waiters = (uint16_t)((uint64_t)m->waiters + 1ULL); m->state = SD_TOKEN_OWNER_REVOKING; return SD_TOKEN_OWNER_DO_QUEUE; /* HELD WANT_IDLE waiters = waiters + 1; QUEUE -> REVOKING */
        case SD_TOKEN_OWNER_REVOKING:
            m->waiters = (uint16_t)((uint64_t)m->waiters + 1ULL); return SD_TOKEN_OWNER_DO_QUEUE; /* REVOKING WANT_IDLE waiters = waiters + 1; QUEUE -> REVOKING */
        case SD_TOKEN_OWNER_REVOKED:
            m->waiters = (uint16_t)((uint64_t)m->waiters + 1ULL); return SD_TOKEN_OWNER_DO_QUEUE; /* REVOKED WANT_IDLE waiters = waiters + 1; QUEUE -> REVOKED */
        case SD_TOKEN_OWNER_SHARED:
            if ((uint64_t)m->waiters == 0ULL) { m->owner = (uint16_t)(arg); m->holding = (uint32_t)((uint64_t)m->holding + 1ULL); return SD_TOKEN_OWNER_DO_GRANT; } /* SHARED WANT_IDLE [waiters == 0] owner = arg; holding = holding + 1; GRANT -> SHARED */
            m->waiters = (uint16_t)((uint64_t)m->waiters + 1ULL); return SD_TOKEN_OWNER_DO_QUEUE; /* SHARED WANT_IDLE waiters = waiters + 1; QUEUE -> SHARED */
        }
        break;
    case SD_TOKEN_OWNER_EV_MY_TURN:
        switch (m->state) {
        case SD_TOKEN_OWNER_REVOKING:
            return SD_TOKEN_OWNER_DO_FENCE; /* REVOKING MY_TURN FENCE -> REVOKING */
        case SD_TOKEN_OWNER_REVOKED:
            return SD_TOKEN_OWNER_DO_LOOK; /* REVOKED MY_TURN LOOK -> REVOKED */
        case SD_TOKEN_OWNER_SHARED:
            return SD_TOKEN_OWNER_DO_LOOK; /* SHARED MY_TURN LOOK -> SHARED */
        }
        break;
    case SD_TOKEN_OWNER_EV_FENCED:
        switch (m->state) {
        case SD_TOKEN_OWNER_REVOKING:
            m->state = SD_TOKEN_OWNER_REVOKED; return SD_TOKEN_OWNER_DO_LOOK; /* REVOKING FENCED LOOK -> REVOKED */
        }
        break;
    case SD_TOKEN_OWNER_EV_IDLE:
        switch (m->state) {
        case SD_TOKEN_OWNER_REVOKED:
            if ((uint64_t)m->takeovers >= 3ULL) { m->owner = (uint16_t)(arg); m->waiters = (uint16_t)((uint64_t)m->waiters - 1ULL); m->holding = (uint32_t)((uint64_t)m->holding + 1ULL); m->state = SD_TOKEN_OWNER_SHARED; return SD_TOKEN_OWNER_DO_GRANT; } /* REVOKED IDLE [takeovers >= 3] owner = arg; waiters = waiters - 1; holding = holding + 1; GRANT -> SHARED */
            if ((uint64_t)m->waiters > 1ULL) { m->owner = (uint16_t)(arg); m->waiters = (uint16_t)((uint64_t)m->waiters - 1ULL); m->holding = (uint32_t)((uint64_t)m->holding + 1ULL); m->takeovers = (uint8_t)((uint64_t)m->takeovers + 1ULL); return SD_TOKEN_OWNER_DO_GRANT; } /* REVOKED IDLE [waiters > 1] owner = arg; waiters = waiters - 1; holding = holding + 1; takeovers = takeovers + 1; GRANT -> REVOKED */
            m->owner = (uint16_t)(arg); m->waiters = (uint16_t)((uint64_t)m->waiters - 1ULL); m->holding = (uint32_t)((uint64_t)m->holding + 1ULL); m->takeovers = (uint8_t)((uint64_t)m->takeovers + 1ULL); m->state = SD_TOKEN_OWNER_HELD; return SD_TOKEN_OWNER_DO_GRANT; /* REVOKED IDLE owner = arg; waiters = waiters - 1; holding = holding + 1; takeovers = takeovers + 1; GRANT -> HELD */
        case SD_TOKEN_OWNER_SHARED:
            m->owner = (uint16_t)(arg); m->waiters = (uint16_t)((uint64_t)m->waiters - 1ULL); m->holding = (uint32_t)((uint64_t)m->holding + 1ULL); return SD_TOKEN_OWNER_DO_GRANT; /* SHARED IDLE owner = arg; waiters = waiters - 1; holding = holding + 1; GRANT -> SHARED */
        }
        break;
    case SD_TOKEN_OWNER_EV_OWNER_DIED:
        switch (m->state) {
        case SD_TOKEN_OWNER_REVOKED:
            if ((uint64_t)m->takeovers >= 3ULL) { m->owner = (uint16_t)(arg); m->waiters = (uint16_t)((uint64_t)m->waiters - 1ULL); m->holding = (uint32_t)((uint64_t)m->holding + 1ULL); m->state = SD_TOKEN_OWNER_SHARED; return SD_TOKEN_OWNER_DO_GRANT | (uint32_t)SD_TOKEN_OWNER_DO_REPAIR << 8; } /* REVOKED OWNER_DIED [takeovers >= 3] owner = arg; waiters = waiters - 1; holding = holding + 1; GRANT REPAIR -> SHARED */
            if ((uint64_t)m->waiters > 1ULL) { m->owner = (uint16_t)(arg); m->waiters = (uint16_t)((uint64_t)m->waiters - 1ULL); m->holding = (uint32_t)((uint64_t)m->holding + 1ULL); m->takeovers = (uint8_t)((uint64_t)m->takeovers + 1ULL); return SD_TOKEN_OWNER_DO_GRANT | (uint32_t)SD_TOKEN_OWNER_DO_REPAIR << 8; } /* REVOKED OWNER_DIED [waiters > 1] owner = arg; waiters = waiters - 1; holding = holding + 1; takeovers = takeovers + 1; GRANT REPAIR -> REVOKED */
            m->owner = (uint16_t)(arg); m->waiters = (uint16_t)((uint64_t)m->waiters - 1ULL); m->holding = (uint32_t)((uint64_t)m->holding + 1ULL); m->takeovers = (uint8_t)((uint64_t)m->takeovers + 1ULL); m->state = SD_TOKEN_OWNER_HELD; return SD_TOKEN_OWNER_DO_GRANT | (uint32_t)SD_TOKEN_OWNER_DO_REPAIR << 8; /* REVOKED OWNER_DIED owner = arg; waiters = waiters - 1; holding = holding + 1; takeovers = takeovers + 1; GRANT REPAIR -> HELD */
        case SD_TOKEN_OWNER_SHARED:
            m->owner = (uint16_t)(arg); m->waiters = (uint16_t)((uint64_t)m->waiters - 1ULL); m->holding = (uint32_t)((uint64_t)m->holding + 1ULL); return SD_TOKEN_OWNER_DO_GRANT | (uint32_t)SD_TOKEN_OWNER_DO_REPAIR << 8; /* SHARED OWNER_DIED owner = arg; waiters = waiters - 1; holding = holding + 1; GRANT REPAIR -> SHARED */
        }
        break;
    case SD_TOKEN_OWNER_EV_WAITER_DIED:
        switch (m->state) {
        case SD_TOKEN_OWNER_REVOKING:
            if ((uint64_t)m->waiters > 1ULL) { m->waiters = (uint16_t)((uint64_t)m->waiters - 1ULL); m->holding = (uint32_t)((uint64_t)m->holding + 1ULL); return 0; } /* REVOKING WAITER_DIED [waiters > 1] waiters = waiters - 1; holding = holding + 1; -> REVOKING */
            return SD_NO_ROW;
        case SD_TOKEN_OWNER_REVOKED:
            if ((uint64_t)m->waiters > 1ULL) { m->waiters = (uint16_t)((uint64_t)m->waiters - 1ULL); m->holding = (uint32_t)((uint64_t)m->holding + 1ULL); return 0; } /* REVOKED WAITER_DIED [waiters > 1] waiters = waiters - 1; holding = holding + 1; -> REVOKED */
            return SD_NO_ROW;
        case SD_TOKEN_OWNER_SHARED:
            if ((uint64_t)m->waiters > 1ULL) { m->waiters = (uint16_t)((uint64_t)m->waiters - 1ULL); m->holding = (uint32_t)((uint64_t)m->holding + 1ULL); return 0; } /* SHARED WAITER_DIED [waiters > 1] waiters = waiters - 1; holding = holding + 1; -> SHARED */
            return SD_NO_ROW;
        }
        break;
    case SD_TOKEN_OWNER_EV_OWNER_LOST:
        switch (m->state) {
        case SD_TOKEN_OWNER_HELD:
            if (((uint64_t)m->owner == arg) && ((uint64_t)m->takeovers == 0ULL)) { m->owner = (uint16_t)(0ULL); m->takeovers = (uint8_t)(1ULL); return 0; } /* HELD OWNER_LOST [owner == arg && takeovers == 0] owner = 0; takeovers = 1; -> HELD */
            if ((uint64_t)m->owner == arg) { m->owner = (uint16_t)(0ULL); return 0; } /* HELD OWNER_LOST [owner == arg] owner = 0; -> HELD */
            return 0; /* HELD OWNER_LOST -> HELD */
        case SD_TOKEN_OWNER_REVOKING:
            if (((uint64_t)m->owner == arg) && ((uint64_t)m->takeovers == 0ULL)) { m->owner = (uint16_t)(0ULL); m->takeovers = (uint8_t)(1ULL); return 0; } /* REVOKING OWNER_LOST [owner == arg && takeovers == 0] owner = 0; takeovers = 1; -> REVOKING */
            if ((uint64_t)m->owner == arg) { m->owner = (uint16_t)(0ULL); return 0; } /* REVOKING OWNER_LOST [owner == arg] owner = 0; -> REVOKING */
            return 0; /* REVOKING OWNER_LOST -> REVOKING */
        case SD_TOKEN_OWNER_REVOKED:
            if (((uint64_t)m->owner == arg) && ((uint64_t)m->takeovers == 0ULL)) { m->owner = (uint16_t)(0ULL); m->takeovers = (uint8_t)(1ULL); return 0; } /* REVOKED OWNER_LOST [owner == arg && takeovers == 0] owner = 0; takeovers = 1; -> REVOKED */
            if ((uint64_t)m->owner == arg) { m->owner = (uint16_t)(0ULL); return 0; } /* REVOKED OWNER_LOST [owner == arg] owner = 0; -> REVOKED */
            return 0; /* REVOKED OWNER_LOST -> REVOKED */
        case SD_TOKEN_OWNER_SHARED:
            if (((uint64_t)m->owner == arg) && ((uint64_t)m->takeovers == 0ULL)) { m->owner = (uint16_t)(0ULL); m->takeovers = (uint8_t)(1ULL); return 0; } /* SHARED OWNER_LOST [owner == arg && takeovers == 0] owner = 0; takeovers = 1; -> SHARED */
            if ((uint64_t)m->owner == arg) { m->owner = (uint16_t)(0ULL); return 0; } /* SHARED OWNER_LOST [owner == arg] owner = 0; -> SHARED */
            return 0; /* SHARED OWNER_LOST -> SHARED */
        }
        break;
    }
    return SD_NO_ROW;
}

/* teardown: The end of a connection through the rings, as one end sees it. */
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
__attribute__((unused)) static const char *const sd_teardown_state_name[7] = {"OPEN", "LOCAL_SHUT", "PEER_SHUT", "DEAF", "BOTH_SHUT", "CLOSED", "RESET"};
__attribute__((unused)) static const char *const sd_teardown_event_name[10] = {"UNIX", "SHUT_WR", "SHUT_RD", "CLOSE", "PEER_FIN", "PEER_CLOSED", "PEER_DEAF", "PEER_RESET", "PEER_GONE", "TO_KERNEL"};
__attribute__((unused)) static const char *const sd_teardown_effect_name[17] = {"", "PUBLISH_FIN", "PUBLISH_CLOSED", "PUBLISH_RESET", "PUBLISH_DEAF", "RESET_PEER", "WAKE_SENDERS", "DELIVER_EOF", "LAST_SEND", "REFUSED_SEND", "BREAK_SEND", "SHUT_SEND", "RAISE_RESET", "RELEASE_SLOT", "CLOSE_COMPANION", "BREAK_COMPANION", "FORGET_ERROR"};
struct sd_teardown {
    uint32_t state;
    uint8_t shut_read;
    uint8_t at_once;
    SD_RECORDED
};

static inline void sd_teardown_start(struct sd_teardown *m)
{
    m->state = SD_TEARDOWN_OPEN;
    m->shut_read = 0u;
    m->at_once = 0u;
}

static inline uint32_t sd_teardown_step(struct sd_teardown *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event) {
    case SD_TEARDOWN_EV_UNIX:
        switch (m->state) {
        case SD_TEARDOWN_OPEN:
            m->at_once = (uint8_t)(1ULL); return 0; /* OPEN UNIX at_once = 1; -> OPEN */
        }
        break;
    case SD_TEARDOWN_EV_SHUT_WR:
        switch (m->state) {
        case SD_TEARDOWN_OPEN:
            if ((uint64_t)m->shut_read > (uint64_t)m->at_once) { SD_BECOME(m, SD_TEARDOWN_LOCAL_SHUT); return SD_TEARDOWN_DO_PUBLISH_FIN | (uint32_t)SD_TEARDOWN_DO_PUBLISH_DEAF << 8; } /* OPEN SHUT_WR [shut_read > at_once] PUBLISH_FIN PUBLISH_DEAF -> LOCAL_SHUT */
            SD_BECOME(m, SD_TEARDOWN_LOCAL_SHUT); return SD_TEARDOWN_DO_PUBLISH_FIN; /* OPEN SHUT_WR PUBLISH_FIN -> LOCAL_SHUT */
        case SD_TEARDOWN_LOCAL_SHUT:
            return 0; /* LOCAL_SHUT SHUT_WR -> LOCAL_SHUT */
        case SD_TEARDOWN_PEER_SHUT:
            SD_BECOME(m, SD_TEARDOWN_BOTH_SHUT); return SD_TEARDOWN_DO_PUBLISH_FIN; /* PEER_SHUT SHUT_WR PUBLISH_FIN -> BOTH_SHUT */
        case SD_TEARDOWN_DEAF:
            SD_BECOME(m, SD_TEARDOWN_BOTH_SHUT); return SD_TEARDOWN_DO_PUBLISH_FIN; /* DEAF SHUT_WR PUBLISH_FIN -> BOTH_SHUT */
        case SD_TEARDOWN_BOTH_SHUT:
            return 0; /* BOTH_SHUT SHUT_WR -> BOTH_SHUT */
        case SD_TEARDOWN_RESET:
            return 0; /* RESET SHUT_WR -> RESET */
        }
        break;
    case SD_TEARDOWN_EV_SHUT_RD:
        switch (m->state) {
        case SD_TEARDOWN_OPEN:
            if ((uint64_t)m->at_once > (uint64_t)m->shut_read) { m->shut_read = (uint8_t)(1ULL); return SD_TEARDOWN_DO_PUBLISH_DEAF | (uint32_t)SD_TEARDOWN_DO_WAKE_SENDERS << 8; } /* OPEN SHUT_RD [at_once > shut_read] shut_read = 1; PUBLISH_DEAF WAKE_SENDERS -> OPEN */
            m->shut_read = (uint8_t)(1ULL); return 0; /* OPEN SHUT_RD shut_read = 1; -> OPEN */
        case SD_TEARDOWN_LOCAL_SHUT:
            if ((uint64_t)m->shut_read > 0ULL) { return 0; } /* LOCAL_SHUT SHUT_RD [shut_read > 0] -> LOCAL_SHUT */
            if ((uint64_t)m->at_once > 0ULL) { m->shut_read = (uint8_t)(1ULL); return SD_TEARDOWN_DO_PUBLISH_DEAF | (uint32_t)SD_TEARDOWN_DO_WAKE_SENDERS << 8; } /* LOCAL_SHUT SHUT_RD [at_once > 0] shut_read = 1; PUBLISH_DEAF WAKE_SENDERS -> LOCAL_SHUT */
            m->shut_read = (uint8_t)(1ULL); return SD_TEARDOWN_DO_PUBLISH_DEAF; /* LOCAL_SHUT SHUT_RD shut_read = 1; PUBLISH_DEAF -> LOCAL_SHUT */
        case SD_TEARDOWN_PEER_SHUT:
            return 0; /* PEER_SHUT SHUT_RD -> PEER_SHUT */
        case SD_TEARDOWN_DEAF:
            return 0; /* DEAF SHUT_RD -> DEAF */
        case SD_TEARDOWN_BOTH_SHUT:
            return 0; /* BOTH_SHUT SHUT_RD -> BOTH_SHUT */
        case SD_TEARDOWN_RESET:
            return 0; /* RESET SHUT_RD -> RESET */
        }
        break;
    case SD_TEARDOWN_EV_CLOSE:
        switch (m->state) {
        case SD_TEARDOWN_OPEN:
            if (arg > 0ULL) { SD_BECOME(m, SD_TEARDOWN_CLOSED); return SD_TEARDOWN_DO_PUBLISH_RESET | (uint32_t)SD_TEARDOWN_DO_CLOSE_COMPANION << 8 | (uint32_t)SD_TEARDOWN_DO_RELEASE_SLOT << 16; } /* OPEN CLOSE [arg > 0] PUBLISH_RESET CLOSE_COMPANION RELEASE_SLOT -> CLOSED */
            SD_BECOME(m, SD_TEARDOWN_CLOSED); return SD_TEARDOWN_DO_PUBLISH_FIN | (uint32_t)SD_TEARDOWN_DO_PUBLISH_CLOSED << 8 | (uint32_t)SD_TEARDOWN_DO_CLOSE_COMPANION << 16 | (uint32_t)SD_TEARDOWN_DO_RELEASE_SLOT << 24; /* OPEN CLOSE PUBLISH_FIN PUBLISH_CLOSED CLOSE_COMPANION RELEASE_SLOT -> CLOSED */
        case SD_TEARDOWN_LOCAL_SHUT:
            if (arg > 0ULL) { SD_BECOME(m, SD_TEARDOWN_CLOSED); return SD_TEARDOWN_DO_PUBLISH_RESET | (uint32_t)SD_TEARDOWN_DO_CLOSE_COMPANION << 8 | (uint32_t)SD_TEARDOWN_DO_RELEASE_SLOT << 16; } /* LOCAL_SHUT CLOSE [arg > 0] PUBLISH_RESET CLOSE_COMPANION RELEASE_SLOT -> CLOSED */
            SD_BECOME(m, SD_TEARDOWN_CLOSED); return SD_TEARDOWN_DO_PUBLISH_CLOSED | (uint32_t)SD_TEARDOWN_DO_CLOSE_COMPANION << 8 | (uint32_t)SD_TEARDOWN_DO_RELEASE_SLOT << 16; /* LOCAL_SHUT CLOSE PUBLISH_CLOSED CLOSE_COMPANION RELEASE_SLOT -> CLOSED */
        case SD_TEARDOWN_PEER_SHUT:
            if (arg > 0ULL) { SD_BECOME(m, SD_TEARDOWN_CLOSED); return SD_TEARDOWN_DO_PUBLISH_RESET | (uint32_t)SD_TEARDOWN_DO_CLOSE_COMPANION << 8 | (uint32_t)SD_TEARDOWN_DO_RELEASE_SLOT << 16; } /* PEER_SHUT CLOSE [arg > 0] PUBLISH_RESET CLOSE_COMPANION RELEASE_SLOT -> CLOSED */
            SD_BECOME(m, SD_TEARDOWN_CLOSED); return SD_TEARDOWN_DO_PUBLISH_FIN | (uint32_t)SD_TEARDOWN_DO_PUBLISH_CLOSED << 8 | (uint32_t)SD_TEARDOWN_DO_CLOSE_COMPANION << 16 | (uint32_t)SD_TEARDOWN_DO_RELEASE_SLOT << 24; /* PEER_SHUT CLOSE PUBLISH_FIN PUBLISH_CLOSED CLOSE_COMPANION RELEASE_SLOT -> CLOSED */
        case SD_TEARDOWN_DEAF:
            if (arg > 0ULL) { SD_BECOME(m, SD_TEARDOWN_CLOSED); return SD_TEARDOWN_DO_PUBLISH_RESET | (uint32_t)SD_TEARDOWN_DO_CLOSE_COMPANION << 8 | (uint32_t)SD_TEARDOWN_DO_RELEASE_SLOT << 16; } /* DEAF CLOSE [arg > 0] PUBLISH_RESET CLOSE_COMPANION RELEASE_SLOT -> CLOSED */
            SD_BECOME(m, SD_TEARDOWN_CLOSED); return SD_TEARDOWN_DO_PUBLISH_FIN | (uint32_t)SD_TEARDOWN_DO_PUBLISH_CLOSED << 8 | (uint32_t)SD_TEARDOWN_DO_CLOSE_COMPANION << 16 | (uint32_t)SD_TEARDOWN_DO_RELEASE_SLOT << 24; /* DEAF CLOSE PUBLISH_FIN PUBLISH_CLOSED CLOSE_COMPANION RELEASE_SLOT -> CLOSED */
        case SD_TEARDOWN_BOTH_SHUT:
            if (arg > 0ULL) { SD_BECOME(m, SD_TEARDOWN_CLOSED); return SD_TEARDOWN_DO_PUBLISH_RESET | (uint32_t)SD_TEARDOWN_DO_CLOSE_COMPANION << 8 | (uint32_t)SD_TEARDOWN_DO_RELEASE_SLOT << 16; } /* BOTH_SHUT CLOSE [arg > 0] PUBLISH_RESET CLOSE_COMPANION RELEASE_SLOT -> CLOSED */
            SD_BECOME(m, SD_TEARDOWN_CLOSED); return SD_TEARDOWN_DO_PUBLISH_CLOSED | (uint32_t)SD_TEARDOWN_DO_CLOSE_COMPANION << 8 | (uint32_t)SD_TEARDOWN_DO_RELEASE_SLOT << 16; /* BOTH_SHUT CLOSE PUBLISH_CLOSED CLOSE_COMPANION RELEASE_SLOT -> CLOSED */
        case SD_TEARDOWN_RESET:
            SD_BECOME(m, SD_TEARDOWN_CLOSED); return SD_TEARDOWN_DO_PUBLISH_CLOSED | (uint32_t)SD_TEARDOWN_DO_CLOSE_COMPANION << 8 | (uint32_t)SD_TEARDOWN_DO_RELEASE_SLOT << 16; /* RESET CLOSE PUBLISH_CLOSED CLOSE_COMPANION RELEASE_SLOT -> CLOSED */
        }
        break;
    case SD_TEARDOWN_EV_PEER_FIN:
        switch (m->state) {
        case SD_TEARDOWN_OPEN:
            SD_BECOME(m, SD_TEARDOWN_PEER_SHUT); return SD_TEARDOWN_DO_DELIVER_EOF; /* OPEN PEER_FIN DELIVER_EOF -> PEER_SHUT */
        case SD_TEARDOWN_LOCAL_SHUT:
            SD_BECOME(m, SD_TEARDOWN_BOTH_SHUT); return SD_TEARDOWN_DO_DELIVER_EOF; /* LOCAL_SHUT PEER_FIN DELIVER_EOF -> BOTH_SHUT */
        case SD_TEARDOWN_PEER_SHUT:
            return 0; /* PEER_SHUT PEER_FIN -> PEER_SHUT */
        case SD_TEARDOWN_DEAF:
            return 0; /* DEAF PEER_FIN -> DEAF */
        case SD_TEARDOWN_BOTH_SHUT:
            return 0; /* BOTH_SHUT PEER_FIN -> BOTH_SHUT */
        case SD_TEARDOWN_CLOSED:
            return 0; /* CLOSED PEER_FIN -> CLOSED */
        case SD_TEARDOWN_RESET:
            return 0; /* RESET PEER_FIN -> RESET */
        }
        break;
    case SD_TEARDOWN_EV_PEER_CLOSED:
        switch (m->state) {
        case SD_TEARDOWN_OPEN:
            if ((uint64_t)m->at_once > 0ULL) { SD_BECOME(m, SD_TEARDOWN_BOTH_SHUT); return SD_TEARDOWN_DO_DELIVER_EOF | (uint32_t)SD_TEARDOWN_DO_SHUT_SEND << 8; } /* OPEN PEER_CLOSED [at_once > 0] DELIVER_EOF SHUT_SEND -> BOTH_SHUT */
            SD_BECOME(m, SD_TEARDOWN_PEER_SHUT); return SD_TEARDOWN_DO_DELIVER_EOF | (uint32_t)SD_TEARDOWN_DO_LAST_SEND << 8; /* OPEN PEER_CLOSED DELIVER_EOF LAST_SEND -> PEER_SHUT */
        case SD_TEARDOWN_LOCAL_SHUT:
            SD_BECOME(m, SD_TEARDOWN_BOTH_SHUT); return SD_TEARDOWN_DO_DELIVER_EOF; /* LOCAL_SHUT PEER_CLOSED DELIVER_EOF -> BOTH_SHUT */
        case SD_TEARDOWN_PEER_SHUT:
            if ((uint64_t)m->at_once > 0ULL) { SD_BECOME(m, SD_TEARDOWN_BOTH_SHUT); return SD_TEARDOWN_DO_SHUT_SEND; } /* PEER_SHUT PEER_CLOSED [at_once > 0] SHUT_SEND -> BOTH_SHUT */
            return SD_TEARDOWN_DO_LAST_SEND; /* PEER_SHUT PEER_CLOSED LAST_SEND -> PEER_SHUT */
        case SD_TEARDOWN_DEAF:
            SD_BECOME(m, SD_TEARDOWN_PEER_SHUT); return SD_TEARDOWN_DO_LAST_SEND; /* DEAF PEER_CLOSED LAST_SEND -> PEER_SHUT */
        case SD_TEARDOWN_BOTH_SHUT:
            return 0; /* BOTH_SHUT PEER_CLOSED -> BOTH_SHUT */
        case SD_TEARDOWN_CLOSED:
            return 0; /* CLOSED PEER_CLOSED -> CLOSED */
        case SD_TEARDOWN_RESET:
            return 0; /* RESET PEER_CLOSED -> RESET */
        }
        break;
    case SD_TEARDOWN_EV_PEER_DEAF:
        switch (m->state) {
        case SD_TEARDOWN_OPEN:
            if ((uint64_t)m->at_once > 0ULL) { SD_BECOME(m, SD_TEARDOWN_LOCAL_SHUT); return SD_TEARDOWN_DO_SHUT_SEND; } /* OPEN PEER_DEAF [at_once > 0] SHUT_SEND -> LOCAL_SHUT */
            SD_BECOME(m, SD_TEARDOWN_DEAF); return SD_TEARDOWN_DO_DELIVER_EOF | (uint32_t)SD_TEARDOWN_DO_REFUSED_SEND << 8; /* OPEN PEER_DEAF DELIVER_EOF REFUSED_SEND -> DEAF */
        case SD_TEARDOWN_LOCAL_SHUT:
            if ((uint64_t)m->at_once > 0ULL) { return 0; } /* LOCAL_SHUT PEER_DEAF [at_once > 0] -> LOCAL_SHUT */
            SD_BECOME(m, SD_TEARDOWN_BOTH_SHUT); return SD_TEARDOWN_DO_DELIVER_EOF; /* LOCAL_SHUT PEER_DEAF DELIVER_EOF -> BOTH_SHUT */
        case SD_TEARDOWN_PEER_SHUT:
            if ((uint64_t)m->at_once > 0ULL) { SD_BECOME(m, SD_TEARDOWN_BOTH_SHUT); return SD_TEARDOWN_DO_SHUT_SEND; } /* PEER_SHUT PEER_DEAF [at_once > 0] SHUT_SEND -> BOTH_SHUT */
            SD_BECOME(m, SD_TEARDOWN_DEAF); return SD_TEARDOWN_DO_REFUSED_SEND; /* PEER_SHUT PEER_DEAF REFUSED_SEND -> DEAF */
        case SD_TEARDOWN_DEAF:
            return 0; /* DEAF PEER_DEAF -> DEAF */
        case SD_TEARDOWN_BOTH_SHUT:
            return 0; /* BOTH_SHUT PEER_DEAF -> BOTH_SHUT */
        case SD_TEARDOWN_CLOSED:
            return 0; /* CLOSED PEER_DEAF -> CLOSED */
        case SD_TEARDOWN_RESET:
            return 0; /* RESET PEER_DEAF -> RESET */
        }
        break;
    case SD_TEARDOWN_EV_PEER_RESET:
        switch (m->state) {
        case SD_TEARDOWN_OPEN:
            SD_BECOME(m, SD_TEARDOWN_RESET); return SD_TEARDOWN_DO_RAISE_RESET; /* OPEN PEER_RESET RAISE_RESET -> RESET */
        case SD_TEARDOWN_LOCAL_SHUT:
            SD_BECOME(m, SD_TEARDOWN_RESET); return SD_TEARDOWN_DO_RAISE_RESET; /* LOCAL_SHUT PEER_RESET RAISE_RESET -> RESET */
        case SD_TEARDOWN_PEER_SHUT:
            if ((uint64_t)m->at_once > 0ULL) { SD_BECOME(m, SD_TEARDOWN_RESET); return SD_TEARDOWN_DO_RAISE_RESET; } /* PEER_SHUT PEER_RESET [at_once > 0] RAISE_RESET -> RESET */
            SD_BECOME(m, SD_TEARDOWN_RESET); return SD_TEARDOWN_DO_BREAK_SEND; /* PEER_SHUT PEER_RESET BREAK_SEND -> RESET */
        case SD_TEARDOWN_DEAF:
            SD_BECOME(m, SD_TEARDOWN_RESET); return SD_TEARDOWN_DO_RESET_PEER | (uint32_t)SD_TEARDOWN_DO_BREAK_SEND << 8; /* DEAF PEER_RESET RESET_PEER BREAK_SEND -> RESET */
        case SD_TEARDOWN_BOTH_SHUT:
            SD_BECOME(m, SD_TEARDOWN_RESET); return SD_TEARDOWN_DO_RAISE_RESET; /* BOTH_SHUT PEER_RESET RAISE_RESET -> RESET */
        case SD_TEARDOWN_CLOSED:
            return 0; /* CLOSED PEER_RESET -> CLOSED */
        case SD_TEARDOWN_RESET:
            return 0; /* RESET PEER_RESET -> RESET */
        }
        break;
    case SD_TEARDOWN_EV_PEER_GONE:
        switch (m->state) {
        case SD_TEARDOWN_OPEN:
            if (arg > 0ULL) { SD_BECOME(m, SD_TEARDOWN_RESET); return SD_TEARDOWN_DO_RAISE_RESET; } /* OPEN PEER_GONE [arg > 0] RAISE_RESET -> RESET */
            if ((uint64_t)m->at_once > 0ULL) { SD_BECOME(m, SD_TEARDOWN_BOTH_SHUT); return SD_TEARDOWN_DO_DELIVER_EOF | (uint32_t)SD_TEARDOWN_DO_SHUT_SEND << 8; } /* OPEN PEER_GONE [at_once > 0] DELIVER_EOF SHUT_SEND -> BOTH_SHUT */
            SD_BECOME(m, SD_TEARDOWN_PEER_SHUT); return SD_TEARDOWN_DO_DELIVER_EOF | (uint32_t)SD_TEARDOWN_DO_LAST_SEND << 8; /* OPEN PEER_GONE DELIVER_EOF LAST_SEND -> PEER_SHUT */
        case SD_TEARDOWN_LOCAL_SHUT:
            if (arg > 0ULL) { SD_BECOME(m, SD_TEARDOWN_RESET); return SD_TEARDOWN_DO_RAISE_RESET; } /* LOCAL_SHUT PEER_GONE [arg > 0] RAISE_RESET -> RESET */
            SD_BECOME(m, SD_TEARDOWN_BOTH_SHUT); return SD_TEARDOWN_DO_DELIVER_EOF; /* LOCAL_SHUT PEER_GONE DELIVER_EOF -> BOTH_SHUT */
        case SD_TEARDOWN_PEER_SHUT:
            if (((uint64_t)m->at_once > 0ULL) && (arg > 0ULL)) { SD_BECOME(m, SD_TEARDOWN_RESET); return SD_TEARDOWN_DO_RAISE_RESET; } /* PEER_SHUT PEER_GONE [at_once > 0 && arg > 0] RAISE_RESET -> RESET */
            if ((uint64_t)m->at_once > 0ULL) { SD_BECOME(m, SD_TEARDOWN_BOTH_SHUT); return SD_TEARDOWN_DO_SHUT_SEND; } /* PEER_SHUT PEER_GONE [at_once > 0] SHUT_SEND -> BOTH_SHUT */
            if (arg > 0ULL) { SD_BECOME(m, SD_TEARDOWN_RESET); return SD_TEARDOWN_DO_BREAK_SEND; } /* PEER_SHUT PEER_GONE [arg > 0] BREAK_SEND -> RESET */
            return SD_TEARDOWN_DO_LAST_SEND; /* PEER_SHUT PEER_GONE LAST_SEND -> PEER_SHUT */
        case SD_TEARDOWN_DEAF:
            if (arg > 0ULL) { SD_BECOME(m, SD_TEARDOWN_RESET); return SD_TEARDOWN_DO_BREAK_SEND; } /* DEAF PEER_GONE [arg > 0] BREAK_SEND -> RESET */
            SD_BECOME(m, SD_TEARDOWN_PEER_SHUT); return SD_TEARDOWN_DO_LAST_SEND; /* DEAF PEER_GONE LAST_SEND -> PEER_SHUT */
        case SD_TEARDOWN_BOTH_SHUT:
            if (arg > 0ULL) { SD_BECOME(m, SD_TEARDOWN_RESET); return SD_TEARDOWN_DO_RAISE_RESET; } /* BOTH_SHUT PEER_GONE [arg > 0] RAISE_RESET -> RESET */
            return 0; /* BOTH_SHUT PEER_GONE -> BOTH_SHUT */
        case SD_TEARDOWN_CLOSED:
            return 0; /* CLOSED PEER_GONE -> CLOSED */
        case SD_TEARDOWN_RESET:
            return 0; /* RESET PEER_GONE -> RESET */
        }
        break;
    case SD_TEARDOWN_EV_TO_KERNEL:
        switch (m->state) {
        case SD_TEARDOWN_OPEN:
            return 0; /* OPEN TO_KERNEL -> OPEN */
        case SD_TEARDOWN_LOCAL_SHUT:
            return 0; /* LOCAL_SHUT TO_KERNEL -> LOCAL_SHUT */
        case SD_TEARDOWN_PEER_SHUT:
            return 0; /* PEER_SHUT TO_KERNEL -> PEER_SHUT */
        case SD_TEARDOWN_DEAF:
            return 0; /* DEAF TO_KERNEL -> DEAF */
        case SD_TEARDOWN_BOTH_SHUT:
            return 0; /* BOTH_SHUT TO_KERNEL -> BOTH_SHUT */
        case SD_TEARDOWN_RESET:
            if (arg > 0ULL) { return SD_TEARDOWN_DO_BREAK_COMPANION; } /* RESET TO_KERNEL [arg > 0] BREAK_COMPANION -> RESET */
            return SD_TEARDOWN_DO_BREAK_COMPANION | (uint32_t)SD_TEARDOWN_DO_FORGET_ERROR << 8; /* RESET TO_KERNEL BREAK_COMPANION FORGET_ERROR -> RESET */
        }
        break;
    }
    return SD_NO_ROW;
}

/* mover: Producer of one direction that goes over to the companion, or closes: who sends what was not read. */
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
__attribute__((unused)) static const char *const sd_mover_state_name[9] = {"RINGS", "OUT", "LOOKING", "HELD", "RESENDING", "OVER", "CLOSING", "LINGERING", "CLOSED"};
__attribute__((unused)) static const char *const sd_mover_event_name[14] = {"BEGIN_OUT", "JOIN", "MOVE", "WITHDRAW", "FORWARDS", "LEFT", "LATE", "TRY", "SENT", "FULL", "BREAK", "SEND", "SHUTDOWN", "CLOSE"};
__attribute__((unused)) static const char *const sd_mover_effect_name[14] = {"", "ENTER", "PUBLISH_MOVED", "PUBLISH_FIN", "LOOK_MOVED", "LOOK_AGAIN", "LOOK_CLOSED", "MARK_CLOSED", "RESEND", "END_COMPANION", "PASS", "WAIT", "BROKEN_PIPE", "HAND_OVER"};
struct sd_mover {
    uint64_t left;
    uint32_t state;
    uint8_t fin;
    SD_RECORDED
};

static inline void sd_mover_start(struct sd_mover *m)
{
    m->state = SD_MOVER_RINGS;
    m->left = 0u;
    m->fin = 0u;
}

static inline uint32_t sd_mover_step(struct sd_mover *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event) {
    case SD_MOVER_EV_BEGIN_OUT:
        switch (m->state) {
        case SD_MOVER_RINGS:
            SD_BECOME(m, SD_MOVER_OUT); return 0; /* RINGS BEGIN_OUT -> OUT */
        }
        break;
    case SD_MOVER_EV_JOIN:
        switch (m->state) {
        case SD_MOVER_OUT:
            if (arg > 0ULL) { return 0; } /* OUT JOIN [arg > 0] -> OUT */
            SD_BECOME(m, SD_MOVER_RINGS); return SD_MOVER_DO_ENTER; /* OUT JOIN ENTER -> RINGS */
        }
        break;
    case SD_MOVER_EV_MOVE:
        switch (m->state) {
        case SD_MOVER_RINGS:
            SD_BECOME(m, SD_MOVER_LOOKING); return SD_MOVER_DO_PUBLISH_MOVED | (uint32_t)SD_MOVER_DO_LOOK_MOVED << 8; /* RINGS MOVE PUBLISH_MOVED LOOK_MOVED -> LOOKING */
        case SD_MOVER_OUT:
            SD_BECOME(m, SD_MOVER_LOOKING); return SD_MOVER_DO_PUBLISH_MOVED | (uint32_t)SD_MOVER_DO_LOOK_MOVED << 8; /* OUT MOVE PUBLISH_MOVED LOOK_MOVED -> LOOKING */
        case SD_MOVER_LOOKING:
            return 0; /* LOOKING MOVE -> LOOKING */
        case SD_MOVER_HELD:
            return 0; /* HELD MOVE -> HELD */
        case SD_MOVER_RESENDING:
            return 0; /* RESENDING MOVE -> RESENDING */
        case SD_MOVER_OVER:
            return 0; /* OVER MOVE -> OVER */
        case SD_MOVER_CLOSED:
            return 0; /* CLOSED MOVE -> CLOSED */
        }
        break;
    case SD_MOVER_EV_WITHDRAW:
        switch (m->state) {
        case SD_MOVER_RINGS:
            if (arg > 0ULL) { m->left = arg; SD_BECOME(m, SD_MOVER_RESENDING); return SD_MOVER_DO_RESEND; } /* RINGS WITHDRAW [arg > 0] left = arg; RESEND -> RESENDING */
            if ((uint64_t)m->fin > 0ULL) { m->fin = (uint8_t)(0ULL); SD_BECOME(m, SD_MOVER_OVER); return SD_MOVER_DO_END_COMPANION; } /* RINGS WITHDRAW [fin > 0] fin = 0; END_COMPANION -> OVER */
            SD_BECOME(m, SD_MOVER_OVER); return 0; /* RINGS WITHDRAW -> OVER */
        }
        break;
    case SD_MOVER_EV_FORWARDS:
        switch (m->state) {
        case SD_MOVER_LOOKING:
            SD_BECOME(m, SD_MOVER_HELD); return 0; /* LOOKING FORWARDS -> HELD */
        case SD_MOVER_CLOSING:
            SD_BECOME(m, SD_MOVER_CLOSED); return 0; /* CLOSING FORWARDS -> CLOSED */
        }
        break;
    case SD_MOVER_EV_LEFT:
        switch (m->state) {
        case SD_MOVER_LOOKING:
            if (arg > 0ULL) { m->left = arg; SD_BECOME(m, SD_MOVER_RESENDING); return SD_MOVER_DO_RESEND; } /* LOOKING LEFT [arg > 0] left = arg; RESEND -> RESENDING */
            if ((uint64_t)m->fin > 0ULL) { m->fin = (uint8_t)(0ULL); SD_BECOME(m, SD_MOVER_OVER); return SD_MOVER_DO_END_COMPANION; } /* LOOKING LEFT [fin > 0] fin = 0; END_COMPANION -> OVER */
            SD_BECOME(m, SD_MOVER_OVER); return 0; /* LOOKING LEFT -> OVER */
        case SD_MOVER_CLOSING:
            if (arg > 0ULL) { m->left = arg; SD_BECOME(m, SD_MOVER_LINGERING); return SD_MOVER_DO_RESEND; } /* CLOSING LEFT [arg > 0] left = arg; RESEND -> LINGERING */
            SD_BECOME(m, SD_MOVER_CLOSED); return 0; /* CLOSING LEFT -> CLOSED */
        }
        break;
    case SD_MOVER_EV_LATE:
        switch (m->state) {
        case SD_MOVER_LOOKING:
            if ((uint64_t)m->fin > 0ULL) { m->fin = (uint8_t)(0ULL); SD_BECOME(m, SD_MOVER_OVER); return SD_MOVER_DO_END_COMPANION; } /* LOOKING LATE [fin > 0] fin = 0; END_COMPANION -> OVER */
            SD_BECOME(m, SD_MOVER_OVER); return 0; /* LOOKING LATE -> OVER */
        }
        break;
    case SD_MOVER_EV_TRY:
        switch (m->state) {
        case SD_MOVER_RINGS:
            return 0; /* RINGS TRY -> RINGS */
        case SD_MOVER_OUT:
            return 0; /* OUT TRY -> OUT */
        case SD_MOVER_LOOKING:
            return SD_MOVER_DO_PUBLISH_MOVED | (uint32_t)SD_MOVER_DO_LOOK_MOVED << 8; /* LOOKING TRY PUBLISH_MOVED LOOK_MOVED -> LOOKING */
        case SD_MOVER_HELD:
            SD_BECOME(m, SD_MOVER_LOOKING); return SD_MOVER_DO_LOOK_AGAIN; /* HELD TRY LOOK_AGAIN -> LOOKING */
        case SD_MOVER_RESENDING:
            return SD_MOVER_DO_RESEND; /* RESENDING TRY RESEND -> RESENDING */
        case SD_MOVER_OVER:
            return 0; /* OVER TRY -> OVER */
        case SD_MOVER_CLOSED:
            return 0; /* CLOSED TRY -> CLOSED */
        }
        break;
    case SD_MOVER_EV_SENT:
        switch (m->state) {
        case SD_MOVER_RESENDING:
            if (arg < m->left) { m->left = m->left - arg; return SD_MOVER_DO_RESEND; } /* RESENDING SENT [arg < left] left = left - arg; RESEND -> RESENDING */
            if ((uint64_t)m->fin > 0ULL) { m->left = 0ULL; m->fin = (uint8_t)(0ULL); SD_BECOME(m, SD_MOVER_OVER); return SD_MOVER_DO_END_COMPANION; } /* RESENDING SENT [fin > 0] left = 0; fin = 0; END_COMPANION -> OVER */
            m->left = 0ULL; SD_BECOME(m, SD_MOVER_OVER); return 0; /* RESENDING SENT left = 0; -> OVER */
        case SD_MOVER_LINGERING:
            if (arg < m->left) { m->left = m->left - arg; return SD_MOVER_DO_RESEND; } /* LINGERING SENT [arg < left] left = left - arg; RESEND -> LINGERING */
            m->left = 0ULL; SD_BECOME(m, SD_MOVER_CLOSED); return 0; /* LINGERING SENT left = 0; -> CLOSED */
        }
        break;
    case SD_MOVER_EV_FULL:
        switch (m->state) {
        case SD_MOVER_RESENDING:
            return 0; /* RESENDING FULL -> RESENDING */
        case SD_MOVER_LINGERING:
            m->left = 0ULL; SD_BECOME(m, SD_MOVER_CLOSED); return SD_MOVER_DO_HAND_OVER; /* LINGERING FULL left = 0; HAND_OVER -> CLOSED */
        }
        break;
    case SD_MOVER_EV_BREAK:
        switch (m->state) {
        case SD_MOVER_RESENDING:
            m->left = 0ULL; SD_BECOME(m, SD_MOVER_OVER); return 0; /* RESENDING BREAK left = 0; -> OVER */
        case SD_MOVER_LINGERING:
            m->left = 0ULL; SD_BECOME(m, SD_MOVER_CLOSED); return 0; /* LINGERING BREAK left = 0; -> CLOSED */
        }
        break;
    case SD_MOVER_EV_SEND:
        switch (m->state) {
        case SD_MOVER_OUT:
            return SD_MOVER_DO_PASS; /* OUT SEND PASS -> OUT */
        case SD_MOVER_LOOKING:
            return SD_MOVER_DO_WAIT; /* LOOKING SEND WAIT -> LOOKING */
        case SD_MOVER_HELD:
            if ((uint64_t)m->fin > 0ULL) { return SD_MOVER_DO_BROKEN_PIPE; } /* HELD SEND [fin > 0] BROKEN_PIPE -> HELD */
            return SD_MOVER_DO_WAIT; /* HELD SEND WAIT -> HELD */
        case SD_MOVER_RESENDING:
            if ((uint64_t)m->fin > 0ULL) { return SD_MOVER_DO_BROKEN_PIPE; } /* RESENDING SEND [fin > 0] BROKEN_PIPE -> RESENDING */
            return SD_MOVER_DO_WAIT; /* RESENDING SEND WAIT -> RESENDING */
        case SD_MOVER_OVER:
            return SD_MOVER_DO_PASS; /* OVER SEND PASS -> OVER */
        }
        break;
    case SD_MOVER_EV_SHUTDOWN:
        switch (m->state) {
        case SD_MOVER_RINGS:
            m->fin = (uint8_t)(1ULL); return 0; /* RINGS SHUTDOWN fin = 1; -> RINGS */
        case SD_MOVER_OUT:
            SD_BECOME(m, SD_MOVER_OVER); return SD_MOVER_DO_PUBLISH_MOVED | (uint32_t)SD_MOVER_DO_END_COMPANION << 8; /* OUT SHUTDOWN PUBLISH_MOVED END_COMPANION -> OVER */
        case SD_MOVER_LOOKING:
            m->fin = (uint8_t)(1ULL); return SD_MOVER_DO_PUBLISH_FIN; /* LOOKING SHUTDOWN fin = 1; PUBLISH_FIN -> LOOKING */
        case SD_MOVER_HELD:
            m->fin = (uint8_t)(1ULL); return SD_MOVER_DO_PUBLISH_FIN; /* HELD SHUTDOWN fin = 1; PUBLISH_FIN -> HELD */
        case SD_MOVER_RESENDING:
            m->fin = (uint8_t)(1ULL); return 0; /* RESENDING SHUTDOWN fin = 1; -> RESENDING */
        case SD_MOVER_OVER:
            return SD_MOVER_DO_END_COMPANION; /* OVER SHUTDOWN END_COMPANION -> OVER */
        }
        break;
    case SD_MOVER_EV_CLOSE:
        switch (m->state) {
        case SD_MOVER_RINGS:
            SD_BECOME(m, SD_MOVER_CLOSING); return SD_MOVER_DO_LOOK_CLOSED; /* RINGS CLOSE LOOK_CLOSED -> CLOSING */
        case SD_MOVER_OUT:
            SD_BECOME(m, SD_MOVER_CLOSED); return SD_MOVER_DO_MARK_CLOSED; /* OUT CLOSE MARK_CLOSED -> CLOSED */
        case SD_MOVER_LOOKING:
            SD_BECOME(m, SD_MOVER_CLOSING); return SD_MOVER_DO_LOOK_CLOSED; /* LOOKING CLOSE LOOK_CLOSED -> CLOSING */
        case SD_MOVER_HELD:
            SD_BECOME(m, SD_MOVER_CLOSING); return SD_MOVER_DO_LOOK_CLOSED; /* HELD CLOSE LOOK_CLOSED -> CLOSING */
        case SD_MOVER_RESENDING:
            SD_BECOME(m, SD_MOVER_LINGERING); return SD_MOVER_DO_RESEND; /* RESENDING CLOSE RESEND -> LINGERING */
        case SD_MOVER_OVER:
            SD_BECOME(m, SD_MOVER_CLOSED); return SD_MOVER_DO_MARK_CLOSED; /* OVER CLOSE MARK_CLOSED -> CLOSED */
        }
        break;
    }
    return SD_NO_ROW;
}

/* leaver: Consumer of one direction that leaves the rings: who sends what it has not read. */
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
__attribute__((unused)) static const char *const sd_leaver_state_name[8] = {"RINGS", "ANNOUNCED", "PUTTING", "RESIGNING", "PUTTING_LAST", "RESIGNING_LAST", "STANDING_IN", "LEFT"};
__attribute__((unused)) static const char *const sd_leaver_event_name[11] = {"LEAVE", "FIRST", "AFTER_MOVE", "AFTER_CLOSE", "TAKEN_BACK", "PUT_DONE", "NO_PEER", "RESIGNED", "MOVED_MEANWHILE", "CLOSED_MEANWHILE", "STANDS_IN"};
__attribute__((unused)) static const char *const sd_leaver_effect_name[11] = {"", "ANNOUNCE", "ASK", "PUT", "RESIGN", "RESIGN_LAST", "SETTLE", "STAND_IN_QUEUE", "STAND_IN_RING", "RELAY", "KEEP"};
struct sd_leaver {
    uint32_t state;
    SD_RECORDED
};

static inline void sd_leaver_start(struct sd_leaver *m)
{
    m->state = SD_LEAVER_RINGS;
}

static inline uint32_t sd_leaver_step(struct sd_leaver *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event) {
    case SD_LEAVER_EV_LEAVE:
        switch (m->state) {
        case SD_LEAVER_RINGS:
            m->state = SD_LEAVER_ANNOUNCED; return SD_LEAVER_DO_ANNOUNCE; /* RINGS LEAVE ANNOUNCE -> ANNOUNCED */
        }
        break;
    case SD_LEAVER_EV_FIRST:
        switch (m->state) {
        case SD_LEAVER_ANNOUNCED:
            m->state = SD_LEAVER_PUTTING; return SD_LEAVER_DO_ASK | (uint32_t)SD_LEAVER_DO_PUT << 8; /* ANNOUNCED FIRST ASK PUT -> PUTTING */
        }
        break;
    case SD_LEAVER_EV_AFTER_MOVE:
        switch (m->state) {
        case SD_LEAVER_ANNOUNCED:
            if (arg > 0ULL) { m->state = SD_LEAVER_STANDING_IN; return SD_LEAVER_DO_RELAY; } /* ANNOUNCED AFTER_MOVE [arg > 0] RELAY -> STANDING_IN */
            m->state = SD_LEAVER_LEFT; return SD_LEAVER_DO_SETTLE; /* ANNOUNCED AFTER_MOVE SETTLE -> LEFT */
        }
        break;
    case SD_LEAVER_EV_AFTER_CLOSE:
        switch (m->state) {
        case SD_LEAVER_ANNOUNCED:
            m->state = SD_LEAVER_STANDING_IN; return SD_LEAVER_DO_STAND_IN_RING; /* ANNOUNCED AFTER_CLOSE STAND_IN_RING -> STANDING_IN */
        }
        break;
    case SD_LEAVER_EV_TAKEN_BACK:
        switch (m->state) {
        case SD_LEAVER_ANNOUNCED:
            m->state = SD_LEAVER_LEFT; return SD_LEAVER_DO_SETTLE; /* ANNOUNCED TAKEN_BACK SETTLE -> LEFT */
        }
        break;
    case SD_LEAVER_EV_PUT_DONE:
        switch (m->state) {
        case SD_LEAVER_PUTTING:
            m->state = SD_LEAVER_RESIGNING; return SD_LEAVER_DO_RESIGN; /* PUTTING PUT_DONE RESIGN -> RESIGNING */
        case SD_LEAVER_PUTTING_LAST:
            m->state = SD_LEAVER_RESIGNING_LAST; return SD_LEAVER_DO_RESIGN_LAST; /* PUTTING_LAST PUT_DONE RESIGN_LAST -> RESIGNING_LAST */
        }
        break;
    case SD_LEAVER_EV_NO_PEER:
        switch (m->state) {
        case SD_LEAVER_PUTTING:
            m->state = SD_LEAVER_STANDING_IN; return SD_LEAVER_DO_STAND_IN_QUEUE; /* PUTTING NO_PEER STAND_IN_QUEUE -> STANDING_IN */
        case SD_LEAVER_PUTTING_LAST:
            m->state = SD_LEAVER_STANDING_IN; return SD_LEAVER_DO_STAND_IN_QUEUE; /* PUTTING_LAST NO_PEER STAND_IN_QUEUE -> STANDING_IN */
        }
        break;
    case SD_LEAVER_EV_RESIGNED:
        switch (m->state) {
        case SD_LEAVER_RESIGNING:
            m->state = SD_LEAVER_LEFT; return 0; /* RESIGNING RESIGNED -> LEFT */
        case SD_LEAVER_RESIGNING_LAST:
            m->state = SD_LEAVER_LEFT; return 0; /* RESIGNING_LAST RESIGNED -> LEFT */
        }
        break;
    case SD_LEAVER_EV_MOVED_MEANWHILE:
        switch (m->state) {
        case SD_LEAVER_RESIGNING:
            m->state = SD_LEAVER_PUTTING_LAST; return SD_LEAVER_DO_PUT; /* RESIGNING MOVED_MEANWHILE PUT -> PUTTING_LAST */
        }
        break;
    case SD_LEAVER_EV_CLOSED_MEANWHILE:
        switch (m->state) {
        case SD_LEAVER_RESIGNING:
            m->state = SD_LEAVER_STANDING_IN; return SD_LEAVER_DO_STAND_IN_QUEUE; /* RESIGNING CLOSED_MEANWHILE STAND_IN_QUEUE -> STANDING_IN */
        case SD_LEAVER_RESIGNING_LAST:
            m->state = SD_LEAVER_STANDING_IN; return SD_LEAVER_DO_STAND_IN_QUEUE; /* RESIGNING_LAST CLOSED_MEANWHILE STAND_IN_QUEUE -> STANDING_IN */
        }
        break;
    case SD_LEAVER_EV_STANDS_IN:
        switch (m->state) {
        case SD_LEAVER_STANDING_IN:
            if (arg > 0ULL) { m->state = SD_LEAVER_LEFT; return SD_LEAVER_DO_KEEP | (uint32_t)SD_LEAVER_DO_SETTLE << 8; } /* STANDING_IN STANDS_IN [arg > 0] KEEP SETTLE -> LEFT */
            m->state = SD_LEAVER_LEFT; return SD_LEAVER_DO_SETTLE; /* STANDING_IN STANDS_IN SETTLE -> LEFT */
        }
        break;
    }
    return SD_NO_ROW;
}

/* follower: A process that shares an end with one that left: how it comes to read from what stands in. */
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
__attribute__((unused)) static const char *const sd_follower_state_name[4] = {"BEHIND", "ASKING", "SHOWING", "FOLLOWED"};
__attribute__((unused)) static const char *const sd_follower_event_name[4] = {"CALL", "GOT", "REFUSED", "SHOWN"};
__attribute__((unused)) static const char *const sd_follower_effect_name[4] = {"", "FETCH", "SHOW", "GIVE_BACK"};
struct sd_follower {
    uint32_t state;
    SD_RECORDED
};

static inline void sd_follower_start(struct sd_follower *m)
{
    m->state = SD_FOLLOWER_BEHIND;
}

static inline uint32_t sd_follower_step(struct sd_follower *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event) {
    case SD_FOLLOWER_EV_CALL:
        switch (m->state) {
        case SD_FOLLOWER_BEHIND:
            m->state = SD_FOLLOWER_ASKING; return SD_FOLLOWER_DO_FETCH; /* BEHIND CALL FETCH -> ASKING */
        case SD_FOLLOWER_FOLLOWED:
            return 0; /* FOLLOWED CALL -> FOLLOWED */
        }
        break;
    case SD_FOLLOWER_EV_GOT:
        switch (m->state) {
        case SD_FOLLOWER_ASKING:
            m->state = SD_FOLLOWER_SHOWING; return SD_FOLLOWER_DO_SHOW; /* ASKING GOT SHOW -> SHOWING */
        }
        break;
    case SD_FOLLOWER_EV_REFUSED:
        switch (m->state) {
        case SD_FOLLOWER_ASKING:
            m->state = SD_FOLLOWER_FOLLOWED; return SD_FOLLOWER_DO_GIVE_BACK; /* ASKING REFUSED GIVE_BACK -> FOLLOWED */
        }
        break;
    case SD_FOLLOWER_EV_SHOWN:
        switch (m->state) {
        case SD_FOLLOWER_SHOWING:
            m->state = SD_FOLLOWER_FOLLOWED; return SD_FOLLOWER_DO_GIVE_BACK; /* SHOWING SHOWN GIVE_BACK -> FOLLOWED */
        }
        break;
    }
    return SD_NO_ROW;
}

/* joiner: One end of a connection on kernel TCP that may get rings again. */
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
__attribute__((unused)) static const char *const sd_joiner_state_name[4] = {"APART", "HOPING", "ASKING", "ANSWERING"};
__attribute__((unused)) static const char *const sd_joiner_event_name[5] = {"MEET", "CALL", "INVITED", "GRANTED", "REFUSED"};
__attribute__((unused)) static const char *const sd_joiner_effect_name[3] = {"", "ASK", "ATTACH"};
struct sd_joiner {
    uint64_t calls;
    uint64_t patience;
    uint32_t state;
    SD_RECORDED
};

static inline void sd_joiner_start(struct sd_joiner *m)
{
    m->state = SD_JOINER_APART;
    m->calls = 0u;
    m->patience = 0u;
}

static inline uint32_t sd_joiner_step(struct sd_joiner *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event) {
    case SD_JOINER_EV_MEET:
        switch (m->state) {
        case SD_JOINER_APART:
            m->calls = 0ULL; m->patience = 4ULL; m->state = SD_JOINER_HOPING; return 0; /* APART MEET calls = 0; patience = 4; -> HOPING */
        }
        break;
    case SD_JOINER_EV_CALL:
        switch (m->state) {
        case SD_JOINER_APART:
            return 0; /* APART CALL -> APART */
        case SD_JOINER_HOPING:
            if (m->calls < m->patience) { m->calls = m->calls + 1ULL; return 0; } /* HOPING CALL [calls < patience] calls = calls + 1; -> HOPING */
            m->state = SD_JOINER_ASKING; return SD_JOINER_DO_ASK; /* HOPING CALL ASK -> ASKING */
        }
        break;
    case SD_JOINER_EV_INVITED:
        switch (m->state) {
        case SD_JOINER_APART:
            m->state = SD_JOINER_ANSWERING; return SD_JOINER_DO_ASK; /* APART INVITED ASK -> ANSWERING */
        case SD_JOINER_HOPING:
            m->state = SD_JOINER_ASKING; return SD_JOINER_DO_ASK; /* HOPING INVITED ASK -> ASKING */
        }
        break;
    case SD_JOINER_EV_GRANTED:
        switch (m->state) {
        case SD_JOINER_ASKING:
            m->state = SD_JOINER_APART; return SD_JOINER_DO_ATTACH; /* ASKING GRANTED ATTACH -> APART */
        case SD_JOINER_ANSWERING:
            m->state = SD_JOINER_APART; return SD_JOINER_DO_ATTACH; /* ANSWERING GRANTED ATTACH -> APART */
        }
        break;
    case SD_JOINER_EV_REFUSED:
        switch (m->state) {
        case SD_JOINER_ASKING:
            m->calls = 0ULL; m->patience = m->patience + m->patience; m->state = SD_JOINER_HOPING; return 0; /* ASKING REFUSED calls = 0; patience = patience + patience; -> HOPING */
        case SD_JOINER_ANSWERING:
            m->state = SD_JOINER_APART; return 0; /* ANSWERING REFUSED -> APART */
        }
        break;
    }
    return SD_NO_ROW;
}

/* join: A connection on kernel TCP whose ends may get rings again, as the monitor sees it. */
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
__attribute__((unused)) static const char *const sd_join_state_name[4] = {"NONE", "INVITED", "MET", "ENDED"};
__attribute__((unused)) static const char *const sd_join_event_name[5] = {"ASKED", "ANSWERED", "DENIED", "GONE", "STALE"};
__attribute__((unused)) static const char *const sd_join_effect_name[7] = {"", "INVITE", "MEET", "INVITE_FIRST", "SEND_SLAB", "DENY", "FORGET"};
struct sd_join {
    uint32_t state;
    SD_RECORDED
};

static inline void sd_join_start(struct sd_join *m)
{
    m->state = SD_JOIN_NONE;
}

static inline uint32_t sd_join_step(struct sd_join *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event) {
    case SD_JOIN_EV_ASKED:
        switch (m->state) {
        case SD_JOIN_NONE:
            m->state = SD_JOIN_INVITED; return SD_JOIN_DO_INVITE; /* NONE ASKED INVITE -> INVITED */
        case SD_JOIN_INVITED:
            return SD_JOIN_DO_INVITE; /* INVITED ASKED INVITE -> INVITED */
        case SD_JOIN_MET:
            m->state = SD_JOIN_ENDED; return SD_JOIN_DO_SEND_SLAB | (uint32_t)SD_JOIN_DO_FORGET << 8; /* MET ASKED SEND_SLAB FORGET -> ENDED */
        }
        break;
    case SD_JOIN_EV_ANSWERED:
        switch (m->state) {
        case SD_JOIN_INVITED:
            m->state = SD_JOIN_MET; return SD_JOIN_DO_MEET | (uint32_t)SD_JOIN_DO_INVITE_FIRST << 8; /* INVITED ANSWERED MEET INVITE_FIRST -> MET */
        case SD_JOIN_MET:
            m->state = SD_JOIN_ENDED; return SD_JOIN_DO_DENY | (uint32_t)SD_JOIN_DO_FORGET << 8; /* MET ANSWERED DENY FORGET -> ENDED */
        }
        break;
    case SD_JOIN_EV_DENIED:
        switch (m->state) {
        case SD_JOIN_NONE:
            m->state = SD_JOIN_ENDED; return SD_JOIN_DO_DENY | (uint32_t)SD_JOIN_DO_FORGET << 8; /* NONE DENIED DENY FORGET -> ENDED */
        case SD_JOIN_INVITED:
            m->state = SD_JOIN_ENDED; return SD_JOIN_DO_DENY | (uint32_t)SD_JOIN_DO_FORGET << 8; /* INVITED DENIED DENY FORGET -> ENDED */
        case SD_JOIN_MET:
            m->state = SD_JOIN_ENDED; return SD_JOIN_DO_DENY | (uint32_t)SD_JOIN_DO_FORGET << 8; /* MET DENIED DENY FORGET -> ENDED */
        }
        break;
    case SD_JOIN_EV_GONE:
        switch (m->state) {
        case SD_JOIN_INVITED:
            m->state = SD_JOIN_ENDED; return SD_JOIN_DO_FORGET; /* INVITED GONE FORGET -> ENDED */
        case SD_JOIN_MET:
            m->state = SD_JOIN_ENDED; return SD_JOIN_DO_FORGET; /* MET GONE FORGET -> ENDED */
        }
        break;
    case SD_JOIN_EV_STALE:
        switch (m->state) {
        case SD_JOIN_INVITED:
            m->state = SD_JOIN_ENDED; return SD_JOIN_DO_FORGET; /* INVITED STALE FORGET -> ENDED */
        case SD_JOIN_MET:
            m->state = SD_JOIN_ENDED; return SD_JOIN_DO_FORGET; /* MET STALE FORGET -> ENDED */
        }
        break;
    }
    return SD_NO_ROW;
}

#endif

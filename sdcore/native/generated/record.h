/* Generated from sdcore/protocol/record.py and the machines. Change that, then run: nox -s gen
 * The log of a run. For the recording variant alone.
 */
#ifndef SD_GENERATED_RECORD_H
#define SD_GENERATED_RECORD_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "generated/machines.h"

#define SD_RECORD_MAGIC 1396986962u /* First word of a log. */
#define SD_RECORD_VERSION 1u /* Changes with the layout of the log. */
#define SD_RECORD_CHUNK_BYTES 65536u /* A chunk belongs to one thread; the first is the file's head. */
#define SD_RECORD_LINES 1023u /* Lines of a chunk, behind its head. */
#define SD_RECORD_START 255u /* Not an event: the instance is in its first state. */
#define SD_RECORD_SET 254u /* Not an event: a repair set state and registers to those of this line. */
#define SD_RECORD_BIND 253u /* Not an event: the instance is part of a connection: arg lease, registers slot, side. */
#define SD_RECORD_SHARED 1u /* Flag: the instance lies in the region: forked processes share it. */
#define SD_RECORD_NESTED 2u /* Flag: written by a signal handler that interrupted the writing of another line. */
#define SD_RECORD_TABLES 4033419313u /* checksum of the tables */
#define SD_RECORD_TOKEN 9223372036854775808ULL /* bit of a token's instance */

/* First chunk of a log. */
struct sd_record_head {
    uint32_t magic;
    uint32_t version;
    uint32_t tables; /* Checksum of the machines' tables. */
    _Atomic uint32_t failed; /* errno that ended the recording of some thread; 0 none. */
    _Atomic uint64_t chunks; /* Claimed so far, this one too. */
    _Atomic uint32_t processes; /* Processes so far; they count from 1. */
    uint8_t padding_6[36];
};
_Static_assert(sizeof(struct sd_record_head) == 64, "size of record_head");
_Static_assert(offsetof(struct sd_record_head, magic) == 0, "record_head.magic");
_Static_assert(offsetof(struct sd_record_head, version) == 4, "record_head.version");
_Static_assert(offsetof(struct sd_record_head, tables) == 8, "record_head.tables");
_Static_assert(offsetof(struct sd_record_head, failed) == 12, "record_head.failed");
_Static_assert(offsetof(struct sd_record_head, chunks) == 16, "record_head.chunks");
_Static_assert(offsetof(struct sd_record_head, processes) == 24, "record_head.processes");

/* Head of a thread's chunk; its lines follow. */
struct sd_record_chunk {
    uint32_t magic; /* RECORD_MAGIC. */
    _Atomic uint32_t used; /* Lines begun; more than RECORD_LINES once it is full. */
    uint32_t process; /* Number of the process in this log. */
    uint32_t parent; /* Process that forked it; 0 none. */
    uint32_t pid;
    uint32_t tid;
    _Atomic uint32_t ended; /* 1: the process left in order. */
    uint8_t padding_7[36];
};
_Static_assert(sizeof(struct sd_record_chunk) == 64, "size of record_chunk");
_Static_assert(offsetof(struct sd_record_chunk, magic) == 0, "record_chunk.magic");
_Static_assert(offsetof(struct sd_record_chunk, used) == 4, "record_chunk.used");
_Static_assert(offsetof(struct sd_record_chunk, process) == 8, "record_chunk.process");
_Static_assert(offsetof(struct sd_record_chunk, parent) == 12, "record_chunk.parent");
_Static_assert(offsetof(struct sd_record_chunk, pid) == 16, "record_chunk.pid");
_Static_assert(offsetof(struct sd_record_chunk, tid) == 20, "record_chunk.tid");
_Static_assert(offsetof(struct sd_record_chunk, ended) == 24, "record_chunk.ended");

/* One transition. */
struct sd_record {
    uint64_t time_ns; /* CLOCK_MONOTONIC, taken before what the transition makes visible to others. */
    uint64_t instance; /* Number of the line that started it; a token: 2^63, family, place in the region. */
    uint32_t step; /* Lines of this instance before this one; tokens have none. */
    uint8_t machine; /* Place in the list of machines. */
    uint8_t event; /* Number of the event, or RECORD_START and so on. */
    uint8_t before; /* State. */
    uint8_t after; /* State. */
    uint16_t row; /* Place in the machine's table; 0xFFFF: there is none, or it is no event. */
    uint16_t flags; /* RECORD_SHARED, RECORD_NESTED. */
    uint32_t effects; /* As the C function returned them. */
    uint64_t arg;
    uint64_t registers[2]; /* Before the transition, packed. */
    _Atomic uint32_t mark; /* Place in the chunk, from 1; 0: not written to its end. */
    uint8_t padding_13[4];
};
_Static_assert(sizeof(struct sd_record) == 64, "size of record");
_Static_assert(offsetof(struct sd_record, time_ns) == 0, "record.time_ns");
_Static_assert(offsetof(struct sd_record, instance) == 8, "record.instance");
_Static_assert(offsetof(struct sd_record, step) == 16, "record.step");
_Static_assert(offsetof(struct sd_record, machine) == 20, "record.machine");
_Static_assert(offsetof(struct sd_record, event) == 21, "record.event");
_Static_assert(offsetof(struct sd_record, before) == 22, "record.before");
_Static_assert(offsetof(struct sd_record, after) == 23, "record.after");
_Static_assert(offsetof(struct sd_record, row) == 24, "record.row");
_Static_assert(offsetof(struct sd_record, flags) == 26, "record.flags");
_Static_assert(offsetof(struct sd_record, effects) == 28, "record.effects");
_Static_assert(offsetof(struct sd_record, arg) == 32, "record.arg");
_Static_assert(offsetof(struct sd_record, registers) == 40, "record.registers");
_Static_assert(offsetof(struct sd_record, mark) == 56, "record.mark");

/* core/record.c: writes a line about an instance at `where`; its number, 0 if nothing is recorded. */
uint64_t sd_record_add(struct sd_record *line, const void *where);

static inline uint32_t sd_attach_row(const struct sd_attach *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event << 8 | m->state) {
    case 0 << 8 | 0:
        return 0;
    case 5 << 8 | 0:
        return 1;
    case 6 << 8 | 0:
        return 2;
    case 1 << 8 | 1:
        return 3;
    case 2 << 8 | 1:
        return 4;
    case 4 << 8 | 1:
        return 5;
    case 3 << 8 | 1:
        return 6;
    case 0 << 8 | 1:
        return 7;
    case 6 << 8 | 1:
        return 8;
    case 5 << 8 | 1:
        return 9;
    case 4 << 8 | 2:
        return 10;
    case 6 << 8 | 2:
        return 11;
    case 0 << 8 | 2:
        return 12;
    case 5 << 8 | 2:
        return 13;
    case 0 << 8 | 3:
        return 14;
    case 5 << 8 | 3:
        return 15;
    case 4 << 8 | 3:
        return 16;
    case 6 << 8 | 3:
        return 17;
    case 0 << 8 | 4:
        return 18;
    case 5 << 8 | 4:
        return 19;
    case 6 << 8 | 4:
        return 20;
    }
    return 65535;
}

static inline struct sd_record sd_attach_line(const struct sd_attach *m, uint32_t event)
{
    return (struct sd_record) {
        .instance = m->instance, .step = m->steps, .event = (uint8_t)event,
        .machine = 0, .before = (uint8_t)m->state, .after = (uint8_t)m->state,
        .row = 65535, .registers = {0, 0},
    };
}

static inline void sd_attach_start_recorded(struct sd_attach *m)
{
    sd_attach_start(m);
    m->instance = m->steps = 0;
    struct sd_record line = sd_attach_line(m, SD_RECORD_START);
    m->instance = sd_record_add(&line, m);
    m->steps = 1;
}

static inline void sd_attach_set_recorded(struct sd_attach *m)
{
    struct sd_record line = sd_attach_line(m, SD_RECORD_SET);
    m->steps++;
    sd_record_add(&line, m);
}

static inline uint32_t sd_attach_step_recorded(struct sd_attach *m, uint32_t event, uint64_t arg)
{
    struct sd_attach next = *m;
    struct sd_record line = sd_attach_line(m, event);
    line.arg = arg;
    line.row = (uint16_t)sd_attach_row(m, event, arg);
    line.effects = sd_attach_step(&next, event, arg);
    line.after = (uint8_t)next.state;
    next.steps++;
    sd_record_add(&line, m);
    *m = next; /* behind the line: a death between the two leaves a step that is taken again */
    return line.effects;
}

#define sd_attach_start sd_attach_start_recorded
#define sd_attach_step  sd_attach_step_recorded

static inline uint32_t sd_attach_monitor_row(const struct sd_attach_monitor *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event << 8 | m->state) {
    case 0 << 8 | 0:
        return 0;
    case 1 << 8 | 0:
        return 1;
    case 2 << 8 | 0:
        return 2;
    case 6 << 8 | 0:
        return 3;
    case 5 << 8 | 1:
        return 4;
    case 3 << 8 | 1:
        return 5;
    case 4 << 8 | 1:
        return 6;
    case 7 << 8 | 1:
        return 7;
    case 6 << 8 | 1:
        return 8;
    case 8 << 8 | 1:
        return 9;
    case 5 << 8 | 2:
        return 10;
    case 3 << 8 | 2:
        return 11;
    case 4 << 8 | 2:
        return 12;
    case 8 << 8 | 2:
        return 13;
    case 6 << 8 | 2:
        return 14;
    case 7 << 8 | 2:
        return 15;
    case 3 << 8 | 3:
        return 16;
    case 4 << 8 | 3:
        return 17;
    case 6 << 8 | 3:
        return 18;
    }
    return 65535;
}

static inline struct sd_record sd_attach_monitor_line(const struct sd_attach_monitor *m, uint32_t event)
{
    return (struct sd_record) {
        .instance = m->instance, .step = m->steps, .event = (uint8_t)event,
        .machine = 1, .before = (uint8_t)m->state, .after = (uint8_t)m->state,
        .row = 65535, .registers = {0, 0},
    };
}

static inline void sd_attach_monitor_start_recorded(struct sd_attach_monitor *m)
{
    sd_attach_monitor_start(m);
    m->instance = m->steps = 0;
    struct sd_record line = sd_attach_monitor_line(m, SD_RECORD_START);
    m->instance = sd_record_add(&line, m);
    m->steps = 1;
}

static inline void sd_attach_monitor_set_recorded(struct sd_attach_monitor *m)
{
    struct sd_record line = sd_attach_monitor_line(m, SD_RECORD_SET);
    m->steps++;
    sd_record_add(&line, m);
}

static inline uint32_t sd_attach_monitor_step_recorded(struct sd_attach_monitor *m, uint32_t event, uint64_t arg)
{
    struct sd_attach_monitor next = *m;
    struct sd_record line = sd_attach_monitor_line(m, event);
    line.arg = arg;
    line.row = (uint16_t)sd_attach_monitor_row(m, event, arg);
    line.effects = sd_attach_monitor_step(&next, event, arg);
    line.after = (uint8_t)next.state;
    next.steps++;
    sd_record_add(&line, m);
    *m = next; /* behind the line: a death between the two leaves a step that is taken again */
    return line.effects;
}

#define sd_attach_monitor_start sd_attach_monitor_start_recorded
#define sd_attach_monitor_step  sd_attach_monitor_step_recorded

static inline uint32_t sd_listener_row(const struct sd_listener *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event << 8 | m->state) {
    case 0 << 8 | 0:
        return 0;
    case 3 << 8 | 0:
        return 1;
    case 5 << 8 | 0:
        return 2;
    case 1 << 8 | 1:
        return 3;
    case 2 << 8 | 1:
        return 4;
    case 4 << 8 | 1:
        return 5;
    case 5 << 8 | 1:
        return 6;
    case 0 << 8 | 1:
        return 7;
    case 3 << 8 | 1:
        return 8;
    case 4 << 8 | 2:
        return 9;
    case 3 << 8 | 2:
        return 10;
    case 5 << 8 | 2:
        return 11;
    case 0 << 8 | 2:
        return 12;
    case 4 << 8 | 3:
        return 13;
    case 0 << 8 | 3:
        return 14;
    case 3 << 8 | 3:
        return 15;
    case 5 << 8 | 3:
        return 16;
    }
    return 65535;
}

static inline struct sd_record sd_listener_line(const struct sd_listener *m, uint32_t event)
{
    return (struct sd_record) {
        .instance = m->instance, .step = m->steps, .event = (uint8_t)event,
        .machine = 2, .before = (uint8_t)m->state, .after = (uint8_t)m->state,
        .row = 65535, .registers = {0, 0},
    };
}

static inline void sd_listener_start_recorded(struct sd_listener *m)
{
    sd_listener_start(m);
    m->instance = m->steps = 0;
    struct sd_record line = sd_listener_line(m, SD_RECORD_START);
    m->instance = sd_record_add(&line, m);
    m->steps = 1;
}

static inline void sd_listener_set_recorded(struct sd_listener *m)
{
    struct sd_record line = sd_listener_line(m, SD_RECORD_SET);
    m->steps++;
    sd_record_add(&line, m);
}

static inline uint32_t sd_listener_step_recorded(struct sd_listener *m, uint32_t event, uint64_t arg)
{
    struct sd_listener next = *m;
    struct sd_record line = sd_listener_line(m, event);
    line.arg = arg;
    line.row = (uint16_t)sd_listener_row(m, event, arg);
    line.effects = sd_listener_step(&next, event, arg);
    line.after = (uint8_t)next.state;
    next.steps++;
    sd_record_add(&line, m);
    *m = next; /* behind the line: a death between the two leaves a step that is taken again */
    return line.effects;
}

#define sd_listener_start sd_listener_start_recorded
#define sd_listener_step  sd_listener_step_recorded

static inline uint32_t sd_listener_monitor_row(const struct sd_listener_monitor *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event << 8 | m->state) {
    case 0 << 8 | 0:
        return 0;
    case 1 << 8 | 1:
        return 1;
    case 2 << 8 | 1:
        if (arg > 0ULL) return 2;
        return 3;
    case 3 << 8 | 1:
        return 4;
    case 4 << 8 | 1:
        return 5;
    case 5 << 8 | 1:
        return 6;
    case 1 << 8 | 2:
        return 7;
    case 2 << 8 | 2:
        if (arg > 0ULL) return 8;
        return 9;
    case 4 << 8 | 2:
        return 10;
    case 5 << 8 | 2:
        return 11;
    case 3 << 8 | 2:
        return 12;
    case 2 << 8 | 3:
        return 13;
    }
    return 65535;
}

static inline struct sd_record sd_listener_monitor_line(const struct sd_listener_monitor *m, uint32_t event)
{
    return (struct sd_record) {
        .instance = m->instance, .step = m->steps, .event = (uint8_t)event,
        .machine = 3, .before = (uint8_t)m->state, .after = (uint8_t)m->state,
        .row = 65535, .registers = {0, 0},
    };
}

static inline void sd_listener_monitor_start_recorded(struct sd_listener_monitor *m)
{
    sd_listener_monitor_start(m);
    m->instance = m->steps = 0;
    struct sd_record line = sd_listener_monitor_line(m, SD_RECORD_START);
    m->instance = sd_record_add(&line, m);
    m->steps = 1;
}

static inline void sd_listener_monitor_set_recorded(struct sd_listener_monitor *m)
{
    struct sd_record line = sd_listener_monitor_line(m, SD_RECORD_SET);
    m->steps++;
    sd_record_add(&line, m);
}

static inline uint32_t sd_listener_monitor_step_recorded(struct sd_listener_monitor *m, uint32_t event, uint64_t arg)
{
    struct sd_listener_monitor next = *m;
    struct sd_record line = sd_listener_monitor_line(m, event);
    line.arg = arg;
    line.row = (uint16_t)sd_listener_monitor_row(m, event, arg);
    line.effects = sd_listener_monitor_step(&next, event, arg);
    line.after = (uint8_t)next.state;
    next.steps++;
    sd_record_add(&line, m);
    *m = next; /* behind the line: a death between the two leaves a step that is taken again */
    return line.effects;
}

#define sd_listener_monitor_start sd_listener_monitor_start_recorded
#define sd_listener_monitor_step  sd_listener_monitor_step_recorded

static inline uint32_t sd_lease_row(const struct sd_lease *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event << 8 | m->state) {
    case 0 << 8 | 0:
        return 0;
    case 2 << 8 | 0:
        return 1;
    case 1 << 8 | 0:
        return 2;
    case 3 << 8 | 0:
        return 3;
    case 4 << 8 | 0:
        return 4;
    case 5 << 8 | 0:
        return 5;
    case 7 << 8 | 0:
        return 6;
    case 6 << 8 | 0:
        return 7;
    case 0 << 8 | 1:
        return 8;
    case 2 << 8 | 1:
        return 9;
    case 1 << 8 | 1:
        return 10;
    case 8 << 8 | 1:
        if (arg > 0ULL) return 11;
        return 12;
    case 4 << 8 | 1:
        return 13;
    case 5 << 8 | 1:
        return 14;
    case 6 << 8 | 1:
        return 15;
    case 7 << 8 | 1:
        if (arg > 0ULL) return 16;
        return 17;
    case 3 << 8 | 1:
        return 18;
    case 10 << 8 | 1:
        return 19;
    case 0 << 8 | 2:
        return 20;
    case 2 << 8 | 2:
        return 21;
    case 1 << 8 | 2:
        return 22;
    case 4 << 8 | 2:
        return 23;
    case 7 << 8 | 2:
        if (arg > 0ULL) return 24;
        return 25;
    case 3 << 8 | 2:
        return 26;
    case 6 << 8 | 2:
        return 27;
    case 5 << 8 | 2:
        return 28;
    case 10 << 8 | 2:
        return 29;
    case 0 << 8 | 3:
        return 30;
    case 2 << 8 | 3:
        return 31;
    case 1 << 8 | 3:
        return 32;
    case 10 << 8 | 3:
        return 33;
    case 4 << 8 | 3:
        return 34;
    case 7 << 8 | 3:
        if (arg > 0ULL) return 35;
        return 36;
    case 3 << 8 | 3:
        return 37;
    case 5 << 8 | 3:
        return 38;
    case 6 << 8 | 3:
        return 39;
    case 6 << 8 | 4:
        return 40;
    case 10 << 8 | 4:
        return 41;
    case 3 << 8 | 4:
        return 42;
    case 7 << 8 | 4:
        return 43;
    case 8 << 8 | 4:
        return 44;
    case 4 << 8 | 4:
        return 45;
    case 5 << 8 | 4:
        return 46;
    case 9 << 8 | 5:
        return 47;
    case 4 << 8 | 5:
        return 48;
    case 7 << 8 | 5:
        if (arg > 0ULL) return 49;
        return 50;
    case 3 << 8 | 5:
        return 51;
    case 5 << 8 | 5:
        return 52;
    case 6 << 8 | 5:
        return 53;
    case 3 << 8 | 6:
        return 54;
    case 4 << 8 | 6:
        return 55;
    case 5 << 8 | 6:
        return 56;
    case 7 << 8 | 6:
        return 57;
    case 6 << 8 | 6:
        return 58;
    }
    return 65535;
}

static inline struct sd_record sd_lease_line(const struct sd_lease *m, uint32_t event)
{
    return (struct sd_record) {
        .instance = m->instance, .step = m->steps, .event = (uint8_t)event,
        .machine = 4, .before = (uint8_t)m->state, .after = (uint8_t)m->state,
        .row = 65535, .registers = {0, 0},
    };
}

static inline void sd_lease_start_recorded(struct sd_lease *m)
{
    sd_lease_start(m);
    m->instance = m->steps = 0;
    struct sd_record line = sd_lease_line(m, SD_RECORD_START);
    m->instance = sd_record_add(&line, m);
    m->steps = 1;
}

static inline void sd_lease_set_recorded(struct sd_lease *m)
{
    struct sd_record line = sd_lease_line(m, SD_RECORD_SET);
    m->steps++;
    sd_record_add(&line, m);
}

static inline uint32_t sd_lease_step_recorded(struct sd_lease *m, uint32_t event, uint64_t arg)
{
    struct sd_lease next = *m;
    struct sd_record line = sd_lease_line(m, event);
    line.arg = arg;
    line.row = (uint16_t)sd_lease_row(m, event, arg);
    line.effects = sd_lease_step(&next, event, arg);
    line.after = (uint8_t)next.state;
    next.steps++;
    sd_record_add(&line, m);
    *m = next; /* behind the line: a death between the two leaves a step that is taken again */
    return line.effects;
}

#define sd_lease_start sd_lease_start_recorded
#define sd_lease_step  sd_lease_step_recorded

static inline uint32_t sd_lease_client_row(const struct sd_lease_client *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event << 8 | m->state) {
    case 0 << 8 | 0:
        return 0;
    case 6 << 8 | 0:
        return 1;
    case 7 << 8 | 0:
        return 2;
    case 8 << 8 | 0:
        return 3;
    case 2 << 8 | 1:
        return 4;
    case 3 << 8 | 1:
        return 5;
    case 4 << 8 | 1:
        return 6;
    case 0 << 8 | 1:
        return 7;
    case 6 << 8 | 1:
        return 8;
    case 7 << 8 | 1:
        return 9;
    case 8 << 8 | 1:
        return 10;
    case 0 << 8 | 2:
        return 11;
    case 1 << 8 | 2:
        return 12;
    case 5 << 8 | 2:
        return 13;
    case 7 << 8 | 2:
        return 14;
    case 6 << 8 | 2:
        return 15;
    case 8 << 8 | 2:
        return 16;
    case 2 << 8 | 3:
        return 17;
    case 3 << 8 | 3:
        return 18;
    case 4 << 8 | 3:
        return 19;
    case 0 << 8 | 3:
        return 20;
    case 6 << 8 | 3:
        return 21;
    case 7 << 8 | 3:
        return 22;
    case 8 << 8 | 3:
        return 23;
    case 0 << 8 | 4:
        return 24;
    case 6 << 8 | 4:
        return 25;
    case 7 << 8 | 4:
        return 26;
    case 8 << 8 | 4:
        return 27;
    case 0 << 8 | 5:
        return 28;
    case 8 << 8 | 5:
        return 29;
    case 5 << 8 | 5:
        return 30;
    case 6 << 8 | 5:
        return 31;
    case 7 << 8 | 5:
        return 32;
    }
    return 65535;
}

static inline struct sd_record sd_lease_client_line(const struct sd_lease_client *m, uint32_t event)
{
    return (struct sd_record) {
        .instance = m->instance, .step = m->steps, .event = (uint8_t)event,
        .machine = 5, .before = (uint8_t)m->state, .after = (uint8_t)m->state,
        .row = 65535, .registers = {0, 0},
    };
}

static inline void sd_lease_client_start_recorded(struct sd_lease_client *m)
{
    sd_lease_client_start(m);
    m->instance = m->steps = 0;
    struct sd_record line = sd_lease_client_line(m, SD_RECORD_START);
    m->instance = sd_record_add(&line, m);
    m->steps = 1;
}

static inline void sd_lease_client_set_recorded(struct sd_lease_client *m)
{
    struct sd_record line = sd_lease_client_line(m, SD_RECORD_SET);
    m->steps++;
    sd_record_add(&line, m);
}

static inline uint32_t sd_lease_client_step_recorded(struct sd_lease_client *m, uint32_t event, uint64_t arg)
{
    struct sd_lease_client next = *m;
    struct sd_record line = sd_lease_client_line(m, event);
    line.arg = arg;
    line.row = (uint16_t)sd_lease_client_row(m, event, arg);
    line.effects = sd_lease_client_step(&next, event, arg);
    line.after = (uint8_t)next.state;
    next.steps++;
    sd_record_add(&line, m);
    *m = next; /* behind the line: a death between the two leaves a step that is taken again */
    return line.effects;
}

#define sd_lease_client_start sd_lease_client_start_recorded
#define sd_lease_client_step  sd_lease_client_step_recorded

static inline uint32_t sd_client_row(const struct sd_client *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event << 8 | m->state) {
    case 0 << 8 | 0:
        return 0;
    case 1 << 8 | 0:
        return 1;
    case 2 << 8 | 0:
        return 2;
    case 15 << 8 | 0:
        return 3;
    case 3 << 8 | 1:
        return 4;
    case 4 << 8 | 1:
        return 5;
    case 5 << 8 | 1:
        return 6;
    case 15 << 8 | 1:
        return 7;
    case 8 << 8 | 2:
        return 8;
    case 9 << 8 | 2:
        return 9;
    case 6 << 8 | 2:
        return 10;
    case 7 << 8 | 2:
        return 11;
    case 10 << 8 | 2:
        if ((uint64_t)m->awaited > 0ULL) return 12;
        return 13;
    case 11 << 8 | 2:
        return 14;
    case 12 << 8 | 2:
        return 15;
    case 15 << 8 | 2:
        return 16;
    case 13 << 8 | 3:
        return 17;
    case 14 << 8 | 3:
        return 18;
    case 15 << 8 | 4:
        return 19;
    case 9 << 8 | 4:
        return 20;
    case 10 << 8 | 4:
        return 21;
    case 11 << 8 | 4:
        return 22;
    case 12 << 8 | 4:
        return 23;
    case 0 << 8 | 5:
        return 24;
    case 1 << 8 | 5:
        return 25;
    case 2 << 8 | 5:
        return 26;
    case 5 << 8 | 5:
        return 27;
    case 15 << 8 | 5:
        return 28;
    case 3 << 8 | 5:
        return 29;
    case 4 << 8 | 5:
        return 30;
    case 10 << 8 | 5:
        return 31;
    case 11 << 8 | 5:
        return 32;
    case 12 << 8 | 5:
        return 33;
    case 15 << 8 | 6:
        return 34;
    }
    return 65535;
}

static inline struct sd_record sd_client_line(const struct sd_client *m, uint32_t event)
{
    return (struct sd_record) {
        .instance = m->instance, .step = m->steps, .event = (uint8_t)event,
        .machine = 6, .before = (uint8_t)m->state, .after = (uint8_t)m->state,
        .row = 65535, .registers = {m->awaited, 0},
    };
}

static inline void sd_client_start_recorded(struct sd_client *m)
{
    sd_client_start(m);
    m->instance = m->steps = 0;
    struct sd_record line = sd_client_line(m, SD_RECORD_START);
    m->instance = sd_record_add(&line, m);
    m->steps = 1;
}

static inline void sd_client_set_recorded(struct sd_client *m)
{
    struct sd_record line = sd_client_line(m, SD_RECORD_SET);
    m->steps++;
    sd_record_add(&line, m);
}

static inline uint32_t sd_client_step_recorded(struct sd_client *m, uint32_t event, uint64_t arg)
{
    struct sd_client next = *m;
    struct sd_record line = sd_client_line(m, event);
    line.arg = arg;
    line.row = (uint16_t)sd_client_row(m, event, arg);
    line.effects = sd_client_step(&next, event, arg);
    line.after = (uint8_t)next.state;
    next.steps++;
    sd_record_add(&line, m);
    *m = next; /* behind the line: a death between the two leaves a step that is taken again */
    return line.effects;
}

#define sd_client_start sd_client_start_recorded
#define sd_client_step  sd_client_step_recorded

static inline uint32_t sd_server_row(const struct sd_server *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event << 8 | m->state) {
    case 0 << 8 | 0:
        return 0;
    case 1 << 8 | 0:
        return 1;
    case 11 << 8 | 0:
        return 2;
    case 2 << 8 | 1:
        return 3;
    case 3 << 8 | 1:
        return 4;
    case 2 << 8 | 2:
        return 5;
    case 3 << 8 | 2:
        return 6;
    case 6 << 8 | 2:
        return 7;
    case 7 << 8 | 2:
        return 8;
    case 8 << 8 | 2:
        return 9;
    case 11 << 8 | 2:
        return 10;
    case 4 << 8 | 3:
        if ((uint64_t)m->marked > 0ULL) return 11;
        return 12;
    case 5 << 8 | 3:
        if ((uint64_t)m->marked > 0ULL) return 13;
        return 14;
    case 9 << 8 | 5:
        return 15;
    case 10 << 8 | 5:
        return 16;
    case 11 << 8 | 4:
        return 17;
    case 6 << 8 | 4:
        return 18;
    case 7 << 8 | 4:
        return 19;
    case 8 << 8 | 4:
        return 20;
    case 11 << 8 | 6:
        return 21;
    case 6 << 8 | 6:
        return 22;
    case 7 << 8 | 6:
        return 23;
    case 8 << 8 | 6:
        return 24;
    case 11 << 8 | 7:
        return 25;
    }
    return 65535;
}

static inline struct sd_record sd_server_line(const struct sd_server *m, uint32_t event)
{
    return (struct sd_record) {
        .instance = m->instance, .step = m->steps, .event = (uint8_t)event,
        .machine = 7, .before = (uint8_t)m->state, .after = (uint8_t)m->state,
        .row = 65535, .registers = {m->marked, 0},
    };
}

static inline void sd_server_start_recorded(struct sd_server *m)
{
    sd_server_start(m);
    m->instance = m->steps = 0;
    struct sd_record line = sd_server_line(m, SD_RECORD_START);
    m->instance = sd_record_add(&line, m);
    m->steps = 1;
}

static inline void sd_server_set_recorded(struct sd_server *m)
{
    struct sd_record line = sd_server_line(m, SD_RECORD_SET);
    m->steps++;
    sd_record_add(&line, m);
}

static inline uint32_t sd_server_step_recorded(struct sd_server *m, uint32_t event, uint64_t arg)
{
    struct sd_server next = *m;
    struct sd_record line = sd_server_line(m, event);
    line.arg = arg;
    line.row = (uint16_t)sd_server_row(m, event, arg);
    line.effects = sd_server_step(&next, event, arg);
    line.after = (uint8_t)next.state;
    next.steps++;
    sd_record_add(&line, m);
    *m = next; /* behind the line: a death between the two leaves a step that is taken again */
    return line.effects;
}

#define sd_server_start sd_server_start_recorded
#define sd_server_step  sd_server_step_recorded

static inline uint32_t sd_ring_tx_row(const struct sd_ring_tx *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event << 8 | m->state) {
    case 0 << 8 | 0:
        if (m->free >= arg) return 0;
        if (m->free > 0ULL) return 1;
        return 2;
    case 1 << 8 | 0:
        if (arg >= (uint64_t)m->owed) return 3;
        return 4;
    case 2 << 8 | 0:
        if ((m->free + arg) >= ((uint64_t)m->window + (uint64_t)m->owed)) return 5;
        return 6;
    case 3 << 8 | 0:
        return 7;
    case 4 << 8 | 0:
        return 8;
    case 5 << 8 | 0:
        return 9;
    case 6 << 8 | 0:
        return 10;
    case 0 << 8 | 3:
        return 11;
    case 2 << 8 | 3:
        if ((m->free + arg) >= ((uint64_t)m->window + (uint64_t)m->owed)) return 12;
        return 13;
    case 7 << 8 | 3:
        return 14;
    case 4 << 8 | 3:
        return 15;
    case 5 << 8 | 3:
        return 16;
    case 3 << 8 | 3:
        return 17;
    case 0 << 8 | 1:
        return 18;
    case 1 << 8 | 1:
        if (arg > (uint64_t)m->owed) return 19;
        return 20;
    case 2 << 8 | 1:
        if ((m->free + arg) > ((uint64_t)m->window + (uint64_t)m->owed)) return 21;
        return 22;
    case 3 << 8 | 1:
        return 23;
    case 4 << 8 | 1:
        return 24;
    case 5 << 8 | 1:
        return 25;
    case 0 << 8 | 2:
        return 26;
    case 1 << 8 | 2:
        return 27;
    case 5 << 8 | 2:
        return 28;
    case 2 << 8 | 2:
        return 29;
    case 3 << 8 | 2:
        return 30;
    case 4 << 8 | 2:
        return 31;
    case 0 << 8 | 4:
        return 32;
    case 1 << 8 | 4:
        return 33;
    case 5 << 8 | 4:
        return 34;
    case 2 << 8 | 4:
        return 35;
    case 3 << 8 | 4:
        return 36;
    case 4 << 8 | 4:
        return 37;
    case 0 << 8 | 5:
        return 38;
    case 1 << 8 | 5:
        return 39;
    case 2 << 8 | 5:
        return 40;
    case 3 << 8 | 5:
        return 41;
    case 4 << 8 | 5:
        return 42;
    case 5 << 8 | 5:
        return 43;
    }
    return 65535;
}

static inline struct sd_record sd_ring_tx_line(const struct sd_ring_tx *m, uint32_t event)
{
    return (struct sd_record) {
        .instance = m->instance, .step = m->steps, .event = (uint8_t)event,
        .machine = 8, .before = (uint8_t)m->state, .after = (uint8_t)m->state,
        .row = 65535, .registers = {m->free, m->window | (uint64_t)m->owed << 32},
    };
}

static inline void sd_ring_tx_start_recorded(struct sd_ring_tx *m)
{
    sd_ring_tx_start(m);
    m->instance = m->steps = 0;
    struct sd_record line = sd_ring_tx_line(m, SD_RECORD_START);
    m->instance = sd_record_add(&line, m);
    m->steps = 1;
}

static inline void sd_ring_tx_set_recorded(struct sd_ring_tx *m)
{
    struct sd_record line = sd_ring_tx_line(m, SD_RECORD_SET);
    m->steps++;
    sd_record_add(&line, m);
}

static inline uint32_t sd_ring_tx_step_recorded(struct sd_ring_tx *m, uint32_t event, uint64_t arg)
{
    struct sd_ring_tx next = *m;
    struct sd_record line = sd_ring_tx_line(m, event);
    line.arg = arg;
    line.row = (uint16_t)sd_ring_tx_row(m, event, arg);
    line.effects = sd_ring_tx_step(&next, event, arg);
    line.after = (uint8_t)next.state;
    next.steps++;
    sd_record_add(&line, m);
    *m = next; /* behind the line: a death between the two leaves a step that is taken again */
    return line.effects;
}

#define sd_ring_tx_start sd_ring_tx_start_recorded
#define sd_ring_tx_step  sd_ring_tx_step_recorded

static inline uint32_t sd_ring_rx_row(const struct sd_ring_rx *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event << 8 | m->state) {
    case 0 << 8 | 0:
        if (m->avail >= arg) return 0;
        if (m->avail > 0ULL) return 1;
        return 2;
    case 1 << 8 | 0:
        return 3;
    case 5 << 8 | 0:
        return 4;
    case 9 << 8 | 0:
        return 5;
    case 6 << 8 | 0:
        return 6;
    case 2 << 8 | 0:
        return 7;
    case 3 << 8 | 0:
        return 8;
    case 4 << 8 | 0:
        return 9;
    case 0 << 8 | 1:
        return 10;
    case 1 << 8 | 1:
        if (arg > 0ULL) return 11;
        if ((uint64_t)m->shut > 0ULL) return 12;
        return 13;
    case 2 << 8 | 1:
        return 14;
    case 3 << 8 | 1:
        return 15;
    case 4 << 8 | 1:
        return 16;
    case 5 << 8 | 1:
        return 17;
    case 9 << 8 | 1:
        return 18;
    case 0 << 8 | 2:
        return 19;
    case 7 << 8 | 2:
        if (arg > 0ULL) return 20;
        if ((uint64_t)m->shut > 0ULL) return 21;
        return 22;
    case 8 << 8 | 2:
        return 23;
    case 3 << 8 | 2:
        return 24;
    case 5 << 8 | 2:
        return 25;
    case 2 << 8 | 2:
        return 26;
    case 4 << 8 | 2:
        return 27;
    case 9 << 8 | 2:
        return 28;
    case 0 << 8 | 3:
        return 29;
    case 2 << 8 | 3:
        return 30;
    case 3 << 8 | 3:
        return 31;
    case 4 << 8 | 3:
        return 32;
    case 5 << 8 | 3:
        return 33;
    case 9 << 8 | 3:
        return 34;
    case 0 << 8 | 4:
        return 35;
    case 2 << 8 | 4:
        return 36;
    case 3 << 8 | 4:
        return 37;
    case 4 << 8 | 4:
        return 38;
    case 5 << 8 | 4:
        return 39;
    case 9 << 8 | 4:
        return 40;
    case 0 << 8 | 5:
        return 41;
    case 2 << 8 | 5:
        return 42;
    case 3 << 8 | 5:
        return 43;
    case 4 << 8 | 5:
        return 44;
    case 5 << 8 | 5:
        return 45;
    case 9 << 8 | 5:
        return 46;
    }
    return 65535;
}

static inline struct sd_record sd_ring_rx_line(const struct sd_ring_rx *m, uint32_t event)
{
    return (struct sd_record) {
        .instance = m->instance, .step = m->steps, .event = (uint8_t)event,
        .machine = 9, .before = (uint8_t)m->state, .after = (uint8_t)m->state,
        .row = 65535, .registers = {m->avail, m->shut},
    };
}

static inline void sd_ring_rx_start_recorded(struct sd_ring_rx *m)
{
    sd_ring_rx_start(m);
    m->instance = m->steps = 0;
    struct sd_record line = sd_ring_rx_line(m, SD_RECORD_START);
    m->instance = sd_record_add(&line, m);
    m->steps = 1;
}

static inline void sd_ring_rx_set_recorded(struct sd_ring_rx *m)
{
    struct sd_record line = sd_ring_rx_line(m, SD_RECORD_SET);
    m->steps++;
    sd_record_add(&line, m);
}

static inline uint32_t sd_ring_rx_step_recorded(struct sd_ring_rx *m, uint32_t event, uint64_t arg)
{
    struct sd_ring_rx next = *m;
    struct sd_record line = sd_ring_rx_line(m, event);
    line.arg = arg;
    line.row = (uint16_t)sd_ring_rx_row(m, event, arg);
    line.effects = sd_ring_rx_step(&next, event, arg);
    line.after = (uint8_t)next.state;
    next.steps++;
    sd_record_add(&line, m);
    *m = next; /* behind the line: a death between the two leaves a step that is taken again */
    return line.effects;
}

#define sd_ring_rx_start sd_ring_rx_start_recorded
#define sd_ring_rx_step  sd_ring_rx_step_recorded

static inline uint32_t sd_waiter_row(const struct sd_waiter *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event << 8 | m->state) {
    case 0 << 8 | 0:
        if ((uint64_t)m->spins_left > 0ULL) return 0;
        if ((uint64_t)m->yields_left > 0ULL) return 1;
        return 2;
    case 1 << 8 | 0:
        return 3;
    case 3 << 8 | 0:
        return 4;
    case 4 << 8 | 0:
        return 5;
    case 0 << 8 | 1:
        if ((uint64_t)m->yields_left > 0ULL) return 6;
        return 7;
    case 5 << 8 | 1:
        return 8;
    case 1 << 8 | 1:
        return 9;
    case 3 << 8 | 1:
        return 10;
    case 4 << 8 | 1:
        return 11;
    case 0 << 8 | 2:
        return 12;
    case 1 << 8 | 2:
        return 13;
    case 3 << 8 | 2:
        return 14;
    case 4 << 8 | 2:
        return 15;
    case 2 << 8 | 3:
        return 16;
    case 1 << 8 | 3:
        return 17;
    case 3 << 8 | 3:
        return 18;
    case 4 << 8 | 3:
        return 19;
    }
    return 65535;
}

static inline struct sd_record sd_waiter_line(const struct sd_waiter *m, uint32_t event)
{
    return (struct sd_record) {
        .instance = m->instance, .step = m->steps, .event = (uint8_t)event,
        .machine = 10, .before = (uint8_t)m->state, .after = (uint8_t)m->state,
        .row = 65535, .registers = {m->spins_left | (uint64_t)m->yields_left << 32, 0},
    };
}

static inline void sd_waiter_start_recorded(struct sd_waiter *m)
{
    sd_waiter_start(m);
    m->instance = m->steps = 0;
    struct sd_record line = sd_waiter_line(m, SD_RECORD_START);
    m->instance = sd_record_add(&line, m);
    m->steps = 1;
}

static inline void sd_waiter_set_recorded(struct sd_waiter *m)
{
    struct sd_record line = sd_waiter_line(m, SD_RECORD_SET);
    m->steps++;
    sd_record_add(&line, m);
}

static inline uint32_t sd_waiter_step_recorded(struct sd_waiter *m, uint32_t event, uint64_t arg)
{
    struct sd_waiter next = *m;
    struct sd_record line = sd_waiter_line(m, event);
    line.arg = arg;
    line.row = (uint16_t)sd_waiter_row(m, event, arg);
    line.effects = sd_waiter_step(&next, event, arg);
    line.after = (uint8_t)next.state;
    next.steps++;
    sd_record_add(&line, m);
    *m = next; /* behind the line: a death between the two leaves a step that is taken again */
    return line.effects;
}

#define sd_waiter_start sd_waiter_start_recorded
#define sd_waiter_step  sd_waiter_step_recorded

static inline uint32_t sd_token_owner_row(const struct sd_token_owner *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event << 8 | m->state) {
    case 1 << 8 | 0:
        return 0;
    case 2 << 8 | 0:
        if (((uint64_t)m->owner == 0ULL) && ((uint64_t)m->takeovers == 0ULL)) return 1;
        if ((uint64_t)m->owner == 0ULL) return 2;
        return 3;
    case 3 << 8 | 0:
        if ((uint64_t)m->owner == arg) return 4;
        return 5;
    case 2 << 8 | 1:
        return 6;
    case 3 << 8 | 1:
        return 7;
    case 4 << 8 | 1:
        return 8;
    case 5 << 8 | 1:
        return 9;
    case 8 << 8 | 1:
        if ((uint64_t)m->waiters > 1ULL) return 10;
        break;
    case 2 << 8 | 2:
        return 11;
    case 3 << 8 | 2:
        return 12;
    case 4 << 8 | 2:
        return 13;
    case 6 << 8 | 2:
        if ((uint64_t)m->takeovers >= 3ULL) return 14;
        if ((uint64_t)m->waiters > 1ULL) return 15;
        return 16;
    case 7 << 8 | 2:
        if ((uint64_t)m->takeovers >= 3ULL) return 17;
        if ((uint64_t)m->waiters > 1ULL) return 18;
        return 19;
    case 8 << 8 | 2:
        if ((uint64_t)m->waiters > 1ULL) return 20;
        break;
    case 2 << 8 | 3:
        if ((((uint64_t)m->owner == 0ULL) && ((uint64_t)m->takeovers == 0ULL)) && ((uint64_t)m->waiters == 0ULL)) return 21;
        if (((uint64_t)m->owner == 0ULL) && ((uint64_t)m->waiters == 0ULL)) return 22;
        return 23;
    case 3 << 8 | 3:
        if ((uint64_t)m->waiters == 0ULL) return 24;
        return 25;
    case 4 << 8 | 3:
        return 26;
    case 6 << 8 | 3:
        return 27;
    case 7 << 8 | 3:
        return 28;
    case 8 << 8 | 3:
        if ((uint64_t)m->waiters > 1ULL) return 29;
        break;
    case 0 << 8 | 0:
        return 30;
    case 0 << 8 | 1:
        return 31;
    case 0 << 8 | 2:
        return 32;
    case 0 << 8 | 3:
        return 33;
    case 9 << 8 | 0:
        if (((uint64_t)m->owner == arg) && ((uint64_t)m->takeovers == 0ULL)) return 34;
        if ((uint64_t)m->owner == arg) return 35;
        return 36;
    case 9 << 8 | 1:
        if (((uint64_t)m->owner == arg) && ((uint64_t)m->takeovers == 0ULL)) return 37;
        if ((uint64_t)m->owner == arg) return 38;
        return 39;
    case 9 << 8 | 2:
        if (((uint64_t)m->owner == arg) && ((uint64_t)m->takeovers == 0ULL)) return 40;
        if ((uint64_t)m->owner == arg) return 41;
        return 42;
    case 9 << 8 | 3:
        if (((uint64_t)m->owner == arg) && ((uint64_t)m->takeovers == 0ULL)) return 43;
        if ((uint64_t)m->owner == arg) return 44;
        return 45;
    }
    return 65535;
}

static inline struct sd_record sd_token_owner_line(const struct sd_token_owner *m, uint32_t event)
{
    return (struct sd_record) {
        .instance = m->instance, .step = m->steps, .event = (uint8_t)event,
        .machine = 11, .before = (uint8_t)m->state, .after = (uint8_t)m->state,
        .row = 65535, .registers = {m->owner | (uint64_t)m->takeovers << 16 | (uint64_t)m->waiters << 24, m->holding},
    };
}


static inline uint32_t sd_teardown_row(const struct sd_teardown *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event << 8 | m->state) {
    case 0 << 8 | 0:
        return 0;
    case 1 << 8 | 0:
        if ((uint64_t)m->shut_read > (uint64_t)m->at_once) return 1;
        return 2;
    case 2 << 8 | 0:
        if ((uint64_t)m->at_once > (uint64_t)m->shut_read) return 3;
        return 4;
    case 3 << 8 | 0:
        if (arg > 0ULL) return 5;
        return 6;
    case 4 << 8 | 0:
        return 7;
    case 5 << 8 | 0:
        if ((uint64_t)m->at_once > 0ULL) return 8;
        return 9;
    case 6 << 8 | 0:
        if ((uint64_t)m->at_once > 0ULL) return 10;
        return 11;
    case 7 << 8 | 0:
        return 12;
    case 8 << 8 | 0:
        if (arg > 0ULL) return 13;
        if ((uint64_t)m->at_once > 0ULL) return 14;
        return 15;
    case 9 << 8 | 0:
        return 16;
    case 2 << 8 | 1:
        if ((uint64_t)m->shut_read > 0ULL) return 17;
        if ((uint64_t)m->at_once > 0ULL) return 18;
        return 19;
    case 3 << 8 | 1:
        if (arg > 0ULL) return 20;
        return 21;
    case 4 << 8 | 1:
        return 22;
    case 5 << 8 | 1:
        return 23;
    case 6 << 8 | 1:
        if ((uint64_t)m->at_once > 0ULL) return 24;
        return 25;
    case 7 << 8 | 1:
        return 26;
    case 8 << 8 | 1:
        if (arg > 0ULL) return 27;
        return 28;
    case 1 << 8 | 1:
        return 29;
    case 9 << 8 | 1:
        return 30;
    case 1 << 8 | 2:
        return 31;
    case 3 << 8 | 2:
        if (arg > 0ULL) return 32;
        return 33;
    case 5 << 8 | 2:
        if ((uint64_t)m->at_once > 0ULL) return 34;
        return 35;
    case 6 << 8 | 2:
        if ((uint64_t)m->at_once > 0ULL) return 36;
        return 37;
    case 7 << 8 | 2:
        if ((uint64_t)m->at_once > 0ULL) return 38;
        return 39;
    case 8 << 8 | 2:
        if (((uint64_t)m->at_once > 0ULL) && (arg > 0ULL)) return 40;
        if ((uint64_t)m->at_once > 0ULL) return 41;
        if (arg > 0ULL) return 42;
        return 43;
    case 2 << 8 | 2:
        return 44;
    case 4 << 8 | 2:
        return 45;
    case 9 << 8 | 2:
        return 46;
    case 1 << 8 | 3:
        return 47;
    case 3 << 8 | 3:
        if (arg > 0ULL) return 48;
        return 49;
    case 5 << 8 | 3:
        return 50;
    case 7 << 8 | 3:
        return 51;
    case 8 << 8 | 3:
        if (arg > 0ULL) return 52;
        return 53;
    case 2 << 8 | 3:
        return 54;
    case 4 << 8 | 3:
        return 55;
    case 6 << 8 | 3:
        return 56;
    case 9 << 8 | 3:
        return 57;
    case 3 << 8 | 4:
        if (arg > 0ULL) return 58;
        return 59;
    case 7 << 8 | 4:
        return 60;
    case 8 << 8 | 4:
        if (arg > 0ULL) return 61;
        return 62;
    case 1 << 8 | 4:
        return 63;
    case 2 << 8 | 4:
        return 64;
    case 4 << 8 | 4:
        return 65;
    case 5 << 8 | 4:
        return 66;
    case 6 << 8 | 4:
        return 67;
    case 9 << 8 | 4:
        return 68;
    case 3 << 8 | 6:
        return 69;
    case 9 << 8 | 6:
        if (arg > 0ULL) return 70;
        return 71;
    case 1 << 8 | 6:
        return 72;
    case 2 << 8 | 6:
        return 73;
    case 4 << 8 | 6:
        return 74;
    case 5 << 8 | 6:
        return 75;
    case 6 << 8 | 6:
        return 76;
    case 7 << 8 | 6:
        return 77;
    case 8 << 8 | 6:
        return 78;
    case 4 << 8 | 5:
        return 79;
    case 5 << 8 | 5:
        return 80;
    case 6 << 8 | 5:
        return 81;
    case 7 << 8 | 5:
        return 82;
    case 8 << 8 | 5:
        return 83;
    }
    return 65535;
}

static inline struct sd_record sd_teardown_line(const struct sd_teardown *m, uint32_t event)
{
    return (struct sd_record) {
        .instance = m->instance, .step = m->steps, .event = (uint8_t)event,
        .machine = 12, .before = (uint8_t)m->state, .after = (uint8_t)m->state,
        .row = 65535, .registers = {m->shut_read | (uint64_t)m->at_once << 8, 0},
    };
}

static inline void sd_teardown_start_recorded(struct sd_teardown *m)
{
    sd_teardown_start(m);
    m->instance = m->steps = 0;
    struct sd_record line = sd_teardown_line(m, SD_RECORD_START);
    m->instance = sd_record_add(&line, m);
    m->steps = 1;
}

static inline void sd_teardown_set_recorded(struct sd_teardown *m)
{
    struct sd_record line = sd_teardown_line(m, SD_RECORD_SET);
    m->steps++;
    sd_record_add(&line, m);
}

static inline uint32_t sd_teardown_step_recorded(struct sd_teardown *m, uint32_t event, uint64_t arg)
{
    struct sd_teardown next = *m;
    struct sd_record line = sd_teardown_line(m, event);
    line.arg = arg;
    line.row = (uint16_t)sd_teardown_row(m, event, arg);
    line.effects = sd_teardown_step(&next, event, arg);
    line.after = (uint8_t)next.state;
    next.steps++;
    sd_record_add(&line, m);
    *m = next; /* behind the line: a death between the two leaves a step that is taken again */
    return line.effects;
}

#define sd_teardown_start sd_teardown_start_recorded
#define sd_teardown_step  sd_teardown_step_recorded

static inline uint32_t sd_mover_row(const struct sd_mover *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event << 8 | m->state) {
    case 2 << 8 | 0:
        return 0;
    case 3 << 8 | 0:
        if (arg > 0ULL) return 1;
        if ((uint64_t)m->fin > 0ULL) return 2;
        return 3;
    case 12 << 8 | 0:
        return 4;
    case 13 << 8 | 0:
        return 5;
    case 0 << 8 | 0:
        return 6;
    case 7 << 8 | 0:
        return 7;
    case 1 << 8 | 1:
        if (arg > 0ULL) return 8;
        return 9;
    case 11 << 8 | 1:
        return 10;
    case 2 << 8 | 1:
        return 11;
    case 12 << 8 | 1:
        return 12;
    case 13 << 8 | 1:
        return 13;
    case 7 << 8 | 1:
        return 14;
    case 4 << 8 | 2:
        return 15;
    case 5 << 8 | 2:
        if (arg > 0ULL) return 16;
        if ((uint64_t)m->fin > 0ULL) return 17;
        return 18;
    case 6 << 8 | 2:
        if ((uint64_t)m->fin > 0ULL) return 19;
        return 20;
    case 7 << 8 | 2:
        return 21;
    case 11 << 8 | 2:
        return 22;
    case 12 << 8 | 2:
        return 23;
    case 13 << 8 | 2:
        return 24;
    case 2 << 8 | 2:
        return 25;
    case 7 << 8 | 3:
        return 26;
    case 11 << 8 | 3:
        if ((uint64_t)m->fin > 0ULL) return 27;
        return 28;
    case 12 << 8 | 3:
        return 29;
    case 13 << 8 | 3:
        return 30;
    case 2 << 8 | 3:
        return 31;
    case 7 << 8 | 4:
        return 32;
    case 8 << 8 | 4:
        if (arg < m->left) return 33;
        if ((uint64_t)m->fin > 0ULL) return 34;
        return 35;
    case 10 << 8 | 4:
        return 36;
    case 11 << 8 | 4:
        if ((uint64_t)m->fin > 0ULL) return 37;
        return 38;
    case 12 << 8 | 4:
        return 39;
    case 13 << 8 | 4:
        return 40;
    case 9 << 8 | 4:
        return 41;
    case 2 << 8 | 4:
        return 42;
    case 11 << 8 | 5:
        return 43;
    case 12 << 8 | 5:
        return 44;
    case 13 << 8 | 5:
        return 45;
    case 7 << 8 | 5:
        return 46;
    case 2 << 8 | 5:
        return 47;
    case 4 << 8 | 6:
        return 48;
    case 5 << 8 | 6:
        if (arg > 0ULL) return 49;
        return 50;
    case 8 << 8 | 7:
        if (arg < m->left) return 51;
        return 52;
    case 9 << 8 | 7:
        return 53;
    case 10 << 8 | 7:
        return 54;
    case 7 << 8 | 8:
        return 55;
    case 2 << 8 | 8:
        return 56;
    }
    return 65535;
}

static inline struct sd_record sd_mover_line(const struct sd_mover *m, uint32_t event)
{
    return (struct sd_record) {
        .instance = m->instance, .step = m->steps, .event = (uint8_t)event,
        .machine = 13, .before = (uint8_t)m->state, .after = (uint8_t)m->state,
        .row = 65535, .registers = {m->left, m->fin},
    };
}

static inline void sd_mover_start_recorded(struct sd_mover *m)
{
    sd_mover_start(m);
    m->instance = m->steps = 0;
    struct sd_record line = sd_mover_line(m, SD_RECORD_START);
    m->instance = sd_record_add(&line, m);
    m->steps = 1;
}

static inline void sd_mover_set_recorded(struct sd_mover *m)
{
    struct sd_record line = sd_mover_line(m, SD_RECORD_SET);
    m->steps++;
    sd_record_add(&line, m);
}

static inline uint32_t sd_mover_step_recorded(struct sd_mover *m, uint32_t event, uint64_t arg)
{
    struct sd_mover next = *m;
    struct sd_record line = sd_mover_line(m, event);
    line.arg = arg;
    line.row = (uint16_t)sd_mover_row(m, event, arg);
    line.effects = sd_mover_step(&next, event, arg);
    line.after = (uint8_t)next.state;
    next.steps++;
    sd_record_add(&line, m);
    *m = next; /* behind the line: a death between the two leaves a step that is taken again */
    return line.effects;
}

#define sd_mover_start sd_mover_start_recorded
#define sd_mover_step  sd_mover_step_recorded

static inline uint32_t sd_leaver_row(const struct sd_leaver *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event << 8 | m->state) {
    case 0 << 8 | 0:
        return 0;
    case 1 << 8 | 1:
        return 1;
    case 2 << 8 | 1:
        if (arg > 0ULL) return 2;
        return 3;
    case 3 << 8 | 1:
        return 4;
    case 4 << 8 | 1:
        return 5;
    case 5 << 8 | 2:
        return 6;
    case 6 << 8 | 2:
        return 7;
    case 7 << 8 | 3:
        return 8;
    case 8 << 8 | 3:
        return 9;
    case 9 << 8 | 3:
        return 10;
    case 5 << 8 | 4:
        return 11;
    case 6 << 8 | 4:
        return 12;
    case 7 << 8 | 5:
        return 13;
    case 9 << 8 | 5:
        return 14;
    case 10 << 8 | 6:
        if (arg > 0ULL) return 15;
        return 16;
    }
    return 65535;
}

static inline struct sd_record sd_leaver_line(const struct sd_leaver *m, uint32_t event)
{
    return (struct sd_record) {
        .instance = m->instance, .step = m->steps, .event = (uint8_t)event,
        .machine = 14, .before = (uint8_t)m->state, .after = (uint8_t)m->state,
        .row = 65535, .registers = {0, 0},
    };
}

static inline void sd_leaver_start_recorded(struct sd_leaver *m)
{
    sd_leaver_start(m);
    m->instance = m->steps = 0;
    struct sd_record line = sd_leaver_line(m, SD_RECORD_START);
    m->instance = sd_record_add(&line, m);
    m->steps = 1;
}

static inline void sd_leaver_set_recorded(struct sd_leaver *m)
{
    struct sd_record line = sd_leaver_line(m, SD_RECORD_SET);
    m->steps++;
    sd_record_add(&line, m);
}

static inline uint32_t sd_leaver_step_recorded(struct sd_leaver *m, uint32_t event, uint64_t arg)
{
    struct sd_leaver next = *m;
    struct sd_record line = sd_leaver_line(m, event);
    line.arg = arg;
    line.row = (uint16_t)sd_leaver_row(m, event, arg);
    line.effects = sd_leaver_step(&next, event, arg);
    line.after = (uint8_t)next.state;
    next.steps++;
    sd_record_add(&line, m);
    *m = next; /* behind the line: a death between the two leaves a step that is taken again */
    return line.effects;
}

#define sd_leaver_start sd_leaver_start_recorded
#define sd_leaver_step  sd_leaver_step_recorded

static inline uint32_t sd_follower_row(const struct sd_follower *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event << 8 | m->state) {
    case 0 << 8 | 0:
        return 0;
    case 1 << 8 | 1:
        return 1;
    case 2 << 8 | 1:
        return 2;
    case 3 << 8 | 2:
        return 3;
    case 0 << 8 | 3:
        return 4;
    }
    return 65535;
}

static inline struct sd_record sd_follower_line(const struct sd_follower *m, uint32_t event)
{
    return (struct sd_record) {
        .instance = m->instance, .step = m->steps, .event = (uint8_t)event,
        .machine = 15, .before = (uint8_t)m->state, .after = (uint8_t)m->state,
        .row = 65535, .registers = {0, 0},
    };
}

static inline void sd_follower_start_recorded(struct sd_follower *m)
{
    sd_follower_start(m);
    m->instance = m->steps = 0;
    struct sd_record line = sd_follower_line(m, SD_RECORD_START);
    m->instance = sd_record_add(&line, m);
    m->steps = 1;
}

static inline void sd_follower_set_recorded(struct sd_follower *m)
{
    struct sd_record line = sd_follower_line(m, SD_RECORD_SET);
    m->steps++;
    sd_record_add(&line, m);
}

static inline uint32_t sd_follower_step_recorded(struct sd_follower *m, uint32_t event, uint64_t arg)
{
    struct sd_follower next = *m;
    struct sd_record line = sd_follower_line(m, event);
    line.arg = arg;
    line.row = (uint16_t)sd_follower_row(m, event, arg);
    line.effects = sd_follower_step(&next, event, arg);
    line.after = (uint8_t)next.state;
    next.steps++;
    sd_record_add(&line, m);
    *m = next; /* behind the line: a death between the two leaves a step that is taken again */
    return line.effects;
}

#define sd_follower_start sd_follower_start_recorded
#define sd_follower_step  sd_follower_step_recorded

static inline uint32_t sd_joiner_row(const struct sd_joiner *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event << 8 | m->state) {
    case 0 << 8 | 0:
        return 0;
    case 2 << 8 | 0:
        return 1;
    case 1 << 8 | 0:
        return 2;
    case 1 << 8 | 1:
        if (m->calls < m->patience) return 3;
        return 4;
    case 2 << 8 | 1:
        return 5;
    case 3 << 8 | 2:
        return 6;
    case 4 << 8 | 2:
        return 7;
    case 3 << 8 | 3:
        return 8;
    case 4 << 8 | 3:
        return 9;
    }
    return 65535;
}

static inline struct sd_record sd_joiner_line(const struct sd_joiner *m, uint32_t event)
{
    return (struct sd_record) {
        .instance = m->instance, .step = m->steps, .event = (uint8_t)event,
        .machine = 16, .before = (uint8_t)m->state, .after = (uint8_t)m->state,
        .row = 65535, .registers = {m->calls, m->patience},
    };
}

static inline void sd_joiner_start_recorded(struct sd_joiner *m)
{
    sd_joiner_start(m);
    m->instance = m->steps = 0;
    struct sd_record line = sd_joiner_line(m, SD_RECORD_START);
    m->instance = sd_record_add(&line, m);
    m->steps = 1;
}

static inline void sd_joiner_set_recorded(struct sd_joiner *m)
{
    struct sd_record line = sd_joiner_line(m, SD_RECORD_SET);
    m->steps++;
    sd_record_add(&line, m);
}

static inline uint32_t sd_joiner_step_recorded(struct sd_joiner *m, uint32_t event, uint64_t arg)
{
    struct sd_joiner next = *m;
    struct sd_record line = sd_joiner_line(m, event);
    line.arg = arg;
    line.row = (uint16_t)sd_joiner_row(m, event, arg);
    line.effects = sd_joiner_step(&next, event, arg);
    line.after = (uint8_t)next.state;
    next.steps++;
    sd_record_add(&line, m);
    *m = next; /* behind the line: a death between the two leaves a step that is taken again */
    return line.effects;
}

#define sd_joiner_start sd_joiner_start_recorded
#define sd_joiner_step  sd_joiner_step_recorded

static inline uint32_t sd_join_row(const struct sd_join *m, uint32_t event, uint64_t arg)
{
    (void)arg;
    switch (event << 8 | m->state) {
    case 0 << 8 | 0:
        return 0;
    case 2 << 8 | 0:
        return 1;
    case 0 << 8 | 1:
        return 2;
    case 1 << 8 | 1:
        return 3;
    case 2 << 8 | 1:
        return 4;
    case 3 << 8 | 1:
        return 5;
    case 4 << 8 | 1:
        return 6;
    case 0 << 8 | 2:
        return 7;
    case 1 << 8 | 2:
        return 8;
    case 2 << 8 | 2:
        return 9;
    case 3 << 8 | 2:
        return 10;
    case 4 << 8 | 2:
        return 11;
    }
    return 65535;
}

static inline struct sd_record sd_join_line(const struct sd_join *m, uint32_t event)
{
    return (struct sd_record) {
        .instance = m->instance, .step = m->steps, .event = (uint8_t)event,
        .machine = 17, .before = (uint8_t)m->state, .after = (uint8_t)m->state,
        .row = 65535, .registers = {0, 0},
    };
}

static inline void sd_join_start_recorded(struct sd_join *m)
{
    sd_join_start(m);
    m->instance = m->steps = 0;
    struct sd_record line = sd_join_line(m, SD_RECORD_START);
    m->instance = sd_record_add(&line, m);
    m->steps = 1;
}

static inline void sd_join_set_recorded(struct sd_join *m)
{
    struct sd_record line = sd_join_line(m, SD_RECORD_SET);
    m->steps++;
    sd_record_add(&line, m);
}

static inline uint32_t sd_join_step_recorded(struct sd_join *m, uint32_t event, uint64_t arg)
{
    struct sd_join next = *m;
    struct sd_record line = sd_join_line(m, event);
    line.arg = arg;
    line.row = (uint16_t)sd_join_row(m, event, arg);
    line.effects = sd_join_step(&next, event, arg);
    line.after = (uint8_t)next.state;
    next.steps++;
    sd_record_add(&line, m);
    *m = next; /* behind the line: a death between the two leaves a step that is taken again */
    return line.effects;
}

#define sd_join_start sd_join_start_recorded
#define sd_join_step  sd_join_step_recorded

#endif

/* Writing the log of a run: what sdcore/protocol/record.py describes. Nothing of it is in the ordinary library.
 *
 * Each thread writes into a chunk of its own, mapped from the file that all processes of the run share; so a line costs a
 * look at the clock and a few stores, and what was written is in the file even if the process is killed right behind it.
 * A full chunk is exchanged for a new one by one addition to the head of the file.
 *
 * Signals   A line's place is taken by one addition, so a handler that interrupts the writing of a line writes the next
 *           ones. It says so (NESTED), and it leaves the old chunk mapped, for whom it interrupted still writes there.
 * Fork      The child has its parent's mappings, and must not write there: it begins with a chunk of its own.
 * Failure   (no room, a limit of the file's size) ends the recording, never the program; the head says why.
 */
#include "core/record.h"

#ifdef SD_RECORD

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "core/control.h"
#include "core/sys.h"
#include "core/thread.h"

struct chunk {
    struct sd_record_chunk head;
    struct sd_record line[SD_RECORD_LINES];
};
_Static_assert(sizeof(struct chunk) == SD_RECORD_CHUNK_BYTES, "a chunk is its head and its lines");

static struct {
    struct sd_record_head *head; /* NULL: nothing is recorded */
    _Atomic int32_t fd;
    uint32_t process;
    uint32_t parent;
    uint32_t family; /* process that made the region */
} record = {.fd = -1};

static __thread struct {
    struct chunk *chunk;
    uint64_t number;
    uint32_t process;
    _Atomic uint32_t depth; /* lines that this thread is writing: more than one inside a signal handler */
} own;

/* --- the file --- */

static bool file_may_grow(void)
{
    struct rlimit limit = {.rlim_cur = 0};
    sd_syscall(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &limit, 0, 0);
    return limit.rlim_cur == RLIM_INFINITY; /* to exceed it would raise SIGXFSZ in the program */
}

static void *map_chunk(int fd, uint64_t number)
{
    off_t offset = (off_t)(number * SD_RECORD_CHUNK_BYTES);
    void *p = sd_sys_mmap(NULL, SD_RECORD_CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
    if (sd_is_error(p))
        return NULL;
    sd_sys_madvise(p, SD_RECORD_CHUNK_BYTES, MADV_RANDOM); /* nothing is there to be read ahead */
    return p;
}

static bool is_log(const struct sd_record_head *head)
{
    return head->magic == SD_RECORD_MAGIC && head->version == SD_RECORD_VERSION && head->tables == SD_RECORD_TABLES;
}

static uint32_t next_process(void)
{
    return atomic_fetch_add(&record.head->processes, 1) + 1;
}

void sd_record_open(void)
{
    const char *path = secure_getenv("SDCORE_RECORD");
    if (!path || !path[0] || !file_may_grow())
        return;
    long fd = sd_syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0, 0, 0);
    if (fd < 0 || (fd = sd_hide((int)fd)) < 0)
        return;
    struct sd_record_head *head = map_chunk((int)fd, 0);
    if (!head || !is_log(head)) {
        sd_close_hidden((int)fd);
        return;
    }
    sd_store(&record.fd, (int32_t)fd);
    record.head = head;
    record.process = record.family = next_process();
}

void sd_record_fork_child(void)
{
    if (!record.head)
        return;
    record.parent = record.process;
    record.process = next_process();
    if (!sd_g.region)
        record.family = record.process;
}

void sd_record_renumbered(int old_fd, int new_fd)
{
    int32_t fd = old_fd;
    atomic_compare_exchange_strong(&record.fd, &fd, new_fd);
}

void sd_record_end(void)
{
    if (record.head && own.chunk && own.process == record.process)
        sd_store_release(&own.chunk->head.ended, 1);
}

/* --- chunks --- */

static struct chunk *claim(uint64_t *number)
{
    *number = atomic_fetch_add(&record.head->chunks, 1);
    int fd = sd_load(&record.fd);
    long r = sd_syscall(SYS_fallocate, fd, 0, *number * SD_RECORD_CHUNK_BYTES, SD_RECORD_CHUNK_BYTES, 0, 0);
    struct chunk *chunk = r < 0 ? NULL : map_chunk(fd, *number);
    if (!chunk)
        sd_store(&record.head->failed, (uint32_t)(r < 0 ? -r : ENOMEM));
    return chunk;
}

static bool renew(void)
{
    uint64_t number;
    struct chunk *old = own.chunk, *fresh = sd_load(&record.head->failed) ? NULL : claim(&number);
    if (!fresh)
        return false;
    fresh->head.magic = SD_RECORD_MAGIC;
    fresh->head.process = record.process;
    fresh->head.parent = record.parent;
    fresh->head.pid = sd_g.pid;
    fresh->head.tid = (uint32_t)sd_sys_gettid();
    own.chunk = fresh;
    own.number = number;
    own.process = record.process;
    if (old && sd_load(&own.depth) == 1)
        sd_sys_munmap(old, sizeof *old);
    return true;
}

/* A place for one line, and its number in the log. */
static struct sd_record *reserve(uint64_t *number)
{
    for (;;) {
        struct chunk *chunk = own.chunk;
        if (chunk && own.process == record.process) {
            uint32_t i = atomic_fetch_add_explicit(&chunk->head.used, 1, memory_order_relaxed);
            *number = own.number * (SD_RECORD_LINES + 1) + i + 1;
            if (i < SD_RECORD_LINES)
                return &chunk->line[i];
        }
        if (!renew())
            return NULL;
        sd_compiler_fence(); /* a handler may have exchanged the chunk meanwhile: look again */
    }
}

/* --- lines --- */

static bool is_shared(const void *where)
{
    uintptr_t at = (uintptr_t)where;
    return sd_g.sockets && at >= (uintptr_t)sd_g.sockets && at < (uintptr_t)(sd_g.sockets + SD_SOCKETS);
}

static void write_line(struct sd_record *to, struct sd_record *line, uint64_t number)
{
    uint32_t mark = (uint32_t)(number % (SD_RECORD_LINES + 1));
    line->time_ns = sd_now_ns();
    line->mark = 0;
    *to = *line;
    sd_store_release(&to->mark, mark); /* the rest of the line is there */
}

uint64_t sd_record_add(struct sd_record *line, const void *where)
{
    uint64_t number = 0;
    if (!record.head)
        return 0;
    uint32_t depth = atomic_fetch_add_explicit(&own.depth, 1, memory_order_relaxed);
    sd_compiler_fence();
    line->flags = (uint16_t)((is_shared(where) ? SD_RECORD_SHARED : 0) | (depth ? SD_RECORD_NESTED : 0));
    struct sd_record *to = reserve(&number);
    if (to && line->event == SD_RECORD_START)
        line->instance = number;
    if (to)
        write_line(to, line, number);
    sd_compiler_fence();
    atomic_fetch_sub_explicit(&own.depth, 1, memory_order_relaxed);
    return to ? number : 0;
}

void sd_record_token(const struct sd_token *token, const struct sd_token_owner *was, const struct sd_token_owner *is,
                     uint32_t event, uint64_t arg, uint32_t effects)
{
    struct sd_record line = sd_token_owner_line(was, event);
    uintptr_t place = (uintptr_t)token - (uintptr_t)sd_g.region;
    line.instance = SD_RECORD_TOKEN | (uint64_t)record.family << 32 | (uint32_t)place;
    line.step = 0;
    line.arg = arg;
    line.row = (uint16_t)sd_token_owner_row(was, event, arg);
    line.after = (uint8_t)is->state;
    line.effects = effects;
    sd_record_add(&line, token);
}

/* --- connections --- */

static void bind_machine(struct sd_record line, const struct sd_socket *s)
{
    uint32_t generation = sd_load(&s->slot->offer) / SD_OFFER_STATES;
    line.arg = s->rec.lease_id;
    line.registers[0] = (uint64_t)generation << 32 | s->rec.slot;
    line.registers[1] = s->rec.side;
    sd_record_add(&line, s);
}

void sd_record_bind(const struct sd_socket *s)
{
    bind_machine(sd_ring_tx_line(&s->tx.m, SD_RECORD_BIND), s);
    bind_machine(sd_mover_line(&s->tx.mover, SD_RECORD_BIND), s);
    bind_machine(sd_ring_rx_line(&s->rx.m, SD_RECORD_BIND), s);
    bind_machine(sd_leaver_line(&s->rx.leaver, SD_RECORD_BIND), s);
    bind_machine(sd_teardown_line(&s->teardown, SD_RECORD_BIND), s);
}

void sd_record_bind_offer(const struct sd_socket *s)
{
    bind_machine(s->rec.side ? sd_server_line(&s->server, SD_RECORD_BIND) : sd_client_line(&s->client, SD_RECORD_BIND),
                 s);
}

#endif

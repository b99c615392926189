/* Slabs and the status page: mapping what the monitor made, remembering it, giving it back.
 *
 * A mapped file that shrinks kills whoever touches it, so only sealed memory of the right size is mapped. A slab is
 * sparse, a gigabyte of which little is ever used: no swap is reserved for it, a core dump leaves it out, and it does not
 * count as the program's address space (space.c).
 *
 * A lease that was revoked (its client died, its listener closed) is given back when no offer in it waits to be accepted
 * and no socket object names it; what an epoll set watches is a socket, too. Nobody counts the pointers that threads were
 * just given. So the place stays mapped, to empty pages: an offer that is looked for there is not found, and an offer
 * that is made there runs out. And it becomes the place of another slab only GRACE_NS later, if no socket points to it.
 */
#include <string.h>
#include <sys/stat.h>

#include "core/control_impl.h"
#include "core/space.h"

enum { IN_USE_BITS = 4096 };

static const uint64_t GRACE_NS = 2000000000;
static const uint64_t BACKLOG_NS = 300000000000;

/* A slab that this process maps, or the place of one. */
struct known {
    struct sd_grant lease; /* first: what others see */
    uint64_t inode;        /* names the memory, also when another monitor uses the same lease number; 0: given back */
    uint32_t roles;        /* enum sd_slab_role */
    uint64_t since_ns;     /* since when it was seen revoked, or has been given back; 0: neither */
    bool unused;           /* while sweeping */
    struct known *next;
};

static struct known *all;

/* --- mapping --- */

static bool is_sealed(int fd, size_t size, struct stat *status)
{
    long seals = sd_sys_fcntl(fd, F_GET_SEALS, 0);
    if (seals < 0 || !(seals & F_SEAL_SHRINK))
        return false;
    return sd_syscall(SYS_fstat, fd, status, 0, 0, 0, 0) == 0 && status->st_size == (off_t)size;
}

static bool head_fits(const void *memory, uint32_t magic)
{
    uint32_t head[2]; /* the monitor's structures begin with magic and version */
    memcpy(head, memory, sizeof(head));
    return head[0] == magic && head[1] == SD_LAYOUT_VERSION;
}

/* Moves a mapping to `place` if that is not NULL; what was there goes in one step. On failure the mapping is gone. */
static long move_to(void **place, void *fresh, size_t size)
{
    if (*place) {
        void *moved = (void *)sd_syscall(SYS_mremap, fresh, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, *place, 0);
        if (sd_is_error(moved)) {
            sd_sys_munmap(fresh, size);
            return (long)(intptr_t)moved;
        }
        fresh = moved;
    }
    *place = fresh;
    return 0;
}

/* Maps memory that begins as it should, at `place`, or anywhere if that is NULL. */
static long map_checked(int fd, size_t size, int prot, uint32_t magic, void **place)
{
    void *fresh = sd_space_map(NULL, size, prot, MAP_SHARED | MAP_NORESERVE, fd);
    if (sd_is_error(fresh))
        return (long)(intptr_t)fresh;
    if (!head_fits(fresh, magic)) {
        sd_sys_munmap(fresh, size);
        return -EPROTO;
    }
    return move_to(place, fresh, size);
}

long sd_map_status(int fd, struct sd_status **status)
{
    struct stat info;
    void *place = *status;
    long n = -EPROTO;
    if (is_sealed(fd, sizeof(struct sd_status), &info))
        n = map_checked(fd, sizeof(struct sd_status), PROT_READ, SD_STATUS_MAGIC, &place);
    sd_sys_close(fd);
    if (n == 0)
        *status = place;
    return n;
}

/* --- what is known --- */

static struct known *find_memory(uint64_t inode, uint64_t lease_id)
{
    for (struct known *k = all; k; k = k->next)
        if (k->inode == inode && k->lease.lease_id == lease_id)
            return k;
    return NULL;
}

static bool is_pointed_to(const struct sd_slab *slab)
{
    uint32_t high = sd_load(&sd_g.region->socket_high);
    for (uint32_t i = 0; i < high && i < SD_SOCKETS; i++)
        if (sd_load(&sd_g.sockets[i].rec.refs) && sd_g.sockets[i].slab == slab)
            return true;
    return false;
}

bool sd_is_place_of_slab(const void *address)
{
    for (const struct known *k = all; k; k = k->next)
        if (k->lease.slab && (uintptr_t)address - (uintptr_t)k->lease.slab < SD_SLAB_BYTES)
            return true;
    return false;
}

/* A place for one more: one that was given back long enough ago, or a new one. NULL: no memory. */
static struct known *take_place(void)
{
    uint64_t now_ns = sd_now_ns();
    for (struct known *k = all; k; k = k->next)
        if (k->inode == 0 && now_ns - k->since_ns > GRACE_NS && !(k->lease.slab && is_pointed_to(k->lease.slab)))
            return k;
    struct known *k = sd_alloc(sizeof(*k));
    if (!k)
        return NULL;
    k->next = all;
    all = k;
    return k;
}

/* Maps into the place; on failure the place is as before. */
static long map_slab(struct known *k, int fd)
{
    void *place = k->lease.slab;
    if (!sd_space_take(SD_SLAB_BYTES))
        return -ENOMEM;
    long n = map_checked(fd, SD_SLAB_BYTES, PROT_READ | PROT_WRITE, SD_SLAB_MAGIC, &place);
    if (n < 0 || k->lease.slab)
        sd_space_give(SD_SLAB_BYTES);
    if (n < 0)
        return n == -EPROTO ? SD_SLAB_SPOILT : n;
    sd_sys_madvise(place, SD_SLAB_BYTES, MADV_DONTDUMP);
    k->lease.slab = place;
    return 0;
}

static long learn_new(int fd, uint64_t inode, const struct sd_msg_lease *lease, struct known **learnt)
{
    struct known *k = take_place();
    long n = k ? map_slab(k, fd) : -ENOMEM;
    if (n < 0)
        return n;
    if (k->lease.slab->lease_id != lease->lease_id || k->lease.slab->listener_id != lease->listener_id)
        n = SD_SLAB_SPOILT; /* stays as an empty place: `inode` is still 0 */
    if (n == 0) {
        k->lease.lease_id = lease->lease_id;
        k->lease.listener_id = lease->listener_id;
        k->lease.next_slot = 0;
        k->roles = 0;
        k->inode = inode;
        k->since_ns = 0;
        *learnt = k;
    }
    return n;
}

long sd_learn_lease(int fd, const struct sd_msg_lease *lease, enum sd_slab_role role, struct sd_grant **learnt)
{
    struct stat info;
    long n = -EPROTO;
    struct known *k = NULL;
    if (is_sealed(fd, SD_SLAB_BYTES, &info)) {
        k = find_memory(info.st_ino, lease->lease_id);
        n = k ? 0 : learn_new(fd, info.st_ino, lease, &k);
    }
    sd_sys_close(fd);
    if (n < 0)
        return n;
    k->roles |= role;
    sd_g.heavy_fence |= k->lease.slab->heavy_fence != 0;
    sd_store(&sd_g.unusual, sd_load(&sd_g.unusual) || sd_g.heavy_fence);
    *learnt = &k->lease;
    return 0;
}

bool sd_lease_revoked(const struct sd_grant *lease)
{
    return sd_load_acquire(&lease->slab->revoked) != 0;
}

static bool has_room(struct sd_slab *slab)
{
    for (uint32_t slot = 0; slot < SD_SLOTS; slot++)
        if (sd_load(&slab->slot[slot].offer) % SD_OFFER_STATES == SD_OFFER_FREE)
            return true;
    return false;
}

struct sd_grant *sd_lease_with_room(const struct sd_grant *full)
{
    for (struct known *k = all; k; k = k->next)
        if (k->inode && k->roles & SD_SLAB_CLIENT && &k->lease != full && k->lease.listener_id == full->listener_id &&
            !sd_lease_revoked(&k->lease) && has_room(k->lease.slab))
            return &k->lease;
    return NULL;
}

/* --- giving back --- */

/* Which leases socket objects of the family name, by the low bits of their numbers: may only say yes too often. */
static void mark_in_use(uint64_t bits[IN_USE_BITS / 64])
{
    uint32_t high = sd_load(&sd_g.region->socket_high);
    for (uint32_t i = 0; i < high && i < SD_SOCKETS; i++) {
        const struct sd_socket *s = &sd_g.sockets[i];
        if (sd_load(&s->rec.refs) || sd_load(&s->pins)) {
            uint32_t bit = (uint32_t)(s->rec.lease_id % IN_USE_BITS);
            bits[bit / 64] |= 1ULL << bit % 64;
        }
    }
}

/* A dead client's offer may still be taken up: its connection is in the listener's backlog. Not for ever, for the word
 * was written by a peer.
 */
static bool awaits_accept(const struct known *k, uint64_t now_ns)
{
    if (now_ns - k->since_ns > BACKLOG_NS)
        return false;
    for (uint32_t slot = 0; slot < SD_SLOTS; slot++)
        if (sd_load_acquire(&k->lease.slab->slot[slot].offer) % SD_OFFER_STATES == SD_OFFER_OFFERED)
            return true; /* else it was swapped, and is named: pairs with the swap in accept.c */
    return false;
}

/* A client's thread may be about to claim a slot: it is given time. */
static bool may_go(const struct known *k, uint64_t now_ns)
{
    return k->roles & SD_SLAB_CLIENT ? now_ns - k->since_ns > GRACE_NS : !awaits_accept(k, now_ns);
}

static bool empty(void *place)
{
    if (!sd_space_take(SD_SLAB_BYTES))
        return false;
    void *fresh =
        sd_space_map(NULL, SD_SLAB_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    bool done = !sd_is_error(fresh) && move_to(&place, fresh, SD_SLAB_BYTES) == 0;
    sd_space_give(SD_SLAB_BYTES);
    return done;
}

/* The slab's memory goes; its place stays, readable and empty. */
static void give_back(struct known *k, uint64_t now_ns)
{
    sd_listeners_unlink(&k->lease);
    if (!empty(k->lease.slab))
        return; /* the old memory is still there: tried again by the next sweep */
    k->inode = 0;
    k->since_ns = now_ns;
}

/* Notes what is revoked and could go; true if anything could. */
static bool find_unused(uint64_t now_ns)
{
    bool any = false;
    for (struct known *k = all; k; k = k->next) {
        k->unused = false;
        if (!k->inode || !sd_lease_revoked(&k->lease))
            continue;
        if (!k->since_ns)
            k->since_ns = now_ns;
        k->unused = may_go(k, now_ns);
        any |= k->unused;
    }
    return any;
}

/* First the offers, then the sockets: an offer that was taken up in between is seen as the one or the other. */
void sd_sweep_slabs(void)
{
    uint64_t now_ns = sd_now_ns();
    if (!find_unused(now_ns))
        return;
    uint64_t in_use[IN_USE_BITS / 64] = {0};
    mark_in_use(in_use);
    for (struct known *k = all; k; k = k->next) {
        uint32_t bit = (uint32_t)(k->lease.lease_id % IN_USE_BITS);
        if (k->unused && !(in_use[bit / 64] >> bit % 64 & 1))
            give_back(k, now_ns);
    }
}

/* Mapping what the monitor made: slabs and the status page.
 *
 * A mapped file that shrinks kills whoever touches it, so only sealed memory of the right size is mapped. A slab is
 * sparse, a quarter of a gigabyte of which little is ever used: no swap is reserved for it and a core dump leaves it out.
 */
#include <sys/stat.h>

#include "core/control_impl.h"

/* Closes fd unless all is well: memory of exactly this size, sealed against shrinking. */
static bool is_sealed(int fd, size_t size)
{
    struct stat status;
    long seals = sd_sys_fcntl(fd, F_GET_SEALS, 0);
    if (seals < 0 || !(seals & F_SEAL_SHRINK))
        return false;
    return sd_syscall(SYS_fstat, fd, &status, 0, 0, 0, 0) == 0 && status.st_size == (off_t)size;
}

static long pointer_error(const void *p)
{
    return sd_is_error(p) ? (long)(intptr_t)p : 0;
}

/* Maps and closes fd. `at` NULL: anywhere. */
static long map(int fd, size_t size, int prot, int flags, void *at, void **memory)
{
    long n = -EPROTO;
    if (is_sealed(fd, size)) {
        *memory = sd_sys_mmap(at, size, prot, MAP_SHARED | flags | (at ? MAP_FIXED : 0), fd, 0);
        n = pointer_error(*memory);
    }
    sd_sys_close(fd);
    return n;
}

static bool head_fits(uint32_t magic, uint32_t version, uint32_t expected)
{
    return magic == expected && version == SD_LAYOUT_VERSION;
}

long sd_map_status(int fd, struct sd_status **status)
{
    void *memory;
    long n = map(fd, sizeof(struct sd_status), PROT_READ, 0, NULL, &memory);
    if (n < 0)
        return n;
    struct sd_status *fresh = memory;
    if (!head_fits(fresh->magic, fresh->version, SD_STATUS_MAGIC)) {
        sd_sys_munmap(memory, sizeof(struct sd_status));
        return -EPROTO;
    }
    if (!*status) {
        *status = fresh;
        return 0;
    }
    /* Other threads may be reading the old page: the new one takes its place in one step. */
    memory = (void *)sd_syscall(SYS_mremap, fresh, sizeof(struct sd_status), sizeof(struct sd_status),
                                MREMAP_MAYMOVE | MREMAP_FIXED, *status, 0);
    return pointer_error(memory);
}

long sd_map_slab(int fd, struct sd_slab **slab)
{
    void *memory;
    long n = map(fd, SD_SLAB_BYTES, PROT_READ | PROT_WRITE, MAP_NORESERVE, NULL, &memory);
    if (n < 0)
        return n;
    struct sd_slab *fresh = memory;
    if (!head_fits(fresh->magic, fresh->version, SD_SLAB_MAGIC)) {
        sd_sys_munmap(memory, SD_SLAB_BYTES);
        return -EPROTO;
    }
    sd_sys_madvise(memory, SD_SLAB_BYTES, MADV_DONTDUMP);
    *slab = fresh;
    return 0;
}

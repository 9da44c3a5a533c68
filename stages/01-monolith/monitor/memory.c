/*
 * memory.c - gives back what a long wait does not need: there is one of us for each container.
 *
 * Room:       monitor.   Called by: supervise.c, execs.c.
 * Man:        malloc_trim(3), madvise(2), dl_iterate_phdr(3).
 *
 * Freed heap goes back to the kernel. Pages of code and constants that only a start needs leave
 * our address space, too; they stay in the page cache, shared with every other process that maps
 * the same files, and come back by a fault when they are used again.
 */
#include "monitor_internal.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#define QUIET_NS 200000000LL

/* Segments that are never written are the file's own bytes. (Relocated ones are not: PF_W.) */
static int forget_segments(struct dl_phdr_info *object, size_t size, void *unused)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    (void)size;
    (void)unused;

    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W)) {
            continue;
        }
        uintptr_t begin = (object->dlpi_addr + segment->p_vaddr) & ~(page - 1);
        uintptr_t end = (object->dlpi_addr + segment->p_vaddr + segment->p_memsz) & ~(page - 1);
        if (end > begin) { /* a refusal costs memory, nothing else */
            (void)madvise((void *)begin, end - begin,
                          MADV_DONTNEED); // NOLINT(performance-no-int-to-ptr)
        }
    }
    return 0;
}

static void give_back(void *unused)
{
    (void)unused;
    (void)malloc_trim(0);
    (void)dl_iterate_phdr(forget_segments, NULL);
}

void give_memory_back_soon(struct monitor *monitor)
{
    loop_arm(monitor->loop, &monitor->memory_timer, QUIET_NS, give_back, NULL);
}

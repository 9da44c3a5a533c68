/*
 * memory.c - the heap's free pages, and the program's own, back to the kernel.
 *
 * Room:       lib.   Called by: see memory.h.
 * Man:        malloc_trim(3), madvise(2), dl_iterate_phdr(3).
 *
 * Freed heap goes back to the kernel. Pages of code and constants that only a start needs leave
 * our address space, too; they stay in the page cache, shared with every other process that maps
 * the same files, and come back by a fault when they are used again.
 */
#include "memory.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

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

void ct_memory_give_back(void)
{
    (void)malloc_trim(0);
    (void)dl_iterate_phdr(forget_segments, NULL);
}

/*
 * sysinit_fd.c - the program sysinit as a descriptor that can be executed.
 *
 * Room:       execdriver/lxc.   Called by: see sysinit_fd.h.
 * Man:        memfd_create(2), fcntl(2) (F_ADD_SEALS).
 */
#define CT_LAYER "execdriver"
#include "sysinit_fd.h"

#include "cleanup.h"
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>

extern const char sysinit_bytes[], sysinit_bytes_end[]; /* sysinit_bytes.S */

int sysinit_fd_open(struct ct_error *err)
{
    static int cached = -1;
    const size_t length = (size_t)(sysinit_bytes_end - sysinit_bytes);

    if (cached >= 0) {
        return cached;
    }
    CT_AUTO_CLOSE int fd = memfd_create("sysinit", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ct_write_all(fd, sysinit_bytes, length) < 0) {
        return ct_fail(err, errno, "copy sysinit to memory");
    }
    /* Execute-only: the kernel then makes a process that runs it undumpable from its first
     * instruction on, unless it has CAP_DAC_OVERRIDE; that one is traced only by its equals. */
    if (fchmod(fd, 0111) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
        return ct_fail(err, errno, "seal the copy of sysinit");
    }
    cached = ct_steal_fd(&fd);
    return cached;
}

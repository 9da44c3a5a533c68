/*
 * protect.c - the runtime's own binary is out of reach of what it runs.
 *
 * Room:       libcontainer.   Called by: main() of programs that run containers.
 * Man:        proc(5) (/proc/PID/exe), open_tree(2), mount_setattr(2), execveat(2),
 * memfd_create(2).
 *
 * A process of ours that has entered a container can be looked at by those inside, and
 * /proc/PID/exe is a link to our binary on the host that no mount namespace hides: who opens it
 * for writing replaces the host's runtime (CVE-2019-5736). So the program runs from a mount through
 * which nobody can write: a read-only clone of its own, which is nowhere attached. The file stays
 * the same file, so that probes in it are still found. Where clones of mounts are not allowed
 * (without root), the file is not ours to write either, or else a sealed copy in memory is run.
 */
#define CT_LAYER "runtime"
#include "libcontainer.h"

#include "cleanup.h"
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

#define OWN_BINARY "/proc/self/exe"

/* Whether the link leads through a mount, or to a file, that cannot be written. */
static bool is_protected(int exe_fd)
{
    struct statvfs fs;
    int seals = fcntl(exe_fd, F_GET_SEALS);

    return (fstatvfs(exe_fd, &fs) == 0 && (fs.f_flag & ST_RDONLY)) ||
           (seals >= 0 && (seals & F_SEAL_WRITE));
}

static int open_readonly_clone(void)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
    CT_AUTO_CLOSE int fd = open_tree(AT_FDCWD, OWN_BINARY, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

    if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0) {
        return -1;
    }
    return ct_steal_fd(&fd);
}

static int open_sealed_copy(int exe_fd, struct ct_error *err)
{
    CT_AUTO_CLOSE int copy = memfd_create("runtime", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (copy < 0) {
        return ct_fail(err, errno, "make a copy of the runtime's binary");
    }
    if (ct_copy_fd(exe_fd, copy, err) < 0) {
        return -1;
    }
    if (fcntl(copy, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        return ct_fail(err, errno, "seal the copy of the runtime's binary");
    }
    return ct_steal_fd(&copy);
}

int lc_protect_self(char *const *argv, struct ct_error *err)
{
    CT_AUTO_CLOSE int exe = open(OWN_BINARY, O_RDONLY | O_CLOEXEC);

    if (exe < 0) {
        return ct_fail(err, errno, "open the runtime's binary");
    }
    if (is_protected(exe)) {
        return 0;
    }
    CT_AUTO_CLOSE int fd = open_readonly_clone();
    if (fd < 0) {
        if (faccessat(AT_FDCWD, OWN_BINARY, W_OK, AT_EACCESS) < 0) {
            return 0; /* what we may not write, nobody inside may who is at most us */
        }
        fd = open_sealed_copy(exe, err);
    }
    if (fd < 0) {
        return -1;
    }
    (void)syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
    return ct_fail(err, errno, "run the protected binary of the runtime");
}

/*
 * program.c - what is given to a program: limits from outside, streams inside.
 *
 * Room:       libcontainer.   Called by: see program.h.
 */
#define CT_LAYER "exec"
#include "program.h"

#include "cleanup.h"
#include "exec.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

int lc_equip_program(const struct lc_program *program, pid_t pid, struct ct_error *err)
{
    CT_AUTO_CLOSE int procfs_fd = ct_root_open("/proc", err); /* the runtime's: the host's */

    if (procfs_fd < 0 ||
        lc_scheduling_apply_outside(&program->scheduling, procfs_fd, pid, err) < 0) {
        return -1;
    }
    return lc_rlimits_apply(program->rlimits, program->n_rlimits, pid, err);
}

/* The root's own /dev/null; an image may have put something else there (CVE-2025-31133). */
static int open_null(struct ct_error *err)
{
    CT_AUTO_CLOSE int fd = open("/dev/null", O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;

    if (fd < 0) {
        return ct_fail(err, errno, "open /dev/null for the standard streams");
    }
    if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3)) {
        return ct_refuse(err, CT_INVALID, "open /dev/null: it is not the null device");
    }
    return ct_steal_fd(&fd);
}

int lc_program_streams(const int stdio[3], int preserve, struct ct_error *err)
{
    CT_AUTO_CLOSE int null_fd = -1;
    int streams[3];

    for (int i = 0; i < 3; i++) {
        if (stdio[i] < 0 && null_fd < 0) {
            null_fd = open_null(err);
            if (null_fd < 0) {
                return -1;
            }
        }
        streams[i] = stdio[i] < 0 ? null_fd : stdio[i];
    }
    return ct_exec_streams(streams, preserve, err);
}

int lc_check_preserved(int preserve, struct ct_error *err)
{
    for (int fd = 3; fd < 3 + preserve; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags < 0 || (flags & FD_CLOEXEC)) {
            return ct_refuse(err, CT_INVALID, "preserve descriptor %d: it is not open", fd);
        }
    }
    return 0;
}

/*
 * stdio.c - the program's ends as paths, since a descriptor cannot cross gRPC.
 *
 * Room:       execdriver (stage 04).   Called by: job.c, process.c.
 * Man:        proc(5) (/proc/[pid]/fd), pipe(7).
 *
 * A shim opens what it is told by path. Each of our pipes has one: /proc/PID/fd/N, which opens the
 * same pipe again. The shim holds its own ends from then on, so that what the program prints waits
 * there when we are killed, and whoever comes after us finds the pipe again by its inode.
 */
#include "tasks_internal.h"

#include "cleanup.h"
#include "path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_pipe(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
}

void tasks_stdio(const struct exec_program *program, struct tasks_stdio *ret)
{
    *ret = (struct tasks_stdio){0};
    for (size_t i = 0; i < 3; i++) {
        int fd = program->stdio[i];
        /* Input from /dev/null is what a program has anyway; a terminal has no stream of errors. */
        bool wanted = fd >= 0 && (i > 0 || is_pipe(fd)) && !(program->terminal && i == 2);
        if (wanted) {
            (void)snprintf(ret->paths[i], sizeof(ret->paths[i]), "/proc/%d/fd/%d", (int)getpid(),
                           fd);
        }
    }
}

uint64_t tasks_pipe_inode(int fd)
{
    struct stat status;
    return fd >= 0 && fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode) ? status.st_ino : 0;
}

int tasks_reopen_pipe(pid_t holder, uint64_t inode)
{
    CT_AUTO_FREE char *path = ct_printf("/proc/%d/fd", (int)holder);
    CT_AUTO_DIR DIR *dir = opendir(path);
    struct stat status;

    for (const struct dirent *e = dir ? readdir(dir) : NULL; inode && e; e = readdir(dir)) {
        if (fstatat(dirfd(dir), e->d_name, &status, 0) == 0 && S_ISFIFO(status.st_mode) &&
            status.st_ino == inode) {
            return openat(dirfd(dir), e->d_name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        }
    }
    return -1;
}

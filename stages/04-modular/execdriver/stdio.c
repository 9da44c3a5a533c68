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
#include "json.h"
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

/* ---- to be found again ---------------------------------------------------------------------- */

static __thread struct tasks_pipes next; /* what exec_keep() was given */

static uint64_t pipe_inode(int fd)
{
    struct stat status;
    return fd >= 0 && fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode) ? status.st_ino : 0;
}

void exec_keep(const int *fds, size_t n)
{
    next = (struct tasks_pipes){0};
    while (next.n < n && next.n < TASKS_KEPT_MAX) {
        next.inodes[next.n] = pipe_inode(fds[next.n]);
        next.n++;
    }
}

void tasks_keep(struct tasks_pipes *ret)
{
    *ret = next;
    next = (struct tasks_pipes){0};
}

/* The shim is the parent of what it has started, or its reaper. */
static pid_t parent_of(pid_t pid)
{
    CT_AUTO_FREE char *path = ct_printf("/proc/%d/stat", (int)pid);
    CT_AUTO_FILE FILE *file = fopen(path, "re");
    int parent = 0;

    /* "pid (name) state ppid": no shim's child has a ')' in its name but as the last one */
    return file && fscanf(file, "%*d (%*[^)]) %*c %d", &parent) == 1 ? (pid_t)parent : 0;
}

void tasks_pipes_held_by(struct tasks_pipes *pipes, pid_t pid)
{
    pid_t parent = pipes->n > 0 ? parent_of(pid) : 0;
    pipes->shim = parent > 1 ? parent : 0;
}

json_t *tasks_pipes_save(const struct tasks_pipes *pipes)
{
    json_t *json = json_object();
    json_t *kept = json_array();

    for (size_t i = 0; i < pipes->n; i++) {
        ct_json_append(kept, json_integer((json_int_t)pipes->inodes[i]));
    }
    ct_json_set(json, "kept", kept);
    ct_json_set(json, "shim", json_integer(pipes->shim));
    return json;
}

/* That it is the shim's pid still is seen by the pipe: no other process holds it. */
static int reopen(pid_t holder, uint64_t inode)
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

void tasks_pipes_take(const json_t *saved, struct tasks_pipes *ret, int *ret_fds, size_t n_fds)
{
    const json_t *kept = json_object_get(saved, "kept");

    *ret = (struct tasks_pipes){.shim = (pid_t)ct_json_integer(saved, "shim", 0)};
    for (; ret->n < ct_json_count(kept) && ret->n < TASKS_KEPT_MAX; ret->n++) {
        ret->inodes[ret->n] = (uint64_t)json_integer_value(json_array_get(kept, ret->n));
        if (ret->n < n_fds && ret->shim > 1) {
            ret_fds[ret->n] = reopen(ret->shim, ret->inodes[ret->n]);
        }
    }
}

/*
 * bundle.c - the directory that a shim works in, and in which it is found again.
 *
 * Room:       containerd.   Called by: task_life.c, tasks.c.
 * Spec:       OCI runtime-spec, bundle.md; containerd, runtime/v2/README.md.
 *
 *   config.json         the container's spec
 *   rootfs/             where the shim mounts the root file system
 *   work                a link to ROOT/io.containerd.runtime.v2.task/…, which outlives a reboot
 *   log                 a FIFO: the shim's own log
 *   shim-binary-path    ours: which program cleans up after it
 *   address             the shim's: its socket
 */
#include "tasks.h"

#include "file.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL_MAX 4096

static char *work_of(const struct task *task)
{
    return ct_printf("%s/io.containerd.runtime.v2.task/%s/%s", task->containerd->root, task->space,
                     task->id);
}

char *bundle_read(const struct task *task, const char *name)
{
    struct ct_error ignored = {0};
    CT_AUTO_FREE char *path = ct_join(task->bundle, name);
    CT_AUTO_FREE char *text = NULL;
    ssize_t length = ct_read_file_at(AT_FDCWD, path, SMALL_MAX, &text, &ignored);

    if (length <= 0) {
        return NULL;
    }
    text[strcspn(text, "\n")] = '\0';
    return ct_steal(text);
}

int bundle_write(const struct task *task, const char *name, const char *text, struct ct_error *err)
{
    CT_AUTO_CLOSE int dir = open(task->bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return dir < 0 ? ct_fail(err, errno, "open bundle '%.120s'", task->bundle)
                   : ct_write_run_file_at(dir, name, text, strlen(text), 0600, err);
}

static int fill(struct task *task, int dir, const char *work, const Google__Protobuf__Any *spec,
                struct ct_error *err)
{
    CT_AUTO_CLOSE int work_fd = ct_mkdirs(work, 0700, err);

    if (work_fd < 0) {
        return -1;
    }
    if (mkdirat(dir, "rootfs", 0711) < 0 || fchmodat(dir, "rootfs", 0711, 0) < 0 ||
        symlinkat(work, dir, "work") < 0 || mkfifoat(dir, "log", 0600) < 0) {
        return ct_fail(err, errno, "fill bundle '%.120s'", task->bundle);
    }
    /* Both ends are ours: the shim can open it at once, and its end is no end of file here. */
    task->log_fd = openat(dir, "log", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (task->log_fd < 0) {
        return ct_fail(err, errno, "open the log of bundle '%.120s'", task->bundle);
    }
    return ct_write_run_file_at(dir, "config.json", spec->value.data, spec->value.len, 0600, err);
}

int bundle_make(struct task *task, const Google__Protobuf__Any *spec, struct ct_error *err)
{
    CT_AUTO_FREE char *work = work_of(task);
    CT_AUTO_FREE char *parent = ct_printf("%s/%s", task->containerd->tasks->bundles, task->space);
    CT_AUTO_CLOSE int parent_fd = ct_mkdirs(parent, 0700, err);

    if (parent_fd < 0) {
        return -1;
    }
    if (mkdirat(parent_fd, task->id, 0700) < 0) {
        return ct_fail(err, errno, "make bundle '%.120s'", task->bundle);
    }
    CT_AUTO_CLOSE int dir = openat(parent_fd, task->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || fill(task, dir, work, spec, err) < 0) {
        if (dir < 0) {
            (void)ct_fail(err, errno, "open bundle '%.120s'", task->bundle);
        }
        bundle_remove(task);
        return -1;
    }
    return 0;
}

void bundle_remove(struct task *task)
{
    struct ct_error err = {0};
    CT_AUTO_FREE char *work = work_of(task);
    CT_AUTO_FREE char *rootfs = ct_join(task->bundle, "rootfs");

    /* A shim that died may have left it mounted; nothing there is no error. */
    (void)umount2(rootfs, MNT_DETACH | UMOUNT_NOFOLLOW);
    if (ct_remove_tree(AT_FDCWD, task->bundle, &err) < 0) {
        ct_warn("bundle '%s' stays: %s", task->bundle, err.frame[0].what);
    }
    ct_error_clear(&err);
    if (ct_remove_tree(AT_FDCWD, work, &err) < 0) {
        ct_warn("'%s' stays: %s", work, err.frame[0].what);
    }
}

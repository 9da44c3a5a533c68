/*
 * container.c - one container, wherever its documents are kept: its struct, its lock, its monitor's
 * lock.
 *
 * Room:       containers.   Called by: engine, monitor; the implementations of containers.h.
 * Man:        flock(2) (lock), fcntl(2) F_GETLK (monitor.lock).
 */
#define CT_LAYER "containers"
#include "container_parts.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * The monitor's own lock, when this process is a monitor. fcntl(2) locks belong to the process
 * and go as soon as it closes any descriptor of the file, so it must never open it again.
 */
static struct {
    char id[65];
    int fd;
} our_monitor_lock = {.fd = -1};

struct container *container_new(struct container_store *store, const char *dir, const char *run_dir,
                                const char *id, struct ct_error *err)
{
    struct container *container = calloc(1, sizeof(*container));
    if (!container) {
        return ct_fail_null(err, ENOMEM, "open container '%.12s'", id);
    }
    container->store = store;
    container->dir = ct_join(dir, id);
    container->run_dir = ct_join(run_dir, id);
    container->dir_fd = -1;
    container->run_fd = -1;
    container->lock_fd = -1;
    (void)snprintf(container->id, sizeof(container->id), "%s", id);
    return container;
}

void container_free(struct container *container)
{
    if (!container) {
        return;
    }
    container_unlock(container);
    ct_cleanup_close(&container->dir_fd);
    ct_cleanup_close(&container->run_fd);
    json_decref(container->config);
    json_decref(container->state);
    json_decref(atomic_load(&container->memo));
    free(container->dir);
    free(container->run_dir);
    free(container);
}

int container_check(const struct container *container, struct ct_error *err)
{
    return container_is_in_place(container)
               ? 0
               : ct_refuse(err, CT_NOT_FOUND, "no such container: %.64s", container->id);
}

const char *container_name(const struct container *container)
{
    const char *name = ct_json_string(container->config, "Name", "");
    return name[0] == '/' ? name + 1 : name;
}

const char *container_status(const struct container *container)
{
    return ct_json_string(container->state, "Status", "exited");
}

bool container_is_running(const struct container *container)
{
    const char *status = container_status(container);
    return strcmp(status, "running") == 0 || strcmp(status, "paused") == 0 ||
           strcmp(status, "restarting") == 0;
}

char *container_log_dir(const struct container *container)
{
    return ct_join(container->dir, "logs");
}

int container_lock(struct container *container, int timeout_ms, struct ct_error *err)
{
    int fd = ct_lock_at(container->run_fd, "lock", CT_LOCK_EXCLUSIVE, timeout_ms, err);
    if (fd < 0) {
        /* A removed RUN/<id> takes no new file any more. */
        if (!container_is_in_place(container)) {
            ct_error_clear(err);
            return container_check(container, err);
        }
        return ct_while(err, "lock container '%s'", container_name(container));
    }
    container->lock_fd = fd;
    if (container_check(container, err) < 0) { /* the lock of somebody who removed it */
        container_unlock(container);
        return -1;
    }
    return 0;
}

void container_unlock(struct container *container)
{
    ct_cleanup_close(&container->lock_fd);
    container->lock_fd = -1;
}

void container_share_lock(struct container *container, int lock_fd)
{
    container_unlock(container);
    container->lock_fd = lock_fd;
}

static struct flock whole_file(short type)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET};
}

pid_t container_monitor(const struct container *container)
{
    struct flock probe = whole_file(F_WRLCK);

    if (our_monitor_lock.fd >= 0 && strcmp(our_monitor_lock.id, container->id) == 0) {
        return getpid();
    }
    CT_AUTO_FREE char *path = ct_join(container->run_dir, "monitor.lock"); /* listed: no run_fd */
    CT_AUTO_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fcntl(fd, F_GETLK, &probe) < 0 || probe.l_type == F_UNLCK) {
        return 0;
    }
    return probe.l_pid;
}

int container_become_monitor(struct container *container, struct ct_error *err)
{
    struct flock lock = whole_file(F_WRLCK);
    CT_AUTO_CLOSE int fd =
        openat(container->run_fd, "monitor.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0) {
        return ct_fail(err, errno, "open the monitor's lock of container '%.12s'", container->id);
    }
    if (fcntl(fd, F_SETLK, &lock) < 0) {
        if (errno != EACCES && errno != EAGAIN) {
            return ct_fail(err, errno, "take the monitor's lock of container '%.12s'",
                           container->id);
        }
        return ct_refuse(err, CT_CONFLICT, "container %.12s has a monitor already", container->id);
    }
    memcpy(our_monitor_lock.id, container->id, sizeof(our_monitor_lock.id));
    our_monitor_lock.fd = ct_steal_fd(&fd);
    return 0;
}

void container_watch_next(int watch_fd)
{
    ct_watch_drain(watch_fd);
}

/*
 * record.c - one container's record: its two documents, its lock, its monitor's lock, its watch.
 *
 * Room:       containers.   Called by: engine, monitor, lookup.c.
 * Man:        flock(2) (lock), fcntl(2) F_GETLK (monitor.lock), inotify(7) (watch).
 */
#define CT_LAYER "containers"
#include "containers_internal.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "log.h"
#include "path.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * The monitor's own lock, when this process is a monitor. fcntl(2) locks belong to the process
 * and go as soon as it closes any descriptor of the file, so it must never open it again.
 */
static struct {
    char id[65];
    int fd;
} our_monitor_lock = {.fd = -1};

struct container *record_new(struct container_store *store, const char *id, struct ct_error *err)
{
    struct container *container = calloc(1, sizeof(*container));
    if (!container) {
        return ct_fail_null(err, ENOMEM, "open container '%.12s'", id);
    }
    container->dir = ct_join(store->dir, id);
    container->run_dir = ct_join(store->run_dir, id);
    container->run_fd = -1;
    container->lock_fd = -1;
    (void)snprintf(container->id, sizeof(container->id), "%s", id);
    container->dir_fd = openat(store->dir_fd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (container->dir_fd < 0) {
        (void)(errno == ENOENT ? ct_refuse(err, CT_NOT_FOUND, "no such container: %.64s", id)
                               : ct_fail(err, errno, "open container '%.12s'", id));
        container_free(container);
        return NULL;
    }
    container->run_fd = ct_mkdirs(container->run_dir, 0700, err);
    if (container->run_fd < 0) {
        container_free(container);
        return NULL;
    }
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

json_t *record_fresh_state(void)
{
    json_t *state = json_object();

    ct_json_set_string(state, "Status", "created");
    ct_json_set(state, "Running", json_false());
    ct_json_set(state, "Paused", json_false());
    ct_json_set(state, "Restarting", json_false());
    ct_json_set(state, "OOMKilled", json_false());
    ct_json_set(state, "Dead", json_false());
    ct_json_set(state, "Pid", json_integer(0));
    ct_json_set(state, "ExitCode", json_integer(0));
    ct_json_set_string(state, "Error", "");
    ct_json_set_string(state, "StartedAt", CT_TIME_ZERO);
    ct_json_set_string(state, "FinishedAt", CT_TIME_ZERO);
    ct_json_set(state, "RestartCount", json_integer(0));
    ct_json_set(state, "ManuallyStopped", json_false());
    ct_json_set(state, "MonitorPid", json_integer(0));
    return state;
}

/* What to go on with when state.json is lost: nothing runs that we know of. */
static json_t *lost_state(const char *id, const struct ct_error *cause)
{
    char line[400];
    json_t *state = record_fresh_state();

    ct_warn("container %.12s: %s", id, ct_error_render(cause, line, sizeof(line)));
    ct_json_set_string(state, "Status", "exited");
    ct_json_set(state, "ExitCode", json_integer(255));
    ct_json_set(state, "Error", json_sprintf("its state was lost: %s", line));
    return state;
}

static json_t *read_object(int dir_fd, const char *name, struct ct_error *err)
{
    json_t *document = ct_json_load_at(dir_fd, name, err);

    if (document && !json_is_object(document)) {
        json_decref(document);
        return ct_refuse_null(err, CT_INVALID, "read '%s': it is no object", name);
    }
    return document;
}

json_t *record_read_config(int dir_fd, const char *id, struct ct_error *err)
{
    json_t *config = read_object(dir_fd, "config.json", err);
    if (!config) {
        (void)ct_while(err, "read the record of container '%.12s'", id);
    }
    return config;
}

json_t *record_read_state(int dir_fd, const char *id)
{
    struct ct_error lost = {0};
    json_t *state = read_object(dir_fd, "state.json", &lost);
    return state ? state : lost_state(id, &lost);
}

int64_t record_created_ns(const json_t *config)
{
    struct ct_error ignored = {0};
    int64_t ns = 0;
    (void)ct_time_parse(ct_json_string(config, "Created", CT_TIME_ZERO), &ns, &ignored);
    return ns;
}

/* Whether DIR/<id> still is the directory that we hold open. */
static bool is_in_place(const struct container *container)
{
    struct stat held, placed;

    return fstat(container->dir_fd, &held) == 0 && stat(container->dir, &placed) == 0 &&
           held.st_ino == placed.st_ino && held.st_dev == placed.st_dev;
}

static int check_in_place(const struct container *container, struct ct_error *err)
{
    return is_in_place(container)
               ? 0
               : ct_refuse(err, CT_NOT_FOUND, "no such container: %.64s", container->id);
}

int container_reload(struct container *container, struct ct_error *err)
{
    if (check_in_place(container, err) < 0) {
        return -1;
    }
    json_t *config = record_read_config(container->dir_fd, container->id, err);
    if (!config) {
        /* Removed between the two looks, or truly unreadable. */
        return is_in_place(container) ? -1 : (ct_error_clear(err), check_in_place(container, err));
    }
    json_decref(container->config);
    json_decref(container->state);
    container->config = config;
    container->state = record_read_state(container->dir_fd, container->id);
    container->created_ns = record_created_ns(config);
    return 0;
}

struct container *record_open(struct container_store *store, const char *id, struct ct_error *err)
{
    struct container *container = record_new(store, id, err);

    if (container && container_reload(container, err) < 0) {
        if (err->kind == CT_NOT_FOUND) { /* removed while we looked: leave no RUN/<id> behind */
            (void)unlinkat(store->run_fd, id, AT_REMOVEDIR);
        }
        container_free(container);
        return NULL;
    }
    return container;
}

int container_save_config(struct container *container, struct ct_error *err)
{
    return ct_json_save_at(container->dir_fd, "config.json", container->config, err);
}

int container_save_state(struct container *container, struct ct_error *err)
{
    return ct_json_save_at(container->dir_fd, "state.json", container->state, err);
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
        if (!is_in_place(container)) {
            ct_error_clear(err);
            return check_in_place(container, err);
        }
        return ct_while(err, "lock container '%s'", container_name(container));
    }
    container->lock_fd = fd;
    if (check_in_place(container, err) < 0) { /* the lock of somebody who removed it */
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

int container_watch(const struct container *container, struct ct_error *err)
{
    struct ct_error why = {0};
    /* state.json changes by rename within the directory; the record goes by rename of it. */
    int fd =
        ct_watch(container->dir, IN_MOVED_TO | IN_MOVE_SELF | IN_DELETE_SELF | IN_ONLYDIR, &why);
    if (fd < 0 && why.kind == CT_NOT_FOUND) {
        return ct_refuse(err, CT_NOT_FOUND, "no such container: %.64s", container->id);
    }
    if (fd < 0) {
        *err = why;
    }
    return fd;
}

void container_watch_next(int watch_fd)
{
    ct_watch_drain(watch_fd);
}

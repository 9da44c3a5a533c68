/*
 * state.c - a container's directory: made, opened, locked, asked, removed.
 *
 * Room:       libcontainer.   Called by: see container_internal.h, libcontainer.h.
 * Spec:       runtime.md, "State".
 * Man:        proc(5) (stat: starttime), pidfd_open(2), flock(2).
 */
#define CT_LAYER "runtime"
#include "container_internal.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "process.h"
#include "units.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID_MAX      1024
#define NEVER_BEGAN 0

int lc_check_id(const char *id, struct ct_error *err)
{
    size_t length = strlen(id);
    bool good = length > 0 && length <= ID_MAX && strcmp(id, ".") != 0 && strcmp(id, "..") != 0;

    for (size_t i = 0; good && i < length; i++) {
        good = isalnum((unsigned char)id[i]) || strchr("_+.-", id[i]);
    }
    if (!good) {
        (void)ct_refuse(err, CT_INVALID, "use '%.60s' as a container's id", id);
        return ct_hint(err, "an id is made of letters, digits and _ + . -");
    }
    return 0;
}

/* ---- the struct ----------------------------------------------------------------------------- */

static struct lc_container *container_new(const char *root, const char *id)
{
    struct lc_container *container = calloc(1, sizeof(*container));

    if (!container) {
        abort(); /* as lib does: nothing else would work either */
    }
    container->root = ct_strdup(root);
    container->id = ct_strdup(id);
    container->dir_fd = container->lock_fd = container->pidfd = -1;
    return container;
}

void lc_close(struct lc_container *container)
{
    if (!container) {
        return;
    }
    lc_container_unlock(container);
    ct_cleanup_close(&container->dir_fd);
    ct_cleanup_close(&container->pidfd);
    lc_cgroup_free(container->cgroup);
    json_decref(container->state);
    free(container->root);
    free(container->id);
    free(container);
}

/* ---- the first process ---------------------------------------------------------------------- */

/* Field 22 of /proc/PID/stat and the state letter; the name before them may hold anything. */
static bool read_stat(pid_t pid, char *ret_letter, long long *ret_start)
{
    char path[32];
    struct ct_error ignored = {0};
    CT_AUTO_FREE char *text = NULL;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (ct_read_file_at(AT_FDCWD, path, 4096, &text, &ignored) <= 0) {
        return false;
    }
    const char *behind = strrchr(text, ')');
    return behind && sscanf(behind,
                            ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d "
                            "%*d %*d %*d %*d %lld",
                            ret_letter, ret_start) == 2;
}

/* A pidfd, if the process that the state names is still that process and has not ended. */
static void find_process(struct lc_container *container)
{
    pid_t pid = (pid_t)ct_json_integer(container->state, "pid", 0);
    struct ct_error ignored = {0};
    char letter = 0;
    long long start = 0;

    if (pid <= 0) {
        return;
    }
    CT_AUTO_CLOSE int pidfd = ct_pidfd_open(pid, &ignored);
    if (pidfd < 0 || !read_stat(pid, &letter, &start) || letter == 'Z' || letter == 'X' ||
        start != ct_json_integer(container->state, "startTime", NEVER_BEGAN)) {
        return;
    }
    container->pid = pid;
    container->pidfd = ct_steal_fd(&pidfd);
}

int lc_container_set_process(struct lc_container *container, pid_t pid, int pidfd,
                             struct ct_error *err)
{
    char letter = 0;
    long long start = NEVER_BEGAN;

    container->pid = pid;
    container->pidfd = pidfd;
    if (!read_stat(pid, &letter, &start)) {
        return ct_refuse(err, CT_UNREACHABLE, "look at the container's first process: it is gone");
    }
    ct_json_set(container->state, "pid", json_integer(pid));
    ct_json_set(container->state, "startTime", json_integer(start));
    return lc_container_save(container, err);
}

/* ---- opening -------------------------------------------------------------------------------- */

static int refuse_as_gone(struct ct_error *err)
{
    return ct_refuse(err, CT_NOT_FOUND, "container does not exist");
}

/* On the directory itself: a file in it could be made again by who waits, while it is removed. */
static int take_lock(struct lc_container *container, struct ct_error *err)
{
    CT_AUTO_CLOSE int fd = openat(container->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || TEMP_FAILURE_RETRY(flock(fd, LOCK_EX)) < 0 || fstat(fd, &st) < 0) {
        return errno == ENOENT ? refuse_as_gone(err) : ct_fail(err, errno, "lock the container");
    }
    if (st.st_nlink == 0) { /* deleted while we waited */
        return refuse_as_gone(err);
    }
    container->lock_fd = ct_steal_fd(&fd);
    return 0;
}

void lc_container_unlock(struct lc_container *container)
{
    ct_cleanup_close(&container->lock_fd);
    container->lock_fd = -1;
}

static struct lc_container *refuse_as_there(struct ct_error *err)
{
    return ct_refuse_null(err, CT_EXISTS, "container with given ID already exists");
}

struct lc_container *lc_container_make(const char *root, const char *id, struct ct_error *err)
{
    CT_AUTO_CLOSE int root_fd = -1;

    if (lc_check_id(id, err) < 0 || (root_fd = ct_mkdirs(root, 0700, err)) < 0) {
        return NULL;
    }
    /* mkdir(2) has one winner: the directory is the claim on the id. */
    if (mkdirat(root_fd, id, 0700) < 0) {
        if (errno == EEXIST) {
            return refuse_as_there(err);
        }
        return ct_fail_null(err, errno, "make '%.100s/%.60s'", root, id);
    }
    struct lc_container *container = container_new(root, id);
    container->state = json_object();
    container->dir_fd = openat(root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (container->dir_fd < 0) {
        (void)ct_fail(err, errno, "open '%.100s/%.60s'", root, id);
    }
    if (container->dir_fd >= 0 && take_lock(container, err) == 0) {
        if (faccessat(container->dir_fd, LC_STATE_FILE, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
            return container;
        }
        /* Another creation's: ours was deleted before we opened it. */
        lc_close(container);
        return refuse_as_there(err);
    }
    lc_close(container);
    if (err->kind == CT_NOT_FOUND) { /* by who saw the directory before we had the lock */
        ct_error_clear(err);
        return ct_refuse_null(err, CT_CONFLICT, "it was deleted at the same time");
    }
    (void)unlinkat(root_fd, id, AT_REMOVEDIR);
    return NULL;
}

/* A creation that was killed before its first save left no state: there is nothing but a folder. */
static int load(struct lc_container *container, struct ct_error *err)
{
    struct ct_error missing = {0};
    const json_t *cgroup;

    json_decref(container->state);
    lc_cgroup_free(container->cgroup);
    container->cgroup = NULL;
    container->state = ct_json_load_at(container->dir_fd, LC_STATE_FILE, &missing);
    if (!container->state && missing.kind != CT_NOT_FOUND) {
        *err = missing;
        return -1;
    }
    if (!container->state) {
        container->state = json_object();
    }
    cgroup = json_object_get(container->state, "cgroup");
    if (cgroup) {
        container->cgroup = lc_cgroup_load(cgroup, err);
        if (!container->cgroup) {
            return -1;
        }
    }
    find_process(container);
    return 0;
}

int lc_container_lock(struct lc_container *container, struct ct_error *err)
{
    if (container->lock_fd >= 0) {
        return 0;
    }
    if (take_lock(container, err) < 0) {
        return -1;
    }
    /* Who had it may have been the creation: then what we read before was not all. */
    if (ct_json_integer(container->state, "pid", 0) > 0 || load(container, err) == 0) {
        return 0;
    }
    lc_container_unlock(container);
    return -1;
}

struct lc_container *lc_open(const char *root, const char *id, struct ct_error *err)
{
    if (lc_check_id(id, err) < 0) {
        return NULL;
    }
    struct lc_container *container = container_new(root, id);
    CT_AUTO_FREE char *path = ct_join(root, id);
    container->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (container->dir_fd < 0) {
        int sys = errno;
        (void)(sys == ENOENT ? ct_refuse(err, CT_NOT_FOUND, "container does not exist")
                             : ct_fail(err, sys, "open '%.120s'", path));
    } else if (load(container, err) == 0) {
        return container;
    }
    (void)ct_while(err, "open the container '%.60s'", id);
    lc_close(container);
    return NULL;
}

char **lc_list(const char *root, struct ct_error *err)
{
    CT_AUTO_DIR DIR *dir = opendir(root);
    CT_AUTO_JSON json_t *ids = json_array();
    struct ct_error not_an_id = {0};
    const struct dirent *entry;

    if (!dir && errno != ENOENT) {
        return ct_fail_null(err, errno, "list '%.120s'", root);
    }
    while (dir && (entry = readdir(dir))) {
        if (entry->d_type == DT_DIR && lc_check_id(entry->d_name, &not_an_id) == 0) {
            ct_json_append(ids, json_string(entry->d_name));
        }
        ct_error_clear(&not_an_id);
    }
    return ct_json_to_strv(ids, err);
}

/* ---- asking --------------------------------------------------------------------------------- */

static bool has_ended(const struct lc_container *container)
{
    struct pollfd wait = {.fd = container->pidfd, .events = POLLIN};
    return container->pidfd < 0 || poll(&wait, 1, 0) > 0;
}

enum lc_status lc_status(const struct lc_container *container)
{
    if (ct_json_integer(container->state, "pid", 0) == 0) {
        return container->lock_fd >= 0 ? LC_CREATING : LC_STOPPED;
    }
    if (has_ended(container)) {
        return LC_STOPPED;
    }
    if (lc_start_is_awaited(container)) {
        return LC_CREATED;
    }
    return lc_cgroup_is_frozen(container->cgroup) ? LC_PAUSED : LC_RUNNING;
}

const char *lc_status_name(enum lc_status status)
{
    static const char *const names[] = {[LC_CREATING] = "creating",
                                        [LC_CREATED] = "created",
                                        [LC_RUNNING] = "running",
                                        [LC_PAUSED] = "paused",
                                        [LC_STOPPED] = "stopped"};
    return names[status];
}

pid_t lc_pid(const struct lc_container *container)
{
    return has_ended(container) ? 0 : container->pid;
}

int lc_pidfd(const struct lc_container *container)
{
    return container->pidfd;
}

json_t *lc_container_state_as(const struct lc_container *container, const char *status)
{
    const json_t *annotations = json_object_get(container->state, "annotations");
    bool stopped = strcmp(status, "stopped") == 0;
    json_t *state = json_object();

    ct_json_set_string(state, "ociVersion", LC_OCI_VERSION);
    ct_json_set_string(state, "id", container->id);
    ct_json_set_string(state, "status", status);
    if (!stopped && container->pid > 0) {
        ct_json_set(state, "pid", json_integer(container->pid));
    }
    ct_json_set_string(state, "bundle", ct_json_string(container->state, "bundle", ""));
    if (annotations) {
        ct_json_set(state, "annotations", json_incref((json_t *)annotations));
    }
    return state;
}

json_t *lc_state(const struct lc_container *container)
{
    json_t *state = lc_container_state_as(container, lc_status_name(lc_status(container)));

    ct_json_set(state, "pid", json_integer(lc_pid(container))); /* runc: 0 when stopped */
    ct_json_set_string(state, "rootfs", ct_json_string(container->state, "rootfs", ""));
    ct_json_set_string(state, "created", ct_json_string(container->state, "created", ""));
    ct_json_set_string(state, "owner", ct_json_string(container->state, "owner", ""));
    return state;
}

int lc_container_save(struct lc_container *container, struct ct_error *err)
{
    return ct_json_save_run_at(container->dir_fd, LC_STATE_FILE, container->state, err) < 0
               ? ct_while(err, "save the state of '%.60s'", container->id)
               : 0;
}

json_t *lc_config(const struct lc_container *container, struct ct_error *err)
{
    CT_AUTO_FREE char *dir = ct_join(container->root, container->id);
    return lc_configuration_read(dir, err);
}

int lc_container_save_configuration(struct lc_container *container, const json_t *document,
                                    struct ct_error *err)
{
    CT_AUTO_JSON json_t *copy = json_copy((json_t *)document);
    json_t *process = json_copy(json_object_get(document, "process"));

    ct_json_set(process, "args", json_pack("[s]", "not kept"));
    ct_json_set(process, "env", json_array());
    ct_json_set(copy, "process", process);
    return ct_json_save_run_at(container->dir_fd, LC_CONFIG_FILE, copy, err) < 0
               ? ct_while(err, "save the configuration")
               : 0;
}

int lc_container_configuration(const struct lc_container *container, struct lc_configuration *ret,
                               struct ct_error *err)
{
    CT_AUTO_JSON json_t *document = lc_config(container, err);

    return document ? lc_configuration_parse(
                          document, ct_json_string(container->state, "bundle", "/"), ret, err)
                    : -1;
}

bool lc_container_has_hooks(const struct lc_container *container, enum lc_hook_point point)
{
    return ct_json_count(json_object_get(json_object_get(container->state, "hooks"),
                                         lc_hook_point_name(point))) > 0;
}

int lc_container_forget(struct lc_container *container, struct ct_error *err)
{
    CT_AUTO_CLOSE int root_fd = ct_root_open(container->root, err);
    return root_fd < 0 ? -1 : ct_remove_tree(root_fd, container->id, err);
}

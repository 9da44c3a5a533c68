/*
 * copies.c - all containers: the store's copies of their records, and which of them are still true.
 *
 * Room:       containers.   Called by: engine, monitor (container_list).
 * Man:        fstatat(2), rename(2); "racy git" (git's Documentation/technical) on time stamps.
 *
 * A daemon lists again and again, and between two lists nearly every record is the same. So the
 * store keeps what it has read, and asks the file system only whether the file is still the one it
 * read: other processes (monitors) write, so nobody else can know. A document changes by rename of
 * a new file, which gives its name another inode with a new ctime; a change in place moves ctime,
 * too. Two changes within one tick of the file system's clock may look alike, and an inode's number
 * comes back: therefore a stamp counts only when it was old enough as the file was read.
 */
#define CT_LAYER "containers"
#include "containers_internal.h"

#include "cleanup.h"
#include "json.h"
#include "log.h"
#include "path.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * How far apart two changes are that surely have two stamps. The kernel's clock for files ticks at
 * least every 10 ms; a file system that has only whole seconds (ext4 with small inodes, NFS) shows
 * it by a fraction of 0.
 */
#define TICK_NS         INT64_C(50000000)
#define TICK_SECONDS_NS INT64_C(2000000000)

/* What tells one content of a file from another. */
struct stamp {
    ino_t inode;
    off_t size_bytes;
    struct timespec changed; /* ctime: unlike mtime nobody can set it */
    bool counts;             /* it can tell: later changes have another stamp */
};

struct stamped {
    struct copy copy;
    struct stamp config, state;
};

/* ---- one record ----------------------------------------------------------------------------- */

/* A file that is not there has a stamp that never counts. */
static struct stamp take_stamp(int dir_fd, const char *name)
{
    struct stat status;

    if (fstatat(dir_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return (struct stamp){0};
    }
    int64_t changed_ns = status.st_ctim.tv_sec * INT64_C(1000000000) + status.st_ctim.tv_nsec;
    int64_t tick_ns = status.st_ctim.tv_nsec ? TICK_NS : TICK_SECONDS_NS;
    return (struct stamp){.inode = status.st_ino,
                          .size_bytes = status.st_size,
                          .changed = status.st_ctim,
                          .counts = ct_now_ns() - changed_ns > tick_ns};
}

static bool is_same(const struct stamp *kept, const struct stamp *now)
{
    return kept->counts && kept->inode == now->inode && kept->size_bytes == now->size_bytes &&
           kept->changed.tv_sec == now->changed.tv_sec &&
           kept->changed.tv_nsec == now->changed.tv_nsec;
}

static bool is_still_true(const struct container_store *store, const struct copy *copy)
{
    const struct stamped *stamped = (const struct stamped *)copy;
    char config[80], state[80];

    (void)snprintf(config, sizeof(config), "%s/config.json", copy->container.id);
    (void)snprintf(state, sizeof(state), "%s/state.json", copy->container.id);
    struct stamp config_now = take_stamp(store->dir_fd, config);
    struct stamp state_now = take_stamp(store->dir_fd, state);
    return is_same(&stamped->config, &config_now) && is_same(&stamped->state, &state_now);
}

/* Each stamp is taken before its file is read: a change in between is then read once too often. */
static int copy_read(const struct container_store *store, struct stamped *stamped,
                     struct ct_error *err)
{
    struct container *container = &stamped->copy.container;
    CT_AUTO_CLOSE int dir =
        openat(store->dir_fd, container->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir < 0) {
        return ct_fail(err, errno, "open container '%.12s'", container->id);
    }
    stamped->config = take_stamp(dir, "config.json");
    container->config = record_read_config(dir, container->id, err);
    if (!container->config) {
        return -1;
    }
    stamped->state = take_stamp(dir, "state.json");
    container->state = record_read_state(dir, container->id);
    container->created_ns = record_created_ns(container->config);
    return 0;
}

static bool is_gone(const struct container_store *store, const char *id)
{
    return faccessat(store->dir_fd, id, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

/*
 * A new copy. A record that is broken is logged and left out, one that was removed is just left
 * out: 0, and *ret is NULL. -1: our own means are at an end, which must not look like fewer
 * containers.
 */
static int read_one(const struct container_store *store, const char *id, struct copy **ret,
                    struct ct_error *err)
{
    struct ct_error broken = {0};
    struct copy *copy = copy_new(sizeof(struct stamped), store->dir, store->run_dir, id);
    char line[400];

    *ret = NULL;
    if (!copy) {
        return ct_fail(err, ENOMEM, "read container '%.12s'", id);
    }
    if (copy_read(store, (struct stamped *)copy, &broken) == 0) {
        *ret = copy;
        return 0;
    }
    copy_release(copy);
    if (broken.sys == EMFILE || broken.sys == ENFILE || broken.sys == ENOMEM) {
        *err = broken;
        return ct_hint(err, "raise the limit of open files (ulimit -n)");
    }
    if (!is_gone(store, id)) {
        ct_warn("leave container %.12s out: %s", id, ct_error_render(&broken, line, sizeof(line)));
    }
    return 0;
}

/* ---- all records ---------------------------------------------------------------------------- */

static int add_one(const struct container_store *store, const struct copies *known, const char *id,
                   struct copies *all, struct ct_error *err)
{
    struct copy **found = copies_find(known, id);
    struct copy *copy = NULL;

    if (found && is_still_true(store, *found)) {
        copy = copy_hold(*found);
    } else if (read_one(store, id, &copy, err) < 0) {
        return -1;
    }
    if (copy) {
        copies_add(all, copy);
    }
    return 0;
}

/* known is sorted by id, and so will be all. */
static int read_all(const struct container_store *store, const struct copies *known,
                    struct copies *all, struct ct_error *err)
{
    CT_AUTO_DIR DIR *dir = open_records(store, err);
    int result = dir ? 0 : -1;
    struct dirent *entry;

    while (result == 0 && (entry = readdir(dir))) {
        if (is_container_id(entry->d_name)) {
            result = add_one(store, known, entry->d_name, all, err);
        }
    }
    copies_sort(all);
    return result;
}

/* The copies of all records, and from now on they are what is known: what was removed is forgotten.
 */
static int renew(struct container_store *store, struct copies *all, struct ct_error *err)
{
    if (read_all(store, &store->known, all, err) < 0) {
        return -1;
    }
    struct copies known = copies_hold(all);
    copies_done(&store->known);
    store->known = known;
    return 0;
}

const struct container **container_list(struct container_store *store, struct ct_error *err)
{
    struct copies all = {0};

    /* One thread at a time: the others then find what it has read, instead of reading it, too. */
    (void)pthread_mutex_lock(&store->mutex);
    int result = renew(store, &all, err);
    (void)pthread_mutex_unlock(&store->mutex);
    if (result < 0) {
        copies_done(&all);
        return NULL;
    }
    return copies_list(&all, err);
}

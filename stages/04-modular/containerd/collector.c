/*
 * collector.c - removes what nobody needs: see garbage.h.
 *
 * Room:       containerd.   Called by: its services.
 *
 * Rows go in one transaction, by what reachable.sql finds. Files go after it, and only those that
 * no row names; new ones get their names within a transaction, so none of them is seen half made.
 */
#include "containerd_internal.h"

#include "log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DELAY_MS 100 /* an end that many things have (rm of a container) is one run */

struct collector {
    struct containerd *containerd;
    pthread_t thread;
    pthread_mutex_t running; /* one run at a time */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool wanted, ending;
};

extern const char containerd_reachable[]; /* reachable.sql */

/* ---- rows ----------------------------------------------------------------------------------- */

static int delete_unreachable(struct store *store, struct ct_error *err)
{
    static const char *const statements[] = {
        /* First the leases whose time is over, with what they held. */
        "DELETE FROM leases WHERE (namespace, id) NOT IN live_leases",
        "DELETE FROM lease_resources WHERE (namespace, lease) NOT IN (SELECT namespace, id FROM "
        "leases)",
        "DELETE FROM labels WHERE kind = 'leases' AND (namespace, object) NOT IN (SELECT "
        "namespace, id FROM leases)",
        /* Nobody goes on with these. */
        "DELETE FROM ingests WHERE started_at < (julianday('now') - 2440588.5) * 86400e9 AND "
        "(namespace, lease) NOT IN live_leases",
        "CREATE TEMP TABLE needed AS SELECT DISTINCT namespace, type, id FROM reachable",
        "DELETE FROM content WHERE (namespace, 'content', digest) NOT IN needed",
        "DELETE FROM snapshots WHERE (namespace, 'snapshots/' || snapshotter, name) NOT IN needed",
        "DELETE FROM labels WHERE kind = 'content' AND (namespace, object) NOT IN (SELECT "
        "namespace, digest FROM content)",
        "DELETE FROM labels WHERE kind LIKE 'snapshots/%' AND (namespace, kind, object) NOT IN "
        "(SELECT namespace, 'snapshots/' || snapshotter, name FROM snapshots)",
        "DROP TABLE needed",
    };

    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        if (store_run(store, err, statements[i], "") < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- files ---------------------------------------------------------------------------------- */

/* Whether a row has the name that stands for the question mark; on failure it has. */
static bool is_named(struct store *store, const char *sql, const char *name)
{
    struct ct_error err = {0};
    AUTO_STATEMENT sqlite3_stmt *row = store_query(store, &err, sql, "s", name);
    return !row || store_row(row, &err) != 0;
}

/* What becomes of a name that no row has, or that is not one of ours (NULL: nothing). */
typedef void (*sweep_fn)(struct containerd *containerd, int dir_fd, const char *name);

static void remove_file(struct containerd *containerd, int dir_fd, const char *name)
{
    (void)containerd;
    if (unlinkat(dir_fd, name, 0) < 0) {
        ct_warn("'%s' stays: %s", name, strerror(errno));
    }
}

static void rename_snapshot(struct containerd *containerd, int dir_fd, const char *name)
{
    (void)dir_fd;
    snapshot_discard(containerd, name);
}

/* Each name of a directory that no row has. With the transaction's lock, so that none gets one
 * meanwhile. */
static int sweep(struct containerd *containerd, int dir_fd, const char *sql, sweep_fn act,
                 struct ct_error *err)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CT_AUTO_DIR DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    if (!dir) {
        return ct_fail(err, errno, "read a directory");
    }
    while ((entry = readdir(dir))) {
        if (*entry->d_name != '.' && !is_named(containerd->store, sql, entry->d_name)) {
            act(containerd, dir_fd, entry->d_name);
        }
    }
    return 0;
}

static int sweep_all(struct containerd *containerd, struct ct_error *err)
{
    AUTO_TRANSACTION struct transaction work = store_begin(containerd->store);

    if (sweep(containerd, containerd->blobs_fd,
              "SELECT 1 FROM content WHERE digest = 'sha256:' || ?", remove_file, err) < 0 ||
        sweep(containerd, containerd->ingest_fd, "SELECT 1 FROM ingests WHERE file = ?",
              remove_file, err) < 0) {
        return -1;
    }
    return sweep(containerd, containerd->snapshots_fd,
                 "SELECT 1 FROM snapshots WHERE id = CAST(? AS INTEGER)", rename_snapshot, err);
}

/* Trees take long to remove: nobody waits for the lock meanwhile. */
static void remove_gone(struct containerd *containerd)
{
    int fd = openat(containerd->snapshots_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CT_AUTO_DIR DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    struct ct_error err = {0};

    while (dir && (entry = readdir(dir))) {
        if (strncmp(entry->d_name, SNAPSHOT_GONE, strlen(SNAPSHOT_GONE)) == 0 &&
            ct_remove_tree(containerd->snapshots_fd, entry->d_name, &err) < 0) {
            ct_warn("snapshot '%s' stays: %s", entry->d_name, err.frame[0].what);
        }
    }
}

static int collect(struct containerd *containerd, struct ct_error *err)
{
    {
        AUTO_TRANSACTION struct transaction work = store_begin(containerd->store);
        if (delete_unreachable(work.store, err) < 0 || store_commit(&work, err) < 0) {
            return ct_while(err, "collect what nobody needs");
        }
    }
    if (sweep_all(containerd, err) < 0) {
        return -1;
    }
    remove_gone(containerd);
    return 0;
}

static int run_once(struct collector *collector, struct ct_error *err)
{
    (void)pthread_mutex_lock(&collector->running);
    int result = collect(collector->containerd, err);
    (void)pthread_mutex_unlock(&collector->running);
    return result;
}

/* ---- the thread ----------------------------------------------------------------------------- */

static void *run(void *argument)
{
    struct collector *collector = argument;
    struct timespec until;

    (void)pthread_mutex_lock(&collector->lock);
    while (!collector->ending) {
        if (!collector->wanted) {
            (void)pthread_cond_wait(&collector->changed, &collector->lock);
            continue;
        }
        int64_t at = ct_now_ns() + DELAY_MS * INT64_C(1000000);
        until = (struct timespec){at / 1000000000, at % 1000000000};
        while (!collector->ending &&
               pthread_cond_timedwait(&collector->changed, &collector->lock, &until) != ETIMEDOUT) {
        }
        bool ending = collector->ending;
        collector->wanted = false;
        (void)pthread_mutex_unlock(&collector->lock);
        struct ct_error err = {0};
        if (!ending && run_once(collector, &err) < 0) {
            ct_warn("nothing was collected: %s", err.frame[0].what);
        }
        (void)pthread_mutex_lock(&collector->lock);
    }
    (void)pthread_mutex_unlock(&collector->lock);
    return NULL;
}

static int prepare_views(struct store *store, struct ct_error *err)
{
    AUTO_TRANSACTION struct transaction work = store_begin(store);
    return store_script(store, containerd_reachable, err) < 0 ? -1 : store_commit(&work, err);
}

/* What a kill has left, before anybody makes something that has no name yet. A full disk must not
 * keep us from serving: whoever wants to make room needs us. */
static void first_run(struct collector *collector)
{
    struct ct_error err = {0};
    char line[1024];

    if (run_once(collector, &err) < 0) {
        ct_warn("nothing was collected: %s", ct_error_render(&err, line, sizeof(line)));
    }
}

struct collector *collector_open(struct containerd *containerd, struct ct_error *err)
{
    struct collector *collector = calloc(1, sizeof(*collector));

    if (!collector) {
        return ct_fail_null(err, ENOMEM, "start the collector");
    }
    collector->containerd = containerd;
    (void)pthread_mutex_init(&collector->running, NULL);
    (void)pthread_mutex_init(&collector->lock, NULL);
    (void)pthread_cond_init(&collector->changed, NULL);
    int failed = prepare_views(containerd->store, err) < 0 ? -1 : 0;
    if (!failed) {
        first_run(collector);
        failed = pthread_create(&collector->thread, NULL, run, collector);
    }
    if (failed) {
        free(collector);
        return failed < 0 ? NULL : ct_fail_null(err, failed, "start the collector");
    }
    return collector;
}

void collector_close(struct collector *collector)
{
    if (collector) {
        (void)pthread_mutex_lock(&collector->lock);
        collector->ending = true;
        (void)pthread_cond_broadcast(&collector->changed);
        (void)pthread_mutex_unlock(&collector->lock);
        (void)pthread_join(collector->thread, NULL);
        free(collector);
    }
}

void collector_note(struct collector *collector)
{
    (void)pthread_mutex_lock(&collector->lock);
    collector->wanted = true;
    (void)pthread_cond_broadcast(&collector->changed);
    (void)pthread_mutex_unlock(&collector->lock);
}

int collector_after(struct collector *collector, bool sync, struct ct_error *err)
{
    if (sync) {
        return run_once(collector, err);
    }
    collector_note(collector);
    return 0;
}

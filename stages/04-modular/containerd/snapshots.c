/*
 * snapshots.c - the service Snapshots: layers of file systems, and what is written on top of them.
 *
 * Room:       containerd.   Called by: grpc_server.c, by the table below.
 * Spec:       snapshots.proto; containerd, snapshots/snapshotter.go.
 *
 * A client prepares an active snapshot over a committed one, has it filled (Diff/Apply, or a
 * container), and commits it under a new name. We never mount: answers say what to mount, and the
 * shim does it. The files are snapshot_files.c's.
 */
#include "containerd_internal.h"

#include <string.h>

#define COLUMNS "name, parent, kind, created_at, updated_at, id, size, inodes"

typedef Containerd__Services__Snapshots__V1__Info Info;

enum {
    VIEW = CONTAINERD__SERVICES__SNAPSHOTS__V1__KIND__VIEW,
    ACTIVE = CONTAINERD__SERVICES__SNAPSHOTS__V1__KIND__ACTIVE,
    COMMITTED = CONTAINERD__SERVICES__SNAPSHOTS__V1__KIND__COMMITTED,
};

struct row {
    Info *info;
    int64_t id, size, inodes;
};

static int check_snapshotter(const char *name, struct ct_error *err)
{
    return strcmp(name, SNAPSHOTTER) == 0
               ? 0
               : ct_refuse(err, CT_INVALID, "no snapshotter '%.60s': there is " SNAPSHOTTER, name);
}

/* ---- reading -------------------------------------------------------------------------------- */

static struct row read_row(struct grpc_call *call, sqlite3_stmt *row, struct ct_error *err)
{
    struct pool *pool = grpc_pool(call);
    Info *info = message_new(&containerd__services__snapshots__v1__info__descriptor, pool);

    info->name = store_text(row, 0, pool);
    info->parent = store_text(row, 1, pool);
    info->kind = (Containerd__Services__Snapshots__V1__Kind)store_integer(row, 2);
    info->created_at = timestamp_of(store_integer(row, 3), pool);
    info->updated_at = timestamp_of(store_integer(row, 4), pool);
    info->labels =
        labels_read(containerd_of(call)->store, namespace_of(call), SNAPSHOT_KIND, info->name,
                    &containerd__services__snapshots__v1__info__labels_entry__descriptor, pool,
                    &info->n_labels, err);
    return (struct row){info, store_integer(row, 5), store_integer(row, 6), store_integer(row, 7)};
}

/* info is NULL on failure (err). */
static struct row find_row(struct grpc_call *call, const char *name, struct ct_error *err)
{
    struct row result = {0};
    AUTO_STATEMENT sqlite3_stmt *row = store_query(
        containerd_of(call)->store, err,
        "SELECT " COLUMNS " FROM snapshots WHERE namespace = ? AND snapshotter = ? AND name = ?",
        "sss", namespace_of(call), SNAPSHOTTER, name);
    int found = row ? store_row(row, err) : -1;

    if (found == 0) {
        (void)ct_refuse(err, CT_NOT_FOUND, "no snapshot '%.120s'", name);
    } else if (found > 0) {
        result = read_row(call, row, err);
    }
    if (err->kind) {
        result.info = NULL;
    }
    return result;
}

/* The ids of a snapshot's parents, nearest first: *ret in the call's pool. */
static int find_parents(struct grpc_call *call, const char *parent, int64_t **ret, size_t *ret_n,
                        struct ct_error *err)
{
    AUTO_STATEMENT sqlite3_stmt *rows = store_query(
        containerd_of(call)->store, err,
        "WITH RECURSIVE chain(id, parent, depth) AS ("
        "  SELECT id, parent, 1 FROM snapshots WHERE namespace = ?1 AND snapshotter = ?2 AND "
        "name = ?3"
        "  UNION ALL SELECT s.id, s.parent, depth + 1 FROM snapshots AS s JOIN chain ON "
        "s.namespace = ?1 AND s.snapshotter = ?2 AND s.name = chain.parent)"
        " SELECT id FROM chain ORDER BY depth",
        "sss", namespace_of(call), SNAPSHOTTER, parent);

    *ret = pool_array(grpc_pool(call), SNAPSHOT_DEPTH_MAX, sizeof(**ret));
    *ret_n = 0;
    while (rows && store_row(rows, err) > 0) {
        if (*ret_n == SNAPSHOT_DEPTH_MAX) {
            return ct_refuse(err, CT_UNSUPPORTED, "more than %d layers", SNAPSHOT_DEPTH_MAX);
        }
        (*ret)[(*ret_n)++] = store_integer(rows, 0);
    }
    return err->kind ? -1 : 0;
}

/* The mounts of an active snapshot or a view, for an answer. */
static int describe(struct grpc_call *call, const struct row *row, Containerd__Types__Mount ***ret,
                    size_t *ret_n, struct ct_error *err)
{
    int64_t *parents;
    size_t n;

    if (row->info->kind == (Containerd__Services__Snapshots__V1__Kind)COMMITTED) {
        return ct_refuse(err, CT_CONFLICT, "snapshot '%.120s' is committed: it has no mounts",
                         row->info->name);
    }
    if (find_parents(call, row->info->parent, &parents, &n, err) < 0) {
        return -1;
    }
    bool view = row->info->kind == (Containerd__Services__Snapshots__V1__Kind)VIEW;
    list_add((void ***)ret, ret_n,
             snapshot_mount_of(containerd_of(call), row->id, parents, n, view, grpc_pool(call)),
             grpc_pool(call));
    return 0;
}

/* ---- making --------------------------------------------------------------------------------- */

struct wanted {
    const char *key, *parent;
    int kind;
    void *labels;
    size_t n_labels;
};

/* The row and the directories, in the transaction. */
static struct row make(struct grpc_call *call, const struct wanted *wanted, struct ct_error *err)
{
    struct containerd *containerd = containerd_of(call);
    const char *space = namespace_of(call);
    struct row parent = {0}, row = {0};

    if (!*wanted->key) {
        (void)ct_refuse(err, CT_INVALID, "a snapshot needs a key");
        return row;
    }
    if (*wanted->parent) {
        parent = find_row(call, wanted->parent, err);
        if (parent.info &&
            parent.info->kind != (Containerd__Services__Snapshots__V1__Kind)COMMITTED) {
            (void)ct_refuse(err, CT_INVALID, "parent '%.120s' is not committed", wanted->parent);
        }
    }
    if (!err->kind && namespace_touch(containerd->store, space, err) == 0 &&
        store_run(containerd->store, err,
                  "INSERT INTO snapshots (namespace, snapshotter, name, parent, kind, size, "
                  "inodes, created_at, updated_at) VALUES (?, ?, ?, ?, ?, 0, 0, ?, ?)",
                  "ssssiii", space, SNAPSHOTTER, wanted->key, wanted->parent, (int64_t)wanted->kind,
                  ct_now_ns(), ct_now_ns()) >= 0 &&
        labels_write(containerd->store, space, SNAPSHOT_KIND, wanted->key, wanted->labels,
                     wanted->n_labels, NULL, "labels", err) == 0 &&
        lease_hold(call, SNAPSHOT_KIND, wanted->key, err) == 0) {
        row = find_row(call, wanted->key, err);
    }
    if (row.info && snapshot_make(containerd, row.id, parent.info ? parent.id : 0, err) < 0) {
        row.info = NULL;
    }
    return row;
}

static int make_and_describe(struct grpc_call *call, const struct wanted *wanted,
                             const char *snapshotter, Containerd__Types__Mount ***ret,
                             size_t *ret_n, struct ct_error *err)
{
    if (check_snapshotter(snapshotter, err) < 0) {
        return -1;
    }
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);
    struct row row = make(call, wanted, err);
    if (!row.info || describe(call, &row, ret, ret_n, err) < 0 || store_commit(&work, err) < 0) {
        return ct_while(err, "prepare snapshot '%.120s'", wanted->key);
    }
    Containerd__Events__SnapshotPrepare event = CONTAINERD__EVENTS__SNAPSHOT_PREPARE__INIT;
    event.key = row.info->name;
    event.parent = row.info->parent;
    bus_publish(containerd_of(call)->bus, namespace_of(call), "/snapshot/prepare", &event.base);
    return 0;
}

static int prepare(struct grpc_call *call, const void *request, void *response,
                   struct ct_error *err)
{
    const Containerd__Services__Snapshots__V1__PrepareSnapshotRequest *ask = request;
    Containerd__Services__Snapshots__V1__PrepareSnapshotResponse *answer = response;
    const struct wanted wanted = {ask->key, ask->parent, ACTIVE, ask->labels, ask->n_labels};
    return make_and_describe(call, &wanted, ask->snapshotter, &answer->mounts, &answer->n_mounts,
                             err);
}

static int view(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Containerd__Services__Snapshots__V1__ViewSnapshotRequest *ask = request;
    Containerd__Services__Snapshots__V1__ViewSnapshotResponse *answer = response;
    const struct wanted wanted = {ask->key, ask->parent, VIEW, ask->labels, ask->n_labels};
    return make_and_describe(call, &wanted, ask->snapshotter, &answer->mounts, &answer->n_mounts,
                             err);
}

static int mounts(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Containerd__Services__Snapshots__V1__MountsRequest *ask = request;
    Containerd__Services__Snapshots__V1__MountsResponse *answer = response;

    if (check_snapshotter(ask->snapshotter, err) < 0) {
        return -1;
    }
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);
    struct row row = find_row(call, ask->key, err);
    return row.info ? describe(call, &row, &answer->mounts, &answer->n_mounts, err) : -1;
}

/* ---- committing and removing ---------------------------------------------------------------- */

static int commit_row(struct grpc_call *call,
                      const Containerd__Services__Snapshots__V1__CommitSnapshotRequest *ask,
                      int64_t size, int64_t inodes, struct ct_error *err)
{
    struct store *store = containerd_of(call)->store;
    const char *space = namespace_of(call);

    if (store_run(store, err,
                  "UPDATE snapshots SET name = ?, kind = ?, size = ?, inodes = ?, updated_at = ? "
                  "WHERE namespace = ? AND snapshotter = ? AND name = ?",
                  "siiiisss", ask->name, (int64_t)COMMITTED, size, inodes, ct_now_ns(), space,
                  SNAPSHOTTER, ask->key) < 0 ||
        labels_delete(store, space, SNAPSHOT_KIND, ask->key, err) < 0 ||
        labels_write(store, space, SNAPSHOT_KIND, ask->name, ask->labels, ask->n_labels, NULL,
                     "labels", err) < 0) {
        return -1;
    }
    return store_run(store, err,
                     "UPDATE OR REPLACE lease_resources SET id = ? WHERE namespace = ? AND type = "
                     "? AND id = ?",
                     "ssss", ask->name, space, SNAPSHOT_KIND, ask->key) < 0
               ? -1
               : lease_hold(call, SNAPSHOT_KIND, ask->name, err);
}

/* Its bytes reach the disk before its row says that they are complete. */
static int commit(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Containerd__Services__Snapshots__V1__CommitSnapshotRequest *ask = request;
    struct containerd *containerd = containerd_of(call);
    int64_t size = 0, inodes = 0;

    (void)response;
    if (check_snapshotter(ask->snapshotter, err) < 0) {
        return -1;
    }
    if (!*ask->name) {
        return ct_refuse(err, CT_INVALID, "a snapshot needs a name to be committed");
    }
    AUTO_TRANSACTION struct transaction work = store_begin(containerd->store);
    struct row row = find_row(call, ask->key, err);
    if (row.info && row.info->kind != (Containerd__Services__Snapshots__V1__Kind)ACTIVE) {
        return ct_refuse(err, CT_CONFLICT, "snapshot '%.120s' is not active", ask->key);
    }
    if (!row.info || snapshot_sync(containerd, row.id, err) < 0 ||
        snapshot_usage(containerd, row.id, &size, &inodes, err) < 0 ||
        commit_row(call, ask, size, inodes, err) < 0 || store_commit(&work, err) < 0) {
        return ct_while(err, "commit snapshot '%.100s' as '%.71s'", ask->key, ask->name);
    }
    Containerd__Events__SnapshotCommit event = CONTAINERD__EVENTS__SNAPSHOT_COMMIT__INIT;
    event.key = ask->key;
    event.name = ask->name;
    bus_publish(containerd->bus, namespace_of(call), "/snapshot/commit", &event.base);
    return 0;
}

static int has_children(struct grpc_call *call, const char *name, struct ct_error *err)
{
    AUTO_STATEMENT sqlite3_stmt *row = store_query(
        containerd_of(call)->store, err,
        "SELECT 1 FROM snapshots WHERE namespace = ? AND snapshotter = ? AND parent = ?", "sss",
        namespace_of(call), SNAPSHOTTER, name);
    return row ? store_row(row, err) : -1;
}

static int delete_row(struct grpc_call *call, const char *name, struct ct_error *err)
{
    struct store *store = containerd_of(call)->store;
    const char *space = namespace_of(call);
    int children = has_children(call, name, err);

    if (children > 0) {
        return ct_refuse(err, CT_CONFLICT, "others stand on it");
    }
    if (children < 0 || labels_delete(store, space, SNAPSHOT_KIND, name, err) < 0 ||
        store_run(store, err,
                  "DELETE FROM lease_resources WHERE namespace = ? AND type = ? AND id = ?", "sss",
                  space, SNAPSHOT_KIND, name) < 0) {
        return -1;
    }
    return store_run(store, err,
                     "DELETE FROM snapshots WHERE namespace = ? AND snapshotter = ? AND name = ?",
                     "sss", space, SNAPSHOTTER, name);
}

static int remove_snapshot(struct grpc_call *call, const void *request, void *response,
                           struct ct_error *err)
{
    const Containerd__Services__Snapshots__V1__RemoveSnapshotRequest *ask = request;
    struct containerd *containerd = containerd_of(call);

    (void)response;
    if (check_snapshotter(ask->snapshotter, err) < 0) {
        return -1;
    }
    AUTO_TRANSACTION struct transaction work = store_begin(containerd->store);
    struct row row = find_row(call, ask->key, err);
    if (!row.info || delete_row(call, ask->key, err) < 0 || store_commit(&work, err) < 0) {
        return ct_while(err, "remove snapshot '%.120s'", ask->key);
    }
    CT_AUTO_FREE char *name = ct_printf("%lld", (long long)row.id);
    snapshot_discard(containerd, name);
    Containerd__Events__SnapshotRemove event = CONTAINERD__EVENTS__SNAPSHOT_REMOVE__INIT;
    event.key = ask->key;
    bus_publish(containerd->bus, namespace_of(call), "/snapshot/remove", &event.base);
    collector_note(containerd->collector);
    return 0;
}

/* ---- looking -------------------------------------------------------------------------------- */

static int stat_snapshot(struct grpc_call *call, const void *request, void *response,
                         struct ct_error *err)
{
    const Containerd__Services__Snapshots__V1__StatSnapshotRequest *ask = request;
    Containerd__Services__Snapshots__V1__StatSnapshotResponse *answer = response;

    if (check_snapshotter(ask->snapshotter, err) < 0) {
        return -1;
    }
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);
    answer->info = find_row(call, ask->key, err).info;
    return answer->info ? 0 : -1;
}

static int update(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    static const char *const fields[] = {"labels", NULL};
    const Containerd__Services__Snapshots__V1__UpdateSnapshotRequest *ask = request;
    Containerd__Services__Snapshots__V1__UpdateSnapshotResponse *answer = response;

    if (check_snapshotter(ask->snapshotter, err) < 0 || !ask->info ||
        mask_check(ask->update_mask, fields, err) < 0) {
        return err->kind ? -1 : ct_refuse(err, CT_INVALID, "update a snapshot: no info is given");
    }
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);
    if (!find_row(call, ask->info->name, err).info ||
        labels_write(work.store, namespace_of(call), SNAPSHOT_KIND, ask->info->name,
                     ask->info->labels, ask->info->n_labels, ask->update_mask, "labels", err) < 0 ||
        store_run(work.store, err,
                  "UPDATE snapshots SET updated_at = ? WHERE namespace = ? AND snapshotter = ? AND "
                  "name = ?",
                  "isss", ct_now_ns(), namespace_of(call), SNAPSHOTTER, ask->info->name) < 0 ||
        !(answer->info = find_row(call, ask->info->name, err).info) ||
        store_commit(&work, err) < 0) {
        return ct_while(err, "update snapshot '%.120s'", ask->info->name);
    }
    return 0;
}

static int collect(struct grpc_call *call, const struct filter *filter, Info ***ret, size_t *ret_n,
                   struct ct_error *err)
{
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);
    AUTO_STATEMENT sqlite3_stmt *rows = store_query(
        work.store, err,
        "SELECT " COLUMNS " FROM snapshots WHERE namespace = ? AND snapshotter = ? ORDER BY id",
        "ss", namespace_of(call), SNAPSHOTTER);

    while (rows && store_row(rows, err) > 0) {
        Info *info = read_row(call, rows, err).info;
        if (filter_matches(filter, &info->base)) {
            list_add((void ***)ret, ret_n, info, grpc_pool(call));
        }
    }
    return err->kind ? -1 : 0;
}

static int list(struct grpc_call *call, struct ct_error *err)
{
    Containerd__Services__Snapshots__V1__ListSnapshotsRequest *ask = NULL;
    Containerd__Services__Snapshots__V1__ListSnapshotsResponse message =
        CONTAINERD__SERVICES__SNAPSHOTS__V1__LIST_SNAPSHOTS_RESPONSE__INIT;
    int got =
        grpc_receive(call, &containerd__services__snapshots__v1__list_snapshots_request__descriptor,
                     (ProtobufCMessage **)&ask, err);

    if (got <= 0) {
        return got < 0 ? -1 : ct_refuse(err, CT_INVALID, "read the request: there is none");
    }
    AUTO_FILTER struct filter *filter = filter_new(ask->filters, ask->n_filters, err);
    int result = filter ? check_snapshotter(ask->snapshotter, err) : -1;
    containerd__services__snapshots__v1__list_snapshots_request__free_unpacked(ask, NULL);
    if (result < 0 || collect(call, filter, &message.info, &message.n_info, err) < 0) {
        return -1;
    }
    return message.n_info > 0 ? grpc_send(call, &message, err) : 0;
}

static int usage(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Containerd__Services__Snapshots__V1__UsageRequest *ask = request;
    Containerd__Services__Snapshots__V1__UsageResponse *answer = response;
    struct row row;

    if (check_snapshotter(ask->snapshotter, err) < 0) {
        return -1;
    }
    {
        AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);
        row = find_row(call, ask->key, err);
    }
    if (!row.info) {
        return -1;
    }
    answer->size = row.size;
    answer->inodes = row.inodes;
    return row.info->kind == (Containerd__Services__Snapshots__V1__Kind)ACTIVE
               ? snapshot_usage(containerd_of(call), row.id, &answer->size, &answer->inodes, err)
               : 0;
}

static int cleanup(struct grpc_call *call, const void *request, void *response,
                   struct ct_error *err)
{
    const Containerd__Services__Snapshots__V1__CleanupRequest *ask = request;

    (void)response;
    return check_snapshotter(ask->snapshotter, err) < 0
               ? -1
               : collector_after(containerd_of(call)->collector, true, err);
}

static const struct grpc_method methods[] = {
    {"Prepare", prepare, NULL},
    {"View", view, NULL},
    {"Mounts", mounts, NULL},
    {"Commit", commit, NULL},
    {"Remove", remove_snapshot, NULL},
    {"Stat", stat_snapshot, NULL},
    {"Update", update, NULL},
    {"List", NULL, list},
    {"Usage", usage, NULL},
    {"Cleanup", cleanup, NULL},
};

const struct grpc_service snapshots_service = {
    &containerd__services__snapshots__v1__snapshots__descriptor, methods,
    sizeof(methods) / sizeof(methods[0])};

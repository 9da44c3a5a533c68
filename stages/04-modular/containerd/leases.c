/*
 * leases.c - the service Leases: a client's hold on what nothing names yet.
 *
 * Room:       containerd.   Called by: grpc_server.c, by the table below; who makes content,
 *             ingests or snapshots, for the lease that a call names in its metadata.
 * Spec:       leases.proto; containerd, docs/garbage-collection.md.
 */
#include "containerd_internal.h"

#include "file.h"

#include <string.h>

#define KIND "leases"

typedef Containerd__Services__Leases__V1__Lease Lease;

static int find_lease(struct store *store, const char *space, const char *id, struct ct_error *err)
{
    AUTO_STATEMENT sqlite3_stmt *row = store_query(
        store, err, "SELECT 1 FROM leases WHERE namespace = ? AND id = ?", "ss", space, id);
    int found = row ? store_row(row, err) : -1;

    return found == 0 ? ct_refuse(err, CT_NOT_FOUND, "no lease '%.100s'", id) : found;
}

int lease_hold(struct grpc_call *call, const char *type, const char *id, struct ct_error *err)
{
    const char *lease = grpc_metadata(call, "containerd-lease");
    struct store *store = containerd_of(call)->store;

    if (!lease || !*lease) {
        return 0;
    }
    if (find_lease(store, namespace_of(call), lease, err) < 0) {
        return -1;
    }
    return store_run(store, err, "INSERT OR IGNORE INTO lease_resources VALUES (?, ?, ?, ?)",
                     "ssss", namespace_of(call), lease, type, id) < 0
               ? -1
               : 0;
}

/* ---- leases --------------------------------------------------------------------------------- */

static Lease *read_lease(struct grpc_call *call, char *id, int64_t created_at, struct ct_error *err)
{
    struct pool *pool = grpc_pool(call);
    Lease *lease = message_new(&containerd__services__leases__v1__lease__descriptor, pool);

    lease->id = id;
    lease->created_at = timestamp_of(created_at, pool);
    lease->labels = labels_read(containerd_of(call)->store, namespace_of(call), KIND, id,
                                &containerd__services__leases__v1__lease__labels_entry__descriptor,
                                pool, &lease->n_labels, err);
    return lease;
}

static int create(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Containerd__Services__Leases__V1__CreateRequest *ask = request;
    Containerd__Services__Leases__V1__CreateResponse *answer = response;
    const char *space = namespace_of(call);
    int64_t now = ct_now_ns();
    char random[17];

    ct_random_hex(random, 8);
    char *id = pool_keep(grpc_pool(call), ct_strdup(*ask->id ? ask->id : random));
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);
    if (namespace_touch(work.store, space, err) < 0 ||
        store_run(work.store, err, "INSERT INTO leases VALUES (?, ?, ?)", "ssi", space, id, now) <
            0 ||
        labels_write(work.store, space, KIND, id, ask->labels, ask->n_labels, NULL, "labels", err) <
            0) {
        return ct_while(err, "create lease '%.100s'", id);
    }
    answer->lease = read_lease(call, id, now, err);
    return err->kind ? -1 : store_commit(&work, err);
}

static int lease_delete(struct store *store, const char *space, const char *id,
                        struct ct_error *err)
{
    int n =
        store_run(store, err, "DELETE FROM leases WHERE namespace = ? AND id = ?", "ss", space, id);

    if (n <= 0) {
        return n == 0 ? ct_refuse(err, CT_NOT_FOUND, "no lease '%.100s'", id) : -1;
    }
    return labels_delete(store, space, KIND, id, err) < 0 ||
                   store_run(store, err,
                             "DELETE FROM lease_resources WHERE namespace = ? AND lease = ?", "ss",
                             space, id) < 0
               ? -1
               : 0;
}

static int delete_call(struct grpc_call *call, const void *request, void *response,
                       struct ct_error *err)
{
    const Containerd__Services__Leases__V1__DeleteRequest *ask = request;
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);

    (void)response;
    if (lease_delete(work.store, namespace_of(call), ask->id, err) < 0 ||
        store_commit(&work, err) < 0) {
        return -1;
    }
    return collector_after(containerd_of(call)->collector, ask->sync, err);
}

static int list(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Containerd__Services__Leases__V1__ListRequest *ask = request;
    Containerd__Services__Leases__V1__ListResponse *answer = response;
    AUTO_FILTER struct filter *filter = filter_new(ask->filters, ask->n_filters, err);

    if (!filter) {
        return -1;
    }
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);
    AUTO_STATEMENT sqlite3_stmt *rows = store_query(
        work.store, err, "SELECT id, created_at FROM leases WHERE namespace = ? ORDER BY id", "s",
        namespace_of(call));
    while (rows && store_row(rows, err) > 0) {
        Lease *lease =
            read_lease(call, store_text(rows, 0, grpc_pool(call)), store_integer(rows, 1), err);
        if (filter_matches(filter, &lease->base)) {
            list_add((void ***)&answer->leases, &answer->n_leases, lease, grpc_pool(call));
        }
    }
    return err->kind ? -1 : 0;
}

/* ---- what they hold ------------------------------------------------------------------------- */

static int check_resource(const Containerd__Services__Leases__V1__Resource *resource,
                          struct ct_error *err)
{
    bool known = resource && (strcmp(resource->type, "content") == 0 ||
                              strcmp(resource->type, "ingests") == 0 ||
                              strncmp(resource->type, "snapshots/", 10) == 0);
    if (!known || !*resource->id) {
        return ct_refuse(err, CT_INVALID,
                         "a lease holds content, ingests or snapshots/NAME, not '%.60s'",
                         resource ? resource->type : "");
    }
    return 0;
}

static int add_resource(struct grpc_call *call, const void *request, void *response,
                        struct ct_error *err)
{
    const Containerd__Services__Leases__V1__AddResourceRequest *ask = request;
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);

    (void)response;
    if (check_resource(ask->resource, err) < 0 ||
        find_lease(work.store, namespace_of(call), ask->id, err) < 0 ||
        store_run(work.store, err, "INSERT OR IGNORE INTO lease_resources VALUES (?, ?, ?, ?)",
                  "ssss", namespace_of(call), ask->id, ask->resource->type,
                  ask->resource->id) < 0) {
        return -1;
    }
    return store_commit(&work, err);
}

static int delete_resource(struct grpc_call *call, const void *request, void *response,
                           struct ct_error *err)
{
    const Containerd__Services__Leases__V1__DeleteResourceRequest *ask = request;
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);

    (void)response;
    if (check_resource(ask->resource, err) < 0 ||
        find_lease(work.store, namespace_of(call), ask->id, err) < 0 ||
        store_run(work.store, err,
                  "DELETE FROM lease_resources WHERE namespace = ? AND lease = ? AND type = ? AND "
                  "id = ?",
                  "ssss", namespace_of(call), ask->id, ask->resource->type,
                  ask->resource->id) < 0 ||
        store_commit(&work, err) < 0) {
        return -1;
    }
    collector_note(containerd_of(call)->collector);
    return 0;
}

static int list_resources(struct grpc_call *call, const void *request, void *response,
                          struct ct_error *err)
{
    const Containerd__Services__Leases__V1__ListResourcesRequest *ask = request;
    Containerd__Services__Leases__V1__ListResourcesResponse *answer = response;
    struct pool *pool = grpc_pool(call);
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);

    if (find_lease(work.store, namespace_of(call), ask->id, err) < 0) {
        return -1;
    }
    AUTO_STATEMENT sqlite3_stmt *rows = store_query(
        work.store, err,
        "SELECT id, type FROM lease_resources WHERE namespace = ? AND lease = ? ORDER BY type, id",
        "ss", namespace_of(call), ask->id);
    while (rows && store_row(rows, err) > 0) {
        Containerd__Services__Leases__V1__Resource *resource =
            message_new(&containerd__services__leases__v1__resource__descriptor, pool);
        resource->id = store_text(rows, 0, pool);
        resource->type = store_text(rows, 1, pool);
        list_add((void ***)&answer->resources, &answer->n_resources, resource, pool);
    }
    return err->kind ? -1 : 0;
}

static const struct grpc_method methods[] = {
    {"Create", create, NULL},
    {"Delete", delete_call, NULL},
    {"List", list, NULL},
    {"AddResource", add_resource, NULL},
    {"DeleteResource", delete_resource, NULL},
    {"ListResources", list_resources, NULL},
};

const struct grpc_service leases_service = {&containerd__services__leases__v1__leases__descriptor,
                                            methods, sizeof(methods) / sizeof(methods[0])};

/*
 * namespaces.c - the service Namespaces: whose things are whose.
 *
 * Room:       containerd.   Called by: grpc_server.c, by the table below.
 * Spec:       containerd, docs/namespaces.md; namespace.proto.
 */
#include "containerd_internal.h"

#include <string.h>

#define KIND "namespaces"

typedef Containerd__Services__Namespaces__V1__Namespace Namespace;

const char *namespace_of(const struct grpc_call *call)
{
    const char *name = grpc_metadata(call, "containerd-namespace");
    return name ? name : "";
}

int namespace_touch(struct store *store, const char *name, struct ct_error *err)
{
    return store_run(store, err, "INSERT OR IGNORE INTO namespaces VALUES (?)", "s", name) < 0 ? -1
                                                                                               : 0;
}

/* ---- reading -------------------------------------------------------------------------------- */

static Namespace *read_namespace(struct grpc_call *call, const char *name, struct ct_error *err)
{
    Namespace *result =
        message_new(&containerd__services__namespaces__v1__namespace__descriptor, grpc_pool(call));

    result->name = pool_keep(grpc_pool(call), ct_strdup(name));
    result->labels =
        labels_read(containerd_of(call)->store, name, KIND, "",
                    &containerd__services__namespaces__v1__namespace__labels_entry__descriptor,
                    grpc_pool(call), &result->n_labels, err);
    return result;
}

/* One that nobody has used yet is there and empty, as containerd has it: dockerd asks before its
 * first container. */
static int get(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Containerd__Services__Namespaces__V1__GetNamespaceRequest *ask = request;
    Containerd__Services__Namespaces__V1__GetNamespaceResponse *answer = response;
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);

    if (check_identifier("namespace", ask->name, err) < 0) {
        return -1;
    }
    answer->namespace_ = read_namespace(call, ask->name, err);
    return err->kind ? -1 : 0;
}

static int list(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Containerd__Services__Namespaces__V1__ListNamespacesRequest *ask = request;
    Containerd__Services__Namespaces__V1__ListNamespacesResponse *answer = response;
    AUTO_FILTER struct filter *filter = filter_new(&ask->filter, *ask->filter ? 1 : 0, err);
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);
    AUTO_STATEMENT sqlite3_stmt *rows =
        filter ? store_query(work.store, err, "SELECT name FROM namespaces ORDER BY name", "")
               : NULL;

    while (rows && store_row(rows, err) > 0) {
        Namespace *item = read_namespace(call, store_text(rows, 0, grpc_pool(call)), err);
        if (filter_matches(filter, &item->base)) {
            list_add((void ***)&answer->namespaces, &answer->n_namespaces, item, grpc_pool(call));
        }
    }
    return err->kind ? -1 : 0;
}

/* ---- changing ------------------------------------------------------------------------------- */

static int create(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Containerd__Services__Namespaces__V1__CreateNamespaceRequest *ask = request;
    Containerd__Services__Namespaces__V1__CreateNamespaceResponse *answer = response;
    const Namespace *wanted = ask->namespace_;

    if (check_identifier("namespace", wanted ? wanted->name : "", err) < 0) {
        return -1;
    }
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);
    if (store_run(work.store, err, "INSERT INTO namespaces VALUES (?)", "s", wanted->name) < 0 ||
        labels_write(work.store, wanted->name, KIND, "", wanted->labels, wanted->n_labels, NULL,
                     "labels", err) < 0 ||
        store_commit(&work, err) < 0) {
        return ct_while(err, "create namespace '%.76s'", wanted->name);
    }
    answer->namespace_ = ask->namespace_;
    Containerd__Events__NamespaceCreate event = CONTAINERD__EVENTS__NAMESPACE_CREATE__INIT;
    event.name = wanted->name;
    event.n_labels = wanted->n_labels;
    event.labels = (void *)wanted->labels;
    bus_publish(containerd_of(call)->bus, wanted->name, "/namespaces/create", &event.base);
    return 0;
}

static int update(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    static const char *const fields[] = {"labels", NULL};
    const Containerd__Services__Namespaces__V1__UpdateNamespaceRequest *ask = request;
    Containerd__Services__Namespaces__V1__UpdateNamespaceResponse *answer = response;
    const Namespace *wanted = ask->namespace_;

    if (check_identifier("namespace", wanted ? wanted->name : "", err) < 0 ||
        mask_check(ask->update_mask, fields, err) < 0) {
        return -1;
    }
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);
    if (namespace_touch(work.store, wanted->name, err) < 0 ||
        labels_write(work.store, wanted->name, KIND, "", wanted->labels, wanted->n_labels,
                     ask->update_mask, "labels", err) < 0) {
        return ct_while(err, "update namespace '%.76s'", wanted->name);
    }
    answer->namespace_ = read_namespace(call, wanted->name, err);
    if (err->kind || store_commit(&work, err) < 0) {
        return -1;
    }
    Containerd__Events__NamespaceUpdate event = CONTAINERD__EVENTS__NAMESPACE_UPDATE__INIT;
    event.name = wanted->name;
    event.n_labels = answer->namespace_->n_labels;
    event.labels = (void *)answer->namespace_->labels;
    bus_publish(containerd_of(call)->bus, wanted->name, "/namespaces/update", &event.base);
    return 0;
}

/* 1 when something lives there; -1 (err). */
static int is_used(struct store *store, const char *name, struct ct_error *err)
{
    AUTO_STATEMENT sqlite3_stmt *rows =
        store_query(store, err,
                    "SELECT 1 WHERE EXISTS (SELECT 1 FROM images WHERE namespace = ?1) OR EXISTS "
                    "(SELECT 1 FROM containers WHERE namespace = ?1) OR EXISTS (SELECT 1 FROM "
                    "content WHERE namespace = ?1) OR EXISTS (SELECT 1 FROM snapshots WHERE "
                    "namespace = ?1)",
                    "s", name);
    return rows ? store_row(rows, err) : -1;
}

static int delete_locked(struct containerd *containerd, const char *name, struct ct_error *err)
{
    struct store *store = containerd->store;
    int used = is_used(store, name, err);

    used = used == 0 ? spaces_used(containerd, name, err) : used;
    if (used > 0) {
        return ct_refuse(err, CT_CONFLICT, "it is not empty");
    }
    if (used < 0 ||
        store_run(store, err, "DELETE FROM labels WHERE namespace = ?", "s", name) < 0 ||
        store_run(store, err, "DELETE FROM leases WHERE namespace = ?", "s", name) < 0 ||
        store_run(store, err, "DELETE FROM lease_resources WHERE namespace = ?", "s", name) < 0) {
        return -1;
    }
    int n = store_run(store, err, "DELETE FROM namespaces WHERE name = ?", "s", name);
    return n == 0 ? ct_refuse(err, CT_NOT_FOUND, "there is none") : n;
}

static int delete_namespace(struct grpc_call *call, const void *request, void *response,
                            struct ct_error *err)
{
    const Containerd__Services__Namespaces__V1__DeleteNamespaceRequest *ask = request;
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);

    (void)response;
    if (check_identifier("namespace", ask->name, err) < 0 ||
        delete_locked(containerd_of(call), ask->name, err) < 0 || store_commit(&work, err) < 0) {
        return ct_while(err, "delete namespace '%.76s'", ask->name);
    }
    Containerd__Events__NamespaceDelete event = CONTAINERD__EVENTS__NAMESPACE_DELETE__INIT;
    event.name = ask->name;
    bus_publish(containerd_of(call)->bus, ask->name, "/namespaces/delete", &event.base);
    return 0;
}

static const struct grpc_method methods[] = {
    {"Get", get, NULL},
    {"List", list, NULL},
    {"Create", create, NULL},
    {"Update", update, NULL},
    {"Delete", delete_namespace, NULL},
};

const struct grpc_service namespaces_service = {
    &containerd__services__namespaces__v1__namespaces__descriptor, methods,
    sizeof(methods) / sizeof(methods[0])};

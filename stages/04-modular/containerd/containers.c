/*
 * containers.c - the service Containers: what is to be run, and with which runtime.
 *
 * Room:       containerd.   Called by: grpc_server.c, by the table below; tasks, for the spec.
 * Spec:       containers.proto. A container is a record; a running one is a task (tasks.c).
 */
#include "containerd_internal.h"

#include <string.h>

#define KIND "containers"
#define COLUMNS                                                                         \
    "id, image, snapshotter, snapshot_key, runtime, options_type, options, spec_type, " \
    "spec, created_at, updated_at"

/* ---- reading -------------------------------------------------------------------------------- */

static void read_extensions(struct containerd *containerd, const char *space, Container *container,
                            struct pool *pool, struct ct_error *err)
{
    AUTO_STATEMENT sqlite3_stmt *rows =
        store_query(containerd->store, err,
                    "SELECT name, type, value FROM container_extensions WHERE namespace = ? AND "
                    "container = ?",
                    "ss", space, container->id);

    while (rows && store_row(rows, err) > 0) {
        Containerd__Services__Containers__V1__Container__ExtensionsEntry *entry = message_new(
            &containerd__services__containers__v1__container__extensions_entry__descriptor, pool);
        entry->key = store_text(rows, 0, pool);
        entry->value = any_of(store_text(rows, 1, pool), store_blob(rows, 2, pool), pool);
        list_add((void ***)&container->extensions, &container->n_extensions, entry, pool);
    }
}

static Container *read_container(struct containerd *containerd, const char *space,
                                 sqlite3_stmt *row, struct pool *pool, struct ct_error *err)
{
    Container *container =
        message_new(&containerd__services__containers__v1__container__descriptor, pool);

    container->id = store_text(row, 0, pool);
    container->image = store_text(row, 1, pool);
    container->snapshotter = store_text(row, 2, pool);
    container->snapshot_key = store_text(row, 3, pool);
    container->runtime =
        message_new(&containerd__services__containers__v1__container__runtime__descriptor, pool);
    container->runtime->name = store_text(row, 4, pool);
    container->runtime->options = any_of(store_text(row, 5, pool), store_blob(row, 6, pool), pool);
    container->spec = any_of(store_text(row, 7, pool), store_blob(row, 8, pool), pool);
    container->created_at = timestamp_of(store_integer(row, 9), pool);
    container->updated_at = timestamp_of(store_integer(row, 10), pool);
    container->labels =
        labels_read(containerd->store, space, KIND, container->id,
                    &containerd__services__containers__v1__container__labels_entry__descriptor,
                    pool, &container->n_labels, err);
    read_extensions(containerd, space, container, pool, err);
    return container;
}

static Container *find(struct containerd *containerd, const char *space, const char *id,
                       struct pool *pool, struct ct_error *err)
{
    AUTO_STATEMENT sqlite3_stmt *row = store_query(
        containerd->store, err, "SELECT " COLUMNS " FROM containers WHERE namespace = ? AND id = ?",
        "ss", space, id);
    int found = row ? store_row(row, err) : -1;

    if (found == 0) {
        return ct_refuse_null(err, CT_NOT_FOUND, "no container '%.100s'", id);
    }
    Container *container = found > 0 ? read_container(containerd, space, row, pool, err) : NULL;
    return err->kind ? NULL : container;
}

Container *container_find(struct containerd *containerd, const char *space, const char *id,
                          struct pool *pool, struct ct_error *err)
{
    AUTO_TRANSACTION struct transaction work = store_begin(containerd->store);
    return find(containerd, space, id, pool, err);
}

static int get(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Containerd__Services__Containers__V1__GetContainerRequest *ask = request;
    Containerd__Services__Containers__V1__GetContainerResponse *answer = response;

    answer->container =
        container_find(containerd_of(call), namespace_of(call), ask->id, grpc_pool(call), err);
    return answer->container ? 0 : -1;
}

/* All that match, in the call's pool; *ret_n. -1 (err). */
static int collect(struct grpc_call *call, char *const *filters, size_t n, Container ***ret,
                   size_t *ret_n, struct ct_error *err)
{
    AUTO_FILTER struct filter *filter = filter_new(filters, n, err);

    if (!filter) {
        return -1;
    }
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);
    AUTO_STATEMENT sqlite3_stmt *rows = store_query(
        work.store, err, "SELECT " COLUMNS " FROM containers WHERE namespace = ? ORDER BY id", "s",
        namespace_of(call));
    while (rows && store_row(rows, err) > 0) {
        Container *container =
            read_container(containerd_of(call), namespace_of(call), rows, grpc_pool(call), err);
        if (filter_matches(filter, &container->base)) {
            list_add((void ***)ret, ret_n, container, grpc_pool(call));
        }
    }
    return err->kind ? -1 : 0;
}

static int list(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Containerd__Services__Containers__V1__ListContainersRequest *ask = request;
    Containerd__Services__Containers__V1__ListContainersResponse *answer = response;
    return collect(call, ask->filters, ask->n_filters, &answer->containers, &answer->n_containers,
                   err);
}

static int list_stream(struct grpc_call *call, struct ct_error *err)
{
    Containerd__Services__Containers__V1__ListContainersRequest *ask = NULL;
    Container **containers = NULL;
    size_t n = 0;
    int got = grpc_receive(
        call, &containerd__services__containers__v1__list_containers_request__descriptor,
        (ProtobufCMessage **)&ask, err);

    if (got <= 0) {
        return got < 0 ? -1 : ct_refuse(err, CT_INVALID, "read the request: there is none");
    }
    int result = collect(call, ask->filters, ask->n_filters, &containers, &n, err);
    containerd__services__containers__v1__list_containers_request__free_unpacked(ask, NULL);
    for (size_t i = 0; i < n && result == 0; i++) {
        Containerd__Services__Containers__V1__ListContainerMessage message =
            CONTAINERD__SERVICES__CONTAINERS__V1__LIST_CONTAINER_MESSAGE__INIT;
        message.container = containers[i];
        result = grpc_send(call, &message, err);
    }
    return result;
}

/* ---- changing ------------------------------------------------------------------------------- */

typedef Containerd__Services__Containers__V1__Container__ExtensionsEntry Extension;

static int delete_extensions(struct store *store, const char *space, const char *id,
                             struct ct_error *err)
{
    return store_run(store, err,
                     "DELETE FROM container_extensions WHERE namespace = ? AND container = ?", "ss",
                     space, id) < 0
               ? -1
               : 0;
}

static int set_extension(struct store *store, const char *space, const char *id,
                         const Extension *entry, struct ct_error *err)
{
    if (!entry->value) {
        return ct_refuse(err, CT_INVALID, "extension '%.80s' has no value", entry->key);
    }
    return store_run(store, err,
                     "INSERT OR REPLACE INTO container_extensions VALUES (?, ?, ?, ?, ?)", "ssssb",
                     space, id, entry->key, entry->value->type_url,
                     (const void *)entry->value->value.data, entry->value->value.len) < 0
               ? -1
               : 0;
}

static int write_extensions(struct store *store, const char *space, const Container *container,
                            struct ct_error *err)
{
    int result = delete_extensions(store, space, container->id, err);

    for (size_t i = 0; i < container->n_extensions && result == 0; i++) {
        result = set_extension(store, space, container->id, container->extensions[i], err);
    }
    return result;
}

static int write_extension(struct store *store, const char *space, const Container *container,
                           const char *name, struct ct_error *err)
{
    for (size_t i = 0; i < container->n_extensions; i++) {
        if (strcmp(container->extensions[i]->key, name) == 0) {
            return set_extension(store, space, container->id, container->extensions[i], err);
        }
    }
    return store_run(store, err,
                     "DELETE FROM container_extensions WHERE namespace = ? AND container = ? AND "
                     "name = ?",
                     "sss", space, container->id, name) < 0
               ? -1
               : 0;
}

/* "extensions": all of them; "extensions.NAME": that one, and the others stay. */
static int update_extensions(struct store *store, const char *space, const Container *container,
                             store_mask mask, struct ct_error *err)
{
    static const char field[] = "extensions";
    int result = mask && mask->n_paths > 0 ? 0 : write_extensions(store, space, container, err);

    for (size_t i = 0; mask && i < mask->n_paths && result == 0; i++) {
        const char *path = mask->paths[i];
        if (strcmp(path, field) == 0) {
            result = write_extensions(store, space, container, err);
        } else if (strncmp(path, field, sizeof(field) - 1) == 0) {
            result = write_extension(store, space, container, path + sizeof(field), err);
        }
    }
    return result;
}

static int insert(struct store *store, const char *space, const Container *container,
                  struct ct_error *err)
{
    const Google__Protobuf__Any none = GOOGLE__PROTOBUF__ANY__INIT;
    const Google__Protobuf__Any *options =
        container->runtime->options ? container->runtime->options : &none;
    const Google__Protobuf__Any *spec = container->spec ? container->spec : &none;
    int64_t now = ct_now_ns();

    return store_run(store, err, "INSERT INTO containers VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
                     "sssssssbsbii", space, container->id, container->image, container->snapshotter,
                     container->snapshot_key, container->runtime->name, options->type_url,
                     (const void *)options->value.data, options->value.len, spec->type_url,
                     (const void *)spec->value.data, spec->value.len, now, now);
}

static int create(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Containerd__Services__Containers__V1__CreateContainerRequest *ask = request;
    Containerd__Services__Containers__V1__CreateContainerResponse *answer = response;
    const Container *wanted = ask->container;
    const char *space = namespace_of(call);

    if (check_identifier("container", wanted ? wanted->id : "", err) < 0) {
        return -1;
    }
    if (!wanted->runtime || !*wanted->runtime->name) {
        return ct_refuse(err, CT_INVALID, "create container '%.76s': it names no runtime",
                         wanted->id);
    }
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);
    if (namespace_touch(work.store, space, err) < 0 || insert(work.store, space, wanted, err) < 0 ||
        labels_write(work.store, space, KIND, wanted->id, wanted->labels, wanted->n_labels, NULL,
                     "labels", err) < 0 ||
        write_extensions(work.store, space, wanted, err) < 0 ||
        !(answer->container = find(containerd_of(call), space, wanted->id, grpc_pool(call), err)) ||
        store_commit(&work, err) < 0) {
        return ct_while(err, "create container '%.76s'", wanted->id);
    }
    Containerd__Events__ContainerCreate event = CONTAINERD__EVENTS__CONTAINER_CREATE__INIT;
    Containerd__Events__ContainerCreate__Runtime runtime =
        CONTAINERD__EVENTS__CONTAINER_CREATE__RUNTIME__INIT;
    runtime.name = wanted->runtime->name;
    runtime.options = wanted->runtime->options;
    event.id = wanted->id;
    event.image = wanted->image;
    event.runtime = &runtime;
    bus_publish(containerd_of(call)->bus, space, "/containers/create", &event.base);
    return 0;
}

/* What never changes must be as it is, where an update names no fields. */
static int check_fixed(const Container *wanted, const Container *now, store_mask mask,
                       struct ct_error *err)
{
    if (mask && mask->n_paths > 0) {
        return 0;
    }
    if (strcmp(wanted->snapshotter, now->snapshotter) != 0 || !wanted->runtime ||
        strcmp(wanted->runtime->name, now->runtime->name) != 0) {
        return ct_refuse(err, CT_INVALID, "snapshotter and runtime cannot be changed");
    }
    return 0;
}

static int write_fields(struct store *store, const char *space, const Container *wanted,
                        store_mask mask, struct ct_error *err)
{
    if (mask_has(mask, "image") &&
        store_run(store, err, "UPDATE containers SET image = ? WHERE namespace = ? AND id = ?",
                  "sss", wanted->image, space, wanted->id) < 0) {
        return -1;
    }
    if ((mask_has(mask, "snapshotkey") || mask_has(mask, "snapshot_key")) &&
        store_run(store, err,
                  "UPDATE containers SET snapshot_key = ? WHERE namespace = ? AND id = ?", "sss",
                  wanted->snapshot_key, space, wanted->id) < 0) {
        return -1;
    }
    if (mask_has(mask, "spec") && wanted->spec &&
        store_run(store, err,
                  "UPDATE containers SET spec_type = ?, spec = ? WHERE namespace = ? AND id = ?",
                  "sbss", wanted->spec->type_url, (const void *)wanted->spec->value.data,
                  wanted->spec->value.len, space, wanted->id) < 0) {
        return -1;
    }
    if (update_extensions(store, space, wanted, mask, err) < 0 ||
        labels_write(store, space, KIND, wanted->id, wanted->labels, wanted->n_labels, mask,
                     "labels", err) < 0) {
        return -1;
    }
    return store_run(store, err,
                     "UPDATE containers SET updated_at = ? WHERE namespace = ? AND id = ?", "iss",
                     ct_now_ns(), space, wanted->id);
}

static int update(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    static const char *const fields[] = {"labels",       "spec",        "extensions", "image",
                                         "snapshot_key", "snapshotkey", NULL};
    const Containerd__Services__Containers__V1__UpdateContainerRequest *ask = request;
    Containerd__Services__Containers__V1__UpdateContainerResponse *answer = response;
    struct containerd *containerd = containerd_of(call);
    const Container *wanted = ask->container;
    const char *space = namespace_of(call);

    if (check_identifier("container", wanted ? wanted->id : "", err) < 0 ||
        mask_check(ask->update_mask, fields, err) < 0) {
        return -1;
    }
    AUTO_TRANSACTION struct transaction work = store_begin(containerd->store);
    const Container *now = find(containerd, space, wanted->id, grpc_pool(call), err);
    if (!now || check_fixed(wanted, now, ask->update_mask, err) < 0 ||
        write_fields(work.store, space, wanted, ask->update_mask, err) < 0 ||
        !(answer->container = find(containerd, space, wanted->id, grpc_pool(call), err)) ||
        store_commit(&work, err) < 0) {
        return ct_while(err, "update container '%.76s'", wanted->id);
    }
    Containerd__Events__ContainerUpdate event = CONTAINERD__EVENTS__CONTAINER_UPDATE__INIT;
    event.id = wanted->id;
    event.image = answer->container->image;
    event.snapshot_key = answer->container->snapshot_key;
    event.n_labels = answer->container->n_labels;
    event.labels = (void *)answer->container->labels;
    bus_publish(containerd->bus, space, "/containers/update", &event.base);
    return 0;
}

static int delete_container(struct grpc_call *call, const void *request, void *response,
                            struct ct_error *err)
{
    const Containerd__Services__Containers__V1__DeleteContainerRequest *ask = request;
    const char *space = namespace_of(call);
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);

    (void)response;
    int n = store_run(work.store, err, "DELETE FROM containers WHERE namespace = ? AND id = ?",
                      "ss", space, ask->id);
    if (n == 0) {
        return ct_refuse(err, CT_NOT_FOUND, "no container '%.100s'", ask->id);
    }
    if (n < 0 || labels_delete(work.store, space, KIND, ask->id, err) < 0 ||
        store_run(work.store, err,
                  "DELETE FROM container_extensions WHERE namespace = ? AND container = ?", "ss",
                  space, ask->id) < 0 ||
        store_commit(&work, err) < 0) {
        return ct_while(err, "delete container '%.76s'", ask->id);
    }
    Containerd__Events__ContainerDelete event = CONTAINERD__EVENTS__CONTAINER_DELETE__INIT;
    event.id = ask->id;
    bus_publish(containerd_of(call)->bus, space, "/containers/delete", &event.base);
    collector_note(containerd_of(call)->collector);
    return 0;
}

static const struct grpc_method methods[] = {
    {"Get", get, NULL},       {"List", list, NULL},     {"ListStream", NULL, list_stream},
    {"Create", create, NULL}, {"Update", update, NULL}, {"Delete", delete_container, NULL},
};

const struct grpc_service containers_service = {
    &containerd__services__containers__v1__containers__descriptor, methods,
    sizeof(methods) / sizeof(methods[0])};

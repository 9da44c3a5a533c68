/*
 * remote.c - a record as containerd's container: its two documents are extensions.
 *
 * Room:       containers (stage 04).   Called by: store.c, record.c.
 * Spec:       containerd, api/services/containers/v1/containers.proto.
 *
 * Docker's containerd can do all of this as well as ours. Each call is one transaction there, so a
 * record is whole, whoever is killed. Several daemons may have one containerd: a label says whose
 * record it is, by its DIR. A daemon whose DIR was moved still has its records, for it has their
 * places.
 */
#define CT_LAYER "containers"
#include "records_internal.h"

#include "connection.h"
#include "container_record.h"
#include "message_parts.h"

#include "cleanup.h"
#include "json.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define SERVICE     (&containerd__services__containers__v1__containers__descriptor)
#define NAME_LABEL  "cutaway/name"
#define CONFIG      "cutaway.config"
#define CONFIG_TYPE "types.cutaway/container/1/Config"
#define STATE       "cutaway.state"
#define STATE_TYPE  "types.cutaway/container/1/State"

typedef Containerd__Services__Containers__V1__Container ContainerMessage;
typedef Containerd__Services__Containers__V1__Container__ExtensionsEntry ExtensionMessage;

/* ---- writing -------------------------------------------------------------------------------- */

static Google__Protobuf__Any *any_of(const char *type, const char *text, struct pool *pool)
{
    Google__Protobuf__Any *any = message_new(&google__protobuf__any__descriptor, pool);

    any->type_url = text_of(type, pool);
    any->value.data = (uint8_t *)text_of(text, pool);
    any->value.len = strlen(text);
    return any;
}

static void add_document(ContainerMessage *message, const char *key, const char *type,
                         const json_t *document, struct pool *pool)
{
    ExtensionMessage *entry = message_new(
        &containerd__services__containers__v1__container__extensions_entry__descriptor, pool);
    CT_AUTO_FREE char *text = ct_json_text(document);

    if (!text) {
        abort(); /* as everywhere when small memory is out */
    }
    entry->key = text_of(key, pool);
    entry->value = any_of(type, text, pool);
    list_add((void ***)&message->extensions, &message->n_extensions, entry, pool);
}

static void set_labels(ContainerMessage *message, const json_t *labels, struct pool *pool)
{
    message->labels =
        map_of(labels, &containerd__services__containers__v1__container__labels_entry__descriptor,
               pool, &message->n_labels);
}

static const char *name_in(const json_t *config)
{
    const char *name = ct_json_string(config, "Name", "");
    return name[0] == '/' ? name + 1 : name;
}

/* Until it runs, its spec is an empty one. */
static ContainerMessage *message_of(const struct container_store *store, const char *id,
                                    const json_t *config, const json_t *state, struct pool *pool)
{
    ContainerMessage *message =
        message_new(&containerd__services__containers__v1__container__descriptor, pool);
    CT_AUTO_FREE char *runtime = container_record_runtime();
    CT_AUTO_JSON json_t *labels = json_object();

    message->id = text_of(id, pool);
    message->image = text_at(config, "ImageRef", pool);
    message->runtime =
        message_new(&containerd__services__containers__v1__container__runtime__descriptor, pool);
    message->runtime->name = text_of(runtime, pool);
    message->spec = any_of(CONTAINER_SPEC_TYPE, "{}", pool);
    ct_json_set_string(labels, CONTAINER_RECORD_LABEL, store->label);
    ct_json_set_string(labels, NAME_LABEL, name_in(config));
    set_labels(message, labels, pool);
    add_document(message, CONFIG, CONFIG_TYPE, config, pool);
    add_document(message, STATE, STATE_TYPE, state, pool);
    return message;
}

int remote_create(const struct container_store *store, const char *id, const json_t *config,
                  const json_t *state, struct ct_error *err)
{
    Containerd__Services__Containers__V1__CreateContainerRequest request =
        CONTAINERD__SERVICES__CONTAINERS__V1__CREATE_CONTAINER_REQUEST__INIT;
    struct pool pool = {0};

    request.container = message_of(store, id, config, state, &pool);
    int result = connection_call(SERVICE, "Create", &request, CONNECTION_TIMEOUT_MS, NULL, err);
    pool_done(&pool);
    if (result < 0) {
        struct ct_error ignored = {0};
        (void)remote_delete(id, &ignored); /* it may be there: only the answer was lost */
        return ct_while(err, "make the record of container '%.12s'", id);
    }
    return 0;
}

int remote_update(const char *id, const json_t *config, const json_t *state, struct ct_error *err)
{
    Containerd__Services__Containers__V1__UpdateContainerRequest request =
        CONTAINERD__SERVICES__CONTAINERS__V1__UPDATE_CONTAINER_REQUEST__INIT;
    Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
    CT_AUTO_JSON json_t *labels = json_object();
    struct pool pool = {0};
    void **paths = NULL;

    request.container =
        message_new(&containerd__services__containers__v1__container__descriptor, &pool);
    request.container->id = text_of(id, &pool);
    request.update_mask = &mask;
    if (config) {
        add_document(request.container, CONFIG, CONFIG_TYPE, config, &pool);
        ct_json_set_string(labels, NAME_LABEL, name_in(config));
        set_labels(request.container, labels, &pool);
        list_add(&paths, &mask.n_paths, text_of("extensions." CONFIG, &pool), &pool);
        list_add(&paths, &mask.n_paths, text_of("labels." NAME_LABEL, &pool), &pool);
    }
    if (state) {
        add_document(request.container, STATE, STATE_TYPE, state, &pool);
        list_add(&paths, &mask.n_paths, text_of("extensions." STATE, &pool), &pool);
    }
    mask.paths = (char **)paths;
    int result = connection_call(SERVICE, "Update", &request, CONNECTION_TIMEOUT_MS, NULL, err);
    pool_done(&pool);
    return result < 0 ? ct_while(err, "write the record of container '%.12s'", id) : 0;
}

int remote_delete(const char *id, struct ct_error *err)
{
    Containerd__Services__Containers__V1__DeleteContainerRequest request =
        CONTAINERD__SERVICES__CONTAINERS__V1__DELETE_CONTAINER_REQUEST__INIT;

    request.id = (char *)(uintptr_t)id;
    if (connection_call(SERVICE, "Delete", &request, CONNECTION_TIMEOUT_MS, NULL, err) == 0) {
        return 0;
    }
    if (err->kind != CT_NOT_FOUND) {
        return ct_while(err, "remove the record of container '%.12s'", id);
    }
    ct_error_clear(err);
    return 0;
}

/* ---- reading -------------------------------------------------------------------------------- */

static bool is_of(const struct container_store *store, const ContainerMessage *message)
{
    const char *root = NULL;

    for (size_t i = 0; i < message->n_labels; i++) {
        if (strcmp(message->labels[i]->key, CONTAINER_RECORD_LABEL) == 0) {
            root = message->labels[i]->value;
        }
    }
    return is_container_id(message->id) && root &&
           (strcmp(root, store->label) == 0 ||
            faccessat(store->dir_fd, message->id, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
}

static json_t *read_document(const ContainerMessage *message, const char *key, struct ct_error *err)
{
    json_t *document = NULL;
    bool found = false;

    for (size_t i = 0; i < message->n_extensions && !found; i++) {
        const Google__Protobuf__Any *any = message->extensions[i]->value;
        found = any && strcmp(message->extensions[i]->key, key) == 0;
        document = found ? ct_json_parse((const char *)any->value.data, any->value.len, err) : NULL;
    }
    if (document && !json_is_object(document)) {
        json_decref(document);
        document = NULL;
        (void)ct_refuse(err, CT_INVALID, "it is no object");
    } else if (!found) {
        (void)ct_refuse(err, CT_INVALID, "it is not there");
    }
    return document ? document
                    : ct_while_null(err, "read '%s' of container '%.12s'", key, message->id);
}

/* A record that is broken is told of, and left out. */
static int load_one(void *context, const ProtobufCMessage *item, struct ct_error *err)
{
    struct container_store *store = context;
    const ContainerMessage *message =
        ((const Containerd__Services__Containers__V1__ListContainerMessage *)item)->container;
    struct ct_error broken = {0};
    char line[400];

    if (!message || !is_of(store, message)) {
        return 0;
    }
    CT_AUTO_JSON json_t *config = read_document(message, CONFIG, &broken);
    if (!config) {
        ct_warn("leave container %.12s out: %s", message->id,
                ct_error_render(&broken, line, sizeof(line)));
        return 0;
    }
    struct copy *copy = copy_new(sizeof(*copy), store->dir, store->run_dir, message->id);
    if (!copy) {
        return ct_fail(err, ENOMEM, "read container '%.12s'", message->id);
    }
    json_t *state = read_document(message, STATE, &broken);
    copy->container.config = json_incref(config);
    copy->container.state = state ? state : record_lost_state(message->id, &broken);
    copy->container.created_ns = record_created_ns(config);
    copies_add(&store->known, copy);
    return 0;
}

int remote_load(struct container_store *store, struct ct_error *err)
{
    Containerd__Services__Containers__V1__ListContainersRequest request =
        CONTAINERD__SERVICES__CONTAINERS__V1__LIST_CONTAINERS_REQUEST__INIT;
    char filter[] = "labels.\"" CONTAINER_RECORD_LABEL "\"", *filters[] = {filter};

    request.filters = filters;
    request.n_filters = 1;
    /* One message for each, because one for all has a limit. */
    return connection_stream(SERVICE, "ListStream", &request, CONNECTION_TIMEOUT_MS, load_one,
                             store, err);
}

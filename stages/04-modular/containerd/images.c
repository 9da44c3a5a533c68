/*
 * images.c - the service Images: names for content.
 *
 * Room:       containerd.   Called by: grpc_server.c, by the table below.
 * Spec:       images.proto. An image is a name and a descriptor; what that points to is content.
 */
#include "containerd_internal.h"

#include "digest.h"

#include <string.h>

#define KIND        "images"
#define ANNOTATIONS "image-annotations" /* of the descriptor, kept as labels are */
#define COLUMNS     "name, media_type, digest, size, created_at, updated_at"

typedef Containerd__Services__Images__V1__Image Image;

/* ---- reading -------------------------------------------------------------------------------- */

static Image *read_image(struct grpc_call *call, sqlite3_stmt *row, struct ct_error *err)
{
    struct pool *pool = grpc_pool(call);
    struct store *store = containerd_of(call)->store;
    Image *image = message_new(&containerd__services__images__v1__image__descriptor, pool);
    Containerd__Types__Descriptor *target =
        message_new(&containerd__types__descriptor__descriptor, pool);

    image->name = store_text(row, 0, pool);
    image->target = target;
    target->media_type = store_text(row, 1, pool);
    target->digest = store_text(row, 2, pool);
    target->size = store_integer(row, 3);
    image->created_at = timestamp_of(store_integer(row, 4), pool);
    image->updated_at = timestamp_of(store_integer(row, 5), pool);
    image->labels = labels_read(store, namespace_of(call), KIND, image->name,
                                &containerd__services__images__v1__image__labels_entry__descriptor,
                                pool, &image->n_labels, err);
    target->annotations = labels_read(store, namespace_of(call), ANNOTATIONS, image->name,
                                      &containerd__types__descriptor__annotations_entry__descriptor,
                                      pool, &target->n_annotations, err);
    return image;
}

static Image *find_image(struct grpc_call *call, const char *name, struct ct_error *err)
{
    AUTO_STATEMENT sqlite3_stmt *row =
        store_query(containerd_of(call)->store, err,
                    "SELECT " COLUMNS " FROM images WHERE namespace = ? AND name = ?", "ss",
                    namespace_of(call), name);
    int found = row ? store_row(row, err) : -1;

    if (found == 0) {
        return ct_refuse_null(err, CT_NOT_FOUND, "no image '%.150s'", name);
    }
    Image *image = found > 0 ? read_image(call, row, err) : NULL;
    return err->kind ? NULL : image;
}

static int get(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Containerd__Services__Images__V1__GetImageRequest *ask = request;
    Containerd__Services__Images__V1__GetImageResponse *answer = response;
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);

    answer->image = find_image(call, ask->name, err);
    return answer->image ? 0 : -1;
}

static int list(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Containerd__Services__Images__V1__ListImagesRequest *ask = request;
    Containerd__Services__Images__V1__ListImagesResponse *answer = response;
    AUTO_FILTER struct filter *filter = filter_new(ask->filters, ask->n_filters, err);

    if (!filter) {
        return -1;
    }
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);
    AUTO_STATEMENT sqlite3_stmt *rows = store_query(
        work.store, err, "SELECT " COLUMNS " FROM images WHERE namespace = ? ORDER BY name", "s",
        namespace_of(call));
    while (rows && store_row(rows, err) > 0) {
        Image *image = read_image(call, rows, err);
        if (filter_matches(filter, &image->base)) {
            list_add((void ***)&answer->images, &answer->n_images, image, grpc_pool(call));
        }
    }
    return err->kind ? -1 : 0;
}

/* ---- changing ------------------------------------------------------------------------------- */

static int check_image(const Image *image, struct ct_error *err)
{
    if (!image || !*image->name) {
        return ct_refuse(err, CT_INVALID, "an image needs a name");
    }
    if (!image->target || !digest_is_valid(image->target->digest) || image->target->size <= 0 ||
        !*image->target->media_type) {
        return ct_refuse(err, CT_INVALID,
                         "image '%.100s' needs a target: media type, sha256 digest and size",
                         image->name);
    }
    return 0;
}

static int write_maps(struct grpc_call *call, const Image *image, store_mask mask,
                      struct ct_error *err)
{
    struct store *store = containerd_of(call)->store;
    const char *space = namespace_of(call);

    if (labels_write(store, space, KIND, image->name, image->labels, image->n_labels, mask,
                     "labels", err) < 0) {
        return -1;
    }
    return mask_has(mask, "target") || mask_has(mask, "annotations")
               ? labels_write(store, space, ANNOTATIONS, image->name, image->target->annotations,
                              image->target->n_annotations, NULL, "annotations", err)
               : 0;
}

static int create(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Containerd__Services__Images__V1__CreateImageRequest *ask = request;
    Containerd__Services__Images__V1__CreateImageResponse *answer = response;
    const Image *image = ask->image;
    const char *space = namespace_of(call);

    if (check_image(image, err) < 0) {
        return -1;
    }
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);
    const Containerd__Types__Descriptor *target = image->target;
    if (namespace_touch(work.store, space, err) < 0 ||
        store_run(work.store, err, "INSERT INTO images VALUES (?, ?, ?, ?, ?, ?, ?)",
                  "ssss"
                  "iii",
                  space, image->name, target->media_type, target->digest, target->size, ct_now_ns(),
                  ct_now_ns()) < 0 ||
        write_maps(call, image, NULL, err) < 0 ||
        !(answer->image = find_image(call, image->name, err)) || store_commit(&work, err) < 0) {
        return ct_while(err, "create image '%.150s'", image->name);
    }
    Containerd__Services__Images__V1__ImageCreate event =
        CONTAINERD__SERVICES__IMAGES__V1__IMAGE_CREATE__INIT;
    event.name = image->name;
    event.n_labels = image->n_labels;
    event.labels = (void *)image->labels;
    bus_publish(containerd_of(call)->bus, space, "/images/create", &event.base);
    return 0;
}

static int write_target(struct grpc_call *call, const Image *image, struct ct_error *err)
{
    const Containerd__Types__Descriptor *target = image->target;

    if (check_image(image, err) < 0) {
        return -1;
    }
    return store_run(containerd_of(call)->store, err,
                     "UPDATE images SET media_type = ?, digest = ?, size = ? WHERE namespace = ? "
                     "AND name = ?",
                     "ssiss", target->media_type, target->digest, target->size, namespace_of(call),
                     image->name);
}

static int update(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    static const char *const fields[] = {"labels", "target", "annotations", NULL};
    const Containerd__Services__Images__V1__UpdateImageRequest *ask = request;
    Containerd__Services__Images__V1__UpdateImageResponse *answer = response;
    const Image *image = ask->image;

    if (!image || !*image->name) {
        return ct_refuse(err, CT_INVALID, "an image needs a name");
    }
    if (mask_check(ask->update_mask, fields, err) < 0) {
        return -1;
    }
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);
    if (!find_image(call, image->name, err) ||
        (mask_has(ask->update_mask, "target") && write_target(call, image, err) < 0) ||
        write_maps(call, image, ask->update_mask, err) < 0 ||
        store_run(work.store, err,
                  "UPDATE images SET updated_at = ? WHERE namespace = ? AND name = ?", "iss",
                  ct_now_ns(), namespace_of(call), image->name) < 0 ||
        !(answer->image = find_image(call, image->name, err)) || store_commit(&work, err) < 0) {
        return ct_while(err, "update image '%.150s'", image->name);
    }
    Containerd__Services__Images__V1__ImageUpdate event =
        CONTAINERD__SERVICES__IMAGES__V1__IMAGE_UPDATE__INIT;
    event.name = image->name;
    event.n_labels = answer->image->n_labels;
    event.labels = (void *)answer->image->labels;
    bus_publish(containerd_of(call)->bus, namespace_of(call), "/images/update", &event.base);
    collector_note(containerd_of(call)->collector); /* the old target may be needed no more */
    return 0;
}

static int delete_image(struct grpc_call *call, const void *request, void *response,
                        struct ct_error *err)
{
    const Containerd__Services__Images__V1__DeleteImageRequest *ask = request;
    const char *space = namespace_of(call);
    AUTO_TRANSACTION struct transaction work = store_begin(containerd_of(call)->store);

    (void)response;
    int n = store_run(work.store, err, "DELETE FROM images WHERE namespace = ? AND name = ?", "ss",
                      space, ask->name);
    if (n == 0) {
        return ct_refuse(err, CT_NOT_FOUND, "no image '%.150s'", ask->name);
    }
    if (n < 0 || labels_delete(work.store, space, KIND, ask->name, err) < 0 ||
        labels_delete(work.store, space, ANNOTATIONS, ask->name, err) < 0 ||
        store_commit(&work, err) < 0) {
        return ct_while(err, "delete image '%.150s'", ask->name);
    }
    Containerd__Services__Images__V1__ImageDelete event =
        CONTAINERD__SERVICES__IMAGES__V1__IMAGE_DELETE__INIT;
    event.name = ask->name;
    bus_publish(containerd_of(call)->bus, space, "/images/delete", &event.base);
    return collector_after(containerd_of(call)->collector, ask->sync, err);
}

static const struct grpc_method methods[] = {
    {"Get", get, NULL},       {"List", list, NULL},           {"Create", create, NULL},
    {"Update", update, NULL}, {"Delete", delete_image, NULL},
};

const struct grpc_service images_service = {&containerd__services__images__v1__images__descriptor,
                                            methods, sizeof(methods) / sizeof(methods[0])};

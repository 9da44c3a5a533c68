/*
 * commit.c - a new image from what a container changed.
 *
 * Room:       engine.   Called by: cli, rest.
 * Spec:       Docker Engine API 1.43, "Create a new image from a container".
 */
#define CT_LAYER "engine"
#include "engine_containers.h"
#include "engine_internal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "span.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* The image's config with what the container was run with on top. */
static json_t *make_config(const struct container *container, const struct image *image,
                           const struct engine_commit *how, struct ct_error *err)
{
    static const char *const kept[] = {"User",       "ExposedPorts", "Env",        "Cmd",
                                       "Volumes",    "WorkingDir",   "Entrypoint", "Labels",
                                       "StopSignal", "Healthcheck",  "OnBuild",    NULL};
    CT_AUTO_JSON json_t *document = json_deep_copy(image->config);
    json_t *config = json_object();
    char now[CT_TIME_TEXT];

    for (const char *const *key = kept; *key; key++) {
        json_t *value = json_object_get(json_object_get(container->config, "Config"), *key);
        if (value && !json_is_null(value)) {
            ct_json_set(config, *key, json_deep_copy(value));
        }
    }
    ct_json_set(document, "config", config);
    ct_json_set_string(document, "created", ct_time_format(ct_now_ns(), now));
    ct_json_set_string(document, "author", how->author ? how->author : "");
    ct_json_set_string(document, "comment", how->comment ? how->comment : "");
    ct_json_set_string(document, "container", container->id);
    return changes_apply(config, how->changes, err) < 0 ? NULL : ct_steal(document);
}

/* The container's changes as a layer, in a file that has no name and so cannot be left behind. */
static int write_layer(struct engine *engine, const struct container *container,
                       struct ct_error *err)
{
    struct snapshot_store *snapshots = engine_snapshots(engine, err);
    CT_AUTO_FREE char *key = places_snapshot_key(container->id);
    CT_AUTO_FREE char *diff_id = NULL;
    CT_AUTO_CLOSE int layer = open(engine->root, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (layer < 0) {
        return ct_fail(err, errno, "make a temporary file in '%s'", engine->root);
    }
    if (!snapshots || snapshot_diff_tar(snapshots, key, layer, &diff_id, err) < 0) {
        return -1;
    }
    if (lseek(layer, 0, SEEK_SET) < 0) {
        return ct_fail(err, errno, "rewind the layer");
    }
    return ct_steal_fd(&layer);
}

static char *target_reference(const struct engine_commit *how)
{
    if (!how->repository || !*how->repository) {
        return NULL;
    }
    return how->tag && *how->tag ? ct_printf("%s:%s", how->repository, how->tag)
                                 : ct_strdup(how->repository);
}

static int commit_locked(struct engine *engine, struct container *container,
                         const struct engine_commit *how, char **ret_id, struct ct_error *err)
{
    struct image *image =
        engine_find_image(engine, ct_json_string(container->config, "Image", ""), err);
    CT_AUTO_JSON json_t *config = image ? make_config(container, image, how, err) : NULL;
    CT_AUTO_CLOSE int layer = config ? write_layer(engine, container, err) : -1;
    CT_AUTO_FREE char *reference = target_reference(how);
    struct image_io io = engine_image_io(how->io, "Committing");
    int result = -1;

    if (layer >= 0) {
        result = image_create(engine_images(engine, err), image, config, layer, reference, &io,
                              ret_id, err);
    }
    image_free(image);
    return result;
}

/* A program that writes while its files are read makes half-written images: it is paused, if asked.
 */
static bool pause_for_commit(struct container *container, const struct engine_commit *how)
{
    struct ct_error ignored = {0}; /* it may have ended meanwhile: all the better */
    return how->pause && strcmp(container_status(container), "running") == 0 &&
           monitor_pause(container, true, &ignored) == 0;
}

int engine_container_commit(struct engine *engine, const char *ref, const struct engine_commit *how,
                            char **ret_id, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_IMAGE, "engine_container_commit(%s)", ref);
    struct container *container = engine_lock_container(engine, ref, err);
    if (!container) {
        return ct_while(err, "commit '%.64s'", ref);
    }
    bool paused = pause_for_commit(container, how);
    int result = commit_locked(engine, container, how, ret_id, err);
    struct ct_error ignored = {0};
    if (paused) {
        (void)monitor_pause(container, false, &ignored);
    }
    if (result == 0) {
        engine_container_event(engine, container, "commit", "imageID", *ret_id);
    }
    container_free(container);
    return result < 0 ? ct_while(err, "commit '%.64s'", ref) : 0;
}

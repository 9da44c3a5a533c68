/*
 * images.c - what the API says of images, on top of the image store.
 *
 * Room:       engine.   Called by: cli, rest; create.c (engine_find_image).
 * Spec:       Docker Engine API 1.43, "Image".
 */
#define CT_LAYER "engine"
#include "engine_images.h"
#include "engine_internal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "span.h"
#include "units.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

struct image *engine_find_image(struct engine *engine, const char *reference, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_IMAGE, "image_find(%s)", reference);
    struct image_store *images = engine_images(engine, err);
    struct ct_error missing = {0};
    struct image *image = images ? image_find(images, reference, &missing) : NULL;

    if (image || !images) {
        return image;
    }
    if (missing.kind != CT_NOT_FOUND) {
        *err = missing;
        return NULL;
    }
    return embedded_image_load(engine, reference, err) < 0 ? NULL
                                                           : image_find(images, reference, err);
}

static json_t *familiar_tags(const struct image *image)
{
    json_t *tags = json_array();
    size_t i;
    json_t *full;
    json_array_foreach(image->tags, i, full)
    {
        CT_AUTO_FREE char *familiar = image_ref_familiar(json_string_value(full), false);
        ct_json_append(tags, json_string(familiar));
    }
    return tags;
}

static int64_t image_created_ns(const struct image *image)
{
    struct ct_error ignored = {0};
    int64_t ns = 0;
    (void)ct_time_parse(ct_json_string(image->config, "created", CT_TIME_ZERO), &ns, &ignored);
    return ns;
}

static int count_users(struct engine *engine, const char *image_id, struct ct_error *err)
{
    struct container_store *store = engine_containers(engine, err);
    const struct container **all = store ? container_list(store, err) : NULL;
    int count = all ? 0 : -1;

    for (const struct container **c = all; c && *c; c++) {
        count += strcmp(ct_json_string((*c)->config, "Image", ""), image_id) == 0;
    }
    container_list_free(all);
    return count;
}

bool engine_image_is_used(void *engine, const char *image_id)
{
    struct ct_error ignored = {0};
    return count_users(engine, image_id, &ignored) != 0; /* not knowing is as good as used */
}

static json_t *summarize(struct engine *engine, const struct image *image)
{
    struct ct_error ignored = {0};
    json_t *labels = ct_json_get(image->config, "config.Labels");
    json_t *summary = json_object();

    ct_json_set(summary, "Containers", json_integer(count_users(engine, image->id, &ignored)));
    ct_json_set(summary, "Created", json_integer(image_created_ns(image) / 1000000000));
    ct_json_set_string(summary, "Id", image->id);
    ct_json_set(summary, "Labels", labels ? json_incref(labels) : json_null());
    ct_json_set_string(summary, "ParentId", "");
    ct_json_set(summary, "RepoDigests", json_array());
    ct_json_set(summary, "RepoTags", familiar_tags(image));
    ct_json_set(summary, "SharedSize", json_integer(-1));
    ct_json_set(summary, "Size", json_integer(image->size_bytes));
    ct_json_set(summary, "VirtualSize", json_integer(image->size_bytes));
    return summary;
}

/* filter reference=: a pattern over "name" or "name:tag", familiar. */
static int matches_reference(void *context, const char *pattern)
{
    const char *familiar = context;
    CT_AUTO_FREE char *name = ct_strdup(familiar);
    char *colon = strrchr(name, ':');

    if (fnmatch(pattern, familiar, FNM_PATHNAME) == 0) {
        return 1;
    }
    if (colon && !strchr(colon, '/')) {
        *colon = '\0';
    }
    return fnmatch(pattern, name, FNM_PATHNAME) == 0;
}

/* Leaves only the tags that the reference filter names. False: none is left, so the image is not
 * shown. */
static bool select_references(const json_t *filters, json_t *summary)
{
    if (!filters_has(filters, "reference")) {
        return true;
    }
    json_t *selected = json_array();
    size_t i;
    json_t *tag;
    json_array_foreach(json_object_get(summary, "RepoTags"), i, tag)
    {
        if (filters_each(filters, "reference", matches_reference, (void *)json_string_value(tag))) {
            ct_json_append(selected, json_incref(tag));
        }
    }
    ct_json_set(summary, "RepoTags", selected);
    return json_array_size(selected) > 0;
}

struct bounds {
    struct engine *engine;
    struct ct_error *err;
    int64_t before_ns, since_ns;
    bool before;
};

static int resolve_bound(void *context, const char *reference)
{
    struct bounds *bounds = context;
    struct image_store *images = engine_images(bounds->engine, bounds->err);
    struct image *image = images ? image_find(images, reference, bounds->err) : NULL;
    if (!image) {
        return -1;
    }
    *(bounds->before ? &bounds->before_ns : &bounds->since_ns) = image_created_ns(image);
    image_free(image);
    return 0;
}

static int resolve_bounds(const json_t *filters, struct bounds *bounds)
{
    if (filters_each(filters, "since", resolve_bound, bounds) < 0) {
        return -1;
    }
    bounds->before = true;
    return filters_each(filters, "before", resolve_bound, bounds) < 0 ? -1 : 0;
}

int engine_image_list(struct engine *engine, bool all, const json_t *filters, json_t **ret_list,
                      struct ct_error *err)
{
    static const char *const known[] = {"before",    "dangling", "label", "label!",
                                        "reference", "since",    "until", NULL};
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_LOAD, "engine_image_list");
    struct bounds bounds = {.engine = engine, .err = err};
    int dangling = filters_bool(filters, "dangling", -2, err);
    struct image_store *images = engine_images(engine, err);

    (void)all; /* we make no intermediate images */
    if (dangling == -1 || !images || filters_check(filters, known, err) < 0 ||
        resolve_bounds(filters, &bounds) < 0) {
        return ct_while(err, "list images");
    }
    struct image **list = image_list(images, err);
    json_t *summaries = list ? json_array() : NULL;
    for (struct image **i = list; i && *i; i++) {
        int64_t created = image_created_ns(*i);
        bool untagged = ct_json_count((*i)->tags) == 0;
        bool in_time = true;
        if (filters_match_until(filters, created, &in_time, err) < 0) {
            json_decref(summaries);
            summaries = NULL;
            break;
        }
        if ((dangling >= 0 && untagged != (dangling == 1)) || !in_time ||
            (bounds.before_ns && created >= bounds.before_ns) ||
            (bounds.since_ns && created <= bounds.since_ns) ||
            !filters_match_labels(filters, ct_json_get((*i)->config, "config.Labels"))) {
            continue;
        }
        CT_AUTO_JSON json_t *summary = summarize(engine, *i);
        if (select_references(filters, summary)) {
            ct_json_append(summaries, json_incref(summary));
        }
    }
    image_list_free(list);
    *ret_list = summaries;
    return summaries ? 0 : ct_while(err, "list images");
}

/* "GraphDriver" of an image: the layers that stand below a container of it. */
static json_t *describe(struct engine *engine, const struct image *image)
{
    struct ct_error ignored = {0};
    json_t *document = json_object();
    json_t *config = json_object_get(image->config, "config");
    json_t *of_container = json_object_get(image->config, "container_config");
    struct snapshot_store *snapshots = engine_snapshots(engine, &ignored);

    ct_json_set_string(document, "Id", image->id);
    ct_json_set(document, "RepoTags", familiar_tags(image));
    ct_json_set(document, "RepoDigests", json_array());
    ct_json_set_string(document, "Parent", "");
    ct_json_set_string(document, "Comment", ct_json_string(image->config, "comment", ""));
    ct_json_set_string(document, "Created", ct_json_string(image->config, "created", CT_TIME_ZERO));
    ct_json_set_string(document, "Container", ct_json_string(image->config, "container", ""));
    /* Of the container that it was made from; clients of these versions want to see it. */
    ct_json_set(document, "ContainerConfig",
                json_is_object(of_container) ? json_incref(of_container) : json_object());
    ct_json_set_string(document, "DockerVersion",
                       ct_json_string(image->config, "docker_version", ""));
    ct_json_set_string(document, "Author", ct_json_string(image->config, "author", ""));
    ct_json_set(document, "Config", config ? json_incref(config) : json_object());
    ct_json_set_string(document, "Architecture", ct_json_string(image->config, "architecture", ""));
    ct_json_set_string(document, "Os", ct_json_string(image->config, "os", "linux"));
    ct_json_set(document, "Size", json_integer(image->size_bytes));
    ct_json_set(document, "VirtualSize", json_integer(image->size_bytes));
    ct_json_set(
        document, "GraphDriver",
        json_pack("{s:s,s:n}", "Name", snapshots ? snapshot_driver(snapshots) : "", "Data"));
    json_t *diff_ids = ct_json_get(image->config, "rootfs.diff_ids");
    ct_json_set(document, "RootFS",
                json_pack("{s:s,s:o}", "Type", "layers", "Layers",
                          diff_ids ? json_incref(diff_ids) : json_array()));
    ct_json_set(document, "Metadata", json_pack("{s:s}", "LastTagTime", CT_TIME_ZERO));
    return document;
}

int engine_image_inspect(struct engine *engine, const char *ref, json_t **ret, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_LOAD, "engine_image_inspect(%s)", ref);
    struct image *image = engine_find_image(engine, ref, err);

    *ret = image ? describe(engine, image) : NULL;
    image_free(image);
    return *ret ? 0 : -1;
}

int engine_image_history(struct engine *engine, const char *ref, json_t **ret, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_LOAD, "engine_image_history(%s)", ref);
    struct image_store *images = engine_images(engine, err);
    struct image *image = images ? image_find(images, ref, err) : NULL;

    *ret = image ? image_history(images, image, err) : NULL;
    image_free(image);
    return *ret ? 0 : ct_while(err, "read the history of '%.200s'", ref);
}

int engine_image_load(struct engine *engine, int in_fd, const struct engine_io *io,
                      struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_UNPACK, "engine_image_load");
    struct image_store *images = engine_images(engine, err);
    struct image_io store_io = engine_image_io(io, "Loading layer");
    CT_AUTO_JSON json_t *loaded = NULL;
    size_t i;
    json_t *reference;

    if (!images || image_load(images, in_fd, &store_io, &loaded, err) < 0) {
        return ct_while(err, "load an image");
    }
    json_array_foreach(loaded, i, reference)
    {
        const char *text = json_string_value(reference);
        const char *what =
            strncmp(text, "sha256:", 7) == 0 ? "Loaded image ID: " : "Loaded image: ";
        CT_AUTO_FREE char *line = ct_printf("%s%s\n", what, text);
        engine_say(io, line);
        engine_event(engine, "image", "load", text, "name", text);
    }
    return 0;
}

int engine_image_save(struct engine *engine, const char *const *refs, size_t n, int out_fd,
                      const struct engine_io *io, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_REPLY, "engine_image_save");
    struct image_store *images = engine_images(engine, err);
    struct image_io store_io = engine_image_io(io, "Saving layer");

    if (!images || image_save(images, refs, n, out_fd, &store_io, err) < 0) {
        return ct_while(err, "save images");
    }
    for (size_t i = 0; i < n; i++) {
        engine_event(engine, "image", "save", refs[i], "name", refs[i]);
    }
    return 0;
}

static const char *machine_architecture(void)
{
    static struct utsname machine;
    if (uname(&machine) < 0) {
        return "amd64";
    }
    if (strcmp(machine.machine, "aarch64") == 0) {
        return "arm64";
    }
    return strcmp(machine.machine, "x86_64") == 0 ? "amd64" : machine.machine;
}

/* "linux/arm64" -> os and architecture. */
static int set_platform(json_t *document, const char *platform, struct ct_error *err)
{
    ct_json_set_string(document, "os", "linux");
    ct_json_set_string(document, "architecture", machine_architecture());
    if (!platform || !*platform) {
        return 0;
    }
    const char *slash = strchr(platform, '/');
    if (strncmp(platform, "linux", 5) != 0 || (slash != platform + 5 && platform[5] != '\0')) {
        return ct_refuse(err, CT_UNSUPPORTED, "import for platform '%.40s': only linux runs here",
                         platform);
    }
    if (slash) {
        ct_json_set_string(document, "architecture", slash + 1);
    }
    return 0;
}

int engine_image_import(struct engine *engine, const struct engine_import *how, int in_fd,
                        const struct engine_io *io, char **ret_id, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_UNPACK, "engine_image_import");
    struct image_store *images = engine_images(engine, err);
    struct image_io store_io = engine_image_io(io, "Importing");
    CT_AUTO_JSON json_t *document = json_object();
    CT_AUTO_FREE char *reference = NULL;
    char now[CT_TIME_TEXT];

    if (how->repository && *how->repository) {
        reference = how->tag && *how->tag ? ct_printf("%s:%s", how->repository, how->tag)
                                          : ct_strdup(how->repository);
    }
    ct_json_set_string(document, "created", ct_time_format(ct_now_ns(), now));
    ct_json_set_string(document, "comment", how->message ? how->message : "Imported from -");
    ct_json_set(document, "config", json_object());
    if (!images || set_platform(document, how->platform, err) < 0 ||
        changes_apply(json_object_get(document, "config"), how->changes, err) < 0 ||
        image_create(images, NULL, document, in_fd, reference, &store_io, ret_id, err) < 0) {
        return ct_while(err, "import an image");
    }
    engine_event(engine, "image", "import", *ret_id, "name", reference ? reference : "");
    return 0;
}

int engine_image_tag(struct engine *engine, const char *source, const char *target,
                     struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_SAVE, "engine_image_tag(%s, %s)", source, target);
    struct image *image = engine_find_image(engine, source, err);

    if (!image || image_tag(engine_images(engine, err), source, target, err) < 0) {
        image_free(image);
        return ct_while(err, "tag '%.200s'", source);
    }
    engine_event(engine, "image", "tag", image->id, "name", target);
    image_free(image);
    return 0;
}

static void announce_deletions(struct engine *engine, const json_t *deleted)
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)deleted, i, item)
    {
        const char *untagged = ct_json_string(item, "Untagged", NULL);
        const char *id = untagged ? untagged : ct_json_string(item, "Deleted", "");
        engine_event(engine, "image", untagged ? "untag" : "delete", id, "name", id);
    }
}

int engine_image_remove(struct engine *engine, const char *ref, bool force, bool no_prune,
                        json_t **ret_deleted, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_CLEANUP, "engine_image_remove(%s)", ref);
    struct image_store *images = engine_images(engine, err);

    if (!images || image_remove(images, ref, force, no_prune, engine_image_is_used, engine,
                                ret_deleted, err) < 0) {
        return ct_while(err, "remove image '%.200s'", ref);
    }
    announce_deletions(engine, *ret_deleted);
    return 0;
}

static int prune_one(struct engine *engine, struct image_store *images, const struct image *image,
                     const json_t *filters, int only_dangling, json_t *deleted,
                     struct ct_error *err)
{
    bool old_enough = true;
    struct ct_error in_use = {0};
    CT_AUTO_JSON json_t *gone = NULL;

    if (filters_match_until(filters, image_created_ns(image), &old_enough, err) < 0) {
        return -1;
    }
    if (!old_enough || (only_dangling && ct_json_count(image->tags) > 0) ||
        !filters_match_labels(filters, ct_json_get(image->config, "config.Labels")) ||
        engine_image_is_used(engine, image->id)) {
        return 0;
    }
    if (image_remove(images, image->id, true, false, engine_image_is_used, engine, &gone,
                     &in_use) == 0) {
        announce_deletions(engine, gone);
        (void)json_array_extend(deleted, gone);
    }
    return 0;
}

int engine_image_prune(struct engine *engine, const json_t *filters, json_t **ret,
                       struct ct_error *err)
{
    static const char *const known[] = {"dangling", "label", "label!", "until", NULL};
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_CLEANUP, "engine_image_prune");
    int only_dangling = filters_bool(filters, "dangling", 1, err);
    struct image_store *images = engine_images(engine, err);
    CT_AUTO_JSON json_t *deleted = json_array();
    int64_t reclaimed = 0;

    if (!images || only_dangling < 0 || filters_check(filters, known, err) < 0) {
        return ct_while(err, "prune images");
    }
    struct image **list = image_list(images, err);
    int result = list ? 0 : -1;
    for (struct image **i = list; result == 0 && *i; i++) {
        size_t before = json_array_size(deleted);
        result = prune_one(engine, images, *i, filters, only_dangling, deleted, err);
        reclaimed += json_array_size(deleted) > before ? (*i)->size_bytes : 0;
    }
    image_list_free(list);
    if (result < 0) {
        return ct_while(err, "prune images");
    }
    *ret = json_object();
    ct_json_set(*ret, "ImagesDeleted", ct_steal(deleted));
    ct_json_set(*ret, "SpaceReclaimed", json_integer(reclaimed));
    return 0;
}

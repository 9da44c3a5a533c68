/*
 * resolve.c - all of a request's mounts together, in the order to be mounted, sources made.
 *
 * Room:       volumes.   Called by: engine (create).
 *
 * It makes volumes through the door as everybody, wherever the store is: stage 04 takes this file
 * without store.c.
 */
#define CT_LAYER "volumes"
#include "volumes_internal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const char *destination_of(const json_t *mount)
{
    return ct_json_string(mount, "Destination", "");
}

static json_t *mount_at(const json_t *mounts, const char *destination)
{
    size_t i;
    json_t *mount;
    json_array_foreach((json_t *)mounts, i, mount)
    {
        if (strcmp(destination_of(mount), destination) == 0) {
            return mount;
        }
    }
    return NULL;
}

static int check_duplicates(const json_t *mounts, struct ct_error *err)
{
    size_t i;
    json_t *mount;
    json_array_foreach((json_t *)mounts, i, mount)
    {
        if (mount_at(mounts, destination_of(mount)) != mount) {
            return ct_refuse(err, CT_INVALID, "duplicate mount point: %.100s",
                             destination_of(mount));
        }
    }
    return 0;
}

/* The image's volumes stand only where the request has nothing of its own. */
static void add_missing(json_t *mounts, const json_t *from_image)
{
    size_t i;
    json_t *mount;
    json_array_foreach((json_t *)from_image, i, mount)
    {
        if (!mount_at(mounts, destination_of(mount))) {
            ct_json_append(mounts, json_incref(mount));
        }
    }
}

static size_t depth(const json_t *mount)
{
    size_t n = 0;
    for (const char *c = destination_of(mount); *c; c++) {
        n += *c == '/';
    }
    return n;
}

/* Parents before what is mounted inside them; otherwise the request's order. */
static json_t *in_mount_order(json_t *mounts)
{
    json_t *ordered = json_array();
    size_t deepest = 0, i;
    json_t *mount;

    json_array_foreach(mounts, i, mount)
    {
        deepest = depth(mount) > deepest ? depth(mount) : deepest;
    }
    for (size_t level = 1; level <= deepest; level++) {
        json_array_foreach(mounts, i, mount)
        {
            if (depth(mount) == level) {
                ct_json_append(ordered, json_incref(mount));
            }
        }
    }
    return ordered;
}

static int prepare_bind(json_t *mount, struct ct_error *err)
{
    const char *source = ct_json_string(mount, "Source", "");
    bool create = ct_json_bool(mount, "Create", false);

    (void)json_object_del(mount, "Create");
    if (access(source, F_OK) == 0) {
        return 0;
    }
    if (errno != ENOENT || !create) {
        (void)ct_fail(err, errno, "bind source path '%.200s'", source);
        err->kind = CT_INVALID;
        return ct_hint(err, "make it first");
    }
    CT_AUTO_CLOSE int made = ct_mkdirs(source, 0755, err);
    return made < 0 ? -1 : 0;
}

static int prepare_volume(struct volume_store *store, json_t *mount, struct ct_error *err)
{
    CT_AUTO_JSON json_t *body = json_object();
    bool made = false;

    ct_json_set_string(body, "Name", ct_json_string(mount, "Name", ""));
    if (json_object_get(mount, "Labels")) {
        ct_json_set(body, "Labels", json_incref(json_object_get(mount, "Labels")));
        (void)json_object_del(mount, "Labels");
    }
    CT_AUTO_JSON json_t *volume = volume_ensure(store, body, &made, err);
    if (!volume) {
        return -1;
    }
    ct_json_set_string(mount, "Name", ct_json_string(volume, "Name", ""));
    ct_json_set_string(mount, "Source", ct_json_string(volume, "Mountpoint", ""));
    if (made) {
        ct_json_set(mount, "Created", json_true());
    }
    return 0;
}

static int prepare(struct volume_store *store, json_t *mount, struct ct_error *err)
{
    const char *type = ct_json_string(mount, "Type", "");
    if (strcmp(type, "bind") == 0) {
        return prepare_bind(mount, err);
    }
    return strcmp(type, "volume") == 0 ? prepare_volume(store, mount, err) : 0;
}

/* Takes back the volumes made for a request that failed half-way. */
static void undo(struct volume_store *store, const json_t *mounts)
{
    size_t i;
    json_t *mount;
    json_array_foreach((json_t *)mounts, i, mount)
    {
        struct ct_error ignored = {0};
        if (ct_json_bool(mount, "Created", false)) {
            (void)volume_remove(store, ct_json_string(mount, "Name", ""), true, &ignored);
        }
    }
}

int volume_resolve(struct volume_store *store, const json_t *host_config,
                   const json_t *image_volumes, json_t **ret_mounts, struct ct_error *err)
{
    CT_AUTO_JSON json_t *asked = json_array();
    CT_AUTO_JSON json_t *from_image = json_array();
    size_t i;
    json_t *mount;

    if (mounts_from_binds(json_object_get(host_config, "Binds"), asked, err) < 0 ||
        mounts_from_mounts(json_object_get(host_config, "Mounts"), asked, err) < 0 ||
        mounts_from_tmpfs(json_object_get(host_config, "Tmpfs"), asked, err) < 0 ||
        mounts_from_image(image_volumes, from_image, err) < 0 || check_duplicates(asked, err) < 0) {
        return -1;
    }
    add_missing(asked, from_image);
    CT_AUTO_JSON json_t *ordered = in_mount_order(asked);
    json_array_foreach(ordered, i, mount)
    {
        if (prepare(store, mount, err) < 0) {
            undo(store, ordered);
            return ct_while(err, "prepare mount '%.100s'", destination_of(mount));
        }
    }
    *ret_mounts = ct_steal(ordered);
    return 0;
}

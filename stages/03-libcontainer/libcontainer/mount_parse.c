/*
 * mount_parse.c - "mounts" of a configuration, taken apart and checked.
 *
 * Room:       libcontainer.   Called by: configuration.c.
 * Spec:       config.md, "Mounts".
 */
#define CT_LAYER "config"
#include "mounting.h"

#include "fields.h"

#include "path.h"

#include <stdio.h>
#include <string.h>

/* "../../bundle" and "rootfs" are meant from the bundle. */
static const char *absolute(const char *source, const char *bundle, struct pool *pool)
{
    return *source == '/' ? source : pool_keep(pool, ct_join(bundle, source));
}

static int check_bind(const struct lc_mount *mount, const char *where, struct ct_error *err)
{
    if (!mount->source) {
        return lc_field_missing(where, "source", err);
    }
    if (mount->attributes.n_data > 0) {
        return ct_refuse(err, CT_INVALID, "%s.options: a bind mount has no option '%.60s'", where,
                         mount->attributes.data[0]);
    }
    if (mount->attributes.copy_up) {
        return ct_refuse(err, CT_INVALID, "%s.options: 'tmpcopyup' is for a tmpfs", where);
    }
    return 0;
}

static int check_filesystem(const struct lc_mount *mount, const char *where, struct ct_error *err)
{
    if (!mount->type) {
        return lc_field_missing(where, "type", err);
    }
    if (mount->attributes.copy_up && strcmp(mount->type, "tmpfs") != 0) {
        return ct_refuse(err, CT_INVALID, "%s.options: 'tmpcopyup' is for a tmpfs", where);
    }
    if (mount->attributes.idmap || mount->idmap.n_uids > 0) {
        return ct_refuse(err, CT_UNSUPPORTED, "%s: map the users of something else than a bind",
                         where);
    }
    return 0;
}

static int parse_one(const json_t *entry, const char *where, const char *bundle, struct pool *pool,
                     struct lc_mount *ret, struct ct_error *err)
{
    const char *const *options = NULL;

    if (lc_field_is_object(entry, where, err) < 0 ||
        lc_field_string(entry, where, "destination", &ret->destination, err) < 0 ||
        lc_field_string(entry, where, "type", &ret->type, err) < 0 ||
        lc_field_string(entry, where, "source", &ret->source, err) < 0 ||
        lc_field_strings(entry, where, "options", pool, &options, err) < 0 ||
        lc_mount_options_parse(options, where, pool, &ret->attributes, err) < 0 ||
        lc_idmap_parse(entry, where, pool, &ret->idmap, err) < 0) {
        return -1;
    }
    if (!ret->destination || !*ret->destination) {
        return lc_field_missing(where, "destination", err);
    }
    if (*ret->destination != '/') { /* older configurations have it so: from the root, as runc */
        ret->destination = pool_keep(pool, ct_join("/", ret->destination));
    }
    /* runc and crun take the options' word for it: "type" is often missing or "none" then. */
    ret->attributes.bind = ret->attributes.bind || (ret->type && strcmp(ret->type, "bind") == 0);
    if (!ret->attributes.bind) {
        return check_filesystem(ret, where, err);
    }
    if (check_bind(ret, where, err) < 0) {
        return -1;
    }
    ret->source = absolute(ret->source, bundle, pool);
    return 0;
}

int lc_mounts_parse(const json_t *mounts, const char *bundle, struct pool *pool,
                    struct lc_mount **ret, size_t *ret_n, struct ct_error *err)
{
    size_t n = json_array_size(mounts);
    struct lc_mount *list = pool_array(pool, n, sizeof(*list));
    char where[LC_WHERE];

    for (size_t i = 0; i < n; i++) {
        (void)snprintf(where, sizeof(where), "mounts[%zu]", i);
        if (parse_one(json_array_get(mounts, i), where, bundle, pool, &list[i], err) < 0) {
            return -1;
        }
    }
    *ret = list;
    *ret_n = n;
    return 0;
}

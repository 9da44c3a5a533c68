/*
 * lookup.c - finding containers: by id, by name, by the beginning of an id; and all of them.
 *
 * Room:       containers.   Called by: engine, monitor.
 */
#define CT_LAYER "containers"
#include "containers_internal.h"

#include "cleanup.h"
#include "json.h"
#include "log.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static DIR *open_records(const struct container_store *store, struct ct_error *err)
{
    int fd = openat(store->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (!dir) {
        (void)ct_fail(err, errno, "list the containers");
        ct_cleanup_close(&fd);
    }
    return dir;
}

/* 0: none, 1: one (ret_id), 2: several; -1: error. */
static int match_prefix(const struct container_store *store, const char *prefix,
                        char ret_id[static 65], struct ct_error *err)
{
    CT_AUTO_DIR DIR *dir = open_records(store, err);
    size_t length = strlen(prefix);
    int matches = 0;
    struct dirent *entry;

    if (!dir) {
        return -1;
    }
    while (matches < 2 && (entry = readdir(dir))) {
        if (is_container_id(entry->d_name) && strncmp(entry->d_name, prefix, length) == 0) {
            memcpy(ret_id, entry->d_name, 65);
            matches++;
        }
    }
    return matches;
}

static int resolve(struct container_store *store, const char *reference, char ret_id[static 65],
                   struct ct_error *err)
{
    const char *name = reference[0] == '/' ? reference + 1 : reference;
    size_t length = strlen(reference);

    if (is_container_id(reference) &&
        faccessat(store->dir_fd, reference, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        memcpy(ret_id, reference, 65);
        return 0;
    }
    if (*name && name_resolve(store, name, ret_id)) {
        return 0;
    }
    /* Only hex digits can begin an id; the empty text would begin them all. */
    bool may_be_prefix =
        length > 0 && length < 64 && strspn(reference, "0123456789abcdef") == length;
    int matches = may_be_prefix ? match_prefix(store, reference, ret_id, err) : 0;
    if (matches == 0) {
        return ct_refuse(err, CT_NOT_FOUND, "no such container: %.64s%s", reference,
                         length > 64 ? "…" : "");
    }
    if (matches > 1) {
        (void)ct_refuse(err, CT_INVALID, "multiple containers begin with '%s'", reference);
        return ct_hint(err, "give more digits of the id, or the name");
    }
    return matches < 0 ? -1 : 0;
}

struct container *container_find(struct container_store *store, const char *reference,
                                 struct ct_error *err)
{
    char id[65];

    if (resolve(store, reference, id, err) < 0) {
        return NULL;
    }
    return record_open(store, id, err);
}

struct listed {
    struct container *container;
    int64_t created_ns;
};

static int newest_first(const void *a, const void *b)
{
    const struct listed *x = a, *y = b;
    if (x->created_ns != y->created_ns) {
        return x->created_ns < y->created_ns ? 1 : -1;
    }
    return strcmp(x->container->id, y->container->id); /* any order, but always the same */
}

static int64_t created_ns(const struct container *container)
{
    struct ct_error ignored = {0};
    int64_t ns = 0;
    (void)ct_time_parse(ct_json_string(container->config, "Created", CT_TIME_ZERO), &ns, &ignored);
    return ns;
}

/*
 * One more record; a broken one is logged and left out, a removed one just left out. -1: our own
 * means are at an end, which must not look like fewer containers.
 */
static int read_one(struct container_store *store, const char *id, struct listed *ret,
                    struct ct_error *err)
{
    struct ct_error broken = {0};
    char line[400];

    ret->container = record_open(store, id, &broken);
    if (ret->container) {
        ret->created_ns = created_ns(ret->container);
    } else if (broken.sys == EMFILE || broken.sys == ENFILE || broken.sys == ENOMEM) {
        *err = broken;
        return ct_hint(err, "raise the limit of open files (ulimit -n)");
    } else if (broken.kind != CT_NOT_FOUND) {
        ct_warn("leave container %.12s out: %s", id, ct_error_render(&broken, line, sizeof(line)));
    }
    return 0;
}

/* Reads all records. Returns their number, or -1; *ret is owned. */
static ssize_t read_all(struct container_store *store, struct listed **ret, struct ct_error *err)
{
    CT_AUTO_DIR DIR *dir = open_records(store, err);
    struct listed *all = NULL;
    size_t n = 0, room = 0;
    int result = dir ? 0 : -1;
    struct dirent *entry;

    while (result == 0 && (entry = readdir(dir))) {
        if (!is_container_id(entry->d_name)) {
            continue;
        }
        if (n == room) {
            room = room ? 2 * room : 16;
            all = reallocarray(all, room, sizeof(*all));
            if (!all) {
                abort(); /* as everywhere when small memory is out: no state is half written here */
            }
        }
        result = read_one(store, entry->d_name, &all[n], err);
        n += all[n].container ? 1 : 0;
    }
    while (result < 0 && n > 0) {
        container_free(all[--n].container);
    }
    *ret = all;
    return result < 0 ? -1 : (ssize_t)n;
}

struct container **container_list(struct container_store *store, struct ct_error *err)
{
    CT_AUTO_FREE struct listed *all = NULL;
    ssize_t n = read_all(store, &all, err);
    struct container **list = n < 0 ? NULL : calloc((size_t)n + 1, sizeof(struct container *));

    if (!list) {
        return n < 0 ? NULL : ct_fail_null(err, ENOMEM, "list the containers");
    }
    if (n > 1) {
        qsort(all, (size_t)n, sizeof(*all), newest_first);
    }
    for (ssize_t i = 0; i < n; i++) {
        list[i] = all[i].container;
    }
    return list;
}

void container_list_free(struct container **containers)
{
    for (struct container **c = containers; c && *c; c++) {
        container_free(*c);
    }
    free(containers);
}

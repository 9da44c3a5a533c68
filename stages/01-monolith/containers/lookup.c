/*
 * lookup.c - finding one container: by id, by name, by the beginning of an id.
 *
 * Room:       containers.   Called by: engine, monitor.
 */
#define CT_LAYER "containers"
#include "containers_internal.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

DIR *open_records(const struct container_store *store, struct ct_error *err)
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

    if (is_container_id(reference) &&
        faccessat(store->dir_fd, reference, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        memcpy(ret_id, reference, 65);
        return 0;
    }
    if (*name && name_resolve(store, name, ret_id)) {
        return 0;
    }
    int matches =
        reference_may_be_prefix(reference) ? match_prefix(store, reference, ret_id, err) : 0;
    return matches == 1 ? 0 : matches < 0 ? -1 : reference_refuse(reference, matches, err);
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

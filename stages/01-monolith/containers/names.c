/*
 * names.c - the names of containers: who has which. Which are allowed: words.c.
 *
 * Room:       containers.   Called by: containers.c, lookup.c.
 *
 * DIR/names/<name> is a symlink whose text is the id; it points to nothing and nobody follows it.
 * symlink(2) fails when the name is there, which makes claiming atomic. A link counts only if
 * the record that it names bears the name, too: a crash may have left one that does not.
 */
#define CT_LAYER "containers"
#include "containers_internal.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The id that the link says; false when there is no such link, or it says nothing sensible. */
static bool read_link(const struct container_store *store, const char *name, char ret_id[static 65])
{
    char text[66];
    ssize_t length = readlinkat(store->names_fd, name, text, sizeof(text));

    if (length != 64) {
        return false;
    }
    text[64] = '\0';
    memcpy(ret_id, text, 65);
    return is_container_id(ret_id);
}

static bool bears_name(const struct container_store *store, const char *id, const char *name)
{
    struct ct_error missing = {0};
    CT_AUTO_FREE char *path = ct_printf("%s/config.json", id);
    CT_AUTO_JSON json_t *config = ct_json_load_at(store->dir_fd, path, &missing);
    const char *recorded = ct_json_string(config, "Name", "");

    /* A record that cannot be read keeps the name that points to it: better than to lose it. */
    return config ? strcmp(recorded[0] == '/' ? recorded + 1 : recorded, name) == 0
                  : missing.kind != CT_NOT_FOUND;
}

bool name_resolve(struct container_store *store, const char *name, char ret_id[static 65])
{
    return strlen(name) <= NAME_MAX_BYTES && !strchr(name, '/') && read_link(store, name, ret_id) &&
           bears_name(store, ret_id, name);
}

int name_claim(struct container_store *store, const char *name, const char *id,
               struct ct_error *err)
{
    char holder[65];

    if (symlinkat(id, store->names_fd, name) == 0) {
        return ct_sync_dir(store->names_fd, err);
    }
    if (errno != EEXIST) {
        return ct_fail(err, errno, "claim the name '%s'", name);
    }
    if (name_resolve(store, name, holder)) {
        return name_refuse_taken(name, holder, err);
    }
    /* A link of the dead: we hold the store's lock, so nobody is about to give it a record. */
    if (unlinkat(store->names_fd, name, 0) < 0 || symlinkat(id, store->names_fd, name) < 0) {
        return ct_fail(err, errno, "claim the name '%s'", name);
    }
    return ct_sync_dir(store->names_fd, err);
}

void name_release(struct container_store *store, const char *name)
{
    if (*name) {
        (void)unlinkat(store->names_fd, name, 0); /* one that stays is a link of the dead */
    }
}

/*
 * messages.c - parts that many messages have: maps of labels, times, masks, names.
 *
 * Room:       containerd.   Called by: its services (store.h).
 */
#include "containerd_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_MAX      4096 /* bytes of key and value */
#define IDENTIFIER_MAX 76

/* ---- building ------------------------------------------------------------------------------- */

Google__Protobuf__Timestamp *timestamp_copy(const Google__Protobuf__Timestamp *of,
                                            struct pool *pool)
{
    if (!of) {
        return NULL;
    }
    Google__Protobuf__Timestamp *time = message_new(&google__protobuf__timestamp__descriptor, pool);
    time->seconds = of->seconds;
    time->nanos = of->nanos;
    return time;
}

Google__Protobuf__Any *any_of(char *type, ProtobufCBinaryData value, struct pool *pool)
{
    if (!*type) {
        return NULL;
    }
    Google__Protobuf__Any *any = message_new(&google__protobuf__any__descriptor, pool);
    any->type_url = type;
    any->value = value;
    return any;
}

int check_identifier(const char *what, const char *id, struct ct_error *err)
{
    size_t length = strlen(id);
    bool separated = true; /* at the start and after a separator a letter must follow */

    if (length == 0 || length > IDENTIFIER_MAX) {
        return ct_refuse(err, CT_INVALID, "the name of a %s has 1 to %d characters, not %zu", what,
                         IDENTIFIER_MAX, length);
    }
    for (const char *c = id; *c; c++) {
        bool separator = strchr("._-", *c) != NULL;
        if (separator ? separated : !isalnum((unsigned char)*c)) {
            separated = true;
            length = 0;
            break;
        }
        separated = separator;
    }
    if (length == 0 || separated) {
        return ct_refuse(err, CT_INVALID,
                         "'%.80s' is no name of a %s: letters and digits, single . _ - between", id,
                         what);
    }
    return 0;
}

/* ---- masks ---------------------------------------------------------------------------------- */

/* path is field, or begins with field and a dot. */
static bool is_below(const char *path, const char *field)
{
    size_t length = strlen(field);
    return strncmp(path, field, length) == 0 && (path[length] == '\0' || path[length] == '.');
}

bool mask_has(store_mask mask, const char *field)
{
    for (size_t i = 0; mask && i < mask->n_paths; i++) {
        if (is_below(mask->paths[i], field)) {
            return true;
        }
    }
    return !mask || mask->n_paths == 0;
}

int mask_check(store_mask mask, const char *const *fields, struct ct_error *err)
{
    for (size_t i = 0; mask && i < mask->n_paths; i++) {
        const char *const *field = fields;
        while (*field && !is_below(mask->paths[i], *field)) {
            field++;
        }
        if (!*field) {
            return ct_refuse(err, CT_INVALID, "field '%.80s' cannot be changed", mask->paths[i]);
        }
    }
    return 0;
}

/* ---- labels --------------------------------------------------------------------------------- */

static int check_label(const struct map_entry *entry, struct ct_error *err)
{
    if (strlen(entry->key) + strlen(entry->value) > LABEL_MAX) {
        return ct_refuse(err, CT_INVALID, "label '%.60s' and its value have over %d bytes",
                         entry->key, LABEL_MAX);
    }
    return 0;
}

static int set_label(struct store *store, const char *namespace_, const char *kind,
                     const char *object, const struct map_entry *entry, struct ct_error *err)
{
    if (check_label(entry, err) < 0) {
        return -1;
    }
    return store_run(store, err, "INSERT OR REPLACE INTO labels VALUES (?, ?, ?, ?, ?)", "sssss",
                     namespace_, kind, object, entry->key, entry->value);
}

int labels_delete(struct store *store, const char *namespace_, const char *kind, const char *object,
                  struct ct_error *err)
{
    return store_run(store, err,
                     "DELETE FROM labels WHERE namespace = ? AND kind = ? AND object = ?", "sss",
                     namespace_, kind, object) < 0
               ? -1
               : 0;
}

/* "labels.a": one of them. */
static int write_one(struct store *store, const char *namespace_, const char *kind,
                     const char *object, struct map_entry *const *entries, size_t n,
                     const char *name, struct ct_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(entries[i]->key, name) == 0 && *entries[i]->value) {
            return set_label(store, namespace_, kind, object, entries[i], err);
        }
    }
    return store_run(
        store, err,
        "DELETE FROM labels WHERE namespace = ? AND kind = ? AND object = ? AND name = ?", "ssss",
        namespace_, kind, object, name);
}

int labels_write(struct store *store, const char *namespace_, const char *kind, const char *object,
                 void *entries, size_t n, store_mask mask, const char *field, struct ct_error *err)
{
    struct map_entry *const *list = entries;
    size_t length = strlen(field);
    bool all = !mask || mask->n_paths == 0;

    for (size_t i = 0; mask && i < mask->n_paths; i++) {
        const char *path = mask->paths[i];
        if (strcmp(path, field) == 0) {
            all = true;
        } else if (is_below(path, field) && write_one(store, namespace_, kind, object, list, n,
                                                      path + length + 1, err) < 0) {
            return -1;
        }
    }
    if (!all) {
        return 0;
    }
    if (labels_delete(store, namespace_, kind, object, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        if (set_label(store, namespace_, kind, object, list[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

void *labels_read(struct store *store, const char *namespace_, const char *kind, const char *object,
                  const ProtobufCMessageDescriptor *type, struct pool *pool, size_t *ret_n,
                  struct ct_error *err)
{
    AUTO_STATEMENT sqlite3_stmt *rows = store_query(
        store, err,
        "SELECT name, value FROM labels WHERE namespace = ? AND kind = ? AND object = ?", "sss",
        namespace_, kind, object);
    void **entries = NULL;

    *ret_n = 0;
    while (rows && store_row(rows, err) > 0) {
        struct map_entry *entry = message_new(type, pool);
        entry->key = store_text(rows, 0, pool);
        entry->value = store_text(rows, 1, pool);
        list_add(&entries, ret_n, entry, pool);
    }
    return entries;
}

/*
 * output.c - documents and tables on standard output, in runc's forms.
 *
 * Room:       runc.   Called by: the commands.
 */
#define CT_LAYER "runc"
#include "runc_internal.h"

#include "cleanup.h"
#include "json.h"

#include <string.h>

static int print(json_t *json, size_t flags, struct ct_error *err)
{
    CT_AUTO_JSON json_t *owned = json;

    if (!owned) {
        return -1;
    }
    if (json_dumpf(owned, stdout, JSON_ENCODE_ANY | flags) < 0 || putchar('\n') < 0) {
        return ct_fail(err, EIO, "print");
    }
    return 0;
}

int runc_print_json(json_t *json, struct ct_error *err)
{
    return print(json, JSON_INDENT(2), err);
}

int runc_print_line(json_t *json, struct ct_error *err)
{
    return print(json, JSON_COMPACT, err);
}

int runc_wants_json(const struct runc_args *args, bool *ret, struct ct_error *err)
{
    const char *format = runc_args_text(args, "format");

    *ret = format && strcmp(format, "json") == 0;
    return !format || *ret || strcmp(format, "table") == 0
               ? 0
               : ct_refuse(err, CT_INVALID, "invalid format option '%.40s'", format);
}

json_t *runc_state_of(const struct lc_container *container)
{
    static const char *const keys[] = {"ociVersion", "id",      "pid",         "status", "bundle",
                                       "rootfs",     "created", "annotations", "owner"};
    CT_AUTO_JSON json_t *state = lc_state(container);
    json_t *ordered = json_object();

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        json_t *value = json_object_get(state, keys[i]);
        if (value) {
            ct_json_set(ordered, keys[i], json_incref(value));
        }
    }
    return ordered;
}

/*
 * shape.h - has a document the form that it must have? One row for each thing in it.
 *
 * Room:       lib. Called by: engine and daemon, for what strangers send.
 *
 * A path is keys with dots between them; "*" stands for every key of an object and "[]" for every
 * element of a list: "HostConfig.PortBindings.*[].HostPort". What is missing or null has any form,
 * and what no row names, too.
 */
#ifndef CT_SHAPE_H
#define CT_SHAPE_H

#include "error.h"

#include <jansson.h>
#include <stdbool.h>

enum ct_type { CT_TEXT, CT_INTEGER, CT_BOOLEAN, CT_LIST, CT_OBJECT };

struct ct_shape {
    const char *path; /* NULL: the end of the rows */
    enum ct_type type;
};

bool ct_has_type(const json_t *value, enum ct_type type);
const char *ct_type_name(enum ct_type type); /* "a string" */

/*
 * ct_shape_check - CT_INVALID names the first thing that is of another type, with `where` ("": the
 * document itself) in front: "read field 'HostConfig.Dns[0]': it is not a string".
 */
int ct_shape_check(const json_t *document, const struct ct_shape *rows, const char *where,
                   struct ct_error *err);

#endif

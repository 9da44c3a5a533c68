/*
 * template.h - Go templates over JSON documents: what --format takes.
 *
 * Room:       cli.   Called by: format.c, inspect.c.
 * Spec:       Go's text/template, the part that Docker's users write, and Docker's functions:
 *             json, split, join, title, lower, upper, pad, truncate, println, and Go's own index,
 *             len, print, printf, eq, ne, lt, le, gt, ge, and, or, not, slice.
 *
 * {{.A.B}} {{json .}} {{range .X}} {{range $k, $v := .X}} {{else}} {{if}} {{with}} {{end}}
 * {{$x := …}} {{/ * comment * /}} pipelines, parentheses, and {{- trimming -}}.
 */
#ifndef CLI_TEMPLATE_H
#define CLI_TEMPLATE_H

#include "error.h"

#include <jansson.h>

/*
 * template_render - the text of format over data. *ret is owned. CT_INVALID with Go's words: a
 * template that does not parse, a field that is not there. Nesting and output are limited.
 */
int template_render(const char *format, const json_t *data, char **ret, struct ct_error *err);

#endif

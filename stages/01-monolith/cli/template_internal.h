/*
 * template_internal.h - what template.c, expression.c and functions.c share.
 *
 * Room:       cli; included by these three only. A value is a JSON value.
 */
#ifndef CLI_TEMPLATE_INTERNAL_H
#define CLI_TEMPLATE_INTERNAL_H

#include "error.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct scope {
    json_t *root; /* "$", borrowed */
    json_t *dot;  /* ".", borrowed */
    struct variable {
        char *name; /* "$x" */
        json_t *value;
    } * variables;
    size_t n_variables;
};

/* Sets the innermost variable of that name, or a new one. The value is borrowed; a reference is
 * taken. */
void scope_set(struct scope *scope, const char *name, json_t *value);
/* Forgets all variables but the first n. */
void scope_drop(struct scope *scope, size_t n);

/* expression.c: a pipeline. Owned value; NULL with CT_INVALID. */
json_t *expression_evaluate(const char *text, const struct scope *scope, struct ct_error *err);

/* functions.c. call: a function by name with its arguments (borrowed array). Owned; NULL with
 * CT_INVALID. */
bool function_exists(const char *name, size_t length);
json_t *function_call(const char *name, size_t length, const json_t *arguments,
                      struct ct_error *err);
bool value_is_true(const json_t *value);
/* As Go's fmt prints it: text bare, lists "[a b]", maps "map[k:v]". */
void value_print(FILE *out, const json_t *value);

#endif

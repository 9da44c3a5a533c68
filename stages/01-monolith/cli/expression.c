/*
 * expression.c - reads and evaluates one pipeline of a template.
 *
 * Room:       cli.   Called by: template.c.
 * Spec:       text/template, "Arguments" and "Pipelines".
 *
 *   pipeline = command { "|" command }      the result is the last argument of the next command
 *   command  = operand { operand }          a function and its arguments, or a single value
 *   operand  = ( literal | "." | field | variable | "(" pipeline ")" ) { "." name }
 */
#define CT_LAYER "format"
#include "template_internal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 64

struct reader {
    const char *rest;
    const struct scope *scope;
    struct ct_error *err;
    int depth;
};

static json_t *pipeline(struct reader *reader);

void scope_set(struct scope *scope, const char *name, json_t *value)
{
    for (size_t i = scope->n_variables; i > 0; i--) {
        if (strcmp(scope->variables[i - 1].name, name) == 0) {
            json_decref(scope->variables[i - 1].value);
            scope->variables[i - 1].value = json_incref(value);
            return;
        }
    }
    struct variable *grown = reallocarray(scope->variables, scope->n_variables + 1, sizeof(*grown));
    if (!grown) {
        return; /* the variable stays undefined, and says so when it is used */
    }
    scope->variables = grown;
    scope->variables[scope->n_variables++] =
        (struct variable){.name = ct_strdup(name), .value = json_incref(value)};
}

void scope_drop(struct scope *scope, size_t n)
{
    while (scope->n_variables > n) {
        struct variable *last = &scope->variables[--scope->n_variables];
        free(last->name);
        json_decref(last->value);
    }
}

static void skip_space(struct reader *reader)
{
    reader->rest += strspn(reader->rest, " \t\r\n");
}

static bool is_name_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static size_t name_length(const char *text)
{
    size_t n = 0;
    while (is_name_byte(text[n])) {
        n++;
    }
    return n;
}

static json_t *refuse(struct reader *reader, const char *why)
{
    return ct_refuse_null(reader->err, CT_INVALID,
                          "template parsing error: template: :1: %s near '%.20s'", why,
                          reader->rest);
}

/* "text" with Go's escapes (JSON's, in practice), or `text` as it is. */
static json_t *read_text(struct reader *reader)
{
    char quote = *reader->rest;
    const char *start = reader->rest, *end = start + 1;

    while (*end && *end != quote) {
        end += quote == '"' && *end == '\\' && end[1] ? 2 : 1;
    }
    if (!*end) {
        return refuse(reader, "unterminated quoted string");
    }
    reader->rest = end + 1;
    if (quote == '`') {
        return ct_json_string_lossy(start + 1, (size_t)(end - start - 1));
    }
    struct ct_error bad = {0};
    json_t *text = ct_json_parse(start, (size_t)(end + 1 - start), &bad);
    return text ? text : refuse(reader, "bad escape in a string");
}

static json_t *read_number(struct reader *reader)
{
    char *end = NULL;
    long long number = strtoll(reader->rest, &end, 0);
    if (*end == '.') {
        double real = strtod(reader->rest, &end);
        reader->rest = end;
        return json_real(real);
    }
    reader->rest = end;
    return json_integer(number);
}

/* value.name. A field that is not there is an error, as in Go; null has none. Takes value over. */
static json_t *field_of(struct reader *reader, json_t *value, const char *name, size_t length)
{
    CT_AUTO_FREE char *key = ct_printf("%.*s", (int)length, name);
    json_t *field = json_object_get(value, key);
    bool is_object = json_is_object(value);

    json_incref(field);
    json_decref(value);
    if (field) {
        return field;
    }
    if (!is_object) {
        return ct_refuse_null(
            reader->err, CT_INVALID,
            "template: :1: executing \"\" at <.%.60s>: can't evaluate field %.60s", key, key);
    }
    return ct_refuse_null(
        reader->err, CT_INVALID,
        "template: :1: executing \"\" at <.%.60s>: map has no entry for key \"%.60s\"", key, key);
}

/* { "." name } behind an operand. */
static json_t *read_fields(struct reader *reader, json_t *value)
{
    while (value && *reader->rest == '.' && is_name_byte(reader->rest[1])) {
        const char *name = reader->rest + 1;
        size_t length = name_length(name);
        reader->rest = name + length;
        value = field_of(reader, value, name, length);
    }
    return value;
}

static json_t *read_variable(struct reader *reader)
{
    size_t length = 1 + name_length(reader->rest + 1);
    const char *name = reader->rest;

    reader->rest += length;
    if (length == 1) {
        return json_incref(reader->scope->root);
    }
    for (size_t i = reader->scope->n_variables; i > 0; i--) {
        const struct variable *variable = &reader->scope->variables[i - 1];
        if (strlen(variable->name) == length && strncmp(variable->name, name, length) == 0) {
            return json_incref(variable->value);
        }
    }
    reader->rest = name;
    return refuse(reader, "undefined variable");
}

static json_t *read_parenthesis(struct reader *reader)
{
    reader->rest++;
    CT_AUTO_JSON json_t *value = pipeline(reader);
    skip_space(reader);
    if (!value || *reader->rest != ')') {
        return value ? refuse(reader, "unclosed left paren") : NULL;
    }
    reader->rest++;
    return ct_steal(value);
}

static bool is_literal_word(const char *text, size_t length, json_t **ret)
{
    static const char *const words[] = {"true", "false", "nil"};
    for (size_t i = 0; i < 3; i++) {
        if (strlen(words[i]) == length && strncmp(words[i], text, length) == 0) {
            *ret = i == 0 ? json_true() : i == 1 ? json_false() : json_null();
            return true;
        }
    }
    return false;
}

static json_t *operand(struct reader *reader)
{
    json_t *word = NULL;
    char c = *reader->rest;

    if (c == '"' || c == '`') {
        return read_fields(reader, read_text(reader));
    }
    if (c == '(') {
        return read_fields(reader, read_parenthesis(reader));
    }
    if (c == '$') {
        return read_fields(reader, read_variable(reader));
    }
    if (c == '.') {
        json_t *dot = json_incref(reader->scope->dot);
        if (!is_name_byte(reader->rest[1])) {
            reader->rest++;
            return dot;
        }
        return read_fields(reader, dot);
    }
    if (isdigit((unsigned char)c) ||
        ((c == '-' || c == '+') && isdigit((unsigned char)reader->rest[1]))) {
        return read_number(reader);
    }
    size_t length = name_length(reader->rest);
    if (length > 0 && is_literal_word(reader->rest, length, &word)) {
        reader->rest += length;
        return word;
    }
    if (length > 0 &&
        function_exists(reader->rest, length)) { /* a function without arguments: {{now}} style */
        const char *name = reader->rest;
        CT_AUTO_JSON json_t *none = json_array();
        reader->rest += length;
        return function_call(name, length, none, reader->err);
    }
    if (length > 0) {
        return ct_refuse_null(reader->err, CT_INVALID,
                              "template parsing error: template: :1: function \"%.*s\" not defined",
                              (int)(length < 40 ? length : 40), reader->rest);
    }
    return refuse(reader, "unexpected text");
}

static bool at_end_of_command(const struct reader *reader)
{
    return !*reader->rest || *reader->rest == '|' || *reader->rest == ')';
}

/* A function with its arguments; piped (borrowed, may be NULL) is the last one. */
static json_t *call(struct reader *reader, const char *name, size_t length, json_t *piped)
{
    CT_AUTO_JSON json_t *arguments = json_array();

    reader->rest = name + length;
    for (skip_space(reader); !at_end_of_command(reader); skip_space(reader)) {
        json_t *argument = operand(reader);
        if (!argument) {
            return NULL;
        }
        ct_json_append(arguments, argument);
    }
    if (piped) {
        ct_json_append(arguments, json_incref(piped));
    }
    return function_call(name, length, arguments, reader->err);
}

static json_t *command(struct reader *reader, json_t *piped)
{
    skip_space(reader);
    const char *name = reader->rest;
    size_t length = isalpha((unsigned char)*name) || *name == '_' ? name_length(name) : 0;
    json_t *literal = NULL;

    if (length > 0 && !is_literal_word(name, length, &literal)) {
        if (!function_exists(name, length)) {
            return operand(reader); /* says that there is no such function */
        }
        return call(reader, name, length, piped);
    }
    CT_AUTO_JSON json_t *value = operand(reader);
    skip_space(reader);
    if (value && (piped || !at_end_of_command(reader))) {
        return refuse(reader, "can't give argument to non-function");
    }
    return ct_steal(value);
}

static json_t *pipeline(struct reader *reader)
{
    if (++reader->depth > DEPTH_MAX) {
        return refuse(reader, "nested too deeply");
    }
    json_t *value = command(reader, NULL);
    for (skip_space(reader); value && *reader->rest == '|'; skip_space(reader)) {
        reader->rest++;
        json_t *next = command(reader, value);
        json_decref(value);
        value = next;
    }
    reader->depth--;
    return value;
}

json_t *expression_evaluate(const char *text, const struct scope *scope, struct ct_error *err)
{
    struct reader reader = {.rest = text, .scope = scope, .err = err};
    CT_AUTO_JSON json_t *value = pipeline(&reader);

    if (value && *reader.rest) {
        return refuse(&reader, "unexpected text");
    }
    return ct_steal(value);
}

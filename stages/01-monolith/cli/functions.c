/*
 * functions.c - the functions of templates, and how values are printed and judged.
 *
 * Room:       cli.   Called by: expression.c, template.c.
 * Spec:       text/template, "Functions"; Docker, "Format command and log output".
 */
#define CT_LAYER "format"
#include "template_internal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef json_t *(*function_fn)(const json_t *arguments, struct ct_error *err);

static json_t *argument(const json_t *arguments, size_t i)
{
    return json_array_get(arguments, i);
}

static const char *text_of(const json_t *arguments, size_t i)
{
    const char *text = json_string_value(argument(arguments, i));
    return text ? text : "";
}

bool value_is_true(const json_t *value)
{
    if (json_is_string(value)) {
        return json_string_length(value) > 0;
    }
    if (json_is_number(value)) {
        return json_number_value(value) != 0;
    }
    return json_is_true(value) || ct_json_count(value) > 0;
}

void value_print(FILE *out, const json_t *value)
{
    size_t i;
    const char *key;
    json_t *item;

    if (json_is_string(value)) {
        (void)fwrite(json_string_value(value), 1, json_string_length(value), out);
    } else if (json_is_integer(value)) {
        (void)fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    } else if (json_is_real(value)) {
        (void)fprintf(out, "%g", json_real_value(value));
    } else if (json_is_boolean(value)) {
        (void)fputs(json_is_true(value) ? "true" : "false", out);
    } else if (json_is_array(value)) {
        (void)fputc('[', out);
        json_array_foreach((json_t *)value, i, item)
        {
            (void)fputs(i ? " " : "", out);
            value_print(out, item);
        }
        (void)fputc(']', out);
    } else if (json_is_object(value)) {
        const char *separator = "";
        (void)fputs("map[", out);
        json_object_foreach((json_t *)value, key, item)
        {
            (void)fprintf(out, "%s%s:", separator, key);
            value_print(out, item);
            separator = " ";
        }
        (void)fputc(']', out);
    } else {
        (void)fputs("<no value>", out);
    }
}

static char *printed(const json_t *value)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (!out) {
        return ct_strdup("");
    }
    value_print(out, value);
    (void)fclose(out);
    return text;
}

static json_t *owned_text(char *text)
{
    json_t *json = ct_json_string_lossy(text, strlen(text));
    free(text);
    return json;
}

static json_t *function_json(const json_t *arguments, struct ct_error *err)
{
    (void)err;
    return owned_text(ct_json_text(argument(arguments, 0)));
}

static json_t *function_len(const json_t *arguments, struct ct_error *err)
{
    const json_t *value = argument(arguments, 0);
    if (json_is_string(value)) {
        return json_integer((json_int_t)json_string_length(value));
    }
    if (!json_is_array(value) && !json_is_object(value) && !json_is_null(value)) {
        return ct_refuse_null(err, CT_INVALID, "template: error calling len: it has no length");
    }
    return json_integer((json_int_t)ct_json_count(value));
}

static json_t *function_index(const json_t *arguments, struct ct_error *err)
{
    json_t *value = argument(arguments, 0);
    for (size_t i = 1; i < json_array_size(arguments); i++) {
        const json_t *key = argument(arguments, i);
        if (json_is_object(value) && json_is_string(key)) {
            value = json_object_get(value, json_string_value(key));
            if (!value) {
                return json_string(""); /* a map of strings gives the empty one, as in Go */
            }
        } else if (json_is_array(value) && json_is_integer(key)) {
            json_int_t n = json_integer_value(key);
            if (n < 0 || (size_t)n >= json_array_size(value)) {
                return ct_refuse_null(err, CT_INVALID,
                                      "template: error calling index: index out of range: %lld",
                                      (long long)n);
            }
            value = json_array_get(value, (size_t)n);
        } else {
            return ct_refuse_null(err, CT_INVALID,
                                  "template: error calling index: it cannot be indexed so");
        }
    }
    return value ? json_incref(value) : json_null();
}

static json_t *function_split(const json_t *arguments, struct ct_error *err)
{
    const char *rest = text_of(arguments, 0), *separator = text_of(arguments, 1);
    json_t *parts = json_array();
    (void)err;

    for (const char *next; *separator && (next = strstr(rest, separator));
         rest = next + strlen(separator)) {
        ct_json_append(parts, json_stringn(rest, (size_t)(next - rest)));
    }
    ct_json_append(parts, json_string(rest));
    return parts;
}

static json_t *function_join(const json_t *arguments, struct ct_error *err)
{
    char *text = NULL;
    size_t length = 0, i;
    json_t *part;
    FILE *out = open_memstream(&text, &length);

    if (!out) {
        return ct_fail_null(err, ENOMEM, "join");
    }
    json_array_foreach(argument(arguments, 0), i, part)
    {
        (void)fputs(i ? text_of(arguments, 1) : "", out);
        value_print(out, part);
    }
    (void)fclose(out);
    return owned_text(text);
}

static json_t *map_bytes(const json_t *arguments, int (*map)(int))
{
    char *text = ct_strdup(text_of(arguments, 0));
    for (char *c = text; *c; c++) {
        *c = (unsigned char)*c < 0x80 ? (char)map((unsigned char)*c) : *c;
    }
    return owned_text(text);
}

static json_t *function_lower(const json_t *arguments, struct ct_error *err)
{
    (void)err;
    return map_bytes(arguments, tolower);
}

static json_t *function_upper(const json_t *arguments, struct ct_error *err)
{
    (void)err;
    return map_bytes(arguments, toupper);
}

static json_t *function_title(const json_t *arguments, struct ct_error *err)
{
    char *text = ct_strdup(text_of(arguments, 0));
    bool start = true;
    (void)err;
    for (char *c = text; *c; c++) {
        *c = start && (unsigned char)*c < 0x80 ? (char)toupper((unsigned char)*c) : *c;
        start = isspace((unsigned char)*c);
    }
    return owned_text(text);
}

static json_t *function_pad(const json_t *arguments, struct ct_error *err)
{
    json_int_t before = json_integer_value(argument(arguments, 1));
    json_int_t after = json_integer_value(argument(arguments, 2));
    const char *text = text_of(arguments, 0);
    if (before < 0 || before > 1000 || after < 0 || after > 1000) {
        return ct_refuse_null(err, CT_INVALID, "template: error calling pad: 0 to 1000 spaces");
    }
    return owned_text(*text ? ct_printf("%*s%s%*s", (int)before, "", text, (int)after, "")
                            : ct_strdup(""));
}

static json_t *function_truncate(const json_t *arguments, struct ct_error *err)
{
    json_int_t n = json_integer_value(argument(arguments, 1));
    const char *text = text_of(arguments, 0);
    if (n < 0) {
        return ct_refuse_null(err, CT_INVALID,
                              "template: error calling truncate: a negative length");
    }
    return owned_text(ct_printf("%.*s", n < 100000 ? (int)n : 100000, text));
}

static json_t *function_print(const json_t *arguments, struct ct_error *err)
{
    char *text = NULL;
    size_t length = 0, i;
    json_t *value;
    FILE *out = open_memstream(&text, &length);
    if (!out) {
        return ct_fail_null(err, ENOMEM, "print");
    }
    json_array_foreach((json_t *)arguments, i, value)
    {
        value_print(out, value);
    }
    (void)fclose(out);
    return owned_text(text);
}

static json_t *function_println(const json_t *arguments, struct ct_error *err)
{
    char *text = NULL;
    size_t length = 0, i;
    json_t *value;
    FILE *out = open_memstream(&text, &length);
    if (!out) {
        return ct_fail_null(err, ENOMEM, "println");
    }
    json_array_foreach((json_t *)arguments, i, value)
    {
        (void)fputs(i ? " " : "", out);
        value_print(out, value);
    }
    (void)fputc('\n', out);
    (void)fclose(out);
    return owned_text(text);
}

/* One verb of printf with its flags and width: "%-10s". Our own formats reach C's printf, never the
 * user's. */
static int print_verb(FILE *out, const char *flags, size_t length, char verb, const json_t *value,
                      struct ct_error *err)
{
    char width[16] = "";
    long columns;

    if (length >= sizeof(width) || strspn(flags, "-0123456789.") < length) {
        return ct_refuse(err, CT_INVALID, "template: error calling printf: bad verb");
    }
    memcpy(width, flags, length);
    bool left = width[0] == '-';
    columns = strtol(width + (left ? 1 : 0), NULL, 10);
    columns = columns > 1000 ? 1000 : columns;
    CT_AUTO_FREE char *text = NULL;
    if (verb == 'q') {
        text = ct_json_text(value);
    } else if (verb == 'T') {
        text = ct_strdup(json_is_string(value)    ? "string"
                         : json_is_integer(value) ? "int"
                                                  : "object");
    } else if (verb == 'x' && json_is_integer(value)) {
        text = ct_printf("%llx", (unsigned long long)json_integer_value(value));
    } else if (verb == 'f' && json_is_number(value)) {
        const char *point = strchr(width, '.');
        text = ct_printf("%.*f", point ? (int)strtol(point + 1, NULL, 10) % 100 : 6,
                         json_number_value(value));
    } else if (strchr("svdt", verb)) {
        text = printed(value);
    } else {
        return ct_refuse(err, CT_INVALID, "template: error calling printf: unknown verb %%%c",
                         verb);
    }
    (void)fprintf(out, left ? "%-*s" : "%*s", (int)columns, text);
    return 0;
}

static int print_format(FILE *out, const json_t *arguments, struct ct_error *err)
{
    size_t next = 1;
    for (const char *c = text_of(arguments, 0); *c; c++) {
        if (*c != '%' || c[1] == '%') {
            (void)fputc(*c, out);
            c += *c == '%';
            continue;
        }
        size_t flags = strspn(c + 1, "+-#0123456789.");
        char verb = c[1 + flags];
        const json_t *value = argument(arguments, next++);
        if (!verb || !value) {
            return ct_refuse(err, CT_INVALID, "template: error calling printf: too few arguments");
        }
        if (print_verb(out, c + 1, flags, verb, value, err) < 0) {
            return -1;
        }
        c += 1 + flags;
    }
    return 0;
}

static json_t *function_printf(const json_t *arguments, struct ct_error *err)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (!out) {
        return ct_fail_null(err, ENOMEM, "printf");
    }
    int result = print_format(out, arguments, err);
    (void)fclose(out);
    if (result < 0) {
        free(text);
        return NULL;
    }
    return owned_text(text);
}

/* -1, 0, 1; 2 when the two cannot be compared. */
static int compare(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b)) {
        double x = json_number_value(a), y = json_number_value(b);
        return x < y ? -1 : x > y;
    }
    if (json_is_string(a) && json_is_string(b)) {
        int order = strcmp(json_string_value(a), json_string_value(b));
        return order < 0 ? -1 : order > 0;
    }
    return json_equal(a, b) ? 0 : json_typeof(a) == json_typeof(b) || json_is_boolean(a) ? 1 : 2;
}

static json_t *function_eq(const json_t *arguments, struct ct_error *err)
{
    (void)err;
    for (size_t i = 1; i < json_array_size(arguments); i++) { /* eq a b c: a is b or c */
        if (compare(argument(arguments, 0), argument(arguments, i)) == 0) {
            return json_true();
        }
    }
    return json_false();
}

static json_t *function_ne(const json_t *arguments, struct ct_error *err)
{
    (void)err;
    return json_boolean(compare(argument(arguments, 0), argument(arguments, 1)) != 0);
}

static json_t *ordered(const json_t *arguments, bool less, bool equal, struct ct_error *err)
{
    int order = compare(argument(arguments, 0), argument(arguments, 1));
    if (order == 2) {
        return ct_refuse_null(err, CT_INVALID, "template: incompatible types for comparison");
    }
    return json_boolean(order == 0 ? equal : (order < 0) == less);
}

static json_t *function_lt(const json_t *arguments, struct ct_error *err)
{
    return ordered(arguments, true, false, err);
}

static json_t *function_le(const json_t *arguments, struct ct_error *err)
{
    return ordered(arguments, true, true, err);
}

static json_t *function_gt(const json_t *arguments, struct ct_error *err)
{
    return ordered(arguments, false, false, err);
}

static json_t *function_ge(const json_t *arguments, struct ct_error *err)
{
    return ordered(arguments, false, true, err);
}

/* The first argument that decides, or the last. */
static json_t *first_that_is(const json_t *arguments, bool wanted)
{
    size_t n = json_array_size(arguments);
    for (size_t i = 0; i + 1 < n; i++) {
        if (value_is_true(argument(arguments, i)) == wanted) {
            return json_incref(argument(arguments, i));
        }
    }
    return json_incref(argument(arguments, n - 1));
}

static json_t *function_and(const json_t *arguments, struct ct_error *err)
{
    (void)err;
    return first_that_is(arguments, false);
}

static json_t *function_or(const json_t *arguments, struct ct_error *err)
{
    (void)err;
    return first_that_is(arguments, true);
}

static json_t *function_not(const json_t *arguments, struct ct_error *err)
{
    (void)err;
    return json_boolean(!value_is_true(argument(arguments, 0)));
}

static json_t *function_slice(const json_t *arguments, struct ct_error *err)
{
    const char *text = text_of(arguments, 0);
    json_int_t length = (json_int_t)strlen(text);
    json_int_t from = json_integer_value(argument(arguments, 1));
    const json_t *end = argument(arguments, 2);
    json_int_t to = end ? json_integer_value(end) : length;
    if (from < 0 || to < from || to > length) {
        return ct_refuse_null(err, CT_INVALID,
                              "template: error calling slice: index out of range: %lld",
                              (long long)to);
    }
    return ct_json_string_lossy(text + from, (size_t)(to - from));
}

static const struct {
    const char *name;
    size_t min, max; /* arguments */
    function_fn call;
} functions[] = {
    {"json", 1, 1, function_json},      {"len", 1, 1, function_len},
    {"index", 1, 20, function_index},   {"split", 2, 2, function_split},
    {"join", 2, 2, function_join},      {"lower", 1, 1, function_lower},
    {"upper", 1, 1, function_upper},    {"title", 1, 1, function_title},
    {"pad", 3, 3, function_pad},        {"truncate", 2, 2, function_truncate},
    {"print", 0, 20, function_print},   {"println", 0, 20, function_println},
    {"printf", 1, 20, function_printf}, {"eq", 2, 20, function_eq},
    {"ne", 2, 2, function_ne},          {"lt", 2, 2, function_lt},
    {"le", 2, 2, function_le},          {"gt", 2, 2, function_gt},
    {"ge", 2, 2, function_ge},          {"and", 1, 20, function_and},
    {"or", 1, 20, function_or},         {"not", 1, 1, function_not},
    {"slice", 2, 3, function_slice},
};

#define FUNCTIONS (sizeof(functions) / sizeof(functions[0]))

static size_t find_function(const char *name, size_t length)
{
    size_t i = 0;
    while (i < FUNCTIONS &&
           (strlen(functions[i].name) != length || strncmp(functions[i].name, name, length) != 0)) {
        i++;
    }
    return i;
}

bool function_exists(const char *name, size_t length)
{
    return find_function(name, length) < FUNCTIONS;
}

json_t *function_call(const char *name, size_t length, const json_t *arguments,
                      struct ct_error *err)
{
    size_t i = find_function(name, length);
    size_t n = json_array_size(arguments);

    if (n < functions[i].min || n > functions[i].max) {
        return ct_refuse_null(err, CT_INVALID,
                              "template: wrong number of args for %s: want %zu got %zu",
                              functions[i].name, functions[i].min, n);
    }
    return functions[i].call(arguments, err);
}

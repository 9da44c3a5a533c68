/*
 * template.c - Go templates over JSON documents.
 *
 * Room:       cli.   Called by: format.c, inspect.c.
 *
 * The text is cut into pieces (text and actions) once; running it walks the pieces. Blocks are
 * skipped by counting if/range/with against end. Expressions are read and evaluated in one go by
 * recursive descent, as they are short and seldom run twice.
 */
#define CT_LAYER "format"
#include "template.h"
#include "template_internal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define OUTPUT_MAX_BYTES (64u << 20)
#define NESTING_MAX      100

/* One piece of a template: text between actions, or the inside of {{…}}. */
struct piece {
    bool action;
    char *text;
};

struct run {
    struct piece *pieces;
    size_t n;
    FILE *out;
    size_t *length; /* of out */
    struct scope scope;
    int depth;
    struct ct_error *err;
};

static const char *skip_space(const char *text)
{
    return text + strspn(text, " \t\r\n");
}

static int add_piece(struct run *run, bool action, const char *text, size_t length)
{
    struct piece *grown = reallocarray(run->pieces, run->n + 1, sizeof(*grown));
    if (!grown) {
        return ct_fail(run->err, ENOMEM, "read a template");
    }
    run->pieces = grown;
    run->pieces[run->n++] =
        (struct piece){.action = action, .text = ct_printf("%.*s", (int)length, text)};
    return 0;
}

/* The end of an action: "}}" outside quotes. NULL: there is none. */
static const char *action_end(const char *text)
{
    char quote = 0;
    for (; *text; text++) {
        if (quote) {
            if (*text == '\\' && quote == '"' && text[1]) {
                text++;
            } else if (*text == quote) {
                quote = 0;
            }
        } else if (*text == '"' || *text == '`') {
            quote = *text;
        } else if (text[0] == '}' && text[1] == '}') {
            return text;
        }
    }
    return NULL;
}

static size_t trimmed_right(const char *text, size_t length)
{
    while (length > 0 && isspace((unsigned char)text[length - 1])) {
        length--;
    }
    return length;
}

/* Cuts the format into pieces. "{{-" takes the white space before away, "-}}" that after. */
static int cut(struct run *run, const char *format)
{
    const char *rest = format;

    while (*rest) {
        const char *open = strstr(rest, "{{");
        size_t length = open ? (size_t)(open - rest) : strlen(rest);
        bool trim_before = open && open[2] == '-' && isspace((unsigned char)open[3]);
        size_t kept = trim_before ? trimmed_right(rest, length) : length;
        if (kept > 0 && add_piece(run, false, rest, kept) < 0) {
            return -1;
        }
        if (!open) {
            break;
        }
        const char *inside = open + 2 + (trim_before ? 1 : 0);
        const char *close = action_end(inside);
        if (!close) {
            return ct_refuse(run->err, CT_INVALID,
                             "template parsing error: template: :1: unclosed action");
        }
        bool trim_after =
            close > inside + 1 && close[-1] == '-' && isspace((unsigned char)close[-2]);
        if (add_piece(run, true, inside, (size_t)(close - inside) - (trim_after ? 1 : 0)) < 0) {
            return -1;
        }
        rest = trim_after ? skip_space(close + 2) : close + 2;
    }
    return 0;
}

/* True when the action begins with the word; *ret_rest is what follows. */
static bool is_word(const char *action, const char *word, const char **ret_rest)
{
    const char *text = skip_space(action);
    size_t length = strlen(word);
    if (strncmp(text, word, length) != 0 || isalnum((unsigned char)text[length]) ||
        text[length] == '_') {
        return false;
    }
    *ret_rest = text + length;
    return true;
}

static bool opens_block(const char *action)
{
    const char *rest;
    return is_word(action, "if", &rest) || is_word(action, "range", &rest) ||
           is_word(action, "with", &rest);
}

/*
 * The matching {{else}} or {{end}} of the block whose pieces begin at i. n when there is none.
 * stop_at_else: an else of this block counts, too.
 */
static size_t block_end(const struct run *run, size_t i, bool stop_at_else)
{
    const char *rest;
    int depth = 0;

    for (; i < run->n; i++) {
        const char *action = run->pieces[i].text;
        if (!run->pieces[i].action) {
            continue;
        }
        if (opens_block(action)) {
            depth++;
        } else if (is_word(action, "end", &rest)) {
            if (depth-- == 0) {
                return i;
            }
        } else if (depth == 0 && stop_at_else && is_word(action, "else", &rest)) {
            return i;
        }
    }
    return i;
}

static int run_pieces(struct run *run, size_t from, size_t to);

static int with_dot(struct run *run, json_t *dot, size_t from, size_t to)
{
    json_t *before = run->scope.dot;
    size_t variables = run->scope.n_variables;

    run->scope.dot = dot;
    int result = run_pieces(run, from, to);
    run->scope.dot = before;
    scope_drop(&run->scope, variables);
    return result;
}

/* "$k, $v := X" or "$v := X" before a range's expression. */
static int range_variables(const char **rest, char *names[2], struct run *run)
{
    const char *text = skip_space(*rest);
    const char *assign = strstr(text, ":=");
    int n = 0;

    if (*text != '$' || !assign) {
        return 0;
    }
    while (n < 2 && *text == '$') {
        size_t length =
            1 + strspn(text + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
        names[n++] = ct_printf("%.*s", (int)length, text);
        text = skip_space(text + length);
        text = *text == ',' ? skip_space(text + 1) : text;
    }
    if (text != assign) {
        return ct_refuse(run->err, CT_INVALID, "template parsing error: range: bad variables");
    }
    *rest = assign + 2;
    return n;
}

static int run_item(struct run *run, char *const names[2], int n_names, json_t *key, json_t *value,
                    size_t from, size_t to)
{
    size_t variables = run->scope.n_variables;
    if (n_names == 2) {
        scope_set(&run->scope, names[0], key);
    }
    if (n_names > 0) {
        scope_set(&run->scope, names[n_names - 1], value);
    }
    int result = with_dot(run, value, from, to);
    scope_drop(&run->scope, variables);
    return result;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Objects are walked in the order of their keys, as Go walks maps in templates. */
static int range_object(struct run *run, json_t *object, char *const names[2], int n_names,
                        size_t from, size_t to)
{
    size_t n = json_object_size(object), i = 0;
    CT_AUTO_FREE const char **keys = calloc(n + 1, sizeof(*keys));
    const char *key;
    json_t *value;
    int result = keys ? 0 : ct_fail(run->err, ENOMEM, "run a template");

    json_object_foreach(object, key, value)
    {
        if (keys) {
            keys[i++] = key;
        }
    }
    if (keys) {
        qsort(keys, n, sizeof(*keys), by_text);
    }
    for (i = 0; i < n && result == 0; i++) {
        CT_AUTO_JSON json_t *name = json_string(keys[i]);
        result = run_item(run, names, n_names, name, json_object_get(object, keys[i]), from, to);
    }
    return result;
}

static int run_range(struct run *run, const char *rest, size_t body, size_t middle, size_t end)
{
    char *names[2] = {NULL, NULL};
    int n_names = range_variables(&rest, names, run);
    CT_AUTO_JSON json_t *over =
        n_names < 0 ? NULL : expression_evaluate(rest, &run->scope, run->err);
    int result = over ? 0 : -1;

    if (result == 0 && ct_json_count(over) == 0) {
        result = middle < end ? run_pieces(run, middle + 1, end) : 0;
    } else if (json_is_array(over)) {
        size_t i;
        json_t *value;
        json_array_foreach(over, i, value)
        {
            CT_AUTO_JSON json_t *index = json_integer((json_int_t)i);
            result = result < 0 ? -1 : run_item(run, names, n_names, index, value, body, middle);
        }
    } else if (json_is_object(over)) {
        result = range_object(run, over, names, n_names, body, middle);
    }
    free(names[0]);
    free(names[1]);
    return result;
}

/* {{if X}} a {{else if Y}} b {{else}} c {{end}} and {{with X}} a {{else}} b {{end}}. */
static int run_choice(struct run *run, const char *rest, size_t body, size_t middle, size_t end,
                      bool with)
{
    const char *condition;
    CT_AUTO_JSON json_t *value = expression_evaluate(rest, &run->scope, run->err);

    if (!value) {
        return -1;
    }
    if (value_is_true(value)) {
        return with ? with_dot(run, value, body, middle) : run_pieces(run, body, middle);
    }
    if (middle == end) {
        return 0;
    }
    (void)is_word(run->pieces[middle].text, "else", &rest);
    if (is_word(rest, "if", &condition)) {
        return run_choice(run, condition, middle + 1, block_end(run, middle + 1, true), end, false);
    }
    return run_pieces(run, middle + 1, end);
}

/* A block that begins at piece i. *ret_next: the piece after its end. */
static int run_block(struct run *run, size_t i, size_t *ret_next)
{
    const char *action = run->pieces[i].text;
    const char *rest;
    size_t end = block_end(run, i + 1, false);
    size_t middle = block_end(run, i + 1, true);

    if (end >= run->n) {
        return ct_refuse(run->err, CT_INVALID,
                         "template parsing error: template: :1: unexpected EOF");
    }
    *ret_next = end + 1;
    if (++run->depth > NESTING_MAX) {
        return ct_refuse(run->err, CT_INVALID, "template: it nests deeper than %d", NESTING_MAX);
    }
    int result;
    if (is_word(action, "range", &rest)) {
        result = run_range(run, rest, i + 1, middle, end);
    } else {
        bool with = is_word(action, "with", &rest);
        result = with || is_word(action, "if", &rest)
                     ? run_choice(run, rest, i + 1, middle, end, with)
                     : -1;
    }
    run->depth--;
    return result;
}

/* "$x := expression" or "$x = expression". */
static int run_assignment(struct run *run, const char *action, bool *ret_was)
{
    const char *text = skip_space(action);
    size_t length =
        *text == '$' ? 1 + strspn(text + 1,
                                  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
                     : 0;
    const char *operator= skip_space(text + length);

    *ret_was = length > 1 &&
               (strncmp(operator, ":=", 2) == 0 || (operator[0] == '=' && operator[1] != '='));
    if (!*ret_was) {
        return 0;
    }
    CT_AUTO_FREE char *name = ct_printf("%.*s", (int)length, text);
    CT_AUTO_JSON json_t *value =
        expression_evaluate(operator+(*operator== ':' ? 2 : 1), &run->scope, run->err);
    if (value) {
        scope_set(&run->scope, name, value);
    }
    return value ? 0 : -1;
}

static int run_action(struct run *run, const char *action)
{
    const char *text = skip_space(action);
    const char *rest;
    bool assignment;

    if (strncmp(text, "/*", 2) == 0) {
        return 0;
    }
    if (is_word(action, "end", &rest) || is_word(action, "else", &rest)) {
        return ct_refuse(run->err, CT_INVALID,
                         "template parsing error: template: :1: unexpected {{%.20s}}", text);
    }
    if (run_assignment(run, action, &assignment) < 0 || assignment) {
        return assignment && run->err->kind == CT_NONE ? 0 : -1;
    }
    CT_AUTO_JSON json_t *value = expression_evaluate(text, &run->scope, run->err);
    if (!value) {
        return -1;
    }
    value_print(run->out, value);
    return 0;
}

static int run_pieces(struct run *run, size_t from, size_t to)
{
    for (size_t i = from; i < to;) {
        const struct piece *piece = &run->pieces[i];
        int result = 0;
        if (!piece->action) {
            (void)fputs(piece->text, run->out);
            i++;
        } else if (opens_block(piece->text)) {
            result = run_block(run, i, &i);
        } else {
            result = run_action(run, piece->text);
            i++;
        }
        if (result < 0) {
            return -1;
        }
        (void)fflush(run->out);
        if (*run->length > OUTPUT_MAX_BYTES) {
            return ct_refuse(run->err, CT_INVALID, "template: it prints more than %u bytes",
                             OUTPUT_MAX_BYTES);
        }
    }
    return 0;
}

int template_render(const char *format, const json_t *data, char **ret, struct ct_error *err)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    struct run run = {.out = out, .length = &length, .err = err};

    if (!out) {
        return ct_fail(err, ENOMEM, "run a template");
    }
    run.scope.root = run.scope.dot = (json_t *)data;
    int result = cut(&run, format) < 0 ? -1 : run_pieces(&run, 0, run.n);
    (void)fclose(out);
    scope_drop(&run.scope, 0);
    free(run.scope.variables);
    for (size_t i = 0; i < run.n; i++) {
        free(run.pieces[i].text);
    }
    free(run.pieces);
    if (result < 0) {
        free(text);
        return -1;
    }
    *ret = text;
    return 0;
}

/*
 * format.c - lists: rows of text through a Go template, as tables, lines or JSON.
 *
 * Room:       cli.   Called by: the list commands.
 * Spec:       Docker's --format: a template; "table TEMPLATE" with a header and aligned columns;
 * "json".
 *
 * The default table is a template, too: one way to print a list.
 */
#define CT_LAYER "format"
#include "cli_internal.h"
#include "template.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COLUMN_GAP 3 /* spaces between columns, as Docker's tabwriter */

/* What a tab and a newline are written as in a --format on the command line. Owned. */
static char *unescape(const char *format)
{
    char *text = ct_strdup(format);
    char *to = text;

    for (const char *from = format; *from; from++) {
        bool escape = from[0] == '\\' && (from[1] == 't' || from[1] == 'n');
        *to++ = escape ? (from[1] == 't' ? '\t' : '\n') : *from;
        from += escape;
    }
    *to = '\0';
    return text;
}

/* Columns a text takes on a terminal; bytes when it is no text of this locale. */
static size_t width_of(const char *text, size_t length)
{
    size_t columns = 0;
    for (size_t i = 0; i < length; i++) {
        columns += ((unsigned char)text[i] & 0xC0) != 0x80; /* heads of UTF-8 sequences */
    }
    return columns;
}

static void measure(const char *line, size_t *widths, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t length = strcspn(line, "\t");
        size_t width = width_of(line, length);
        widths[i] = width > widths[i] ? width : widths[i];
        if (!line[length]) {
            return;
        }
        line += length + 1;
    }
}

static void print_aligned(const char *line, const size_t *widths, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t length = strcspn(line, "\t");
        bool last = !line[length];
        (void)printf("%.*s", (int)length, line);
        if (last) {
            break;
        }
        (void)printf("%*s", (int)(widths[i] - width_of(line, length) + COLUMN_GAP), "");
        line += length + 1;
    }
    (void)putchar('\n');
}

/* A row of headers with the fields' names, so that the header is the template over it. */
static json_t *header_row(const struct cli_column *columns)
{
    json_t *row = json_object();
    for (; columns->field; columns++) {
        ct_json_set_string(row, columns->field, columns->header);
    }
    return row;
}

#define COLUMNS_MAX 32

static int print_table(const struct cli_column *columns, const char *format, const json_t *rows,
                       struct ct_error *err)
{
    CT_AUTO_STRV char **lines = calloc(json_array_size(rows) + 2, sizeof(*lines));
    CT_AUTO_JSON json_t *header = header_row(columns);
    size_t widths[COLUMNS_MAX] = {0};
    size_t i;
    json_t *row;

    if (!lines || template_render(format, header, &lines[0], err) < 0) {
        return lines ? -1 : ct_fail(err, ENOMEM, "print a table");
    }
    json_array_foreach((json_t *)rows, i, row)
    {
        if (template_render(format, row, &lines[i + 1], err) < 0) {
            return -1;
        }
    }
    for (char **line = lines; *line; line++) {
        measure(*line, widths, COLUMNS_MAX);
    }
    for (char **line = lines; *line; line++) {
        print_aligned(*line, widths, COLUMNS_MAX);
    }
    return 0;
}

int format_row(const char *format, const json_t *row, struct ct_error *err)
{
    CT_AUTO_FREE char *unescaped = unescape(format);
    CT_AUTO_FREE char *text = NULL;

    if (strcmp(format, "json") == 0) {
        text = ct_json_text(row);
    } else if (template_render(unescaped, row, &text, err) < 0) {
        return -1;
    }
    (void)printf("%s\n", text);
    return 0;
}

int format_rows(const struct cli_column *columns, const char *default_table, const char *format,
                const json_t *rows, struct ct_error *err)
{
    CT_AUTO_FREE char *wanted = unescape(format && *format ? format : "table");
    size_t i;
    json_t *row;

    if (strncmp(wanted, "table", 5) == 0 && (!wanted[5] || strchr(" \t", wanted[5]))) {
        const char *given = wanted + 5 + strspn(wanted + 5, " \t");
        CT_AUTO_FREE char *standard = unescape(default_table);
        return print_table(columns, *given ? given : standard, rows, err);
    }
    json_array_foreach((json_t *)rows, i, row)
    {
        if (format_row(wanted, row, err) < 0) {
            return -1;
        }
    }
    return 0;
}

char *format_id(const char *id, bool no_trunc)
{
    if (no_trunc) {
        return ct_strdup(id);
    }
    return ct_printf("%.12s", strncmp(id, "sha256:", 7) == 0 ? id + 7 : id);
}

char *format_age(int64_t unix_seconds)
{
    char text[CT_TIME_TEXT];
    return ct_printf("%s ago", ct_duration_human(ct_now_ns() - unix_seconds * 1000000000, text));
}

char *format_labels(const json_t *labels)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    const char *key, *separator = "";
    json_t *value;

    if (!out) {
        return ct_strdup("");
    }
    json_object_foreach((json_t *)labels, key, value)
    {
        (void)fprintf(out, "%s%s=%s", separator, key, json_string_value(value));
        separator = ",";
    }
    (void)fclose(out);
    return text;
}

char *format_safe(const char *text)
{
    char *safe = ct_strdup(text);
    for (char *c = safe; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f) {
            *c = '?';
        }
    }
    return safe;
}

void print_json(FILE *out, const json_t *json)
{
    CT_AUTO_FREE char *text = json_dumps(json, JSON_INDENT(4) | JSON_ENCODE_ANY);
    (void)fprintf(out, "%s\n", text ? text : "null");
}

/*
 * show_html.c - a recording as one page: nothing is loaded, it opens without a network.
 *
 * Room:       trace.   Called by: main.c (table of renderers).
 *
 * The page stands in page/ and is put into our binary (page_bytes.S). What is written here is its
 * data, one JSON document, with indexes for references. It stands inside a <script> element, where
 * nothing ends it but "</script" and where "<!--" has a meaning: so no '<' is written. All the rest
 * is text to the page's own script, which makes text of it and never HTML.
 */
#define CT_LAYER "trace"
#include "hops.h"
#include "renderers.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "span.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* page_bytes.S */
extern const char page_html[], page_html_end[], page_css[], page_css_end[], page_js[],
    page_js_end[];

struct page {
    const struct model *model;
    int row_of[MODEL_ROLES]; /* -1: has none */
};

static json_int_t us(const struct page *page, int64_t ns)
{
    return (ns - page->model->start_ns) / 1000;
}

static void set_integer(json_t *object, const char *key, json_int_t value)
{
    ct_json_set(object, key, json_integer(value));
}

/* With ids cut and control characters replaced, as in the terminal. */
static void set_text(json_t *object, const char *key, const char *text)
{
    CT_AUTO_FREE char *safe = model_text(text);
    ct_json_set_string(object, key, safe);
}

static json_int_t index_of_process(const struct page *page, json_int_t pid)
{
    const struct model_process *process = model_process(page->model, pid);
    return process ? process - page->model->processes : 0;
}

static json_int_t index_of_span(const struct page *page, const struct model_span *span)
{
    return span ? span - page->model->spans : -1;
}

/* ---- the parts of the document -------------------------------------------------------------- */

static bool has_rows(const struct model *model, int role)
{
    for (size_t i = 0; i < model->n_rows; i++) {
        if (model->rows[i].role == role) {
            return true;
        }
    }
    return false;
}

/* A row for each role that does something, or that is known to have done something untold. */
static json_t *make_roles(struct page *page)
{
#define ROLE(symbol, name, title) {name, title},
    static const struct {
        const char *name, *title;
    } roles[] = {
#include "steps.def"
    };
    json_t *list = json_array();

    for (int role = 0; role < MODEL_ROLES; role++) {
        bool untold = model_is_untold(page->model, role);
        page->row_of[role] = -1;
        if (untold || has_rows(page->model, role)) {
            json_t *row = json_object();
            page->row_of[role] = (int)json_array_size(list);
            ct_json_set_string(row, "name", roles[role].name);
            ct_json_set_string(row, "title", roles[role].title);
            ct_json_set(row, "untold", json_boolean(untold));
            ct_json_append(list, row);
        }
    }
    return list;
}

static json_t *make_processes(const struct page *page)
{
    json_t *list = json_array();

    for (size_t i = 0; i < page->model->n_processes; i++) {
        const struct model_process *process = &page->model->processes[i];
        json_t *item = json_object();
        set_integer(item, "pid", process->pid);
        set_text(item, "name", process->comm);
        set_integer(item, "role", process->role < 0 ? -1 : page->row_of[process->role]);
        ct_json_append(list, item);
    }
    return list;
}

static int row_of(const struct page *page, int role)
{
    return role >= 0 && page->row_of[role] >= 0 ? page->row_of[role] : 0;
}

static json_t *make_spans(const struct page *page)
{
    json_t *list = json_array();

    for (size_t i = 0; i < page->model->n_spans; i++) {
        const struct model_span *span = &page->model->spans[i];
        json_t *item = json_object();
        set_integer(item, "role", row_of(page, span->role));
        set_integer(item, "process", index_of_process(page, span->pid));
        set_integer(item, "thread", span->tid);
        set_integer(item, "parent", index_of_span(page, model_parent(page->model, span)));
        set_integer(item, "begin", us(page, span->begin_ns));
        set_integer(item, "end", span->end_ns ? us(page, span->end_ns) : -1);
        set_text(item, "step", span->step);
        set_text(item, "message", span->message);
        set_text(item, "error", span->failed ? span->error : "");
        ct_json_append(list, item);
    }
    return list;
}

/* The rows that are no spans, in the order of time. */
static json_t *make_events(const struct page *page)
{
    json_t *list = json_array();

    for (size_t i = 0; i < page->model->n_rows; i++) {
        const struct model_row *row = &page->model->rows[i];
        if (row->span) {
            continue;
        }
        json_t *item = json_object();
        json_int_t pid = ct_json_integer(row->event, "pid", 0);
        CT_AUTO_FREE char *text = model_event_text(row->event);
        set_integer(item, "role", row_of(page, row->role));
        set_integer(item, "process", index_of_process(page, pid));
        set_integer(item, "thread", ct_json_integer(row->event, "tid", pid));
        set_integer(item, "at", us(page, row->ns));
        set_integer(item, "dur", ct_json_integer(row->event, "dur", 0) / 1000);
        ct_json_set(item, "wait",
                    json_boolean(strcmp(ct_json_string(row->event, "t", ""), "wait") == 0));
        ct_json_set_string(item, "text", text);
        ct_json_append(list, item);
    }
    return list;
}

/* Which of make_events() this row became. */
static json_int_t index_of_event(const struct page *page, const struct model_row *row)
{
    json_int_t n = -1;
    for (const struct model_row *at = page->model->rows; row && at <= row; at++) {
        n += !at->span;
    }
    return n;
}

static json_t *make_hops(const struct page *page)
{
    static const char *const kinds[] = {
        [HOP_CALL] = "call", [HOP_MESSAGE] = "message", [HOP_EXEC] = "exec"};
    json_t *list = json_array();
    size_t n = 0;
    CT_AUTO_FREE struct hop *hops = hop_list(page->model, &n);

    for (size_t i = 0; i < n; i++) {
        json_t *item = json_object();
        ct_json_set_string(item, "kind", kinds[hops[i].kind]);
        set_integer(item, "from", row_of(page, hops[i].from));
        set_integer(item, "to", row_of(page, hops[i].to));
        set_integer(item, "at", us(page, hops[i].ns));
        set_integer(item, "asker", index_of_span(page, hops[i].asker));
        set_integer(item, "span", index_of_span(page, hops[i].span));
        set_integer(item, "event", index_of_event(page, hops[i].exec));
        ct_json_append(list, item);
    }
    return list;
}

static void append_note(json_t *notes, const char *about, const char *text)
{
    CT_AUTO_FREE char *safe = model_text(text);
    if (*safe) {
        ct_json_append(notes, json_sprintf("%s%s", about, safe));
    }
}

/* What the picture does not have, in sentences. */
static json_t *make_notes(const struct model *model)
{
    json_t *notes = json_array();
    json_int_t lost = ct_json_integer(model->footer, "lost", 0);
    CT_AUTO_FREE char *untold = model_untold(model);
    CT_AUTO_FREE char *events = lost ? ct_printf("%lld events were lost", (long long)lost) : NULL;

    if (!ct_json_bool(model->header, "kernel_events", true)) {
        append_note(notes, "kernel: not recorded: ", ct_json_string(model->header, "missing", ""));
    }
    append_note(notes, "spans: ", ct_json_string(model->footer, "missing", ""));
    append_note(notes, "not recorded: ", untold);
    append_note(notes, "", events ? events : "");
    return notes;
}

static char *command_text(const struct model *model)
{
    char *text = ct_strdup("");
    size_t i;
    json_t *word;

    json_array_foreach(json_object_get(model->header, "command"), i, word)
    {
        CT_AUTO_FREE char *before = text;
        text = ct_printf("%s%s%s", before, i ? " " : "",
                         json_string_value(word) ? json_string_value(word) : "");
    }
    return text;
}

static int set_story(json_t *document, const struct model *model, struct ct_error *err)
{
    const struct render_options plain = {.width = 80};
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    int result = out ? render_story(out, model, &plain, err) : ct_fail(err, ENOMEM, "write a page");

    if (out) {
        (void)fclose(out);
        ct_json_set_string(document, "story", text);
    }
    free(text);
    return result;
}

static json_t *make_document(const struct model *model, struct ct_error *err)
{
    struct page page = {.model = model};
    CT_AUTO_JSON json_t *document = json_object();
    CT_AUTO_FREE char *command = command_text(model);
    json_int_t length = us(&page, model->end_ns);

    set_text(document, "command", command);
    set_integer(document, "us", length > 0 ? length : 1);
    ct_json_set(document, "notes", make_notes(model));
    ct_json_set(document, "roles", make_roles(&page));
    ct_json_set(document, "processes", make_processes(&page));
    ct_json_set(document, "spans", make_spans(&page));
    ct_json_set(document, "events", make_events(&page));
    ct_json_set(document, "hops", make_hops(&page));
    return set_story(document, model, err) < 0 ? NULL : json_incref(document);
}

/* ---- the page ------------------------------------------------------------------------------- */

/* '<' is only in strings of JSON, and there it has another name. */
static void write_data(FILE *out, const json_t *document)
{
    CT_AUTO_FREE char *text = json_dumps(document, JSON_COMPACT | JSON_ENSURE_ASCII);

    for (const char *c = text ? text : "{}"; *c; c++) {
        if (*c == '<') {
            (void)fputs("\\u003c", out);
        } else {
            (void)fputc(*c, out);
        }
    }
}

/* Writes the page up to the mark; returns what stands behind it. */
static const char *write_up_to(FILE *out, const char *at, const char *mark)
{
    const char *found = strstr(at, mark);

    if (!found) {
        abort(); /* page.html is ours and has each mark */
    }
    (void)fwrite(at, 1, (size_t)(found - at), out);
    return found + strlen(mark);
}

int render_html(FILE *out, const struct model *model, const struct render_options *options,
                struct ct_error *err)
{
    CT_AUTO_JSON json_t *document = make_document(model, err);
    (void)options;

    if (!document) {
        return -1;
    }
    const char *rest = write_up_to(out, page_html, "@STYLE@");
    (void)fwrite(page_css, 1, (size_t)(page_css_end - page_css), out);
    rest = write_up_to(out, rest, "@DATA@");
    write_data(out, document);
    rest = write_up_to(out, rest, "@SCRIPT@");
    (void)fwrite(page_js, 1, (size_t)(page_js_end - page_js), out);
    (void)fwrite(rest, 1, (size_t)(page_html_end - rest), out);
    return ferror(out) ? ct_fail(err, errno, "write the page") : 0;
}

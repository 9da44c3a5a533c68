/*
 * show_waterfall.c - the picture in the terminal: time runs down, bars show when and how long.
 *
 * Room:       trace.   Called by: main.c (table of renderers).
 *
 *      ms role       bar          what
 *     0.0 client     ▇▇▇▇▇▇▇▇▇▇   cutaway start web                         41.2 ms
 *     0.3 engine      ▇▇▇▇▇▇▇       engine_container_start(web)
 *     9.1 lxc            ·            clone3 CLONE_NEWNS|CLONE_NEWPID…
 *
 * One colour is one process: stage 01 is nearly one colour, stage 04 is six.
 */
#define CT_LAYER "trace"
#include "columns.h"
#include "renderers.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "span.h"

#include <string.h>

#define TIME_COLUMNS  8
#define ROLE_COLUMNS  10
#define BAR_MIN       10
#define BAR_MAX       40
#define QUIET_WAIT_NS 1000000 /* shorter waits are summed up at the end, not drawn */

/* Colours that can be told apart on light and dark backgrounds. */
static const char *const colours[] = {"\033[36m", "\033[33m", "\033[35m",
                                      "\033[32m", "\033[34m", "\033[91m"};

struct page {
    FILE *out;
    const struct model *model;
    const struct render_options *options;
    int bar; /* columns */
};

static double ms(int64_t ns)
{
    return (double)ns / 1e6;
}

static const char *role_text(int role)
{
    return role >= 0 ? ct_role_name((enum ct_role)role) : "-";
}

static const char *colour_of(const struct page *page, json_int_t pid)
{
    const struct model_process *process = model_process(page->model, pid);
    return page->options->colour && process
               ? colours[(size_t)process->colour % (sizeof(colours) / sizeof(colours[0]))]
               : "";
}

/* The part of the bar's columns that [begin, end] covers; at least one. */
static void print_bar(const struct page *page, int64_t begin, int64_t end, const char *mark)
{
    int64_t all = page->model->end_ns - page->model->start_ns;
    int from = all > 0 ? (int)((begin - page->model->start_ns) * page->bar / all) : 0;
    int to = all > 0 ? (int)((end - page->model->start_ns) * page->bar / all) : 0;

    from = from < 0 ? 0 : from >= page->bar ? page->bar - 1 : from;
    to = to >= page->bar ? page->bar - 1 : to < from ? from : to;
    for (int i = 0; i < page->bar; i++) {
        (void)fputs(i >= from && i <= to ? mark : " ", page->out);
    }
}

static void print_row(const struct page *page, int64_t ns, int role, json_int_t pid, int64_t end,
                      const char *mark, int depth, const char *text)
{
    int indent = depth > 8 ? 8 : depth;
    int left = page->options->width - TIME_COLUMNS - ROLE_COLUMNS - page->bar - 3 - 2 * indent;

    (void)fprintf(page->out, "%*.1f %s%-*s", TIME_COLUMNS - 1, ms(ns - page->model->start_ns),
                  colour_of(page, pid), ROLE_COLUMNS, role_text(role));
    print_bar(page, ns, end, mark);
    (void)fprintf(page->out, "%s  %*s", page->options->colour ? "\033[0m" : "", 2 * indent, "");
    columns_print(page->out, text, left > 10 ? left : 10);
    (void)fputc('\n', page->out);
}

static void print_span(const struct page *page, const struct model_row *row)
{
    const struct model_span *span = row->span;
    int64_t end = span->end_ns ? span->end_ns : page->model->end_ns;
    CT_AUTO_FREE char *message = model_text(span->message);
    CT_AUTO_FREE char *error = model_text(span->error);
    CT_AUTO_FREE char *text =
        span->end_ns
            ? ct_printf("%s: %s (%.1f ms)%s%s", span->step, message, ms(end - span->begin_ns),
                        span->failed ? " FAILED: " : "", span->failed ? error : "")
            : ct_printf("%s: %s (goes on)", span->step, message);

    print_row(page, row->ns, row->role, span->pid, end, page->options->colour ? "▇" : "=",
              row->depth, text);
}

static bool is_call(const json_t *event, const char *name)
{
    return event && strcmp(ct_json_string(event, "name", ""), name) == 0;
}

/* What the same process did next, besides waiting; NULL: nothing more. */
static const json_t *next_of_process(const struct model *model, size_t i)
{
    json_int_t pid = ct_json_integer(model->rows[i].event, "pid", 0);
    for (i++; i < model->n_rows; i++) {
        const json_t *event = model->rows[i].event;
        if (event && ct_json_integer(event, "pid", 0) == pid &&
            strcmp(ct_json_string(event, "t", ""), "wait") != 0) {
            return event;
        }
    }
    return NULL;
}

/* A search along PATH: only where it ends is told. */
static bool is_tried_again(const struct model *model, size_t i)
{
    const json_t *next = is_call(model->rows[i].event, "execve") ? next_of_process(model, i) : NULL;
    return next && (is_call(next, "execve") || strcmp(ct_json_string(next, "t", ""), "exec") == 0);
}

/* The kernel's own event says the same: who went into which cgroup. */
static bool is_attach(const json_t *event)
{
    const char *text = ct_json_string(event, "text", "");
    return is_call(event, "write") && ct_json_integer(event, "ret", -1) >= 0 &&
           (strstr(text, "/cgroup.procs' <- ") || strstr(text, "/tasks' <- "));
}

/* Whether an event is worth a row: calls that only look, short waits, and repetitions are not. */
static bool is_drawn(const struct model *model, size_t i)
{
    const json_t *event = model->rows[i].event;
    if (strcmp(ct_json_string(event, "t", ""), "wait") == 0) {
        return ct_json_integer(event, "dur", 0) >= QUIET_WAIT_NS;
    }
    if (is_call(event, "clone") || is_call(event, "clone3")) {
        return *ct_json_string(event, "text", "");
    }
    return !is_tried_again(model, i) && !is_attach(event);
}

/*
 * How many rows from i on say the same of the same process: they become one, and *ret_times is how
 * often it is said. Those that are not drawn do not count.
 */
static size_t same_rows(const struct model *model, size_t i, const char *text, size_t *ret_times)
{
    json_int_t pid = ct_json_integer(model->rows[i].event, "pid", 0);
    size_t n = 1;

    *ret_times = 1;
    for (; i + n < model->n_rows && model->rows[i + n].event; n++) {
        const json_t *next = model->rows[i + n].event;
        CT_AUTO_FREE char *words = model_event_text(next);
        bool same = strcmp(words, text) == 0 && ct_json_integer(next, "pid", 0) == pid;
        if (!same && is_drawn(model, i + n)) {
            break;
        }
        *ret_times += same && is_drawn(model, i + n);
    }
    return n;
}

/* Returns how many rows it told. */
static size_t print_event(const struct page *page, size_t i)
{
    const struct model_row *row = &page->model->rows[i];
    json_int_t duration = ct_json_integer(row->event, "dur", 0);

    if (!is_drawn(page->model, i)) {
        return 1;
    }
    size_t times;
    CT_AUTO_FREE char *words = model_event_text(row->event);
    size_t n = same_rows(page->model, i, words, &times);
    CT_AUTO_FREE char *often = times > 1 ? ct_printf(" (%zu times)", times) : ct_strdup("");
    CT_AUTO_FREE char *text = duration >= QUIET_WAIT_NS
                                  ? ct_printf("%s (%.1f ms)%s", words, ms(duration), often)
                                  : ct_printf("%s%s", words, often);

    print_row(page, row->ns, row->role, ct_json_integer(row->event, "pid", 0), row->ns + duration,
              page->options->colour ? "·" : ".", row->depth, text);
    return n;
}

static void print_head(const struct page *page)
{
    const json_t *header = page->model->header;
    size_t i;
    json_t *word;

    (void)fprintf(page->out, "$");
    json_array_foreach(json_object_get(header, "command"), i, word)
    {
        CT_AUTO_FREE char *text =
            model_text(json_string_value(word) ? json_string_value(word) : "");
        (void)fprintf(page->out, " %s", text);
    }
    (void)fprintf(page->out, "\n\n%*s %-*s%-*s  what\n", TIME_COLUMNS - 1, "ms", ROLE_COLUMNS,
                  "role", page->bar, "when");
}

/* The processes in the order they appeared, with their colours: the legend. */
static void print_processes(const struct page *page)
{
    (void)fprintf(page->out, "\nprocesses:");
    for (size_t i = 0; i < page->model->n_processes; i++) {
        const struct model_process *process = &page->model->processes[i];
        CT_AUTO_FREE char *name = model_text(process->comm);
        (void)fprintf(page->out, " %s%s[%lld]=%s%s", colour_of(page, process->pid), name,
                      (long long)process->pid, role_text(process->role),
                      page->options->colour ? "\033[0m" : "");
    }
    (void)fputc('\n', page->out);
}

static void print_foot(const struct page *page)
{
    const json_t *header = page->model->header;
    json_int_t lost = ct_json_integer(page->model->footer, "lost", 0);
    CT_AUTO_FREE char *missing = model_text(ct_json_string(page->model->footer, "missing", ""));

    CT_AUTO_FREE char *untold = model_untold(page->model);

    print_processes(page);
    if (!ct_json_bool(header, "kernel_events", true)) {
        CT_AUTO_FREE char *why = model_text(ct_json_string(header, "missing", ""));
        (void)fprintf(page->out, "kernel: not recorded: %s\n", why);
    }
    if (*missing) {
        (void)fprintf(page->out, "spans: %s\n", missing);
    }
    if (*untold && !*missing) {
        (void)fprintf(page->out, "not recorded: %s\n", untold);
    }
    if (lost > 0) {
        (void)fprintf(page->out, "%lld events were lost\n", (long long)lost);
    }
}

int render_waterfall(FILE *out, const struct model *model, const struct render_options *options,
                     struct ct_error *err)
{
    int bar = (options->width - TIME_COLUMNS - ROLE_COLUMNS) / 5;
    struct page page = {.out = out,
                        .model = model,
                        .options = options,
                        .bar = bar < BAR_MIN   ? BAR_MIN
                               : bar > BAR_MAX ? BAR_MAX
                                               : bar};
    (void)err;

    print_head(&page);
    for (size_t i = 0; i < model->n_rows;) {
        if (model->rows[i].span) {
            print_span(&page, &model->rows[i++]);
        } else {
            i += print_event(&page, i);
        }
    }
    print_foot(&page);
    return 0;
}

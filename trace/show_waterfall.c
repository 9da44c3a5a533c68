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
#include "hops.h"
#include "renderers.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "span.h"

#include <stdlib.h>
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
    struct hop *hops;
    size_t n_hops;
    size_t n_left_out; /* rows, of a brief picture */
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

/* "containerd.services.tasks.v1.Tasks/Start id=web" without the package. */
static const char *without_package(const char *message)
{
    size_t length = strspn(message, "abcdefghijklmnopqrstuvwxyz0123456789.");
    return length > 0 && message[length - 1] == '.' ? message + length : message;
}

/* A program by its own name, and its arguments. Owned. */
static char *short_exec(const json_t *event)
{
    const char *file = ct_json_string(event, "file", ""), *slash = strrchr(file, '/');
    char *text = ct_printf("exec %s", slash ? slash + 1 : file);
    size_t i;
    json_t *word;

    json_array_foreach(json_object_get(event, "argv"), i, word)
    {
        CT_AUTO_FREE char *before = text;
        text = ct_printf("%s%s%s", before, i ? " " : "", i ? json_string_value(word) : "");
    }
    CT_AUTO_FREE char *told = text;
    return model_text(told);
}

static void print_span(const struct page *page, const struct model_row *row)
{
    const struct model_span *span = row->span;
    int64_t end = span->end_ns ? span->end_ns : page->model->end_ns;
    CT_AUTO_FREE char *message =
        model_text(page->options->brief ? without_package(span->message) : span->message);
    CT_AUTO_FREE char *error = model_text(span->error);
    CT_AUTO_FREE char *text =
        span->end_ns
            ? ct_printf("%s: %s (%.1f ms)%s%s", span->step, message, ms(end - span->begin_ns),
                        span->failed ? " FAILED: " : "", span->failed ? error : "")
            : ct_printf("%s: %s (goes on)", span->step, message);

    print_row(page, row->ns, row->role, span->pid, end, page->options->colour ? "▇" : "=",
              row->depth, text);
}

static bool is_exec(const json_t *event)
{
    return event && strcmp(ct_json_string(event, "t", ""), "exec") == 0;
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
    bool is_short = page->options->brief && is_exec(row->event);
    CT_AUTO_FREE char *words = is_short ? short_exec(row->event) : model_event_text(row->event);
    size_t n = same_rows(page->model, i, words, &times);
    CT_AUTO_FREE char *often = times > 1 ? ct_printf(" (%zu times)", times) : ct_strdup("");
    CT_AUTO_FREE char *text = duration >= QUIET_WAIT_NS
                                  ? ct_printf("%s (%.1f ms)%s", words, ms(duration), often)
                                  : ct_printf("%s%s", words, often);

    print_row(page, row->ns, row->role, ct_json_integer(row->event, "pid", 0), row->ns + duration,
              page->options->colour ? "·" : ".", row->depth, text);
    return n;
}

/* ---- the brief picture: what crosses a border, which programs run, and where the time goes ----
 */

#define LONG_PART 50 /* the 50th part of the whole */

/* A message is told once, by who answers it. */
static bool is_span_brief(const struct page *page, const struct model_span *span)
{
    int64_t end = span->end_ns ? span->end_ns : page->model->end_ns;
    bool asks = false;

    for (size_t i = 0; i < page->n_hops; i++) {
        const struct hop *hop = &page->hops[i];
        if (hop->kind == HOP_MESSAGE && hop->span == span) {
            return true;
        }
        asks = asks || (hop->kind == HOP_MESSAGE && hop->asker == span);
    }
    return !asks &&
           (end - span->begin_ns) * LONG_PART >= page->model->end_ns - page->model->start_ns;
}

/* Of the kernel's part: what becomes of processes, and the two calls that make a container. */
static bool is_event_brief(const json_t *event)
{
    const char *type = ct_json_string(event, "t", "");
    const char *file = ct_json_string(event, "file", "");

    if (is_exec(event)) {
        return strncmp(file, "/proc/self/", 11) != 0 && strncmp(file, "/dev/fd/", 8) != 0;
    }
    return strcmp(type, "exit") == 0 || is_call(event, "pivot_root") ||
           strstr(ct_json_string(event, "text", ""), "CLONE_NEWPID");
}

static bool is_left_out(struct page *page, const struct model_row *row)
{
    bool left_out = page->options->brief &&
                    !(row->span ? is_span_brief(page, row->span) : is_event_brief(row->event));
    page->n_left_out += left_out;
    return left_out;
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
    int used = fprintf(page->out, "\nprocesses:") - 1;
    for (size_t i = 0; i < page->model->n_processes; i++) {
        const struct model_process *process = &page->model->processes[i];
        CT_AUTO_FREE char *name = model_text(process->comm);
        CT_AUTO_FREE char *text =
            ct_printf("%s[%lld]=%s", name, (long long)process->pid, role_text(process->role));
        int columns = 1 + columns_of(text);
        bool fits = used + columns <= page->options->width;
        (void)fprintf(page->out, "%s%s%s%s", fits ? " " : "\n ", colour_of(page, process->pid),
                      text, page->options->colour ? "\033[0m" : "");
        used = fits ? used + columns : columns;
    }
    (void)fputc('\n', page->out);
}

static void print_foot(const struct page *page)
{
    const json_t *header = page->model->header;
    json_int_t lost = ct_json_integer(page->model->footer, "lost", 0);
    CT_AUTO_FREE char *missing = model_text(ct_json_string(page->model->footer, "missing", ""));

    CT_AUTO_FREE char *untold = model_untold(page->model);

    if (page->n_left_out > 0) {
        (void)fprintf(page->out, "\n(%zu rows more without --brief)\n", page->n_left_out);
    }
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

    page.hops = hop_list(model, &page.n_hops);
    print_head(&page);
    for (size_t i = 0; i < model->n_rows;) {
        if (is_left_out(&page, &model->rows[i])) {
            i++;
        } else if (model->rows[i].span) {
            print_span(&page, &model->rows[i++]);
        } else {
            i += print_event(&page, i);
        }
    }
    print_foot(&page);
    free(page.hops);
    return 0;
}

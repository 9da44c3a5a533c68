/*
 * compare.c - recordings side by side: what one has more than the one before.
 *
 * Room:       trace.   Called by: main.c (compare).
 *
 * Every step of the evolution replaced a call by a message. The table shows where: each border
 * between two roles is a call, an exec or so many messages. And it shows what that costs:
 * processes, system calls, time. Below it stand the messages that a recording has and the one
 * before had not.
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

#define NAME_COLUMNS 24
#define CELL_MAX     26
#define CELL_MIN     14 /* room for a difference beside the value */

/* ---- what is measured ----------------------------------------------------------------------- */

typedef int64_t (*measure_fn)(const struct model *model, int role);

static int64_t command_ns(const struct model *model, int role)
{
    (void)role;
    return model->command_end_ns - model->command_begin_ns;
}

/* -1: the container's program was never executed. */
static int64_t first_instruction_ns(const struct model *model, int role)
{
    const struct model_row *first = model_first_instruction(model);
    (void)role;
    return first ? first->ns - model->start_ns : -1;
}

static bool is_event(const struct model_row *row, const char *type, const char *name)
{
    return row->event && strcmp(ct_json_string(row->event, "t", ""), type) == 0 &&
           (!name || strcmp(ct_json_string(row->event, "name", ""), name) == 0);
}

static int64_t count_events(const struct model *model, const char *type, const char *name)
{
    int64_t n = 0;
    for (size_t i = 0; i < model->n_rows; i++) {
        n += is_event(&model->rows[i], type, name);
    }
    return n;
}

static int64_t count_processes(const struct model *model, int role)
{
    int64_t n = 0;
    for (size_t i = 0; i < model->n_processes; i++) {
        n += role < 0 || model->processes[i].role == role;
    }
    return n;
}

static int64_t count_programs(const struct model *model, int role)
{
    (void)role;
    return count_events(model, "exec", NULL);
}

static int64_t count_namespaces(const struct model *model, int role)
{
    int64_t n = 0;
    (void)role;
    for (size_t i = 0; i < model->n_rows; i++) {
        const char *text = ct_json_string(model->rows[i].event, "text", "");
        n += is_event(&model->rows[i], "call", NULL) && strstr(text, "CLONE_NEW");
    }
    return n;
}

static int64_t count_synced(const struct model *model, int role)
{
    (void)role;
    return count_events(model, "call", "fsync") + count_events(model, "call", "fdatasync");
}

static int64_t count_mounts(const struct model *model, int role)
{
    (void)role;
    return count_events(model, "call", "mount") + count_events(model, "call", "move_mount");
}

static int64_t count_calls(const struct model *model, int role)
{
    int64_t n = 0;
    for (int i = 0; i < MODEL_ROLES; i++) {
        n += role < 0 || role == i ? model->calls[i] : 0;
    }
    return n;
}

/* ---- the table ------------------------------------------------------------------------------ */

struct table {
    FILE *out;
    const struct model *const *models;
    const char *const *names;
    struct hop_table *hops; /* of each */
    size_t n;
    int cell; /* columns */
    int width;
};

static const char *role_text(int role)
{
    return role >= 0 ? ct_role_name((enum ct_role)role) : "somebody";
}

/* Of recording i; the last cell ends its line. */
static void print_cell(const struct table *table, size_t i, const char *text)
{
    bool last = i + 1 == table->n;
    (void)fprintf(table->out, "%-*s%s", last ? 0 : table->cell, text, last ? "\n" : "");
}

/* The value, and what it is more than the one before where there is room. -1: it has none. */
static void print_value(const struct table *table, size_t i, int64_t value, int64_t before,
                        bool is_time)
{
    bool differs = before >= 0 && value >= 0 && table->cell >= CELL_MIN;
    double scale = is_time ? 1e6 : 1;
    int digits = is_time ? 1 : 0;
    char text[64] = "-", difference[32] = "";

    if (differs) {
        (void)snprintf(difference, sizeof(difference), " %+.*f", digits,
                       (double)(value - before) / scale);
    }
    if (value >= 0) {
        (void)snprintf(text, sizeof(text), "%.*f%s", digits, (double)value / scale, difference);
    }
    print_cell(table, i, text);
}

static void print_measure(const struct table *table, const char *name, measure_fn measure, int role,
                          bool is_time)
{
    int64_t before = -1;

    (void)fprintf(table->out, "%-*s", NAME_COLUMNS, name);
    for (size_t i = 0; i < table->n; i++) {
        int64_t value = measure(table->models[i], role);
        print_value(table, i, value, before, is_time);
        before = value;
    }
}

/* A border where somebody is asked, in one recording at least. */
static bool is_border(const struct table *table, int from, int to)
{
    for (size_t i = 0; i < table->n; i++) {
        const size_t *counts = table->hops[i].at[from][to];
        if (counts[HOP_CALL] + counts[HOP_MESSAGE] + counts[HOP_EXEC] > 0) {
            return true;
        }
    }
    return false;
}

static void print_border(const struct table *table, int from, int to)
{
    CT_AUTO_FREE char *name = ct_printf("  %s -> %s", role_text(from), role_text(to));

    (void)fprintf(table->out, "%-*s", NAME_COLUMNS, name);
    for (size_t i = 0; i < table->n; i++) {
        const size_t *counts = table->hops[i].at[from][to];
        size_t n = counts[HOP_MESSAGE];
        CT_AUTO_FREE char *messages = ct_printf("%zu message%s", n, n == 1 ? "" : "s");
        print_cell(table, i,
                   n                  ? messages
                   : counts[HOP_CALL] ? "call"
                   : counts[HOP_EXEC] ? "exec"
                                      : "-");
    }
}

static int64_t count_messages(const struct hop_table *hops)
{
    int64_t n = 0;
    for (int i = 0; i < MODEL_ROLES * MODEL_ROLES; i++) {
        n += (int64_t)hops->at[i / MODEL_ROLES][i % MODEL_ROLES][HOP_MESSAGE];
    }
    return n;
}

static void print_borders(const struct table *table)
{
    (void)fprintf(table->out, "%-*s", NAME_COLUMNS, "messages");
    for (size_t i = 0; i < table->n; i++) {
        print_value(table, i, count_messages(&table->hops[i]),
                    i ? count_messages(&table->hops[i - 1]) : -1, false);
    }
    for (int i = 0; i < MODEL_ROLES * MODEL_ROLES; i++) {
        if (is_border(table, i / MODEL_ROLES, i % MODEL_ROLES)) {
            print_border(table, i / MODEL_ROLES, i % MODEL_ROLES);
        }
    }
}

static void print_calls(const struct table *table)
{
    print_measure(table, "system calls", count_calls, -1, false);
    for (int role = 0; role < MODEL_ROLES; role++) {
        CT_AUTO_FREE char *name = ct_printf("  of %s", role_text(role));
        int64_t all = 0;
        for (size_t i = 0; i < table->n; i++) {
            all += count_calls(table->models[i], role);
        }
        if (all > 0) {
            print_measure(table, name, count_calls, role, false);
        }
    }
}

static void print_table(const struct table *table)
{
    static const struct {
        const char *name;
        measure_fn measure;
        bool is_time;
    } measures[] = {{"the command took, ms", command_ns, true},
                    {"first instruction, ms", first_instruction_ns, true},
                    {"processes", count_processes, false},
                    {"programs executed", count_programs, false},
                    {"namespaces", count_namespaces, false},
                    {"mounts", count_mounts, false},
                    {"syncs to the disk", count_synced, false}};

    (void)fprintf(table->out, "%-*s", NAME_COLUMNS, "");
    for (size_t i = 0; i < table->n; i++) {
        CT_AUTO_FREE char *name = ct_printf("%.*s", table->cell - 2, table->names[i]);
        print_cell(table, i, name);
    }
    for (size_t i = 0; i < sizeof(measures) / sizeof(measures[0]); i++) {
        print_measure(table, measures[i].name, measures[i].measure, -1, measures[i].is_time);
    }
    print_borders(table);
    print_calls(table);
}

/* ---- the messages --------------------------------------------------------------------------- */

/* The message without what differs from run to run: long hexadecimal words and numbers. */
static char *kind_of(const struct model_span *span, const struct model_span *sender)
{
    char *kind = ct_printf("%d %d %s", sender->role, span->role, span->message);
    char *to = kind;

    for (const char *from = kind; *from;) {
        size_t hex = strspn(from, "0123456789abcdef"), digits = strspn(from, "0123456789");
        size_t skipped = hex >= 12 ? hex : digits;
        *to++ = skipped ? '#' : *from;
        from += skipped ? skipped : 1;
    }
    *to = '\0';
    return kind;
}

/* How often the kind of message is in the first n spans. */
static size_t count_kind(const struct model *model, size_t n, const char *kind)
{
    size_t times = 0;
    for (size_t i = 0; i < n; i++) {
        const struct model_span *sender = model_sender(model, &model->spans[i]);
        CT_AUTO_FREE char *other = sender ? kind_of(&model->spans[i], sender) : NULL;
        times += other && strcmp(other, kind) == 0;
    }
    return times;
}

/* before NULL: all of them. */
static void print_messages(const struct table *table, size_t which)
{
    const struct model *model = table->models[which];
    const struct model *before = which ? table->models[which - 1] : NULL;
    bool any = false;

    (void)fprintf(table->out, "\n%s in %s:\n", before ? "new messages" : "messages",
                  table->names[which]);
    for (size_t i = 0; i < model->n_spans; i++) {
        const struct model_span *span = &model->spans[i];
        const struct model_span *sender = model_sender(model, span);
        CT_AUTO_FREE char *kind = sender ? kind_of(span, sender) : NULL;
        if (!sender || count_kind(model, i, kind) ||
            (before && count_kind(before, before->n_spans, kind))) {
            continue;
        }
        CT_AUTO_FREE char *message = model_text(span->message);
        (void)fprintf(table->out, "  %-10s -> %-10s ", role_text(sender->role),
                      role_text(span->role));
        columns_print(table->out, message, table->width - 27);
        (void)fputc('\n', table->out);
        any = true;
    }
    if (!any) {
        (void)fprintf(table->out, "  none\n");
    }
}

/* What the last has more than the first, in a sentence. */
static void print_sum(const struct table *table)
{
    const struct model *first = table->models[0], *last = table->models[table->n - 1];
    int64_t before = command_ns(first, -1), after = command_ns(last, -1);

    (void)fprintf(
        table->out,
        "\nFrom %s to %s: %+lld processes, %+lld messages, %+lld system calls,\n"
        "%+.1f ms (%+.0f %%).\n",
        table->names[0], table->names[table->n - 1],
        (long long)(count_processes(last, -1) - count_processes(first, -1)),
        (long long)(count_messages(&table->hops[table->n - 1]) - count_messages(&table->hops[0])),
        (long long)(count_calls(last, -1) - count_calls(first, -1)), (double)(after - before) / 1e6,
        before > 0 ? (double)(after - before) * 100 / (double)before : 0.0);
}

static void print_missing(const struct table *table, size_t which)
{
    CT_AUTO_FREE char *untold = model_untold(table->models[which]);

    if (!ct_json_bool(table->models[which]->header, "kernel_events", true)) {
        (void)fprintf(table->out, "  (what the kernel did in %s is not recorded)\n",
                      table->names[which]);
    }
    if (*untold) {
        CT_AUTO_FREE char *line =
            ct_printf("(not recorded in %s: %s)", table->names[which], untold);
        columns_fold(table->out, line, table->width);
        (void)fputc('\n', table->out);
    }
}

void render_comparison(FILE *out, const struct model *const *models, const char *const *names,
                       size_t n, const struct render_options *options)
{
    int room = (options->width - NAME_COLUMNS) / (int)n;
    CT_AUTO_FREE struct hop_table *hops = calloc(n, sizeof(*hops));
    struct table table = {.out = out,
                          .models = models,
                          .names = names,
                          .hops = hops,
                          .n = n,
                          .cell = room > CELL_MAX ? CELL_MAX : room,
                          .width = options->width};

    for (size_t i = 0; hops && i < n; i++) {
        hop_count(models[i], &hops[i]);
    }
    if (!hops) {
        return;
    }
    print_table(&table);
    for (size_t i = 0; i < n && !options->brief; i++) {
        print_messages(&table, i);
        print_missing(&table, i);
    }
    print_sum(&table);
}

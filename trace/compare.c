/*
 * compare.c - recordings side by side: what one has more than the one before.
 *
 * Room:       trace.   Called by: main.c (compare).
 *
 * Every step of the evolution replaced a call by a message. The table shows what that costs:
 * processes, messages, system calls, time. Below it stand the messages themselves: the places where
 * a span of one process answers a span of another.
 */
#define CT_LAYER "trace"
#include "renderers.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "span.h"

#include <string.h>

#define NAME_COLUMNS  26
#define VALUE_COLUMNS 26

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

static int64_t count_events(const struct model *model, const char *type, const char *name)
{
    int64_t n = 0;
    for (size_t i = 0; i < model->n_rows; i++) {
        const json_t *event = model->rows[i].event;
        n += event && strcmp(ct_json_string(event, "t", ""), type) == 0 &&
             (!name || strcmp(ct_json_string(event, "name", ""), name) == 0);
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

static int64_t count_mounts(const struct model *model, int role)
{
    (void)role;
    return count_events(model, "call", "mount") + count_events(model, "call", "move_mount");
}

static int64_t count_messages(const struct model *model, int role)
{
    int64_t n = 0;
    (void)role;
    for (size_t i = 0; i < model->n_spans; i++) {
        n += model_sender(model, &model->spans[i]) != NULL;
    }
    return n;
}

static int64_t count_calls(const struct model *model, int role)
{
    int64_t n = 0;
    for (size_t i = 0; i < model->n_processes; i++) {
        n += role < 0 || model->processes[i].role == role ? model->processes[i].calls : 0;
    }
    return n;
}

/* ---- the table ------------------------------------------------------------------------------ */

struct table {
    FILE *out;
    const struct model *const *models;
    size_t n;
};

static void print_value(FILE *out, int64_t value, int64_t before, bool first, bool is_time)
{
    char text[64];
    int used;

    if (value < 0) {
        used = snprintf(text, sizeof(text), "-");
    } else if (is_time) {
        used = snprintf(text, sizeof(text), "%.1f ms", (double)value / 1e6);
    } else {
        used = snprintf(text, sizeof(text), "%lld", (long long)value);
    }
    if (!first && value >= 0 && before >= 0) {
        size_t at = (size_t)used;
        if (is_time) {
            (void)snprintf(text + at, sizeof(text) - at, "  (%+.1f)",
                           (double)(value - before) / 1e6);
        } else {
            (void)snprintf(text + at, sizeof(text) - at, "  (%+lld)", (long long)(value - before));
        }
    }
    (void)fprintf(out, "%-*s", VALUE_COLUMNS, text);
}

static void print_measure(const struct table *table, const char *name, measure_fn measure, int role,
                          bool is_time)
{
    int64_t before = -1;

    (void)fprintf(table->out, "%-*s", NAME_COLUMNS, name);
    for (size_t i = 0; i < table->n; i++) {
        int64_t value = measure(table->models[i], role);
        print_value(table->out, value, before, i == 0, is_time);
        before = value;
    }
    (void)fputc('\n', table->out);
}

static bool any_calls(const struct table *table, int role)
{
    for (size_t i = 0; i < table->n; i++) {
        if (count_calls(table->models[i], role) > 0) {
            return true;
        }
    }
    return false;
}

static void print_table(const struct table *table, const char *const *names)
{
    static const struct {
        const char *name;
        measure_fn measure;
        bool is_time;
    } measures[] = {{"the command took", command_ns, true},
                    {"first instruction after", first_instruction_ns, true},
                    {"processes", count_processes, false},
                    {"programs executed", count_programs, false},
                    {"messages", count_messages, false},
                    {"mounts", count_mounts, false},
                    {"system calls", count_calls, false}};

    (void)fprintf(table->out, "%-*s", NAME_COLUMNS, "");
    for (size_t i = 0; i < table->n; i++) {
        (void)fprintf(table->out, "%-*.*s", VALUE_COLUMNS, VALUE_COLUMNS - 2, names[i]);
    }
    (void)fputc('\n', table->out);
    for (size_t i = 0; i < sizeof(measures) / sizeof(measures[0]); i++) {
        print_measure(table, measures[i].name, measures[i].measure, -1, measures[i].is_time);
    }
    for (int role = 0; role < CT_ROLE_COUNT; role++) {
        CT_AUTO_FREE char *name = ct_printf("  of %s", ct_role_name((enum ct_role)role));
        if (any_calls(table, role)) {
            print_measure(table, name, count_calls, role, false);
        }
    }
}

/* ---- the messages --------------------------------------------------------------------------- */

static const char *role_text(int role)
{
    return role >= 0 ? ct_role_name((enum ct_role)role) : "somebody";
}

static void print_messages(FILE *out, const struct model *model, const char *name)
{
    (void)fprintf(out, "\nmessages in %s:\n", name);
    for (size_t i = 0; i < model->n_spans; i++) {
        const struct model_span *span = &model->spans[i];
        const struct model_span *sender = model_sender(model, span);
        if (sender) {
            CT_AUTO_FREE char *message = model_text(span->message);
            (void)fprintf(out, "  %-8s -> %-8s %s\n", role_text(sender->role),
                          role_text(span->role), message);
        }
    }
    if (count_messages(model, -1) == 0) {
        (void)fprintf(out, "  none\n");
    }
}

/* What the last has more than the first, in a sentence. */
static void print_sum(FILE *out, const struct model *first, const struct model *last,
                      const char *const names[2])
{
    int64_t before = command_ns(first, -1), after = command_ns(last, -1);
    (void)fprintf(
        out,
        "\nFrom %s to %s: %+lld processes, %+lld messages, %+lld system calls, %+.1f ms "
        "(%+.0f %%).\n",
        names[0], names[1], (long long)(count_processes(last, -1) - count_processes(first, -1)),
        (long long)(count_messages(last, -1) - count_messages(first, -1)),
        (long long)(count_calls(last, -1) - count_calls(first, -1)), (double)(after - before) / 1e6,
        before > 0 ? (double)(after - before) * 100 / (double)before : 0.0);
}

void render_comparison(FILE *out, const struct model *const *models, const char *const *names,
                       size_t n)
{
    struct table table = {.out = out, .models = models, .n = n};

    print_table(&table, names);
    for (size_t i = 0; i < n; i++) {
        print_messages(out, models[i], names[i]);
        if (!ct_json_bool(models[i]->header, "kernel_events", true)) {
            (void)fprintf(out, "  (what the kernel did in %s is not recorded)\n", names[i]);
        }
    }
    print_sum(out, models[0], models[n - 1], (const char *const[2]){names[0], names[n - 1]});
}

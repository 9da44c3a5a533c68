/*
 * list.c - which containers there are, and which processes are in one.
 *
 * Room:       runc.   Called by: runc.c, through the table of commands.
 */
#define CT_LAYER "runc"
#include "runc_internal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "process.h"

#include <stdlib.h>
#include <string.h>

/* ---- list ----------------------------------------------------------------------------------- */

#define MIN_WIDTH 12 /* of a column, */
#define PADDING   3  /* and between the longest of it and the next */

static const struct {
    const char *header, *key;
} columns[] = {{"ID", "id"},         {"PID", "pid"},         {"STATUS", "status"},
               {"BUNDLE", "bundle"}, {"CREATED", "created"}, {"OWNER", "owner"}};
#define N_COLUMNS (sizeof(columns) / sizeof(columns[0]))

/* Owned. */
static char *cell_of(const json_t *state, size_t column)
{
    const json_t *value = json_object_get(state, columns[column].key);

    return json_is_integer(value)
               ? ct_printf("%lld", (long long)json_integer_value(value))
               : ct_strdup(json_string_value(value) ? json_string_value(value) : "");
}

static size_t width_of(const json_t *states, size_t column)
{
    size_t width = strlen(columns[column].header), i;
    const json_t *state;

    json_array_foreach(states, i, state)
    {
        CT_AUTO_FREE char *cell = cell_of(state, column);
        width = strlen(cell) > width ? strlen(cell) : width;
    }
    return width + PADDING > MIN_WIDTH ? width + PADDING : MIN_WIDTH;
}

static void print_table(const json_t *states)
{
    int widths[N_COLUMNS];
    const json_t *state;
    size_t i;

    for (size_t column = 0; column < N_COLUMNS; column++) {
        bool last = column + 1 == N_COLUMNS;
        widths[column] = last ? 0 : (int)width_of(states, column);
        (void)printf("%-*s%s", widths[column], columns[column].header, last ? "\n" : "");
    }
    json_array_foreach(states, i, state)
    {
        for (size_t column = 0; column < N_COLUMNS; column++) {
            CT_AUTO_FREE char *cell = cell_of(state, column);
            (void)printf("%-*s%s", widths[column], cell, column + 1 == N_COLUMNS ? "\n" : "");
        }
    }
}

/* What goes while we look is not there any more. */
static json_t *states_of(const struct runc *runc, char **ids)
{
    json_t *states = json_array();

    for (char **id = ids; *id; id++) {
        struct ct_error gone = {0};
        struct lc_container *container = lc_open(runc->root, *id, &gone);
        if (container) {
            ct_json_append(states, runc_state_of(container));
            lc_close(container);
        }
    }
    return states;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int run_list(const struct runc *runc, const struct runc_args *args, struct ct_error *err)
{
    CT_AUTO_STRV char **ids = lc_list(runc->root, err);
    bool json = false;
    size_t n = 0;

    if (!ids || runc_wants_json(args, &json, err) < 0) {
        return -1;
    }
    for (; ids[n]; n++) {
    }
    qsort(ids, n, sizeof(*ids), compare);
    if (runc_args_switch(args, "quiet")) {
        for (char **id = ids; *id; id++) {
            (void)puts(*id);
        }
        return 0;
    }
    CT_AUTO_JSON json_t *states = states_of(runc, ids);
    if (json) { /* a list in Go that nothing was put into is null */
        return runc_print_line(json_array_size(states) > 0 ? json_incref(states) : json_null(),
                               err);
    }
    print_table(states);
    return 0;
}

/* ---- ps ------------------------------------------------------------------------------------- */

#define PS_PATIENCE_MS 10000
#define PS_MAX         (4 << 20) /* bytes */

static bool contains(const pid_t *pids, ssize_t n, long pid)
{
    for (ssize_t i = 0; i < n; i++) {
        if (pids[i] == pid) {
            return true;
        }
    }
    return false;
}

/* The word of a line with that number. */
static const char *word_at(const char *line, int number)
{
    const char *word = line + strspn(line, " \t");

    for (; number > 0 && *word; number--) {
        word += strcspn(word, " \t");
        word += strspn(word, " \t");
    }
    return word;
}

/* Which column is the process id; -1: none. */
static int pid_column(const char *header)
{
    for (int column = 0; *word_at(header, column); column++) {
        const char *word = word_at(header, column);
        if (strncmp(word, "PID", 3) == 0 && (!word[3] || word[3] == ' ')) {
            return column;
        }
    }
    return -1;
}

/* ps(1) lists the machine; the lines of the container are left. */
static int print_processes(char *listing, const pid_t *pids, ssize_t n, struct ct_error *err)
{
    char *position = NULL, *line = strtok_r(listing, "\n", &position);
    int column = line ? pid_column(line) : -1;

    if (column < 0) {
        return ct_refuse(err, CT_INVALID, "couldn't find PID field in ps output");
    }
    (void)puts(line);
    while ((line = strtok_r(NULL, "\n", &position))) {
        if (contains(pids, n, strtol(word_at(line, column), NULL, 10))) {
            (void)puts(line);
        }
    }
    return 0;
}

static int list_by_ps(const struct runc_args *args, const pid_t *pids, ssize_t n,
                      struct ct_error *err)
{
    const char *standard[] = {"ps", "-ef", NULL};
    char **rest = runc_args_rest(args, 1);
    size_t n_rest = 0;
    CT_AUTO_FREE char *listing = NULL;
    int status = 0;

    for (; rest[n_rest]; n_rest++) {
    }
    CT_AUTO_FREE const char **argv = calloc(n_rest + 2, sizeof(*argv));
    if (!argv) {
        return ct_fail(err, ENOMEM, "run ps");
    }
    argv[0] = "ps";
    memcpy(argv + 1, rest, n_rest * sizeof(*argv));
    if (ct_process_run(n_rest > 0 ? argv : standard, PS_PATIENCE_MS, PS_MAX, &listing, &status,
                       err) < 0) {
        return -1;
    }
    return status == 0 ? print_processes(listing, pids, n, err)
                       : ct_refuse(err, CT_INVALID, "run ps: %.120s", listing);
}

static int run_ps(const struct runc *runc, const struct runc_args *args, struct ct_error *err)
{
    struct lc_container *container = runc_open(runc, args, err);
    CT_AUTO_FREE pid_t *pids = NULL;
    ssize_t n = container ? lc_pids(container, &pids, err) : -1;
    bool json = false;

    lc_close(container);
    if (n < 0 || runc_wants_json(args, &json, err) < 0) {
        return -1;
    }
    if (!json) {
        return list_by_ps(args, pids, n, err);
    }
    json_t *numbers = json_array();
    for (ssize_t i = 0; i < n; i++) {
        ct_json_append(numbers, json_integer(pids[i]));
    }
    return runc_print_line(numbers, err);
}

/* ---- the rows ------------------------------------------------------------------------------- */

#define FORMAT_OPTION                                                 \
    {                                                                 \
        "format", 'f', RUNC_TEXT, "FORMAT", "table (default) or json" \
    }

static const struct runc_option list_options[] = {
    FORMAT_OPTION, {"quiet", 'q', RUNC_SWITCH, NULL, "print ids alone"}, {0}};
static const struct runc_option ps_options[] = {FORMAT_OPTION, {0}};

const struct runc_command runc_list = {
    .name = "list",
    .usage = "",
    .summary = "list the containers below the root",
    .options = list_options,
    .run = run_list,
};
const struct runc_command runc_ps = {
    .name = "ps",
    .usage = "CONTAINER-ID [PS-OPTION...]",
    .summary = "list the processes of a container",
    .options = ps_options,
    .min_args = 1,
    .max_args = -1,
    .stops_at_first = true,
    .run = run_ps,
};

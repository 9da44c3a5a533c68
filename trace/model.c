/*
 * model.c - a recording as what it means.
 *
 * Room:       trace.   Called by: see model.h.
 */
#define CT_LAYER "trace"
#include "model.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "process.h"
#include "span.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int role_by_name(const char *name)
{
    for (int i = 0; i < CT_ROLE_COUNT; i++) {
        if (strcmp(ct_role_name((enum ct_role)i), name) == 0) {
            return i;
        }
    }
    return -1;
}

static const char *type_of(const json_t *line)
{
    return ct_json_string(line, "t", "");
}

static bool is(const json_t *line, const char *type)
{
    return strcmp(type_of(line), type) == 0;
}

/* Of a process with one thread they are the same. */
static json_int_t thread_of(const json_t *line)
{
    return ct_json_integer(line, "tid", ct_json_integer(line, "pid", 0));
}

static struct model_process *find_process(const struct model *model, json_int_t pid)
{
    for (size_t i = model->n_processes; i > 0; i--) {
        if (model->processes[i - 1].pid == pid) {
            return &model->processes[i - 1];
        }
    }
    return NULL;
}

const struct model_process *model_process(const struct model *model, json_int_t pid)
{
    return find_process(model, pid);
}

static void add_process(struct model *model, json_int_t pid, json_int_t parent)
{
    if (pid == 0 || find_process(model, pid)) {
        return;
    }
    struct model_process *grown =
        reallocarray(model->processes, model->n_processes + 1, sizeof(*grown));
    if (!grown) {
        return;
    }
    model->processes = grown;
    model->processes[model->n_processes] = (struct model_process){
        .pid = pid, .parent = parent, .role = -1, .colour = (int)model->n_processes};
    model->n_processes++;
}

/* First pass: all processes. From here on they stay where they are in memory. */
static void find_processes(struct model *model)
{
    size_t i;
    json_t *line;

    json_array_foreach(model->lines, i, line)
    {
        json_int_t pid = ct_json_integer(line, "pid", 0);
        add_process(model, pid, 0);
        add_process(model, ct_json_integer(line, "child", 0), pid);
    }
    if (model->n_processes > 0) {
        model->processes[0].role = CT_ROLE_CLIENT;
    }
}

static const char *base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* A file that whoever executes it had open already: a program of ours, on the way to the
 * container's.
 */
static bool is_open_file(const char *file)
{
    return strncmp(file, "/proc/self/", 11) == 0 || strncmp(file, "/dev/fd/", 8) == 0;
}

/* The role of the next span that this process begins, behind line i; -1: it begins none. */
static int next_role(const struct model *model, json_int_t pid, size_t i)
{
    for (i++; i < json_array_size(model->lines); i++) {
        const json_t *line = json_array_get(model->lines, i);
        if (is(line, "begin") && ct_json_integer(line, "pid", 0) == pid) {
            return role_by_name(ct_json_string(line, "role", ""));
        }
    }
    return -1;
}

/* What the exec in line i makes of a process. */
static void role_of_exec(struct model *model, struct model_process *process, size_t i,
                         json_int_t home_level)
{
    const json_t *exec = json_array_get(model->lines, i);
    int next = next_role(model, process->pid, i);
    const char *file = ct_json_string(exec, "file", "");
    bool deeper = ct_json_integer(exec, "level", 0) > home_level;

    if (strncmp(base(file), "lxc-", 4) == 0) {
        process->role = CT_ROLE_LXC;
    } else if (process->executes || (deeper && !is_open_file(file))) {
        process->role = strcmp(file, "/sbin/docker-init") == 0 ? CT_ROLE_INIT : CT_ROLE_CONTAINER;
    } else if (next >= 0) {
        process->role = next;
    } else if (process->role < 0) {
        const struct model_process *parent = find_process(model, process->parent);
        process->role = parent ? parent->role : CT_ROLE_CLIENT;
    }
}

static struct model_span *find_span(const struct model *model, const char *id)
{
    const json_t *index = json_object_get(model->ids, id);
    return index ? &model->spans[json_integer_value(index)] : NULL;
}

/* Whether the process comes from the one of this span by forks alone. */
static bool is_fork(const struct model *model, const struct model_process *process,
                    const char *span_id)
{
    const struct model_span *span = find_span(model, span_id);

    while (span && process && !process->has_executed && process->parent != span->pid) {
        process = find_process(model, process->parent);
    }
    return span && process && !process->has_executed;
}

static void add_span(struct model *model, const json_t *line, struct model_process *process)
{
    struct model_span *grown = reallocarray(model->spans, model->n_spans + 1, sizeof(*grown));
    if (!grown) {
        return;
    }
    model->spans = grown;
    struct model_span *span = &model->spans[model->n_spans++];
    *span =
        (struct model_span){.pid = ct_json_integer(line, "pid", 0),
                            .tid = thread_of(line),
                            .role = role_by_name(ct_json_string(line, "role", "")),
                            .begin_ns = ct_json_integer(line, "ns", 0),
                            .parent = ct_json_string(line, "parent", ""),
                            .step = ct_json_string(line, "step", ""),
                            .message = ct_json_string(line, "msg", ""),
                            .in_fork = is_fork(model, process, ct_json_string(line, "parent", "")),
                            .error = ""};
    (void)snprintf(span->id, sizeof(span->id), "%s", ct_json_string(line, "id", ""));
    ct_json_set(model->ids, span->id, json_integer((json_int_t)model->n_spans - 1));
    if (process && !process->has_spans) {
        process->has_spans = true;
        process->role = span->role;
    }
    if (process && strcmp(span->step, ct_step_name(CT_STEP_EXEC)) == 0) {
        process->executes = true;
    }
}

static void end_span(struct model *model, const json_t *line)
{
    struct model_span *span = find_span(model, ct_json_string(line, "id", ""));
    struct model_process *process = span ? find_process(model, span->pid) : NULL;

    if (process && strcmp(span->step, ct_step_name(CT_STEP_EXEC)) == 0) {
        process->executes = false;
    }
    if (span) {
        span->end_ns = ct_json_integer(line, "ns", 0);
        span->error = ct_json_string(line, "error", "");
        span->failed = strcmp(ct_json_string(line, "kind", "none"), "none") != 0 &&
                       strcmp(ct_json_string(line, "kind", "none"), "unchanged") != 0;
    }
}

/* Whoever would have told the end of these spans is gone: there is another program now. */
static void end_spans_at_exec(struct model *model, struct model_process *process, int64_t ns)
{
    for (size_t i = 0; i < model->n_spans; i++) {
        struct model_span *span = &model->spans[i];
        if (span->pid == process->pid && span->end_ns == 0) {
            span->end_ns = ns;
        }
    }
    process->executes = false;
}

/* The innermost span that the thread has open, as far as the lines are read; or NULL. */
static const struct model_span *open_span(const struct model *model, json_int_t tid)
{
    for (size_t i = model->n_spans; i > 0; i--) {
        const struct model_span *span = &model->spans[i - 1];
        if (span->tid == tid && span->end_ns == 0) {
            return span;
        }
    }
    return NULL;
}

/* In whose name a thread acts: one process may call through several layers. */
static int role_of(const struct model *model, const struct model_process *process, json_int_t tid)
{
    const struct model_span *span = open_span(model, tid);
    return span ? span->role : process ? process->role : -1;
}

/* The process has made so many by now: those that are new were made in its role of this moment. */
static void count_calls(struct model *model, struct model_process *process, json_int_t so_far)
{
    if (process->role >= 0 && so_far > process->calls) {
        model->calls[process->role] += so_far - process->calls;
    }
    process->calls = so_far > process->calls ? so_far : process->calls;
}

/* Second pass: the roles of the processes, and spans. */
static void read_lines(struct model *model)
{
    json_int_t home_level = -1;
    size_t i;
    json_t *line;

    json_array_foreach(model->lines, i, line)
    {
        json_int_t pid = ct_json_integer(line, "pid", 0);
        struct model_process *process = find_process(model, pid);
        if (process && *ct_json_string(line, "comm", "")) {
            (void)snprintf(process->comm, sizeof(process->comm), "%s",
                           ct_json_string(line, "comm", ""));
        }
        if (is(line, "fork")) {
            struct model_process *child = find_process(model, ct_json_integer(line, "child", 0));
            if (child) {
                child->role = role_of(model, process, thread_of(line));
            }
        } else if (is(line, "exec") && process) {
            home_level = home_level < 0 ? ct_json_integer(line, "level", 0) : home_level;
            count_calls(model, process, ct_json_integer(line, "calls", 0));
            ct_json_set(line, "role_before", json_integer(process->role));
            role_of_exec(model, process, i, home_level);
            process->has_executed = true;
            process->has_spans = false;
            end_spans_at_exec(model, process, ct_json_integer(line, "ns", 0));
        } else if (is(line, "begin")) {
            add_span(model, line, process);
        } else if (is(line, "end")) {
            end_span(model, line);
        } else if (is(line, "calls") && process) {
            count_calls(model, process, ct_json_integer(line, "count", 0));
        } else if (is(line, "footer")) {
            model->footer = line;
        }
        ct_json_set(line, "role", json_integer(role_of(model, process, thread_of(line))));
    }
}

/* How deep a span or event stands: the spans of the same thread that are open around it. */
static int depth_at(const struct model *model, json_int_t tid, int64_t ns,
                    const struct model_span *self)
{
    int depth = 0;
    for (size_t i = 0; i < model->n_spans; i++) {
        const struct model_span *span = &model->spans[i];
        bool open = span->begin_ns <= ns && (span->end_ns == 0 || span->end_ns >= ns);
        depth += span != self && span->tid == tid && open &&
                 (span->begin_ns < ns || span < self || !self);
    }
    return depth;
}

static void add_row(struct model *model, const struct model_row *row)
{
    struct model_row *grown = reallocarray(model->rows, model->n_rows + 1, sizeof(*grown));
    if (grown) {
        model->rows = grown;
        model->rows[model->n_rows++] = *row;
    }
}

/* Third pass: the rows of the picture, in the order of time. */
static void make_rows(struct model *model)
{
    size_t next_span = 0, i;
    json_t *line;

    for (size_t s = 0; s < model->n_spans; s++) {
        model->spans[s].depth =
            depth_at(model, model->spans[s].tid, model->spans[s].begin_ns, &model->spans[s]);
    }
    json_array_foreach(model->lines, i, line)
    {
        int64_t ns = ct_json_integer(line, "ns", 0);
        json_int_t tid = thread_of(line);
        if (is(line, "begin") && next_span < model->n_spans) {
            const struct model_span *span = &model->spans[next_span++];
            add_row(model, &(struct model_row){.ns = ns,
                                               .tid = tid,
                                               .span = span,
                                               .role = span->role,
                                               .role_before = span->role,
                                               .depth = span->depth});
        } else if (!is(line, "begin") && !is(line, "end") && !is(line, "header") &&
                   !is(line, "calls") && !is(line, "footer")) {
            int role = (int)ct_json_integer(line, "role", -1);
            add_row(model, &(struct model_row){.ns = ns,
                                               .tid = tid,
                                               .event = line,
                                               .role = role,
                                               .role_before =
                                                   (int)ct_json_integer(line, "role_before", role),
                                               .depth = depth_at(model, tid, ns, NULL)});
        }
    }
}

static void find_command(struct model *model)
{
    const struct model_span *span = model->n_spans ? &model->spans[0] : NULL;
    bool told = span && strcmp(span->step, ct_step_name(CT_STEP_COMMAND)) == 0;

    model->command_begin_ns = told ? span->begin_ns : model->start_ns;
    model->command_end_ns = told && span->end_ns ? span->end_ns : model->end_ns;
    for (size_t i = 0; !told && model->n_processes && i < model->n_rows; i++) {
        const json_t *event = model->rows[i].event;
        if (event && is(event, "exit") &&
            ct_json_integer(event, "pid", 0) == model->processes[0].pid) {
            model->command_end_ns = model->rows[i].ns;
        }
    }
}

struct model *model_new(json_t *lines, struct ct_error *err)
{
    struct model *model = calloc(1, sizeof(*model));
    if (!model) {
        json_decref(lines);
        return ct_fail_null(err, ENOMEM, "read a recording");
    }
    model->lines = lines;
    model->ids = json_object();
    model->header = json_array_get(lines, 0);
    find_processes(model);
    read_lines(model);
    make_rows(model);
    model->start_ns = model->n_rows ? model->rows[0].ns : ct_json_integer(model->header, "ns", 0);
    model->end_ns = model->start_ns;
    for (size_t i = 0; i < model->n_rows; i++) {
        const struct model_row *row = &model->rows[i];
        int64_t end = row->span && row->span->end_ns ? row->span->end_ns : row->ns;
        model->end_ns = end > model->end_ns ? end : model->end_ns;
    }
    find_command(model);
    return model;
}

void model_free(struct model *model)
{
    if (model) {
        json_decref(model->lines);
        json_decref(model->ids);
        free(model->processes);
        free(model->spans);
        free(model->rows);
        free(model);
    }
}

static char *arguments_text(const json_t *argv)
{
    char *text = NULL;
    size_t length = 0, i;
    json_t *word;
    FILE *out = open_memstream(&text, &length);

    if (!out) {
        return ct_strdup("");
    }
    json_array_foreach((json_t *)argv, i, word)
    {
        (void)fprintf(out, "%s%s", i ? " " : "", json_string_value(word));
    }
    (void)fclose(out);
    return text;
}

/* How many hexadecimal digits stand here, if it is an id of 64; else 0. */
static size_t id_length(const char *text)
{
    return strspn(text, "0123456789abcdef") == 64 ? 64 : 0;
}

char *model_text(const char *text)
{
    char *copy = ct_strdup(text);
    char *to = copy;
    for (const char *from = copy; *from;) {
        size_t id = from == copy || !isxdigit((unsigned char)from[-1]) ? id_length(from) : 0;
        if (id) {
            memmove(to, from, 12); /* as `ps` shows it */
            to += 12;
            from += id;
            continue;
        }
        *to++ = (unsigned char)*from < ' ' || *from == 0x7f ? '?' : *from;
        from++;
    }
    *to = '\0';
    return copy;
}

static char *safe(char *text)
{
    char *copy = model_text(text);
    free(text);
    return copy;
}

static char *call_text(const json_t *event)
{
    json_int_t result = ct_json_integer(event, "ret", 0);
    const char *text = ct_json_string(event, "text", "");
    const char *name = ct_json_string(event, "name", "");
    const char *failure = result < 0 && result > -4096 ? strerrorname_np((int)-result) : NULL;

    return ct_printf("%s%s%s%s%s", name, *text ? " " : "", text, failure ? " = " : "",
                     failure ? failure : "");
}

char *model_event_text(const json_t *event)
{
    if (is(event, "call")) {
        return safe(call_text(event));
    }
    if (is(event, "exec")) {
        CT_AUTO_FREE char *arguments = arguments_text(json_object_get(event, "argv"));
        return safe(ct_printf("exec %s: %s", ct_json_string(event, "file", ""), arguments));
    }
    if (is(event, "fork")) {
        return ct_printf("fork: process %lld", (long long)ct_json_integer(event, "child", 0));
    }
    if (is(event, "exit")) {
        json_int_t number = ct_json_integer(event, "signal", 0);
        return number ? ct_printf("killed by %s", ct_signal_name((int)number))
                      : ct_printf("exit %lld", (long long)ct_json_integer(event, "code", 0));
    }
    if (is(event, "cgroup")) {
        return safe(ct_printf("cgroup: process %lld to %s",
                              (long long)ct_json_integer(event, "moved", 0),
                              ct_json_string(event, "path", "")));
    }
    return safe(ct_printf("waited for %s", ct_json_string(event, "reason", "")));
}

const struct model_span *model_parent(const struct model *model, const struct model_span *span)
{
    return find_span(model, span->parent);
}

const struct model_span *model_sender(const struct model *model, const struct model_span *span)
{
    const struct model_span *parent = model_parent(model, span);

    if (!parent || parent->pid == span->pid || span->in_fork) {
        return NULL;
    }
    for (const struct model_span *earlier = model->spans; earlier < span; earlier++) {
        if (earlier->pid == span->pid && strcmp(earlier->parent, span->parent) == 0) {
            return NULL;
        }
    }
    return parent;
}

const struct model_row *model_first_instruction(const struct model *model)
{
    for (size_t i = 0; i < model->n_rows; i++) {
        const struct model_row *row = &model->rows[i];
        if (row->event && is(row->event, "exec") &&
            (row->role == CT_ROLE_INIT || row->role == CT_ROLE_CONTAINER)) {
            return row;
        }
    }
    return NULL;
}

/* ---- who was asked and told nothing --------------------------------------------------------- */

static bool is_answered(const struct model *model, const struct model_span *request)
{
    for (size_t i = 0; i < model->n_spans; i++) {
        const struct model_span *span = &model->spans[i];
        if (span->pid != request->pid && strcmp(span->parent, request->id) == 0) {
            return true;
        }
    }
    return false;
}

/* Whom a role asks. */
static int asked_role(int role)
{
    return role == CT_ROLE_CLIENT       ? CT_ROLE_ENGINE
           : role == CT_ROLE_CONTAINERD ? CT_ROLE_SHIM
                                        : CT_ROLE_CONTAINERD;
}

/* A request that went well, so that somebody must have done the work. */
static const struct model_span *untold_request(const struct model *model)
{
    for (size_t i = 0; i < model->n_spans; i++) {
        const struct model_span *span = &model->spans[i];
        if (strcmp(span->step, ct_step_name(CT_STEP_REQUEST)) == 0 && span->end_ns &&
            !span->failed && !is_answered(model, span)) {
            return span;
        }
    }
    return NULL;
}

static bool has_row(const struct model *model, int role)
{
    for (size_t i = 0; i < model->n_rows; i++) {
        if (model->rows[i].role == role) {
            return true;
        }
    }
    return false;
}

/* On the path below whoever was asked, and without a row. */
static bool is_untold(const struct model *model, const struct model_span *request, int role)
{
    bool below = role == CT_ROLE_ENGINE || role == CT_ROLE_CONTAINERD || role == CT_ROLE_SHIM ||
                 role == CT_ROLE_RUNTIME || role == CT_ROLE_CONTAINER;
    return request && below && role >= asked_role(request->role) && !has_row(model, role);
}

bool model_is_untold(const struct model *model, int role)
{
    return is_untold(model, untold_request(model), role);
}

char *model_untold(const struct model *model)
{
    const struct model_span *request = untold_request(model);
    char *rows = ct_strdup("");

    for (int role = 0; role < CT_ROLE_COUNT; role++) {
        if (is_untold(model, request, role)) {
            CT_AUTO_FREE char *before = rows;
            rows =
                ct_printf("%s%s%s", before, *before ? ", " : "", ct_role_name((enum ct_role)role));
        }
    }
    if (!*rows) {
        return rows;
    }
    CT_AUTO_FREE char *list = rows;
    CT_AUTO_FREE char *message = model_text(request->message);
    return ct_printf(
        "%s: who answered '%.80s' told nothing; it is not Cutaway's, or cannot be traced", list,
        message);
}

int64_t model_waited_ns(const struct model *model, int role, const char *reason)
{
    int64_t sum = 0;
    for (size_t i = 0; i < model->n_rows; i++) {
        const json_t *event = model->rows[i].event;
        if (event && is(event, "wait") && (role < 0 || model->rows[i].role == role) &&
            (!reason || strcmp(ct_json_string(event, "reason", ""), reason) == 0)) {
            sum += ct_json_integer(event, "dur", 0);
        }
    }
    return sum;
}

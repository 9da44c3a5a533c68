/*
 * runs.c - runs commands of the OCI runtime, one after the other for each container.
 *
 * Room:       shim.   Called by: task.c; reap.c when one has ended.
 *
 * The loop goes on meanwhile: a runtime that hangs keeps its own container's callers waiting until
 * their deadlines, and nobody else's output or end.
 */
#define CT_LAYER "shim"
#include "shim_internal.h"

#include "status.h"

#include "cleanup.h"
#include "log.h"
#include "path.h"
#include "process.h"
#include "span.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_MAX (1 << 20) /* bytes of what a command prints that are kept */

struct run {
    struct container *container;
    char **words;
    size_t n_common; /* of them: the same in all commands */
    int stdio[3];
    bool owns_stdin, births;
    run_done_fn done;
    void *context;
    char traceparent[56]; /* of the request, for the runtime's own spans; "": none */
    struct ct_span span;  /* from the command's start to its end */

    bool begun; /* it had its turn */
    pid_t pid;  /* 0: could not be started */
    long long log_from;
    int output_fd;
    struct loop_source *output_source;
    char *output;
    size_t output_length;
    struct loop_timer failed; /* could not be started: told from the loop */
    struct ct_error error;
    struct run *next;
};

static void free_run(struct run *run)
{
    loop_unwatch(run->output_source);
    ct_cleanup_close(&run->output_fd);
    if (run->owns_stdin) {
        ct_cleanup_close(&run->stdio[0]);
    }
    loop_disarm(&run->failed);
    ct_cleanup_strv(&run->words);
    free(run->output);
    free(run);
}

/* ---- output --------------------------------------------------------------------------------- */

static bool read_output(struct run *run)
{
    char chunk[4096];
    ssize_t n = read(run->output_fd, chunk, sizeof(chunk));

    if (n <= 0) {
        return n < 0 && errno == EINTR;
    }
    size_t room = OUTPUT_MAX - run->output_length;
    size_t kept = (size_t)n < room ? (size_t)n : room; /* the rest is read, so that it can end */
    if (kept > 0) {
        char *grown = realloc(run->output, run->output_length + kept + 1);
        if (!grown) {
            abort();
        }
        run->output = grown;
        memcpy(run->output + run->output_length, chunk, kept);
        run->output_length += kept;
        run->output[run->output_length] = '\0';
    }
    return true;
}

static void output_ready(void *context, uint32_t events)
{
    struct run *run = context;
    (void)events;
    if (!read_output(run)) {
        loop_change(run->output_source, 0);
    }
}

/* ---- one command ---------------------------------------------------------------------------- */

static void start_next(struct container *container);

/* Takes the run out, tells, and lets the next one begin. done may free the container. */
static void finish(struct run *run, const struct ct_error *error)
{
    struct container *container = run->container;
    struct shim *shim = container->shim;
    bool gone = false;

    ct_span_end_later(&run->span, run->traceparent, error);
    container->runs = run->next;
    container->gone = &gone;
    run->done(run->context, run->output ? run->output : "", error);
    shim->births -= run->births;
    free_run(run);
    if (!gone) {
        container->gone = NULL;
        if (container->runs && !container->runs->begun) {
            start_next(container);
        }
    }
}

static void tell_failed(void *context)
{
    struct run *run = context;
    struct ct_error error = run->error;
    finish(run, &error);
}

/* Both outputs in one pipe, unless the command has the container's streams. */
static int open_output(struct run *run, int stdio[3], int *ret_writer, struct ct_error *err)
{
    int ends[2];

    memcpy(stdio, run->stdio, sizeof(run->stdio));
    if (stdio[1] >= 0 || stdio[2] >= 0) {
        return 0;
    }
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
        return ct_fail(err, errno, "make a pipe");
    }
    run->output_fd = ends[0];
    *ret_writer = stdio[1] = stdio[2] = ends[1];
    (void)fcntl(ends[1], F_SETFL, 0); /* programs expect that it blocks */
    run->output_source =
        loop_watch(run->container->shim->loop, ends[0], EPOLLIN, output_ready, run, err);
    return run->output_source ? 0 : -1;
}

/* The command without what all have in common. Owned. */
static char *command_line(const struct run *run)
{
    const char *name = strrchr(run->words[0], '/');
    char *line = ct_strdup(name ? name + 1 : run->words[0]);

    for (char **word = run->words + run->n_common; *word; word++) {
        CT_AUTO_FREE char *shorter = line;
        line = ct_printf("%s %s", shorter, *word);
    }
    return line;
}

/* What the command needs to go on with the trace: in our environment, until it has been started. */
static void pass_trace(struct run *run, struct ct_spawn *request, int *fd)
{
    char context[56], number[12];

    if (!ct_span_wanted()) {
        return;
    }
    CT_AUTO_FREE char *line = command_line(run);
    run->span = ct_span_begin(NULL, CT_ROLE_SHIM, CT_STEP_SPAWN_RUNTIME, "%s", line);
    (void)setenv("TRACEPARENT", ct_span_context(context), 1);
    *fd = ct_span_fd();
    if (*fd >= 0) {
        (void)snprintf(number, sizeof(number), "%d", *fd);
        (void)setenv("CUTAWAY_TRACE_FD", number, 1);
        request->keep = fd;
        request->n_keep = 1;
    }
}

static int spawn(struct run *run, struct ct_error *err)
{
    const char *binary = run->words[0];
    int trace_fd = -1;
    CT_AUTO_CLOSE int writer = -1;
    struct ct_process process = {.pidfd = -1};
    struct ct_spawn request = {.argv = (const char *const *)run->words,
                               .cwd = run->container->bundle,
                               .death_signal = SIGKILL};

    ct_span_adopt(*run->traceparent ? run->traceparent : NULL);
    pass_trace(run, &request, &trace_fd);
    if (open_output(run, request.stdio, &writer, err) == 0 &&
        ct_process_start(&request, &process, err) == 0) {
        run->pid = process.pid;
        ct_process_done(&process); /* SIGCHLD tells */
    }
    (void)unsetenv("TRACEPARENT");
    (void)unsetenv("CUTAWAY_TRACE_FD");
    ct_span_leave(&run->span);
    ct_span_adopt(NULL);
    return run->pid > 0 ? 0 : ct_while(err, "run '%s'", binary);
}

static void start_next(struct container *container)
{
    struct run *run = container->runs;

    run->begun = true;
    run->log_from = runtime_log_size(container->bundle);
    container->shim->births += run->births;
    if (spawn(run, &run->error) < 0) {
        loop_arm(container->shim->loop, &run->failed, 0, tell_failed, run);
    }
}

static struct run *new_run(struct container *container, const struct run_request *request)
{
    struct run *run = calloc(1, sizeof(*run));
    size_t n_common = 0;

    if (!run) {
        abort();
    }
    *run = (struct run){
        .container = container,
        .words = runtime_words(&container->runtime, container->bundle, request->words, &n_common),
        .n_common = n_common,
        .owns_stdin = request->owns_stdin,
        .births = request->births,
        .done = request->done,
        .context = request->context,
        .output_fd = -1};
    memcpy(run->stdio, request->stdio, sizeof(run->stdio));
    if (!ct_span_context(run->traceparent)) {
        run->traceparent[0] = '\0';
    }
    return run;
}

void run_queue(struct container *container, const struct run_request *request)
{
    struct run *run = new_run(container, request), **slot = &container->runs;

    while (*slot) {
        slot = &(*slot)->next;
    }
    *slot = run;
    if (container->runs == run) {
        start_next(container);
    }
}

/* ---- its end -------------------------------------------------------------------------------- */

/* The runtime's own words: its log, else what it printed, else how it ended. */
static void explain(const struct run *run, int status, struct ct_error *err)
{
    const char *bundle = run->container->bundle;
    const char *layer =
        strrchr(run->words[0], '/') ? strrchr(run->words[0], '/') + 1 : run->words[0];
    CT_AUTO_FREE char *message = runtime_last_error(bundle, run->log_from);

    if (message) {
        wire_text_to_error(message, layer, CT_SYSTEM, err);
    } else if (run->output_length > 0) {
        CT_AUTO_FREE char *line = ct_printf("%.*s", (int)strcspn(run->output, "\n"), run->output);
        wire_text_to_error(line, layer, CT_SYSTEM, err);
    } else if (WIFSIGNALED(status)) {
        (void)ct_error_set(err, layer, CT_SYSTEM, 0, "it was ended by %s",
                           ct_signal_name(WTERMSIG(status)));
    } else {
        (void)ct_error_set(err, layer, CT_SYSTEM, 0, "it ended with %d and said nothing",
                           WEXITSTATUS(status));
    }
}

bool run_ended(struct shim *shim, pid_t pid, int status)
{
    for (struct container *container = shim->containers; container; container = container->next) {
        struct run *run = container->runs;
        if (run && run->pid == pid) {
            struct ct_error err = {0};
            while (run->output_fd >= 0 && read_output(run)) {
                /* what it printed last */
            }
            if (ct_exit_code(status) != 0) {
                explain(run, status, &err);
            }
            finish(run, err.kind == CT_NONE ? NULL : &err);
            return true;
        }
    }
    return false;
}

void run_cancel_all(struct container *container)
{
    struct ct_error gone = {0};

    (void)ct_refuse(&gone, CT_NOT_FOUND, "find container '%.64s': it has been deleted",
                    container->id);
    while (container->runs) {
        struct run *run = container->runs;
        container->runs = run->next;
        if (run->pid > 0) {
            (void)kill(run->pid, SIGKILL); /* not reaped yet, so the pid is still its own */
        }
        container->shim->births -= run->begun && run->births;
        ct_span_end_later(&run->span, run->traceparent, &gone);
        run->done(run->context, "", &gone);
        free_run(run);
    }
}

/*
 * record.c - runs a command and records its path.
 *
 * Room:       trace.   Called by: main.c.
 */
#define CT_LAYER "trace"
#include "record.h"
#include "collector.h"
#include "recording.h"
#include "span_file.h"

#include "cleanup.h"
#include "file.h"
#include "path.h"
#include "process.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long the rest of the tree may go on after the command, and how long it may be silent. */
#define GRACE_NS   (2 * 1000000000LL)
#define SILENCE_NS (200 * 1000000LL)

/* Where programs with probes stand, relative to cutaway-trace: in the build tree, and installed. */
static const char *const probe_patterns[] = {"../cutaway",
                                             "../stages/*/cutaway-*",
                                             "../stages/*/cutawayd",
                                             "../stages/*/*/cutaway-*",
                                             "../bin/cutaway",
                                             "../libexec/cutaway/cutaway-*",
                                             "../libexec/cutaway/*/cutawayd",
                                             "../sbin/cutawayd",
                                             "../sbin/cutaway-*",
                                             "../cutaway-*"};

static void add_binary(char ***binaries, size_t *n, const char *path)
{
    char *real = realpath(path, NULL);
    for (size_t i = 0; real && i < *n; i++) {
        if (strcmp((*binaries)[i], real) == 0) {
            free(real);
            return;
        }
    }
    struct stat status;
    bool program =
        real && stat(real, &status) == 0 && S_ISREG(status.st_mode) && access(real, X_OK) == 0;
    char **grown = program ? reallocarray(*binaries, *n + 2, sizeof(*grown)) : NULL;
    if (!grown) {
        free(real);
        return;
    }
    grown[(*n)++] = real;
    grown[*n] = NULL;
    *binaries = grown;
}

/* All binaries that may carry our probes: next to us, and those that were named. Owned. */
static char **find_binaries(const struct record_request *request)
{
    char **binaries = calloc(1, sizeof(*binaries));
    size_t n = 0;
    struct ct_error ignored = {0};
    CT_AUTO_FREE char *self = ct_self_path(&ignored);

    if (self) {
        *strrchr(self, '/') = '\0';
    }
    for (size_t i = 0; self && i < sizeof(probe_patterns) / sizeof(probe_patterns[0]); i++) {
        CT_AUTO_FREE char *pattern = ct_join(self, probe_patterns[i]);
        glob_t found;
        if (glob(pattern, 0, NULL, &found) == 0) {
            for (size_t j = 0; j < found.gl_pathc; j++) {
                add_binary(&binaries, &n, found.gl_pathv[j]);
            }
            globfree(&found);
        }
    }
    for (const char *const *probe = request->probes; probe && *probe; probe++) {
        add_binary(&binaries, &n, *probe);
    }
    return binaries;
}

struct recorder {
    FILE *out;
    char trace_id[33];
    struct collector *collector; /* NULL: spans only */
    struct span_file *spans;     /* what programs append theirs to; NULL: BPF sees them */
    int64_t last_event_ns;       /* CLOCK_MONOTONIC, when something last came */
};

static void on_event(void *context, const struct trace_event *event)
{
    struct recorder *recorder = context;
    recorder->last_event_ns = ct_monotonic_ns();
    recording_event(recorder->out, event);
}

/* What tells the programs below that they are traced: W3C Trace Context, and where spans go. */
static void set_environment(const struct recorder *recorder)
{
    char parent[17];
    ct_random_hex(parent, 8);
    CT_AUTO_FREE char *traceparent = ct_printf("00-%s-%s-01", recorder->trace_id, parent);
    (void)setenv("TRACEPARENT", traceparent, 1);
    if (recorder->spans) {
        CT_AUTO_FREE char *number = ct_printf("%d", span_file_fd(recorder->spans));
        (void)setenv("CUTAWAY_TRACE_FD", number, 1);
    }
}

/* The child waits at the gate until everything is attached, so that nothing of the command is
 * missed. */
static pid_t start_at_gate(const struct record_request *request, const struct recorder *recorder,
                           int *ret_gate, struct ct_error *err)
{
    int gate[2];
    if (pipe2(gate, O_CLOEXEC) < 0) {
        return ct_fail(err, errno, "make a pipe");
    }
    pid_t pid = fork();
    if (pid == 0) {
        char go;
        (void)close(gate[1]);
        if (read(gate[0], &go, 1) != 1) {
            _exit(125); /* the recorder gave up */
        }
        set_environment(recorder);
        (void)execvp(request->command[0], request->command);
        int failure = errno;
        (void)fprintf(stderr, "cutaway-trace: run '%s': %s\n", request->command[0],
                      strerror(failure));
        _exit(failure == ENOENT ? 127 : 126);
    }
    (void)close(gate[0]);
    if (pid < 0) {
        (void)close(gate[1]);
        return ct_fail(err, errno, "start the command");
    }
    *ret_gate = gate[1];
    return pid;
}

/* True when there is nothing more to wait for after the command's end. */
static bool is_over(const struct recorder *recorder, int64_t ended_ns)
{
    int64_t now = ct_monotonic_ns();
    bool more = recorder->collector ? collector_alive(recorder->collector) > 0
                                    : span_file_is_busy(recorder->spans);
    if (!more) {
        return true;
    }
    return now - ended_ns > GRACE_NS || now - recorder->last_event_ns > SILENCE_NS;
}

/* What the programs wrote themselves becomes part of the recording. */
static void take_spans(struct recorder *recorder)
{
    if (recorder->spans && span_file_take(recorder->spans, recorder->out) > 0) {
        recorder->last_event_ns = ct_monotonic_ns();
    }
}

/* Reads events until the command, and a moment of what it left, is over. */
static int follow(struct recorder *recorder, pid_t pid, int *ret_status, struct ct_error *err)
{
    int64_t ended_ns = 0;

    while (!ended_ns || !is_over(recorder, ended_ns)) {
        if (recorder->collector) {
            if (collector_poll(recorder->collector, 20, err) < 0) {
                return -1;
            }
        } else {
            (void)poll(NULL, 0, 5);
            take_spans(recorder);
        }
        if (!ended_ns && waitpid(pid, ret_status, WNOHANG) == pid) {
            ended_ns = ct_monotonic_ns();
            recorder->last_event_ns = ended_ns;
        }
    }
    return recorder->collector && collector_poll(recorder->collector, 0, err) < 0 ? -1 : 0;
}

/* As the programs choose it that we trace. */
static const char *run_directory(const struct record_request *request)
{
    const char *run = request->run ? request->run : getenv("CUTAWAY_RUN");
    return run && *run ? run : "/run/cutaway";
}

/* BPF if it can be had, else the file. missing says why not. */
static int open_sources(struct recorder *recorder, const struct record_request *request,
                        char missing[512], struct ct_error *err)
{
    struct ct_error why = {0};
    CT_AUTO_STRV char **binaries = find_binaries(request);

    missing[0] = '\0';
    if (request->no_bpf) {
        (void)snprintf(missing, 512, "kernel events were not asked for (--no-bpf)");
    } else {
        recorder->collector =
            collector_open((const char *const *)binaries, on_event, recorder, &why);
        if (!recorder->collector) {
            (void)ct_error_render(&why, missing, 512);
        }
    }
    if (!recorder->collector) {
        recorder->spans = span_file_open(run_directory(request), recorder->trace_id, err);
        return recorder->spans ? 0 : -1;
    }
    return 0;
}

static int run_recorded(struct recorder *recorder, const struct record_request *request,
                        int *ret_status, struct ct_error *err)
{
    CT_AUTO_CLOSE int gate = -1;
    pid_t pid = start_at_gate(request, recorder, &gate, err);

    if (pid < 0) {
        return -1;
    }
    if (recorder->collector &&
        collector_follow(recorder->collector, pid, recorder->trace_id, err) < 0) {
        ct_cleanup_close(&gate);
        gate = -1;
        (void)waitpid(pid, NULL, 0);
        return -1;
    }
    /* Ctrl-C is for the command; we record how it takes it. */
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGQUIT, SIG_IGN);
    if (write(gate, "g", 1) != 1) {
        return ct_fail(err, errno, "start the command");
    }
    return follow(recorder, pid, ret_status, err);
}

static void write_count(void *context, pid_t pid, unsigned long long calls)
{
    const struct recorder *recorder = context;
    recording_calls(recorder->out, ct_monotonic_ns(), pid, calls);
}

/* What is known only at the end, and what could not be had. */
static void finish(struct recorder *recorder, int exit_code)
{
    unsigned long long lost = recorder->collector ? collector_lost(recorder->collector) : 0;

    take_spans(recorder);
    if (recorder->collector) {
        collector_counts(recorder->collector, write_count, recorder);
    }
    CT_AUTO_FREE char *missing =
        recorder->spans ? span_file_missing(recorder->spans) : ct_strdup("");
    recording_footer(recorder->out, ct_monotonic_ns(), exit_code, lost, missing);
    collector_close(recorder->collector);
    span_file_close(recorder->spans);
    if (lost > 0) {
        (void)fprintf(stderr,
                      "cutaway-trace: %llu events were lost: the kernel had no room for them\n",
                      lost);
    }
    if (*missing) {
        (void)fprintf(stderr, "cutaway-trace: %s\n", missing);
    }
}

int record_run(const struct record_request *request, int *ret_exit_code, struct ct_error *err)
{
    CT_AUTO_FILE FILE *out = fopen(request->output, "we");
    struct recorder recorder = {.out = out};
    char missing[512];
    int status = 0;

    if (!out) {
        return ct_fail(err, errno, "write recording '%.120s'", request->output);
    }
    ct_random_hex(recorder.trace_id, 16);
    if (open_sources(&recorder, request, missing, err) < 0) {
        return -1;
    }
    if (missing[0]) {
        (void)fprintf(stderr, "cutaway-trace: kernel events are not recorded: %s\n", missing);
    }
    recording_header(out, request->command, ct_monotonic_ns(), recorder.trace_id, missing);
    int result = run_recorded(&recorder, request, &status, err);
    finish(&recorder, ct_exit_code(status));
    if (result == 0 && fflush(out) != 0) {
        result = ct_fail(err, errno, "write recording '%.120s'", request->output);
    }
    *ret_exit_code = ct_exit_code(status);
    return result;
}

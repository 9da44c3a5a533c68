/*
 * execs.c - further programs in a running container.
 *
 * Room:       monitor.   Called by: serve.c, run.c.
 * Spec:       Docker Engine API 1.43, "Exec".
 *
 * An exec's document is RUN/<id>/exec/<exec id>.json, made by the engine, kept true here: its end
 * is recorded before its stream closes, so that whoever sees the end finds the exit code.
 */
#define CT_LAYER "monitor"
#include "monitor_internal.h"
#include "spec.h"

#include "cleanup.h"
#include "json.h"
#include "log.h"
#include "path.h"
#include "process.h"
#include "span.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_LIMIT_MS 30000
#define LAST_OUTPUT_MS 500 /* what it left behind in the background may keep its pipes open */
#define EXECS_MAX      1024

struct exec_entry {
    struct monitor *monitor;
    char id[65];
    json_t *document;
    struct exec_process *process;
    struct loop_source *end;
    struct streams *streams;
    struct exec_entry *next;
};

static int save_document(struct exec_entry *entry, struct ct_error *err)
{
    CT_AUTO_FREE char *name = ct_printf("%s.json", entry->id);
    CT_AUTO_CLOSE int dir =
        openat(entry->monitor->container->run_fd, "exec", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir < 0) {
        return ct_fail(err, errno, "open the exec documents");
    }
    return ct_json_save_at(dir, name, entry->document, err);
}

static json_t *load_document(const struct monitor *monitor, const char *id, struct ct_error *err)
{
    CT_AUTO_FREE char *name = ct_printf("exec/%s.json", id);

    if (strlen(id) != 64 || strspn(id, "0123456789abcdef") != 64) {
        return ct_refuse_null(err, CT_NOT_FOUND, "no such exec instance: %.64s", id);
    }
    json_t *document = ct_json_load_at(monitor->container->run_fd, name, err);
    if (!document && err->kind == CT_NOT_FOUND) {
        ct_error_clear(err);
        return ct_refuse_null(err, CT_NOT_FOUND, "no such exec instance: %s", id);
    }
    return document;
}

static void record(struct exec_entry *entry, bool running, json_t *exit_code, pid_t pid)
{
    struct ct_error err = {0};

    ct_json_set(entry->document, "Running", json_boolean(running));
    ct_json_set(entry->document, "ExitCode", exit_code);
    ct_json_set(entry->document, "Pid", json_integer(pid));
    ct_json_set(entry->document, "Process", running ? exec_run_save(entry->process) : json_null());
    if (save_document(entry, &err) < 0) {
        ct_warn("record exec %.12s: %s", entry->id, err.frame[0].what);
    }
}

static void free_entry(struct exec_entry *entry)
{
    loop_unwatch(entry->end);
    streams_free(entry->streams);
    json_decref(entry->document);
    free(entry);
}

static void finish(struct exec_entry *entry)
{
    struct monitor *monitor = entry->monitor;
    struct exec_entry **slot = &monitor->execs;
    struct ct_error err = {0};
    int status = 0;

    while (*slot != entry) {
        slot = &(*slot)->next;
    }
    *slot = entry->next;
    streams_finish(entry->streams, LAST_OUTPUT_MS);
    loop_unwatch(entry->end); /* its descriptor goes with the result */
    entry->end = NULL;
    int code = exec_run_result(entry->process, &status, &err) == 0 ? ct_exit_code(status) : 137;
    CT_AUTO_FREE char *text = ct_printf("%d", code);
    record(entry, false, json_integer(code), 0);
    tell_event(monitor, "exec_die", json_pack("{s:s,s:s}", "execID", entry->id, "exitCode", text));
    free_entry(entry);
    give_memory_back_soon(monitor);
}

static void exec_ended(void *context, uint32_t events)
{
    (void)events;
    finish(context);
}

void execs_end(struct monitor *monitor)
{
    while (monitor->execs) {
        finish(monitor->execs);
    }
}

static int open_root(const struct monitor *monitor, struct ct_error *err)
{
    CT_AUTO_FREE char *path = ct_printf("/proc/%d/root", (int)exec_pid(monitor->job));
    /* Its last component is the kernel's own link to what the container sees as its root. */
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? ct_fail(err, errno, "open the container's root") : fd;
}

static struct streams_config streams_config(const struct exec_entry *entry, bool attach)
{
    return (struct streams_config){
        .loop = entry->monitor->loop,
        .terminal = ct_json_bool(entry->document, "Tty", false),
        .pipes = exec_driver_has_terminals(),
        .open_stdin = attach && ct_json_bool(entry->document, "AttachStdin", false),
        .stdin_once = true,
        .spill_dir = entry->monitor->container->dir_fd};
}

static int make_streams(struct exec_entry *entry, bool attach, struct ct_error *err)
{
    struct streams_config config = streams_config(entry, attach);

    entry->streams = streams_new(&config, err);
    return entry->streams ? 0 : -1;
}

static int run_program(struct exec_entry *entry, struct ct_error *err)
{
    struct monitor *monitor = entry->monitor;
    CT_AUTO_CLOSE int root = open_root(monitor, err);
    struct spec_program program;

    if (root < 0 ||
        spec_build_program(monitor->container->config, entry->document, root, &program, err) < 0) {
        return -1;
    }
    CT_SPAN(err, CT_ROLE_MONITOR, CT_STEP_EXEC, "exec_run(%s)", program.program.argv[0]);
    streams_program_ends(entry->streams, program.program.stdio);
    int kept[STREAMS_KEPT_MAX];
    exec_keep(kept, streams_kept(entry->streams, kept));
    entry->process = exec_run(monitor->job, &program.program, START_LIMIT_MS, err);
    exec_keep(NULL, 0);
    spec_program_done(&program);
    return entry->process ? 0 : -1;
}

/* From here on the monitor has it, and sees its end. */
static int watch(struct exec_entry *entry, struct ct_error *err)
{
    struct monitor *monitor = entry->monitor;

    entry->next = monitor->execs;
    monitor->execs = entry;
    if (streams_begin(entry->streams, err) == 0) {
        entry->end = loop_watch(monitor->loop, exec_run_wait_fd(entry->process), EPOLLIN,
                                exec_ended, entry, err);
    }
    return entry->end ? 0 : -1;
}

static int begin(struct exec_entry *entry, bool attach, struct ct_error *err)
{
    struct monitor *monitor = entry->monitor;

    if (strcmp(container_status(monitor->container), "paused") == 0) {
        return ct_refuse(err, CT_CONFLICT,
                         "container %s is paused, unpause the container before exec",
                         container_name(monitor->container));
    }
    if (make_streams(entry, attach, err) < 0 || run_program(entry, err) < 0) {
        return -1;
    }
    record(entry, true, json_null(), exec_run_pid(entry->process));
    if (watch(entry, err) < 0) { /* it runs, but nobody would see its end: end it now */
        struct ct_error ignored = {0};
        (void)exec_run_signal(entry->process, SIGKILL, &ignored);
        finish(entry);
        return 1;
    }
    return 0;
}

static bool is_running(const struct monitor *monitor, const char *id)
{
    size_t n = 0;
    for (const struct exec_entry *entry = monitor->execs; entry; entry = entry->next) {
        if (strcmp(entry->id, id) == 0 || ++n >= EXECS_MAX) {
            return true;
        }
    }
    return false;
}

int exec_begin(struct monitor *monitor, const char *exec_id, bool attach, struct exec_entry **ret,
               struct ct_error *err)
{
    CT_AUTO_JSON json_t *document = load_document(monitor, exec_id, err);
    struct exec_entry *entry = document ? calloc(1, sizeof(*entry)) : NULL;

    if (!entry) {
        return document ? ct_fail(err, ENOMEM, "run exec %.12s", exec_id) : -1;
    }
    if (is_running(monitor, exec_id)) {
        free(entry);
        return ct_refuse(err, CT_CONFLICT, "exec %.12s runs already", exec_id);
    }
    *entry = (struct exec_entry){.monitor = monitor, .document = ct_steal(document)};
    memcpy(entry->id, exec_id, sizeof(entry->id));
    int result = begin(entry, attach, err);
    if (result == 0) {
        *ret = entry;
        return 0;
    }
    if (result < 0) {
        int code = err->kind == CT_NO_PROGRAM ? 127 : 126;
        record(entry, false, json_integer(code), 0);
        free_entry(entry);
    }
    return -1;
}

int exec_attach(struct exec_entry *entry, int client_fd, struct ct_error *err)
{
    struct streams_client client = {.fd = client_fd,
                                    .in = ct_json_bool(entry->document, "AttachStdin", false),
                                    .out = ct_json_bool(entry->document, "AttachStdout", false),
                                    .err = ct_json_bool(entry->document, "AttachStderr", false),
                                    .detach_keys =
                                        ct_json_string(entry->document, "DetachKeys", NULL)};
    return streams_attach(entry->streams, &client, err);
}

int execs_resize(struct monitor *monitor, const char *exec_id, unsigned height, unsigned width,
                 struct ct_error *err)
{
    for (struct exec_entry *entry = monitor->execs; entry; entry = entry->next) {
        if (strcmp(entry->id, exec_id) == 0) {
            return exec_driver_has_terminals()
                       ? exec_resize(monitor->job, entry->process, height, width, err)
                       : streams_resize(entry->streams, height, width, err);
        }
    }
    return ct_refuse(err, CT_NOT_FOUND, "no such exec instance: %.64s", exec_id);
}

/* ---- after another monitor ------------------------------------------------------------------ */

/* Its client went with the monitor before; what it prints is read all the same, so that it does not
 * wait for ever for somebody to do so. */
static int adopt(struct exec_entry *entry, struct ct_error *err)
{
    struct streams_config config = streams_config(entry, false);
    int kept[STREAMS_KEPT_MAX] = {-1, -1};

    entry->process =
        exec_run_adopt(entry->monitor->job, json_object_get(entry->document, "Process"), kept,
                       STREAMS_KEPT_MAX, err);
    if (!entry->process) {
        return -1;
    }
    entry->streams = streams_adopt(&config, kept, err);
    return entry->streams ? watch(entry, err) : -1;
}

static void adopt_one(struct monitor *monitor, const char *id)
{
    struct ct_error err = {0};
    char line[400];
    CT_AUTO_JSON json_t *document = load_document(monitor, id, &err);
    struct exec_entry *entry =
        ct_json_bool(document, "Running", false) ? calloc(1, sizeof(*entry)) : NULL;

    if (!entry) {
        return;
    }
    *entry = (struct exec_entry){.monitor = monitor, .document = ct_steal(document)};
    memcpy(entry->id, id, sizeof(entry->id));
    if (adopt(entry, &err) == 0) {
        return;
    }
    if (entry->process) { /* it runs, but nobody would see its end */
        ct_warn("adopt exec %.12s: %s", id, ct_error_render(&err, line, sizeof(line)));
        exec_run_release(entry->process);
    } else if (err.kind == CT_NOT_FOUND) { /* and nobody knows how it ended */
        record(entry, false, json_integer(137), 0);
    }
    free_entry(entry);
}

void execs_adopt(struct monitor *monitor)
{
    CT_AUTO_CLOSE int fd =
        openat(monitor->container->run_fd, "exec", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CT_AUTO_DIR DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    char id[65];

    fd = dir ? -1 : fd; /* the directory's now */
    for (const struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
        if (sscanf(e->d_name, "%64[0-9a-f].json", id) == 1 && strlen(id) == 64) {
            adopt_one(monitor, id);
        }
    }
}

void execs_release(struct monitor *monitor)
{
    while (monitor->execs) {
        struct exec_entry *entry = monitor->execs;
        monitor->execs = entry->next;
        loop_unwatch(entry->end);
        entry->end = NULL;
        exec_run_release(entry->process);
        free_entry(entry);
    }
}

/*
 * task_exec.c - Start and Exec: a program begins to run.
 *
 * Room:       shim.   Called by: task.c.
 */
#define CT_LAYER "shim"
#include "task.h"

#include "cleanup.h"
#include "file.h"
#include "log.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void reply_pid(struct ttrpc_call *call, pid_t pid)
{
    Containerd__Task__V2__StartResponse answer = CONTAINERD__TASK__V2__START_RESPONSE__INIT;
    answer.pid = (uint32_t)pid;
    ttrpc_reply(call, &answer);
}

/* ---- the container's first program ---------------------------------------------------------- */

static void publish_start(const struct process *process)
{
    Containerd__Events__TaskStart event = CONTAINERD__EVENTS__TASK_START__INIT;

    event.container_id = process->container->id;
    event.pid = (uint32_t)process->pid;
    publish(process->container->shim->publisher, "/tasks/start", &event.base);
}

static void started(void *context, const char *output, const struct ct_error *error)
{
    struct job *job = context;
    struct process *process = job->process;
    (void)output;

    if (error) {
        refuse_while(job->call, error, "OCI runtime start failed");
    } else {
        process->started = true;
        process->container->oom = oom_watch(process->container);
        publish_start(process);
        reply_pid(job->call, process->pid);
    }
    if (!process->container->freeing) {
        process_started(process);
    }
    free(job);
}

static void start_init(struct ttrpc_call *call, struct process *process)
{
    const char *const words[] = {"start", process->container->id, NULL};

    process->starting = true;
    job_run(job_new(call, process), words, started);
}

/* ---- one more program ----------------------------------------------------------------------- */

static void publish_exec_started(const struct process *process)
{
    Containerd__Events__TaskExecStarted event = CONTAINERD__EVENTS__TASK_EXEC_STARTED__INIT;

    event.container_id = process->container->id;
    event.exec_id = process->id;
    event.pid = (uint32_t)process->pid;
    publish(process->container->shim->publisher, "/tasks/exec-started", &event.base);
}

/* BUNDLE/EXECID.json and BUNDLE/EXECID.pid: read, and of no use any more. */
static void remove_files(const struct process *process)
{
    CT_AUTO_FREE char *spec = ct_printf("%s/%s.json", process->container->bundle, process->id);
    CT_AUTO_FREE char *pid = ct_printf("%s/%s.pid", process->container->bundle, process->id);

    (void)unlink(spec);
    (void)unlink(pid);
}

static void exec_started(void *context, const char *output, const struct ct_error *error)
{
    struct job *job = context;
    struct process *process = job->process;
    struct ct_error err = error ? *error : (struct ct_error){0};
    CT_AUTO_FREE char *pid_name = ct_printf("%s.pid", process->id);
    pid_t pid = error ? -1 : task_read_pid(process->container, pid_name, &err);
    (void)output;

    remove_files(process);
    if (pid < 0 || streams_begin(process->streams, &err) < 0) {
        refuse_while(job->call, &err, "OCI runtime exec failed");
        process->starting = false;
    } else {
        process->started = true;
        process_born(process, pid);
        publish_exec_started(process);
        reply_pid(job->call, pid);
        process_started(process);
    }
    free(job);
}

static int write_spec(const struct process *process, struct ct_error *err)
{
    CT_AUTO_FREE char *path = ct_printf("%s/%s.json", process->container->bundle, process->id);
    return ct_write_run_file_at(AT_FDCWD, path, process->spec, strlen(process->spec), 0600, err);
}

static int start_exec(struct ttrpc_call *call, struct process *process, struct ct_error *err)
{
    CT_AUTO_FREE char *spec = ct_printf("%s.json", process->id);
    CT_AUTO_FREE char *pid = ct_printf("%s.pid", process->id);
    const char *words[12] = {"exec", "--process", spec, "--detach", "--pid-file", pid};
    struct run_request request = {.words = words, .births = true, .done = exec_started};
    size_t n = 6;

    if (task_open_streams(process, err) < 0 || write_spec(process, err) < 0) {
        return -1;
    }
    const char *console = streams_console_socket(process->streams);
    if (console) {
        words[n++] = "--console-socket";
        words[n++] = console;
    }
    words[n] = process->container->id;
    streams_program_ends(process->streams, request.stdio);
    process->starting = true;
    request.context = job_new(call, process);
    run_queue(process->container, &request);
    return 0;
}

/* ---- methods -------------------------------------------------------------------------------- */

void task_start(struct ttrpc_call *call, const void *request)
{
    const Containerd__Task__V2__StartRequest *asked = request;
    struct ct_error err = {0};
    struct process *process = process_find(ttrpc_context(call), asked->id, asked->exec_id, &err);

    if (process && (process->started || process->starting || process->exited)) {
        (void)ct_refuse(&err, CT_CONFLICT, "start '%.64s': it has been started already",
                        *process->id ? process->id : process->container->id);
    } else if (process && *process->id) {
        if (start_exec(call, process, &err) == 0) {
            return;
        }
    } else if (process && process->pid > 0) {
        start_init(call, process);
        return;
    } else if (process) {
        (void)ct_refuse(&err, CT_CONFLICT, "start '%.64s': it is being created", asked->id);
    }
    ttrpc_refuse(call, &err);
}

static void publish_exec_added(const struct process *process)
{
    Containerd__Events__TaskExecAdded event = CONTAINERD__EVENTS__TASK_EXEC_ADDED__INIT;

    event.container_id = process->container->id;
    event.exec_id = process->id;
    publish(process->container->shim->publisher, "/tasks/exec-added", &event.base);
}

/* It becomes part of file names. */
static bool is_exec_id(const char *id)
{
    return *id && *id != '.' && *id != '-' && !strchr(id, '/') && strlen(id) < 200;
}

void task_exec(struct ttrpc_call *call, const void *request)
{
    const Containerd__Task__V2__ExecProcessRequest *asked = request;
    struct ct_error err = {0}, missing = {0};
    struct container *container = container_find(ttrpc_context(call), asked->id, &err);

    if (container && !is_exec_id(asked->exec_id)) {
        (void)ct_refuse(&err, CT_INVALID, "exec '%.64s': it is no id", asked->exec_id);
    } else if (container && process_find(container->shim, asked->id, asked->exec_id, &missing)) {
        (void)ct_refuse(&err, CT_EXISTS, "exec '%.64s': it is there already", asked->exec_id);
    } else if (container && !asked->spec) {
        (void)ct_refuse(&err, CT_INVALID, "exec '%.64s': it has no process", asked->exec_id);
    } else if (container) {
        struct process *process = process_new(container, asked->exec_id);
        task_copy_streams(process, asked->stdin, asked->stdout, asked->stderr, asked->terminal);
        process->spec =
            ct_printf("%.*s", (int)asked->spec->value.len, (const char *)asked->spec->value.data);
        publish_exec_added(process);
        reply_empty(call);
        return;
    }
    ttrpc_refuse(call, &err);
}

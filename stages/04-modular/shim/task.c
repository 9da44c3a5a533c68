/*
 * task.c - the Task service: its table, and the methods that need no runtime.
 *
 * Room:       shim.   Called by: the ttrpc server, with a call that must be answered once.
 * Spec:       containerd runtime/v2/task/shim.proto.
 */
#define CT_LAYER "shim"
#include "task.h"

#include "cleanup.h"
#include "process.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void reply_empty(struct ttrpc_call *call)
{
    Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;
    ttrpc_reply(call, &empty);
}

void refuse_while(struct ttrpc_call *call, const struct ct_error *error, const char *what)
{
    struct ct_error err = *error;
    (void)ct_while(&err, "%s", what);
    ttrpc_refuse(call, &err);
}

struct job *job_new(struct ttrpc_call *call, struct process *process)
{
    struct job *job = calloc(1, sizeof(*job));

    if (!job) {
        abort();
    }
    *job = (struct job){.call = call, .process = process};
    return job;
}

void job_run(struct job *job, const char *const *words, run_done_fn done)
{
    run_queue(
        job->process->container,
        &(struct run_request){.words = words, .stdio = {-1, -1, -1}, .done = done, .context = job});
}

void job_answer(struct job *job, const struct ct_error *error, const char *what)
{
    if (error) {
        refuse_while(job->call, error, what);
    } else {
        reply_empty(job->call);
    }
    free(job);
}

Containerd__V1__Types__Status process_status(const struct process *process)
{
    if (process->exited) {
        return CONTAINERD__V1__TYPES__STATUS__STOPPED;
    }
    if (!process->started) {
        return CONTAINERD__V1__TYPES__STATUS__CREATED;
    }
    return process->container->paused ? CONTAINERD__V1__TYPES__STATUS__PAUSED
                                      : CONTAINERD__V1__TYPES__STATUS__RUNNING;
}

static void task_state(struct ttrpc_call *call, const void *request)
{
    const Containerd__Task__V2__StateRequest *asked = request;
    Containerd__Task__V2__StateResponse answer = CONTAINERD__TASK__V2__STATE_RESPONSE__INIT;
    struct ct_error err = {0};
    struct process *process = process_find(ttrpc_context(call), asked->id, asked->exec_id, &err);

    if (!process) {
        ttrpc_refuse(call, &err);
        return;
    }
    Google__Protobuf__Timestamp when = timestamp_of(process->exited_ns);
    answer.id = process->container->id;
    answer.bundle = process->container->bundle;
    answer.pid = (uint32_t)process->pid;
    answer.status = process_status(process);
    answer.stdin = process->stdin;
    answer.stdout = process->stdout;
    answer.stderr = process->stderr;
    answer.terminal = process->terminal;
    answer.exec_id = process->id;
    if (process->exited) {
        answer.exit_status = (uint32_t)ct_exit_code(process->status);
        answer.exited_at = &when;
    }
    ttrpc_reply(call, &answer);
}

static void task_wait(struct ttrpc_call *call, const void *request)
{
    const Containerd__Task__V2__WaitRequest *asked = request;
    Containerd__Task__V2__WaitResponse answer = CONTAINERD__TASK__V2__WAIT_RESPONSE__INIT;
    struct ct_error err = {0};
    struct process *process = process_find(ttrpc_context(call), asked->id, asked->exec_id, &err);
    struct waiter *waiter = NULL;

    if (!process) {
        ttrpc_refuse(call, &err);
        return;
    }
    if (process->exited && !process->starting) {
        Google__Protobuf__Timestamp when = timestamp_of(process->exited_ns);
        answer.exit_status = (uint32_t)ct_exit_code(process->status);
        answer.exited_at = &when;
        ttrpc_reply(call, &answer);
        return;
    }
    waiter = calloc(1, sizeof(*waiter));
    if (!waiter) {
        abort();
    }
    *waiter = (struct waiter){.call = call, .next = process->waiters};
    process->waiters = waiter;
}

static void task_connect(struct ttrpc_call *call, const void *request)
{
    const Containerd__Task__V2__ConnectRequest *asked = request;
    Containerd__Task__V2__ConnectResponse answer = CONTAINERD__TASK__V2__CONNECT_RESPONSE__INIT;
    struct ct_error ignored = {0};
    struct shim *shim = ttrpc_context(call);
    struct container *container = container_find(shim, asked->id, &ignored);

    answer.shim_pid = (uint32_t)getpid();
    answer.task_pid = container ? (uint32_t)container->init->pid : 0;
    publisher_hurry(shim->publisher); /* containerd has just come, or come back */
    ttrpc_reply(call, &answer);
}

static void task_resize(struct ttrpc_call *call, const void *request)
{
    const Containerd__Task__V2__ResizePtyRequest *asked = request;
    struct ct_error err = {0};
    struct process *process = process_find(ttrpc_context(call), asked->id, asked->exec_id, &err);

    if (!process || streams_resize(process->streams, asked->width, asked->height, &err) < 0) {
        ttrpc_refuse(call, &err);
        return;
    }
    reply_empty(call);
}

static void task_close_io(struct ttrpc_call *call, const void *request)
{
    const Containerd__Task__V2__CloseIORequest *asked = request;
    struct ct_error err = {0};
    struct process *process = process_find(ttrpc_context(call), asked->id, asked->exec_id, &err);

    if (!process) {
        ttrpc_refuse(call, &err);
        return;
    }
    if (asked->stdin) {
        streams_close_input(process->streams);
    }
    reply_empty(call);
}

static void task_checkpoint(struct ttrpc_call *call, const void *request)
{
    struct ct_error err = {0};
    (void)request;
    (void)ct_refuse(&err, CT_UNSUPPORTED, "checkpoint: this shim does not");
    ttrpc_refuse(call, &err);
}

/* As long as a container is left, it is not the end: containerd asks for each of a group. */
static void task_shutdown(struct ttrpc_call *call, const void *request)
{
    struct shim *shim = ttrpc_context(call);
    (void)request;

    reply_empty(call);
    if (!shim->containers) {
        shim_end(shim);
    }
}

static const struct ttrpc_method methods[] = {
    {"State", task_state},       {"Create", task_create},
    {"Start", task_start},       {"Delete", task_delete},
    {"Pids", task_pids},         {"Pause", task_pause},
    {"Resume", task_resume},     {"Checkpoint", task_checkpoint},
    {"Kill", task_kill},         {"Exec", task_exec},
    {"ResizePty", task_resize},  {"CloseIO", task_close_io},
    {"Update", task_update},     {"Wait", task_wait},
    {"Stats", task_stats},       {"Connect", task_connect},
    {"Shutdown", task_shutdown},
};

const struct ttrpc_service shim_task_service = {
    .descriptor = &containerd__task__v2__task__descriptor,
    .methods = methods,
    .n_methods = sizeof(methods) / sizeof(methods[0]),
    .role = CT_ROLE_SHIM,
};

/*
 * task_delete.c - Delete: what a program that has ended leaves behind.
 *
 * Room:       shim.   Called by: task.c.
 */
#define CT_LAYER "shim"
#include "task.h"

#include "log.h"
#include "process.h"
#include "units.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define DRAIN_MS 2000 /* as long may output still be read that is on its way */

static void reply_end(struct ttrpc_call *call, const struct process *process)
{
    Google__Protobuf__Timestamp when = timestamp_of(process->exited_ns);
    Containerd__Task__V2__DeleteResponse answer = CONTAINERD__TASK__V2__DELETE_RESPONSE__INIT;

    answer.pid = (uint32_t)process->pid;
    if (process->exited) {
        answer.exit_status = (uint32_t)ct_exit_code(process->status);
        answer.exited_at = &when;
    }
    ttrpc_reply(call, &answer);
}

static void exec_drained(void *context)
{
    struct job *job = context;

    reply_end(job->call, job->process);
    process_free(job->process);
    free(job);
}

/* ---- the container -------------------------------------------------------------------------- */

static void publish_delete(const struct process *process)
{
    Google__Protobuf__Timestamp when = timestamp_of(process->exited_ns);
    Containerd__Events__TaskDelete event = CONTAINERD__EVENTS__TASK_DELETE__INIT;

    event.container_id = process->container->id;
    event.pid = (uint32_t)process->pid;
    event.exit_status = (uint32_t)ct_exit_code(process->status);
    event.exited_at = &when;
    publish(process->container->shim->publisher, "/tasks/delete", &event.base);
}

static void drained(void *context)
{
    struct job *job = context;
    struct process *process = job->process;
    struct container *container = process->container;
    struct ct_error err = {0};

    if (container->mounted && rootfs_unmount(container->bundle, &err) < 0) {
        process->deleting = false; /* may be tried again */
        ttrpc_refuse(job->call, &err);
        free(job);
        return;
    }
    container->mounted = false;
    publish_delete(process);
    reply_end(job->call, process);
    container_free(container);
    free(job);
}

static void deleted(void *context, const char *output, const struct ct_error *error)
{
    struct job *job = context;
    struct process *process = job->process;
    (void)output;

    /* What the runtime does not know any more is deleted. */
    if (error && !strstr(error->frame[0].what, "does not exist")) {
        process->deleting = false;
        job_answer(job, error, "OCI runtime delete failed");
        return;
    }
    reap_all(process->container->shim); /* one that was only created has just been ended */
    if (!process->exited) {
        process_ended(process, SIGKILL, ct_now_ns());
    }
    streams_drain(process->streams, DRAIN_MS, drained, job);
}

static void delete_init(struct ttrpc_call *call, struct process *process)
{
    const char *id = process->container->id;
    const char *const ended[] = {"delete", id, NULL}, *const waits[] = {"delete", "--force", id,
                                                                        NULL};

    process->deleting = true;
    job_run(job_new(call, process), process->exited ? ended : waits, deleted);
}

void task_delete(struct ttrpc_call *call, const void *request)
{
    const Containerd__Task__V2__DeleteRequest *asked = request;
    struct ct_error err = {0};
    struct process *process = process_find(ttrpc_context(call), asked->id, asked->exec_id, &err);

    if (process && (process->starting || (process->started && !process->exited))) {
        (void)ct_refuse(&err, CT_CONFLICT, "delete '%.64s': cannot delete a running process",
                        *process->id ? process->id : process->container->id);
    } else if (process && process->deleting) {
        (void)ct_refuse(&err, CT_CONFLICT, "delete '%.64s': it is being deleted",
                        *process->id ? process->id : process->container->id);
    } else if (process && *process->id) {
        process->deleting = true;
        struct job *job = job_new(call, process);
        if (process->streams) {
            streams_drain(process->streams, DRAIN_MS, exec_drained, job);
        } else {
            exec_drained(job); /* it was never started */
        }
        return;
    } else if (process && process->pid > 0) {
        delete_init(call, process);
        return;
    } else if (process) { /* who waits for its creation has lost patience */
        task_give_up(process->container);
        (void)ct_refuse(&err, CT_NOT_FOUND, "delete '%.64s': it was being created", asked->id);
    }
    ttrpc_refuse(call, &err);
}

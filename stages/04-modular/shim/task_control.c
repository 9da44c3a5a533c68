/*
 * task_control.c - Kill, Pause, Resume, Update, Pids, Stats: of what runs.
 *
 * Room:       shim.   Called by: task.c.
 */
#define CT_LAYER "shim"
#include "task.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "process.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* ---- signals -------------------------------------------------------------------------------- */

/* The runtime's texts for "too late", which callers take for success. */
static bool says_too_late(const char *text)
{
    static const char *const texts[] = {"process already finished", "container not running",
                                        "no such process", "does not exist", "not running"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strcasestr(text, texts[i])) {
            return true;
        }
    }
    return false;
}

static void killed(void *context, const char *output, const struct ct_error *error)
{
    struct ct_error err = error ? *error : (struct ct_error){0};
    (void)output;

    if (error && says_too_late(error->frame[0].what)) {
        err.kind = CT_NOT_FOUND;
    }
    job_answer(context, error ? &err : NULL, "OCI runtime kill failed");
}

static void kill_init(struct ttrpc_call *call, struct process *process, uint32_t signal, bool all)
{
    CT_AUTO_FREE char *number = ct_printf("%u", signal);
    const char *const everybody[] = {"kill", "--all", process->container->id, number, NULL};
    const char *const first[] = {"kill", process->container->id, number, NULL};

    job_run(job_new(call, process), all ? everybody : first, killed);
}

void task_kill(struct ttrpc_call *call, const void *request)
{
    const Containerd__Task__V2__KillRequest *asked = request;
    struct ct_error err = {0};
    struct process *process = process_find(ttrpc_context(call), asked->id, asked->exec_id, &err);

    if (process && process->exited) {
        (void)ct_refuse(&err, CT_NOT_FOUND, "send %s: process already finished",
                        ct_signal_name((int)asked->signal));
    } else if (process && process->pid <= 0) {
        (void)ct_refuse(&err, CT_CONFLICT, "send %s: the process does not run yet",
                        ct_signal_name((int)asked->signal));
    } else if (process && !*process->id) {
        kill_init(call, process, asked->signal, asked->all);
        return;
    } else if (process && kill(process->pid, (int)asked->signal) == 0) {
        reply_empty(call); /* a child that we have not reaped: the number is its own */
        return;
    } else if (process) {
        (void)ct_fail(&err, errno, "send %s", ct_signal_name((int)asked->signal));
    }
    ttrpc_refuse(call, &err);
}

/* ---- pause and resume ----------------------------------------------------------------------- */

static void paused(void *context, const char *output, const struct ct_error *error)
{
    struct job *job = context;
    struct container *container = job->process->container;
    Containerd__Events__TaskPaused pause = CONTAINERD__EVENTS__TASK_PAUSED__INIT;
    Containerd__Events__TaskResumed resume = CONTAINERD__EVENTS__TASK_RESUMED__INIT;
    (void)output;

    if (!error) {
        container->paused = job->pause;
        pause.container_id = resume.container_id = container->id;
        publish(container->shim->publisher, job->pause ? "/tasks/paused" : "/tasks/resumed",
                job->pause ? &pause.base : &resume.base);
    }
    job_answer(job, error, job->pause ? "OCI runtime pause failed" : "OCI runtime resume failed");
}

static void pause_or_resume(struct ttrpc_call *call, const char *id, bool pause)
{
    const char *const words[] = {pause ? "pause" : "resume", id, NULL};
    struct ct_error err = {0};
    struct container *container = container_find(ttrpc_context(call), id, &err);

    if (!container) {
        ttrpc_refuse(call, &err);
        return;
    }
    struct job *job = job_new(call, container->init);
    job->pause = pause;
    job_run(job, words, paused);
}

void task_pause(struct ttrpc_call *call, const void *request)
{
    pause_or_resume(call, ((const Containerd__Task__V2__PauseRequest *)request)->id, true);
}

void task_resume(struct ttrpc_call *call, const void *request)
{
    pause_or_resume(call, ((const Containerd__Task__V2__ResumeRequest *)request)->id, false);
}

/* ---- limits --------------------------------------------------------------------------------- */

static void updated(void *context, const char *output, const struct ct_error *error)
{
    (void)output;
    job_answer(context, error, "OCI runtime update failed");
}

/* The runtime reads them from its standard input: a file in memory, which never makes us wait. */
static int resources_file(const Google__Protobuf__Any *resources, struct ct_error *err)
{
    CT_AUTO_CLOSE int fd = memfd_create("resources", MFD_CLOEXEC);

    if (fd < 0 || ct_write_all(fd, resources->value.data, resources->value.len) < 0 ||
        lseek(fd, 0, SEEK_SET) < 0) {
        return ct_fail(err, errno, "hand the limits over");
    }
    return ct_steal_fd(&fd);
}

/* The request's annotations are for runtimes that are virtual machines; an OCI runtime has no way
 * to be told. */
void task_update(struct ttrpc_call *call, const void *request)
{
    const Containerd__Task__V2__UpdateTaskRequest *asked = request;
    const char *const words[] = {"update", "--resources", "-", asked->id, NULL};
    struct ct_error err = {0};
    struct container *container = container_find(ttrpc_context(call), asked->id, &err);

    if (container && !asked->resources) {
        (void)ct_refuse(&err, CT_INVALID, "update '%.64s': there are no limits", asked->id);
        container = NULL;
    }
    int fd = container ? resources_file(asked->resources, &err) : -1;
    if (fd < 0) {
        ttrpc_refuse(call, &err);
        return;
    }
    run_queue(container, &(struct run_request){.words = words,
                                               .stdio = {fd, -1, -1},
                                               .owns_stdin = true,
                                               .done = updated,
                                               .context = job_new(call, container->init)});
}

/* ---- processes ------------------------------------------------------------------------------ */

/* One that came by Exec says so. Owned; NULL: it did not. */
static Google__Protobuf__Any *exec_details(const struct container *container, pid_t pid)
{
    const struct process *process = container->execs;

    while (process && process->pid != pid) {
        process = process->next;
    }
    if (!process || process->exited) {
        return NULL;
    }
    Containerd__Runc__V1__ProcessDetails details = CONTAINERD__RUNC__V1__PROCESS_DETAILS__INIT;
    Google__Protobuf__Any *any = calloc(1, sizeof(*any));
    if (!any) {
        abort();
    }
    details.exec_id = process->id;
    google__protobuf__any__init(any);
    any->type_url = ct_strdup(details.base.descriptor->name);
    any->value.len = containerd__runc__v1__process_details__get_packed_size(&details);
    any->value.data = malloc(any->value.len + 1);
    if (!any->value.data) {
        abort();
    }
    (void)containerd__runc__v1__process_details__pack(&details, any->value.data);
    return any;
}

static Containerd__V1__Types__ProcessInfo *process_info(const struct container *container,
                                                        pid_t pid)
{
    Containerd__V1__Types__ProcessInfo *info = calloc(1, sizeof(*info));

    if (!info) {
        abort();
    }
    containerd__v1__types__process_info__init(info);
    info->pid = (uint32_t)pid;
    info->info = exec_details(container, pid);
    return info;
}

static void reply_pids(struct job *job, const json_t *list)
{
    Containerd__Task__V2__PidsResponse *answer = calloc(1, sizeof(*answer));
    size_t i;
    json_t *pid;

    if (!answer) {
        abort();
    }
    containerd__task__v2__pids_response__init(answer);
    answer->processes = calloc(json_array_size(list) + 1, sizeof(*answer->processes));
    if (!answer->processes) {
        abort();
    }
    json_array_foreach((json_t *)list, i, pid)
    {
        answer->processes[answer->n_processes++] =
            process_info(job->process->container, (pid_t)json_integer_value(pid));
    }
    ttrpc_reply(job->call, answer);
    containerd__task__v2__pids_response__free_unpacked(answer, NULL);
    free(job);
}

static void listed(void *context, const char *output, const struct ct_error *error)
{
    struct job *job = context;
    struct ct_error err = error ? *error : (struct ct_error){0};
    CT_AUTO_JSON json_t *list = error ? NULL : ct_json_parse(output, strlen(output), &err);

    if (list && (json_is_array(list) || json_is_null(list))) {
        reply_pids(job, list);
        return;
    }
    if (list) {
        (void)ct_refuse(&err, CT_SYSTEM, "read the runtime's list: it is none");
    }
    job_answer(job, &err, "OCI runtime ps failed");
}

void task_pids(struct ttrpc_call *call, const void *request)
{
    const Containerd__Task__V2__PidsRequest *asked = request;
    const char *const words[] = {"ps", "--format", "json", asked->id, NULL};
    struct ct_error err = {0};
    struct container *container = container_find(ttrpc_context(call), asked->id, &err);

    if (!container) {
        ttrpc_refuse(call, &err);
        return;
    }
    job_run(job_new(call, container->init), words, listed);
}

void task_stats(struct ttrpc_call *call, const void *request)
{
    const Containerd__Task__V2__StatsRequest *asked = request;
    Containerd__Task__V2__StatsResponse answer = CONTAINERD__TASK__V2__STATS_RESPONSE__INIT;
    Google__Protobuf__Any figures = GOOGLE__PROTOBUF__ANY__INIT;
    struct ct_error err = {0};
    struct container *container = container_find(ttrpc_context(call), asked->id, &err);

    if (!container || figures_read(container, &figures, &err) < 0) {
        ttrpc_refuse(call, &err);
        return;
    }
    answer.stats = &figures;
    ttrpc_reply(call, &answer);
    any_done(&figures);
}

/*
 * control.c - what can be done to a task that runs.
 *
 * Room:       execdriver (stage 04).   Called by: see execdriver.h.
 * Spec:       containerd, api/services/tasks.
 */
#define CT_LAYER "execdriver"
#include "tasks_internal.h"

#include "document.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

static int send_signal(const struct exec_job *job, int signal_number, bool all,
                       struct ct_error *err)
{
    Containerd__Services__Tasks__V1__KillRequest request =
        CONTAINERD__SERVICES__TASKS__V1__KILL_REQUEST__INIT;

    request.container_id = job->id;
    request.signal = (uint32_t)signal_number;
    request.all = all;
    return tasks_call("Kill", &request, TASKS_TIMEOUT_MS, NULL, err);
}

int exec_signal(struct exec_job *job, int signal_number, struct ct_error *err)
{
    return tasks_has_ended(job) ? ct_refuse(err, CT_NOT_FOUND, "signal the program: it has ended")
                                : send_signal(job, signal_number, false, err);
}

int exec_kill_all(struct exec_job *job, struct ct_error *err)
{
    return send_signal(job, SIGKILL, true, err);
}

int exec_pause(struct exec_job *job, struct ct_error *err)
{
    Containerd__Services__Tasks__V1__PauseTaskRequest request =
        CONTAINERD__SERVICES__TASKS__V1__PAUSE_TASK_REQUEST__INIT;

    request.container_id = job->id;
    return tasks_call("Pause", &request, TASKS_TIMEOUT_MS, NULL, err);
}

int exec_resume(struct exec_job *job, struct ct_error *err)
{
    Containerd__Services__Tasks__V1__ResumeTaskRequest request =
        CONTAINERD__SERVICES__TASKS__V1__RESUME_TASK_REQUEST__INIT;

    request.container_id = job->id;
    return tasks_call("Resume", &request, TASKS_TIMEOUT_MS, NULL, err);
}

int exec_update(struct exec_job *job, const struct exec_limits *limits, struct ct_error *err)
{
    Containerd__Services__Tasks__V1__UpdateTaskRequest request =
        CONTAINERD__SERVICES__TASKS__V1__UPDATE_TASK_REQUEST__INIT;
    CT_AUTO_JSON json_t *resources = spec_resources(limits, err);
    CT_AUTO_FREE char *text = NULL;
    Google__Protobuf__Any packed = GOOGLE__PROTOBUF__ANY__INIT;

    if (!resources || tasks_pack(TASKS_LIMITS_TYPE, resources, &packed, &text, err) < 0) {
        return -1;
    }
    request.container_id = job->id;
    request.resources = &packed;
    return tasks_call("Update", &request, TASKS_TIMEOUT_MS, NULL, err);
}

ssize_t exec_pids(struct exec_job *job, pid_t **ret, struct ct_error *err)
{
    Containerd__Services__Tasks__V1__ListPidsRequest request =
        CONTAINERD__SERVICES__TASKS__V1__LIST_PIDS_REQUEST__INIT;
    TASKS_AUTO_MESSAGE ProtobufCMessage *answer = NULL;

    request.container_id = job->id;
    if (tasks_call("ListPids", &request, TASKS_TIMEOUT_MS, &answer, err) < 0) {
        return -1;
    }
    const Containerd__Services__Tasks__V1__ListPidsResponse *list =
        (const Containerd__Services__Tasks__V1__ListPidsResponse *)answer;
    *ret = calloc(list->n_processes + 1, sizeof(**ret));
    if (!*ret) {
        return ct_fail(err, ENOMEM, "list the processes");
    }
    for (size_t i = 0; i < list->n_processes; i++) {
        (*ret)[i] = (pid_t)list->processes[i]->pid;
    }
    return (ssize_t)list->n_processes;
}

static int resize(const char *id, const char *exec_id, unsigned height, unsigned width,
                  struct ct_error *err)
{
    Containerd__Services__Tasks__V1__ResizePtyRequest request =
        CONTAINERD__SERVICES__TASKS__V1__RESIZE_PTY_REQUEST__INIT;

    request.container_id = (char *)id;
    request.exec_id = (char *)exec_id;
    request.height = height;
    request.width = width;
    return tasks_call("ResizePty", &request, TASKS_TIMEOUT_MS, NULL, err);
}

int exec_resize(struct exec_job *job, const struct exec_process *process, unsigned height,
                unsigned width, struct ct_error *err)
{
    return resize(job->id, process ? tasks_process_id(process) : "", height, width, err);
}

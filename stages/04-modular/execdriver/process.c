/*
 * process.c - one more process in a task.
 *
 * Room:       execdriver (stage 04).   Called by: see execdriver.h.
 * Spec:       containerd, api/services/tasks: Exec makes it, Start runs it, Wait and DeleteProcess
 *             end it.
 */
#define CT_LAYER "execdriver"
#include "tasks_internal.h"

#include "document.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LEAVE_LIMIT_MS 10000
#define ID_BYTES       32

struct exec_process {
    char *container_id;
    char id[2 * ID_BYTES + 1];
    pid_t pid;
    int pidfd;
    struct tasks_pipes pipes;
};

const char *tasks_process_id(const struct exec_process *process)
{
    return process->id;
}

static void process_free(struct exec_process *process)
{
    ct_cleanup_close(&process->pidfd);
    free(process->container_id);
    free(process);
}

static struct exec_process *process_new(const struct exec_job *job, struct ct_error *err)
{
    struct exec_process *process = calloc(1, sizeof(*process));

    if (!process) {
        return ct_fail_null(err, ENOMEM, "remember a process");
    }
    process->container_id = ct_strdup(job->id);
    process->pidfd = -1;
    return process;
}

static int make(const struct exec_job *job, const struct exec_process *process,
                const struct exec_program *program, int timeout_ms, struct ct_error *err)
{
    Containerd__Services__Tasks__V1__ExecProcessRequest request =
        CONTAINERD__SERVICES__TASKS__V1__EXEC_PROCESS_REQUEST__INIT;
    CT_AUTO_JSON json_t *container = tasks_document(job, err);
    CT_AUTO_JSON json_t *document = container ? spec_process(program, container, err) : NULL;
    CT_AUTO_FREE char *text = NULL;
    Google__Protobuf__Any packed = GOOGLE__PROTOBUF__ANY__INIT;
    struct tasks_stdio stdio;

    if (!document) {
        return -1;
    }
    ct_json_set(document, "terminal", json_boolean(program->terminal));
    if (tasks_pack(TASKS_PROCESS_TYPE, document, &packed, &text, err) < 0) {
        return -1;
    }
    tasks_stdio(program, &stdio);
    request.container_id = job->id;
    request.exec_id = (char *)process->id;
    request.stdin = stdio.paths[0];
    request.stdout = stdio.paths[1];
    request.stderr = stdio.paths[2];
    request.terminal = program->terminal;
    request.spec = &packed;
    return tasks_call("Exec", &request, timeout_ms, NULL, err);
}

static int start(struct exec_process *process, int timeout_ms, struct ct_error *err)
{
    Containerd__Services__Tasks__V1__StartRequest request =
        CONTAINERD__SERVICES__TASKS__V1__START_REQUEST__INIT;
    TASKS_AUTO_MESSAGE ProtobufCMessage *answer = NULL;

    request.container_id = process->container_id;
    request.exec_id = process->id;
    if (tasks_call("Start", &request, timeout_ms, &answer, err) < 0) {
        return -1;
    }
    process->pid = (pid_t)((const Containerd__Services__Tasks__V1__StartResponse *)answer)->pid;
    return 0;
}

static int close_input(const struct exec_process *process, struct ct_error *err)
{
    Containerd__Services__Tasks__V1__CloseIORequest request =
        CONTAINERD__SERVICES__TASKS__V1__CLOSE_IOREQUEST__INIT;

    request.container_id = process->container_id;
    request.exec_id = (char *)process->id;
    request.stdin = true;
    return tasks_call("CloseIO", &request, TASKS_TIMEOUT_MS, NULL, err);
}

static int delete_process(const struct exec_process *process, struct ct_error *err)
{
    Containerd__Services__Tasks__V1__DeleteProcessRequest request =
        CONTAINERD__SERVICES__TASKS__V1__DELETE_PROCESS_REQUEST__INIT;

    request.container_id = process->container_id;
    request.exec_id = (char *)process->id;
    return tasks_call("DeleteProcess", &request, TASKS_TIMEOUT_MS, NULL, err);
}

/* What a runtime would say in words of its own. */
static int check_runs(const struct exec_job *job, struct ct_error *err)
{
    Containerd__V1__Types__Status status = CONTAINERD__V1__TYPES__STATUS__UNKNOWN;
    pid_t pid = 0;

    if (!job->started || tasks_has_ended(job)) {
        return ct_refuse(err, CT_CONFLICT, "enter the container: it does not run");
    }
    if (tasks_status(job->id, "", &pid, &status, err) < 0) {
        return -1;
    }
    return status == CONTAINERD__V1__TYPES__STATUS__PAUSED
               ? ct_refuse(err, CT_CONFLICT, "enter the container: it is paused")
               : 0;
}

struct exec_process *exec_run(struct exec_job *job, const struct exec_program *program,
                              int timeout_ms, struct ct_error *err)
{
    struct ct_error gone = {0};

    if (!program->argv || !program->argv[0]) {
        return ct_refuse_null(err, CT_INVALID, "run no program at all");
    }
    struct exec_process *process = check_runs(job, err) < 0 ? NULL : process_new(job, err);
    if (!process) {
        return NULL;
    }
    ct_random_hex(process->id, ID_BYTES);
    tasks_keep(&process->pipes);
    process->pipes.shim = job->pipes.shim;
    if (make(job, process, program, timeout_ms, err) < 0) {
        process_free(process);
        return NULL;
    }
    if (start(process, timeout_ms, err) < 0) {
        tasks_judge_program(err);
        (void)delete_process(process, &gone);
        process_free(process);
        return NULL;
    }
    (void)close_input(process, &gone);                 /* it may have ended already … */
    process->pidfd = tasks_pidfd(process->pid, false); /* … and been reaped */
    return process;
}

json_t *exec_run_save(const struct exec_process *process)
{
    json_t *json = tasks_pipes_save(&process->pipes);
    ct_json_set_string(json, "id", process->id);
    return json;
}

struct exec_process *exec_run_adopt(struct exec_job *job, const json_t *saved, int *ret_fds,
                                    size_t n_fds, struct ct_error *err)
{
    const char *id = ct_json_string(saved, "id", "");
    Containerd__V1__Types__Status status = CONTAINERD__V1__TYPES__STATUS__UNKNOWN;
    struct exec_process *process = process_new(job, err);

    for (size_t i = 0; i < n_fds; i++) {
        ret_fds[i] = -1;
    }
    if (!process) {
        return NULL;
    }
    (void)snprintf(process->id, sizeof(process->id), "%s", id);
    if (!*process->id || tasks_status(job->id, process->id, &process->pid, &status, err) < 0) {
        process_free(process);
        return *id ? ct_while_null(err, "adopt the program '%.12s'", id)
                   : ct_refuse_null(err, CT_NOT_FOUND, "adopt a program: it was not saved");
    }
    process->pidfd = tasks_pidfd(process->pid, status == CONTAINERD__V1__TYPES__STATUS__STOPPED);
    tasks_pipes_take(saved, &process->pipes, ret_fds, n_fds);
    return process;
}

void exec_run_release(struct exec_process *process)
{
    if (process) {
        process_free(process);
    }
}

pid_t exec_run_pid(const struct exec_process *process)
{
    return process->pid;
}

int exec_run_wait_fd(const struct exec_process *process)
{
    return process->pidfd;
}

int exec_run_signal(struct exec_process *process, int signal_number, struct ct_error *err)
{
    Containerd__Services__Tasks__V1__KillRequest request =
        CONTAINERD__SERVICES__TASKS__V1__KILL_REQUEST__INIT;

    request.container_id = process->container_id;
    request.exec_id = process->id;
    request.signal = (uint32_t)signal_number;
    return tasks_call("Kill", &request, TASKS_TIMEOUT_MS, NULL, err);
}

int exec_run_result(struct exec_process *process, int *ret_status, struct ct_error *err)
{
    Containerd__Services__Tasks__V1__WaitRequest request =
        CONTAINERD__SERVICES__TASKS__V1__WAIT_REQUEST__INIT;
    TASKS_AUTO_MESSAGE ProtobufCMessage *answer = NULL;
    struct ct_error gone = {0};

    request.container_id = process->container_id;
    request.exec_id = process->id;
    int result = tasks_call("Wait", &request, LEAVE_LIMIT_MS, &answer, err);
    if (result < 0 && err->kind == CT_TIMEOUT) {
        return -1; /* may be asked again */
    }
    if (result == 0) {
        uint32_t code =
            ((const Containerd__Services__Tasks__V1__WaitResponse *)answer)->exit_status;
        *ret_status = (int)(code & 0xff) << 8;
        (void)delete_process(process, &gone); /* it goes with its container at the latest */
    }
    process_free(process);
    return result;
}

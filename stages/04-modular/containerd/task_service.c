/*
 * task_service.c - the service Tasks: each request becomes one to the task's shim.
 *
 * Room:       containerd.   Called by: grpc_server.c, by the table below.
 * Spec:       tasks.proto, shim.proto.
 */
#include "tasks.h"

#include <stdlib.h>
#include <string.h>

#define STATE_MS 2000

typedef Containerd__V1__Types__Process Process;

/* ---- one request ---------------------------------------------------------------------------- */

/* The task that a call is about. NULL (err). */
static struct task *task_of(struct grpc_call *call, const char *id, struct ct_error *err)
{
    return task_get(containerd_of(call), namespace_of(call), id, err);
}

/* Asks its shim while the caller waits. answer may be NULL. */
static int pass_on(struct grpc_call *call, const struct task *task, const char *method,
                   const void *request, ProtobufCMessage **answer, struct ct_error *err)
{
    int cancel = grpc_cancel_fd(call, err);
    return cancel < 0
               ? -1
               : shim_ask(task, method, request, grpc_time_left_ms(call), cancel, answer, err);
}

/* For those that answer nothing. */
static int pass(struct grpc_call *call, const char *id, const char *method, const void *request,
                struct ct_error *err)
{
    AUTO_TASK struct task *task = task_of(call, id, err);
    return task ? pass_on(call, task, method, request, NULL, err) : -1;
}

/* ---- the state ------------------------------------------------------------------------------ */

static Process *read_state(const struct task *task, const char *exec_id, struct pool *pool,
                           struct ct_error *err)
{
    Containerd__Task__V2__StateRequest request = CONTAINERD__TASK__V2__STATE_REQUEST__INIT;
    ProtobufCMessage *answer = NULL;

    request.id = task->id;
    request.exec_id = (char *)(uintptr_t)exec_id;
    if (shim_ask(task, "State", &request, STATE_MS, -1, &answer, err) < 0) {
        return NULL;
    }
    const Containerd__Task__V2__StateResponse *state = (void *)answer;
    Process *process = message_new(&containerd__v1__types__process__descriptor, pool);
    process->id = pool_keep(pool, ct_strdup(*exec_id ? exec_id : task->id));
    process->pid = state->pid;
    process->status = state->status;
    process->stdin = pool_keep(pool, ct_strdup(state->stdin));
    process->stdout = pool_keep(pool, ct_strdup(state->stdout));
    process->stderr = pool_keep(pool, ct_strdup(state->stderr));
    process->terminal = state->terminal;
    process->exit_status = state->exit_status;
    if (state->exited_at) {
        process->exited_at = message_new(&google__protobuf__timestamp__descriptor, pool);
        process->exited_at->seconds = state->exited_at->seconds; /* Go's zero time as it is */
        process->exited_at->nanos = state->exited_at->nanos;
    }
    protobuf_c_message_free_unpacked(answer, NULL);
    return process;
}

static int get(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Containerd__Services__Tasks__V1__GetRequest *ask = request;
    Containerd__Services__Tasks__V1__GetResponse *answer = response;
    AUTO_TASK struct task *task = task_of(call, ask->container_id, err);

    answer->process = task ? read_state(task, ask->exec_id, grpc_pool(call), err) : NULL;
    return answer->process ? 0 : -1;
}

/* A task that goes away meanwhile is not in the list. */
static int list(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Containerd__Services__Tasks__V1__ListTasksRequest *ask = request;
    Containerd__Services__Tasks__V1__ListTasksResponse *answer = response;
    size_t n;

    if (*ask->filter) {
        return ct_refuse(err, CT_UNSUPPORTED, "list tasks by the filter '%.80s'", ask->filter);
    }
    CT_AUTO_FREE struct task **tasks = tasks_of(containerd_of(call), namespace_of(call), &n);
    for (size_t i = 0; i < n; i++) {
        struct ct_error ignored = {0};
        Process *process = read_state(tasks[i], "", grpc_pool(call), &ignored);
        if (process) {
            list_add((void ***)&answer->tasks, &answer->n_tasks, process, grpc_pool(call));
        }
        task_put(tasks[i]);
    }
    return 0;
}

/* ---- beginning and end ---------------------------------------------------------------------- */

static int create(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Containerd__Services__Tasks__V1__CreateTaskRequest *ask = request;
    Containerd__Services__Tasks__V1__CreateTaskResponse *answer = response;
    CT_SPAN(err, CT_ROLE_CONTAINERD, CT_STEP_CREATE, "create task %s", ask->container_id);
    struct task_wanted wanted = {container_find(containerd_of(call), namespace_of(call),
                                                ask->container_id, grpc_pool(call), err),
                                 ask};
    int cancel = grpc_cancel_fd(call, err);

    answer->container_id = ask->container_id;
    return !wanted.container || cancel < 0 ? -1
                                           : task_create(containerd_of(call), namespace_of(call),
                                                         &wanted, cancel, &answer->pid, err);
}

static int start(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Containerd__Services__Tasks__V1__StartRequest *ask = request;
    Containerd__Services__Tasks__V1__StartResponse *answer = response;
    CT_SPAN(err, CT_ROLE_CONTAINERD, CT_STEP_START, "start task %s", ask->container_id);
    AUTO_TASK struct task *task = task_of(call, ask->container_id, err);
    Containerd__Task__V2__StartRequest start_request = CONTAINERD__TASK__V2__START_REQUEST__INIT;
    ProtobufCMessage *started = NULL;

    start_request.id = ask->container_id;
    start_request.exec_id = ask->exec_id;
    if (!task || pass_on(call, task, "Start", &start_request, &started, err) < 0) {
        return ct_while(err, "start task '%.76s'", ask->container_id);
    }
    answer->pid = ((Containerd__Task__V2__StartResponse *)started)->pid;
    protobuf_c_message_free_unpacked(started, NULL);
    return 0;
}

static int delete_task(struct grpc_call *call, const void *request, void *response,
                       struct ct_error *err)
{
    const Containerd__Services__Tasks__V1__DeleteTaskRequest *ask = request;
    AUTO_TASK struct task *task = task_of(call, ask->container_id, err);

    return task ? task_delete(task, response, grpc_pool(call), err) : -1;
}

static int delete_process(struct grpc_call *call, const void *request, void *response,
                          struct ct_error *err)
{
    const Containerd__Services__Tasks__V1__DeleteProcessRequest *ask = request;
    Containerd__Services__Tasks__V1__DeleteResponse *answer = response;
    AUTO_TASK struct task *task = task_of(call, ask->container_id, err);
    Containerd__Task__V2__DeleteRequest delete_request = CONTAINERD__TASK__V2__DELETE_REQUEST__INIT;
    ProtobufCMessage *message = NULL;

    delete_request.id = ask->container_id;
    delete_request.exec_id = ask->exec_id;
    if (!task || check_identifier("process", ask->exec_id, err) < 0 ||
        pass_on(call, task, "Delete", &delete_request, &message, err) < 0) {
        return -1;
    }
    const Containerd__Task__V2__DeleteResponse *deleted = (void *)message;
    answer->id = ask->exec_id;
    answer->pid = deleted->pid;
    answer->exit_status = deleted->exit_status;
    answer->exited_at = timestamp_copy(deleted->exited_at, grpc_pool(call));
    protobuf_c_message_free_unpacked(message, NULL);
    return 0;
}

static int wait_for(struct grpc_call *call, const void *request, void *response,
                    struct ct_error *err)
{
    const Containerd__Services__Tasks__V1__WaitRequest *ask = request;
    Containerd__Services__Tasks__V1__WaitResponse *answer = response;
    AUTO_TASK struct task *task = task_of(call, ask->container_id, err);
    Containerd__Task__V2__WaitRequest wait_request = CONTAINERD__TASK__V2__WAIT_REQUEST__INIT;
    ProtobufCMessage *message = NULL;

    wait_request.id = ask->container_id;
    wait_request.exec_id = ask->exec_id;
    if (!task || pass_on(call, task, "Wait", &wait_request, &message, err) < 0) {
        return -1;
    }
    const Containerd__Task__V2__WaitResponse *ended = (void *)message;
    answer->exit_status = ended->exit_status;
    answer->exited_at = timestamp_copy(ended->exited_at, grpc_pool(call));
    protobuf_c_message_free_unpacked(message, NULL);
    return 0;
}

/* ---- in between ----------------------------------------------------------------------------- */

static int exec_process(struct grpc_call *call, const void *request, void *response,
                        struct ct_error *err)
{
    const Containerd__Services__Tasks__V1__ExecProcessRequest *ask = request;
    Containerd__Task__V2__ExecProcessRequest exec_request =
        CONTAINERD__TASK__V2__EXEC_PROCESS_REQUEST__INIT;

    (void)response;
    if (check_identifier("process", ask->exec_id, err) < 0) {
        return -1;
    }
    exec_request.id = ask->container_id;
    exec_request.exec_id = ask->exec_id;
    exec_request.terminal = ask->terminal;
    exec_request.stdin = ask->stdin;
    exec_request.stdout = ask->stdout;
    exec_request.stderr = ask->stderr;
    exec_request.spec = ask->spec;
    return pass(call, ask->container_id, "Exec", &exec_request, err);
}

static int kill_task(struct grpc_call *call, const void *request, void *response,
                     struct ct_error *err)
{
    const Containerd__Services__Tasks__V1__KillRequest *ask = request;
    Containerd__Task__V2__KillRequest kill_request = CONTAINERD__TASK__V2__KILL_REQUEST__INIT;

    (void)response;
    kill_request.id = ask->container_id;
    kill_request.exec_id = ask->exec_id;
    kill_request.signal = ask->signal;
    kill_request.all = ask->all;
    return pass(call, ask->container_id, "Kill", &kill_request, err);
}

static int resize(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Containerd__Services__Tasks__V1__ResizePtyRequest *ask = request;
    Containerd__Task__V2__ResizePtyRequest resize_request =
        CONTAINERD__TASK__V2__RESIZE_PTY_REQUEST__INIT;

    (void)response;
    resize_request.id = ask->container_id;
    resize_request.exec_id = ask->exec_id;
    resize_request.width = ask->width;
    resize_request.height = ask->height;
    return pass(call, ask->container_id, "ResizePty", &resize_request, err);
}

static int close_io(struct grpc_call *call, const void *request, void *response,
                    struct ct_error *err)
{
    const Containerd__Services__Tasks__V1__CloseIORequest *ask = request;
    Containerd__Task__V2__CloseIORequest close_request =
        CONTAINERD__TASK__V2__CLOSE_IOREQUEST__INIT;

    (void)response;
    close_request.id = ask->container_id;
    close_request.exec_id = ask->exec_id;
    close_request.stdin = ask->stdin;
    return pass(call, ask->container_id, "CloseIO", &close_request, err);
}

static int pause_task(struct grpc_call *call, const void *request, void *response,
                      struct ct_error *err)
{
    const Containerd__Services__Tasks__V1__PauseTaskRequest *ask = request;
    Containerd__Task__V2__PauseRequest pause_request = CONTAINERD__TASK__V2__PAUSE_REQUEST__INIT;

    (void)response;
    pause_request.id = ask->container_id;
    return pass(call, ask->container_id, "Pause", &pause_request, err);
}

static int resume_task(struct grpc_call *call, const void *request, void *response,
                       struct ct_error *err)
{
    const Containerd__Services__Tasks__V1__ResumeTaskRequest *ask = request;
    Containerd__Task__V2__ResumeRequest resume_request = CONTAINERD__TASK__V2__RESUME_REQUEST__INIT;

    (void)response;
    resume_request.id = ask->container_id;
    return pass(call, ask->container_id, "Resume", &resume_request, err);
}

static int update(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Containerd__Services__Tasks__V1__UpdateTaskRequest *ask = request;
    Containerd__Task__V2__UpdateTaskRequest update_request =
        CONTAINERD__TASK__V2__UPDATE_TASK_REQUEST__INIT;

    (void)response;
    update_request.id = ask->container_id;
    update_request.resources = ask->resources;
    update_request.n_annotations = ask->n_annotations;
    update_request.annotations = (void *)ask->annotations;
    return pass(call, ask->container_id, "Update", &update_request, err);
}

/* ---- looking inside ------------------------------------------------------------------------- */

static int list_pids(struct grpc_call *call, const void *request, void *response,
                     struct ct_error *err)
{
    const Containerd__Services__Tasks__V1__ListPidsRequest *ask = request;
    Containerd__Services__Tasks__V1__ListPidsResponse *answer = response;
    AUTO_TASK struct task *task = task_of(call, ask->container_id, err);
    Containerd__Task__V2__PidsRequest pids_request = CONTAINERD__TASK__V2__PIDS_REQUEST__INIT;
    ProtobufCMessage *message = NULL;
    struct pool *pool = grpc_pool(call);

    pids_request.id = ask->container_id;
    if (!task || pass_on(call, task, "Pids", &pids_request, &message, err) < 0) {
        return -1;
    }
    const Containerd__Task__V2__PidsResponse *pids = (void *)message;
    for (size_t i = 0; i < pids->n_processes; i++) {
        const Containerd__V1__Types__ProcessInfo *from = pids->processes[i];
        Containerd__V1__Types__ProcessInfo *to =
            message_new(&containerd__v1__types__process_info__descriptor, pool);
        to->pid = from->pid;
        if (from->info) {
            uint8_t *value = pool_array(pool, from->info->value.len + 1, 1);
            memcpy(value, from->info->value.data, from->info->value.len);
            to->info = any_of(pool_keep(pool, ct_strdup(from->info->type_url)),
                              (ProtobufCBinaryData){from->info->value.len, value}, pool);
        }
        list_add((void ***)&answer->processes, &answer->n_processes, to, pool);
    }
    protobuf_c_message_free_unpacked(message, NULL);
    return 0;
}

/* NULL: it has none at the moment. */
static Containerd__Types__Metric *read_metric(struct grpc_call *call, struct task *task)
{
    Containerd__Task__V2__StatsRequest request = CONTAINERD__TASK__V2__STATS_REQUEST__INIT;
    ProtobufCMessage *message = NULL;
    struct pool *pool = grpc_pool(call);
    struct ct_error ignored = {0};

    request.id = task->id;
    if (pass_on(call, task, "Stats", &request, &message, &ignored) < 0) {
        return NULL;
    }
    const Google__Protobuf__Any *stats = ((Containerd__Task__V2__StatsResponse *)message)->stats;
    Containerd__Types__Metric *metric = message_new(&containerd__types__metric__descriptor, pool);
    metric->timestamp = timestamp_of(ct_now_ns(), pool);
    metric->id = pool_keep(pool, ct_strdup(task->id));
    if (stats) {
        uint8_t *value = pool_array(pool, stats->value.len + 1, 1);
        memcpy(value, stats->value.data, stats->value.len);
        metric->data = any_of(pool_keep(pool, ct_strdup(stats->type_url)),
                              (ProtobufCBinaryData){stats->value.len, value}, pool);
    }
    protobuf_c_message_free_unpacked(message, NULL);
    return metric;
}

static int metrics(struct grpc_call *call, const void *request, void *response,
                   struct ct_error *err)
{
    const Containerd__Services__Tasks__V1__MetricsRequest *ask = request;
    Containerd__Services__Tasks__V1__MetricsResponse *answer = response;
    AUTO_FILTER struct filter *filter = filter_new(ask->filters, ask->n_filters, err);
    size_t n;

    if (!filter) {
        return -1;
    }
    CT_AUTO_FREE struct task **tasks = tasks_of(containerd_of(call), namespace_of(call), &n);
    for (size_t i = 0; i < n; i++) {
        Containerd__Types__Metric named = CONTAINERD__TYPES__METRIC__INIT;
        named.id = tasks[i]->id;
        if (filter_matches(filter, &named.base)) {
            Containerd__Types__Metric *metric = read_metric(call, tasks[i]);
            if (metric) {
                list_add((void ***)&answer->metrics, &answer->n_metrics, metric, grpc_pool(call));
            }
        }
        task_put(tasks[i]);
    }
    return 0;
}

static const struct grpc_method methods[] = {
    {"Create", create, NULL},
    {"Start", start, NULL},
    {"Delete", delete_task, NULL},
    {"DeleteProcess", delete_process, NULL},
    {"Get", get, NULL},
    {"List", list, NULL},
    {"Kill", kill_task, NULL},
    {"Exec", exec_process, NULL},
    {"ResizePty", resize, NULL},
    {"CloseIO", close_io, NULL},
    {"Pause", pause_task, NULL},
    {"Resume", resume_task, NULL},
    {"ListPids", list_pids, NULL},
    {"Update", update, NULL},
    {"Metrics", metrics, NULL},
    {"Wait", wait_for, NULL},
};

const struct grpc_service tasks_service = {&containerd__services__tasks__v1__tasks__descriptor,
                                           methods, sizeof(methods) / sizeof(methods[0])};

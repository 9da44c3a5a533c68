/*
 * job.c - a container's life as containerd's container and task.
 *
 * Room:       execdriver (stage 04).   Called by: see execdriver.h.
 * Spec:       containerd, api/services/containers and api/services/tasks.
 *
 * containerd's container says what is to be run, its task is the processes. exec_create() makes
 * both, exec_delete() removes both; but a container that is a record (container_record.h) was there
 * before, and stays. What they are called is the job's id, so nothing has to be remembered to find
 * them.
 */
#define CT_LAYER "execdriver"
#include "tasks_internal.h"

#include "document.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "process.h"
#include "span.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define INIT_INSIDE    "/sbin/docker-init"
#define OPTIONS_TYPE   "containerd.runc.v1.Options"
#define LEAVE_LIMIT_MS 10000 /* for the shim to say how it ended, once it has */
#define STOPPED        CONTAINERD__V1__TYPES__STATUS__STOPPED

/* ---- the struct ----------------------------------------------------------------------------- */

static void job_free(struct exec_job *job)
{
    ct_cleanup_close(&job->pidfd);
    free(job->id);
    free(job);
}

static struct exec_job *job_new(const char *id, struct ct_error *err)
{
    struct exec_job *job = calloc(1, sizeof(*job));

    if (!job) {
        return ct_fail_null(err, ENOMEM, "remember the job '%s'", id);
    }
    job->id = ct_strdup(id);
    job->pidfd = -1;
    return job;
}

int tasks_pidfd(pid_t pid, bool has_ended)
{
    struct ct_error gone = {0};
    int fd = pid > 0 && !has_ended ? ct_pidfd_open(pid, &gone) : -1;
    return fd >= 0 ? fd : eventfd(1, EFD_CLOEXEC); /* it has been reaped */
}

bool tasks_has_ended(const struct exec_job *job)
{
    struct pollfd wait = {.fd = job->pidfd, .events = POLLIN};
    return wait.fd < 0 || poll(&wait, 1, 0) > 0;
}

/* ---- errors --------------------------------------------------------------------------------- */

/* A runtime's words are all that is left of the cause when it is not ours. */
void tasks_judge_program(struct ct_error *err)
{
    static const struct {
        const char *words;
        enum ct_kind kind;
    } table[] = {
        {"executable file not found", CT_NO_PROGRAM}, {"no such file or directory", CT_NO_PROGRAM},
        {"permission denied", CT_CANNOT_RUN},         {"is a directory", CT_CANNOT_RUN},
        {"exec format error", CT_CANNOT_RUN},         {"not a directory", CT_CANNOT_RUN},
        {"argument list too long", CT_CANNOT_RUN},
    };
    char line[1024];

    if (err->kind == CT_NO_PROGRAM || err->kind == CT_CANNOT_RUN) {
        return; /* ours says so itself */
    }
    (void)ct_error_render(err, line, sizeof(line));
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]) && strstr(line, "exec"); i++) {
        if (strcasestr(line, table[i].words)) {
            err->kind = table[i].kind;
            return;
        }
    }
}

/* ---- create --------------------------------------------------------------------------------- */

/* HostConfig.Runtime is the name or path of an OCI runtime; none: ours, else the shim's own choice.
 */
static size_t pack_options(const struct exec_spec *spec, uint8_t *buffer, size_t size)
{
    Containerd__Runc__V1__Options options = CONTAINERD__RUNC__V1__OPTIONS__INIT;

    const char *wanted = ct_json_string(spec->host_config, "Runtime", "");
    CT_AUTO_FREE char *ours = *wanted ? NULL : tasks_runtime_program();
    CT_AUTO_FREE char *root = tasks_runtime_root();

    options.binary_name = ours ? ours : (char *)wanted;
    options.root = root ? root : options.root; /* daemons do not meet in the runtime, either */
    size_t length = containerd__runc__v1__options__get_packed_size(&options);
    return length <= size ? containerd__runc__v1__options__pack(&options, buffer) : 0;
}

typedef Containerd__Services__Containers__V1__Container ContainerMessage;

/* What containerd has by this id. 1: somebody's record (container_record.h), 0: another container,
 * or none: CT_NOT_FOUND is in err then. -1: it does not answer. */
static int is_record(const char *id, int timeout_ms, struct ct_error *err)
{
    Containerd__Services__Containers__V1__GetContainerRequest request =
        CONTAINERD__SERVICES__CONTAINERS__V1__GET_CONTAINER_REQUEST__INIT;
    TASKS_AUTO_MESSAGE ProtobufCMessage *answer = NULL;

    request.id = (char *)id;
    if (containers_call("Get", &request, timeout_ms, &answer, err) < 0) {
        return err->kind == CT_NOT_FOUND ? 0 : -1;
    }
    const ContainerMessage *container =
        ((const Containerd__Services__Containers__V1__GetContainerResponse *)answer)->container;
    for (size_t i = 0; container && i < container->n_labels; i++) {
        if (strcmp(container->labels[i]->key, CONTAINER_RECORD_LABEL) == 0) {
            return 1;
        }
    }
    return 0;
}

static int make_container(ContainerMessage container, int timeout_ms, struct ct_error *err)
{
    Containerd__Services__Containers__V1__CreateContainerRequest request =
        CONTAINERD__SERVICES__CONTAINERS__V1__CREATE_CONTAINER_REQUEST__INIT;
    Containerd__Services__Containers__V1__Container__Runtime runtime =
        CONTAINERD__SERVICES__CONTAINERS__V1__CONTAINER__RUNTIME__INIT;
    CT_AUTO_FREE char *shim = container_record_runtime();

    runtime.name = shim;
    container.runtime = &runtime;
    request.container = &container;
    return containers_call("Create", &request, timeout_ms, NULL, err);
}

/* Of a record only the spec is ours; its runtime cannot be changed any more. */
static int fill_record(ContainerMessage *container, int timeout_ms, struct ct_error *err)
{
    Containerd__Services__Containers__V1__UpdateContainerRequest request =
        CONTAINERD__SERVICES__CONTAINERS__V1__UPDATE_CONTAINER_REQUEST__INIT;
    Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
    char spec[] = "spec", *paths[] = {spec};

    mask.paths = paths;
    mask.n_paths = 1;
    request.container = container;
    request.update_mask = &mask;
    return containers_call("Update", &request, timeout_ms, NULL, err);
}

static int create_container(const struct exec_spec *spec, const json_t *document, int timeout_ms,
                            struct ct_error *err)
{
    ContainerMessage container = CONTAINERD__SERVICES__CONTAINERS__V1__CONTAINER__INIT;
    CT_AUTO_FREE char *text = NULL;
    Google__Protobuf__Any packed = GOOGLE__PROTOBUF__ANY__INIT;

    if (tasks_pack(TASKS_SPEC_TYPE, document, &packed, &text, err) < 0) {
        return -1;
    }
    container.id = (char *)spec->id;
    container.spec = &packed;
    int record = is_record(spec->id, timeout_ms, err);
    if (record != 0) {
        return record < 0 ? -1 : fill_record(&container, timeout_ms, err);
    }
    ct_error_clear(err); /* there is none; else the next call says CT_EXISTS */
    return make_container(container, timeout_ms, err);
}

static int create_task(struct exec_job *job, const struct exec_spec *spec, int timeout_ms,
                       struct ct_error *err)
{
    Containerd__Services__Tasks__V1__CreateTaskRequest request =
        CONTAINERD__SERVICES__TASKS__V1__CREATE_TASK_REQUEST__INIT;
    Google__Protobuf__Any options = GOOGLE__PROTOBUF__ANY__INIT;
    TASKS_AUTO_MESSAGE ProtobufCMessage *answer = NULL;
    struct tasks_stdio stdio;
    uint8_t packed[2 * PATH_MAX + 64];

    tasks_stdio(&spec->program, &stdio);
    options.type_url = (char *)OPTIONS_TYPE;
    options.value.data = packed;
    options.value.len = pack_options(spec, packed, sizeof(packed));
    request.container_id = job->id;
    request.terminal = spec->program.terminal;
    request.stdin = stdio.paths[0];
    request.stdout = stdio.paths[1];
    request.stderr = stdio.paths[2];
    request.options = &options;
    if (tasks_call("Create", &request, timeout_ms, &answer, err) < 0) {
        tasks_judge_program(err);
        return -1;
    }
    job->pid = (pid_t)((const Containerd__Services__Tasks__V1__CreateTaskResponse *)answer)->pid;
    job->pidfd = ct_pidfd_open(job->pid, err);
    tasks_pipes_held_by(&job->pipes, job->pid);
    return job->pidfd < 0 ? ct_while(err, "watch the container's first process") : 0;
}

/* The shim's own writing end would keep the program's input from ever ending: ours alone is to. */
static int close_input(const struct exec_job *job, const char *exec_id, struct ct_error *err)
{
    Containerd__Services__Tasks__V1__CloseIORequest request =
        CONTAINERD__SERVICES__TASKS__V1__CLOSE_IOREQUEST__INIT;

    request.container_id = job->id;
    request.exec_id = (char *)exec_id;
    request.stdin = true;
    return tasks_call("CloseIO", &request, TASKS_TIMEOUT_MS, NULL, err);
}

/* A path would lead elsewhere: containerd refuses it, too, but with many words. */
static int check_id(const char *id, struct ct_error *err)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    bool plain = *id && *id != '.' && strspn(id, allowed) == strlen(id);

    return plain ? 0 : ct_refuse(err, CT_INVALID, "use '%.70s' as a container's id", id);
}

/* HostConfig.Init: the program becomes the child of an init, which is bound into the container
 * where Docker has it. */
static void add_init(const struct exec_spec *spec, json_t *document)
{
    CT_AUTO_FREE char *init = tasks_init_program();
    json_t *process = json_object_get(document, "process");

    if (!ct_json_bool(spec->host_config, "Init", false) || !init) { /* exec_driver_check() saw it */
        return;
    }
    json_t *args = json_pack("[s, s]", INIT_INSIDE, "--");
    (void)json_array_extend(args, json_object_get(process, "args"));
    ct_json_set(process, "args", args);
    ct_json_append(json_object_get(document, "mounts"),
                   json_pack("{s:s, s:s, s:s, s:[s, s]}", "destination", INIT_INSIDE, "type",
                             "bind", "source", init, "options", "bind", "ro"));
}

static json_t *make_document(const struct exec_spec *spec, struct ct_error *err)
{
    json_t *document = spec_document(spec, err);

    if (document) {
        add_init(spec, document);
        ct_json_set(json_object_get(document, "process"), "terminal",
                    json_boolean(spec->program.terminal));
    }
    return document;
}

static int delete_both(const char *id, struct ct_error *err);

struct exec_job *exec_create(const struct exec_spec *spec, int timeout_ms, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_MONITOR, CT_STEP_SPAWN_RUNTIME, "Tasks/Create %.12s", spec->id);
    struct ct_error ignored = {0};

    if (!spec->program.argv || !spec->program.argv[0]) {
        return ct_refuse_null(err, CT_INVALID, "run no program at all");
    }
    CT_AUTO_JSON json_t *document = check_id(spec->id, err) < 0 ? NULL : make_document(spec, err);
    struct exec_job *job = document ? job_new(spec->id, err) : NULL;
    if (!job) {
        return NULL;
    }
    tasks_keep(&job->pipes);
    if (create_container(spec, document, timeout_ms, err) < 0) {
        job_free(job); /* CT_EXISTS: another's, not ours to delete */
        return NULL;
    }
    if (create_task(job, spec, timeout_ms, err) < 0 || close_input(job, "", err) < 0) {
        (void)delete_both(job->id, &ignored); /* err keeps the first cause */
        job_free(job);
        return NULL;
    }
    return job;
}

/* ---- start and end -------------------------------------------------------------------------- */

int exec_start(struct exec_job *job, int timeout_ms, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_MONITOR, CT_STEP_EXEC, "Tasks/Start %.12s", job->id);
    Containerd__Services__Tasks__V1__StartRequest request =
        CONTAINERD__SERVICES__TASKS__V1__START_REQUEST__INIT;

    if (job->started) {
        return ct_refuse(err, CT_CONFLICT, "start the program: it was started before");
    }
    request.container_id = job->id;
    if (tasks_call("Start", &request, timeout_ms, NULL, err) < 0) {
        tasks_judge_program(err);
        return -1;
    }
    job->started = true;
    return 0;
}

pid_t exec_pid(const struct exec_job *job)
{
    return job->pid;
}

int exec_wait_fd(const struct exec_job *job)
{
    return job->pidfd;
}

int exec_result(struct exec_job *job, int *ret_status, struct ct_error *err)
{
    Containerd__Services__Tasks__V1__WaitRequest request =
        CONTAINERD__SERVICES__TASKS__V1__WAIT_REQUEST__INIT;
    TASKS_AUTO_MESSAGE ProtobufCMessage *answer = NULL;

    if (!tasks_has_ended(job)) {
        return ct_refuse(err, CT_CONFLICT, "ask for the result: the program still runs");
    }
    request.container_id = job->id;
    if (tasks_call("Wait", &request, LEAVE_LIMIT_MS, &answer, err) < 0) {
        if (err->kind == CT_NOT_FOUND || err->kind == CT_TIMEOUT) {
            err->kind = CT_UNREACHABLE; /* who knew it is gone */
        }
        return -1;
    }
    /* As a shell would have it: 128 and the signal, already. */
    uint32_t code = ((const Containerd__Services__Tasks__V1__WaitResponse *)answer)->exit_status;
    *ret_status = (int)(code & 0xff) << 8;
    return 0;
}

/* ---- delete, adopt, forget ------------------------------------------------------------------ */

int tasks_status(const char *id, const char *exec_id, pid_t *ret_pid,
                 Containerd__V1__Types__Status *ret, struct ct_error *err)
{
    Containerd__Services__Tasks__V1__GetRequest request =
        CONTAINERD__SERVICES__TASKS__V1__GET_REQUEST__INIT;
    TASKS_AUTO_MESSAGE ProtobufCMessage *answer = NULL;

    request.container_id = (char *)id;
    request.exec_id = (char *)exec_id;
    if (tasks_call("Get", &request, TASKS_TIMEOUT_MS, &answer, err) < 0) {
        return -1;
    }
    const Containerd__V1__Types__Process *process =
        ((const Containerd__Services__Tasks__V1__GetResponse *)answer)->process;
    *ret_pid = process ? (pid_t)process->pid : 0;
    *ret = process ? process->status : STOPPED;
    return 0;
}

/* Until the shim has seen the end, too: a task that runs, as far as it knows, cannot be deleted. */
static int await_end(const char *id, struct ct_error *err)
{
    Containerd__Services__Tasks__V1__WaitRequest request =
        CONTAINERD__SERVICES__TASKS__V1__WAIT_REQUEST__INIT;

    request.container_id = (char *)id;
    return tasks_call("Wait", &request, LEAVE_LIMIT_MS, NULL, err);
}

static int end_task(const char *id, struct ct_error *err)
{
    Containerd__Services__Tasks__V1__KillRequest request =
        CONTAINERD__SERVICES__TASKS__V1__KILL_REQUEST__INIT;
    Containerd__V1__Types__Status status = STOPPED;
    pid_t pid = 0;

    if (tasks_status(id, "", &pid, &status, err) < 0 || status == STOPPED) {
        return err->kind ? -1 : 0;
    }
    request.container_id = (char *)id;
    request.signal = SIGKILL;
    request.all = true;
    if (tasks_call("Kill", &request, TASKS_TIMEOUT_MS, NULL, err) < 0 &&
        err->kind != CT_NOT_FOUND) {
        return -1;
    }
    ct_error_clear(err);
    return await_end(id, err);
}

static int delete_task(const char *id, struct ct_error *err)
{
    Containerd__Services__Tasks__V1__DeleteTaskRequest request =
        CONTAINERD__SERVICES__TASKS__V1__DELETE_TASK_REQUEST__INIT;

    request.container_id = (char *)id;
    return end_task(id, err) < 0 ? -1 : tasks_call("Delete", &request, TASKS_TIMEOUT_MS, NULL, err);
}

/* Unless it is a record. */
static int delete_container(const char *id, struct ct_error *err)
{
    Containerd__Services__Containers__V1__DeleteContainerRequest request =
        CONTAINERD__SERVICES__CONTAINERS__V1__DELETE_CONTAINER_REQUEST__INIT;
    int record = is_record(id, TASKS_TIMEOUT_MS, err);

    if (record != 0 || err->kind) {
        return record > 0 ? 0 : -1;
    }
    request.id = (char *)id;
    return containers_call("Delete", &request, TASKS_TIMEOUT_MS, NULL, err);
}

/* Gone already is what was wanted. */
static int delete_both(const char *id, struct ct_error *err)
{
    int (*const steps[])(const char *, struct ct_error *) = {delete_task, delete_container};

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (steps[i](id, err) < 0) {
            if (err->kind != CT_NOT_FOUND) {
                return -1;
            }
            ct_error_clear(err);
        }
    }
    return 0;
}

int exec_delete(struct exec_job *job, struct ct_error *err)
{
    if (!job) {
        return 0;
    }
    CT_SPAN(err, CT_ROLE_MONITOR, CT_STEP_CLEANUP, "Tasks/Delete %.12s", job->id);
    int result = delete_both(job->id, err);
    job_free(job);
    return result;
}

int exec_forget(const char *id, const char *state_dir, struct ct_error *err)
{
    (void)state_dir;
    return delete_both(id, err);
}

void exec_release(struct exec_job *job)
{
    if (job) {
        job_free(job);
    }
}

json_t *exec_save(const struct exec_job *job)
{
    json_t *json = tasks_pipes_save(&job->pipes);

    ct_json_set_string(json, "driver", exec_driver_name());
    ct_json_set_string(json, "id", job->id);
    ct_json_set(json, "started", json_boolean(job->started));
    return json;
}

struct exec_job *exec_adopt(const json_t *saved, int *ret_fds, size_t n_fds, struct ct_error *err)
{
    const char *id = ct_json_string(saved, "id", "");
    Containerd__V1__Types__Status status = STOPPED;
    struct exec_job *job = job_new(id, err);

    for (size_t i = 0; i < n_fds; i++) {
        ret_fds[i] = -1;
    }
    if (!job) {
        return ct_while_null(err, "adopt the job '%s'", id);
    }
    job->started = ct_json_bool(saved, "started", false);
    if (tasks_status(id, "", &job->pid, &status, err) < 0) {
        if (err->kind == CT_NOT_FOUND) {
            struct ct_error ignored = {0};
            (void)delete_both(id, &ignored); /* what the dead left behind */
        }                                    /* else containerd does not answer: it may well run */
        job_free(job);
        return ct_while_null(err, "adopt the job '%s'", id);
    }
    job->pidfd = tasks_pidfd(job->pid, status == STOPPED);
    tasks_pipes_take(saved, &job->pipes, ret_fds, n_fds);
    return job;
}

json_t *tasks_document(const struct exec_job *job, struct ct_error *err)
{
    Containerd__Services__Containers__V1__GetContainerRequest request =
        CONTAINERD__SERVICES__CONTAINERS__V1__GET_CONTAINER_REQUEST__INIT;
    TASKS_AUTO_MESSAGE ProtobufCMessage *answer = NULL;

    request.id = job->id;
    if (containers_call("Get", &request, TASKS_TIMEOUT_MS, &answer, err) < 0) {
        return NULL;
    }
    const ContainerMessage *container =
        ((const Containerd__Services__Containers__V1__GetContainerResponse *)answer)->container;
    const Google__Protobuf__Any *spec = container ? container->spec : NULL;
    return spec ? ct_json_parse((const char *)spec->value.data, spec->value.len, err)
                : ct_refuse_null(err, CT_INVALID,
                                 "read the container's configuration: there is none");
}

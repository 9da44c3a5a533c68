/*
 * tasks.c - the containers of a shim and their processes: finding, making, ending, freeing.
 *
 * Room:       shim.   Called by: task.c, reap.c, runs.c.
 */
#define CT_LAYER "shim"
#include "shim_internal.h"

#include "cgroups.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "process.h"
#include "units.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

Google__Protobuf__Timestamp timestamp_of(int64_t unix_ns)
{
    Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

    time.seconds = unix_ns / 1000000000;
    time.nanos = (int32_t)(unix_ns % 1000000000);
    return time;
}

/* ---- finding -------------------------------------------------------------------------------- */

struct container *container_find(struct shim *shim, const char *id, struct ct_error *err)
{
    for (struct container *container = shim->containers; container; container = container->next) {
        if (strcmp(container->id, id) == 0) {
            return container;
        }
    }
    return ct_refuse_null(err, CT_NOT_FOUND, "find container '%.100s': not created", id);
}

struct process *process_find(struct shim *shim, const char *id, const char *exec_id,
                             struct ct_error *err)
{
    struct container *container = container_find(shim, id, err);

    if (!container || !*exec_id) {
        return container ? container->init : NULL;
    }
    for (struct process *process = container->execs; process; process = process->next) {
        if (strcmp(process->id, exec_id) == 0) {
            return process;
        }
    }
    return ct_refuse_null(err, CT_NOT_FOUND, "find process '%.80s' of container '%.64s'", exec_id,
                          id);
}

/* ---- making --------------------------------------------------------------------------------- */

struct process *process_new(struct container *container, const char *exec_id)
{
    struct process *process = calloc(1, sizeof(*process));

    if (!process) {
        abort();
    }
    process->container = container;
    process->id = ct_strdup(exec_id);
    if (*exec_id) {
        process->next = container->execs;
        container->execs = process;
    } else {
        container->init = process;
    }
    return process;
}

/* Whether the first process's end is that of all others: with a PID namespace of its own, it is. */
static bool has_own_pids(const char *bundle)
{
    CT_AUTO_FREE char *path = ct_join(bundle, "config.json");
    struct ct_error ignored = {0};
    CT_AUTO_JSON json_t *config = ct_json_load_at(AT_FDCWD, path, &ignored);
    size_t i;
    json_t *namespace;

    json_array_foreach(ct_json_get(config, "linux.namespaces"), i, namespace)
    {
        if (strcmp(ct_json_string(namespace, "type", ""), "pid") == 0) {
            return !*ct_json_string(namespace, "path", "");
        }
    }
    return false;
}

struct container *container_new(struct shim *shim, const char *id, const char *bundle)
{
    struct container *container = calloc(1, sizeof(*container));

    if (!container) {
        abort();
    }
    container->shim = shim;
    container->id = ct_strdup(id);
    container->bundle = ct_strdup(bundle);
    container->own_pids = has_own_pids(bundle);
    container->next = shim->containers;
    shim->containers = container;
    (void)process_new(container, "");
    return container;
}

/* ---- the beginning and the end of a process ------------------------------------------------- */

static void publish_exit(struct process *process)
{
    struct container *container = process->container;
    Google__Protobuf__Timestamp when = timestamp_of(process->exited_ns);
    Containerd__Events__TaskExit event = CONTAINERD__EVENTS__TASK_EXIT__INIT;

    event.container_id = container->id;
    event.id = *process->id ? process->id : container->id;
    event.pid = (uint32_t)process->pid;
    event.exit_status = (uint32_t)ct_exit_code(process->status);
    event.exited_at = &when;
    publish(container->shim->publisher, "/tasks/exit", &event.base);
}

static void wake_waiters(struct process *process)
{
    Google__Protobuf__Timestamp when = timestamp_of(process->exited_ns);
    Containerd__Task__V2__WaitResponse answer = CONTAINERD__TASK__V2__WAIT_RESPONSE__INIT;

    answer.exit_status = (uint32_t)ct_exit_code(process->status);
    answer.exited_at = &when;
    while (process->waiters) {
        struct waiter *waiter = process->waiters;
        process->waiters = waiter->next;
        ttrpc_reply(waiter->call, &answer);
        free(waiter);
    }
}

static void tell_end(struct process *process)
{
    publish_exit(process);
    wake_waiters(process);
}

/* What the first process left in a PID namespace that is not the container's alone. */
static void rest_killed(void *context, const char *output, const struct ct_error *error)
{
    struct container *container = context;
    (void)output;
    (void)error; /* there may be nobody left to kill */
    if (!container->freeing) {
        tell_end(container->init);
    }
}

static void kill_the_rest(struct container *container)
{
    const char *const words[] = {"kill", "--all", container->id, "9", NULL};

    run_queue(container, &(struct run_request){.words = words,
                                               .stdio = {-1, -1, -1},
                                               .done = rest_killed,
                                               .context = container});
}

void process_ended(struct process *process, int status, int64_t when_ns)
{
    struct container *container = process->container;

    process->exited = true;
    process->status = status;
    process->exited_ns = when_ns;
    if (process->starting) {
        return; /* process_started() tells, behind the start */
    }
    if (process == container->init && !container->own_pids && !process->deleting) {
        kill_the_rest(container);
    } else {
        tell_end(process);
    }
}

void process_started(struct process *process)
{
    process->starting = false;
    if (process->exited) {
        process_ended(process, process->status, process->exited_ns);
    }
}

void process_born(struct process *process, pid_t pid)
{
    struct early **slot = &process->container->shim->early;

    process->pid = pid;
    while (*slot && (*slot)->pid != pid) {
        slot = &(*slot)->next;
    }
    if (*slot) {
        struct early *early = *slot;
        *slot = early->next;
        process_ended(process, early->status, early->when_ns);
        free(early);
    }
}

/* ---- freeing -------------------------------------------------------------------------------- */

static void refuse_waiters(struct process *process)
{
    struct ct_error gone = {0};

    (void)ct_refuse(&gone, CT_NOT_FOUND, "wait for '%.80s': it has been deleted",
                    *process->id ? process->id : process->container->id);
    while (process->waiters) {
        struct waiter *waiter = process->waiters;
        process->waiters = waiter->next;
        ttrpc_refuse(waiter->call, &gone);
        free(waiter);
    }
}

void process_free(struct process *process)
{
    struct process **slot = &process->container->execs;

    while (*slot && *slot != process) {
        slot = &(*slot)->next;
    }
    if (*slot) {
        *slot = process->next;
    }
    refuse_waiters(process);
    streams_free(process->streams);
    free(process->id);
    free(process->stdin);
    free(process->stdout);
    free(process->stderr);
    free(process->spec);
    free(process);
}

void container_free(struct container *container)
{
    struct container **slot = &container->shim->containers;

    while (*slot != container) {
        slot = &(*slot)->next;
    }
    *slot = container->next;
    if (!container->shim->containers) {
        shim_is_empty(container->shim);
    }
    container->freeing = true; /* for those who are told now that their commands are cancelled */
    run_cancel_all(container);
    while (container->execs) {
        process_free(container->execs);
    }
    process_free(container->init);
    oom_unwatch(container->oom);
    lc_cgroup_free(container->cgroup);
    runtime_done(&container->runtime);
    if (container->gone) {
        *container->gone = true;
    }
    free(container->id);
    free(container->bundle);
    free(container);
}

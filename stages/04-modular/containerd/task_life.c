/*
 * task_life.c - a task's beginning and its end.
 *
 * Room:       containerd.   Called by: task_service.c, tasks.c.
 * Spec:       containerd, runtime/v2/README.md; shim.proto.
 */
#include "tasks.h"

#include "log.h"

#include <poll.h>
#include <stdlib.h>

#define CLEAN_MS    5000
#define SHUTDOWN_MS 3000
#define DELETE_MS   30000

/* ---- the end, on all ways ------------------------------------------------------------------- */

static int shut_down(struct task *task, struct ct_error *err)
{
    Containerd__Task__V2__ShutdownRequest request = CONTAINERD__TASK__V2__SHUTDOWN_REQUEST__INIT;

    request.id = task->id;
    return shim_ask(task, "Shutdown", &request, SHUTDOWN_MS, -1, NULL, err);
}

/* Whether the shim is gone, or stays because other tasks share it. */
static bool leave_shim(struct task *task)
{
    struct ct_error err = {0};
    struct pollfd end = {.fd = task->watch_fd, .events = POLLIN};
    bool shared = task_shares_shim(task);
    bool asked = shut_down(task, &err) == 0 || err.kind == CT_UNREACHABLE;

    return shared || (asked && task->watch_fd >= 0 && poll(&end, 1, SHUTDOWN_MS) == 1);
}

static void run_delete(struct task *task)
{
    struct ct_error err = {0};
    Containerd__Task__V2__DeleteResponse *response = NULL;

    if (shim_delete(task, &response, &err) < 0) {
        ct_warn("the shim of '%s' did not clean up: %s", task->id, err.frame[0].what);
    } else {
        containerd__task__v2__delete_response__free_unpacked(response, NULL);
    }
}

static void publish_end(struct task *task, const Containerd__Task__V2__DeleteResponse *response)
{
    struct pool pool = {0};
    Containerd__Events__TaskExit ended = CONTAINERD__EVENTS__TASK_EXIT__INIT;
    Containerd__Events__TaskDelete deleted = CONTAINERD__EVENTS__TASK_DELETE__INIT;

    ended.container_id = ended.id = deleted.container_id = task->id;
    ended.pid = deleted.pid = response ? response->pid : 0;
    ended.exit_status = deleted.exit_status = response ? response->exit_status : 255;
    ended.exited_at = deleted.exited_at =
        response && response->exited_at ? response->exited_at : timestamp_of(ct_now_ns(), &pool);
    bus_publish(task->containerd->bus, task->space, "/tasks/exit", &ended.base);
    bus_publish(task->containerd->bus, task->space, "/tasks/delete", &deleted.base);
    pool_done(&pool);
}

static void clean_up(struct task *task, bool tell)
{
    struct ct_error err = {0};
    Containerd__Task__V2__DeleteResponse *response = NULL;

    if (task->program && shim_delete(task, &response, &err) < 0) {
        char line[1024];
        ct_warn("clean up after the shim of '%s': %s", task->id,
                ct_error_render(&err, line, sizeof(line)));
    }
    if (tell) {
        publish_end(task, response);
    }
    if (response) {
        containerd__task__v2__delete_response__free_unpacked(response, NULL);
    }
    bundle_remove(task);
    task_drop(task);
}

void task_shim_died(struct task *task)
{
    ct_info("the shim of a task died namespace=%s id=%s", task->space, task->id);
    clean_up(task, true);
}

void task_clean_up(struct task *task)
{
    ct_info("cleaning up after a shim of before namespace=%s id=%s", task->space, task->id);
    clean_up(task, false);
}

/* ---- create --------------------------------------------------------------------------------- */

static int start_shim(struct task *task, const struct task_wanted *wanted, struct ct_error *err)
{
    const Containerd__Services__Tasks__V1__CreateTaskRequest *ask = wanted->ask;
    const Container *container = wanted->container;

    task->program =
        shim_find(*ask->runtime_path ? ask->runtime_path : container->runtime->name, err);
    if (!task->program || bundle_make(task, container->spec, err) < 0) {
        return -1;
    }
    /* Written first: after a kill in the next line it says who cleans up. */
    if (bundle_write(task, "shim-binary-path", task->program, err) < 0) {
        return -1;
    }
    char *socket = shim_start(task, ask->options ? ask->options : container->runtime->options, err);
    if (!socket) {
        return -1;
    }
    task_serve_at(task, socket);
    return task_watch(task, err);
}

static int create_in_shim(struct task *task, const struct task_wanted *wanted, int cancel_fd,
                          uint32_t *ret_pid, struct ct_error *err)
{
    const Containerd__Services__Tasks__V1__CreateTaskRequest *ask = wanted->ask;
    Containerd__Task__V2__CreateTaskRequest request =
        CONTAINERD__TASK__V2__CREATE_TASK_REQUEST__INIT;
    ProtobufCMessage *answer = NULL;

    request.id = task->id;
    request.bundle = task->bundle;
    request.rootfs = ask->rootfs;
    request.n_rootfs = ask->n_rootfs;
    request.terminal = ask->terminal;
    request.stdin = ask->stdin;
    request.stdout = ask->stdout;
    request.stderr = ask->stderr;
    request.options = ask->options ? ask->options : wanted->container->runtime->options;
    if (shim_ask(task, "Create", &request, -1, cancel_fd, &answer, err) < 0) {
        return -1;
    }
    *ret_pid = ((Containerd__Task__V2__CreateTaskResponse *)answer)->pid;
    protobuf_c_message_free_unpacked(answer, NULL);
    return 0;
}

/*
 * Takes everything back that start_shim() and create_in_shim() did, and keeps the first error. The
 * shim may have been in the middle of it: then it has killed the runtime, which may have made half
 * a container or a whole one, so its program cleans up behind. And it may read our Delete before
 * the Create, which came over another connection: then it is asked once more.
 */
static void undo_create(struct task *task)
{
    Containerd__Task__V2__DeleteRequest request = CONTAINERD__TASK__V2__DELETE_REQUEST__INIT;
    struct ct_error ignored = {0};

    if (!task_leave(task)) {
        return; /* the shim died: who noticed it cleans up */
    }
    if (!task->socket) {
        bundle_remove(task);
        task_drop(task);
        return;
    }
    request.id = task->id;
    (void)shim_ask(task, "Delete", &request, CLEAN_MS, -1, NULL, &ignored);
    bool gone = leave_shim(task);
    Containerd__Task__V2__DeleteResponse *response = NULL;
    ct_error_clear(&ignored);
    if (shim_delete(task, &response, &ignored) == 0) { /* else: a runtime that is not there, … */
        containerd__task__v2__delete_response__free_unpacked(response, NULL);
    }
    if (!gone) {
        ct_error_clear(&ignored);
        (void)shim_ask(task, "Delete", &request, CLEAN_MS, -1, NULL, &ignored);
        (void)leave_shim(task);
    }
    bundle_remove(task);
    task_drop(task);
}

static int check_wanted(const struct task_wanted *wanted, struct ct_error *err)
{
    if (wanted->ask->checkpoint) {
        return ct_refuse(err, CT_UNSUPPORTED, "start from a checkpoint");
    }
    return wanted->container->spec ? 0 : ct_refuse(err, CT_INVALID, "the container has no spec");
}

int task_create(struct containerd *containerd, const char *space, const struct task_wanted *wanted,
                int cancel_fd, uint32_t *ret_pid, struct ct_error *err)
{
    const char *id = wanted->container->id;
    AUTO_TASK struct task *task =
        check_wanted(wanted, err) < 0 ? NULL : task_add(containerd, space, id, err);

    if (!task) {
        return ct_while(err, "create task '%.76s'", id);
    }
    if (start_shim(task, wanted, err) < 0 ||
        create_in_shim(task, wanted, cancel_fd, ret_pid, err) < 0) {
        undo_create(task);
        return ct_while(err, "create task '%.76s'", id);
    }
    return 0;
}

/* ---- delete --------------------------------------------------------------------------------- */

/* The task is gone in the shim; now the shim itself, and the bundle. */
static void remove_task(struct task *task)
{
    if (!task_leave(task)) {
        return;
    }
    if (!leave_shim(task)) { /* it does not go, or did not answer */
        run_delete(task);
    }
    bundle_remove(task);
    task_drop(task);
}

int task_delete(struct task *task, Containerd__Services__Tasks__V1__DeleteResponse *ret,
                struct pool *pool, struct ct_error *err)
{
    Containerd__Task__V2__DeleteRequest request = CONTAINERD__TASK__V2__DELETE_REQUEST__INIT;
    ProtobufCMessage *answer = NULL;

    request.id = task->id;
    /* Not called off when the caller leaves: the shim would delete all the same, and we not know.
     */
    if (shim_ask(task, "Delete", &request, DELETE_MS, -1, &answer, err) < 0) {
        if (err->kind == CT_NOT_FOUND) {
            remove_task(task);
        }
        return ct_while(err, "delete task '%.76s'", task->id);
    }
    const Containerd__Task__V2__DeleteResponse *response = (void *)answer;
    ret->pid = response->pid;
    ret->exit_status = response->exit_status;
    ret->exited_at = timestamp_copy(response->exited_at, pool);
    protobuf_c_message_free_unpacked(answer, NULL);
    remove_task(task);
    return 0;
}

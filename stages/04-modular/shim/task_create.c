/*
 * task_create.c - Create: mounts, streams, and the runtime's `create`.
 *
 * Room:       shim.   Called by: task.c.
 */
#define CT_LAYER "shim"
#include "task.h"

#include "cgroups.h"

#include "cleanup.h"
#include "file.h"
#include "log.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define PID_FILE "init.pid"

pid_t task_read_pid(const struct container *container, const char *name, struct ct_error *err)
{
    CT_AUTO_FREE char *path = ct_join(container->bundle, name);
    CT_AUTO_FREE char *text = NULL;
    char *end = NULL;

    if (ct_read_file_at(AT_FDCWD, path, 32, &text, err) < 0) {
        return -1;
    }
    long pid = strtol(text, &end, 10);
    if (pid <= 0 || pid > INT32_MAX || *end) {
        return (pid_t)ct_refuse(err, CT_SYSTEM, "read '%.120s': it is no process's number", path);
    }
    return (pid_t)pid;
}

void task_copy_streams(struct process *process, const char *stdin_uri, const char *stdout_uri,
                       const char *stderr_uri, bool terminal)
{
    process->stdin = ct_strdup(stdin_uri);
    process->stdout = ct_strdup(stdout_uri);
    process->stderr = ct_strdup(stderr_uri);
    process->terminal = terminal;
}

int task_open_streams(struct process *process, struct ct_error *err)
{
    struct container *container = process->container;

    process->streams =
        streams_open(&(struct streams_request){.loop = container->shim->loop,
                                               .namespace = container->shim->options.namespace,
                                               .container_id = container->id,
                                               .stdin = process->stdin,
                                               .stdout = process->stdout,
                                               .stderr = process->stderr,
                                               .terminal = process->terminal,
                                               .uid = container->runtime.io_uid,
                                               .gid = container->runtime.io_gid},
                     err);
    return process->streams ? 0 : -1;
}

/* ---- behind the runtime --------------------------------------------------------------------- */

static void publish_create(const struct container *container,
                           const Containerd__Task__V2__CreateTaskRequest *asked, pid_t pid)
{
    Containerd__Events__TaskIO io = CONTAINERD__EVENTS__TASK_IO__INIT;
    Containerd__Events__TaskCreate event = CONTAINERD__EVENTS__TASK_CREATE__INIT;

    io.stdin = asked->stdin;
    io.stdout = asked->stdout;
    io.stderr = asked->stderr;
    io.terminal = asked->terminal;
    event.container_id = asked->id;
    event.bundle = asked->bundle;
    event.n_rootfs = asked->n_rootfs;
    event.rootfs = asked->rootfs;
    event.io = &io;
    event.pid = (uint32_t)pid;
    publish(container->shim->publisher, "/tasks/create", &event.base);
}

void task_give_up(struct container *container)
{
    struct ct_error ignored = {0};

    if (container->mounted && rootfs_unmount(container->bundle, &ignored) < 0) {
        ct_warn("root file system stays mounted bundle=%s", container->bundle);
    }
    container_free(container);
}

static void created(void *context, const char *output, const struct ct_error *error)
{
    struct job *job = context;
    struct container *container = job->process->container;
    struct ct_error err = error ? *error : (struct ct_error){0}, ignored = {0};
    pid_t pid = error ? -1 : task_read_pid(container, PID_FILE, &err);
    Containerd__Task__V2__CreateTaskResponse answer =
        CONTAINERD__TASK__V2__CREATE_TASK_RESPONSE__INIT;
    (void)output;

    if (pid < 0 || streams_begin(job->process->streams, &err) < 0) {
        refuse_while(job->call, &err, "OCI runtime create failed");
        if (!container->freeing) {
            task_give_up(container);
        }
        free(job);
        return;
    }
    container->cgroup = lc_cgroup_of_process(pid, &ignored); /* no figures without it */
    publish_create(container, ttrpc_request_of(job->call), pid);
    answer.pid = (uint32_t)pid;
    ttrpc_reply(job->call, &answer);
    process_born(job->process, pid); /* the last: it may have ended, which is told behind */
    free(job);
}

/* ---- before it ------------------------------------------------------------------------------ */

static void run_create(struct job *job)
{
    struct container *container = job->process->container;
    const char *console = streams_console_socket(job->process->streams);
    const char *words[12] = {"create", "--bundle", container->bundle, "--pid-file", PID_FILE};
    struct run_request request = {.words = words, .births = true, .done = created, .context = job};
    size_t n = 5;

    if (console) {
        words[n++] = "--console-socket";
        words[n++] = console;
    }
    if (container->runtime.no_pivot_root) {
        words[n++] = "--no-pivot";
    }
    if (container->runtime.no_new_keyring) {
        words[n++] = "--no-new-keyring";
    }
    words[n] = container->id;
    streams_program_ends(job->process->streams, request.stdio);
    run_queue(container, &request);
}

static int prepare(struct container *container,
                   const Containerd__Task__V2__CreateTaskRequest *asked, struct ct_error *err)
{
    CT_AUTO_CLOSE int bundle = open(asked->bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (bundle < 0) {
        return ct_fail(err, errno, "open bundle '%.120s'", asked->bundle);
    }
    if (runtime_read(asked->options, container->shim->options.namespace, &container->runtime, err) <
            0 ||
        runtime_save(&container->runtime, bundle, err) < 0 ||
        task_open_streams(container->init, err) < 0) {
        return -1;
    }
    if (asked->n_rootfs > 0) {
        if (rootfs_mount(asked->bundle, asked->rootfs, asked->n_rootfs, err) < 0) {
            return -1;
        }
        container->mounted = true;
    }
    return 0;
}

void task_create(struct ttrpc_call *call, const void *request)
{
    const Containerd__Task__V2__CreateTaskRequest *asked = request;
    struct shim *shim = ttrpc_context(call);
    struct ct_error err = {0};

    if (*asked->checkpoint) {
        (void)ct_refuse(&err, CT_UNSUPPORTED, "restore '%.64s': this shim does not", asked->id);
    } else if (!*asked->id || strchr(asked->id, '/') || *asked->id == '-') {
        (void)ct_refuse(&err, CT_INVALID, "create '%.64s': it is no id", asked->id);
    } else if (shim->ends) {
        (void)ct_refuse(&err, CT_UNREACHABLE, "create '%.64s': this shim is ending", asked->id);
    } else if (container_find(shim, asked->id, &err)) {
        (void)ct_refuse(&err, CT_EXISTS, "create '%.64s': it is there already", asked->id);
    } else {
        ct_error_clear(&err);
        struct container *container = container_new(shim, asked->id, asked->bundle);
        task_copy_streams(container->init, asked->stdin, asked->stdout, asked->stderr,
                          asked->terminal);
        if (prepare(container, asked, &err) == 0) {
            run_create(job_new(call, container->init));
            return;
        }
        task_give_up(container);
    }
    ttrpc_refuse(call, &err);
}

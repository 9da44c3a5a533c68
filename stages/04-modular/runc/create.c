/*
 * create.c - the commands that make a container: create, and run.
 *
 * Room:       runc.   Called by: runc.c, through the table of commands.
 * Spec:       OCI runtime-spec 1.2: runtime.md, "Create", "Start".
 */
#define CT_LAYER "runc"
#include "runc_internal.h"

#include "foreground.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

struct making {
    const struct runc *runc;
    const struct runc_args *args;
    json_t *config;
    struct runc_streams streams;
    struct runc_notify notify;
};

/* ---- what the container gets ---------------------------------------------------------------- */

static void add_env(json_t *process, char *variable)
{
    json_t *env = json_object_get(process, "env");

    if (!env) {
        env = json_array();
        ct_json_set(process, "env", env);
    }
    ct_json_append(env, ct_json_string_lossy(variable, strlen(variable)));
    free(variable);
}

/* Sockets that systemd gave to us are the program's, and it is to know: sd_listen_fds(3). */
static void pass_listen_fds(json_t *process, struct runc_streams *streams)
{
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
    long n = fds ? strtol(fds, NULL, 10) : 0;

    if (pid && strtol(pid, NULL, 10) == getpid() && n > 0 && n < 1024) {
        add_env(process, ct_printf("LISTEN_FDS=%ld", n));
        add_env(process, ct_strdup("LISTEN_PID=1"));
        streams->preserve_fds += (int)n;
    }
}

static json_t *read_config(const char *bundle, struct ct_error *err)
{
    CT_AUTO_FREE char *path = ct_join(bundle, "config.json");
    json_t *config = lc_read(path, err);

    return config ? config : ct_while_null(err, "read the bundle '%.120s'", bundle);
}

static const char *bundle_of(const struct runc_args *args)
{
    const char *bundle = runc_args_text(args, "bundle");

    return bundle && *bundle ? bundle : ".";
}

static int prepare(struct making *making, bool detach, struct ct_error *err)
{
    making->notify = (struct runc_notify){.fd = -1};
    making->config = read_config(bundle_of(making->args), err);
    if (!making->config) {
        return -1;
    }
    json_t *process = json_object_get(making->config, "process");
    if (runc_streams_of(making->args, process, detach, &making->streams, err) < 0) {
        return -1;
    }
    if (process) {
        pass_listen_fds(process, &making->streams);
    }
    return runc_notify_prepare(making->runc, runc_args_at(making->args, 0), making->config,
                               &making->notify, err);
}

static void release(struct making *making)
{
    runc_notify_done(&making->notify);
    json_decref(making->config);
}

/* ---- making it ------------------------------------------------------------------------------ */

static void remove_container(const struct making *making, struct lc_container *container,
                             struct ct_error *err)
{
    (void)lc_delete(container, true, err);
    runc_notify_remove(making->runc, runc_args_at(making->args, 0));
}

static struct lc_container *make(struct making *making, const char *console_socket,
                                 struct ct_error *err)
{
    const struct lc_create request = {
        .root = making->runc->root,
        .id = runc_args_at(making->args, 0),
        .bundle = bundle_of(making->args),
        .config = making->config,
        .stdio = {0, 1, 2},
        .preserve_fds = making->streams.preserve_fds,
        .console_socket = console_socket,
        .no_pivot = runc_args_switch(making->args, "no-pivot"),
        .no_new_keyring = runc_args_switch(making->args, "no-new-keyring"),
        .rootless = making->runc->rootless,
        .timeout_ms = -1,
    };
    struct lc_container *container = lc_create(&request, err);
    struct ct_error ignored = {0};

    if (!container) {
        runc_notify_undo(&making->notify);
        return NULL;
    }
    if (lc_write_pid_file(making->streams.pid_file, lc_pid(container), err) < 0) {
        remove_container(making, container, &ignored);
        lc_close(container);
        return NULL;
    }
    return container;
}

static int run_create(const struct runc *runc, const struct runc_args *args, struct ct_error *err)
{
    struct making making = {.runc = runc, .args = args};
    struct lc_container *container = NULL;

    if (prepare(&making, true, err) == 0) {
        container = make(&making, making.streams.console_socket, err);
    }
    lc_close(container);
    release(&making);
    return container ? 0 : -1;
}

/* ---- run: create, start and, in the foreground, wait and delete ----------------------------- */

static int run_detached(struct making *making, struct ct_error *err)
{
    struct lc_container *container = make(making, making->streams.console_socket, err);
    struct ct_error ignored = {0};

    if (!container) {
        return -1;
    }
    int result = runc_notify_listen(&making->notify, err);
    if (result == 0) {
        result = lc_start(container, -1, err);
    }
    if (result < 0) {
        remove_container(making, container, &ignored);
    } else {
        result = runc_notify_wait(&making->notify, container, err);
    }
    lc_close(container);
    return result;
}

/* A message of the program's came, which is in the foreground: systemd's main process is us. */
static bool pass_notification(void *context)
{
    return runc_notify_take(context, getpid());
}

static int wait_in_foreground(struct making *making, struct lc_foreground *foreground,
                              struct lc_container *container, struct ct_error *err)
{
    if (runc_notify_listen(&making->notify, err) < 0 || lc_foreground_join(foreground, err) < 0 ||
        lc_start(container, -1, err) < 0) {
        return -1;
    }
    foreground->watch_fd = making->notify.fd;
    foreground->watch = pass_notification;
    foreground->watch_context = &making->notify;
    return lc_foreground_wait(foreground, lc_pidfd(container), err);
}

static int run_foreground(struct making *making, struct ct_error *err)
{
    bool terminal = ct_json_bool(making->config, "process.terminal", false);
    struct lc_container *container = NULL;
    struct lc_foreground foreground;
    struct ct_error ignored = {0};
    int code = -1;

    /* Without a PID namespace, orphans of the container would go to some other process. */
    if (!runc_args_switch(making->args, "no-subreaper")) {
        (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    }
    if (lc_foreground_begin(&foreground, terminal, err) == 0) {
        container = make(making, terminal ? foreground.console_socket : NULL, err);
    }
    if (container) {
        code = wait_in_foreground(making, &foreground, container, err);
        if (code < 0 || !runc_args_switch(making->args, "keep")) {
            remove_container(making, container, code < 0 ? &ignored : err);
        }
    }
    lc_close(container);
    lc_foreground_end(&foreground);
    return code;
}

static int run_run(const struct runc *runc, const struct runc_args *args, struct ct_error *err)
{
    struct making making = {.runc = runc, .args = args};
    bool detach = runc_args_switch(args, "detach");
    int code = -1;

    if (prepare(&making, detach, err) == 0) {
        code = detach ? run_detached(&making, err) : run_foreground(&making, err);
    }
    release(&making);
    return code;
}

/* ---- the rows ------------------------------------------------------------------------------- */

#define CREATE_OPTIONS                                                                           \
    {"bundle", 'b', RUNC_TEXT, "DIR", "the bundle (default: the current directory)"},            \
        {"console-socket", 0, RUNC_TEXT, "PATH",                                                 \
         "where the master of the container's terminal is sent to"},                             \
        {"pid-file", 0, RUNC_TEXT, "FILE", "where the first process's id is written to"},        \
        {"no-pivot", 0, RUNC_SWITCH, NULL, "do not use pivot_root(2): for a root on a ramdisk"}, \
        {"no-new-keyring", 0, RUNC_SWITCH, NULL, "keep the caller's session keyring"},           \
    {                                                                                            \
        "preserve-fds", 0, RUNC_NUMBER, "N",                                                     \
            "pass N more descriptors, behind the standard streams and LISTEN_FDS"                \
    }

static const struct runc_option create_options[] = {CREATE_OPTIONS, {0}};
static const struct runc_option run_options[] = {
    CREATE_OPTIONS,
    {"detach", 'd', RUNC_SWITCH, NULL, "leave as soon as the program runs"},
    {"keep", 0, RUNC_SWITCH, NULL, "do not delete the container at its end"},
    {"no-subreaper", 0, RUNC_SWITCH, NULL, "do not reap orphans of the container"},
    {0}};

const struct runc_command runc_create = {
    .name = "create",
    .usage = "CONTAINER-ID",
    .summary = "make a container; its program does not run yet",
    .options = create_options,
    .min_args = 1,
    .max_args = 1,
    .run = run_create,
};
const struct runc_command runc_run = {
    .name = "run",
    .usage = "CONTAINER-ID",
    .summary = "make a container, let its program run and, without --detach, wait for its end",
    .options = run_options,
    .min_args = 1,
    .max_args = 1,
    .run = run_run,
};

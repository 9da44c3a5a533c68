/*
 * control.c - what is done to a container that is there: start, state, kill, pause, resume, delete.
 *
 * Room:       runc.   Called by: runc.c, through the table of commands.
 * Spec:       OCI runtime-spec 1.2: runtime.md, "Operations".
 */
#define CT_LAYER "runc"
#include "runc_internal.h"

#include "process.h"

struct lc_container *runc_open(const struct runc *runc, const struct runc_args *args,
                               struct ct_error *err)
{
    return lc_open(runc->root, runc_args_at(args, 0), err);
}

static int run_start(const struct runc *runc, const struct runc_args *args, struct ct_error *err)
{
    struct lc_container *container = runc_open(runc, args, err);
    struct runc_notify notify;
    int result = -1;

    if (!container) {
        return -1;
    }
    if (runc_notify_open(runc, runc_args_at(args, 0), &notify, err) == 0 &&
        lc_start(container, -1, err) == 0) {
        result = runc_notify_wait(&notify, container, err);
    }
    runc_notify_done(&notify);
    lc_close(container);
    return result;
}

static int run_state(const struct runc *runc, const struct runc_args *args, struct ct_error *err)
{
    struct lc_container *container = runc_open(runc, args, err);
    int result = container ? runc_print_json(runc_state_of(container), err) : -1;

    lc_close(container);
    return result;
}

static int run_kill(const struct runc *runc, const struct runc_args *args, struct ct_error *err)
{
    const char *name = runc_args_at(args, 1);
    int number = ct_signal_number(name ? name : "TERM", err);
    struct lc_container *container = number < 0 ? NULL : runc_open(runc, args, err);
    int result = container ? lc_kill(container, number, runc_args_switch(args, "all"), err) : -1;

    lc_close(container);
    return result;
}

static int run_pause(const struct runc *runc, const struct runc_args *args, struct ct_error *err)
{
    struct lc_container *container = runc_open(runc, args, err);
    int result = container ? lc_pause(container, err) : -1;

    lc_close(container);
    return result;
}

static int run_resume(const struct runc *runc, const struct runc_args *args, struct ct_error *err)
{
    struct lc_container *container = runc_open(runc, args, err);
    int result = container ? lc_resume(container, err) : -1;

    lc_close(container);
    return result;
}

static int run_delete(const struct runc *runc, const struct runc_args *args, struct ct_error *err)
{
    bool force = runc_args_switch(args, "force");
    struct lc_container *container = runc_open(runc, args, err);
    int result = container ? lc_delete(container, force, err) : -1;

    lc_close(container);
    if (result < 0 && force && err->kind == CT_NOT_FOUND) {
        ct_error_clear(err); /* that is what was wanted */
        result = 0;
    }
    if (result == 0) {
        runc_notify_remove(runc, runc_args_at(args, 0));
    }
    return result;
}

static int refuse_checkpoint(const struct runc *runc, const struct runc_args *args,
                             struct ct_error *err)
{
    (void)runc;
    return ct_refuse(err, CT_UNSUPPORTED, "checkpoint or restore '%.60s': this runtime cannot",
                     runc_args_at(args, 0) ? runc_args_at(args, 0) : "");
}

static const struct runc_option kill_options[] = {
    {"all", 'a', RUNC_SWITCH, NULL, "send it to every process of the container"}, {0}};
static const struct runc_option delete_options[] = {
    {"force", 'f', RUNC_SWITCH, NULL,
     "end what still runs (SIGKILL); a container that is not there is no failure"},
    {0}};

const struct runc_command runc_start = {
    .name = "start",
    .usage = "CONTAINER-ID",
    .summary = "let the program of a created container run",
    .min_args = 1,
    .max_args = 1,
    .run = run_start,
};
const struct runc_command runc_state = {
    .name = "state",
    .usage = "CONTAINER-ID",
    .summary = "print the state of a container, as JSON",
    .min_args = 1,
    .max_args = 1,
    .run = run_state,
};
const struct runc_command runc_kill = {
    .name = "kill",
    .usage = "CONTAINER-ID [SIGNAL]",
    .summary = "send a signal (default SIGTERM) to the container's first process",
    .options = kill_options,
    .min_args = 1,
    .max_args = 2,
    .run = run_kill,
};
const struct runc_command runc_pause = {
    .name = "pause",
    .usage = "CONTAINER-ID",
    .summary = "freeze all processes of a container",
    .min_args = 1,
    .max_args = 1,
    .run = run_pause,
};
const struct runc_command runc_resume = {
    .name = "resume",
    .usage = "CONTAINER-ID",
    .summary = "let the processes of a paused container go on",
    .min_args = 1,
    .max_args = 1,
    .run = run_resume,
};
const struct runc_command runc_delete = {
    .name = "delete",
    .usage = "CONTAINER-ID",
    .summary = "remove what a container holds",
    .options = delete_options,
    .min_args = 1,
    .max_args = 1,
    .run = run_delete,
};
const struct runc_command runc_checkpoint = {
    .name = "checkpoint",
    .usage = "CONTAINER-ID",
    .summary = "refused: this runtime has no checkpoints",
    .max_args = -1,
    .run = refuse_checkpoint,
};
const struct runc_command runc_restore = {
    .name = "restore",
    .usage = "CONTAINER-ID",
    .summary = "refused: this runtime has no checkpoints",
    .max_args = -1,
    .run = refuse_checkpoint,
};

/*
 * execdriver.c - the front: each function of execdriver.h, handed to the driver that was chosen.
 *
 * Room:       execdriver (stage 03).   Called by: see execdriver.h.
 *
 * A job remembers its driver: what one has made, another cannot control. New jobs get the one that
 * CUTAWAY_EXEC_DRIVER names (the daemon sets it for its monitors), else the first of the table.
 */
#define CT_LAYER "execdriver"
#include "execdriver_ops.h"

#include "json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define VARIABLE "CUTAWAY_EXEC_DRIVER"

static const struct exec_ops *const drivers[] = {&native_ops, &lxc_ops};

#define DRIVERS (sizeof(drivers) / sizeof(drivers[0]))

struct exec_job {
    const struct exec_ops *ops;
    struct driver_job *job;
};

struct exec_process {
    const struct exec_ops *ops;
    struct driver_process *process;
};

/* ---- choosing ------------------------------------------------------------------------------- */

static const struct exec_ops *find(const char *name)
{
    for (size_t i = 0; i < DRIVERS; i++) {
        if (strcmp(drivers[i]->name, name) == 0) {
            return drivers[i];
        }
    }
    return NULL;
}

int exec_driver_use(const char *name, struct ct_error *err)
{
    if (!find(name)) {
        (void)ct_refuse(err, CT_INVALID, "use the exec driver '%.40s': there is none of this name",
                        name);
        return ct_hint(err, "native or lxc");
    }
    return setenv(VARIABLE, name, 1) < 0 ? ct_fail(err, errno, "choose the exec driver") : 0;
}

static const struct exec_ops *chosen(void)
{
    const char *name = getenv(VARIABLE);
    const struct exec_ops *ops = name ? find(name) : NULL;
    return ops ? ops : drivers[0];
}

const char *exec_driver_name(void)
{
    return chosen()->name;
}

char *exec_driver_version(struct ct_error *err)
{
    return chosen()->version(err);
}

int exec_driver_check(const json_t *host_config, struct ct_error *err)
{
    return chosen()->check(host_config, err);
}

int exec_driver_reach(const char *address, struct ct_error *err)
{
    return ct_refuse(err, CT_UNSUPPORTED,
                     "ask containerd at '%.100s': it comes with stage 04-modular", address);
}

int exec_driver_begin(const char *root, const char *run, struct ct_error *err)
{
    (void)root;
    (void)run;
    (void)err;
    return 0;
}

void exec_driver_end(void)
{
}

/* Neither of the two has: descriptors reach their programs. */
bool exec_driver_has_terminals(void)
{
    return false;
}

/* ---- a job's life --------------------------------------------------------------------------- */

/* Takes job over; NULL stays NULL. */
static struct exec_job *wrap(const struct exec_ops *ops, struct driver_job *job)
{
    struct exec_job *wrapped = job ? calloc(1, sizeof(*wrapped)) : NULL;

    if (job && !wrapped) {
        abort(); /* a container that runs and that nobody holds would be worse */
    }
    if (wrapped) {
        *wrapped = (struct exec_job){.ops = ops, .job = job};
    }
    return wrapped;
}

void exec_keep(const int *fds, size_t n)
{
    chosen()->keep(fds, n);
}

struct exec_job *exec_create(const struct exec_spec *spec, int timeout_ms, struct ct_error *err)
{
    const struct exec_ops *ops = chosen();
    return wrap(ops, ops->create(spec, timeout_ms, err));
}

int exec_start(struct exec_job *job, int timeout_ms, struct ct_error *err)
{
    return job->ops->start(job->job, timeout_ms, err);
}

pid_t exec_pid(const struct exec_job *job)
{
    return job->ops->pid(job->job);
}

int exec_wait_fd(const struct exec_job *job)
{
    return job->ops->wait_fd(job->job);
}

int exec_result(struct exec_job *job, int *ret_status, struct ct_error *err)
{
    return job->ops->result(job->job, ret_status, err);
}

int exec_delete(struct exec_job *job, struct ct_error *err)
{
    if (!job) {
        return 0;
    }
    int result = job->ops->delete (job->job, err);
    free(job);
    return result;
}

/* ---- control -------------------------------------------------------------------------------- */

int exec_signal(struct exec_job *job, int signal_number, struct ct_error *err)
{
    return job->ops->signal(job->job, signal_number, err);
}

int exec_kill_all(struct exec_job *job, struct ct_error *err)
{
    return job->ops->kill_all(job->job, err);
}

int exec_pause(struct exec_job *job, struct ct_error *err)
{
    return job->ops->pause(job->job, err);
}

int exec_resume(struct exec_job *job, struct ct_error *err)
{
    return job->ops->resume(job->job, err);
}

int exec_resize(struct exec_job *job, const struct exec_process *process, unsigned height,
                unsigned width, struct ct_error *err)
{
    (void)job;
    (void)process;
    return ct_refuse(err, CT_UNSUPPORTED, "resize to %ux%u: the terminal is the caller's", height,
                     width);
}

int exec_update(struct exec_job *job, const struct exec_limits *limits, struct ct_error *err)
{
    return job->ops->update(job->job, limits, err);
}

int exec_stats(struct exec_job *job, struct exec_stats *ret, struct ct_error *err)
{
    return job->ops->stats(job->job, ret, err);
}

ssize_t exec_pids(struct exec_job *job, pid_t **ret, struct ct_error *err)
{
    return job->ops->pids(job->job, ret, err);
}

/* ---- one more program ----------------------------------------------------------------------- */

struct exec_process *exec_run(struct exec_job *job, const struct exec_program *program,
                              int timeout_ms, struct ct_error *err)
{
    struct driver_process *process = job->ops->run(job->job, program, timeout_ms, err);
    struct exec_process *wrapped = process ? calloc(1, sizeof(*wrapped)) : NULL;

    if (process && !wrapped) {
        abort();
    }
    if (wrapped) {
        *wrapped = (struct exec_process){.ops = job->ops, .process = process};
    }
    return wrapped;
}

pid_t exec_run_pid(const struct exec_process *process)
{
    return process->ops->run_pid(process->process);
}

int exec_run_wait_fd(const struct exec_process *process)
{
    return process->ops->run_wait_fd(process->process);
}

int exec_run_signal(struct exec_process *process, int signal_number, struct ct_error *err)
{
    return process->ops->run_signal(process->process, signal_number, err);
}

int exec_run_result(struct exec_process *process, int *ret_status, struct ct_error *err)
{
    int result = process->ops->run_result(process->process, ret_status, err);

    if (result == 0 || err->kind != CT_TIMEOUT) { /* after a timeout it may be asked again */
        free(process);
    }
    return result;
}

/* ---- after a killed monitor ----------------------------------------------------------------- */

json_t *exec_save(const struct exec_job *job)
{
    return job->ops->save(job->job);
}

struct exec_job *exec_adopt(const json_t *saved, int *ret_fds, size_t n_fds, struct ct_error *err)
{
    const char *name = ct_json_string(saved, "driver", "");
    const struct exec_ops *ops = find(name);

    if (!ops) {
        return ct_refuse_null(err, CT_INVALID, "adopt a job: there is no exec driver '%.40s'",
                              name);
    }
    return wrap(ops, ops->adopt(saved, ret_fds, n_fds, err));
}

json_t *exec_run_save(const struct exec_process *process)
{
    (void)process;
    return json_null();
}

/* In both drivers a program's end is told to its parent alone, and that was the killed monitor. */
struct exec_process *exec_run_adopt(struct exec_job *job, const json_t *saved, int *ret_fds,
                                    size_t n_fds, struct ct_error *err)
{
    (void)saved;
    for (size_t i = 0; i < n_fds; i++) {
        ret_fds[i] = -1;
    }
    return ct_refuse_null(err, CT_UNSUPPORTED,
                          "adopt a program: driver '%s' loses sight of it with its monitor",
                          job->ops->name);
}

void exec_release(struct exec_job *job)
{
    if (job) {
        job->ops->release(job->job);
        free(job);
    }
}

void exec_run_release(struct exec_process *process)
{
    if (process) {
        process->ops->run_release(process->process);
        free(process);
    }
}

/* Nothing was saved, so nobody knows whose it was. */
int exec_forget(const char *id, const char *state_dir, struct ct_error *err)
{
    for (size_t i = 0; i < DRIVERS; i++) {
        if (drivers[i]->forget(id, state_dir, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/*
 * native.c - the native exec driver: a container's life through libcontainer.
 *
 * Room:       execdriver (stage 03).   Called by: execdriver.c, through its table.
 *
 * Docker 0.9's step. What was a configuration file and a program started (lxc-start) is a document
 * and a call. The request becomes an OCI configuration (room spec), which libcontainer runs.
 */
#define CT_LAYER "execdriver"
#include "native_internal.h"

#include "document.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "process.h"
#include "span.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEAVE_TIMEOUT_MS 10000 /* for the keeper, after the program has ended */

static int kept_fds[NATIVE_KEPT_MAX];
static size_t n_kept_fds;

static char *native_version(struct ct_error *err)
{
    (void)err;
    return ct_printf("libcontainer, OCI %s", LC_OCI_VERSION);
}

static int native_check(const json_t *host_config, struct ct_error *err)
{
    const char *runtime = ct_json_string(host_config, "Runtime", "");

    if (*runtime && strcmp(runtime, native_ops.name) != 0) {
        return ct_refuse(err, CT_UNSUPPORTED,
                         "use HostConfig.Runtime '%.64s': the daemon's exec driver is %s", runtime,
                         native_ops.name);
    }
    if (!ct_json_is_unset(json_object_get(host_config, "Init"))) {
        return ct_refuse(err, CT_UNSUPPORTED,
                         "use HostConfig.Init: it comes with stage 04-modular");
    }
    return spec_check_host(host_config, err);
}

static void native_keep(const int *fds, size_t n)
{
    n_kept_fds = n < NATIVE_KEPT_MAX ? n : NATIVE_KEPT_MAX;
    if (n_kept_fds > 0) {
        memcpy(kept_fds, fds, n_kept_fds * sizeof(*fds));
    }
}

/* ---- the struct ----------------------------------------------------------------------------- */

static void job_free(struct driver_job *job)
{
    lc_close(job->container);
    ct_cleanup_close(&job->state_fd);
    free(job->id);
    free(job->state_dir);
    free(job->root);
    free(job);
}

static struct driver_job *job_new(const char *id, const char *state_dir, struct ct_error *err)
{
    struct driver_job *job = calloc(1, sizeof(*job));

    if (!job) {
        return ct_fail_null(err, ENOMEM, "remember the job '%s'", id);
    }
    job->id = ct_strdup(id);
    job->state_dir = ct_strdup(state_dir);
    job->root = ct_join(state_dir, "native");
    job->state_fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (job->state_fd < 0) {
        (void)ct_fail(err, errno, "open the driver's directory '%s'", state_dir);
        job_free(job);
        return NULL;
    }
    return job;
}

static bool has_ended(const struct driver_job *job)
{
    struct pollfd wait = {.fd = lc_pidfd(job->container), .events = POLLIN};
    return wait.fd < 0 || poll(&wait, 1, 0) > 0;
}

/* ---- create --------------------------------------------------------------------------------- */

static int create(struct driver_job *job, const struct exec_spec *spec, int timeout_ms,
                  struct ct_error *err)
{
    CT_AUTO_JSON json_t *document = spec_document(spec, err);
    const struct exec_program *program = &spec->program;
    const struct lc_create create = {
        .root = job->root,
        .id = job->id,
        .bundle = job->state_dir,
        .config = document,
        .stdio = {program->stdio[0], program->stdio[1], program->stdio[2]},
        .own_terminal = program->terminal,
        .timeout_ms = timeout_ms};
    const struct keeper_request request = {
        .create = &create, .state_fd = job->state_fd, .kept = job->kept, .n_kept = job->n_kept};

    job->keeper = document ? keeper_start(&request, err) : -1;
    if (job->keeper < 0) {
        return -1;
    }
    job->ours = true;
    job->container = lc_open(job->root, job->id, err);
    if (!job->container) {
        return -1;
    }
    job->pid = lc_pid(job->container);
    return job->pid > 0 ? 0 : ct_refuse(err, CT_UNREACHABLE, "the container was killed at once");
}

static int native_delete(struct driver_job *job, struct ct_error *err);

static struct driver_job *native_create(const struct exec_spec *spec, int timeout_ms,
                                        struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_MONITOR, CT_STEP_SPAWN_RUNTIME, "lc_create %.12s", spec->id);
    struct ct_error ignored = {0};

    if (!spec->program.argv || !spec->program.argv[0]) {
        return ct_refuse_null(err, CT_INVALID, "run no program at all");
    }
    if (geteuid() != 0) {
        (void)ct_refuse(err, CT_DENIED, "make namespaces and control groups: it needs root");
        (void)ct_hint(err, "run it with sudo");
        return NULL;
    }
    struct driver_job *job = job_new(spec->id, spec->state_dir, err);
    if (!job) {
        return NULL;
    }
    job->n_kept = n_kept_fds;
    memcpy(job->kept, kept_fds, sizeof(kept_fds));
    n_kept_fds = 0;
    if (create(job, spec, timeout_ms, err) < 0) {
        if (err->kind == CT_EXISTS) { /* another's: not ours to delete */
            job_free(job);
        } else {
            (void)native_delete(job, &ignored); /* err keeps the first cause */
        }
        return NULL;
    }
    return job;
}

/* ---- start and end -------------------------------------------------------------------------- */

static int native_start(struct driver_job *job, int timeout_ms, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_MONITOR, CT_STEP_EXEC, "lc_start %.12s", job->id);

    if (lc_start(job->container, timeout_ms, err) < 0) {
        return -1;
    }
    job->started = true;
    return 0;
}

static pid_t native_pid(const struct driver_job *job)
{
    return job->pid;
}

static int native_wait_fd(const struct driver_job *job)
{
    return lc_pidfd(job->container);
}

/* Reaps the keeper when it is our child. */
static int wait_for_keeper(struct driver_job *job, struct ct_error *err)
{
    if (keeper_wait(job->state_fd, LEAVE_TIMEOUT_MS, err) < 0) {
        return -1;
    }
    if (job->ours && job->keeper > 0) {
        (void)waitpid(job->keeper, NULL, 0);
        job->keeper = 0;
    }
    return 0;
}

static int native_result(struct driver_job *job, int *ret_status, struct ct_error *err)
{
    struct ct_error ignored = {0};

    if (!has_ended(job)) {
        return ct_refuse(err, CT_CONFLICT, "ask for the result: the program still runs");
    }
    if (wait_for_keeper(job, err) < 0 || keeper_result(job->state_fd, ret_status, err) < 0) {
        return -1;
    }
    /* Without a PID namespace of their own, others may outlive the first process. */
    (void)lc_kill(job->container, SIGKILL, true, &ignored);
    return 0;
}

/* ---- control -------------------------------------------------------------------------------- */

static int native_signal(struct driver_job *job, int signal_number, struct ct_error *err)
{
    if (has_ended(job)) {
        return ct_refuse(err, CT_NOT_FOUND, "signal the program: it has ended");
    }
    return lc_kill(job->container, signal_number, false, err);
}

static int native_kill_all(struct driver_job *job, struct ct_error *err)
{
    return lc_kill(job->container, SIGKILL, true, err);
}

static int native_pause(struct driver_job *job, struct ct_error *err)
{
    return lc_pause(job->container, err) < 0 ? ct_while(err, "pause") : 0;
}

static int native_resume(struct driver_job *job, struct ct_error *err)
{
    return lc_resume(job->container, err) < 0 ? ct_while(err, "resume") : 0;
}

static int native_update(struct driver_job *job, const struct exec_limits *limits,
                         struct ct_error *err)
{
    CT_AUTO_JSON json_t *resources = spec_resources(limits, err);
    return resources ? lc_update(job->container, resources, err) : -1;
}

static ssize_t native_pids(struct driver_job *job, pid_t **ret, struct ct_error *err)
{
    return lc_pids(job->container, ret, err);
}

/* ---- delete, adopt, forget ------------------------------------------------------------------ */

static void remove_root(const struct driver_job *job)
{
    struct ct_error ignored = {0}; /* empty by now */
    (void)ct_remove_tree(job->state_fd, "native", &ignored);
}

static int native_delete(struct driver_job *job, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_MONITOR, CT_STEP_CLEANUP, "lc_delete %.12s", job->id);

    native_run_reap_all(job);
    int result = job->container ? lc_delete(job->container, true, err) : 0;

    if (result < 0 && err->kind == CT_NOT_FOUND) { /* somebody else has, who had adopted it */
        ct_error_clear(err);
        result = 0;
    }
    if (result == 0 && wait_for_keeper(job, err) < 0) {
        result = -1;
    }
    if (result == 0) {
        keeper_remove_files(job->state_fd);
        remove_root(job);
    }
    job_free(job);
    return result;
}

static void native_release(struct driver_job *job)
{
    job_free(job);
}

static json_t *native_save(const struct driver_job *job)
{
    json_t *json = json_object();
    json_t *kept = json_array();

    ct_json_set_string(json, "driver", native_ops.name);
    ct_json_set_string(json, "id", job->id);
    ct_json_set_string(json, "stateDir", job->state_dir);
    ct_json_set(json, "pid", json_integer(job->pid));
    ct_json_set(json, "keeper", json_integer(job->keeper));
    ct_json_set(json, "started", json_boolean(job->started));
    for (size_t i = 0; i < job->n_kept; i++) {
        ct_json_append(kept, json_integer(job->kept[i]));
    }
    ct_json_set(json, "kept", kept);
    return json;
}

/* Copies the kept descriptors out of the keeper. Its lock says that it lives, so the pid is its. */
static void take_back(struct driver_job *job, const json_t *saved, int *ret_fds, size_t n_fds)
{
    const json_t *kept = json_object_get(saved, "kept");
    struct ct_error gone = {0};
    CT_AUTO_CLOSE int pidfd = ct_pidfd_open(job->keeper, &gone);

    job->n_kept = ct_json_count(kept) < NATIVE_KEPT_MAX ? ct_json_count(kept) : NATIVE_KEPT_MAX;
    for (size_t i = 0; i < job->n_kept; i++) {
        job->kept[i] = (int)json_integer_value(json_array_get(kept, i));
        if (i < n_fds && pidfd >= 0 && keeper_lives(job->state_fd)) {
            ret_fds[i] = (int)syscall(SYS_pidfd_getfd, pidfd, job->kept[i], 0U);
        }
    }
}

static struct driver_job *native_adopt(const json_t *saved, int *ret_fds, size_t n_fds,
                                       struct ct_error *err)
{
    const char *id = ct_json_string(saved, "id", "");
    struct ct_error ignored = {0};

    for (size_t i = 0; i < n_fds; i++) {
        ret_fds[i] = -1;
    }
    struct driver_job *job = job_new(id, ct_json_string(saved, "stateDir", ""), err);
    if (!job) {
        return ct_while_null(err, "adopt the job '%s'", id);
    }
    job->pid = (pid_t)ct_json_integer(saved, "pid", 0);
    job->keeper = (pid_t)ct_json_integer(saved, "keeper", 0);
    job->started = ct_json_bool(saved, "started", false);
    job->container = lc_open(job->root, id, &ignored);
    if (!job->container || has_ended(job) || !keeper_lives(job->state_fd)) {
        (void)native_delete(job, &ignored); /* groups and files that the dead left behind */
        return ct_refuse_null(err, CT_NOT_FOUND, "adopt the job '%s': it has ended meanwhile", id);
    }
    take_back(job, saved, ret_fds, n_fds);
    return job;
}

static int native_forget(const char *id, const char *state_dir, struct ct_error *err)
{
    struct ct_error missing = {0};
    struct driver_job *job = job_new(id, state_dir, err);

    if (!job) {
        return ct_while(err, "forget the job '%s'", id);
    }
    if (faccessat(job->state_fd, "native", F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
        job_free(job);
        return 0;
    }
    job->container = lc_open(job->root, id, &missing);
    return native_delete(job, err);
}

const struct exec_ops native_ops = {
    .name = "native",
    .version = native_version,
    .check = native_check,
    .keep = native_keep,
    .create = native_create,
    .start = native_start,
    .pid = native_pid,
    .wait_fd = native_wait_fd,
    .result = native_result,
    .signal = native_signal,
    .kill_all = native_kill_all,
    .pause = native_pause,
    .resume = native_resume,
    .update = native_update,
    .stats = native_stats,
    .pids = native_pids,
    .delete = native_delete,
    .release = native_release,
    .run = native_run,
    .run_pid = native_run_pid,
    .run_wait_fd = native_run_wait_fd,
    .run_signal = native_run_signal,
    .run_result = native_run_result,
    .run_release = native_run_release,
    .save = native_save,
    .adopt = native_adopt,
    .forget = native_forget,
};

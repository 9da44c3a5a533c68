/*
 * job.c - a container's life through LXC: create, start, end, delete.
 *
 * Room:       execdriver/lxc.   Called by: see execdriver.h.
 * Man:        lxc-start(1).
 *
 * lxc-start makes a container and runs its program in one go. The door wants the two apart, so that
 * networks can be connected in between: what lxc-start runs is therefore not the program but
 * sysinit, which waits for exec_start().
 */
#define CT_LAYER "execdriver"
#include "lxc_internal.h"

#include "caps.h"
#include "cleanup.h"
#include "config.h"
#include "deadline.h"
#include "file.h"
#include "lxc_events.h"
#include "path.h"
#include "span.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define RESULT_TIMEOUT_MS 10000 /* for lxc-start to take down what it made */

static int kept_fds[EXEC_KEEP_FD];
static size_t n_kept_fds;

int exec_driver_use(const char *name, struct ct_error *err)
{
    if (strcmp(name, "native") == 0) {
        return ct_refuse(err, CT_UNSUPPORTED,
                         "use the exec driver 'native': it comes with stage 03-libcontainer");
    }
    return strcmp(name, "lxc") == 0
               ? 0
               : ct_refuse(err, CT_INVALID, "use the exec driver '%.40s': there is lxc", name);
}

const char *exec_driver_name(void)
{
    return "lxc";
}

char *exec_driver_version(struct ct_error *err)
{
    const char *const argv[] = {"lxc-start", "--version", NULL};
    CT_AUTO_FREE char *output = NULL;
    int status = 0;

    if (ct_process_run(argv, 5000, 64, &output, &status, err) < 0) {
        (void)ct_hint(err, "install LXC: apt-get install lxc");
        return ct_while_null(err, "ask LXC for its version");
    }
    output[strcspn(output, "\n")] = 0;
    return ct_printf("lxc-start %s", output);
}

void exec_keep(const int *fds, size_t n)
{
    n_kept_fds = n < EXEC_KEEP_FD ? n : EXEC_KEEP_FD;
    memcpy(kept_fds, fds, n_kept_fds * sizeof(*fds));
}

/* ---- the struct ----------------------------------------------------------------------------- */

struct exec_job *job_new(const char *id, const char *state_dir, struct ct_error *err)
{
    struct exec_job *job = calloc(1, sizeof(*job));
    if (!job) {
        return ct_fail_null(err, ENOMEM, "remember the job '%s'", id);
    }
    job->shake = HANDSHAKE_NONE;
    job->oom = CGROUP_OOM_NONE;
    job->pidfd = job->events = job->state_fd = job->lxc.pidfd = -1;
    job->id = ct_strdup(id);
    job->state_dir = ct_strdup(state_dir);
    job->state_fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (job->state_fd < 0) {
        (void)ct_fail(err, errno, "open the driver's directory '%s'", state_dir);
        job_free(job);
        return NULL;
    }
    if (cgroup_init(&job->cgroup, id, err) < 0) {
        job_free(job);
        return NULL;
    }
    return job;
}

void job_free(struct exec_job *job)
{
    handshake_close(&job->shake);
    ct_process_done(&job->lxc);
    ct_cleanup_close(&job->state_fd);
    ct_cleanup_close(&job->pidfd);
    ct_cleanup_close(&job->events);
    cgroup_oom_done(&job->oom);
    cgroup_done(&job->cgroup);
    free(job->id);
    free(job->state_dir);
    free(job->program);
    free(job);
}

static bool is_readable(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return fd >= 0 && poll(&wait, 1, 0) > 0;
}

bool job_has_ended(const struct exec_job *job)
{
    return job->pidfd < 0 || is_readable(job->pidfd);
}

/* ---- create --------------------------------------------------------------------------------- */

/* The id becomes a directory name, a control group and an argument. */
static int check_id(const char *id, struct ct_error *err)
{
    size_t length = strlen(id);
    bool plain = length > 0 && length <= 64 && isalnum((unsigned char)id[0]);

    for (size_t i = 0; i < length; i++) {
        plain = plain && (isalnum((unsigned char)id[i]) || strchr("_-", id[i]));
    }
    return plain ? 0 : ct_refuse(err, CT_INVALID, "use '%.70s' as a container's id", id);
}

static int check_spec(const struct exec_spec *spec, struct ct_error *err)
{
    if (check_id(spec->id, err) < 0) {
        return -1;
    }
    if (!spec->program.argv || !spec->program.argv[0]) {
        return ct_refuse(err, CT_INVALID, "run no program at all");
    }
    if (geteuid() != 0) {
        (void)ct_refuse(err, CT_DENIED, "make namespaces and control groups: it needs root");
        return ct_hint(err, "run it with sudo");
    }
    return 0;
}

static int configure(const struct exec_job *job, const struct exec_spec *spec, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_MONITOR, CT_STEP_CONFIGURE, "%s/%s", spec->state_dir, CONFIG_FILE);
    return config_write(spec, &job->cgroup, job->state_fd, err);
}

/* Until sysinit runs inside. When LXC gave up before, its log knows why. */
static int wait_for_sysinit(struct exec_job *job, int64_t deadline_ns, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_MONITOR, CT_STEP_SYNC, "sysinit: hello");

    if (handshake_hello(&job->shake, job->lxc.pidfd, deadline_ns, err) < 0) {
        struct ct_error cause = {0};
        if (err->kind == CT_UNREACHABLE && log_explain(job->state_fd, LOG_FILE, &cause)) {
            *err = cause;
        }
        return ct_while(err, "start LXC");
    }
    job->pid = job->shake.pid;
    job->pidfd = ct_steal_fd(&job->shake.pidfd);
    cgroup_oom_watch(&job->cgroup, &job->oom);
    return 0;
}

static int create(struct exec_job *job, const struct exec_spec *spec, int64_t deadline_ns,
                  struct ct_error *err)
{
    if (caps_of(spec, &job->caps, err) < 0 || sysctls_check(spec, err) < 0 ||
        configure(job, spec, err) < 0 || handshake_open(&job->shake, &spec->program, err) < 0) {
        return -1;
    }
    if (launch_start(job, err) < 0) {
        return -1;
    }
    job->ours = true;
    handshake_given(&job->shake);
    return wait_for_sysinit(job, deadline_ns, err) < 0 || sysctls_set(job, spec, err) < 0 ? -1 : 0;
}

struct exec_job *exec_create(const struct exec_spec *spec, int timeout_ms, struct ct_error *err)
{
    int64_t deadline_ns = deadline_in_ms(timeout_ms);
    struct ct_error ignored = {0};

    if (check_spec(spec, err) < 0) {
        return NULL;
    }
    struct exec_job *job = job_new(spec->id, spec->state_dir, err);
    if (!job) {
        return NULL;
    }
    job->program = ct_strdup(spec->program.argv[0]);
    job->n_kept = n_kept_fds;
    memcpy(job->kept, kept_fds, sizeof(kept_fds));
    n_kept_fds = 0;
    /* The LXCPATH is also what tells that the id is in use: mkdir(2) has one winner. */
    job->events = events_create(spec->id, err);
    if (job->events < 0) {
        job_free(job);
        return ct_while_null(err, "create the job '%s'", spec->id);
    }
    if (create(job, spec, deadline_ns, err) < 0) {
        (void)exec_delete(job, &ignored); /* err keeps the first cause */
        return NULL;
    }
    return job;
}

/* ---- start and end -------------------------------------------------------------------------- */

int exec_start(struct exec_job *job, int timeout_ms, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_MONITOR, CT_STEP_EXEC, "sysinit: go: execve %s",
            job->program ? job->program : "");

    if (handshake_go(&job->shake, deadline_in_ms(timeout_ms), err) < 0) {
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

/* Until lxc-start is gone; -1 with CT_TIMEOUT. Reaps it when it is our child. */
static int wait_for_lxc(struct exec_job *job, int64_t deadline_ns, struct ct_error *err)
{
    int status = 0;

    if (job->lxc.pid <= 0 || job->lxc.pidfd < 0) {
        return 0;
    }
    if (!job->ours) {
        int ready = ct_wait_readable(job->lxc.pidfd, -1, deadline_left_ms(deadline_ns), err);
        return ready > 0 ? 0 : ct_refuse(err, CT_TIMEOUT, "wait for lxc-start to leave");
    }
    if (ct_process_wait(&job->lxc, deadline_left_ms(deadline_ns), &status, err) < 0) {
        return ct_while(err, "wait for lxc-start to leave");
    }
    ct_process_done(&job->lxc);
    job->lxc = (struct ct_process){.pidfd = -1};
    return 0;
}

/* The status is in the FIFO before lxc-start leaves. */
static int wait_for_status(struct exec_job *job, int64_t deadline_ns, struct ct_error *err)
{
    struct pollfd fds[] = {{.fd = job->events, .events = POLLIN},
                           {.fd = job->lxc.pidfd, .events = POLLIN}};

    for (;;) {
        bool gone = job->lxc.pidfd < 0 || is_readable(job->lxc.pidfd);
        int n = events_read_status(job->events, &job->status, err);
        if (n != 0) {
            job->have_status = n > 0;
            return n > 0 ? 0 : -1;
        }
        if (gone) {
            return ct_refuse(err, CT_UNREACHABLE,
                             "learn how the program ended: lxc-start was killed before it told");
        }
        if (poll(fds, 2, deadline_left_ms(deadline_ns)) == 0) {
            return ct_refuse(err, CT_TIMEOUT, "wait until LXC tells how the program ended");
        }
    }
}

int exec_result(struct exec_job *job, int *ret_status, struct ct_error *err)
{
    int64_t deadline_ns = deadline_in_ms(RESULT_TIMEOUT_MS);
    struct ct_error ignored = {0};

    if (!job_has_ended(job)) {
        return ct_refuse(err, CT_CONFLICT, "ask for the result: the program still runs");
    }
    if (!job->have_status && wait_for_status(job, deadline_ns, err) < 0) {
        return -1;
    }
    /* Without a PID namespace of their own, others may outlive the first process. */
    (void)cgroup_kill(&job->cgroup, &ignored);
    *ret_status = job->status;
    return 0;
}

/* ---- delete --------------------------------------------------------------------------------- */

/* Whatever state it is in. LXC takes down what it made when its container ends by itself or by our
 * SIGKILL; only a lxc-start that does not leave is killed too. */
static int end(struct exec_job *job, struct ct_error *err)
{
    struct ct_error ignored = {0};

    handshake_close(&job->shake); /* a sysinit that still waits takes this as the end */
    if (job->pid == 0 && job->lxc.pidfd >= 0) {
        /* LXC has not got as far as sysinit and may hang: its child asked to die with it. */
        (void)ct_pidfd_signal(job->lxc.pidfd, SIGKILL, &ignored);
    }
    (void)cgroup_kill(&job->cgroup, &ignored); /* no such group: nothing to kill */
    if (job->pidfd >= 0) {
        (void)ct_pidfd_signal(job->pidfd, SIGKILL, &ignored);
    }
    if (wait_for_lxc(job, deadline_in_ms(RESULT_TIMEOUT_MS), &ignored) == 0) {
        return 0;
    }
    (void)ct_pidfd_signal(job->lxc.pidfd, SIGKILL, &ignored);
    return wait_for_lxc(job, deadline_in_ms(RESULT_TIMEOUT_MS), err);
}

static void remove_files(const struct exec_job *job)
{
    static const char *const files[] = {CONFIG_FILE, SECCOMP_FILE, LOG_FILE};

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        (void)unlinkat(job->state_fd, files[i], 0); /* not every job has all of them */
    }
}

int exec_delete(struct exec_job *job, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_MONITOR, CT_STEP_CLEANUP, "%s", job ? job->id : "");

    if (!job) {
        return 0;
    }
    int result = end(job, err);
    if (cgroup_remove(&job->cgroup, err) < 0) {
        result = ct_while(err, "delete the job '%s'", job->id);
    }
    remove_files(job);
    events_delete(job->id);
    job_free(job);
    return result;
}

void exec_release(struct exec_job *job)
{
    if (job) {
        job_free(job);
    }
}

/*
 * execdriver_fake.c - an exec driver that runs programs as plain child processes.
 *
 * Called by:  tests that need a driver but no root: linked in place of execdriver/lxc. It passes
 *             the same contract (tests/contract/execdriver.c).
 *
 * The talk with sysinit is the real one; what is missing is everything that makes a container: no
 * namespaces, no control groups, no limits, no other user. Paths of programs and working
 * directories are taken below the root file system, but the program then sees the host's. What
 * belongs to a job is what is in the sessions that its programs lead.
 */
#define CT_LAYER "execdriver"
#include "execdriver.h"

#include "cleanup.h"
#include "handshake.h"
#include "json.h"
#include "path.h"
#include "process.h"
#include "sysinit_fd.h"
#include "units.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EXEC_KEEP_FD 4
#define MAX_SESSIONS 32
#define MAX_JOBS     64

struct fake_job {
    char *id;
    char *rootfs;
    struct ct_process sysinit;
    struct handshake shake;
    bool started, paused, reaped;
    int status;
    pid_t sessions[MAX_SESSIONS];
    size_t n_sessions;
    int kept[EXEC_KEEP_FD];
    size_t n_kept;
};

struct exec_process {
    struct ct_process child;
};

static struct fake_job *jobs[MAX_JOBS]; /* ids in use in this process */
static int kept_fds[EXEC_KEEP_FD];
static size_t n_kept_fds;

/* exec_job is opaque in the door, so the fake's own struct stands behind it. */
static struct fake_job *fake(const struct exec_job *job)
{
    return (struct fake_job *)(uintptr_t)job;
}

const char *exec_driver_name(void)
{
    return "fake";
}

char *exec_driver_version(struct ct_error *err)
{
    (void)err;
    return ct_strdup("fake 1");
}

int exec_driver_check(const json_t *host_config, struct ct_error *err)
{
    (void)host_config;
    (void)err;
    return 0;
}

void exec_keep(const int *fds, size_t n)
{
    n_kept_fds = n < EXEC_KEEP_FD ? n : EXEC_KEEP_FD;
    memcpy(kept_fds, fds, n_kept_fds * sizeof(*fds));
}

/* ---- running a program ---------------------------------------------------------------------- */

static const char *path_of(const char *const *env)
{
    for (; *env; env++) {
        if (strncmp(*env, "PATH=", 5) == 0) {
            return *env + 5;
        }
    }
    return "";
}

/* Where the program would be inside: below rootfs, also when PATH has to be searched. Owned. */
static char *locate(const char *rootfs, const struct exec_program *program)
{
    const char *name = program->argv[0];
    CT_AUTO_FREE char *dirs = ct_strdup(path_of(program->env));
    char *position = NULL;

    if (strchr(name, '/')) {
        return ct_join(rootfs, name);
    }
    for (char *d = strtok_r(dirs, ":", &position); d; d = strtok_r(NULL, ":", &position)) {
        CT_AUTO_FREE char *path = ct_printf("%s%s/%s", rootfs, d, name);
        if (access(path, X_OK) == 0) {
            return ct_steal(path);
        }
    }
    return ct_strdup(name);
}

/* Starts sysinit with the plan; it says hello and waits. */
static int launch(const char *rootfs, const struct exec_program *program, struct handshake *shake,
                  struct ct_process *ret, struct ct_error *err)
{
    CT_AUTO_FREE char *path = locate(rootfs, program);
    CT_AUTO_FREE char *cwd = ct_join(rootfs, program->cwd);
    const char *argv[64] = {path};
    struct exec_program inside = *program;

    for (size_t i = 1; program->argv[i] && i < 63; i++) {
        argv[i] = program->argv[i];
    }
    inside.argv = argv;
    inside.cwd = cwd;
    int sysinit_fd = sysinit_fd_open(err);
    if (sysinit_fd < 0 || handshake_open(shake, &inside, err) < 0) {
        return -1;
    }
    char sysinit[32], socket_fd[16];
    (void)snprintf(socket_fd, sizeof(socket_fd), "%d", shake->theirs);
    const char *const sysinit_argv[] = {ct_fd_path(sysinit_fd, sysinit), socket_fd, NULL};
    const int keep[] = {sysinit_fd, shake->theirs};
    const struct ct_spawn spawn = {
        .argv = sysinit_argv, .stdio = {-1, -1, -1}, .keep = keep, .n_keep = 2};
    if (ct_process_start(&spawn, ret, err) < 0) {
        handshake_close(shake);
        return -1;
    }
    handshake_given(shake);
    return handshake_hello(shake, ret->pidfd, INT64_MAX, err);
}

/* ---- which processes ------------------------------------------------------------------------ */

static bool in_sessions(const struct fake_job *job, pid_t pid)
{
    pid_t session = getsid(pid);

    for (size_t i = 0; i < job->n_sessions; i++) {
        if (session == job->sessions[i]) {
            return true;
        }
    }
    return false;
}

static bool is_zombie(pid_t pid)
{
    CT_AUTO_FREE char *path = ct_printf("/proc/%d/stat", (int)pid);
    CT_AUTO_FILE FILE *stat = fopen(path, "re");
    char state = 'Z';

    return !stat || fscanf(stat, "%*d (%*[^)]) %c", &state) != 1 || state == 'Z';
}

ssize_t exec_pids(struct exec_job *job, pid_t **ret, struct ct_error *err)
{
    CT_AUTO_DIR DIR *proc = opendir("/proc");
    pid_t *pids = calloc(1024, sizeof(*pids));
    ssize_t n = 0;

    if (!proc || !pids) {
        free(pids);
        return ct_fail(err, errno, "list processes");
    }
    for (struct dirent *e = readdir(proc); e && n < 1024; e = readdir(proc)) {
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        if (pid > 0 && in_sessions(fake(job), pid) && !is_zombie(pid)) {
            pids[n++] = pid;
        }
    }
    *ret = pids;
    return n;
}

static int signal_all(struct exec_job *job, int signal_number, struct ct_error *err)
{
    CT_AUTO_FREE pid_t *pids = NULL;
    ssize_t n = exec_pids(job, &pids, err);

    for (ssize_t i = 0; i < n; i++) {
        (void)kill(pids[i], signal_number); /* may have ended meanwhile */
    }
    return n < 0 ? -1 : 0;
}

/* ---- the life of a job ---------------------------------------------------------------------- */

static bool has_ended(const struct fake_job *job)
{
    struct pollfd wait = {.fd = job->sysinit.pidfd, .events = POLLIN};
    return poll(&wait, 1, 0) > 0;
}

static struct fake_job **slot_of(const char *id)
{
    struct fake_job **empty = NULL;

    for (size_t i = 0; i < MAX_JOBS; i++) {
        if (jobs[i] && strcmp(jobs[i]->id, id) == 0) {
            return &jobs[i];
        }
        empty = !jobs[i] && !empty ? &jobs[i] : empty;
    }
    return empty;
}

static void free_job(struct fake_job *job)
{
    handshake_close(&job->shake);
    ct_process_done(&job->sysinit);
    free(job->id);
    free(job->rootfs);
    free(job);
}

struct exec_job *exec_create(const struct exec_spec *spec, int timeout_ms, struct ct_error *err)
{
    struct fake_job **slot = slot_of(spec->id);
    (void)timeout_ms;

    if (strchr(spec->id, '/')) {
        return ct_refuse_null(err, CT_INVALID, "use '%.70s' as a container's id", spec->id);
    }
    if (!slot || *slot) {
        return ct_refuse_null(err, CT_EXISTS, "create the job '%s'", spec->id);
    }
    struct fake_job *job = calloc(1, sizeof(*job));
    if (!job) {
        return ct_fail_null(err, ENOMEM, "remember a job");
    }
    job->id = ct_strdup(spec->id);
    job->rootfs = ct_strdup(spec->rootfs);
    job->shake = HANDSHAKE_NONE;
    job->sysinit.pidfd = -1;
    job->n_kept = n_kept_fds;
    memcpy(job->kept, kept_fds, sizeof(kept_fds));
    n_kept_fds = 0;
    if (launch(job->rootfs, &spec->program, &job->shake, &job->sysinit, err) < 0) {
        free_job(job);
        return NULL;
    }
    job->sessions[job->n_sessions++] = job->sysinit.pid; /* sysinit calls setsid(2) */
    *slot = job;
    return (struct exec_job *)job;
}

int exec_start(struct exec_job *job, int timeout_ms, struct ct_error *err)
{
    if (handshake_go(&fake(job)->shake, ct_monotonic_ns() + timeout_ms * INT64_C(1000000), err) <
        0) {
        return -1;
    }
    fake(job)->started = true;
    return 0;
}

pid_t exec_pid(const struct exec_job *job)
{
    return fake(job)->sysinit.pid;
}

int exec_wait_fd(const struct exec_job *job)
{
    return fake(job)->sysinit.pidfd;
}

int exec_result(struct exec_job *job, int *ret_status, struct ct_error *err)
{
    struct fake_job *mine = fake(job);

    if (!has_ended(mine)) {
        return ct_refuse(err, CT_CONFLICT, "ask for the result: the program still runs");
    }
    if (!mine->reaped && waitpid(mine->sysinit.pid, &mine->status, 0) != mine->sysinit.pid) {
        return ct_refuse(err, CT_UNREACHABLE, "learn how the program ended: it is not our child");
    }
    mine->reaped = true;
    *ret_status = mine->status;
    return 0;
}

int exec_signal(struct exec_job *job, int signal_number, struct ct_error *err)
{
    if (has_ended(fake(job))) {
        return ct_refuse(err, CT_NOT_FOUND, "signal the program: it has ended");
    }
    return ct_pidfd_signal(fake(job)->sysinit.pidfd, signal_number, err);
}

int exec_kill_all(struct exec_job *job, struct ct_error *err)
{
    return signal_all(job, SIGKILL, err);
}

int exec_pause(struct exec_job *job, struct ct_error *err)
{
    fake(job)->paused = true;
    return signal_all(job, SIGSTOP, err);
}

int exec_resume(struct exec_job *job, struct ct_error *err)
{
    fake(job)->paused = false;
    return signal_all(job, SIGCONT, err);
}

int exec_delete(struct exec_job *job, struct ct_error *err)
{
    int status = 0;

    if (!job) {
        return 0;
    }
    struct fake_job *mine = fake(job);
    handshake_close(&mine->shake);
    (void)signal_all(job, SIGKILL, err);
    if (!mine->reaped) {
        (void)ct_pidfd_signal(mine->sysinit.pidfd, SIGKILL, err);
        (void)waitpid(mine->sysinit.pid, &status, 0); /* not our child after an adoption */
    }
    struct fake_job **slot = slot_of(mine->id);
    if (slot && *slot == mine) {
        *slot = NULL;
    }
    free_job(mine);
    ct_error_clear(err);
    return 0;
}

/* ---- exec ----------------------------------------------------------------------------------- */

struct exec_process *exec_run(struct exec_job *job, const struct exec_program *program,
                              int timeout_ms, struct ct_error *err)
{
    struct fake_job *mine = fake(job);
    struct handshake shake = HANDSHAKE_NONE;
    int status = 0;

    if (!mine->started || has_ended(mine)) {
        return ct_refuse_null(err, CT_CONFLICT, "enter the container: it does not run");
    }
    if (mine->paused || mine->n_sessions == MAX_SESSIONS) {
        return ct_refuse_null(err, CT_CONFLICT, "enter the container: it is paused");
    }
    struct exec_process *process = calloc(1, sizeof(*process));
    if (!process || launch(mine->rootfs, program, &shake, &process->child, err) < 0) {
        free(process);
        return NULL;
    }
    if (handshake_go(&shake, ct_monotonic_ns() + timeout_ms * INT64_C(1000000), err) < 0) {
        handshake_close(&shake);
        (void)waitpid(process->child.pid, &status, 0);
        ct_process_done(&process->child);
        free(process);
        return NULL;
    }
    handshake_close(&shake);
    mine->sessions[mine->n_sessions++] = process->child.pid;
    return process;
}

pid_t exec_run_pid(const struct exec_process *process)
{
    return process->child.pid;
}

int exec_run_wait_fd(const struct exec_process *process)
{
    return process->child.pidfd;
}

int exec_run_signal(struct exec_process *process, int signal_number, struct ct_error *err)
{
    return ct_pidfd_signal(process->child.pidfd, signal_number, err);
}

int exec_run_result(struct exec_process *process, int *ret_status, struct ct_error *err)
{
    if (ct_process_wait(&process->child, 10000, ret_status, err) < 0) {
        return -1;
    }
    ct_process_done(&process->child);
    free(process);
    return 0;
}

json_t *exec_run_save(const struct exec_process *process)
{
    (void)process;
    return json_null();
}

struct exec_process *exec_run_adopt(struct exec_job *job, const json_t *saved, int *ret_fds,
                                    size_t n_fds, struct ct_error *err)
{
    (void)job;
    (void)saved;
    for (size_t i = 0; i < n_fds; i++) {
        ret_fds[i] = -1;
    }
    return ct_refuse_null(err, CT_UNSUPPORTED, "adopt a program: it is this process's child");
}

void exec_run_release(struct exec_process *process)
{
    if (process) {
        ct_process_done(&process->child);
        free(process);
    }
}

void exec_release(struct exec_job *job)
{
    if (job) {
        struct fake_job *mine = fake(job);
        struct fake_job **slot = slot_of(mine->id);
        if (slot && *slot == mine) {
            *slot = NULL;
        }
        free_job(mine);
    }
}

/* ---- limits and figures --------------------------------------------------------------------- */

int exec_update(struct exec_job *job, const struct exec_limits *limits, struct ct_error *err)
{
    (void)job;
    (void)limits;
    return ct_refuse(err, CT_UNSUPPORTED, "set new limits: the fake driver has none");
}

int exec_stats(struct exec_job *job, struct exec_stats *ret, struct ct_error *err)
{
    CT_AUTO_FREE pid_t *pids = NULL;
    ssize_t n = exec_pids(job, &pids, err);
    struct exec_stats stats = {.pids_current = (uint64_t)(n < 0 ? 0 : n)};

    for (ssize_t i = 0; pids && i < n; i++) {
        clockid_t clock;
        struct timespec used;
        if (clock_getcpuclockid(pids[i], &clock) == 0 && clock_gettime(clock, &used) == 0) {
            stats.cpu_total_ns += (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
        }
    }
    *ret = stats;
    return n < 0 ? -1 : 0;
}

/* ---- adoption ------------------------------------------------------------------------------- */

json_t *exec_save(const struct exec_job *job)
{
    json_t *json = json_object();
    json_t *kept = json_array();

    ct_json_set_string(json, "id", fake(job)->id);
    ct_json_set_string(json, "rootfs", fake(job)->rootfs);
    ct_json_set(json, "pid", json_integer(fake(job)->sysinit.pid));
    ct_json_set(json, "holder", json_integer(getpid()));
    for (size_t i = 0; i < fake(job)->n_kept; i++) {
        ct_json_append(kept, json_integer(fake(job)->kept[i]));
    }
    ct_json_set(json, "kept", kept);
    return json;
}

/* Descriptors come from the process that saved: nobody else holds them. */
struct exec_job *exec_adopt(const json_t *saved, int *ret_fds, size_t n_fds, struct ct_error *err)
{
    const json_t *kept = ct_json_get(saved, "kept");
    struct ct_error ignored = {0};
    pid_t pid = (pid_t)ct_json_integer(saved, "pid", 0);
    CT_AUTO_CLOSE int pidfd = ct_pidfd_open(pid, &ignored);
    CT_AUTO_CLOSE int holder = ct_pidfd_open((pid_t)ct_json_integer(saved, "holder", 0), &ignored);
    struct pollfd wait = {.fd = pidfd, .events = POLLIN};

    if (pidfd < 0 || poll(&wait, 1, 0) > 0) {
        return ct_refuse_null(err, CT_NOT_FOUND, "adopt the job '%s': it has ended meanwhile",
                              ct_json_string(saved, "id", ""));
    }
    struct fake_job *job = calloc(1, sizeof(*job));
    if (!job) {
        return ct_fail_null(err, ENOMEM, "remember a job");
    }
    job->id = ct_strdup(ct_json_string(saved, "id", ""));
    job->rootfs = ct_strdup(ct_json_string(saved, "rootfs", ""));
    job->shake = HANDSHAKE_NONE;
    job->sysinit = (struct ct_process){.pid = pid, .pidfd = ct_steal_fd(&pidfd)};
    job->started = true;
    job->sessions[job->n_sessions++] = pid;
    for (size_t i = 0; i < n_fds; i++) {
        bool known = holder >= 0 && i < ct_json_count(kept);
        int number = (int)json_integer_value(json_array_get(kept, i));
        ret_fds[i] = known ? (int)syscall(SYS_pidfd_getfd, holder, number, 0U) : -1;
    }
    return (struct exec_job *)job;
}

/* What another process's fake left ends by itself: its sysinit has lost the handshake. */
int exec_forget(const char *id, const char *state_dir, struct ct_error *err)
{
    (void)id;
    (void)state_dir;
    (void)err;
    return 0;
}

bool exec_driver_has_terminals(void)
{
    return false;
}

int exec_resize(struct exec_job *job, const struct exec_process *process, unsigned height,
                unsigned width, struct ct_error *err)
{
    (void)job;
    (void)process;
    return ct_refuse(err, CT_UNSUPPORTED, "resize to %ux%u: the terminal is the caller's", height,
                     width);
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

/*
 * execdriver.h - how a container's processes are made to run, and what can be done to them.
 *
 * Room:       execdriver. Knows processes; knows nothing of images or networks, and of the API only
 *             HostConfig's fields for a kernel facility that not every driver has.
 * Called by:  monitor/ (which holds the job); engine/ asks for its name and version.
 * Behind it:  lxc/ (stages 01 and 02). Docker had no such seam before 0.8; ours starts with the
 *             shape that Docker reached with 1.11: create, start, wait, delete apart, and an fd
 *             that turns readable at the end.
 *
 * README.md tells how Docker did it in 2013, and in which order to read the files.
 *
 * A job lives in these states: created (namespaces, mounts and limits are there; the program has
 * not run) -> running (<-> paused) -> ended. Only exec_delete() frees it.
 */
#ifndef EXECDRIVER_H
#define EXECDRIVER_H

#include "error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A program: of a container, or of an exec in it. All pointers borrowed for the length of the call.
 */
struct exec_program {
    const char *const *argv; /* NULL-terminated; argv[0] is looked up in the PATH of env */
    const char *const *env;  /* "NAME=value", NULL-terminated: all of it, nothing is added */
    const char *cwd;         /* absolute, inside the container */
    uid_t uid;
    gid_t gid;
    const gid_t *groups; /* supplementary groups */
    size_t n_groups;
    bool terminal; /* stdio is one pty slave: it becomes the controlling terminal. Or, with
                      exec_driver_has_terminals(), two pipes: the terminal is the driver's */
    int stdio[3];  /* what the program gets as 0, 1, 2; borrowed */
    const char *const
        *cap_add; /* exec --privileged: {"ALL", NULL}; for a container see exec_spec */
};

struct exec_mount {
    const char *source;  /* on the host; "tmpfs" with type tmpfs */
    const char *target;  /* absolute, inside the container */
    const char *type;    /* "bind" or "tmpfs" */
    const char *options; /* "ro", "rw,size=64m,mode=1777": as mount(8); may be "" */
    bool recursive;      /* rbind */
};

struct exec_limits { /* 0: no limit, except where said */
    uint64_t memory_max_bytes;
    uint64_t memory_swap_max_bytes; /* memory plus swap, as Docker's MemorySwap; UINT64_MAX:
                                       unlimited swap */
    uint64_t memory_low_bytes;      /* MemoryReservation */
    uint64_t cpu_quota_us;          /* per cpu_period_us */
    uint64_t cpu_period_us;
    uint64_t cpu_shares;     /* 2..262144, v1 notation */
    const char *cpuset_cpus; /* NULL: all */
    const char *cpuset_mems;
    int64_t pids_max;          /* 0 or -1: no limit */
    const json_t *host_config; /* what exec_driver_check() let pass beyond these; may be NULL */
};

struct exec_ulimit {
    const char *name;   /* "nofile" */
    int64_t soft, hard; /* -1: unlimited */
};

struct exec_spec {
    const char *id; /* 64 hex digits */
    const char
        *state_dir;     /* the driver's own files: made by the caller, emptied by exec_delete() */
    const char *rootfs; /* mounted and ready */
    bool rootfs_readonly;
    const char *hostname;
    const char *domainname; /* may be NULL */
    struct exec_program program;
    const struct exec_mount *mounts; /* in the order to be made */
    size_t n_mounts;
    struct exec_limits limits;
    const struct exec_ulimit *ulimits;
    size_t n_ulimits;
    const char *const *cap_add; /* Docker's names without CAP_, or "ALL"; NULL: none */
    const char *const *cap_drop;
    bool privileged;
    bool no_new_privileges;
    const char *seccomp;         /* NULL: the driver's default profile; "unconfined" */
    const char *apparmor;        /* NULL: the driver's default; "unconfined"; a profile's name */
    const char *const *devices;  /* "host:container:rwm", NULL-terminated; NULL: none */
    const char *const *sysctls;  /* "name=value", NULL-terminated; NULL: none */
    uint64_t shm_size_bytes;     /* /dev/shm; 0: 64 MiB */
    bool host_network;           /* share the host's network namespace; else a new, empty one */
    const char *join_network_of; /* path of a network namespace to join ("container:X"), or NULL */
    bool host_pid, host_ipc, host_uts;
    const char *join_pid_of,
        *join_ipc_of;          /* as join_network_of; exec_driver_check() knows who can */
    const char *shared_memory; /* a directory of the host's for /dev/shm, or NULL: one of its own */
    int oom_score_adj;
    const json_t *host_config; /* what exec_driver_check() let pass beyond these; may be NULL */
};

struct exec_job; /* opaque: one container, from exec_create() to exec_delete() */

/* Which of the job's processes. "" is the container's first program, else the id of an exec. */
#define EXEC_INIT ""

struct exec_stats {
    uint64_t cpu_total_ns, cpu_user_ns, cpu_system_ns;
    uint64_t cpu_periods, cpu_throttled_periods, cpu_throttled_ns;
    uint64_t memory_usage_bytes, memory_max_usage_bytes, memory_failcnt;
    uint64_t memory_limit_bytes; /* 0: none */
    uint64_t memory_inactive_file_bytes, memory_cache_bytes, memory_rss_bytes;
    uint64_t pids_current, pids_limit; /* limit 0: none */
    uint64_t io_read_bytes, io_write_bytes, io_reads, io_writes;
    bool oom_killed; /* the kernel killed at least one process for memory */
};

/*
 * exec_driver_use - which driver this process and the monitors that it starts take for new jobs.
 * Not called: the first one of the stage. CT_INVALID: there is none of this name; CT_UNSUPPORTED:
 * a later stage has it.
 */
int exec_driver_use(const char *name, struct ct_error *err);

/* exec_driver_reach - where the program listens that the driver asks. CT_UNSUPPORTED: this one asks
 * nobody. */
int exec_driver_reach(const char *address, struct ct_error *err);

/*
 * exec_driver_begin, exec_driver_end - for a daemon, once each: whatever program the driver asks
 * runs from here on, unless it runs already or exec_driver_reach() named another's; at the end it
 * goes, if nothing needs it any more. root, run: the daemon's directories. Most drivers need
 * nothing.
 */
int exec_driver_begin(const char *root, const char *run, struct ct_error *err);
void exec_driver_end(void);

/* "lxc", and what it drives: "lxc-start 5.0.2" (owned by the caller; NULL when it is missing, err
 * says how to get it). */
const char *exec_driver_name(void);
char *exec_driver_version(struct ct_error *err);

/*
 * exec_driver_check - host_config: Docker's HostConfig. What this driver cannot give a container is
 * refused by the field's name (CT_UNSUPPORTED), and what makes no sense in a field that it reads by
 * itself (CT_INVALID). Fields that have a place in exec_spec are the caller's to check.
 */
int exec_driver_check(const json_t *host_config, struct ct_error *err);

/* Terminals are made by the driver, where descriptors cannot be handed over; exec_resize() then
 * sets their size. */
bool exec_driver_has_terminals(void);

/*
 * exec_create - makes everything ready, but does not run the program yet.
 *
 * On return the container's namespaces exist and exec_pid() is a process inside them that waits
 * for exec_start(); the caller may now move network devices into its network namespace.
 * timeout_ms bounds the whole call.
 *
 * Returns a job that the caller owns (exec_delete() frees it), or NULL with CT_EXISTS (the id is
 * in use), CT_DENIED (needs root), CT_INVALID, CT_UNSUPPORTED, CT_TIMEOUT or CT_SYSTEM. A failed
 * call leaves nothing behind: no cgroup, no mount, no process, no file in state_dir.
 */
struct exec_job *exec_create(const struct exec_spec *spec, int timeout_ms, struct ct_error *err);

/*
 * exec_start - lets the program run. Returns when execve(2) has succeeded, or failed: then -1
 * with CT_NO_PROGRAM (127) or CT_CANNOT_RUN (126) and the true cause: missing file, missing
 * interpreter of '#!', CRLF, wrong architecture, missing ELF loader, mode bits, directory,
 * noexec, argument list too long, working directory. The job is then ended and still to be deleted.
 */
int exec_start(struct exec_job *job, int timeout_ms, struct ct_error *err);

/* The pid of the container's first process as the host sees it: the same before and after
 * exec_start(). */
pid_t exec_pid(const struct exec_job *job);

/* An fd that turns readable when the program has ended. Borrowed: the job closes it. */
int exec_wait_fd(const struct exec_job *job);

/*
 * exec_result - after the end: the wait status as of waitpid(2). Does not block for longer than
 * it takes the runtime to leave (seconds at most). -1 with CT_UNREACHABLE when the status is lost
 * (the process that knew it was killed).
 */
int exec_result(struct exec_job *job, int *ret_status, struct ct_error *err);

/* Sends a signal to the first process. CT_NOT_FOUND: it has ended. */
int exec_signal(struct exec_job *job, int signal_number, struct ct_error *err);

/* Kills every process of the container (cgroup-wide), also when the first one is gone. Returns
 * before they have ended. */
int exec_kill_all(struct exec_job *job, struct ct_error *err);

int exec_pause(struct exec_job *job, struct ct_error *err);
int exec_resume(struct exec_job *job, struct ct_error *err);

/*
 * exec_run - starts one more program in the running container. As exec_start(), returns after
 * execve(2) has succeeded or failed. *ret_process_fd (owned by the caller) turns readable at its
 * end; then exec_run_result() gives its wait status and frees what is kept of it. A driver that
 * learns only an exit code (lxc) gives that of a shell: exited with 137, not killed by 9;
 * ct_exit_code() is the same for both. CT_CONFLICT: the container does not run, or is paused.
 */
struct exec_process;
struct exec_process *exec_run(struct exec_job *job, const struct exec_program *program,
                              int timeout_ms, struct ct_error *err);
pid_t exec_run_pid(const struct exec_process *process); /* as the host sees it */
int exec_run_wait_fd(const struct exec_process *process);
int exec_run_signal(struct exec_process *process, int signal_number, struct ct_error *err);
int exec_run_result(struct exec_process *process, int *ret_status,
                    struct ct_error *err); /* frees */

/* The size of the terminal of the first program (process NULL), or of another. CT_UNSUPPORTED: the
 * terminal is the caller's. */
int exec_resize(struct exec_job *job, const struct exec_process *process, unsigned height,
                unsigned width, struct ct_error *err);

/* New limits for a created or running job; a field of 0 is left as it is. */
int exec_update(struct exec_job *job, const struct exec_limits *limits, struct ct_error *err);

/* After the end all figures are 0 but oom_killed, which stays true to what happened. */
int exec_stats(struct exec_job *job, struct exec_stats *ret, struct ct_error *err);

/* Host pids of all processes in the container (owned array). Returns their number or -1. */
ssize_t exec_pids(struct exec_job *job, pid_t **ret, struct ct_error *err);

/*
 * exec_save, exec_adopt - a job as a document, to find it again from another process. keep_fds:
 * descriptors (a pipe's read ends, a pty's master) of which the runtime holds copies for a monitor
 * that comes after a killed one. exec_adopt() gives them back (owned by the caller; -1 where lost).
 * exec_adopt returns NULL with CT_NOT_FOUND when the job has ended meanwhile and left nothing.
 */
void exec_keep(const int *fds, size_t n); /* for this thread's next exec_create(), or exec_run() in
                                             a driver that can adopt; n <= 4, borrowed by it */
json_t *exec_save(const struct exec_job *job);
struct exec_job *exec_adopt(const json_t *saved, int *ret_fds, size_t n_fds, struct ct_error *err);

/* The same for one more program, of a job that was adopted. CT_UNSUPPORTED: this driver loses sight
 * of it with its caller. CT_NOT_FOUND: nothing is known of it any more. */
json_t *exec_run_save(const struct exec_process *process);
struct exec_process *exec_run_adopt(struct exec_job *job, const json_t *saved, int *ret_fds,
                                    size_t n_fds, struct ct_error *err);

/* Frees the job, or the program, and leaves it in the world as it is, for exec_adopt(). NULL is
 * allowed. */
void exec_release(struct exec_job *job);
void exec_run_release(struct exec_process *process);

/*
 * exec_forget - ends and removes what a caller left of the job `id` that was killed within
 * exec_create(), before it could exec_save(). The caller knows that nobody holds the job. Nothing
 * left: no error, and cheap.
 */
int exec_forget(const char *id, const char *state_dir, struct ct_error *err);

/* Ends what still runs, removes cgroups, mounts and files of the driver, and frees the job. NULL is
 * allowed. */
int exec_delete(struct exec_job *job, struct ct_error *err);

#endif

/*
 * process.h - starting, waiting for and signalling processes by descriptor, never by a reused pid.
 *
 * Room:       lib. Called by: monitor, execdriver, engine, trace.
 * Man:        pidfd_open(2), clone3(2) (CLONE_PIDFD), waitid(2), execve(2).
 */
#ifndef CT_PROCESS_H
#define CT_PROCESS_H

#include "error.h"

#include <stdbool.h>
#include <sys/types.h>

#define CT_SPAWN_MORE_MAX 8

struct ct_spawn {
    const char *path;        /* program; NULL: argv[0] looked up in PATH */
    const char *const *argv; /* NULL-terminated */
    const char *const *envp; /* NULL: our own environment */
    const char *cwd;         /* NULL: ours */
    int stdio[3];            /* what becomes 0, 1, 2; -1: /dev/null */
    const int *keep;         /* further descriptors the child inherits under the same number … */
    size_t n_keep;           /* … all others are closed */
    const int *more;         /* without keep: what becomes 3, 4 …, at most CT_SPAWN_MORE_MAX */
    size_t n_more;
    bool new_session;    /* setsid(2): survives our terminal */
    bool no_inheritable; /* without inheritable capabilities, but for ambient ones */
    int death_signal;    /* PR_SET_PDEATHSIG, 0: none */
};

struct ct_process {
    pid_t pid;
    int pidfd; /* readable when it has ended; closed by ct_process_done() */
};

/*
 * ct_process_start - fork and exec. An exec that fails is reported here, not by exit code 127:
 * returns -1 with CT_NO_PROGRAM or CT_CANNOT_RUN and the errno. All signals are unblocked and
 * at their defaults in the child.
 */
int ct_process_start(const struct ct_spawn *spawn, struct ct_process *ret, struct ct_error *err);

/* Waits up to timeout_ms (-1: for ever). *ret_status as of waitpid(2). -1 with CT_TIMEOUT when it
 * still runs. */
int ct_process_wait(struct ct_process *process, int timeout_ms, int *ret_status,
                    struct ct_error *err);

/* Closes the descriptor; does not end the process. */
void ct_process_done(struct ct_process *process);

/*
 * ct_process_run - starts, collects what it prints (stdout and stderr together, the first
 * max_output bytes, owned, NUL-terminated; NULL allowed), waits up to timeout_ms and kills after
 * it. Returns 0 whatever the status; -1 when it could not be started or the time ran out.
 */
int ct_process_run(const char *const *argv, int timeout_ms, size_t max_output, char **ret_output,
                   int *ret_status, struct ct_error *err);

/* Exit code as a shell has it: the code, or 128 + signal. */
int ct_exit_code(int wait_status);

/* pidfd_open(2) and pidfd_send_signal(2). ESRCH is CT_NOT_FOUND. */
int ct_pidfd_open(pid_t pid, struct ct_error *err);
int ct_pidfd_signal(int pidfd, int signal_number, struct ct_error *err);

/* "TERM", "SIGTERM", "sigterm", "15", "RTMIN+3" -> number; -1 with CT_INVALID. And back: "SIGTERM"
 * (static). */
int ct_signal_number(const char *name, struct ct_error *err);
const char *ct_signal_name(int number);

/* Where this program's binary stands (readlink of /proc/self/exe); owned. */
char *ct_self_path(struct ct_error *err);

/* A file, and it may be executed: a folder in PATH of a program's name is none. */
bool ct_is_program(const char *path);

/* Waits until fd is readable or cancel_fd (may be -1) is, up to timeout_ms. 1: fd; 0: time; -1:
 * CT_TIMEOUT, cancelled. */
int ct_wait_readable(int fd, int cancel_fd, int timeout_ms, struct ct_error *err);

#endif

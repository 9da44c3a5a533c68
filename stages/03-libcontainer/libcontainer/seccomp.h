/*
 * seccomp.h - the filter of system calls.
 *
 * Room:       libcontainer. Called by: configuration.c (parsing), create.c and exec.c (compiling),
 * setup.c (loading). Spec:       config-linux.md, "Seccomp". Man:        seccomp(2),
 * seccomp_unotify(2).
 *
 * The filter is compiled by the runtime, before the clone, so that a profile that cannot be is an
 * error of create, and the container's side needs one system call.
 */
#ifndef LC_SECCOMP_H
#define LC_SECCOMP_H

#include "error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct lc_seccomp {
    bool is_set;
    void *program; /* struct sock_filter[]; owned (lc_seccomp_done) */
    size_t n_instructions;
    unsigned flags; /* SECCOMP_FILTER_FLAG_… */
    bool notifies;  /* SCMP_ACT_NOTIFY is among the actions */
};

/*
 * lc_seccomp_compile - "linux.seccomp" (may be NULL: no filter), all of the schema. Takes 0.3 ms
 * for Docker's profile.
 *
 * What the specification leaves open is as in runc: a name that libseccomp does not know is passed
 * over; a number above all that the profile names is answered by ENOSYS instead of an action that
 * refuses; two conditions on one argument are alternatives. An architecture that this machine
 * cannot run needs no rules.
 *
 * CT_INVALID: the profile, by field; also SCMP_ACT_NOTIFY as the default and for calls that the
 * runtime makes when the filter stands (it would wait for itself). CT_UNSUPPORTED: a flag that this
 * kernel lacks, or a program longer than it takes. The result is owned (lc_seccomp_done).
 */
int lc_seccomp_compile(const json_t *seccomp, struct lc_seccomp *ret, struct ct_error *err);
void lc_seccomp_done(struct lc_seccomp *seccomp);

/* Installs it for this thread; nothing when it is not set. With notifies *ret_notify_fd is the
 * listener (owned), else -1. CT_DENIED: neither SYS_ADMIN nor no_new_privs. */
int lc_seccomp_load(const struct lc_seccomp *seccomp, int *ret_notify_fd, struct ct_error *err);

/* Sends the listener to the agent that waits at listener_path, with the container process state
 * (config-linux.md, "The Container Process State"). state: the container's state document. */
int lc_seccomp_notify(const json_t *seccomp, int notify_fd, pid_t pid, const json_t *state,
                      struct ct_error *err);

/* For features: arrays of names. Owned. */
json_t *lc_seccomp_actions(void);
json_t *lc_seccomp_operators(void);
json_t *lc_seccomp_archs(void);
json_t *lc_seccomp_flags(void);

#endif

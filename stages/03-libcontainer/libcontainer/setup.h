/*
 * setup.h - from a process with all rights to the program: dropping power, and execve.
 *
 * Room:       libcontainer. Called by: init.c (a container's first program), exec.c (one more).
 * Man:        capabilities(7), credentials(7), seccomp(2), keyrings(7).
 *
 * The order is what matters. Everything that can be done before the program is to run is done in
 * lc_setup_drop(), so that it fails at create. The filter of system calls is last: what comes after
 * it must be allowed by it. Without no_new_privs the kernel wants CAP_SYS_ADMIN for the filter, so
 * that one bit is kept until then.
 */
#ifndef LC_SETUP_H
#define LC_SETUP_H

#include "program.h"
#include "seccomp.h"

#include "error.h"

#include <stdbool.h>
#include <stdint.h>

struct lc_setup {
    const struct lc_program *program;
    const struct lc_seccomp *seccomp;
    int stdio[3];
    int preserve_fds;
    bool control_terminal; /* stdio is a terminal that becomes the controlling one */
    const char *keyring;   /* of the session, to be joined; NULL: stay in the caller's */
    uint32_t personality;
};

/* Streams, keyring, scheduling, labels, user, groups, capabilities, working directory. procfs_fd
 * -1: no label is wanted. After it only 0, 1, 2, the preserved and the descriptors marked to be
 * closed at execve(2) are left. */
int lc_setup_drop(const struct lc_setup *setup, int procfs_fd, struct ct_error *err);

/* Told the listener of a filter that notifies; 0 when the agent has it. */
typedef int (*lc_notify_fn)(void *context, int notify_fd, struct ct_error *err);

/* Filter, last rights, execve(2). Returns only on failure. */
int lc_setup_exec(const struct lc_setup *setup, lc_notify_fn notify, void *context,
                  struct ct_error *err);

#endif

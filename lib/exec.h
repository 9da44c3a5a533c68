/*
 * exec.h - becoming a program: the last steps of a process before execve(2), and execve(2) itself.
 *
 * Room:       lib. Uses nothing but libc, lib/error and lib/diagnose, so that it can be linked into
 *             what runs inside a container.
 * Called by:  lxc/sysinit.c, libcontainer/program.c.
 * Man:        execve(2), close_range(2), chdir(2).
 */
#ifndef CT_EXEC_H
#define CT_EXEC_H

#include "error.h"

/*
 * ct_exec_streams - puts stdio at 0, 1 and 2. 3 … 2 + preserve stay where they are, for the program
 * too; all others close at execve(2): no descriptor of the host's is left (CVE-2024-21626).
 */
int ct_exec_streams(const int stdio[3], int preserve, struct ct_error *err);

/* Enters cwd (absolute), which must be below our root (CVE-2024-21626). CT_CANNOT_RUN,
 * CT_NO_PROGRAM. */
int ct_exec_enter_cwd(const char *cwd, struct ct_error *err);

/* Ignored signals and the mask survive execve(2): the program is to start as from a login. */
void ct_exec_reset_signals(void);

/*
 * ct_exec - execve(2); argv[0] without a slash is looked up in the PATH of envp. Returns only on
 * failure: -1 with CT_NO_PROGRAM or CT_CANNOT_RUN and the true cause (diagnose.h).
 */
int ct_exec(char *const *argv, char *const *envp, struct ct_error *err);

#endif

/*
 * terminal.h - the container's own terminal, and where its master goes.
 *
 * Room:       libcontainer.
 * Called by:  create.c and exec.c (connecting), init.c and enter.c (making).
 * Spec:       runc's console socket: docs/terminals.md there.
 * Man:        pty(7), ioctl_tty(2) (TIOCGPTPEER), unix(7) (SCM_RIGHTS).
 *
 * The slave comes from the master by ioctl, never by its name: a name in the container's /dev/pts
 * could lead anywhere by now (CVE-2025-52565).
 */
#ifndef LC_TERMINAL_H
#define LC_TERMINAL_H

#include "error.h"

#include <stdbool.h>

/* Connects to the console socket at path (any length: through a descriptor of it where it does not
 * fit into an address). Owned. Who listens there must answer within 10 s. */
int lc_terminal_connect(const char *path, struct ct_error *err);

/*
 * lc_terminal_make - opens a new terminal in the devpts mounted at dev/pts below root_fd (an fd of
 * the container's root; checked: DEVPTS_SUPER_MAGIC), sets its size (0 0: unknown), sends the
 * master over socket_fd and returns the slave (owned, O_RDWR | O_NOCTTY).
 */
int lc_terminal_make(int root_fd, int socket_fd, unsigned short height, unsigned short width,
                     struct ct_error *err);

/* Binds the slave on /dev/console of the root. Before the root is changed. */
int lc_terminal_bind_console(int root_fd, int slave_fd, struct ct_error *err);

/* Makes fd 0's terminal the controlling one of this (new) session. */
int lc_terminal_control(struct ct_error *err);

#endif

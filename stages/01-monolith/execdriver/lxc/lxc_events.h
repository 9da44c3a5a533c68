/*
 * lxc_events.h - what LXC tells of a container: its states and the wait status at the end.
 *
 * Room:       execdriver/lxc. Called by: job.c, adopt.c.
 * Spec:       LXC 5, src/lxc/monitor.h (struct lxc_msg), monitor.c (lxc_monitor_fifo_send).
 *
 * lxc-start does not leave with the exit code of the container. But it writes messages to the FIFO
 *
 *     /run/lxc/LXCPATH/monitor-fifo
 *
 * when there is one and somebody has it open for reading; lxc-monitord was made for it, and
 * lxc-wait lives from it. We make it and keep it open, also for writing, so that nothing is lost
 * while nobody reads. A message has 264 bytes, all of native order:
 *
 *     int type         0: a state   2: the wait status of the first process
 *     char name[256]   the container
 *     int value        the state (0 STOPPED, 1 STARTING, 2 RUNNING, 3 STOPPING …), or the status
 *
 * The FIFO belongs to an LXCPATH, not to a container: so each container has an LXCPATH of its own,
 * /run/lxc/ID, and two readers never take each other's messages.
 */
#ifndef LXC_EVENTS_H
#define LXC_EVENTS_H

#include "error.h"

#include <stdint.h>

/* "/run/lxc/ID", owned. */
char *events_lxcpath(const char *id);

/* Makes the LXCPATH and the FIFO. Returns the FIFO's descriptor, or -1 and nothing is left. */
int events_create(const char *id, struct ct_error *err);

/* Opens a FIFO that is there already. */
int events_open(const char *id, struct ct_error *err);

/*
 * Reads messages until the wait status came or everything was read. 1: *ret_status is filled;
 * 0: not yet; -1: err.
 */
int events_read_status(int events_fd, int *ret_status, struct ct_error *err);

/* Takes away what events_create() and LXC itself made for this id below /run/lxc. */
void events_delete(const char *id);

#endif

/*
 * sysinit_fd.h - the program sysinit as a descriptor that can be executed.
 *
 * Room:       execdriver/lxc. Called by: launch.c.
 *
 * It is a copy in a memory file, not a file of the host's: through /proc/PID/exe a container can
 * open what its processes run, and with a real file root inside could overwrite the host's program
 * (CVE-2019-5736). The copy is sealed: nobody can write to it at all.
 */
#ifndef LXC_SYSINIT_FD_H
#define LXC_SYSINIT_FD_H

#include "error.h"

/* Made once a process, and borrowed: it stays open. -1: CT_SYSTEM. */
int sysinit_fd_open(struct ct_error *err);

#endif

/*
 * plan.h - what the driver tells sysinit to do, and how the two talk.
 *
 * Room:       execdriver/lxc. Called by: handshake.c (the host's side), sysinit.c (the
 * container's). Man:        unix(7) (SCM_RIGHTS, SCM_CREDENTIALS), memfd_create(2).
 *
 * The talk goes over a socketpair (SOCK_SEQPACKET) of which LXC hands one end down to sysinit:
 *
 *   driver -> sysinit   "P" and four descriptors: a memfd with the plan, and the program's 0, 1, 2
 *   sysinit -> driver   "H" and one descriptor: the read end of sysinit's report pipe. The kernel
 *                       adds sysinit's pid as the host sees it.
 *   driver -> sysinit   "G": run the program
 *
 * The report pipe then gives a struct ct_error when the program could not be run, or just its end
 * when execve(2) has closed the other side. It is a pipe of sysinit's own making because the end of
 * the socket tells nothing: lxc-start keeps a copy of it open. For the same reason the program's
 * descriptors and its environment come through the socket: LXC never holds a copy of them.
 *
 * A plan is a file of strings that end with NUL, as execve(2) has them, so that a value may contain
 * newlines, quotes and whatever else an LXC configuration could not carry:
 *
 *   PLAN_MAGIC  flags  uid  gid  caps  groups  cwd  argc  argv…  envc  env…
 */
#ifndef LXC_PLAN_H
#define LXC_PLAN_H

#include "error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PLAN_MAGIC     "cutaway plan 1"
#define PLAN_MAX_BYTES (32u << 20) /* the kernel's own limit for argv and env is 6 MiB */

#define PLAN_FDS 4 /* the plan, 0, 1, 2 */

#define PLAN_TERMINAL 1u /* 0 is a terminal that becomes the controlling one */
#define PLAN_SET_IDS  2u /* uid, gid, groups and caps are still to be set: LXC did not */

struct plan {
    char *text; /* what was read: owned, and all strings are in it */
    unsigned flags;
    uid_t uid;
    gid_t gid;
    uint64_t caps; /* what may be kept: bit N is capability number N */
    gid_t *groups; /* owned; n_groups of them */
    size_t n_groups;
    char *cwd;
    char **argv; /* owned vectors of strings in text */
    char **envp;
};

/* Reads a whole plan. Returns 0, or -1 (CT_INVALID: cut off or malformed; CT_SYSTEM). */
int plan_read(int fd, struct plan *ret, struct ct_error *err);

/* Frees what a plan owns. sysinit does not need it: it is about to exec. */
void plan_done(struct plan *plan);

#endif

/*
 * handshake.h - the driver's side of the talk with sysinit (plan.h).
 *
 * Room:       execdriver/lxc. Called by: job.c (the container's program), attach.c (an exec's).
 */
#ifndef LXC_HANDSHAKE_H
#define LXC_HANDSHAKE_H

#include "error.h"
#include "execdriver.h"

#include <stdbool.h>
#include <stdint.h>

struct handshake {
    int ours;   /* our end of the socket; -1 once "G" is said */
    int theirs; /* the end that LXC hands down; closed by handshake_given() */
    int report; /* read end of sysinit's report pipe, after "H" */
    pid_t pid;  /* sysinit's pid as the host sees it, after "H" */
    int pidfd;  /* the same process, for good: owned; take it with ct_steal_fd() */
};

#define HANDSHAKE_NONE ((struct handshake){-1, -1, -1, 0, -1})

/* Makes the socket and puts plan and descriptors into it. */
int handshake_open(struct handshake *ret, const struct exec_program *program, struct ct_error *err);

/* The same for a program whose user LXC will not set: sysinit does, and keeps only these caps. */
int handshake_open_elevated(struct handshake *ret, const struct exec_program *program,
                            uint64_t caps, struct ct_error *err);

/* LXC has its copy of theirs: close ours of it. */
void handshake_given(struct handshake *shake);

/* Waits for "H". -1 with CT_UNREACHABLE when runtime_pidfd ended instead: its log knows why. */
int handshake_hello(struct handshake *shake, int runtime_pidfd, int64_t deadline_ns,
                    struct ct_error *err);

/* Says "G" and waits for what comes of it: 0 when execve(2) has succeeded, else -1 with the cause.
 */
int handshake_go(struct handshake *shake, int64_t deadline_ns, struct ct_error *err);

void handshake_close(struct handshake *shake);

#endif

/*
 * sync.h - the talk between the runtime and the container's first process, while it is made.
 *
 * Room:       libcontainer. Called by: create.c and exec.c (the runtime's side), init.c (inside).
 * Man:        unix(7) (SOCK_SEQPACKET, SCM_RIGHTS).
 *
 * One message is one struct: a letter and an error. What is inside a container is not trusted:
 * errors are checked before they are read. When one side dies, the other reads the end of the
 * stream and gives up: nothing half made stays.
 *
 * While it is created:
 *   init.c                                create.c
 *                                     <-  LC_SYNC_MAPPED     ids are mapped, limits are set
 *   LC_SYNC_MOUNTED                   ->                     mounts stand, the root is the old one
 *                                     <-  LC_SYNC_GO_ON      prestart, createRuntime hooks ran
 *   LC_SYNC_READY                     ->                     all is made: "created"
 * When it is started (another connection, perhaps another program):
 *                                     <-  LC_SYNC_GO_ON
 *   LC_SYNC_NOTIFY (+ descriptor)     ->                     listener of seccomp, where wanted
 *                                     <-  LC_SYNC_GO_ON      the agent has it
 *   the end of the stream             ->                     execve(2) has closed it
 * LC_SYNC_FAILED (an error) comes at any time instead.
 */
#ifndef LC_SYNC_H
#define LC_SYNC_H

#include "error.h"

#include <stdint.h>

enum lc_sync {
    LC_SYNC_MAPPED = 'm',
    LC_SYNC_MOUNTED = 'r',
    LC_SYNC_GO_ON = 'g',
    LC_SYNC_NOTIFY = 'n',
    LC_SYNC_READY = 'c',
    LC_SYNC_FAILED = 'e',
};

/* A pair of sockets; [0] is the runtime's. */
int lc_sync_open(int ret_sockets[2], struct ct_error *err);

/* fd -1: none goes along. -1: the other side has ended; with its error, where it sent one. */
int lc_sync_send(int socket_fd, enum lc_sync what, int fd, struct ct_error *err);
/* Best effort: when nobody listens any more, nobody misses it. */
void lc_sync_send_error(int socket_fd, const struct ct_error *failure);

/*
 * Waits up to the deadline (-1: for ever) for the message that is expected. ret_fd (may be NULL):
 * what came along, owned, or -1. -1 with the error of the other side (LC_SYNC_FAILED), CT_TIMEOUT,
 * or CT_UNREACHABLE when it died.
 */
int lc_sync_expect(int socket_fd, enum lc_sync what, int64_t deadline_ns, int *ret_fd,
                   struct ct_error *err);
/* Any of them. Returns what came, 0 at the end of the stream, or -1. */
int lc_sync_receive(int socket_fd, int64_t deadline_ns, int *ret_fd, struct ct_error *err);

/* Now + ms, of CLOCK_MONOTONIC; -1 stays -1. */
int64_t lc_deadline(int timeout_ms);

#endif

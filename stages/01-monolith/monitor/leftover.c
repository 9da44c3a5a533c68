/*
 * leftover.c - a child process that sends a slow client the rest.
 *
 * Room:       monitor.   Called by: see leftover.h.
 * Man:        fork(2), close_range(2).
 *
 * The monitor has one thread, so its child may go on without an exec.
 */
#include "leftover.h"

#include "cleanup.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Only the two descriptors: the locks and sockets of the monitor go with the monitor. */
_Noreturn static void send_alone(struct leftover leftover)
{
    int socket_fd = dup2(leftover.socket_fd, 0);
    int spill_fd = dup2(leftover.spill_fd, 1);

    if (socket_fd != 0 || spill_fd != 1) {
        _exit(1);
    }
    (void)close_range(2, ~0U, 0);
    leftover.socket_fd = 0;
    leftover.spill_fd = 1;
    leftover_send(leftover);
    _exit(0);
}

void leftover_leave(struct leftover leftover)
{
    pid_t child = fork();

    if (child == 0) {
        if (fork() == 0) { /* the grandchild is init's: nobody here has to wait for it */
            send_alone(leftover);
        }
        _exit(0);
    }
    (void)!(child > 0 && waitpid(child, NULL, 0));
    ct_cleanup_close(&leftover.socket_fd);
    ct_cleanup_close(&leftover.spill_fd);
}

/*
 * reap.c - whom the end of a child concerns.
 *
 * Room:       shim.   Called by: serve.c, on SIGCHLD.
 * Man:        waitpid(2), prctl(2) (PR_SET_CHILD_SUBREAPER).
 *
 * Children are the runtime's commands, the processes of containers, which come to us when their
 * runtime has left, and whatever those leave behind. The end of a container's process may come
 * before the end of the command that made it, and so before we know its number: it is kept as long
 * as such a command is under way.
 */
#define CT_LAYER "shim"
#include "shim_internal.h"

#include "units.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>

static struct process *process_of(struct shim *shim, pid_t pid)
{
    for (struct container *container = shim->containers; container; container = container->next) {
        if (container->init->pid == pid && !container->init->exited) {
            return container->init;
        }
        for (struct process *process = container->execs; process; process = process->next) {
            if (process->pid == pid && !process->exited) {
                return process;
            }
        }
    }
    return NULL;
}

static void keep_early(struct shim *shim, pid_t pid, int status, int64_t when_ns)
{
    struct early *early = calloc(1, sizeof(*early));

    if (!early) {
        abort();
    }
    *early = (struct early){.pid = pid, .status = status, .when_ns = when_ns, .next = shim->early};
    shim->early = early;
}

/* Nobody can be born any more who has ended already: these were strangers. */
static void forget_early(struct shim *shim)
{
    while (shim->births == 0 && shim->early) {
        struct early *early = shim->early;
        shim->early = early->next;
        free(early);
    }
}

static void reap_one(struct shim *shim, pid_t pid, int status)
{
    int64_t now_ns = ct_now_ns();
    struct process *process = process_of(shim, pid);

    if (process) {
        process_ended(process, status, now_ns);
    } else if (!run_ended(shim, pid, status) && !publisher_ended(shim->publisher, pid, status) &&
               shim->births > 0) {
        keep_early(shim, pid, status, now_ns);
    }
}

void reap_all(struct shim *shim)
{
    for (;;) {
        int status = 0;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid <= 0 && !(pid < 0 && errno == EINTR)) {
            break;
        }
        if (pid > 0) {
            reap_one(shim, pid, status);
        }
    }
    forget_early(shim);
}

/*
 * delete.c - takes a container out of the world, whatever state it is in.
 *
 * Room:       libcontainer.   Called by: see libcontainer.h.
 * Spec:       runtime.md, "Delete".
 */
#define CT_LAYER "runtime"
#include "container_internal.h"

#include "cleanup.h"
#include "log.h"
#include "process.h"
#include "span.h"

#include <signal.h>

#define END_TIMEOUT_MS 10000 /* for a killed process to leave the kernel */

static int check(const struct lc_container *container, bool force, struct ct_error *err)
{
    enum lc_status status = lc_status(container);

    if (force || status == LC_STOPPED || status == LC_CREATED || status == LC_CREATING) {
        return 0;
    }
    return ct_refuse(err, CT_CONFLICT, "cannot delete container %s that is not stopped: %s",
                     container->id, lc_status_name(status));
}

/* The first process, and whoever it leaves behind. Our own child is still to be reaped after it. */
static int end(struct lc_container *container, struct ct_error *err)
{
    struct ct_error gone = {0};

    if (container->pidfd < 0) {
        return 0;
    }
    (void)ct_pidfd_signal(container->pidfd, SIGKILL, &gone);
    if (container->cgroup && lc_cgroup_is_frozen(container->cgroup)) {
        (void)lc_cgroup_freeze(container->cgroup, false, &gone);
    }
    int ready = ct_wait_readable(container->pidfd, -1, END_TIMEOUT_MS, err);
    return ready > 0   ? 0
           : ready < 0 ? -1
                       : ct_refuse(err, CT_TIMEOUT, "process %d does not end", container->pid);
}

static void run_poststop(struct lc_container *container)
{
    struct lc_configuration configuration;
    struct ct_error err = {0};
    char line[400];

    if (!lc_container_has_hooks(container, LC_HOOK_POSTSTOP)) {
        return;
    }
    if (lc_container_configuration(container, &configuration, &err) == 0) {
        CT_AUTO_JSON json_t *state = lc_container_state_as(container, "stopped");
        (void)lc_hooks_run(&configuration.hooks, LC_HOOK_POSTSTOP, state, &err);
        lc_configuration_done(&configuration);
    }
    if (err.kind) { /* the container is gone all the same: the spec wants it told, not refused */
        ct_warn("poststop of %s: %s", container->id, ct_error_render(&err, line, sizeof(line)));
    }
}

static int delete (struct lc_container *container, bool force, struct ct_error *err)
{
    if (check(container, force, err) < 0 || end(container, err) < 0) {
        return -1;
    }
    if (container->cgroup && lc_cgroup_remove(container->cgroup, err) < 0) {
        return -1;
    }
    run_poststop(container);
    return lc_container_forget(container, err);
}

int lc_delete(struct lc_container *container, bool force, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_RUNTIME, CT_STEP_CLEANUP, "%s", container->id);

    /* A creation in another process holds the lock: it is waited for, and then there is a state. */
    if (lc_container_lock(container, err) < 0) {
        return -1;
    }
    int result = delete (container, force, err);
    lc_container_unlock(container);
    return result < 0 ? ct_while(err, "delete '%.60s'", container->id) : 0;
}

/*
 * control.c - signals, freezing, limits and figures of a container.
 *
 * Room:       libcontainer.   Called by: see libcontainer.h.
 * Spec:       runtime.md, "Kill"; runc(8) for what the specification leaves open.
 */
#define CT_LAYER "runtime"
#include "container_internal.h"

#include "process.h"
#include "span.h"

#include <signal.h>

/* A frozen process takes SIGKILL at once on v2; on v1 only when it is thawed. */
static int kill_first(struct lc_container *container, int signal_number, struct ct_error *err)
{
    if (ct_pidfd_signal(container->pidfd, signal_number, err) < 0) {
        return -1;
    }
    return signal_number == SIGKILL && lc_cgroup_is_frozen(container->cgroup)
               ? lc_cgroup_freeze(container->cgroup, false, err)
               : 0;
}

int lc_kill(struct lc_container *container, int signal_number, bool all, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_RUNTIME, CT_STEP_SIGNAL, "%s %s%s", container->id,
            ct_signal_name(signal_number), all ? " to all" : "");

    if (all && container->cgroup) { /* also when the first one has ended and others have not */
        return signal_number == SIGKILL ? lc_cgroup_kill(container->cgroup, err)
                                        : lc_cgroup_signal(container->cgroup, signal_number, err);
    }
    if (lc_status(container) == LC_STOPPED || container->pidfd < 0) {
        return ct_refuse(err, CT_CONFLICT, "container not running");
    }
    return kill_first(container, signal_number, err);
}

int lc_pause(struct lc_container *container, struct ct_error *err)
{
    enum lc_status status = lc_status(container);

    if (status != LC_RUNNING && status != LC_CREATED) {
        return ct_refuse(err, CT_CONFLICT, "container not running or created: %s",
                         lc_status_name(status));
    }
    return lc_cgroup_freeze(container->cgroup, true, err) < 0
               ? ct_while(err, "pause '%.60s'", container->id)
               : 0;
}

int lc_resume(struct lc_container *container, struct ct_error *err)
{
    if (!container->cgroup || !lc_cgroup_is_frozen(container->cgroup)) {
        return ct_refuse(err, CT_CONFLICT, "container not paused");
    }
    return lc_cgroup_freeze(container->cgroup, false, err) < 0
               ? ct_while(err, "resume '%.60s'", container->id)
               : 0;
}

int lc_update(struct lc_container *container, const json_t *resources, struct ct_error *err)
{
    struct lc_resources parsed;
    struct pool pool = {0};

    if (lc_status(container) == LC_STOPPED) {
        return ct_refuse(err, CT_CONFLICT, "cannot update a stopped container");
    }
    int result = lc_resources_parse(resources, &pool, &parsed, err);
    if (result == 0) {
        result = lc_cgroup_set(container->cgroup, &parsed, err);
    }
    pool_done(&pool);
    return result < 0 ? ct_while(err, "update '%.60s'", container->id) : 0;
}

json_t *lc_stats(struct lc_container *container, struct ct_error *err)
{
    if (lc_status(container) == LC_STOPPED) {
        return ct_refuse_null(err, CT_CONFLICT, "container not running");
    }
    json_t *stats = lc_cgroup_stats(container->cgroup, err);
    return stats ? stats : ct_while_null(err, "read the figures of '%.60s'", container->id);
}

uint64_t lc_oom_kills(struct lc_container *container)
{
    return container->cgroup ? lc_cgroup_oom_kills(container->cgroup) : 0;
}

ssize_t lc_pids(struct lc_container *container, pid_t **ret, struct ct_error *err)
{
    *ret = NULL;
    return container->cgroup ? lc_cgroup_pids(container->cgroup, ret, err) : 0;
}

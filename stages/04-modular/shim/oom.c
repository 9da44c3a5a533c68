/*
 * oom.c - tells containerd when the kernel has killed in a container because memory ran out.
 *
 * Room:       shim.   Called by: task_exec.c, when the container has been started; tasks.c.
 */
#define CT_LAYER "shim"
#include "shim_internal.h"

#include "cgroups.h"

#include "cleanup.h"
#include "file.h"
#include "log.h"

#include <stdlib.h>

struct oom {
    struct container *container;
    int fd;
    struct loop_source *source;
    uint64_t kills; /* v2: known already */
};

/* v1 tells when it is going to kill, and when the group goes; v2 of every change of a file with
 * several counters, one of which counts kills. */
static bool has_killed(struct oom *oom)
{
    enum lc_cgroup_layout layout = LC_CGROUP_V1;
    struct ct_error ignored = {0};
    uint64_t kills = lc_cgroup_oom_kills(oom->container->cgroup);
    bool more = kills > oom->kills;

    oom->kills = kills;
    (void)lc_cgroup_layout(&layout, &ignored);
    return layout == LC_CGROUP_V2 ? more : !oom->container->init->deleting;
}

static void memory_is_out(void *context, uint32_t events)
{
    struct oom *oom = context;
    Containerd__Events__TaskOOM event = CONTAINERD__EVENTS__TASK_OOM__INIT;
    (void)events;

    ct_watch_drain(oom->fd);
    if (has_killed(oom)) {
        event.container_id = oom->container->id;
        publish(oom->container->shim->publisher, "/tasks/oom", &event.base);
    }
}

struct oom *oom_watch(struct container *container)
{
    struct ct_error err = {0};
    int fd = container->cgroup ? lc_cgroup_watch_oom(container->cgroup, &err) : -1;
    struct oom *oom = fd < 0 ? NULL : calloc(1, sizeof(*oom));

    if (!oom) {
        ct_debug("memory is not watched container=%s", container->id);
        return NULL;
    }
    *oom = (struct oom){
        .container = container, .fd = fd, .kills = lc_cgroup_oom_kills(container->cgroup)};
    oom->source = loop_watch(container->shim->loop, fd, EPOLLIN, memory_is_out, oom, &err);
    if (!oom->source) {
        oom_unwatch(oom);
        return NULL;
    }
    return oom;
}

void oom_unwatch(struct oom *oom)
{
    if (oom) {
        loop_unwatch(oom->source);
        ct_cleanup_close(&oom->fd);
        free(oom);
    }
}

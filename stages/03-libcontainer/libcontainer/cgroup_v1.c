/*
 * cgroup_v1.c - cgroups version 1: what cpuset needs, and freezing.
 *
 * Room:       libcontainer.   Called by: cgroups.c, cgroup_processes.c.
 * Man:        cgroups(7); kernel
 * Documentation/admin-guide/cgroup-v1/{cpusets,freezer-subsystem}.rst.
 */
#define CT_LAYER "cgroup"
#include "cgroups_internal.h"

#include "cleanup.h"
#include "path.h"
#include "units.h"

#include <stdlib.h>
#include <string.h>

/* ---- cpuset --------------------------------------------------------------------------------- */

static bool is_empty(const char *text)
{
    return text[0] == '\n' || text[0] == '\0';
}

/* Copies one file from the group above; fills that one first where it is empty itself. */
static int inherit(struct lc_group *group, const char *path, const char *file, struct ct_error *err)
{
    CT_AUTO_FREE char *above = ct_strdup(path);
    char *slash = strrchr(above, '/');

    above[slash ? slash - above : 0] = '\0';
    CT_AUTO_FREE char *value = lc_group_read(group, above, file, err);
    if (value && *above && is_empty(value)) {
        if (inherit(group, above, file, err) < 0) {
            return -1;
        }
        free(value);
        value = lc_group_read(group, above, file, err);
    }
    return value ? lc_group_write(group, path, file, value, err) : -1;
}

/* A group that was there may have its own. */
static int fill(struct lc_group *group, const char *file, struct ct_error *err)
{
    CT_AUTO_FREE char *own = NULL;

    if (group->made == 0) {
        own = lc_group_read(group, group->path, file, err);
        if (!own || !is_empty(own)) {
            return own ? 0 : -1;
        }
    }
    return inherit(group, group->path, file, err);
}

int lc_v1_fill_cpuset(struct lc_group *group, struct ct_error *err)
{
    return fill(group, "cpuset.cpus", err) < 0 ? -1 : fill(group, "cpuset.mems", err);
}

/* ---- freezer -------------------------------------------------------------------------------- */

#define FREEZE_TIMEOUT_NS (10 * INT64_C(1000000000))
#define NUDGE             20 /* rounds after which a freeze that is stuck is begun again */

static bool state_is(struct lc_group *freezer, const char *wanted, struct ct_error *err)
{
    CT_AUTO_FREE char *state = lc_group_read(freezer, freezer->path, "freezer.state", err);

    return state && strncmp(state, wanted, strlen(wanted)) == 0;
}

bool lc_v1_is_frozen(struct lc_group *freezer)
{
    struct ct_error ignored = {0};
    return state_is(freezer, "FROZEN", &ignored);
}

/*
 * There is no event to wait for. FREEZING becomes FROZEN when all processes have stopped, which a
 * read of the state finds out. A process that was just being born can be missed by the kernel: then
 * the state stays FREEZING until all is thawed and frozen once more.
 */
int lc_v1_freeze(struct lc_group *freezer, bool frozen, struct ct_error *err)
{
    const char *wanted = frozen ? "FROZEN" : "THAWED", *path = freezer->path;
    int64_t deadline = ct_monotonic_ns() + FREEZE_TIMEOUT_NS;

    for (unsigned round = 0; round == 0 || ct_monotonic_ns() < deadline; round++) {
        if (frozen && round % NUDGE == NUDGE - 1 &&
            lc_group_write(freezer, path, "freezer.state", "THAWED", err) < 0) {
            return -1;
        }
        if (lc_group_write(freezer, path, "freezer.state", wanted, err) < 0) {
            return -1;
        }
        struct ct_error failure = {0};
        if (state_is(freezer, wanted, &failure)) {
            return 0;
        }
        if (failure.kind != CT_NONE) {
            *err = failure;
            return -1;
        }
        if (!frozen) {
            return ct_refuse(err, CT_CONFLICT, "thaw group '/%.80s': one above it is frozen", path);
        }
        lc_group_pause(round);
    }
    (void)lc_group_write(freezer, path, "freezer.state", "THAWED", err); /* as it was */
    (void)ct_refuse(err, CT_TIMEOUT, "freeze group '/%.80s': a process does not stop", path);
    return ct_hint(err, "it waits in the kernel: look for state D in ps");
}

/*
 * cgroups.c - a container's control groups: which they are, making, entering, limiting, removing.
 *
 * Room:       libcontainer.   Called by: see cgroups.h.
 * Spec:       config-linux.md, "Cgroups Path", "Control groups", "Cgroup ownership".
 */
#define CT_LAYER "cgroup"
#include "cgroups_internal.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- which groups --------------------------------------------------------------------------- */

/* A path is made and removed as root: what is not plain is not followed. */
static int check_path(const char *path, struct ct_error *err)
{
    CT_AUTO_FREE char *clean = ct_path_clean(path);

    if (lc_has_word(path, "..", "/")) {
        return ct_refuse(err, CT_INVALID, "linux.cgroupsPath: '%.100s' has '..'", path);
    }
    if (strchr(path, '\n')) {
        return ct_refuse(err, CT_INVALID, "linux.cgroupsPath: '%.100s' has a newline", path);
    }
    if (strcmp(clean, "/") == 0) {
        return ct_refuse(err, CT_INVALID, "linux.cgroupsPath: '%.100s' is no group of its own",
                         path);
    }
    return 0;
}

/*
 * Where a relative path begins: at the caller's own group. On v2 beside it: a group that has
 * processes, as this one has the caller, cannot give controllers to groups below it.
 */
static char *base_of(const struct lc_hierarchy *hierarchy, enum lc_cgroup_layout layout,
                     const char *membership, struct ct_error *err)
{
    char *base = lc_membership(hierarchy, membership);

    if (!base) {
        (void)ct_refuse(err, CT_UNSUPPORTED,
                        "place a relative linux.cgroupsPath: our own group is not below '%.80s'",
                        hierarchy->mount_point);
        (void)ct_hint(err, "give an absolute one");
        return NULL;
    }
    if (layout == LC_CGROUP_V2) {
        char *slash = strrchr(base, '/');
        base[slash ? slash - base : 0] = '\0';
    }
    return base;
}

static int add_group(struct lc_cgroup *cgroup, const struct lc_hierarchy *hierarchy,
                     const char *path, const char *membership, struct ct_error *err)
{
    CT_AUTO_FREE char *base =
        membership ? base_of(hierarchy, cgroup->layout, membership, err) : ct_strdup("");

    if (!base) {
        return -1;
    }
    CT_AUTO_FREE char *joined = ct_join(base, path);
    CT_AUTO_FREE char *clean = ct_path_clean(joined);
    cgroup->groups[cgroup->n++] =
        (struct lc_group){.v2 = hierarchy->v2,
                          .controllers = ct_strdup(hierarchy->controllers),
                          .mount_point = ct_strdup(hierarchy->mount_point),
                          .path = ct_strdup(clean + 1),
                          .mount_fd = -1,
                          .dir_fd = -1};
    return 0;
}

static struct lc_cgroup *allocate(size_t n_groups)
{
    struct lc_cgroup *cgroup = calloc(1, sizeof(*cgroup));
    struct lc_group *groups = calloc(n_groups ? n_groups : 1, sizeof(*groups));

    if (!cgroup || !groups) {
        abort();
    }
    cgroup->groups = groups;
    return cgroup;
}

struct lc_cgroup *lc_cgroup_new(const char *path, const char *id, bool rootless,
                                struct ct_error *err)
{
    bool relative = path && path[0] != '/';
    CT_AUTO_FREE char *membership = NULL;
    const struct lc_machine *machine = lc_machine_get(relative, err);

    path = path ? path : id;
    if (!machine || check_path(path, err) < 0 ||
        (relative &&
         ct_read_file_at(AT_FDCWD, "/proc/self/cgroup", 1u << 20, &membership, err) < 0)) {
        return NULL;
    }
    struct lc_cgroup *cgroup = allocate(machine->n);
    cgroup->layout = machine->layout;
    cgroup->rootless = rootless;
    for (size_t i = 0; i < machine->n; i++) {
        if (add_group(cgroup, &machine->list[i], path, membership, err) < 0) {
            lc_cgroup_free(cgroup);
            return NULL;
        }
    }
    return cgroup;
}

struct lc_cgroup *lc_cgroup_of_process(pid_t pid, struct ct_error *err)
{
    CT_AUTO_FREE char *file = ct_printf("/proc/%d/cgroup", (int)pid);
    CT_AUTO_FREE char *membership = NULL;
    const struct lc_machine *machine = lc_machine_get(true, err);

    if (!machine || ct_read_file_at(AT_FDCWD, file, 1u << 20, &membership, err) < 0) {
        return NULL;
    }
    struct lc_cgroup *cgroup = allocate(machine->n);
    cgroup->layout = machine->layout;
    for (size_t i = 0; i < machine->n; i++) {
        CT_AUTO_FREE char *path = lc_membership(&machine->list[i], membership);
        /* At the top it is everybody's, and no group of this process's. */
        if (path && *path && add_group(cgroup, &machine->list[i], path, NULL, err) < 0) {
            lc_cgroup_free(cgroup);
            return NULL;
        }
    }
    return cgroup;
}

void lc_group_done(struct lc_group *group)
{
    free(group->controllers);
    free(group->mount_point);
    free(group->path);
    ct_cleanup_close(&group->mount_fd);
    ct_cleanup_close(&group->dir_fd);
}

void lc_cgroup_free(struct lc_cgroup *cgroup)
{
    for (size_t i = 0; cgroup && i < cgroup->n; i++) {
        lc_group_done(&cgroup->groups[i]);
    }
    if (cgroup) {
        free(cgroup->groups);
    }
    free(cgroup);
}

struct lc_group *lc_cgroup_unified(const struct lc_cgroup *cgroup)
{
    for (size_t i = 0; i < cgroup->n; i++) {
        if (cgroup->groups[i].v2) {
            return &cgroup->groups[i];
        }
    }
    return NULL;
}

struct lc_group *lc_cgroup_of(const struct lc_cgroup *cgroup, const char *controller)
{
    if (cgroup->layout == LC_CGROUP_V2) {
        return lc_cgroup_unified(cgroup);
    }
    for (size_t i = 0; i < cgroup->n; i++) {
        if (lc_has_word(cgroup->groups[i].controllers, controller, ",")) {
            return &cgroup->groups[i];
        }
    }
    return NULL;
}

struct lc_group *lc_cgroup_listing(const struct lc_cgroup *cgroup)
{
    struct lc_group *unified = lc_cgroup_unified(cgroup);
    struct lc_group *freezer = lc_cgroup_of(cgroup, "freezer");

    return unified ? unified : freezer ? freezer : cgroup->n ? &cgroup->groups[0] : NULL;
}

bool lc_cgroup_hierarchy(const struct lc_cgroup *cgroup, size_t index, const char **ret_mount_point,
                         const char **ret_path)
{
    if (index >= cgroup->n) {
        return false;
    }
    *ret_mount_point = cgroup->groups[index].mount_point;
    *ret_path = cgroup->groups[index].path;
    return true;
}

/* ---- saving --------------------------------------------------------------------------------- */

static const char *const layout_names[] = {
    [LC_CGROUP_V1] = "v1", [LC_CGROUP_HYBRID] = "hybrid", [LC_CGROUP_V2] = "v2"};

/* All that is needed to find the groups again without asking the machine. */
json_t *lc_cgroup_save(const struct lc_cgroup *cgroup)
{
    json_t *saved = json_object(), *groups = json_array();

    for (size_t i = 0; i < cgroup->n; i++) {
        const struct lc_group *group = &cgroup->groups[i];
        json_t *entry = json_object();
        if (!group->v2) {
            ct_json_set_string(entry, "controllers", group->controllers);
        }
        ct_json_set_string(entry, "mount", group->mount_point);
        ct_json_set_string(entry, "path", group->path);
        ct_json_append(groups, entry);
    }
    ct_json_set_string(saved, "layout", layout_names[cgroup->layout]);
    ct_json_set(saved, "rootless", json_boolean(cgroup->rootless));
    ct_json_set(saved, "groups", groups);
    return saved;
}

static int load_group(struct lc_cgroup *cgroup, const json_t *entry, struct ct_error *err)
{
    const char *controllers = ct_json_string(entry, "controllers", NULL);
    struct lc_hierarchy hierarchy = {.v2 = !controllers,
                                     .controllers = ct_strdup(controllers ? controllers : "")};
    const char *mount_point = ct_json_string(entry, "mount", ""),
               *path = ct_json_string(entry, "path", "");
    int result = -1;

    if (mount_point[0] != '/' || check_path(path, err) < 0) {
        (void)ct_refuse(err, CT_INVALID, "read the saved control groups: one is malformed");
    } else {
        hierarchy.mount_point = ct_strdup(mount_point);
        result = add_group(cgroup, &hierarchy, path, NULL, err);
    }
    free(hierarchy.controllers);
    free(hierarchy.mount_point);
    return result;
}

struct lc_cgroup *lc_cgroup_load(const json_t *saved, struct ct_error *err)
{
    const json_t *groups = json_object_get(saved, "groups");
    const char *layout = ct_json_string(saved, "layout", "");
    size_t which = 0, n = json_array_size(groups);

    while (which <= LC_CGROUP_V2 && strcmp(layout, layout_names[which]) != 0) {
        which++;
    }
    if (which > LC_CGROUP_V2 || !json_is_array(groups) || n > LC_HIERARCHIES_MAX) {
        return ct_refuse_null(err, CT_INVALID, "read the saved control groups: malformed");
    }
    struct lc_cgroup *cgroup = allocate(n);
    cgroup->layout = (enum lc_cgroup_layout)which;
    cgroup->rootless = ct_json_bool(saved, "rootless", false);
    for (size_t i = 0; i < n; i++) {
        if (load_group(cgroup, json_array_get(groups, i), err) < 0) {
            lc_cgroup_free(cgroup);
            return NULL;
        }
    }
    return cgroup;
}

/* ---- making --------------------------------------------------------------------------------- */

/* What a new group needs before a process can be in it. */
static int prepare(struct lc_cgroup *cgroup, struct lc_group *group, struct ct_error *err)
{
    struct ct_error ignored = {0};

    if (group->made == 0 && (group->v2 || lc_has_word(group->controllers, "freezer", ","))) {
        /* It was there: frozen, it would stop whoever enters. */
        (void)(group->v2 ? lc_v2_freeze(group, false, &ignored)
                         : lc_v1_freeze(group, false, &ignored));
    }
    if (cgroup->layout == LC_CGROUP_V2) {
        return lc_v2_enable(cgroup, group, err);
    }
    return lc_has_word(group->controllers, "cpuset", ",") ? lc_v1_fill_cpuset(group, err) : 0;
}

/* Rootless: the container goes without this group. */
static bool may_go_without(const struct lc_cgroup *cgroup, const struct ct_error *failure)
{
    return cgroup->rootless &&
           (failure->sys == EACCES || failure->sys == EPERM || failure->sys == EROFS);
}

static void forget_group(struct lc_cgroup *cgroup, size_t i)
{
    lc_group_unmake(&cgroup->groups[i]);
    lc_group_done(&cgroup->groups[i]);
    cgroup->n--;
    memmove(&cgroup->groups[i], &cgroup->groups[i + 1],
            (cgroup->n - i) * sizeof(cgroup->groups[0]));
}

int lc_cgroup_create(struct lc_cgroup *cgroup, struct ct_error *err)
{
    for (size_t i = 0; i < cgroup->n;) {
        struct ct_error failure = {0};
        if (lc_group_make(&cgroup->groups[i], &failure) == 0 &&
            prepare(cgroup, &cgroup->groups[i], &failure) == 0) {
            i++;
        } else if (may_go_without(cgroup, &failure)) {
            forget_group(cgroup, i);
        } else {
            *err = failure;
            goto undo_groups;
        }
    }
    return 0;

undo_groups:
    for (size_t i = 0; i < cgroup->n; i++) {
        lc_group_unmake(&cgroup->groups[i]);
    }
    return -1;
}

int lc_cgroup_fd(const struct lc_cgroup *cgroup)
{
    struct lc_group *group = lc_cgroup_unified(cgroup);
    struct ct_error ignored = {0};

    if (!group) {
        return -1;
    }
    if (group->dir_fd < 0) {
        group->dir_fd = lc_group_open(group, group->path, "", O_PATH | O_DIRECTORY, &ignored);
    }
    return group->dir_fd;
}

/* ---- entering ------------------------------------------------------------------------------- */

static int enter_group(struct lc_group *group, const char *path, const char *pid,
                       struct ct_error *err)
{
    if (lc_group_write(group, path, "cgroup.procs", pid, err) == 0) {
        return 0;
    }
    if (err->kind == CT_DENIED) {
        (void)ct_hint(err, "as root, or from a group below the same delegated one as '/%.60s'",
                      path);
    } else if (err->sys == EBUSY && group->v2) {
        (void)ct_hint(err, "it has groups below it with controllers: enter one of those");
    } else if (err->sys == EOPNOTSUPP) {
        (void)ct_hint(err, "a group above is threaded (cgroup.type): give another cgroupsPath");
    }
    return ct_while(err, "put process %s into group '/%.80s'", pid, path);
}

/* A single thread that moves itself ("0") is the one case in which the kernel takes no lock that
 * all processors must have seen (Linux 5.5); on v1 that is the file "tasks". */
int lc_cgroup_open(struct lc_cgroup *cgroup, struct ct_error *err)
{
    for (size_t i = 0; i < cgroup->n; i++) {
        if (lc_group_mount(&cgroup->groups[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

int lc_cgroup_enter_self(struct lc_cgroup *cgroup, struct ct_error *err)
{
    for (size_t i = 0; i < cgroup->n; i++) {
        struct lc_group *group = &cgroup->groups[i];
        if (!group->v2 && lc_group_write(group, group->path, "tasks", "0", err) < 0) {
            return ct_while(err, "enter group '/%.80s'", group->path);
        }
    }
    return 0;
}

int lc_cgroup_enter(struct lc_cgroup *cgroup, pid_t pid, const char *sub, struct ct_error *err)
{
    char number[16];

    (void)snprintf(number, sizeof(number), "%d", (int)pid);
    if (sub && lc_has_word(sub, "..", "/")) {
        return ct_refuse(err, CT_INVALID, "enter group '%.80s': it has '..'", sub);
    }
    for (size_t i = 0; i < cgroup->n; i++) {
        struct lc_group *group = &cgroup->groups[i];
        CT_AUTO_FREE char *path =
            ct_printf("%s%s%s", group->path, sub && *sub ? "/" : "", sub ? sub : "");
        if (enter_group(group, path, number, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- limiting ------------------------------------------------------------------------------- */

/* v2 would kill for it at once. */
static int check_memory(const struct lc_cgroup *cgroup, const struct lc_resources *resources,
                        struct ct_error *err)
{
    struct lc_group *memory = lc_cgroup_of(cgroup, "memory");
    const struct lc_optional *limit = &resources->memory.limit;
    uint64_t usage = 0;

    if (!resources->memory.check_before_update || !limit->is_set || limit->value < 0 || !memory ||
        !lc_group_number(memory, memory->v2 ? "memory.current" : "memory.usage_in_bytes", &usage) ||
        usage <= (uint64_t)limit->value) {
        return 0;
    }
    return ct_refuse(err, CT_CONFLICT,
                     "set linux.resources.memory.limit to %lld: %llu bytes are in use",
                     (long long)limit->value, (unsigned long long)usage);
}

int lc_cgroup_set(struct lc_cgroup *cgroup, const struct lc_resources *resources,
                  struct ct_error *err)
{
    struct lc_settings settings = {0};
    int result = cgroup->layout == LC_CGROUP_V2
                     ? lc_v2_settings(lc_cgroup_unified(cgroup), resources, &settings, err)
                     : lc_v1_settings(resources, &settings, err);

    if (result == 0) {
        result = check_memory(cgroup, resources, err);
    }
    if (result == 0) {
        result = lc_settings_apply(cgroup, &settings, err);
    }
    if (result == 0 && resources->n_devices > 0) {
        result = lc_devices_set(cgroup, resources, err);
    }
    lc_settings_done(&settings);
    return result;
}

/*
 * cgroup_settings.c - a list of values to write into the files of groups, and writing it.
 *
 * Room:       libcontainer.   Called by: cgroups.c; filled by cgroup_v1.c and cgroup_v2.c.
 */
#define CT_LAYER "cgroup"
#include "cgroups_internal.h"

#include "cleanup.h"
#include "fields.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the list ------------------------------------------------------------------------------- */

/* Printed into the pool. */
__attribute__((format(printf, 2, 0))) static const char *
print(struct lc_settings *settings, const char *format, va_list arguments)
{
    char *text = NULL;

    if (vasprintf(&text, format, arguments) < 0) {
        abort(); /* as lib does: half of the limits must not be set */
    }
    return pool_keep(&settings->pool, text);
}

const char *lc_settings_text(struct lc_settings *settings, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    const char *text = print(settings, format, arguments);
    va_end(arguments);
    return text;
}

struct lc_setting *lc_settings_add(struct lc_settings *settings, const char *field,
                                   const char *controller, const char *file, const char *format,
                                   ...)
{
    va_list arguments;

    if (settings->n == settings->room) {
        settings->room = settings->room ? 2 * settings->room : 16;
        settings->list = reallocarray(settings->list, settings->room, sizeof(*settings->list));
        if (!settings->list) {
            abort();
        }
    }
    struct lc_setting *setting = &settings->list[settings->n++];
    va_start(arguments, format);
    *setting = (struct lc_setting){.field = field,
                                   .controller = controller,
                                   .file = file,
                                   .value = print(settings, format, arguments)};
    va_end(arguments);
    return setting;
}

struct lc_setting *lc_settings_limit(struct lc_settings *settings, const char *field,
                                     const char *controller, const char *file, int64_t value,
                                     const char *none)
{
    return value < 0 ? lc_settings_add(settings, field, controller, file, "%s", none)
                     : lc_settings_add(settings, field, controller, file, "%" PRId64, value);
}

void lc_settings_done(struct lc_settings *settings)
{
    free(settings->list);
    pool_done(&settings->pool);
    *settings = (struct lc_settings){0};
}

/* ---- what both versions have alike ---------------------------------------------------------- */

const char *lc_settings_count(struct lc_settings *settings, const json_t *object, const char *key)
{
    struct ct_error checked_before = {0};
    uint64_t value = 0;

    (void)lc_field_unsigned(object, "", key, UINT64_MAX, &value, &checked_before);
    return lc_settings_text(settings, "%" PRIu64, value);
}

/* Pages that are reserved count, where the kernel can count them; those in use anyway. */
void lc_settings_add_hugepages(struct lc_settings *settings, const json_t *hugepages,
                               const char *file)
{
    for (size_t i = 0; i < json_array_size(hugepages); i++) {
        const json_t *entry = json_array_get(hugepages, i);
        const char *size = json_string_value(json_object_get(entry, "pageSize"));
        const char *limit = lc_settings_count(settings, entry, "limit");

        (void)lc_settings_add(settings, "hugepageLimits", "hugetlb",
                              lc_settings_text(settings, "hugetlb.%s.%s", size, file), "%s", limit);
        lc_settings_add(settings, "hugepageLimits", "hugetlb",
                        lc_settings_text(settings, "hugetlb.%s.rsvd.%s", size, file), "%s", limit)
            ->may_lack = true;
    }
}

/* "mlx5_1 hca_handle=3 hca_object=10000" */
void lc_settings_add_rdma(struct lc_settings *settings, const json_t *rdma)
{
    const char *device = NULL;
    json_t *limits = NULL;

    /* The macro wants an object that could be changed; it changes nothing. */
    json_object_foreach((json_t *)rdma, device, limits)
    {
        bool handles = lc_field_has(limits, "hcaHandles"),
             objects = lc_field_has(limits, "hcaObjects");
        (void)lc_settings_add(settings, "rdma", "rdma", "rdma.max", "%s%s%s%s%s", device,
                              handles ? " hca_handle=" : "",
                              handles ? lc_settings_count(settings, limits, "hcaHandles") : "",
                              objects ? " hca_object=" : "",
                              objects ? lc_settings_count(settings, limits, "hcaObjects") : "");
    }
}

/*
 * The kernel's memory counts as memory since Linux 4.5 and has had no limit of its own since 5.16,
 * where a write to v1's file changes nothing: a limit that does not hold is worse than a refusal.
 */
int lc_settings_refuse_memory(const struct lc_resources *resources, struct ct_error *err)
{
    if (resources->memory.kernel.is_set && resources->memory.kernel.value > 0) {
        return lc_settings_refuse("memory.kernel",
                                  "kernels count their memory as the container's; limit that", err);
    }
    if (resources->memory.has_use_hierarchy && !resources->memory.use_hierarchy) {
        return lc_settings_refuse("memory.useHierarchy",
                                  "groups always share the limits of those above", err);
    }
    return 0;
}

int lc_settings_refuse(const char *field, const char *why, struct ct_error *err)
{
    return ct_refuse(err, CT_UNSUPPORTED, "use linux.resources.%s: %s", field, why);
}

/* ---- why a value could not be written ------------------------------------------------------- */

/* The container has no group of this controller. */
static int no_controller(const struct lc_cgroup *cgroup, const struct lc_setting *setting,
                         struct ct_error *err)
{
    (void)ct_refuse(err, CT_UNSUPPORTED,
                    "use linux.resources.%s: the container has no group of controller '%s'",
                    setting->field, setting->controller);
    if (cgroup->rootless) {
        (void)ct_hint(err, "as root, or where the group above is yours (delegation)");
    } else if (cgroup->why_not[0]) {
        (void)ct_hint(err, "%s", cgroup->why_not);
    }
    return -1;
}

/* v2: a file is missing because its controller is, or because the kernel does not have it. */
static bool is_switched_on(struct lc_group *group, const char *controller)
{
    struct ct_error ignored = {0};
    CT_AUTO_FREE char *list = lc_group_read(group, group->path, "cgroup.controllers", &ignored);

    return !group->v2 || strcmp(controller, "cgroup") == 0 ||
           (list && lc_has_word(list, controller, " \n"));
}

static int no_file(const struct lc_cgroup *cgroup, struct lc_group *group,
                   const struct lc_setting *setting, const struct ct_error *failure,
                   struct ct_error *err)
{
    struct ct_error ignored = {0};
    CT_AUTO_CLOSE int dir_fd =
        lc_group_open(group, group->path, "", O_PATH | O_DIRECTORY, &ignored);

    if (dir_fd < 0) {
        *err = *failure; /* the group itself is gone */
        return ct_while(err, "set linux.resources.%s", setting->field);
    }
    if (!is_switched_on(group, setting->controller)) {
        return no_controller(cgroup, setting, err);
    }
    return ct_refuse(err, CT_UNSUPPORTED, "use linux.resources.%s: this kernel has no '%s'",
                     setting->field, setting->file);
}

/* v1 takes no limit that is below what cannot be freed (EBUSY). */
static int memory_in_use(struct lc_group *group, const struct lc_setting *setting,
                         struct ct_error *err)
{
    uint64_t usage = 0, peak = 0;

    (void)lc_group_number(group, "memory.usage_in_bytes", &usage);
    (void)lc_group_number(group, "memory.max_usage_in_bytes", &peak);
    return ct_refuse(err, CT_CONFLICT,
                     "set linux.resources.%s to %s: %" PRIu64 " bytes are in use (peak %" PRIu64
                     ")",
                     setting->field, setting->value, usage, peak);
}

static int explain(const struct lc_cgroup *cgroup, struct lc_group *group,
                   const struct lc_setting *setting, const struct ct_error *failure,
                   struct ct_error *err)
{
    if (failure->sys == ENOENT) {
        return no_file(cgroup, group, setting, failure, err);
    }
    if (failure->sys == EBUSY && strncmp(setting->file, "memory.", 7) == 0) {
        return memory_in_use(group, setting, err);
    }
    *err = *failure;
    (void)ct_while(err, "set linux.resources.%s to '%.60s'", setting->field, setting->value);
    if (strcmp(setting->controller, "cpuset") == 0) {
        (void)ct_hint(err, "only what the group above it has is possible");
    } else if (strcmp(setting->field, "memory.swap") == 0 && failure->sys == EINVAL) {
        (void)ct_hint(err, "it is memory plus swap: it needs memory.limit, too");
    } else if (strncmp(setting->file, "cpu.rt_", 7) == 0) {
        (void)ct_hint(err, "the groups above it need realtime themselves (cpu.rt_runtime_us)");
    }
    return -1;
}

/* ---- writing -------------------------------------------------------------------------------- */

/* file, or where the kernel does not have it other_file. */
static int write_one(const struct lc_cgroup *cgroup, struct lc_setting *setting,
                     struct ct_error *err)
{
    struct lc_group *group = lc_cgroup_of(cgroup, setting->controller);
    struct ct_error failure = {0};

    if (!group) {
        return setting->may_lack ? 0 : no_controller(cgroup, setting, err);
    }
    int result = lc_group_write(group, group->path, setting->file, setting->value, &failure);
    if (result < 0 && failure.sys == ENOENT && setting->other_file) {
        struct ct_error second = {0};
        result =
            lc_group_write(group, group->path, setting->other_file, setting->other_value, &second);
        failure = result < 0 && second.sys != ENOENT ? second : failure;
    }
    if (result == 0 || (failure.sys == ENOENT && setting->may_lack)) {
        return 0;
    }
    return explain(cgroup, group, setting, &failure, err);
}

/* Writes what is not written yet. Returns how many failed, the first of them in *ret_first; -1: one
 * that no order can help. */
static ssize_t write_round(const struct lc_cgroup *cgroup, struct lc_settings *settings,
                           struct ct_error *ret_first)
{
    ssize_t failed = 0;

    for (size_t i = 0; i < settings->n; i++) {
        struct lc_setting *setting = &settings->list[i];
        struct ct_error failure = {0};

        if (!setting->is_written && write_one(cgroup, setting, &failure) < 0) {
            *ret_first = failed++ == 0 || failure.kind == CT_UNSUPPORTED ? failure : *ret_first;
            if (failure.kind == CT_UNSUPPORTED) {
                return -1;
            }
        } else {
            setting->is_written = true;
        }
    }
    return failed;
}

/*
 * The kernel holds relations between values at every instant: memory <= memory plus swap, burst <=
 * quota, quota / period <= that of the group above. Which value has to go first depends on whether
 * limits rise or fall. So what is refused is tried again after the others, as long as that helps.
 */
int lc_settings_apply(const struct lc_cgroup *cgroup, struct lc_settings *settings,
                      struct ct_error *err)
{
    struct ct_error failure = {0};
    ssize_t failed = write_round(cgroup, settings, &failure);

    for (ssize_t before = failed + 1; failed > 0 && failed < before;) {
        before = failed;
        failed = write_round(cgroup, settings, &failure);
    }
    if (failed != 0) {
        *err = failure;
        return -1;
    }
    return 0;
}

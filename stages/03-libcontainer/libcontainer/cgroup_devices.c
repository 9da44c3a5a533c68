/*
 * cgroup_devices.c - the rules of which devices a container may use.
 *
 * Room:       libcontainer.   Called by: cgroups.c.
 * Spec:       config-linux.md, "Allowed Device list": entries apply in order, so the last one that
 *             fits decides; what no rule names is denied.
 * Man:        kernel Documentation/admin-guide/cgroup-v1/devices.rst.
 *
 * v2 runs a filter that tries the rules one by one (cgroup_filter.c). v1 knows less: either all is
 * denied but for a list, or all is allowed but for a list. So the rules are brought into that form
 * first. What does not fit is refused: v1 itself would silently do something else.
 */
#define CT_LAYER "cgroup"
#include "cgroups_internal.h"

#include "cleanup.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- rules in v1's form --------------------------------------------------------------------- */

static bool same_device(const struct lc_device_rule *a, const struct lc_device_rule *b)
{
    return a->type == b->type && a->major == b->major && a->minor == b->minor;
}

/* Whether all that b is for, a is for, too. */
static bool covers(const struct lc_device_rule *a, const struct lc_device_rule *b)
{
    return a->type == b->type && (a->major < 0 || a->major == b->major) &&
           (a->minor < 0 || a->minor == b->minor);
}

static bool overlaps(const struct lc_device_rule *a, const struct lc_device_rule *b)
{
    return a->type == b->type && (a->major < 0 || b->major < 0 || a->major == b->major) &&
           (a->minor < 0 || b->minor < 0 || a->minor == b->minor);
}

static bool has_access(const struct lc_device_rule *rule)
{
    return rule->read || rule->write || rule->mknod;
}

static bool shares_access(const struct lc_device_rule *a, const struct lc_device_rule *b)
{
    return (a->read && b->read) || (a->write && b->write) || (a->mknod && b->mknod);
}

/* Without what other has. */
static struct lc_device_rule minus(struct lc_device_rule rule, const struct lc_device_rule *other)
{
    rule.read = rule.read && !other->read;
    rule.write = rule.write && !other->write;
    rule.mknod = rule.mknod && !other->mknod;
    return rule;
}

static void add_to_list(struct lc_device_list *list, const struct lc_device_rule *rule)
{
    for (size_t i = 0; i < list->n; i++) {
        struct lc_device_rule *known = &list->rules[i];
        if (same_device(known, rule)) {
            known->read = known->read || rule->read;
            known->write = known->write || rule->write;
            known->mknod = known->mknod || rule->mknod;
            return;
        }
    }
    list->rules = reallocarray(list->rules, list->n + 1, sizeof(*rule));
    if (!list->rules) {
        abort();
    }
    list->rules[list->n++] = *rule;
}

static char *rule_text(const struct lc_device_rule *rule)
{
    char major[24] = "*", minor[24] = "*";

    if (rule->major >= 0) {
        (void)snprintf(major, sizeof(major), "%" PRId64, rule->major);
    }
    if (rule->minor >= 0) {
        (void)snprintf(minor, sizeof(minor), "%" PRId64, rule->minor);
    }
    return ct_printf("%c %s:%s %s%s%s", rule->type, major, minor, rule->read ? "r" : "",
                     rule->write ? "w" : "", rule->mknod ? "m" : "");
}

/* Takes rule off the list. "allow c *:*; deny c 1:3" would be a hole in an entry: v1 has none. */
static int take_from_list(struct lc_device_list *list, const struct lc_device_rule *rule,
                          struct ct_error *err)
{
    size_t kept = 0;

    for (size_t i = 0; i < list->n; i++) {
        struct lc_device_rule *known = &list->rules[i];
        if (covers(rule, known)) {
            *known = minus(*known, rule);
        } else if (overlaps(rule, known) && shares_access(rule, known)) {
            CT_AUTO_FREE char *hole = rule_text(rule);
            CT_AUTO_FREE char *whole = rule_text(known);
            return ct_refuse(err, CT_UNSUPPORTED,
                             "use linux.resources.devices: version 1 of cgroups cannot except '%s' "
                             "from '%s'",
                             hole, whole);
        }
        if (has_access(known)) {
            list->rules[kept++] = *known;
        }
    }
    list->n = kept;
    return 0;
}

static int apply_rule(struct lc_device_list *list, const struct lc_device_rule *rule,
                      struct ct_error *err)
{
    if (rule->allow == list->allow) {
        return take_from_list(list, rule, err);
    }
    add_to_list(list, rule);
    return 0;
}

/* 'a' with anything narrower is a rule for both kinds; v1 would take it as all there is. */
static int apply(struct lc_device_list *list, struct lc_device_rule rule, struct ct_error *err)
{
    if (rule.type != 'a') {
        return apply_rule(list, &rule, err);
    }
    if (rule.major < 0 && rule.minor < 0 && rule.read && rule.write && rule.mknod) {
        list->allow = rule.allow;
        list->n = 0;
        return 0;
    }
    rule.type = 'b';
    if (apply_rule(list, &rule, err) < 0) {
        return -1;
    }
    rule.type = 'c';
    return apply_rule(list, &rule, err);
}

int lc_device_list_make(const struct lc_device_rule *rules, size_t n, struct lc_device_list *ret,
                        struct ct_error *err)
{
    struct lc_device_list list = {0};

    for (size_t i = 0; i < n; i++) {
        if (apply(&list, rules[i], err) < 0) {
            free(list.rules);
            return -1;
        }
    }
    *ret = list;
    return 0;
}

/* ---- writing them on v1 --------------------------------------------------------------------- */

/* Each rule of list, without what the same device has in except (may be NULL). */
static int write_rules(struct lc_group *group, const char *file, const struct lc_device_list *list,
                       const struct lc_device_list *except, struct ct_error *err)
{
    CT_AUTO_CLOSE int fd = lc_group_open(group, group->path, file, O_WRONLY, err);

    for (size_t i = 0; fd >= 0 && i < list->n; i++) {
        struct lc_device_rule rule = list->rules[i];
        for (size_t j = 0; except && j < except->n; j++) {
            rule = same_device(&rule, &except->rules[j]) ? minus(rule, &except->rules[j]) : rule;
        }
        CT_AUTO_FREE char *text = rule_text(&rule);
        if (has_access(&rule) && write(fd, text, strlen(text)) < 0) {
            return ct_fail(err, errno, "write '%s' to '%s' of group '/%.80s'", text, file,
                           group->path);
        }
    }
    return fd < 0 ? -1 : 0;
}

/* "c 1:3 rwm" a line. A group that allows all shows "a *:* rwm", and not what it denies. */
static int read_list(struct lc_group *group, struct lc_device_list *ret, struct ct_error *err)
{
    CT_AUTO_FREE char *text = lc_group_read(group, group->path, "devices.list", err);
    char *position = NULL;

    for (char *line = text ? strtok_r(text, "\n", &position) : NULL; line;
         line = strtok_r(NULL, "\n", &position)) {
        struct lc_device_rule rule = {.allow = true, .type = line[0], .major = -1, .minor = -1};
        char access[8] = "", major[24] = "", minor[24] = "";
        ret->allow = ret->allow || rule.type == 'a';
        if (sscanf(line, "%*c %23[^:]:%23s %7s", major, minor, access) != 3) {
            continue;
        }
        rule.major = major[0] == '*' ? -1 : strtoll(major, NULL, 10);
        rule.minor = minor[0] == '*' ? -1 : strtoll(minor, NULL, 10);
        rule.read = strchr(access, 'r');
        rule.write = strchr(access, 'w');
        rule.mknod = strchr(access, 'm');
        add_to_list(ret, &rule);
    }
    return text ? 0 : -1;
}

/*
 * Running processes must not lose for an instant a device that they keep: where the group denies
 * all but a list already, only what differs is written. Else it begins with "all" or "nothing".
 */
static int set_v1(struct lc_group *group, const struct lc_device_list *wanted, struct ct_error *err)
{
    struct lc_device_list now = {.allow = true};
    const char *exceptions = wanted->allow ? "devices.deny" : "devices.allow";
    int result = -1;

    if (group->made == 0) {
        now.allow = false;
        if (read_list(group, &now, err) < 0) {
            goto done;
        }
    }
    if (now.allow || wanted->allow) {
        result = lc_group_write(group, group->path,
                                wanted->allow ? "devices.allow" : "devices.deny", "a", err);
        now.n = 0;
    } else {
        result = write_rules(group, "devices.deny", &now, wanted, err);
    }
    if (result == 0 && wanted->n > 0) {
        result = write_rules(group, exceptions, wanted, &now, err);
    }
done:
    free(now.rules);
    return result;
}

/* ---- both ----------------------------------------------------------------------------------- */

static int set_v2(struct lc_group *group, const struct lc_resources *resources,
                  struct ct_error *err)
{
    CT_AUTO_CLOSE int fd = lc_group_open(group, group->path, "", O_PATH | O_DIRECTORY, err);

    return fd < 0 ? -1
                  : lc_filter_attach(fd, resources->devices, resources->n_devices, group->made > 0,
                                     err);
}

static int set(struct lc_group *group, const struct lc_resources *resources, struct ct_error *err)
{
    struct lc_device_list wanted = {0};

    if (group->v2) {
        return set_v2(group, resources, err);
    }
    if (lc_device_list_make(resources->devices, resources->n_devices, &wanted, err) < 0) {
        return -1;
    }
    int result = set_v1(group, &wanted, err);
    free(wanted.rules);
    return result;
}

/*
 * Without rights there are no rules: who is not root can neither make devices nor open more of them
 * than outside. Every configuration has them, so that is no reason to refuse a container.
 */
int lc_devices_set(const struct lc_cgroup *cgroup, const struct lc_resources *resources,
                   struct ct_error *err)
{
    struct lc_group *devices = lc_cgroup_of(cgroup, "devices");
    struct lc_group *group = devices ? devices : lc_cgroup_unified(cgroup);
    struct ct_error failure = {0};

    if (!group) {
        return cgroup->rootless
                   ? 0
                   : lc_settings_refuse("devices", "no control group can restrict them", err);
    }
    if (set(group, resources, &failure) == 0 || (cgroup->rootless && failure.kind == CT_DENIED)) {
        return 0;
    }
    *err = failure;
    return ct_while(err, "set linux.resources.devices");
}

/*
 * sysctl.c - kernel parameters of the container's own namespaces.
 *
 * Room:       libcontainer.   Called by: see sysctl.h.
 */
#define CT_LAYER "sysctl"
#include "sysctl.h"

#include "cleanup.h"
#include "path.h"
#include "procfs.h"

#include <errno.h>
#include <string.h>

/* What is of a namespace, below /proc/sys. One that is missing here is taken for the host's. */
static const struct rule {
    const char *path;
    bool is_beginning; /* or all of it */
    enum lc_namespace owner;
} rules[] = {
    {"net/", true, LC_NS_NETWORK},    {"kernel/msg", true, LC_NS_IPC},
    {"kernel/sem", false, LC_NS_IPC}, {"kernel/shm", true, LC_NS_IPC},
    {"fs/mqueue/", true, LC_NS_IPC},  {"kernel/domainname", false, LC_NS_UTS},
};

/*
 * The path below /proc of a parameter, owned. As in sysctl(8) the first separator decides: after
 * "net.ipv4" a '/' is a dot in a name ("net.ipv4.conf.eth0/100.forwarding"), and in "net/ipv4" a
 * dot is one. NULL: a component is "", "." or "..": "net/../kernel/core_pattern" begins with
 * "net/".
 */
static char *path_of(const char *name)
{
    CT_AUTO_FREE char *path = ct_printf("sys/%s", name);
    char *given = path + strlen("sys/");

    if (given[strcspn(given, "./")] == '.') {
        for (char *c = given; *c; c++) {
            *c = *c == '.' ? '/' : *c == '/' ? '.' : *c;
        }
    }
    for (const char *component = given;; component++) {
        size_t length = strcspn(component, "/");
        if (strncmp(component, "..", length) == 0) {
            return NULL; /* "", "." or ".." */
        }
        component += length;
        if (!*component) {
            return ct_steal(path);
        }
    }
}

static const struct rule *find_rule(const char *path)
{
    const char *parameter = path + strlen("sys/");

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        size_t length = strlen(rules[i].path);
        if (strncmp(parameter, rules[i].path, length) == 0 &&
            (rules[i].is_beginning || !parameter[length])) {
            return &rules[i];
        }
    }
    return NULL;
}

static int check_one(const char *name, const json_t *value, const struct lc_namespaces *namespaces,
                     struct ct_error *err)
{
    const char *text = json_string_value(value);
    CT_AUTO_FREE char *path = path_of(name);
    const struct rule *rule = path ? find_rule(path) : NULL;

    if (!text) {
        return ct_refuse(err, CT_INVALID, "linux.sysctl.%.80s: it must be a string", name);
    }
    if (strpbrk(text, "\n\r")) {
        return ct_refuse(err, CT_INVALID, "linux.sysctl: the value of '%.80s' has several lines",
                         name);
    }
    if (!rule) {
        (void)ct_refuse(err, CT_INVALID,
                        "linux.sysctl: '%.80s' is of no namespace: it would change the host", name);
        return path && strcmp(path, "sys/kernel/hostname") == 0
                   ? ct_hint(err, "the field 'hostname'")
                   : -1;
    }
    if (!lc_namespaces_has(namespaces, rule->owner)) {
        return ct_refuse(err, CT_INVALID,
                         "linux.sysctl: '%.80s' needs a %s namespace of the container's own", name,
                         lc_namespace_name(rule->owner));
    }
    return 0;
}

int lc_sysctl_check(const json_t *sysctl, const struct lc_namespaces *namespaces,
                    struct ct_error *err)
{
    const char *name;
    json_t *value;

    if (sysctl && !json_is_object(sysctl)) {
        return ct_refuse(err, CT_INVALID, "linux.sysctl: it must be an object");
    }
    json_object_foreach((json_t *)sysctl, name, value)
    {
        if (check_one(name, value, namespaces, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int lc_sysctl_apply(const json_t *sysctl, int procfs_fd, struct ct_error *err)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)sysctl, name, value)
    {
        const char *text = json_string_value(value);
        CT_AUTO_FREE char *path = path_of(name);
        if (!path || !text) {
            return ct_refuse(err, CT_INVALID, "set sysctl '%.80s': it was not checked", name);
        }
        /* Writing nothing would change nothing; a line that is empty is an empty value. */
        if (lc_procfs_write(procfs_fd, path, *text ? text : "\n", err) == 0) {
            continue;
        }
        (void)ct_while(err, "set sysctl '%.80s'", name);
        return err->sys == ENOENT ? ct_hint(err, "one that this kernel has in a namespace") : -1;
    }
    return 0;
}

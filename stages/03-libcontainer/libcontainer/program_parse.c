/*
 * program_parse.c - "process" of a configuration, taken apart and checked.
 *
 * Room:       libcontainer.   Called by: see program.h.
 * Spec:       config.md, "Process".
 */
#define CT_LAYER "config"
#include "program.h"

#include "fields.h"

#include <stdint.h>
#include <string.h>

/* An id of -1 means "unchanged" to the kernel's calls, so it is no id (CVE-2024-40635). */
#define ID_MAX (UINT32_MAX - 1)

static int parse_groups(const json_t *user, const char *where, struct pool *pool,
                        struct lc_program *ret, struct ct_error *err)
{
    const json_t *array = NULL;

    if (lc_field_array(user, where, "additionalGids", &array, err) < 0) {
        return -1;
    }
    gid_t *groups = pool_array(pool, json_array_size(array), sizeof(*groups));
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *value = json_array_get(array, i);
        json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
        if (id < 0 || id > (json_int_t)ID_MAX) {
            return ct_refuse(err, CT_INVALID, "%s.additionalGids[%zu]: it must be a group's number",
                             where, i);
        }
        groups[i] = (gid_t)id;
    }
    ret->groups = groups;
    ret->n_groups = json_array_size(array);
    return 0;
}

static int parse_user(const json_t *process, const char *outer, struct pool *pool,
                      struct lc_program *ret, struct ct_error *err)
{
    const json_t *user = NULL;
    char where[LC_WHERE];
    uint64_t uid = 0, gid = 0, mask = 022;

    (void)snprintf(where, sizeof(where), "%s.user", outer);
    if (lc_field_object(process, outer, "user", &user, err) < 0 ||
        lc_field_unsigned(user, where, "uid", ID_MAX, &uid, err) < 0 ||
        lc_field_unsigned(user, where, "gid", ID_MAX, &gid, err) < 0 ||
        lc_field_unsigned(user, where, "umask", 0777, &mask, err) < 0 ||
        lc_field_refuse(user, where, "username", "it is for Windows", err) < 0 ||
        parse_groups(user, where, pool, ret, err) < 0) {
        return -1;
    }
    ret->uid = (uid_t)uid;
    ret->gid = (gid_t)gid;
    ret->umask = (mode_t)mask;
    return 0;
}

static int parse_console_size(const json_t *process, const char *outer, struct lc_program *ret,
                              struct ct_error *err)
{
    const json_t *size = NULL;
    char where[LC_WHERE];
    uint64_t height = 0, width = 0;

    (void)snprintf(where, sizeof(where), "%s.consoleSize", outer);
    if (lc_field_object(process, outer, "consoleSize", &size, err) < 0 ||
        lc_field_unsigned(size, where, "height", UINT16_MAX, &height, err) < 0 ||
        lc_field_unsigned(size, where, "width", UINT16_MAX, &width, err) < 0) {
        return -1;
    }
    ret->height =
        (unsigned short)height;         /* without a terminal there is nothing to size: the spec */
    ret->width = (unsigned short)width; /* says that it is ignored then */
    return 0;
}

static int parse_words(const json_t *process, const char *where, struct pool *pool,
                       struct lc_program *ret, struct ct_error *err)
{
    static const char *const none[] = {NULL};

    ret->env = none;
    if (lc_field_strings(process, where, "args", pool, &ret->args, err) < 0 ||
        lc_field_strings(process, where, "env", pool, &ret->env, err) < 0 ||
        lc_field_string(process, where, "cwd", &ret->cwd, err) < 0 ||
        lc_field_refuse(process, where, "commandLine", "it is for Windows", err) < 0) {
        return -1;
    }
    if (!ret->args || !ret->args[0]) {
        return ct_refuse(err, CT_INVALID, "%s.args: it must have at least one entry", where);
    }
    if (!ret->cwd) {
        return lc_field_missing(where, "cwd", err);
    }
    if (*ret->cwd != '/') {
        return ct_refuse(err, CT_INVALID, "%s.cwd: '%.100s' is not absolute", where, ret->cwd);
    }
    return 0;
}

static int parse_power(const json_t *process, const char *where, struct pool *pool,
                       struct lc_program *ret, struct ct_error *err)
{
    const json_t *caps = NULL, *rlimits = NULL;
    char caps_where[LC_WHERE], rlimits_where[LC_WHERE];

    (void)snprintf(caps_where, sizeof(caps_where), "%s.capabilities", where);
    (void)snprintf(rlimits_where, sizeof(rlimits_where), "%s.rlimits", where);
    if (lc_field_object(process, where, "capabilities", &caps, err) < 0 ||
        lc_field_array(process, where, "rlimits", &rlimits, err) < 0 ||
        lc_field_bool(process, where, "noNewPrivileges", &ret->no_new_privileges, err) < 0 ||
        lc_field_string(process, where, "apparmorProfile", &ret->apparmor, err) < 0 ||
        lc_field_string(process, where, "selinuxLabel", &ret->selinux, err) < 0 ||
        lc_rlimits_parse(rlimits, rlimits_where, pool, &ret->rlimits, &ret->n_rlimits, err) < 0) {
        return -1;
    }
    return lc_caps_parse(caps, caps_where, &ret->caps, err);
}

int lc_program_parse(const json_t *process, const char *where, struct pool *pool,
                     struct lc_program *ret, struct ct_error *err)
{
    *ret = (struct lc_program){0};
    if (lc_field_is_object(process, where, err) < 0 ||
        lc_field_bool(process, where, "terminal", &ret->terminal, err) < 0 ||
        parse_console_size(process, where, ret, err) < 0 ||
        parse_user(process, where, pool, ret, err) < 0 ||
        parse_words(process, where, pool, ret, err) < 0 ||
        parse_power(process, where, pool, ret, err) < 0) {
        return -1;
    }
    return lc_scheduling_parse(process, where, &ret->scheduling, err);
}

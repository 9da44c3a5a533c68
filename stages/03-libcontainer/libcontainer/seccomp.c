/*
 * seccomp.c - reads a profile: checks every word of it, and makes rules of it for each kind of
 * program that this machine can run.
 *
 * Room:       libcontainer.   Called by: see seccomp.h.
 * Spec:       config-linux.md, "Seccomp".
 */
#define CT_LAYER "seccomp"
#include "seccomp_internal.h"

#include "log.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WHERE "linux.seccomp"

/* What is read so far. */
struct profile {
    struct pool pool;
    struct seccomp_filter filter;
    bool notifies;
    unsigned n_entries; /* of "syscalls" */
};

/* ---- actions -------------------------------------------------------------------------------- */

static bool takes_errno(uint32_t action)
{
    return action == SECCOMP_RET_ERRNO || action == SECCOMP_RET_TRACE;
}

/* An action and what goes with it: "action" and "errnoRet", at the top "defaultAction" … */
static int parse_action(const json_t *object, const char *where, const char *key,
                        const char *errno_key, uint32_t *ret, struct ct_error *err)
{
    int64_t action = 0;
    uint64_t code = EPERM;

    if (!lc_field_has(object, key)) {
        return lc_field_missing(where, key, err);
    }
    if (lc_field_word(object, where, key, seccomp_actions, seccomp_n_actions, &action, err) < 0 ||
        lc_field_unsigned(object, where, errno_key, SECCOMP_RET_DATA, &code, err) < 0) {
        return -1;
    }
    *ret = (uint32_t)action;
    if (takes_errno(*ret)) {
        *ret |= (uint32_t)code;
    } else if (lc_field_has(object, errno_key)) {
        return ct_refuse(err, CT_INVALID, "%s.%s: %s takes none", where, errno_key,
                         json_string_value(json_object_get(object, key)));
    }
    return 0;
}

/* Kernels get new calls, and programs that find one missing do without. "Not permitted" tells them
 * otherwise: glibc fails where it would have fallen back. So what the profile's author cannot have
 * known is missing, as in runc; unless all is allowed anyway. */
static uint32_t above_last(uint32_t default_action)
{
    switch (default_action & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
    case SECCOMP_RET_LOG:
    case SECCOMP_RET_TRACE:
        return default_action;
    default:
        return SECCOMP_RET_ERRNO | ENOSYS;
    }
}

/* ---- architectures and flags ---------------------------------------------------------------- */

static bool is_known_arch(const char *name)
{
    for (const char *const *known = lc_syscall_arch_names(); *known; known++) {
        if (strcmp(*known, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Our own kind of program always counts, and of the others those that the profile names. What this
 * machine cannot run needs no rules. */
static int parse_archs(const json_t *seccomp, struct profile *profile, struct ct_error *err)
{
    const char *const *names = NULL;
    size_t n = 0;
    const struct lc_syscall_arch *archs = lc_syscall_archs(&n);
    struct seccomp_filter *filter = &profile->filter;

    if (lc_field_strings(seccomp, WHERE, "architectures", &profile->pool, &names, err) < 0) {
        return -1;
    }
    for (size_t i = 0; names && names[i]; i++) {
        if (!is_known_arch(names[i])) {
            return ct_refuse(err, CT_INVALID, WHERE ".architectures[%zu]: there is no '%.60s'", i,
                             names[i]);
        }
    }
    filter->sections = pool_array(&profile->pool, n, sizeof(*filter->sections));
    for (size_t i = 0; i < n; i++) {
        bool wanted = i == 0;
        for (size_t k = 0; names && names[k]; k++) {
            wanted = wanted || strcmp(names[k], archs[i].name) == 0;
        }
        if (wanted) {
            filter->sections[filter->n_sections++].arch = &archs[i];
        }
    }
    return 0;
}

/* Whether the kernel knows a flag: it checks flags before it looks for the program. */
static bool kernel_has_flags(unsigned flags)
{
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, NULL) < 0 && errno == EFAULT;
}

static int parse_flag(const json_t *value, size_t i, unsigned *ret, struct ct_error *err)
{
    const char *name = json_string_value(value);

    for (size_t k = 0; name && k < seccomp_n_flags; k++) {
        if (strcmp(seccomp_flags[k].name, name) == 0) {
            *ret |= (unsigned)seccomp_flags[k].value;
            return 0;
        }
    }
    return ct_refuse(err, CT_INVALID, WHERE ".flags[%zu]: '%.60s' is none of '%s' … '%s'", i,
                     name ? name : "", seccomp_flags[0].name,
                     seccomp_flags[seccomp_n_flags - 1].name);
}

/* Without a list it is SPEC_ALLOW, as in runc: since Linux 5.16 it changes nothing, and before, the
 * kernel would slow down all containers against a leak inside one process. */
static int parse_flags(const json_t *seccomp, bool notifies, unsigned *ret, struct ct_error *err)
{
    const json_t *array = NULL;
    unsigned flags = 0;

    if (lc_field_array(seccomp, WHERE, "flags", &array, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (parse_flag(json_array_get(array, i), i, &flags, err) < 0) {
            return -1;
        }
    }
    if ((flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) && !notifies) {
        return ct_refuse(err, CT_INVALID,
                         WHERE ".flags: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV needs "
                               "SCMP_ACT_NOTIFY");
    }
    flags |= array ? 0 : (unsigned)SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    if (notifies) {
        /* A listener and a thread's number cannot both be the answer: no number, then. */
        flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER |
                 (flags & SECCOMP_FILTER_FLAG_TSYNC ? SECCOMP_FILTER_FLAG_TSYNC_ESRCH : 0);
    }
    if (!kernel_has_flags(flags)) {
        return ct_refuse(err, CT_UNSUPPORTED, "use " WHERE ".flags: this kernel lacks one of them");
    }
    *ret = flags;
    return 0;
}

/* ---- rules ---------------------------------------------------------------------------------- */

/* One element of "syscalls". */
struct entry {
    const char *const *names;
    uint32_t action;
    struct seccomp_condition *conditions;
    unsigned n_conditions;
    bool any; /* of the conditions is enough; else all */
};

static int parse_condition(const json_t *object, const char *where, struct seccomp_condition *ret,
                           struct ct_error *err)
{
    static const char *const needed[] = {"index", "value", "op"};
    uint64_t argument = 0;
    int64_t word = 0;

    if (lc_field_is_object(object, where, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        if (!lc_field_has(object, needed[i])) {
            return lc_field_missing(where, needed[i], err);
        }
    }
    if (lc_field_unsigned(object, where, "index", SECCOMP_ARGUMENTS - 1, &argument, err) < 0 ||
        lc_field_unsigned(object, where, "value", UINT64_MAX, &ret->value, err) < 0 ||
        lc_field_unsigned(object, where, "valueTwo", UINT64_MAX, &ret->value_two, err) < 0 ||
        lc_field_word(object, where, "op", seccomp_operators, seccomp_n_operators, &word, err) <
            0) {
        return -1;
    }
    ret->argument = (unsigned)argument;
    ret->compare = (enum seccomp_operator)word;
    return 0;
}

/* Conditions on different arguments must all be met. Two on the same argument are taken as "one of
 * them", and then all are: an old habit of runc's, which profiles rely on. */
static int parse_conditions(const json_t *object, const char *where, struct pool *pool,
                            struct entry *ret, struct ct_error *err)
{
    const json_t *array = NULL;
    unsigned seen = 0;
    char element[LC_WHERE];

    if (lc_field_array(object, where, "args", &array, err) < 0) {
        return -1;
    }
    ret->n_conditions = (unsigned)json_array_size(array);
    ret->conditions = pool_array(pool, ret->n_conditions, sizeof(*ret->conditions));
    for (unsigned i = 0; i < ret->n_conditions; i++) {
        (void)snprintf(element, sizeof(element), "%s.args[%u]", where, i);
        if (parse_condition(json_array_get(array, i), element, &ret->conditions[i], err) < 0) {
            return -1;
        }
        ret->any = ret->any || (seen & 1u << ret->conditions[i].argument);
        seen |= 1u << ret->conditions[i].argument;
    }
    return 0;
}

static int parse_entry(const json_t *object, const char *where, struct pool *pool,
                       struct entry *ret, struct ct_error *err)
{
    *ret = (struct entry){0};
    if (lc_field_is_object(object, where, err) < 0 ||
        lc_field_strings(object, where, "names", pool, &ret->names, err) < 0 ||
        parse_action(object, where, "action", "errnoRet", &ret->action, err) < 0) {
        return -1;
    }
    if (!ret->names || !ret->names[0]) {
        return lc_field_missing(where, "names", err);
    }
    return parse_conditions(object, where, pool, ret, err);
}

static void add_rule(struct seccomp_section *section, struct seccomp_rule rule)
{
    if (section->n_rules == section->room) {
        section->room = section->room ? 2 * section->room : 512;
        section->rules = reallocarray(section->rules, section->room, sizeof(rule));
        if (!section->rules) {
            abort(); /* half a filter must not be loaded */
        }
    }
    section->rules[section->n_rules++] = rule;
}

/* What a call's number does not tell, its first argument does; the true arguments are then in
 * memory, where a filter cannot look, and what is asked of the first one cannot be answered. */
static void select_call(struct pool *pool, struct seccomp_rule *rule, int selector)
{
    struct seccomp_condition *conditions =
        pool_array(pool, rule->n_conditions + 1, sizeof(*conditions));
    unsigned n = 0;

    conditions[n++] = (struct seccomp_condition){
        .argument = 0, .compare = SECCOMP_EQ, .value = (uint64_t)selector};
    for (unsigned i = 0; i < rule->n_conditions; i++) {
        if (rule->conditions[i].argument != 0) {
            conditions[n++] = rule->conditions[i];
        }
    }
    rule->conditions = conditions;
    rule->n_conditions = n;
}

static void add_rules(struct profile *profile, struct seccomp_section *section,
                      const struct entry *entry, const struct lc_syscall *call)
{
    unsigned n_rules = entry->any ? entry->n_conditions : 1;

    for (unsigned i = 0; i < n_rules; i++) {
        struct seccomp_rule rule = {.number = call->number,
                                    .action = entry->action,
                                    .order = profile->n_entries,
                                    .n_conditions = entry->any ? 1 : entry->n_conditions,
                                    .conditions = entry->conditions + i};
        if (call->selector >= 0) {
            select_call(&profile->pool, &rule, call->selector);
        }
        add_rule(section, rule);
    }
}

/* What says no more than the default is left out, also where another entry says something else of
 * the same call: libseccomp would not take it. But the name is one that the author knows. */
static void add_name(struct profile *profile, const struct entry *entry, const char *name)
{
    struct seccomp_filter *filter = &profile->filter;
    bool is_known = false;

    for (size_t i = 0; i < filter->n_sections; i++) {
        struct seccomp_section *section = &filter->sections[i];
        struct lc_syscall ways[LC_SYSCALL_WAYS];
        size_t n = lc_syscall_ways(section->arch, name, ways);
        for (size_t k = 0; k < n; k++) {
            section->end = ways[k].number < section->end ? section->end : ways[k].number + 1;
            if (entry->action != filter->default_action) {
                add_rules(profile, section, entry, &ways[k]);
            }
        }
        is_known = is_known || n > 0;
    }
    if (!is_known) {
        ct_debug("pass over a system call that no program here can make name=%.60s", name);
    }
}

/* The listener has to leave the container before an agent can answer for it: by these calls. */
static int check_notify(const struct entry *entry, const char *where, struct ct_error *err)
{
    for (size_t i = 0; entry->names[i]; i++) {
        if (strcmp(entry->names[i], "write") == 0 || strcmp(entry->names[i], "sendmsg") == 0) {
            return ct_refuse(err, CT_INVALID,
                             "%s: SCMP_ACT_NOTIFY cannot be used for '%s', which the runtime needs",
                             where, entry->names[i]);
        }
    }
    return 0;
}

static int parse_entries(const json_t *seccomp, struct profile *profile, struct ct_error *err)
{
    const json_t *array = NULL;
    char where[LC_WHERE / 2];

    if (lc_field_array(seccomp, WHERE, "syscalls", &array, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < json_array_size(array); i++) {
        struct entry entry;
        (void)snprintf(where, sizeof(where), WHERE ".syscalls[%zu]", i);
        if (parse_entry(json_array_get(array, i), where, &profile->pool, &entry, err) < 0) {
            return -1;
        }
        if (entry.action == SECCOMP_RET_USER_NOTIF) {
            profile->notifies = true;
            if (check_notify(&entry, where, err) < 0) {
                return -1;
            }
        }
        for (size_t k = 0; entry.names[k]; k++) {
            add_name(profile, &entry, entry.names[k]);
        }
        profile->n_entries++;
    }
    return 0;
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* It is used later, from the document itself (seccomp_load.c). */
static int check_listener(const json_t *seccomp, bool notifies, struct ct_error *err)
{
    const char *path = NULL, *metadata = NULL;

    if (lc_field_string(seccomp, WHERE, "listenerPath", &path, err) < 0 ||
        lc_field_string(seccomp, WHERE, "listenerMetadata", &metadata, err) < 0) {
        return -1;
    }
    if (notifies && !path) {
        return ct_refuse(err, CT_INVALID, WHERE ": SCMP_ACT_NOTIFY needs listenerPath");
    }
    if (metadata && !path) {
        return ct_refuse(err, CT_INVALID, WHERE ": listenerMetadata needs listenerPath");
    }
    return 0;
}

static int compile(const json_t *seccomp, struct profile *profile, struct lc_seccomp *ret,
                   struct ct_error *err)
{
    struct seccomp_filter *filter = &profile->filter;
    struct sock_filter *program = NULL;

    if (lc_field_is_object(seccomp, WHERE, err) < 0 ||
        parse_action(seccomp, WHERE, "defaultAction", "defaultErrnoRet", &filter->default_action,
                     err) < 0) {
        return -1;
    }
    if (filter->default_action == SECCOMP_RET_USER_NOTIF) {
        return ct_refuse(err, CT_INVALID,
                         WHERE ".defaultAction: SCMP_ACT_NOTIFY cannot be the default: the runtime "
                               "needs some calls itself");
    }
    filter->above_last = above_last(filter->default_action);
    if (parse_archs(seccomp, profile, err) < 0 || parse_entries(seccomp, profile, err) < 0 ||
        parse_flags(seccomp, profile->notifies, &ret->flags, err) < 0 ||
        check_listener(seccomp, profile->notifies, err) < 0 ||
        seccomp_assemble(filter, &program, &ret->n_instructions, err) < 0) {
        return -1;
    }
    ret->program = program;
    ret->notifies = profile->notifies;
    ret->is_set = true;
    return 0;
}

int lc_seccomp_compile(const json_t *seccomp, struct lc_seccomp *ret, struct ct_error *err)
{
    struct profile profile = {0};
    struct lc_seccomp compiled = {0};
    int result = 0;

    if (seccomp && !json_is_null(seccomp)) {
        result = compile(seccomp, &profile, &compiled, err);
    }
    for (size_t i = 0; i < profile.filter.n_sections; i++) {
        free(profile.filter.sections[i].rules);
    }
    pool_done(&profile.pool);
    if (result == 0) {
        *ret = compiled;
    }
    return result;
}

void lc_seccomp_done(struct lc_seccomp *seccomp)
{
    free(seccomp->program);
    *seccomp = (struct lc_seccomp){0};
}

/*
 * seccomp_words.c - the words of a seccomp profile: actions, operators, flags, architectures.
 *
 * Room:       libcontainer.   Called by: seccomp.c; features.
 * Spec:       config-linux.md, "Seccomp"; features-linux.md, "Seccomp".
 */
#include "seccomp_internal.h"

#include "json.h"

#include <linux/seccomp.h>

/* Sorted by name, since features lists them. */
const struct lc_word seccomp_actions[] = {
    {"SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW},
    {"SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO},
    {"SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD}, /* the older name of the next but one */
    {"SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS},
    {"SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD},
    {"SCMP_ACT_LOG", SECCOMP_RET_LOG},
    {"SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF},
    {"SCMP_ACT_TRACE", SECCOMP_RET_TRACE},
    {"SCMP_ACT_TRAP", SECCOMP_RET_TRAP},
};
const size_t seccomp_n_actions = sizeof(seccomp_actions) / sizeof(seccomp_actions[0]);

const struct lc_word seccomp_operators[] = {
    {"SCMP_CMP_EQ", SECCOMP_EQ}, {"SCMP_CMP_GE", SECCOMP_GE},
    {"SCMP_CMP_GT", SECCOMP_GT}, {"SCMP_CMP_LE", SECCOMP_LE},
    {"SCMP_CMP_LT", SECCOMP_LT}, {"SCMP_CMP_MASKED_EQ", SECCOMP_MASKED_EQ},
    {"SCMP_CMP_NE", SECCOMP_NE},
};
const size_t seccomp_n_operators = sizeof(seccomp_operators) / sizeof(seccomp_operators[0]);

const struct lc_word seccomp_flags[] = {
    {"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
    {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
    {"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
    {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV},
};
const size_t seccomp_n_flags = sizeof(seccomp_flags) / sizeof(seccomp_flags[0]);

static json_t *names_of(const struct lc_word *words, size_t n)
{
    json_t *names = json_array();

    for (size_t i = 0; i < n; i++) {
        ct_json_append(names, json_string(words[i].name));
    }
    return names;
}

json_t *lc_seccomp_actions(void)
{
    return names_of(seccomp_actions, seccomp_n_actions);
}

json_t *lc_seccomp_operators(void)
{
    return names_of(seccomp_operators, seccomp_n_operators);
}

json_t *lc_seccomp_flags(void)
{
    return names_of(seccomp_flags, seccomp_n_flags);
}

json_t *lc_seccomp_archs(void)
{
    return ct_json_from_strv(lc_syscall_arch_names(), SIZE_MAX);
}

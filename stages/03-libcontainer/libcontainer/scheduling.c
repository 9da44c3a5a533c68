/*
 * scheduling.c - when and where a process runs.
 *
 * Room:       libcontainer.   Called by: see scheduling.h.
 */
#define CT_LAYER "scheduling"
#include "scheduling.h"

#include "fields.h"
#include "procfs.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <linux/ioprio.h>
#include <linux/sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SCHED_ISO 4 /* a number that Linux has reserved, and never used */

static const struct lc_word policies[] = {
    {"SCHED_OTHER", SCHED_OTHER},       {"SCHED_FIFO", SCHED_FIFO}, {"SCHED_RR", SCHED_RR},
    {"SCHED_BATCH", SCHED_BATCH},       {"SCHED_ISO", SCHED_ISO},   {"SCHED_IDLE", SCHED_IDLE},
    {"SCHED_DEADLINE", SCHED_DEADLINE},
};
static const struct lc_word flags[] = {
    {"SCHED_FLAG_RESET_ON_FORK", SCHED_FLAG_RESET_ON_FORK},
    {"SCHED_FLAG_RECLAIM", SCHED_FLAG_RECLAIM},
    {"SCHED_FLAG_DL_OVERRUN", SCHED_FLAG_DL_OVERRUN},
    {"SCHED_FLAG_KEEP_POLICY", SCHED_FLAG_KEEP_POLICY},
    {"SCHED_FLAG_KEEP_PARAMS", SCHED_FLAG_KEEP_PARAMS},
    {"SCHED_FLAG_UTIL_CLAMP_MIN", SCHED_FLAG_UTIL_CLAMP_MIN},
    {"SCHED_FLAG_UTIL_CLAMP_MAX", SCHED_FLAG_UTIL_CLAMP_MAX},
};
static const struct lc_word io_classes[] = {
    {"IOPRIO_CLASS_RT", IOPRIO_CLASS_RT},
    {"IOPRIO_CLASS_BE", IOPRIO_CLASS_BE},
    {"IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE},
};
static const struct lc_word domains[] = {{"LINUX", PER_LINUX}, {"LINUX32", PER_LINUX32}};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* ---- reading the configuration ---- */

/* The words of "flags" together. */
static int parse_flags(const json_t *object, const char *where, uint64_t *ret, struct ct_error *err)
{
    const json_t *array = NULL;

    if (lc_field_array(object, where, "flags", &array, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *name = json_string_value(json_array_get(array, i));
        size_t known = 0;
        while (name && known < COUNT(flags) && strcmp(flags[known].name, name) != 0) {
            known++;
        }
        if (!name || known == COUNT(flags)) {
            return ct_refuse(err, CT_INVALID, "%s.flags[%zu]: '%.60s' is none of '%s' … '%s'",
                             where, i, name ? name : "", flags[0].name,
                             flags[COUNT(flags) - 1].name);
        }
        *ret |= (uint64_t)flags[known].value;
    }
    return 0;
}

/* The kernel's EINVAL does not say which of seven numbers it means. */
static int check_scheduler(const struct lc_scheduling *scheduling, const char *where,
                           struct ct_error *err)
{
    bool real_time = scheduling->policy == SCHED_FIFO || scheduling->policy == SCHED_RR;
    bool has_times =
        scheduling->runtime_ns > 0 || scheduling->deadline_ns > 0 || scheduling->period_ns > 0;

    if (scheduling->policy == SCHED_ISO) {
        return ct_refuse(err, CT_UNSUPPORTED, "use %s.policy SCHED_ISO: Linux has none", where);
    }
    if (real_time != (scheduling->priority > 0)) {
        return ct_refuse(err, CT_INVALID,
                         "%s.priority: SCHED_FIFO and SCHED_RR need one from 1 to 99, the others "
                         "have none",
                         where);
    }
    if (has_times && scheduling->policy != SCHED_DEADLINE) {
        return ct_refuse(err, CT_INVALID,
                         "%s: only SCHED_DEADLINE has a runtime, a deadline and a period", where);
    }
    if (scheduling->policy == SCHED_DEADLINE &&
        (scheduling->runtime_ns == 0 || scheduling->runtime_ns > scheduling->deadline_ns ||
         (scheduling->period_ns > 0 && scheduling->deadline_ns > scheduling->period_ns))) {
        return ct_refuse(err, CT_INVALID,
                         "%s: SCHED_DEADLINE needs 0 < runtime <= deadline <= period", where);
    }
    return 0;
}

static int parse_scheduler(const json_t *object, const char *where, struct lc_scheduling *ret,
                           struct ct_error *err)
{
    int64_t policy = -1, nice = 0, priority = 0;

    if (lc_field_word(object, where, "policy", policies, COUNT(policies), &policy, err) < 0) {
        return -1;
    }
    if (policy < 0) {
        return lc_field_missing(where, "policy", err);
    }
    if (lc_field_integer(object, where, "nice", -20, 19, &nice, err) < 0 ||
        lc_field_integer(object, where, "priority", 0, 99, &priority, err) < 0 ||
        parse_flags(object, where, &ret->flags, err) < 0 ||
        lc_field_unsigned(object, where, "runtime", UINT64_MAX, &ret->runtime_ns, err) < 0 ||
        lc_field_unsigned(object, where, "deadline", UINT64_MAX, &ret->deadline_ns, err) < 0 ||
        lc_field_unsigned(object, where, "period", UINT64_MAX, &ret->period_ns, err) < 0) {
        return -1;
    }
    ret->has_scheduler = true;
    ret->policy = (uint32_t)policy;
    ret->nice = (int32_t)nice;
    ret->priority = (int32_t)priority;
    return check_scheduler(ret, where, err);
}

static int parse_io_priority(const json_t *object, const char *where, struct lc_scheduling *ret,
                             struct ct_error *err)
{
    int64_t class = -1, level = 0;

    if (lc_field_word(object, where, "class", io_classes, COUNT(io_classes), &class, err) < 0 ||
        lc_field_integer(object, where, "priority", 0, 7, &level, err) < 0) {
        return -1;
    }
    if (class < 0) {
        return lc_field_missing(where, "class", err);
    }
    ret->has_io_priority = true;
    ret->io_class = (int)class;
    ret->io_level = (int)level;
    return 0;
}

/* One number of a list, blanks around it skipped. -1: there is none, or no set can hold it. */
static long next_cpu(const char **text)
{
    char *end = NULL;

    *text += strspn(*text, " ");
    if (!isdigit((unsigned char)**text)) {
        return -1;
    }
    unsigned long number = strtoul(*text, &end, 10);
    *text = end + strspn(end, " ");
    return number < CPU_SETSIZE ? (long)number : -1;
}

/* "0-3,7". False: it is no such list. */
static bool parse_list(const char *text, cpu_set_t *ret)
{
    CPU_ZERO(ret);
    for (;; text++) {
        long first = next_cpu(&text), last = first;
        if (first >= 0 && *text == '-') {
            text++;
            last = next_cpu(&text);
        }
        if (first < 0 || last < first) {
            return false;
        }
        for (long cpu = first; cpu <= last; cpu++) {
            CPU_SET((size_t)cpu, ret);
        }
        if (*text != ',') {
            return *text == '\0';
        }
    }
}

static int parse_cpus(const json_t *object, const char *where, const char *key, bool *ret_has,
                      cpu_set_t *ret, struct ct_error *err)
{
    const char *text = "";

    if (lc_field_string(object, where, key, &text, err) < 0) {
        return -1;
    }
    if (!text[strspn(text, " ")]) {
        return 0; /* as good as missing, says the specification */
    }
    *ret_has = parse_list(text, ret);
    return *ret_has ? 0
                    : ct_refuse(err, CT_INVALID,
                                "%s.%s: '%.60s' is no list of processors as '0-3,7', up to %d",
                                where, key, text, CPU_SETSIZE - 1);
}

int lc_scheduling_parse(const json_t *process, const char *where, struct lc_scheduling *ret,
                        struct ct_error *err)
{
    const json_t *scheduler = NULL, *io_priority = NULL, *affinity = NULL;
    char inner[LC_WHERE];
    int64_t score = 0;

    *ret = (struct lc_scheduling){0};
    if (lc_field_object(process, where, "scheduler", &scheduler, err) < 0 ||
        lc_field_object(process, where, "ioPriority", &io_priority, err) < 0 ||
        lc_field_object(process, where, "execCPUAffinity", &affinity, err) < 0 ||
        lc_field_integer(process, where, "oomScoreAdj", -1000, 1000, &score, err) < 0) {
        return -1;
    }
    ret->has_oom_score = lc_field_has(process, "oomScoreAdj");
    ret->oom_score_adj = (int)score;
    (void)snprintf(inner, sizeof(inner), "%s.scheduler", where);
    if (scheduler && parse_scheduler(scheduler, inner, ret, err) < 0) {
        return -1;
    }
    (void)snprintf(inner, sizeof(inner), "%s.ioPriority", where);
    if (io_priority && parse_io_priority(io_priority, inner, ret, err) < 0) {
        return -1;
    }
    (void)snprintf(inner, sizeof(inner), "%s.execCPUAffinity", where);
    if (parse_cpus(affinity, inner, "initial", &ret->has_initial_cpus, &ret->initial_cpus, err) <
            0 ||
        parse_cpus(affinity, inner, "final", &ret->has_final_cpus, &ret->final_cpus, err) < 0) {
        return -1;
    }
    return 0;
}

int lc_personality_parse(const json_t *personality, uint32_t *ret, struct ct_error *err)
{
    const char *where = "linux.personality";
    const json_t *none = NULL;
    int64_t domain = -1;

    *ret = LC_PERSONALITY_UNCHANGED;
    if (!personality) {
        return 0;
    }
    if (lc_field_is_object(personality, where, err) < 0 ||
        lc_field_word(personality, where, "domain", domains, COUNT(domains), &domain, err) < 0 ||
        lc_field_array(personality, where, "flags", &none, err) < 0) {
        return -1;
    }
    if (domain < 0) {
        return lc_field_missing(where, "domain", err);
    }
    if (json_array_size(none) > 0) {
        return ct_refuse(err, CT_UNSUPPORTED, "use %s.flags: the specification names none", where);
    }
    *ret = (uint32_t)domain;
    return 0;
}

/* ---- applying it ---- */

static int set_cpus(pid_t pid, const cpu_set_t *cpus, const char *key, struct ct_error *err)
{
    if (sched_setaffinity(pid, sizeof(*cpus), cpus) == 0) {
        return 0;
    }
    int failure = errno;
    (void)ct_fail(err, failure, "set execCPUAffinity.%s", key);
    return failure == EINVAL ? ct_hint(err, "processors that this machine and the cgroup have")
                             : -1;
}

int lc_scheduling_apply_outside(const struct lc_scheduling *scheduling, int procfs_fd, pid_t pid,
                                struct ct_error *err)
{
    if (scheduling->has_initial_cpus &&
        set_cpus(pid, &scheduling->initial_cpus, "initial", err) < 0) {
        return -1;
    }
    if (scheduling->has_oom_score) {
        char path[48], text[16];
        (void)snprintf(path, sizeof(path), "%d/oom_score_adj", (int)pid);
        (void)snprintf(text, sizeof(text), "%d", scheduling->oom_score_adj);
        if (lc_procfs_write(procfs_fd, path, text, err) < 0) {
            (void)ct_while(err, "set oomScoreAdj to %d", scheduling->oom_score_adj);
            return err->sys == EACCES
                       ? ct_hint(err, "a higher value; going down needs CAP_SYS_RESOURCE")
                       : -1;
        }
    }
    return 0;
}

static const char *policy_name(uint32_t policy)
{
    for (size_t i = 0; i < COUNT(policies); i++) {
        if (policies[i].value == (int64_t)policy) {
            return policies[i].name;
        }
    }
    return "unknown";
}

/* Our own: neither does the C library have the struct, nor can the kernel's header stand beside
 * <sched.h>. */
static int set_scheduler(const struct lc_scheduling *scheduling, struct ct_error *err)
{
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
        uint32_t util_min, util_max;
    } attributes = {.size = sizeof(attributes),
                    .policy = scheduling->policy,
                    .flags = scheduling->flags,
                    .nice = scheduling->nice,
                    .priority = (uint32_t)scheduling->priority,
                    .runtime = scheduling->runtime_ns,
                    .deadline = scheduling->deadline_ns,
                    .period = scheduling->period_ns};

    if (syscall(SYS_sched_setattr, 0, &attributes, 0U) == 0) {
        return 0;
    }
    int failure = errno;
    (void)ct_fail(err, failure, "set the scheduler %s", policy_name(scheduling->policy));
    return failure == EPERM ? ct_hint(err, "CAP_SYS_NICE; a real-time policy also needs the "
                                           "cgroup's cpu.rt_runtime_us (v1)")
                            : -1;
}

int lc_scheduling_apply_inside(const struct lc_scheduling *scheduling, struct ct_error *err)
{
    /* Processors first: once under SCHED_DEADLINE, a process cannot be moved. */
    if (scheduling->has_final_cpus && set_cpus(0, &scheduling->final_cpus, "final", err) < 0) {
        return -1;
    }
    if (scheduling->has_scheduler && set_scheduler(scheduling, err) < 0) {
        return -1;
    }
    if (scheduling->has_io_priority &&
        syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
                IOPRIO_PRIO_VALUE(scheduling->io_class, scheduling->io_level)) < 0) {
        return ct_fail(err, errno, "set the I/O priority to %s %d",
                       io_classes[scheduling->io_class - IOPRIO_CLASS_RT].name,
                       scheduling->io_level);
    }
    return 0;
}

int lc_personality_apply(uint32_t domain, struct ct_error *err)
{
    if (domain != LC_PERSONALITY_UNCHANGED && personality(domain) < 0) {
        return ct_fail(err, errno, "set the personality %s",
                       domain == PER_LINUX ? "LINUX" : "LINUX32");
    }
    return 0;
}

/*
 * program.h - "process": a program, as whom and where it runs.
 *
 * Room:       libcontainer. Called by: configuration.c, exec.c (parsing); setup.c (becoming it).
 * Spec:       config.md, "Process".
 */
#ifndef LC_PROGRAM_H
#define LC_PROGRAM_H

#include "capabilities.h"
#include "rlimits.h"
#include "scheduling.h"

#include "error.h"
#include "pool.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

struct lc_program {
    bool terminal;
    unsigned short height, width; /* of the terminal; 0 0: as it is */
    uid_t uid;
    gid_t gid;
    mode_t umask;
    const gid_t *groups;
    size_t n_groups;
    const char *const *args;
    const char *const *env;
    const char *cwd; /* absolute */
    struct lc_caps caps;
    bool no_new_privileges;
    const char *apparmor, *selinux; /* or NULL */
    const struct lc_rlimit *rlimits;
    size_t n_rlimits;
    struct lc_scheduling scheduling;
};

/* process must outlive *ret; vectors live in pool. */
int lc_program_parse(const json_t *process, const char *where, struct pool *pool,
                     struct lc_program *ret, struct ct_error *err);

/* What the runtime sets from outside, with its own rights: rlimits, oom score, first affinity. */
int lc_equip_program(const struct lc_program *program, pid_t pid, struct ct_error *err);

/* Puts stdio at 0, 1 and 2; -1 is the /dev/null of our root, which must be one. See
 * ct_exec_streams(). */
int lc_program_streams(const int stdio[3], int preserve, struct ct_error *err);

/* 3 … 2 + preserve are open, and are to outlive an execve(2). CT_INVALID. A number that was not
 * handed over to us may be a descriptor of our own by now: those close at execve(2), and must never
 * get inside. */
int lc_check_preserved(int preserve, struct ct_error *err);

#endif

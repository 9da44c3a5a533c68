/*
 * rlimits.h - limits of a process.
 *
 * Room:       libcontainer. Called by: program.c (parsing), create.c and exec.c (applying).
 * Spec:       config.md, "POSIX process", rlimits.
 * Man:        prlimit(2).
 */
#ifndef LC_RLIMITS_H
#define LC_RLIMITS_H

#include "error.h"
#include "pool.h"

#include <jansson.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

struct lc_rlimit {
    int resource;
    const char *name; /* "RLIMIT_NOFILE" */
    struct rlimit value;
};

/* "process.rlimits". CT_INVALID: unknown or named twice, soft over hard. */
int lc_rlimits_parse(const json_t *rlimits, const char *where, struct pool *pool,
                     const struct lc_rlimit **ret, size_t *ret_n, struct ct_error *err);
/* Set from outside, by the runtime, which has the rights for it. */
int lc_rlimits_apply(const struct lc_rlimit *limits, size_t n, pid_t pid, struct ct_error *err);

#endif

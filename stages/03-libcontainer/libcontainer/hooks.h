/*
 * hooks.h - programs that run at points of a container's life.
 *
 * Room:       libcontainer. Called by: configuration.c (parsing), create.c, start.c, delete.c,
 * init.c. Spec:       config.md, "POSIX-platform Hooks"; runtime.md, "Lifecycle".
 */
#ifndef LC_HOOKS_H
#define LC_HOOKS_H

#include "error.h"
#include "pool.h"

#include <jansson.h>
#include <stddef.h>

enum lc_hook_point {
    LC_HOOK_PRESTART,         /* the runtime's namespaces, before pivot_root */
    LC_HOOK_CREATE_RUNTIME,   /* the same */
    LC_HOOK_CREATE_CONTAINER, /* the container's namespaces, before pivot_root */
    LC_HOOK_START_CONTAINER,  /* the container's namespaces and root, before the program */
    LC_HOOK_POSTSTART,        /* the runtime's namespaces, after the program has begun */
    LC_HOOK_POSTSTOP,         /* the runtime's namespaces, after the container is deleted */
    LC_HOOK_COUNT
};

struct lc_hook {
    const char *path;
    const char *const *args; /* NULL: only the path */
    const char *const *env;  /* NULL: an empty environment */
    int timeout_ms;          /* -1: none */
};
struct lc_hooks {
    struct {
        const struct lc_hook *list;
        size_t n;
    } at[LC_HOOK_COUNT];
};

const char *lc_hook_point_name(enum lc_hook_point point); /* "createRuntime" */

/* "hooks" (may be NULL). CT_INVALID: a path that is not absolute, a timeout that is not positive.
 */
int lc_hooks_parse(const json_t *hooks, struct pool *pool, struct lc_hooks *ret,
                   struct ct_error *err);

/*
 * lc_hooks_run - runs the hooks of one point, in order, each with state on its standard input. The
 * first that fails ends it (poststart, poststop: all run; failures are logged, as the spec has it).
 * An error names point, number and path, says how the hook ended, and carries the end of what it
 * printed (stdout and stderr; at most a few hundred bytes are kept, all is read). A hook that is
 * late is killed with its whole process group. A hook that does not read its input is no error.
 */
int lc_hooks_run(const struct lc_hooks *hooks, enum lc_hook_point point, const json_t *state,
                 struct ct_error *err);

#endif

/*
 * namespaces.h - which namespaces a container gets: new ones, and existing ones by path.
 *
 * Room:       libcontainer. Called by: configuration.c, create.c, launch.c, exec.c.
 * Spec:       config-linux.md, "Namespaces".
 * Man:        namespaces(7), setns(2), clone(2).
 */
#ifndef LC_NAMESPACES_H
#define LC_NAMESPACES_H

#include "error.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

/* In the order in which they are joined: what a user namespace owns comes after it. */
enum lc_namespace {
    LC_NS_USER,
    LC_NS_IPC,
    LC_NS_UTS,
    LC_NS_NETWORK,
    LC_NS_PID,
    LC_NS_CGROUP,
    LC_NS_TIME,
    LC_NS_MOUNT, /* last: paths of the others are the host's */
    LC_NS_COUNT
};

struct lc_namespaces {
    unsigned make;                 /* CLONE_NEW… of those that are to be made */
    const char *path[LC_NS_COUNT]; /* of those that are joined, or NULL */
};

/* The CLONE_NEW… flag, the name in a configuration ("network"), and in /proc/PID/ns ("net"). */
unsigned lc_namespace_flag(enum lc_namespace which);
const char *lc_namespace_name(enum lc_namespace which);
const char *lc_namespace_file(enum lc_namespace which);

/* "linux.namespaces". CT_INVALID: an unknown type, or one that is named twice. */
int lc_namespaces_parse(const json_t *linux_section, struct lc_namespaces *ret,
                        struct ct_error *err);
/* Whether the container has a namespace of this kind that is not the caller's. */
bool lc_namespaces_has(const struct lc_namespaces *namespaces, enum lc_namespace which);

/* Open descriptors of namespaces to join; -1: stay. */
struct lc_joins {
    int fd[LC_NS_COUNT];
};
#define LC_JOINS_NONE ((struct lc_joins){{-1, -1, -1, -1, -1, -1, -1, -1}})

/* Opens the paths. Each must be a namespace of its kind (ioctl_ns(2), NS_GET_NSTYPE): a path that
 * leads to something else is CT_INVALID. */
int lc_joins_open(const struct lc_namespaces *namespaces, struct lc_joins *ret,
                  struct ct_error *err);
/* Those of a running process that differ from our own. */
int lc_joins_of_process(pid_t pid, struct lc_joins *ret, struct ct_error *err);
bool lc_joins_any(const struct lc_joins *joins);
void lc_joins_close(struct lc_joins *joins);

/*
 * Joins them all. What the caller may not join by the rights it has, it may be allowed to after it
 * has joined the user namespace: so in two rounds. A PID namespace takes its children only.
 */
int lc_joins_enter(const struct lc_joins *joins, struct ct_error *err);
/* All but the cgroup namespace, which is entered by the process itself once it stands in its group:
 * whoever is inside may not move in a process from outside (cgroup2, nsdelegate: ENOENT). */
int lc_joins_enter_cgroup(const struct lc_joins *joins, struct ct_error *err);

#endif

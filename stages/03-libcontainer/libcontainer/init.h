/*
 * init.h - the container's first process, between clone(2) and execve(2).
 *
 * Room:       libcontainer. Called by: create.c.
 */
#ifndef LC_INIT_H
#define LC_INIT_H

#include "cgroups.h"
#include "configuration.h"
#include "seccomp.h"

/* What it is given: a copy of the runtime's memory, and these descriptors. */
struct lc_init {
    const struct lc_configuration *configuration;
    const struct lc_seccomp *seccomp;
    struct lc_cgroup *cgroup;
    const struct lc_joins *joins;
    const char *id;
    const json_t *state; /* for createContainer and startContainer hooks; the pid is added */
    const int *sources;  /* of binds, opened by the runtime: one a mount, -1: open it yourself */
    int sync_fd;         /* sync.h */
    int listen_fd;       /* start.c */
    int console_fd;      /* where the terminal's master goes, or -1 */
    int stdio[3];
    int preserve_fds;
    bool own_terminal, no_pivot, no_new_keyring;
};

/* Runs as the child. It never returns: it becomes the program, or reports why not and ends. */
void lc_init_main(void *init);

/* Whether the runtime has something to do between the mounts and the change of root. */
bool lc_init_pauses(const struct lc_configuration *configuration);

#endif

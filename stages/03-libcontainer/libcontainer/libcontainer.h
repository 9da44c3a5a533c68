/*
 * libcontainer.h - runs an OCI bundle: namespaces, mounts, cgroups and a program, by the kernel
 * alone.
 *
 * Room:       libcontainer, behind this one door. Knows bundles; knows nothing of images, networks
 *             or Docker. Uses lib/ only.
 * Called by:  execdriver/native (stage 03), cutaway-runc (stage 04), bundle.c (the test program).
 * Spec:       OCI runtime-spec 1.2: runtime.md (lifecycle), config.md, config-linux.md.
 *
 * A container is a directory ROOT/<id> with state.json, and a first process. Every call works on
 * what is there, so that one process may create, another start and a third delete; what two would
 * do at once is serialized by a lock on ROOT/<id>. Calls block; hooks have their own timeouts.
 *
 *   creating -> created -> running (<-> paused) -> stopped
 *
 * The caller must have one thread: between clone(2) and execve(2) a child of it works on.
 */
#ifndef LIBCONTAINER_H
#define LIBCONTAINER_H

#include "error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LC_OCI_VERSION "1.2.0"

/* Where control groups may not be made, does the container go without them? By default where the
 * caller is not root. */
enum lc_rootless { LC_ROOTLESS_AUTO, LC_ROOTLESS_YES, LC_ROOTLESS_NO };

/* Creating: where, what, and which descriptors. All pointers are borrowed for the call. */
struct lc_create {
    const char *root;     /* of all states: an absolute path; made (0700) when missing */
    const char *id;       /* [A-Za-z0-9_+.-]+, at most 1024 bytes, not "." or ".." */
    const char *bundle;   /* a directory; what is relative in the configuration starts here */
    const json_t *config; /* the configuration; NULL: BUNDLE/config.json is read */
    int stdio[3];         /* what the program gets as 0, 1, 2; -1: /dev/null */
    int preserve_fds;     /* 3 … 2 + this, without FD_CLOEXEC, go to the program, too */
    bool own_terminal;    /* stdio is one terminal of the caller's: make it the controlling one */
    const char *console_socket; /* where the master of the container's own terminal goes:
                                   required with process.terminal, else NULL */
    bool no_pivot;              /* MS_MOVE and chroot(2) instead of pivot_root(2): for a ramdisk */
    bool no_new_keyring;        /* keep the caller's session keyring */
    bool systemd_cgroup;        /* refused (CT_UNSUPPORTED): comes later */
    enum lc_rootless rootless;
    int timeout_ms; /* of the whole call, without hooks; -1: none */
};

struct lc_container; /* opaque: an opened container; nothing in the world depends on it */

/*
 * lc_create - makes the container; its program does not run yet. Returns the container, owned
 * (lc_close() frees it), or NULL with CT_EXISTS (the id is in use), CT_INVALID (the configuration;
 * the message names the field), CT_UNSUPPORTED, CT_DENIED, CT_SYSTEM. A failed call leaves nothing
 * behind; a call that is killed leaves what lc_delete() with force removes.
 */
struct lc_container *lc_create(const struct lc_create *request, struct ct_error *err);

/* Opens one that is there. CT_NOT_FOUND "container does not exist". */
struct lc_container *lc_open(const char *root, const char *id, struct ct_error *err);
void lc_close(struct lc_container *container);

/* Ids of all containers below root. Owned, NULL-terminated; an empty vector where root is missing.
 */
char **lc_list(const char *root, struct ct_error *err);

/*
 * lc_start - lets the program run. Returns when execve(2) has succeeded and poststart hooks ran,
 * or failed: -1 with CT_NO_PROGRAM or CT_CANNOT_RUN and the true cause (diagnose.h).
 * CT_CONFLICT: it is not "created".
 */
int lc_start(struct lc_container *container, int timeout_ms, struct ct_error *err);

enum lc_status { LC_CREATING, LC_CREATED, LC_RUNNING, LC_PAUSED, LC_STOPPED };
enum lc_status lc_status(const struct lc_container *container);
const char *lc_status_name(enum lc_status status);

/* The first process as the caller's PID namespace sees it; 0 when it has ended. */
pid_t lc_pid(const struct lc_container *container);
/* A pidfd of it, owned by the container: readable at its end. -1 when it has ended. */
int lc_pidfd(const struct lc_container *container);

/* The state as runtime.md, "State" has it, with "rootfs", "created" and "owner" as runc adds them.
 * Owned. */
json_t *lc_state(const struct lc_container *container);

/* The configuration it was made with, without the words of its program (its arguments and its
 * environment may be secrets, and need be no text). Owned. */
json_t *lc_config(const struct lc_container *container, struct ct_error *err);

/* Sends a signal to the first process, or with all to every process of the container.
 * CT_CONFLICT "container not running". */
int lc_kill(struct lc_container *container, int signal_number, bool all, struct ct_error *err);

int lc_pause(struct lc_container *container, struct ct_error *err);
int lc_resume(struct lc_container *container, struct ct_error *err);

/* New limits: a document as "linux.resources" has it. What it does not name stays. */
int lc_update(struct lc_container *container, const json_t *resources, struct ct_error *err);

/* Figures as runc's `events --stats` has them under "data". Owned. */
json_t *lc_stats(struct lc_container *container, struct ct_error *err);
/* How often the kernel killed for memory since the creation; 0 when unknown. */
uint64_t lc_oom_kills(struct lc_container *container);

/* Host pids of all processes. Owned array; returns their number or -1. */
ssize_t lc_pids(struct lc_container *container, pid_t **ret, struct ct_error *err);

/* One more program in a running container. */
struct lc_exec {
    const json_t *process; /* as "process" in config.json */
    int stdio[3];
    int preserve_fds;
    bool own_terminal;
    const char *console_socket;
    bool ignore_paused; /* else CT_CONFLICT: a frozen container would not run it */
    const char *cgroup; /* below the container's own, or NULL */
    int timeout_ms;     /* -1: none */
};
struct lc_process {
    pid_t pid; /* a child of the caller */
    int pidfd; /* owned; readable at its end */
};
/* Returns when execve(2) has succeeded. Errors as lc_start(). */
int lc_exec(struct lc_container *container, const struct lc_exec *request, struct lc_process *ret,
            struct ct_error *err);

/*
 * lc_delete - removes cgroups, state and everything else of a stopped container and runs its
 * poststop hooks. force: ends what still runs first; else CT_CONFLICT "cannot delete container X
 * that is not stopped: running" (one that is only created is ended, as runc does).
 * The container is still to be closed. Also for one whose creation was killed half way.
 */
int lc_delete(struct lc_container *container, bool force, struct ct_error *err);

/* A document from a file: config.json, a process, resources. Numbers up to 2^64 - 1 are read, which
 * lib's JSON refuses. Owned. */
json_t *lc_read(const char *path, struct ct_error *err);

/* What this library can, as runtime-spec's features.md has it. Owned. */
json_t *lc_features(void);

/*
 * lc_protect_self - call first in main() of a program that runs containers: /proc/self/exe becomes
 * a link through which nobody can write, whoever gets hold of it inside (CVE-2019-5736). May
 * execute the program again with the same arguments. Returns 0 when all is well, -1 with err.
 */
int lc_protect_self(char *const *argv, struct ct_error *err);

#endif

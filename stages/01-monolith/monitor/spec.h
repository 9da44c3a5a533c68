/*
 * spec.h - from a container's record (Docker's Config and HostConfig) to the exec driver's request.
 *
 * Room:       monitor.
 * Called by:  engine (spec_check, at create and update); run.c, execs.c, health.c.
 * Spec:       Docker Engine API 1.43, "Create a container".
 */
#ifndef MONITOR_SPEC_H
#define MONITOR_SPEC_H

#include "error.h"
#include "execdriver.h"
#include "pool.h"

#include <jansson.h>
#include <stdbool.h>

struct container;

/*
 * spec_check - refuses what this stage cannot honour, by the field's name and with the stage that
 * brings it (CT_UNSUPPORTED), and what makes no sense in a field that it does honour (CT_INVALID).
 * record: {"Config":…, "HostConfig":…}. What it lets pass is done, not ignored.
 */
int spec_check(const json_t *record, struct ct_error *err);

/* A request with everything that it points to. */
struct spec {
    struct exec_spec exec;
    struct pool pool;
};

/*
 * spec_build - the request for a container whose root file system is mounted at DIR/rootfs, open
 * as rootfs_fd. Looks users up and makes the working directory and mount points that are missing.
 * The caller adds what belongs to the run: stdio, state_dir, join_network_of.
 * CT_CANNOT_RUN (no such user), CT_INVALID (a record that was tampered with), CT_SYSTEM.
 * The record must live as long as *ret. On failure *ret holds nothing.
 */
int spec_build(const struct container *container, int rootfs_fd, struct spec *ret,
               struct ct_error *err);
void spec_done(struct spec *spec);

/* HostConfig's limits alone, for an update. Strings are borrowed from the record. */
void spec_limits(const json_t *record, struct exec_limits *ret);

/* A program to run in a running container (exec, health check). */
struct spec_program {
    struct exec_program program;
    struct pool pool;
};

/*
 * spec_build_program - exec: {"Cmd","Env","User","WorkingDir","Tty","Privileged"}, all but Cmd may
 * be missing: then they are the container's own. rootfs_fd as the program will see it. Errors as
 * spec_build().
 */
int spec_build_program(const json_t *record, const json_t *exec, int rootfs_fd,
                       struct spec_program *ret, struct ct_error *err);
void spec_program_done(struct spec_program *program);

/* The host name that the container has: "" with UTSMode host. Borrowed. */
const char *spec_hostname(const json_t *record);

/* True when HostConfig.NetworkMode is that mode; spec_joined() gives X of "container:X", or NULL.
 */
bool spec_network_is(const json_t *record, const char *mode);
const char *spec_joined(const json_t *record);

#endif

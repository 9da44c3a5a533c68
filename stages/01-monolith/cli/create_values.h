/*
 * create_values.h - flags whose values have a notation of their own: -e, -p, --mount, --ulimit ….
 *
 * Room:       cli; included by create_flags.c, create_values.c, create_limits.c, run.c,
 *             containers.c.
 */
#ifndef CLI_CREATE_VALUES_H
#define CLI_CREATE_VALUES_H

#include "cli_internal.h"

/* Whether a stream ("stdin", "stdout", "stderr") is attached: named by -a, or meant by its absence.
 */
bool attach_wants(const struct cli_args *args, const char *stream);

/* -e, --env-file -> Env.   -l, --label-file -> Labels.   -p, --expose -> ExposedPorts. */
int values_env(const struct cli_args *args, json_t *body, struct ct_error *err);
int values_labels(const struct cli_args *args, json_t *body, struct ct_error *err);
int values_ports(const struct cli_args *args, json_t *body, struct ct_error *err);

/* HostConfig: Binds, Mounts, Tmpfs, PortBindings, LogConfig, Sysctls, Annotations, and those of the
 * two below. */
int values_host(const struct cli_args *args, json_t *host, struct ct_error *err);
/* create_limits.c: Ulimits, Devices, Blkio….   SecurityOpt, MaskedPaths, ReadonlyPaths. */
int values_limits(const struct cli_args *args, json_t *host, struct ct_error *err);
int values_security(const struct cli_args *args, json_t *host, struct ct_error *err);

/* "NAME=value", or "NAME" with the caller's own value; NULL when it has none. Owned. */
char *env_assignment(const char *text);
/* An --env-file added to a list. */
int env_from_file(const char *path, json_t *env, struct ct_error *err);

#endif

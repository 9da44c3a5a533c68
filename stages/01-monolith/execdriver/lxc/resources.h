/*
 * resources.h - Docker's limits as settings of control groups.
 *
 * Room:       execdriver/lxc. Called by: config.c (at creation), control.c (update).
 * Spec:       OCI runtime-spec, config-linux.md, "Control groups"; crun's cgroup-v2.md for the
 *             conversion of shares.
 */
#ifndef LXC_RESOURCES_H
#define LXC_RESOURCES_H

#include "execdriver.h"

#define LIMIT_SETTINGS_MAX 12

struct limit_setting {
    const char *controller;
    const char *file_v1, *file_v2; /* NULL: that version has no such file */
    char value_v1[128], value_v2[128];
};

/* One setting for each limit that is given, in an order in which they can be written. Returns their
 * number, or -1 (CT_INVALID). */
ssize_t limits_settings(const struct exec_limits *limits,
                        struct limit_setting settings[static LIMIT_SETTINGS_MAX],
                        struct ct_error *err);

#endif

/*
 * config.h - a container's LXC configuration.
 *
 * Room:       execdriver/lxc. Called by: job.c (config_write); mounts.c, hardening.c (config_line).
 * Man:        lxc.container.conf(5).
 *
 * Docker 0.1 filled a template (lxc_template.go) and handed it to lxc-start; this is ours.
 */
#ifndef LXC_CONFIG_H
#define LXC_CONFIG_H

#include "cgroup.h"
#include "execdriver.h"

#include <stdio.h>

#define CONFIG_FILE  "lxc.conf"
#define SECCOMP_FILE "seccomp.profile"

/* A configuration in the making. The first failure stays; later lines are then not written. */
struct config {
    const struct exec_spec *spec;
    const struct cgroup *cgroup;
    int state_fd;
    FILE *out;
    bool failed;
    struct ct_error *err;
};

/* "key = value". A value with a line end or another control character is refused: it would become
 * a line of its own, for example one that switches
 * confinement off. */
void config_line(struct config *config, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Marks it as failed; err is filled already. */
void config_fail(struct config *config);

/* Writes CONFIG_FILE and SECCOMP_FILE into state_dir. */
int config_write(const struct exec_spec *spec, const struct cgroup *cgroup, int state_fd,
                 struct ct_error *err);

/* The parts that have a file of their own. */
void config_mounts(struct config *config);  /* mounts.c: /proc, /sys, /dev, the user's */
void config_harden(struct config *config);  /* hardening.c: capabilities, seccomp, AppArmor */
void config_devices(struct config *config); /* devices.c: which devices may be used */

#endif

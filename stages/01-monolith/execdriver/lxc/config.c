/*
 * config.c - a container's LXC configuration: names, namespaces, limits.
 *
 * Room:       execdriver/lxc.   Called by: see config.h.   Man: lxc.container.conf(5).
 *
 * Everything that a stranger may have written is checked before it becomes a line, because the
 * format has no quoting: the end of a value is the end of its line.
 */
#define CT_LAYER "execdriver"
#include "config.h"

#include "cleanup.h"
#include "file.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

void config_fail(struct config *config)
{
    config->failed = true;
}

void config_line(struct config *config, const char *key, const char *format, ...)
{
    CT_AUTO_FREE char *value = NULL;
    va_list arguments;

    if (config->failed) {
        return;
    }
    va_start(arguments, format);
    int n = vasprintf(&value, format, arguments);
    va_end(arguments);
    if (n < 0) {
        value = NULL;
        (void)ct_fail(config->err, ENOMEM, "write '%s'", key);
        config_fail(config);
        return;
    }
    for (const char *c = value; *c; c++) {
        if ((unsigned char)*c < 32 || *c == 127) {
            (void)ct_refuse(config->err, CT_INVALID, "set %s to '%.80s': it has control characters",
                            key, value);
            config_fail(config);
            return;
        }
    }
    (void)fprintf(config->out, "%s = %s\n", key, value);
}

/* ---- names ---------------------------------------------------------------------------------- */

static void write_names(struct config *config)
{
    const struct exec_spec *spec = config->spec;

    if (spec->host_uts) {
        return; /* the host's own names, which are not ours to change */
    }
    if (spec->hostname && spec->hostname[0]) {
        if (strlen(spec->hostname) > 64) {
            (void)ct_refuse(config->err, CT_INVALID,
                            "set the host name '%.70s': it is longer than 64 bytes",
                            spec->hostname);
            config_fail(config);
        }
        config_line(config, "lxc.uts.name", "%s", spec->hostname);
    }
}

/* ---- namespaces ----------------------------------------------------------------------------- */

/* "clone" names what is new. Its opposite, "keep", would also make a user namespace, without any
 * users in it. */
static void write_namespaces(struct config *config)
{
    const struct exec_spec *spec = config->spec;
    const bool new_net = !spec->host_network && !spec->join_network_of;

    config_line(config, "lxc.namespace.clone", "mnt cgroup%s%s%s%s", spec->host_pid ? "" : " pid",
                new_net ? " net" : "", spec->host_ipc ? "" : " ipc", spec->host_uts ? "" : " uts");
    /* "empty" is a network namespace with nothing but lo; the networks room moves devices in. */
    config_line(config, "lxc.net.0.type", "%s", new_net ? "empty" : "none");
    if (spec->join_network_of) {
        config_line(config, "lxc.namespace.share.net", "%s", spec->join_network_of);
    }
}

/* ---- user ----------------------------------------------------------------------------------- */

/* Set by LXC, not by sysinit, so that it works without CAP_SETUID in the container. */
static void write_user(struct config *config)
{
    const struct exec_program *program = &config->spec->program;
    CT_AUTO_FREE char *groups = ct_strdup("");

    config_line(config, "lxc.init.uid", "%u", program->uid);
    config_line(config, "lxc.init.gid", "%u", program->gid);
    for (size_t i = 0; i < program->n_groups; i++) {
        char *longer = ct_printf("%s%s%u", groups, i ? "," : "", program->groups[i]);
        free(groups);
        groups = longer;
    }
    if (program->n_groups > 0) {
        config_line(config, "lxc.init.groups", "%s", groups);
    }
}

/* ---- limits --------------------------------------------------------------------------------- */

static void write_limit(struct config *config, const struct limit_setting *setting)
{
    bool v2 = false;

    if (!cgroup_has(config->cgroup, setting->controller, &v2)) {
        (void)ct_refuse(config->err, CT_UNSUPPORTED,
                        "set a limit: the kernel has no control group for '%s'",
                        setting->controller);
        config_fail(config);
        return;
    }
    const char *file = v2 ? setting->file_v2 : setting->file_v1;
    if (!file) {
        return; /* carried by another setting in this version */
    }
    CT_AUTO_FREE char *key = ct_printf("lxc.%s.%s", v2 ? "cgroup2" : "cgroup", file);
    config_line(config, key, "%s", v2 ? setting->value_v2 : setting->value_v1);
}

static void write_limits(struct config *config)
{
    struct limit_setting settings[LIMIT_SETTINGS_MAX];
    const char *name = config->cgroup->name;
    ssize_t n = limits_settings(&config->spec->limits, settings, config->err);

    config_line(config, "lxc.cgroup.dir.container", "%s/job", name);
    config_line(config, "lxc.cgroup.dir.monitor", "%s/lxc", name);
    config_line(config, "lxc.cgroup.dir.monitor.pivot", "%s", name);
    if (n < 0) {
        config_fail(config);
    }
    for (ssize_t i = 0; i < n; i++) {
        /* Docker too goes without a limit of swap where the kernel does not count it. */
        if (strstr(settings[i].file_v1, "memsw") && !cgroup_counts_swap(config->cgroup)) {
            continue;
        }
        write_limit(config, &settings[i]);
    }
    config_line(config, "lxc.proc.oom_score_adj", "%d", config->spec->oom_score_adj);
}

static const char *const ulimit_names[] = {
    "as",   "core",   "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue",
    "nice", "nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack",
};

static void write_ulimit(struct config *config, const struct exec_ulimit *limit)
{
    CT_AUTO_FREE char *key = ct_printf("lxc.prlimit.%s", limit->name);
    char text[2][24];
    int64_t values[2] = {limit->soft, limit->hard};
    bool known = false;

    for (size_t i = 0; i < sizeof(ulimit_names) / sizeof(ulimit_names[0]); i++) {
        known = known || strcmp(limit->name, ulimit_names[i]) == 0;
    }
    if (!known) {
        (void)ct_refuse(config->err, CT_INVALID,
                        "set the ulimit '%.60s': there is none of this name", limit->name);
        config_fail(config);
        return;
    }
    for (int i = 0; i < 2; i++) {
        (void)snprintf(text[i], sizeof(text[i]), "%lld", (long long)values[i]);
    }
    config_line(config, key, "%s:%s", values[0] < 0 ? "unlimited" : text[0],
                values[1] < 0 ? "unlimited" : text[1]);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static void write_all(struct config *config)
{
    const struct exec_spec *spec = config->spec;

    write_names(config);
    config_line(config, "lxc.rootfs.path", "dir:%s", spec->rootfs);
    config_line(config, "lxc.console.path", "none"); /* the program gets its streams from us */
    config_line(config, "lxc.tty.max", "0");
    config_line(config, "lxc.pty.max", "1024");
    write_namespaces(config);
    write_user(config);
    write_limits(config);
    for (size_t i = 0; i < spec->n_ulimits; i++) {
        write_ulimit(config, &spec->ulimits[i]);
    }
    config_mounts(config);
    config_devices(config);
    config_harden(config);
}

int config_write(const struct exec_spec *spec, const struct cgroup *cgroup, int state_fd,
                 struct ct_error *err)
{
    /* Not through lib's durable write: it is written anew for each start, and an fsync would cost
     * more than everything else here. */
    CT_AUTO_CLOSE int fd =
        openat(state_fd, CONFIG_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    CT_AUTO_FILE FILE *out = fd < 0 ? NULL : fdopen(fd, "w");

    if (!out) {
        return ct_fail(err, errno, "write '%s/%s'", spec->state_dir, CONFIG_FILE);
    }
    (void)ct_steal_fd(&fd);
    struct config config = {
        .spec = spec, .cgroup = cgroup, .state_fd = state_fd, .out = out, .err = err};
    write_all(&config);
    if (config.failed) {
        return -1;
    }
    bool broken = ferror(out);
    if (fclose(ct_steal(out)) != 0 || broken) {
        return ct_fail(err, errno, "write '%s/%s'", spec->state_dir, CONFIG_FILE);
    }
    return 0;
}

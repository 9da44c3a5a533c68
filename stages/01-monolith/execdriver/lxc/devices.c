/*
 * devices.c - which devices a container may use, as lines of its LXC configuration.
 *
 * Room:       execdriver/lxc.   Called by: config.c.
 * Spec:       Linux Documentation/admin-guide/cgroup-v1/devices.rst; moby, oci/defaults.go.
 *
 * On v1 the rules are files of a controller, on v2 LXC makes a BPF program of them; they are
 * written alike.
 */
#define CT_LAYER "execdriver"
#include "config.h"

#include "cleanup.h"
#include "path.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* Docker's: making any node is allowed (CAP_MKNOD permitting), using it is not. */
static const char *const allowed[] = {
    "c *:* m",     "b *:* m",                /* mknod */
    "c 1:3 rwm",   "c 1:5 rwm",              /* null, zero */
    "c 1:7 rwm",   "c 1:8 rwm", "c 1:9 rwm", /* full, random, urandom */
    "c 5:0 rwm",   "c 5:1 rwm", "c 5:2 rwm", /* tty, console, ptmx */
    "c 136:* rwm",                           /* pts */
};

/* "host[:container][:rwm]" in its parts; NULL parts take their defaults. */
static int write_device(struct config *config, const char *allow_key, const char *device)
{
    CT_AUTO_FREE char *copy = ct_strdup(device);
    char *position = NULL;
    const char *host = strtok_r(copy, ":", &position);
    const char *inside = strtok_r(NULL, ":", &position);
    const char *rights = strtok_r(NULL, ":", &position);
    struct stat st;

    if (inside && !rights && strspn(inside, "rwm") == strlen(inside)) {
        rights = inside; /* "host:rwm" */
        inside = NULL;
    }
    inside = inside ? inside : host;
    rights = rights ? rights : "rwm";
    if (!host || host[0] != '/' || inside[0] != '/' || strspn(rights, "rwm") != strlen(rights) ||
        strpbrk(device, " \t\n\\")) {
        return ct_refuse(config->err, CT_INVALID,
                         "give the device '%.80s': it is not "
                         "host:container:rwm",
                         device);
    }
    if (stat(host, &st) < 0) {
        return ct_fail(config->err, errno, "give the device '%s'", host);
    }
    if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode)) {
        return ct_refuse(config->err, CT_INVALID, "give '%s': it is not a device", host);
    }
    config_line(config, allow_key, "%c %u:%u %s", S_ISCHR(st.st_mode) ? 'c' : 'b',
                major(st.st_rdev), minor(st.st_rdev), rights);
    config_line(config, "lxc.mount.entry", "%s %s none bind,create=file 0 0", host, inside + 1);
    return 0;
}

/* Names in /dev that LXC makes itself, or that are the host's own terminal. */
static bool is_made_already(const char *name)
{
    static const char *const names[] = {"null",    "zero", "full", "random",
                                        "urandom", "tty",  "ptmx", "console"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* All devices that stand in the host's /dev, as Docker gives them to a privileged container. */
static void write_host_devices(struct config *config)
{
    CT_AUTO_DIR DIR *dir = opendir("/dev");

    for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
        if ((e->d_type == DT_CHR || e->d_type == DT_BLK) && !is_made_already(e->d_name) &&
            !strpbrk(e->d_name, " \t\n\\")) {
            config_line(config, "lxc.mount.entry", "/dev/%s dev/%s none bind,create=file 0 0",
                        e->d_name, e->d_name);
        }
    }
}

void config_devices(struct config *config)
{
    const struct exec_spec *spec = config->spec;
    bool v2 = false;

    if (!cgroup_has(config->cgroup, "devices", &v2)) {
        (void)ct_refuse(config->err, CT_UNSUPPORTED,
                        "restrict devices: the kernel has no control group for them");
        config_fail(config);
        return;
    }
    const char *allow = v2 ? "lxc.cgroup2.devices.allow" : "lxc.cgroup.devices.allow";
    const char *deny = v2 ? "lxc.cgroup2.devices.deny" : "lxc.cgroup.devices.deny";
    if (!spec->privileged) {
        config_line(config, deny, "a");
        for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
            config_line(config, allow, "%s", allowed[i]);
        }
    } else {
        write_host_devices(config);
    }
    for (size_t i = 0; spec->devices && spec->devices[i] && !config->failed; i++) {
        if (write_device(config, allow, spec->devices[i]) < 0) {
            config_fail(config);
        }
    }
}

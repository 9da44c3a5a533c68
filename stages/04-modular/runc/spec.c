/*
 * spec.c - spec: a configuration to begin with; features: what this runtime can.
 *
 * Room:       runc.   Called by: runc.c, through the table of commands.
 * Spec:       OCI runtime-spec 1.2: config.md, features.md; the example of runc's specconv.
 */
#define CT_LAYER "runc"
#include "runc_internal.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

/* ---- spec ----------------------------------------------------------------------------------- */

static json_t *process(void)
{
    json_t *capabilities = json_object(), *process;
    static const char *const sets[] = {"bounding", "effective", "permitted", "ambient"};

    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        ct_json_set(capabilities, sets[i],
                    json_pack("[s, s, s]", "CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"));
    }
    process = json_pack("{s:b, s:{s:i, s:i}, s:[s], s:[s, s], s:s, s:o}", "terminal", 1, "user",
                        "uid", 0, "gid", 0, "args", "sh", "env",
                        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                        "TERM=xterm", "cwd", "/", "capabilities", capabilities);
    ct_json_set(
        process, "rlimits",
        json_pack("[{s:s, s:i, s:i}]", "type", "RLIMIT_NOFILE", "hard", 1024, "soft", 1024));
    ct_json_set(process, "noNewPrivileges", json_true());
    return process;
}

#define OPTIONS_MAX 6

struct mount {
    const char *destination, *type, *source;
    const char *options[OPTIONS_MAX + 1];
};

static const struct mount mounts[] = {
    {"/proc", "proc", "proc", {NULL}},
    {"/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}},
    {"/dev/pts",
     "devpts",
     "devpts",
     {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
    {"/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
    {"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}},
    {"/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}},
    {"/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"}},
};

/* A user has no gid 5 to give away, and no network namespace of which a sysfs could be made. */
static const struct mount rootless_pts = {
    "/dev/pts",
    "devpts",
    "devpts",
    {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}};
static const struct mount rootless_sys = {
    "/sys", "none", "/sys", {"rbind", "nosuid", "noexec", "nodev", "ro"}};

static json_t *mount_list(bool rootless)
{
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
        const struct mount *mount = &mounts[i];
        if (rootless && strcmp(mount->type, "devpts") == 0) {
            mount = &rootless_pts;
        } else if (rootless && strcmp(mount->type, "sysfs") == 0) {
            mount = &rootless_sys;
        }
        json_t *entry = json_pack("{s:s, s:s, s:s}", "destination", mount->destination, "type",
                                  mount->type, "source", mount->source);
        if (mount->options[0]) {
            ct_json_set(entry, "options", ct_json_from_strv(mount->options, SIZE_MAX));
        }
        ct_json_append(list, entry);
    }
    return list;
}

/* On cgroup v2 alone, a namespace hides the host's groups. */
static bool is_cgroup_v2(void)
{
    struct statfs fs;

    return statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

static json_t *namespaces(bool rootless)
{
    static const char *const always[] = {"pid", "ipc", "uts", "mount"};
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++) {
        ct_json_append(list, json_pack("{s:s}", "type", always[i]));
    }
    ct_json_append(list, json_pack("{s:s}", "type", rootless ? "user" : "network"));
    if (is_cgroup_v2()) {
        ct_json_append(list, json_pack("{s:s}", "type", "cgroup"));
    }
    return list;
}

static json_t *ids(long own)
{
    return json_pack("[{s:i, s:I, s:i}]", "containerID", 0, "hostID", (json_int_t)own, "size", 1);
}

static json_t *linux_section(bool rootless)
{
    static const char *const masked[] = {"/proc/acpi",
                                         "/proc/asound",
                                         "/proc/kcore",
                                         "/proc/keys",
                                         "/proc/latency_stats",
                                         "/proc/timer_list",
                                         "/proc/timer_stats",
                                         "/proc/sched_debug",
                                         "/sys/firmware",
                                         "/proc/scsi",
                                         NULL};
    static const char *const read_only[] = {
        "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL};
    json_t *section = json_object();

    if (rootless) {
        ct_json_set(section, "uidMappings", ids((long)geteuid()));
        ct_json_set(section, "gidMappings", ids((long)getegid()));
    } else {
        ct_json_set(section, "resources",
                    json_pack("{s:[{s:b, s:s}]}", "devices", "allow", 0, "access", "rwm"));
    }
    ct_json_set(section, "namespaces", namespaces(rootless));
    ct_json_set(section, "maskedPaths", ct_json_from_strv(masked, SIZE_MAX));
    ct_json_set(section, "readonlyPaths", ct_json_from_strv(read_only, SIZE_MAX));
    return section;
}

static int run_spec(const struct runc *runc, const struct runc_args *args, struct ct_error *err)
{
    const char *bundle = runc_args_text(args, "bundle");
    bool rootless = runc_args_switch(args, "rootless");
    CT_AUTO_CLOSE int folder = ct_root_open(bundle && *bundle ? bundle : ".", err);
    CT_AUTO_JSON json_t *config =
        json_pack("{s:s, s:o, s:{s:s, s:b}, s:s, s:o, s:o}", "ociVersion", LC_OCI_VERSION,
                  "process", process(), "root", "path", "rootfs", "readonly", 1, "hostname", "runc",
                  "mounts", mount_list(rootless), "linux", linux_section(rootless));
    CT_AUTO_FREE char *text = json_dumps(config, JSON_INDENT(4));

    (void)runc;
    if (folder < 0 || !text) {
        return -1;
    }
    if (ct_create_file_at(folder, "config.json", text, strlen(text), 0666, err) == 0) {
        return 0;
    }
    if (err->kind == CT_EXISTS) {
        ct_error_clear(err);
        (void)ct_refuse(err, CT_EXISTS, "File config.json exists. Remove it first");
    }
    return -1;
}

/* ---- features ------------------------------------------------------------------------------- */

static int run_features(const struct runc *runc, const struct runc_args *args, struct ct_error *err)
{
    json_t *features = lc_features();

    (void)runc;
    (void)args;
    ct_json_set(features, "annotations",
                json_pack("{s:s, s:s}", "org.opencontainers.runc.checkpoint.enabled", "false",
                          "cutaway.runc.version", CUTAWAY_VERSION));
    return runc_print_json(features, err);
}

static const struct runc_option spec_options[] = {
    {"bundle", 'b', RUNC_TEXT, "DIR", "where it is written to (default: the current directory)"},
    {"rootless", 0, RUNC_SWITCH, NULL, "for a container that a user runs"},
    {0}};

const struct runc_command runc_spec = {
    .name = "spec",
    .usage = "",
    .summary = "write a config.json to begin with",
    .options = spec_options,
    .run = run_spec,
};
const struct runc_command runc_features = {
    .name = "features",
    .usage = "",
    .summary = "print what this runtime can, as JSON",
    .run = run_features,
};

/*
 * mounts.c - what a container sees at its paths, as lines of its LXC configuration.
 *
 * Room:       execdriver/lxc.   Called by: config.c.
 * Man:        lxc.container.conf(5) (lxc.mount.entry), fstab(5).
 * Spec:       Docker's default masked and read-only paths (moby, oci/defaults.go).
 *
 * LXC makes the mounts before it changes the root, and refuses a target with a symlink in it. So
 * each target is looked up, and made when missing, inside the root file system first (path.h).
 */
#define CT_LAYER "execdriver"
#include "config.h"

#include "cleanup.h"
#include "path.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_SHM_BYTES (64u << 20)

/* A field of fstab: blanks and backslashes as octal, as getmntent(3) reads them. Owned. */
static char *field(const char *path)
{
    char *text = malloc(strlen(path) * 4 + 1);
    char *out = text;

    for (const char *c = path; text && *c; c++) {
        if (strchr(" \t\n\\", *c)) {
            out += sprintf(out, "\\%03o", (unsigned char)*c);
        } else {
            *out++ = *c;
        }
    }
    if (!text) {
        abort();
    }
    *out = 0;
    return text;
}

static void entry(struct config *config, const char *source, const char *target, const char *type,
                  const char *options)
{
    CT_AUTO_FREE char *source_field = field(source);
    CT_AUTO_FREE char *target_field = field(target);

    config_line(config, "lxc.mount.entry", "%s %s %s %s 0 0", source_field, target_field, type,
                options);
}

/* ---- what every container has --------------------------------------------------------------- */

/* Information about the host that no container needs. Those that this kernel does not have are left
 * out: the container's /proc and /sys are of the same kernel. */
static const char *const masked[] = {
    "/proc/asound",     "/proc/acpi",        "/proc/interrupts",
    "/proc/kcore",      "/proc/keys",        "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
    "/proc/scsi",       "/sys/firmware",     "/sys/devices/virtual/powercap"};

/* The whole of /proc/sys: also /proc/sys/net, which LXC's own "proc:mixed" leaves writable. */
static const char *const readonly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                       "/proc/sysrq-trigger"};

static void write_protection(struct config *config)
{
    struct stat st;

    for (size_t i = 0; i < sizeof(masked) / sizeof(masked[0]); i++) {
        if (stat(masked[i], &st) < 0) {
            continue;
        }
        if (S_ISDIR(st.st_mode)) {
            entry(config, "tmpfs", masked[i] + 1, "tmpfs", "ro,nosuid,nodev,noexec,size=0k");
        } else {
            /* The host's own /dev/null: one in the container could be a symlink (CVE-2025-31133).
             */
            entry(config, "/dev/null", masked[i] + 1, "none", "bind,ro");
        }
    }
    for (size_t i = 0; i < sizeof(readonly) / sizeof(readonly[0]); i++) {
        if (stat(readonly[i], &st) == 0) {
            /* relative: the source is one inside the container. */
            entry(config, readonly[i] + 1, readonly[i] + 1, "none", "rbind,ro,relative");
        }
    }
}

static void write_shared_memory(struct config *config)
{
    const struct exec_spec *spec = config->spec;
    uint64_t bytes = spec->shm_size_bytes ? spec->shm_size_bytes : DEFAULT_SHM_BYTES;
    CT_AUTO_FREE char *options =
        ct_printf("nosuid,nodev,noexec,mode=1777,size=%" PRIu64 ",create=dir", bytes);

    if (spec->host_ipc) {
        entry(config, "/dev/shm", "dev/shm", "none", "bind,create=dir");
        if (access("/dev/mqueue", F_OK) == 0) {
            entry(config, "/dev/mqueue", "dev/mqueue", "none", "bind,create=dir");
        }
        return;
    }
    entry(config, "shm", "dev/shm", "tmpfs", options);
    entry(config, "mqueue", "dev/mqueue", "mqueue", "nosuid,nodev,noexec,create=dir");
}

/* With a terminal, the host's pty is also /dev/console, so that ttyname(3) finds a name for it: the
 * container's own /dev/pts does not have it. */
static void write_console(struct config *config)
{
    char link[32];
    char path[PATH_MAX];

    if (!config->spec->program.terminal) {
        return;
    }
    ssize_t n = readlink(ct_fd_path(config->spec->program.stdio[0], link), path, sizeof(path) - 1);
    if (n > 0) {
        path[n] = 0;
        if (strncmp(path, "/dev/pts/", 9) == 0) {
            entry(config, path, "dev/console", "none", "bind,create=file");
        }
    }
}

/* ---- what the user asks for ----------------------------------------------------------------- */

/* Only what mount(8) options are made of: the line's fields are separated by blanks. */
static bool options_are_plain(const char *options)
{
    for (const char *c = options; *c; c++) {
        if (strchr(" \t\n\\", *c) || (unsigned char)*c < 32) {
            return false;
        }
    }
    return true;
}

/* The target as a path without symlinks, relative to the root. Made when missing. Owned. */
static char *resolve_target(const char *rootfs, const char *target, bool directory,
                            struct ct_error *err)
{
    char link[32];
    char root_path[PATH_MAX], path[PATH_MAX];
    CT_AUTO_CLOSE int root_fd = ct_root_open(rootfs, err);
    CT_AUTO_FREE char *clean = ct_path_clean(target);

    if (root_fd < 0) {
        return NULL;
    }
    if (!directory) {
        CT_AUTO_FREE char *parent = ct_strdup(clean);
        *strrchr(parent, '/') = 0;
        CT_AUTO_CLOSE int parent_fd = ct_root_mkdirs(root_fd, parent, 0755, 0, 0, err);
        if (parent_fd < 0) {
            return NULL;
        }
    }
    CT_AUTO_CLOSE int fd = directory ? ct_root_mkdirs(root_fd, clean, 0755, 0, 0, err)
                                     : ct_root_touch(root_fd, clean, 0644, err);
    if (fd < 0) {
        return NULL;
    }
    ssize_t root_n = readlink(ct_fd_path(root_fd, link), root_path, sizeof(root_path) - 1);
    ssize_t n = readlink(ct_fd_path(fd, link), path, sizeof(path) - 1);
    if (root_n < 0 || n < 0) {
        return ct_fail_null(err, errno, "find the mount target '%s'", target);
    }
    path[n] = 0;
    if (n <= root_n + 1 || strncmp(path, root_path, (size_t)root_n) != 0 || path[root_n] != '/') {
        return ct_refuse_null(err, CT_INVALID, "mount on '%s': it is the root itself", target);
    }
    return ct_strdup(path + root_n + 1);
}

static int write_mount(struct config *config, const struct exec_mount *mount)
{
    struct stat st = {.st_mode = S_IFDIR};
    bool bind = strcmp(mount->type, "bind") == 0;

    if (!bind && strcmp(mount->type, "tmpfs") != 0) {
        return ct_refuse(config->err, CT_UNSUPPORTED, "mount the type '%.40s' on '%s'", mount->type,
                         mount->target);
    }
    if (!options_are_plain(mount->options)) {
        return ct_refuse(config->err, CT_INVALID, "mount with the options '%.80s'", mount->options);
    }
    if (bind && stat(mount->source, &st) < 0) {
        return ct_fail(config->err, errno, "mount '%s' on '%s'", mount->source, mount->target);
    }
    bool directory = S_ISDIR(st.st_mode);
    CT_AUTO_FREE char *target =
        resolve_target(config->spec->rootfs, mount->target, directory, config->err);
    if (!target) {
        return ct_while(config->err, "prepare the mount on '%s'", mount->target);
    }
    /* create: the target may be in a mount that is made before this one. */
    CT_AUTO_FREE char *options =
        ct_printf("%s%s%s%s", bind ? (mount->recursive ? "rbind," : "bind,") : "", mount->options,
                  mount->options[0] ? "," : "", directory ? "create=dir" : "create=file");
    entry(config, bind ? mount->source : "tmpfs", target, bind ? "none" : "tmpfs", options);
    return 0;
}

void config_mounts(struct config *config)
{
    const struct exec_spec *spec = config->spec;
    const bool power = spec->privileged;

    if (config->failed) {
        return;
    }
    if (spec->rootfs_readonly) {
        config_line(config, "lxc.rootfs.options", "ro");
    }
    /* force: LXC would otherwise leave the control groups to the container's own init. */
    config_line(config, "lxc.mount.auto", "%s",
                power ? "proc:rw sys:rw cgroup:rw:force" : "proc:rw sys:ro cgroup:ro:force");
    if (!power) {
        write_protection(config);
    }
    write_shared_memory(config);
    write_console(config);
    for (size_t i = 0; i < spec->n_mounts && !config->failed; i++) {
        if (write_mount(config, &spec->mounts[i]) < 0) {
            config_fail(config);
        }
    }
}

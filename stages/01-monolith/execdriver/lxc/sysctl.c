/*
 * sysctl.c - kernel settings of a container's own namespaces, and its domain name.
 *
 * Room:       execdriver/lxc.   Called by: job.c, between create and start.
 * Man:        proc(5) (/proc/sys), setns(2), namespaces(7).
 *
 * LXC has lxc.sysctl.*, but writes them after its mounts, when /proc/sys is read-only already. So a
 * child of ours enters the container's network, IPC and UTS namespaces and writes to the host's own
 * /proc/sys: the kernel looks at the namespaces of who opens a file there. Nothing of the
 * container's file system is involved that could lead the write elsewhere (CVE-2025-52881).
 */
#define CT_LAYER "execdriver"
#include "lxc_internal.h"

#include "cleanup.h"
#include "file.h"
#include "path.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool has_domainname(const struct exec_spec *spec)
{
    return spec->domainname && spec->domainname[0] && !spec->host_uts;
}

/* ---- checking ------------------------------------------------------------------------------- */

/* Only those that a namespace of the container's own has; any other would change the host. */
static bool is_ours(const struct exec_spec *spec, const char *name)
{
    static const char *const ipc[] = {
        "kernel.msgmax=", "kernel.msgmnb=", "kernel.msgmni=", "kernel.sem=",
        "kernel.shmall=", "kernel.shmmax=", "kernel.shmmni=", "kernel.shm_rmid_forced="};

    if (strncmp(name, "net.", 4) == 0) {
        return !spec->host_network && !spec->join_network_of;
    }
    if (strncmp(name, "fs.mqueue.", 10) == 0) {
        return !spec->host_ipc;
    }
    for (size_t i = 0; i < sizeof(ipc) / sizeof(ipc[0]); i++) {
        if (strncmp(name, ipc[i], strlen(ipc[i])) == 0) {
            return !spec->host_ipc;
        }
    }
    return false;
}

/* "net.ipv4.ip_forward=1": the name becomes a path. */
static bool is_plain(const char *setting)
{
    size_t length = strcspn(setting, "=");
    bool plain = setting[length] == '=' && length > 0 && !strstr(setting, "..");

    for (size_t i = 0; i < length; i++) {
        plain = plain && (isalnum((unsigned char)setting[i]) || strchr("._-", setting[i]));
    }
    return plain;
}

int sysctls_check(const struct exec_spec *spec, struct ct_error *err)
{
    if (has_domainname(spec) && strlen(spec->domainname) > 64) {
        return ct_refuse(err, CT_INVALID, "set the domain name '%.70s': it is longer than 64 bytes",
                         spec->domainname);
    }
    for (size_t i = 0; spec->sysctls && spec->sysctls[i]; i++) {
        const char *setting = spec->sysctls[i];
        if (!is_plain(setting) || !is_ours(spec, setting)) {
            (void)ct_refuse(
                err, CT_INVALID,
                "set the sysctl '%.80s': it is not one of the container's own namespaces", setting);
            return ct_hint(err, "name=value with net.*, fs.mqueue.* or kernel.{msg,sem,shm}*, in a "
                                "namespace that is not shared");
        }
    }
    return 0;
}

/* ---- setting -------------------------------------------------------------------------------- */

static int set_one(const char *setting, struct ct_error *err)
{
    size_t length = strcspn(setting, "=");
    CT_AUTO_FREE char *path = ct_printf("/proc/sys/%.*s", (int)length, setting);

    for (char *c = path + strlen("/proc/sys/"); *c; c++) {
        *c = *c == '.' ? '/' : *c;
    }
    CT_AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || ct_write_all(fd, setting + length + 1, strlen(setting + length + 1)) < 0) {
        return ct_fail(err, errno, "set the sysctl '%s'", setting);
    }
    return 0;
}

/* In the child. Only namespaces of the container's own are entered, so that a mistake in the checks
 * above could still not reach the host's. */
static int set_all(const struct exec_job *job, const struct exec_spec *spec, struct ct_error *err)
{
    int flags = (spec->host_uts ? 0 : CLONE_NEWUTS) | (spec->host_ipc ? 0 : CLONE_NEWIPC) |
                (spec->host_network || spec->join_network_of ? 0 : CLONE_NEWNET);

    if (setns(job->pidfd, flags) < 0) {
        return ct_fail(err, errno, "enter the container's namespaces");
    }
    if (has_domainname(spec) && setdomainname(spec->domainname, strlen(spec->domainname)) < 0) {
        return ct_fail(err, errno, "set the domain name '%s'", spec->domainname);
    }
    for (size_t i = 0; spec->sysctls && spec->sysctls[i]; i++) {
        if (set_one(spec->sysctls[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* A child, because a process with namespaces of two kinds of origin should not live on. */
int sysctls_set(const struct exec_job *job, const struct exec_spec *spec, struct ct_error *err)
{
    struct ct_error cause = {0};
    int report[2];

    if (!has_domainname(spec) && !(spec->sysctls && spec->sysctls[0])) {
        return 0;
    }
    if (pipe2(report, O_CLOEXEC) < 0) {
        return ct_fail(err, errno, "make a pipe");
    }
    pid_t child = fork();
    if (child == 0) {
        if (set_all(job, spec, &cause) < 0) {
            (void)ct_error_send(report[1], &cause);
        }
        _exit(0);
    }
    int failure = errno;
    ct_cleanup_close(&report[1]);
    int told = child < 0 ? ct_fail(err, failure, "fork") : ct_error_receive(report[0], &cause, err);
    ct_cleanup_close(&report[0]);
    if (child > 0) {
        (void)waitpid(child, NULL, 0); /* what it did is known from the pipe */
    }
    if (told > 0) {
        *err = cause;
    }
    return told == 0 ? 0 : -1;
}

/*
 * hardening.c - what a container may not do: capabilities, seccomp, AppArmor.
 *
 * Room:       execdriver/lxc.   Called by: config.c.
 * Man:        capabilities(7), seccomp(2), lxc.container.conf(5) (SECCOMP CONFIGURATION).
 * Spec:       moby, profiles/seccomp/default.json: which system calls, and which capability gives
 *             them back.
 *
 * Docker's profile lists what is allowed. LXC's format is used the other way round here, as a list
 * of what is refused: a list of everything allowed would have to name 350 system calls in a format
 * that has no conditions. What both refuse is the same, for what is refused by name.
 */
#define CT_LAYER "execdriver"
#include "caps.h"
#include "config.h"

#include "cleanup.h"
#include "file.h"
#include "log.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- seccomp -------------------------------------------------------------------------------- */

#define NEVER (-1)

/* Refused with EPERM unless the container has the capability. */
static const struct refused {
    int unless;
    const char *calls; /* blank-separated */
} refused[] = {
    /* keys are not in a namespace; the others have had more holes than users */
    {NEVER, "add_key keyctl request_key userfaultfd io_uring_setup io_uring_enter "
            "io_uring_register"},
    {NEVER, "swapon swapoff uselib ustat sysfs _sysctl nfsservctl create_module get_kernel_syms "
            "query_module vm86 vm86old move_pages"},
    {CAP_SYS_ADMIN, "mount umount umount2 pivot_root fsopen fsconfig fsmount fspick move_mount "
                    "open_tree mount_setattr"},
    {CAP_SYS_ADMIN, "unshare setns sethostname setdomainname quotactl quotactl_fd fanotify_init "
                    "lookup_dcookie"},
    {CAP_BPF, "bpf"},
    {CAP_PERFMON, "perf_event_open"},
    {CAP_SYSLOG, "syslog"},
    {CAP_DAC_READ_SEARCH, "open_by_handle_at"},
    {CAP_SYS_MODULE, "init_module finit_module delete_module"},
    {CAP_SYS_BOOT, "kexec_load kexec_file_load reboot"},
    {CAP_SYS_PACCT, "acct"},
    {CAP_SYS_PTRACE, "kcmp"},
    {CAP_SYS_RAWIO, "iopl ioperm"},
    {CAP_SYS_TIME, "settimeofday stime clock_settime clock_settime64"},
    {CAP_SYS_TTY_CONFIG, "vhangup"},
    {CAP_SYS_NICE, "get_mempolicy set_mempolicy mbind set_mempolicy_home_node"},
    {CAP_SYS_CHROOT, "chroot"},
};

/* Each flag of clone(2) that makes a namespace. A rule can compare, not ask "any of": one each. */
static const unsigned namespace_flags[] = {0x00020000, 0x02000000, 0x04000000, 0x08000000,
                                           0x10000000, 0x20000000, 0x40000000};

static void write_refused(FILE *out, uint64_t caps)
{
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        /* SYS_ADMIN is also what BPF and PERFMON were split from. */
        bool given = refused[i].unless != NEVER &&
                     ((caps & CAP_BIT(refused[i].unless)) ||
                      ((refused[i].unless == CAP_BPF || refused[i].unless == CAP_PERFMON) &&
                       (caps & CAP_BIT(CAP_SYS_ADMIN))));
        CT_AUTO_FREE char *calls = ct_strdup(refused[i].calls);
        char *position = NULL;
        for (char *c = strtok_r(calls, " ", &position); c && !given;
             c = strtok_r(NULL, " ", &position)) {
            (void)fprintf(out, "%s errno 1\n", c);
        }
    }
}

static void write_clone(FILE *out, uint64_t caps)
{
    if (caps & CAP_BIT(CAP_SYS_ADMIN)) {
        return;
    }
    for (size_t i = 0; i < sizeof(namespace_flags) / sizeof(namespace_flags[0]); i++) {
        (void)fprintf(out, "clone errno 1 [0,%u,SCMP_CMP_MASKED_EQ,%u]\n", namespace_flags[i],
                      namespace_flags[i]);
    }
    /* Its flags are in memory, where a filter cannot look: "no such call" (ENOSYS, 38) makes every
     * libc fall back to clone(2). */
    (void)fprintf(out, "clone3 errno 38\n");
}

static char *profile_text(uint64_t caps)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (!out) {
        return NULL;
    }
    (void)fprintf(out, "2\ndenylist\n[all]\n");
    write_refused(out, caps);
    write_clone(out, caps);
    /* AF_ALG, AF_VSOCK (CVE-2026-31431 and others before). Only for native programs: 32-bit x86
     * multiplexes all of socket(2) through one call, which would have to be refused as a whole. */
#if defined(__x86_64__)
    (void)fprintf(out, "[x86_64]\nsocket errno 97 [0,38,SCMP_CMP_EQ]\n"
                       "socket errno 97 [0,40,SCMP_CMP_EQ]\n");
#else
    (void)fprintf(out, "socket errno 97 [0,38,SCMP_CMP_EQ]\nsocket errno 97 [0,40,SCMP_CMP_EQ]\n");
#endif
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static int write_profile(struct config *config, uint64_t caps)
{
    CT_AUTO_FREE char *text = profile_text(caps);
    CT_AUTO_CLOSE int fd = openat(config->state_fd, SECCOMP_FILE,
                                  O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (!text || fd < 0 || ct_write_all(fd, text, strlen(text)) < 0) {
        return ct_fail(config->err, errno, "write the seccomp profile '%s/%s'",
                       config->spec->state_dir, SECCOMP_FILE);
    }
    config_line(config, "lxc.seccomp.profile", "%s/%s", config->spec->state_dir, SECCOMP_FILE);
    return 0;
}

static int write_seccomp(struct config *config, uint64_t caps)
{
    const char *wanted = config->spec->seccomp;

    if (config->spec->privileged || (wanted && strcmp(wanted, "unconfined") == 0)) {
        return 0;
    }
    if (wanted) {
        (void)ct_refuse(config->err, CT_UNSUPPORTED,
                        "use the seccomp profile '%.80s': this stage has its own and 'unconfined'",
                        wanted);
        return ct_hint(config->err, "profiles of one's own come in stage 03-libcontainer");
    }
    return write_profile(config, caps);
}

/* ---- AppArmor ------------------------------------------------------------------------------- */

#define LXC_PROFILE "lxc-container-default-cgns"

static bool apparmor_is_on(void)
{
    struct ct_error ignored = {0};
    CT_AUTO_FREE char *text = NULL;

    return ct_read_file_at(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", 16, &text,
                           &ignored) > 0 &&
           text[0] == 'Y';
}

/* Whether the profile that LXC takes by itself is in the kernel. Debian's lxc package loads it. */
static bool lxc_profile_is_loaded(void)
{
    struct ct_error ignored = {0};
    CT_AUTO_FREE char *loaded = NULL;

    return ct_read_file_at(AT_FDCWD, "/sys/kernel/security/apparmor/profiles", 1u << 20, &loaded,
                           &ignored) > 0 &&
           strstr(loaded, LXC_PROFILE " (");
}

/* The profile to be written; NULL: leave it to LXC, which then takes its own. */
static const char *choose_profile(const struct exec_spec *spec)
{
    if (spec->apparmor) {
        return spec->apparmor;
    }
    if (spec->privileged) {
        return "unconfined";
    }
    if (apparmor_is_on() && !lxc_profile_is_loaded()) {
        /* LXC would refuse to start; Docker too goes without where it cannot have its own. */
        ct_info("run without AppArmor: profile not loaded profile=" LXC_PROFILE);
        return "unconfined";
    }
    return NULL;
}

static int write_apparmor(struct config *config)
{
    const char *profile = choose_profile(config->spec);

    if (!profile) {
        return 0;
    }
    if (strcmp(profile, "unconfined") != 0 && !apparmor_is_on()) {
        return ct_refuse(config->err, CT_UNSUPPORTED,
                         "use the AppArmor profile '%.80s': AppArmor is not enabled on this host",
                         profile);
    }
    config_line(config, "lxc.apparmor.profile", "%s", profile);
    return 0;
}

/* ---- all of it ------------------------------------------------------------------------------ */

void config_harden(struct config *config)
{
    uint64_t caps = 0;

    if (config->failed) {
        return;
    }
    if (caps_of(config->spec, &caps, config->err) < 0) {
        config_fail(config);
        return;
    }
    if (!caps_are_all(caps)) {
        CT_AUTO_FREE char *text = caps_text(caps);
        config_line(config, "lxc.cap.keep", "%s", text);
    }
    if (config->spec->no_new_privileges) {
        config_line(config, "lxc.no_new_privs", "1");
    }
    if (write_seccomp(config, caps) < 0 || write_apparmor(config) < 0) {
        config_fail(config);
    }
}

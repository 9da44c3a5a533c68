/*
 * caps.c - which capabilities a container has.
 *
 * Room:       execdriver/lxc.   Called by: see caps.h.   Man: capabilities(7).
 * Spec:       moby, oci/caps: the default set, and add and drop with ALL.
 */
#define CT_LAYER "execdriver"
#include "caps.h"

#include "cleanup.h"
#include "path.h"

#include <linux/capability.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>

/* The index is the capability's number. */
static const char *const names[] = {
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
};
#define N_NAMES (sizeof(names) / sizeof(names[0]))

static const uint64_t docker_default =
    CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_DAC_OVERRIDE) | CAP_BIT(CAP_FSETID) | CAP_BIT(CAP_FOWNER) |
    CAP_BIT(CAP_MKNOD) | CAP_BIT(CAP_NET_RAW) | CAP_BIT(CAP_SETGID) | CAP_BIT(CAP_SETUID) |
    CAP_BIT(CAP_SETFCAP) | CAP_BIT(CAP_SETPCAP) | CAP_BIT(CAP_NET_BIND_SERVICE) |
    CAP_BIT(CAP_SYS_CHROOT) | CAP_BIT(CAP_KILL) | CAP_BIT(CAP_AUDIT_WRITE);

/* All that the running kernel knows and that we may still give: our own bounding set. */
static uint64_t all_caps(void)
{
    uint64_t set = 0;

    for (size_t i = 0; i < N_NAMES; i++) {
        if (prctl(PR_CAPBSET_READ, i) == 1) {
            set |= CAP_BIT(i);
        }
    }
    return set;
}

/* "NET_ADMIN", "CAP_NET_ADMIN", "net_admin"; "ALL" is every one. */
static int parse(const char *name, uint64_t *ret, struct ct_error *err)
{
    const char *bare = strncasecmp(name, "CAP_", 4) == 0 ? name + 4 : name;

    if (strcasecmp(bare, "ALL") == 0) {
        *ret = all_caps();
        return 0;
    }
    for (size_t i = 0; i < N_NAMES; i++) {
        if (strcasecmp(bare, names[i]) == 0) {
            *ret = CAP_BIT(i);
            return 0;
        }
    }
    (void)ct_refuse(err, CT_INVALID, "use the capability '%.60s': there is none of this name",
                    name);
    return ct_hint(err, "names are those of capabilities(7), such as NET_ADMIN, or ALL");
}

/* ALL counts before the single names, so that "--cap-drop ALL --cap-add CHOWN" leaves CHOWN. */
static int collect(const char *const *list, uint64_t *ret_all, uint64_t *ret_single,
                   struct ct_error *err)
{
    for (; list && *list; list++) {
        uint64_t set = 0;
        if (parse(*list, &set, err) < 0) {
            return -1;
        }
        *(set & (set - 1) ? ret_all : ret_single) |= set;
    }
    return 0;
}

int caps_of(const struct exec_spec *spec, uint64_t *ret, struct ct_error *err)
{
    uint64_t add_all = 0, add = 0, drop_all = 0, drop = 0;

    if (collect(spec->cap_add, &add_all, &add, err) < 0 ||
        collect(spec->cap_drop, &drop_all, &drop, err) < 0) {
        return -1;
    }
    uint64_t set = spec->privileged || add_all ? all_caps() : drop_all ? 0 : docker_default;
    set = (set | add) & ~drop;
    *ret = spec->privileged ? all_caps() : set & all_caps();
    return 0;
}

char *caps_text(uint64_t set)
{
    CT_AUTO_FREE char *text = ct_strdup("");

    for (size_t i = 0; i < N_NAMES; i++) {
        if (set & CAP_BIT(i)) {
            char *longer = ct_printf("%s%s%s", text, text[0] ? " " : "", names[i]);
            free(text);
            text = longer;
        }
    }
    return text[0] ? ct_steal(text) : ct_strdup("none");
}

bool caps_are_all(uint64_t set)
{
    return (all_caps() & ~set) == 0;
}

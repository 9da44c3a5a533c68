/*
 * capabilities.c - the five sets of capabilities.
 *
 * Room:       libcontainer.   Called by: see capabilities.h.
 * Man:        capabilities(7), capget(2), prctl(2) (PR_CAPBSET_DROP, PR_CAP_AMBIENT).
 *
 * By the system calls themselves: libcap probes every capability with some fifty calls before
 * main(), in every program that links it.
 */
#define CT_LAYER "capabilities"
#include "capabilities.h"

#include "fields.h"
#include "log.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The index is the capability's number. */
static const char *const names[] = {
    [CAP_CHOWN] = "CAP_CHOWN",
    [CAP_DAC_OVERRIDE] = "CAP_DAC_OVERRIDE",
    [CAP_DAC_READ_SEARCH] = "CAP_DAC_READ_SEARCH",
    [CAP_FOWNER] = "CAP_FOWNER",
    [CAP_FSETID] = "CAP_FSETID",
    [CAP_KILL] = "CAP_KILL",
    [CAP_SETGID] = "CAP_SETGID",
    [CAP_SETUID] = "CAP_SETUID",
    [CAP_SETPCAP] = "CAP_SETPCAP",
    [CAP_LINUX_IMMUTABLE] = "CAP_LINUX_IMMUTABLE",
    [CAP_NET_BIND_SERVICE] = "CAP_NET_BIND_SERVICE",
    [CAP_NET_BROADCAST] = "CAP_NET_BROADCAST",
    [CAP_NET_ADMIN] = "CAP_NET_ADMIN",
    [CAP_NET_RAW] = "CAP_NET_RAW",
    [CAP_IPC_LOCK] = "CAP_IPC_LOCK",
    [CAP_IPC_OWNER] = "CAP_IPC_OWNER",
    [CAP_SYS_MODULE] = "CAP_SYS_MODULE",
    [CAP_SYS_RAWIO] = "CAP_SYS_RAWIO",
    [CAP_SYS_CHROOT] = "CAP_SYS_CHROOT",
    [CAP_SYS_PTRACE] = "CAP_SYS_PTRACE",
    [CAP_SYS_PACCT] = "CAP_SYS_PACCT",
    [CAP_SYS_ADMIN] = "CAP_SYS_ADMIN",
    [CAP_SYS_BOOT] = "CAP_SYS_BOOT",
    [CAP_SYS_NICE] = "CAP_SYS_NICE",
    [CAP_SYS_RESOURCE] = "CAP_SYS_RESOURCE",
    [CAP_SYS_TIME] = "CAP_SYS_TIME",
    [CAP_SYS_TTY_CONFIG] = "CAP_SYS_TTY_CONFIG",
    [CAP_MKNOD] = "CAP_MKNOD",
    [CAP_LEASE] = "CAP_LEASE",
    [CAP_AUDIT_WRITE] = "CAP_AUDIT_WRITE",
    [CAP_AUDIT_CONTROL] = "CAP_AUDIT_CONTROL",
    [CAP_SETFCAP] = "CAP_SETFCAP",
    [CAP_MAC_OVERRIDE] = "CAP_MAC_OVERRIDE",
    [CAP_MAC_ADMIN] = "CAP_MAC_ADMIN",
    [CAP_SYSLOG] = "CAP_SYSLOG",
    [CAP_WAKE_ALARM] = "CAP_WAKE_ALARM",
    [CAP_BLOCK_SUSPEND] = "CAP_BLOCK_SUSPEND",
    [CAP_AUDIT_READ] = "CAP_AUDIT_READ",
    [CAP_PERFMON] = "CAP_PERFMON",
    [CAP_BPF] = "CAP_BPF",
    [CAP_CHECKPOINT_RESTORE] = "CAP_CHECKPOINT_RESTORE",
};
#define N_NAMES ((int)(sizeof(names) / sizeof(names[0])))

#define BIT(number) (UINT64_C(1) << (number))
#define MAX_CAPS    64 /* what a set has room for; the kernel's, too */

int lc_cap_number(const char *name)
{
    for (int i = 0; i < N_NAMES; i++) {
        if (strcmp(name, names[i]) == 0) {
            return i;
        }
    }
    return -1;
}

const char *lc_cap_name(int number)
{
    return number >= 0 && number < N_NAMES ? names[number] : NULL;
}

/* A kernel may be older or newer than the names above. */
int lc_cap_count(void)
{
    static int count = -1; /* a kernel does not change */

    if (count < 0) {
        int n = N_NAMES;
        while (n > 0 && prctl(PR_CAPBSET_READ, n - 1, 0, 0, 0) < 0) {
            n--;
        }
        while (n < MAX_CAPS && prctl(PR_CAPBSET_READ, n, 0, 0, 0) >= 0) {
            n++;
        }
        count = n;
    }
    return count;
}

/* ---- parsing -------------------------------------------------------------------------------- */

/* "MUST be logged as a warning": a list for a newer kernel than ours must still run here. */
static int parse_set(const json_t *capabilities, const char *where, const char *key, uint64_t *ret,
                     struct ct_error *err)
{
    const json_t *array = NULL;

    if (lc_field_array(capabilities, where, key, &array, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *name = json_string_value(json_array_get(array, i));
        if (!name) {
            return ct_refuse(err, CT_INVALID, "%s.%s[%zu]: it must be a string", where, key, i);
        }
        int number = lc_cap_number(name);
        if (number < 0 || number >= lc_cap_count()) {
            ct_warn("leave out a capability that is unknown here name=%.60s set=%s.%s", name, where,
                    key);
            continue;
        }
        *ret |= BIT(number);
    }
    return 0;
}

/* What one set may hold depends on others; the kernel would refuse the whole for one bit. */
static void keep_within(uint64_t *set, uint64_t limit, const char *name, const char *limit_name)
{
    for (int i = 0; i < MAX_CAPS; i++) {
        if (*set & ~limit & BIT(i)) {
            ct_warn(
                "leave out a capability that cannot be granted name=%s set=%s because=not-in-%s",
                lc_cap_name(i), name, limit_name);
        }
    }
    *set &= limit;
}

int lc_caps_parse(const json_t *capabilities, const char *where, struct lc_caps *ret,
                  struct ct_error *err)
{
    struct lc_caps caps = {0};

    if (capabilities && lc_field_is_object(capabilities, where, err) < 0) {
        return -1;
    }
    if (parse_set(capabilities, where, "bounding", &caps.bounding, err) < 0 ||
        parse_set(capabilities, where, "permitted", &caps.permitted, err) < 0 ||
        parse_set(capabilities, where, "effective", &caps.effective, err) < 0 ||
        parse_set(capabilities, where, "inheritable", &caps.inheritable, err) < 0 ||
        parse_set(capabilities, where, "ambient", &caps.ambient, err) < 0) {
        return -1;
    }
    keep_within(&caps.effective, caps.permitted, "effective", "permitted");
    keep_within(&caps.inheritable, caps.bounding, "inheritable", "bounding");
    keep_within(&caps.ambient, caps.permitted, "ambient", "permitted");
    caps.ambient &= caps.inheritable; /* without a word: `runc spec` itself writes such a list */
    *ret = caps;
    return 0;
}

/* ---- applying ------------------------------------------------------------------------------- */

/* Every one that the kernel has, also those that have no name here. */
int lc_caps_limit(const struct lc_caps *caps, struct ct_error *err)
{
    for (int i = 0; i < lc_cap_count(); i++) {
        if ((caps->bounding & BIT(i)) || prctl(PR_CAPBSET_DROP, i, 0, 0, 0) == 0) {
            continue;
        }
        int failure = errno;
        if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) != 0) {
            return ct_fail(err, failure, "drop capability %d from the bounding set", i);
        } /* else it was gone before: no right is needed for that */
    }
    return 0;
}

/* The three sets of capset(2), which has them in halves of 32 bits. */
struct process_sets {
    uint64_t effective, permitted, inheritable;
};

static int get_sets(struct process_sets *ret, struct ct_error *err)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct half[_LINUX_CAPABILITY_U32S_3] = {{0}};

    if (syscall(SYS_capget, &header, half) < 0) {
        return ct_fail(err, errno, "read our own capabilities");
    }
    ret->effective = half[0].effective | (uint64_t)half[1].effective << 32;
    ret->permitted = half[0].permitted | (uint64_t)half[1].permitted << 32;
    ret->inheritable = half[0].inheritable | (uint64_t)half[1].inheritable << 32;
    return 0;
}

static int set_sets(const struct process_sets *sets, struct ct_error *err)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct half[_LINUX_CAPABILITY_U32S_3];

    for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        half[i] = (struct __user_cap_data_struct){
            .effective = (uint32_t)(sets->effective >> (32 * i)),
            .permitted = (uint32_t)(sets->permitted >> (32 * i)),
            .inheritable = (uint32_t)(sets->inheritable >> (32 * i)),
        };
    }
    if (syscall(SYS_capset, &header, half) < 0) {
        return ct_fail(err, errno, "set capabilities (effective %llx, permitted %llx)",
                       (unsigned long long)sets->effective, (unsigned long long)sets->permitted);
    }
    return 0;
}

static int raise_ambient(uint64_t ambient, struct ct_error *err)
{
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0) {
        return ct_fail(err, errno, "clear the ambient capabilities");
    }
    for (int i = 0; i < MAX_CAPS; i++) {
        if ((ambient & BIT(i)) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) < 0) {
            return ct_fail(err, errno, "raise the ambient capability '%s'", lc_cap_name(i));
        }
    }
    return 0;
}

/*
 * Nobody can give what he does not have: where we run without all rights ourselves (in a container
 * of somebody else's), the container gets what there is, as the specification wants.
 */
int lc_caps_apply(const struct lc_caps *caps, uint64_t extra, struct ct_error *err)
{
    struct process_sets ours = {0};
    uint64_t permitted = caps->permitted | extra;
    uint64_t inheritable = caps->inheritable;

    if (get_sets(&ours, err) < 0) {
        return -1;
    }
    keep_within(&permitted, ours.permitted, "permitted", "own");
    keep_within(&inheritable, ours.permitted | ours.inheritable, "inheritable", "own");
    const struct process_sets wanted = {.permitted = permitted,
                                        .effective = (caps->effective | extra) & permitted,
                                        .inheritable = inheritable};
    if (set_sets(&wanted, err) < 0) {
        return -1;
    }
    return raise_ambient(caps->ambient & permitted & inheritable, err);
}

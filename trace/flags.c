/*
 * flags.c - sets of bits as the names that manual pages give them.
 *
 * Room:       trace.   Called by: decode.c.
 * Library:    libcap, for the names of capabilities.
 */
#include "flags.h"

#include "cleanup.h"
#include "path.h"

#include <ctype.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <sys/capability.h>
#include <sys/mount.h>

struct flag {
    unsigned long long bit;
    const char *name;
};

#define FLAG(name)    \
    {                 \
        (name), #name \
    }
#define END     \
    {           \
        0, NULL \
    }

static const struct flag clone_flags[] = {
    FLAG(CLONE_NEWNS),  FLAG(CLONE_NEWUTS),      FLAG(CLONE_NEWIPC),    FLAG(CLONE_NEWPID),
    FLAG(CLONE_NEWNET), FLAG(CLONE_NEWUSER),     FLAG(CLONE_NEWCGROUP), FLAG(CLONE_NEWTIME),
    FLAG(CLONE_VFORK),  FLAG(CLONE_INTO_CGROUP), FLAG(CLONE_PIDFD),     END,
};

static const struct flag mount_flags[] = {
    FLAG(MS_RDONLY),
    FLAG(MS_NOSUID),
    FLAG(MS_NODEV),
    FLAG(MS_NOEXEC),
    FLAG(MS_REMOUNT),
    FLAG(MS_BIND),
    FLAG(MS_MOVE),
    FLAG(MS_REC),
    FLAG(MS_UNBINDABLE),
    FLAG(MS_PRIVATE),
    FLAG(MS_SLAVE),
    FLAG(MS_SHARED),
    END,
};

static const struct flag umount_flags[] = {
    FLAG(MNT_FORCE), FLAG(MNT_DETACH), FLAG(MNT_EXPIRE), FLAG(UMOUNT_NOFOLLOW), END,
};

static const struct flag mount_attr_flags[] = {
    FLAG(MOUNT_ATTR_RDONLY),      FLAG(MOUNT_ATTR_NOSUID),
    FLAG(MOUNT_ATTR_NODEV),       FLAG(MOUNT_ATTR_NOEXEC),
    FLAG(MOUNT_ATTR_NOATIME),     FLAG(MOUNT_ATTR_STRICTATIME),
    FLAG(MOUNT_ATTR_NODIRATIME),  FLAG(MOUNT_ATTR_IDMAP),
    FLAG(MOUNT_ATTR_NOSYMFOLLOW), END,
};

static const struct flag open_tree_flags[] = {
    FLAG(OPEN_TREE_CLONE),
    FLAG(AT_RECURSIVE),
    END,
};

static const struct flag move_mount_flags[] = {
    FLAG(MOVE_MOUNT_F_SYMLINKS),
    FLAG(MOVE_MOUNT_T_SYMLINKS),
    FLAG(MOVE_MOUNT_SET_GROUP),
    END,
};

static const struct flag at_flags[] = {
    FLAG(AT_RECURSIVE),
    FLAG(AT_SYMLINK_NOFOLLOW),
    END,
};

static const struct flag seccomp_flags[] = {
    FLAG(SECCOMP_FILTER_FLAG_TSYNC),
    FLAG(SECCOMP_FILTER_FLAG_LOG),
    FLAG(SECCOMP_FILTER_FLAG_SPEC_ALLOW),
    FLAG(SECCOMP_FILTER_FLAG_NEW_LISTENER),
    END,
};

static const struct flag secure_bits[] = {
    FLAG(SECBIT_NOROOT),        FLAG(SECBIT_NO_SETUID_FIXUP),      FLAG(SECBIT_KEEP_CAPS),
    FLAG(SECBIT_NOROOT_LOCKED), FLAG(SECBIT_NO_CAP_AMBIENT_RAISE), END,
};

static const struct flag *const kinds[FLAGS_KINDS] = {
    [FLAGS_CLONE] = clone_flags,
    [FLAGS_MOUNT] = mount_flags,
    [FLAGS_UMOUNT] = umount_flags,
    [FLAGS_MOUNT_ATTR] = mount_attr_flags,
    [FLAGS_OPEN_TREE] = open_tree_flags,
    [FLAGS_MOVE_MOUNT] = move_mount_flags,
    [FLAGS_AT] = at_flags,
    [FLAGS_SECCOMP] = seccomp_flags,
    [FLAGS_SECUREBITS] = secure_bits,
};

char *flags_text(enum flag_kind kind, unsigned long long bits)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    const char *separator = "";

    if (!out) {
        return ct_strdup("");
    }
    for (const struct flag *flag = kinds[kind]; flag->name; flag++) {
        if (bits & flag->bit) {
            (void)fprintf(out, "%s%s", separator, flag->name);
            separator = "|";
        }
    }
    (void)fclose(out);
    return text;
}

char *flags_capability(unsigned long long number)
{
    char *name = number <= CAP_LAST_CAP ? cap_to_name((cap_value_t)number) : NULL;
    char *copy = name ? ct_strdup(name) : ct_printf("capability %llu", number);

    for (char *c = copy; name && *c; c++) {
        *c = (char)toupper((unsigned char)*c); /* libcap writes them small, the manual large */
    }
    (void)cap_free(name);
    return copy;
}

char *flags_capabilities(unsigned long long set)
{
    const unsigned long long all = (1ULL << (CAP_LAST_CAP + 1)) - 1;
    char *text = NULL;
    size_t length = 0;
    FILE *out = (set & all) == 0 || (set & all) == all ? NULL : open_memstream(&text, &length);

    if (!out) {
        return ct_strdup((set & all) == 0 ? "no capabilities" : "all capabilities");
    }
    for (unsigned int i = 0; i <= CAP_LAST_CAP; i++) {
        if (set & 1ULL << i) {
            CT_AUTO_FREE char *name = flags_capability(i);
            (void)fprintf(out, "%s%s", set & ((1ULL << i) - 1) ? "|" : "", name);
        }
    }
    (void)fclose(out);
    return text;
}

/*
 * flags.h - sets of bits as the names that manual pages give them.
 *
 * Room:       trace.   Called by: decode.c.
 * Man:        clone(2), mount(2), umount(2), mount_setattr(2), open_tree(2), seccomp(2),
 *             capabilities(7).
 */
#ifndef TRACE_FLAGS_H
#define TRACE_FLAGS_H

enum flag_kind {
    FLAGS_CLONE, /* only namespaces and what else matters for containers */
    FLAGS_MOUNT,
    FLAGS_UMOUNT,
    FLAGS_MOUNT_ATTR,
    FLAGS_OPEN_TREE,
    FLAGS_MOVE_MOUNT,
    FLAGS_AT,
    FLAGS_SECCOMP,
    FLAGS_SECUREBITS,
    FLAGS_KINDS
};

/* "MS_NOSUID|MS_REC". Bits without a name of interest are left out. Owned; "" for none. */
char *flags_text(enum flag_kind kind, unsigned long long bits);

/* "CAP_CHOWN|CAP_KILL", "no capabilities", "all capabilities" (that this program knows). Owned. */
char *flags_capabilities(unsigned long long set);

/* "CAP_CHOWN"; "capability 77" when it is newer than this program. Owned. */
char *flags_capability(unsigned long long number);

#endif

/*
 * calls.h - which system calls are reported, and what of their arguments.
 *
 * Room:       trace.   Included by: trace.bpf.c only; decode.c puts the result into words.
 * Man:        syscalls(2), and each call's own page.
 *
 * A number is kept as it was passed. What stands behind a pointer is read here, at the entry: a
 * text into event->text, numbers into the place of an argument that nobody needs (each function
 * says which). decode.c reads them there.
 *
 * A program of ours may not wait for a page that is not in memory; the call itself does, when it
 * reads its argument. So a text that was not there at the entry is read at the end.
 */
#ifndef TRACE_CALLS_H
#define TRACE_CALLS_H

#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>

#include "event.h"
#include "kernel.h"

#include <asm/unistd.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* How a call's arguments are read; TEXT_1_3: the first and the third point to texts. */
enum reading {
    NOT_REPORTED,
    NUMBERS,
    TEXT_1,
    TEXT_1_2,
    TEXT_1_2_3,
    TEXT_2,
    TEXT_2_4,
    TEXT_3_4,
    CLONE3,
    CONNECT,
    MOUNT_SETATTR,
    CAPSET,
    SETGROUPS,
    PRCTL,
    PRLIMIT,
    SECCOMP,
    PROGRAM,
    WRITE,
};

#define CALLS_MAX 512

static const unsigned char readings[CALLS_MAX] = {
    /* processes and namespaces */
    [__NR_clone] = NUMBERS,
    [__NR_clone3] = CLONE3,
    [__NR_unshare] = NUMBERS,
    [__NR_setns] = NUMBERS,
    [__NR_execve] = TEXT_1,
    [__NR_execveat] = TEXT_2,
    [__NR_kill] = NUMBERS,
    [__NR_tgkill] = NUMBERS,
    [__NR_pidfd_send_signal] = NUMBERS,
    /* the file system as it sees it */
    [__NR_mount] = TEXT_1_2_3,
    [__NR_umount2] = TEXT_1,
    [__NR_open_tree] = TEXT_2,
    [__NR_move_mount] = TEXT_2_4,
    [__NR_fsopen] = TEXT_1,
    [__NR_fsconfig] = TEXT_3_4,
    [__NR_fsmount] = NUMBERS,
    [__NR_fspick] = TEXT_2,
    [__NR_mount_setattr] = MOUNT_SETATTR,
    [__NR_pivot_root] = TEXT_1_2,
    [__NR_chroot] = TEXT_1,
#ifdef __NR_mknod
    [__NR_mknod] = TEXT_1,
#endif
    [__NR_mknodat] = TEXT_2,
    [__NR_sethostname] = TEXT_1,
    [__NR_setdomainname] = TEXT_1,
    /* what it may do */
    [__NR_setuid] = NUMBERS,
    [__NR_setgid] = NUMBERS,
    [__NR_setreuid] = NUMBERS,
    [__NR_setregid] = NUMBERS,
    [__NR_setresuid] = NUMBERS,
    [__NR_setresgid] = NUMBERS,
    [__NR_setgroups] = SETGROUPS,
    [__NR_capset] = CAPSET,
    [__NR_prctl] = PRCTL,
    [__NR_prlimit64] = PRLIMIT,
    [__NR_seccomp] = SECCOMP,
    [__NR_bpf] = PROGRAM,
    /* what it tells others: limits, maps of users, records, peers */
    [__NR_write] = WRITE,
    [__NR_pwrite64] = WRITE,
    [__NR_fsync] = NUMBERS,
    [__NR_fdatasync] = NUMBERS,
    [__NR_syncfs] = NUMBERS,
    [__NR_connect] = CONNECT,
};

static __always_inline enum reading reading_of(long long call)
{
    return call >= 0 && call < CALLS_MAX ? (enum reading)readings[call] : NOT_REPORTED;
}

/* What is kept of a call while it lasts. The event is what user space gets. */
struct call {
    struct trace_event event;               /* the first member: whoever has it has the call */
    unsigned long long unread[TRACE_TEXTS]; /* where a text stands that was not in memory, or 0 */
};

static __always_inline void read_text(struct trace_event *event, int i, unsigned long pointer)
{
    if (pointer && i >= 0 && i < TRACE_TEXTS &&
        bpf_probe_read_user_str(event->text[i], TRACE_TEXT_BYTES, (void *)pointer) < 0) {
        ((struct call *)event)->unread[i] = pointer;
    }
}

/* At the end of the call. What the kernel could not read either stays empty. */
static __always_inline void read_late(struct call *call)
{
    for (int i = 0; i < TRACE_TEXTS; i++) {
        if (call->unread[i]) {
            bpf_probe_read_user_str(call->event.text[i], TRACE_TEXT_BYTES, (void *)call->unread[i]);
        }
    }
}

/* 32 bits behind a pointer. */
static __always_inline unsigned int read_u32(unsigned long pointer)
{
    unsigned int value = 0;
    bpf_probe_read_user(&value, sizeof(value), (void *)pointer);
    return value;
}

static __always_inline unsigned long long read_u64(unsigned long pointer)
{
    unsigned long long value = 0;
    bpf_probe_read_user(&value, sizeof(value), (void *)pointer);
    return value;
}

static __always_inline void read_kernel_text(struct trace_event *event, int i, const void *pointer)
{
    bpf_probe_read_kernel_str(event->text[i], TRACE_TEXT_BYTES, pointer);
}

/* What the calling process has open under this number; NULL: nothing. */
static __always_inline struct file *open_file(unsigned int fd)
{
    struct task_struct *task = (void *)bpf_get_current_task();
    struct fdtable *table = BPF_CORE_READ(task, files, fdt);
    struct file *file = 0, **files = BPF_CORE_READ(table, fd);

    if (fd < BPF_CORE_READ(table, max_fds)) {
        bpf_probe_read_kernel(&file, sizeof(file), files + fd);
    }
    return file;
}

/* struct clone_args begins with the flags; with CLONE_INTO_CGROUP the text is the cgroup's name. */
static __always_inline int read_clone3(struct trace_event *event)
{
    unsigned long args = event->arg[1];

    event->arg[1] = read_u64(args);
    if (event->arg[1] & CLONE_INTO_CGROUP) {
        struct file *folder = open_file(read_u64(args + 80));
        read_kernel_text(event, 0, BPF_CORE_READ(folder, f_path.dentry, d_name.name));
    }
    return 1;
}

/* AF_UNIX connections: the path behind the two bytes of the family; an abstract one gets its '@'.
 */
static __always_inline int read_unix_path(struct trace_event *event, unsigned long pointer)
{
    unsigned short family = 0;
    bpf_probe_read_user(&family, sizeof(family), (void *)pointer);
    if (family != 1) {
        return 0;
    }
    read_text(event, 0, pointer + sizeof(family));
    if (!event->text[0][0]) {
        bpf_probe_read_user_str(event->text[0] + 1, TRACE_TEXT_BYTES - 1,
                                (void *)(pointer + sizeof(family) + 1));
        event->text[0][0] = '@';
    }
    return 1;
}

/* struct mount_attr: arg[2] becomes the propagation, arg[4] what is set, arg[5] what is cleared. */
static __always_inline int read_mount_attr(struct trace_event *event)
{
    unsigned long attr = event->arg[4];
    read_text(event, 0, event->arg[2]);
    event->arg[4] = read_u64(attr);
    event->arg[5] = read_u64(attr + 8);
    event->arg[2] = read_u64(attr + 16);
    return 1;
}

/* The three sets, of 64 bits in two parts: arg[1] effective, arg[2] permitted, arg[3] inheritable.
 */
static __always_inline int read_capabilities(struct trace_event *event)
{
    unsigned long data = event->arg[2];
    int parts = read_u32(event->arg[1]) == _LINUX_CAPABILITY_VERSION_1 ? 1 : 2;

    for (int set = 0; set < 3; set++) {
        unsigned long long low = read_u32(data + 4 * set);
        unsigned long long high = parts == 2 ? read_u32(data + 12 + 4 * set) : 0;
        event->arg[1 + set] = high << 32 | low;
    }
    return 1;
}

/* The first three groups: arg[2] to arg[4]. */
static __always_inline int read_groups(struct trace_event *event)
{
    unsigned long list = event->arg[2];
    for (int i = 0; i < 3; i++) {
        event->arg[2 + i] = event->arg[1] > i ? read_u32(list + 4 * i) : 0;
    }
    return 1;
}

/* Those that decide what a process and its children may do. A filter's length goes to arg[3]. */
static __always_inline int read_prctl(struct trace_event *event)
{
    switch (event->arg[1]) {
    case PR_SET_SECCOMP:
        event->arg[3] = read_u32(event->arg[3]) & 0xffff; /* struct sock_fprog: its first field */
        return 1;
    case PR_SET_PDEATHSIG:
    case PR_SET_DUMPABLE:
    case PR_SET_KEEPCAPS:
    case PR_CAPBSET_DROP:
    case PR_SET_SECUREBITS:
    case PR_SET_CHILD_SUBREAPER:
    case PR_SET_NO_NEW_PRIVS:
        return 1;
    case PR_CAP_AMBIENT:
        return event->arg[2] != PR_CAP_AMBIENT_IS_SET;
    default:
        return 0;
    }
}

/* Not what only asks for the limit. The new one: arg[3] soft, arg[4] hard. */
static __always_inline int read_prlimit(struct trace_event *event)
{
    unsigned long limit = event->arg[3];

    event->arg[3] = read_u64(limit);
    event->arg[4] = read_u64(limit + 8);
    return limit != 0;
}

/*
 * Not what only asks which actions and flags the kernel knows (libseccomp asks by a filter that is
 * NULL). A filter's length goes to arg[3].
 */
static __always_inline int read_seccomp(struct trace_event *event)
{
    if (event->arg[1] == SECCOMP_SET_MODE_FILTER && event->arg[3]) {
        event->arg[3] = read_u32(event->arg[3]) & 0xffff;
        return 1;
    }
    return event->arg[1] == SECCOMP_SET_MODE_STRICT && event->arg[2] == 0;
}

/* Loaded: arg[2] becomes the type, arg[3] the number of instructions. Attached: arg[2] is where. */
static __always_inline int read_bpf(struct trace_event *event)
{
    unsigned long attr = event->arg[2];

    if (!attr) {
        return 0; /* only asks whether the kernel knows the call */
    }
    if (event->arg[1] == BPF_PROG_LOAD) {
        event->arg[2] = read_u32(attr);
        event->arg[3] = read_u32(attr + 4);
        return 1;
    }
    event->arg[2] = read_u32(attr + 8);
    return event->arg[1] == BPF_PROG_ATTACH || event->arg[1] == BPF_PROG_DETACH;
}

/*
 * A write is reported when it is an order to the kernel: into a file of a cgroup (limits, members)
 * or of /proc (uid_map, setgroups, oom_score_adj, sysctls). NULL: this descriptor is no such file.
 */
static __always_inline struct file *order_file(unsigned int fd)
{
    struct file *file = open_file(fd);
    unsigned long kind = BPF_CORE_READ(file, f_inode, i_sb, s_magic);
    return kind == CGROUP2_SUPER_MAGIC || kind == CGROUP_SUPER_MAGIC || kind == PROC_SUPER_MAGIC
               ? file
               : 0;
}

/* Text: the file, its folder, what is written. */
static __always_inline int read_write(struct trace_event *event)
{
    struct file *file = order_file(event->arg[1]);
    struct dentry *entry = BPF_CORE_READ(file, f_path.dentry);
    unsigned long length = event->arg[3];

    read_kernel_text(event, 0, BPF_CORE_READ(entry, d_name.name));
    read_kernel_text(event, 1, BPF_CORE_READ(entry, d_parent, d_name.name));
    if (length > TRACE_TEXT_BYTES - 1) {
        length = TRACE_TEXT_BYTES - 1;
    }
    length &= TRACE_TEXT_BYTES - 1; /* the verifier wants to see the bound in the register */
    bpf_probe_read_user(event->text[2], length, (void *)event->arg[2]);
    event->text[2][length] = 0;
    return 1;
}

/* arg[1…5] are the call's arguments. 0: this one is not reported after all. */
static __always_inline int read_call(struct trace_event *event, enum reading reading)
{
    unsigned long a = event->arg[1], b = event->arg[2], c = event->arg[3], d = event->arg[4];

    switch (reading) {
    case NOT_REPORTED:
        return 0;
    case NUMBERS:
        return 1;
    case TEXT_1:
        read_text(event, 0, a);
        return 1;
    case TEXT_1_2:
        read_text(event, 0, a);
        read_text(event, 1, b);
        return 1;
    case TEXT_1_2_3:
        read_text(event, 0, a);
        read_text(event, 1, b);
        read_text(event, 2, c);
        return 1;
    case TEXT_2:
        read_text(event, 0, b);
        return 1;
    case TEXT_2_4:
        read_text(event, 0, b);
        read_text(event, 1, d);
        return 1;
    case TEXT_3_4:
        read_text(event, 0, c);
        read_text(event, 1, d);
        return 1;
    case CLONE3:
        return read_clone3(event);
    case CONNECT:
        return read_unix_path(event, b);
    case MOUNT_SETATTR:
        return read_mount_attr(event);
    case CAPSET:
        return read_capabilities(event);
    case SETGROUPS:
        return read_groups(event);
    case PRCTL:
        return read_prctl(event);
    case PRLIMIT:
        return read_prlimit(event);
    case SECCOMP:
        return read_seccomp(event);
    case PROGRAM:
        return read_bpf(event);
    case WRITE:
        return read_write(event);
    }
    return 0;
}

#endif

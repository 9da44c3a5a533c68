/*
 * decode.c - numbers of the kernel to the words of its manual pages.
 *
 * Room:       trace.   Called by: recording.c.
 * Library:    libseccomp, for the names of system calls.
 *
 * One function a kind of call; the table at the end says which call is which. Arguments are
 * numbered from 1: event->arg[0] is the call's own number.
 */
#include "decode.h"
#include "flags.h"

#include "cleanup.h"
#include "path.h"
#include "process.h"

#include <linux/bpf.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

/* ---- parts of a text ------------------------------------------------------------------------ */

/* A number with its name, in tables that end with NULL. */
struct word {
    unsigned long long value;
    const char *name;
};

#define WORD(name)    \
    {                 \
        (name), #name \
    }

/* "" when it has none. */
static const char *word_of(const struct word *words, unsigned long long value)
{
    while (words->name && words->value != value) {
        words++;
    }
    return words->name ? words->name : "";
}

/* Takes the end over: "a" and "b" -> "a, b"; an empty one leaves no comma. */
static char *with(char *text, char *end)
{
    char *both = *text && *end ? ct_printf("%s, %s", text, end) : ct_strdup(*text ? text : end);
    free(text);
    free(end);
    return both;
}

/* A path, or what the descriptor beside an empty one is. */
static char *place(const char *path, unsigned long long fd)
{
    return *path ? ct_printf("'%s'", path) : ct_printf("fd %d", (int)fd);
}

static long long id(unsigned long long value)
{
    return (int)value; /* -1: is to stay as it is */
}

/* ---- processes and namespaces --------------------------------------------------------------- */

static char *decode_clone(const struct trace_event *event)
{
    return with(flags_text(FLAGS_CLONE, event->arg[1]),
                *event->text[0] ? ct_printf("into '%s'", event->text[0]) : ct_strdup(""));
}

static char *decode_setns(const struct trace_event *event)
{
    CT_AUTO_FREE char *flags = flags_text(FLAGS_CLONE, event->arg[2]);
    return ct_printf("fd %d %s", (int)event->arg[1], flags);
}

static char *signal_text(unsigned long long target, unsigned long long number, const char *what)
{
    return ct_printf("%s to %s %d", number ? ct_signal_name((int)number) : "nothing", what,
                     (int)target);
}

static char *decode_kill(const struct trace_event *event)
{
    return signal_text(event->arg[1], event->arg[2], "process");
}

static char *decode_tgkill(const struct trace_event *event)
{
    return signal_text(event->arg[2], event->arg[3], "thread");
}

static char *decode_pidfd_send_signal(const struct trace_event *event)
{
    return signal_text(event->arg[1], event->arg[2], "pidfd");
}

/* ---- mounts --------------------------------------------------------------------------------- */

static char *decode_mount(const struct trace_event *event)
{
    const char *type = event->text[2];
    return with(
        ct_printf("'%s' on '%s'%s%s", event->text[0], event->text[1], *type ? " type " : "", type),
        flags_text(FLAGS_MOUNT, event->arg[4]));
}

static char *decode_umount(const struct trace_event *event)
{
    return with(ct_printf("'%s'", event->text[0]), flags_text(FLAGS_UMOUNT, event->arg[2]));
}

static char *decode_open_tree(const struct trace_event *event)
{
    return with(place(event->text[0], event->arg[1]), flags_text(FLAGS_OPEN_TREE, event->arg[3]));
}

static char *decode_move_mount(const struct trace_event *event)
{
    CT_AUTO_FREE char *from = place(event->text[0], event->arg[1]);
    CT_AUTO_FREE char *to = place(event->text[1], event->arg[3]);
    return with(ct_printf("%s -> %s", from, to), flags_text(FLAGS_MOVE_MOUNT, event->arg[5]));
}

static char *decode_pivot_root(const struct trace_event *event)
{
    return ct_printf("'%s' -> '%s'", event->text[0], event->text[1]);
}

static char *decode_fsconfig(const struct trace_event *event)
{
    const char *key = event->text[0], *value = event->text[1];

    switch (event->arg[2]) {
    case FSCONFIG_CMD_CREATE:
        return ct_strdup("create");
    case FSCONFIG_CMD_RECONFIGURE:
        return ct_strdup("reconfigure");
    case FSCONFIG_SET_FD:
        return ct_printf("%s=fd %d", key, (int)event->arg[5]);
    case FSCONFIG_SET_BINARY:
        return ct_printf("%s=(%d bytes)", key, (int)event->arg[5]);
    default:
        return ct_printf("%s%s%s", key, *value ? "=" : "", value);
    }
}

static char *decode_fsmount(const struct trace_event *event)
{
    return with(place("", event->arg[1]), flags_text(FLAGS_MOUNT_ATTR, event->arg[3]));
}

/* Behind the pointers: 2 propagation, 4 what is set, 5 what is cleared. */
static char *decode_mount_setattr(const struct trace_event *event)
{
    CT_AUTO_FREE char *set = flags_text(FLAGS_MOUNT_ATTR, event->arg[4]);
    CT_AUTO_FREE char *clear = flags_text(FLAGS_MOUNT_ATTR, event->arg[5]);
    char *text = with(place(event->text[0], event->arg[1]), flags_text(FLAGS_AT, event->arg[3]));

    text = with(text, ct_printf("%s%s", *set ? "set " : "", set));
    text = with(text, ct_printf("%s%s", *clear ? "clear " : "", clear));
    return with(text, flags_text(FLAGS_MOUNT, event->arg[2]));
}

static char *node_text(const char *path, unsigned long long mode, unsigned long long device)
{
    switch (mode & S_IFMT) {
    case S_IFCHR:
    case S_IFBLK:
        return ct_printf("'%s' %c %u:%u", path, S_ISCHR((mode_t)mode) ? 'c' : 'b', major(device),
                         minor(device));
    case S_IFIFO:
        return ct_printf("'%s' p", path);
    default:
        return ct_printf("'%s'", path);
    }
}

#ifdef SYS_mknod
static char *decode_mknod(const struct trace_event *event)
{
    return node_text(event->text[0], event->arg[2], event->arg[3]);
}
#endif

static char *decode_mknodat(const struct trace_event *event)
{
    return node_text(event->text[0], event->arg[3], event->arg[4]);
}

/* ---- power ---------------------------------------------------------------------------------- */

static char *decode_id(const struct trace_event *event)
{
    return ct_printf("%lld", id(event->arg[1]));
}

static char *decode_two_ids(const struct trace_event *event)
{
    return ct_printf("%lld %lld", id(event->arg[1]), id(event->arg[2]));
}

static char *decode_three_ids(const struct trace_event *event)
{
    return ct_printf("%lld %lld %lld", id(event->arg[1]), id(event->arg[2]), id(event->arg[3]));
}

/* Behind the pointer: the first three stand in 2, 3 and 4. */
static char *decode_setgroups(const struct trace_event *event)
{
    switch (event->arg[1]) {
    case 0:
        return ct_strdup("none");
    case 1:
        return ct_printf("%llu", event->arg[2]);
    case 2:
        return ct_printf("%llu %llu", event->arg[2], event->arg[3]);
    default:
        return ct_printf("%llu %llu %llu%s", event->arg[2], event->arg[3], event->arg[4],
                         event->arg[1] > 3 ? " …" : "");
    }
}

/* Behind the pointers: 1 effective, 2 permitted, 3 inheritable. */
static char *decode_capset(const struct trace_event *event)
{
    CT_AUTO_FREE char *effective = flags_capabilities(event->arg[1]);
    CT_AUTO_FREE char *permitted = flags_capabilities(event->arg[2]);
    char *text = event->arg[1] == event->arg[2]
                     ? ct_printf("permitted and effective: %s", permitted)
                     : ct_printf("permitted: %s; effective: %s", permitted, effective);
    CT_AUTO_FREE char *inheritable = flags_capabilities(event->arg[3]);

    return event->arg[3] ? with(text, ct_printf("inheritable: %s", inheritable)) : text;
}

static char *limit_text(unsigned long long limit)
{
    return limit == RLIM_INFINITY ? ct_strdup("unlimited") : ct_printf("%llu", limit);
}

/* Behind the pointer: 3 soft, 4 hard. Process 0 is the calling one. */
static char *decode_prlimit(const struct trace_event *event)
{
    static const struct word resources[] = {WORD(RLIMIT_CPU),
                                            WORD(RLIMIT_FSIZE),
                                            WORD(RLIMIT_DATA),
                                            WORD(RLIMIT_STACK),
                                            WORD(RLIMIT_CORE),
                                            WORD(RLIMIT_RSS),
                                            WORD(RLIMIT_NPROC),
                                            WORD(RLIMIT_NOFILE),
                                            WORD(RLIMIT_MEMLOCK),
                                            WORD(RLIMIT_AS),
                                            WORD(RLIMIT_LOCKS),
                                            WORD(RLIMIT_SIGPENDING),
                                            WORD(RLIMIT_MSGQUEUE),
                                            WORD(RLIMIT_NICE),
                                            WORD(RLIMIT_RTPRIO),
                                            WORD(RLIMIT_RTTIME),
                                            {0, NULL}};
    CT_AUTO_FREE char *soft = limit_text(event->arg[3]);
    CT_AUTO_FREE char *hard = limit_text(event->arg[4]);

    return with(ct_printf("%s %s:%s", word_of(resources, event->arg[2]), soft, hard),
                event->arg[1] ? ct_printf("process %d", (int)event->arg[1]) : ct_strdup(""));
}

static char *filter_text(unsigned long long instructions)
{
    return ct_printf("a filter of %llu instructions", instructions);
}

static char *decode_prctl(const struct trace_event *event)
{
    static const struct word ambient[] = {WORD(PR_CAP_AMBIENT_RAISE),
                                          WORD(PR_CAP_AMBIENT_LOWER),
                                          WORD(PR_CAP_AMBIENT_CLEAR_ALL),
                                          {0, NULL}};
    CT_AUTO_FREE char *dropped = flags_capability(event->arg[2]);
    CT_AUTO_FREE char *raised = flags_capability(event->arg[3]);
    CT_AUTO_FREE char *bits = flags_text(FLAGS_SECUREBITS, event->arg[2]);

    switch (event->arg[1]) {
    case PR_SET_PDEATHSIG:
        return ct_printf("PR_SET_PDEATHSIG %s",
                         event->arg[2] ? ct_signal_name((int)event->arg[2]) : "none");
    case PR_SET_DUMPABLE:
        return ct_printf("PR_SET_DUMPABLE %llu", event->arg[2]);
    case PR_SET_KEEPCAPS:
        return ct_printf("PR_SET_KEEPCAPS %llu", event->arg[2]);
    case PR_SET_CHILD_SUBREAPER:
        return ct_printf("PR_SET_CHILD_SUBREAPER %llu", event->arg[2]);
    case PR_SET_SECUREBITS:
        return ct_printf("PR_SET_SECUREBITS %s", bits);
    case PR_CAPBSET_DROP:
        return ct_printf("PR_CAPBSET_DROP %s", dropped);
    case PR_CAP_AMBIENT:
        return ct_printf("%s%s%s", word_of(ambient, event->arg[2]),
                         event->arg[2] == PR_CAP_AMBIENT_CLEAR_ALL ? "" : " ",
                         event->arg[2] == PR_CAP_AMBIENT_CLEAR_ALL ? "" : raised);
    case PR_SET_SECCOMP:
        return with(ct_strdup("PR_SET_SECCOMP"), event->arg[2] == SECCOMP_MODE_FILTER
                                                     ? filter_text(event->arg[3])
                                                     : ct_strdup("strict"));
    default:
        return ct_strdup("PR_SET_NO_NEW_PRIVS");
    }
}

static char *decode_seccomp(const struct trace_event *event)
{
    if (event->arg[1] == SECCOMP_SET_MODE_STRICT) {
        return ct_strdup("SECCOMP_SET_MODE_STRICT");
    }
    return with(with(ct_strdup("SECCOMP_SET_MODE_FILTER"), filter_text(event->arg[3])),
                flags_text(FLAGS_SECCOMP, event->arg[2]));
}

/* Programs that belong to cgroups are what engines load; of others the number must do. */
static char *decode_bpf(const struct trace_event *event)
{
    static const struct word types[] = {{BPF_PROG_TYPE_CGROUP_DEVICE, "CGROUP_DEVICE"},
                                        {BPF_PROG_TYPE_CGROUP_SKB, "CGROUP_SKB"},
                                        {BPF_PROG_TYPE_CGROUP_SOCK, "CGROUP_SOCK"},
                                        {BPF_PROG_TYPE_CGROUP_SYSCTL, "CGROUP_SYSCTL"},
                                        {0, NULL}};
    static const struct word places[] = {{BPF_CGROUP_DEVICE, "CGROUP_DEVICE"},
                                         {BPF_CGROUP_INET_INGRESS, "CGROUP_INET_INGRESS"},
                                         {BPF_CGROUP_INET_EGRESS, "CGROUP_INET_EGRESS"},
                                         {0, NULL}};
    bool loads = event->arg[1] == BPF_PROG_LOAD;
    const char *known = word_of(loads ? types : places, event->arg[2]);
    CT_AUTO_FREE char *what = *known ? ct_strdup(known) : ct_printf("type %llu", event->arg[2]);

    return loads
               ? ct_printf("BPF_PROG_LOAD %s, %llu instructions", what, event->arg[3])
               : ct_printf("%s %s",
                           event->arg[1] == BPF_PROG_ATTACH ? "BPF_PROG_ATTACH" : "BPF_PROG_DETACH",
                           what);
}

/* ---- orders to the kernel ------------------------------------------------------------------- */

/* "'web/memory.max' <- '1048576'"; lines become one. */
static char *decode_write(const struct trace_event *event)
{
    CT_AUTO_FREE char *data = ct_strdup(event->text[2]);
    size_t length = strlen(data);

    if (length > 0 && data[length - 1] == '\n') {
        data[length - 1] = '\0';
    }
    for (char *c = data; *c; c++) {
        *c = *c == '\n' ? ';' : *c;
    }
    return ct_printf("'%s/%s' <- '%s'", strcmp(event->text[1], "/") == 0 ? "" : event->text[1],
                     event->text[0], data);
}

static char *decode_text(const struct trace_event *event)
{
    return ct_strdup(event->text[0]);
}

/* ---- which call is which -------------------------------------------------------------------- */

/* Those whose arguments say something. */
static const struct {
    long long number;
    char *(*arguments)(const struct trace_event *);
} calls[] = {
    {SYS_clone, decode_clone},
    {SYS_clone3, decode_clone},
    {SYS_unshare, decode_clone},
    {SYS_setns, decode_setns},
    {SYS_execve, decode_text},
    {SYS_execveat, decode_text},
    {SYS_kill, decode_kill},
    {SYS_tgkill, decode_tgkill},
    {SYS_pidfd_send_signal, decode_pidfd_send_signal},
    {SYS_mount, decode_mount},
    {SYS_umount2, decode_umount},
    {SYS_open_tree, decode_open_tree},
    {SYS_move_mount, decode_move_mount},
    {SYS_fsopen, decode_text},
    {SYS_fsconfig, decode_fsconfig},
    {SYS_fsmount, decode_fsmount},
    {SYS_fspick, decode_text},
    {SYS_mount_setattr, decode_mount_setattr},
    {SYS_pivot_root, decode_pivot_root},
    {SYS_chroot, decode_text},
#ifdef SYS_mknod
    {SYS_mknod, decode_mknod},
#endif
    {SYS_mknodat, decode_mknodat},
    {SYS_sethostname, decode_text},
    {SYS_setdomainname, decode_text},
    {SYS_setuid, decode_id},
    {SYS_setgid, decode_id},
    {SYS_setreuid, decode_two_ids},
    {SYS_setregid, decode_two_ids},
    {SYS_setresuid, decode_three_ids},
    {SYS_setresgid, decode_three_ids},
    {SYS_setgroups, decode_setgroups},
    {SYS_capset, decode_capset},
    {SYS_prctl, decode_prctl},
    {SYS_prlimit64, decode_prlimit},
    {SYS_seccomp, decode_seccomp},
    {SYS_bpf, decode_bpf},
    {SYS_write, decode_write},
    {SYS_pwrite64, decode_write},
    {SYS_connect, decode_text},
};

const char *decode_call_name(long long number, char buffer[static 32])
{
    char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int)number);
    if (name) {
        (void)snprintf(buffer, 32, "%s", name);
    } else {
        (void)snprintf(buffer, 32, "syscall %lld", number);
    }
    free(name);
    return buffer;
}

char *decode_call(const struct trace_event *event)
{
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        if (calls[i].number == (long long)event->arg[0]) {
            return calls[i].arguments(event);
        }
    }
    return ct_strdup("");
}

/*
 * decode.c - numbers of the kernel to the words of its manual pages.
 *
 * Room:       trace.   Called by: recording.c.
 */
#include "decode.h"

#include "cleanup.h"
#include "path.h"
#include "process.h"

#include <linux/sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>

static const struct {
    long long number;
    const char *name;
} calls[] = {
    {SYS_mount, "mount"},
    {SYS_umount2, "umount2"},
    {SYS_pivot_root, "pivot_root"},
    {SYS_chroot, "chroot"},
    {SYS_open_tree, "open_tree"},
    {SYS_move_mount, "move_mount"},
    {SYS_fsopen, "fsopen"},
    {SYS_fsconfig, "fsconfig"},
    {SYS_fsmount, "fsmount"},
    {SYS_fspick, "fspick"},
    {442, "mount_setattr"},
    {SYS_clone, "clone"},
    {SYS_clone3, "clone3"},
    {SYS_unshare, "unshare"},
    {SYS_setns, "setns"},
    {SYS_capset, "capset"},
    {SYS_prctl, "prctl"},
    {SYS_seccomp, "seccomp"},
    {SYS_kill, "kill"},
    {SYS_tgkill, "tgkill"},
    {SYS_pidfd_send_signal, "pidfd_send_signal"},
    {SYS_connect, "connect"},
    {SYS_sethostname, "sethostname"},
    {SYS_fsync, "fsync"},
    {SYS_fdatasync, "fdatasync"},
    {SYS_syncfs, "syncfs"},
    {SYS_read, "read"},
    {SYS_write, "write"},
    {SYS_poll, "poll"},
    {SYS_ppoll, "ppoll"},
    {SYS_epoll_wait, "epoll_wait"},
    {SYS_epoll_pwait, "epoll_pwait"},
    {SYS_wait4, "wait4"},
    {SYS_waitid, "waitid"},
    {SYS_futex, "futex"},
    {SYS_flock, "flock"},
    {SYS_nanosleep, "nanosleep"},
    {SYS_clock_nanosleep, "clock_nanosleep"},
    {SYS_rename, "rename"},
    {SYS_renameat, "renameat"},
    {SYS_renameat2, "renameat2"},
    {SYS_unlinkat, "unlinkat"},
    {SYS_execve, "execve"},
    {SYS_openat, "openat"},
    {SYS_openat2, "openat2"},
    {SYS_close, "close"},
    {SYS_recvmsg, "recvmsg"},
    {SYS_sendmsg, "sendmsg"},
    {SYS_select, "select"},
    {SYS_pselect6, "pselect6"},
    {SYS_rt_sigtimedwait, "rt_sigtimedwait"},
    {SYS_exit_group, "exit_group"},
    {SYS_mkdirat, "mkdirat"},
    {SYS_rmdir, "rmdir"},
};

const char *decode_call_name(long long number, char buffer[static 32])
{
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        if (calls[i].number == number) {
            return calls[i].name;
        }
    }
    (void)snprintf(buffer, 32, "syscall %lld", number);
    return buffer;
}

struct flag {
    unsigned long long bit;
    const char *name;
};

static const struct flag clone_flags[] = {
    {CLONE_NEWNS, "CLONE_NEWNS"},         {CLONE_NEWUTS, "CLONE_NEWUTS"},
    {CLONE_NEWIPC, "CLONE_NEWIPC"},       {CLONE_NEWPID, "CLONE_NEWPID"},
    {CLONE_NEWNET, "CLONE_NEWNET"},       {CLONE_NEWUSER, "CLONE_NEWUSER"},
    {CLONE_NEWCGROUP, "CLONE_NEWCGROUP"}, {0x80, "CLONE_NEWTIME"},
    {CLONE_VFORK, "CLONE_VFORK"},         {CLONE_INTO_CGROUP, "CLONE_INTO_CGROUP"},
    {CLONE_PIDFD, "CLONE_PIDFD"},         {0, NULL}};

static const struct flag mount_flags[] = {{MS_RDONLY, "MS_RDONLY"},
                                          {MS_NOSUID, "MS_NOSUID"},
                                          {MS_NODEV, "MS_NODEV"},
                                          {MS_NOEXEC, "MS_NOEXEC"},
                                          {MS_REMOUNT, "MS_REMOUNT"},
                                          {MS_BIND, "MS_BIND"},
                                          {MS_MOVE, "MS_MOVE"},
                                          {MS_REC, "MS_REC"},
                                          {MS_PRIVATE, "MS_PRIVATE"},
                                          {MS_SLAVE, "MS_SLAVE"},
                                          {MS_SHARED, "MS_SHARED"},
                                          {MS_UNBINDABLE, "MS_UNBINDABLE"},
                                          {0, NULL}};

static char *join_flags(const struct flag *flags, unsigned long long value)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    const char *separator = "";

    if (!out) {
        return ct_strdup("");
    }
    for (; flags->name; flags++) {
        if (value & flags->bit) {
            (void)fprintf(out, "%s%s", separator, flags->name);
            separator = "|";
        }
    }
    (void)fclose(out);
    return text;
}

char *decode_clone_flags(unsigned long long flags)
{
    return join_flags(clone_flags, flags);
}

static char *decode_mount(const struct trace_event *event)
{
    CT_AUTO_FREE char *flags = join_flags(mount_flags, event->arg[4]);
    const char *type = event->text[2];

    return ct_printf("'%s' on '%s'%s%s%s%s", event->text[0], event->text[1], *type ? " type " : "",
                     type, *flags ? ", " : "", flags);
}

static char *decode_prctl(const struct trace_event *event)
{
    switch (event->arg[1]) {
    case 38:
        return ct_strdup("PR_SET_NO_NEW_PRIVS");
    case 24:
        return ct_printf("PR_CAPBSET_DROP capability %llu", event->arg[2]);
    default:
        return ct_strdup("PR_SET_SECCOMP");
    }
}

static char *decode_signal(unsigned long long target, unsigned long long number, const char *what)
{
    return ct_printf("%s to %s %lld", number ? ct_signal_name((int)number) : "nothing", what,
                     (long long)(int)target);
}

char *decode_call(const struct trace_event *event)
{
    char name[32];
    const char *call = decode_call_name((long long)event->arg[0], name);

    if (strcmp(call, "mount") == 0) {
        return decode_mount(event);
    }
    if (strcmp(call, "pivot_root") == 0 || strcmp(call, "move_mount") == 0) {
        return ct_printf("'%s' -> '%s'", event->text[0], event->text[1]);
    }
    if (strcmp(call, "fsconfig") == 0) {
        return ct_printf("%s%s%s", event->text[0], *event->text[1] ? "=" : "", event->text[1]);
    }
    if (strncmp(call, "clone", 5) == 0 || strcmp(call, "unshare") == 0) {
        return decode_clone_flags(event->arg[1]);
    }
    if (strcmp(call, "setns") == 0) {
        CT_AUTO_FREE char *flags = decode_clone_flags(event->arg[2]);
        return ct_printf("fd %lld %s", (long long)event->arg[1], flags);
    }
    if (strcmp(call, "prctl") == 0) {
        return decode_prctl(event);
    }
    if (strcmp(call, "kill") == 0) {
        return decode_signal(event->arg[1], event->arg[2], "process");
    }
    if (strcmp(call, "tgkill") == 0) {
        return decode_signal(event->arg[2], event->arg[3], "thread");
    }
    if (strcmp(call, "pidfd_send_signal") == 0) {
        return decode_signal(event->arg[1], event->arg[2], "pidfd");
    }
    return ct_strdup(event->text[0]);
}

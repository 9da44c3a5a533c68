/*
 * default_seccomp.c - Docker's default filter of system calls: what is listed is allowed, all else
 * is "not permitted".
 *
 * Room:       spec (stage 03).   Called by: see default_seccomp.h.
 * Man:        seccomp(2), syscalls(2), capabilities(7).
 *
 * The list is long, because it is a list of what programs need. What it leaves out is the point:
 * what is not in a namespace (keys, kernel modules, clocks), what old code in the kernel offers and
 * nearly nobody uses (uselib, vm86, userfaultfd), and what had too many holes (io_uring).
 */
#include "default_seccomp.h"

#include "json.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/socket.h>

#define ALLOW "SCMP_ACT_ALLOW"
#define ERRNO "SCMP_ACT_ERRNO"

#if defined(__x86_64__)
#define ARCHITECTURES "SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"
#define OF_THIS_ARCH  "arch_prctl modify_ldt"
#elif defined(__aarch64__)
#define ARCHITECTURES "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"
#define OF_THIS_ARCH \
    "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2"
#else
/* cppcheck-suppress preprocessorErrorDirective */
#error "say which kinds of program this machine runs, and which calls only they have"
#endif

/* ---- the list ------------------------------------------------------------------------------- */

/* Blank-separated, by what they are about; the same call in all its versions. */
static const char *const for_everybody[] = {
    /* files: opening, reading, writing */
    "open openat openat2 creat close close_range dup dup2 dup3 fcntl fcntl64 flock ioctl "
    "read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 readahead "
    "lseek _llseek fadvise64 fadvise64_64 fallocate truncate truncate64 ftruncate ftruncate64 "
    "sendfile sendfile64 copy_file_range splice tee vmsplice "
    "sync syncfs fsync fdatasync sync_file_range cachestat",
    /* files: what they are called, and what is known about them */
    "stat stat64 fstat fstat64 fstatat64 newfstatat lstat lstat64 statx statfs statfs64 fstatfs "
    "fstatfs64 access faccessat faccessat2 chmod fchmod fchmodat fchmodat2 chown chown32 fchown "
    "fchown32 fchownat lchown lchown32 umask utime utimes utimensat utimensat_time64 futimesat "
    "link linkat symlink symlinkat readlink readlinkat unlink unlinkat rename renameat renameat2 "
    "mkdir mkdirat rmdir mknod mknodat getdents getdents64 getcwd chdir fchdir name_to_handle_at "
    "getxattr getxattrat lgetxattr fgetxattr setxattr setxattrat lsetxattr fsetxattr listxattr "
    "listxattrat llistxattr flistxattr removexattr removexattrat lremovexattr fremovexattr "
    "listmount statmount",
    /* waiting for many things */
    "select _newselect pselect6 pselect6_time64 poll ppoll ppoll_time64 epoll_create epoll_create1 "
    "epoll_ctl epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2 eventfd eventfd2 "
    "signalfd signalfd4 inotify_init inotify_init1 inotify_add_watch inotify_rm_watch "
    "fanotify_mark "
    "io_setup io_submit io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64",
    /* memory */
    "brk mmap mmap2 munmap mremap mprotect msync madvise mincore membarrier mlock mlock2 mlockall "
    "munlock munlockall mseal map_shadow_stack memfd_create memfd_secret remap_file_pages "
    "pkey_alloc pkey_free pkey_mprotect",
    /* processes and threads */
    "fork vfork execve execveat exit exit_group wait4 waitid waitpid kill tkill tgkill pidfd_open "
    "pidfd_send_signal process_mrelease ptrace process_vm_readv process_vm_writev prctl seccomp "
    "landlock_create_ruleset landlock_add_rule landlock_restrict_self getpid getppid gettid "
    "getpgid "
    "getpgrp setpgid getsid setsid getrlimit ugetrlimit setrlimit prlimit64 getrusage times "
    "getpriority setpriority ioprio_get ioprio_set getcpu futex futex_time64 futex_waitv "
    "futex_wait "
    "futex_wake futex_requeue get_robust_list set_robust_list get_thread_area set_thread_area "
    "set_tid_address rseq restart_syscall riscv_hwprobe uretprobe",
    "sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam "
    "sched_setparam sched_getscheduler sched_setscheduler sched_get_priority_max "
    "sched_get_priority_min sched_rr_get_interval sched_rr_get_interval_time64",
    "rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend "
    "rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack sigprocmask sigreturn "
    "pause",
    /* users, groups and capabilities */
    "getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 "
    "getresgid getresgid32 getgroups getgroups32 setuid setuid32 setgid setgid32 setreuid "
    "setreuid32 "
    "setregid setregid32 setresuid setresuid32 setresgid setresgid32 setfsuid setfsuid32 setfsgid "
    "setfsgid32 setgroups setgroups32 capget capset",
    /* pipes, sockets, and what System V and POSIX have besides */
    "pipe pipe2 socketpair socketcall bind connect listen accept accept4 shutdown getsockname "
    "getpeername getsockopt setsockopt send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg "
    "recvmmsg_time64",
    "ipc msgget msgsnd msgrcv msgctl semget semop semtimedop semtimedop_time64 semctl shmget shmat "
    "shmdt shmctl mq_open mq_unlink mq_timedsend mq_timedsend_time64 mq_timedreceive "
    "mq_timedreceive_time64 mq_notify mq_getsetattr",
    /* time, and the machine: adjusting the clock asks for a capability itself */
    "time gettimeofday clock_gettime clock_gettime64 clock_getres clock_getres_time64 "
    "clock_nanosleep clock_nanosleep_time64 nanosleep adjtimex clock_adjtime clock_adjtime64 alarm "
    "getitimer setitimer timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 "
    "timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 "
    "timerfd_settime "
    "timerfd_settime64 uname sysinfo getrandom",
    OF_THIS_ARCH,
};

/* With a capability that the container has, its calls. */
static const struct {
    int cap;
    const char *calls;
} for_capability[] = {
    {CAP_DAC_READ_SEARCH, "open_by_handle_at"},
    {CAP_SYS_ADMIN, "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie "
                    "lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount mount_setattr "
                    "move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname "
                    "sethostname setns syslog umount umount2 unshare"},
    {CAP_SYS_BOOT, "reboot"},
    {CAP_SYS_CHROOT, "chroot"},
    {CAP_SYS_MODULE, "delete_module finit_module init_module"},
    {CAP_SYS_PACCT, "acct"},
    {CAP_SYS_PTRACE, "kcmp pidfd_getfd process_madvise"},
    {CAP_SYS_RAWIO, "ioperm iopl"},
    {CAP_SYS_TIME, "clock_settime clock_settime64 settimeofday stime"},
    {CAP_SYS_TTY_CONFIG, "vhangup"},
    {CAP_SYS_NICE, "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"},
    {CAP_SYSLOG, "syslog"},
    {CAP_BPF, "bpf"},
    {CAP_PERFMON, "perf_event_open"},
};

/* ---- the document --------------------------------------------------------------------------- */

static json_t *words(const char *text)
{
    json_t *list = json_array();

    while (*text) {
        size_t length = strcspn(text, " ");
        ct_json_append(list, json_stringn(text, length));
        text += length + strspn(text + length, " ");
    }
    return list;
}

static json_t *add(json_t *syscalls, const char *calls, const char *action)
{
    json_t *entry = json_object();

    ct_json_set(entry, "names", words(calls));
    ct_json_set_string(entry, "action", action);
    ct_json_append(syscalls, entry);
    return entry;
}

/* Allowed when the first argument is as said. */
static void add_if(json_t *syscalls, const char *call, const char *operator, uint32_t value)
{
    json_t *condition =
        json_pack("{s:i,s:I,s:s}", "index", 0, "value", (json_int_t)value, "op", operator);

    ct_json_set(add(syscalls, call, ALLOW), "args", json_pack("[o]", condition));
}

/*
 * Sockets of all kinds but two: AF_ALG, a way to the kernel's cryptography that nobody needs and
 * that gave root (CVE-2026-31431), and AF_VSOCK, which leads to the hypervisor past all network
 * namespaces. 32-bit x86 programs make sockets through socketcall(2), whose arguments a filter
 * cannot see: refusing it would refuse them all.
 */
static void add_sockets(json_t *syscalls)
{
    _Static_assert(AF_ALG + 2 == AF_VSOCK, "one number is between them");
    add_if(syscalls, "socket", "SCMP_CMP_LT", AF_ALG);
    add_if(syscalls, "socket", "SCMP_CMP_EQ", AF_ALG + 1);
    add_if(syscalls, "socket", "SCMP_CMP_GT", AF_VSOCK);
}

/* Those that change how addresses are laid out would weaken the program's own protection. */
static void add_personalities(json_t *syscalls)
{
    static const uint32_t allowed[] = {PER_LINUX, PER_LINUX32, UNAME26, PER_LINUX32 | UNAME26,
                                       0xffffffff /* asks */};

    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        add_if(syscalls, "personality", "SCMP_CMP_EQ", allowed[i]);
    }
}

/* Processes, but not in new namespaces: there one would have all capabilities. */
static void add_clone(json_t *syscalls)
{
    const uint32_t namespaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                                CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP;

    /* (flags & namespaces) == valueTwo, which is 0 when it is not there */
    add_if(syscalls, "clone", "SCMP_CMP_MASKED_EQ", namespaces);
    /* Its flags are in memory, where a filter cannot look. "No such call" makes every libc fall
     * back to clone(2). */
    ct_json_set(add(syscalls, "clone3", ERRNO), "errnoRet", json_integer(ENOSYS));
}

static json_t *syscalls_for(uint64_t caps)
{
    json_t *syscalls = json_array();

    for (size_t i = 0; i < sizeof(for_everybody) / sizeof(for_everybody[0]); i++) {
        (void)add(syscalls, for_everybody[i], ALLOW);
    }
    add_sockets(syscalls);
    add_personalities(syscalls);
    for (size_t i = 0; i < sizeof(for_capability) / sizeof(for_capability[0]); i++) {
        if (caps >> for_capability[i].cap & 1) {
            (void)add(syscalls, for_capability[i].calls, ALLOW);
        }
    }
    if (!(caps >> CAP_SYS_ADMIN & 1)) {
        add_clone(syscalls);
    }
    return syscalls;
}

json_t *spec_default_seccomp(uint64_t caps)
{
    static const char *const architectures[] = {ARCHITECTURES, NULL};
    json_t *seccomp = json_object();

    ct_json_set_string(seccomp, "defaultAction", ERRNO);
    ct_json_set(seccomp, "defaultErrnoRet", json_integer(EPERM));
    ct_json_set(seccomp, "architectures", ct_json_from_strv(architectures, SIZE_MAX));
    ct_json_set(seccomp, "syscalls", syscalls_for(caps));
    return seccomp;
}

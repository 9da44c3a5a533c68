/*
 * test_spec_defaults.c - what Docker gives and takes when nobody says otherwise: compared with
 * Docker 20.10, difference by difference, and tried in the kernel.
 */
#define CT_LAYER "test"
#include "default_seccomp.h"
#include "defaults.h"

#include "capabilities.h"
#include "cleanup.h"
#include "filter_reference.h"
#include "in_child.h"
#include "json.h"
#include "path.h"
#include "seccomp.h"
#include "syscall_numbers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/net.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define BIT(number) (UINT64_C(1) << (number))

static uint64_t default_caps(void)
{
    uint64_t caps = 0;

    for (size_t i = 0; spec_default_caps[i]; i++) {
        int number = lc_cap_number(spec_default_caps[i]);
        assert_true(number >= 0);
        caps |= BIT(number);
    }
    return caps;
}

/* ---- the list against Docker's ----------------------------------------------------------------
 */

/* What profiles/seccomp/default.json of Docker 20.10.24 allows without conditions, with the default
 * capabilities; without what only x86 has. */
static const char docker_20_10[] =
    "accept accept4 access adjtimex alarm bind brk capget capset chdir chmod chown chown32 "
    "chroot clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime "
    "clock_gettime64 clock_nanosleep clock_nanosleep_time64 close close_range connect "
    "copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old "
    "epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit "
    "exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir "
    "fchmod fchmodat fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr "
    "flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync "
    "ftruncate ftruncate64 futex futex_time64 futex_waitv futimesat get_robust_list "
    "get_thread_area getcpu getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 "
    "getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid "
    "getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit "
    "getrusage getsid getsockname getsockopt gettid gettimeofday getuid getuid32 getxattr "
    "inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy "
    "io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit io_uring_enter "
    "io_uring_register io_uring_setup ioctl ioprio_get ioprio_set ipc kill landlock_add_rule "
    "landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr link linkat "
    "listen listxattr llistxattr _llseek lremovexattr lseek lsetxattr lstat lstat64 madvise "
    "membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 "
    "mlockall mmap mmap2 mprotect mq_getsetattr mq_notify mq_open mq_timedreceive "
    "mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap msgctl msgget "
    "msgrcv msgsnd msync munlock munlockall munmap nanosleep newfstatat _newselect open "
    "openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 poll ppoll ppoll_time64 "
    "prctl pread64 preadv preadv2 prlimit64 process_mrelease pselect6 pselect6_time64 ptrace "
    "pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recv recvfrom "
    "recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr rename renameat renameat2 "
    "restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo "
    "rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo "
    "sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr "
    "sched_getparam sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 "
    "sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp "
    "select semctl semget semop semtimedop semtimedop_time64 send sendfile sendfile64 "
    "sendmmsg sendmsg sendto set_robust_list set_thread_area set_tid_address setfsgid "
    "setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid "
    "setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid "
    "setreuid32 setrlimit setsid setsockopt setuid setuid32 setxattr shmat shmctl shmdt "
    "shmget shutdown sigaltstack signalfd signalfd4 sigprocmask sigreturn socket socketcall "
    "socketpair splice stat stat64 statfs statfs64 statx symlink symlinkat sync "
    "sync_file_range syncfs sysinfo tee tgkill time timer_create timer_delete "
    "timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 "
    "timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times "
    "tkill truncate truncate64 ugetrlimit umask uname unlink unlinkat utime utimensat "
    "utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev ";

/* All that differs, and why. */
static const struct {
    const char *name;
    bool ours; /* allowed here and not there; else the other way round */
    const char *why;
} differences[] = {
    {"io_uring_enter", false, "too many holes: Docker took it away in 25.0"},
    {"io_uring_register", false, "the same"},
    {"io_uring_setup", false, "the same"},
    {"socket", false, "has a condition now: not AF_ALG (CVE-2026-31431), not AF_VSOCK"},
    {"cachestat", true, "Linux 6.5"},
    {"fchmodat2", true, "Linux 6.6: fchmodat(2) with flags, which was allowed"},
    {"futex_requeue", true, "Linux 6.7: parts of futex(2), which was allowed"},
    {"futex_wait", true, "the same"},
    {"futex_wake", true, "the same"},
    {"getxattrat", true, "Linux 6.13: beside getxattr(2)"},
    {"listxattrat", true, "the same"},
    {"removexattrat", true, "the same"},
    {"setxattrat", true, "the same"},
    {"listmount", true, "Linux 6.8: what /proc/self/mountinfo says"},
    {"statmount", true, "the same"},
    {"map_shadow_stack", true, "Linux 6.6: glibc protects return addresses by it"},
    {"mseal", true, "Linux 6.10: takes rights away only"},
    {"name_to_handle_at", true, "harmless without open_by_handle_at(2): systemd asks by it"},
    {"pkey_alloc", true, "protection of memory inside a process"},
    {"pkey_free", true, "the same"},
    {"pkey_mprotect", true, "the same"},
    {"process_vm_readv", true, "since Linux 4.8 it cannot be used to leave seccomp, as ptrace(2)"},
    {"process_vm_writev", true, "the same"},
    {"riscv_hwprobe", true, "asks what a RISC-V processor can"},
    {"uretprobe", true, "Linux 6.11: what the kernel puts into traced programs"},
};
#define N_DIFFERENCES (sizeof(differences) / sizeof(differences[0]))

static bool has_word(const char *text, const char *word)
{
    size_t length = strlen(word);

    for (const char *at = text; (at = strstr(at, word)); at += length) {
        if ((at == text || at[-1] == ' ') && at[length] == ' ') {
            return true;
        }
    }
    return false;
}

/* Allowed without conditions. */
static bool allows(const json_t *seccomp, const char *name)
{
    size_t i, k;
    json_t *entry, *one;

    json_array_foreach(json_object_get(seccomp, "syscalls"), i, entry)
    {
        json_array_foreach(json_object_get(entry, "names"), k, one)
        {
            if (strcmp(json_string_value(one), name) == 0 && !json_object_get(entry, "args") &&
                strcmp(ct_json_string(entry, "action", ""), "SCMP_ACT_ALLOW") == 0) {
                return true;
            }
        }
    }
    return false;
}

static bool is_explained(const char *name, bool ours)
{
    for (size_t i = 0; i < N_DIFFERENCES; i++) {
        if (strcmp(differences[i].name, name) == 0 && differences[i].ours == ours) {
            return true;
        }
    }
    return false;
}

static void what_docker_allows_is_allowed_but_for_reasons(void **state)
{
    (void)state;
    CT_AUTO_JSON json_t *ours = spec_default_seccomp(default_caps());
    CT_AUTO_FREE char *names = ct_strdup(docker_20_10);
    char *position = NULL;

    for (char *name = strtok_r(names, " ", &position); name;
         name = strtok_r(NULL, " ", &position)) {
        if (!allows(ours, name) && !is_explained(name, false)) {
            fail_msg("'%s' is allowed by Docker and not here", name);
        }
    }
}

static void what_docker_refuses_is_refused_but_for_reasons(void **state)
{
    (void)state;
    CT_AUTO_JSON json_t *ours = spec_default_seccomp(default_caps());
    size_t i, k;
    json_t *entry, *name;

    json_array_foreach(json_object_get(ours, "syscalls"), i, entry)
    {
        json_array_foreach(json_object_get(entry, "names"), k, name)
        {
            const char *text = json_string_value(name);
            bool of_this_arch = strcmp(text, "arch_prctl") == 0 || strcmp(text, "modify_ldt") == 0;
            if (allows(ours, text) && !of_this_arch && !has_word(docker_20_10, text) &&
                !is_explained(text, true)) {
                fail_msg("'%s' is allowed here and not by Docker", text);
            }
        }
    }
}

static void every_difference_is_one(void **state)
{
    (void)state;
    CT_AUTO_JSON json_t *ours = spec_default_seccomp(default_caps());

    for (size_t i = 0; i < N_DIFFERENCES; i++) {
        assert_int_equal(allows(ours, differences[i].name), differences[i].ours);
        assert_int_equal(has_word(docker_20_10, differences[i].name), !differences[i].ours);
    }
}

/* ---- capabilities -----------------------------------------------------------------------------
 */

static void a_capability_gives_back_its_calls(void **state)
{
    (void)state;
    static const struct {
        int cap;
        const char *call;
    } table[] = {
        {CAP_DAC_READ_SEARCH, "open_by_handle_at"},
        {CAP_SYS_ADMIN, "mount"},
        {CAP_SYS_ADMIN, "clone3"},
        {CAP_SYS_ADMIN, "clone"},
        {CAP_SYS_BOOT, "reboot"},
        {CAP_SYS_CHROOT, "chroot"},
        {CAP_SYS_MODULE, "init_module"},
        {CAP_SYS_PACCT, "acct"},
        {CAP_SYS_PTRACE, "pidfd_getfd"},
        {CAP_SYS_RAWIO, "iopl"},
        {CAP_SYS_TIME, "clock_settime64"},
        {CAP_SYS_TTY_CONFIG, "vhangup"},
        {CAP_SYS_NICE, "mbind"},
        {CAP_SYSLOG, "syslog"},
        {CAP_BPF, "bpf"},
        {CAP_PERFMON, "perf_event_open"},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        CT_AUTO_JSON json_t *without = spec_default_seccomp(0);
        CT_AUTO_JSON json_t *with = spec_default_seccomp(BIT(table[i].cap));
        assert_false(allows(without, table[i].call));
        assert_true(allows(with, table[i].call));
    }
}

static void nothing_gives_back_keys_and_io_uring(void **state)
{
    (void)state;
    static const char *const never[] = {
        "add_key", "keyctl", "request_key", "userfaultfd", "uselib",     "io_uring_setup",
        "vm86",    "swapon", "nfsservctl",  "pivot_root",  "kexec_load", "move_pages"};
    CT_AUTO_JSON json_t *all = spec_default_seccomp(UINT64_MAX);

    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        assert_false(allows(all, never[i]));
    }
}

static void the_capabilities_are_dockers_fourteen(void **state)
{
    (void)state;

    assert_int_equal(default_caps(), 0xa80425fb);
}

/* ---- in the kernel ----------------------------------------------------------------------------
 */

static struct lc_seccomp compile(uint64_t caps)
{
    CT_AUTO_JSON json_t *seccomp = spec_default_seccomp(caps);
    struct lc_seccomp filter = {0};
    struct ct_error err = {0};

    assert_int_equal(lc_seccomp_compile(seccomp, &filter, &err), 0);
    return filter;
}

static int in_child_with(uint64_t caps, void (*work)(void *))
{
    struct lc_seccomp filter = compile(caps);
    int result = in_child(work, &filter);

    lc_seccomp_done(&filter);
    return result;
}

static void load(void *filter)
{
    struct ct_error err = {0};
    int notify_fd = -1;

    CHILD_CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHILD_DO(lc_seccomp_load(filter, &notify_fd, &err), &err);
}

/* As root with all capabilities: what says no is the filter. */
static bool is_refused(long result, int expected)
{
    return result < 0 && errno == expected;
}

static void call_by_default(void *filter)
{
    static const unsigned namespaces[] = {CLONE_NEWNS,  CLONE_NEWUTS, CLONE_NEWIPC,   CLONE_NEWUSER,
                                          CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP};

    load(filter);
    for (size_t i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++) {
        CHILD_CHECK(is_refused(syscall(SYS_clone, namespaces[i], 0, 0, 0, 0), EPERM));
    }
    CHILD_CHECK(syscall(SYS_socket, AF_INET, SOCK_STREAM, 0) >= 0);
    CHILD_CHECK(syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0) >= 0);
    CHILD_CHECK(is_refused(syscall(SYS_socket, AF_ALG, SOCK_SEQPACKET, 0), EPERM));
    CHILD_CHECK(is_refused(syscall(SYS_socket, AF_VSOCK, SOCK_STREAM, 0), EPERM));
    CHILD_CHECK(!is_refused(syscall(SYS_socket, AF_NFC, SOCK_STREAM, 0), EPERM)); /* between them */
    CHILD_CHECK(!is_refused(syscall(SYS_socket, AF_XDP, SOCK_RAW, 7), EPERM));
    CHILD_CHECK(personality(0xffffffff) >= 0 && personality(PER_LINUX) >= 0);
    CHILD_CHECK(is_refused(personality(ADDR_NO_RANDOMIZE), EPERM));
    CHILD_CHECK(is_refused(unshare(CLONE_NEWUSER), EPERM));
    CHILD_CHECK(is_refused(syscall(SYS_clone3, NULL, 0), ENOSYS));
    CHILD_CHECK(is_refused(syscall(SYS_mount, NULL, "/", NULL, 0, NULL), EPERM));
    CHILD_CHECK(is_refused(syscall(SYS_io_uring_setup, 1, NULL), EPERM));
    CHILD_CHECK(is_refused(syscall(SYS_keyctl, 0, 0), EPERM));
    CHILD_CHECK(is_refused(syscall(SYS_bpf, 0, NULL, 0), EPERM));
    CHILD_CHECK(is_refused(syscall(1000), ENOSYS));
    pid_t child = fork();
    if (child == 0) {
        _exit(7);
    }
    int status = 0;
    CHILD_CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7);
}

static void the_default_filter_stands(void **state)
{
    (void)state;

    assert_int_equal(in_child_with(default_caps(), call_by_default), 0);
}

static void call_as_admin(void *filter)
{
    load(filter);
    CHILD_CHECK(is_refused(syscall(SYS_clone3, NULL, 0), EINVAL));
    CHILD_CHECK(is_refused(syscall(SYS_mount, NULL, "/no/such", NULL, MS_BIND, NULL), ENOENT));
    CHILD_CHECK(is_refused(syscall(SYS_io_uring_setup, 1, NULL), EPERM));
    CHILD_CHECK(is_refused(syscall(SYS_socket, AF_ALG, SOCK_SEQPACKET, 0), EPERM));
}

static void with_sys_admin_one_may_mount(void **state)
{
    (void)state;

    assert_int_equal(in_child_with(default_caps() | BIT(CAP_SYS_ADMIN), call_as_admin), 0);
}

#if defined(__x86_64__)
static void make_socket_of_32_bit(void *filter)
{
    uint32_t *arguments =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    long result;

    CHILD_CHECK(arguments != MAP_FAILED);
    arguments[0] = AF_INET;
    arguments[1] = SOCK_STREAM;
    load(filter);
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(102L), "b"((long)SYS_SOCKET), "c"(arguments)
                     : "memory", "r8", "r9", "r10", "r11");
    struct stat status;
    CHILD_CHECK(fstat((int)result, &status) == 0 && S_ISSOCK(status.st_mode));
}

static void programs_of_32_bit_still_have_sockets(void **state)
{
    (void)state;
    if (access("/proc/sys/abi/vsyscall32", F_OK) < 0) {
        skip(); /* a kernel without 32-bit programs */
    }

    assert_int_equal(in_child_with(default_caps(), make_socket_of_32_bit), 0);
}
#endif

/* ---- the program against libseccomp's ---------------------------------------------------------
 */

static void compare_arch(const json_t *seccomp, const struct lc_seccomp *ours,
                         const struct lc_syscall_arch *arch)
{
    static const uint64_t first[] = {
        0, 1, 8, 38, 39, 40, 41, 0x20000, 0x20008, 0x40000, 0x10000000, 0x1200011, 0xffffffff};
    size_t n = 0;
    struct sock_filter *theirs = reference_compile(seccomp, &n);
    int64_t last = reference_last(seccomp, arch->token);

    for (uint32_t number = 0; number < 600; number++) {
        for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
            const struct seccomp_data data = {
                .nr = (int)(arch->first | number), .arch = arch->audit, .args = {first[i]}};
            uint32_t answer = run_filter(ours->program, ours->n_instructions, &data);
            uint32_t expected = (int64_t)(arch->first | number) > last
                                    ? SECCOMP_RET_ERRNO | ENOSYS
                                    : run_filter(theirs, n, &data);
            if (answer != expected) {
                fail_msg("%s: call %u (%#llx): %#x, not %#x", arch->name, number,
                         (unsigned long long)first[i], answer, expected);
            }
        }
    }
    free(theirs);
}

static void the_program_answers_as_libseccomps_does(void **state)
{
    (void)state;
    size_t n = 0;
    const struct lc_syscall_arch *archs = lc_syscall_archs(&n);

    for (int admin = 0; admin < 2; admin++) {
        uint64_t caps = default_caps() | (admin ? BIT(CAP_SYS_ADMIN) : 0);
        CT_AUTO_JSON json_t *seccomp = spec_default_seccomp(caps);
        struct lc_seccomp ours = compile(caps);
        for (size_t i = 0; i < n; i++) {
            compare_arch(seccomp, &ours, &archs[i]);
        }
        lc_seccomp_done(&ours);
    }
}

/* ---- paths ------------------------------------------------------------------------------------
 */

static void masked_paths_are_dockers_and_those_of_this_machine(void **state)
{
    (void)state;
    CT_AUTO_JSON json_t *paths = spec_masked_paths();
    size_t n = 0, i;
    json_t *path;

    while (spec_default_masked_paths[n]) {
        assert_string_equal(json_string_value(json_array_get(paths, n)),
                            spec_default_masked_paths[n]);
        n++;
    }
    assert_int_equal(n, 12);
    json_array_foreach(paths, i, path)
    {
        const char *text = json_string_value(path);
        assert_true(i < n || (strncmp(text, "/sys/devices/system/cpu/cpu", 27) == 0 &&
                              access(text, F_OK) == 0));
    }
}

static void read_only_paths_are_dockers(void **state)
{
    (void)state;
    static const char *const expected[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                           "/proc/sysrq-trigger"};

    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(spec_default_readonly_paths[i], expected[i]);
    }
    assert_null(spec_default_readonly_paths[5]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_docker_allows_is_allowed_but_for_reasons),
        cmocka_unit_test(what_docker_refuses_is_refused_but_for_reasons),
        cmocka_unit_test(every_difference_is_one),
        cmocka_unit_test(a_capability_gives_back_its_calls),
        cmocka_unit_test(nothing_gives_back_keys_and_io_uring),
        cmocka_unit_test(the_capabilities_are_dockers_fourteen),
        cmocka_unit_test(the_default_filter_stands),
        cmocka_unit_test(with_sys_admin_one_may_mount),
#if defined(__x86_64__)
        cmocka_unit_test(programs_of_32_bit_still_have_sockets),
#endif
        cmocka_unit_test(the_program_answers_as_libseccomps_does),
        cmocka_unit_test(masked_paths_are_dockers_and_those_of_this_machine),
        cmocka_unit_test(read_only_paths_are_dockers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

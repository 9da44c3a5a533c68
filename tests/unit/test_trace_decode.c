/*
 * test_trace_decode.c - a system call reads as its manual page writes it.
 */
#define CT_LAYER "test"
#include "decode.h"
#include "flags.h"

#include "cleanup.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

#define CAP_BIT(n) (1ULL << (n))

/* As the kernel side hands it over: number and arguments, texts, and how it reads. */
struct example {
    unsigned long long arg[TRACE_ARGS];
    const char *text[TRACE_TEXTS];
    const char *words;
};

static char *decode(const struct example *example)
{
    struct trace_event event = {.type = TRACE_CALL};

    memcpy(event.arg, example->arg, sizeof(event.arg));
    for (size_t i = 0; i < TRACE_TEXTS; i++) {
        (void)snprintf(event.text[i], TRACE_TEXT_BYTES, "%s",
                       example->text[i] ? example->text[i] : "");
    }
    return decode_call(&event);
}

static void assert_words(const struct example *examples, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        CT_AUTO_FREE char *words = decode(&examples[i]);
        assert_string_equal(words, examples[i].words);
    }
}

#define ASSERT_WORDS(examples) assert_words(examples, sizeof(examples) / sizeof((examples)[0]))

static void namespaces_and_signals(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {{SYS_clone3, CLONE_NEWPID | CLONE_NEWNS | CLONE_INTO_CGROUP},
         {"web"},
         "CLONE_NEWNS|CLONE_NEWPID|CLONE_INTO_CGROUP, into 'web'"},
        {{SYS_clone, SIGCHLD}, {NULL}, ""},
        {{SYS_unshare, CLONE_NEWUSER}, {NULL}, "CLONE_NEWUSER"},
        {{SYS_setns, 7, CLONE_NEWNET}, {NULL}, "fd 7 CLONE_NEWNET"},
        {{SYS_kill, (unsigned long long)-5, SIGTERM}, {NULL}, "SIGTERM to process -5"},
        {{SYS_tgkill, 4, 5, SIGABRT}, {NULL}, "SIGABRT to thread 5"},
        {{SYS_pidfd_send_signal, 9, 0}, {NULL}, "nothing to pidfd 9"},
    };
    ASSERT_WORDS(examples);
}

static void mounts_old_and_new(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {{SYS_mount, 0, 0, 0, MS_NOSUID | MS_RDONLY},
         {"proc", "/proc", "proc"},
         "'proc' on '/proc' type proc, MS_RDONLY|MS_NOSUID"},
        {{SYS_mount, 0, 0, 0, MS_REC | MS_SLAVE}, {"", "/"}, "'' on '/', MS_REC|MS_SLAVE"},
        {{SYS_umount2, 0, MNT_DETACH}, {"/old"}, "'/old', MNT_DETACH"},
        {{SYS_umount2}, {"/old"}, "'/old'"},
        {{SYS_open_tree, 5, 0, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH},
         {""},
         "fd 5, OPEN_TREE_CLONE"},
        {{SYS_move_mount, 6, 0, 7, 0, MOVE_MOUNT_F_EMPTY_PATH}, {"", "proc"}, "fd 6 -> 'proc'"},
        {{SYS_move_mount, 6, 0, 7, 0, MOVE_MOUNT_T_EMPTY_PATH}, {"/a", ""}, "'/a' -> fd 7"},
        {{SYS_fsopen}, {"overlay"}, "overlay"},
        {{SYS_fsconfig, 5, FSCONFIG_SET_STRING}, {"lowerdir+", "/l"}, "lowerdir+=/l"},
        {{SYS_fsconfig, 5, FSCONFIG_SET_FLAG}, {"ro"}, "ro"},
        {{SYS_fsconfig, 5, FSCONFIG_SET_FD, 0, 0, 8}, {"fd", "not a text"}, "fd=fd 8"},
        {{SYS_fsconfig, 5, FSCONFIG_CMD_CREATE}, {NULL}, "create"},
        {{SYS_fsconfig, 5, FSCONFIG_CMD_RECONFIGURE}, {NULL}, "reconfigure"},
        {{SYS_fsmount, 5, 0, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC},
         {NULL},
         "fd 5, MOUNT_ATTR_NODEV|MOUNT_ATTR_NOEXEC"},
        {{SYS_mount_setattr, 6, MS_PRIVATE, AT_EMPTY_PATH | AT_RECURSIVE, MOUNT_ATTR_RDONLY,
          MOUNT_ATTR_NOSUID},
         {""},
         "fd 6, AT_RECURSIVE, set MOUNT_ATTR_RDONLY, clear MOUNT_ATTR_NOSUID, MS_PRIVATE"},
        {{SYS_mount_setattr, 6, 0, 0, MOUNT_ATTR_IDMAP}, {"/r"}, "'/r', set MOUNT_ATTR_IDMAP"},
        {{SYS_pivot_root}, {".", "old"}, "'.' -> 'old'"},
        {{SYS_chroot}, {"."}, "."},
    };
    ASSERT_WORDS(examples);
}

static void devices_and_names(void **state)
{
    (void)state;
    const struct example examples[] = {
        {{SYS_mknodat, 5, 0, S_IFCHR | 0666, makedev(1, 3)}, {"null"}, "'null' c 1:3"},
        {{SYS_mknodat, 5, 0, S_IFBLK | 0600, makedev(8, 0)}, {"sda"}, "'sda' b 8:0"},
        {{SYS_mknodat, 5, 0, S_IFIFO | 0600, 77}, {"fifo"}, "'fifo' p"},
        {{SYS_mknodat, 5, 0, S_IFREG | 0600}, {"file"}, "'file'"},
#ifdef SYS_mknod
        {{SYS_mknod, 0, S_IFCHR | 0666, makedev(1, 5)}, {"/dev/zero"}, "'/dev/zero' c 1:5"},
#endif
        {{SYS_sethostname}, {"web"}, "web"},
        {{SYS_connect}, {"/run/cutaway/cutaway.sock"}, "/run/cutaway/cutaway.sock"},
        {{SYS_execve}, {"/no/such"}, "/no/such"},
    };
    ASSERT_WORDS(examples);
}

static void users_and_groups(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {{SYS_setuid, 1000}, {NULL}, "1000"},
        {{SYS_setreuid, UINT32_MAX, 5}, {NULL}, "-1 5"},
        {{SYS_setresgid, 1, 2, 3}, {NULL}, "1 2 3"},
        {{SYS_setgroups, 0, 0}, {NULL}, "none"},
        {{SYS_setgroups, 2, 0, 10}, {NULL}, "0 10"},
        {{SYS_setgroups, 5, 1, 2, 3}, {NULL}, "1 2 3 …"},
    };
    ASSERT_WORDS(examples);
}

static void capabilities_have_their_names(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {{SYS_capset, CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_KILL),
          CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_KILL)},
         {NULL},
         "permitted and effective: CAP_CHOWN|CAP_KILL"},
        {{SYS_capset, 0, CAP_BIT(CAP_BPF), CAP_BIT(CAP_SYSLOG)},
         {NULL},
         "permitted: CAP_BPF; effective: no capabilities, inheritable: CAP_SYSLOG"},
        {{SYS_capset, UINT64_MAX, UINT64_MAX}, {NULL}, "permitted and effective: all capabilities"},
        {{SYS_prctl, PR_CAPBSET_DROP, CAP_DAC_READ_SEARCH},
         {NULL},
         "PR_CAPBSET_DROP CAP_DAC_READ_SEARCH"},
        {{SYS_prctl, PR_CAPBSET_DROP, 63}, {NULL}, "PR_CAPBSET_DROP capability 63"},
        {{SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW},
         {NULL},
         "PR_CAP_AMBIENT_RAISE CAP_NET_RAW"},
        {{SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL}, {NULL}, "PR_CAP_AMBIENT_CLEAR_ALL"},
    };
    ASSERT_WORDS(examples);
}

static void what_takes_power_away(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {{SYS_prctl, PR_SET_NO_NEW_PRIVS, 1}, {NULL}, "PR_SET_NO_NEW_PRIVS"},
        {{SYS_prctl, PR_SET_PDEATHSIG, SIGKILL}, {NULL}, "PR_SET_PDEATHSIG SIGKILL"},
        {{SYS_prctl, PR_SET_PDEATHSIG, 0}, {NULL}, "PR_SET_PDEATHSIG none"},
        {{SYS_prlimit64, 812, RLIMIT_NOFILE, 1024, 4096},
         {NULL},
         "RLIMIT_NOFILE 1024:4096, process 812"},
        {{SYS_prlimit64, 0, RLIMIT_CORE, 0, UINT64_MAX}, {NULL}, "RLIMIT_CORE 0:unlimited"},
        {{SYS_prctl, PR_SET_DUMPABLE, 0}, {NULL}, "PR_SET_DUMPABLE 0"},
        {{SYS_prctl, PR_SET_KEEPCAPS, 1}, {NULL}, "PR_SET_KEEPCAPS 1"},
        {{SYS_prctl, PR_SET_SECUREBITS, 1}, {NULL}, "PR_SET_SECUREBITS SECBIT_NOROOT"},
        {{SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, 12},
         {NULL},
         "PR_SET_SECCOMP, a filter of 12 instructions"},
        {{SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_STRICT}, {NULL}, "PR_SET_SECCOMP, strict"},
        {{SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, 216},
         {NULL},
         "SECCOMP_SET_MODE_FILTER, a filter of 216 instructions, SECCOMP_FILTER_FLAG_LOG"},
        {{SYS_bpf, BPF_PROG_LOAD, BPF_PROG_TYPE_CGROUP_DEVICE, 40},
         {NULL},
         "BPF_PROG_LOAD CGROUP_DEVICE, 40 instructions"},
        {{SYS_bpf, BPF_PROG_LOAD, 99, 2}, {NULL}, "BPF_PROG_LOAD type 99, 2 instructions"},
        {{SYS_bpf, BPF_PROG_ATTACH, BPF_CGROUP_DEVICE}, {NULL}, "BPF_PROG_ATTACH CGROUP_DEVICE"},
    };
    ASSERT_WORDS(examples);
}

static void writes_into_files_of_the_kernel(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {{SYS_write}, {"memory.max", "web", "1048576\n"}, "'web/memory.max' <- '1048576'"},
        {{SYS_write}, {"uid_map", "812", "0 0 1\n1 9 5\n"}, "'812/uid_map' <- '0 0 1;1 9 5'"},
        {{SYS_write}, {"cgroup.procs", "/", "1"}, "'/cgroup.procs' <- '1'"},
        {{SYS_pwrite64}, {"setgroups", "812", ""}, "'812/setgroups' <- ''"},
    };
    ASSERT_WORDS(examples);
}

static void an_unknown_call_has_its_number(void **state)
{
    (void)state;
    char buffer[32];
    static const struct example unknown = {{9999}, {"x"}, ""};

    assert_string_equal(decode_call_name(SYS_mount_setattr, buffer), "mount_setattr");
    assert_string_equal(decode_call_name(9999, buffer), "syscall 9999");
    assert_words(&unknown, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(namespaces_and_signals),
        cmocka_unit_test(mounts_old_and_new),
        cmocka_unit_test(devices_and_names),
        cmocka_unit_test(users_and_groups),
        cmocka_unit_test(capabilities_have_their_names),
        cmocka_unit_test(what_takes_power_away),
        cmocka_unit_test(writes_into_files_of_the_kernel),
        cmocka_unit_test(an_unknown_call_has_its_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

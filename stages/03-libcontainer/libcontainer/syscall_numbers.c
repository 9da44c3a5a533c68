/*
 * syscall_numbers.c - system calls by name, for every kind of program that this machine can run.
 *
 * Room:       libcontainer.   Called by: see syscall_numbers.h.
 *
 * <seccomp.h> is libseccomp's here; meson.build keeps our door of the same name out of the way.
 */
#include "syscall_numbers.h"

#include <linux/audit.h>
#include <linux/net.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
static const struct lc_syscall_arch archs[] = {
    {"SCMP_ARCH_X86_64", SCMP_ARCH_X86_64, AUDIT_ARCH_X86_64, 0, true},
    {"SCMP_ARCH_X86", SCMP_ARCH_X86, AUDIT_ARCH_I386, 0, false},
    {"SCMP_ARCH_X32", SCMP_ARCH_X32, AUDIT_ARCH_X86_64, 0x40000000, false},
};
#elif defined(__aarch64__)
static const struct lc_syscall_arch archs[] = {
    {"SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64, AUDIT_ARCH_AARCH64, 0, true},
    {"SCMP_ARCH_ARM", SCMP_ARCH_ARM, AUDIT_ARCH_ARM, 0, false},
};
#else
/* cppcheck-suppress preprocessorErrorDirective */
#error "add this machine's kinds of programs, and check whether one of them multiplexes calls"
#endif

const struct lc_syscall_arch *lc_syscall_archs(size_t *ret_n)
{
    *ret_n = sizeof(archs) / sizeof(archs[0]);
    return archs;
}

const char *const *lc_syscall_arch_names(void)
{
    static const char *const names[] = {
        "SCMP_ARCH_AARCH64",     "SCMP_ARCH_ARM",    "SCMP_ARCH_LOONGARCH64",
        "SCMP_ARCH_M68K",        "SCMP_ARCH_MIPS",   "SCMP_ARCH_MIPS64",
        "SCMP_ARCH_MIPS64N32",   "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64",
        "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PARISC", "SCMP_ARCH_PARISC64",
        "SCMP_ARCH_PPC",         "SCMP_ARCH_PPC64",  "SCMP_ARCH_PPC64LE",
        "SCMP_ARCH_RISCV64",     "SCMP_ARCH_S390",   "SCMP_ARCH_S390X",
        "SCMP_ARCH_SH",          "SCMP_ARCH_SHEB",   "SCMP_ARCH_X32",
        "SCMP_ARCH_X86",         "SCMP_ARCH_X86_64", NULL};

    return names;
}

/* ---- calls that are behind another ---------------------------------------------------------- */

#if defined(__x86_64__)
#define NONE 0 /* restart_syscall(2), which is behind no other */

/*
 * 32-bit x86 programs make these through socketcall(2) and ipc(2), whose first argument says which
 * one is meant. Since Linux 4.3 and 5.1 most have a number of their own as well. libseccomp names
 * them by pseudo numbers: -100 less that argument, and -200 less it.
 */
enum { I386_SOCKETCALL = 102, I386_IPC = 117 };
static const uint16_t socket_numbers[] = {
    [SYS_SOCKET] = 359,   [SYS_BIND] = 361,        [SYS_CONNECT] = 362,     [SYS_LISTEN] = 363,
    [SYS_ACCEPT] = NONE,  [SYS_GETSOCKNAME] = 367, [SYS_GETPEERNAME] = 368, [SYS_SOCKETPAIR] = 360,
    [SYS_SEND] = NONE,    [SYS_RECV] = NONE,       [SYS_SENDTO] = 369,      [SYS_RECVFROM] = 371,
    [SYS_SHUTDOWN] = 373, [SYS_SETSOCKOPT] = 366,  [SYS_GETSOCKOPT] = 365,  [SYS_SENDMSG] = 370,
    [SYS_RECVMSG] = 372,  [SYS_ACCEPT4] = 364,     [SYS_RECVMMSG] = 337,    [SYS_SENDMMSG] = 345,
};
enum { /* linux/ipc.h */
       IPC_SEMOP = 1,
       IPC_SEMGET = 2,
       IPC_SEMCTL = 3,
       IPC_SEMTIMEDOP = 4,
       IPC_MSGSND = 11,
       IPC_MSGRCV = 12,
       IPC_MSGGET = 13,
       IPC_MSGCTL = 14,
       IPC_SHMAT = 21,
       IPC_SHMDT = 22,
       IPC_SHMGET = 23,
       IPC_SHMCTL = 24,
};
static const uint16_t ipc_numbers[] = {
    [IPC_SEMOP] = NONE, [IPC_SEMGET] = 393, [IPC_SEMCTL] = 394, [IPC_SEMTIMEDOP] = NONE,
    [IPC_MSGSND] = 400, [IPC_MSGRCV] = 401, [IPC_MSGGET] = 399, [IPC_MSGCTL] = 402,
    [IPC_SHMAT] = 397,  [IPC_SHMDT] = 398,  [IPC_SHMGET] = 395, [IPC_SHMCTL] = 396,
};

static size_t pair(uint32_t multiplexer, const uint16_t *numbers, size_t n, int selector,
                   struct lc_syscall ret[LC_SYSCALL_WAYS])
{
    if (selector < 1 || (size_t)selector >= n) {
        return 0;
    }
    ret[0] = (struct lc_syscall){multiplexer, selector};
    ret[1] = (struct lc_syscall){numbers[selector], -1};
    return numbers[selector] == NONE ? 1 : 2;
}

static size_t multiplexed(const struct lc_syscall_arch *arch, int pseudo,
                          struct lc_syscall ret[LC_SYSCALL_WAYS])
{
    if (arch->audit != AUDIT_ARCH_I386) {
        return 0; /* a pseudo number of a call that only others have */
    }
    return pseudo > -200
               ? pair(I386_SOCKETCALL, socket_numbers,
                      sizeof(socket_numbers) / sizeof(socket_numbers[0]), -100 - pseudo, ret)
               : pair(I386_IPC, ipc_numbers, sizeof(ipc_numbers) / sizeof(ipc_numbers[0]),
                      -200 - pseudo, ret);
}
#else
static size_t multiplexed(const struct lc_syscall_arch *arch, int pseudo,
                          struct lc_syscall ret[LC_SYSCALL_WAYS])
{
    (void)arch, (void)pseudo, (void)ret;
    return 0; /* neither 64- nor 32-bit Arm programs do that */
}
#endif

size_t lc_syscall_ways(const struct lc_syscall_arch *arch, const char *name,
                       struct lc_syscall ret[LC_SYSCALL_WAYS])
{
    int number = seccomp_syscall_resolve_name_arch(arch->token, name);

    if (number >= 0) {
        ret[0] = (struct lc_syscall){(uint32_t)number, -1};
        return 1;
    }
    return number == __NR_SCMP_ERROR ? 0 : multiplexed(arch, number, ret);
}

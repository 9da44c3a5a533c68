/*
 * kill_before.c - kills a program, or what it has made, just before its Nth step.
 *
 * Called by:  killed.bats, which lets N grow until the program comes to its end.
 * Man:        ptrace(2), "Syscall-stops"; kill(2).
 *
 *     kill-before first|others N PROGRAM [ARGUMENT]…
 *
 * A step is a system call that changes something or tells somebody. Looking, and a process's own
 * memory and descriptors, are none: whoever is killed before one is in the state of the step
 * before. Several prctl(2) at once, one for each capability that goes, are one step.
 *
 * first: the program itself, others: the processes that it makes. Only the one whose step it is
 * gets the signal; all others go on, also after our end. Exit codes: 0 killed (the number of the
 * call is printed), 3 the program ended well before that, 4 it failed before that.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_S 20 /* for a program that does not notice that its child was killed */

enum { KILLED = 0, ENDED = 3, FAILED = 4, BROKEN = 125 };

#define OPTIONS                                                                               \
    (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | \
     PTRACE_O_TRACEEXEC)

static int give_up(const char *what)
{
    (void)fprintf(stderr, "kill-before: %s: %s\n", what, strerror(errno));
    return BROKEN;
}

/* ---- what is a step ------------------------------------------------------------------------- */

static const long no_steps[] = {
#ifdef SYS_open /* calls that only old architectures have */
    SYS_access,
    SYS_arch_prctl,
    SYS_dup2,
    SYS_getdents,
    SYS_lstat,
    SYS_pipe,
    SYS_poll,
    SYS_readlink,
    SYS_select,
    SYS_stat,
#endif
    SYS_brk,
    SYS_capget,
    SYS_clock_gettime,
    SYS_clock_nanosleep,
    SYS_close,
    SYS_close_range,
    SYS_dup,
    SYS_dup3,
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_fcntl,
    SYS_fstat,
    SYS_fstatfs,
    SYS_futex,
    SYS_getcwd,
    SYS_getdents64,
    SYS_getegid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getgroups,
    SYS_getpgid,
    SYS_getpid,
    SYS_getppid,
    SYS_getrandom,
    SYS_getresgid,
    SYS_getresuid,
    SYS_getrlimit,
    SYS_getsockopt,
    SYS_gettid,
    SYS_getuid,
    SYS_lseek,
    SYS_madvise,
    SYS_mmap,
    SYS_mprotect,
    SYS_mremap,
    SYS_munmap,
    SYS_nanosleep,
    SYS_newfstatat,
    SYS_pidfd_open,
    SYS_pipe2,
    SYS_ppoll,
    SYS_pread64,
    SYS_prlimit64,
    SYS_read,
    SYS_readlinkat,
    SYS_recvfrom,
    SYS_recvmsg,
    SYS_rseq,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sched_getaffinity,
    SYS_sched_yield,
    SYS_set_robust_list,
    SYS_set_tid_address,
    SYS_signalfd4,
    SYS_socket,
    SYS_socketpair,
    SYS_statfs,
    SYS_statx,
    SYS_umask,
    SYS_uname,
    SYS_wait4,
    SYS_waitid,
};

static bool opens_to_read(uint64_t flags)
{
    return (flags & (O_ACCMODE | O_CREAT | O_TRUNC)) == O_RDONLY || (flags & O_PATH);
}

static bool is_step(pid_t pid, uint64_t number, const uint64_t *args)
{
    if (number == SYS_openat) {
        return !opens_to_read(args[2]);
    }
    if (number == SYS_openat2) { /* flags are the first member of struct open_how */
        return !opens_to_read((uint64_t)ptrace(PTRACE_PEEKDATA, pid, (void *)args[2], NULL));
    }
#ifdef SYS_open
    if (number == SYS_open) {
        return !opens_to_read(args[1]);
    }
#endif
    for (size_t i = 0; i < sizeof(no_steps) / sizeof(no_steps[0]); i++) {
        if (number == (uint64_t)no_steps[i]) {
            return false;
        }
    }
    return true;
}

/* ---- following the processes ---------------------------------------------------------------- */

struct hunt {
    pid_t first;
    bool others;
    long left;          /* steps until the kill; 0: done */
    bool began;         /* the program itself runs, not we */
    pid_t last_pid;     /* whose step was the last … */
    uint64_t last_call; /* … and which */
};

/* Whether pid is to be killed now: it is about to make the call on which it stands. */
static bool is_time(struct hunt *hunt, pid_t pid)
{
    struct __ptrace_syscall_info info;

    if (hunt->left == 0 || !hunt->began || (pid != hunt->first) != hunt->others ||
        ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info) < 0 ||
        info.op != PTRACE_SYSCALL_INFO_ENTRY ||
        !is_step(pid, info.entry.nr, (void *)info.entry.args)) {
        return false;
    }
    bool is_same =
        info.entry.nr == SYS_prctl && hunt->last_call == SYS_prctl && pid == hunt->last_pid;
    if (is_same) {
        return false;
    }
    hunt->last_pid = pid;
    hunt->last_call = info.entry.nr;
    if (--hunt->left > 0) {
        return false;
    }
    return true;
}

static void go_on(pid_t pid, int status)
{
    int signal_number = WSTOPSIG(status), event = status >> 16;
    bool is_stopped = event == PTRACE_EVENT_STOP && signal_number != SIGTRAP;
    bool is_ours = event != 0 || signal_number == (SIGTRAP | 0x80);

    if (is_stopped) { /* by SIGSTOP: it is to stay so, and to be seen when it goes on */
        (void)ptrace(PTRACE_LISTEN, pid, NULL, NULL);
    } else {
        (void)ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(intptr_t)(is_ours ? 0 : signal_number));
    }
}

/* As a shell has it. */
static int code_of(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int report(const struct hunt *hunt, int status)
{
    if (hunt->left > 0) {
        return code_of(status) == 0 ? ENDED : FAILED;
    }
    (void)printf("%llu %d\n", (unsigned long long)hunt->last_call, code_of(status));
    return KILLED;
}

static void interrupt_wait(int signal_number)
{
    (void)signal_number;
}

/* Until the program has ended. */
static int follow(struct hunt *hunt)
{
    const struct sigaction action = {.sa_handler = interrupt_wait};

    (void)sigaction(SIGALRM, &action, NULL);
    (void)alarm(PATIENCE_S);
    for (;;) {
        int status = 0;
        pid_t pid = waitpid(-1, &status, __WALL);

        if (pid < 0) { /* whoever waits for it, as delete for its lock, would wait for ever, too */
            (void)kill(hunt->first, SIGKILL);
            return give_up("wait for the end");
        }
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (pid == hunt->first) {
                return report(hunt, status);
            }
            continue;
        }
        hunt->began = hunt->began || status >> 16 == PTRACE_EVENT_EXEC;
        if (WSTOPSIG(status) == (SIGTRAP | 0x80) && is_time(hunt, pid)) {
            (void)kill(pid, SIGKILL);
        } else {
            go_on(pid, status);
        }
    }
}

/* The program waits for a byte until it is followed. */
static pid_t begin(char **argv)
{
    int gate[2];
    char byte = 0;

    if (pipe2(gate, O_CLOEXEC) < 0) {
        return -1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        if (read(gate[0], &byte, 1) == 1 && dup2(STDERR_FILENO, STDOUT_FILENO) >= 0) {
            (void)execvp(argv[0], argv);
        }
        _exit(give_up(argv[0]));
    }
    if (pid < 0 || ptrace(PTRACE_SEIZE, pid, NULL, (void *)OPTIONS) < 0 ||
        ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0 || write(gate[1], &byte, 1) != 1) {
        return -1;
    }
    return pid;
}

int main(int argc, char **argv)
{
    struct hunt hunt = {.last_pid = -1};

    if (argc < 4 || (hunt.left = strtol(argv[2], NULL, 10)) <= 0) {
        (void)fputs("usage: kill-before first|others N PROGRAM [ARGUMENT]...\n", stderr);
        return BROKEN;
    }
    hunt.others = strcmp(argv[1], "others") == 0;
    hunt.first = begin(argv + 3);
    return hunt.first < 0 ? give_up("follow the program") : follow(&hunt);
}

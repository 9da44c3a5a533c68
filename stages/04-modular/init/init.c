/*
 * init.c - cutaway-init: process 1 of a container.
 *
 * Room:       init. One program, and nothing of ours in it: it stands inside of any root.
 * Called by:  the container's runtime, as PID 1: cutaway-init [OPTIONS] -- PROGRAM [ARGUMENT]...
 * Man:        pid_namespaces(7), wait(2), rt_sigtimedwait(2), setpgid(2), tcsetpgrp(3), prctl(2).
 *
 * What the kernel wants of process 1, and what most programs do not do: orphans become its children
 * and are to be reaped, and a signal that it has no handler for does nothing to it. So the program
 * gets a parent that does both: it passes every signal on, reaps whoever ends, and ends as the
 * program did. Options, messages and exit codes are tini's, which Docker installs as docker-init.
 *
 * There is no heap: after its start this program asks the kernel for nothing that it may not get.
 */
#include "init_options.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_CANNOT_RUN 126
#define EXIT_NO_PROGRAM 127

/* ---- signals -------------------------------------------------------------------------------- */

/*
 * The kernel's own mask, a bit for each of its 64 signals. A C library keeps some of the real-time
 * ones for itself (musl 32 to 34, glibc 32 and 33), leaves them out of its sets and so could not
 * pass them on.
 */
typedef uint64_t kernel_sigset;

static kernel_sigset bit_of(int signal_number)
{
    return (kernel_sigset)1 << (signal_number - 1);
}

/* All but those that a fault of our own raises: blocked, such a fault would never end. */
static kernel_sigset passed_on(void)
{
    static const int own[] = {SIGFPE,  SIGILL, SIGSEGV, SIGBUS, SIGABRT,
                              SIGTRAP, SIGSYS, SIGTTIN, SIGTTOU};
    kernel_sigset set = ~(kernel_sigset)0;

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        set &= ~bit_of(own[i]);
    }
    return set;
}

static void set_mask(kernel_sigset set)
{
    if (syscall(SYS_rt_sigprocmask, SIG_SETMASK, &set, NULL, sizeof(set)) < 0) {
        init_fatal("block signals: %s", strerror(errno));
    }
}

static void pass_on(const struct init_options *options, pid_t program, int signal_number)
{
    init_say(INIT_DEBUG, "passing on signal %d", signal_number);
    if (kill(options->to_group ? -program : program, signal_number) < 0) {
        init_say(INIT_WARN, "signal %d did not reach the program: %s", signal_number,
                 strerror(errno));
    }
}

/* ---- the program ---------------------------------------------------------------------------- */

/* A group of its own, and if there is a terminal, its foreground: Ctrl-C is for the program. */
static void take_terminal(void)
{
    if (setpgid(0, 0) < 0) {
        init_fatal("make a process group: %s", strerror(errno));
    }
    if (tcsetpgrp(STDIN_FILENO, getpgrp()) < 0 && errno != ENOTTY && errno != ENXIO) {
        /* EPERM: the terminal is another session's. Then so is its job control. */
        init_say(INIT_DEBUG, "cannot take the terminal: %s", strerror(errno));
    }
}

static int become(char **program)
{
    (void)execvp(program[0], program);
    int cause = errno;
    init_say(INIT_FATAL, "exec %s failed: %s", program[0], strerror(cause));
    return cause == ENOENT ? EXIT_NO_PROGRAM : cause == EACCES ? EXIT_CANNOT_RUN : 1;
}

static pid_t start(char **program, kernel_sigset mask_before)
{
    pid_t pid = fork();

    if (pid < 0) {
        init_fatal("fork: %s", strerror(errno));
    }
    if (pid == 0) {
        take_terminal(); /* SIGTTOU is ignored until here: it would stop us */
        (void)signal(SIGTTIN, SIG_DFL);
        (void)signal(SIGTTOU, SIG_DFL);
        set_mask(mask_before);
        _exit(become(program));
    }
    (void)setpgid(pid, pid); /* both of us: neither may signal or execute before it is so */
    init_say(INIT_INFO, "Spawned child process '%s' with pid '%d'", program[0], (int)pid);
    return pid;
}

/* ---- the end -------------------------------------------------------------------------------- */

static int code_of(const struct init_options *options, int status)
{
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);

    init_say(INIT_INFO, "the program ended with %s %d", WIFEXITED(status) ? "code" : "signal",
             WIFEXITED(status) ? code : WTERMSIG(status));
    return init_is_success(options, code) ? 0 : code;
}

/* All that has ended. True: the program, too, with its code in *ret. */
static bool reap(const struct init_options *options, pid_t program, int *ret)
{
    bool ended = false;
    int status;

    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        init_say(INIT_DEBUG, "Reaped child with pid: '%d'", (int)pid);
        if (pid == program) {
            ended = true;
            *ret = code_of(options, status);
        } else if (options->warn_reaped) {
            init_say(INIT_WARN, "Reaped zombie process with pid=%d", (int)pid);
        }
    }
    return ended;
}

static int watch(const struct init_options *options, pid_t program)
{
    const kernel_sigset set = passed_on();
    siginfo_t info;
    int code = 0;

    for (;;) {
        int number = (int)syscall(SYS_rt_sigtimedwait, &set, &info, NULL, sizeof(set));
        if (number < 0) {
            continue; /* EINTR: we were stopped, and go on */
        }
        if (number != SIGCHLD) {
            pass_on(options, program, number);
        } else if (reap(options, program, &code)) {
            return code;
        }
    }
}

/* ---- the beginning -------------------------------------------------------------------------- */

static void prepare(const struct init_options *options)
{
    if (options->death_signal && prctl(PR_SET_PDEATHSIG, options->death_signal) < 0) {
        init_fatal("ask for a signal when the parent dies: %s", strerror(errno));
    }
    if (options->subreaper && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) {
        init_fatal("become a subreaper: %s", strerror(errno));
    }
    if (!options->subreaper && getpid() != 1) {
        init_say(INIT_WARN, "not process 1, and no subreaper: orphans will not come here. Use -s, "
                            "or set TINI_SUBREAPER");
    }
}

int main(int argc, char **argv)
{
    struct init_options options = {0};
    kernel_sigset mask_before = 0;

    char **program = init_parse(argc, argv, &options);
    (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &mask_before, sizeof(mask_before));
    set_mask(passed_on());
    (void)signal(SIGCHLD, SIG_DFL); /* ignored, as our parent may have it, children are not told */
    (void)signal(SIGTTIN, SIG_IGN); /* we read no terminal, and write to it as we like */
    (void)signal(SIGTTOU, SIG_IGN);
    prepare(&options);
    return watch(&options, start(program, mask_before));
}

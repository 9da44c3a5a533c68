/*
 * process.c - starting, waiting for and signalling processes by descriptor.
 *
 * Room:       lib.   Called by: see process.h.
 */
#define CT_LAYER "process"
#include "process.h"

#include "cleanup.h"
#include "file.h"
#include "path.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

bool ct_is_program(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

/* Looks argv[0] up before the fork, because execvp(3) may allocate. Owned; NULL with errno set. */
static char *find_program(const char *name)
{
    if (strchr(name, '/')) {
        return ct_strdup(name);
    }
    const char *path = getenv("PATH");
    CT_AUTO_FREE char *copy =
        ct_strdup(path ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    char *position = NULL;

    for (char *dir = strtok_r(copy, ":", &position); dir; dir = strtok_r(NULL, ":", &position)) {
        CT_AUTO_FREE char *candidate = ct_join(dir, name);
        if (ct_is_program(candidate)) {
            return ct_steal(candidate);
        }
    }
    errno = ENOENT;
    return NULL;
}

static void reset_signals(void)
{
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t none;

    for (int i = 1; i < NSIG; i++) {
        (void)sigaction(i, &standard,
                        NULL); /* SIGKILL, SIGSTOP and libc's own refuse: as they should */
    }
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/*
 * Puts stdio[i] on i. A source below 3 could be overwritten before it is used, so all are first
 * copied above.
 */
static int place_stdio(const int stdio[3])
{
    int copies[3];

    for (int i = 0; i < 3; i++) {
        int source = stdio[i] >= 0 ? stdio[i] : open("/dev/null", O_RDWR | O_CLOEXEC);
        copies[i] = source < 0 ? -1 : fcntl(source, F_DUPFD_CLOEXEC, 3);
        if (copies[i] < 0) {
            return -1;
        }
    }
    for (int i = 0; i < 3; i++) {
        if (dup2(copies[i], i) < 0) {
            return -1;
        }
    }
    return 0;
}

/* What becomes 3, 4 …: by copies above all of them, for the same reason. dup2() lets them stay open
 * at exec. */
static int place_more(const int *more, size_t n)
{
    int copies[CT_SPAWN_MORE_MAX];

    if (n > CT_SPAWN_MORE_MAX) {
        errno = E2BIG;
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        copies[i] = fcntl(more[i], F_DUPFD_CLOEXEC, 3 + (int)n);
        if (copies[i] < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (dup2(copies[i], 3 + (int)i) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Everything else closes at exec; what is to be kept does not. */
static int keep_only(const int *keep, size_t n)
{
    if (syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */) < 0) {
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        if (keep[i] > 2 && fcntl(keep[i], F_SETFD, 0) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Inheritable ones become permitted where a file says so: nobody is to get them by chance
 * (CVE-2022-29162). What is ambient was given on purpose, and cannot be that alone. */
static int forget_inheritable(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct half[_LINUX_CAPABILITY_U32S_3] = {{0}};

    if (syscall(SYS_capget, &header, half) < 0) {
        return -1;
    }
    for (unsigned i = 0; i < 32 * _LINUX_CAPABILITY_U32S_3; i++) {
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) != 1) {
            half[i / 32].inheritable &= ~(1U << i % 32);
        }
    }
    return (int)syscall(SYS_capset, &header, half);
}

/* The child, up to exec: no allocation, no locks. Tells its errno through the pipe, which exec
 * closes. */
_Noreturn static void become(const struct ct_spawn *spawn, const char *program, pid_t parent,
                             int report_fd)
{
    extern char **environ;

    reset_signals();
    if (spawn->new_session) {
        (void)setsid(); /* fails only for a group leader, which a new child never is */
    }
    bool ready = place_stdio(spawn->stdio) == 0 && keep_only(spawn->keep, spawn->n_keep) == 0 &&
                 place_more(spawn->more, spawn->n_more) == 0 &&
                 (!spawn->cwd || chdir(spawn->cwd) == 0) &&
                 (!spawn->no_inheritable || forget_inheritable() == 0) &&
                 (!spawn->death_signal || prctl(PR_SET_PDEATHSIG, spawn->death_signal) == 0);
    if (ready && spawn->death_signal && getppid() != parent) {
        _exit(0); /* the parent died before we asked to be told */
    }
    if (ready) {
        (void)execve(program, (char *const *)spawn->argv,
                     spawn->envp ? (char *const *)spawn->envp : environ);
    }
    int failure = errno;
    (void)!write(report_fd, &failure, sizeof(failure));
    _exit(127);
}

/* CT_NO_PROGRAM or CT_CANNOT_RUN: what a failed exec means. */
static int refuse_exec(struct ct_error *err, int failure, const char *program)
{
    (void)ct_fail(err, failure, "run '%s'", program);
    err->kind = failure == ENOENT ? CT_NO_PROGRAM : CT_CANNOT_RUN;
    return -1;
}

int ct_process_start(const struct ct_spawn *spawn, struct ct_process *ret, struct ct_error *err)
{
    CT_AUTO_FREE char *program = find_program(spawn->path ? spawn->path : spawn->argv[0]);
    int report[2];
    int failure = 0;

    if (!program) {
        return refuse_exec(err, ENOENT, spawn->argv[0]);
    }
    if (pipe2(report, O_CLOEXEC) < 0) {
        return ct_fail(err, errno, "run '%s': pipe", program);
    }
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        /* Above the numbers that stdio and kept descriptors may take. */
        int high = fcntl(report[1], F_DUPFD_CLOEXEC, 900);
        become(spawn, program, parent, high >= 0 ? high : report[1]);
    }
    (void)close(report[1]);
    if (pid < 0) {
        (void)ct_fail(err, errno, "run '%s': fork", program);
        (void)close(report[0]);
        return -1;
    }
    ssize_t n;
    do {
        n = read(report[0], &failure, sizeof(failure));
    } while (n < 0 && errno == EINTR);
    (void)close(report[0]);
    if (n > 0) {
        (void)waitpid(pid, NULL, 0);
        return refuse_exec(err, failure, program);
    }
    ret->pid = pid;
    ret->pidfd = ct_pidfd_open(pid, err); /* not reaped yet, so the pid is still its own */
    return ret->pidfd < 0 ? -1 : 0;
}

int ct_process_wait(struct ct_process *process, int timeout_ms, int *ret_status,
                    struct ct_error *err)
{
    int ready = ct_wait_readable(process->pidfd, -1, timeout_ms, err);
    if (ready <= 0) {
        return ready < 0 ? -1
                         : ct_refuse(err, CT_TIMEOUT, "wait for process %d: it still runs",
                                     (int)process->pid);
    }
    while (waitpid(process->pid, ret_status, 0) < 0) {
        if (errno != EINTR) {
            return ct_fail(err, errno, "wait for process %d", (int)process->pid);
        }
    }
    return 0;
}

void ct_process_done(struct ct_process *process)
{
    if (process->pid > 0) {
        ct_cleanup_close(&process->pidfd);
        process->pidfd = -1;
    }
}

/* Reads until end of file or the deadline; keeps the first max bytes. */
static int collect(int fd, size_t max, int64_t deadline_ns, char **ret, struct ct_error *err)
{
    CT_AUTO_FREE char *text = malloc(max + 1);
    char rest[4096];
    size_t length = 0;

    if (!text) {
        return ct_fail(err, ENOMEM, "collect output");
    }
    for (;;) {
        int64_t left_ms = (deadline_ns - ct_monotonic_ns()) / 1000000;
        int ready = left_ms > 0 ? ct_wait_readable(fd, -1, (int)left_ms, err) : 0;
        if (ready <= 0) {
            return ready < 0 ? -1 : ct_refuse(err, CT_TIMEOUT, "collect output: the time ran out");
        }
        bool full = length == max;
        ssize_t n = read(fd, full ? rest : text + length, full ? sizeof(rest) : max - length);
        if (n < 0 && errno != EINTR) {
            return ct_fail(err, errno, "collect output");
        }
        if (n == 0) {
            break;
        }
        length += n > 0 && !full ? (size_t)n : 0;
    }
    text[length] = '\0';
    *ret = ct_steal(text);
    return 0;
}

int ct_process_run(const char *const *argv, int timeout_ms, size_t max_output, char **ret_output,
                   int *ret_status, struct ct_error *err)
{
    int64_t deadline_ns =
        timeout_ms < 0 ? INT64_MAX : ct_monotonic_ns() + (int64_t)timeout_ms * 1000000;
    struct ct_process process = {.pidfd = -1};
    CT_AUTO_FREE char *output = NULL;
    int pipe_fds[2];

    if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
        return ct_fail(err, errno, "run '%s': pipe", argv[0]);
    }
    struct ct_spawn spawn = {.argv = argv, .stdio = {-1, pipe_fds[1], pipe_fds[1]}};
    int started = ct_process_start(&spawn, &process, err);
    (void)close(pipe_fds[1]);
    int result = started < 0 ? -1 : collect(pipe_fds[0], max_output, deadline_ns, &output, err);
    (void)close(pipe_fds[0]);
    if (started == 0) {
        struct ct_error killed = {0};
        if (result < 0) {
            (void)ct_pidfd_signal(process.pidfd, SIGKILL, &killed);
        }
        int waited = ct_process_wait(&process, -1, ret_status, result < 0 ? &killed : err);
        result = result < 0 || waited < 0 ? -1 : 0;
        ct_process_done(&process);
    }
    if (result == 0 && ret_output) {
        *ret_output = ct_steal(output);
    }
    return result < 0 ? ct_while(err, "run '%s'", argv[0]) : 0;
}

int ct_exit_code(int wait_status)
{
    return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

int ct_pidfd_open(pid_t pid, struct ct_error *err)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd >= 0) {
        return fd;
    }
    if (errno == ESRCH) {
        return ct_refuse(err, CT_NOT_FOUND, "find process %d: it has ended", (int)pid);
    }
    return ct_fail(err, errno, "find process %d", (int)pid);
}

int ct_pidfd_signal(int pidfd, int signal_number, struct ct_error *err)
{
    if (syscall(SYS_pidfd_send_signal, pidfd, signal_number, NULL, 0) == 0) {
        return 0;
    }
    if (errno == ESRCH) {
        return ct_refuse(err, CT_NOT_FOUND, "send %s: the process has ended",
                         ct_signal_name(signal_number));
    }
    return ct_fail(err, errno, "send %s", ct_signal_name(signal_number));
}

static int real_time_signal(const char *name)
{
    bool from_max = strncasecmp(name, "RTMAX", 5) == 0;
    char *end = NULL;
    if (!from_max && strncasecmp(name, "RTMIN", 5) != 0) {
        return -1;
    }
    long offset = name[5] ? strtol(name + 5, &end, 10) : 0;
    long number = (from_max ? SIGRTMAX : SIGRTMIN) + offset;
    bool complete = !name[5] || (end && !*end && name[5] == (from_max ? '-' : '+'));
    return complete && number >= SIGRTMIN && number <= SIGRTMAX ? (int)number : -1;
}

int ct_signal_number(const char *name, struct ct_error *err)
{
    char *end = NULL;
    long number = strtol(name, &end, 10);
    const char *bare = strncasecmp(name, "SIG", 3) == 0 ? name + 3 : name;

    if (*name && !*end && number > 0 && number <= SIGRTMAX) {
        return (int)number;
    }
    for (int i = 1; i < SIGRTMIN; i++) {
        const char *known = sigabbrev_np(i);
        if (known && strcasecmp(known, bare) == 0) {
            return i;
        }
    }
    int real_time = real_time_signal(bare);
    return real_time > 0 ? real_time : ct_refuse(err, CT_INVALID, "invalid signal: '%.40s'", name);
}

const char *ct_signal_name(int number)
{
    static char names[NSIG][24];
    if (number < 1 || number >= NSIG) {
        return "no signal";
    }
    const char *known = sigabbrev_np(number);
    if (known) {
        (void)snprintf(names[number], sizeof(names[number]), "SIG%s", known);
    } else if (number > SIGRTMIN) {
        (void)snprintf(names[number], sizeof(names[number]), "SIGRTMIN+%d", number - SIGRTMIN);
    } else {
        (void)snprintf(names[number], sizeof(names[number]),
                       number == SIGRTMIN ? "SIGRTMIN" : "SIG%d", number);
    }
    return names[number];
}

char *ct_self_path(struct ct_error *err)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (n < 0) {
        return ct_fail_null(err, errno, "find this program's own path");
    }
    path[n] = '\0';
    return ct_strdup(path);
}

int ct_wait_readable(int fd, int cancel_fd, int timeout_ms, struct ct_error *err)
{
    struct pollfd fds[2] = {{.fd = fd, .events = POLLIN}, {.fd = cancel_fd, .events = POLLIN}};
    int64_t deadline_ns = ct_monotonic_ns() + (int64_t)timeout_ms * 1000000;

    for (;;) {
        int64_t left_ms = (deadline_ns - ct_monotonic_ns() + 999999) / 1000000;
        int n = poll(fds, 2, timeout_ms < 0 ? -1 : left_ms > 0 ? (int)left_ms : 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return ct_fail(err, errno, "wait for a descriptor");
        }
        if (fds[1].revents) {
            return ct_refuse(err, CT_TIMEOUT, "wait: cancelled");
        }
        return fds[0].revents ? 1 : 0;
    }
}

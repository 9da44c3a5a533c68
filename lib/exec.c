/*
 * exec.c - streams, working directory, signals, execve.
 *
 * Room:       lib.   Called by: see exec.h.
 */
#define CT_LAYER "exec"
#include "exec.h"

#include "diagnose.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* dup2(2) clears close-on-exec, also when a descriptor is already in its place. */
static int place(const int stdio[3], int first_free, struct ct_error *err)
{
    int above[3];

    /* All to above the others first, so that none is overwritten before it was used. */
    for (int i = 0; i < 3; i++) {
        above[i] = fcntl(stdio[i], F_DUPFD_CLOEXEC, first_free);
        if (above[i] < 0) {
            return ct_fail(err, errno, "place the standard streams");
        }
    }
    for (int i = 0; i < 3; i++) {
        if (dup2(above[i], i) < 0) {
            return ct_fail(err, errno, "place the standard streams");
        }
    }
    return 0;
}

int ct_exec_streams(const int stdio[3], int preserve, struct ct_error *err)
{
    if (place(stdio, 3 + preserve, err) < 0) {
        return -1;
    }
    for (int i = 3; i < 3 + preserve; i++) {
        if (fcntl(i, F_SETFD, 0) < 0) {
            return ct_fail(err, errno, "preserve descriptor %d", i);
        }
    }
    if (close_range((unsigned)(3 + preserve), ~0U, CLOSE_RANGE_CLOEXEC) < 0) {
        return ct_fail(err, errno, "mark all other descriptors to be closed");
    }
    return 0;
}

int ct_exec_enter_cwd(const char *cwd, struct ct_error *err)
{
    char resolved[PATH_MAX];

    if (chdir(cwd) < 0) {
        return diagnose_cwd(cwd, errno, err);
    }
    /* The kernel says "(unreachable)" where the directory is not below our root. */
    if (!getcwd(resolved, sizeof(resolved)) || resolved[0] != '/') {
        return ct_refuse(err, CT_CANNOT_RUN,
                         "enter the working directory '%.70s': it is outside of the container",
                         cwd);
    }
    return 0;
}

void ct_exec_reset_signals(void)
{
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t none;

    for (int i = 1; i < NSIG; i++) {
        (void)sigaction(i, &standard, NULL); /* SIGKILL, SIGSTOP and libc's own refuse */
    }
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static const char *search_path(char *const *envp)
{
    for (; *envp; envp++) {
        if (strncmp(*envp, "PATH=", 5) == 0) {
            return *envp + 5;
        }
    }
    return DEFAULT_PATH;
}

/* Tries argv[0] in each directory of path, as execvp(3). Returns only on failure, with the errno
 * that tells most, and the candidate that had it (empty: there was none). */
static int exec_in_path(char *const *argv, char *const *envp, const char *path,
                        char found[static PATH_MAX])
{
    int failure = ENOENT;
    found[0] = 0;

    for (const char *at = path;; at++) {
        size_t length = strcspn(at, ":");
        char candidate[PATH_MAX];
        struct stat st;
        int n = snprintf(candidate, sizeof(candidate), "%.*s/%s", length ? (int)length : 1,
                         length ? at : ".", argv[0]);
        if (n > 0 && (size_t)n < sizeof(candidate) && stat(candidate, &st) == 0 &&
            !S_ISDIR(st.st_mode)) {
            (void)execve(candidate, argv, envp);
            failure = errno;
            memcpy(found, candidate, (size_t)n + 1);
            if (failure != EACCES) {
                return failure; /* it is there: another one further down is not what was meant */
            }
        }
        at += length;
        if (!*at) {
            return failure;
        }
    }
}

int ct_exec(char *const *argv, char *const *envp, struct ct_error *err)
{
    const char *name = argv[0];
    char found[PATH_MAX];

    if (strchr(name, '/')) {
        (void)execve(name, argv, envp);
        return diagnose_exec(name, errno, err);
    }
    const char *path = search_path(envp);
    if (!name[0]) {
        return diagnose_not_in_path(name, path, err);
    }
    int failure = exec_in_path(argv, envp, path, found);
    return found[0] ? diagnose_exec(found, failure, err) : diagnose_not_in_path(name, path, err);
}

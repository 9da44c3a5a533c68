/*
 * foreground.c - waiting for a container in the foreground: signals, the terminal, the exit code.
 *
 * Room:       libcontainer.   Called by: see foreground.h.
 */
#define CT_LAYER "foreground"
#include "foreground.h"

#include "cleanup.h"
#include "file.h"
#include "path.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* For what a program has printed before its end, while somebody else still holds its terminal. */
#define DRAIN_MS 100

/* ---- the terminal --------------------------------------------------------------------------- */

/*
 * A socket is connected to by a name. Ours has one for a moment, below a directory that is removed
 * again; then only the descriptor of its node leads there.
 */
static int make_console_socket(struct lc_foreground *foreground, struct ct_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/tmp/cutaway-console.XXXXXX"};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    foreground->listen_fd = fd;
    if (fd < 0 || !mkdtemp(address.sun_path)) {
        return ct_fail(err, errno, "make a console socket");
    }
    char *slash = address.sun_path + strlen(address.sun_path);
    (void)strcpy(slash, "/s");
    int result = bind(fd, (const struct sockaddr *)&address, sizeof(address));
    if (result == 0 && listen(fd, 1) == 0) {
        foreground->node_fd = open(address.sun_path, O_PATH | O_CLOEXEC);
    }
    int sys = errno;
    (void)unlink(address.sun_path);
    *slash = '\0';
    (void)rmdir(address.sun_path);
    if (foreground->node_fd < 0) {
        return ct_fail(err, sys, "make a console socket");
    }
    (void)ct_fd_path(foreground->node_fd, foreground->console_socket);
    return 0;
}

/* The message of lc_terminal_make(): one descriptor. */
static int receive_master(int listen_fd, struct ct_error *err)
{
    CT_AUTO_CLOSE int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    char text[64];
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec part = {.iov_base = text, .iov_len = sizeof(text)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    int master = -1;

    if (fd < 0 || recvmsg(fd, &message, MSG_CMSG_CLOEXEC) < 0) {
        return ct_fail(err, errno, "receive the container's terminal");
    }
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (!header || header->cmsg_type != SCM_RIGHTS) {
        return ct_refuse(err, CT_SYSTEM, "receive the container's terminal: it did not come");
    }
    memcpy(&master, CMSG_DATA(header), sizeof(master));
    return master;
}

/* The container's terminal is as large as ours. */
static void copy_size(int master_fd)
{
    struct winsize size;

    if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0) {
        (void)ioctl(master_fd, TIOCSWINSZ, &size);
    }
}

/*
 * Keys go to the container's terminal unread, and that one interprets them. What ends a line on the
 * way out is left to our own terminal: twice would be once too often.
 */
int lc_foreground_join(struct lc_foreground *foreground, struct ct_error *err)
{
    struct termios own, theirs;

    if (foreground->listen_fd < 0 || foreground->master_fd >= 0) {
        return 0;
    }
    foreground->master_fd = receive_master(foreground->listen_fd, err);
    if (foreground->master_fd < 0) {
        return -1;
    }
    foreground->input = true;
    if (tcgetattr(foreground->master_fd, &theirs) == 0) {
        theirs.c_oflag &= ~(tcflag_t)ONLCR;
        (void)tcsetattr(foreground->master_fd, TCSANOW, &theirs);
    }
    copy_size(foreground->master_fd);
    if (tcgetattr(STDIN_FILENO, &own) < 0) {
        return 0; /* no terminal of ours: a file or a pipe is joined with theirs */
    }
    foreground->own_termios = own;
    cfmakeraw(&own);
    own.c_oflag |= OPOST;
    if (tcsetattr(STDIN_FILENO, TCSANOW, &own) < 0) {
        return ct_fail(err, errno, "set the terminal to raw mode");
    }
    foreground->raw = true;
    return 0;
}

/* False: there is no more. */
static bool pass_on(int from, int to)
{
    char buffer[4096];
    ssize_t n = read(from, buffer, sizeof(buffer));

    return n > 0 && ct_write_all(to, buffer, (size_t)n) == 0;
}

static void pass_input(struct lc_foreground *foreground)
{
    static const char end_of_file = 4; /* what a terminal calls Ctrl-D */

    foreground->input = pass_on(STDIN_FILENO, foreground->master_fd);
    if (!foreground->input) {
        (void)!write(foreground->master_fd, &end_of_file, 1); /* it may be gone: nothing is lost */
    }
}

static void pass_output(struct lc_foreground *foreground)
{
    if (!pass_on(foreground->master_fd, STDOUT_FILENO)) {
        ct_cleanup_close(&foreground->master_fd); /* EIO: nobody has the other side open any more */
        foreground->master_fd = -1;
    }
}

static void drain(struct lc_foreground *foreground)
{
    struct pollfd master = {.events = POLLIN};

    while ((master.fd = foreground->master_fd) >= 0 && poll(&master, 1, DRAIN_MS) > 0) {
        pass_output(foreground);
    }
}

/* ---- signals -------------------------------------------------------------------------------- */

/* Orphans whose reaper we have become; the program itself is waited for by its descriptor. */
static void reap_others(int pidfd)
{
    siginfo_t ours = {0}, any = {0};

    while (waitid(P_ALL, 0, &any, WEXITED | WNOHANG | WNOWAIT) == 0 && any.si_pid > 0) {
        if (waitid(P_PIDFD, (id_t)pidfd, &ours, WEXITED | WNOHANG | WNOWAIT) == 0 &&
            ours.si_pid == any.si_pid) {
            return;
        }
        (void)waitpid(any.si_pid, NULL, 0);
        any.si_pid = 0;
    }
}

static void take_signal(struct lc_foreground *foreground, int pidfd)
{
    struct signalfd_siginfo info;
    struct ct_error gone = {0};

    if (read(foreground->signal_fd, &info, sizeof(info)) != sizeof(info)) {
        return;
    }
    if (info.ssi_signo == SIGCHLD) {
        reap_others(pidfd);
    } else if (info.ssi_signo == SIGWINCH && foreground->master_fd >= 0) {
        copy_size(foreground->master_fd);
    } else {
        (void)ct_pidfd_signal(pidfd, (int)info.ssi_signo, &gone);
    }
}

/* ---- the door ------------------------------------------------------------------------------- */

int lc_foreground_begin(struct lc_foreground *ret, bool terminal, struct ct_error *err)
{
    sigset_t all;

    *ret = (struct lc_foreground)LC_FOREGROUND_NONE;
    (void)sigfillset(&all);
    ret->signal_fd = signalfd(-1, &all, SFD_CLOEXEC);
    if (ret->signal_fd < 0 || sigprocmask(SIG_BLOCK, &all, &ret->old_signals) < 0) {
        return ct_fail(err, errno, "keep signals");
    }
    return terminal ? make_console_socket(ret, err) : 0;
}

/* One round: what has come goes on. 1: the program has ended. */
static int pass_all(struct lc_foreground *foreground, int pidfd, struct ct_error *err)
{
    enum { END, SIGNAL, OUTPUT, INPUT, WATCH, N };
    bool wants_input = foreground->input && foreground->master_fd >= 0;
    struct pollfd fds[N] = {[END] = {.fd = pidfd, .events = POLLIN},
                            [SIGNAL] = {.fd = foreground->signal_fd, .events = POLLIN},
                            [OUTPUT] = {.fd = foreground->master_fd, .events = POLLIN},
                            [INPUT] = {.fd = wants_input ? 0 : -1, .events = POLLIN},
                            [WATCH] = {.fd = foreground->watch_fd, .events = POLLIN}};

    if (poll(fds, N, -1) < 0 && errno != EINTR) {
        return ct_fail(err, errno, "wait for the end");
    }
    if (fds[END].revents) {
        return 1;
    }
    if (fds[SIGNAL].revents) {
        take_signal(foreground, pidfd);
    }
    if (fds[INPUT].revents) {
        pass_input(foreground);
    }
    if (fds[OUTPUT].revents) {
        pass_output(foreground);
    }
    if (fds[WATCH].revents && foreground->watch(foreground->watch_context)) {
        foreground->watch_fd = -1;
    }
    return 0;
}

int lc_foreground_wait(struct lc_foreground *foreground, int pidfd, struct ct_error *err)
{
    siginfo_t end = {0};
    int ended = 0;

    if (lc_foreground_join(foreground, err) < 0) {
        return -1;
    }
    while (ended == 0) {
        ended = pass_all(foreground, pidfd, err);
    }
    if (ended < 0) {
        return -1;
    }
    drain(foreground);
    if (waitid(P_PIDFD, (id_t)pidfd, &end, WEXITED) < 0) {
        return ct_fail(err, errno, "wait for the end");
    }
    return end.si_code == CLD_EXITED ? end.si_status : 128 + end.si_status;
}

void lc_foreground_end(struct lc_foreground *foreground)
{
    if (foreground->raw) {
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &foreground->own_termios);
    }
    if (foreground->signal_fd >= 0) {
        (void)sigprocmask(SIG_SETMASK, &foreground->old_signals, NULL);
    }
    ct_cleanup_close(&foreground->signal_fd);
    ct_cleanup_close(&foreground->listen_fd);
    ct_cleanup_close(&foreground->node_fd);
    ct_cleanup_close(&foreground->master_fd);
}

int lc_write_pid_file(const char *path, pid_t pid, struct ct_error *err)
{
    char text[16];

    if (!path) {
        return 0;
    }
    CT_AUTO_FREE char *for_folder = ct_strdup(path), *for_name = ct_strdup(path);
    CT_AUTO_CLOSE int folder = open(dirname(for_folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int length = snprintf(text, sizeof(text), "%d", (int)pid);
    if (folder < 0) {
        return ct_fail(err, errno, "write the pid file '%.100s'", path);
    }
    return ct_write_run_file_at(folder, basename(for_name), text, (size_t)length, 0644, err) < 0
               ? ct_while(err, "write the pid file '%.100s'", path)
               : 0;
}

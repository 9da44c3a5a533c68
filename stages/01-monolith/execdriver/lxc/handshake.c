/*
 * handshake.c - the driver's side of the talk with sysinit.
 *
 * Room:       execdriver/lxc.   Called by: see handshake.h.
 * Man:        unix(7), pidfd_open(2), fcntl_linux(2) (seals).
 */
#define CT_LAYER "execdriver"
#include "handshake.h"

#include "cleanup.h"
#include "deadline.h"
#include "file.h"
#include "plan.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the plan ------------------------------------------------------------------------------- */

static size_t count_strings(const char *const *strings)
{
    size_t n = 0;

    while (strings && strings[n]) {
        n++;
    }
    return n;
}

static void put_vector(FILE *out, const char *const *strings)
{
    size_t n = count_strings(strings);

    (void)fprintf(out, "%zu%c", n, 0);
    for (size_t i = 0; i < n; i++) {
        (void)fwrite(strings[i], 1, strlen(strings[i]) + 1, out);
    }
}

/* The text of a plan, owned. caps NULL: LXC has set the user. */
static char *plan_text(const struct exec_program *program, const uint64_t *caps, size_t *ret_length)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, ret_length);
    if (!out) {
        return NULL;
    }
    unsigned flags = (program->terminal ? PLAN_TERMINAL : 0) | (caps ? PLAN_SET_IDS : 0);
    (void)fprintf(out, "%s%c%u%c%u%c%u%c%" PRIu64 "%c%zu%c", PLAN_MAGIC, 0, flags, 0, program->uid,
                  0, program->gid, 0, caps ? *caps : 0, 0, program->n_groups, 0);
    for (size_t i = 0; i < program->n_groups; i++) {
        (void)fprintf(out, "%u%c", program->groups[i], 0);
    }
    (void)fprintf(out, "%s%c", program->cwd && program->cwd[0] ? program->cwd : "/", 0);
    put_vector(out, program->argv);
    put_vector(out, program->env);
    bool failed = ferror(out);
    if (fclose(out) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}

static int plan_memfd(const struct exec_program *program, const uint64_t *caps,
                      struct ct_error *err)
{
    size_t length = 0;
    CT_AUTO_FREE char *text = plan_text(program, caps, &length);
    CT_AUTO_CLOSE int fd = -1;

    if (!text) {
        return ct_fail(err, ENOMEM, "write down the program's arguments and environment");
    }
    if (length > PLAN_MAX_BYTES) {
        return ct_refuse(err, CT_CANNOT_RUN,
                         "pass on %zu bytes of arguments and environment: the kernel takes 6 MiB",
                         length);
    }
    fd = memfd_create("cutaway-plan", MFD_CLOEXEC);
    if (fd < 0 || ct_write_all(fd, text, length) < 0) {
        return ct_fail(err, errno, "write the plan");
    }
    return ct_steal_fd(&fd);
}

/* ---- opening -------------------------------------------------------------------------------- */

/* Pipes and terminals are made by us as root: give them to the program's user, so that it can open
 * /dev/stdout again. Other files keep their owner. */
static void give_stdio_to(uid_t uid, const int stdio[static 3])
{
    struct stat st;

    for (int i = 0; i < 3 && uid != 0; i++) {
        if (fstat(stdio[i], &st) == 0 &&
            (S_ISFIFO(st.st_mode) || (S_ISCHR(st.st_mode) && isatty(stdio[i])))) {
            (void)fchown(stdio[i], uid, (gid_t)-1); /* refused: it can still use it as it is */
        }
    }
}

static int send_plan(int socket_fd, int plan_fd, const int stdio[static 3], struct ct_error *err)
{
    int fds[PLAN_FDS] = {plan_fd, stdio[0], stdio[1], stdio[2]};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(fds))];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(fds)),
                            .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS}};
    struct iovec data = {.iov_base = (char[]){'P'}, .iov_len = 1};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};

    memcpy(CMSG_DATA(&control.header), fds, sizeof(fds));
    if (sendmsg(socket_fd, &message, MSG_NOSIGNAL) != 1) {
        return ct_fail(err, errno, "send the plan to sysinit");
    }
    return 0;
}

static int open_with(struct handshake *ret, const struct exec_program *program,
                     const uint64_t *caps, struct ct_error *err)
{
    struct handshake shake = HANDSHAKE_NONE;
    CT_AUTO_CLOSE int plan_fd = plan_memfd(program, caps, err);
    int ends[2];

    if (plan_fd < 0) {
        return -1;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        return ct_fail(err, errno, "make a socket to talk with sysinit");
    }
    shake.ours = ends[0];
    shake.theirs = ends[1];
    if (setsockopt(shake.ours, SOL_SOCKET, SO_PASSCRED, &(int){1}, sizeof(int)) < 0) {
        (void)ct_fail(err, errno, "ask for the credentials of sysinit");
        handshake_close(&shake);
        return -1;
    }
    give_stdio_to(program->uid, program->stdio);
    if (send_plan(shake.ours, plan_fd, program->stdio, err) < 0) {
        handshake_close(&shake);
        return -1;
    }
    *ret = shake;
    return 0;
}

int handshake_open(struct handshake *ret, const struct exec_program *program, struct ct_error *err)
{
    return open_with(ret, program, NULL, err);
}

int handshake_open_elevated(struct handshake *ret, const struct exec_program *program,
                            uint64_t caps, struct ct_error *err)
{
    return open_with(ret, program, &caps, err);
}

void handshake_given(struct handshake *shake)
{
    ct_cleanup_close(&shake->theirs);
    shake->theirs = -1;
}

/* ---- hello ---------------------------------------------------------------------------------- */

/* Takes the pid that the kernel vouches for, and the descriptor that comes along. */
static int receive_hello(struct handshake *shake, struct ct_error *err)
{
    char letter = 0;
    struct ucred sender = {0};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
    } control = {0};
    struct iovec data = {.iov_base = &letter, .iov_len = 1};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(shake->ours, &message, MSG_CMSG_CLOEXEC);

    for (struct cmsghdr *c = n == 1 ? CMSG_FIRSTHDR(&message) : NULL; c;
         c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_type == SCM_CREDENTIALS && c->cmsg_len == CMSG_LEN(sizeof(sender))) {
            memcpy(&sender, CMSG_DATA(c), sizeof(sender));
        } else if (c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int))) {
            memcpy(&shake->report, CMSG_DATA(c), sizeof(int));
        }
    }
    if (letter != 'H' || sender.pid <= 0 || shake->report < 0) {
        return ct_refuse(err, CT_UNREACHABLE, "hear from sysinit: it is gone");
    }
    /* No other process can have the pid: sysinit waits for our "G", and its parent in LXC reaps it
     * only after it ended. */
    shake->pid = sender.pid;
    shake->pidfd = ct_pidfd_open(sender.pid, err);
    return shake->pidfd < 0 ? -1 : 0;
}

int handshake_hello(struct handshake *shake, int runtime_pidfd, int64_t deadline_ns,
                    struct ct_error *err)
{
    struct pollfd fds[] = {{.fd = shake->ours, .events = POLLIN},
                           {.fd = runtime_pidfd, .events = POLLIN}};
    int n = 0;

    do {
        n = poll(fds, 2, deadline_left_ms(deadline_ns));
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return ct_fail(err, errno, "wait for sysinit");
    }
    if (n == 0) {
        return ct_refuse(err, CT_TIMEOUT, "wait for sysinit: LXC did not get that far in time");
    }
    if (!(fds[0].revents & POLLIN)) {
        return ct_refuse(err, CT_UNREACHABLE, "wait for sysinit: LXC gave up before");
    }
    return receive_hello(shake, err);
}

/* ---- go ------------------------------------------------------------------------------------- */

int handshake_go(struct handshake *shake, int64_t deadline_ns, struct ct_error *err)
{
    struct ct_error cause = {0};

    if (shake->ours < 0 || send(shake->ours, "G", 1, MSG_NOSIGNAL) != 1) {
        return ct_refuse(err, CT_CONFLICT, "let the program run: it has ended, or runs already");
    }
    ct_cleanup_close(&shake->ours);
    shake->ours = -1;
    if (ct_wait_readable(shake->report, -1, deadline_left_ms(deadline_ns), err) <= 0) {
        return ct_refuse(err, CT_TIMEOUT, "wait for the program to start");
    }
    int n = ct_error_receive(shake->report, &cause, err);
    if (n > 0) {
        *err = cause;
    }
    ct_cleanup_close(&shake->report);
    shake->report = -1;
    return n == 0 ? 0 : -1;
}

void handshake_close(struct handshake *shake)
{
    ct_cleanup_close(&shake->ours);
    ct_cleanup_close(&shake->theirs);
    ct_cleanup_close(&shake->report);
    ct_cleanup_close(&shake->pidfd);
    *shake = HANDSHAKE_NONE;
}

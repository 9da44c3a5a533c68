/*
 * sync.c - messages between the runtime and the process that becomes the container.
 *
 * Room:       libcontainer.   Called by: see sync.h.
 */
#define CT_LAYER "runtime"
#include "sync.h"

#include "cleanup.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

struct message {
    int what; /* enum lc_sync */
    struct ct_error error;
};

union control {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
};

int lc_sync_open(int ret_sockets[2], struct ct_error *err)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_sockets) < 0) {
        return ct_fail(err, errno, "make a pair of sockets");
    }
    return 0;
}

static int send_message(int socket_fd, const struct message *message, int fd)
{
    union control control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
                                        .cmsg_level = SOL_SOCKET,
                                        .cmsg_type = SCM_RIGHTS}};
    struct iovec data = {.iov_base = (void *)message, .iov_len = sizeof(*message)};
    struct msghdr header = {.msg_iov = &data, .msg_iovlen = 1};

    if (fd >= 0) {
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
        header.msg_control = &control;
        header.msg_controllen = sizeof(control);
    }
    return sendmsg(socket_fd, &header, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

int lc_sync_send(int socket_fd, enum lc_sync what, int fd, struct ct_error *err)
{
    const struct message message = {.what = (int)what};
    int got = 1;

    if (send_message(socket_fd, &message, fd) == 0) {
        return 0;
    }
    int sys = errno;
    while (sys == EPIPE && got > 0) { /* it has ended, and before that perhaps told us why */
        got = lc_sync_receive(socket_fd, -1, NULL, err);
    }
    return got < 0 ? -1 : ct_fail(err, sys, "tell the other side '%c'", what);
}

void lc_sync_send_error(int socket_fd, const struct ct_error *failure)
{
    const struct message message = {.what = LC_SYNC_FAILED, .error = *failure};
    (void)send_message(socket_fd, &message, -1);
}

int64_t lc_deadline(int timeout_ms)
{
    struct timespec now;

    if (timeout_ms < 0) {
        return -1;
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec + timeout_ms * INT64_C(1000000);
}

static int left_ms(int64_t deadline_ns)
{
    if (deadline_ns < 0) {
        return -1;
    }
    int64_t left = (deadline_ns - lc_deadline(0)) / 1000000;
    return left < 0 ? 0 : (int)left;
}

static int wait_readable(int socket_fd, int64_t deadline_ns, struct ct_error *err)
{
    struct pollfd wait = {.fd = socket_fd, .events = POLLIN};
    int n = 0;

    if (deadline_ns < 0) {
        return 0; /* recvmsg(2) waits itself */
    }
    do {
        n = poll(&wait, 1, left_ms(deadline_ns));
    } while (n < 0 && errno == EINTR);
    return n > 0 ? 0
                 : ct_refuse(err, CT_TIMEOUT, "wait for the container's first process: too long");
}

/* The other side may be inside the container already: a text is cut, a number looked at. */
static int take_error(const struct ct_error *received, struct ct_error *err)
{
    CT_AUTO_JSON json_t *checked = NULL;
    struct ct_error copy = *received;

    copy.hint[sizeof(copy.hint) - 1] = '\0';
    for (int i = 0; i < CT_ERROR_DEPTH; i++) {
        copy.frame[i].layer[sizeof(copy.frame[i].layer) - 1] = '\0';
        copy.frame[i].what[sizeof(copy.frame[i].what) - 1] = '\0';
    }
    if (copy.depth < 1 || copy.depth > CT_ERROR_DEPTH) {
        return ct_refuse(err, CT_UNREACHABLE, "read the error of the container's first process");
    }
    checked = ct_error_to_json(&copy);
    (void)ct_error_from_json(checked, err);
    return -1;
}

static int take_fd(struct msghdr *header)
{
    int fd = -1;
    const struct cmsghdr *found = CMSG_FIRSTHDR(header);

    if (found && found->cmsg_type == SCM_RIGHTS && found->cmsg_len == CMSG_LEN(sizeof(int))) {
        memcpy(&fd, CMSG_DATA(found), sizeof(fd));
    }
    return fd;
}

int lc_sync_receive(int socket_fd, int64_t deadline_ns, int *ret_fd, struct ct_error *err)
{
    struct message message = {0};
    union control control = {0};
    struct iovec data = {.iov_base = &message, .iov_len = sizeof(message)};
    struct msghdr header = {.msg_iov = &data,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof(control)};
    ssize_t n = 0;

    if (wait_readable(socket_fd, deadline_ns, err) < 0) {
        return -1;
    }
    do { /* ECONNRESET comes once, before what is still to be read: our last word was not heard */
        n = recvmsg(socket_fd, &header, MSG_CMSG_CLOEXEC);
    } while (n < 0 && (errno == EINTR || errno == ECONNRESET));
    if (n < 0) {
        return ct_fail(err, errno, "receive what the other side says");
    }
    CT_AUTO_CLOSE int fd = take_fd(&header);
    if (n <= 0) {
        return 0;
    }
    if (n != sizeof(message)) {
        return ct_refuse(err, CT_UNREACHABLE, "the other side said something else");
    }
    if (message.what == LC_SYNC_FAILED) {
        return take_error(&message.error, err);
    }
    if (ret_fd) {
        *ret_fd = ct_steal_fd(&fd);
    }
    return message.what;
}

int lc_sync_expect(int socket_fd, enum lc_sync what, int64_t deadline_ns, int *ret_fd,
                   struct ct_error *err)
{
    int got = lc_sync_receive(socket_fd, deadline_ns, ret_fd, err);

    if (got <= 0) {
        return got < 0 ? -1
                       : ct_refuse(err, CT_UNREACHABLE, "the other side ended before it was ready");
    }
    if (got != (int)what) {
        return ct_refuse(err, CT_UNREACHABLE, "the other side said %d where '%c' was expected", got,
                         what);
    }
    return 0;
}

/*
 * wire.c - documents over the monitor's socket.
 *
 * Room:       monitor.   Called by: serve.c, ask.c.
 * Man:        unix(7), recv(2) (MSG_PEEK), cmsg(3) (SCM_RIGHTS).
 */
#define CT_LAYER "monitor"
#include "wire.h"

#include "cleanup.h"
#include "json.h"
#include "units.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct sockaddr_un wire_address(int run_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" WIRE_SOCKET,
                   run_fd);
    return address;
}

union control { /* aligned as the kernel wants it */
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
};

/* Descriptors go with the first byte that is sent. */
static ssize_t send_some(int fd, const char *bytes, size_t length, const int *fds, size_t n_fds)
{
    union control control = {0};
    struct iovec data = {.iov_base = (char *)bytes, .iov_len = length};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};

    if (n_fds > 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
        control.header = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
                                          .cmsg_type = SCM_RIGHTS,
                                          .cmsg_len = CMSG_LEN(sizeof(int) * n_fds)};
        memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * n_fds);
    }
    return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

int wire_send_fds(int fd, const json_t *document, const int *fds, size_t n_fds, int timeout_ms,
                  struct ct_error *err)
{
    CT_AUTO_FREE char *text = ct_json_text(document);
    size_t length = text ? strlen(text) : 0;
    int64_t deadline_ns = ct_monotonic_ns() + (int64_t)timeout_ms * 1000000;
    struct pollfd room = {.fd = fd, .events = POLLOUT};

    if (!text || n_fds > WIRE_FDS_MAX) {
        return ct_fail(err, text ? EINVAL : ENOMEM, "send a message");
    }
    text[length] = '\n'; /* in place of the NUL: the length is known */
    for (size_t sent = 0; sent < length + 1;) {
        ssize_t n = send_some(fd, text + sent, length + 1 - sent, fds, sent == 0 ? n_fds : 0);
        int64_t left_ms = (deadline_ns - ct_monotonic_ns()) / 1000000;
        if (n >= 0) {
            sent += (size_t)n;
        } else if (errno != EINTR &&
                   (errno != EAGAIN || left_ms <= 0 || poll(&room, 1, (int)left_ms) <= 0)) {
            (void)ct_fail(err, errno, "send a message");
            err->kind = CT_UNREACHABLE;
            return -1;
        }
    }
    return 0;
}

int wire_send(int fd, const json_t *document, int timeout_ms, struct ct_error *err)
{
    return wire_send_fds(fd, document, NULL, 0, timeout_ms, err);
}

/* What did not fit or is not wanted, the kernel closes. */
static void keep_fds(struct msghdr *message, struct wire_fds *ret)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
            if (ret->n < WIRE_FDS_MAX) {
                ret->fds[ret->n++] = fd;
            } else {
                (void)close(fd);
            }
        }
    }
}

static ssize_t receive_some(int fd, char *bytes, size_t length, struct wire_fds *ret_fds)
{
    union control control = {0};
    struct iovec data = {.iov_base = bytes, .iov_len = length};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = ret_fds ? control.bytes : NULL,
                             .msg_controllen = ret_fds ? sizeof(control.bytes) : 0};
    ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (n >= 0 && ret_fds) {
        keep_fds(&message, ret_fds);
    }
    return n;
}

/* Reads n bytes that are known to be there. */
static int take(int fd, char **buffer, size_t *length, size_t n, struct wire_fds *ret_fds,
                struct ct_error *err)
{
    char *grown = realloc(*buffer, *length + n);
    if (!grown) {
        return ct_fail(err, ENOMEM, "receive a message");
    }
    *buffer = grown;
    ssize_t got = receive_some(fd, grown + *length, n, ret_fds);
    if (got != (ssize_t)n) {
        return ct_fail(err, got < 0 ? errno : EIO, "receive a message");
    }
    *length += n;
    return 0;
}

int wire_receive(int fd, char **buffer, size_t *length, json_t **ret, struct ct_error *err)
{
    return wire_receive_fds(fd, buffer, length, ret, NULL, err);
}

int wire_receive_fds(int fd, char **buffer, size_t *length, json_t **ret, struct wire_fds *ret_fds,
                     struct ct_error *err)
{
    char peeked[4096];

    for (;;) {
        ssize_t n = recv(fd, peeked, sizeof(peeked), MSG_PEEK | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno == EAGAIN) {
            return 0;
        }
        if (n <= 0) {
            return ct_refuse(err, CT_UNREACHABLE, "receive a message: the connection was closed");
        }
        const char *end = memchr(peeked, '\n', (size_t)n);
        size_t wanted = end ? (size_t)(end - peeked) + 1 : (size_t)n;
        if (*length + wanted > WIRE_LINE_MAX) {
            return ct_refuse(err, CT_INVALID, "receive a message: it is longer than %d bytes",
                             WIRE_LINE_MAX);
        }
        if (take(fd, buffer, length, wanted, ret_fds, err) < 0) {
            return -1;
        }
        if (end) {
            *ret = ct_json_parse(*buffer, *length - 1, err);
            return *ret ? 1 : -1;
        }
    }
}

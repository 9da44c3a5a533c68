/*
 * wire.c - documents over the monitor's socket.
 *
 * Room:       monitor.   Called by: serve.c, ask.c.
 * Man:        unix(7), recv(2) (MSG_PEEK).
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

struct sockaddr_un wire_address(int run_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" WIRE_SOCKET,
                   run_fd);
    return address;
}

int wire_send(int fd, const json_t *document, int timeout_ms, struct ct_error *err)
{
    CT_AUTO_FREE char *text = ct_json_text(document);
    size_t length = text ? strlen(text) : 0;
    int64_t deadline_ns = ct_monotonic_ns() + (int64_t)timeout_ms * 1000000;
    struct pollfd room = {.fd = fd, .events = POLLOUT};

    if (!text) {
        return ct_fail(err, ENOMEM, "send a message");
    }
    text[length] = '\n'; /* in place of the NUL: the length is known */
    for (size_t sent = 0; sent < length + 1;) {
        ssize_t n = send(fd, text + sent, length + 1 - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
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

/* Reads n bytes that are known to be there. */
static int take(int fd, char **buffer, size_t *length, size_t n, struct ct_error *err)
{
    char *grown = realloc(*buffer, *length + n);
    if (!grown) {
        return ct_fail(err, ENOMEM, "receive a message");
    }
    *buffer = grown;
    ssize_t got = recv(fd, grown + *length, n, MSG_DONTWAIT);
    if (got != (ssize_t)n) {
        return ct_fail(err, got < 0 ? errno : EIO, "receive a message");
    }
    *length += n;
    return 0;
}

int wire_receive(int fd, char **buffer, size_t *length, json_t **ret, struct ct_error *err)
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
        if (take(fd, buffer, length, wanted, err) < 0) {
            return -1;
        }
        if (end) {
            *ret = ct_json_parse(*buffer, *length - 1, err);
            return *ret ? 1 : -1;
        }
    }
}

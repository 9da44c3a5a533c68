/*
 * seccomp_load.c - installs a filter, and hands its listener to who answers for it.
 *
 * Room:       libcontainer.   Called by: setup.c (loading), create.c and exec.c (the listener).
 * Spec:       config-linux.md, "The Container Process State".
 * Man:        seccomp(2), seccomp_unotify(2), unix(7).
 */
#define CT_LAYER "seccomp"
#include "seccomp_internal.h"

#include "cleanup.h"
#include "json.h"
#include "libcontainer.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define AGENT_TIMEOUT_S 10 /* an agent that takes no connection must not hold up a container */

int lc_seccomp_load(const struct lc_seccomp *seccomp, int *ret_notify_fd, struct ct_error *err)
{
    const struct sock_fprog program = {.len = (unsigned short)seccomp->n_instructions,
                                       .filter = seccomp->program};

    *ret_notify_fd = -1;
    if (!seccomp->is_set) {
        return 0;
    }
    long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, seccomp->flags, &program);
    if (result < 0) {
        return ct_fail(err, errno, "install the seccomp filter");
    }
    if (seccomp->notifies) {
        *ret_notify_fd = (int)result; /* close-on-exec, as the kernel makes it */
        return 0;
    }
    return result == 0
               ? 0
               : ct_refuse(err, CT_CONFLICT,
                           "install the seccomp filter: thread %ld has another one", result);
}

/* ---- the listener --------------------------------------------------------------------------- */

static int connect_agent(const char *path, struct ct_error *err)
{
    const struct timeval patience = {.tv_sec = AGENT_TIMEOUT_S};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    CT_AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof(address.sun_path)) {
        return ct_refuse(err, CT_INVALID, "connect to the seccomp agent '%s': the path is too long",
                         path);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        return ct_fail(err, errno, "connect to the seccomp agent '%s'", path);
    }
    return ct_steal_fd(&fd);
}

/* The descriptor goes with the first byte. */
static int send_with_fd(int socket_fd, const char *text, int fd, struct ct_error *err)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    size_t length = strlen(text), sent = 0;

    while (sent < length) {
        struct iovec part = {.iov_base = (char *)(uintptr_t)text + sent, .iov_len = length - sent};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
        if (sent == 0) {
            message.msg_control = control.bytes;
            message.msg_controllen = sizeof(control.bytes);
            struct cmsghdr *header = CMSG_FIRSTHDR(&message);
            header->cmsg_level = SOL_SOCKET;
            header->cmsg_type = SCM_RIGHTS;
            header->cmsg_len = CMSG_LEN(sizeof(fd));
            memcpy(CMSG_DATA(header), &fd, sizeof(fd));
        }
        ssize_t n = sendmsg(socket_fd, &message, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR) {
            return ct_fail(err, errno, "send the listener to the seccomp agent");
        }
        sent += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int lc_seccomp_notify(const json_t *seccomp, int notify_fd, pid_t pid, const json_t *state,
                      struct ct_error *err)
{
    CT_AUTO_JSON json_t *message = json_object();
    const char *metadata = ct_json_string(seccomp, "listenerMetadata", NULL);
    json_t *fds = json_array();

    ct_json_set_string(message, "ociVersion", LC_OCI_VERSION);
    ct_json_append(fds, json_string("seccompFd"));
    ct_json_set(message, "fds", fds);
    ct_json_set(message, "pid", json_integer(pid));
    if (metadata) {
        ct_json_set_string(message, "metadata", metadata);
    }
    ct_json_set(message, "state", json_deep_copy(state));
    CT_AUTO_FREE char *text = ct_json_text(message);
    CT_AUTO_CLOSE int socket_fd = connect_agent(ct_json_string(seccomp, "listenerPath", ""), err);
    return socket_fd < 0 ? -1 : send_with_fd(socket_fd, text, notify_fd, err);
}

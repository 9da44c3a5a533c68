/*
 * start.c - lets the program run: the meeting of `start` and the container's first process.
 *
 * Room:       libcontainer.   Called by: see libcontainer.h; init.c waits.
 * Spec:       runtime.md, "Start".
 * Man:        unix(7), connect(2) (ECONNREFUSED: nobody listens any more).
 *
 * The first process listens on ROOT/<id>/start.sock. `start`, perhaps another program than the one
 * that created, connects and says so (sync.h); the answer is an error, or just the end of the
 * connection when execve(2) has closed it. (runc has a FIFO here, which can carry no answer.) A
 * process that connects and goes away without a word has changed nothing.
 */
#define CT_LAYER "runtime"
#include "container_internal.h"
#include "seccomp.h"
#include "sync.h"

#include "cleanup.h"
#include "span.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Through the descriptor of the directory: a socket's address has room for 107 bytes only. */
static struct sockaddr_un address_of(const struct lc_container *container)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" LC_START_SOCKET,
                   container->dir_fd);
    return address;
}

int lc_start_listen(const struct lc_container *container, struct ct_error *err)
{
    const struct sockaddr_un address = address_of(container);
    CT_AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(fd, 1) < 0) {
        return ct_fail(err, errno, "make the socket on which the container waits for its start");
    }
    return ct_steal_fd(&fd);
}

/* -1 with errno: ENOENT or ECONNREFUSED mean that nobody waits. */
static int connect_to(const struct lc_container *container)
{
    const struct sockaddr_un address = address_of(container);
    CT_AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        return -1;
    }
    return ct_steal_fd(&fd);
}

bool lc_start_is_awaited(const struct lc_container *container)
{
    if (faccessat(container->dir_fd, LC_START_SOCKET, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
        return false;
    }
    CT_AUTO_CLOSE int fd = connect_to(container);
    return fd >= 0;
}

int lc_start_wait(int listen_fd, struct ct_error *err)
{
    for (;;) {
        CT_AUTO_CLOSE int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
        struct ct_error went_away = {0};

        if (fd < 0 && errno != EINTR && errno != ECONNABORTED) {
            return ct_fail(err, errno, "wait for the start");
        }
        if (fd >= 0 && lc_sync_expect(fd, LC_SYNC_GO_ON, -1, NULL, &went_away) == 0) {
            return ct_steal_fd(&fd);
        }
    }
}

/* The listener of a filter goes to its agent, which the container is not to see. */
static int hand_over(struct lc_container *container, int notify_fd, struct ct_error *err)
{
    CT_AUTO_JSON json_t *state = lc_container_state_as(container, "created");
    struct lc_configuration configuration;

    if (lc_container_configuration(container, &configuration, err) < 0) {
        return -1;
    }
    int result = lc_seccomp_notify(configuration.seccomp, notify_fd, container->pid, state, err);
    lc_configuration_done(&configuration);
    return result;
}

/* Until execve(2) has closed the connection, or an error comes. */
static int await_program(struct lc_container *container, int fd, int64_t deadline_ns,
                         struct ct_error *err)
{
    for (;;) {
        int notify_fd = -1;
        int what = lc_sync_receive(fd, deadline_ns, &notify_fd, err);
        CT_AUTO_CLOSE int listener = notify_fd;

        if (what <= 0) {
            return what;
        }
        if (what != LC_SYNC_NOTIFY || hand_over(container, listener, err) < 0 ||
            lc_sync_send(fd, LC_SYNC_GO_ON, -1, err) < 0) {
            return err->kind ? -1 : ct_refuse(err, CT_UNREACHABLE, "understand '%c'", what);
        }
    }
}

static int go(struct lc_container *container, int timeout_ms, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_RUNTIME, CT_STEP_EXEC, "start.sock: go");
    CT_AUTO_CLOSE int fd = connect_to(container);

    if (fd < 0) {
        return ct_refuse(err, CT_CONFLICT, "cannot start a container that has been started");
    }
    if (lc_sync_send(fd, LC_SYNC_GO_ON, -1, err) < 0) {
        return -1;
    }
    int result = await_program(container, fd, lc_deadline(timeout_ms), err);
    (void)unlinkat(container->dir_fd, LC_START_SOCKET, 0); /* nobody listens there any more */
    return result;
}

static int run_poststart(struct lc_container *container, struct ct_error *err)
{
    struct lc_configuration configuration;

    if (!lc_container_has_hooks(container, LC_HOOK_POSTSTART)) {
        return 0;
    }
    if (lc_container_configuration(container, &configuration, err) < 0) {
        return -1;
    }
    CT_AUTO_JSON json_t *state = lc_container_state_as(container, "running");
    int result = lc_hooks_run(&configuration.hooks, LC_HOOK_POSTSTART, state, err);
    lc_configuration_done(&configuration);
    return result;
}

static int start(struct lc_container *container, int timeout_ms, struct ct_error *err)
{
    enum lc_status status = lc_status(container);

    if (status == LC_STOPPED) {
        return ct_refuse(err, CT_CONFLICT, "cannot start a container that has stopped");
    }
    if (status != LC_CREATED) {
        return ct_refuse(err, CT_CONFLICT, "cannot start a container that has been started");
    }
    if (go(container, timeout_ms, err) < 0) {
        return -1;
    }
    return run_poststart(container, err);
}

int lc_start(struct lc_container *container, int timeout_ms, struct ct_error *err)
{
    if (lc_container_lock(container, err) < 0) {
        return -1;
    }
    int result = start(container, timeout_ms, err);
    lc_container_unlock(container);
    return result < 0 ? ct_while(err, "start '%.60s'", container->id) : 0;
}

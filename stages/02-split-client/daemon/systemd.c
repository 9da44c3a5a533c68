/*
 * systemd.c - what a service manager hands over, and what it wants to be told.
 *
 * Room:       daemon.   Called by: main.c of cutawayd.
 * Man:        see systemd.h.
 */
#include "systemd.h"

#include "cleanup.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un listener; /* sun_path is empty: none */
static socklen_t listener_length;

/* "/run/systemd/notify", or "@name" for one without a file. */
static void read_listener(const char *path)
{
    size_t length = path ? strlen(path) : 0;

    if (length < 2 || length >= sizeof(listener.sun_path) || !strchr("/@", path[0])) {
        return;
    }
    listener.sun_family = AF_UNIX;
    memcpy(listener.sun_path, path, length);
    listener_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    if (path[0] == '@') {
        listener.sun_path[0] = '\0';
    }
}

int systemd_begin(void)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    int n = pid && count && strtol(pid, NULL, 10) == getpid() ? atoi(count) : 0;

    for (int fd = SYSTEMD_FD_MIN; fd < SYSTEMD_FD_MIN + n; fd++) {
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
    read_listener(getenv("NOTIFY_SOCKET"));
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
    (void)unsetenv("NOTIFY_SOCKET");
    return n > 0 ? n : 0;
}

void systemd_tell(const char *what)
{
    CT_AUTO_CLOSE int fd = listener_length ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;

    if (fd >= 0) {
        (void)sendto(fd, what, strlen(what), MSG_NOSIGNAL, (const struct sockaddr *)&listener,
                     listener_length);
    }
}

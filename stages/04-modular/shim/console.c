/*
 * console.c - takes the terminal that the runtime has made inside the container.
 *
 * Room:       shim.   Called by: streams.c.
 * Spec:       runc docs/terminals.md, "Detached"; unix(7) (SCM_RIGHTS).
 *
 * The runtime connects, sends one descriptor and goes; it does not wait for us. So the socket is
 * looked at when the runtime's command has ended: what it sent is waiting there.
 */
#define CT_LAYER "shim"
#include "shim_internal.h"

#include "cleanup.h"
#include "file.h"
#include "path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct console {
    char *path;
    int fd; /* listens */
};

static int listen_on(const char *path, struct ct_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path)) {
        return ct_refuse(err, CT_INVALID, "listen on '%.120s': %zu bytes are the most", path,
                         sizeof(address.sun_path) - 1);
    }
    memcpy(address.sun_path, path, strlen(path));
    CT_AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0) {
        return ct_fail(err, errno, "listen on '%.120s'", path);
    }
    return ct_steal_fd(&fd);
}

struct console *console_open(struct ct_error *err)
{
    CT_AUTO_FREE char *folder = address_folder(err);
    struct console *console = folder ? calloc(1, sizeof(*console)) : NULL;
    char digits[17];

    if (!console) {
        return NULL;
    }
    ct_random_hex(digits, 8);
    console->path = ct_printf("%s/pty-%s", folder, digits);
    console->fd = listen_on(console->path, err);
    if (console->fd < 0) {
        console_free(console);
        return NULL;
    }
    return console;
}

const char *console_path(const struct console *console)
{
    return console->path;
}

static int receive_fd(int from, struct ct_error *err)
{
    char name[256], control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
    struct iovec data = {.iov_base = name, .iov_len = sizeof(name)};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    int fd = -1;

    if (recvmsg(from, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) < 0) {
        return ct_fail(err, errno, "receive the terminal");
    }
    const struct cmsghdr *part = CMSG_FIRSTHDR(&message);
    if (part && part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS &&
        part->cmsg_len == CMSG_LEN(sizeof(int))) {
        memcpy(&fd, CMSG_DATA(part), sizeof(fd));
    }
    return fd < 0 ? ct_refuse(err, CT_SYSTEM, "receive the terminal: the runtime sent none") : fd;
}

/* The other end is made inside the container, so what comes is looked at: a terminal's master, and
 * nothing else. */
int console_take(struct console *console, struct ct_error *err)
{
    CT_AUTO_CLOSE int peer = accept4(console->fd, NULL, NULL, SOCK_CLOEXEC);
    unsigned number = 0;

    if (peer < 0) {
        return ct_fail(err, errno, "receive the terminal");
    }
    CT_AUTO_CLOSE int master = receive_fd(peer, err);
    if (master < 0) {
        return -1;
    }
    if (ioctl(master, TIOCGPTN, &number) < 0) {
        return ct_refuse(err, CT_INVALID, "receive the terminal: the runtime sent something else");
    }
    return ct_steal_fd(&master);
}

void console_free(struct console *console)
{
    if (console) {
        ct_cleanup_close(&console->fd);
        (void)unlink(console->path);
        free(console->path);
        free(console);
    }
}

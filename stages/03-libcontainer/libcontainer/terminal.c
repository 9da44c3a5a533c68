/*
 * terminal.c - the container's own terminal, and where its master goes.
 *
 * Room:       libcontainer.   Called by: see terminal.h.
 *
 * The root is the image's, and what stands below its /dev is not trusted: nothing here is opened
 * by a name that a link could bend, and what was opened is looked at by its descriptor.
 */
#define CT_LAYER "terminal"
#include "terminal.h"

#include "cleanup.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/vfs.h>

/* For who listens on the console socket, to accept and to receive. */
#define PATIENCE_S 10

int lc_terminal_connect(const char *path, struct ct_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    CT_AUTO_CLOSE int node = -1;
    char short_path[32];
    const char *name = path;

    if (!*path) {
        return ct_refuse(err, CT_INVALID, "connect to the console socket: its path is empty");
    }
    if (strlen(path) >= sizeof(address.sun_path)) {
        node = open(path, O_PATH | O_CLOEXEC);
        if (node < 0) {
            return ct_fail(err, errno, "open the console socket '%s'", path);
        }
        name = ct_fd_path(node, short_path);
    }
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", name);
    CT_AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        return ct_fail(err, errno, "connect to the console socket '%s'", path);
    }
    return ct_steal_fd(&fd);
}

/* ---- making one ---- */

/*
 * The master of a new terminal in the devpts of the root, owned. In a devpts "ptmx" is what the
 * kernel put there; but something can be mounted on it, so no mount is crossed.
 */
static int open_master(int root_fd, struct ct_error *err)
{
    const struct open_how how = {.flags = O_RDWR | O_NOCTTY | O_CLOEXEC,
                                 .resolve =
                                     RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS};
    CT_AUTO_CLOSE int dir = ct_root_openat(root_fd, "/dev/pts", O_PATH | O_DIRECTORY, 0, err);
    struct statfs file_system;

    if (dir < 0) {
        return ct_while(err, "open a terminal");
    }
    if (fstatfs(dir, &file_system) < 0 || file_system.f_type != DEVPTS_SUPER_MAGIC) {
        (void)ct_refuse(err, CT_INVALID, "open a terminal: the root's /dev/pts is no devpts");
        return ct_hint(err, "a mount of type devpts on /dev/pts");
    }
    int master = (int)syscall(SYS_openat2, dir, "ptmx", &how, sizeof(how));
    return master < 0 ? ct_fail(err, errno, "open a terminal: /dev/pts/ptmx in the root") : master;
}

/* As runc does it: one message with the descriptor, and what it is as text. */
static int send_master(int socket_fd, int master, struct ct_error *err)
{
    char text[] = "/dev/ptmx";
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec part = {.iov_base = text, .iov_len = strlen(text)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &master, sizeof(master));
    if (sendmsg(socket_fd, &message, MSG_NOSIGNAL) < 0) {
        return ct_fail(err, errno, "send the terminal to the console socket");
    }
    return 0;
}

int lc_terminal_make(int root_fd, int socket_fd, unsigned short height, unsigned short width,
                     struct ct_error *err)
{
    CT_AUTO_CLOSE int master = open_master(root_fd, err);
    const struct winsize size = {.ws_row = height, .ws_col = width};
    int unlocked = 0;

    if (master < 0) {
        return -1;
    }
    if (ioctl(master, TIOCSPTLCK, &unlocked) < 0) {
        return ct_fail(err, errno, "unlock the terminal");
    }
    CT_AUTO_CLOSE int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0) {
        return ct_fail(err, errno, "open the terminal's other side");
    }
    if (ioctl(master, TIOCSWINSZ, &size) < 0) {
        return ct_fail(err, errno, "set the terminal's size to %hux%hu", height, width);
    }
    return send_master(socket_fd, master, err) < 0 ? -1 : ct_steal_fd(&slave);
}

/* ---- using it ---- */

/* What the terminal is bound on, owned: an empty file, where there is nothing yet. */
static int open_console(int root_fd, struct ct_error *err)
{
    const char *path = "/dev/console";
    struct stat status;
    CT_AUTO_CLOSE int target = ct_root_openat(root_fd, path, O_PATH | O_NOFOLLOW, 0, err);

    if (target < 0 && err->kind == CT_NOT_FOUND) {
        ct_error_clear(err);
        CT_AUTO_CLOSE int made =
            ct_root_openat(root_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600, err);
        target = made < 0 ? -1 : ct_root_openat(root_fd, path, O_PATH | O_NOFOLLOW, 0, err);
    }
    if (target < 0) {
        return -1;
    }
    if (fstat(target, &status) < 0) {
        return ct_fail(err, errno, "look at '%s'", path);
    }
    if (!S_ISREG(status.st_mode) && !S_ISCHR(status.st_mode)) {
        return ct_refuse(err, CT_INVALID, "use the root's '%s': it is no file and no device", path);
    }
    return ct_steal_fd(&target);
}

int lc_terminal_bind_console(int root_fd, int slave_fd, struct ct_error *err)
{
    CT_AUTO_CLOSE int target = open_console(root_fd, err);

    if (target < 0) {
        return ct_while(err, "bind the terminal on /dev/console");
    }
    CT_AUTO_CLOSE int tree =
        open_tree(slave_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    if (tree < 0 ||
        move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0) {
        return ct_fail(err, errno, "bind the terminal on /dev/console");
    }
    return 0;
}

int lc_terminal_control(struct ct_error *err)
{
    if (ioctl(STDIN_FILENO, TIOCSCTTY, 0) < 0) {
        return ct_fail(err, errno, "make the terminal the controlling one");
    }
    return 0;
}

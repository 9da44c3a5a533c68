/*
 * notify.c - systemd's readiness, passed through: the program says that it is ready, and whoever
 * started us hears it.
 *
 * Room:       runc.   Called by: create.c, control.c.
 * Man:        sd_notify(3), systemd.service(5) (Type=notify).
 *
 * The container does not get the socket of NOTIFY_SOCKET: what it sends there would speak in our
 * name. It gets one of its own, ROOT/<id>:notify/notify.sock, bound on /run/notify, and of what
 * comes there READY= alone goes on, with the container's process as the main one. `create` and
 * `start` may be two processes: the folder is made by the first, the socket in it by the second.
 */
#define CT_LAYER "notify"
#include "runc_internal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define INSIDE     "/run/notify"
#define SOCKET     "notify.sock"
#define BARRIER_MS 30000 /* for systemd to have read what we said before it sees us leave */

/* A colon is in no id, so that this folder is no container. */
static char *folder_of(const struct runc *runc, const char *id)
{
    return ct_printf("%s/%s:notify", runc->root, id);
}

/* ---- before the container ------------------------------------------------------------------- */

static void add_to(json_t *object, const char *key, json_t *value)
{
    json_t *list = json_object_get(object, key);

    if (!list) {
        list = json_array();
        ct_json_set(object, key, list);
    }
    ct_json_append(list, value);
}

int runc_notify_prepare(const struct runc *runc, const char *id, json_t *config,
                        struct runc_notify *ret, struct ct_error *err)
{
    const char *host = getenv("NOTIFY_SOCKET");
    json_t *process = json_object_get(config, "process");

    *ret = (struct runc_notify){.fd = -1};
    if (!host || !*host || !process) {
        return 0;
    }
    CT_AUTO_CLOSE int root_fd = ct_mkdirs(runc->root, 0700, err);
    ret->host = host;
    ret->folder = folder_of(runc, id);
    if (root_fd < 0) {
        return -1;
    }
    ret->made = mkdir(ret->folder, 0755) == 0;
    if (!ret->made && errno != EEXIST) {
        return ct_fail(err, errno, "make '%.120s'", ret->folder);
    }
    add_to(process, "env", json_string("NOTIFY_SOCKET=" INSIDE "/" SOCKET));
    add_to(config, "mounts",
           json_pack("{s:s, s:s, s:[s, s, s, s, s]}", "destination", INSIDE, "source", ret->folder,
                     "options", "bind", "nosuid", "noexec", "nodev", "ro"));
    return 0;
}

void runc_notify_undo(struct runc_notify *notify)
{
    if (notify->made) {
        (void)rmdir(notify->folder);
    }
}

void runc_notify_done(struct runc_notify *notify)
{
    ct_cleanup_close(&notify->fd);
    free(notify->folder);
    *notify = (struct runc_notify){.fd = -1};
}

void runc_notify_remove(const struct runc *runc, const char *id)
{
    struct ct_error ignored = {0}; /* mostly there is none, and the container is gone */
    CT_AUTO_FREE char *name = ct_printf("%s:notify", id);
    CT_AUTO_CLOSE int root_fd = ct_root_open(runc->root, &ignored);

    if (root_fd >= 0 && faccessat(root_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        (void)ct_remove_tree(root_fd, name, &ignored);
    }
}

/* ---- the container's socket ----------------------------------------------------------------- */

int runc_notify_listen(struct runc_notify *notify, struct ct_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (!notify->host) {
        return 0;
    }
    CT_AUTO_CLOSE int folder = ct_root_open(notify->folder, err);
    if (folder < 0) {
        return -1;
    }
    (void)unlinkat(folder, SOCKET, 0); /* of a start that failed */
    /* Through the descriptor: a socket's address has room for 107 bytes only. */
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" SOCKET, folder);
    notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (notify->fd < 0 ||
        bind(notify->fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        chmod(address.sun_path, 0777) < 0) { /* whoever the program is */
        return ct_fail(err, errno, "make the container's notification socket");
    }
    return 0;
}

int runc_notify_open(const struct runc *runc, const char *id, struct runc_notify *ret,
                     struct ct_error *err)
{
    const char *host = getenv("NOTIFY_SOCKET");

    *ret = (struct runc_notify){.fd = -1};
    if (!host || !*host) {
        return 0;
    }
    ret->folder = folder_of(runc, id);
    if (access(ret->folder, F_OK) < 0) {
        return 0; /* created without: it has no socket */
    }
    ret->host = host;
    return runc_notify_listen(ret, err);
}

/* ---- telling -------------------------------------------------------------------------------- */

/* A path, or with '@' a name in the abstract namespace. */
static int connect_to_host(const char *host)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(host);
    CT_AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || length >= sizeof(address.sun_path)) {
        return -1;
    }
    memcpy(address.sun_path, host, length);
    if (*host == '@') {
        address.sun_path[0] = '\0';
    }
    length += offsetof(struct sockaddr_un, sun_path);
    return connect(fd, (const struct sockaddr *)&address, (socklen_t)length) < 0 ? -1
                                                                                 : ct_steal_fd(&fd);
}

/* Returns when the other side has closed the descriptor that we sent: it has read all before it. */
static void wait_for_barrier(int host_fd)
{
    int ends[2];
    char text[] = "BARRIER=1";
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

    if (pipe2(ends, O_CLOEXEC) < 0) {
        return;
    }
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &ends[1], sizeof(int));
    bool sent = sendmsg(host_fd, &message, MSG_NOSIGNAL) > 0;
    (void)close(ends[1]);
    if (sent) {
        struct pollfd closed = {.fd = ends[0]};
        (void)poll(&closed, 1, BARRIER_MS);
    }
    (void)close(ends[0]);
}

static void tell(const char *host, const char *ready, size_t length, pid_t main_pid)
{
    CT_AUTO_CLOSE int fd = connect_to_host(host);
    CT_AUTO_FREE char *pid = ct_printf("MAINPID=%d\n", (int)main_pid);
    CT_AUTO_FREE char *line = ct_printf("%.*s\n", (int)length, ready);

    if (fd >= 0 && send(fd, line, strlen(line), MSG_NOSIGNAL) > 0 &&
        send(fd, pid, strlen(pid), MSG_NOSIGNAL) > 0) {
        wait_for_barrier(fd);
    }
}

bool runc_notify_take(struct runc_notify *notify, pid_t main_pid)
{
    char message[4096];
    ssize_t n = recv(notify->fd, message, sizeof(message) - 1, MSG_DONTWAIT);

    if (n <= 0) {
        return false;
    }
    message[n] = '\0';
    for (const char *line = message; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, "READY=", 6) == 0) {
            tell(notify->host, line, strcspn(line, "\n"), main_pid);
            return true;
        }
    }
    return false;
}

int runc_notify_wait(struct runc_notify *notify, const struct lc_container *container,
                     struct ct_error *err)
{
    struct pollfd fds[] = {{.fd = notify->fd, .events = POLLIN},
                           {.fd = lc_pidfd(container), .events = POLLIN}};

    while (notify->host) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR) {
            return ct_fail(err, errno, "wait for the container to be ready");
        }
        if ((fds[0].revents && runc_notify_take(notify, lc_pid(container))) || fds[1].revents) {
            break; /* ready; or it has ended, and nobody will say more */
        }
    }
    return 0;
}

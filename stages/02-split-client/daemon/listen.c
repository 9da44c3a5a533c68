/*
 * listen.c - sockets that clients can connect to: see listen.h.
 *
 * Room:       daemon.   Called by: main.c of cutawayd.
 */
#define CT_LAYER "daemon"
#include "listen.h"

#include "cleanup.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 512

/* True when somebody answers there. A socket that is left over from a killed daemon refuses. */
static bool is_served(const struct sockaddr_un *address)
{
    CT_AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
}

static int replace_stale(const struct sockaddr_un *address, struct ct_error *err)
{
    struct stat st;

    if (lstat(address->sun_path, &st) < 0) {
        return 0;
    }
    if (!S_ISSOCK(st.st_mode)) {
        return ct_refuse(err, CT_EXISTS, "listen on '%.100s': something else stands there",
                         address->sun_path);
    }
    if (is_served(address)) {
        (void)ct_refuse(err, CT_EXISTS, "listen on '%.100s': another daemon serves it",
                        address->sun_path);
        return ct_hint(err, "use that one, or choose another --run or -H");
    }
    return unlink(address->sun_path) < 0
               ? ct_fail(err, errno, "remove the old socket '%.100s'", address->sun_path)
               : 0;
}

/* *ret: the entry, or NULL: only root may connect then. */
static int find_group(const char *group, const struct group **ret, struct ct_error *err)
{
    *ret = getgrnam(group ? group : "cutaway");
    if (!*ret && group) {
        (void)ct_refuse(err, CT_NOT_FOUND, "give the socket to group '%.40s': no such group",
                        group);
        return ct_hint(err, "groupadd %.40s", group);
    }
    return 0;
}

static int give_to_group(const char *path, const char *group, struct ct_error *err)
{
    const struct group *entry;

    if (find_group(group, &entry, err) < 0) {
        return -1;
    }
    if (entry && chown(path, 0, entry->gr_gid) < 0) {
        return ct_fail(err, errno, "give the socket to group '%.40s'", entry->gr_name);
    }
    return chmod(path, 0660) < 0 ? ct_fail(err, errno, "set the mode of '%.100s'", path) : 0;
}

/* Rights that somebody else chose stay as they are. */
static bool has_our_mode(const struct stat *st)
{
    mode_t mode = st->st_mode & 07777;
    return st->st_uid == geteuid() && (mode == 0700 || mode == 0710);
}

int listen_let_pass(const char *dir, const char *group, struct ct_error *err)
{
    CT_AUTO_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    const struct group *entry;
    struct stat st;

    if (find_group(group, &entry, err) < 0) {
        return -1;
    }
    if (fd < 0 || fstat(fd, &st) < 0) {
        return ct_fail(err, errno, "open '%.100s'", dir);
    }
    if (!has_our_mode(&st)) {
        return 0;
    }
    /* The mode last: at no time may the group of before pass. */
    if (fchmod(fd, 0700) < 0 || fchown(fd, (uid_t)-1, entry ? entry->gr_gid : 0) < 0 ||
        fchmod(fd, entry ? 0710 : 0700) < 0) {
        return ct_fail(err, errno, "let the socket's group pass through '%.100s'", dir);
    }
    return 0;
}

int listen_unix(const char *path, const char *group, struct ct_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path)) {
        (void)ct_refuse(err, CT_INVALID, "listen on '%.100s…': the path has %zu bytes", path,
                        strlen(path));
        return ct_hint(err, "a socket's path has at most 107; choose a shorter --run or -H");
    }
    (void)strcpy(address.sun_path, path);
    if (replace_stale(&address, err) < 0) {
        return -1;
    }
    CT_AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    mode_t mask = umask(0177); /* nobody else, until the group is set */
    int bound = fd < 0 ? -1 : bind(fd, (const struct sockaddr *)&address, sizeof(address));
    (void)umask(mask);
    if (bound < 0 || listen(fd, BACKLOG) < 0) {
        return ct_fail(err, errno, "listen on '%.100s'", path);
    }
    if (give_to_group(path, group, err) < 0) {
        (void)unlink(path);
        return -1;
    }
    return ct_steal_fd(&fd);
}

static int bind_address(const struct addrinfo *address)
{
    int on = 1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, address->ai_addr, address->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
        ct_cleanup_close(&fd);
        return -1;
    }
    return fd;
}

int listen_tcp(const struct rest_host *host, struct ct_error *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list = NULL;
    CT_AUTO_FREE char *port = ct_printf("%u", host->port);
    int failure = getaddrinfo(host->name, port, &hints, &list);
    int fd = -1;

    if (failure != 0) {
        return ct_refuse(err, CT_INVALID, "listen on tcp://%.60s:%u: %s", host->name, host->port,
                         gai_strerror(failure));
    }
    for (const struct addrinfo *address = list; address && fd < 0; address = address->ai_next) {
        fd = bind_address(address);
    }
    int saved = errno;
    freeaddrinfo(list);
    return fd < 0 ? ct_fail(err, saved, "listen on tcp://%.60s:%u", host->name, host->port) : fd;
}

static int name_host(const struct sockaddr_storage *address, socklen_t length,
                     struct rest_host *ret, struct ct_error *err)
{
    char name[NI_MAXHOST], port[NI_MAXSERV];
    int failure = getnameinfo((const struct sockaddr *)address, length, name, sizeof(name), port,
                              sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);

    if (failure != 0) {
        return ct_refuse(err, CT_INVALID, "look at the socket: %s", gai_strerror(failure));
    }
    *ret = (struct rest_host){.name = ct_strdup(name), .port = (unsigned)strtoul(port, NULL, 10)};
    return 0;
}

int listen_look(int fd, struct rest_host *ret, struct ct_error *err)
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof(address), size = sizeof(int);
    int listens = 0;

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) < 0) {
        return ct_fail(err, errno, "look at the socket");
    }
    if (!listens) {
        (void)ct_refuse(err, CT_INVALID, "look at the socket: it does not listen");
        return ct_hint(err, "a socket unit with ListenStream= and Accept=no");
    }
    if (address.ss_family == AF_UNIX) {
        *ret = (struct rest_host){.is_unix = true};
        return 0;
    }
    return name_host(&address, length, ret, err);
}

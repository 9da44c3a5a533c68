/*
 * console.c - the other side of a console socket: shows what a container writes to its terminal.
 *
 * Called by:  security.bats, on the host: console SOCKET PROGRAM [ARGUMENT]...
 *
 * Listens on SOCKET, runs PROGRAM, takes the terminal that comes, copies to stdout until nobody has
 * the terminal open any more, and ends as PROGRAM did. Where no terminal comes, that is all.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    (void)unlink(path);
    return fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
                   listen(fd, 1) == 0
               ? fd
               : -1;
}

/* The descriptor that comes in one message; -1: none. */
static int receive_terminal(int fd)
{
    char text[256];
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec part = {.iov_base = text, .iov_len = sizeof(text)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    int terminal = -1;

    if (recvmsg(fd, &message, MSG_CMSG_CLOEXEC) <= 0) {
        return -1;
    }
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_type == SCM_RIGHTS) {
        memcpy(&terminal, CMSG_DATA(header), sizeof(terminal));
    }
    return terminal;
}

/* EIO: the last who had it open has closed it. */
static void show(int terminal)
{
    char chunk[4096];

    for (ssize_t n; (n = read(terminal, chunk, sizeof(chunk))) > 0;) {
        (void)fwrite(chunk, 1, (size_t)n, stdout);
    }
}

int main(int argc, char **argv)
{
    int status = 0, listener = argc > 2 ? listen_at(argv[1]) : -1;

    if (listener < 0) {
        perror("console");
        return 125;
    }
    pid_t pid = fork();
    if (pid == 0) {
        (void)execv(argv[2], argv + 2);
        _exit(125);
    }
    struct pollfd either[2] = {{.fd = listener, .events = POLLIN},
                               {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN}};
    if (poll(either, 2, -1) > 0 && (either[0].revents & POLLIN)) {
        int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        int terminal = receive_terminal(connection);
        show(terminal);
    }
    (void)waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

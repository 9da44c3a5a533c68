/*
 * test_lc_terminal.c - a container's terminal comes from its own devpts, goes to who asked for it,
 * and never stands where a link of the image leads.
 *
 * Each test that mounts does so in a child with mounts of its own.
 */
#define CT_LAYER "test"
#include "terminal.h"

#include "cleanup.h"
#include "in_child.h"
#include "path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

static char dir[] = "/tmp/test-terminal-XXXXXX";

static int open_dir(void **state)
{
    (void)state;
    memcpy(dir, "/tmp/test-terminal-XXXXXX", sizeof(dir));
    return mkdtemp(dir) ? 0 : -1;
}

static int close_dir(void **state)
{
    struct ct_error err = {0};
    (void)state;
    return ct_remove_tree(AT_FDCWD, dir, &err);
}

static int run_as_root(void (*work)(void *))
{
    if (geteuid() != 0) {
        skip();
    }
    return in_child(work, NULL);
}

/* ---- the console socket ---- */

static int listener_at(const char *folder, const char *name)
{
    CT_AUTO_CLOSE int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", name);
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(fchdir(here), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static void a_socket_is_reached_however_long_its_path_is(void **state)
{
    (void)state;
    struct ct_error err = {0};
    char long_name[121];

    memset(long_name, 'd', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    CT_AUTO_FREE char *folder = ct_join(dir, long_name);
    CT_AUTO_FREE char *far = ct_join(folder, "pty.sock");
    CT_AUTO_FREE char *near = ct_join(dir, "pty.sock");
    assert_int_equal(mkdir(folder, 0700), 0);
    CT_AUTO_CLOSE int near_listener = listener_at(dir, "pty.sock");
    CT_AUTO_CLOSE int far_listener = listener_at(folder, "pty.sock");

    CT_AUTO_CLOSE int near_fd = lc_terminal_connect(near, &err);
    CT_AUTO_CLOSE int far_fd = lc_terminal_connect(far, &err);
    CT_AUTO_CLOSE int near_peer = accept4(near_listener, NULL, NULL, SOCK_CLOEXEC);
    CT_AUTO_CLOSE int far_peer = accept4(far_listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(near_fd >= 0 && far_fd >= 0 && near_peer >= 0 && far_peer >= 0);
    assert_int_equal(fcntl(far_fd, F_GETFD), FD_CLOEXEC);
}

static void a_socket_that_is_not_there_is_named(void **state)
{
    (void)state;
    struct ct_error err = {0};
    char long_path[300];

    assert_int_equal(lc_terminal_connect("/no/such.sock", &err), -1);
    assert_string_equal(err.frame[0].what, "connect to the console socket '/no/such.sock'");
    assert_int_equal(err.sys, ENOENT);
    memset(long_path, 'x', sizeof(long_path) - 1);
    long_path[0] = '/';
    long_path[sizeof(long_path) - 1] = '\0';
    assert_int_equal(lc_terminal_connect(long_path, &err), -1);
    assert_int_equal(err.sys, ENAMETOOLONG);
    assert_int_equal(lc_terminal_connect("/dev/null", &err), -1);
    assert_int_equal(err.sys, ECONNREFUSED);
    assert_int_equal(lc_terminal_connect("", &err), -1); /* would be an abstract address */
    assert_int_equal(err.kind, CT_INVALID);
}

/* ---- a root with a devpts ---- */

/* In a child: leaves the host's mounts, and makes an empty root with /dev. Returns its root_fd. */
static int new_root(void)
{
    struct ct_error err = {0};

    CHILD_CHECK(unshare(CLONE_NEWNS) == 0);
    CHILD_CHECK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    CHILD_CHECK(mount("tmpfs", dir, "tmpfs", 0, NULL) == 0);
    CHILD_CHECK(chdir(dir) == 0);
    CHILD_CHECK(mkdir("root", 0755) == 0 && mkdir("root/dev", 0755) == 0 &&
                mkdir("root/dev/pts", 0755) == 0);
    int canary = open("canary", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CHILD_CHECK(canary >= 0 && write(canary, "untouched", 9) == 9 && close(canary) == 0);
    int root_fd = ct_root_open("root", &err);
    CHILD_CHECK(root_fd >= 0);
    return root_fd;
}

static void mount_devpts(void)
{
    CHILD_CHECK(mount("devpts", "root/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
                      "newinstance,ptmxmode=0666,mode=0620") == 0);
}

/* What came over the socket: the descriptor, and the text in name. */
static int receive_master(int fd, char name[static 64])
{
    char control[CMSG_SPACE(2 * sizeof(int))] = {0};
    struct iovec part = {.iov_base = name, .iov_len = 63};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    int master = -1;

    ssize_t n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    CHILD_CHECK(n > 0);
    name[n] = '\0';
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    CHILD_CHECK(header && header->cmsg_type == SCM_RIGHTS &&
                header->cmsg_len == CMSG_LEN(sizeof(int)));
    memcpy(&master, CMSG_DATA(header), sizeof(master));
    return master;
}

static void make_and_use(void *context)
{
    struct ct_error err = {0};
    struct winsize size = {0};
    struct stat status, devpts;
    char name[64], text[16] = "";
    int sockets[2];
    (void)context;

    int root_fd = new_root();
    mount_devpts();
    CHILD_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
    int slave = lc_terminal_make(root_fd, sockets[0], 24, 80, &err);
    CHILD_DO(slave, &err);
    int master = receive_master(sockets[1], name);
    CHILD_CHECK(strcmp(name, "/dev/ptmx") == 0);
    CHILD_CHECK(isatty(slave) && fcntl(slave, F_GETFD) == FD_CLOEXEC);
    CHILD_CHECK(ioctl(slave, TIOCGWINSZ, &size) == 0 && size.ws_row == 24 && size.ws_col == 80);
    CHILD_CHECK(write(slave, "hello\n", 6) == 6);
    CHILD_CHECK(read(master, text, sizeof(text) - 1) == 7 && strcmp(text, "hello\r\n") == 0);
    CHILD_CHECK(stat("root/dev/pts", &devpts) == 0 && fstat(slave, &status) == 0);
    CHILD_CHECK(status.st_dev == devpts.st_dev); /* of the container's devpts, not of the host's */
    /* No size is none. */
    int other = lc_terminal_make(root_fd, sockets[0], 0, 0, &err);
    CHILD_CHECK(other >= 0 && ioctl(other, TIOCGWINSZ, &size) == 0 && size.ws_row == 0);
    /* Who asked for it has gone away: an error, no SIGPIPE. */
    CHILD_CHECK(close(sockets[1]) == 0);
    CHILD_CHECK(lc_terminal_make(root_fd, sockets[0], 0, 0, &err) == -1 && err.sys == EPIPE);
}

static void a_terminal_is_made_in_the_roots_devpts_and_sent(void **state)
{
    (void)state;
    assert_int_equal(run_as_root(make_and_use), 0);
}

static void meet_false_devpts(void *context)
{
    struct ct_error err = {0};
    int sockets[2];
    (void)context;

    int root_fd = new_root();
    CHILD_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
    /* No devpts, and a link to the host's, and one to a file. */
    CHILD_CHECK(symlink("/dev/ptmx", "root/dev/pts/ptmx") == 0);
    CHILD_CHECK(lc_terminal_make(root_fd, sockets[0], 0, 0, &err) == -1);
    CHILD_CHECK(err.kind == CT_INVALID && strstr(err.hint, "devpts"));
    CHILD_CHECK(strcmp(err.frame[0].what, "open a terminal: the root's /dev/pts is no devpts") ==
                0);
    CHILD_CHECK(unlink("root/dev/pts/ptmx") == 0 && rmdir("root/dev/pts") == 0);
    CHILD_CHECK(symlink("/dev/pts", "root/dev/pts") == 0); /* a loop inside the root */
    CHILD_CHECK(lc_terminal_make(root_fd, sockets[0], 0, 0, &err) == -1 && err.sys == ELOOP);
    CHILD_CHECK(unlink("root/dev/pts") == 0);
    CHILD_CHECK(symlink("../../../../../../../dev/pts", "root/dev/pts") == 0);
    CHILD_CHECK(lc_terminal_make(root_fd, sockets[0], 0, 0, &err) == -1 && err.sys == ELOOP);
    CHILD_CHECK(unlink("root/dev/pts") == 0);
    CHILD_CHECK(lc_terminal_make(root_fd, sockets[0], 0, 0, &err) == -1 && err.sys == ENOENT);
    /* A devpts with something else on its ptmx. */
    CHILD_CHECK(mkdir("root/dev/pts", 0755) == 0);
    mount_devpts();
    CHILD_CHECK(mount("/dev/null", "root/dev/pts/ptmx", NULL, MS_BIND, NULL) == 0);
    CHILD_CHECK(lc_terminal_make(root_fd, sockets[0], 0, 0, &err) == -1 && err.sys == EXDEV);
    char nothing;
    CHILD_CHECK(recv(sockets[1], &nothing, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
}

static void what_is_no_devpts_gives_no_terminal(void **state)
{
    (void)state;
    assert_int_equal(run_as_root(meet_false_devpts), 0);
}

/* A terminal's slave in a new root. */
static int slave_in(int root_fd)
{
    struct ct_error err = {0};
    int sockets[2];

    mount_devpts();
    CHILD_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
    int slave = lc_terminal_make(root_fd, sockets[0], 0, 0, &err);
    CHILD_DO(slave, &err);
    return slave;
}

static void check_is(const char *path, int slave)
{
    struct stat there, expected;
    CHILD_CHECK(stat(path, &there) == 0 && fstat(slave, &expected) == 0);
    CHILD_CHECK(S_ISCHR(there.st_mode) && there.st_rdev == expected.st_rdev &&
                there.st_dev == expected.st_dev);
}

static void bind_on_good_consoles(void *context)
{
    struct ct_error err = {0};
    (void)context;

    int root_fd = new_root();
    int slave = slave_in(root_fd);
    CHILD_DO(lc_terminal_bind_console(root_fd, slave, &err), &err); /* nothing is there */
    check_is("root/dev/console", slave);
    CHILD_CHECK(umount2("root/dev/console", MNT_DETACH) == 0);
    CHILD_DO(lc_terminal_bind_console(root_fd, slave, &err), &err); /* an empty file is */
    check_is("root/dev/console", slave);
    CHILD_CHECK(umount2("root/dev/console", MNT_DETACH) == 0 && unlink("root/dev/console") == 0);
    CHILD_CHECK(mknod("root/dev/console", S_IFCHR | 0600, makedev(5, 1)) == 0);
    CHILD_DO(lc_terminal_bind_console(root_fd, slave, &err), &err); /* a device is */
    check_is("root/dev/console", slave);
}

static void the_terminal_stands_on_the_console(void **state)
{
    (void)state;
    assert_int_equal(run_as_root(bind_on_good_consoles), 0);
}

static void refuse_console(int root_fd, int slave, const char *message)
{
    struct ct_error err = {0};
    CHILD_CHECK(lc_terminal_bind_console(root_fd, slave, &err) == -1);
    CHILD_CHECK(err.kind == CT_INVALID && strcmp(err.frame[0].what, message) == 0);
    CHILD_CHECK(strcmp(err.frame[1].what, "bind the terminal on /dev/console") == 0);
}

static void bind_on_hostile_consoles(void *context)
{
    const char *message = "use the root's '/dev/console': it is no file and no device";
    struct stat canary;
    (void)context;

    int root_fd = new_root();
    int slave = slave_in(root_fd);
    CT_AUTO_FREE char *outside = ct_join(dir, "canary");
    const char *const targets[] = {outside, "../../canary", "../../not-there", "/etc/passwd",
                                   "pts/0"};
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        CHILD_CHECK(symlink(targets[i], "root/dev/console") == 0);
        refuse_console(root_fd, slave, message);
        CHILD_CHECK(unlink("root/dev/console") == 0);
    }
    CHILD_CHECK(mkdir("root/dev/console", 0755) == 0);
    refuse_console(root_fd, slave, message);
    CHILD_CHECK(rmdir("root/dev/console") == 0 && mkfifo("root/dev/console", 0600) == 0);
    refuse_console(root_fd, slave, message);
    CHILD_CHECK(stat("canary", &canary) == 0 && S_ISREG(canary.st_mode) && canary.st_size == 9);
    CHILD_CHECK(access("not-there", F_OK) < 0);
}

static void a_console_that_is_a_link_is_refused(void **state)
{
    (void)state;
    assert_int_equal(run_as_root(bind_on_hostile_consoles), 0);
}

/* The image's /dev leads out of the root: for the root it leads into it. */
static void bind_below_a_bent_dev(void *context)
{
    struct ct_error err = {0};
    struct stat status;
    (void)context;

    int root_fd = new_root();
    int slave = slave_in(root_fd);
    CHILD_CHECK(mkdir("host", 0755) == 0 && mkdir("root/host", 0755) == 0);
    CHILD_CHECK(rename("root/dev", "root/old") == 0 && symlink("../host", "root/dev") == 0);
    CHILD_DO(lc_terminal_bind_console(root_fd, slave, &err), &err);
    CHILD_CHECK(stat("host/console", &status) < 0);
    check_is("root/host/console", slave);
}

static void a_dev_that_is_a_link_does_not_leave_the_root(void **state)
{
    (void)state;
    assert_int_equal(run_as_root(bind_below_a_bent_dev), 0);
}

static void take_control(void *context)
{
    struct ct_error err = {0};
    (void)context;

    int slave = slave_in(new_root());
    CHILD_CHECK(setsid() == getpid());
    CHILD_CHECK(open("/dev/tty", O_RDWR | O_CLOEXEC) < 0 && errno == ENXIO);
    CHILD_CHECK(dup2(slave, STDIN_FILENO) == 0);
    CHILD_DO(lc_terminal_control(&err), &err);
    CHILD_CHECK(tcgetsid(STDIN_FILENO) == getpid());
    CHILD_CHECK(open("/dev/tty", O_RDWR | O_CLOEXEC) >= 0);
}

static void lose_control(void *context)
{
    struct ct_error err = {0};
    (void)context;

    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    CHILD_CHECK(dup2(null, STDIN_FILENO) == 0);
    CHILD_CHECK(lc_terminal_control(&err) == -1 && err.sys == ENOTTY);
}

static void the_terminal_becomes_the_controlling_one(void **state)
{
    (void)state;
    assert_int_equal(run_as_root(take_control), 0);
    assert_int_equal(run_as_root(lose_control), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_socket_is_reached_however_long_its_path_is),
        cmocka_unit_test(a_socket_that_is_not_there_is_named),
        cmocka_unit_test(a_terminal_is_made_in_the_roots_devpts_and_sent),
        cmocka_unit_test(what_is_no_devpts_gives_no_terminal),
        cmocka_unit_test(the_terminal_stands_on_the_console),
        cmocka_unit_test(a_console_that_is_a_link_is_refused),
        cmocka_unit_test(a_dev_that_is_a_link_does_not_leave_the_root),
        cmocka_unit_test(the_terminal_becomes_the_controlling_one),
    };
    return cmocka_run_group_tests(tests, open_dir, close_dir);
}

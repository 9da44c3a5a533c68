/*
 * bare.c - the least that can be called a container: clone3, a root, /proc, pivot_root, execve.
 *
 * Called by:  tools/bench (part bundle), which measures how far libcontainer is from it.
 *
 *     bare ROOTFS PROGRAM [ARGUMENT]…
 *
 * No cgroup, no capabilities, no filter, no devices, no state: nothing that anybody should run.
 */
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int give_up(const char *what)
{
    (void)fprintf(stderr, "bare: %s: %s\n", what, strerror(errno));
    return 125;
}

static int contained(const char *rootfs, char **argv)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
        mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL) < 0 || chdir(rootfs) < 0 ||
        mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0) {
        return give_up("mount");
    }
    if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0) {
        return give_up("pivot_root");
    }
    (void)execv(argv[0], argv);
    return give_up("execv");
}

int main(int argc, char **argv)
{
    struct clone_args args = {.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
                                       CLONE_NEWUTS | CLONE_NEWCGROUP,
                              .exit_signal = SIGCHLD};
    int status = 0;

    if (argc < 3) {
        (void)fputs("usage: bare ROOTFS PROGRAM [ARGUMENT]...\n", stderr);
        return 125;
    }
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
    if (pid == 0) {
        _exit(contained(argv[1], argv + 2));
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0) {
        return give_up("clone3");
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

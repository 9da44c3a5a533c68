/*
 * probe.c - a static program that tests put into a root file system: tries one thing, says what
 * came of it.
 *
 * Called by:  execdriver_lxc.c: probe NAME. Prints "ok" or the name of the errno; exit code 0.
 */
#include <errno.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static long try_clone_user(void)
{
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        _exit(0);
    }
    return pid;
}

static long try_clone3(void)
{
    return syscall(SYS_clone3, NULL, 0);
}

static long try_unshare(void)
{
    return unshare(CLONE_NEWUSER);
}

static long try_setns(void)
{
    return setns(0, 0);
}

static long try_mount(void)
{
    return mount("none", "/mnt", "tmpfs", 0, NULL);
}

static long try_af_alg(void)
{
    return socket(AF_ALG, SOCK_SEQPACKET, 0);
}

static long try_inet(void)
{
    return socket(AF_INET, SOCK_STREAM, 0);
}

#if defined(__x86_64__)
/* As a 32-bit program does it: socketcall(SYS_SOCKET, arguments below 4 GiB). */
static long try_inet_32(void)
{
    unsigned *arguments =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    long result = 102; /* __NR_socketcall of i386 */

    if (arguments == MAP_FAILED) {
        return -1;
    }
    arguments[0] = AF_INET;
    arguments[1] = SOCK_STREAM;
    arguments[2] = 0;
    __asm__ volatile("int $0x80" : "+a"(result) : "b"(1L), "c"(arguments) : "memory");
    if (result < 0) {
        errno = (int)-result;
        return -1;
    }
    return result;
}
#else
static long try_inet_32(void)
{
    return 0; /* no second kind of program on this machine */
}
#endif

static long try_keyctl(void)
{
    return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
}

static long try_add_key(void)
{
    return syscall(SYS_add_key, "user", "a", "b", 1, KEY_SPEC_PROCESS_KEYRING);
}

static long try_bpf(void)
{
    return syscall(SYS_bpf, 0, NULL, 0);
}

static long try_perf(void)
{
    return syscall(SYS_perf_event_open, NULL, 0, 0, -1, 0);
}

static long try_userfaultfd(void)
{
    return syscall(SYS_userfaultfd, 0);
}

static long try_io_uring(void)
{
    return syscall(SYS_io_uring_setup, 1, NULL);
}

static long try_kexec(void)
{
    return syscall(SYS_kexec_load, 0, 0, NULL, 0);
}

static long try_pivot_root(void)
{
    return syscall(SYS_pivot_root, "/", "/");
}

/* Touches more memory than a test allows. */
static long try_memory(void)
{
    for (int i = 0; i < 256; i++) {
        char *part = malloc(1 << 20);
        if (!part) {
            return -1;
        }
        memset(part, i + 1, 1 << 20);
    }
    return 0;
}

static const struct {
    const char *name;
    long (*try)(void);
} probes[] = {
    {"clone-user", try_clone_user},
    {"clone3", try_clone3},
    {"unshare", try_unshare},
    {"setns", try_setns},
    {"mount", try_mount},
    {"af-alg", try_af_alg},
    {"inet", try_inet},
    {"inet-32", try_inet_32},
    {"keyctl", try_keyctl},
    {"add-key", try_add_key},
    {"bpf", try_bpf},
    {"perf", try_perf},
    {"userfaultfd", try_userfaultfd},
    {"io-uring", try_io_uring},
    {"kexec", try_kexec},
    {"pivot-root", try_pivot_root},
    {"memory", try_memory},
};

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        for (size_t k = 0; k < sizeof(probes) / sizeof(probes[0]); k++) {
            if (strcmp(argv[i], probes[k].name) == 0) {
                errno = 0;
                long result = probes[k].try();
                (void)printf("%s %s\n", argv[i], result >= 0 ? "ok" : strerrorname_np(errno));
                (void)fflush(stdout);
            }
        }
    }
    return 0;
}

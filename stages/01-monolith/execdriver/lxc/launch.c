/*
 * launch.c - running LXC's own programs: lxc-start and lxc-attach.
 *
 * Room:       execdriver/lxc.   Called by: job.c, attach.c.
 * Man:        lxc-start(1), lxc-attach(1), memfd_create(2), fcntl(2) (F_ADD_SEALS).
 *
 * What LXC runs inside is /proc/self/fd/N, a copy of sysinit in a memory file. It is not a file of
 * the host's: through /proc/PID/exe a container can open what its processes run, and with a real
 * file root inside could overwrite the host's program (CVE-2019-5736). The copy is sealed: nobody
 * can write to it at all.
 */
#define CT_LAYER "execdriver"
#include "lxc_internal.h"

#include "cleanup.h"
#include "config.h"
#include "file.h"
#include "lxc_events.h"
#include "path.h"
#include "span.h"
#include "sysinit_bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_ARGUMENTS 24

int launch_sysinit_fd(struct ct_error *err)
{
    static int cached = -1;
    const size_t length = (size_t)(sysinit_bytes_end - sysinit_bytes);

    if (cached >= 0) {
        return cached;
    }
    CT_AUTO_CLOSE int fd = memfd_create("sysinit", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ct_write_all(fd, sysinit_bytes, length) < 0) {
        return ct_fail(err, errno, "copy sysinit to memory");
    }
    /* Execute-only: the kernel then makes a process that runs it undumpable from its first
     * instruction on, unless it has CAP_DAC_OVERRIDE; that one is traced only by its equals. */
    if (fchmod(fd, 0111) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
        return ct_fail(err, errno, "seal the copy of sysinit");
    }
    cached = ct_steal_fd(&fd);
    return cached;
}

/* The whole command line, for the trace. Owned. */
static char *command_line(const char *const *argv)
{
    CT_AUTO_FREE char *line = ct_strdup(argv[0]);

    for (size_t i = 1; argv[i]; i++) {
        char *longer = ct_printf("%s %s", line, argv[i]);
        free(line);
        line = longer;
    }
    return ct_steal(line);
}

/* Starts an LXC program that hands sysinit and the socket's end down. */
static int spawn(const char *const *argv, const int *keep, size_t n_keep, struct ct_process *ret,
                 struct ct_error *err)
{
    CT_AUTO_FREE char *line = command_line(argv);
    CT_SPAN(err, CT_ROLE_MONITOR, CT_STEP_SPAWN_RUNTIME, "%s", line);
    const struct ct_spawn spec = {
        .argv = argv,
        .stdio = {-1, -1, -1},
        .keep = keep,
        .n_keep = n_keep,
        .new_session = true, /* no signal of our terminal's, and it outlives a killed monitor */
    };

    if (ct_process_start(&spec, ret, err) < 0) {
        if (err->kind == CT_NO_PROGRAM) {
            err->kind = CT_UNSUPPORTED; /* 127 would blame the container's program */
            (void)ct_hint(err, "install LXC: apt-get install lxc");
        }
        return ct_while(err, "run '%s'", argv[0]);
    }
    return 0;
}

/* -F: it stays and is our child. -o and -l: into a log, errors in the configuration included. */
int launch_start(struct exec_job *job, struct ct_error *err)
{
    int sysinit_fd = launch_sysinit_fd(err);
    int keep[2 + EXEC_KEEP_FD] = {sysinit_fd, job->shake.theirs};
    CT_AUTO_FREE char *config = ct_join(job->state_dir, CONFIG_FILE);
    CT_AUTO_FREE char *log = ct_join(job->state_dir, LOG_FILE);
    CT_AUTO_FREE char *lxcpath = events_lxcpath(job->id);
    CT_AUTO_FREE char *program = ct_printf("/proc/self/fd/%d", sysinit_fd);
    CT_AUTO_FREE char *socket_fd = ct_printf("%d", job->shake.theirs);
    const char *argv[] = {"lxc-start", "-F", "-n", job->id, "-f", config,  "-P",      lxcpath,
                          "-o",        log,  "-l", "WARN",  "--", program, socket_fd, NULL};

    if (sysinit_fd < 0) {
        return -1;
    }
    for (size_t i = 0; i < job->n_kept; i++) {
        keep[2 + i] = job->kept[i];
    }
    return spawn(argv, keep, 2 + job->n_kept, &job->lxc, err);
}

int launch_attach(const struct exec_job *job, const struct exec_program *program,
                  const struct handshake *shake, struct ct_process *ret, struct ct_error *err)
{
    int sysinit_fd = launch_sysinit_fd(err);
    const int keep[2] = {sysinit_fd, shake->theirs};
    CT_AUTO_FREE char *log = ct_printf("%s/%s.%d", job->state_dir, LOG_FILE, shake->theirs);
    CT_AUTO_FREE char *lxcpath = events_lxcpath(job->id);
    CT_AUTO_FREE char *init = ct_printf("/proc/self/fd/%d", sysinit_fd);
    CT_AUTO_FREE char *socket_fd = ct_printf("%d", shake->theirs);
    CT_AUTO_FREE char *uid = ct_printf("%u", program->uid);
    CT_AUTO_FREE char *gid = ct_printf("%u", program->gid);
    const char *argv[MAX_ARGUMENTS] = {"lxc-attach", "-n", job->id, "-P",   lxcpath,
                                       "-o",         log,  "-l",    "WARN", "--clear-env"};
    size_t n = 10;

    if (sysinit_fd < 0) {
        return -1;
    }
    /* Also where sysinit sets the user: it gives up the rest itself. */
    if (program->n_groups > 0 || (program->cap_add && program->cap_add[0])) {
        argv[n++] = "--elevated-privileges=CAP";
    }
    if (program->n_groups == 0) {
        argv[n++] = "-u";
        argv[n++] = uid;
        argv[n++] = "-g";
        argv[n++] = gid;
    }
    argv[n++] = "--";
    argv[n++] = init;
    argv[n++] = socket_fd;
    return spawn(argv, keep, 2, ret, err);
}

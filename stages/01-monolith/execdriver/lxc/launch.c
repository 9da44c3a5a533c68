/*
 * launch.c - running LXC's own programs: lxc-start and lxc-attach.
 *
 * Room:       execdriver/lxc.   Called by: job.c, attach.c.
 * Man:        lxc-start(1), lxc-attach(1).
 * * What LXC runs inside is /proc/self/fd/N, a copy of sysinit in a memory file (sysinit_fd.c).
 */
#define CT_LAYER "execdriver"
#include "lxc_internal.h"

#include "cleanup.h"
#include "config.h"
#include "lxc_events.h"
#include "path.h"
#include "span.h"
#include "sysinit_fd.h"

#define MAX_ARGUMENTS 24

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
    int sysinit_fd = sysinit_fd_open(err);
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
    int sysinit_fd = sysinit_fd_open(err);
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

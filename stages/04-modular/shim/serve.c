/*
 * serve.c - the process that stays: its loop, its signals, its end.
 *
 * Room:       shim.   Called by: main.c.
 * Man:        prctl(2) (PR_SET_CHILD_SUBREAPER), signalfd(2).
 */
#define CT_LAYER "shim"
#include "shim_internal.h"

#include "cleanup.h"
#include "log.h"
#include "path.h"
#include "span.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FINISH_MS 5000
#define IDLE_NS   INT64_C(10000000000)

/* ---- what it needs of the process ----------------------------------------------------------- */

/* containerd reads our log from a FIFO in the bundle. While it is away nobody does: our own reading
 * end keeps writing from failing, and what is too much is dropped. Held as long as we live. */
static void open_log(bool debug)
{
    int keeper = open("log", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    int fd = keeper < 0 ? -1 : open("log", O_WRONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd >= 0) {
        (void)dup2(fd, STDERR_FILENO);
        (void)close(fd);
    }
    if (debug) {
        (void)setenv("CUTAWAY_LOG", "debug", 1);
    }
}

static int take_signals(struct shim *shim, struct ct_error *err)
{
    sigset_t set;

    (void)signal(SIGPIPE, SIG_IGN); /* writing to a program that is gone is an error, not the end */
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || sigprocmask(SIG_BLOCK, &set, NULL) < 0 ||
        (shim->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0) {
        return ct_fail(err, errno, "become the one who reaps");
    }
    return 0;
}

/* Who asks us to end would take the containers' streams away: only without any. */
static void asked_to_end(struct shim *shim)
{
    if (shim->containers) {
        ct_warn("signal ignored: there are containers");
    } else {
        loop_stop(shim->loop);
    }
}

static void signals_come(void *context, uint32_t events)
{
    struct shim *shim = context;
    struct signalfd_siginfo info;
    (void)events;

    while (read(shim->signal_fd, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo == SIGCHLD) {
            reap_all(shim);
        } else {
            asked_to_end(shim);
        }
    }
    give_memory_back_soon(shim);
}

/* ---- the end -------------------------------------------------------------------------------- */

static void end_loop(void *context)
{
    struct shim *shim = context;
    loop_stop(shim->loop);
}

void shim_end(struct shim *shim)
{
    if (!shim->ends) {
        shim->ends = true;
        publisher_finish(shim->publisher, FINISH_MS, end_loop, shim);
    }
}

static void look_for_work(void *context)
{
    struct shim *shim = context;

    if (!shim->containers && ttrpc_server_peers(shim->server) == 0) {
        shim_end(shim);
    } else {
        shim_is_empty(shim);
    }
}

/* A containerd that dies between a start and a Create, or a Delete and a Shutdown, never comes back
 * to that: then nobody would ever end us. */
void shim_is_empty(struct shim *shim)
{
    if (!shim->containers) {
        loop_arm(shim->loop, &shim->idle_timer, IDLE_NS, look_for_work, shim);
    }
}

/* ---- the process ---------------------------------------------------------------------------- */

/* The name of the socket, for its removal at the end. NULL: it has none. */
static char *path_of_socket(int fd)
{
    struct sockaddr_un address;
    socklen_t size = sizeof(address);

    return getsockname(fd, (struct sockaddr *)&address, &size) == 0 && address.sun_path[0] == '/'
               ? ct_printf("%.*s", (int)sizeof(address.sun_path), address.sun_path)
               : NULL;
}

static int prepare(struct shim *shim, int listen_fd, struct ct_error *err)
{
    shim->socket_path = path_of_socket(listen_fd);
    shim->loop = loop_new(err);
    if (!shim->loop || take_signals(shim, err) < 0) {
        (void)close(listen_fd);
        return -1;
    }
    shim->signals = loop_watch(shim->loop, shim->signal_fd, EPOLLIN, signals_come, shim, err);
    shim->publisher = publisher_new(shim->loop, &shim->options);
    shim->server = ttrpc_server_open(shim->loop, listen_fd, &shim_task_service, shim, err);
    return shim->signals && shim->server ? 0 : -1;
}

static void finish(struct shim *shim)
{
    if (shim->server) {
        ttrpc_server_flush(shim->server, 1000);
    }
    if (shim->socket_path) {
        (void)unlink(shim->socket_path);
    }
    while (shim->containers) { /* none, but after a failure of ours */
        container_free(shim->containers);
    }
    ttrpc_server_close(shim->server);
    publisher_free(shim->publisher);
    loop_unwatch(shim->signals);
    ct_cleanup_close(&shim->signal_fd);
    loop_disarm(&shim->memory_timer);
    loop_disarm(&shim->idle_timer);
    loop_free(shim->loop);
    free(shim->socket_path);
}

/* The trace in which we were started ends before we do. From here on it is the callers' messages
 * that bring one along; containerd says where their recorders' files are. */
static void leave_trace(void)
{
    const char *run = getenv("CUTAWAY_RUN");
    struct ct_error err = {0};

    (void)unsetenv("TRACEPARENT");
    (void)unsetenv("CUTAWAY_TRACE_FD");
    if (run && *run && ct_span_collect(run, &err) < 0) {
        ct_info("spans for clients are not collected: %s", err.frame[0].what);
    }
}

int shim_serve(const struct shim_options *options, int listen_fd, struct ct_error *err)
{
    struct shim shim = {.options = *options, .signal_fd = -1};

    open_log(options->debug);
    leave_trace();
    (void)chdir("/"); /* the bundle may go before we do: another of the group's may stay */
    if (fcntl(listen_fd, F_SETFD, FD_CLOEXEC) < 0) {
        return ct_fail(err, errno, "serve: descriptor %d is no socket to listen on", listen_fd);
    }
    int result = prepare(&shim, listen_fd, err);
    if (result == 0) {
        shim_is_empty(&shim);
        result = loop_run(shim.loop, err);
    }
    finish(&shim);
    return result;
}

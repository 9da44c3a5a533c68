/*
 * monitor.c - the monitor process: from its command line to its loop.
 *
 * Room:       monitor.   Called by: main.c of each program that starts containers.
 *
 * One thread, one epoll set. It belongs to its own session, ignores what a terminal sends, and on
 * SIGTERM stops the container politely, then ends.
 */
#define CT_LAYER "monitor"
#include "monitor_internal.h"
#include "start.h"

#include "cleanup.h"
#include "error.h"
#include "json.h"
#include "log.h"
#include "path.h"
#include "span.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct arguments {
    const char *root, *run, *id;
    int report_fd, lock_fd, timeout_ms;
    bool adopt;
    struct streams_client clients[MONITOR_STREAMS_MAX];
    size_t n_clients;
};

bool monitor_is_wanted(int argc, char **argv)
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    return argc > 0 && strcmp(slash ? slash + 1 : argv[0], MONITOR_NAME) == 0;
}

/* "FD:ioe:KEYS" */
static int parse_stream(const char *text, struct streams_client *ret, struct ct_error *err)
{
    char *end = NULL;
    long fd = strtol(text, &end, 10);
    const char *keys = *end == ':' ? strchr(end + 1, ':') : NULL;

    if (fd < 3 || !keys) {
        return ct_refuse(err, CT_INVALID, "read --stream '%.64s'", text);
    }
    size_t length = (size_t)(keys - end);
    *ret = (struct streams_client){.fd = (int)fd,
                                   .in = memchr(end, 'i', length) != NULL,
                                   .out = memchr(end, 'o', length) != NULL,
                                   .err = memchr(end, 'e', length) != NULL,
                                   .detach_keys = keys[1] ? keys + 1 : NULL};
    return fcntl(ret->fd, F_SETFD, FD_CLOEXEC) < 0 ? ct_fail(err, errno, "take stream %ld", fd) : 0;
}

static int parse_arguments(int argc, char **argv, struct arguments *ret, struct ct_error *err)
{
    static const struct option options[] = {
        {"root", required_argument, NULL, 'r'},
        {"run", required_argument, NULL, 'u'},
        {"id", required_argument, NULL, 'i'},
        {"report", required_argument, NULL, 'p'},
        {"timeout", required_argument, NULL, 't'},
        {"stream", required_argument, NULL, 's'},
        {"lock", required_argument, NULL, 'l'},
        {"adopt", no_argument, NULL, 'a'},
        {NULL, 0, NULL, 0},
    };
    int option;

    *ret = (struct arguments){.report_fd = -1, .lock_fd = -1, .timeout_ms = 60000};
    opterr = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'r') {
            ret->root = optarg;
        } else if (option == 'u') {
            ret->run = optarg;
        } else if (option == 'i') {
            ret->id = optarg;
        } else if (option == 'p') {
            ret->report_fd = (int)strtol(optarg, NULL, 10);
        } else if (option == 'l') {
            ret->lock_fd = (int)strtol(optarg, NULL, 10);
        } else if (option == 't') {
            ret->timeout_ms = (int)strtol(optarg, NULL, 10);
        } else if (option == 'a') {
            ret->adopt = true;
        } else if (option != 's' || ret->n_clients == MONITOR_STREAMS_MAX) {
            return ct_refuse(err, CT_INVALID, "read argument '%.64s'", argv[optind - 1]);
        } else if (parse_stream(optarg, &ret->clients[ret->n_clients++], err) < 0) {
            return -1;
        }
    }
    if (!ret->root || !ret->run || !ret->id || ret->report_fd < 3 || ret->lock_fd < 3) {
        return ct_refuse(err, CT_INVALID, "start a monitor: it is started by the engine only");
    }
    return fcntl(ret->report_fd, F_SETFD, FD_CLOEXEC) < 0 ||
                   fcntl(ret->lock_fd, F_SETFD, FD_CLOEXEC) < 0
               ? ct_fail(err, errno, "take the report pipe and the lock")
               : 0;
}

/* The starter waits for a word in any case, since an end of file could also be our death. */
static void report(struct monitor *monitor, int result, const struct ct_error *err)
{
    struct ct_error good_news = {0};

    (void)ct_refuse(&good_news, MONITOR_GOOD_NEWS, "it runs");
    if (monitor->container) {
        container_unlock(monitor->container); /* from here on the state is whole */
    }
    if (monitor->report_fd >= 0) { /* a starter that went away needs to know nothing */
        (void)ct_error_send(monitor->report_fd, result == 0 ? &good_news : err);
        (void)close(monitor->report_fd);
        monitor->report_fd = -1;
    }
}

static void signal_came(void *context, uint32_t events)
{
    struct monitor *monitor = context;
    (void)events;
    supervise_stop_politely(monitor);
    loop_unwatch(monitor->signals); /* once is enough; it leaves with the container */
    monitor->signals = NULL;
}

static int watch_signals(struct monitor *monitor, struct ct_error *err)
{
    sigset_t wanted;

    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGQUIT, SIG_IGN);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigemptyset(&wanted);
    (void)sigaddset(&wanted, SIGTERM);
    int fd = sigprocmask(SIG_BLOCK, &wanted, NULL) < 0
                 ? -1
                 : signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) {
        return ct_fail(err, errno, "watch for signals");
    }
    monitor->signals = loop_watch(monitor->loop, fd, EPOLLIN, signal_came, monitor, err);
    return monitor->signals ? 0 : -1;
}

/* What nobody is told goes to RUN/<id>/monitor.log. */
static void open_log_file(const struct container *container)
{
    int fd = openat(container->run_fd, "monitor.log",
                    O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0) {
        ct_log_to(fd);
    }
}

static int set_up(struct monitor *monitor, const struct arguments *arguments, struct ct_error *err)
{
    monitor->loop = loop_new(err);
    if (!monitor->loop || places_open(&monitor->places, arguments->root, arguments->run, err) < 0) {
        return -1;
    }
    monitor->containers =
        container_store_open(monitor->places.containers, monitor->places.run_containers, err);
    monitor->container =
        monitor->containers ? container_find(monitor->containers, arguments->id, err) : NULL;
    if (!monitor->container || container_become_monitor(monitor->container, err) < 0) {
        return -1;
    }
    container_share_lock(monitor->container, arguments->lock_fd);
    open_log_file(monitor->container);
    return watch_signals(monitor, err);
}

/* A container that was to be removed at its end, and had none because it never began. */
static void remove_failed(struct monitor *monitor)
{
    struct ct_error ignored = {0};
    if (ct_json_bool(monitor->container->config, "HostConfig.AutoRemove", false) &&
        discard(&monitor->places, monitor->containers, monitor->container, true, &ignored) == 0) {
        tell_event(monitor, "destroy", NULL);
    }
}

static int first_run(struct monitor *monitor, const struct arguments *arguments,
                     struct ct_error *err)
{
    struct container *container = monitor->container;
    struct ct_error unsaved = {0};

    ct_json_set(container->state, "RestartCount", json_integer(0));
    ct_json_set(container->state, "ManuallyStopped", json_false());
    (void)json_object_del(container->state, "Health");
    (void)ct_remove_tree(container->run_fd, "exec", &unsaved); /* of the run before */
    if (serve_open(monitor, err) == 0 &&
        run_start(monitor, arguments->clients, arguments->n_clients, arguments->timeout_ms, err) ==
            0 &&
        supervise_begin(monitor, err) == 0) {
        tell_event(monitor, "start", NULL);
        return 0;
    }
    serve_close(monitor);
    if (monitor->job) { /* it runs, but nobody would see its end */
        struct run_end end;
        run_finish(monitor, &end);
    }
    ct_error_clear(&unsaved);
    if (state_start_failed(container, err, &unsaved) < 0) {
        ct_warn("%s", unsaved.frame[0].what);
    }
    remove_failed(monitor);
    return -1;
}

static int adopt(struct monitor *monitor, struct ct_error *err)
{
    if (run_adopt(monitor, err) < 0 || serve_open(monitor, err) < 0) {
        return -1;
    }
    return supervise_begin(monitor, err);
}

/* For whoever asks this monitor later, and traces that without BPF. */
static void collect_spans(const char *run)
{
    struct ct_error err = {0};
    if (ct_span_collect(run, &err) < 0) {
        ct_warn("spans for askers are not collected: %s", err.frame[0].what);
    }
}

static int run_monitor(int argc, char **argv)
{
    static struct monitor monitor = {.report_fd = -1, .listen_fd = -1};
    static struct arguments arguments;
    struct ct_error err = {0};
    int result = parse_arguments(argc, argv, &arguments, &err);

    monitor.report_fd = arguments.report_fd;
    if (result == 0) {
        CT_SPAN(&err, CT_ROLE_MONITOR, arguments.adopt ? CT_STEP_LOAD : CT_STEP_START,
                MONITOR_NAME " %.12s", arguments.id);
        result = set_up(&monitor, &arguments, &err);
        if (result == 0) {
            collect_spans(monitor.places.run);
            result =
                arguments.adopt ? adopt(&monitor, &err) : first_run(&monitor, &arguments, &err);
        }
    }
    report(&monitor, result, &err);
    if (result == 0 && loop_run(monitor.loop, &err) < 0) {
        ct_warn("%s", err.frame[0].what);
        result = -1;
    }
    return result < 0 ? 1 : 0; /* the process's end releases the rest, the lock last of all */
}

/* Its name in `ps`, instead of the "exe" of /proc/self/exe. */
int monitor_main(int argc, char **argv)
{
    (void)prctl(PR_SET_NAME, MONITOR_NAME);
    pid_t child = fork();

    if (child < 0) {
        return 1; /* the starter sees that nobody reports */
    }
    return child > 0 ? 0 : run_monitor(argc, argv);
}

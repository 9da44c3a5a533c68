/*
 * process.c - the monitor as a process: from its command line to its loop.
 *
 * Room:       monitor.   Called by: main.c of each program that starts containers.
 *
 * One thread, one epoll set. It belongs to its own session, ignores what a terminal sends, and on
 * SIGTERM stops the container politely, then ends.
 */
#define CT_LAYER "monitor"
#include "carrier.h"
#include "monitor_internal.h"
#include "monitor_main.h"

#include "cleanup.h"
#include "error.h"
#include "log.h"
#include "memory.h"
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
    struct monitor_order order;
    struct monitor_stream streams[MONITOR_STREAMS_MAX];
    int report_fd;
};

static struct loop_source *signals;

bool monitor_is_wanted(int argc, char **argv)
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    return argc > 0 && strcmp(slash ? slash + 1 : argv[0], MONITOR_NAME) == 0;
}

/* "FD:ioe:KEYS" */
static int parse_stream(const char *text, struct monitor_stream *ret, struct ct_error *err)
{
    char *end = NULL;
    long fd = strtol(text, &end, 10);
    const char *keys = *end == ':' ? strchr(end + 1, ':') : NULL;

    if (fd < 3 || !keys) {
        return ct_refuse(err, CT_INVALID, "read --stream '%.64s'", text);
    }
    size_t length = (size_t)(keys - end);
    *ret = (struct monitor_stream){.fd = (int)fd,
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

    struct monitor_order *order = &ret->order;

    *ret = (struct arguments){.report_fd = -1, .order = {.lock_fd = -1, .timeout_ms = 60000}};
    order->streams = ret->streams;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'r') {
            order->paths.root = optarg;
        } else if (option == 'u') {
            order->paths.run = optarg;
        } else if (option == 'i') {
            order->id = optarg;
        } else if (option == 'p') {
            ret->report_fd = (int)strtol(optarg, NULL, 10);
        } else if (option == 'l') {
            order->lock_fd = (int)strtol(optarg, NULL, 10);
        } else if (option == 't') {
            order->timeout_ms = (int)strtol(optarg, NULL, 10);
        } else if (option == 'a') {
            order->adopt = true;
        } else if (option != 's' || order->n_streams == MONITOR_STREAMS_MAX) {
            return ct_refuse(err, CT_INVALID, "read argument '%.64s'", argv[optind - 1]);
        } else if (parse_stream(optarg, &ret->streams[order->n_streams++], err) < 0) {
            return -1;
        }
    }
    if (!order->paths.root || !order->paths.run || !order->id || ret->report_fd < 3 ||
        order->lock_fd < 3) {
        return ct_refuse(err, CT_INVALID, "start a monitor: it is started by the engine only");
    }
    return fcntl(ret->report_fd, F_SETFD, FD_CLOEXEC) < 0 ||
                   fcntl(order->lock_fd, F_SETFD, FD_CLOEXEC) < 0
               ? ct_fail(err, errno, "take the report pipe and the lock")
               : 0;
}

static void signal_came(void *context, uint32_t events)
{
    struct monitor *monitor = context;
    (void)events;
    supervise_stop_politely(monitor);
    loop_unwatch(signals); /* once is enough; it leaves with the container */
    signals = NULL;
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
    signals = loop_watch(monitor->loop, fd, EPOLLIN, signal_came, monitor, err);
    return signals ? 0 : -1;
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

/* For whoever asks this monitor later, and traces that without BPF. */
static void collect_spans(const char *run)
{
    struct ct_error err = {0};
    if (ct_span_collect(run, &err) < 0) {
        ct_warn("spans for askers are not collected: %s", err.frame[0].what);
    }
}

/* The whole process from here on holds monitor.lock. */
static struct monitor *set_up(const struct monitor_order *order, struct ct_error *err)
{
    struct monitor *monitor = monitor_new(order, err);

    if (!monitor || container_become_monitor(monitor->container, err) < 0) {
        return NULL;
    }
    open_log_file(monitor->container);
    return watch_signals(monitor, err) < 0 ? NULL : monitor;
}

static int run_monitor(int argc, char **argv)
{
    static struct arguments arguments;
    const struct monitor_order *order = &arguments.order;
    struct monitor *monitor = NULL;
    struct ct_error err = {0};
    int result = parse_arguments(argc, argv, &arguments, &err);

    if (result == 0) {
        CT_SPAN(&err, CT_ROLE_MONITOR, order->adopt ? CT_STEP_LOAD : CT_STEP_START,
                MONITOR_NAME " %.12s", order->id);
        monitor = set_up(order, &err);
        if (monitor) {
            collect_spans(order->paths.run);
        }
        result = monitor ? monitor_begin(monitor, order, &err) : -1;
    }
    if (arguments.report_fd >= 0) { /* a starter that went away needs to know nothing */
        (void)monitor_report(monitor, arguments.report_fd, result, &err);
        (void)close(arguments.report_fd);
    }
    if (result == 0 && monitor_run(monitor, -1, &err) < 0) {
        ct_warn("%s", err.frame[0].what);
        result = -1;
    }
    return result < 0 ? 1 : 0; /* the process's end releases the rest, the lock last of all */
}

void carrier_give_memory_back(void)
{
    ct_memory_give_back();
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

/*
 * bundle.c - cutaway-bundle: runs OCI bundles through the library, with as little around it as can
 * be.
 *
 * Room:       libcontainer.
 * Called by:  tests, `make bench`, and any OCI conformance suite that is pointed at it.
 *
 * The commands and options are the OCI runtime command line's, as far as a test needs them. The
 * runtime that people use is stage 04's cutaway-runc.
 */
#define CT_LAYER "bundle"
#include "foreground.h"
#include "libcontainer.h"

#include "cleanup.h"
#include "json.h"
#include "process.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM      "cutaway-bundle"
#define DEFAULT_ROOT "/run/cutaway/bundle"

struct options {
    const char *root, *bundle, *pid_file, *console_socket, *process;
    bool force, all, detach, no_pivot;
    int preserve_fds;
    char **arguments; /* id, and what comes behind it */
};

enum { OPTION_ROOT = 256, OPTION_PID_FILE, OPTION_CONSOLE, OPTION_NO_PIVOT, OPTION_PRESERVE };

static const struct option long_options[] = {
    {"root", required_argument, NULL, OPTION_ROOT},
    {"bundle", required_argument, NULL, 'b'},
    {"pid-file", required_argument, NULL, OPTION_PID_FILE},
    {"console-socket", required_argument, NULL, OPTION_CONSOLE},
    {"process", required_argument, NULL, 'p'},
    {"preserve-fds", required_argument, NULL, OPTION_PRESERVE},
    {"no-pivot", no_argument, NULL, OPTION_NO_PIVOT},
    {"detach", no_argument, NULL, 'd'},
    {"force", no_argument, NULL, 'f'},
    {"all", no_argument, NULL, 'a'},
    {0},
};

static const char usage[] =
    "usage: " PROGRAM " [--root DIR] COMMAND [OPTION]... ID [ARGUMENT]...\n"
    "  run, create  [--bundle DIR] [--pid-file FILE] [--console-socket PATH] [--preserve-fds N] "
    "[--no-pivot]\n"
    "  exec         --process FILE [--detach] [--pid-file FILE] [--console-socket PATH]\n"
    "  start  state  pause  resume  stats  ps  list  features\n"
    "  kill [--all] ID [SIGNAL]     update ID RESOURCES-FILE     delete [--force] ID\n";

/* ---- small parts ---------------------------------------------------------------------------- */

static int print_json(json_t *json, struct ct_error *err)
{
    CT_AUTO_JSON json_t *owned = json;

    if (!owned) {
        return -1;
    }
    if (json_dumpf(owned, stdout, JSON_INDENT(2)) < 0 || puts("") < 0) {
        return ct_fail(err, EIO, "print");
    }
    return 0;
}

static const char *id_of(const struct options *options)
{
    return options->arguments[0] ? options->arguments[0] : "";
}

static struct lc_container *open_container(const struct options *options, struct ct_error *err)
{
    return lc_open(options->root, id_of(options), err);
}

/* ---- commands ------------------------------------------------------------------------------- */

static struct lc_container *create_container(const struct options *options, struct ct_error *err)
{
    const struct lc_create request = {.root = options->root,
                                      .id = id_of(options),
                                      .bundle = options->bundle,
                                      .stdio = {0, 1, 2},
                                      .preserve_fds = options->preserve_fds,
                                      .console_socket = options->console_socket,
                                      .no_pivot = options->no_pivot,
                                      .timeout_ms = -1};
    struct lc_container *container = lc_create(&request, err);

    if (container && lc_write_pid_file(options->pid_file, lc_pid(container), err) < 0) {
        struct ct_error ignored = {0};
        (void)lc_delete(container, true, &ignored);
        lc_close(container);
        return NULL;
    }
    return container;
}

static int command_create(const struct options *options, struct ct_error *err)
{
    struct lc_container *container = create_container(options, err);

    lc_close(container);
    return container ? 0 : -1;
}

static int command_run(const struct options *options, struct ct_error *err)
{
    struct ct_error ignored = {0};
    struct lc_foreground foreground;
    struct lc_container *container = NULL;
    int code = -1;

    if (lc_foreground_begin(&foreground, false, err) == 0) {
        container = create_container(options, err);
    }
    if (container && lc_start(container, -1, err) == 0) {
        code = lc_foreground_wait(&foreground, lc_pidfd(container), err);
    }
    if (container) {
        (void)lc_delete(container, true, code < 0 ? &ignored : err);
    }
    lc_close(container);
    lc_foreground_end(&foreground);
    return code;
}

static int command_exec(const struct options *options, struct ct_error *err)
{
    CT_AUTO_JSON json_t *process = options->process ? lc_read(options->process, err) : NULL;
    const struct lc_exec request = {.process = process,
                                    .stdio = {0, 1, 2},
                                    .preserve_fds = options->preserve_fds,
                                    .console_socket = options->console_socket,
                                    .timeout_ms = -1};
    struct lc_foreground foreground = LC_FOREGROUND_NONE;
    struct lc_process started;

    if (!process) {
        return err->kind ? -1 : ct_refuse(err, CT_INVALID, "exec: --process is missing");
    }
    struct lc_container *container = open_container(options, err);
    if (!container) {
        return -1;
    }
    int code = options->detach ? 0 : lc_foreground_begin(&foreground, false, err);
    if (code == 0) {
        code = lc_exec(container, &request, &started, err);
    }
    if (code == 0) {
        code = lc_write_pid_file(options->pid_file, started.pid, err);
    }
    if (code == 0 && !options->detach) {
        code = lc_foreground_wait(&foreground, started.pidfd, err);
    }
    lc_foreground_end(&foreground);
    lc_close(container);
    return code;
}

static int command_start(const struct options *options, struct ct_error *err)
{
    struct lc_container *container = open_container(options, err);
    int result = container ? lc_start(container, -1, err) : -1;

    lc_close(container);
    return result;
}

static int command_state(const struct options *options, struct ct_error *err)
{
    struct lc_container *container = open_container(options, err);
    int result = container ? print_json(lc_state(container), err) : -1;

    lc_close(container);
    return result;
}

static int command_kill(const struct options *options, struct ct_error *err)
{
    int number = ct_signal_number(
        options->arguments[0] && options->arguments[1] ? options->arguments[1] : "TERM", err);
    struct lc_container *container = number < 0 ? NULL : open_container(options, err);
    int result = container ? lc_kill(container, number, options->all, err) : -1;

    lc_close(container);
    return result;
}

static int command_pause(const struct options *options, struct ct_error *err)
{
    struct lc_container *container = open_container(options, err);
    int result = container ? lc_pause(container, err) : -1;

    lc_close(container);
    return result;
}

static int command_resume(const struct options *options, struct ct_error *err)
{
    struct lc_container *container = open_container(options, err);
    int result = container ? lc_resume(container, err) : -1;

    lc_close(container);
    return result;
}

static int command_update(const struct options *options, struct ct_error *err)
{
    const char *file = options->arguments[0] ? options->arguments[1] : NULL;
    CT_AUTO_JSON json_t *resources = file ? lc_read(file, err) : NULL;
    struct lc_container *container = resources ? open_container(options, err) : NULL;
    int result = container ? lc_update(container, resources, err) : -1;

    lc_close(container);
    return file ? result : ct_refuse(err, CT_INVALID, "update: the file of resources is missing");
}

static int command_stats(const struct options *options, struct ct_error *err)
{
    struct lc_container *container = open_container(options, err);
    int result = container ? print_json(lc_stats(container, err), err) : -1;

    lc_close(container);
    return result;
}

static int command_ps(const struct options *options, struct ct_error *err)
{
    struct lc_container *container = open_container(options, err);
    CT_AUTO_FREE pid_t *pids = NULL;
    ssize_t n = container ? lc_pids(container, &pids, err) : -1;

    for (ssize_t i = 0; i < n; i++) {
        (void)printf("%d\n", (int)pids[i]);
    }
    lc_close(container);
    return n < 0 ? -1 : 0;
}

static int command_list(const struct options *options, struct ct_error *err)
{
    CT_AUTO_STRV char **ids = lc_list(options->root, err);

    for (char **id = ids; id && *id; id++) {
        (void)puts(*id);
    }
    return ids ? 0 : -1;
}

static int command_features(const struct options *options, struct ct_error *err)
{
    (void)options;
    return print_json(lc_features(), err);
}

static int command_delete(const struct options *options, struct ct_error *err)
{
    struct lc_container *container = open_container(options, err);
    int result = container ? lc_delete(container, options->force, err) : -1;

    lc_close(container);
    if (result < 0 && options->force && err->kind == CT_NOT_FOUND) {
        ct_error_clear(err); /* that is what was wanted */
        return 0;
    }
    return result;
}

static const struct {
    const char *name;
    int (*run)(const struct options *options, struct ct_error *err);
    bool without_id;
} commands[] = {
    {"create", command_create, false}, {"delete", command_delete, false},
    {"exec", command_exec, false},     {"features", command_features, true},
    {"kill", command_kill, false},     {"list", command_list, true},
    {"pause", command_pause, false},   {"ps", command_ps, false},
    {"resume", command_resume, false}, {"run", command_run, false},
    {"start", command_start, false},   {"state", command_state, false},
    {"stats", command_stats, false},   {"update", command_update, false},
};

/* ---- the command line ----------------------------------------------------------------------- */

static int parse_number(const char *text, struct ct_error *err)
{
    char *end = NULL;
    long number = strtol(text, &end, 10);

    return *text && !*end && number >= 0 && number < 1024
               ? (int)number
               : ct_refuse(err, CT_INVALID, "--preserve-fds: '%.40s' is no number", text);
}

static int take_option(int option, struct options *ret, struct ct_error *err)
{
    switch (option) {
    case OPTION_ROOT:
        ret->root = optarg;
        return 0;
    case 'b':
        ret->bundle = optarg;
        return 0;
    case 'p':
        ret->process = optarg;
        return 0;
    case OPTION_PID_FILE:
        ret->pid_file = optarg;
        return 0;
    case OPTION_CONSOLE:
        ret->console_socket = optarg;
        return 0;
    case OPTION_PRESERVE:
        ret->preserve_fds = parse_number(optarg, err);
        return ret->preserve_fds < 0 ? -1 : 0;
    case OPTION_NO_PIVOT:
        ret->no_pivot = true;
        return 0;
    case 'd':
        ret->detach = true;
        return 0;
    case 'f':
        ret->force = true;
        return 0;
    case 'a':
        ret->all = true;
        return 0;
    default:
        return ct_refuse(err, CT_INVALID, "understand the command line");
    }
}

/* The command stands between the general options and its own: one scan for each, up to the first
 * word. */
static int scan(int argc, char **argv, struct options *ret, struct ct_error *err)
{
    for (int option; (option = getopt_long(argc, argv, "+b:p:dfa", long_options, NULL)) != -1;) {
        if (take_option(option, ret, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int run(int argc, char **argv, struct ct_error *err)
{
    struct options options = {.root = DEFAULT_ROOT, .bundle = "."};

    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        return fputs(usage, stdout) < 0 ? ct_fail(err, errno, "print") : 0;
    }
    if (scan(argc, argv, &options, err) < 0) {
        return -1;
    }
    const char *name = optind < argc ? argv[optind++] : "";
    if (scan(argc, argv, &options, err) < 0) {
        return -1;
    }
    options.arguments = argv + optind;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return commands[i].without_id || *id_of(&options)
                       ? commands[i].run(&options, err)
                       : ct_refuse(err, CT_INVALID, "%s: the container's id is missing", name);
        }
    }
    (void)fputs(usage, stderr);
    return ct_refuse(err, CT_INVALID, "there is no command '%.40s'", name);
}

int main(int argc, char **argv)
{
    struct ct_error err = {0};
    int code = lc_protect_self(argv, &err) < 0 ? -1 : run(argc, argv, &err);

    if (err.kind) {
        ct_error_print(stderr, PROGRAM, &err);
    }
    if (code >= 0) {
        return code;
    }
    return err.kind == CT_NO_PROGRAM || err.kind == CT_CANNOT_RUN ? ct_kind_exit_code(err.kind) : 1;
}

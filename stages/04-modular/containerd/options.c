/*
 * options.c - cutaway-containerd's command line: one table, from which --help comes.
 *
 * Room:       containerd.   Called by: main.c.
 * Man:        argp (glibc manual, "Parsing Program Options with Argp").
 */
#include "containerd_options.h"

#include "log.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>

static const struct argp_option option_table[] = {
    {"root", 'r', "DIR", 0, "Where state lasts (default /var/lib/cutaway/containerd)", 0},
    {"state", 's', "DIR", 0, "Where state lives until reboot (default /run/cutaway/containerd)", 0},
    {"address", 'a', "PATH", 0,
     "The socket of the API; shims send their events to PATH.ttrpc (default "
     "STATE/containerd.sock)",
     0},
    {"group", 'G', "NAME", 0,
     "The group that may use the socket (default cutaway, where it exists)", 0},
    {"log-level", 'l', "LEVEL", 0, "debug, info, warn (default) or error", 0},
    {0},
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct options *options = state->input;

    switch (key) {
    case 'r':
        options->root = value;
        return 0;
    case 's':
        options->state = value;
        return 0;
    case 'a':
        options->address = value;
        return 0;
    case 'G':
        options->group = value;
        return 0;
    case 'l':
        if (!ct_log_has_level(value)) {
            argp_error(state, "no log level '%s': debug, info, warn or error", value);
            return EINVAL;
        }
        return setenv("CUTAWAY_LOG", value, 1) < 0 ? errno : 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument '%s'", value);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .options = option_table,
    .parser = parse_option,
    .doc =
        "Manages images, snapshots, containers and their tasks: answers containerd's API."
        "\vExit status: 0 ended by SIGTERM or SIGINT; 1 it could not begin, and a line says why; "
        "64 the command line is wrong. Containers run on after the end, also after SIGKILL: "
        "each is held by its shim, and the next cutaway-containerd finds them.",
};

static void print_version(FILE *out, struct argp_state *state)
{
    (void)state;
    (void)fprintf(out, "Cutaway containerd version %s\n", CUTAWAY_VERSION);
}

void options_parse(int argc, char **argv, struct options *ret)
{
    *ret =
        (struct options){.root = "/var/lib/cutaway/containerd", .state = "/run/cutaway/containerd"};
    argp_program_version_hook = print_version;
    if (argp_parse(&argp, argc, argv, 0, NULL, ret) != 0) {
        exit(1);
    }
}

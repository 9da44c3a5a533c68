/*
 * options.c - cutawayd's command line: one table, from which --help and the manual page come.
 *
 * Room:       daemon.   Called by: main.c of cutawayd.
 * Man:        argp (glibc manual, "Parsing Program Options with Argp").
 */
#include "options.h"

#include "manual.h"

#include "log.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPTION_RUN = 256,
    OPTION_TLS,
    OPTION_CA,
    OPTION_CERT,
    OPTION_KEY,
    OPTION_INSECURE,
    OPTION_EXEC_DRIVER,
    OPTION_CONTAINERD,
    OPTION_MAN
};

static const struct argp_option option_table[] = {
    {"root", 'r', "DIR", 0, "Where state lasts (default /var/lib/cutaway)", 0},
    {"run", OPTION_RUN, "DIR", 0, "Where state lives until reboot (default /run/cutaway)", 0},
    {"host", 'H', "URL", 0,
     "Listen there: unix:///PATH or tcp://NAME:PORT; may be given more than once "
     "(default unix://RUN/cutaway.sock)",
     0},
    {"group", 'G', "NAME", 0,
     "The group that may use the socket (default cutaway, where it exists)", 0},
    {"tlsverify", OPTION_TLS, NULL, 0, "On tcp, answer only clients with a certificate", 0},
    {"tlscacert", OPTION_CA, "FILE", 0, "The authority of the clients' certificates", 0},
    {"tlscert", OPTION_CERT, "FILE", 0, "The daemon's certificate", 0},
    {"tlskey", OPTION_KEY, "FILE", 0, "Its key", 0},
    {"insecure-loopback", OPTION_INSECURE, NULL, 0,
     "Allow tcp without TLS on 127.0.0.1 and ::1: every user of this machine is then root", 0},
    {"exec-driver", OPTION_EXEC_DRIVER, "NAME", 0,
     "How containers are run: lxc; from stage 03 on also native, which is the default there; in "
     "stage "
     "04 containerd",
     0},
    {"containerd", OPTION_CONTAINERD, "SOCKET", 0,
     "From stage 04 on: where containerd listens; without it the daemon has one of its own", 0},
    {"log-level", 'l', "LEVEL", 0, "debug, info, warn (default) or error", 0},
    {"man", OPTION_MAN, NULL, OPTION_HIDDEN, "Print the manual page", 0},
    {0},
};

static error_t add_host(struct argp_state *state, struct options *options, const char *host)
{
    if (options->n_hosts == HOSTS_MAX) {
        argp_error(state, "at most %d times --host", HOSTS_MAX);
        return EINVAL;
    }
    options->hosts[options->n_hosts++] = host;
    return 0;
}

static error_t set_level(struct argp_state *state, const char *level)
{
    if (!ct_log_has_level(level)) {
        argp_error(state, "no log level '%s': debug, info, warn or error", level);
        return EINVAL;
    }
    return setenv("CUTAWAY_LOG", level, 1) < 0 ? errno : 0; /* for monitors, too */
}

static void print_manual(void)
{
    manual_print(stdout, option_table);
    exit(ferror(stdout) || fflush(stdout) ? 1 : 0);
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct options *options = state->input;

    switch (key) {
    case 'r':
        options->engine.root = value;
        return 0;
    case OPTION_RUN:
        options->engine.run = value;
        return 0;
    case 'H':
        return add_host(state, options, value);
    case 'G':
        options->group = value;
        return 0;
    case OPTION_TLS:
        options->verify = true;
        return 0;
    case OPTION_CA:
        options->tls.ca_file = value;
        return 0;
    case OPTION_CERT:
        options->tls.certificate_file = value;
        return 0;
    case OPTION_KEY:
        options->tls.key_file = value;
        return 0;
    case OPTION_INSECURE:
        options->insecure = true;
        return 0;
    case OPTION_EXEC_DRIVER:
        options->exec_driver = value;
        return 0;
    case OPTION_CONTAINERD:
        options->containerd = value;
        return 0;
    case 'l':
        return set_level(state, value);
    case OPTION_MAN:
        print_manual();
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument '%s'", value);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* What stands behind the options. argp frees what it is given instead of its own text. */
static char *filter_help(int key, const char *text, void *input)
{
    (void)input;
    return key == ARGP_KEY_HELP_POST_DOC ? manual_help() : (char *)text;
}

static const struct argp argp = {
    .options = option_table,
    .parser = parse_option,
    .doc = MANUAL_SUMMARY,
    .help_filter = filter_help,
};

static void print_version(FILE *out, struct argp_state *state)
{
    (void)state;
    (void)fprintf(out, "Cutaway daemon version %s, stage %s\n", CUTAWAY_VERSION, engine_stage());
}

void options_parse(int argc, char **argv, struct options *ret)
{
    argp_program_version_hook = print_version;
    if (argp_parse(&argp, argc, argv, 0, NULL, ret) != 0) {
        exit(1);
    }
}

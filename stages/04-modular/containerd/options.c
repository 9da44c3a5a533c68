/*
 * options.c - cutaway-containerd's command line: two tables, from which --help and the manual page
 * come.
 *
 * Room:       containerd.   Called by: main.c.
 * Man:        argp (glibc manual, "Parsing Program Options with Argp"); mdoc(7).
 */
#include "containerd_options.h"

#include "log.h"
#include "mdoc.h"

#include <argp.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_MAN = 256, OPTION_TOPIC, OPTION_NAMESPACE };

static const struct argp_option option_table[] = {
    {"root", 'r', "DIR", 0, "Where state lasts (default /var/lib/cutaway/containerd)", 0},
    {"state", 's', "DIR", 0, "Where state lives until reboot (default /run/cutaway/containerd)", 0},
    {"address", 'a', "PATH", 0,
     "The socket of the API; shims send their events to PATH.ttrpc (default STATE/containerd.sock)",
     0},
    {"group", 'G', "NAME", 0,
     "The group that may use the socket (default cutaway, where it exists)", 0},
    {"log-level", 'l', "LEVEL", 0, "debug, info, warn (default) or error", 0},
    {"topic", OPTION_TOPIC, "TOPIC", 0, "publish: what the event is about, as /tasks/exit", 0},
    {"namespace", OPTION_NAMESPACE, "NAME", 0, "publish: whose event it is", 0},
    {"man", OPTION_MAN, NULL, OPTION_HIDDEN, "Print the manual page", 0},
    {0},
};

#define SUMMARY "Manages images, snapshots, containers and their tasks: answers containerd's API."

static const struct {
    const char *title, *text;
} sections[] = {
    {"Commands",
     "Without a command it serves until SIGTERM or SIGINT. publish reads an event (a packed "
     "google.protobuf.Any) from standard input and tells it to who serves at --address; shims that "
     "speak neither gRPC nor ttrpc call it."},
    {"Life",
     "Containers run on after the end, also after SIGKILL: each is held by its shim, and the next "
     "cutaway-containerd finds them and holds their published ports again. The socket is made 0660 "
     "root:GROUP; whoever can connect can "
     "become root. One works on a root at a time."},
    {"Files",
     "ROOT/metadata.db is all that is remembered, readable with sqlite3; ROOT/content has the "
     "blobs, ROOT/snapshots the layers, ROOT/networks and ROOT/volumes what daemons of ours "
     "ask for, STATE/networks the addresses and ports in use, "
     "STATE/io.containerd.runtime.v2.task the bundles of tasks."},
    {"Exit status", "0 ended by a signal, or the event was told; 1 it could not, and a line on "
                    "standard error says "
                    "why; 64 the command line is wrong."},
};

#define N_SECTIONS (sizeof(sections) / sizeof(sections[0]))

static void print_manual(void)
{
    ct_mdoc_head(stdout, "cutaway-containerd", 8, "images, snapshots, containers and their tasks");
    (void)printf(
        ".Nm\n.Op Ar OPTIONS\n.Nm\n.Fl -address Ar PATH\n.Cm publish\n.Fl -topic Ar TOPIC\n"
        ".Fl -namespace Ar NAME\n.Sh DESCRIPTION\n" SUMMARY "\n"
        "The options are as follows:\n.Bl -tag -width Ds\n");
    for (const struct argp_option *option = option_table; option->name; option++) {
        if (!(option->flags & OPTION_HIDDEN)) {
            char letter = option->key < 128 ? (char)option->key : '\0';
            ct_mdoc_flag(stdout, letter, option->name, option->arg, option->doc);
        }
    }
    (void)printf(".El\n");
    for (size_t i = 0; i < N_SECTIONS; i++) {
        (void)printf(".Ss %s\n\\&", sections[i].title);
        ct_mdoc_text(stdout, sections[i].text);
        (void)printf("\n");
    }
    (void)printf(".Sh SEE ALSO\n.Xr cutawayd 8 ,\n.Xr ctr 8\n");
    exit(ferror(stdout) || fflush(stdout) ? 1 : 0);
}

/* argp frees what it is given instead of its own text. */
static char *filter_help(int key, const char *text, void *input)
{
    char *help = NULL;
    size_t length = 0;

    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC) {
        return (char *)(uintptr_t)text;
    }
    FILE *out = open_memstream(&help, &length);
    for (size_t i = 0; out && i < N_SECTIONS; i++) {
        (void)fprintf(out, "%s%s: %s", i ? "\n\n" : "", sections[i].title, sections[i].text);
    }
    return out && fclose(out) == 0 ? help : NULL;
}

static error_t parse_argument(struct argp_state *state, struct options *options, const char *value)
{
    if (strcmp(value, "publish") != 0 || options->publish) {
        argp_error(state, "unexpected argument '%s'", value);
        return EINVAL;
    }
    options->publish = true;
    return 0;
}

static error_t set_level(struct argp_state *state, const char *level)
{
    if (!ct_log_has_level(level)) {
        argp_error(state, "no log level '%s': debug, info, warn or error", level);
        return EINVAL;
    }
    return setenv("CUTAWAY_LOG", level, 1) < 0 ? errno : 0;
}

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
        return set_level(state, value);
    case OPTION_TOPIC:
        options->topic = value;
        return 0;
    case OPTION_NAMESPACE:
        options->namespace_ = value;
        return 0;
    case OPTION_MAN:
        print_manual();
        return 0;
    case ARGP_KEY_ARG:
        return parse_argument(state, options, value);
    case ARGP_KEY_END:
        if (options->publish ? !options->topic || !options->namespace_ || !options->address
                             : options->topic || options->namespace_) {
            argp_error(state, "publish, and only it, needs --address, --topic and --namespace");
            return EINVAL;
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .options = option_table,
    .parser = parse_option,
    .args_doc = "\npublish",
    .doc = SUMMARY,
    .help_filter = filter_help,
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

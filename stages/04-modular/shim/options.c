/*
 * options.c - cutaway-containerd-shim's command line: one table, from which --help and the manual
 * page come.
 *
 * Room:       shim.   Called by: main.c.
 * Man:        getopt_long_only(3); mdoc(7).
 */
#include "shim_options.h"

#include "mdoc.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME "cutaway-containerd-shim"

enum {
    OPTION_NAMESPACE = 256,
    OPTION_ID,
    OPTION_ADDRESS,
    OPTION_PUBLISH,
    OPTION_BUNDLE,
    OPTION_DEBUG,
    OPTION_INFO,
    OPTION_VERSION,
    OPTION_HELP,
    OPTION_MAN
};

static const struct {
    int key;
    const char *name, *value, *help;
} rows[] = {
    {OPTION_NAMESPACE, "namespace", "NAME", "The namespace that the container is in"},
    {OPTION_ID, "id", "ID", "The container"},
    {OPTION_ADDRESS, "address", "PATH", "containerd's socket"},
    {OPTION_PUBLISH, "publish-binary", "PROGRAM",
     "containerd itself: publishes events where TTRPC_ADDRESS is not set"},
    {OPTION_BUNDLE, "bundle", "DIR", "The container's folder (default: the current one)"},
    {OPTION_DEBUG, "debug", "", "Log all that happens"},
    {OPTION_INFO, "info", "", "Print what this shim is, as a packed containerd.types.RuntimeInfo"},
    {OPTION_VERSION, "v", "", "Print the version"},
    {OPTION_HELP, "help", "", "Print this help"},
    {OPTION_MAN, "man", "", NULL}, /* hidden: for the build */
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

#define SUMMARY                                                                                \
    "Holds a container's processes, streams and exit status while containerd comes and goes. " \
    "containerd starts it: with --runtime io.containerd.cutaway.v2, or with the path of the "  \
    "program."

static const struct {
    const char *title, *text;
} sections[] = {
    {"Commands",
     "start leaves a shim behind that serves containerd.task.v2.Task, and prints its address; "
     "containers with the same annotation io.containerd.runc.v2.group or "
     "io.kubernetes.cri.sandbox-id get one shim. delete removes what a shim that was killed left "
     "behind. Both work in the bundle. Without a command it serves on descriptor 3."},
    {"Runtime",
     "Which OCI runtime it calls, and how, is what the runtime's options say "
     "(containerd.runc.v1.Options): binary_name, root, systemd_cgroup, no_pivot_root, "
     "no_new_keyring, io_uid, io_gid, shim_cgroup. Without: runc, /run/containerd/runc. "
     "Or these name a file (runtimeoptions.v1.Options, in containerd's configuration of CRI "
     "ConfigPath): a JSON object with binary_name, root, no_pivot_root, no_new_keyring."},
    {"Output", "A FIFO (a path, fifo://), a file (file://), a program (binary://), or a log as "
               "Docker's json-file driver writes it: json-file:///FOLDER?max-size=10m&max-file=3, "
               "the file being FOLDER/ID-json.log."},
    {"Environment", "TTRPC_ADDRESS is where events go. CUTAWAY_RUN (default /run/cutaway): the "
                    "socket is made in the folder s of it, which only root can enter."},
    {"Exit status", "0 it is done; 1 it could not, and a line on standard error says why; 64 the "
                    "command line is wrong."},
};
#define N_SECTIONS (sizeof(sections) / sizeof(sections[0]))

_Noreturn static void print_help(void)
{
    (void)printf("Usage: " NAME " [OPTIONS] start|delete\n" SUMMARY "\n\n");
    for (size_t i = 0; i < N_ROWS; i++) {
        if (rows[i].help) {
            (void)printf("  -%s %-*s %s\n", rows[i].name, 22 - (int)strlen(rows[i].name),
                         rows[i].value, rows[i].help);
        }
    }
    for (size_t i = 0; i < N_SECTIONS; i++) {
        (void)printf("\n%s: %s\n", sections[i].title, sections[i].text);
    }
    exit(ferror(stdout) || fflush(stdout) ? 1 : 0);
}

_Noreturn static void print_manual(void)
{
    ct_mdoc_head(stdout, NAME, 8, "stays with a container when containerd is away");
    (void)printf(".Nm\n.Op Ar OPTIONS\n.Cm start\n.Nm\n.Op Ar OPTIONS\n.Cm delete\n"
                 ".Sh DESCRIPTION\n" SUMMARY "\nThe options are as follows:\n.Bl -tag -width Ds\n");
    for (size_t i = 0; i < N_ROWS; i++) {
        if (rows[i].help) {
            (void)printf(".It Fl %s", rows[i].name);
            (void)printf(*rows[i].value ? " Ar %s\n\\&" : "%s\n\\&", rows[i].value);
            ct_mdoc_text(stdout, rows[i].help);
            (void)printf(".\n");
        }
    }
    (void)printf(".El\n");
    for (size_t i = 0; i < N_SECTIONS; i++) {
        (void)printf(".Ss %s\n\\&", sections[i].title);
        ct_mdoc_text(stdout, sections[i].text);
        (void)printf("\n");
    }
    (void)printf(".Sh SEE ALSO\n.Xr cutaway-containerd 8 ,\n.Xr cutaway-runc 8\n");
    exit(ferror(stdout) || fflush(stdout) ? 1 : 0);
}

_Noreturn static void refuse(const char *what, const char *word)
{
    (void)fprintf(stderr, NAME ": %s%s; try: " NAME " -help\n", what, word);
    exit(64);
}

static void take(int key, char *value, struct shim_options *options, bool *ret_info)
{
    switch (key) {
    case OPTION_NAMESPACE:
        options->namespace = value;
        break;
    case OPTION_ID:
        options->id = value;
        break;
    case OPTION_ADDRESS:
        options->address = value;
        break;
    case OPTION_PUBLISH:
        options->publish_binary = value;
        break;
    case OPTION_BUNDLE:
        options->bundle = value;
        break;
    case OPTION_DEBUG:
        options->debug = true;
        break;
    case OPTION_INFO:
        *ret_info = true;
        break;
    case OPTION_VERSION:
        (void)printf(NAME " " CUTAWAY_VERSION "\n");
        exit(0);
    case OPTION_HELP:
        print_help();
    case OPTION_MAN:
        print_manual();
    default:
        exit(64); /* getopt has said why */
    }
}

static enum shim_verb verb_of(int argc, char **argv)
{
    if (optind == argc) {
        return SHIM_SERVE;
    }
    if (strcmp(argv[optind], "start") == 0 && optind + 1 == argc) {
        return SHIM_START;
    }
    if (strcmp(argv[optind], "delete") == 0 && optind + 1 == argc) {
        return SHIM_DELETE;
    }
    refuse("there is no command ", argv[optind]);
}

enum shim_verb shim_options_parse(int argc, char **argv, struct shim_options *ret)
{
    struct option table[N_ROWS + 1] = {0};
    bool info = false;
    int key;

    *ret = (struct shim_options){.namespace = "", .id = "", .address = "", .publish_binary = ""};
    for (size_t i = 0; i < N_ROWS; i++) {
        table[i] = (struct option){.name = rows[i].name,
                                   .has_arg = *rows[i].value ? required_argument : no_argument,
                                   .val = rows[i].key};
    }
    while ((key = getopt_long_only(argc, argv, "", table, NULL)) != -1) {
        take(key, optarg, ret, &info);
    }
    enum shim_verb verb = info ? SHIM_INFO : verb_of(argc, argv);
    if (verb != SHIM_INFO && (!*ret->namespace || !*ret->id)) {
        refuse("-namespace and -id must be given", "");
    }
    if (strchr(ret->namespace, '/') || strchr(ret->id, '/')) {
        refuse("a namespace or an id has a '/'", "");
    }
    return verb;
}

/*
 * cli.c - finds the command, opens the engine, runs it, tells the error once.
 *
 * Room:       cli.   Called by: the main.c of each stage.
 *
 * Exit codes, as Docker's: 0; the program's own for run, exec and start -a; 125 when run, create or
 * exec could not do their own part; 126 and 127 when the program could not be run or is missing;
 * 1 for everything else.
 */
#define CT_LAYER "cli"
#include "cli_internal.h"

#include "cleanup.h"
#include "path.h"
#include "span.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* What stands before the command. */
static const struct cli_flag global_flags[] = {
    {"root", 0, CLI_TEXT, "DIR",
     "Where state lasts (default /var/lib/cutaway); with a daemon it is cutawayd's", NULL},
    {"run", 0, CLI_TEXT, "DIR", "Where state lives until reboot (default /run/cutaway)", NULL},
    {"host", 'H', CLI_TEXT, "URL", "The daemon to talk to (default unix://RUN/cutaway.sock)",
     "stage 02-split-client"},
    {"tlscacert", 0, CLI_TEXT, "FILE", "Trust daemons that this CA has signed",
     "stage 02-split-client"},
    {"tlscert", 0, CLI_TEXT, "FILE", "The certificate to show to the daemon",
     "stage 02-split-client"},
    {"tlskey", 0, CLI_TEXT, "FILE", "The key of the certificate", "stage 02-split-client"},
    {"debug", 'D', CLI_BOOL, NULL, "Tell every frame of an error", NULL},
    {"version", 'v', CLI_BOOL, NULL, "Print the version and quit", NULL},
    {NULL, 0, CLI_BOOL, NULL, NULL, NULL},
};

static const struct cli_flag *const global_tables[] = {global_flags, NULL};

/* The line before the command, read like a command of its own that stops at the first word. */
const struct cli_command cli_globals = {
    .name = "", .max_args = -1, .flags = global_tables, .stops_at_first = true, .usage_exit = 125};

static const struct cli_command *find_in(const struct cli_command *const *commands,
                                         const char *name)
{
    for (; *commands; commands++) {
        if (strcmp((*commands)->name, name) == 0) {
            return *commands;
        }
    }
    return NULL;
}

static const struct cli_noun *find_noun(const char *name)
{
    for (const struct cli_noun *noun = cli_nouns; noun->name; noun++) {
        if (strcmp(noun->name, name) == 0) {
            return noun;
        }
    }
    return NULL;
}

static int refuse_unknown(const char *word, struct ct_error *err)
{
    const char *nearest = help_nearest(word);
    (void)ct_refuse(err, CT_INVALID, "'%.60s' is not a cutaway command", word);
    return nearest ? ct_hint(err, "cutaway %s, or cutaway --help", nearest)
                   : ct_hint(err, "cutaway --help");
}

/*
 * The words of a command line as the user typed them, for the trace: joined by spaces, no quoting.
 * Owned.
 */
static char *typed_line(int argc, char **argv)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    for (int i = 0; out && i < argc; i++) {
        (void)fprintf(out, "%s%s", i ? " " : "", argv[i]);
    }
    if (!out || fclose(out) != 0) {
        return ct_strdup("");
    }
    return text;
}

/* Blocking calls of the engine give up when this turns readable. */
static int open_cancel_fd(struct ct_error *err)
{
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    int fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? ct_fail(err, errno, "watch for signals") : fd;
}

static int run_with_engine(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    if (stream_block_signals(err) < 0) {
        return -1;
    }
    CT_AUTO_CLOSE int cancel_fd = open_cancel_fd(err);
    if (cancel_fd < 0) {
        return -1;
    }
    cli->cancel_fd = cancel_fd;
    if (!cli->command->offline) {
        cli->engine = engine_open(&cli->options, err);
        if (!cli->engine) {
            return -1;
        }
    }
    int result = cli->command->run(cli, args, err);
    engine_close(cli->engine);
    if (fflush(stdout) != 0 && errno != EPIPE && result == 0) {
        return ct_fail(err, errno, "write to standard output");
    }
    return result;
}

static void print_usage_error(const struct cli *cli, const struct ct_error *err)
{
    const struct cli_command *command = cli->command;
    ct_error_print(stderr, "cutaway", err);
    (void)fprintf(stderr, "See 'cutaway %s%s%s --help'.\n", cli->noun ? cli->noun : "",
                  cli->noun ? " " : "", command->name);
}

static struct cli_args *parse(const struct cli *cli, int argc, char **argv, const char *line,
                              struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_CLIENT, CT_STEP_PARSE, "%s", line);
    return args_parse(cli->command, argc - 1, argv + 1, err);
}

static int run_command(struct cli *cli, int argc, char **argv)
{
    struct ct_error err = {0};
    CT_AUTO_FREE char *line = typed_line(argc, argv);
    CT_SPAN(&err, CT_ROLE_CLIENT, CT_STEP_COMMAND, "cutaway %s", line);
    struct cli_args *args = parse(cli, argc, argv, line, &err);
    if (!args) {
        print_usage_error(cli, &err);
        return cli->command->usage_exit;
    }
    if (args_help(args)) {
        help_command(stdout, cli->noun, cli->command);
        args_free(args);
        return 0;
    }
    int result = run_with_engine(cli, args, &err);
    args_free(args);
    if (result == 0) {
        return cli->exit_code;
    }
    if (err.kind != CT_NONE) { /* for_each_arg() has told its own */
        ct_error_print(stderr, "cutaway", &err);
    }
    return cli->exit_code                    ? cli->exit_code
           : cli->command->usage_exit == 125 ? ct_kind_exit_code(err.kind)
                                             : 1;
}

/* "cutaway noun verb …" or "cutaway verb …". */
static int dispatch(struct cli *cli, int argc, char **argv)
{
    struct ct_error err = {0};
    const struct cli_noun *noun = find_noun(argv[0]);

    cli->command = find_in(cli_commands, argv[0]);
    if (noun && (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        help_noun(argc < 2 ? stderr : stdout, noun);
        return argc < 2 ? 1 : 0;
    }
    if (noun) {
        cli->noun = noun->name;
        cli->command = find_in(noun->commands, argv[1]);
        argc--;
        argv++;
    }
    if (!cli->command) {
        (void)refuse_unknown(argv[0], &err);
        ct_error_print(stderr, "cutaway", &err);
        return 1;
    }
    return run_command(cli, argc, argv);
}

static int run_line(struct cli *cli, const struct cli_args *globals, int argc, char **argv)
{
    int n = args_count(globals);

    cli->options.root = args_text(globals, "root", NULL);
    cli->options.run = args_text(globals, "run", NULL);
    cli->options.host = args_text(globals, "host", NULL);
    cli->options.tls_ca = args_text(globals, "tlscacert", NULL);
    cli->options.tls_cert = args_text(globals, "tlscert", NULL);
    cli->options.tls_key = args_text(globals, "tlskey", NULL);
    if (args_bool(globals, "debug")) {
        (void)setenv("CUTAWAY_DEBUG", "1", 1);
    }
    if (args_bool(globals, "version")) {
        (void)printf("Cutaway version %s, stage %s\n", CUTAWAY_VERSION, engine_stage());
        return 0;
    }
    if (n == 0 || args_help(globals) || strcmp(args_at(globals, 0), "help") == 0) {
        help_top(n == 0 && !args_help(globals) ? stderr : stdout);
        return n == 0 && !args_help(globals) ? 1 : 0;
    }
    return dispatch(cli, n, argv + argc - n);
}

int cli_main(int argc, char **argv)
{
    struct ct_error err = {0};
    struct cli cli = {.cancel_fd = -1};
    struct cli_args *globals = args_parse(&cli_globals, argc - 1, argv + 1, &err);

    if (!globals) {
        ct_error_print(stderr, "cutaway", &err);
        (void)fprintf(stderr, "See 'cutaway --help'.\n");
        return 125;
    }
    int code = run_line(&cli, globals, argc, argv);
    args_free(globals);
    return code;
}

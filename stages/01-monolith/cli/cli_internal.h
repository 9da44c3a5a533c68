/*
 * cli_internal.h - the table of commands, and what the files of this room share.
 *
 * Room:       cli; included by the files of this room only.
 *
 * A command is a row: its name, what it takes, its flags, and the function that runs it. Parsing,
 * --help, completion, man pages and the refusal of what a stage cannot do are derived from the
 * rows.
 */
#ifndef CLI_INTERNAL_H
#define CLI_INTERNAL_H

#include "cli.h"
#include "engine.h"
#include "engine_containers.h"
#include "engine_images.h"
#include "engine_networks.h"
#include "engine_system.h"
#include "engine_volumes.h"

#include <stdio.h>

enum cli_type { CLI_BOOL, CLI_TEXT, CLI_LIST, CLI_INT };

struct cli_flag {
    const char *name;
    char letter; /* "-x", or 0 */
    enum cli_type type;
    const char *value; /* how --help calls the value; NULL: by the type */
    const char *help;
    /* NULL: every stage has it; else what brings it: "stage 04-modular (cutaway-init)". */
    const char *comes_with;
};

struct cli_args;
struct cli;

struct cli_command {
    const char *name;
    const char *usage;      /* what follows the name and [OPTIONS]: "CONTAINER [CONTAINER...]" */
    const char *summary;    /* one sentence without a full stop */
    int min_args, max_args; /* max -1: any number */
    const struct cli_flag *const
        *flags;          /* NULL-terminated list of tables that end with name NULL */
    bool stops_at_first; /* flags end at the first argument: run, exec */
    bool offline;        /* needs no engine */
    int usage_exit;      /* exit code of a wrong command line: 125 for run and create, else 1 */
    int (*run)(struct cli *cli, const struct cli_args *args, struct ct_error *err);
};

/* A management command: "container", "image". */
struct cli_noun {
    const char *name;
    const char *summary;
    const struct cli_command *const *commands; /* NULL-terminated */
};

extern const struct cli_command *const cli_commands[]; /* the top level, NULL-terminated */
extern const struct cli_noun cli_nouns[];              /* ends with name NULL */
extern const struct cli_command cli_globals;           /* what stands before the command */

struct cli {
    struct engine *engine;
    struct engine_options options;
    int cancel_fd; /* readable after SIGINT or SIGTERM */
    int exit_code; /* of a command that was carried out: run's is the program's own */
    const struct cli_command *command;
    const char *noun; /* "container", or NULL for the top level */
};

/* parse.c */
struct cli_args *args_parse(const struct cli_command *command, int argc, char **argv,
                            struct ct_error *err);
void args_free(struct cli_args *args);
bool args_help(const struct cli_args *args);
int args_count(const struct cli_args *args);
const char *args_at(const struct cli_args *args, int i);          /* borrowed; NULL past the end */
const char *const *args_rest(const struct cli_args *args, int i); /* NULL-terminated */
bool args_has(const struct cli_args *args, const char *flag);     /* was given */
bool args_bool(const struct cli_args *args, const char *flag);
const char *args_text(const struct cli_args *args, const char *flag, const char *fallback);
json_int_t args_int(const struct cli_args *args, const char *flag, json_int_t fallback);
const char *const *args_list(const struct cli_args *args,
                             const char *flag); /* NULL-terminated, never NULL */
/* True when the stage that runs does not have it yet. */
bool flag_missing(const struct cli_flag *flag);
/* Calls fn for each flag of a command, tables in order. */
typedef void (*cli_flag_fn)(void *context, const struct cli_flag *flag);
void flags_each(const struct cli_command *command, cli_flag_fn fn, void *context);
/* "a=b" filters to {"a":["b"]}; NULL without any. Owned. -1: CT_INVALID. */
int args_filters(const struct cli_args *args, json_t **ret, struct ct_error *err);

/* help.c */
void help_top(FILE *out);
void help_noun(FILE *out, const struct cli_noun *noun);
void help_command(FILE *out, const char *noun, const struct cli_command *command);
int help_completion(FILE *out);
int help_man(FILE *out, const char *command_or_null);
/* The command whose name is nearest to a mistyped one, or NULL. */
const char *help_nearest(const char *typed);

/* format.c: lists. A row is an object of strings by the formatter's names. */
struct cli_column {
    const char *field;  /* "ID" */
    const char *header; /* "CONTAINER ID" */
};
/* Prints rows with a Go template, "table …", "json", or (format NULL) the default table. */
int format_rows(const struct cli_column *columns, const char *default_table, const char *format,
                const json_t *rows, struct ct_error *err);
/* The same for each row as it comes (events, stats): no alignment. */
int format_row(const char *format, const json_t *row, struct ct_error *err);
/* Docker's short forms. Owned. */
char *format_id(const char *id, bool no_trunc);
char *format_age(int64_t unix_seconds);
char *format_labels(const json_t *labels);
/* Text of strangers for a terminal: control characters become '?'. Owned. */
char *format_safe(const char *text);
void print_json(FILE *out, const json_t *json); /* indented by four, as docker inspect */

/* create_flags.c: run's and create's flags to the API's body. */
extern const struct cli_flag create_flags[];
json_t *create_body(const struct cli_args *args, struct ct_error *err);
/* Names from a file and from flags: --label-file, --env-file. */

/* stream.c */
struct stream_io {
    int fd;        /* the engine's stream, closed by stream_run() */
    bool tty;      /* raw bytes; the terminal is switched to raw mode when stdin is passed on */
    bool in;       /* pass standard input on */
    bool out, err; /* which outputs are shown */
    bool proxy_signals;
    void (*resize)(void *context, unsigned height, unsigned width); /* may be NULL */
    void (*signal)(void *context, int number);                      /* may be NULL */
    void *context;
};
/* Until the stream ends. 0, or -1. */
int stream_run(const struct stream_io *io, struct ct_error *err);
/* stdcopy frames from fd to stdout and stderr, until its end. */
int stream_copy_frames(int fd, bool raw, struct ct_error *err);
/* Blocks the signals that stream_run and cancel_fd read, before anything is started. */
int stream_block_signals(struct ct_error *err);

/* for_each.c-like help in containers.c: one call a name, going on after a failure. */
typedef int (*cli_each_fn)(struct cli *cli, const char *ref, const struct cli_args *args,
                           struct ct_error *err);
int for_each_arg(struct cli *cli, const struct cli_args *args, cli_each_fn fn, bool print,
                 struct ct_error *err);
/* Asks "Are you sure you want to continue? [y/N]" on the terminal unless --force. */
bool confirm(const struct cli_args *args, const char *warning);
/* networks.c: --label a=b … as an object. Owned. */
json_t *labels_of(const struct cli_args *args);

/* Tables of commands, one a noun. */
extern const struct cli_command cli_container_create, cli_container_run, cli_container_start,
    cli_container_stop, cli_container_kill, cli_container_restart, cli_container_pause,
    cli_container_unpause, cli_container_rm, cli_container_ls, cli_container_ps, cli_container_logs,
    cli_container_wait, cli_container_inspect, cli_container_exec, cli_container_attach,
    cli_container_top, cli_container_stats, cli_container_rename, cli_container_update,
    cli_container_cp, cli_container_diff, cli_container_commit, cli_container_export,
    cli_container_port, cli_container_prune;
extern const struct cli_command cli_image_ls, cli_image_images, cli_image_load, cli_image_save,
    cli_image_import, cli_image_tag, cli_image_rm, cli_image_rmi, cli_image_history,
    cli_image_inspect, cli_image_prune, cli_image_pull, cli_image_push, cli_image_build;
extern const struct cli_command cli_network_ls, cli_network_create, cli_network_inspect,
    cli_network_connect, cli_network_disconnect, cli_network_rm, cli_network_prune;
extern const struct cli_command cli_volume_ls, cli_volume_create, cli_volume_inspect, cli_volume_rm,
    cli_volume_prune;
extern const struct cli_command cli_system_events, cli_system_info, cli_system_version,
    cli_system_df, cli_system_prune, cli_system_inspect, cli_system_completion, cli_system_man;

#endif

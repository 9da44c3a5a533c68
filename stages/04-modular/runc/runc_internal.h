/*
 * runc_internal.h - the table of commands, and what the files of this room share.
 *
 * Room:       runc; included by the files of this room and their unit test only.
 *
 * A command is a row: its name, what it takes, its options, and the function that runs it. Parsing,
 * --help and the manual page are derived from the rows.
 */
#ifndef RUNC_INTERNAL_H
#define RUNC_INTERNAL_H

#include "libcontainer.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define RUNC_NAME "cutaway-runc"

enum runc_type { RUNC_SWITCH, RUNC_TEXT, RUNC_LIST, RUNC_NUMBER };

struct runc_option {
    const char *name;
    char letter; /* "-x", or 0 */
    enum runc_type type;
    const char *value; /* how --help calls the value; NULL for switches */
    const char *help;  /* without a full stop */
};

struct runc_args;

/* What stands before the command: the same for all of them. */
struct runc {
    char *root; /* absolute; owned */
    enum lc_rootless rootless;
};

struct runc_command {
    const char *name;
    const char *usage;                 /* what follows the name and [OPTIONS] */
    const char *summary;               /* one sentence without a full stop */
    const struct runc_option *options; /* ends with name NULL; NULL: none */
    int min_args, max_args;            /* max -1: any number */
    bool stops_at_first;               /* options end at the first argument, which is a program's */
    int failure;                       /* exit code when it failed itself; 0: 1 */
    /* The exit code, or -1 with err. */
    int (*run)(const struct runc *runc, const struct runc_args *args, struct ct_error *err);
};

extern const struct runc_command *const runc_commands[]; /* NULL-terminated, by name */
extern const struct runc_command runc_globals;           /* what stands before the command */

extern const struct runc_command runc_create, runc_run, runc_start, runc_state, runc_kill,
    runc_delete, runc_exec, runc_ps, runc_list, runc_pause, runc_resume, runc_update, runc_events,
    runc_spec, runc_features, runc_checkpoint, runc_restore;

/* ---- args.c: options and arguments, by a command's row -------------------------------------- */

/* Borrows argv. NULL: CT_INVALID, in runc's words. */
struct runc_args *runc_args_parse(const struct runc_command *command, int argc, char **argv,
                                  struct ct_error *err);
void runc_args_free(struct runc_args *args);
bool runc_args_help(const struct runc_args *args);
int runc_args_count(const struct runc_args *args);
const char *runc_args_at(const struct runc_args *args, int i); /* NULL past the end */
char **runc_args_rest(const struct runc_args *args, int i);    /* borrowed, NULL-terminated */
bool runc_args_switch(const struct runc_args *args, const char *option);
/* The last one given; NULL: none. */
const char *runc_args_text(const struct runc_args *args, const char *option);
int64_t runc_args_number(const struct runc_args *args, const char *option, int64_t fallback);
/* One after the other: *cursor begins as 0. NULL: no more. */
const char *runc_args_next(const struct runc_args *args, const char *option, size_t *cursor);

/* ---- help.c --------------------------------------------------------------------------------- */

void runc_help(FILE *out, const struct runc_command *command_or_null);
void runc_version(FILE *out);
void runc_manual(FILE *out);

/* ---- report.c: what is said, and where ------------------------------------------------------ */

/* file NULL: standard error alone. format "text" or "json". CT_INVALID. */
int runc_report_to(const char *file, const char *format, bool debug, struct ct_error *err);
/* One line with the error; with --debug one more a frame. Into the log, and to standard error. */
void runc_report_error(const struct ct_error *err);

/* ---- what commands share -------------------------------------------------------------------- */

/* control.c: the container that the first argument names. */
struct lc_container *runc_open(const struct runc *runc, const struct runc_args *args,
                               struct ct_error *err);

/* output.c: documents on standard output. json is given away; NULL: err has been filled. */
int runc_print_json(json_t *json, struct ct_error *err); /* indented by two */
int runc_print_line(json_t *json, struct ct_error *err); /* one line */
/* "table" (the default) or "json". */
int runc_wants_json(const struct runc_args *args, bool *ret, struct ct_error *err);
/* The state, with keys in runc's order. Owned. */
json_t *runc_state_of(const struct lc_container *container);

/* streams.c: what create, run and exec have in common. */

struct runc_streams {
    bool detach;
    int preserve_fds;
    const char *console_socket, *pid_file;
};
/* From the options. process: its "terminal" must fit. */
int runc_streams_of(const struct runc_args *args, json_t *process, bool detach,
                    struct runc_streams *ret, struct ct_error *err);

/* notify.c: systemd's readiness, passed through. All do nothing without NOTIFY_SOCKET. */
struct runc_notify {
    const char *host; /* NOTIFY_SOCKET; NULL: nobody wants to know */
    char *folder;     /* of the container's socket; owned */
    bool made;        /* the folder is ours to remove when the creation fails */
    int fd;           /* that socket; -1: not listened on */
};
/* The container's configuration gets the socket. */
int runc_notify_prepare(const struct runc *runc, const char *id, json_t *config,
                        struct runc_notify *ret, struct ct_error *err);
/* From now on messages are kept. */
int runc_notify_listen(struct runc_notify *notify, struct ct_error *err);
/* `start` has only the name. */
int runc_notify_open(const struct runc *runc, const char *id, struct runc_notify *ret,
                     struct ct_error *err);
/* One message. True: the program is ready, which has been told together with the main process. */
bool runc_notify_take(struct runc_notify *notify, pid_t main_pid);
/* Until the container is ready, or has ended; then who started us is told. */
int runc_notify_wait(struct runc_notify *notify, const struct lc_container *container,
                     struct ct_error *err);
void runc_notify_undo(struct runc_notify *notify); /* the creation failed */
void runc_notify_done(struct runc_notify *notify);
void runc_notify_remove(const struct runc *runc, const char *id); /* the container was deleted */

#endif

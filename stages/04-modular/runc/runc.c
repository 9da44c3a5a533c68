/*
 * runc.c - cutaway-runc: makes a container, and leaves.
 *
 * Room:       runc.
 * Called by:  cutaway-containerd-shim, a real containerd's shim, dockerd, podman's conmon, people.
 *
 * Before it does anything it puts its own binary out of reach (protect.c of libcontainer). What it
 * has made does not depend on it: create, start and detached run and exec end as soon as the
 * container goes on by itself.
 */
#define CT_LAYER "runc"
#include "runc.h"

#include "runc_internal.h"

#include "cleanup.h"
#include "path.h"
#include "span.h"

#include <stdlib.h>
#include <string.h>

#define FAILED          1
#define UNKNOWN_COMMAND 3

static const struct runc_option global_options[] = {
    {"debug", 0, RUNC_SWITCH, NULL, "say more in the log"},
    {"log", 0, RUNC_TEXT, "FILE", "append what fails to FILE, too"},
    {"log-format", 0, RUNC_TEXT, "FORMAT", "of these lines: text (default) or json"},
    {"root", 0, RUNC_TEXT, "DIR",
     "where the state of containers stands (default /run/cutaway/runc; of users "
     "$XDG_RUNTIME_DIR/cutaway/runc)"},
    {"criu", 0, RUNC_TEXT, "PATH", "refused: there is no checkpoint and no restore"},
    {"systemd-cgroup", 0, RUNC_SWITCH, NULL, "refused: control groups are made without systemd"},
    {"rootless", 0, RUNC_TEXT, "WHEN",
     "go without control groups that may not be made: true, false, or auto (default: where the "
     "caller is not root)"},
    {"version", 'v', RUNC_SWITCH, NULL, "print the version"},
    {"man", 0, RUNC_SWITCH, NULL, "print the manual page"},
    {0},
};

const struct runc_command runc_globals = {
    .name = RUNC_NAME,
    .options = global_options,
    .max_args = -1,
    .stops_at_first = true,
};

const struct runc_command *const runc_commands[] = {
    &runc_checkpoint, &runc_create, &runc_delete, &runc_events, &runc_exec,    &runc_features,
    &runc_kill,       &runc_list,   &runc_pause,  &runc_ps,     &runc_restore, &runc_resume,
    &runc_run,        &runc_spec,   &runc_start,  &runc_state,  &runc_update,  NULL,
};

/* ---- what stands before the command --------------------------------------------------------- */

static char *default_root(void)
{
    const char *own = getenv("XDG_RUNTIME_DIR");

    return geteuid() != 0 && own && *own ? ct_join(own, "cutaway/runc")
                                         : ct_strdup("/run/cutaway/runc");
}

static int parse_rootless(const char *when, enum lc_rootless *ret, struct ct_error *err)
{
    static const char *const words[] = {
        [LC_ROOTLESS_AUTO] = "auto", [LC_ROOTLESS_YES] = "true", [LC_ROOTLESS_NO] = "false"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (!when || strcmp(when, words[i]) == 0) {
            *ret = (enum lc_rootless)i;
            return 0;
        }
    }
    return ct_refuse(err, CT_INVALID, "use --rootless '%.40s': it is true, false or auto", when);
}

static int set_up(const struct runc_args *globals, struct runc *ret, struct ct_error *err)
{
    const char *format = runc_args_text(globals, "log-format");
    const char *root = runc_args_text(globals, "root");

    if (runc_report_to(runc_args_text(globals, "log"), format ? format : "text",
                       runc_args_switch(globals, "debug"), err) < 0 ||
        parse_rootless(runc_args_text(globals, "rootless"), &ret->rootless, err) < 0) {
        return -1;
    }
    if (runc_args_text(globals, "criu")) {
        return ct_refuse(err, CT_UNSUPPORTED, "use --criu: there is no checkpoint and no restore");
    }
    if (runc_args_switch(globals, "systemd-cgroup")) {
        (void)ct_refuse(err, CT_UNSUPPORTED,
                        "use --systemd-cgroup: control groups are made without systemd");
        return ct_hint(err, "the cgroupfs driver of whoever calls");
    }
    ret->root = root && *root ? ct_path_absolute(root, err) : default_root();
    return ret->root ? 0 : -1;
}

/* ---- the command ---------------------------------------------------------------------------- */

static const struct runc_command *find_command(const char *name)
{
    for (const struct runc_command *const *command = runc_commands; *command; command++) {
        if (strcmp((*command)->name, name) == 0) {
            return *command;
        }
    }
    return NULL;
}

/* A wrong command line is answered with the right one, as runc does. */
static int usage_error(const struct runc_command *command)
{
    (void)puts("Incorrect Usage.\n");
    runc_help(stdout, command == &runc_globals ? NULL : command);
    return FAILED;
}

static int run_command(const struct runc *runc, const struct runc_command *command, int argc,
                       char **argv, struct ct_error *err)
{
    struct runc_args *args = runc_args_parse(command, argc, argv, err);
    int code = 0;

    if (!args) {
        return usage_error(command);
    }
    if (runc_args_help(args)) {
        runc_help(stdout, command);
    } else {
        CT_SPAN(err, CT_ROLE_RUNTIME, CT_STEP_COMMAND, RUNC_NAME " %s %s", command->name,
                argc > 0 ? argv[argc - 1] : "");
        code = command->run(runc, args, err);
    }
    runc_args_free(args);
    return code < 0 ? (command->failure ? command->failure : FAILED) : code;
}

/* "help" and "help COMMAND", too. */
static int dispatch(const struct runc *runc, int argc, char **argv, struct ct_error *err)
{
    bool wants_help = argc == 0 || strcmp(argv[0], "help") == 0 || strcmp(argv[0], "h") == 0;
    const char *name = !wants_help ? argv[0] : argc > 1 ? argv[1] : NULL;
    const struct runc_command *command = name ? find_command(name) : NULL;

    if (name && !command) {
        (void)ct_refuse(err, CT_INVALID, "No help topic for '%.40s'", name);
        return UNKNOWN_COMMAND;
    }
    if (wants_help) {
        runc_help(stdout, command);
        return 0;
    }
    return run_command(runc, command, argc - 1, argv + 1, err);
}

static int run(int argc, char **argv, struct ct_error *err)
{
    struct runc runc = {0};
    struct runc_args *globals = runc_args_parse(&runc_globals, argc, argv, err);
    int code = 0;

    if (!globals) {
        return usage_error(&runc_globals);
    }
    if (runc_args_help(globals)) {
        runc_help(stdout, NULL);
    } else if (runc_args_switch(globals, "version")) {
        runc_version(stdout);
    } else if (runc_args_switch(globals, "man")) {
        runc_manual(stdout);
    } else if (set_up(globals, &runc, err) < 0) {
        code = FAILED;
    } else {
        code = dispatch(&runc, runc_args_count(globals), runc_args_rest(globals, 0), err);
    }
    runc_args_free(globals);
    free(runc.root);
    return code;
}

int runc_main(int argc, char **argv)
{
    struct ct_error err = {0};
    int code = lc_protect_self(argv, &err) < 0 ? FAILED : run(argc - 1, argv + 1, &err);

    if (fflush(stdout) != 0 && !err.kind) {
        (void)ct_fail(&err, errno, "print");
    }
    if (err.kind) {
        runc_report_error(&err);
    }
    return err.kind && code == 0 ? FAILED : code;
}

/*
 * run.c - run, create, start, attach, exec: the commands that hold a program's streams.
 *
 * Room:       cli.   Called by: the table (commands.c).
 * Spec:       docker run(1), docker exec(1); the order of calls is that of Docker's client: attach
 *             and wait come before start, so that neither the first byte nor a quick end is missed.
 */
#define CT_LAYER "cli"
#include "create_values.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the streams' callbacks need. */
struct session {
    struct cli *cli;
    const char *id;
    const char *exec_id; /* NULL: the container's own program */
};

static void on_resize(void *context, unsigned height, unsigned width)
{
    const struct session *session = context;
    struct ct_error ignored = {0}; /* the program may have ended: nobody misses the size */
    if (session->exec_id) {
        (void)engine_exec_resize(session->cli->engine, session->exec_id, height, width, &ignored);
    } else {
        (void)engine_container_resize(session->cli->engine, session->id, height, width, &ignored);
    }
}

static void on_signal(void *context, int number)
{
    const struct session *session = context;
    struct ct_error ignored = {0};
    (void)engine_container_kill(session->cli->engine, session->id, ct_signal_name(number),
                                &ignored);
}

/* Waits for the end that wait was opened for. */
static int wait_for_end(struct cli *cli, struct engine_wait *wait, struct ct_error *err)
{
    for (;;) {
        int status = 0;
        int over = engine_wait_result(wait, &status, err);
        if (over < 0) {
            return -1;
        }
        if (over) {
            cli->exit_code = status;
            return 0;
        }
        struct ct_error cancelled = {0};
        if (ct_wait_readable(engine_wait_fd(wait), cli->cancel_fd, 1000, &cancelled) < 0) {
            return ct_refuse(err, CT_TIMEOUT, "interrupted");
        }
    }
}

/* The stream ended while the program goes on: somebody typed the detach keys. */
static bool was_detached(struct cli *cli, const struct session *session, bool tty,
                         struct engine_wait *wait)
{
    struct ct_error ignored = {0};
    CT_AUTO_JSON json_t *document = NULL;
    int status = 0;

    if (!tty) {
        return false;
    }
    (void)ct_wait_readable(engine_wait_fd(wait), -1, 1000, &ignored);
    if (engine_wait_result(wait, &status, &ignored) != 0) {
        return false;
    }
    return engine_container_inspect(cli->engine, session->id, false, &document, &ignored) == 0 &&
           ct_json_bool(document, "State.Running", false);
}

/* Streams until the end, then the exit code. fd is given away. */
static int stream_and_wait(struct cli *cli, const struct cli_args *args, const char *id, bool tty,
                           bool in, int fd, struct engine_wait *wait, struct ct_error *err)
{
    struct session session = {.cli = cli, .id = id};
    bool proxy = !tty && (!args_has(args, "sig-proxy") || args_bool(args, "sig-proxy"));
    struct stream_io io = {.fd = fd,
                           .tty = tty,
                           .in = in,
                           .out = true,
                           .err = true,
                           .proxy_signals = proxy,
                           .resize = on_resize,
                           .signal = on_signal,
                           .context = &session};

    if (stream_run(&io, err) < 0) {
        return -1;
    }
    if (was_detached(cli, &session, tty && in, wait)) {
        (void)fprintf(stderr, "read escape sequence\n");
        return 0;
    }
    return wait_for_end(cli, wait, err);
}

/* --cidfile: made before the container, so that an existing one stops us before anything is done.
 */
static int open_cidfile(const struct cli_args *args, struct ct_error *err)
{
    const char *path = args_text(args, "cidfile", NULL);
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644) : -1;

    if (path && fd < 0) {
        (void)ct_fail(err, errno, "write the container ID file '%.200s'", path);
        return errno == EEXIST ? ct_hint(err, "remove the file, or use another") : -1;
    }
    return fd;
}

static int create(struct cli *cli, const struct cli_args *args, char **ret_id, struct ct_error *err)
{
    CT_AUTO_JSON json_t *body = create_body(args, err);
    CT_AUTO_JSON json_t *warnings = NULL;
    CT_AUTO_CLOSE int cidfile = body ? open_cidfile(args, err) : -1;
    size_t i;
    json_t *warning;

    if (!body || err->kind != CT_NONE) {
        return -1;
    }
    if (engine_container_create(cli->engine, args_text(args, "name", NULL), body, ret_id, &warnings,
                                err) < 0) {
        if (cidfile >= 0) {
            (void)unlink(args_text(args, "cidfile", ""));
        }
        return -1;
    }
    json_array_foreach(warnings, i, warning)
    {
        (void)fprintf(stderr, "WARNING: %s\n", json_string_value(warning));
    }
    if (cidfile >= 0 && ct_write_all(cidfile, *ret_id, strlen(*ret_id)) < 0) {
        return ct_fail(err, errno, "write the container ID file");
    }
    return 0;
}

static int run_create(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    CT_AUTO_FREE char *id = NULL;
    if (create(cli, args, &id, err) < 0) {
        return -1;
    }
    (void)printf("%s\n", id);
    return 0;
}

/* A start that failed with --rm leaves no container, either. */
static void remove_unstarted(struct cli *cli, const struct cli_args *args, const char *id)
{
    struct ct_error ignored = {0};
    if (args_bool(args, "rm")) {
        (void)engine_container_remove(cli->engine, id, true, true, &ignored);
    }
}

static int run_detached(struct cli *cli, const struct cli_args *args, const char *id,
                        struct ct_error *err)
{
    if (engine_container_start(cli->engine, id, err) < 0) {
        remove_unstarted(cli, args, id);
        return -1;
    }
    (void)printf("%s\n", id);
    return 0;
}

static int run_attached(struct cli *cli, const struct cli_args *args, const char *id,
                        struct ct_error *err)
{
    bool tty = args_bool(args, "tty");
    bool in = attach_wants(args, "stdin") && args_bool(args, "interactive");
    struct engine_attach how = {.stream = true,
                                .in = in,
                                .out = attach_wants(args, "stdout"),
                                .err = attach_wants(args, "stderr"),
                                .detach_keys = args_text(args, "detach-keys", NULL)};
    CT_AUTO_CLOSE int fd = -1;
    int result = -1;

    if (tty && in && !isatty(STDIN_FILENO)) {
        remove_unstarted(cli, args, id);
        return ct_refuse(err, CT_INVALID, "the input device is not a TTY");
    }
    if (engine_container_attach(cli->engine, id, &how, &fd, err) < 0) {
        remove_unstarted(cli, args, id);
        return -1;
    }
    struct engine_wait *wait =
        engine_wait_open(cli->engine, id, args_bool(args, "rm") ? "removed" : "next-exit", err);
    if (wait && engine_container_start(cli->engine, id, err) == 0) {
        result = stream_and_wait(cli, args, id, tty, in, ct_steal_fd(&fd), wait, err);
    } else {
        remove_unstarted(cli, args, id);
    }
    engine_wait_close(wait);
    return result;
}

static int run_run(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    CT_AUTO_FREE char *id = NULL;

    if (args_bool(args, "detach") && args_has(args, "attach")) {
        return ct_refuse(err, CT_INVALID, "conflicting options: -a and -d");
    }
    if (create(cli, args, &id, err) < 0) {
        return -1;
    }
    return args_bool(args, "detach") ? run_detached(cli, args, id, err)
                                     : run_attached(cli, args, id, err);
}

/* start -a: the container's own Tty decides, not a flag. */
static int start_attached(struct cli *cli, const struct cli_args *args, const char *ref,
                          struct ct_error *err)
{
    CT_AUTO_JSON json_t *document = NULL;
    if (engine_container_inspect(cli->engine, ref, false, &document, err) < 0) {
        return -1;
    }
    bool in = args_bool(args, "interactive") && ct_json_bool(document, "Config.OpenStdin", false);
    bool tty = ct_json_bool(document, "Config.Tty", false);
    struct engine_attach how = {.stream = true,
                                .in = in,
                                .out = true,
                                .err = true,
                                .detach_keys = args_text(args, "detach-keys", NULL)};
    const char *id = ct_json_string(document, "Id", ref);
    bool removed = ct_json_bool(document, "HostConfig.AutoRemove", false);
    CT_AUTO_CLOSE int fd = -1;
    int result = -1;

    if (engine_container_attach(cli->engine, id, &how, &fd, err) < 0) {
        return -1;
    }
    struct engine_wait *wait =
        engine_wait_open(cli->engine, id, removed ? "removed" : "next-exit", err);
    if (wait && (engine_container_start(cli->engine, id, err) == 0 || err->kind == CT_UNCHANGED)) {
        ct_error_clear(err);
        result = stream_and_wait(cli, args, id, tty, in, ct_steal_fd(&fd), wait, err);
    }
    engine_wait_close(wait);
    return result;
}

static int start_one(struct cli *cli, const char *ref, const struct cli_args *args,
                     struct ct_error *err)
{
    (void)args;
    return engine_container_start(cli->engine, ref, err);
}

static int run_start(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    if (!args_bool(args, "attach") && !args_bool(args, "interactive")) {
        return for_each_arg(cli, args, start_one, true, err);
    }
    if (args_count(args) > 1) {
        return ct_refuse(err, CT_INVALID,
                         "you cannot start and attach multiple containers at once");
    }
    int result = start_attached(cli, args, args_at(args, 0), err);
    if (result < 0 && (err->kind == CT_NO_PROGRAM || err->kind == CT_CANNOT_RUN)) {
        cli->exit_code = ct_kind_exit_code(err->kind);
    }
    return result;
}

static int run_attach(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    CT_AUTO_JSON json_t *document = NULL;
    const char *ref = args_at(args, 0);

    if (engine_container_inspect(cli->engine, ref, false, &document, err) < 0) {
        return -1;
    }
    if (!ct_json_bool(document, "State.Running", false)) {
        (void)ct_refuse(err, CT_CONFLICT,
                        "you cannot attach to a stopped container, start it first");
        return ct_hint(err, "cutaway start -a %.64s", ref);
    }
    bool in = !args_bool(args, "no-stdin") && ct_json_bool(document, "Config.OpenStdin", false);
    bool tty = ct_json_bool(document, "Config.Tty", false);
    const char *id = ct_json_string(document, "Id", ref);
    struct engine_attach how = {.stream = true,
                                .in = in,
                                .out = true,
                                .err = true,
                                .detach_keys = args_text(args, "detach-keys", NULL)};
    CT_AUTO_CLOSE int fd = -1;
    struct engine_wait *wait = engine_wait_open(cli->engine, id, "not-running", err);
    int result = -1;

    if (wait && engine_container_attach(cli->engine, id, &how, &fd, err) == 0) {
        result = stream_and_wait(cli, args, id, tty, in, ct_steal_fd(&fd), wait, err);
    }
    engine_wait_close(wait);
    return result;
}

static json_t *exec_body(const struct cli_args *args, struct ct_error *err)
{
    CT_AUTO_JSON json_t *body = json_object();
    CT_AUTO_JSON json_t *env = json_array();
    bool detached = args_bool(args, "detach");

    for (const char *const *file = args_list(args, "env-file"); *file; file++) {
        if (env_from_file(*file, env, err) < 0) {
            return NULL;
        }
    }
    for (const char *const *text = args_list(args, "env"); *text; text++) {
        CT_AUTO_FREE char *assignment = env_assignment(*text);
        if (assignment) {
            ct_json_append(env, ct_json_string_lossy(assignment, strlen(assignment)));
        }
    }
    ct_json_set(body, "Env", ct_steal(env));
    ct_json_set_string(body, "User", args_text(args, "user", ""));
    ct_json_set_string(body, "WorkingDir", args_text(args, "workdir", ""));
    ct_json_set(body, "Privileged", json_boolean(args_bool(args, "privileged")));
    ct_json_set(body, "Tty", json_boolean(args_bool(args, "tty")));
    ct_json_set(body, "AttachStdin", json_boolean(!detached && args_bool(args, "interactive")));
    ct_json_set(body, "AttachStdout", json_boolean(!detached));
    ct_json_set(body, "AttachStderr", json_boolean(!detached));
    ct_json_set(body, "Detach", json_boolean(detached));
    ct_json_set_string(body, "DetachKeys", args_text(args, "detach-keys", ""));
    ct_json_set(body, "Cmd", ct_json_from_strv(args_rest(args, 1), SIZE_MAX));
    return ct_steal(body);
}

static int exec_result(struct cli *cli, const char *exec_id, struct ct_error *err)
{
    CT_AUTO_JSON json_t *document = NULL;
    if (engine_exec_inspect(cli->engine, exec_id, &document, err) < 0) {
        return err->kind == CT_NOT_FOUND
                   ? ct_refuse(err, CT_CONFLICT, "the container ended meanwhile")
                   : -1;
    }
    cli->exit_code = (int)ct_json_integer(document, "ExitCode", 0);
    return 0;
}

static int run_exec(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    CT_AUTO_JSON json_t *body = exec_body(args, err);
    CT_AUTO_FREE char *id = NULL;
    bool tty = args_bool(args, "tty");
    bool in = args_bool(args, "interactive");
    int fd = -1;

    if (!body || engine_exec_create(cli->engine, args_at(args, 0), body, &id, err) < 0) {
        cli->exit_code = body ? 1 : 0;
        return -1;
    }
    if (engine_exec_start(cli->engine, id, args_bool(args, "detach") ? NULL : &fd, err) < 0) {
        return ct_while(err, "exec in '%.64s'", args_at(args, 0));
    }
    if (fd < 0) {
        return 0;
    }
    struct session session = {.cli = cli, .id = args_at(args, 0), .exec_id = id};
    struct stream_io io = {.fd = fd,
                           .tty = tty,
                           .in = in,
                           .out = true,
                           .err = true,
                           .resize = on_resize,
                           .context = &session};
    return stream_run(&io, err) < 0 ? -1 : exec_result(cli, id, err);
}

static const struct cli_flag run_flags[] = {
    {"detach", 'd', CLI_BOOL, NULL, "Run container in background and print container ID", NULL},
    {"detach-keys", 0, CLI_TEXT, NULL, "Override the key sequence for detaching a container", NULL},
    {"sig-proxy", 0, CLI_BOOL, NULL, "Proxy received signals to the process (default true)", NULL},
    {NULL, 0, CLI_BOOL, NULL, NULL, NULL},
};
static const struct cli_flag *const run_tables[] = {run_flags, create_flags, NULL};
static const struct cli_flag *const create_tables[] = {create_flags, NULL};

static const struct cli_flag start_flags[] = {
    {"attach", 'a', CLI_BOOL, NULL, "Attach STDOUT/STDERR and forward signals", NULL},
    {"checkpoint", 0, CLI_TEXT, NULL, NULL, "no stage: checkpoints stay out"},
    {"checkpoint-dir", 0, CLI_TEXT, NULL, NULL, "no stage: checkpoints stay out"},
    {"detach-keys", 0, CLI_TEXT, NULL, "Override the key sequence for detaching a container", NULL},
    {"interactive", 'i', CLI_BOOL, NULL, "Attach container's STDIN", NULL},
    {"sig-proxy", 0, CLI_BOOL, NULL, "Proxy received signals to the process (default true)", NULL},
    {NULL, 0, CLI_BOOL, NULL, NULL, NULL},
};
static const struct cli_flag *const start_tables[] = {start_flags, NULL};

static const struct cli_flag attach_flags[] = {
    {"detach-keys", 0, CLI_TEXT, NULL, "Override the key sequence for detaching a container", NULL},
    {"no-stdin", 0, CLI_BOOL, NULL, "Do not attach STDIN", NULL},
    {"sig-proxy", 0, CLI_BOOL, NULL, "Proxy all received signals to the process (default true)",
     NULL},
    {NULL, 0, CLI_BOOL, NULL, NULL, NULL},
};
static const struct cli_flag *const attach_tables[] = {attach_flags, NULL};

static const struct cli_flag exec_flags[] = {
    {"detach", 'd', CLI_BOOL, NULL, "Detached mode: run command in the background", NULL},
    {"detach-keys", 0, CLI_TEXT, NULL, "Override the key sequence for detaching a container", NULL},
    {"env", 'e', CLI_LIST, NULL, "Set environment variables", NULL},
    {"env-file", 0, CLI_LIST, NULL, "Read in a file of environment variables", NULL},
    {"interactive", 'i', CLI_BOOL, NULL, "Keep STDIN open even if not attached", NULL},
    {"privileged", 0, CLI_BOOL, NULL, "Give extended privileges to the command", NULL},
    {"tty", 't', CLI_BOOL, NULL, "Allocate a pseudo-TTY", NULL},
    {"user", 'u', CLI_TEXT, NULL, "Username or UID (format: \"<name|uid>[:<group|gid>]\")", NULL},
    {"workdir", 'w', CLI_TEXT, NULL, "Working directory inside the container", NULL},
    {NULL, 0, CLI_BOOL, NULL, NULL, NULL},
};
static const struct cli_flag *const exec_tables[] = {exec_flags, NULL};

const struct cli_command cli_container_run = {"run",
                                              "IMAGE [COMMAND] [ARG...]",
                                              "Create and run a new container from an image",
                                              1,
                                              -1,
                                              run_tables,
                                              true,
                                              false,
                                              125,
                                              run_run};
const struct cli_command cli_container_create = {"create",
                                                 "IMAGE [COMMAND] [ARG...]",
                                                 "Create a new container",
                                                 1,
                                                 -1,
                                                 create_tables,
                                                 true,
                                                 false,
                                                 125,
                                                 run_create};
const struct cli_command cli_container_start = {"start",
                                                "CONTAINER [CONTAINER...]",
                                                "Start one or more stopped containers",
                                                1,
                                                -1,
                                                start_tables,
                                                false,
                                                false,
                                                1,
                                                run_start};
const struct cli_command cli_container_attach = {
    "attach",
    "CONTAINER",
    "Attach local standard input, output, and error streams to a running container",
    1,
    1,
    attach_tables,
    false,
    false,
    1,
    run_attach};
const struct cli_command cli_container_exec = {"exec",
                                               "CONTAINER COMMAND [ARG...]",
                                               "Execute a command in a running container",
                                               2,
                                               -1,
                                               exec_tables,
                                               true,
                                               false,
                                               125,
                                               run_exec};

/*
 * exec.c - one more program in a running container.
 *
 * Room:       runc.   Called by: runc.c, through the table of commands.
 *
 * The process is the one of --process, or the bundle's own with other words; what options say
 * stands above both.
 */
#define CT_LAYER "runc"
#include "runc_internal.h"

#include "foreground.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the process, as a document ------------------------------------------------------------- */

static json_t *object_in(json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);

    if (!value) {
        value = json_object();
        ct_json_set(object, key, value);
    }
    return value;
}

static json_t *array_in(json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);

    if (!value) {
        value = json_array();
        ct_json_set(object, key, value);
    }
    return value;
}

/* The bundle's; its state knows where that is. */
static json_t *bundle_process(const struct lc_container *container, struct ct_error *err)
{
    CT_AUTO_JSON json_t *state = lc_state(container);
    CT_AUTO_FREE char *path = ct_join(ct_json_string(state, "bundle", "/"), "config.json");
    CT_AUTO_JSON json_t *config = lc_read(path, err);
    json_t *process = json_object_get(config, "process");

    if (!config) {
        return ct_while_null(err, "read the container's bundle");
    }
    return process ? json_incref(process) : json_object();
}

static int parse_id(const char *text, const char *what, json_t **ret, struct ct_error *err)
{
    char *end = NULL;
    long long id = strtoll(text, &end, 10);

    if (end == text || (*end && *end != ':') || id < 0 || id > UINT32_MAX) {
        return ct_refuse(err, CT_INVALID, "use '%.40s' as %s: it must be a number", text, what);
    }
    *ret = json_integer(id);
    return 0;
}

static int set_user(json_t *process, const struct runc_args *args, struct ct_error *err)
{
    const char *user = runc_args_text(args, "user"), *gid, *group = user ? strchr(user, ':') : NULL;
    json_t *id = NULL;
    size_t cursor = 0;

    if (user) {
        if (parse_id(user, "a user", &id, err) < 0) {
            return -1;
        }
        ct_json_set(object_in(process, "user"), "uid", id);
    }
    if (group) {
        if (parse_id(group + 1, "a group", &id, err) < 0) {
            return -1;
        }
        ct_json_set(object_in(process, "user"), "gid", id);
    }
    while ((gid = runc_args_next(args, "additional-gids", &cursor))) {
        if (parse_id(gid, "a group", &id, err) < 0) {
            return -1;
        }
        ct_json_append(array_in(object_in(process, "user"), "additionalGids"), id);
    }
    return 0;
}

static void set_capabilities(json_t *process, const struct runc_args *args)
{
    static const char *const sets[] = {"bounding", "effective", "permitted", "ambient"};
    size_t cursor = 0;

    for (const char *name; (name = runc_args_next(args, "cap", &cursor));) {
        for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
            ct_json_append(array_in(object_in(process, "capabilities"), sets[i]),
                           ct_json_string_lossy(name, strlen(name)));
        }
    }
}

static void set_texts(json_t *process, const struct runc_args *args)
{
    static const struct {
        const char *option, *key;
    } texts[] = {
        {"cwd", "cwd"}, {"apparmor", "apparmorProfile"}, {"process-label", "selinuxLabel"}};
    size_t cursor = 0;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *text = runc_args_text(args, texts[i].option);
        if (text) {
            ct_json_set(process, texts[i].key, ct_json_string_lossy(text, strlen(text)));
        }
    }
    for (const char *variable; (variable = runc_args_next(args, "env", &cursor));) {
        ct_json_append(array_in(process, "env"), ct_json_string_lossy(variable, strlen(variable)));
    }
    if (runc_args_text(args, "no-new-privs")) {
        ct_json_set(process, "noNewPrivileges",
                    json_boolean(runc_args_switch(args, "no-new-privs")));
    }
}

/* The words behind the id are the program. */
static int set_program(json_t *process, const struct runc_args *args, struct ct_error *err)
{
    json_t *words = json_array();

    if (runc_args_count(args) < 2) {
        json_decref(words);
        return ct_refuse(err, CT_INVALID, "process args cannot be empty");
    }
    for (char **word = runc_args_rest(args, 1); *word; word++) {
        ct_json_append(words, ct_json_string_lossy(*word, strlen(*word)));
    }
    ct_json_set(process, "args", words);
    return 0;
}

static json_t *process_of(const struct lc_container *container, const struct runc_args *args,
                          struct ct_error *err)
{
    const char *file = runc_args_text(args, "process");
    CT_AUTO_JSON json_t *process = file ? lc_read(file, err) : bundle_process(container, err);

    if (!process) {
        return NULL;
    }
    if (!json_is_object(process)) {
        return ct_refuse_null(err, CT_INVALID, "process: it must be an object");
    }
    if (!file) {
        ct_json_set(process, "terminal", json_false());
        if (set_program(process, args, err) < 0) {
            return NULL;
        }
    }
    if (runc_args_text(args, "tty")) {
        ct_json_set(process, "terminal", json_boolean(runc_args_switch(args, "tty")));
    }
    set_texts(process, args);
    set_capabilities(process, args);
    return set_user(process, args, err) < 0 ? NULL : ct_steal(process);
}

/* ---- running it ----------------------------------------------------------------------------- */

/* Below the container's own group. */
static int cgroup_of(const struct runc_args *args, const char **ret, struct ct_error *err)
{
    size_t cursor = 0;
    const char *first = runc_args_next(args, "cgroup", &cursor);

    *ret = first;
    if (first && runc_args_next(args, "cgroup", &cursor)) {
        return ct_refuse(err, CT_UNSUPPORTED, "use --cgroup more than once");
    }
    if (first && strchr(first, ':')) {
        return ct_refuse(err, CT_UNSUPPORTED,
                         "use --cgroup '%.60s': a group is of all controllers here", first);
    }
    while (*ret && **ret == '/') {
        (*ret)++;
    }
    if (*ret && !**ret) {
        *ret = NULL; /* "/" is the container's own group */
    }
    return 0;
}

/* It runs, and nobody will ever know its id. */
static void end_program(const struct lc_process *program)
{
    (void)kill(program->pid, SIGKILL); /* ours, and not reaped: still the same */
    (void)waitpid(program->pid, NULL, __WALL);
}

static int exec_process(struct lc_container *container, const struct runc_args *args,
                        const json_t *process, const struct runc_streams *streams,
                        struct ct_error *err)
{
    bool terminal = ct_json_bool(process, "terminal", false);
    struct lc_foreground foreground = LC_FOREGROUND_NONE;
    struct lc_exec request = {.process = process,
                              .stdio = {0, 1, 2},
                              .preserve_fds = streams->preserve_fds,
                              .console_socket = streams->console_socket,
                              .ignore_paused = runc_args_switch(args, "ignore-paused"),
                              .timeout_ms = -1};
    struct lc_process program = {.pidfd = -1};
    int code = cgroup_of(args, &request.cgroup, err);

    if (code == 0 && !streams->detach) {
        code = lc_foreground_begin(&foreground, terminal, err);
        request.console_socket = terminal ? foreground.console_socket : NULL;
    }
    if (code == 0) {
        code = lc_exec(container, &request, &program, err);
    }
    if (code == 0 && lc_write_pid_file(streams->pid_file, program.pid, err) < 0) {
        end_program(&program);
        code = -1;
    }
    if (code == 0 && !streams->detach) {
        code = lc_foreground_wait(&foreground, program.pidfd, err);
    }
    lc_foreground_end(&foreground);
    ct_cleanup_close(&program.pidfd);
    return code;
}

static int run_exec(const struct runc *runc, const struct runc_args *args, struct ct_error *err)
{
    struct lc_container *container = runc_open(runc, args, err);
    CT_AUTO_JSON json_t *process = container ? process_of(container, args, err) : NULL;
    struct runc_streams streams;
    int code = -1;

    if (process &&
        runc_streams_of(args, process, runc_args_switch(args, "detach"), &streams, err) == 0) {
        code = exec_process(container, args, process, &streams, err);
    }
    lc_close(container);
    return code;
}

static const struct runc_option exec_options[] = {
    {"console-socket", 0, RUNC_TEXT, "PATH", "where the master of the terminal is sent to"},
    {"cwd", 0, RUNC_TEXT, "DIR", "the working directory, in the container"},
    {"env", 'e', RUNC_LIST, "NAME=VALUE", "one more environment variable"},
    {"tty", 't', RUNC_SWITCH, NULL, "make a terminal for it"},
    {"user", 'u', RUNC_TEXT, "UID[:GID]", "as whom it runs"},
    {"additional-gids", 'g', RUNC_LIST, "GID", "one more group"},
    {"process", 'p', RUNC_TEXT, "FILE", "the process as JSON, instead of arguments"},
    {"detach", 'd', RUNC_SWITCH, NULL, "leave as soon as it runs"},
    {"pid-file", 0, RUNC_TEXT, "FILE", "where its process id is written to"},
    {"process-label", 0, RUNC_TEXT, "LABEL", "its SELinux label"},
    {"apparmor", 0, RUNC_TEXT, "PROFILE", "its AppArmor profile"},
    {"no-new-privs", 0, RUNC_SWITCH, NULL, "it gains no rights by what it executes"},
    {"cap", 'c', RUNC_LIST, "NAME", "one more capability"},
    {"preserve-fds", 0, RUNC_NUMBER, "N", "pass N more descriptors, behind the standard streams"},
    {"cgroup", 0, RUNC_LIST, "PATH", "a control group below the container's own"},
    {"ignore-paused", 0, RUNC_SWITCH, NULL,
     "also in a paused container: it runs when that goes on"},
    {0}};

const struct runc_command runc_exec = {
    .name = "exec",
    .usage = "CONTAINER-ID PROGRAM [ARGUMENT...], or --process FILE CONTAINER-ID",
    .summary = "run one more program in a running container",
    .options = exec_options,
    .min_args = 1,
    .max_args = -1,
    .stops_at_first = true,
    .failure = 255,
    .run = run_exec,
};

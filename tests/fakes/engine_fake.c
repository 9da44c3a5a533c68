/*
 * engine_fake.c - an engine in memory: containers whose programs are acted, not run.
 *
 * Room:       tests/fakes; stands behind engine.h for tests of its users, without root.
 * Called by:  contract/engine.c, which holds it to the same contract as the real one; unit tests.
 *
 * It knows four programs: `echo WORDS` prints and ends, `sh -c "exit N"` ends with N, `sleep N`
 * goes on until it is signalled, and so does `cat`, which gives back what it is sent. Everything
 * that it does not act is refused by name.
 */
#define CT_LAYER "engine"
#include "engine_fake.h"
#include "engine_containers.h"
#include "engine_internal.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "process.h"
#include "units.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

int fake_cannot(struct ct_error *err, const char *what)
{
    return ct_refuse(err, CT_UNSUPPORTED, "%s: the fake engine cannot", what);
}

/* ---- handle --------------------------------------------------------------------------------- */

struct engine *engine_open(const struct engine_options *options, struct ct_error *err)
{
    if (options && options->host) {
        return ct_refuse_null(err, CT_UNSUPPORTED, "talk to a daemon at '%s': the fake has none",
                              options->host);
    }
    struct fake_engine *made = calloc(1, sizeof(*made));
    if (!made) {
        return ct_fail_null(err, ENOMEM, "open the engine");
    }
    made->containers = json_array();
    made->volumes = json_array();
    made->networks = fake_networks();
    return (struct engine *)(void *)made;
}

void engine_close(struct engine *engine)
{
    if (!engine) {
        return;
    }
    json_decref(fake(engine)->containers);
    json_decref(fake(engine)->volumes);
    json_decref(fake(engine)->networks);
    free(engine);
}

const char *engine_stage(void)
{
    return "fake";
}

/* ---- records -------------------------------------------------------------------------------- */

const char *fake_name(const json_t *record)
{
    return ct_json_string(record, "Name", "/") + 1;
}

const char *fake_status(const json_t *record)
{
    return ct_json_string(record, "State.Status", "");
}

static bool is_running(const json_t *record)
{
    return ct_json_bool(record, "State.Running", false);
}

/* A name or an id is exact and comes first; then a prefix, when only one container has it. */
json_t *fake_find(struct engine *engine, const char *ref, struct ct_error *err)
{
    json_t *found = NULL, *record;
    size_t i, matches = 0;

    json_array_foreach(fake(engine)->containers, i, record)
    {
        const char *id = ct_json_string(record, "Id", "");
        if (strcmp(fake_name(record), ref) == 0 || strcmp(id, ref) == 0) {
            return record;
        }
        if (*ref && strncmp(id, ref, strlen(ref)) == 0) {
            found = record;
            matches++;
        }
    }
    if (matches > 1) {
        return ct_refuse_null(err, CT_INVALID, "multiple containers begin with '%s'", ref);
    }
    return found ? found : ct_refuse_null(err, CT_NOT_FOUND, "no such container: %.64s", ref);
}

static int require_running(const json_t *record, struct ct_error *err)
{
    return is_running(record)
               ? 0
               : ct_refuse(err, CT_CONFLICT, "container %s is not running", fake_name(record));
}

static int check_name_free(struct engine *engine, const char *name, struct ct_error *err)
{
    json_t *record;
    size_t i;

    json_array_foreach(fake(engine)->containers, i, record)
    {
        if (strcmp(fake_name(record), name) == 0) {
            return ct_refuse(err, CT_EXISTS,
                             "name \"/%.100s\" is already in use by container %.12s", name,
                             ct_json_string(record, "Id", ""));
        }
    }
    return 0;
}

static void set_status(struct engine *engine, json_t *record, const char *status)
{
    json_t *state = json_object_get(record, "State");
    bool paused = strcmp(status, "paused") == 0;

    ct_json_set_string(state, "Status", status);
    ct_json_set(state, "Paused", json_boolean(paused));
    ct_json_set(state, "Running", json_boolean(paused || strcmp(status, "running") == 0));
    fake_notify(engine);
}

static void now(json_t *object, const char *key)
{
    char text[CT_TIME_TEXT];
    ct_json_set_string(object, key, ct_time_format(ct_now_ns(), text));
}

static void end_with(struct engine *engine, json_t *record, int code)
{
    json_t *state = json_object_get(record, "State");

    ct_json_set(state, "ExitCode", json_integer(code));
    ct_json_set(record, "Exits", json_integer(ct_json_integer(record, "Exits", 0) + 1));
    now(state, "FinishedAt");
    set_status(engine, record, "exited");
}

/* ---- create and start ----------------------------------------------------------------------- */

int engine_container_create(struct engine *engine, const char *name, const json_t *body,
                            char **ret_id, json_t **ret_warnings, struct ct_error *err)
{
    CT_AUTO_JSON json_t *image_config = json_pack("{s:[s]}", "Cmd", "sh");
    CT_AUTO_JSON json_t *record = request_to_config(body, image_config, err);
    char id[65];

    ct_random_hex(id, 32);
    CT_AUTO_FREE char *chosen = name ? ct_strdup(name) : ct_printf("fake_%.8s", id);
    if (!record || request_check(record, err) < 0 ||
        fake_check_image(ct_json_string(record, "Config.Image", ""), err) < 0 ||
        check_name_free(engine, chosen, err) < 0) {
        return ct_while(err, "create container '%.64s'", chosen);
    }
    ct_json_set_string(record, "Id", id);
    ct_json_set(record, "Name", json_sprintf("/%s", chosen));
    ct_json_set_string(record, "Image", FAKE_IMAGE_ID);
    ct_json_set_string(record, "Log", "");
    now(record, "Created");
    ct_json_set(record, "State",
                json_pack("{s:s,s:i,s:s,s:s,s:s}", "Status", "created", "ExitCode", 0, "Error", "",
                          "StartedAt", CT_TIME_ZERO, "FinishedAt", CT_TIME_ZERO));
    set_status(engine, record, "created");
    if (json_array_insert(fake(engine)->containers, 0, record) < 0) {
        return ct_fail(err, ENOMEM, "create container '%.64s'", chosen);
    }
    *ret_id = ct_strdup(id);
    *ret_warnings = json_array();
    return 0;
}

/* Acts the program: the whole of its life when it is short, the beginning when it is long. */
static int act(struct engine *engine, json_t *record, struct ct_error *err)
{
    const json_t *command = ct_json_get(record, "Config.Cmd");
    const char *program = json_string_value(json_array_get(command, 0));
    const char *script = json_string_value(json_array_get(command, 2));

    if (strcmp(program, "sleep") == 0 || strcmp(program, "cat") == 0) {
        set_status(engine, record, "running");
        return 0;
    }
    if (strcmp(program, "sh") == 0 && script && strncmp(script, "exit ", 5) == 0) {
        end_with(engine, record, atoi(script + 5) & 0xff);
        return 0;
    }
    if (strcmp(program, "echo") != 0) {
        return ct_refuse(err, CT_NO_PROGRAM, "run '%.64s': the fake has no such program", program);
    }
    CT_AUTO_FREE char *text = ct_strdup(ct_json_string(record, "Log", ""));
    for (size_t i = 1; i < json_array_size(command); i++) {
        char *longer = ct_printf("%s%s%s", text, i > 1 ? " " : "",
                                 json_string_value(json_array_get(command, i)));
        free(text);
        text = longer;
    }
    ct_json_set(record, "Log", json_sprintf("%s\n", text));
    end_with(engine, record, 0);
    return 0;
}

int engine_container_start(struct engine *engine, const char *ref, struct ct_error *err)
{
    json_t *record = fake_find(engine, ref, err);

    if (!record) {
        return ct_while(err, "start '%.64s'", ref);
    }
    if (strcmp(fake_status(record), "paused") == 0) {
        return ct_refuse(err, CT_CONFLICT, "cannot start a paused container, try unpause instead");
    }
    if (is_running(record)) {
        return ct_refuse(err, CT_UNCHANGED, "container %s is already running", fake_name(record));
    }
    now(json_object_get(record, "State"), "StartedAt");
    return act(engine, record, err) < 0 ? ct_while(err, "start '%s'", fake_name(record)) : 0;
}

/* ---- signals -------------------------------------------------------------------------------- */

/* Every signal ends `sleep`; a paused one hears only SIGKILL, as in the kernel. */
static int deliver(struct engine *engine, json_t *record, const char *signal, int fallback,
                   struct ct_error *err)
{
    int number = signal ? ct_signal_number(signal, err) : fallback;

    if (number < 0) {
        return -1;
    }
    if (number == SIGKILL || strcmp(fake_status(record), "paused") != 0) {
        end_with(engine, record, 128 + number);
    }
    return 0;
}

int engine_container_kill(struct engine *engine, const char *ref, const char *signal,
                          struct ct_error *err)
{
    json_t *record = fake_find(engine, ref, err);

    if (!record || require_running(record, err) < 0 ||
        deliver(engine, record, signal, SIGKILL, err) < 0) {
        return ct_while(err, "kill '%.64s'", ref);
    }
    return 0;
}

int engine_container_stop(struct engine *engine, const char *ref, const char *signal, int timeout_s,
                          struct ct_error *err)
{
    json_t *record = fake_find(engine, ref, err);

    (void)timeout_s; /* what does not end at once is killed: nobody waits in memory */
    if (!record) {
        return ct_while(err, "stop '%.64s'", ref);
    }
    if (!is_running(record)) {
        return ct_refuse(err, CT_UNCHANGED, "container %s is already stopped", fake_name(record));
    }
    if (deliver(engine, record, signal, SIGTERM, err) < 0) {
        return ct_while(err, "stop '%.64s'", ref);
    }
    return is_running(record) ? deliver(engine, record, NULL, SIGKILL, err) : 0;
}

int engine_container_restart(struct engine *engine, const char *ref, const char *signal,
                             int timeout_s, struct ct_error *err)
{
    if (engine_container_stop(engine, ref, signal, timeout_s, err) < 0) {
        if (err->kind != CT_UNCHANGED) {
            return -1;
        }
        ct_error_clear(err);
    }
    return engine_container_start(engine, ref, err);
}

static int set_paused(struct engine *engine, const char *ref, bool pause, struct ct_error *err)
{
    json_t *record = fake_find(engine, ref, err);

    if (!record || require_running(record, err) < 0) {
        return -1;
    }
    if ((strcmp(fake_status(record), "paused") == 0) == pause) {
        return ct_refuse(err, CT_CONFLICT, "container %s is %s paused", fake_name(record),
                         pause ? "already" : "not");
    }
    set_status(engine, record, pause ? "paused" : "running");
    return 0;
}

int engine_container_pause(struct engine *engine, const char *ref, struct ct_error *err)
{
    return set_paused(engine, ref, true, err) < 0 ? ct_while(err, "pause '%.64s'", ref) : 0;
}

int engine_container_unpause(struct engine *engine, const char *ref, struct ct_error *err)
{
    return set_paused(engine, ref, false, err) < 0 ? ct_while(err, "unpause '%.64s'", ref) : 0;
}

/* ---- rename, remove, list, inspect ---------------------------------------------------------- */

int engine_container_rename(struct engine *engine, const char *ref, const char *name,
                            struct ct_error *err)
{
    json_t *record = fake_find(engine, ref, err);

    if (!record || check_name_free(engine, name, err) < 0) {
        return ct_while(err, "rename '%.64s'", ref);
    }
    ct_json_set(record, "Name", json_sprintf("/%s", name));
    return 0;
}

static void drop(struct engine *engine, const json_t *record)
{
    size_t i;
    json_t *other;

    json_array_foreach(fake(engine)->containers, i, other)
    {
        if (other == record) {
            ct_json_set(other, "Removed", json_true()); /* for the waits that hold it */
            (void)json_array_remove(fake(engine)->containers, i);
            break;
        }
    }
    fake_notify(engine);
}

int engine_container_remove(struct engine *engine, const char *ref, bool force, bool volumes,
                            struct ct_error *err)
{
    json_t *record = fake_find(engine, ref, err);

    (void)volumes; /* the fake makes no anonymous ones */
    if (!record) {
        return ct_while(err, "remove '%.64s'", ref);
    }
    if (is_running(record) && !force) {
        return ct_refuse(err, CT_CONFLICT, "cannot remove container '%s': it is %s",
                         fake_name(record), fake_status(record));
    }
    if (is_running(record)) {
        end_with(engine, record, 128 + SIGKILL);
    }
    drop(engine, record);
    return 0;
}

static bool is_selected(const json_t *record, bool all, const json_t *filters)
{
    CT_AUTO_FREE char *code = ct_printf("%d", (int)ct_json_integer(record, "State.ExitCode", 0));
    bool ended = strcmp(fake_status(record), "exited") == 0;

    if (!all && !is_running(record) && !filters_has(filters, "status") &&
        !filters_has(filters, "exited")) {
        return false;
    }
    return filters_match_regex(filters, "name", fake_name(record)) &&
           filters_match_prefix(filters, "id", ct_json_string(record, "Id", "")) &&
           filters_match(filters, "status", fake_status(record)) &&
           filters_match_labels(filters, ct_json_get(record, "Config.Labels")) &&
           (!filters_has(filters, "exited") || (ended && filters_match(filters, "exited", code)));
}

static json_t *summarize(const json_t *record)
{
    struct ct_error ignored = {0};
    int64_t created_ns = 0;
    json_t *labels = ct_json_get(record, "Config.Labels");

    (void)ct_time_parse(ct_json_string(record, "Created", ""), &created_ns, &ignored);
    json_t *summary =
        json_pack("{s:s,s:[s],s:s,s:s,s:s,s:s,s:I,s:[],s:[]}", "Id",
                  ct_json_string(record, "Id", ""), "Names", ct_json_string(record, "Name", ""),
                  "Image", ct_json_string(record, "Config.Image", ""), "ImageID", FAKE_IMAGE_ID,
                  "State", fake_status(record), "Status", fake_status(record), "Created",
                  (json_int_t)(created_ns / 1000000000), "Ports", "Mounts");
    ct_json_set_string(summary, "Command",
                       json_string_value(json_array_get(ct_json_get(record, "Config.Cmd"), 0)));
    ct_json_set(summary, "Labels", labels ? json_incref(labels) : json_object());
    return summary;
}

int engine_container_list(struct engine *engine, bool all, int limit, bool size,
                          const json_t *filters, json_t **ret_list, struct ct_error *err)
{
    static const char *const known[] = {"exited", "id", "label", "label!", "name", "status", NULL};
    json_t *list, *record;
    size_t i;

    if (size) {
        return fake_cannot(err, "list sizes");
    }
    if (filters_check(filters, known, err) < 0) {
        return ct_while(err, "list containers");
    }
    list = json_array();
    json_array_foreach(fake(engine)->containers, i, record)
    {
        bool full = limit > 0 && json_array_size(list) >= (size_t)limit;
        if (!full && is_selected(record, all || limit > 0, filters)) {
            ct_json_append(list, summarize(record));
        }
    }
    *ret_list = list;
    return 0;
}

int engine_container_inspect(struct engine *engine, const char *ref, bool size, json_t **ret,
                             struct ct_error *err)
{
    const json_t *record = fake_find(engine, ref, err);

    if (!record || size) {
        return record ? fake_cannot(err, "inspect sizes") : -1;
    }
    *ret = json_deep_copy(record);
    (void)json_object_del(*ret, "Log");
    (void)json_object_del(*ret, "Exits");
    return 0;
}

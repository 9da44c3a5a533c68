/*
 * exec.c - one more program in a running container.
 *
 * Room:       engine.   Called by: cli, rest.
 * Spec:       Docker Engine API 1.43, "Exec".
 *
 * An exec is a document, RUN/<container>/exec/<exec id>.json: made here, kept true by the monitor
 * that runs it. It goes with the container's run directory.
 */
#define CT_LAYER "engine"
#include "engine_containers.h"
#include "engine_internal.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "span.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXEC_ID_BYTES 32

static int check_body(const json_t *body, struct ct_error *err)
{
    if (ct_shape_check(body, shape_exec, "", err) < 0) {
        return -1;
    }
    return ct_json_count(json_object_get(body, "Cmd")) > 0
               ? 0
               : ct_refuse(err, CT_INVALID, "no exec command specified");
}

static json_t *make_document(const struct container *container, const char *id, const json_t *body)
{
    json_t *document = json_deep_copy(body);

    ct_json_set_string(document, "ID", id);
    ct_json_set_string(document, "ContainerID", container->id);
    ct_json_set(document, "Running", json_false());
    ct_json_set(document, "ExitCode", json_null());
    ct_json_set(document, "Pid", json_integer(0));
    return document;
}

static int save_document(const struct container *container, const char *id, const json_t *body,
                         struct ct_error *err)
{
    CT_AUTO_FREE char *path = ct_join(container->run_dir, "exec");
    CT_AUTO_CLOSE int dir = ct_mkdirs(path, 0700, err);
    CT_AUTO_FREE char *name = ct_printf("%s.json", id);
    CT_AUTO_JSON json_t *document = make_document(container, id, body);

    return dir < 0 ? -1 : ct_json_save_at(dir, name, document, err);
}

static char *command_text(const json_t *body)
{
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    size_t i;
    json_t *word;

    if (!stream) {
        return ct_strdup("");
    }
    json_array_foreach(json_object_get(body, "Cmd"), i, word)
    {
        (void)fprintf(stream, "%s%s", i ? " " : "", json_string_value(word));
    }
    (void)fclose(stream);
    return text;
}

int engine_exec_create(struct engine *engine, const char *ref, const json_t *body, char **ret_id,
                       struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_SAVE, "engine_exec_create(%s)", ref);
    char id[2 * EXEC_ID_BYTES + 1];
    struct container *container = engine_find_container(engine, ref, err);
    int result = container ? engine_require_running(container, err) : -1;

    if (result == 0 && strcmp(container_status(container), "paused") == 0) {
        result =
            ct_refuse(err, CT_CONFLICT, "container %s is paused, unpause the container before exec",
                      container_name(container));
    }
    ct_random_hex(id, EXEC_ID_BYTES);
    if (result == 0 && check_body(body, err) == 0 && save_document(container, id, body, err) == 0) {
        CT_AUTO_FREE char *command = command_text(body);
        CT_AUTO_FREE char *action = ct_printf("exec_create: %s", command);
        engine_container_event(engine, container, action, "execID", id);
        *ret_id = ct_strdup(id);
    } else {
        result = ct_while(err, "exec in '%.64s'", ref);
    }
    container_free(container);
    return result;
}

static bool is_exec_id(const char *text)
{
    return strlen(text) == (size_t)2 * EXEC_ID_BYTES &&
           strspn(text, "0123456789abcdef") == (size_t)2 * EXEC_ID_BYTES;
}

/* The container whose run directory holds the exec's document. */
static struct container *find_exec(struct engine *engine, const char *exec_id,
                                   json_t **ret_document, struct ct_error *err)
{
    const struct container **all =
        is_exec_id(exec_id) ? engine_all_containers(engine, err) : (const struct container **)NULL;
    struct container *found = NULL;

    if (is_exec_id(exec_id) && !all) {
        return NULL;
    }
    for (const struct container **c = all; c && *c && !found; c++) {
        struct ct_error missing = {0};
        CT_AUTO_FREE char *path = ct_printf("%s/exec/%.64s.json", (*c)->run_dir, exec_id);
        *ret_document = ct_json_load_at(AT_FDCWD, path, &missing);
        found = *ret_document ? container_find(engine->containers, (*c)->id, err) : NULL;
    }
    container_list_free(all);
    if (!found) {
        json_decref(*ret_document);
        *ret_document = NULL;
        return ct_refuse_null(err, CT_NOT_FOUND, "no such exec instance: %.64s", exec_id);
    }
    return found;
}

int engine_exec_start(struct engine *engine, const char *exec_id, int *ret_fd, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_EXEC, "engine_exec_start(%.12s)", exec_id);
    CT_AUTO_JSON json_t *document = NULL;
    struct container *container = find_exec(engine, exec_id, &document, err);
    int result = container ? engine_require_running(container, err) : -1;

    if (result == 0 && (ct_json_bool(document, "Running", false) ||
                        !json_is_null(json_object_get(document, "ExitCode")))) {
        result = ct_refuse(err, CT_CONFLICT, "exec %.12s was started already", exec_id);
    }
    if (result == 0) {
        result = monitor_exec(container, exec_id, ret_fd, err);
    }
    if (result == 0) {
        CT_AUTO_FREE char *command = command_text(document);
        CT_AUTO_FREE char *action = ct_printf("exec_start: %s", command);
        engine_container_event(engine, container, action, "execID", exec_id);
    }
    container_free(container);
    return result;
}

int engine_exec_resize(struct engine *engine, const char *exec_id, unsigned height, unsigned width,
                       struct ct_error *err)
{
    CT_AUTO_JSON json_t *document = NULL;
    struct container *container = find_exec(engine, exec_id, &document, err);
    int result = container ? monitor_resize(container, exec_id, height, width, err) : -1;

    container_free(container);
    return result;
}

static json_t *process_config(const json_t *document)
{
    json_t *command = json_object_get(document, "Cmd");
    json_t *arguments = json_array();
    json_t *config = json_object();

    for (size_t i = 1; i < json_array_size(command); i++) {
        ct_json_append(arguments, json_incref(json_array_get(command, i)));
    }
    ct_json_set(config, "tty", json_boolean(ct_json_bool(document, "Tty", false)));
    ct_json_set(config, "entrypoint", json_incref(json_array_get(command, 0)));
    ct_json_set(config, "arguments", arguments);
    ct_json_set(config, "privileged", json_boolean(ct_json_bool(document, "Privileged", false)));
    if (*ct_json_string(document, "User", "")) {
        ct_json_set_string(config, "user", ct_json_string(document, "User", ""));
    }
    return config;
}

int engine_exec_inspect(struct engine *engine, const char *exec_id, json_t **ret,
                        struct ct_error *err)
{
    CT_AUTO_JSON json_t *document = NULL;
    struct container *container = find_exec(engine, exec_id, &document, err);
    if (!container) {
        return -1;
    }
    static const char *const copied[] = {"ID", "Running", "ExitCode", "ContainerID", "Pid", NULL};
    json_t *reply = json_object();
    for (const char *const *key = copied; *key; key++) {
        ct_json_set(reply, *key, json_incref(json_object_get(document, *key)));
    }
    ct_json_set(reply, "ProcessConfig", process_config(document));
    ct_json_set(reply, "OpenStdin", json_boolean(ct_json_bool(document, "AttachStdin", false)));
    ct_json_set(reply, "OpenStdout", json_boolean(ct_json_bool(document, "AttachStdout", false)));
    ct_json_set(reply, "OpenStderr", json_boolean(ct_json_bool(document, "AttachStderr", false)));
    ct_json_set(reply, "CanRemove", json_false());
    ct_json_set_string(reply, "DetachKeys", ct_json_string(document, "DetachKeys", ""));
    container_free(container);
    *ret = reply;
    return 0;
}

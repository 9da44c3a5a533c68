/*
 * inspect.c - everything about one container: Docker's inspect document.
 *
 * Room:       engine.   Called by: cli (inspect, exec, attach, logs, port), rest.
 * Spec:       Docker Engine API 1.43, "Inspect a container". Field order is Docker's, since its
 *             client prints the document as it comes.
 */
#define CT_LAYER "engine"
#include "documents.h"
#include "engine_containers.h"

#include "cleanup.h"
#include "json.h"
#include "logs.h"
#include "path.h"
#include "span.h"
#include "units.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Docker's State: the record's, without what is the engine's own business. ManuallyStopped is more
 * than Docker tells: a daemon that starts asks for it before it brings a container back. */
static json_t *state_document(const struct container *container)
{
    static const char *const keys[] = {"Status",          "Running",   "Paused",     "Restarting",
                                       "OOMKilled",       "Dead",      "Pid",        "ExitCode",
                                       "Error",           "StartedAt", "FinishedAt", "Health",
                                       "ManuallyStopped", NULL};
    json_t *state = json_object();

    for (const char *const *key = keys; *key; key++) {
        json_t *value = json_object_get(container->state, *key);
        if (value) {
            ct_json_set(state, *key, json_incref(value));
        }
    }
    return state;
}

/* The command line as inspect splits it: Path, and Args. */
static void add_command(const struct container *container, json_t *document)
{
    json_t *words = json_array();
    json_t *entrypoint = ct_json_get(container->config, "Config.Entrypoint");
    json_t *command = ct_json_get(container->config, "Config.Cmd");

    if (json_is_array(entrypoint)) {
        (void)json_array_extend(words, entrypoint);
    }
    if (json_is_array(command)) {
        (void)json_array_extend(words, command);
    }
    ct_json_set(document, "Path", json_incref(json_array_get(words, 0)));
    (void)json_array_remove(words, 0);
    ct_json_set(document, "Args", words);
}

/* Ids of the execs that run; null when there are none, as Docker has it. */
static json_t *exec_ids(const struct container *container)
{
    CT_AUTO_JSON json_t *ids = json_array();
    int fd = openat(container->run_fd, "exec", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CT_AUTO_DIR DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;

    if (!dir && fd >= 0) {
        (void)close(fd);
    }
    while (dir && (entry = readdir(dir))) {
        struct ct_error ignored = {0};
        CT_AUTO_JSON json_t *exec = NULL;
        if (strlen(entry->d_name) == 64 + strlen(".json")) {
            exec = ct_json_load_at(fd, entry->d_name, &ignored);
        }
        if (ct_json_bool(exec, "Running", false)) {
            ct_json_append(ids, json_stringn(entry->d_name, 64));
        }
    }
    return json_array_size(ids) > 0 ? ct_steal(ids) : json_null();
}

static void add_paths(const struct container *container, json_t *document)
{
    static const char *const files[][2] = {
        {"ResolvConfPath", "resolv.conf"}, {"HostnamePath", "hostname"}, {"HostsPath", "hosts"}};

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        bool made = faccessat(container->dir_fd, files[i][1], F_OK, 0) == 0;
        CT_AUTO_FREE char *path = ct_join(container->dir, files[i][1]);
        ct_json_set_string(document, files[i][0], made ? path : "");
    }
    CT_AUTO_FREE char *dir = container_log_dir(container);
    CT_AUTO_FREE char *log =
        log_path(dir, container->id, ct_json_get(container->config, "HostConfig.LogConfig"));
    ct_json_set_string(document, "LogPath", log ? log : "");
}

static int add_graph_driver(struct engine *engine, const struct container *container,
                            json_t *document, struct ct_error *err)
{
    struct snapshot_store *snapshots = engine_snapshots(engine, err);
    CT_AUTO_FREE char *key = places_snapshot_key(container->id);
    CT_AUTO_FREE char *target = ct_join(container->dir, "rootfs");
    struct ct_error missing = {0}; /* a snapshot that a crash did not leave: shown as empty */
    json_t *driver = snapshots ? snapshot_describe(snapshots, key, target, &missing) : NULL;

    if (!snapshots) {
        return -1;
    }
    ct_json_set_string(document, "Driver", snapshot_driver(snapshots));
    ct_json_set(document, "GraphDriver", driver ? driver : json_object());
    return 0;
}

static void add_size(struct engine *engine, const struct container *container, json_t *document)
{
    struct ct_error ignored = {0};
    CT_AUTO_FREE char *key = places_snapshot_key(container->id);
    int64_t written = snapshot_size(engine_snapshots(engine, &ignored), key, &ignored);
    struct image *image = image_find(engine_images(engine, &ignored),
                                     ct_json_string(container->config, "Image", ""), &ignored);

    written = written > 0 ? written : 0;
    ct_json_set(document, "SizeRw", json_integer(written));
    ct_json_set(document, "SizeRootFs", json_integer(written + (image ? image->size_bytes : 0)));
    image_free(image);
}

static json_t *describe(struct engine *engine, const struct container *container,
                        struct ct_error *err)
{
    CT_AUTO_JSON json_t *document = json_object();

    ct_json_set_string(document, "Id", container->id);
    ct_json_set_string(document, "Created",
                       ct_json_string(container->config, "Created", CT_TIME_ZERO));
    add_command(container, document);
    ct_json_set(document, "State", state_document(container));
    ct_json_set_string(document, "Image", ct_json_string(container->config, "Image", ""));
    add_paths(container, document);
    ct_json_set(document, "Name", json_sprintf("/%s", container_name(container)));
    ct_json_set(document, "RestartCount",
                json_integer(ct_json_integer(container->state, "RestartCount", 0)));
    if (add_graph_driver(engine, container, document, err) < 0) {
        return NULL;
    }
    ct_json_set_string(document, "Platform", "linux");
    ct_json_set_string(document, "MountLabel", "");
    ct_json_set_string(document, "ProcessLabel", "");
    ct_json_set_string(document, "AppArmorProfile", "");
    ct_json_set(document, "ExecIDs", exec_ids(container));
    ct_json_set(document, "HostConfig",
                json_incref(json_object_get(container->config, "HostConfig")));
    ct_json_set(document, "Mounts", document_mounts(container));
    ct_json_set(document, "Config", json_incref(json_object_get(container->config, "Config")));
    ct_json_set(document, "NetworkSettings", document_network_settings(container));
    return ct_steal(document);
}

int engine_container_inspect(struct engine *engine, const char *ref, bool size, json_t **ret,
                             struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_LOAD, "engine_container_inspect(%s)", ref);
    struct container *container = engine_find_container(engine, ref, err);
    json_t *document = container ? describe(engine, container, err) : NULL;

    if (document && size) {
        add_size(engine, container, document);
    }
    container_free(container);
    *ret = document;
    return document ? 0 : -1;
}

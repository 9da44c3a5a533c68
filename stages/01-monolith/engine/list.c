/*
 * list.c - which containers there are: Docker's summaries, and their filters.
 *
 * Room:       engine.   Called by: cli (ps), rest.
 * Spec:       Docker Engine API 1.43, "List containers".
 */
#define CT_LAYER "engine"
#include "documents.h"
#include "engine_containers.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "span.h"
#include "units.h"

#include <stdlib.h>
#include <string.h>

static const char *const known_filters[] = {
    "ancestor", "before", "exited",  "expose",  "health", "id",     "is-task", "isolation", "label",
    "label!",   "name",   "network", "publish", "since",  "status", "volume",  NULL};

/* What the filters need to know once, not for each container. */
struct selection {
    const json_t *filters;
    json_t *ancestors; /* ids of the images that the ancestor filter names */
    int64_t before_ns, since_ns;
    bool all;
};

struct resolve {
    struct engine *engine;
    struct selection *selection;
    struct ct_error *err;
    bool before;
};

static int resolve_time(void *context, const char *reference)
{
    struct resolve *resolve = context;
    struct container *container = engine_find_container(resolve->engine, reference, resolve->err);
    if (!container) {
        return -1;
    }
    *(resolve->before ? &resolve->selection->before_ns : &resolve->selection->since_ns) =
        container->created_ns;
    container_free(container);
    return 0;
}

/* An image that does not exist has no containers: no error. */
static int resolve_ancestor(void *context, const char *reference)
{
    struct resolve *resolve = context;
    struct ct_error missing = {0};
    struct image_store *images = engine_images(resolve->engine, resolve->err);
    struct image *image = images ? image_find(images, reference, &missing) : NULL;
    if (image) {
        ct_json_append(resolve->selection->ancestors, json_string(image->id));
    }
    image_free(image);
    return images ? 0 : -1;
}

static int resolve_selection(struct engine *engine, const json_t *filters,
                             struct selection *selection, struct ct_error *err)
{
    struct resolve resolve = {.engine = engine, .selection = selection, .err = err};

    selection->filters = filters;
    selection->ancestors = json_array();
    if (filters_check(filters, known_filters, err) < 0 ||
        filters_each(filters, "ancestor", resolve_ancestor, &resolve) < 0 ||
        filters_each(filters, "since", resolve_time, &resolve) < 0) {
        return -1;
    }
    resolve.before = true;
    return filters_each(filters, "before", resolve_time, &resolve) < 0 ? -1 : 0;
}

static bool contains(const json_t *array, const char *text)
{
    size_t i;
    json_t *value;
    json_array_foreach((json_t *)array, i, value)
    {
        if (strcmp(json_string_value(value), text) == 0) {
            return true;
        }
    }
    return false;
}

static int has_network(void *context, const char *wanted)
{
    const struct container *container = context;
    const char *name;
    json_t *endpoint;
    json_object_foreach(json_object_get(container->config, "Networks"), name, endpoint)
    {
        const json_t *running = ct_json_get(container->state, "Endpoints");
        const char *id = ct_json_string(json_object_get(running, name), "NetworkID", "");
        if (strcmp(name, wanted) == 0 ||
            (strlen(wanted) >= 12 && strncmp(id, wanted, strlen(wanted)) == 0)) {
            return 1;
        }
    }
    return 0;
}

static int has_volume(void *context, const char *wanted)
{
    const struct container *container = context;
    size_t i;
    json_t *mount;
    json_array_foreach(json_object_get(container->config, "Mounts"), i, mount)
    {
        if (strcmp(ct_json_string(mount, "Name", ""), wanted) == 0 ||
            strcmp(ct_json_string(mount, "Source", ""), wanted) == 0 ||
            strcmp(ct_json_string(mount, "Destination", ""), wanted) == 0) {
            return 1;
        }
    }
    return 0;
}

/* "80", "80/tcp" or "8000-8010" against a "port/protocol" key. */
static bool port_in(const char *wanted, const char *port)
{
    char *end = NULL;
    long first = strtol(wanted, &end, 10);
    long last = *end == '-' ? strtol(end + 1, &end, 10) : first;
    const char *slash = strchr(port, '/');
    const char *protocol = *end == '/' ? end + 1 : "tcp";
    long number = strtol(port, NULL, 10);

    return number >= first && number <= last && strcmp(slash ? slash + 1 : "tcp", protocol) == 0;
}

static int exposes(void *context, const char *wanted)
{
    const struct container *container = context;
    const char *port;
    json_t *value;
    json_object_foreach(ct_json_get(container->config, "Config.ExposedPorts"), port, value)
    {
        if (port_in(wanted, port)) {
            return 1;
        }
    }
    return 0;
}

static int publishes(void *context, const char *wanted)
{
    const struct container *container = context;
    CT_AUTO_JSON json_t *ports = document_ports(container);
    size_t i;
    json_t *item;
    json_array_foreach(ports, i, item)
    {
        CT_AUTO_FREE char *port = ct_printf("%d/%s", (int)ct_json_integer(item, "PublicPort", 0),
                                            ct_json_string(item, "Type", "tcp"));
        if (port_in(wanted, port)) {
            return 1;
        }
    }
    return 0;
}

static int exited_with(void *context, const char *wanted)
{
    const struct container *container = context;
    char *end = NULL;
    long code = strtol(wanted, &end, 10);
    return !*end && strcmp(container_status(container), "created") != 0 &&
           !container_is_running(container) &&
           code == (long)ct_json_integer(container->state, "ExitCode", 0);
}

static bool holds(const json_t *filters, const char *key, int (*fn)(void *, const char *),
                  const struct container *container)
{
    return !filters_has(filters, key) || filters_each(filters, key, fn, (void *)container);
}

static bool is_selected(const struct selection *selection, const struct container *container)
{
    const json_t *filters = selection->filters;
    int64_t created = container->created_ns;
    bool state_filter = filters_has(filters, "status") || filters_has(filters, "exited");

    if (!selection->all && !state_filter && !container_is_running(container)) {
        return false;
    }
    if ((selection->before_ns && created >= selection->before_ns) ||
        (selection->since_ns && created <= selection->since_ns) ||
        (filters_has(filters, "ancestor") &&
         !contains(selection->ancestors, ct_json_string(container->config, "Image", "")))) {
        return false;
    }
    if (json_object_size(filters) == 0) {
        return true; /* the usual question */
    }
    return filters_match_prefix(filters, "id", container->id) &&
           filters_match_regex(filters, "name", container_name(container)) &&
           filters_match(filters, "status", container_status(container)) &&
           filters_match(filters, "health",
                         ct_json_string(container->state, "Health.Status", "none")) &&
           filters_match(filters, "is-task", "false") &&
           filters_match_labels(filters, ct_json_get(container->config, "Config.Labels")) &&
           holds(filters, "exited", exited_with, container) &&
           holds(filters, "network", has_network, container) &&
           holds(filters, "volume", has_volume, container) &&
           holds(filters, "expose", exposes, container) &&
           holds(filters, "publish", publishes, container);
}

static void add_sizes(struct engine *engine, const struct container *container, json_t *summary)
{
    struct ct_error ignored = {0}; /* a size that cannot be read is shown as 0 */
    struct snapshot_store *snapshots = engine_snapshots(engine, &ignored);
    CT_AUTO_FREE char *key = places_snapshot_key(container->id);
    int64_t written = snapshots ? snapshot_size(snapshots, key, &ignored) : 0;
    struct image_store *images = engine_images(engine, &ignored);
    struct image *image =
        images ? image_find(images, ct_json_string(container->config, "Image", ""), &ignored)
               : NULL;

    written = written > 0 ? written : 0;
    ct_json_set(summary, "SizeRw", json_integer(written));
    ct_json_set(summary, "SizeRootFs", json_integer(written + (image ? image->size_bytes : 0)));
    image_free(image);
}

static json_t *summarize(const struct container *container, const char *status)
{
    CT_AUTO_FREE char *command = document_command(container);
    json_t *labels = ct_json_get(container->config, "Config.Labels");
    json_t *summary = json_object();
    json_t *names = json_array();

    ct_json_append(names, json_sprintf("/%s", container_name(container)));
    ct_json_set_string(summary, "Id", container->id);
    ct_json_set(summary, "Names", names);
    ct_json_set_string(summary, "Image", ct_json_string(container->config, "ImageRef", ""));
    ct_json_set_string(summary, "ImageID", ct_json_string(container->config, "Image", ""));
    ct_json_set(summary, "Command", ct_json_string_lossy(command, strlen(command)));
    ct_json_set(summary, "Created", json_integer(container->created_ns / 1000000000));
    ct_json_set(summary, "Ports", document_ports(container));
    ct_json_set(summary, "Labels", labels ? json_incref(labels) : json_object());
    ct_json_set_string(summary, "State", container_status(container));
    ct_json_set_string(summary, "Status", status);
    ct_json_set(summary, "HostConfig",
                json_pack("{s:s}", "NetworkMode",
                          ct_json_string(container->config, "HostConfig.NetworkMode", "")));
    ct_json_set(summary, "NetworkSettings",
                json_pack("{s:o}", "Networks", document_networks(container)));
    ct_json_set(summary, "Mounts", document_mounts(container));
    return summary;
}

/*
 * A summary changes with the record and with the status, which tells the time: "Up 2 hours". Until
 * then the last one is good, for the lists of all threads: nobody may change it. Owned.
 */
static json_t *summary_of(const struct container *container)
{
    CT_AUTO_FREE char *status = document_status_text(container);
    json_t *summary = container_take_memo(container);

    if (strcmp(ct_json_string(summary, "Status", ""), status) != 0) {
        json_decref(summary);
        summary = summarize(container, status);
    }
    container_put_memo(container, json_incref(summary));
    return summary;
}

static json_t *with_sizes(struct engine *engine, const struct container *container,
                          const json_t *summary)
{
    json_t *copy = json_copy((json_t *)summary);
    add_sizes(engine, container, copy);
    return copy;
}

static json_t *list_selected(struct engine *engine, const struct selection *selection, int limit,
                             bool size, struct ct_error *err)
{
    const struct container **all = engine_all_containers(engine, err);
    if (!all) {
        return NULL;
    }
    json_t *list = json_array();
    for (const struct container **c = all; *c; c++) {
        if (limit > 0 && json_array_size(list) >= (size_t)limit) {
            break;
        }
        if (is_selected(selection, *c)) {
            CT_AUTO_JSON json_t *summary = summary_of(*c);
            ct_json_append(list, size ? with_sizes(engine, *c, summary) : json_incref(summary));
        }
    }
    container_list_free(all);
    return list;
}

int engine_container_list(struct engine *engine, bool all, int limit, bool size,
                          const json_t *filters, json_t **ret_list, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_LOAD, "engine_container_list");
    struct selection selection = {.all = all || limit > 0};
    json_t *list = NULL;

    if (resolve_selection(engine, filters, &selection, err) == 0) {
        list = list_selected(engine, &selection, limit, size, err);
    }
    json_decref(selection.ancestors);
    *ret_list = list;
    return list ? 0 : ct_while(err, "list containers");
}

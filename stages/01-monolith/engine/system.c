/*
 * system.c - what the API says of the engine itself: info, version, disk usage, events.
 *
 * Room:       engine.   Called by: cli, rest.
 * Spec:       Docker Engine API 1.43, "System".
 */
#define CT_LAYER "engine"
#include "engine_containers.h"
#include "engine_images.h"
#include "engine_internal.h"
#include "engine_system.h"
#include "engine_volumes.h"

#include "cleanup.h"
#include "events.h"
#include "execdriver.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "span.h"
#include "units.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#define API_VERSION     "1.43"
#define API_VERSION_MIN "1.24"

/* PRETTY_NAME of os-release(5). Owned. */
static char *operating_system(void)
{
    struct ct_error ignored = {0};
    CT_AUTO_FREE char *text = NULL;
    if (ct_read_file_at(AT_FDCWD, "/etc/os-release", 1 << 16, &text, &ignored) < 0) {
        return ct_strdup("Linux");
    }
    const char *name = strstr(text, "PRETTY_NAME=\"");
    if (!name) {
        return ct_strdup("Linux");
    }
    name += strlen("PRETTY_NAME=\"");
    return ct_printf("%.*s", (int)strcspn(name, "\"\n"), name);
}

static const char *cgroup_version(void)
{
    struct statfs status;
    if (statfs("/sys/fs/cgroup", &status) == 0 && status.f_type == CGROUP2_SUPER_MAGIC) {
        return "2";
    }
    return "1";
}

static void count_containers(const struct container **all, json_t *info)
{
    int running = 0, paused = 0, total = 0;
    for (const struct container **c = all; c && *c; c++) {
        const char *status = container_status(*c);
        total++;
        paused += strcmp(status, "paused") == 0;
        running += container_is_running(*c) && strcmp(status, "paused") != 0;
    }
    ct_json_set(info, "Containers", json_integer(total));
    ct_json_set(info, "ContainersRunning", json_integer(running));
    ct_json_set(info, "ContainersPaused", json_integer(paused));
    ct_json_set(info, "ContainersStopped", json_integer(total - running - paused));
}

static int count_images(struct engine *engine, json_t *info, struct ct_error *err)
{
    struct image_store *images = engine_images(engine, err);
    struct image **list = images ? image_list(images, err) : NULL;
    int n = 0;
    for (struct image **i = list; i && *i; i++) {
        n++;
    }
    ct_json_set(info, "Images", json_integer(n));
    image_list_free(list);
    return list ? 0 : -1;
}

/* Engine-wide identity: made once, kept with the state. */
static char *engine_id(struct engine *engine, struct ct_error *err)
{
    CT_AUTO_FREE char *path = ct_join(engine->places.state, "id");
    char fresh[33];
    char *id = NULL;

    ct_random_hex(fresh, 16);
    if (ct_create_file_at(AT_FDCWD, path, fresh, strlen(fresh), 0600, err) < 0 &&
        err->kind != CT_EXISTS) {
        return NULL;
    }
    ct_error_clear(err);
    return ct_read_file_at(AT_FDCWD, path, 64, &id, err) < 0 ? NULL : id;
}

static void describe_machine(json_t *info)
{
    struct utsname machine = {0};
    struct sysinfo memory = {0};
    CT_AUTO_FREE char *os = operating_system();

    (void)uname(&machine); /* cannot fail with a valid buffer */
    (void)sysinfo(&memory);
    ct_json_set_string(info, "KernelVersion", machine.release);
    ct_json_set_string(info, "OperatingSystem", os);
    ct_json_set_string(info, "OSType", "linux");
    ct_json_set_string(info, "Architecture", machine.machine);
    ct_json_set(info, "NCPU", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
    ct_json_set(info, "MemTotal", json_integer((json_int_t)memory.totalram * memory.mem_unit));
    ct_json_set_string(info, "Name", machine.nodename);
}

static void describe_features(json_t *info)
{
    static const char *const yes[] = {"MemoryLimit", "SwapLimit",      "CpuCfsPeriod",
                                      "CpuCfsQuota", "CPUShares",      "CPUSet",
                                      "PidsLimit",   "IPv4Forwarding", NULL};
    for (const char *const *key = yes; *key; key++) {
        ct_json_set(info, *key, json_true());
    }
    ct_json_set_string(info, "LoggingDriver", "json-file");
    ct_json_set_string(info, "CgroupDriver", "cgroupfs");
    ct_json_set_string(info, "CgroupVersion", cgroup_version());
    ct_json_set(info, "Plugins",
                json_pack("{s:[s],s:[s,s,s],s:n,s:[s,s]}", "Volume", "local", "Network", "bridge",
                          "host", "null", "Authorization", "Log", "json-file", "none"));
    ct_json_set(info, "SecurityOptions", json_pack("[s]", "name=seccomp,profile=default"));
    ct_json_set(info, "Swarm", json_pack("{s:s}", "LocalNodeState", "inactive"));
    ct_json_set(info, "LiveRestoreEnabled",
                json_true()); /* no daemon whose end a container could feel */
}

static void describe_runtime(json_t *info)
{
    struct ct_error missing = {0};
    CT_AUTO_FREE char *version = exec_driver_version(&missing);
    char text[512];
    json_t *warnings = json_array();

    ct_json_set(info, "Runtimes",
                json_pack("{s:{s:s}}", exec_driver_name(), "path", version ? version : ""));
    ct_json_set_string(info, "DefaultRuntime", exec_driver_name());
    if (!version) {
        ct_json_append(warnings, json_string(ct_error_render(&missing, text, sizeof(text))));
    }
    ct_json_set(info, "Warnings", warnings);
}

int engine_info(struct engine *engine, json_t **ret, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_LOAD, "engine_info");
    CT_AUTO_JSON json_t *info = json_object();
    CT_AUTO_FREE char *id = engine_id(engine, err);
    const struct container **all = id ? engine_all_containers(engine, err) : NULL;
    char now[CT_TIME_TEXT];

    if (!all) {
        return ct_while(err, "describe the engine");
    }
    ct_json_set_string(info, "ID", id);
    count_containers(all, info);
    container_list_free(all);
    if (count_images(engine, info, err) < 0) {
        return ct_while(err, "describe the engine");
    }
    ct_json_set_string(info, "Driver", snapshot_driver(engine_snapshots(engine, err)));
    ct_json_set(info, "DriverStatus", json_array());
    describe_features(info);
    describe_machine(info);
    describe_runtime(info);
    ct_json_set_string(info, "DockerRootDir", engine->root);
    ct_json_set_string(info, "ServerVersion", CUTAWAY_VERSION);
    ct_json_set_string(info, "Stage", engine_stage());
    ct_json_set_string(info, "SystemTime", ct_time_format(ct_now_ns(), now));
    *ret = ct_steal(info);
    return 0;
}

int engine_version(struct engine *engine, json_t **ret, struct ct_error *err)
{
    (void)engine;
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_LOAD, "engine_version");
    struct utsname machine = {0};
    struct ct_error missing = {0};
    CT_AUTO_FREE char *driver = exec_driver_version(&missing);
    CT_AUTO_FREE char *platform = ct_printf("Cutaway, stage %s", engine_stage());

    (void)uname(&machine);
    const char *architecture = strcmp(machine.machine, "x86_64") == 0 ? "amd64" : machine.machine;
    /* Once for old clients, at the top, and once for new ones, as details of a component. */
    CT_AUTO_JSON json_t *engine_part = json_pack(
        "{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "ApiVersion", API_VERSION, "MinAPIVersion",
        API_VERSION_MIN, "Os", "linux", "Arch", architecture, "KernelVersion", machine.release,
        "GitCommit", "", "GoVersion", "", "BuildTime", "", "Experimental", "false");
    *ret = json_pack("{s:{s:s},s:s,s:b,s:[{s:s,s:s,s:O},{s:s,s:s,s:{}}]}", "Platform", "Name",
                     platform, "Version", CUTAWAY_VERSION, "Experimental", 0, "Components", "Name",
                     "Engine", "Version", CUTAWAY_VERSION, "Details", engine_part, "Name",
                     exec_driver_name(), "Version", driver ? driver : "not installed", "Details");
    if (!*ret || json_object_update_missing(*ret, engine_part) < 0) {
        return ct_refuse(err, CT_SYSTEM, "describe the version: out of memory");
    }
    return 0;
}

static json_t *volumes_with_sizes(struct engine *engine, struct ct_error *err)
{
    json_t *reply = NULL;
    if (engine_volume_list(engine, NULL, &reply, err) < 0) {
        return NULL;
    }
    json_t *volumes = json_incref(json_object_get(reply, "Volumes"));
    size_t i;
    json_t *volume;
    json_decref(reply);
    json_array_foreach(volumes, i, volume)
    {
        struct ct_error ignored = {0};
        const char *name = ct_json_string(volume, "Name", "");
        CT_AUTO_JSON json_t *filters = json_pack("{s:[s]}", "volume", name);
        CT_AUTO_JSON json_t *users = NULL;
        (void)engine_container_list(engine, true, 0, false, filters, &users, &ignored);
        ct_json_set(
            volume, "UsageData",
            json_pack("{s:I,s:I}", "Size",
                      (json_int_t)volume_size(engine_volumes(engine, &ignored), name, &ignored),
                      "RefCount", (json_int_t)ct_json_count(users)));
    }
    return volumes;
}

int engine_disk_usage(struct engine *engine, json_t **ret, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_LOAD, "engine_disk_usage");
    CT_AUTO_JSON json_t *images = NULL;
    CT_AUTO_JSON json_t *containers = NULL;
    CT_AUTO_JSON json_t *volumes = NULL;
    json_int_t layers = 0;
    size_t i;
    json_t *image;

    if (engine_image_list(engine, true, NULL, &images, err) < 0 ||
        engine_container_list(engine, true, 0, true, NULL, &containers, err) < 0 ||
        !(volumes = volumes_with_sizes(engine, err))) {
        return ct_while(err, "measure disk usage");
    }
    json_array_foreach(images, i, image)
    {
        layers += ct_json_integer(image, "Size", 0);
    }
    *ret = json_object();
    ct_json_set(*ret, "LayersSize", json_integer(layers));
    ct_json_set(*ret, "Images", ct_steal(images));
    ct_json_set(*ret, "Containers", ct_steal(containers));
    ct_json_set(*ret, "Volumes", ct_steal(volumes));
    ct_json_set(*ret, "BuildCache", json_array());
    return 0;
}

int engine_events(struct engine *engine, const struct engine_events *query, engine_event_fn report,
                  void *context, int cancel_fd, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_LOAD, "engine_events");
    struct event_query journal = {
        .since_ns = query->since_ns, .until_ns = query->until_ns, .filters = query->filters};

    if (event_follow(engine->places.events, &journal, report, context, cancel_fd, err) < 0) {
        return ct_while(err, "follow events");
    }
    return 0;
}

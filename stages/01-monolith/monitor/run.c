/*
 * run.c - one run of a container: everything that has to stand before its program runs, and back.
 *
 * Room:       monitor.   Called by: monitor.c, supervise.c, reconcile.c.
 *
 * The order up: root file system, files, volumes, streams, the driver's job, networks, exec. What
 * the job left in the world is in the saved state before the program runs, so that a killed
 * monitor's successor finds it. A failure takes back what was done, in reverse.
 */
#define CT_LAYER "monitor"
#include "dns.h"
#include "journal.h"
#include "monitor_internal.h"
#include "spec.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "log.h"
#include "logs.h"
#include "path.h"
#include "process.h"
#include "snapshots.h"
#include "span.h"
#include "units.h"
#include "volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LAST_OUTPUT_MS 2000 /* after the end of everything, how long output may still come */

void reload_config(struct container *container)
{
    struct ct_error err = {0};
    json_t *config = container_read_config(container, &err);

    if (config) { /* else the one that we have is the best there is */
        json_decref(container->config);
        container->config = config;
    }
}

/* Root file system and volumes. */

static char *rootfs_path(const struct container *container)
{
    return ct_join(container->dir, "rootfs");
}

static int mount_rootfs(const struct monitor *monitor, int *ret_fd, struct ct_error *err)
{
    const struct container *container = monitor->container;
    CT_AUTO_FREE char *target = rootfs_path(container);
    CT_AUTO_FREE char *key = places_snapshot_key(container->id);
    CT_SPAN(err, CT_ROLE_MONITOR, CT_STEP_MOUNT, "snapshot_mount(%.15s…, rootfs)", key);
    CT_AUTO_CLOSE int made = ct_mkdirs(target, 0700, err);
    struct snapshot_store *store =
        made < 0 ? NULL : snapshot_store_open(monitor->places.snapshots, err);
    int result = store ? snapshot_mount(store, key, target, err) : -1;

    snapshot_store_close(store);
    if (result == 0) {
        *ret_fd = ct_root_open(target, err);
    }
    return result < 0 || *ret_fd < 0 ? ct_while(err, "mount the root file system") : 0;
}

static int fill_volumes(const struct monitor *monitor, int rootfs_fd, struct ct_error *err)
{
    const json_t *mounts = json_object_get(monitor->container->config, "Mounts");
    size_t i;
    json_t *mount;

    if (ct_json_count(mounts) == 0) {
        return 0;
    }
    CT_SPAN(err, CT_ROLE_MONITOR, CT_STEP_VOLUME, "volume_populate, %zu mounts",
            ct_json_count(mounts));
    struct volume_store *store = volume_store_open(monitor->places.volumes, err);
    int result = store ? 0 : -1;
    json_array_foreach((json_t *)mounts, i, mount)
    {
        if (result == 0 && strcmp(ct_json_string(mount, "Type", ""), "volume") == 0) {
            result = volume_populate(store, mount, rootfs_fd, snapshot_copy_tree, err);
        }
    }
    volume_store_close(store);
    return result;
}

/* Networks. */

static int open_netns(pid_t pid, struct ct_error *err)
{
    CT_AUTO_FREE char *path = ct_printf("/proc/%d/ns/net", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? ct_fail(err, errno, "open the network namespace of process %d", (int)pid) : fd;
}

static int attach_one(struct monitor *monitor, const char *name, const json_t *wanted, bool first,
                      int netns_fd, json_t *endpoints, struct ct_error *err)
{
    const struct container *container = monitor->container;
    const json_t *host = json_object_get(container->config, "HostConfig");
    const char *config_mac =
        first ? ct_json_string(container->config, "Config.MacAddress", "") : "";
    const char *address = ct_json_string(wanted, "IPAMConfig.IPv4Address", "");
    const char *mac = ct_json_string(wanted, "MacAddress", config_mac);
    struct network_request request = {
        .network = name,
        .container_id = container->id,
        .container_name = container_name(container),
        .address = *address ? address : NULL,
        .mac = *mac ? mac : NULL,
        .aliases = json_object_get(wanted, "Aliases"),
        .port_bindings = first ? json_object_get(host, "PortBindings") : NULL,
        .exposed_ports = first ? ct_json_get(container->config, "Config.ExposedPorts") : NULL,
        .publish_all = first && ct_json_bool(host, "PublishAllPorts", false)};
    json_t *endpoint = NULL;

    if (network_attach(monitor->networks, &request, netns_fd, &endpoint, err) < 0) {
        return ct_while(err, "connect to network '%.64s'", name);
    }
    ct_json_set(endpoints, name, endpoint);
    return 0;
}

static void detach_all(struct monitor *monitor, const json_t *endpoints)
{
    struct ct_error err = {0};
    char line[400];
    const char *name;
    json_t *endpoint;

    json_object_foreach((json_t *)endpoints, name, endpoint)
    {
        if (monitor->networks && network_detach(monitor->networks, endpoint, &err) < 0) {
            ct_warn("disconnect from '%s': %s", name, ct_error_render(&err, line, sizeof(line)));
        }
    }
}

/* The network of NetworkMode first: it has the published ports and the default route. */
static int attach_networks(struct monitor *monitor, int netns_fd, json_t *endpoints,
                           struct ct_error *err)
{
    json_t *wanted = json_object_get(monitor->container->config, "Networks");
    const char *main_network =
        ct_json_string(monitor->container->config, "HostConfig.NetworkMode", "");
    json_t *main_endpoint = json_object_get(wanted, main_network);
    const char *name;
    json_t *endpoint;

    if (main_endpoint &&
        attach_one(monitor, main_network, main_endpoint, true, netns_fd, endpoints, err) < 0) {
        return -1;
    }
    json_object_foreach(wanted, name, endpoint)
    {
        if (endpoint != main_endpoint &&
            attach_one(monitor, name, endpoint, false, netns_fd, endpoints, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Where containers have names there is a resolver; it stays when such a network is left. */
static int resolve_names(struct monitor *monitor, int netns_fd, json_t *endpoints,
                         struct ct_error *err)
{
    const json_t *host = json_object_get(monitor->container->config, "HostConfig");
    const char *name;
    json_t *endpoint;
    bool wanted = monitor->dns != NULL;

    json_object_foreach(endpoints, name, endpoint)
    {
        wanted = wanted || network_has_names(ct_json_string(endpoint, "Network", name));
    }
    if (wanted && !monitor->dns) {
        monitor->dns = dns_open(monitor->loop, netns_fd, monitor->networks, host, err);
        if (!monitor->dns) {
            return -1;
        }
    }
    if (monitor->dns) {
        dns_set_endpoints(monitor->dns, endpoints);
    }
    return 0;
}

static int connect_networks(struct monitor *monitor, struct ct_error *err)
{
    struct container *container = monitor->container;
    CT_AUTO_JSON json_t *endpoints = json_object();

    if (spec_joined(container->config)) {
        return state_endpoints(container, ct_steal(endpoints), err);
    }
    CT_AUTO_CLOSE int netns = open_netns(exec_pid(monitor->job), err);
    monitor->networks =
        netns < 0 ? NULL
                  : network_store_open(monitor->places.networks, monitor->places.run_networks, err);
    if (!monitor->networks) {
        return -1;
    }
    bool own = !spec_network_is(container->config, "host");
    if ((own && network_loopback_up(netns, err) < 0) ||
        attach_networks(monitor, netns, endpoints, err) < 0 ||
        resolve_names(monitor, netns, endpoints, err) < 0 ||
        files_write(monitor, endpoints, err) < 0 ||
        state_endpoints(container, json_incref(endpoints), err) < 0) {
        detach_all(monitor, endpoints);
        (void)json_object_del(container->state, "Endpoints");
        return -1;
    }
    return 0;
}

/* Changes a copy of the endpoints, so that what is recorded is always what stands. */
static int leave_network(struct monitor *monitor, const char *name, json_t *endpoints,
                         struct ct_error *err)
{
    json_t *endpoint = json_object_get(endpoints, name);

    if (!endpoint) {
        return ct_refuse(err, CT_CONFLICT, "container %s is not connected to network %s",
                         container_name(monitor->container), name);
    }
    if (network_detach(monitor->networks, endpoint, err) < 0) {
        return -1;
    }
    return json_object_del(endpoints, name);
}

static int join_network(struct monitor *monitor, const char *name, const json_t *request,
                        int netns_fd, json_t *endpoints, struct ct_error *err)
{
    if (json_object_get(endpoints, name)) {
        return ct_refuse(err, CT_CONFLICT, "container %s is connected to network %s already",
                         container_name(monitor->container), name);
    }
    return attach_one(monitor, name, request, false, netns_fd, endpoints, err);
}

int run_change_network(struct monitor *monitor, bool join, const json_t *request,
                       struct ct_error *err)
{
    const char *name = ct_json_string(request, "Network", "");
    CT_AUTO_JSON json_t *endpoints =
        json_deep_copy(json_object_get(monitor->container->state, "Endpoints"));

    if (!monitor->job || !monitor->networks || !endpoints) {
        return ct_refuse(err, CT_CONFLICT, "container %s has no network of its own that runs",
                         container_name(monitor->container));
    }
    CT_AUTO_CLOSE int netns = open_netns(exec_pid(monitor->job), err);
    if (netns < 0 || (join ? join_network(monitor, name, request, netns, endpoints, err)
                           : leave_network(monitor, name, endpoints, err)) < 0) {
        return -1;
    }
    if (state_endpoints(monitor->container, json_incref(endpoints), err) < 0) {
        return -1;
    }
    return resolve_names(monitor, netns, endpoints, err) < 0 ? -1
                                                             : files_write(monitor, endpoints, err);
}

static void disconnect_networks(struct monitor *monitor)
{
    dns_close(monitor->dns);
    monitor->dns = NULL;
    detach_all(monitor, json_object_get(monitor->container->state, "Endpoints"));
    network_store_close(monitor->networks);
    monitor->networks = NULL;
}

/* Streams and log. */

static struct streams_config streams_config(const struct monitor *monitor)
{
    const json_t *config = json_object_get(monitor->container->config, "Config");
    return (struct streams_config){.loop = monitor->loop,
                                   .terminal = ct_json_bool(config, "Tty", false),
                                   .pipes = exec_driver_has_terminals(),
                                   .open_stdin = ct_json_bool(config, "OpenStdin", false),
                                   .stdin_once = ct_json_bool(config, "StdinOnce", false),
                                   .log = monitor->log,
                                   .journal = monitor->journal,
                                   .spill_dir = monitor->container->dir_fd};
}

/* A terminal of ours is no pipe, and without a log nothing is under way to it. */
static bool wants_journal(const struct container *container)
{
    const char *type = ct_json_string(container->config, "HostConfig.LogConfig.Type", "");
    bool is_pipe =
        exec_driver_has_terminals() || !ct_json_bool(container->config, "Config.Tty", false);

    return is_pipe && strcmp(type, "none") != 0;
}

static int open_log(struct monitor *monitor, bool again, struct ct_error *err)
{
    const struct container *container = monitor->container;
    CT_AUTO_FREE char *dir = container_log_dir(container);

    monitor->log =
        log_writer_open(dir, container->id, ct_json_get(container->config, "HostConfig.LogConfig"),
                        json_object_get(container->config, "Config"), err);
    if (monitor->log && wants_journal(container)) {
        monitor->journal = journal_open(container->run_fd, monitor->log, again, err);
    }
    return monitor->log && (monitor->journal || !wants_journal(container))
               ? 0
               : ct_while(err, "open the log");
}

static void close_log(struct monitor *monitor)
{
    struct ct_error err = {0};
    char line[400];

    if (log_writer_close(monitor->log, &err) < 0) {
        ct_warn("close the log: %s", ct_error_render(&err, line, sizeof(line)));
    }
    monitor->log = NULL;
    journal_close(monitor->journal);
    monitor->journal = NULL;
    journal_remove(monitor->container->run_fd);
}

/* The next monitor goes on with it, in the middle of the lines that are unfinished. */
static void release_log(struct monitor *monitor)
{
    if (!monitor->journal) {
        close_log(monitor);
        return;
    }
    log_writer_release(monitor->log);
    monitor->log = NULL;
    journal_close(monitor->journal);
    monitor->journal = NULL;
}

static void close_all(const struct streams_client *clients, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        (void)close(clients[i].fd);
    }
}

static int open_streams(struct monitor *monitor, const struct streams_client *clients, size_t n,
                        struct ct_error *err)
{
    struct streams_config config = streams_config(monitor);

    monitor->streams = streams_new(&config, err);
    for (size_t i = 0; i < n; i++) {
        if (!monitor->streams || streams_attach(monitor->streams, &clients[i], err) < 0) {
            close_all(clients + i, n - i);
            return -1;
        }
    }
    return monitor->streams ? 0 : -1;
}

/* The driver's job. */

static int make_state_dir(const struct container *container, char **ret_path, struct ct_error *err)
{
    *ret_path = ct_join(container->run_dir, "driver");
    CT_AUTO_CLOSE int made = ct_mkdirs(*ret_path, 0700, err);
    return made < 0 ? -1 : 0;
}

static int create_job(struct monitor *monitor, struct spec *spec, int timeout_ms,
                      struct ct_error *err)
{
    const struct container *container = monitor->container;
    CT_AUTO_FREE char *rootfs = rootfs_path(container);
    CT_AUTO_FREE char *state_dir = NULL;
    int kept[STREAMS_KEPT_MAX];

    if (sharing_build(monitor, spec, err) < 0 || make_state_dir(container, &state_dir, err) < 0 ||
        exec_forget(container->id, state_dir, err) < 0) { /* of a start that was killed half way */
        return -1;
    }
    CT_SPAN(err, CT_ROLE_MONITOR, CT_STEP_CREATE, "exec_create(%.12s, %s)", container->id,
            spec->exec.program.argv[0]);
    spec->exec.rootfs = rootfs;
    spec->exec.state_dir = state_dir;
    streams_program_ends(monitor->streams, spec->exec.program.stdio);
    exec_keep(kept, streams_kept(monitor->streams, kept));
    monitor->job = exec_create(&spec->exec, timeout_ms, err);
    exec_keep(NULL, 0);
    return monitor->job ? 0 : -1;
}

static int build_and_create(struct monitor *monitor, int rootfs_fd, int timeout_ms,
                            struct ct_error *err)
{
    struct spec spec;

    if (spec_build(monitor->container, rootfs_fd, &spec, err) < 0) {
        return -1;
    }
    int result = create_job(monitor, &spec, timeout_ms, err);
    spec_done(&spec);
    return result;
}

/* Everything up to the program that waits to be let go. */
static int prepare(struct monitor *monitor, const struct streams_client *clients, size_t n,
                   int timeout_ms, struct ct_error *err)
{
    struct container *container = monitor->container;
    CT_AUTO_CLOSE int rootfs_fd = -1;
    CT_AUTO_JSON json_t *no_endpoints = json_object();

    if (open_log(monitor, false, err) < 0) {
        close_all(clients, n);
        return -1;
    }
    if (open_streams(monitor, clients, n, err) < 0 || mount_rootfs(monitor, &rootfs_fd, err) < 0 ||
        files_write(monitor, no_endpoints, err) < 0 || fill_volumes(monitor, rootfs_fd, err) < 0 ||
        sharing_mount(container, err) < 0 ||
        build_and_create(monitor, rootfs_fd, timeout_ms, err) < 0 ||
        state_preparing(container, exec_save(monitor->job), err) < 0) {
        return -1;
    }
    return connect_networks(monitor, err);
}

static int let_go(struct monitor *monitor, int timeout_ms, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_MONITOR, CT_STEP_START, "exec_start(%.12s)", monitor->container->id);

    if (exec_start(monitor->job, timeout_ms, err) < 0) {
        return -1;
    }
    monitor->started_ns = ct_monotonic_ns();
    if (streams_begin(monitor->streams, err) < 0) {
        return -1;
    }
    /* Saved again: whoever adopts the job is to know that its program runs. */
    ct_json_set(monitor->container->state, "Job", exec_save(monitor->job));
    return state_running(monitor->container, exec_pid(monitor->job), err);
}

static int unmount_rootfs(const struct container *container, struct ct_error *err)
{
    CT_AUTO_FREE char *target = rootfs_path(container);

    if (faccessat(container->dir_fd, "rootfs", F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
        return 0;
    }
    return snapshot_unmount(target, err);
}

/* Warnings instead of errors: it goes on to the end. */
void run_take_down(struct monitor *monitor)
{
    struct ct_error err = {0};
    char line[400];

    loop_unwatch(monitor->job_end);
    monitor->job_end = NULL;
    if (monitor->job && exec_delete(monitor->job, &err) < 0) {
        ct_warn("%s", ct_error_render(&err, line, sizeof(line)));
    }
    monitor->job = NULL;
    disconnect_networks(monitor);
    ct_error_clear(&err);
    if (unmount_rootfs(monitor->container, &err) < 0) {
        ct_warn("%s", ct_error_render(&err, line, sizeof(line)));
    }
    ct_error_clear(&err);
    if (sharing_unmount(monitor->container, &err) < 0) {
        ct_warn("%s", ct_error_render(&err, line, sizeof(line)));
    }
    close_log(monitor);
}

int run_start(struct monitor *monitor, const struct streams_client *clients, size_t n_clients,
              int timeout_ms, struct ct_error *err)
{
    int64_t deadline_ns = ct_monotonic_ns() + (int64_t)timeout_ms * 1000000;

    if (prepare(monitor, clients, n_clients, timeout_ms, err) == 0) {
        int64_t left_ms = (deadline_ns - ct_monotonic_ns()) / 1000000;
        if (let_go(monitor, left_ms > 1 ? (int)left_ms : 1, err) == 0) {
            return 0;
        }
    }
    if (monitor->job) {
        struct ct_error ignored = {0}; /* err keeps the first cause */
        (void)exec_kill_all(monitor->job, &ignored);
    }
    run_take_down(monitor);
    streams_free(monitor->streams);
    monitor->streams = NULL;
    return -1;
}

void run_release(struct monitor *monitor)
{
    loop_unwatch(monitor->job_end);
    monitor->job_end = NULL;
    dns_close(monitor->dns);
    monitor->dns = NULL;
    network_store_close(monitor->networks);
    monitor->networks = NULL;
    streams_free(monitor->streams);
    monitor->streams = NULL;
    release_log(monitor);
    exec_release(monitor->job);
    monitor->job = NULL;
}

/* The killed monitor's resolver went with it. */
static int resolve_again(struct monitor *monitor, struct ct_error *err)
{
    json_t *endpoints = json_object_get(monitor->container->state, "Endpoints");
    if (ct_json_count(endpoints) == 0) {
        return 0;
    }
    CT_AUTO_CLOSE int netns = open_netns(exec_pid(monitor->job), err);
    return netns < 0 ? -1 : resolve_names(monitor, netns, endpoints, err);
}

static bool has_ended(const struct exec_job *job)
{
    struct ct_error ignored = {0};
    return ct_wait_readable(exec_wait_fd(job), -1, 0, &ignored) > 0;
}

/* When its program began, on the monotonic clock. */
static int64_t started_before(const struct container *container)
{
    struct ct_error unknown = {0};
    int64_t started_ns = 0;
    int64_t age_ns =
        ct_time_parse(ct_json_string(container->state, "StartedAt", ""), &started_ns, &unknown) < 0
            ? 0
            : ct_now_ns() - started_ns;
    return ct_monotonic_ns() - (age_ns > 0 ? age_ns : 0);
}

int run_adopt(struct monitor *monitor, struct ct_error *err)
{
    struct container *container = monitor->container;
    CT_SPAN(err, CT_ROLE_MONITOR, CT_STEP_CREATE, "exec_adopt(%.12s)", container->id);
    int kept[STREAMS_KEPT_MAX] = {-1, -1};

    monitor->job =
        exec_adopt(json_object_get(container->state, "Job"), kept, STREAMS_KEPT_MAX, err);
    if (!monitor->job) {
        return -1;
    }
    monitor->networks =
        network_store_open(monitor->places.networks, monitor->places.run_networks, err);
    if (!monitor->networks || open_log(monitor, true, err) < 0) {
        goto undo_adopt;
    }
    /* Of one that has ended meanwhile, or ends at this moment, there is only the end to be seen. */
    if (!has_ended(monitor->job) && resolve_again(monitor, err) < 0) {
        if (!has_ended(monitor->job)) {
            goto undo_adopt;
        }
        ct_error_clear(err);
    }
    struct streams_config config = streams_config(monitor);
    monitor->streams = streams_adopt(&config, kept, err);
    if (!monitor->streams || streams_begin(monitor->streams, err) < 0) {
        goto undo_adopt;
    }
    ct_json_set(container->state, "MonitorPid", json_integer(getpid()));
    ct_json_set(container->state, "Job", exec_save(monitor->job));
    monitor->started_ns = started_before(container);
    struct ct_error unsaved = {0};
    if (container_save_state(container, &unsaved) < 0) { /* what is recorded will do as well */
        ct_warn("%s", unsaved.frame[0].what);
    }
    return 0;

undo_adopt: /* the container runs on; the next command tries again */
    run_release(monitor);
    return -1;
}

static void note_error(struct run_end *end, const struct ct_error *err)
{
    (void)ct_error_render(err, end->error, sizeof(end->error));
}

void run_see_end(struct monitor *monitor, struct run_end *ret)
{
    CT_SPAN(NULL, CT_ROLE_MONITOR, CT_STEP_CLEANUP, "end of %.12s", monitor->container->id);
    struct ct_error err = {0};
    struct exec_stats stats = {0};
    int status = 0;

    *ret = (struct run_end){.exit_code = 255};
    /* What outlives the first process may hold its pipes: it goes now, as with its PID namespace.
     */
    if (exec_kill_all(monitor->job, &err) < 0 && err.kind != CT_NOT_FOUND) {
        ct_warn("kill what is left of %.12s: %s", monitor->container->id, err.frame[0].what);
    }
    ct_error_clear(&err);
    execs_end(monitor);
    streams_finish(monitor->streams, LAST_OUTPUT_MS);
    ret->oom_killed = exec_stats(monitor->job, &stats, &err) == 0 && stats.oom_killed;
    ct_error_clear(&err); /* its cgroup may be gone: then nobody knows */
    if (exec_result(monitor->job, &status, &err) == 0) {
        ret->exit_code = ct_exit_code(status);
    } else {
        ret->exit_code = err.kind == CT_UNREACHABLE ? 137 : 255;
        note_error(ret, &err);
    }
}

void run_finish(struct monitor *monitor, struct run_end *ret)
{
    run_see_end(monitor, ret);
    run_take_down(monitor);
}

int run_clean_up(const struct places *places, struct container *container, struct ct_error *err)
{
    CT_AUTO_FREE char *state_dir = NULL;
    if (make_state_dir(container, &state_dir, err) < 0 ||
        exec_forget(container->id, state_dir, err) < 0) {
        return -1;
    }
    struct network_store *networks =
        network_store_open(places->networks, places->run_networks, err);
    int result = networks ? network_forget(networks, container->id, err) : -1;

    network_store_close(networks);
    return result < 0 || sharing_unmount(container, err) < 0 ? -1 : unmount_rootfs(container, err);
}

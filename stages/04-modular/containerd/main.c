/*
 * main.c - cutaway-containerd: opens what it keeps, finds the shims that run, listens.
 *
 * Room:       containerd.
 * Called by:  the user, cutawayd of stage 04; in the place of containerd by anybody.
 *
 * It holds nothing that it could not find again: metadata is in a database, bytes are in files, and
 * each running container is held by its shim. So it may be killed at any time.
 */
#include "tasks.h"

#include "containerd_options.h"
#include "listen.h"
#include "publish.h"

#include "file.h"
#include "log.h"
#include "span.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct grpc_service *const services[] = {
    &version_service,  &introspection_service, &health_service, &namespaces_service,
    &events_service,   &leases_service,        &images_service, &containers_service,
    &content_service,  &snapshots_service,     &diff_service,   &tasks_service,
    &networks_service, &volumes_service,
};

/* ---- before each call ----------------------------------------------------------------------- */

/* These answer without a namespace: what they say is the same in all. */
static bool needs_namespace(const char *path)
{
    static const char *const none[] = {"/containerd.services.version.",
                                       "/containerd.services.introspection.",
                                       "/containerd.services.namespaces.",
                                       "/containerd.services.events.v1.Events/Subscribe",
                                       "/containerd.services.events.v1.Events/Forward",
                                       "/grpc.health."};

    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        if (strncmp(path, none[i], strlen(none[i])) == 0) {
            return false;
        }
    }
    return true;
}

static int check_call(struct grpc_call *call, struct ct_error *err)
{
    const char *name = grpc_metadata(call, "containerd-namespace");

    if (!needs_namespace(grpc_path(call))) {
        return 0;
    }
    if (!name || !*name) {
        return ct_refuse(err, CT_CONFLICT, "namespace is required");
    }
    return check_identifier("namespace", name, err);
}

/* ---- opening -------------------------------------------------------------------------------- */

static int make_directory(const char *path, struct ct_error *err)
{
    int fd = ct_mkdirs(path, 0700, err);

    ct_cleanup_close(&fd);
    return fd < 0 ? -1 : 0;
}

/* Below the root, made when it is missing. */
static int open_directory(struct containerd *containerd, const char *name, int *ret_fd,
                          struct ct_error *err)
{
    CT_AUTO_FREE char *path = ct_join(containerd->root, name);

    *ret_fd = ct_mkdirs(path, 0700, err);
    return *ret_fd < 0 ? -1 : 0;
}

static int lock_root(struct containerd *containerd, struct ct_error *err)
{
    int fd = ct_lock_at(containerd->root_fd, "lock", CT_LOCK_EXCLUSIVE, 0, err);

    if (fd < 0 && err->kind == CT_TIMEOUT) {
        ct_error_clear(err);
        (void)ct_refuse(err, CT_EXISTS, "start: another cutaway-containerd works on '%.100s'",
                        containerd->root);
        return ct_hint(err, "use that one, or choose another --root");
    }
    return fd;
}

/* Clients recognize a containerd by it. Made once. */
static int read_uuid(struct containerd *containerd, struct ct_error *err)
{
    struct ct_error ignored = {0};
    CT_AUTO_FREE char *text = NULL;
    char digits[33];

    if (ct_read_file_at(containerd->root_fd, "uuid", 36, &text, &ignored) == 36) {
        (void)strcpy(containerd->uuid, text);
        return 0;
    }
    ct_random_hex(digits, 16);
    digits[12] = '4'; /* RFC 9562: version 4, variant 8 */
    digits[16] = '8';
    (void)snprintf(containerd->uuid, sizeof(containerd->uuid), "%.8s-%.4s-%.4s-%.4s-%.12s", digits,
                   digits + 8, digits + 12, digits + 16, digits + 20);
    return ct_write_file_at(containerd->root_fd, "uuid", containerd->uuid, 36, 0600, err);
}

static int open_parts(struct containerd *containerd, struct ct_error *err)
{
    CT_AUTO_FREE char *database = ct_join(containerd->root, "metadata.db");

    containerd->bus = bus_new();
    containerd->spaces = spaces_open(containerd);
    containerd->store = store_open(database, err);
    if (!containerd->store || read_uuid(containerd, err) < 0 ||
        open_directory(containerd, "content/blobs/sha256", &containerd->blobs_fd, err) < 0 ||
        open_directory(containerd, "content/ingest", &containerd->ingest_fd, err) < 0 ||
        open_directory(containerd, "snapshots/" SNAPSHOTTER, &containerd->snapshots_fd, err) < 0) {
        return -1;
    }
    containerd->collector = collector_open(containerd, err);
    return containerd->collector ? 0 : -1;
}

static void close_parts(struct containerd *containerd)
{
    tasks_close(containerd->tasks);
    collector_close(containerd->collector);
    spaces_close(containerd->spaces);
    store_close(containerd->store);
    bus_free(containerd->bus);
    ct_cleanup_close(&containerd->root_fd);
    ct_cleanup_close(&containerd->blobs_fd);
    ct_cleanup_close(&containerd->ingest_fd);
    ct_cleanup_close(&containerd->snapshots_fd);
    free(containerd->root);
    free(containerd->state);
    free(containerd->address);
}

static int find_places(struct containerd *containerd, const struct options *options,
                       struct ct_error *err)
{
    containerd->root = ct_path_absolute(options->root, err);
    containerd->state = ct_path_absolute(options->state, err);
    if (!containerd->root || !containerd->state) {
        return -1;
    }
    if (strpbrk(containerd->root, ":,\\")) { /* they end a name in overlayfs's options */
        return ct_refuse(err, CT_INVALID, "--root '%.100s': not with : , or \\ in it",
                         containerd->root);
    }
    containerd->address = options->address ? ct_path_absolute(options->address, err)
                                           : ct_join(containerd->state, "containerd.sock");
    containerd->root_fd = ct_mkdirs(containerd->root, 0700, err);
    return containerd->address && containerd->root_fd >= 0 &&
                   make_directory(containerd->state, err) == 0
               ? 0
               : -1;
}

/* ---- life ----------------------------------------------------------------------------------- */

/* Blocked before any thread is there; SIGTERM and SIGINT then come to sigwait(). */
static void block_signals(sigset_t *ret)
{
    (void)sigemptyset(ret);
    (void)sigaddset(ret, SIGTERM);
    (void)sigaddset(ret, SIGINT);
    (void)sigprocmask(SIG_BLOCK, ret, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
}

static int serve(struct containerd *containerd, const struct options *options,
                 const sigset_t *signals, struct ct_error *err)
{
    int fd = listen_unix(containerd->address, options->group, err);
    int number;

    if (fd < 0) {
        return -1;
    }
    struct shim_events *events = shim_events_open(containerd, options->group, err);
    if (!events) {
        ct_cleanup_close(&fd);
        return -1;
    }
    if (!tasks_open(containerd, err)) {
        ct_cleanup_close(&fd);
        shim_events_close(events);
        return -1;
    }
    spaces_restore(containerd);
    struct grpc_server *server = grpc_server_open(
        fd, services, sizeof(services) / sizeof(services[0]), check_call, containerd, err);
    if (!server) {
        shim_events_close(events);
        return -1;
    }
    ct_info("listening address=%s", containerd->address);
    (void)sigwait(signals, &number);
    ct_info("ending signal=%d", number);
    (void)unlink(containerd->address);
    grpc_server_close(server);
    shim_events_close(events);
    return 0;
}

/* For clients that trace without BPF: their recorder makes its files in RUN/trace, and STATE lies
 * in RUN. */
static void collect_spans(const char *state)
{
    struct ct_error err = {0};
    CT_AUTO_FREE char *run = ct_strdup(state);

    *strrchr(run, '/') = '\0';
    if (*run && ct_span_collect(run, &err) < 0) {
        ct_info("spans for clients are not collected: %s", err.frame[0].what);
    }
}

static int run(struct containerd *containerd, const struct options *options, struct ct_error *err)
{
    sigset_t signals;

    block_signals(&signals);
    if (find_places(containerd, options, err) < 0) {
        return -1;
    }
    CT_AUTO_CLOSE int lock = lock_root(containerd, err);
    if (lock < 0 || open_parts(containerd, err) < 0) {
        return -1;
    }
    collect_spans(containerd->state);
    return serve(containerd, options, &signals, err);
}

int main(int argc, char **argv)
{
    struct containerd containerd = {
        .root_fd = -1, .blobs_fd = -1, .ingest_fd = -1, .snapshots_fd = -1};
    struct options options;
    struct ct_error err = {0};

    options_parse(argc, argv, &options);
    if (options.publish) {
        if (publish_event(options.address, options.namespace_, options.topic, &err) < 0) {
            ct_error_print(stderr, "cutaway-containerd", &err);
            return 1;
        }
        return 0;
    }
    (void)umask(0022);             /* what is ours alone lies below directories of mode 0700 */
    (void)mallopt(M_ARENA_MAX, 2); /* see cutawayd: an arena a thread would hold much more */
    int result = run(&containerd, &options, &err);
    close_parts(&containerd);
    if (result < 0) {
        ct_error_print(stderr, "cutaway-containerd", &err);
        return 1;
    }
    return 0;
}

/*
 * create.c - the runtime's side of a creation: everything in its order, and back when it fails.
 *
 * Room:       libcontainer.   Called by: see libcontainer.h.
 * Spec:       runtime.md, "Create", "Lifecycle".
 *
 * Whatever is made in the world stands in state.json before it is made. So a creation that is
 * killed between any two steps leaves what lc_delete() finds: a directory, perhaps cgroups, and a
 * process that ends by itself when it reads the end of our socket.
 */
#define CT_LAYER "runtime"
#include "container_internal.h"
#include "init.h"
#include "launch.h"
#include "sync.h"
#include "terminal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "span.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a creation holds while it goes on. */
struct creation {
    const struct lc_create *request;
    struct lc_configuration configuration;
    struct lc_container *container;
    struct lc_seccomp seccomp;
    struct lc_joins joins;
    int *sources; /* of binds */
    int sync[2];  /* [0] is ours */
    int listen_fd, console_fd;
    int64_t deadline_ns;
};

/* ---- before anything is made ---------------------------------------------------------------- */

static int check_request(const struct lc_create *request, const struct lc_configuration *c,
                         struct ct_error *err)
{
    if (request->systemd_cgroup) {
        return ct_refuse(err, CT_UNSUPPORTED, "make cgroups through systemd: not yet");
    }
    if (c->program.terminal && !request->console_socket) {
        return ct_refuse(err, CT_INVALID, "process.terminal: there is no console socket for it");
    }
    if (!c->program.terminal && request->console_socket) {
        return ct_refuse(err, CT_INVALID, "use a console socket: process.terminal is not set");
    }
    return lc_check_preserved(request->preserve_fds, err);
}

static int configure(struct creation *creation, struct ct_error *err)
{
    const struct lc_create *request = creation->request;
    CT_SPAN(err, CT_ROLE_RUNTIME, CT_STEP_VALIDATE, "%s/config.json", request->bundle);
    CT_AUTO_FREE char *bundle = ct_path_absolute(request->bundle, err);
    CT_AUTO_JSON json_t *document = !bundle           ? NULL
                                    : request->config ? json_incref((json_t *)request->config)
                                                      : lc_configuration_read(bundle, err);

    if (!document || lc_configuration_parse(document, bundle, &creation->configuration, err) < 0) {
        return -1;
    }
    return check_request(request, &creation->configuration, err) < 0
               ? -1
               : lc_seccomp_compile(creation->configuration.seccomp, &creation->seccomp, err);
}

/* ---- the record ----------------------------------------------------------------------------- */

static void describe(struct creation *creation, const char *bundle)
{
    const json_t *document = creation->configuration.document;
    json_t *annotations = json_object_get(document, "annotations");
    json_t *hooks = json_object_get(document, "hooks");
    json_t *state = creation->container->state;
    char now[CT_TIME_TEXT];

    ct_json_set_string(state, "id", creation->request->id);
    ct_json_set_string(state, "bundle", bundle);
    ct_json_set_string(state, "rootfs", creation->configuration.rootfs);
    ct_json_set_string(state, "created", ct_time_format(ct_now_ns(), now));
    ct_json_set(state, "owner",
                geteuid() == 0 ? json_string("root") : json_sprintf("%u", geteuid()));
    ct_json_set(state, "cgroup", lc_cgroup_save(creation->container->cgroup));
    if (annotations) {
        ct_json_set(state, "annotations", json_incref(annotations));
    }
    if (hooks) {
        ct_json_set(state, "hooks", json_incref(hooks));
    }
}

static int record(struct creation *creation, struct ct_error *err)
{
    struct lc_container *container = creation->container;
    CT_AUTO_FREE char *bundle = ct_path_absolute(creation->request->bundle, err);

    enum lc_rootless rootless = creation->request->rootless;
    bool may_go_without =
        rootless == LC_ROOTLESS_AUTO ? geteuid() != 0 : rootless == LC_ROOTLESS_YES;
    container->cgroup =
        lc_cgroup_new(creation->configuration.cgroups_path, container->id, may_go_without, err);
    if (!bundle || !container->cgroup) {
        return -1;
    }
    describe(creation, bundle);
    if (lc_container_save_configuration(container, creation->configuration.document, err) < 0) {
        return -1;
    }
    return lc_container_save(container, err);
}

/* ---- the process ---------------------------------------------------------------------------- */

/* Sources of binds, where the container's own users could not reach them, or must be mapped. */
static int open_sources(struct creation *creation, struct ct_error *err)
{
    const struct lc_configuration *c = &creation->configuration;
    bool all = geteuid() == 0 && lc_namespaces_has(&c->namespaces, LC_NS_USER);

    creation->sources = calloc(c->n_mounts + 1, sizeof(int));
    if (!creation->sources) {
        return ct_fail(err, ENOMEM, "remember the sources of mounts");
    }
    for (size_t i = 0; i < c->n_mounts; i++) {
        creation->sources[i] = -1;
    }
    for (size_t i = 0; i < c->n_mounts; i++) {
        const struct lc_mount *mount = &c->mounts[i];
        bool mapped = mount->attributes.idmap || mount->idmap.n_uids > 0;
        if (mount->attributes.bind && (all || mapped)) {
            creation->sources[i] = lc_mount_open_source(mount, &c->idmap, err);
            if (creation->sources[i] < 0) {
                return ct_while(err, "mount '%.60s' on '%.80s'", mount->source, mount->destination);
            }
        }
    }
    return 0;
}

static int open_all(struct creation *creation, struct ct_error *err)
{
    const char *console = creation->request->console_socket;

    if (lc_joins_open(&creation->configuration.namespaces, &creation->joins, err) < 0 ||
        open_sources(creation, err) < 0) {
        return -1;
    }
    if (console && (creation->console_fd = lc_terminal_connect(console, err)) < 0) {
        return -1;
    }
    creation->listen_fd = lc_start_listen(creation->container, err);
    return creation->listen_fd < 0 ? -1 : lc_sync_open(creation->sync, err);
}

static int limit(struct creation *creation, struct ct_error *err)
{
    struct lc_cgroup *cgroup = creation->container->cgroup;
    CT_SPAN(err, CT_ROLE_RUNTIME, CT_STEP_LIMIT, "cgroup %s",
            creation->configuration.cgroups_path ? creation->configuration.cgroups_path : "");

    if (lc_cgroup_create(cgroup, err) < 0) {
        return -1;
    }
    return lc_cgroup_set(cgroup, &creation->configuration.resources, err);
}

/* In the child: what is the runtime's alone goes at once. */
static void child(void *context)
{
    struct creation *creation = context;
    const struct lc_create *request = creation->request;
    CT_AUTO_JSON json_t *state = lc_container_state_as(creation->container, "creating");
    struct lc_init init = {.configuration = &creation->configuration,
                           .seccomp = &creation->seccomp,
                           .cgroup = creation->container->cgroup,
                           .joins = &creation->joins,
                           .id = creation->container->id,
                           .state = state,
                           .sources = creation->sources,
                           .sync_fd = creation->sync[1],
                           .listen_fd = creation->listen_fd,
                           .console_fd = creation->console_fd,
                           .preserve_fds = request->preserve_fds,
                           .own_terminal = request->own_terminal,
                           .no_pivot = request->no_pivot,
                           .no_new_keyring = request->no_new_keyring};

    (void)close(creation->sync[0]); /* else we would wait for ourselves when the runtime dies */
    (void)close(creation->container->lock_fd);
    memcpy(init.stdio, request->stdio, sizeof(init.stdio));
    lc_init_main(&init);
}

static int launch(struct creation *creation, struct ct_error *err)
{
    struct lc_container *container = creation->container;
    const struct lc_launch launch = {.make = creation->configuration.namespaces.make,
                                     .joins = &creation->joins,
                                     .cgroup_fd = lc_cgroup_fd(container->cgroup),
                                     .time_offsets = creation->configuration.time_offsets,
                                     .child = child,
                                     .context = creation};

    if (lc_launch(&launch, &container->pid, &container->pidfd, err) < 0) {
        return -1;
    }
    ct_cleanup_close(&creation->sync[1]); /* the child's end must be the only one */
    creation->sync[1] = -1;
    return 0;
}

/* What can only be done to it from outside. */
static int equip(struct creation *creation, struct ct_error *err)
{
    struct lc_container *container = creation->container;
    const struct lc_configuration *c = &creation->configuration;

    if ((c->namespaces.make & CLONE_NEWUSER)) {
        CT_SPAN(err, CT_ROLE_RUNTIME, CT_STEP_MAP_IDS, "%zu and %zu lines", c->idmap.n_uids,
                c->idmap.n_gids);
        if (lc_idmap_write(container->pid, &c->idmap, err) < 0) {
            return -1;
        }
    }
    if (lc_equip_program(&c->program, container->pid, err) < 0 ||
        lc_netdevs_move(c->netdevs, c->n_netdevs, container->pid, err) < 0) {
        return -1;
    }
    return lc_sync_send(creation->sync[0], LC_SYNC_MAPPED, -1, err);
}

static int run_hooks(struct creation *creation, struct ct_error *err)
{
    const struct lc_hooks *hooks = &creation->configuration.hooks;
    CT_AUTO_JSON json_t *state = lc_container_state_as(creation->container, "creating");

    if (!lc_init_pauses(&creation->configuration)) {
        return 0;
    }
    if (lc_sync_expect(creation->sync[0], LC_SYNC_MOUNTED, creation->deadline_ns, NULL, err) < 0 ||
        lc_hooks_run(hooks, LC_HOOK_PRESTART, state, err) < 0 ||
        lc_hooks_run(hooks, LC_HOOK_CREATE_RUNTIME, state, err) < 0) {
        return -1;
    }
    return lc_sync_send(creation->sync[0], LC_SYNC_GO_ON, -1, err);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static int create(struct creation *creation, struct ct_error *err)
{
    struct lc_container *container = creation->container;

    if (record(creation, err) < 0 || limit(creation, err) < 0 || open_all(creation, err) < 0 ||
        launch(creation, err) < 0 || equip(creation, err) < 0) {
        return -1;
    }
    /* Meanwhile it mounts: the two sides work at the same time. */
    if (lc_container_set_process(container, container->pid, container->pidfd, err) < 0 ||
        run_hooks(creation, err) < 0) {
        return -1;
    }
    CT_SPAN(err, CT_ROLE_RUNTIME, CT_STEP_SYNC, "ready");
    return lc_sync_expect(creation->sync[0], LC_SYNC_READY, creation->deadline_ns, NULL, err);
}

/* Ends and reaps the process, and takes back everything that was made. */
static void undo(struct creation *creation)
{
    struct lc_container *container = creation->container;
    struct ct_error ignored = {0}; /* the caller has the first cause */

    if (container->pid > 0) {
        (void)kill(container->pid, SIGKILL); /* ours, and not reaped: still the same */
        (void)waitpid(container->pid, NULL, __WALL);
    }
    if (container->cgroup) {
        (void)lc_cgroup_remove(container->cgroup, &ignored);
    }
    (void)lc_container_forget(container, &ignored);
    lc_close(container);
    creation->container = NULL;
}

static void release(struct creation *creation)
{
    for (size_t i = 0; creation->sources && i < creation->configuration.n_mounts; i++) {
        ct_cleanup_close(&creation->sources[i]);
    }
    free(creation->sources);
    lc_joins_close(&creation->joins);
    ct_cleanup_close(&creation->sync[0]);
    ct_cleanup_close(&creation->sync[1]);
    ct_cleanup_close(&creation->listen_fd);
    ct_cleanup_close(&creation->console_fd);
    lc_seccomp_done(&creation->seccomp);
    lc_configuration_done(&creation->configuration);
}

struct lc_container *lc_create(const struct lc_create *request, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_RUNTIME, CT_STEP_CREATE, "%s", request->id);
    struct creation creation = {.request = request,
                                .joins = LC_JOINS_NONE,
                                .sync = {-1, -1},
                                .listen_fd = -1,
                                .console_fd = -1,
                                .deadline_ns = lc_deadline(request->timeout_ms)};

    if (lc_check_id(request->id, err) == 0 && configure(&creation, err) == 0) {
        creation.container = lc_container_make(request->root, request->id, err);
        if (creation.container && create(&creation, err) < 0) {
            undo(&creation);
        }
    }
    if (creation.container) {
        lc_container_unlock(creation.container);
    }
    release(&creation);
    return creation.container ? creation.container
                              : ct_while_null(err, "create '%.60s'", request->id);
}

/*
 * streams.c - attach, resize and logs.
 *
 * Room:       engine.   Called by: cli, rest.
 * Spec:       Docker Engine API 1.43, "Attach to a container" (stream format), "Get logs".
 */
#define CT_LAYER "engine"
#include "engine_containers.h"
#include "engine_internal.h"

#include "cleanup.h"
#include "json.h"
#include "logs.h"
#include "path.h"
#include "process.h"
#include "span.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void free_pending(struct engine_pending *pending)
{
    ct_cleanup_close(&pending->fd);
    free(pending->detach_keys);
    free(pending);
}

/* Nobody reads any more: the client went before the container was started. */
static bool is_abandoned(const struct engine_pending *pending)
{
    struct pollfd peer = {.fd = pending->fd};
    return poll(&peer, 1, 0) > 0 && (peer.revents & POLLHUP);
}

struct engine_pending *engine_take_pending(struct engine *engine, const char *id)
{
    struct engine_pending *taken = NULL;

    (void)pthread_mutex_lock(&engine->mutex);
    struct engine_pending **slot = &engine->pending;
    while (*slot) {
        struct engine_pending *pending = *slot;
        bool abandoned = is_abandoned(pending);
        if (!abandoned && id && strcmp(pending->id, id) != 0) {
            slot = &pending->next;
            continue;
        }
        *slot = pending->next;
        if (abandoned) {
            free_pending(pending);
        } else {
            pending->next = taken;
            taken = pending;
        }
    }
    (void)pthread_mutex_unlock(&engine->mutex);
    return taken;
}

void engine_free_pending(struct engine_pending *list)
{
    while (list) {
        struct engine_pending *next = list->next;
        free_pending(list);
        list = next;
    }
}

/* The container does not run yet: one end waits here for the start, the other is the caller's. */
static int attach_later(struct engine *engine, const struct container *container,
                        const struct engine_attach *how, int *ret_fd, struct ct_error *err)
{
    int ends[2];
    struct engine_pending *pending = calloc(1, sizeof(*pending));

    if (!pending || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        int saved = pending ? errno : ENOMEM;
        free(pending);
        return ct_fail(err, saved, "make a stream");
    }
    *pending = (struct engine_pending){.fd = ends[1],
                                       .in = how->in,
                                       .out = how->out,
                                       .err = how->err,
                                       .detach_keys =
                                           how->detach_keys ? ct_strdup(how->detach_keys) : NULL};
    (void)snprintf(pending->id, sizeof(pending->id), "%s", container->id);
    (void)pthread_mutex_lock(&engine->mutex);
    pending->next = engine->pending;
    engine->pending = pending;
    (void)pthread_mutex_unlock(&engine->mutex);
    *ret_fd = ends[0];
    return 0;
}

static int check_not_paused(const struct container *container, struct ct_error *err)
{
    return strcmp(container_status(container), "paused") != 0
               ? 0
               : ct_refuse(err, CT_CONFLICT,
                           "you cannot attach to a paused container, unpause it first");
}

static int open_stream(struct engine *engine, struct container *container,
                       const struct engine_attach *how, struct log_past *ret_past, int *ret_fd,
                       struct ct_error *err)
{
    struct monitor_stream wanted = {
        .in = how->in, .out = how->out, .err = how->err, .detach_keys = how->detach_keys};

    return container_is_running(container)
               ? monitor_attach(container, &wanted, ret_past, ret_fd, err)
               : attach_later(engine, container, how, ret_fd, err);
}

/* The log alone, as it is now. A monitor is asked for it, because only that knows of no rotation
 * meanwhile; what else it gives is let go. */
static int open_log(struct container *container, struct log_past *ret, struct ct_error *err)
{
    CT_AUTO_FREE char *dir = container_log_dir(container);
    CT_AUTO_CLOSE int stream = -1;
    struct monitor_stream nothing = {.fd = -1};

    return container_is_running(container) ? monitor_attach(container, &nothing, ret, &stream, err)
                                           : log_past_open(dir, container->id, ret, err);
}

/* The stream behind the log, or one of them. The caller holds the lock unless the container runs.
 */
static int open_replay(struct engine *engine, struct container *container,
                       const struct engine_attach *how, int *ret_fd, struct ct_error *err)
{
    bool running = container_is_running(container);
    struct replay replay = {.program = -1,
                            .raw = ct_json_bool(container->config, "Config.Tty", false),
                            .query = {.want_stdout = how->out, .want_stderr = how->err}};

    if (how->logs && !(running && how->stream) && open_log(container, &replay.past, err) < 0) {
        return -1;
    }
    if (how->stream && open_stream(engine, container, how, running ? &replay.past : NULL,
                                   &replay.program, err) < 0) {
        log_past_close(&replay.past);
        return -1;
    }
    return replay_begin(&replay, ret_fd, err);
}

static int attach(struct engine *engine, struct container *container,
                  const struct engine_attach *how, int *ret_fd, struct ct_error *err)
{
    if (check_not_paused(container, err) < 0) {
        return -1;
    }
    int result = how->stream && !how->logs ? open_stream(engine, container, how, NULL, ret_fd, err)
                                           : open_replay(engine, container, how, ret_fd, err);
    if (result == 0) {
        engine_container_event(engine, container, "attach", NULL, NULL);
    }
    return result;
}

/* Locked, it cannot be started between a look at its log and the wait for its stream. */
static int attach_locked(struct engine *engine, const char *ref, const struct engine_attach *how,
                         int *ret_fd, struct ct_error *err)
{
    struct container *container = engine_lock_container(engine, ref, err);
    int result = container ? attach(engine, container, how, ret_fd, err) : -1;

    container_free(container);
    return result;
}

/* A container that ends just now is no failure for who wants to see what it printed. */
static bool may_have_ended(const struct ct_error *err)
{
    return err->kind == CT_CONFLICT || err->kind == CT_UNREACHABLE;
}

int engine_container_attach(struct engine *engine, const char *ref, const struct engine_attach *how,
                            int *ret_fd, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_ATTACH, "engine_container_attach(%s)", ref);
    struct container *container = engine_find_container(engine, ref, err);
    bool needs_lock = container && how->logs && !container_is_running(container);
    int result = container && !needs_lock ? attach(engine, container, how, ret_fd, err) : -1;

    if (container && how->logs && result < 0 && (needs_lock || may_have_ended(err))) {
        ct_error_clear(err);
        result = attach_locked(engine, ref, how, ret_fd, err);
    }
    container_free(container);
    return result < 0 ? ct_while(err, "attach to '%.64s'", ref) : 0;
}

int engine_container_resize(struct engine *engine, const char *ref, unsigned height, unsigned width,
                            struct ct_error *err)
{
    struct container *container = engine_find_container(engine, ref, err);
    int result = container ? engine_require_running(container, err) : -1;

    if (result == 0) {
        result = monitor_resize(container, NULL, height, width, err);
    }
    container_free(container);
    return result < 0 ? ct_while(err, "resize '%.64s'", ref) : 0;
}

static struct log_query to_log_query(const struct engine_logs *query)
{
    return (struct log_query){.want_stdout = query->want_stdout,
                              .want_stderr = query->want_stderr,
                              .timestamps = query->timestamps,
                              .details = query->details,
                              .follow = query->follow,
                              .since_ns = query->since_ns,
                              .until_ns = query->until_ns,
                              .tail = query->tail};
}

/* Follows until the monitor leaves: it does when the container has ended for good, its output
 * delivered. */
static int follow_logs(const struct container *container, const char *dir, struct log_query *query,
                       bool raw, int out_fd, int cancel_fd, struct ct_error *err)
{
    struct ct_error gone = {0};
    CT_AUTO_CLOSE int ended_fd = monitor_end_fd(container, &gone);

    query->follow = ended_fd >= 0;
    return log_read(dir, container->id, query, raw, out_fd, ended_fd, cancel_fd, err);
}

int engine_container_logs(struct engine *engine, const char *ref, const struct engine_logs *query,
                          int out_fd, int cancel_fd, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_LOAD, "engine_container_logs(%s)", ref);
    struct container *container = engine_find_container(engine, ref, err);
    if (!container) {
        return ct_while(err, "read the logs of '%.64s'", ref);
    }
    const json_t *log_config = ct_json_get(container->config, "HostConfig.LogConfig");
    bool raw = ct_json_bool(container->config, "Config.Tty", false);
    struct log_query wanted = to_log_query(query);
    CT_AUTO_FREE char *dir = container_log_dir(container);
    int result;

    if (strcmp(ct_json_string(log_config, "Type", ""), "none") == 0) {
        result =
            ct_refuse(err, CT_UNSUPPORTED, "configured logging driver does not support reading");
    } else if (query->follow && container_is_running(container)) {
        result = follow_logs(container, dir, &wanted, raw, out_fd, cancel_fd, err);
    } else {
        wanted.follow = false;
        result = log_read(dir, container->id, &wanted, raw, out_fd, -1, cancel_fd, err);
    }
    container_free(container);
    return result < 0 ? ct_while(err, "read the logs of '%.64s'", ref) : 0;
}

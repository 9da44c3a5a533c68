/*
 * wait.c - waiting for the end of a container, also of one that removes itself.
 *
 * Room:       engine.   Called by: cli, rest; logs with follow.
 * Spec:       Docker Engine API 1.43, "Wait for a container"; the conditions are its own words.
 *
 * The fd is an epoll set of two: the record's watch (the state was saved, or the record went) and
 * the monitor's end (a killed monitor writes nothing any more). A container that ended and was
 * removed before we looked has left its exit code in the journal of events.
 */
#define CT_LAYER "engine"
#include "engine_containers.h"
#include "engine_internal.h"

#include "cleanup.h"
#include "events.h"
#include "json.h"
#include "path.h"
#include "process.h"
#include "span.h"
#include "units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum condition { NOT_RUNNING, NEXT_EXIT, REMOVED };

struct engine_wait {
    struct engine *engine;
    struct container *container;
    enum condition condition;
    char *finished_before; /* State.FinishedAt when we began: another value is a new exit */
    int64_t opened_ns;
    int status; /* of the last exit seen */
    bool ended_seen;
    int epoll_fd, watch_fd, monitor_fd;
};

static int parse_condition(const char *text, enum condition *ret, struct ct_error *err)
{
    static const char *const names[] = {"not-running", "next-exit", "removed"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret = (enum condition)i;
            return 0;
        }
    }
    return ct_refuse(err, CT_INVALID, "invalid condition: '%s'", text);
}

static void watch_fd(int epoll_fd, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    (void)epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event); /* without it we look once a second */
}

/* The monitor may have started only now, or be another one since a restart of the container. */
static void watch_monitor(struct engine_wait *wait)
{
    struct ct_error ignored = {0};

    if (wait->monitor_fd < 0) {
        wait->monitor_fd = monitor_end_fd(wait->container, &ignored);
        if (wait->monitor_fd >= 0) {
            watch_fd(wait->epoll_fd, wait->monitor_fd);
        }
    }
}

static int open_descriptors(struct engine_wait *wait, struct ct_error *err)
{
    wait->watch_fd = container_watch(wait->container, err);
    if (wait->watch_fd < 0) {
        return -1;
    }
    wait->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (wait->epoll_fd < 0) {
        return ct_fail(err, errno, "watch container '%s'", wait->container->id);
    }
    watch_fd(wait->epoll_fd, wait->watch_fd);
    watch_monitor(wait);
    return container_reload(wait->container, err); /* what changed before the watch stood */
}

/* What the record says of the last end. */
static void note_exit(struct engine_wait *wait)
{
    const char *finished = ct_json_string(wait->container->state, "FinishedAt", CT_TIME_ZERO);
    const char *status = container_status(wait->container);
    bool over = strcmp(status, "restarting") == 0 || !container_is_running(wait->container);

    if (over && strcmp(finished, wait->finished_before) != 0) {
        wait->ended_seen = true;
    }
    if (over) {
        wait->status = (int)ct_json_integer(wait->container->state, "ExitCode", 0);
    }
}

struct engine_wait *engine_wait_open(struct engine *engine, const char *ref, const char *condition,
                                     struct ct_error *err)
{
    enum condition parsed = NOT_RUNNING;
    if (parse_condition(condition, &parsed, err) < 0) {
        return NULL;
    }
    struct container *container = engine_find_container(engine, ref, err);
    if (!container) {
        return ct_while_null(err, "wait for '%.64s'", ref);
    }
    struct engine_wait *wait = calloc(1, sizeof(*wait));
    if (!wait) {
        container_free(container);
        return ct_fail_null(err, ENOMEM, "wait for '%.64s'", ref);
    }
    *wait = (struct engine_wait){.engine = engine,
                                 .container = container,
                                 .condition = parsed,
                                 .opened_ns = ct_now_ns(),
                                 .epoll_fd = -1,
                                 .watch_fd = -1,
                                 .monitor_fd = -1};
    wait->finished_before = ct_strdup(ct_json_string(container->state, "FinishedAt", CT_TIME_ZERO));
    if (open_descriptors(wait, err) < 0) {
        engine_wait_close(wait);
        return ct_while_null(err, "wait for '%.64s'", ref);
    }
    note_exit(wait); /* the last one we may ever see: it may be removed next */
    return wait;
}

int engine_wait_fd(const struct engine_wait *wait)
{
    return wait->epoll_fd;
}

static int take_exit_code(void *context, const json_t *event)
{
    const char *code = ct_json_string(event, "Actor.Attributes.exitCode", NULL);
    if (code) {
        *(int *)context = atoi(code); /* our own journal: a number */
    }
    return 0;
}

/* The record is gone. What it exited with is in the journal, unless we saw it before. */
static void recall_status(struct engine_wait *wait)
{
    struct ct_error ignored = {0};
    CT_AUTO_JSON json_t *filters =
        json_pack("{s:[s],s:[s]}", "container", wait->container->id, "event", "die");
    struct event_query query = {
        .since_ns = wait->opened_ns, .until_ns = ct_now_ns(), .filters = filters};
    (void)event_follow(wait->engine->places.events, &query, take_exit_code, &wait->status, -1,
                       &ignored);
}

static void drain(struct engine_wait *wait)
{
    container_watch_next(wait->watch_fd);
    if (wait->monitor_fd >= 0) {
        struct ct_error ignored = {0};
        if (ct_wait_readable(wait->monitor_fd, -1, 0, &ignored) == 1) {
            (void)close(wait->monitor_fd); /* leaves the epoll set, too */
            wait->monitor_fd = -1;
        }
    }
    watch_monitor(wait);
}

static bool is_over(const struct engine_wait *wait)
{
    switch (wait->condition) {
    case NOT_RUNNING:
        return !container_is_running(wait->container);
    case NEXT_EXIT:
        return wait->ended_seen;
    case REMOVED:
        return false; /* only when the record is gone */
    }
    return false;
}

int engine_wait_result(struct engine_wait *wait, int *ret_status, struct ct_error *err)
{
    struct ct_error gone = {0};
    drain(wait);
    int reloaded = container_reload(wait->container, &gone);

    if (reloaded == 0 && container_is_running(wait->container) && wait->monitor_fd < 0) {
        struct container *truth = engine_find_container(wait->engine, wait->container->id, &gone);
        container_free(truth);
        reloaded = container_reload(wait->container, &gone);
    }
    if (reloaded < 0 && gone.kind != CT_NOT_FOUND) {
        *err = gone;
        return -1;
    }
    if (reloaded < 0 && !wait->ended_seen) {
        recall_status(wait);
    } else if (reloaded == 0) {
        note_exit(wait);
    }
    if (reloaded == 0 && !is_over(wait)) {
        return 0;
    }
    *ret_status = wait->status;
    return 1;
}

void engine_wait_close(struct engine_wait *wait)
{
    if (!wait) {
        return;
    }
    ct_cleanup_close(&wait->monitor_fd);
    ct_cleanup_close(&wait->watch_fd);
    ct_cleanup_close(&wait->epoll_fd);
    container_free(wait->container);
    free(wait->finished_before);
    free(wait);
}

/*
 * events.c - the journal of events: appending, following, filtering.
 *
 * Room:       events.   Called by: engine, monitor.
 * Spec:       Docker Engine API 1.43, "Monitor events".  Man: inotify(7), write(2) with O_APPEND.
 */
#define CT_LAYER "events"
#include "events.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "log.h"
#include "path.h"
#include "process.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOURNAL           "events.jsonl"
#define JOURNAL_OLD       "events.jsonl.1"
#define JOURNAL_MAX_BYTES (8 << 20)
#define LINE_BYTES        4095 /* one write of an entry must not be interleaved with another's */

/* Docker's older fields, which its clients still print, and the newer ones. */
static json_t *make_event(const char *type, const char *action, const char *id,
                          const json_t *attributes)
{
    int64_t now = ct_now_ns();
    json_t *event = json_object();
    json_t *actor = json_object();

    if (strcmp(type, "container") == 0 || strcmp(type, "image") == 0) {
        ct_json_set_string(event, "status", action);
        ct_json_set_string(event, "id", id);
    }
    if (strcmp(type, "container") == 0) {
        ct_json_set_string(event, "from", ct_json_string(attributes, "image", ""));
    }
    ct_json_set_string(event, "Type", type);
    ct_json_set_string(event, "Action", action);
    ct_json_set_string(actor, "ID", id);
    ct_json_set(actor, "Attributes", attributes ? json_deep_copy(attributes) : json_object());
    ct_json_set(event, "Actor", actor);
    ct_json_set_string(event, "scope", "local");
    ct_json_set(event, "time", json_integer(now / 1000000000));
    ct_json_set(event, "timeNano", json_integer(now));
    return event;
}

/* The line, with the longest attributes left out until it fits one write. Owned; NULL: hopeless. */
static char *make_line(json_t *event)
{
    json_t *attributes = ct_json_get(event, "Actor.Attributes");

    for (;;) {
        CT_AUTO_FREE char *text = ct_json_text(event);
        if (!text || strlen(text) < LINE_BYTES) {
            return text ? ct_printf("%s\n", text) : NULL;
        }
        const char *key, *longest = NULL;
        size_t length = 0;
        json_t *value;
        json_object_foreach(attributes, key, value)
        {
            if (strlen(key) + json_string_length(value) >= length) {
                longest = key;
                length = strlen(key) + json_string_length(value);
            }
        }
        if (!longest) {
            return NULL;
        }
        (void)json_object_del(attributes, longest);
    }
}

/* A journal that is full becomes the old one; whoever comes first does it. */
static void rotate(int dir_fd, int journal_fd)
{
    struct stat status, named;
    struct ct_error ignored = {0};

    if (fstat(journal_fd, &status) < 0 || status.st_size < JOURNAL_MAX_BYTES) {
        return;
    }
    CT_AUTO_CLOSE int lock = ct_lock_at(dir_fd, "lock", CT_LOCK_EXCLUSIVE, 1000, &ignored);
    if (lock >= 0 && fstatat(dir_fd, JOURNAL, &named, 0) == 0 && named.st_ino == status.st_ino) {
        (void)renameat(dir_fd, JOURNAL, dir_fd, JOURNAL_OLD); /* else it grows on: no harm */
    }
}

static int append(const char *dir, const char *line, struct ct_error *err)
{
    CT_AUTO_CLOSE int dir_fd = ct_mkdirs(dir, 0700, err);
    CT_AUTO_CLOSE int fd =
        dir_fd < 0 ? -1 : openat(dir_fd, JOURNAL, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return dir_fd < 0 ? -1 : ct_fail(err, errno, "open the journal in '%s'", dir);
    }
    if (ct_write_all(fd, line, strlen(line)) < 0) {
        return ct_fail(err, errno, "write the journal in '%s'", dir);
    }
    rotate(dir_fd, fd);
    return 0;
}

void event_emit(const char *dir, const char *type, const char *action, const char *id,
                const json_t *attributes)
{
    struct ct_error err = {0};
    char text[512];
    CT_AUTO_JSON json_t *event = make_event(type, action, id, attributes);
    CT_AUTO_FREE char *line = make_line(event);

    if (line && append(dir, line, &err) < 0) {
        ct_warn("event lost action=%s: %s", action, ct_error_render(&err, text, sizeof(text)));
    }
}

/* Values of a filter: an array, or (as clients send it) the keys of an object. */
static bool matches_any(const json_t *values, const char *a, const char *b)
{
    size_t i;
    const char *key;
    json_t *value;

    json_array_foreach((json_t *)values, i, value)
    {
        const char *text = json_string_value(value);
        if (text && (strcmp(text, a) == 0 || strcmp(text, b) == 0)) {
            return true;
        }
    }
    json_object_foreach((json_t *)values, key, value)
    {
        if (strcmp(key, a) == 0 || strcmp(key, b) == 0) {
            return true;
        }
    }
    return false;
}

static bool holds_label(const char *wanted, const json_t *attributes)
{
    size_t length = strcspn(wanted, "=");
    CT_AUTO_FREE char *key = ct_printf("%.*s", (int)length, wanted);
    const char *value = json_string_value(json_object_get(attributes, key));
    return value && (!wanted[length] || strcmp(value, wanted + length + 1) == 0);
}

static bool labels_hold(const json_t *values, const json_t *attributes)
{
    size_t i;
    const char *key;
    json_t *value;

    json_array_foreach((json_t *)values, i, value)
    {
        if (json_is_string(value) && !holds_label(json_string_value(value), attributes)) {
            return false;
        }
    }
    json_object_foreach((json_t *)values, key, value)
    {
        if (!holds_label(key, attributes)) {
            return false;
        }
    }
    return true;
}

/* "exec_start: sh -c x" is matched by "exec_start", too; ids by their beginning. */
static bool filter_holds(const char *filter, const json_t *values, const json_t *event)
{
    const json_t *attributes = ct_json_get(event, "Actor.Attributes");
    const char *type = ct_json_string(event, "Type", "");
    const char *action = ct_json_string(event, "Action", "");
    const char *id = ct_json_string(event, "Actor.ID", "");
    const char *name = ct_json_string(attributes, "name", id);

    if (strcmp(filter, "type") == 0) {
        return matches_any(values, type, type);
    }
    if (strcmp(filter, "event") == 0) {
        CT_AUTO_FREE char *verb = ct_printf("%.*s", (int)strcspn(action, ":"), action);
        return matches_any(values, action, verb);
    }
    if (strcmp(filter, "label") == 0) {
        return labels_hold(values, attributes);
    }
    if (strcmp(filter, "image") == 0) {
        const char *image = ct_json_string(attributes, "image", name);
        return matches_any(values, image, id);
    }
    if (strcmp(filter, type) == 0) { /* container=x, network=x, volume=x */
        CT_AUTO_FREE char *short_id = ct_printf("%.12s", id);
        return matches_any(values, name, id) || matches_any(values, short_id, id);
    }
    return false;
}

static bool is_wanted(const struct event_query *query, const json_t *event)
{
    const char *filter;
    json_t *values;
    int64_t when = ct_json_integer(event, "timeNano", 0);

    if ((query->since_ns && when < query->since_ns) ||
        (query->until_ns && when > query->until_ns)) {
        return false;
    }
    json_object_foreach((json_t *)query->filters, filter, values)
    {
        if (ct_json_count(values) > 0 && !filter_holds(filter, values, event)) {
            return false;
        }
    }
    return true;
}

static int check_filters(const json_t *filters, struct ct_error *err)
{
    static const char *const known[] = {"type",   "event", "container", "image", "network",
                                        "volume", "label", "daemon",    "scope", NULL};
    const char *filter;
    json_t *values;

    json_object_foreach((json_t *)filters, filter, values)
    {
        const char *const *k = known;
        while (*k && strcmp(*k, filter) != 0) {
            k++;
        }
        if (!*k) {
            return ct_refuse(err, CT_INVALID, "invalid filter '%s'", filter);
        }
    }
    return 0;
}

/* A reader of one journal file: what is read but not yet a whole line stays for the next time. */
struct follower {
    const struct event_query *query;
    event_fn report;
    void *context;
    int dir_fd;
    int fd;
    char line[LINE_BYTES + 1];
    size_t length;
    bool too_long; /* a torn line that never ended: dropped up to the next newline */
    bool stopped;
};

static void take_line(struct follower *follower)
{
    struct ct_error torn = {0}; /* power was lost in the middle of it: not an event */
    CT_AUTO_JSON json_t *event =
        follower->too_long ? NULL : ct_json_parse(follower->line, follower->length, &torn);

    follower->length = 0;
    follower->too_long = false;
    if (event && is_wanted(follower->query, event) && follower->report(follower->context, event)) {
        follower->stopped = true;
    }
}

static void take_bytes(struct follower *follower, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n && !follower->stopped; i++) {
        if (bytes[i] == '\n') {
            take_line(follower);
        } else if (follower->length < sizeof(follower->line)) {
            follower->line[follower->length++] = bytes[i];
        } else {
            follower->too_long = true;
        }
    }
}

/* Everything that is there now. */
static int read_rest(struct follower *follower, struct ct_error *err)
{
    char buffer[16384];

    while (follower->fd >= 0 && !follower->stopped) {
        ssize_t n = read(follower->fd, buffer, sizeof(buffer));
        if (n < 0 && errno != EINTR) {
            return ct_fail(err, errno, "read the journal");
        }
        if (n == 0) {
            break;
        }
        take_bytes(follower, buffer, n > 0 ? (size_t)n : 0);
    }
    return 0;
}

static void open_journal(struct follower *follower, const char *name)
{
    ct_cleanup_close(&follower->fd);
    follower->fd = openat(follower->dir_fd, name, O_RDONLY | O_CLOEXEC);
    follower->length = 0;
    follower->too_long = false;
}

/* True when the name stands for another file than the one that is open: it was rotated. */
static bool was_rotated(const struct follower *follower)
{
    struct stat open_file, named;
    if (fstatat(follower->dir_fd, JOURNAL, &named, 0) < 0) {
        return false;
    }
    return follower->fd < 0 || fstat(follower->fd, &open_file) < 0 ||
           open_file.st_ino != named.st_ino;
}

static int catch_up(struct follower *follower, struct ct_error *err)
{
    if (read_rest(follower, err) < 0) {
        return -1;
    }
    if (!follower->stopped && was_rotated(follower)) {
        open_journal(follower, JOURNAL);
        return read_rest(follower, err);
    }
    return 0;
}

/* Past events: of the old journal and of this one. Without since, only from now on. */
static int read_past(struct follower *follower, struct ct_error *err)
{
    if (follower->query->since_ns) {
        open_journal(follower, JOURNAL_OLD);
        if (read_rest(follower, err) < 0) {
            return -1;
        }
        open_journal(follower, JOURNAL);
        return read_rest(follower, err);
    }
    open_journal(follower, JOURNAL);
    if (follower->fd >= 0) {
        (void)lseek(follower->fd, 0, SEEK_END);
    }
    return 0;
}

/* Waits for news. 1: look again; 0: until has passed; -1: *err (a cancel is no error: 0). */
static int wait_for_news(const struct event_query *query, int watch, int cancel_fd,
                         struct ct_error *err)
{
    int timeout_ms = -1;

    if (query->until_ns) {
        int64_t left_ms = (query->until_ns - ct_now_ns()) / 1000000;
        if (left_ms <= 0) {
            return 0;
        }
        timeout_ms = left_ms < INT_MAX ? (int)left_ms : INT_MAX;
    }
    struct ct_error cancelled = {0};
    int ready = ct_wait_readable(watch, cancel_fd, timeout_ms, &cancelled);
    if (ready < 0 && cancelled.kind != CT_TIMEOUT) {
        *err = cancelled;
        return -1;
    }
    ct_watch_drain(watch);
    return ready < 0 ? 0 : 1;
}

static int follow(struct follower *follower, int watch, int cancel_fd, struct ct_error *err)
{
    if (read_past(follower, err) < 0) {
        return -1;
    }
    for (;;) {
        if (catch_up(follower, err) < 0) {
            return -1;
        }
        int news = follower->stopped ? 0 : wait_for_news(follower->query, watch, cancel_fd, err);
        if (news <= 0) {
            return news;
        }
    }
}

int event_follow(const char *dir, const struct event_query *query, event_fn report, void *context,
                 int cancel_fd, struct ct_error *err)
{
    CT_AUTO_CLOSE int dir_fd =
        check_filters(query->filters, err) < 0 ? -1 : ct_mkdirs(dir, 0700, err);
    char path[32];

    if (dir_fd < 0) {
        return -1;
    }
    CT_AUTO_CLOSE int watch =
        ct_watch(ct_fd_path(dir_fd, path), IN_MODIFY | IN_CREATE | IN_MOVED_TO, err);
    if (watch < 0) {
        return ct_while(err, "watch the journal in '%s'", dir);
    }
    struct follower follower = {
        .query = query, .report = report, .context = context, .dir_fd = dir_fd, .fd = -1};
    int result = follow(&follower, watch, cancel_fd, err);
    ct_cleanup_close(&follower.fd);
    return result;
}

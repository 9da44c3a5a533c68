/*
 * reader.c - reads a log back: selected lines, from the rotated files on, and following its end.
 *
 * Room:       logs.   Called by: engine (logs, logs -f).
 * Spec:       Docker Engine API 1.43, "Get container logs"; the frames are those of attach.
 * Man:        inotify(7).
 */
#define CT_LAYER "logs"
#include "logs_internal.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "process.h"
#include "units.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROTATED_MAX 1000

struct log_reader {
    const struct log_query *query;
    bool raw;
    int out_fd;
    char *path;
    int fd;
    int64_t left; /* bytes of fd that are read at most; -1: all */
    char *line;   /* an entry that is not whole yet; grows to LOG_ENTRY_MAX_BYTES */
    size_t length, size;
    bool too_long;
    bool over;     /* until has passed */
    int64_t skip;  /* lines that tail leaves out */
    bool counting; /* first pass of tail: nothing is written */
    int64_t counted;
};

/* stdcopy: Docker's frame around each line (API 1.43, "Stream format"). */
static int write_frame(struct log_reader *reader, enum log_stream stream, const char *text,
                       size_t length, struct ct_error *err)
{
    unsigned char head[8] = {(unsigned char)stream};
    uint32_t size = htonl((uint32_t)length);

    memcpy(head + 4, &size, sizeof(size));
    if ((!reader->raw && ct_write_all(reader->out_fd, head, sizeof(head)) < 0) ||
        ct_write_all(reader->out_fd, text, length) < 0) {
        return ct_fail(err, errno, "write the log");
    }
    return 0;
}

static bool is_selected(const struct log_reader *reader, const char *stream, int64_t when_ns)
{
    const struct log_query *query = reader->query;
    bool wanted = strcmp(stream, "stderr") == 0 ? query->want_stderr : query->want_stdout;
    return wanted && (!query->since_ns || when_ns >= query->since_ns) &&
           (!query->until_ns || when_ns <= query->until_ns);
}

static int deliver(struct log_reader *reader, const json_t *entry, struct ct_error *err)
{
    const json_t *log = json_object_get(entry, "log");
    const char *stream = ct_json_string(entry, "stream", "stdout");
    const char *time = ct_json_string(entry, "time", CT_TIME_ZERO);
    struct ct_error no_time = {0};
    int64_t when_ns = 0;

    if (!json_is_string(log) || ct_time_parse(time, &when_ns, &no_time) < 0) {
        return 0;
    }
    reader->over = reader->over || (reader->query->until_ns && when_ns > reader->query->until_ns);
    if (!is_selected(reader, stream, when_ns)) {
        return 0;
    }
    if (reader->counting) {
        reader->counted++;
        return 0;
    }
    if (reader->skip > 0) {
        reader->skip--;
        return 0;
    }
    enum log_stream kind = strcmp(stream, "stderr") == 0 ? LOG_STDERR : LOG_STDOUT;
    if (!reader->query->timestamps && !reader->query->details) {
        return write_frame(reader, kind, json_string_value(log), json_string_length(log), err);
    }
    size_t length = 0;
    CT_AUTO_FREE char *text = entry_text(reader->query, entry, when_ns, &length);
    return text ? write_frame(reader, kind, text, length, err)
                : ct_fail(err, ENOMEM, "write the log");
}

/* One line of the file. What does not parse was torn by power loss or a full disk: it is skipped.
 */
static int take_line(struct log_reader *reader, struct ct_error *err)
{
    struct ct_error torn = {0};
    CT_AUTO_JSON json_t *entry = NULL;

    if (!reader->too_long && reader->length > 0) {
        entry = ct_json_parse(reader->line, reader->length, &torn);
    }
    reader->length = 0;
    reader->too_long = false;
    return entry ? deliver(reader, entry, err) : 0;
}

static int keep(struct log_reader *reader, const char *bytes, size_t n, struct ct_error *err)
{
    if (reader->length + n > LOG_ENTRY_MAX_BYTES) {
        reader->too_long = true;
        return 0;
    }
    if (reader->length + n > reader->size) {
        size_t size = (reader->length + n) * 2;
        char *grown = realloc(reader->line, size);
        if (!grown) {
            return ct_fail(err, ENOMEM, "read log '%s'", reader->path);
        }
        reader->line = grown;
        reader->size = size;
    }
    memcpy(reader->line + reader->length, bytes, n);
    reader->length += n;
    return 0;
}

static int take_bytes(struct log_reader *reader, const char *bytes, size_t length,
                      struct ct_error *err)
{
    while (length > 0 && !reader->over) {
        const char *newline = memchr(bytes, '\n', length);
        size_t n = newline ? (size_t)(newline - bytes) : length;
        if (keep(reader, bytes, n, err) < 0 || (newline && take_line(reader, err) < 0)) {
            return -1;
        }
        n += newline != NULL;
        bytes += n;
        length -= n;
    }
    return 0;
}

static int read_rest(struct log_reader *reader, int cancel_fd, struct ct_error *err)
{
    char buffer[32768];

    while (reader->fd >= 0 && !reader->over) {
        struct pollfd cancel = {.fd = cancel_fd, .events = POLLIN};
        size_t wanted = sizeof(buffer);
        if (reader->left >= 0 && reader->left < (int64_t)wanted) {
            wanted = (size_t)reader->left;
        }
        ssize_t n = read(reader->fd, buffer, wanted);
        if (n < 0 && errno != EINTR) {
            return ct_fail(err, errno, "read log '%s'", reader->path);
        }
        if (n == 0 || (cancel_fd >= 0 && poll(&cancel, 1, 0) > 0)) {
            break;
        }
        if (n > 0) {
            reader->left -= reader->left > 0 ? n : 0;
            if (take_bytes(reader, buffer, (size_t)n, err) < 0) {
                return -1;
            }
        }
    }
    return 0;
}

static void open_file(struct log_reader *reader, int number)
{
    CT_AUTO_FREE char *path =
        number ? ct_printf("%s.%d", reader->path, number) : ct_strdup(reader->path);
    ct_cleanup_close(&reader->fd);
    reader->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    reader->length = 0;
    reader->too_long = false;
}

static int oldest(const struct log_reader *reader)
{
    int number = 0;
    for (int i = 1; i <= ROTATED_MAX; i++) {
        CT_AUTO_FREE char *path = ct_printf("%s.%d", reader->path, i);
        if (access(path, F_OK) < 0) {
            break;
        }
        number = i;
    }
    return number;
}

/* All files, oldest first; the newest stays open at its end. */
static int read_all(struct log_reader *reader, int cancel_fd, struct ct_error *err)
{
    for (int i = oldest(reader); i >= 0; i--) {
        open_file(reader, i);
        if (read_rest(reader, cancel_fd, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/*
 * tail without time limits: the offset of the n-th line from the end of the newest file, found by
 * reading backwards, so that the end of a big log comes at once. -1: the file has fewer lines.
 */
static off_t offset_of_tail(int fd, int64_t lines)
{
    char buffer[65536];
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0) {
        return -1;
    }
    off_t position = status.st_size;
    int64_t found = 0;
    while (position > 0) {
        size_t n = position < (off_t)sizeof(buffer) ? (size_t)position : sizeof(buffer);
        position -= (off_t)n;
        if (pread(fd, buffer, n, position) != (ssize_t)n) {
            return -1;
        }
        for (size_t i = n; i > 0; i--) {
            bool last_byte = position + (off_t)i == status.st_size;
            if (buffer[i - 1] == '\n' && !last_byte && ++found == lines) {
                return position + (off_t)i;
            }
        }
    }
    return -1;
}

static bool can_seek(const struct log_query *query)
{
    return query->want_stdout && query->want_stderr && !query->since_ns && !query->until_ns;
}

static int read_tail(struct log_reader *reader, int cancel_fd, struct ct_error *err)
{
    if (can_seek(reader->query)) {
        open_file(reader, 0);
        off_t offset = reader->query->tail == 0 ? lseek(reader->fd, 0, SEEK_END)
                                                : offset_of_tail(reader->fd, reader->query->tail);
        if (offset >= 0 && lseek(reader->fd, offset, SEEK_SET) >= 0) {
            return read_rest(reader, cancel_fd, err);
        }
    }
    reader->counting = true;
    if (read_all(reader, cancel_fd, err) < 0) {
        return -1;
    }
    reader->counting = false;
    reader->over = false;
    reader->skip =
        reader->counted > reader->query->tail ? reader->counted - reader->query->tail : 0;
    return read_all(reader, cancel_fd, err);
}

/* The name stands for another file: the rest of the old one is read, then the new one from its
 * start. */
static int follow_rotation(struct log_reader *reader, int cancel_fd, struct ct_error *err)
{
    struct stat opened, named;
    bool there = stat(reader->path, &named) == 0;
    bool same = reader->fd >= 0 && fstat(reader->fd, &opened) == 0 && there &&
                opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
    off_t position = reader->fd >= 0 ? lseek(reader->fd, 0, SEEK_CUR) : 0;

    if (same && opened.st_size < position) { /* truncated in place */
        reader->length = 0;
        (void)lseek(reader->fd, 0, SEEK_SET);
        return read_rest(reader, cancel_fd, err);
    }
    if (same || !there) {
        return 0;
    }
    if (read_rest(reader, cancel_fd, err) <
        0) { /* what came between the last look and the rename */
        return -1;
    }
    open_file(reader, 0);
    return read_rest(reader, cancel_fd, err);
}

static int milliseconds_until(int64_t until_ns)
{
    int64_t left_ms = (until_ns - ct_now_ns()) / 1000000 + 1;
    return !until_ns ? -1 : left_ms < 0 ? 0 : left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

/* Goes on until the container has ended, until has passed, or nobody wants more. */
static int follow(struct log_reader *reader, int watch, int ended_fd, int cancel_fd,
                  struct ct_error *err)
{
    bool ended = false;

    while (!reader->over) {
        if (read_rest(reader, cancel_fd, err) < 0 || follow_rotation(reader, cancel_fd, err) < 0) {
            return -1;
        }
        if (ended) {
            return 0;
        }
        /* The reader of our output may have gone: then nobody would ever tell us. */
        struct pollfd fds[] = {{.fd = watch, .events = POLLIN},
                               {.fd = ended_fd, .events = POLLIN},
                               {.fd = cancel_fd, .events = POLLIN},
                               {.fd = reader->out_fd, .events = 0}};
        int n = poll(fds, 4, milliseconds_until(reader->query->until_ns));
        if (n < 0 && errno != EINTR) {
            return ct_fail(err, errno, "follow log '%s'", reader->path);
        }
        if (n == 0 || fds[2].revents || (fds[3].revents & (POLLERR | POLLNVAL))) {
            return 0;
        }
        ended = fds[1].revents != 0;
        ct_watch_drain(watch);
    }
    return 0;
}

static int read_and_follow(struct log_reader *reader, const char *dir, int ended_fd, int cancel_fd,
                           struct ct_error *err)
{
    CT_AUTO_CLOSE int watch = -1;

    if (reader->query->follow) { /* before the first read, so that nothing comes in between */
        watch = ct_watch(dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM, err);
        if (watch < 0) {
            return -1;
        }
    }
    int result = reader->query->tail >= 0 ? read_tail(reader, cancel_fd, err)
                                          : read_all(reader, cancel_fd, err);
    if (result == 0 && reader->query->follow) {
        result = follow(reader, watch, ended_fd, cancel_fd, err);
    }
    return result;
}

int log_read(const char *dir, const char *container_id, const struct log_query *query, bool raw,
             int out_fd, int ended_fd, int cancel_fd, struct ct_error *err)
{
    struct log_reader reader = {.query = query, .raw = raw, .out_fd = out_fd, .fd = -1, .left = -1};
    CT_AUTO_CLOSE int made = ct_mkdirs(dir, 0700, err); /* a container that never ran has none */

    if (made < 0) {
        return -1;
    }
    reader.path = log_path(dir, container_id, NULL);
    int result = read_and_follow(&reader, dir, ended_fd, cancel_fd, err);
    ct_cleanup_close(&reader.fd);
    free(reader.path);
    free(reader.line);
    return result;
}

/* ---- the log at one moment ------------------------------------------------------------------ */

int log_past_open(const char *dir, const char *container_id, struct log_past *ret,
                  struct ct_error *err)
{
    struct log_reader reader = {.path = log_path(dir, container_id, NULL), .fd = -1};
    struct stat status;

    *ret = (struct log_past){0};
    int number = oldest(&reader);
    for (number = number < LOG_PAST_MAX ? number : LOG_PAST_MAX - 1; number >= 0; number--) {
        open_file(&reader, number);
        if (reader.fd < 0 && errno != ENOENT) {
            (void)ct_fail(err, errno, "open log '%s'", reader.path);
            break;
        }
        if (reader.fd >= 0) {
            ret->bytes = fstat(reader.fd, &status) == 0 ? status.st_size : 0;
            ret->fds[ret->n++] = ct_steal_fd(&reader.fd);
        }
    }
    free(reader.path);
    if (number >= 0) {
        log_past_close(ret);
        return -1;
    }
    return 0;
}

int log_past_read(const struct log_past *past, const struct log_query *query, bool raw, int out_fd,
                  struct ct_error *err)
{
    char name[] = "as it was"; /* for errors: by now it may have another one */
    struct log_reader reader = {.query = query, .raw = raw, .out_fd = out_fd, .path = name};
    int result = 0;

    for (size_t i = 0; i < past->n && result == 0; i++) {
        reader.fd = past->fds[i];
        reader.left = i + 1 < past->n ? -1 : past->bytes;
        reader.length = 0; /* what a full disk cut at the end of a file has no other half */
        reader.too_long = false;
        result = read_rest(&reader, -1, err);
    }
    free(reader.line);
    return result;
}

void log_past_close(struct log_past *past)
{
    for (size_t i = 0; i < past->n; i++) {
        ct_cleanup_close(&past->fds[i]);
    }
    past->n = 0;
}

int log_remove(const char *dir, const char *container_id, struct ct_error *err)
{
    CT_AUTO_FREE char *path = log_path(dir, container_id, NULL);

    for (int i = 0; i <= ROTATED_MAX; i++) {
        CT_AUTO_FREE char *name = i ? ct_printf("%s.%d", path, i) : ct_strdup(path);
        if (unlink(name) < 0) {
            if (errno == ENOENT) {
                break;
            }
            return ct_fail(err, errno, "remove log '%s'", name);
        }
    }
    return 0;
}

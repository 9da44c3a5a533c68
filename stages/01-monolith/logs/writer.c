/*
 * writer.c - appends what a program prints to its log.
 *
 * Room:       logs.   Called by: monitor.
 *
 * The bytes of each stream are cut into lines here; each line is one entry, appended by one write.
 * The time of an entry is the time its first byte came.
 */
#define CT_LAYER "logs"
#include "logs_internal.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* An error is told once a minute at most: a full disk must not fill something else. */
#define TELL_EVERY_NS (60 * 1000000000LL)

struct unfinished { /* the line that a stream is in the middle of */
    char *bytes;    /* LOG_PIECE_BYTES, made when first needed */
    size_t length;
    int64_t since_ns;
};

struct log_writer {
    struct log_options options;
    json_t *attributes; /* of each entry; NULL: none */
    char *path;
    int fd;
    int64_t size_bytes;
    uint64_t inode;
    struct unfinished streams[3]; /* by enum log_stream */
    int64_t told_ns;
    unsigned long long lost_bytes;
};

static int open_log(struct log_writer *writer, struct ct_error *err)
{
    struct stat status;

    writer->fd = open(writer->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (writer->fd < 0 || fstat(writer->fd, &status) < 0) {
        return ct_fail(err, errno, "open log '%s'", writer->path);
    }
    writer->size_bytes = status.st_size;
    writer->inode = status.st_ino;
    return 0;
}

struct log_writer *log_writer_open(const char *dir, const char *container_id,
                                   const json_t *log_config, const json_t *config,
                                   struct ct_error *err)
{
    CT_AUTO_CLOSE int dir_fd = ct_mkdirs(dir, 0700, err);
    struct log_writer *writer = dir_fd < 0 ? NULL : calloc(1, sizeof(*writer));

    if (!writer) {
        return dir_fd < 0 ? NULL : ct_fail_null(err, ENOMEM, "open a log");
    }
    writer->fd = -1;
    writer->path = log_path(dir, container_id, log_config);
    if (log_options_read(log_config, &writer->options, err) < 0 ||
        (!writer->options.none && open_log(writer, err) < 0)) {
        free(writer->path);
        free(writer);
        return NULL;
    }
    writer->attributes = log_attributes(log_config, config);
    return writer;
}

/* log -> log.1 -> log.2 …; the oldest goes. A failure leaves the log growing: nothing is lost. */
static void rotate(struct log_writer *writer)
{
    for (int i = writer->options.max_files - 1; i >= 1; i--) {
        CT_AUTO_FREE char *older = ct_printf("%s.%d", writer->path, i);
        CT_AUTO_FREE char *newer =
            i == 1 ? ct_strdup(writer->path) : ct_printf("%s.%d", writer->path, i - 1);
        (void)rename(newer, older);
    }
    if (writer->options.max_files == 1) {
        (void)unlink(writer->path);
    }
    struct ct_error ignored = {0};
    int old = writer->fd;
    if (open_log(writer, &ignored) < 0) {
        writer->fd = old;
        return;
    }
    (void)close(old);
}

/* The entry as text with its newline. Invalid UTF-8 is replaced, byte by byte. Owned. */
static char *make_entry(const struct log_writer *writer, enum log_stream stream, const char *bytes,
                        size_t length, int64_t when_ns)
{
    char time[CT_TIME_TEXT];
    CT_AUTO_JSON json_t *entry = json_object();

    ct_json_set(entry, "log", ct_json_string_lossy(bytes, length));
    ct_json_set_string(entry, "stream", stream == LOG_STDOUT ? "stdout" : "stderr");
    if (writer->attributes) {
        ct_json_set(entry, "attrs", json_incref(writer->attributes));
    }
    ct_json_set_string(entry, "time", ct_time_format(when_ns, time));
    CT_AUTO_FREE char *text = ct_json_text(entry);
    return text ? ct_printf("%s\n", text) : NULL;
}

/* Counts what could not be kept, and tells at most once a minute. */
static int lose(struct log_writer *writer, size_t bytes, struct ct_error *err)
{
    int failure = errno;
    int64_t now = ct_monotonic_ns();

    writer->lost_bytes += bytes;
    if (writer->told_ns && now - writer->told_ns < TELL_EVERY_NS) {
        return 0;
    }
    writer->told_ns = now;
    return ct_fail(err, failure, "write log '%s': %llu bytes lost so far", writer->path,
                   writer->lost_bytes);
}

/* A write that a full disk cut leaves half a line: it is taken back. */
static int append(struct log_writer *writer, const char *text, size_t length)
{
    if (ct_write_all(writer->fd, text, length) == 0) {
        writer->size_bytes += (int64_t)length;
        return 0;
    }
    int saved = errno;
    (void)!ftruncate(writer->fd, writer->size_bytes); /* a reader would skip the torn line anyway */
    errno = saved;
    return -1;
}

static int write_entry(struct log_writer *writer, enum log_stream stream, const char *bytes,
                       size_t length, int64_t when_ns, struct ct_error *err)
{
    if (writer->options.none || length == 0) {
        return 0;
    }
    if (writer->options.max_bytes && writer->size_bytes >= writer->options.max_bytes) {
        rotate(writer);
    }
    CT_AUTO_FREE char *text = make_entry(writer, stream, bytes, length, when_ns);
    if (!text) {
        errno = ENOMEM;
        return lose(writer, length, err);
    }
    return append(writer, text, strlen(text)) < 0 ? lose(writer, length, err) : 0;
}

static int flush(struct log_writer *writer, enum log_stream stream, struct ct_error *err)
{
    struct unfinished *line = &writer->streams[stream];
    size_t length = line->length;

    line->length = 0;
    return write_entry(writer, stream, line->bytes, length, line->since_ns, err);
}

static int make_room(struct log_writer *writer, enum log_stream stream)
{
    struct unfinished *line = &writer->streams[stream];

    line->bytes = line->bytes ? line->bytes : malloc(LOG_PIECE_BYTES);
    return line->bytes ? 0 : -1;
}

/* Adds a piece without a newline in it (but perhaps one at its end) to the stream's line. */
static int add(struct log_writer *writer, enum log_stream stream, const char *bytes, size_t length,
               struct ct_error *err)
{
    struct unfinished *line = &writer->streams[stream];
    int result = 0;

    if (make_room(writer, stream) < 0) {
        errno = ENOMEM;
        return lose(writer, length, err);
    }
    while (length > 0) {
        size_t room = LOG_PIECE_BYTES - line->length;
        size_t n = length < room ? length : room;
        if (line->length == 0) {
            line->since_ns = ct_now_ns();
        }
        memcpy(line->bytes + line->length, bytes, n);
        line->length += n;
        bytes += n;
        length -= n;
        if (line->length == LOG_PIECE_BYTES || line->bytes[line->length - 1] == '\n') {
            result = flush(writer, stream, err) < 0 ? -1 : result;
        }
    }
    return result;
}

int log_write(struct log_writer *writer, enum log_stream stream, const void *data, size_t length,
              struct ct_error *err)
{
    const char *bytes = data;
    int result = 0;

    while (length > 0 && !writer->options.none) {
        const char *newline = memchr(bytes, '\n', length);
        size_t n = newline ? (size_t)(newline - bytes) + 1 : length;
        if (add(writer, stream, bytes, n, err) < 0) {
            result = -1;
        }
        bytes += n;
        length -= n;
    }
    return result;
}

const void *log_unfinished(const struct log_writer *writer, enum log_stream stream,
                           size_t *ret_length)
{
    const struct unfinished *line = &writer->streams[stream];
    *ret_length = line->length;
    return line->bytes;
}

int log_writer_close(struct log_writer *writer, struct ct_error *err)
{
    int result = 0;

    for (int stream = LOG_STDOUT; writer && stream <= LOG_STDERR; stream++) {
        if (writer->streams[stream].length > 0 && flush(writer, (enum log_stream)stream, err) < 0) {
            result = -1;
        }
    }
    log_writer_release(writer);
    return result;
}

void log_writer_release(struct log_writer *writer)
{
    if (!writer) {
        return;
    }
    for (int stream = LOG_STDOUT; stream <= LOG_STDERR; stream++) {
        free(writer->streams[stream].bytes);
    }
    ct_cleanup_close(&writer->fd);
    json_decref(writer->attributes);
    free(writer->path);
    free(writer);
}

/* ---- to go on after a kill ------------------------------------------------------------------ */

struct log_mark log_mark(const struct log_writer *writer)
{
    return (struct log_mark){.file = writer->inode, .bytes = writer->size_bytes};
}

int log_go_back(struct log_writer *writer, struct log_mark mark, struct ct_error *err)
{
    if (writer->inode != mark.file || writer->size_bytes <= mark.bytes) {
        return 0;
    }
    if (ftruncate(writer->fd, mark.bytes) < 0) {
        return ct_fail(err, errno, "shorten log '%s'", writer->path);
    }
    writer->size_bytes = mark.bytes;
    return 0;
}

int64_t log_unfinished_since(const struct log_writer *writer, enum log_stream stream)
{
    return writer->streams[stream].since_ns;
}

int log_resume(struct log_writer *writer, enum log_stream stream, const void *bytes, size_t length,
               int64_t since_ns, struct ct_error *err)
{
    struct unfinished *line = &writer->streams[stream];

    if (length == 0 || writer->options.none) {
        return 0;
    }
    if (length >= LOG_PIECE_BYTES) {
        return ct_refuse(err, CT_INVALID, "go on with a line of %zu bytes", length);
    }
    if (make_room(writer, stream) < 0) {
        return ct_fail(err, ENOMEM, "go on with a line of the log");
    }
    memcpy(line->bytes, bytes, length);
    line->length = length;
    line->since_ns = since_ns;
    return 0;
}

/*
 * sinks.c - where a program's output goes: a FIFO, a file, another program, a log.
 *
 * Room:       shim.   Called by: streams.c.
 * Spec:       containerd runtime/v2/README.md, "Logging": fifo://, file://, binary://; a path alone
 *             is a FIFO. json-file:// is our own: a log as Docker's json-file driver writes it.
 *
 *     json-file:///folder?max-size=10m&max-file=3      folder/ID-json.log, .1, .2
 */
#define CT_LAYER "shim"
#include "shim_internal.h"

#include "logs.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "log.h"
#include "path.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOGGER_READY_MS 5000
#define WORDS_MAX       64

struct sink {
    int users;
    int fd;     /* a FIFO or a file; -1: neither */
    int keeper; /* reads nothing: as long as it is open, what nobody has read yet stays in the FIFO,
                   and writing never meets the end of its reader */
    int pipes[2]; /* to a program: its standard output, its error output; -1: closed */
    struct log_writer *log;
    char *uri;
};

static struct sink *sink_new(const char *uri)
{
    struct sink *sink = calloc(1, sizeof(*sink));

    if (!sink) {
        abort();
    }
    *sink =
        (struct sink){.users = 1, .fd = -1, .keeper = -1, .pipes = {-1, -1}, .uri = ct_strdup(uri)};
    return sink;
}

/* ---- the address ---------------------------------------------------------------------------- */

static int hex_value(char c)
{
    const char *const digits = "0123456789abcdef";
    const char *found = c ? strchr(digits, c | 0x20) : NULL;
    return found ? (int)(found - digits) : -1;
}

/* "%2F" -> "/", "+" -> " ", in place. */
static void decode(char *text)
{
    char *to = text;

    for (const char *from = text; *from; from++) {
        if (*from == '%' && hex_value(from[1]) >= 0 && hex_value(from[2]) >= 0) {
            *to++ = (char)(hex_value(from[1]) << 4 | hex_value(from[2]));
            from += 2;
        } else {
            *to++ = *from == '+' ? ' ' : *from;
        }
    }
    *to = '\0';
}

/* "/path?a=b&c": the path, owned, and the words behind '?' (at most WORDS_MAX, NULL-terminated):
 * "a", "b", "c", which lie in the same memory. */
static char *split_uri(const char *rest, char *words[static WORDS_MAX + 1])
{
    char *text = ct_strdup(rest), *query = strchr(text, '?'), *position = NULL;
    size_t n = 0;

    if (query) {
        *query++ = '\0';
    }
    for (char *pair = query ? strtok_r(query, "&", &position) : NULL; pair && n + 2 <= WORDS_MAX;
         pair = strtok_r(NULL, "&", &position)) {
        char *value = strchr(pair, '=');
        words[n++] = pair;
        if (value) {
            *value++ = '\0';
            words[n++] = value;
            decode(value);
        }
        decode(pair);
    }
    words[n] = NULL;
    decode(text);
    return text;
}

/* ---- a FIFO, a file ------------------------------------------------------------------------- */

static int open_fifo(struct sink *sink, const char *path, struct ct_error *err)
{
    struct stat status;

    /* The reader first: without one, opening a FIFO for writing is refused. */
    sink->keeper = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (sink->keeper < 0 || fstat(sink->keeper, &status) < 0) {
        return ct_fail(err, errno, "open '%.120s' for output", path);
    }
    bool fifo = S_ISFIFO(status.st_mode);
    if (!fifo) {
        ct_cleanup_close(&sink->keeper);
        sink->keeper = -1;
    }
    sink->fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | (fifo ? O_NONBLOCK : 0));
    return sink->fd < 0 ? ct_fail(err, errno, "open '%.120s' for output", path) : 0;
}

static int open_file(struct sink *sink, const char *path, struct ct_error *err)
{
    const char *slash = strrchr(path, '/');

    if (*path != '/') {
        return ct_refuse(err, CT_INVALID, "open '%.120s' for output: it is no absolute path", path);
    }
    CT_AUTO_FREE char *folder = ct_printf("%.*s", (int)(slash - path + 1), path);
    CT_AUTO_CLOSE int folder_fd = ct_mkdirs(folder, 0755, err);
    if (folder_fd < 0) {
        return -1;
    }
    sink->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    return sink->fd < 0 ? ct_fail(err, errno, "open '%.120s' for output", path) : 0;
}

/* ---- another program ------------------------------------------------------------------------ */

/* It closes its descriptor 5 when it is ready to read. */
static int wait_until_ready(int fd, const char *path, struct ct_error *err)
{
    char byte;
    int ready = ct_wait_readable(fd, -1, LOGGER_READY_MS, err);

    if (ready == 0) {
        return ct_refuse(err, CT_TIMEOUT, "start logger '%.120s': it is not ready in %d s", path,
                         LOGGER_READY_MS / 1000);
    }
    return ready < 0 || read(fd, &byte, 1) < 0 ? ct_fail(err, errno, "start logger") : 0;
}

static int spawn_logger(const struct streams_request *request, const char *path, char **words,
                        const int fds[3], struct ct_error *err)
{
    const char *argv[WORDS_MAX + 2] = {path};
    CT_AUTO_FREE char *id = ct_printf("CONTAINER_ID=%s", request->container_id);
    CT_AUTO_FREE char *namespace = ct_printf("CONTAINER_NAMESPACE=%s", request->namespace);
    const char *const envp[] = {id, namespace, NULL};
    struct ct_process process = {.pidfd = -1};

    for (size_t i = 0; words[i]; i++) {
        argv[i + 1] = words[i];
    }
    int result = ct_process_start(&(struct ct_spawn){.path = path,
                                                     .argv = argv,
                                                     .envp = envp,
                                                     .stdio = {-1, -1, -1},
                                                     .more = fds,
                                                     .n_more = 3,
                                                     .new_session = true},
                                  &process, err);
    ct_process_done(&process); /* it ends when the streams do; reap.c takes its end */
    return result;
}

static int open_program(struct sink *sink, const struct streams_request *request, char *path,
                        char **words, struct ct_error *err)
{
    int out[2] = {-1, -1}, error[2] = {-1, -1}, ready[2] = {-1, -1};

    if (pipe2(out, O_CLOEXEC) < 0 || pipe2(error, O_CLOEXEC) < 0 || pipe2(ready, O_CLOEXEC) < 0) {
        (void)ct_fail(err, errno, "make a pipe");
    }
    sink->pipes[0] = out[1];
    sink->pipes[1] = error[1];
    const int theirs[3] = {out[0], error[0], ready[1]};
    int result = ready[1] < 0 ? -1 : spawn_logger(request, path, words, theirs, err);
    for (size_t i = 0; i < 3; i++) {
        ct_cleanup_close(&theirs[i]);
    }
    result = result < 0 ? -1 : wait_until_ready(ready[0], path, err);
    ct_cleanup_close(&ready[0]);
    return result;
}

/* ---- a log ---------------------------------------------------------------------------------- */

static int open_json_log(struct sink *sink, const struct streams_request *request, const char *path,
                         char **words, struct ct_error *err)
{
    CT_AUTO_JSON json_t *options = json_object(), *config = json_object();

    for (size_t i = 0; words[i] && words[i + 1]; i += 2) {
        if (strcmp(words[i], "labels") == 0 || strcmp(words[i], "env") == 0) {
            return ct_refuse(err, CT_UNSUPPORTED,
                             "log with option %s: a shim does not know the container's", words[i]);
        }
        ct_json_set_string(options, words[i], words[i + 1]);
    }
    ct_json_set_string(config, "Type", "json-file");
    ct_json_set(config, "Config", json_incref(options));
    sink->log = log_writer_open(path, request->container_id, config, NULL, err);
    return sink->log ? 0 : -1;
}

/* ---- the door ------------------------------------------------------------------------------- */

static const char *after(const char *uri, const char *scheme)
{
    size_t length = strlen(scheme);
    return strncmp(uri, scheme, length) == 0 ? uri + length : NULL;
}

static int open_by_scheme(struct sink *sink, const struct streams_request *request, const char *uri,
                          struct ct_error *err)
{
    char *words[WORDS_MAX + 1];
    const char *rest = strstr(uri, "://");

    if (!rest) {
        return open_fifo(sink, uri, err);
    }
    CT_AUTO_FREE char *path = split_uri(rest + 3, words);
    if (after(uri, "fifo://")) {
        return open_fifo(sink, path, err);
    }
    if (after(uri, "file://")) {
        return open_file(sink, path, err);
    }
    if (after(uri, "binary://")) {
        return open_program(sink, request, path, words, err);
    }
    if (after(uri, "json-file://")) {
        return open_json_log(sink, request, path, words, err);
    }
    return ct_refuse(err, CT_UNSUPPORTED,
                     "send output to '%.100s': there are fifo, file, binary and json-file", uri);
}

struct sink *sink_open(const struct streams_request *request, const char *uri, struct ct_error *err)
{
    struct sink *sink = sink_new(uri);

    if (open_by_scheme(sink, request, uri, err) < 0) {
        sink_free(sink);
        return NULL;
    }
    return sink;
}

struct sink *sink_nowhere(void)
{
    return sink_new("");
}

struct sink *sink_share(struct sink *sink, const char *uri)
{
    if (strcmp(sink->uri, uri) != 0 || (!sink->log && sink->pipes[0] < 0)) {
        return NULL;
    }
    sink->users++;
    return sink;
}

/* The container's own output must not fill our log: what cannot be kept is told by logs.h, once a
 * minute. */
static size_t write_log(struct sink *sink, bool is_stderr, const void *bytes, size_t length)
{
    struct ct_error err = {0};

    if (log_write(sink->log, is_stderr ? LOG_STDERR : LOG_STDOUT, bytes, length, &err) < 0) {
        ct_warn("%s", err.frame[0].what);
    }
    return length;
}

static int fd_of(const struct sink *sink, bool is_stderr)
{
    return sink->fd >= 0 ? sink->fd : sink->pipes[is_stderr];
}

size_t sink_write(struct sink *sink, bool is_stderr, const void *bytes, size_t length)
{
    int fd = fd_of(sink, is_stderr);

    if (sink->log || fd < 0) {
        return sink->log ? write_log(sink, is_stderr, bytes, length) : length;
    }
    ssize_t n;
    do {
        n = write(fd, bytes, length);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN) {
        return 0;
    }
    return n < 0 ? length : (size_t)n; /* a full disk, a logger that is gone: the output is lost */
}

int sink_fd(const struct sink *sink, bool is_stderr)
{
    return fd_of(sink, is_stderr);
}

int sink_direct(const struct sink *sink, bool is_stderr)
{
    return sink->pipes[is_stderr];
}

void sink_end(struct sink *sink, bool is_stderr)
{
    int *fd = sink->fd >= 0 ? &sink->fd : &sink->pipes[is_stderr];

    ct_cleanup_close(fd);
    *fd = -1;
}

void sink_free(struct sink *sink)
{
    struct ct_error ignored = {0};

    if (!sink || --sink->users > 0) {
        return;
    }
    (void)log_writer_close(sink->log, &ignored);
    ct_cleanup_close(&sink->fd);
    ct_cleanup_close(&sink->keeper);
    ct_cleanup_close(&sink->pipes[0]);
    ct_cleanup_close(&sink->pipes[1]);
    free(sink->uri);
    free(sink);
}

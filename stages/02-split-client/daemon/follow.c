/*
 * follow.c - what of a container goes on for a while: wait, logs, stats, archives.
 *
 * Room:       daemon.   Called by: server.c through the table of endpoints.
 * Spec:       Docker Engine API 1.43: "Wait for a container", "Get container logs", "Get container
 *             stats", "Get an archive of a filesystem resource".
 */
#define CT_LAYER "daemon"
#include "daemon_internal.h"
#include "engine_containers.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

/* ---- wait ----------------------------------------------------------------------------------- */

static int send_end(int out_fd, int status, struct ct_error *err)
{
    CT_AUTO_JSON json_t *result = json_pack("{s:n,s:i}", "Error", "StatusCode", status);
    return write_line(out_fd, result, "\n", err);
}

static int produce_wait(void *context, int out_fd, int cancel_fd, struct ct_error *err)
{
    struct engine_wait *wait = context;
    for (;;) {
        int status = 0;
        int over = engine_wait_result(wait, &status, err);
        if (over != 0) {
            return over < 0 ? -1 : send_end(out_fd, status, err);
        }
        if (ct_wait_readable(engine_wait_fd(wait), cancel_fd, 1000, err) < 0) {
            return -1;
        }
    }
}

static void release_wait(void *context)
{
    engine_wait_close(context);
}

/* The header goes out at once: clients start the container only when they have read it. */
int post_container_wait(struct rest_request *request, struct rest_reply *reply,
                        struct ct_error *err)
{
    const char *condition = query_text(request, "condition");
    struct engine_wait *wait = engine_wait_open(
        request->engine, request->name, condition && *condition ? condition : "not-running", err);
    if (!wait) {
        return -1;
    }
    reply->prompt = true;
    return reply_stream(reply, "application/json", produce_wait, wait, release_wait);
}

/* ---- logs ----------------------------------------------------------------------------------- */

/* What a producer needs of its request, which ends before it does. */
struct following {
    struct engine *engine;
    char *ref, *path;
    struct engine_logs logs;
    bool one_shot, forever;
};

static struct following *following_new(const struct rest_request *request, struct ct_error *err)
{
    struct following *following = calloc(1, sizeof(*following));
    if (!following) {
        return ct_fail_null(err, ENOMEM, "answer");
    }
    following->engine = request->engine;
    following->ref = ct_strdup(request->name);
    return following;
}

static void release_following(void *context)
{
    struct following *following = context;
    free(following->ref);
    free(following->path);
    free(following);
}

static int read_log_query(const struct rest_request *request, struct engine_logs *ret,
                          struct ct_error *err)
{
    const char *tail = query_text(request, "tail");
    long long lines = -1;

    *ret = (struct engine_logs){.want_stdout = query_bool(request, "stdout", false),
                                .want_stderr = query_bool(request, "stderr", false),
                                .timestamps = query_bool(request, "timestamps", false),
                                .details = query_bool(request, "details", false),
                                .follow = query_bool(request, "follow", false)};
    if (!ret->want_stdout && !ret->want_stderr) {
        return ct_refuse(err, CT_INVALID,
                         "bad parameters: you must choose at least one stream (stdout, stderr)");
    }
    if (tail && strcmp(tail, "all") != 0 && query_int(request, "tail", -1, &lines, err) < 0) {
        return -1;
    }
    ret->tail = lines < 0 ? -1 : lines;
    return query_time(request, "since", &ret->since_ns, err) < 0 ||
                   query_time(request, "until", &ret->until_ns, err) < 0
               ? -1
               : 0;
}

static int produce_logs(void *context, int out_fd, int cancel_fd, struct ct_error *err)
{
    const struct following *following = context;
    return engine_container_logs(following->engine, following->ref, &following->logs, out_fd,
                                 cancel_fd, err);
}

int get_container_logs(struct rest_request *request, struct rest_reply *reply, struct ct_error *err)
{
    struct engine_logs logs, nothing;

    if (read_log_query(request, &logs, err) < 0) {
        return -1;
    }
    /* Asked for nothing first: what is wrong is told with a status, not in the stream. */
    nothing = logs;
    nothing.follow = false;
    nothing.tail = 0;
    CT_AUTO_CLOSE int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (engine_container_logs(request->engine, request->name, &nothing, nowhere, -1, err) < 0) {
        return -1;
    }
    struct following *following = following_new(request, err);
    if (!following) {
        return -1;
    }
    following->logs = logs;
    reply->prompt = true;
    return reply_stream(reply, NULL, produce_logs, following, release_following);
}

/* ---- stats ---------------------------------------------------------------------------------- */

static int produce_stats(void *context, int out_fd, int cancel_fd, struct ct_error *err)
{
    const struct following *following = context;
    struct ct_error cancelled = {0};

    do {
        CT_AUTO_JSON json_t *sample = NULL;
        if (engine_container_stats(following->engine, following->ref, following->one_shot, &sample,
                                   err) < 0 ||
            write_line(out_fd, sample, "\n", err) < 0) {
            return -1;
        }
        /* A sample takes a second when the container runs, and no time when it does not. */
        bool running = ct_json_integer(sample, "cpu_stats.system_cpu_usage", 0) > 0;
        if (ct_wait_readable(cancel_fd, -1, running || !following->forever ? 0 : 1000,
                             &cancelled) != 0) {
            return 0;
        }
    } while (following->forever);
    return 0;
}

int get_container_stats(struct rest_request *request, struct rest_reply *reply,
                        struct ct_error *err)
{
    struct following *following = following_new(request, err);
    if (!following) {
        return -1;
    }
    following->forever = query_bool(request, "stream", true);
    following->one_shot = query_bool(request, "one-shot", false);
    return reply_stream(reply, "application/json", produce_stats, following, release_following);
}

/* ---- archives ------------------------------------------------------------------------------- */

/* The description of a path, for a header: base64 of its document. Owned. */
static char *encode_stat(const json_t *stat)
{
    CT_AUTO_FREE char *text = ct_json_text(stat);
    size_t length = strlen(text);
    char *encoded = malloc(4 * ((length + 2) / 3) + 1);

    if (encoded) {
        (void)EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)text, (int)length);
    }
    return encoded;
}

/* Fills in the header of an archive's answer. */
static int describe_path(struct rest_request *request, struct rest_reply *reply,
                         struct ct_error *err)
{
    CT_AUTO_JSON json_t *stat = NULL;
    const char *path = query_text(request, "path");

    if (!path || !*path) {
        return ct_refuse(err, CT_INVALID, "bad parameter: path cannot be empty");
    }
    if (engine_container_stat_path(request->engine, request->name, path, &stat, err) < 0) {
        return -1;
    }
    reply->stat = encode_stat(stat);
    return 0;
}

int head_container_archive(struct rest_request *request, struct rest_reply *reply,
                           struct ct_error *err)
{
    return describe_path(request, reply, err) < 0 ? -1 : reply_empty(reply, MHD_HTTP_OK);
}

static int produce_archive(void *context, int out_fd, int cancel_fd, struct ct_error *err)
{
    const struct following *following = context;
    (void)cancel_fd; /* a pipe that nobody reads ends it */
    return engine_container_get_archive(following->engine, following->ref, following->path, out_fd,
                                        err);
}

int get_container_archive(struct rest_request *request, struct rest_reply *reply,
                          struct ct_error *err)
{
    if (describe_path(request, reply, err) < 0) {
        return -1;
    }
    struct following *following = following_new(request, err);
    if (!following) {
        return -1;
    }
    following->path = ct_strdup(query_text(request, "path"));
    return reply_stream(reply, "application/x-tar", produce_archive, following, release_following);
}

int put_container_archive(struct rest_request *request, struct rest_reply *reply,
                          struct ct_error *err)
{
    const char *path = query_text(request, "path");

    if (!path || !*path) {
        return ct_refuse(err, CT_INVALID, "bad parameter: path cannot be empty");
    }
    return engine_container_put_archive(request->engine, request->name, path,
                                        query_bool(request, "noOverwriteDirNonDir", false),
                                        request->in_fd, err) < 0
               ? -1
               : reply_empty(reply, MHD_HTTP_OK);
}

static int produce_export(void *context, int out_fd, int cancel_fd, struct ct_error *err)
{
    const struct following *following = context;
    (void)cancel_fd; /* as above */
    return engine_container_export(following->engine, following->ref, out_fd, err);
}

int get_container_export(struct rest_request *request, struct rest_reply *reply,
                         struct ct_error *err)
{
    struct following *following = following_new(request, err);
    return following ? reply_stream(reply, "application/octet-stream", produce_export, following,
                                    release_following)
                     : -1;
}

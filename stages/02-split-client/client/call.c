/*
 * call.c - one request: its URL, its document, its answer.
 *
 * Room:       client.   Called by: the files of the nouns.
 * Spec:       Docker Engine API 1.43; RFC 3986 (libcurl escapes, we never do).
 */
#define CT_LAYER "client"
#include "client_internal.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "span.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX (256u << 20) /* bytes of a document: lists of a hundred thousand containers */

/* ---- the URL -------------------------------------------------------------------------------- */

/* Escaped as one part of a path: a slash in a name is no separator. */
static char *escaped(const char *name)
{
    char *text = curl_easy_escape(NULL, name, 0);
    char *copy = ct_strdup(text ? text : "");
    curl_free(text);
    return copy;
}

static char *fill_in(const char *pattern, const char *name)
{
    const char *hole = strstr(pattern, "{}");
    return hole ? ct_printf("%.*s%s%s", (int)(hole - pattern), pattern, name, hole + 2)
                : ct_strdup(pattern);
}

struct call call_new(struct engine *engine, enum rest_endpoint endpoint, const char *name)
{
    const char *pattern = rest_path(endpoint);
    CT_AUTO_FREE char *part = name && *name ? escaped(name) : NULL;
    struct call call = {.engine = engine, .endpoint = endpoint, .url = curl_url()};

    if (strstr(pattern, "{}") && !part) {
        return call; /* refused when it is sent: no path */
    }
    CT_AUTO_FREE char *path = fill_in(pattern, part);
    call.path = engine->version ? ct_printf("/v1.%u%s", engine->version, path) : ct_steal(path);
    const char *scheme = engine->has_tls ? "https" : "http";
    (void)curl_url_set(call.url, CURLUPART_SCHEME, scheme, 0);
    (void)curl_url_set(call.url, CURLUPART_HOST,
                       engine->host.is_unix ? "cutaway" : engine->host.name, 0);
    if (!engine->host.is_unix) {
        CT_AUTO_FREE char *port = ct_printf("%u", engine->host.port);
        (void)curl_url_set(call.url, CURLUPART_PORT, port, 0);
    }
    (void)curl_url_set(call.url, CURLUPART_PATH, call.path, 0);
    return call;
}

void call_text(struct call *call, const char *key, const char *value)
{
    if (value) {
        CT_AUTO_FREE char *pair = ct_printf("%s=%s", key, value);
        (void)curl_url_set(call->url, CURLUPART_QUERY, pair, CURLU_APPENDQUERY | CURLU_URLENCODE);
    }
}

void call_int(struct call *call, const char *key, long long value)
{
    CT_AUTO_FREE char *text = ct_printf("%lld", value);
    call_text(call, key, text);
}

void call_bool(struct call *call, const char *key, bool value)
{
    call_text(call, key, value ? "1" : NULL);
}

void call_list(struct call *call, const char *key, const char *const *values)
{
    for (; values && *values; values++) {
        call_text(call, key, *values);
    }
}

void call_filters(struct call *call, const json_t *filters)
{
    CT_AUTO_FREE char *text = filters ? ct_json_text(filters) : NULL;
    call_text(call, "filters", text);
}

void call_time(struct call *call, const char *key, int64_t unix_ns)
{
    CT_AUTO_FREE char *text = ct_printf("%lld.%09lld", (long long)(unix_ns / 1000000000),
                                        (long long)(unix_ns % 1000000000));
    call_text(call, key, unix_ns ? text : NULL);
}

char *call_url(struct call *call, struct ct_error *err)
{
    char *text = NULL;

    if (!call->path) {
        call_done(call);
        return ct_refuse_null(err, CT_INVALID, "the name is empty");
    }
    if (curl_url_get(call->url, CURLUPART_URL, &text, 0) != CURLUE_OK) {
        (void)ct_refuse(err, CT_INVALID, "ask for '%.100s': it does not fit into a URL",
                        call->path);
        call_done(call);
        return NULL;
    }
    char *copy = ct_strdup(text);
    curl_free(text);
    return copy;
}

void call_done(struct call *call)
{
    curl_url_cleanup(call->url);
    free(call->path);
    *call = (struct call){0};
}

/* ---- sending -------------------------------------------------------------------------------- */

static int send_call(struct call *call, const json_t *body, const struct call_streams *streams,
                     struct ct_error *err)
{
    const char *method = rest_method(call->endpoint);
    CT_AUTO_FREE char *url = call_url(call, err);
    if (!url) {
        return -1;
    }
    CT_SPAN(err, CT_ROLE_CLIENT, CT_STEP_REQUEST, "%s %s", method, call->path);
    struct transfer transfer;
    struct transfer_request request = {.method = method, .url = url, .body = body};
    int result =
        transfer_begin(&transfer, call->engine, &call->engine->channel, &request, streams, err);
    if (result == 0) {
        result = transfer_until_end(&transfer, err);
    }
    transfer_done(&transfer);
    call_done(call);
    return result;
}

int call_stream(struct call *call, const struct call_streams *streams, struct ct_error *err)
{
    return send_call(call, NULL, streams, err);
}

static int sink_to_memory(void *context, const char *bytes, size_t n, struct ct_error *err)
{
    FILE *memory = context;
    if (ftell(memory) + (long)n > (long)ANSWER_MAX) {
        return ct_refuse(err, CT_SYSTEM, "read the answer: it has more than %u bytes", ANSWER_MAX);
    }
    return fwrite(bytes, 1, n, memory) == n ? 0 : ct_fail(err, ENOMEM, "read the answer");
}

static int parse_answer(const char *text, size_t length, json_t **ret, struct ct_error *err)
{
    if (length == 0) {
        *ret = json_null();
        return 0;
    }
    *ret = ct_json_parse(text, length, err);
    return *ret ? 0 : ct_while(err, "read the answer");
}

int call_json(struct call *call, const json_t *body, json_t **ret, struct ct_error *err)
{
    CT_AUTO_FREE char *text = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&text, &length);
    struct call_streams streams = {
        .in_fd = -1, .cancel_fd = -1, .sink = sink_to_memory, .context = memory};

    if (!memory) {
        call_done(call);
        return ct_fail(err, ENOMEM, "ask the daemon");
    }
    int result = send_call(call, body, &streams, err);
    if (fclose(memory) != 0 && result == 0) {
        result = ct_fail(err, ENOMEM, "read the answer");
    }
    return result == 0 && ret ? parse_answer(text, length, ret, err) : result;
}

/* ---- sinks ---------------------------------------------------------------------------------- */

int sink_to_fd(void *context, const char *bytes, size_t n, struct ct_error *err)
{
    return ct_write_all(*(const int *)context, bytes, n) < 0
               ? ct_fail(err, errno, "write what the daemon sends")
               : 0;
}

static int take_line(struct lines *lines, const char *text, size_t length, struct ct_error *err)
{
    if (strspn(text, " \r\t") >= length) {
        return 0;
    }
    CT_AUTO_JSON json_t *line = ct_json_parse(text, length, err);
    if (!line) {
        return ct_while(err, "read a line of the answer");
    }
    const json_t *failure = json_object_get(line, "error");
    if (json_is_string(failure)) {
        rest_error_read(500, text, length, err);
        return -1;
    }
    return lines->take(lines->context, line, err);
}

int sink_lines(void *context, const char *bytes, size_t n, struct ct_error *err)
{
    struct lines *lines = context;

    if (lines->length + n > ANSWER_MAX) {
        return ct_refuse(err, CT_SYSTEM, "read the answer: a line has more than %u bytes",
                         ANSWER_MAX);
    }
    char *all = realloc(lines->rest, lines->length + n + 1);
    if (!all) {
        return ct_fail(err, ENOMEM, "read the answer");
    }
    lines->rest = all;
    memcpy(all + lines->length, bytes, n);
    lines->length += n;
    all[lines->length] = '\0';

    char *begin = all, *end;
    while ((end = memchr(begin, '\n', lines->length - (size_t)(begin - all)))) {
        if (take_line(lines, begin, (size_t)(end - begin), err) < 0) {
            return -1;
        }
        begin = end + 1;
    }
    lines->length -= (size_t)(begin - all);
    memmove(all, begin, lines->length);
    return 0;
}

void lines_done(struct lines *lines)
{
    free(lines->rest);
    *lines = (struct lines){0};
}

/* ---- a document in a header ----------------------------------------------------------------- */

int call_stat(struct call *call, json_t **ret, struct ct_error *err)
{
    struct call_streams nothing = {.in_fd = -1, .cancel_fd = -1};
    struct curl_header *header = NULL;
    const struct channel *channel = &call->engine->channel; /* the call is over when it returns */

    if (call_stream(call, &nothing, err) < 0) {
        return -1;
    }
    CURL *curl = channel->curl; /* each request makes a new one */
    if (curl_easy_header(curl, REST_STAT_HEADER, 0, CURLH_HEADER, -1, &header) != CURLHE_OK) {
        return ct_refuse(err, CT_SYSTEM, "read the answer: it has no header " REST_STAT_HEADER);
    }
    size_t length = strlen(header->value);
    CT_AUTO_FREE unsigned char *text = calloc(1, length + 4);
    int n = text ? EVP_DecodeBlock(text, (const unsigned char *)header->value, (int)length) : -1;
    if (n < 0) {
        return ct_refuse(err, CT_SYSTEM, "read header " REST_STAT_HEADER ": it is not base64");
    }
    *ret = ct_json_parse((const char *)text, strlen((const char *)text), err);
    return *ret ? 0 : ct_while(err, "read header " REST_STAT_HEADER);
}

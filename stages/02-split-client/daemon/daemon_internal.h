/*
 * daemon_internal.h - a request, its answer, and what the files of the daemon share.
 *
 * Room:       daemon; included by the files of this room only.
 *
 * One connection is one thread: a handler may block, and so may a slow reader; each blocks only
 * itself. A handler is a translation: query and body to a call of engine.h, its result to an
 * answer.
 */
#ifndef DAEMON_INTERNAL_H
#define DAEMON_INTERNAL_H

#include "engine.h"
#include "rest.h"
#include "server.h"

#include <microhttpd.h>

struct rest_request {
    struct engine *engine;
    struct MHD_Connection *connection;
    enum rest_endpoint endpoint;
    unsigned version;      /* minor number: 24 … 43 */
    char *name;            /* what stands for "{}", or NULL */
    json_t *body;          /* the document that was sent, or NULL */
    int in_fd;             /* an upload, from its beginning; or -1 */
    bool upgrade;          /* the client wants the connection itself */
    struct hijack *hijack; /* a stream that begins when the answer is out; or NULL */
};

/* Writes the body to out_fd; gives up when cancel_fd is readable. Runs in a thread of its own. */
typedef int (*produce_fn)(void *context, int out_fd, int cancel_fd, struct ct_error *err);

/* What is answered. Filled in by the reply_… functions below; released by the server. */
struct rest_reply {
    unsigned status;
    json_t *json;               /* the body, or NULL */
    char *json_text;            /* the body as JSON that is text already, or NULL */
    struct MHD_Response *ready; /* the whole response, made before and shared; or NULL */
    const char *type;           /* Content-Type of a stream */
    char *stat;                 /* REST_STAT_HEADER, or NULL */
    produce_fn produce;         /* the body is a stream; or NULL */
    void *context;              /* of produce; given to release */
    void (*release)(void *context);
    bool prompt;   /* the header goes out before the first byte of the body is there */
    int hijack_fd; /* the connection becomes this stream; or -1 */
};

typedef int (*rest_handler)(struct rest_request *request, struct rest_reply *reply,
                            struct ct_error *err);
#define ENDPOINT(symbol, method, path, handler) \
    int handler(struct rest_request *request, struct rest_reply *reply, struct ct_error *err);
#include "endpoints.def"

/* route.c: which endpoint a path is meant for. CT_NOT_FOUND "page not found", CT_INVALID (version),
 * CT_UNSUPPORTED (known, not here). */
int route_find(const char *method, const char *path, struct rest_request *request,
               struct ct_error *err);
rest_handler route_handler(enum rest_endpoint endpoint);
/* The body is a tar, not a document. */
bool route_takes_upload(const struct rest_request *request);

/*
 * query.c: what stands behind the "?". Strings are borrowed; NULL: it was not given.
 *
 * query_check comes first: what is not UTF-8 fits into no document, so it is refused at the door
 * (CT_INVALID). Only the "path" of an archive may be any bytes, as a file's name may.
 */
int query_check(const struct rest_request *request, const char *path, struct ct_error *err);
const char *query_text(const struct rest_request *request, const char *key);
/* Docker's truth: everything but "", 0, no, false, none. */
bool query_bool(const struct rest_request *request, const char *key, bool fallback);
int query_int(const struct rest_request *request, const char *key, long long fallback,
              long long *ret, struct ct_error *err);
/* UNIX time with a fraction, RFC 3339 or a duration, in ns; 0 when it was not given. */
int query_time(const struct rest_request *request, const char *key, int64_t *ret_ns,
               struct ct_error *err);
/* "filters": {"a":["b"]} or {"a":{"b":true}}; NULL when there are none. Owned. */
int query_filters(const struct rest_request *request, json_t **ret, struct ct_error *err);
/* All values of a key. Owned, NULL-terminated. */
char **query_list(const struct rest_request *request, const char *key);
/* The document that was sent; CT_INVALID without one. Borrowed. */
const json_t *request_body(const struct rest_request *request, struct ct_error *err);

/* reply.c; all without err return 0, so that `return reply_json(…)` reads well. json is given away.
 */
int reply_empty(struct rest_reply *reply, unsigned status);
int reply_json(struct rest_reply *reply, unsigned status, json_t *json);
int reply_pong(struct rest_reply *reply, bool with_body); /* 200 */
/* texts.c: 200; a list of containers' summaries (given away). complete: none is left out. */
int reply_summaries(struct rest_reply *reply, json_t *list, bool complete, struct ct_error *err);
int reply_stream(struct rest_reply *reply, const char *type, produce_fn produce, void *context,
                 void (*release)(void *context));
/* The connection becomes fd (given away): 101 for who asked to upgrade, else a body without end. */
int reply_hijack(struct rest_request *request, struct rest_reply *reply, int fd, bool raw);
void reply_error(struct rest_reply *reply, const struct ct_error *err);
void reply_done(struct rest_reply *reply);
/* Queues it. After this the reply is empty. */
enum MHD_Result reply_send(struct rest_request *request, struct rest_reply *reply);
/* Docker's "{"stream":…}\r\n" objects on out_fd, for engine_io. */
void write_progress(void *out_fd_pointer, const json_t *message);
int write_line(int out_fd, const json_t *json, const char *end, struct ct_error *err);

/* stream.c: a body that is produced while it is sent. NULL: it failed before the first byte. */
struct MHD_Response *stream_response(struct MHD_Connection *connection, struct rest_reply *reply,
                                     struct ct_error *err);
/*
 * hijack.c: takes reply->hijack_fd over. Until the answer is out the stream is the request's, and
 * who could not be answered is let go with it (hijack_drop; NULL: nothing is left to drop).
 */
struct MHD_Response *hijack_response(struct rest_request *request, struct rest_reply *reply);
void hijack_drop(struct hijack *hijack);

/* talks.c: everything that goes on longer than a call, so that the end of the daemon ends it. */
struct talk {
    int cancel_fd; /* an eventfd: readable when it is to end */
    struct talk *next, **slot;
};
int talk_begin(struct talk *talk, struct ct_error *err);
void talk_cancel(struct talk *talk);
void talk_end(struct talk *talk);
void talks_cancel_all(void);

#endif

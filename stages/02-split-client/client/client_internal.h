/*
 * client_internal.h - what the files of the client share: the handle, and one request with its
 * answer.
 *
 * Room:       client; behind engine.h.
 * Spec:       Docker Engine API 1.43; libcurl-easy(3), libcurl-multi(3), libcurl-url(3).
 *
 * Every function of engine.h has the same three lines here: which endpoint, what is asked of it,
 * what becomes of the answer.
 *
 *     struct call call = call_new(engine, REST_CONTAINER_STOP, ref);
 *     call_int(&call, "t", timeout_s);
 *     return call_json(&call, NULL, NULL, err);
 */
#ifndef CLIENT_INTERNAL_H
#define CLIENT_INTERNAL_H

#include "engine.h"
#include "rest.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

struct tls_files {
    char *ca, *cert, *key; /* owned; NULL: none */
};

/* A way to the daemon: keeps its connection from one request to the next; one at a time. */
struct channel {
    CURL *curl;
    CURLM *multi;
};

struct engine {
    struct rest_host host;
    char *name; /* the host as text, for people */
    struct tls_files tls;
    bool has_tls;
    unsigned version;       /* the minor number that both sides speak; 0: not asked yet */
    struct channel channel; /* for whatever is asked and answered at once */
};

/* ---- asking (call.c) ------------------------------------------------------------------------ */

/* One request on its way to be sent. Whichever way it is sent, that ends it. */
struct call {
    struct engine *engine;
    enum rest_endpoint endpoint;
    CURLU *url;
    char *path; /* with the name in it: what a trace and an error show */
};

/* name stands for "{}" of the endpoint's path; NULL where it has none. */
struct call call_new(struct engine *engine, enum rest_endpoint endpoint, const char *name);
/* Adds "key=value" behind the "?". NULL and false add nothing. */
void call_text(struct call *call, const char *key, const char *value);
void call_int(struct call *call, const char *key, long long value);
void call_bool(struct call *call, const char *key, bool value);
void call_list(struct call *call, const char *key, const char *const *values);
void call_filters(struct call *call, const json_t *filters);
void call_time(struct call *call, const char *key, int64_t unix_ns); /* 0: nothing */

/* The whole URL, owned; CT_INVALID when the name is empty. The call is ended when NULL. */
char *call_url(struct call *call, struct ct_error *err);
void call_done(struct call *call);

/* Sends it with body (NULL: none); ret (NULL: not wanted) is the answer's document, owned. */
int call_json(struct call *call, const json_t *body, json_t **ret, struct ct_error *err);

/* Takes a piece of the answer; -1 with *err stops the transfer. */
typedef int (*call_sink)(void *context, const char *bytes, size_t n, struct ct_error *err);

struct call_streams {
    int in_fd;      /* sent as the request's body; -1: none */
    int cancel_fd;  /* readable: give up with CT_TIMEOUT; -1: none */
    call_sink sink; /* NULL: the answer is dropped */
    void *context;
};
int call_stream(struct call *call, const struct call_streams *streams, struct ct_error *err);

/* A sink that writes to the descriptor that context points to. */
int sink_to_fd(void *context, const char *bytes, size_t n, struct ct_error *err);

/* A sink of JSON lines: context is a struct lines, and each line goes to its function. */
struct lines {
    int (*take)(void *context, const json_t *line, struct ct_error *err);
    void *context;
    char *rest; /* of a line that is not whole yet; lines_done() frees it */
    size_t length;
};
int sink_lines(void *lines, const char *bytes, size_t n, struct ct_error *err);
void lines_done(struct lines *lines);

/* HEAD: the header's value, decoded from base64 into a document. */
int call_stat(struct call *call, json_t **ret, struct ct_error *err);

/* ---- transfers (transfer.c) ----------------------------------------------------------------- */

int channel_open(struct channel *channel, struct ct_error *err);
void channel_close(struct channel *channel);

/* A request that is being sent and answered. Several may be open, each on its own channel. */
struct transfer {
    const struct engine *engine;
    struct channel *channel;
    struct curl_slist *headers;
    struct call_streams streams;
    bool has_head;   /* the status and the headers of the answer are there */
    bool is_over;    /* the answer is complete, or will never be */
    bool in_waiting; /* in_fd had nothing to read */
    unsigned status;
    char *error_body; /* of an answer that is no success */
    size_t error_length;
    struct ct_error own_err; /* why in_fd or the sink stopped it */
    CURLcode code;
};

/* Where and what. */
struct transfer_request {
    const char *method, *url;
    const json_t *body; /* or NULL */
};
/* transfer_done() whatever comes back. */
int transfer_begin(struct transfer *transfer, const struct engine *engine, struct channel *channel,
                   const struct transfer_request *request, const struct call_streams *streams,
                   struct ct_error *err);
/* Goes on until the head (all of the answer) is there. -1: refused, lost, or cancelled. */
int transfer_until_head(struct transfer *transfer, struct ct_error *err);
int transfer_until_end(struct transfer *transfer, struct ct_error *err);
/* Does what can be done without waiting. 1: over, and it went well; 0: not yet; -1. */
int transfer_go_on(struct transfer *transfer, struct ct_error *err);
/* The socket of a transfer that has its head, to be polled; -1: none. */
int transfer_fd(const struct transfer *transfer);
void transfer_done(struct transfer *transfer);

/* Where the daemon is and how to trust it, for a handle that is about to connect. */
void transfer_aim(const struct engine *engine, CURL *curl);
/* Why there was no answer: nobody listens, not allowed, gone in between. Returns -1. */
int transfer_lost(const struct engine *engine, CURL *curl, CURLcode code, struct ct_error *err);

/* ---- connections that stop being HTTP (hijack.c) -------------------------------------------- */

/* Sends the call with "Upgrade: tcp"; *ret_fd (owned) is the program's stream. */
int call_hijack(struct call *call, const json_t *body, int *ret_fd, struct ct_error *err);

#endif

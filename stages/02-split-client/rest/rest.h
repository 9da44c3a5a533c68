/*
 * rest.h - what both sides of the wire agree on: versions, limits, endpoints, the form of an error.
 *
 * Room:       rest, between client and daemon; knows neither.
 * Called by:  client, daemon.
 * Spec:       Docker Engine API 1.43 (and back to 1.24), RFC 3986 for paths.
 */
#ifndef REST_H
#define REST_H

#include "error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Minor numbers of "1.x". The client asks for the smaller one of its own and the daemon's. */
#define REST_VERSION_MAX 43
#define REST_VERSION_MIN 24

#define REST_JSON_MAX    (8u << 20)     /* bytes of a request that is a document */
#define REST_SOCKET      "cutaway.sock" /* in RUN */
#define REST_STAT_HEADER "X-Docker-Container-Path-Stat"

#define ENDPOINT(symbol, method, path, handler) REST_##symbol,
enum rest_endpoint {
#include "endpoints.def"
    REST_ENDPOINT_COUNT
};

const char *rest_method(enum rest_endpoint endpoint);
const char *rest_path(enum rest_endpoint endpoint); /* with "{}" */

/*
 * rest_match - is path (without the version, decoded) one of pattern's? ret_name (owned; NULL when
 * the pattern has no "{}") is what stands for "{}". A name is never empty, and has slashes only
 * below /images and /distribution.
 */
bool rest_match(const char *pattern, const char *path, char **ret_name);

/*
 * The error as a body: {"message": the whole line}, as Docker's clients read it, and beside it
 * "cutaway": the chain, for our own. Owned.
 */
json_t *rest_error_body(const struct ct_error *err);
/* And back. A body that is not ours (a real dockerd's) becomes one frame of layer "dockerd". */
void rest_error_read(unsigned status, const char *body, size_t length, struct ct_error *err);

/* "unix:///run/x.sock", "tcp://host:2376" taken apart. Owned by the caller (rest_host_done). */
struct rest_host {
    bool is_unix;
    char *path; /* of a unix socket */
    char *name; /* of a tcp host, without brackets */
    unsigned port;
};
/* CT_INVALID: another scheme, no path, a port that is none, a unix path that is too long (107). */
int rest_host_parse(const char *text, struct rest_host *ret, struct ct_error *err);
void rest_host_done(struct rest_host *host);
/* 127.0.0.0/8, ::1, "localhost". */
bool rest_host_is_loopback(const struct rest_host *host);

#endif

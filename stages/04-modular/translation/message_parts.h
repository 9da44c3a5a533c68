/*
 * message_parts.h - parts that many messages have: lists, times, and maps of strings.
 *
 * Room:       translation (stage 04).
 * Called by:  containerd, networks, volumes; this room's own files.
 *
 * Everything that a message points to lives in a pool. A peer's text need not be UTF-8: in a
 * document each byte that is not becomes U+FFFD.
 */
#ifndef MESSAGE_PARTS_H
#define MESSAGE_PARTS_H

#include "pool.h"

#include "containerd_api.h"

#include <jansson.h>

/* A new message in pool. */
void *message_new(const ProtobufCMessageDescriptor *type, struct pool *pool);
/* Adds to an array that grows by doubling; *items and its elements are in pool's keeping. */
void list_add(void ***items, size_t *n, void *item, struct pool *pool);
Google__Protobuf__Timestamp *timestamp_of(int64_t unix_ns, struct pool *pool);

/* Every generated entry of a map<string, string> looks like this. */
struct map_entry {
    ProtobufCMessage base;
    char *key, *value;
};

/* ---- documents ------------------------------------------------------------------------------ */

/* A copy in pool. */
char *text_of(const char *text, struct pool *pool);
/* The text at a path of a document, "" when there is none. A copy in pool. */
char *text_at(const json_t *document, const char *path, struct pool *pool);
/* RFC 3339 as Docker writes it; NULL: "never", or no time. */
Google__Protobuf__Timestamp *time_at(const json_t *document, const char *key, struct pool *pool);
void set_time(json_t *document, const char *key, const Google__Protobuf__Timestamp *time);

/* {"key":"value"} as entries of the type (NULL when empty, *ret_n of them), and back (owned). */
void *map_of(const json_t *object, const ProtobufCMessageDescriptor *type, struct pool *pool,
             size_t *ret_n);
json_t *object_of(void *entries, size_t n);
/* ["a"] as a message's repeated string, and back (owned). */
char **strings_of(const json_t *array, struct pool *pool, size_t *ret_n);
/* As ct_json_set(), under a peer's text. */
void set_under(json_t *object, const char *key, json_t *value);

#endif

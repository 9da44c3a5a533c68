/*
 * json.h - JSON documents on jansson: parsing with limits, files, and reading fields safely.
 *
 * Room:       lib. Called by: every room that keeps or passes documents.
 * Spec:       RFC 8259. Documents nest at most CT_JSON_DEPTH deep; duplicate keys are refused.
 */
#ifndef CT_JSON_H
#define CT_JSON_H

#include "error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define CT_JSON_DEPTH    64
#define CT_JSON_FILE_MAX (16u << 20) /* bytes; larger files are refused, not read */

/* Parses text; the caller owns the result. NULL: CT_INVALID, with line, column and jansson's
 * reason. */
json_t *ct_json_parse(const char *text, size_t length, struct ct_error *err);

/* Reads a file relative to dir_fd (AT_FDCWD allowed). NULL: CT_NOT_FOUND, CT_INVALID or CT_SYSTEM.
 */
json_t *ct_json_load_at(int dir_fd, const char *name, struct ct_error *err);

/* Writes atomically and durably (file.h), mode 0600, keys in insertion order. Returns 0 or -1. */
int ct_json_save_at(int dir_fd, const char *name, const json_t *json, struct ct_error *err);

/* The same for a document that does not outlive the boot (ct_write_run_file_at), in one line. */
int ct_json_save_run_at(int dir_fd, const char *name, const json_t *json, struct ct_error *err);

/* One line without spaces, owned by the caller (free). NULL only when memory is out. */
char *ct_json_text(const json_t *json);

/*
 * ct_json_get - walks a path of keys: ct_json_get(doc, "HostConfig.LogConfig.Type").
 * Returns a borrowed value or NULL. Keys that contain dots are not reachable this way.
 */
json_t *ct_json_get(const json_t *json, const char *path);

/* The value at path if it has the type asked for, else fallback. Strings are borrowed. */
const char *ct_json_string(const json_t *json, const char *path, const char *fallback);
json_int_t ct_json_integer(const json_t *json, const char *path, json_int_t fallback);
bool ct_json_bool(const json_t *json, const char *path, bool fallback);

/* Number of elements of an array or object; 0 for anything else, NULL included. */
size_t ct_json_count(const json_t *json);

/* Says nothing: missing, null, false, 0, "" or empty. What Docker's clients send for a field that
 * their user did not touch. */
bool ct_json_is_unset(const json_t *value);

/*
 * Sets key to a new value (reference given away, as json_object_set_new). Unlike jansson's own,
 * running out of memory ends the process: documents of a half-set state are never saved.
 */
void ct_json_set(json_t *object, const char *key, json_t *value);
void ct_json_set_string(json_t *object, const char *key, const char *value_or_null);
void ct_json_append(json_t *array, json_t *value);

/* Array of strings from a vector (n, or until NULL when n is SIZE_MAX), and back (owned,
 * NULL-terminated). */
json_t *ct_json_from_strv(const char *const *strv, size_t n);
char **ct_json_to_strv(const json_t *array, struct ct_error *err);

/* A string that is not valid UTF-8 becomes one, with U+FFFD for each bad byte (json_string refuses
 * it). */
json_t *ct_json_string_lossy(const char *bytes, size_t length);

#endif

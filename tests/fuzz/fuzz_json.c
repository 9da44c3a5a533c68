/*
 * fuzz_json.c - any bytes as a document: a request to create a container, an image's config,
 * filters, an error.
 *
 * Room:       tests.   Called by: libFuzzer (meson option fuzz).
 *
 * One input is each of them in turn: what is a wrong request may be a right error. Nothing here
 * touches the machine; what a request would mount is parsed, not made.
 *
 * Changed bytes are seldom a document any more. So three of four changes are made to the document:
 * one of its values becomes another one, of a kind that is not expected there.
 */
#include "engine_internal.h"
#include "fuzz.h"
#include "logs.h"
#include "spec.h"
#include "volumes_internal.h"

#include "cleanup.h"
#include "error.h"
#include "json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max); /* libFuzzer's own */

/* ---- changing a document -------------------------------------------------------------------- */

static const char *const strange[] = {
    "null",
    "true",
    "0",
    "-1",
    "9223372036854775807",
    "-9223372036854775808",
    "1e300",
    "[]",
    "{}",
    "[null]",
    "[[]]",
    "[{}]",
    "[\"\"]",
    "[7]",
    "{\"\":null}",
    "{\"a\":{}}",
    "\"\"",
    "\"a\"",
    "\"a:b:c:d\"",
    "\"/\"",
    "\"..\"",
    "\"/a/../../b\"",
    "\"=\"",
    "\":\"",
    "\"99999999999999999999\"",
    "\"-1/tcp\"",
    "\"a\\nb\"",
    "\"\\u00e4\\uffff\"",
};

/* The text with some of its bytes changed, or a value of another kind. Owned. */
static json_t *other_value(const json_t *value, unsigned seed)
{
    uint8_t text[256];
    size_t length = json_string_length(value);

    if (json_is_string(value) && seed % 2 == 0 && length < sizeof(text)) {
        memcpy(text, json_string_value(value), length);
        return ct_json_string_lossy((char *)text, LLVMFuzzerMutate(text, length, sizeof(text)));
    }
    return json_loads(strange[seed / 2 % (sizeof(strange) / sizeof(*strange))], JSON_DECODE_ANY,
                      NULL);
}

/* Counts down over all values below `within`; where it ends, the value becomes another. */
static bool change_value(json_t *within, size_t *left, unsigned seed)
{
    const char *key;
    json_t *child;
    size_t i;

    json_object_foreach(within, key, child)
    {
        if ((*left)-- == 0) {
            return json_object_set_new(within, key, other_value(child, seed)) == 0;
        }
        if (change_value(child, left, seed)) {
            return true;
        }
    }
    json_array_foreach(within, i, child)
    {
        if ((*left)-- == 0) {
            return json_array_set_new(within, i, other_value(child, seed)) == 0;
        }
        if (change_value(child, left, seed)) {
            return true;
        }
    }
    return false;
}

static size_t count_values(const json_t *within)
{
    size_t left = SIZE_MAX;
    (void)change_value((json_t *)within, &left, 0); /* never gets there */
    return SIZE_MAX - left;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *document = seed % 4 ? ct_json_parse((const char *)data, size, &err) : NULL;
    size_t n = document ? count_values(document) : 0;
    size_t left = n ? seed / 4 % n : 0;

    if (n && change_value(document, &left, seed / 4 / (unsigned)n)) {
        CT_AUTO_FREE char *text = ct_json_text(document);
        size_t length = text ? strlen(text) : 0;
        if (length > 0 && length <= size_max) {
            memcpy(data, text, length);
            return length;
        }
    }
    return LLVMFuzzerMutate(data, size, size_max);
}

/* ---- what must hold ------------------------------------------------------------------------- */

/* Written and read again it is the same document. */
static void must_survive_text(const json_t *document)
{
    struct ct_error err = {0};
    CT_AUTO_FREE char *text = ct_json_text(document);
    CT_AUTO_JSON json_t *again = text ? ct_json_parse(text, strlen(text), &err) : NULL;

    if (!again || !json_equal(document, again)) {
        abort();
    }
}

static void parse_mounts(const json_t *record)
{
    struct ct_error err = {0};
    const json_t *host = json_object_get(record, "HostConfig");
    CT_AUTO_JSON json_t *mounts = json_array();

    if (mounts_from_binds(json_object_get(host, "Binds"), mounts, &err) < 0 ||
        mounts_from_mounts(json_object_get(host, "Mounts"), mounts, &err) < 0 ||
        mounts_from_tmpfs(json_object_get(host, "Tmpfs"), mounts, &err) < 0 ||
        mounts_from_image(ct_json_get(record, "Config.Volumes"), mounts, &err) < 0) {
        must_be_told(&err);
    }
}

/* As engine/create.c: from a request and an image's config to a record that is checked. */
static void make_record(const json_t *body, const json_t *image_config)
{
    struct ct_error err = {0};
    struct exec_limits limits;
    CT_AUTO_JSON json_t *record = request_to_config(body, image_config, &err);

    if (!record || request_check(record, &err) < 0 || spec_check(record, &err) < 0 ||
        log_check_config(ct_json_get(record, "HostConfig.LogConfig"),
                         json_object_get(record, "Config"), &err) < 0) {
        must_be_told(&err);
        return;
    }
    must_survive_text(record);
    spec_limits(record, &limits);
    (void)spec_hostname(record);
    (void)spec_joined(record);
    parse_mounts(record);
}

static void take_as_filters(const json_t *filters)
{
    static const char *const known[] = {"name", "id", "label", "label!", "until", "dangling", NULL};
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *labels = json_pack("{s:s}", "key", "value");
    bool matches;

    if (filters_check(filters, known, &err) < 0 ||
        filters_match_until(filters, 1, &matches, &err) < 0 ||
        filters_bool(filters, "dangling", 0, &err) < 0) {
        must_be_told(&err);
        return;
    }
    (void)filters_match_regex(filters, "name", "web");
    (void)filters_match_prefix(filters, "id", "0123456789ab");
    (void)filters_match_labels(filters, labels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ct_error err = {0}, received = {0};
    CT_AUTO_JSON json_t *document = ct_json_parse((const char *)data, size, &err);
    CT_AUTO_JSON json_t *plain = json_pack("{s:s,s:[s]}", "Image", "busybox", "Cmd", "true");
    CT_AUTO_JSON json_t *plain_image = json_pack("{s:[s],s:[s]}", "Cmd", "sh", "Env", "PATH=/bin");

    json_decref(ct_json_string_lossy((const char *)data, size)); /* ends the process if it fails */
    if (!document) {
        must_be_told(&err);
        return 0;
    }
    must_survive_text(document);
    make_record(document, plain_image);
    make_record(plain, document);
    take_as_filters(document);
    (void)ct_error_from_json(document, &received);
    must_be_told(&received);
    return 0;
}

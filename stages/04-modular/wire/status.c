/*
 * status.c - how a call ends: see status.h.
 *
 * Room:       wire.   Called by: grpc*.c, ttrpc*.c.
 */
#define CT_LAYER "wire"
#include "status.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 4096 /* bytes of an error in one line */

/* The one table, indexed by the kind. */
static const enum wire_code codes[] = {
    [CT_NONE] = WIRE_OK,
    [CT_INVALID] = WIRE_INVALID_ARGUMENT,
    [CT_NOT_FOUND] = WIRE_NOT_FOUND,
    [CT_EXISTS] = WIRE_ALREADY_EXISTS,
    [CT_CONFLICT] = WIRE_FAILED_PRECONDITION,
    [CT_UNCHANGED] = WIRE_FAILED_PRECONDITION,
    [CT_DENIED] = WIRE_PERMISSION_DENIED,
    [CT_UNSUPPORTED] = WIRE_UNIMPLEMENTED,
    [CT_UNREACHABLE] = WIRE_UNAVAILABLE,
    [CT_TIMEOUT] = WIRE_DEADLINE_EXCEEDED,
    /* containerd has no code for these two; its clients look into the text. */
    [CT_CANNOT_RUN] = WIRE_UNKNOWN,
    [CT_NO_PROGRAM] = WIRE_UNKNOWN,
    [CT_SYSTEM] = WIRE_UNKNOWN,
};

/* Back: several kinds share a code, and peers send codes that no kind of ours has. */
static const enum ct_kind kinds[] = {
    [WIRE_OK] = CT_NONE,
    [WIRE_CANCELLED] = CT_TIMEOUT,
    [WIRE_UNKNOWN] = CT_SYSTEM,
    [WIRE_INVALID_ARGUMENT] = CT_INVALID,
    [WIRE_DEADLINE_EXCEEDED] = CT_TIMEOUT,
    [WIRE_NOT_FOUND] = CT_NOT_FOUND,
    [WIRE_ALREADY_EXISTS] = CT_EXISTS,
    [WIRE_PERMISSION_DENIED] = CT_DENIED,
    [WIRE_RESOURCE_EXHAUSTED] = CT_SYSTEM,
    [WIRE_FAILED_PRECONDITION] = CT_CONFLICT,
    [WIRE_ABORTED] = CT_CONFLICT,
    [WIRE_OUT_OF_RANGE] = CT_INVALID,
    [WIRE_UNIMPLEMENTED] = CT_UNSUPPORTED,
    [WIRE_INTERNAL] = CT_SYSTEM,
    [WIRE_UNAVAILABLE] = CT_UNREACHABLE,
    [WIRE_DATA_LOSS] = CT_SYSTEM,
    [WIRE_UNAUTHENTICATED] = CT_DENIED,
};

enum wire_code wire_code_of_kind(enum ct_kind kind)
{
    size_t i = (size_t)kind;
    return i < sizeof(codes) / sizeof(codes[0]) ? codes[i] : WIRE_UNKNOWN;
}

enum ct_kind wire_kind_of_code(int code)
{
    size_t i = (size_t)code;
    return code >= 0 && i < sizeof(kinds) / sizeof(kinds[0]) ? kinds[i] : CT_SYSTEM;
}

/* ---- out ------------------------------------------------------------------------------------ */

/* Memory as protobuf-c's own allocator has it, so that its free function releases all of it. */
static void *must_have(void *memory)
{
    if (!memory) {
        abort(); /* as everywhere: a half-made message is never sent */
    }
    return memory;
}

static Google__Protobuf__Any *chain_detail(const struct ct_error *error)
{
    CT_AUTO_JSON json_t *document = ct_error_to_json(error);
    Google__Protobuf__Any *detail = must_have(calloc(1, sizeof(*detail)));

    google__protobuf__any__init(detail);
    detail->type_url = ct_strdup(WIRE_ERROR_TYPE);
    detail->value.data = must_have(ct_json_text(document));
    detail->value.len = strlen((char *)detail->value.data);
    return detail;
}

Google__Rpc__Status *wire_status_new(const struct ct_error *error)
{
    Google__Rpc__Status *status = must_have(calloc(1, sizeof(*status)));
    char text[TEXT_MAX];

    google__rpc__status__init(status);
    status->code = (int32_t)wire_code_of_kind(error->kind);
    status->message = ct_strdup(ct_error_render(error, text, sizeof(text)));
    status->details = must_have(calloc(1, sizeof(*status->details)));
    status->details[0] = chain_detail(error);
    status->n_details = 1;
    return status;
}

void wire_status_free(Google__Rpc__Status *status)
{
    if (status) {
        google__rpc__status__free_unpacked(status, NULL);
    }
}

/* ---- in ------------------------------------------------------------------------------------- */

/* How much of text goes into one frame: all, or up to the last ": " that fits. */
static size_t piece_of(const char *text, size_t room)
{
    size_t length = strlen(text), cut = 0;

    for (size_t i = 0; length > room && i + 1 < room; i++) {
        if (text[i] == ':' && text[i + 1] == ' ') {
            cut = i;
        }
    }
    return cut ? cut : length;
}

void wire_text_to_error(const char *text, const char *layer, enum ct_kind kind,
                        struct ct_error *err)
{
    struct {
        const char *text;
        size_t length;
    } pieces[CT_ERROR_DEPTH];
    int n = 0;

    do {
        bool last = n + 1 == CT_ERROR_DEPTH;
        pieces[n].text = text;
        pieces[n].length = last ? strlen(text) : piece_of(text, sizeof(err->frame[0].what) - 1);
        text += pieces[n].length;
        text += *text ? 2 : 0;
        n++;
    } while (*text && n < CT_ERROR_DEPTH);
    n--;
    (void)ct_error_set(err, layer, kind, 0, "%.*s", (int)pieces[n].length, pieces[n].text);
    while (n-- > 0) {
        (void)ct_error_push(err, layer, "%.*s", (int)pieces[n].length, pieces[n].text);
    }
}

/* True when the peer is one of ours and sent the chain. */
static bool find_chain(const Google__Rpc__Status *status, struct ct_error *ret)
{
    struct ct_error ignored = {0};

    for (size_t i = 0; i < status->n_details; i++) {
        const Google__Protobuf__Any *detail = status->details[i];
        if (strcmp(detail->type_url, WIRE_ERROR_TYPE) != 0) {
            continue;
        }
        CT_AUTO_JSON json_t *document =
            ct_json_parse((const char *)detail->value.data, detail->value.len, &ignored);
        return document && ct_error_from_json(document, ret) == 0;
    }
    return false;
}

int wire_status_to_error(const Google__Rpc__Status *status, const char *layer, struct ct_error *err)
{
    struct ct_error chain = {0};

    if (!status || status->code == WIRE_OK) {
        return 0;
    }
    if (find_chain(status, &chain)) {
        *err = chain;
        return -1;
    }
    err->kind = wire_kind_of_code(status->code);
    if (status->message && *status->message) {
        wire_text_to_error(status->message, layer, err->kind, err);
        return -1;
    }
    return ct_error_set(err, layer, err->kind, 0, "the call ended with code %d", status->code);
}

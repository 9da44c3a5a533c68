/*
 * words.c - a message as a line.
 *
 * Room:       wire.   Called by: see words.h.
 * Library:    protobuf-c: a descriptor says of each field where it stands and what it is.
 */
#include "words.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_MAX 100 /* bytes of a text that are told */

/* The number that the field holds; *ret_signed: how it is to be read. False: it is no number. */
static bool number_of(ProtobufCType type, const void *at, uint64_t *ret, bool *ret_signed)
{
    *ret_signed = false;
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        *ret_signed = true;
        *ret = (uint64_t)(int64_t)(*(const int32_t *)at);
        return true;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        *ret = *(const uint32_t *)at;
        return true;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        *ret_signed = true;
        *ret = (uint64_t)(*(const int64_t *)at);
        return true;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        *ret = *(const uint64_t *)at;
        return true;
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        break;
    }
    return false;
}

static void tell_value(FILE *out, const char *part, const ProtobufCFieldDescriptor *field,
                       const void *at)
{
    const char *dot = *part ? "." : "";
    uint64_t number = 0;
    bool is_signed = false;

    if (field->type == PROTOBUF_C_TYPE_STRING) {
        const char *text = *(const char *const *)at;
        if (text && *text) {
            (void)fprintf(out, " %s%s%s=%.*s%s", part, dot, field->name, VALUE_MAX, text,
                          strlen(text) > VALUE_MAX ? "…" : "");
        }
    } else if (field->type == PROTOBUF_C_TYPE_BOOL) {
        if (*(const protobuf_c_boolean *)at) {
            (void)fprintf(out, " %s%s%s=true", part, dot, field->name);
        }
    } else if (number_of(field->type, at, &number, &is_signed) && number != 0) {
        (void)fprintf(out, is_signed ? " %s%s%s=%" PRId64 : " %s%s%s=%" PRIu64, part, dot,
                      field->name, number);
    }
}

static void tell_fields(FILE *out, const char *part, const ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;

    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        const void *at = (const char *)message + field->offset;
        if (field->label == PROTOBUF_C_LABEL_REPEATED ||
            (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)) {
            continue;
        }
        if (field->type != PROTOBUF_C_TYPE_MESSAGE) {
            tell_value(out, part, field, at);
            continue;
        }
        const ProtobufCMessage *inner = *(const ProtobufCMessage *const *)at;
        if (inner && !*part &&
            strncmp(inner->descriptor->name, "google.", strlen("google.")) != 0) {
            tell_fields(out, field->name, inner);
        }
    }
}

char *wire_words(const char *service, const char *method, const ProtobufCMessage *message)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    if (!out) {
        abort();
    }
    (void)fprintf(out, "%s/%s", service, method);
    tell_fields(out, "", message);
    (void)fclose(out);
    return text;
}

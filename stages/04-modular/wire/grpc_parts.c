/*
 * grpc_parts.c - framed messages and values of headers: see grpc_parts.h.
 *
 * Room:       wire.   Called by: grpc*.c.
 */
#define CT_LAYER "grpc"
#include "grpc_parts.h"

#include "cleanup.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- bytes ---------------------------------------------------------------------------------- */

uint8_t *bytes_extend(struct bytes *bytes, size_t length)
{
    if (bytes->at == bytes->end) {
        bytes->at = bytes->end = 0;
    }
    if (bytes->room - bytes->end < length && bytes->at > 0) {
        memmove(bytes->data, bytes->data + bytes->at, bytes->end - bytes->at);
        bytes->end -= bytes->at;
        bytes->at = 0;
    }
    if (bytes->room - bytes->end < length) {
        size_t room = bytes->room * 2 > bytes->end + length ? bytes->room * 2 : bytes->end + length;
        uint8_t *grown = realloc(bytes->data, room);
        if (!grown) {
            abort(); /* as everywhere: a message is whole or not there */
        }
        bytes->data = grown;
        bytes->room = room;
    }
    bytes->end += length;
    return bytes->data + bytes->end - length;
}

void bytes_add(struct bytes *bytes, const void *data, size_t length)
{
    if (length > 0) {
        memcpy(bytes_extend(bytes, length), data, length);
    }
}

size_t bytes_length(const struct bytes *bytes)
{
    return bytes->end - bytes->at;
}

const uint8_t *bytes_front(const struct bytes *bytes)
{
    return bytes->data ? bytes->data + bytes->at : NULL;
}

void bytes_drop(struct bytes *bytes, size_t length)
{
    bytes->at += length;
    if (bytes->at == bytes->end) {
        bytes->at = bytes->end = 0;
        if (bytes->room > (64 << 10)) { /* one large message does not stay with us for ever */
            bytes_done(bytes);
        }
    }
}

void bytes_done(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){0};
}

/* ---- length-prefixed messages --------------------------------------------------------------- */

int frame_look(const struct bytes *bytes, size_t max, size_t *ret, struct ct_error *err)
{
    const uint8_t *header = bytes_front(bytes);
    size_t have = bytes_length(bytes), length;

    if (have < FRAME_HEADER) {
        return 0;
    }
    if (header[0] != 0) {
        return ct_refuse(err, CT_INVALID, "read a message: it is compressed");
    }
    length = (size_t)header[1] << 24 | (size_t)header[2] << 16 | (size_t)header[3] << 8 | header[4];
    if (length > max) {
        return ct_refuse(err, CT_INVALID, "read a message: it has %zu bytes, more than %zu", length,
                         max);
    }
    *ret = length;
    return have - FRAME_HEADER >= length;
}

void frame_header(uint8_t header[static FRAME_HEADER], size_t length)
{
    header[0] = 0;
    for (int i = 0; i < 4; i++) {
        header[1 + i] = (uint8_t)(length >> (24 - 8 * i));
    }
}

/* ---- grpc-timeout --------------------------------------------------------------------------- */

int64_t timeout_parse(const char *text)
{
    static const struct {
        char unit;
        int64_t ns;
    } units[] = {{'H', 3600000000000}, {'M', 60000000000}, {'S', 1000000000},
                 {'m', 1000000},       {'u', 1000},        {'n', 1}};
    int64_t number = 0;
    int digits = 0;

    for (; text[digits] >= '0' && text[digits] <= '9'; digits++) {
        if (digits == 8) { /* the specification's limit; so nothing below overflows for hours */
            return -1;
        }
        number = number * 10 + (text[digits] - '0');
    }
    for (size_t i = 0; digits > 0 && i < sizeof(units) / sizeof(units[0]); i++) {
        if (text[digits] == units[i].unit && text[digits + 1] == '\0') {
            return number > INT64_MAX / 2 / units[i].ns ? INT64_MAX / 2 : number * units[i].ns;
        }
    }
    return -1;
}

char *timeout_text(int timeout_ms, char buffer[static 16])
{
    bool fits = timeout_ms < 100000000; /* eight digits */
    (void)snprintf(buffer, 16, "%d%c", fits ? timeout_ms : timeout_ms / 1000, fits ? 'm' : 'S');
    return buffer;
}

/* ---- grpc-message --------------------------------------------------------------------------- */

static char *must_have(char *memory)
{
    if (!memory) {
        abort();
    }
    return memory;
}

char *percent_encode(const char *text)
{
    char *out = must_have(malloc(strlen(text) * 3 + 1)), *end = out;

    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c >= 0x20 && *c <= 0x7E && *c != '%') {
            *end++ = (char)*c;
        } else {
            end += sprintf(end, "%%%02X", *c);
        }
    }
    *end = '\0';
    return out;
}

static int hex_value(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *place = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;
    return place ? (int)(place - digits) : -1;
}

char *percent_decode(const char *text)
{
    char *out = must_have(malloc(strlen(text) + 1)), *end = out;

    while (*text) {
        int high = *text == '%' ? hex_value(text[1]) : -1;
        int low = high >= 0 ? hex_value(text[2]) : -1;
        if (low >= 0 && high * 16 + low != 0) { /* a NUL would cut the text */
            *end++ = (char)(high * 16 + low);
            text += 3;
        } else {
            *end++ = *text++;
        }
    }
    *end = '\0';
    return out;
}

/* ---- binary headers ------------------------------------------------------------------------- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const uint8_t *data, size_t length)
{
    char *out = must_have(malloc(length / 3 * 4 + 5)), *end = out;

    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        uint32_t three = (uint32_t)data[i] << 16 | (left > 1 ? (uint32_t)data[i + 1] << 8 : 0) |
                         (left > 2 ? data[i + 2] : 0);
        for (size_t k = 0; k <= (left > 2 ? 3 : left); k++) {
            *end++ = alphabet[three >> (18 - 6 * k) & 63];
        }
    }
    *end = '\0';
    return out;
}

uint8_t *base64_decode(const char *text, size_t *ret_length)
{
    size_t length = strcspn(text, "="), n = 0;
    CT_AUTO_FREE uint8_t *out = (uint8_t *)must_have(malloc(length + 1));
    uint32_t bits = 0;

    if (length % 4 == 1 || text[length + strspn(text + length, "=")]) {
        return NULL;
    }
    for (size_t i = 0; i < length; i++) {
        const char *place = strchr(alphabet, text[i]);
        if (!place) {
            return NULL;
        }
        bits = bits << 6 | (uint32_t)(place - alphabet);
        if (i % 4 > 0) {
            out[n++] = (uint8_t)(bits >> (2 * (3 - i % 4)));
        }
    }
    *ret_length = n;
    return ct_steal(out);
}

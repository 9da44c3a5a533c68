/*
 * grpc_parts.h - what gRPC puts into HTTP/2, as bytes: framed messages, and values of headers.
 *
 * Room:       wire. Nothing here knows a connection.
 * Called by:  grpc*.c.
 * Spec:       grpc/doc/PROTOCOL-HTTP2.md: "Length-Prefixed-Message", "Timeout", "Percent-Encoded",
 *             "Binary-Header".
 */
#ifndef WIRE_GRPC_PARTS_H
#define WIRE_GRPC_PARTS_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that are added at the end and taken from the front. All zero is empty. */
struct bytes {
    uint8_t *data;
    size_t at, end, room;
};
void bytes_add(struct bytes *bytes, const void *data, size_t length);
/* Makes room for length bytes at the end and lends it; they count as added. */
uint8_t *bytes_extend(struct bytes *bytes, size_t length);
size_t bytes_length(const struct bytes *bytes);
const uint8_t *bytes_front(const struct bytes *bytes);
void bytes_drop(struct bytes *bytes, size_t length);
void bytes_done(struct bytes *bytes);

#define FRAME_HEADER 5 /* one byte of flags, four of length */

/*
 * frame_look - is a whole message at the front? 1: its length is in *ret; 0: not yet; -1:
 * CT_INVALID (compressed, which was not agreed, or longer than max).
 */
int frame_look(const struct bytes *bytes, size_t max, size_t *ret, struct ct_error *err);
void frame_header(uint8_t header[static FRAME_HEADER], size_t length);

/* "29999888u" in ns; -1: malformed. And back, in ms: buffer holds 16 bytes. */
int64_t timeout_parse(const char *text);
char *timeout_text(int timeout_ms, char buffer[static 16]);

/* Of grpc-message. Owned. Decoding leaves alone what is no %XX. */
char *percent_encode(const char *text);
char *percent_decode(const char *text);

/* Of headers whose names end in -bin: base64 without padding; read with or without. Owned; NULL:
 * malformed. */
char *base64_encode(const uint8_t *data, size_t length);
uint8_t *base64_decode(const char *text, size_t *ret_length);

#endif

/*
 * utf8.h - is it text? What JSON can carry and a terminal can show.
 *
 * Room:       lib. Called by: error.c, json.c; the daemon, at its door.
 * Spec:       RFC 3629, section 4: no overlong form, no surrogate, nothing above U+10FFFF.
 */
#ifndef CT_UTF8_H
#define CT_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the character at text, of which `left` may be read; 0 when there is none. */
size_t ct_utf8_length(const char *text, size_t left);

/* All of text is UTF-8; "" is. */
bool ct_is_utf8(const char *text);

#endif

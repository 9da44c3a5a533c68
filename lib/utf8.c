/*
 * utf8.c - is it text? See utf8.h.
 *
 * Room:       lib.   Called by: error.c, json.c; the daemon, at its door.
 */
#include "utf8.h"

size_t ct_utf8_length(const char *text, size_t left)
{
    const unsigned char *c = (const unsigned char *)text;
    unsigned char head = left ? c[0] : 0xFF;
    unsigned char low = head == 0xE0 ? 0xA0 : head == 0xF0 ? 0x90 : 0x80;
    unsigned char high = head == 0xED ? 0x9F : head == 0xF4 ? 0x8F : 0xBF;
    size_t n = head < 0x80 ? 1 : head < 0xC2 ? 0 : head < 0xE0 ? 2 : head < 0xF0 ? 3 : 4;

    if (head > 0xF4 || n > left || (n > 1 && (c[1] < low || c[1] > high))) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if ((c[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return n;
}

bool ct_is_utf8(const char *text)
{
    size_t n = 1;
    for (; *text && n > 0; text += n) {
        n = ct_utf8_length(text, 4); /* NUL continues nothing */
    }
    return n > 0;
}

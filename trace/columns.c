/*
 * columns.c - text that fits into so many columns of a terminal.
 *
 * Room:       trace.   Called by: see columns.h.
 */
#include "columns.h"

void columns_print(FILE *out, const char *text, int n)
{
    int columns = 0;
    const char *c = text;
    for (; *c; c++) {
        columns += ((unsigned char)*c & 0xC0) != 0x80;
        if (columns > n) {
            break;
        }
    }
    if (!*c) {
        (void)fputs(text, out);
        return;
    }
    columns = 0;
    for (c = text; *c; c++) {
        columns += ((unsigned char)*c & 0xC0) != 0x80;
        if (columns >= n) {
            break;
        }
        (void)fputc(*c, out);
    }
    (void)fputs("…", out);
}

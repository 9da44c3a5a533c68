/*
 * columns.c - text that fits into so many columns of a terminal.
 *
 * Room:       trace.   Called by: see columns.h.
 */
#include "columns.h"

#include "cleanup.h"
#include "path.h"

#include <stdbool.h>
#include <string.h>

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

int columns_of(const char *text)
{
    int columns = 0;
    for (const char *c = text; *c; c++) {
        columns += ((unsigned char)*c & 0xC0) != 0x80;
    }
    return columns;
}

void columns_fold(FILE *out, const char *text, int n)
{
    int used = 0;

    for (const char *word = text; *word;) {
        CT_AUTO_FREE char *copy = ct_printf("%.*s", (int)strcspn(word, " "), word);
        int columns = columns_of(copy);
        bool fits = used + 1 + columns <= n;
        (void)fprintf(out, "%s%s", used == 0 ? "" : fits ? " " : "\n", copy);
        used = used > 0 && fits ? used + 1 + columns : columns;
        word += strlen(copy);
        word += strspn(word, " ");
    }
}

/*
 * columns.h - text that fits into so many columns of a terminal.
 *
 * Room:       trace.   Called by: what draws there (main.c, show_waterfall.c, compare.c).
 */
#ifndef TRACE_COLUMNS_H
#define TRACE_COLUMNS_H

#include <stdio.h>

/* At most n columns of a UTF-8 text, "…" at the end when it was cut. */
void columns_print(FILE *out, const char *text, int n);
/* How many the text takes. */
int columns_of(const char *text);
/* A paragraph in lines of at most n columns; a longer word is a line of its own. */
void columns_fold(FILE *out, const char *text, int n);

#endif

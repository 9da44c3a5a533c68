/*
 * columns.h - text that fits into so many columns of a terminal.
 *
 * Room:       trace.   Called by: what draws there (show_waterfall.c, compare.c).
 */
#ifndef TRACE_COLUMNS_H
#define TRACE_COLUMNS_H

#include <stdio.h>

/* At most n columns of a UTF-8 text, "…" at the end when it was cut. */
void columns_print(FILE *out, const char *text, int n);

#endif

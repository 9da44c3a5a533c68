/*
 * mdoc.h - manual pages, printed by the programs that they are about.
 *
 * Room:       lib. Called by: cli (help.c), daemon (manual.c).
 * Man:        mdoc(7).
 */
#ifndef CT_MDOC_H
#define CT_MDOC_H

#include <stdio.h>

/* Text as it is: what has a meaning in mdoc is escaped. Not at the beginning of a line. */
void ct_mdoc_text(FILE *out, const char *text);

/* ".It" of a list of options: letter 0 and value "" are left out; help ends without a full stop. */
void ct_mdoc_flag(FILE *out, char letter, const char *name, const char *value, const char *help);

/* From the beginning to the heading SYNOPSIS. */
void ct_mdoc_head(FILE *out, const char *name, int section, const char *summary);

#endif

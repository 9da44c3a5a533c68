/*
 * mdoc.c - manual pages, printed by the programs that they are about.
 *
 * Room:       lib.   Called by: see mdoc.h.
 */
#include "mdoc.h"

#include <ctype.h>

void ct_mdoc_text(FILE *out, const char *text)
{
    for (const char *c = text; *c; c++) {
        if (*c == '\\') {
            (void)fputs("\\e", out);
        } else if (*c == '-') {
            (void)fputs("\\-", out);
        } else {
            (void)fputc(*c, out);
        }
    }
}

void ct_mdoc_flag(FILE *out, char letter, const char *name, const char *value, const char *help)
{
    (void)fprintf(out, ".It ");
    if (letter) {
        (void)fprintf(out, "Fl %c , ", letter);
    }
    (void)fprintf(out, "Fl \\-%s", name);
    if (*value) {
        (void)fprintf(out, " Ar %s", value);
    }
    (void)fprintf(out, "\n\\&"); /* a leading dot or quote is no macro then */
    ct_mdoc_text(out, help);
    (void)fprintf(out, ".\n");
}

void ct_mdoc_head(FILE *out, const char *name, int section, const char *summary)
{
    (void)fprintf(out, ".Dd November 24, 2026\n.Dt ");
    for (const char *c = name; *c; c++) {
        (void)fputc(toupper((unsigned char)*c), out);
    }
    (void)fprintf(out, " %d\n.Os Cutaway\n.Sh NAME\n.Nm %s\n.Nd ", section, name);
    ct_mdoc_text(out, summary);
    (void)fprintf(out, "\n.Sh SYNOPSIS\n");
}

/*
 * progress.h - draws what an engine tells while it works, as Docker's client draws it.
 *
 * Room:       cli.   Called by: images.c (load, import, save), containers.c (commit).
 * Spec:       Docker Engine API 1.43, "CreateImageInfo"; console_codes(4) (ECMA-48 CSI) for the
 *             terminal.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct progress {
    FILE *out;
    bool terminal;
    json_t *lines; /* which id has which line, counted from the first; owned */
};

/* Messages go to out, which is asked whether it is a terminal. progress_end() releases. */
void progress_begin(struct progress *progress, FILE *out);
void progress_end(struct progress *progress);

/* An engine_progress_fn; context is a struct progress. */
void progress_show(void *progress, const json_t *message);

/*
 * progress_draw - the bytes that one message puts on a terminal of so many columns; "" when there
 * is nothing to show. Each id keeps its line, to which the cursor goes up and from which it comes
 * back. Not on a terminal: plain lines, and none for bytes that merely moved. Owned.
 */
char *progress_draw(struct progress *progress, const json_t *message, unsigned columns);

#endif

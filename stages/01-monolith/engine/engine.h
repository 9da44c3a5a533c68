/*
 * engine.h - what a user can ask a container engine for: the handle, and the conventions of all
 * nouns.
 *
 * Room:       engine. The seam between client and daemon.
 * Called by:  cli (every stage), the REST server (stage 02 and later); nobody else.
 * Behind it:  local (01, and the daemons of 02 and 03), REST client (02 on), gRPC (daemon of 04).
 *             Each program links exactly one, so these are plain prototypes.
 * Spec:       Docker Engine API 1.43.
 *
 * Conventions of engine_*.h:
 * - What the Docker API defines as a document is passed as that document (json_t, the API's field
 *   names): create bodies, inspect and list results. One description of each thing, and REST hands
 *   it through. Small parameters are plain arguments or structs.
 * - A message is not a call. Every call that may block takes a cancel_fd (readable: give up; -1:
 *   none); CT_UNREACHABLE says that the answer was lost and the work may have been done.
 * - Streams are descriptors the caller owns. A stream of output is stdcopy-framed, raw with a
 * terminal.
 * - `ref` is a name, an id, or an unambiguous id prefix. Results are owned by the caller.
 * - filters: {"name":["a","b"],"status":["running"]} (arrays of strings), or NULL. An unknown
 *   filter is CT_INVALID "invalid filter 'x'".
 * - "Nothing to do" (start of a running container) is -1 with CT_UNCHANGED; clients treat it as
 * success.
 */
#ifndef ENGINE_H
#define ENGINE_H

#include "error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct engine;

struct engine_options {
    const char *root; /* state that lasts; NULL: CUTAWAY_ROOT, or /var/lib/cutaway */
    const char *run;  /* state until reboot; NULL: CUTAWAY_RUN, or /run/cutaway */
    const char *host; /* where a daemon listens (02 on): NULL or unix://…; 01 refuses it */
    const char *tls_ca, *tls_cert, *tls_key; /* PEM files for tcp:// (02 on); NULL: none */
};

/* Opens the engine. CT_DENIED: not root (the hint says so); CT_SYSTEM, … Nothing is started. */
struct engine *engine_open(const struct engine_options *options, struct ct_error *err);
void engine_close(struct engine *engine);

/* "01-monolith": for `version`, and for refusals that name the stage. */
const char *engine_stage(void);

#endif

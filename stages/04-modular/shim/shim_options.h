/*
 * shim_options.h - cutaway-containerd-shim's command line.
 *
 * Room:       shim.   Called by: main.c.
 * Spec:       containerd runtime/v2/README.md, "Commands": Go's notation, -name is --name.
 */
#ifndef SHIM_OPTIONS_H
#define SHIM_OPTIONS_H

#include "shim.h"

enum shim_verb { SHIM_SERVE, SHIM_START, SHIM_DELETE, SHIM_INFO };

/* Into *ret; strings are borrowed from argv, or constants. --help, --version and --man print and
 * end the program; so does a wrong command line, with status 64. */
enum shim_verb shim_options_parse(int argc, char **argv, struct shim_options *ret);

#endif

/*
 * manual.h - what --help and the manual page of cutawayd say besides the options.
 *
 * Room:       daemon.   Called by: options.c.
 */
#ifndef DAEMON_MANUAL_H
#define DAEMON_MANUAL_H

#include <argp.h>
#include <stdio.h>

#define MANUAL_SUMMARY "The Cutaway daemon: Docker's Engine API in front of a container engine."

/* The sections, wrapped for a terminal. Owned. */
char *manual_help(void);

/* The page, in mdoc, with the options of the table that are not hidden. */
void manual_print(FILE *out, const struct argp_option *options);

#endif

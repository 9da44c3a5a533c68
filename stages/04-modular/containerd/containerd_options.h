/*
 * containerd_options.h - cutaway-containerd's command line.
 *
 * Room:       containerd.   Called by: main.c.
 */
#ifndef CONTAINERD_OPTIONS_H
#define CONTAINERD_OPTIONS_H

#include <stdbool.h>

/* Strings are borrowed from argv, or constants. */
struct options {
    const char *root, *state;
    const char *address;            /* NULL: STATE/containerd.sock */
    const char *group;              /* NULL: "cutaway", where it exists */
    bool publish;                   /* the command: tell an event to who serves at address */
    const char *topic, *namespace_; /* of publish; NULL: not given */
};

/* Into *ret. --help, --version and --man print and end the program; so does a wrong command line,
 * with status 64. */
void options_parse(int argc, char **argv, struct options *ret);

#endif

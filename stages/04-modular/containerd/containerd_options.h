/*
 * containerd_options.h - cutaway-containerd's command line.
 *
 * Room:       containerd.   Called by: main.c.
 */
#ifndef CONTAINERD_OPTIONS_H
#define CONTAINERD_OPTIONS_H

/* Strings are borrowed from argv, or constants. */
struct options {
    const char *root, *state;
    const char *address; /* NULL: STATE/containerd.sock */
    const char *group;   /* NULL: "cutaway", where it exists */
};

/* Into *ret. --help, --version and --man print and end the program; so does a wrong command line,
 * with status 64. */
void options_parse(int argc, char **argv, struct options *ret);

#endif

/*
 * options.h - cutawayd's command line.
 *
 * Room:       daemon.   Called by: main.c of cutawayd.
 */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H

#include "engine.h"
#include "server.h"

#include <stdbool.h>
#include <stddef.h>

#define HOSTS_MAX 16

/* Strings are borrowed from argv. NULL: not given. */
struct options {
    struct engine_options engine;
    const char *hosts[HOSTS_MAX];
    size_t n_hosts;
    const char *group;
    struct server_tls tls;
    bool verify, insecure;
    const char *exec_driver; /* NULL: the stage's own default */
    const char *containerd;
};

/*
 * options_parse - into *ret (zeroed by the caller). --help, --version and --man print and end the
 * program; so does a wrong command line, with status 64 and a line that names what is wrong.
 */
void options_parse(int argc, char **argv, struct options *ret);

#endif

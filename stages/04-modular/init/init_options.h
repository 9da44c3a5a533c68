/*
 * init_options.h - cutaway-init's command line, and what it says.
 *
 * Room:       init.
 * Called by:  init.c; manual.c, for what it prints.
 * Spec:       tini(1): options, environment and exit codes.
 */
#ifndef INIT_OPTIONS_H
#define INIT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct init_options {
    bool to_group;         /* -g: signals go to the program's process group */
    bool subreaper;        /* -s */
    bool warn_reaped;      /* -w */
    int death_signal;      /* -p; 0: none */
    uint64_t successes[4]; /* -e: a bit for each of the 256 codes that mean 0 */
};

/*
 * init_parse - into *ret, zeroed by the caller; also from TINI_SUBREAPER, TINI_KILL_PROCESS_GROUP
 * and TINI_VERBOSITY. Returns the program and its arguments, in argv. What is wrong, and -h, -l and
 * --version, end the process: with 1, and with 0.
 */
char **init_parse(int argc, char **argv, struct init_options *ret);

/* What -h prints, a row an option; the last has none. */
struct init_row {
    const char *option, *value, *help;
};
extern const struct init_row init_rows[];
extern const char init_purpose[], init_environment[];

bool init_is_success(const struct init_options *options, int code);

/* "TERM", "SIGTERM", "15". 0: there is no such signal. */
int init_signal_number(const char *name);

/* One line on standard error, when -v asks for that much. */
enum init_level { INIT_FATAL, INIT_WARN, INIT_INFO, INIT_DEBUG };
void init_say(enum init_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* INIT_FATAL, and the end: exit code 1. */
void init_fatal(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif

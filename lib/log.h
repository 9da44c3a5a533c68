/*
 * log.h - what happens, for whoever debugs: "level layer message key=value" to stderr.
 *
 * Room:       lib. Called by: anywhere; rooms return errors and log only what nobody is told
 * otherwise. CUTAWAY_LOG=debug|info|warn|error sets the level (default: warn).
 */
#ifndef CT_LOG_H
#define CT_LOG_H

#include <stdbool.h>

enum ct_log_level { CT_LOG_DEBUG, CT_LOG_INFO, CT_LOG_WARN, CT_LOG_ERROR };

#define ct_debug(...) ct_log(CT_LOG_DEBUG, CT_LAYER, __VA_ARGS__)
#define ct_info(...)  ct_log(CT_LOG_INFO, CT_LAYER, __VA_ARGS__)
#define ct_warn(...)  ct_log(CT_LOG_WARN, CT_LAYER, __VA_ARGS__)

void ct_log(enum ct_log_level level, const char *layer, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "debug", "info", "warn", "error". */
bool ct_log_has_level(const char *name);

/* Sends the log to fd instead of stderr (a monitor has no terminal). Borrowed for the process's
 * life. */
void ct_log_to(int fd);

/* What this thread's entries are about: "container=0123" behind each. Borrowed until NULL takes it
 * back. */
void ct_log_about(const char *what);

/* Hands each entry to fn instead, without a newline or other control characters: for a program
 * whose log has a form of its own. */
typedef void (*ct_log_fn)(enum ct_log_level level, const char *layer, const char *message);
void ct_log_by(ct_log_fn fn);

#endif

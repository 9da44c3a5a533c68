/*
 * log.c - "level layer message key=value" to stderr.
 *
 * Room:       lib.   Called by: anywhere, through the macros of log.h.
 */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static int log_fd = STDERR_FILENO;
static ct_log_fn log_fn;
static __thread const char *about; /* or NULL */

/* -1: there is no such level. */
static int level_of(const char *name)
{
    for (int i = 0; i <= CT_LOG_ERROR; i++) {
        if (strcmp(name, level_names[i]) == 0) {
            return i;
        }
    }
    return -1;
}

bool ct_log_has_level(const char *name)
{
    return level_of(name) >= 0;
}

static enum ct_log_level wanted_level(void)
{
    const char *wanted = getenv("CUTAWAY_LOG");
    int level = wanted ? level_of(wanted) : -1;
    return level < 0 ? CT_LOG_WARN : (enum ct_log_level)level;
}

void ct_log_to(int fd)
{
    log_fd = fd;
}

void ct_log_about(const char *what)
{
    about = what;
}

void ct_log_by(ct_log_fn fn)
{
    log_fn = fn;
}

/* One entry is one line. */
static void tidy(char *line, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        line[i] = (unsigned char)line[i] < 0x20 ? '?' : line[i];
    }
}

void ct_log(enum ct_log_level level, const char *layer, const char *format, ...)
{
    char line[1024];
    va_list arguments;
    int saved = errno;

    if (level < wanted_level()) {
        return;
    }
    int head = snprintf(line, sizeof(line) - 1, "%s %s ", level_names[level], layer);
    va_start(arguments, format);
    int body = vsnprintf(line + head, sizeof(line) - 1 - (size_t)head, format, arguments);
    va_end(arguments);
    size_t length = (size_t)head + (body > 0 ? (size_t)body : 0);
    length = length < sizeof(line) - 2 ? length : sizeof(line) - 2;
    if (about) {
        int more = snprintf(line + length, sizeof(line) - 1 - length, " %s", about);
        length += more > 0 ? (size_t)more : 0;
        length = length < sizeof(line) - 2 ? length : sizeof(line) - 2;
    }
    tidy(line, length);
    if (log_fn) {
        line[length] = '\0';
        log_fn(level, layer, line + head);
    } else {
        line[length] = '\n';
        (void)!write(log_fd, line, length + 1); /* nobody is left to tell when this fails */
    }
    errno = saved;
}

/*
 * report.c - what cutaway-runc says when something fails, in the lines that its callers read.
 *
 * Room:       runc.   Called by: runc.c.
 * Spec:       logrus, the log of runc: containerd, conmon and Docker take the last line with
 *             "level":"error" of the log file, and its "msg", for what to tell.
 */
#define CT_LAYER "runc"
#include "runc_internal.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "log.h"
#include "path.h"
#include "units.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int log_fd = -1; /* -1: standard error */
static bool as_json, wants_debug;

/* "msg" of the text form: Go's %q. Control characters are none in it: error.c and log.c see to it.
 */
static void put_quoted(FILE *out, const char *text)
{
    (void)fputc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') {
            (void)fputc('\\', out);
        }
        (void)fputc(*text, out);
    }
    (void)fputc('"', out);
}

static char *text_line(const char *time, const char *level, const char *message)
{
    char *line = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&line, &length);

    if (!out) {
        abort();
    }
    (void)fprintf(out, "time=\"%s\" level=%s msg=", time, level);
    put_quoted(out, message);
    return fclose(out) == 0 ? line : NULL;
}

static char *json_line(const char *time, const char *level, const char *message)
{
    CT_AUTO_JSON json_t *object = json_object();

    ct_json_set_string(object, "level", level);
    ct_json_set(object, "msg", ct_json_string_lossy(message, strlen(message)));
    ct_json_set_string(object, "time", time);
    return ct_json_text(object);
}

/* Whole lines in one write: other runtimes may append to the same file. */
static void say(const char *level, const char *message)
{
    char time[CT_TIME_TEXT];
    const char *now = ct_time_format(ct_now_ns() / 1000000000 * 1000000000, time);
    CT_AUTO_FREE char *line =
        as_json ? json_line(now, level, message) : text_line(now, level, message);
    CT_AUTO_FREE char *ended = ct_printf("%s\n", line ? line : "");

    (void)ct_write_all(log_fd < 0 ? STDERR_FILENO : log_fd, ended, strlen(ended));
}

static void take_log(enum ct_log_level level, const char *layer, const char *message)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    CT_AUTO_FREE char *line = ct_printf("%s: %s", layer, message);

    say(names[level], line);
}

int runc_report_to(const char *file, const char *format, bool debug, struct ct_error *err)
{
    if (strcmp(format, "text") != 0 && strcmp(format, "json") != 0) {
        return ct_refuse(err, CT_INVALID, "invalid log-format: %.40s", format);
    }
    as_json = strcmp(format, "json") == 0;
    wants_debug = debug;
    if (file && *file) {
        log_fd = open(file, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
        if (log_fd < 0) {
            return ct_fail(err, errno, "open the log '%.120s'", file);
        }
    }
    ct_log_by(take_log);
    return debug && setenv("CUTAWAY_LOG", "debug", 1) < 0 ? ct_fail(err, errno, "set the log level")
                                                          : 0;
}

/*
 * The kernel's reason begins with a small letter in Go's texts. Docker's client finds "no such file
 * or directory" and "permission denied" in them, by the letter, and ends with 127 and 126.
 */
static void write_reason_as_go(char *line, int sys)
{
    char *reason = sys ? strstr(line, strerror(sys)) : NULL;

    if (reason) {
        *reason = (char)tolower((unsigned char)*reason);
    }
}

void runc_report_error(const struct ct_error *err)
{
    char line[4096];

    write_reason_as_go(ct_error_render(err, line, sizeof(line)), err->sys);

    for (int i = 0; wants_debug && i < err->depth; i++) {
        take_log(CT_LOG_DEBUG, err->frame[i].layer, err->frame[i].what);
    }
    say("error", line);
    if (log_fd >= 0) { /* people do not see that file */
        (void)fprintf(stderr, "%s\n", line);
    }
}

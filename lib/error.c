/*
 * error.c - the error object: filling, rendering, sending.
 *
 * Room:       lib.   Called by: everybody, through the macros of error.h.
 */
#define CT_LAYER "error"
#include "error.h"

#include "cleanup.h"
#include "utf8.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert(sizeof(struct ct_error) < PIPE_BUF,
               "an error must cross a pipe in one atomic write");

/* The one table: what a kind means to a client, to HTTP and to a shell. Indexed by the kind. */
static const struct {
    const char *name;
    int http_status;
    int exit_code;
} kinds[] = {
    [CT_NONE] = {"none", 200, 0},
    [CT_INVALID] = {"invalid", 400, 125},
    [CT_NOT_FOUND] = {"not-found", 404, 125},
    [CT_EXISTS] = {"exists", 409, 125},
    [CT_CONFLICT] = {"conflict", 409, 125},
    [CT_UNCHANGED] = {"unchanged", 304, 0},
    [CT_DENIED] = {"denied", 403, 125},
    [CT_UNSUPPORTED] = {"unsupported", 501, 125},
    [CT_UNREACHABLE] = {"unreachable", 503, 125},
    [CT_TIMEOUT] = {"timeout", 504, 125},
    [CT_CANNOT_RUN] = {"cannot-run", 400, 126},
    [CT_NO_PROGRAM] = {"no-program", 400, 127},
    [CT_SYSTEM] = {"system", 500, 125},
};

#define KINDS ((int)(sizeof(kinds) / sizeof(kinds[0])))

enum ct_kind ct_kind_of_errno(int errno_value)
{
    switch (errno_value) {
    case ENOENT:
        return CT_NOT_FOUND;
    case EEXIST:
        return CT_EXISTS;
    case EACCES:
    case EPERM:
        return CT_DENIED;
    default:
        return CT_SYSTEM;
    }
}

static int known(enum ct_kind kind)
{
    return (int)kind >= 0 && (int)kind < KINDS ? (int)kind : CT_SYSTEM;
}

const char *ct_kind_name(enum ct_kind kind)
{
    return kinds[known(kind)].name;
}

int ct_kind_http_status(enum ct_kind kind)
{
    return kinds[known(kind)].http_status;
}

int ct_kind_exit_code(enum ct_kind kind)
{
    return kinds[known(kind)].exit_code;
}

/* Of ASCII, and U+0080 to U+009F, which begin escape sequences in some terminals. */
static bool is_control(const unsigned char *text)
{
    return text[0] < 0x20 || text[0] == 0x7F || (text[0] == 0xC2 && text[1] < 0xA0);
}

/*
 * Makes text fit for a terminal and a JSON string: control characters and bytes that are no UTF-8
 * (a "%.64s" may have cut a name within a character) become '?', and a text that was cut ends with
 * "…" and not in the middle of a character.
 */
static void tidy(char *text, size_t size, bool cut)
{
    size_t length = strnlen(text, size - 1);

    text[length] = '\0';
    if (cut) {
        size_t end = size - 1 - strlen("…");
        while (end > 0 && ((unsigned char)text[end] & 0xC0) == 0x80) {
            end--; /* do not leave the head of a character whose rest was cut off */
        }
        memcpy(text + end, "…", sizeof("…"));
    }
    for (unsigned char *c = (unsigned char *)text; *c;) {
        size_t n = ct_utf8_length((const char *)c, 4); /* NUL continues nothing */
        if (n == 0 || is_control(c)) {
            memset(c, '?', n ? n : 1);
        }
        c += n ? n : 1;
    }
}

__attribute__((format(printf, 3, 0))) static void format_text(char *text, size_t size,
                                                              const char *format, va_list arguments)
{
    int length = vsnprintf(text, size, format, arguments);
    tidy(text, size, length >= (int)size);
}

__attribute__((format(printf, 4, 0))) static void
fill_frame(struct ct_error *err, int i, const char *layer, const char *format, va_list arguments)
{
    (void)snprintf(err->frame[i].layer, sizeof(err->frame[i].layer), "%s", layer);
    format_text(err->frame[i].what, sizeof(err->frame[i].what), format, arguments);
}

int ct_error_set(struct ct_error *err, const char *layer, enum ct_kind kind, int sys,
                 const char *format, ...)
{
    va_list arguments;

    err->kind = kind;
    err->sys = sys;
    err->depth = 1;
    err->hint[0] = '\0';
    va_start(arguments, format);
    fill_frame(err, 0, layer, format, arguments);
    va_end(arguments);
    return -1;
}

int ct_error_push(struct ct_error *err, const char *layer, const char *format, ...)
{
    va_list arguments;
    int i = err->depth < CT_ERROR_DEPTH ? err->depth++ : CT_ERROR_DEPTH - 1;

    va_start(arguments, format);
    fill_frame(err, i, layer, format, arguments);
    va_end(arguments);
    return -1;
}

int ct_hint(struct ct_error *err, const char *format, ...)
{
    va_list arguments;

    if (!err->hint[0]) {
        va_start(arguments, format);
        format_text(err->hint, sizeof(err->hint), format, arguments);
        va_end(arguments);
    }
    return -1;
}

void ct_error_clear(struct ct_error *err)
{
    *err = (struct ct_error){0};
}

/* printf at the end of what is in buffer; cuts at size. */
__attribute__((format(printf, 3, 4))) static void append(char *buffer, size_t size,
                                                         const char *format, ...)
{
    size_t length = strlen(buffer);
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(buffer + length, size - length, format, arguments);
    va_end(arguments);
}

char *ct_error_render(const struct ct_error *err, char *buffer, size_t size)
{
    buffer[0] = '\0';
    for (int i = err->depth - 1; i >= 0; i--) {
        bool outermost = i == err->depth - 1;
        bool same_layer = !outermost && strcmp(err->frame[i].layer, err->frame[i + 1].layer) == 0;
        if (!outermost) {
            append(buffer, size, ": ");
        }
        if (!outermost && !same_layer) {
            append(buffer, size, "%s: ", err->frame[i].layer);
        }
        append(buffer, size, "%s", err->frame[i].what);
    }
    if (err->sys) {
        const char *name = strerrorname_np(err->sys);
        append(buffer, size, ": %s (%s)", strerror(err->sys), name ? name : "unknown");
    }
    if (err->hint[0]) {
        append(buffer, size, "; try: %s", err->hint);
    }
    return buffer;
}

void ct_error_print(FILE *stream, const char *program, const struct ct_error *err)
{
    char line[4096];
    const char *debug = getenv("CUTAWAY_DEBUG");

    (void)fprintf(stream, "%s: %s\n", program, ct_error_render(err, line, sizeof(line)));
    for (int i = err->depth - 1; debug && strcmp(debug, "1") == 0 && i >= 0; i--) {
        (void)fprintf(stream, "%s:   [%d] %s: %s\n", program, i, err->frame[i].layer,
                      err->frame[i].what);
    }
}

json_t *ct_error_to_json(const struct ct_error *err)
{
    json_t *frames = json_array();

    for (int i = 0; i < err->depth; i++) {
        (void)json_array_append_new(frames, json_pack("{s:s,s:s+}", "layer", err->frame[i].layer,
                                                      "what", err->frame[i].what, ""));
    }
    return json_pack("{s:s,s:i,s:s,s:o}", "kind", ct_kind_name(err->kind), "errno", err->sys,
                     "hint", err->hint, "frames", frames);
}

/* An error that came from a peer: depth in bounds, strings terminated and printable. */
static int check_received(struct ct_error *err)
{
    bool sound = (int)err->kind > CT_NONE && (int)err->kind < KINDS && err->depth >= 1 &&
                 err->depth <= CT_ERROR_DEPTH && err->sys >= 0 && err->sys < 4096;
    if (!sound) {
        return ct_refuse(err, CT_SYSTEM, "read an error: the peer's error is malformed");
    }
    tidy(err->hint, sizeof(err->hint), false);
    for (int i = 0; i < err->depth; i++) {
        tidy(err->frame[i].layer, sizeof(err->frame[i].layer), false);
        tidy(err->frame[i].what, sizeof(err->frame[i].what), false);
    }
    return 0;
}

static enum ct_kind kind_by_name(const char *name)
{
    for (int i = 1; i < KINDS; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return (enum ct_kind)i;
        }
    }
    return CT_NONE;
}

int ct_error_from_json(const json_t *json, struct ct_error *err)
{
    const char *kind = NULL, *hint = "";
    json_t *frames = NULL, *frame;
    size_t i;

    *err = (struct ct_error){0};
    if (json_unpack((json_t *)json, "{s:s,s?i,s?s,s:o}", "kind", &kind, "errno", &err->sys, "hint",
                    &hint, "frames", &frames) < 0 ||
        !json_is_array(frames)) {
        return ct_refuse(err, CT_SYSTEM, "read an error: the peer's error is malformed");
    }
    err->kind = kind_by_name(kind);
    (void)snprintf(err->hint, sizeof(err->hint), "%s", hint);
    json_array_foreach(frames, i, frame)
    {
        const char *layer = NULL, *what = NULL;
        if (i >= CT_ERROR_DEPTH ||
            json_unpack(frame, "{s:s,s:s}", "layer", &layer, "what", &what) < 0) {
            return ct_refuse(err, CT_SYSTEM, "read an error: the peer's error is malformed");
        }
        (void)snprintf(err->frame[i].layer, sizeof(err->frame[i].layer), "%s", layer);
        (void)snprintf(err->frame[i].what, sizeof(err->frame[i].what), "%s", what);
        err->depth++;
    }
    return check_received(err);
}

int ct_error_send(int fd, const struct ct_error *sent)
{
    ssize_t n;
    do {
        n = write(fd, sent, sizeof(*sent));
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(*sent) ? 0 : -1;
}

int ct_error_receive(int fd, struct ct_error *ret, struct ct_error *err)
{
    size_t have = 0;

    while (have < sizeof(*ret)) {
        ssize_t n = read(fd, (char *)ret + have, sizeof(*ret) - have);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return ct_fail(err, errno, "read an error from a peer");
        }
        if (n == 0) {
            break;
        }
        have += (size_t)n;
    }
    if (have == 0) {
        return 0;
    }
    if (have < sizeof(*ret)) {
        return ct_refuse(err, CT_UNREACHABLE, "read an error from a peer: it was cut short");
    }
    (void)check_received(ret); /* a malformed one says so itself */
    return 1;
}

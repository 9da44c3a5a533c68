/*
 * progress.c - one line for each thing under way, drawn over and over.
 *
 * Room:       cli.   Called by: images.c, containers.c.
 * Spec:       what `docker load` writes on a terminal, byte for byte; console_codes(4).
 */
#define CT_LAYER "cli"
#include "progress.h"

#include "cli_internal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "units.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BAR_COLUMNS 50  /* between the brackets, without the arrow's head */
#define BAR_NEEDS   110 /* on a narrower terminal the numbers stand alone, as Docker's */

#define ERASE_LINE "\x1b[2K\r"

void progress_begin(struct progress *progress, FILE *out)
{
    *progress =
        (struct progress){.out = out, .terminal = isatty(fileno(out)) == 1, .lines = json_object()};
}

void progress_end(struct progress *progress)
{
    json_decref(progress->lines);
    *progress = (struct progress){0};
}

/* "[=====>     ] 1.234MB/5MB"; without a total only how much it is. "" when nothing is known. */
static char *draw_bar(json_int_t current, json_int_t total, unsigned columns)
{
    static const char full[] = "==================================================";
    char done[CT_TIME_TEXT], all[CT_TIME_TEXT];

    if (current <= 0 && total <= 0) {
        return ct_strdup("");
    }
    ct_size_human(current, 4, done);
    if (total <= 0) {
        return ct_printf("%8s", done);
    }
    int percent = current < 0        ? 0
                  : current >= total ? 100
                                     : (int)((double)current / (double)total * 100);
    int filled = percent * BAR_COLUMNS / 100;
    CT_AUTO_FREE char *bar = columns > BAR_NEEDS
                                 ? ct_printf("[%.*s>%*s] ", filled, full, BAR_COLUMNS - filled, "")
                                 : ct_strdup("");
    if (current > total) { /* then the total was wrong */
        return ct_printf("%s%8s", bar, done);
    }
    return ct_printf("%s%8s/%s", bar, done, ct_size_human(total, 4, all));
}

/* The engine's own lines, with whatever newlines they have; other control characters are not its
 * to send. */
static char *draw_stream(const char *text)
{
    char *drawn = ct_strdup("");

    while (*text) {
        size_t length = strcspn(text, "\n");
        CT_AUTO_FREE char *before = drawn;
        CT_AUTO_FREE char *line = ct_printf("%.*s", (int)length, text);
        CT_AUTO_FREE char *safe = format_safe(line);
        drawn = ct_printf("%s%s%s", before, safe, text[length] ? "\n" : "");
        text += length + (text[length] != '\0');
    }
    return drawn;
}

/* How many lines above the cursor id's line is; one that is new is made below all others. */
static unsigned find_line(struct progress *progress, const char *id, bool *ret_new)
{
    json_int_t lines = (json_int_t)json_object_size(progress->lines);
    const json_t *line = json_object_get(progress->lines, id);

    *ret_new = !line;
    if (!line) {
        ct_json_set(progress->lines, id, json_integer(lines));
        return 1;
    }
    return (unsigned)(lines - json_integer_value(line));
}

/* A message that says how far something is. */
static char *draw_moving(struct progress *progress, const json_t *message, const char *text,
                         unsigned columns)
{
    const char *id = ct_json_string(message, "id", "");
    CT_AUTO_FREE char *bar = draw_bar(ct_json_integer(message, "progressDetail.current", 0),
                                      ct_json_integer(message, "progressDetail.total", 0), columns);
    bool is_new = false;

    if (!progress->terminal) {
        return *bar ? ct_strdup("") : ct_printf("%s\n", text);
    }
    if (!*id) {
        (void)json_object_clear(progress->lines);
        return ct_printf(ERASE_LINE "%s %s\r", text, bar);
    }
    unsigned up = find_line(progress, id, &is_new);
    return ct_printf("%s\x1b[%uA" ERASE_LINE "%s %s\r\x1b[%uB", is_new ? "\n" : "", up, text, bar,
                     up);
}

char *progress_draw(struct progress *progress, const json_t *message, unsigned columns)
{
    const char *stream = ct_json_string(message, "stream", NULL);
    CT_AUTO_FREE char *id = format_safe(ct_json_string(message, "id", ""));
    CT_AUTO_FREE char *status = format_safe(ct_json_string(message, "status", ""));
    CT_AUTO_FREE char *text = ct_printf("%s%s%s", id, *id ? ": " : "", status);

    if (!stream && json_is_object(json_object_get(message, "progressDetail"))) {
        return draw_moving(progress, message, text, columns);
    }
    /* A line of its own: what was drawn above it is not gone back to. */
    (void)json_object_clear(progress->lines);
    return stream ? draw_stream(stream) : ct_printf("%s\n", text);
}

static unsigned columns_of(FILE *out)
{
    struct winsize size;
    return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

void progress_show(void *context, const json_t *message)
{
    struct progress *progress = context;
    CT_AUTO_FREE char *drawn = progress_draw(progress, message, columns_of(progress->out));

    (void)fputs(drawn, progress->out);
    (void)fflush(progress->out); /* it is of interest now */
}

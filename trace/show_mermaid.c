/*
 * show_mermaid.c - the hops of a recording as a sequence diagram in text: for a pull request or a
 * lesson.
 *
 * Room:       trace.   Called by: main.c (table of renderers).
 * Spec:       Mermaid, "Sequence diagrams": A->>B: text; A-->>B is dashed; #59; is a character by
 * its number.
 */
#define CT_LAYER "trace"
#include "hops.h"
#include "renderers.h"

#include "cleanup.h"
#include "span.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 100 /* bytes: a diagram is no place for more */

/* What could mean something to Mermaid, or to the HTML that it makes, goes by its number. */
static void print_text(FILE *out, const char *text)
{
    CT_AUTO_FREE char *safe = model_text(text);
    size_t length = strlen(safe), shown = length < TEXT_MAX ? length : TEXT_MAX;

    while (shown < length && (safe[shown] & 0xC0) == 0x80) {
        shown++; /* whole characters */
    }
    for (size_t i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)safe[i];
        if (isalnum(c) || c >= 0x80 || strchr(" ./-_=,()?'!", c)) {
            (void)fputc(c, out);
        } else {
            (void)fprintf(out, "#%d;", c);
        }
    }
    (void)fputs(shown < length ? "…\n" : "\n", out);
}

static const char *name_of(int role)
{
    return role >= 0 ? ct_role_name((enum ct_role)role) : "somebody";
}

static void print_participants(FILE *out, const struct hop *hops, size_t n)
{
    for (int role = 0; role < CT_ROLE_COUNT; role++) {
        bool takes_part = false;
        for (size_t i = 0; i < n; i++) {
            takes_part = takes_part || (hops[i].from != hops[i].to &&
                                        (hops[i].from == role || hops[i].to == role));
        }
        if (takes_part) {
            (void)fprintf(out, "    participant %s\n", name_of(role));
        }
    }
}

static void print_hop(FILE *out, const struct hop *hop)
{
    CT_AUTO_FREE char *event = hop->exec ? model_event_text(hop->exec->event) : NULL;

    (void)fprintf(out, "    %s%s%s: %s", name_of(hop->from), hop->kind == HOP_CALL ? "->" : "->>",
                  name_of(hop->to), hop->kind == HOP_CALL ? "call " : "");
    print_text(out, event ? event : *hop->span->message ? hop->span->message : hop->span->step);
}

static void print_reply(FILE *out, const struct hop *hop)
{
    (void)fprintf(out, "    %s-->>%s: ", name_of(hop->to), name_of(hop->from));
    if (hop->span->failed) {
        print_text(out, hop->span->error);
    } else {
        (void)fprintf(out, "done, after %.1f ms\n",
                      (double)(hop->span->end_ns - hop->span->begin_ns) / 1e6);
    }
}

/* The answers that came until then; each is told once. */
static void print_replies(FILE *out, struct hop *hops, size_t n, int64_t until)
{
    for (;;) {
        struct hop *next = NULL;
        for (size_t i = 0; i < n; i++) {
            bool open = hops[i].kind == HOP_MESSAGE && hops[i].from != hops[i].to &&
                        hops[i].span->end_ns && hops[i].span->end_ns <= until;
            if (open && (!next || hops[i].span->end_ns < next->span->end_ns)) {
                next = &hops[i];
            }
        }
        if (!next) {
            return;
        }
        print_reply(out, next);
        next->kind = HOP_CALL; /* told */
    }
}

int render_mermaid(FILE *out, const struct model *model, const struct render_options *options,
                   struct ct_error *err)
{
    size_t n = 0;
    CT_AUTO_FREE struct hop *hops = hop_list(model, &n);
    (void)options;
    (void)err;

    (void)fputs("sequenceDiagram\n", out);
    print_participants(out, hops, n);
    for (size_t i = 0; i < n; i++) {
        print_replies(out, hops, i, hops[i].ns);
        if (hops[i].from != hops[i].to) {
            print_hop(out, &hops[i]);
        }
    }
    print_replies(out, hops, n, INT64_MAX);
    return 0;
}

/*
 * manual.c - what --help and the manual page of cutawayd say besides the options: one table for
 * both.
 *
 * Room:       daemon.   Called by: options.c.
 * Man:        mdoc(7).
 */
#include "manual.h"

#include "mdoc.h"
#include "path.h"

#include <stdlib.h>
#include <string.h>

/* An entry that has a title begins a section. A term stands before its text; "" has none. */
static const struct entry {
    const char *title, *term, *text;
} entries[] = {
    {"Sockets", "unix:///PATH",
     "Made 0660 root:GROUP; without the group for root alone. One that nobody serves any more is "
     "replaced. A path has at most 107 bytes. When the socket lies in RUN, members of the group "
     "may "
     "pass through RUN, which holds nothing else for them. Whoever can connect can become root."},
    {NULL, "tcp://NAME:PORT",
     "Needs --tlsverify, but for loopback addresses with --insecure-loopback."},
    {NULL, "systemd",
     "Sockets that are handed over (cutaway.socket) are served with the rights that they have; "
     "those of --host besides, and none by default. On tcp the same conditions hold."},
    {"TLS", "",
     "With --tlsverify, --tlscacert, --tlscert and --tlskey (PEM files) whoever connects over tcp "
     "must show a certificate that the authority has signed and that is meant for clients; others "
     "are answered with status 403 and the reason. Spoken are TLS 1.2 and 1.3. The client's side: "
     "cutaway --tlscacert --tlscert --tlskey, or docker --tlsverify."},
    {"Signals", "SIGTERM, SIGINT",
     "Takes no new connections, ends what follows (logs -f, events, attach), lets calls that are "
     "under way finish for up to 30 seconds, removes its sockets and ends. Containers run on, also "
     "after SIGKILL; the next daemon finds them, and starts again those whose restart policy says "
     "so."},
    {NULL, "SIGHUP", "Is ignored: there is no file to be read again."},
    {"Environment", "CUTAWAY_ROOT, CUTAWAY_RUN", "As --root and --run."},
    {NULL, "CUTAWAY_LOG", "As --log-level. The log goes to standard error."},
    {NULL, "CUTAWAY_DEBUG", "With 1, every frame of an error is told when the daemon ends by one."},
    {NULL, "TMPDIR", "Where uploads are held until they are complete (default /var/tmp)."},
    {NULL, "LISTEN_FDS, LISTEN_PID, NOTIFY_SOCKET",
     "systemd's: the sockets that it hands over, and where it is told READY=1 and STOPPING=1."},
    {"Files", "ROOT/images, ROOT/snapshots", "Images and their layers, of all stages."},
    {NULL, "ROOT/STAGE",
     "Containers, networks, volumes and events of this stage (--version names it), and "
     "daemon.lock, which lets one daemon work on a root."},
    {NULL, "RUN/cutaway.sock", "The socket, unless --host says otherwise."},
    {NULL, "RUN/STAGE/containers/ID", "A running container: its monitor's socket and log."},
    {NULL, "cutaway.socket, cutaway.service", "Units for systemd."},
    {"Exit status", "0", "Ended by SIGTERM or SIGINT."},
    {NULL, "1", "It could not begin; a line on standard error says why."},
    {NULL, "64", "The command line is wrong."},
};

#define N_ENTRIES (sizeof(entries) / sizeof(entries[0]))

/* ---- for a terminal ------------------------------------------------------------------------- */

#define TEXT_COLUMN 6
#define LAST_COLUMN 77 /* argp wraps what is longer once more */

/* Words, as many in a line as fit. */
static void print_wrapped(FILE *out, const char *text)
{
    int column = LAST_COLUMN;

    while (*text) {
        int length = (int)strcspn(text, " ");
        if (column + 1 + length > LAST_COLUMN) {
            (void)fprintf(out, "\n%*s", TEXT_COLUMN, "");
            column = TEXT_COLUMN;
        } else {
            (void)fputc(' ', out);
            column++;
        }
        (void)fprintf(out, "%.*s", length, text);
        column += length;
        text += length + (text[length] == ' ');
    }
}

char *manual_help(void)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    if (!out) {
        return ct_strdup("");
    }
    for (size_t i = 0; i < N_ENTRIES; i++) {
        if (entries[i].title) {
            (void)fprintf(out, "%s%s:", i ? "\n\n" : "", entries[i].title);
        }
        if (*entries[i].term) {
            (void)fprintf(out, "\n  %s", entries[i].term);
        }
        print_wrapped(out, entries[i].text);
    }
    return fclose(out) == 0 ? text : ct_strdup("");
}

/* ---- for man -------------------------------------------------------------------------------- */

static void print_options(FILE *out, const struct argp_option *option)
{
    (void)fprintf(out, "The options are as follows:\n.Bl -tag -width Ds\n");
    for (; option->name; option++) {
        if (!(option->flags & OPTION_HIDDEN)) {
            char letter = option->key < 128 ? (char)option->key : '\0';
            ct_mdoc_flag(out, letter, option->name, option->arg ? option->arg : "", option->doc);
        }
    }
    (void)fprintf(out, ".El\n");
}

static void print_title(FILE *out, const char *title)
{
    (void)fprintf(out, ".Sh ");
    for (const char *c = title; *c; c++) {
        (void)fputc(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c, out);
    }
    (void)fprintf(out, "\n");
}

static void print_entry(FILE *out, const struct entry *entry)
{
    if (*entry->term) {
        (void)fprintf(out, ".It Sy \\&");
        ct_mdoc_text(out, entry->term);
        (void)fprintf(out, "\n");
    }
    (void)fprintf(out, "\\&");
    ct_mdoc_text(out, entry->text);
    (void)fprintf(out, "\n");
}

static bool begins_list(size_t i)
{
    return entries[i].title && *entries[i].term;
}

static bool ends_list(size_t i)
{
    return *entries[i].term && (i + 1 == N_ENTRIES || entries[i + 1].title);
}

void manual_print(FILE *out, const struct argp_option *options)
{
    ct_mdoc_head(out, "cutawayd", 8, "Docker's Engine API in front of a container engine");
    (void)fprintf(out, ".Nm\n.Op Ar OPTIONS\n.Sh DESCRIPTION\n"
                       "Answers Docker's Engine API (1.24 to 1.43), and does what it is asked to:\n"
                       ".Xr cutaway 1\nand\n.Xr docker 1\nare its clients.\n"
                       "One daemon works on a root.\n");
    print_options(out, options);
    for (size_t i = 0; i < N_ENTRIES; i++) {
        if (entries[i].title) {
            print_title(out, entries[i].title);
        }
        if (begins_list(i)) {
            (void)fprintf(out, ".Bl -tag -width Ds\n");
        }
        print_entry(out, &entries[i]);
        if (ends_list(i)) {
            (void)fprintf(out, ".El\n");
        }
    }
    (void)fprintf(out, ".Sh SEE ALSO\n.Xr cutaway 1 ,\n.Xr docker 1 ,\n.Xr systemd.socket 5\n");
}

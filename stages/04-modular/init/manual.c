/*
 * manual.c - prints cutaway-init's manual page, for the build: the program itself, which stands in
 * every container, does without.
 *
 * Room:       init.   Called by: tools/install-docs.
 * Man:        mdoc(7).
 */
#include "init_options.h"

#include "mdoc.h"

static const char *const paragraphs[][2] = {
    {"DESCRIPTION",
     "Two things are asked of process 1 that most programs do not do. Orphans become its children, "
     "and stay as zombies until it waits for them; and a signal for which it has no handler does "
     "nothing to it, not even SIGTERM. So the program gets this one for a parent, which runs it in "
     "a process group of its own with the terminal, if there is one, passes on every signal that "
     "it gets, reaps whoever ends, and ends as the program did."},
    {"EXIT STATUS",
     "The program's own; 128 and the signal's number when it was ended by one. 126 the program "
     "cannot be run, 127 it is not there, 1 the command line is wrong."},
};

static void print_paragraph(int index)
{
    (void)printf(".Sh %s\n\\&", paragraphs[index][0]);
    ct_mdoc_text(stdout, paragraphs[index][1]);
    (void)printf("\n");
}

int main(void)
{
    ct_mdoc_head(stdout, "cutaway-init", 1, init_purpose);
    (void)printf(".Nm\n.Op Ar OPTIONS\n.Ar PROGRAM\n.Li \\-\\-\n.Op Ar ARGS\n");
    print_paragraph(0);
    (void)printf("Options, environment and exit codes are those of\n.Xr tini 1 ,\n"
                 "which Docker installs as docker\\-init.\n.Pp\nThe options:\n"
                 ".Bl -tag -width Ds\n");
    for (const struct init_row *row = init_rows; row->option; row++) {
        (void)printf(".It Fl ");
        ct_mdoc_text(stdout, row->option + 1);
        (void)printf(*row->value ? " Ar %s\n\\&" : "%s\n\\&", row->value);
        ct_mdoc_text(stdout, row->help);
        (void)printf(".\n");
    }
    (void)printf(".El\n.Sh ENVIRONMENT\n\\&");
    ct_mdoc_text(stdout, init_environment);
    (void)printf("\n");
    print_paragraph(1);
    (void)printf(".Sh SEE ALSO\n.Xr cutaway-run 1 ,\n.Xr cutaway-runc 8 ,\n"
                 ".Xr pid_namespaces 7\n");
    return ferror(stdout) || fflush(stdout) ? 1 : 0;
}

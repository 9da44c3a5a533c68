/*
 * help.c - what people read: --help, --version and the manual page, from the table of commands.
 *
 * Room:       runc.   Called by: runc.c.
 * Man:        mdoc(7).
 */
#include "runc_internal.h"

#include "mdoc.h"

#include <string.h>

/* ---- for a terminal ------------------------------------------------------------------------- */

static void print_options(FILE *out, const struct runc_option *options)
{
    for (const struct runc_option *option = options; option && option->name; option++) {
        const char *value = option->value ? option->value : "";
        char letter[16] = "";
        if (option->letter) {
            (void)snprintf(letter, sizeof(letter), ", -%c", option->letter);
        }
        int width = fprintf(out, "   --%s%s%s%s", option->name, *value ? " " : "", value, letter);
        (void)fprintf(out, "%*s%s\n", width < 34 ? 34 - width : 2, "", option->help);
    }
}

static void print_command(FILE *out, const struct runc_command *command)
{
    (void)fprintf(out, "NAME:\n   " RUNC_NAME " %s - %s\n\nUSAGE:\n   " RUNC_NAME " %s%s%s%s\n",
                  command->name, command->summary, command->name,
                  command->options ? " [OPTION]..." : "", *command->usage ? " " : "",
                  command->usage);
    if (command->options) {
        (void)fprintf(out, "\nOPTIONS:\n");
        print_options(out, command->options);
    }
}

void runc_help(FILE *out, const struct runc_command *command_or_null)
{
    if (command_or_null) {
        print_command(out, command_or_null);
        return;
    }
    (void)fprintf(out, "NAME:\n   " RUNC_NAME " - runs OCI bundles\n\nUSAGE:\n   " RUNC_NAME
                       " [OPTION]... COMMAND [OPTION]... [ARGUMENT]...\n\nCOMMANDS:\n");
    for (const struct runc_command *const *command = runc_commands; *command; command++) {
        (void)fprintf(out, "   %-12s %s\n", (*command)->name, (*command)->summary);
    }
    (void)fprintf(out, "\nOPTIONS, before the command:\n");
    print_options(out, runc_globals.options);
}

/* As dockerd and containerd read it from runc. */
void runc_version(FILE *out)
{
    (void)fprintf(out, RUNC_NAME " version %s\nspec: %s\n", CUTAWAY_VERSION, LC_OCI_VERSION);
}

/* ---- for man -------------------------------------------------------------------------------- */

static void list_options(FILE *out, const struct runc_option *options)
{
    (void)fprintf(out, ".Bl -tag -width Ds\n");
    for (const struct runc_option *option = options; option->name; option++) {
        ct_mdoc_flag(out, option->letter, option->name, option->value ? option->value : "",
                     option->help);
    }
    (void)fprintf(out, ".El\n");
}

static void describe_command(FILE *out, const struct runc_command *command)
{
    (void)fprintf(out, ".Ss %s\n.Nm\n.Cm %s\n", command->name, command->name);
    if (command->options) {
        (void)fprintf(out, ".Op Ar OPTION ...\n");
    }
    if (*command->usage) {
        (void)fprintf(out, ".Ar ");
        ct_mdoc_text(out, command->usage);
        (void)fprintf(out, "\n");
    }
    (void)fprintf(out, ".Pp\n\\&");
    ct_mdoc_text(out, command->summary);
    (void)fprintf(out, ".\n");
    if (command->options) {
        list_options(out, command->options);
    }
}

void runc_manual(FILE *out)
{
    ct_mdoc_head(out, RUNC_NAME, 8, "runs OCI bundles");
    (void)fprintf(
        out,
        ".Nm\n.Op Ar OPTION ...\n.Ar COMMAND\n.Op Ar OPTION ...\n.Op Ar ARGUMENT ...\n"
        ".Sh DESCRIPTION\nMakes containers from bundles as the OCI runtime specification has them, "
        "with the\ncommand line of\n.Xr runc 8 .\nIt leaves as soon as the container goes on by "
        "itself.\n.Pp\nThe options before the command are:\n");
    list_options(out, runc_globals.options);
    (void)fprintf(out, ".Sh COMMANDS\n");
    for (const struct runc_command *const *command = runc_commands; *command; command++) {
        describe_command(out, *command);
    }
    (void)fprintf(
        out,
        ".Sh ENVIRONMENT\n.Bl -tag -width Ds\n"
        ".It Ev NOTIFY_SOCKET\nThe program's READY= is passed on there, with the container's "
        "process as the main\none. The program gets a socket of its own.\n"
        ".It Ev LISTEN_FDS , LISTEN_PID\nThe sockets that systemd hands over are the program's.\n"
        ".It Ev XDG_RUNTIME_DIR\nWhere users keep the state of their containers.\n.El\n"
        ".Sh FILES\n.Bl -tag -width Ds\n"
        ".It Pa /run/cutaway/runc\nThe state of containers: a folder for each.\n.El\n"
        ".Sh EXIT STATUS\n0; 1 when something failed; 3 for a command that does not exist. Of "
        "run and exec in the\nforeground it is the program's, 128 and the signal's number when it "
        "was ended by one,\nand 255 when exec itself failed.\n"
        ".Sh SEE ALSO\n.Xr cutaway 1 ,\n.Xr cutawayd 8 ,\n.Xr runc 8\n");
}

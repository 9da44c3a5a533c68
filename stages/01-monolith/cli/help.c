/*
 * help.c - all that is derived from the table: --help, completion, man pages, "did you mean".
 *
 * Room:       cli.   Called by: cli.c, system.c.
 * Man:        mdoc(7), bash(1) "Programmable Completion".
 */
#define CT_LAYER "cli"
#include "cli_internal.h"

#include "cleanup.h"
#include "mdoc.h"
#include "path.h"

#include <stdlib.h>
#include <string.h>

static const char *value_name(const struct cli_flag *flag)
{
    static const char *const by_type[] = {
        [CLI_BOOL] = "", [CLI_TEXT] = "string", [CLI_LIST] = "list", [CLI_INT] = "int"};
    return flag->value ? flag->value : by_type[flag->type];
}

static void measure_flag(void *context, const struct cli_flag *flag)
{
    size_t *widest = context;
    size_t width = strlen(flag->name) + 1 + strlen(value_name(flag));
    if (!flag_missing(flag) && width > *widest) {
        *widest = width;
    }
}

struct flag_printer {
    FILE *out;
    size_t widest;
};

static void print_flag(void *context, const struct cli_flag *flag)
{
    const struct flag_printer *printer = context;
    char letter[] = "    ";
    if (flag_missing(flag)) {
        return;
    }
    if (flag->letter) {
        (void)snprintf(letter, sizeof(letter), "-%c, ", flag->letter);
    }
    int used = fprintf(printer->out, "  %s--%s %s", letter, flag->name, value_name(flag));
    (void)fprintf(printer->out, "%*s%s\n", (int)printer->widest + 11 - used, "", flag->help);
}

static void print_absent(void *context, const struct cli_flag *flag)
{
    const struct flag_printer *printer = context;
    if (flag_missing(flag)) {
        (void)fprintf(printer->out, "      --%s: comes with %s\n", flag->name, flag->comes_with);
    }
}

static void note_absent(void *context, const struct cli_flag *flag)
{
    *(bool *)context = *(bool *)context || flag_missing(flag);
}

void help_command(FILE *out, const char *noun, const struct cli_command *command)
{
    struct flag_printer printer = {.out = out};
    bool any_absent = false;

    flags_each(command, measure_flag, &printer.widest);
    flags_each(command, note_absent, &any_absent);
    (void)fprintf(out, "\nUsage:  cutaway %s%s%s%s%s%s\n\n%s\n", noun ? noun : "", noun ? " " : "",
                  command->name, printer.widest ? " [OPTIONS]" : "", *command->usage ? " " : "",
                  command->usage, command->summary);
    if (printer.widest) {
        (void)fprintf(out, "\nOptions:\n");
        flags_each(command, print_flag, &printer);
    }
    if (any_absent) {
        (void)fprintf(out, "\nNot in stage %s:\n", engine_stage());
        flags_each(command, print_absent, &printer);
    }
}

void help_noun(FILE *out, const struct cli_noun *noun)
{
    (void)fprintf(out, "\nUsage:  cutaway %s COMMAND\n\n%s\n\nCommands:\n", noun->name,
                  noun->summary);
    for (const struct cli_command *const *c = noun->commands; *c; c++) {
        (void)fprintf(out, "  %-11s %s\n", (*c)->name, (*c)->summary);
    }
    (void)fprintf(out, "\nRun 'cutaway %s COMMAND --help' for more information on a command.\n",
                  noun->name);
}

static bool is_hidden(const struct cli_command *command)
{
    return command->name[0] == '_';
}

void help_top(FILE *out)
{
    (void)fprintf(out, "\nUsage:  cutaway [--stage N] [OPTIONS] COMMAND\n\n"
                       "A container engine that you can see through\n\n"
                       "Management Commands:\n");
    for (const struct cli_noun *noun = cli_nouns; noun->name; noun++) {
        (void)fprintf(out, "  %-11s %s\n", noun->name, noun->summary);
    }
    (void)fprintf(out, "\nCommands:\n");
    for (const struct cli_command *const *c = cli_commands; *c; c++) {
        if (!is_hidden(*c)) {
            (void)fprintf(out, "  %-11s %s\n", (*c)->name, (*c)->summary);
        }
    }
    (void)fprintf(out, "  %-11s %s\n", "trace",
                  "Run a command and show its path through all layers");
    struct flag_printer printer = {.out = out};
    flags_each(&cli_globals, measure_flag, &printer.widest);
    (void)fprintf(out, "\nGlobal Options:\n");
    flags_each(&cli_globals, print_flag, &printer);
    (void)fprintf(out,
                  "\n'--stage N' stands before all others and chooses the stage; this is %s.\n"
                  "\nRun 'cutaway COMMAND --help' for more information on a command.\n",
                  engine_stage());
}

/* Levenshtein's distance, for words of at most 31 bytes; longer ones are far away. */
static size_t distance(const char *a, const char *b)
{
    size_t row[32];
    size_t n = strlen(b);

    if (strlen(a) > 31 || n > 31) {
        return 99;
    }
    for (size_t j = 0; j <= n; j++) {
        row[j] = j;
    }
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t above = row[j];
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            best = above + 1 < best ? above + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            diagonal = above;
        }
    }
    return row[n];
}

const char *help_nearest(const char *typed)
{
    const char *nearest = NULL;
    size_t best = 3; /* more than two slips are another word */

    for (const struct cli_command *const *c = cli_commands; *c; c++) {
        size_t d = is_hidden(*c) ? 99 : distance(typed, (*c)->name);
        if (d < best) {
            best = d;
            nearest = (*c)->name;
        }
    }
    return nearest;
}

static void complete_flag(void *context, const struct cli_flag *flag)
{
    if (!flag_missing(flag)) {
        (void)fprintf(context, " --%s", flag->name);
    }
}

static void complete_command(FILE *out, const char *noun, const struct cli_command *command)
{
    (void)fprintf(out, "    '%s%s%s') words='--help", noun ? noun : "", noun ? " " : "",
                  command->name);
    flags_each(command, complete_flag, out);
    (void)fprintf(out, "' ;;\n");
}

int help_completion(FILE *out)
{
    (void)fprintf(out,
                  "# bash completion for cutaway, derived from its table of commands\n"
                  "_cutaway() {\n"
                  "  local current=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} words=''\n"
                  "  case $command in container|image|network|system|volume) command+=\" "
                  "${COMP_WORDS[2]}\" ;; esac\n"
                  "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                  "    words='--stage --help trace");
    flags_each(&cli_globals, complete_flag, out);
    for (const struct cli_noun *noun = cli_nouns; noun->name; noun++) {
        (void)fprintf(out, " %s", noun->name);
    }
    for (const struct cli_command *const *c = cli_commands; *c; c++) {
        (void)fprintf(out, "%s%s", is_hidden(*c) ? "" : " ", is_hidden(*c) ? "" : (*c)->name);
    }
    (void)fprintf(out, "'\n  elif [ \"$COMP_CWORD\" -eq 2 ] && [[ $command == *' ' || $command == "
                       "*\" $current\" ]]; then\n"
                       "    case ${COMP_WORDS[1]} in\n");
    for (const struct cli_noun *noun = cli_nouns; noun->name; noun++) {
        (void)fprintf(out, "    %s) words='", noun->name);
        for (const struct cli_command *const *c = noun->commands; *c; c++) {
            (void)fprintf(out, "%s ", (*c)->name);
        }
        (void)fprintf(out, "' ;;\n");
    }
    (void)fprintf(out, "    esac\n  else\n    case $command in\n");
    for (const struct cli_command *const *c = cli_commands; *c; c++) {
        complete_command(out, NULL, *c);
    }
    for (const struct cli_noun *noun = cli_nouns; noun->name; noun++) {
        for (const struct cli_command *const *c = noun->commands; *c; c++) {
            complete_command(out, noun->name, *c);
        }
    }
    (void)fprintf(out,
                  "    esac\n    case $command in *create|*run|images|rmi) ;; *)\n"
                  "      [[ $current == -* ]] || words=$(cutaway ps -a --format '{{.Names}}' "
                  "2>/dev/null) ;; esac\n"
                  "  fi\n  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n}\n"
                  "complete -o default -F _cutaway cutaway\n");
    return 0;
}

static void man_flag(void *context, const struct cli_flag *flag)
{
    if (!flag_missing(flag)) {
        ct_mdoc_flag(context, flag->letter, flag->name, value_name(flag), flag->help);
    }
}

static void man_command(FILE *out, const struct cli_command *command)
{
    size_t widest = 0;
    CT_AUTO_FREE char *name = ct_printf("cutaway-%s", command->name);

    flags_each(command, measure_flag, &widest);
    ct_mdoc_head(out, name, 1, command->summary);
    (void)fprintf(out, ".Nm cutaway\n.Cm %s\n%s", command->name, widest ? ".Op Ar OPTIONS\n" : "");
    if (*command->usage) {
        (void)fprintf(out, ".Ar ");
        ct_mdoc_text(out, command->usage);
        (void)fprintf(out, "\n");
    }
    (void)fprintf(out, ".Sh DESCRIPTION\n\\&");
    ct_mdoc_text(out, command->summary);
    (void)fprintf(out, ".\n");
    if (widest) {
        (void)fprintf(out, "The options are as follows:\n.Bl -tag -width Ds\n");
        flags_each(command, man_flag, out);
        (void)fprintf(out, ".El\n");
    }
    (void)fprintf(out, ".Sh SEE ALSO\n.Xr cutaway 1\n");
}

static void man_list(FILE *out, const char *noun, const struct cli_command *const *commands)
{
    for (const struct cli_command *const *c = commands; *c; c++) {
        if (!is_hidden(*c)) {
            (void)fprintf(out, ".It Cm %s%s%s\n\\&", noun ? noun : "", noun ? " " : "", (*c)->name);
            ct_mdoc_text(out, (*c)->summary);
            (void)fprintf(out, ".\n");
        }
    }
}

static void man_top(FILE *out)
{
    ct_mdoc_head(out, "cutaway", 1, "a container engine that you can see through");
    (void)fprintf(out, ".Nm cutaway\n.Op Ar OPTIONS\n.Ar COMMAND\n.Sh DESCRIPTION\n"
                       "Runs containers as Docker does, in one of four stages of its evolution.\n"
                       "The commands are as follows:\n.Bl -tag -width Ds\n");
    man_list(out, NULL, cli_commands);
    for (const struct cli_noun *noun = cli_nouns; noun->name; noun++) {
        man_list(out, noun->name, noun->commands);
    }
    (void)fprintf(out, ".El\nThe options are as follows:\n.Bl -tag -width Ds\n"
                       ".It Fl \\-stage Ar N\nThe stage that runs; stands first.\n");
    flags_each(&cli_globals, man_flag, out);
    (void)fprintf(
        out,
        ".El\n.Sh ENVIRONMENT\n.Bl -tag -width Ds\n"
        ".It Ev CUTAWAY_ROOT , Ev CUTAWAY_RUN\nAs\n.Fl \\-root\nand\n.Fl \\-run .\n"
        ".It Ev CUTAWAY_STAGE\nThe stage that runs.\n"
        ".It Ev CUTAWAY_HOST\nThe daemon to talk to, as\n.Fl \\-host ,\nfrom stage 02 on.\n"
        ".It Ev CUTAWAY_CERT_PATH\nA folder with ca.pem, cert.pem and key.pem for tcp:// "
        "hosts.\n"
        ".It Ev CUTAWAY_DEBUG\nWith 1, every frame of an error is told.\n.El\n"
        ".Sh EXIT STATUS\nThe program's own for run and exec; 125 when the engine could not do its "
        "part, 126 when the program cannot be run, 127 when it is missing; 1 for other "
        "failures.\n");
}

int help_man(FILE *out, const char *command_or_null)
{
    if (!command_or_null) {
        man_top(out);
        return 0;
    }
    for (const struct cli_command *const *c = cli_commands; *c; c++) {
        if (strcmp((*c)->name, command_or_null) == 0) {
            man_command(out, *c);
            return 0;
        }
    }
    return -1;
}

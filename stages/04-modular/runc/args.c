/*
 * args.c - options and arguments, by a command's row.
 *
 * Room:       runc.   Called by: runc.c.
 * Spec:       the notation of Go's flag package, which runc has: -name and --name are the same,
 *             --name=value, --name value, --switch=false; "--" ends the options. They may stand
 *             behind arguments, but for `exec` and `ps`, where those are another program's.
 */
#define CT_LAYER "runc"
#include "runc_internal.h"

#include "path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct value {
    const struct runc_option *option;
    const char *text;
};

struct runc_args {
    struct value *values; /* in the order given */
    size_t n_values;
    char **rest;
    int n_rest;
    bool help;
};

static const struct runc_option *find_option(const struct runc_command *command, const char *name,
                                             size_t length)
{
    for (const struct runc_option *option = command->options; option && option->name; option++) {
        if ((length == 1 && option->letter == *name) ||
            (strlen(option->name) == length && strncmp(option->name, name, length) == 0)) {
            return option;
        }
    }
    return NULL;
}

static bool is_switch_text(const char *text, bool *ret)
{
    static const char *const yes[] = {"true", "1", "t", "T", "TRUE", "True", NULL};
    static const char *const no[] = {"false", "0", "f", "F", "FALSE", "False", NULL};

    for (size_t i = 0; yes[i]; i++) {
        if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
            *ret = strcmp(text, yes[i]) == 0;
            return true;
        }
    }
    return false;
}

static int check_value(const struct runc_option *option, const char *text, struct ct_error *err)
{
    char *end = NULL;
    bool ignored;

    errno = 0;
    if (option->type == RUNC_SWITCH && !is_switch_text(text, &ignored)) {
        return ct_refuse(err, CT_INVALID, "invalid boolean value \"%.60s\" for -%s", text,
                         option->name);
    }
    if (option->type == RUNC_NUMBER && (strtoll(text, &end, 0), !*text || *end || errno)) {
        return ct_refuse(err, CT_INVALID, "invalid value \"%.60s\" for flag -%s: not a number",
                         text, option->name);
    }
    return 0;
}

/* One option. Returns how many words it took, or -1. */
static int take_option(struct runc_args *args, const struct runc_command *command, char **argv,
                       int left, struct ct_error *err)
{
    const char *name = argv[0] + (argv[0][1] == '-' ? 2 : 1);
    size_t length = strcspn(name, "=");
    const struct runc_option *option = find_option(command, name, length);
    int used = 1;

    if (!option &&
        ((length == 4 && strncmp(name, "help", 4) == 0) || (length == 1 && *name == 'h'))) {
        args->help = true;
        return 1;
    }
    if (!option) {
        return ct_refuse(err, CT_INVALID, "flag provided but not defined: -%.*s",
                         (int)(length < 60 ? length : 60), name);
    }
    const char *text = name[length] == '=' ? name + length + 1 : NULL;
    if (!text && option->type == RUNC_SWITCH) {
        text = "true";
    }
    if (!text) {
        if (left < 2) {
            return ct_refuse(err, CT_INVALID, "flag needs an argument: -%s", option->name);
        }
        text = argv[1];
        used = 2;
    }
    args->values[args->n_values++] = (struct value){option, text};
    return check_value(option, text, err) < 0 ? -1 : used;
}

static int parse_words(struct runc_args *args, const struct runc_command *command, int argc,
                       char **argv, struct ct_error *err)
{
    bool options_over = false;

    for (int i = 0; i < argc;) {
        if (!options_over && strcmp(argv[i], "--") == 0) {
            options_over = true;
            i++;
        } else if (!options_over && argv[i][0] == '-' && argv[i][1]) {
            int used = take_option(args, command, argv + i, argc - i, err);
            if (used < 0) {
                return -1;
            }
            i += used;
        } else {
            args->rest[args->n_rest++] = argv[i++];
            options_over = options_over || command->stops_at_first;
        }
    }
    return 0;
}

static int check_count(const struct runc_args *args, const struct runc_command *command,
                       struct ct_error *err)
{
    int min = command->min_args, max = command->max_args, n = args->n_rest;

    if (args->help || (n >= min && (max < 0 || n <= max))) {
        return 0;
    }
    if (min == max) {
        return ct_refuse(err, CT_INVALID, RUNC_NAME ": \"%s\" requires exactly %d argument(s)",
                         command->name, min);
    }
    return n < min ? ct_refuse(err, CT_INVALID,
                               RUNC_NAME ": \"%s\" requires a minimum of %d argument(s)",
                               command->name, min)
                   : ct_refuse(err, CT_INVALID,
                               RUNC_NAME ": \"%s\" requires a maximum of %d argument(s)",
                               command->name, max);
}

struct runc_args *runc_args_parse(const struct runc_command *command, int argc, char **argv,
                                  struct ct_error *err)
{
    struct runc_args *args = calloc(1, sizeof(*args));

    if (args) {
        args->values = calloc((size_t)argc + 1, sizeof(*args->values));
        args->rest = calloc((size_t)argc + 1, sizeof(*args->rest));
    }
    if (!args || !args->values || !args->rest) {
        abort(); /* as lib does: nothing else would work either */
    }
    if (parse_words(args, command, argc, argv, err) < 0 || check_count(args, command, err) < 0) {
        runc_args_free(args);
        return NULL;
    }
    return args;
}

void runc_args_free(struct runc_args *args)
{
    if (args) {
        free(args->values);
        free(args->rest);
        free(args);
    }
}

bool runc_args_help(const struct runc_args *args)
{
    return args->help;
}

int runc_args_count(const struct runc_args *args)
{
    return args->n_rest;
}

const char *runc_args_at(const struct runc_args *args, int i)
{
    return i < args->n_rest ? args->rest[i] : NULL;
}

char **runc_args_rest(const struct runc_args *args, int i)
{
    return args->rest + (i < args->n_rest ? i : args->n_rest);
}

const char *runc_args_next(const struct runc_args *args, const char *option, size_t *cursor)
{
    while (*cursor < args->n_values) {
        const struct value *value = &args->values[(*cursor)++];
        if (strcmp(value->option->name, option) == 0) {
            return value->text;
        }
    }
    return NULL;
}

const char *runc_args_text(const struct runc_args *args, const char *option)
{
    const char *last = NULL;
    size_t cursor = 0;

    for (const char *text; (text = runc_args_next(args, option, &cursor));) {
        last = text;
    }
    return last;
}

bool runc_args_switch(const struct runc_args *args, const char *option)
{
    const char *text = runc_args_text(args, option);
    bool value = false;

    return text && is_switch_text(text, &value) && value;
}

int64_t runc_args_number(const struct runc_args *args, const char *option, int64_t fallback)
{
    const char *text = runc_args_text(args, option);

    return text ? strtoll(text, NULL, 0) : fallback;
}

/*
 * parse.c - flags and arguments, by a command's row.
 *
 * Room:       cli.   Called by: cli.c.
 * Spec:       the notation of Go's pflag, which Docker's client uses: --flag=value, --flag value,
 *             -f value, -fvalue, -abc for bools, --bool=false, "--" ends the flags.
 */
#define CT_LAYER "cli"
#include "cli_internal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct cli_args {
    const struct cli_command *command;
    json_t *values;      /* flag name -> array of texts, in the order given */
    const char ***lists; /* vectors handed out by args_list(), freed with the rest */
    size_t n_lists;
    const char **rest;
    int n_rest;
    bool help;
};

static const struct cli_flag *find_flag(const struct cli_command *command, const char *name,
                                        size_t length, char letter)
{
    for (const struct cli_flag *const *table = command->flags; table && *table; table++) {
        for (const struct cli_flag *flag = *table; flag->name; flag++) {
            if (letter ? flag->letter == letter
                       : strlen(flag->name) == length && strncmp(flag->name, name, length) == 0) {
                return flag;
            }
        }
    }
    return NULL;
}

void flags_each(const struct cli_command *command, cli_flag_fn fn, void *context)
{
    for (const struct cli_flag *const *table = command->flags; table && *table; table++) {
        for (const struct cli_flag *flag = *table; flag->name; flag++) {
            fn(context, flag);
        }
    }
}

/* Stages begin with their number, so the order of their names is that of history. */
bool flag_missing(const struct cli_flag *flag)
{
    static const char stage[] = "stage ";
    const size_t length = sizeof(stage) - 1;
    return flag->comes_with && (strncmp(flag->comes_with, stage, length) != 0 ||
                                strncmp(flag->comes_with + length, engine_stage(), 2) > 0);
}

static bool is_bool_text(const char *text, bool *ret)
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

static int check_value(const struct cli_flag *flag, const char *text, struct ct_error *err)
{
    char *end = NULL;
    bool ignored;

    errno = 0;
    if (flag->type == CLI_BOOL && !is_bool_text(text, &ignored)) {
        return ct_refuse(err, CT_INVALID,
                         "invalid argument \"%.60s\" for \"--%s\" flag: not a boolean", text,
                         flag->name);
    }
    if (flag->type == CLI_INT && (strtoll(text, &end, 0), !*text || *end || errno)) {
        return ct_refuse(err, CT_INVALID,
                         "invalid argument \"%.60s\" for \"--%s\" flag: not a number", text,
                         flag->name);
    }
    return 0;
}

static int set_value(struct cli_args *args, const struct cli_flag *flag, const char *text,
                     struct ct_error *err)
{
    json_t *list = json_object_get(args->values, flag->name);

    if (flag_missing(flag)) {
        return ct_refuse(err, CT_UNSUPPORTED, "flag '--%s' is not in stage %s: it comes with %s",
                         flag->name, engine_stage(), flag->comes_with);
    }
    if (check_value(flag, text, err) < 0) {
        return -1;
    }
    if (!list || flag->type != CLI_LIST) {
        list = json_array();
        ct_json_set(args->values, flag->name, list);
    }
    /* Bytes as they are: an environment variable need not be text. JSON needs text, so the rest is
     * lossy. */
    ct_json_append(list, ct_json_string_lossy(text, strlen(text)));
    return 0;
}

/* "--name", "--name=value", "--name value". Returns how many words were used, or -1. */
static int parse_long(struct cli_args *args, char **argv, int left, struct ct_error *err)
{
    const char *name = argv[0] + 2;
    size_t length = strcspn(name, "=");
    const struct cli_flag *flag = find_flag(args->command, name, length, 0);

    if (length == 4 && strncmp(name, "help", 4) == 0) {
        args->help = true;
        return 1;
    }
    if (!flag) {
        return ct_refuse(err, CT_INVALID, "unknown flag: --%.*s", (int)(length < 60 ? length : 60),
                         name);
    }
    if (name[length] == '=') {
        return set_value(args, flag, name + length + 1, err) < 0 ? -1 : 1;
    }
    if (flag->type == CLI_BOOL) {
        return set_value(args, flag, "true", err) < 0 ? -1 : 1;
    }
    if (left < 2) {
        return ct_refuse(err, CT_INVALID, "flag needs an argument: --%s", flag->name);
    }
    return set_value(args, flag, argv[1], err) < 0 ? -1 : 2;
}

/* "-abc": bools, the last may take a value: "-abvalue", "-ab value", "-b=value". */
static int parse_letters(struct cli_args *args, char **argv, int left, struct ct_error *err)
{
    for (const char *letter = argv[0] + 1; *letter; letter++) {
        const struct cli_flag *flag = find_flag(args->command, NULL, 0, *letter);
        if (!flag && *letter == 'h') {
            args->help = true;
            continue;
        }
        if (!flag) {
            return ct_refuse(err, CT_INVALID, "unknown shorthand flag: '%c' in %.60s", *letter,
                             argv[0]);
        }
        if (flag->type == CLI_BOOL && letter[1] != '=') {
            if (set_value(args, flag, "true", err) < 0) {
                return -1;
            }
            continue;
        }
        const char *value = letter[1] == '=' ? letter + 2 : letter[1] ? letter + 1 : NULL;
        if (!value && left < 2) {
            return ct_refuse(err, CT_INVALID, "flag needs an argument: '%c' in %.60s", *letter,
                             argv[0]);
        }
        return set_value(args, flag, value ? value : argv[1], err) < 0 ? -1 : value ? 1 : 2;
    }
    return 1;
}

static int parse_words(struct cli_args *args, int argc, char **argv, struct ct_error *err)
{
    bool flags_over = false;

    for (int i = 0; i < argc;) {
        const char *word = argv[i];
        bool is_flag = !flags_over && word[0] == '-' && word[1];
        if (is_flag && strcmp(word, "--") == 0) {
            flags_over = true;
            i++;
            continue;
        }
        if (is_flag) {
            int used = word[1] == '-' ? parse_long(args, argv + i, argc - i, err)
                                      : parse_letters(args, argv + i, argc - i, err);
            if (used < 0) {
                return -1;
            }
            i += used;
            continue;
        }
        args->rest[args->n_rest++] = word;
        flags_over = flags_over || args->command->stops_at_first;
        i++;
    }
    return 0;
}

static int check_count(const struct cli_args *args, struct ct_error *err)
{
    const struct cli_command *command = args->command;
    int min = command->min_args, max = command->max_args, n = args->n_rest;

    if (args->help || (n >= min && (max < 0 || n <= max))) {
        return 0;
    }
    if (min == max) {
        return min == 0
                   ? ct_refuse(err, CT_INVALID, "'cutaway %s' accepts no arguments", command->name)
                   : ct_refuse(err, CT_INVALID, "'cutaway %s' requires %d argument%s",
                               command->name, min, min == 1 ? "" : "s");
    }
    if (n < min) {
        return ct_refuse(err, CT_INVALID, "'cutaway %s' requires at least %d argument%s",
                         command->name, min, min == 1 ? "" : "s");
    }
    return ct_refuse(err, CT_INVALID, "'cutaway %s' requires at most %d argument%s", command->name,
                     max, max == 1 ? "" : "s");
}

struct cli_args *args_parse(const struct cli_command *command, int argc, char **argv,
                            struct ct_error *err)
{
    struct cli_args *args = calloc(1, sizeof(*args));
    if (!args) {
        return ct_fail_null(err, ENOMEM, "read the command line");
    }
    args->command = command;
    args->values = json_object();
    args->rest = calloc((size_t)argc + 1, sizeof(*args->rest));
    if (!args->rest || parse_words(args, argc, argv, err) < 0 || check_count(args, err) < 0) {
        args_free(args);
        return NULL;
    }
    return args;
}

void args_free(struct cli_args *args)
{
    if (!args) {
        return;
    }
    for (size_t i = 0; i < args->n_lists; i++) {
        free(args->lists[i]);
    }
    free(args->lists);
    free(args->rest);
    json_decref(args->values);
    free(args);
}

bool args_help(const struct cli_args *args)
{
    return args->help;
}

int args_count(const struct cli_args *args)
{
    return args->n_rest;
}

const char *args_at(const struct cli_args *args, int i)
{
    return i < args->n_rest ? args->rest[i] : NULL;
}

const char *const *args_rest(const struct cli_args *args, int i)
{
    return args->rest + (i < args->n_rest ? i : args->n_rest);
}

bool args_has(const struct cli_args *args, const char *flag)
{
    return json_object_get(args->values, flag) != NULL;
}

const char *args_text(const struct cli_args *args, const char *flag, const char *fallback)
{
    const json_t *list = json_object_get(args->values, flag);
    const char *text = json_string_value(json_array_get(list, json_array_size(list) - 1));
    return text ? text : fallback;
}

bool args_bool(const struct cli_args *args, const char *flag)
{
    bool value = false;
    return is_bool_text(args_text(args, flag, "false"), &value) && value;
}

json_int_t args_int(const struct cli_args *args, const char *flag, json_int_t fallback)
{
    const char *text = args_text(args, flag, NULL);
    return text ? strtoll(text, NULL, 0) : fallback;
}

const char *const *args_list(const struct cli_args *args, const char *flag)
{
    static const char *const none[] = {NULL};
    const json_t *list = json_object_get(args->values, flag);
    size_t n = json_array_size(list);
    struct cli_args *owner = (struct cli_args *)args; /* remembers what it lends */
    const char **vector = n > 0 ? calloc(n + 1, sizeof(*vector)) : NULL;
    const char ***lists =
        vector ? reallocarray(owner->lists, owner->n_lists + 1, sizeof(*lists)) : NULL;

    if (!lists) {
        free(vector);
        return none;
    }
    owner->lists = lists;
    owner->lists[owner->n_lists++] = vector;
    for (size_t i = 0; i < n; i++) {
        vector[i] = json_string_value(json_array_get(list, i));
    }
    return vector;
}

int args_filters(const struct cli_args *args, json_t **ret, struct ct_error *err)
{
    CT_AUTO_JSON json_t *filters = json_object();

    for (const char *const *filter = args_list(args, "filter"); *filter; filter++) {
        const char *equal_sign = strchr(*filter, '=');
        if (!equal_sign) {
            return ct_refuse(err, CT_INVALID,
                             "invalid argument \"%.60s\" for \"-f, --filter\" flag: bad format "
                             "of filter (expected name=value)",
                             *filter);
        }
        CT_AUTO_FREE char *key = ct_printf("%.*s", (int)(equal_sign - *filter), *filter);
        json_t *values = json_object_get(filters, key);
        if (!values) {
            values = json_array();
            ct_json_set(filters, key, values);
        }
        ct_json_append(values, json_string(equal_sign + 1));
    }
    *ret = json_object_size(filters) > 0 ? ct_steal(filters) : NULL;
    return 0;
}

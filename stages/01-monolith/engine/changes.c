/*
 * changes.c - Dockerfile instructions applied to an image's config: commit --change, import
 * --change.
 *
 * Room:       engine.   Called by: commit.c, images.c.
 * Spec:       Dockerfile reference, for the instructions that only change the config.
 */
#define CT_LAYER "engine"
#include "engine_internal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "process.h"

#include <string.h>
#include <wordexp.h>

typedef int (*change_fn)(json_t *config, const char *arguments, struct ct_error *err);

/* The exec form is a JSON array; anything else is a line for /bin/sh. */
static json_t *command_form(const char *arguments)
{
    struct ct_error not_json = {0};
    json_t *parsed =
        *arguments == '[' ? ct_json_parse(arguments, strlen(arguments), &not_json) : NULL;
    if (json_is_array(parsed)) {
        return parsed;
    }
    json_decref(parsed);
    return json_pack("[s,s,s]", "/bin/sh", "-c", arguments);
}

static int change_cmd(json_t *config, const char *arguments, struct ct_error *err)
{
    (void)err;
    ct_json_set(config, "Cmd", command_form(arguments));
    return 0;
}

static int change_entrypoint(json_t *config, const char *arguments, struct ct_error *err)
{
    (void)err;
    ct_json_set(config, "Entrypoint", command_form(arguments));
    return 0;
}

/* Words as the shell splits them, quotes removed; no substitution of any kind. Owned (wordfree). */
static int split_words(const char *arguments, wordexp_t *ret, struct ct_error *err)
{
    if (strpbrk(arguments, "$`*?[")) { /* wordexp would expand them */
        return ct_refuse(
            err, CT_UNSUPPORTED,
            "read '%.100s': '$', '`' and patterns come with the builder, which no stage has yet",
            arguments);
    }
    if (wordexp(arguments, ret, WRDE_NOCMD | WRDE_UNDEF) != 0) {
        return ct_refuse(err, CT_INVALID, "read '%.100s': quotes do not match", arguments);
    }
    return 0;
}

/* A list of "NAME=value" gets one more, replacing the one of the same name. */
static void set_variable(json_t *config, const char *assignment)
{
    json_t *env = json_object_get(config, "Env");
    size_t length = strcspn(assignment, "=") + 1;
    size_t i;
    json_t *value;

    if (!json_is_array(env)) {
        env = json_array();
        ct_json_set(config, "Env", env);
    }
    json_array_foreach(env, i, value)
    {
        if (json_is_string(value) && strncmp(json_string_value(value), assignment, length) == 0) {
            (void)json_array_remove(env, i);
            break;
        }
    }
    ct_json_append(env, json_string(assignment));
}

static void set_label(json_t *config, const char *assignment)
{
    json_t *labels = json_object_get(config, "Labels");
    CT_AUTO_FREE char *key = ct_strdup(assignment);

    if (!json_is_object(labels)) {
        labels = json_object();
        ct_json_set(config, "Labels", labels);
    }
    key[strcspn(key, "=")] = '\0';
    ct_json_set_string(labels, key, strchr(assignment, '=') + 1);
}

/* "A=b C=d", or the old form "A the rest of the line". */
static int each_assignment(json_t *config, const char *arguments,
                           void (*set)(json_t *config, const char *assignment),
                           struct ct_error *err)
{
    size_t name = strcspn(arguments, "= \t");
    if (name > 0 && (arguments[name] == ' ' || arguments[name] == '\t')) {
        CT_AUTO_FREE char *assignment = ct_printf(
            "%.*s=%s", (int)name, arguments, arguments + name + strspn(arguments + name, " \t"));
        set(config, assignment);
        return 0;
    }
    wordexp_t words;
    if (split_words(arguments, &words, err) < 0) {
        return -1;
    }
    int result = 0;
    for (size_t i = 0; i < words.we_wordc && result == 0; i++) {
        const char *word = words.we_wordv[i];
        if (*word == '=' || !strchr(word, '=')) {
            result = ct_refuse(err, CT_INVALID, "read '%.100s': it is not NAME=VALUE", word);
        } else {
            set(config, word);
        }
    }
    wordfree(&words);
    return result;
}

static int change_env(json_t *config, const char *arguments, struct ct_error *err)
{
    return each_assignment(config, arguments, set_variable, err);
}

static int change_label(json_t *config, const char *arguments, struct ct_error *err)
{
    return each_assignment(config, arguments, set_label, err);
}

/* Keys of an object, given as words or as a JSON array. suffix completes a word without '/'. */
static int add_keys(json_t *config, const char *field, const char *arguments, const char *suffix,
                    struct ct_error *err)
{
    CT_AUTO_JSON json_t *words = *arguments == '[' ? command_form(arguments) : json_array();
    json_t *object = json_object_get(config, field);
    CT_AUTO_FREE char *copy = ct_strdup(*arguments == '[' ? "" : arguments);
    char *position = NULL;
    size_t i;
    json_t *word;

    for (char *w = strtok_r(copy, " \t", &position); w; w = strtok_r(NULL, " \t", &position)) {
        ct_json_append(words, json_string(w));
    }
    if (!json_is_object(object)) {
        object = json_object();
        ct_json_set(config, field, object);
    }
    json_array_foreach(words, i, word)
    {
        const char *text = json_string_value(word);
        if (!text || !*text) {
            return ct_refuse(err, CT_INVALID, "read '%.100s': a word is empty or not text",
                             arguments);
        }
        CT_AUTO_FREE char *key =
            ct_printf("%s%s", text, *suffix && !strchr(text, '/') ? suffix : "");
        ct_json_set(object, key, json_object());
    }
    return 0;
}

static int change_expose(json_t *config, const char *arguments, struct ct_error *err)
{
    return add_keys(config, "ExposedPorts", arguments, "/tcp", err);
}

static int change_volume(json_t *config, const char *arguments, struct ct_error *err)
{
    return add_keys(config, "Volumes", arguments, "", err);
}

static int change_user(json_t *config, const char *arguments, struct ct_error *err)
{
    (void)err;
    ct_json_set_string(config, "User", arguments);
    return 0;
}

static int change_workdir(json_t *config, const char *arguments, struct ct_error *err)
{
    (void)err;
    const char *old = ct_json_string(config, "WorkingDir", "/");
    CT_AUTO_FREE char *joined = *arguments == '/' ? ct_strdup(arguments) : ct_join(old, arguments);
    CT_AUTO_FREE char *clean = ct_path_clean(joined);
    ct_json_set_string(config, "WorkingDir", clean);
    return 0;
}

static int change_stopsignal(json_t *config, const char *arguments, struct ct_error *err)
{
    if (ct_signal_number(arguments, err) < 0) {
        return -1;
    }
    ct_json_set_string(config, "StopSignal", arguments);
    return 0;
}

static int change_onbuild(json_t *config, const char *arguments, struct ct_error *err)
{
    (void)err;
    json_t *triggers = json_object_get(config, "OnBuild");
    if (!json_is_array(triggers)) {
        triggers = json_array();
        ct_json_set(config, "OnBuild", triggers);
    }
    ct_json_append(triggers, json_string(arguments));
    return 0;
}

static const struct {
    const char *instruction;
    change_fn apply;
} instructions[] = {
    {"CMD", change_cmd},         {"ENTRYPOINT", change_entrypoint},
    {"ENV", change_env},         {"EXPOSE", change_expose},
    {"LABEL", change_label},     {"ONBUILD", change_onbuild},
    {"USER", change_user},       {"VOLUME", change_volume},
    {"WORKDIR", change_workdir}, {"STOPSIGNAL", change_stopsignal},
};

static int apply_one(json_t *config, const char *change, struct ct_error *err)
{
    const char *text = change + strspn(change, " \t");
    size_t length = strcspn(text, " \t");
    const char *arguments = text + length + strspn(text + length, " \t");

    for (size_t i = 0; i < sizeof(instructions) / sizeof(instructions[0]); i++) {
        if (strlen(instructions[i].instruction) == length &&
            strncasecmp(text, instructions[i].instruction, length) == 0) {
            if (!*arguments) {
                return ct_refuse(err, CT_INVALID, "'%s' requires at least one argument",
                                 instructions[i].instruction);
            }
            return instructions[i].apply(config, arguments, err);
        }
    }
    return ct_refuse(err, CT_INVALID, "'%.*s' is not a valid change command",
                     (int)(length < 64 ? length : 64), text);
}

int changes_apply(json_t *image_config, const char *const *changes, struct ct_error *err)
{
    for (const char *const *change = changes; change && *change; change++) {
        CT_AUTO_JSON json_t *is_text = json_string(*change);
        if (!is_text) {
            return ct_refuse(err, CT_INVALID, "read a change: it is not valid UTF-8");
        }
        if (apply_one(image_config, *change, err) < 0) {
            return ct_while(err, "apply change '%.100s'", *change);
        }
    }
    return 0;
}

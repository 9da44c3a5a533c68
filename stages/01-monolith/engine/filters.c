/*
 * filters.c - the filters of list and prune requests, in both spellings of the API.
 *
 * Room:       engine.   Called by: the lists of this room.
 * Spec:       Docker Engine API 1.43: a JSON object of arrays, or (as its clients send it) of
 *             objects whose keys are the values: {"label":{"a=b":true}}.
 */
#define CT_LAYER "engine"
#include "engine_internal.h"

#include "cleanup.h"
#include "json.h"
#include "units.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

/* What one match may cost: names are short, and expressions that people write need a few hundred.
 */
#define REGEX_STEPS_MAX 100000
#define REGEX_HEAP_KIB  1024

int filters_each(const json_t *filters, const char *key,
                 int (*fn)(void *context, const char *value), void *context)
{
    const json_t *values = json_object_get(filters, key);
    if (json_is_array(values)) {
        for (size_t i = 0; i < json_array_size(values); i++) {
            const char *text = json_string_value(json_array_get(values, i));
            int result = text ? fn(context, text) : 0;
            if (result) {
                return result;
            }
        }
        return 0;
    }
    const char *text;
    json_t *wanted;
    json_object_foreach((json_t *)values, text, wanted)
    {
        int result = json_is_false(wanted) ? 0 : fn(context, text);
        if (result) {
            return result;
        }
    }
    return 0;
}

int filters_check(const json_t *filters, const char *const *known, struct ct_error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)filters, key, value)
    {
        const char *const *k = known;
        while (*k && strcmp(*k, key) != 0) {
            k++;
        }
        if (!*k) {
            return ct_refuse(err, CT_INVALID, "invalid filter '%s'", key);
        }
    }
    return 0;
}

bool filters_has(const json_t *filters, const char *key)
{
    return ct_json_count(json_object_get(filters, key)) > 0;
}

static int equals(void *context, const char *value)
{
    return strcmp(context, value) == 0;
}

static int has_prefix(void *context, const char *value)
{
    return strncmp(context, value, strlen(value)) == 0;
}

static bool regex_matches(const pcre2_code *code, const char *text)
{
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    bool matched = false;

    if (limits && data) {
        (void)pcre2_set_match_limit(limits, REGEX_STEPS_MAX);
        (void)pcre2_set_heap_limit(limits, REGEX_HEAP_KIB);
        matched =
            pcre2_match(code, (PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, 0, 0, data, limits) >= 0;
    }
    pcre2_match_data_free(data);
    pcre2_match_context_free(limits);
    return matched;
}

/*
 * The expression is a stranger's. The C library's regcomp(3) takes all memory for "(.*+++…" and
 * overruns a thread's stack with 60,000 brackets; PCRE2 has a limit for nesting, size and steps.
 */
static int matches_regex(void *context, const char *value)
{
    int problem;
    PCRE2_SIZE where;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)value, PCRE2_ZERO_TERMINATED,
                                     PCRE2_NEVER_UTF | PCRE2_NEVER_UCP, &problem, &where, NULL);
    bool matched = code && regex_matches(code, context);

    pcre2_code_free(code);
    return matched;
}

bool filters_match(const json_t *filters, const char *key, const char *value)
{
    return !filters_has(filters, key) || filters_each(filters, key, equals, (void *)value);
}

bool filters_match_prefix(const json_t *filters, const char *key, const char *value)
{
    return !filters_has(filters, key) || filters_each(filters, key, has_prefix, (void *)value);
}

bool filters_match_regex(const json_t *filters, const char *key, const char *value)
{
    return !filters_has(filters, key) || filters_each(filters, key, matches_regex, (void *)value);
}

/* "key" asks that the label is there, "key=value" for its value too. */
static int label_holds(const json_t *labels, const char *wanted)
{
    const char *equal_sign = strchr(wanted, '=');
    if (!equal_sign) {
        return json_object_get(labels, wanted) != NULL;
    }
    CT_AUTO_FREE char *key = strndup(wanted, (size_t)(equal_sign - wanted));
    const char *value = key ? json_string_value(json_object_get(labels, key)) : NULL;
    return value && strcmp(value, equal_sign + 1) == 0;
}

static int label_is_missing(void *labels, const char *wanted)
{
    return !label_holds(labels, wanted);
}

static int label_is_there(void *labels, const char *wanted)
{
    return label_holds(labels, wanted);
}

bool filters_match_labels(const json_t *filters, const json_t *labels)
{
    return !filters_each(filters, "label", label_is_missing, (void *)labels) &&
           !filters_each(filters, "label!", label_is_there, (void *)labels);
}

static int take_last(void *context, const char *value)
{
    *(const char **)context = value;
    return 0;
}

int filters_match_until(const json_t *filters, int64_t unix_ns, bool *ret, struct ct_error *err)
{
    const char *until = NULL;
    int64_t until_ns = 0;

    *ret = true;
    (void)filters_each(filters, "until", take_last, &until);
    if (!until) {
        return 0;
    }
    if (ct_time_parse(until, &until_ns, err) < 0) {
        return ct_while(err, "read filter 'until'");
    }
    *ret = unix_ns < until_ns;
    return 0;
}

int filters_bool(const json_t *filters, const char *key, int fallback, struct ct_error *err)
{
    const char *value = NULL;
    (void)filters_each(filters, key, take_last, &value);
    if (!value) {
        return fallback;
    }
    if (strcmp(value, "true") == 0 || strcmp(value, "1") == 0) {
        return 1;
    }
    if (strcmp(value, "false") == 0 || strcmp(value, "0") == 0) {
        return 0;
    }
    return ct_refuse(err, CT_INVALID, "invalid filter '%s=[%s]'", key, value);
}

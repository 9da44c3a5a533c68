/*
 * filter.c - which objects of a list: see filter.h.
 *
 * Room:       containerd.   Called by: its services.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "containerd_internal.h"

#include <ctype.h>
#include <inttypes.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX  16     /* of one selector: "labels.a.b" has three */
#define TEXT_MAX    4096   /* bytes of a filter */
#define MATCH_STEPS 100000 /* of a regular expression: none takes for ever */

enum comparison { PRESENT, EQUAL, NOT_EQUAL, MATCHES };

struct selector {
    char *fields[FIELDS_MAX];
    size_t n_fields;
    enum comparison comparison;
    char *value;
    pcre2_code *regexp;
    bool ends; /* the last of its string: what follows is another way to match */
};

struct filter {
    struct selector *selectors;
    size_t n;
    bool all; /* no filter, or an empty one: everything matches */
};

void filter_free(struct filter *filter)
{
    for (size_t i = 0; filter && i < filter->n; i++) {
        struct selector *selector = &filter->selectors[i];
        for (size_t k = 0; k < selector->n_fields; k++) {
            free(selector->fields[k]);
        }
        free(selector->value);
        pcre2_code_free(selector->regexp);
    }
    if (filter) {
        free(filter->selectors);
        free(filter);
    }
}

/* ---- reading -------------------------------------------------------------------------------- */

/* A text in quotes of its first character, with Go's two escapes that occur. Owned; NULL (err). */
static char *read_quoted(const char **at, struct ct_error *err)
{
    char quote = *(*at)++;
    CT_AUTO_FREE char *out = ct_strdup(*at);
    size_t n = 0;

    while (**at && **at != quote) {
        bool escape = **at == '\\' && ((*at)[1] == quote || (quote == '"' && (*at)[1] == '\\'));
        *at += escape;
        out[n++] = *(*at)++;
    }
    if (**at != quote) {
        return ct_refuse_null(err, CT_INVALID, "a quotation does not end");
    }
    (*at)++;
    out[n] = '\0';
    return ct_steal(out);
}

static int read_fields(struct selector *selector, const char **at, struct ct_error *err)
{
    for (;;) {
        if (selector->n_fields == FIELDS_MAX) {
            return ct_refuse(err, CT_INVALID, "a field has more than %d parts", FIELDS_MAX);
        }
        char *field;
        if (**at == '"') {
            field = read_quoted(at, err);
        } else {
            size_t length = 0;
            while (isalnum((unsigned char)(*at)[length]) || (*at)[length] == '_') {
                length++;
            }
            field = length ? ct_printf("%.*s", (int)length, *at)
                           : ct_refuse_null(err, CT_INVALID, "expected a field at '%.20s'", *at);
            *at += length;
        }
        if (!field) {
            return -1;
        }
        selector->fields[selector->n_fields++] = field;
        if (**at != '.') {
            return 0;
        }
        (*at)++;
    }
}

static int compile(struct selector *selector, struct ct_error *err)
{
    int code;
    PCRE2_SIZE offset;

    selector->regexp =
        pcre2_compile((PCRE2_SPTR)selector->value, PCRE2_ZERO_TERMINATED, 0, &code, &offset, NULL);
    return selector->regexp
               ? 0
               : ct_refuse(err, CT_INVALID, "'%.60s' is no regular expression", selector->value);
}

static int read_selector(struct selector *selector, const char **at, struct ct_error *err)
{
    static const struct {
        char text[3];
        enum comparison comparison;
    } operators[] = {{"==", EQUAL}, {"!=", NOT_EQUAL}, {"~=", MATCHES}};

    if (read_fields(selector, at, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < 3; i++) {
        if (strncmp(*at, operators[i].text, 2) == 0) {
            selector->comparison = operators[i].comparison;
        }
    }
    if (selector->comparison == PRESENT) {
        return 0;
    }
    *at += 2;
    size_t length = strcspn(*at, ",");
    if (**at && strchr("\"/|", **at)) {
        selector->value = read_quoted(at, err);
    } else {
        selector->value = ct_printf("%.*s", (int)length, *at);
        *at += length;
    }
    if (!selector->value) {
        return -1;
    }
    return selector->comparison == MATCHES ? compile(selector, err) : 0;
}

static int read_text(struct filter *filter, const char *text, struct ct_error *err)
{
    const char *at = text;

    filter->all = filter->all || !*text;
    while (*at) {
        struct selector *grown =
            reallocarray(filter->selectors, filter->n + 1, sizeof(*filter->selectors));
        if (!grown) {
            abort();
        }
        filter->selectors = grown;
        struct selector *selector = &grown[filter->n++];
        *selector = (struct selector){0};
        if (read_selector(selector, &at, err) < 0) {
            return -1;
        }
        selector->ends = *at == '\0';
        if (*at == ',' && at[1]) {
            at++;
        } else if (*at) {
            return ct_refuse(err, CT_INVALID, "expected ',' and a field at '%.20s'", at);
        }
    }
    return 0;
}

struct filter *filter_new(char *const *texts, size_t n, struct ct_error *err)
{
    AUTO_FILTER struct filter *filter = calloc(1, sizeof(*filter));

    if (!filter) {
        abort();
    }
    filter->all = n == 0;
    for (size_t i = 0; i < n; i++) {
        if (strlen(texts[i]) > TEXT_MAX) {
            return ct_refuse_null(err, CT_INVALID, "a filter has over %d bytes", TEXT_MAX);
        }
        if (read_text(filter, texts[i], err) < 0) {
            return ct_while_null(err, "read filter '%.100s'", texts[i]);
        }
    }
    return ct_steal(filter);
}

/* ---- the value of a field ------------------------------------------------------------------- */

/* "mediatype" is media_type: filters write names without their underscores, or with them. */
static bool same_name(const char *a, const char *b)
{
    while (*a || *b) {
        a += *a == '_';
        b += *b == '_';
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b)) {
            return false;
        }
        a += *a != '\0';
        b += *b != '\0';
    }
    return true;
}

static const ProtobufCFieldDescriptor *field_of(const ProtobufCMessage *message, const char *name)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        if (same_name(message->descriptor->fields[i].name, name)) {
            return &message->descriptor->fields[i];
        }
    }
    return NULL;
}

static char *join_fields(char *const *fields, size_t n)
{
    char *text = ct_strdup(n ? fields[0] : "");

    for (size_t i = 1; i < n; i++) {
        char *longer = ct_printf("%s.%s", text, fields[i]);
        free(text);
        text = longer;
    }
    return text;
}

/* The value of a map under the name that the rest of the fields makes. Owned; NULL: not there. */
static char *value_in_map(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                          char *const *fields, size_t n_fields)
{
    const uint8_t *base = (const uint8_t *)message;
    size_t n = *(const size_t *)(const void *)(base + field->quantifier_offset);
    struct map_entry *const *entries =
        *(struct map_entry *const *const *)(const void *)(base + field->offset);
    CT_AUTO_FREE char *name = join_fields(fields, n_fields);
    const ProtobufCMessageDescriptor *type = field->descriptor;

    if (field->type != PROTOBUF_C_TYPE_MESSAGE || type->n_fields != 2 ||
        strcmp(type->fields[0].name, "key") != 0 ||
        type->fields[1].type != PROTOBUF_C_TYPE_STRING) {
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        if (strcmp(entries[i]->key, name) == 0) {
            return ct_strdup(entries[i]->value);
        }
    }
    return NULL;
}

static char *plain_value(const ProtobufCFieldDescriptor *field, const void *value)
{
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        return ct_strdup(*(char *const *)value);
    }
    if (field->type == PROTOBUF_C_TYPE_INT64) {
        return ct_printf("%" PRId64, *(const int64_t *)value);
    }
    if (field->type == PROTOBUF_C_TYPE_UINT32) {
        return ct_printf("%" PRIu32, *(const uint32_t *)value);
    }
    if (field->type != PROTOBUF_C_TYPE_ENUM) {
        return NULL; /* times, bytes: no filter compares them */
    }
    const ProtobufCEnumValue *named =
        protobuf_c_enum_descriptor_get_value(field->descriptor, *(const int *)value);
    char *text = ct_strdup(named ? named->name : "");
    for (char *c = text; *c; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
    return text;
}

/* Owned; NULL: there is none. */
static char *value_of(const ProtobufCMessage *message, char *const *fields, size_t n)
{
    const ProtobufCFieldDescriptor *field = n && message ? field_of(message, fields[0]) : NULL;

    if (!field) {
        return NULL;
    }
    const void *value = (const uint8_t *)message + field->offset;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        return value_in_map(message, field, fields + 1, n - 1);
    }
    if (n == 1) {
        return plain_value(field, value);
    }
    if (field->type != PROTOBUF_C_TYPE_MESSAGE) {
        return NULL;
    }
    const ProtobufCMessage *inner = *(ProtobufCMessage *const *)value;
    if (!inner || field->descriptor != &google__protobuf__any__descriptor) {
        return value_of(inner, fields + 1, n - 1);
    }
    ProtobufCMessage *event = event_unpack((const Google__Protobuf__Any *)(const void *)inner);
    char *result = value_of(event, fields + 1, n - 1);
    if (event) {
        protobuf_c_message_free_unpacked(event, NULL);
    }
    return result;
}

/* ---- matching ------------------------------------------------------------------------------- */

static bool regexp_matches(const pcre2_code *regexp, const char *text)
{
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(regexp, NULL);
    pcre2_match_context *limits = pcre2_match_context_create(NULL);

    (void)pcre2_set_match_limit(limits, MATCH_STEPS);
    int found = pcre2_match(regexp, (PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, 0, 0, data, limits);
    pcre2_match_context_free(limits);
    pcre2_match_data_free(data);
    return found >= 0;
}

static bool selector_matches(const struct selector *selector, const ProtobufCMessage *message)
{
    CT_AUTO_FREE char *value = value_of(message, selector->fields, selector->n_fields);
    const char *text = value ? value : "";

    switch (selector->comparison) {
    case PRESENT:
        return *text != '\0';
    case EQUAL:
        return value && strcmp(text, selector->value) == 0;
    case NOT_EQUAL:
        return strcmp(text, selector->value) != 0;
    case MATCHES:
        return value && regexp_matches(selector->regexp, text);
    }
    return false;
}

bool filter_matches(const struct filter *filter, const ProtobufCMessage *message)
{
    bool all = true;

    for (size_t i = 0; i < filter->n && !filter->all; i++) {
        all = all && selector_matches(&filter->selectors[i], message);
        if (filter->selectors[i].ends) {
            if (all) {
                return true;
            }
            all = true;
        }
    }
    return filter->all;
}

/*
 * reference.c - image names as Docker reads and shortens them.
 *
 * Room:       images.
 * Called by:  engine (through images.h), index.c.
 * Spec:       distribution/reference: grammar in reference.go, defaults in normalize.go.
 *
 *   reference := name [ ":" tag ] [ "@" digest ]
 *   name      := [ domain "/" ] component { "/" component }
 *   component := alphanumeric { ( "." | "_" | "__" | "-"+ ) alphanumeric }
 *   tag       := [A-Za-z0-9_] [A-Za-z0-9_.-]{0,127}
 */
#include "images_internal.h"

#include "path.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define NAME_MAX_LENGTH 255
#define TAG_MAX_LENGTH  128

static const char default_domain[] = "docker.io";
static const char official[] = "library/";

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* One path component; the scanners return what follows, or NULL when the text does not fit. */
static const char *scan_component(const char *at)
{
    if (!is_lower_alnum(*at)) {
        return NULL;
    }
    for (;;) {
        while (is_lower_alnum(*at)) {
            at++;
        }
        const char *separator = at;
        if (*at == '.') {
            at++;
        } else if (*at == '_') {
            at += at[1] == '_' ? 2 : 1;
        } else {
            at += strspn(at, "-");
        }
        if (at == separator) {
            return at;
        }
        if (!is_lower_alnum(*at)) {
            return NULL;
        }
    }
}

static const char *scan_path(const char *at)
{
    for (;;) {
        at = scan_component(at);
        if (!at || *at != '/') {
            return at;
        }
        at++;
    }
}

/* "example.com:5000", "localhost", "[::1]:5000"; all of it has to fit. */
static bool is_domain(const char *text, size_t length)
{
    size_t at = 0;

    if (length > 0 && text[0] == '[') {
        at = 1 + strspn(text + 1, "0123456789abcdefABCDEF:");
        if (at == 1 || text[at++] != ']') {
            return false;
        }
    } else {
        for (;; at++) { /* components between dots, each without a hyphen at its ends */
            size_t start = at;
            while (at < length && (is_alnum(text[at]) || text[at] == '-')) {
                at++;
            }
            if (at == start || text[start] == '-' || text[at - 1] == '-') {
                return false;
            }
            if (at >= length || text[at] != '.') {
                break;
            }
        }
    }
    if (at < length && text[at] == ':') {
        size_t digits = strspn(text + at + 1, "0123456789");
        return digits > 0 && at + 1 + digits == length;
    }
    return at == length;
}

static const char *scan_tag(const char *at)
{
    size_t n = 0;

    while (is_alnum(at[n]) || at[n] == '_' || (n > 0 && (at[n] == '.' || at[n] == '-'))) {
        n++;
    }
    return n == 0 || n > TAG_MAX_LENGTH ? NULL : at + n;
}

struct parts {
    const char *tag; /* after ':', borrowed from the text that was parsed; NULL: none */
    size_t tag_length;
    const char *digest; /* after '@' */
    size_t name_length;
};

/* domain/path[:tag][@digest] */
static int parse(const char *text, struct parts *ret, struct ct_error *err)
{
    static const char wrong[] = "invalid reference format";
    size_t domain = strcspn(text, "/");
    const char *at =
        is_domain(text, domain) && text[domain] == '/' ? scan_path(text + domain + 1) : NULL;

    if (!at) {
        return ct_refuse(err, CT_INVALID, wrong);
    }
    *ret = (struct parts){.name_length = (size_t)(at - text)};
    if (*at == ':') {
        ret->tag = at + 1;
        at = scan_tag(ret->tag);
        if (!at) {
            return ct_refuse(err, CT_INVALID, wrong);
        }
        ret->tag_length = (size_t)(at - ret->tag);
    }
    if (*at == '@') {
        ret->digest = at + 1;
        if (!digest_is_valid(ret->digest)) {
            return ct_refuse(err, CT_INVALID, wrong);
        }
    } else if (*at != '\0') {
        return ct_refuse(err, CT_INVALID, wrong);
    }
    if (ret->name_length > NAME_MAX_LENGTH) {
        return ct_refuse(err, CT_INVALID, "repository name must not be more than %d characters",
                         NAME_MAX_LENGTH);
    }
    return 0;
}

static bool has_upper(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] >= 'A' && text[i] <= 'Z') {
            return true;
        }
    }
    return false;
}

/* Whether the text before the first '/' is a registry's address and not part of a name. */
static bool begins_with_domain(const char *reference)
{
    size_t n = strcspn(reference, "/");

    if (reference[n] != '/') {
        return false;
    }
    return memchr(reference, '.', n) || memchr(reference, ':', n) || has_upper(reference, n) ||
           (n == 9 && strncmp(reference, "localhost", n) == 0);
}

static bool is_identifier(const char *text)
{
    return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

/* Gives a reference its domain and "library/". Owned. */
static char *expand(const char *reference)
{
    const char *rest = reference;
    CT_AUTO_FREE char *domain = NULL;

    if (begins_with_domain(reference)) {
        size_t n = strcspn(reference, "/");
        domain = ct_printf("%.*s", (int)n, reference);
        rest = reference + n + 1;
    }
    if (!domain || strcmp(domain, "index.docker.io") == 0) {
        free(domain);
        domain = ct_strdup(default_domain);
    }
    bool is_official = strcmp(domain, default_domain) == 0 && !strchr(rest, '/');
    return ct_printf("%s/%s%s", domain, is_official ? official : "", rest);
}

char *image_ref_normalize(const char *reference, struct ct_error *err)
{
    struct parts parts;

    if (strlen(reference) > 1024) { /* longer than name, tag and digest can be together */
        return ct_refuse_null(err, CT_INVALID, "invalid reference format");
    }
    if (is_identifier(reference)) {
        return ct_refuse_null(
            err, CT_INVALID,
            "invalid repository name (%s), cannot specify 64-byte hexadecimal strings", reference);
    }
    CT_AUTO_FREE char *full = expand(reference);
    const char *remote = strchr(full, '/') + 1;
    size_t length = strcspn(remote, ":");
    if (has_upper(remote, length)) {
        return ct_refuse_null(err, CT_INVALID,
                              "invalid reference format: repository name (%.*s) must be lowercase",
                              (int)length, remote);
    }
    if (parse(full, &parts, err) < 0) {
        return NULL;
    }
    return parts.tag || parts.digest ? ct_steal(full) : ct_printf("%s:latest", full);
}

/* Whether a name without docker.io/ still means the same: not "docker.io/example.com/x" (that is
 * another registry), nor 64 hex digits (that is an id). */
static bool may_be_shortened(const char *rest)
{
    size_t n = strcspn(rest, ":@");

    return !begins_with_domain(rest) && !(n == 64 && strspn(rest, "0123456789abcdef") >= n);
}

char *image_ref_familiar(const char *full, bool drop_latest)
{
    size_t domain = strlen(default_domain);

    if (strncmp(full, default_domain, domain) == 0 && full[domain] == '/') {
        const char *rest = full + domain + 1;
        bool is_official =
            strncmp(rest, official, strlen(official)) == 0 && !strchr(rest + strlen(official), '/');
        rest += is_official ? strlen(official) : 0;
        full = may_be_shortened(rest) ? rest : full;
    }
    size_t length = strlen(full);
    if (drop_latest && length > 7 && strcmp(full + length - 7, ":latest") == 0) {
        length -= 7;
    }
    return ct_printf("%.*s", (int)length, full);
}

int image_ref_split(const char *reference, char **ret_repository, char **ret_tag,
                    struct ct_error *err)
{
    CT_AUTO_FREE char *full = image_ref_normalize(reference, err);
    struct parts parts;

    if (!full || parse(full, &parts, err) < 0) {
        return -1;
    }
    CT_AUTO_FREE char *name = ct_printf("%.*s", (int)parts.name_length, full);
    *ret_repository = image_ref_familiar(name, false);
    *ret_tag = parts.tag ? ct_printf("%.*s", (int)parts.tag_length, parts.tag)
                         : ct_strdup("<none>"); /* a digest names no tag */
    return 0;
}

/*
 * rest.c - endpoints by constant and by path, errors as bodies.
 *
 * Room:       rest.   Called by: client, daemon.
 */
#define CT_LAYER "rest"
#include "rest.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *method, *path;
} endpoints[] = {
#define ENDPOINT(symbol, method, path, handler) {method, path},
#include "endpoints.def"
};

const char *rest_method(enum rest_endpoint endpoint)
{
    return endpoints[endpoint].method;
}

const char *rest_path(enum rest_endpoint endpoint)
{
    return endpoints[endpoint].path;
}

/* ---- paths ---------------------------------------------------------------------------------- */

bool rest_match(const char *pattern, const char *path, char **ret_name)
{
    const char *hole = strstr(pattern, "{}");

    *ret_name = NULL;
    if (!hole) {
        return strcmp(pattern, path) == 0;
    }
    size_t before = (size_t)(hole - pattern);
    size_t after = strlen(hole + 2);
    size_t length = strlen(path);
    if (length <= before + after || strncmp(path, pattern, before) != 0 ||
        strcmp(path + length - after, hole + 2) != 0) {
        return false;
    }
    size_t name_length = length - before - after;
    bool slashes =
        strncmp(pattern, "/images/", 8) == 0 || strncmp(pattern, "/distribution/", 14) == 0;
    if (!slashes && memchr(path + before, '/', name_length)) {
        return false;
    }
    *ret_name = ct_printf("%.*s", (int)name_length, path + before);
    return true;
}

/* ---- errors --------------------------------------------------------------------------------- */

/*
 * Docker's client finds the exit code of `run` in the words of the message: 127 for these, 126 for
 * those. Ours says why in its own words; what the client looks for is added where it is missing.
 */
static const char *docker_words(const struct ct_error *err, const char *line)
{
    if (err->kind == CT_NO_PROGRAM && !strstr(line, "no such file or directory")) {
        return ": executable file not found";
    }
    if (err->kind == CT_CANNOT_RUN && !strstr(line, "permission denied")) {
        return ": permission denied or not executable";
    }
    return "";
}

/* And the Python SDK tells a missing image from other things by the capital letter. */
static void docker_capitals(char *line)
{
    char *image = strstr(line, "no such image");
    char *container = strstr(line, "no such container");
    if (image) {
        *image = 'N';
    }
    if (container) {
        *container = 'N';
    }
}

json_t *rest_error_body(const struct ct_error *err)
{
    char line[2048];

    (void)ct_error_render(err, line, sizeof(line));
    CT_AUTO_FREE char *message = ct_printf("%s%s", line, docker_words(err, line));
    docker_capitals(message);
    json_t *body = json_object();
    ct_json_set(body, "message", ct_json_string_lossy(message, strlen(message)));
    ct_json_set(body, "cutaway", ct_error_to_json(err));
    return body;
}

/* What a status means when nobody says more. */
static enum ct_kind kind_of_status(unsigned status, const char *message)
{
    switch (status) {
    case 304:
        return CT_UNCHANGED;
    case 400:
        return strstr(message, "executable file not found") ||
                       strstr(message, "no such file or directory")
                   ? CT_NO_PROGRAM
               : strstr(message, "permission denied") ? CT_CANNOT_RUN
                                                      : CT_INVALID;
    case 401:
    case 403:
        return CT_DENIED;
    case 404:
        return CT_NOT_FOUND;
    case 409:
        return strstr(message, "already in use") || strstr(message, "already exists") ? CT_EXISTS
                                                                                      : CT_CONFLICT;
    case 501:
        return CT_UNSUPPORTED;
    default:
        return CT_SYSTEM;
    }
}

void rest_error_read(unsigned status, const char *body, size_t length, struct ct_error *err)
{
    struct ct_error malformed = {0};
    CT_AUTO_JSON json_t *document = length ? ct_json_parse(body, length, &malformed) : NULL;
    const json_t *chain = json_object_get(document, "cutaway");

    if (chain && ct_error_from_json(chain, err) == 0) {
        return;
    }
    ct_error_clear(err);
    CT_AUTO_FREE char *text =
        ct_printf("%.*s", (int)(length < 400 ? length : 400), length ? body : "");
    const char *message = /* an answer's body, or a line of a stream */
        ct_json_string(document, "message", ct_json_string(document, "error", text));
    (void)ct_error_set(err, "dockerd", kind_of_status(status, message), 0, "%s",
                       *message ? message : ct_kind_name(kind_of_status(status, "")));
}

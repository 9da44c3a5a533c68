/*
 * route.c - from method and path to the endpoint, once for all handlers.
 *
 * Room:       daemon.   Called by: server.c.
 * Spec:       Docker Engine API: "/v1.NN" in front of the path is optional.
 */
#define CT_LAYER "daemon"
#include "daemon_internal.h"

#include "cleanup.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *method, *path;
    rest_handler handler;
} routes[] = {
#define ENDPOINT(symbol, method, path, handler) {method, path, handler},
#include "endpoints.def"
};

static const struct {
    const char *method, *path, *what, *comes_with;
} refused[] = {
#define REFUSED(method, path, what, comes_with) {method, path, what, comes_with},
#include "endpoints.def"
};

/* Takes "/v1.NN" off the path. Other text that looks alike is part of the path. */
static int read_version(const char **path, unsigned *ret, struct ct_error *err)
{
    unsigned minor = 0;
    int used = 0;

    *ret = REST_VERSION_MAX;
    if (strncmp(*path, "/v1.", 4) != 0 || sscanf(*path, "/v1.%3u%n", &minor, &used) != 1 ||
        (*path)[used] != '/') {
        return 0;
    }
    if (minor > REST_VERSION_MAX) {
        return ct_refuse(err, CT_INVALID,
                         "client version 1.%u is too new. Maximum supported API version is 1.%d",
                         minor, REST_VERSION_MAX);
    }
    if (minor < REST_VERSION_MIN) {
        return ct_refuse(
            err, CT_INVALID,
            "client version 1.%u is too old. Minimum supported API version is 1.%d, please upgrade "
            "your client to a newer version",
            minor, REST_VERSION_MIN);
    }
    *path += used;
    *ret = minor;
    return 0;
}

static int refuse_known(const char *method, const char *path, struct ct_error *err)
{
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        CT_AUTO_FREE char *name = NULL;
        if (strcmp(method, refused[i].method) == 0 && rest_match(refused[i].path, path, &name)) {
            return ct_refuse(err, CT_UNSUPPORTED, "%s: it is not in %s, it comes with %s",
                             refused[i].what, engine_stage(), refused[i].comes_with);
        }
    }
    return ct_refuse(err, CT_NOT_FOUND, "page not found");
}

int route_find(const char *method, const char *path, struct rest_request *request,
               struct ct_error *err)
{
    if (read_version(&path, &request->version, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (strcmp(method, routes[i].method) == 0 &&
            rest_match(routes[i].path, path, &request->name)) {
            request->endpoint = (enum rest_endpoint)i;
            return 0;
        }
    }
    return refuse_known(method, path, err);
}

rest_handler route_handler(enum rest_endpoint endpoint)
{
    return routes[endpoint].handler;
}

bool route_takes_upload(const struct rest_request *request)
{
    return request->endpoint == REST_CONTAINER_ARCHIVE_PUT ||
           request->endpoint == REST_IMAGE_LOAD || request->endpoint == REST_IMAGE_CREATE;
}

/*
 * host.c - where a daemon listens, as text: "unix:///run/x.sock", "tcp://127.0.0.1:2375".
 *
 * Room:       rest.   Called by: client, daemon.
 * Man:        unix(7): a socket's path has at most 107 bytes.
 */
#define CT_LAYER "rest"
#include "rest.h"

#include "cleanup.h"
#include "path.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define UNIX_PATH_MAX_BYTES (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

static int parse_unix(const char *path, struct rest_host *ret, struct ct_error *err)
{
    if (path[0] != '/') {
        return ct_refuse(err, CT_INVALID, "read the host 'unix://%.60s': the path must be absolute",
                         path);
    }
    if (strlen(path) > UNIX_PATH_MAX_BYTES) {
        (void)ct_refuse(err, CT_INVALID, "read the host 'unix://%.60s…': the path has %zu bytes",
                        path, strlen(path));
        return ct_hint(err, "a socket's path has at most %zu; choose a shorter --run or -H",
                       UNIX_PATH_MAX_BYTES);
    }
    *ret = (struct rest_host){.is_unix = true, .path = ct_strdup(path)};
    return 0;
}

/* "name:port", "[::1]:port". The port has no default: 2375 or 2376 is a question of TLS. */
static int parse_tcp(const char *text, struct rest_host *ret, struct ct_error *err)
{
    const char *colon = strrchr(text, ':');
    char *end = NULL;
    long port = colon ? strtol(colon + 1, &end, 10) : 0;

    if (!colon || colon == text || *end || end == colon + 1 || port < 1 || port > 65535) {
        (void)ct_refuse(err, CT_INVALID, "read the host 'tcp://%.60s'", text);
        return ct_hint(err, "write tcp://NAME:PORT");
    }
    bool brackets = text[0] == '[' && colon[-1] == ']';
    *ret = (struct rest_host){.port = (unsigned)port,
                              .name = ct_printf("%.*s", (int)(colon - text - (brackets ? 2 : 0)),
                                                text + (brackets ? 1 : 0))};
    return 0;
}

int rest_host_parse(const char *text, struct rest_host *ret, struct ct_error *err)
{
    if (strncmp(text, "unix://", 7) == 0) {
        return parse_unix(text + 7, ret, err);
    }
    if (strncmp(text, "tcp://", 6) == 0) {
        return parse_tcp(text + 6, ret, err);
    }
    (void)ct_refuse(err, CT_INVALID, "read the host '%.60s'", text);
    return ct_hint(err, "write unix:///PATH or tcp://NAME:PORT");
}

void rest_host_done(struct rest_host *host)
{
    free(host->path);
    free(host->name);
    *host = (struct rest_host){0};
}

bool rest_host_is_loopback(const struct rest_host *host)
{
    struct in_addr address;
    return strcmp(host->name, "localhost") == 0 || strcmp(host->name, "::1") == 0 ||
           (inet_pton(AF_INET, host->name, &address) == 1 && (ntohl(address.s_addr) >> 24) == 127);
}

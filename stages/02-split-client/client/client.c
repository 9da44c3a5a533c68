/*
 * client.c - the handle of an engine that is somewhere else: where, over what, in which version.
 *
 * Room:       client.
 * Called by:  cli.
 * Spec:       Docker Engine API 1.43, "Ping": the header Api-Version. The environment variables are
 *             Docker's with another prefix: CUTAWAY_HOST, CUTAWAY_CERT_PATH.
 */
#define CT_LAYER "client"
#include "client_internal.h"

#include "cleanup.h"
#include "path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *engine_stage(void)
{
    return CLIENT_STAGE;
}

/* An option, else the variable, else NULL. */
static const char *choose(const char *given, const char *variable)
{
    const char *from_environment = getenv(variable);
    if (given && *given) {
        return given;
    }
    return from_environment && *from_environment ? from_environment : NULL;
}

static char *choose_host(const struct engine_options *options)
{
    const char *host = choose(options->host, "CUTAWAY_HOST");
    const char *run = choose(options->run, "CUTAWAY_RUN");
    return host ? ct_strdup(host)
                : ct_printf("unix://%s/%s", run ? run : "/run/cutaway", REST_SOCKET);
}

/* A file that was named, else the one of this name in CUTAWAY_CERT_PATH, else none. Owned. */
static char *choose_file(const char *given, const char *name)
{
    const char *dir = choose(NULL, "CUTAWAY_CERT_PATH");
    if (given && *given) {
        return ct_strdup(given);
    }
    CT_AUTO_FREE char *path = dir ? ct_join(dir, name) : NULL;
    return path && access(path, R_OK) == 0 ? ct_steal(path) : NULL;
}

static void choose_tls(const struct engine_options *options, struct engine *engine)
{
    engine->tls = (struct tls_files){.ca = choose_file(options->tls_ca, "ca.pem"),
                                     .cert = choose_file(options->tls_cert, "cert.pem"),
                                     .key = choose_file(options->tls_key, "key.pem")};
    engine->has_tls = engine->tls.ca || engine->tls.cert || engine->tls.key;
}

/* What is sent over a network, others read and change: only TLS, or a host that is this one. */
static int check_host(const struct engine *engine, struct ct_error *err)
{
    const struct rest_host *host = &engine->host;
    if (host->is_unix || engine->has_tls || rest_host_is_loopback(host)) {
        return 0;
    }
    (void)ct_refuse(err, CT_INVALID, "talk to '%.100s' without TLS", engine->name);
    return ct_hint(err, "give --tlscacert, --tlscert and --tlskey, or CUTAWAY_CERT_PATH");
}

/* ---- version -------------------------------------------------------------------------------- */

/* "1.41" -> 41; 0: no such header. */
static unsigned read_version(CURL *curl)
{
    struct curl_header *header = NULL;
    if (curl_easy_header(curl, "Api-Version", 0, CURLH_HEADER, -1, &header) != CURLHE_OK ||
        strncmp(header->value, "1.", 2) != 0) {
        return 0;
    }
    return (unsigned)strtoul(header->value + 2, NULL, 10);
}

static int negotiate(struct engine *engine, struct ct_error *err)
{
    struct call call = call_new(engine, REST_PING, NULL); /* not HEAD: a refusal has a reason */
    struct call_streams nothing = {.in_fd = -1, .cancel_fd = -1};
    if (call_stream(&call, &nothing, err) < 0) {
        return -1;
    }
    unsigned theirs = read_version(engine->channel.curl);
    if (theirs < REST_VERSION_MIN) {
        (void)ct_refuse(err, CT_UNSUPPORTED, "talk to '%.100s': it speaks version 1.%u",
                        engine->name, theirs);
        return ct_hint(err, "this client needs at least 1.%d", REST_VERSION_MIN);
    }
    engine->version = theirs < REST_VERSION_MAX ? theirs : REST_VERSION_MAX;
    return 0;
}

/* ---- the handle ---------------------------------------------------------------------------------
 */

struct engine *engine_open(const struct engine_options *options, struct ct_error *err)
{
    if (options->root) {
        (void)ct_refuse(err, CT_INVALID, "open '%.100s': where state lasts is the daemon's choice",
                        options->root);
        (void)ct_hint(err, "cutawayd --root DIR; the client takes -H or --run");
        return NULL;
    }
    struct engine *engine = calloc(1, sizeof(*engine));
    if (!engine || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(engine);
        return ct_fail_null(err, ENOMEM, "open the engine");
    }
    engine->name = choose_host(options);
    choose_tls(options, engine);
    if (rest_host_parse(engine->name, &engine->host, err) < 0 || check_host(engine, err) < 0) {
        engine_close(engine);
        return NULL;
    }
    if (channel_open(&engine->channel, err) < 0 || negotiate(engine, err) < 0) {
        engine_close(engine);
        return NULL;
    }
    return engine;
}

void engine_close(struct engine *engine)
{
    if (!engine) {
        return;
    }
    channel_close(&engine->channel);
    rest_host_done(&engine->host);
    free(engine->tls.ca);
    free(engine->tls.cert);
    free(engine->tls.key);
    free(engine->name);
    free(engine);
    curl_global_cleanup();
}

/*
 * upstream.c - asks the name servers of the world what we do not know.
 *
 * Room:       monitor.   Called by: dns.c.
 * Man:        resolv.conf(5).
 *
 * Each query has a socket of its own, connected to the server: the kernel chooses a port that
 * nobody can guess, and drops what comes from elsewhere. Its number is chosen anew, too (RFC 5452).
 */
#define CT_LAYER "monitor"
#include "upstream.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUERIES_MAX  128
#define SERVERS_MAX  4
#define PATIENCE_NS  2000000000LL /* for one server */
#define MESSAGE_MAX  65535
#define LENGTH_BYTES 2 /* in front of a message over TCP */
#define ID_BYTES     2 /* a message begins with its number */

struct upstream {
    struct loop *loop;
    json_t *servers; /* HostConfig.Dns */
    struct query *queries;
    size_t n_queries;
};

struct query {
    struct upstream *upstream;
    struct query *next;
    struct sockaddr_in6 servers[SERVERS_MAX]; /* IPv4 ones mapped */
    size_t n_servers, server;
    bool tcp;
    int fd;
    struct loop_source *source;
    struct loop_timer patience;
    unsigned char *message; /* with the length in front; its number is ours */
    size_t length;          /* of the message alone */
    size_t sent;
    unsigned char asker_id[ID_BYTES];
    unsigned char *answer; /* what has come of it */
    size_t received;
    upstream_fn done;
    void *context;
};

static void try_server(struct query *query);

/* ---- servers -------------------------------------------------------------------------------- */

static bool parse_server(const char *text, struct sockaddr_in6 *ret)
{
    CT_AUTO_FREE char *mapped = strchr(text, ':') ? ct_strdup(text) : ct_printf("::ffff:%s", text);
    *ret = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(NS_DEFAULTPORT)};
    return inet_pton(AF_INET6, mapped, &ret->sin6_addr) == 1;
}

/* Read for each query: the host may have moved to another network. */
static size_t host_servers(struct sockaddr_in6 ret[static SERVERS_MAX])
{
    CT_AUTO_FILE FILE *file = fopen("/etc/resolv.conf", "re");
    char line[256], server[64];
    size_t n = 0;

    while (file && n < SERVERS_MAX && fgets(line, sizeof(line), file)) {
        if (sscanf(line, "nameserver %63s", server) == 1 && parse_server(server, &ret[n])) {
            n++;
        }
    }
    return n;
}

static size_t find_servers(const json_t *own, struct sockaddr_in6 ret[static SERVERS_MAX])
{
    size_t n = 0, i;
    json_t *server;

    if (ct_json_count(own) == 0) {
        return host_servers(ret);
    }
    json_array_foreach((json_t *)own, i, server)
    {
        if (n < SERVERS_MAX && parse_server(json_string_value(server), &ret[n])) {
            n++;
        }
    }
    return n;
}

/* ---- one query ------------------------------------------------------------------------------ */

static void hang_up(struct query *query)
{
    loop_unwatch(query->source);
    query->source = NULL;
    loop_disarm(&query->patience);
    ct_cleanup_close(&query->fd);
    query->fd = -1;
    query->sent = query->received = 0;
}

static void forget(struct query *query)
{
    struct upstream *upstream = query->upstream;
    struct query **slot = &upstream->queries;

    while (*slot != query) {
        slot = &(*slot)->next;
    }
    *slot = query->next;
    upstream->n_queries--;
    hang_up(query);
    free(query->message);
    free(query->answer);
    free(query);
}

/* answer NULL: nobody knows. */
static void finish(struct query *query, unsigned char *answer, size_t length)
{
    if (answer) {
        memcpy(answer, query->asker_id, ID_BYTES);
    }
    query->done(query->context, answer, length);
    forget(query);
}

static void next_server(void *context)
{
    struct query *query = context;

    hang_up(query);
    if (++query->server < query->n_servers) {
        try_server(query);
    } else {
        finish(query, NULL, 0);
    }
}

static bool is_answer(const struct query *query, const unsigned char *answer, size_t length)
{
    return length >= NS_HFIXEDSZ && (answer[2] & 0x80) &&
           memcmp(answer, query->message + LENGTH_BYTES, ID_BYTES) == 0;
}

static void receive_datagram(struct query *query)
{
    ssize_t n = recv(query->fd, query->answer, MESSAGE_MAX, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n < 0) { /* nobody listens there */
        next_server(query);
    } else if (is_answer(query, query->answer, (size_t)n)) {
        finish(query, query->answer, (size_t)n);
    } /* else: not meant for us; the right one may still come */
}

static void receive_stream(struct query *query)
{
    ssize_t n = recv(query->fd, query->answer + query->received,
                     MESSAGE_MAX + LENGTH_BYTES - query->received, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    query->received += n > 0 ? (size_t)n : 0;
    size_t wanted = query->received >= LENGTH_BYTES ? ns_get16(query->answer) : MESSAGE_MAX;
    if (query->received >= LENGTH_BYTES + wanted &&
        is_answer(query, query->answer + LENGTH_BYTES, wanted)) {
        finish(query, query->answer + LENGTH_BYTES, wanted);
    } else if (n <= 0 || query->received >= LENGTH_BYTES + wanted) {
        next_server(query);
    }
}

static void send_rest(struct query *query)
{
    size_t skipped = query->tcp ? 0 : LENGTH_BYTES;
    size_t whole = query->length + LENGTH_BYTES - skipped;
    ssize_t n = send(query->fd, query->message + skipped + query->sent, whole - query->sent,
                     MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        next_server(query);
        return;
    }
    query->sent += n > 0 ? (size_t)n : 0;
    if (query->sent == whole) {
        loop_change(query->source, EPOLLIN);
    }
}

static void on_ready(void *context, uint32_t events)
{
    struct query *query = context;

    if (events & EPOLLIN) {
        query->tcp ? receive_stream(query) : receive_datagram(query);
    } else if (events & EPOLLOUT) {
        send_rest(query);
    } else {
        next_server(query);
    }
}

static void try_server(struct query *query)
{
    const struct sockaddr_in6 *server = &query->servers[query->server];
    struct ct_error err = {0}; /* the next one is asked: nothing to tell */
    int type = (query->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;

    loop_arm(query->upstream->loop, &query->patience, PATIENCE_NS, next_server, query);
    query->fd = socket(AF_INET6, type, 0);
    if (query->fd < 0 ||
        (connect(query->fd, (const struct sockaddr *)server, sizeof(*server)) < 0 &&
         errno != EINPROGRESS)) {
        return; /* patience ends it: done() is never called from within upstream_ask() */
    }
    query->source = loop_watch(query->upstream->loop, query->fd, EPOLLOUT, on_ready, query, &err);
}

/* ---- the door ------------------------------------------------------------------------------- */

struct upstream *upstream_new(struct loop *loop, const json_t *host_config)
{
    struct upstream *upstream = calloc(1, sizeof(*upstream));
    if (upstream) {
        *upstream = (struct upstream){.loop = loop,
                                      .servers = json_incref(json_object_get(host_config, "Dns"))};
    }
    return upstream;
}

void upstream_free(struct upstream *upstream)
{
    while (upstream && upstream->queries) {
        finish(upstream->queries, NULL, 0);
    }
    if (upstream) {
        json_decref(upstream->servers);
    }
    free(upstream);
}

bool upstream_ask(struct upstream *upstream, const unsigned char *query, size_t length, bool tcp,
                  upstream_fn done, void *context)
{
    struct query *made = calloc(1, sizeof(*made));
    if (!made || upstream->n_queries >= QUERIES_MAX || length < NS_HFIXEDSZ ||
        length > MESSAGE_MAX) {
        free(made);
        return false;
    }
    *made = (struct query){.upstream = upstream,
                           .next = upstream->queries,
                           .tcp = tcp,
                           .fd = -1,
                           .message = malloc(LENGTH_BYTES + length),
                           .answer = malloc(MESSAGE_MAX + LENGTH_BYTES),
                           .length = length,
                           .done = done,
                           .context = context};
    upstream->queries = made;
    upstream->n_queries++;
    made->n_servers = find_servers(upstream->servers, made->servers);
    if (!made->message || !made->answer || made->n_servers == 0) {
        forget(made);
        return false;
    }
    ns_put16((unsigned)length, made->message);
    memcpy(made->message + LENGTH_BYTES, query, length);
    memcpy(made->asker_id, query, ID_BYTES);
    (void)!getrandom(made->message + LENGTH_BYTES, ID_BYTES, 0);
    try_server(made);
    return true;
}

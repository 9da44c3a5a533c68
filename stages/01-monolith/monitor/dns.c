/*
 * dns.c - the resolver in a container's network namespace: takes queries, gives answers.
 *
 * Room:       monitor.   Called by: run.c.
 * Spec:       RFC 1035, 4.2 (UDP and TCP). What is answered decides networks/resolver.c; what is
 * not ours goes to upstream.c, from the host's namespace, so that a resolver on the host's own
 *             loopback can be asked, too. From a container that is on internal networks alone
 * nothing goes out (CVE-2024-29018).
 */
#define CT_LAYER "monitor"
#include "dns.h"

#include "networks.h"
#include "upstream.h"

#include "cleanup.h"
#include "json.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STREAMS_MAX      32
#define STREAM_IDLE_NS   10000000000LL
#define LENGTH_BYTES     2
#define STREAM_QUERY_MAX 4096 /* bytes: a question is at most 272 and some options */

struct dns {
    struct loop *loop;
    struct network_store *store;
    json_t *endpoints;
    bool goes_out; /* some network is not internal */
    struct upstream *upstream;
    int udp_fd, tcp_fd;
    struct loop_source *udp, *tcp;
    struct stream *streams;
    size_t n_streams;
};

/* A TCP connection. Answers of others may still be under way when it is closed. */
struct stream {
    struct dns *dns;
    struct stream *next;
    int fd; /* -1: closed */
    struct loop_source *source;
    struct loop_timer idle;
    unsigned char buffer[LENGTH_BYTES + STREAM_QUERY_MAX];
    size_t have;
    size_t under_way;
};

/* A datagram that waits for somebody else's answer. */
struct datagram {
    struct dns *dns;
    struct sockaddr_in asker;
    size_t length;
    unsigned char query[];
};

/* ---- one query ------------------------------------------------------------------------------ */

/* Our own answer. 0: somebody else must be asked; -1: none. */
static int answer_ourselves(struct dns *dns, const unsigned char *query, size_t length,
                            unsigned char *answer, size_t size)
{
    int n = network_resolver_answer(dns->store, dns->endpoints, query, length, answer, size);
    return n == 0 && !dns->goes_out ? network_resolver_refuse(query, length, answer, size) : n;
}

/* ---- UDP ------------------------------------------------------------------------------------ */

static void send_datagram(const struct dns *dns, const struct sockaddr_in *to,
                          const unsigned char *answer, int length)
{
    if (length > 0) {
        (void)sendto(dns->udp_fd, answer, (size_t)length, MSG_DONTWAIT, (const struct sockaddr *)to,
                     sizeof(*to)); /* lost: they ask again */
    }
}

static void refuse_datagram(const struct dns *dns, const struct datagram *datagram)
{
    unsigned char answer[NETWORK_DNS_UDP_MAX];
    int n = network_resolver_refuse(datagram->query, datagram->length, answer, sizeof(answer));
    send_datagram(dns, &datagram->asker, answer, n);
}

static void on_upstream_datagram(void *context, const unsigned char *answer, size_t length)
{
    struct datagram *datagram = context;
    if (answer) {
        send_datagram(datagram->dns, &datagram->asker, answer, (int)length);
    } else {
        refuse_datagram(datagram->dns, datagram);
    }
    free(datagram);
}

static void pass_on_datagram(struct dns *dns, const struct sockaddr_in *asker,
                             const unsigned char *query, size_t length)
{
    struct datagram *datagram = malloc(sizeof(*datagram) + length);
    if (!datagram) {
        return;
    }
    *datagram = (struct datagram){.dns = dns, .asker = *asker, .length = length};
    memcpy(datagram->query, query, length);
    if (!upstream_ask(dns->upstream, query, length, false, on_upstream_datagram, datagram)) {
        refuse_datagram(dns, datagram);
        free(datagram);
    }
}

static void on_datagram(void *context, uint32_t events)
{
    struct dns *dns = context;
    struct sockaddr_in asker;
    socklen_t size = sizeof(asker);
    unsigned char query[STREAM_QUERY_MAX], answer[NETWORK_DNS_UDP_MAX];
    (void)events;

    ssize_t n =
        recvfrom(dns->udp_fd, query, sizeof(query), MSG_DONTWAIT, (struct sockaddr *)&asker, &size);
    if (n <= 0) {
        return;
    }
    int answered = answer_ourselves(dns, query, (size_t)n, answer, sizeof(answer));
    if (answered == 0) {
        pass_on_datagram(dns, &asker, query, (size_t)n);
    } else {
        send_datagram(dns, &asker, answer, answered);
    }
}

/* ---- TCP ------------------------------------------------------------------------------------ */

static void close_stream(struct stream *stream)
{
    loop_unwatch(stream->source);
    stream->source = NULL;
    loop_disarm(&stream->idle);
    ct_cleanup_close(&stream->fd);
    stream->fd = -1;
    if (stream->under_way > 0) {
        return; /* who answers last frees it */
    }
    struct stream **slot = &stream->dns->streams;
    while (*slot != stream) {
        slot = &(*slot)->next;
    }
    *slot = stream->next;
    stream->dns->n_streams--;
    free(stream);
}

static void on_idle(void *context)
{
    close_stream(context);
}

/* An answer fits into a socket's buffer, or the asker does not read: false. */
static bool send_message(const struct stream *stream, const unsigned char *message, size_t length)
{
    unsigned char head[LENGTH_BYTES];
    struct iovec parts[2] = {{head, sizeof(head)}, {(void *)message, length}};
    struct msghdr both = {.msg_iov = parts, .msg_iovlen = 2};

    ns_put16((unsigned)length, head);
    return sendmsg(stream->fd, &both, MSG_NOSIGNAL | MSG_DONTWAIT) ==
           (ssize_t)(sizeof(head) + length);
}

static void on_upstream_stream(void *context, const unsigned char *answer, size_t length)
{
    struct stream *stream = context;

    stream->under_way--;
    /* No answer over TCP: the connection ends, and the asker tries another server. */
    if (stream->fd < 0 || !answer || !send_message(stream, answer, length)) {
        close_stream(stream);
    }
}

/* False: the connection is of no use any more. */
static bool answer_message(struct stream *stream, const unsigned char *query, size_t length)
{
    struct dns *dns = stream->dns;
    CT_AUTO_FREE unsigned char *answer = malloc(NETWORK_DNS_MAX);
    int n = answer ? answer_ourselves(dns, query, length, answer, NETWORK_DNS_MAX) : -1;

    if (n > 0) {
        return send_message(stream, answer, (size_t)n);
    }
    if (n < 0 || !upstream_ask(dns->upstream, query, length, true, on_upstream_stream, stream)) {
        return false;
    }
    stream->under_way++;
    return true;
}

/* Askers send several queries over one connection. */
static bool answer_all(struct stream *stream)
{
    while (stream->have >= LENGTH_BYTES) {
        size_t length = ns_get16(stream->buffer);
        if (length > STREAM_QUERY_MAX) {
            return false;
        }
        if (stream->have < LENGTH_BYTES + length) {
            return true;
        }
        if (!answer_message(stream, stream->buffer + LENGTH_BYTES, length)) {
            return false;
        }
        stream->have -= LENGTH_BYTES + length;
        memmove(stream->buffer, stream->buffer + LENGTH_BYTES + length, stream->have);
    }
    return true;
}

static void on_stream(void *context, uint32_t events)
{
    struct stream *stream = context;
    (void)events;

    ssize_t n = recv(stream->fd, stream->buffer + stream->have,
                     sizeof(stream->buffer) - stream->have, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    stream->have += n > 0 ? (size_t)n : 0;
    if (n <= 0 || !answer_all(stream)) {
        close_stream(stream);
        return;
    }
    loop_arm(stream->dns->loop, &stream->idle, STREAM_IDLE_NS, on_idle, stream);
}

static void on_connection(void *context, uint32_t events)
{
    struct dns *dns = context;
    struct ct_error err = {0}; /* they ask again */
    (void)events;

    CT_AUTO_CLOSE int fd = accept4(dns->tcp_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct stream *stream =
        fd >= 0 && dns->n_streams < STREAMS_MAX ? calloc(1, sizeof(*stream)) : NULL;
    if (!stream) {
        return;
    }
    *stream = (struct stream){.dns = dns, .fd = ct_steal_fd(&fd), .next = dns->streams};
    dns->streams = stream;
    dns->n_streams++;
    stream->source = loop_watch(dns->loop, stream->fd, EPOLLIN, on_stream, stream, &err);
    if (!stream->source) {
        close_stream(stream);
        return;
    }
    loop_arm(dns->loop, &stream->idle, STREAM_IDLE_NS, on_idle, stream);
}

/* ---- the door ------------------------------------------------------------------------------- */

struct dns *dns_open(struct loop *loop, int netns_fd, struct network_store *store,
                     const json_t *host_config, struct ct_error *err)
{
    struct dns *dns = calloc(1, sizeof(*dns));
    int fds[2] = {-1, -1};

    if (!dns) {
        return ct_fail_null(err, ENOMEM, "open the resolver");
    }
    if (network_resolver_open(netns_fd, fds, err) < 0) {
        free(dns);
        return NULL;
    }
    *dns = (struct dns){.loop = loop,
                        .store = store,
                        .endpoints = json_object(),
                        .upstream = upstream_new(loop, host_config),
                        .udp_fd = fds[0],
                        .tcp_fd = fds[1]};
    dns->udp = loop_watch(loop, dns->udp_fd, EPOLLIN, on_datagram, dns, err);
    dns->tcp = loop_watch(loop, dns->tcp_fd, EPOLLIN, on_connection, dns, err);
    if (!dns->upstream || !dns->udp || !dns->tcp) {
        dns_close(dns);
        return NULL;
    }
    return dns;
}

static bool is_internal(const struct dns *dns, const json_t *endpoint)
{
    struct ct_error gone = {0};
    CT_AUTO_JSON json_t *network =
        network_find(dns->store, ct_json_string(endpoint, "NetworkID", ""), &gone);
    return ct_json_bool(network, "Internal", false);
}

void dns_set_endpoints(struct dns *dns, json_t *endpoints)
{
    const char *name;
    json_t *endpoint;

    json_decref(dns->endpoints);
    dns->endpoints = json_incref(endpoints);
    dns->goes_out = false;
    json_object_foreach(endpoints, name, endpoint)
    {
        dns->goes_out = dns->goes_out || !is_internal(dns, endpoint);
    }
}

void dns_close(struct dns *dns)
{
    if (!dns) {
        return;
    }
    upstream_free(dns->upstream); /* from here on nothing is under way */
    while (dns->streams) {
        dns->streams->under_way = 0;
        close_stream(dns->streams);
    }
    loop_unwatch(dns->udp);
    loop_unwatch(dns->tcp);
    ct_cleanup_close(&dns->udp_fd);
    ct_cleanup_close(&dns->tcp_fd);
    json_decref(dns->endpoints);
    free(dns);
}

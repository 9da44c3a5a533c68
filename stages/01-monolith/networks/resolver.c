/*
 * resolver.c - names of containers: what is answered to a DNS query, and where it is asked.
 *
 * Room:       networks.   Called by: monitor/dns.c.
 * Spec:       RFC 1035 (messages), RFC 2308 (a known name without such a record); libresolv's
 *             ns_initparse(3) reads, ns_put16(3) and friends write. Docker's resolver is at
 *             127.0.0.11, too.
 */
#define CT_LAYER "networks"
#include "links.h"
#include "networks_internal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RESOLVER_ADDRESS "127.0.0.11"
#define TTL_S            30 /* containers come and go */
#define ANSWERS_MAX      128
#define COMPRESSED_NAME  0xC000u /* RFC 1035, 4.1.4: "the name stands at offset …" */

bool network_has_names(const char *name)
{
    return strcmp(name, "bridge") != 0 && strcmp(name, "host") != 0 && strcmp(name, "none") != 0;
}

/* ---- sockets -------------------------------------------------------------------------------- */

/* A socket on a port that the kernel chooses. */
static int open_socket(int type, unsigned *ret_port, struct ct_error *err)
{
    CT_AUTO_CLOSE int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);

    (void)inet_pton(AF_INET, RESOLVER_ADDRESS, &address.sin_addr);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0 ||
        (type == SOCK_STREAM && listen(fd, 16) < 0)) {
        return ct_fail(err, errno, "listen on " RESOLVER_ADDRESS " in the container's network");
    }
    *ret_port = ntohs(address.sin_port);
    return ct_steal_fd(&fd);
}

/* Programs ask port 53; the container may have a name server there itself, for 0.0.0.0. */
static int redirect(unsigned udp_port, unsigned tcp_port, struct ct_error *err)
{
    CT_AUTO_FREE char *commands =
        ct_printf("table ip cutaway-names\n"
                  "delete table ip cutaway-names\n"
                  "table ip cutaway-names {\n"
                  "  chain output {\n"
                  "    type nat hook output priority -100; policy accept;\n"
                  "    ip daddr " RESOLVER_ADDRESS " udp dport 53 dnat to " RESOLVER_ADDRESS ":%u\n"
                  "    ip daddr " RESOLVER_ADDRESS " tcp dport 53 dnat to " RESOLVER_ADDRESS ":%u\n"
                  "  }\n"
                  "}\n",
                  udp_port, tcp_port);
    return firewall_run(commands, err);
}

int network_resolver_open(int netns_fd, int ret_fds[static 2], struct ct_error *err)
{
    unsigned udp_port = 0, tcp_port = 0;
    int home = netns_enter(netns_fd, err);

    if (home < 0) {
        return ct_while(err, "open the resolver");
    }
    CT_AUTO_CLOSE int udp = open_socket(SOCK_DGRAM, &udp_port, err);
    CT_AUTO_CLOSE int tcp = udp < 0 ? -1 : open_socket(SOCK_STREAM, &tcp_port, err);
    int result = tcp < 0 ? -1 : redirect(udp_port, tcp_port, err);
    netns_leave(home);
    if (result < 0) {
        return ct_while(err, "open the resolver");
    }
    ret_fds[0] = ct_steal_fd(&udp);
    ret_fds[1] = ct_steal_fd(&tcp);
    return 0;
}

/* ---- names ---------------------------------------------------------------------------------- */

struct found {
    bool known;                      /* there is such a name, whatever the type of record */
    uint32_t addresses[ANSWERS_MAX]; /* network byte order */
    size_t n;
    char name[256]; /* of an address that was asked for: "web.mynet" */
};

static bool is_name_of(const json_t *endpoint, const char *name)
{
    size_t i;
    json_t *alias;

    if (strcasecmp(ct_json_string(endpoint, "Name", ""), name) == 0) {
        return true;
    }
    json_array_foreach(json_object_get(endpoint, "Aliases"), i, alias)
    {
        if (json_is_string(alias) && strcasecmp(json_string_value(alias), name) == 0) {
            return true;
        }
    }
    return false;
}

/* "web", or "web.mynet" on the network mynet. */
static bool is_asked_for(const json_t *endpoint, const char *network, const char *asked)
{
    size_t whole = strlen(asked), suffix = strlen(network);

    if (is_name_of(endpoint, asked)) {
        return true;
    }
    if (whole <= suffix + 1 || asked[whole - suffix - 1] != '.' ||
        strcasecmp(asked + whole - suffix, network) != 0) {
        return false;
    }
    CT_AUTO_FREE char *name = ct_printf("%.*s", (int)(whole - suffix - 1), asked);
    return is_name_of(endpoint, name);
}

/* "4.3.2.1.in-addr.arpa" -> 1.2.3.4 in network byte order; 0: it is no such name. */
static uint32_t reversed_address(const char *asked)
{
    unsigned char part[4];
    int used = 0;

    if (sscanf(asked, "%3hhu.%3hhu.%3hhu.%3hhu.%n", &part[3], &part[2], &part[1], &part[0],
               &used) != 4 ||
        strcasecmp(asked + used, "in-addr.arpa") != 0) {
        return 0;
    }
    uint32_t address;
    memcpy(&address, part, sizeof(address));
    return address;
}

static void look_at(const json_t *endpoint, const char *network, const char *asked,
                    uint32_t reversed, struct found *found)
{
    uint32_t address = 0;

    if (inet_pton(AF_INET, ct_json_string(endpoint, "IPAddress", ""), &address) != 1) {
        return;
    }
    if (reversed && address == reversed) {
        found->known = true;
        (void)snprintf(found->name, sizeof(found->name), "%.120s.%.120s",
                       ct_json_string(endpoint, "Name", ""), network);
    }
    if (is_asked_for(endpoint, network, asked)) {
        found->known = true;
        if (found->n < ANSWERS_MAX) {
            found->addresses[found->n++] = address;
        }
    }
}

/* All that the networks of these endpoints know of the name. Records change by rename: no lock. */
static void look_up(struct network_store *store, const json_t *own, const char *asked,
                    struct found *found)
{
    uint32_t reversed = reversed_address(asked);
    const char *network, *id;
    json_t *endpoint, *other;

    json_object_foreach((json_t *)own, network, endpoint)
    {
        struct ct_error gone = {0};
        const char *name = ct_json_string(endpoint, "Network", network);
        CT_AUTO_JSON json_t *allocations =
            network_has_names(name)
                ? allocations_load(store, ct_json_string(endpoint, "NetworkID", ""), &gone)
                : NULL;
        json_object_foreach(json_object_get(allocations, "Endpoints"), id, other)
        {
            look_at(other, name, asked, reversed, found);
        }
    }
}

/* ---- messages ------------------------------------------------------------------------------- */

/* The one question of a query; ret_end is where it ends in the message. */
static int read_question(const unsigned char *query, size_t length, ns_rr *ret, size_t *ret_end)
{
    ns_msg message;

    if (length > NETWORK_DNS_MAX || ns_initparse(query, (int)length, &message) < 0 ||
        ns_msg_getflag(message, ns_f_qr) != 0 || ns_msg_count(message, ns_s_qd) != 1 ||
        ns_parserr(&message, ns_s_qd, 0, ret) < 0) {
        return -1;
    }
    int name = dn_skipname(query + NS_HFIXEDSZ, query + length);
    if (name < 0) {
        return -1;
    }
    *ret_end = NS_HFIXEDSZ + (size_t)name + NS_QFIXEDSZ;
    return 0;
}

/* Head and question of an answer. */
static size_t begin_answer(const unsigned char *query, size_t question_end, ns_rcode code,
                           unsigned char *answer, size_t size)
{
    HEADER head;

    if (question_end > size) {
        return 0;
    }
    memcpy(answer, query, question_end);
    memcpy(&head, query, sizeof(head));
    head.qr = 1;
    head.aa = 0;
    head.tc = 0;
    head.ra = 1;
    head.ad = 0;
    head.rcode = (unsigned)code & 0xf;
    head.qdcount = htons(1);
    head.ancount = head.nscount = head.arcount = 0;
    memcpy(answer, &head, sizeof(head));
    return question_end;
}

/* One record of the asked name. Returns the new length; the same when there is no room: truncated.
 */
static size_t add_record(unsigned char *answer, size_t length, size_t size, ns_type type,
                         const unsigned char *data, size_t n)
{
    HEADER head;

    memcpy(&head, answer, sizeof(head));
    if (length + 12 + n > size) {
        head.tc = 1;
        memcpy(answer, &head, sizeof(head));
        return length;
    }
    unsigned char *at = answer + length;
    ns_put16(COMPRESSED_NAME | NS_HFIXEDSZ, at); /* the question's name */
    ns_put16(type, at + 2);
    ns_put16(ns_c_in, at + 4);
    ns_put32(TTL_S, at + 6);
    ns_put16((unsigned)n, at + 10);
    memcpy(at + 12, data, n);
    head.ancount = htons((uint16_t)(ntohs(head.ancount) + 1));
    memcpy(answer, &head, sizeof(head));
    return length + 12 + n;
}

/* Each asker begins with another one, so that the load is shared. */
static size_t add_addresses(const struct found *found, unsigned char *answer, size_t length,
                            size_t size)
{
    size_t first = found->n ? (size_t)random() % found->n : 0;
    for (size_t i = 0; i < found->n; i++) {
        const uint32_t *address = &found->addresses[(first + i) % found->n];
        length = add_record(answer, length, size, ns_t_a, (const unsigned char *)address,
                            sizeof(*address));
    }
    return length;
}

static size_t add_name(const struct found *found, unsigned char *answer, size_t length, size_t size)
{
    unsigned char name[NS_MAXCDNAME];
    int n = dn_comp(found->name, name, sizeof(name), NULL, NULL);
    return n > 0 ? add_record(answer, length, size, ns_t_ptr, name, (size_t)n) : length;
}

int network_resolver_answer(struct network_store *store, const json_t *endpoints,
                            const unsigned char *query, size_t length, unsigned char *answer,
                            size_t size)
{
    struct found found = {0};
    ns_rr question;
    size_t end;

    if (read_question(query, length, &question, &end) < 0) {
        return -1;
    }
    if (ns_rr_class(question) != ns_c_in) {
        return 0;
    }
    look_up(store, endpoints, ns_rr_name(question), &found);
    if (!found.known) {
        return 0;
    }
    size_t answered = begin_answer(query, end, ns_r_noerror, answer, size);
    if (answered && ns_rr_type(question) == ns_t_a) {
        answered = add_addresses(&found, answer, answered, size);
    } else if (answered && ns_rr_type(question) == ns_t_ptr && *found.name) {
        answered = add_name(&found, answer, answered, size);
    }
    return answered ? (int)answered : -1;
}

int network_resolver_refuse(const unsigned char *query, size_t length, unsigned char *answer,
                            size_t size)
{
    ns_rr question;
    size_t end;

    if (read_question(query, length, &question, &end) < 0) {
        return -1;
    }
    size_t answered = begin_answer(query, end, ns_r_servfail, answer, size);
    return answered ? (int)answered : -1;
}

/*
 * ports.c - published ports: choosing them, and holding them so that nobody else takes them.
 *
 * Room:       networks.   Called by: attach.c.
 * Man:        bind(2), listen(2).
 *
 * A reservation is a socket bound to the host's port in this process. It never serves: the DNAT
 * rule is asked first. But the kernel then refuses the port to every other program, and to us when
 * another program has it. The list of reservations is the one global of this room: descriptors
 * belong to a process. Stores have locks of their own, and a process may have several: the list has
 * its own, too.
 */
#define CT_LAYER "networks"
#include "networks_internal.h"

#include "cleanup.h"
#include "json.h"
#include "log.h"
#include "path.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct reservation {
    char endpoint_id[2 * NETWORK_ID_BYTES + 1];
    int fd;
    struct reservation *next;
};

static struct reservation *reservations;
static pthread_mutex_t reservations_lock = PTHREAD_MUTEX_INITIALIZER;

void ports_release(const char *endpoint_id)
{
    struct reservation **slot = &reservations;

    (void)pthread_mutex_lock(&reservations_lock);
    while (*slot) {
        struct reservation *here = *slot;
        if (strcmp(here->endpoint_id, endpoint_id) == 0) {
            *slot = here->next;
            ct_cleanup_close(&here->fd);
            free(here);
        } else {
            slot = &here->next;
        }
    }
    (void)pthread_mutex_unlock(&reservations_lock);
}

static int remember(const char *endpoint_id, int fd, struct ct_error *err)
{
    struct reservation *entry = calloc(1, sizeof(*entry));
    if (!entry) {
        return ct_fail(err, ENOMEM, "reserve a port");
    }
    (void)snprintf(entry->endpoint_id, sizeof(entry->endpoint_id), "%s", endpoint_id);
    entry->fd = fd;
    (void)pthread_mutex_lock(&reservations_lock);
    entry->next = reservations;
    reservations = entry;
    (void)pthread_mutex_unlock(&reservations_lock);
    return 0;
}

/* Binds ip:port (0: the kernel chooses). Returns the socket, -1 with errno. */
static int bind_port(uint32_t ip, uint16_t port, bool udp, uint16_t *ret_port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(ip), .sin_port = htons(port)};
    socklen_t length = sizeof(address);
    int one = 1;
    CT_AUTO_CLOSE int fd = socket(AF_INET, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    /* Connections of before that linger must not block a port; a listener does, so we listen. */
    if (!udp && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0) {
        return -1;
    }
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || (!udp && listen(fd, 0) < 0) ||
        getsockname(fd, (struct sockaddr *)&address, &length) < 0) {
        return -1;
    }
    *ret_port = ntohs(address.sin_port);
    return ct_steal_fd(&fd);
}

/* "8080", "8000-8010" or "" (any). */
static int parse_range(const char *text, unsigned long *first, unsigned long *last,
                       struct ct_error *err)
{
    char *end = NULL;
    *first = *last = 0;
    if (!*text) {
        return 0;
    }
    *first = strtoul(text, &end, 10);
    *last = *end == '-' ? strtoul(end + 1, &end, 10) : *first;
    if (*end || *first > 65535 || *last > 65535 || *last < *first) {
        return ct_refuse(err, CT_INVALID, "invalid host port '%.40s'", text);
    }
    return 0;
}

static json_t *reserve_one(const char *endpoint_id, const char *port, const char *host_ip,
                           const char *host_port, struct ct_error *err)
{
    const char *slash = strchr(port, '/');
    const char *protocol = slash ? slash + 1 : "tcp";
    bool udp = strcmp(protocol, "udp") == 0;
    unsigned long first, last;
    uint32_t ip = 0;
    uint16_t chosen = 0;
    int fd = -1;

    if (!udp && strcmp(protocol, "tcp") != 0) {
        return ct_refuse_null(err, CT_UNSUPPORTED, "publish port '%.40s': there are tcp and udp",
                              port);
    }
    if (strchr(host_ip, ':')) {
        return ct_refuse_null(err, CT_UNSUPPORTED,
                              "publish on '%.60s': IPv6 is not in stage 01-monolith", host_ip);
    }
    if ((*host_ip && address_parse(host_ip, &ip, err) < 0) ||
        parse_range(host_port, &first, &last, err) < 0) {
        return NULL;
    }
    for (unsigned long p = first; p <= last && fd < 0; p++) {
        fd = bind_port(ip, (uint16_t)p, udp, &chosen);
        if (fd < 0 && errno != EADDRINUSE) {
            return ct_fail_null(err, errno, "publish port %s:%lu/%s",
                                *host_ip ? host_ip : "0.0.0.0", p, protocol);
        }
    }
    if (fd < 0) {
        return ct_refuse_null(err, CT_CONFLICT, "publish port %s:%s/%s: port is already allocated",
                              *host_ip ? host_ip : "0.0.0.0", host_port, protocol);
    }
    if (remember(endpoint_id, fd, err) < 0) {
        ct_cleanup_close(&fd);
        return NULL;
    }
    CT_AUTO_FREE char *number = ct_printf("%u", chosen);
    return json_pack("{s:s,s:s}", "HostIp", *host_ip ? host_ip : "0.0.0.0", "HostPort", number);
}

static int check_port(const char *port, struct ct_error *err)
{
    char *end = NULL;
    unsigned long number = strtoul(port, &end, 10);
    if (end == port || number < 1 || number > 65535 || (*end && *end != '/')) {
        return ct_refuse(err, CT_INVALID, "invalid container port '%.40s'", port);
    }
    return 0;
}

/* The bindings of one port of the container. */
static int reserve_port(const char *endpoint_id, const char *port, const json_t *bindings,
                        json_t *ports, struct ct_error *err)
{
    json_t *reserved = json_array();
    size_t i;
    json_t *binding;

    ct_json_set(ports, port, reserved);
    if (check_port(port, err) < 0) {
        return -1;
    }
    json_array_foreach((json_t *)bindings, i, binding)
    {
        json_t *one = reserve_one(endpoint_id, port, ct_json_string(binding, "HostIp", ""),
                                  ct_json_string(binding, "HostPort", ""), err);
        if (!one) {
            return -1;
        }
        ct_json_append(reserved, one);
    }
    return 0;
}

json_t *ports_reserve(const char *endpoint_id, const struct network_request *request,
                      struct ct_error *err)
{
    CT_AUTO_JSON json_t *ports = json_object();
    CT_AUTO_JSON json_t *anywhere = json_pack("[{s:s,s:s}]", "HostIp", "", "HostPort", "");
    const char *port;
    json_t *value;
    int result = 0;

    json_object_foreach((json_t *)request->port_bindings, port, value)
    {
        result = result < 0 ? -1 : reserve_port(endpoint_id, port, value, ports, err);
    }
    json_object_foreach((json_t *)request->exposed_ports, port, value)
    {
        if (json_object_get(ports, port)) {
            continue;
        }
        if (request->publish_all) {
            result = result < 0 ? -1 : reserve_port(endpoint_id, port, anywhere, ports, err);
        } else {
            ct_json_set(ports, port, json_null());
        }
    }
    if (result < 0) {
        ports_release(endpoint_id);
        return NULL;
    }
    return ct_steal(ports);
}

/* ---- again, in a new process ---------------------------------------------------------------- */

/* Who has the port meanwhile keeps it: connections still come to the container, by its rule. */
static void hold_again(const char *endpoint_id, const char *port, const json_t *binding)
{
    struct ct_error err = {0};
    char line[400];
    const char *slash = strchr(port, '/');
    CT_AUTO_JSON json_t *held =
        reserve_one(endpoint_id, port, ct_json_string(binding, "HostIp", ""),
                    ct_json_string(binding, "HostPort", ""), &err);

    if (!held) {
        ct_warn("hold port %.5s%.4s of endpoint=%.12s again: %s",
                ct_json_string(binding, "HostPort", ""), slash ? slash : "", endpoint_id,
                ct_error_render(&err, line, sizeof(line)));
    }
}

void ports_hold_again(const char *endpoint_id, const json_t *ports)
{
    const char *port;
    json_t *bindings, *binding;
    size_t i;

    json_object_foreach((json_t *)ports, port, bindings)
    {
        json_array_foreach(bindings, i, binding)
        {
            hold_again(endpoint_id, port, binding);
        }
    }
}

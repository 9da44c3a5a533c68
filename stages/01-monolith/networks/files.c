/*
 * files.c - what a container's resolv.conf and hosts say.
 *
 * Room:       networks.   Called by: monitor.
 * Man:        resolv.conf(5), hosts(5).
 */
#define CT_LAYER "networks"
#include "networks_internal.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RESOLV_CONF_MAX_BYTES 65536

/* A word of a user's that goes into a line of its own: no white space, no control characters. */
static int check_word(const char *word, const char *what, struct ct_error *err)
{
    for (const char *c = word; *c; c++) {
        if ((unsigned char)*c <= ' ' || *c == 0x7f) {
            return ct_refuse(err, CT_INVALID, "%s '%.60s' has white space or control characters",
                             what, word);
        }
    }
    return *word ? 0 : ct_refuse(err, CT_INVALID, "%s is empty", what);
}

/* Writes "key a b c\n" for a list, or one line each; nothing for an empty list. */
static int write_list(FILE *out, const char *key, const json_t *list, bool one_line,
                      struct ct_error *err)
{
    size_t i;
    json_t *value;

    json_array_foreach((json_t *)list, i, value)
    {
        const char *word = json_string_value(value);
        if (!word || check_word(word, key, err) < 0) {
            return -1;
        }
        if (i == 0 || !one_line) {
            (void)fprintf(out, "%s%s", i ? "\n" : "", key);
        }
        (void)fprintf(out, " %s", word);
    }
    if (json_array_size(list) > 0) {
        (void)fprintf(out, "\n");
    }
    return 0;
}

static bool is_line_of(const char *line, const char *key)
{
    size_t length = strlen(key);
    return strncmp(line, key, length) == 0 && (line[length] == ' ' || line[length] == '\t');
}

/* A resolver on the host's loopback cannot be reached from another network namespace. */
static bool is_usable(const char *line, enum network_resolver resolver)
{
    const char *address = line + strlen("nameserver");
    address += strspn(address, " \t");
    return resolver == NETWORK_RESOLVER_HOST ||
           (resolver == NETWORK_RESOLVER_UPSTREAM && strncmp(address, "127.", 4) != 0 &&
            strncmp(address, "::1", 3) != 0);
}

/* The host's lines, of the kinds that the container's own options do not replace. */
static int copy_host_lines(FILE *out, const json_t *host_config, enum network_resolver resolver)
{
    struct ct_error missing = {0}; /* no file: no lines, as resolv.conf(5) has it */
    CT_AUTO_FREE char *text = NULL;
    char *position = NULL;
    int servers = 0;

    if (ct_read_file_at(AT_FDCWD, "/etc/resolv.conf", RESOLV_CONF_MAX_BYTES, &text, &missing) < 0) {
        return 0;
    }
    for (char *line = strtok_r(text, "\n", &position); line;
         line = strtok_r(NULL, "\n", &position)) {
        bool server = is_line_of(line, "nameserver");
        bool replaced = (server && ct_json_count(json_object_get(host_config, "Dns")) > 0) ||
                        (is_line_of(line, "search") &&
                         ct_json_count(json_object_get(host_config, "DnsSearch")) > 0) ||
                        (is_line_of(line, "options") &&
                         ct_json_count(json_object_get(host_config, "DnsOptions")) > 0);
        if (replaced || (server && !is_usable(line, resolver))) {
            continue;
        }
        servers += server;
        (void)fprintf(out, "%s\n", line);
    }
    return servers;
}

static int write_servers(FILE *out, const json_t *host_config, enum network_resolver resolver,
                         int servers, struct ct_error *err)
{
    const json_t *own = json_object_get(host_config, "Dns");

    if (resolver == NETWORK_RESOLVER_CONTAINERS) { /* it asks the others */
        (void)fprintf(out, "nameserver 127.0.0.11\n");
        return 0;
    }
    if (servers == 0 && ct_json_count(own) == 0 && resolver == NETWORK_RESOLVER_UPSTREAM) {
        (void)fprintf(out, "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"); /* as Docker does */
    }
    return write_list(out, "nameserver", own, false, err);
}

/* A name of one word is a container's: it is asked for as it is, before any search domain. */
static void write_ndots(FILE *out, const json_t *options)
{
    size_t i;
    json_t *option;

    json_array_foreach((json_t *)options, i, option)
    {
        if (strncmp(json_string_value(option), "ndots:", 6) == 0) {
            return; /* the user's choice */
        }
    }
    (void)fprintf(out, "options ndots:0\n");
}

char *network_resolv_conf(const json_t *host_config, enum network_resolver resolver,
                          struct ct_error *err)
{
    const json_t *options = json_object_get(host_config, "DnsOptions");
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    if (!out) {
        return ct_refuse_null(err, CT_SYSTEM, "write resolv.conf: out of memory");
    }
    int servers = copy_host_lines(out, host_config, resolver);
    int result = write_servers(out, host_config, resolver, servers, err) < 0 ||
                         write_list(out, "search", json_object_get(host_config, "DnsSearch"), true,
                                    err) < 0 ||
                         write_list(out, "options", options, true, err) < 0
                     ? -1
                     : 0;
    if (result == 0 && resolver == NETWORK_RESOLVER_CONTAINERS) {
        write_ndots(out, options);
    }
    if (fclose(out) != 0 || result < 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* The first gateway of the endpoints: what "host-gateway" means. */
static const char *host_gateway(const json_t *endpoints)
{
    const char *name;
    json_t *endpoint;
    json_object_foreach((json_t *)endpoints, name, endpoint)
    {
        if (*ct_json_string(endpoint, "Gateway", "")) {
            return ct_json_string(endpoint, "Gateway", "");
        }
    }
    return "127.0.0.1";
}

/* "name:address" of --add-host. */
static int write_extra(FILE *out, const char *extra, const json_t *endpoints, struct ct_error *err)
{
    const char *colon = strchr(extra, ':');
    if (!colon) {
        return ct_refuse(err, CT_INVALID, "bad format for add-host: '%.60s'", extra);
    }
    CT_AUTO_FREE char *name = ct_printf("%.*s", (int)(colon - extra), extra);
    const char *address =
        strcmp(colon + 1, "host-gateway") == 0 ? host_gateway(endpoints) : colon + 1;
    if (check_word(name, "add-host", err) < 0 || check_word(address, "add-host", err) < 0) {
        return -1;
    }
    (void)fprintf(out, "%s\t%s\n", address, name);
    return 0;
}

static int write_hosts(FILE *out, const char *hostname, const char *domainname,
                       const json_t *endpoints, const json_t *extra_hosts, struct ct_error *err)
{
    const char *name;
    json_t *endpoint, *extra;
    size_t i;

    (void)fprintf(out, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
                       "fe00::0\tip6-localnet\nff00::0\tip6-mcastprefix\nff02::1\tip6-allnodes\n"
                       "ff02::2\tip6-allrouters\n");
    json_array_foreach((json_t *)extra_hosts, i, extra)
    {
        if (!json_is_string(extra) ||
            write_extra(out, json_string_value(extra), endpoints, err) < 0) {
            return json_is_string(extra)
                       ? -1
                       : ct_refuse(err, CT_INVALID, "add-host %zu is not a string", i);
        }
    }
    if (hostname && *hostname && check_word(hostname, "host name", err) < 0) {
        return -1;
    }
    json_object_foreach((json_t *)endpoints, name, endpoint)
    {
        const char *address = ct_json_string(endpoint, "IPAddress", "");
        if (*address && hostname && *hostname) {
            bool domain = domainname && *domainname;
            (void)fprintf(out, "%s\t", address);
            (void)(domain ? fprintf(out, "%s.%s %s\n", hostname, domainname, hostname)
                          : fprintf(out, "%s\n", hostname));
        }
    }
    return 0;
}

char *network_hosts(const char *hostname, const char *domainname, const json_t *endpoints,
                    const json_t *extra_hosts, struct ct_error *err)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    if (!out) {
        return ct_refuse_null(err, CT_SYSTEM, "write hosts: out of memory");
    }
    int result = write_hosts(out, hostname, domainname, endpoints, extra_hosts, err);
    if (fclose(out) != 0 || result < 0) {
        free(text);
        return NULL;
    }
    return text;
}

/*
 * firewall.c - a network's nftables table: masquerading, published ports, isolation.
 *
 * Room:       networks.   Called by: attach.c.
 * Man:        nft(8), libnftables(3).
 *
 * The table is written anew from all endpoints each time, in one transaction: the kernel has the
 * old rules or the new ones, never half of them. Only our own words, device names made of hex
 * digits, and numbers formatted here reach nft: no string of a user's.
 */
#define CT_LAYER "networks"
#include "networks_internal.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"

#include <nftables/libnftables.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static int run_commands(const char *commands, struct ct_error *err)
{
    struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
    if (!nft) {
        return ct_refuse(err, CT_SYSTEM, "start libnftables");
    }
    (void)nft_ctx_buffer_output(nft);
    (void)nft_ctx_buffer_error(nft);
    int code = nft_run_cmd_from_buffer(nft, commands);
    if (code != 0) {
        const char *said = nft_ctx_get_error_buffer(nft);
        (void)ct_refuse(err, CT_SYSTEM, "write nftables rules: %.*s",
                        (int)strcspn(said ? said : "", "\n"), said);
        (void)ct_hint(err, "see whether the kernel has nf_tables, nft_nat, nft_masq and nft_fib");
    }
    nft_ctx_free(nft);
    return code == 0 ? 0 : -1;
}

/* The library promises nothing about threads. */
int firewall_run(const char *commands, struct ct_error *err)
{
    static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

    (void)pthread_mutex_lock(&turn);
    int result = run_commands(commands, err);
    (void)pthread_mutex_unlock(&turn);
    return result;
}

static const char *table_digits(const json_t *record)
{
    return ct_json_string(record, "Id", "");
}

/* One published port: DNAT for those who come from outside, and for the host itself. */
static int write_port(FILE *out, const char *port, const json_t *binding, const char *address,
                      struct ct_error *err)
{
    uint32_t host_ip = 0, container_ip = 0;
    const char *slash = strchr(port, '/');
    const char *protocol = slash && strcmp(slash + 1, "udp") == 0 ? "udp" : "tcp";
    unsigned long inner = strtoul(port, NULL, 10);
    unsigned long outer = strtoul(ct_json_string(binding, "HostPort", "0"), NULL, 10);

    if (address_parse(ct_json_string(binding, "HostIp", "0.0.0.0"), &host_ip, err) < 0 ||
        address_parse(address, &container_ip, err) < 0) {
        return -1;
    }
    CT_AUTO_FREE char *to = address_text(container_ip);
    CT_AUTO_FREE char *from = address_text(host_ip);
    CT_AUTO_FREE char *where = host_ip ? ct_printf("ip daddr %s", from)
                                       : ct_strdup("meta nfproto ipv4 fib daddr type local");
    (void)fprintf(out, "    %s %s dport %lu dnat ip to %s:%lu\n", where, protocol, outer, to,
                  inner);
    return 0;
}

static int write_ports(FILE *out, const json_t *allocations, struct ct_error *err)
{
    const char *id, *port;
    json_t *endpoint, *bindings, *binding;
    size_t i;

    json_object_foreach(json_object_get(allocations, "Endpoints"), id, endpoint)
    {
        const char *address = ct_json_string(endpoint, "IPAddress", "");
        json_object_foreach(json_object_get(endpoint, "Ports"), port, bindings)
        {
            json_array_foreach(bindings, i, binding)
            {
                if (write_port(out, port, binding, address, err) < 0) {
                    return -1;
                }
            }
        }
    }
    return 0;
}

static void write_isolation(FILE *out, const char *bridge, bool internal)
{
    (void)fprintf(out,
                  "  chain forward {\n    type filter hook forward priority 0; policy accept;\n");
    if (internal) {
        (void)fprintf(out,
                      "    iifname \"%s\" oifname != \"%s\" drop\n    oifname \"%s\" iifname != "
                      "\"%s\" drop\n",
                      bridge, bridge, bridge, bridge);
    } else {
        /* Other networks of ours are reached through published ports only. */
        (void)fprintf(
            out, "    iifname \"%s\" oifname != \"%s\" oifname \"ct-*\" ct status != dnat drop\n",
            bridge, bridge);
    }
    (void)fprintf(out, "  }\n");
}

/* The whole table as nft text. Owned. */
static char *render(const json_t *record, const json_t *allocations, struct ct_error *err)
{
    char *text = NULL;
    size_t length = 0;
    struct subnet subnet;
    uint32_t gateway;
    char bridge[DEVICE_NAME_BYTES];
    FILE *out = open_memstream(&text, &length);

    bridge_name(record, bridge);
    if (!out || record_subnet(record, &subnet, &gateway, err) < 0) {
        if (out) {
            (void)fclose(out);
            free(text);
        }
        return NULL;
    }
    CT_AUTO_FREE char *range = subnet_text(subnet);
    const char *digits = table_digits(record);
    int result = 0;
    /* "add" first, so that "delete" of a table that is not there is no error. */
    (void)fprintf(out, "add table inet cutaway-%.12s\ndelete table inet cutaway-%.12s\n", digits,
                  digits);
    (void)fprintf(out, "table inet cutaway-%.12s {\n", digits);
    (void)fprintf(
        out, "  chain prerouting {\n    type nat hook prerouting priority -100; policy accept;\n");
    result |= write_ports(out, allocations, err);
    (void)fprintf(
        out, "  }\n  chain output {\n    type nat hook output priority -100; policy accept;\n");
    result |= write_ports(out, allocations, err);
    (void)fprintf(
        out,
        "  }\n  chain postrouting {\n    type nat hook postrouting priority 100; policy accept;\n");
    (void)fprintf(out, "    ip saddr %s oifname != \"%s\" masquerade\n", range, bridge);
    /* The host's own loopback clients, and a container that calls itself by the host's port. */
    (void)fprintf(out, "    ip saddr 127.0.0.0/8 oifname \"%s\" masquerade\n", bridge);
    (void)fprintf(out, "    ip saddr %s oifname \"%s\" ct status dnat masquerade\n  }\n", range,
                  bridge);
    /* route_localnet lets 127.0.0.0/8 be routed to the bridge: nobody may come the other way. */
    (void)fprintf(out,
                  "  chain guard {\n    type filter hook prerouting priority -300; policy accept;\n"
                  "    iifname \"%s\" ip daddr 127.0.0.0/8 drop\n  }\n",
                  bridge);
    write_isolation(out, bridge, ct_json_bool(record, "Internal", false));
    (void)fprintf(out, "}\n");
    if (fclose(out) != 0 || result != 0) {
        free(text);
        return NULL;
    }
    return text;
}

int firewall_apply(const json_t *record, const json_t *allocations, struct ct_error *err)
{
    CT_AUTO_FREE char *commands = render(record, allocations, err);
    return commands ? firewall_run(commands, err) : -1;
}

int firewall_remove(const json_t *record, struct ct_error *err)
{
    const char *digits = table_digits(record);
    CT_AUTO_FREE char *commands = ct_printf(
        "add table inet cutaway-%.12s\ndelete table inet cutaway-%.12s\n", digits, digits);
    return firewall_run(commands, err);
}

/*
 * resources_named.c - the sections of "linux.resources" that carry names of their own, and so part
 * of a file's name or of a line: huge pages, network, rdma, unified. They stay in the document;
 * here it is checked that what is written later is one file and one line.
 *
 * Room:       libcontainer.   Called by: linux_resources.c.
 * Spec:       config-linux.md, "Huge page limits", "Network", "RDMA", "Unified".
 */
#define CT_LAYER "config"
#include "resources_internal.h"

#include "fields.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>

#define WHERE "linux.resources"

/* ---- huge pages ----------------------------------------------------------------------------- */

/* "64KB", "2MB", "1GB". */
static bool is_page_size(const char *text)
{
    size_t digits = strspn(text, "0123456789");

    return digits > 0 && digits < 16 && text[0] != '0' && text[digits] &&
           strchr("KMG", text[digits]) && strcmp(text + digits + 1, "B") == 0;
}

static int check_hugepage(const json_t *entry, const char *where, struct ct_error *err)
{
    const char *size = "";
    uint64_t limit = 0;

    if (lc_field_is_object(entry, where, err) < 0 ||
        lc_field_string(entry, where, "pageSize", &size, err) < 0 ||
        lc_field_unsigned(entry, where, "limit", UINT64_MAX, &limit, err) < 0) {
        return -1;
    }
    if (!lc_field_has(entry, "limit")) {
        return lc_field_missing(where, "limit", err);
    }
    return is_page_size(size)
               ? 0
               : ct_refuse(err, CT_INVALID, "%s.pageSize: '%.30s' is not a size such as 2MB", where,
                           size);
}

static int parse_hugepages(const json_t *resources, struct lc_resources *ret, struct ct_error *err)
{
    if (lc_field_array(resources, WHERE, "hugepageLimits", &ret->hugepages, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < json_array_size(ret->hugepages); i++) {
        char where[LC_WHERE];
        (void)snprintf(where, sizeof(where), WHERE ".hugepageLimits[%zu]", i);
        if (check_hugepage(json_array_get(ret->hugepages, i), where, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- network -------------------------------------------------------------------------------- */

/* One word of printable characters, so that it cannot become a second word or line. */
static bool is_one_word(const char *text)
{
    for (const char *c = text; *c; c++) {
        if ((unsigned char)*c <= ' ' || *c == 0x7f) {
            return false;
        }
    }
    return *text != '\0';
}

static int check_priority(const json_t *entry, const char *where, struct ct_error *err)
{
    const char *name = "";
    uint64_t priority = 0;

    if (lc_field_is_object(entry, where, err) < 0 ||
        lc_field_string(entry, where, "name", &name, err) < 0 ||
        lc_field_unsigned(entry, where, "priority", UINT32_MAX, &priority, err) < 0) {
        return -1;
    }
    if (!lc_field_has(entry, "priority")) {
        return lc_field_missing(where, "priority", err);
    }
    return is_one_word(name) && strlen(name) < IF_NAMESIZE && !strchr(name, '/')
               ? 0
               : ct_refuse(err, CT_INVALID, "%s.name: '%.30s' is no name of a device", where, name);
}

static int parse_network(const json_t *resources, struct lc_resources *ret, struct ct_error *err)
{
    static const struct lc_bounds ids = {.min = 0, .max = UINT32_MAX, .zero_is_a_value = true};
    const char *where = WHERE ".network";
    const json_t *network = NULL;

    if (lc_field_object(resources, WHERE, "network", &network, err) < 0) {
        return -1;
    }
    if (!network) {
        return 0;
    }
    if (lc_optional_parse(network, where, "classID", &ids, &ret->network.class_id, err) < 0 ||
        lc_field_array(network, where, "priorities", &ret->network.priorities, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < json_array_size(ret->network.priorities); i++) {
        char entry[LC_WHERE];
        (void)snprintf(entry, sizeof(entry), WHERE ".network.priorities[%zu]", i);
        if (check_priority(json_array_get(ret->network.priorities, i), entry, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- rdma, unified -------------------------------------------------------------------------- */

static int check_rdma(const char *device, const json_t *limits, struct ct_error *err)
{
    char where[LC_WHERE];
    uint64_t number = 0;

    if (!is_one_word(device)) {
        return ct_refuse(err, CT_INVALID, WHERE ".rdma: '%.60s' is no name of a device", device);
    }
    (void)snprintf(where, sizeof(where), WHERE ".rdma.%.60s", device);
    if (lc_field_is_object(limits, where, err) < 0 ||
        lc_field_unsigned(limits, where, "hcaHandles", UINT32_MAX, &number, err) < 0 ||
        lc_field_unsigned(limits, where, "hcaObjects", UINT32_MAX, &number, err) < 0) {
        return -1;
    }
    return lc_field_has(limits, "hcaHandles") || lc_field_has(limits, "hcaObjects")
               ? 0
               : ct_refuse(err, CT_INVALID, "%s: it must have hcaHandles or hcaObjects", where);
}

/* The key is a file in the container's group, "memory.high", and never one elsewhere. */
static int check_unified(const char *file, const json_t *value, struct ct_error *err)
{
    const char *dot = strchr(file, '.');

    if (!json_is_string(value)) {
        return ct_refuse(err, CT_INVALID, WHERE ".unified.%.60s: it must be a string", file);
    }
    return dot && dot != file && !strchr(file, '/')
               ? 0
               : ct_refuse(err, CT_INVALID,
                           WHERE ".unified: '%.60s' is no file such as memory.high", file);
}

/* Checks each member of an object that is a map. */
static int parse_map(const json_t *resources, const char *key,
                     int (*check)(const char *name, const json_t *value, struct ct_error *err),
                     const json_t **ret, struct ct_error *err)
{
    const char *name = NULL;
    json_t *value = NULL;

    if (lc_field_object(resources, WHERE, key, ret, err) < 0) {
        return -1;
    }
    /* The macro wants an object that could be changed; it changes nothing. */
    json_object_foreach((json_t *)*ret, name, value)
    {
        if (check(name, value, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int lc_resources_parse_named(const json_t *resources, struct lc_resources *ret,
                             struct ct_error *err)
{
    if (parse_hugepages(resources, ret, err) < 0 || parse_network(resources, ret, err) < 0 ||
        parse_map(resources, "rdma", check_rdma, &ret->rdma, err) < 0) {
        return -1;
    }
    return parse_map(resources, "unified", check_unified, &ret->unified, err);
}

/*
 * store.c - the records of networks, and which endpoints each has.
 *
 * Room:       networks.   Called by: engine, attach.c.
 *
 * DIR/<id>.json lasts; RUN/<id>.json (endpoints) is gone after a reboot, as the devices are.
 */
#define CT_LAYER "networks"
#include "networks_internal.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define LOCK_TIMEOUT_MS 60000
#define NAME_MAX_BYTES  128

static const struct {
    const char *name, *driver;
} predefined[] = {{"bridge", "bridge"}, {"host", "host"}, {"none", "null"}};

int network_store_lock(struct network_store *store, struct ct_error *err)
{
    return ct_lock_at(store->run_fd, "lock", CT_LOCK_EXCLUSIVE, LOCK_TIMEOUT_MS, err);
}

void bridge_name(const json_t *record, char ret[static DEVICE_NAME_BYTES])
{
    (void)snprintf(ret, DEVICE_NAME_BYTES, "ct-%.12s", ct_json_string(record, "Id", ""));
}

int record_save(struct network_store *store, const json_t *record, struct ct_error *err)
{
    CT_AUTO_FREE char *name = ct_printf("%s.json", ct_json_string(record, "Id", ""));
    return ct_json_save_at(store->dir_fd, name, record, err);
}

json_t *allocations_load(struct network_store *store, const char *network_id, struct ct_error *err)
{
    struct ct_error missing = {0};
    CT_AUTO_FREE char *name = ct_printf("%s.json", network_id);
    json_t *allocations = ct_json_load_at(store->run_fd, name, &missing);

    if (!allocations && missing.kind != CT_NOT_FOUND) {
        *err = missing;
        return NULL;
    }
    return allocations ? allocations : json_pack("{s:{}}", "Endpoints");
}

int allocations_save(struct network_store *store, const char *network_id, const json_t *allocations,
                     struct ct_error *err)
{
    CT_AUTO_FREE char *name = ct_printf("%s.json", network_id);
    return ct_json_save_at(store->run_fd, name, allocations, err);
}

static json_t *new_record(const char *name, const char *driver)
{
    char id[2 * NETWORK_ID_BYTES + 1];
    char now[CT_TIME_TEXT];
    json_t *record = json_object();

    ct_random_hex(id, NETWORK_ID_BYTES);
    ct_json_set_string(record, "Name", name);
    ct_json_set_string(record, "Id", id);
    ct_json_set_string(record, "Created", ct_time_format(ct_now_ns(), now));
    ct_json_set_string(record, "Scope", "local");
    ct_json_set_string(record, "Driver", driver);
    ct_json_set(record, "EnableIPv6", json_false());
    ct_json_set(record, "IPAM",
                json_pack("{s:s,s:n,s:[]}", "Driver", "default", "Options", "Config"));
    ct_json_set(record, "Internal", json_false());
    ct_json_set(record, "Attachable", json_false());
    ct_json_set(record, "Ingress", json_false());
    ct_json_set(record, "ConfigFrom", json_pack("{s:s}", "Network", ""));
    ct_json_set(record, "ConfigOnly", json_false());
    ct_json_set(record, "Containers", json_object());
    ct_json_set(record, "Options", json_object());
    ct_json_set(record, "Labels", json_object());
    return record;
}

/* All records, in no order. Owned. */
static json_t *read_records(struct network_store *store, struct ct_error *err)
{
    int fd = openat(store->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CT_AUTO_DIR DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    json_t *records = json_array();

    if (!dir) {
        int saved = errno;
        ct_cleanup_close(&fd);
        json_decref(records);
        return ct_fail_null(err, saved, "read the networks");
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        struct ct_error removed = {0}; /* meanwhile */
        size_t length = strlen(entry->d_name);
        json_t *record = length == 2 * NETWORK_ID_BYTES + strlen(".json")
                             ? ct_json_load_at(store->dir_fd, entry->d_name, &removed)
                             : NULL;
        if (record) {
            ct_json_append(records, record);
        }
    }
    return records;
}

static json_t *find_by_name(const json_t *records, const char *name)
{
    size_t i;
    json_t *record;
    json_array_foreach((json_t *)records, i, record)
    {
        if (strcmp(ct_json_string(record, "Name", ""), name) == 0) {
            return record;
        }
    }
    return NULL;
}

/* The three that always are. The bridge's subnet is chosen when it is first needed. */
static int ensure_predefined(struct network_store *store, struct ct_error *err)
{
    CT_AUTO_CLOSE int lock = network_store_lock(store, err);
    CT_AUTO_JSON json_t *records = lock < 0 ? NULL : read_records(store, err);

    if (!records) {
        return -1;
    }
    for (size_t i = 0; i < sizeof(predefined) / sizeof(predefined[0]); i++) {
        if (find_by_name(records, predefined[i].name)) {
            continue;
        }
        CT_AUTO_JSON json_t *record = new_record(predefined[i].name, predefined[i].driver);
        struct subnet subnet;
        if (strcmp(predefined[i].driver, "bridge") == 0) {
            if (subnet_choose(store, &subnet, err) < 0) {
                return -1;
            }
            record_set_subnet(record, subnet, subnet.address + 1);
            ct_json_set(record, "AutoSubnet", json_true());
        }
        if (record_save(store, record, err) < 0) {
            return -1;
        }
    }
    return 0;
}

struct network_store *network_store_open(const char *dir, const char *run_dir, struct ct_error *err)
{
    struct network_store *store = calloc(1, sizeof(*store));
    if (!store) {
        return ct_fail_null(err, ENOMEM, "open the networks");
    }
    store->dir = ct_strdup(dir);
    store->run_dir = ct_strdup(run_dir);
    store->run_fd = -1;
    store->dir_fd = ct_mkdirs(dir, 0700, err);
    store->run_fd = store->dir_fd < 0 ? -1 : ct_mkdirs(run_dir, 0700, err);
    if (store->run_fd < 0 || ensure_predefined(store, err) < 0) {
        network_store_close(store);
        return NULL;
    }
    return store;
}

void network_store_close(struct network_store *store)
{
    if (store) {
        ct_cleanup_close(&store->dir_fd);
        ct_cleanup_close(&store->run_fd);
        free(store->dir);
        free(store->run_dir);
        free(store);
    }
}

json_t *record_find(struct network_store *store, const char *reference, struct ct_error *err)
{
    CT_AUTO_JSON json_t *records = read_records(store, err);
    json_t *found = records ? find_by_name(records, reference) : NULL;
    size_t length = strlen(reference);
    size_t i;
    json_t *record;

    if (!records) {
        return NULL;
    }
    json_array_foreach(records, i, record)
    {
        if (found || length < 1 ||
            strncmp(ct_json_string(record, "Id", ""), reference, length) != 0) {
            continue;
        }
        found = record;
        for (size_t j = i + 1; j < json_array_size(records); j++) {
            if (strncmp(ct_json_string(json_array_get(records, j), "Id", ""), reference, length) ==
                0) {
                return ct_refuse_null(err, CT_INVALID, "network id prefix '%.64s' is ambiguous",
                                      reference);
            }
        }
    }
    if (!found) {
        return ct_refuse_null(err, CT_NOT_FOUND, "network %.64s not found", reference);
    }
    return json_incref(found);
}

/* Without what is the store's own business. */
static json_t *as_document(json_t *record)
{
    (void)json_object_del(record, "AutoSubnet");
    return record;
}

json_t *network_find(struct network_store *store, const char *reference, struct ct_error *err)
{
    json_t *record = record_find(store, reference, err);
    return record ? as_document(record) : NULL;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(ct_json_string(*(json_t *const *)a, "Name", ""),
                  ct_json_string(*(json_t *const *)b, "Name", ""));
}

json_t *network_list(struct network_store *store, struct ct_error *err)
{
    CT_AUTO_JSON json_t *records = read_records(store, err);
    size_t n = json_array_size(records);
    CT_AUTO_FREE json_t **items = calloc(n + 1, sizeof(*items));

    if (!records || !items) {
        return records ? ct_fail_null(err, ENOMEM, "list networks") : NULL;
    }
    for (size_t i = 0; i < n; i++) {
        items[i] = json_array_get(records, i);
    }
    qsort(items, n, sizeof(*items), by_name);
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        ct_json_append(list, as_document(json_incref(items[i])));
    }
    return list;
}

static int check_name(const char *name, struct ct_error *err)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t length = strlen(name);

    if (length < 1 || length > NAME_MAX_BYTES || strspn(name, allowed) != length ||
        strchr("_.-", name[0])) {
        return ct_refuse(err, CT_INVALID,
                         "invalid network name '%.64s': only [a-zA-Z0-9][a-zA-Z0-9_.-]* is allowed",
                         name);
    }
    return 0;
}

static int check_body(const json_t *body, struct ct_error *err)
{
    const char *driver = ct_json_string(body, "Driver", "bridge");
    const char *option;
    json_t *value;

    if (*driver && strcmp(driver, "bridge") != 0) {
        return ct_refuse(err, CT_UNSUPPORTED, "network driver '%.40s': there is only bridge",
                         driver);
    }
    if (ct_json_bool(body, "EnableIPv6", false)) {
        return ct_refuse(err, CT_UNSUPPORTED, "an IPv6 network is not in stage 01-monolith");
    }
    json_object_foreach(json_object_get(body, "Options"), option, value)
    {
        return ct_refuse(err, CT_UNSUPPORTED, "network option '%.60s' is not in stage 01-monolith",
                         option);
    }
    if (ct_json_count(ct_json_get(body, "IPAM.Config")) > 1) {
        return ct_refuse(err, CT_UNSUPPORTED, "more than one subnet is not in stage 01-monolith");
    }
    return check_name(ct_json_string(body, "Name", ""), err);
}

/* The subnet that was asked for: free on this host and inside itself consistent. */
static int take_subnet(struct network_store *store, const json_t *config, json_t *record,
                       struct ct_error *err)
{
    struct subnet subnet, range;
    const char *gateway_text = ct_json_string(config, "Gateway", "");
    const char *range_text = ct_json_string(config, "IPRange", "");
    CT_AUTO_JSON json_t *records = network_list(store, err);
    size_t i;
    json_t *other;

    if (!records || subnet_parse(ct_json_string(config, "Subnet", ""), &subnet, err) < 0) {
        return -1;
    }
    uint32_t gateway = subnet.address + 1;
    if (*gateway_text && address_parse(gateway_text, &gateway, err) < 0) {
        return -1;
    }
    if (!subnet_contains(subnet, gateway)) {
        return ct_refuse(err, CT_INVALID, "no matching subnet for gateway %s", gateway_text);
    }
    json_array_foreach(records, i, other)
    {
        struct ct_error none = {0};
        struct subnet theirs;
        uint32_t ignored;
        if (record_subnet(other, &theirs, &ignored, &none) == 0 &&
            subnets_overlap(subnet, theirs)) {
            return ct_refuse(err, CT_CONFLICT,
                             "pool overlaps with other one on this address space: network %s",
                             ct_json_string(other, "Name", ""));
        }
    }
    int used = host_uses_subnet(subnet, NULL, err);
    if (used != 0) {
        return used < 0
                   ? -1
                   : ct_refuse(err, CT_CONFLICT, "the host itself uses addresses of this subnet");
    }
    record_set_subnet(record, subnet, gateway);
    if (*range_text) {
        if (subnet_parse(range_text, &range, err) < 0) {
            return -1;
        }
        if (!subnet_contains(subnet, range.address) || range.prefix < subnet.prefix) {
            return ct_refuse(err, CT_INVALID, "ip-range %s is not inside the subnet", range_text);
        }
        ct_json_set_string(json_array_get(ct_json_get(record, "IPAM.Config"), 0), "IPRange",
                           range_text);
    }
    return 0;
}

static int choose_subnet(struct network_store *store, json_t *record, struct ct_error *err)
{
    struct subnet subnet;
    if (subnet_choose(store, &subnet, err) < 0) {
        return -1;
    }
    record_set_subnet(record, subnet, subnet.address + 1);
    ct_json_set(record, "AutoSubnet", json_true());
    return 0;
}

int network_create(struct network_store *store, const json_t *body, char **ret_id,
                   struct ct_error *err)
{
    const char *name = ct_json_string(body, "Name", "");
    const json_t *config = json_array_get(ct_json_get(body, "IPAM.Config"), 0);
    json_t *labels = json_object_get(body, "Labels");

    if (check_body(body, err) < 0) {
        return -1;
    }
    CT_AUTO_CLOSE int lock = network_store_lock(store, err);
    CT_AUTO_JSON json_t *records = lock < 0 ? NULL : read_records(store, err);
    if (!records) {
        return -1;
    }
    if (find_by_name(records, name)) {
        return ct_refuse(err, CT_EXISTS, "network with name %s already exists", name);
    }
    CT_AUTO_JSON json_t *record = new_record(name, "bridge");
    ct_json_set(record, "Internal", json_boolean(ct_json_bool(body, "Internal", false)));
    ct_json_set(record, "Attachable", json_boolean(ct_json_bool(body, "Attachable", false)));
    if (json_is_object(labels)) {
        ct_json_set(record, "Labels", json_deep_copy(labels));
    }
    bool given = *ct_json_string(config, "Subnet", "") != '\0';
    if (!given &&
        (*ct_json_string(config, "Gateway", "") || *ct_json_string(config, "IPRange", ""))) {
        return ct_refuse(err, CT_INVALID, "a gateway or ip-range needs a subnet");
    }
    if ((given ? take_subnet(store, config, record, err) : choose_subnet(store, record, err)) < 0 ||
        record_save(store, record, err) < 0) {
        return -1;
    }
    *ret_id = ct_strdup(ct_json_string(record, "Id", ""));
    return 0;
}

int network_remove(struct network_store *store, const char *reference, struct ct_error *err)
{
    CT_AUTO_CLOSE int lock = network_store_lock(store, err);
    CT_AUTO_JSON json_t *record = lock < 0 ? NULL : record_find(store, reference, err);
    const char *id = ct_json_string(record, "Id", "");
    const char *name = ct_json_string(record, "Name", "");
    CT_AUTO_JSON json_t *allocations = record ? allocations_load(store, id, err) : NULL;

    if (!allocations) {
        return -1;
    }
    for (size_t i = 0; i < sizeof(predefined) / sizeof(predefined[0]); i++) {
        if (strcmp(name, predefined[i].name) == 0) {
            return ct_refuse(err, CT_DENIED, "%s is a pre-defined network and cannot be removed",
                             name);
        }
    }
    if (ct_json_count(json_object_get(allocations, "Endpoints")) > 0) {
        return ct_refuse(err, CT_CONFLICT, "network %s has active endpoints", name);
    }
    CT_AUTO_FREE char *file = ct_printf("%s.json", id);
    (void)unlinkat(store->run_fd, file, 0); /* it may never have had an endpoint */
    if (unlinkat(store->dir_fd, file, 0) < 0) {
        return ct_fail(err, errno, "remove the record of network '%s'", name);
    }
    return ct_sync_dir(store->dir_fd, err);
}

/*
 * detach.c - takes interfaces back, and what else happens to endpoints that are there.
 *
 * Room:       networks.   Called by: monitor, attach.c; containerd of stage 04.
 */
#define CT_LAYER "networks"
#include "networks_internal.h"

#include "cleanup.h"
#include "json.h"
#include "log.h"
#include "span.h"

#include <stdio.h>
#include <string.h>

void host_device(const char *endpoint_id, char ret[static DEVICE_NAME_BYTES])
{
    (void)snprintf(ret, DEVICE_NAME_BYTES, "ve-%.12s", endpoint_id);
}

void bridge_lower(const json_t *record)
{
    struct ct_error err = {0};
    char bridge[DEVICE_NAME_BYTES];
    char text[512];

    bridge_name(record, bridge);
    if (firewall_remove(record, &err) < 0 || link_delete(bridge, &err) < 0) {
        ct_warn("left behind bridge=%s: %s", bridge, ct_error_render(&err, text, sizeof(text)));
    }
}

/* With the lock held. The record may be gone: then its bridge went with its last endpoint. */
static int detach_locked(struct network_store *store, const json_t *endpoint, struct ct_error *err)
{
    struct ct_error missing = {0};
    char device[DEVICE_NAME_BYTES];
    const char *id = ct_json_string(endpoint, "EndpointID", "");
    const char *network_id = ct_json_string(endpoint, "NetworkID", "");
    CT_AUTO_JSON json_t *record = record_find(store, network_id, &missing);
    CT_AUTO_JSON json_t *allocations = record ? allocations_load(store, network_id, err) : NULL;

    ports_release(id);
    host_device(id, device);
    if (link_delete(device, err) < 0) {
        return -1;
    }
    if (!allocations) {
        return record ? -1 : 0;
    }
    json_t *endpoints = json_object_get(allocations, "Endpoints");
    if (json_object_del(endpoints, id) != 0) {
        return 0; /* taken back already */
    }
    if (allocations_save(store, network_id, allocations, err) < 0) {
        return -1;
    }
    if (json_object_size(endpoints) == 0) {
        bridge_lower(record);
        return 0;
    }
    return firewall_apply(record, allocations, err);
}

int endpoints_forget(struct network_store *store, const char *network_id, const char *container_id,
                     struct ct_error *err)
{
    CT_AUTO_JSON json_t *allocations = allocations_load(store, network_id, err);
    CT_AUTO_JSON json_t *endpoints =
        allocations ? json_copy(json_object_get(allocations, "Endpoints")) : NULL;
    const char *id;
    json_t *endpoint;

    if (!allocations) {
        return -1;
    }
    json_object_foreach(endpoints, id, endpoint)
    {
        if (strcmp(ct_json_string(endpoint, "Container", ""), container_id) == 0 &&
            detach_locked(store, endpoint, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int network_detach(struct network_store *store, const json_t *endpoint, struct ct_error *err)
{
    CT_SPAN(err, NETWORKS_ROLE, CT_STEP_NETWORK, "network_detach(%s)",
            ct_json_string(endpoint, "Network", ""));
    CT_AUTO_CLOSE int lock = network_store_lock(store, err);

    if (lock < 0 || detach_locked(store, endpoint, err) < 0) {
        return ct_while(err, "detach from network '%.64s'",
                        ct_json_string(endpoint, "Network", ""));
    }
    return 0;
}

int network_forget(struct network_store *store, const char *container_id, struct ct_error *err)
{
    CT_AUTO_CLOSE int lock = network_store_lock(store, err);
    CT_AUTO_JSON json_t *list = lock < 0 ? NULL : network_list(store, err);
    size_t i;
    json_t *network;

    if (!list) {
        return -1;
    }
    json_array_foreach(list, i, network)
    {
        if (endpoints_forget(store, ct_json_string(network, "Id", ""), container_id, err) < 0) {
            return ct_while(err, "take back the networks of '%.12s'", container_id);
        }
    }
    return 0;
}

int network_leave(struct network_store *store, const char *reference, const char *container_id,
                  struct ct_error *err)
{
    CT_AUTO_CLOSE int lock = network_store_lock(store, err);
    CT_AUTO_JSON json_t *record = lock < 0 ? NULL : record_find(store, reference, err);

    return record ? endpoints_forget(store, ct_json_string(record, "Id", ""), container_id, err)
                  : -1;
}

/* ---- after a restart of who holds the ports ---------------------------------------------------
 */

static int restore_in(struct network_store *store, const char *network_id,
                      bool (*lives)(void *context, const char *container_id), void *context,
                      struct ct_error *err)
{
    CT_AUTO_JSON json_t *allocations = allocations_load(store, network_id, err);
    CT_AUTO_JSON json_t *endpoints =
        allocations ? json_copy(json_object_get(allocations, "Endpoints")) : NULL;
    const char *id;
    json_t *endpoint;

    if (!allocations) {
        return -1;
    }
    json_object_foreach(endpoints, id, endpoint)
    {
        if (lives(context, ct_json_string(endpoint, "Container", ""))) {
            ports_hold_again(id, json_object_get(endpoint, "Ports"));
        } else if (detach_locked(store, endpoint, err) < 0) {
            return -1;
        }
    }
    return 0;
}

int network_restore(struct network_store *store,
                    bool (*lives)(void *context, const char *container_id), void *context,
                    struct ct_error *err)
{
    CT_AUTO_CLOSE int lock = network_store_lock(store, err);
    CT_AUTO_JSON json_t *list = lock < 0 ? NULL : network_list(store, err);
    size_t i;
    json_t *network;

    if (!list) {
        return -1;
    }
    json_array_foreach(list, i, network)
    {
        if (restore_in(store, ct_json_string(network, "Id", ""), lives, context, err) < 0) {
            return ct_while(err, "restore network '%.64s'", ct_json_string(network, "Name", ""));
        }
    }
    return 0;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* The endpoints of a container on one network get another name. */
static int rename_in(struct network_store *store, const char *network_id, const char *container_id,
                     const char *name, struct ct_error *err)
{
    CT_AUTO_JSON json_t *allocations = allocations_load(store, network_id, err);
    const char *id;
    json_t *endpoint;
    bool changed = false;

    if (!allocations) {
        return -1;
    }
    json_object_foreach(json_object_get(allocations, "Endpoints"), id, endpoint)
    {
        if (strcmp(ct_json_string(endpoint, "Container", ""), container_id) == 0) {
            ct_json_set_string(endpoint, "Name", name);
            changed = true;
        }
    }
    return changed ? allocations_save(store, network_id, allocations, err) : 0;
}

int network_rename(struct network_store *store, const char *container_id, const char *name,
                   struct ct_error *err)
{
    CT_AUTO_CLOSE int lock = network_store_lock(store, err);
    CT_AUTO_JSON json_t *list = lock < 0 ? NULL : network_list(store, err);
    size_t i;
    json_t *network;

    if (!list) {
        return -1;
    }
    json_array_foreach(list, i, network)
    {
        if (rename_in(store, ct_json_string(network, "Id", ""), container_id, name, err) < 0) {
            return ct_while(err, "rename '%.12s' on its networks", container_id);
        }
    }
    return 0;
}

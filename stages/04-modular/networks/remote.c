/*
 * remote.c - networks that containerd keeps: each function is a call of
 * cutaway.services.networks.v1.
 *
 * Room:       networks (stage 04).   Called by: front.c.
 * Spec:       api/own/cutaway/services/networks/v1/networks.proto.
 */
#define CT_LAYER "networks"
#include "networks_ops.h"

#include "connection.h"
#include "network_messages.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "span.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define RESOLVE_TIMEOUT_MS 2000 /* then programs ask again anyway */

struct network_backend { /* containerd has it all */
    char nothing;
};

static struct network_backend *network_remote_open(const char *dir, const char *run_dir,
                                                   struct ct_error *err)
{
    struct network_backend *store = calloc(1, sizeof(*store));

    (void)dir;
    (void)run_dir;
    return store ? store : ct_fail_null(err, ENOMEM, "open the networks");
}

static void network_remote_close(struct network_backend *store)
{
    free(store);
}

static int call(const char *method, const void *request, ProtobufCMessage **ret,
                struct ct_error *err)
{
    return connection_call(NETWORKS_SERVICE, method, request, CONNECTION_TIMEOUT_MS, ret, err);
}

static char *borrow(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* ---- records -------------------------------------------------------------------------------- */

static int network_remote_create(struct network_backend *store, const json_t *body, char **ret_id,
                                 struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_NETWORK, "Networks/Create %s",
            ct_json_string(body, "Name", ""));
    CONNECTION_AUTO_MESSAGE ProtobufCMessage *answer = NULL;
    struct pool pool = {0};

    (void)store;
    int result = call("Create", network_body_to_message(body, &pool), &answer, err);
    pool_done(&pool);
    if (result == 0) {
        *ret_id =
            ct_strdup(((const Cutaway__Services__Networks__V1__CreateNetworkResponse *)answer)->id);
    }
    return result;
}

static json_t *network_remote_find(struct network_backend *store, const char *reference,
                                   struct ct_error *err)
{
    Cutaway__Services__Networks__V1__GetNetworkRequest request =
        CUTAWAY__SERVICES__NETWORKS__V1__GET_NETWORK_REQUEST__INIT;
    CONNECTION_AUTO_MESSAGE ProtobufCMessage *answer = NULL;

    (void)store;
    request.network = borrow(reference);
    if (call("Get", &request, &answer, err) < 0) {
        return NULL;
    }
    const Cutaway__Services__Networks__V1__GetNetworkResponse *response = (void *)answer;
    return response->network
               ? network_from_message(response->network)
               : ct_refuse_null(err, CT_SYSTEM, "read containerd's answer: no network is in it");
}

static json_t *network_remote_list(struct network_backend *store, struct ct_error *err)
{
    Cutaway__Services__Networks__V1__ListNetworksRequest request =
        CUTAWAY__SERVICES__NETWORKS__V1__LIST_NETWORKS_REQUEST__INIT;
    CONNECTION_AUTO_MESSAGE ProtobufCMessage *answer = NULL;

    (void)store;
    if (call("List", &request, &answer, err) < 0) {
        return NULL;
    }
    const Cutaway__Services__Networks__V1__ListNetworksResponse *response = (void *)answer;
    json_t *list = json_array();
    for (size_t i = 0; i < response->n_networks; i++) {
        ct_json_append(list, network_from_message(response->networks[i]));
    }
    return list;
}

static int network_remote_remove(struct network_backend *store, const char *reference,
                                 struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_CLEANUP, "Networks/Delete %s", reference);
    Cutaway__Services__Networks__V1__DeleteNetworkRequest request =
        CUTAWAY__SERVICES__NETWORKS__V1__DELETE_NETWORK_REQUEST__INIT;

    (void)store;
    request.network = borrow(reference);
    return call("Delete", &request, NULL, err);
}

/* ---- endpoints ------------------------------------------------------------------------------ */

static int network_remote_leave(struct network_backend *store, const char *reference,
                                const char *container_id, struct ct_error *err)
{
    Cutaway__Services__Networks__V1__ForgetRequest request =
        CUTAWAY__SERVICES__NETWORKS__V1__FORGET_REQUEST__INIT;

    (void)store;
    request.container_id = borrow(container_id);
    request.network = borrow(reference);
    return call("Forget", &request, NULL, err);
}

/* The answer was lost, and with it the endpoint's id. If containerd is gone, its next start finds
 * the endpoint: it is of a task that will not be there. */
static void undo_attach(struct network_backend *store, const struct network_request *request,
                        const struct ct_error *why)
{
    struct ct_error ignored = {0};

    if (why->kind == CT_UNREACHABLE || why->kind == CT_TIMEOUT) {
        (void)network_remote_leave(store, request->network, request->container_id, &ignored);
    }
}

static int network_remote_attach(struct network_backend *store,
                                 const struct network_request *request, int netns_fd,
                                 json_t **ret_endpoint, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_MONITOR, CT_STEP_NETWORK, "Networks/Attach %.12s to %s",
            request->container_id, request->network);
    CONNECTION_AUTO_MESSAGE ProtobufCMessage *answer = NULL;
    struct pool pool = {0};
    struct stat netns;

    if (fstat(netns_fd, &netns) < 0) {
        return ct_fail(err, errno, "look at a network namespace");
    }
    int result = call("Attach", attach_to_message(request, netns.st_ino, &pool), &answer, err);
    pool_done(&pool);
    if (result < 0) {
        undo_attach(store, request, err);
        return -1;
    }
    const Cutaway__Services__Networks__V1__AttachResponse *response = (void *)answer;
    if (!response->endpoint) {
        return ct_refuse(err, CT_SYSTEM, "read containerd's answer: no endpoint is in it");
    }
    *ret_endpoint = endpoint_from_message(response->endpoint);
    return 0;
}

static int network_remote_detach(struct network_backend *store, const json_t *endpoint,
                                 struct ct_error *err)
{
    Cutaway__Services__Networks__V1__DetachRequest request =
        CUTAWAY__SERVICES__NETWORKS__V1__DETACH_REQUEST__INIT;

    (void)store;
    request.network_id = borrow(ct_json_string(endpoint, "NetworkID", ""));
    request.endpoint_id = borrow(ct_json_string(endpoint, "EndpointID", ""));
    request.network = borrow(ct_json_string(endpoint, "Network", ""));
    CT_SPAN(err, CT_ROLE_MONITOR, CT_STEP_NETWORK, "Networks/Detach %.12s", request.endpoint_id);
    return call("Detach", &request, NULL, err);
}

static int network_remote_forget(struct network_backend *store, const char *container_id,
                                 struct ct_error *err)
{
    return network_remote_leave(store, "", container_id, err);
}

static int network_remote_rename(struct network_backend *store, const char *container_id,
                                 const char *name, struct ct_error *err)
{
    Cutaway__Services__Networks__V1__RenameRequest request =
        CUTAWAY__SERVICES__NETWORKS__V1__RENAME_REQUEST__INIT;

    (void)store;
    request.container_id = borrow(container_id);
    request.name = borrow(name);
    return call("Rename", &request, NULL, err);
}

/* ---- names ---------------------------------------------------------------------------------- */

/* How many bytes went into answer; 0 and -1 as network_resolver_answer() has them. */
static int take_answer(const Cutaway__Services__Networks__V1__ResolveResponse *response,
                       unsigned char *answer, size_t size)
{
    size_t n = response->answer.len;

    if (response->outcome == CUTAWAY__SERVICES__NETWORKS__V1__RESOLVE_RESPONSE__OUTCOME__NOT_OURS) {
        return 0;
    }
    if (response->outcome != CUTAWAY__SERVICES__NETWORKS__V1__RESOLVE_RESPONSE__OUTCOME__ANSWERED ||
        n == 0 || n > size) {
        return -1;
    }
    memcpy(answer, response->answer.data, n);
    return (int)n;
}

/* Without containerd nobody knows whose a name is: a query is not passed on to others (they would
 * learn it), but dropped; it comes again. */
static int network_remote_answer(struct network_backend *store, const json_t *endpoints,
                                 const unsigned char *query, size_t length, unsigned char *answer,
                                 size_t size)
{
    ResolveMessage request = CUTAWAY__SERVICES__NETWORKS__V1__RESOLVE_REQUEST__INIT;
    CONNECTION_AUTO_MESSAGE ProtobufCMessage *response = NULL;
    struct ct_error lost = {0};
    struct pool pool = {0};

    (void)store;
    endpoints_to_message(endpoints, &request, &pool);
    request.query.data = (uint8_t *)(uintptr_t)query;
    request.query.len = length;
    request.size = (uint32_t)size;
    int result = connection_call(NETWORKS_SERVICE, "Resolve", &request, RESOLVE_TIMEOUT_MS,
                                 &response, &lost);
    pool_done(&pool);
    return result < 0 ? -1 : take_answer((void *)response, answer, size);
}

const struct network_ops network_remote_ops = {
    .open = network_remote_open,
    .close = network_remote_close,
    .create = network_remote_create,
    .find = network_remote_find,
    .list = network_remote_list,
    .remove = network_remote_remove,
    .attach = network_remote_attach,
    .detach = network_remote_detach,
    .forget = network_remote_forget,
    .leave = network_remote_leave,
    .rename = network_remote_rename,
    .answer = network_remote_answer,
};

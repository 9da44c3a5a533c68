/*
 * network_service.c - the service Networks: stage 01's room for those who ask by messages.
 *
 * Room:       containerd.   Called by: grpc_server.c, by the table below.
 * Spec:       api/own/cutaway/services/networks/v1/networks.proto.
 *
 * Here the published ports are held, by sockets of this process. spaces.c holds them again after a
 * restart.
 */
#include "tasks.h"

#include "network_messages.h"

#include "json.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define STATE_MS 2000

typedef Cutaway__Services__Networks__V1__ResolveResponse__Outcome Outcome;
#define OUTCOME(name) CUTAWAY__SERVICES__NETWORKS__V1__RESOLVE_RESPONSE__OUTCOME__##name

/* ---- records -------------------------------------------------------------------------------- */

static int create(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    Cutaway__Services__Networks__V1__CreateNetworkResponse *answer = response;
    CT_AUTO_JSON json_t *body = network_body_from_message(request);
    struct network_store *store = space_touch(call, err) < 0 ? NULL : networks_of(call, err);
    char *id = NULL;

    if (!store || network_create(store, body, &id, err) < 0) {
        return -1;
    }
    answer->id = pool_keep(grpc_pool(call), id);
    return 0;
}

static int get(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Cutaway__Services__Networks__V1__GetNetworkRequest *ask = request;
    Cutaway__Services__Networks__V1__GetNetworkResponse *answer = response;
    struct network_store *store = networks_of(call, err);
    CT_AUTO_JSON json_t *network = store ? network_find(store, ask->network, err) : NULL;

    answer->network = network ? network_to_message(network, grpc_pool(call)) : NULL;
    return network ? 0 : -1;
}

static int list(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    Cutaway__Services__Networks__V1__ListNetworksResponse *answer = response;
    struct network_store *store = networks_of(call, err);
    CT_AUTO_JSON json_t *networks = store ? network_list(store, err) : NULL;
    size_t i;
    json_t *network;

    (void)request;
    json_array_foreach(networks, i, network)
    {
        list_add((void ***)&answer->networks, &answer->n_networks,
                 network_to_message(network, grpc_pool(call)), grpc_pool(call));
    }
    return networks ? 0 : -1;
}

static int delete_network(struct grpc_call *call, const void *request, void *response,
                          struct ct_error *err)
{
    const Cutaway__Services__Networks__V1__DeleteNetworkRequest *ask = request;
    struct network_store *store = networks_of(call, err);

    (void)response;
    return store ? network_remove(store, ask->network, err) : -1;
}

/* ---- a task's network namespace ------------------------------------------------------------- */

static int first_process(const struct task *task, uint32_t *ret_pid, struct ct_error *err)
{
    Containerd__Task__V2__StateRequest request = CONTAINERD__TASK__V2__STATE_REQUEST__INIT;
    ProtobufCMessage *answer = NULL;

    request.id = task->id;
    if (shim_ask(task, "State", &request, STATE_MS, -1, &answer, err) < 0) {
        return -1;
    }
    const Containerd__Task__V2__StateResponse *state = (void *)answer;
    bool ended = state->pid == 0 || state->status == CONTAINERD__V1__TYPES__STATUS__STOPPED;
    *ret_pid = state->pid;
    protobuf_c_message_free_unpacked(answer, NULL);
    return ended ? ct_refuse(err, CT_CONFLICT, "task '%.76s' has ended", task->id) : 0;
}

/* That of the process whose shim is ours: nobody else says where it is. The inode that the caller
 * means is of a namespace that it holds open, so no other one can have it, also when the process
 * ends meanwhile and another gets its number. */
static int open_netns(const struct task *task, uint64_t inode, struct ct_error *err)
{
    struct stat status;
    uint32_t pid;

    if (first_process(task, &pid, err) < 0) {
        return -1;
    }
    CT_AUTO_FREE char *path = ct_printf("/proc/%u/ns/net", pid);
    CT_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0) {
        return ct_fail(err, errno, "open the network namespace of task '%.76s'", task->id);
    }
    if (status.st_ino != inode) {
        return ct_refuse(err, CT_INVALID, "task '%.76s' is in another network namespace", task->id);
    }
    return ct_steal_fd(&fd);
}

/* An interface of a container's must not appear among the host's own. */
static int check_not_the_hosts(struct network_store *store, const char *network, int netns,
                               struct ct_error *err)
{
    struct stat host, theirs;

    if (stat("/proc/self/ns/net", &host) < 0 || fstat(netns, &theirs) < 0) {
        return ct_fail(err, errno, "look at a network namespace");
    }
    if (host.st_ino != theirs.st_ino) {
        return 0;
    }
    CT_AUTO_JSON json_t *record = network_find(store, network, err);
    if (record && strcmp(ct_json_string(record, "Driver", ""), "bridge") == 0) {
        return ct_refuse(err, CT_INVALID, "the container is in the host's network");
    }
    return record ? 0 : -1;
}

/* ---- endpoints ------------------------------------------------------------------------------ */

/* Ids of ours become names of files and devices. */
static int check_id(const char *what, const char *id, struct ct_error *err)
{
    bool is_id = strlen(id) == 64 && strspn(id, "0123456789abcdef") == 64;

    return is_id ? 0 : ct_refuse(err, CT_INVALID, "'%.80s' is no id of %s", id, what);
}

static int attach(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const AttachMessage *ask = request;
    Cutaway__Services__Networks__V1__AttachResponse *answer = response;
    struct network_request wanted;
    CT_AUTO_JSON json_t *parts = NULL, *endpoint = NULL;
    struct network_store *store = networks_of(call, err);
    AUTO_TASK struct task *task =
        store ? task_get(containerd_of(call), namespace_of(call), ask->container_id, err) : NULL;
    CT_AUTO_CLOSE int netns = task ? open_netns(task, ask->netns, err) : -1;

    attach_from_message(ask, &wanted, &parts);
    if (netns < 0 || check_not_the_hosts(store, ask->network, netns, err) < 0) {
        return ct_while(err, "attach to network '%.64s'", ask->network);
    }
    if (network_attach(store, &wanted, netns, &endpoint, err) < 0) {
        return -1;
    }
    answer->endpoint = endpoint_to_message(endpoint, grpc_pool(call));
    return 0;
}

static int detach(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Cutaway__Services__Networks__V1__DetachRequest *ask = request;
    CT_AUTO_JSON json_t *endpoint = json_object();
    struct network_store *store = networks_of(call, err);

    (void)response;
    if (!store || check_id("a network", ask->network_id, err) < 0 ||
        check_id("an endpoint", ask->endpoint_id, err) < 0) {
        return -1;
    }
    ct_json_set_string(endpoint, "NetworkID", ask->network_id);
    ct_json_set_string(endpoint, "EndpointID", ask->endpoint_id);
    ct_json_set_string(endpoint, "Network", ask->network);
    return network_detach(store, endpoint, err);
}

static int forget(struct grpc_call *call, const void *request, void *response, struct ct_error *err)
{
    const Cutaway__Services__Networks__V1__ForgetRequest *ask = request;
    struct network_store *store = networks_of(call, err);

    (void)response;
    if (!store) {
        return -1;
    }
    return *ask->network ? network_leave(store, ask->network, ask->container_id, err)
                         : network_forget(store, ask->container_id, err);
}

static int rename_container(struct grpc_call *call, const void *request, void *response,
                            struct ct_error *err)
{
    const Cutaway__Services__Networks__V1__RenameRequest *ask = request;
    struct network_store *store = networks_of(call, err);

    (void)response;
    return store ? network_rename(store, ask->container_id, ask->name, err) : -1;
}

/* ---- names ---------------------------------------------------------------------------------- */

/* length: as network_resolver_answer() has it. */
static Outcome outcome_of(int length)
{
    if (length > 0) {
        return OUTCOME(ANSWERED);
    }
    return length == 0 ? OUTCOME(NOT_OURS) : OUTCOME(DROP);
}

static int resolve(struct grpc_call *call, const void *request, void *response,
                   struct ct_error *err)
{
    const ResolveMessage *ask = request;
    Cutaway__Services__Networks__V1__ResolveResponse *answer = response;
    size_t size = ask->size < NETWORK_DNS_MAX ? ask->size : NETWORK_DNS_MAX;
    struct network_store *store = networks_of(call, err);

    for (size_t i = 0; store && i < ask->n_networks; i++) {
        store = check_id("a network", ask->networks[i]->id, err) < 0 ? NULL : store;
    }
    if (!store) {
        return -1;
    }
    CT_AUTO_JSON json_t *endpoints = endpoints_from_message(ask);
    answer->answer.data = pool_array(grpc_pool(call), size, 1);
    int n = network_resolver_answer(store, endpoints, ask->query.data, ask->query.len,
                                    answer->answer.data, size);
    answer->answer.len = n > 0 ? (size_t)n : 0;
    answer->outcome = outcome_of(n);
    return 0;
}

static const struct grpc_method methods[] = {
    {"Create", create, NULL},   {"Get", get, NULL},
    {"List", list, NULL},       {"Delete", delete_network, NULL},
    {"Attach", attach, NULL},   {"Detach", detach, NULL},
    {"Forget", forget, NULL},   {"Rename", rename_container, NULL},
    {"Resolve", resolve, NULL},
};

const struct grpc_service networks_service = {NETWORKS_SERVICE, methods,
                                              sizeof(methods) / sizeof(methods[0])};

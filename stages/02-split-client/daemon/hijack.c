/*
 * hijack.c - a connection that stops being HTTP: attach and exec.
 *
 * Room:       daemon.   Called by: reply.c.
 * Spec:       Docker Engine API 1.43, "Attach to a container": after "101 UPGRADED" bytes to the
 *             program go one way, stdcopy frames (raw with a terminal) the other. A client that
 *             half-closes has no more input; the output goes on to its end.
 */
#define CT_LAYER "daemon"
#include "daemon_internal.h"

#include "cleanup.h"
#include "file.h"
#include "relay.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>

struct hijack {
    struct talk talk;
    int client_fd, engine_fd;                 /* owned */
    struct hijack **slot;                     /* where the request keeps it until it begins */
    struct MHD_UpgradeResponseHandle *handle; /* kept to the end: TLS; or NULL */
};

static atomic_int n_handles; /* that are kept */
static atomic_bool ending;

/*
 * Clients read the head through a buffer and then go on with the bare socket (docker-py, for one):
 * what a quick program has printed by then would be lost in that buffer. So it is sent when the
 * head has been read: a unix socket knows. At most 100 ms.
 */
static void await_head_read(int client)
{
    const struct timespec step = {.tv_nsec = 100000};
    int unread = 0;

    for (int i = 0; i < 1000 && ioctl(client, SIOCOUTQ, &unread) == 0 && unread > 0; i++) {
        (void)nanosleep(&step, NULL);
    }
}

void hijack_drop(struct hijack *hijack)
{
    if (!hijack) {
        return;
    }
    ct_cleanup_close(&hijack->engine_fd);
    ct_cleanup_close(&hijack->client_fd);
    free(hijack);
}

/* Before the last descriptor goes: to the library the end of it is something else. */
static void give_handle_back(struct hijack *hijack)
{
    if (hijack->handle) {
        (void)MHD_upgrade_action(hijack->handle, MHD_UPGRADE_ACTION_CLOSE);
        hijack->handle = NULL;
        (void)atomic_fetch_sub(&n_handles, 1);
    }
}

static void *run(void *context)
{
    struct hijack *hijack = context;

    await_head_read(hijack->client_fd);
    ct_relay(hijack->client_fd, hijack->engine_fd, hijack->talk.cancel_fd);
    talk_end(&hijack->talk);
    give_handle_back(hijack);
    hijack_drop(hijack);
    return NULL;
}

static int start(struct hijack *hijack, const char *extra, size_t extra_size)
{
    struct ct_error ignored = {0}; /* the answer is out: only closing is left to say */
    pthread_t thread;

    if (ct_write_all(hijack->engine_fd, extra, extra_size) < 0 ||
        talk_begin(&hijack->talk, &ignored) < 0) {
        return -1;
    }
    if (pthread_create(&thread, NULL, run, hijack) != 0) {
        talk_end(&hijack->talk);
        return -1;
    }
    (void)pthread_detach(thread);
    return 0;
}

/* Over TLS the library itself passes the bytes on, and only to a connection that it has not back.
 */
static bool is_tls(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    return info && info->tls_session;
}

/*
 * In the connection's own thread, which the library needs back: the relay gets another one, and a
 * copy of the descriptor. The library has its own back at once: it frees the connection when it is
 * stopped, and a relay that told it later that it may close would have nobody left to tell. With
 * TLS that cannot be; then hijacks_end() waits for the relays before the library is stopped.
 */
static void begin(void *context, struct MHD_Connection *connection, void *request,
                  const char *extra, size_t extra_size, MHD_socket client,
                  struct MHD_UpgradeResponseHandle *handle)
{
    struct hijack *hijack = context;

    (void)request;
    *hijack->slot = NULL;
    hijack->client_fd = fcntl(client, F_DUPFD_CLOEXEC, 3);
    if (is_tls(connection)) {
        hijack->handle = handle;
        (void)atomic_fetch_add(&n_handles, 1); /* first, so that one of the two sees the other */
    } else {
        (void)MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
    }
    if (hijack->client_fd < 0 || atomic_load(&ending) || start(hijack, extra, extra_size) < 0) {
        give_handle_back(hijack);
        hijack_drop(hijack);
    }
}

void hijacks_begin(void)
{
    atomic_store(&ending, false);
}

void hijacks_end(void)
{
    const struct timespec step = {.tv_nsec = 1000000};

    atomic_store(&ending, true);
    talks_cancel_all();
    while (atomic_load(&n_handles) > 0) {
        (void)nanosleep(&step, NULL); /* a relay never blocks: it is a matter of moments */
        talks_cancel_all();           /* also one that was just beginning */
    }
}

struct MHD_Response *hijack_response(struct rest_request *request, struct rest_reply *reply)
{
    struct hijack *hijack = calloc(1, sizeof(*hijack));
    struct MHD_Response *response = hijack ? MHD_create_response_for_upgrade(begin, hijack) : NULL;

    if (!response) {
        free(hijack);
        return NULL;
    }
    hijack->client_fd = -1;
    hijack->engine_fd = ct_steal_fd(&reply->hijack_fd);
    hijack->slot = &request->hijack;
    request->hijack = hijack;
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_UPGRADE, "tcp");
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->type);
    return response;
}

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
#include "process.h"
#include "relay.h"
#include "units.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#define LINGER_MS 1000

struct hijack {
    struct talk talk;
    int client_fd, engine_fd; /* owned */
    struct hijack **slot;     /* where the request keeps it until it begins */
};

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

/*
 * `yes | docker exec -i web head -1`: closing now, with input that nobody has read, would be a
 * reset, and the client would report that instead of the program's end. So it is told the end of
 * the output first, and has a second to close by itself.
 */
static void linger(const struct hijack *hijack)
{
    char rest[4096];
    struct ct_error over = {0};
    int64_t until_ns = ct_monotonic_ns() + (int64_t)LINGER_MS * 1000000;

    (void)shutdown(hijack->client_fd, SHUT_WR);
    while (ct_monotonic_ns() < until_ns &&
           ct_wait_readable(hijack->client_fd, hijack->talk.cancel_fd, LINGER_MS, &over) == 1 &&
           recv(hijack->client_fd, rest, sizeof(rest), MSG_DONTWAIT) > 0) {
    }
}

static void *run(void *context)
{
    struct hijack *hijack = context;

    await_head_read(hijack->client_fd);
    ct_relay(hijack->client_fd, hijack->engine_fd, hijack->talk.cancel_fd);
    linger(hijack);
    talk_end(&hijack->talk);
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

/*
 * In the connection's own thread, which the library needs back: the relay gets another one, and a
 * copy of the descriptor. The library has its own back at once: it frees the connection when it is
 * stopped, and a relay that told it later that it may close would have nobody left to tell.
 */
static void begin(void *context, struct MHD_Connection *connection, void *request,
                  const char *extra, size_t extra_size, MHD_socket client,
                  struct MHD_UpgradeResponseHandle *handle)
{
    struct hijack *hijack = context;

    (void)connection;
    (void)request;
    *hijack->slot = NULL;
    hijack->client_fd = fcntl(client, F_DUPFD_CLOEXEC, 3);
    (void)MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
    if (hijack->client_fd < 0 || start(hijack, extra, extra_size) < 0) {
        hijack_drop(hijack);
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

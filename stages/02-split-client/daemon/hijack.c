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

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BLOCK_BYTES 32768

/* One direction: what was read and not yet written. */
struct lane {
    int from, to;
    size_t begin, end;
    bool closed; /* from has ended, and to was told */
    char bytes[BLOCK_BYTES];
};

struct hijack {
    struct talk talk;
    int engine_fd;
    struct MHD_UpgradeResponseHandle *handle;
    struct lane input, output;
};

static bool is_empty(const struct lane *lane)
{
    return lane->begin == lane->end;
}

static short wants_read(const struct lane *lane)
{
    return is_empty(lane) && !lane->closed ? POLLIN : 0;
}

static short wants_write(const struct lane *lane)
{
    return is_empty(lane) ? 0 : POLLOUT;
}

/* False when the other side takes nothing any more. */
static bool lane_write(struct lane *lane)
{
    ssize_t n = send(lane->to, lane->bytes + lane->begin, lane->end - lane->begin,
                     MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    lane->begin += (size_t)n;
    return true;
}

static bool lane_read(struct lane *lane)
{
    ssize_t n = recv(lane->from, lane->bytes, sizeof(lane->bytes), MSG_DONTWAIT);
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    if (n == 0) {
        lane->closed = true;
        (void)shutdown(lane->to, SHUT_WR);
        return true;
    }
    lane->begin = 0;
    lane->end = (size_t)n;
    return lane_write(lane);
}

/* Until the engine's side has ended and all of it is sent, the client is gone, or we end. */
static void relay(struct hijack *hijack)
{
    struct lane *input = &hijack->input, *output = &hijack->output;

    while (!output->closed || !is_empty(output)) {
        /* Not looked at while the client is behind: its end would be told again and again. */
        short engine_wants = (short)(wants_read(output) | wants_write(input));
        struct pollfd fds[3] = {
            {.fd = input->from, .events = (short)(wants_read(input) | wants_write(output))},
            {.fd = engine_wants ? output->from : -1, .events = engine_wants},
            {.fd = hijack->talk.cancel_fd, .events = POLLIN},
        };
        if ((poll(fds, 3, -1) < 0 && errno != EINTR) || fds[2].revents) {
            return;
        }
        bool alive = true;
        if (fds[0].revents & (POLLOUT | POLLHUP | POLLERR)) {
            alive = is_empty(output) ? !(fds[0].revents & (POLLHUP | POLLERR)) : lane_write(output);
        }
        if (alive && (fds[1].revents & POLLOUT)) {
            /* A program that takes no more input still prints: the rest is dropped. */
            input->begin = lane_write(input) ? input->begin : input->end;
        }
        if (alive && wants_read(input) && (fds[0].revents & (POLLIN | POLLHUP))) {
            alive = lane_read(input) || !is_empty(output);
        }
        if (alive && wants_read(output) && (fds[1].revents & (POLLIN | POLLHUP | POLLERR))) {
            alive = lane_read(output);
        }
        if (!alive) {
            return;
        }
    }
}

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

static void *run(void *context)
{
    struct hijack *hijack = context;

    await_head_read(hijack->output.to);
    relay(hijack);
    ct_cleanup_close(&hijack->engine_fd);
    (void)MHD_upgrade_action(hijack->handle, MHD_UPGRADE_ACTION_CLOSE);
    talk_end(&hijack->talk);
    free(hijack);
    return NULL;
}

/* In the connection's own thread, which the library needs back: the relay gets another one. */
static void begin(void *context, struct MHD_Connection *connection, void *request,
                  const char *extra, size_t extra_size, MHD_socket client,
                  struct MHD_UpgradeResponseHandle *handle)
{
    struct hijack *hijack = context;
    struct ct_error ignored = {0}; /* the answer is out: only closing is left to say */
    pthread_t thread;

    (void)connection;
    (void)request;
    hijack->handle = handle;
    hijack->input.from = hijack->output.to = client;
    hijack->input.to = hijack->output.from = hijack->engine_fd;
    (void)fcntl(client, F_SETFL, fcntl(client, F_GETFL) | O_NONBLOCK);
    if (ct_write_all(hijack->engine_fd, extra, extra_size) < 0 ||
        talk_begin(&hijack->talk, &ignored) < 0) {
        goto undo_hijack;
    }
    if (pthread_create(&thread, NULL, run, hijack) == 0) {
        (void)pthread_detach(thread);
        return;
    }
    talk_end(&hijack->talk);
undo_hijack:
    ct_cleanup_close(&hijack->engine_fd);
    (void)MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
    free(hijack);
}

struct MHD_Response *hijack_response(struct rest_reply *reply)
{
    struct hijack *hijack = calloc(1, sizeof(*hijack));
    struct MHD_Response *response = hijack ? MHD_create_response_for_upgrade(begin, hijack) : NULL;

    if (!response) {
        free(hijack);
        return NULL;
    }
    hijack->engine_fd = ct_steal_fd(&reply->hijack_fd);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_UPGRADE, "tcp");
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->type);
    return response;
}

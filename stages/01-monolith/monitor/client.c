/*
 * client.c - sends to one attached client, at the client's pace and out of a file.
 *
 * Room:       monitor.   Called by: streams.c.
 * Man:        sendfile(2), open(2) (O_TMPFILE), fallocate(2) (FALLOC_FL_PUNCH_HOLE).
 */
#define CT_LAYER "streams"
#include "client.h"
#include "leftover.h"

#include "cleanup.h"
#include "file.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEND_BYTES (256 << 10)
#define PATIENCE_MS                                                               \
    (10 * 60 * 1000) /* how long the rest is held for a client that takes nothing \
                      */
#define PUNCH_BYTES (4 << 20)

struct client *client_new(const struct streams_client *wanted, struct ct_error *err)
{
    struct client *client = calloc(1, sizeof(*client));
    int flags = fcntl(wanted->fd, F_GETFL);

    if (!client) {
        return ct_fail_null(err, ENOMEM, "attach a client");
    }
    *client = (struct client){
        .fd = wanted->fd, .in = wanted->in, .out = wanted->out, .err = wanted->err, .spill = -1};
    /* sendfile(2) knows no MSG_DONTWAIT. */
    if (flags < 0 || fcntl(wanted->fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        free(client);
        return ct_fail_null(err, errno, "attach a client");
    }
    if (detach_parse(wanted->detach_keys, &client->detach, err) < 0) {
        free(client);
        return NULL;
    }
    return client;
}

void client_free(struct client *client)
{
    loop_unwatch(client->source);
    ct_cleanup_close(&client->fd);
    ct_cleanup_close(&client->spill);
    free(client);
}

long long client_behind(const struct client *client)
{
    return client->tail - client->head;
}

static int keep(struct client *client, const unsigned char *data, size_t length, int spill_dir)
{
    if (client->spill < 0) {
        client->spill = openat(spill_dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    }
    while (client->spill >= 0 && length > 0) {
        ssize_t n = pwrite(client->spill, data, length, client->tail);
        if (n < 0 && errno != EINTR) {
            break;
        }
        client->tail += n > 0 ? n : 0;
        data += n > 0 ? n : 0;
        length -= n > 0 ? (size_t)n : 0;
    }
    if (length > 0) { /* half a frame would be worse than none */
        ct_warn("let a slow client go: what it has not read cannot be kept: %s", strerror(errno));
        return -1;
    }
    return 0;
}

int client_send(struct client *client, const unsigned char *data, size_t length, int spill_dir)
{
    ssize_t sent = 0;

    if (client_behind(client) == 0) {
        sent = send(client->fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            return -1;
        }
        sent = sent < 0 ? 0 : sent;
    }
    return (size_t)sent == length ? 0 : keep(client, data + sent, length - (size_t)sent, spill_dir);
}

/* Gives back the disk space of what was sent. */
static void forget_sent(struct client *client)
{
    if (client->head == client->tail) {
        (void)!ftruncate(client->spill, 0);
        client->head = client->tail = 0;
    } else if (client->head % PUNCH_BYTES < SEND_BYTES) {
        /* Where a file system has no holes, the file is as long as all that was sent. */
        (void)fallocate(client->spill, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, client->head);
    }
}

int client_flush(struct client *client)
{
    off_t left = client->tail - client->head;
    size_t wanted = left > SEND_BYTES ? SEND_BYTES : (size_t)left;

    if (left == 0) {
        return 0;
    }
    ssize_t n = sendfile(client->fd, client->spill, &client->head, wanted);
    if (n <= 0) {
        return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
    }
    forget_sent(client);
    return 0;
}

void client_send_rest(struct client *client)
{
    if (client_behind(client) == 0 || client_flush(client) < 0 || client_behind(client) == 0) {
        return;
    }
    loop_unwatch(client->source); /* of a descriptor that is somebody else's in a moment */
    client->source = NULL;
    leftover_leave((struct leftover){.socket_fd = ct_steal_fd(&client->fd),
                                     .spill_fd = ct_steal_fd(&client->spill),
                                     .head = client->head,
                                     .tail = client->tail});
}

void leftover_send(struct leftover leftover)
{
    struct client client = {.fd = leftover.socket_fd,
                            .spill = leftover.spill_fd,
                            .head = leftover.head,
                            .tail = leftover.tail};
    struct pollfd room = {.fd = client.fd, .events = POLLOUT};

    while (client_behind(&client) > 0 && poll(&room, 1, PATIENCE_MS) > 0) {
        if (client_flush(&client) < 0) {
            return;
        }
    }
}

/*
 * relay.c - moves bytes both ways between a client's connection and a program's stream.
 *
 * Room:       lib.   Called by: see relay.h.
 * Man:        poll(2), shutdown(2).
 */
#define CT_LAYER "relay"
#include "relay.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define BLOCK_BYTES 32768

/* One direction: what was read and not yet written. */
struct lane {
    int from, to;
    size_t begin, end;
    bool closed; /* from has ended, and to was told */
    char bytes[BLOCK_BYTES];
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

/* False when there can be no more, without a proper end. */
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
    return true;
}

/* A program that takes no more input may still print, and have printed: what it was to get is
 * dropped. */
static void write_input(struct lane *input)
{
    if (!is_empty(input) && !lane_write(input)) {
        input->begin = input->end;
    }
}

void ct_relay(int client_fd, int program_fd, int cancel_fd)
{
    struct lane in = {.from = client_fd, .to = program_fd};
    struct lane out = {.from = program_fd, .to = client_fd};
    struct lane *input = &in, *output = &out;

    while (!output->closed || !is_empty(output)) {
        /* Not looked at while the client is behind: its end would be told again and again. */
        short program_wants = (short)(wants_read(output) | wants_write(input));
        struct pollfd fds[3] = {
            {.fd = client_fd, .events = (short)(wants_read(input) | wants_write(output))},
            {.fd = program_wants ? program_fd : -1, .events = program_wants},
            {.fd = cancel_fd, .events = POLLIN},
        };
        if (poll(fds, 3, -1) < 0) {
            if (errno == EINTR) {
                continue;
            }
            return;
        }
        if (fds[2].revents) {
            return;
        }
        bool alive = true;
        if (fds[0].revents & (POLLOUT | POLLHUP | POLLERR)) {
            alive = is_empty(output) ? !(fds[0].revents & (POLLHUP | POLLERR)) : lane_write(output);
        }
        if (alive && (fds[1].revents & POLLOUT)) {
            write_input(input);
        }
        if (alive && wants_read(input) && (fds[0].revents & (POLLIN | POLLHUP))) {
            alive = lane_read(input) || !is_empty(output);
            write_input(input);
        }
        if (alive && wants_read(output) && (fds[1].revents & (POLLIN | POLLHUP | POLLERR))) {
            alive = lane_read(output) && (is_empty(output) || lane_write(output));
        }
        if (!alive) {
            return;
        }
    }
}

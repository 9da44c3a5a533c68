/*
 * streams.c - moves what a program prints and reads.
 *
 * Room:       monitor.   Called by: run.c, execs.c, serve.c.
 * Man:        pty(7), pipe(7), sendfile(2), open(2) (O_TMPFILE).
 */
#define CT_LAYER "streams"
#include "streams.h"

#include "client.h"
#include "journal.h"
#include "logs.h"

#include "cleanup.h"
#include "file.h"
#include "log.h"
#include "path.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#define CHUNK_BYTES 16384
#define INPUT_BYTES 4096

struct output {
    int fd; /* -1: at its end */
    enum log_stream stream;
    struct loop_source *source;
    struct streams *streams;
};

struct streams {
    struct streams_config config;
    int program[3]; /* the program's ends, -1 once it has them */
    struct output outputs[2];
    int input; /* -1: closed, or never open */
    struct loop_source *input_source;
    unsigned char pending_input[INPUT_BYTES + DETACH_KEYS_MAX];
    size_t pending_from, pending_to;
    bool input_ends; /* when the pending bytes are written */
    struct client *clients;
};

static void pump_output(struct output *output);
static void client_ready(void *context, uint32_t events);

static void close_fd(int *fd)
{
    ct_cleanup_close(fd);
    *fd = -1;
}

static struct streams *new_empty(const struct streams_config *config, struct ct_error *err)
{
    struct streams *streams = calloc(1, sizeof(*streams));
    if (!streams) {
        return ct_fail_null(err, ENOMEM, "make streams");
    }
    streams->config = *config;
    streams->input = -1;
    for (size_t i = 0; i < 3; i++) {
        streams->program[i] = -1;
    }
    streams->outputs[0] = (struct output){.fd = -1, .stream = LOG_STDOUT, .streams = streams};
    streams->outputs[1] = (struct output){.fd = -1, .stream = LOG_STDERR, .streams = streams};
    return streams;
}

/* Our end does not block; the program's does, as programs expect. */
static int make_pipe(int *reader, int *writer, int *ours, struct ct_error *err)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0) {
        return ct_fail(err, errno, "make a pipe");
    }
    *reader = ends[0];
    *writer = ends[1];
    if (fcntl(*ours, F_SETFL, O_NONBLOCK | (ours == writer ? O_WRONLY : O_RDONLY)) < 0) {
        return ct_fail(err, errno, "set a pipe up");
    }
    return 0;
}

static int make_pipes(struct streams *streams, struct ct_error *err)
{
    struct output *out = &streams->outputs[0], *error = &streams->outputs[1];

    if (make_pipe(&out->fd, &streams->program[1], &out->fd, err) < 0 ||
        (!streams->config.terminal &&
         make_pipe(&error->fd, &streams->program[2], &error->fd, err) < 0)) {
        return -1;
    }
    if (streams->config.open_stdin) {
        return make_pipe(&streams->program[0], &streams->input, &streams->input, err);
    }
    streams->program[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return streams->program[0] < 0 ? ct_fail(err, errno, "open '/dev/null'") : 0;
}

static int take_master(struct streams *streams, int master, struct ct_error *err)
{
    streams->outputs[0].fd = master;
    if (fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK) < 0) {
        return ct_fail(err, errno, "set a terminal up");
    }
    if (streams->config.open_stdin) { /* a copy: the loop watches each direction by itself */
        streams->input = fcntl(master, F_DUPFD_CLOEXEC, 3);
        return streams->input < 0 ? ct_fail(err, errno, "set a terminal up") : 0;
    }
    return 0;
}

static int make_terminal(struct streams *streams, struct ct_error *err)
{
    char name[64];
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);

    if (master < 0) {
        return ct_fail(err, errno, "open a terminal");
    }
    if (take_master(streams, master, err) < 0) {
        return -1;
    }
    if (unlockpt(master) < 0 || ptsname_r(master, name, sizeof(name)) != 0) {
        return ct_fail(err, errno, "open a terminal's other side");
    }
    for (size_t i = 0; i < 3; i++) {
        streams->program[i] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (streams->program[i] < 0) {
            return ct_fail(err, errno, "open a terminal's other side");
        }
    }
    return 0;
}

struct streams *streams_new(const struct streams_config *config, struct ct_error *err)
{
    struct streams *streams = new_empty(config, err);
    if (streams && (config->terminal && !config->pipes ? make_terminal(streams, err)
                                                       : make_pipes(streams, err)) < 0) {
        streams_free(streams);
        return NULL;
    }
    return streams;
}

void streams_program_ends(const struct streams *streams, int ret[static 3])
{
    memcpy(ret, streams->program, sizeof(streams->program));
}

/* Standard input is not among them: a copy of it elsewhere would keep it from ever ending. */
size_t streams_kept(const struct streams *streams, int ret[static STREAMS_KEPT_MAX])
{
    ret[0] = streams->outputs[0].fd;
    ret[1] = streams->outputs[1].fd;
    return ret[1] < 0 ? 1 : 2;
}

static int recover_output(const struct streams_config *config,
                          const int kept[static STREAMS_KEPT_MAX], struct ct_error *err)
{
    return config->journal && (journal_recover(config->journal, LOG_STDOUT, kept[0], err) < 0 ||
                               journal_recover(config->journal, LOG_STDERR, kept[1], err) < 0)
               ? -1
               : 0;
}

struct streams *streams_adopt(const struct streams_config *config,
                              const int kept[static STREAMS_KEPT_MAX], struct ct_error *err)
{
    struct streams *streams = new_empty(config, err);
    if (!streams) {
        return NULL;
    }
    streams->outputs[1].fd = kept[1];
    if (recover_output(config, kept, err) < 0) {
        streams_free(streams);
        ct_cleanup_close(&kept[0]);
        return NULL;
    }
    if (!config->terminal || config->pipes || kept[0] < 0) {
        streams->outputs[0].fd = kept[0];
    } else if (take_master(streams, kept[0], err) < 0) {
        streams_free(streams);
        return NULL;
    }
    for (size_t i = 0; i < 2; i++) {
        if (kept[i] >= 0 && (!config->terminal || config->pipes)) {
            (void)fcntl(kept[i], F_SETFL, O_RDONLY | O_NONBLOCK); /* it is so already */
        }
    }
    return streams;
}

static void output_ready(void *context, uint32_t events)
{
    (void)events;
    pump_output(context);
}

int streams_begin(struct streams *streams, struct ct_error *err)
{
    for (size_t i = 0; i < 3; i++) {
        close_fd(&streams->program[i]);
    }
    for (size_t i = 0; i < 2; i++) {
        struct output *output = &streams->outputs[i];
        if (output->fd >= 0 && !output->source) {
            output->source =
                loop_watch(streams->config.loop, output->fd, EPOLLIN, output_ready, output, err);
            if (!output->source) {
                return -1;
            }
        }
    }
    return 0;
}

/* Output. */

static bool somebody_is_far_behind(const struct streams *streams)
{
    for (const struct client *c = streams->clients; c; c = c->next) {
        if (client_behind(c) >= STREAMS_BEHIND_MAX) {
            return true;
        }
    }
    return false;
}

static void watch_outputs(struct streams *streams)
{
    uint32_t events = somebody_is_far_behind(streams) ? 0 : EPOLLIN;
    for (size_t i = 0; i < 2; i++) {
        if (streams->outputs[i].source) {
            loop_change(streams->outputs[i].source, events);
        }
    }
}

static void remove_client(struct streams *streams, struct client *client)
{
    struct client **slot = &streams->clients;

    while (*slot != client) {
        slot = &(*slot)->next;
    }
    *slot = client->next;
    client_free(client);
    watch_outputs(streams);
}

/* What a client waits for: room, if it is behind; input, if we can take it; else only its end. */
static void watch_client(struct streams *streams, struct client *client)
{
    bool can_take = !client->at_end && streams->pending_from == streams->pending_to;
    /* One that hung up would wake us all the time: wait only for what we can take of it. */
    uint32_t events = client->hung_up ? 0 : LOOP_HANGUP;

    if (client->source) {
        events |= client_behind(client) > 0 ? EPOLLOUT : 0U;
        events |= can_take ? EPOLLIN : 0U;
        loop_change(client->source, events);
    }
}

static void watch_clients(struct streams *streams)
{
    for (struct client *c = streams->clients; c; c = c->next) {
        watch_client(streams, c);
    }
}

static void deliver(struct streams *streams, enum log_stream stream, unsigned char *frame,
                    size_t length)
{
    size_t skip = streams->config.terminal ? 8 : 0; /* raw: without the header */
    struct client *next;

    for (struct client *client = streams->clients; client; client = next) {
        next = client->next;
        if (!(stream == LOG_STDOUT ? client->out : client->err)) {
            continue;
        }
        if (client_send(client, frame + skip, 8 + length - skip, streams->config.spill_dir) < 0) {
            remove_client(streams, client);
        } else {
            watch_client(streams, client);
        }
    }
}

/* What there is, without taking it out of the pipe when there is a journal. */
static ssize_t look(const struct output *output, void *buffer, size_t size)
{
    struct journal *journal = output->streams->config.journal;
    return journal ? journal_peek(journal, output->fd, buffer, size)
                   : read(output->fd, buffer, size);
}

static void write_log(const struct output *output, void *data, size_t length)
{
    const struct streams_config *config = &output->streams->config;
    struct ct_error err = {0};
    char line[400];
    int result = config->journal
                     ? journal_pass(config->journal, output->stream, output->fd, data, length, &err)
                 : config->log ? log_write(config->log, output->stream, data, length, &err)
                               : 0;

    if (result < 0) {
        ct_warn("%s", ct_error_render(&err, line, sizeof(line)));
    }
}

/* stdcopy: Docker's frame (API 1.43, "Stream format"). */
static void make_head(unsigned char head[static 8], enum log_stream stream, size_t length)
{
    head[0] = (unsigned char)stream;
    head[1] = head[2] = head[3] = 0;
    head[4] = (unsigned char)(length >> 24);
    head[5] = (unsigned char)(length >> 16);
    head[6] = (unsigned char)(length >> 8);
    head[7] = (unsigned char)length;
}

static void close_output(struct output *output)
{
    loop_unwatch(output->source);
    output->source = NULL;
    close_fd(&output->fd);
}

/* One chunk from the program to everybody. */
static void pump_output(struct output *output)
{
    struct streams *streams = output->streams;
    unsigned char frame[8 + CHUNK_BYTES];
    ssize_t n = look(output, frame + 8, CHUNK_BYTES);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) { /* EIO is a terminal's way to say that nobody has its other side any more */
        close_output(output);
        return;
    }
    make_head(frame, output->stream, (size_t)n);
    write_log(output, frame + 8, (size_t)n);
    deliver(streams, output->stream, frame, (size_t)n);
    watch_outputs(streams);
}

/* Input. */

static void close_input(struct streams *streams)
{
    loop_unwatch(streams->input_source);
    streams->input_source = NULL;
    close_fd(&streams->input);
    streams->pending_from = streams->pending_to = 0;
}

static void flush_input(struct streams *streams);

static void input_ready(void *context, uint32_t events)
{
    struct streams *streams = context;
    (void)events;
    flush_input(streams);
    watch_clients(streams);
}

static void watch_input(struct streams *streams)
{
    struct ct_error err = {0};
    uint32_t events = streams->pending_from < streams->pending_to ? EPOLLOUT : 0;

    if (!streams->input_source && events) {
        streams->input_source =
            loop_watch(streams->config.loop, streams->input, events, input_ready, streams, &err);
        if (!streams->input_source) {
            close_input(streams); /* nobody could tell us when it has room */
        }
    } else if (streams->input_source) {
        loop_change(streams->input_source, events);
    }
}

static void flush_input(struct streams *streams)
{
    while (streams->pending_from < streams->pending_to) {
        ssize_t n = write(streams->input, streams->pending_input + streams->pending_from,
                          streams->pending_to - streams->pending_from);
        if (n < 0 && errno == EAGAIN) {
            break;
        }
        if (n < 0 && errno != EINTR) { /* the program closed it: what is typed goes nowhere */
            close_input(streams);
            return;
        }
        streams->pending_from += n > 0 ? (size_t)n : 0;
    }
    if (streams->pending_from == streams->pending_to && streams->input_ends) {
        close_input(streams);
        return;
    }
    watch_input(streams);
}

static void end_input(struct streams *streams)
{
    if (streams->input >= 0 && streams->config.stdin_once && !streams->config.terminal) {
        streams->input_ends = true;
        flush_input(streams);
    }
}

/* One read from a client. Returns false when the client is gone. */
static bool take_input(struct streams *streams, struct client *client)
{
    unsigned char typed[INPUT_BYTES];
    ssize_t n = recv(client->fd, typed, sizeof(typed), MSG_DONTWAIT);
    bool wanted = client->in && streams->input >= 0 && !streams->input_ends;

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return true;
    }
    if (n <= 0) { /* end of its input; its output goes on until it hangs up */
        client->at_end = true;
        if (client->in) {
            end_input(streams);
        }
        return n == 0;
    }
    if (!wanted) {
        return true;
    }
    size_t length = (size_t)n;
    bool detached = false;
    if (streams->config.terminal) {
        detached = detach_filter(&client->detach, typed, length, streams->pending_input, &length);
    } else {
        memcpy(streams->pending_input, typed, length);
    }
    streams->pending_from = 0;
    streams->pending_to = length;
    flush_input(streams);
    return !detached;
}

/* The peer closed: nothing more to send it; what it sent before still counts. */
static void hang_up(struct client *client)
{
    client->hung_up = true;
    client->out = client->err = false;
    client->head = client->tail;
}

static void client_ready(void *context, uint32_t events)
{
    struct client *client = context;
    struct streams *streams = client->streams;
    bool alive = true;

    if (events & (EPOLLHUP | EPOLLERR)) {
        hang_up(client);
    }
    if (events & EPOLLOUT) {
        alive = client_flush(client) == 0;
    }
    if (alive && (events & EPOLLIN) && !client->at_end &&
        streams->pending_from == streams->pending_to) {
        alive = take_input(streams, client);
    }
    if (client->hung_up && (client->at_end || !client->in || streams->input < 0)) {
        alive = false;
    }
    if (!alive) {
        if (client->in && !client->at_end && client->hung_up) {
            end_input(streams);
        }
        remove_client(streams, client);
    }
    watch_clients(streams);
    watch_outputs(streams);
}

/* The beginnings of lines that the log will have when they are whole. -1: the client is gone. */
static int send_unfinished(const struct streams *streams, struct client *client)
{
    int result = 0;

    for (int stream = LOG_STDOUT; streams->config.log && stream <= LOG_STDERR; stream++) {
        unsigned char head[8];
        size_t length = 0;
        const void *begun = log_unfinished(streams->config.log, (enum log_stream)stream, &length);
        if (length == 0 || result < 0 || !(stream == LOG_STDOUT ? client->out : client->err)) {
            continue;
        }
        make_head(head, (enum log_stream)stream, length);
        if (!streams->config.terminal) {
            result = client_send(client, head, sizeof(head), streams->config.spill_dir);
        }
        if (result == 0) {
            result = client_send(client, begun, length, streams->config.spill_dir);
        }
    }
    return result;
}

int streams_attach(struct streams *streams, const struct streams_client *wanted,
                   struct ct_error *err)
{
    struct client *client = client_new(wanted, err);
    if (!client) {
        return -1;
    }
    client->source = loop_watch(streams->config.loop, client->fd, EPOLLIN | LOOP_HANGUP,
                                client_ready, client, err);
    if (!client->source) {
        client->fd = -1; /* stays the caller's */
        client_free(client);
        return -1;
    }
    client->streams = streams;
    client->next = streams->clients;
    streams->clients = client;
    if (wanted->unfinished && send_unfinished(streams, client) < 0) {
        remove_client(streams, client); /* gone already: no failure of ours */
        return 0;
    }
    watch_client(streams, client);
    return 0;
}

int streams_resize(struct streams *streams, unsigned height, unsigned width, struct ct_error *err)
{
    struct winsize size = {.ws_row = (unsigned short)height, .ws_col = (unsigned short)width};

    if (!streams->config.terminal || streams->outputs[0].fd < 0) {
        return ct_refuse(err, CT_CONFLICT, "resize: there is no terminal");
    }
    if (height > UINT16_MAX || width > UINT16_MAX) {
        return ct_refuse(err, CT_INVALID, "resize to %ux%u: too large", height, width);
    }
    return ioctl(streams->outputs[0].fd, TIOCSWINSZ, &size) < 0
               ? ct_fail(err, errno, "resize the terminal")
               : 0;
}

/* The end. */

static nfds_t list_open(const struct streams *streams, struct pollfd fds[static 2],
                        const struct output *which[static 2])
{
    nfds_t n = 0;
    for (size_t i = 0; i < 2; i++) {
        if (streams->outputs[i].fd >= 0) {
            which[n] = &streams->outputs[i];
            fds[n++] = (struct pollfd){.fd = streams->outputs[i].fd, .events = POLLIN};
        }
    }
    return n;
}

static void read_rest(struct streams *streams, int timeout_ms)
{
    int64_t deadline_ns = ct_monotonic_ns() + (int64_t)timeout_ms * 1000000;
    const struct output *which[2];
    struct pollfd fds[2];
    nfds_t n;

    while ((n = list_open(streams, fds, which)) > 0) {
        int64_t left_ms = (deadline_ns - ct_monotonic_ns()) / 1000000;
        int ready = poll(fds, n, left_ms > 0 ? (int)left_ms : 0);
        if (ready == 0 || (ready < 0 && errno != EINTR)) {
            return; /* somebody holds an end who is not of the container */
        }
        for (nfds_t i = 0; i < n; i++) {
            if (fds[i].revents) {
                pump_output((struct output *)which[i]);
            }
        }
    }
}

void streams_finish(struct streams *streams, int timeout_ms)
{
    read_rest(streams, timeout_ms);
    for (size_t i = 0; i < 2; i++) { /* the log is closed next */
        close_output(&streams->outputs[i]);
    }
}

void streams_free(struct streams *streams)
{
    if (!streams) {
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        close_output(&streams->outputs[i]);
    }
    for (size_t i = 0; i < 3; i++) {
        close_fd(&streams->program[i]);
    }
    close_input(streams);
    while (streams->clients) {
        struct client *client = streams->clients;
        streams->clients = client->next;
        client_send_rest(client);
        client_free(client);
    }
    free(streams);
}

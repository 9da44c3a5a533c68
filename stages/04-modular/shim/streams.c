/*
 * streams.c - the standard streams of one process: pipes or a terminal on its side, FIFOs, files
 * and logs on the other.
 *
 * Room:       shim.   Called by: task*.c.
 * Man:        fifo(7), pipe(7), pty(7).
 *
 *     FIFO --input--> pipe or terminal --> program --> pipe or terminal --output--> sink
 *
 * The program has pipes of its own, not the FIFOs: their files belong to containerd. Output that
 * nobody takes makes the program wait, as a full pipe does; it costs no memory here.
 */
#define CT_LAYER "shim"
#include "shim_internal.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define CHUNK_BYTES 32768

/* One direction. */
struct lane {
    struct streams *streams;
    int from; /* -1: at its end, or never open */
    struct loop_source *source;
    bool is_stderr;
    /* What was read and could not be handed over yet; then nothing more is read. */
    char *pending;
    size_t begin, end;
    struct loop_source *waits; /* for the other side to take more */
};

struct streams {
    struct loop *loop;
    bool terminal;
    int program[3]; /* the program's ends, -1 once it has them */
    struct sink *sinks[2];
    struct lane outputs[2];
    struct lane input;
    int input_to;     /* the pipe or the terminal */
    int input_keeper; /* a writer of our own: the input ends by CloseIO, not when a client goes */
    struct console *console;
    int master; /* -1: no terminal */
    struct loop_timer drain_timer;
    void (*drained)(void *context);
    void *drained_context;
};

static void close_fd(int *fd)
{
    ct_cleanup_close(fd);
    *fd = -1;
}

/* ---- moving bytes --------------------------------------------------------------------------- */

static void stop(struct lane *lane)
{
    loop_unwatch(lane->source);
    loop_unwatch(lane->waits);
    lane->source = lane->waits = NULL;
    free(lane->pending);
    lane->pending = NULL;
    lane->begin = lane->end = 0;
    close_fd(&lane->from);
}

static void end_input(struct streams *streams)
{
    stop(&streams->input);
    close_fd(&streams->input_keeper);
    close_fd(&streams->input_to); /* a pipe's reader sees the end; a terminal stays open */
}

static bool is_output_over(const struct streams *streams)
{
    return streams->outputs[0].from < 0 && streams->outputs[1].from < 0;
}

static void now_drained(void *context)
{
    struct streams *streams = context;
    streams->drained(streams->drained_context); /* the streams may be gone now */
}

static void end_output(struct lane *lane)
{
    struct streams *streams = lane->streams;

    stop(lane);
    sink_end(streams->sinks[lane->is_stderr], lane->is_stderr);
    if (streams->drained && is_output_over(streams)) {
        loop_arm(streams->loop, &streams->drain_timer, 0, now_drained, streams);
    }
}

static bool is_input(const struct lane *lane)
{
    return lane == &lane->streams->input;
}

/* How much was taken; -1: nothing will be any more. */
static ssize_t hand_over(struct lane *lane, const char *bytes, size_t length)
{
    struct streams *streams = lane->streams;

    if (!is_input(lane)) {
        return (ssize_t)sink_write(streams->sinks[lane->is_stderr], lane->is_stderr, bytes, length);
    }
    ssize_t n = write(streams->input_to, bytes, length);
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : n;
}

static void other_side_ready(void *context, uint32_t events);

/* Keeps what was not taken, and waits for the other side instead of reading on. */
static void keep(struct lane *lane, const char *bytes, size_t length)
{
    struct streams *streams = lane->streams;
    struct ct_error err = {0};
    int fd = is_input(lane) ? streams->input_to
                            : sink_fd(streams->sinks[lane->is_stderr], lane->is_stderr);

    lane->pending = malloc(length);
    lane->waits = loop_watch(streams->loop, fd, EPOLLOUT, other_side_ready, lane, &err);
    if (!lane->pending || !lane->waits) {
        abort(); /* output would be lost without a word */
    }
    memcpy(lane->pending, bytes, length);
    lane->begin = 0;
    lane->end = length;
    loop_change(lane->source, 0);
}

static void give_up(struct lane *lane)
{
    if (is_input(lane)) {
        end_input(lane->streams);
    } else {
        end_output(lane);
    }
}

static void other_side_ready(void *context, uint32_t events)
{
    struct lane *lane = context;
    ssize_t n = hand_over(lane, lane->pending + lane->begin, lane->end - lane->begin);
    (void)events;

    if (n < 0) {
        give_up(lane);
        return;
    }
    lane->begin += (size_t)n;
    if (lane->begin == lane->end) {
        loop_unwatch(lane->waits);
        lane->waits = NULL;
        free(ct_steal(lane->pending));
        loop_change(lane->source, EPOLLIN);
    }
}

static void bytes_come(void *context, uint32_t events)
{
    struct lane *lane = context;
    char bytes[CHUNK_BYTES];
    ssize_t n = read(lane->from, bytes, sizeof(bytes));
    (void)events;

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) { /* a terminal whose other side is closed says EIO */
        give_up(lane);
        return;
    }
    for (size_t done = 0; done < (size_t)n;) {
        ssize_t taken = hand_over(lane, bytes + done, (size_t)n - done);
        if (taken < 0) {
            give_up(lane);
            return;
        }
        if (taken == 0) {
            keep(lane, bytes + done, (size_t)n - done);
            return;
        }
        done += (size_t)taken;
    }
}

static int begin_lane(struct lane *lane, struct ct_error *err)
{
    if (lane->from < 0) {
        return 0;
    }
    lane->source = loop_watch(lane->streams->loop, lane->from, EPOLLIN, bytes_come, lane, err);
    return lane->source ? 0 : -1;
}

/* ---- opening -------------------------------------------------------------------------------- */

static struct streams *new_streams(const struct streams_request *request)
{
    struct streams *streams = calloc(1, sizeof(*streams));

    if (!streams) {
        abort();
    }
    *streams = (struct streams){.loop = request->loop,
                                .terminal = request->terminal,
                                .program = {-1, -1, -1},
                                .input_to = -1,
                                .input_keeper = -1,
                                .master = -1};
    streams->outputs[0] = (struct lane){.streams = streams, .from = -1};
    streams->outputs[1] = (struct lane){.streams = streams, .from = -1, .is_stderr = true};
    streams->input = (struct lane){.streams = streams, .from = -1};
    return streams;
}

/* Our end does not block; the program's does, as programs expect. It is the program's user's, who
 * may open it again as /dev/stdout. */
static int make_pipe(const struct streams_request *request, int *ret_theirs, int *ret_ours,
                     bool they_read, struct ct_error *err)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0) {
        return ct_fail(err, errno, "make a pipe");
    }
    *ret_theirs = ends[they_read ? 0 : 1];
    *ret_ours = ends[they_read ? 1 : 0];
    if (fcntl(*ret_ours, F_SETFL, O_NONBLOCK) < 0 ||
        fchown(*ret_theirs, request->uid, request->gid) < 0) {
        return ct_fail(err, errno, "set a pipe up");
    }
    return 0;
}

static int open_output(struct streams *streams, const struct streams_request *request, int which,
                       const char *uri, struct ct_error *err)
{
    struct sink *shared =
        which == 1 && streams->sinks[0] ? sink_share(streams->sinks[0], uri) : NULL;

    if (!*uri || (which == 1 && streams->terminal)) {
        return 0; /* a terminal has one output */
    }
    streams->sinks[which] = shared ? shared : sink_open(request, uri, err);
    if (!streams->sinks[which] || streams->terminal) {
        return streams->sinks[which] ? 0 : -1;
    }
    int direct = sink_direct(streams->sinks[which], which == 1);
    if (direct >= 0) {
        streams->program[1 + which] = fcntl(direct, F_DUPFD_CLOEXEC, 3);
        sink_end(streams->sinks[which], which == 1); /* the program is its only writer */
        return streams->program[1 + which] < 0 ? ct_fail(err, errno, "hand a pipe over") : 0;
    }
    return make_pipe(request, &streams->program[1 + which], &streams->outputs[which].from, false,
                     err);
}

static int open_input(struct streams *streams, const struct streams_request *request,
                      struct ct_error *err)
{
    const char *path =
        strncmp(request->stdin, "fifo://", 7) == 0 ? request->stdin + 7 : request->stdin;
    struct stat status;

    if (!*path) {
        return 0;
    }
    CT_AUTO_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0) {
        return ct_fail(err, errno, "open '%.120s' for input", path);
    }
    if (!S_ISFIFO(status.st_mode)) {
        return ct_refuse(err, CT_INVALID, "open '%.120s' for input: it is no FIFO", path);
    }
    streams->input_keeper = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (streams->input_keeper < 0) {
        return ct_fail(err, errno, "open '%.120s' for input", path);
    }
    streams->input.from = ct_steal_fd(&fd);
    return streams->terminal
               ? 0
               : make_pipe(request, &streams->program[0], &streams->input_to, true, err);
}

struct streams *streams_open(const struct streams_request *request, struct ct_error *err)
{
    struct streams *streams = new_streams(request);

    if (open_input(streams, request, err) < 0 ||
        open_output(streams, request, 0, request->stdout, err) < 0 ||
        open_output(streams, request, 1, request->stderr, err) < 0 ||
        (request->terminal && !(streams->console = console_open(err)))) {
        streams_free(streams);
        return NULL;
    }
    return streams;
}

void streams_program_ends(const struct streams *streams, int ret[static 3])
{
    memcpy(ret, streams->program, sizeof(streams->program));
}

const char *streams_console_socket(const struct streams *streams)
{
    return streams->console ? console_path(streams->console) : NULL;
}

/* ---- running -------------------------------------------------------------------------------- */

static int take_terminal(struct streams *streams, struct ct_error *err)
{
    streams->master = console_take(streams->console, err);
    console_free(streams->console);
    streams->console = NULL;
    if (streams->master < 0 || fcntl(streams->master, F_SETFL, O_RDWR | O_NONBLOCK) < 0) {
        return streams->master < 0 ? -1 : ct_fail(err, errno, "set the terminal up");
    }
    /* Copies: the loop watches each direction by itself. */
    streams->outputs[0].from = fcntl(streams->master, F_DUPFD_CLOEXEC, 3);
    streams->input_to = fcntl(streams->master, F_DUPFD_CLOEXEC, 3);
    return streams->outputs[0].from < 0 || streams->input_to < 0
               ? ct_fail(err, errno, "set the terminal up")
               : 0;
}

int streams_begin(struct streams *streams, struct ct_error *err)
{
    for (size_t i = 0; i < 3; i++) {
        close_fd(&streams->program[i]);
    }
    if (streams->terminal && take_terminal(streams, err) < 0) {
        return -1;
    }
    if (!streams->sinks[0] && streams->terminal) { /* read all the same: a full terminal blocks */
        streams->sinks[0] = sink_nowhere();
    }
    return begin_lane(&streams->input, err) < 0 || begin_lane(&streams->outputs[0], err) < 0 ||
                   begin_lane(&streams->outputs[1], err) < 0
               ? -1
               : 0;
}

int streams_resize(struct streams *streams, unsigned width, unsigned height, struct ct_error *err)
{
    struct winsize size = {.ws_col = (unsigned short)width, .ws_row = (unsigned short)height};

    if (!streams || streams->master < 0) {
        return ct_refuse(err, CT_CONFLICT, "resize: there is no terminal");
    }
    return ioctl(streams->master, TIOCSWINSZ, &size) < 0 ? ct_fail(err, errno, "resize") : 0;
}

void streams_close_input(struct streams *streams)
{
    if (streams) {
        close_fd(
            &streams->input_keeper); /* the end comes when the clients' writers are gone, too */
    }
}

void streams_drain(struct streams *streams, int timeout_ms, void (*done)(void *context),
                   void *context)
{
    end_input(streams);
    streams->drained = done;
    streams->drained_context = context;
    loop_arm(streams->loop, &streams->drain_timer,
             is_output_over(streams) ? 0 : timeout_ms * INT64_C(1000000), now_drained, streams);
}

void streams_free(struct streams *streams)
{
    if (!streams) {
        return;
    }
    loop_disarm(&streams->drain_timer);
    end_input(streams);
    for (size_t i = 0; i < 2; i++) {
        stop(&streams->outputs[i]);
        sink_free(streams->sinks[i]);
    }
    for (size_t i = 0; i < 3; i++) {
        close_fd(&streams->program[i]);
    }
    close_fd(&streams->master);
    console_free(streams->console);
    free(streams);
}

/*
 * stream.c - the terminal's side of attach, run and exec.
 *
 * Room:       cli.   Called by: run.c (and by each stage, since the stream is the same everywhere).
 * Spec:       Docker Engine API 1.43, "Attach to a container": stdcopy frames, raw with a terminal.
 * Man:        termios(3), signalfd(2).
 */
#define CT_LAYER "stream"
#include "cli_internal.h"

#include "cleanup.h"
#include "file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

/* What run and attach pass on to the program, and the change of the terminal's size. */
static const int proxied[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT};

/* The terminal as it was; restored at exit, whichever way that is. */
static struct termios saved_terminal;
static bool terminal_is_raw;

static void restore_terminal(void)
{
    if (terminal_is_raw) {
        (void)tcsetattr(STDIN_FILENO, TCSANOW,
                        &saved_terminal); /* nothing can be done when it is gone */
        terminal_is_raw = false;
    }
}

static void make_terminal_raw(void)
{
    struct termios raw;
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &saved_terminal) < 0) {
        return;
    }
    raw = saved_terminal;
    cfmakeraw(&raw);
    terminal_is_raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
    (void)atexit(restore_terminal);
}

static void signal_set(sigset_t *set)
{
    (void)sigemptyset(set);
    for (size_t i = 0; i < sizeof(proxied) / sizeof(proxied[0]); i++) {
        (void)sigaddset(set, proxied[i]);
    }
    (void)sigaddset(set, SIGWINCH);
}

int stream_block_signals(struct ct_error *err)
{
    sigset_t set;
    signal_set(&set);
    (void)signal(SIGPIPE, SIG_IGN); /* a closed stream is an error of write, not our end */
    return sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? ct_fail(err, errno, "block signals") : 0;
}

/* Where the demultiplexer is in the stream. */
struct demux {
    bool raw;
    unsigned char head[8];
    size_t have; /* bytes of head */
    size_t left; /* bytes of the frame's payload */
    bool out, err;
};

static int write_payload(const struct demux *demux, const char *bytes, size_t n)
{
    bool to_stderr = !demux->raw && demux->head[0] == 2;
    if (to_stderr ? !demux->err : !demux->out) {
        return 0;
    }
    return ct_write_all(to_stderr ? STDERR_FILENO : STDOUT_FILENO, bytes, n);
}

static int demux_bytes(struct demux *demux, const char *bytes, size_t n, struct ct_error *err)
{
    while (n > 0) {
        if (!demux->raw && demux->left == 0) {
            demux->head[demux->have++] = (unsigned char)*bytes++;
            n--;
            if (demux->have == sizeof(demux->head)) {
                uint32_t length;
                memcpy(&length, demux->head + 4, sizeof(length));
                demux->left = ntohl(length);
                demux->have = 0;
                if (demux->head[0] > 3) {
                    return ct_refuse(err, CT_SYSTEM, "read the stream: unrecognized frame %u",
                                     demux->head[0]);
                }
            }
            continue;
        }
        size_t part = demux->raw || n < demux->left ? n : demux->left;
        if (write_payload(demux, bytes, part) < 0) {
            return ct_fail(err, errno, "write to standard output");
        }
        demux->left -= demux->raw ? 0 : part;
        bytes += part;
        n -= part;
    }
    return 0;
}

/* Reads what is there. 1: goes on; 0: the stream has ended; -1. */
static int read_stream(int fd, struct demux *demux, struct ct_error *err)
{
    char buffer[32768];
    ssize_t n = read(fd, buffer, sizeof(buffer));

    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return 1;
    }
    if (n < 0 && errno != ECONNRESET) {
        return ct_fail(err, errno, "read the stream");
    }
    if (n <= 0) {
        return 0;
    }
    return demux_bytes(demux, buffer, (size_t)n, err) < 0 ? -1 : 1;
}

int stream_copy_frames(int fd, bool raw, struct ct_error *err)
{
    struct demux demux = {.raw = raw, .out = true, .err = true};
    int result;
    do {
        result = read_stream(fd, &demux, err);
    } while (result > 0);
    return result;
}

/* Standard input on its way: what the stream did not take yet waits here. */
struct input {
    bool open; /* standard input has not ended */
    char pending[16384];
    size_t from, to;
};

static void read_input(struct input *input)
{
    ssize_t n = read(STDIN_FILENO, input->pending, sizeof(input->pending));
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
        return;
    }
    input->open = n > 0;
    input->from = 0;
    input->to = n > 0 ? (size_t)n : 0;
}

/* A program that does not read must not keep us from reading what it prints: never blocks. */
static void write_input(int fd, struct input *input)
{
    ssize_t n = send(fd, input->pending + input->from, input->to - input->from,
                     MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0) {
        input->from += (size_t)n;
    } else if (errno != EAGAIN && errno != EINTR) {
        input->open = false; /* the other side reads no more */
        input->from = input->to;
    }
    if (!input->open && input->from == input->to) {
        (void)shutdown(fd, SHUT_WR);
    }
}

static void tell_size(const struct stream_io *io)
{
    struct winsize size;
    if (io->resize && io->tty && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0) {
        io->resize(io->context, size.ws_row, size.ws_col);
    }
}

/* Returns -1 when the signal is to end us. */
static int handle_signal(const struct stream_io *io, int signal_fd, struct ct_error *err)
{
    struct signalfd_siginfo info;
    if (read(signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info)) {
        return 0;
    }
    int number = (int)info.ssi_signo;
    if (number == SIGWINCH) {
        tell_size(io);
        return 0;
    }
    if (io->proxy_signals && io->signal) {
        io->signal(io->context, number);
        return 0;
    }
    return number == SIGCONT ? 0 : ct_refuse(err, CT_TIMEOUT, "interrupted");
}

static int pump(const struct stream_io *io, int signal_fd, struct ct_error *err)
{
    struct demux demux = {.raw = io->tty, .out = io->out, .err = io->err};
    struct input input = {.open = io->in};
    int going = 1;

    if (!io->in) {
        (void)shutdown(io->fd, SHUT_WR);
    }
    while (going > 0) {
        bool pending = input.from < input.to;
        struct pollfd fds[] = {
            {.fd = io->fd, .events = (short)(POLLIN | (pending ? POLLOUT : 0))},
            {.fd = input.open && !pending ? STDIN_FILENO : -1, .events = POLLIN},
            {.fd = signal_fd, .events = POLLIN},
        };
        if (poll(fds, 3, -1) < 0) {
            if (errno == EINTR) {
                continue;
            }
            return ct_fail(err, errno, "wait for the stream");
        }
        if (fds[2].revents && handle_signal(io, signal_fd, err) < 0) {
            return -1;
        }
        if (fds[1].revents) {
            read_input(&input);
        }
        if (input.from < input.to || (fds[1].revents && !input.open)) {
            write_input(io->fd, &input);
        }
        if (fds[0].revents & (POLLIN | POLLHUP | POLLERR)) {
            going = read_stream(io->fd, &demux, err);
        }
    }
    return going;
}

int stream_run(const struct stream_io *io, struct ct_error *err)
{
    CT_AUTO_CLOSE int stream = io->fd;
    sigset_t set;
    signal_set(&set);
    CT_AUTO_CLOSE int signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);

    if (signal_fd < 0) {
        return ct_fail(err, errno, "watch for signals");
    }
    if (io->tty && io->in) {
        make_terminal_raw();
    }
    tell_size(io);
    int result = pump(io, signal_fd, err);
    restore_terminal();
    return result < 0 ? -1 : 0;
}

/*
 * foreground.h - waiting for a container in the foreground: signals, the terminal, the exit code.
 *
 * Room:       libcontainer, a door of its own: what command lines need besides libcontainer.h.
 * Called by:  bundle.c, cutaway-runc (stage 04).
 * Man:        signalfd(2), pty(7), termios(3), waitid(2).
 *
 *     lc_foreground_begin(&foreground, …);      signals wait from here on
 *     lc_create() or lc_exec() with foreground.console_socket; lc_start()
 *     code = lc_foreground_wait(&foreground, pidfd, &err);
 *     lc_foreground_end(&foreground);
 */
#ifndef LC_FOREGROUND_H
#define LC_FOREGROUND_H

#include "error.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>
#include <termios.h>

struct lc_foreground {
    int signal_fd;
    int listen_fd, node_fd;       /* of the console socket; -1: the program has no terminal */
    char console_socket[32];      /* for lc_create and lc_exec; "": the program has no terminal */
    int master_fd;                /* the other side of the container's terminal, once it has come */
    bool input;                   /* standard input has not ended */
    bool raw;                     /* our own terminal is in raw mode: … */
    struct termios own_termios;   /* … what it was before */
    int watch_fd;                 /* of the caller's, who sets it before the wait; -1: none */
    bool (*watch)(void *context); /* it is readable. True: that was all */
    void *watch_context;
    sigset_t old_signals;
};

/* For whoever may not come to lc_foreground_begin(). */
#define LC_FOREGROUND_NONE                                                               \
    {                                                                                    \
        .signal_fd = -1, .listen_fd = -1, .node_fd = -1, .master_fd = -1, .watch_fd = -1 \
    }

/*
 * lc_foreground_begin - from now on signals are kept for lc_foreground_wait(); the processes that
 * the library makes begin with none blocked. With terminal, makes a console socket that has a name
 * in no directory: only who has our descriptors can connect.
 */
int lc_foreground_begin(struct lc_foreground *ret, bool terminal, struct ct_error *err);

/* Joins the program's terminal with ours, so that its size and the ends of its lines are right
 * before it begins. Without a terminal, nothing. lc_foreground_wait() does it else. */
int lc_foreground_join(struct lc_foreground *foreground, struct ct_error *err);

/*
 * lc_foreground_wait - until the program, a child of ours, has ended: passes on every signal that
 * we are sent, joins its terminal with ours, and reaps what else becomes our child. Returns the
 * exit code, as a shell has it.
 */
int lc_foreground_wait(struct lc_foreground *foreground, int pidfd, struct ct_error *err);

/* Our own terminal and signals are as before. May be called after a failed begin. */
void lc_foreground_end(struct lc_foreground *foreground);

/* The pid, in decimal, replaces the file at once: who waits for it never reads half of it. path
 * NULL: nothing. */
int lc_write_pid_file(const char *path, pid_t pid, struct ct_error *err);

#endif

/*
 * streams.h - the standard streams of one program: its pipes or terminal, its log, its clients.
 *
 * Room:       monitor.   Called by: run.c, execs.c, serve.c.
 * Spec:       Docker Engine API 1.43, "Attach to a container", "Stream format".
 *
 * What the program prints goes to the log and to each attached client: as frames
 * [stream u8][0][0][0][length u32 be], raw with a terminal. What clients send goes to its standard
 * input, raw.
 *
 * A client that does not read is no reason to wait: what it has not taken is kept in an unlinked
 * file in `spill_dir`, not in memory. Only when one is STREAMS_BEHIND_MAX bytes behind has the
 * program to wait for it, as with Docker: what is piped somewhere must arrive whole.
 */
#ifndef MONITOR_STREAMS_H
#define MONITOR_STREAMS_H

#include "error.h"
#include "loop.h"

#include <stdbool.h>
#include <stddef.h>

#define STREAMS_BEHIND_MAX (64LL << 20)
#define STREAMS_KEPT_MAX   2 /* descriptors that must outlive a killed monitor */

struct journal;
struct log_writer;
struct streams;

struct streams_config {
    struct loop *loop;
    bool terminal;           /* one stream, raw */
    bool pipes;              /* also for a terminal: it is made elsewhere */
    bool open_stdin;         /* else standard input is /dev/null */
    bool stdin_once;         /* it ends when the (first) client's input does */
    struct log_writer *log;  /* borrowed; NULL: none */
    struct journal *journal; /* borrowed; NULL: a kill may lose what is under way to the log */
    int spill_dir;           /* borrowed directory descriptor */
};

/* Makes the pipes or the terminal. */
struct streams *streams_new(const struct streams_config *config, struct ct_error *err);

/* The program's ends, for 0, 1 and 2: borrowed until streams_begin(). */
void streams_program_ends(const struct streams *streams, int ret[static 3]);

/* Our ends that make it possible to go on after a killed monitor. Borrowed. Returns their number.
 */
size_t streams_kept(const struct streams *streams, int ret[static STREAMS_KEPT_MAX]);
/* The same from what was kept (owned from now on; -1: lost). */
struct streams *streams_adopt(const struct streams_config *config,
                              const int kept[static STREAMS_KEPT_MAX], struct ct_error *err);

/* Closes the program's ends, which it has by now, and begins to read. */
int streams_begin(struct streams *streams, struct ct_error *err);

struct streams_client {
    int fd; /* a connected stream socket; owned by the streams when attach succeeds */
    bool in, out, err;
    bool unfinished;         /* it has the log, and needs what of a line is not in there yet */
    const char *detach_keys; /* NULL: the default */
};
int streams_attach(struct streams *streams, const struct streams_client *wanted,
                   struct ct_error *err);

/* CT_CONFLICT without a terminal. */
int streams_resize(struct streams *streams, unsigned height, unsigned width, struct ct_error *err);

/*
 * streams_finish - after the program's end: reads what is left until all its writers are gone, at
 * most timeout_ms, so that the last line is in the log and with the clients. Then nothing is read
 * any more, and the log may be closed.
 */
void streams_finish(struct streams *streams, int timeout_ms);

/*
 * Closes everything. A client that is behind still gets the rest: a child process sends it, and
 * gives up when the client takes nothing for ten minutes. NULL is allowed.
 */
void streams_free(struct streams *streams);

#endif

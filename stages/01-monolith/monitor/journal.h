/*
 * journal.h - how far a program's output has come on its way from the pipe to the log.
 *
 * Room:       monitor.   Called by: streams.c, run.c.
 * Man:        tee(2), mmap(2).
 *
 * A monitor may be killed at any moment, and the next one has to go on exactly there: no line lost,
 * none twice. So a chunk stays in the pipe until it is in the log (journal_peek), and what is under
 * way stands in RUN/<id>/output, a page that survives its writer: memory that was mapped is the
 * kernel's. So do the lines that have no end yet, which are in no log. What is shown to attached
 * clients is not part of it.
 */
#ifndef MONITOR_JOURNAL_H
#define MONITOR_JOURNAL_H

#include "error.h"
#include "logs.h"

#include <sys/types.h>

struct journal;

/* log: borrowed for the journal's life. again: goes on with the one that is there. */
struct journal *journal_open(int run_fd, struct log_writer *log, bool again, struct ct_error *err);
/* The file stays: journal_remove(). NULL is allowed. */
void journal_close(struct journal *journal);
void journal_remove(int run_fd);

/* After a kill: takes back what is in the log and still in the pipe, or drops from the pipe what is
 * in the log already. fd -1: the pipe is lost. */
int journal_recover(struct journal *journal, enum log_stream stream, int fd, struct ct_error *err);

/* As read(2), but the bytes stay in the pipe. */
ssize_t journal_peek(struct journal *journal, int fd, void *buffer, size_t size);
/* Writes what was peeked to the log, and takes it out of the pipe. -1: the log's error; it is taken
 * out all the same. buffer is overwritten with the same bytes. */
int journal_pass(struct journal *journal, enum log_stream stream, int fd, void *buffer,
                 size_t length, struct ct_error *err);

#endif

/*
 * logs.h - what containers print, kept as Docker's json-file driver keeps it.
 *
 * Room:       logs. Called by: monitor (writer), engine (reader).
 *
 * DIR/<file>-json.log: {"log":"line\n","stream":"stdout","attrs":{…},"time":RFC3339Nano}\n; a line
 * longer than 16 KiB, or one that the stream ends without newline, has no "\n" in "log". Options
 * max-size, max-file, labels, env as Docker's; rotated files .1 .2 …. Each entry is appended by one
 * write(2).
 */
#ifndef LOGS_H
#define LOGS_H

#include "error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* A line of the program's that is longer is kept in pieces, as Docker does. */
#define LOG_PIECE_BYTES 16384

enum log_stream { LOG_STDOUT = 1, LOG_STDERR = 2 };

/* Refuses (CT_INVALID / CT_UNSUPPORTED) what HostConfig.LogConfig asks for and we cannot: at create
 * time. config: the container's Config. */
int log_check_config(const json_t *log_config, const json_t *config, struct ct_error *err);
/* What options labels and env choose of Config's Labels and Env for each entry's "attrs". Owned;
 * NULL: nothing. */
json_t *log_attributes(const json_t *log_config, const json_t *config);
/* "…/<id>-json.log", or NULL for driver "none". Owned. */
char *log_path(const char *dir, const char *container_id, const json_t *log_config);

struct log_writer;
struct log_writer *log_writer_open(const char *dir, const char *container_id,
                                   const json_t *log_config, const json_t *config,
                                   struct ct_error *err);
/* Bytes as they come from the program; lines are cut here. Full disk: the error is returned once a
 * minute at most, bytes are counted as lost. */
int log_write(struct log_writer *writer, enum log_stream stream, const void *data, size_t length,
              struct ct_error *err);
/* Writes what is left of unfinished lines. */
int log_writer_close(struct log_writer *writer, struct ct_error *err);

/* What a stream has printed of a line that has no end yet, and that is not in the log therefore.
 * Borrowed until the next log_write(); *ret_length may be 0. */
const void *log_unfinished(const struct log_writer *writer, enum log_stream stream,
                           size_t *ret_length);

/*
 * For who writes down how far a log has come, so that another writer goes on there after a kill.
 *
 * log_mark: where it ends now. log_go_back: takes back what came behind a mark; nothing, when the
 * log was rotated since. log_unfinished_since: when that line began. log_resume: a new writer is in
 * the middle of this line. log_writer_release: closes, and leaves unfinished lines to who resumes
 * them.
 */
struct log_mark {
    uint64_t file; /* its inode */
    int64_t bytes;
};
struct log_mark log_mark(const struct log_writer *writer);
int log_go_back(struct log_writer *writer, struct log_mark mark, struct ct_error *err);
int64_t log_unfinished_since(const struct log_writer *writer, enum log_stream stream);
int log_resume(struct log_writer *writer, enum log_stream stream, const void *bytes, size_t length,
               int64_t since_ns, struct ct_error *err);
void log_writer_release(struct log_writer *writer);

/* timestamps: "2026-11-24T00:45:15.726000001Z " before each line; details: its attributes,
 * "a=1,b=x+y ", escaped as in a URL's query and sorted. */
struct log_query {
    bool want_stdout, want_stderr, timestamps, details, follow;
    int64_t since_ns, until_ns; /* UNIX time; 0: none */
    int64_t tail;               /* lines; -1: all */
};

/*
 * log_read - writes the wanted lines to out_fd: raw when raw, else one stdcopy frame a line
 * ([type u8][0][0][0][length u32 be]). With follow it goes on, through rotation, until ended_fd
 * (readable: the container has ended; the rest is still delivered) or cancel_fd (readable: stop).
 */
int log_read(const char *dir, const char *container_id, const struct log_query *query, bool raw,
             int out_fd, int ended_fd, int cancel_fd, struct ct_error *err);

/*
 * The log as it is at one moment: descriptors, so that neither what is appended later nor rotation
 * changes it. Opened by the thread that writes, or while nobody does. Of more than LOG_PAST_MAX
 * rotated files the oldest are left out.
 */
#define LOG_PAST_MAX 250 /* one message over a unix socket carries 253 descriptors */

struct log_past {
    int fds[LOG_PAST_MAX]; /* oldest first; owned */
    size_t n;
    int64_t bytes; /* of the newest; the others are whole */
};
/* No log: n is 0, and no error. */
int log_past_open(const char *dir, const char *container_id, struct log_past *ret,
                  struct ct_error *err);
/* As log_read(), of which only the streams, timestamps and details of query count. */
int log_past_read(const struct log_past *past, const struct log_query *query, bool raw, int out_fd,
                  struct ct_error *err);
void log_past_close(struct log_past *past);

int log_remove(const char *dir, const char *container_id, struct ct_error *err);

#endif

/*
 * units.h - times, durations and sizes in Docker's notation, both ways.
 *
 * Room:       lib. Called by: cli (flags, tables), engine (filters, documents), logs.
 * Spec:       RFC 3339; Go's time.ParseDuration; docker/go-units.
 */
#ifndef CT_UNITS_H
#define CT_UNITS_H

#include "error.h"

#include <stdint.h>
#include <time.h>

#define CT_TIME_TEXT 40                     /* bytes that a formatted time needs at most */
#define CT_TIME_ZERO "0001-01-01T00:00:00Z" /* Go's zero time: "never" in Docker's documents */

/* Now, CLOCK_REALTIME and CLOCK_MONOTONIC, in ns. */
int64_t ct_now_ns(void);
int64_t ct_monotonic_ns(void);

/* "2026-11-24T00:45:15.726000001Z" with trailing zeros of the fraction removed, as Go's
 * RFC3339Nano. */
char *ct_time_format(int64_t unix_ns, char buffer[static CT_TIME_TEXT]);
/* The same with all nine digits, so that columns of times are straight. */
char *ct_time_format_fixed(int64_t unix_ns, char buffer[static CT_TIME_TEXT]);

/* RFC 3339, or UNIX seconds with optional fraction ("1136073600.000000001"), or a Go duration
 * ("10m": that long ago). */
int ct_time_parse(const char *text, int64_t *ret_unix_ns, struct ct_error *err);

/* Go durations: "1h30m", "500ms", "1.5s", "0". -1: CT_INVALID. */
int ct_duration_parse(const char *text, int64_t *ret_ns, struct ct_error *err);

/* "About a minute", "3 hours", "2 weeks": go-units HumanDuration. buffer holds CT_TIME_TEXT. */
char *ct_duration_human(int64_t ns, char buffer[static CT_TIME_TEXT]);

/* "512m", "1.5g", "1024" (bytes), "64KiB": binary multiples, as go-units RAMInBytes. -1:
 * CT_INVALID. */
int ct_size_parse(const char *text, int64_t *ret_bytes, struct ct_error *err);

/* Decimal "4.26MB" (go-units HumanSize, 4 significant digits, or 3 with precision 3) and binary
 * "7.594MiB" (BytesSize). */
char *ct_size_human(int64_t bytes, int significant, char buffer[static CT_TIME_TEXT]);
char *ct_size_binary(int64_t bytes, char buffer[static CT_TIME_TEXT]);

#endif

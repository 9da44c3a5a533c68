/*
 * detach.h - the keys that let a client of a terminal go without ending the program.
 *
 * Room:       monitor.   Called by: streams.c.
 * Spec:       Docker's --detach-keys: "ctrl-p,ctrl-q", or letters: "a,b".
 */
#ifndef MONITOR_DETACH_H
#define MONITOR_DETACH_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>

#define DETACH_KEYS_MAX 16

struct detach {
    unsigned char keys[DETACH_KEYS_MAX];
    size_t n;
    size_t matched; /* how many of them were just typed */
};

/* text NULL or "": the default. CT_INVALID: a key that is none. */
int detach_parse(const char *text, struct detach *ret, struct ct_error *err);

/*
 * Takes out of typed what may begin the sequence, and gives it back when it does not after all.
 * out must have room for length + DETACH_KEYS_MAX bytes; *ret_length is what it got. Returns true
 * when the sequence is complete: what came before it is in out, what comes after is dropped.
 */
bool detach_filter(struct detach *detach, const unsigned char *typed, size_t length,
                   unsigned char *out, size_t *ret_length);

#endif

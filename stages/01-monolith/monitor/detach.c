/*
 * detach.c - finds the detach sequence in what is typed.
 *
 * Room:       monitor.   Called by: streams.c.
 * Spec:       moby/term, ascii.go: which names of keys there are.
 */
#define CT_LAYER "monitor"
#include "detach.h"

#include "cleanup.h"
#include "path.h"

#include <string.h>

/* The control characters that a keyboard has: ctrl-@ is 0, ctrl-a 1, … ctrl-_ 31. */
static const char controls[] = "@abcdefghijklmnopqrstuvwxyz[\\]^_";

static int parse_key(const char *name, unsigned char *ret)
{
    if (strlen(name) == 1) {
        *ret = (unsigned char)name[0];
        return 0;
    }
    const char *found =
        strncmp(name, "ctrl-", 5) == 0 && strlen(name) == 6 ? strchr(controls, name[5]) : NULL;
    if (!found) {
        return -1;
    }
    *ret = (unsigned char)(found - controls);
    return 0;
}

int detach_parse(const char *text, struct detach *ret, struct ct_error *err)
{
    CT_AUTO_FREE char *copy = ct_strdup(text && *text ? text : "ctrl-p,ctrl-q");
    char *rest = copy;

    *ret = (struct detach){0};
    for (char *name; (name = strsep(&rest, ","));) {
        if (ret->n == DETACH_KEYS_MAX || parse_key(name, &ret->keys[ret->n]) < 0) {
            return ct_refuse(err, CT_INVALID, "invalid detach keys (%.64s) provided", text);
        }
        ret->n++;
    }
    return 0;
}

bool detach_filter(struct detach *detach, const unsigned char *typed, size_t length,
                   unsigned char *out, size_t *ret_length)
{
    size_t n = 0;

    for (size_t i = 0; i < length; i++) {
        if (detach->matched > 0 && typed[i] != detach->keys[detach->matched]) {
            memcpy(out + n, detach->keys, detach->matched); /* it was not the sequence after all */
            n += detach->matched;
            detach->matched = 0;
        }
        if (typed[i] == detach->keys[detach->matched]) {
            detach->matched++;
            if (detach->matched == detach->n) {
                *ret_length = n;
                return true;
            }
        } else {
            out[n++] = typed[i];
        }
    }
    *ret_length = n;
    return false;
}

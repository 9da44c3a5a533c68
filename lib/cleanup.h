/*
 * cleanup.h - locals that own: what a scope holds is released on every way out.
 *
 * Room:       lib. Called by: everybody.
 * Releases accept NULL and -1 and keep errno. Initialize where declared; hand over with ct_steal*.
 */
#ifndef CT_CLEANUP_H
#define CT_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void ct_cleanup_free(void *slot)
{
    int saved = errno;
    free(*(void **)slot);
    errno = saved;
}

static inline void ct_cleanup_close(const int *fd)
{
    int saved = errno;
    if (*fd >= 0) {
        (void)close(*fd); /* nothing useful can be done when close fails here */
    }
    errno = saved;
}

static inline void ct_cleanup_file(FILE **stream)
{
    int saved = errno;
    if (*stream) {
        (void)fclose(*stream); /* writers that care call fclose themselves and set NULL */
    }
    errno = saved;
}

static inline void ct_cleanup_dir(DIR **dir)
{
    int saved = errno;
    if (*dir) {
        (void)closedir(*dir);
    }
    errno = saved;
}

static inline void ct_cleanup_json(json_t **json)
{
    int saved = errno;
    json_decref(*json);
    errno = saved;
}

/* A NULL-terminated vector of strings and its elements. */
static inline void ct_cleanup_strv(char ***strv)
{
    int saved = errno;
    for (char **s = *strv; s && *s; s++) {
        free(*s);
    }
    free(*strv);
    errno = saved;
}

#define CT_AUTO_FREE  __attribute__((cleanup(ct_cleanup_free)))
#define CT_AUTO_CLOSE __attribute__((cleanup(ct_cleanup_close), unused)) /* may only be held */
#define CT_AUTO_FILE  __attribute__((cleanup(ct_cleanup_file)))
#define CT_AUTO_DIR   __attribute__((cleanup(ct_cleanup_dir)))
#define CT_AUTO_JSON  __attribute__((cleanup(ct_cleanup_json)))
#define CT_AUTO_STRV  __attribute__((cleanup(ct_cleanup_strv)))

/* Hands the value over to the caller and leaves NULL behind. */
#define ct_steal(slot)                                \
    __extension__({                                   \
        __typeof__(slot) *steal_slot_ = &(slot);      \
        __typeof__(slot) steal_value_ = *steal_slot_; \
        *steal_slot_ = NULL;                          \
        steal_value_;                                 \
    })

/* The same for a descriptor: leaves -1 behind. */
static inline int ct_steal_fd(int *fd)
{
    int value = *fd;
    *fd = -1;
    return value;
}

#endif

/*
 * engine_fake.h - what the files of the fake engine share.
 *
 * Room:       tests/fakes; included by engine_fake*.c only.
 */
#ifndef ENGINE_FAKE_H
#define ENGINE_FAKE_H

#include "engine.h"

#include <jansson.h>

#define FAKE_IMAGE    "busybox:latest"
#define FAKE_IMAGE_ID "sha256:fa4e0000000000000000000000000000000000000000000000000000000000fa"

struct fake_engine {
    json_t *containers; /* newest first; each as inspect shows it, and "Log": text printed so far */
    json_t *volumes;    /* documents */
    json_t *networks;   /* documents */
    struct engine_wait *waits; /* open ones: told of every change */
};

/* The handle is opaque to callers: behind it is the fake's own. */
static inline struct fake_engine *fake(struct engine *engine)
{
    return (struct fake_engine *)(void *)engine;
}

/* CT_UNSUPPORTED "<what>: the fake engine cannot". */
int fake_cannot(struct ct_error *err, const char *what);

/* engine_fake.c: the record ref names (borrowed), or NULL with CT_NOT_FOUND or CT_INVALID. */
json_t *fake_find(struct engine *engine, const char *ref, struct ct_error *err);
const char *fake_name(const json_t *record); /* without the slash */
const char *fake_status(const json_t *record);
/* Tells the open waits that something changed. */
void fake_notify(struct engine *engine);

/* engine_fake_stores.c: CT_NOT_FOUND "no such image: x". */
int fake_check_image(const char *reference, struct ct_error *err);
/* The networks that every engine has. Owned. */
json_t *fake_networks(void);

#endif

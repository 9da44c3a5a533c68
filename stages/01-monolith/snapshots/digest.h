/*
 * digest.h - content addresses: SHA-256 written as "sha256:<64 hex digits>".
 *
 * Room:       snapshots (second door).
 * Called by:  snapshots, images; containerd (04).
 * Spec:       OCI image-spec, descriptor.md, "Digests"; FIPS 180-4.
 */
#ifndef DIGEST_H
#define DIGEST_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>

#define DIGEST_SIZE   72 /* "sha256:", 64 hex digits and a NUL */
#define DIGEST_PREFIX "sha256:"

struct digest; /* opaque: a hash under way */

/* A fresh hash; digest_free() accepts NULL. NULL with CT_SYSTEM when libcrypto refuses. */
struct digest *digest_new(struct ct_error *err);
void digest_free(struct digest *digest);

void digest_update(struct digest *digest, const void *data, size_t size_bytes);

/* Ends the hash; the object can only be freed afterwards. Returns text. */
char *digest_final(struct digest *digest, char text[static DIGEST_SIZE]);

/* The digest of what has come so far; more may follow. Returns text. */
char *digest_so_far(const struct digest *digest, char text[static DIGEST_SIZE]);

/* The digest of one piece of memory. Returns text, or NULL (err). */
char *digest_of(const void *data, size_t size_bytes, char text[static DIGEST_SIZE],
                struct ct_error *err);

/* Exactly "sha256:" and 64 lower-case hex digits, so that it is safe as a file name too. */
bool digest_is_valid(const char *text);

/* The part after "sha256:"; borrowed from a valid digest. */
const char *digest_hex(const char *text);

static inline void digest_cleanup(struct digest **digest)
{
    digest_free(*digest);
}

#define AUTO_DIGEST __attribute__((cleanup(digest_cleanup)))

#endif

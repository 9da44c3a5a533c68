/*
 * digest.c - SHA-256 on OpenSSL's EVP.
 *
 * Room:       snapshots.
 * Called by:  stream.c, tar_write.c; images.
 * Man:        EVP_DigestInit(3ssl), OPENSSL_init_crypto(3ssl).
 */
#include "digest.h"

#include "cleanup.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <string.h>

#undef CT_LAYER
#define CT_LAYER "digest"

struct digest {
    EVP_MD_CTX *context;
    bool failed;
};

struct digest *digest_new(struct ct_error *err)
{
    struct digest *digest = calloc(1, sizeof(*digest));

    /* Without this, the first use reads openssl.cnf, which may load foreign provider modules. */
    (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
    if (digest) {
        digest->context = EVP_MD_CTX_new();
    }
    if (!digest || !digest->context ||
        EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) != 1) {
        digest_free(digest);
        return ct_refuse_null(err, CT_SYSTEM, "start a sha256 hash: libcrypto refuses");
    }
    return digest;
}

void digest_free(struct digest *digest)
{
    if (digest) {
        EVP_MD_CTX_free(digest->context);
        free(digest);
    }
}

void digest_update(struct digest *digest, const void *data, size_t size_bytes)
{
    digest->failed |= EVP_DigestUpdate(digest->context, data, size_bytes) != 1;
}

char *digest_final(struct digest *digest, char text[static DIGEST_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    uint8_t raw[32] = {0};
    unsigned int length = 0;
    size_t at = strlen(DIGEST_PREFIX);

    /* A hash that went wrong becomes a text that no digest equals, so every check fails. */
    if (digest->failed || EVP_DigestFinal_ex(digest->context, raw, &length) != 1) {
        (void)strcpy(text, DIGEST_PREFIX "failed");
        return text;
    }
    (void)memcpy(text, DIGEST_PREFIX, at);
    for (unsigned int i = 0; i < length; i++) {
        text[at++] = hex[raw[i] >> 4];
        text[at++] = hex[raw[i] & 15];
    }
    text[at] = '\0';
    return text;
}

char *digest_so_far(const struct digest *digest, char text[static DIGEST_SIZE])
{
    struct digest copy = {.context = EVP_MD_CTX_new(), .failed = digest->failed};

    copy.failed |= !copy.context || EVP_MD_CTX_copy_ex(copy.context, digest->context) != 1;
    (void)digest_final(&copy, text);
    EVP_MD_CTX_free(copy.context);
    return text;
}

char *digest_of(const void *data, size_t size_bytes, char text[static DIGEST_SIZE],
                struct ct_error *err)
{
    AUTO_DIGEST struct digest *digest = digest_new(err);

    if (!digest) {
        return NULL;
    }
    digest_update(digest, data, size_bytes);
    return digest_final(digest, text);
}

bool digest_is_valid(const char *text)
{
    size_t prefix = strlen(DIGEST_PREFIX);

    return strncmp(text, DIGEST_PREFIX, prefix) == 0 && strlen(text) == prefix + 64 &&
           strspn(text + prefix, "0123456789abcdef") == 64;
}

const char *digest_hex(const char *text)
{
    return text + strlen(DIGEST_PREFIX);
}

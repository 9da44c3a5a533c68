/*
 * address.c - where a shim's socket stands.
 *
 * Room:       shim.   Called by: start.c, delete.c, console.c.
 * Man:        unix(7).
 *
 * A file, in a directory that only root can enter: an abstract socket would be open to every
 * process of the same network namespace, a container of the host's network among them
 * (CVE-2020-15257).
 */
#define CT_LAYER "shim"
#include "shim_internal.h"

#include "cleanup.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
/* The hash alone, without the machinery of OpenSSL 3 around it: 16 kB of a program that stays. */
#define OPENSSL_API_COMPAT 0x10100000L
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEFAULT_RUN "/run/cutaway"

char *address_folder(struct ct_error *err)
{
    const char *run = getenv("CUTAWAY_RUN");
    CT_AUTO_FREE char *path = ct_join(run && *run ? run : DEFAULT_RUN, "s");
    CT_AUTO_CLOSE int fd = ct_mkdirs(path, 0700, err);
    struct stat status;

    if (fd < 0) {
        return NULL;
    }
    if (fstat(fd, &status) < 0) {
        return ct_fail_null(err, errno, "look at '%.120s'", path);
    }
    if (status.st_uid != geteuid() || (status.st_mode & 077)) {
        return ct_refuse_null(err, CT_DENIED, "use '%.120s': others may, too", path);
    }
    return ct_steal(path);
}

/* Two containerds, two namespaces or two ids never meet; the length is always the same, for a
 * socket's path has at most 107 bytes. */
static void digest(const struct shim_options *options, const char *group,
                   char ret[static 2 * SHA256_DIGEST_LENGTH + 1])
{
    const char *const parts[] = {options->address, options->namespace, group};
    unsigned char bytes[SHA256_DIGEST_LENGTH];
    SHA256_CTX state;

    (void)SHA256_Init(&state);
    for (size_t i = 0; i < 3; i++) {
        (void)SHA256_Update(&state, parts[i], strlen(parts[i]) + 1); /* the NUL divides them */
    }
    (void)SHA256_Final(bytes, &state);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        (void)snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
    }
}

char *address_of(const struct shim_options *options, const char *group, struct ct_error *err)
{
    char name[2 * SHA256_DIGEST_LENGTH + 1];
    CT_AUTO_FREE char *folder = address_folder(err);

    if (!folder) {
        return NULL;
    }
    digest(options, group, name);
    return ct_join(folder, name);
}

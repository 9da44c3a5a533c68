/*
 * embedded.c - the image that comes with Cutaway: busybox, so that nothing has to be pulled.
 *
 * Room:       engine.   Called by: images.c, when a reference is not in the store.
 *
 * It is an archive made at build time from Debian's busybox-static. The binary finds it relative
 * to itself: in the build tree, and installed.
 */
#define CT_LAYER "engine"
#include "engine_internal.h"

#include "cleanup.h"
#include "path.h"
#include "process.h"
#include "span.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define EMBEDDED_REFERENCE "docker.io/library/busybox:latest"

static const char *const candidates[] = {
    "../../tools/busybox.tar",                   /* build/stages/NN-NAME/ */
    "../share/cutaway/images/busybox.tar",       /* PREFIX/sbin/ */
    "../../share/cutaway/images/busybox.tar",    /* PREFIX/libexec/cutaway/ */
    "../../../share/cutaway/images/busybox.tar", /* PREFIX/lib/ARCH/cutaway/ */
};

static int open_archive(struct ct_error *err)
{
    CT_AUTO_FREE char *self = ct_self_path(err);
    if (!self) {
        return -1;
    }
    *strrchr(self, '/') = '\0';
    for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++) {
        CT_AUTO_FREE char *path = ct_join(self, candidates[i]);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            return fd;
        }
    }
    (void)ct_refuse(err, CT_NOT_FOUND, "find the image that comes with cutaway, near '%s'", self);
    return ct_hint(err, "build it with 'make', or install with 'make install'");
}

int embedded_image_load(struct engine *engine, const char *reference, struct ct_error *err)
{
    CT_AUTO_FREE char *full = image_ref_normalize(reference, err);
    if (!full) {
        return -1;
    }
    if (strcmp(full, EMBEDDED_REFERENCE) != 0) {
        (void)ct_refuse(err, CT_NOT_FOUND, "no such image: %.200s", reference);
        return ct_hint(err, "bring it in with 'load' or 'import'; pulling comes with no stage yet");
    }
    CT_SPAN(err, CT_ROLE_ENGINE, CT_STEP_UNPACK, "load the embedded image %s", reference);
    CT_AUTO_JSON json_t *loaded = NULL;
    CT_AUTO_CLOSE int fd = open_archive(err);
    if (fd < 0 || image_load(engine_images(engine, err), fd, NULL, &loaded, err) < 0) {
        return ct_while(err, "load the embedded image '%s'", reference);
    }
    return 0;
}

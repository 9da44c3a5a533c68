/*
 * main.c - cutaway-containerd-shim: what stays with a container. See shim.h.
 *
 * Room:       shim.   Called by: containerd.
 */
#define CT_LAYER "shim"
#include "shim.h"
#include "shim_options.h"

#include "containerd_api.h"

#include "cleanup.h"
#include "file.h"

#include <errno.h>
#include <stdlib.h>

#define LISTEN_FD 3 /* where `start` puts it */

static int print_info(struct ct_error *err)
{
    Containerd__Types__RuntimeVersion version = CONTAINERD__TYPES__RUNTIME_VERSION__INIT;
    Containerd__Types__RuntimeInfo info = CONTAINERD__TYPES__RUNTIME_INFO__INIT;
    uint8_t bytes[256];

    version.version = (char *)CUTAWAY_VERSION;
    info.name = (char *)"io.containerd.cutaway.v2";
    info.version = &version;
    size_t length = containerd__types__runtime_info__pack(&info, bytes);
    return ct_write_all(STDOUT_FILENO, bytes, length) < 0 ? ct_fail(err, errno, "print") : 0;
}

int main(int argc, char **argv)
{
    struct shim_options options;
    struct ct_error err = {0};
    int result = -1;

    switch (shim_options_parse(argc, argv, &options)) {
    case SHIM_START:
        result = shim_start(&options, &err);
        break;
    case SHIM_DELETE:
        result = shim_delete(&options, &err);
        break;
    case SHIM_INFO:
        result = print_info(&err);
        break;
    case SHIM_SERVE:
        result = shim_serve(&options, LISTEN_FD, &err);
        break;
    }
    if (result < 0) {
        ct_error_print(stderr, "cutaway-containerd-shim", &err);
        return 1;
    }
    return 0;
}

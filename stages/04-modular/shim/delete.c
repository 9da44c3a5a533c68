/*
 * delete.c - the verb `delete`: what a shim that was killed left behind.
 *
 * Room:       shim.   Called by: main.c. containerd calls it after every shim's end.
 * Spec:       containerd runtime/v2/README.md, "delete".
 */
#define CT_LAYER "shim"
#include "shim_internal.h"

#include "cleanup.h"
#include "file.h"
#include "log.h"
#include "path.h"
#include "process.h"
#include "span.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RUNTIME_MS 10000
#define KILLED     (128 + SIGKILL)

/* The runtime ends what still runs, and removes its groups and its state. */
static int delete_container(const struct runtime *runtime, const char *bundle, const char *id,
                            struct ct_error *err)
{
    const char *const words[] = {"delete", "--force", id, NULL};
    CT_AUTO_STRV char **argv = runtime_words(runtime, bundle, words, &(size_t){0});
    CT_AUTO_FREE char *output = NULL;
    long long before = runtime_log_size(bundle);
    int status = 0;

    if (ct_process_run((const char *const *)argv, RUNTIME_MS, 4096, &output, &status, err) < 0) {
        return -1;
    }
    if (ct_exit_code(status) == 0) {
        return 0;
    }
    CT_AUTO_FREE char *message = runtime_last_error(bundle, before);
    return ct_refuse(err, CT_SYSTEM, "delete '%.64s': %s", id, message ? message : output);
}

/* The socket, unless somebody answers there: a shim of a group goes on without this container. */
static void remove_socket(int bundle_fd)
{
    CT_AUTO_FREE char *address = NULL;
    struct ct_error ignored = {0};

    if (ct_read_file_at(bundle_fd, "address", 4096, &address, &ignored) <= 0 ||
        strncmp(address, "unix://", 7) != 0) {
        return;
    }
    CT_AUTO_CLOSE int fd = ttrpc_connect(address + 7, &ignored);
    if (fd < 0 && ignored.kind == CT_UNREACHABLE) {
        (void)unlink(address + 7);
    }
}

static pid_t read_pid(int bundle_fd)
{
    CT_AUTO_FREE char *text = NULL;
    struct ct_error ignored = {0};
    long pid = ct_read_file_at(bundle_fd, "init.pid", 32, &text, &ignored) > 0
                   ? strtol(text, NULL, 10)
                   : 0;
    return pid > 0 && pid <= INT32_MAX ? (pid_t)pid : 0;
}

static int print_answer(pid_t pid, struct ct_error *err)
{
    Google__Protobuf__Timestamp when = timestamp_of(ct_now_ns());
    Containerd__Task__V2__DeleteResponse answer = CONTAINERD__TASK__V2__DELETE_RESPONSE__INIT;
    uint8_t bytes[128];

    answer.pid = (uint32_t)pid;
    answer.exit_status = KILLED;
    answer.exited_at = &when;
    size_t length = containerd__task__v2__delete_response__pack(&answer, bytes);
    return ct_write_all(STDOUT_FILENO, bytes, length) < 0 ? ct_fail(err, errno, "print the answer")
                                                          : 0;
}

int shim_delete(const struct shim_options *options, struct ct_error *err)
{
    CT_SPAN(err, CT_ROLE_SHIM, CT_STEP_COMMAND, "cutaway-containerd-shim -id %s delete",
            options->id);
    CT_AUTO_FREE char *bundle = ct_path_absolute(options->bundle ? options->bundle : ".", err);
    CT_AUTO_CLOSE int fd = bundle ? open(bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    struct runtime runtime = {0};

    if (fd < 0) {
        return bundle ? ct_fail(err, errno, "open bundle '%.120s'", bundle) : -1;
    }
    pid_t pid = read_pid(fd);
    if (runtime_load(fd, options->namespace, &runtime, err) < 0) {
        return -1;
    }
    /* Each part is tried, whatever became of the one before; the first failure is told. */
    struct ct_error later = {0};
    int result = delete_container(&runtime, bundle, options->id, err);
    if (rootfs_unmount(bundle, result < 0 ? &later : err) < 0) {
        result = -1;
    }
    remove_socket(fd);
    runtime_done(&runtime);
    return result < 0 ? -1 : print_answer(pid, err);
}

/*
 * programs.c - the other boxes' programs: where this machine has them.
 *
 * Room:       execdriver (stage 04).   Called by: driver.c, job.c; container_record.h.
 *
 * What the environment names; else ours: where they stand in a build tree or are installed, seen
 * from this very program, or in PATH; then Docker's own of the same role.
 */
#include "tasks_internal.h"

#include "cleanup.h"
#include "path.h"
#include "process.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The program of this path if it may be run (owned), else NULL. Takes path over. */
static char *runnable(char *path)
{
    if (ct_is_program(path)) {
        return path;
    }
    free(path);
    return NULL;
}

char *tasks_in_path(const char *name)
{
    const char *path = getenv("PATH");
    CT_AUTO_FREE char *copy = ct_strdup(path ? path : "");
    char *position = NULL;

    for (char *dir = strtok_r(copy, ":", &position); dir; dir = strtok_r(NULL, ":", &position)) {
        char *program = runnable(ct_join(dir, name));
        if (program) {
            return program;
        }
    }
    return NULL;
}

/* The folder of this very program. Owned; NULL: the kernel does not say. */
static char *own_folder(void)
{
    char own[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);

    if (length <= 0) {
        return NULL;
    }
    own[length] = '\0';
    *strrchr(own, '/') = '\0';
    return ct_strdup(own);
}

static char *find(const char *folder, const char *name)
{
    CT_AUTO_FREE char *own = own_folder();
    char *program = NULL;

    if (own) { /* a build tree; installed; installed for programs only */
        program = runnable(ct_printf("%s/%s/%s", own, folder, name));
        program = program ? program : runnable(ct_printf("%s/%s", own, name));
        program = program ? program : runnable(ct_printf("%s/../libexec/cutaway/%s", own, name));
    }
    return program ? program : tasks_in_path(name);
}

char *tasks_runtime_program(void)
{
    const char *named = getenv("CUTAWAY_RUNTIME");
    return named ? ct_strdup(named) : find("runc", "cutaway-runc");
}

/* A path, or the name by which containerd finds Docker's. */
char *container_record_runtime(void)
{
    const char *named = getenv("CUTAWAY_SHIM");
    char *program = named ? ct_strdup(named) : find("shim", "cutaway-containerd-shim");
    return program ? program : ct_strdup("io.containerd.runc.v2");
}

char *tasks_init_program(void)
{
    static const char *const peers[] = {"docker-init", "tini-static", "tini"};
    const char *named = getenv("CUTAWAY_INIT");
    char *program = named ? ct_strdup(named) : find("init", "cutaway-init");

    for (size_t i = 0; !program && i < sizeof(peers) / sizeof(peers[0]); i++) {
        program = tasks_in_path(peers[i]);
    }
    return program;
}

char *tasks_server_program(void)
{
    return find(".", "cutaway-containerd");
}

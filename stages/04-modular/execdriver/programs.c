/*
 * programs.c - the other boxes' programs: where this machine has them.
 *
 * Room:       execdriver (stage 04).   Called by: driver.c, job.c.
 *
 * What the environment names; else ours: beside us, as they stand in a build tree, or in PATH; then
 * Docker's own of the same role.
 */
#include "tasks_internal.h"

#include "cleanup.h"
#include "path.h"
#include "process.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *tasks_in_path(const char *name)
{
    const char *path = getenv("PATH");
    CT_AUTO_FREE char *copy = ct_strdup(path ? path : "");
    char *position = NULL;

    for (char *dir = strtok_r(copy, ":", &position); dir; dir = strtok_r(NULL, ":", &position)) {
        char *program = ct_join(dir, name);
        if (ct_is_program(program)) {
            return program;
        }
        free(program);
    }
    return NULL;
}

/* FOLDER/NAME in the folder of this very program. */
static char *beside_us(const char *folder, const char *name)
{
    char own[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);

    if (length <= 0) {
        return NULL;
    }
    own[length] = '\0';
    *strrchr(own, '/') = '\0';
    char *program = ct_printf("%s/%s/%s", own, folder, name);
    if (!ct_is_program(program)) {
        free(program);
        program = NULL;
    }
    return program;
}

static char *find(const char *folder, const char *name)
{
    char *program = beside_us(folder, name);
    return program ? program : tasks_in_path(name);
}

char *tasks_runtime_program(void)
{
    const char *named = getenv("CUTAWAY_RUNTIME");
    return named ? ct_strdup(named) : find("runc", "cutaway-runc");
}

char *tasks_shim_name(void)
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

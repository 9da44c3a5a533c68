/*
 * trash.c - directories that are on their way out: moved by one rename(2), then emptied at leisure.
 *
 * Room:       containers.   Called by: the implementations of containers.h.
 */
#define CT_LAYER "containers"
#include "container_parts.h"

#include "cleanup.h"
#include "log.h"
#include "path.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

bool trash_is_empty(int trash_fd)
{
    struct stat trash;
    return fstat(trash_fd, &trash) < 0 || trash.st_nlink <= 2; /* no directory in it */
}

void trash_sweep(int trash_fd)
{
    CT_AUTO_CLOSE int fd = openat(trash_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CT_AUTO_DIR DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (!dir) {
        return; /* what is there stays for the next time */
    }
    fd = -1; /* it is dir's now */
    while ((entry = readdir(dir))) {
        struct ct_error err = {0};
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        if (ct_remove_tree(trash_fd, entry->d_name, &err) < 0) {
            char line[512];
            ct_warn("sweep '%s': %s", entry->d_name, ct_error_render(&err, line, sizeof(line)));
        }
    }
}

/*
 * log.c - LXC's log as one sentence.
 *
 * Room:       execdriver/lxc.   Called by: job.c, attach.c.
 *
 * LXC logs a failure at each level on its way out, the cause first and "The container failed to
 * start" last. A line reads
 *
 *   lxc-start ID 20261124013739.455 ERROR    conf - ../src/lxc/conf.c:lxc_mount_rootfs:1437 - TEXT
 *
 * where TEXT begins with the words of an errno when there was one: "No such file or directory -
 * Failed to mount rootfs …". The first ERROR is what we tell; a WARN only if there is no ERROR.
 */
#define CT_LAYER "lxc"
#include "lxc_internal.h"

#include "cleanup.h"
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_MAX_BYTES (256u << 10)

/* Said on the way, and never the cause. */
static const char *const boilerplate[] = {
    "Inherited fd",
    "Received container state",
    "Failed to retrieve",
    "Unsupported config key",
};

/* The TEXT of a line of this level, or NULL. */
static const char *text_of(const char *line, const char *level)
{
    const char *found = strstr(line, level);
    const char *place = found ? strstr(found, " - ") : NULL;
    const char *text = place ? strstr(place + 3, " - ") : NULL;

    for (size_t i = 0; text && i < sizeof(boilerplate) / sizeof(boilerplate[0]); i++) {
        if (strstr(text, boilerplate[i])) {
            return NULL;
        }
    }
    return text ? text + 3 : NULL;
}

/* Cuts the words of an errno off the begin of *text. 0: there were none. */
static int take_errno(const char **text)
{
    for (int number = 1; number < 134; number++) {
        const char *words = strerrordesc_np(number);
        size_t length = words ? strlen(words) : 0;
        if (length && strncmp(*text, words, length) == 0 &&
            strncmp(*text + length, " - ", 3) == 0) {
            *text += length + 3;
            return number;
        }
    }
    return 0;
}

static const char *first_of(char *log, const char *level)
{
    for (char *line = log; line && *line;) {
        const char *text = text_of(line, level);
        if (text) {
            return text;
        }
        line = line[strlen(line) + 1] ? line + strlen(line) + 1 : NULL;
    }
    return NULL;
}

/* Hints for what can be put right on the host. */
static void add_hint(struct ct_error *err, const char *text)
{
    if (err->sys == ENOSPC) {
        (void)ct_hint(err, "free some space on the disk");
    } else if (err->sys == EROFS && strstr(text, "cgroup")) {
        (void)ct_hint(err, "mount the control groups writable");
    } else if (strstr(text, "apparmor") || strstr(text, "AppArmor")) {
        (void)ct_hint(err, "load LXC's profiles (systemctl reload apparmor), or "
                           "--security-opt apparmor=unconfined");
    }
}

bool log_explain(int dir_fd, const char *name, struct ct_error *err)
{
    struct ct_error ignored = {0};
    CT_AUTO_FREE char *log = NULL;
    ssize_t length = ct_read_file_at(dir_fd, name, LOG_MAX_BYTES, &log, &ignored);

    if (length <= 0) {
        return false;
    }
    for (char *c = log; *c; c++) {
        *c = *c == '\n' ? 0 : *c; /* lines become strings; the text ends with an empty one */
        if (!*c && !c[1]) {
            break;
        }
    }
    const char *text = first_of(log, " ERROR ");
    text = text ? text : first_of(log, " WARN ");
    if (!text) {
        return false;
    }
    int sys = take_errno(&text);
    (void)ct_error_set(err, CT_LAYER, CT_SYSTEM, sys, "%s", text);
    add_hint(err, text);
    return true;
}

/*
 * plan.c - reading a plan, inside the container.
 *
 * Room:       execdriver/lxc.   Called by: sysinit.c.
 * The text comes from the driver, but it is read as if it did not: every string is checked to end
 * before the text does.
 */
#define CT_LAYER "sysinit"
#include "plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct reader {
    char *at, *end;
    bool broken; /* sticky: checked once, after everything was read */
};

static char *next_string(struct reader *reader)
{
    char *nul = reader->broken ? NULL : memchr(reader->at, 0, (size_t)(reader->end - reader->at));
    char *string = reader->at;

    if (!nul) {
        reader->broken = true;
        return reader->end; /* points at the NUL that plan_read() put there */
    }
    reader->at = nul + 1;
    return string;
}

static uint64_t next_number(struct reader *reader, uint64_t max)
{
    const char *text = next_string(reader);
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);

    if (end == text || *end || errno || value > max) {
        reader->broken = true;
        return 0;
    }
    return value;
}

/* A count that the rest of the text can hold: each element takes at least one byte. */
static size_t next_count(struct reader *reader)
{
    size_t count = (size_t)next_number(reader, PLAN_MAX_BYTES);

    if (count > (size_t)(reader->end - reader->at)) {
        reader->broken = true;
        return 0;
    }
    return count;
}

static char **next_vector(struct reader *reader)
{
    size_t count = next_count(reader);
    char **vector = calloc(count + 1, sizeof(*vector));

    for (size_t i = 0; vector && i < count; i++) {
        vector[i] = next_string(reader);
    }
    return vector;
}

static gid_t *next_groups(struct reader *reader, size_t *ret_n)
{
    *ret_n = next_count(reader);
    gid_t *groups = calloc(*ret_n + 1, sizeof(*groups));

    for (size_t i = 0; groups && i < *ret_n; i++) {
        groups[i] = (gid_t)next_number(reader, UINT32_MAX);
    }
    return groups;
}

/* The whole file as one text with a NUL behind it. */
static char *read_text(int fd, size_t *ret_length, struct ct_error *err)
{
    struct stat st;
    size_t done = 0;

    if (fstat(fd, &st) < 0) {
        return ct_fail_null(err, errno, "look at the plan");
    }
    if (st.st_size <= 0 || st.st_size > (off_t)PLAN_MAX_BYTES) {
        return ct_refuse_null(err, CT_INVALID, "read a plan of %lld bytes", (long long)st.st_size);
    }
    char *text = calloc(1, (size_t)st.st_size + 1);
    if (!text) {
        return ct_fail_null(err, ENOMEM, "read the plan");
    }
    while (done < (size_t)st.st_size) {
        ssize_t n = pread(fd, text + done, (size_t)st.st_size - done, (off_t)done);
        if (n <= 0) {
            free(text);
            return ct_fail_null(err, n < 0 ? errno : EIO, "read the plan");
        }
        done += (size_t)n;
    }
    *ret_length = done;
    return text;
}

void plan_done(struct plan *plan)
{
    free(plan->text);
    free(plan->groups);
    free(plan->argv);
    free(plan->envp);
    *plan = (struct plan){0};
}

int plan_read(int fd, struct plan *ret, struct ct_error *err)
{
    size_t length = 0;
    struct plan plan = {.text = read_text(fd, &length, err)};

    if (!plan.text) {
        return -1;
    }
    struct reader reader = {.at = plan.text, .end = plan.text + length};
    bool known = strcmp(next_string(&reader), PLAN_MAGIC) == 0;
    plan.flags = (unsigned)next_number(&reader, UINT32_MAX);
    plan.uid = (uid_t)next_number(&reader, UINT32_MAX);
    plan.gid = (gid_t)next_number(&reader, UINT32_MAX);
    plan.caps = next_number(&reader, UINT64_MAX);
    plan.groups = next_groups(&reader, &plan.n_groups);
    plan.cwd = next_string(&reader);
    plan.argv = next_vector(&reader);
    plan.envp = next_vector(&reader);
    if (!plan.groups || !plan.argv || !plan.envp) {
        plan_done(&plan);
        return ct_fail(err, ENOMEM, "read the plan");
    }
    if (!known || reader.broken || reader.at != reader.end || !plan.argv[0]) {
        plan_done(&plan);
        return ct_refuse(err, CT_INVALID, "read the plan: it is not one of this version");
    }
    *ret = plan;
    return 0;
}

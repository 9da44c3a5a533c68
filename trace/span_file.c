/*
 * span_file.c - the file that programs append their spans to where there is no BPF.
 *
 * Room:       trace.   Called by: record.c.
 * Man:        flock(2); write(2) with O_APPEND: lines of several programs do not mix.
 *
 * The recorder holds a lock on its file, which the kernel takes back when it is killed. So a file
 * without a lock is what such a one left, and the next recorder removes it.
 */
#define CT_LAYER "trace"
#include "span_file.h"
#include "recording.h"

#include "cleanup.h"
#include "json.h"
#include "path.h"
#include "span.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

struct span_file {
    FILE *in;       /* holds the lock */
    int out;        /* what the command inherits */
    int folder;     /* RUN/trace, or -1: the file has no name */
    char name[33];  /* there */
    char *run;      /* to be told */
    char why[256];  /* why it has no name */
    json_t *asked;  /* requests of clients that nobody answered: id of the span -> pid */
    size_t n_begun; /* spans … */
    size_t n_ended;
};

/* ---- where it stands ------------------------------------------------------------------------ */

/* Whoever still holds it open finds it read-only, and lib/span.c then adds nothing more. */
static void retire(int folder, const char *name, int fd)
{
    (void)fchmod(fd, 0400);
    (void)!ftruncate(fd, 0);
    if (folder >= 0) {
        (void)unlinkat(folder, name, 0);
    }
}

static void remove_left_ones(int folder)
{
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CT_AUTO_DIR DIR *entries = copy < 0 ? NULL : fdopendir(copy);

    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        CT_AUTO_CLOSE int fd =
            entry->d_type != DT_REG
                ? -1
                : openat(folder, entry->d_name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
            retire(folder, entry->d_name, fd);
        }
    }
}

/* One recorder at a time: between making a file and locking it, it would look like a left one. */
static int open_named(struct span_file *file, int *ret_in, struct ct_error *err)
{
    CT_AUTO_CLOSE int folder = ct_span_folder(file->run, err);

    if (folder < 0) {
        return -1;
    }
    (void)flock(folder, LOCK_EX);
    remove_left_ones(folder);
    CT_AUTO_CLOSE int in =
        openat(folder, file->name, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    file->out = in < 0 || flock(in, LOCK_EX | LOCK_NB) < 0
                    ? -1
                    : openat(folder, file->name, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
    (void)flock(folder, LOCK_UN);
    if (file->out < 0) {
        return ct_fail(err, errno, "make a file in '%.120s/trace'", file->run);
    }
    *ret_in = ct_steal_fd(&in);
    file->folder = ct_steal_fd(&folder);
    return 0;
}

static int open_unnamed(struct span_file *file, int *ret_in, struct ct_error *err)
{
    char path[] = "/tmp/cutaway-spans-XXXXXX";

    file->out = mkostemp(path, O_APPEND | O_CLOEXEC);
    if (file->out < 0) {
        return ct_fail(err, errno, "make a file for spans");
    }
    *ret_in = open(path, O_RDONLY | O_CLOEXEC);
    (void)unlink(path);
    return *ret_in < 0 ? ct_fail(err, errno, "read the file for spans") : 0;
}

/* Out of the way of the command's own descriptors, and kept across exec. */
static int make_inheritable(struct span_file *file, struct ct_error *err)
{
    int high = fcntl(file->out, F_DUPFD, 100);
    if (high < 0) {
        return ct_fail(err, errno, "keep a descriptor for spans");
    }
    (void)close(file->out);
    file->out = high;
    return 0;
}

struct span_file *span_file_open(const char *run, const char *trace_id, struct ct_error *err)
{
    struct span_file *file = calloc(1, sizeof(*file));
    struct ct_error why = {0};
    int in = -1;

    if (!file) {
        return ct_fail_null(err, ENOMEM, "make a file for spans");
    }
    *file =
        (struct span_file){.out = -1, .folder = -1, .run = ct_strdup(run), .asked = json_object()};
    (void)snprintf(file->name, sizeof(file->name), "%s", trace_id);
    int result = open_named(file, &in, &why);
    if (result < 0) {
        (void)ct_error_render(&why, file->why, sizeof(file->why));
        result = open_unnamed(file, &in, err);
    }
    file->in = in < 0 ? NULL : fdopen(in, "r");
    if (result < 0 || make_inheritable(file, err) < 0) {
        span_file_close(file);
        return NULL;
    }
    return file;
}

int span_file_fd(const struct span_file *file)
{
    return file->out;
}

void span_file_close(struct span_file *file)
{
    if (!file) {
        return;
    }
    if (file->out >= 0) {
        retire(file->folder, file->name, file->out);
    }
    ct_cleanup_close(&file->out);
    ct_cleanup_close(&file->folder);
    ct_cleanup_file(&file->in); /* the lock, last of all */
    json_decref(file->asked);
    free(file->run);
    free(file);
}

/* ---- what stands in it ---------------------------------------------------------------------- */

/* A request that somebody else's span answers, or that failed, is not open any more. */
static void note_begin(struct span_file *file, const json_t *line)
{
    json_int_t pid = ct_json_integer(line, "pid", 0);
    const char *parent = ct_json_string(line, "parent", "");

    file->n_begun++;
    if (json_object_get(file->asked, parent) && ct_json_integer(file->asked, parent, 0) != pid) {
        (void)json_object_del(file->asked, parent);
    }
    if (strcmp(ct_json_string(line, "role", ""), "client") == 0 &&
        strcmp(ct_json_string(line, "step", ""), "request") == 0) {
        ct_json_set(file->asked, ct_json_string(line, "id", ""), json_integer(pid));
    }
}

static void note_end(struct span_file *file, const json_t *line)
{
    file->n_ended++;
    if (strcmp(ct_json_string(line, "kind", ""), "none") != 0) {
        (void)json_object_del(file->asked, ct_json_string(line, "id", ""));
    }
}

static void take_line(struct span_file *file, const char *text, size_t length, FILE *out)
{
    struct ct_error not_ours = {0};
    CT_AUTO_JSON json_t *line = ct_json_parse(text, length, &not_ours);
    const char *type = ct_json_string(line, "t", "");
    bool begins = strcmp(type, "begin") == 0;

    if (!begins && strcmp(type, "end") != 0) {
        return; /* a stranger wrote to the descriptor: not a span */
    }
    if (begins) {
        note_begin(file, line);
    } else {
        note_end(file, line);
    }
    recording_span_line(out, line);
}

size_t span_file_take(struct span_file *file, FILE *out)
{
    CT_AUTO_FREE char *line = NULL;
    size_t size = 0, n = 0;
    ssize_t length;
    long at = ftell(file->in);

    clearerr(file->in); /* the end of file that was met the last time */
    while ((length = getline(&line, &size, file->in)) > 0) {
        if (line[length - 1] != '\n') {
            (void)fseek(file->in, at, SEEK_SET); /* the rest of it is still to come */
            break;
        }
        at += length;
        take_line(file, line, (size_t)length, out);
        n++;
    }
    return n;
}

bool span_file_is_busy(const struct span_file *file)
{
    return file->n_begun > file->n_ended;
}

char *span_file_missing(const struct span_file *file)
{
    struct stat status;

    if (fstat(file->out, &status) == 0 && status.st_size >= CT_SPAN_FILE_MAX) {
        return ct_printf("the file for spans was full (%d MB): what came then is not recorded",
                         CT_SPAN_FILE_MAX >> 20);
    }
    if (json_object_size(file->asked) == 0) {
        return ct_strdup("");
    }
    return file->folder < 0
               ? ct_printf("the daemon's spans are not recorded: %s", file->why)
               : ct_printf("the daemon's spans are not recorded: it runs as another user or with "
                           "another run directory than '%s' (--run), or is not Cutaway's",
                           file->run);
}

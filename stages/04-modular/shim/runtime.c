/*
 * runtime.c - which OCI runtime, and how it is called.
 *
 * Room:       shim.   Called by: task.c, runs.c, delete.c.
 * Spec:       containerd.runc.v1.Options; runtimeoptions.v1.Options, which containerd's CRI sends
 *             with a runtime type that it does not know; runc(8), crun(1): --root, --log.
 */
#define CT_LAYER "shim"
#include "shim_internal.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "shape.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEFAULT_BINARY "runc"
#define DEFAULT_ROOT   "/run/containerd/runc"
#define SAVED          "options.json"
#define LOG_READ_MAX   (64 << 10) /* bytes of the runtime's log: its last words are wanted */

static void fill(struct runtime *ret, const char *binary, const char *root, const char *namespace)
{
    ret->binary = ct_strdup(binary && *binary ? binary : DEFAULT_BINARY);
    ret->root = ct_join(root && *root ? root : DEFAULT_ROOT, namespace);
}

/* The fields about criu are for checkpoints, which are refused by name. */
static void take(const Containerd__Runc__V1__Options *options, const char *namespace,
                 struct runtime *ret)
{
    fill(ret, options->binary_name, options->root, namespace);
    ret->systemd_cgroup = options->systemd_cgroup;
    ret->no_pivot_root = options->no_pivot_root;
    ret->no_new_keyring = options->no_new_keyring;
    ret->io_uid = options->io_uid;
    ret->io_gid = options->io_gid;
}

static int read_message(const Google__Protobuf__Any *options, const char *namespace,
                        struct runtime *ret, struct ct_error *err)
{
    Containerd__Runc__V1__Options *runc =
        containerd__runc__v1__options__unpack(NULL, options->value.len, options->value.data);
    if (!runc) {
        return ct_refuse(err, CT_INVALID, "read the runtime's options: malformed");
    }
    take(runc, namespace, ret);
    containerd__runc__v1__options__free_unpacked(runc, NULL);
    return 0;
}

/* ---- options in a file ---------------------------------------------------------------------- */

static const struct ct_shape in_file[] = {{"binary_name", CT_TEXT},
                                          {"root", CT_TEXT},
                                          {"no_pivot_root", CT_BOOLEAN},
                                          {"no_new_keyring", CT_BOOLEAN},
                                          {NULL, CT_TEXT}};

static bool is_in_file(const char *key)
{
    const struct ct_shape *row = in_file;
    while (row->path && strcmp(row->path, key) != 0) {
        row++;
    }
    return row->path != NULL;
}

static int take_file(const char *path, const char *namespace, struct runtime *ret,
                     struct ct_error *err)
{
    CT_AUTO_JSON json_t *document = ct_json_load_at(AT_FDCWD, path, err);
    const char *key;
    json_t *value;

    if (!document || ct_shape_check(document, in_file, "", err) < 0) {
        return ct_while(err, "read the runtime's options in '%s'", path);
    }
    json_object_foreach(document, key, value)
    {
        if (!is_in_file(key)) {
            return ct_refuse(err, CT_UNSUPPORTED,
                             "read the runtime's options in '%s': there is no option '%.40s'", path,
                             key);
        }
    }
    fill(ret, ct_json_string(document, "binary_name", NULL), ct_json_string(document, "root", NULL),
         namespace);
    ret->no_pivot_root = ct_json_bool(document, "no_pivot_root", false);
    ret->no_new_keyring = ct_json_bool(document, "no_new_keyring", false);
    return 0;
}

static int read_named_file(const Google__Protobuf__Any *options, const char *namespace,
                           struct runtime *ret, struct ct_error *err)
{
    Runtimeoptions__V1__Options *named =
        runtimeoptions__v1__options__unpack(NULL, options->value.len, options->value.data);
    if (!named) {
        return ct_refuse(err, CT_INVALID, "read the runtime's options: malformed");
    }
    int result;
    if (named->config_path[0] == '/') {
        result = take_file(named->config_path, namespace, ret, err);
    } else {
        result = ct_refuse(err, CT_UNSUPPORTED,
                           "read the runtime's options: ConfigPath '%.80s' is no absolute path",
                           named->config_path);
        ct_hint(err, "ConfigPath = \"/FILE\", a JSON object with binary_name and root");
    }
    runtimeoptions__v1__options__free_unpacked(named, NULL);
    return result;
}

int runtime_read(const Google__Protobuf__Any *options, const char *namespace, struct runtime *ret,
                 struct ct_error *err)
{
    *ret = (struct runtime){0};
    if (!options || options->value.len == 0) {
        fill(ret, NULL, NULL, namespace);
        return 0;
    }
    if (strcmp(options->type_url, "containerd.runc.v1.Options") == 0) {
        return read_message(options, namespace, ret, err);
    }
    if (strcmp(options->type_url, "runtimeoptions.v1.Options") == 0) {
        return read_named_file(options, namespace, ret, err);
    }
    return ct_refuse(err, CT_UNSUPPORTED,
                     "read the runtime's options: they are '%.80s', not "
                     "containerd.runc.v1.Options",
                     options->type_url);
}

int runtime_save(const struct runtime *runtime, int bundle_fd, struct ct_error *err)
{
    CT_AUTO_JSON json_t *document = json_object();

    ct_json_set_string(document, "binary_name", runtime->binary);
    ct_json_set_string(document, "root", runtime->root);
    ct_json_set(document, "systemd_cgroup", json_boolean(runtime->systemd_cgroup));
    return ct_json_save_run_at(bundle_fd, SAVED, document, err);
}

int runtime_load(int bundle_fd, const char *namespace, struct runtime *ret, struct ct_error *err)
{
    CT_AUTO_JSON json_t *document = ct_json_load_at(bundle_fd, SAVED, err);

    *ret = (struct runtime){0};
    if (!document && err->kind == CT_NOT_FOUND) { /* it died before it made anything */
        ct_error_clear(err);
        fill(ret, NULL, NULL, namespace);
        return 0;
    }
    if (!document) {
        return -1;
    }
    ret->binary = ct_strdup(ct_json_string(document, "binary_name", DEFAULT_BINARY));
    ret->root = ct_strdup(ct_json_string(document, "root", DEFAULT_ROOT));
    ret->systemd_cgroup = ct_json_bool(document, "systemd_cgroup", false);
    return 0;
}

void runtime_done(struct runtime *runtime)
{
    free(runtime->binary);
    free(runtime->root);
    *runtime = (struct runtime){0};
}

char **runtime_words(const struct runtime *runtime, const char *bundle, const char *const *words,
                     size_t *ret_n_common)
{
    size_t n = 0, at = 0;
    while (words[n]) {
        n++;
    }
    char **all = calloc(n + 9, sizeof(*all));
    if (!all) {
        abort();
    }
    all[at++] = ct_strdup(runtime->binary);
    all[at++] = ct_strdup("--root");
    all[at++] = ct_strdup(runtime->root);
    all[at++] = ct_strdup("--log");
    all[at++] = ct_join(bundle, "log.json");
    all[at++] = ct_strdup("--log-format");
    all[at++] = ct_strdup("json");
    if (runtime->systemd_cgroup) {
        all[at++] = ct_strdup("--systemd-cgroup");
    }
    *ret_n_common = at;
    for (size_t i = 0; i < n; i++) {
        all[at++] = ct_strdup(words[i]);
    }
    return all;
}

/* ---- what it says --------------------------------------------------------------------------- */

static int open_log(const char *bundle, struct stat *ret_status)
{
    CT_AUTO_FREE char *path = ct_join(bundle, "log.json");
    CT_AUTO_CLOSE int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    return fd >= 0 && fstat(fd, ret_status) == 0 && S_ISREG(ret_status->st_mode) ? ct_steal_fd(&fd)
                                                                                 : -1;
}

long long runtime_log_size(const char *bundle)
{
    struct stat status;
    CT_AUTO_CLOSE int fd = open_log(bundle, &status);
    return fd < 0 ? 0 : (long long)status.st_size;
}

/* {"level":"error","msg":"…","time":"…"}: one line an entry; what is no such line says nothing. */
static char *error_in(const char *line, size_t length)
{
    struct ct_error ignored = {0};
    CT_AUTO_JSON json_t *entry = ct_json_parse(line, length, &ignored);
    const char *message = ct_json_string(entry, "msg", "");

    return strcmp(ct_json_string(entry, "level", ""), "error") == 0 && *message ? ct_strdup(message)
                                                                                : NULL;
}

char *runtime_last_error(const char *bundle, long long from)
{
    struct stat status;
    CT_AUTO_CLOSE int fd = open_log(bundle, &status);
    CT_AUTO_FREE char *text = malloc(LOG_READ_MAX);
    char *last = NULL;

    if (fd < 0 || !text || status.st_size <= from) {
        return NULL;
    }
    if (status.st_size - from > LOG_READ_MAX) {
        from = status.st_size - LOG_READ_MAX;
    }
    ssize_t n = pread(fd, text, LOG_READ_MAX, (off_t)from);
    for (char *line = text; n > 0 && line < text + n;) {
        char *end = memchr(line, '\n', (size_t)(text + n - line));
        size_t length = (size_t)((end ? end : text + n) - line);
        char *found = error_in(line, length);
        if (found) {
            free(last);
            last = found;
        }
        line += length + 1;
    }
    return last;
}

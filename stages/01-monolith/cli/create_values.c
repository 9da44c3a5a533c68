/*
 * create_values.c - the notations of single flags, turned into the API's objects.
 *
 * Room:       cli.   Called by: create_flags.c, containers.c (exec -e).
 * Spec:       Docker's docker run(1); Docker Engine API 1.43.
 */
#define CT_LAYER "cli"
#include "create_values.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "units.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define VALUE_FILE_MAX_BYTES (4u << 20)

bool attach_wants(const struct cli_args *args, const char *stream)
{
    if (!args_has(args, "attach")) {
        return strcmp(stream, "stdin") != 0 || args_bool(args, "interactive");
    }
    for (const char *const *wanted = args_list(args, "attach"); *wanted; wanted++) {
        if (strcasecmp(*wanted, stream) == 0) {
            return true;
        }
    }
    return false;
}

char *env_assignment(const char *text)
{
    if (strchr(text, '=')) {
        return ct_strdup(text);
    }
    const char *own = getenv(text);
    return own ? ct_printf("%s=%s", text, own) : NULL;
}

/* Each line of a file that is no comment, in order. */
static int each_line(const char *path,
                     int (*fn)(json_t *to, const char *line, struct ct_error *err), json_t *to,
                     struct ct_error *err)
{
    CT_AUTO_FREE char *text = NULL;
    char *position = NULL;

    if (ct_read_file_at(AT_FDCWD, path, VALUE_FILE_MAX_BYTES, &text, err) < 0) {
        return -1;
    }
    for (char *line = strtok_r(text, "\n", &position); line;
         line = strtok_r(NULL, "\n", &position)) {
        line += strspn(line, " \t");
        if (*line && *line != '#' && fn(to, line, err) < 0) {
            return ct_while(err, "read '%s'", path);
        }
    }
    return 0;
}

static int add_env_line(json_t *env, const char *line, struct ct_error *err)
{
    size_t name = strcspn(line, "=");
    if (name == 0 || strcspn(line, " \t") < name) {
        return ct_refuse(err, CT_INVALID,
                         "poorly formatted environment: variable '%.60s' contains whitespaces",
                         line);
    }
    CT_AUTO_FREE char *assignment = env_assignment(line);
    if (assignment) {
        ct_json_append(env, ct_json_string_lossy(assignment, strlen(assignment)));
    }
    return 0;
}

int env_from_file(const char *path, json_t *env, struct ct_error *err)
{
    return each_line(path, add_env_line, env, err);
}

int values_env(const struct cli_args *args, json_t *body, struct ct_error *err)
{
    CT_AUTO_JSON json_t *env = json_array();

    for (const char *const *file = args_list(args, "env-file"); *file; file++) {
        if (env_from_file(*file, env, err) < 0) {
            return -1;
        }
    }
    for (const char *const *text = args_list(args, "env"); *text; text++) {
        if (!**text || **text == '=') {
            return ct_refuse(err, CT_INVALID, "invalid environment variable: '%.60s'", *text);
        }
        CT_AUTO_FREE char *assignment = env_assignment(*text);
        if (assignment) {
            ct_json_append(env, ct_json_string_lossy(assignment, strlen(assignment)));
        }
    }
    ct_json_set(body, "Env", ct_steal(env));
    return 0;
}

/* "key=value" or "key" into an object. */
static int add_label(json_t *labels, const char *text, struct ct_error *err)
{
    CT_AUTO_FREE char *key = ct_printf("%.*s", (int)strcspn(text, "="), text);
    const char *equal_sign = strchr(text, '=');
    if (!*key) {
        return ct_refuse(err, CT_INVALID, "invalid label '%.60s': empty name", text);
    }
    ct_json_set_string(labels, key, equal_sign ? equal_sign + 1 : "");
    return 0;
}

int values_labels(const struct cli_args *args, json_t *body, struct ct_error *err)
{
    CT_AUTO_JSON json_t *labels = json_object();

    for (const char *const *file = args_list(args, "label-file"); *file; file++) {
        if (each_line(*file, add_label, labels, err) < 0) {
            return -1;
        }
    }
    for (const char *const *label = args_list(args, "label"); *label; label++) {
        if (add_label(labels, *label, err) < 0) {
            return -1;
        }
    }
    ct_json_set(body, "Labels", ct_steal(labels));
    return 0;
}

/* "80" or "80-90" -> first and last. */
static int parse_ports(const char *text, unsigned long *first, unsigned long *last,
                       struct ct_error *err)
{
    char *end = NULL;
    *first = strtoul(text, &end, 10);
    *last = end != text && *end == '-' ? strtoul(end + 1, &end, 10) : *first;
    if (end == text || *end || *first < 1 || *last > 65535 || *last < *first) {
        return ct_refuse(err, CT_INVALID, "invalid port '%.40s': it is no number from 1 to 65535",
                         text);
    }
    return 0;
}

/* A -p value in its pieces: "127.0.0.1:8080:80/tcp". ip and host may be "". */
struct publish {
    char *ip, *host, *container, *protocol;
};

static void free_publish(struct publish *publish)
{
    free(publish->ip);
    free(publish->host);
    free(publish->container);
    free(publish->protocol);
}

static void split_publish(const char *text, struct publish *ret)
{
    const char *slash = strrchr(text, '/');
    ret->protocol = ct_strdup(slash ? slash + 1 : "tcp");
    CT_AUTO_FREE char *rest =
        ct_printf("%.*s", (int)(slash ? slash - text : (ptrdiff_t)strlen(text)), text);
    char *colon = strrchr(rest, ':');
    ret->container = ct_strdup(colon ? colon + 1 : rest);
    if (colon) {
        *colon = '\0';
    }
    char *second = colon ? strrchr(rest, ':') : NULL;
    bool bracket = colon && rest[0] == '[';
    ret->host = ct_strdup(!colon                                        ? ""
                          : second && !(bracket && strchr(second, ']')) ? second + 1
                          : second                                      ? ""
                                                                        : rest);
    if (second) {
        *second = '\0';
    }
    ret->ip = ct_strdup(second ? rest : "");
}

static int add_binding(json_t *body, json_t *bindings, const char *key, const char *ip,
                       const char *host_port)
{
    json_t *list = json_object_get(bindings, key);
    if (!list) {
        list = json_array();
        ct_json_set(bindings, key, list);
    }
    ct_json_append(list, json_pack("{s:s,s:s}", "HostIp", ip, "HostPort", host_port));
    ct_json_set(json_object_get(body, "ExposedPorts"), key, json_object());
    return 0;
}

static int publish_one(json_t *body, json_t *bindings, const struct publish *publish,
                       struct ct_error *err)
{
    unsigned long first, last, host_first = 0, host_last = 0;

    if (parse_ports(publish->container, &first, &last, err) < 0 ||
        (*publish->host && parse_ports(publish->host, &host_first, &host_last, err) < 0)) {
        return -1;
    }
    bool one_to_range = first == last && host_last > host_first;
    if (*publish->host && !one_to_range && host_last - host_first != last - first) {
        return ct_refuse(err, CT_INVALID,
                         "invalid ranges specified for container and host Ports: %s and %s",
                         publish->container, publish->host);
    }
    for (unsigned long port = first; port <= last; port++) {
        CT_AUTO_FREE char *key = ct_printf("%lu/%s", port, publish->protocol);
        CT_AUTO_FREE char *host = !*publish->host ? ct_strdup("")
                                  : one_to_range  ? ct_strdup(publish->host)
                                                  : ct_printf("%lu", host_first + port - first);
        (void)add_binding(body, bindings, key, publish->ip, host);
    }
    return 0;
}

int values_ports(const struct cli_args *args, json_t *body, struct ct_error *err)
{
    json_t *exposed = json_object();
    CT_AUTO_JSON json_t *bindings = json_object(); /* values_host() keeps its own */

    ct_json_set(body, "ExposedPorts", exposed);
    for (const char *const *text = args_list(args, "publish"); *text; text++) {
        struct publish publish = {0};
        split_publish(*text, &publish);
        int result = publish_one(body, bindings, &publish, err);
        free_publish(&publish);
        if (result < 0) {
            return ct_while(err, "read flag '--publish %.60s'", *text);
        }
    }
    for (const char *const *text = args_list(args, "expose"); *text; text++) {
        struct publish publish = {0};
        unsigned long first, last;
        split_publish(*text, &publish);
        int result = parse_ports(publish.container, &first, &last, err);
        for (unsigned long port = first; result == 0 && port <= last; port++) {
            CT_AUTO_FREE char *key = ct_printf("%lu/%s", port, publish.protocol);
            ct_json_set(exposed, key, json_object());
        }
        free_publish(&publish);
        if (result < 0) {
            return ct_while(err, "read flag '--expose %.60s'", *text);
        }
    }
    return 0;
}

static int add_port_bindings(const struct cli_args *args, json_t *host, struct ct_error *err)
{
    CT_AUTO_JSON json_t *scratch = json_pack("{s:{}}", "ExposedPorts");
    json_t *bindings = json_object();

    ct_json_set(host, "PortBindings", bindings);
    for (const char *const *text = args_list(args, "publish"); *text; text++) {
        struct publish publish = {0};
        split_publish(*text, &publish);
        int result = publish_one(scratch, bindings, &publish, err);
        free_publish(&publish);
        if (result < 0) {
            return -1;
        }
    }
    return 0;
}

/* The keys of --mount, and where in the API's Mount object their values go. */
static const struct {
    const char *key, *path;
    char type; /* t text, b boolean, s size, o octal mode, l label */
} mount_keys[] = {
    {"type", "Type", 't'},
    {"source", "Source", 't'},
    {"src", "Source", 't'},
    {"target", "Target", 't'},
    {"destination", "Target", 't'},
    {"dst", "Target", 't'},
    {"readonly", "ReadOnly", 'b'},
    {"ro", "ReadOnly", 'b'},
    {"consistency", "Consistency", 't'},
    {"bind-propagation", "BindOptions.Propagation", 't'},
    {"bind-nonrecursive", "BindOptions.NonRecursive", 'b'},
    {"volume-nocopy", "VolumeOptions.NoCopy", 'b'},
    {"volume-label", "VolumeOptions.Labels", 'l'},
    {"volume-subpath", "VolumeOptions.Subpath", 't'},
    {"tmpfs-size", "TmpfsOptions.SizeBytes", 's'},
    {"tmpfs-mode", "TmpfsOptions.Mode", 'o'},
};

/* "A.B" -> the object A of mount (made when missing), *ret_key = "B". */
static json_t *mount_parent(json_t *mount, const char *path, const char **ret_key)
{
    const char *dot = strchr(path, '.');
    if (!dot) {
        *ret_key = path;
        return mount;
    }
    CT_AUTO_FREE char *name = ct_printf("%.*s", (int)(dot - path), path);
    json_t *parent = json_object_get(mount, name);
    if (!parent) {
        parent = json_object();
        ct_json_set(mount, name, parent);
    }
    *ret_key = dot + 1;
    return parent;
}

static int set_mount_value(json_t *mount, const char *path, char type, const char *value,
                           struct ct_error *err)
{
    const char *key;
    json_t *parent = mount_parent(mount, path, &key);
    int64_t size = 0;
    char *end = NULL;

    if (type == 't') {
        ct_json_set_string(parent, key, value ? value : "");
    } else if (type == 'b') {
        bool no = value && (strcmp(value, "false") == 0 || strcmp(value, "0") == 0);
        ct_json_set(parent, key, json_boolean(!no));
    } else if (type == 's') {
        if (ct_size_parse(value ? value : "", &size, err) < 0) {
            return -1;
        }
        ct_json_set(parent, key, json_integer(size));
    } else if (type == 'o') {
        long mode = strtol(value ? value : "", &end, 8);
        if (!value || !*value || *end) {
            return ct_refuse(err, CT_INVALID, "invalid value for tmpfs-mode: %.40s",
                             value ? value : "");
        }
        ct_json_set(parent, key, json_integer(mode));
    } else {
        json_t *labels = json_object_get(parent, key);
        if (!labels) {
            labels = json_object();
            ct_json_set(parent, key, labels);
        }
        return add_label(labels, value ? value : "", err);
    }
    return 0;
}

static json_t *parse_mount(const char *text, struct ct_error *err)
{
    CT_AUTO_JSON json_t *mount = json_pack("{s:s}", "Type", "volume");
    CT_AUTO_FREE char *copy = ct_strdup(text);
    char *position = NULL;

    for (char *field = strtok_r(copy, ",", &position); field;
         field = strtok_r(NULL, ",", &position)) {
        char *value = strchr(field, '=');
        size_t i = 0, n = sizeof(mount_keys) / sizeof(mount_keys[0]);
        if (value) {
            *value++ = '\0';
        }
        while (i < n && strcmp(mount_keys[i].key, field) != 0) {
            i++;
        }
        if (i == n || (!value && mount_keys[i].type != 'b')) {
            return ct_refuse_null(err, CT_INVALID, "invalid field '%.40s' in '%.100s'", field,
                                  text);
        }
        if (set_mount_value(mount, mount_keys[i].path, mount_keys[i].type, value, err) < 0) {
            return NULL;
        }
    }
    if (!*ct_json_string(mount, "Target", "")) {
        return ct_refuse_null(err, CT_INVALID, "target is required in '%.100s'", text);
    }
    return ct_steal(mount);
}

static int add_mounts(const struct cli_args *args, json_t *host, struct ct_error *err)
{
    json_t *mounts = json_array();
    json_t *tmpfs = json_object();

    ct_json_set(host, "Mounts", mounts);
    ct_json_set(host, "Tmpfs", tmpfs);
    ct_json_set(host, "Binds", ct_json_from_strv(args_list(args, "volume"), SIZE_MAX));
    for (const char *const *text = args_list(args, "mount"); *text; text++) {
        json_t *mount = parse_mount(*text, err);
        if (!mount) {
            return ct_while(err, "read flag '--mount'");
        }
        ct_json_append(mounts, mount);
    }
    for (const char *const *text = args_list(args, "tmpfs"); *text; text++) {
        const char *colon = strchr(*text, ':');
        CT_AUTO_FREE char *target = ct_printf("%.*s", (int)strcspn(*text, ":"), *text);
        ct_json_set_string(tmpfs, target, colon ? colon + 1 : "");
    }
    return 0;
}

/* "key=value" pairs of a flag into an object. */
static int add_pairs(const struct cli_args *args, const char *flag, json_t *to,
                     struct ct_error *err)
{
    for (const char *const *text = args_list(args, flag); *text; text++) {
        if (!strchr(*text, '=') || add_label(to, *text, err) < 0) {
            return ct_refuse(err, CT_INVALID,
                             "invalid value '%.60s' of flag '--%s': it is not NAME=VALUE", *text,
                             flag);
        }
    }
    return 0;
}

int values_host(const struct cli_args *args, json_t *host, struct ct_error *err)
{
    json_t *log_options = json_object();
    json_t *sysctls = json_object();
    json_t *annotations = json_object();

    ct_json_set(
        host, "LogConfig",
        json_pack("{s:s,s:o}", "Type", args_text(args, "log-driver", ""), "Config", log_options));
    if (args_has(args, "sysctl")) {
        ct_json_set(host, "Sysctls", json_incref(sysctls));
    }
    if (args_has(args, "annotation")) {
        ct_json_set(host, "Annotations", json_incref(annotations));
    }
    int result = add_pairs(args, "log-opt", log_options, err) < 0 ||
                         add_pairs(args, "sysctl", sysctls, err) < 0 ||
                         add_pairs(args, "annotation", annotations, err) < 0 ||
                         add_port_bindings(args, host, err) < 0 ||
                         add_mounts(args, host, err) < 0 || values_security(args, host, err) < 0
                     ? -1
                     : values_limits(args, host, err);
    json_decref(annotations);
    json_decref(sysctls);
    return result;
}

/*
 * inspect.c - everything about a thing, as JSON or through a template.
 *
 * Room:       cli.   Called by: the table (commands.c).
 * Spec:       docker inspect(1): an array indented by four; containers, then images, networks,
 * volumes.
 */
#define CT_LAYER "cli"
#include "cli_internal.h"
#include "template.h"

#include "cleanup.h"
#include "json.h"

#include <string.h>

#define END                                 \
    {                                       \
        NULL, 0, CLI_BOOL, NULL, NULL, NULL \
    }

static const struct cli_flag any_flags[] = {
    {"format", 'f', CLI_TEXT, NULL, "Format output using a custom template: 'json' or TEMPLATE",
     NULL},
    {"size", 's', CLI_BOOL, NULL, "Display total file sizes if the type is container", NULL},
    {"type", 0, CLI_TEXT, NULL,
     "Only inspect objects of the given type (container, image, network, volume)", NULL},
    END};
static const struct cli_flag *const any_tables[] = {any_flags, NULL};

static const struct cli_flag one_flags[] = {
    {"format", 'f', CLI_TEXT, NULL, "Format output using a custom template: 'json' or TEMPLATE",
     NULL},
    {"size", 's', CLI_BOOL, NULL, "Display total file sizes", NULL},
    {"verbose", 'v', CLI_BOOL, NULL, "Verbose output for diagnostics", NULL},
    END};
static const struct cli_flag *const one_tables[] = {one_flags, NULL};

typedef int (*inspect_fn)(struct cli *cli, const char *ref, bool size, json_t **ret,
                          struct ct_error *err);

static int inspect_container(struct cli *cli, const char *ref, bool size, json_t **ret,
                             struct ct_error *err)
{
    return engine_container_inspect(cli->engine, ref, size, ret, err);
}

static int inspect_image(struct cli *cli, const char *ref, bool size, json_t **ret,
                         struct ct_error *err)
{
    (void)size;
    return engine_image_inspect(cli->engine, ref, ret, err);
}

static int inspect_network(struct cli *cli, const char *ref, bool size, json_t **ret,
                           struct ct_error *err)
{
    (void)size;
    return engine_network_inspect(cli->engine, ref, ret, err);
}

static int inspect_volume(struct cli *cli, const char *ref, bool size, json_t **ret,
                          struct ct_error *err)
{
    (void)size;
    return engine_volume_inspect(cli->engine, ref, ret, err);
}

static const struct {
    const char *name;
    inspect_fn inspect;
} types[] = {{"container", inspect_container},
             {"image", inspect_image},
             {"network", inspect_network},
             {"volume", inspect_volume}};

/* The first type that knows the name. A broken one is an error; an unknown one is none here. */
static int find(struct cli *cli, const char *ref, const char *type, bool size, json_t **ret,
                struct ct_error *err)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct ct_error missing = {0};
        if (type && strcmp(type, types[i].name) != 0) {
            continue;
        }
        if (types[i].inspect(cli, ref, size, ret, &missing) == 0) {
            return 0;
        }
        if (missing.kind != CT_NOT_FOUND && missing.kind != CT_INVALID) {
            *err = missing;
            return -1;
        }
        if (missing.kind == CT_INVALID && (type || strstr(missing.frame[0].what, "digest"))) {
            *err = missing;
            return -1;
        }
    }
    return ct_refuse(err, CT_NOT_FOUND, "No such %s: %.64s", type ? type : "object", ref);
}

static int print_found(const json_t *found, const char *format, struct ct_error *err)
{
    size_t i;
    json_t *document;

    if (!format) {
        print_json(stdout, found);
        return 0;
    }
    json_array_foreach((json_t *)found, i, document)
    {
        if (format_row(format, document, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int inspect_all(struct cli *cli, const struct cli_args *args, const char *type,
                       struct ct_error *err)
{
    CT_AUTO_JSON json_t *found = json_array();
    bool failed = false;

    for (const char *const *ref = args_rest(args, 0); *ref; ref++) {
        json_t *document = NULL;
        struct ct_error one = {0};
        if (find(cli, *ref, type, args_bool(args, "size"), &document, &one) == 0) {
            ct_json_append(found, document);
            continue;
        }
        ct_error_print(stderr, "cutaway", &one);
        failed = true;
    }
    if (print_found(found, args_text(args, "format", NULL), err) < 0) {
        return -1;
    }
    return failed ? -1 : 0;
}

static int run_any(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    const char *type = args_text(args, "type", NULL);
    bool known = !type;

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        known = known || strcmp(type, types[i].name) == 0;
    }
    if (!known) {
        return ct_refuse(err, CT_INVALID, "\"%.40s\" is not a valid value for --type", type);
    }
    return inspect_all(cli, args, type, err);
}

static int run_container(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    return inspect_all(cli, args, "container", err);
}

static int run_image(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    return inspect_all(cli, args, "image", err);
}

static int run_network(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    return inspect_all(cli, args, "network", err);
}

static int run_volume(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    return inspect_all(cli, args, "volume", err);
}

const struct cli_command cli_system_inspect = {"inspect",
                                               "NAME|ID [NAME|ID...]",
                                               "Return low-level information on Cutaway objects",
                                               1,
                                               -1,
                                               any_tables,
                                               false,
                                               false,
                                               1,
                                               run_any};
const struct cli_command cli_container_inspect = {
    "inspect",
    "CONTAINER [CONTAINER...]",
    "Display detailed information on one or more containers",
    1,
    -1,
    one_tables,
    false,
    false,
    1,
    run_container};
const struct cli_command cli_image_inspect = {"inspect",
                                              "IMAGE [IMAGE...]",
                                              "Display detailed information on one or more images",
                                              1,
                                              -1,
                                              one_tables,
                                              false,
                                              false,
                                              1,
                                              run_image};
const struct cli_command cli_network_inspect = {
    "inspect",
    "NETWORK [NETWORK...]",
    "Display detailed information on one or more networks",
    1,
    -1,
    one_tables,
    false,
    false,
    1,
    run_network};
const struct cli_command cli_volume_inspect = {
    "inspect",
    "VOLUME [VOLUME...]",
    "Display detailed information on one or more volumes",
    1,
    -1,
    one_tables,
    false,
    false,
    1,
    run_volume};

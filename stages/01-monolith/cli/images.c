/*
 * images.c - images, load, save, import, tag, rmi, history, prune.
 *
 * Room:       cli.   Called by: the table (commands.c).
 * Spec:       docker images(1), load(1), save(1), import(1) and their kin.
 */
#define CT_LAYER "cli"
#include "cli_internal.h"
#include "progress.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define END                                 \
    {                                       \
        NULL, 0, CLI_BOOL, NULL, NULL, NULL \
    }

static const struct cli_flag ls_flags[] = {
    {"all", 'a', CLI_BOOL, NULL, "Show all images (default hides intermediate images)", NULL},
    {"digests", 0, CLI_BOOL, NULL, NULL, "no stage yet: it is for pulling"},
    {"filter", 'f', CLI_LIST, "filter", "Filter output based on conditions provided", NULL},
    {"format", 0, CLI_TEXT, NULL,
     "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or TEMPLATE", NULL},
    {"no-trunc", 0, CLI_BOOL, NULL, "Don't truncate output", NULL},
    {"quiet", 'q', CLI_BOOL, NULL, "Only show image IDs", NULL},
    {"tree", 0, CLI_BOOL, NULL, NULL, "no stage yet"},
    END};
static const struct cli_flag *const ls_tables[] = {ls_flags, NULL};

static const struct cli_column columns[] = {{"Repository", "REPOSITORY"},
                                            {"Tag", "TAG"},
                                            {"Digest", "DIGEST"},
                                            {"ID", "IMAGE ID"},
                                            {"CreatedSince", "CREATED"},
                                            {"CreatedAt", "CREATED AT"},
                                            {"Size", "SIZE"},
                                            {"Containers", "CONTAINERS"},
                                            {"VirtualSize", "VIRTUAL SIZE"},
                                            {NULL, NULL}};

/* "name:tag" in its two columns; the last colon behind the last slash is the tag's. */
static void set_reference(json_t *row, const char *reference)
{
    const char *slash = strrchr(reference, '/');
    const char *colon = strrchr(slash ? slash : reference, ':');
    CT_AUTO_FREE char *name = ct_printf(
        "%.*s", (int)(colon ? colon - reference : (ptrdiff_t)strlen(reference)), reference);
    ct_json_set_string(row, "Repository", name);
    ct_json_set_string(row, "Tag", colon ? colon + 1 : "<none>");
}

static json_t *make_row(const json_t *summary, const char *reference, bool no_trunc)
{
    json_t *row = json_object();
    char size[CT_TIME_TEXT], when[CT_TIME_TEXT];
    json_int_t created = ct_json_integer(summary, "Created", 0);
    CT_AUTO_FREE char *id = format_id(ct_json_string(summary, "Id", ""), no_trunc);
    CT_AUTO_FREE char *age = format_age(created);
    CT_AUTO_FREE char *containers =
        ct_printf("%lld", (long long)ct_json_integer(summary, "Containers", -1));

    ct_size_human(ct_json_integer(summary, "Size", 0), 3, size);
    if (reference) {
        set_reference(row, reference);
    } else {
        ct_json_set_string(row, "Repository", "<none>");
        ct_json_set_string(row, "Tag", "<none>");
    }
    ct_json_set_string(row, "Digest", "<none>");
    ct_json_set_string(row, "ID", id);
    ct_json_set_string(row, "CreatedSince", age);
    ct_json_set_string(row, "CreatedAt", ct_time_format(created * 1000000000, when));
    ct_json_set_string(row, "Size", size);
    ct_json_set_string(row, "VirtualSize", size);
    ct_json_set_string(row, "Containers", containers);
    return row;
}

/* One row a tag; an image without tags is one row. */
static json_t *make_rows(const json_t *list, bool no_trunc)
{
    json_t *rows = json_array();
    size_t i, j;
    json_t *summary, *tag;

    json_array_foreach((json_t *)list, i, summary)
    {
        json_array_foreach(json_object_get(summary, "RepoTags"), j, tag)
        {
            ct_json_append(rows, make_row(summary, json_string_value(tag), no_trunc));
        }
        if (ct_json_count(json_object_get(summary, "RepoTags")) == 0) {
            ct_json_append(rows, make_row(summary, NULL, no_trunc));
        }
    }
    return rows;
}

static json_t *with_reference(json_t *filters, const char *reference)
{
    filters = filters ? filters : json_object();
    if (reference) {
        ct_json_set(filters, "reference",
                    json_pack("[o]", ct_json_string_lossy(reference, strlen(reference))));
    }
    return filters;
}

static int run_ls(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    json_t *given = NULL;
    CT_AUTO_JSON json_t *list = NULL;
    const char *format = args_text(args, "format", NULL);

    if (args_filters(args, &given, err) < 0) {
        return -1;
    }
    CT_AUTO_JSON json_t *filters = with_reference(given, args_at(args, 0));
    if (engine_image_list(cli->engine, args_bool(args, "all"), filters, &list, err) < 0) {
        return -1;
    }
    CT_AUTO_JSON json_t *rows = make_rows(list, args_bool(args, "no-trunc"));
    if (args_bool(args, "quiet") && !format) {
        return format_rows(columns, "", "{{.ID}}", rows, err);
    }
    return format_rows(columns, "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}",
                       format, rows, err);
}

static const struct cli_flag load_flags[] = {
    {"input", 'i', CLI_TEXT, NULL, "Read from tar archive file, instead of STDIN", NULL},
    {"platform", 0, CLI_TEXT, NULL, NULL, "no stage yet: it is for pulling"},
    {"quiet", 'q', CLI_BOOL, NULL, "Suppress the load output", NULL},
    END};
static const struct cli_flag *const load_tables[] = {load_flags, NULL};

static int run_load(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    const char *path = args_text(args, "input", NULL);
    CT_AUTO_CLOSE int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    struct progress progress;

    if (path && file < 0) {
        return ct_fail(err, errno, "open '%.200s'", path);
    }
    if (!path && isatty(STDIN_FILENO)) {
        (void)ct_refuse(err, CT_INVALID, "requested load from stdin, but stdin is empty");
        return ct_hint(err, "cutaway load -i FILE");
    }
    progress_begin(&progress, stdout);
    /* The names that were loaded are told in any case. */
    struct engine_io io = {.progress = progress_show,
                           .context = &progress,
                           .quiet = args_bool(args, "quiet") || !progress.terminal,
                           .cancel_fd = cli->cancel_fd};
    int result = engine_image_load(cli->engine, path ? file : STDIN_FILENO, &io, err);
    progress_end(&progress);
    return result;
}

static const struct cli_flag save_flags[] = {
    {"output", 'o', CLI_TEXT, NULL, "Write to a file, instead of STDOUT", NULL},
    {"platform", 0, CLI_TEXT, NULL, NULL, "no stage yet: it is for pulling"},
    END};
static const struct cli_flag *const save_tables[] = {save_flags, NULL};

static int save_to(struct cli *cli, const struct cli_args *args, int fd, const struct engine_io *io,
                   struct ct_error *err)
{
    return engine_image_save(cli->engine, args_rest(args, 0), (size_t)args_count(args), fd, io,
                             err);
}

/* Progress is for who waits before a terminal, and only here: what is written to standard output
 * goes to a program that may draw its own. */
static int save_to_file(struct cli *cli, const struct cli_args *args, int file,
                        struct ct_error *err)
{
    struct progress progress;

    progress_begin(&progress, stderr);
    struct engine_io io = {.progress = progress.terminal ? progress_show : NULL,
                           .context = &progress,
                           .cancel_fd = cli->cancel_fd};
    int result = save_to(cli, args, file, &io, err);
    progress_end(&progress);
    return result;
}

static int run_save(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    const char *path = args_text(args, "output", NULL);
    struct engine_io io = {.cancel_fd = cli->cancel_fd};

    if (!path && isatty(STDOUT_FILENO)) {
        return ct_refuse(err, CT_INVALID,
                         "cowardly refusing to save to a terminal. Use the -o flag or redirect");
    }
    if (!path) {
        return save_to(cli, args, STDOUT_FILENO, &io, err);
    }
    /* Under another name until it is whole: a failed save leaves an older archive as it was. */
    CT_AUTO_FREE char *temporary = ct_printf("%s.part", path);
    CT_AUTO_CLOSE int file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) {
        return ct_fail(err, errno, "write '%.200s'", temporary);
    }
    int result = save_to_file(cli, args, file, err);
    if (result == 0 && rename(temporary, path) < 0) {
        result = ct_fail(err, errno, "write '%.200s'", path);
    }
    if (result < 0) {
        (void)unlink(temporary);
    }
    return result;
}

static const struct cli_flag import_flags[] = {
    {"change", 'c', CLI_LIST, NULL, "Apply Dockerfile instruction to the created image", NULL},
    {"message", 'm', CLI_TEXT, NULL, "Set commit message for imported image", NULL},
    {"platform", 0, CLI_TEXT, NULL, "Set platform of the imported image (linux/arm64)", NULL},
    END};
static const struct cli_flag *const import_tables[] = {import_flags, NULL};

static int run_import(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    const char *source = args_at(args, 0);
    bool from_stdin = strcmp(source, "-") == 0;
    struct engine_import how = {.repository = args_at(args, 1),
                                .message = args_text(args, "message", NULL),
                                .changes = args_list(args, "change"),
                                .platform = args_text(args, "platform", NULL)};
    CT_AUTO_FREE char *id = NULL;
    struct progress progress;

    if (strstr(source, "://")) {
        return ct_refuse(err, CT_UNSUPPORTED,
                         "import from a URL is not in stage %s: it comes with no stage yet",
                         engine_stage());
    }
    CT_AUTO_CLOSE int file = from_stdin ? -1 : open(source, O_RDONLY | O_CLOEXEC);
    if (!from_stdin && file < 0) {
        return ct_fail(err, errno, "open '%.200s'", source);
    }
    progress_begin(&progress, stdout);
    struct engine_io io = {
        .progress = progress_show, .context = &progress, .cancel_fd = cli->cancel_fd};
    int result =
        engine_image_import(cli->engine, &how, from_stdin ? STDIN_FILENO : file, &io, &id, err);
    progress_end(&progress);
    if (result == 0) {
        (void)printf("%s\n", id);
    }
    return result;
}

static int run_tag(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    return engine_image_tag(cli->engine, args_at(args, 0), args_at(args, 1), err);
}

static const struct cli_flag rmi_flags[] = {
    {"force", 'f', CLI_BOOL, NULL, "Force removal of the image", NULL},
    {"no-prune", 0, CLI_BOOL, NULL, "Do not delete untagged parents", NULL},
    END};
static const struct cli_flag *const rmi_tables[] = {rmi_flags, NULL};

static void print_deleted(const json_t *deleted)
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)deleted, i, item)
    {
        const char *untagged = ct_json_string(item, "Untagged", NULL);
        (void)printf(untagged ? "Untagged: %s\n" : "Deleted: %s\n",
                     untagged ? untagged : ct_json_string(item, "Deleted", ""));
    }
}

static int rmi_one(struct cli *cli, const char *ref, const struct cli_args *args,
                   struct ct_error *err)
{
    CT_AUTO_JSON json_t *deleted = NULL;
    if (engine_image_remove(cli->engine, ref, args_bool(args, "force"), args_bool(args, "no-prune"),
                            &deleted, err) < 0) {
        return -1;
    }
    print_deleted(deleted);
    return 0;
}

static int run_rmi(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    return for_each_arg(cli, args, rmi_one, false, err);
}

static const struct cli_flag history_flags[] = {
    {"format", 0, CLI_TEXT, NULL, "Format output using a custom template", NULL},
    {"human", 'H', CLI_BOOL, NULL, "Print sizes and dates in human readable format (default true)",
     NULL},
    {"no-trunc", 0, CLI_BOOL, NULL, "Don't truncate output", NULL},
    {"platform", 0, CLI_TEXT, NULL, NULL, "no stage yet: it is for pulling"},
    {"quiet", 'q', CLI_BOOL, NULL, "Only show image IDs", NULL},
    END};
static const struct cli_flag *const history_tables[] = {history_flags, NULL};

static const struct cli_column history_columns[] = {{"ID", "IMAGE"},
                                                    {"CreatedSince", "CREATED"},
                                                    {"CreatedAt", "CREATED AT"},
                                                    {"CreatedBy", "CREATED BY"},
                                                    {"Size", "SIZE"},
                                                    {"Comment", "COMMENT"},
                                                    {NULL, NULL}};

static json_t *history_row(const json_t *item, bool no_trunc, bool human)
{
    json_t *row = json_object();
    char size[CT_TIME_TEXT], when[CT_TIME_TEXT];
    json_int_t created = ct_json_integer(item, "Created", 0);
    const char *id = ct_json_string(item, "Id", "<missing>");
    const char *by = ct_json_string(item, "CreatedBy", "");
    bool cut = !no_trunc && strlen(by) > 45;
    CT_AUTO_FREE char *short_id = format_id(id, no_trunc || *id == '<');
    CT_AUTO_FREE char *age = format_age(created);
    CT_AUTO_FREE char *text = ct_printf("%.*s%s", cut ? 44 : (int)strlen(by), by, cut ? "…" : "");
    CT_AUTO_FREE char *safe = format_safe(text);
    CT_AUTO_FREE char *bytes = ct_printf("%lld", (long long)ct_json_integer(item, "Size", 0));

    ct_time_format(created * 1000000000, when);
    ct_json_set_string(row, "ID", short_id);
    ct_json_set_string(row, "CreatedSince", human ? age : when);
    ct_json_set_string(row, "CreatedAt", when);
    ct_json_set_string(row, "CreatedBy", safe);
    ct_json_set_string(row, "Size",
                       human ? ct_size_human(ct_json_integer(item, "Size", 0), 3, size) : bytes);
    ct_json_set_string(row, "Comment", ct_json_string(item, "Comment", ""));
    return row;
}

static int run_history(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    CT_AUTO_JSON json_t *items = NULL;
    CT_AUTO_JSON json_t *rows = json_array();
    bool human = !args_has(args, "human") || args_bool(args, "human");
    const char *format = args_text(args, "format", args_bool(args, "quiet") ? "{{.ID}}" : NULL);
    size_t i;
    json_t *item;

    if (engine_image_history(cli->engine, args_at(args, 0), &items, err) < 0) {
        return -1;
    }
    json_array_foreach(items, i, item)
    {
        ct_json_append(rows, history_row(item, args_bool(args, "no-trunc"), human));
    }
    return format_rows(history_columns,
                       "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
                       format, rows, err);
}

static const struct cli_flag prune_flags[] = {
    {"all", 'a', CLI_BOOL, NULL, "Remove all unused images, not just dangling ones", NULL},
    {"filter", 0, CLI_LIST, "filter", "Provide filter values (e.g. \"until=<timestamp>\")", NULL},
    {"force", 'f', CLI_BOOL, NULL, "Do not prompt for confirmation", NULL},
    END};
static const struct cli_flag *const prune_tables[] = {prune_flags, NULL};

static int run_prune(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    CT_AUTO_JSON json_t *filters = NULL;
    CT_AUTO_JSON json_t *reply = NULL;
    char size[CT_TIME_TEXT];
    bool all = args_bool(args, "all");

    if (args_filters(args, &filters, err) < 0) {
        return -1;
    }
    filters = filters ? filters : json_object();
    ct_json_set(filters, "dangling", json_pack("[s]", all ? "false" : "true"));
    if (!confirm(args, all ? "WARNING! This will remove all images without at least one container "
                             "associated to them.\n"
                           : "WARNING! This will remove all dangling images.\n")) {
        return 0;
    }
    if (engine_image_prune(cli->engine, filters, &reply, err) < 0) {
        return -1;
    }
    if (ct_json_count(json_object_get(reply, "ImagesDeleted")) > 0) {
        (void)printf("Deleted Images:\n");
        print_deleted(json_object_get(reply, "ImagesDeleted"));
        (void)printf("\n");
    }
    (void)printf("Total reclaimed space: %s\n",
                 ct_size_human(ct_json_integer(reply, "SpaceReclaimed", 0), 4, size));
    return 0;
}

static int run_absent(struct cli *cli, const struct cli_args *args, struct ct_error *err)
{
    (void)args;
    (void)ct_refuse(err, CT_UNSUPPORTED, "'%s' is not in stage %s: it comes with no stage yet",
                    cli->command->name, engine_stage());
    return ct_hint(err, "bring images in with 'load' or 'import'");
}

const struct cli_command cli_image_images = {
    "images", "[REPOSITORY[:TAG]]", "List images", 0, 1, ls_tables, false, false, 1, run_ls};
const struct cli_command cli_image_ls = {
    "ls", "[REPOSITORY[:TAG]]", "List images", 0, 1, ls_tables, false, false, 1, run_ls};
const struct cli_command cli_image_load = {
    "load", "",      "Load an image from a tar archive or STDIN", 0, 0, load_tables, false, false,
    1,      run_load};
const struct cli_command cli_image_save = {
    "save",
    "IMAGE [IMAGE...]",
    "Save one or more images to a tar archive (streamed to STDOUT by default)",
    1,
    -1,
    save_tables,
    false,
    false,
    1,
    run_save};
const struct cli_command cli_image_import = {
    "import",
    "file|- [REPOSITORY[:TAG]]",
    "Import the contents from a tarball to create a filesystem image",
    1,
    2,
    import_tables,
    false,
    false,
    1,
    run_import};
const struct cli_command cli_image_tag = {"tag",
                                          "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
                                          "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
                                          2,
                                          2,
                                          NULL,
                                          false,
                                          false,
                                          1,
                                          run_tag};
const struct cli_command cli_image_rmi = {
    "rmi",  "IMAGE [IMAGE...]", "Remove one or more images", 1, -1, rmi_tables, false, false, 1,
    run_rmi};
const struct cli_command cli_image_rm = {
    "rm",   "IMAGE [IMAGE...]", "Remove one or more images", 1, -1, rmi_tables, false, false, 1,
    run_rmi};
const struct cli_command cli_image_history = {
    "history", "IMAGE",    "Show the history of an image", 1, 1, history_tables, false, false,
    1,         run_history};
const struct cli_command cli_image_prune = {
    "prune", "", "Remove unused images", 0, 0, prune_tables, false, false, 1, run_prune};
const struct cli_command cli_image_pull = {"pull",
                                           "NAME[:TAG|@DIGEST]",
                                           "Download an image from a registry (stage 04)",
                                           0,
                                           -1,
                                           NULL,
                                           true,
                                           false,
                                           1,
                                           run_absent};
const struct cli_command cli_image_push = {
    "push", "NAME[:TAG]", "Upload an image to a registry (stage 04)", 0, -1, NULL, true, false,
    1,      run_absent};
const struct cli_command cli_image_build = {
    "build", "PATH | -", "Build an image from a Dockerfile (stage 04)", 0, -1, NULL, true, false,
    1,       run_absent};

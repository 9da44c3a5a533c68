/*
 * main.c - cutaway-trace: records the path of a command, and shows it.
 *
 * Room:       trace.   Called by: users; the launcher (`cutaway trace COMMAND…` is `cutaway-trace
 * run`).
 */
#define CT_LAYER "trace"
#include "columns.h"
#include "record.h"
#include "recording.h"
#include "renderers.h"

#include "cleanup.h"
#include "path.h"
#include "process.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PROBES_MAX 32

typedef int (*render_fn)(FILE *out, const struct model *model, const struct render_options *options,
                         struct ct_error *err);

static const struct {
    const char *name;
    render_fn render;
    const char *help;
} renderers[] = {
    {"waterfall", render_waterfall,
     "the picture in the terminal (default), and the story below it"},
    {"story", render_story, "one paragraph in words"},
    {"html", render_html, "a page for the browser, which loads nothing: time line and sequence"},
    {"chrome", render_chrome, "JSON for the Perfetto UI and chrome://tracing"},
    {"otlp", render_otlp, "JSON for OpenTelemetry: Jaeger and others"},
    {"mermaid", render_mermaid, "a sequence diagram as text, for a pull request or a lesson"},
    {"folded", render_folded, "stacks of spans with their own microseconds, for a flame graph"},
    {"jsonl", render_jsonl, "the recording itself, in the order of time"},
};

static void usage(FILE *out)
{
    (void)fprintf(
        out,
        "Usage:  cutaway-trace record [-o FILE] [--probe FILE] [--no-bpf] [--run DIR] [--] COMMAND "
        "[ARG...]\n"
        "        cutaway-trace show [--format=FORMAT] [--width=N] [--color=auto|always|never] "
        "[--brief] FILE\n"
        "        cutaway-trace compare [--brief] [--width=N] FILE FILE...\n"
        "        cutaway-trace run [-o FILE] [--] COMMAND [ARG...]\n\n"
        "Records the path of a command through all its processes, and shows it.\n\n"
        "  record       run COMMAND and write what happened to FILE (default cutaway.trace)\n"
        "  show         show a recording\n"
        "  compare      recordings side by side: what each has more than the one before\n"
        "  run          record, show, and say where the recording is (`cutaway trace COMMAND`)\n\n"
        "  -o FILE      where the recording goes\n"
        "  --brief      show: what crosses a border, which programs run, where the time goes;\n"
        "               compare: the table alone\n"
        "  --probe FILE one more program that carries span probes\n"
        "  --no-bpf     record spans only, through a file, as without rights for BPF\n"
        "  --run DIR    without BPF: the run directory of the daemon that COMMAND asks (default\n"
        "               CUTAWAY_RUN, or /run/cutaway)\n\nFormats:\n");
    for (size_t i = 0; i < sizeof(renderers) / sizeof(renderers[0]); i++) {
        (void)fprintf(out, "  %-12s %s\n", renderers[i].name, renderers[i].help);
    }
}

/* COLUMNS, the terminal's own width, or 80. */
static int terminal_width(void)
{
    const char *columns = getenv("COLUMNS");
    struct winsize size;
    int width = columns ? atoi(columns) : 0;

    if (width <= 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
        width = size.ws_col;
    }
    return width < 40 ? 80 : width > 400 ? 400 : width;
}

/* --width: what is no width is the terminal's. */
static int checked_width(const char *text)
{
    int width = atoi(text);
    return width >= 40 && width <= 400 ? width : terminal_width();
}

static bool wants_colour(const char *choice)
{
    if (strcmp(choice, "auto") != 0) {
        return strcmp(choice, "always") == 0;
    }
    return isatty(STDOUT_FILENO) && !getenv("NO_COLOR") &&
           strcmp(getenv("TERM") ? getenv("TERM") : "", "dumb") != 0;
}

static render_fn find_renderer(const char *name)
{
    for (size_t i = 0; i < sizeof(renderers) / sizeof(renderers[0]); i++) {
        if (strcmp(renderers[i].name, name) == 0) {
            return renderers[i].render;
        }
    }
    return NULL;
}

/* Below the picture, in lines as long as the terminal's, and no longer than one likes to read. */
static int tell_story(FILE *out, const struct model *model, const struct render_options *options,
                      struct ct_error *err)
{
    char *text = NULL;
    size_t length = 0;
    FILE *story = open_memstream(&text, &length);
    int result =
        story ? render_story(story, model, options, err) : ct_fail(err, ENOMEM, "tell the story");

    if (story) {
        (void)fclose(story);
        columns_fold(out, text, options->width < 100 ? options->width : 100);
    }
    free(text);
    return result;
}

static int show(FILE *out, const char *path, const char *format,
                const struct render_options *options, struct ct_error *err)
{
    render_fn render = find_renderer(format);
    if (!render) {
        (void)ct_refuse(err, CT_INVALID, "no such format: '%.40s'", format);
        return ct_hint(err, "cutaway-trace --help");
    }
    json_t *lines = recording_read(path, err);
    struct model *model = lines ? model_new(lines, err) : NULL;
    int result = model ? render(out, model, options, err) : -1;
    if (result == 0 && render == render_waterfall) {
        (void)fputc('\n', out);
        result = tell_story(out, model, options, err);
    }
    model_free(model);
    return result;
}

static int tell(const struct ct_error *err)
{
    ct_error_print(stderr, "cutaway-trace", err);
    return 125;
}

static int command_show(int argc, char **argv)
{
    static const struct option options[] = {
        {"format", required_argument, NULL, 'f'}, {"width", required_argument, NULL, 'w'},
        {"color", required_argument, NULL, 'c'},  {"brief", no_argument, NULL, 'b'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0}};
    struct ct_error err = {0};
    const char *format = "waterfall", *colour = "auto";
    int width = terminal_width(), option;
    bool brief = false;

    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 'f':
            format = optarg;
            break;
        case 'w':
            width = checked_width(optarg);
            break;
        case 'c':
            colour = optarg;
            break;
        case 'b':
            brief = true;
            break;
        default:
            usage(option == 'h' ? stdout : stderr);
            return option == 'h' ? 0 : 125;
        }
    }
    if (optind + 1 != argc) {
        usage(stderr);
        return 125;
    }
    struct render_options how = {.width = width, .colour = wants_colour(colour), .brief = brief};
    return show(stdout, argv[optind], format, &how, &err) < 0 ? tell(&err) : 0;
}

#define COMPARED_MAX 8

/* What to call a recording: its file's name, without the ending. Owned. */
static char *short_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *name = ct_strdup(slash ? slash + 1 : path);
    char *dot = strrchr(name, '.');

    if (dot && dot > name) {
        *dot = '\0';
    }
    return name;
}

static int compare(char **paths, size_t n, const struct render_options *how, struct ct_error *err)
{
    struct model *models[COMPARED_MAX] = {NULL};
    char *names[COMPARED_MAX] = {NULL};

    for (size_t i = 0; i < n && err->kind == CT_NONE; i++) {
        json_t *lines = recording_read(paths[i], err);
        names[i] = short_name(paths[i]);
        models[i] = lines ? model_new(lines, err) : NULL;
    }
    if (err->kind == CT_NONE) {
        render_comparison(stdout, (const struct model *const *)models, (const char *const *)names,
                          n, how);
    }
    for (size_t i = 0; i < n; i++) {
        model_free(models[i]);
        free(names[i]);
    }
    return err->kind == CT_NONE ? 0 : -1;
}

static int command_compare(int argc, char **argv)
{
    static const struct option options[] = {{"brief", no_argument, NULL, 'b'},
                                            {"width", required_argument, NULL, 'w'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct render_options how = {.width = terminal_width()};
    struct ct_error err = {0};
    int option;

    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'b') {
            how.brief = true;
        } else if (option == 'w') {
            how.width = checked_width(optarg);
        } else {
            usage(option == 'h' ? stdout : stderr);
            return option == 'h' ? 0 : 125;
        }
    }
    if (argc - optind < 2 || argc - optind > COMPARED_MAX) {
        usage(stderr);
        return 125;
    }
    return compare(argv + optind, (size_t)(argc - optind), &how, &err) < 0 ? tell(&err) : 0;
}

/* The options of record and run. Returns the index of the command's first word; -1: say how it
 * goes. */
static int record_options(int argc, char **argv, struct record_request *request,
                          const char **probes)
{
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'}, {"probe", required_argument, NULL, 'p'},
        {"no-bpf", no_argument, NULL, 'n'},       {"run", required_argument, NULL, 'r'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0}};
    size_t n = 0;
    int option;

    while ((option = getopt_long(argc, argv, "+o:h", options, NULL)) != -1) {
        if (option == 'o') {
            request->output = optarg;
        } else if (option == 'p' && n < PROBES_MAX) {
            probes[n++] = optarg;
        } else if (option == 'n') {
            request->no_bpf = true;
        } else if (option == 'r') {
            request->run = optarg;
        } else {
            usage(option == 'h' ? stdout : stderr);
            return option == 'h' ? -2 : -1;
        }
    }
    if (optind >= argc) {
        usage(stderr);
        return -1;
    }
    request->probes = probes;
    request->command = argv + optind;
    return optind;
}

static int command_record(int argc, char **argv)
{
    const char *probes[PROBES_MAX + 1] = {NULL};
    struct record_request request = {.output = "cutaway.trace"};
    struct ct_error err = {0};
    int exit_code = 0;
    int first = record_options(argc, argv, &request, probes);

    if (first < 0) {
        return first == -2 ? 0 : 125;
    }
    return record_run(&request, &exit_code, &err) < 0 ? tell(&err) : exit_code;
}

/* Another picture as a file beside the recording. */
static int write_beside(const char *recording, const char *path, const char *format,
                        struct ct_error *err)
{
    const struct render_options plain = {.width = 80};
    CT_AUTO_FILE FILE *out = fopen(path, "we");
    return out ? show(out, recording, format, &plain, err)
               : ct_fail(err, errno, "write '%.120s'", path);
}

static int record_and_show(const struct record_request *asked)
{
    struct record_request request = *asked;
    struct ct_error err = {0};
    int exit_code = 0;
    struct render_options how = {.width = terminal_width(), .colour = wants_colour("auto")};
    CT_AUTO_FREE char *chrome = ct_printf("%s.json", request.output);
    CT_AUTO_FREE char *page = ct_printf("%s.html", request.output);
    if (record_run(&request, &exit_code, &err) < 0 ||
        show(stdout, request.output, "waterfall", &how, &err) < 0 ||
        write_beside(request.output, chrome, "chrome", &err) < 0 ||
        write_beside(request.output, page, "html", &err) < 0) {
        return tell(&err);
    }
    (void)printf("\nrecording: %s\npage:      %s (open it in a browser)\n"
                 "Perfetto:  %s (open it in the Perfetto UI or chrome://tracing)\n",
                 request.output, page, chrome);
    return exit_code;
}

static int command_run(int argc, char **argv)
{
    const char *probes[PROBES_MAX + 1] = {NULL};
    struct record_request request = {.output = "cutaway.trace"};
    int first = record_options(argc, argv, &request, probes);

    return first < 0 ? (first == -2 ? 0 : 125) : record_and_show(&request);
}

/* The launcher: above us in the build tree, beside us where we are installed. Owned. */
static char *launcher_path(struct ct_error *err)
{
    CT_AUTO_FREE char *self = ct_self_path(err);
    if (!self) {
        return NULL;
    }
    *strrchr(self, '/') = '\0';
    CT_AUTO_FREE char *above = ct_join(self, "../cutaway");
    char *real = realpath(above, NULL);
    return real ? real : ct_join(self, "cutaway");
}

/* `cutaway trace start web`: the words are a command of cutaway's own. */
static int command_short(int argc, char **argv)
{
    struct ct_error err = {0};
    struct record_request request = {.output = "cutaway.trace"};
    CT_AUTO_FREE char *launcher = launcher_path(&err);
    CT_AUTO_FREE char **words = calloc((size_t)argc + 1, sizeof(*words));

    if (!launcher || !words) {
        return tell(&err);
    }
    words[0] = launcher;
    for (int i = 1; i < argc; i++) {
        words[i] = argv[i];
    }
    request.command = words;
    return record_and_show(&request);
}

/* Started by the launcher as `cutaway trace …`; `run` is then a word of cutaway's, not of ours. */
static bool is_short_form(int argc, char **argv)
{
    return argc > 1 && strcmp(argv[0], "cutaway") == 0 && argv[1][0] != '-' &&
           strcmp(argv[1], "show") != 0 && strcmp(argv[1], "compare") != 0 &&
           strcmp(argv[1], "record") != 0;
}

int main(int argc, char **argv)
{
    if (is_short_form(argc, argv)) {
        return command_short(argc, argv);
    }
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } commands[] = {{"record", command_record},
                    {"show", command_show},
                    {"compare", command_compare},
                    {"run", command_run}};

    for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    bool help = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    usage(help ? stdout : stderr);
    return help ? 0 : 125;
}

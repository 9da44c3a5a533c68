/*
 * launcher.c - which program a command line of `cutaway` is meant for: see launcher.h.
 *
 * Room:       launcher.
 * Called by:  main.c of the launcher.
 * Man:        access(2).
 */
#define CT_LAYER "launcher"
#include "launcher.h"

#include "cleanup.h"
#include "path.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* Oldest first. A stage is "built" when its program is there. */
static const char *const stages[] = {
    "01-monolith",
    "02-split-client",
    "03-libcontainer",
    "04-modular",
};

#define STAGE_COUNT (sizeof stages / sizeof stages[0])

/* "1", "01" or "01-monolith" -> index, or -1. */
static int stage_index(const char *name)
{
    for (size_t i = 0; i < STAGE_COUNT; i++) {
        char number[3] = {'0', stages[i][1], '\0'};

        if (strcmp(name, stages[i]) == 0 || strcmp(name, number) == 0 ||
            strcmp(name, number + 1) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* The first of the two that can be run; owned; NULL when neither can. Takes both. */
static char *runnable_of(char *in_build_tree, char *installed)
{
    bool built = access(in_build_tree, X_OK) == 0;
    char *found = built ? in_build_tree : installed;

    free(built ? installed : in_build_tree);
    if (!built && access(found, X_OK) < 0) {
        free(found);
        return NULL;
    }
    return found;
}

static char *stage_program(const char *dir, const char *stage)
{
    return runnable_of(ct_printf("%s/stages/%s/cutaway-%s", dir, stage, stage),
                       ct_printf("%s/" CUTAWAY_LIBEXEC "/cutaway-%s", dir, stage));
}

static char *trace_program(const char *dir)
{
    return runnable_of(ct_printf("%s/trace/cutaway-trace", dir),
                       ct_printf("%s/cutaway-trace", dir));
}

/* "01-monolith, 02-split-client": for the hint. */
static char *built_stages(const char *dir)
{
    char *list = ct_strdup("");

    for (size_t i = 0; i < STAGE_COUNT; i++) {
        CT_AUTO_FREE char *program = stage_program(dir, stages[i]);
        char *longer;

        if (!program) {
            continue;
        }
        longer = ct_printf("%s%s%s", list, *list ? ", " : "", stages[i]);
        free(list);
        list = longer;
    }
    return list;
}

static int hint_built_stages(const char *dir, struct ct_error *err)
{
    CT_AUTO_FREE char *list = built_stages(dir);

    return *list ? ct_hint(err, "one that is built: %s", list)
                 : ct_hint(err, "build one: meson setup build && ninja -C build");
}

static int choose_named_stage(const char *dir, const char *name, struct launcher_choice *ret,
                              struct ct_error *err)
{
    int index = stage_index(name);

    if (index < 0) {
        (void)ct_refuse(err, CT_INVALID, "no such stage: '%s'", name);
        return hint_built_stages(dir, err);
    }
    ret->stage = stages[index];
    ret->program = stage_program(dir, stages[index]);
    if (!ret->program) {
        (void)ct_refuse(err, CT_UNSUPPORTED, "stage '%s' is not built", stages[index]);
        return hint_built_stages(dir, err);
    }
    return 0;
}

static int choose_newest_stage(const char *dir, struct launcher_choice *ret, struct ct_error *err)
{
    for (size_t i = STAGE_COUNT; i > 0; i--) {
        ret->program = stage_program(dir, stages[i - 1]);
        if (ret->program) {
            ret->stage = stages[i - 1];
            return 0;
        }
    }
    (void)ct_refuse(err, CT_UNSUPPORTED, "no stage is built");
    return hint_built_stages(dir, err);
}

/*
 * Takes "--stage N" or "--stage=N" from the front of the arguments. Only from the front: what
 * follows belongs to the stage's own command line, which the launcher does not know.
 */
static int take_stage_flag(int argc, const char *const *argv, int *next, const char **stage,
                           struct ct_error *err)
{
    static const char flag[] = "--stage";
    const size_t length = sizeof flag - 1;
    const char *first = argc > 1 ? argv[1] : "";

    if (strcmp(first, flag) == 0) {
        *stage = argc > 2 ? argv[2] : "";
        *next = 3;
    } else if (strncmp(first, flag, length) == 0 && first[length] == '=') {
        *stage = first + length + 1;
        *next = 2;
    } else {
        return 0;
    }
    return **stage ? 0 : ct_refuse(err, CT_INVALID, "flag needs an argument: --stage");
}

static int choose_tracer(const char *dir, struct launcher_choice *ret, struct ct_error *err)
{
    ret->program = trace_program(dir);
    if (!ret->program) {
        (void)ct_refuse(err, CT_UNSUPPORTED, "the tracer is not built");
        return ct_hint(err, "`make doctor` says what it needs");
    }
    return 0;
}

int launcher_choose(const char *self, const char *stage, int argc, const char *const *argv,
                    struct launcher_choice *ret, struct ct_error *err)
{
    CT_AUTO_FREE char *dir = ct_strdup(self);
    char *slash = strrchr(dir, '/');

    *ret = (struct launcher_choice){.first_arg = 1};
    if (!slash) {
        return ct_refuse(err, CT_INVALID, "the launcher's path '%s' has no directory", self);
    }
    *slash = '\0';
    if (take_stage_flag(argc, argv, &ret->first_arg, &stage, err) < 0) {
        return -1;
    }
    if (ret->first_arg < argc && strcmp(argv[ret->first_arg], "trace") == 0) {
        ret->first_arg++;
        ret->stage = stage; /* checked by the launcher that cutaway-trace starts in its turn */
        return choose_tracer(dir, ret, err);
    }
    return stage && *stage ? choose_named_stage(dir, stage, ret, err)
                           : choose_newest_stage(dir, ret, err);
}

void launcher_choice_done(struct launcher_choice *choice)
{
    free(choice->program);
    *choice = (struct launcher_choice){0};
}

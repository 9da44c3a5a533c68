/*
 * places.c - the layout of ROOT and RUN.
 *
 * Room:       containers.   Called by: engine, monitor.
 */
#define CT_LAYER "places"
#include "places.h"

#include "cleanup.h"
#include "path.h"

#include <stddef.h>
#include <string.h>

/* One row for each place: its member, the member it lies in, and its name there. */
static const struct {
    size_t member, parent;
    const char *name;
} layout[] = {
    {offsetof(struct places, images), offsetof(struct places, root), "images"},
    {offsetof(struct places, snapshots), offsetof(struct places, root), "snapshots"},
    {offsetof(struct places, state), offsetof(struct places, root), PLACES_STAGE},
    {offsetof(struct places, containers), offsetof(struct places, state), "containers"},
    {offsetof(struct places, networks), offsetof(struct places, state), "networks"},
    {offsetof(struct places, volumes), offsetof(struct places, state), "volumes"},
    {offsetof(struct places, events), offsetof(struct places, state), "events"},
    {offsetof(struct places, run_containers), offsetof(struct places, run),
     PLACES_STAGE "/containers"},
    {offsetof(struct places, run_networks), offsetof(struct places, run), PLACES_STAGE "/networks"},
};

#define PLACES (sizeof(layout) / sizeof(layout[0]))

static char **member_at(struct places *places, size_t offset)
{
    return (char **)(void *)((char *)places + offset);
}

static int make_directory(const char *path, struct ct_error *err)
{
    CT_AUTO_CLOSE int made = ct_mkdirs(path, 0700, err);
    return made < 0 ? -1 : 0;
}

int places_open(struct places *ret, const char *root, const char *run, struct ct_error *err)
{
    *ret = (struct places){0};
    if (root[0] != '/' || run[0] != '/') {
        return ct_refuse(err, CT_INVALID, "use '%.80s': it is not an absolute path",
                         root[0] != '/' ? root : run);
    }
    ret->root = ct_path_clean(root);
    ret->run = ct_path_clean(run);
    for (size_t i = 0; i < PLACES; i++) {
        char **place = member_at(ret, layout[i].member);
        *place = ct_join(*member_at(ret, layout[i].parent), layout[i].name);
        if (make_directory(*place, err) < 0) {
            places_done(ret);
            return -1;
        }
    }
    return 0;
}

void places_done(struct places *places)
{
    for (size_t i = 0; i < PLACES; i++) {
        free(*member_at(places, layout[i].member));
    }
    free(places->root);
    free(places->run);
    *places = (struct places){0};
}

char *places_snapshot_key(const char *container_id)
{
    return ct_printf("%.2s-%s", PLACES_STAGE, container_id); /* the stage's number is enough */
}

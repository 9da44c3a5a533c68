/*
 * copy.c - copies of records that lists share.
 *
 * Room:       containers.   Called by: engine, monitor (container_list_free, memos); the
 *             implementations of containers.h.
 */
#define CT_LAYER "containers"
#include "container_parts.h"

#include "path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct copy *copy_new(size_t size, const char *dir, const char *run_dir, const char *id)
{
    struct copy *copy = calloc(1, size);

    if (copy) {
        copy->container = (struct container){.dir = ct_join(dir, id),
                                             .run_dir = ct_join(run_dir, id),
                                             .dir_fd = -1,
                                             .run_fd = -1,
                                             .lock_fd = -1};
        (void)snprintf(copy->container.id, sizeof(copy->container.id), "%s", id);
        atomic_init(&copy->holders, 1);
    }
    return copy;
}

struct copy *copy_hold(struct copy *copy)
{
    atomic_fetch_add_explicit(&copy->holders, 1, memory_order_relaxed);
    return copy;
}

void copy_release(struct copy *copy)
{
    if (atomic_fetch_sub(&copy->holders, 1) > 1) {
        return;
    }
    json_decref(copy->container.config);
    json_decref(copy->container.state);
    json_decref(atomic_load(&copy->container.memo));
    free(copy->container.dir);
    free(copy->container.run_dir);
    free(copy);
}

/* ---- many ----------------------------------------------------------------------------------- */

void copies_add(struct copies *copies, struct copy *given)
{
    if (copies->n == copies->room) {
        copies->room = copies->room ? 2 * copies->room : 16;
        copies->copy = reallocarray(copies->copy, copies->room, sizeof(struct copy *));
        if (!copies->copy) {
            abort(); /* as everywhere when small memory is out: no state is half written here */
        }
    }
    copies->copy[copies->n++] = given;
}

void copies_done(struct copies *copies)
{
    for (size_t i = 0; i < copies->n; i++) {
        copy_release(copies->copy[i]);
    }
    free(copies->copy);
    *copies = (struct copies){0};
}

struct copies copies_hold(const struct copies *copies)
{
    struct copies held = {0};
    for (size_t i = 0; i < copies->n; i++) {
        copies_add(&held, copy_hold(copies->copy[i]));
    }
    return held;
}

static int id_against_copy(const void *id, const void *element)
{
    const struct copy *const *copy = element;
    return strcmp(id, (*copy)->container.id);
}

static int by_id(const void *a, const void *b)
{
    const struct copy *const *x = a;
    return id_against_copy((*x)->container.id, b);
}

void copies_sort(struct copies *copies)
{
    if (copies->n > 1) {
        qsort(copies->copy, copies->n, sizeof(struct copy *), by_id);
    }
}

struct copy **copies_find(const struct copies *copies, const char *id)
{
    return copies->n ? bsearch(id, copies->copy, copies->n, sizeof(struct copy *), id_against_copy)
                     : NULL;
}

/* ---- lists ---------------------------------------------------------------------------------- */

static int newest_first(const void *a, const void *b)
{
    const struct container *const *x = a, *const *y = b;
    if ((*x)->created_ns != (*y)->created_ns) {
        return (*x)->created_ns < (*y)->created_ns ? 1 : -1;
    }
    return strcmp((*x)->id, (*y)->id); /* any order, but always the same */
}

const struct container **copies_list(struct copies *given, struct ct_error *err)
{
    const struct container **list = calloc(given->n + 1, sizeof(struct container *));

    if (!list) {
        copies_done(given);
        return ct_fail_null(err, ENOMEM, "list the containers");
    }
    for (size_t i = 0; i < given->n; i++) {
        list[i] = &given->copy[i]->container; /* the list holds them from now on */
    }
    if (given->n > 1) {
        qsort(list, given->n, sizeof(struct container *), newest_first);
    }
    free(given->copy);
    *given = (struct copies){0};
    return list;
}

void container_list_free(const struct container **containers)
{
    for (const struct container **c = containers; c && *c; c++) {
        copy_release((struct copy *)*c);
    }
    free(containers);
}

/* The memo is no part of the record, so a container that is to be looked at only has one, too. */
static _Atomic(json_t *) *memo_of(const struct container *container)
{
    return &((struct container *)container)->memo;
}

json_t *container_take_memo(const struct container *container)
{
    return atomic_exchange(memo_of(container), NULL);
}

void container_put_memo(const struct container *container, json_t *memo)
{
    json_decref(atomic_exchange(memo_of(container), memo));
}

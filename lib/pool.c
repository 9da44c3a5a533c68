/*
 * pool.c - memory that is freed together.
 *
 * Room:       lib.   Called by: rooms that build requests (monitor, libcontainer).
 */
#include "pool.h"

#include <stdlib.h>

void *pool_keep(struct pool *pool, void *allocation)
{
    if (pool->n == pool->room) {
        pool->room = pool->room ? 2 * pool->room : 32;
        pool->items = reallocarray(pool->items, pool->room, sizeof(void *));
        if (!pool->items) {
            abort(); /* as lib does: a request that is half there must not be carried out */
        }
    }
    pool->items[pool->n++] = allocation;
    return allocation;
}

void *pool_array(struct pool *pool, size_t n, size_t size)
{
    void *array = calloc(n ? n : 1, size);
    if (!array) {
        abort();
    }
    return pool_keep(pool, array);
}

void pool_done(struct pool *pool)
{
    for (size_t i = 0; i < pool->n; i++) {
        free(pool->items[i]);
    }
    free(pool->items);
    *pool = (struct pool){0};
}

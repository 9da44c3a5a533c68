/*
 * pool.h - memory that is freed together: what a request points to lives in one.
 *
 * Room:       lib.   Called by: rooms that build requests (monitor, libcontainer).
 */
#ifndef CT_POOL_H
#define CT_POOL_H

#include <stddef.h>

struct pool {
    void **items;
    size_t n, room;
};

/* Gives an allocation to the pool and lends it back. Ends the process when memory is out. */
void *pool_keep(struct pool *pool, void *allocation);
/* n zeroed elements. */
void *pool_array(struct pool *pool, size_t n, size_t size);
void pool_done(struct pool *pool);

#endif

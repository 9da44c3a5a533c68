/*
 * local.c - the table of stage 01's store. Compiled with volume_names.h, as that is.
 *
 * Room:       volumes (stage 04).   Called by: front.c.
 */
#include "volumes_ops.h"

const struct volume_ops volume_local_ops = {
    .open = volume_local_open,
    .close = volume_local_close,
    .ensure = volume_local_ensure,
    .find = volume_local_find,
    .list = volume_local_list,
    .remove = volume_local_remove,
    .size = volume_local_size,
    .populate = volume_local_populate,
};

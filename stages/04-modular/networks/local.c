/*
 * local.c - the table of stage 01's room. Compiled with network_names.h, as that is.
 *
 * Room:       networks (stage 04).   Called by: front.c.
 */
#include "networks_ops.h"

const struct network_ops network_local_ops = {
    .open = network_local_open,
    .close = network_local_close,
    .create = network_local_create,
    .find = network_local_find,
    .list = network_local_list,
    .remove = network_local_remove,
    .attach = network_local_attach,
    .detach = network_local_detach,
    .forget = network_local_forget,
    .leave = network_local_leave,
    .rename = network_local_rename,
    .restore = network_local_restore,
    .answer = network_local_resolver_answer,
};

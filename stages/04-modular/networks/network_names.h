/*
 * network_names.h - gives those functions of stage 01's room that need a store names of their own,
 * so that it can be linked beside another implementation.
 *
 * Room:       networks (stage 04). Included by the compiler (-include) before each source of
 *             stages/01-monolith/networks, which stay as they are, and local.c.
 */
#ifndef NETWORK_NAMES_H
#define NETWORK_NAMES_H

#define network_store network_backend

#define network_attach          network_local_attach
#define network_create          network_local_create
#define network_detach          network_local_detach
#define network_find            network_local_find
#define network_forget          network_local_forget
#define network_leave           network_local_leave
#define network_list            network_local_list
#define network_remove          network_local_remove
#define network_rename          network_local_rename
#define network_resolver_answer network_local_resolver_answer
#define network_restore         network_local_restore
#define network_store_close     network_local_close
#define network_store_open      network_local_open

#endif

/*
 * volume_names.h - gives the functions of stage 01's store names of their own, so that it can be
 * linked beside another.
 *
 * Room:       volumes (stage 04). Included by the compiler (-include) before
 *             stages/01-monolith/volumes/store.c, which stays as it is, and local.c.
 */
#ifndef VOLUME_NAMES_H
#define VOLUME_NAMES_H

#define volume_store volume_backend

#define volume_create      volume_local_create
#define volume_ensure      volume_local_ensure
#define volume_find        volume_local_find
#define volume_list        volume_local_list
#define volume_populate    volume_local_populate
#define volume_remove      volume_local_remove
#define volume_size        volume_local_size
#define volume_store_close volume_local_close
#define volume_store_open  volume_local_open

#endif

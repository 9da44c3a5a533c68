/*
 * documents.h - Docker's documents of one container, made from its record.
 *
 * Room:       engine; included by list.c, inspect.c, and those that show a container within
 * another.
 */
#ifndef ENGINE_DOCUMENTS_H
#define ENGINE_DOCUMENTS_H

#include "engine_internal.h"

/* "Up 2 hours (healthy)", "Exited (137) 3 seconds ago", "Created": the STATUS column. Owned. */
char *document_status_text(const struct container *container);
/* [{IP,PrivatePort,PublicPort,Type}] of the running endpoints and the exposed ports. Owned. */
json_t *document_ports(const struct container *container);
/* NetworkSettings of inspect: of what runs, or of what would. Owned. */
json_t *document_network_settings(const struct container *container);
/* NetworkSettings.Networks alone. Owned. */
json_t *document_networks(const struct container *container);
/* Mounts, without what is the engine's own business. Owned. */
json_t *document_mounts(const struct container *container);
/* The whole command line, as ps shows it. Owned. */
char *document_command(const struct container *container);

#endif

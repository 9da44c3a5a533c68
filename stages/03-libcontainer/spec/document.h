/*
 * document.h - from the exec driver's request to an OCI configuration.
 *
 * Room:       spec (stage 03). Knows execdriver.h's request and the shape of config.json; runs
 *             nothing.
 * Called by:  execdriver/native.c, native_run.c.
 * Spec:       OCI runtime-spec 1.2, config.md; moby, oci/defaults.go, for what Docker puts in.
 */
#ifndef SPEC_DOCUMENT_H
#define SPEC_DOCUMENT_H

#include "error.h"
#include "execdriver.h"

#include <jansson.h>

/* The whole configuration. Owned; NULL: CT_INVALID, CT_UNSUPPORTED, or a device that is not there.
 */
json_t *spec_document(const struct exec_spec *spec, struct ct_error *err);

/* "process" of one more program in the container whose configuration is container. Owned. */
json_t *spec_process(const struct exec_program *program, const json_t *container,
                     struct ct_error *err);

/* What of Docker's HostConfig the document has no place for, or what makes no sense there. As
 * exec_driver_check(). */
int spec_check_host(const json_t *host_config, struct ct_error *err);

/* "linux.resources" of limits alone, for an update. Owned. */
json_t *spec_resources(const struct exec_limits *limits, struct ct_error *err);

#endif

/*
 * container_record.h - what the driver and the containers' records agree on: both are containerd's
 * container of the same id.
 *
 * Room:       execdriver (stage 04).   Called by: containers of stage 04; job.c.
 *
 * A container that bears the label is a record: the driver gives it what is to be run, and leaves
 * it behind. One without is the driver's own, and goes with its task.
 */
#ifndef CONTAINER_RECORD_H
#define CONTAINER_RECORD_H

#define CONTAINER_RECORD_LABEL "cutaway/root" /* its value: whose record it is, see there */
#define CONTAINER_SPEC_TYPE    "types.containerd.io/opencontainers/runtime-spec/1/Spec"

/* What runs a container, as containerd finds it: a container keeps the one that it was made with.
 * Owned. */
char *container_record_runtime(void);

#endif

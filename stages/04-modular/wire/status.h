/*
 * status.h - how a call ends: our errors as gRPC's codes and google.rpc.Status, and back.
 *
 * Room:       wire. gRPC and ttrpc end their calls alike, so the table is here once.
 * Called by:  grpc*.c, ttrpc*.c.
 * Spec:       google.rpc.Status and google.rpc.Code; grpc/doc/statuscodes.md.
 *
 * Between programs of ours the whole chain of an error travels as one detail of the status (JSON
 * under the type WIRE_ERROR_TYPE). Others see the code and the line that a user would see.
 */
#ifndef WIRE_STATUS_H
#define WIRE_STATUS_H

#include "error.h"

#include "containerd_api.h"

/* The numbers are those on the wire. */
enum wire_code {
    WIRE_OK = 0,
    WIRE_CANCELLED = 1,
    WIRE_UNKNOWN = 2,
    WIRE_INVALID_ARGUMENT = 3,
    WIRE_DEADLINE_EXCEEDED = 4,
    WIRE_NOT_FOUND = 5,
    WIRE_ALREADY_EXISTS = 6,
    WIRE_PERMISSION_DENIED = 7,
    WIRE_RESOURCE_EXHAUSTED = 8,
    WIRE_FAILED_PRECONDITION = 9,
    WIRE_ABORTED = 10,
    WIRE_OUT_OF_RANGE = 11,
    WIRE_UNIMPLEMENTED = 12,
    WIRE_INTERNAL = 13,
    WIRE_UNAVAILABLE = 14,
    WIRE_DATA_LOSS = 15,
    WIRE_UNAUTHENTICATED = 16,
};

#define WIRE_ERROR_TYPE "types.cutaway/error/1"

enum wire_code wire_code_of_kind(enum ct_kind kind);
/* A code that no table knows is CT_SYSTEM; WIRE_OK is CT_NONE. */
enum ct_kind wire_kind_of_code(int code);

/* The error as a message, with its chain as a detail. Owned; wire_status_free() accepts NULL. */
Google__Rpc__Status *wire_status_new(const struct ct_error *error);
void wire_status_free(Google__Rpc__Status *status);

/*
 * wire_status_to_error - what a peer's status means. layer: who the peer is ("containerd", "shim"),
 * for a status without our detail; its text becomes as many frames as it needs. The peer is not
 * trusted. Returns 0 when the status is NULL or WIRE_OK, else -1 with *err filled.
 */
int wire_status_to_error(const Google__Rpc__Status *status, const char *layer,
                         struct ct_error *err);

/*
 * wire_text_to_error - a stranger's line, outermost cause first as everybody writes it, as a chain:
 * frames are joined by ": " when they are told, so the user reads the same line again, all of it.
 */
void wire_text_to_error(const char *text, const char *layer, enum ct_kind kind,
                        struct ct_error *err);

#endif

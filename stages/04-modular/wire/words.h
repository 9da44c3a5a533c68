/*
 * words.h - a message as a line that a person reads, for spans.
 *
 * Room:       wire. By what protobuf-c knows of a message's fields; of no service by name.
 * Called by:  grpc*.c, ttrpc*.c; containerd, for the shim that it asks.
 */
#ifndef WIRE_WORDS_H
#define WIRE_WORDS_H

#include <protobuf-c/protobuf-c.h>

/*
 * wire_words - "containerd.services.tasks.v1.Tasks/Kill container_id=web signal=9 all=true": the
 * service, the method, and what fields of the message hold a word or a number. Lists, bytes and
 * packed documents are left out. A message's part is told as part.field. Owned.
 */
char *wire_words(const char *service, const char *method, const ProtobufCMessage *message);

#endif

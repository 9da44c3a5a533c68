/*
 * client.c - the calls of this room to containerd.
 *
 * Room:       execdriver (stage 04).   Called by: the other files of this room.
 * Spec:       containerd, api/services/tasks, containers and version.
 */
#define CT_LAYER "execdriver"
#include "tasks_internal.h"

#include "json.h"
#include "path.h"

#include <string.h>

#define UNLIMITED_REAL "1.8446744073709552e19"
#define UNLIMITED      "18446744073709551615 "

int tasks_call(const char *method, const void *request, int timeout_ms, ProtobufCMessage **ret,
               struct ct_error *err)
{
    return connection_call(&containerd__services__tasks__v1__tasks__descriptor, method, request,
                           timeout_ms, ret, err);
}

int containers_call(const char *method, const void *request, int timeout_ms, ProtobufCMessage **ret,
                    struct ct_error *err)
{
    return connection_call(&containerd__services__containers__v1__containers__descriptor, method,
                           request, timeout_ms, ret, err);
}

char *tasks_version(struct ct_error *err)
{
    Google__Protobuf__Empty nothing = GOOGLE__PROTOBUF__EMPTY__INIT;
    TASKS_AUTO_MESSAGE ProtobufCMessage *answer = NULL;

    if (connection_call(&containerd__services__version__v1__version__descriptor, "Version",
                        &nothing, TASKS_TIMEOUT_MS, &answer, err) < 0) {
        return NULL;
    }
    return ct_printf("containerd %s",
                     ((const Containerd__Services__Version__V1__VersionResponse *)answer)->version);
}

int tasks_pack(const char *type_url, const json_t *document, Google__Protobuf__Any *ret,
               char **ret_text, struct ct_error *err)
{
    *ret = (Google__Protobuf__Any)GOOGLE__PROTOBUF__ANY__INIT;
    *ret_text = json_dumps(document, JSON_COMPACT); /* NULL: the only way it can fail here */
    if (!*ret_text) {
        return ct_refuse(err, CT_UNSUPPORTED,
                         "send an argument, a variable or a path that is not UTF-8 to containerd");
    }
    /* RLIM_INFINITY is more than a JSON integer holds here, but those who read this want one. */
    for (char *at = *ret_text; (at = strstr(at, UNLIMITED_REAL));) {
        memcpy(at, UNLIMITED, sizeof(UNLIMITED) - 1);
    }
    ret->type_url = (char *)type_url;
    ret->value.data = (uint8_t *)*ret_text;
    ret->value.len = strlen(*ret_text);
    return 0;
}

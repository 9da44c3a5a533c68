/*
 * records.c - a container's record as containerd has it, and what becomes of records and places
 * when one of the two is not there.
 *
 * Called by:  meson.build here, with a containerd underneath (CUTAWAY_CONTAINERD), Docker's and
 * ours. What every store promises: containers.c.
 */
#define CT_LAYER "test"
#include "connection.h"
#include "containerd_api.h"
#include "containers.h"

#include "cleanup.h"
#include "file.h"
#include "json.h"
#include "path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SERVICE (&containerd__services__containers__v1__containers__descriptor)

typedef Containerd__Services__Containers__V1__Container Message;

struct fixture {
    char base[64];
    char *dir, *run_dir;
    struct container_store *store;
};

static void reopen(struct fixture *f)
{
    struct ct_error err = {0};
    container_store_close(f->store);
    f->store = container_store_open(f->dir, f->run_dir, &err);
    assert_non_null(f->store);
}

static int setup(void **state)
{
    static struct fixture f;

    f = (struct fixture){0};
    (void)snprintf(f.base, sizeof(f.base), "/tmp/cutaway-test-XXXXXX");
    assert_non_null(mkdtemp(f.base));
    f.dir = ct_join(f.base, "containers");
    f.run_dir = ct_join(f.base, "run");
    reopen(&f);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};

    container_store_close(f->store);
    free(f->dir);
    free(f->run_dir);
    assert_int_equal(ct_remove_tree(AT_FDCWD, f->base, &err), 0);
    return 0;
}

static struct container *create(struct container_store *store, const char *name)
{
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *config =
        json_pack("{s:{},s:{},s:s}", "Config", "HostConfig", "ImageRef", "busybox:latest");
    struct container *container = container_create(store, name, config, &err);
    assert_non_null(container);
    return container;
}

static void delete (struct fixture *f, struct container *container)
{
    struct ct_error err = {0};
    assert_int_equal(container_delete(f->store, container, &err), 0);
    container_free(container);
}

static size_t count(struct container_store *store)
{
    struct ct_error err = {0};
    const struct container **all = container_list(store, &err);
    size_t n = 0;

    assert_non_null(all);
    while (all[n]) {
        n++;
    }
    container_list_free(all);
    return n;
}

/* What containerd says of an id. Owned. */
static Containerd__Services__Containers__V1__GetContainerResponse *get(const char *id)
{
    Containerd__Services__Containers__V1__GetContainerRequest request =
        CONTAINERD__SERVICES__CONTAINERS__V1__GET_CONTAINER_REQUEST__INIT;
    ProtobufCMessage *answer = NULL;
    struct ct_error err = {0};

    request.id = (char *)(uintptr_t)id;
    assert_int_equal(
        connection_call(SERVICE, "Get", &request, CONNECTION_TIMEOUT_MS, &answer, &err), 0);
    return (Containerd__Services__Containers__V1__GetContainerResponse *)answer;
}

static const char *label_of(const Message *message, const char *key)
{
    for (size_t i = 0; i < message->n_labels; i++) {
        if (strcmp(message->labels[i]->key, key) == 0) {
            return message->labels[i]->value;
        }
    }
    return "";
}

/* As somebody else would do it. */
static void update(const char *id, const char *path, const char *type, const char *text)
{
    Containerd__Services__Containers__V1__UpdateContainerRequest request =
        CONTAINERD__SERVICES__CONTAINERS__V1__UPDATE_CONTAINER_REQUEST__INIT;
    Message message = CONTAINERD__SERVICES__CONTAINERS__V1__CONTAINER__INIT;
    Containerd__Services__Containers__V1__Container__ExtensionsEntry entry =
        CONTAINERD__SERVICES__CONTAINERS__V1__CONTAINER__EXTENSIONS_ENTRY__INIT;
    Containerd__Services__Containers__V1__Container__ExtensionsEntry *extensions[] = {&entry};
    Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
    Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
    char *paths[] = {(char *)(uintptr_t)path};
    struct ct_error err = {0};

    any.type_url = (char *)(uintptr_t)type;
    any.value.data = (uint8_t *)(uintptr_t)text;
    any.value.len = strlen(text);
    message.id = (char *)(uintptr_t)id;
    if (strcmp(path, "spec") == 0) {
        message.spec = &any;
    } else {
        entry.key = (char *)(uintptr_t)(path + strlen("extensions."));
        entry.value = &any;
        message.extensions = extensions;
        message.n_extensions = 1;
    }
    mask.paths = paths;
    mask.n_paths = 1;
    request.container = &message;
    request.update_mask = &mask;
    assert_int_equal(
        connection_call(SERVICE, "Update", &request, CONNECTION_TIMEOUT_MS, NULL, &err), 0);
}

static void remove_behind_our_back(const char *id)
{
    Containerd__Services__Containers__V1__DeleteContainerRequest request =
        CONTAINERD__SERVICES__CONTAINERS__V1__DELETE_CONTAINER_REQUEST__INIT;
    struct ct_error err = {0};

    request.id = (char *)(uintptr_t)id;
    assert_int_equal(
        connection_call(SERVICE, "Delete", &request, CONNECTION_TIMEOUT_MS, NULL, &err), 0);
}

/* ---- what containerd has --------------------------------------------------------------------- */

static void a_record_is_containerds_container_of_the_same_id(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct container *web = create(f->store, "web");

    Containerd__Services__Containers__V1__GetContainerResponse *answer = get(web->id);

    assert_string_equal(answer->container->id, web->id);
    assert_string_equal(answer->container->image, "busybox:latest");
    assert_true(strlen(answer->container->runtime->name) > 0);
    assert_string_equal(label_of(answer->container, "cutaway/name"), "web");
    assert_string_equal(label_of(answer->container, "cutaway/root"), f->dir);
    assert_int_equal(answer->container->n_extensions, 2);
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    assert_int_equal(container_rename(f->store, web, "shop", &err), 0);
    answer = get(web->id);
    assert_string_equal(label_of(answer->container, "cutaway/name"), "shop");
    assert_string_equal(label_of(answer->container, "cutaway/root"), f->dir);
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    delete (f, web);
}

static void what_is_to_be_run_stays_when_documents_are_saved(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    static const char type[] = "types.containerd.io/opencontainers/runtime-spec/1/Spec";
    struct container *web = create(f->store, "web");
    update(web->id, "spec", type, "{\"hostname\":\"web\"}");

    assert_int_equal(container_save_config(web, &err), 0);
    assert_int_equal(container_save_state(web, &err), 0);

    Containerd__Services__Containers__V1__GetContainerResponse *answer = get(web->id);
    const Google__Protobuf__Any *spec = answer->container->spec;
    assert_string_equal(spec->type_url, type);
    assert_int_equal(spec->value.len, strlen("{\"hostname\":\"web\"}"));
    assert_int_equal(answer->container->n_extensions, 2);
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    delete (f, web);
}

static void two_roots_on_one_containerd_never_meet(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    CT_AUTO_FREE char *dir = ct_join(f->base, "other"), *run_dir = ct_join(f->base, "other-run");
    struct container_store *other = container_store_open(dir, run_dir, &err);
    assert_non_null(other);

    struct container *ours = create(f->store, "web"), *theirs = create(other, "web");
    container_store_close(f->store);
    f->store = NULL;
    reopen(f);

    assert_int_equal(count(f->store), 1);
    assert_int_equal(count(other), 1);
    assert_null(container_find(f->store, theirs->id, &err));
    assert_int_equal(err.kind, CT_NOT_FOUND);
    ours->store = f->store;
    delete (f, ours);
    assert_int_equal(container_delete(other, theirs, &err), 0);
    container_free(theirs);
    container_store_close(other);
}

/* ---- records without places, and places without records -------------------------------------- */

static void a_root_that_was_moved_still_has_its_containers(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    container_free(create(f->store, "web"));
    container_store_close(f->store);
    f->store = NULL;
    char *moved = ct_join(f->base, "moved");
    assert_int_equal(rename(f->dir, moved), 0);
    free(f->dir);
    f->dir = moved;

    reopen(f);

    struct container *web = container_find(f->store, "web", &err);
    assert_non_null(web);
    assert_string_equal(web->dir + strlen(web->dir) - 64, web->id);
    delete (f, web);
}

static void a_record_without_a_place_is_shown_and_gets_a_new_one(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct container *made = create(f->store, "web");
    CT_AUTO_FREE char *place = ct_strdup(made->dir);
    container_free(made);
    assert_int_equal(ct_remove_tree(AT_FDCWD, place, &err), 0);

    reopen(f);

    assert_int_equal(count(f->store), 1);
    struct container *web = container_find(f->store, "web", &err);
    assert_non_null(web);
    assert_int_equal(access(place, F_OK), 0);
    delete (f, web);
    assert_int_equal(access(place, F_OK), -1);
}

/* It may well be the place of a record in another containerd. */
static void a_place_without_a_record_is_left_alone_and_trash_is_not(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    static const char id[] = "abcd000000000000000000000000000000000000000000000000000000000000";
    CT_AUTO_FREE char *place = ct_join(f->dir, id);
    CT_AUTO_FREE char *trash = ct_printf("%s/trash/%s/logs", f->dir, id);
    CT_AUTO_CLOSE int made = ct_mkdirs(place, 0700, &err);
    CT_AUTO_CLOSE int left = ct_mkdirs(trash, 0700, &err);
    assert_true(made >= 0 && left >= 0);

    reopen(f);

    assert_int_equal(count(f->store), 0);
    assert_int_equal(access(place, F_OK), 0);
    assert_int_equal(access(trash, F_OK), -1);
}

/* ---- documents that are broken, and records that are gone ------------------------------------ */

static void a_config_that_is_torn_is_left_out(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct container *web = create(f->store, "web");
    CT_AUTO_FREE char *id = ct_strdup(web->id);
    container_free(web);
    update(id, "extensions.cutaway.config", "types.cutaway/container/1/Config", "{\"Id\":");

    reopen(f);

    assert_int_equal(count(f->store), 0);
    assert_null(container_find(f->store, "web", &err));
    remove_behind_our_back(id);
}

static void a_state_that_is_torn_reads_as_exited_and_says_why(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    container_free(create(f->store, "web"));
    struct container *web = container_find(f->store, "web", &err);
    assert_non_null(web);
    update(web->id, "extensions.cutaway.state", "types.cutaway/container/1/State", "[1]");
    container_free(web);

    reopen(f);

    web = container_find(f->store, "web", &err);
    assert_non_null(web);
    assert_string_equal(container_status(web), "exited");
    assert_int_equal(ct_json_integer(web->state, "ExitCode", 0), 255);
    assert_non_null(strstr(ct_json_string(web->state, "Error", ""), "its state was lost"));
    delete (f, web);
}

static void a_record_that_somebody_removed_can_be_removed_but_not_saved(void **state)
{
    struct fixture *f = *state;
    struct ct_error err = {0};
    struct container *web = create(f->store, "web");
    remove_behind_our_back(web->id);

    assert_int_equal(container_save_state(web, &err), -1);

    CT_AUTO_FREE char *expected = ct_printf("write the record of container '%.12s'", web->id);
    assert_int_equal(err.kind, CT_NOT_FOUND);
    assert_string_equal(err.frame[err.depth - 1].what, expected);
    assert_string_equal(err.frame[err.depth - 1].layer, "containers");
    delete (f, web);
    assert_int_equal(count(f->store), 0);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_record_is_containerds_container_of_the_same_id),
        CASE(what_is_to_be_run_stays_when_documents_are_saved),
        CASE(two_roots_on_one_containerd_never_meet),
        CASE(a_root_that_was_moved_still_has_its_containers),
        CASE(a_record_without_a_place_is_shown_and_gets_a_new_one),
        CASE(a_place_without_a_record_is_left_alone_and_trash_is_not),
        CASE(a_config_that_is_torn_is_left_out),
        CASE(a_state_that_is_torn_reads_as_exited_and_says_why),
        CASE(a_record_that_somebody_removed_can_be_removed_but_not_saved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

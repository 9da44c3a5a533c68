/*
 * plan.c - what an archive says it holds: docker save's manifest.json, or an OCI layout.
 *
 * Room:       images.
 * Called by:  load.c.
 * Spec:       OCI image-spec: image-layout.md, image-index.md, manifest.md; Docker's
 *             image/spec/v1.2.md ("Combined Image JSON + Filesystem Changeset Format").
 *
 * Nothing of this is trusted: every size, digest, number of layers and type is compared with
 * what was read, before the first byte goes into the store.
 */
#include "load.h"

#include "json.h"
#include "path.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

#define IMAGES_MAX 1000 /* in one archive */
#define NESTED_MAX 4    /* indexes in indexes */

static void planned_done(struct planned *planned)
{
    free(planned->manifest);
    free(planned->media_type);
    free(planned->layers);
    json_decref(planned->config);
    json_decref(planned->tags);
}

void plan_done(struct plan *plan)
{
    for (size_t i = 0; i < plan->n; i++) {
        planned_done(&plan->images[i]);
    }
    free(plan->images);
}

static struct planned *plan_add(struct plan *plan, struct ct_error *err)
{
    struct planned *grown = reallocarray(plan->images, plan->n + 1, sizeof(*grown));

    if (plan->n == IMAGES_MAX) {
        plan->images = grown ? grown : plan->images;
        return ct_refuse_null(err, CT_INVALID, "archive holds more than %d images", IMAGES_MAX);
    }
    if (!grown) {
        return ct_fail_null(err, ENOMEM, "plan the loading");
    }
    plan->images = grown;
    grown[plan->n] = (struct planned){.tags = json_array()};
    return &grown[plan->n++];
}

static int add_tag(struct planned *planned, const char *reference, struct ct_error *err)
{
    CT_AUTO_FREE char *full = image_ref_normalize(reference, err);
    size_t i;
    json_t *tag;

    if (!full) {
        return ct_while(err, "read image name '%.100s' of the archive", reference);
    }
    json_array_foreach(planned->tags, i, tag)
    {
        if (strcmp(json_string_value(tag), full) == 0) {
            return 0;
        }
    }
    ct_json_append(planned->tags, json_string(full));
    return 0;
}

/* --- checks --------------------------------------------------------------------------------- */

/* Each layer must have unpacked, to what the config says. */
static int check_layers(const struct planned *planned, struct ct_error *err)
{
    const json_t *ids = ct_json_get(planned->config, "rootfs.diff_ids");

    for (size_t i = 0; i < planned->n_layers; i++) {
        const struct member *layer = planned->layers[i];
        const char *wanted = json_string_value(json_array_get(ids, i));
        if (!layer->staged) {
            *err = layer->error;
            if (err->kind == CT_NONE) {
                (void)ct_refuse(err, CT_INVALID, "not a tar archive");
            }
            return ct_while(err, "read layer '%s'", layer->name + 1);
        }
        const char *actual = snapshot_staged_diff_id(layer->staged);
        if (strcmp(actual, wanted) != 0) {
            return ct_refuse(err, CT_INVALID, "layer '%.80s' is %s, expected %s", layer->name + 1,
                             actual, wanted);
        }
    }
    return 0;
}

/* A member that a descriptor names: there, of that size, of that digest. */
static struct member *find_blob(struct plan *plan, const json_t *descriptor, struct ct_error *err)
{
    const char *digest = ct_json_string(descriptor, "digest", "");
    json_int_t size = ct_json_integer(descriptor, "size", -1);

    if (!digest_is_valid(digest)) {
        return ct_refuse_null(err, CT_INVALID, "read digest '%.80s': only sha256 is known", digest);
    }
    CT_AUTO_FREE char *name = ct_printf("blobs/sha256/%s", digest_hex(digest));
    struct member *member = members_find(plan->members, name);
    if (!member) {
        return ct_refuse_null(err, CT_INVALID, "archive has no blob %s", digest);
    }
    if (!*member->digest) { /* a plain layer that broke: the reason says more than a digest */
        *err = member->error;
        return ct_while_null(err, "read layer '%.19s'", digest);
    }
    if (strcmp(member->digest, digest) != 0) {
        return ct_refuse_null(err, CT_INVALID, "blob is %s, expected %s", member->digest, digest);
    }
    if (size != member->size) {
        return ct_refuse_null(err, CT_INVALID, "blob %.19s has %lld bytes, expected %lld", digest,
                              (long long)member->size, (long long)size);
    }
    return member;
}

static json_t *blob_document(struct plan *plan, const json_t *descriptor, struct ct_error *err)
{
    const struct member *member = find_blob(plan, descriptor, err);

    return member ? members_json(plan->members, member->name, err) : NULL;
}

static int seal_manifest(struct planned *planned, struct ct_error *err)
{
    return digest_of(planned->manifest, strlen(planned->manifest), planned->digest, err) ? 0 : -1;
}

/* --- docker save ---------------------------------------------------------------------------- */

/* docker save has no manifest of its own, so one is made: the same archive gives the same one. */
static int write_manifest(struct planned *planned, struct ct_error *err)
{
    CT_AUTO_JSON json_t *manifest = json_object();
    json_t *layers = json_array();

    ct_json_set(manifest, "schemaVersion", json_integer(2));
    ct_json_set_string(manifest, "mediaType", MEDIA_MANIFEST);
    ct_json_set(manifest, "config",
                make_descriptor(MEDIA_CONFIG, planned->config_member->digest,
                                planned->config_member->size));
    ct_json_set(manifest, "layers", layers);
    for (size_t i = 0; i < planned->n_layers; i++) {
        json_t *descriptor = member_layer_descriptor(planned->layers[i], err);
        if (!descriptor) {
            return -1;
        }
        ct_json_append(layers, descriptor);
    }
    planned->manifest = ct_json_text(manifest);
    planned->media_type = ct_strdup(MEDIA_MANIFEST);
    return seal_manifest(planned, err);
}

static int find_layers(struct plan *plan, struct planned *planned, const json_t *names,
                       struct ct_error *err)
{
    size_t i;
    json_t *name;

    planned->layers = calloc(json_array_size(names) + 1, sizeof(struct member *));
    if (!planned->layers) {
        return ct_fail(err, ENOMEM, "plan the loading");
    }
    json_array_foreach(names, i, name)
    {
        const char *text = json_string_value(name);
        struct member *member = text ? members_find(plan->members, text) : NULL;
        if (!member) {
            return ct_refuse(err, CT_INVALID, "archive has no layer '%s'", text ? text : "");
        }
        planned->layers[planned->n_layers++] = member;
    }
    return 0;
}

static int plan_docker_image(struct plan *plan, const json_t *item, struct ct_error *err)
{
    const char *config = ct_json_string(item, "Config", "");
    const json_t *layers = json_object_get(item, "Layers");
    struct planned *planned = plan_add(plan, err);
    size_t i;
    json_t *tag;

    if (!planned) {
        return -1;
    }
    planned->config_member = members_find(plan->members, config);
    planned->config = members_json(plan->members, config, err);
    if (!planned->config || config_check(planned->config, json_array_size(layers), err) < 0 ||
        find_layers(plan, planned, layers, err) < 0 || check_layers(planned, err) < 0 ||
        write_manifest(planned, err) < 0) {
        return -1;
    }
    json_array_foreach(json_object_get(item, "RepoTags"), i, tag)
    {
        if (add_tag(planned, json_is_string(tag) ? json_string_value(tag) : "", err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int plan_docker(struct plan *plan, const json_t *list, struct ct_error *err)
{
    size_t i;
    json_t *item;

    if (!json_is_array(list)) {
        return ct_refuse(err, CT_INVALID, "read 'manifest.json': not a list of images");
    }
    json_array_foreach(list, i, item)
    {
        if (plan_docker_image(plan, item, err) < 0) {
            return ct_while(err, "read image %zu of 'manifest.json'", i + 1);
        }
    }
    return 0;
}

/* --- OCI layout ----------------------------------------------------------------------------- */

/* This machine's architecture in Go's words. */
static const char *own_architecture(void)
{
    static const char *const names[][2] = {
        {"x86_64", "amd64"},    {"aarch64", "arm64"}, {"armv7l", "arm"},      {"i686", "386"},
        {"ppc64le", "ppc64le"}, {"s390x", "s390x"},   {"riscv64", "riscv64"},
    };
    static struct utsname machine;

    if (uname(&machine) < 0) {
        return "";
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (strcmp(machine.machine, names[i][0]) == 0) {
            return names[i][1];
        }
    }
    return machine.machine;
}

static bool fits_machine(const json_t *descriptor)
{
    return strcmp(ct_json_string(descriptor, "platform.os", ""), "linux") == 0 &&
           strcmp(ct_json_string(descriptor, "platform.architecture", ""), own_architecture()) == 0;
}

static int plan_descriptor(struct plan *plan, const json_t *descriptor, const char *name, int depth,
                           struct ct_error *err);

/* "linux/arm64, linux/s390x": what there is instead. Owned. */
static char *list_platforms(const json_t *manifests)
{
    CT_AUTO_FREE char *list = ct_strdup("");
    size_t i;
    json_t *descriptor;

    json_array_foreach(manifests, i, descriptor)
    {
        const char *os = ct_json_string(descriptor, "platform.os", "unknown");
        CT_AUTO_FREE char *before = list;
        list = strcmp(os, "unknown") == 0
                   ? ct_strdup(before) /* build attestations pose as one */
                   : ct_printf("%s%s%.20s/%.20s", before, *before ? ", " : "", os,
                               ct_json_string(descriptor, "platform.architecture", ""));
    }
    return ct_steal(list);
}

/* From an index over platforms only the one for this machine is taken. */
static int plan_index(struct plan *plan, const json_t *index, const char *name, int depth,
                      struct ct_error *err)
{
    const json_t *manifests = json_object_get(index, "manifests");
    size_t i;
    json_t *descriptor;

    json_array_foreach(manifests, i, descriptor)
    {
        if (fits_machine(descriptor)) {
            return plan_descriptor(plan, descriptor, name, depth + 1, err);
        }
    }
    descriptor = json_array_get(manifests, 0);
    if (json_array_size(manifests) == 1 && !json_object_get(descriptor, "platform")) {
        return plan_descriptor(plan, descriptor, name, depth + 1, err);
    }
    CT_AUTO_FREE char *others = list_platforms(manifests);
    return ct_refuse(err, CT_NOT_FOUND, "no image for linux/%s in the archive; it has %.100s",
                     own_architecture(), *others ? others : "none at all");
}

static int find_blobs(struct plan *plan, struct planned *planned, const json_t *layers,
                      struct ct_error *err)
{
    size_t i;
    json_t *descriptor;

    planned->layers = calloc(json_array_size(layers) + 1, sizeof(struct member *));
    if (!planned->layers) {
        return ct_fail(err, ENOMEM, "plan the loading");
    }
    json_array_foreach(layers, i, descriptor)
    {
        const char *type = ct_json_string(descriptor, "mediaType", "");
        if (strstr(type, "+encrypted")) {
            return ct_refuse(err, CT_UNSUPPORTED, "layer %zu is encrypted (%.80s)", i + 1, type);
        }
        struct member *member = find_blob(plan, descriptor, err);
        if (!member) {
            return -1;
        }
        planned->layers[planned->n_layers++] = member;
    }
    return 0;
}

/* The manifest is kept byte for byte, so that its digest stays the one its author gave out. */
static int plan_manifest(struct plan *plan, const json_t *descriptor, const json_t *manifest,
                         const char *name, struct ct_error *err)
{
    const json_t *config = json_object_get(manifest, "config");
    const json_t *layers = json_object_get(manifest, "layers");

    for (size_t i = 0; i < plan->n; i++) { /* one image under two names */
        if (strcmp(plan->images[i].digest, ct_json_string(descriptor, "digest", "")) == 0) {
            return name ? add_tag(&plan->images[i], name, err) : 0;
        }
    }
    struct planned *planned = plan_add(plan, err);
    if (!planned) {
        return -1;
    }
    planned->config_member = find_blob(plan, config, err);
    planned->config = planned->config_member ? blob_document(plan, config, err) : NULL;
    if (!planned->config || config_check(planned->config, json_array_size(layers), err) < 0 ||
        find_blobs(plan, planned, layers, err) < 0 || check_layers(planned, err) < 0) {
        return -1;
    }
    struct member *member = find_blob(plan, descriptor, err);
    if (!member || member_text(plan->members, member, &planned->manifest, err) < 0) {
        return -1;
    }
    (void)strcpy(planned->digest, member->digest);
    planned->media_type = ct_strdup(ct_json_string(manifest, "mediaType", MEDIA_MANIFEST));
    return name ? add_tag(planned, name, err) : 0;
}

static int plan_descriptor(struct plan *plan, const json_t *descriptor, const char *name, int depth,
                           struct ct_error *err)
{
    CT_AUTO_JSON json_t *document = blob_document(plan, descriptor, err);

    if (!document) {
        return -1;
    }
    /* Docker's and OCI's media types differ, their documents do not: the contents decide. */
    if (json_is_array(json_object_get(document, "manifests"))) {
        return depth < NESTED_MAX
                   ? plan_index(plan, document, name, depth, err)
                   : ct_refuse(err, CT_INVALID, "archive has indexes nested too deep");
    }
    if (!json_is_object(json_object_get(document, "config"))) {
        return ct_refuse(err, CT_UNSUPPORTED, "read '%.19s': neither image manifest nor index",
                         ct_json_string(descriptor, "digest", ""));
    }
    return plan_manifest(plan, descriptor, document, name, err);
}

/*
 * The name of a descriptor: containerd's annotation is a full one; OCI's may be only a tag
 * ("latest"), and a tag without a repository names nothing.
 */
static const char *descriptor_name(const json_t *descriptor)
{
    const json_t *annotations = json_object_get(descriptor, "annotations");
    const char *full = json_string_value(json_object_get(annotations, "io.containerd.image.name"));
    const char *name = json_string_value(json_object_get(annotations, REF_NAME));

    if (full) {
        return full;
    }
    return name && strpbrk(name, "/:") ? name : NULL;
}

static int plan_oci(struct plan *plan, const json_t *index, struct ct_error *err)
{
    const json_t *manifests = json_object_get(index, "manifests");
    size_t i, fitting = 0;
    json_t *descriptor;

    if (!json_is_array(manifests)) {
        return ct_refuse(err, CT_INVALID, "read 'index.json': not an image index");
    }
    json_array_foreach(manifests, i, descriptor)
    {
        fitting += fits_machine(descriptor);
    }
    json_array_foreach(manifests, i, descriptor)
    {
        bool other = json_object_get(descriptor, "platform") && !fits_machine(descriptor);
        if (other && fitting > 0) {
            continue; /* one of several platforms, listed without an index around them */
        }
        if (plan_descriptor(plan, descriptor, descriptor_name(descriptor), 0, err) < 0) {
            return ct_while(err, "read image %zu of 'index.json'", i + 1);
        }
    }
    return 0;
}

/* An archive in both forms: names that only manifest.json has. */
static int add_docker_tags(struct plan *plan, const json_t *list, struct ct_error *err)
{
    size_t i, j;
    json_t *item, *tag;

    json_array_foreach(list, i, item)
    {
        const struct member *config =
            members_find(plan->members, ct_json_string(item, "Config", ""));
        for (size_t k = 0; config && k < plan->n; k++) {
            if (strcmp(plan->images[k].config_member->digest, config->digest) != 0) {
                continue;
            }
            json_array_foreach(json_object_get(item, "RepoTags"), j, tag)
            {
                const char *text = json_is_string(tag) ? json_string_value(tag) : "";
                if (add_tag(&plan->images[k], text, err) < 0) {
                    return -1;
                }
            }
        }
    }
    return 0;
}

int plan_make(struct plan *plan, struct members *members, struct ct_error *err)
{
    bool docker = members_find(members, "manifest.json") != NULL;
    bool oci = members_find(members, "index.json") && members_find(members, "oci-layout");
    CT_AUTO_JSON json_t *list = docker ? members_json(members, "manifest.json", err) : NULL;
    CT_AUTO_JSON json_t *index = oci ? members_json(members, "index.json", err) : NULL;

    *plan = (struct plan){.members = members};
    if ((docker && !list) || (oci && !index)) {
        return -1;
    }
    if (oci) { /* it is exact about manifests, so it goes first */
        return plan_oci(plan, index, err) < 0 || add_docker_tags(plan, list, err) < 0 ? -1 : 0;
    }
    if (docker) {
        return plan_docker(plan, list, err);
    }
    if (members_find(members, "repositories")) {
        (void)ct_refuse(err, CT_UNSUPPORTED,
                        "archive is of Docker before 1.10: it has no 'manifest.json'");
        return ct_hint(err, "load it into a Docker of 1.10 to 24 and save it again");
    }
    (void)ct_refuse(err, CT_INVALID,
                    "archive holds no image: neither 'manifest.json' nor 'index.json'");
    return ct_hint(err, "a plain root file system comes in with 'import'");
}

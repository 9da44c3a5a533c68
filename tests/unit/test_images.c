/*
 * test_images.c - the image store: loading (hostile archives too), finding, saving, removing.
 *
 * Room:       tests.
 * Spec:       OCI image-spec; docker save's archives.
 *
 * Needs root, because loading unpacks layers; without it each test is skipped by name. After
 * every archive that is refused the store must look as it did before: no tag, blob, layer or
 * scratch directory more.
 */
#define CT_LAYER "test"
#include "images.h"

#include "cleanup.h"
#include "digest.h"
#include "json.h"
#include "path.h"
#include "snapshots.h"
#include "tar_maker.h"

#include <archive.h>
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NOWHERE "sha256:0000000000000000000000000000000000000000000000000000000000000000"

static char base[64];
static struct snapshot_store *snapshots;
static struct image_store *images;

static struct image_store *open_images(struct snapshot_store **ret_snapshots)
{
    struct ct_error err = {0};
    CT_AUTO_FREE char *snapshots_dir = ct_join(base, "snapshots");
    CT_AUTO_FREE char *images_dir = ct_join(base, "images");

    *ret_snapshots = snapshot_store_open(snapshots_dir, &err);
    return *ret_snapshots ? image_store_open(images_dir, *ret_snapshots, &err) : NULL;
}

static int open_store(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        return 0; /* each test skips itself */
    }
    (void)strcpy(base, "/tmp/test-images-XXXXXX");
    images = mkdtemp(base) ? open_images(&snapshots) : NULL;
    return images ? 0 : -1;
}

static int close_store(void **state)
{
    (void)state;
    struct ct_error err = {0};

    if (geteuid() != 0) {
        return 0;
    }
    image_store_close(images);
    snapshot_store_close(snapshots);
    return ct_remove_tree(AT_FDCWD, base, &err);
}

static void need_root(void)
{
    if (geteuid() != 0) {
        skip();
    }
}

static size_t count_files(const char *name)
{
    CT_AUTO_FREE char *path = ct_join(base, name);
    CT_AUTO_DIR DIR *dir = opendir(path);
    size_t n = 0;

    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        n += entry->d_name[0] != '.';
    }
    return n;
}

static void assert_store_holds(size_t n_images, size_t n_blobs, size_t n_layers)
{
    struct ct_error err = {0};
    struct image **list = image_list(images, &err);
    size_t n = 0;

    assert_non_null(list);
    while (list[n]) {
        n++;
    }
    image_list_free(list);
    assert_int_equal(n, n_images);
    assert_int_equal(count_files("images/blobs/sha256"), n_blobs);
    assert_int_equal(count_files("snapshots/layers"), n_layers);
    assert_int_equal(count_files("images/tmp"), 0);
    assert_int_equal(count_files("snapshots/tmp"), 0);
}

/* --- making archives -------------------------------------------------------------------------- */

struct bytes {
    char *data; /* owned */
    size_t size;
    char digest[DIGEST_SIZE];
};

static void bytes_done(struct bytes *bytes)
{
    free(bytes->data);
}

#define AUTO_BYTES __attribute__((cleanup(bytes_done))) struct bytes

static void seal(struct bytes *bytes)
{
    struct ct_error err = {0};
    assert_non_null(digest_of(bytes->data, bytes->size, bytes->digest, &err));
}

static struct bytes layer_of(const char *file, const char *text, int filter)
{
    struct bytes layer = {0};
    struct tar_maker *maker = tar_new(filter);

    tar_add(maker, S_IFDIR | 0755, "etc", NULL);
    tar_add(maker, S_IFREG | 0644, file, text);
    layer.data = tar_finish(maker, &layer.size);
    seal(&layer);
    return layer;
}

/* Takes the document. */
static struct bytes text_of(json_t *document)
{
    struct bytes bytes = {.data = ct_json_text(document)};

    bytes.size = strlen(bytes.data);
    json_decref(document);
    seal(&bytes);
    return bytes;
}

static struct bytes config_of(const struct bytes *layers, size_t n)
{
    json_t *ids = json_array();
    json_t *history = json_array();

    for (size_t i = 0; i < n; i++) {
        ct_json_append(ids, json_string(layers[i].digest));
        ct_json_append(history, json_pack("{s:s,s:s}", "created", "2026-01-02T03:04:05Z",
                                          "created_by", i ? "RUN second" : "ADD first"));
    }
    ct_json_append(history, json_pack("{s:s,s:s,s:b}", "created", "2026-01-02T03:04:06Z",
                                      "created_by", "CMD sh", "empty_layer", 1));
    return text_of(json_pack("{s:s,s:s,s:s,s:{s:[s]},s:{s:s,s:o},s:o}", "created",
                             "2026-01-02T03:04:06Z", "architecture", "amd64", "os", "linux",
                             "config", "Cmd", "sh", "rootfs", "type", "layers", "diff_ids", ids,
                             "history", history));
}

/* An archive as docker save makes it: layer 0, layer 1, config, manifest.json. */
struct docker_archive {
    struct bytes layers[2];
    struct bytes config;
    json_t *manifest; /* items of manifest.json, which a test may change */
};

static void docker_done(struct docker_archive *archive)
{
    bytes_done(&archive->layers[0]);
    bytes_done(&archive->layers[1]);
    bytes_done(&archive->config);
    json_decref(archive->manifest);
}

#define AUTO_DOCKER __attribute__((cleanup(docker_done))) struct docker_archive

static struct docker_archive docker_new(const char *tag)
{
    struct docker_archive archive = {0};

    archive.layers[0] = layer_of("etc/first", "12345", 0);
    archive.layers[1] = layer_of("etc/second", "123", 0);
    archive.config = config_of(archive.layers, 2);
    archive.manifest = json_pack("[{s:s,s:[s],s:[s,s]}]", "Config", "config.json", "RepoTags", tag,
                                 "Layers", "one/layer.tar", "two/layer.tar");
    return archive;
}

static struct bytes docker_finish(const struct docker_archive *archive, int filter)
{
    struct bytes whole = {0};
    struct tar_maker *maker = tar_new(filter);
    AUTO_BYTES manifest = text_of(json_incref(archive->manifest));

    tar_add(maker, S_IFDIR | 0755, "one", NULL);
    tar_add_bytes(maker, "one/VERSION", "1.0", 3);
    tar_add_bytes(maker, "one/layer.tar", archive->layers[0].data, archive->layers[0].size);
    tar_add_bytes(maker, "two/layer.tar", archive->layers[1].data, archive->layers[1].size);
    tar_add_bytes(maker, "config.json", archive->config.data, archive->config.size);
    tar_add_bytes(maker, "manifest.json", manifest.data, manifest.size);
    tar_add_bytes(maker, "repositories", "{}", 2);
    whole.data = tar_finish(maker, &whole.size);
    return whole;
}

static json_t *load(const struct bytes *archive, struct ct_error *err)
{
    CT_AUTO_CLOSE int fd = memory_fd(archive->data, archive->size);
    json_t *loaded = NULL;

    return image_load(images, fd, NULL, &loaded, err) < 0 ? NULL : loaded;
}

static void load_well(const struct bytes *archive, const char *wanted)
{
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *loaded = load(archive, &err);
    char text[1024];

    if (!loaded) {
        fail_msg("%s", ct_error_render(&err, text, sizeof(text)));
    }
    CT_AUTO_FREE char *said = ct_json_text(loaded);
    assert_string_equal(said, wanted);
}

static void load_badly(const struct bytes *archive, enum ct_kind kind, const char *wanted)
{
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *loaded = load(archive, &err);

    assert_null(loaded);
    if (!strstr(err.frame[0].what, wanted)) {
        fail_msg("'%s' is not in '%s'", wanted, err.frame[0].what);
    }
    assert_int_equal(err.kind, kind);
}

/* Two layers, loaded as NAME. */
static void load_simple(const char *name)
{
    AUTO_DOCKER archive = docker_new(name);
    AUTO_BYTES whole = docker_finish(&archive, 0);
    struct ct_error err = {0};
    CT_AUTO_JSON json_t *loaded = load(&whole, &err);
    assert_non_null(loaded);
}

static struct image *find(const char *reference)
{
    struct ct_error err = {0};
    struct image *image = image_find(images, reference, &err);
    char text[1024];

    if (!image) {
        fail_msg("%s", ct_error_render(&err, text, sizeof(text)));
    }
    return image;
}

static json_t *descriptor_of(const struct bytes *blob, const char *type)
{
    return json_pack("{s:s,s:s,s:I}", "mediaType", type, "digest", blob->digest, "size",
                     (json_int_t)blob->size);
}

static void add_blob(struct tar_maker *maker, const struct bytes *blob)
{
    CT_AUTO_FREE char *name = ct_printf("blobs/sha256/%s", digest_hex(blob->digest));
    tar_add_bytes(maker, name, blob->data, blob->size);
}

/* An OCI layout with one gzip layer. Its index.json lists `top`, or the manifest itself. */
struct oci_archive {
    struct bytes plain, layer, config, manifest;
};

static void oci_done(struct oci_archive *archive)
{
    bytes_done(&archive->plain);
    bytes_done(&archive->layer);
    bytes_done(&archive->config);
    bytes_done(&archive->manifest);
}

#define AUTO_OCI __attribute__((cleanup(oci_done))) struct oci_archive

static struct oci_archive oci_new(int filter, const char *suffix)
{
    struct oci_archive archive = {0};
    CT_AUTO_FREE char *type = ct_printf("application/vnd.oci.image.layer.v1.tar%s", suffix);

    archive.plain = layer_of("etc/oci", "oci", 0);
    archive.layer = layer_of("etc/oci", "oci", filter);
    archive.config = config_of(&archive.plain, 1);
    archive.manifest = text_of(
        json_pack("{s:i,s:s,s:o,s:[o]}", "schemaVersion", 2, "mediaType",
                  "application/vnd.oci.image.manifest.v1+json", "config",
                  descriptor_of(&archive.config, "application/vnd.oci.image.config.v1+json"),
                  "layers", descriptor_of(&archive.layer, type)));
    return archive;
}

/* Takes the descriptors of index.json. */
static struct bytes oci_finish(const struct oci_archive *archive, const struct bytes *extra,
                               json_t *descriptors)
{
    struct bytes whole = {0};
    struct tar_maker *maker = tar_new(0);
    AUTO_BYTES index =
        text_of(json_pack("{s:i,s:o}", "schemaVersion", 2, "manifests", descriptors));

    tar_add_bytes(maker, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", 30);
    tar_add_bytes(maker, "index.json", index.data, index.size);
    add_blob(maker, &archive->manifest);
    add_blob(maker, &archive->config);
    if (extra) {
        add_blob(maker, extra);
    }
    add_blob(maker, &archive->layer);
    whole.data = tar_finish(maker, &whole.size);
    return whole;
}

static json_t *named(const struct bytes *manifest, const char *name)
{
    json_t *descriptor = descriptor_of(manifest, "application/vnd.oci.image.manifest.v1+json");
    json_t *annotations = json_object();

    ct_json_set_string(annotations, "org.opencontainers.image.ref.name", name);
    ct_json_set(descriptor, "annotations", annotations);
    return descriptor;
}

/* --- loading ---------------------------------------------------------------------------------- */

static void an_archive_of_docker_save_becomes_an_image(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    AUTO_DOCKER archive = docker_new("app:1");
    AUTO_BYTES whole = docker_finish(&archive, 0);

    load_well(&whole, "[\"app:1\"]");

    struct image *image = find("app:1");
    assert_string_equal(image->id, archive.config.digest);
    assert_int_equal(image->size_bytes, 5 + 3);
    assert_string_equal(json_string_value(json_array_get(image->tags, 0)),
                        "docker.io/library/app:1");
    CT_AUTO_FREE char *chain = image_chain(images, image, &err);
    CT_AUTO_FREE char *wanted =
        snapshot_chain_id(archive.layers[0].digest, archive.layers[1].digest);
    assert_string_equal(chain, wanted);
    assert_true(snapshot_has(snapshots, chain));
    image_free(image);
    assert_store_holds(1, 4, 2);      /* two layers, config, manifest */
    load_well(&whole, "[\"app:1\"]"); /* again: the same */
    assert_store_holds(1, 4, 2);
}

static void compressed_archives_load_from_a_pipe(void **state)
{
    (void)state;
    need_root();
    AUTO_DOCKER archive = docker_new("app:1");
    AUTO_BYTES whole = docker_finish(&archive, ARCHIVE_FILTER_GZIP);
    struct ct_error err = {0};
    int wire[2];
    json_t *loaded = NULL;
    assert_int_equal(pipe2(wire, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)close(wire[0]);
        for (size_t i = 0; i < whole.size; i++) { /* byte by byte: no read is what one expects */
            if (write(wire[1], whole.data + i, 1) != 1) {
                _exit(1);
            }
        }
        _exit(0);
    }
    (void)close(wire[1]);

    int result = image_load(images, wire[0], NULL, &loaded, &err);

    (void)close(wire[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(result, 0);
    json_decref(loaded);
    assert_store_holds(1, 4, 2);
}

static void layers_that_are_links_in_the_archive_are_found(void **state)
{
    (void)state;
    need_root();
    AUTO_DOCKER archive = docker_new("app:1");
    AUTO_BYTES config = {0};
    struct bytes twice[2] = {archive.layers[0], archive.layers[0]};
    config = config_of(twice, 2);
    AUTO_BYTES manifest = text_of(json_incref(archive.manifest));
    struct tar_maker *maker = tar_new(0);
    tar_add_bytes(maker, "one.tar", archive.layers[0].data, archive.layers[0].size);
    tar_add(maker, S_IFLNK | 0777, "one/layer.tar", "../one.tar");
    tar_add(maker, S_IFLNK | 0777, "two/layer.tar", "../one/layer.tar");
    tar_add_bytes(maker, "config.json", config.data, config.size);
    tar_add_bytes(maker, "manifest.json", manifest.data, manifest.size);
    AUTO_BYTES whole = {0};
    whole.data = tar_finish(maker, &whole.size);

    load_well(&whole, "[\"app:1\"]");
    assert_store_holds(1, 3, 2); /* one blob is two layers: the second stands on the first */
}

static void an_oci_layout_keeps_its_manifest_byte_for_byte(void **state)
{
    (void)state;
    need_root();
    static const struct {
        int filter;
        const char *suffix;
    } kinds[] = {{ARCHIVE_FILTER_GZIP, "+gzip"}, {ARCHIVE_FILTER_ZSTD, "+zstd"}, {0, ""}};

    for (size_t i = 0; i < 3; i++) {
        AUTO_OCI archive = oci_new(kinds[i].filter, kinds[i].suffix);
        AUTO_BYTES whole =
            oci_finish(&archive, NULL, json_pack("[o]", named(&archive.manifest, "x:5000/app:2")));
        load_well(&whole, "[\"x:5000/app:2\"]");
        struct image *image = find("x:5000/app:2");
        assert_string_equal(image->digest, archive.manifest.digest);
        assert_string_equal(image->id, archive.config.digest);
        image_free(image);
    }
}

static void a_bare_tag_names_nothing(void **state)
{
    (void)state;
    need_root();
    AUTO_OCI archive = oci_new(0, "");
    AUTO_BYTES whole =
        oci_finish(&archive, NULL, json_pack("[o]", named(&archive.manifest, "latest")));

    CT_AUTO_FREE char *wanted = ct_printf("[\"%s\"]", archive.config.digest);
    load_well(&whole, wanted);
    struct image *image = find(archive.config.digest);
    assert_int_equal(json_array_size(image->tags), 0);
    image_free(image);
}

static json_t *for_platform(json_t *descriptor, const char *architecture)
{
    json_t *platform = json_object();
    ct_json_set_string(platform, "os", "linux");
    ct_json_set_string(platform, "architecture", architecture);
    ct_json_set(descriptor, "platform", platform);
    return descriptor;
}

static void of_several_platforms_this_machines_is_taken(void **state)
{
    (void)state;
    need_root();
    AUTO_OCI archive = oci_new(0, "");
    AUTO_OCI other = oci_new(ARCHIVE_FILTER_GZIP, "+gzip"); /* not in the archive */
    const char *index_type = "application/vnd.docker.distribution.manifest.list.v2+json";
    const char *own = sizeof(void *) == 8 ? "amd64" : "386";
#if defined(__aarch64__)
    own = "arm64";
#endif
    AUTO_BYTES list =
        text_of(json_pack("{s:i,s:s,s:[o,o]}", "schemaVersion", 2, "mediaType", index_type,
                          "manifests", for_platform(named(&other.manifest, "x"), "s390x"),
                          for_platform(named(&archive.manifest, "x"), own)));
    AUTO_BYTES whole = oci_finish(&archive, &list, json_pack("[o]", named(&list, "app:multi")));

    load_well(&whole, "[\"app:multi\"]");
    struct image *image = find("app:multi");
    assert_string_equal(image->digest, archive.manifest.digest);
    image_free(image);
}

static void an_archive_without_this_platform_says_what_it_has(void **state)
{
    (void)state;
    need_root();
    AUTO_OCI archive = oci_new(0, "");
    AUTO_BYTES list = text_of(json_pack("{s:i,s:[o,o]}", "schemaVersion", 2, "manifests",
                                        for_platform(named(&archive.manifest, "x"), "s390x"),
                                        for_platform(named(&archive.manifest, "x"), "mips64")));
    AUTO_BYTES whole = oci_finish(&archive, &list, json_pack("[o]", named(&list, "app:multi")));

    load_badly(&whole, CT_NOT_FOUND, "in the archive; it has linux/s390x, linux/mips64");
    assert_store_holds(0, 0, 0);
}

struct told {
    const char *status; /* the one to expect */
    char id[16];        /* of the last message, and its numbers */
    int64_t current, total;
    int calls;
};

static void count_progress(void *context, const char *id, const char *status, int64_t current,
                           int64_t total)
{
    struct told *told = context;
    assert_string_equal(status, told->status);
    assert_true(current > 0 && current <= total);
    (void)snprintf(told->id, sizeof(told->id), "%s", id);
    told->current = current;
    told->total = total;
    told->calls++;
}

static void progress_is_told_for_each_layer(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    struct told told = {.status = "Loading layer"};
    struct image_io io = {
        .progress = count_progress, .context = &told, .status = told.status, .cancel_fd = -1};
    AUTO_DOCKER archive = docker_new("app:1");
    AUTO_BYTES whole = docker_finish(&archive, 0);
    CT_AUTO_CLOSE int fd = memory_fd(whole.data, whole.size);
    json_t *loaded = NULL;

    assert_int_equal(image_load(images, fd, &io, &loaded, &err), 0);

    json_decref(loaded);
    assert_true(told.calls >= 2);
    assert_int_equal(told.current, archive.layers[1].size);
    assert_int_equal(told.total, archive.layers[1].size);
}

static void a_cancelled_load_keeps_nothing(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    int archive[2], cancel[2];
    json_t *loaded = NULL;
    assert_int_equal(pipe2(archive, O_CLOEXEC), 0); /* from which nothing ever comes */
    assert_int_equal(pipe2(cancel, O_CLOEXEC), 0);
    assert_int_equal(write(cancel[1], "x", 1), 1);
    struct image_io io = {.cancel_fd = cancel[0]};

    assert_int_equal(image_load(images, archive[0], &io, &loaded, &err), -1);

    assert_int_equal(err.kind, CT_TIMEOUT);
    for (int i = 0; i < 2; i++) {
        (void)close(archive[i]);
        (void)close(cancel[i]);
    }
    assert_store_holds(0, 0, 0);
}

static void two_processes_loading_one_image_both_succeed(void **state)
{
    (void)state;
    need_root();
    AUTO_DOCKER archive = docker_new("app:1");
    AUTO_BYTES whole = docker_finish(&archive, 0);
    pid_t children[3];

    for (int i = 0; i < 3; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            struct ct_error err = {0};
            struct snapshot_store *own_snapshots = NULL;
            images = open_images(&own_snapshots);
            _exit(images && load(&whole, &err) ? 0 : 1);
        }
    }
    for (int i = 0; i < 3; i++) {
        int status = -1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_store_holds(1, 4, 2);
}

/* --- hostile and broken archives -------------------------------------------------------------- */

static void an_archive_cut_anywhere_is_refused_and_leaves_nothing(void **state)
{
    (void)state;
    need_root();
    AUTO_DOCKER archive = docker_new("app:1");
    AUTO_BYTES whole = docker_finish(&archive, 0);
    size_t end = whole.size - 2 * 512 - 3 * 512; /* before manifest.json is complete */

    for (size_t cut = 0; cut < end; cut += 512 + 77) {
        struct ct_error err = {0};
        struct bytes part = {.data = whole.data, .size = cut};
        CT_AUTO_JSON json_t *loaded = load(&part, &err);
        assert_null(loaded);
        assert_int_equal(err.kind, CT_INVALID);
    }
    assert_store_holds(0, 0, 0);
}

static void things_that_are_no_archive_are_refused(void **state)
{
    (void)state;
    need_root();
    struct bytes nothing = {.data = (char *)"", .size = 0};
    struct bytes text = {.data = (char *)"this is not an archive of images\n", .size = 33};
    AUTO_BYTES rootfs = layer_of("etc/passwd", "root", 0);

    load_badly(&nothing, CT_INVALID, "archive holds no image");
    load_badly(&text, CT_INVALID, "read tar: ");
    load_badly(&rootfs, CT_INVALID,
               "archive holds no image: neither 'manifest.json' nor 'index.json'");
    assert_store_holds(0, 0, 0);
}

static void a_layer_that_is_not_the_promised_one_is_refused(void **state)
{
    (void)state;
    need_root();
    AUTO_DOCKER archive = docker_new("app:1");
    bytes_done(&archive.layers[1]);
    archive.layers[1] = layer_of("etc/second", "changed", 0);
    AUTO_BYTES whole = docker_finish(&archive, 0);

    load_badly(&whole, CT_INVALID, "layer 'two/layer.tar' is sha256:");
    assert_store_holds(0, 0, 0);
}

static void manifests_that_lie_are_refused(void **state)
{
    (void)state;
    need_root();
    static const struct {
        const char *manifest, *error;
    } rows[] = {
        {"{}", "read 'manifest.json': not a list of images"},
        {"[", "line"},
        {"[{}]", "archive has no ''"},
        {"[{\"Config\":\"../../etc/passwd\",\"Layers\":[]}]", "archive has no '../../etc/passwd'"},
        {"[{\"Config\":\"config.json\",\"Layers\":[]}]",
         "image config lists 2 layers, the manifest 0"},
        {"[{\"Config\":\"config.json\",\"Layers\":[\"one/layer.tar\",\"no/layer.tar\"]}]",
         "archive has no layer 'no/layer.tar'"},
        {"[{\"Config\":\"config.json\",\"Layers\":[\"one/layer.tar\",7]}]",
         "archive has no layer ''"},
        {"[{\"Config\":\"config.json\",\"Layers\":[\"two/layer.tar\",\"one/layer.tar\"]}]",
         "layer 'two/layer.tar' is sha256:"},
        {"[{\"Config\":\"config.json\",\"Layers\":[\"one/layer.tar\",\"config.json\"]}]",
         "not a tar archive"},
        {"[{\"Config\":\"one/layer.tar\",\"Layers\":[]}]", "line"},
        {"[{\"Config\":\"config.json\",\"RepoTags\":[\"Bad:Name\"],"
         "\"Layers\":[\"one/layer.tar\",\"two/layer.tar\"]}]",
         "must be lowercase"},
        {"[{\"Config\":\"config.json\",\"RepoTags\":[7],"
         "\"Layers\":[\"one/layer.tar\",\"two/layer.tar\"]}]",
         "invalid reference format"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        AUTO_DOCKER archive = docker_new("app:1");
        struct tar_maker *maker = tar_new(0);
        tar_add_bytes(maker, "one/layer.tar", archive.layers[0].data, archive.layers[0].size);
        tar_add_bytes(maker, "two/layer.tar", archive.layers[1].data, archive.layers[1].size);
        tar_add_bytes(maker, "config.json", archive.config.data, archive.config.size);
        tar_add_bytes(maker, "manifest.json", rows[i].manifest, strlen(rows[i].manifest));
        AUTO_BYTES whole = {0};
        whole.data = tar_finish(maker, &whole.size);
        load_badly(&whole, CT_INVALID, rows[i].error);
    }
    assert_store_holds(0, 0, 0);
}

static void blobs_with_a_wrong_digest_or_size_are_refused(void **state)
{
    (void)state;
    need_root();
    AUTO_OCI archive = oci_new(ARCHIVE_FILTER_GZIP, "+gzip");
    json_t *wrong_size = named(&archive.manifest, "app:1");
    ct_json_set(wrong_size, "size", json_integer(7));
    AUTO_BYTES first = oci_finish(&archive, NULL, json_pack("[o]", wrong_size));
    load_badly(&first, CT_INVALID, "bytes, expected 7");

    json_t *missing = named(&archive.manifest, "app:1");
    ct_json_set_string(missing, "digest", NOWHERE);
    AUTO_BYTES second = oci_finish(&archive, NULL, json_pack("[o]", missing));
    load_badly(&second, CT_INVALID, "archive has no blob " NOWHERE);

    json_t *path = named(&archive.manifest, "app:1");
    ct_json_set_string(path, "digest", "sha256:../../../etc/passwd");
    AUTO_BYTES third = oci_finish(&archive, NULL, json_pack("[o]", path));
    load_badly(&third, CT_INVALID, "read digest 'sha256:../../../etc/passwd'");

    archive.config.data[3] ^= 1; /* the bytes under the digest's name change */
    AUTO_BYTES fourth =
        oci_finish(&archive, NULL, json_pack("[o]", named(&archive.manifest, "app:1")));
    load_badly(&fourth, CT_INVALID, "blob is sha256:");
    assert_store_holds(0, 0, 0);
}

static void indexes_without_end_are_refused(void **state)
{
    (void)state;
    need_root();
    AUTO_OCI archive = oci_new(0, "");
    struct tar_maker *maker = tar_new(0);
    AUTO_BYTES last = text_of(json_pack("{s:[o]}", "manifests", named(&archive.manifest, "x")));

    tar_add_bytes(maker, "oci-layout", "{}", 2);
    add_blob(maker, &archive.manifest);
    add_blob(maker, &last);
    for (int i = 0; i < 10; i++) {
        struct bytes next = text_of(json_pack("{s:[o]}", "manifests", descriptor_of(&last, "x")));
        add_blob(maker, &next);
        bytes_done(&last);
        last = next;
    }
    tar_add_bytes(maker, "index.json", last.data, last.size);
    AUTO_BYTES whole = {0};
    whole.data = tar_finish(maker, &whole.size);

    load_badly(&whole, CT_INVALID, "archive has indexes nested too deep");
}

static void strange_entries_are_refused(void **state)
{
    (void)state;
    need_root();
    AUTO_BYTES twice = {0};
    AUTO_BYTES device = {0};
    AUTO_BYTES loop = {0};
    struct tar_maker *maker = tar_new(0);
    tar_add_bytes(maker, "manifest.json", "[]", 2);
    tar_add_bytes(maker, "./manifest.json", "{}", 2);
    twice.data = tar_finish(maker, &twice.size);
    maker = tar_new(0);
    tar_add(maker, S_IFIFO | 0644, "manifest.json", NULL);
    device.data = tar_finish(maker, &device.size);
    maker = tar_new(0);
    tar_add(maker, S_IFLNK | 0777, "manifest.json", "other.json");
    tar_add(maker, S_IFLNK | 0777, "other.json", "manifest.json");
    loop.data = tar_finish(maker, &loop.size);

    load_badly(&twice, CT_INVALID, "archive has entry 'manifest.json' twice");
    load_badly(&device, CT_INVALID, "archive entry 'manifest.json' is neither file nor link");
    load_badly(&loop, CT_INVALID, "archive holds no image");
    assert_store_holds(0, 0, 0);
}

static void a_layer_with_dot_dot_fails_the_load_and_names_the_entry(void **state)
{
    (void)state;
    need_root();
    AUTO_DOCKER archive = docker_new("app:1");
    bytes_done(&archive.layers[1]);
    bytes_done(&archive.config);
    archive.layers[1] = layer_of("../../x", "out", 0);
    archive.config = config_of(archive.layers, 2);
    AUTO_BYTES whole = docker_finish(&archive, 0);

    load_badly(&whole, CT_INVALID, "layer entry '../../x' leaves the layer");
    assert_store_holds(0, 0, 0);
}

static void one_broken_image_of_an_archive_loads_none(void **state)
{
    (void)state;
    need_root();
    AUTO_DOCKER archive = docker_new("app:1");
    ct_json_append(archive.manifest, json_pack("{s:s,s:[s],s:[s]}", "Config", "config.json",
                                               "RepoTags", "app:2", "Layers", "one/layer.tar"));
    AUTO_BYTES whole = docker_finish(&archive, 0);

    load_badly(&whole, CT_INVALID, "image config lists 2 layers, the manifest 1");
    assert_store_holds(0, 0, 0);
}

/* --- finding ---------------------------------------------------------------------------------- */

static void images_are_found_by_every_kind_of_name(void **state)
{
    (void)state;
    need_root();
    load_simple("app:1");
    struct image *image = find("app:1");
    CT_AUTO_FREE char *by_digest = ct_printf("app@%s", image->digest);
    char prefix[13] = "";
    (void)strncpy(prefix, digest_hex(image->id), 12);
    const char *names[] = {
        "app:1", "docker.io/library/app:1", image->id, digest_hex(image->id), prefix, by_digest};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        struct image *other = find(names[i]);
        assert_string_equal(other->id, image->id);
        image_free(other);
    }
    image_free(image);
}

static void what_is_not_there_is_told_by_its_name(void **state)
{
    (void)state;
    need_root();
    static const struct {
        const char *reference, *error;
        enum ct_kind kind;
    } rows[] = {
        {"nothing", "no such image: nothing:latest", CT_NOT_FOUND},
        {"nothing:1", "no such image: nothing:1", CT_NOT_FOUND},
        {"abc123", "no such image: abc123:latest", CT_NOT_FOUND},
        {NOWHERE, "no such image: " NOWHERE, CT_NOT_FOUND},
        {"no thing", "invalid reference format", CT_INVALID},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct ct_error err = {0};
        assert_null(image_find(images, rows[i].reference, &err));
        assert_int_equal(err.kind, rows[i].kind);
        assert_string_equal(err.frame[0].layer, "images");
        assert_string_equal(err.frame[0].what, rows[i].error);
    }
}

static void a_damaged_blob_is_told_with_both_digests(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    load_simple("app:1");
    struct image *image = find("app:1");
    CT_AUTO_FREE char *path = ct_printf("%s/images/blobs/sha256/%s", base, digest_hex(image->id));
    CT_AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "#", 1, 2), 1);

    assert_null(image_find(images, "app:1", &err));

    CT_AUTO_FREE char *wanted = ct_printf(", expected %s", image->id);
    assert_int_equal(err.kind, CT_INVALID);
    assert_non_null(strstr(err.frame[0].what, "blob is sha256:"));
    assert_non_null(strstr(err.frame[0].what, wanted));
    image_free(image);
    load_simple("app:1"); /* heals it */
    image_free(find("app:1"));
}

static void a_lost_layer_is_unpacked_again(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    load_simple("app:1");
    struct image *image = find("app:1");
    CT_AUTO_FREE char *chain = image_chain(images, image, &err);
    assert_int_equal(snapshot_remove_layer(snapshots, chain, &err), 0);
    assert_false(snapshot_has(snapshots, chain));

    CT_AUTO_FREE char *again = image_chain(images, image, &err);

    assert_string_equal(again, chain);
    assert_true(snapshot_has(snapshots, chain));
    image_free(image);
}

static void the_history_has_a_line_for_each_step_newest_first(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    load_simple("app:1");
    struct image *image = find("app:1");

    CT_AUTO_JSON json_t *history = image_history(images, image, &err);

    assert_int_equal(json_array_size(history), 3);
    const json_t *newest = json_array_get(history, 0);
    assert_string_equal(ct_json_string(newest, "Id", ""), image->id);
    assert_string_equal(ct_json_string(newest, "CreatedBy", ""), "CMD sh");
    assert_int_equal(ct_json_integer(newest, "Size", -1), 0);
    assert_int_equal(ct_json_integer(newest, "Created", -1), 1767323046);
    assert_string_equal(json_string_value(json_array_get(json_object_get(newest, "Tags"), 0)),
                        "app:1");
    const json_t *second = json_array_get(history, 1);
    assert_string_equal(ct_json_string(second, "Id", ""), "<missing>");
    assert_string_equal(ct_json_string(second, "CreatedBy", ""), "RUN second");
    assert_int_equal(ct_json_integer(second, "Size", -1), 3);
    assert_int_equal(ct_json_integer(json_array_get(history, 2), "Size", -1), 5);
    image_free(image);
}

/* --- making, naming, saving ------------------------------------------------------------------- */

static void a_commit_adds_a_layer_and_a_step_to_its_parent(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    load_simple("app:1");
    struct image *parent = find("app:1");
    AUTO_BYTES layer = layer_of("etc/third", "new", 0);
    CT_AUTO_CLOSE int fd = memory_fd(layer.data, layer.size);
    CT_AUTO_JSON json_t *config =
        json_pack("{s:s,s:s,s:{s:[s]}}", "created", "2026-05-06T07:08:09Z", "comment", "my words",
                  "config", "Cmd", "date");
    CT_AUTO_FREE char *id = NULL;

    assert_int_equal(image_create(images, parent, config, fd, "made", NULL, &id, &err), 0);

    struct image *image = find("made:latest");
    assert_string_equal(image->id, id);
    assert_int_equal(ct_json_count(ct_json_get(image->config, "rootfs.diff_ids")), 3);
    assert_string_equal(ct_json_string(image->config, "architecture", ""), "amd64");
    assert_int_equal(image->size_bytes, 5 + 3 + 3);
    CT_AUTO_JSON json_t *history = image_history(images, image, &err);
    assert_int_equal(json_array_size(history), 4);
    assert_string_equal(ct_json_string(json_array_get(history, 0), "Comment", ""), "my words");
    image_free(image);
    image_free(parent);
    assert_store_holds(2, 4 + 3, 3);
}

static void a_commit_without_changes_adds_no_layer(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    load_simple("app:1");
    struct image *parent = find("app:1");
    char zeros[1024] = "";
    CT_AUTO_CLOSE int fd = memory_fd(zeros, sizeof(zeros));
    CT_AUTO_JSON json_t *config = json_pack("{s:s}", "created", "2026-05-06T07:08:09Z");
    CT_AUTO_FREE char *id = NULL;

    assert_int_equal(image_create(images, parent, config, fd, "made", NULL, &id, &err), 0);

    struct image *image = find("made");
    assert_int_equal(ct_json_count(ct_json_get(image->config, "rootfs.diff_ids")), 2);
    image_free(image);
    image_free(parent);
    assert_store_holds(2, 4 + 2, 2);
}

static void an_import_makes_an_image_of_one_layer(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    AUTO_BYTES layer = layer_of("etc/only", "one", ARCHIVE_FILTER_GZIP);
    CT_AUTO_CLOSE int fd = memory_fd(layer.data, layer.size);
    CT_AUTO_JSON json_t *config = json_pack("{s:s,s:s,s:s}", "created", "2026-05-06T07:08:09Z",
                                            "os", "linux", "architecture", "amd64");
    CT_AUTO_FREE char *id = NULL;

    assert_int_equal(image_create(images, NULL, config, fd, NULL, NULL, &id, &err), 0);

    struct image *image = find(id);
    assert_int_equal(json_array_size(image->tags), 0);
    assert_int_equal(image->size_bytes, 3);
    image_free(image);
    assert_store_holds(1, 3, 1);
}

static void an_import_of_something_else_is_refused(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    CT_AUTO_CLOSE int fd = memory_fd("not a tar at all", 16);
    CT_AUTO_JSON json_t *config = json_object();
    CT_AUTO_FREE char *id = NULL;

    assert_int_equal(image_create(images, NULL, config, fd, "x", NULL, &id, &err), -1);

    assert_int_equal(err.kind, CT_INVALID);
    assert_store_holds(0, 0, 0);
}

static void a_tag_that_moves_leaves_an_untagged_image(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    load_simple("app:1");
    struct image *old = find("app:1");
    AUTO_OCI archive = oci_new(0, "");
    AUTO_BYTES whole =
        oci_finish(&archive, NULL, json_pack("[o]", named(&archive.manifest, "other:1")));
    load_well(&whole, "[\"other:1\"]");

    assert_int_equal(image_tag(images, "other:1", "app:1", &err), 0);

    struct image *now = find("app:1");
    assert_string_equal(now->id, archive.config.digest);
    assert_int_equal(json_array_size(now->tags), 2);
    struct image *untagged = find(old->id);
    assert_int_equal(json_array_size(untagged->tags), 0);
    image_free(untagged);
    image_free(now);
    image_free(old);
}

static void a_saved_archive_loads_into_another_store(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    load_simple("app:1");
    assert_int_equal(image_tag(images, "app:1", "x:5000/second:2", &err), 0);
    struct image *image = find("app:1");
    static const char *const names[] = {"app:1", "x:5000/second:2"};
    CT_AUTO_CLOSE int fd = memory_fd("", 0);

    assert_int_equal(image_save(images, names, 2, fd, NULL, &err), 0);
    CT_AUTO_JSON json_t *deleted = NULL;
    assert_int_equal(image_remove(images, image->id, true, false, NULL, NULL, &deleted, &err), 0);
    assert_store_holds(0, 0, 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    CT_AUTO_JSON json_t *loaded = NULL;
    assert_int_equal(image_load(images, fd, NULL, &loaded, &err), 0);

    struct image *again = find("x:5000/second:2");
    assert_string_equal(again->id, image->id);
    assert_string_equal(again->digest, image->digest);
    assert_int_equal(json_array_size(again->tags), 2);
    image_free(again);
    image_free(image);
    assert_store_holds(1, 4, 2);
}

static void progress_of_a_save_names_layers_by_their_digests(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    struct told told = {.status = "Saving layer"};
    struct image_io io = {
        .progress = count_progress, .context = &told, .status = told.status, .cancel_fd = -1};
    AUTO_OCI archive = oci_new(0, "");
    AUTO_BYTES whole =
        oci_finish(&archive, NULL, json_pack("[o]", named(&archive.manifest, "app:oci")));
    load_well(&whole, "[\"app:oci\"]");
    static const char *const names[] = {"app:oci"};
    CT_AUTO_CLOSE int fd = memory_fd("", 0);

    assert_int_equal(image_save(images, names, 1, fd, &io, &err), 0);

    assert_memory_equal(told.id, digest_hex(archive.layer.digest), 12);
    assert_int_equal(strlen(told.id), 12);
    assert_int_equal(told.current, archive.layer.size);
    assert_int_equal(told.total, archive.layer.size);
}

static void saving_an_unknown_image_writes_nothing(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    load_simple("app:1");
    static const char *const names[] = {"app:1", "nothing"};
    CT_AUTO_CLOSE int fd = memory_fd("", 0);
    struct stat status;

    assert_int_equal(image_save(images, names, 2, fd, NULL, &err), -1);

    assert_int_equal(err.kind, CT_NOT_FOUND);
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_size, 0);
}

/* --- removing --------------------------------------------------------------------------------- */

static bool always_used(void *context, const char *image_id)
{
    (void)context;
    (void)image_id;
    return true;
}

static char *remove_image(const char *reference, bool force, image_used_fn used,
                          struct ct_error *err)
{
    CT_AUTO_JSON json_t *deleted = NULL;

    return image_remove(images, reference, force, false, used, NULL, &deleted, err) < 0
               ? NULL
               : ct_json_text(deleted);
}

static void the_last_tag_takes_the_image_with_it(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    load_simple("app:1");
    assert_int_equal(image_tag(images, "app:1", "app:2", &err), 0);
    struct image *image = find("app:1");
    CT_AUTO_FREE char *chain = image_chain(images, image, &err);
    const char *below =
        json_string_value(json_array_get(ct_json_get(image->config, "rootfs.diff_ids"), 0));

    CT_AUTO_FREE char *first = remove_image("app:1", false, NULL, &err);
    assert_string_equal(first, "[{\"Untagged\":\"app:1\"}]");
    assert_store_holds(1, 4, 2);
    CT_AUTO_FREE char *second = remove_image("app:2", false, NULL, &err);

    CT_AUTO_FREE char *wanted = ct_printf(
        "[{\"Untagged\":\"app:2\"},{\"Deleted\":\"%s\"},{\"Deleted\":\"%s\"},{\"Deleted\":\"%s\"}]",
        image->id, chain, below);
    assert_string_equal(second, wanted);
    image_free(image);
    assert_store_holds(0, 0, 0);
}

static void an_image_in_use_stays_unless_forced_and_then_loses_only_its_name(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    load_simple("app:1");
    struct image *image = find("app:1");

    assert_null(remove_image("app:1", false, always_used, &err));
    assert_int_equal(err.kind, CT_CONFLICT);
    assert_store_holds(1, 4, 2);
    ct_error_clear(&err);
    CT_AUTO_FREE char *forced = remove_image("app:1", true, always_used, &err);

    assert_string_equal(forced, "[{\"Untagged\":\"app:1\"}]");
    struct image *untagged = find(image->id);
    assert_int_equal(json_array_size(untagged->tags), 0);
    image_free(untagged);
    image_free(image);
    assert_store_holds(1, 4, 2);
}

static void an_id_with_names_in_two_repositories_must_be_forced(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    load_simple("app:1");
    assert_int_equal(image_tag(images, "app:1", "other:1", &err), 0);
    struct image *image = find("app:1");

    assert_null(remove_image(image->id, false, NULL, &err));
    assert_int_equal(err.kind, CT_CONFLICT);
    assert_non_null(strstr(err.frame[0].what, "image is referenced in multiple repositories"));
    ct_error_clear(&err);
    CT_AUTO_FREE char *forced = remove_image(image->id, true, NULL, &err);
    assert_non_null(forced);
    image_free(image);
    assert_store_holds(0, 0, 0);
}

static void shared_layers_stay_as_long_as_one_image_needs_them(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    load_simple("app:1");
    struct image *parent = find("app:1");
    AUTO_BYTES layer = layer_of("etc/third", "new", 0);
    CT_AUTO_CLOSE int fd = memory_fd(layer.data, layer.size);
    CT_AUTO_JSON json_t *config = json_object();
    CT_AUTO_FREE char *id = NULL;
    assert_int_equal(image_create(images, parent, config, fd, "made", NULL, &id, &err), 0);
    image_free(parent);

    CT_AUTO_FREE char *first = remove_image("app:1", false, NULL, &err);
    assert_non_null(first);
    assert_store_holds(1, 5, 3); /* the child's three layers, config and manifest */
    CT_AUTO_FREE char *second = remove_image("made", false, NULL, &err);
    assert_non_null(second);
    assert_store_holds(0, 0, 0);
}

static void collecting_takes_what_no_image_needs(void **state)
{
    (void)state;
    need_root();
    struct ct_error err = {0};
    load_simple("app:1");
    AUTO_BYTES stray = layer_of("etc/stray", "1234567", 0);
    CT_AUTO_FREE char *path =
        ct_printf("%s/images/blobs/sha256/%s", base, digest_hex(stray.digest));
    CT_AUTO_CLOSE int blob = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(blob, stray.data, stray.size), stray.size);
    CT_AUTO_CLOSE int fd = memory_fd(stray.data, stray.size);
    assert_int_equal(snapshot_unpack(snapshots, "", stray.digest, fd, &err), 0);

    int64_t freed = image_collect(images, &err);

    assert_int_equal(freed, (int64_t)stray.size + 7);
    assert_store_holds(1, 4, 2);
}

#define ONCE(test) cmocka_unit_test_setup_teardown(test, open_store, close_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONCE(an_archive_of_docker_save_becomes_an_image),
        ONCE(compressed_archives_load_from_a_pipe),
        ONCE(layers_that_are_links_in_the_archive_are_found),
        ONCE(an_oci_layout_keeps_its_manifest_byte_for_byte),
        ONCE(a_bare_tag_names_nothing),
        ONCE(of_several_platforms_this_machines_is_taken),
        ONCE(an_archive_without_this_platform_says_what_it_has),
        ONCE(progress_is_told_for_each_layer),
        ONCE(progress_of_a_save_names_layers_by_their_digests),
        ONCE(a_cancelled_load_keeps_nothing),
        ONCE(two_processes_loading_one_image_both_succeed),
        ONCE(an_archive_cut_anywhere_is_refused_and_leaves_nothing),
        ONCE(things_that_are_no_archive_are_refused),
        ONCE(a_layer_that_is_not_the_promised_one_is_refused),
        ONCE(manifests_that_lie_are_refused),
        ONCE(blobs_with_a_wrong_digest_or_size_are_refused),
        ONCE(indexes_without_end_are_refused),
        ONCE(strange_entries_are_refused),
        ONCE(a_layer_with_dot_dot_fails_the_load_and_names_the_entry),
        ONCE(one_broken_image_of_an_archive_loads_none),
        ONCE(images_are_found_by_every_kind_of_name),
        ONCE(what_is_not_there_is_told_by_its_name),
        ONCE(a_damaged_blob_is_told_with_both_digests),
        ONCE(a_lost_layer_is_unpacked_again),
        ONCE(the_history_has_a_line_for_each_step_newest_first),
        ONCE(a_commit_adds_a_layer_and_a_step_to_its_parent),
        ONCE(a_commit_without_changes_adds_no_layer),
        ONCE(an_import_makes_an_image_of_one_layer),
        ONCE(an_import_of_something_else_is_refused),
        ONCE(a_tag_that_moves_leaves_an_untagged_image),
        ONCE(a_saved_archive_loads_into_another_store),
        ONCE(saving_an_unknown_image_writes_nothing),
        ONCE(the_last_tag_takes_the_image_with_it),
        ONCE(an_image_in_use_stays_unless_forced_and_then_loses_only_its_name),
        ONCE(an_id_with_names_in_two_repositories_must_be_forced),
        ONCE(shared_layers_stay_as_long_as_one_image_needs_them),
        ONCE(collecting_takes_what_no_image_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

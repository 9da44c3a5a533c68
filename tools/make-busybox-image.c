/*
 * make-busybox-image.c - makes the embedded image at build time: BusyBox as a small OCI image.
 *
 *     make-busybox-image BUSYBOX OUTPUT.tar
 *
 * Room:       tools. Never installed, never run by the engine: what it writes is an ordinary
 *             archive, which `cutaway load`, `docker load` and skopeo read alike.
 * Called by:  tools/meson.build (custom target busybox_image).
 * Spec:       OCI image-spec 1.0: image-layout.md, manifest.md, config.md, layer.md.
 *
 * An image is three kinds of blob, each named by its own SHA-256: layers (tar archives of files),
 * a config (what to run, and the digests of the *uncompressed* layers) and a manifest (which
 * config, which layers, digests of the *compressed* ones). index.json says where to begin.
 * The same BUSYBOX gives the same bytes: sorted names, one time stamp, owner 0:0, gzip without
 * time.
 */
#define CT_LAYER "busybox-image"
#include "cleanup.h"
#include "error.h"
#include "file.h"
#include "json.h"
#include "path.h"
#include "process.h"

#include <archive.h>
#include <archive_entry.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define BUSYBOX_MAX   (16u << 20) /* bytes; Debian's is 2 MB */
#define REFERENCE     "docker.io/library/busybox:latest"
#define MEDIA(suffix) "application/vnd.oci.image." suffix

/* Bytes in memory: nothing here is larger than BusyBox itself. */
struct bytes {
    char *data; /* owned */
    size_t length;
    char digest[72]; /* "sha256:…", once bytes_seal() was called */
};

struct image_plan {
    const char *architecture; /* as Go's GOARCH names it */
    char created[32];         /* RFC 3339 */
    time_t time;              /* of every file and document */
    struct bytes busybox;
    char **applets; /* NULL-terminated, sorted */
};

static void bytes_done(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){0};
}

#define AUTO_BYTES __attribute__((cleanup(bytes_done)))

static void bytes_seal(struct bytes *bytes)
{
    unsigned char hash[SHA256_DIGEST_LENGTH];

    (void)SHA256((const unsigned char *)bytes->data, bytes->length, hash);
    strcpy(bytes->digest, "sha256:");
    for (size_t i = 0; i < sizeof hash; i++) {
        (void)snprintf(bytes->digest + 7 + 2 * i, 3, "%02x", hash[i]);
    }
}

/* ---- archives in memory ---- */

static int archive_failed(struct archive *archive, const char *doing, struct ct_error *err)
{
    return ct_refuse(err, CT_SYSTEM, "%s: %s", doing, archive_error_string(archive));
}

static la_ssize_t grow_bytes(struct archive *archive, void *context, const void *data, size_t n)
{
    struct bytes *bytes = context;
    char *larger = realloc(bytes->data, bytes->length + n);

    if (!larger) {
        archive_set_error(archive, ENOMEM, "out of memory");
        return -1;
    }
    memcpy(larger + bytes->length, data, n);
    bytes->data = larger;
    bytes->length += n;
    return (la_ssize_t)n;
}

/* A tar archive that grows *into. Freed, and so finished, by archive_write_free(). */
static struct archive *open_tar(struct bytes *into, struct ct_error *err)
{
    struct archive *tar = archive_write_new();

    if (archive_write_set_format_pax_restricted(tar) != ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(tar, 1) != ARCHIVE_OK ||
        archive_write_open(tar, into, NULL, grow_bytes, NULL) != ARCHIVE_OK) {
        (void)archive_failed(tar, "open a tar archive", err);
        (void)archive_write_free(tar);
        return NULL;
    }
    return tar;
}

static int close_tar(struct archive *tar, struct ct_error *err)
{
    int failed = archive_write_close(tar) != ARCHIVE_OK;

    if (failed) {
        (void)archive_failed(tar, "finish a tar archive", err);
    }
    (void)archive_write_free(tar);
    return failed ? -1 : 0;
}

/* One member: a directory, a file (data), a symlink or a hard link (target). */
struct member {
    const char *name;
    mode_t mode; /* with the type; 0: a hard link */
    const char *target;
    const void *data;
    size_t length;
};

static int add_member(struct archive *tar, time_t time, const struct member *member,
                      struct ct_error *err)
{
    struct archive_entry *entry = archive_entry_new();
    int result = 0;

    archive_entry_set_pathname(entry, member->name);
    archive_entry_set_mtime(entry, time, 0);
    archive_entry_set_uid(entry, 0);
    archive_entry_set_gid(entry, 0);
    archive_entry_set_mode(entry, member->mode ? member->mode : S_IFREG | 0755);
    archive_entry_set_size(entry, (la_int64_t)member->length);
    if (S_ISLNK(member->mode)) {
        archive_entry_set_symlink(entry, member->target);
    } else if (!member->mode) {
        archive_entry_set_hardlink(entry, member->target);
    }
    if (archive_write_header(tar, entry) != ARCHIVE_OK ||
        (member->length > 0 &&
         archive_write_data(tar, member->data, member->length) != (la_ssize_t)member->length)) {
        (void)archive_failed(tar, "write a tar archive", err);
        result = ct_while(err, "add '%s'", member->name);
    }
    archive_entry_free(entry);
    return result;
}

/* gzip of *plain, without the time stamp and name that gzip would put in its header. */
static int gzip_bytes(const struct bytes *plain, struct bytes *ret, struct ct_error *err)
{
    struct archive *raw = archive_write_new();
    struct archive_entry *entry = archive_entry_new();
    int result = 0;

    archive_entry_set_filetype(entry, AE_IFREG);
    if (archive_write_set_format_raw(raw) != ARCHIVE_OK ||
        archive_write_add_filter_gzip(raw) != ARCHIVE_OK ||
        archive_write_set_filter_option(raw, "gzip", "timestamp", NULL) != ARCHIVE_OK ||
        archive_write_set_filter_option(raw, "gzip", "compression-level", "9") != ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(raw, 1) != ARCHIVE_OK ||
        archive_write_open(raw, ret, NULL, grow_bytes, NULL) != ARCHIVE_OK ||
        archive_write_header(raw, entry) != ARCHIVE_OK ||
        archive_write_data(raw, plain->data, plain->length) != (la_ssize_t)plain->length ||
        archive_write_close(raw) != ARCHIVE_OK) {
        result = archive_failed(raw, "compress the layer", err);
    }
    archive_entry_free(entry);
    (void)archive_write_free(raw);
    return result;
}

/* ---- what is known of BusyBox ---- */

/* GOARCH of an ELF file that needs no loader and no library. */
static const char *architecture_of(const struct bytes *elf, struct ct_error *err)
{
    const Elf64_Ehdr *head = (const void *)elf->data;
    const Elf64_Phdr *segments;

    if (elf->length < sizeof *head || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 ||
        head->e_ident[EI_CLASS] != ELFCLASS64 || head->e_phentsize != sizeof *segments ||
        head->e_phoff > elf->length ||
        head->e_phnum > (elf->length - head->e_phoff) / sizeof *segments) {
        return ct_refuse_null(err, CT_INVALID, "not a 64-bit ELF program");
    }
    segments = (const void *)(elf->data + head->e_phoff);
    for (size_t i = 0; i < head->e_phnum; i++) {
        if (segments[i].p_type == PT_INTERP) {
            (void)ct_refuse(err, CT_INVALID, "the program is linked dynamically");
            (void)ct_hint(err, "apt-get install busybox-static");
            return NULL;
        }
    }
    switch (head->e_machine) {
    case EM_X86_64:
        return "amd64";
    case EM_AARCH64:
        return "arm64";
    case EM_RISCV:
        return "riscv64";
    case EM_PPC64:
        return "ppc64le";
    case EM_S390:
        return "s390x";
    default:
        return ct_refuse_null(err, CT_UNSUPPORTED, "ELF machine %d", head->e_machine);
    }
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names that this BusyBox answers to: what `busybox --list` prints, sorted. */
static char **list_applets(const char *busybox, struct ct_error *err)
{
    const char *const argv[] = {busybox, "--list", NULL};
    CT_AUTO_FREE char *output = NULL;
    char **applets;
    size_t n = 0;
    int status;

    if (ct_process_run(argv, 10000, 65536, &output, &status, err) < 0) {
        return NULL;
    }
    if (status != 0) {
        return ct_refuse_null(err, CT_INVALID, "'%s --list' ended with exit code %d", busybox,
                              ct_exit_code(status));
    }
    applets = calloc(strlen(output) + 1, sizeof *applets); /* more than there can be */
    if (!applets) {
        return ct_fail_null(err, errno, "list the applets");
    }
    for (char *rest = output, *name; (name = strsep(&rest, "\n"));) {
        if (*name && !strchr(name, '/') && strcmp(name, "busybox") != 0) {
            applets[n++] = ct_strdup(name);
        }
    }
    qsort(applets, n, sizeof *applets, compare_names);
    return applets;
}

/* One time for everything: SOURCE_DATE_EPOCH, or when Debian built this BusyBox. */
static int choose_time(const char *busybox, struct image_plan *plan, struct ct_error *err)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    struct stat status;
    struct tm parts;

    if (stat(busybox, &status) < 0) {
        return ct_fail(err, errno, "look at '%s'", busybox);
    }
    plan->time = epoch && *epoch ? (time_t)strtoll(epoch, NULL, 10) : status.st_mtim.tv_sec;
    if (!gmtime_r(&plan->time, &parts) ||
        strftime(plan->created, sizeof plan->created, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
        return ct_refuse(err, CT_INVALID, "the time stamp %lld is not a date",
                         (long long)plan->time);
    }
    return 0;
}

static int make_plan(const char *busybox, struct image_plan *plan, struct ct_error *err)
{
    ssize_t length = ct_read_file_at(AT_FDCWD, busybox, BUSYBOX_MAX, &plan->busybox.data, err);

    if (length < 0) {
        return -1;
    }
    plan->busybox.length = (size_t)length;
    plan->architecture = architecture_of(&plan->busybox, err);
    if (!plan->architecture) {
        return ct_while(err, "take '%s'", busybox);
    }
    plan->applets = list_applets(busybox, err);
    return plan->applets ? choose_time(busybox, plan, err) : -1;
}

static void plan_done(struct image_plan *plan)
{
    bytes_done(&plan->busybox);
    ct_cleanup_strv(&plan->applets);
}

/* ---- the layer ---- */

#define DIRECTORY(name_, mode_)                    \
    {                                              \
        .name = (name_), .mode = S_IFDIR | (mode_) \
    }
#define TEXT(name_, text_)                                                                    \
    {                                                                                         \
        .name = (name_), .mode = S_IFREG | 0644, .data = (text_), .length = sizeof(text_) - 1 \
    }
#define SYMLINK(name_, target_)                                      \
    {                                                                \
        .name = (name_), .mode = S_IFLNK | 0777, .target = (target_) \
    }

/* Everything but /bin; the accounts are those of Docker's own busybox image. */
static const struct member skeleton[] = {
    DIRECTORY("dev/", 0755),
    DIRECTORY("etc/", 0755),
    TEXT("etc/group", "root:x:0:\ndaemon:x:1:\nbin:x:2:\nsys:x:3:\nadm:x:4:\ntty:x:5:\ndisk:x:6:\n"
                      "mail:x:8:\nkmem:x:9:\nwheel:x:10:root\ncdrom:x:11:\ndialout:x:18:\n"
                      "floppy:x:19:\nwww-data:x:33:\nutmp:x:43:\nplugdev:x:46:\nusers:x:100:\n"
                      "nogroup:x:65534:\n"),
    TEXT("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
    TEXT("etc/passwd",
         "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\n"
         "bin:x:2:2:bin:/bin:/bin/false\nsys:x:3:3:sys:/dev:/bin/false\n"
         "sync:x:4:100:sync:/bin:/bin/sync\nmail:x:8:8:mail:/var/spool/mail:/bin/false\n"
         "www-data:x:33:33:www-data:/var/www:/bin/false\n"
         "operator:x:37:37:Operator:/var:/bin/false\n"
         "nobody:x:65534:65534:nobody:/home:/bin/false\n"),
    DIRECTORY("home/", 0755),
    DIRECTORY("proc/", 0755),
    DIRECTORY("root/", 0700),
    DIRECTORY("sys/", 0755),
    DIRECTORY("tmp/", 01777),
    DIRECTORY("usr/", 0755),
    DIRECTORY("usr/bin/", 0755),
    SYMLINK("usr/bin/env", "../../bin/env"), /* what a script's first line names */
    DIRECTORY("usr/sbin/", 0755),
    DIRECTORY("var/", 0755),
    DIRECTORY("var/spool/", 0755),
    DIRECTORY("var/spool/mail/", 0755),
    DIRECTORY("var/www/", 0755),
};

/* /bin: the program once, and a hard link for each of its names. */
static int add_programs(struct archive *tar, const struct image_plan *plan, struct ct_error *err)
{
    const struct member bin = DIRECTORY("bin/", 0755);
    const struct member busybox = {.name = "bin/busybox",
                                   .mode = S_IFREG | 0755,
                                   .data = plan->busybox.data,
                                   .length = plan->busybox.length};

    if (add_member(tar, plan->time, &bin, err) < 0 ||
        add_member(tar, plan->time, &busybox, err) < 0) {
        return -1;
    }
    for (char **applet = plan->applets; *applet; applet++) {
        CT_AUTO_FREE char *name = ct_printf("bin/%s", *applet);
        const struct member link = {.name = name, .target = "bin/busybox"};

        if (add_member(tar, plan->time, &link, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int make_layer(const struct image_plan *plan, struct bytes *ret, struct ct_error *err)
{
    struct archive *tar = open_tar(ret, err);
    int result;

    if (!tar) {
        return -1;
    }
    result = add_programs(tar, plan, err);
    for (size_t i = 0; result == 0 && i < sizeof skeleton / sizeof skeleton[0]; i++) {
        result = add_member(tar, plan->time, &skeleton[i], err);
    }
    if (result < 0) {
        (void)archive_write_free(tar);
        return -1;
    }
    return close_tar(tar, err);
}

/* ---- the documents ---- */

/* Turns a document (given away) into a sealed blob. */
static int make_document(json_t *document, struct bytes *ret, struct ct_error *err)
{
    CT_AUTO_JSON json_t *owned = document;

    ret->data = owned ? ct_json_text(owned) : NULL;
    if (!ret->data) {
        return ct_refuse(err, CT_SYSTEM, "make a JSON document");
    }
    ret->length = strlen(ret->data);
    bytes_seal(ret);
    return 0;
}

static json_t *make_config(const struct image_plan *plan, const char *diff_id)
{
    return json_pack(
        "{s:s, s:s, s:s, s:{s:[s], s:[s]}, s:{s:s, s:[s]}, s:[{s:s, s:s}, {s:s, s:s, s:b}]}",
        "architecture", plan->architecture, "os", "linux", "created", plan->created, "config",
        "Env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "Cmd", "sh",
        "rootfs", "type", "layers", "diff_ids", diff_id, "history", "created", plan->created,
        "created_by", "make-busybox-image # Debian's busybox-static", "created", plan->created,
        "created_by", "CMD [\"sh\"]", "empty_layer", 1);
}

static json_t *make_descriptor(const char *media_type, const struct bytes *blob)
{
    return json_pack("{s:s, s:s, s:I}", "mediaType", media_type, "digest", blob->digest, "size",
                     (json_int_t)blob->length);
}

static json_t *make_manifest(const struct bytes *config, const struct bytes *layer)
{
    return json_pack("{s:i, s:s, s:o, s:[o]}", "schemaVersion", 2, "mediaType",
                     MEDIA("manifest.v1+json"), "config",
                     make_descriptor(MEDIA("config.v1+json"), config), "layers",
                     make_descriptor(MEDIA("layer.v1.tar+gzip"), layer));
}

static json_t *make_index(const struct image_plan *plan, const struct bytes *manifest)
{
    json_t *descriptor = make_descriptor(MEDIA("manifest.v1+json"), manifest);

    ct_json_set(descriptor, "platform",
                json_pack("{s:s, s:s}", "architecture", plan->architecture, "os", "linux"));
    ct_json_set(descriptor, "annotations",
                json_pack("{s:s, s:s}", "io.containerd.image.name", REFERENCE,
                          "org.opencontainers.image.ref.name", REFERENCE));
    return json_pack("{s:i, s:s, s:[o]}", "schemaVersion", 2, "mediaType", MEDIA("index.v1+json"),
                     "manifests", descriptor);
}

/* What `docker load` of before 2024 reads instead of index.json. */
static json_t *make_docker_manifest(const struct bytes *config, const struct bytes *layer)
{
    CT_AUTO_FREE char *config_path = ct_printf("blobs/sha256/%s", config->digest + 7);
    CT_AUTO_FREE char *layer_path = ct_printf("blobs/sha256/%s", layer->digest + 7);

    return json_pack("[{s:s, s:[s], s:[s]}]", "Config", config_path, "RepoTags", "busybox:latest",
                     "Layers", layer_path);
}

/* ---- the archive ---- */

struct image_parts {
    struct bytes layer, config, manifest, index, docker;
};

static void parts_done(struct image_parts *parts)
{
    bytes_done(&parts->layer);
    bytes_done(&parts->config);
    bytes_done(&parts->manifest);
    bytes_done(&parts->index);
    bytes_done(&parts->docker);
}

static int make_parts(const struct image_plan *plan, struct image_parts *ret, struct ct_error *err)
{
    AUTO_BYTES struct bytes plain = {0};

    if (make_layer(plan, &plain, err) < 0 || gzip_bytes(&plain, &ret->layer, err) < 0) {
        return -1;
    }
    bytes_seal(&plain);
    bytes_seal(&ret->layer);
    if (make_document(make_config(plan, plain.digest), &ret->config, err) < 0 ||
        make_document(make_manifest(&ret->config, &ret->layer), &ret->manifest, err) < 0 ||
        make_document(make_index(plan, &ret->manifest), &ret->index, err) < 0 ||
        make_document(make_docker_manifest(&ret->config, &ret->layer), &ret->docker, err) < 0) {
        return -1;
    }
    return 0;
}

static int add_text(struct archive *tar, const struct image_plan *plan, const char *name,
                    const struct bytes *text, struct ct_error *err)
{
    const struct member member = {
        .name = name, .mode = S_IFREG | 0644, .data = text->data, .length = text->length};

    return add_member(tar, plan->time, &member, err);
}

static int add_blob(struct archive *tar, const struct image_plan *plan, const struct bytes *blob,
                    struct ct_error *err)
{
    CT_AUTO_FREE char *name = ct_printf("blobs/sha256/%s", blob->digest + 7);

    return add_text(tar, plan, name, blob, err);
}

static int add_parts(struct archive *tar, const struct image_plan *plan,
                     const struct image_parts *parts, struct ct_error *err)
{
    static const struct member head[] = {
        DIRECTORY("blobs/", 0755),
        DIRECTORY("blobs/sha256/", 0755),
        TEXT("oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}"),
    };

    for (size_t i = 0; i < sizeof head / sizeof head[0]; i++) {
        if (add_member(tar, plan->time, &head[i], err) < 0) {
            return -1;
        }
    }
    if (add_blob(tar, plan, &parts->layer, err) < 0 ||
        add_blob(tar, plan, &parts->config, err) < 0 ||
        add_blob(tar, plan, &parts->manifest, err) < 0 ||
        add_text(tar, plan, "index.json", &parts->index, err) < 0) {
        return -1;
    }
    return add_text(tar, plan, "manifest.json", &parts->docker, err);
}

static int make_image(const struct image_plan *plan, struct bytes *ret, struct ct_error *err)
{
    __attribute__((cleanup(parts_done))) struct image_parts parts = {0};
    struct archive *tar;

    if (make_parts(plan, &parts, err) < 0) {
        return -1;
    }
    tar = open_tar(ret, err);
    if (!tar) {
        return -1;
    }
    if (add_parts(tar, plan, &parts, err) < 0) {
        (void)archive_write_free(tar);
        return -1;
    }
    return close_tar(tar, err);
}

int main(int argc, char **argv)
{
    __attribute__((cleanup(plan_done))) struct image_plan plan = {0};
    AUTO_BYTES struct bytes image = {0};
    struct ct_error err = {0};

    if (argc != 3) {
        (void)fprintf(stderr, "usage: make-busybox-image BUSYBOX OUTPUT.tar\n");
        return 2;
    }
    if (make_plan(argv[1], &plan, &err) < 0 || make_image(&plan, &image, &err) < 0 ||
        ct_write_file_at(AT_FDCWD, argv[2], image.data, image.length, 0644, &err) < 0) {
        (void)ct_while(&err, "make the image '%s'", argv[2]);
        ct_error_print(stderr, "make-busybox-image", &err);
        return 1;
    }
    return 0;
}

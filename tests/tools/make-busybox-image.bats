#!/usr/bin/env bats
# make-busybox-image.bats - the embedded image is a sound OCI image, and the same bytes every time.

BATS_LIB_PATH=${BATS_LIB_PATH:-/usr/lib/bats}
bats_load_library bats-support
bats_load_library bats-assert
bats_require_minimum_version 1.8.0

setup() {
  CHECKOUT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
  BUILD=${BUILD:-$CHECKOUT/build}
  MAKE_IMAGE=$BUILD/tools/make-busybox-image
  IMAGE=$BUILD/tools/busybox.tar
  cd "$BATS_TEST_TMPDIR" || return
}

# Unpacks the archive to image/ and names its documents.
open_image() {
  mkdir image
  tar -xf "$IMAGE" -C image
  MANIFEST=image/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' image/index.json)
  CONFIG=image/blobs/sha256/$(jq -r '.config.digest[7:]' "$MANIFEST")
  LAYER=image/blobs/sha256/$(jq -r '.layers[0].digest[7:]' "$MANIFEST")
}

@test "every blob has the name of its own digest, and the sizes are right" {
  open_image
  for blob in image/blobs/sha256/*; do
    assert_equal "$(sha256sum <"$blob" | cut -d' ' -f1)" "${blob##*/}"
  done
  assert_equal "$(jq .config.size "$MANIFEST")" "$(stat -c %s "$CONFIG")"
  assert_equal "$(jq '.layers[0].size' "$MANIFEST")" "$(stat -c %s "$LAYER")"
}

@test "the config names the digest of the layer without compression" {
  open_image
  assert_equal "$(jq -r '.rootfs.diff_ids[0]' "$CONFIG")" "sha256:$(gunzip <"$LAYER" | sha256sum | cut -d' ' -f1)"
  assert_equal "$(jq -c '[.os, .config.Cmd]' "$CONFIG")" '["linux",["sh"]]'
}

@test "history has one entry with a layer for each layer" {
  open_image
  assert_equal "$(jq '[.history[] | select(.empty_layer | not)] | length' "$CONFIG")" "$(jq '.layers | length' "$MANIFEST")"
}

@test "the layer holds what a container needs, owned by root" {
  open_image
  run -0 tar --numeric-owner -tvzf "$LAYER"
  assert_line --regexp '^-rwxr-xr-x 0/0 .* bin/busybox$'
  assert_line --regexp '^h.* bin/sh link to bin/busybox$'
  assert_line --regexp '^drwxrwxrwt 0/0 .* tmp/$'
  assert_line --regexp '^drwx------ 0/0 .* root/$'
  assert_line --regexp '^l.* usr/bin/env -> ../../bin/env$'
  refute_line --regexp ' [1-9][0-9]*/[0-9]+ '
  run -0 tar -xzOf "$LAYER" etc/passwd
  assert_line 'nobody:x:65534:65534:nobody:/home:/bin/false'
}

@test "the same BusyBox gives the same bytes" {
  run -0 "$MAKE_IMAGE" "$(command -v busybox)" again.tar
  run -0 cmp "$IMAGE" again.tar
}

@test "a program that needs a loader is refused" {
  run -1 "$MAKE_IMAGE" /bin/ls x.tar
  assert_output "make-busybox-image: make the image 'x.tar': take '/bin/ls': the program is linked dynamically; try: apt-get install busybox-static"
  [ ! -e x.tar ]
}

@test "a file that is no program is refused" {
  run -1 "$MAKE_IMAGE" /etc/passwd x.tar
  assert_output --partial "not a 64-bit ELF program"
}

@test "skopeo and umoci accept it" {
  run -0 skopeo copy --quiet "oci-archive:$IMAGE" "oci:copy:latest"
  run -0 umoci unpack --rootless --image copy:latest bundle
  [ -x bundle/rootfs/bin/sh ]
}

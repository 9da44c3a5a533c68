#!/usr/bin/env bats
# images.bats - our archives in the hands of other tools, and theirs in ours.
#
# Peers: skopeo (docker's and OCI's archive formats, as docker load and podman read them), umoci
# (OCI layouts), GNU tar. Nothing here needs a network.

load ../behaviour/lib

copy() { skopeo copy --quiet --insecure-policy "$@"; }

# The id of an image: the digest of its config, which every tool must keep.
id_of() { cutaway inspect --format '{{.Id}}' "$1"; }

save_busybox() {
  cutaway load -q -i "$BUILD/tools/busybox.tar" >/dev/null
  cutaway save -o "$HOME_OF_TEST/saved.tar" busybox
}

@test "skopeo reads a saved archive as docker's and finds the same image" {
  save_busybox
  id=$(id_of busybox)

  run -0 skopeo inspect --format '{{.Architecture}} {{.Os}}' "docker-archive:$HOME_OF_TEST/saved.tar:busybox:latest"
  assert_output "amd64 linux"
  copy "docker-archive:$HOME_OF_TEST/saved.tar:busybox:latest" "dir:$HOME_OF_TEST/dir"
  run -0 jq -r .config.digest "$HOME_OF_TEST/dir/manifest.json"
  assert_output "$id"
}

@test "skopeo reads a saved archive as OCI's and finds the same manifest" {
  save_busybox
  manifest=$(jq -r '.manifests[0].digest' "$ROOT/images/index.json")

  run -0 skopeo inspect --format '{{.Digest}}' "oci-archive:$HOME_OF_TEST/saved.tar:latest"
  assert_output "$manifest"
}

@test "an archive that skopeo wrote in docker's form loads and runs" {
  save_busybox
  copy "oci-archive:$HOME_OF_TEST/saved.tar:latest" "docker-archive:$HOME_OF_TEST/theirs.tar:peer/box:1"

  run -0 cutaway load -i "$HOME_OF_TEST/theirs.tar"
  assert_output "Loaded image: peer/box:1"
  assert_equal "$(id_of peer/box:1)" "$(id_of busybox)"
  run -0 cutaway run --rm peer/box:1 echo hello
  assert_output "hello"
}

@test "an archive that skopeo wrote in OCI's form with zstd layers loads" {
  save_busybox
  # docker's form has plain layers, so skopeo compresses anew on the way to OCI's.
  copy "oci-archive:$HOME_OF_TEST/saved.tar:latest" "docker-archive:$HOME_OF_TEST/plain.tar:x:1"
  copy --dest-compress-format zstd "docker-archive:$HOME_OF_TEST/plain.tar:x:1" \
    "oci-archive:$HOME_OF_TEST/theirs.tar:peer/box:2"
  run -0 skopeo inspect --raw "oci-archive:$HOME_OF_TEST/theirs.tar:peer/box:2"
  assert_output --partial "tar+zstd"

  run -0 cutaway load -i "$HOME_OF_TEST/theirs.tar"
  assert_output "Loaded image: peer/box:2"
}

@test "the store itself is an OCI layout that skopeo reads" {
  save_busybox

  copy "oci:$ROOT/images:docker.io/library/busybox:latest" "dir:$HOME_OF_TEST/dir"
  run -0 jq -r .config.digest "$HOME_OF_TEST/dir/manifest.json"
  assert_output "$(id_of busybox)"
}

@test "umoci unpacks a committed image to the tree that the container had" {
  cutaway create --name web busybox sh -c 'mkdir /new; echo text >/new/file; rm -r /home; chmod 600 /etc/passwd'
  cutaway start -a web
  cutaway commit web mine:v1 >/dev/null
  cutaway save -o "$HOME_OF_TEST/mine.tar" mine:v1
  mkdir "$HOME_OF_TEST/layout"
  tar -xf "$HOME_OF_TEST/mine.tar" -C "$HOME_OF_TEST/layout"

  umoci unpack --image "$HOME_OF_TEST/layout:v1" "$HOME_OF_TEST/bundle" 2>/dev/null
  run -0 cat "$HOME_OF_TEST/bundle/rootfs/new/file"
  assert_output "text"
  assert [ ! -e "$HOME_OF_TEST/bundle/rootfs/home" ]
  run -0 stat -c %a "$HOME_OF_TEST/bundle/rootfs/etc/passwd"
  assert_output "600"
}

@test "a layer that umoci made with whiteouts loads as it meant" {
  save_busybox
  mkdir "$HOME_OF_TEST/layout"
  tar -xf "$HOME_OF_TEST/saved.tar" -C "$HOME_OF_TEST/layout"
  umoci unpack --image "$HOME_OF_TEST/layout:latest" "$HOME_OF_TEST/bundle" 2>/dev/null
  rm "$HOME_OF_TEST/bundle/rootfs/bin/ls"
  rm -r "$HOME_OF_TEST/bundle/rootfs/home"
  echo made >"$HOME_OF_TEST/bundle/rootfs/etc/made"
  umoci repack --image "$HOME_OF_TEST/layout:latest" "$HOME_OF_TEST/bundle" 2>/dev/null
  # umoci keeps our annotation with the old name on the new manifest: name it by the copy.
  copy "oci:$HOME_OF_TEST/layout:latest" "oci-archive:$HOME_OF_TEST/theirs.tar:umoci/box:1"

  run -0 cutaway load -i "$HOME_OF_TEST/theirs.tar"
  assert_output "Loaded image: umoci/box:1"
  run -0 cutaway run --rm umoci/box:1 sh -c 'cat /etc/made; [ ! -e /bin/ls ] && [ ! -e /home ] && echo gone'
  assert_line --index 0 "made"
  assert_line --index 1 "gone"
}

@test "tar reads an export, and what tar packs imports again" {
  cutaway create --name web busybox true
  cutaway export -o "$HOME_OF_TEST/web.tar" web
  mkdir "$HOME_OF_TEST/tree"
  tar -xf "$HOME_OF_TEST/web.tar" -C "$HOME_OF_TEST/tree"
  assert [ -x "$HOME_OF_TEST/tree/bin/busybox" ]

  tar -C "$HOME_OF_TEST/tree" -czf "$HOME_OF_TEST/tree.tar.gz" .
  cutaway import "$HOME_OF_TEST/tree.tar.gz" tree:1 >/dev/null
  run -0 cutaway run --rm tree:1 /bin/busybox echo imported
  assert_output "imported"
}

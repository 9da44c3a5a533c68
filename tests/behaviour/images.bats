#!/usr/bin/env bats
# images.bats - load, save, import, tag, rmi, history, and images of others.

load lib

@test "the embedded image is there on first use" {
  run -0 cutaway run --rm busybox echo here
  assert_output "here"
  run -0 cutaway images --format '{{.Repository}}:{{.Tag}}'
  assert_output "busybox:latest"
}

@test "layers are overlaid wherever the kernel can, and copied where it cannot" {
  local driver=copy
  mkdir "$HOME_OF_TEST"/{lower,upper,work,merged}
  if (cd "$HOME_OF_TEST" && mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay merged); then
    umount "$HOME_OF_TEST/merged"
    driver=overlay
  fi
  run -0 cutaway info --format '{{.Driver}}'
  assert_output "$driver"
}

@test "an unknown image is named, with how to get it" {
  run -125 cutaway run --rm nosuchimage true
  assert_output --partial "nosuchimage"
  assert_output --partial "try: "
  run -0 cutaway ps -aq
  assert_output ""
}

@test "save and load carry an image to another root" {
  cutaway run --rm busybox true
  cutaway tag busybox mine:v1
  run -0 cutaway save -o "$HOME_OF_TEST/mine.tar" mine:v1
  ROOT=$HOME_OF_TEST/other run -0 cutaway load -i "$HOME_OF_TEST/mine.tar"
  assert_output "Loaded image: mine:v1"
  ROOT=$HOME_OF_TEST/other run -0 cutaway run --rm mine:v1 echo carried
  assert_output "carried"
}

# The line that a layer has on a terminal, drawn for the last time: 100 %, and the cursor below it.
LAST_LINE=$'\e\\[1A\e\\[2K\r[^ ]+: STATUS \\[={50}>\\]  ([0-9.]+.?B)/\\1\r\e\\[1B'

@test "on a terminal load draws each layer's progress in place; -q and a pipe get the name alone" {
  cutaway run --rm busybox true
  cutaway save -o "$HOME_OF_TEST/b.tar" busybox
  run -0 on_terminal 120 "${CUTAWAY[@]}" load -i "$HOME_OF_TEST/b.tar"
  grep -qP "${LAST_LINE/STATUS/Loading layer}" <<<"$output" || fail "no bar: $(cat -v <<<"$output")"
  assert_equal "${lines[-1]##*$'\e[1B'}" $'Loaded image: busybox:latest\r'
  run -0 on_terminal 80 "${CUTAWAY[@]}" load -i "$HOME_OF_TEST/b.tar"
  refute_output --partial "=>"
  assert_output --regexp ': Loading layer +[0-9.]+.?B/[0-9.]+.?B'
  run -0 on_terminal 120 "${CUTAWAY[@]}" load -q -i "$HOME_OF_TEST/b.tar"
  assert_output $'Loaded image: busybox:latest\r'
  run -0 cutaway load -i "$HOME_OF_TEST/b.tar"
  assert_output "Loaded image: busybox:latest"
}

@test "on a terminal import draws its progress, and prints the id once" {
  mkdir "$HOME_OF_TEST/fs"
  head -c 2000000 /dev/zero >"$HOME_OF_TEST/fs/zeros"
  tar -C "$HOME_OF_TEST/fs" -cf "$HOME_OF_TEST/fs.tar" .
  run -0 on_terminal 120 "${CUTAWAY[@]}" import "$HOME_OF_TEST/fs.tar" zeros
  grep -qP "${LAST_LINE/STATUS/Importing}" <<<"$output" || fail "no bar: $(cat -v <<<"$output")"
  assert_regex "${lines[-1]##*$'\e[1B'}" '^sha256:[0-9a-f]{64}'
  assert_equal "$(grep -o sha256: <<<"$output" | wc -l)" 1
}

@test "save -o draws on the terminal of standard error; an archive on standard output stays alone" {
  cutaway run --rm busybox true
  run -0 on_terminal 120 "${CUTAWAY[@]}" save -o "$HOME_OF_TEST/b.tar" busybox
  assert_output --regexp $'\e\\[2K\r(archive: Receiving|[0-9a-f]{12}: Saving layer)'
  run -0 on_terminal 120 bash -c '"$@" | tar -t' - "${CUTAWAY[@]}" save busybox
  assert_line --partial manifest.json
  refute_output --partial $'\e['
  cutaway save busybox | cmp - "$HOME_OF_TEST/b.tar"
}

@test "commit on a terminal prints the id once, and nothing else to standard output" {
  cutaway run --name one busybox sh -c 'head -c 2000000 /dev/zero >/zeros'
  run -0 on_terminal 120 bash -c '"$@" >"$0"; cat -v "$0"' "$HOME_OF_TEST/id" "${CUTAWAY[@]}" commit one two
  assert_regex "$(cat "$HOME_OF_TEST/id")" '^sha256:[0-9a-f]{64}$'
  # What the API answers at the end cannot say how far it is meanwhile.
  if [ "$STAGE" = 01 ]; then
    grep -qP "${LAST_LINE/STATUS/Committing}" <<<"$output" || fail "no bar: $(cat -v <<<"$output")"
  else
    refute_output --partial $'\e['
  fi
}

@test "load reads standard input and compressed archives" {
  cutaway run --rm busybox true
  cutaway tag busybox zipped
  cutaway save zipped | gzip >"$HOME_OF_TEST/zipped.tar.gz"
  cutaway rmi zipped
  run -0 bash -c '"$@" <"$0"' "$HOME_OF_TEST/zipped.tar.gz" "${CUTAWAY[@]}" load
  assert_output "Loaded image: zipped:latest"
}

@test "import makes an image of a root file system" {
  mkdir -p "$HOME_OF_TEST/fs/bin"
  cp "$(command -v busybox)" "$HOME_OF_TEST/fs/bin/sh"
  run -0 bash -c 'tar -C "$0/fs" -c . | "$@"' "$HOME_OF_TEST" "${CUTAWAY[@]}" import -c 'CMD ["/bin/sh","-c","echo imported"]' - small
  assert_output --regexp '^sha256:[0-9a-f]{64}$'
  run -0 cutaway run --rm small
  assert_output "imported"
}

@test "tag, history and rmi" {
  cutaway run --rm busybox true
  cutaway tag busybox other/name:1.0
  run -0 cutaway history -q --no-trunc other/name:1.0
  assert_output --partial "sha256:"
  run -0 cutaway rmi other/name:1.0
  assert_output "Untagged: other/name:1.0"
  run -0 cutaway rmi busybox
  assert_line --partial "Deleted: sha256:"
}

@test "an image in use is not removed without force" {
  cutaway create --name user busybox true
  run -1 cutaway rmi busybox
  assert_output --partial "remove image 'busybox'"
}

@test "a broken archive is refused and leaves nothing" {
  cutaway run --rm busybox true
  cutaway tag busybox cut
  cutaway save -o "$HOME_OF_TEST/cut.tar" cut
  cutaway rmi cut
  size=$(stat -c %s "$HOME_OF_TEST/cut.tar")
  truncate -s $((size / 2)) "$HOME_OF_TEST/cut.tar"
  before=$(find "$ROOT/images" | sort)
  run -1 cutaway load -i "$HOME_OF_TEST/cut.tar"
  assert_equal "${#lines[@]}" 1
  assert_output --partial "load an image"
  assert_equal "$(find "$ROOT/images" | sort)" "$before"
}

@test "something that is no archive is refused" {
  echo "not a tar" >"$HOME_OF_TEST/text"
  run -1 cutaway load -i "$HOME_OF_TEST/text"
  assert_equal "${#lines[@]}" 1
  assert_output --partial "load an image"
}

@test "a blob that was changed on disk is noticed" {
  cutaway run --rm busybox true
  id=$(cutaway images -q --no-trunc busybox)
  printf ' ' >>"$ROOT/images/blobs/sha256/${id#sha256:}"
  run cutaway inspect --type image busybox
  assert [ "$status" -ne 0 ]
  assert_output --partial "${id#sha256:}"
}

# archive_with_layer LAYER.tar: a docker archive of one image, hostile:latest, made of that layer.
archive_with_layer() {
  local dir=$HOME_OF_TEST/archive diff_id
  mkdir -p "$dir"
  cp "$1" "$dir/layer.tar"
  diff_id=$(sha256sum <"$1" | cut -d' ' -f1)
  printf '{"architecture":"amd64","os":"linux","config":{"Cmd":["/bin/sh"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "$diff_id" >"$dir/config.json"
  printf '[{"Config":"config.json","RepoTags":["hostile:latest"],"Layers":["layer.tar"]}]' >"$dir/manifest.json"
  tar -C "$dir" -cf "$HOME_OF_TEST/hostile.tar" manifest.json config.json layer.tar
}

@test "a layer entry with .. is refused and writes nothing outside" {
  mkdir "$HOME_OF_TEST/t"
  echo bad >"$HOME_OF_TEST/t/evil"
  tar -C "$HOME_OF_TEST/t" -P --transform 's,^,../../../../../../..'"$HOME_OF_TEST"'/,' -cf "$HOME_OF_TEST/layer.tar" evil
  archive_with_layer "$HOME_OF_TEST/layer.tar"
  run -1 cutaway load -i "$HOME_OF_TEST/hostile.tar"
  assert_output --partial "leaves the layer"
  assert [ ! -e "$HOME_OF_TEST/evil" ]
  run -0 cutaway images -q
  assert_output ""
}

@test "a layer that writes through an absolute symlink stays inside itself" {
  mkdir "$HOME_OF_TEST/canary" "$HOME_OF_TEST/a" "$HOME_OF_TEST/b"
  ln -s "$HOME_OF_TEST/canary" "$HOME_OF_TEST/a/door"
  mkdir "$HOME_OF_TEST/b/door"
  echo bad >"$HOME_OF_TEST/b/door/landed"
  tar -C "$HOME_OF_TEST/a" -cf "$HOME_OF_TEST/layer.tar" door
  tar -C "$HOME_OF_TEST/b" -rf "$HOME_OF_TEST/layer.tar" door/landed
  archive_with_layer "$HOME_OF_TEST/layer.tar"
  run cutaway load -i "$HOME_OF_TEST/hostile.tar"
  assert_equal "$(ls -A "$HOME_OF_TEST/canary")" ""
}

@test "a layer whose digest is wrong is refused with both digests" {
  mkdir "$HOME_OF_TEST/t"
  echo one >"$HOME_OF_TEST/t/file"
  tar -C "$HOME_OF_TEST/t" -cf "$HOME_OF_TEST/layer.tar" file
  archive_with_layer "$HOME_OF_TEST/layer.tar"
  wrong=$(printf '0%.0s' {1..64})
  sed -i "s/sha256:[0-9a-f]\{64\}/sha256:$wrong/" "$HOME_OF_TEST/archive/config.json"
  tar -C "$HOME_OF_TEST/archive" -cf "$HOME_OF_TEST/hostile.tar" manifest.json config.json layer.tar
  run -1 cutaway load -i "$HOME_OF_TEST/hostile.tar"
  assert_output --partial "$wrong"
  assert_output --partial "$(sha256sum <"$HOME_OF_TEST/layer.tar" | cut -c1-64)"
  run -0 cutaway images -q
  assert_output ""
}

@test "images made with debootstrap's layout and docker's archives load with many layers" {
  cutaway run --name one busybox sh -c 'echo 1 >/layer'
  cutaway commit one two >/dev/null
  cutaway run --name three two sh -c 'rm /layer; mkdir /d; echo 2 >/d/x'
  cutaway commit three four >/dev/null
  cutaway save -o "$HOME_OF_TEST/four.tar" four
  ROOT=$HOME_OF_TEST/other run -0 cutaway load -i "$HOME_OF_TEST/four.tar"
  ROOT=$HOME_OF_TEST/other run -0 cutaway run --rm four sh -c 'cat /d/x; test ! -e /layer && echo gone'
  assert_output $'2\ngone'
}

# containerd of stage 04 behind containerd's own client: what ctr asks, our server answers.
# Room: tests/interop. Run by: tools/test interop.

# shellcheck disable=SC2030,SC2031 # each test is a subshell of its own, and that is meant
load containerd

setup() {
  containerd_setup
}

teardown() {
  containerd_teardown
}

@test "ctr sees a server with a version and an identity that lasts" {
  run -0 ctr version
  assert_output --partial "-cutaway"
  id=$(sed -n 's/.*UUID: //p' <<<"$output")
  restart_containerd KILL
  run -0 ctr version
  assert_output --partial "UUID: $id"
}

@test "only root may connect, and two servers do not share a root" {
  run -0 stat -c %a:%U "$STATE_DIR/containerd.sock"
  assert_output --regexp '^6[06]0:root$'
  run -0 stat -c %a "$ROOT_DIR" "$STATE_DIR"
  assert_output $'700\n700'
  run -1 "$CONTAINERD" --root "$ROOT_DIR" --state "$HOME_OF_TEST/other"
  assert_output "cutaway-containerd: start: another cutaway-containerd works on '$ROOT_DIR'; try: use that one, or choose another --root"
}

@test "namespaces are made, labelled, listed and removed" {
  ctr namespaces create one a=b
  ctr namespaces label one c=d
  run -0 ctr namespaces ls
  assert_line --regexp '^one +a=b,c=d *$'
  run -1 ctr namespaces create one
  assert_output "ctr: create namespace 'one': it exists already: already exists"
  run -1 ctr namespaces create ../x
  assert_output "ctr: '../x' is no name of a namespace: letters and digits, single . _ - between: invalid argument"
  ctr namespaces rm one
  run -0 ctr namespaces ls -q
  assert_output ""
}

@test "who asks for events hears them, and a filter chooses" {
  listen_to 'topic~=|^/namespaces/|,namespace==two'
  ctr namespaces create one
  ctr namespaces create two
  retry 10 has_heard /namespaces/create
  run -0 heard '[^ ]+'
  assert_output 'two /namespaces/create {"name":"two"}'
}

BUSYBOX=docker.io/library/busybox:latest

@test "an image comes in with its blobs and layers, and goes with them" {
  run -0 ctr images import "$BUILD/tools/busybox.tar"
  assert_output --partial "...done"
  run -0 ctr images ls -q
  assert_output "$BUSYBOX"
  _has_three_blobs() { [ "$(ctr content ls -q | wc -l)" -eq 3 ]; } # the archive's index goes with its lease
  retry 10 _has_three_blobs
  run -0 ctr snapshots ls
  assert_line --regexp '^sha256:[0-9a-f]{64} +Committed'
  ctr images label "$BUSYBOX" kept=yes
  run -0 ctr images ls "name==$BUSYBOX,labels.kept==yes" -q
  assert_output "$BUSYBOX"
  ctr images rm --sync "$BUSYBOX"
  run -0 ctr content ls -q
  assert_output ""
  run -0 find "$ROOT_DIR/content/blobs" "$ROOT_DIR/content/ingest" "$ROOT_DIR/snapshots/overlayfs" -mindepth 1 -name '[0-9]*'
  assert_output ""
}

@test "content is what its digest says, or it is not taken" {
  local digest other
  digest=sha256:$(sha256sum <<<hello | cut -d' ' -f1)
  ctr content ingest --expected-digest "$digest" one <<<hello
  run -0 ctr content get "$digest"
  assert_output hello
  other=sha256:$(sha256sum <<<other | cut -d' ' -f1)
  run -1 ctr content ingest --expected-digest "$other" two <<<hella
  assert_output --partial "commit 'two': it is sha256:$(sha256sum <<<hella | cut -d' ' -f1), expected $other"
  run -0 ctr content active
  assert_line --regexp '^two\s+6B'
  run -1 ctr content get "sha256:$(sha256sum <<<hella | cut -d' ' -f1)"
  assert_output --partial "not found"
  run -0 ls "$ROOT_DIR/content/blobs/sha256"
  assert_output "${digest#sha256:}"
}

@test "what one namespace has another does not see" {
  ctr -n one images import "$BUILD/tools/busybox.tar"
  run -0 ctr -n two images ls -q
  assert_output ""
  run -0 ctr -n two content ls -q
  assert_output ""
  run -1 ctr namespaces rm one
  assert_output --partial "delete namespace 'one': it is not empty"
}

@test "a lease holds what nothing names, and lets it go" {
  local digest
  digest=sha256:$(sha256sum <<<held | cut -d' ' -f1)
  ctr leases create --id mine
  CONTAINERD_LEASE=mine ctr content ingest one <<<held
  sqlite3 "$ROOT_DIR/metadata.db" "INSERT INTO lease_resources VALUES ('default', 'mine', 'content', '$digest')"
  ctr images import "$BUILD/tools/busybox.tar"
  ctr images rm --sync "$BUSYBOX"
  run -0 ctr content ls -q
  assert_output "$digest"
  ctr leases rm --sync mine
  run -0 ctr content ls -q
  assert_output ""
}

@test "snapshots are prepared, mounted by what the answer says, committed and removed" {
  ctr images import "$BUILD/tools/busybox.tar"
  local base
  base=$(ctr snapshots ls | awk '/Committed/ {print $1}')
  mkdir "$HOME_OF_TEST/mnt"
  ctr snapshots prepare work "$base"
  run -0 ctr snapshots mounts "$HOME_OF_TEST/mnt" work
  eval "$output"
  echo new >"$HOME_OF_TEST/mnt/new"
  rm "$HOME_OF_TEST/mnt/bin/busybox"
  umount "$HOME_OF_TEST/mnt"
  ctr snapshots diff --media-type application/vnd.oci.image.layer.v1.tar work >"$HOME_OF_TEST/layer.tar"
  run -0 tar -tf "$HOME_OF_TEST/layer.tar"
  assert_output $'bin/\nbin/.wh.busybox\nnew'
  ctr snapshots commit second work
  run -1 ctr snapshots rm "$base"
  assert_output --partial "remove snapshot '$base': others stand on it"
  run -1 ctr snapshots prepare more work
  assert_output --partial "no snapshot 'work'"
  ctr snapshots rm second
  run -0 ctr snapshots ls
  refute_line --regexp '^second'
}

@test "the database is one that anybody can read" {
  ctr images import "$BUILD/tools/busybox.tar"
  run -0 sqlite3 -readonly "$ROOT_DIR/metadata.db" 'SELECT name FROM images; PRAGMA integrity_check; PRAGMA journal_mode'
  assert_output "$BUSYBOX"$'\nok\nwal'
}

@test "a program without gRPC can tell an event, and garbage is no event" {
  listen_to 'namespace==own'
  # An Any of containerd.events.TaskOOM{container_id: "web"}.
  printf '\n\031containerd.events.TaskOOM\022\005\n\003web' |
    "$CONTAINERD" --address "$STATE_DIR/containerd.sock" publish --topic /tasks/oom --namespace own
  retry 10 has_heard /tasks/oom
  run -0 heard /tasks/oom
  assert_output 'own /tasks/oom {"container_id":"web"}'
  run -1 "$CONTAINERD" --address "$STATE_DIR/containerd.sock" publish --topic /tasks/oom --namespace own <<<garbage
  assert_output "cutaway-containerd: what standard input has is no event"
  run -1 "$CONTAINERD" --address "$HOME_OF_TEST/nobody" publish --topic /x --namespace own </dev/null
  assert_output --partial "connect to containerd at '$HOME_OF_TEST/nobody': No such file or directory (ENOENT)"
  run -64 "$CONTAINERD" publish
}

@test "a full disk is told, and nothing is lost" {
  stop_containerd TERM
  mount -t tmpfs -o size=3m full "$ROOT_DIR"
  start_containerd
  ctr content ingest small <<<small
  run -1 ctr content ingest large < <(head -c 4M /dev/zero)
  assert_output --partial "No space left on device (ENOSPC)"
  run -0 ctr content ls -q
  assert_output "sha256:$(sha256sum <<<small | cut -d' ' -f1)"
  restart_containerd KILL # also on a full disk
  run -0 ctr content get "sha256:$(sha256sum <<<small | cut -d' ' -f1)"
  assert_output small
  stop_containerd TERM
  umount "$ROOT_DIR"
}

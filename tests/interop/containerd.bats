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

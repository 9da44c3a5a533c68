# The records of stage 04's containers: containerd has them, so that the daemon may be killed at any moment and knows the same.
# Room: tests/interop. Run by: tools/test interop.

# shellcheck disable=SC2030,SC2031 # each test is a subshell of its own, and that is meant
load ../behaviour/lib

setup() {
  export STAGE=04
  behaviour_setup
}

teardown() {
  local status=0
  behaviour_teardown || status=$?
  if [ -n "${BY_HAND:-}" ]; then
    kill "$BY_HAND"
    wait "$BY_HAND" || true
    rm -rf --one-file-system "$HOME_OF_SERVER"
  fi
  return "$status"
}

kill_daemon() {
  kill -KILL "$DAEMON"
  wait "$DAEMON" || true
}

ctr() { command ctr --address "${CONTAINERD_SOCKET:-$RUN/containerd/containerd.sock}" --namespace cutaway "$@"; }

# A containerd that nobody starts again when it dies.
start_by_hand() {
  "$BUILD/stages/04-modular/cutaway-containerd" --root "$HOME_OF_SERVER/root" --state "$HOME_OF_SERVER/state" \
    --address "$CONTAINERD_SOCKET" >>"$HOME_OF_SERVER/log" 2>&1 3>&- &
  BY_HAND=$!
  retry 20 ctr --connect-timeout 1s version >/dev/null 2>&1
}

# assert_same_lists: who asks containerd sees the containers that who asks the daemon sees.
assert_same_lists() {
  assert_equal "$(ctr containers ls -q | sort)" "$(cutaway ps -aq --no-trunc | sort)"
}

inspect_all() { cutaway ps -aq --no-trunc | sort | xargs -r "${CUTAWAY[@]}" inspect | jq -S .; }

@test "what ctr lists are the containers that ps -a lists, with their names and images" {
  cutaway run -d --name web busybox sleep 1000
  cutaway run --name job busybox true
  cutaway create --name never busybox true
  cutaway rename never shop
  assert_same_lists
  run -0 ctr containers info "$(cutaway inspect -f '{{.Id}}' shop)"
  assert_equal "$(jq -r '.Image + " " + .Labels["cutaway/name"] + " " + (.Extensions | keys | join(","))' <<<"$output")" \
    "busybox shop cutaway.config,cutaway.state"
  assert_equal "$(ctr containers info --spec "$(cutaway inspect -f '{{.Id}}' web)" | jq -c .process.args)" '["sleep","1000"]'
  cutaway rm shop
  assert_same_lists
}

@test "the daemon's own folder has places, and nothing that a record is" {
  cutaway run --name job --label a=b busybox true
  run -0 find "$ROOT/04-modular/containers" -name '*.json' -o -name names -o -type l
  assert_output ""
  kill_daemon
  find "$ROOT/04-modular/containers" -mindepth 1 -delete
  start_daemon
  assert_same_lists
  assert_equal "$(cutaway inspect -f '{{.Config.Labels.a}} {{.State.Status}}' job)" "b exited"
  run -0 cutaway start -a job
  run -0 cutaway rm job
}

@test "a daemon that is killed and started again knows the same of every container" {
  cutaway run -d --name web --restart always -v data:/data --env A=b busybox sleep 1000
  cutaway run --name job busybox sh -c 'exit 7' || true
  cutaway create --name never --memory 64m busybox true
  cutaway rename never shop
  cutaway update --memory 64m job
  cutaway run -d --name old busybox sleep 1000
  cutaway stop -t 0 old
  inspect_all >"$HOME_OF_TEST/before"
  kill_daemon
  start_daemon
  inspect_all >"$HOME_OF_TEST/after"
  run -0 diff "$HOME_OF_TEST/before" "$HOME_OF_TEST/after"
}

@test "the daemon killed at any moment leaves whole records" {
  local i changes
  for i in 1 2 3 4 5 6 7 8; do
    (
      set +e
      for n in 1 2 3 4 5 6 7 8; do
        "${CUTAWAY[@]}" create --name "round$i-$n" busybox true
        "${CUTAWAY[@]}" rename "round$i-$n" "new$i-$n"
        "${CUTAWAY[@]}" rm "new$i-$n"
      done
    ) >"$HOME_OF_TEST/done" 2>/dev/null 3>&- &
    changes=$!
    _has_done() { [ "$(wc -l <"$HOME_OF_TEST/done")" -ge "$i" ]; } # then it is in the middle of the next change
    retry 10 _has_done
    kill_daemon
    wait "$changes" || true
    start_daemon
    assert_same_lists
    inspect_all >/dev/null
  done
  for name in $(cutaway ps -a --format '{{.Names}}'); do
    run -0 cutaway start -a "$name"
    run -0 cutaway rm "$name"
  done
  assert_equal "$(ctr containers ls -q)" ""
  run -0 find "$ROOT/04-modular/containers" -mindepth 1 -maxdepth 1 -name '[0-9a-f]*' ! -name trash
  assert_output ""
}

# Without a keeper calls do not wait for containerd, so nobody learns the exit code; but the end must not be lost.
@test "a container ends while containerd is away: its end is kept aside, and recorded when containerd comes back" {
  HOME_OF_SERVER=$(mktemp -d "${TMPDIR:-/tmp}/ct.XXXXXX")
  export CONTAINERD_SOCKET=$HOME_OF_SERVER/containerd.sock
  start_by_hand
  stop_daemon TERM
  start_daemon
  cutaway run -d --name job busybox sh -c 'until [ -e /go ]; do sleep 0.02; done; exit 7'
  cutaway run -d --name web busybox sleep 1000
  local pid
  pid=$(pid_of job)
  kill -KILL "$BY_HAND"
  wait "$BY_HAND" || true
  touch "/proc/$pid/root/go"
  retry 10 bash -c '[ ! -e "/proc/$0/root/." ]' "$pid"
  run -125 cutaway run -d --name other busybox true
  assert_output --partial "containerd"
  retry 10 test -s "$RUN/04-modular/containers/$(cutaway inspect -f '{{.Id}}' job)/state.json"
  start_by_hand
  run -0 timeout 20 "${CUTAWAY[@]}" wait job
  assert_output 137
  assert_status_of job exited
  kill_daemon
  start_daemon
  assert_status_of job exited
  assert_same_lists
  run -0 cutaway exec web true
}

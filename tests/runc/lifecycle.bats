#!/usr/bin/env bats
# lifecycle.bats - create, start, run, kill, pause, delete, as the callers of runc know them.

# shellcheck disable=SC2030,SC2031,SC2153 # each test is a process with a BUNDLE of its own, from lib
load lib

@test "run prints what the program prints, ends as it ends, and leaves nothing" {
  script 'echo hello; exit 7'
  run -7 cutaway_runc run -b "$BUNDLE" "$ID" </dev/null
  assert_output hello
  run -0 cutaway_runc list -q
  assert_output ""
}

@test "a program that a signal ends is 128 and its number" {
  script 'kill -KILL $$'
  config '.linux.namespaces |= map(select(.type != "pid"))'
  run -137 cutaway_runc run -b "$BUNDLE" "$ID" </dev/null
}

@test "create leaves at once, start lets the program run, delete is refused while it does" {
  script 'echo ran; exec sleep 100'
  make --pid-file "$HOME_OF_TEST/pid"
  assert_equal "$(state status)" created
  assert_equal "$(cat "$HOME_OF_TEST/pid")" "$(state pid)"
  assert_equal "$(cat "$HOME_OF_TEST/out")" ""
  cutaway_runc start "$ID"
  assert_equal "$(state status)" running
  retry 5 grep -q ran "$HOME_OF_TEST/out"
  run -1 cutaway_runc delete "$ID"
  assert_output --partial "level=error msg=\"delete '$ID': cannot delete container $ID that is not stopped: running\""
  cutaway_runc kill "$ID" KILL
  retry 5 is status stopped
  assert_equal "$(state pid)" 0
  run -1 cutaway_runc kill "$ID"
  assert_output --partial "container not running"
  cutaway_runc delete "$ID"
  run -1 cutaway_runc delete "$ID"
  assert_output --partial "container does not exist"
  cutaway_runc delete --force "$ID"
}

@test "run --detach leaves the program running; --keep leaves its state" {
  script 'exec sleep 100'
  cutaway_runc run --detach -b "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1
  assert_equal "$(state status)" running
  cutaway_runc delete -f "$ID"
  script 'exit 2'
  run -2 cutaway_runc run --keep -b "$BUNDLE" "$ID" </dev/null
  assert_equal "$(state status)" stopped
}

@test "a run that fails leaves nothing and says why" {
  config '.process.args = ["/no/such"]'
  run -1 cutaway_runc run -b "$BUNDLE" "$ID" </dev/null
  assert_output --partial "no such file or directory"
  run -0 cutaway_runc list -q
  assert_output ""
  run -1 cutaway_runc create -b "$HOME_OF_TEST/none" "$ID"
  assert_output --partial "read the bundle '$HOME_OF_TEST/none'"
  script 'exec sleep 100'
  run -1 cutaway_runc create -b "$BUNDLE" --pid-file "$HOME_OF_TEST/none/pid" "$ID"
  assert_output --partial "write the pid file '$HOME_OF_TEST/none/pid'"
  run -0 cutaway_runc list -q
  assert_output ""
}

@test "a foreground run passes signals on, real-time ones, too" {
  script 'trap "echo usr1" USR1; trap "echo rt; exit 4" 39; echo ready; while :; do sleep 0.05; done'
  cutaway_runc run -b "$BUNDLE" --pid-file "$HOME_OF_TEST/pid" "$ID" </dev/null >"$HOME_OF_TEST/out" 2>&1 &
  retry 5 grep -q ready "$HOME_OF_TEST/out"
  # Through the pid of cutaway-runc itself: bash's $! is a subshell's.
  local runc status=0
  runc=$(awk '/^PPid:/ { print $2 }' "/proc/$(cat "$HOME_OF_TEST/pid")/status")
  kill -USR1 "$runc"
  retry 5 grep -q usr1 "$HOME_OF_TEST/out"
  kill -39 "$runc"
  wait $! || status=$?
  assert_equal "$status" 4
  run -0 cat "$HOME_OF_TEST/out"
  assert_line rt
}

@test "pause freezes, resume lets go on, and what is not paused cannot be resumed" {
  script 'exec sleep 100'
  begin
  cutaway_runc pause "$ID"
  assert_equal "$(state status)" paused
  cutaway_runc resume "$ID"
  assert_equal "$(state status)" running
  run -1 cutaway_runc resume "$ID"
  assert_output --partial "container not paused"
}

@test "what this runtime has not is refused by its name" {
  run -1 cutaway_runc --systemd-cgroup create -b "$BUNDLE" "$ID"
  assert_output --partial "use --systemd-cgroup: control groups are made without systemd"
  run -1 cutaway_runc --criu /usr/sbin/criu list
  assert_output --partial "use --criu: there is no checkpoint and no restore"
  run -1 cutaway_runc checkpoint "$ID"
  assert_output --partial "checkpoint or restore '$ID': this runtime cannot"
  run -1 cutaway_runc --rootless maybe list
  assert_output --partial "use --rootless 'maybe': it is true, false or auto"
}

@test "a user runs a bundle of his own, as spec --rootless writes it" {
  local home=$HOME_OF_TEST/user user
  user=(setpriv --reuid 65534 --regid 65534 --clear-groups env "XDG_RUNTIME_DIR=$home/run" "$RUNC")
  mkdir -p "$home/run" "$home/bundle"
  cp -a "$BUNDLE/rootfs" "$home/bundle/"
  chown -R 65534:65534 "$home"
  "${user[@]}" spec --rootless --bundle "$home/bundle"
  jq '.process.terminal = false | .process.args = ["/bin/id", "-u"]' "$home/bundle/config.json" >"$home/new"
  cat "$home/new" >"$home/bundle/config.json"
  run -0 "${user[@]}" run -b "$home/bundle" "$ID" </dev/null 3>&-
  assert_output 0
  assert [ -d "$home/run/cutaway/runc" ]
}

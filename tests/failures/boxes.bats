#!/usr/bin/env bats
# boxes.bats - each box killed at any moment, under load: what was said stays true, and nothing leaks.
#
# Room: tests/failures. Run by: tools/test failures. SEED=N repeats a run's choices; the moments are the machine's.

# shellcheck disable=SC2034 # read by lib.bash
load lib

setup() {
  SEED=${SEED:-$RANDOM}
  RANDOM=$SEED
  echo "SEED=$SEED"
  behaviour_setup
  stop_daemon TERM
  make_killable_runtime
  start_daemon
  NETWORK=(--network none)
  begin_steady
}

# kill_under_load BOX…: with three clients, one box after the other, each at a moment between 0.1 and 0.7 s.
kill_under_load() {
  local box
  begin_load 3
  for box in "$@"; do
    sleep "0.$((RANDOM % 6 + 1))"
    "kill_$box"
  done
  sleep 0.5
  end_load
  retry 20 _daemon_answers
  echo "containers: $(cat "$HOME_OF_TEST"/said.* | grep -c '^did start'), refused: $(wc -l <"$HOME_OF_TEST/refused")"
  check_steady
  check_load
  remove_all
}

@test "the runtime is killed under load" {
  kill_under_load runc runc runc runc runc runc runc runc runc runc
  [ -s "$HOME_OF_TEST/killed-runc" ]
}

@test "shims are killed under load" {
  kill_under_load shim shim shim shim shim shim shim shim
  [ -s "$HOME_OF_TEST/killed-shims" ]
}

@test "the daemon is killed under load" {
  kill_under_load daemon daemon daemon daemon daemon daemon
}

@test "containerd is killed under load" {
  kill_under_load containerd containerd containerd containerd containerd
}

@test "any box is killed under load, with networks" {
  NETWORK=()
  mapfile -t boxes < <(shuf --random-source=<(yes "$SEED") -e {daemon,containerd,shim,runc}{,,,})
  kill_under_load "${boxes[@]}"
}

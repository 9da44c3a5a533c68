#!/usr/bin/env bats
# full.bats - the disk of the boxes is full, and streams that nobody reads.
#
# Room: tests/failures. Run by: tools/test failures.

load lib

# The small disk is given back before anybody looks for mounts.
teardown() {
  local ids
  if mountpoint -q "${HOME_OF_TEST:-/nonexistent}/small"; then
    rm -f "$HOME_OF_TEST/small/fill"
    ids=$(_ids_in "$ROOT" '[0-9a-f]{64}')
    _remove_everything
    stop_daemon TERM
    DAEMON=
    umount "$HOME_OF_TEST/small"
    _wait_for_no_leaks "$ids" "" || return 1
  fi
  behaviour_teardown
}

# A disk of 64 MB for all that lasts: images, snapshots, records, containerd's database. It is full after fill_disk.
on_small_disk() {
  mkdir "$HOME_OF_TEST/small"
  mount -t tmpfs -o size=64m none "$HOME_OF_TEST/small"
  move_to "$HOME_OF_TEST/small/root"
}
fill_disk() { ! dd if=/dev/zero of="$HOME_OF_TEST/small/fill" bs=1M 2>/dev/null; }

# Lines are whole, and their numbers rise.
assert_rising() {
  run -0 awk '!/^[0-9]+$/ || $1 <= last { print "line " NR ": " $0; bad = 1 } { last = $1 } END { exit bad }' "$1"
}

@test "the disk is full: what is new is refused by name, what runs goes on, and afterwards all is as before" {
  on_small_disk
  run -0 cutaway run -d --name web busybox sh -c 'trap "exit 7" TERM; i=0; while :; do i=$((i + 1)); echo $i; sleep 0.05; done'
  cutaway create --name other busybox true
  pid=$(pid_of web)
  fill_disk
  run -125 cutaway create --name new busybox true
  assert_output --partial "No space left on device (ENOSPC)"
  run -1 cutaway start other
  assert_output --partial "No space left on device (ENOSPC)"
  run -0 cutaway exec web echo inside
  assert_output inside
  assert_equal "$(pid_of web)" "$pid"
  assert [ -d "/proc/$pid" ]
  run -0 cutaway ps --format '{{.Names}}'
  assert_output web

  rm "$HOME_OF_TEST/small/fill"
  last=$(cutaway logs web | tail -n 1)
  _goes_on() { [ "$(cutaway logs web | tail -n 1)" -gt "$((last + 10))" ]; }
  retry 10 _goes_on
  cutaway logs web >"$HOME_OF_TEST/logged"
  assert_rising "$HOME_OF_TEST/logged"
  run -0 cutaway start other
  run -0 cutaway wait other
  assert_output 0
  run -0 cutaway stop web
  assert_equal "$(cutaway inspect -f '{{.State.ExitCode}}' web)" 7
  run -0 cutaway run --rm busybox echo well
  assert_output well
}

@test "a container that ends on a full disk: its code is known when there is room again" {
  on_small_disk
  run -0 cutaway run -d --name web busybox sh -c 'trap "exit 7" TERM; while :; do sleep 0.05; done'
  pid=$(pid_of web)
  fill_disk
  cutaway stop web || true
  retry 20 bash -c '[ ! -e "/proc/$0/root/." ]' "$pid"
  rm "$HOME_OF_TEST/small/fill"
  _is_exited() { [ "$(cutaway inspect -f '{{.State.Status}} {{.State.ExitCode}}' web)" = "exited 7" ]; }
  retry 20 _is_exited
  run -0 cutaway start web
  run -0 cutaway stop web
}

@test "boxes that are killed on a full disk come again when there is room, and the container has run on" {
  on_small_disk
  run -0 cutaway run -d --name web busybox sh -c 'trap "exit 7" TERM; while :; do sleep 0.05; done'
  pid=$(pid_of web)
  fill_disk
  kill -KILL "$(containerd_pid)"
  stop_daemon KILL || true
  rm "$HOME_OF_TEST/small/fill"
  start_daemon
  assert_equal "$(pid_of web)" "$pid"
  run -0 cutaway exec web echo inside
  assert_output inside
  run -0 cutaway stop web
  assert_equal "$(cutaway inspect -f '{{.State.ExitCode}}' web)" 7
}

@test "a container writes 30 MB while the daemon is stopped: no line is lost" {
  run -0 cutaway run -d --name talker busybox sh -c 'while [ ! -e /go ]; do sleep 0.05; done; seq 1 4000000; sleep 1000'
  cutaway exec -d talker touch /go
  kill -STOP "$DAEMON"
  sleep 1 # what is written meanwhile waits somewhere, or the writer does
  kill -CONT "$DAEMON"
  _has_all() { [ "$(cutaway logs --tail 1 talker)" = 4000000 ]; }
  retry 60 _has_all
  cutaway logs talker | cmp - <(seq 1 4000000)
}

@test "a client that is attached and does not read keeps nobody else from anything" {
  run -0 cutaway run -d --name talker busybox sh -c 'trap "exit 7" TERM; i=0; while :; do i=$((i + 1)); echo "line $i of many, long enough to fill what stands between"; done'
  "${CUTAWAY[@]}" attach --no-stdin talker >"$HOME_OF_TEST/attached" 2>&1 3>&- &
  client=$!
  retry 10 test -s "$HOME_OF_TEST/attached"
  kill -STOP "$client"
  sleep 1 # until all that stands between is full
  run -0 timeout 20 "${CUTAWAY[@]}" exec talker echo inside 3>&-
  assert_output inside
  run -0 timeout 20 "${CUTAWAY[@]}" logs --tail 1 talker 3>&-
  assert_output --partial "of many"
  run -0 timeout 20 "${CUTAWAY[@]}" run --rm busybox echo other 3>&-
  assert_output other
  run -0 timeout 20 "${CUTAWAY[@]}" stop talker 3>&-
  assert_equal "$(cutaway inspect -f '{{.State.ExitCode}}' talker)" 7
  kill -CONT "$client"
  wait "$client" || true
}

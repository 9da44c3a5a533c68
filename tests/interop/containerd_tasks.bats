# containerd of stage 04 with Docker's own parts around it: ctr above, containerd-shim-runc-v2 and runc below; and a real
# dockerd in front. A cell of the swap matrix each.
# Room: tests/interop. Run by: tools/test interop.

# shellcheck disable=SC2030,SC2031 # each test is a subshell of its own, and that is meant
load containerd
load docker_peer

BUSYBOX=docker.io/library/busybox:latest

setup() {
  containerd_setup
  ctr images import "$BUILD/tools/busybox.tar" >/dev/null
}

teardown() {
  peer_teardown
  containerd_teardown
}

status_of() {
  ctr tasks ls | awk -v id="$1" '$1 == id { print $3 }'
}

has_status() {
  [ "$(status_of "$1")" = "$2" ]
}

# The process of a container's shim.
shim_of() {
  local file
  for file in /proc/[0-9]*/cmdline; do
    if tr '\0' ' ' <"$file" 2>/dev/null | grep -qE -- "-id $1 -address $STATE_DIR/"; then
      basename "$(dirname "$file")"
    fi
  done
}

has_no_shim() {
  [ -z "$(shim_of "$1")" ]
}

@test "run, with output, exit code, and nothing left" {
  run -0 ctr run --rm "$BUSYBOX" one echo hello
  assert_output hello
  run -7 ctr run --rm "$BUSYBOX" two sh -c 'exit 7'
  run -0 ctr tasks ls -q
  assert_output ""
  run -0 ctr containers ls -q
  assert_output ""
  run -0 find "$STATE_DIR/io.containerd.runtime.v2.task" "$ROOT_DIR/io.containerd.runtime.v2.task" -mindepth 2
  assert_output ""
}

@test "a running container: exec, ps, metrics, pause, kill" {
  ctr run -d "$BUSYBOX" web sleep 1000
  run -0 ctr tasks exec --exec-id first web echo inside
  assert_output inside
  run -3 ctr tasks exec --exec-id second web sh -c 'exit 3'
  run -0 ctr tasks ps web
  assert_equal "${#lines[@]}" 2
  run -0 ctr tasks metrics web
  assert_output --partial "memory.usage_in_bytes"
  ctr tasks pause web
  assert_equal "$(status_of web)" PAUSED
  ctr tasks resume web
  assert_equal "$(status_of web)" RUNNING
  ctr tasks kill -s KILL web
  retry 10 has_status web STOPPED
  run -0 ctr tasks rm web
  assert_output --partial "exit code 137"
  ctr containers rm web
}

@test "what happens is told in order" {
  listen_to
  ctr run --rm "$BUSYBOX" one true
  retry 10 has_heard /containers/delete
  run -0 bash -c 'sed -En "s,^.* default (/[a-z/]+) .*,\1,p" "$1"' _ "$HOME_OF_TEST/events"
  assert_output "/snapshot/prepare
/containers/create
/tasks/create
/tasks/start
/tasks/exit
/tasks/delete
/snapshot/remove
/containers/delete"
}

@test "a program that is not there: the runtime's own words, and nothing left" {
  run -1 ctr run --rm "$BUSYBOX" one /nothere
  assert_output --partial "create task 'one': shim: OCI runtime create failed: runc create failed: unable to start container process: exec: \"/nothere\": stat /nothere: no such file or directory"
  run -0 ctr tasks ls -q
  assert_output ""
  run -1 ctr run --rm --runtime io.containerd.nothing.v9 "$BUSYBOX" two true
  assert_output --partial "create task 'two': no shim 'containerd-shim-nothing-v9' in PATH"
  run -1 ctr run --rm --runtime /bin/true "$BUSYBOX" three true
  assert_output --partial "create task 'three': the shim's address is '', not unix:///"
  run -0 find "$STATE_DIR/io.containerd.runtime.v2.task" -mindepth 2
  assert_output ""
}

@test "killed and started again, containerd finds what runs" {
  ctr run -d "$BUSYBOX" web sleep 1000
  ctr run -d "$BUSYBOX" job sh -c 'until [ -f /go ]; do sleep 0.1; done; exit 4'
  stop_containerd KILL
  start_containerd
  assert_equal "$(status_of web)" RUNNING
  run -0 ctr tasks exec --exec-id one job touch /go
  retry 10 has_status job STOPPED
  run -0 ctr tasks rm job
  assert_output --partial "exit code 4"
  ctr tasks kill -s KILL web
  retry 10 has_status web STOPPED
  run -0 ctr tasks rm web
  assert_output --partial "exit code 137"
}

@test "a container that ended while containerd was away has its exit code" {
  ctr run -d "$BUSYBOX" job sh -c 'until [ -f /go ]; do sleep 0.1; done; exit 4'
  local pid
  pid=$(ctr tasks ls | awk '$1 == "job" { print $2 }')
  stop_containerd KILL
  touch "/proc/$pid/root/go"
  retry 10 test ! -d "/proc/$pid/root/bin"
  start_containerd
  assert_equal "$(status_of job)" STOPPED
  run -0 ctr tasks rm job
  assert_output --partial "exit code 4"
}

@test "a shim that is killed: its container is cleaned up, and the end is told" {
  listen_to
  ctr run -d "$BUSYBOX" web sleep 1000
  kill -KILL "$(shim_of web)"
  retry 20 has_heard /tasks/delete
  run -0 heard /tasks/exit
  assert_output --partial '"id":"web"'
  assert_output --partial '"exit_status":137'
  run -0 ctr tasks ls -q
  assert_output ""
  ctr containers rm web
  # And one that dies while nobody watches.
  ctr run -d "$BUSYBOX" next sleep 1000
  local shim
  shim=$(shim_of next)
  stop_containerd KILL
  kill -KILL "$shim"
  start_containerd
  run -0 ctr tasks ls -q
  assert_output ""
  ctr containers rm next
}

@test "a real dockerd works on our containerd, also after it was killed" {
  start_dockerd --containerd "$STATE_DIR/containerd.sock"
  run -0 docker run --rm --network none busybox echo hello
  assert_output hello
  run -5 docker run --name job --network none busybox sh -c 'echo out; exit 5'
  assert_output out
  run -0 docker logs job
  assert_output out
  docker run -d --network none --name web busybox sleep 1000
  run -0 docker exec web echo inside
  assert_output inside
  run -0 docker top web
  assert_output --partial "sleep 1000"
  docker pause web
  docker unpause web
  stop_containerd KILL
  start_containerd
  retry 20 docker exec web true
  docker kill web
  run -0 docker wait web
  assert_output 137
  docker rm job web
}

@test "our runc at the bottom, Docker's shim between" {
  run -4 ctr run --rm --runc-binary "$BUILD/stages/04-modular/runc/cutaway-runc" "$BUSYBOX" one sh -c 'echo hello; exit 4'
  assert_output hello
}

@test "many at a time: each has its own exit code, and nothing is left" {
  local i pids=() codes=""
  for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
    ctr run --rm "$BUSYBOX" "job$i" sh -c "exit $i" &
    pids+=($!)
  done
  for i in "${pids[@]}"; do
    wait "$i" && codes+=" 0" || codes+=" $?"
  done
  assert_equal "$codes" " 1 2 3 4 5 6 7 8 9 10 11 12"
  run -0 ctr containers ls -q
  assert_output ""
  run -0 sqlite3 -readonly "$ROOT_DIR/metadata.db" "SELECT count(*) FROM snapshots WHERE kind <> 3; SELECT count(*) FROM leases"
  assert_output $'0\n0'
  run -1 grep "stays" "$HOME_OF_TEST/log"
}

@test "killed between a shim's start and its container, the next containerd sends the shim away" {
  # A shim whose `start` kills who called it, once the address is told.
  cat >"$HOME_OF_TEST/shim" <<'END'
#!/bin/bash
containerd-shim-runc-v2 "$@" || exit
[ "${*: -1}" != start ] || kill -KILL "$PPID"
END
  chmod +x "$HOME_OF_TEST/shim"
  run ctr run --rm --runtime "$HOME_OF_TEST/shim" "$BUSYBOX" web true
  wait "$CONTAINERD_PID" || true
  CONTAINERD_PID=
  [ -n "$(shim_of web)" ]
  start_containerd
  run -0 ctr tasks ls -q
  assert_output ""
  retry 10 has_no_shim web
  run -0 find "$STATE_DIR/io.containerd.runtime.v2.task" -mindepth 2
  assert_output ""
}

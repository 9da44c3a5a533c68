# shellcheck shell=bash
# lib.bash - what a cell of the matrix is made of: peers that are started, and what is done with them.
#
# Used by:  matrix.bats here.
# A cell is one container's life: create, start, exec, logs, stop, exit code, events, delete. Each step that
# went well is written into $MATRIX, of which print-matrix makes the table.

# shellcheck disable=SC2034,SC2317 # for matrix.bats; functions that retry calls

load ../behaviour/lib
load ../interop/podman_peer

PROGRAM='trap "exit 7" TERM; echo ready; while :; do sleep 0.1; done'
RUNC=$BUILD/stages/04-modular/runc/cutaway-runc
INIT=$BUILD/stages/04-modular/init/cutaway-init
SHIM=$BUILD/stages/04-modular/shim/cutaway-containerd-shim
OUR_CONTAINERD=$BUILD/stages/04-modular/cutaway-containerd

# needs PROGRAM: a cell whose box is not there is told as such, and is no success.
needs() {
  command -v "$1" >/dev/null || skip "there is no ${1##*/}"
}

# cell 'WHO ASKS' 'WHO IS ASKED': which row the next steps belong to.
cell() {
  CELL="$1"$'\t'"$2"
  printf '%s\tbegun\n' "$CELL" >>"$MATRIX"
}

# did STEP
did() {
  printf '%s\t%s\n' "$CELL" "$1" >>"$MATRIX"
}

# crun_here: the path of a crun that works here. It refuses a machine with control groups of both versions; in a mount
# namespace without the second's there are only those of the first. What it mounts for a container stands in the container's.
crun_here() {
  local crun=$HOME_OF_TEST/bin/crun-of-v1
  if [ ! -d /sys/fs/cgroup/unified ]; then
    command -v crun
    return
  fi
  cat >"$crun" <<'END'
#!/bin/sh
exec unshare --mount sh -c 'umount /sys/fs/cgroup/unified && exec crun "$@"' crun "$@"
END
  chmod +x "$crun"
  echo "$crun"
}

# ---- through a client of Docker's kind ----

# docker_life COMMAND…: the client with its address. CREATE is an array of options, EVENTS of the words that must
# have been told, in the given FORMAT.
docker_life() {
  local since event
  since=$(date +%s)
  run -0 "$@" create --name cell "${CREATE[@]}" busybox sh -c "$PROGRAM"
  did create
  run -0 "$@" start cell
  did start
  run -0 "$@" exec cell echo inside
  assert_output inside
  did exec
  _is_ready() { "$@" logs cell | grep -x ready >/dev/null; }
  retry 20 _is_ready "$@"
  did logs
  run -0 "$@" stop -t 10 cell
  did stop
  run -0 "$@" inspect -f '{{.State.ExitCode}}' cell
  assert_output 7
  did "exit code"
  run -0 "$@" rm cell
  run ! "$@" inspect --type container cell
  did delete
  # Once more when a word is missing: podman follows its file only until the time is over, however far it has come.
  _has_told() {
    local told
    told=$("$@" events --since "$since" --until "$(($(date +%s) + 1))" --filter type=container --format "$FORMAT")
    for event in "${EVENTS[@]}"; do grep -qx "$event" <<<"$told" || return 1; done
  }
  retry 10 _has_told "$@"
  did events
}

# dockerd_with OPTION…: Docker's own daemon, in $DOCKER_HOME; `docker` then speaks to it.
dockerd_with() {
  DOCKER_HOME=$(mktemp -d "${TMPDIR:-/tmp}/dk.XXXXXX")
  DOCKER=(docker -H "unix://$DOCKER_HOME/docker.sock")
  dockerd -H "unix://$DOCKER_HOME/docker.sock" --data-root "$DOCKER_HOME/data" --exec-root "$DOCKER_HOME/exec" \
    -p "$DOCKER_HOME/pid" --bridge=none --iptables=false --storage-driver=vfs "$@" >"$DOCKER_HOME/log" 2>&1 3>&- &
  DOCKERD=$!
  retry 30 curl -sf --unix-socket "$DOCKER_HOME/docker.sock" -o /dev/null http://d/_ping || fail "dockerd: $(cat "$DOCKER_HOME/log")"
  "${DOCKER[@]}" load -qi "$BUILD/tools/busybox.tar" 3>&-
}

end_dockerd() {
  kill "$DOCKERD"
  retry 30 bash -c '[ ! -e "/proc/$0/root/." ]' "$DOCKERD"
  awk -v home="$DOCKER_HOME/" 'index($5, home) == 1 { print $5 }' /proc/self/mountinfo | tac | xargs -r umount -l
  rm -rf --one-file-system "$DOCKER_HOME"
}

# ---- through containerd's own client ----

# containerd_is SOCKET: `ctr` then speaks to it, in a namespace of this test's: runtimes of all containerds keep
# their states in one place.
containerd_is() {
  CTR=(ctr --address "$1" --namespace "cell-${HOME_OF_TEST##*.}")
  "${CTR[@]}" images import "$BUILD/tools/busybox.tar" >/dev/null 3>&-
  IMAGE=$("${CTR[@]}" images ls -q | head -n 1)
}

# ctr_life OPTION-OF-RUN…
ctr_life() {
  local log=$HOME_OF_TEST/cell.log told=$HOME_OF_TEST/events teller
  "${CTR[@]}" events >"$told" 2>&1 3>&- &
  teller=$!
  run -0 "${CTR[@]}" run -d --log-uri "file://$log" "$@" "$IMAGE" cell sh -c "$PROGRAM"
  did create
  did start
  run -0 "${CTR[@]}" tasks exec --exec-id one cell echo inside
  assert_output inside
  did exec
  retry 20 grep -x ready "$log"
  did logs
  run -0 "${CTR[@]}" tasks kill -s SIGTERM cell
  _has_stopped() { "${CTR[@]}" tasks ls | grep -E '^cell .*STOPPED' >/dev/null; }
  retry 20 _has_stopped
  did stop
  _has_ended_with_7() { grep '/tasks/exit .*"exit_status":7' "$told" >/dev/null; }
  retry 10 _has_ended_with_7
  did "exit code"
  run -0 "${CTR[@]}" tasks delete cell
  run -0 "${CTR[@]}" containers delete cell
  run -0 "${CTR[@]}" containers ls -q
  refute_output
  did delete
  _were_told() { for topic in create start exit delete; do grep "/tasks/$topic " "$told" >/dev/null || return 1; done; }
  retry 10 _were_told
  kill "$teller"
  did events
  "${CTR[@]}" images rm "$IMAGE" >/dev/null
  # ctr's control groups are /NAMESPACE/ID, and nobody removes the upper one.
  find /sys/fs/cgroup -depth -type d -name "cell-${HOME_OF_TEST##*.}" -exec rmdir {} + 2>/dev/null || true
}

# our_containerd: as start_containerd of the behaviour suite, with ours.
our_containerd() {
  CONTAINERD_HOME=$(mktemp -d "${TMPDIR:-/tmp}/cd.XXXXXX")
  CONTAINERD_SOCKET=$CONTAINERD_HOME/state/containerd.sock
  "$OUR_CONTAINERD" --root "$CONTAINERD_HOME/root" --state "$CONTAINERD_HOME/state" >"$CONTAINERD_HOME/log" 2>&1 3>&- &
  CONTAINERD=$!
  retry 20 ctr --address "$CONTAINERD_SOCKET" version >/dev/null 2>&1 || fail "containerd: $(cat "$CONTAINERD_HOME/log")"
  ctr --address "$CONTAINERD_SOCKET" tasks ls >/dev/null || skip "cutaway-containerd has no tasks yet"
}

# our_shim_in_path: in the place of Docker's, for a containerd that is started then: ctr lets only a runtime of that
# name have another runc.
our_shim_in_path() {
  mkdir -p "$HOME_OF_TEST/bin"
  ln -sf "$SHIM" "$HOME_OF_TEST/bin/containerd-shim-runc-v2"
  export PATH=$HOME_OF_TEST/bin:$PATH CUTAWAY_RUN=$HOME_OF_TEST/shims
}

#!/usr/bin/env bats
# matrix.bats - at every border each side exchanged for Docker's own part, and a container lives through it.
#
# Room: tests/swap-matrix. Run by: tools/test swap-matrix, which prints the table.

# shellcheck disable=SC2034,SC2153 # read and set by lib.bash

load lib

setup_file() {
  export MATRIX=${MATRIX:-$BATS_FILE_TMPDIR/matrix.tsv}
  : >"$MATRIX"
}

setup() {
  HOME_OF_TEST=$(mktemp -d "${TMPDIR:-/tmp}/ct.XXXXXX")
  ROOT=$HOME_OF_TEST/root RUN=$HOME_OF_TEST/run
  mkdir -m 700 "$ROOT" "$RUN"
  CREATE=() EVENTS=(create start die destroy) FORMAT='{{.Action}}'
}

teardown() {
  if [ -n "${DAEMON:-}" ]; then
    _remove_everything
    stop_daemon TERM || true
  fi
  if [ -n "${DOCKERD:-}" ]; then end_dockerd; fi
  if [ -n "${PODMAN_HOME:-}" ]; then end_podman; fi
  if [ -n "${CONTAINERD:-}" ]; then stop_containerd; fi
  rm -rf --one-file-system "$HOME_OF_TEST"
}

# our_daemon STAGE: `cutaway` then speaks to it, and so may docker.
our_daemon() {
  STAGE=$1
  _set_cutaway_array
  start_daemon
}

@test "our client -> real dockerd" {
  needs dockerd
  cell "cutaway" "dockerd"
  dockerd_with
  docker_life "$BUILD/cutaway" --stage 02 -H "unix://$DOCKER_HOME/docker.sock"
}

@test "real docker client -> our daemon" {
  needs docker
  cell "docker" "cutawayd"
  start_containerd
  our_daemon 04
  docker_life docker -H "unix://$RUN/cutaway.sock"
}

@test "our daemon -> real containerd" {
  needs containerd
  cell "cutawayd" "containerd"
  start_containerd
  our_daemon 04
  docker_life "${CUTAWAY[@]}"
}

@test "our daemon -> our containerd" {
  cell "cutawayd" "cutaway-containerd"
  our_daemon 04 # starts it
  docker_life "${CUTAWAY[@]}"
}

@test "ctr -> our containerd" {
  needs ctr
  needs "$OUR_CONTAINERD"
  cell "ctr" "cutaway-containerd"
  our_containerd
  containerd_is "$CONTAINERD_SOCKET"
  ctr_life
}

@test "our containerd -> real shim" {
  needs containerd-shim-runc-v2
  needs "$OUR_CONTAINERD"
  cell "cutaway-containerd" "containerd-shim-runc-v2"
  our_containerd
  containerd_is "$CONTAINERD_SOCKET"
  ctr_life --runtime io.containerd.runc.v2
}

@test "real dockerd -> our containerd" {
  needs dockerd
  needs "$OUR_CONTAINERD"
  cell "dockerd" "cutaway-containerd"
  our_containerd
  dockerd_with --containerd "$CONTAINERD_SOCKET"
  docker_life "${DOCKER[@]}"
}

@test "real containerd -> our shim, our shim -> real runc" {
  needs containerd
  needs "$SHIM"
  cell "containerd" "cutaway-containerd-shim"
  our_shim_in_path
  start_containerd
  containerd_is "$CONTAINERD_SOCKET"
  ctr_life --runtime "$SHIM"
  cell "cutaway-containerd-shim" "runc"
  containerd_is "$CONTAINERD_SOCKET"
  ctr_life --runc-binary "$(command -v runc)"
}

@test "real dockerd -> our shim" {
  needs dockerd
  needs "$SHIM"
  cell "dockerd" "cutaway-containerd-shim"
  our_shim_in_path
  dockerd_with
  docker_life "${DOCKER[@]}"
}

@test "our containerd -> our shim -> our runc" {
  needs "$SHIM"
  needs "$RUNC"
  cell "cutaway-containerd" "cutaway-containerd-shim, cutaway-runc"
  our_shim_in_path
  our_containerd
  containerd_is "$CONTAINERD_SOCKET"
  ctr_life --runc-binary "$RUNC"
}

@test "our shim -> real crun" {
  needs crun
  needs "$SHIM"
  cell "cutaway-containerd-shim" "crun"
  our_shim_in_path
  start_containerd
  containerd_is "$CONTAINERD_SOCKET"
  ctr_life --runc-binary "$(crun_here)"
}

@test "our daemon -> our init and runc, between them Docker's containerd and shim" {
  needs "$RUNC"
  needs "$INIT"
  cell "cutawayd --init" "cutaway-runc, cutaway-init"
  start_containerd
  export CUTAWAY_SHIM=io.containerd.runc.v2
  our_daemon 04 # finds both of ours by itself
  CREATE=(--init)
  docker_life "${CUTAWAY[@]}"
}

@test "real shim -> our runc" {
  needs containerd
  needs "$RUNC"
  cell "containerd-shim-runc-v2" "cutaway-runc"
  start_containerd
  containerd_is "$CONTAINERD_SOCKET"
  ctr_life --runc-binary "$RUNC"
}

@test "podman, its conmon -> our runc" {
  needs podman
  needs conmon
  needs "$RUNC"
  cell "podman, conmon" "cutaway-runc"
  podman_with "$RUNC"
  CREATE=(--network none --pull never --cgroupns host)
  EVENTS=(create start died remove) FORMAT='{{.Status}}' # podman's words
  docker_life peer_podman
}

@test "docker --runtime -> our runc" {
  needs dockerd
  needs "$RUNC"
  cell "docker --runtime" "cutaway-runc"
  dockerd_with --add-runtime "ours=$RUNC"
  CREATE=(--runtime ours)
  docker_life "${DOCKER[@]}"
}

@test "our daemon -> real tini" {
  needs tini-static
  cell "cutawayd --init" "tini"
  start_containerd
  export CUTAWAY_INIT
  CUTAWAY_INIT=$(command -v tini-static)
  our_daemon 04
  CREATE=(--init)
  docker_life "${CUTAWAY[@]}"
}

@test "real dockerd -> our init" {
  needs dockerd
  needs "$INIT"
  cell "dockerd --init" "cutaway-init"
  dockerd_with --init-path "$INIT"
  CREATE=(--init)
  docker_life "${DOCKER[@]}"
}

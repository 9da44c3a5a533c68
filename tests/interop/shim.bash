# shellcheck shell=bash
# shim.bash - a real containerd of the test's own that starts our shim, and what is left when it is gone.
#
# Used by:  tests/interop/shim.bats:   load shim
# A test gets a running containerd, `ctr` that speaks to it, and `run_task`, which runs a container through our shim
# and the real runc. teardown fails when a process, mount, control group, socket or state of it is left.

BATS_LIB_PATH=${BATS_LIB_PATH:-/usr/lib/bats}
bats_load_library bats-support
bats_load_library bats-assert
bats_require_minimum_version 1.8.0

CHECKOUT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${BUILD:-$CHECKOUT/build}
SHIM=$BUILD/stages/04-modular/shim/cutaway-containerd-shim
BUSYBOX=docker.io/library/busybox:latest

# It makes the streams' FIFOs in /run/containerd and forgets those of detached ones, so they are put into the test's folder.
ctr() {
  case "$1 ${2:-}" in
    run\ *) set -- run --fifo-dir "$HOME_OF_TEST/fifo" "${@:2}" ;;
    tasks\ exec) set -- tasks exec --fifo-dir "$HOME_OF_TEST/fifo" "${@:3}" ;;
  esac
  command ctr --timeout 60s -a "$HOME_OF_TEST/containerd.sock" -n "$NAMESPACE" "$@" 3>&-
}

# run_task [OPTION…] ID PROGRAM…: of busybox.
run_task() {
  local options=()
  while [[ $1 == -* ]]; do
    case $1 in
      --rm | -d | -t) options+=("$1") && shift ;;
      *) options+=("$1" "$2") && shift 2 ;;
    esac
  done
  ctr run --runtime io.containerd.runc.v2 --runc-root "$HOME_OF_TEST/runc" "${options[@]}" "$BUSYBOX" "$@"
}

# retry SECONDS COMMAND…: runs it every 0.05 s until it succeeds. For what has no event to wait for.
retry() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    read -rt 0.05 <> <(:) || true
  done
}

is_listening() { command ctr -a "$HOME_OF_TEST/containerd.sock" --connect-timeout 1s version >/dev/null 2>&1; }

start_containerd() {
  PATH="$HOME_OF_TEST/bin:$PATH" containerd --config "$HOME_OF_TEST/config.toml" >>"$HOME_OF_TEST/log" 2>&1 3>&- &
  CONTAINERD_PID=$!
  retry 20 is_listening || fail "containerd: $(cat "$HOME_OF_TEST/log")"
}

# stop_containerd SIGNAL
stop_containerd() {
  kill -s "$1" "$CONTAINERD_PID"
  wait "$CONTAINERD_PID" 2>/dev/null || true
  CONTAINERD_PID=
}

# listen_to: what containerd tells goes to the file "events"; heard TOPIC [TEXT] looks there.
listen_to() {
  ctr events >"$HOME_OF_TEST/events" 2>&1 &
  LISTENER=$!
  retry 10 hears_probe
}
hears_probe() {
  ctr namespaces create probe >/dev/null
  ctr namespaces rm probe >/dev/null
  grep -q ' probe ' "$HOME_OF_TEST/events"
}
heard() { grep -F " $1 " "$HOME_OF_TEST/events" | grep -qF -- "${2:-}"; }

status_of() { ctr tasks ls | awk -v id="$1" '$1 == id { print $3 }'; }
has_status() { [ "$(status_of "$1")" = "$2" ]; }

# The process of a container's shim, and its open descriptors.
shim_of() {
  local file
  for file in /proc/[0-9]*/cmdline; do
    if tr '\0' ' ' <"$file" 2>/dev/null | grep -qE -- "-namespace $NAMESPACE -id $1 -address $HOME_OF_TEST/"; then
      basename "$(dirname "$file")"
    fi
  done
}
has_no_shim() { [ -z "$(shim_of "$1")" ]; }
descriptors_of() { find "/proc/$1/fd" -mindepth 1 2>/dev/null | wc -l; }

shim_setup() {
  HOME_OF_TEST=$(mktemp -d /tmp/sh.XXXXXX)
  NAMESPACE=shim-${HOME_OF_TEST##*.} LISTENER=
  export CUTAWAY_RUN=$HOME_OF_TEST/run
  # In the place of Docker's: ctr lets only a runtime of this name have another runc.
  mkdir "$HOME_OF_TEST/bin"
  ln -s "$SHIM" "$HOME_OF_TEST/bin/containerd-shim-runc-v2"
  cat >"$HOME_OF_TEST/config.toml" <<END
version = 2
root = "$HOME_OF_TEST/root"
state = "$HOME_OF_TEST/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "$HOME_OF_TEST/containerd.sock"
END
  start_containerd
  ctr images import "$BUILD/tools/busybox.tar" >/dev/null
}

_of_test() { grep -lF -f <(echo "$HOME_OF_TEST/") /proc/[0-9]*/cmdline 2>/dev/null; }
_nothing_left() { ! _of_test >/dev/null; }

# Containers that a test left are no fault; what is there when they are gone is.
shim_teardown() {
  local id left=""
  [ -z "$LISTENER" ] || kill "$LISTENER" 2>/dev/null || true
  [ -n "${CONTAINERD_PID:-}" ] || start_containerd
  for id in $(ctr tasks ls -q); do ctr tasks rm -f "$id" >/dev/null 2>&1 || true; done
  for id in $(ctr containers ls -q); do ctr containers rm "$id" >/dev/null 2>&1 || true; done
  stop_containerd TERM
  retry 10 _nothing_left || left+=" processes: $(_of_test)"
  left+=$(find "$HOME_OF_TEST/run/s" -type s -printf ' socket: %f' 2>/dev/null)
  left+=$(find "$HOME_OF_TEST/runc" -name state.json -printf ' state: %p' 2>/dev/null)
  # ctr's control groups are /NAMESPACE/ID, and nobody removes the upper one.
  left+=$(find /sys/fs/cgroup -mindepth 3 -path "*/$NAMESPACE/*" -type d -printf ' group: %p' 2>/dev/null)
  find /sys/fs/cgroup -depth -type d -name "$NAMESPACE" -exec rmdir {} + 2>/dev/null || true
  left+=$(awk -v home="$HOME_OF_TEST/" 'index($5, home) == 1 { print " mount: " $5 }' /proc/self/mountinfo)
  awk -v home="$HOME_OF_TEST/" 'index($5, home) == 1 { print $5 }' /proc/self/mountinfo | tac | xargs -r umount -l
  rm -rf --one-file-system "$HOME_OF_TEST"
  [ -z "$left" ] || { echo "left behind:$left"; return 1; }
}

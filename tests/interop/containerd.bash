# shellcheck shell=bash
# containerd.bash - a containerd of the test's own, and what is left when it is gone.
#
# Used by:  tests/interop/containerd.bats:   load containerd
# A test gets $ROOT_DIR, $STATE_DIR, a running server, and `ctr`, which speaks to it.

BATS_LIB_PATH=${BATS_LIB_PATH:-/usr/lib/bats}
bats_load_library bats-support
bats_load_library bats-assert
bats_require_minimum_version 1.8.0

CHECKOUT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${BUILD:-$CHECKOUT/build}
CONTAINERD=$BUILD/stages/04-modular/cutaway-containerd

# It makes the streams' FIFOs in /run/containerd and forgets those of detached ones, so they are put into the test's folder.
ctr() {
  case "$1 ${2:-}" in
    run\ *) set -- run --fifo-dir "$HOME_OF_TEST/fifo" "${@:2}" ;;
    tasks\ exec) set -- tasks exec --fifo-dir "$HOME_OF_TEST/fifo" "${@:3}" ;;
  esac
  command ctr --timeout 30s -a "$STATE_DIR/containerd.sock" "$@" 3>&-
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

is_listening() {
  command ctr -a "$STATE_DIR/containerd.sock" --connect-timeout 1s version >/dev/null 2>&1
}

start_containerd() {
  "$CONTAINERD" --root "$ROOT_DIR" --state "$STATE_DIR" --log-level info >>"$HOME_OF_TEST/log" 2>&1 3>&- &
  CONTAINERD_PID=$!
  retry 20 is_listening || {
    cat "$HOME_OF_TEST/log"
    return 1
  }
}

# stop_containerd SIGNAL
stop_containerd() {
  [ -n "${CONTAINERD_PID:-}" ] || return 0
  kill -s "$1" "$CONTAINERD_PID"
  wait "$CONTAINERD_PID" || true
  CONTAINERD_PID=
}

restart_containerd() {
  stop_containerd "$1"
  start_containerd
}

# listen_to [FILTER]: what is heard goes to the file "events"; the listener is there when it has heard of the
# namespace "probe". heard TOPIC prints what came under a topic, without time and probe.
listen_to() {
  command ctr -a "$STATE_DIR/containerd.sock" events "${@:-namespace!=probe}" namespace==probe >"$HOME_OF_TEST/events" 2>&1 3>&- &
  LISTENER=$!
  retry 10 hears_probe
}
hears_probe() {
  ctr namespaces create probe
  ctr namespaces rm probe >/dev/null
  grep -q ' probe ' "$HOME_OF_TEST/events"
}
heard() {
  sed -En 's,^[^ ]+ [^ ]+ [+]0000 UTC ([^ ]+ '"$1"' .*)$,\1,p' "$HOME_OF_TEST/events" | sed '/^probe /d'
}
has_heard() {
  [ -n "$(heard "$1")" ]
}

containerd_setup() {
  HOME_OF_TEST=$(mktemp -d /tmp/ct.XXXXXX)
  ROOT_DIR=$HOME_OF_TEST/root STATE_DIR=$HOME_OF_TEST/state LISTENER=
  start_containerd
}

# Processes with the test's folder on their command line.
_of_test() { grep -lF -f <(echo "$HOME_OF_TEST/") /proc/[0-9]*/cmdline 2>/dev/null; }

# Containers and tasks that a test left are no fault; what is there when they are gone is.
containerd_teardown() {
  local id left=""
  [ -z "${LISTENER:-}" ] || kill "$LISTENER" 2>/dev/null || true
  [ -n "${CONTAINERD_PID:-}" ] || start_containerd
  for id in $(ctr tasks ls -q); do ctr tasks rm -f "$id" >/dev/null 2>&1 || true; done
  stop_containerd TERM
  retry 10 _nothing_left || left=$(_of_test)
  [ -z "$left" ] || { echo "processes are left: $left"; return 1; }
  ! grep -F "$HOME_OF_TEST/" /proc/self/mountinfo || {
    awk -v home="$HOME_OF_TEST/" 'index($5, home) == 1 { print $5 }' /proc/self/mountinfo | tac | xargs -r umount -l
    return 1
  }
  rm -rf "$HOME_OF_TEST"
}
_nothing_left() { ! _of_test >/dev/null; }

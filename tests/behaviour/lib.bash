# shellcheck shell=bash
# lib.bash - what every behaviour test stands on: an engine of its own, and a teardown that looks for leaks.
#
# Used by:  every *.bats file in this folder and in tests/interop:   load lib
# Settings: STAGE (default 01), BUILD (default: build/ of this checkout); both from the environment.
#
# A test gets $ROOT and $RUN, fresh directories below $HOME_OF_TEST, and the function `cutaway`, which is
# the command line of the stage under test on exactly these (from stage 02 on with a daemon of the test's own). Whatever happens in the test, teardown
# removes its containers and networks and fails when a process, mount, network device, cgroup or
# nftables table of that engine is left. A file that needs its own setup or teardown defines them and
# calls behaviour_setup / behaviour_teardown.

BATS_LIB_PATH=${BATS_LIB_PATH:-/usr/lib/bats}
bats_load_library bats-support
bats_load_library bats-assert
bats_require_minimum_version 1.8.0

BEHAVIOUR_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CHECKOUT=$(cd "$BEHAVIOUR_DIR/../.." && pwd)
BUILD=${BUILD:-$CHECKOUT/build}
STAGE=${STAGE:-01}

# The engine under test. Descriptor 3 is bats' own: a monitor that inherited it would make bats wait.
# Variables of whoever runs the suite must not reach the engine.
cutaway() {
  env -u CUTAWAY_ROOT -u CUTAWAY_RUN -u CUTAWAY_STAGE -u CUTAWAY_HOST -u CUTAWAY_DEBUG -u CUTAWAY_LOG \
    "${CUTAWAY[@]}" "$@" 3>&-
}

# The same as an array, for tests that need a real program (timeout, script, background jobs):
#   timeout 5 "${CUTAWAY[@]}" wait web 3>&- &
# A client does not choose where its daemon's state lasts.
_set_cutaway_array() {
  CUTAWAY=("$BUILD/cutaway" --stage "$STAGE" --run "$RUN")
  if [ "$STAGE" = 01 ]; then CUTAWAY+=(--root "$ROOT"); fi
}

# ---- Docker's containerd in the place of the one that a daemon of stage 04 has of its own: BEHIND=docker ----

setup_file() { if [ "${BEHIND:-}" = docker ]; then start_containerd; fi; }
teardown_file() { if [ -n "${CONTAINERD:-}" ]; then stop_containerd; fi; }

# start_containerd: sets CONTAINERD, its pid, and CONTAINERD_SOCKET. Everything of it is in $CONTAINERD_HOME.
start_containerd() {
  CONTAINERD_HOME=$(mktemp -d "${TMPDIR:-/tmp}/cd.XXXXXX")
  export CONTAINERD CONTAINERD_HOME CONTAINERD_SOCKET=$CONTAINERD_HOME/containerd.sock
  cat >"$CONTAINERD_HOME/config.toml" <<END
version = 2
root = "$CONTAINERD_HOME/root"
state = "$CONTAINERD_HOME/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "$CONTAINERD_SOCKET"
END
  containerd --config "$CONTAINERD_HOME/config.toml" >"$CONTAINERD_HOME/log" 2>&1 3>&- &
  CONTAINERD=$!
  retry 20 ctr --address "$CONTAINERD_SOCKET" version >/dev/null 2>&1 || fail "containerd does not answer: $(cat "$CONTAINERD_HOME/log")"
}

# What tests left in it is a leak.
stop_containerd() {
  local left
  left=$(ctr --address "$CONTAINERD_SOCKET" --namespace cutaway containers ls -q)
  kill "$CONTAINERD"
  retry 20 bash -c '[ ! -e "/proc/$0/root/." ]' "$CONTAINERD"
  rm -rf --one-file-system "$CONTAINERD_HOME"
  [ -z "$left" ] || fail "left behind in containerd: $left"
}

# ---- the daemon, from stage 02 on ----

# start_daemon: returns when it answers. Its log is $HOME_OF_TEST/log, its pid $DAEMON.
start_daemon() {
  local programs=("$BUILD"/stages/"$STAGE"-*/cutawayd)
  local options=(--root "$ROOT" --run "$RUN")
  [ -z "${CONTAINERD_SOCKET:-}" ] || options+=(--containerd "$CONTAINERD_SOCKET")
  env -u CUTAWAY_ROOT -u CUTAWAY_RUN -u CUTAWAY_DEBUG -u CUTAWAY_LOG -u CUTAWAY_CONTAINERD \
    "${programs[0]}" "${options[@]}" >>"$HOME_OF_TEST/log" 2>&1 3>&- &
  DAEMON=$!
  retry 20 _daemon_answers || fail "the daemon does not answer: $(cat "$HOME_OF_TEST/log")"
}

_daemon_answers() { cutaway version >/dev/null 2>&1; }

# stop_daemon SIGNAL: returns its exit code.
stop_daemon() {
  kill -s "$1" "$DAEMON" && wait "$DAEMON"
}

setup() { behaviour_setup; }
teardown() { behaviour_teardown; }

behaviour_setup() {
  skip_if_gap
  [ -x "$BUILD/cutaway" ] || fail "$BUILD/cutaway is not there: build first (ninja -C build)"
  [ "$(id -u)" -eq 0 ] || fail "behaviour tests run the real engine: they need root"
  # Short, since a unix socket's path has at most 107 bytes.
  HOME_OF_TEST=$(mktemp -d "${TMPDIR:-/tmp}/ct.XXXXXX")
  ROOT=$HOME_OF_TEST/root
  RUN=$HOME_OF_TEST/run
  mkdir -m 700 "$ROOT" "$RUN"
  _set_cutaway_array
  if [ "$STAGE" != 01 ]; then start_daemon; fi
}

behaviour_teardown() {
  local leaks ids networks
  [ -n "${HOME_OF_TEST:-}" ] || return 0 # skipped, or setup failed
  ids=$(_ids_in "$ROOT" '[0-9a-f]{64}')
  networks=$(_network_ids)
  _remove_everything
  if [ -n "${DAEMON:-}" ]; then stop_daemon TERM; fi
  if ! leaks=$(_wait_for_no_leaks "$ids" "$networks"); then
    _end_leaked_processes
    _unmount_leaked
    _remove_kernel_leaks "$ids" "$networks"
    _remove_home
    echo "left behind:"
    echo "$leaks"
    return 1 # bats runs teardown without errexit: `fail` alone would be passed over
  fi
  _remove_home
}

# move_to DIR: from now on the engine's state lasts in DIR.
move_to() {
  ROOT=$1
  _set_cutaway_array
  if [ "$STAGE" != 01 ]; then
    stop_daemon TERM
    start_daemon
  fi
}

# ---- the one way to skip ----

# gaps.tsv: test description TAB stage TAB reason. A stage that cannot pass a case says why there.
skip_if_gap() {
  local test stage reason
  while IFS=$'\t' read -r test stage reason; do
    [[ $test == \#* || -z $test ]] && continue
    if [[ $test == "$BATS_TEST_DESCRIPTION" && $stage == "$STAGE" ]]; then
      skip "gap of stage $STAGE: $reason"
    fi
  done <"$BEHAVIOUR_DIR/gaps.tsv"
}

# ---- what tests share ----

# retry SECONDS COMMAND…: runs it every 0.05 s until it succeeds. For what has no event to wait for.
retry() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.05
  done
}

# assert_status_of CONTAINER STATUS, as `ps` and `inspect` name it ("running", "exited").
assert_status_of() {
  assert_equal "$(cutaway inspect -f '{{.State.Status}}' "$1")" "$2"
}

# The host's pid of a container's first program.
pid_of() {
  cutaway inspect -f '{{.State.Pid}}' "$1"
}

# monitor_of CONTAINER: the process that its monitor is. In stage 04 it is a thread, and so the daemon.
monitor_of() {
  local id
  if [ "$STAGE" = 04 ]; then
    echo "$DAEMON"
    return
  fi
  id=$(cutaway inspect -f '{{.Id}}' "$1")
  pgrep -o -f "^cutaway-monitor .*--id $id" # the oldest: a keeper is a copy of it
}

# kill_monitor CONTAINER [PID…]: kills its monitor, and those too, without any of them seeing another's end.
kill_monitor() {
  local monitor
  monitor=$(monitor_of "$1")
  shift
  kill -STOP "$monitor"
  kill -KILL "$monitor" "$@"
  if [ "$STAGE" = 04 ]; then
    wait "$DAEMON" || true
    start_daemon
  fi
}

# on_terminal COLUMNS COMMAND…: runs it on a terminal of that width, and prints what it wrote there.
on_terminal() {
  local columns=$1
  shift
  script -qec "stty cols $columns rows 24; exec $(printf '%q ' "$@")" /dev/null 3>&- </dev/null
}

# ---- leaks ----

# Names of files and folders below $1 that match the extended regular expression $2 as a whole.
_ids_in() {
  find "$1" -xdev -maxdepth 4 -regextype posix-extended -regex ".*/$2" -printf '%f\n' 2>/dev/null | sort -u
}

# Networks: ROOT/…/networks/<64 hex>.json; their kernel names are ct-<12 hex> and cutaway-<12 hex>.
_network_ids() {
  find "$ROOT" "$RUN" -xdev -maxdepth 5 -path '*network*' -name '*.json' -printf '%f\n' 2>/dev/null |
    sed -n 's/^\([0-9a-f]\{12\}\)[0-9a-f]*\.json$/\1/p' | sort -u
}

_remove_everything() {
  local list
  list=$(cutaway ps -aq 2>/dev/null) || return 0
  if [ -n "$list" ]; then
    # shellcheck disable=SC2086 # one id a word
    cutaway rm -f -v $list >/dev/null 2>&1
  fi
  cutaway network prune -f >/dev/null 2>&1
  return 0
}

# Processes that belong to the test's engine: its folder is on their command line, or under their root.
# Two programs for all of /proc; a process may go while they look. grep reads its pattern from a pipe,
# so that it does not find itself.
_leaked_processes() {
  {
    grep -lF -f <(echo "$HOME_OF_TEST/") /proc/[0-9]*/cmdline
    awk -v home="${HOME_OF_TEST##*/}/" '$5 == "/" && index($0, home) { print FILENAME }' /proc/[0-9]*/mountinfo
  } 2>/dev/null | cut -d/ -f3 | sort -un
}

_leaked_mounts() {
  awk -v home="$HOME_OF_TEST/" 'index($5, home) == 1 { print $5 }' /proc/self/mountinfo
}

# Everything of this test that is still in the kernel, one line each. $1: container ids; $2: network ids.
_list_leaks() {
  local id pid
  for pid in $(_leaked_processes); do
    echo "process $pid: $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)"
  done
  _leaked_mounts | sed 's/^/mount /'
  for id in $1; do
    find /sys/fs/cgroup -type d -name "*$id*" -prune -printf 'cgroup %p\n' 2>/dev/null
  done
  for id in $2; do
    if [ -e "/sys/class/net/ct-$id" ]; then echo "network device ct-$id"; fi
    if nft list table inet "cutaway-$id" >/dev/null 2>&1; then echo "nftables table cutaway-$id"; fi
  done
}

# A monitor may still be on its way out when `rm` has returned: give it five seconds.
_wait_for_no_leaks() {
  local leaks deadline=$((SECONDS + 5))
  while leaks=$(_list_leaks "$1" "$2") && [ -n "$leaks" ]; do
    if ((SECONDS >= deadline)); then
      echo "$leaks"
      return 1
    fi
    sleep 0.05
  done
}

_end_leaked_processes() {
  local pid
  for pid in $(_leaked_processes); do kill -KILL "$pid" 2>/dev/null; done
  return 0
}

_unmount_leaked() {
  _leaked_mounts | tac | while read -r target; do umount -l "$target" 2>/dev/null; done
  return 0
}

# So that one leak fails one test, and not also those after it.
_remove_kernel_leaks() {
  local id
  for id in $1; do
    find /sys/fs/cgroup -depth -type d -path "*$id*" -exec rmdir {} \; 2>/dev/null
  done
  for id in $2; do
    ip link delete "ct-$id" 2>/dev/null
    nft delete table inet "cutaway-$id" 2>/dev/null
  done
  return 0
}

# Never into something that is still mounted.
_remove_home() {
  if [ -z "$(_leaked_mounts)" ]; then
    rm -rf --one-file-system "$HOME_OF_TEST"
  fi
}

#!/usr/bin/env bats
# killed.bats - the library, or what it has made, is killed with SIGKILL between any two of its steps.
#
# kill_before.c says what a step is. After each kill delete succeeds, and nothing is left.

load lib

KILL_BEFORE=$BUILD/tests/libcontainer/libcontainer_kill_before

# step_through WHO STEPS PREPARE COMMAND…: kills before the first step, the second, … until the command
# ends by itself. There must be at least STEPS, or the test would look at nothing. (Where there is one
# hierarchy of control groups there are fewer steps than where there are ten.)
step_through() {
  local who=$1 at_least=$2 prepare=$3 n status report
  shift 3
  for ((n = 1; ; n++)); do
    "$prepare"
    status=0
    report=$("$KILL_BEFORE" "$who" "$n" "$PROGRAM" --root "$STATES" "$@" \
      </dev/null 2>"$HOME_OF_TEST/err" 3>&-) || status=$?
    WHERE="$who killed before step $n (system call and exit code: $report) of $*"
    ((status == 0)) || break
    check_failure_is_clean "$1" "${report#* }"
    check_all_goes
  done
  ((status == 3)) || fail "after $n steps: $status, $(cat "$HOME_OF_TEST/err")"
  check_all_goes
  ((n > at_least)) || fail "only $((n - 1)) steps"
}

# A creation that is told of its child's end takes everything back itself.
check_failure_is_clean() {
  if [ "$1" = create ] && (($2 != 0 && $2 != 137)); then
    assert_nothing "$WHERE: the call failed and left" "$STATES"/*
  fi
}

# That the id is free is seen in the next round, which makes it again and comes one step further.
check_all_goes() {
  bundle delete --force "$ID" || fail "$WHERE: delete failed"
  assert_nothing "$WHERE: left behind" "$STATES"/* "$STATES"/.[!.]* /sys/fs/cgroup/{,*/}"$ID"
  [[ $(</proc/self/mountinfo) != *"$HOME_OF_TEST"* ]] || fail "$WHERE: a mount is left behind"
  # What the kill made an orphan reads the end of its connection and goes: that may take a moment.
  no_process || retry 5 no_process || fail "$WHERE: left behind: $(pgrep -af "$HOME_OF_TEST")"
}

# assert_nothing TEXT PATH…: no path is there. Patterns that match nothing are not, either. (One process,
# not a loop: bats follows each command, and there are hundreds of rounds.)
assert_nothing() {
  local left
  left=$(ls -d "${@:2}" 2>/dev/null) || true
  [ -z "$left" ] || fail "$1: $left"
}

no_process() { ! pgrep -f "$HOME_OF_TEST" >/dev/null; }

nothing() { :; }
created() { bundle create --bundle "$BUNDLE" "$ID" </dev/null >"$HOME_OF_TEST/out" 2>&1; }
running() { created && bundle start "$ID"; }
paused() { running && bundle pause "$ID"; }

# What goes on until it is ended. The name of the folder marks the process as ours.
script_sleep() { script "sleep 100; : $HOME_OF_TEST"; }

# All that takes helpers and processes of its own: users, clocks, a joined namespace, hooks, mapped binds.
config_with_everything() {
  mkdir -p "$HOME_OF_TEST/shared" "$BUNDLE/rootfs/seed"
  touch "$BUNDLE/rootfs/seed/file"
  chown -R 100000:100000 "$BUNDLE/rootfs"
  config '
    def hook: [{path: "/bin/true", args: ["true", $home], timeout: 10}];
    .hooks = {prestart: hook, createRuntime: hook, createContainer: hook, startContainer: hook, poststart: hook, poststop: hook} |
    .process.rlimits = [{type: "RLIMIT_NOFILE", soft: 100, hard: 100}] | .process.oomScoreAdj = 100 |
    .mounts += [{destination: "/seed", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"]},
      {destination: "/shared", type: "bind", source: ($home + "/shared"), options: ["bind", "idmap"]}] |
    del(.hostname) | .mounts |= map(select(.destination | . == "/proc" or . == "/dev" or . == "/seed" or . == "/shared")) |
    .linux |= (.namespaces |= (map(select(.type != "uts")) + [{type: "uts", path: "/proc/self/ns/uts"}, {type: "user"}, {type: "time"}]) |
      .uidMappings = [{containerID: 0, hostID: 100000, size: 1000}] | .gidMappings = .uidMappings |
      .timeOffsets.monotonic.secs = 100 | .sysctl = {"kernel.msgmax": "4096"} |
      .resources += {pids: {limit: 50}, memory: {limit: 104857600}, cpu: {shares: 512}} |
      .seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["swapon"], action: "SCMP_ACT_ERRNO"}]})
  ' --arg home "$HOME_OF_TEST"
}

@test "the runtime is killed between any two steps of a creation" {
  script_sleep
  step_through first 20 nothing create --bundle "$BUNDLE" "$ID"
}

@test "the first process is killed between any two of its steps up to the start" {
  script_sleep
  step_through others 80 nothing create --bundle "$BUNDLE" "$ID"
}

@test "the runtime is killed in any step of a run with users, clocks, hooks and joined namespaces" {
  config_with_everything
  step_through first 40 nothing run --bundle "$BUNDLE" "$ID"
}

@test "what the runtime makes is killed in any step of such a run" {
  config_with_everything
  step_through others 60 nothing run --bundle "$BUNDLE" "$ID"
}

@test "start is killed between any two of its steps" {
  script_sleep
  step_through first 3 created start "$ID"
}

@test "exec is killed between any two of its steps, and so is what it makes" {
  script_sleep
  jq --arg home "$HOME_OF_TEST" '.process | .args = ["/bin/sh", "-c", ": \($home)"]' \
    "$BUNDLE/config.json" >"$HOME_OF_TEST/process.json"
  step_through first 5 running exec --process "$HOME_OF_TEST/process.json" "$ID"
  step_through others 20 running exec --process "$HOME_OF_TEST/process.json" "$ID"
}

@test "pause, resume, update and kill are killed between any two of their steps" {
  script_sleep
  echo '{"pids": {"limit": 20}, "cpu": {"shares": 100}}' >"$HOME_OF_TEST/resources.json"
  step_through first 2 running pause "$ID"
  step_through first 2 paused resume "$ID"
  step_through first 4 running update "$ID" "$HOME_OF_TEST/resources.json"
  step_through first 2 running kill "$ID" KILL
}

@test "delete is killed between any two of its steps: the next one does the rest" {
  script_sleep
  step_through first 10 running delete --force "$ID"
  step_through first 10 paused delete --force "$ID"
}

#!/usr/bin/env bats
# lifecycle.bats - create, start, state, kill, exec, pause, delete: as the runtime specification has them.

# shellcheck disable=SC2030,SC2031 # each test is a process with a BUNDLE of its own
load lib

@test "a bundle runs, and its exit code is the program's" {
  script 'echo hello; exit 7'
  run -7 run_bundle
  assert_output hello
}

@test "after create the program has not run; start lets it run; the state tells" {
  script 'echo ran; exec sleep 100'
  bundle create --bundle "$BUNDLE" "$ID" </dev/null >"$HOME_OF_TEST/out" 2>&1

  run -0 bundle state "$ID"
  assert_equal "$(jq -r .status <<<"$output")" created
  assert_equal "$(jq -r .bundle <<<"$output")" "$BUNDLE"
  assert_equal "$(jq -r .id <<<"$output")" "$ID"
  assert [ -d "/proc/$(jq -r .pid <<<"$output")" ]
  assert_equal "$(cat "$HOME_OF_TEST/out")" ""

  bundle start "$ID"
  assert_equal "$(status_of)" running
  retry 5 grep -q ran "$HOME_OF_TEST/out"
}

@test "an ended container is stopped, has no pid, and can be deleted" {
  script 'exit 3'
  start_bundle
  retry 5 [ "$(status_of)" = stopped ]
  assert_equal "$(pid_of)" 0
  bundle delete "$ID"
  run -1 bundle state "$ID"
  assert_output "cutaway-bundle: open the container '$ID': container does not exist"
}

@test "two creates of one id: the second is refused and changes nothing" {
  script 'exec sleep 100'
  start_bundle
  run -1 bundle create --bundle "$BUNDLE" "$ID" </dev/null
  assert_output "cutaway-bundle: create '$ID': container with given ID already exists"
  assert_equal "$(status_of)" running
}

@test "a second start is refused, and so is the start of what has ended" {
  script 'exec sleep 100'
  start_bundle
  run -1 bundle start "$ID"
  assert_output "cutaway-bundle: start '$ID': cannot start a container that has been started"
  bundle kill "$ID" KILL
  retry 5 [ "$(status_of)" = stopped ]
  run -1 bundle start "$ID"
  assert_output "cutaway-bundle: start '$ID': cannot start a container that has stopped"
}

@test "a running container is deleted only by force; a created one also without" {
  script 'exec sleep 100'
  start_bundle
  run -1 bundle delete "$ID"
  assert_output "cutaway-bundle: delete '$ID': cannot delete container $ID that is not stopped: running"
  bundle delete --force "$ID"
  bundle create --bundle "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1
  bundle delete "$ID"
  assert_equal "$(bundle list)" ""
}

@test "the kill of what has ended says so; its zombie is no running container" {
  script 'exit 0'
  start_bundle
  retry 5 [ "$(status_of)" = stopped ]
  run -1 bundle kill "$ID" TERM
  assert_output "cutaway-bundle: container not running"
}

@test "a signal reaches the first process, all others too when asked" {
  script 'trap "echo got; exit 4" USR1; echo ready; while :; do sleep 0.1; done'
  start_bundle
  retry 5 grep -q ready "$HOME_OF_TEST/out"
  bundle kill "$ID" USR1
  retry 5 grep -q got "$HOME_OF_TEST/out"
  retry 5 [ "$(status_of)" = stopped ]
}

@test "one more program runs in the same namespaces, and its exit code comes back" {
  script 'exec sleep 100'
  start_bundle
  run -9 exec_bundle 'readlink /proc/1/ns/mnt; readlink /proc/self/ns/mnt; hostname; exit 9'
  assert_line --index 2 bundle
  assert_equal "${lines[0]}" "${lines[1]}"
}

@test "a paused container stands still, refuses programs, and goes on" {
  script 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done'
  start_bundle
  retry 5 grep -q 3 "$HOME_OF_TEST/out"
  bundle pause "$ID"
  assert_equal "$(status_of)" paused
  run -1 exec_bundle true
  assert_output "cutaway-bundle: exec in '$ID': cannot exec in a paused container; try: resume it first"
  local before
  before=$(wc -l <"$HOME_OF_TEST/out")
  bundle resume "$ID"
  assert_equal "$(status_of)" running
  retry 5 eval '[ "$(wc -l <"$HOME_OF_TEST/out")" -gt '"$before"' ]'
  run -1 bundle resume "$ID"
  assert_output "cutaway-bundle: container not paused"
}

@test "a paused container can be killed" {
  script 'exec sleep 100'
  start_bundle
  bundle pause "$ID"
  bundle kill "$ID" KILL
  retry 5 [ "$(status_of)" = stopped ]
}

@test "what cannot be run says why, with the exit code of a shell" {
  config '.process.args = ["/nothing"]'
  run -127 run_bundle
  assert_output --partial "cutaway-bundle: start '$ID': exec: run '/nothing': it does not exist"
  config '.process.args = ["/etc/passwd"]'
  run -126 run_bundle
  assert_output --partial "run '/etc/passwd'"
  assert_equal "$(bundle list)" ""
}

@test "no descriptor but 0, 1, 2 reaches the program, unless it is to be preserved" {
  script 'ls /proc/self/fd'
  exec 7</etc/hostname
  run -0 run_bundle
  exec 7<&-
  assert_output $'0\n1\n2\n3' # 3 is what ls itself opened
}

@test "--preserve-fds hands them on, and refuses one that is not open" {
  script 'cat <&3'
  run -0 bash -c 'exec 3<<<kept; "$0" --root "$1" run --preserve-fds 1 --bundle "$2" "$3"' "$PROGRAM" "$STATES" "$BUNDLE" "$ID"
  assert_output kept
  run -1 bash -c 'exec 3<&-; "$0" --root "$1" run --preserve-fds 1 --bundle "$2" "$3"' "$PROGRAM" "$STATES" "$BUNDLE" "$ID"
  assert_output "cutaway-bundle: create '$ID': exec: preserve descriptor 3: it is not open"
  # The fourth has a number that the runtime itself uses by the time it looks.
  run -1 bash -c 'exec 3<<<kept 4<&-; "$0" --root "$1" run --preserve-fds 2 --bundle "$2" "$3"' "$PROGRAM" "$STATES" "$BUNDLE" "$ID"
  assert_output "cutaway-bundle: create '$ID': exec: preserve descriptor 4: it is not open"
}

@test "a bundle path with blanks, newlines and more than 108 bytes works" {
  local odd
  odd="$HOME_OF_TEST/a b"$'\n'"c/$(printf 'd%.0s' {1..120})"
  mkdir -p "${odd%/*}"
  mv "$BUNDLE" "$odd"
  BUNDLE=$odd
  script 'echo there'
  run -0 run_bundle
  assert_output there
}

@test "a bundle without config.json, without a root file system, or that is not there" {
  rm -r "$BUNDLE/rootfs"
  run -1 run_bundle
  assert_output "cutaway-bundle: create '$ID': rootfs: open the root file system '$BUNDLE/rootfs': No such file or directory (ENOENT)"
  rm "$BUNDLE/config.json"
  run -1 run_bundle
  assert_output --partial "create '$ID': config: read the bundle '$BUNDLE'"
  assert_output --partial "No such file or directory (ENOENT)"
  BUNDLE=$HOME_OF_TEST/nowhere
  run -1 run_bundle
  assert_output --partial "No such file or directory (ENOENT)"
  assert_equal "$(bundle list)" ""
}

@test "--help lists the commands, and an unknown command does so too" {
  run -0 "$PROGRAM" --help
  assert_line --partial 'run, create  [--bundle DIR]'
  run -1 "$PROGRAM" dance
  assert_line "cutaway-bundle: there is no command 'dance'"
}

@test "the tracer sees the library's steps, and in them what the kernel was asked for" {
  local trace=$BUILD/trace/cutaway-trace
  [ -x "$trace" ] || skip "cutaway-trace is not built"
  script 'exit 0'
  "$trace" record -o "$HOME_OF_TEST/t" -- "$PROGRAM" --root "$STATES" run --bundle "$BUNDLE" "$ID" </dev/null 3>&-
  run -0 "$trace" show --color=never --width=160 "$HOME_OF_TEST/t"
  assert_line --regexp 'runtime .* create: '
  assert_line --regexp 'runtime .* pivot: pivot_root'
  assert_line --regexp 'runtime .* harden: user 0:0, 3 capabilities'
  if [[ $output == *'not recorded'* ]]; then skip "the kernel lets no BPF program watch here"; fi
  assert_line --regexp 'runtime .* clone3 .*CLONE_NEWPID'
  assert_line --regexp "runtime .* pivot_root '\.' -> '\.'"
  assert_line --regexp 'container .* exec .*/bin/sh'
}

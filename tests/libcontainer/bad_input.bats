#!/usr/bin/env bats
# bad_input.bats - what is wrong is told in one line, and a forced delete leaves nothing.
#
# Fields of config.json one by one are in tests/unit/test_lc_*.c; here is one of each kind, from the outside.

# shellcheck disable=SC2030,SC2031 # each test is a process with a BUNDLE of its own
load lib

# assert_line_of_error TEXT: all of the output is the program's name and that.
assert_error() { assert_output "cutaway-bundle: $1"; }

# Also of what was never there: forced means that it shall be gone.
assert_nothing_left() {
  run -0 bundle delete --force "$ID"
  assert_output ''
  run list_leaks
  assert_output ''
  run -0 bundle list
  assert_output ''
}

hook() { config '.hooks = {($point): [{path: "/bin/sh", args: ["sh", "-c", $text], timeout: 1}]}' --arg point "$1" --arg text "$2"; }

on_cgroup_v2() { [ -e /sys/fs/cgroup/cgroup.controllers ]; }

# ---- config.json ----

@test "a config.json that is no JSON: line, column and what was expected" {
  local text message
  while IFS='|' read -r text message; do
    printf '%b' "$text" >"$BUNDLE/config.json"
    run -1 run_bundle
    assert_error "create '$ID': config: read the bundle '$BUNDLE': read line $message"
  done <<'END'
|1, column 0: '[' or '{' expected near end of file
{\n"a": 1,\n|3, column 0: string or '}' expected near end of file
{"ociVersion": "1.0.2",\n "ociVersion": "1.0.2"}|2, column 13: duplicate object key near '"ociVersion"'
{"process": {"cwd": "/", "cwd": "/etc"}}|1, column 30: duplicate object key near '"cwd"'
{"hostname": "\xff"}|1, column 14: unable to decode byte 0xff near '"'
{"hostname": "a\\u0000b"}|1, column 23: \u0000 is not allowed without JSON_ALLOW_NUL near '"a\u0000b"'
{"hostname": 1e999}|1, column 18: real number overflow near '1e999'
{} {}|1, column 4: end of file expected near '{'
END
  head -c 100000 /dev/zero | tr '\0' '[' >"$BUNDLE/config.json"
  run -1 run_bundle
  assert_error "create '$ID': config: read the bundle '$BUNDLE': read line 1, column 2049: maximum parsing depth reached near '['"
  assert_nothing_left
}

@test "a config.json that is no file, or one without an end, holds nobody up" {
  local file=$BUNDLE/config.json
  rm "$file"
  mkdir "$file"
  run -1 run_bundle
  assert_error "create '$ID': config: read the bundle '$BUNDLE': file: read '$file': Is a directory (EISDIR)"
  rmdir "$file"
  mkfifo "$file"
  run -1 run_bundle
  assert_error "create '$ID': config: read the bundle '$BUNDLE': read line 1, column 0: '[' or '{' expected near end of file"
  ln -sf /dev/zero "$file"
  run -1 run_bundle
  assert_error "create '$ID': config: read the bundle '$BUNDLE': file: read '$file': it is longer than 16777216 bytes"
  ln -sf config.json "$file"
  run -1 run_bundle
  assert_error "create '$ID': config: read the bundle '$BUNDLE': file: open '$file': Too many levels of symbolic links (ELOOP)"
  assert_nothing_left
}

@test "fields that are missing, of a wrong type or out of range are named" {
  local filter message good
  good=$(cat "$BUNDLE/config.json")
  while IFS='|' read -r filter message; do
    jq "$filter" <<<"$good" >"$BUNDLE/config.json"
    run -1 run_bundle
    assert_error "create '$ID': $message"
  done <<'END'
[]|config: config.json: it must be an object
del(.ociVersion)|config: ociVersion: it must be there
.ociVersion = "2.0.0"|config: ociVersion: '2.0.0' is not 1.x
.ociVersion = 1|config: ociVersion: it must be a string
del(.root)|config: root: it must be there
del(.root.path)|config: root.path: it must be there
.root.path = ["rootfs"]|config: root.path: it must be a string
.root.readonly = "yes"|config: root.readonly: it must be true or false
del(.process)|config: process: it must be there
del(.process.args)|config: process.args: it must have at least one entry
.process.args = []|config: process.args: it must have at least one entry
.process.args = ["sh", 7]|config: process.args[1]: it must be a string
.process.env = "A=b"|config: process.env: it must be an array
del(.process.cwd)|config: process.cwd: it must be there
.process.cwd = "tmp"|config: process.cwd: 'tmp' is not absolute
.process.user.uid = -1|config: process.user.uid: it must be a whole number from 0 to 4294967294
.process.user.umask = 512|config: process.user.umask: it must be a whole number from 0 to 511
.mounts = {}|config: mounts: it must be an array
.hooks.createRuntime = [{"path": "/bin/true", "timeout": 0}]|config: hooks.createRuntime[0].timeout: it must be a whole number from 1 to 2147483
.linux.namespaces = [{"type": "pid"}, {"type": "pid"}]|namespaces: linux.namespaces[1].type: 'pid' is named twice
.linux.namespaces = [{"type": "galaxy"}]|namespaces: linux.namespaces[0].type: there is no namespace 'galaxy'
.linux.resources.pids.limit = "many"|config: linux.resources.pids.limit: it must be a whole number from -1 to 9223372036854775807
.linux.resources.memory.limit = 1e30|config: linux.resources.memory.limit: it must be a whole number from -1 to 9223372036854775807
END
  assert_nothing_left
}

@test "an error is one line, also about a path that is several" {
  local odd=$HOME_OF_TEST/two$'\n'lines
  mkdir "$odd"
  BUNDLE=$odd run -1 run_bundle
  assert_error "create '$ID': config: read the bundle '$HOME_OF_TEST/two?lines': file: open '$HOME_OF_TEST/two?lines/config.json': No such file or directory (ENOENT)"
  config '.process.args = ["/no\nsuch\u001b[2J"]'
  run -127 run_bundle
  assert_equal "${#lines[@]}" 1
  refute_output --partial $'\033'
  assert_nothing_left
}

@test "what is no id, no signal and no file is told before anything happens" {
  run -1 bundle create --bundle "$BUNDLE" ../escape
  assert_error "create '../escape': use '../escape' as a container's id; try: an id is made of letters, digits and _ + . -"
  run -1 bundle create --bundle "$BUNDLE" "$(printf 'x%.0s' {1..1025})"
  assert_equal "${#lines[@]}" 1
  run -1 bundle state ''
  assert_error "state: the container's id is missing"
  attend_sleep
  run -1 bundle kill "$ID" NOSUCH
  assert_error "invalid signal: 'NOSUCH'"
  run -1 bundle kill "$ID" 99
  assert_error "invalid signal: '99'"
  run -1 bundle exec --process /no/such "$ID"
  assert_error "open '/no/such': No such file or directory (ENOENT)"
  run -1 bundle update "$ID" /no/such
  assert_error "open '/no/such': No such file or directory (ENOENT)"
  assert_equal "$(status_of)" running
  assert_nothing_left
}

# ---- hooks ----

@test "a hook that fails ends the creation or the start, and is quoted" {
  local point act
  while read -r point act; do
    hook "$point" 'echo the reason >&2; exit 3'
    run -1 run_bundle
    assert_error "$act '$ID': hooks: run hook ${point}[0] '/bin/sh': it ended with 3: the reason"
    assert_nothing_left
  done <<'END'
prestart create
createRuntime create
createContainer create
startContainer start
END
}

@test "a hook after the start, or after the end, changes nothing any more" {
  local point
  script 'exit 7'
  for point in poststart poststop; do
    hook "$point" 'exit 3'
    run -7 run_bundle
    assert_output "warn hooks run hook ${point}[0] '/bin/sh': it ended with 3"
    assert_nothing_left
  done
}

@test "a hook that hangs is killed when its time is over, with its children" {
  hook createRuntime "sleep 1000 & echo \$! >$HOME_OF_TEST/child; wait"
  run -1 run_bundle
  assert_error "create '$ID': hooks: run hook createRuntime[0] '/bin/sh': it was killed after 1 s"
  retry 30 [ ! -d "/proc/$(cat "$HOME_OF_TEST/child")" ]
  hook startContainer 'exec sleep 1000'
  run -1 run_bundle
  assert_error "start '$ID': hooks: run hook startContainer[0] '/bin/sh': it was killed after 1 s"
  assert_nothing_left
}

@test "of a hook that floods the end is quoted, in one line" {
  hook createContainer 'yes flood'
  run -1 run_bundle
  assert_output --regexp "^cutaway-bundle: create '$ID': hooks: run hook createContainer\[0\] '/bin/sh': it was killed after 1 s: …[flod ]*$"
  assert [ "${#output}" -lt 400 ]
  assert_nothing_left
}

@test "a hook that kills who runs it leaves what a delete finds" {
  local point
  for point in prestart createRuntime poststart; do # those that the runtime itself runs
    hook "$point" 'kill -9 $PPID'
    run ! run_bundle
    assert_nothing_left
  done
}

# ---- while it runs ----

attend_sleep() {
  script 'echo ready; exec sleep 1000'
  start_bundle
  retry 30 grep -q ready "$HOME_OF_TEST/out"
}

@test "of eight creations of one id at the same time one succeeds" {
  local creations=() round
  script 'exec sleep 1000'
  for ((round = 0; round < 8; round++)); do
    bundle create --bundle "$BUNDLE" "$ID" </dev/null >"$HOME_OF_TEST/out.$round" 2>&1 &
    creations+=($!)
  done
  wait "${creations[@]}" || true
  assert_equal "$(status_of)" created
  run -0 sort "$HOME_OF_TEST"/out.*
  assert_equal "${#lines[@]}" 7
  run -0 sort -u "$HOME_OF_TEST"/out.*
  assert_error "create '$ID': container with given ID already exists"
  assert_nothing_left
}

@test "creations and forced deletions of one id at the same time: nothing is left at the end" {
  local works=() round
  script 'exec sleep 1000'
  for ((round = 0; round < 20; round++)); do
    bundle create --bundle "$BUNDLE" "$ID" </dev/null >"$HOME_OF_TEST/create.$round" 2>&1 &
    works+=($!)
    bundle delete --force "$ID" >"$HOME_OF_TEST/delete.$round" 2>&1 &
    works+=($!)
  done
  wait "${works[@]}" || true
  run grep -hvxE "cutaway-bundle: create '$ID': (container with given ID already exists|it was deleted at the same time)" \
    "$HOME_OF_TEST"/create.*
  assert_output ''
  run cat "$HOME_OF_TEST"/delete.*
  assert_output ''
  assert_nothing_left
}

@test "control groups that vanish: each call says so, and a delete does not need them" {
  local group groups
  attend_sleep
  mapfile -t groups < <(find /sys/fs/cgroup -type d -name "$ID")
  for group in "${groups[@]}"; do
    pid_of >"${group%/*}/cgroup.procs"
    rmdir "$group"
  done
  echo '{"memory": {"limit": 30000000}}' >"$HOME_OF_TEST/limits"
  assert_equal "$(status_of)" running
  run -1 bundle pause "$ID"
  assert_output --regexp "^cutaway-bundle: pause '$ID': cgroup: [^"$'\n'"]*: No such file or directory \(ENOENT\)$"
  run -1 bundle stats "$ID"
  assert_output --regexp "^cutaway-bundle: read the figures of '$ID': cgroup: [^"$'\n'"]*: No such file or directory \(ENOENT\)$"
  run -1 bundle update "$ID" "$HOME_OF_TEST/limits"
  assert_output --regexp "^cutaway-bundle: update '$ID': cgroup: [^"$'\n'"]*: No such file or directory \(ENOENT\)$"
  run ! exec_bundle true
  assert_output --regexp "^cutaway-bundle: exec in '$ID': cgroup: [^"$'\n'"]*(: No such file or directory \(ENOENT\)|: it is not in '/$ID')$"
  bundle kill "$ID" KILL
  retry 30 eval '[ "$(status_of)" = stopped ]'
  assert_nothing_left
}

@test "a memory limit below what is in use is refused, and the container goes on" {
  script 'head -c 30000000 /dev/zero >/dev/shm/file; echo full; exec sleep 1000'
  start_bundle
  retry 30 grep -q full "$HOME_OF_TEST/out"
  # v1 refuses anyway, v2 would kill: so it is asked to look.
  echo '{"memory": {"limit": 8000000, "checkBeforeUpdate": true}}' >"$HOME_OF_TEST/limits"
  run -1 bundle update "$ID" "$HOME_OF_TEST/limits"
  assert_output --regexp "^cutaway-bundle: update '$ID': cgroup: set linux.resources.memory.limit to 8000000: [0-9]+ bytes are in use$"
  assert_equal "$(status_of)" running
  assert_nothing_left
}

@test "where all the processes are that may be, an exec is told so; a kill and a delete still work" {
  config '.linux.resources.pids = {limit: 2}'
  script 'sleep 1000 & echo ready; exec sleep 1000'
  start_bundle
  retry 30 grep -q ready "$HOME_OF_TEST/out"
  if on_cgroup_v2; then # born in the group; on v1 it is moved there, which no limit stops
    run -1 exec_bundle true
    assert_output --regexp "^cutaway-bundle: exec in '$ID': launch: [^"$'\n'"]*Resource temporarily unavailable \(EAGAIN\); try: the limit of processes \(ulimit -u, pids.max\) is reached$"
  else
    run ! exec_bundle 'true | true'
    assert_output "/bin/sh: can't fork: Resource temporarily unavailable"
  fi
  bundle kill --all "$ID" KILL
  retry 30 eval '[ "$(status_of)" = stopped ]'
  assert_nothing_left
}

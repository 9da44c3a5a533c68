#!/usr/bin/env bats
# output.bats - lists, documents, lines of the log and help: the forms that programs read.

# shellcheck disable=SC2030,SC2031,SC2153 # each test is a process with a BUNDLE of its own, from lib
load lib

@test "list is a table, JSON, or ids; an empty one is null as in Go" {
  run -0 cutaway_runc list
  assert_output "ID          PID         STATUS      BUNDLE      CREATED     OWNER"
  run -0 cutaway_runc list -f json
  assert_output null
  script 'exec sleep 100'
  begin
  run -0 cutaway_runc list -q
  assert_output "$ID"
  run -0 cutaway_runc list
  assert_line --regexp "^$ID +$(state pid) +running +$BUNDLE +$(state created) +root\$"
  run -0 cutaway_runc list --format=json
  assert_equal "$(jq -c 'map([.id, .status, .owner])' <<<"$output")" "[[\"$ID\",\"running\",\"root\"]]"
  run -1 cutaway_runc list -f xml
  assert_output --partial "invalid format option 'xml'"
}

@test "the state's keys are in runc's order, and annotations are in it" {
  config '.annotations = {"a.b": "c"}'
  make
  run -0 cutaway_runc state "$ID"
  assert_equal "$(jq -c keys_unsorted <<<"$output")" \
    '["ociVersion","id","pid","status","bundle","rootfs","created","annotations","owner"]'
  assert_equal "$(jq -r '.annotations["a.b"]' <<<"$output")" c
}

@test "ps shows the container's processes only, with columns as asked" {
  script 'sleep 100 & exec sleep 101'
  begin
  has_two() { [ "$(cutaway_runc ps -f json "$ID" | jq length)" = 2 ]; }
  retry 5 has_two
  run -0 cutaway_runc ps "$ID"
  assert_line --regexp '^UID +PID +PPID'
  assert_equal "${#lines[@]}" 3
  run -0 cutaway_runc ps "$ID" -o pid,args
  assert_line --regexp "^ *$(state pid) sleep 101\$"
  run -1 cutaway_runc ps "$ID" -o args
  assert_output --partial "couldn't find PID field in ps output"
}

@test "events prints figures in a line, and follows until the end" {
  script 'read x'
  mkfifo "$HOME_OF_TEST/in"
  cutaway_runc create -b "$BUNDLE" "$ID" <"$HOME_OF_TEST/in" >/dev/null 2>&1 &
  exec 7>"$HOME_OF_TEST/in"
  wait $!
  cutaway_runc start "$ID"
  run -0 cutaway_runc events --stats "$ID"
  assert_equal "$(jq -c '[.type, .id, .data.pids.current]' <<<"$output")" "[\"stats\",\"$ID\",1]"
  cutaway_runc events --interval 100ms "$ID" >"$HOME_OF_TEST/events" 7>&- &
  told_twice() { [ "$(grep -c stats "$HOME_OF_TEST/events")" -ge 2 ]; }
  retry 5 told_twice
  exec 7>&-
  wait $!
  run -1 cutaway_runc events --stats "$ID"
  assert_output --partial "container with id $ID is not running"
}

@test "an error is a line of logrus; the log file gets it, and people, too" {
  run -1 cutaway_runc state "$ID"
  assert_output --regexp "^time=\"[0-9-]+T[0-9:]+Z\" level=error msg=\"open the container '$ID': container does not exist\"\$"
  run -1 cutaway_runc --log "$HOME_OF_TEST/log" --log-format json state "$ID"
  assert_output "open the container '$ID': container does not exist"
  run -1 cutaway_runc --log "$HOME_OF_TEST/log" --log-format=json state "$ID"
  assert_equal "$(jq -rs 'map(.level + " " + .msg) | unique | .[]' "$HOME_OF_TEST/log")" \
    "error open the container '$ID': container does not exist"
  assert_equal "$(wc -l <"$HOME_OF_TEST/log")" 2
  run -1 cutaway_runc --log "$HOME_OF_TEST/debug" --debug state "$ID"
  run -0 cat "$HOME_OF_TEST/debug"
  assert_line --partial 'level=debug msg="runtime: container does not exist"'
  run -1 cutaway_runc --log-format xml list
  assert_output --partial "invalid log-format: xml"
}

@test "a wrong command line is answered with the right one, an unknown command with 3" {
  run -1 cutaway_runc kill --foo "$ID"
  assert_line "Incorrect Usage."
  assert_line --partial "flag provided but not defined: -foo"
  run -1 cutaway_runc start
  assert_line --partial '"start\" requires exactly 1 argument(s)'
  run -1 cutaway_runc create --preserve-fds many "$ID"
  assert_line --partial 'invalid value \"many\" for flag -preserve-fds: not a number'
  run -3 cutaway_runc nonsense
  assert_output --partial "No help topic for 'nonsense'"
}

@test "--version and features say what callers look for" {
  run -0 cutaway_runc --version
  assert_line --regexp '^cutaway-runc version [0-9.]+$'
  assert_line --regexp '^spec: 1\.[0-9.]+$'
  run -0 cutaway_runc features
  assert_equal "$(jq -c '[.ociVersionMin, .linux.seccomp.enabled, .linux.cgroup.systemd]' <<<"$output")" '["1.0.0",true,false]'
}

@test "every command has a help, and all are in a manual page without a complaint" {
  local command
  for command in create start run state kill delete exec ps list pause resume update events spec features; do
    run -0 cutaway_runc "$command" --help
    assert_line --partial "cutaway-runc $command"
  done
  cutaway_runc --man >"$HOME_OF_TEST/page"
  run -0 groff -mdoc -Tutf8 -ww "$HOME_OF_TEST/page"
  refute_output --partial "warning"
}

@test "spec writes a configuration that runs, and never over another" {
  local bundle=$HOME_OF_TEST/new
  mkdir "$bundle"
  cp -a "$BUNDLE/rootfs" "$bundle/"
  cutaway_runc spec --bundle "$bundle"
  run -1 cutaway_runc spec --bundle "$bundle"
  assert_output --partial "File config.json exists. Remove it first"
  jq '.process.terminal = false | .process.args = ["hostname"]' "$bundle/config.json" >"$HOME_OF_TEST/config"
  mv "$HOME_OF_TEST/config" "$bundle/config.json"
  run -0 cutaway_runc run -b "$bundle" "$ID" </dev/null
  assert_output runc
}

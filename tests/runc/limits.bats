#!/usr/bin/env bats
# limits.bats - update, by options and by documents.

# shellcheck disable=SC2030,SC2031,SC2153 # each test is a process with a BUNDLE of its own, from lib
load lib

# figure PATH: of `events --stats`.
figure() { cutaway_runc events --stats "$ID" | jq -r ".data.$1"; }

@test "update sets what is named, and leaves what is not" {
  script 'exec sleep 100'
  config '.linux.resources += {pids: {limit: 50}, memory: {limit: 100000000}}'
  begin
  cutaway_runc update --memory 200m --cpu-share 512 "$ID"
  assert_equal "$(figure memory.usage.limit) $(figure pids.limit)" "209715200 50"
  cutaway_runc update --resources - "$ID" <<<'{"pids": {"limit": 60}}'
  assert_equal "$(figure memory.usage.limit) $(figure pids.limit)" "209715200 60"
  echo '{"memory": {"limit": 300003328}}' >"$HOME_OF_TEST/resources"
  cutaway_runc update -r "$HOME_OF_TEST/resources" "$ID"
  assert_equal "$(figure memory.usage.limit)" 300003328
}

@test "a wrong limit is refused, and changes nothing" {
  script 'exec sleep 100'
  config '.linux.resources += {pids: {limit: 50}}'
  begin
  run -1 cutaway_runc update --memory much --pids-limit 60 "$ID"
  assert_output --partial "invalid value for memory: units: invalid size: 'much'"
  run -1 cutaway_runc update --cpu-period -5 "$ID"
  assert_output --partial "invalid value for cpu-period: '-5' is no number"
  run -1 cutaway_runc update --l3-cache-schema L3:0=f "$ID"
  assert_output --partial "set Intel RDT: this runtime cannot"
  run -1 cutaway_runc update -r - "$ID" <<<'{"pids": '
  assert_output --partial "read the resources '-': config: read line 2"
  assert_equal "$(figure pids.limit)" 50
}

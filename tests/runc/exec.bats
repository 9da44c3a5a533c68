#!/usr/bin/env bats
# exec.bats - one more program in a running container.

# shellcheck disable=SC2030,SC2031,SC2153 # each test is a process with a BUNDLE of its own, from lib
load lib

running() {
  script 'exec sleep 100'
  begin
}

@test "exec runs words in the container, with the bundle's environment, and ends as they end" {
  config '.process.env += ["FROM=bundle"]'
  running
  run -0 cutaway_runc exec -e OWN=1 --env "TWO=a b" "$ID" sh -c 'echo $FROM $OWN $TWO; pwd' </dev/null
  assert_output "bundle 1 a b
/"
  run -7 cutaway_runc exec "$ID" sh -c 'exit 7' </dev/null
  run -143 cutaway_runc exec "$ID" sh -c 'kill -TERM $$' </dev/null
}

@test "options behind the id are the program's" {
  running
  run -0 cutaway_runc exec "$ID" echo --tty -d </dev/null
  assert_output -- "--tty -d"
}

@test "an exec that fails itself is 255 and says why" {
  running
  run -255 cutaway_runc exec "$ID" no-such-program </dev/null
  assert_output --partial "no directory of PATH has such a program: no such file or directory"
  run -255 cutaway_runc exec "$ID" </dev/null
  assert_output --partial "process args cannot be empty"
  run -255 cutaway_runc exec --cgroup cpu:/x "$ID" true </dev/null
  assert_output --partial "use --cgroup 'cpu:/x': a group is of all controllers here"
  run -255 cutaway_runc exec -u root "$ID" true </dev/null
  assert_output --partial "use 'root' as a user: it must be a number"
}

@test "user, groups, directory, capabilities and no-new-privs are as asked" {
  config '.process.noNewPrivileges = false'
  running
  run -0 cutaway_runc exec -u 5:6 -g 7 -g 8 --cwd /tmp "$ID" sh -c 'id; pwd' </dev/null
  assert_output "uid=5 gid=6 groups=7,8
/tmp"
  run -0 cutaway_runc exec -c CAP_NET_ADMIN --no-new-privs "$ID" grep -E '^(CapEff|NoNewPrivs)' /proc/self/status </dev/null
  assert_output "CapEff:	0000000020001420
NoNewPrivs:	1"
}

@test "exec --process takes the process as it is; --detach leaves it and its pid" {
  running
  jq '.process | .args = ["/bin/sh", "-c", "echo up; exec sleep 100"]' "$BUNDLE/config.json" >"$HOME_OF_TEST/process.json"
  cutaway_runc exec --process "$HOME_OF_TEST/process.json" --detach --pid-file "$HOME_OF_TEST/pid" "$ID" \
    </dev/null >"$HOME_OF_TEST/exec" 2>&1
  retry 5 grep -q up "$HOME_OF_TEST/exec"
  run -0 cutaway_runc ps -f json "$ID"
  assert_equal "$(jq length <<<"$output")" 2
  assert_equal "$(jq --argjson pid "$(cat "$HOME_OF_TEST/pid")" 'index($pid) != null' <<<"$output")" true
}

@test "a paused container takes no exec unless that is asked for" {
  running
  cutaway_runc pause "$ID"
  run -255 cutaway_runc exec "$ID" true </dev/null
  assert_output --partial "cannot exec in a paused container"
  cutaway_runc exec --ignore-paused -d "$ID" sh -c 'echo later >/tmp/later' </dev/null >/dev/null 2>&1 &
  cutaway_runc resume "$ID"
  wait $!
  retry 5 [ -s "$BUNDLE/rootfs/tmp/later" ]
}

#!/usr/bin/env bats
# runc.bats - cutaway-runc beside the real runc, and under those who call it: dockerd, containerd's shim, podman's conmon.
# Room: tests/interop. Run by: tools/test interop.

# shellcheck disable=SC2030,SC2031,SC2153 # each test is a process with a BUNDLE of its own, from lib
load ../runc/lib
load docker_peer
load podman_peer

teardown() {
  peer_teardown
  if [ -n "${PODMAN_HOME:-}" ]; then end_podman; fi
  if [ -n "${HOME_OF_TEST:-}" ] && [ -d "$HOME_OF_TEST/runc" ]; then
    for id in $(runc --root "$HOME_OF_TEST/runc" list -q); do runc --root "$HOME_OF_TEST/runc" delete -f "$id"; done
  fi
  libcontainer_teardown
}

# ---- the same words to both ----

# peer ARGUMENT…: the real one, on states and with control groups of its own.
peer() { env -u NOTIFY_SOCKET runc --root "$HOME_OF_TEST/runc" "$@" 3>&-; }

# both EXIT ARGUMENT…: both end so; their outputs are $ours and $theirs.
both() {
  local code=$1
  shift
  run -"$code" cutaway_runc "$@" </dev/null
  ours=$output
  run -"$code" peer "$@" </dev/null
  theirs=$output
}

# What differs from run to run is made the same.
plain() { sed -E "s/[0-9]{4}-[0-9-]+T[0-9:.]+Z/TIME/g; s/[0-9]+/N/g; s/ +/ /g"; }
assert_same() { assert_equal "$(plain <<<"$ours")" "$(plain <<<"$theirs")"; }

# One container of each, of the same bundle.
both_run() {
  script 'exec sleep 1000'
  cutaway_runc run -d -b "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1
  cp -a "$BUNDLE/config.json" "$HOME_OF_TEST/config.json"
  config '.linux.cgroupsPath += "-peer"'
  peer run -d -b "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1
  mv "$HOME_OF_TEST/config.json" "$BUNDLE/config.json"
}

@test "lists, states, processes and figures have runc's form" {
  both 0 list
  assert_same
  both 0 list -f json
  assert_same
  both_run
  both 0 list
  assert_same
  both 0 list -q
  assert_same
  both 0 list -f json
  assert_equal "$(jq -c '.[0] | keys_unsorted' <<<"$ours")" "$(jq -c '.[0] | keys_unsorted' <<<"$theirs")"
  both 0 state "$ID"
  assert_equal "$(jq -c keys_unsorted <<<"$ours")" "$(jq -c keys_unsorted <<<"$theirs")"
  assert_equal "$(jq -c 'del(.ociVersion, .pid, .created, .owner)' <<<"$ours")" \
    "$(jq -c 'del(.ociVersion, .pid, .created, .owner)' <<<"$theirs")"
  both 0 ps "$ID"
  assert_equal "$(awk '{ print $1, $8 }' <<<"$ours")" "$(awk '{ print $1, $8 }' <<<"$theirs")"
  both 0 ps -f json "$ID"
  assert_same
  both 0 events --stats "$ID"
  # Every figure that readers know of has the same place.
  paths='[paths(type == "number") | map(strings) | join(".")] | unique | map(select(test("raw|psi|blkio|hugetlb|rdma|throttling") | not)) | .[]'
  run -0 comm -13 <(jq -r "$paths" <<<"$ours") <(jq -r "$paths" <<<"$theirs")
  assert_output ""
}

@test "exit codes, and the words by which callers know a failure, are runc's" {
  local row code words
  both_run
  # EXIT CODE | COMMAND | WORDS: of both.
  while IFS='|' read -r code row words; do
    # shellcheck disable=SC2086 # a command line
    both "$code" $row || fail "$row"
    [[ $ours == *"$words"* ]] || fail "$row: ours does not say '$words': $ours"
    [[ $theirs == *"$words"* ]] || fail "$row: theirs does not say '$words': $theirs"
  done <<END
1|state nobody|container does not exist
1|start nobody|container does not exist
1|kill nobody|container does not exist
1|delete nobody|container does not exist
0|delete -f nobody|
1|delete $ID|cannot delete container $ID that is not stopped: running
1|create -b $BUNDLE $ID|container with given ID already exists
1|resume $ID|container not paused
1|start|"start\\" requires exactly 1 argument(s)
1|start a b|"start\\" requires exactly 1 argument(s)
1|kill --foo $ID|flag provided but not defined: -foo
1|--log-format xml list|invalid log-format: xml
1|list -f xml|invalid format option
3|nonsense|No help topic for 'nonsense'
255|exec $ID no-such-program|
255|exec $ID|process args cannot be empty
7|exec $ID sh -c exit\${IFS}7|
0|exec $ID true|
0|pause $ID|
255|exec $ID true|cannot exec in a paused container
0|resume $ID|
0|update --memory 200m $ID|
1|update --memory much $ID|invalid value for memory
0|kill $ID -a 0|
0|kill $ID KILL|
END
}

@test "spec and features describe the same, where both can" {
  mkdir "$HOME_OF_TEST"/{ours,theirs}
  for option in --rootless=false --rootless; do
    rm -f "$HOME_OF_TEST"/*/config.json
    cutaway_runc spec "$option" -b "$HOME_OF_TEST/ours"
    peer spec "$option" -b "$HOME_OF_TEST/theirs"
    same='del(.ociVersion) | .linux.namespaces |= sort_by(.type)'
    assert_equal "$(jq -S "$same" "$HOME_OF_TEST/ours/config.json")" "$(jq -S "$same" "$HOME_OF_TEST/theirs/config.json")"
  done
  both 0 features
  for field in .hooks .linux.capabilities .linux.namespaces .linux.seccomp.actions .linux.seccomp.operators; do
    # What runc has, this one has.
    run -0 jq -n --argjson ours "$ours" --argjson theirs "$theirs" "(\$theirs | $field) - (\$ours | $field)"
    assert_output "[]"
  done
}

# ---- under Docker ----

@test "a real dockerd runs containers through it" {
  start_dockerd --add-runtime "cutaway=$RUNC"
  docker_run() { docker run --runtime cutaway --network none "$@"; }
  run -0 docker_run --rm busybox echo hello
  assert_output hello
  run -3 docker_run --rm busybox sh -c 'exit 3'
  run -127 docker_run --rm busybox no-such-program
  run -126 docker_run --rm busybox /etc/passwd
  run -0 bash -c "echo piped | docker run --runtime cutaway --network none -i --rm busybox cat"
  assert_output piped
  docker_run -d --name web --memory 64m --pids-limit 40 busybox sh -c 'echo begin; exec sleep 1000'
  run -0 docker exec web sh -c 'echo inside; exit 0'
  assert_output inside
  run -4 docker exec web sh -c 'exit 4'
  docker run -d --name peer --network none busybox sleep 1000 # through the real runc
  run docker exec peer no-such-program
  local theirs=$status
  run docker exec web no-such-program
  assert_equal "$status" "$theirs"
  run -0 docker exec -t web tty
  assert_output --partial /dev/pts/
  run -0 docker logs web
  assert_output begin
  run -0 docker top web
  assert_output --partial "sleep 1000"
  docker pause web
  run -0 docker inspect -f '{{.State.Status}}' web
  assert_output paused
  docker unpause web
  docker update --memory 128m --memory-swap 128m web
  run -0 docker stats --no-stream --format '{{.MemUsage}}' web
  assert_output --partial "/ 128MiB"
  docker stop -t 0 web
  run -0 docker inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.HostConfig.Runtime}}' web
  assert_output "exited 137 cutaway"
  docker start web
  docker kill web
  docker rm web
  run -0 docker events --since 1h --until "$(($(date +%s) + 1))" --filter container=web --format '{{.Status}}'
  for event in create start pause unpause die; do assert_line "$event"; done
}

@test "docker's terminal, and its health checks, work through it" {
  start_dockerd --add-runtime "cutaway=$RUNC"
  mkfifo "$HOME_OF_TEST/keys"
  exec 8<>"$HOME_OF_TEST/keys" # nobody types, and it does not end
  run -0 command script -qec "stty rows 12 cols 34; docker run --runtime cutaway --network none --rm -it busybox sh -c 'until [ \"\$(stty size 2>/dev/null)\" ]; do :; done; stty size'" \
    /dev/null <&8 3>&-
  # The client sets the size once it runs: before that there is none.
  run -0 tr -d '\r' <<<"$output"
  assert_line "12 34"
  docker run -d --runtime cutaway --network none --name web --health-cmd 'echo well' --health-interval 100ms busybox sleep 1000
  healthy() { [ "$(docker inspect -f '{{.State.Health.Status}}' web)" = healthy ]; }
  retry 20 healthy
}

# ---- under containerd alone ----

@test "a real containerd's shim runs containers through it" {
  mkdir "$HOME_OF_TEST/containerd"
  cat >"$HOME_OF_TEST/containerd/config.toml" <<END
version = 2
root = "$HOME_OF_TEST/containerd/root"
state = "$HOME_OF_TEST/containerd/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "$HOME_OF_TEST/containerd/sock"
END
  containerd -c "$HOME_OF_TEST/containerd/config.toml" >"$HOME_OF_TEST/containerd/log" 2>&1 3>&- &
  local containerd=$!
  peer_ctr() { ctr -a "$HOME_OF_TEST/containerd/sock" "$@" 3>&-; }
  retry 20 peer_ctr version >/dev/null 2>&1
  peer_ctr image import "$BUILD/tools/busybox.tar" >/dev/null
  local image
  image=$(peer_ctr image ls -q | head -n 1)
  ctr_run() { peer_ctr run --runc-binary "$RUNC" "$@"; }
  run -0 ctr_run --rm "$image" "$ID" echo hello </dev/null
  assert_output hello
  run -7 ctr_run --rm "$image" "$ID" sh -c 'exit 7' </dev/null
  ctr_run -d "$image" "$ID" sleep 1000
  run -0 peer_ctr task exec --exec-id one "$ID" echo inside </dev/null
  assert_output inside
  run -0 peer_ctr task ls
  assert_line --regexp "^$ID +[0-9]+ +RUNNING"
  peer_ctr task pause "$ID"
  run -0 peer_ctr task ls
  assert_line --regexp "^$ID +[0-9]+ +PAUSED"
  peer_ctr task resume "$ID"
  run -0 peer_ctr task ps "$ID"
  assert_equal "${#lines[@]}" 2
  peer_ctr task kill -s KILL "$ID"
  run -0 peer_ctr task delete "$ID"
  run -0 peer_ctr container rm "$ID"
  kill "$containerd"
  wait "$containerd"
}

# ---- under podman and its conmon ----

@test "podman and conmon run containers through it" {
  podman_with "$RUNC"
  podman_run() { peer_podman run --network none --pull never --cgroupns host "$@"; }
  run -0 podman_run --rm busybox echo hello </dev/null
  assert_output hello
  run -5 podman_run --rm busybox sh -c 'exit 5' </dev/null
  # libcontainer looks for the program when it is started, and podman reads the reasons of creations only.
  run -126 podman_run --rm busybox no-such-program </dev/null
  assert_output --partial "no directory of PATH has such a program"
  run -126 podman_run --rm busybox /etc/passwd </dev/null
  podman_run -d --name web busybox sh -c 'echo begin; exec sleep 1000' </dev/null
  run -0 peer_podman exec web echo inside </dev/null
  assert_output inside
  run -0 peer_podman exec -t web tty </dev/null
  assert_output --partial /dev/pts/
  run -0 peer_podman logs web
  assert_output begin
  peer_podman stop -t 0 web
  run -0 peer_podman inspect -f '{{.State.Status}} {{.State.ExitCode}}' web
  assert_output "exited 137"
  run -0 peer_podman rm web
}

# ---- under conmon alone, which CRI-O calls so ----

# conmon_of_test OPTION…: with what CRI-O always says. conmon tells on descriptor 3 (_OCI_SYNCPIPE) the pid, or why
# there is none, and waits for descriptor 4 before it begins.
conmon_of_test() {
  _OCI_SYNCPIPE=3 _OCI_STARTPIPE=4 conmon --syslog=false --log-level error -c "$ID" -n web -r "$RUNC" --runtime-arg "--root=$STATES" \
    --socket-dir-path "$HOME_OF_TEST/attach" "$@" 3>"$HOME_OF_TEST/sync" 4< <(printf x) </dev/null
}

# conmon_create: a container of the bundle, made and not started, as by CRI-O's CreateContainer.
conmon_create() {
  mkdir "$HOME_OF_TEST"/{exits,attach,persist}
  conmon_of_test -u "$ID" -b "$BUNDLE" --persist-dir "$HOME_OF_TEST/persist" -p "$HOME_OF_TEST/pid" -P "$HOME_OF_TEST/conmon.pid" \
    -l "k8s-file:$HOME_OF_TEST/log" --exit-dir "$HOME_OF_TEST/exits"
}

told_by_conmon() { jq -er "$1" "$HOME_OF_TEST/sync" 2>&1; }

@test "conmon called directly, as CRI-O does: create, start, exec, log, exit code, delete" {
  script 'echo out; echo wrong >&2; trap "exit 7" TERM; while :; do sleep 0.1; done'
  conmon_create
  retry 20 test -s "$HOME_OF_TEST/sync"
  run -0 state status
  assert_output created
  assert_equal "$(cat "$HOME_OF_TEST/pid")" "$(state pid)"
  assert_equal "$(told_by_conmon .pid)" "$(state pid)"
  cutaway_runc start "$ID"
  retry 10 grep -q 'stderr F wrong' "$HOME_OF_TEST/log"
  run -0 cut -d' ' -f2- "$HOME_OF_TEST/log"
  assert_line "stdout F out"
  # As CRI-O's ExecSync: a conmon of its own, with the process in a file.
  jq '.process | .args = ["sh", "-c", "echo inside; exit 4"]' "$BUNDLE/config.json" >"$HOME_OF_TEST/process.json"
  run -4 conmon_of_test --sync -e --exec-process-spec "$HOME_OF_TEST/process.json" -l "k8s-file:$HOME_OF_TEST/exec.log" -p "$HOME_OF_TEST/exec.pid"
  assert_equal "$(jq -s 'last | .exit_code' "$HOME_OF_TEST/sync")" 4
  run -0 cut -d' ' -f2- "$HOME_OF_TEST/exec.log"
  assert_output "stdout F inside"
  cutaway_runc kill "$ID" TERM
  retry 10 test -s "$HOME_OF_TEST/exits/$ID"
  assert_equal "$(cat "$HOME_OF_TEST/exits/$ID")" 7
  run -0 state status
  assert_output stopped
  cutaway_runc delete "$ID"
}

@test "conmon is told why a container could not be made" {
  script true
  config '.root.path = "nowhere"'
  conmon_create
  retry 20 test -s "$HOME_OF_TEST/sync"
  assert_equal "$(told_by_conmon .pid)" -1
  run -0 told_by_conmon .message
  assert_output --partial nowhere
}

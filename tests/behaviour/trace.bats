#!/usr/bin/env bats
# trace.bats - what a user sees of the tracer.

load lib

ROLE=lxc # who makes the container; from stage 03 on it is our own library
if [ "$STAGE" != 01 ] && [ "$STAGE" != 02 ]; then ROLE=runtime; fi
MONITOR=cutaway-monitor # in stage 04 it is a thread
if [ "$STAGE" = 04 ]; then MONITOR=monitor; fi

# Docker's own containerd tells nothing, nor does what it starts.
untold() { [ "${BEHIND:-}" = docker ]; }

trace() {
  env CUTAWAY_ROOT="$ROOT" CUTAWAY_RUN="$RUN" CUTAWAY_STAGE="$STAGE" COLUMNS=160 "$BUILD/trace/cutaway-trace" "$@" 3>&-
}

@test "a start is seen from the command line to the container's first instruction" {
  cutaway create --name web busybox echo hello
  run -0 trace record -o "$HOME_OF_TEST/t" -- "$BUILD/cutaway" start web
  run -0 trace show "$HOME_OF_TEST/t"
  assert_line --regexp 'client .*command: cutaway start web|client .*command: .*start web'
  assert_line --regexp 'engine .*engine_container_start\(web\)'
  if untold; then
    assert_line --partial "not recorded: containerd, shim, runtime, container: who answered 'containerd.services."
    return
  fi
  if [ "$ROLE" = lxc ]; then assert_line --regexp 'lxc .*exec .*/lxc-start'; fi
  assert_line --regexp "$ROLE .*CLONE_NEWPID"
  assert_line --regexp "$ROLE .*pivot_root|$ROLE .*move_mount"
  assert_line --regexp 'container .*exec .*: echo hello'
  assert_line --regexp "first instruction came after"
}

# assert_hop ASKS ANSWERS MESSAGE MESSAGE: both sides of a border, each with what it was told.
assert_hop() {
  assert_line --regexp "^ +[0-9.]+ $1 .* (request|spawn-runtime|spawn-shim): $3"
  assert_line --regexp "^ +[0-9.]+ $2 .* (reply|command): $4"
}

@test "each of the six boxes tells what it was asked, and whom it asked" {
  if [ "$STAGE" != 04 ] || untold; then return; fi
  local how how_told=() task=containerd.task.v2.Task services=containerd.services
  for how in bpf no-bpf; do
    [ $how = bpf ] || how_told=(--no-bpf)
    cutaway create --name web --init busybox env
    run -0 trace record "${how_told[@]}" -o "$HOME_OF_TEST/t" -- "$BUILD/cutaway" start -a web
    refute_output --partial TRACE
    run -0 trace show "$HOME_OF_TEST/t"
    refute_line --regexp '^(spans|not recorded): '
    assert_hop client engine 'POST .*/start' 'POST .*/start'
    assert_hop '(monitor|engine)' containerd $services.tasks.v1.Tasks/Start $services.tasks.v1.Tasks/Start
    assert_hop containerd shim 'cutaway-containerd-shim -namespace cutaway -id ' 'cutaway-containerd-shim -id [0-9a-f]+ start'
    assert_hop containerd shim "$task/Create id=[0-9a-f]+ bundle=" "$task/Create id="
    assert_hop containerd shim "$task/Start id=" "$task/Start id="
    assert_hop shim runtime 'cutaway-runc create --bundle ' 'cutaway-runc create '
    assert_hop shim runtime 'cutaway-runc start ' 'cutaway-runc start '
    assert_line --regexp 'runtime .*exec: execve /sbin/docker-init'
    if [ $how = bpf ]; then
      assert_line --regexp 'shim .*prctl PR_SET_CHILD_SUBREAPER 1'
      assert_line --regexp 'init .*exec /sbin/docker-init: '
      assert_line --regexp 'container .*exec .*: env$'
    fi
    cutaway rm -f web
  done
}

@test "a shim that serves belongs to the trace while it is asked" {
  if [ "$STAGE" != 04 ] || untold; then return; fi
  local how how_told=() task=containerd.task.v2.Task
  cutaway run -d --name web --network none busybox sleep 1000
  for how in bpf no-bpf; do
    [ $how = bpf ] || how_told=(--no-bpf)
    run -0 trace record "${how_told[@]}" -o "$HOME_OF_TEST/t" -- "$BUILD/cutaway" exec web env
    refute_output --partial TRACE
    run -0 trace show "$HOME_OF_TEST/t"
    assert_hop containerd shim $task/Exec $task/Exec
    assert_hop containerd shim $task/Start $task/Start
    assert_hop shim runtime 'cutaway-runc exec ' 'cutaway-runc exec '
  done
  cutaway exec web true
  run -0 jq -e -s 'map(.trace // empty) | unique | length == 1' "$HOME_OF_TEST/t"
}

@test "record ends with the command's exit code and leaves its output alone" {
  run -7 trace record -o "$HOME_OF_TEST/t" -- sh -c 'echo out; exit 7'
  assert_output "out"
  run -127 trace record -o "$HOME_OF_TEST/t" -- /no/such/program
}

@test "namespaces, mounts and exits of any program are decoded" {
  run -0 trace record -o "$HOME_OF_TEST/t" -- unshare --mount --uts sh -c 'mount -t tmpfs none /mnt; hostname x'
  run -0 trace show "$HOME_OF_TEST/t"
  assert_line --regexp "unshare CLONE_NEWNS\|CLONE_NEWUTS"
  assert_line --regexp "'none' on '/mnt' type tmpfs|fsopen tmpfs"
  assert_line --regexp "sethostname x"
  assert_line --regexp "exit 0"
}

@test "an argument that only the call itself brings into memory is told, too" {
  printf 'tmpfs\0' >"$HOME_OF_TEST/word"
  cat >"$HOME_OF_TEST/cold.py" <<'END'
# fsopen(2) with a name in a page of a file that nobody has touched before.
import ctypes, sys
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.syscall.argtypes = [ctypes.c_long, ctypes.c_void_p, ctypes.c_uint]
with open(sys.argv[1], "rb") as file:
    libc.syscall(430, libc.mmap(None, 4096, 1, 2, file.fileno(), 0), 1)
END
  run -0 trace record -o "$HOME_OF_TEST/t" -- python3 "$HOME_OF_TEST/cold.py" "$HOME_OF_TEST/word"
  run -0 trace show "$HOME_OF_TEST/t"
  assert_line --regexp 'fsopen tmpfs$'
}

@test "what gives a program its user and takes its power is decoded" {
  run -0 trace record -o "$HOME_OF_TEST/t" -- unshare --user --map-root-user \
    setpriv --bounding-set=-chown --inh-caps=-all --no-new-privs true
  run -0 trace show "$HOME_OF_TEST/t"
  assert_line --regexp "write '[0-9]+/uid_map' <- '0 0 1'"
  assert_line --regexp "write '[0-9]+/setgroups' <- 'deny'"
  assert_line --regexp "prctl PR_CAPBSET_DROP CAP_CHOWN"
  assert_line --regexp "capset permitted and effective: (all capabilities|CAP_.*)"
  assert_line --regexp "prctl PR_SET_NO_NEW_PRIVS"
  run -0 trace record -o "$HOME_OF_TEST/t" -- prlimit --nofile=100:200 \
    setpriv --reuid 65534 --regid 65533 --groups 7,8 true
  run -0 trace show "$HOME_OF_TEST/t"
  assert_line --regexp "prlimit64 RLIMIT_NOFILE 100:200"
  assert_line --regexp "setgroups 7 8"
  assert_line --regexp "setresgid 65533 65533 65533"
  assert_line --regexp "setresuid 65534 65534 65534"
}

@test "limits, devices and programs of a container are seen as they reach the kernel" {
  run -0 trace record -o "$HOME_OF_TEST/t" -- "${CUTAWAY[@]}" run --rm --network none -m 64m busybox true
  run -0 trace show "$HOME_OF_TEST/t"
  if untold; then return; fi
  assert_line --regexp "write '.*/memory\.(max|limit_in_bytes)' <- '67108864'"
  assert_line --regexp "seccomp SECCOMP_SET_MODE_FILTER, a filter of [1-9][0-9]* instructions|PR_SET_SECCOMP, a filter"
  assert_line --regexp "devices.allow' <- 'c 1:3 rwm'|bpf BPF_PROG_LOAD CGROUP_DEVICE, "
  assert_line --regexp "fsmount fd [0-9]+"
  run -0 jq -e -s 'all(.[] | select(.t == "call"); .name | startswith("syscall") | not)' "$HOME_OF_TEST/t"
}

@test "a program that cannot be executed is seen as a call that failed" {
  run -127 trace record -o "$HOME_OF_TEST/t" -- /no/such/program
  run -0 trace show "$HOME_OF_TEST/t"
  assert_line --regexp "client .*execve /no/such/program = ENOENT"
}

@test "every line of a recording is JSON with the fields of the schema" {
  run -0 trace record -o "$HOME_OF_TEST/t" -- "$BUILD/cutaway" version
  run -0 jq -e -s 'all(.[]; has("t") and has("ns")) and .[0].t == "header" and .[-1].t == "footer" and .[-1].lost == 0' "$HOME_OF_TEST/t"
}

@test "the Chrome trace is JSON with slices of every role" {
  cutaway create --name web busybox true
  run -0 trace run -o "$HOME_OF_TEST/t" -- "$BUILD/cutaway" start web
  run -0 jq -r '[.traceEvents[] | select(.ph == "M") | .args.name | split(" ")[1]] | unique | join(" ")' "$HOME_OF_TEST/t.json"
  assert_output --partial "client"
  if ! untold; then assert_output --partial "$ROLE"; fi
  if [ "$STAGE" != 04 ]; then assert_output --partial "monitor"; fi # a thread is no process
}

@test "without BPF the spans are still there and the kernel's rows say why not" {
  cutaway create --name web busybox true
  run -0 trace record --no-bpf -o "$HOME_OF_TEST/t" -- "$BUILD/cutaway" start web
  assert_output --partial "kernel events are not recorded"
  refute_output --partial "spans are not recorded"
  run -0 trace show "$HOME_OF_TEST/t"
  assert_line --regexp 'client .*command: cutaway start web|client .*command: .*start web'
  assert_line --regexp 'engine .*engine_container_start\(web\)'
  assert_line --regexp "monitor .*start: $MONITOR "
  if untold; then
    assert_line --regexp "monitor .*exec: Tasks/Start "
  else
    assert_line --regexp 'exec: (sysinit: go: execve true|execve true)'
  fi
  assert_line --partial "kernel: not recorded: "
  assert_equal "$(ls "$RUN/trace")" ""
}

@test "without BPF a monitor that ran before belongs to the trace while it is asked" {
  cutaway run -d --name web --network none busybox sleep 1000
  run -0 trace record --no-bpf -o "$HOME_OF_TEST/t" -- "$BUILD/cutaway" exec web echo hi
  assert_line "hi"
  run -0 trace show "$HOME_OF_TEST/t"
  assert_line --regexp 'monitor .*exec_run\(echo\)'
  run -0 cutaway exec web true
  run -0 jq -e -s 'map(.trace // empty) | unique | length == 1' "$HOME_OF_TEST/t"
}

@test "without BPF a daemon that is told another run directory is said to be not recorded" {
  run -0 trace record --no-bpf --run "$HOME_OF_TEST" -o "$HOME_OF_TEST/t" -- "${CUTAWAY[@]}" ps
  if [ "$STAGE" = 01 ]; then
    refute_output --partial "spans are not recorded"
    return
  fi
  assert_line --partial "the daemon's spans are not recorded: it runs as another user or with another run directory than '$HOME_OF_TEST'"
  run -0 trace show "$HOME_OF_TEST/t"
  assert_line --partial "spans: the daemon's spans are not recorded: "
}

@test "without rights the spans are still there, and one sentence says what is missing" {
  chmod 777 "$HOME_OF_TEST"
  run setpriv --reuid 65534 --clear-groups --no-new-privs "$BUILD/trace/cutaway-trace" record -o "$HOME_OF_TEST/t" -- "$BUILD/cutaway" version
  assert_output --partial "kernel events are not recorded"
  run -0 trace show "$HOME_OF_TEST/t"
  assert_line --partial "kernel: not recorded: "
}

@test "a file that is no recording is refused with its line" {
  echo '{"a":1}' >"$HOME_OF_TEST/t"
  run -125 trace show "$HOME_OF_TEST/t"
  assert_output --partial "line 1: it is no event of a recording"
}

@test "cutaway trace is the short form" {
  cutaway create --name web busybox true
  cd "$HOME_OF_TEST"
  CUTAWAY_ROOT=$ROOT CUTAWAY_RUN=$RUN CUTAWAY_STAGE=$STAGE run -0 "$BUILD/cutaway" trace start web
  assert_output --partial "engine_container_start(web)"
  assert_output --partial "recording: cutaway.trace"
  assert_output --partial "page:      cutaway.trace.html"
  run -0 grep -c 'engine_container_start(web)' cutaway.trace.html
}

@test "compare shows what a second recording has more" {
  cutaway create --name web busybox true
  run -0 trace record -o "$HOME_OF_TEST/a" -- "$BUILD/cutaway" inspect web
  run -0 trace record -o "$HOME_OF_TEST/b" -- "$BUILD/cutaway" start web
  run -0 trace compare "$HOME_OF_TEST/a" "$HOME_OF_TEST/b"
  if untold; then
    assert_output --partial "(not recorded in b: containerd, shim, runtime, container: who answered"
    return
  fi
  assert_line --regexp '^processes +[0-9]+ +[0-9]+ \+[1-9][0-9]*'
  assert_line --regexp '^system calls +[0-9]+ +[0-9]+ \+[1-9][0-9]*'
  assert_line --regexp "^  client -> engine +$([ "$STAGE" = 01 ] && echo call || echo '[0-9]+ messages?') "
  # To start a thread is no message.
  assert_line --regexp "^  engine -> monitor +- +$([ "$STAGE" = 04 ] && echo call || echo '1 message')"
  assert_line --regexp '^From a to b: \+[1-9][0-9]* processes, \+[1-9][0-9]* messages, .* system calls,'
  run -125 trace compare "$HOME_OF_TEST/a"
}

#!/usr/bin/env bats
# init.bats - cutaway-init beside the real tini: the same command lines to both; and in the place of docker-init.
# Room: tests/interop. Run by: tools/test interop.

BATS_LIB_PATH=${BATS_LIB_PATH:-/usr/lib/bats}
bats_load_library bats-support
bats_load_library bats-assert
bats_require_minimum_version 1.8.0

load docker_peer

BUILD=${BUILD:-$(cd "$BATS_TEST_DIRNAME/../.." && pwd)/build}
INIT=$BUILD/stages/04-modular/init/cutaway-init

retry() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.05
  done
}

# both EXIT OUTPUT ARGUMENT…: as a child of the test, and as process 1.
both() {
  local code=$1 expected=$2 init
  shift 2
  for init in tini "$INIT"; do
    run -"$code" "$init" -s "$@" </dev/null 3>&-
    assert_output "$expected"
    run -"$code" unshare --pid --fork --kill-child "$init" "$@" </dev/null 3>&-
    assert_output "$expected"
  done
}

@test "the program's output and exit code are the program's; a signal is 128 and its number" {
  both 0 hello -- echo hello
  both 0 hello echo hello
  both 7 "" -- sh -c 'exit 7'
  both 143 "" -- sh -c 'kill -TERM $$'
  both 137 "" -- sh -c 'kill -KILL $$'
  both 0 "" -e 143 -- sh -c 'kill -TERM $$'
  both 0 "" -e 3 -e 7 -- sh -c 'exit 7'
}

@test "a program that cannot be run is 127 or 126, with the reason" {
  for init in tini "$INIT"; do
    run -127 "$init" -s -- no-such-program
    assert_output --regexp '^\[FATAL [a-z-]+ \([0-9]+\)\] exec no-such-program failed: No such file or directory$'
    run -126 "$init" -s -- /etc/passwd
    assert_output --regexp '^\[FATAL [a-z-]+ \([0-9]+\)\] exec /etc/passwd failed: Permission denied$'
  done
}

@test "wrong options end with 1, questions with 0" {
  for init in tini "$INIT"; do
    run -1 "$init"
    run -1 "$init" -x true
    run -1 "$init" -e 256 true
    assert_output --partial "Not a valid option for -e: 256"
    run -1 "$init" -p FOO true
    assert_output --partial "Not a valid option for -p: FOO"
    run -0 "$init" -h
    run -0 "$init" -l
    run -0 "$init" --version
    assert_output --regexp '^tini version [0-9.]+'
  done
}

@test "neither process 1 nor a subreaper: a warning, and it goes on" {
  for init in tini "$INIT"; do
    run -0 "$init" -- echo on
    assert_line --regexp '^\[WARN  [a-z-]+ \([0-9]+\)\]'
    assert_line on
    run -0 env TINI_VERBOSITY=0 "$init" -- echo on
    assert_output on
  done
}

@test "every signal that can be caught reaches the program, the real-time ones, too" {
  # A program that says which signal came; all that the kernel has but KILL, STOP and those of one's own faults.
  cat >"$BATS_TEST_TMPDIR/says.py" <<'END'
import signal, ctypes, os, sys
libc = ctypes.CDLL(None)
mask = ctypes.c_uint64(0xffffffffffffffff)
libc.syscall(14, 2, ctypes.byref(mask), None, 8)  # rt_sigprocmask, SIG_SETMASK
print("ready", flush=True)
while True:
    number = libc.syscall(128, ctypes.byref(mask), None, None, 8)  # rt_sigtimedwait
    print(number, flush=True)
    if number == 64:
        sys.exit(0)
END
  local number own=" 4 5 6 7 8 9 11 17 19 21 22 31 "
  "$INIT" -s -- python3 "$BATS_TEST_TMPDIR/says.py" >"$BATS_TEST_TMPDIR/out" 3>&- &
  local init=$! expected=(ready)
  retry 10 grep -q ready "$BATS_TEST_TMPDIR/out"
  for number in {1..64}; do
    [[ $own == *" $number "* ]] && continue
    case $number in # the shell knows no names of what its C library keeps for itself
      32 | 33) python3 -c 'import ctypes, sys; ctypes.CDLL(None).syscall(62, int(sys.argv[1]), int(sys.argv[2]))' "$init" "$number" ;;
      *) kill -"$number" "$init" ;;
    esac
    expected+=("$number")
    retry 10 grep -qx "$number" "$BATS_TEST_TMPDIR/out"
  done
  wait "$init"
  assert_equal "$(cat "$BATS_TEST_TMPDIR/out")" "$(printf '%s\n' "${expected[@]}")"
}

@test "orphans are reaped, and with -w each is told" {
  for init in tini "$INIT"; do
    run -0 "$init" -s -w -- sh -c '(sleep 0.2 & echo $! >"$0"); until ! kill -0 $(cat "$0") 2>/dev/null; do sleep 0.05; done' \
      "$BATS_TEST_TMPDIR/orphan" 3>&-
    assert_output --partial "Reaped zombie process with pid=$(cat "$BATS_TEST_TMPDIR/orphan")"
  done
}

@test "-g reaches the program's whole group, without it the program alone" {
  local init
  for init in tini "$INIT"; do
    : >"$BATS_TEST_TMPDIR/out"
    "$init" -s -g -- sh -c 'trap "echo parent; wait; exit 0" TERM; sh -c "trap \"echo child; exit 0\" TERM; echo up; while :; do sleep 0.05; done" & while :; do wait; done' \
      >"$BATS_TEST_TMPDIR/out" 3>&- &
    retry 10 grep -q up "$BATS_TEST_TMPDIR/out"
    kill -TERM $!
    wait $!
    run -0 sort "$BATS_TEST_TMPDIR/out"
    assert_output "child
parent
up"
  done
}

@test "on a terminal the program has the foreground" {
  local init
  for init in tini "$INIT"; do
    run -0 script -qec "$init -s -- sh -c 'ps -o tpgid= -p \$\$; echo \$\$'" /dev/null </dev/null 3>&-
    assert_equal "$(tr -d ' \r' <<<"${lines[0]}")" "$(tr -d ' \r' <<<"${lines[1]}")"
  done
}

@test "it is static, under 100 kB, and asks for no heap" {
  run -0 file "$INIT"
  assert_output --partial "statically linked"
  assert [ "$(stat -c %s "$INIT")" -lt 100000 ]
  strace -o "$BATS_TEST_TMPDIR/calls" "$INIT" -s -- /bin/true 3>&-
  run -0 cat "$BATS_TEST_TMPDIR/calls"
  assert_line --partial "rt_sigtimedwait"
  refute_line --regexp '^(brk|mmap|mremap)'
}

@test "the parent's death ends it with -p" {
  local init
  for init in tini "$INIT"; do
    # shellcheck disable=SC2016 # for the inner shell
    sh -c '"$0" -s -p SIGTERM -- sleep 1000 & echo $! >"$1"; until [ -d /proc/$!/task/$!/ ] && [ -n "$(cat /proc/$!/task/$!/children)" ]; do :; done' \
      "$init" "$BATS_TEST_TMPDIR/pid" 3>&-
    gone() { [ ! -e "/proc/$(cat "$BATS_TEST_TMPDIR/pid")/root" ]; }
    retry 10 gone
  done
}

@test "a real dockerd has it for docker-init" {
  start_dockerd --init-path "$INIT"
  run -0 docker info --format '{{.InitBinary}}'
  assert_output "$INIT"
  run -0 docker run --rm --init --network none busybox sh -c 'head -c 30 /proc/1/cmdline | tr "\0" " "; exit'
  assert_output --partial "/sbin/docker-init -- sh -c"
  run -5 docker run --rm --init --network none busybox sh -c 'exit 5'
  docker run -d --init --name web --network none busybox sleep 1000
  docker stop -t 20 web
  # Process 1 without a handler would have been killed after 20 seconds: 137.
  run -0 docker inspect -f '{{.State.ExitCode}}' web
  assert_output 143
}

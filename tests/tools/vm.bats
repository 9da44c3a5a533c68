#!/usr/bin/env bats
# vm.bats - the virtual machine: what goes in, what comes out, and what is forgotten; the report of its suite.

BATS_LIB_PATH=${BATS_LIB_PATH:-/usr/lib/bats}
bats_load_library bats-support
bats_load_library bats-assert
bats_require_minimum_version 1.8.0

setup() {
  CHECKOUT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
}

vm_run() { "$CHECKOUT/tests/vm/run" "$@" 3>&-; }

need_machine() {
  local missing
  missing=$(vm_run --missing)
  [ -z "$missing" ] || skip "$missing"
  [ "$(id -u)" -eq 0 ] || skip "virtiofsd needs root"
}

@test "output and exit code come out, what is written is forgotten but in --rw folders" {
  need_machine
  run -7 --separate-stderr vm_run --rw "$BATS_TEST_TMPDIR" bash -c "
    stat --format=%T --file-system /sys/fs/cgroup
    touch README.md.changed '$BATS_TEST_TMPDIR/kept'
    sleep 1000 & # does not keep the machine
    exit 7"
  assert_output "cgroup2fs"
  assert [ -e "$BATS_TEST_TMPDIR/kept" ]
  assert [ ! -e "$CHECKOUT/README.md.changed" ]
}

@test "when the time is up that is told by its exit code" {
  need_machine
  run -124 vm_run --timeout 1 sleep 1000
  assert_output --partial "the time was up: 1 s"
}

@test "what is missing is named with the fix" {
  mkdir "$BATS_TEST_TMPDIR/bin"
  for program in bash dirname; do ln -s "$(command -v "$program")" "$BATS_TEST_TMPDIR/bin/$program"; done
  printf '#!/bin/sh\necho x86_64\n' >"$BATS_TEST_TMPDIR/bin/uname"
  chmod +x "$BATS_TEST_TMPDIR/bin/uname"
  run -0 env PATH="$BATS_TEST_TMPDIR/bin" BUILD="$BATS_TEST_TMPDIR" KERNEL_SYSTEM="$BATS_TEST_TMPDIR" \
    "$CHECKOUT/tests/vm/run" --missing
  assert_line "qemu-system-x86_64: apt-get install qemu-system-x86"
  assert_line "Debian's cloud kernel: tools/setup test"
}

@test "the suite numbers all tests on, and counts a crash and a command without tests as failures" {
  cat >"$BATS_TEST_TMPDIR/list" <<'END'
# comment

echo 1..2; echo 'ok 1 - a'; echo 'ok 2 - b # skip why'
echo 'ok 1 - c'; exit 3
true
END
  run -1 "$CHECKOUT/tests/vm/suite" "$BATS_TEST_TMPDIR/report" "$BATS_TEST_TMPDIR/list"
  run -0 grep -E '^(ok|not|1)' "$BATS_TEST_TMPDIR/report"
  assert_line --index 0 "ok 1 - a"
  assert_line --index 1 "ok 2 - b # skip why"
  assert_line --index 2 "ok 3 - c"
  assert_line --index 3 "not ok 4 - ended with status 3 after 1 tests: echo 'ok 1 - c'; exit 3"
  assert_line --index 4 "not ok 5 - ended with status 0 after 0 tests: true"
  assert_line --index 5 "1..5"
}

@test "a test that cmocka skipped does not fail the suite" {
  echo "echo 'not ok 1 # SKIP a'" >"$BATS_TEST_TMPDIR/list"
  run -0 "$CHECKOUT/tests/vm/suite" "$BATS_TEST_TMPDIR/report" "$BATS_TEST_TMPDIR/list"
}

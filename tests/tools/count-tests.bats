#!/usr/bin/env bats
# count-tests.bats - the numbers that continuous integration reports are added up rightly.

BATS_LIB_PATH=${BATS_LIB_PATH:-/usr/lib/bats}
bats_load_library bats-support
bats_load_library bats-assert
bats_require_minimum_version 1.8.0

count() { "$BATS_TEST_DIRNAME/../../tools/count-tests" "$@"; }

# meson_log RESULT TAP…: one line of a testlog.json, as meson writes it.
meson_log() {
  local result=$1
  shift
  jq -cn --arg result "$result" --arg stdout "$(printf '%s\n' "$@")" '{name: "x", result: $result, stdout: $stdout}'
}

@test "TAP files are added up" {
  printf '1..3\nok 1 a\nnot ok 2 b\nok 3 c # skip no such thing\n' >"$BATS_TEST_TMPDIR/a.tap"
  printf '1..1\nok 1 a\n' >"$BATS_TEST_TMPDIR/b.tap"
  run -0 count "$BATS_TEST_TMPDIR"/{a,b}.tap
  assert_output "2 passed, 1 failed, 1 skipped"
}

@test "each test inside a program of meson's log counts" {
  {
    meson_log OK "1..2" "ok 1 - a" "ok 2 - b"
    meson_log FAIL "1..2" "ok 1 - a" "not ok 2 - b"
  } >"$BATS_TEST_TMPDIR/log.json"
  run -0 count "$BATS_TEST_TMPDIR/log.json"
  assert_output "3 passed, 1 failed, 0 skipped"
}

@test "a program that crashed after good tests is a failure" {
  {
    meson_log FAIL "1..2" "ok 1 - a"
    meson_log TIMEOUT ""
  } >"$BATS_TEST_TMPDIR/log.json"
  run -0 count "$BATS_TEST_TMPDIR/log.json"
  assert_output "1 passed, 2 failed, 0 skipped"
}

@test "a program without tests of its own counts by its result" {
  {
    meson_log OK "hello"
    meson_log SKIP ""
  } >"$BATS_TEST_TMPDIR/log.json"
  run -0 count "$BATS_TEST_TMPDIR/log.json"
  assert_output "1 passed, 0 failed, 1 skipped"
}

@test "a word that only begins like a result is not counted" {
  printf '# ok 1 in a comment\nokay\nok 1 a\n' >"$BATS_TEST_TMPDIR/a.tap"
  run -0 count "$BATS_TEST_TMPDIR/a.tap"
  assert_output "1 passed, 0 failed, 0 skipped"
}

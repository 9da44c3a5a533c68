#!/usr/bin/env bats
# demo.bats - what a newcomer sees first.

BATS_LIB_PATH=${BATS_LIB_PATH:-/usr/lib/bats}
bats_load_library bats-support
bats_load_library bats-assert
bats_require_minimum_version 1.8.0

@test "the demo shows the six boxes on one time line, and below them the four stages" {
  cd "$BATS_TEST_DIRNAME/../.."
  run -0 env COLUMNS=80 tools/demo 3>&-
  assert_equal "$(grep -c '^hello from my-container$' <<<"$output")" 4
  local role
  for role in client engine containerd shim runtime init container; do
    assert_line --regexp "^ +[0-9.]+ $role "
  done
  assert_line --regexp '^  client -> engine      call          [0-9]+ messages    [0-9]+ messages    [0-9]+ messages$'
  assert_line --regexp '^  containerd -> shim    -             -             -             [0-9]+ messages$'
  assert_equal "$(ls "${BUILD:-build}/demo")" "$(printf '%s\n' 0{1-monolith,2-split-client,3-libcontainer,4-modular}.{html,trace})"
}

#!/usr/bin/env bats
# setup.bats - installing what is missing, and nothing when nothing is. apt-get and dpkg-query are
# played by scripts that write down how they were called.

BATS_LIB_PATH=${BATS_LIB_PATH:-/usr/lib/bats}
bats_load_library bats-support
bats_load_library bats-assert
bats_require_minimum_version 1.8.0

setup() {
  SETUP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)/tools/setup
  BIN=$BATS_TEST_TMPDIR/bin
  CALLS=$BATS_TEST_TMPDIR/calls
  mkdir "$BIN"
  touch "$CALLS"
  for program in bash awk sort comm sed cat mktemp rm tee id paste fold dirname env; do
    ln -s "$(command -v "$program")" "$BIN/$program"
  done
  add_program id 'echo 0'
  # Installed is everything but what stands in the file `missing`.
  touch "$BATS_TEST_TMPDIR/missing"
  add_program dpkg-query 'shift 3; for p; do grep -qx "$p" '"$BATS_TEST_TMPDIR"'/missing || echo "installed $p"; done'
  ln -s "$(command -v grep)" "$BIN/grep"
  add_program apt-get 'echo "$*" >>'"$CALLS"'; echo "Setting up jq (1.6) ..."; exit '"\$(cat $BATS_TEST_TMPDIR/apt-result 2>/dev/null || echo 0)"
}

add_program() {
  rm -f "$BIN/$1"
  printf '#!/bin/bash\n%s\n' "$2" >"$BIN/$1"
  chmod +x "$BIN/$1"
}

setup_packages() { env PATH="$BIN" "$SETUP" "$@"; }

@test "with everything installed it says nothing and asks no network" {
  run -0 setup_packages test
  refute_output
  assert_equal "$(cat "$CALLS")" ""
}

@test "what is missing is installed, and nothing else" {
  printf 'jq\nlxc\n' >"$BATS_TEST_TMPDIR/missing"
  run -0 setup_packages test
  assert_line "setup: installing 2 Debian packages: jq lxc"
  assert_line "setup:   jq"
  run -0 cat "$CALLS"
  assert_line --index 0 --partial "update"
  assert_line --index 1 --regexp '^install -y --no-install-recommends .* jq lxc$'
}

@test "the demo does not install what only tests need" {
  printf 'jq\n' >"$BATS_TEST_TMPDIR/missing"
  run -0 setup_packages demo
  refute_output
  assert_equal "$(cat "$CALLS")" ""
}

@test "an installation that fails is an error, and its whole text is shown" {
  printf 'jq\n' >"$BATS_TEST_TMPDIR/missing"
  echo 100 >"$BATS_TEST_TMPDIR/apt-result"
  run -1 setup_packages test
  assert_line "Setting up jq (1.6) ..."
  assert_line --partial "installing failed"
}

@test "without rights it says so instead of trying" {
  printf 'jq\n' >"$BATS_TEST_TMPDIR/missing"
  add_program id 'echo 1000'
  run -1 setup_packages test
  assert_line --partial "needs root, and there is no sudo"
  assert_equal "$(cat "$CALLS")" ""
}

@test "on another system it lists what is needed and goes on" {
  rm "$BIN/dpkg-query"
  run -0 setup_packages demo
  assert_line --index 0 --partial "not a Debian system"
  assert_output --partial "libarchive-dev"
  refute_output --partial "shellcheck"
}

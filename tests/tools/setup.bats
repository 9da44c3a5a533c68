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
  for program in bash awk sort comm sed cat mktemp rm mv mkdir tee id paste fold dirname basename env; do
    ln -s "$(command -v "$program")" "$BIN/$program"
  done
  add_program id 'echo 0'
  # Installed is everything but what stands in the file `missing`.
  touch "$BATS_TEST_TMPDIR/missing"
  add_program dpkg-query 'shift 3; for p; do grep -qx "$p" '"$BATS_TEST_TMPDIR"'/missing || echo "installed $p"; done'
  ln -s "$(command -v grep)" "$BIN/grep"
  add_program apt-get 'echo "$*" >>'"$CALLS"'; echo "Setting up jq (1.6) ..."; [ "$1" != download ] || : >"${@: -1}.deb"
    exit '"\$(cat $BATS_TEST_TMPDIR/apt-result 2>/dev/null || echo 0)"
  # The kernel is there, too.
  export BUILD=$BATS_TEST_TMPDIR/build KERNEL_SYSTEM=$BATS_TEST_TMPDIR/system
  mkdir -p "$KERNEL_SYSTEM/boot"
  touch "$KERNEL_SYSTEM/boot/vmlinuz-6.1.0-8-cloud-amd64"
  add_program uname 'echo x86_64'
  add_program apt-cache 'echo "  Depends: linux-image-6.1.0-9-cloud-amd64"'
  add_program dpkg-deb 'mkdir -p "$3/boot" "$3/lib/modules/6.1.0-9-cloud-amd64"; : >"$3/boot/vmlinuz-6.1.0-9-cloud-amd64"; echo "$1 ${2##*/}" >>'"$CALLS"
  add_program depmod 'echo "depmod $3" >>'"$CALLS"
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

@test "the virtual machine's kernel is unpacked and not installed" {
  rm -r "$KERNEL_SYSTEM"
  run -0 setup_packages test
  run -0 cat "$CALLS"
  assert_line --index 0 --regexp "^download -qq .* linux-image-6.1.0-9-cloud-amd64$"
  assert_line --index 1 "--extract linux-image-6.1.0-9-cloud-amd64.deb"
  assert_line --index 2 "depmod 6.1.0-9-cloud-amd64"
  assert [ -d "$BUILD/vm/kernel/lib" ]
  run -0 setup_packages test
  refute_output
}

@test "a kernel that cannot be had is told, and does not stop the set-up" {
  rm -r "$KERNEL_SYSTEM"
  echo 100 >"$BATS_TEST_TMPDIR/apt-result"
  run -0 setup_packages test
  assert_line --partial "tests in a virtual machine will be skipped"
  assert [ ! -e "$BUILD/vm/kernel" ]
  assert [ ! -e "$BUILD/vm/kernel.new" ]
}

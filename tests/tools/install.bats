#!/usr/bin/env bats
# install.bats - what `make install` puts where, and that it finds its parts there.

BATS_LIB_PATH=${BATS_LIB_PATH:-/usr/lib/bats}
bats_load_library bats-support
bats_load_library bats-assert
bats_require_minimum_version 1.8.0

setup_file() {
  local checkout
  checkout=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
  export PREFIX=$BATS_FILE_TMPDIR/usr/local
  DESTDIR=$BATS_FILE_TMPDIR meson install -C "${BUILD:-$checkout/build}" --no-rebuild --quiet
}

@test "the launcher finds the installed stage" {
  run -0 env -u CUTAWAY_STAGE "$PREFIX/bin/cutaway" --run "$BATS_TEST_TMPDIR/run" version --format '{{.Client.Version}}'
  assert_output --regexp '^[0-9]+\.[0-9]+\.[0-9]+$'
}

@test "the embedded image is installed" {
  run -0 tar -tf "$PREFIX/share/cutaway/images/busybox.tar"
  assert_line index.json
}

@test "each command that the overview names has a manual page" {
  local command
  run -0 sed -n 's/^\.It Cm \([a-z]*\)$/\1/p' "$PREFIX/share/man/man1/cutaway.1"
  assert_line run
  assert_line inspect
  for command in "${lines[@]}"; do
    [ -s "$PREFIX/share/man/man1/cutaway-$command.1" ] || fail "no page for $command"
  done
}

@test "the daemon has a manual page with each of its options" {
  local option
  run -0 "${PREFIX%/usr/local}/usr/local/sbin/cutawayd" --help
  while read -r option; do
    case $option in help | usage | version) continue ;; esac
    grep -q -e "^\.It .*Fl \\\\-$option\b" "$PREFIX/share/man/man8/cutawayd.8" || fail "the page has no --$option"
  done < <(sed -n 's/^  .*[ ,] *--\([a-z-]*\).*/\1/p' <<<"$output")
  run -0 grep '^\.Sh' "$PREFIX/share/man/man8/cutawayd.8"
  for section in SOCKETS TLS SIGNALS ENVIRONMENT FILES "EXIT STATUS"; do assert_line ".Sh $section"; done
}

@test "the manual pages are written as man expects them" {
  for page in "$PREFIX"/share/man/man1/{cutaway,cutaway-run,cutaway-ps,cutaway-init}.1 \
    "$PREFIX"/share/man/man8/{cutawayd,cutaway-runc,cutaway-containerd,cutaway-containerd-shim}.8; do
    run -0 groff -mdoc -Tutf8 -ww -z "$page"
    assert_output ""
  done
}

@test "the manual page of init has each of its options" {
  run -0 "${PREFIX%/usr/local}/usr/local/libexec/cutaway/cutaway-init" -h
  local option
  while read -r option; do
    grep -qxE "\.It Fl ${option//-/\\\\-}( Ar .*)?" "$PREFIX/share/man/man1/cutaway-init.1" || fail "the page has no -$option"
  done < <(sed -n 's/^  -\([-a-z]*\) .*/\1/p' <<<"$output")
}

@test "systemd's units start the daemon that is installed" {
  run -0 sed -n 's/^ExecStart=//p' "$PREFIX/lib/systemd/system/cutaway.service"
  [ -x "${PREFIX%/usr/local}$output" ] || fail "there is no $output"
  run -0 cat "$PREFIX/lib/systemd/system/cutaway.socket"
  assert_line "ListenStream=/run/cutaway/cutaway.sock"
  # As systemd reads them, with the program where it is now.
  sed "s|^ExecStart=|&${PREFIX%/usr/local}|" "$PREFIX/lib/systemd/system/cutaway.service" >"$BATS_TEST_TMPDIR/cutaway.service"
  cp "$PREFIX/lib/systemd/system/cutaway.socket" "$BATS_TEST_TMPDIR/"
  run -0 systemd-analyze verify --man=no "$BATS_TEST_TMPDIR"/cutaway.{service,socket}
  assert_output ""
}

@test "bash completes commands" {
  # shellcheck source=/dev/null
  source "$PREFIX/share/bash-completion/completions/cutaway"
  COMP_WORDS=(cutaway unp) COMP_CWORD=1
  _cutaway
  assert_equal "${COMPREPLY[*]}" unpause
}

@test "make views writes a tree of the stage with its headers" {
  local checkout
  checkout=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
  run -0 "$checkout/tools/views"
  assert_line --regexp '/01: [0-9]+ files, [0-9]+ lines of C$'
  for file in main.c lib/error.h cli/commands.c engine/engine.h execdriver/execdriver.h; do
    [ -s "${BUILD:-$checkout/build}/view/01/$file" ] || fail "$file is not in the view"
  done
  for file in main.c client/client.c daemon/main.c rest/endpoints.def libcontainer/create.c spec/document.c execdriver/native.c \
    execdriver/lxc/job.c lib/error.c README.md; do
    [ -s "${BUILD:-$checkout/build}/view/03/$file" ] || fail "$file is not in the view of stage 03"
  done
  # What changed since stage 02 is what stage 03 brought.
  run -0 grep -c '^+++ 03/libcontainer/' "${BUILD:-$checkout/build}/view/03.diff"
  assert_equal "$output" "$(find "$checkout/stages/03-libcontainer/libcontainer" -name '*.[ch]' | wc -l)"
}

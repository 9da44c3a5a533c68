# shellcheck shell=bash
# lib.bash - what every test of cutaway-runc stands on: a bundle of its own, and the command line.
#
# Used by:  every *.bats file in this folder, and tests/interop/runc.bats:   load lib
#
# The bundle, and the teardown that looks for leaks, are those of tests/libcontainer. `cutaway_runc …` is the
# program on $STATES; make and begin are `create` and `create` with `start`, their output in $HOME_OF_TEST/out.

source "$(dirname "${BASH_SOURCE[0]}")/../libcontainer/lib.bash"

RUNC=$BUILD/stages/04-modular/runc/cutaway-runc

# What the caller's systemd may have set is not the test's.
cutaway_runc() { env -u NOTIFY_SOCKET -u LISTEN_FDS -u LISTEN_PID "$RUNC" --root "$STATES" "$@" 3>&-; }

make() { cutaway_runc create --bundle "$BUNDLE" "$@" "$ID" </dev/null >"$HOME_OF_TEST/out" 2>&1; }
begin() {
  make "$@"
  cutaway_runc start "$ID"
}

setup() {
  [ -x "$RUNC" ] || fail "$RUNC is not there: build first (ninja -C build)"
  libcontainer_setup
}

state() { cutaway_runc state "$ID" | jq -r ".$1"; }

# is KEY VALUE: of the state. For retry, which evaluates its arguments once.
is() { [ "$(state "$1")" = "$2" ]; }

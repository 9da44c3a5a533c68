# shellcheck shell=bash
# lib.bash - what every test of libcontainer stands on: a bundle of its own, and the thin command line.
#
# Used by:  every *.bats file in this folder:   load lib
# Settings: BUILD (default: build/ of this checkout), from the environment.
#
# A test gets $BUNDLE (busybox, a config.json like `runc spec` makes one, without a terminal), $STATES
# (the library's root) and $ID. `bundle …` is cutaway-bundle on these states. config FILTER changes
# config.json with jq. Whatever happens in the test, teardown deletes its containers and fails when a
# process, mount or cgroup of theirs is left.

BATS_LIB_PATH=${BATS_LIB_PATH:-/usr/lib/bats}
bats_load_library bats-support
bats_load_library bats-assert
bats_require_minimum_version 1.8.0

LIBCONTAINER_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CHECKOUT=$(cd "$LIBCONTAINER_DIR/../.." && pwd)
BUILD=${BUILD:-$CHECKOUT/build}
PROGRAM=$BUILD/stages/03-libcontainer/libcontainer/cutaway-bundle

# Descriptor 3 is bats' own: a container that inherited it would make bats wait.
bundle() { "$PROGRAM" --root "$STATES" "$@" 3>&-; }

# config FILTER [jq option]…: changes config.json.
config() {
  local filter=$1
  shift
  jq "$@" "$filter" "$BUNDLE/config.json" >"$BUNDLE/config.new" && mv "$BUNDLE/config.new" "$BUNDLE/config.json"
}

# script TEXT: what the container runs.
script() { config '.process.args = ["/bin/sh", "-c", $text]' --arg text "$1"; }

# run_bundle: create, start, wait, delete. For bats' run: `run run_bundle`.
run_bundle() { bundle run --bundle "$BUNDLE" "$ID" </dev/null; }

# start_bundle: a container that goes on in the background; its output is in $HOME_OF_TEST/out.
start_bundle() {
  bundle create --bundle "$BUNDLE" "$ID" </dev/null >"$HOME_OF_TEST/out" 2>&1
  bundle start "$ID"
}

# exec_bundle SCRIPT: one more program in it.
exec_bundle() {
  jq '.process | .args = ["/bin/sh", "-c", $text]' --arg text "$1" "$BUNDLE/config.json" >"$HOME_OF_TEST/process.json"
  bundle exec --process "$HOME_OF_TEST/process.json" "$ID" </dev/null
}

status_of() { bundle state "$ID" | jq -r .status; }
pid_of() { bundle state "$ID" | jq -r .pid; }

# retry SECONDS COMMAND…: for what has no event to wait for.
retry() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.05
  done
}

setup() { libcontainer_setup; }
teardown() { libcontainer_teardown; }

libcontainer_setup() {
  [ -x "$PROGRAM" ] || fail "$PROGRAM is not there: build first (ninja -C build)"
  [ "$(id -u)" -eq 0 ] || fail "tests of libcontainer make containers: they need root"
  HOME_OF_TEST=$(mktemp -d "${TMPDIR:-/tmp}/ct.XXXXXX")
  chmod 755 "$HOME_OF_TEST" # containers with users of their own pass through
  BUNDLE=$HOME_OF_TEST/bundle
  STATES=$HOME_OF_TEST/states
  ID=ct-${HOME_OF_TEST##*.}
  make_rootfs "$BUNDLE/rootfs"
  make_config
}

libcontainer_teardown() {
  local id left
  [ -n "${HOME_OF_TEST:-}" ] || return 0
  for id in $(bundle list); do bundle delete --force "$id"; done
  left=$(list_leaks)
  rm -rf --one-file-system "$HOME_OF_TEST"
  if [ -n "$left" ]; then
    echo "left behind:"
    echo "$left"
    return 1 # bats runs teardown without errexit: `fail` alone would be passed over
  fi
}

list_leaks() {
  awk -v home="$HOME_OF_TEST" 'index($5, home) == 1 { print "mount " $5 }' /proc/self/mountinfo
  find /sys/fs/cgroup -type d -name "*$ID*" -printf 'cgroup %p\n' 2>/dev/null
}

make_rootfs() {
  mkdir -p "$1"/{bin,dev,proc,sys,tmp,etc}
  cp "$(command -v busybox)" "$1/bin/busybox"
  chroot "$1" /bin/busybox --install -s /bin
  echo 'root:x:0:0:root:/root:/bin/sh' >"$1/etc/passwd"
}

# As `runc spec` writes it, but without a terminal, and with a cgroup that the test knows.
make_config() {
  jq -n --arg id "$ID" '
    def caps: ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];
    {ociVersion: "1.0.2", hostname: "bundle", root: {path: "rootfs", readonly: false},
     process: {terminal: false, user: {uid: 0, gid: 0}, args: ["/bin/true"], cwd: "/",
       env: ["PATH=/bin", "TERM=dumb"],
       capabilities: {bounding: caps, effective: caps, permitted: caps}, noNewPrivileges: true},
     mounts: [
       {destination: "/proc", type: "proc", source: "proc"},
       {destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "strictatime", "mode=755", "size=65536k"]},
       {destination: "/dev/pts", type: "devpts", source: "devpts",
        options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
       {destination: "/dev/shm", type: "tmpfs", source: "shm", options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
       {destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"]},
       {destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"]},
       {destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["nosuid", "noexec", "nodev", "ro"]}],
     linux: {cgroupsPath: ("/" + $id), resources: {devices: [{allow: false, access: "rwm"}]},
       namespaces: [{type: "pid"}, {type: "network"}, {type: "ipc"}, {type: "uts"}, {type: "mount"}, {type: "cgroup"}],
       maskedPaths: ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware", "/proc/scsi"],
       readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]}}' >"$BUNDLE/config.json"
}

#!/usr/bin/env bats
# doctor.bats - `make doctor` says what a machine lacks. The machine is a folder: /proc and /sys as
# they would be there, and a PATH with only some programs.

BATS_LIB_PATH=${BATS_LIB_PATH:-/usr/lib/bats}
bats_load_library bats-support
bats_load_library bats-assert
bats_require_minimum_version 1.8.0

setup() {
  CHECKOUT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
  SYSTEM=$BATS_TEST_TMPDIR/system
  BIN=$BATS_TEST_TMPDIR/bin
  mkdir -p "$SYSTEM"/proc/{self/ns,sys/kernel,sys/user,sys/net/ipv4} \
    "$SYSTEM"/sys/{kernel/btf,kernel/tracing/events,fs/cgroup,bus/event_source/devices/uprobe} "$BIN"
  echo 6.1.0-18-amd64 >"$SYSTEM/proc/sys/kernel/osrelease"
  echo 1 >"$SYSTEM/proc/sys/net/ipv4/ip_forward"
  echo 1000 >"$SYSTEM/proc/sys/user/max_user_namespaces"
  touch "$SYSTEM"/proc/self/ns/{mnt,uts,ipc,pid,net,user} "$SYSTEM/sys/kernel/btf/vmlinux"
  printf 'nodev\toverlay\n' >"$SYSTEM/proc/filesystems"
  echo 'Seccomp: 0' >"$SYSTEM/proc/self/status"
  echo 'cpu memory pids' >"$SYSTEM/sys/fs/cgroup/cgroup.controllers"
  # The programs that the script itself is made of; the rest a test adds.
  for program in bash sh dirname grep awk df paste sed sort comm cat; do
    ln -s "$(command -v "$program")" "$BIN/$program"
  done
  add_program id 'echo 0'
  add_program lxc-start 'echo 5.0.2'
}

# add_program NAME TEXT: a program for this machine.
add_program() {
  printf '#!/bin/sh\n%s\n' "$2" >"$BIN/$1"
  chmod +x "$BIN/$1"
}

doctor() {
  env PATH="$BIN" DOCTOR_SYSTEM="$SYSTEM" "$CHECKOUT/tools/doctor"
}

@test "a machine that has everything for stage 01 is told so" {
  run -0 doctor
  assert_line --partial "ok       LXC"
  assert_line --partial "control groups: cgroup v2"
  assert_line --partial "Stage 01 can run here."
}

@test "without LXC it names the package and fails" {
  rm "$BIN/lxc-start"
  run -1 doctor
  assert_line --partial "missing  LXC"
  assert_line --partial "apt-get install lxc"
  assert_line --partial "Stage 01 cannot run here yet"
}

@test "an LXC of ten years ago is too old" {
  add_program lxc-start 'echo 1.0.6'
  run -1 doctor
  assert_line --partial "missing  LXC 4 or newer"
}

@test "a user without sudo is told that root is needed" {
  add_program id 'echo 1000'
  run -1 doctor
  assert_line --partial "missing  root"
}

@test "an old kernel is named, and a newer major version is not mistaken for an older one" {
  echo 5.5.0 >"$SYSTEM/proc/sys/kernel/osrelease"
  run -1 doctor
  assert_line --partial "missing  kernel 5.6 or newer"
  echo 6.0-rc1 >"$SYSTEM/proc/sys/kernel/osrelease"
  run -0 doctor
  assert_line --partial "ok       kernel 5.6 or newer"
}

@test "without overlayfs, BTF and the memory controller it still runs, and says what is less" {
  printf 'nodev\tproc\n' >"$SYSTEM/proc/filesystems"
  rm "$SYSTEM/sys/kernel/btf/vmlinux"
  echo 'cpu pids' >"$SYSTEM/sys/fs/cgroup/cgroup.controllers"
  run -0 doctor
  assert_line --partial "less     overlayfs"
  assert_line --partial "less     BTF"
  assert_line --partial "less     cgroup controller 'memory'"
  assert_line --partial "ok       cgroup controller 'cpu'"
}

@test "controllers of cgroup v1 are found in their own mounts" {
  rm "$SYSTEM/sys/fs/cgroup/cgroup.controllers"
  mkdir "$SYSTEM"/sys/fs/cgroup/{memory,cpu,pids}
  touch "$SYSTEM"/sys/fs/cgroup/{memory,cpu,pids}/tasks
  run -0 doctor
  assert_line --partial "control groups: cgroup v1"
  assert_line --partial "ok       cgroup controller 'memory'"
}

@test "a kernel without namespaces cannot run it" {
  rm "$SYSTEM/proc/self/ns/pid"
  run -1 doctor
  assert_line --partial "missing  namespaces"
}

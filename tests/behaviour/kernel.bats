#!/usr/bin/env bats
# kernel.bats - options that are a kernel facility and nothing else: what arrives in the container.
#
# Most of them came with the driver of stage 03. Before it each is refused by name, when the
# container is created.

load lib

# from_03 FLAG…: true where the flags can be honoured. Else it has been checked how they are refused.
from_03() {
  ((10#$STAGE >= 3)) && return 0
  run ! cutaway create "$@" busybox true
  assert_output --partial "it comes with stage 03-libcontainer"
  run -0 cutaway ps -aq
  refute_output
  return 1
}

# The file of a control group's limit: on v1 in the controller's folder, on v2 in the one tree.
cgroup_file() { # CONTAINER CONTROLLER V1-NAME V2-NAME
  local pid path
  pid=$(pid_of "$1")
  path=$(awk -F: -v c="$2" '$2 ~ "(^|,)" c "(,|$)" { print "/sys/fs/cgroup/" c $3 }' "/proc/$pid/cgroup")
  if [ -n "$path" ]; then
    cat "$path/$3"
  else
    cat "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$pid/cgroup")/$4"
  fi
}

@test "--cgroupns host: the container sees where it is" {
  from_03 --cgroupns host || return 0
  run -0 cutaway run --rm --cgroupns host busybox sh -c 'readlink /proc/self/ns/cgroup'
  assert_output "$(readlink /proc/self/ns/cgroup)"
  run -0 cutaway run --rm busybox sh -c 'readlink /proc/self/ns/cgroup'
  refute_output "$(readlink /proc/self/ns/cgroup)"
}

@test "--cgroup-parent: the control group lies there, and the parent stays" {
  local parent=/ct-parent-$$
  from_03 --cgroup-parent "$parent" || return 0
  cutaway run -d --name web --cgroup-parent "$parent" busybox sleep 60
  run -0 cat "/proc/$(pid_of web)/cgroup"
  assert_output --partial ":$parent/cutaway-"
  cutaway rm -f web
  find /sys/fs/cgroup -depth -type d -name "ct-parent-$$" -exec rmdir {} +
  run ! cutaway create --cgroup-parent ../up busybox true
  assert_output --partial "HostConfig.CgroupParent '../up'"
}

@test "--pid container: joins the processes of another, and only while that runs" {
  from_03 --pid container:web || return 0
  cutaway run -d --name web busybox sleep 1234
  run -0 cutaway run --rm --pid container:web busybox ps -o args
  assert_line "sleep 1234"
  cutaway create --name other --pid container:web busybox true
  assert_equal "$(cutaway inspect -f '{{.HostConfig.PidMode}}' other)" "container:$(cutaway inspect -f '{{.Id}}' web)"
  cutaway kill web
  run ! cutaway start other
  assert_output --partial "cannot join PID namespace of a non running container"
  run ! cutaway create --pid container:nobody busybox true
  assert_output --partial "nobody"
}

@test "--ipc: memory is shared with whom it was lent to, and with nobody else" {
  from_03 --ipc shareable || return 0
  cutaway run -d --name lender --ipc shareable --shm-size 1m busybox sleep 60
  cutaway exec lender sh -c 'echo hello >/dev/shm/word'
  run -0 cutaway run --rm --ipc container:lender busybox cat /dev/shm/word
  assert_output hello
  run -0 cutaway run --rm --ipc container:lender busybox readlink /proc/self/ns/ipc
  assert_output "$(readlink "/proc/$(pid_of lender)/ns/ipc")"
  run -0 cutaway exec lender df -k /dev/shm
  assert_line --regexp ' 1024 '
  cutaway run -d --name private busybox sleep 60
  run ! cutaway run --rm --ipc container:private busybox true
  assert_output --partial "it is not shareable"
  run -1 cutaway run --rm --ipc none busybox grep ' /dev/shm ' /proc/mounts
}

@test "--security-opt seccomp=FILE: the profile of one's own, and nothing but it" {
  local profile=$HOME_OF_TEST/profile.json
  cat >"$profile" <<'END'
{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}
END
  from_03 --security-opt "seccomp=$profile" || return 0
  run -1 cutaway run --rm --security-opt "seccomp=$profile" busybox mkdir /new
  assert_output --partial "supported"
  run -0 cutaway run --rm busybox mkdir /new
  echo '{"defaultAction": "SCMP_ACT_NONSENSE"}' >"$profile"
  run ! cutaway run --rm --security-opt "seccomp=$profile" busybox true
  assert_output --partial "SCMP_ACT_NONSENSE"
  run ! cutaway create --security-opt seccomp=/nowhere busybox true
  assert_output --partial "/nowhere"
}

@test "--security-opt systempaths=unconfined: nothing is masked" {
  from_03 --security-opt systempaths=unconfined || return 0
  run -0 cutaway run --rm busybox grep -c ' /proc/sys ' /proc/mounts
  run -1 cutaway run --rm --security-opt systempaths=unconfined busybox grep -c ' /proc/[a-z]' /proc/mounts
}

@test "--device-cgroup-rule: one more kind of device may be used" {
  local make='mknod /tmp/d c 10 229 2>/dev/null; head -c1 </tmp/d 2>&1'
  from_03 --device-cgroup-rule 'c 10:229 rwm' || return 0
  run cutaway run --rm busybox sh -c "$make"
  assert_output --partial "not permitted"
  run cutaway run --rm --device-cgroup-rule 'c 10:229 rwm' busybox sh -c "$make"
  refute_output --partial "not permitted"
  run ! cutaway create --device-cgroup-rule 'c 10:x rwm' busybox true
  assert_output --partial "invalid device cgroup rule format: 'c 10:x rwm'"
}

@test "--device-read-bps and its kin reach the kernel" {
  local device numbers
  device=$(lsblk -dnpo NAME | grep -v zram | head -n 1)
  [ -n "$device" ] || device=/dev/loop0
  from_03 --device-read-bps "$device:1mb" || return 0
  numbers=$(lsblk -dno MAJ:MIN "$device" | tr -d ' ')
  cutaway run -d --name web --device-read-bps "$device:1mb" --device-write-iops "$device:77" busybox sleep 60
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    run -0 cgroup_file web io x io.max
    assert_line "$numbers rbps=1048576 wbps=max riops=max wiops=77"
  else
    run -0 cgroup_file web blkio blkio.throttle.read_bps_device x
    assert_line "$numbers 1048576"
    run -0 cgroup_file web blkio blkio.throttle.write_iops_device x
    assert_line "$numbers 77"
  fi
  run ! cutaway create --device-read-bps "$device" busybox true
  assert_output --partial "is not DEVICE:NUMBER"
}

@test "--memory-swappiness and --oom-kill-disable: honoured on v1, refused by name on v2" {
  from_03 --memory-swappiness 10 || return 0
  cutaway create --name web -m 64m --memory-swappiness 10 --oom-kill-disable busybox sleep 60
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    run ! cutaway start web
    assert_output --partial "version 2 of cgroups"
  else
    cutaway start web
    run -0 cgroup_file web memory memory.swappiness x
    assert_output 10
    run -0 cgroup_file web memory memory.oom_control x
    assert_line "oom_kill_disable 1"
  fi
  run ! cutaway create --memory-swappiness 101 busybox true
  assert_output --partial "must be in range 0 to 100"
}

@test "--annotation: shown by inspect" {
  from_03 --annotation a=b || return 0
  cutaway create --name web --annotation org.example.a=b busybox true
  run -0 cutaway inspect -f '{{index .HostConfig.Annotations "org.example.a"}}' web
  assert_output b
  run -0 cutaway start web
}

@test "--runtime: the daemon's driver and no other" {
  run ! cutaway create --runtime nonsense busybox true
  assert_output --partial "HostConfig.Runtime 'nonsense'"
  local names=(- lxc lxc native runc)
  run -0 cutaway run --rm --runtime "${names[10#$STAGE]}" busybox true
}

@test "mount propagation: rslave sees what is mounted later, rshared is seen, rprivate neither" {
  local shared=$HOME_OF_TEST/shared
  mkdir "$shared"
  from_03 -v "$shared:/x:rslave" || return 0
  mount -t tmpfs shared "$shared"
  mount --make-shared "$shared"
  mkdir "$shared"/{a,b}
  cutaway run -d --name slave -v "$shared:/x:rslave" busybox sleep 60
  cutaway run -d --name private -v "$shared:/x" busybox sleep 60
  cutaway run -d --name both --privileged --mount "type=bind,src=$shared,dst=/x,bind-propagation=rshared" busybox sleep 60
  mount -t tmpfs later "$shared/a"
  run -0 cutaway exec slave grep " /x/a " /proc/mounts
  run -1 cutaway exec private grep " /x/a " /proc/mounts
  cutaway exec both mount -t tmpfs inner /x/b
  run -0 mountpoint -q "$shared/b"
  run -0 cutaway exec slave grep " /x/b " /proc/mounts
  cutaway rm -f slave private both
  umount "$shared/a" "$shared/b" "$shared"
  mount -t tmpfs private "$shared"
  mount --make-private "$shared"
  run ! cutaway run --rm -v "$shared:/x:rshared" busybox true
  assert_output --partial "does not lie on a shared mount"
  umount "$shared"
}

@test "--mount bind-nonrecursive: what is mounted below stays outside" {
  local tree=$HOME_OF_TEST/tree
  mkdir -p "$tree/below"
  mount -t tmpfs below "$tree/below"
  touch "$tree/below/file"
  run -0 cutaway run --rm -v "$tree:/x" busybox ls /x/below
  assert_output file
  run -0 cutaway run --rm --mount "type=bind,src=$tree,dst=/x,bind-nonrecursive" busybox ls /x/below
  umount "$tree/below"
  refute_output
}

@test "an update that the kernel refuses changes nothing" {
  cutaway run -d --name web -m 64m busybox sleep 60
  run ! cutaway update --cpuset-cpus 4000 -m 80m web
  assert_equal "$(cutaway inspect -f '{{.HostConfig.Memory}} {{.HostConfig.CpusetCpus}}' web)" "67108864 "
  run -0 cgroup_file web memory memory.limit_in_bytes memory.max
  assert_output 67108864
}

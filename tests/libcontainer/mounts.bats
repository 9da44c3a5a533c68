#!/usr/bin/env bats
# mounts.bats - what is mounted, how, and where: every kind of mount of the specification.

load lib

# mount_at DESTINATION: the line of /proc/mounts, from inside.
mount_at() { script "awk '\$2 == \"$1\" { print \$1, \$3, \$4 }' /proc/mounts"; }


@test "the default file systems and devices are there" {
  script 'for p in /proc /dev /dev/pts /dev/shm /sys; do awk -v p=$p "\$2 == p { print \$2, \$3 }" /proc/mounts; done
    for d in null zero full random urandom tty; do stat -c "%n %t:%T %a" /dev/$d; done
    for l in fd stdin stdout stderr ptmx; do echo $l $(readlink /dev/$l); done; echo x >/dev/full'
  run run_bundle
  assert_line '/proc proc'
  assert_line '/dev tmpfs'
  assert_line '/dev/pts devpts'
  assert_line '/dev/null 1:3 666'
  assert_line '/dev/urandom 1:9 666'
  assert_line '/dev/tty 5:0 666'
  assert_line 'fd /proc/self/fd'
  assert_line 'ptmx pts/ptmx'
  assert_output --partial 'No space left on device'
}

@test "a bind shows the host's folder; ro makes it read-only, and only it" {
  mkdir -p "$HOME_OF_TEST/shared"
  echo from-host >"$HOME_OF_TEST/shared/file"
  config '.mounts += [{destination: "/mnt/new/place", type: "bind", source: $dir, options: ["bind", "ro"]}]' --arg dir "$HOME_OF_TEST/shared"
  script 'cat /mnt/new/place/file; echo x >/mnt/new/place/file; echo y >/here && echo wrote'
  run -0 run_bundle
  assert_line from-host
  assert_output --partial 'Read-only file system'
  assert_line wrote
  assert_equal "$(cat "$HOME_OF_TEST/shared/file")" from-host
}

@test "the bind of a file makes a file as its place" {
  echo content >"$HOME_OF_TEST/file"
  config '.mounts += [{destination: "/etc/deep/conf", type: "bind", source: $file, options: ["rbind"]}]' --arg file "$HOME_OF_TEST/file"
  script 'cat /etc/deep/conf'
  run -0 run_bundle
  assert_output content
}

@test "a relative source of a bind starts at the bundle" {
  mkdir "$BUNDLE/data"
  echo here >"$BUNDLE/data/file"
  config '.mounts += [{destination: "/data", type: "bind", source: "data", options: ["bind"]}]'
  script 'cat /data/file'
  run -0 run_bundle
  assert_output here
}

@test "recursive attributes reach what is mounted below; plain ones do not" {
  mkdir -p "$HOME_OF_TEST/tree/below"
  mount -t tmpfs none "$HOME_OF_TEST/tree/below"
  config '.mounts += [{destination: "/plain", type: "bind", source: $d, options: ["rbind", "ro"]},
    {destination: "/all", type: "bind", source: $d, options: ["rbind", "rro"]}]' --arg d "$HOME_OF_TEST/tree"
  script 'touch /plain/below/x && echo plain; touch /all/below/y || echo refused'
  run run_bundle
  umount "$HOME_OF_TEST/tree/below"
  assert_line plain
  assert_line refused
}

@test "mount flags arrive: nosuid, nodev, noexec, noatime, nosymfollow" {
  config '.mounts += [{destination: "/flags", type: "tmpfs", source: "tmpfs",
    options: ["nosuid", "nodev", "noexec", "noatime", "nosymfollow", "size=1m"]}]'
  mount_at /flags
  run -0 run_bundle
  assert_output --regexp 'nosuid,nodev,noexec.*noatime'
  assert_output --partial 'nosymfollow'
  assert_output --partial 'size=1024k'
}

@test "a later word takes an earlier one back" {
  config '.mounts += [{destination: "/flags", type: "tmpfs", source: "tmpfs", options: ["ro", "noexec", "rw", "exec"]}]'
  mount_at /flags
  run -0 run_bundle
  assert_output --regexp ' rw'
  refute_output --partial noexec
}

@test "tmpcopyup shows in a tmpfs what the image has there, and leaves the image alone" {
  mkdir -p "$BUNDLE/rootfs/seed/dir"
  echo one >"$BUNDLE/rootfs/seed/dir/file"
  ln -s dir/file "$BUNDLE/rootfs/seed/link"
  chmod 751 "$BUNDLE/rootfs/seed/dir"
  chown 5:6 "$BUNDLE/rootfs/seed/dir/file"
  config '.mounts += [{destination: "/seed", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"]}]'
  script 'cat /seed/link; stat -c "%a" /seed/dir; stat -c "%u:%g" /seed/dir/file; echo two >/seed/new; cat /seed/new'
  run -0 run_bundle
  assert_output $'one\n751\n5:6\ntwo'
  assert [ ! -e "$BUNDLE/rootfs/seed/new" ]
}

@test "a tmpfs without a mode has the mode of the folder that it covers" {
  mkdir -m 1777 "$BUNDLE/rootfs/wide"
  mkdir -m 750 "$BUNDLE/rootfs/narrow"
  config '.mounts += [{destination: "/wide", type: "tmpfs", source: "tmpfs"}, {destination: "/narrow", type: "tmpfs", source: "tmpfs"}]'
  script 'stat -c %a /wide /narrow'
  run -0 run_bundle
  assert_output $'1777\n750'
}

@test "propagation: a slave bind sees what the host mounts later, a private one does not" {
  local shared=$HOME_OF_TEST/shared
  mkdir -p "$shared"
  mount -t tmpfs none "$shared"
  mount --make-shared "$shared"
  mkdir "$shared/later"
  config '.mounts += [{destination: "/slave", type: "bind", source: $d, options: ["rbind", "rslave"]},
    {destination: "/private", type: "bind", source: $d, options: ["rbind", "rprivate"]}]' --arg d "$shared"
  script 'echo ready; while [ ! -e /slave/later/seen ]; do sleep 0.05; done; ls /private/later | wc -l'
  start_bundle
  retry 5 grep -q ready "$HOME_OF_TEST/out"
  mount -t tmpfs none "$shared/later"
  touch "$shared/later/seen"
  retry 5 [ "$(status_of)" = stopped ] || true
  run cat "$HOME_OF_TEST/out"
  umount "$shared/later" "$shared"
  assert_line 0
}

@test "nothing that is mounted inside is seen on the host" {
  config '.process.capabilities |= map_values(. + ["CAP_SYS_ADMIN"])'
  script 'mkdir -p /tmp/inner && mount -t tmpfs none /tmp/inner && echo mounted && exec sleep 100'
  start_bundle
  retry 5 grep -q mounted "$HOME_OF_TEST/out"
  run grep -F "$BUNDLE/rootfs" /proc/self/mountinfo
  assert_failure 1
}

@test "root.readonly makes the root read-only, and a tmpfs in it stays writable" {
  config '.root.readonly = true'
  script 'touch /x; touch /dev/shm/y && echo shm'
  run -0 run_bundle
  assert_output --partial 'Read-only file system'
  assert_line shm
}

@test "masked paths are empty, read-only paths cannot be written" {
  config '.linux.maskedPaths += ["/etc/secret", "/var/secrets"]'
  mkdir -p "$BUNDLE/rootfs/var/secrets"
  echo secret | tee "$BUNDLE/rootfs/etc/secret" >"$BUNDLE/rootfs/var/secrets/file"
  script 'cat /etc/secret; ls /var/secrets; echo 1 >/proc/sys/kernel/domainname; wc -c </proc/keys'
  run run_bundle
  refute_output --partial secret
  assert_output --partial 'Read-only file system'
  assert_line 0
}

@test "the cgroup mount shows the container's own groups as the root" {
  script 'cat /proc/self/cgroup | cut -d: -f3 | sort -u; find /sys/fs/cgroup -maxdepth 2 -name cgroup.procs | head -n 1 | xargs cat | head -n 1'
  run -0 run_bundle
  assert_line --index 0 /
  assert_line --index 1 1
}

@test "a device of linux.devices is made with its mode and owner; FIFOs too" {
  config '.linux.devices = [{path: "/dev/my-null", type: "c", major: 1, minor: 3, fileMode: 416, uid: 7, gid: 8},
    {path: "/run/deep/pipe", type: "p", fileMode: 420}]'
  script 'stat -c "%n %F %t:%T %a %u:%g" /dev/my-null /run/deep/pipe'
  run -0 run_bundle
  assert_line '/dev/my-null character special file 1:3 640 7:8'
  assert_line --partial '/run/deep/pipe fifo'
}

@test "a device where something else is already is refused by name" {
  config '.linux.devices = [{path: "/etc/passwd", type: "c", major: 1, minor: 3}]'
  run -1 run_bundle
  assert_output "cutaway-bundle: create '$ID': devices: make the device '/etc/passwd': something else is there already"
}

@test "an option that the file system does not know is told in the kernel's words" {
  config '.mounts += [{destination: "/x", type: "tmpfs", source: "tmpfs", options: ["size=nonsense"]}]'
  run -1 run_bundle
  assert_output --partial "mount 'tmpfs' on '/x': use the mount option 'size=nonsense'"
  assert_output --partial "Bad value for 'size'"
  config '.mounts[-1] |= {destination: "/x", type: "nosuchfs", source: "x"}'
  run -1 run_bundle
  assert_output --partial "make a file system 'nosuchfs': No such device (ENODEV); try: the kernel does not know it"
}

@test "pivot_root can be done without: --no-pivot" {
  script 'ls / | tr "\n" " "; awk "\$2 == \"/\"" /proc/mounts | wc -l'
  run -0 bundle run --no-pivot --bundle "$BUNDLE" "$ID"
  assert_output --partial 'bin dev etc'
}

#!/usr/bin/env bats
# security.bats - ways out of a container that worked once, somewhere: each by the number it was given.
#
# A test here fails on a runtime that does what comes to mind first. Filters of system calls (CVE-2026-31431)
# are in tests/unit/test_spec_defaults.c, names of users (CVE-2026-30892) in tests/unit/test_monitor_spec.c.

# shellcheck disable=SC2030,SC2031 # each test is a process with a BUNDLE of its own
load lib

TOOLS=$BUILD/tests/libcontainer
RUNTIME=$PROGRAM

setup() {
  libcontainer_setup
  cp "$TOOLS/libcontainer_attacker" "$BUNDLE/rootfs/bin/attacker"
  CANARY=$HOME_OF_TEST/canary # of the host: nobody touches it
  mkdir "$CANARY"
  echo alive >"$CANARY/bird"
}

teardown() {
  local PROGRAM=$RUNTIME # a test may have had its own
  undelegate
  libcontainer_teardown
}

assert_canary_untouched() {
  run -0 find "$CANARY" -mindepth 1 -printf '%P %y %s\n'
  assert_output 'bird f 6'
}

# attack WORD…: a container in which the attacker works; its words are in $HOME_OF_TEST/out.
attack() {
  config '.process.args = ["/bin/attacker"] + $words' --argjson words "$(jq -cn '$ARGS.positional' --args "$@")"
  start_bundle
}

# end_attack: what it achieved.
end_attack() {
  touch "$BUNDLE/rootfs/tmp/stop"
  retry 20 grep -q . "$HOME_OF_TEST/out"
  cat "$HOME_OF_TEST/out"
}

# other_bundle NAME: a second bundle with the configuration of the first; prints its folder.
other_bundle() {
  local folder=$HOME_OF_TEST/$1
  make_rootfs "$folder/rootfs"
  jq --arg id "$ID-$1" '.linux.cgroupsPath = "/" + $id' "$BUNDLE/config.json" >"$folder/config.json"
  echo "$folder"
}

# exec_often TIMES: so many programs enter.
exec_often() {
  local process=$HOME_OF_TEST/process.json round
  jq '.process | .args = ["/bin/true"]' "$BUNDLE/config.json" >"$process"
  for ((round = 0; round < $1; round++)); do bundle exec --process "$process" "$ID" </dev/null; done
}

wrong_user() { echo "cutaway-bundle: exec in '$ID': config: ${2:+$2 }process.user.$1"; }

# with_terminal FOLDER ID: runs a bundle whose program has a terminal; shows what it writes there.
with_terminal() {
  "$TOOLS/libcontainer_console" "$HOME_OF_TEST/console" "$PROGRAM" --root "$STATES" run \
    --console-socket "$HOME_OF_TEST/console" --bundle "$1" "$2" 3>&- </dev/null
}

# capabilities JQ-FILTER: of all that there are.
capabilities() {
  local all
  all=$(capsh --print | sed -n 's/^Bounding set =//p' | jq -Rc 'ascii_upcase | split(",") | '"$1")
  config '.process.capabilities |= map_values($all)' --argjson all "$all"
}

# user_namespace: the container's root is nobody on the host.
user_namespace() {
  config '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] |
    .linux.gidMappings = .linux.uidMappings'
  chown -R 100000:100000 "$BUNDLE/rootfs"
}

# as_user BUNDLE-COMMAND…: as a user who may make control groups below /$ID-user.
as_user() {
  (
    for group in /sys/fs/cgroup/*/"$ID-user" "/sys/fs/cgroup/$ID-user"; do
      echo "$BASHPID" >"$group/cgroup.procs"
    done 2>/dev/null # where it is, and takes processes: not a cpuset without processors
    exec setpriv --reuid 12345 --regid 12345 --clear-groups "$PROGRAM" --root "$STATES" "$@" 3>&- </dev/null
  )
}

# delegate: groups that belong to the user, in each hierarchy; undelegate removes them.
delegate() {
  local parent
  for parent in /sys/fs/cgroup /sys/fs/cgroup/*/; do
    [ ! -e "$parent/cgroup.procs" ] || install -d -o 12345 -g 12345 "$parent/$ID-user"
  done
  chown -R 12345:12345 /sys/fs/cgroup/*/"$ID-user"/ "/sys/fs/cgroup/$ID-user/" 2>/dev/null || true # of one layout
}
undelegate() { find /sys/fs/cgroup -depth -type d -path "*/$ID-user*" -exec rmdir {} +; }

# ---- the runtime itself ----

@test "CVE-2019-5736: who is inside cannot write to the runtime's program" {
  cp "$PROGRAM" "$HOME_OF_TEST/runtime"
  PROGRAM=$HOME_OF_TEST/runtime
  capabilities .
  attack overwrite /tmp/stop
  local process=$HOME_OF_TEST/process.json round
  # Inside, /proc/self/exe is the runtime: it runs once more, as a program of the container's.
  jq '.process | .args = ["/proc/self/exe", "list"]' "$BUNDLE/config.json" >"$process"
  for ((round = 0; round < 100; round++)); do
    bundle exec --process "$process" "$ID" </dev/null >/dev/null
  done
  run -0 end_attack
  assert_output 'seen some, overwritten 0'
  cmp "$PROGRAM" "$RUNTIME"
}

@test "CVE-2016-9962: who is inside can neither look into what enters nor trace it" {
  # One capability is missing: with it, root may trace whatever is root.
  capabilities 'map(select(. != "CAP_SYS_PTRACE"))'
  attack trace /tmp/stop
  exec_often 100
  run -0 end_attack
  assert_output 'refused some, looked into 0, traced 0'
}

@test "CVE-2016-9962: nor can the root of a user namespace, who has all capabilities there" {
  user_namespace
  capabilities .
  attack trace /tmp/stop
  exec_often 100
  run -0 end_attack
  assert_output 'refused some, looked into 0, traced 0'
}

@test "CVE-2024-21626: no working directory is a descriptor of the host's, at start and at exec" {
  local descriptor process round
  exec {descriptor}<"$CANARY"
  config '.process.args = ["/bin/pwd"] | .process.cwd = "/proc/self/fd/NUMBER"'
  cp "$BUNDLE/config.json" "$HOME_OF_TEST/template"
  for ((round = 3; round < 24; round++)); do
    sed "s/NUMBER/$round/" "$HOME_OF_TEST/template" >"$BUNDLE/config.json"
    run ! run_bundle
    assert_equal "${#lines[@]}" 1
    assert_output --regexp "^cutaway-bundle: .*'/proc/self/fd/$round'"
  done
  process=$(jq -c .process "$HOME_OF_TEST/template")
  config '.process.cwd = "/"'
  attack trace /tmp/stop
  for ((round = 3; round < 24; round++)); do
    echo "${process/NUMBER/$round}" >"$HOME_OF_TEST/process.json"
    run ! bundle exec --process "$HOME_OF_TEST/process.json" "$ID" </dev/null
    assert_equal "${#lines[@]}" 1
    assert_output --regexp "^cutaway-bundle: .*'/proc/self/fd/$round'"
  done
}

@test "CVE-2024-21626: a descriptor of the caller's reaches neither the program of an exec nor a hook" {
  local descriptor
  exec {descriptor}<"$CANARY"
  config '.hooks.createRuntime = [{path: "/bin/sh", args: ["sh", "-c", $text]}]' \
    --arg text "ls -l /proc/self/fd >$HOME_OF_TEST/hook"
  attack trace /tmp/stop
  run -0 exec_bundle 'ls /proc/self/fd'
  exec {descriptor}<&-
  assert_output $'0\n1\n2\n3' # 3 is what ls itself opened
  run grep -F "$HOME_OF_TEST" "$HOME_OF_TEST/hook"
  assert_output --regexp '^[^>]* 1 -> [^>]*/hook$'
}

@test "CVE-2022-29162: nothing is inheritable that was not asked for: first program, exec, every hook" {
  local point
  for point in createRuntime createContainer startContainer poststart; do
    config '.hooks[$point] = [{path: "/bin/sh", args: ["sh", "-c", $text]}]' --arg point "$point" \
      --arg text "grep CapInh /proc/self/status >>$([ $point = startContainer ] && echo /tmp || echo "$HOME_OF_TEST")/hooks"
  done
  script 'grep CapInh /proc/self/status; echo ready; exec sleep 100'
  # The caller has some: as of a service that is started with inheritable capabilities.
  setpriv --inh-caps=+chown,+net_admin "$PROGRAM" --root "$STATES" create --bundle "$BUNDLE" "$ID" \
    </dev/null >"$HOME_OF_TEST/out" 2>&1 3>&-
  setpriv --inh-caps=+chown,+net_admin "$PROGRAM" --root "$STATES" start "$ID" 3>&-
  retry 30 grep -q ready "$HOME_OF_TEST/out"
  jq '.process | .args = ["/bin/grep", "CapInh", "/proc/self/status"]' "$BUNDLE/config.json" >"$HOME_OF_TEST/process.json"
  setpriv --inh-caps=+chown,+net_admin "$PROGRAM" --root "$STATES" exec --process "$HOME_OF_TEST/process.json" "$ID" \
    </dev/null >>"$HOME_OF_TEST/out" 3>&-
  run sort -u "$HOME_OF_TEST/out" "$HOME_OF_TEST/hooks" "$BUNDLE/rootfs/tmp/hooks"
  assert_output $'CapInh:\t0000000000000000\nready'
  run -0 cat "$HOME_OF_TEST/hooks" "$BUNDLE/rootfs/tmp/hooks"
  assert_equal "${#lines[@]}" 4
}

@test "CVE-2026-30892: a user is who the numbers say, or nobody" {
  local process user ids
  attack trace /tmp/stop
  process=$(jq -c '.process | .args = ["/bin/sh", "-c", "echo $(id -u):$(id -g):$(id -G)"] | .user = "USER"' "$BUNDLE/config.json")
  while read -r user ids; do
    echo "${process/\"USER\"/$user}" >"$HOME_OF_TEST/process.json"
    run bundle exec --process "$HOME_OF_TEST/process.json" "$ID" </dev/null
    [ "$output" = "$ids" ] || fail "$user is '$output', not '$ids'"
  done <<END
{} 0:0:0
{"uid":0,"gid":0} 0:0:0
{"uid":1} 1:0:0
{"gid":1} 0:1:1
{"uid":1000,"gid":100} 1000:100:100
{"uid":1000,"gid":100,"additionalGids":[]} 1000:100:100
{"uid":1000,"gid":100,"additionalGids":[7,8]} 1000:100:100 7 8
{"uid":65535,"gid":65535} 65535:65535:65535
{"uid":65536,"gid":65536} 65536:65536:65536
{"uid":2147483647,"gid":2147483647} 2147483647:2147483647:2147483647
{"uid":2147483648,"gid":2147483648} 2147483648:2147483648:2147483648
{"uid":4294967294,"gid":4294967294} 4294967294:4294967294:4294967294
{"uid":null} 0:0:0
{"uid":4294967295} $(wrong_user 'uid: it must be a whole number from 0 to 4294967294')
{"uid":4294967296} $(wrong_user 'uid: it must be a whole number from 0 to 4294967294')
{"uid":18446744073709551616} $(wrong_user 'uid: it must be a whole number from 0 to 4294967294')
{"uid":-1} $(wrong_user 'uid: it must be a whole number from 0 to 4294967294')
{"uid":-4294967296} $(wrong_user 'uid: it must be a whole number from 0 to 4294967294')
{"uid":0.5} $(wrong_user 'uid: it must be a whole number from 0 to 4294967294')
{"uid":1e99} $(wrong_user 'uid: it must be a whole number from 0 to 4294967294')
{"uid":"1000"} $(wrong_user 'uid: it must be a whole number from 0 to 4294967294')
{"uid":"root"} $(wrong_user 'uid: it must be a whole number from 0 to 4294967294')
{"uid":""} $(wrong_user 'uid: it must be a whole number from 0 to 4294967294')
{"uid":true} $(wrong_user 'uid: it must be a whole number from 0 to 4294967294')
{"uid":[1000]} $(wrong_user 'uid: it must be a whole number from 0 to 4294967294')
{"uid":{}} $(wrong_user 'uid: it must be a whole number from 0 to 4294967294')
{"gid":4294967295} $(wrong_user 'gid: it must be a whole number from 0 to 4294967294')
{"gid":4294967296} $(wrong_user 'gid: it must be a whole number from 0 to 4294967294')
{"gid":-1} $(wrong_user 'gid: it must be a whole number from 0 to 4294967294')
{"gid":"100"} $(wrong_user 'gid: it must be a whole number from 0 to 4294967294')
{"additionalGids":[4294967295]} $(wrong_user "additionalGids[0]: it must be a group's number")
{"additionalGids":[4294967296]} $(wrong_user "additionalGids[0]: it must be a group's number")
{"additionalGids":[1,-1]} $(wrong_user "additionalGids[1]: it must be a group's number")
{"additionalGids":["1"]} $(wrong_user "additionalGids[0]: it must be a group's number")
{"additionalGids":7} $(wrong_user 'additionalGids: it must be an array')
{"username":"root"} $(wrong_user 'username: it is for Windows' use)
"root" cutaway-bundle: exec in '$ID': config: process.user: it must be an object
1000 cutaway-bundle: exec in '$ID': config: process.user: it must be an object
[1000] cutaway-bundle: exec in '$ID': config: process.user: it must be an object
"1000:100" cutaway-bundle: exec in '$ID': config: process.user: it must be an object
END
}

# ---- places in a root that is not to be trusted ----

@test "CVE-2021-30465: a place for a mount that is swapped for a link stays in the root" {
  local victim round
  mkdir -p "$HOME_OF_TEST/volume/place"
  ln -s "$CANARY" "$HOME_OF_TEST/volume/link"
  config '.mounts += [{destination: "/volume", type: "bind", source: $dir, options: ["bind"]}]' --arg dir "$HOME_OF_TEST/volume"
  victim=$(other_bundle victim)
  attack swap /volume/place /volume/link /tmp/stop
  BUNDLE=$victim config '.mounts += [{destination: "/volume/place/made/here", type: "tmpfs", source: "tmpfs"},
    {destination: "/volume/place/file", type: "bind", source: "/etc/hostname", options: ["bind"]}] |
    .linux.devices = [{path: "/volume/place/null", type: "c", major: 1, minor: 3}]'
  for ((round = 0; round < 200; round++)); do
    run bundle run --bundle "$victim" "$ID-victim" </dev/null
    [ "$status" -eq 0 ] || assert_output --regexp "^cutaway-bundle: create '[^']*': [^"$'\n'"]*$"
  done
  assert_canary_untouched
  run -0 end_attack
  assert_output 'swapped often'
}

@test "CVE-2021-30465: links in the image lead nowhere else, wherever they stand" {
  local link
  rm -r "$BUNDLE/rootfs/dev"
  for link in "$CANARY" "../../../../../../../..$CANARY" "/proc/self/root$CANARY" "/proc/1/cwd$CANARY"; do
    ln -sfn "$link" "$BUNDLE/rootfs/volume"
    config '.mounts += [{destination: "/volume/made/here", type: "tmpfs", source: "tmpfs"}] |
      .linux.devices = [{path: "/volume/null", type: "c", major: 1, minor: 3}]'
    run run_bundle
    [ "$status" -eq 0 ] || assert_output --regexp "^cutaway-bundle: create '$ID': [^"$'\n'"]*$"
    assert_canary_untouched
  done
}

@test "CVE-2026-41579: a /dev of the image's that is a link to the host's leads nowhere" {
  rmdir "$BUNDLE/rootfs/dev"
  ln -s "$CANARY" "$BUNDLE/rootfs/dev"
  touch "$CANARY/ptmx" # runc removed what had that name
  config '.mounts |= map(select(.destination | startswith("/dev") | not))'
  run run_bundle
  run -0 find "$CANARY" -mindepth 1 -printf '%P %y %s\n'
  assert_line 'ptmx f 0'
  assert_line 'bird f 6'
  assert_equal "${#lines[@]}" 2
}

@test "CVE-2025-31133: what covers a path is the null device, whatever the root has for it" {
  mkdir "$HOME_OF_TEST/dev"
  ln -s /etc/passwd "$HOME_OF_TEST/dev/null"
  echo secret >"$BUNDLE/rootfs/etc/secret"
  config '.mounts |= map(select(.destination | startswith("/dev") | not)) + [{destination: "/dev", type: "bind", source: $dir, options: ["bind"]}] |
    .linux.maskedPaths += ["/etc/secret"]' --arg dir "$HOME_OF_TEST/dev"
  script 'stat -c "%n %F %t:%T" /etc/secret /proc/keys; cat /etc/secret /proc/keys'
  run -0 run_bundle
  assert_output $'/etc/secret character special file 1:3\n/proc/keys character special file 1:3'
}

@test "CVE-2025-31133: a null device of the image's that is something else is refused" {
  config '.mounts |= map(select(.destination | startswith("/dev") | not))'
  ln -s /proc/sys/kernel/core_pattern "$BUNDLE/rootfs/dev/null"
  run -1 run_bundle
  assert_output "cutaway-bundle: create '$ID': devices: make the device '/dev/null': something else is there already"
}

@test "CVE-2025-52565: the terminal is bound on no link, also not on one that comes in between" {
  local victim round
  mkdir "$HOME_OF_TEST/dev"
  touch "$HOME_OF_TEST/dev/console"
  ln -s /etc/passwd "$HOME_OF_TEST/dev/link"
  config '.mounts += [{destination: "/volume", type: "bind", source: $dir, options: ["bind"]}]' --arg dir "$HOME_OF_TEST/dev"
  victim=$(other_bundle victim)
  attack swap /volume/console /volume/link /tmp/stop
  BUNDLE=$victim config '.mounts |= map(select(.destination | startswith("/dev") | not)) + [
      {destination: "/dev", type: "bind", source: $dir, options: ["bind"]},
      {destination: "/dev/pts", type: "devpts", source: "devpts", options: ["newinstance", "ptmxmode=0666"]}] |
    .process.terminal = true | .process.args = ["/bin/sh", "-c", "stat -c %F /etc/passwd"]' --arg dir "$HOME_OF_TEST/dev"
  mkdir "$HOME_OF_TEST/dev/pts"
  for ((round = 0; round < 100; round++)); do
    run with_terminal "$victim" "$ID-victim"
    if [ "$status" -eq 0 ]; then
      assert_output $'regular file\r'
    else
      assert_output --regexp "^cutaway-bundle: create '[^']*': terminal: bind the terminal on /dev/console: [^"$'\n'"]*$"
    fi
  done
  run -0 end_attack
  assert_output 'swapped often'
}

@test "a shared mount of the host's is no way back: what is mounted in it inside stays inside" {
  local volume=$HOME_OF_TEST/volume
  mkdir "$volume"
  mount -t tmpfs none "$volume"
  mount --make-shared "$volume"
  mkdir "$volume/inner"
  capabilities .
  config '.mounts += [{destination: "/volume", type: "bind", source: $dir, options: ["bind"]}]' --arg dir "$volume"
  script 'mount -t tmpfs none /volume/inner && mount -t tmpfs none /tmp && echo mounted && exec sleep 1000'
  start_bundle
  retry 30 grep -q mounted "$HOME_OF_TEST/out"
  run grep -cF "$HOME_OF_TEST" /proc/self/mountinfo
  bundle delete --force "$ID"
  umount -R "$volume"
  assert_output 1 # that of the volume itself
}

# ---- /proc: what is written there, and what hides it ----

@test "CVE-2025-52881: a parameter is written to the kernel, not to what stands in the root as /proc" {
  mkdir -p "$BUNDLE/rootfs/proc/sys/net/ipv4"
  echo fake >"$BUNDLE/rootfs/proc/sys/net/ipv4/ip_unprivileged_port_start"
  config '.mounts |= map(select(.destination != "/proc")) | .linux.sysctl = {"net.ipv4.ip_unprivileged_port_start": "77"}'
  script 'exec sleep 100'
  start_bundle
  run -0 nsenter -t "$(pid_of)" -n cat /proc/sys/net/ipv4/ip_unprivileged_port_start
  assert_output 77
  assert_equal "$(cat "$BUNDLE/rootfs/proc/sys/net/ipv4/ip_unprivileged_port_start")" fake
}

@test "CVE-2023-27561: a /proc or /sys that is a link is no place for the true one" {
  local place
  # Who can swap what the link leads to could show an empty folder to who masks, and /proc to who looks.
  mkdir "$BUNDLE/rootfs/elsewhere"
  for place in proc sys; do
    mv "$BUNDLE/rootfs/$place" "$BUNDLE/rootfs/moved"
    ln -s elsewhere "$BUNDLE/rootfs/$place"
    run -1 run_bundle
    assert_output --regexp "^cutaway-bundle: create '$ID': mount: mount '(proc|sysfs)' on '/$place': [^"$'\n'"]*$"
    rm "$BUNDLE/rootfs/$place"
    mv "$BUNDLE/rootfs/moved" "$BUNDLE/rootfs/$place"
  done
}

@test "CVE-2019-16884: nothing is mounted inside /proc, also not by another name of it" {
  local place
  ln -s proc "$BUNDLE/rootfs/other"
  mkdir "$HOME_OF_TEST/volume"
  for place in /proc/self/attr /proc/sys /other/sys /other /tmp/../proc/self; do
    config '.mounts |= map(select(.source != $dir)) + [{destination: $place, type: "bind", source: $dir, options: ["bind"]}]' \
      --arg dir "$HOME_OF_TEST/volume" --arg place "$place"
    run -1 run_bundle
    assert_output "cutaway-bundle: create '$ID': mount: mount '$HOME_OF_TEST/volume' on '$place': mount on '$(realpath -sm "$place")': it is inside /proc"
  done
}

# ---- control groups ----

@test "CVE-2022-0492: no release agent can be set, neither where groups are mounted nor in a mount of one's own" {
  script 'for dir in /sys/fs/cgroup /sys/fs/cgroup/*; do
      echo /bin/owned >$dir/release_agent && echo written
      mkdir $dir/made && echo made
      mount -o remount,rw,bind $dir && echo remounted
    done 2>/dev/null
    mkdir /tmp/mine && mount -t cgroup -o memory none /tmp/mine && echo mounted
    attacker release-agent /tmp/mine'
  run run_bundle
  refute_line written
  refute_line made
  refute_line remounted
  refute_line mounted
  refute_line 'release_agent written'
  assert_line --regexp '^(mount|release_agent) E[A-Z]+$'
}

@test "CVE-2023-25809: in the container of a user nobody makes groups in those of the user" {
  local namespaces
  config '.linux.namespaces |= map(select(.type != "network")) + [{type: "user"}] | del(.linux.resources, .linux.cgroupsPath) |
    .linux.uidMappings = [{containerID: 0, hostID: 12345, size: 1}] | .linux.gidMappings = .linux.uidMappings |
    .mounts |= map(select(.type != "mqueue") | if .type == "devpts" then .options -= ["gid=5"] elif .type == "sysfs"
      then {destination: "/sys", type: "bind", source: "/sys", options: ["rbind", "nosuid", "noexec", "nodev", "ro"]} else . end)'
  script 'for dir in $(find /sys/fs/cgroup -type d); do mkdir $dir/made && echo made $dir; done 2>/dev/null
    mount -o remount,rw,bind /sys/fs/cgroup; mkdir /sys/fs/cgroup/made && echo made again; echo tried'
  install -d -o 12345 "$STATES"
  chown -R 12345:12345 "$BUNDLE"
  delegate
  for namespaces in '.' '. - [{type: "cgroup"}]'; do
    config ".linux.namespaces |= ($namespaces)"
    run as_user run --bundle "$BUNDLE" "$ID"
    assert_line tried
    refute_line --regexp '^made'
  done
}

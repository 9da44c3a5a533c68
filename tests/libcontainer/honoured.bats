#!/usr/bin/env bats
# honoured.bats - what a configuration asks for is so in the container: the properties that no other test shows.
#
# honoured.tsv says which test shows which property.

load lib

TOOLS=$BUILD/tests/libcontainer

@test "hostname and domainname are those of the configuration" {
  config '.hostname = "one" | .domainname = "two.example"'
  script 'hostname; cat /proc/sys/kernel/domainname'
  run -0 run_bundle
  assert_output $'one\ntwo.example'
}

@test "annotations stand in the state" {
  config '.annotations = {"org.example.key": "value"}'
  bundle create --bundle "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1
  run -0 bundle state "$ID"
  assert_equal "$(jq -c .annotations <<<"$output")" '{"org.example.key":"value"}'
}

@test "the program has its words, environment, folder, user, groups and umask" {
  mkdir "$BUNDLE/rootfs/folder"
  config '.process.cwd = "/folder" | .process.env = ["PATH=/bin", "A=b c"] |
    .process.user = {uid: 7, gid: 8, umask: 23, additionalGids: [9, 10]}' # 23 is 027
  script 'echo "$0 $A"; pwd; id -u; id -G; umask'
  config '.process.args += ["zero"]'
  run -0 run_bundle
  assert_output $'zero b c\n/folder\n7\n8 9 10\n0027'
}

@test "limits, the score and no_new_privs hold in the program" {
  config '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 100, hard: 200}] | .process.oomScoreAdj = 321'
  script 'ulimit -Sn; ulimit -Hn; cat /proc/self/oom_score_adj; grep NoNewPrivs /proc/self/status | tr "\t" " "'
  run -0 run_bundle
  assert_output $'100\n200\n321\nNoNewPrivs: 1'
  config '.process.noNewPrivileges = false'
  run -0 run_bundle
  assert_line 'NoNewPrivs: 0'
}

@test "the program has the capabilities of the five sets" {
  config '.process.capabilities = {bounding: ["CAP_KILL", "CAP_CHOWN", "CAP_FOWNER", "CAP_SETUID"],
    permitted: ["CAP_KILL", "CAP_CHOWN", "CAP_FOWNER"], effective: ["CAP_KILL"], inheritable: ["CAP_CHOWN"],
    ambient: ["CAP_CHOWN"]} | .process.user = {uid: 7, gid: 8}'
  script 'grep Cap /proc/self/status | tr -d "\t" | tr -d " "'
  run -0 run_bundle
  # A user's program keeps over execve(2) what is ambient. CHOWN is bit 0, FOWNER 3, KILL 5, SETUID 7.
  assert_output $'CapInh:0000000000000001\nCapPrm:0000000000000001\nCapEff:0000000000000001\nCapBnd:00000000000000a9\nCapAmb:0000000000000001'
}

@test "the six hooks run in their order, each with its state" {
  local log=$HOME_OF_TEST/log shell=$HOME_OF_TEST/sh
  touch "$log"
  cp "$BUNDLE/rootfs/bin/busybox" "$shell"
  # startContainer runs inside, and finds log and shell by the same paths.
  config 'def hook($point): [{path: $shell, args: ["sh", "-c", "echo $NAME $(cat) >>\($log)"], env: ["PATH=/bin:/usr/bin", "NAME=\($point)"]}];
    .hooks = (["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"] |
      map({key: ., value: hook(.)}) | from_entries) |
    .mounts += ([$shell, $log] | map({destination: ., type: "bind", source: ., options: ["bind"]}))' \
    --arg log "$log" --arg shell "$shell"
  run -0 run_bundle
  run -0 sed -E "s/^([a-zA-Z]+) .*\"id\": ?\"$ID\".*\"status\": ?\"([a-z]+)\".*/\1 \2/" "$log"
  assert_output $'prestart creating\ncreateRuntime creating\ncreateContainer creating\nstartContainer created\npoststart running\npoststop stopped'
}

@test "a namespace that has a path is joined" {
  local pid
  script 'exec sleep 100'
  start_bundle
  pid=$(pid_of)
  config '.linux.namespaces |= map(if .type == "network" then .path = $path else . end) | .linux.cgroupsPath += "-2"' \
    --arg path "/proc/$pid/ns/net"
  script 'readlink /proc/self/ns/net'
  run -0 bundle run --bundle "$BUNDLE" "$ID-2" </dev/null
  assert_output "$(readlink "/proc/$pid/ns/net")"
}

@test "users and groups inside are others outside" {
  chown -R 100000:200000 "$BUNDLE/rootfs"
  config '.linux.namespaces += [{type: "user"}] |
    .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 1000}] |
    .linux.gidMappings = [{containerID: 0, hostID: 200000, size: 500}]'
  script 'cat /proc/self/uid_map /proc/self/gid_map | tr -s " "; touch /tmp/file'
  run -0 run_bundle
  assert_output $' 0 100000 1000\n 0 200000 500'
  assert_equal "$(stat -c %u:%g "$BUNDLE/rootfs/tmp/file")" 100000:200000
}

@test "a mount has its own mappings of users" {
  mkdir "$HOME_OF_TEST/data"
  touch "$HOME_OF_TEST/data/file"
  chown 5:6 "$HOME_OF_TEST/data/file"
  config '.mounts += [{destination: "/data", type: "bind", source: $dir, options: ["bind"],
    uidMappings: [{containerID: 5, hostID: 1005, size: 1}], gidMappings: [{containerID: 6, hostID: 2006, size: 1}]}]' \
    --arg dir "$HOME_OF_TEST/data"
  script 'stat -c %u:%g /data/file'
  run -0 run_bundle
  assert_output 1005:2006
}

@test "the root is propagated as rootfsPropagation has it" {
  script 'awk "\$5 == \"/\" { print \$7 }" /proc/self/mountinfo | cut -d: -f1'
  config '.linux.rootfsPropagation = "shared"'
  run -0 run_bundle
  assert_output shared
  config '.linux.rootfsPropagation = "private"'
  run -0 run_bundle
  assert_equal "$output" -
  config '.linux.rootfsPropagation = "unbindable"'
  run -0 run_bundle
  assert_output unbindable
}

@test "the control groups are those of cgroupsPath" {
  config '.linux.cgroupsPath += "-path"'
  script 'exec sleep 100'
  start_bundle
  run cut -d: -f3 "/proc/$(pid_of)/cgroup"
  assert_line "/$ID-path"
}

@test "a clock is ahead by its offset" {
  local now
  config '.linux.namespaces += [{type: "time"}] | .linux.timeOffsets = {boottime: {secs: 1000000, nanosecs: 5}}'
  script 'cut -d. -f1 /proc/uptime'
  run -0 run_bundle
  now=$(cut -d. -f1 /proc/uptime)
  ((output >= 1000000 + now - 10 && output <= 1000000 + now)) || fail "$output, and outside $now"
}

@test "a terminal has its size" {
  config '.process.terminal = true | .process.consoleSize = {height: 31, width: 93}'
  script 'tty; stty size'
  run -0 "$TOOLS/libcontainer_console" "$HOME_OF_TEST/console" "$PROGRAM" --root "$STATES" run \
    --console-socket "$HOME_OF_TEST/console" --bundle "$BUNDLE" "$ID" 3>&- </dev/null
  assert_output --partial '/dev/pts/0'
  assert_output --partial '31 93'
}

@test "a sysctl, a personality and a filter reach the program" {
  config '.linux.sysctl = {"kernel.msgmax": "4242"} | .linux.personality = {domain: "LINUX32"} |
    .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 28}]}'
  script 'cat /proc/sys/kernel/msgmax /proc/self/personality; mkdir /new'
  run -1 run_bundle
  assert_output $'4242\n00000008\nmkdir: can\'t create directory \'/new\': No space left on device'
}

@test "the mount label goes to the kernel, which refuses it where there is no SELinux" {
  local label=system_u:object_r:container_file_t:s0
  config '.linux.mountLabel = $text' --arg text "$label"
  script 'grep " /dev/shm " /proc/mounts'
  run run_bundle
  if [ -d /sys/fs/selinux ]; then
    assert_output --partial "context=$label"
  else
    assert_failure 1
    assert_output --partial "use the mount option 'context=$label'"
  fi
}

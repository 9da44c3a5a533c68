# A node as Kubernetes has it: a kubelet's calls to a real containerd, whose runtime class is our shim and runtime.
# Room: tests/interop. Run by: tools/test interop. The configuration is read from stages/04-modular/kubernetes.md.
#
# The node is a mount and a network namespace: what it makes (the pod's bridge, network namespaces, mounts, CNI's notes
# in /var/lib) goes with it, and the programs stand where the page has them.

# shellcheck disable=SC2030,SC2031,SC2016,SC2034,SC2153,SC2317 # each test is a subshell of its own, and that is meant
load shim

PAGE=$CHECKOUT/stages/04-modular/kubernetes.md

# block LANGUAGE [TEXT]: the page's first block in that language that has TEXT.
block() {
  awk -v want="$1" -v text="${2:-}" '
    $0 == "```" && inside { inside = 0; if (index(all, text)) { printf "%s", all; exit } }
    inside { all = all $0 "\n" }
    $0 == "```" want { inside = 1; all = "" }' "$PAGE"
}

# ---- the node ----

setup() {
  local program
  for program in containerd protoc umoci /usr/lib/cni/ptp; do
    command -v "$program" >/dev/null || skip "there is no $program"
  done
  HOME_OF_TEST=$(mktemp -d "${TMPDIR:-/tmp}/ct.XXXXXX")
  SOCKET=$HOME_OF_TEST/containerd.sock LISTENER=
  mkdir "$HOME_OF_TEST"/{cni,logs}
  cat >"$HOME_OF_TEST/config.toml" <<END
root = "$HOME_OF_TEST/root"
state = "$HOME_OF_TEST/state"
$(block toml)
[grpc]
address = "$SOCKET"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "localhost/pause:test"
disable_apparmor = true
restrict_oom_score_adj = true # who runs tests may be forbidden to go below his own
netns_mounts_under_state_dir = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "$HOME_OF_TEST/cni"
END
  cat >"$HOME_OF_TEST/cni/10-pods.conflist" <<END
{"cniVersion": "0.4.0", "name": "pods",
 "plugins": [{"type": "ptp", "ipam": {"type": "host-local", "subnet": "10.23.0.0/24", "routes": [{"dst": "0.0.0.0/0"}]}}]}
END
  unshare --mount --net sleep infinity 3>&- &
  NODE=$!
  _is_apart() { [ "$(readlink "/proc/$NODE/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }
  retry 10 _is_apart
  in_node sh -ec 'ip link set lo up
    for dir in /run /var/lib /usr/local/sbin /usr/local/bin /etc; do mount -t tmpfs node "$dir"; done
    cp "$@" /usr/local/sbin/
    ln -s /usr/local/sbin/cutaway-containerd-shim /usr/local/bin/containerd-shim-cutaway-v2
    mkdir /etc/cutaway
    echo 127.0.0.1 localhost >/etc/hosts
    touch /etc/resolv.conf
    cat >/etc/cutaway/kubernetes.json' _ "$SHIM" "$BUILD/stages/04-modular/runc/cutaway-runc" < <(block json)
  start_node
  make_pause_image
  for image in "$BUILD/tools/busybox.tar" "$HOME_OF_TEST/pause.tar"; do
    command ctr -a "$SOCKET" -n k8s.io images import "$image" >/dev/null 3>&-
  done
}

in_node() { nsenter --target "$NODE" --mount --net "$@" 3>&-; }

start_node() {
  # Not by in_node: a function in the background is one more shell, and that would be what is killed.
  nsenter --target "$NODE" --mount --net containerd --config "$HOME_OF_TEST/config.toml" >>"$HOME_OF_TEST/log" 2>&1 3>&- &
  CONTAINERD=$!
  _is_ready() { [ "$(cri Status </dev/null | grep -c 'status: true')" = 2 ]; } 2>/dev/null
  retry 30 _is_ready || fail "containerd: $(grep -E "level=(warning|error|fatal)" "$HOME_OF_TEST/log")"
}

# The image that a pod's own container is made of: its program has nothing to do but to stay.
make_pause_image() {
  skopeo --insecure-policy copy -q "oci-archive:$BUILD/tools/busybox.tar" "oci:$HOME_OF_TEST/pause:new"
  umoci config --image "$HOME_OF_TEST/pause:new" --tag test --config.cmd sleep --config.cmd 1000000
  skopeo --insecure-policy copy -q "oci:$HOME_OF_TEST/pause:test" "oci-archive:$HOME_OF_TEST/pause.tar:localhost/pause:test"
}

tasks() { command ctr -a "$SOCKET" -n k8s.io tasks ls -q; }

# Pods that a test which failed left are no fault: containerd deletes what has ended.
teardown() {
  [ -n "${NODE:-}" ] || return 0
  local left="" id
  for id in $(tasks); do command ctr -a "$SOCKET" -n k8s.io tasks kill -s KILL "$id"; done
  retry 10 eval '[ -z "$(tasks)" ]' || left+=" tasks: $(tasks)"
  kill "$CONTAINERD"
  wait "$CONTAINERD" || true
  left+=$(in_node find /run -type s -o -name state.json | paste -sd ' ')
  left+=$(pgrep -af "containerd-shim.*$HOME_OF_TEST/" || true)
  # The pod's own control group, pods-…/UID, is the kubelet's to remove; what is below it is not.
  left+=$(find /sys/fs/cgroup -type d -path "*/pods-${HOME_OF_TEST##*.}/*/*" -printf ' group: %p')
  find /sys/fs/cgroup -depth -type d -path "*/pods-${HOME_OF_TEST##*.}*" -exec rmdir {} +
  kill "$NODE"
  wait "$NODE" || true
  rm -rf --one-file-system "$HOME_OF_TEST"
  [ -z "$left" ] || { echo "left behind: $left"; return 1; }
}

# ---- a kubelet's words ----

# cri METHOD <TEXT: the request in protobuf's text form; prints the answer so. A message of gRPC is a zero, four bytes of
# length, and the bytes; the status comes behind it, in trailers.
cri() {
  local dir=$HOME_OF_TEST/call
  mkdir -p "$dir"
  protoc -I "$BATS_TEST_DIRNAME" --encode="runtime.v1.$1Request" cri.proto >"$dir/message" || return 2
  { printf '\0' && printf '%08x' "$(stat -c %s "$dir/message")" | xxd -r -p && cat "$dir/message"; } >"$dir/request"
  curl -sS --max-time 60 --http2-prior-knowledge --unix-socket "$SOCKET" -H 'content-type: application/grpc' -H 'te: trailers' \
    --data-binary "@$dir/request" -D "$dir/headers" -o "$dir/answer" "http://localhost/runtime.v1.RuntimeService/$1" 3>&- || return 3
  if ! grep -qi '^grpc-status: 0' "$dir/headers"; then
    sed -n 's/^grpc-message: //Ip' "$dir/headers" >&2
    return 1
  fi
  tail -c +6 "$dir/answer" | protoc -I "$BATS_TEST_DIRNAME" --decode="runtime.v1.$1Response" cri.proto
}

# field NAME <ANSWER
set -o pipefail # what failed before it has failed
field() { sed -En "s/^ *$1: \"?([^\"]*)\"?$/\1/p"; }

pod_config() {
  cat <<END
metadata { name: "web" uid: "$1" namespace: "default" }
hostname: "web" log_directory: "$HOME_OF_TEST/logs" labels { key: "app" value: "web" }
linux { cgroup_parent: "/pods-${HOME_OF_TEST##*.}/$1" security_context { namespace_options { pid: CONTAINER } } }
END
}

# run_pod UID [HANDLER]: prints its id.
run_pod() {
  cri RunPodSandbox <<<"config { $(pod_config "$1") } runtime_handler: \"${2-$(block yaml 'kind: RuntimeClass' | sed -n 's/^handler: //p')}\"" | field pod_sandbox_id
}

# run_container POD UID NAME PROGRAM [MEMORY]: prints its id. It runs.
run_container() {
  local id
  id=$(cri CreateContainer <<<"pod_sandbox_id: \"$1\" sandbox_config { $(pod_config "$2") }
    config { metadata { name: \"$3\" } image { image: \"docker.io/library/busybox:latest\" } log_path: \"$3.log\"
      command: 'sh' command: '-c' command: '$4'
      linux { resources { memory_limit_in_bytes: ${5:-0} } security_context { namespace_options { pid: CONTAINER } } } }" | field container_id)
  cri StartContainer <<<"container_id: \"$id\"" >/dev/null
  echo "$id"
}

remove_pod() {
  cri StopPodSandbox <<<"pod_sandbox_id: \"$1\""
  cri RemovePodSandbox <<<"pod_sandbox_id: \"$1\""
}

exec_in() { # CONTAINER PROGRAM: its output
  cri ExecSync <<<"container_id: \"$1\" cmd: 'sh' cmd: '-c' cmd: '$2'"
}
status_of_container() { cri ContainerStatus <<<"container_id: \"$1\""; }
has_exited() { status_of_container "$1" | grep -q CONTAINER_EXITED; }

# The shims of this node's pods.
shims() { pgrep -f "^cutaway-containerd-shim -namespace k8s.io .*$HOME_OF_TEST/" || true; }
count_shims() { shims | wc -l; }

# ---- a pod's life ----

@test "the page's runtime class runs a pod: network, containers, exec, logs, limits, exit codes" {
  pod=$(run_pod one)
  run -0 cri PodSandboxStatus <<<"pod_sandbox_id: \"$pod\""
  assert_output --partial 'runtime_handler: "cutaway"'
  address=$(field ip <<<"$output")
  assert_regex "$address" '^10\.23\.0\.[0-9]+$'
  assert_equal "$(count_shims)" 1

  web=$(run_container "$pod" one web 'echo hello >index.html; echo begin; trap "exit 7" TERM; httpd -p 8080; while :; do sleep 0.1; done' 33554432)
  other=$(run_container "$pod" one other 'echo wrong >&2; sleep 1000')
  assert_equal "$(count_shims)" 1 # one for the pod
  shim=$(shims)
  assert_equal "$(in_node readlink "/proc/$shim/exe")" /usr/local/sbin/cutaway-containerd-shim
  assert_equal "$(in_node ls /run/cutaway/kubernetes/k8s.io | wc -l)" 3 # by our runtime, at the page's place

  # The network is the pod's: reached from the node by its address, by a container of the pod as localhost.
  _answers() { in_node curl -sf --max-time 2 "http://$address:8080/index.html"; }
  retry 10 _answers >/dev/null
  run -0 exec_in "$other" 'wget -qO- http://localhost:8080/index.html; hostname; exit 3'
  assert_line 'stdout: "hello\nweb\n"'
  assert_line 'exit_code: 3'
  run -0 exec_in "$web" 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max'
  assert_line 'stdout: "33554432\n"'

  # Logs have the form that kubelets read.
  retry 10 grep -qE '^[^ ]+ stdout F begin$' "$HOME_OF_TEST/logs/web.log"
  retry 10 grep -qE '^[^ ]+ stderr F wrong$' "$HOME_OF_TEST/logs/other.log"

  cri StopContainer <<<"container_id: \"$web\" timeout: 10"
  run -0 status_of_container "$web"
  assert_output --partial "state: CONTAINER_EXITED"
  assert_output --partial "exit_code: 7"
  cri RemoveContainer <<<"container_id: \"$web\""
  assert_equal "$(count_shims)" 1
  remove_pod "$pod"
  retry 10 eval '[ "$(count_shims)" = 0 ]'
}

@test "memory that a container of a pod runs out of is told to the kubelet" {
  pod=$(run_pod two)
  hungry=$(run_container "$pod" two hungry 'x=x; while :; do x=$x$x; done' 8388608)
  retry 20 has_exited "$hungry"
  run -0 status_of_container "$hungry"
  assert_output --partial "exit_code: 137"
  assert_output --partial 'reason: "OOMKilled"'
  remove_pod "$pod"
}

@test "containerd is killed and comes again: the pod goes on under its shim" {
  pod=$(run_pod three)
  web=$(run_container "$pod" three web 'trap "exit 7" TERM; while :; do sleep 0.1; done')
  shim=$(shims)
  kill -KILL "$CONTAINERD"
  wait "$CONTAINERD" || true
  start_node
  assert_equal "$(shims)" "$shim"
  run -0 exec_in "$web" 'echo still here'
  assert_line 'stdout: "still here\n"'
  cri StopContainer <<<"container_id: \"$web\" timeout: 10"
  run -0 status_of_container "$web"
  assert_output --partial "exit_code: 7"
  remove_pod "$pod"
}

@test "a program that is not there is the kubelet's error, in the runtime's words" {
  pod=$(run_pod four)
  id=$(cri CreateContainer <<<"pod_sandbox_id: \"$pod\" sandbox_config { $(pod_config four) }
    config { metadata { name: \"none\" } image { image: \"docker.io/library/busybox:latest\" } command: 'no-such-program' }" | field container_id)
  run -1 cri StartContainer <<<"container_id: \"$id\""
  assert_output --partial no-such-program
  assert_output --partial "no directory of PATH has such a program"
  remove_pod "$pod"
}

@test "a class that containerd does not know is refused" {
  run -1 cri RunPodSandbox <<<"config { $(pod_config five) } runtime_handler: \"cutaway2\""
  assert_output --partial cutaway2
}

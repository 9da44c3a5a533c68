# Two nodes of a Docker Swarm, whose default runtime is ours and whose shims are ours.
# Room: tests/interop. Run by: tools/test interop.
#
# A node is a set of namespaces - processes, mounts, network, name - with Docker's own dockerd and containerd in it. A third
# one is the switch that both are connected to. Whoever ends a node's first process pulls its plug: all that ran
# there is gone at once, and so are its mounts and networks.

# shellcheck disable=SC2030,SC2031,SC2154,SC2317 # a test is a subshell; machine sets variables; retry calls functions
load ../behaviour/lib

INIT=$BUILD/stages/04-modular/init/cutaway-init # there are orphans: shims

# machine NAME: sets NAME to the pid of the first process of a new set of namespaces.
machine() {
  local starter
  unshare --mount --net --uts --pid --fork --mount-proc --kill-child "$INIT" -- \
    sh -c "hostname $1 && exec sleep infinity" 2>/dev/null 3>&- &
  starter=$!
  _has_child() { pgrep -P "$starter" >/dev/null; }
  retry 10 _has_child
  printf -v "$1" %s "$(pgrep -P "$starter")"
  _has_name() { [ "$(on "$1" hostname)" = "$1" ]; }
  retry 10 _has_name "$1"
  on "$1" ip link set lo up
}

# on NAME COMMAND…: runs it there.
on() { nsenter --target "${!1}" --mount --net --uts --pid "${@:2}" 3>&-; }

# node NAME ADDRESS: a machine with a cable to the switch, and dockerd.
node() {
  local home=$HOME_OF_TEST/$1
  mkdir "$home"
  machine "$1"
  ip link add "$1" netns "$switch" type veth peer name eth0 netns "${!1}"
  on switch ip link set "$1" master bridge up
  on "$1" ip addr add "$2/24" dev eth0
  on "$1" ip link set eth0 up
  on "$1" mount -t tmpfs node /run
  cat >"$home/daemon.json" <<END
{"runtimes": {"cutaway": {"path": "$BUILD/stages/04-modular/runc/cutaway-runc"}}, "default-runtime": "cutaway",
 "cgroup-parent": "/$GROUP/$1", "storage-driver": "vfs", "bridge": "none", "hosts": ["unix://$home/docker.sock"]}
END
  # The one name by which dockerd 20.10 has containerd look for a shim.
  on "$1" env PATH="$HOME_OF_TEST/bin:$PATH" CUTAWAY_RUN="$home/shims" dockerd --config-file "$home/daemon.json" \
    --data-root "$home/data" --exec-root "$home/exec" -p "$home/pid" >"$home/log" 2>&1 &
  retry 30 curl -sf --unix-socket "$home/docker.sock" -o /dev/null http://d/_ping || fail "dockerd: $(tail -n 20 "$home/log")"
  docker_on "$1" load -qi "$BUILD/tools/busybox.tar"
}

docker_on() { timeout 60 docker -H "unix://$HOME_OF_TEST/$1/docker.sock" "${@:2}" 3>&-; }

setup() {
  command -v dockerd >/dev/null || skip "there is no dockerd"
  HOME_OF_TEST=$(mktemp -d "${TMPDIR:-/tmp}/ct.XXXXXX")
  GROUP=swarm-${HOME_OF_TEST##*.}
  mkdir "$HOME_OF_TEST/bin"
  ln -s "$BUILD/stages/04-modular/shim/cutaway-containerd-shim" "$HOME_OF_TEST/bin/containerd-shim-runc-v2"
  machine switch
  on switch ip link add bridge type bridge
  on switch ip link set bridge up
}

teardown() {
  local name left
  [ -n "${HOME_OF_TEST:-}" ] || return 0
  for name in one two switch; do
    if [ -n "${!name:-}" ]; then kill -KILL "${!name}" 2>/dev/null || true; fi
  done
  wait
  # A node without power leaves its control groups, empty; this machine has them still.
  find /sys/fs/cgroup -depth -type d -path "*/$GROUP*" -exec rmdir {} +
  rm -rf --one-file-system "$HOME_OF_TEST"
  left=$(pgrep -af "$HOME_OF_TEST/" || true)
  [ -z "$left" ] || { echo "left behind: $left"; return 1; }
}

# running_on NAME NODES COUNT: so many tasks of the service are said to run there.
runs_on() {
  [ "$(docker_on one service ps web --filter desired-state=running --format '{{.Node}} {{.CurrentState}}' | grep -c "^$1 Running")" = "$2" ]
}

# The containers of a node, as its own dockerd has them.
containers_of() { docker_on "$1" ps -q --filter label=com.docker.swarm.service.name=web; }

@test "a service runs on both nodes through our shim and runtime, is scaled, and one node takes over when the other is lost" {
  node one 10.9.0.1
  node two 10.9.0.2
  docker_on one swarm init --advertise-addr 10.9.0.1 --listen-addr 10.9.0.1:2377 --dispatcher-heartbeat 1s
  docker_on two swarm join --token "$(docker_on one swarm join-token -q worker)" 10.9.0.1:2377 \
    --advertise-addr 10.9.0.2 --listen-addr 10.9.0.2:2377
  docker_on one network create -d overlay between
  # Names are resolved to all addresses: a virtual one for the service would need the kernel's ip_vs.
  docker_on one service create --detach --name web --replicas 2 --network between --endpoint-mode dnsrr --no-resolve-image \
    --limit-memory 32m busybox sh -c 'hostname >/index.html; echo begin; trap "exit 7" TERM; httpd -p 80; while :; do sleep 0.1; done'
  retry 30 runs_on one 1
  retry 10 runs_on two 1
  docker_on one service scale --detach web=4
  retry 30 runs_on one 2
  retry 10 runs_on two 2

  # Ours are what runs there: the default runtime, and one shim for each container.
  for name in one two; do
    for id in $(containers_of "$name"); do
      run -0 docker_on "$name" inspect -f '{{.HostConfig.Runtime}} {{.HostConfig.Memory}}' "$id"
      assert_output "cutaway 33554432"
    done
    assert_equal "$(on "$name" pgrep -c '^cutaway-contai')" 2
    run ! on "$name" pgrep '^containerd-shim'
  done

  # Each container reaches all four, by the overlay network and its names.
  client=$(containers_of one | head -n 1)
  run -0 docker_on one exec "$client" sh -c 'nslookup tasks.web | sed -n "s/^Address: //p"'
  assert_equal "${#lines[@]}" 4
  addresses=("${lines[@]}")
  said=$(for address in "${addresses[@]}"; do
    _says() { docker_on one exec "$client" sh -c "printf 'GET /index.html HTTP/1.0\r\n\r\n' | nc $1 80" | tail -n 1 | grep .; }
    retry 10 _says "$address"
  done | sort)
  assert_equal "$said" "$({ containers_of one && containers_of two; } | sort)"
  _all_have_begun() { [ "$(docker_on one service logs --raw web 2>/dev/null | grep -c '^begin$')" = 4 ]; }
  retry 20 _all_have_begun

  # The plug.
  kill -KILL "$two"
  _is_down() { [ "$(docker_on one node ls --filter name=two --format '{{.Status}}')" = Down ]; }
  retry 40 _is_down
  retry 40 runs_on one 4
  assert_equal "$(containers_of one | wc -l)" 4
  assert_equal "$(on one pgrep -c '^cutaway-contai')" 4

  # And an orderly end: each container was asked, and said 7.
  ids=$(containers_of one)
  docker_on one service scale --detach web=0
  _has_none() { [ -z "$(containers_of one)" ]; }
  retry 30 _has_none
  for id in $ids; do
    run -0 docker_on one inspect -f '{{.State.ExitCode}}' "$id"
    assert_output 7
  done
  docker_on one service rm web
  _all_shims_are_gone() { ! on one pgrep '^cutaway-contai' >/dev/null; }
  retry 20 _all_shims_are_gone
}

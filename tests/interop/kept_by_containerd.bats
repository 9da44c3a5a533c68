# Networks and volumes of stage 04: containerd keeps them, so that the daemon may be killed at any time, and containerd, too.
# Room: tests/interop. Run by: tools/test interop.

load ../behaviour/lib

setup() {
  export STAGE=04
  behaviour_setup
}

teardown() {
  if [ -n "${BY_HAND:-}" ]; then kill "$BY_HAND" 2>/dev/null || true; fi
  behaviour_teardown
}

# The pid of the containerd that serves this test's daemon.
containerd_pid() {
  grep -lzxF -- "$ROOT/containerd" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3 | head -n 1
}

# kill_containerd: returns when it is gone.
kill_containerd() {
  local pid
  pid=$(containerd_pid)
  kill -KILL "$pid"
  retry 10 bash -c '[ ! -e "/proc/$0/root/." ]' "$pid"
}

# Where a daemon has started another one already, this one says so and ends.
start_containerd_again() {
  "$BUILD/stages/04-modular/cutaway-containerd" --root "$ROOT/containerd" --state "$RUN/containerd" >>"$HOME_OF_TEST/log" 2>&1 3>&- &
  BY_HAND=$!
  retry 20 ctr -a "$RUN/containerd/containerd.sock" --connect-timeout 1s version >/dev/null 2>&1
}

# web PORT-ON-THE-HOST [OPTION…]: a container that answers each connection with a word.
web() {
  cutaway run -d --name web -p "127.0.0.1:$1:80" "${@:2}" busybox sh -c 'while :; do echo hello | nc -l -p 80; done'
  retry 10 answers "$(port_of_web)"
}

port_of_web() { cutaway port web 80/tcp | sed 's/.*://'; }

answers() {
  # shellcheck disable=SC2016 # the inner shell's words
  [ "$(bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" && cat <&3' "$1" 2>/dev/null)" = hello ]
}

# Whether a program of the host gets the port.
is_free() {
  python3 -c 'import socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen()' "$1" 2>/dev/null
}

files_in() {
  find "$1" -mindepth 1 -printf '%f\n' 2>/dev/null
}

@test "networks and volumes are containerd's, the daemon has none" {
  id=$(cutaway network create own)
  cutaway volume create data
  run -0 cutaway volume inspect -f '{{.Mountpoint}}' data
  assert_output "$ROOT/containerd/volumes/cutaway/data/_data"
  assert [ -s "$ROOT/containerd/networks/cutaway/$id.json" ]
  run -0 files_in "$ROOT/04-modular/networks"
  assert_output ""
  run -0 files_in "$ROOT/04-modular/volumes"
  assert_output ""
}

@test "behind a daemon with Docker's containerd they are the daemon's own" {
  if ! command -v containerd >/dev/null; then skip "there is no containerd"; fi
  stop_daemon TERM
  start_containerd
  start_daemon
  id=$(cutaway network create own)
  run -0 cutaway run --rm --network own -v data:/etc busybox cat /etc/passwd
  assert_line --partial "root:"
  web ""
  port=$(port_of_web)
  stop_daemon KILL || true
  answers "$port"
  start_daemon # holds the ports itself, as the one before
  retry 10 cutaway ps
  run ! is_free "$port"
  cutaway rm -f web
  is_free "$port"
  assert [ -s "$ROOT/04-modular/networks/$id.json" ]
  assert [ -s "$ROOT/04-modular/volumes/data/_data/passwd" ]
  stop_daemon TERM
  stop_containerd
  unset CONTAINERD CONTAINERD_SOCKET

  start_daemon # on ours again: it has none of these, and says so
  run -0 cutaway network ls -q --filter name=own
  assert_output ""
  run -0 cutaway volume ls -q
  assert_output ""
  run -0 cat "$HOME_OF_TEST/log"
  assert_line --partial "1 networks in $ROOT/04-modular/networks are not seen: containerd keeps networks now"
  assert_line --partial "1 volumes in $ROOT/04-modular/volumes are not seen: containerd keeps volumes now"
}

@test "a published port answers and is held while the daemon is dead, and by the next one" {
  web ""
  port=$(port_of_web)
  stop_daemon KILL || true
  answers "$port"
  run ! is_free "$port"

  start_daemon
  assert_equal "$(port_of_web)" "$port"
  answers "$port"
  run -125 cutaway run -d --name two -p "127.0.0.1:$port:80" busybox sleep 60
  assert_output --partial "port is already allocated"
  cutaway rm -f web
  is_free "$port"
}

@test "killed and started again, containerd holds the ports of what runs" {
  cutaway network create own
  web "" --network own
  port=$(port_of_web)
  kill_containerd
  answers "$port" # the rules are the kernel's

  start_containerd_again
  run ! is_free "$port"
  answers "$port"
  run -0 cutaway run --rm --network own busybox sh -c 'nc -w 5 web 80 </dev/null'
  assert_output hello
  run -1 cutaway network rm own
  assert_output --partial "has active endpoints"
  cutaway rm -f web
  is_free "$port"
  run -0 cutaway network rm own
}

@test "killed with all that runs, containerd takes back what it held for it" {
  web ""
  port=$(port_of_web)
  network=$(cutaway network inspect -f '{{.Id}}' bridge)
  assert [ -e "/sys/class/net/ct-${network:0:12}" ]
  id=$(cutaway inspect -f '{{.Id}}' web)
  program=$(pid_of web)
  stop_daemon KILL || true
  kill_containerd
  # Its shim and its monitor go with it, and the program last: nobody is left to tell.
  grep -lF -- "$id" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3 |
    while read -r pid; do kill -KILL "$pid" 2>/dev/null || true; done
  kill -KILL "$program"

  start_containerd_again
  assert [ ! -e "/sys/class/net/ct-${network:0:12}" ]
  is_free "$port"
  start_daemon
  assert_status_of web exited
}

@test "an error of containerd's comes whole" {
  run -1 cutaway network create --subnet 10.0.0.0/33 bad
  assert_output "cutaway: create network 'bad': networks: invalid subnet '10.0.0.0/33': write it as 10.1.2.0/24, prefix 8 to 30"
  run -1 cutaway volume create -d nfs data
  assert_output "cutaway: create volume 'data': volumes: volume driver 'nfs': there is only local"
}

@test "a namespace with a volume is not empty" {
  cutaway volume create data
  run ! ctr -a "$RUN/containerd/containerd.sock" namespaces remove cutaway
  assert_output --partial "it is not empty"
  cutaway volume rm data
  run -0 ctr -a "$RUN/containerd/containerd.sock" namespaces remove cutaway
}

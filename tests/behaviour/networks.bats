#!/usr/bin/env bats
# networks.bats - networks, addresses, published ports, and that they go away.

load lib

# A program in a container that answers each connection to port 80 with a word.
serve() {
  cutaway run -d --name "$1" "${@:3}" busybox sh -c "while :; do echo $2 | nc -l -p 80; done"
}

# ask ADDRESS PORT: what is answered there.
ask() {
  bash -c 'exec 3<>"/dev/tcp/$0/$1" && cat <&3' "$1" "$2"
}

answers() {
  [ "$(ask "$1" "$2" 2>/dev/null)" = "$3" ]
}

address_of() {
  cutaway inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$1"
}

@test "the three networks that always are there" {
  run -0 cutaway network ls --format '{{.Name}} {{.Driver}}'
  assert_line "bridge bridge"
  assert_line "host host"
  assert_line "none null"
}

@test "a container has an address, reaches its gateway and is reached from the host" {
  serve web hello
  address=$(address_of web)
  assert_regex "$address" '^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$'
  retry 10 answers "$address" 80 hello
  gateway=$(cutaway inspect -f '{{.NetworkSettings.Gateway}}' web)
  run -0 cutaway exec web ping -c 1 -W 5 "$gateway"
}

@test "two containers on one network reach each other by address" {
  serve web hello
  address=$(address_of web)
  retry 10 answers "$address" 80 hello
  run -0 cutaway run --rm busybox sh -c "nc -w 5 $address 80 </dev/null"
  assert_output "hello"
}

@test "a published port answers on the host's addresses and on localhost" {
  serve web hello -p 127.0.0.1::80
  port=$(cutaway port web 80/tcp | sed 's/.*://')
  retry 10 answers 127.0.0.1 "$port" hello
}

@test "a port that is taken is refused, and the container does not stay half started" {
  serve one hello -p 127.0.0.1::80
  port=$(cutaway port one 80/tcp | sed 's/.*://')
  run -125 cutaway run -d --name two -p "127.0.0.1:$port:80" busybox sleep 60
  assert_output --partial "port is already allocated"
  assert_status_of two created
}

@test "networks are kept apart" {
  cutaway network create left
  cutaway network create right
  serve web hello --network left
  address=$(address_of web)
  retry 10 answers "$address" 80 hello
  run cutaway run --rm --network right busybox nc -w 1 "$address" 80
  assert [ "$status" -ne 0 ]
}

@test "--network none has only loopback, host is in the host's" {
  run -0 cutaway run --rm --network none busybox sh -c 'ls /sys/class/net'
  assert_output "lo"
  # The namespace itself: devices of other tests come and go while we would count them.
  run -0 cutaway run --rm --network host busybox readlink /proc/self/ns/net
  assert_output "$(readlink /proc/self/ns/net)"
}

@test "connect and disconnect a running container" {
  cutaway network create extra
  cutaway run -d --name web busybox sleep 60
  run -0 cutaway network connect extra web
  run -0 cutaway exec web ls /sys/class/net
  assert_line "eth1"
  run -0 cutaway network disconnect extra web
  run -0 cutaway exec web ls /sys/class/net
  refute_line "eth1"
}

@test "a network in use is not removed" {
  cutaway network create busy
  cutaway run -d --name web --network busy busybox sleep 60
  run -1 cutaway network rm busy
  assert_output --partial "busy"
  cutaway rm -f web
  run -0 cutaway network rm busy
}

@test "a subnet and an address that are asked for are given" {
  cutaway network create --subnet 10.213.77.0/24 fixed
  run -0 cutaway run --rm --network fixed --ip 10.213.77.9 busybox ip -4 addr show eth0
  assert_output --partial "10.213.77.9/24"
}

@test "the bridge and its rules go with the last container" {
  cutaway run -d --name web busybox sleep 60
  id=$(cutaway network inspect -f '{{.Id}}' bridge)
  assert [ -e "/sys/class/net/ct-${id:0:12}" ]
  cutaway rm -f web
  assert [ ! -e "/sys/class/net/ct-${id:0:12}" ]
  run ! nft list table inet "cutaway-${id:0:12}"
}

@test "network create, inspect and prune" {
  cutaway network create --label keep=no --internal loose
  cutaway network create used
  cutaway run -d --name web --network used busybox sleep 60
  run -0 cutaway network inspect -f '{{.Name}} {{.Driver}} {{.Internal}} {{index .Labels "keep"}}' loose
  assert_output "loose bridge true no"
  run -0 cutaway network inspect -f '{{range .Containers}}{{.Name}}{{end}}' used
  assert_output web
  run -0 cutaway network prune -f
  assert_line loose
  refute_line used
  run -1 cutaway network inspect loose
  assert_line --partial "No such network: loose"
}
